/* Byte-pair encoding: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units"
   (ACL 2016), over bytes as in GPT-2. Private to datasets/ and launch/.

   Tokens 0..255 are the bytes; token 256 + i is the i-th merge, the bytes of its left token and then of its
   right one. So any bytes can be encoded, and decoding gives exactly them.

   Text is cut into pieces first, and no token crosses a cut. There are four kinds of bytes: letters (A-Z,
   a-z, and all from 128 on), digits, white space (space, \t, \n, \v, \f, \r), and others. A piece is a run of
   one kind, as long as possible but at most ANNI_BPE_PIECE bytes; the last byte of white space before another
   kind opens that run's piece if it is a space: "of the  day.\n" is |of| the| | day|.|\n|.

   Encoding a piece: as long as there are neighbours that some merge joins, the earliest such merge is made,
   everywhere in the piece from left to right. */
#ifndef ANN_DATASETS_BPE_H
#define ANN_DATASETS_BPE_H

#include "datasets/bytes.h"

enum { ANNI_BPE_BYTES = 256, ANNI_BPE_PIECE = 256, ANNI_BPE_MAX_VOCABULARY = 1 << 20 };

typedef struct anni_bpe anni_bpe;

/* Learns vocabulary - 256 merges: each time the pair of neighbouring tokens that is most frequent in the
   pieces of the texts; among equally frequent ones that of the smallest left, then the smallest right token.
   It ends early when no pair occurs twice. The result depends on the texts and on nothing else.
   vocabulary: 256..ANNI_BPE_MAX_VOCABULARY. Errors: ANN_ERR_ARG, ANN_ERR_MEMORY. Owner: the caller,
   anni_bpe_free. Cost: about that of sorting the texts' different pieces, then by occurrence of what is
   merged. Local. */
ann_status anni_bpe_train(anni_bpe **out, const anni_bytes *texts, int text_count,
                          int vocabulary) ANN_MUST_CHECK;
void anni_bpe_free(anni_bpe *bpe);

/* The file is text: "annulus-bpe 1", "merges N", N lines "LEFT RIGHT" (token numbers in decimal), and
   "xxh3 HASH" of all bytes before that line. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_FORMAT (names the
   line), ANN_ERR_CORRUPT (the hash), ANN_ERR_MEMORY. Local. */
ann_status anni_bpe_read(anni_bpe **out, const char *path) ANN_MUST_CHECK;
/* The same from memory; `name` stands in errors. */
ann_status anni_bpe_parse(anni_bpe **out, anni_bytes text, const char *name) ANN_MUST_CHECK;
/* Replaces the file by rename once the new one is on the disk. Errors: ANN_ERR_IO, ANN_ERR_NOSPACE. */
ann_status anni_bpe_write(const anni_bpe *bpe, const char *path) ANN_MUST_CHECK;

/* Number of tokens, and the bytes of one (0 <= token < vocabulary). */
int anni_bpe_vocabulary(const anni_bpe *bpe);
anni_bytes anni_bpe_token(const anni_bpe *bpe, int32_t token);

/* Encodes whole pieces from the start of the text as long as the next one surely fits: room is at least
   ANNI_BPE_PIECE. *used: bytes encoded; all of the text if room >= text.size + ANNI_BPE_PIECE. Returns the
   number of tokens. Thread-safe. */
int64_t anni_bpe_encode(const anni_bpe *bpe, anni_bytes text, int32_t *tokens, int64_t room, size_t *used);
/* Writes the first `room` bytes; *size is how many there are in all. Errors: ANN_ERR_ARG (a token outside the
   vocabulary: names its place). Thread-safe. */
ann_status anni_bpe_decode(const anni_bpe *bpe, const int32_t *tokens, int64_t count, uint8_t *out,
                           size_t room, size_t *size) ANN_MUST_CHECK;

/* Bytes of the text's first piece (0 for an empty text). */
size_t anni_bpe_piece(anni_bytes text);

/* ---- for bpe*.c ---- */

/* A bpe of `count` merges; they have been checked for their range only. Errors: ANN_ERR_FORMAT (the same pair
 * twice, or a token longer than a piece: names the merge), ANN_ERR_MEMORY. */
ann_status anni_bpe_make(anni_bpe **out, const int32_t (*merges)[2], int count,
                         const char *name) ANN_MUST_CHECK;
const int32_t *anni_bpe_merge(const anni_bpe *bpe, int merge);

#endif
