#include "support/ckpt_sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/philox.h"
#include "support/scratch.h"

static const struct {
    const char *name;
    ann_dtype dtype;
    int rank;
    int64_t dim[4];
    int block; /* -1: one of its own */
} layout[] = {
    {"encoder/fc1/weight", ANN_F32, 2, {37, 53}, 0},
    {"encoder/fc1/bias", ANN_F32, 1, {53}, 0},
    {"encoder/conv/weight", ANN_F32, 4, {5, 3, 7, 2}, 0},
    {"temperature", ANN_F32, 0, {0}, 0},
    {"bn/mean", ANN_F64, 1, {129}, 1},
    {"bn/var", ANN_F64, 3, {3, 11, 2}, 1},
    {"steps", ANN_I64, 0, {0}, -1},
    {"queue/ids", ANN_I32, 2, {1, 1000}, -1},
    {"mask", ANN_U8, 1, {4099}, -1},
    {"bn", ANN_U8, 1, {1}, -1},                  /* also the group of bn/mean */
    {"wide/weight", ANN_F32, 2, {130, 140}, -1}, /* so large that a library might align it: */
    {"wide/bias", ANN_F32, 1, {17}, -1},         /* this one must not slip in before it */
    {"odd//name", ANN_F32, 1, {3}, -1},          /* an empty component */
    {"./\xC3\xA9t\xC3\xA9 \"#1\"", ANN_F32, 2, {2, 2}, -1},
};
enum { LARGE = 200000 };
enum { TENSORS = sizeof layout / sizeof layout[0], BLOCKS = 2 };

static ann_status declare(ann_store *store) {
    ann_tensor members[BLOCKS][TENSORS], tensor;
    int counts[BLOCKS] = {0};
    for (int i = 0; i < TENSORS; i++) {
        ann_shape shape = {.rank = layout[i].rank};
        for (int d = 0; d < layout[i].rank; d++) shape.dim[d] = layout[i].dim[d];
        ANN_TRY(ann_store_declare(&tensor, store, layout[i].name, layout[i].dtype, &shape, (ann_role)(i % 3),
                                  (ann_init){.kind = ANN_INIT_ZERO}));
        if (layout[i].block >= 0) members[layout[i].block][counts[layout[i].block]++] = tensor;
    }
    for (int b = 0; b < BLOCKS; b++) {
        ann_block block;
        ANN_TRY(ann_store_group(&block, store, b ? "statistics" : "params \"1\"", members[b], counts[b]));
    }
    return ann_store_commit(store);
}

/* Element i of tensor t. */
static double value(int64_t tag, int t, int64_t i) {
    if (tag == 0) return 0;
    const uint32_t word = ann_random_u32((uint64_t)tag, (uint32_t)t, 0, (uint64_t)i);
    return layout[t].dtype == ANN_U8             ? word & 0xFF
           : ann_dtype_is_float(layout[t].dtype) ? word / 4096.0
                                                 : word >> 1;
}

void ckpt_sample_fill(ann_store *store, int64_t tag) {
    for (int t = 0; t < TENSORS; t++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){t});
        for (int64_t i = 0; i < ann_shape_elems(&info->shape); i++)
            ann_elem_set(ann_store_data(store, (ann_tensor){t}), info->dtype, i, value(tag, t, i));
    }
}

ann_store *ckpt_sample_store(int64_t tag) {
    ann_store *store;
    if (ann_store_new(&store, 1) != ANN_OK) return NULL;
    if (declare(store) != ANN_OK) {
        fprintf(stderr, "sample store: %s\n", ann_error_text());
        ann_store_free(store);
        return NULL;
    }
    ckpt_sample_fill(store, tag);
    return store;
}

static bool same(const void *data, int64_t tag, int t, const ann_tensor_info *info) {
    for (int64_t i = 0; i < ann_shape_elems(&info->shape); i++) {
        double expected = 0;
        ann_elem_set(&expected, info->dtype, 0, value(tag, t, i));
        if (memcmp(&expected, (const char *)data + (size_t)i * ann_dtype_bytes(info->dtype),
                   ann_dtype_bytes(info->dtype)) != 0) {
            fprintf(stderr, "%s differs from sample %lld at element %lld\n", info->name, (long long)tag,
                    (long long)i);
            return false;
        }
    }
    return true;
}

