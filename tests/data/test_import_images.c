/* Import of folders of images: every kind of PNG and JPEG, resizing, and files that are damaged. */
#include "data/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* libjpeg's header needs stdio.h */
#include <jpeglib.h>
#include <png.h>
#include <zlib.h>
#include "data/import_check.h"
#include "datasets/image.h"
#include "datasets/import.h"

enum { H = 6, W = 9 };

/* ---- making files ---- */

static uint8_t shade(int y, int x, int c) { return (uint8_t)(40 * y + 25 * x + 60 * c); }

typedef struct png_kind {
    int type, depth;
    bool interlaced;
} png_kind;

static int bytes_per_pixel(png_kind k) {
    const int channels = k.type == PNG_COLOR_TYPE_GRAY || k.type == PNG_COLOR_TYPE_PALETTE ? 1
                         : k.type == PNG_COLOR_TYPE_GRAY_ALPHA                             ? 2
                         : k.type == PNG_COLOR_TYPE_RGB                                    ? 3
                                                                                           : 4;
    return channels * k.depth / 8;
}

static void put_pixel(uint8_t *to, png_kind k, int y, int x) {
    const int channels = bytes_per_pixel(k) * 8 / k.depth;
    const bool has_alpha = (k.type & PNG_COLOR_MASK_ALPHA) != 0;
    for (int c = 0; c < channels; c++) {
        uint8_t value = shade(y, x, c);
        if (k.type == PNG_COLOR_TYPE_PALETTE) value = (uint8_t)((y * W + x) % 200);
        if (has_alpha && c == channels - 1) value = x == 0 ? 0 : 255;
        for (int b = 0; b < k.depth / 8; b++) to[c * k.depth / 8 + b] = value; /* v * 257 in 16 bits */
    }
}

static void write_png(const char *path, png_kind k) {
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    uint8_t pixels[H][8 * W], *rows[H];
    png_color palette[200];
    assert_true(file != NULL && png != NULL && info != NULL);
    for (int i = 0; i < 200; i++)
        palette[i] = (png_color){shade(i / W, i % W, 0), shade(i / W, i % W, 1), shade(i / W, i % W, 2)};
    for (int y = 0; y < H; y++) {
        rows[y] = pixels[y];
        for (int x = 0; x < W; x++) put_pixel(pixels[y] + x * bytes_per_pixel(k), k, y, x);
    }
    png_init_io(png, file);
    png_set_IHDR(png, info, W, H, k.depth, k.type, k.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (k.type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 200);
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    assert_int_equal(fclose(file), 0);
}

static void write_jpeg(const char *path, J_COLOR_SPACE space, int channels, bool progressive, int side) {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    uint8_t row[4 * 64];
    JSAMPROW rows[] = {row};
    assert_non_null(file);
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_stdio_dest(&info, file);
    info.image_width = info.image_height = (JDIMENSION)side;
    info.input_components = channels;
    info.in_color_space = space;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, 100, TRUE);
    if (progressive) jpeg_simple_progression(&info);
    jpeg_start_compress(&info, TRUE);
    for (int i = 0; i < 4 * side; i++)
        row[i] = (uint8_t)(channels == 4 && i % 4 == 3 ? 200 : 100 + 50 * (i % channels));
    while (info.next_scanline < info.image_height) (void)jpeg_write_scanlines(&info, rows, 1);
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    assert_int_equal(fclose(file), 0);
}

/* A folder below the fixture's, and those on the way to it. */
static void make_folder(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path(name));
    for (char *p = path + 1; *p != '\0'; p++) {
        if (*p != '/') continue;
        *p = '\0';
        (void)mkdir(path, 0777);
        *p = '/';
    }
    assert_int_equal(mkdir(path, 0777), 0);
}

static ann_status import(const char *out, const char *folder, int height, int width, bool gray, bool skip_bad,
                         import_notes *notes) {
    const ann_import_options options = {.out = fixture_path(out),
                                        .skip_bad = skip_bad,
                                        .note = notes == NULL ? NULL : import_note,
                                        .to = notes};
    const ann_import_images_options images = {fixture_path(folder), height, width, gray};
    return ann_import_images(&options, &images);
}

/* ---- PNG ---- */

