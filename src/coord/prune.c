/* What becomes of the past. Metrics of a run that no job works on, and about which nothing has been heard for
   keep_ms, are removed; its events, phases, checkpoints and requests stay, and so does its last record, by
   which readers find the end. Lines of the audit log stay PATIENCE times as long. A little at a time, so that
   nobody waits for it; the table `pruned` says how far it has come in each run. */
#include <stdlib.h>
#include "coord/registry.h"

enum { AT_ONCE = 2000, PATIENCE = 4 };

/* Records of a run that are looked at now. */
typedef struct stretch {
    int64_t run, first, last; /* sequence numbers */
    int64_t metrics[AT_ONCE];
    int count;
} stretch;

static ann_status find_stretch(anni_registry *r, stretch *s, bool *found) {
    sqlite3_stmt *rows;
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT id, coalesce(upto, 0) + 1, min(run.sequence - 1, coalesce(upto, 0) + ?1)"
        " FROM run LEFT JOIN pruned ON pruned.run = run.id"
        " WHERE state <> ?2 AND changed_ms < ?3 AND coalesce(upto, 0) < run.sequence - 1 LIMIT 1",
        "iii", (int64_t)AT_ONCE, (int64_t)ANNULUS__V1__RUN_STATE__RUN_ACTIVE, r->now_ms - r->keep_ms));
    ANN_TRY(anni_db_next(found, r->db, rows));
    if (!*found) return ANN_OK;
    *s = (stretch){.run = sqlite3_column_int64(rows, 0),
                   .first = sqlite3_column_int64(rows, 1),
                   .last = sqlite3_column_int64(rows, 2)};
    anni_db_end(rows);
    return ANN_OK;
}

static bool is_metric(sqlite3_stmt *rows, int column) {
    Annulus__V1__Record *record = annulus__v1__record__unpack(
        NULL, (size_t)sqlite3_column_bytes(rows, column), sqlite3_column_blob(rows, column));
    if (!record) return false;
    const bool is = record->what_case == ANNULUS__V1__RECORD__WHAT_METRIC;
    annulus__v1__record__free_unpacked(record, NULL);
    return is;
}

static ann_status find_metrics(anni_registry *r, stretch *s) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(&rows, r->db,
                          "SELECT sequence, body FROM record WHERE run = ? AND sequence BETWEEN ? AND ?",
                          "iii", s->run, s->first, s->last));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        if (is_metric(rows, 1)) s->metrics[s->count++] = sqlite3_column_int64(rows, 0);
    }
}

static ann_status remove_metrics(anni_registry *r, stretch *s) {
    ANN_TRY(find_metrics(r, s));
    for (int i = 0; i < s->count; i++)
        ANN_TRY(anni_db_run(r->db, "DELETE FROM record WHERE run = ? AND sequence = ?", "ii", s->run,
                            s->metrics[i]));
    return anni_db_run(r->db,
                       "INSERT INTO pruned(run, upto) VALUES (?, ?)"
                       " ON CONFLICT(run) DO UPDATE SET upto = excluded.upto",
                       "ii", s->run, s->last);
}

static ann_status remove_lines(anni_registry *r) {
    return anni_db_run(r->db, "DELETE FROM audit WHERE id < (SELECT min(id) FROM audit) + ? AND time_ms < ?",
                       "ii", (int64_t)AT_ONCE, r->now_ms - PATIENCE * r->keep_ms);
}

ann_status anni_prune(anni_registry *r) {
    bool found;
    if (r->keep_ms == 0) return ANN_OK;
    stretch *s = malloc(sizeof *s);
    if (!s) return ann_error(ANN_ERR_MEMORY, "no memory to remove old records");
    ann_status status = find_stretch(r, s, &found);
    if (status == ANN_OK && found) status = remove_metrics(r, s);
    free(s);
    return status == ANN_OK ? remove_lines(r) : status;
}
