/* annulus plan scaling: computing is measured here, communication comes from a model of latencies and
   bandwidths, and both are put together as a step does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "job.h"
#include "kernel/kernel.h"
#include "plan.h"
#include "svg.h"

static const char help[] =
    "annulus plan scaling predicts steps, samples/s and efficiency on other numbers of nodes.\n\n"
    "usage: annulus plan scaling [OPTION...] RUN.yaml\n"
    "       mpirun -n RANKS annulus plan scaling [OPTION...] RUN.yaml\n\n"
    "options:\n"
    "  --phase NAME          the phase (default: the first)\n"
    "  --nodes LIST          numbers of nodes, ascending; 2,4,...,64 goes on by doubling (default "
    "2,4,...,1024)\n"
    "  --ranks-per-node R    (default: those of this job on this host)\n"
    "  --cores-per-node C    (default: those of this host that this process may use)\n"
    "  --threads N           of a rank (default: cores per node / ranks per node)\n"
    "  --network measured    latency and bandwidth between the hosts of this job (default)\n"
    "  --network alpha_us=A,gbit=G\n"
    "                        A microseconds for a message, G Gbit/s for a node's link in each direction\n"
    "  --plot FILE.svg       draws efficiency and samples/s over nodes\n"
    "  --set KEY=VALUE       replace a value of the run file, as in annulus train; may be repeated\n"
    "  --timeout S           deadline of waits, in seconds (default 60)\n"
    "  --help                this text\n\n"
    "A step is measured without communication, by all ranks of the job at once; ranks that share cores slow "
    "each\n"
    "other down in proportion. The messages of the step, and when each is ready, are those of the phase's "
    "plan.\n"
    "They go one after the other; between nodes they overlap with computing, except for what they take from "
    "it.\n"
    "On one node they are work of its cores, and nothing overlaps. Weak scaling keeps the batch of a rank, "
    "which\n"
    "is that of the first row; strong scaling keeps the run file's batch, and computing is measured for "
    "each\n"
    "part of it. Efficiency is samples/s per rank, against the first row's if nothing were sent. Reading "
    "data,\n"
    "test sets and checkpoints are not counted.\n";

enum { NODES_MAX = 32 };

typedef struct request {
    const char *run_file, *phase, *plot, *network;
    const char **sets;
    int set_count;
    int64_t nodes[NODES_MAX];
    int count;
    int64_t ranks, cores, threads, timeout_s; /* 0: by default */
} request;

typedef struct row {
    int64_t nodes, ranks, batch;
    double compute_s, comm_s, exposed_s, step_s, samples_s, efficiency;
} row;

typedef struct planner {
    const request *r;
    ann_comm *comm;
    const ann_run_config *config;
    const ann_phase_config *phase;
    int ranks, cores, threads; /* of a node; of a rank */
    ann_layout here;           /* the job's */
    const ann_tuning_row *rows;
    int row_count;
    ann_model model;
    double crowding; /* computing takes so many times as long there as it was measured here */
} planner;

static bool speaks(const planner *p) { return ann_comm_rank(p->comm) == 0; }

/* ---- the model ---- */

static double load_of(int ranks, int threads, int cores) {
    return ranks * threads > cores ? (double)ranks * threads / cores : 1;
}

/* Where nothing was measured: memory of a host is as fast as one core can add up, for all its ranks. */
static ann_status presume(planner *p) {
    double add_s = 0, copy_s = 0;
    ANN_TRY(ann_agree(p->comm, plan_measure_bytes(&add_s, &copy_s)));
    p->model.seconds[ANN_TERM_GAMMA] = add_s;
    p->model.seconds[ANN_TERM_SHARED_ALPHA] = 0.5e-6;
    p->model.seconds[ANN_TERM_SHARED_BETA] = add_s / 2;
    p->model.cpu_s = copy_s;
    return ANN_OK;
}

static ann_status check_known(const planner *p, bool given) {
    const int64_t most = p->r->nodes[p->r->count - 1];
    if (given || most == 1 || p->here.hosts > 1) return ANN_OK;
    return ann_error(ANN_ERR_CONFIG, "all ranks of this job are on one host, so no network can be measured: "
                                     "--network alpha_us=A,gbit=G, or mpirun over several hosts");
}

