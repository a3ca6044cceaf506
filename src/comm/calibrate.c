/* The table of tuning.h: measured in a few seconds, and kept in a file for the next job on the same hosts. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/median.h"
#include "comm/model.h"
#include "comm/shared.h"

enum { ROWS_MAX = 16, ALGORITHMS_MAX = 32, REPEATS_MAX = 200, PATH_BYTES = 4096 };
static const int64_t BYTES_MIN = 1 << 10, BYTES_MAX = (int64_t)64 << 20;

/* ---- measuring ---- */

/* The slowest rank's seconds, the same number on every rank. */
static ann_status slowest(ann_comm *comm, double *seconds) {
    double *all = calloc((size_t)comm->size, sizeof *all);
    ann_status status = ann_agree(comm, all ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory to calibrate"));
    if (status == ANN_OK) status = ann_comm_allgather(comm, all, seconds, sizeof *seconds);
    for (int r = 0; status == ANN_OK && all && r < comm->size; r++)
        if (all[r] > *seconds) *seconds = all[r];
    free(all);
    return status;
}

/* Seconds of one sum of what each rank has just written, as a step does: the mean of so many. */
static ann_status time_sums(ann_comm *comm, float *data, int64_t bytes, int repeats, double *seconds) {
    int64_t spent_ns = 0;
    for (int i = 0; i < repeats; i++) {
        memset(data, 0, (size_t)bytes);
        const int64_t begin_ns = ann_clock_ns();
        ANN_TRY(ann_comm_allreduce(comm, data, bytes / (int64_t)sizeof *data, ANN_F32));
        spent_ns += ann_clock_ns() - begin_ns;
    }
    *seconds = 1e-9 * (double)spent_ns / repeats;
    return slowest(comm, seconds);
}

enum { TURNS = 3 };

/* One algorithm at one size. */
typedef struct contender {
    ann_algorithm algorithm;
    double turns[TURNS]; /* of this round: seconds of one sum */
    double seconds;      /* of the latest round, their median; 0: none yet */
} contender;

/* Another turn, which takes about budget_s. */
static ann_status take_turn(ann_comm *comm, contender *c, int turn, float *data, int64_t bytes,
                            double budget_s) {
    ANN_TRY(ann_comm_force(comm, &c->algorithm));
    const double fit = c->seconds > 0 ? budget_s / c->seconds : 1;
    const int repeats = fit > REPEATS_MAX ? REPEATS_MAX : fit < 1 ? 1 : (int)fit;
    ANN_TRY(time_sums(comm, data, bytes, repeats, &c->turns[turn]));
    if (c->seconds <= 0) c->seconds = c->turns[turn];
    return ANN_OK;
}

/* A round: some turns each, one after the other, so that a disturbance meets all alike. Only this round's
   count: what was once fast by chance must be so again. */
static ann_status take_turns(ann_comm *comm, contender *all, int n, float *data, int64_t bytes,
                             double budget_s) {
    for (int turn = 0; turn < TURNS; turn++)
        for (int i = 0; i < n; i++)
            ANN_TRY(take_turn(comm, &all[i], turn, data, bytes, budget_s / (TURNS * n)));
    for (int i = 0; i < n; i++) all[i].seconds = ann_median(all[i].turns, TURNS);
    return ANN_OK;
}

static int by_seconds(const void *a, const void *b) {
    const contender *x = a, *y = b;
    return (x->seconds > y->seconds) - (x->seconds < y->seconds);
}

/* Successive halving (Jamieson and Talwalkar 2016): each round takes the same time, and the slower half
 * leaves after it, so the nearer two are to each other the longer they are compared. */
static ann_status measure_row(ann_comm *comm, ann_tuning_row *row, float *data, double budget_s) {
    enum { ROUNDS = 5 };
    ann_algorithm algorithms[ALGORITHMS_MAX];
    contender all[ALGORITHMS_MAX] = {{.seconds = 0}};
    int n = 0;
    const int known = ann_comm_algorithms(comm, algorithms, ALGORITHMS_MAX);
    for (int i = 0; i < known; i++)
        if (!algorithms[i].direct || row->bytes <= ANNI_SLOT_BYTES) all[n++].algorithm = algorithms[i];
    for (int round = 0; round < ROUNDS; round++) {
        ANN_TRY(take_turns(comm, all, n, data, row->bytes, budget_s / ROUNDS));
        qsort(all, (size_t)n, sizeof *all, by_seconds);
        if (n > 2) n = (n + 1) / 2;
    }
    ann_tuning_row found[2];
    for (int i = 0; i < 2 && i < n; i++)
        found[i] = (ann_tuning_row){row->bytes, all[i].algorithm, all[i].seconds};
    *row = n > 1 ? *ann_model_prefer(&found[0], &found[1], comm->size, comm->n_nodes) : found[0];
    return ANN_OK;
}

/* Sizes go on until one sum takes so long that measuring the next would go beyond the budget. */
static ann_status measure(ann_comm *comm, ann_tuning_row *rows, int *count, float *data, double budget_s) {
    const double each_s = budget_s / 9;
    *count = 0;
    for (int64_t bytes = BYTES_MIN; bytes <= BYTES_MAX && *count < ROWS_MAX; bytes *= 4) {
        ann_tuning_row *row = &rows[*count];
        *row = (ann_tuning_row){.bytes = bytes};
        ANN_TRY(measure_row(comm, row, data, each_s));
        ++*count;
        if (row->seconds > each_s / 8) break;
    }
    return ANN_OK;
}

static ann_status measure_all(ann_comm *comm, ann_tuning_row *rows, int *count, double budget_s) {
    void *data;
    const bool forced = comm->forced;
    const ann_algorithm force = comm->force;
    ANN_TRY(ann_comm_alloc(comm, &data, (size_t)BYTES_MAX));
    const ann_status status = measure(comm, rows, count, data, budget_s);
    comm->forced = forced;
    comm->force = force;
    ann_comm_release(comm, data);
    return status;
}

/* ---- the file ---- */

/* What the table depends on. */
static uint64_t key_of(const ann_comm *comm) {
    static const char *const settings[] = {"OMPI_MCA_btl", "OMPI_MCA_pml", "OMPI_MCA_btl_tcp_if_include",
                                           "OMPI_MCA_btl_vader_single_copy_mechanism"};
    cpu_set_t cpus;
    const int cores = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 0;
    ann_algorithm algorithms[ALGORITHMS_MAX];
    const int facts[] = {comm->size,
                         comm->n_nodes,
                         cores,
                         comm->shared && comm->shared_allowed,
                         (int)comm->order,
                         ann_comm_algorithms(comm, algorithms, ALGORITHMS_MAX)};
    uint64_t key = ann_hash(comm->hosts, (size_t)comm->size * sizeof *comm->hosts, 0);
    key = ann_hash(facts, sizeof facts, key);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *value = getenv(settings[i]);
        key = ann_hash(value ? value : "", value ? strlen(value) : 0, key + i);
    }
    return key;
}

