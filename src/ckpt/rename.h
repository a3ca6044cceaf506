/* Names of tensors from one scheme to another. Local. */
#ifndef ANN_CKPT_RENAME_H
#define ANN_CKPT_RENAME_H

#include <stdbool.h>
#include <stddef.h>

enum { ANN_RENAME_STARS = 8 };

/* `from` is a whole name in which each '*' stands for any run of characters; in `to` the n-th '*' stands for
   what the n-th of `from` has matched: from "model.*.weight" to "encoder/fc*.w". */
typedef struct ann_rename {
    const char *from, *to;
} ann_rename;

/* Whether the rule is one: at most 8 stars, and no more in `to` than in `from`. */
bool ann_rename_is_good(const ann_rename *rule);
/* Writes the new name of `name` by the first rule that matches (the name itself if none does). false: it does
   not fit into size bytes. */
bool ann_rename_apply(char *out, size_t size, const ann_rename *rules, int count, const char *name);

#endif
