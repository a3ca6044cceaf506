/* Import of CIFAR, CSV and NPY: what is written, and every fault of the input. */
#include "data/fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "data/import_check.h"
#include "datasets/import.h"

static ann_import_options options_for(const char *out) {
    return (ann_import_options){.out = fixture_path(out)};
}

static void put_text(const char *name, const char *text) {
    fixture_write(fixture_path(name), text, strlen(text));
}

/* ---- CIFAR ---- */

enum { PLANE = 32 * 32, CIFAR10 = 1 + 3 * PLANE, CIFAR100 = 2 + 3 * PLANE };

static uint8_t cifar_byte(int record, int i) { return (uint8_t)(record * 11 + i * 3 + i / 97); }

static void put_cifar(const char *name, int labels, int first, int count, int extra_bytes) {
    const int record_bytes = labels + 3 * PLANE;
    uint8_t *bytes = calloc((size_t)(count * record_bytes + record_bytes), 1);
    assert_non_null(bytes);
    for (int r = 0; r < count; r++) {
        uint8_t *to = bytes + r * record_bytes;
        to[0] = (uint8_t)((first + r) % (labels == 1 ? 10 : 20));
        if (labels == 2) to[1] = (uint8_t)((first + r) * 7 % 100);
        for (int i = 0; i < 3 * PLANE; i++) to[labels + i] = cifar_byte(first + r, i);
    }
    fixture_write(fixture_path(name), bytes, (size_t)(count * record_bytes + extra_bytes));
    free(bytes);
}

static ann_status import_cifar(const char *out, const char *first, const char *second, const char *test,
                               int classes) {
    const ann_import_options options = options_for(out);
    const char *train[2] = {fixture_path(first), second == NULL ? NULL : fixture_path(second)};
    const char *tests[1] = {test == NULL ? NULL : fixture_path(test)};
    const ann_import_cifar_options cifar = {train, tests, second == NULL ? 1 : 2, test != NULL, classes};
    return ann_import_cifar(&options, &cifar);
}

static void check_cifar(const ann_dataset *dataset, int samples) {
    assert_int_equal(ann_dataset_samples(dataset), samples);
    for (int s = 0; s < samples; s++) {
        uint8_t row[3 * PLANE];
        import_row(row, dataset, "x", s);
        for (int i = 0; i < 3 * PLANE; i++) assert_int_equal(row[i], cifar_byte(s, i % 3 * PLANE + i / 3));
    }
}

