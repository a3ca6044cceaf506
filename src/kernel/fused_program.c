#include "kernel/fused_program.h"

#include <string.h>

static void take_code(anni_fused_program *p) {
    const ann_fused *s = &p->source;
    for (int16_t i = 0; i < s->n_code; i++) {
        const ann_fused_instr *code = &s->code[i];
        p->step[p->n_step++] = (anni_fused_step){
            .op = (int)code->op,
            .out = (int16_t)(s->n_in + i),
            .in = {code->a, code->b >= 0 ? code->b : code->a, code->c >= 0 ? code->c : code->a, code->a}};
    }
    for (int k = 0; k < s->n_store; k++) p->result[p->n_result++] = s->store[k].reg;
    if (s->has_value) p->result[p->n_result++] = s->value;
}

static bool reads(const anni_fused_step *s, int16_t r) {
    return s->op >= 0 && (s->in[0] == r || s->in[1] == r || s->in[2] == r || s->in[3] == r);
}

/* The step before `end` that computes register r by `op` for one reader only, or NULL. */
static anni_fused_step *only_for(anni_fused_program *p, int16_t r, int op, int end) {
    int readers = 0;
    for (int i = 0; i < p->n_step; i++) readers += reads(&p->step[i], r);
    for (int k = 0; k < p->n_result; k++) readers += p->result[k] == r;
    for (int i = 0; i < end && readers == 1; i++)
        if (p->step[i].out == r && p->step[i].op == op) return &p->step[i];
    return NULL;
}

/* If operand `side` of a step `user` is made by `maker` for it alone, both become `made`. The new operands
   are the user's (0..3) and the maker's (MAKER + 0..3). */
enum { MAKER = 4 };
typedef struct joining {
    int user, side, maker, made;
    int8_t operand[4];
} joining;

static const joining joinings[] = {
    {ANN_OP_ADD, 0, ANN_OP_MUL, ANNI_LOOP_MUL_ADD, {MAKER, MAKER + 1, 1, MAKER}},
    {ANN_OP_ADD, 1, ANN_OP_MUL, ANNI_LOOP_MUL_ADD, {MAKER, MAKER + 1, 0, MAKER}},
    {ANN_OP_SUB, 0, ANN_OP_MUL, ANNI_LOOP_MUL_SUB, {MAKER, MAKER + 1, 1, MAKER}},
    {ANN_OP_SUB, 1, ANN_OP_MUL, ANNI_LOOP_SUB_MUL, {MAKER, MAKER + 1, 0, MAKER}},
    {ANN_OP_SUB, 1, ANN_OP_DIV, ANNI_LOOP_SUB_DIV, {MAKER, MAKER + 1, 0, MAKER}},
    {ANNI_LOOP_SUB_DIV, 0, ANN_OP_MUL, ANNI_LOOP_SUB_MUL_DIV, {MAKER, 1, 2, MAKER + 1}},
    {ANN_OP_MUL, 0, ANN_OP_STEP, ANNI_LOOP_STEP_MUL, {MAKER, 1, MAKER, MAKER}},
    {ANN_OP_MUL, 1, ANN_OP_STEP, ANNI_LOOP_STEP_MUL, {MAKER, 0, MAKER, MAKER}},
    {ANNI_LOOP_MUL_ADD, 2, ANN_OP_MUL, ANNI_LOOP_BLEND, {0, 1, MAKER, MAKER + 1}},
    {ANNI_LOOP_MUL_ADD, 0, ANN_OP_SQRT, ANNI_LOOP_SQRT_MUL_ADD, {MAKER, 1, 2, MAKER}},
    {ANNI_LOOP_MUL_ADD, 1, ANN_OP_SQRT, ANNI_LOOP_SQRT_MUL_ADD, {MAKER, 0, 2, MAKER}},
};

static bool join(anni_fused_program *p, int i, const joining *j) {
    anni_fused_step *user = &p->step[i], made = {.op = j->made, .out = user->out};
    if (user->op != j->user) return false;
    anni_fused_step *maker = only_for(p, user->in[j->side], j->maker, i);
    if (maker == NULL) return false;
    for (int k = 0; k < 4; k++)
        made.in[k] = j->operand[k] < MAKER ? user->in[j->operand[k]] : maker->in[j->operand[k] - MAKER];
    if (reads(&made, maker->out)) return false; /* as in x + x */
    *user = made;
    maker->op = -1;
    return true;
}

/* Fewer steps touch the tiles less often: the update of Adam is five steps instead of thirteen. */
static void join_steps(anni_fused_program *p) {
    const size_t n = sizeof joinings / sizeof joinings[0];
    for (int i = 0; i < p->n_step; i++)
        for (size_t k = 0; k < n;) k = join(p, i, &joinings[k]) ? 0 : k + 1;
    int kept = 0;
    for (int i = 0; i < p->n_step; i++)
        if (p->step[i].op >= 0) p->step[kept++] = p->step[i];
    p->n_step = kept;
}

static void find_lifetimes(anni_fused_program *p) {
    for (int r = 0; r < ANNI_FUSED_MAX_REG; r++) p->made_by[r] = p->last_read[r] = -1;
    for (int16_t i = 0; i < p->n_step; i++) {
        const anni_fused_step *s = &p->step[i];
        p->made_by[s->out] = i;
        for (int k = 0; k < 4; k++) p->last_read[s->in[k]] = i;
    }
    for (int k = 0; k < p->n_result; k++) p->last_read[p->result[k]] = (int16_t)p->n_step;
}

static bool is_result(const anni_fused_program *p, int r) {
    for (int k = 0; k < p->n_result; k++)
        if (p->result[k] == r) return true;
    return false;
}

/* Inputs that must be converted or spread have a tile of their own, as have those that are a result
   themselves, because another result may be written over them; the rest are read where they lie and need
   none. Computed values take the first tile that is free once their operands have been read. */
static void give_tiles(anni_fused_program *p, const ann_kernel_call *call) {
    const ann_fused *s = &p->source;
    int16_t free_from[ANNI_FUSED_MAX_REG];
    for (int r = 0; r < ANNI_FUSED_MAX_REG; r++) p->tile[r] = -1;
    for (int r = 0; r < s->n_in; r++) {
        if (s->access[r] == ANN_ACCESS_FULL && call->in_dtype[r] == ANN_F32 && !is_result(p, r)) continue;
        free_from[p->n_tile] = INT16_MAX;
        p->tile[r] = (int16_t)p->n_tile++;
    }
    for (int16_t i = 0; i < p->n_step; i++) {
        const int16_t out = p->step[i].out;
        int t = 0;
        while (t < p->n_tile && free_from[t] > i) t++;
        if (t == p->n_tile) p->n_tile++;
        free_from[t] = p->last_read[out] > i ? p->last_read[out] : (int16_t)(i + 1);
        p->tile[out] = (int16_t)t;
    }
}

ann_status anni_fused_compile(anni_fused_program *out, const ann_kernel_call *call,
                              anni_loop_fn (*loop)(int op)) {
    memset(out, 0, sizeof *out);
    out->source = *call->attrs->fused;
    take_code(out);
    join_steps(out);
    find_lifetimes(out);
    give_tiles(out, call);
    for (int i = 0; i < out->n_step; i++) {
        out->loop[i] = loop(out->step[i].op);
        if (out->loop[i] == NULL)
            return ann_error(ANN_ERR_UNSUPPORTED, "no fast loop for op %d", out->step[i].op);
    }
    return ANN_OK;
}
