/* The IDX importer: what it writes, every fault of its input, and that a file is whole or not there. */
#include "data/fixture.h"

#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include "base/hash.h"
#include "data/data.h"
#include "datasets/import.h"

/* ---- fixtures ---- */

enum { TRAIN = 300, TEST = 40, H = 28, W = 20, PIXELS = H * W, CLASSES = 10 };

static uint8_t pixel(int sample, int i) { return (uint8_t)(sample * 13 + i * 7 + (i >> 5)); }

typedef struct blob {
    uint8_t *bytes;
    size_t size;
} blob;

/* An IDX file in memory: its header, then `data` bytes of the caller's. */
static blob idx_blob(uint8_t type, int rank, const uint32_t *dims, size_t data_bytes) {
    blob b = {NULL, 4 + 4 * (size_t)rank + data_bytes};
    b.bytes = calloc(b.size, 1);
    assert_non_null(b.bytes);
    b.bytes[2] = type;
    b.bytes[3] = (uint8_t)rank;
    for (int i = 0; i < rank; i++) {
        for (int k = 0; k < 4; k++) b.bytes[4 + 4 * i + k] = (uint8_t)(dims[i] >> (24 - 8 * k));
    }
    return b;
}

static blob image_blob(int samples) {
    const uint32_t dims[] = {(uint32_t)samples, H, W};
    blob b = idx_blob(0x08, 3, dims, (size_t)samples * PIXELS);
    for (int s = 0; s < samples; s++) {
        for (int i = 0; i < PIXELS; i++) b.bytes[16 + s * PIXELS + i] = pixel(s, i);
    }
    return b;
}

static blob label_blob(int samples) {
    const uint32_t dims[] = {(uint32_t)samples};
    blob b = idx_blob(0x08, 1, dims, (size_t)samples);
    for (int s = 0; s < samples; s++) b.bytes[8 + s] = (uint8_t)(s * 3 % CLASSES);
    return b;
}

