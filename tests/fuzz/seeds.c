/* Writes the inputs that fuzzing starts from: FOLDER/<target>/..., and FOLDER/<target>.dict, words that are
   worth trying. usage: fuzz_seeds FOLDER */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <hdf5.h>
#include "base/log.h"
#include "ckpt/ckpt.h"
#include "ckpt/manifest.h"
#include "ckpt/tools.h"
#include "coord/coord.h"
#include "datasets/import.h"
#include "fuzz/fuzz.h"
#include "support/ckpt_sample.h"
#include "support/scratch.h"

static const char *out;

static const char *seed_path(const char *target, const char *name) {
    static char path[SCRATCH_PATH_BYTES];
    (void)mkdir(scratch_path(path, "%s/%s", out, target), 0777);
    return scratch_path(path, "%s/%s/%s", out, target, name);
}

static void put(const char *target, const char *name, const void *data, size_t bytes) {
    scratch_write(seed_path(target, name), data, bytes);
}

/* ---- run files: the words of config.def; the files themselves are those of launch/runs ---- */

#define ANN_SECTION(id, type, path, doc)
#define ANN_KEY(id, key, type, field, preset, min, max, words, doc) #key, words, preset,
static const char *const run_words[] = {
#include "train/config.def"
};

static void put_words(FILE *dict, const char *words) {
    static const char between[] = "| ,.[]()";
    while (words && *words) {
        const size_t n = strcspn(words, between);
        if (n > 0 && n < 40) fprintf(dict, "\"%.*s\"\n", (int)n, words);
        words += n + strspn(words + n, between);
    }
}

static void put_run_words(void) {
    char path[SCRATCH_PATH_BYTES];
    FILE *dict = fopen(scratch_path(path, "%s/config.dict", out), "w");
    fuzz_require(dict != NULL, path);
    for (size_t i = 0; i < sizeof run_words / sizeof run_words[0]; i++) put_words(dict, run_words[i]);
    fprintf(dict, "\": { \"\n\" }\"\n\"- \"\n\"\\\"\"\n\"&a \"\n\"*a\"\n\"<<: \"\n\"!!str \"\n\"--- \"\n\"| "
                  "\\x0a\"\n\"# \"\n");
    (void)fclose(dict);
}

static void put_run_file(void) {
    static const char text[] =
        "name: r\noutput: o\ndata: { path: d.h5 }\nmodels: { m: [ { dense: { name: a, units: 3 } } ] }\n"
        "phases:\n  - { name: p, kind: supervised, model: [m], loss: mse, batch: 4,\n"
        "      program: [{ epochs: 1, lr: 1e-3 }] }\n\0phases.p.batch=8";
    static const char graph[] =
        "name: r\noutput: o\ndata: { path: /proc/self/exe }\ncheckpoint: { best: test_loss }\n"
        "models: { m: [ { dense: { name: a, units: 3 } } ] }\nphases:\n"
        "  - { name: e, kind: evaluate, load: { from: p, checkpoint: best }, after: [w] }\n"
        "  - { name: w, kind: export, load: { from: q }, file: w.npz }\n"
        "  - { name: q, kind: adapt, model: [m], data: { path: /proc/self/exe }, loss: cross_entropy, batch: "
        "4,\n"
        "      load: { from: p }, resources: { nodes: 1, ranks: 2, threads: 1 }, program: [{ epochs: 1, lr: "
        "1 }] "
        "}\n"
        "  - { name: p, kind: supervised, model: [m], loss: cross_entropy, batch: 4, program: [{ epochs: 1, "
        "lr: "
        "1 }] }\n\0phases.p.after=[e]";
    put("config", "flow", text, sizeof text - 1);
    put("config", "graph", graph, sizeof graph - 1);
}

/* ---- manifests ---- */

enum { LONG_LINE = 400 };

/* Shortens the sample's largest string: what is small is mutated faster. */
static char *without_long_lines(char *text) {
    char *to = text;
    for (char *line = text; *line;) {
        const size_t n = strcspn(line, "\n") + 1;
        if (n < LONG_LINE) memmove(to, line, n);
        else (void)memcpy(to, "  str: \"\"\n", 10);
        to += n < LONG_LINE ? n : 10;
        line += n;
    }
    return to;
}

