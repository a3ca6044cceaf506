/* The kernel table: for each (op, dtype of the output) a list of kernels, best first, a plain C reference
   kernel last.

   A kernel is chosen and prepared once, when a plan is made, and then run many times; it never allocates
   while running. Everything here is Local. Threads: a kernel may use up to `threads` OpenMP threads; its
   result must not depend on how many are really granted (oneDNN's, which split their sums themselves, do),
   and for a given `threads` it is bit-reproducible.
   Kernels call OpenBLAS single-threaded and split the work themselves. */
#ifndef ANN_KERNEL_KERNEL_H
#define ANN_KERNEL_KERNEL_H

#include "graph/op.h"

typedef struct ann_kernel_call {
    ann_op op;
    const ann_attrs *attrs;
    int n_in;
    const void *const *in; /* may be rebound between runs, never between the ends of one */
    const ann_shape *in_shape;
    const ann_dtype *in_dtype;
    void *out;
    ann_shape out_shape;
    ann_dtype out_dtype;
    int threads;
    void *scratch; /* scratch_bytes of it, 64-byte aligned; contents undefined */
    void *state;   /* what prepare made */
} ann_kernel_call;

typedef struct ann_kernel {
    const char *name; /* e.g. "conv.dnnl", "matmul.openblas", "add.ref" */
    /* NULL: accepts every call. */
    bool (*accepts)(const ann_kernel_call *call);
    /* NULL: no scratch. Bytes for call->threads threads in all. */
    size_t (*scratch_bytes)(const ann_kernel_call *call);
    /* NULL: no state. Makes call->state; ends with release. Pointers in call are not yet set. */
    ann_status (*prepare)(ann_kernel_call *call);
    void (*release)(void *state);
    ann_status (*run)(const ann_kernel_call *call);
} ann_kernel;

typedef enum ann_kernel_policy { ANN_KERNEL_FAST, ANN_KERNEL_REFERENCE } ann_kernel_policy;

/* The kernel for this call (pointers not needed), or NULL if there is none for that dtype.
   The environment is not consulted; CPU features are. */
const ann_kernel *ann_kernel_select(const ann_kernel_call *call, ann_kernel_policy policy);

/* The i-th kernel (best first) listed for (op, dtype), NULL past the end: for tests that compare each with
 * the last. */
const ann_kernel *ann_kernel_list(ann_op op, ann_dtype dtype, int i);

/* Instruction sets: what this process may use. ann_cpu_limit lowers it (tests run all levels). */
typedef enum ann_cpu_level { ANN_CPU_BASE, ANN_CPU_AVX2, ANN_CPU_AVX512 } ann_cpu_level;
ann_cpu_level ann_cpu(void);
void ann_cpu_limit(ann_cpu_level level);

/* To be called once before any kernel: makes OpenBLAS single-threaded (kernels split work themselves). */
void ann_kernel_init(void);

/* The libraries behind the kernels, for people. Borrowed, for ever. */
typedef struct ann_kernel_libraries {
    const char *openblas; /* how it was built: version and options */
    const char *flavour;  /* its threads: "sequential", "pthread" or "OpenMP" */
    const char *core;     /* the processor whose kernels it has chosen */
    int dnnl[3];          /* version of oneDNN; 0: built without it */
} ann_kernel_libraries;
ann_kernel_libraries ann_kernel_describe_libraries(void);
/* What OPENBLAS_CORETYPE must be for OpenBLAS to use a processor of this level, where it has chosen the
   kernels of `core`; NULL: it does. An OpenBLAS older than the processor takes it for one of the oldest. */
const char *ann_kernel_better_core(const char *core, ann_cpu_level level);

#endif