static void write_gzip(const char *path, const uint8_t *bytes, size_t size) {
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void put_blob(const char *name, blob b) {
    const char *path = fixture_path(name), *dot = strrchr(name, '.');
    if (dot != NULL && strcmp(dot, ".gz") == 0) write_gzip(path, b.bytes, b.size);
    else fixture_write(path, b.bytes, b.size);
    free(b.bytes);
}

static int setup(void **state) {
    if (fixture_setup(state) != 0) return -1;
    put_blob("train-images", image_blob(TRAIN));
    put_blob("train-labels", label_blob(TRAIN));
    put_blob("test-images", image_blob(TEST));
    put_blob("test-labels", label_blob(TEST));
    put_blob("train-images.gz", image_blob(TRAIN));
    put_blob("train-labels.gz", label_blob(TRAIN));
    return 0;
}

static const char *const class_names[CLASSES] = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                 "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};

/* The name of a fixture file as a path, or NULL. */
static const char *maybe(const char *name) { return name == NULL ? NULL : fixture_path(name); }

/* The files of an IDX import, each NULL or one. */
typedef struct files {
    const char *train_images, *train_labels, *test_images, *test_labels;
} files;

static ann_status import_files(const ann_import_options *options, const files *f) {
    const ann_import_idx_options idx = {.train_images = &f->train_images,
                                        .train_labels = &f->train_labels,
                                        .test_images = &f->test_images,
                                        .test_labels = &f->test_labels,
                                        .train_image_count = f->train_images != NULL,
                                        .train_label_count = f->train_labels != NULL,
                                        .test_image_count = f->test_images != NULL,
                                        .test_label_count = f->test_labels != NULL};
    return ann_import_idx(options, &idx);
}

static ann_status import(const char *out, const char *train_images, const char *train_labels,
                         const char *test_images, const char *test_labels, int class_count) {
    const ann_import_options options = {
        .out = fixture_path(out), .classes = class_names, .class_count = class_count};
    const files f = {maybe(train_images), maybe(train_labels), maybe(test_images), maybe(test_labels)};
    return import_files(&options, &f);
}

/* An import of training data that must fail and leave nothing behind. */
static ann_status import_train(const char *images, const char *labels) {
    const ann_status status = import("bad.h5", images, labels, NULL, NULL, CLASSES);
    if (status != ANN_OK) assert_int_equal(fixture_count("bad.h5"), 0);
    return status;
}

/* ---- what is written ---- */

static void check_split(const char *file, const char *split, int samples) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path(file)};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    check_ok(ann_dataset_open(&dataset, &options));
    assert_int_equal(ann_dataset_samples(dataset), samples);
    assert_int_equal(ann_dataset_classes(dataset), CLASSES);
    assert_true(ann_shape_equal(&ann_dataset_field(dataset, 0)->shape, &ANN_SHAPE(H, W, 1)));
    uint64_t checksum;
    check_ok(ann_dataset_compute_checksum(&checksum, dataset));
    assert_true(ann_dataset_checksum(dataset) == checksum);
    for (int64_t s = 0; s < samples; s++) {
        uint8_t row[PIXELS];
        int32_t label;
        check_ok(ann_dataset_read(dataset, 0, &s, 1, row));
        check_ok(ann_dataset_read(dataset, 1, &s, 1, &label));
        for (int i = 0; i < PIXELS; i++) assert_int_equal(row[i], pixel((int)s, i));
        assert_int_equal(label, s * 3 % CLASSES);
    }
    double sum = 0, squares = 0;
    const double mean = ann_dataset_field(dataset, 0)->mean[0], std = ann_dataset_field(dataset, 0)->std[0];
    for (int s = 0; s < TRAIN; s++) {
        for (int i = 0; i < PIXELS; i++) sum += pixel(s, i) / 255.0;
    }
    for (int s = 0; s < TRAIN; s++) {
        for (int i = 0; i < PIXELS; i++) squares += pow(pixel(s, i) / 255.0 - mean, 2);
    }
    /* Sums of n terms of at most 1 in double: rounding below n eps. */
    const double n = (double)TRAIN * PIXELS, tolerance = n * 0x1p-53;
    assert_true(fabs(mean - sum / n) <= tolerance);
    assert_true(fabs(std - sqrt(squares / n)) <= tolerance);
    ann_dataset_close(dataset);
}

static void test_imports(void **state) {
    (void)state;
    check_ok(import("plain.h5", "train-images", "train-labels", "test-images", "test-labels", CLASSES));
    check_split("plain.h5", "train", TRAIN);
    check_split("plain.h5", "test", TEST);
    check_ok(import("gzip.h5", "train-images.gz", "train-labels.gz", NULL, NULL, CLASSES));
    check_split("gzip.h5", "train", TRAIN);
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path("gzip.h5")};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "test"};
    check_fails(ann_dataset_open(&dataset, &options), ANN_ERR_FORMAT, "/test: does not exist");
    check_ok(import("plain.h5", "train-images", "train-labels", NULL, NULL, 0)); /* over the old one */
    check_split("plain.h5", "train", TRAIN);
    assert_int_equal(fixture_count(".part"), 0);
}

