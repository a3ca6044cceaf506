#include "picture.h"

#include <png.h>
#include <stdlib.h>
#include "fixture.h"

picture picture_read(const char *name) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_not_equal(png_image_begin_read_from_file(&image, fixture_path(name)), 0);
    assert_int_equal(image.format, PNG_FORMAT_RGB);
    picture p = {(int)image.width, (int)image.height, malloc(PNG_IMAGE_SIZE(image))};
    assert_int_not_equal(png_image_finish_read(&image, NULL, p.pixels, 0, NULL), 0);
    return p;
}

const uint8_t *picture_at(const picture *p, int x, int y) {
    assert_true(x >= 0 && x < p->width && y >= 0 && y < p->height);
    return p->pixels + 3 * (y * p->width + x);
}

void picture_check(const picture *p, int x, int y, int r, int g, int b) {
    const uint8_t *pixel = picture_at(p, x, y);
    if (pixel[0] != r || pixel[1] != g || pixel[2] != b)
        fail_msg("pixel %d,%d is %d,%d,%d, not %d,%d,%d", x, y, pixel[0], pixel[1], pixel[2], r, g, b);
}