static bool path_of(char *path, size_t size, const char *dir, uint64_t key) {
    return snprintf(path, size, "%s/tuning-%016" PRIx64 ".txt", dir, key) < (int)size;
}

static bool read_row(FILE *file, ann_tuning_row *row) {
    int shared, direct, pattern;
    ann_algorithm *a = &row->best;
    if (fscanf(file, "%" SCNd64 " %d %d %d %d %zu %lf", &row->bytes, &shared, &direct, &pattern, &a->rings,
               &a->segment_bytes, &row->seconds) != 7)
        return false;
    a->shared = shared != 0;
    a->direct = direct != 0;
    a->pattern = (ann_pattern)pattern;
    return pattern >= 0 && pattern < ANN_PATTERN_COUNT && row->bytes > 0;
}

/* Rows of the file, 0 if there is none that can be used. */
static int file_read(const char *path, ann_tuning_row *rows) {
    int n = 0;
    FILE *file = fopen(path, "r");
    if (!file) return 0;
    if (fscanf(file, "annulus-tuning %d", &n) != 1 || n < 1 || n > ROWS_MAX) n = 0;
    for (int i = 0; i < n; i++)
        if (!read_row(file, &rows[i]) || (i > 0 && rows[i].bytes <= rows[i - 1].bytes)) n = 0;
    fclose(file);
    return n;
}

/* Written beside and renamed, so that no job reads half a table. A failure costs the next job a calibration.
 */
static void file_write(const char *dir, const char *path, const ann_tuning_row *rows, int n) {
    char part[PATH_BYTES + 32];
    (void)mkdir(dir, 0777);
    (void)snprintf(part, sizeof part, "%s.%ld", path, (long)getpid());
    FILE *file = fopen(part, "w");
    bool ok = file != NULL;
    if (file) {
        ok = fprintf(file, "annulus-tuning %d\n", n) > 0;
        for (int i = 0; i < n; i++) {
            const ann_algorithm *a = &rows[i].best;
            ok = fprintf(file, "%" PRId64 " %d %d %d %d %zu %.9g\n", rows[i].bytes, a->shared, a->direct,
                         (int)a->pattern, a->rings, a->segment_bytes, rows[i].seconds) > 0 &&
                 ok;
        }
        ok = fclose(file) == 0 && ok;
        ok = ok && rename(part, path) == 0;
        if (!ok) (void)unlink(part);
    }
    if (!ok) ann_log_line(ANN_LOG_DEBUG, "the tuning cannot be kept in %s: %s", path, strerror(errno));
}

/* ---- both ---- */

typedef struct table {
    int64_t count;
    ann_tuning_row rows[ROWS_MAX];
} table;

static ann_status use(ann_comm *comm, const table *t) {
    ann_tuning_row *rows = malloc(sizeof t->rows);
    if (!rows) return ann_error(ANN_ERR_MEMORY, "no memory for the tuning");
    memcpy(rows, t->rows, sizeof t->rows);
    free(comm->rows);
    comm->rows = rows;
    comm->n_rows = (int)t->count;
    return ANN_OK;
}

ann_status ann_comm_calibrate(ann_comm *comm, const char *cache_dir, double budget_s, bool *measured) {
    char path[PATH_BYTES] = "";
    table t = {0};
    *measured = false;
    ANN_TRY(anni_usable(comm));
    if (comm->size == 1) return ANN_OK;
    const bool cached = cache_dir && path_of(path, sizeof path, cache_dir, key_of(comm));
    if (cached && comm->rank == 0) t.count = file_read(path, t.rows);
    ANN_TRY(ann_comm_broadcast(comm, &t, sizeof t, 0));
    if (t.count == 0) {
        int count;
        ANN_TRY(measure_all(comm, t.rows, &count, budget_s));
        t.count = count;
        *measured = true;
        if (cached && comm->rank == 0) file_write(cache_dir, path, t.rows, count);
    }
    return ann_agree(comm, use(comm, &t));
}
