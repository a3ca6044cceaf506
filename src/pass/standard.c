/* The standard pipeline. */
#include "pass/pass.h"

typedef ann_status (*stage)(ann_graph **out, const ann_graph *graph, const ann_pass_options *options);

static ann_status run_simplify(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    (void)o;
    return ann_pass_simplify(out, g);
}
static ann_status run_expand(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    (void)o;
    return ann_pass_expand(out, g, ANN_EXPAND_NO_KERNEL);
}
static ann_status run_join(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    return ann_pass_join(out, g, o->join_bytes);
}
static ann_status run_slice(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    return ann_pass_slice(out, g, o->slice_bytes);
}
static ann_status run_bucket(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    return ann_pass_bucket(out, g, &o->bucket);
}
static ann_status run_zero(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    return ann_pass_zero(out, g, &o->zero);
}
static ann_status run_fuse(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    (void)o;
    return ann_pass_fuse(out, g);
}
static ann_status run_order(ann_graph **out, const ann_graph *g, const ann_pass_options *o) {
    return ann_pass_order(out, g, o->eager_updates);
}

ann_status ann_pass_standard(ann_graph **out, const ann_graph *graph, const ann_pass_options *options) {
    static const struct {
        const char *name;
        stage run;
    } stages[] = {{"simplify", run_simplify}, {"expand", run_expand},     {"simplify", run_simplify},
                  {"join", run_join},         {"slice", run_slice},       {"bucket", run_bucket},
                  {"zero", run_zero},         {"simplify", run_simplify}, {"fuse", run_fuse},
                  {"order", run_order}};
    const ann_graph *now = graph;
    ann_graph *made = NULL;
    if (options->trace) options->trace(options->to, "built", graph);
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (stages[i].run == run_fuse && !options->fuse) continue;
        if (stages[i].run == run_join && options->join_bytes == 0) continue;
        if (stages[i].run == run_slice && options->slice_bytes == 0) continue;
        if (stages[i].run == run_zero && options->zero.size < 2) continue;
        ann_graph *next;
        const ann_status status = stages[i].run(&next, now, options);
        ann_graph_free(made);
        ANN_TRY(status);
        now = made = next;
        if (options->trace) options->trace(options->to, stages[i].name, made);
    }
    *out = made;
    return ANN_OK;
}