/* Latencies and bandwidths: the calibration of this job, and over it what the command line says. */
static ann_status make_model(planner *p) {
    bool measured;
    double worst = 0;
    char complaint[256];
    ann_model given = {{0}, 0};
    const bool is_given = strcmp(p->r->network, "measured") != 0 &&
                          plan_network_parse(&given, p->r->network, complaint, sizeof complaint);
    ANN_TRY(check_known(p, is_given));
    ANN_TRY(presume(p));
    if (ann_comm_size(p->comm) > 1) {
        ANN_TRY(ann_comm_calibrate(p->comm, NULL, 3.0, &measured));
        p->rows = ann_comm_tuning(p->comm, &p->row_count);
        ANN_TRY(ann_model_fit(&p->model, p->rows, p->row_count, p->here, &worst));
        if (speaks(p))
            printf("fitted to %d sizes of sums of %d ranks on %d host%s, off by at most %.0f %%\n",
                   p->row_count, ann_comm_size(p->comm), p->here.hosts, p->here.hosts == 1 ? "" : "s",
                   100 * worst);
    }
    if (is_given) {
        p->model.seconds[ANN_TERM_ALPHA] = given.seconds[ANN_TERM_ALPHA];
        p->model.seconds[ANN_TERM_BETA] = given.seconds[ANN_TERM_BETA];
    }
    return ANN_OK;
}

/* ---- a message ---- */

/* What each rank has goes to every rank. */
static ann_cost gather_cost(const ann_model *m, ann_layout to, double bytes) {
    const double all = bytes * to.hosts * to.ranks;
    const double shared_s =
        to.ranks > 1 ? to.ranks * (m->seconds[ANN_TERM_SHARED_ALPHA] + all * m->seconds[ANN_TERM_SHARED_BETA])
                     : 0;
    const double link = (to.hosts - 1) * bytes * to.ranks;
    ann_cost c = {.cpu_s = shared_s + 2 * link / to.ranks * m->cpu_s + all * m->seconds[ANN_TERM_GAMMA]};
    c.total_s = shared_s + (to.hosts - 1) * m->seconds[ANN_TERM_ALPHA] + link * m->seconds[ANN_TERM_BETA];
    if (c.total_s < c.cpu_s) c.total_s = c.cpu_s;
    return c;
}

/* The table itself where it is of this layout, and for the part on a host where the job is one host. */
static ann_cost cost_of(const planner *p, ann_layout to, const plan_message *m) {
    ann_cost c = m->gathered ? gather_cost(&p->model, to, m->bytes)
                             : ann_model_best(&p->model, to, m->bytes, m->rounded);
    const bool tabled = p->row_count > 0 && !m->gathered;
    if (tabled && p->here.hosts == to.hosts && p->here.ranks == to.ranks && to.hosts > 1 &&
        strcmp(p->r->network, "measured") == 0)
        c.total_s = ann_model_look_up(p->rows, p->row_count, m->bytes);
    if (tabled && p->here.hosts == 1 && to.ranks > 1) {
        const double modelled_s = to.ranks * (p->model.seconds[ANN_TERM_SHARED_ALPHA] +
                                              m->bytes * p->model.seconds[ANN_TERM_SHARED_BETA]);
        const double tabled_s = ann_model_look_up(p->rows, p->row_count, m->bytes) * to.ranks / p->here.ranks;
        c.total_s += tabled_s - modelled_s;
        c.cpu_s += tabled_s - modelled_s;
    }
    if (to.hosts == 1) c.cpu_s = c.total_s;
    if (c.cpu_s > c.total_s) c.cpu_s = c.total_s;
    return c;
}

/* ---- a row ---- */

static ann_status predict(const planner *p, row *out, const plan_compute *c) {
    static const plan_message vote = {.bytes = 16};
    const ann_layout to = {(int)out->nodes, p->ranks};
    ann_model_message *messages = calloc((size_t)c->message_count + 1, sizeof *messages);
    if (!messages) return ann_error(ANN_ERR_MEMORY, "out of memory");
    const double before_s = c->before_s * p->crowding, update_s = c->update_s * p->crowding;
    const int n = out->ranks > 1 ? c->message_count : 0;
    out->comm_s = 0;
    for (int i = 0; i < n; i++) {
        messages[i] =
            (ann_model_message){c->messages[i].ready_s * p->crowding, cost_of(p, to, &c->messages[i])};
        out->comm_s += messages[i].cost.total_s;
    }
    if (n > 0) {
        messages[n] = (ann_model_message){before_s, cost_of(p, to, &vote)};
        out->comm_s += messages[n].cost.total_s;
    }
    out->compute_s = before_s + update_s;
    out->step_s = ann_model_overlap(messages, n > 0 ? n + 1 : 0, before_s) + update_s;
    out->exposed_s = out->step_s - out->compute_s;
    free(messages);
    return ANN_OK;
}