static void test_ranks(void **state) {
    (void)state;
    static const uint32_t dims[] = {5, 4, 3, 2, 2, 1, 3};
    const ann_shape stored[] = {ANN_SHAPE(1),
                                ANN_SHAPE(4),
                                ANN_SHAPE(4, 3, 1),
                                ANN_SHAPE(4, 3, 2),
                                ANN_SHAPE(4, 3, 2, 2),
                                ANN_SHAPE(4, 3, 2, 2, 1),
                                ANN_SHAPE(4, 3, 2, 2, 1, 3)};
    for (int rank = 1; rank <= 7; rank++) {
        size_t elems = 1;
        for (int i = 0; i < rank; i++) elems *= dims[i];
        blob b = idx_blob(0x08, rank, dims, elems);
        for (size_t i = 0; i < elems; i++) b.bytes[4 + 4 * (size_t)rank + i] = (uint8_t)(i * 5 + 1);
        put_blob("any-rank", b);
        check_ok(import("rank.h5", "any-rank", NULL, NULL, NULL, 0));
        ann_dataset *dataset;
        const ann_data_source source = {.path = fixture_path("rank.h5")};
        const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
        check_ok(ann_dataset_open(&dataset, &options));
        assert_true(ann_shape_equal(&ann_dataset_field(dataset, 0)->shape, &stored[rank - 1]));
        uint8_t row[256];
        const int64_t id = 3;
        check_ok(ann_dataset_read(dataset, 0, &id, 1, row));
        for (size_t i = 0; i < elems / 5; i++)
            assert_int_equal(row[i], (uint8_t)((3 * (elems / 5) + i) * 5 + 1));
        ann_dataset_close(dataset);
    }
}

/* A constant image set has no deviation; 1 is stored, so that nobody divides by 0. */
static void test_constant_images(void **state) {
    (void)state;
    const uint32_t dims[] = {3, 2, 2};
    blob b = idx_blob(0x08, 3, dims, 12);
    memset(b.bytes + 16, 51, 12);
    put_blob("constant", b);
    check_ok(import("constant.h5", "constant", NULL, NULL, NULL, 0));
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path("constant.h5")};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    check_ok(ann_dataset_open(&dataset, &options));
    const ann_field_info *x = ann_dataset_field(dataset, 0);
    assert_true(fabs(x->mean[0] - 0.2) < 1e-15 && x->std[0] >= 1.0 && x->std[0] <= 1.0);
    ann_dataset_close(dataset);
}

typedef struct progress {
    int64_t done;
    int calls;
} progress;

static void note_progress(void *to, int64_t done, int64_t total, int64_t bytes) {
    progress *p = to;
    assert_true(done >= p->done && done <= total && total == 5);
    assert_true(bytes == done * (700 * 1000 + 1));
    p->calls++;
    p->done = done;
}

static void test_progress(void **state) {
    (void)state;
    const uint32_t dims[] = {5, 700, 1000}; /* more than one block */
    put_blob("large", idx_blob(0x08, 3, dims, 5 * 700 * 1000));
    put_blob("five-labels", label_blob(5));
    progress seen = {0};
    const ann_import_options options = {
        .out = fixture_path("progress.h5"), .progress = note_progress, .to = &seen};
    const files f = {fixture_path("large"), fixture_path("five-labels"), NULL, NULL};
    check_ok(import_files(&options, &f));
    assert_int_equal(seen.done, 5);
    assert_true(seen.calls > 2);
}

/* ---- what is refused ---- */

static void test_bad_options(void **state) {
    (void)state;
    const ann_import_options bad = {.out = fixture_path("bad.h5")}, nowhere = {.out = NULL};
    const files none = {0}, some = {.train_images = fixture_path("train-images")};
    check_fails(import_files(&bad, &none), ANN_ERR_ARG, "no training images");
    check_fails(import_files(&nowhere, &some), ANN_ERR_ARG, "no name for the file to write");
    check_fails(import("bad.h5", "train-images", NULL, NULL, "test-labels", 0), ANN_ERR_ARG,
                "without test images");
    check_fails(import("bad.h5", "train-images", NULL, NULL, NULL, 257), ANN_ERR_ARG, "257 class names");
    check_fails(import("no/such/folder.h5", "train-images", NULL, NULL, NULL, 0), ANN_ERR_IO,
                "no/such/folder.h5: No such file or directory");
    assert_int_equal(mkdir(fixture_path("a-folder"), 0777), 0);
    check_fails(import("a-folder", "train-images", NULL, NULL, NULL, 0), ANN_ERR_IO,
                "a-folder: is a directory");
}

