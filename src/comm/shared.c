/* The pieces of a request: publish, act, wait for the others, take. */
#include "comm/shared.h"

#include <string.h>
#include "tensor/chunk.h"

/* ---- planning ---- */

static int window_of(const ann_comm *comm, const char *data, size_t bytes, int64_t *offset_bytes) {
    for (int i = 0; i < ANNI_WINDOWS_MAX; i++) {
        const anni_window *w = &comm->shared->windows[i];
        if (w->win == MPI_WIN_NULL) continue;
        const char *begin = w->parts[comm->local_rank];
        if (data < begin || data + bytes > begin + w->bytes) continue;
        *offset_bytes = data - begin;
        return i;
    }
    return -1;
}

void anni_pieces_plan(const ann_comm *comm, anni_request *request) {
    anni_pieces *p = &request->pieces;
    const size_t bytes = (size_t)request->elems * request->elem_bytes;
    *p = (anni_pieces){.first = comm->shared->next_piece, .window = -1, .count = 1, .elems = request->elems};
    p->direct = request->algorithm.direct && bytes <= ANNI_SLOT_BYTES;
    if (!p->direct) p->window = window_of(comm, request->data, bytes, &p->offset_bytes);
    if (p->window >= 0) return;
    p->elems = ANNI_SLOT_BYTES / (int64_t)request->elem_bytes;
    p->count = (request->elems + p->elems - 1) / p->elems;
}

/* ---- one piece, as this rank sees it ---- */

typedef struct piece {
    ann_comm *comm;
    anni_shared *s;
    anni_request *request;
    uint64_t number;
    int64_t begin, elems; /* of the message */
} piece;

static piece piece_at(ann_comm *comm, anni_request *request, int64_t index) {
    const anni_pieces *p = &request->pieces;
    const int64_t begin = index * p->elems, left = request->elems - begin;
    return (piece){
        comm, comm->shared, request, p->first + (uint64_t)index, begin, left < p->elems ? left : p->elems};
}

static int slot_of(const piece *p) { return (int)(p->number % ANNI_SLOTS); }
static size_t bytes_of(const piece *p, int64_t elems) { return (size_t)elems * p->request->elem_bytes; }
static char *data_of(const piece *p) { return p->request->data + bytes_of(p, p->begin); }

/* Another rank's part, from its notice. */
static char *part_of(const piece *p, int local) {
    const anni_notice *n = &p->s->boards[local]->notices[slot_of(p)];
    if (n->window >= 0) return p->s->windows[n->window].parts[local] + n->offset_bytes;
    return p->s->slots[local] + (size_t)slot_of(p) * ANNI_SLOT_BYTES;
}

static bool in_window(const piece *p) { return p->request->pieces.window >= 0; }

/* The part of chunk `index` of the message that lies in this piece. */
static void chunk_in_piece(const piece *p, int parts, int index, int64_t *begin, int64_t *count) {
    int64_t end;
    ann_chunk_of(p->request->elems, parts, index, begin, count);
    end = *begin + *count;
    if (*begin < p->begin) *begin = p->begin;
    if (end > p->begin + p->elems) end = p->begin + p->elems;
    *count = end > *begin ? end - *begin : 0;
    *begin -= p->begin;
}

/* ---- counters ---- */

typedef enum counter { PUBLISHED, SUMMED, TAKEN } counter;

static uint64_t read_counter(const anni_board *b, counter which) {
    if (which == PUBLISHED) return atomic_load_explicit(&b->published, memory_order_acquire);
    if (which == SUMMED) return atomic_load_explicit(&b->summed, memory_order_acquire);
    return atomic_load_explicit(&b->taken, memory_order_acquire);
}

/* Whether all ranks of the host have come so far. */
static bool all_reached(const ann_comm *comm, counter which, uint64_t count) {
    for (int i = 0; i < comm->local_size; i++)
        if (read_counter(comm->shared->boards[i], which) < count) return false;
    return true;
}

static anni_board *my_board(const ann_comm *comm) { return comm->shared->boards[comm->local_rank]; }

/* ---- stages ---- */

/* Returns false if it must wait for the slot. */
static bool publish(const piece *p) {
    if (p->number >= ANNI_SLOTS && !all_reached(p->comm, TAKEN, p->number - ANNI_SLOTS + 1)) return false;
    anni_board *board = my_board(p->comm);
    board->notices[slot_of(p)] = (anni_notice){.window = p->request->pieces.window,
                                               .collective = (int32_t)p->request->collective,
                                               .offset_bytes = p->request->pieces.offset_bytes,
                                               .elems = p->elems};
    if (!in_window(p)) {
        char *slot = part_of(p, p->comm->local_rank);
        int64_t begin = 0, count = p->elems;
        if (p->request->collective == ANN_COLLECTIVE_ALLGATHER)
            chunk_in_piece(p, p->comm->size, p->comm->rank, &begin, &count);
        memcpy(slot + bytes_of(p, begin), data_of(p) + bytes_of(p, begin), bytes_of(p, count));
    }
    atomic_store_explicit(&board->published, p->number + 1, memory_order_release);
    return true;
}

