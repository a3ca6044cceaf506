#include "comm/pattern.h"
#include "tensor/chunk.h"

static int modulo(int value, int size) { return (value % size + size) % size; }

static const ann_pattern_step NOTHING = {.to = -1, .from = -1, .send_after = -1, .recv_after = -1};

static void send_chunk(ann_pattern_step *s, int64_t elems, int size, int chunk) {
    ann_chunk_of(elems, size, modulo(chunk, size), &s->send_begin, &s->send_count);
}
static void recv_chunk(ann_pattern_step *s, int64_t elems, int size, int chunk) {
    ann_chunk_of(elems, size, modulo(chunk, size), &s->recv_begin, &s->recv_count);
}

/* RING and PAIRWISE are a reduce-scatter of P-1 steps, then an allgather of P-1 steps. *turn counts within
   the half. */
static bool in_first_half(ann_collective collective, int size, int step, int *turn) {
    const bool first = collective == ANN_COLLECTIVE_REDUCE_SCATTER ||
                       (collective == ANN_COLLECTIVE_ALLREDUCE && step < size - 1);
    *turn = collective == ANN_COLLECTIVE_ALLREDUCE && !first ? step - (size - 1) : step;
    return first;
}

/* ---- ring ---- */

static ann_pattern_step ring_at(ann_collective collective, int64_t elems, int position, int size, int step) {
    ann_pattern_step s = {.to = modulo(position + 1, size),
                          .from = modulo(position - 1, size),
                          .send_after = step - 1,
                          .recv_after = -1,
                          .send_after_same = true,
                          .recv_after_same = true};
    int turn;
    if (in_first_half(collective, size, step, &turn)) {
        s.reduce = true;
        send_chunk(&s, elems, size, position - 1 - turn);
        recv_chunk(&s, elems, size, position - 2 - turn);
        return s;
    }
    send_chunk(&s, elems, size, position - turn);
    recv_chunk(&s, elems, size, position - 1 - turn);
    if (collective == ANN_COLLECTIVE_ALLREDUCE) s.recv_after = turn;
    return s;
}

/* ---- pairwise ---- */

static ann_pattern_step pairwise_at(ann_collective collective, int64_t elems, int position, int size,
                                    int step) {
    ann_pattern_step s = NOTHING;
    int turn;
    const bool first = in_first_half(collective, size, step, &turn);
    s.to = modulo(position + turn + 1, size);
    s.from = modulo(position - turn - 1, size);
    s.send_after_same = s.recv_after_same = true;
    s.reduce = first;
    send_chunk(&s, elems, size, first ? s.to : position);
    recv_chunk(&s, elems, size, first ? position : s.from);
    if (!first && collective == ANN_COLLECTIVE_ALLREDUCE) {
        s.send_after = size - 2;
        s.recv_after = size - 2 - turn; /* where the chunk was sent to its owner */
    }
    return s;
}

/* ---- linear ---- */

/* Position 0 receives from each in turn, then sends to each in turn. */
static ann_pattern_step linear_at(int64_t elems, int position, int size, int step) {
    ann_pattern_step s = NOTHING;
    const bool first = step < size - 1;
    const int turn = first ? step : step - (size - 1), other = position == 0 ? turn + 1 : 0;
    if (position != 0 && position != turn + 1) return s;
    const bool sends = first == (position != 0);
    s.send_after_same = s.recv_after_same = true;
    if (sends) {
        s.to = other;
        s.send_count = elems;
        s.send_after = first ? -1 : size - 2;
    } else {
        s.from = other;
        s.recv_count = elems;
        s.reduce = first;
        s.recv_after = first ? -1 : turn;
    }
    return s;
}

/* ---- doubling and halving ---- */

/* The largest power of two of the positions takes part in the exchanges. Of the first 2 * `rest` positions,
   the even ones give their part to their neighbour before, and get the result after. */
typedef struct core {
    int levels, rest, index; /* index: among those that take part; -1: not among them */
    int first;               /* step of the first exchange */
} core;

static core core_of(int position, int size) {
    core c = {0};
    while (2 << c.levels <= size) c.levels++;
    c.rest = size - (1 << c.levels);
    c.first = c.rest > 0;
    if (position >= 2 * c.rest) c.index = position - c.rest;
    else c.index = position % 2 ? position / 2 : -1;
    return c;
}
static int position_of(const core *c, int index) { return index < c->rest ? 2 * index + 1 : index + c->rest; }

