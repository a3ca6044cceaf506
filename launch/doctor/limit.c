/* Limits of the process (ulimit). */
#include <sys/resource.h>
#include "doctor.h"

static const char check[] = "limits";

static double soft(__rlimit_resource_t what) {
    struct rlimit limit;
    if (getrlimit(what, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return DOCTOR_UNKNOWN;
    return (double)limit.rlim_cur;
}

void doctor_limit_find(doctor_limit_facts *f) {
    f->files = soft(RLIMIT_NOFILE);
    f->locked_bytes = soft(RLIMIT_MEMLOCK);
    f->address_bytes = soft(RLIMIT_AS);
    f->stack_bytes = soft(RLIMIT_STACK);
    f->file_bytes = soft(RLIMIT_FSIZE);
}

static const char *amount(char *buf, size_t size, double bytes) {
    if (bytes >= 0) return doctor_bytes_str(buf, size, bytes);
    return "unlimited";
}

/* A rank may hold a connection to each other one, besides its files. */
static void judge_files(doctor_report *report, const doctor_facts *all, int n, int i) {
    const double files = all[i].limit.files, needed = n + 128.0;
    if (files < 0 || files >= 2 * needed) return;
    doctor_say_rank(report, i, files < needed ? DOCTOR_ERROR : DOCTOR_WARNING, check,
                    "ulimit -n 4096 before the job starts",
                    "only %.0f files may be open, and %d rank%s may need %.0f for connections and files",
                    files, n, n == 1 ? "" : "s", needed);
}

static void judge_file_size(doctor_report *report, const doctor_facts *all, int i) {
    const double limit = all[i].limit.file_bytes, checkpoint = all[0].need.checkpoint_bytes;
    char a[16], b[16];
    if (limit < 0) return;
    if (checkpoint > 0 && limit < checkpoint)
        doctor_say_rank(report, i, DOCTOR_ERROR, check, "ulimit -f unlimited before the job starts",
                        "files may have %s, and a checkpoint has about %s",
                        doctor_bytes_str(a, sizeof a, limit), doctor_bytes_str(b, sizeof b, checkpoint));
    else
        doctor_say_rank(report, i, DOCTOR_WARNING, check, "ulimit -f unlimited before the job starts",
                        "files may have %s at most", doctor_bytes_str(a, sizeof a, limit));
}

static void describe(doctor_report *report, int i, const doctor_limit_facts *f) {
    char files[32], stack[16], locked[16], address[16];
    if (f->files < 0) doctor_copy(files, sizeof files, "unlimited");
    else snprintf(files, sizeof files, "%.0f", f->files);
    doctor_say_rank(
        report, i, DOCTOR_OK, check, NULL, "%s open files, stack %s, locked memory %s, address space %s",
        files, amount(stack, sizeof stack, f->stack_bytes), amount(locked, sizeof locked, f->locked_bytes),
        amount(address, sizeof address, f->address_bytes));
}

static void judge_memory(doctor_report *report, const doctor_facts *all, int i) {
    const doctor_limit_facts *f = &all[i].limit;
    char text[16];
    if (f->address_bytes >= 0)
        doctor_say_rank(report, i, DOCTOR_WARNING, check, "ulimit -v unlimited before the job starts",
                        "address space is limited to %s: datasets are mapped into it",
                        doctor_bytes_str(text, sizeof text, f->address_bytes));
    if (f->stack_bytes >= 0 && f->stack_bytes < 1 << 20)
        doctor_say_rank(report, i, DOCTOR_WARNING, check, "ulimit -s 8192 before the job starts",
                        "the stack is limited to %s", doctor_bytes_str(text, sizeof text, f->stack_bytes));
    if (f->locked_bytes >= 0 && f->locked_bytes < 1 << 30 && all[i].network.fabric[0])
        doctor_say_rank(report, i, DOCTOR_WARNING, check, "ulimit -l unlimited on all hosts",
                        "locked memory is limited to %s, and %s needs more",
                        doctor_bytes_str(text, sizeof text, f->locked_bytes), all[i].network.fabric);
}

void doctor_limit_judge(doctor_report *report, const doctor_facts *all, int n) {
    for (int i = 0; i < n; i++) {
        describe(report, i, &all[i].limit);
        judge_files(report, all, n, i);
        judge_file_size(report, all, i);
        judge_memory(report, all, i);
    }
}