static ann_status check_notices(const piece *p) {
    for (int i = 0; i < p->comm->local_size; i++) {
        const anni_notice *n = &p->s->boards[i]->notices[slot_of(p)];
        if (n->elems != p->elems || n->collective != (int32_t)p->request->collective)
            return anni_break(p->comm,
                              ann_error(ANN_ERR_COMM,
                                        "a rank of this host brings %lld elements where %lld were expected: "
                                        "the ranks reduce messages of different sizes",
                                        (long long)n->elems, (long long)p->elems));
    }
    return ANN_OK;
}

/* Elements [begin, begin + count) of the piece become the sum of all parts in each target. */
static void sum_up(const piece *p, void *const *targets, int n_targets, int64_t begin, int64_t count) {
    for (int i = 0; i < p->comm->local_size; i++) p->s->sources[i] = part_of(p, i) + bytes_of(p, begin);
    p->request->sum->tree(targets, n_targets, p->s->sources, p->comm->local_size, count);
}

/* This rank's slice of the piece, empty if it stands for none. */
static void slice_of(const piece *p, int local, int64_t *begin, int64_t *count) {
    *begin = *count = 0;
    if (local < p->comm->leaders) ann_chunk_of(p->elems, p->comm->leaders, local, begin, count);
}

/* The slice is summed into this rank's part, if it is to be sent, or else to where the others look for it:
   everywhere in a window, in the own slot otherwise. */
static void sum_slice(const piece *p) {
    int64_t begin, count;
    const ann_comm *comm = p->comm;
    const int mine = comm->local_rank;
    const bool everywhere = in_window(p) && comm->n_nodes == 1;
    slice_of(p, mine, &begin, &count);
    for (int i = 0; i < comm->local_size; i++)
        p->s->targets[i] = part_of(p, everywhere ? i : mine) + bytes_of(p, begin);
    if (count > 0) sum_up(p, p->s->targets, everywhere ? comm->local_size : 1, begin, count);
}

static void send_slice(const piece *p) {
    int64_t begin, count;
    anni_job *job = &p->s->jobs[slot_of(p)];
    slice_of(p, p->comm->local_rank, &begin, &count);
    *job = anni_request_job(p->request, &p->comm->slice, part_of(p, p->comm->local_rank) + bytes_of(p, begin),
                            count);
    job->number = p->request->first_job + (p->number - p->request->pieces.first);
    if (count > 0) anni_job_begin(p->comm, job);
    else job->state = ANNI_JOB_DONE;
}

/* After a job: a window's slice goes to the other ranks of the host. */
static void spread_slice(const piece *p) {
    int64_t begin, count;
    slice_of(p, p->comm->local_rank, &begin, &count);
    if (!in_window(p) || p->comm->n_nodes == 1) return;
    const char *from = part_of(p, p->comm->local_rank) + bytes_of(p, begin);
    for (int i = 0; i < p->comm->local_size; i++)
        if (i != p->comm->local_rank) memcpy(part_of(p, i) + bytes_of(p, begin), from, bytes_of(p, count));
}

static void reduce_own_chunk(const piece *p) {
    int64_t begin, count;
    chunk_in_piece(p, p->comm->size, p->comm->rank, &begin, &count);
    void *target = data_of(p) + bytes_of(p, begin);
    if (count > 0) sum_up(p, &target, 1, begin, count);
}

static void gather_chunks(const piece *p) {
    for (int r = 0; r < p->comm->size; r++) {
        int64_t begin, count;
        if (r == p->comm->rank) continue;
        chunk_in_piece(p, p->comm->size, r, &begin, &count);
        memcpy(data_of(p) + bytes_of(p, begin), part_of(p, p->comm->local_of[r]) + bytes_of(p, begin),
               bytes_of(p, count));
    }
}

/* What this rank does once all parts are there. */
static void act(const piece *p) {
    void *target = data_of(p);
    if (p->request->collective == ANN_COLLECTIVE_REDUCE_SCATTER) reduce_own_chunk(p);
    else if (p->request->collective == ANN_COLLECTIVE_ALLGATHER) gather_chunks(p);
    else if (p->request->pieces.direct) sum_up(p, &target, 1, 0, p->elems);
    else {
        sum_slice(p);
        if (p->comm->n_nodes > 1) send_slice(p);
    }
}

/* The job of piece `number`, if it has one that is not over. */
static const anni_job *job_under_way(const ann_comm *comm, const anni_request *request, uint64_t number) {
    const anni_job *job = &comm->shared->jobs[number % ANNI_SLOTS];
    const bool sends = comm->n_nodes > 1 && request->collective == ANN_COLLECTIVE_ALLREDUCE;
    return sends && job->state != ANNI_JOB_DONE ? job : NULL;
}

