/* What the files of this folder share. A run has phases, a phase has stages; a stage trains one set of
   parameters over one range of positions of the phase's stream. */
#ifndef ANN_TRAIN_INTERNAL_H
#define ANN_TRAIN_INTERNAL_H

#include <stdio.h>
#include "ckpt/ckpt.h"
#include "data/data.h"
#include "method/method.h"
#include "pass/pass.h"
#include "train/choice.h"
#include "train/lineage.h"
#include "train/pace.h"
#include "train/requests.h"
#include "train/run_graph.h"
#include "train/stoprule.h"
#include "train/train.h"

enum {
    ANNI_PATH_BYTES = 4096,
    ANNI_LINE_BYTES = 1024,
    ANNI_NAME_BYTES = 128,
    ANNI_PATTERN_BYTES = 8192,
    ANNI_BAD_POSITIONS = 64
};

/* ---- what a phase leaves behind ---- */

typedef struct anni_metrics {
    double loss, accuracy; /* mean per sample; accuracy is NAN where there are no labels */
} anni_metrics;

typedef struct anni_result {
    bool finished;
    anni_metrics test;
    double elapsed_s;
    char checkpoint[ANNI_PATH_BYTES]; /* the final one */
    ann_lineage_parent parent;        /* what phases that load from it have read; path "": nothing yet */
} anni_result;

/* ---- a run ---- */

typedef struct anni_run {
    ann_comm *comm;
    const ann_run_config *config;
    const ann_train_options *options;
    int rank, size, threads;
    char metrics_path[ANNI_PATH_BYTES]; /* of the phase that runs; rank 0 */
    int metrics_fd;                     /* -1: not open; ranks other than 0 have none */
    int64_t metrics_lines;              /* of the phase that runs, so far; rank 0 */
    int claims_fd;                      /* run.lock (claim.c); rank 0 */
    char aside[ANNI_PATH_BYTES];        /* the folder of what this job has moved aside; "": nothing; rank 0 */
    anni_result *results;               /* [phase_count] */
    ann_run_graph *graph;
    bool *selected;      /* [phase_count]: what this job runs */
    anni_pace *paces;    /* [size] scratch, */
    double *numbers;     /* and this */
    uint64_t *hashes;    /* and this */
    double checkpoint_s; /* the longest time that a checkpoint has taken so far; negative: none was timed */
} anni_run;

/* train.c: where the user has not said. */
int anni_threads_per_rank(const ann_comm *comm);
/* Makes the folder and all above it. Local. */
ann_status anni_make_directories(const char *path) ANN_MUST_CHECK;

/* ---- selection.c: which phases a job is about ---- */

/* Fills run->graph and run->selected as the options say. Errors: those of ann_run_graph_new and _select. To
   be freed even after a failure. Local. */
ann_status anni_selection_new(anni_run *run) ANN_MUST_CHECK;
void anni_selection_free(anni_run *run);
bool anni_selects_all(const anni_run *run);
/* What a job needs of a phase that it does not run. */
typedef enum anni_need {
    ANNI_NEED_NONE,
    ANNI_NEED_BEHIND, /* a phase that is loaded comes from it, through others that do not run either */
    ANNI_NEED_LOADED  /* a selected phase loads from it */
} anni_need;
anni_need anni_need_of(const anni_run *run, int index);
/* Errors: ANN_ERR_CONFIG (a selected phase is to run on another number of ranks or hosts). Local. */
ann_status anni_check_resources(const anni_run *run) ANN_MUST_CHECK;
/* ---- claim.c: which job works on a phase; all on rank 0, Local ---- */

/* In the output folder, which must be there. */
ann_status anni_claim_open(anni_run *run) ANN_MUST_CHECK;
void anni_claim_close(anni_run *run);
/* false: another job has it. What is claimed stays so until anni_claim_drop, or until the process ends. */
bool anni_claim_take(const anni_run *run, const char *phase);
void anni_claim_drop(const anni_run *run, const char *phase);
/* Before anything is moved aside. Errors: ANN_ERR_CONFIG (another job works on a phase of the output folder).
 */