static void print_table(const planner *p, const char *title, const row *rows) {
    printf("\n%s\n%6s %7s %10s %11s %9s %11s %9s %12s %10s\n", title, "nodes", "ranks", "batch/rank",
           "compute_ms", "comm_ms", "exposed_ms", "step_ms", "samples/s", "efficiency");
    for (int i = 0; i < p->r->count; i++) {
        if (isnan(rows[i].step_s)) {
            printf("%6lld %7lld  a batch of %lld samples is less than one for each rank\n",
                   (long long)rows[i].nodes, (long long)rows[i].ranks, (long long)p->phase->batch);
            continue;
        }
        printf("%6lld %7lld %10lld %11.3f %9.3f %11.3f %9.3f %12.1f %10.3f\n", (long long)rows[i].nodes,
               (long long)rows[i].ranks, (long long)rows[i].batch, rows[i].compute_s * 1e3,
               rows[i].comm_s * 1e3, rows[i].exposed_s * 1e3, rows[i].step_s * 1e3, rows[i].samples_s,
               rows[i].efficiency);
    }
}

/* Rows of weak scaling (`samples` of each rank) or strong scaling (of all ranks). */
static ann_status predict_rows(planner *p, row *rows, bool strong) {
    plan_compute c = {0};
    double ideal = 0; /* samples/s of a rank of the first row if nothing were sent */
    ann_status status = ANN_OK;
    for (int i = 0; i < p->r->count && status == ANN_OK; i++) {
        row *r = &rows[i];
        *r = (row){.nodes = p->r->nodes[i], .ranks = p->r->nodes[i] * p->ranks};
        if (strong && r->ranks > p->phase->batch) {
            r->step_s = r->samples_s = r->efficiency = NAN;
            continue;
        }
        if (i == 0 || strong) {
            free(c.messages);
            status = plan_measure(p->comm, &c, p->config, p->phase, 0, (int)r->ranks, p->threads);
        }
        if (status == ANN_OK) status = ann_agree(p->comm, predict(p, r, &c));
        if (status != ANN_OK) break;
        const double first = (double)p->phase->batch / (double)rows[0].ranks;
        const double samples = strong ? (double)p->phase->batch : first * (double)r->ranks;
        r->batch = c.batch;
        r->samples_s = samples / r->step_s;
        if (i == 0) ideal = samples / r->compute_s / (double)r->ranks;
        r->efficiency = r->samples_s / (double)r->ranks / ideal;
    }
    free(c.messages);
    return status;
}

/* ---- the plot ---- */

static ann_status plot(const planner *p, const row *weak, const row *strong) {
    double x[NODES_MAX], one[NODES_MAX], weak_e[NODES_MAX], strong_e[NODES_MAX], weak_s[NODES_MAX],
        strong_s[NODES_MAX], ideal_s[NODES_MAX];
    const int n = p->r->count;
    double top = 1;
    for (int i = 0; i < n; i++) {
        x[i] = (double)weak[i].nodes;
        one[i] = 1;
        weak_e[i] = weak[i].efficiency;
        strong_e[i] = strong[i].efficiency;
        weak_s[i] = weak[i].samples_s;
        strong_s[i] = strong[i].samples_s;
        ideal_s[i] = weak_s[i] / weak_e[i];
        top = fmax(top, strong_e[i]); /* fmax passes over what is not a number */
    }
    const svg_series efficiency[] = {{"ideal", "#888888", one, true},
                                     {"weak", "#1f77b4", weak_e, false},
                                     {"strong", "#d62728", strong_e, false}};
    const svg_series speed[] = {{"ideal", "#888888", ideal_s, true},
                                {"weak", "#1f77b4", weak_s, false},
                                {"strong", "#d62728", strong_s, false}};
    const svg_panel panels[] = {
        {"Efficiency", "nodes", "efficiency", top > 1 ? ceil(top * 5) / 5 : 1, efficiency, 3},
        {"Speed", "nodes", "samples/s", 0, speed, 3}};
    char title[256];
    snprintf(title, sizeof title, "%s, phase %s: predicted scaling, %d rank%s per node", p->config->name,
             p->phase->name, p->ranks, p->ranks == 1 ? "" : "s");
    return svg_write(p->r->plot, title, x, n, panels, 2);
}

