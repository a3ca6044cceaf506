/* The run file: what `annulus train` reads. config.def lists every key with its type, default and range; this
   is the checked result. All strings are borrowed from the config; nothing here changes after loading. */
#ifndef ANN_TRAIN_CONFIG_H
#define ANN_TRAIN_CONFIG_H

#include "base/yaml.h"
#include "data/augment.h"
#include "data/data.h"
#include "data/order.h"
#include "ckpt/rename.h"
#include "method/method.h"
#include "nn/nn.h"
#include "optim/optim.h"

typedef enum ann_activation {
    ANN_ACTIVATION_NONE,
    ANN_ACTIVATION_RELU,
    ANN_ACTIVATION_LEAKY_RELU, /* slope */
    ANN_ACTIVATION_ELU,        /* alpha */
    ANN_ACTIVATION_SIGMOID,
    ANN_ACTIVATION_TANH,
    ANN_ACTIVATION_SOFTMAX,
    ANN_ACTIVATION_SOFTPLUS
} ann_activation;

typedef enum ann_layer_kind {
    ANN_LAYER_DENSE,
    ANN_LAYER_CONV2D,
    ANN_LAYER_CONV_TRANSPOSE2D,
    ANN_LAYER_MAX_POOL,
    ANN_LAYER_AVG_POOL,
    ANN_LAYER_GLOBAL_AVG_POOL,
    ANN_LAYER_FLATTEN,
    ANN_LAYER_UNFLATTEN,
    ANN_LAYER_UPSAMPLE,
    ANN_LAYER_BATCH_NORM,
    ANN_LAYER_LAYER_NORM,
    ANN_LAYER_DROPOUT,
    ANN_LAYER_NOISE,
    ANN_LAYER_ACTIVATION,
    ANN_LAYER_KIND_COUNT
} ann_layer_kind;

typedef enum ann_noise_kind { ANN_NOISE_MASK, ANN_NOISE_GAUSSIAN, ANN_NOISE_SALT_PEPPER } ann_noise_kind;

/* One layer; the fields that its kind does not use are 0. The tensors of layer L of block B are "B/L/weight"
 * ... */
typedef struct ann_layer_config {
    ann_layer_kind kind;
    const char *name; /* unique in its block; "" for kinds that need none */
    int64_t units;    /* dense */
    int64_t channels; /* conv2d */
    int64_t kernel[2], stride[2], dilation[2],
        padding[2];            /* h, w: conv2d, pools (a pool's stride is its kernel by default) */
    int64_t output_padding[2]; /* h, w: conv_transpose2d */
    int64_t size[2];           /* h, w: unflatten; times: upsample */
    int64_t groups;
    bool bias;
    double momentum, eps; /* batch_norm, of which layer_norm has eps */
    double p;             /* dropout */
    ann_noise_kind noise; /* noise, of so much: a probability, or gaussian's deviation */
    double amount;
    ann_activation activation; /* dense, conv2d; the kind of an activation layer */
    double slope, alpha;
    const ann_yaml_node *node; /* for errors */
} ann_layer_config;

typedef struct ann_block_config {
    const char *name;
    const ann_layer_config *layers;
    int layer_count;
} ann_block_config;

typedef enum ann_phase_kind {
    ANN_PHASE_PRETRAIN,
    ANN_PHASE_TRANSFER,
    ANN_PHASE_SUPERVISED,
    ANN_PHASE_ADAPT,
    ANN_PHASE_EVALUATE, /* not trained: its program is one stage of no steps, */
    ANN_PHASE_EXPORT    /* as here */
} ann_phase_kind;
static inline bool ann_phase_is_trained(ann_phase_kind kind) { return kind < ANN_PHASE_EVALUATE; }
typedef enum ann_loss_kind { ANN_LOSS_MSE, ANN_LOSS_BCE, ANN_LOSS_CROSS_ENTROPY } ann_loss_kind;
typedef enum ann_input_kind { ANN_INPUT_SCALE, ANN_INPUT_STANDARDIZE } ann_input_kind;

typedef enum ann_target_kind { ANN_TARGET_INPUT, ANN_TARGET_Y } ann_target_kind;

/* Where samples come from. */
typedef struct ann_data_config {
    const char *path;                    /* of the first source, for messages */
    const ann_data_source *train, *test; /* [source_count]: the same files, the fields of each split */
    int source_count;
    bool hold; /* in memory */
    int64_t cache_mb;
    const ann_yaml_node *node;
} ann_data_config;