static void test_bad_input_files(void **state) {
    (void)state;
    check_fails(import_train("nowhere", NULL), ANN_ERR_NOT_FOUND, "nowhere: No such file");
    check_fails(import_train("train-images", "nowhere"), ANN_ERR_NOT_FOUND, "nowhere: No such file");
    assert_int_equal(mkdir(fixture_path("folder"), 0777), 0);
    check_fails(import_train("folder", NULL), ANN_ERR_IO, "folder: is not a regular file");
    fixture_write(fixture_path("nothing"), "", 0);
    check_fails(import_train("nothing", NULL), ANN_ERR_FORMAT, "nothing: truncated in the header");
    fixture_write(fixture_path("text"), "P5 28 28 255\n", 13);
    check_fails(import_train("text", NULL), ANN_ERR_FORMAT, "text: not an IDX file: magic 50352032");
    fixture_write(fixture_path("plain.gz"), "\0\0\x08\x01\0\0\0\x01\x07", 9);
    check_fails(import_train("plain.gz", NULL), ANN_ERR_FORMAT, "plain.gz: is not gzip data");
    if (geteuid() != 0) {
        put_blob("secret", label_blob(3));
        assert_int_equal(chmod(fixture_path("secret"), 0), 0);
        check_fails(import_train("secret", NULL), ANN_ERR_IO, "secret: Permission denied");
    }
}

static void test_bad_headers(void **state) {
    (void)state;
    const uint32_t dims[] = {2, 2, 2, 1, 1, 1, 1, 1}, none[] = {0, 28, 28}, flat[] = {3, 0};
    const uint32_t vast[] = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    const struct {
        const char *words;
        ann_status status;
        uint8_t type;
        int rank;
        const uint32_t *dims;
    } cases[] = {
        {"bad-header: element type i8 (0x09), accepted: u8 (0x08)", ANN_ERR_UNSUPPORTED, 0x09, 3, dims},
        {"bad-header: element type f32 (0x0d), accepted: u8 (0x08)", ANN_ERR_UNSUPPORTED, 0x0D, 3, dims},
        {"bad-header: not an IDX file: unknown element type 0x0a", ANN_ERR_FORMAT, 0x0A, 3, dims},
        {"bad-header: wrong rank 0, accepted: 1 to 7", ANN_ERR_FORMAT, 0x08, 0, dims},
        {"bad-header: wrong rank 8, accepted: 1 to 7", ANN_ERR_FORMAT, 0x08, 8, dims},
        {"bad-header: is empty (extent 0 is 0)", ANN_ERR_FORMAT, 0x08, 3, none},
        {"bad-header: is empty (extent 1 is 0)", ANN_ERR_FORMAT, 0x08, 2, flat},
        {"bad-header: has too many elements", ANN_ERR_FORMAT, 0x08, 3, vast},
        {"bad-header: truncated in record 0 of 4294967295", ANN_ERR_FORMAT, 0x08, 1, vast},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_blob("bad-header", idx_blob(cases[i].type, cases[i].rank, cases[i].dims, 0));
        check_fails(import_train("bad-header", NULL), cases[i].status, cases[i].words);
    }
}

static void test_lengths(void **state) {
    (void)state;
    for (int gz = 0; gz < 2; gz++) {
        const char *name = gz ? "length.gz" : "length";
        blob cut = image_blob(TRAIN);
        cut.size = 16 + 123 * PIXELS + 5;
        put_blob(name, cut);
        check_fails(import_train(name, NULL), ANN_ERR_FORMAT, "truncated in record 123 of 300");
        cut = image_blob(TRAIN);
        cut.size = 10;
        put_blob(name, cut);
        check_fails(import_train(name, NULL), ANN_ERR_FORMAT, "truncated in the header");
        blob longer = image_blob(TRAIN);
        longer.bytes[7]--; /* one record less than there is */
        put_blob(name, longer);
        check_fails(import_train(name, NULL), ANN_ERR_FORMAT, "trailing bytes after the last of 299 records");
    }
}

