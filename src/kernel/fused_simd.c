/* The fused loop, interpreted: every instruction runs over a tile of a few hundred elements that stays in the
   first-level cache, so that the cost of dispatch vanishes and memory is touched once. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/fused_program.h"
#include "kernel/kernels.h"
#include "kernel/parallel.h"
#include "kernel/simd.h"

enum { TILE = 256 }; /* 1 KiB a register; 512 is as fast, 1024 a third slower (Adam, 48 KiB of cache) */

/* How tiles lie in the [outer, inner] space. */
typedef enum layout {
    FLAT,      /* no ROW or COL input: any run of elements */
    MANY_ROWS, /* each tile is some whole rows */
    PARTIAL    /* each tile is a piece of one row */
} layout;

typedef struct task {
    const ann_kernel_call *call;
    const anni_fused_program *program;
    layout layout;
    int64_t n_tiles,
        tile_elems;    /* tile_elems: of all but the last tile of the space (or of a row, if PARTIAL) */
    int64_t row_tiles; /* PARTIAL: tiles per row */
    float *direct[ANNI_FUSED_MAX_REG];    /* memory that a value is computed into directly */
    bool copied[ANN_FUSED_MAX_STORE + 1]; /* results that need a copy from their register at the end */
} task;

static float *result_memory(const ann_kernel_call *call, const ann_fused *s, int k) {
    return k < s->n_store ? (float *)(uintptr_t)call->in[s->store[k].in] : call->out;
}

/* May register r, of which result k is made, be computed straight into its memory? Not if a later step still
   reads an input that lies there. */
static bool may_write(const task *t, int16_t r, const float *memory) {
    const anni_fused_program *p = t->program;
    for (int16_t in = 0; in < p->source.n_in; in++)
        if (t->call->in[in] == (const void *)memory && p->last_read[in] > p->made_by[r]) return false;
    return true;
}

static void place_results(task *t) {
    const anni_fused_program *p = t->program;
    for (int k = 0; k < p->n_result; k++) {
        const int16_t r = p->result[k];
        float *memory = result_memory(t->call, &p->source, k);
        t->copied[k] = p->made_by[r] < 0 || t->direct[r] != NULL || !may_write(t, r, memory);
        if (!t->copied[k]) t->direct[r] = memory;
    }
}

static void lay_out(task *t) {
    const ann_fused *s = &t->program->source;
    bool rows = false;
    for (int i = 0; i < s->n_in; i++)
        rows |= s->access[i] == ANN_ACCESS_ROW || s->access[i] == ANN_ACCESS_COL;
    const int64_t n = s->outer * s->inner;
    t->layout = !rows ? FLAT : s->inner <= TILE / 2 ? MANY_ROWS : PARTIAL;
    t->tile_elems = t->layout == MANY_ROWS ? TILE / s->inner * s->inner : TILE;
    t->row_tiles = (s->inner + TILE - 1) / TILE;
    t->n_tiles = t->layout == PARTIAL ? s->outer * t->row_tiles : (n + t->tile_elems - 1) / t->tile_elems;
}

/* ---- one thread ---- */

typedef struct worker {
    const task *t;
    float *tiles;
    float *reg[ANNI_FUSED_MAX_REG]; /* where each register is for the current tile */
} worker;

static void spread(float *out, float value, int64_t n) {
    for (int64_t i = 0; i < n; i++) out[i] = value;
}

static float one(const ann_kernel_call *call, int in, int64_t i) {
    float value;
    ANNI_SIMD(anni_to_float)
    (&value, (const char *)call->in[in] + (size_t)i * ann_dtype_bytes(call->in_dtype[in]), call->in_dtype[in],
     1);
    return value;
}

static void load(const worker *w, float *out, int in, int64_t at, int64_t n) {
    const ann_kernel_call *call = w->t->call;
    const ann_dtype dtype = call->in_dtype[in];
    ANNI_SIMD(anni_to_float)(out, (const char *)call->in[in] + (size_t)at * ann_dtype_bytes(dtype), dtype, n);
}

/* Registers that do not change from tile to tile. */
static void fill_constant(worker *w) {
    const anni_fused_program *p = w->t->program;
    const ann_fused *s = &p->source;
    for (int r = 0; r < ANNI_FUSED_MAX_REG; r++)
        w->reg[r] = p->tile[r] < 0 ? NULL : w->tiles + p->tile[r] * TILE;
    for (int in = 0; in < s->n_in; in++) {
        if (s->access[in] == ANN_ACCESS_SCALAR) spread(w->reg[in], one(w->t->call, in, 0), TILE);
        if (s->access[in] != ANN_ACCESS_ROW || w->t->layout != MANY_ROWS) continue;
        load(w, w->reg[in], in, 0, s->inner);
        for (int64_t i = s->inner; i < w->t->tile_elems; i++) w->reg[in][i] = w->reg[in][i - s->inner];
    }
}

