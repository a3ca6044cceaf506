#include "base/clock.h"
#include "coord/client.h"
#include "coord/methods.h"

typedef struct watch {
    const char *run;
    uint64_t next;
    ann_coord_record_fn fn;
    void *context;
    bool over; /* fn wants no more */
} watch;

static ann_status take_records(watch *w, anni_exchange *x) {
    ProtobufCMessage *base;
    ANN_TRY(anni_unpack(&base, &annulus__v1__watch_reply__descriptor, x));
    const Annulus__V1__WatchReply *reply = (const Annulus__V1__WatchReply *)base;
    for (size_t i = 0; i < reply->n_records && !w->over; i++) {
        w->next = reply->records[i]->sequence + 1;
        w->over = !w->fn(w->context, reply->records[i]);
    }
    protobuf_c_message_free_unpacked(base, NULL);
    return ANN_OK;
}

/* Reads until the stream ends, or fn has had enough. */
static ann_status read_stream(anni_exchange *x, watch *w) {
    const grpc_op op = anni_message_op(x);
    while (!w->over) {
        if (!anni_perform(x, &op, 1, gpr_inf_future(GPR_CLOCK_MONOTONIC)) || !x->message)
            return anni_exchange_result(x);
        ANN_TRY(take_records(w, x));
    }
    return ANN_OK;
}

static ann_status begin_watch(anni_exchange *x, ann_coord_client *c, const watch *w) {
    Annulus__V1__WatchRequest request = ANNULUS__V1__WATCH_REQUEST__INIT;
    grpc_op ops[4] = {{0}};
    request.run = (char *)w->run;
    request.sequence = w->next;
    ANN_TRY(anni_exchange_begin(x, c, anni_watch_path, gpr_inf_future(GPR_CLOCK_MONOTONIC)));
    grpc_byte_buffer *buffer = anni_pack(&request.base);
    size_t n = anni_begin_ops(x, ops, buffer);
    ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    const bool good = anni_perform(x, ops, n, gpr_inf_future(GPR_CLOCK_MONOTONIC));
    grpc_byte_buffer_destroy(buffer);
    return good ? ANN_OK : anni_exchange_result(x);
}

/* One stream, as long as it lasts. */
static ann_status watch_once(ann_coord_client *c, watch *w) {
    anni_exchange x;
    ann_status status = begin_watch(&x, c, w);
    if (status == ANN_OK) status = read_stream(&x, w);
    anni_exchange_end(&x);
    return status;
}

ann_status ann_coord_watch(ann_coord_client *c, const char *run, uint64_t sequence, int retry_ms,
                           ann_coord_record_fn fn, void *context) {
    watch w = {.run = run, .next = sequence, .fn = fn, .context = context};
    int64_t pause_ms = 100, lost_ns = ann_clock_ns(); /* since when there has been no connection */
    for (;;) {
        const uint64_t before = w.next;
        const int64_t begin_ns = ann_clock_ns();
        const ann_status status = watch_once(c, &w);
        if (w.over || (status != ANN_OK && status != ANN_ERR_COMM)) return status;
        /* A stream that brought something, or lasted longer than any attempt to connect, was a connection. */
        const int64_t end_ns = ann_clock_ns();
        if (w.next != before || end_ns - begin_ns > (int64_t)ANNI_ATTEMPT_MS * 2000000) {
            lost_ns = end_ns;
            pause_ms = 100;
        }
        if (end_ns - lost_ns > (int64_t)retry_ms * 1000000)
            return status == ANN_OK ? ann_error(ANN_ERR_COMM, "the coordinator has ended the stream")
                                    : status;
        ann_sleep_ns(pause_ms * 1000000);
        if (pause_ms < 2000) pause_ms *= 2;
    }
}
