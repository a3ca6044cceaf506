/* Files of others: what is read from well-formed ones, and that nothing but a refusal comes from all others:
   cut at every length, with every byte changed, with lengths that lie. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include "ckpt/foreign.h"
#include "ckpt/json.h"
#include "ckpt/tools.h"
#include "support/check.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static char dir[SCRATCH_PATH_BYTES], file[SCRATCH_PATH_BYTES];

static int setup(void **state) {
    (void)state;
    scratch_make(dir);
    scratch_path(file, "%s/file", dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    scratch_remove(dir);
    return 0;
}

/* ---- files made here ---- */

typedef struct text {
    char bytes[8192];
    size_t n;
} text;

static void put(text *t, const void *data, size_t n) {
    assert_true(t->n + n <= sizeof t->bytes);
    memcpy(t->bytes + t->n, data, n);
    t->n += n;
}

static void put_number(text *t, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++, value >>= 8) put(t, &(unsigned char){(unsigned char)value}, 1);
}

static void save(const text *t) { scratch_write(file, t->bytes, t->n); }

static void save_safetensors(const char *header, const void *data, size_t bytes) {
    text t = {.n = 0};
    put_number(&t, strlen(header), 8);
    put(&t, header, strlen(header));
    put(&t, data, bytes);
    save(&t);
}

static void put_npy(text *t, const char *dictionary, const void *data, size_t bytes) {
    put(t, "\x93NUMPY\x01\x00", 8);
    put_number(t, strlen(dictionary), 2);
    put(t, dictionary, strlen(dictionary));
    put(t, data, bytes);
}

static void save_npy(const char *dictionary, const void *data, size_t bytes) {
    text t = {.n = 0};
    put_npy(&t, dictionary, data, bytes);
    save(&t);
}

typedef struct zipped {
    uint32_t crc;
    size_t packed, unpacked, local;
    bool deflated;
} zipped;

