#include <grpc/byte_buffer_reader.h>
#include <string.h>
#include "coord/client.h"

static grpc_slice borrowed(const char *text) { return grpc_slice_from_static_buffer(text, strlen(text)); }

static ann_status stopped(void) {
    return ann_error(ANN_ERR_STOP, "the coordinator's client was told to stop");
}

/* ---- operations ---- */

size_t anni_begin_ops(anni_exchange *x, grpc_op *ops, grpc_byte_buffer *request) {
    size_t n = 0;
    const ann_coord_client *c = x->client;
    x->headers[n++] = (grpc_metadata){.key = borrowed("annulus-user"), .value = borrowed(c->user)};
    if (c->bearer[0])
        x->headers[n++] = (grpc_metadata){.key = borrowed("authorization"), .value = borrowed(c->bearer)};
    ops[0] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
                       .data.send_initial_metadata = {.count = n, .metadata = x->headers}};
    ops[1] = anni_send_op(request);
    ops[2] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                       .data.recv_initial_metadata.recv_initial_metadata = &x->initial};
    return 3;
}

grpc_op anni_send_op(grpc_byte_buffer *request) {
    return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request};
}

grpc_op anni_message_op(anni_exchange *x) {
    return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &x->message};
}

bool anni_perform(anni_exchange *x, const grpc_op *ops, size_t count, gpr_timespec deadline) {
    if (grpc_call_start_batch(x->call, ops, count, x, NULL) != GRPC_CALL_OK) {
        grpc_call_cancel_with_status(x->call, GRPC_STATUS_INTERNAL, "gRPC has refused an operation", NULL);
        return false;
    }
    grpc_event event = grpc_completion_queue_pluck(x->client->queue, x, deadline, NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT) {
        grpc_call_cancel_with_status(x->call, GRPC_STATUS_DEADLINE_EXCEEDED, "no answer in time", NULL);
        event = grpc_completion_queue_pluck(x->client->queue, x, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    }
    return event.success != 0;
}

/* False if gRPC refuses even that. */
static bool wait_end(anni_exchange *x) {
    const grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                        .data.recv_status_on_client = {.trailing_metadata = &x->trailing,
                                                       .status = &x->code,
                                                       .status_details = &x->details}};
    x->ended = true;
    return anni_perform(x, &op, 1, gpr_inf_future(GPR_CLOCK_MONOTONIC));
}

/* ---- beginning and end ---- */

ann_status anni_exchange_begin(anni_exchange *x, ann_coord_client *c, const char *path,
                               gpr_timespec deadline) {
    *x = (anni_exchange){.client = c, .details = grpc_empty_slice()};
    grpc_metadata_array_init(&x->initial);
    grpc_metadata_array_init(&x->trailing);
    x->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->queue, borrowed(path),
                                       NULL, deadline, NULL);
    return anni_exchange_resume(x);
}

void anni_exchange_end(anni_exchange *x) {
    if (!x->ended) {
        grpc_call_cancel(x->call, NULL);
        (void)wait_end(x);
    }
    anni_exchange_rest(x);
    grpc_call_unref(x->call);
    anni_drop_message(x);
    grpc_metadata_array_destroy(&x->initial);
    grpc_metadata_array_destroy(&x->trailing);
    grpc_slice_unref(x->details);
}

void anni_exchange_rest(anni_exchange *x) {
    pthread_mutex_lock(&x->client->mutex);
    x->client->active = NULL;
    pthread_mutex_unlock(&x->client->mutex);
}

ann_status anni_exchange_resume(anni_exchange *x) {
    pthread_mutex_lock(&x->client->mutex);
    const bool cancelled = x->client->cancelled;
    if (!cancelled) x->client->active = x->call;
    pthread_mutex_unlock(&x->client->mutex);
    return cancelled ? stopped() : ANN_OK;
}

/* ---- how a call has ended ---- */

static ann_status kind_of(grpc_status_code code) {
    switch (code) {
    case GRPC_STATUS_OK: return ANN_OK;
    case GRPC_STATUS_UNAVAILABLE:
    case GRPC_STATUS_ABORTED: return ANN_ERR_COMM;
    case GRPC_STATUS_DEADLINE_EXCEEDED: return ANN_ERR_TIMEOUT;
    case GRPC_STATUS_INVALID_ARGUMENT: return ANN_ERR_ARG;
    case GRPC_STATUS_NOT_FOUND: return ANN_ERR_NOT_FOUND;
    case GRPC_STATUS_FAILED_PRECONDITION:
    case GRPC_STATUS_UNAUTHENTICATED:
    case GRPC_STATUS_PERMISSION_DENIED: return ANN_ERR_CONFIG;
    case GRPC_STATUS_RESOURCE_EXHAUSTED: return ANN_ERR_MEMORY;
    case GRPC_STATUS_UNIMPLEMENTED: return ANN_ERR_UNSUPPORTED;
    case GRPC_STATUS_CANCELLED: return ANN_ERR_COMM;
    default: return ANN_ERR_INTERNAL;
    }
}

ann_status anni_exchange_result(anni_exchange *x) {
    if (!wait_end(x)) return ann_error(ANN_ERR_INTERNAL, "gRPC has refused a call");
    pthread_mutex_lock(&x->client->mutex);
    const bool cancelled = x->client->cancelled;
    pthread_mutex_unlock(&x->client->mutex);
    if (cancelled && x->code != GRPC_STATUS_OK) return stopped();
    const ann_status status = kind_of(x->code);
    if (status == ANN_OK) return ANN_OK;
    return ann_error(status, "coordinator: %.*s", (int)GRPC_SLICE_LENGTH(x->details),
                     (const char *)GRPC_SLICE_START_PTR(x->details));
}

/* ---- messages ---- */

grpc_byte_buffer *anni_pack(const ProtobufCMessage *message) {
    grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

ann_status anni_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *kind, anni_exchange *x) {
    grpc_byte_buffer_reader reader;
    *out = NULL;
    if (x->message && grpc_byte_buffer_reader_init(&reader, x->message)) {
        grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
        *out = protobuf_c_message_unpack(kind, NULL, GRPC_SLICE_LENGTH(slice), GRPC_SLICE_START_PTR(slice));
        grpc_slice_unref(slice);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    anni_drop_message(x);
    return *out ? ANN_OK : ann_error(ANN_ERR_FORMAT, "the coordinator's reply is malformed");
}

void anni_drop_message(anni_exchange *x) {
    if (x->message) grpc_byte_buffer_destroy(x->message);
    x->message = NULL;
}
