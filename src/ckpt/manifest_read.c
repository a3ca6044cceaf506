#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libfyaml.h>
#include "base/hash.h"
#include "base/yaml_guard.h"
#include "ckpt/files.h"
#include "ckpt/manifest.h"
#include "ckpt/meta.h"

/* ---- the checksum line ---- */

#define HEAD "format: annulus-checkpoint-1\nserial: "
#define TAIL_BYTES ((size_t)29) /* "checksum: 0x", 16 digits, newline */

static bool checksum_is_right(const char *text, size_t bytes) {
    if (bytes < TAIL_BYTES) return false;
    char tail[TAIL_BYTES + 1];
    (void)snprintf(tail, sizeof tail, "checksum: 0x%016" PRIx64 "\n", ann_hash(text, bytes - TAIL_BYTES, 0));
    return memcmp(tail, text + bytes - TAIL_BYTES, TAIL_BYTES) == 0;
}

int64_t anni_manifest_serial(const char *dir) {
    char path[ANNI_PATH_BYTES], *text = NULL;
    size_t bytes = 0;
    int64_t serial = -1;
    const int n = snprintf(path, sizeof path, "%s/" ANNI_MANIFEST_NAME, dir);
    FILE *file = n > 0 && n < (int)sizeof path ? fopen(path, "re") : NULL;
    if (!file) return -1;
    const ssize_t length = getdelim(&text, &bytes, '\0', file);
    (void)fclose(file);
    if (length > 0 && checksum_is_right(text, (size_t)length) && strncmp(text, HEAD, strlen(HEAD)) == 0)
        serial = strtoll(text + strlen(HEAD), NULL, 10);
    free(text);
    return serial;
}

/* ---- scalars ---- */

static ann_status bad(const char *key) {
    return ann_error(ANN_ERR_FORMAT, "\"%s\" is missing or wrong", key);
}

/* The scalar map[key] as a NUL-terminated copy in the arena. */
static ann_status get_text(const char **out, ann_arena *arena, struct fy_node *map, const char *key) {
    size_t n = 0;
    const char *text = map ? fy_node_mapping_lookup_scalar_by_simple_key(map, &n, key, FY_NT) : NULL;
    char *copy = text && !memchr(text, '\0', n) ? ann_arena_alloc(arena, n + 1) : NULL;
    if (!text || memchr(text, '\0', n)) return bad(key);
    if (!copy) return ann_error(ANN_ERR_MEMORY, "no memory for \"%s\"", key);
    memcpy(copy, text, n);
    copy[n] = '\0';
    *out = copy;
    return ANN_OK;
}

/* A number of at most 30 characters, in a given base, with nothing before or behind it. */
static ann_status scalar_number(char *digits, size_t size, struct fy_node *map, const char *key) {
    size_t n = 0;
    const char *text = map ? fy_node_mapping_lookup_scalar_by_simple_key(map, &n, key, FY_NT) : NULL;
    if (!text || n == 0 || n >= size) return bad(key);
    memcpy(digits, text, n);
    digits[n] = '\0';
    return strspn(digits, "-x0123456789abcdef") == n ? ANN_OK : bad(key);
}

static ann_status get_i64(int64_t *out, struct fy_node *map, const char *key, int64_t min, int64_t max) {
    char digits[31], *end;
    ANN_TRY(scalar_number(digits, sizeof digits, map, key));
    errno = 0;
    *out = strtoll(digits, &end, 10);
    return *end || errno || *out < min || *out > max ? bad(key) : ANN_OK;
}

static ann_status get_hex(uint64_t *out, struct fy_node *map, const char *key) {
    char digits[31], *end;
    ANN_TRY(scalar_number(digits, sizeof digits, map, key));
    if (strlen(digits) != 18 || digits[0] != '0' || digits[1] != 'x') return bad(key);
    *out = strtoull(digits + 2, &end, 16);
    return *end ? bad(key) : ANN_OK;
}

