/* timeout: 300 */
/* What the writer does for every importer: shards and their index, compression, a share for the test split,
 * bad records, normalisation, and going on after being killed. */
#include "data/fixture.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/philox.h"
#include "data/import_check.h"
#include "datasets/import.h"
#include "datasets/write.h"

/* ---- a source made of formulas ---- */

enum { SIDE = 3, CHANNELS = 2, ELEMS = SIDE * SIDE * CHANNELS };

typedef struct formula {
    int64_t bad_every; /* this and every so many records are bad; 0: none */
    int64_t last;      /* record read last, to see that they come in ascending order */
    int64_t reads;
} formula;

static float value(int64_t record, int i) {
    return (float)(1e6 * (i % CHANNELS) + sin((double)record + 0.1 * i));
}

static bool is_bad(const formula *f, int64_t record) {
    return f->bad_every > 0 && record % f->bad_every == f->bad_every - 1;
}

static ann_status read_formula(void *self, int64_t record, void *const *fields, bool *bad) {
    formula *f = self;
    float *x = fields[0];
    if (is_bad(f, record)) return anni_bad_record(bad, ANN_ERR_CORRUPT, "formula", record, "is bad");
    for (int i = 0; i < ELEMS; i++) x[i] = value(record, i);
    *(int32_t *)fields[1] = (int32_t)(record % 5);
    *(uint16_t *)fields[2] = (uint16_t)(record * 3);
    f->last = record;
    f->reads++;
    return ANN_OK;
}

static const anni_field formula_fields[] = {{.name = "x",
                                             .type = ANNI_F32,
                                             .shape = {.rank = 3, .dim = {SIDE, SIDE, CHANNELS}},
                                             .normalised = ANNI_PER_CHANNEL},
                                            {.name = "y", .type = ANNI_I32},
                                            {.name = "place", .type = ANNI_U16}};

static ann_status import_formula(const ann_import_options *options, formula *f, int64_t train, int64_t test) {
    anni_source source = {.format = "formula",
                          .fields = formula_fields,
                          .field_count = 3,
                          .splits = {{"train", train}, {"test", test}},
                          .split_count = test > 0 ? 2 : 1,
                          .read = read_formula,
                          .self = f};
    return anni_import(options, &source);
}

/* Sample s of the split is this record. */
static void check_sample(const ann_dataset *dataset, int64_t s, int64_t record) {
    float x[ELEMS];
    int32_t place;
    import_row(x, dataset, "x", s);
    import_row(&place, dataset, "place", s);
    for (int i = 0; i < ELEMS; i++) assert_memory_equal(&x[i], &(float){value(record, i)}, sizeof(float));
    assert_int_equal(ann_dataset_label(dataset, s), record % 5);
    assert_int_equal(place, (uint16_t)(record * 3));
}

/* The split holds the good records among [first, first + count), in order. */
static void check_split(const char *name, const char *split, const formula *f, int64_t first, int64_t count) {
    ann_dataset *dataset = import_open(name, split);
    int64_t s = 0;
    for (int64_t r = first; r < first + count; r++) {
        if (!is_bad(f, r)) check_sample(dataset, s++, r);
    }
    assert_int_equal(ann_dataset_samples(dataset), s);
    ann_dataset_close(dataset);
}

/* ---- storage ---- */

