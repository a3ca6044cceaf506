#include "method/eigen.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/philox.h"
#include "method/jacobi.h"
#include "method/product.h"
#include "method/vector.h"

enum { MORE = 8, BASIS = 96, ROUNDS = 1000 };
static const double tolerance = 1e-10;

typedef struct krylov {
    const double *a; /* [d, d] */
    int64_t d, k, block, basis;
    int threads;
    uint64_t drawn;  /* vectors, so far */
    double *q;       /* [basis, d] orthonormal rows */
    double *image;   /* [basis, d] = q a */
    double *small;   /* [basis, basis] = q a q^T */
    double *ritz;    /* [basis, basis]: rows are eigenvectors of it */
    double *value;   /* [basis] */
    double *vectors; /* [block, d] = the leading rows of ritz q; during the round, of ritz q a */
} krylov;

static void draw(krylov *s, double *row) {
    for (int64_t i = 0; i < s->d; i++) row[i] = ann_random_normal(0, ANN_STREAM_JUDGE, s->drawn, (uint64_t)i);
    s->drawn++;
}

/* Makes row `at` of q a unit vector orthogonal to those before it, by Gram and Schmidt, twice. Where nothing
   but rounding errors is left of it, a random vector takes its place: at < d, so there is a direction left.
 */
static void orthogonalise(krylov *s, int64_t at) {
    double *x = s->q + at * s->d;
    for (;;) {
        const double before = sqrt(anni_dot(x, x, s->d));
        for (int pass = 0; pass < 2; pass++)
            for (int64_t i = 0; i < at; i++)
                anni_add(x, -anni_dot(x, s->q + i * s->d, s->d), s->q + i * s->d, s->d);
        const double after = sqrt(anni_dot(x, x, s->d));
        if (after > 1e-12 * before) {
            for (int64_t j = 0; j < s->d; j++) x[j] /= after;
            return;
        }
        draw(s, x);
    }
}

/* q and its image from the block in q's first rows. */
static ann_status extend(krylov *s) {
    const anni_factor a = {s->a, s->d, s->d, false};
    for (int64_t first = 0; first < s->basis; first += s->block) {
        const int64_t count = s->basis - first < s->block ? s->basis - first : s->block;
        if (first > 0)
            memcpy(s->q + first * s->d, s->image + (first - s->block) * s->d,
                   (size_t)(count * s->d) * sizeof *s->q);
        for (int64_t i = first; i < first + count; i++) orthogonalise(s, i);
        const anni_factor rows = {s->q + first * s->d, count, s->d, false};
        ANN_TRY(anni_product(s->image + first * s->d, rows, a, s->threads));
    }
    return ANN_OK;
}

/* vectors = the leading rows of ritz times `of`[basis, d]. */
static ann_status combine(krylov *s, const double *of) {
    const anni_factor ritz = {s->ritz, s->block, s->basis, false}, rows = {of, s->basis, s->d, false};
    return anni_product(s->vectors, ritz, rows, s->threads);
}

/* The largest |a v - value v| of the k leading pairs; q's first rows become the v. */
static ann_status refine(krylov *s, double *residual) {
    const anni_factor image = {s->image, s->basis, s->d, false}, q = {s->q, s->basis, s->d, true};
    ANN_TRY(anni_product(s->small, image, q, s->threads));
    for (int64_t i = 0; i < s->basis; i++)
        for (int64_t j = 0; j < i; j++)
            s->small[i * s->basis + j] = s->small[j * s->basis + i] =
                (s->small[i * s->basis + j] + s->small[j * s->basis + i]) / 2;
    anni_jacobi(s->value, s->ritz, s->small, s->basis);
    ANN_TRY(combine(s, s->q));
    memcpy(s->q, s->vectors, (size_t)(s->block * s->d) * sizeof *s->q);
    ANN_TRY(combine(s, s->image));
    double largest = 0;
    for (int64_t i = 0; i < s->k; i++) {
        double *difference = s->vectors + i * s->d;
        anni_add(difference, -s->value[i], s->q + i * s->d, s->d);
        largest = fmax(largest, anni_dot(difference, difference, s->d));
    }
    *residual = sqrt(largest);
    return ANN_OK;
}

static ann_status iterate(krylov *s) {
    for (int64_t i = 0; i < s->block; i++) draw(s, s->q + i * s->d);
    for (int round = 0; round < ROUNDS; round++) {
        double residual;
        ANN_TRY(extend(s));
        ANN_TRY(refine(s, &residual));
        if (residual <= tolerance * s->value[0]) return ANN_OK;
    }
    return ann_error(ANN_ERR_NUMERIC,
                     "%" PRId64 " leading eigenvectors of a matrix of %" PRId64 " rows: no convergence", s->k,
                     s->d);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

ann_status anni_eigen_leading(double *value, double *vector, const double *a, int64_t d, int64_t k,
                              int threads) {
    krylov s = {.a = a, .d = d, .k = k, .block = least(d, k + MORE), .threads = threads};
    s.basis = least(d, 3 * s.block > BASIS ? 3 * s.block : BASIS);
    const size_t rows = (size_t)(s.basis * d), squares = (size_t)(s.basis * s.basis);
    const size_t total = 2 * rows + 2 * squares + (size_t)s.basis + (size_t)(s.block * d);
    double *memory = malloc(total * sizeof *memory);
    if (memory == NULL)
        return ann_error(ANN_ERR_MEMORY, "eigenvectors of a matrix of %" PRId64 " rows: out of memory", d);
    s.q = memory;
    s.image = s.q + rows;
    s.small = s.image + rows;
    s.ritz = s.small + squares;
    s.value = s.ritz + squares;
    s.vectors = s.value + s.basis;
    const ann_status status = iterate(&s);
    if (status == ANN_OK) {
        memcpy(value, s.value, (size_t)k * sizeof *value);
        memcpy(vector, s.q, (size_t)(k * d) * sizeof *vector);
    }
    free(memory);
    return status;
}
