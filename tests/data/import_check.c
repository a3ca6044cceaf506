#include "data/import_check.h"

#include <stdio.h>
#include "data/fixture.h"

ann_dataset *import_open(const char *name, const char *split) {
    ann_dataset *dataset;
    const ann_data_source source = {.path = fixture_path(name)};
    const ann_dataset_options options = {.sources = &source, .source_count = 1, .split = split};
    check_ok(ann_dataset_open(&dataset, &options));
    uint64_t computed, stated;
    check_ok(ann_dataset_compute_checksum(&computed, dataset));
    assert_true(computed == ann_dataset_checksum(dataset));
    for (int f = 0; f < ann_dataset_field_count(dataset); f++) {
        if (!ann_dataset_field_checksum(&stated, dataset, f)) continue;
        check_ok(ann_dataset_compute_field_checksum(&computed, dataset, f));
        assert_true(computed == stated);
    }
    return dataset;
}

void import_row(void *out, const ann_dataset *dataset, const char *field, int64_t sample) {
    const int f = ann_dataset_find(dataset, field);
    assert_true(f >= 0);
    check_ok(ann_dataset_read(dataset, f, &sample, 1, out));
}

uint64_t import_checksum(const char *name, const char *split) {
    ann_dataset *dataset = import_open(name, split);
    const uint64_t checksum = ann_dataset_checksum(dataset);
    ann_dataset_close(dataset);
    return checksum;
}

void import_note(void *notes, const char *line) {
    import_notes *n = notes;
    n->used += (size_t)snprintf(n->text + n->used, sizeof n->text - n->used, "%s\n", line);
    assert_true(n->used < sizeof n->text);
}