static void test_cifar10(void **state) {
    (void)state;
    put_text("batches.meta.txt", "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
    put_cifar("batch_1", 1, 0, 12, 0);
    put_cifar("batch_2", 1, 12, 5, 0);
    put_cifar("batch_test", 1, 0, 3, 0);
    check_ok(import_cifar("cifar.h5", "batch_1", "batch_2", "batch_test", 0));
    ann_dataset *train = import_open("cifar.h5", "train"), *test = import_open("cifar.h5", "test");
    check_cifar(train, 17);
    check_cifar(test, 3);
    assert_int_equal(ann_dataset_label(train, 13), 3);
    assert_string_equal(ann_dataset_class_name(train, 9), "truck");
    ann_dataset_close(train);
    ann_dataset_close(test);
    put_text("batches.meta.txt", "airplane\n");
    check_fails(import_cifar("bad.h5", "batch_1", NULL, NULL, 10), ANN_ERR_FORMAT,
                "batches.meta.txt: 1 names, expected 10");
    assert_int_equal(unlink(fixture_path("batches.meta.txt")), 0);
}

static void test_cifar100(void **state) {
    (void)state;
    put_cifar("fine", 2, 0, 30, 0);
    check_ok(import_cifar("cifar100.h5", "fine", NULL, NULL, 0));
    ann_dataset *dataset = import_open("cifar100.h5", "train");
    check_cifar(dataset, 30);
    for (int s = 0; s < 30; s++) {
        uint8_t coarse[4] = {0};
        import_row(coarse, dataset, "coarse", s);
        assert_int_equal(ann_dataset_label(dataset, s), s * 7 % 100);
        assert_int_equal(coarse[0], s % 20);
    }
    ann_dataset_close(dataset);
}

static void test_bad_cifar(void **state) {
    (void)state;
    put_cifar("cut", 1, 0, 2, 100);
    check_fails(import_cifar("bad.h5", "cut", NULL, NULL, 10), ANN_ERR_FORMAT,
                "cut: truncated in record 2: CIFAR-10");
    check_fails(import_cifar("bad.h5", "cut", NULL, NULL, 0), ANN_ERR_FORMAT,
                "cut: 6246 bytes are not records");
    put_cifar("nothing", 1, 0, 0, 0);
    check_fails(import_cifar("bad.h5", "nothing", NULL, NULL, 0), ANN_ERR_FORMAT, "nothing: is empty");
    check_fails(import_cifar("bad.h5", "nowhere", NULL, NULL, 0), ANN_ERR_NOT_FOUND, "nowhere: No such file");
    check_fails(import_cifar("bad.h5", "cut", NULL, NULL, 20), ANN_ERR_ARG, "CIFAR-20, accepted: 10 and 100");
    size_t size;
    uint8_t *bytes = fixture_bytes(fixture_path("batch_1"), &size);
    bytes[5 * CIFAR10] = 10;
    fixture_write(fixture_path("label"), bytes, size);
    free(bytes);
    check_fails(import_cifar("bad.h5", "batch_2", "label", NULL, 0), ANN_ERR_CORRUPT,
                "label: record 5: label 10, but there are 10 classes");
    assert_int_equal(fixture_count("bad.h5"), 0);
}

/* ---- CSV ---- */

static ann_status import_csv(const char *out, const char *text, ann_import_csv_options csv, bool skip_bad,
                             import_notes *notes) {
    ann_import_options options = options_for(out);
    options.skip_bad = skip_bad;
    options.note = notes == NULL ? NULL : import_note;
    options.to = notes;
    put_text("table.csv", text);
    const char *const path = fixture_path("table.csv");
    csv.train = &path;
    csv.train_count = 1;
    return ann_import_csv(&options, &csv);
}

static const char *const colour[] = {"colour"}, *const id[] = {"id"}, *const a_and_b[] = {"a", "b"};

#define TABLE                                                                                                \
    "\xEF\xBB\xBF\"the length\",colour,id,kind\r\n"                                                          \
    "1.5,red,\"a, \"\"b\"\"\r\nc\",tall\r\n"                                                                 \
    "\r\n"                                                                                                   \
    " -2e1 ,blue,x,\"very, very small\"\r\n"                                                                 \
    "+.25,red,,tall"

static void test_csv(void **state) {
    (void)state;
    const ann_import_csv_options csv = {
        .target = "kind", .one_hot = colour, .one_hot_count = 1, .ignore = id, .ignore_count = 1};
    import_notes notes = {.used = 0};
    check_ok(import_csv("table.h5", TABLE, csv, false, &notes));
    ann_dataset *dataset = import_open("table.h5", "train");
    static const float want[3][3] = {{1.5F, 0, 1}, {-20, 1, 0}, {0.25F, 0, 1}};
    static const int labels[3] = {0, 1, 0};
    assert_int_equal(ann_dataset_samples(dataset), 3);
    for (int s = 0; s < 3; s++) {
        float row[3];
        import_row(row, dataset, "x", s);
        assert_memory_equal(row, want[s], sizeof row);
        assert_int_equal(ann_dataset_label(dataset, s), labels[s]);
    }
    assert_string_equal(ann_dataset_class_name(dataset, 1), "very, very small");
    ann_dataset_close(dataset);
    const char *const shown[] = {"the length               number         0  input, -20 to 1.5\n",
                                 "colour                   text           0  input, one-hot of 2 values\n",
                                 "id                       text           1  ignored\n",
                                 "kind                     text           0  target, 2 classes\n"};
    for (int i = 0; i < 4; i++) {
        if (strstr(notes.text, shown[i]) == NULL) fail_msg("no \"%s\" in\n%s", shown[i], notes.text);
    }
}

static void test_csv_targets(void **state) {
    (void)state;
    ann_import_csv_options csv = {.no_header = true, .target = "2", .delimiter = ';'};
    check_ok(import_csv("labels.h5", "1;10\n2;9\n3;10\n", csv, false, NULL)); /* by size, not by letters */
    ann_dataset *dataset = import_open("labels.h5", "train");
    assert_int_equal(ann_dataset_label(dataset, 0), 1);
    assert_int_equal(ann_dataset_label(dataset, 1), 0);
    assert_string_equal(ann_dataset_class_name(dataset, 0), "9");
    ann_dataset_close(dataset);
    static const char *const two = "2";
    csv.numeric = &two;
    csv.numeric_count = 1;
    check_ok(import_csv("numbers.h5", "1;10\n2;9\n3;10\n", csv, false, NULL));
    dataset = import_open("numbers.h5", "train");
    float y;
    import_row(&y, dataset, "y", 2);
    assert_true(y >= 10 && y <= 10);
    ann_dataset_close(dataset);
    ann_import_options options = options_for("named.h5");
    static const char *const names[] = {"b", "a"};
    options.classes = names;
    options.class_count = 2;
    put_text("named.csv", "x,t\n1,a\n2,b\n3,c\n");
    const char *const path = fixture_path("named.csv");
    const ann_import_csv_options named = {.train = &path, .train_count = 1, .target = "t"};
    check_fails(ann_import_csv(&options, &named), ANN_ERR_CORRUPT,
                "named.csv: record 2: line 4: t: 'c' is no class");
    options.out = fixture_path("named.h5");
    options.skip_bad = true;
    check_ok(ann_import_csv(&options, &named));
    dataset = import_open("named.h5", "train");
    assert_int_equal(ann_dataset_samples(dataset), 2);
    assert_int_equal(ann_dataset_label(dataset, 0), 1);
    ann_dataset_close(dataset);
}

static void test_bad_csv(void **state) {
    (void)state;
    const struct {
        const char *text, *words;
        ann_status status;
        ann_import_csv_options csv;
    } cases[] = {
        {"", "table.csv: is empty", ANN_ERR_FORMAT, {0}},
        {"a,b\n", "no record of the split train", ANN_ERR_FORMAT, {0}},
        {"1,2\n3,4\n", "line 1: numbers where the columns' names should be", ANN_ERR_FORMAT, {0}},
        {"a,a\n1,2\n", "line 1: two columns are called 'a'", ANN_ERR_FORMAT, {0}},
        {"a,\n1,2\n", "line 1: column 2 has no name", ANN_ERR_FORMAT, {0}},
        {"a,b\n1,2\n3\n",
         "table.csv: record 1: line 3: 1 fields, but there are 2 columns",
         ANN_ERR_CORRUPT,
         {0}},
        {"a,b\n1,2,3\n",
         "table.csv: record 0: line 2: 3 fields, but there are 2 columns",
         ANN_ERR_CORRUPT,
         {0}},
        {"a,b\n1,2\n\n3,\n", "record 1: line 4: b: '' is missing", ANN_ERR_CORRUPT, {0}},
        {"a,b\n1,NaN\n", "record 0: line 2: b: 'NaN' is missing", ANN_ERR_CORRUPT, {0}},
        {"a,b\n1,2\n3,1e99\n", "record 1: line 3: b: '1e99' is beyond float32", ANN_ERR_CORRUPT, {0}},
        {"a,b\n1,2\n3,inf\n", "line 3: column 'b' has text, 'inf': name it in --one-hot", ANN_ERR_ARG, {0}},
        {"a,b\n1,2\n3,0x4\n",
         "record 1: line 3: b: '0x4' is no number",
         ANN_ERR_CORRUPT,
         {.numeric = a_and_b, .numeric_count = 2}},
        {"a,b\n1,2\n3,\"4\"5\n", "record 1: line 3: text behind a closing quote", ANN_ERR_CORRUPT, {0}},
        {"a,b\n1,2\n3,4\"5\n",
         "record 1: line 3: a quote within a field that is not quoted",
         ANN_ERR_CORRUPT,
         {0}},
        {"a,b\n1,2\n3,\"4\n5,6\n", "line 3: a quote that is never closed", ANN_ERR_FORMAT, {0}},
        {"a,b\n1,2\n", "there is no column 'c'", ANN_ERR_ARG, {.target = "c"}},
        {"a,b\n1,2\n",
         "column 'a' is named twice",
         ANN_ERR_ARG,
         {.target = "a", .ignore = a_and_b, .ignore_count = 1}},
        {"a,b\n1,2\n",
         "no column is left for the inputs",
         ANN_ERR_ARG,
         {.ignore = a_and_b, .ignore_count = 2}},
        {"a,b\n1,\n", "column 'b' has no values", ANN_ERR_ARG, {.target = "b"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_fails(import_csv("bad.h5", cases[i].text, cases[i].csv, false, NULL), cases[i].status,
                    cases[i].words);
    assert_int_equal(fixture_count("bad.h5"), 0);
}

/* Names end up in attributes: they have a limit. */
static void test_csv_long_names(void **state) {
    (void)state;
    char name[300] = "", text[700];
    memset(name, 'n', 256);
    snprintf(text, sizeof text, "a,%s\n1,2\n", name);
    check_fails(import_csv("bad.h5", text, (ann_import_csv_options){0}, false, NULL), ANN_ERR_FORMAT,
                "line 1: the name of column 2 has more than 255 bytes");
    snprintf(text, sizeof text, "a,t\n1,%s\n", name);
    check_fails(import_csv("bad.h5", text, (ann_import_csv_options){.target = "t"}, false, NULL),
                ANN_ERR_FORMAT, "column 't' has a value of more than 255 bytes");
    text[strlen(text) - 2] = '\n';
    text[strlen(text) - 1] = '\0';
    check_ok(import_csv("long.h5", text, (ann_import_csv_options){.target = "t"}, false, NULL));
}

/* Several bad records of several kinds are left out, and the rest is right. */
static void test_csv_skips(void **state) {
    (void)state;
    import_notes notes = {.used = 0};
    check_ok(import_csv("skip.h5", "a,b\n1,2\n3\n4,\"5\"6\n7,8\n9,?\n10,11\n", (ann_import_csv_options){0},
                        true, &notes));
    ann_dataset *dataset = import_open("skip.h5", "train");
    static const float want[3][2] = {{1, 2}, {7, 8}, {10, 11}};
    assert_int_equal(ann_dataset_samples(dataset), 3);
    for (int s = 0; s < 3; s++) {
        float row[2];
        import_row(row, dataset, "x", s);
        assert_memory_equal(row, want[s], sizeof row);
    }
    ann_dataset_close(dataset);
    assert_non_null(strstr(notes.text, "bad records left out: 3\n"));
    check_fails(import_csv("bad.h5", "a,b\n?,?\n", (ann_import_csv_options){0}, true, NULL), ANN_ERR_CORRUPT,
                "all records of the split train are bad");
}

static void test_csv_test_file(void **state) {
    (void)state;
    put_text("train.csv", "a,t\n1,x\n2,y\n");
    put_text("test.csv", "a,t\n3,y\n");
    put_text("other.csv", "b,t\n3,y\n");
    const char *const train[] = {fixture_path("train.csv"), fixture_path("train.csv")};
    const char *test = fixture_path("test.csv");
    const ann_import_options options = options_for("split.h5");
    ann_import_csv_options csv = {
        .train = train, .train_count = 2, .test = &test, .test_count = 1, .target = "t"};
    check_ok(ann_import_csv(&options, &csv));
    ann_dataset *dataset = import_open("split.h5", "train");
    assert_int_equal(ann_dataset_samples(dataset), 4);
    assert_int_equal(ann_dataset_label(dataset, 3), 1);
    ann_dataset_close(dataset);
    dataset = import_open("split.h5", "test");
    assert_int_equal(ann_dataset_samples(dataset), 1);
    assert_int_equal(ann_dataset_label(dataset, 0), 1);
    ann_dataset_close(dataset);
    test = fixture_path("other.csv");
    check_fails(ann_import_csv(&options, &csv), ANN_ERR_FORMAT, "other.csv: other columns than in ");
}

/* ---- NPY ---- */

static size_t npy_header(uint8_t *out, int version, const char *text) {
    const size_t start = version == 1 ? 10 : 12, length = strlen(text);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[7] = 0;
    for (size_t i = 8; i < start; i++) out[i] = (uint8_t)(length >> (8 * (i - 8)));
    memcpy(out + start, text, length);
    return start + length;
}

static void put_npy(const char *name, int version, const char *text, const void *data, size_t bytes) {
    uint8_t *all = malloc(bytes + strlen(text) + 16);
    assert_non_null(all);
    const size_t start = npy_header(all, version, text);
    memcpy(all + start, data, bytes);
    fixture_write(fixture_path(name), all, start + bytes);
    free(all);
}

static ann_status import_npy(const char *out, const char *x, const char *y) {
    const ann_import_options options = options_for(out);
    const ann_import_npy_field fields[] = {{"x", fixture_path(x), NULL},
                                           {"y", y == NULL ? NULL : fixture_path(y), NULL}};
    const ann_import_npy_options npy = {fields, y == NULL ? 1 : 2};
    return ann_import_npy(&options, &npy);
}

/* Three records of two elements, 1 -2 3 -4 5 -6 or their absolute values, in every type and byte order. */
static void test_npy_types(void **state) {
    (void)state;
    static const char *const types[] = {"|u1", "|b1", "|i1", "<i2", ">i2", "<u2", ">u4", "<i4", ">i4",
                                        "<i8", ">i8", "<u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"};
    for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
        const int bytes = types[t][2] - '0';
        const bool is_signed = types[t][1] == 'i' || types[t][1] == 'f';
        uint8_t data[6 * 8];
        for (int i = 0; i < 6; i++) {
            const int value = is_signed && i % 2 == 1 ? -(i + 1) : i + 1;
            const float single = (float)value;
            const double number = value;
            uint64_t bits = (uint64_t)(int64_t)value;
            uint32_t low;
            memcpy(&low, &single, sizeof low);
            if (types[t][1] == 'f' && bytes == 8) memcpy(&bits, &number, sizeof bits);
            if (types[t][1] == 'f' && bytes == 4) bits = low;
            if (types[t][1] == 'f' && bytes == 2) /* exact: 13 low bits of the fraction are 0 */
                bits = (low >> 16 & 0x8000) | (((low >> 23 & 255) - 112) << 10) | (low >> 13 & 1023);
            for (int b = 0; b < bytes; b++)
                data[i * bytes + b] = (uint8_t)(bits >> (types[t][0] == '>' ? 8 * (bytes - 1 - b) : 8 * b));
        }
        char text[128];
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (3, 2), }  \n",
                 types[t]);
        put_npy("typed.npy", 1 + (int)t % 3, text, data, (size_t)(6 * bytes));
        check_ok(import_npy("typed.h5", "typed.npy", NULL));
        ann_dataset *dataset = import_open("typed.h5", "train");
        const ann_field_info *x = ann_dataset_field(dataset, 0);
        for (int i = 0; i < 6; i++) {
            uint8_t row[8];
            import_row(row, dataset, "x", i / 2);
            const double value = ann_elem_get(row, x->dtype, i % 2),
                         want = is_signed && i % 2 == 1 ? -(i + 1) : i + 1;
            if (value < want || value > want) fail_msg("%s: %g, wanted %g", types[t], value, want);
        }
        ann_dataset_close(dataset);
    }
}

static void test_bad_npy(void **state) {
    (void)state;
    static const uint8_t data[24] = {1};
    const struct {
        const char *text, *words;
        ann_status status;
        size_t bytes;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", "truncated in record 2 of 3",
         ANN_ERR_FORMAT, 20},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}",
         "trailing bytes after the last of 2 records", ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2)}", "Fortran order", ANN_ERR_UNSUPPORTED,
         24},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}",
         "element type '<c8', accepted: ", ANN_ERR_UNSUPPORTED, 24},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", "a structured type",
         ANN_ERR_UNSUPPORTED, 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "is a single number", ANN_ERR_FORMAT, 4},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2)}", "is empty (extent 0 is 0)",
         ANN_ERR_FORMAT, 0},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "too many elements",
         ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,)}", "too many elements",
         ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999,)}",
         "truncated in record 6 of 99999999", ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}", "an extent expected at '-3",
         ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'shape': (6,)}", "descr, fortran_order and shape before expected", ANN_ERR_FORMAT,
         24},
        {"{'descr': '<f4', 'colour': 1}", "descr, fortran_order or shape before expected", ANN_ERR_FORMAT,
         24},
        {"{'descr': '<f4'", "',' or '}' expected", ANN_ERR_FORMAT, 24},
        {"hello", "'{' expected at 'hello", ANN_ERR_FORMAT, 24},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,6)}", "wrong rank", ANN_ERR_FORMAT,
         24},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_npy("bad.npy", 1, cases[i].text, data, cases[i].bytes);
        check_fails(import_npy("bad.h5", "bad.npy", NULL), cases[i].status, cases[i].words);
    }
    put_npy("bad.npy", 4, "{}", data, 24);
    check_fails(import_npy("bad.h5", "bad.npy", NULL), ANN_ERR_UNSUPPORTED,
                "NPY version 4, accepted: 1 to 3");
    put_text("bad.npy", "\x93NUMPY\x02\x01\xFF\xFF\xFF\x7F {}");
    check_fails(import_npy("bad.h5", "bad.npy", NULL), ANN_ERR_FORMAT, "header of 2147483647 bytes");
    put_text("bad.npy", "PK not numpy at all");
    check_fails(import_npy("bad.h5", "bad.npy", NULL), ANN_ERR_FORMAT, "not an NPY file");
    put_text("bad.npy", "\x93NUM");
    check_fails(import_npy("bad.h5", "bad.npy", NULL), ANN_ERR_FORMAT, "truncated in the header");
    assert_int_equal(fixture_count("bad.h5"), 0);
}

