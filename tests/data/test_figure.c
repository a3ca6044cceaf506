/* Figures: the PNG is read back, and what should be drawn is where it should be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "datasets/canvas.h"
#include "datasets/figure.h"
#include "fixture.h"
#include "picture.h"

/* The measures of figure_style.h and of the figures: a margin of 32, plots of 800 x 800 with 20 free around
   the points, a gap of 20 before the legend. Without a title all begins at the margin. */
enum { MARGIN = 32, PLOT = 800, INSET = 20, GAP = 20 };

/* Four points at the corners, with radius 7 and three quarters of their colours on white. */
static void test_scatter(void **state) {
    (void)state;
    const float xy[] = {0, 0, 1, 0, 0, 1, 1, 1};
    const int32_t label[] = {0, 1, 2, -1};
    const uint8_t domain[] = {0, 0, 1, 0};
    const anni_scatter scatter = {
        .xy = xy, .label = label, .domain = domain, .n = 4, .classes = 3, .domain_name = {"here", "there"}};
    check_ok(anni_figure_scatter(&scatter, fixture_path("scatter.png")));
    const picture p = picture_read("scatter.png");
    const int low = MARGIN + INSET, high = MARGIN + PLOT - INSET;
    assert_int_equal(p.height, 2 * MARGIN + PLOT);
    assert_int_equal(p.width, 2 * MARGIN + PLOT + GAP + 24 + 29 * 2);
    picture_check(&p, 2, 2, 250, 250, 248);
    picture_check(&p, MARGIN - 1, MARGIN + 100, 190, 194, 200);
    picture_check(&p, MARGIN + PLOT / 2, MARGIN + PLOT / 2, 255, 255, 255);
    picture_check(&p, low, high, 87, 153, 199);
    picture_check(&p, low + 5, high, 87, 153, 199);
    picture_check(&p, low + 8, high, 255, 255, 255);
    picture_check(&p, high, high, 255, 159, 74);
    picture_check(&p, high, low, 176, 176, 176);
    picture_check(&p, low, low, 97, 184, 97); /* a cross: its diagonals, not what lies beside its middle */
    picture_check(&p, low + 5, low + 5, 97, 184, 97);
    picture_check(&p, low + 6, low, 255, 255, 255);
    const int mark = MARGIN + PLOT + GAP + 7;
    picture_check(&p, mark, MARGIN + 7, 31, 119, 180);
    picture_check(&p, mark, MARGIN + 28 + 7, 255, 127, 14);
    picture_check(&p, mark, MARGIN + 3 * 28 + 14 + 7, 110, 116, 128);
    picture_check(&p, mark + 5, MARGIN + 3 * 28 + 14 + 7, 110, 116, 128);
    picture_check(&p, mark + 5, MARGIN + 4 * 28 + 14 + 7, 250, 250, 248);
    free(p.pixels);
}

/* Points without labels, all at one place: in the middle; the title widens nothing here, and shifts the plot.
 */
static void test_scatter_of_one(void **state) {
    (void)state;
    const anni_scatter scatter = {.xy = (const float[]){3, 4}, .n = 1, .title = "One"};
    check_ok(anni_figure_scatter(&scatter, fixture_path("one.png")));
    const picture p = picture_read("one.png");
    const int top = MARGIN + 3 * ANNI_GLYPH_HEIGHT + GAP;
    assert_int_equal(p.width, 2 * MARGIN + PLOT);
    assert_int_equal(p.height, top + PLOT + MARGIN);
    picture_check(&p, MARGIN + PLOT / 2, top + PLOT / 2, 176, 176, 176);
    picture_check(&p, MARGIN + 6, MARGIN, 40, 44, 52); /* "O" */
    free(p.pixels);
}

/* Cells of 200: 400 for all of few classes. Names are numbers of one letter, 10 wide. */
static void test_confusion(void **state) {
    (void)state;
    const int64_t count[] = {1, 3, 0, 0};
    const anni_confusion confusion = {.count = count, .classes = 2};
    check_ok(anni_figure_confusion(&confusion, fixture_path("confusion.png")));
    const picture p = picture_read("confusion.png");
    const int left = MARGIN + 16 + GAP + 10 + 10, top = MARGIN + 16 + GAP + 16 + 10, cell = 200;
    assert_int_equal(p.width, left + 2 * cell + MARGIN);
    assert_int_equal(p.height, top + 2 * cell + MARGIN);
    picture_check(&p, left + 1, top + 1, 138, 160, 198); /* the root of a quarter */
    picture_check(&p, left + cell + 1, top + 1, 51, 90, 155);
    picture_check(&p, left + cell - 1, top + cell, 255, 255, 255);
    picture_check(&p, left + 2 * cell, top + 1, 190, 194, 200);
    /* The stem of the 1 in the first cell: a number 10 wide and 14 high, in the middle. */
    picture_check(&p, left + 100, top + 100, 40, 44, 52);
    picture_check(&p, left + 112, top + 100, 138, 160, 198);
    free(p.pixels);
}