ann_status anni_claim_check(const anni_run *run) ANN_MUST_CHECK;

/* next.c: claims the phase to work on now; *index: -1 where all is done. Waits while other jobs work on those
   before. Errors: ANN_ERR_STOP (asked for, meanwhile), ANN_ERR_CONFIG (the lead says so). Collective. */
ann_status anni_next_phase(anni_run *run, int *index) ANN_MUST_CHECK;

/* What earlier jobs left of selected phases gets another name. Rank 0. */
ann_status anni_move_phases_aside(anni_run *run) ANN_MUST_CHECK;

/* ---- a phase ---- */

typedef struct anni_phase {
    anni_run *run;
    const ann_phase_config *config;
    int index;
    ann_dataset *train, *test;
    ann_order *order;     /* of the training samples */
    ann_augment *augment; /* of them, too; NULL: none */
    uint64_t seed;        /* of its order and of its random draws */
    char dir[ANNI_PATH_BYTES];
    char *facts; /* the part of the configuration that decides its results; owned */
    int64_t bad_positions[ANNI_BAD_POSITIONS]; /* of batches that are passed over; see nonfinite.h */
    int bad_count;
    bool rolls_back;     /* the phase is to go on from its newest checkpoint, or from its beginning */
    bool tells_rollback; /* metrics.jsonl does not tell of it yet */
    bool warned;         /* of checkpoints made by other code */
    ann_lineage lineage; /* parents are known once it begins */
    char changed[ANNI_LINE_BYTES]; /* why its checkpoints do not count and it runs again; "": they do */
    bool bad_checkpoint; /* the one that was to be resumed from turned out to be damaged: there may be an
                            older one */
} anni_phase;

uint64_t anni_phase_seed(const ann_run_config *config, const ann_phase_config *phase);
/* Positions [first, end) of the phase's stream belong to stage `index`. */
void anni_stage_range(const anni_phase *phase, int index, int64_t *first, int64_t *end);

/* ---- where a phase stands: what a checkpoint holds beside the tensors ---- */

typedef struct anni_cursor {
    int stage;
    int64_t position; /* samples of the phase's stream that have been used, by all ranks */
    int64_t step, stage_step;
    ann_ledger ledger; /* of all ranks, up to `position` */
    anni_metrics train, test;
    int64_t skips, skips_in_row; /* batches of the stage that were passed over (nonfinite.h) */
    double loss_scale;
    int64_t scale_age; /* good steps since it last changed */
    anni_stop_state stop;
    anni_choice choice;
    double lr, elapsed_s, data_wait_s; /* the wait is that of the rank that waited longest */
    double lr_factor;                  /* what was asked for (lead.h): of the scheduled rate */
    ann_requests requests;             /* that changed what is learnt */
    int64_t log_every;                 /* and steps between progress lines; 0: as configured */
    bool finished;
} anni_cursor;

/* ---- model.c: the mathematics ---- */

typedef struct anni_extent {
    int64_t local;    /* samples of this micro-batch of this rank; a stand-in if it has none */
    int64_t global;   /* samples of a step over all ranks */
    int index, count; /* which of this rank's micro-batches; 0 of 1 where a step is not cut */
    int64_t first;    /* of this rank's samples of the step */
    int step;         /* which kind of step of the phase's method */
    int stage;        /* of the phase's program */
} anni_extent;

/* Running statistics that are to be moved once per step, not by the layers. */
typedef struct anni_moving {
    ann_nn_moving *items; /* NULL: there are none, layers move them */
    int count, room;
} anni_moving;

/* Outputs "loss_sum" (over the micro-batch's samples) and, with labels, "correct" (how many). Returns its
   share of the loss. With training, stage parameters other than `trained` are left alone. */