static void put_manifest(void) {
    ann_comm *comm;
    size_t bytes;
    char path[SCRATCH_PATH_BYTES];
    fuzz_require(ann_comm_self(&comm) == ANN_OK, "no communicator");
    fuzz_require(ckpt_sample_write(comm, fuzz_dir(), 3, 7, 1) == ANN_OK, ann_error_text());
    ann_comm_free(comm);
    char *text =
        scratch_read(&bytes, scratch_path(path, "%s/step-0000000003/" ANNI_MANIFEST_NAME, fuzz_dir()));
    char *const last = strstr(text, "\nchecksum: ");
    fuzz_require(last != NULL, "a manifest without a checksum");
    last[1] = '\0';
    put("manifest", "sample", text, (size_t)(without_long_lines(text) - text));
    free(text);
}

/* ---- IDX, see fuzz_idx.c ---- */

static void put_idx(void) {
    static const uint8_t images[] = {0, 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    static const uint8_t labels[] = {1, 0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 0};
    static const uint8_t gzipped[] = {2, 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    put("idx", "images", images, sizeof images);
    put("idx", "labels", labels, sizeof labels);
    put("idx", "gzipped", gzipped, sizeof gzipped);
}

/* ---- datasets: what the importer writes, and what others write ---- */

static void put_dataset(void) {
    static const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6};
    static const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 0};
    static const char *const classes[] = {"ankle boot", "bag", "coat"};
    const char *const image_file = fuzz_file("images", images, sizeof images);
    const char *const label_file = fuzz_file("labels", labels, sizeof labels);
    const ann_import_options options = {
        .out = seed_path("dataset", "imported.h5"), .classes = classes, .class_count = 3};
    const ann_import_idx_options idx = {.train_images = &image_file,
                                        .train_image_count = 1,
                                        .train_labels = &label_file,
                                        .train_label_count = 1};
    fuzz_require(ann_import_idx(&options, &idx) == ANN_OK, ann_error_text());
}

static void put_h5(hid_t group, const char *name, hid_t type, int rank, hid_t creation) {
    static const uint8_t zeros[4096];
    const hsize_t dims[] = {8, 4}, chunk[] = {2, 4};
    const hid_t space = H5Screate_simple(rank, dims, NULL), list = H5Pcopy(creation);
    if (H5Pget_layout(list) == H5D_CHUNKED) H5Pset_chunk(list, rank, chunk);
    const hid_t set = H5Dcreate2(group, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    fuzz_require(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros) >= 0, name);
    H5Dclose(set);
    H5Pclose(list);
    H5Sclose(space);
}

static void put_foreign(const char *name, bool newest, hid_t creation, hid_t x, hid_t y) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (newest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t file = H5Fcreate(seed_path("dataset", name), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    const hid_t group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    fuzz_require(group >= 0, name);
    put_h5(group, "x", x, 2, creation);
    put_h5(group, "y", y, 1, creation);
    H5Gclose(group);
    H5Fclose(file);
    H5Pclose(access);
}

static void put_foreign_all(void) {
    const hid_t plain = H5Pcreate(H5P_DATASET_CREATE), gzip = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk[] = {2, 4};
    H5Pset_chunk(gzip, 2, chunk);
    H5Pset_shuffle(gzip);
    H5Pset_deflate(gzip, 6);
    put_foreign("plain.h5", false, plain, H5T_IEEE_F32LE, H5T_STD_I64LE);
    put_foreign("newest.h5", true, plain, H5T_STD_U8LE, H5T_STD_I32LE);
    put_foreign("gzip.h5", false, gzip, H5T_IEEE_F32BE, H5T_STD_U8LE);
    put_foreign("gzip-newest.h5", true, gzip, H5T_IEEE_F32LE, H5T_STD_U8LE);
    H5Pclose(plain);
    H5Pclose(gzip);
}

/* ---- CIFAR, NPY, texts: see their targets for the first bytes ---- */

static void put_cifar(void) {
    static uint8_t records[2 + 3074] = {0, 1, 7};
    put("cifar", "ten", records, 2 + 3073);
    records[1] = 2;
    put("cifar", "hundred", records, 2 + 3074);
}

static void put_npy(void) {
    static const char *const headers[] = {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }",
                                          "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }",
                                          "{'descr': '>i8', 'fortran_order': False, 'shape': (2, 1, 2), }",
                                          "{'descr': '|b1', 'fortran_order': True, 'shape': (4, 2), }"};
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        char file[1 + 128 + 64] = "\0\x93NUMPY\1\0\x76", name[32];
        file[10] = 0;
        (void)memset(file + 11, ' ', 117);
        memcpy(file + 11, headers[i], strlen(headers[i]));
        file[128] = '\n';
        (void)snprintf(name, sizeof name, "%zu.npy", i);
        put("npy", name, file, sizeof file);
        put("weights", name, file + 1, sizeof file - 1);
    }
}

