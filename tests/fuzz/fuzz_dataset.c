// runs: 500
/* Datasets: the input is an HDF5 file, opened, described and read as a dataset. */
#include <stdlib.h>
#include <string.h>
#include <hdf5.h>
#include "data/data.h"
#include "datasets/import.h"
#include "fuzz/fuzz.h"

static void read_rows(const ann_dataset *dataset) {
    const int64_t n = ann_dataset_samples(dataset), ids[] = {0, n - 1, n / 2};
    for (int f = 0; f < ann_dataset_field_count(dataset); f++) {
        const ann_field_info *field = ann_dataset_field(dataset, f);
        const size_t bytes = 3 * (size_t)ann_shape_elems(&field->shape) * ann_dtype_bytes(field->dtype);
        void *rows = malloc(bytes);
        if (rows != NULL) fuzz_check_failure(ann_dataset_read(dataset, f, ids, 3, rows));
        free(rows);
    }
}

static void count_line(void *to, const char *line) { *(size_t *)to += strlen(line); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file("data.h5", data, size);
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = "train"};
    ann_dataset *dataset;
    const ann_status status = ann_dataset_open(&dataset, &options);
    fuzz_check_failure(status);
    if (status == ANN_OK) read_rows(dataset);
    ann_dataset_close(dataset);
    size_t printed = 0;
    fuzz_check_failure(ann_dataset_describe(path, count_line, &printed));
    fuzz_check_failure(ann_dataset_verify(path, count_line, &printed));
    /* HDF5 itself leaks memory on damaged files, so that lsan.supp here leaves it out: what we forget to
       close shows in its own count. */
    fuzz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "objects of HDF5 were left open");
    return 0;
}
