/* annulus bench overlap: what communication costs a training step, and how much of it hides behind computing.
 */
#include <stdio.h>
#include <stdlib.h>
#include "bench.h"
#include "cli.h"
#include "job.h"

static const char help[] =
    "annulus bench overlap measures what communication costs the training steps of a phase.\n\n"
    "usage: mpirun -n RANKS annulus bench overlap [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --phase NAME     the phase (default: the first); its first stage is measured\n"
    "  --steps N        steps that are measured, 1 to 10000 (default 50)\n"
    "  --trace FILE     write what every rank did in the last three steps, for ui.perfetto.dev or\n"
    "                   chrome://tracing; clocks are aligned to that of rank 0\n"
    "  --threads N      threads of each rank, 1 to 1024 (default: cores of the host / ranks on it)\n"
    "  --set KEY=VALUE  replace a value of the run file, as in annulus train; may be repeated\n"
    "  --help           this text\n\n"
    "Each batch is used three times: without communication (computing), for the messages alone\n"
    "(communication), and as in training (step). Nothing is trained and nothing is written but the trace.\n"
    "  overlap  (communication + computing - step) / the smaller of the two: 100 % where communication "
    "hides\n"
    "           wholly, 0 % where nothing does; the median of those of each batch\n"
    "  exposed  time in which a rank computed nothing, because it waited for a message or for the vote "
    "before\n"
    "           the update; also for ranks that came late, which is said apart\n"
    "Times are medians over the steps: of the slowest rank for step, computing and communication, else "
    "means\n"
    "over ranks. In the table of messages, start and sum count from the beginning of the step.\n";

typedef struct request {
    const char *path, *phase, *trace;
    const char **sets;
    int set_count;
    int64_t steps, threads;
} request;

typedef struct shower {
    const request *r;
    ann_comm *comm;
    const char *phase;
} shower;

static double ms(double s) { return 1e3 * s; }

static void print_report(const shower *s, const ann_overlap *o) {
    const double share = o->step_s > 0 ? 100 / o->step_s : 0;
    printf("%s: %d ranks on %d host%s, %d steps\n", s->phase, ann_comm_size(s->comm),
           ann_comm_host_count(s->comm), ann_comm_host_count(s->comm) == 1 ? "" : "s", o->steps);
    printf("computing      %10.3f ms\n", ms(o->compute_s));
    printf("communication  %10.3f ms  alone\n", ms(o->alone_s));
    printf("step           %10.3f ms\n", ms(o->step_s));
    printf("overlap        %10.1f %%\n", 100 * o->overlap);
    printf("exposed        %10.3f ms  %5.1f %% of the step; of it %.3f ms for late ranks, %.3f ms the vote\n",
           ms(o->wait_s), o->wait_s * share, ms(o->late_s), ms(o->vote_s));
    printf("starts         %10.3f ms  %5.1f %%\n", ms(o->start_s), o->start_s * share);
    printf("moving on      %10.3f ms  %5.1f %%\n", ms(o->progress_s), o->progress_s * share);
    printf("longest        %10.3f ms  between polls; here %s\n\n", ms(o->longest_s), o->longest);
    printf("%4s %12s %10s %10s %10s  %-22s  %s\n", "", "bytes", "start ms", "sum ms", "waited ms",
           "algorithm", "message");
    for (int i = 0; i < o->message_count; i++) {
        const ann_overlap_message *m = &o->messages[i];
        char name[64];
        printf("%4d %12lld %10.3f %10.3f %10.3f  %-22s  %s\n", i + 1, (long long)m->bytes, ms(m->start_s),
               ms(m->done_s), ms(m->wait_s), ann_algorithm_str(name, sizeof name, &m->algorithm), m->label);
    }
    (void)fflush(stdout);
}

static ann_status show(void *to, const ann_overlap *report) {
    const shower *s = to;
    if (ann_comm_rank(s->comm) == 0) print_report(s, report);
    return s->r->trace ? bench_trace_write(s->comm, s->r->trace, report) : ANN_OK;
}

static int run(const request *r) {
    job j;
    ann_comm *comm = NULL;
    ann_run_config *config = NULL;
    ann_status status = job_begin(&j);
    if (status == ANN_OK) status = job_config(&config, &comm, &j, r->path, r->sets, r->set_count);
    if (status == ANN_OK) {
        const ann_overlap_options options = {.threads = (int)r->threads, .steps = (int)r->steps};
        shower s = {.r = r, .comm = comm, .phase = r->phase ? r->phase : config->phases[0].name};
        status = ann_train_overlap(comm, config, s.phase, &options, show, &s);
    }
    return job_finish(&j, comm, config, status);
}

int bench_overlap(int argc, char **argv) {
    const char *steps = "50", *threads = NULL;
    request r = {.sets = calloc((size_t)argc, sizeof *r.sets)};
    if (!r.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const cli_option options[] = {{.name = "--phase", .value = &r.phase},
                                  {.name = "--steps", .value = &steps},
                                  {.name = "--trace", .value = &r.trace},
                                  {.name = "--threads", .value = &threads},
                                  {.name = "--set", .list = r.sets, .list_count = &r.set_count}};
    const cli c = {"annulus bench overlap", help, options, sizeof options / sizeof options[0]};
    int count, code = 0;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_GO) {
        if (count != 1) code = cli_wrong(&c, "one run file is needed, found %d", count);
        else if (!cli_int(&c, "--steps", steps, 1, 10000, &r.steps) ||
                 (threads && !cli_int(&c, "--threads", threads, 1, 1024, &r.threads)))
            code = ann_status_exit_code(ANN_ERR_CONFIG);
        else {
            r.path = argv[0];
            code = run(&r);
        }
    }
    free(r.sets);
    return code;
}
