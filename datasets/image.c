#include "datasets/image.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* libjpeg's header needs stdio.h */
#include <jerror.h>
#include <jpeglib.h>
#include <png.h>

enum { MAX_SCANS = 100 };

/* ---- pixels ---- */

static ann_status check_size(int64_t height, int64_t width) {
    if (height >= 1 && width >= 1 && height <= ANNI_IMAGE_MAX_SIDE && width <= ANNI_IMAGE_MAX_SIDE &&
        height * width <= ANNI_IMAGE_MAX_PIXELS)
        return ANN_OK;
    return ann_error(ANN_ERR_CORRUPT, "%lld x %lld pixels, accepted: up to %d a side and %d in all",
                     (long long)height, (long long)width, ANNI_IMAGE_MAX_SIDE, ANNI_IMAGE_MAX_PIXELS);
}

/* Room for `channels` bytes a pixel. */
static ann_status make_room(anni_image *image, int64_t height, int64_t width, int channels) {
    ANN_TRY(check_size(height, width));
    const size_t bytes = (size_t)(height * width) * (size_t)channels;
    if (bytes > image->room) {
        free(image->pixels);
        image->room = 0;
        image->pixels = malloc(bytes);
        if (image->pixels == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
        image->room = bytes;
    }
    image->height = (int)height;
    image->width = (int)width;
    image->channels = channels;
    return ANN_OK;
}

/* Brightness as in ITU-R BT.601, with weights of sum 65536; gray stays what it is. */
static void make_gray(anni_image *image) {
    const size_t n = (size_t)image->height * (size_t)image->width;
    uint8_t *p = image->pixels;
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)((19595U * p[3 * i] + 38470U * p[3 * i + 1] + 7471U * p[3 * i + 2] + 32768U) >> 16);
    image->channels = 1;
}

/* ---- PNG ---- */

typedef struct png_reader {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t size, at;
    char text[128]; /* what is wrong */
} png_reader;

static void end_png(png_structp png, png_const_charp text) {
    png_reader *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void give_bytes(png_structp png, png_bytep out, size_t n) {
    png_reader *r = png_get_io_ptr(png);
    if (n > r->size - r->at) png_error(png, "truncated");
    memcpy(out, r->bytes + r->at, n);
    r->at += n;
}

/* Red, green, blue, opacity -> on black. */
static void lay_on_black(anni_image *image) {
    const size_t n = (size_t)image->height * (size_t)image->width;
    uint8_t *p = image->pixels;
    for (size_t i = 0; i < n; i++) {
        const int opacity = p[4 * i + 3];
        for (size_t c = 0; c < 3; c++) p[3 * i + c] = (uint8_t)((p[4 * i + c] * opacity + 127) / 255);
    }
    image->channels = 3;
}

/* Asks for 8 bits of red, green and blue, and of opacity where there is any. Returns the channels. */
static int set_format(const png_reader *r) {
    png_set_expand(r->png);
    png_set_scale_16(r->png);
    png_set_gray_to_rgb(r->png);
    const bool has_alpha = (png_get_color_type(r->png, r->info) & PNG_COLOR_MASK_ALPHA) != 0 ||
                           png_get_valid(r->png, r->info, PNG_INFO_tRNS) != 0;
    return has_alpha ? 4 : 3;
}

/* As run_jpeg. */
static ann_status run_png(png_reader *r, anni_image *image) {
    if (setjmp(png_jmpbuf(r->png)) != 0) return ann_error(ANN_ERR_CORRUPT, "PNG: %s", r->text);
    png_set_user_limits(r->png, ANNI_IMAGE_MAX_SIDE, ANNI_IMAGE_MAX_SIDE);
    png_set_read_fn(r->png, r, give_bytes);
    png_read_info(r->png, r->info);
    const int64_t height = png_get_image_height(r->png, r->info),
                  width = png_get_image_width(r->png, r->info);
    /* Deflate makes its input at most 1032 times smaller, and a pixel is a bit or more. */
    if (height * width / 8 / 1032 > (int64_t)r->size)
        return ann_error(ANN_ERR_CORRUPT, "PNG: %lld x %lld pixels in %zu bytes", (long long)height,
                         (long long)width, r->size);
    ANN_TRY(make_room(image, height, width, set_format(r)));
    const int passes = png_set_interlace_handling(r->png);
    const size_t row_bytes = (size_t)width * (size_t)image->channels;
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != row_bytes) png_error(r->png, "rows of another length");
    for (int pass = 0; pass < passes; pass++) {
        for (int64_t y = 0; y < height; y++)
            png_read_row(r->png, image->pixels + (size_t)y * row_bytes, NULL);
    }
    png_read_end(r->png, NULL);
    if (image->channels == 4) lay_on_black(image);
    return ANN_OK;
}

static ann_status decode_png(anni_image *image, const uint8_t *bytes, size_t size) {
    png_reader r = {.bytes = bytes, .size = size};
    r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, end_png, ignore_warning);
    r.info = r.png == NULL ? NULL : png_create_info_struct(r.png);
    const ann_status status =
        r.info == NULL ? ann_error(ANN_ERR_MEMORY, "out of memory") : run_png(&r, image);
    png_destroy_read_struct(&r.png, &r.info, NULL);
    return status;
}

/* ---- JPEG ---- */

