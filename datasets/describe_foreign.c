#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "datasets/describe.h"
#include "datasets/storage.h"

enum { MAX_ITEMS = 512, PATH_BYTES = 256 };
typedef enum role { TRAIN, TEST, OTHER } role; /* by the name */

typedef struct item {
    char path[PATH_BYTES];
    anni_storage stored;
    role role;
    bool said;
} item;

typedef struct listing {
    item *items;
    int count;
    int64_t more; /* that there was no room for */
} listing;

/* ---- what there is ---- */

static bool contains(const char *text, const char *word) {
    const size_t size = strlen(word);
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < size && tolower((unsigned char)text[i]) == word[i]) i++;
        if (i == size) return true;
    }
    return false;
}

static herr_t add_item(hid_t file, const char *name, const H5L_info_t *link, void *to) {
    listing *l = to;
    if (link->type != H5L_TYPE_HARD || strlen(name) >= PATH_BYTES) return 0;
    const hid_t object = H5Oopen(file, name, H5P_DEFAULT);
    if (object >= 0 && H5Iget_type(object) == H5I_DATASET) {
        anni_storage stored;
        anni_storage_of(&stored, object);
        if (stored.shape.rank > 0 && l->count == MAX_ITEMS) l->more++;
        if (stored.shape.rank > 0 && l->count < MAX_ITEMS) {
            item *it = &l->items[l->count++];
            *it = (item){.stored = stored,
                         .role = contains(name, "train")                           ? TRAIN
                                 : contains(name, "test") || contains(name, "val") ? TEST
                                                                                   : OTHER};
            snprintf(it->path, sizeof it->path, "%s", name);
        }
    }
    if (object >= 0) H5Oclose(object);
    H5Eclear2(H5E_DEFAULT);
    return 0;
}

/* ---- what could be a split ---- */

static bool belong(const item *a, const item *b) {
    return a->role == b->role && a->stored.shape.dim[0] == b->stored.shape.dim[0];
}

static void say_together(const anni_description *d, const listing *l, int first) {
    char shape[128];
    anni_describe_line(d, "%" PRId64 " samples", l->items[first].stored.shape.dim[0]);
    for (int i = first; i < l->count; i++) {
        item *it = &l->items[i];
        if (!belong(it, &l->items[first])) continue;
        it->said = true;
        anni_describe_line(d, "  %-24s %s %s, %s", it->path, it->stored.type,
                           ann_shape_str(shape, sizeof shape, &it->stored.shape), it->stored.text);
    }
}

/* x: the numbers that take most room. */
static const item *find_x(const listing *l, role wanted) {
    const item *x = NULL;
    for (int i = 0; i < l->count; i++) {
        const item *it = &l->items[i];
        const bool fits = it->stored.is_number && it->stored.shape.rank >= 2 && it->role == wanted;
        if (fits && (x == NULL || it->stored.bytes > x->stored.bytes)) x = it;
    }
    return x;
}

/* y: integers of rank 1 beside x; the name decides if there are several. */
static const item *find_y(const listing *l, const item *x) {
    const item *y = NULL;
    for (int i = 0; i < l->count; i++) {
        const item *it = &l->items[i];
        if (!belong(it, x) || !it->stored.is_number || it->stored.is_float || it->stored.shape.rank != 1)
            continue;
        const bool named =
            contains(it->path, "label") || contains(it->path, "target") || contains(it->path, "y");
        if (y == NULL || named) y = it;
    }
    return y;
}

static void say_fields(const anni_description *d, const char *split, const item *x, const item *y) {
    if (y != NULL) anni_describe_line(d, "      %s: { x: %s, y: %s }", split, x->path, y->path);
    else anni_describe_line(d, "      %s: { x: %s }", split, x->path);
}

/* Flat images are often square. */
static void say_shape(const anni_description *d, const item *x) {
    if (x->stored.shape.rank != 2) return;
    const int64_t side = llround(sqrt((double)x->stored.shape.dim[1]));
    if (side < 4 || side * side != x->stored.shape.dim[1]) return;
    anni_describe_line(d, "      # shape: [%" PRId64 ", %" PRId64 ", 1]    if these are square images", side,
                       side);
}

static void say_block(const anni_description *d, const listing *l) {
    const item *test = find_x(l, TEST), *train = find_x(l, TRAIN);
    if (train == NULL) train = find_x(l, OTHER);
    if (train == NULL) train = test;
    if (train == NULL) return;
    anni_describe_line(d, "a run file reads it with");
    anni_describe_line(d, "    data:");
    anni_describe_line(d, "      path: %s", d->path);
    say_fields(d, "train", train, find_y(l, train));
    if (test != NULL && test != train) say_fields(d, "test", test, find_y(l, test));
    say_shape(d, train);
}

ann_status anni_describe_foreign(const anni_description *d) {
    listing l = {.items = ann_arena_alloc(d->arena, MAX_ITEMS * sizeof *l.items)};
    if (l.items == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", d->path);
    if (H5Lvisit(d->file, H5_INDEX_NAME, H5_ITER_INC, add_item, &l) < 0)
        return anni_h5_error(ANN_ERR_FORMAT, "%s: its groups cannot be read", d->path);
    if (l.count == 0)
        return ann_error(ANN_ERR_FORMAT, "%s: has no split, and no dataset that could be a field", d->path);
    anni_describe_line(
        d, "not of annulus's layout: there is no group with a dataset x. Datasets by number of samples:");
    for (int i = 0; i < l.count; i++)
        if (!l.items[i].said) say_together(d, &l, i);
    if (l.more > 0) anni_describe_line(d, "and %" PRId64 " more", l.more);
    say_block(d, &l);
    return ANN_OK;
}
