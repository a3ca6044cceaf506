/* May datasets be used together, and by so many ranks? */
#include "data/internal.h"

#include <inttypes.h>
#include <string.h>

static bool is_needed(const char *name) { return strcmp(name, "x") == 0 || strcmp(name, "y") == 0; }

static ann_status check_field(const ann_dataset *train, const ann_dataset *test, const ann_field_info *want) {
    const int f = ann_dataset_find(test, want->name);
    if (f < 0 && !is_needed(want->name)) return ANN_OK;
    if (f < 0)
        return ann_error(ANN_ERR_FORMAT, "%s has no %s, and %s has", test->name, want->name, train->name);
    const ann_field_info *have = ann_dataset_field(test, f);
    if (want->dtype == have->dtype && ann_shape_equal(&want->shape, &have->shape)) return ANN_OK;
    char want_shape[128], have_shape[128];
    return ann_error(ANN_ERR_FORMAT, "%s/%s is %s %s a sample, that of %s is %s %s", test->name, want->name,
                     ann_dtype_name(have->dtype), ann_shape_str(have_shape, sizeof have_shape, &have->shape),
                     train->name, ann_dtype_name(want->dtype),
                     ann_shape_str(want_shape, sizeof want_shape, &want->shape));
}

ann_status ann_data_check_match(const ann_dataset *train, const ann_dataset *test) {
    for (int f = 0; f < train->field_count; f++)
        ANN_TRY(check_field(train, test, ann_dataset_field(train, f)));
    if (train->classes > 0 && test->classes > train->classes)
        return ann_error(ANN_ERR_FORMAT, "%s/y has labels to %" PRId32 ", those of %s end at %" PRId32,
                         test->name, test->classes - 1, train->name, train->classes - 1);
    return ANN_OK;
}

ann_status ann_data_check_shards(const ann_dataset *dataset, int size) {
    if (size >= 1 && dataset->samples >= size) return ANN_OK;
    return ann_error(ANN_ERR_ARG,
                     "%s: %" PRId64 " samples cannot be shared among %d ranks: each needs one at least",
                     dataset->name, dataset->samples, size);
}
