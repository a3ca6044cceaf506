/* Status codes and the error record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>

#include "base/status.h"

static ann_status inner(ann_status status) { return ann_error(status, "disk %s is on\nfire", "sda"); }
static ann_status outer(ann_status status) {
    ANN_TRY(inner(status));
    return ANN_OK;
}

static void test_names(void **state) {
    (void)state;
    assert_string_equal(ann_status_name(ANN_OK), "OK");
    assert_string_equal(ann_status_name(ANN_ERR_SHAPE), "ERR_SHAPE");
    assert_string_equal(ann_status_text(ANN_ERR_SHAPE), "shape mismatch");
    assert_int_equal(ann_status_exit_code(ANN_OK), 0);
    assert_int_equal(ann_status_exit_code(ANN_ERR_CONFIG), 2);
    assert_int_equal(ann_status_exit_code(ANN_ERR_STOP), 75);
    for (int s = ANN_OK + 1; s < ANN_STATUS_COUNT; s++)
        assert_int_not_equal(ann_status_exit_code((ann_status)s), 0);
}

static void test_record_and_frames(void **state) {
    (void)state;
    ann_error_clear();
    assert_string_equal(ann_error_text(), "");
    assert_int_equal(outer(ANN_OK), ANN_OK);
    assert_string_equal(ann_error_text(), "");
    assert_int_equal(outer(ANN_ERR_IO), ANN_ERR_IO);
    assert_int_equal(ann_error_status(), ANN_ERR_IO);
    assert_string_equal(ann_error_text(), "disk sda is on fire");
    char trace[512];
    assert_int_equal(ann_error_trace(trace, sizeof trace), 2);
    assert_non_null(strstr(trace, "inner(status)\n"));
    char tiny[8];
    assert_int_equal(ann_error_trace(tiny, sizeof tiny), 2);
    assert_int_equal(strlen(tiny), 7);
}

static void test_record_may_quote_itself(void **state) {
    (void)state;
    assert_int_equal(inner(ANN_ERR_IO), ANN_ERR_IO);
    assert_int_equal(ann_error(ANN_ERR_PEER, "rank 1: %s", ann_error_text()), ANN_ERR_PEER);
    assert_string_equal(ann_error_text(), "rank 1: disk sda is on fire");
    char long_text[4000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(ann_error(ANN_ERR_IO, "%s", long_text), ANN_ERR_IO);
    assert_int_equal(strlen(ann_error_text()), 1023);
}

static void *fail_elsewhere(void *arg) {
    *(ann_status *)arg = inner(ANN_ERR_MEMORY);
    return NULL;
}

static void test_record_is_per_thread(void **state) {
    (void)state;
    ann_error_clear();
    pthread_t thread;
    ann_status status = ANN_OK;
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &status), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(status, ANN_ERR_MEMORY);
    assert_string_equal(ann_error_text(), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_record_and_frames),
        cmocka_unit_test(test_record_may_quote_itself),
        cmocka_unit_test(test_record_is_per_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
