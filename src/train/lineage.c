#include "train/lineage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "train/internal.h"

ann_status ann_lineage_key(uint64_t *out, const ann_run_config *config, int phase) {
    char *facts;
    ANN_TRY(anni_facts(&facts, config, &config->phases[phase]));
    *out = ann_hash_str(facts);
    free(facts);
    return ANN_OK;
}

/* ---- as text ---- */

/* A double-quoted YAML scalar. */
static void print_quoted(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\') fprintf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7F) fprintf(out, "\\x%02x", *p);
        else fputc(*p, out);
    }
    fputc('"', out);
}

static void print_parent(FILE *out, const ann_lineage_parent *p) {
    fputs("- {phase: ", out);
    print_quoted(out, p->phase);
    fprintf(out, ", step: %" PRId64, p->step);
    fputs(", path: ", out);
    print_quoted(out, p->path);
    fprintf(out, ", key: 0x%016" PRIx64 ", content: 0x%016" PRIx64 "}\n", p->key, p->content);
}

static void print_lines(FILE *out, const ann_lineage *l) {
    fputs("phase: ", out);
    print_quoted(out, l->phase);
    fprintf(out, "\nkey: 0x%016" PRIx64 "\ndata: {train: 0x%016" PRIx64 ", test: 0x%016" PRIx64 "}\n", l->key,
            l->train_data, l->test_data);
    fputs("code: {version: ", out);
    print_quoted(out, l->version);
    fputs(", revision: ", out);
    print_quoted(out, l->revision);
    fprintf(out, "}\nparents:%s\n", l->parent_count ? "" : " []");
    for (int i = 0; i < l->parent_count; i++) print_parent(out, &l->parents[i]);
}

uint64_t ann_lineage_id(const ann_lineage *l) {
    ann_hasher hasher;
    const uint64_t words[] = {l->key, l->train_data, l->test_data, (uint64_t)l->parent_count};
    ann_hasher_begin(&hasher);
    ann_hasher_update(&hasher, words, sizeof words);
    ann_hasher_update(&hasher, l->phase, strlen(l->phase) + 1);
    ann_hasher_update(&hasher, l->version, strlen(l->version) + 1);
    ann_hasher_update(&hasher, l->revision, strlen(l->revision) + 1);
    for (int i = 0; i < l->parent_count; i++) {
        const ann_lineage_parent *p = &l->parents[i];
        const uint64_t of_parent[] = {(uint64_t)p->step, p->key, p->content};
        ann_hasher_update(&hasher, p->phase, strlen(p->phase) + 1);
        ann_hasher_update(&hasher, of_parent, sizeof of_parent);
    }
    return ann_hasher_end(&hasher);
}

ann_status ann_lineage_print(char **out, const ann_lineage *lineage) {
    size_t size;
    *out = NULL;
    FILE *stream = open_memstream(out, &size);
    if (stream) {
        fprintf(stream, "id: 0x%016" PRIx64 "\n", ann_lineage_id(lineage));
        print_lines(stream, lineage);
        if (fclose(stream) == 0 && *out) return ANN_OK;
    }
    free(*out);
    *out = NULL;
    return ann_error(ANN_ERR_MEMORY, "no memory for the lineage of phase %s", lineage->phase);
}

/* ---- from text ---- */

static bool get_hash(uint64_t *out, const ann_yaml_node *map, const char *key) {
    const ann_yaml_node *node = ann_yaml_find(map, key);
    char *end;
    if (!node || node->kind != ANN_YAML_SCALAR || strncmp(node->text, "0x", 2) != 0) return false;
    *out = strtoull(node->text, &end, 16);
    return *end == '\0';
}

static bool get_text(char *out, size_t size, const ann_yaml_node *map, const char *key) {
    const ann_yaml_node *node = ann_yaml_find(map, key);
    if (!node || node->kind != ANN_YAML_SCALAR) return false;
    return snprintf(out, size, "%s", node->text) < (int)size;
}

