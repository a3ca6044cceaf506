/* The choice of an algorithm. */
#include "comm/shared.h"

#include <stdio.h>
#include <string.h>

enum { KIB = 1 << 10 };

char *ann_algorithm_str(char *buf, size_t size, const ann_algorithm *a) {
    static const char *const names[ANN_PATTERN_COUNT] = {"ring", "doubling", "halving", "pairwise", "linear"};
    const int kib = (int)(a->segment_bytes / KIB);
    if (a->shared && a->direct) (void)snprintf(buf, size, "shared, direct");
    else if (a->shared && a->segment_bytes == 0) (void)snprintf(buf, size, "shared");
    else if (a->shared) (void)snprintf(buf, size, "shared + %s %d KiB", names[a->pattern], kib);
    else if (a->pattern == ANN_PATTERN_RING && a->rings > 1)
        (void)snprintf(buf, size, "%d rings %d KiB", a->rings, kib);
    else (void)snprintf(buf, size, "%s %d KiB", names[a->pattern], kib);
    return buf;
}

/* ---- what can be used ---- */

static bool shares(const ann_comm *comm) { return comm->shared && comm->shared_allowed; }

/* Only these patterns add up by the tree over the ranks. */
static bool in_order(const ann_comm *comm, const ann_algorithm *a) {
    if (comm->order == ANN_SUM_ORDER_ANY) return true;
    if (a->shared && comm->n_nodes == 1) return true;
    if (a->shared && !comm->in_subtrees) return false;
    return a->pattern == ANN_PATTERN_DOUBLING || a->pattern == ANN_PATTERN_HALVING;
}

static bool can_use(const ann_comm *comm, const ann_algorithm *a) {
    if (!in_order(comm, a)) return false;
    if (a->shared)
        return shares(comm) && (comm->n_nodes == 1) == (a->segment_bytes == 0) &&
               (!a->direct || comm->n_nodes == 1) && a->rings == 1;
    return a->segment_bytes > 0 && a->segment_bytes <= ANNI_SEGMENT_MAX && a->rings >= 1 &&
           a->rings <= comm->n_rings && !a->direct;
}

int ann_comm_algorithms(const ann_comm *comm, ann_algorithm *out, int max) {
    /* 60 KiB and MPI's header are sent at once by Open MPI's TCP, without asking the receiver. */
    static const ann_algorithm all[] = {
        {.shared = true, .direct = true, .rings = 1},
        {.shared = true, .rings = 1},
        {.shared = true, .pattern = ANN_PATTERN_DOUBLING, .rings = 1, .segment_bytes = 512 * KIB},
        {.shared = true, .pattern = ANN_PATTERN_HALVING, .rings = 1, .segment_bytes = 60 * KIB},
        {.shared = true, .pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 60 * KIB},
        {.shared = true, .pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 256 * KIB},
        {.pattern = ANN_PATTERN_DOUBLING, .rings = 1, .segment_bytes = 60 * KIB},
        {.pattern = ANN_PATTERN_DOUBLING, .rings = 1, .segment_bytes = 512 * KIB},
        {.pattern = ANN_PATTERN_HALVING, .rings = 1, .segment_bytes = 60 * KIB},
        {.pattern = ANN_PATTERN_HALVING, .rings = 1, .segment_bytes = 512 * KIB},
        {.pattern = ANN_PATTERN_HALVING, .rings = 1, .segment_bytes = 2048 * KIB},
        {.pattern = ANN_PATTERN_LINEAR, .rings = 1, .segment_bytes = 60 * KIB},
        {.pattern = ANN_PATTERN_PAIRWISE, .rings = 1, .segment_bytes = 256 * KIB},
        {.pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 60 * KIB},
        {.pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 256 * KIB},
        {.pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 512 * KIB},
        {.pattern = ANN_PATTERN_RING, .rings = 1, .segment_bytes = 2048 * KIB},
        {.pattern = ANN_PATTERN_RING, .rings = 2, .segment_bytes = 60 * KIB},
    };
    int n = 0;
    if (comm->size == 1) return 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && n < max; i++)
        if (can_use(comm, &all[i])) out[n++] = all[i];
    return n;
}