/* Names that are wider than cells stand upright; many classes have no numbers; an empty row is white. */
static void test_confusion_of_many(void **state) {
    (void)state;
    int64_t *count = calloc(128 * 128, sizeof *count);
    const char *names[128];
    assert_non_null(count);
    for (int i = 0; i < 128; i++) {
        names[i] = "a name that is too long for this";
        count[i * 129] = i % 2;
    }
    const anni_confusion confusion = {.count = count, .classes = 128, .class_name = names, .title = "Many"};
    check_ok(anni_figure_confusion(&confusion, fixture_path("many.png")));
    const picture p = picture_read("many.png");
    const int widest = 24 * 12 - 2, left = MARGIN + 16 + GAP + widest + 10, title = 24 + GAP;
    const int top = MARGIN + title + 16 + GAP + widest + 10;
    assert_int_equal(p.width, left + 128 * 18 + MARGIN);
    assert_int_equal(p.height, top + 128 * 18 + MARGIN);
    picture_check(&p, left + 9, top + 9, 255, 255, 255);
    picture_check(&p, left + 18 + 9, top + 18 + 9, 20, 65, 140);
    free(p.pixels);
    free(count);
}

/* A ROC curve: axes from 0 to 1 over 560 pixels, numbers 34 wide beside them, the names above and below. */
static void test_unit_chart(void **state) {
    (void)state;
    const double x[] = {0, 0.25, 1}, y[] = {0.5, 0.5, 0.75};
    const anni_curve curve = {"level", x, y, 3};
    const anni_chart chart = {.curve = &curve, .curves = 1, .unit = true, .x_name = "x", .y_name = "y"};
    check_ok(anni_figure_chart(&chart, fixture_path("unit.png")));
    const picture p = picture_read("unit.png");
    const int side = 560, left = MARGIN + 34 + 10, top = MARGIN + 16 + 10;
    assert_int_equal(p.height, top + side + 2 * (10 + 16) + MARGIN);
    picture_check(&p, left + 50, top + side / 2, 31, 119, 180);
    picture_check(&p, left + 50, top + side / 2 - 4, 255, 255, 255);
    picture_check(&p, left + side * 5 / 8, top + side * 3 / 8, 31, 119, 180);
    picture_check(&p, left + 112, top + 10, 224, 226, 230);  /* the line of 0.2 */
    picture_check(&p, left + 280, top + 279, 190, 194, 200); /* the diagonal */
    picture_check(&p, left + side + GAP + 10, top + 7, 31, 119, 180);
    free(p.pixels);
}

/* Axes that their curves make: y from 0 to 40 by steps of 10, x from -5 to 5 as it is; a curve of one point
 * is a dot. */
static void test_chart(void **state) {
    (void)state;
    const double x[] = {-5, 5}, y[] = {2, 38}, dot_y = 20;
    const anni_curve curves[] = {{NULL, x, y, 2}, {NULL, &x[1], &dot_y, 1}};
    const anni_chart chart = {.curve = curves, .curves = 2, .x_name = "x", .y_name = "y", .title = "Chart"};
    check_ok(anni_figure_chart(&chart, fixture_path("chart.png")));
    const picture p = picture_read("chart.png");
    const int left = MARGIN + 22 + 10, top = MARGIN + 24 + GAP + 16 + 10;
    assert_int_equal(p.width, left + 900 + MARGIN);
    picture_check(&p, left + 450, top + 280, 31, 119, 180);
    picture_check(&p, left + 1, top + 531, 31, 119, 180); /* 2 of 40, of 560 */
    picture_check(&p, left + 898, top + 280, 255, 127, 14);
    picture_check(&p, left + 700, top + 420, 224, 226, 230); /* the line of 10 */
    free(p.pixels);
}

/* Axes of one value, or of values that differ in the last digits, or are tiny or huge. */
static void test_axes(void **state) {
    (void)state;
    const double pairs[][2] = {{7, 7}, {0, 0}, {1e15, 1e15 + 1}, {0, 5e-324}, {-1e300, 1e300}, {1e-7, 3e-7}};
    const double x[] = {0, 1};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const anni_curve curves[] = {{NULL, x, pairs[i], 2}, {NULL, pairs[i], x, 2}};
        const anni_chart chart = {.curve = curves, .curves = 2, .x_name = "", .y_name = ""};
        check_ok(anni_figure_chart(&chart, fixture_path("axes.png")));
    }
}

