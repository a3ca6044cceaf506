/* A report for people, and for programs. */
#include "report.h"
#include "text.h"

static const char *const levels[] = {"ok", "note", "warning", "error"};

void doctor_report_print(const doctor_report *report, doctor_level least, FILE *to) {
    for (int i = 0; i < report->count; i++) {
        const doctor_finding *f = &report->findings[i];
        char where[256];
        if (f->level < least) continue;
        doctor_report_where(where, sizeof where, report, f);
        fprintf(to, "%-7s  %-12s %s%s%s%s\n", levels[f->level], f->check, f->text, where[0] ? " [" : "",
                where, where[0] ? "]" : "");
        if (f->remedy[0]) fprintf(to, "%-7s  %-12s remedy: %s\n", "", "", f->remedy);
    }
    const int errors = doctor_report_count(report, DOCTOR_ERROR);
    const int warnings = doctor_report_count(report, DOCTOR_WARNING);
    fprintf(to, "%s: %d error%s, %d warning%s\n", errors ? "not safe to start" : "safe to start", errors,
            doctor_plural(errors), warnings, doctor_plural(warnings));
}

/* Length of the UTF-8 character of more than one byte at `at`; 0: it is none. */
static int utf8_length(const char *at) {
    const unsigned char c = (unsigned char)*at;
    const int n = c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if (((unsigned char)at[i] & 0xC0) != 0x80) return 0;
    return n;
}

/* Bytes that are no UTF-8 would make it no JSON: they become '?'. */
static void print_string(FILE *to, const char *text) {
    fputc('"', to);
    for (const char *at = text; *at; at++) {
        const unsigned char c = (unsigned char)*at;
        const int length = c < 0x80 ? 1 : utf8_length(at);
        if (c == '"' || c == '\\') fprintf(to, "\\%c", c);
        else if (c < 0x20 || c == 0x7F) fprintf(to, "\\u%04x", c);
        else if (length == 0) fputc('?', to);
        else fwrite(at, 1, (size_t)length, to);
        if (length > 1) at += length - 1;
    }
    fputc('"', to);
}

static void print_finding(FILE *to, const doctor_report *report, const doctor_finding *f) {
    fprintf(to, "    {\"level\": \"%s\", \"check\": \"%s\", \"text\": ", levels[f->level], f->check);
    print_string(to, f->text);
    if (f->remedy[0]) {
        fputs(", \"remedy\": ", to);
        print_string(to, f->remedy);
    }
    fputs(", \"ranks\": [", to);
    for (int i = 0, said = 0; i < report->ranks; i++)
        if (f->ranks[i]) fprintf(to, "%s%d", said++ ? ", " : "", i);
    fputs("]}", to);
}

void doctor_report_print_json(const doctor_report *report, FILE *to) {
    const int errors = doctor_report_count(report, DOCTOR_ERROR);
    fprintf(to, "{\"safe\": %s, \"errors\": %d, \"warnings\": %d, \"hosts\": [", errors ? "false" : "true",
            errors, doctor_report_count(report, DOCTOR_WARNING));
    for (int i = 0; i < report->ranks; i++) {
        fputs(i ? ", " : "", to);
        print_string(to, report->hosts[i]);
    }
    fputs("],\n  \"findings\": [\n", to);
    for (int i = 0; i < report->count; i++) {
        print_finding(to, report, &report->findings[i]);
        fputs(i + 1 < report->count ? ",\n" : "\n", to);
    }
    fputs("  ]}\n", to);
}
