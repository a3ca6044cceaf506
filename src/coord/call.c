#include "coord/call.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>
#include <string.h>

anni_call *anni_call_new(const anni_entry *entry) {
    anni_call *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    for (int i = 0; i < ANNI_HAPPENINGS; i++) c->tags[i] = (anni_tag){c, (anni_happening)i};
    c->entry = entry;
    grpc_metadata_array_init(&c->metadata);
    grpc_call_details_init(&c->details);
    atomic_init(&c->refs, 1);
    return c;
}

void anni_call_ref(anni_call *c) { atomic_fetch_add(&c->refs, 1); }

void anni_call_unref(anni_call *c) {
    if (atomic_fetch_sub(&c->refs, 1) > 1) return;
    grpc_metadata_array_destroy(&c->metadata);
    grpc_call_details_destroy(&c->details);
    if (c->payload) grpc_byte_buffer_destroy(c->payload);
    if (c->call) grpc_call_unref(c->call);
    free(c);
}

/* Operations that the core refuses never happen, and hold no reference. */
static void start(anni_call *c, const grpc_op *ops, size_t count, anni_happening happening) {
    anni_call_ref(c);
    if (grpc_call_start_batch(c->call, ops, count, &c->tags[happening], NULL) != GRPC_CALL_OK)
        anni_call_unref(c);
}

void anni_call_listen(anni_call *c) {
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &c->cancelled};
    start(c, &op, 1, ANNI_CLOSED);
}

uint8_t *anni_call_payload(anni_call *c, size_t *bytes) {
    grpc_byte_buffer_reader reader;
    *bytes = 0;
    if (!c->payload || !grpc_byte_buffer_reader_init(&reader, c->payload)) return NULL;
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    *bytes = GRPC_SLICE_LENGTH(slice);
    uint8_t *copy = malloc(*bytes ? *bytes : 1);
    if (copy && *bytes) memcpy(copy, GRPC_SLICE_START_PTR(slice), *bytes);
    grpc_slice_unref(slice);
    grpc_byte_buffer_destroy(c->payload);
    c->payload = NULL;
    return copy;
}

/* A message, behind the initial metadata if it is the first. */
static size_t message_ops(anni_call *c, grpc_op *ops, grpc_byte_buffer *message) {
    size_t n = 0;
    if (!c->started) ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    c->started = true;
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message};
    return n;
}

void anni_call_send(anni_call *c, grpc_slice *slices, size_t count) {
    grpc_op ops[2];
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(slices, count);
    for (size_t i = 0; i < count; i++) grpc_slice_unref(slices[i]);
    start(c, ops, message_ops(c, ops, message), ANNI_SENT);
    grpc_byte_buffer_destroy(message);
}

static grpc_byte_buffer *copied(const uint8_t *bytes, size_t size) {
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, size);
    grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return message;
}

void anni_call_reply(anni_call *c, const uint8_t *bytes, size_t size) {
    grpc_op ops[3];
    grpc_byte_buffer *message = copied(bytes, size);
    size_t n = message_ops(c, ops, message);
    ops[n++] = (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->payload};
    start(c, ops, n, ANNI_RECEIVED);
    grpc_byte_buffer_destroy(message);
}

void anni_call_finish(anni_call *c, grpc_status_code code, const char *text, const uint8_t *bytes,
                      size_t size) {
    grpc_op ops[3];
    size_t n = 0;
    grpc_byte_buffer *message = bytes ? copied(bytes, size) : NULL;
    grpc_slice details = grpc_slice_from_copied_string(text);
    if (message) n = message_ops(c, ops, message);
    else if (!c->started) ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                         .data.send_status_from_server = {.status = code, .status_details = &details}};
    start(c, ops, n, ANNI_FINISHED);
    grpc_slice_unref(details);
    if (message) grpc_byte_buffer_destroy(message);
}

grpc_status_code anni_code_of(ann_status status) {
    switch (status) {
    case ANN_OK: return GRPC_STATUS_OK;
    case ANN_ERR_ARG:
    case ANN_ERR_FORMAT: return GRPC_STATUS_INVALID_ARGUMENT;
    case ANN_ERR_NOT_FOUND: return GRPC_STATUS_NOT_FOUND;
    case ANN_ERR_CONFIG: return GRPC_STATUS_FAILED_PRECONDITION;
    case ANN_ERR_MEMORY:
    case ANN_ERR_NOSPACE: return GRPC_STATUS_RESOURCE_EXHAUSTED;
    default: return GRPC_STATUS_INTERNAL;
    }
}