ann_node anni_model_build(ann_graph *graph, const anni_phase *phase, const char *trained, bool training,
                          anni_extent extent, anni_moving *moving);
bool anni_model_has_labels(const ann_phase_config *config);
bool anni_model_uses_y(const ann_phase_config *config);
/* The layers of a block. */
ann_node anni_model_block(ann_nn *nn, const ann_block_config *block, ann_node x);
/* A view of the field "x" ("x", "x2") as numbers of the model's size: [0, 1] for images, or of mean 0 and
   deviation 1. */
ann_node anni_model_input(ann_graph *graph, const anni_phase *phase, const char *view, int64_t batch);
/* Such numbers, [batch, ...], as [batch, elements] in the data's units: bytes are 0 to 1. */
ann_node anni_model_as_data(ann_graph *graph, const anni_phase *phase, ann_node x);

/* ---- model_sight.c: the model outside training, to look at ---- */

/* Outputs "features" [batch, width], and of a classifier "logits" [batch, classes]. */
void anni_model_sight(ann_graph *graph, const anni_phase *phase, int64_t batch);
/* Of an autoencoder: outputs "picture" [batch, elements], the reconstruction in the data's units, and "error"
   [batch], the mean of its squared difference from the input over the elements of a sample. */
void anni_model_reconstruct(ann_graph *graph, const anni_phase *phase, int64_t batch);
/* The same of codes, input "code" [batch, width] in place of the features. */
void anni_model_decode(ann_graph *graph, const anni_phase *phase, int64_t batch, int64_t width);

/* ---- method.c: phases[].method ---- */

/* Kinds of steps on each batch; 1 without a method. */
int anni_method_steps(const ann_phase_config *config);
/* How often kind `step` is repeated on a batch. */
int anni_method_repeats(const ann_phase_config *config, int step);
enum { ANNI_ALL_STEPS = -1 };
/* Which parameters kind `step` trains in a stage of the program, or ANNI_ALL_STEPS; ANNI_PATTERN_BYTES are
   enough. */
void anni_method_trains(char *pattern, size_t size, const ann_phase_config *config, int stage, int step);
/* What the method makes of a batch: this rank's share of the loss. The fields of `m` that are about the batch
   have been set. */
ann_node anni_method_build(ann_method *m, const anni_phase *phase);
/* The loss of each sample outside training, if it is the method that says what it is. */
bool anni_method_evaluates(const ann_phase_config *config);
ann_node anni_method_evaluate(ann_method *m, const anni_phase *phase);
/* NULL: there is none. */
const ann_method_table *anni_method_table(const ann_phase_config *config);
/* So many blocks of the model make the features; where each block is trained on its own, all of them. */
int anni_method_feature_blocks(const ann_phase_config *config);
/* Does it adapt to a target domain? */
bool anni_method_has_target(const ann_phase_config *config);
/* Is the model's output to be its input? */
bool anni_method_reconstructs(const ann_phase_config *config);
/* Is it said how codes are spread (ann_method_info.code)? */
bool anni_method_has_prior(const ann_phase_config *config);
/* What the rest of the model gets of the features, outside training. */
ann_node anni_method_code(ann_nn *nn, const ann_phase_config *config, ann_node features);
/* How many domains have running statistics of their own in batch norms; 0: they share them. */
int anni_method_domains(const ann_phase_config *config);
bool anni_method_has_two_views(const ann_phase_config *config);
/* Is there a loss outside training? */
bool anni_method_is_tested(const ann_phase_config *config);
/* config_method.c: a line of the phase's facts, if it has a method. */
void anni_method_facts(FILE *out, const ann_phase_config *phase);

/* ---- augment.c: from the run file's list to an ann_augment ---- */

/* *out is NULL if the phase has none. Errors: ANN_ERR_CONFIG (an op does not fit the data; with its place in
   the run file), those of reading. Local. */
ann_status anni_augment_new(ann_augment **out, const ann_phase_config *config, uint64_t phase_seed,
                            const ann_dataset *train) ANN_MUST_CHECK;