/* Before the exchanges (`after` false), or behind them. */
static ann_pattern_step fold_at(const core *c, int64_t elems, int position, int step, bool after) {
    ann_pattern_step s = NOTHING;
    if (position >= 2 * c->rest) return s;
    const bool sends = (c->index < 0) != after;
    if (sends) {
        s.to = position ^ 1;
        s.send_count = elems;
        s.send_after = after ? step - 1 : -1;
    } else {
        s.from = position ^ 1;
        s.recv_count = elems;
        s.reduce = !after;
        s.recv_after = after ? 0 : -1;
        s.recv_after_same = true;
    }
    return s;
}

static ann_pattern_step doubling_at(int64_t elems, int position, int size, int step) {
    const core c = core_of(position, size);
    const int level = step - c.first;
    if (level < 0 || level == c.levels) return fold_at(&c, elems, position, step, level >= 0);
    if (c.index < 0) return NOTHING;
    const int peer = position_of(&c, c.index ^ 1 << level);
    const bool received = level > 0 || position < 2 * c.rest;
    return (ann_pattern_step){.to = peer,
                              .from = peer,
                              .send_count = elems,
                              .recv_count = elems,
                              .reduce = true,
                              .send_after = received ? step - 1 : -1,
                              .recv_after = step,
                              .send_after_same = true,
                              .recv_after_same = true};
}

/* The range that an index holds when `levels` exchanges have halved it: bit 0 of the index chooses first. */
static void halved(int64_t elems, int index, int levels, int64_t *begin, int64_t *count) {
    *begin = 0;
    *count = elems;
    for (int i = 0; i < levels; i++) {
        int64_t half, lower;
        ann_chunk_of(*count, 2, 0, &half, &lower);
        if (index >> i & 1) {
            *begin += lower;
            *count -= lower;
        } else {
            *count = lower;
        }
    }
}

static ann_pattern_step halving_at(int64_t elems, int position, int size, int step) {
    const core c = core_of(position, size);
    const int turn = step - c.first;
    if (turn < 0 || turn == 2 * c.levels) return fold_at(&c, elems, position, step, turn >= 0);
    if (c.index < 0) return NOTHING;
    const bool first = turn < c.levels;
    const int level = first ? turn : 2 * c.levels - 1 - turn, other = c.index ^ 1 << level;
    const int peer = position_of(&c, other);
    ann_pattern_step s = {.to = peer, .from = peer, .reduce = first, .send_after = -1, .recv_after = -1};
    halved(elems, first ? other : c.index, level + 1, &s.send_begin, &s.send_count);
    halved(elems, first ? c.index : other, level + 1, &s.recv_begin, &s.recv_count);
    if (turn > 0 || position < 2 * c.rest) s.send_after = step - 1;
    s.send_after_same = turn == c.levels;
    if (!first) {
        s.recv_after = c.first + level;
        s.recv_after_same = true;
    }
    return s;
}

/* ---- all ---- */

bool ann_pattern_can(ann_pattern pattern, ann_collective collective) {
    return collective == ANN_COLLECTIVE_ALLREDUCE || pattern == ANN_PATTERN_RING ||
           pattern == ANN_PATTERN_PAIRWISE;
}

int ann_pattern_steps(ann_pattern pattern, ann_collective collective, int size) {
    const core c = core_of(0, size);
    if (size == 1) return 0;
    if (pattern == ANN_PATTERN_DOUBLING) return c.levels + 2 * c.first;
    if (pattern == ANN_PATTERN_HALVING) return 2 * c.levels + 2 * c.first;
    return collective == ANN_COLLECTIVE_ALLREDUCE ? 2 * (size - 1) : size - 1;
}

ann_pattern_step ann_pattern_at(ann_pattern pattern, ann_collective collective, int64_t elems, int position,
                                int size, int step) {
    switch (pattern) {
    case ANN_PATTERN_DOUBLING: return doubling_at(elems, position, size, step);
    case ANN_PATTERN_HALVING: return halving_at(elems, position, size, step);
    case ANN_PATTERN_PAIRWISE: return pairwise_at(collective, elems, position, size, step);
    case ANN_PATTERN_LINEAR: return linear_at(elems, position, size, step);
    default: return ring_at(collective, elems, position, size, step);
    }
}
