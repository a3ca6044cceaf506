/* Writing JSON: commas, escapes, what is no number or no UTF-8, the size limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "coord/json.h"

static void expect(anni_json *j, const char *text) {
    assert_int_equal(j->status, ANN_OK);
    assert_int_equal(j->size, strlen(text));
    assert_memory_equal(j->text, text, j->size);
    anni_json_fini(j);
}

static void test_structure(void **state) {
    anni_json j;
    (void)state;
    anni_json_init(&j, 1000);
    anni_json_open(&j, '{');
    anni_json_int(&j, "a", INT64_MIN);
    anni_json_key(&j, "b");
    anni_json_open(&j, '[');
    anni_json_close(&j, ']');
    anni_json_key(&j, "c");
    anni_json_open(&j, '[');
    anni_json_bool(&j, NULL, true);
    anni_json_null(&j, NULL);
    anni_json_open(&j, '{');
    anni_json_close(&j, '}');
    anni_json_bool(&j, NULL, false);
    anni_json_close(&j, ']');
    anni_json_text(&j, "d", "");
    anni_json_close(&j, '}');
    expect(&j, "{\"a\":-9223372036854775808,\"b\":[],\"c\":[true,null,{},false],\"d\":\"\"}");
}

static void test_numbers(void **state) {
    static const double values[] = {0, -1.5, 1e300, 0.1, (double)NAN, (double)INFINITY, -(double)INFINITY};
    anni_json j;
    (void)state;
    anni_json_init(&j, 1000);
    anni_json_open(&j, '[');
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) anni_json_number(&j, NULL, values[i]);
    anni_json_close(&j, ']');
    expect(&j, "[0,-1.5,1e+300,0.1,null,null,null]");
}

static void test_texts(void **state) {
    static const char *const texts[][2] = {
        {"plain text 1/2", "\"plain text 1/2\""},
        {"\"\\", "\"\\u0022\\u005c\""},
        {"<b>&'", "\"\\u003cb\\u003e\\u0026\\u0027\""},
        {"\1\n\t\x1f\x7f", "\"\\u0001\\u000a\\u0009\\u001f\\u007f\""},
        {"\xc3\xa9 \xf0\x9f\x98\x80", "\"\xc3\xa9 \xf0\x9f\x98\x80\""},
        {"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa", "\"\\u2028\\u2029\xe2\x80\xaa\""},
        {"a\xff\xc3", "\"a\\ufffd\\ufffd\""},                                /* no UTF-8, and cut short */
        {"\xc0\xaf\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* overlong, a surrogate */
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        anni_json j;
        anni_json_init(&j, 1000);
        anni_json_text(&j, NULL, texts[i][0]);
        expect(&j, texts[i][1]);
    }
}

/* Of a text that does not fit nothing more is written, and the failure stays. */
static void test_limit(void **state) {
    (void)state;
    for (size_t most = 0; most < 9; most++) {
        anni_json j;
        anni_json_init(&j, most);
        anni_json_open(&j, '[');
        anni_json_text(&j, NULL, "abcd");
        anni_json_close(&j, ']');
        assert_int_equal(j.status, most < 8 ? ANN_ERR_MEMORY : ANN_OK);
        assert_true(j.size <= most);
        anni_json_fini(&j);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_structure), cmocka_unit_test(test_numbers),
                                       cmocka_unit_test(test_texts), cmocka_unit_test(test_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
