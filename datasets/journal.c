#include "datasets/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/hash.h"
#include "datasets/part.h"

typedef struct slot {
    uint64_t key, sequence;
    anni_progress_state state;
    uint64_t hash; /* of all before it */
} slot;

static bool is_valid(const slot *s, uint64_t key) {
    return s->key == key && s->sequence > 0 && s->hash == ann_hash(s, offsetof(slot, hash), 0);
}

static ann_status lock_file(anni_journal *j, const char *out) {
    for (;;) {
        struct stat info;
        j->fd = open(j->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (j->fd < 0) return anni_io_error(out);
        /* Of this process alone: a lock of flock's kind would live on in a child. */
        struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(j->fd, F_SETLK, &whole) != 0) {
            if (errno == EACCES || errno == EAGAIN)
                return ann_error(ANN_ERR_IO, "%s: another import is writing it", out);
            if (errno != ENOLCK && errno != EINVAL) return anni_io_error(out); /* there are no locks here */
        }
        if (fstat(j->fd, &info) == 0 && info.st_nlink > 0) return ANN_OK;
        close(j->fd); /* the import before has just removed it */
    }
}

static ann_status load(anni_journal *j, const char *out, bool *found, anni_progress_state *state) {
    slot slots[2];
    memset(slots, 0, sizeof slots);
    const ssize_t got = pread(j->fd, slots, sizeof slots, 0);
    if (got < 0) return anni_io_error(out);
    for (int i = 0; i < 2; i++) {
        if (!is_valid(&slots[i], j->key) || slots[i].sequence <= j->sequence) continue;
        j->sequence = slots[i].sequence;
        *state = slots[i].state;
        *found = true;
    }
    if (*found) return ANN_OK;
    memset(slots, 0, sizeof slots); /* takes the room on the disk that it will need */
    return pwrite(j->fd, slots, sizeof slots, 0) == (ssize_t)sizeof slots ? ANN_OK : anni_io_error(out);
}

ann_status anni_journal_open(anni_journal *journal, const char *out, uint64_t key, ann_arena *arena,
                             bool *found, anni_progress_state *state) {
    *journal = (anni_journal){.key = key, .fd = -1};
    *found = false;
    journal->path = ann_arena_printf(arena, "%s.import", out);
    if (journal->path == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", out);
    ann_status status = lock_file(journal, out);
    if (status != ANN_OK) {
        if (journal->fd >= 0) close(journal->fd);
        journal->fd = -1;
        return status;
    }
    status = load(journal, out, found, state);
    if (status != ANN_OK) anni_journal_close(journal, true);
    return status;
}

ann_status anni_journal_write(anni_journal *journal, const anni_progress_state *state) {
    slot s;
    memset(&s, 0, sizeof s);
    s.key = journal->key;
    s.sequence = ++journal->sequence;
    s.state = *state;
    s.hash = ann_hash(&s, offsetof(slot, hash), 0);
    const off_t at = (off_t)(s.sequence % 2 * sizeof s);
    if (pwrite(journal->fd, &s, sizeof s, at) != (ssize_t)sizeof s || fdatasync(journal->fd) != 0) {
        return anni_io_error(journal->path);
    }
    return ANN_OK;
}

void anni_journal_close(anni_journal *journal, bool remove) {
    if (journal->fd < 0) return;
    if (remove) unlink(journal->path);
    close(journal->fd);
    journal->fd = -1;
}
