// runs: 20000
/* Requests to the coordinator, one after the other: a byte for the method, two for the length, the message.
   What follows the last whole one is a message, too. Each input finds the same registry, in which a job works
   on a run. */
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "coord/message.h"
#include "coord/worker.h"
#include "fuzz/fuzz.h"

static anni_registry registry;

static void fini(void) { anni_registry_close(&registry); }

/* A reply can be decoded, and holds nothing that a client could not take. */
static void check_message(const ProtobufCMessageDescriptor *kind, size_t size, const uint8_t *bytes) {
    ProtobufCMessage *message;
    fuzz_require(anni_message_read(&message, kind, NULL, size, bytes) == ANN_OK,
                 "what the coordinator says is malformed");
    protobuf_c_message_free_unpacked(message, NULL);
}

/* One request within the open transaction. */
static void request(ann_coord_method method, const uint8_t *bytes, size_t size) {
    anni_task task = {.method = &anni_methods[method],
                      .caller = {"fuzz (control)"},
                      .bytes = (uint8_t *)bytes,
                      .size = size};
    const int fresh = registry.fresh_count;
    fuzz_require(anni_registry_try(&registry) == ANN_OK, ann_error_text());
    const ann_status status = anni_task_answer(&registry, &task);
    fuzz_check_failure(status);
    if (status == ANN_OK) {
        check_message(task.method->reply, task.reply_size, task.reply_bytes);
        fuzz_require(anni_registry_keep(&registry) == ANN_OK, ann_error_text());
    } else {
        fuzz_require(anni_registry_undo(&registry, fresh) == ANN_OK, ann_error_text());
    }
    free(task.reply_bytes);
    for (int i = fresh; i < registry.fresh_count; i++)
        check_message(&annulus__v1__record__descriptor, registry.fresh[i].size, registry.fresh[i].bytes);
}

static void request_of(ann_coord_method method, const ProtobufCMessage *message) {
    const size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(size + 1);
    fuzz_require(bytes != NULL, "out of memory");
    protobuf_c_message_pack(message, bytes);
    request(method, bytes, size);
    free(bytes);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    Annulus__V1__RegisterRequest job = ANNULUS__V1__REGISTER_REQUEST__INIT;
    Annulus__V1__PhaseSpec phase = ANNULUS__V1__PHASE_SPEC__INIT, *phases = &phase;
    Annulus__V1__ControlRequest control = ANNULUS__V1__CONTROL_REQUEST__INIT;
    (void)argc;
    (void)argv;
    ann_log_setup(ANN_LOG_ERROR, 0);
    fuzz_require(anni_registry_open(&registry, fuzz_dir(), 30000) == ANN_OK, ann_error_text());
    (void)atexit(fini);
    phase.name = "p";
    job.key = "key";
    job.run = control.run = "r";
    job.ranks = 1;
    job.phases = &phases;
    job.n_phases = 1;
    control.kind = ANNULUS__V1__CONTROL_KIND__PAUSE;
    fuzz_require(anni_registry_begin(&registry) == ANN_OK, ann_error_text());
    request_of(ANN_COORD_REGISTER_JOB, &job.base);
    request_of(ANN_COORD_CONTROL, &control.base);
    fuzz_require(anni_registry_commit(&registry) == ANN_OK, ann_error_text());
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_require(anni_registry_begin(&registry) == ANN_OK, ann_error_text());
    for (int count = 0; size > 3 && count < 16; count++) {
        const ann_coord_method method = (ann_coord_method)(data[0] % ANN_COORD_METHOD_COUNT);
        size_t length = data[1] | (size_t)data[2] << 8;
        data += 3;
        size -= 3;
        if (length > size) length = size;
        request(method, data, length);
        data += length;
        size -= length;
    }
    anni_registry_abandon(&registry);
    return 0;
}