/* Does the phase mix labels? */
bool anni_has_mixup(const ann_phase_config *config);

/* ---- zero.c: optimizer state that is shared out ---- */

/* Ranges of the store of which each rank keeps its own chunk (ann_chunk_of) right. */
typedef struct anni_scattered {
    ann_scatter *ranges;
    int count;
    bool incomplete; /* memory was exhausted */
} anni_scattered;

/* Adds a range once. to: an anni_scattered; for ann_zero_options. Local. */
void anni_scattered_add(void *to, ann_scatter range);
void anni_scattered_fini(anni_scattered *scattered);
/* All of the ranges become right on every rank. Collective; one message per range. */
ann_status anni_gather(ann_comm *comm, ann_store *store, const anni_scattered *scattered) ANN_MUST_CHECK;
/* The same for all but moments. */
ann_status anni_gather_params(ann_comm *comm, ann_store *store,
                              const anni_scattered *scattered) ANN_MUST_CHECK;
/* The moments of other ranks' chunks become zero and take no memory. Local. */
void anni_forget(const ann_comm *comm, ann_store *store, const anni_scattered *scattered);

/* ---- step.c: plans ---- */

/* A plan over the stage's store for batches of one extent. */
typedef struct anni_step {
    ann_plan *plan;
    int x_field, y_field, domain_field; /* in the dataset's order, or -1 */
    float *moments;                     /* inputs x_shift [channels] and x_scale; NULL: not per channel */
    size_t moments_bytes;               /* of each of the two */
    void *stand_in;                     /* one zero sample, for a rank without any in a cut batch */
    size_t stand_in_bytes;
    const float *table; /* [samples of the dataset], of the store; NULL: the graph has no such input */
    float *table_rows;  /* those of a batch */
    size_t table_bytes;
    const float *loss_sum, *correct, *labelled; /* the last is NULL where all samples have labels */
} anni_step;

/* Was the phase's graph built without error? Otherwise *graph is freed, and NULL. Errors: ANN_ERR_CONFIG (the
   model does not fit its data), ANN_ERR_MEMORY, ANN_ERR_INTERNAL. */
ann_status anni_graph_check(ann_graph **graph, const anni_phase *phase) ANN_MUST_CHECK;
/* Training graph of one micro-batch of a stage, before the passes. */
ann_status anni_train_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                            anni_extent extent) ANN_MUST_CHECK;
/* Evaluation of a batch after a stage, or within it. */
ann_status anni_eval_graph(ann_graph **out, ann_store *store, const anni_phase *phase, int stage,
                           int64_t batch) ANN_MUST_CHECK;
/* Replaces *graph by what the passes make of it. On error it is as it was. `scattered` is told what is shared
   out if the run file says so; NULL: nothing is. */
ann_status anni_lower(ann_graph **graph, const anni_phase *phase, anni_scattered *scattered) ANN_MUST_CHECK;
/* What a plan is for. */
typedef struct anni_use {
    bool training;
    bool alone;       /* it says nothing to other ranks: no vote is held before it writes to the store */
    void *shared;     /* as in ann_plan_options, */
    ann_trace *trace; /* and this */
} anni_use;
/* The plan of a lowered graph over a committed store. */
ann_status anni_plan_new(ann_plan **out, const anni_phase *phase, const ann_graph *lowered,
                         anni_use use) ANN_MUST_CHECK;
ann_status anni_step_new(anni_step *out, const anni_phase *phase, const ann_graph *lowered,
                         anni_use use) ANN_MUST_CHECK;
void anni_step_free(anni_step *step);
/* Consecutive rows of a batch, 64-byte aligned. */
typedef struct anni_rows {
    const void *x, *x2, *y, *y2, *mix, *ids, *domain, *table;
} anni_rows;
/* Points the inputs at these rows (NULL: the stand-in). */
ann_status anni_step_bind(anni_step *step, const anni_rows *rows) ANN_MUST_CHECK;
/* All rows of a batch, or NULL if it has none. */
const anni_rows *anni_step_rows(anni_rows *out, const anni_step *step, const ann_batch *batch);

