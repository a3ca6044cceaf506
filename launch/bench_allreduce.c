/* annulus bench allreduce: sums over ranks by all contenders, in one run, beside the limit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/median.h"
#include "base/mem.h"
#include "bench.h"
#include "cli.h"
#include "job.h"
#include "kernel/sum.h"

static const char help[] =
    "annulus bench allreduce measures sums over ranks: as annulus train makes them, and by MPI_Allreduce.\n\n"
    "usage: mpirun -n RANKS annulus bench allreduce [OPTION...]\n\n"
    "options:\n"
    "  --min BYTES     smallest message (default 1024)\n"
    "  --max BYTES     largest message (default 268435456); sizes grow by factors of 4\n"
    "  --rounds N      rounds in which the contenders take turns (default 7)\n"
    "  --messages      as if every rank had a host of its own: no shared memory\n"
    "  --fresh         each rank writes its part anew before each sum, as a backward pass does; not timed\n"
    "  --algorithms    a line for each algorithm of each size, too\n"
    "  --mpi           MPI_Allreduce by each algorithm that Open MPI can be made to use, not only the "
    "default\n"
    "  --wire GBIT     the limit of a link between hosts, in Gbit/s; without it, that of memory\n"
    "  --timeout S     deadline of waits, in seconds (default 60)\n"
    "  --help          this text\n\n"
    "First the algorithms are calibrated; the table says what is best for each size here. Then each line is "
    "one\n"
    "size: the median round's time and GB/s of message, of annulus and of the fastest MPI_Allreduce, the "
    "median\n"
    "of the rounds' ratios, and the share of the limit. The memory limit is that of adding up all ranks' "
    "slices in\n"
    "private memory, out of cache. Every contender's sums are checked.\n";

typedef struct request {
    int64_t min, max, rounds, timeout_s;
    bool messages, fresh, algorithms, mpi;
    double wire_gbit;
} request;

enum { CONTENDERS_MAX = 48, ALGORITHMS_MAX = 32, ROUNDS_MAX = 1000 };

typedef struct contender {
    char name[64];
    bool is_mpi;
    int which;                   /* of MPI's */
    bool forced;                 /* else what the table says */
    ann_algorithm algorithm;     /* if forced */
    double rounds_s[ROUNDS_MAX]; /* of a sum, in each round */
    double median_s;
    double times; /* as long as annulus: the median of the rounds' ratios, because a round is short enough to
                     meet the machine in one condition, which medians of times are not */
} contender;

typedef struct bench {
    const request *r;
    ann_comm *comm;
    bench_mpi *mpi;
    float *ours, *theirs; /* r->max bytes each; ours is seen by the host */
    contender contenders[CONTENDERS_MAX];
    int n;
    double roof_s; /* per byte of message */
} bench;

static bool speaks(const bench *b) { return ann_comm_rank(b->comm) == 0; }

/* ---- the limit ---- */

/* Seconds for a byte of message: each rank reads its slice of all ranks' parts and writes the sum to all of
   them, in memory of its own that no cache holds. */
static ann_status measure_roof(bench *b) {
    enum { PARTS_MAX = 64 };
    static const size_t TOTAL_BYTES = (size_t)256 << 20;
    const int parts = ann_comm_size(b->comm) < PARTS_MAX ? ann_comm_size(b->comm) : PARTS_MAX;
    const size_t slice = TOTAL_BYTES / (size_t)parts / (size_t)parts / 64 * 64;
    void *memory, *parts_at[PARTS_MAX];
    ANN_TRY(ann_mem_alloc(&memory, slice * (size_t)parts));
    for (int i = 0; i < parts; i++) parts_at[i] = (char *)memory + (size_t)i * slice;
    memset(memory, 0, slice * (size_t)parts);
    double best_s = 0;
    for (int round = 0; round < 7; round++) {
        ANN_TRY(ann_comm_barrier(b->comm));
        const int64_t begin_ns = ann_clock_ns();
        ann_sum_kernels_for(ANN_F32)->tree(parts_at, parts, (const void *const *)parts_at, parts,
                                           (int64_t)(slice / sizeof(float)));
        const double took_s = bench_slowest(1e-9 * (double)(ann_clock_ns() - begin_ns));
        if (round == 0 || took_s < best_s) best_s = took_s;
    }
    ann_mem_free(memory, slice * (size_t)parts);
    b->roof_s = best_s / (double)(slice * (size_t)parts);
    return ANN_OK;
}

