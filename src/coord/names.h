/* What requests may contain. Errors: ANN_ERR_ARG, with a text that says what is accepted. Local. */
#ifndef ANN_COORD_NAMES_H
#define ANN_COORD_NAMES_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include "base/status.h"

enum { ANNI_NAME_BYTES = 128, ANNI_TEXT_BYTES = 4096 };

/* A name as annulus.proto defines it; `what` names it in the error. */
ann_status anni_name_check(const char *what, const char *name, bool slash) ANN_MUST_CHECK;
/* The same, or "". */
ann_status anni_name_check_optional(const char *what, const char *name, bool slash) ANN_MUST_CHECK;
/* Every string in the message and in those within is UTF-8 and, but for run files, not longer than
 * ANNI_TEXT_BYTES. */
ann_status anni_message_check(const ProtobufCMessage *message) ANN_MUST_CHECK;
/* Is `host` (a name or an address) the loopback interface? */
bool anni_is_loopback(const char *host);

#endif