/* ---- the choice ---- */

/* Where nothing was measured. */
static ann_algorithm rule_of_thumb(const ann_comm *comm, int64_t bytes) {
    ann_algorithm a = {.shared = shares(comm), .rings = 1, .segment_bytes = 256 * KIB};
    if (a.shared && comm->n_nodes == 1) {
        a.segment_bytes = 0;
        a.direct = bytes <= 16 * KIB && comm->size > 2;
        return a;
    }
    a.pattern = bytes <= 8 * KIB                                         ? ANN_PATTERN_DOUBLING
                : bytes <= 64 * KIB || comm->order == ANN_SUM_ORDER_TREE ? ANN_PATTERN_HALVING
                                                                         : ANN_PATTERN_RING;
    if (!can_use(comm, &a)) a.shared = false;
    return a;
}

/* The row whose size is nearest, by ratio. */
static const ann_tuning_row *nearest(const ann_comm *comm, int64_t bytes) {
    const ann_tuning_row *best = NULL;
    for (int i = 0; i < comm->n_rows; i++) {
        const ann_tuning_row *row = &comm->rows[i];
        if (!can_use(comm, &row->best)) continue;
        if (!best || (double)bytes * (double)bytes > (double)row->bytes * (double)best->bytes) best = row;
    }
    return best;
}

ann_algorithm ann_comm_choose(const ann_comm *comm, int64_t bytes) {
    if (comm->forced && can_use(comm, &comm->force)) return comm->force;
    const ann_tuning_row *row = nearest(comm, bytes);
    return row ? row->best : rule_of_thumb(comm, bytes);
}

/* What only some patterns can do, and what travels in 16 bits, goes pairwise or round the ring: a value is
   rounded once on its way pairwise, and at every rank in a ring. */
ann_algorithm anni_choose(const ann_comm *comm, const anni_request *r) {
    const int64_t bytes = r->elems * (int64_t)r->elem_bytes;
    const bool rounded = r->message.wire == ANN_WIRE_BF16 || r->message.wire == ANN_WIRE_F16;
    ann_algorithm a = ann_comm_choose(comm, bytes);
    if (a.shared && comm->n_nodes == 1) {
        a.direct = a.direct && r->collective == ANN_COLLECTIVE_ALLREDUCE;
        return a;
    }
    if (r->collective != ANN_COLLECTIVE_ALLREDUCE) a.shared = false;
    if (rounded || r->collective != ANN_COLLECTIVE_ALLREDUCE) {
        a.pattern = rounded || bytes <= 64 * KIB ? ANN_PATTERN_PAIRWISE : ANN_PATTERN_RING;
        a.rings = 1;
        if (rounded && comm->order == ANN_SUM_ORDER_TREE) a.pattern = ANN_PATTERN_HALVING;
    }
    return a;
}

ann_status ann_comm_force(ann_comm *comm, const ann_algorithm *algorithm) {
    if (algorithm && !can_use(comm, algorithm)) {
        char name[64];
        return ann_error(ANN_ERR_ARG, "%s cannot be used among these ranks",
                         ann_algorithm_str(name, sizeof name, algorithm));
    }
    comm->forced = algorithm != NULL;
    if (algorithm) comm->force = *algorithm;
    return ANN_OK;
}

void ann_comm_set_shared(ann_comm *comm, bool allowed) { comm->shared_allowed = allowed; }

ann_status ann_comm_set_sum_order(ann_comm *comm, ann_sum_order order) {
    if (order == ANN_SUM_ORDER_TREE && (comm->size & (comm->size - 1)) != 0)
        return ann_error(ANN_ERR_ARG, "a tree of sums needs a number of ranks that is a power of two, not %d",
                         comm->size);
    comm->order = order;
    return ANN_OK;
}

const ann_tuning_row *ann_comm_tuning(const ann_comm *comm, int *count) {
    *count = comm->n_rows;
    return comm->rows;
}
