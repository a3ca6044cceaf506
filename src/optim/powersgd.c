/* PowerSGD: Vogels, Karimireddy, Jaggi, "PowerSGD: practical low-rank gradient compression for distributed
   optimization", NeurIPS 2019. Of each matrix of gradients one step of a power iteration is done per training
   step, over all ranks, from where the step before came to (Q):

       M = G + E        P = orthonormal(sum of M Q)        L = M^T P        Q = sum of L
       gradient = P Q^T                                    E = M - P L^T

   The sums over ranks are those of two messages. E is what this rank's M lacks of its own projection, so that
   the sum of all E is just what the sum of all M lacks of the gradient. A weight [in, out] is a matrix as it
   is, one of a convolution is [out, rest]. Tensors that are no matrices, or too small to gain, travel as they
   are in a third message. */
#include "optim/rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN_ELEMS = 16 };

typedef struct matrix {
    int64_t rows, cols, rank;
    ann_tensor error;    /* of this tensor */
    ann_node m, q, p, l; /* as above; q of the step before */
    ann_node kept;       /* [1, rank]: 1 where a column of p is not 0 */
    ann_node sum;        /* the gradient, of the tensor's shape */
} matrix;

typedef struct builder {
    const anni_update *u;
    ann_graph *g;
    const anni_gradient *from;
    matrix *matrices; /* [n]; rank 0: not a matrix, only `sum` is used */
    ann_node *parts;  /* [n]: room for those of a message */
    int64_t *offsets; /* [n] of the parts */
} builder;

/* ---- messages ---- */

/* The sum over ranks of the first n parts, flat. */
static ann_node sum_parts(builder *b, int n) {
    int64_t end = 0;
    for (int i = 0; i < n; i++) {
        b->offsets[i] = end;
        const int64_t elems = ann_shape_elems(ann_node_shape(b->g, b->parts[i]));
        end += (elems + ALIGN_ELEMS - 1) / ALIGN_ELEMS * ALIGN_ELEMS;
    }
    return n ? ann_allreduce(b->g, ann_pack(b->g, b->parts, n, b->offsets, end), 0) : ANN_NODE_NONE;
}

static ann_node part_of(const builder *b, ann_node message, int part, ann_shape shape) {
    const int64_t lo = b->offsets[part], hi = lo + ann_shape_elems(&shape);
    return ann_reshape(b->g, ann_slice(b->g, message, &lo, &hi), shape);
}

/* ---- what is a matrix ---- */

static void measure(matrix *m, const ann_shape *shape, int64_t rank) {
    *m = (matrix){.error = ANN_TENSOR_NONE};
    if (shape->rank < 2 || ann_shape_elems(shape) == 0) return;
    m->rows = shape->dim[0];
    m->cols = ann_shape_elems(shape) / m->rows;
    if (rank > m->rows) rank = m->rows;
    if (rank > m->cols) rank = m->cols;
    if (rank * (m->rows + m->cols) < m->rows * m->cols) m->rank = rank;
}

/* Declares Q of each matrix, all in the block "powersgd_q", or "powersgd_q.NAME" of a group of parameters:
   made for the first graph over a store. */
static ann_status declare(builder *b, ann_tensor *q) {
    ann_store *store = ann_graph_store(b->g);
    int n = 0;
    for (int i = 0; i < b->from->n; i++) {
        const ann_tensor_info *info = ann_store_info(store, b->from->tensors[i]);
        matrix *m = &b->matrices[i];
        char name[1024];
        measure(m, &info->shape, b->u->optim->compress.rank);
        if (m->rank == 0) continue;
        snprintf(name, sizeof name, "error/%s", info->name);
        m->error = ann_store_find(store, name);
        snprintf(name, sizeof name, "powersgd_q/%s", info->name);
        ANN_TRY(ann_store_declare(&q[n], store, name, info->dtype, &ANN_SHAPE(m->cols, m->rank),
                                  ANN_ROLE_MOMENT, (ann_init){ANN_INIT_NORMAL, 1}));
        m->q = ann_load(b->g, q[n++]);
    }
    char name[96];
    (void)snprintf(name, sizeof name, "powersgd_q%s",
                   ann_store_block_name(store, b->u->block) + strlen("params"));
    ann_block block = anni_find_block(store, name);
    return n && block.id < 0 ? ann_store_group(&block, store, name, q, n) : ANN_OK;
}

/* ---- orthonormal columns ---- */

static ann_node dot(ann_graph *g, ann_node a, ann_node b) { return ann_sum_all(g, ann_mul(g, a, b)); }

/* Modified Gram-Schmidt, each column twice. What is left of a column that depends on those before it is
   rounding error: it becomes 0. */
