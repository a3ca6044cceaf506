/* PNGs that a test wrote, read back by libpng. */
#ifndef ANN_TESTS_DATA_PICTURE_H
#define ANN_TESTS_DATA_PICTURE_H

#include <stdint.h>

typedef struct picture {
    int width, height;
    uint8_t *pixels; /* [height, width, 3]; free it */
} picture;

/* A file of the test's folder (fixture.h). */
picture picture_read(const char *name);
const uint8_t *picture_at(const picture *p, int x, int y);
void picture_check(const picture *p, int x, int y, int r, int g, int b);

#endif