bool ckpt_sample_store_is(const ann_store *store, int64_t tag) {
    for (int t = 0; t < TENSORS; t++)
        if (!same(ann_store_data(store, (ann_tensor){t}), tag, t, ann_store_info(store, (ann_tensor){t})))
            return false;
    return true;
}

/* ---- metadata ---- */

static const char text[] =
    "lr: 0.1 # \"quoted\" \\ back\n\ttab\r\n  trailing \x01\x1f\x7f"
    "\xC2\x85\xC2\xA0\xE2\x80\xA8\xE2\x80\xA9\xEF\xBB\xBF\xEF\xBF\xBF \xF0\x9F\x98\x80 --- ... %\n";
static const double reals[] = {0.1, -0.0, 5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, 1.0 / 3};

static bool fill_meta(ann_meta *meta, int64_t tag) {
    bool good =
        ann_meta_set_i64(meta, "tag", tag) == ANN_OK && ann_meta_set_i64(meta, "low", INT64_MIN) == ANN_OK &&
        ann_meta_set_i64(meta, "high", INT64_MAX) == ANN_OK &&
        ann_meta_set_str(meta, "text", text) == ANN_OK && ann_meta_set_str(meta, "empty", "") == ANN_OK &&
        ann_meta_set_f64(meta, "nan", NAN) == ANN_OK &&
        ann_meta_set_str(meta, "key: with \"everything\" \n", "~") == ANN_OK;
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "real/%zu", i);
        good = good && ann_meta_set_f64(meta, key, reals[i]) == ANN_OK;
    }
    char *large = malloc(LARGE + 1);
    if (!large) return false;
    for (int i = 0; i < LARGE; i++) large[i] = (char)(i % 97 == 0 ? '\n' : ' ' + (i * 7 + tag) % 90);
    large[LARGE] = '\0';
    good = good && ann_meta_set_str(meta, "large", large) == ANN_OK;
    free(large);
    return good;
}

ann_meta *ckpt_sample_meta(int64_t tag) {
    ann_meta *meta;
    if (ann_meta_new(&meta) != ANN_OK) return NULL;
    if (fill_meta(meta, tag)) return meta;
    ann_meta_free(meta);
    return NULL;
}

static bool same_f64(const ann_meta *meta, const char *key, double expected) {
    double found;
    return ann_meta_get_f64(meta, key, &found) == ANN_OK && memcmp(&found, &expected, sizeof found) == 0;
}

static bool same_str(const ann_meta *meta, const ann_meta *expected, const char *key) {
    const char *a, *b;
    return ann_meta_get_str(meta, key, &a) == ANN_OK && ann_meta_get_str(expected, key, &b) == ANN_OK &&
           strcmp(a, b) == 0;
}

bool ckpt_sample_meta_is(const ann_meta *meta, int64_t tag) {
    int64_t i64 = 0, low = 0, high = 0;
    ann_meta *expected = ckpt_sample_meta(tag);
    bool good = expected && ann_meta_get_i64(meta, "tag", &i64) == ANN_OK && i64 == tag &&
                ann_meta_get_i64(meta, "low", &low) == ANN_OK && low == INT64_MIN &&
                ann_meta_get_i64(meta, "high", &high) == ANN_OK && high == INT64_MAX;
    static const char *const keys[] = {"text", "empty", "large", "key: with \"everything\" \n"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        good = good && same_str(meta, expected, keys[i]);
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "real/%zu", i);
        good = good && same_f64(meta, key, reals[i]);
    }
    good = good && same_f64(meta, "nan", NAN);
    ann_meta_free(expected);
    if (!good) fprintf(stderr, "metadata differ from sample %lld: %s\n", (long long)tag, ann_error_text());
    return good;
}

/* ---- checkpoints ---- */

ann_status ckpt_sample_write(ann_comm *comm, const char *dir, int64_t step, int64_t tag, int keep) {
    ann_store *store = ckpt_sample_store(tag);
    ann_meta *meta = ckpt_sample_meta(tag);
    const bool made = store && meta;
    const ann_status status = made ? ann_ckpt_write(comm, dir, step, store, meta, keep) : ANN_ERR_MEMORY;
    ann_meta_free(meta);
    ann_store_free(store);
    return status;
}