/* Adds what the last run computed for `count` samples. */
typedef struct anni_sums {
    double loss, count, correct, labelled; /* samples of the loss; of which so many have labels */
} anni_sums;
void anni_step_add(anni_sums *sums, const anni_step *step, int64_t count);
/* Sums over ranks and divides. Collective. */
ann_status anni_sums_mean(ann_comm *comm, anni_metrics *out, const anni_sums *sums) ANN_MUST_CHECK;

/* ---- micro.c: a step of one size, as the micro-batches of this rank ---- */

/* The host's scalars, inputs of every training plan of a stage. */
typedef struct anni_scalars {
    _Alignas(64) double lr;
    _Alignas(64) double step;
    _Alignas(64) double loss_scale;
    _Alignas(64) double loss_unscale;
    _Alignas(64) double progress; /* share of the phase's samples that have been used */
    _Alignas(64) double cosine;   /* of pi times the progress */
} anni_scalars;

enum { ANNI_KINDS = 18 }; /* of 2^16 micro-batches */

typedef struct anni_micro {
    _Alignas(64) double scale; /* input: the weight of a sample in the loss */
    int64_t rows;              /* samples of a micro-batch; 0: this rank has none */
    int count, kinds;          /* micro-batches; different ones */
    ann_graph *graphs[ANNI_KINDS];
    anni_step steps[ANNI_KINDS];
    uint64_t comm_hash;
    anni_scattered *scattered; /* of the stage; set between declare and lower */
    void *copies[5];           /* of rows that are not aligned where they lie */
    size_t copy_bytes[5];
} anni_micro;

/* Micro-batches of which a rank makes its part of a step. */
int anni_micro_count(const anni_phase *phase);
/* Is a batch of n samples made of whole micro-batches? Errors: ANN_ERR_CONFIG, with its place in the run
 * file. */
ann_status anni_micro_check(const anni_phase *phase, int64_t n) ANN_MUST_CHECK;

/* Before the store's commit: the graphs of a step of n samples of all ranks, of a kind (anni_method_steps).
 */
ann_status anni_micro_declare(anni_micro *out, ann_store *store, const anni_phase *phase, int stage,
                              int64_t n, int step) ANN_MUST_CHECK;
/* After it: through the passes. Raises *shared_bytes to what the plans need. */
ann_status anni_micro_lower(anni_micro *micro, const anni_phase *phase, size_t *shared_bytes) ANN_MUST_CHECK;
/* `use.alone` is added where the phase or the micro-batch is alone anyway. */
ann_status anni_micro_plan(anni_micro *micro, const anni_phase *phase, const anni_scalars *scalars,
                           anni_use use) ANN_MUST_CHECK;
void anni_micro_free(anni_micro *micro);
/* Runs the micro-batches of `batch` and adds up what they computed. With `pending` this rank takes part as
   failed, like ann_plan_run with `inject`. */
ann_status anni_micro_run(anni_micro *micro, const ann_batch *batch, ann_status pending,
                          anni_sums *sums) ANN_MUST_CHECK;

/* ---- outer.c: meetings of ranks that train apart (phases[].sync) ---- */

typedef struct anni_outer {
    ann_graph *graph;
    ann_plan *plan; /* NULL: the phase has no such meetings */
} anni_outer;

/* In the order of those of anni_micro; `inner` is a training graph of the stage. */
ann_status anni_outer_declare(anni_outer *out, ann_store *store, const anni_phase *phase,
                              const ann_graph *inner) ANN_MUST_CHECK;
