/* The tables made from config.def, and the reading of a map by them. Private to config*.c. */
#ifndef ANN_TRAIN_CONFIG_SCHEMA_H
#define ANN_TRAIN_CONFIG_SCHEMA_H

#include <stdio.h>
#include "base/mem.h"
#include "train/config.h"

typedef enum section_id {
#define ANN_SECTION(ID, type, path, doc) SECTION_##ID,
#define ANN_KEY(ID, key, type, field, dflt, min, max, words, doc)
#include "train/config.def"
#undef ANN_SECTION
#undef ANN_KEY
    SECTION_COUNT
} section_id;

struct anni_config_memory {
    ann_arena *arena;
    ann_yaml *yaml;
};

/* Reads `map` (NULL: all defaults) into base, the struct of the section, by the rules of config.def: unknown,
   missing and ill-typed keys and values out of range are errors. */
ann_status anni_config_section(section_id section, const ann_yaml_node *map, void *base) ANN_MUST_CHECK;
/* " key value" of every number, word and name of the section. */
void anni_config_write(FILE *out, section_id section, const void *base);
const char *anni_config_section_path(section_id section);
/* The word number `index` of a key's words. */
const char *anni_config_word(section_id section, const char *key, int index);
/* The key must be in the map: ANN_ERR_CONFIG, as if config.def gave no default. */
ann_status anni_config_require(section_id section, const char *key, const ann_yaml_node *map) ANN_MUST_CHECK;
/* config_kind.c: the keys of a phase suit its kind. */
ann_status anni_config_check_keys(const ann_phase_config *phase) ANN_MUST_CHECK;
/* What a phase without training leaves out is that of the phase that it loads from. Once all are read. */
ann_status anni_config_complete(ann_phase_config *phase, const ann_run_config *config) ANN_MUST_CHECK;
/* Reads phase.augment, if it is there. */
ann_status anni_config_augment(ann_phase_config *phase, const ann_run_config *config,
                               const ann_yaml_node *map) ANN_MUST_CHECK;
/* config.c: the block that the node names. */
ann_status anni_config_find_block(const ann_block_config **out, const ann_run_config *config,
                                  const ann_yaml_node *node) ANN_MUST_CHECK;
/* config_method.c: reads phase.method, if it is there. */
ann_status anni_config_method(ann_phase_config *phase, const ann_run_config *config,
                              const ann_yaml_node *map) ANN_MUST_CHECK;
/* config_layerwise.c: what the method layerwise reads and asks for beside its section; `node` is its map. */
ann_status anni_config_decoders(ann_phase_config *phase, const ann_run_config *config,
                                const ann_yaml_node *node) ANN_MUST_CHECK;
ann_status anni_config_check_layerwise(const ann_run_config *config, const ann_phase_config *phase,
                                       const ann_yaml_node *node) ANN_MUST_CHECK;
/* Is it the phase's method that says what the loss is? */
int anni_config_method_steps(const ann_phase_config *phase); /* kinds of steps; 1 without a method */
bool anni_config_has_own_loss(const ann_phase_config *phase);
/* Is it something else than the model's output that the loss compares? */
bool anni_config_has_inner_loss(const ann_phase_config *phase);
/* config_stop.c: reads and checks what phase.stop says beside its sections. */
ann_status anni_config_stop(ann_phase_config *phase, const ann_yaml_node *map) ANN_MUST_CHECK;
/* config_data.c: the map "data" of a run or a phase; *out in the config's arena. */
ann_status anni_config_data(const ann_data_config **out, const ann_run_config *config,
                            const ann_yaml_node *map) ANN_MUST_CHECK;
/* The checks that need more than one key. */
ann_status anni_config_check_augment(const ann_phase_config *phase) ANN_MUST_CHECK;
ann_status anni_config_check_method(const ann_run_config *config,
                                    const ann_phase_config *phase) ANN_MUST_CHECK;
ann_status anni_config_check(const ann_run_config *config) ANN_MUST_CHECK;

#endif
