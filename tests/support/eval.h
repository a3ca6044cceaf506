/* A tiny interpreter of graphs: node by node, each value in memory of its own, no passes, no plan. It is the
   tests' oracle for everything that does the same faster. Whatever fails in it fails the test that called it.
 */
#ifndef ANN_TESTS_SUPPORT_EVAL_H
#define ANN_TESTS_SUPPORT_EVAL_H

#include "graph/graph.h"
#include "kernel/kernel.h"

typedef struct eval eval;

/* Takes the whole graph, whose status must be OK; graph and store must outlive it. */
eval *eval_new(const ann_graph *graph, ann_kernel_policy policy);
void eval_free(eval *e);

/* The memory of an input, to be filled by the caller; eval_value's for the node built by ann_input(name). */
void *eval_input(eval *e, const char *name);

/* Computes nodes 0..last (all if last is ANN_NODE_NONE), then carries out the effects among them: an assign
   changes the store after everything has been computed. A sum over ranks is a sum over this one. */
void eval_run(eval *e, ann_node last);

/* The value of a node after a run; borrowed. */
const void *eval_value(const eval *e, ann_node node);
double eval_elem(const eval *e, ann_node node, int64_t i);
/* Its only element. */
double eval_scalar(const eval *e, ann_node node);

#endif
