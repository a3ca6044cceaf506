/* A fused loop made ready for running over tiles: instructions with operands resolved to loops, pairs of
   instructions joined, registers of values that are never alive together shared. Private to src/kernel. */
#ifndef ANN_KERNEL_FUSED_PROGRAM_H
#define ANN_KERNEL_FUSED_PROGRAM_H

#include "kernel/fused.h"
#include "kernel/kernel.h"
#include "kernel/loops.h"

#define ANNI_FUSED_MAX_REG (ANN_FUSED_MAX_IN + ANN_FUSED_MAX_CODE)

typedef struct anni_fused_step {
    int op;             /* an ann_op or an ANNI_LOOP_* */
    int16_t out, in[4]; /* registers; unused operands repeat the first */
} anni_fused_step;

typedef struct anni_fused_program {
    ann_fused source;
    anni_loop_fn loop[ANN_FUSED_MAX_CODE];
    anni_fused_step step[ANN_FUSED_MAX_CODE];
    int n_step;
    int16_t made_by[ANNI_FUSED_MAX_REG];   /* step that writes a register, -1 for inputs */
    int16_t last_read[ANNI_FUSED_MAX_REG]; /* last step that reads it; n_step if it is copied out at the end;
                                              -1 never */
    int16_t tile[ANNI_FUSED_MAX_REG];      /* the scratch tile that holds it; -1 if it needs none */
    int n_tile;
    /* Registers whose value goes to memory: to output n_store if has_value, to store k's memory otherwise. */
    int16_t result[ANN_FUSED_MAX_STORE + 1];
    int n_result;
} anni_fused_program;

/* `loop` chooses the loop of each op. Errors: ANN_ERR_UNSUPPORTED (an op without a loop). */
ann_status anni_fused_compile(anni_fused_program *out, const ann_kernel_call *call,
                              anni_loop_fn (*loop)(int op)) ANN_MUST_CHECK;

#endif