static void test_bad_npy_values(void **state) {
    (void)state;
    const float x[] = {1, 2, 3, NAN, 5, 6};
    const double large[] = {1, 2, 3, 4, 1e39, 6};
    const int64_t y[] = {0, -1, 2}, wide[] = {0, 1, INT64_C(1) << 40}, good[] = {0, 1, 2};
    put_npy("nan.npy", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", x, sizeof x);
    put_npy("large.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)}", large, sizeof large);
    put_npy("y.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", y, sizeof y);
    put_npy("wide.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", wide, sizeof wide);
    put_npy("good.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,)}", good, sizeof good);
    put_npy("two.npy", 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", good, 16);
    check_fails(import_npy("bad.h5", "nan.npy", NULL), ANN_ERR_CORRUPT,
                "nan.npy: record 1: element 1 is nan");
    check_fails(import_npy("bad.h5", "large.npy", NULL), ANN_ERR_CORRUPT,
                "large.npy: record 2: element 0 is 1e+39");
    check_fails(import_npy("bad.h5", "good.npy", "y.npy"), ANN_ERR_CORRUPT,
                "y.npy: record 1: label -1 is negative");
    check_fails(import_npy("bad.h5", "good.npy", "wide.npy"), ANN_ERR_CORRUPT,
                "wide.npy: record 2: element 0 is beyond 32 bits");
    check_fails(import_npy("bad.h5", "good.npy", "two.npy"), ANN_ERR_FORMAT,
                "two.npy: 2 records for the 3 of ");
    check_fails(import_npy("bad.h5", "good.npy", "nowhere"), ANN_ERR_NOT_FOUND, "nowhere: No such file");
    check_ok(import_npy("good.h5", "good.npy", "good.npy"));
}

/* ---- real data ---- */

#define FASHION "/usr/share/datasets/fashion-mnist/"

/* An IDX file as an NPY file. Returns the number of records. */
static void convert(const char *idx, const char *npy, int header_bytes, const char *shape) {
    gzFile file = gzopen(idx, "rb");
    enum { ROOM = 10000 * 784 };
    uint8_t *bytes = malloc(ROOM + 16);
    assert_true(file != NULL && bytes != NULL);
    const int got = gzread(file, bytes, ROOM + 16);
    char text[128];
    snprintf(text, sizeof text, "{'descr': '|u1', 'fortran_order': False, 'shape': %s}", shape);
    put_npy(npy, 1, text, bytes + header_bytes, (size_t)(got - header_bytes));
    gzclose(file);
    free(bytes);
}

static void check_two_ways(const char *images, const char *labels) {
    const ann_import_options options = options_for("by_idx.h5");
    const ann_import_idx_options idx = {
        .train_images = &images, .train_image_count = 1, .train_labels = &labels, .train_label_count = 1};
    check_ok(ann_import_idx(&options, &idx));
    convert(images, "x.npy", 16, "(10000, 28, 28)");
    convert(labels, "labels.npy", 8, "(10000,)");
    check_ok(import_npy("by_npy.h5", "x.npy", "labels.npy"));
    assert_true(import_checksum("by_idx.h5", "train") == import_checksum("by_npy.h5", "train"));
    ann_dataset *a = import_open("by_idx.h5", "train"), *b = import_open("by_npy.h5", "train");
    assert_true(ann_shape_equal(&ann_dataset_field(a, 0)->shape, &ann_dataset_field(b, 0)->shape));
    assert_int_equal(ann_dataset_samples(a), 10000);
    ann_dataset_close(a);
    ann_dataset_close(b);
}

/* The same data by way of IDX and of NPY has the same checksum. */
static void test_two_ways(void **state) {
    (void)state;
    if (access(FASHION "t10k-images-idx3-ubyte.gz", R_OK) != 0) {
        print_message("skipped: Debian's package dataset-fashion-mnist is not installed\n");
        skip();
    }
    check_two_ways(FASHION "t10k-images-idx3-ubyte.gz", FASHION "t10k-labels-idx1-ubyte.gz");
}

static void test_mnist(void **state) {
    (void)state;
    const char *folder = getenv("ANNULUS_TEST_DATA");
    char images[512], labels[512];
    snprintf(images, sizeof images, "%s/mnist10k-images-idx3-ubyte.gz", folder == NULL ? "" : folder);
    snprintf(labels, sizeof labels, "%s/mnist10k-labels-idx1-ubyte.gz", folder == NULL ? "" : folder);
    if (folder == NULL || access(images, R_OK) != 0 || access(labels, R_OK) != 0) {
        print_message("skipped: no mnist10k-*-idx*-ubyte.gz in ANNULUS_TEST_DATA\n");
        skip();
    }
    check_two_ways(images, labels);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cifar10),        cmocka_unit_test(test_cifar100),
        cmocka_unit_test(test_bad_cifar),      cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_targets),    cmocka_unit_test(test_bad_csv),
        cmocka_unit_test(test_csv_long_names), cmocka_unit_test(test_csv_skips),
        cmocka_unit_test(test_csv_test_file),  cmocka_unit_test(test_npy_types),
        cmocka_unit_test(test_bad_npy),        cmocka_unit_test(test_bad_npy_values),
        cmocka_unit_test(test_two_ways),       cmocka_unit_test(test_mnist),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