/* A local header and the member's data. */
static zipped put_member(text *t, const char *name, const text *data, bool deflated) {
    unsigned char packed[8192];
    zipped z = {(uint32_t)crc32(0, (const Bytef *)data->bytes, (uInt)data->n), data->n, data->n, t->n,
                deflated};
    memcpy(packed, data->bytes, data->n);
    if (deflated) {
        z_stream s = {.next_in = (Bytef *)(uintptr_t)data->bytes,
                      .avail_in = (uInt)data->n,
                      .next_out = packed,
                      .avail_out = sizeof packed};
        assert_int_equal(deflateInit2(&s, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        z.packed = s.total_out;
        deflateEnd(&s);
    }
    put_number(t, 0x04034B50, 4);
    put_number(t, 20, 2);
    put_number(t, 0, 2);
    put_number(t, deflated ? 8 : 0, 2);
    put_number(t, 0, 4);
    put_number(t, z.crc, 4);
    put_number(t, z.packed, 4);
    put_number(t, z.unpacked, 4);
    put_number(t, strlen(name), 2);
    put_number(t, 0, 2);
    put(t, name, strlen(name));
    put(t, packed, z.packed);
    return z;
}

static void put_entry(text *t, const char *name, const zipped *z, bool zip64) {
    put_number(t, 0x02014B50, 4);
    put_number(t, 20, 2);
    put_number(t, 20, 2);
    put_number(t, 0, 2);
    put_number(t, z->deflated ? 8 : 0, 2);
    put_number(t, 0, 4);
    put_number(t, z->crc, 4);
    put_number(t, zip64 ? 0xFFFFFFFF : z->packed, 4);
    put_number(t, zip64 ? 0xFFFFFFFF : z->unpacked, 4);
    put_number(t, strlen(name), 2);
    put_number(t, zip64 ? 28 : 0, 2);
    put_number(t, 0, 8);
    put_number(t, 0, 2);
    put_number(t, zip64 ? 0xFFFFFFFF : z->local, 4);
    put(t, name, strlen(name));
    if (!zip64) return;
    put_number(t, 1, 2);
    put_number(t, 24, 2);
    put_number(t, z->unpacked, 8);
    put_number(t, z->packed, 8);
    put_number(t, z->local, 8);
}

static void put_end(text *t, size_t directory, int count, bool zip64) {
    const size_t end = t->n, bytes = end - directory;
    if (zip64) {
        put_number(t, 0x06064B50, 4);
        put_number(t, 44, 8);
        put_number(t, 45 | 45 << 16, 4);
        put_number(t, 0, 8);
        put_number(t, (uint64_t)count, 8);
        put_number(t, (uint64_t)count, 8);
        put_number(t, bytes, 8);
        put_number(t, directory, 8);
        put_number(t, 0x07064B50, 4);
        put_number(t, 0, 4);
        put_number(t, end, 8);
        put_number(t, 1, 4);
    }
    put_number(t, 0x06054B50, 4);
    put_number(t, 0, 4);
    put_number(t, zip64 ? 0xFFFF : (uint64_t)count, 2);
    put_number(t, zip64 ? 0xFFFF : (uint64_t)count, 2);
    put_number(t, zip64 ? 0xFFFFFFFF : bytes, 4);
    put_number(t, zip64 ? 0xFFFFFFFF : directory, 4);
    put_number(t, 0, 2);
}

static void save_npz(bool deflated, bool zip64) {
    static const float values[] = {1, 2, 3, 4, 5, 6};
    text a = {.n = 0}, b = {.n = 0}, t = {.n = 0};
    put_npy(&a, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", values, sizeof values);
    put_npy(&b, "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", values, sizeof values);
    const zipped z[] = {put_member(&t, "a.npy", &a, deflated), put_member(&t, "deep/b.npy", &b, deflated)};
    const size_t directory = t.n;
    put_entry(&t, "a.npy", &z[0], zip64);
    put_entry(&t, "deep/b.npy", &z[1], zip64);
    put_end(&t, directory, 2, zip64);
    save(&t);
}

/* ---- reading them ---- */

static ann_foreign *open_good(const char *format, int count) {
    ann_foreign *f;
    check_ok(ann_foreign_open(&f, file));
    assert_string_equal(ann_foreign_format(f), format);
    assert_int_equal(ann_foreign_count(f), count);
    return f;
}

static void expect_floats(const ann_foreign *f, const char *name, const double *values, int64_t count) {
    double out[64];
    for (int i = 0; i < ann_foreign_count(f); i++) {
        const ann_foreign_tensor *t = ann_foreign_tensor_at(f, i);
        if (strcmp(t->name, name) != 0) continue;
        assert_null(t->problem);
        assert_int_equal(ann_shape_elems(&t->shape), count);
        check_ok(ann_foreign_read(f, i, ANN_F64, out));
        for (int64_t k = 0; k < count; k++)
            if (isnan(values[k]) ? !isnan(out[k]) : out[k] != values[k])
                fail_msg("%s[%lld] is %.17g, not %.17g", name, (long long)k, out[k], values[k]);
        return;
    }
    fail_msg("there is no %s", name);
}

static void half_precision(void **state) {
    (void)state;
    static const uint16_t f16[] = {0x3C00, 0xC000, 0x0001, 0x03FF, 0x0400, 0x7BFF,
                                   0x7C00, 0xFC00, 0x7E01, 0x8000, 0x3555};
    static const double as_f16[] = {1,        -2,        0x1p-24, 1023 * 0x1p-24, 0x1p-14,      65504,
                                    INFINITY, -INFINITY, NAN,     -0.0,           1365.0 / 4096};
    static const uint16_t bf16[] = {0x3F80, 0xC000, 0x7F7F, 0x7F80, 0x7FC0, 0x0001, 0x4049};
    static const double as_bf16[] = {1, -2, 0x1.FEp127, INFINITY, NAN, 0x1p-133, 3.140625};
    save_safetensors("{\"x\":{\"dtype\":\"F16\",\"shape\":[11],\"data_offsets\":[0,22]}}", f16, sizeof f16);
    ann_foreign *f = open_good("safetensors", 1);
    assert_true(ann_foreign_tensor_at(f, 0)->as == ANN_F32);
    expect_floats(f, "x", as_f16, 11);
    ann_foreign_close(f);
    save_safetensors("{\"x\":{\"dtype\":\"BF16\",\"shape\":[7],\"data_offsets\":[0,14]}}", bf16, sizeof bf16);
    f = open_good("safetensors", 1);
    expect_floats(f, "x", as_bf16, 7);
    ann_foreign_close(f);
}

static void integers(void **state) {
    (void)state;
    static const struct {
        const char *dtype;
        unsigned char bytes[8];
        int width;
        int64_t value;
    } cases[] = {{"I8", {0x80}, 1, -128},
                 {"I16", {0xFF, 0xFF}, 2, -1},
                 {"U16", {0xFF, 0xFF}, 2, 65535},
                 {"I32", {0, 0, 0, 0x80}, 4, INT32_MIN},
                 {"U8", {200}, 1, 200},
                 {"U32", {0xFF, 0xFF, 0xFF, 0xFF}, 4, 4294967295},
                 {"BOOL", {2}, 1, 1},
                 {"I64", {1, 0, 0, 0, 0, 0, 0, 0x80}, 8, INT64_MIN + 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[128];
        int64_t value = 0;
        int32_t narrow;
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[],\"data_offsets\":[0,%d]}}",
                 cases[i].dtype, cases[i].width);
        save_safetensors(header, cases[i].bytes, (size_t)cases[i].width);
        ann_foreign *f = open_good("safetensors", 1);
        check_ok(ann_foreign_read(f, 0, ANN_I64, &value));
        if (value != cases[i].value) fail_msg("%s: %lld", cases[i].dtype, (long long)value);
        const bool fits = value >= INT32_MIN && value <= INT32_MAX;
        assert_int_equal(ann_foreign_read(f, 0, ANN_I32, &narrow), fits ? ANN_OK : ANN_ERR_DTYPE);
        assert_false(ann_foreign_converts(f, 0, ANN_F32));
        assert_int_equal(ann_foreign_read(f, 0, ANN_F32, &narrow), ANN_ERR_DTYPE);
        ann_foreign_close(f);
    }
    const uint64_t huge = UINT64_MAX;
    int64_t value;
    save_safetensors("{\"x\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]}}", &huge, 8);
    ann_foreign *f = open_good("safetensors", 1);
    assert_int_equal(ann_foreign_read(f, 0, ANN_I64, &value), ANN_ERR_DTYPE);
    ann_foreign_close(f);
}

static void npz_of_every_kind(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        save_npz(kind & 1, kind & 2);
        ann_foreign *f = open_good("npz", 2);
        expect_floats(f, "a", (double[]){1, 2, 3, 4, 5, 6}, 6);
        expect_floats(f, "deep/b", (double[]){1, 3, 5, 2, 4, 6},
                      6); /* its columns follow each other in the file */
        ann_foreign_close(f);
    }
}

static void npy_variants(void **state) {
    (void)state;
    const unsigned char big[] = {0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0};
    save_npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", big, sizeof big);
    ann_foreign *f = open_good("npy", 1);
    expect_floats(f, "", (double[]){1, -2}, 2);
    ann_foreign_close(f);
    save_npy("{'shape': (), \"descr\": '<f8', 'fortran_order': True}", &(double){2.5}, 8);
    f = open_good("npy", 1);
    expect_floats(f, "", (double[]){2.5}, 1);
    ann_foreign_close(f);
}

/* Listed with the reason, and read by nobody. */
static void what_cannot_be_taken_is_said(void **state) {
    (void)state;
    static const struct {
        const char *entry, *why;
    } cases[] = {
        {"\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]", "no numbers we know"},
        {"\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]", "more than 8 dimensions"},
        {"\"dtype\":\"F32\",\"shape\":[0,2],\"data_offsets\":[0,0]", "it is empty"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[256];
        double value;
        snprintf(header, sizeof header,
                 "{\"bad\":{%s},\"good\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}",
                 cases[i].entry);
        save_safetensors(header, &(double){3}, 8);
        ann_foreign *f = open_good("safetensors", 2);
        assert_non_null(strstr(ann_foreign_tensor_at(f, 0)->problem, cases[i].why));
        assert_int_equal(ann_foreign_read(f, 0, ANN_F64, &value), ANN_ERR_UNSUPPORTED);
        expect_floats(f, "good", (double[]){3}, 1);
        ann_foreign_close(f);
    }
}

/* ---- refusing ---- */

static void expect_refused(const char *what) {
    ann_foreign *f = NULL;
    const ann_status status = ann_foreign_open(&f, file);
    if (status == ANN_OK || f) fail_msg("accepted: %s", what);
    assert_true(status == ANN_ERR_FORMAT || status == ANN_ERR_CORRUPT || status == ANN_ERR_UNSUPPORTED);
    assert_null(strchr(ann_error_text(), '\n'));
}

static void lies_in_safetensors(void **state) {
    (void)state;
    static const char *const headers[] = {
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,2],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}",
        "{\"x\":{\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}}",
        "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},}",
        ("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"x\":{\"dtype\":\"F32\",\"shape\":"
         "["
         "2],\"data_offsets\":[0,8]}}"),
        "{\"a\\u0000b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"\xFF\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "{\"x\":[]}",
        "{",
    };
    const double data = 0;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        save_safetensors(headers[i], &data, sizeof data);
        expect_refused(headers[i]);
    }
    text t = {.n = 0};
    put_number(&t, UINT64_MAX, 8);
    put(&t, "{}", 2);
    save(&t);
    expect_refused("a header longer than the file");
    char deep[600] = "{\"__metadata__\":";
    memset(deep + strlen(deep), '[', 300);
    save_safetensors(deep, &data, 0);
    expect_refused("300 brackets");
}