/* ---- all ---- */

static ann_status set_up(planner *p) {
    const char *name = p->r->phase ? p->r->phase : p->config->phases[0].name;
    const int index = ann_run_config_find_phase(p->config, name), cores = plan_cores();
    if (index < 0) return ann_error(ANN_ERR_CONFIG, "%s has no phase '%s'", p->config->path, name);
    p->phase = &p->config->phases[index];
    if (!ann_phase_is_trained(p->phase->kind))
        return ann_error(ANN_ERR_CONFIG, "phase %s: kind %s is not trained", name,
                         ann_phase_kind_name(p->phase->kind));
    if (p->phase->sync.every > 0)
        return ann_error(ANN_ERR_UNSUPPORTED, "phase %s: ranks that train apart (sync) are not modelled",
                         name);
    p->here = (ann_layout){ann_comm_host_count(p->comm), ann_comm_local_size(p->comm)};
    if (p->here.hosts * p->here.ranks != ann_comm_size(p->comm))
        return ann_error(ANN_ERR_CONFIG, "the hosts of this job have different numbers of ranks");
    p->ranks = p->r->ranks ? (int)p->r->ranks : p->here.ranks;
    p->cores = p->r->cores ? (int)p->r->cores : cores;
    if (p->r->nodes[0] * p->ranks > p->phase->batch)
        return ann_error(ANN_ERR_CONFIG,
                         "phase %s: the first row is %lld ranks, and a batch only %lld samples", name,
                         (long long)p->r->nodes[0] * p->ranks, (long long)p->phase->batch);
    p->threads = p->r->threads ? (int)p->r->threads : p->cores / p->ranks;
    if (p->threads < 1) p->threads = 1;
    p->crowding = load_of(p->ranks, p->threads, p->cores) / load_of(p->here.ranks, p->threads, cores);
    return ANN_OK;
}

static void print_model(const planner *p) {
    const double *s = p->model.seconds;
    printf("%s, phase %s, batch %lld; nodes of %d rank%s x %d thread%s on %d core%s\n", p->config->name,
           p->phase->name, (long long)p->phase->batch, p->ranks, p->ranks == 1 ? "" : "s", p->threads,
           p->threads == 1 ? "" : "s", p->cores, p->cores == 1 ? "" : "s");
    if (s[ANN_TERM_BETA] > 0)
        printf("between nodes: %.2f us for a message, %.3f Gbit/s\n", s[ANN_TERM_ALPHA] * 1e6,
               8e-9 / s[ANN_TERM_BETA]);
    if (p->ranks > 1)
        printf("on a node (%s): %.2f us and %.4f ns per byte, for each rank\n",
               p->here.ranks > 1 ? "measured" : "presumed", s[ANN_TERM_SHARED_ALPHA] * 1e6,
               s[ANN_TERM_SHARED_BETA] * 1e9);
    printf("adding: %.4f ns per byte; computing takes %.2f times what is measured here\n",
           s[ANN_TERM_GAMMA] * 1e9, p->crowding);
}

static ann_status plan_job(planner *p) {
    row weak[NODES_MAX] = {{0}}, strong[NODES_MAX] = {{0}};
    ann_kernel_init();
    ANN_TRY(ann_agree(p->comm, set_up(p)));
    ANN_TRY(make_model(p));
    ANN_TRY(predict_rows(p, weak, false));
    ANN_TRY(predict_rows(p, strong, true));
    if (!speaks(p)) return ann_agree(p->comm, ANN_OK);
    print_model(p);
    print_table(p, "weak scaling: the batch of a rank stays", weak);
    print_table(p, "strong scaling: the batch of all ranks stays; computing is measured for each part of it",
                strong);
    return ann_agree(p->comm, p->r->plot ? plot(p, weak, strong) : ANN_OK);
}

