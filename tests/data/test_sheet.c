/* Contact sheets: the PNG is read back, and pixels are where and what they should be. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "datasets/canvas.h"
#include "datasets/sheet.h"
#include "fixture.h"
#include "picture.h"

/* The sheet's measures (sheet.c): a margin of 28, tiles framed by 1, gaps of 14, captions 7 below and 16
   high. Images of 2 x 2 are enlarged 56 times. */
enum { MARGIN = 28, GAP = 14, TILE = 112, CAPTION = 7 + 16 };

static void test_gray(void **state) {
    (void)state;
    const uint8_t x[] = {0, 50, 100, 255, 1, 2, 3, 4};
    const char *const captions[] = {"I", ""};
    const anni_tiles tiles = {
        .x = x, .dtype = ANN_U8, .shape = ANN_SHAPE(2, 2, 1), .count = 2, .group = 1, .captions = captions};
    check_ok(anni_sheet_write(&tiles, fixture_path("gray.png")));
    const picture p = picture_read("gray.png");
    assert_int_equal(p.width, 2 * MARGIN + 2 * (TILE + 2) + GAP);
    assert_int_equal(p.height, 2 * MARGIN + TILE + 2 + CAPTION);
    picture_check(&p, MARGIN + 1, MARGIN + 1, 0, 0, 0);
    picture_check(&p, MARGIN + 1 + 55, MARGIN + 1 + 55, 0, 0, 0);
    picture_check(&p, MARGIN + 1 + 56, MARGIN + 1, 50, 50, 50);
    picture_check(&p, MARGIN + 1, MARGIN + 1 + 56, 100, 100, 100);
    picture_check(&p, MARGIN + TILE, MARGIN + TILE, 255, 255, 255);
    picture_check(&p, MARGIN + TILE + 2 + GAP + 1, MARGIN + 1, 1, 1, 1);
    picture_check(&p, 0, 0, 250, 250, 248);
    /* "I" is centred: 10 of 114 pixels, its stem in the middle two. */
    const int left = MARGIN + (TILE + 2 - 10) / 2, top = MARGIN + TILE + 2 + 7;
    picture_check(&p, left + 4, top + 6, 40, 44, 52);
    picture_check(&p, left, top + 6, 250, 250, 248);
    free(p.pixels);
}

static void test_colour_and_ranges(void **state) {
    (void)state;
    const uint8_t rgba[] = {255, 0, 0, 9, 0, 255, 0, 9, 0, 0, 255, 9, 7, 8, 9, 9};
    const anni_tiles colour = {
        .x = rgba, .dtype = ANN_U8, .shape = ANN_SHAPE(2, 2, 4), .count = 1, .group = 1};
    check_ok(anni_sheet_write(&colour, fixture_path("colour.png")));
    picture p = picture_read("colour.png");
    assert_int_equal(p.height, 2 * MARGIN + TILE + 2);
    picture_check(&p, MARGIN + 1, MARGIN + 1, 255, 0, 0);
    picture_check(&p, MARGIN + 57, MARGIN + 1, 0, 255, 0);
    picture_check(&p, MARGIN + 1, MARGIN + 57, 0, 0, 255);
    picture_check(&p, MARGIN + 57, MARGIN + 57, 7, 8, 9);
    free(p.pixels);
    const float ranges[][4] = {{0, 0.2f, 1, 1}, {-1, 0, 0.2f, 1}, {-3, 1, 5, 0}};
    const int second[] = {51, 128, 128};
    for (int i = 0; i < 3; i++) {
        const anni_tiles tiles = {
            .x = ranges[i], .dtype = ANN_F32, .shape = ANN_SHAPE(2, 2), .count = 1, .group = 1};
        check_ok(anni_sheet_write(&tiles, fixture_path("range.png")));
        p = picture_read("range.png");
        picture_check(&p, MARGIN + 1, MARGIN + 1, 0, 0, 0);
        picture_check(&p, MARGIN + 57, MARGIN + 1, second[i], second[i], second[i]);
        free(p.pixels);
    }
}

