#include "coord/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "coord/records.h"

enum { SCHEMA_VERSION = 1 };

static const char *const schema[] = {
    "CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, run_file TEXT NOT NULL, state "
    "INTEGER NOT NULL,"
    " paused INTEGER NOT NULL DEFAULT 0, stopped INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,"
    " changed_ms INTEGER NOT NULL, sequence INTEGER NOT NULL DEFAULT 0)",
    "CREATE TABLE phase(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT "
    "NOT NULL,"
    " kind TEXT NOT NULL, after TEXT NOT NULL, inputs TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " job INTEGER NOT NULL DEFAULT 0, stage TEXT NOT NULL DEFAULT '', step INTEGER NOT NULL DEFAULT 0,"
    " steps INTEGER NOT NULL DEFAULT 0, epoch REAL NOT NULL DEFAULT 0, metric BLOB, text TEXT NOT NULL "
    "DEFAULT '',"
    " began_ms INTEGER NOT NULL DEFAULT 0, ended_ms INTEGER NOT NULL DEFAULT 0, UNIQUE(run, name))",
    "CREATE TABLE job(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, key TEXT NOT NULL UNIQUE,"
    " instance TEXT NOT NULL, state INTEGER NOT NULL, hosts TEXT NOT NULL, ranks INTEGER NOT NULL, "
    "process_id INTEGER NOT NULL,"
    " wants TEXT NOT NULL, phase TEXT NOT NULL DEFAULT '', step INTEGER NOT NULL DEFAULT 0,"
    " sequence INTEGER NOT NULL DEFAULT 0, began_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL, beat BLOB,"
    " version TEXT NOT NULL)",
    "CREATE INDEX job_of_run ON job(run, state)",
    "CREATE TABLE checkpoint(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, phase TEXT NOT NULL, step INTEGER "
    "NOT NULL,"
    " path TEXT NOT NULL, hash TEXT NOT NULL, time_ms INTEGER NOT NULL, job INTEGER NOT NULL, UNIQUE(run, "
    "phase, step, path, hash))",
    "CREATE TABLE request(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " step INTEGER NOT NULL, value REAL NOT NULL, phase TEXT NOT NULL, author TEXT NOT NULL, time_ms INTEGER "
    "NOT NULL, key TEXT,"
    " jobs INTEGER NOT NULL DEFAULT 0, UNIQUE(run, key))",
    "CREATE TABLE delivery(request INTEGER NOT NULL, job INTEGER NOT NULL, run INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0, step INTEGER NOT NULL DEFAULT -1, PRIMARY KEY(request, job)) WITHOUT "
    "ROWID",
    "CREATE INDEX delivery_of_job ON delivery(run, job, state)",
    "CREATE TABLE record(run INTEGER NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(run, sequence)) WITHOUT ROWID",
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, time_ms INTEGER NOT NULL, run TEXT NOT NULL,"
    " author TEXT NOT NULL, action TEXT NOT NULL, text TEXT NOT NULL, result TEXT NOT NULL)",
    "PRAGMA user_version = 1",
};

static int64_t wall_clock_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Makes the tables of a new file, in one transaction; refuses those of another version. */
static ann_status make_tables(anni_db *db) {
    int64_t version;
    ANN_TRY(anni_db_run(db, "BEGIN IMMEDIATE", ""));
    ANN_TRY(anni_db_int(&version, NULL, db, "PRAGMA user_version", ""));
    if (version != 0 && version != SCHEMA_VERSION)
        return ann_error(ANN_ERR_CONFIG,
                         "registry.db has version %lld, accepted is %d: it is of another version of Annulus",
                         (long long)version, SCHEMA_VERSION);
    for (size_t i = 0; version == 0 && i < sizeof schema / sizeof schema[0]; i++)
        ANN_TRY(anni_db_run(db, schema[i], ""));
    return anni_db_run(db, "COMMIT", "");
}