/* The index of the scalar map[key] among names[0..n). */
static ann_status get_choice(int *out, struct fy_node *map, const char *key, const char *const *names,
                             int n) {
    size_t bytes = 0;
    const char *text = map ? fy_node_mapping_lookup_scalar_by_simple_key(map, &bytes, key, FY_NT) : NULL;
    for (*out = 0; text && *out < n; (*out)++)
        if (strlen(names[*out]) == bytes && memcmp(names[*out], text, bytes) == 0) return ANN_OK;
    return bad(key);
}

static ann_status get_dtype(ann_dtype *out, struct fy_node *map) {
    const char *names[ANN_DTYPE_COUNT];
    for (int i = 0; i < ANN_DTYPE_COUNT; i++) names[i] = ann_dtype_name((ann_dtype)i);
    int choice;
    ANN_TRY(get_choice(&choice, map, "dtype", names, ANN_DTYPE_COUNT));
    *out = (ann_dtype)choice;
    return ANN_OK;
}

/* The sequence map[key]; *count elements of `bytes` each are allocated at *out. */
static ann_status get_list(struct fy_node **list, void **out, int *count, ann_arena *arena,
                           struct fy_node *map, const char *key, size_t bytes) {
    *list = fy_node_mapping_lookup_value_by_simple_key(map, key, FY_NT);
    if (!*list || !fy_node_is_sequence(*list)) return bad(key);
    *count = fy_node_sequence_item_count(*list);
    if (*count < 0) return bad(key);
    *out = ann_arena_alloc(arena, ((size_t)*count + 1) * bytes);
    return *out ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for \"%s\"", key);
}

/* ---- parts ---- */

#define MAX_ELEMS ((int64_t)1 << 56) /* of a tensor or block; in bytes, that still fits into int64_t */

static ann_status read_blocks(anni_manifest *m, struct fy_node *root) {
    struct fy_node *list, *item;
    void *cursor = NULL;
    ANN_TRY(
        get_list(&list, (void **)&m->blocks, &m->block_count, m->arena, root, "blocks", sizeof *m->blocks));
    for (anni_block *b = m->blocks; (item = fy_node_sequence_iterate(list, &cursor)); b++) {
        ANN_TRY(get_text(&b->name, m->arena, item, "name"));
        ANN_TRY(get_dtype(&b->dtype, item));
        ANN_TRY(get_i64(&b->elems, item, "elems", 0, MAX_ELEMS));
    }
    return ANN_OK;
}

static ann_status read_shape(ann_shape *shape, int64_t max_elems, struct fy_node *item) {
    struct fy_node *list = fy_node_mapping_lookup_value_by_simple_key(item, "shape", FY_NT), *extent;
    void *cursor = NULL;
    if (!list || !fy_node_is_sequence(list) || fy_node_sequence_item_count(list) > ANN_MAX_RANK)
        return bad("shape");
    for (*shape = ANN_SCALAR; (extent = fy_node_sequence_iterate(list, &cursor)); shape->rank++) {
        size_t n = 0;
        const char *text = fy_node_get_scalar(extent, &n);
        char digits[24];
        if (!text || n == 0 || n >= sizeof digits) return bad("shape");
        memcpy(digits, text, n);
        digits[n] = '\0';
        if (strspn(digits, "0123456789") != n) return bad("shape");
        const int64_t dim = strtoll(digits, NULL, 10);
        if (dim < 1 || dim > max_elems) return bad("shape");
        max_elems /= dim;
        shape->dim[shape->rank] = dim;
    }
    return ANN_OK;
}

static ann_status read_tensor(ann_tensor_info *t, anni_manifest *m, struct fy_node *item) {
    static const char *const roles[] = {"param", "state", "moment"};
    int64_t block;
    int role;
    *t = (ann_tensor_info){.init = {.kind = ANN_INIT_ZERO}};
    ANN_TRY(get_text(&t->name, m->arena, item, "name"));
    ANN_TRY(get_dtype(&t->dtype, item));
    ANN_TRY(get_choice(&role, item, "role", roles, 3));
    ANN_TRY(get_i64(&block, item, "block", 0, m->block_count - 1));
    const int64_t block_elems = m->blocks[block].elems;
    ANN_TRY(read_shape(&t->shape, block_elems, item));
    ANN_TRY(get_i64(&t->offset_elems, item, "offset", 0, block_elems - ann_shape_elems(&t->shape)));
    if (t->dtype != m->blocks[block].dtype) return bad("dtype");
    t->role = (ann_role)role;
    t->block = (ann_block){(int32_t)block};
    return ANN_OK;
}