static bool read_parent(ann_lineage_parent *p, const ann_yaml_node *map) {
    const ann_yaml_node *step = ann_yaml_find(map, "step");
    return get_text(p->phase, sizeof p->phase, map, "phase") &&
           get_text(p->path, sizeof p->path, map, "path") && get_hash(&p->key, map, "key") &&
           get_hash(&p->content, map, "content") && step && ann_yaml_int(step, &p->step) == ANN_OK;
}

static bool read_map(ann_lineage *l, const ann_yaml_node *map) {
    const ann_yaml_node *data = ann_yaml_find(map, "data"), *code = ann_yaml_find(map, "code"),
                        *parents = ann_yaml_find(map, "parents");
    if (!data || !code || !parents || parents->kind != ANN_YAML_LIST || parents->count > ANN_LINEAGE_PARENTS)
        return false;
    for (int i = 0; i < parents->count; i++)
        if (!read_parent(&l->parents[i], parents->items[i])) return false;
    l->parent_count = parents->count;
    return get_text(l->phase, sizeof l->phase, map, "phase") && get_hash(&l->key, map, "key") &&
           get_hash(&l->train_data, data, "train") && get_hash(&l->test_data, data, "test") &&
           get_text(l->version, sizeof l->version, code, "version") &&
           get_text(l->revision, sizeof l->revision, code, "revision");
}

ann_status ann_lineage_read(ann_lineage *out, const ann_meta *meta) {
    const char *text;
    ann_yaml *yaml;
    *out = (ann_lineage){.parent_count = 0};
    ANN_TRY(ann_meta_get_str(meta, "lineage", &text));
    if (ann_yaml_parse(&yaml, "lineage", text) != ANN_OK)
        return ann_error(ANN_ERR_FORMAT, "the lineage is no YAML map");
    const bool good = read_map(out, ann_yaml_root(yaml));
    ann_yaml_free(yaml);
    return good ? ANN_OK : ann_error(ANN_ERR_FORMAT, "the lineage is made by another version");
}

/* ---- parents on disk ---- */

static ann_status file_error(const char *path) {
    return ann_error(errno == ENOENT ? ANN_ERR_NOT_FOUND : ANN_ERR_IO, "%s: %s", path, strerror(errno));
}

static ann_status make_absolute(char out[ANN_CKPT_PATH_BYTES], const char *path) {
    char *absolute = realpath(path, NULL);
    if (!absolute) return file_error(path);
    const int n = snprintf(out, ANN_CKPT_PATH_BYTES, "%s", absolute);
    free(absolute);
    return n < ANN_CKPT_PATH_BYTES ? ANN_OK : ann_error(ANN_ERR_IO, "%s: is too long a path", path);
}

/* The checkpoint, or NULL if it is another file. */
static ann_status find(ann_ckpt **ckpt, ann_lineage_parent *out, const char *path) {
    char found[ANN_CKPT_PATH_BYTES];
    struct stat st;
    *ckpt = NULL;
    if (stat(path, &st) != 0) return file_error(path);
    if (S_ISREG(st.st_mode)) return make_absolute(out->path, path);
    if (!S_ISDIR(st.st_mode)) return ann_error(ANN_ERR_FORMAT, "%s: is neither a file nor a folder", path);
    ANN_TRY(ann_ckpt_resolve(found, path));
    ANN_TRY(make_absolute(out->path, found));
    return ann_ckpt_peek(ckpt, out->path);
}

static void describe_checkpoint(ann_lineage_parent *out, const ann_ckpt *ckpt) {
    ann_lineage lineage;
    out->step = ann_ckpt_step(ckpt);
    if (ann_lineage_read(&lineage, ann_ckpt_meta(ckpt)) != ANN_OK) {
        ann_error_clear();
        return;
    }
    memcpy(out->phase, lineage.phase, sizeof out->phase);
    out->key = lineage.key;
}

