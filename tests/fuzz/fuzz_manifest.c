// runs: 10000
/* Checkpoint manifests, with the shards of a real checkpoint beside them. The input is the text of a manifest
   without its last line: the checksum, which random changes would never hit, is added here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/log.h"
#include "ckpt/ckpt.h"
#include "ckpt/manifest.h"
#include "fuzz/fuzz.h"
#include "support/ckpt_sample.h"

static ann_store *store;

static void fini(void) { ann_store_free(store); }

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    ann_log_setup(ANN_LOG_ERROR, 0);
    ann_comm *comm;
    fuzz_require(ann_comm_self(&comm) == ANN_OK, "no communicator");
    fuzz_require(ckpt_sample_write(comm, fuzz_dir(), 3, 7, 1) == ANN_OK, "no checkpoint");
    ann_comm_free(comm);
    store = ckpt_sample_store(0);
    fuzz_require(store != NULL, "no store");
    (void)atexit(fini);
    return 0;
}

static void read_all(const ann_ckpt *ckpt) {
    for (int i = 0; i < ann_ckpt_tensor_count(ckpt); i++) {
        const ann_tensor_info *t = ann_ckpt_tensor(ckpt, i);
        const size_t bytes = (size_t)ann_shape_elems(&t->shape) * ann_dtype_bytes(t->dtype);
        void *values = malloc(bytes + !bytes);
        fuzz_require(values != NULL, "out of memory");
        fuzz_check_failure(ann_ckpt_read(ckpt, t->name, values));
        free(values);
    }
    fuzz_check_failure(ann_ckpt_restore(ckpt, store));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { TAIL = 30 };
    char *text = malloc(size + TAIL);
    fuzz_require(text != NULL, "out of memory");
    if (size > 0) memcpy(text, data, size);
    const int tail = snprintf(text + size, TAIL, "checksum: 0x%016" PRIx64 "\n", ann_hash(data, size, 0));
    (void)fuzz_file("step-0000000003/" ANNI_MANIFEST_NAME, text, size + (size_t)tail);
    free(text);
    const char *path = fuzz_path("step-0000000003");
    (void)anni_manifest_serial(path);
    ann_ckpt *ckpt;
    const ann_status status = ann_ckpt_open(&ckpt, path);
    fuzz_check_failure(status);
    if (status == ANN_OK) read_all(ckpt);
    ann_ckpt_close(ckpt);
    return 0;
}