/* Large images are reduced by means. */
static void test_large(void **state) {
    (void)state;
    enum { SIDE = 512 };
    uint8_t *x = malloc(SIDE * SIDE);
    assert_non_null(x);
    for (int i = 0; i < SIDE * SIDE; i++) x[i] = (i % SIDE) % 2 == 0 ? 0 : 200;
    const anni_tiles tiles = {
        .x = x, .dtype = ANN_U8, .shape = ANN_SHAPE(SIDE, SIDE, 1), .count = 1, .group = 1};
    check_ok(anni_sheet_write(&tiles, fixture_path("large.png")));
    const picture p = picture_read("large.png");
    assert_int_equal(p.width, 2 * MARGIN + 256 + 2);
    picture_check(&p, MARGIN + 100, MARGIN + 100, 100, 100, 100);
    free(p.pixels);
    free(x);
}

static void test_title_and_long_captions(void **state) {
    (void)state;
    uint8_t x[12 * 4] = {0};
    const char *captions[12];
    for (int i = 0; i < 12; i++) captions[i] = "a caption that is far too long for its tile";
    anni_tiles tiles = {.x = x,
                        .dtype = ANN_U8,
                        .shape = ANN_SHAPE(2, 2),
                        .count = 12,
                        .group = 3,
                        .captions = captions,
                        .title = "Twelve"};
    check_ok(anni_sheet_write(&tiles, fixture_path("long.png")));
    picture p = picture_read("long.png");
    assert_true(p.width < 12 * 200);
    free(p.pixels);
    tiles.count = 1;
    captions[0] = "\xC3\xA4\xE2\x82\xAC \x01 ok"; /* not ASCII: boxes, and nothing outside the picture */
    check_ok(anni_sheet_write(&tiles, fixture_path("utf8.png")));
    p = picture_read("utf8.png");
    free(p.pixels);
    assert_int_equal(anni_canvas_letters("\xC3\xA4\xE2\x82\xAC"), 2);
}

static void test_columns(void **state) {
    (void)state;
    const uint8_t x[10 * 4] = {0};
    for (int columns = 1; columns <= 10; columns += 3) {
        const anni_tiles tiles = {
            .x = x, .dtype = ANN_U8, .shape = ANN_SHAPE(2, 2), .count = 10, .group = 1, .columns = columns};
        char name[32];
        snprintf(name, sizeof name, "columns-%d.png", columns);
        check_ok(anni_sheet_write(&tiles, fixture_path(name)));
        const picture p = picture_read(name);
        assert_int_equal(p.width, 2 * MARGIN + columns * (TILE + 2 + GAP) - GAP);
        assert_int_equal(p.height, 2 * MARGIN + (10 + columns - 1) / columns * (TILE + 2 + GAP) - GAP);
        free(p.pixels);
    }
}

static void test_refusals(void **state) {
    (void)state;
    const uint8_t x[16] = {0};
    anni_tiles tiles = {.x = x, .dtype = ANN_U8, .shape = ANN_SHAPE(16), .count = 1, .group = 1};
    check_fails(anni_sheet_write(&tiles, fixture_path("no.png")), ANN_ERR_SHAPE,
                "samples of shape [16] are no images");
    tiles.shape = ANN_SHAPE(4, 2, 2);
    check_fails(anni_sheet_write(&tiles, fixture_path("no.png")), ANN_ERR_SHAPE, "[4,2,2] are no images");
    tiles.shape = ANN_SHAPE(4, 4);
    check_fails(anni_sheet_write(&tiles, fixture_path("none/no.png")), ANN_ERR_IO, "no.png: No such file");
    check_fails(anni_sheet_write(&tiles, "/dev/full"), ANN_ERR_NOSPACE, "/dev/full: No space left on device");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gray),    cmocka_unit_test(test_colour_and_ranges),
        cmocka_unit_test(test_large),   cmocka_unit_test(test_title_and_long_captions),
        cmocka_unit_test(test_columns), cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