static double limit_s(const bench *b, int64_t bytes) {
    const int hosts = b->r->messages ? ann_comm_size(b->comm) : ann_comm_host_count(b->comm);
    if (b->r->wire_gbit <= 0) return b->roof_s * (double)bytes;
    return (double)bytes * 2.0 * (hosts - 1) / hosts / (b->r->wire_gbit * 0.125e9);
}

/* ---- one contender, one size ---- */

static ann_status sum(const bench *b, const contender *c, int64_t elems) {
    if (c->is_mpi) return bench_mpi_sum(b->mpi, c->which, b->theirs, elems);
    return ann_comm_allreduce(b->comm, b->ours, elems, ANN_F32);
}

static ann_status choose(const bench *b, const contender *c) {
    return ann_comm_force(b->comm, c->forced ? &c->algorithm : NULL);
}

static ann_status check(const bench *b, const contender *c, int64_t elems) {
    float *data = c->is_mpi ? b->theirs : b->ours;
    const int size = ann_comm_size(b->comm), rank = ann_comm_rank(b->comm);
    for (int64_t i = 0; i < elems; i++) data[i] = (float)(i % 13 + rank);
    ANN_TRY(sum(b, c, elems));
    ann_status status = ANN_OK;
    for (int64_t i = 0; i < elems && status == ANN_OK; i++)
        if (data[i] != (float)(i % 13 * size + size * (size - 1) / 2))
            status = ann_error(ANN_ERR_INTERNAL, "%s: element %lld of %lld is wrong", c->name, (long long)i,
                               (long long)elems);
    memset(data, 0, (size_t)elems * sizeof *data);
    return ann_agree(b->comm, status);
}

static ann_status time_sums(const bench *b, const contender *c, int64_t elems, int repeats, double *seconds) {
    float *data = c->is_mpi ? b->theirs : b->ours;
    int64_t spent_ns = 0;
    ANN_TRY(ann_comm_barrier(b->comm));
    if (b->r->fresh) {
        for (int i = 0; i < repeats; i++) {
            memset(data, 0, (size_t)elems * sizeof *data);
            const int64_t begin_ns = ann_clock_ns();
            ANN_TRY(sum(b, c, elems));
            spent_ns += ann_clock_ns() - begin_ns;
        }
    } else {
        const int64_t begin_ns = ann_clock_ns();
        for (int i = 0; i < repeats; i++) ANN_TRY(sum(b, c, elems));
        spent_ns = ann_clock_ns() - begin_ns;
    }
    *seconds = bench_slowest(1e-9 * (double)spent_ns / repeats);
    return ANN_OK;
}

/* ---- one size ---- */

static void print_row(const bench *b, int64_t bytes) {
    const contender *mpi = NULL;
    char name[64];
    const ann_algorithm a = ann_comm_choose(b->comm, bytes);
    const double ours_s = b->contenders[0].median_s, gb = 1e-9 * (double)bytes;
    for (int i = 1; i < b->n; i++)
        if (b->contenders[i].is_mpi && (!mpi || b->contenders[i].times < mpi->times)) mpi = &b->contenders[i];
    printf("%10lld %11.2f %8.3f  %-22s %11.2f %8.3f  %-19s %6.2f %6.2f\n", (long long)bytes, ours_s * 1e6,
           gb / ours_s, ann_algorithm_str(name, sizeof name, &a), mpi ? mpi->median_s * 1e6 : 0,
           mpi ? gb / mpi->median_s : 0, mpi ? mpi->name : "", mpi ? mpi->times : 0,
           limit_s(b, bytes) / ours_s);
    for (int i = 1; i < b->n; i++)
        if (b->r->algorithms || b->contenders[i].is_mpi)
            printf("%10s %11.2f %8.3f %6.2f  %s%s\n", "", b->contenders[i].median_s * 1e6,
                   gb / b->contenders[i].median_s, b->contenders[i].times,
                   b->contenders[i].is_mpi ? "MPI " : "", b->contenders[i].name);
    (void)fflush(stdout);
}

