#include "datasets/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ann_status pass_byte_order_mark(anni_csv *csv) {
    static const int mark[] = {0xEF, 0xBB, 0xBF};
    for (int i = 0; i < 3; i++) {
        if (getc(csv->file) == mark[i]) continue;
        return fseeko(csv->file, 0, SEEK_SET) == 0
                   ? ANN_OK
                   : ann_error(ANN_ERR_IO, "%s: %s", csv->path, strerror(errno));
    }
    return ANN_OK;
}

ann_status anni_csv_open(anni_csv *csv, const char *path, char delimiter) {
    *csv = (anni_csv){.path = path, .delimiter = delimiter, .line = 1};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        const ann_status status = errno == ENOENT || errno == ENOTDIR ? ANN_ERR_NOT_FOUND : ANN_ERR_IO;
        return ann_error(status, "%s: %s", path, strerror(errno));
    }
    struct stat info;
    const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
    csv->file = regular ? fdopen(fd, "rb") : NULL;
    if (csv->file == NULL) {
        close(fd);
        return ann_error(ANN_ERR_IO, "%s: is not a regular file", path);
    }
    setvbuf(csv->file, NULL, _IOFBF, 1 << 16);
    return pass_byte_order_mark(csv);
}

void anni_csv_close(anni_csv *csv) {
    if (csv->file != NULL) fclose(csv->file);
    free(csv->text);
    free(csv->starts);
    *csv = (anni_csv){.file = NULL};
}

ann_status anni_csv_rewind(anni_csv *csv) {
    if (fseeko(csv->file, 0, SEEK_SET) != 0)
        return ann_error(ANN_ERR_IO, "%s: %s", csv->path, strerror(errno));
    csv->line = 1;
    return pass_byte_order_mark(csv);
}

/* ---- one record ---- */

static int get(anni_csv *csv) {
    const int c = getc_unlocked(csv->file);
    csv->line += c == '\n';
    return c;
}

static ann_status put(anni_csv *csv, char c) {
    if (csv->used == csv->room) {
        const size_t room = csv->room == 0 ? 4096 : 2 * csv->room;
        if (room > ANNI_CSV_MAX_BYTES)
            return ann_error(ANN_ERR_FORMAT,
                             "%s: line %" PRId64 ": a record of more than %d bytes (is a quote not closed?)",
                             csv->path, csv->record_line, ANNI_CSV_MAX_BYTES / 2);
        char *text = realloc(csv->text, room);
        if (text == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", csv->path);
        csv->text = text;
        csv->room = room;
    }
    csv->text[csv->used++] = c;
    return ANN_OK;
}

static ann_status begin_field(anni_csv *csv, const char **problem) {
    if (csv->count == ANNI_CSV_MAX_FIELDS) {
        *problem = "too many fields";
        return ANN_OK;
    }
    if (csv->count == csv->start_room) {
        const int room = csv->start_room == 0 ? 64 : 2 * csv->start_room;
        uint32_t *starts = realloc(csv->starts, (size_t)room * sizeof *starts);
        if (starts == NULL) return ann_error(ANN_ERR_MEMORY, "%s: out of memory", csv->path);
        csv->starts = starts;
        csv->start_room = room;
    }
    csv->starts[csv->count++] = (uint32_t)csv->used;
    return ANN_OK;
}

/* After an opening quote. Returns the character behind the closing one in *next. */
static ann_status read_quoted(anni_csv *csv, int *next) {
    for (;;) {
        int c = get(csv);
        if (c == EOF)
            return ann_error(ANN_ERR_FORMAT, "%s: line %" PRId64 ": a quote that is never closed", csv->path,
                             csv->record_line);
        if (c == '"') {
            c = get(csv);
            if (c != '"') {
                *next = c;
                return ANN_OK;
            }
        }
        ANN_TRY(put(csv, (char)c));
    }
}

/* Reads a field whose first character is *c; then *c is what ended it. */
static ann_status read_field(anni_csv *csv, int *c, const char **problem) {
    ANN_TRY(begin_field(csv, problem));
    if (*c == '"') {
        ANN_TRY(read_quoted(csv, c));
        if (*c == '\r') *c = get(csv);
        if (*c != csv->delimiter && *c != '\n' && *c != EOF) *problem = "text behind a closing quote";
        return put(csv, '\0');
    }
    for (; *c != csv->delimiter && *c != '\n' && *c != EOF; *c = get(csv)) {
        if (*c == '"') *problem = "a quote within a field that is not quoted";
        if (*c == '\0') *problem = "a NUL byte";
        ANN_TRY(put(csv, (char)*c));
    }
    if (*c != csv->delimiter && csv->used > csv->starts[csv->count - 1] && csv->text[csv->used - 1] == '\r')
        csv->used--;
    return put(csv, '\0');
}

/* The first character of the next line that is not empty, or EOF. */
static int begin_record(anni_csv *csv) {
    int c;
    do {
        csv->record_line = csv->line;
        c = get(csv);
        if (c == '\r') {
            const int after = getc_unlocked(csv->file);
            if (after == '\n') {
                csv->line++;
                c = '\n';
            } else {
                ungetc(after, csv->file);
            }
        }
    } while (c == '\n');
    return c;
}

ann_status anni_csv_next(anni_csv *csv, bool *end, const char **problem) {
    csv->used = 0;
    csv->count = 0;
    *problem = NULL;
    int c = begin_record(csv);
    *end = c == EOF && !ferror(csv->file);
    if (*end) return ANN_OK;
    while (c != EOF) {
        ANN_TRY(read_field(csv, &c, problem));
        if (c == '\n' || *problem != NULL) break;
        if (c != csv->delimiter) break;
        c = get(csv);
        if (c != EOF && c != '\n') continue;
        ANN_TRY(begin_field(csv, problem)); /* an empty last field */
        ANN_TRY(put(csv, '\0'));
        break;
    }
    while (*problem != NULL && c != '\n' && c != EOF) c = get(csv);
    if (!ferror(csv->file)) return ANN_OK;
    return ann_error(ANN_ERR_IO, "%s: %s", csv->path, strerror(errno));
}

/* ---- values ---- */

static const char *pass_digits(const char *p, bool *any) {
    for (; *p >= '0' && *p <= '9'; p++) *any = true;
    return p;
}

bool anni_csv_number(const char *text, double *out) {
    const char *p = text + strspn(text, " \t"), *start = p;
    bool digits = false, exponent = true;
    if (*p == '+' || *p == '-') p++;
    p = pass_digits(p, &digits);
    if (*p == '.') p = pass_digits(p + 1, &digits);
    if (digits && (*p == 'e' || *p == 'E')) {
        p++;
        if (*p == '+' || *p == '-') p++;
        exponent = false;
        p = pass_digits(p, &exponent);
    }
    if (!digits || !exponent || p[strspn(p, " \t")] != '\0') return false;
    *out = strtod(start, NULL);
    return isfinite(*out);
}

bool anni_csv_missing(const char *text) {
    static const char *const words[] = {"NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"};
    const char *start = text + strspn(text, " \t");
    size_t n = strlen(start);
    while (n > 0 && (start[n - 1] == ' ' || start[n - 1] == '\t')) n--;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i]) == n && memcmp(words[i], start, n) == 0) return true;
    }
    return n == 0;
}