static void test_damaged_gzip(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = fixture_bytes(fixture_path("train-images.gz"), &size);
    fixture_write(fixture_path("cut.gz"), bytes, size / 2);
    check_fails(import_train("cut.gz", NULL), ANN_ERR_FORMAT, "(the gzip stream ends early)");
    fixture_write(fixture_path("cut.gz"), bytes, size - 3);
    check_fails(import_train("cut.gz", NULL), ANN_ERR_FORMAT, "(the gzip stream ends early)");
    bytes[size - 6] ^= 0x10; /* in the checksum at the end */
    fixture_write(fixture_path("sum.gz"), bytes, size);
    check_fails(import_train("sum.gz", NULL), ANN_ERR_FORMAT, "sum.gz: damaged gzip data in ");
    memset(bytes + size / 2, 0xFF, 8);
    fixture_write(fixture_path("bits.gz"), bytes, size);
    check_fails(import_train("bits.gz", NULL), ANN_ERR_FORMAT, "bits.gz: damaged gzip data in ");
    free(bytes);
}

static void test_files_that_do_not_match(void **state) {
    (void)state;
    check_fails(import_train("train-images", "test-labels"), ANN_ERR_FORMAT,
                "test-labels: 40 labels for the 300 images of ");
    check_fails(import_train("train-images", "train-images"), ANN_ERR_FORMAT,
                "wrong rank 3 for labels, accepted: 1");
    const uint32_t dims[] = {4, W, H};
    put_blob("turned", idx_blob(0x08, 3, dims, 4 * PIXELS));
    check_fails(import("bad.h5", "train-images", NULL, "turned", NULL, 0), ANN_ERR_FORMAT,
                "turned: records [1,20,28], those of ");
    blob labels = label_blob(TRAIN);
    labels.bytes[8 + 217] = CLASSES;
    put_blob("high-label", labels);
    check_fails(import_train("train-images", "high-label"), ANN_ERR_CORRUPT,
                "high-label: record 217: label 10, but there are 10 class names");
    check_ok(import("unnamed.h5", "train-images", "high-label", NULL, NULL, 0));
}

/* ---- whole or not there ---- */

/* The old file stays what it was when a new import fails, whatever it fails of. */
static void test_failure_keeps_the_old_file(void **state) {
    (void)state;
    check_ok(import("kept.h5", "train-images", "train-labels", NULL, NULL, CLASSES));
    size_t before_size, after_size;
    uint8_t *before = fixture_bytes(fixture_path("kept.h5"), &before_size);
    check_fails(import("kept.h5", "train-images", "test-labels", NULL, NULL, CLASSES), ANN_ERR_FORMAT,
                "40 labels");
    uint8_t *after = fixture_bytes(fixture_path("kept.h5"), &after_size);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    assert_int_equal(fixture_count(".part"), 0);
    free(before);
    free(after);
}

/* A limit of the file's size fails its writes as a full disk does. */
static void test_file_size_limit(void **state) {
    (void)state;
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    void (*old_handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < TRAIN * PIXELS; limit = 2 * limit + 4096) {
        small = before;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        const ann_status status = import("limit.h5", "train-images", "train-labels", NULL, NULL, CLASSES);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        check_fails(status, ANN_ERR_NOSPACE, "limit.h5: File too large");
        assert_int_equal(fixture_count("limit.h5"), 0);
    }
    signal(SIGXFSZ, old_handler);
    check_ok(import("limit.h5", "train-images", "train-labels", NULL, NULL, CLASSES));
}

