/* Memory that the ranks of a host share: the communicator's own window, and ann_comm_alloc. */
#include "comm/shared.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include "base/mem.h"

/* ---- one window ---- */

enum { PAGE_BYTES = 4096 };

/* MPI promises no alignment: a page more is allocated, and each part begins at a page's start. All ranks map
   the memory at pages, so it is the same one for all of them. */
static char *at_page(char *part) { return part + (PAGE_BYTES - (uintptr_t)part % PAGE_BYTES) % PAGE_BYTES; }

static int allocate(const ann_comm *comm, anni_window *w, size_t bytes) {
    MPI_Info info;
    void *mine;
    int rc = MPI_Info_create(&info);
    if (rc != MPI_SUCCESS) return rc;
    rc = MPI_Info_set(info, "alloc_shared_noncontig", "true");
    if (rc == MPI_SUCCESS)
        rc = MPI_Win_allocate_shared((MPI_Aint)(bytes + PAGE_BYTES), 1, info, comm->node, &mine, &w->win);
    MPI_Info_free(&info);
    return rc;
}

/* Whether the host has room for all its ranks' parts. Open MPI (4.1.4) makes the window as a file, and where
   that does not fit, one rank returns an error while the others wait for it for ever; so it is asked before.
 */
static int has_room(const ann_comm *comm, size_t bytes) {
    const char *folder = getenv("OMPI_MCA_osc_sm_backing_directory");
    struct statvfs fs;
    int64_t mine = (int64_t)bytes + 2 * PAGE_BYTES, all = 0;
    int room = 1;
    if (MPI_Allreduce(&mine, &all, 1, MPI_INT64_T, MPI_SUM, comm->node) != MPI_SUCCESS) return 0;
    if (comm->local_rank == 0 && statvfs(folder ? folder : "/dev/shm", &fs) == 0)
        room = (double)fs.f_bavail * (double)fs.f_frsize > 1.05 * (double)all + (1 << 20);
    return MPI_Bcast(&room, 1, MPI_INT, 0, comm->node) == MPI_SUCCESS && room;
}

/* Where memory cannot be had, all ranks of the host learn it: *usable is false. Collective over the host. */
static ann_status window_new(const ann_comm *comm, anni_window *w, size_t bytes, bool *usable) {
    *w = (anni_window){.win = MPI_WIN_NULL, .bytes = bytes};
    w->parts = calloc((size_t)comm->local_size, sizeof *w->parts);
    *usable = false;
    if (!has_room(comm, bytes)) return ANN_OK;
    int ok = w->parts && allocate(comm, w, bytes) == MPI_SUCCESS, all = 0;
    for (int i = 0; ok && i < comm->local_size; i++) {
        MPI_Aint size;
        int unit;
        ok = MPI_Win_shared_query(w->win, i, &size, &unit, &w->parts[i]) == MPI_SUCCESS;
        if (ok) w->parts[i] = at_page(w->parts[i]);
    }
    if (MPI_Allreduce(&ok, &all, 1, MPI_INT, MPI_MIN, comm->node) != MPI_SUCCESS)
        return ann_error(ANN_ERR_COMM, "MPI_Allreduce over a host failed");
    *usable = all;
    /* Touched by its owner, so that it lies near it, and so that nothing is left to do in a step. */
    if (all && w->parts && w->parts[comm->local_rank]) memset(w->parts[comm->local_rank], 0, bytes);
    return ANN_OK;
}

static void window_free(anni_window *w) {
    if (w->win != MPI_WIN_NULL) MPI_Win_free(&w->win);
    free(w->parts);
    *w = (anni_window){.win = MPI_WIN_NULL};
}

/* ---- the communicator's own ---- */

static size_t board_bytes(void) { return ann_align_up(sizeof(anni_board), PAGE_BYTES); }

