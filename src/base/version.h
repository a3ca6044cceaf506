/* What this build is: for --version, for the log's first line and for checkpoints. */
#ifndef ANN_BASE_VERSION_H
#define ANN_BASE_VERSION_H

/* The release, e.g. "0.1.0". Borrowed, for ever. Local. */
const char *ann_version(void);
/* The git revision it was built from, with "-dirty" if files were changed, e.g. "946b9d4aabcd"; "unknown"
 * outside a checkout. Borrowed, for ever. Local. */
const char *ann_revision(void);

#endif