/* Fills the disk while the import runs: it has reserved what it needs. */
static void fill_disk(void *to, int64_t done, int64_t total, int64_t bytes) {
    (void)to, (void)done, (void)total, (void)bytes;
    static const char filler[4096];
    const int fd = open(fixture_path("disk/filler"), O_WRONLY | O_CREAT | O_APPEND, 0666);
    while (write(fd, filler, sizeof filler) > 0) {
    }
    close(fd);
}

enum { DISK_OK, DISK_UNSUPPORTED, DISK_WRONG };

static bool checksum_is_right(const char *path) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    if (ann_dataset_open(&dataset, &options) != ANN_OK) return false;
    uint64_t checksum = 0;
    const bool right = ann_dataset_compute_checksum(&checksum, dataset) == ANN_OK &&
                       ann_dataset_checksum(dataset) == checksum;
    ann_dataset_close(dataset);
    return right;
}

/* No CMocka asserts here and below: a child that fails must end, not go on with the parent's tests. */
static int import_to_disk(int disk_kib, ann_status *status) {
    char size[32];
    snprintf(size, sizeof size, "size=%dk", disk_kib);
    if (mount("tmpfs", fixture_path("disk"), "tmpfs", 0, size) != 0) return DISK_UNSUPPORTED;
    const ann_import_options options = {.out = fixture_path("disk/full.h5"), .progress = fill_disk};
    const files f = {fixture_path("train-images"), fixture_path("train-labels"), NULL, NULL};
    *status = import_files(&options, &f);
    const bool complete = access(options.out, F_OK) == 0;
    const bool whole = complete && checksum_is_right(options.out);
    unlink(fixture_path("disk/filler"));
    unlink(options.out);
    struct statvfs disk;
    const bool empty = statvfs(fixture_path("disk"), &disk) == 0 && disk.f_bfree == disk.f_blocks;
    const bool unmounted = umount(fixture_path("disk")) == 0;
    return empty && unmounted && complete == (*status == ANN_OK) && whole == complete ? DISK_OK : DISK_WRONG;
}

/* In a child with mounts of its own, which ends by exit(): HDF5 looks after its files once more then. */
static int run_full_disks(void) {
    if (unshare(CLONE_NEWNS) != 0) return DISK_UNSUPPORTED;
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) != 0) return DISK_UNSUPPORTED;
    if (mkdir(fixture_path("disk"), 0777) != 0) return DISK_WRONG;
    int counts[2] = {0, 0};
    for (int kib = 4; kib < 700; kib += 36) {
        ann_status status = ANN_OK;
        const int verdict = import_to_disk(kib, &status);
        if (verdict != DISK_OK) return verdict;
        if (status != ANN_OK && status != ANN_ERR_NOSPACE) return DISK_WRONG;
        counts[status == ANN_OK]++;
    }
    return counts[0] > 0 && counts[1] > 0 ? DISK_OK : DISK_WRONG;
}

