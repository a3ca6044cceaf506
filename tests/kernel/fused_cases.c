/* Random programs of the fused loop. Inputs are small integers and the magnitude of every register is
   tracked, so that all arithmetic is exact and every kernel must give the same bits, whatever it combines or
   reorders. */
#include "kernel_cases.h"

#include <stdio.h>

#include "base/philox.h"
#include "kernel/fused.h"

enum { LIMIT = 1 << 20, PROGRAMS = 600 };

typedef struct generator {
    uint64_t sample, element;
    ann_fused program;
    case_gen gen[CASE_MAX_IN];
    int64_t magnitude[ANN_FUSED_MAX_IN + ANN_FUSED_MAX_CODE];
    int fraction_bits[ANN_FUSED_MAX_IN + ANN_FUSED_MAX_CODE];
} generator;

static int64_t roll(generator *g, int64_t n) {
    return (int64_t)(ann_random_uniform(2024, 1, g->sample, g->element++) * (double)n);
}

static ann_access random_access(generator *g) {
    static const ann_access weighted[] = {ANN_ACCESS_FULL,   ANN_ACCESS_FULL, ANN_ACCESS_FULL,
                                          ANN_ACCESS_SCALAR, ANN_ACCESS_ROW,  ANN_ACCESS_COL};
    return weighted[roll(g, 6)];
}

/* A register, of the last three or any; for roots and divisors an input of that kind, or -1. */
static int16_t random_operand(generator *g, ann_op op, int position) {
    const int64_t registers = g->program.n_in + g->program.n_code;
    const bool special = op == ANN_OP_SQRT || (op == ANN_OP_DIV && position == 1);
    if (!special) return (int16_t)(registers - 1 - roll(g, roll(g, 2) || registers < 3 ? registers : 3));
    for (int16_t i = 0; i < g->program.n_in; i++)
        if (g->gen[i] == (op == ANN_OP_SQRT ? CASE_SQUARE : CASE_POWER)) return i;
    return -1;
}

static bool add_instruction(generator *g) {
    static const struct {
        ann_op op;
        int n_in;
    } choices[] = {{ANN_OP_ADD, 2},    {ANN_OP_SUB, 2}, {ANN_OP_MUL, 2}, {ANN_OP_ADD, 2},  {ANN_OP_SUB, 2},
                   {ANN_OP_MUL, 2},    {ANN_OP_NEG, 1}, {ANN_OP_ABS, 1}, {ANN_OP_SIGN, 1}, {ANN_OP_STEP, 1},
                   {ANN_OP_RELU, 1},   {ANN_OP_MAX, 2}, {ANN_OP_MIN, 2}, {ANN_OP_EQ, 2},   {ANN_OP_GT, 2},
                   {ANN_OP_SELECT, 3}, {ANN_OP_DIV, 2}, {ANN_OP_DIV, 2}, {ANN_OP_SQRT, 1}};
    ann_fused *p = &g->program;
    const int64_t pick = roll(g, (int64_t)(sizeof choices / sizeof *choices));
    const ann_op op = choices[pick].op;
    int16_t operand[3] = {-1, -1, -1};
    int64_t sum = 1, product = 1;
    int bits = 0, all_bits = op == ANN_OP_DIV ? 2 : 0;
    for (int i = 0; i < choices[pick].n_in; i++) {
        operand[i] = random_operand(g, op, i);
        if (operand[i] < 0) return false;
        sum += g->magnitude[operand[i]];
        product *= g->magnitude[operand[i]];
        all_bits += g->fraction_bits[operand[i]];
        if (g->fraction_bits[operand[i]] > bits) bits = g->fraction_bits[operand[i]];
    }
    const int64_t magnitude = op == ANN_OP_MUL ? product : sum;
    if (op == ANN_OP_MUL || op == ANN_OP_DIV) bits = all_bits;
    if (bits > 20 || magnitude > LIMIT >> bits) return false;
    const int out = p->n_in + p->n_code;
    g->magnitude[out] = magnitude;
    g->fraction_bits[out] = bits;
    p->code[p->n_code++] = (ann_fused_instr){op, operand[0], operand[1], operand[2]};
    return true;
}

static ann_shape input_shape(const ann_fused *p, ann_access access) {
    switch (access) {
    case ANN_ACCESS_FULL: return ANN_SHAPE(p->outer, p->inner);
    case ANN_ACCESS_ROW: return ANN_SHAPE(p->inner);
    case ANN_ACCESS_COL: return ANN_SHAPE(p->outer, 1);
    default: return ANN_SCALAR;
    }
}

