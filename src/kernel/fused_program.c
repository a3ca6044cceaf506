#include "kernel/fused_program.h"

#include <string.h>

static void take_code(anni_fused_program *p) {
    const ann_fused *s = &p->source;
    for (int16_t i = 0; i < s->n_code; i++) {
        const ann_fused_instr *code = &s->code[i];
        p->step[p->n_step++] = (anni_fused_step){.op = (int)code->op,
                                                 .out = (int16_t)(s->n_in + i),
                                                 .a = code->a,
                                                 .b = code->b >= 0 ? code->b : code->a,
                                                 .c = code->c >= 0 ? code->c : code->a};
    }
    for (int k = 0; k < s->n_store; k++) p->result[p->n_result++] = s->store[k].reg;
    if (s->has_value) p->result[p->n_result++] = s->value;
}

static int count_reads(const anni_fused_program *p, int16_t r) {
    int n = 0;
    for (int i = 0; i < p->n_step; i++) {
        const anni_fused_step *s = &p->step[i];
        n += (s->a == r) + (s->b == r && s->b != s->a) + (s->c == r && s->c != s->a && s->c != s->b);
        n += s->op == ANN_OP_MUL && s->a == r && s->b == r; /* a square counts twice, to stay as it is */
    }
    for (int k = 0; k < p->n_result; k++) n += p->result[k] == r;
    return n;
}

/* The step before `end` that computes register r by `op` for one reader only, or NULL. */
static anni_fused_step *only_for(anni_fused_program *p, int16_t r, int op, int end) {
    for (int i = 0; i < end; i++)
        if (p->step[i].out == r && p->step[i].op == op && count_reads(p, r) == 1) return &p->step[i];
    return NULL;
}

static void join(anni_fused_step *into, anni_fused_step *from, int op, int16_t c) {
    into->op = op;
    into->a = from->a;
    into->b = from->b;
    into->c = c;
    from->op = -1;
}

/* mul then add or sub becomes one step, as does step then mul (the gradient of relu). */
static void join_pairs(anni_fused_program *p) {
    for (int i = 0; i < p->n_step; i++) {
        anni_fused_step *s = &p->step[i], *from;
        if (s->a == s->b) continue;
        if (s->op == ANN_OP_ADD && (from = only_for(p, s->a, ANN_OP_MUL, i)) != NULL)
            join(s, from, ANNI_LOOP_MUL_ADD, s->b);
        else if (s->op == ANN_OP_ADD && (from = only_for(p, s->b, ANN_OP_MUL, i)) != NULL)
            join(s, from, ANNI_LOOP_MUL_ADD, s->a);
        else if (s->op == ANN_OP_SUB && (from = only_for(p, s->a, ANN_OP_MUL, i)) != NULL)
            join(s, from, ANNI_LOOP_MUL_SUB, s->b);
        else if (s->op == ANN_OP_SUB && (from = only_for(p, s->b, ANN_OP_MUL, i)) != NULL)
            join(s, from, ANNI_LOOP_SUB_MUL, s->a);
        else if (s->op == ANN_OP_MUL && (from = only_for(p, s->a, ANN_OP_STEP, i)) != NULL) {
            s->a = from->a;
            s->c = from->a;
            s->op = ANNI_LOOP_STEP_MUL;
            from->op = -1;
        } else if (s->op == ANN_OP_MUL && (from = only_for(p, s->b, ANN_OP_STEP, i)) != NULL) {
            s->b = s->a;
            s->a = from->a;
            s->c = from->a;
            s->op = ANNI_LOOP_STEP_MUL;
            from->op = -1;
        }
    }
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
        p->last_read[s->a] = p->last_read[s->b] = p->last_read[s->c] = i;
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
    join_pairs(out);
    find_lifetimes(out);
    give_tiles(out, call);
    for (int i = 0; i < out->n_step; i++) {
        out->loop[i] = loop(out->step[i].op);
        if (out->loop[i] == NULL)
            return ann_error(ANN_ERR_UNSUPPORTED, "no fast loop for op %d", out->step[i].op);
    }
    return ANN_OK;
}
