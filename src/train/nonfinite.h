/* What becomes of a batch whose gradient is not finite: phases[].on_nonfinite.

   All ranks leave such a step together, and nothing has been changed (ann_plan_options.check_finite). Then
   - skip: training goes on with the next batch;
   - rescale: the same, and the loss scale is halved. The loss is multiplied by the scale before the backward
   pass, and the gradient divided by it, so that small gradients are not lost in narrow formats; it doubles
   after so many good steps (Micikevicius et al. 2018). Scales are powers of two, which change no rounding;
   - rollback: the phase goes back to its newest checkpoint, or to its beginning, and passes the batch over
   when it comes again. Batches that were passed over count as used, and metrics.jsonl tells of each. */
#ifndef ANN_TRAIN_NONFINITE_H
#define ANN_TRAIN_NONFINITE_H

#include "train/internal.h"

/* The loss scale at the start of a phase is 2^16. */
double anni_nonfinite_first_scale(void);
/* Whether a step may fail so and training go on. */
bool anni_nonfinite_is_handled(const anni_phase *phase);
/* Whether the batch at the cursor is one because of which the phase was rolled back. */
bool anni_nonfinite_passes_over(const anni_phase *phase, const anni_cursor *cursor);
/* After such a step. ANN_OK: the batch is to be passed over. ANN_ERR_NUMERIC: training ends, or, if
   phase->rolls_back, goes back. The same on every rank; Local. */
ann_status anni_nonfinite_failed(anni_phase *phase, anni_cursor *cursor) ANN_MUST_CHECK;
/* After the cursor has moved over the batch: tells of it. Collective. */
ann_status anni_nonfinite_tell(const anni_phase *phase, anni_cursor *cursor) ANN_MUST_CHECK;
/* After a good step. */
void anni_nonfinite_good(const anni_phase *phase, anni_cursor *cursor);

#endif
