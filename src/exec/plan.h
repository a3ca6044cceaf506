/* The inside of a plan, shared by its construction (plan.c) and its execution (run.c). */
#ifndef ANN_EXEC_PLAN_H
#define ANN_EXEC_PLAN_H

#include "base/mem.h"
#include "exec/exec.h"

enum { ANNI_VOTE_BYTES = 64 };

typedef enum anni_instr_kind { ANNI_KERNEL, ANNI_PACK, ANNI_REDUCE } anni_instr_kind;

typedef struct anni_instr {
    anni_instr_kind kind;
    const ann_kernel *kernel; /* KERNEL */
    ann_kernel_call call;     /* PACK: in, out and offsets; REDUCE: in[0], out */
    bool writes;              /* changes the store */
    int n_waits;
    struct anni_instr **waits; /* reductions whose result it reads first */
    int request;               /* REDUCE: while under way, else -1 */
    int number;                /* REDUCE: in the trace */
    const char *label;
    int64_t spent_ns, runs; /* profile */
} anni_instr;

typedef struct anni_patch {
    const void **slot;
    int64_t offset_bytes;
} anni_patch;

typedef struct anni_input {
    const char *name;
    const void *bound;
    anni_patch *patches;
    int n_patches;
} anni_input;

typedef struct anni_result {
    const char *name;
    const void *data;
    int64_t elems;
    ann_dtype dtype;
    bool before_writes; /* it is there when the ranks vote */
} anni_result;

struct ann_plan {
    ann_plan_options options;
    ann_arena *arena; /* instructions, labels */
    void *block;
    size_t block_bytes;
    void *shared; /* the messages; the plan's own where the options give none */
    size_t own_shared_bytes;
    void *vote; /* the slots of a message without elements, behind the others */
    void *scratch;
    size_t scratch_bytes;
    anni_instr *instrs;
    int n_instrs;
    anni_instr **last_waits; /* reductions that nothing in the plan reads */
    int n_last_waits;
    anni_input *inputs;
    int n_inputs;
    anni_result *results;
    int n_results;
    int in_flight;
    bool torn;
};

ann_message anni_message_of(const anni_instr *reduce);

#endif
