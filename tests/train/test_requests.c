/* Requests in the metadata of a checkpoint: read back as they were saved, the oldest dropped when there are
   too many, damaged lists refused. */
#include "train/requests.h"

#include <stdio.h>
#include <string.h>
#include "support/check.h"

static ann_request nth(int i) {
    ann_request r = {
        .step = 10 * i,
        .control = {.kind = ANN_CONTROL_LR, .value = 1.0 / (i + 3), .asked_ms = 1764180000000 + i}};
    (void)snprintf(r.control.author, sizeof r.control.author, "CN=a, #%d: {b}", i);
    return r;
}

static ann_requests saved_and_loaded(const ann_requests *requests) {
    ann_meta *meta;
    ann_requests found;
    check_ok(ann_meta_new(&meta));
    check_ok(ann_requests_save(meta, requests));
    check_ok(ann_requests_load(&found, meta));
    ann_meta_free(meta);
    return found;
}

static void read_back_as_saved(void **state) {
    (void)state;
    ann_requests all = {.count = 0};
    assert_int_equal(saved_and_loaded(&all).count, 0);
    for (int i = 0; i < ANN_REQUESTS_MAX + 2; i++) {
        const ann_request r = nth(i);
        ann_requests_add(&all, &r);
    }
    const ann_requests found = saved_and_loaded(&all);
    assert_int_equal(found.count, ANN_REQUESTS_MAX);
    assert_int_equal(found.dropped, 2);
    for (int i = 0; i < found.count; i++) {
        const ann_request want = nth(i + 2), *r = &found.items[i];
        assert_int_equal(r->control.kind, ANN_CONTROL_LR);
        assert_true(r->control.value == want.control.value && r->step == want.step);
        assert_true(r->control.asked_ms == want.control.asked_ms);
        assert_string_equal(r->control.author, want.control.author);
    }
}

static void damaged_lists_are_refused(void **state) {
    (void)state;
#define REQUEST "{request: lr, value: 1, step: 2, author: a, asked_ms: 3}"
    static const char *const bad[] = {
        "",
        "7",
        "{",
        "requests: []",
        "{dropped: x, requests: []}",
        "{dropped: 0, requests: 5}",
        "{dropped: 0, requests: [5]}",
        "{dropped: 0, requests: [{}]}",
        "{dropped: 0, requests: [{request: faster, value: 1, step: 2, author: a, asked_ms: 3}]}",
        "{dropped: 0, requests: [{request: lr, value: much, step: 2, author: a, asked_ms: 3}]}",
        "{dropped: 0, requests: [{request: lr, value: 1, author: a, asked_ms: 3}]}",
        "{dropped: 0, requests: [{request: lr, value: 1, step: 2, author: "
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, asked_ms: 3}]}"};
    ann_requests found;
    ann_meta *meta;
    check_ok(ann_meta_new(&meta));
    check_ok(ann_meta_set_str(meta, "requests", "{dropped: 4, requests: [" REQUEST ", " REQUEST "]}"));
    check_ok(ann_requests_load(&found, meta));
    assert_int_equal(found.count, 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_ok(ann_meta_set_str(meta, "requests", bad[i]));
        if (ann_requests_load(&found, meta) != ANN_ERR_FORMAT) fail_msg("'%s' is accepted", bad[i]);
    }
    ann_meta_free(meta);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(read_back_as_saved),
                                       cmocka_unit_test(damaged_lists_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