/* As many sums as fit into a tenth of a second, judged by the first contender, which all take. */
static ann_status choose_repeats(const bench *b, int64_t elems, int *repeats) {
    double once;
    ANN_TRY(time_sums(b, &b->contenders[0], elems, 2, &once));
    const double fit = 0.05 / (once > 1e-9 ? once : 1e-9);
    *repeats = fit > 1000 ? 1000 : fit < 1 ? 1 : (int)fit;
    return ANN_OK;
}

/* The medians of each contender, since the fastest round of many beats that of one by chance alone. */
static void judge(bench *b) {
    const int rounds = (int)b->r->rounds;
    double ratios[ROUNDS_MAX];
    for (int i = b->n - 1; i >= 0; i--) { /* annulus last: a median sorts */
        contender *c = &b->contenders[i];
        for (int r = 0; r < rounds; r++) ratios[r] = c->rounds_s[r] / b->contenders[0].rounds_s[r];
        c->times = ann_median(ratios, rounds);
        c->median_s = ann_median(c->rounds_s, rounds);
    }
}

/* Whose turn is the i-th of a round: each round begins with another contender, and every other one goes
   backwards, so that nobody always follows the same one. */
static int turn(const bench *b, int64_t round, int i) {
    const int forward = (int)((i + round / 2) % b->n);
    return round % 2 ? b->n - 1 - forward : forward;
}

static ann_status measure_size(bench *b, int64_t bytes) {
    const int64_t elems = bytes / (int64_t)sizeof(float);
    int repeats = 1;
    for (int i = 0; i < b->n; i++) {
        ANN_TRY(choose(b, &b->contenders[i]));
        ANN_TRY(check(b, &b->contenders[i], elems));
    }
    ANN_TRY(choose(b, &b->contenders[0]));
    ANN_TRY(choose_repeats(b, elems, &repeats));
    for (int64_t round = 0; round < b->r->rounds; round++)
        for (int i = 0; i < b->n; i++) {
            contender *c = &b->contenders[turn(b, round, i)];
            ANN_TRY(choose(b, c));
            ANN_TRY(time_sums(b, c, elems, repeats, &c->rounds_s[round]));
        }
    judge(b);
    ANN_TRY(ann_comm_force(b->comm, NULL));
    if (speaks(b)) print_row(b, bytes);
    return ANN_OK;
}

/* ---- all ---- */

static void print_table(const bench *b) {
    int count;
    const ann_tuning_row *rows = ann_comm_tuning(b->comm, &count);
    printf("%d ranks on %d host%s\n%10s %11s  %s\n", ann_comm_size(b->comm), ann_comm_host_count(b->comm),
           ann_comm_host_count(b->comm) == 1 ? "" : "s", "bytes", "us", "calibrated: best algorithm");
    for (int i = 0; i < count; i++) {
        char name[64];
        printf("%10lld %11.2f  %s\n", (long long)rows[i].bytes, rows[i].seconds * 1e6,
               ann_algorithm_str(name, sizeof name, &rows[i].best));
    }
    printf("\n%10s %11s %8s  %-22s %11s %8s  %-19s %6s %6s\n", "bytes", "us", "GB/s", "annulus", "us", "GB/s",
           "MPI_Allreduce", "times", "limit");
    (void)fflush(stdout);
}

static void add_contenders(bench *b) {
    ann_algorithm all[ALGORITHMS_MAX];
    const int n = b->r->algorithms ? ann_comm_algorithms(b->comm, all, ALGORITHMS_MAX) : 0;
    b->contenders[b->n++] = (contender){.name = "annulus"};
    for (int i = 0; i < n; i++) {
        contender *c = &b->contenders[b->n++];
        *c = (contender){.forced = true, .algorithm = all[i]};
        ann_algorithm_str(c->name, sizeof c->name, &all[i]);
    }
    for (int i = 0; i < bench_mpi_count(b->mpi); i++) {
        contender *c = &b->contenders[b->n++];
        *c = (contender){.is_mpi = true, .which = i};
        snprintf(c->name, sizeof c->name, "%s", bench_mpi_name(b->mpi, i));
    }
}

