/* The log: lines for people on stderr, written whole. Only launch/ sets rank and level; src/ only writes.
 * Local. */
#ifndef ANN_BASE_LOG_H
#define ANN_BASE_LOG_H

#include "base/status.h"

typedef enum ann_log_level { ANN_LOG_ERROR, ANN_LOG_WARN, ANN_LOG_INFO, ANN_LOG_DEBUG } ann_log_level;

/* Lines above `level` are dropped. On ranks other than 0 only errors and warnings are written, with the
   prefix
   "[rank R] ". */
void ann_log_setup(ann_log_level level, int rank);
void ann_log_line(ann_log_level level, const char *fmt, ...) ANN_PRINTF(2, 3);

#endif
