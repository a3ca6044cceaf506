/* slice: large gradients are matrix products; in the pack that is reduced, the rows of one lie behind each
   other, so a product can be computed in parts without anything being copied. */
#include "pass/rewrite.h"

#include <stdlib.h>

enum { LAST_PARTS = 4, ROW_GRANULE = 16 };

typedef struct slice {
    anni_rewrite rw;
    int64_t *rows;     /* [count]: of a product's parts; 0: it stays whole */
    int *first_part;   /* [count]: of a product that is cut */
    ann_node *parts;   /* of all products */
    int64_t *offsets;  /* scratch: of a pack's inputs */
    ann_node *inputs;  /* scratch */
    int n_parts, room; /* room: of all three */
} slice;

/* The product whose bytes are that input of the pack and nothing else's, or none. */
static ann_node product_behind(const anni_rewrite *rw, ann_node input) {
    const ann_node root = anni_alias_root(rw->from, input);
    if (ann_node_op(rw->from, root) != ANN_OP_MATMUL || rw->uses[root.id] != 1 || rw->uses[input.id] != 1 ||
        ann_node_shape(rw->from, root)->rank != 2)
        return ANN_NODE_NONE;
    return root;
}

static int parts_of(int64_t all_rows, int64_t rows) { return (int)((all_rows + rows - 1) / rows); }

/* ---- what to cut ---- */

/* Rows of parts of at most so many bytes; 0 if all of them are. */
static int64_t rows_of_part(const ann_graph *g, ann_node product, int64_t bytes) {
    const ann_shape *shape = ann_node_shape(g, product);
    const int64_t row_bytes = shape->dim[1] * (int64_t)ann_dtype_bytes(ann_node_dtype(g, product));
    const int64_t all_bytes = shape->dim[0] * row_bytes, limit = bytes < 1 ? 1 : bytes;
    if (all_bytes <= limit) return 0;
    const int64_t n = (all_bytes + limit - 1) / limit, rows = (shape->dim[0] + n - 1) / n;
    const int64_t rounded = (rows + ROW_GRANULE - 1) / ROW_GRANULE * ROW_GRANULE;
    return rounded < shape->dim[0] ? rounded : 0;
}

static void choose(slice *s, ann_node pack, int64_t slice_bytes) {
    const ann_node *in;
    const int n = ann_node_inputs(s->rw.from, pack, &in);
    s->room += n;
    for (int i = 0; i < n; i++) {
        const ann_node product = product_behind(&s->rw, in[i]);
        if (!ann_node_is(product)) continue;
        const int64_t bytes = i + 1 < n ? slice_bytes : slice_bytes / LAST_PARTS;
        const int64_t rows = rows_of_part(s->rw.from, product, bytes);
        s->rows[product.id] = rows;
        if (rows > 0) s->room += parts_of(ann_node_shape(s->rw.from, product)->dim[0], rows);
    }
}

/* ---- the new graph ---- */

/* Where the product was: its parts take its place in the order of computing. */
static void make_parts(slice *s, ann_node product) {
    const int64_t all_rows = ann_node_shape(s->rw.from, product)->dim[0], rows = s->rows[product.id];
    const ann_node whole = anni_rewrite_clone(&s->rw, product);
    s->first_part[product.id] = s->n_parts;
    for (int64_t row = 0; row < all_rows; row += rows)
        s->parts[s->n_parts++] =
            ann_matmul_rows(s->rw.to, whole, row, all_rows - row < rows ? all_rows - row : rows);
}

static ann_node pack_parts(slice *s, ann_node pack) {
    const ann_graph *from = s->rw.from;
    const ann_node *in;
    const int n = ann_node_inputs(from, pack, &in);
    const int64_t *offsets = ann_node_attrs(from, pack)->pack.offsets;
    int count = 0;
    for (int i = 0; i < n; i++) {
        const ann_node product = product_behind(&s->rw, in[i]);
        const int64_t rows = ann_node_is(product) ? s->rows[product.id] : 0;
        const ann_shape *shape = ann_node_is(product) ? ann_node_shape(from, product) : NULL;
        const int parts = rows > 0 ? parts_of(shape->dim[0], rows) : 1;
        for (int k = 0; k < parts; k++) {
            s->inputs[count] = rows > 0 ? s->parts[s->first_part[product.id] + k] : s->rw.map[in[i].id];
            s->offsets[count++] = offsets[i] + (k > 0 ? k * rows * shape->dim[1] : 0);
        }
    }
    anni_scope_set(s->rw.to, ann_node_scope(from, pack));
    return ann_pack(s->rw.to, s->inputs, count, s->offsets, ann_shape_elems(ann_node_shape(from, pack)));
}

static void rebuild(slice *s) {
    for (int32_t id = 0; id < s->rw.count; id++) {
        if (!s->rw.live[id]) continue;
        const ann_node old = {id};
        if (s->rows[id] > 0) make_parts(s, old);
        else if (ann_node_op(s->rw.from, old) == ANN_OP_PACK) s->rw.map[id] = pack_parts(s, old);
        else (void)anni_rewrite_clone(&s->rw, old);
    }
    anni_copy_roots(s->rw.to, s->rw.from, s->rw.map);
}

static ann_status allocate_marks(slice *s) {
    s->rows = calloc((size_t)s->rw.count + 1, sizeof *s->rows);
    s->first_part = calloc((size_t)s->rw.count + 1, sizeof *s->first_part);
    return s->rows && s->first_part ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to cut gradients");
}

static ann_status allocate_parts(slice *s) {
    s->parts = calloc((size_t)s->room + 1, sizeof *s->parts);
    s->inputs = calloc((size_t)s->room + 1, sizeof *s->inputs);
    s->offsets = calloc((size_t)s->room + 1, sizeof *s->offsets);
    return s->parts && s->inputs && s->offsets ? ANN_OK
                                               : ann_error(ANN_ERR_MEMORY, "no memory to cut gradients");
}

ann_status ann_pass_slice(ann_graph **out, const ann_graph *graph, int64_t slice_bytes) {
    slice s = {0};
    ANN_TRY(anni_rewrite_begin(&s.rw, graph));
    ann_status status = allocate_marks(&s);
    for (int32_t id = 0; status == ANN_OK && id < s.rw.count; id++)
        if (s.rw.live[id] && ann_node_op(graph, (ann_node){id}) == ANN_OP_PACK)
            choose(&s, (ann_node){id}, slice_bytes);
    if (status == ANN_OK) status = allocate_parts(&s);
    if (status == ANN_OK) rebuild(&s);
    free(s.rows);
    free(s.first_part);
    free(s.parts);
    free(s.inputs);
    free(s.offsets);
    return anni_rewrite_end(&s.rw, out, status);
}