static ann_status measure(bench *b) {
    void *ours, *theirs;
    bool measured;
    if (ann_comm_size(b->comm) == 1)
        return ann_error(ANN_ERR_CONFIG, "one rank has nothing to sum: mpirun -n 2");
    if (b->r->messages) ann_comm_set_shared(b->comm, false);
    ANN_TRY(bench_mpi_new(&b->mpi, b->r->mpi));
    ANN_TRY(ann_comm_calibrate(b->comm, NULL, 3.0, &measured));
    ANN_TRY(ann_comm_alloc(b->comm, &ours, (size_t)b->r->max));
    ANN_TRY(ann_agree(b->comm, ann_mem_alloc(&theirs, (size_t)b->r->max)));
    b->ours = ours;
    b->theirs = theirs;
    memset(theirs, 0, (size_t)b->r->max);
    ANN_TRY(measure_roof(b));
    add_contenders(b);
    if (speaks(b)) print_table(b);
    for (int64_t bytes = b->r->min; bytes <= b->r->max; bytes *= 4) ANN_TRY(measure_size(b, bytes));
    if (speaks(b) && b->r->wire_gbit <= 0) printf("memory limit: %.2f GB/s of message\n", 1e-9 / b->roof_s);
    ann_comm_release(b->comm, ours);
    ann_mem_free(theirs, (size_t)b->r->max);
    bench_mpi_free(b->mpi);
    return ANN_OK;
}

static int run(const request *r) {
    job j;
    bench b = {.r = r};
    bench_mpi_prepare();
    ann_status status = job_begin(&j);
    if (status == ANN_OK) status = job_comm(&b.comm, &j, (double)r->timeout_s);
    if (status == ANN_OK) status = measure(&b);
    if (status != ANN_OK) {
        const int code = j.rank == 0 ? cli_fail(status) : ann_status_exit_code(status);
        return j.size > 1 && (status == ANN_ERR_TIMEOUT || status == ANN_ERR_COMM) ? job_abort(&j, code)
                                                                                   : job_end(&j, code);
    }
    ann_comm_free(b.comm);
    return job_end(&j, 0);
}

int bench_allreduce(int argc, char **argv) {
    const char *min = "1024", *max = "268435456", *rounds = "7", *wire = NULL, *timeout = "60";
    request r = {0};
    const cli_option options[] = {
        {.name = "--min", .value = &min},        {.name = "--max", .value = &max},
        {.name = "--rounds", .value = &rounds},  {.name = "--messages", .flag = &r.messages},
        {.name = "--fresh", .flag = &r.fresh},   {.name = "--algorithms", .flag = &r.algorithms},
        {.name = "--mpi", .flag = &r.mpi},       {.name = "--wire", .value = &wire},
        {.name = "--timeout", .value = &timeout}};
    const cli c = {"annulus bench allreduce", help, options, sizeof options / sizeof options[0]};
    int count;
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed == CLI_HELP) return 0;
    if (parsed == CLI_WRONG) return ann_status_exit_code(ANN_ERR_CONFIG);
    if (count != 0) return cli_wrong(&c, "no argument is needed, found '%s'", argv[0]);
    char *end = NULL;
    r.wire_gbit = wire ? strtod(wire, &end) : 0;
    if (wire && (*end || !(r.wire_gbit > 0)))
        return cli_wrong(&c, "--wire %s: a number above 0 is needed", wire);
    if (!cli_int(&c, "--min", min, 4, (int64_t)1 << 40, &r.min) ||
        !cli_int(&c, "--max", max, r.min, (int64_t)1 << 32, &r.max) ||
        !cli_int(&c, "--rounds", rounds, 1, ROUNDS_MAX, &r.rounds) ||
        !cli_int(&c, "--timeout", timeout, 1, 86400, &r.timeout_s))
        return ann_status_exit_code(ANN_ERR_CONFIG);
    return run(&r);
}