/* Column input: element o of it for each element of row o. The tile starts at element `at`. */
static void load_column(const worker *w, int in, int64_t at, int64_t n) {
    const int64_t inner = w->t->program->source.inner;
    for (int64_t i = 0; i < n;) {
        const int64_t o = (at + i) / inner, end = (o + 1) * inner - at;
        const int64_t stop = end < n ? end : n;
        spread(w->reg[in] + i, one(w->t->call, in, o), stop - i);
        i = stop;
    }
}

static void load_tile(worker *w, int64_t at, int64_t n) {
    const anni_fused_program *p = w->t->program;
    const ann_fused *s = &p->source;
    for (int in = 0; in < s->n_in; in++) {
        if (s->access[in] == ANN_ACCESS_COL) load_column(w, in, at, n);
        else if (s->access[in] == ANN_ACCESS_ROW && w->t->layout == PARTIAL)
            load(w, w->reg[in], in, at % s->inner, n);
        else if (s->access[in] == ANN_ACCESS_FULL && p->tile[in] >= 0) load(w, w->reg[in], in, at, n);
        else if (s->access[in] == ANN_ACCESS_FULL) w->reg[in] = (float *)(uintptr_t)w->t->call->in[in] + at;
    }
    for (int i = 0; i < p->n_step; i++) {
        const int16_t out = p->step[i].out;
        if (w->t->direct[out] != NULL) w->reg[out] = w->t->direct[out] + at;
    }
}

static void run_tile(worker *w, int64_t at, int64_t n) {
    const anni_fused_program *p = w->t->program;
    load_tile(w, at, n);
    for (int i = 0; i < p->n_step; i++) {
        const anni_fused_step *s = &p->step[i];
        p->loop[i](w->reg[s->out], w->reg[s->in[0]], w->reg[s->in[1]], w->reg[s->in[2]], w->reg[s->in[3]], n);
    }
    for (int k = 0; k < p->n_result; k++)
        if (w->t->copied[k])
            memmove(result_memory(w->t->call, &p->source, k) + at, w->reg[p->result[k]],
                    (size_t)n * sizeof(float));
}

static void run_part(const void *task_, int part, int parts) {
    const task *t = task_;
    const ann_fused *s = &t->program->source;
    const int64_t total = s->outer * s->inner;
    worker w = {.t = t, .tiles = (float *)t->call->scratch + (int64_t)part * t->program->n_tile * TILE};
    fill_constant(&w);
    int64_t lo, hi;
    anni_share(&lo, &hi, t->n_tiles, 1, part, parts);
    for (int64_t i = lo; i < hi; i++) {
        int64_t at = i * t->tile_elems, end = total;
        if (t->layout == PARTIAL) {
            at = i / t->row_tiles * s->inner + i % t->row_tiles * TILE;
            end = (i / t->row_tiles + 1) * s->inner;
        }
        run_tile(&w, at, end - at < t->tile_elems ? end - at : t->tile_elems);
    }
}

/* ---- the kernel ---- */

static ann_status fused(const ann_kernel_call *call) {
    task t = {.call = call, .program = call->state};
    const ann_fused *s = &t.program->source;
    if (s->outer * s->inner == 0) return ANN_OK;
    place_results(&t);
    lay_out(&t);
    anni_parallel(anni_parts(call->threads, s->outer * s->inner * 4 * (s->n_in + t.program->n_result)),
                  run_part, &t);
    return ANN_OK;
}

/* The most tiles that a program can need; prepare may find that fewer do. */
static size_t fused_scratch(const ann_kernel_call *call) {
    const ann_fused *s = call->attrs->fused;
    return (size_t)call->threads * (size_t)(s->n_in + s->n_code) * TILE * sizeof(float);
}

static ann_status fused_prepare(ann_kernel_call *call) {
    anni_fused_program *program = malloc(sizeof *program);
    if (program == NULL) return ann_error(ANN_ERR_MEMORY, "fused loop: out of memory");
    const ann_status status = anni_fused_compile(program, call, ANNI_SIMD(anni_loop));
    if (status != ANN_OK) free(program);
    else call->state = program;
    return status;
}

static bool fused_accepts(const ann_kernel_call *call) {
    const ann_fused *s = call->attrs->fused;
    if (!anni_simd_here() || s->dtype != ANN_F32) return false;
    for (int k = 0; k < s->n_store; k++)
        if (call->in_dtype[s->store[k].in] != ANN_F32) return false;
    for (int i = 0; i < s->n_code; i++)
        if (ANNI_SIMD(anni_loop)((int)s->code[i].op) == NULL) return false;
    return true;
}

const ann_kernel ANNI_SIMD(anni_kernel_fused) = {.name = ANNI_SIMD_NAME("fused."),
                                                 .accepts = fused_accepts,
                                                 .scratch_bytes = fused_scratch,
                                                 .prepare = fused_prepare,
                                                 .release = free,
                                                 .run = fused};
