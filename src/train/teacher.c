/* Teachers: copies of tensors of the model that follow it (ann_method_teacher), "teacher/NAME" in the store.
   As part of it they are in every checkpoint. A phase begins with a teacher that is equal to its student,
   wherever that has its values from; from stage to stage it is taken over like the student. */
#include "train/internal.h"

#include <string.h>

#define PREFIX ANN_METHOD_TEACHER "/"

bool anni_is_teacher(const ann_tensor_info *info) {
    return info->role == ANN_ROLE_STATE && strncmp(info->name, PREFIX, strlen(PREFIX)) == 0;
}

void anni_teacher_start(ann_store *store) {
    for (int32_t i = 0; i < ann_store_count(store); i++) {
        const ann_tensor_info *info = ann_store_info(store, (ann_tensor){i});
        if (!anni_is_teacher(info)) continue;
        const ann_tensor student = ann_store_find(store, info->name + strlen(PREFIX));
        memcpy(ann_store_data(store, (ann_tensor){i}), ann_store_data(store, student),
               (size_t)ann_shape_elems(&info->shape) * ann_dtype_bytes(info->dtype));
    }
}
