/* An RGB picture to draw on, with letters, written as PNG. Private to datasets/. */
#ifndef ANN_DATASETS_CANVAS_H
#define ANN_DATASETS_CANVAS_H

#include <stddef.h>
#include <stdint.h>
#include "base/status.h"

typedef struct anni_canvas {
    int width, height;
    uint8_t *pixels; /* [height, width, 3] */
} anni_canvas;

typedef struct anni_colour {
    uint8_t r, g, b;
} anni_colour;

enum { ANNI_GLYPH_WIDTH = 5, ANNI_GLYPH_HEIGHT = 8, ANNI_GLYPH_ADVANCE = 6 }; /* times the text's scale */

/* Filled with one colour. Errors: ANN_ERR_MEMORY. Owner: the caller, anni_canvas_free. */
ann_status anni_canvas_new(anni_canvas *out, int width, int height, anni_colour colour) ANN_MUST_CHECK;
void anni_canvas_free(anni_canvas *canvas);
/* What lies outside the canvas is not drawn. */
void anni_canvas_fill(anni_canvas *canvas, int x, int y, int width, int height, anni_colour colour);
/* Letters of 5 x 8 dots of scale x scale pixels; a character that is not ASCII is drawn as one box. */
void anni_canvas_text(anni_canvas *canvas, int x, int y, int scale, anni_colour colour, const char *text);
/* The same from the bottom up: the first letter's left end is at y, and x is where the tops of letters are.
 */
void anni_canvas_text_up(anni_canvas *canvas, int x, int y, int scale, anni_colour colour, const char *text);
/* Number of characters that anni_canvas_text draws, and the width of its picture in pixels. */
int anni_canvas_letters(const char *text);
int anni_canvas_text_width(const char *text, int scale);
/* A copy of the text with at most `letters` characters, of which the last two are ".." where some are left
 * out. */
void anni_canvas_shorten(char *out, size_t size, const char *text, int letters);
/* Smooth shapes, of which points are as they lie on paper: pixel (0, 0) is the square from 0 to 1. Opacity is
   from 0 to 1. A line has round ends. A cross is two diagonals that fit a disc of that radius.
   (canvas_shape.c) */
void anni_canvas_disc(anni_canvas *canvas, double x, double y, double radius, anni_colour colour,
                      double opacity);
void anni_canvas_line(anni_canvas *canvas, double x0, double y0, double x1, double y1, double width,
                      anni_colour colour);
void anni_canvas_cross(anni_canvas *canvas, double x, double y, double radius, double width,
                       anni_colour colour, double opacity);
/* Errors: ANN_ERR_IO, ANN_ERR_NOSPACE. */
ann_status anni_canvas_write(const anni_canvas *canvas, const char *path) ANN_MUST_CHECK;

/* The dots of an ASCII character, column by column; bit 0 is the topmost. */
const uint8_t *anni_font_glyph(char c);

#endif