static void lies_in_npy(void **state) {
    (void)state;
    static const char *const dictionaries[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'what': 1, 'shape': (2,), }",
        "'descr'",
        "",
    };
    const double data = 0;
    for (size_t i = 0; i < sizeof dictionaries / sizeof dictionaries[0]; i++) {
        save_npy(dictionaries[i], &data, sizeof data);
        expect_refused(dictionaries[i]);
    }
}

/* Whatever a file says, opening and reading it neither crashes nor reads beyond; what comes out is a status.
 */
static void read_all(void) {
    ann_foreign *f;
    if (ann_foreign_open(&f, file) != ANN_OK) return;
    for (int i = 0; i < ann_foreign_count(f); i++) {
        const ann_foreign_tensor *t = ann_foreign_tensor_at(f, i);
        const int64_t elems = t->problem ? 0 : ann_shape_elems(&t->shape);
        void *out = elems > 0 && elems < 100000 ? malloc((size_t)elems * 8) : NULL;
        if (out && ann_foreign_read(f, i, t->as, out) != ANN_OK) assert_true(ann_error_text()[0]);
        free(out);
    }
    ann_foreign_close(f);
}

static void damage_every_byte(size_t stride) {
    size_t bytes;
    char *data = scratch_read(&bytes, file);
    for (size_t i = 0; i < bytes; i += stride) {
        static const unsigned char masks[] = {0x01, 0x80, 0xFF};
        for (int m = 0; m < 3; m++) {
            data[i] = (char)(data[i] ^ masks[m]);
            scratch_write(file, data, bytes);
            read_all();
            data[i] = (char)(data[i] ^ masks[m]);
        }
    }
    for (size_t n = 0; n < bytes; n += stride) {
        scratch_write(file, data, n);
        read_all();
    }
    free(data);
}

