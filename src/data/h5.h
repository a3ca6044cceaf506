/* What the readers and importers share of HDF5: failures as one line, and attributes. Private to src/data and
   datasets/.

   The HDF5 library is not thread-safe and prints its error stack on stderr by default. Each public function
   that calls it does so between anni_h5_begin and anni_h5_end, which hold ann_h5_lock and may be nested, and
   turns a failure into one line with anni_h5_error. */
#ifndef ANN_DATA_H5_H
#define ANN_DATA_H5_H

#include <stdbool.h>
#include <stdint.h>
#include <hdf5.h>
#include "base/mem.h"

typedef struct anni_h5_printing {
    H5E_auto2_t print;
    void *to;
} anni_h5_printing;

void anni_h5_begin(anni_h5_printing *before);
void anni_h5_end(const anni_h5_printing *before);

/* Error record "TEXT: the innermost description on HDF5's error stack", on one line; clears that stack.
   Call it before any other function of HDF5, which would clear the stack too.
   Returns `status`, or ANN_ERR_NOSPACE if the cause was a full disk, quota or file size limit. */
ann_status anni_h5_error(ann_status status, const char *fmt, ...) ANN_PRINTF(2, 3);

/* Opens an HDF5 file for reading. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_FORMAT. Owner: the caller,
 * H5Fclose. */
ann_status anni_h5_open(hid_t *out, const char *path) ANN_MUST_CHECK;

/* In the names of files in an index, %% is a percent sign: makes it one, in place. */
void anni_h5_plain_name(char *name);

/* Attributes; `where` names the file and object in errors. *found says whether there is one; if not, *out
   keeps its value. Errors: ANN_ERR_FORMAT (another type, or not one element). */
ann_status anni_h5_get_double(double *out, bool *found, hid_t object, const char *name,
                              const char *where) ANN_MUST_CHECK;
ann_status anni_h5_get_u64(uint64_t *out, bool *found, hid_t object, const char *name,
                           const char *where) ANN_MUST_CHECK;
/* Numbers, one or an array of them; in the arena. *count = 0 if there is no attribute. */
ann_status anni_h5_get_doubles(double **out, int *count, hid_t object, const char *name, const char *where,
                               ann_arena *arena) ANN_MUST_CHECK;
/* Strings, of fixed or variable length, one or an array. The names live in the arena. *count = 0 if there is
 * no attribute. */
ann_status anni_h5_get_strings(char ***out, int *count, hid_t object, const char *name, const char *where,
                               ann_arena *arena) ANN_MUST_CHECK;

/* Create the attribute, or replace the value of one of the same type and shape where it lies. */
ann_status anni_h5_put_double(hid_t object, const char *name, double value, const char *where) ANN_MUST_CHECK;
ann_status anni_h5_put_u64(hid_t object, const char *name, uint64_t value, const char *where) ANN_MUST_CHECK;
/* count = 0: one string (values[0]) in a scalar dataspace; otherwise an array. UTF-8, of fixed
   length: HDF5 keeps strings of variable length in a heap without a checksum, and crashes if that is damaged.
 */
ann_status anni_h5_put_strings(hid_t object, const char *name, const char *const *values, int count,
                               const char *where) ANN_MUST_CHECK;

#endif
