/* topk for f32 by radix selection: the bits of the k-th largest magnitude are found in three digits, from the
   first to the last, each by a histogram over the elements that have the digits before it; one more pass
   writes. Cost: four reads and one write of the vector. */
#include "kernel/kernels.h"
#include "kernel/parallel.h"

#include <string.h>

enum { DIGITS = 3, BINS = 2048, LINE_ELEMS = 16 };

/* Keys have 31 bits: 11, 11 and 9 of them. */
static const int shift_of[DIGITS] = {20, 9, 0};
static const uint32_t mask_of[DIGITS] = {0x7ff, 0x7ff, 0x1ff};

typedef struct selection {
    const ann_kernel_call *call;
    int64_t n;
    int digit;
    uint32_t least;        /* digits found so far, of the key of the k-th largest element */
    int64_t ties;          /* so many elements with just that key stay */
    int64_t (*bins)[BINS]; /* [parts] */
} selection;

/* Ordered as magnitudes are; every NaN is the largest. */
static inline uint32_t key_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= 0x7fffffffu;
    return bits > 0x7f800000u ? 0x7fffffffu : bits;
}

static void count(const void *task, int part, int parts) {
    const selection *s = task;
    const float *x = s->call->in[0];
    const int shift = shift_of[s->digit];
    const uint32_t mask = mask_of[s->digit], known = ~(mask << shift | ((1u << shift) - 1u));
    int64_t lo, hi, *bins = s->bins[part];
    anni_share(&lo, &hi, s->n, LINE_ELEMS, part, parts);
    memset(bins, 0, sizeof s->bins[part]);
    for (int64_t i = lo; i < hi; i++) {
        const uint32_t key = key_of(x[i]);
        if ((key & known & 0x7fffffffu) == s->least) bins[key >> shift & mask]++;
    }
}

/* The bin in which the `rank`-th largest of the counted elements lies; *rank becomes its rank in there. */
static uint32_t find_bin(const selection *s, int parts, int64_t *rank) {
    for (uint32_t bin = mask_of[s->digit];; bin--) {
        int64_t here = 0;
        for (int p = 0; p < parts; p++) here += s->bins[p][bin];
        if (*rank <= here || bin == 0) return bin;
        *rank -= here;
    }
}

/* The last histogram has the elements with just the key `least` of each part. */
static void keep(const void *task, int part, int parts) {
    const selection *s = task;
    const float *x = s->call->in[0];
    float *out = s->call->out;
    const uint32_t tie = s->least & mask_of[DIGITS - 1];
    int64_t lo, hi, left = s->ties;
    anni_share(&lo, &hi, s->n, LINE_ELEMS, part, parts);
    for (int p = 0; p < part; p++) left -= s->bins[p][tie];
    if (left <= 0 || left >= s->bins[part][tie]) {
        const uint32_t from = left <= 0 ? s->least + 1 : s->least;
        for (int64_t i = lo; i < hi; i++) out[i] = key_of(x[i]) >= from ? x[i] : 0.0f;
        return;
    }
    for (int64_t i = lo; i < hi; i++) {
        const uint32_t key = key_of(x[i]);
        out[i] = key > s->least || (key == s->least && left-- > 0) ? x[i] : 0.0f;
    }
}

static ann_status topk(const ann_kernel_call *call) {
    selection s = {.call = call, .n = ann_shape_elems(&call->out_shape), .bins = call->scratch};
    const int parts = anni_parts(call->threads, s.n * 4);
    int64_t rank = call->attrs->topk.k;
    if (rank == 0) {
        memset(call->out, 0, (size_t)s.n * sizeof(float));
        return ANN_OK;
    }
    for (; s.digit < DIGITS; s.digit++) {
        anni_parallel(parts, count, &s);
        s.least |= find_bin(&s, parts, &rank) << shift_of[s.digit];
    }
    s.ties = rank;
    anni_parallel(parts, keep, &s);
    return ANN_OK;
}

static size_t scratch_bytes(const ann_kernel_call *call) {
    return (size_t)call->threads * sizeof(int64_t[BINS]);
}

const ann_kernel anni_kernel_topk_radix = {.name = "topk.radix", .scratch_bytes = scratch_bytes, .run = topk};
