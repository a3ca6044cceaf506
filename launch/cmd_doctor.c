/* annulus doctor: a check before the flight. */
#include <stdio.h>
#include <stdlib.h>
#include "base/version.h"
#include "cli.h"
#include "doctor/doctor.h"
#include "job.h"

static const char help[] =
    "annulus doctor examines hosts, libraries and folders, and says whether it is safe to start a run "
    "there.\n\n"
    "usage: annulus doctor [OPTION...] [RUN.yaml]\n"
    "       mpirun -n RANKS annulus doctor [OPTION...] [RUN.yaml]\n"
    "       srun --mpi=pmix annulus doctor [OPTION...] [RUN.yaml]\n\n"
    "options:\n"
    "  --quick          leave out the benchmark (up to 5 s) and the comparison of the datasets' content\n"
    "  --json           one JSON object, for programs\n"
    "  --threads N      threads of each rank that annulus train will be given (default: as there)\n"
    "  --set KEY=VALUE  replace a value of the run file, as in annulus train; may be repeated\n"
    "  --timeout S      deadline of waits for other ranks, in seconds (default 60)\n"
    "  --help           this text\n\n"
    "Started as the run will be started, it examines how the ranks found each other, MPI and PMIx, "
    "processors and\n"
    "binding, OpenBLAS and the environment, interfaces of the network, HDF5, limits, clocks, and whether all "
    "ranks\n"
    "run the same program. With a run file also: the same file and data everywhere, and for its data, output "
    "and\n"
    "cache folders the kind of file system, rights, locks, and room for the checkpoints and for messages in\n"
    "/dev/shm. What cannot be found is said to be unknown.\n\n"
    "Each finding is ok, note, warning or error, with the hosts or ranks that it is about unless it is about "
    "all;\n"
    "a warning or error has its remedy in the next line. Exit code 0: safe to start, with or without "
    "warnings; 1: an\n"
    "error was found; 2: a mistake in the command line; 7: a rank does not answer.\n";

typedef struct request {
    doctor_request doctor;
    bool json;
} request;

/* Of copies that do not know of each other, the first one says everything, the others why they are copies. */
static bool is_copy(const doctor_facts *all, int n) { return n == 1 && all[0].launch.slurm_rank > 0; }

static void print(const request *r, const doctor_report *report, bool copy) {
    if (r->json) {
        doctor_report_print_json(report, stdout);
        return;
    }
    if (!copy) printf("annulus %s (%s)\n", ann_version(), ann_revision());
    doctor_report_print(report, copy ? DOCTOR_ERROR : DOCTOR_OK, stdout);
}

/* On rank 0. *errors: how many were found. */
static ann_status judge(const request *r, const doctor_facts *all, int n, int *errors) {
    doctor_report report;
    const char **hosts = calloc((size_t)n, sizeof *hosts);
    if (!hosts) return ann_error(ANN_ERR_MEMORY, "no memory for a report");
    for (int i = 0; i < n; i++) hosts[i] = all[i].host;
    ann_status status = doctor_report_new(&report, n, hosts);
    if (status == ANN_OK) {
        doctor_judge(&report, all, n);
        *errors = doctor_report_count(&report, DOCTOR_ERROR);
        if (report.lost) status = ann_error(ANN_ERR_MEMORY, "no memory for all findings");
        else print(r, &report, is_copy(all, n));
        doctor_report_free(&report);
    }
    free(hosts);
    return status;
}

/* What messages are made of: after a failure MPI may still use it, until the job has ended. */
typedef struct facts {
    doctor_facts *mine, *all; /* all: of rank 0 */
} facts;

/* Facts of all ranks to rank 0, and its judgement to all. Collective. */
static ann_status examine(ann_comm *comm, const request *r, facts *f, int *errors) {
    const int n = ann_comm_size(comm);
    const bool first = ann_comm_rank(comm) == 0;
    doctor_facts *all = f->all = first ? calloc((size_t)n, sizeof *all) : NULL;
    ann_status status =
        ann_agree(comm, all || !first ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for facts"));
    if (status == ANN_OK) status = doctor_gather(comm, all, f->mine, r->doctor.timeout_s);
    if (status == ANN_OK) status = ann_agree(comm, first && all ? judge(r, all, n, errors) : ANN_OK);
    return status == ANN_OK ? ann_comm_broadcast(comm, errors, sizeof *errors, 0) : status;
}

static int run(const request *r) {
    job j;
    ann_comm *comm = NULL;
    int errors = 0;
    doctor_facts *mine = calloc(1, sizeof *mine);
    if (!mine) return cli_fail(ann_error(ANN_ERR_MEMORY, "no memory for facts"));
    if (cli_is_first_rank()) doctor_pmix_ask_slurm(&mine->pmix);
    ann_status status = job_begin(&j);
    if (status != ANN_OK)
        doctor_copy(mine->launch.complaint, sizeof mine->launch.complaint, ann_error_text());
    status = job_comm(&comm, &j, r->doctor.timeout_s);
    if (status == ANN_OK) status = doctor_find(comm, mine, &r->doctor, j.mpi);
    facts f = {.mine = mine};
    if (status == ANN_OK) status = examine(comm, r, &f, &errors);
    const int code = job_finish(&j, comm, NULL, status);
    free(f.all);
    free(mine);
    return status == ANN_OK && errors > 0 ? 1 : code;
}

int cmd_doctor(int argc, char **argv) {
    const char *threads = NULL, *timeout = "60";
    int64_t thread_count = 0, timeout_s = 0;
    request r = {.doctor = {.sets = calloc((size_t)argc, sizeof(char *))}};
    if (!r.doctor.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const cli_option options[] = {
        {.name = "--quick", .flag = &r.doctor.quick},
        {.name = "--json", .flag = &r.json},
        {.name = "--threads", .value = &threads},
        {.name = "--timeout", .value = &timeout},
        {.name = "--set", .list = r.doctor.sets, .list_count = &r.doctor.set_count}};
    const cli c = {"annulus doctor", help, options, sizeof options / sizeof options[0]};
    int count, code = 0;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_GO && count > 1)
        code = cli_wrong(&c, "one run file at most is accepted, found %d", count);
    else if (parsed == CLI_GO && count == 0 && r.doctor.set_count)
        code = cli_wrong(&c, "--set needs a run file");
    else if (parsed == CLI_GO && ((threads && !cli_int(&c, "--threads", threads, 1, 1024, &thread_count)) ||
                                  !cli_int(&c, "--timeout", timeout, 1, 86400, &timeout_s)))
        code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_GO) {
        r.doctor.path = count ? argv[0] : NULL;
        r.doctor.threads = (int)thread_count;
        r.doctor.timeout_s = (double)timeout_s;
        code = run(&r);
    }
    free(r.doctor.sets);
    return code;
}