ann_status ann_lineage_describe(ann_comm *comm, ann_lineage_parent *out, const char *path) {
    ann_ckpt *ckpt;
    *out = (ann_lineage_parent){.step = -1};
    ann_status status = find(&ckpt, out, path);
    if (comm) status = ann_agree(comm, status);
    if (status == ANN_OK && ckpt) {
        describe_checkpoint(out, ckpt);
        status = ann_ckpt_content(comm, &out->content, ckpt);
    } else if (status == ANN_OK) {
        status = ann_hash_file(&out->content, out->path);
        if (comm) status = ann_agree(comm, status);
    }
    ann_ckpt_close(ckpt);
    return status;
}

/* Bytes of `path` in front of its last component; what is behind counts as slashes. */
static size_t folder_of(const char *path, size_t end) {
    while (end > 1 && path[end - 1] == '/') end--;
    while (end > 0 && path[end - 1] != '/') end--;
    return end;
}

/* Whether the component path[from, end) is a name that ".." behind it takes away again. */
static bool is_plain(const char *path, size_t from, size_t end) {
    while (end > from && path[end - 1] == '/') end--;
    const size_t n = end - from;
    return n > 0 && !(n == 1 && path[from] == '.') && !(n == 2 && memcmp(path + from, "..", 2) == 0);
}

/* "out/fine/step-2" and "../pre/step-1": "out/pre/step-1". */
static bool join_parent(char out[ANN_CKPT_PATH_BYTES], const char *of, const char *relative) {
    size_t end = folder_of(of, strlen(of));
    while (strncmp(relative, "../", 3) == 0) {
        const size_t above = folder_of(of, end);
        if (!is_plain(of, above, end)) break;
        relative += 3;
        end = above;
    }
    if (relative[0] == '/') end = 0;
    return snprintf(out, ANN_CKPT_PATH_BYTES, "%.*s%s", (int)end, of, relative) < ANN_CKPT_PATH_BYTES;
}

ann_parent_state ann_lineage_look(char *path, const char *of, const ann_lineage_parent *parent) {
    ann_lineage_parent found;
    if (!join_parent(path, of, parent->path) || access(path, F_OK) != 0) return ANN_PARENT_GONE;
    const ann_status status = ann_lineage_describe(NULL, &found, path);
    if (status != ANN_OK) ann_error_clear();
    return status == ANN_OK && found.content == parent->content ? ANN_PARENT_SAME : ANN_PARENT_CHANGED;
}

/* ---- comparing ---- */

static const char *name_of(const ann_lineage_parent *p) { return p->phase[0] ? p->phase : p->path; }

static bool parents_differ(char *buf, size_t size, const ann_lineage *now, const ann_lineage *then) {
    if (now->parent_count < 0) return false;
    if (now->parent_count != then->parent_count) {
        (void)snprintf(buf, size, "it takes tensors from %d checkpoints or files, and took them from %d",
                       now->parent_count, then->parent_count);
        return true;
    }
    for (int i = 0; i < now->parent_count; i++) {
        const ann_lineage_parent *p = &now->parents[i], *was = &then->parents[i];
        if (p->content == 0 ? p->key == was->key : p->content == was->content) continue;
        if (p->content == 0) (void)snprintf(buf, size, "its parent %s had another configuration", name_of(p));
        else
            (void)snprintf(buf, size,
                           "its parent %s has other content: 0x%016" PRIx64 ", it was 0x%016" PRIx64,
                           name_of(p), p->content, was->content);
        return true;
    }
    return false;
}

ann_lineage_change ann_lineage_compare(char *buf, size_t size, const ann_lineage *now,
                                       const ann_lineage *then) {
    const bool train = now->train_data != then->train_data;
    (void)snprintf(buf, size, "its configuration has changed");
    if (now->key != then->key) return ANN_LINEAGE_CONFIG;
    (void)snprintf(buf, size, "its %s data have changed", train ? "training" : "test");
    if (train || now->test_data != then->test_data) return ANN_LINEAGE_DATA;
    return parents_differ(buf, size, now, then) ? ANN_LINEAGE_PARENT : ANN_LINEAGE_SAME;
}
