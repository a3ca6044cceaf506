/* A message from the bytes that somebody has sent. */
#ifndef ANN_COORD_MESSAGE_H
#define ANN_COORD_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include "base/status.h"

/* Decodes and checks it (names.h). A string with a NUL is refused: protobuf-c makes C strings of them, which
   would end there, so that two names of two runs could become one. *out: NULL after an error, else of
   `allocator`, with which it is freed. Errors: ANN_ERR_ARG. Local. */
ann_status anni_message_read(ProtobufCMessage **out, const ProtobufCMessageDescriptor *kind,
                             ProtobufCAllocator *allocator, size_t size, const uint8_t *bytes) ANN_MUST_CHECK;

#endif