ann_status ckpt_sample_write_beside(ann_comm *comm, const ann_ckpt_options *options, int64_t step,
                                    int64_t tag) {
    ann_store *store = ckpt_sample_store(tag);
    ann_meta *meta = ckpt_sample_meta(tag);
    ann_ckpt_writer *writer = NULL;
    bool busy = true;
    ann_status status = store && meta ? ann_ckpt_writer_new(comm, &writer, store, options) : ANN_ERR_MEMORY;
    if (status == ANN_OK) status = ann_ckpt_writer_begin(comm, writer, step, meta);
    ann_meta_free(meta);
    while (status == ANN_OK && busy) {
        ckpt_sample_fill(store, tag + 1);
        status = ann_ckpt_writer_poll(comm, writer, &busy);
    }
    if (status == ANN_OK) status = ann_ckpt_writer_wait(comm, writer);
    ann_ckpt_writer_free(writer);
    ann_store_free(store);
    return status;
}

static bool tensors_are(const ann_ckpt *ckpt, int64_t tag) {
    bool good = ann_ckpt_tensor_count(ckpt) == TENSORS;
    for (int t = 0; good && t < TENSORS; t++) {
        const ann_tensor_info *info = ann_ckpt_tensor(ckpt, t);
        void *data = malloc((size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype));
        good = strcmp(info->name, layout[t].name) == 0 && (int)info->role == t % 3 && data &&
               ann_ckpt_read(ckpt, info->name, data) == ANN_OK && same(data, tag, t, info);
        free(data);
    }
    return good;
}

int64_t ckpt_sample_tag(const char *path) {
    ann_ckpt *ckpt;
    int64_t tag = -1;
    if (ann_ckpt_open(&ckpt, path) != ANN_OK) {
        fprintf(stderr, "%s\n", ann_error_text());
        return -1;
    }
    ann_store *store = ckpt_sample_store(0);
    const bool good = store && ann_meta_get_i64(ann_ckpt_meta(ckpt), "tag", &tag) == ANN_OK &&
                      ckpt_sample_meta_is(ann_ckpt_meta(ckpt), tag) && tensors_are(ckpt, tag) &&
                      ann_ckpt_restore(ckpt, store) == ANN_OK && ckpt_sample_store_is(store, tag);
    if (!good) fprintf(stderr, "%s is not sample %lld: %s\n", path, (long long)tag, ann_error_text());
    ann_store_free(store);
    ann_ckpt_close(ckpt);
    return good ? tag : -1;
}

/* ---- h5py ---- */

/* The bytes, name, type and extents of each tensor as files that tests/ckpt/read_whole.py compares with. */
static void dump(const ann_store *store, const char *dir) {
    static const char *const numpy_name[] = {"float32", "float64", "int32", "int64", "uint8"};
    for (int t = 0; t < TENSORS; t++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){t});
        char path[SCRATCH_PATH_BYTES], about[512];
        int n = snprintf(about, sizeof about, "%s\n%s\n", info->name, numpy_name[info->dtype]);
        for (int d = 0; d < info->shape.rank; d++)
            n += snprintf(about + n, sizeof about - (size_t)n, "%lld ", (long long)info->shape.dim[d]);
        n += snprintf(about + n, sizeof about - (size_t)n, "\n");
        scratch_write(scratch_path(path, "%s/%d.txt", dir, t), about, (size_t)n);
        scratch_write(scratch_path(path, "%s/%d.raw", dir, t), ann_store_data(store, (ann_tensor){t}),
                      (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype));
    }
}

int ckpt_sample_h5py(const char *path, int64_t tag, const char *scratch) {
    const char *source = getenv("ANNULUS_SOURCE");
    const char *python = "/usr/bin/python3"; /* the distribution's, which sees the distribution's h5py */
    char expected[SCRATCH_PATH_BYTES], command[3 * SCRATCH_PATH_BYTES];
    (void)snprintf(command, sizeof command, "%s -c 'import h5py' 2>/dev/null", python);
    if (system(command) != 0) return -1;
    scratch_path(expected, "%s/expected", scratch);
    if (mkdir(expected, 0777) != 0) return 0;
    ann_store *store = ckpt_sample_store(tag);
    if (store) dump(store, expected);
    ann_store_free(store);
    (void)snprintf(command, sizeof command, "%s '%s/tests/ckpt/read_whole.py' '%s' '%s'", python,
                   source ? source : ".", path, expected);
    const bool equal = store && system(command) == 0;
    scratch_remove(expected);
    return equal;
}