static void test_storages(void **state) {
    (void)state;
    const struct {
        int64_t shard, chunk;
        int compress;
        int64_t bad_every;
    } cases[] = {{0, 0, 0, 0},  {0, 0, 0, 7}, {0, 0, 6, 0},  {0, 9, 1, 7},    {40, 0, 0, 0}, {40, 0, 0, 7},
                 {40, 6, 3, 7}, {1, 0, 0, 4}, {50, 0, 0, 2}, {1000, 0, 0, 9}, {25, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[32];
        snprintf(name, sizeof name, "store%zu.h5", i);
        const ann_import_options options = {.out = fixture_path(name),
                                            .shard = cases[i].shard,
                                            .compress = cases[i].compress,
                                            .chunk = cases[i].chunk,
                                            .skip_bad = true};
        formula f = {.bad_every = cases[i].bad_every};
        check_ok(import_formula(&options, &f, 100, 33));
        check_split(name, "train", &f, 0, 100);
        check_split(name, "test", &f, 100, 33);
    }
    assert_int_equal(fixture_count(".part") + fixture_count(".import"), 0);
    assert_int_equal(fixture_count("store4-train-"), 3);
    assert_int_equal(fixture_count("store4-test-"), 1);
    /* However it is stored, the checksum is of the values. */
    assert_true(import_checksum("store0.h5", "train") == import_checksum("store2.h5", "train"));
    assert_true(import_checksum("store0.h5", "train") == import_checksum("store4.h5", "train"));
    assert_true(import_checksum("store1.h5", "test") == import_checksum("store6.h5", "test"));
}

static void test_same_bytes(void **state) {
    (void)state;
    size_t sizes[2];
    uint8_t *bytes[2];
    for (int i = 0; i < 2; i++) {
        const ann_import_options options = {.out = fixture_path(i == 0 ? "same.h5" : "same2.h5"),
                                            .name = "same"};
        formula f = {0};
        check_ok(import_formula(&options, &f, 50, 20));
        bytes[i] = fixture_bytes(options.out, &sizes[i]);
        sleep(i == 0); /* times would differ by a second */
    }
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(bytes[0], bytes[1], sizes[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void test_shards_do_not_replace(void **state) {
    (void)state;
    formula f = {0};
    const ann_import_options options = {.out = fixture_path("again.h5"), .shard = 10};
    check_ok(import_formula(&options, &f, 20, 0));
    check_fails(import_formula(&options, &f, 20, 0), ANN_ERR_ARG, "again.h5: exists; a dataset in shards");
    assert_int_equal(unlink(fixture_path("again-train-00001.h5")), 0);
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path("again.h5")};
    const ann_dataset_options open = {.sources = &source, .source_count = 1, .split = "train"};
    check_fails(ann_dataset_open(&dataset, &open), ANN_ERR_NOT_FOUND, "again-train-00001.h5");
}

/* ---- normalisation ---- */

/* Channel 1 is channel 0 plus a million: its deviation must not drown. */
static void test_moments(void **state) {
    (void)state;
    enum { N = 500 };
    formula f = {0};
    const ann_import_options options = {.out = fixture_path("moments.h5")};
    check_ok(import_formula(&options, &f, N, 10));
    for (int c = 0; c < CHANNELS; c++) {
        long double mean = 0, spread = 0;
        const long double n = N * SIDE * SIDE;
        for (int r = 0; r < N; r++) {
            for (int i = c; i < ELEMS; i += CHANNELS) mean += (long double)value(r, i) / n;
        }
        for (int r = 0; r < N; r++) {
            for (int i = c; i < ELEMS; i += CHANNELS)
                spread += ((long double)value(r, i) - mean) * ((long double)value(r, i) - mean) / n;
        }
        for (int t = 0; t < 2; t++) {
            ann_dataset *dataset = import_open("moments.h5", t == 0 ? "train" : "test");
            const ann_field_info *x = ann_dataset_field(dataset, ann_dataset_find(dataset, "x"));
            assert_int_equal(x->channels, CHANNELS);
            /* Sums are compensated: what remains is the rounding of the results. */
            assert_true(fabsl(x->mean[c] - mean) <= 4 * 0x1p-53L * fabsl(mean) + 4 * 0x1p-53L);
            assert_true(fabsl(x->std[c] - sqrtl(spread)) <= 64 * 0x1p-53L);
            ann_dataset_close(dataset);
        }
    }
}

/* ---- a share for the test split ---- */

static void test_fraction(void **state) {
    (void)state;
    enum { N = 200, TEST = 50 };
    formula f = {0};
    ann_import_options options = {.out = fixture_path("fraction.h5"), .test_fraction = 0.25};
    check_ok(import_formula(&options, &f, N, 0));
    ann_dataset *train = import_open("fraction.h5", "train"), *test = import_open("fraction.h5", "test");
    assert_int_equal(ann_dataset_samples(train), N - TEST);
    assert_int_equal(ann_dataset_samples(test), TEST);
    int64_t s[2] = {0, 0};
    for (int64_t r = 0; r < N; r++) {
        int32_t place = -1;
        if (s[1] < TEST) import_row(&place, test, "place", s[1]);
        const int is_test = place == r * 3;
        check_sample(is_test ? test : train, s[is_test]++, r);
    }
    assert_int_equal(s[1], TEST);
    ann_dataset_close(train);
    ann_dataset_close(test);
    check_fails(import_formula(&options, &f, N, 10), ANN_ERR_ARG, "have a test split of their own");
    options.test_fraction = 0.001;
    check_fails(import_formula(&options, &f, N, 0), ANN_ERR_ARG, "leaves a split empty");
}

/* ---- bad records ---- */

static void test_bad_record(void **state) {
    (void)state;
    formula f = {.bad_every = 7};
    import_notes notes = {.used = 0};
    ann_import_options options = {.out = fixture_path("bad.h5"), .note = import_note, .to = &notes};
    check_fails(import_formula(&options, &f, 30, 0), ANN_ERR_CORRUPT, "formula: record 6: is bad");
    assert_int_equal(fixture_count("bad.h5"), 0);
    options.skip_bad = true;
    check_ok(import_formula(&options, &f, 30, 0));
    assert_non_null(
        strstr(notes.text, "skipped: formula: record 6: is bad\nskipped: formula: record 13: is bad\n"));
    assert_non_null(strstr(notes.text, "bad.h5: bad records left out: 4\n"));
    const hid_t file = H5Fopen(fixture_path("bad.h5"), H5F_ACC_RDONLY, H5P_DEFAULT);
    const hid_t attribute = H5Aopen(file, "skipped", H5P_DEFAULT);
    uint64_t skipped = 0;
    assert_true(H5Aread(attribute, H5T_NATIVE_UINT64, &skipped) >= 0);
    H5Aclose(attribute);
    H5Fclose(file);
    assert_int_equal(skipped, 4);
}

static void test_bad_options(void **state) {
    (void)state;
    formula f = {0};
    const struct {
        ann_import_options options;
        const char *words;
    } cases[] = {{{.test_fraction = 1}, "test fraction 1, accepted"},
                 {{.test_fraction = NAN}, "test fraction nan, accepted"},
                 {{.shard = -1}, "shards of -1 records"},
                 {{.compress = 10}, "compression level 10"},
                 {{.chunk = 5}, "chunks of 5 records without compression"},
                 {{.class_count = 65537}, "65537 class names"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ann_import_options options = cases[i].options;
        options.out = fixture_path("options.h5");
        check_fails(import_formula(&options, &f, 10, 0), ANN_ERR_ARG, cases[i].words);
    }
    assert_int_equal(fixture_count("options.h5"), 0);
}

/* ---- killed, and started again ---- */

enum { LARGE = 1 << 20, RECORDS = 60 }; /* a record of 1 MiB: the journal is written every 16 of them */

typedef struct large {
    int64_t kill_at; /* the process kills itself when it is asked for this record; -1: never */
    int64_t first;   /* the first record that was asked for */
    bool asked;
} large;

static ann_status read_large(void *self, int64_t record, void *const *fields, bool *bad) {
    large *l = self;
    (void)bad;
    if (!l->asked) l->first = record;
    l->asked = true;
    if (record == l->kill_at) (void)raise(SIGKILL);
    uint8_t *x = fields[0];
    memset(x, (int)record + 1, LARGE);
    x[record] = 0;
    return ANN_OK;
}

static ann_status import_large(const char *out, int64_t shard, int compress, large *l) {
    const ann_import_options options = {
        .out = fixture_path(out), .name = "large", .shard = shard, .compress = compress};
    static const anni_field field = {
        .name = "x", .shape = {.rank = 1, .dim = {LARGE}}, .normalised = ANNI_OVERALL};
    const anni_source source = {.format = "large",
                                .fields = &field,
                                .field_count = 1,
                                .splits = {{"train", RECORDS - 10}, {"test", 10}},
                                .split_count = 2,
                                .read = read_large,
                                .self = l};
    return anni_import(&options, &source);
}

static void kill_at(const char *out, int64_t shard, int compress, int64_t record) {
    const pid_t child = fork();
    if (child == 0) {
        large l = {.kill_at = record};
        _exit(import_large(out, shard, compress, &l) == ANN_OK ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assert_int_equal(access(fixture_path(out), F_OK), -1);
}

/* Ends the import; it must begin with this record. */
static void go_on(const char *out, int64_t shard, int compress, int64_t first) {
    large l = {.kill_at = -1};
    check_ok(import_large(out, shard, compress, &l));
    assert_int_equal(l.first, first);
}

static void remove_dataset(const char *stem) {
    char command[600];
    snprintf(command, sizeof command, "rm -f %s*", fixture_path(stem));
    assert_int_equal(system(command), 0);
}

static void check_same_file(const char *a, const char *b) {
    size_t sizes[2];
    uint8_t *first = fixture_bytes(fixture_path(a), &sizes[0]),
            *second = fixture_bytes(fixture_path(b), &sizes[1]);
    assert_int_equal(sizes[0], sizes[1]);
    assert_memory_equal(first, second, sizes[0]);
    free(first);
    free(second);
}

static void test_goes_on(void **state) {
    (void)state;
    large l = {.kill_at = -1};
    check_ok(import_large("whole.h5", 0, 0, &l));
    kill_at("killed.h5", 0, 0, 7); /* before the first entry of the journal: anew */
    kill_at("killed.h5", 0, 0, 40);
    assert_int_equal(fixture_count("killed.h5"), 2); /* .part and .import */
    kill_at("killed.h5", 0, 0, 55);                  /* in the test split */
    go_on("killed.h5", 0, 0, 48);
    check_same_file("whole.h5", "killed.h5");
    assert_int_equal(fixture_count("killed.h5"), 1);
    /* Its part is gone: anew. */
    kill_at("lost.h5", 0, 0, 40);
    assert_int_equal(unlink(fixture_path("lost.h5.part")), 0);
    go_on("lost.h5", 0, 0, 0);
    check_same_file("whole.h5", "lost.h5");
    remove_dataset("killed.h5");
    remove_dataset("lost.h5");
    remove_dataset("whole.h5");
}

/* Other options: not the import that was interrupted. */
static void test_other_options_begin_anew(void **state) {
    (void)state;
    kill_at("other.h5", 0, 0, 40);
    go_on("other.h5", 0, 1, 0);
    assert_int_equal(fixture_count("other.h5"), 1);
    remove_dataset("other.h5");
}

static void test_shards_go_on(void **state) {
    (void)state;
    large l = {.kill_at = -1};
    check_ok(import_large("plain.h5", 0, 0, &l));
    kill_at("pieces.h5", 20, 0, 39); /* 20 to 36 of the second shard are in the journal */
    go_on("pieces.h5", 20, 0, 36);
    kill_at("packed.h5", 20, 1, 45); /* two shards are finished */
    go_on("packed.h5", 20, 1, 40);
    for (int i = 0; i < 2; i++) {
        const char *split = i == 0 ? "train" : "test";
        assert_true(import_checksum("plain.h5", split) == import_checksum("pieces.h5", split));
        assert_true(import_checksum("plain.h5", split) == import_checksum("packed.h5", split));
    }
    remove_dataset("p");
}

/* At any moment, also while it commits: `out` is not there or complete, and in the end the same. */
static void test_killed_at_any_moment(void **state) {
    (void)state;
    large l = {.kill_at = -1};
    check_ok(import_large("sound.h5", 0, 0, &l));
    for (uint64_t round = 0; round < 8; round++) {
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) _exit(import_large("moment.h5", 0, 0, &l) == ANN_OK ? 0 : 1);
        usleep(ann_random_u32(1, 1, round, 0) % 100000);
        kill(child, SIGKILL);
        int how = 0;
        assert_int_equal(waitpid(child, &how, 0), child);
        assert_true(WIFSIGNALED(how) || WEXITSTATUS(how) == 0);
        if (access(fixture_path("moment.h5"), F_OK) != 0) continue;
        check_same_file("sound.h5", "moment.h5");
        assert_int_equal(unlink(fixture_path("moment.h5")), 0);
    }
    check_ok(import_large("moment.h5", 0, 0, &l));
    check_same_file("sound.h5", "moment.h5");
    remove_dataset("moment.h5");
    remove_dataset("sound.h5");
}

/* Two imports to one file: the second one is refused. The first one says through one pipe that it runs, and
 * goes on when the other one is closed. */
typedef struct gate {
    int runs[2], may_end[2];
} gate;

static void wait_at_gate(void *to, int64_t done, int64_t total, int64_t bytes) {
    (void)done, (void)total, (void)bytes;
    gate *g = to;
    char c = 0;
    close(g->may_end[1]);
    if (write(g->runs[1], &c, 1) != 1 || read(g->may_end[0], &c, 1) != 0) _exit(2);
}

static void test_two_at_once(void **state) {
    (void)state;
    formula f = {0};
    gate g;
    char c;
    assert_int_equal(pipe(g.runs), 0);
    assert_int_equal(pipe(g.may_end), 0);
    ann_import_options options = {.out = fixture_path("twice.h5"), .progress = wait_at_gate, .to = &g};
    const pid_t child = fork();
    if (child == 0) _exit(import_formula(&options, &f, 10, 0) == ANN_OK ? 0 : 1);
    close(g.runs[1]);
    assert_int_equal(read(g.runs[0], &c, 1), 1);
    options.progress = NULL;
    check_fails(import_formula(&options, &f, 10, 0), ANN_ERR_IO, "twice.h5: another import is writing it");
    close(g.may_end[1]);
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    check_split("twice.h5", "train", &f, 0, 10);
    close(g.runs[0]);
    close(g.may_end[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storages),
        cmocka_unit_test(test_same_bytes),
        cmocka_unit_test(test_shards_do_not_replace),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_fraction),
        cmocka_unit_test(test_bad_record),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_goes_on),
        cmocka_unit_test(test_other_options_begin_anew),
        cmocka_unit_test(test_shards_go_on),
        cmocka_unit_test(test_killed_at_any_moment),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