static void test_full_disk(void **state) {
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        exit(run_full_disks());
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    if (WEXITSTATUS(how) == DISK_UNSUPPORTED) {
        print_message("skipped: no right to mount a small disk\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(how), DISK_OK);
}

static void kill_self(void *to, int64_t done, int64_t total, int64_t bytes) {
    (void)to, (void)done, (void)total, (void)bytes;
    raise(SIGKILL);
}

static void test_killed_import(void **state) {
    (void)state;
    const pid_t child = fork();
    if (child == 0) {
        const ann_import_options options = {.out = fixture_path("killed.h5"), .progress = kill_self};
        const files f = {.train_images = fixture_path("train-images")};
        _exit(import_files(&options, &f) == ANN_OK ? 0 : 1);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    assert_int_equal(access(fixture_path("killed.h5"), F_OK), -1);
    assert_int_equal(fixture_count("killed.h5.part"), 1);
    check_ok(import("killed.h5", "train-images", "train-labels", NULL, NULL,
                    CLASSES)); /* the next one is not in its way */
    check_split("killed.h5", "train", TRAIN);
}

/* ---- describing ---- */

typedef struct lines {
    char text[8192];
    size_t used;
} lines;

static void add_line(void *to, const char *line) {
    lines *l = to;
    assert_null(strchr(line, '\n'));
    l->used += (size_t)snprintf(l->text + l->used, sizeof l->text - l->used, "%s\n", line);
    assert_true(l->used < sizeof l->text);
}

static ann_status describe(lines *out, const char *name, bool verify) {
    *out = (lines){.used = 0};
    const ann_status status = ann_dataset_describe(fixture_path(name), add_line, out);
    if (status != ANN_OK || !verify) return status;
    return ann_dataset_verify(fixture_path(name), add_line, out);
}

static void test_describes(void **state) {
    (void)state;
    lines out;
    check_ok(
        import("described.h5", "train-images", "train-labels.gz", "test-images", "test-labels", CLASSES));
    check_ok(describe(&out, "described.h5", true));
    size_t size;
    uint8_t *source = fixture_bytes(fixture_path("train-labels.gz"), &size);
    char hash[80];
    snprintf(hash, sizeof hash, "train-labels.gz xxh3:%016llx\n",
             (unsigned long long)ann_hash(source, size, 0));
    free(source);
    const char *const wanted[] = {
        "name      described\n",
        hash,
        ", mean 0.",
        "train     300 samples\n",
        "  x       u8 [300,28,20,1], contiguous at ",
        ", 168000 bytes, mean ",
        "  y       u8 [300], contiguous at ",
        "  class 9          30  Ankle boot\n",
        "test      40 samples\n",
        "  class 0           4  T-shirt/top\n",
        "  verified\n",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strstr(out.text, wanted[i]) == NULL) fail_msg("no \"%s\" in\n%s", wanted[i], out.text);
    }
    const char *foreign = fixture_path("foreign.h5");
    const float x[] = {1, 2, 3, 4, 5, 6};
    const int32_t y[] = {1, 0, 1};
    const hsize_t dims[] = {3, 2};
    fixture_put(foreign, "/test/x", H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, FIXTURE_GZIP, x, 2, dims);
    fixture_put(foreign, "/test/y", H5T_STD_I16LE, H5T_NATIVE_INT32, FIXTURE_COMPACT, y, 1, dims);
    check_ok(describe(&out, "foreign.h5", false));
    const char *const want =
        "test      3 samples\n"
        "  x       f32 big-endian [3,2], chunked [1,1] shuffle deflate, 24 bytes (72 stored)\n"
        "  y       i16 [3], compact, 6 bytes\n"
        "  class 0           1\n"
        "  class 1           2\n"
        "  xxh3 ";
    if (strncmp(out.text, want, strlen(want)) != 0) fail_msg("%s", out.text);
    check_fails(describe(&out, "foreign.h5", true), ANN_ERR_NOT_FOUND, "/test: no checksum to verify");
}

static void test_verify_notices_one_bit(void **state) {
    (void)state;
    lines out;
    check_ok(import("bits.h5", "train-images", "train-labels", NULL, NULL, CLASSES));
    size_t size;
    uint8_t *bytes = fixture_bytes(fixture_path("bits.h5"), &size);
    bytes[4096 + 77777] ^= 1;
    fixture_write(fixture_path("bits.h5"), bytes, size);
    free(bytes);
    check_ok(describe(&out, "bits.h5", false));
    check_fails(describe(&out, "bits.h5", true), ANN_ERR_CORRUPT, "bits.h5: /train/x: checksum is ");
    check_fails(describe(&out, "train-images", true), ANN_ERR_FORMAT, "train-images: is not an HDF5 file");
    fixture_attr_double(fixture_path("hollow.h5"), "/", "mean", 0);
    check_fails(describe(&out, "hollow.h5", false), ANN_ERR_FORMAT,
                "hollow.h5: has no split, and no dataset that could be a field");
}

static void ignore_line(void *to, const char *line) { (void)to, (void)line; }

/* 0 if it is refused in one line or of no consequence; no word on stderr, nothing left open. */
static int describe_damaged(const char *path, int *refused) {
    fixture_capture_begin();
    ann_status status = ann_dataset_describe(path, ignore_line, NULL);
    if (status == ANN_OK) status = ann_dataset_verify(path, ignore_line, NULL);
    if (fixture_capture_end() != 0) return 1;
    if (H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) != 0) return 2;
    if (status == ANN_OK) return 0;
    (*refused)++;
    if (strchr(ann_error_text(), '\n') != NULL) return 3;
    return status == ANN_ERR_FORMAT || status == ANN_ERR_CORRUPT ? 0 : 4;
}

/* Any one bit of an imported file wrong. In a child that ends by _exit(), because HDF5 itself leaks when it
 * meets damage. */
static int describe_all_damages(const char *path) {
    const int fd = open(path, O_RDWR);
    const off_t size = lseek(fd, 0, SEEK_END);
    int refused = 0, verdict = size > 0 ? 0 : 5;
    for (off_t i = 0; i < size && verdict == 0; i++) {
        uint8_t byte;
        if (pread(fd, &byte, 1, i) != 1) return 5;
        const uint8_t damaged = byte ^ (uint8_t)(1u << (i % 8));
        if (pwrite(fd, &damaged, 1, i) != 1) return 5;
        verdict = describe_damaged(path, &refused);
        if (verdict != 0) print_error("byte %ld: %s\n", (long)i, ann_error_text());
        if (pwrite(fd, &byte, 1, i) != 1) return 5;
    }
    close(fd);
    return verdict == 0 && refused <= 252 ? 6 : verdict; /* 252: the data alone */
}

static void test_any_damaged_byte(void **state) {
    (void)state;
    const uint32_t dims[] = {12, 5, 4};
    put_blob("twelve", idx_blob(0x08, 3, dims, 240));
    put_blob("twelve-labels", label_blob(12));
    check_ok(import("twelve.h5", "twelve", "twelve-labels", NULL, NULL, CLASSES));
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(describe_all_damages(fixture_path("twelve.h5")));
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 0);
}