typedef struct ann_stage_config {
    const char *name;              /* unique in its phase; "stage1", "stage2" ... by default */
    const char *train;             /* pattern of the parameters that are trained; the others are frozen */
    int64_t epochs, steps;         /* exactly one of them is > 0 */
    ann_schedule schedule;         /* total_steps is 0 here */
    const ann_optim_group *groups; /* [group_count]; 0: all parameters are one group */
    int group_count;
    const ann_yaml_node *node;
} ann_stage_config;

typedef enum ann_balance {
    ANN_BALANCE_NONE,
    ANN_BALANCE_CLASS,
    ANN_BALANCE_SOURCE,
    ANN_BALANCE_WEIGHT
} ann_balance;

typedef struct ann_sampling_config {
    ann_order_kind order; /* SEQUENTIAL, SHUFFLED or WINDOW */
    ann_remainder remainder;
    ann_balance balance;
    int64_t block, window;
    int lanes;
    const int64_t *shares; /* NULL: equal ones */
    int share_count;
} ann_sampling_config;

typedef struct ann_augment_config {
    ann_augment_op op;
    const ann_yaml_node *node; /* for errors */
} ann_augment_config;

typedef enum ann_reduction_order { ANN_REDUCTION_ANY, ANN_REDUCTION_INVARIANT } ann_reduction_order;
typedef struct ann_reduction_config {
    ann_reduction_order order;
    int shards, threads; /* INVARIANT */
} ann_reduction_config;

typedef struct ann_sync_config {
    int64_t every; /* steps; 0: gradients are summed in each of them */
    ann_optim_outer outer;
} ann_sync_config;

/* nonfinite.h says what they do. */
typedef enum ann_nonfinite {
    ANN_NONFINITE_STOP,
    ANN_NONFINITE_SKIP,
    ANN_NONFINITE_RESCALE,
    ANN_NONFINITE_ROLLBACK
} ann_nonfinite;

typedef enum ann_load_checkpoint { ANN_LOAD_LAST, ANN_LOAD_BEST } ann_load_checkpoint;

/* 0: not said. */
typedef struct ann_resources_config {
    int nodes, ranks;
    int threads; /* of a rank */
} ann_resources_config;

typedef enum ann_criterion {
    ANN_CHOICE_ENTROPY,
    ANN_CHOICE_IM,
    ANN_CHOICE_SND,
    ANN_CHOICE_DEV,
    ANN_CHOICE_COUNT
} ann_criterion;
typedef struct ann_choice_config {
    bool on;
    ann_criterion criterion;
    bool restore;
} ann_choice_config;

typedef enum ann_stop_metric { ANN_STOP_TEST_LOSS, ANN_STOP_TEST_ACCURACY } ann_stop_metric;

/* What may end a phase before its program is over; stoprule.h says how. */
typedef struct ann_stop_config {
    int64_t every_steps, every_epochs; /* between evaluations; exactly one is > 0, or there are none */
    struct {
        bool on;
        ann_stop_metric metric;
        int64_t patience; /* evaluations */
        double min_delta;
        bool restore_best;
    } early;
    struct {
        bool on;
        ann_stop_metric metric;
        double reach;
    } target;
    double wall_time_s; /* 0: any */
} ann_stop_config;

enum { ANN_MODEL_MAX_BLOCKS = 64 };

typedef struct ann_phase_config {
    const char *name;
    ann_phase_kind kind;
    const char *const *after; /* names of phases; run_graph.h has all edges */
    int after_count;
    ann_resources_config resources;
    const char *export_file;              /* EXPORT; as in the run file */
    const ann_block_config *const *model; /* blocks, applied one after the other */
    int model_count;
    const ann_data_config *data; /* its own, or the run's */
    ann_loss_kind loss;
    ann_target_kind target;
    ann_input_kind input;
    ann_method_config method;
    const ann_block_config *const *others; /* [other_count] blocks that the method uses beside the model */
    int other_count;
    double mask_noise, gaussian_noise, salt_pepper; /* 0: none */
    int64_t labels;                                 /* 0: all samples */
    const char *load_from;                          /* another phase's name; or */
    const char *load_file; /* a file of tensors, or a checkpoint's folder; both NULL: nothing is loaded */
    ann_load_checkpoint load_checkpoint; /* of load_from */
    const char *load_tensors;            /* pattern of the tensors that are loaded */
    const ann_rename *load_rename;       /* from the names there to those here */
    int load_rename_count;
    const char *load_transpose; /* pattern; NULL: none */
    bool load_strict;
    int64_t batch;  /* samples of a step over all ranks */
    int accumulate; /* micro-batches of a rank in a step; with an invariant reduction there are others */
    ann_reduction_config reduction;
    ann_sync_config sync;
    ann_sampling_config sampling;
    const ann_augment_config *augment; /* of training samples, in this order */
    int augment_count;
    ann_nn_init init;
    ann_optim optimizer;
    ann_nonfinite nonfinite_policy;
    int64_t nonfinite_at_most;
    ann_stop_config stop;
    ann_choice_config choice;
    const ann_stage_config *program;
    int stage_count;
    const ann_yaml_node *node;
} ann_phase_config;