static void every_byte_may_be_wrong(void **state) {
    (void)state;
    save_safetensors("{\"__metadata__\":{\"a\":\"\\u00e9\\ud83d\\ude00\"},\"x\":{\"dtype\":\"F32\",\"shape\":"
                     "[1,2],\"data_offsets\":[0,8]}}",
                     &(double){1}, 8);
    damage_every_byte(1);
    save_npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2), }", &(double){1}, 8);
    damage_every_byte(1);
    for (int kind = 0; kind < 4; kind++) {
        save_npz(kind & 1, kind & 2);
        damage_every_byte(1);
    }
}

/* A changed byte of a member's contents is noticed by its CRC. */
static void damage_in_an_archive_is_noticed(void **state) {
    (void)state;
    save_npz(false, false);
    size_t bytes;
    char *data = scratch_read(&bytes, file);
    char *value = memmem(data, bytes, &(float){5}, sizeof(float));
    assert_non_null(value);
    value[2] = (char)(value[2] ^ 1);
    scratch_write(file, data, bytes);
    free(data);
    ann_foreign *f = NULL;
    assert_int_equal(ann_foreign_open(&f, file), ANN_ERR_CORRUPT);
    assert_non_null(strstr(ann_error_text(), "is damaged"));
}

static void hdf5_may_be_wrong(void **state) {
    (void)state;
    char folder[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    ann_comm *comm;
    ann_ckpt *ckpt;
    int tensors;
    int64_t bytes;
    check_ok(ann_comm_self(&comm));
    check_ok(ckpt_sample_write(comm, scratch_path(folder, "%s/h5", dir), 1, 1, 0));
    check_ok(ann_ckpt_peek(&ckpt, scratch_path(path, "%s/step-0000000001", folder)));
    const ann_ckpt_export_options options = {ANN_CKPT_H5, "encoder/*,steps", ANN_CKPT_ROLES_ALL};
    check_ok(ann_ckpt_export(&tensors, &bytes, ckpt, file, &options));
    ann_ckpt_close(ckpt);
    ann_comm_free(comm);
    size_t size;
    char *data = scratch_read(&size, file);
    for (size_t at = 8; at < size; at += size / 60) {
        data[at] = (char)(data[at] ^ 0xFF);
        scratch_write(file, data, size);
        read_all();
        data[at] = (char)(data[at] ^ 0xFF);
    }
    for (size_t n = 0; n < size; n += size / 20) {
        scratch_write(file, data, n);
        read_all();
    }
    free(data);
    /* A view of shards: what is missing would look like values. */
    assert_int_equal(rename(scratch_path(path, "%s/step-0000000001/whole.h5", folder), file), 0);
    ann_foreign *f;
    check_ok(ann_foreign_open(&f, file));
    for (int i = 0; i < ann_foreign_count(f); i++)
        if (ann_foreign_tensor_at(f, i)->shape.rank > 0)
            assert_non_null(strstr(ann_foreign_tensor_at(f, i)->problem, "it is virtual"));
    ann_foreign_close(f);
}

static void other_things_are_no_tensors(void **state) {
    (void)state;
    static const char *const contents[] = {"", "x", "name: run\n", "PK\3\4 but no archive",
                                           "\x89HDF\r\n\x1a\n and nothing more"};
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        scratch_write(file, contents[i], strlen(contents[i]));
        expect_refused(contents[i]);
    }
    ann_foreign *f;
    assert_int_equal(ann_foreign_open(&f, "/nonexistent"), ANN_ERR_NOT_FOUND);
    assert_int_equal(ann_foreign_open(&f, "/dev/null"), ANN_ERR_FORMAT);
    assert_int_equal(ann_foreign_open(&f, dir),
                     ANN_ERR_NOT_FOUND); /* a folder without checkpoints right in or below it: */
}

