/* The description of a dataset that is made of another one by a transform, a YAML file. Private to datasets/.

       name: fashion-shifted         # of the dataset; optional
       seed: 1                       # of what is drawn; 0 if it is left out
       transform:                    # applied in this order (data/transform.h)
         - invert: {}
         - texture: { level: [0.3, 0.8], background: 0, edge: 0.1, cell: 8, octaves: 3 }
         - blur: { sigma: 0.7 }
         - brightness: { factor: [0.5, 0.7] }
         - rotate: { degrees: [-15, 15], border: reflect, fill: 0 } */
#ifndef ANN_DATASETS_DESCRIPTOR_H
#define ANN_DATASETS_DESCRIPTOR_H

#include "base/yaml.h"
#include "data/transform.h"

typedef struct anni_descriptor {
    ann_yaml *yaml;
    const char *name; /* NULL: it has none */
    uint64_t seed;
    ann_transform_op ops[ANN_TRANSFORM_MAX_OPS];
    int op_count;
} anni_descriptor;

/* Reads the file; ranges are checked by ann_transform_new. Owner: the caller, anni_descriptor_fini, after an
   error too. Errors: ANN_ERR_CONFIG (file, line and column; what is accepted), ANN_ERR_MEMORY. Local. */
ann_status anni_descriptor_read(anni_descriptor *out, const char *path) ANN_MUST_CHECK;
void anni_descriptor_fini(anni_descriptor *descriptor);

#endif