static void put_text(void) {
    static const char bytes[] = "\0\0To be, or not to be",
                      chars[] = "\0\1to b\xC3\xA9, or not to b\xC3\xA9\n",
                      pairs[] = "\0\2annulus-bpe 1\nmerges 2\n116 111\n256 32\n\0to be, or not to be\n";
    put("text", "bytes", bytes, sizeof bytes - 1);
    put("text", "chars", chars, sizeof chars - 1);
    put("text", "pairs", pairs, sizeof pairs - 1);
}

static void put_csv(void) {
    static const char numbers[] = "\0\0a,b,c\n1,2,3.5\n-4,5e2,\"6\"\n7,NA,9\n",
                      words[] = "\x08\x08\"a\",b\r\n1,cat\r\n2,\"d\"\"o,g\"\r\n3,cat\r\n",
                      one_hot[] = "\2\x2c"
                                  "1,red\n2,blue\n";
    put("csv", "numbers", numbers, sizeof numbers - 1);
    put("csv", "words", words, sizeof words - 1);
    put("csv", "one_hot", one_hot, sizeof one_hot - 1);
}

/* ---- weights: what we export ourselves, of a few small tensors ---- */

static ann_store *small_store(void) {
    static const struct {
        const char *name;
        ann_dtype dtype;
        ann_shape shape;
    } table[] = {{"a/weight", ANN_F32, {2, {2, 3}}},
                 {"a/bias", ANN_F32, {1, {3}}},
                 {"n", ANN_I64, {0, {0}}},
                 {"mask", ANN_U8, {1, {5}}}};
    ann_store *store;
    ann_tensor tensor;
    bool good = ann_store_new(&store, 1) == ANN_OK;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        good = good && ann_store_declare(&tensor, store, table[i].name, table[i].dtype, &table[i].shape,
                                         ANN_ROLE_PARAM, (ann_init){.kind = ANN_INIT_ZERO}) == ANN_OK;
    fuzz_require(good && ann_store_commit(store) == ANN_OK, "no store");
    return store;
}

static void put_weights(void) {
    static const struct {
        ann_ckpt_file_format format;
        const char *target, *name;
    } table[] = {{ANN_CKPT_SAFETENSORS, "weights", "w.safetensors"},
                 {ANN_CKPT_NPZ, "weights", "w.npz"},
                 {ANN_CKPT_H5, "weights_h5", "w.h5"}};
    ann_store *store = small_store();
    ann_comm *comm;
    ann_ckpt *ckpt;
    bool good = ann_comm_self(&comm) == ANN_OK &&
                ann_ckpt_write(comm, fuzz_path("small"), 1, store, NULL, 1) == ANN_OK &&
                ann_ckpt_open(&ckpt, fuzz_path("small/step-0000000001")) == ANN_OK;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const ann_ckpt_export_options options = {
            .format = table[i].format, .tensors = "*", .roles = ANN_CKPT_ROLES_ALL};
        int tensors;
        int64_t bytes;
        good = good && ann_ckpt_export(&tensors, &bytes, ckpt, seed_path(table[i].target, table[i].name),
                                       &options) == ANN_OK;
    }
    fuzz_require(good, ann_error_text());
    ann_ckpt_close(ckpt);
    ann_comm_free(comm);
    ann_store_free(store);
}

/* ---- requests to the coordinator, as fuzz_coord takes them ---- */