static ann_status set_up(anni_registry *r) {
    ANN_TRY(anni_db_run(r->db, "PRAGMA journal_mode = WAL", ""));
    ANN_TRY(anni_db_run(r->db, "PRAGMA synchronous = FULL", ""));
    ANN_TRY(make_tables(r->db));
    /* Not in the schema: a program that does not know it may open the file all the same. */
    ANN_TRY(anni_db_run(
        r->db, "CREATE TABLE IF NOT EXISTS pruned(run INTEGER PRIMARY KEY, upto INTEGER NOT NULL)", ""));
    return anni_db_run(r->db, "UPDATE job SET seen_ms = ? WHERE state = ?", "ii", wall_clock_ms(),
                       (int64_t)ANNULUS__V1__JOB_STATE__JOB_LIVE);
}

static ann_status open_file(anni_registry *r, const char *dir, bool read_only) {
    char path[4096];
    *r = (anni_registry){0};
    if (snprintf(path, sizeof path, "%s/registry.db", dir) >= (int)sizeof path)
        return ann_error(ANN_ERR_ARG, "the path of the state is too long");
    return anni_db_open(&r->db, path, read_only);
}

ann_status anni_registry_open(anni_registry *r, const char *dir, int64_t lost_after_ms) {
    ANN_TRY(open_file(r, dir, false));
    r->lost_after_ms = lost_after_ms;
    const ann_status status = set_up(r);
    if (status != ANN_OK) anni_registry_close(r);
    return status;
}

ann_status anni_registry_open_reader(anni_registry *r, const char *dir) { return open_file(r, dir, true); }

void anni_registry_close(anni_registry *r) {
    anni_fresh_clear(r, 0);
    free(r->fresh);
    anni_db_close(r->db);
    *r = (anni_registry){0};
}

/* ---- groups ---- */

ann_status anni_registry_begin(anni_registry *r) {
    anni_fresh_clear(r, 0);
    r->now_ms = wall_clock_ms();
    return anni_db_run(r->db, "BEGIN IMMEDIATE", "");
}

ann_status anni_registry_try(anni_registry *r) { return anni_db_run(r->db, "SAVEPOINT one", ""); }
ann_status anni_registry_keep(anni_registry *r) { return anni_db_run(r->db, "RELEASE one", ""); }

ann_status anni_registry_undo(anni_registry *r, int fresh_count) {
    anni_fresh_clear(r, fresh_count);
    ANN_TRY(anni_db_run(r->db, "ROLLBACK TO one", ""));
    return anni_db_run(r->db, "RELEASE one", "");
}

void anni_registry_abandon(anni_registry *r) {
    anni_fresh_clear(r, 0);
    anni_db_roll_back(r->db);
}

ann_status anni_registry_commit(anni_registry *r) {
    const ann_status status = anni_db_run(r->db, "COMMIT", "");
    if (status != ANN_OK) anni_registry_abandon(r);
    return status;
}

ann_status anni_audit(anni_registry *r, const char *run, const char *author, const char *action,
                      const char *text, const char *result) {
    return anni_db_run(
        r->db, "INSERT INTO audit(time_ms, run, author, action, text, result) VALUES (?, ?, ?, ?, ?, ?)",
        "isssss", r->now_ms, run, author, action, text, result);
}

/* ---- records ---- */

void anni_fresh_clear(anni_registry *r, int from) {
    for (int i = from; i < r->fresh_count; i++) free(r->fresh[i].bytes);
    if (from < r->fresh_count) r->fresh_count = from;
}

ann_status anni_fresh_add(anni_registry *r, int64_t run, uint64_t sequence, uint8_t *bytes, size_t size) {
    if (r->fresh_count == r->fresh_room) {
        const int room = r->fresh_room ? 2 * r->fresh_room : 64;
        anni_fresh *grown = realloc(r->fresh, (size_t)room * sizeof *grown);
        if (!grown) {
            free(bytes);
            return ann_error(ANN_ERR_MEMORY, "cannot allocate %d records", room);
        }
        r->fresh = grown;
        r->fresh_room = room;
    }
    r->fresh[r->fresh_count++] = (anni_fresh){run, sequence, bytes, size};
    return ANN_OK;
}

