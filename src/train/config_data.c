/* Where samples come from: the map "data" of a run or of a phase. */
#include "train/config_schema.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ann_status out_of_memory(void) {
    return ann_error(ANN_ERR_MEMORY, "out of memory while reading a run file");
}

static ann_status check_file(const ann_yaml_node *node, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || access(path, R_OK) != 0)
        return ann_yaml_error(node, "'%s': %s, accepted is an HDF5 file", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return ann_yaml_error(node, "'%s' is no file, accepted is an HDF5 file", path);
    return ANN_OK;
}

/* ---- fields and shape of a source ---- */

/* {x: train/data, y: train/target}. */
static ann_status read_fields(ann_data_source *source, const ann_run_config *config,
                              const ann_yaml_node *map) {
    ANN_TRY(ann_yaml_expect(map, ANN_YAML_MAP));
    if (!ann_yaml_find(map, "x"))
        return ann_yaml_error(map,
                              "names no field x, accepted is a map such as {x: train/data, y: train/target}");
    ann_field_source *fields = ann_arena_alloc(config->memory->arena, (size_t)map->count * sizeof *fields);
    if (!fields) return out_of_memory();
    for (int i = 0; i < map->count; i++) {
        fields[i].name = map->items[i]->key;
        ANN_TRY(ann_yaml_string(map->items[i], &fields[i].path));
    }
    source->fields = fields;
    source->field_count = map->count;
    return ANN_OK;
}

static ann_status read_shape(ann_data_source *source, const ann_yaml_node *list) {
    ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    const int most = ANN_MAX_RANK - 1; /* beside the samples */
    if (list->count < 1 || list->count > most)
        return ann_yaml_error(list, "has %d extents, accepted are 1 to %d", list->count, most);
    int64_t elems = 1;
    for (int i = 0; i < list->count; i++) {
        int64_t *extent = &source->shape.dim[i];
        ANN_TRY(ann_yaml_int(list->items[i], extent));
        if (*extent < 1 || __builtin_mul_overflow(elems, *extent, &elems) || elems > (int64_t)1 << 40)
            return ann_yaml_error(list->items[i], "is out of range, accepted is an extent from 1 on");
    }
    source->shape.rank = list->count;
    return ANN_OK;
}

/* The key of the source's own map, or of all sources. */
static const ann_yaml_node *key_of(const ann_yaml_node *own, const ann_yaml_node *all, const char *key) {
    const ann_yaml_node *node = ann_yaml_find(own, key);
    return node ? node : ann_yaml_find(all, key);
}

static bool is_word(const ann_yaml_node *node, const char *word) {
    return node && node->kind == ANN_YAML_SCALAR && strcmp(node->text, word) == 0;
}

/* The same samples, with their labels. */
static void test_is_train(ann_data_source *test, const ann_data_source *train) {
    *test = *train;
    test->split = "train";
    test->hides_labels = false;
}

/* What is opened and left out is the training split: there may be no other. */
static void test_is_none(ann_data_source *test, const ann_data_source *train) {
    *test = *train;
    test->split = "train";
    test->limit = 0;
    test->left_out = true;
}

/* Both splits of one file; `own` is its map, or its path alone. */
static ann_status read_source(ann_data_source *train, ann_data_source *test, const ann_run_config *config,
                              const ann_yaml_node *own, const ann_yaml_node *all) {
    const bool is_map = own->kind == ANN_YAML_MAP;
    if (is_map && own != all) ANN_TRY(anni_config_section(SECTION_SOURCE, own, train));
    else ANN_TRY(ann_yaml_string(is_map ? ann_yaml_find(own, "path") : own, &train->path));
    ANN_TRY(check_file(is_map ? ann_yaml_find(own, "path") : own, train->path));
    const ann_yaml_node *shape = key_of(own, all, "shape");
    if (shape) ANN_TRY(read_shape(train, shape));
    const ann_yaml_node *of_train = key_of(own, all, "train"), *of_test = key_of(own, all, "test");
    *test = *train;
    test->hides_labels = false;
    if (of_train) ANN_TRY(read_fields(train, config, of_train));
    if (is_word(of_test, "train")) {
        test_is_train(test, train);
        return ANN_OK;
    }
    if (is_word(of_test, "none")) {
        test_is_none(test, train);
        return ANN_OK;
    }
    test->limit = 0;
    return of_test ? read_fields(test, config, of_test) : ANN_OK;
}

/* ---- the whole ---- */

static ann_status read_sources(ann_data_config *data, const ann_run_config *config,
                               const ann_yaml_node *map) {
    const ann_yaml_node *list = ann_yaml_find(map, "sources");
    if (list) ANN_TRY(ann_yaml_expect(list, ANN_YAML_LIST));
    if (list && !list->count) return ann_yaml_error(list, "is empty, accepted is at least one file");
    const int n = list ? list->count : 1;
    ann_data_source *train = ann_arena_alloc(config->memory->arena, (size_t)n * sizeof *train);
    ann_data_source *test = ann_arena_alloc(config->memory->arena, (size_t)n * sizeof *test);
    if (!train || !test) return out_of_memory();
    for (int i = 0; i < n; i++)
        ANN_TRY(read_source(&train[i], &test[i], config, list ? list->items[i] : map, map));
    int left_out = 0;
    for (int i = 0; i < n; i++) left_out += test[i].left_out;
    if (left_out == n) return ann_yaml_error(map, "with test: none there is no file left for the test split");
    data->train = train;
    data->test = test;
    data->source_count = n;
    data->path = train[0].path;
    return ANN_OK;
}

ann_status anni_config_data(const ann_data_config **out, const ann_run_config *config,
                            const ann_yaml_node *map) {
    ann_data_config *data = ann_arena_alloc(config->memory->arena, sizeof *data);
    if (!data) return out_of_memory();
    ANN_TRY(ann_yaml_expect(map, ANN_YAML_MAP));
    ANN_TRY(anni_config_section(SECTION_DATA, map, data));
    const bool has_path = ann_yaml_find(map, "path") != NULL;
    if (has_path == (ann_yaml_find(map, "sources") != NULL))
        return ann_yaml_error(map, "accepted is exactly one of path and sources, found %s",
                              has_path ? "both" : "neither");
    ANN_TRY(read_sources(data, config, map));
    data->node = map;
    *out = data;
    return ANN_OK;
}
