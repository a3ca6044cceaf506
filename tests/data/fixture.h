/* Small files for the tests of data: a folder of the test's own, HDF5 datasets of any storage, and checks of
 * failures. */
#ifndef ANN_TESTS_DATA_FIXTURE_H
#define ANN_TESTS_DATA_FIXTURE_H

#include "support/check.h"

#include <stdbool.h>
#include <hdf5.h>

/* CMocka group set-up and tear-down: make a folder below TMPDIR, and remove it with all that is in it. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* "FOLDER/name". The text stays valid until the eighth call after this one. */
const char *fixture_path(const char *name);
/* Number of entries in the folder whose name contains `part`. */
int fixture_count(const char *part);
void fixture_write(const char *path, const void *bytes, size_t size);
/* The file's bytes, to be freed by the caller. */
uint8_t *fixture_bytes(const char *path, size_t *size);

typedef enum fixture_storage {
    FIXTURE_CONTIGUOUS,
    FIXTURE_COMPACT,
    FIXTURE_CHUNKED,
    FIXTURE_GZIP, /* and shuffled */
    FIXTURE_FLETCHER32,
    FIXTURE_STORAGE_COUNT
} fixture_storage;

/* Adds a dataset such as "/train/x" to the file, which is created if it is missing. data has the type
 * `memory`. */
void fixture_put(const char *path, const char *object, hid_t stored, hid_t memory, fixture_storage storage,
                 const void *data, int rank, const hsize_t *dims);
void fixture_group(const char *path, const char *object);
void fixture_attr_double(const char *path, const char *object, const char *name, double value);
void fixture_attr_doubles(const char *path, const char *object, const char *name, const double *values,
                          int count);
void fixture_attr_u64(const char *path, const char *object, const char *name, uint64_t value);
/* Strings of variable length, as h5py makes them; the importer writes fixed ones. */
void fixture_attr_strings(const char *path, const char *object, const char *name, const char *const *values,
                          int count);

/* `samples` images [2,3,1] u8 whose bytes are functions of the sample, and labels sample mod classes; classes
 * 0: no labels. */
void fixture_images(const char *path, const char *split, int samples, int classes);
enum { FIXTURE_ROW = 6 };
uint8_t fixture_pixel(int64_t sample, int i);

/* Failure: the status, words that the text must contain, one line, nothing on stderr meanwhile, nothing left
 * open in HDF5. */
#define check_fails(expr, want, words)                                                                       \
    do {                                                                                                     \
        fixture_capture_begin();                                                                             \
        const ann_status check_status_ = (expr);                                                             \
        const long check_printed_ = fixture_capture_end();                                                   \
        fixture_check_failure(#expr, check_status_, (want), (words), check_printed_, __FILE__, __LINE__);    \
    } while (0)
void fixture_capture_begin(void);
long fixture_capture_end(void);
void fixture_check_failure(const char *expr, ann_status got, ann_status want, const char *words,
                           long printed_bytes, const char *file, int line);

#endif
