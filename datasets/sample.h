/* Some samples of a dataset, for people: a contact sheet, text, or a table. Private to datasets/ and launch/.
 */
#ifndef ANN_DATASETS_SAMPLE_H
#define ANN_DATASETS_SAMPLE_H

#include "data/data.h"
#include "datasets/vocabulary.h"

typedef struct anni_samples {
    const ann_dataset *dataset;
    const ann_field_info *field; /* x */
    int count, group;            /* `group` neighbours are of one class; 1 if classes differ in number */
    int64_t *ids;                /* [count] by class, then by number */
    void *values; /* [count, shape of a sample], which the caller may change before it shows them */
} anni_samples;

/* Chooses `count` samples by a keyed order (all if there are not so many), as equally of each class as there
   are some, and reads them. Errors: ANN_ERR_MEMORY, those of ann_dataset_read. Owner: the caller,
   anni_samples_fini. Local. */
ann_status anni_samples_choose(anni_samples *out, const ann_dataset *dataset, int count,
                               uint64_t seed) ANN_MUST_CHECK;
void anni_samples_fini(anni_samples *samples);

/* As a PNG, with the class below each image. Errors: those of anni_sheet_write. */
ann_status anni_samples_draw(const anni_samples *samples, const char *title, const char *path) ANN_MUST_CHECK;
/* Line by line, without newlines. Errors: ANN_ERR_SHAPE (x is no sequence of tokens), ANN_ERR_MEMORY. */
ann_status anni_samples_print_text(const anni_samples *samples, const anni_vocabulary *vocabulary,
                                   void (*print)(void *to, const char *line), void *to) ANN_MUST_CHECK;
/* One line a sample: its number, its class, its first values. */
void anni_samples_print_table(const anni_samples *samples, void (*print)(void *to, const char *line),
                              void *to);

#endif