static void json_strings(void **state) {
    (void)state;
    static const char source[] = "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\", "
                                 "{\"k\": [1, {\"x\": null}]}, 7 ]";
    anni_json j;
    ann_arena *arena;
    const char *out;
    bool more;
    int64_t number;
    check_ok(ann_arena_new(&arena));
    anni_json_begin(&j, "text", source, strlen(source));
    check_ok(anni_json_array(&j));
    check_ok(anni_json_element(&j, &more));
    check_ok(anni_json_string(&j, &out, arena));
    assert_string_equal(out, "\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
    check_ok(anni_json_element(&j, &more));
    check_ok(anni_json_skip(&j));
    check_ok(anni_json_element(&j, &more));
    check_ok(anni_json_count(&j, &number));
    assert_int_equal(number, 7);
    check_ok(anni_json_element(&j, &more));
    assert_false(more);
    check_ok(anni_json_end(&j));
    ann_arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_precision),
        cmocka_unit_test(integers),
        cmocka_unit_test(npz_of_every_kind),
        cmocka_unit_test(npy_variants),
        cmocka_unit_test(what_cannot_be_taken_is_said),
        cmocka_unit_test(lies_in_safetensors),
        cmocka_unit_test(lies_in_npy),
        cmocka_unit_test(every_byte_may_be_wrong),
        cmocka_unit_test(damage_in_an_archive_is_noticed),
        cmocka_unit_test(other_things_are_no_tensors),
        cmocka_unit_test(hdf5_may_be_wrong),
        cmocka_unit_test(json_strings),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
