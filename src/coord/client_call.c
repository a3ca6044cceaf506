#include <stdlib.h>
#include "coord/client.h"
#include "coord/methods.h"

static gpr_timespec deadline_of(const ann_coord_client *c) {
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(c->timeout_ms, GPR_TIMESPAN));
}

/* ---- a call for one request ---- */

static ann_status ask_once(anni_exchange *x, const anni_method *m, grpc_byte_buffer *request,
                           ProtobufCMessage **reply) {
    grpc_op ops[5] = {{0}};
    size_t n = anni_begin_ops(x, ops, request);
    ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    ops[n++] = anni_message_op(x);
    (void)anni_perform(x, ops, n, gpr_inf_future(GPR_CLOCK_MONOTONIC)); /* the call has its deadline */
    ANN_TRY(anni_exchange_result(x));
    return reply ? anni_unpack(reply, m->reply, x) : ANN_OK;
}

static ann_status call_once(ann_coord_client *c, const anni_method *m, grpc_byte_buffer *request,
                            ProtobufCMessage **reply) {
    anni_exchange x;
    ann_status status = anni_exchange_begin(&x, c, m->path, deadline_of(c));
    if (status == ANN_OK) status = ask_once(&x, m, request, reply);
    anni_exchange_end(&x);
    return status;
}

/* ---- a stream of requests ---- */

void anni_client_end_stream(ann_coord_client *c) {
    if (!c->stream) return;
    anni_exchange_end(c->stream);
    free(c->stream);
    c->stream = NULL;
}

/* The operations that come before this request's reply, in a stream that is new if there was none. */
static ann_status enter_stream(ann_coord_client *c, const anni_method *m, grpc_byte_buffer *request,
                               grpc_op *ops, size_t *n) {
    if (c->stream) {
        ANN_TRY(anni_exchange_resume(c->stream));
        ops[0] = anni_send_op(request);
        *n = 1;
        return ANN_OK;
    }
    c->stream = malloc(sizeof *c->stream);
    if (!c->stream) return ann_error(ANN_ERR_MEMORY, "no memory for a call");
    ANN_TRY(anni_exchange_begin(c->stream, c, m->path, gpr_inf_future(GPR_CLOCK_MONOTONIC)));
    *n = anni_begin_ops(c->stream, ops, request);
    return ANN_OK;
}

static ann_status ask_in_stream(ann_coord_client *c, const anni_method *m, grpc_byte_buffer *request,
                                ProtobufCMessage **reply) {
    grpc_op ops[4] = {{0}};
    size_t n = 0;
    ANN_TRY(enter_stream(c, m, request, ops, &n));
    ops[n++] = anni_message_op(c->stream);
    if (!anni_perform(c->stream, ops, n, deadline_of(c)) || !c->stream->message) {
        const ann_status status = anni_exchange_result(c->stream);
        return status == ANN_OK ? ann_error(ANN_ERR_COMM, "the coordinator has ended the stream") : status;
    }
    anni_exchange_rest(c->stream);
    if (reply) return anni_unpack(reply, m->reply, c->stream);
    anni_drop_message(c->stream);
    return ANN_OK;
}

/* A stream in which something failed is over. */
static ann_status call_in_stream(ann_coord_client *c, const anni_method *m, grpc_byte_buffer *request,
                                 ProtobufCMessage **reply) {
    const ann_status status = ask_in_stream(c, m, request, reply);
    if (status != ANN_OK) anni_client_end_stream(c);
    return status;
}

ann_status ann_coord_call(ann_coord_client *c, ann_coord_method method, const ProtobufCMessage *request,
                          ProtobufCMessage **reply) {
    const anni_method *m = &anni_methods[method];
    if (reply) *reply = NULL;
    if (request->descriptor != m->request)
        return ann_error(ANN_ERR_ARG, "%s takes no %s", m->path, request->descriptor->name);
    grpc_byte_buffer *buffer = anni_pack(request);
    const ann_status status =
        m->streams ? call_in_stream(c, m, buffer, reply) : call_once(c, m, buffer, reply);
    grpc_byte_buffer_destroy(buffer);
    return status;
}