static const png_kind kinds[] = {{PNG_COLOR_TYPE_RGB, 8, false},        {PNG_COLOR_TYPE_RGB, 8, true},
                                 {PNG_COLOR_TYPE_RGB, 16, false},       {PNG_COLOR_TYPE_PALETTE, 8, false},
                                 {PNG_COLOR_TYPE_PALETTE, 8, true},     {PNG_COLOR_TYPE_RGB_ALPHA, 8, false},
                                 {PNG_COLOR_TYPE_RGB_ALPHA, 16, true},  {PNG_COLOR_TYPE_GRAY, 8, false},
                                 {PNG_COLOR_TYPE_GRAY, 16, false},      {PNG_COLOR_TYPE_GRAY_ALPHA, 8, true},
                                 {PNG_COLOR_TYPE_GRAY_ALPHA, 16, false}};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void check_png(const uint8_t *got, png_kind k) {
    const bool is_gray = k.type == PNG_COLOR_TYPE_GRAY || k.type == PNG_COLOR_TYPE_GRAY_ALPHA;
    for (int i = 0; i < H * W * 3; i++) {
        const int x = i / 3 % W;
        const bool transparent = (k.type & PNG_COLOR_MASK_ALPHA) != 0 && x == 0;
        const int want = transparent ? 0 : shade(i / 3 / W, x, is_gray ? 0 : i % 3);
        if (got[i] != want)
            fail_msg("type %d, %d bits: byte %d is %d, wanted %d", k.type, k.depth, i, got[i], want);
    }
}

static void test_png(void **state) {
    (void)state;
    make_folder("png/all");
    for (int i = 0; i < KINDS; i++) {
        char name[64];
        snprintf(name, sizeof name, "png/all/%02d.png", i);
        write_png(fixture_path(name), kinds[i]);
    }
    check_ok(import("png.h5", "png", 0, 0, false, false, NULL));
    ann_dataset *dataset = import_open("png.h5", "train");
    assert_int_equal(ann_dataset_samples(dataset), KINDS);
    assert_true(ann_shape_equal(&ann_dataset_field(dataset, 0)->shape, &ANN_SHAPE(H, W, 3)));
    for (int i = 0; i < KINDS; i++) {
        uint8_t row[H * W * 3];
        import_row(row, dataset, "x", i);
        check_png(row, kinds[i]);
    }
    ann_dataset_close(dataset);
}

/* ITU-R BT.601, rounded; what is gray already stays. */
static void test_gray(void **state) {
    (void)state;
    check_ok(import("gray.h5", "png", 0, 0, true, false, NULL));
    ann_dataset *dataset = import_open("gray.h5", "train");
    uint8_t colour[H * W], gray[H * W];
    import_row(colour, dataset, "x", 0);
    import_row(gray, dataset, "x", 7);
    for (int i = 0; i < H * W; i++) {
        const int y = i / W, x = i % W;
        const double bright = 0.299 * shade(y, x, 0) + 0.587 * shade(y, x, 1) + 0.114 * shade(y, x, 2);
        assert_true(colour[i] >= bright - 0.51 &&
                    colour[i] <= bright + 0.51); /* weights are rounded to 2^-16 */
        assert_int_equal(gray[i], shade(y, x, 0));
    }
    ann_dataset_close(dataset);
}

/* ---- JPEG ---- */

/* Flat images at quality 100: within the rounding of the colour transformation there and back. */
static void test_jpeg(void **state) {
    (void)state;
    static const struct {
        J_COLOR_SPACE space;
        int channels;
        bool progressive;
        int want[3];
    } cases[] = {{JCS_RGB, 3, false, {100, 150, 200}},
                 {JCS_RGB, 3, true, {100, 150, 200}},
                 {JCS_GRAYSCALE, 1, false, {100, 100, 100}},
                 {JCS_GRAYSCALE, 1, true, {100, 100, 100}},
                 {JCS_CMYK, 4, false, {100 * 200 / 255, 150 * 200 / 255, 200 * 200 / 255}}};
    enum { SIDE = 20, CASES = sizeof cases / sizeof cases[0] };
    make_folder("jpeg/all");
    for (int i = 0; i < CASES; i++) {
        char name[64];
        snprintf(name, sizeof name, "jpeg/all/%d.%s", i, i % 2 == 0 ? "JPG" : "jpeg");
        write_jpeg(fixture_path(name), cases[i].space, cases[i].channels, cases[i].progressive, SIDE);
    }
    check_ok(import("jpeg.h5", "jpeg", 0, 0, false, false, NULL));
    ann_dataset *dataset = import_open("jpeg.h5", "train");
    for (int i = 0; i < CASES; i++) {
        uint8_t row[SIDE * SIDE * 3];
        import_row(row, dataset, "x", i);
        for (int p = 0; p < SIDE * SIDE * 3; p++) {
            const int difference = row[p] - cases[i].want[p % 3];
            if (difference < -3 || difference > 3) fail_msg("case %d: byte %d is %d", i, p, row[p]);
        }
    }
    ann_dataset_close(dataset);
}

/* ---- resizing ---- */