static bool shared_alloc(ann_comm *comm) {
    const size_t n = (size_t)comm->local_size;
    anni_shared *s = calloc(1, sizeof *s);
    comm->shared = s;
    if (!s) return false;
    s->control.win = MPI_WIN_NULL;
    for (int i = 0; i < ANNI_WINDOWS_MAX; i++) s->windows[i].win = MPI_WIN_NULL;
    s->boards = calloc(n, sizeof *s->boards);
    s->slots = calloc(n, sizeof *s->slots);
    s->targets = calloc(n, sizeof *s->targets);
    s->sources = calloc(n, sizeof *s->sources);
    return s->boards && s->slots && s->targets && s->sources;
}

ann_status anni_shared_new(ann_comm *comm) {
    const size_t bytes = board_bytes() + (size_t)ANNI_SLOTS * ANNI_SLOT_BYTES;
    bool usable = false;
    ann_status status = ANN_OK;
    if (comm->n_nodes == comm->size) return ANN_OK;
    if (!shared_alloc(comm)) status = ann_error(ANN_ERR_MEMORY, "no memory for shared reductions");
    ANN_TRY(ann_agree(comm, status));
    anni_shared *s = comm->shared;
    status = window_new(comm, &s->control, bytes, &usable);
    /* All hosts go the same way: where one cannot share, none does. */
    int64_t sharing = usable;
    ANN_TRY(ann_agree(comm, status));
    ANN_TRY(ann_comm_allreduce(comm, &sharing, 1, ANN_I64));
    if (sharing < comm->size) {
        anni_shared_free(comm);
        return ANN_OK;
    }
    for (int i = 0; i < comm->local_size; i++) {
        s->boards[i] = (anni_board *)s->control.parts[i];
        s->slots[i] = s->control.parts[i] + board_bytes();
    }
    comm->shared_allowed = true;
    return ann_comm_barrier(comm);
}

void anni_shared_free(ann_comm *comm) {
    anni_shared *s = comm->shared;
    if (!s) return;
    for (int i = 0; i < ANNI_WINDOWS_MAX; i++) window_free(&s->windows[i]);
    window_free(&s->control);
    free(s->boards);
    free(s->slots);
    free(s->targets);
    free(s->sources);
    free(s);
    comm->shared = NULL;
}

/* ---- for messages ---- */

/* An ordinary allocation has its size in front of it. */
static ann_status private_alloc(void **out, size_t bytes) {
    void *whole;
    ANN_TRY(ann_mem_alloc(&whole, bytes + ANN_ALIGN_BYTES));
    *(size_t *)whole = bytes + ANN_ALIGN_BYTES;
    *out = (char *)whole + ANN_ALIGN_BYTES;
    return ANN_OK;
}

static void private_free(void *memory) {
    char *whole = (char *)memory - ANN_ALIGN_BYTES;
    ann_mem_free(whole, *(size_t *)whole);
}

static anni_window *free_window(anni_shared *s) {
    for (int i = 0; i < ANNI_WINDOWS_MAX; i++)
        if (s->windows[i].win == MPI_WIN_NULL) return &s->windows[i];
    return NULL;
}

ann_status ann_comm_alloc(ann_comm *comm, void **out, size_t bytes) {
    *out = NULL;
    ANN_TRY(anni_usable(comm));
    anni_window *w = comm->shared ? free_window(comm->shared) : NULL; /* alike on all ranks of a host */
    bool usable = false;
    ann_status status = ANN_OK;
    if (w) {
        ANN_TRY(ann_comm_barrier(comm)); /* MPI's own wait for the other ranks has no deadline */
        status = window_new(comm, w, bytes > 0 ? bytes : 1, &usable);
        if (usable) *out = w->parts[comm->local_rank];
        else window_free(w);
    }
    if (status == ANN_OK && !usable) status = private_alloc(out, bytes);
    return ann_agree(comm, status);
}

void ann_comm_release(ann_comm *comm, void *memory) {
    if (!memory || comm->broken || anni_shared_called(comm)) return;
    for (int i = 0; comm->shared && i < ANNI_WINDOWS_MAX; i++) {
        anni_window *w = &comm->shared->windows[i];
        if (w->win == MPI_WIN_NULL || w->parts[comm->local_rank] != memory) continue;
        window_free(w);
        return;
    }
    private_free(memory);
}