ann_status anni_outer_lower(anni_outer *outer, const anni_phase *phase, size_t *shared_bytes) ANN_MUST_CHECK;
ann_status anni_outer_plan(anni_outer *outer, const anni_phase *phase, void *shared) ANN_MUST_CHECK;
void anni_outer_free(anni_outer *outer);
/* Parameters become the anchor: at the start of a stage. */
void anni_outer_drop_anchor(ann_store *store);
/* What still differs between ranks after a meeting becomes equal: before a checkpoint. Collective. */
ann_status anni_outer_fold(ann_comm *comm, ann_store *store) ANN_MUST_CHECK;

/* ---- phase.c ---- */

/* Evaluates the test set into cursor->test, and tells people and metrics.jsonl. Collective. */
ann_status anni_evaluate_and_say(anni_phase *phase, anni_cursor *cursor, ann_store *store) ANN_MUST_CHECK;
/* The same for the phase's stop rule, which takes it in. Collective. */
ann_status anni_evaluate_for_stop(anni_phase *phase, anni_cursor *cursor, ann_store *store) ANN_MUST_CHECK;

/* ---- stage.c: one stage's store, plans and loop ---- */

/* Trains from cursor->position to the stage's end. `store` comes in as the store of the stage before (NULL:
   none) and goes out as this stage's; the caller frees it. `restore`: a checkpoint of this very stage, or
   NULL. Collective. */
ann_status anni_stage_run(anni_phase *phase, anni_cursor *cursor, ann_store **store,
                          const char *restore) ANN_MUST_CHECK;

/* ---- mapping.c: values from store to store ---- */

ann_status anni_map_stage(ann_store *to, const ann_store *from) ANN_MUST_CHECK;
/* What phases[].load asks for, from the earlier phase's checkpoint or from the file; says what was taken,
   how, and what was not. Errors: ANN_ERR_CONFIG (nothing was taken, or load is strict and not all is as it
   should be), and those of ann_foreign_open and _read. */
ann_status anni_map_load(ann_store *to, const anni_phase *phase) ANN_MUST_CHECK;
/* The file or checkpoint that phases[].load names; the phase that it loads from has finished. Errors: those
   of ann_ckpt_resolve. Local. */
ann_status anni_load_path(char out[ANNI_PATH_BYTES], const anni_phase *phase) ANN_MUST_CHECK;

/* ---- best.c: the weights of the best evaluation ---- */

/* Before the store's commit, and after all model tensors; nothing for a phase that does not restore them. */
ann_status anni_best_declare(ann_store *store, const anni_phase *phase) ANN_MUST_CHECK;
/* The model's values become the best; the best become the model's; those of the stage before are taken over.
   Each does nothing where none are kept. */
void anni_best_keep(ann_store *store);
void anni_best_restore(ann_store *store);
void anni_best_map(ann_store *to, const ann_store *from);

/* ---- teacher.c: copies of the model's tensors that follow them ---- */

bool anni_is_teacher(const ann_tensor_info *info);
/* Each becomes equal to its student: at the start of a phase. */
void anni_teacher_start(ann_store *store);

/* ---- sampling.c: the order of the training samples ---- */

ann_status anni_sampling_new(ann_order **out, const anni_phase *phase) ANN_MUST_CHECK;
/* Adds what ann_train_check_ledger needs. */
ann_status anni_sampling_save(ann_meta *meta, const anni_phase *phase) ANN_MUST_CHECK;
/* The order of a checkpoint, where it needs no tables of the dataset. */
ann_status anni_sampling_load(ann_order **out, const ann_meta *meta) ANN_MUST_CHECK;

/* ---- sight.c: all samples as the model sees them ---- */

typedef struct anni_sight {
    ann_method_sight view;
    float *features, *logits; /* owned */
    int32_t *labels, *domain;
    size_t feature_bytes, logit_bytes;
} anni_sight;

/* Of the dataset, a split of the phase's data. To be freed even after a failure. Collective; two reductions
   over ranks of samples x width numbers. */
ann_status anni_sight_new(anni_sight *out, const anni_phase *phase, const ann_dataset *dataset,
                          ann_store *store) ANN_MUST_CHECK;
