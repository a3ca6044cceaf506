/* Random programs of the fused loop. Inputs are small integers and the magnitude of every register is
   tracked, so that all arithmetic is exact and every kernel must give the same bits, whatever it combines or
   reorders. */
#include "kernel_cases.h"

#include <stdio.h>

#include "base/philox.h"
#include "kernel/fused.h"

enum { LIMIT = 1 << 20, PROGRAMS = 300 };

typedef struct generator {
    uint64_t sample, element;
    ann_fused program;
    int64_t magnitude[ANN_FUSED_MAX_IN + ANN_FUSED_MAX_CODE];
} generator;

static int64_t roll(generator *g, int64_t n) {
    return (int64_t)(ann_random_uniform(2024, 1, g->sample, g->element++) * (double)n);
}

static ann_access random_access(generator *g) {
    static const ann_access weighted[] = {ANN_ACCESS_FULL,   ANN_ACCESS_FULL, ANN_ACCESS_FULL,
                                          ANN_ACCESS_SCALAR, ANN_ACCESS_ROW,  ANN_ACCESS_COL};
    return weighted[roll(g, 6)];
}

static bool add_instruction(generator *g) {
    static const struct {
        ann_op op;
        int n_in;
    } choices[] = {{ANN_OP_ADD, 2}, {ANN_OP_SUB, 2},  {ANN_OP_MUL, 2},  {ANN_OP_MUL, 2},   {ANN_OP_NEG, 1},
                   {ANN_OP_ABS, 1}, {ANN_OP_SIGN, 1}, {ANN_OP_STEP, 1}, {ANN_OP_RELU, 1},  {ANN_OP_MAX, 2},
                   {ANN_OP_MIN, 2}, {ANN_OP_EQ, 2},   {ANN_OP_GT, 2},   {ANN_OP_SELECT, 3}};
    ann_fused *p = &g->program;
    const int64_t pick = roll(g, (int64_t)(sizeof choices / sizeof *choices)),
                  registers = p->n_in + p->n_code;
    int16_t operand[3] = {-1, -1, -1};
    int64_t m[3] = {0, 0, 0};
    for (int i = 0; i < choices[pick].n_in; i++) {
        operand[i] = (int16_t)(registers - 1 -
                               (roll(g, 2) ? roll(g, registers) : roll(g, registers < 3 ? registers : 3)));
        m[i] = g->magnitude[operand[i]];
    }
    const int64_t result = choices[pick].op == ANN_OP_MUL ? m[0] * m[1] : m[0] + m[1] + m[2] + 1;
    if (result > LIMIT) return false;
    g->magnitude[registers] = result;
    p->code[p->n_code++] = (ann_fused_instr){choices[pick].op, operand[0], operand[1], operand[2]};
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
        g->magnitude[i] = 3;
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

void fused_cases(ann_dtype real, case_visit visit) {
    for (uint64_t k = 0; k < PROGRAMS; k++) {
        generator g = {.sample = k};
        make_program(&g, real);
        kernel_case c = {
            .op = ANN_OP_FUSED, .attrs = {.fused = &g.program}, .out_dtype = real, .bound = BOUND_EXACT};
        snprintf(c.name, sizeof c.name, "fused program %d: %d inputs, %d instructions, loop %lldx%lld",
                 (int)k, g.program.n_in, g.program.n_code, (long long)g.program.outer,
                 (long long)g.program.inner);
        c.n_in = g.program.n_in;
        for (int i = 0; i < c.n_in; i++) {
            c.gen[i] = CASE_SMALL_INT;
            /* Input 1 is sometimes a label or another number that is converted when loaded. */
            c.in_dtype[i] = i == 1 && k % 5 == 0 ? ANN_I32 : real;
            c.in_shape[i] = input_shape(&g.program, g.program.access[i]);
        }
        c.out_shape = g.program.has_value ? ANN_SHAPE(g.program.outer, g.program.inner) : ANN_SHAPE(0);
        visit(&c);
    }
}
