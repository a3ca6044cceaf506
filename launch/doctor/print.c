/* A report for people, and for programs. */
#include "base/text.h"
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

static void print_finding(FILE *to, const doctor_report *report, const doctor_finding *f) {
    fprintf(to, "    {\"level\": \"%s\", \"check\": \"%s\", \"text\": ", levels[f->level], f->check);
    ann_print_json(to, f->text);
    if (f->remedy[0]) {
        fputs(", \"remedy\": ", to);
        ann_print_json(to, f->remedy);
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
        ann_print_json(to, report->hosts[i]);
    }
    fputs("],\n  \"findings\": [\n", to);
    for (int i = 0; i < report->count; i++) {
        print_finding(to, report, &report->findings[i]);
        fputs(i + 1 < report->count ? ",\n" : "\n", to);
    }
    fputs("  ]}\n", to);
}
