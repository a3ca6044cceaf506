/* SQLite with prepared statements that are kept: each is known by the address of its text, a literal. One
   thread at a time. */
#ifndef ANN_COORD_DB_H
#define ANN_COORD_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/mem.h"
#include "base/status.h"

typedef struct anni_db anni_db;

/* A read-only connection sees what others have committed; the file must be there. Owner: the caller,
   anni_db_close. Errors: ANN_ERR_IO, ANN_ERR_NOSPACE, ANN_ERR_CORRUPT, ANN_ERR_MEMORY; the same for
   everything below. */
ann_status anni_db_open(anni_db **out, const char *path, bool read_only) ANN_MUST_CHECK;
void anni_db_close(anni_db *db);

/* Runs a statement without rows. `types` has a letter per argument: i int64_t, d double, s const char * (NULL
   is NULL), b const void * and size_t. */
ann_status anni_db_run(anni_db *db, const char *sql, const char *types, ...) ANN_MUST_CHECK;
/* Begins a statement with rows; anni_db_next goes to the first one and then on. After the last row, or
   anni_db_end, it may be begun again. Arguments must live until then. */
ann_status anni_db_query(sqlite3_stmt **out, anni_db *db, const char *sql, const char *types,
                         ...) ANN_MUST_CHECK;
ann_status anni_db_next(bool *row, anni_db *db, sqlite3_stmt *rows) ANN_MUST_CHECK;
void anni_db_end(sqlite3_stmt *rows);
/* The first column of the first row as an integer; *found (may be NULL) says whether there was one, else *out
 * is 0. */
ann_status anni_db_int(int64_t *out, bool *found, anni_db *db, const char *sql, const char *types,
                       ...) ANN_MUST_CHECK;
/* Ends a transaction that SQLite may have rolled back by itself. The thread's error stays. */
void anni_db_roll_back(anni_db *db);
int64_t anni_db_insert_id(const anni_db *db);
int64_t anni_db_changes(const anni_db *db);

/* A column's text, "" for NULL, copied to the arena; NULL if there is no memory. */
char *anni_db_text(sqlite3_stmt *rows, int column, ann_arena *arena);

#endif