/* ---- the real thing ---- */

#define FASHION "/usr/share/datasets/fashion-mnist/"

static void test_fashion_mnist(void **state) {
    (void)state;
    if (access(FASHION "train-images-idx3-ubyte.gz", R_OK) != 0) {
        print_message("skipped: Debian's package dataset-fashion-mnist is not installed\n");
        skip();
    }
    const ann_import_options options = {
        .out = fixture_path("fashion.h5"), .classes = class_names, .class_count = CLASSES};
    const files f = {FASHION "train-images-idx3-ubyte.gz", FASHION "train-labels-idx1-ubyte.gz",
                     FASHION "t10k-images-idx3-ubyte.gz", FASHION "t10k-labels-idx1-ubyte.gz"};
    check_ok(import_files(&options, &f));
    lines out;
    check_ok(describe(&out, "fashion.h5", true));
    assert_non_null(strstr(out.text, "mean 0.286041, std 0.353024")); /* by numpy 0.28604060, 0.35302424 */
    assert_non_null(strstr(out.text, "[60000,28,28,1]"));
    assert_non_null(strstr(out.text, "[10000,28,28,1]"));
    assert_non_null(strstr(out.text, "  class 9        6000  Ankle boot\n"));
    assert_non_null(strstr(out.text, "  class 9        1000  Ankle boot\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_imports),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_constant_images),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_bad_input_files),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_files_that_do_not_match),
        cmocka_unit_test(test_failure_keeps_the_old_file),
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_killed_import),
        cmocka_unit_test(test_describes),
        cmocka_unit_test(test_verify_notices_one_bit),
        cmocka_unit_test(test_any_damaged_byte),
        cmocka_unit_test(test_fashion_mnist),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