static int run(const request *r) {
    job j;
    planner p = {.r = r};
    ann_run_config *config = NULL;
    ann_status status = job_begin(&j);
    if (status == ANN_OK) status = job_comm(&p.comm, &j, (double)r->timeout_s);
    if (status == ANN_OK)
        status = ann_agree(p.comm, ann_run_config_load(&config, r->run_file, r->sets, r->set_count));
    p.config = config;
    if (status == ANN_OK) status = plan_job(&p);
    return job_finish(&j, p.comm, config, status);
}

/* ---- the command line ---- */

/* "2,4,...,64"; false if it is something else. */
static bool parse_nodes(request *r, const char *text) {
    bool go_on = false;
    for (const char *at = text;; at++) {
        if (strncmp(at, "...,", 4) == 0 && r->count > 0 && !go_on) {
            go_on = true;
            at += 3;
            continue;
        }
        char *end;
        const long n = strtol(at, &end, 10);
        const int64_t before = r->count > 0 ? r->nodes[r->count - 1] : 0;
        if (end == at || n <= before || n > 65536 || *at < '0' || *at > '9') return false;
        for (int64_t next = 2 * before; go_on && next < n && r->count < NODES_MAX; next *= 2)
            r->nodes[r->count++] = next;
        if (r->count == NODES_MAX) return false;
        r->nodes[r->count++] = n;
        go_on = false;
        if (*end == '\0') return true;
        if (*end != ',') return false;
        at = end;
    }
}

static int check(const cli *c, request *r, const char *nodes, const char *const texts[4]) {
    static const char *const names[] = {"--ranks-per-node", "--cores-per-node", "--threads", "--timeout"};
    int64_t *const values[] = {&r->ranks, &r->cores, &r->threads, &r->timeout_s};
    ann_model model = {{0}, 0};
    char complaint[256];
    if (!parse_nodes(r, nodes))
        return cli_wrong(c,
                         "--nodes: found '%s', accepted are up to %d ascending numbers from 1 to 65536, such "
                         "as 2,4,...,64",
                         nodes, NODES_MAX);
    if (strcmp(r->network, "measured") != 0 &&
        !plan_network_parse(&model, r->network, complaint, sizeof complaint))
        return cli_wrong(c, "--network: %s", complaint);
    for (int i = 0; i < 4; i++)
        if (texts[i] && !cli_int(c, names[i], texts[i], 1, i == 3 ? 86400 : 1024, values[i]))
            return ann_status_exit_code(ANN_ERR_CONFIG);
    if (r->nodes[r->count - 1] * (r->ranks ? r->ranks : 1) > 1 << 20)
        return cli_wrong(c, "more than %d ranks", 1 << 20);
    return 0;
}

int plan_scaling(int argc, char **argv) {
    const char *nodes = "2,4,...,1024", *texts[4] = {NULL, NULL, NULL, "60"};
    request r = {.network = "measured", .sets = calloc((size_t)argc, sizeof *r.sets)};
    if (!r.sets) return cli_fail(ann_error(ANN_ERR_MEMORY, "out of memory"));
    const cli_option options[] = {{.name = "--phase", .value = &r.phase},
                                  {.name = "--nodes", .value = &nodes},
                                  {.name = "--ranks-per-node", .value = &texts[0]},
                                  {.name = "--cores-per-node", .value = &texts[1]},
                                  {.name = "--threads", .value = &texts[2]},
                                  {.name = "--network", .value = &r.network},
                                  {.name = "--plot", .value = &r.plot},
                                  {.name = "--set", .list = r.sets, .list_count = &r.set_count},
                                  {.name = "--timeout", .value = &texts[3]}};
    const cli c = {"annulus plan scaling", help, options, sizeof options / sizeof options[0]};
    int count, code = 0;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_WRONG) code = ann_status_exit_code(ANN_ERR_CONFIG);
    else if (parsed == CLI_GO) {
        if (count != 1) code = cli_wrong(&c, "one run file is needed, found %d", count);
        else code = check(&c, &r, nodes, texts);
        r.run_file = argv[0];
        if (code == 0) code = run(&r);
    }
    free(r.sets);
    return code;
}