static ann_status read_tensors(anni_manifest *m, struct fy_node *root) {
    struct fy_node *list, *item;
    void *cursor = NULL;
    ANN_TRY(get_list(&list, (void **)&m->tensors, &m->tensor_count, m->arena, root, "tensors",
                     sizeof *m->tensors));
    for (ann_tensor_info *t = m->tensors; (item = fy_node_sequence_iterate(list, &cursor)); t++)
        ANN_TRY(read_tensor(t, m, item));
    return ANN_OK;
}

static ann_status read_pieces(anni_shard *shard, anni_manifest *m, struct fy_node *node) {
    struct fy_node *list, *item;
    void *cursor = NULL;
    int64_t tensor, end = 0;
    ANN_TRY(get_list(&list, (void **)&shard->pieces, &shard->piece_count, m->arena, node, "pieces",
                     sizeof *shard->pieces));
    for (anni_piece *p = shard->pieces; (item = fy_node_sequence_iterate(list, &cursor)); p++) {
        ANN_TRY(get_i64(&tensor, item, "tensor", 0, m->tensor_count - 1));
        const ann_tensor_info *t = &m->tensors[tensor];
        const int64_t elems = ann_shape_elems(&t->shape), width = (int64_t)ann_dtype_bytes(t->dtype);
        p->tensor = (int32_t)tensor;
        ANN_TRY(get_i64(&p->begin, item, "begin", 0, elems - 1));
        ANN_TRY(get_i64(&p->elems, item, "elems", 1, elems - p->begin));
        ANN_TRY(get_i64(&p->offset_bytes, item, "offset", end, shard->file_bytes - p->elems * width));
        ANN_TRY(get_hex(&p->hash, item, "xxh3"));
        end = p->offset_bytes + p->elems * width;
    }
    return ANN_OK;
}

static ann_status read_shards(anni_manifest *m, struct fy_node *root) {
    struct fy_node *list, *item;
    void *cursor = NULL;
    ANN_TRY(
        get_list(&list, (void **)&m->shards, &m->shard_count, m->arena, root, "shards", sizeof *m->shards));
    for (anni_shard *shard = m->shards; (item = fy_node_sequence_iterate(list, &cursor)); shard++) {
        ANN_TRY(get_text(&shard->file, m->arena, item, "file"));
        if (!shard->file[0] || strchr(shard->file, '/')) return bad("file");
        ANN_TRY(get_i64(&shard->file_bytes, item, "bytes", 0, INT64_MAX));
        ANN_TRY(get_hex(&shard->rest_hash, item, "rest_xxh3"));
        ANN_TRY(read_pieces(shard, m, item));
    }
    return ANN_OK;
}

static ann_status read_entry(anni_manifest *m, struct fy_node *item) {
    const char *key, *text;
    int64_t i64;
    uint64_t bits;
    double f64;
    ANN_TRY(get_text(&key, m->arena, item, "key"));
    if (fy_node_mapping_lookup_value_by_simple_key(item, "i64", FY_NT)) {
        ANN_TRY(get_i64(&i64, item, "i64", INT64_MIN, INT64_MAX));
        return ann_meta_set_i64(m->meta, key, i64);
    }
    if (fy_node_mapping_lookup_value_by_simple_key(item, "f64", FY_NT)) {
        ANN_TRY(get_hex(&bits, item, "f64"));
        memcpy(&f64, &bits, sizeof f64);
        return ann_meta_set_f64(m->meta, key, f64);
    }
    ANN_TRY(get_text(&text, m->arena, item, "str"));
    return ann_meta_set_str(m->meta, key, text);
}

