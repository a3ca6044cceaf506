#include "coord/db.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 256 };

struct anni_db {
    sqlite3 *handle;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } slots[SLOTS];
};

static ann_status fail(const anni_db *db, int code) {
    const char *text = db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code);
    switch (code & 0xff) {
    case SQLITE_NOMEM: return ann_error(ANN_ERR_MEMORY, "registry: %s", text);
    case SQLITE_FULL: return ann_error(ANN_ERR_NOSPACE, "registry: %s", text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return ann_error(ANN_ERR_CORRUPT, "registry: %s", text);
    case SQLITE_MISUSE:
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT: return ann_error(ANN_ERR_INTERNAL, "registry: %s", text);
    default: return ann_error(ANN_ERR_IO, "registry: %s", text);
    }
}

ann_status anni_db_open(anni_db **out, const char *path, bool read_only) {
    anni_db *db = calloc(1, sizeof *db);
    *out = NULL;
    if (!db) return ann_error(ANN_ERR_MEMORY, "cannot allocate a registry");
    const int mode = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(path, &db->handle, mode | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) code = sqlite3_busy_timeout(db->handle, 10000);
    if (code != SQLITE_OK) {
        const ann_status status = fail(db, code);
        anni_db_close(db);
        return status;
    }
    *out = db;
    return ANN_OK;
}

void anni_db_close(anni_db *db) {
    if (!db) return;
    for (int i = 0; i < SLOTS; i++) sqlite3_finalize(db->slots[i].statement);
    sqlite3_close(db->handle);
    free(db);
}

/* The statement of this text, prepared once. */
static ann_status prepare(sqlite3_stmt **out, anni_db *db, const char *sql) {
    size_t slot = (size_t)((uintptr_t)sql * 0x9e3779b97f4a7c15u >> 40) % SLOTS;
    for (int tries = 0; tries < SLOTS; tries++, slot = (slot + 1) % SLOTS) {
        if (db->slots[slot].sql == sql) {
            *out = db->slots[slot].statement;
            return ANN_OK;
        }
        if (db->slots[slot].sql) continue;
        const int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL);
        if (code != SQLITE_OK) return fail(db, code);
        db->slots[slot].sql = sql;
        db->slots[slot].statement = *out;
        return ANN_OK;
    }
    return ann_error(ANN_ERR_INTERNAL, "registry: more than %d statements", SLOTS);
}

static ann_status bind(anni_db *db, sqlite3_stmt *statement, const char *types, va_list args) {
    for (int i = 1; types[i - 1]; i++) {
        int code = SQLITE_MISUSE;
        switch (types[i - 1]) {
        case 'i': code = sqlite3_bind_int64(statement, i, va_arg(args, int64_t)); break;
        case 'd': code = sqlite3_bind_double(statement, i, va_arg(args, double)); break;
        case 's':
            code = sqlite3_bind_text(statement, i, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        case 'b': {
            const void *data = va_arg(args, const void *);
            code = sqlite3_bind_blob64(statement, i, data ? data : "", va_arg(args, size_t), SQLITE_STATIC);
            break;
        }
        default: break;
        }
        if (code != SQLITE_OK) return fail(db, code);
    }
    return ANN_OK;
}

static ann_status begin(sqlite3_stmt **out, anni_db *db, const char *sql, const char *types, va_list args) {
    ANN_TRY(prepare(out, db, sql));
    return bind(db, *out, types, args);
}

ann_status anni_db_next(bool *row, anni_db *db, sqlite3_stmt *rows) {
    const int code = sqlite3_step(rows);
    *row = code == SQLITE_ROW;
    if (*row) return ANN_OK;
    const ann_status status = code == SQLITE_DONE ? ANN_OK : fail(db, code);
    anni_db_end(rows);
    return status;
}

void anni_db_end(sqlite3_stmt *rows) {
    sqlite3_reset(rows);
    sqlite3_clear_bindings(rows);
}

ann_status anni_db_query(sqlite3_stmt **out, anni_db *db, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    const ann_status status = begin(out, db, sql, types, args);
    va_end(args);
    return status;
}

ann_status anni_db_run(anni_db *db, const char *sql, const char *types, ...) {
    sqlite3_stmt *statement;
    va_list args;
    va_start(args, types);
    ann_status status = begin(&statement, db, sql, types, args);
    va_end(args);
    for (bool row = true; status == ANN_OK && row;) status = anni_db_next(&row, db, statement);
    return status;
}

ann_status anni_db_int(int64_t *out, bool *found, anni_db *db, const char *sql, const char *types, ...) {
    sqlite3_stmt *rows;
    bool row = false;
    va_list args;
    va_start(args, types);
    ann_status status = begin(&rows, db, sql, types, args);
    va_end(args);
    *out = 0;
    if (status == ANN_OK) status = anni_db_next(&row, db, rows);
    if (row) {
        *out = sqlite3_column_int64(rows, 0);
        anni_db_end(rows);
    }
    if (found) *found = row;
    return status;
}

void anni_db_roll_back(anni_db *db) {
    if (!sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int64_t anni_db_insert_id(const anni_db *db) { return sqlite3_last_insert_rowid(db->handle); }
int64_t anni_db_changes(const anni_db *db) { return sqlite3_changes64(db->handle); }

char *anni_db_text(sqlite3_stmt *rows, int column, ann_arena *arena) {
    const unsigned char *text = sqlite3_column_text(rows, column);
    return ann_arena_strdup(arena, text ? (const char *)text : "");
}
