/* What a phase's model makes of the phase's data, for people and for judges (method/judge.h): features and
   logits of all samples, reconstructions, pictures of codes.

   A look is at one set of weights, on one process, and trains nothing. All functions are Local; not
   thread-safe. */
#ifndef ANN_TRAIN_LOOK_H
#define ANN_TRAIN_LOOK_H

#include "train/train.h"

typedef struct ann_look ann_look;

typedef struct ann_look_options {
    const ann_run_config *config; /* it must outlive the look */
    const char *phase;
    const char *checkpoint; /* a checkpoint, what stands for one (ann_ckpt_resolve), or a file of tensors that
                               are called as here; NULL: the newest of the phase in config.output */
    bool before;            /* instead: what the phase begins with, by phases[].load and initial values */
    int threads;            /* 0: as many cores as this process may use */
} ann_look_options;

/* Opens the phase's data, builds its model and fills it. A phase of kind evaluate has the weights that it
   loads. Errors: ANN_ERR_NOT_FOUND (no such phase, no checkpoint), ANN_ERR_CONFIG (a phase of kind export; a
   tensor of the model is not in the checkpoint, or has another shape there), those of opening a phase and of
   reading. Owner: the caller, ann_look_close. */
ann_status ann_look_open(ann_look **out, const ann_look_options *options) ANN_MUST_CHECK;
void ann_look_close(ann_look *look);

typedef struct ann_look_facts {
    const ann_phase_config *phase;
    const ann_dataset *train, *test;
    int64_t tested_first, tested; /* samples [tested_first, + tested) of test are those that the phase is
                                     tested on: all, or the target domain's */
    bool classifies;              /* there are logits of classes */
    bool reconstructs;            /* the model's output is to be its input */
    bool generates;               /* it can decode draws of N(0, 1), too */
    int64_t width;                /* of the features; of a variational autoencoder, of its mean */
    int threads;
    char weights[4096]; /* for people: the checkpoint, or what else they are from */
} ann_look_facts;
const ann_look_facts *ann_look_facts_of(const ann_look *look);

/* All samples of a split, as the model sees them outside training; without logits (classes 0) where the phase
   classifies nothing. Labels are those that the dataset shows: -1 where the run file hides them. */
typedef struct ann_look_view {
    ann_method_sight seen; /* borrowed from the view */
    struct anni_sight *inside;
} ann_look_view;

/* Cost: one evaluation. Memory: 4 (width + classes) bytes a sample. Owner: the caller, ann_look_view_free,
   also after an error. */
ann_status ann_look_see(ann_look_view *out, ann_look *look, const ann_dataset *split) ANN_MUST_CHECK;
void ann_look_view_free(ann_look_view *view);

/* Of a look that reconstructs. error[samples of test]: the mean over a sample's elements of the squared
   difference between x and its reconstruction, bytes taken as 0 to 1. pictures[count, elements of x]: the
   reconstructions of the test samples ids[count], in the same units. Cost: one evaluation. */
ann_status ann_look_reconstruct(ann_look *look, float *error, const int64_t *ids, int count,
                                float *pictures) ANN_MUST_CHECK;
/* Of a look that generates: pictures[count, elements of x] of codes[count, width], in the same units. */
ann_status ann_look_decode(ann_look *look, float *pictures, const float *codes, int count) ANN_MUST_CHECK;

#endif