static ann_status read_meta(anni_manifest *m, struct fy_node *root) {
    struct fy_node *list = fy_node_mapping_lookup_value_by_simple_key(root, "meta", FY_NT), *item;
    void *cursor = NULL;
    if (!list || !fy_node_is_sequence(list)) return bad("meta");
    while ((item = fy_node_sequence_iterate(list, &cursor))) ANN_TRY(read_entry(m, item));
    return ANN_OK;
}

static ann_status read_root(anni_manifest *m, struct fy_node *root) {
    static const char *const formats[] = {"annulus-checkpoint-1"};
    int format;
    if (!root || !fy_node_is_mapping(root)) return ann_error(ANN_ERR_FORMAT, "not a mapping");
    ANN_TRY(get_choice(&format, root, "format", formats, 1));
    ANN_TRY(get_i64(&m->serial, root, "serial", 1, INT64_MAX - 1));
    ANN_TRY(get_i64(&m->step, root, "step", 0, INT64_MAX));
    ANN_TRY(read_blocks(m, root));
    ANN_TRY(read_tensors(m, root));
    ANN_TRY(read_shards(m, root));
    struct fy_node *whole = fy_node_mapping_lookup_value_by_simple_key(root, "whole", FY_NT);
    ANN_TRY(get_i64(&m->whole_bytes, whole, "bytes", 0, INT64_MAX));
    ANN_TRY(get_hex(&m->whole_hash, whole, "xxh3"));
    return read_meta(m, root);
}

/* The library's reports go nowhere: behind a right checksum they would be about another version's text. */
static void drop_report(struct fy_diag *diag, void *user, const char *text, size_t bytes) {
    (void)diag;
    (void)user;
    (void)text;
    (void)bytes;
}

static ann_status parse(anni_manifest *m, const char *text, size_t bytes) {
    int line, column;
    const char *wrong = anni_yaml_guard(&line, &column, text, bytes);
    if (wrong) return ann_error(ANN_ERR_FORMAT, "line %d: %s", line, wrong);
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.output_fn = drop_report;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (!diag) return ann_error(ANN_ERR_MEMORY, "no memory to parse it");
    const struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    struct fy_document *document = fy_document_build_from_string(&config, text, bytes);
    const ann_status status =
        document ? read_root(m, fy_document_root(document)) : ann_error(ANN_ERR_FORMAT, "not YAML");
    fy_document_destroy(document);
    fy_diag_destroy(diag);
    return status;
}

static ann_status read_text(char **text, size_t *bytes, const char *dir) {
    char path[ANNI_PATH_BYTES];
    ANN_TRY(anni_path_join(path, dir, ANNI_MANIFEST_NAME));
    if (access(dir, F_OK) != 0) return ann_error(ANN_ERR_NOT_FOUND, "%s: no such checkpoint", dir);
    if (access(path, F_OK) != 0) return ann_error(ANN_ERR_CORRUPT, "%s: the manifest is missing", path);
    ANN_TRY(anni_file_read(text, bytes, path));
    if (checksum_is_right(*text, *bytes)) return ANN_OK;
    free(*text);
    return ann_error(ANN_ERR_CORRUPT, "%s: wrong checksum of the manifest", path);
}

ann_status anni_manifest_read(anni_manifest **out, const char *dir) {
    *out = NULL;
    char *text;
    size_t bytes;
    ANN_TRY(read_text(&text, &bytes, dir));
    anni_manifest *m = calloc(1, sizeof *m);
    ann_status status = m ? ann_arena_new(&m->arena) : ann_error(ANN_ERR_MEMORY, "no memory for a manifest");
    if (status == ANN_OK) status = ann_meta_new(&m->meta);
    if (m) m->owns_meta = true;
    if (status == ANN_OK) status = parse(m, text, bytes);
    free(text);
    if (status == ANN_OK) {
        *out = m;
        return ANN_OK;
    }
    anni_manifest_free(m);
    char why[512];
    (void)snprintf(why, sizeof why, "%s", ann_error_text());
    return ann_error(status, "%s/" ANNI_MANIFEST_NAME ": %s", dir, why);
}