/* Copies what the others have summed from their slots. */
static void take(const piece *p) {
    if (in_window(p) || p->request->pieces.direct || p->request->collective != ANN_COLLECTIVE_ALLREDUCE)
        return;
    for (int i = 0; i < p->comm->leaders; i++) {
        int64_t begin, count;
        slice_of(p, i, &begin, &count);
        memcpy(data_of(p) + bytes_of(p, begin), part_of(p, i) + bytes_of(p, begin), bytes_of(p, count));
    }
}

/* Whether the piece is over for this rank without knowing that the others have done their part: it has read
   all that it needs, and what they read of it is a copy. */
static bool stands_alone(const piece *p) {
    const ann_collective c = p->request->collective;
    return !in_window(p) && (p->request->pieces.direct || c != ANN_COLLECTIVE_ALLREDUCE);
}

/* ---- progress ---- */

static bool publish_next(ann_comm *comm, anni_request *request) {
    anni_pieces *p = &request->pieces;
    if (p->published == p->count || comm->shared->published != p->first + (uint64_t)p->published)
        return false;
    const piece now = piece_at(comm, request, p->published);
    if (!publish(&now)) return false;
    p->published++;
    comm->shared->published++;
    return true;
}

static ann_status act_next(ann_comm *comm, anni_request *request, bool *moved) {
    anni_pieces *p = &request->pieces;
    if (p->acted == p->published || comm->shared->acted != p->first + (uint64_t)p->acted ||
        !all_reached(comm, PUBLISHED, comm->shared->acted + 1))
        return ANN_OK;
    const piece now = piece_at(comm, request, p->acted);
    ANN_TRY(check_notices(&now));
    act(&now);
    p->acted++;
    comm->shared->acted++;
    *moved = true;
    return ANN_OK;
}

static bool sum_next(ann_comm *comm, anni_request *request) {
    anni_pieces *p = &request->pieces;
    if (p->summed == p->acted || comm->shared->summed != p->first + (uint64_t)p->summed) return false;
    if (job_under_way(comm, request, comm->shared->summed)) return false;
    const piece now = piece_at(comm, request, p->summed);
    if (request->collective == ANN_COLLECTIVE_ALLREDUCE && !p->direct) spread_slice(&now);
    p->summed++;
    comm->shared->summed++;
    atomic_store_explicit(&my_board(comm)->summed, comm->shared->summed, memory_order_release);
    return true;
}

static bool take_next(ann_comm *comm, anni_request *request) {
    anni_pieces *p = &request->pieces;
    if (p->taken == p->summed || comm->shared->taken != p->first + (uint64_t)p->taken) return false;
    const piece now = piece_at(comm, request, p->taken);
    if (!stands_alone(&now) && !all_reached(comm, SUMMED, comm->shared->taken + 1)) return false;
    take(&now);
    p->taken++;
    comm->shared->taken++;
    atomic_store_explicit(&my_board(comm)->taken, comm->shared->taken, memory_order_release);
    return true;
}

ann_status anni_pieces_progress(ann_comm *comm, anni_request *request, bool *moved, bool *done) {
    bool again = true;
    while (again) {
        again = publish_next(comm, request);
        ANN_TRY(act_next(comm, request, &again));
        again = sum_next(comm, request) || again;
        again = take_next(comm, request) || again;
        *moved = *moved || again;
    }
    *done = request->pieces.taken == request->pieces.count;
    return ANN_OK;
}

void anni_pieces_awaited(const ann_comm *comm, const anni_request *request, anni_awaited *awaited) {
    const anni_pieces *p = &request->pieces;
    const bool acts = p->acted < p->count;
    const uint64_t number = p->first + (uint64_t)(acts ? p->acted : p->taken);
    const anni_job *job = NULL;
    if (p->summed < p->acted) job = job_under_way(comm, request, p->first + (uint64_t)p->summed);
    if (job) {
        anni_job_awaited(comm, job, awaited);
        return;
    }
    awaited->step = (int)(number - p->first) + 1;
    awaited->steps = (int)p->count;
    for (int r = comm->size - 1; r >= 0; r--)
        if (comm->node_of[r] == comm->node_of[comm->rank] &&
            read_counter(comm->shared->boards[comm->local_of[r]], acts ? PUBLISHED : SUMMED) <= number)
            awaited->peer = r;
}

void anni_shared_give_up(const ann_comm *comm) {
    if (comm->shared && comm->shared->boards[0])
        atomic_store_explicit(&my_board(comm)->gave_up, 1, memory_order_release);
}

bool anni_shared_called(const ann_comm *comm) {
    for (int i = 0; comm->shared && comm->shared->boards[0] && i < comm->local_size; i++)
        if (atomic_load_explicit(&comm->shared->boards[i]->gave_up, memory_order_acquire)) return true;
    return false;
}