/* At most CASE_MAX_IN inputs; input 0 is FULL, and may be overwritten by a store. */
static void make_program(generator *g, ann_dtype real) {
    static const int64_t sizes[][2] = {{1, 1},   {1, 70},   {3, 5},   {64, 10},  {7, 511},
                                       {5, 513}, {2, 5000}, {300, 1}, {40, 129}, {1, 40000}};
    const int64_t *size = sizes[roll(g, 10)];
    ann_fused *p = &g->program;
    *p = (ann_fused){
        .dtype = real, .outer = size[0], .inner = size[1], .n_in = (int16_t)(1 + roll(g, CASE_MAX_IN))};
    for (int i = 0; i < p->n_in; i++) {
        p->access[i] = i == 0 ? ANN_ACCESS_FULL : random_access(g);
        g->gen[i] = roll(g, 3) ? CASE_SMALL_INT : roll(g, 2) ? CASE_SQUARE : CASE_POWER;
        g->magnitude[i] = 9;
    }
    const int64_t length = 1 + roll(g, roll(g, 8) == 0 ? ANN_FUSED_MAX_CODE : 9);
    while (p->n_code < length)
        if (!add_instruction(g) && p->n_code > 0 && roll(g, 4) == 0) break;
    const int64_t last = p->n_in + p->n_code - 1;
    p->has_value = true;
    p->value = (int16_t)last;
    if (roll(g, 3) == 0) {
        p->n_store = 1;
        p->store[0].in = 0;
        p->store[0].reg = (int16_t)(p->n_in + roll(g, p->n_code));
    }
    if (p->n_store == 1 && roll(g, 3) == 0) p->has_value = false;
}

/* The sums that optimizers are made of, each over a loop of rows and a tail. */
static const struct {
    case_gen gen[CASE_MAX_IN];
    int16_t n_code;
    ann_fused_instr code[3];
} sums[] = {
    {{CASE_SMALL_INT, CASE_SMALL_INT, CASE_SMALL_INT, CASE_SMALL_INT}, /* moving average: a b + c d */
     3,
     {{ANN_OP_MUL, 0, 1, -1}, {ANN_OP_MUL, 2, 3, -1}, {ANN_OP_ADD, 4, 5, -1}}},
    {{CASE_SQUARE, CASE_SMALL_INT, CASE_SMALL_INT, CASE_SMALL_INT}, /* Adam's divisor: sqrt(a) b + c */
     3,
     {{ANN_OP_SQRT, 0, -1, -1}, {ANN_OP_MUL, 4, 1, -1}, {ANN_OP_ADD, 5, 2, -1}}},
    {{CASE_SMALL_INT, CASE_SMALL_INT, CASE_SMALL_INT, CASE_POWER}, /* Adam's step: a - b c / d */
     3,
     {{ANN_OP_MUL, 1, 2, -1}, {ANN_OP_DIV, 4, 3, -1}, {ANN_OP_SUB, 0, 5, -1}}},
};

static void visit_program(const ann_fused *p, const case_gen *gen, const char *what, int number,
                          bool integer_input, case_visit visit) {
    kernel_case c = {.op = ANN_OP_FUSED,
                     .attrs = {.fused = p},
                     .n_in = p->n_in,
                     .out_dtype = p->dtype,
                     .bound = BOUND_EXACT};
    snprintf(c.name, sizeof c.name, "%s %d: %d inputs, %d instructions, loop %lldx%lld", what, number,
             p->n_in, p->n_code, (long long)p->outer, (long long)p->inner);
    for (int i = 0; i < c.n_in; i++) {
        c.gen[i] = gen[i];
        c.in_dtype[i] = i == 1 && integer_input ? ANN_I32 : p->dtype;
        c.in_shape[i] = input_shape(p, p->access[i]);
    }
    c.out_shape = p->has_value ? ANN_SHAPE(p->outer, p->inner) : ANN_SHAPE(0);
    visit(&c);
}

void fused_cases(ann_dtype real, case_visit visit) {
    for (int k = 0; k < (int)(sizeof sums / sizeof *sums); k++)
        for (int scalars = 0; scalars < 2; scalars++) {
            ann_fused p = {
                .dtype = real, .outer = 7, .inner = 511, .n_in = CASE_MAX_IN, .n_code = sums[k].n_code};
            p.has_value = true;
            p.value = (int16_t)(p.n_in + p.n_code - 1);
            for (int i = 0; i < p.n_code; i++) p.code[i] = sums[k].code[i];
            if (scalars) p.access[1] = p.access[3] = ANN_ACCESS_SCALAR;
            visit_program(&p, sums[k].gen, "optimizer sum", k, false, visit);
        }
    for (uint64_t k = 0; k < PROGRAMS; k++) {
        generator g = {.sample = k};
        make_program(&g, real);
        visit_program(&g.program, g.gen, "fused program", (int)k, k % 5 == 0, visit);
    }
}