static void test_canvas(void **state) {
    (void)state;
    const anni_colour white = {255, 255, 255}, black = {0, 0, 0};
    char text[16];
    anni_canvas c;
    check_ok(anni_canvas_new(&c, 40, 30, white));
    anni_canvas_text_up(&c, 10, 28, 1, black,
                        "L"); /* its stem, 7 long, is at the left: turned, at the bottom */
    for (int x = 0; x < 7; x++) assert_int_equal(c.pixels[(27 * 40 + 10 + x) * 3], 0);
    assert_int_equal(c.pixels[(26 * 40 + 10) * 3], 255);
    assert_int_equal(c.pixels[(25 * 40 + 16) * 3], 0); /* its foot goes up from the right */
    anni_canvas_disc(&c, -3, 500, 8, black, 1);        /* outside: nothing */
    anni_canvas_line(&c, -100, 10.5, 100, 10.5, 1, black);
    assert_int_equal(c.pixels[(10 * 40 + 39) * 3], 0);
    assert_int_equal(c.pixels[(12 * 40 + 39) * 3], 255);
    anni_canvas_free(&c);
    anni_canvas_shorten(text, sizeof text, "abcdef", 6);
    assert_string_equal(text, "abcdef");
    anni_canvas_shorten(text, sizeof text,
                        "a\xC3\xA4"
                        "cdef",
                        5);
    assert_string_equal(text, "a\xC3\xA4"
                              "c..");
    assert_int_equal(anni_canvas_text_width("", 2), 0);
    assert_int_equal(anni_canvas_text_width("ab", 2), 22);
}

static void test_refused_scatter(void **state) {
    (void)state;
    float xy[4] = {0, 0, 1, 1};
    const int32_t label[2] = {0, 20};
    anni_scatter s = {.xy = xy};
    check_fails(anni_figure_scatter(&s, fixture_path("no.png")), ANN_ERR_ARG, "no samples");
    s.n = 2;
    check_fails(anni_figure_scatter(&s, fixture_path("none/no.png")), ANN_ERR_IO, "no.png: No such file");
    check_fails(anni_figure_scatter(&s, "/dev/full"), ANN_ERR_NOSPACE, "/dev/full: No space left on device");
    s.label = label;
    s.classes = 20;
    check_fails(anni_figure_scatter(&s, fixture_path("no.png")), ANN_ERR_ARG,
                "sample 1 of a scatter plot is of class 20");
    s.classes = 21;
    check_fails(anni_figure_scatter(&s, fixture_path("no.png")), ANN_ERR_ARG,
                "21 classes: there are 20 colours");
    xy[3] = NAN;
    s.classes = 20;
    check_fails(anni_figure_scatter(&s, fixture_path("no.png")), ANN_ERR_NUMERIC,
                "sample 1 of a scatter plot is at 1, nan");
    assert_int_equal(fixture_count("no.png"), 0);
}

static void test_refused_others(void **state) {
    (void)state;
    const int64_t count[1] = {0};
    anni_confusion confusion = {.count = count};
    check_fails(anni_figure_confusion(&confusion, fixture_path("no.png")), ANN_ERR_ARG, "of 0 classes");
    confusion.classes = 129;
    check_fails(anni_figure_confusion(&confusion, fixture_path("no.png")), ANN_ERR_ARG, "of 129 classes");
    confusion.classes = 1;
    check_fails(anni_figure_confusion(&confusion, "/dev/full"), ANN_ERR_NOSPACE, "No space left");
    const double x = INFINITY, y = 0;
    anni_curve curve = {NULL, &x, &y, 0};
    anni_chart chart = {.curve = &curve, .x_name = "", .y_name = ""};
    check_fails(anni_figure_chart(&chart, fixture_path("no.png")), ANN_ERR_ARG, "a chart of 0 curves");
    chart.curves = 21;
    check_fails(anni_figure_chart(&chart, fixture_path("no.png")), ANN_ERR_ARG, "a chart of 21 curves");
    chart.curves = 1;
    check_fails(anni_figure_chart(&chart, fixture_path("no.png")), ANN_ERR_ARG,
                "curve 0 of a chart has no points");
    curve.points = 1;
    check_fails(anni_figure_chart(&chart, fixture_path("no.png")), ANN_ERR_NUMERIC,
                "point 0 of curve 0 is at inf, 0");
    curve.x = &y;
    check_fails(anni_figure_chart(&chart, "/dev/full"), ANN_ERR_NOSPACE, "No space left");
    assert_int_equal(fixture_count("no.png"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scatter),
        cmocka_unit_test(test_scatter_of_one),
        cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_confusion_of_many),
        cmocka_unit_test(test_unit_chart),
        cmocka_unit_test(test_chart),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_canvas),
        cmocka_unit_test(test_refused_scatter),
        cmocka_unit_test(test_refused_others),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