/* The mean over the area that a pixel covers, directly. */
static double area_mean(int y, int x, int c, int height, int width) {
    double sum = 0;
    for (int j = 0; j < H; j++) {
        const double top = (double)y * H / height, bottom = (double)(y + 1) * H / height;
        const double rows = (bottom < j + 1 ? bottom : j + 1) - (top > j ? top : j);
        for (int i = 0; i < W && rows > 0; i++) {
            const double left = (double)x * W / width, right = (double)(x + 1) * W / width;
            const double columns = (right < i + 1 ? right : i + 1) - (left > i ? left : i);
            if (columns > 0) sum += rows * columns * shade(j, i, c);
        }
    }
    return sum * height * width / (H * W);
}

static void test_shrinking(void **state) {
    (void)state;
    enum { SMALL_H = 4, SMALL_W = 5 };
    check_ok(import("small.h5", "png", SMALL_H, SMALL_W, false, false, NULL));
    ann_dataset *dataset = import_open("small.h5", "train");
    uint8_t row[SMALL_H * SMALL_W * 3];
    import_row(row, dataset, "x", 0);
    for (int i = 0; i < SMALL_H * SMALL_W * 3; i++) {
        const double want = area_mean(i / 3 / SMALL_W, i / 3 % SMALL_W, i % 3, SMALL_H, SMALL_W);
        /* Rounding to a byte, and weights rounded to 2^-16, at most 4 a direction, of values up to 255. */
        assert_true(row[i] >= want - 0.52 && row[i] <= want + 0.52);
    }
    ann_dataset_close(dataset);
}

/* Twice as large: the middle between neighbours, quarters of the way. */
static void test_growing(void **state) {
    (void)state;
    check_ok(import("large.h5", "png", H, 2 * W, false, false, NULL));
    ann_dataset *dataset = import_open("large.h5", "train");
    uint8_t row[H * 2 * W * 3];
    import_row(row, dataset, "x", 0);
    for (int i = 0; i < H * 2 * W * 3; i++) {
        const int y = i / 3 / (2 * W), x = i / 3 % (2 * W), c = i % 3,
                  other = x % 2 == 0 ? x / 2 - 1 : x / 2 + 1;
        const int near = shade(y, x / 2, c), far = shade(y, other < 0 ? 0 : other >= W ? W - 1 : other, c);
        const double want = 0.75 * near + 0.25 * far;
        assert_true(row[i] >= want - 0.5 && row[i] <= want + 0.5);
    }
    ann_dataset_close(dataset);
}

/* ---- folders ---- */

static void test_folders(void **state) {
    (void)state;
    static const char *const files[] = {"tree/train/dog/b.png", "tree/train/dog/a.png",
                                        "tree/train/cat/z.png", "tree/test/dog/q.png", "tree/test/cat/r.png"};
    make_folder("tree/train/dog");
    make_folder("tree/train/cat");
    make_folder("tree/test/dog");
    make_folder("tree/test/cat");
    for (int i = 0; i < 5; i++) write_png(fixture_path(files[i]), kinds[0]);
    fixture_write(fixture_path("tree/train/dog/notes.txt"), "x", 1);
    import_notes notes = {.used = 0};
    check_ok(import("tree.h5", "tree", 0, 0, false, false, &notes));
    assert_non_null(strstr(notes.text, "left out: 1 files"));
    ann_dataset *train = import_open("tree.h5", "train"), *test = import_open("tree.h5", "test");
    assert_int_equal(ann_dataset_samples(train), 3);
    assert_int_equal(ann_dataset_label(train, 0), 0);
    assert_int_equal(ann_dataset_label(train, 2), 1);
    assert_string_equal(ann_dataset_class_name(train, 0), "cat");
    assert_string_equal(ann_dataset_class_name(train, 1), "dog");
    assert_int_equal(ann_dataset_samples(test), 2);
    assert_int_equal(ann_dataset_label(test, 1), 1);
    ann_dataset_close(train);
    ann_dataset_close(test);
    make_folder("tree/test/bird");
    check_fails(import("no.h5", "tree", 0, 0, false, false, NULL), ANN_ERR_FORMAT,
                "tree/test/bird: a class that the training split has not");
    make_folder("empty/nothing");
    check_fails(import("no.h5", "empty", 0, 0, false, false, NULL), ANN_ERR_FORMAT,
                "empty/nothing: has no .png");
    check_fails(import("no.h5", "tree/train/dog", 0, 0, false, false, NULL), ANN_ERR_FORMAT,
                "has no folder of a class");
    check_fails(import("no.h5", "nowhere", 0, 0, false, false, NULL), ANN_ERR_NOT_FOUND,
                "nowhere: No such file");
    assert_int_equal(fixture_count("no.h5"), 0);
}

/* ---- damage ---- */

