/* Text for other programs: UTF-8, and strings of JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/text.h"

static void utf8(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int bytes;
    } cases[] = {{"a", 1},
                 {"\xc3\xa4", 2},
                 {"\xe2\x82\xac", 3},
                 {"\xf0\x9f\x98\x80", 4},
                 {"\xf4\x8f\xbf\xbf", 4}, /* the last one */
                 {"\xf4\x90\x80\x80", 0}, /* beyond it */
                 {"\xc0\xaf", 0},         /* overlong */
                 {"\xe0\x80\xaf", 0},
                 {"\xed\xa0\x80", 0}, /* a surrogate */
                 {"\xc3", 0},         /* cut short */
                 {"\xe2\x82", 0},
                 {"\x80", 0},
                 {"\xff", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(ann_utf8_bytes((const unsigned char *)cases[i].text), cases[i].bytes);
}

static void json(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"", "\"\""},
                                           {"say \"a\\b\"", "\"say \\\"a\\\\b\\\"\""},
                                           {"\t\n\x7f", "\"\\u0009\\u000a\\u007f\""},
                                           {"h\xc3\xb6lle", "\"h\xc3\xb6lle\""},
                                           {"a\xff\xc3", "\"a\\ufffd\\ufffd\""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *to = open_memstream(&text, &bytes);
        assert_non_null(to);
        ann_print_json(to, cases[i][0]);
        fclose(to);
        assert_string_equal(text, cases[i][1]);
        free(text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(utf8), cmocka_unit_test(json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
