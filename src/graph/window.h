/* Checks and extents that convolutions and pooling share. */
#ifndef ANN_GRAPH_WINDOW_H
#define ANN_GRAPH_WINDOW_H

#include "graph/node.h"

/* Zero stride, dilation and groups become 1. */
ann_window anni_window_defaults(ann_window window);
/* Output extents for an image of window->in_h x in_w. Errors: ANN_ERR_ARG (bad attribute), ANN_ERR_SHAPE
 * (kernel larger than the padded image). */
ann_status anni_window_out(const ann_window *window, int64_t *out_h, int64_t *out_w) ANN_MUST_CHECK;
void anni_window_print(const ann_attrs *attrs, char *buf, size_t size);

#endif