static void orthonormalise(ann_graph *g, matrix *m, ann_node p) {
    ann_node columns[ANN_POWERSGD_MAX_RANK], kept[ANN_POWERSGD_MAX_RANK];
    const ann_dtype dtype = ann_node_dtype(g, p);
    for (int j = 0; j < (int)m->rank; j++) {
        ann_node c = ann_slice(g, p, (int64_t[]){0, j}, (int64_t[]){m->rows, j + 1});
        const ann_node least = ann_mul_const(g, dot(g, c, c), 1e-10);
        for (int i = 0; i < 2 * j; i++) {
            const ann_node other = columns[i % j];
            c = ann_sub(g, c, ann_mul(g, other, dot(g, other, c)));
        }
        const ann_node square = dot(g, c, c), zero = ann_scalar(g, dtype, 0);
        const ann_node keep = ann_gt(g, square, least);
        columns[j] = ann_mul(g, c, ann_select(g, keep, ann_recip(g, ann_sqrt(g, square)), zero));
        kept[j] = ann_reshape(g, keep, ANN_SHAPE(1, 1));
    }
    m->p = ann_concat(g, columns, (int)m->rank, 1);
    m->kept = ann_concat(g, kept, (int)m->rank, 1);
}

/* ---- the steps ---- */

static void sum_the_rest(builder *b) {
    const ann_store *store = ann_graph_store(b->g);
    int n = 0;
    for (int i = 0; i < b->from->n; i++)
        if (b->matrices[i].rank == 0) b->parts[n++] = b->from->grads[i];
    const ann_node message = sum_parts(b, n);
    n = 0;
    for (int i = 0; i < b->from->n; i++)
        if (b->matrices[i].rank == 0)
            b->matrices[i].sum = part_of(b, message, n++, ann_store_info(store, b->from->tensors[i])->shape);
}

static void make_p(builder *b) {
    ann_graph *g = b->g;
    int n = 0;
    for (int i = 0; i < b->from->n; i++) {
        matrix *m = &b->matrices[i];
        if (m->rank == 0) continue;
        const ann_shape shape = ANN_SHAPE(m->rows, m->cols);
        m->m = ann_reshape(g, b->from->grads[i], shape);
        if (m->error.id >= 0) m->m = ann_add(g, m->m, ann_reshape(g, ann_load(g, m->error), shape));
        b->parts[n++] = ann_matmul(g, m->m, m->q, false, false);
    }
    const ann_node message = sum_parts(b, n);
    n = 0;
    for (int i = 0; i < b->from->n; i++) {
        matrix *m = &b->matrices[i];
        if (m->rank > 0) orthonormalise(g, m, part_of(b, message, n++, ANN_SHAPE(m->rows, m->rank)));
    }
}

/* A column of Q whose column of P is 0 stays what it was: from 0 it would never come back. */
static void finish(builder *b, matrix *m, ann_node q, ann_shape shape) {
    ann_graph *g = b->g;
    m->sum = ann_reshape(g, ann_matmul(g, m->p, q, false, true), shape);
    anni_put(b->u, m->q, ann_select(g, m->kept, q, m->q));
    if (m->error.id < 0) return;
    const ann_node own = ann_matmul(g, m->p, m->l, false, true);
    anni_put(b->u, ann_load(g, m->error), ann_reshape(g, ann_sub(g, m->m, own), shape));
}

static void make_q(builder *b) {
    const ann_store *store = ann_graph_store(b->g);
    int n = 0;
    for (int i = 0; i < b->from->n; i++) {
        matrix *m = &b->matrices[i];
        if (m->rank > 0) b->parts[n++] = m->l = ann_matmul(b->g, m->m, m->p, true, false);
    }
    const ann_node message = sum_parts(b, n);
    n = 0;
    for (int i = 0; i < b->from->n; i++) {
        matrix *m = &b->matrices[i];
        if (m->rank == 0) continue;
        const ann_node q = part_of(b, message, n++, ANN_SHAPE(m->cols, m->rank));
        finish(b, m, q, ann_store_info(store, b->from->tensors[i])->shape);
    }
}

static ann_node build(builder *b, ann_tensor *q) {
    if (b->u->optim->compress.error_feedback && !ann_node_is(anni_moment(b->u, "error")))
        return ANN_NODE_NONE;
    const ann_status status = declare(b, q);
    if (status != ANN_OK) return ann_graph_fail(b->g, status, "%s", ann_error_text());
    sum_the_rest(b);
    make_p(b);
    make_q(b);
    for (int i = 0; i < b->from->n; i++) b->parts[i] = b->matrices[i].sum;
    return ann_pack(b->g, b->parts, b->from->n, b->from->offsets, b->from->elems);
}

ann_node anni_powersgd(const anni_update *u, const anni_gradient *gradient) {
    const size_t n = (size_t)gradient->n;
    const int rank = u->optim->compress.rank;
    if (rank < 1 || rank > ANN_POWERSGD_MAX_RANK)
        return ann_graph_fail(u->graph, ANN_ERR_ARG, "PowerSGD: rank %d, accepted is 1 to %d", rank,
                              ANN_POWERSGD_MAX_RANK);
    builder b = {.u = u, .g = u->graph, .from = gradient};
    ann_tensor *q = calloc(n, sizeof *q);
    b.matrices = calloc(n, sizeof *b.matrices);
    b.parts = calloc(n, sizeof *b.parts);
    b.offsets = calloc(n, sizeof *b.offsets);
    const ann_node sum = q && b.matrices && b.parts && b.offsets
                             ? build(&b, q)
                             : ann_graph_fail(b.g, ANN_ERR_MEMORY, "no memory for PowerSGD");
    free(q);
    free(b.matrices);
    free(b.parts);
    free(b.offsets);
    return sum;
}
