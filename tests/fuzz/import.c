#include <sys/stat.h>
#include "datasets/import.h"
#include "fuzz/fuzz.h"
#include "support/scratch.h"

void fuzz_import_options(ann_import_options *out, uint8_t bits) {
    const char *folder = fuzz_path("out");
    scratch_remove(folder);
    fuzz_require(mkdir(folder, 0777) == 0, folder);
    *out = (ann_import_options){.out = fuzz_path("out/out.h5"),
                                .test_fraction = bits & 1 ? 0.5 : 0,
                                .compress = bits & 2 ? 1 : 0,
                                .shard = bits & 4 ? 2 : 0,
                                .skip_bad = (bits & 8) != 0};
}