void anni_sight_free(anni_sight *sight);

/* ---- criteria.c: how good the model is on the target domain, seen without its labels ---- */

/* scores: [ANN_CHOICE_COUNT], NAN where a criterion has none. Collective. */
ann_status anni_criteria(double *scores, const anni_phase *phase, ann_store *store) ANN_MUST_CHECK;

/* ---- table.c: numbers of each sample that a method makes between steps ---- */

/* Before the store's commit; nothing for a phase without one. */
ann_status anni_table_declare(ann_store *store, const anni_phase *phase) ANN_MUST_CHECK;
/* Makes it if it is due before the step at the cursor. Collective. */
ann_status anni_table_refresh(ann_store *store, const anni_phase *phase,
                              const anni_cursor *cursor) ANN_MUST_CHECK;
/* [samples], or NULL. */
const float *anni_table_of(const ann_store *store);

/* ---- fold.c: state that differs between ranks ---- */

/* Floating-point blocks of the store whose names match `pattern` become their mean over ranks. Collective. */
ann_status anni_fold(ann_comm *comm, ann_store *store, const char *pattern) ANN_MUST_CHECK;
/* They become `factor` times what they are. */
void anni_scale(ann_store *store, const char *pattern, double factor);
/* Blocks of which the sum over ranks counts: what error feedback has not yet sent. */
#define ANNI_SUMMED_BLOCKS "error/params,error/params.*"

/* ---- tuning.c: which algorithm each message takes ---- */

/* Sets up communication as the run file wants it, measuring if need be. Collective. */
ann_status anni_tuning_begin(const anni_run *run) ANN_MUST_CHECK;
/* Says what a step of the plan sends, and how. */
void anni_tuning_say(const anni_phase *phase, int stage, const ann_plan *plan);

/* ---- ledger.c ---- */

/* "ledger ok: ...": what a right ledger at this position proves. */
void anni_ledger_line(char *line, size_t size, const ann_order *order, int64_t position);

/* ---- evaluate.c ---- */

enum { ANNI_EVAL_BATCH = 250 };

/* Loss and accuracy over the whole test set, each sample once, of the store of a stage. Collective. */
ann_status anni_evaluate(anni_metrics *out, const anni_phase *phase, ann_store *store,
                         int stage) ANN_MUST_CHECK;

/* The test samples that the phase is tested on, [first, first + count), */
void anni_evaluate_range(const anni_phase *phase, int64_t *first, int64_t *count);
/* and those of them that this rank reads. */
void anni_evaluate_share(const anni_phase *phase, int64_t *first, int64_t *count);

/* ---- cursor.c: checkpoints of a phase ---- */

/* What a checkpoint holds beside the tensors. Owner of *out: the caller, ann_meta_free. */
ann_status anni_cursor_meta(ann_meta **out, const anni_phase *phase,
                            const anni_cursor *cursor) ANN_MUST_CHECK;
/* The newest checkpoint of the phase whose manifest is right and that was made before `path` ("": the newest
   of all); path "" if there is none. Its tensors have not been read yet. With phase->changed set afterwards,
   it does not count. Errors: as anni_lineage_check. Sets the run's metrics offset and lines. Collective. */
ann_status anni_cursor_find(anni_phase *phase, anni_cursor *cursor, char *path, size_t size) ANN_MUST_CHECK;

/* Whether `status`, the same on all ranks, says that the checkpoint is damaged; then rank 0 says so. */
bool anni_checkpoint_is_bad(const anni_phase *phase, const char *path, ann_status status);

/* ---- inputs.c: what goes into a phase ---- */

/* phase->lineage but its parents. Local. */
ann_status anni_lineage_begin(anni_phase *phase) ANN_MUST_CHECK;
/* Its parents; those in the run have finished. Collective. */
ann_status anni_lineage_parents(anni_phase *phase) ANN_MUST_CHECK;
/* The same of a phase that this job does not run: what is not there any more, or is damaged, or is still to
   run, is described by its key alone. Collective. */