static void put_request(const char *name, ann_coord_method method, const ProtobufCMessage *request) {
    uint8_t bytes[1024];
    const size_t size = protobuf_c_message_get_packed_size(request);
    fuzz_require(size <= sizeof bytes - 3, "a request is too long for a seed");
    bytes[0] = (uint8_t)method;
    bytes[1] = (uint8_t)size;
    bytes[2] = (uint8_t)(size >> 8);
    protobuf_c_message_pack(request, bytes + 3);
    put("coord", name, bytes, size + 3);
}

static void put_coord(void) {
    Annulus__V1__PhaseSpec phases[2] = {ANNULUS__V1__PHASE_SPEC__INIT, ANNULUS__V1__PHASE_SPEC__INIT};
    Annulus__V1__PhaseSpec *list[] = {&phases[0], &phases[1]};
    char *names[] = {"p"};
    Annulus__V1__RegisterRequest job = ANNULUS__V1__REGISTER_REQUEST__INIT;
    phases[0].name = "p";
    phases[1].name = "q/r";
    phases[1].after = names;
    phases[1].n_after = 1;
    job.key = "key2";
    job.run = "r";
    job.run_file = "name: r";
    job.phases = list;
    job.n_phases = 2;
    job.hosts = names;
    job.n_hosts = 1;
    job.ranks = 4;
    job.instance = "embedded";
    put_request("register", ANN_COORD_REGISTER_JOB, &job.base);
    Annulus__V1__Value value = {PROTOBUF_C_MESSAGE_INIT(&annulus__v1__value__descriptor), "loss", 0.5},
                       *values = &value;
    Annulus__V1__Metric metric = ANNULUS__V1__METRIC__INIT, *metrics = &metric;
    Annulus__V1__ReportRequest report = ANNULUS__V1__REPORT_REQUEST__INIT;
    metric.sequence = 1;
    metric.phase = "p";
    metric.values = &values;
    metric.n_values = 1;
    report.job = 1;
    report.metrics = &metrics;
    report.n_metrics = 1;
    put_request("report", ANN_COORD_REPORT, &report.base);
    Annulus__V1__RankState rank = ANNULUS__V1__RANK_STATE__INIT, *ranks = &rank;
    Annulus__V1__HeartbeatRequest beat = ANNULUS__V1__HEARTBEAT_REQUEST__INIT;
    rank.host = "h";
    beat.job = 1;
    beat.phase = "p";
    beat.ranks = &ranks;
    beat.n_ranks = 1;
    put_request("heartbeat", ANN_COORD_HEARTBEAT, &beat.base);
    Annulus__V1__Checkpoint checkpoint = ANNULUS__V1__CHECKPOINT__INIT;
    Annulus__V1__PhaseDoneRequest done = ANNULUS__V1__PHASE_DONE_REQUEST__INIT;
    checkpoint.phase = "p";
    checkpoint.path = "o/p";
    done.job = 1;
    done.phase = "p";
    done.checkpoint = &checkpoint;
    put_request("phase_done", ANN_COORD_PHASE_DONE, &done.base);
    Annulus__V1__ControlRequest control = ANNULUS__V1__CONTROL_REQUEST__INIT;
    control.run = "r";
    control.kind = ANNULUS__V1__CONTROL_KIND__STOP;
    control.step = 7;
    control.key = "again";
    put_request("control", ANN_COORD_CONTROL, &control.base);
    Annulus__V1__AppliedRequest applied = ANNULUS__V1__APPLIED_REQUEST__INIT;
    applied.job = 1;
    applied.request = 1;
    put_request("applied", ANN_COORD_APPLIED, &applied.base);
    Annulus__V1__StatusRequest status = ANNULUS__V1__STATUS_REQUEST__INIT;
    status.run = "r";
    put_request("status", ANN_COORD_STATUS, &status.base);
}

int main(int argc, char **argv) {
    fuzz_require(argc == 2, "usage: fuzz_seeds FOLDER");
    out = argv[1];
    (void)mkdir(out, 0777);
    ann_log_setup(ANN_LOG_ERROR, 0);
    put_run_words();
    put_run_file();
    put_manifest();
    put_idx();
    put_cifar();
    put_npy();
    put_text();
    put_csv();
    put_weights();
    put_dataset();
    put_foreign_all();
    put_coord();
    return 0;
}
