/* Smooth shapes: how much of a pixel one covers is taken from the distance of the pixel's middle to its edge.
 */
#include "datasets/canvas.h"

#include <math.h>

typedef struct stroke {
    double x0, y0, x1, y1; /* from here to there */
    double reach;          /* all that is so near to it is covered */
} stroke;

static double cover(const stroke *s, double x, double y) {
    const double dx = s->x1 - s->x0, dy = s->y1 - s->y0, square = dx * dx + dy * dy;
    const double along = square > 0 ? ((x - s->x0) * dx + (y - s->y0) * dy) / square : 0;
    const double at = fmin(1, fmax(0, along));
    const double away = hypot(x - s->x0 - at * dx, y - s->y0 - at * dy);
    return fmin(1, fmax(0, s->reach - away + 0.5));
}

static uint8_t mix(uint8_t under, uint8_t over, double share) {
    return (uint8_t)lround(under + share * ((double)over - under));
}

static void blend(anni_canvas *canvas, int x, int y, anni_colour colour, double share) {
    uint8_t *pixel = canvas->pixels + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
    pixel[0] = mix(pixel[0], colour.r, share);
    pixel[1] = mix(pixel[1], colour.g, share);
    pixel[2] = mix(pixel[2], colour.b, share);
}

/* The first and the last pixel that may be covered, along one axis of `size` pixels. */
static int first_pixel(double a, double b, double reach) {
    return (int)fmax(0, floor(fmin(a, b) - reach - 1));
}
static int last_pixel(double a, double b, double reach, int size) {
    return (int)fmin(size - 1, ceil(fmax(a, b) + reach + 1));
}

/* The union of two strokes that lie in the same box. */
static void draw(anni_canvas *canvas, const stroke *s, const stroke *other, anni_colour colour,
                 double opacity) {
    const int bottom = last_pixel(s->y0, s->y1, s->reach, canvas->height);
    const int right = last_pixel(s->x0, s->x1, s->reach, canvas->width);
    for (int y = first_pixel(s->y0, s->y1, s->reach); y <= bottom; y++) {
        for (int x = first_pixel(s->x0, s->x1, s->reach); x <= right; x++) {
            const double share = fmax(cover(s, x + 0.5, y + 0.5), cover(other, x + 0.5, y + 0.5));
            if (share > 0) blend(canvas, x, y, colour, share * opacity);
        }
    }
}

void anni_canvas_disc(anni_canvas *canvas, double x, double y, double radius, anni_colour colour,
                      double opacity) {
    const stroke s = {x, y, x, y, radius};
    draw(canvas, &s, &s, colour, opacity);
}

void anni_canvas_line(anni_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                      anni_colour colour) {
    const stroke s = {x0, y0, x1, y1, width / 2};
    draw(canvas, &s, &s, colour, 1);
}

void anni_canvas_cross(anni_canvas *canvas, double x, double y, double radius, double width,
                       anni_colour colour, double opacity) {
    const double arm = (radius - width / 2) * sqrt(0.5);
    const stroke down = {x - arm, y - arm, x + arm, y + arm, width / 2};
    const stroke up = {x - arm, y + arm, x + arm, y - arm, width / 2};
    draw(canvas, &down, &up, colour, opacity);
}
