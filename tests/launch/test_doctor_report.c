// annulus doctor: how findings are put together and printed.
#include "support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "launch/doctor/doctor.h"

enum { RANKS = 5 };
static const char *hosts[RANKS] = {"a", "a", "b", "b", "c"};
static doctor_report report;

static int start(void **state) {
    (void)state;
    check_ok(doctor_report_new(&report, RANKS, hosts));
    return 0;
}
static int stop(void **state) {
    (void)state;
    doctor_report_free(&report);
    return 0;
}

static const char *where(int i) {
    static char buf[64];
    return doctor_report_where(buf, sizeof buf, &report, &report.findings[i]);
}

static void same_findings_are_one(void **state) {
    (void)state;
    for (int i = 0; i < RANKS; i++) doctor_say_rank(&report, i, DOCTOR_OK, "x", NULL, "the same");
    assert_int_equal(report.count, 1);
    assert_string_equal(where(0), "");
    doctor_say_rank(&report, 0, DOCTOR_WARNING, "x", "this", "the same");
    doctor_say_rank(&report, 0, DOCTOR_WARNING, "x", "that", "the same");
    doctor_say_rank(&report, 0, DOCTOR_WARNING, "y", "that", "the same");
    assert_int_equal(report.count, 4); /* another level, remedy, check */
    assert_int_equal(doctor_report_count(&report, DOCTOR_WARNING), 3);
    assert_int_equal(doctor_report_count(&report, DOCTOR_ERROR), 0);
}

static void places(void **state) {
    (void)state;
    doctor_say_host(&report, 2, DOCTOR_OK, "0", NULL, "x");
    doctor_say_host(&report, 0, DOCTOR_OK, "1", NULL, "x");
    doctor_say_host(&report, 4, DOCTOR_OK, "1", NULL, "x");
    doctor_say_rank(&report, 4, DOCTOR_OK, "2", NULL, "x");
    doctor_say_rank(&report, 1, DOCTOR_OK, "3", NULL, "x");
    for (int i = 0; i < RANKS; i++)
        if (i != 1) doctor_say_rank(&report, i, DOCTOR_OK, "4", NULL, "x");
    doctor_say_job(&report, DOCTOR_OK, "5", NULL, "x");
    static const char *const wanted[] = {"host b", "hosts a, c", "host c", "rank 1", "ranks 0, 2-4", ""};
    assert_int_equal(report.count, 6);
    for (int i = 0; i < 6; i++) assert_string_equal(where(i), wanted[i]);
    char small[8];
    assert_string_equal(doctor_report_where(small, sizeof small, &report, &report.findings[4]), "ranks 0");
}

/* More than there is room for at first. */
static void many_findings(void **state) {
    (void)state;
    for (int i = 0; i < 1000; i++)
        doctor_say_rank(&report, i % RANKS, DOCTOR_NOTE, "x", NULL, "finding %d", i);
    assert_int_equal(report.count, 1000);
    assert_non_null(doctor_report_find(&report, "x", "finding 999"));
    assert_null(doctor_report_find(&report, "y", "finding 999"));
    assert_false(report.lost);
}

static void print_all(const doctor_report *r, FILE *to) { doctor_report_print(r, DOCTOR_OK, to); }
static void print_errors(const doctor_report *r, FILE *to) { doctor_report_print(r, DOCTOR_ERROR, to); }

static char *printed(void (*print)(const doctor_report *, FILE *)) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    print(&report, to);
    fclose(to);
    return text;
}

static void for_people(void **state) {
    (void)state;
    doctor_say_job(&report, DOCTOR_OK, "first", NULL, "good\nand one line");
    doctor_say_host(&report, 2, DOCTOR_ERROR, "second", "do that", "bad");
    char *text = printed(print_all);
    assert_string_equal(text, "ok       first        good and one line\n"
                              "error    second       bad [host b]\n"
                              "                      remedy: do that\n"
                              "not safe to start: 1 error, 0 warnings\n");
    free(text);
    text = printed(print_errors);
    assert_string_equal(text, "error    second       bad [host b]\n"
                              "                      remedy: do that\n"
                              "not safe to start: 1 error, 0 warnings\n");
    free(text);
}

static void for_programs(void **state) {
    (void)state;
    doctor_say_rank(&report, 3, DOCTOR_WARNING, "x", "a \\ b", "say \"h\xC3\xB6lle\" \x01\xFF");
    char *text = printed(doctor_report_print_json);
    assert_string_equal(
        text,
        "{\"safe\": true, \"errors\": 0, \"warnings\": 1, \"hosts\": [\"a\", \"a\", \"b\", \"b\", \"c\"],\n"
        "  \"findings\": [\n"
        "    {\"level\": \"warning\", \"check\": \"x\", \"text\": \"say \\\"h\xC3\xB6lle\\\" "
        "\\u0001\\ufffd\", "
        "\"remedy\": \"a \\\\ b\", \"ranks\": [3]}\n"
        "  ]}\n");
    free(text);
}

/* Each pair of neighbours meets exactly once, both know it, and in a round nobody has two partners. */
static void ring_partners(void **state) {
    (void)state;
    for (int n = 1; n <= 33; n++) {
        int met[33] = {0}; /* of i with its right neighbour */
        for (int round = 0; round < 3; round++)
            for (int i = 0; i < n; i++) {
                const int partner = doctor_ring_partner(n, i, round);
                if (partner < 0) continue;
                assert_int_not_equal(partner, i);
                assert_int_equal(doctor_ring_partner(n, partner, round), i);
                if (partner == (i + 1) % n) met[i]++;
                else assert_int_equal(i, (partner + 1) % n);
            }
        for (int i = 0; i < n; i++) assert_int_equal(met[i], n == 1 ? 0 : 1);
    }
}

#define with_report(test) cmocka_unit_test_setup_teardown(test, start, stop)
int main(void) {
    const struct CMUnitTest tests[] = {with_report(same_findings_are_one), with_report(places),
                                       with_report(many_findings),         with_report(for_people),
                                       with_report(for_programs),          cmocka_unit_test(ring_partners)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