/* ---- checkpoints ---- */

typedef enum ann_cadence_kind {
    ANN_CADENCE_NEVER, /* only at the end of phases */
    ANN_CADENCE_STEPS,
    ANN_CADENCE_EPOCHS,
    ANN_CADENCE_SECONDS,
    ANN_CADENCE_AUTO /* by what a checkpoint costs and how often something fails */
} ann_cadence_kind;

typedef struct ann_cadence {
    ann_cadence_kind kind;
    int64_t count; /* steps or epochs */
    double seconds;
} ann_cadence;

typedef enum ann_best {
    ANN_BEST_NONE,
    ANN_BEST_TEST_LOSS,
    ANN_BEST_TEST_ACCURACY,
    ANN_BEST_TRAIN_LOSS
} ann_best;
typedef enum ann_when_busy { ANN_WHEN_BUSY_SKIP, ANN_WHEN_BUSY_WAIT } ann_when_busy;

typedef struct ann_checkpoint_config {
    ann_cadence every;
    double mtbf_hours;
    ann_when_busy when_busy;
    int keep, keep_every; /* 0: all; 0: none */
    ann_best best;
    int writers; /* as in ann_ckpt_options */
} ann_checkpoint_config;

typedef enum ann_calibrate { ANN_CALIBRATE_AUTO, ANN_CALIBRATE_ALWAYS, ANN_CALIBRATE_NEVER } ann_calibrate;

typedef struct ann_run_config {
    const char *name;
    uint64_t seed;
    const char *output;
    const ann_data_config *data; /* NULL: each phase has its own */
    ann_checkpoint_config checkpoint;
    int64_t log_every_steps;
    double comm_timeout_s;
    int64_t comm_bucket_bytes;
    bool comm_shared_memory;
    bool comm_zero;
    ann_calibrate comm_calibrate;
    int64_t comm_check_every; /* steps; 0: never */
    const ann_block_config *blocks;
    int block_count;
    const ann_phase_config *phases;
    int phase_count;
    const char *text; /* of the whole file, with the overrides as comments */
    uint64_t hash;    /* of that text */
    const char *path; /* of the file */
    struct anni_config_memory *memory;
} ann_run_config;

/* Reads, overrides ("key.path=value", set_count of them) and checks a run file. Errors: ANN_ERR_CONFIG, one
   line "file:line:column: key: what is wrong, what is accepted"; ANN_ERR_MEMORY. Owner: the caller,
   ann_run_config_free. Local. */
ann_status ann_run_config_load(ann_run_config **out, const char *path, const char *const *sets,
                               int set_count) ANN_MUST_CHECK;
/* The same from text (a checkpoint's copy); `source` stands where errors name the file. */
ann_status ann_run_config_parse(ann_run_config **out, const char *source, const char *text,
                                const char *const *sets, int set_count) ANN_MUST_CHECK;
void ann_run_config_free(ann_run_config *config);

/* Index of the phase called `name`, or -1. */
int ann_run_config_find_phase(const ann_run_config *config, const char *name);

/* The words of the run file. */
const char *ann_layer_kind_name(ann_layer_kind kind);
const char *ann_phase_kind_name(ann_phase_kind kind);
const char *ann_loss_kind_name(ann_loss_kind kind);
const char *ann_activation_name(ann_activation activation);
const char *ann_noise_kind_name(ann_noise_kind kind);

/* Writes the reference of all keys (type, default, range, meaning) line by line, from config.def. */
void ann_run_config_reference(void (*print)(void *to, const char *line), void *to);

#endif
