/* The vocabulary of a dataset of text: the bytes of each token. In the file it is /vocabulary/bytes (u8) and
   /vocabulary/offsets (i64, one more than there are tokens): token i is bytes[offsets[i] .. offsets[i+1]).
   Private to datasets/ and launch/. */
#ifndef ANN_DATASETS_VOCABULARY_H
#define ANN_DATASETS_VOCABULARY_H

#include <stdbool.h>
#include "datasets/bytes.h"

typedef struct anni_vocabulary {
    int64_t count; /* of tokens; 0: the file has none */
    int64_t *offsets;
    uint8_t *bytes;
} anni_vocabulary;

/* Errors: ANN_ERR_FORMAT (offsets that do not ascend from 0 to the number of bytes), those of opening the
 * file. Owner: the caller, anni_vocabulary_fini. */
ann_status anni_vocabulary_read(anni_vocabulary *out, const char *path) ANN_MUST_CHECK;
void anni_vocabulary_fini(anni_vocabulary *vocabulary);
/* The bytes of a token; none if there is no such token. */
anni_bytes anni_vocabulary_token(const anni_vocabulary *vocabulary, int64_t token);

#endif