static void test_bad_files(void **state) {
    (void)state;
    make_folder("bad/all");
    write_png(fixture_path("bad/all/0.png"), kinds[0]);
    check_ok(import("bad.h5", "bad", 0, 0, false, false, NULL));
    fixture_write(fixture_path("bad/all/1.png"), "GIF89a", 6);
    check_fails(import("bad.h5", "bad", 0, 0, false, false, NULL), ANN_ERR_CORRUPT,
                "bad/all/1.png: record 1: is neither PNG nor JPEG");
    fixture_write(fixture_path("bad/all/1.png"), "", 0);
    check_fails(import("bad.h5", "bad", 0, 0, false, false, NULL), ANN_ERR_CORRUPT,
                "1.png: record 1: is empty");
    write_jpeg(fixture_path("bad/all/1.png"), JCS_RGB, 3, false, 20); /* the ending does not matter */
    check_fails(import("bad.h5", "bad", 0, 0, false, false, NULL), ANN_ERR_CORRUPT,
                "1.png: record 1: 20 x 20 pixels, those before it have 6 x 9");
    import_notes notes = {.used = 0};
    check_ok(import("bad.h5", "bad", 0, 0, false, true, &notes));
    assert_non_null(strstr(notes.text, "skipped: "));
    assert_non_null(strstr(notes.text, "bad records left out: 1"));
    ann_dataset *dataset = import_open("bad.h5", "train");
    assert_int_equal(ann_dataset_samples(dataset), 1);
    ann_dataset_close(dataset);
    check_ok(import("bad.h5", "bad", 5, 5, false, false, NULL));
}

/* 2^31 pixels a side in a file of some bytes: refused before anything is allocated. */
static void test_absurd_size(void **state) {
    (void)state;
    size_t size;
    make_folder("absurd/all");
    uint8_t *bytes = fixture_bytes(fixture_path("png/all/00.png"), &size);
    bytes[16] = bytes[20] = 0;
    bytes[17] = bytes[21] = 0;
    bytes[18] = bytes[22] = 0x7F;
    const uint32_t crc = (uint32_t)crc32(0, bytes + 12, 17);
    for (int i = 0; i < 4; i++) bytes[29 + i] = (uint8_t)(crc >> (24 - 8 * i));
    fixture_write(fixture_path("absurd/all/a.png"), bytes, size);
    check_fails(import("bad.h5", "absurd", 4, 4, false, false, NULL), ANN_ERR_CORRUPT,
                "PNG: 32518 x 32521 pixels in");
    free(bytes);
}

/* Cut anywhere: an error. With any bit wrong: an error or an image. Never a crash, never a word on stderr. */
static void damage(const char *source) {
    size_t size;
    uint8_t *bytes = fixture_bytes(fixture_path(source), &size);
    anni_image image = {0};
    int refused = 0;
    check_ok(anni_image_decode(&image, bytes, size, 3));
    for (size_t i = 0; i < size; i++) {
        uint8_t *part = malloc(i + 1); /* so that a sanitizer sees reading past the end */
        assert_non_null(part);
        memcpy(part, bytes, i);
        fixture_capture_begin();
        const ann_status status = anni_image_decode(&image, part, i, 3);
        assert_int_equal(fixture_capture_end(), 0);
        assert_int_equal(status, ANN_ERR_CORRUPT);
        free(part);
    }
    for (size_t i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        fixture_capture_begin();
        const ann_status status = anni_image_decode(&image, bytes, size, i % 2 == 0 ? 1 : 3);
        assert_int_equal(fixture_capture_end(), 0);
        assert_true(status == ANN_OK || status == ANN_ERR_CORRUPT);
        refused += status != ANN_OK;
        bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
    assert_true(refused > 100);
    free(bytes);
    free(image.pixels);
}

static void test_damage(void **state) {
    (void)state;
    damage("png/all/01.png");
    damage("png/all/04.png");
    damage("png/all/06.png");
    damage("jpeg/all/1.jpeg");
    damage("jpeg/all/4.JPG");
    make_folder("cut/all");
    size_t size;
    uint8_t *bytes = fixture_bytes(fixture_path("jpeg/all/1.jpeg"), &size);
    fixture_write(fixture_path("cut/all/0.jpeg"), bytes, size - 20);
    check_fails(import("cut.h5", "cut", 4, 4, false, false, NULL), ANN_ERR_CORRUPT,
                "cut/all/0.jpeg: record 0: JPEG: ");
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),       cmocka_unit_test(test_gray),        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_shrinking), cmocka_unit_test(test_growing),     cmocka_unit_test(test_folders),
        cmocka_unit_test(test_bad_files), cmocka_unit_test(test_absurd_size), cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