ann_status anni_lineage_parents_left(anni_phase *phase) ANN_MUST_CHECK;
/* Whether the phase's checkpoint with this metadata still counts. Sets phase->changed if it does not and the
   phase has to run again. Errors: ANN_ERR_CONFIG (an unfinished phase cannot be resumed under another
   configuration or on other data). Local. */
ann_status anni_lineage_check(anni_phase *phase, const ann_meta *meta, bool finished,
                              const char *path) ANN_MUST_CHECK;

/* ---- aside.c: what earlier runs left is moved, not removed ---- */

/* The whole output, to "OUTPUT.1", "OUTPUT.2" ... Rank 0. */
ann_status anni_aside_run(const anni_run *run) ANN_MUST_CHECK;
/* The folder of a phase, to OUTPUT.N/PHASE. Rank 0. */
ann_status anni_aside_phase(anni_run *run, const char *name) ANN_MUST_CHECK;

/* ---- facts.c ---- */

/* One line "key = value" for everything in the configuration that decides the phase's results. Owner: the
   caller, free(). */
ann_status anni_facts(char **out, const ann_run_config *config, const ann_phase_config *phase) ANN_MUST_CHECK;
/* Writes the first difference as "key: VALUE here, VALUE there" and returns true; false if they are equal. */
bool anni_facts_differ(char *buf, size_t size, const char *here, const char *there);

/* ---- progress.c: what people and tools see ---- */

typedef struct anni_progress {
    anni_phase *phase;
    int64_t total; /* positions of the phase */
    int64_t start_ns, last_ns, last_position;
    int64_t wait_ns, last_wait_ns; /* for data, on this rank */
    int64_t last_comm_ns;          /* ann_comm_wait_ns at the last line */
    int64_t last_step;
    double elapsed_before_s;
    anni_sums sums; /* this rank's, since the last line */
} anni_progress;

/* A line to the user, on rank 0. */
void anni_say(const anni_run *run, const char *fmt, ...) ANN_PRINTF(2, 3);
void anni_progress_begin(anni_progress *progress, anni_phase *phase, const anni_cursor *cursor);
/* The progress line and its record; sets cursor->train. Collective. */
ann_status anni_progress_line(anni_progress *progress, anni_cursor *cursor) ANN_MUST_CHECK;
double anni_progress_elapsed_s(const anni_progress *progress);
/* A record of something that happened before the cursor's step was over. */
ann_status anni_metrics_event(anni_run *run, const anni_phase *phase, const anni_cursor *cursor,
                              const char *event, const char *reason) ANN_MUST_CHECK;
ann_status anni_metrics_test(anni_run *run, const anni_phase *phase,
                             const anni_cursor *cursor) ANN_MUST_CHECK;
/* The record of an evaluation's scores, */
ann_status anni_metrics_choice(anni_run *run, const anni_phase *phase, const anni_cursor *cursor,
                               const double *scores) ANN_MUST_CHECK;
/* and at the end of the phase what came of all of them, told to people, too. Local. */
ann_status anni_choice_tell(anni_run *run, const anni_phase *phase, const anni_cursor *cursor) ANN_MUST_CHECK;
void anni_table(const anni_run *run);

/* ---- metrics.c: OUTPUT/PHASE/metrics.jsonl, on rank 0; the others do nothing ---- */

/* Opens the phase's, and cuts off what is behind its first run->metrics_lines lines. Local. */
ann_status anni_metrics_begin(anni_phase *phase) ANN_MUST_CHECK;
/* Appends a line, which ends with '\n', and tells the lead. Local. */
ann_status anni_metrics_write(anni_run *run, const char *line) ANN_MUST_CHECK;
/* Makes lines that were written so far durable: to be called before a checkpoint with their number is
   committed. On any thread. */
ann_status anni_metrics_sync(anni_run *run) ANN_MUST_CHECK;
void anni_metrics_end(anni_run *run);

#endif
