/* YAML documents: places, types, overrides, and every error text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/yaml.h"
#include "support/scratch.h"

static const char *const document = "name: run # comment\n"
                                    "size: 1_000\n"
                                    "deep:\n"
                                    "  - {x: 1.5e-3, on: true}\n"
                                    "  - name: second\n"
                                    "    text: \"7\"\n"
                                    "empty:\n";

static ann_yaml *parse(const char *text) {
    ann_yaml *yaml;
    if (ann_yaml_parse(&yaml, "f.yaml", text) != ANN_OK) fail_msg("%s", ann_error_text());
    return yaml;
}

static void test_tree(void **state) {
    (void)state;
    ann_yaml *yaml = parse(document);
    const ann_yaml_node *root = ann_yaml_root(yaml), *deep = ann_yaml_find(root, "deep");
    assert_int_equal(root->count, 4);
    assert_int_equal(deep->kind, ANN_YAML_LIST);
    assert_int_equal(deep->line, 3);
    assert_int_equal(deep->value_line, 4);
    const ann_yaml_node *text = ann_yaml_find(deep->items[1], "text");
    assert_string_equal(text->path, "deep[1].text");
    assert_true(text->quoted);
    assert_int_equal(text->line, 6);
    assert_int_equal(text->column, 5);
    assert_int_equal(text->value_column, 11);
    assert_string_equal(ann_yaml_find(root, "empty")->text, "");
    assert_null(ann_yaml_find(root, "none"));
    assert_null(ann_yaml_find(deep, "x"));
    assert_string_equal(ann_yaml_text(yaml), document);
    ann_yaml_free(yaml);
    ann_yaml_free(NULL);
}

static void test_types(void **state) {
    (void)state;
    ann_yaml *yaml = parse(document);
    const ann_yaml_node *root = ann_yaml_root(yaml), *first = ann_yaml_find(root, "deep")->items[0];
    int64_t i;
    double x;
    bool on;
    const char *s;
    assert_int_equal(ann_yaml_int(ann_yaml_find(root, "size"), &i), ANN_OK);
    assert_int_equal(i, 1000);
    assert_int_equal(ann_yaml_real(ann_yaml_find(first, "x"), &x), ANN_OK);
    assert_true(x == 1.5e-3);
    assert_int_equal(ann_yaml_real(ann_yaml_find(root, "size"), &x), ANN_OK);
    assert_true(x == 1000.0);
    assert_int_equal(ann_yaml_bool(ann_yaml_find(first, "on"), &on), ANN_OK);
    assert_true(on);
    assert_int_equal(ann_yaml_string(ann_yaml_find(root, "name"), &s), ANN_OK);
    assert_string_equal(s, "run");
    assert_int_equal(ann_yaml_int(ann_yaml_find(root, "name"), &i), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "f.yaml:1:7: name: found 'run', accepted is an integer");
    assert_int_equal(ann_yaml_int(ann_yaml_find(first, "x"), &i), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "f.yaml:4:9: deep[0].x: found '1.5e-3', accepted is an integer");
    assert_int_equal(ann_yaml_real(ann_yaml_find(root, "deep"), &x), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "f.yaml:4:3: deep: found a list, accepted is a number");
    assert_int_equal(ann_yaml_int(ann_yaml_find(root, "deep")->items[1]->items[1], &i),
                     ANN_ERR_CONFIG); /* "7" is text */
    assert_int_equal(ann_yaml_bool(ann_yaml_find(root, "name"), &on), ANN_ERR_CONFIG);
    assert_int_equal(ann_yaml_string(ann_yaml_find(root, "empty"), &s), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "empty: found nothing, accepted is a text"));
    ann_yaml_free(yaml);
}