typedef struct jpeg_reader {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char text[JMSG_LENGTH_MAX]; /* the first thing that is wrong */
} jpeg_reader;

static void end_by_error(j_common_ptr info) {
    jpeg_reader *r = info->client_data;
    if (r->text[0] == '\0') info->err->format_message(info, r->text);
    longjmp(r->failed, 1);
}

/* libjpeg goes on after damaged data with what it makes up; here that is an error. Bytes between segments and
 * odd headers do no harm. */
static void note_message(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level >= 0 || code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR)
        return;
    end_by_error(info);
}

static void no_output(j_common_ptr info) { (void)info; }

/* A small file can ask for any number of passes over the image. */
static void limit_scans(j_common_ptr info) {
    jpeg_reader *r = info->client_data;
    if (r->info.input_scan_number <= MAX_SCANS) return;
    snprintf(r->text, sizeof r->text, "more than %d scans", MAX_SCANS);
    longjmp(r->failed, 1);
}

/* Adobe's CMYK is stored inverted: 255 is no ink. */
static void cmyk_to_rgb(uint8_t *row, int width, bool inverted) {
    for (int i = 0; i < width; i++) {
        const int black = inverted ? row[4 * i + 3] : 255 - row[4 * i + 3];
        for (int c = 0; c < 3; c++) {
            const int ink = inverted ? row[4 * i + c] : 255 - row[4 * i + c];
            row[3 * i + c] = (uint8_t)((ink * black + 127) / 255); /* 3 i + c <= 4 i + c: was read before */
        }
    }
}

static ann_status begin_jpeg(jpeg_reader *r, anni_image *image, int channels) {
    struct jpeg_decompress_struct *info = &r->info;
    const bool is_cmyk = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
    ANN_TRY(make_room(image, info->image_height, info->image_width, is_cmyk ? 4 : 3));
    const bool as_gray =
        channels == 1 && (info->jpeg_color_space == JCS_GRAYSCALE || info->jpeg_color_space == JCS_YCbCr);
    info->out_color_space = is_cmyk ? JCS_CMYK : as_gray ? JCS_GRAYSCALE : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    image->channels = as_gray ? 1 : 3;
    return ANN_OK;
}

static void read_rows(jpeg_reader *r, anni_image *image) {
    struct jpeg_decompress_struct *info = &r->info;
    const size_t row_bytes = (size_t)image->width * (size_t)image->channels;
    /* CMYK rows come through the end of pixels, which has room for four channels. */
    uint8_t *const last = image->pixels + image->room - 4 * (size_t)image->width;
    while (info->output_scanline < info->output_height) {
        uint8_t *row = image->pixels + info->output_scanline * row_bytes;
        JSAMPROW to = info->out_color_space == JCS_CMYK ? last : row;
        if (jpeg_read_scanlines(info, &to, 1) != 1 || to == row) continue;
        cmyk_to_rgb(last, image->width, info->saw_Adobe_marker);
        memmove(row, last, row_bytes);
    }
}

/* Not to be left but by its end: what was set up before setjmp stays as it is after longjmp. */
static ann_status run_jpeg(jpeg_reader *r, anni_image *image, const uint8_t *bytes, size_t size,
                           int channels) {
    if (setjmp(r->failed) != 0) return ann_error(ANN_ERR_CORRUPT, "JPEG: %s", r->text);
    jpeg_mem_src(&r->info, bytes, size);
    (void)jpeg_read_header(&r->info, TRUE);
    ANN_TRY(begin_jpeg(r, image, channels));
    (void)jpeg_start_decompress(&r->info);
    read_rows(r, image);
    (void)jpeg_finish_decompress(&r->info);
    return ANN_OK;
}

static ann_status decode_jpeg(anni_image *image, const uint8_t *bytes, size_t size, int channels) {
    jpeg_reader *r = calloc(1, sizeof *r);
    if (r == NULL) return ann_error(ANN_ERR_MEMORY, "out of memory");
    r->info.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = end_by_error;
    r->errors.emit_message = note_message;
    r->errors.output_message = no_output;
    r->progress.progress_monitor = limit_scans;
    ann_status status;
    r->info.client_data = r;
    if (setjmp(r->failed) != 0) {
        status = ann_error(ANN_ERR_MEMORY, "JPEG: %s", r->text);
    } else {
        jpeg_create_decompress(&r->info);
        r->info.progress = &r->progress;
        status = run_jpeg(r, image, bytes, size, channels);
    }
    jpeg_destroy_decompress(&r->info);
    free(r);
    return status;
}

ann_status anni_image_decode(anni_image *image, const uint8_t *bytes, size_t size, int channels) {
    static const uint8_t png_start[] = {0x89, 'P', 'N', 'G'}, jpeg_start[] = {0xFF, 0xD8, 0xFF};
    if (size >= sizeof png_start && memcmp(bytes, png_start, sizeof png_start) == 0)
        ANN_TRY(decode_png(image, bytes, size));
    else if (size >= sizeof jpeg_start && memcmp(bytes, jpeg_start, sizeof jpeg_start) == 0)
        ANN_TRY(decode_jpeg(image, bytes, size, channels));
    else return ann_error(ANN_ERR_CORRUPT, size == 0 ? "is empty" : "is neither PNG nor JPEG");
    if (channels == 1 && image->channels == 3) make_gray(image);
    return ANN_OK;
}
