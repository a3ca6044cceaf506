#include "datasets/canvas.h"

#include <errno.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ann_status anni_canvas_new(anni_canvas *out, int width, int height, anni_colour colour) {
    *out = (anni_canvas){width, height, malloc((size_t)width * (size_t)height * 3)};
    if (out->pixels == NULL)
        return ann_error(ANN_ERR_MEMORY, "a picture of %d x %d: out of memory", width, height);
    anni_canvas_fill(out, 0, 0, width, height, colour);
    return ANN_OK;
}

void anni_canvas_free(anni_canvas *canvas) {
    free(canvas->pixels);
    *canvas = (anni_canvas){0};
}

static int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

void anni_canvas_fill(anni_canvas *canvas, int x, int y, int width, int height, anni_colour colour) {
    const int x1 = clamp(x + width, 0, canvas->width), y1 = clamp(y + height, 0, canvas->height);
    for (int row = clamp(y, 0, y1); row < y1; row++) {
        uint8_t *pixel = canvas->pixels + ((size_t)row * (size_t)canvas->width + (size_t)clamp(x, 0, x1)) * 3;
        for (int column = clamp(x, 0, x1); column < x1; column++, pixel += 3)
            pixel[0] = colour.r, pixel[1] = colour.g, pixel[2] = colour.b;
    }
}

/* ---- text ---- */

static bool continues(char c) { return ((unsigned char)c & 0xC0) == 0x80; } /* a character of UTF-8 */

int anni_canvas_letters(const char *text) {
    int letters = 0;
    for (; *text != '\0'; text++) letters += !continues(*text);
    return letters;
}

int anni_canvas_text_width(const char *text, int scale) {
    const int letters = anni_canvas_letters(text);
    return letters > 0 ? (letters * ANNI_GLYPH_ADVANCE - 1) * scale : 0;
}

void anni_canvas_shorten(char *out, size_t size, const char *text, int letters) {
    snprintf(out, size, "%s", text);
    if (anni_canvas_letters(out) <= letters) return;
    char *end = out;
    for (int kept = 0; *end != '\0'; end++) {
        kept += !continues(*end);
        if (kept > letters - 2) break;
    }
    snprintf(end, size - (size_t)(end - out), "..");
}

/* One letter; turned to the left by a right angle if `up`. */
static void draw_letter(anni_canvas *canvas, int x, int y, int scale, anni_colour colour, char c, bool up) {
    const uint8_t *glyph = anni_font_glyph(c);
    for (int i = 0; i < ANNI_GLYPH_WIDTH * ANNI_GLYPH_HEIGHT; i++) {
        const int column = i / ANNI_GLYPH_HEIGHT, row = i % ANNI_GLYPH_HEIGHT;
        if (((glyph[column] >> row) & 1) == 0) continue;
        if (up) anni_canvas_fill(canvas, x + row * scale, y - (column + 1) * scale, scale, scale, colour);
        else anni_canvas_fill(canvas, x + column * scale, y + row * scale, scale, scale, colour);
    }
}

void anni_canvas_text(anni_canvas *canvas, int x, int y, int scale, anni_colour colour, const char *text) {
    for (; *text != '\0'; text++) {
        if (continues(*text)) continue;
        draw_letter(canvas, x, y, scale, colour, *text, false);
        x += ANNI_GLYPH_ADVANCE * scale;
    }
}

void anni_canvas_text_up(anni_canvas *canvas, int x, int y, int scale, anni_colour colour, const char *text) {
    for (; *text != '\0'; text++) {
        if (continues(*text)) continue;
        draw_letter(canvas, x, y, scale, colour, *text, true);
        y -= ANNI_GLYPH_ADVANCE * scale;
    }
}

/* ---- PNG ---- */

ann_status anni_canvas_write(const anni_canvas *canvas, const char *path) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)canvas->width,
                       .height = (png_uint_32)canvas->height,
                       .format = PNG_FORMAT_RGB};
    FILE *file = fopen(path, "wb");
    if (file == NULL) return ann_error(ANN_ERR_IO, "%s: %s", path, strerror(errno));
    errno = 0;
    const bool encoded = png_image_write_to_stdio(&image, file, 0, canvas->pixels, 0, NULL) != 0;
    const bool closed = fclose(file) == 0;
    if (encoded && closed) return ANN_OK;
    const ann_status status = errno == ENOSPC || errno == EDQUOT ? ANN_ERR_NOSPACE : ANN_ERR_IO;
    const char *why = errno != 0 ? strerror(errno) : image.message;
    return ann_error(status, "%s: %s", path, why);
}
