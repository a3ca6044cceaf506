/* A benchmark of a few seconds: every rank computes, all sum, and neighbours in two rings (of the ranks of a
   host, and of the hosts' first ranks) send a message to and fro. In each round a rank has one partner, so
   that pairs do not share a link. */
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "doctor.h"

enum { SMALL_BYTES = 8, LARGE_BYTES = 4 << 20 };
#define COMPUTE_S 0.1
#define SUM_S 0.4
#define LATENCY_S 0.1
#define BANDWIDTH_S 0.25

static double since_s(int64_t begin_ns) { return 1e-9 * (double)(ann_clock_ns() - begin_ns); }

/* ---- computing ---- */

/* The best of many short loops, so that a core which others use as well is judged by its free moments. */
static double measure_compute(void) {
    enum { ELEMS = 2048, ROUNDS = 500 };
    static float x[ELEMS], y[ELEMS];
    double best_s = 0;
    for (int i = 0; i < ELEMS; i++) x[i] = y[i] = (float)i;
    for (const int64_t begin_ns = ann_clock_ns(); since_s(begin_ns) < COMPUTE_S;) {
        const int64_t round_ns = ann_clock_ns();
        for (int round = 0; round < ROUNDS; round++) {
            for (int i = 0; i < ELEMS; i++) x[i] = 0.5f * x[i] + y[i];
            __asm__ volatile("" : : "r"(x) : "memory"); /* each round is computed */
        }
        const double took_s = since_s(round_ns);
        if (best_s == 0 || took_s < best_s) best_s = took_s;
    }
    return best_s > 0 ? 2e-9 * ELEMS * ROUNDS / best_s : 0;
}

/* ---- sums over all ranks ---- */

static void fill(float *data, int64_t elems, int rank) {
    for (int64_t i = 0; i < elems; i++) data[i] = (float)(i % 13 + rank);
}

static bool is_sum(const float *data, int64_t elems, int size) {
    for (int64_t i = 0; i < elems; i++)
        if (data[i] != (float)(i % 13 * size + (int64_t)size * (size - 1) / 2)) return false;
    return true;
}

/* Several follow each other, so that no rank can be done before the others have begun. */
static ann_status time_sums(ann_comm *comm, float *data, int64_t elems, double *best_s) {
    enum { REPEATS = 8 };
    int more = 1;
    *best_s = 0;
    memset(data, 0, (size_t)elems * sizeof *data); /* zeros stay what they are */
    for (const int64_t begin_ns = ann_clock_ns(); more;) {
        ANN_TRY(ann_comm_barrier(comm));
        const int64_t sums_ns = ann_clock_ns();
        for (int i = 0; i < REPEATS; i++) ANN_TRY(ann_comm_allreduce(comm, data, elems, ANN_F32));
        const double took_s = since_s(sums_ns) / REPEATS;
        if (*best_s == 0 || took_s < *best_s) *best_s = took_s;
        more = since_s(begin_ns) < SUM_S;
        ANN_TRY(ann_comm_broadcast(comm, &more, sizeof more, 0));
    }
    return ANN_OK;
}

static ann_status measure_sums(ann_comm *comm, doctor_ring_facts *f) {
    void *memory;
    ANN_TRY(ann_comm_alloc(comm, &memory, (size_t)doctor_sum_bytes[DOCTOR_SUMS - 1]));
    ann_status status = ANN_OK;
    for (int k = 0; k < DOCTOR_SUMS && status == ANN_OK; k++) {
        const int64_t elems = doctor_sum_bytes[k] / (int64_t)sizeof(float);
        fill(memory, elems, ann_comm_rank(comm));
        status = ann_comm_allreduce(comm, memory, elems, ANN_F32);
        f->sum_wrong |= status == ANN_OK && !is_sum(memory, elems, ann_comm_size(comm));
        if (status == ANN_OK) status = time_sums(comm, memory, elems, &f->sum_s[k]);
    }
    ann_comm_release(comm, memory);
    return status;
}

/* ---- two neighbours ---- */

typedef struct wire {
    char *data; /* [LARGE_BYTES] */
    double timeout_s;
} wire;

/* To and fro until the time is up, of which the first rank's last message tells; then it sends what it has
   measured: the shortest way, in seconds. */