ann_status anni_run_find(anni_registry *r, int64_t *run, uint64_t *sequence, const char *name) {
    sqlite3_stmt *rows;
    bool row;
    ANN_TRY(anni_db_query(&rows, r->db, "SELECT id, sequence FROM run WHERE name = ?", "s", name));
    ANN_TRY(anni_db_next(&row, r->db, rows));
    if (!row) return ann_error(ANN_ERR_NOT_FOUND, "there is no run '%s'", name);
    *run = sqlite3_column_int64(rows, 0);
    if (sequence) *sequence = (uint64_t)sqlite3_column_int64(rows, 1);
    anni_db_end(rows);
    return ANN_OK;
}

ann_status anni_record_numbers(anni_registry *r, int64_t run, int count, uint64_t *first) {
    int64_t last;
    ANN_TRY(anni_db_run(r->db, "UPDATE run SET sequence = sequence + ?, changed_ms = ? WHERE id = ?", "iii",
                        (int64_t)count, r->now_ms, run));
    ANN_TRY(anni_db_int(&last, NULL, r->db, "SELECT sequence FROM run WHERE id = ?", "i", run));
    *first = (uint64_t)(last - count + 1);
    return ANN_OK;
}

ann_status anni_record_add(anni_registry *r, int64_t run, Annulus__V1__Record *record) {
    const size_t size = annulus__v1__record__get_packed_size(record);
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes) return ann_error(ANN_ERR_MEMORY, "cannot allocate a record of %zu bytes", size);
    annulus__v1__record__pack(record, bytes);
    ANN_TRY(anni_fresh_add(r, run, record->sequence, bytes, size));
    return anni_db_run(r->db, "INSERT INTO record(run, sequence, body) VALUES (?, ?, ?)", "iib", run,
                       (int64_t)record->sequence, bytes, size);
}

ann_status anni_event_add(anni_registry *r, int64_t run, Annulus__V1__Event *event) {
    Annulus__V1__Record record = ANNULUS__V1__RECORD__INIT;
    ANN_TRY(anni_record_numbers(r, run, 1, &record.sequence));
    record.time_ms = r->now_ms;
    record.what_case = ANNULUS__V1__RECORD__WHAT_EVENT;
    record.event = event;
    return anni_record_add(r, run, &record);
}

ann_status anni_records_read(anni_registry *r, int64_t run, uint64_t sequence, int most, size_t max_bytes) {
    sqlite3_stmt *rows;
    bool row;
    size_t total = 0;
    anni_fresh_clear(r, 0);
    ANN_TRY(anni_db_query(
        &rows, r->db,
        "SELECT sequence, body FROM record WHERE run = ? AND sequence >= ? ORDER BY sequence LIMIT ?", "iii",
        run, (int64_t)sequence, (int64_t)most));
    for (;;) {
        ANN_TRY(anni_db_next(&row, r->db, rows));
        if (!row) return ANN_OK;
        const size_t size = (size_t)sqlite3_column_bytes(rows, 1);
        uint8_t *bytes = total < max_bytes ? malloc(size ? size : 1) : NULL;
        ann_status status = ANN_OK;
        if (bytes) {
            memcpy(bytes, sqlite3_column_blob(rows, 1), size);
            status = anni_fresh_add(r, run, (uint64_t)sqlite3_column_int64(rows, 0), bytes, size);
        } else if (total < max_bytes) {
            status = ann_error(ANN_ERR_MEMORY, "cannot allocate a record of %zu bytes", size);
        }
        total += size;
        if (!bytes || status != ANN_OK) {
            anni_db_end(rows);
            return status;
        }
    }
}