static void test_bad_numbers(void **state) {
    (void)state;
    static const char *const bad[] = {"1_",  "_1", "0x10", "1.2.3", "nan", "inf",  "1e999", "--1",
                                      "1 2", "",   "e5",   "+",     "~",   "true", "\"1\"", "[1]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        snprintf(text, sizeof text, "x: %s\n", bad[i]);
        ann_yaml *yaml = parse(text);
        double value;
        int64_t integer;
        if (ann_yaml_real(ann_yaml_root(yaml)->items[0], &value) != ANN_ERR_CONFIG)
            fail_msg("'%s' was read as a number", bad[i]);
        if (ann_yaml_int(ann_yaml_root(yaml)->items[0], &integer) != ANN_ERR_CONFIG)
            fail_msg("'%s' was read as an integer", bad[i]);
        ann_yaml_free(yaml);
    }
    ann_yaml *yaml = parse("x: 9223372036854775808\n");
    int64_t value;
    assert_int_equal(ann_yaml_int(ann_yaml_root(yaml)->items[0], &value), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(),
                        "f.yaml:1:4: x: found '9223372036854775808', accepted is an integer of 64 bits");
    ann_yaml_free(yaml);
}

static void test_syntax_errors(void **state) {
    (void)state;
    static const struct {
        const char *text, *error;
    } table[] = {
        {"a: [1, 2\nb: 3\n", "f.yaml:3:1: not valid YAML: flow sequence without a closing bracket"},
        {"a: b: c\n", "f.yaml:1:5: not valid YAML: invalid nested block mapping on the same line"},
        {"a:\n\t- 1\n", "f.yaml:2:1: not valid YAML: tab character may not be used as indentation"},
        {"a: 'x\n", "f.yaml:1:5: not valid YAML: single-quoted scalar without closing quote"},
        {"", "f.yaml:1:1: not valid YAML: the document is empty"},
        {"# nothing\n", "f.yaml:1:1: not valid YAML: the document is empty"},
        {"a: 1\n---\nb: 2\n", "f.yaml:2:1: not valid YAML: a second document starts here; one is accepted"},
        {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: a: the key is given twice, first in line 1"},
        {"a: *x\n", "f.yaml:1:5: not valid YAML: no anchor &x stands before this alias"},
        {"{[1]: 2}\n", "f.yaml:1:2: not valid YAML: a key must be a word"},
        {"a: 1\n%b", "f.yaml:2:1: not valid YAML: directives (lines that begin with %) are not accepted"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        ann_yaml *yaml = NULL;
        assert_int_equal(ann_yaml_parse(&yaml, "f.yaml", table[i].text), ANN_ERR_CONFIG);
        assert_null(yaml);
        assert_string_equal(ann_error_text(), table[i].error);
    }
}

static void test_aliases(void **state) {
    (void)state;
    ann_yaml *yaml = parse("a: &x {k: [1, 2]}\nb: *x\nc:\n  d: *x\n");
    const ann_yaml_node *copy = ann_yaml_find(ann_yaml_find(ann_yaml_root(yaml), "c"), "d");
    assert_string_equal(ann_yaml_find(copy, "k")->items[1]->path, "c.d.k[1]");
    assert_string_equal(ann_yaml_find(copy, "k")->items[1]->text, "2");
    assert_string_equal(ann_yaml_find(ann_yaml_root(yaml), "a")->items[0]->path, "a.k");
    ann_yaml_free(yaml);
    /* each level doubles ten times: the document would grow beyond any memory */
    char bomb[2048] = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 20; i++)
        snprintf(bomb + strlen(bomb), sizeof bomb - strlen(bomb), "a%d: &a%d [*a%d, *a%d, *a%d]\n", i, i,
                 i - 1, i - 1, i - 1);
    assert_int_equal(ann_yaml_parse(&yaml, "bomb.yaml", bomb), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "the document has more than 20000 values"));
}

static void test_nesting(void **state) {
    (void)state;
    char text[512];
    memset(text, '[', 200);
    memset(text + 200, ']', 200);
    text[400] = '\0';
    ann_yaml *yaml;
    assert_int_equal(ann_yaml_parse(&yaml, "deep.yaml", text), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "deep.yaml:1:"));
}

static const char *text_at(const ann_yaml *yaml, const char *list, int i, const char *key) {
    return ann_yaml_find(ann_yaml_find(ann_yaml_root(yaml), list)->items[i], key)->text;
}