static ann_status ping_pong(const wire *w, int bytes, int partner, bool first, double budget_s,
                            double *way_s) {
    double best_s = 0;
    bool more = true;
    for (const int64_t begin_ns = ann_clock_ns(); more;) {
        const int64_t way_ns = ann_clock_ns();
        if (first) {
            more = since_s(begin_ns) < budget_s;
            w->data[0] = (char)more;
            ANN_TRY(doctor_send(partner, w->data, bytes, w->timeout_s));
        }
        ANN_TRY(doctor_receive(partner, w->data, bytes, w->timeout_s));
        if (!first) {
            more = w->data[0] != 0;
            ANN_TRY(doctor_send(partner, w->data, bytes, w->timeout_s));
        }
        const double took_s = 0.5 * since_s(way_ns);
        if (best_s == 0 || took_s < best_s) best_s = took_s;
    }
    *way_s = best_s;
    return first ? doctor_send(partner, way_s, sizeof *way_s, w->timeout_s)
                 : doctor_receive(partner, way_s, sizeof *way_s, w->timeout_s);
}

static ann_status measure_pair(const wire *w, int partner, bool first, doctor_link *link) {
    double small_s, large_s;
    ANN_TRY(ping_pong(w, SMALL_BYTES, partner, first, LATENCY_S, &small_s));
    ANN_TRY(ping_pong(w, LARGE_BYTES, partner, first, BANDWIDTH_S, &large_s));
    const double bytes_per_s = large_s > 0 ? LARGE_BYTES / large_s : 0;
    if (link->latency_s == 0 || small_s < link->latency_s) link->latency_s = small_s;
    if (bytes_per_s > link->bytes_per_s) link->bytes_per_s = bytes_per_s;
    return ANN_OK;
}

/* Round 0 has the pairs (0, 1), (2, 3) ..., round 1 (1, 2), (3, 4) ... with (n - 1, 0) if n is even, and
   round 2 the pair (n - 1, 0) if n is odd. Returns the partner's place in a ring of n, or -1: none. */
int doctor_ring_partner(int n, int place, int round) {
    if (n < 2 || (n == 2 && round > 0)) return -1;
    if (round == 2) return n % 2 == 0 ? -1 : place == 0 ? n - 1 : place == n - 1 ? 0 : -1;
    const int even = n - n % 2;
    if (round == 0) return place < even ? place ^ 1 : -1;
    if (n % 2 == 1 && place == 0) return -1;
    return place % 2 ? (place + 1) % n : (place + n - 1) % n;
}

/* ranks: of a ring, in which this rank is at `place`; or -1: it is in none, and only waits at the end of each
   round. Collective. */
static ann_status measure_ring(ann_comm *comm, const wire *w, const int *ranks, int n, int place,
                               doctor_link *link) {
    for (int round = 0; round < 3; round++) {
        const int partner = place >= 0 ? doctor_ring_partner(n, place, round) : -1;
        if (partner >= 0) ANN_TRY(measure_pair(w, ranks[partner], place < partner, link));
        ANN_TRY(ann_comm_barrier(comm));
    }
    return ANN_OK;
}

/* The ranks of this one's host, or the first ones of all hosts. */
static int ring_of(ann_comm *comm, bool near, int *ranks, int *place) {
    const char *mine = ann_comm_host(comm, ann_comm_rank(comm));
    int n = 0;
    *place = -1;
    for (int r = 0; r < ann_comm_size(comm); r++) {
        const char *host = ann_comm_host(comm, r);
        bool in = near && strcmp(host, mine) == 0, seen = false;
        for (int k = 0; !near && k < n; k++) seen = seen || strcmp(ann_comm_host(comm, ranks[k]), host) == 0;
        if (!near) in = !seen;
        if (in && r == ann_comm_rank(comm)) *place = n;
        if (in) ranks[n++] = r;
    }
    return n;
}

static ann_status measure_both(ann_comm *comm, int *ranks, doctor_ring_facts *f, double timeout_s) {
    static char data[LARGE_BYTES]; /* stays, because MPI may still write to it after a failure */
    const wire w = {data, timeout_s};
    int place;
    int n = ring_of(comm, true, ranks, &place);
    ANN_TRY(measure_ring(comm, &w, ranks, n, place, &f->near));
    n = ring_of(comm, false, ranks, &place);
    return measure_ring(comm, &w, ranks, n, place, &f->far);
}

static ann_status measure_rings(ann_comm *comm, doctor_ring_facts *f, double timeout_s) {
    int *ranks = malloc((size_t)ann_comm_size(comm) * sizeof *ranks);
    ann_status status = ann_agree(comm, ranks ? ANN_OK : ann_error(ANN_ERR_MEMORY, "no memory for ranks"));
    if (status == ANN_OK && ranks) status = measure_both(comm, ranks, f, timeout_s);
    free(ranks);
    return status;
}

ann_status doctor_ring_find(ann_comm *comm, doctor_ring_facts *f, bool mpi, double timeout_s) {
    ANN_TRY(ann_comm_barrier(comm));
    f->compute_gflops = measure_compute();
    f->measured = true;
    if (!mpi || ann_comm_size(comm) == 1) return ANN_OK;
    ANN_TRY(measure_sums(comm, f));
    return measure_rings(comm, f, timeout_s);
}
