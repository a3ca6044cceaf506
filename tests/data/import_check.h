/* What the tests of importers share: a dataset's split opened and read. */
#ifndef ANN_TESTS_DATA_IMPORT_CHECK_H
#define ANN_TESTS_DATA_IMPORT_CHECK_H

#include "data/data.h"

/* Opens a split of fixture file `name`; its stated checksums must be those of its data. */
ann_dataset *import_open(const char *name, const char *split);
/* Field `field` of one sample; out must have room. */
void import_row(void *out, const ann_dataset *dataset, const char *field, int64_t sample);
/* The stated checksum of a split. */
uint64_t import_checksum(const char *name, const char *split);

/* Keeps the notes of an import, one a line. */
typedef struct import_notes {
    char text[16384];
    size_t used;
} import_notes;
void import_note(void *notes, const char *line);

#endif