static void test_overrides(void **state) {
    (void)state;
    ann_yaml *yaml = parse(document);
    assert_int_equal(ann_yaml_set(yaml, "name=other"), ANN_OK);
    assert_int_equal(ann_yaml_set(yaml, "deep[0].x=2"), ANN_OK);
    assert_int_equal(ann_yaml_set(yaml, "deep.second.text=eight=8"), ANN_OK);
    assert_int_equal(ann_yaml_set(yaml, "new.map.key={a: [1, 2]}"), ANN_OK);
    assert_string_equal(ann_yaml_find(ann_yaml_root(yaml), "name")->text, "other");
    assert_string_equal(text_at(yaml, "deep", 0, "x"), "2");
    assert_string_equal(text_at(yaml, "deep", 1, "text"), "eight=8");
    const ann_yaml_node *key =
        ann_yaml_find(ann_yaml_find(ann_yaml_find(ann_yaml_root(yaml), "new"), "map"), "key");
    assert_string_equal(ann_yaml_find(key, "a")->items[1]->path, "new.map.key.a[1]");
    int64_t i;
    assert_int_equal(ann_yaml_set(yaml, "size=large"), ANN_OK);
    assert_int_equal(ann_yaml_int(ann_yaml_find(ann_yaml_root(yaml), "size"), &i), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(), "--set size=large: size: found 'large', accepted is an integer");
    assert_non_null(strstr(ann_yaml_text(yaml), "empty:\n# --set name=other\n# --set deep[0].x=2\n"));
    static const struct {
        const char *set, *error;
    } bad[] = {
        {"novalue", "--set novalue: accepted is key.path=value, such as seed=2"},
        {"=1", "--set =1: accepted is key.path=value, such as seed=2"},
        {".=1", "--set .=1: '' is no key path"},
        {"deep.third.x=1",
         "--set deep.third.x=1: deep has no item 'third', accepted are 0 to 1 and the name of an item"},
        {"deep[2].x=1",
         "--set deep[2].x=1: deep has no item '2', accepted are 0 to 1 and the name of an item"},
        {"name.x=1", "--set name.x=1: name is a single value and has no key 'x'"},
        {"name=[1", "--set name=[1: not valid YAML: flow sequence without a closing bracket"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_int_equal(ann_yaml_set(yaml, bad[k].set), ANN_ERR_CONFIG);
        assert_string_equal(ann_error_text(), bad[k].error);
    }
    ann_yaml_free(yaml);
}

static void test_files(void **state) {
    (void)state;
    ann_yaml *yaml;
    assert_int_equal(ann_yaml_load(&yaml, "/nonexistent/run.yaml"), ANN_ERR_CONFIG);
    assert_string_equal(ann_error_text(),
                        "/nonexistent/run.yaml: cannot be opened: No such file or directory");
    assert_int_equal(ann_yaml_load(&yaml, "/"), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "/: cannot be read: "));
    char dir[SCRATCH_PATH_BYTES], path[SCRATCH_PATH_BYTES];
    scratch_make(dir);
    scratch_path(path, "%.*s/run.yaml", SCRATCH_PATH_BYTES - 16, dir);
    scratch_write(path, "a: 1\0b", 6);
    assert_int_equal(ann_yaml_load(&yaml, path), ANN_ERR_CONFIG);
    assert_non_null(strstr(ann_error_text(), "is not a text file"));
    scratch_write(path, "a: 1", 4);
    assert_int_equal(ann_yaml_load(&yaml, path), ANN_OK);
    assert_string_equal(ann_yaml_root(yaml)->items[0]->source, path);
    ann_yaml_free(yaml);
    scratch_remove(dir);
}

static void test_nearest_word(void **state) {
    (void)state;
    static const char *const words[] = {"name", "optimizer", "batch", "momentum"};
    assert_string_equal(ann_nearest_word("optimiser", words, 4), "optimizer");
    assert_string_equal(ann_nearest_word("bacth", words, 4), "batch");
    assert_string_equal(ann_nearest_word("batchs", words, 4), "batch");
    assert_string_equal(ann_nearest_word("naem", words, 4), "name");
    assert_null(ann_nearest_word("lr", words, 4));
    assert_null(ann_nearest_word("anything", words, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tree),         cmocka_unit_test(test_types),
        cmocka_unit_test(test_bad_numbers),  cmocka_unit_test(test_syntax_errors),
        cmocka_unit_test(test_aliases),      cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_overrides),    cmocka_unit_test(test_files),
        cmocka_unit_test(test_nearest_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
