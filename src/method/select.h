/* How good a model is on a target domain without labels: criteria for choosing between checkpoints of an
   adaptation. Pure, deterministic, Local. Logits [n, classes] and features [n, width] are of unlabelled
   target samples. Errors: ANN_ERR_MEMORY; ANN_ERR_NUMERIC (something is not finite). */
#ifndef ANN_METHOD_SELECT_H
#define ANN_METHOD_SELECT_H

#include "method/method.h"

/* H(Y|X): the mean entropy of the predictions, in nats; lower is better (Morerio, Cavazza, Murino, ICLR
   2018). Cost: n classes. */
double ann_select_entropy(const ann_method_sight *target);
/* I(X;Y) = H(mean prediction) - H(Y|X), in nats; higher is better: predictions are certain, and of all
   classes (Gomes, Krause, Perona, NeurIPS 2010). */
double ann_select_information(const ann_method_sight *target);
/* Soft neighbourhood density (Saito, Kim, Teterwak, Sclaroff, Darrell, Saenko, ICCV 2021): the mean entropy
   of the rows of softmax(S / 0.05), S the cosine similarities of the predictions (softmax outputs), a
   sample's own left out; higher is better: many samples have the same prediction. At most
   ANN_SELECT_SND_SAMPLES samples, evenly spread. Cost: their square times classes. */
enum { ANN_SELECT_SND_SAMPLES = 2000 };
ann_status ann_select_density(double *out, const ann_method_sight *target) ANN_MUST_CHECK;
/* Deep embedded validation (You, Wang, Long, Jordan, ICML 2019): the risk on the target, estimated from the
   cross-entropy of labelled validation samples of the source, weighted by w = p(target | f) / p(source | f)
   n_s / n_t, with a control variate; lower is better. p is of a logistic regression between features of
   `source`, the training samples, and of `target`, standardized, with an L2 penalty of 1e-3. NAN if a split
   is empty or unlabelled. Cost: some hundred passes over the features. */
ann_status ann_select_dev(double *out, const ann_method_sight *source, const ann_method_sight *target,
                          const ann_method_sight *validation) ANN_MUST_CHECK;

#endif
