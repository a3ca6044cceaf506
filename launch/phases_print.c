/* The graph of a run as a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "phases.h"

enum { COLUMNS = 11, CELL_BYTES = 160 };
typedef char row[COLUMNS][CELL_BYTES];

static const char *const titles[COLUMNS] = {"phase",      "kind",      "after", "model", "data", "batch",
                                            "parameters", "stop rule", "steps", "ranks", "time"};
static const bool is_number[COLUMNS] = {[5] = true, [6] = true, [8] = true, [9] = true, [10] = true};

const char *phases_time(char *buf, size_t size, double seconds) {
    if (!isfinite(seconds)) snprintf(buf, size, "-");
    else if (seconds < 59.5) snprintf(buf, size, seconds < 9.95 ? "%.2f s" : "%.0f s", seconds);
    else if (seconds < 3600) snprintf(buf, size, "%d:%02d", (int)(seconds / 60), (int)fmod(seconds, 60));
    else
        snprintf(buf, size, "%lld:%02d:%02d", (long long)(seconds / 3600), (int)fmod(seconds / 60, 60),
                 (int)fmod(seconds, 60));
    return buf;
}

/* ---- cells ---- */

/* Adds `text`, with `between` in front of all but the first. */
static void add(char *cell, const char *between, const char *text) {
    const size_t used = strlen(cell);
    snprintf(cell + used, CELL_BYTES - used, "%s%s", used > 0 ? between : "", text);
}

static void after_cell(char *cell, const run_estimate *e, int index) {
    for (int from = 0; from < e->graph->count; from++)
        if (ann_run_graph_edge(e->graph, from, index)) add(cell, ", ", e->config->phases[from].name);
}

static void data_cell(char *cell, const ann_phase_config *phase) {
    const char *slash = strrchr(phase->data->path, '/');
    char more[32];
    add(cell, "", slash ? slash + 1 : phase->data->path);
    if (phase->data->source_count == 1) return;
    snprintf(more, sizeof more, "and %d more", phase->data->source_count - 1);
    add(cell, " ", more);
}

static void stop_cell(char *cell, const ann_phase_config *phase) {
    for (int i = 0; i < phase->stage_count && ann_phase_is_trained(phase->kind); i++) {
        const ann_stage_config *s = &phase->program[i];
        char text[64];
        const long long count = (long long)(s->epochs ? s->epochs : s->steps);
        snprintf(text, sizeof text, "%lld %s%s", count, s->epochs ? "epoch" : "step", count == 1 ? "" : "s");
        add(cell, " + ", text);
    }
}

static void fill_row(row cells, const run_estimate *e, int index) {
    const ann_phase_config *phase = &e->config->phases[index];
    const phase_estimate *p = &e->phases[index];
    const bool trained = ann_phase_is_trained(phase->kind);
    add(cells[0], "", phase->name);
    add(cells[1], "", ann_phase_kind_name(phase->kind));
    after_cell(cells[2], e, index);
    for (int i = 0; i < phase->model_count; i++) add(cells[3], "+", phase->model[i]->name);
    if (phase->kind != ANN_PHASE_EXPORT) data_cell(cells[4], phase);
    if (trained) snprintf(cells[5], CELL_BYTES, "%lld", (long long)phase->batch);
    snprintf(cells[6], CELL_BYTES, "%lld", (long long)p->parameters);
    stop_cell(cells[7], phase);
    if (trained) snprintf(cells[8], CELL_BYTES, "%lld", (long long)p->steps);
    snprintf(cells[9], CELL_BYTES, "%d", p->ranks);
    phases_time(cells[10], CELL_BYTES, p->seconds);
}

/* ---- the table ---- */

static void print_row(const row cells, const int widths[COLUMNS]) {
    for (int c = 0; c < COLUMNS; c++) {
        const char *cell = cells[c][0] ? cells[c] : "-";
        printf("%s%*s", c ? "  " : "", is_number[c] || c == COLUMNS - 1 ? widths[c] : -widths[c], cell);
    }
    printf("\n");
}

static void print_rows(row *rows, int count) {
    int widths[COLUMNS] = {0};
    for (int i = 0; i < count; i++)
        for (int c = 0; c < COLUMNS; c++) {
            const int length = (int)strlen(rows[i][c]);
            if (length > widths[c]) widths[c] = length;
        }
    for (int i = 0; i < count; i++) print_row((const char(*)[CELL_BYTES])rows[i], widths);
}

ann_status phases_print(const run_estimate *e) {
    row *rows = calloc((size_t)e->graph->count + 1, sizeof *rows);
    char total[32];
    double seconds = 0;
    int count = 1;
    if (!rows) return ann_error(ANN_ERR_MEMORY, "no memory for the table of phases");
    for (int c = 0; c < COLUMNS; c++) snprintf(rows[0][c], CELL_BYTES, "%s", titles[c]);
    for (int i = 0; i < e->graph->count; i++) {
        const int index = e->graph->order[i];
        if (!e->selected[index]) continue;
        fill_row(rows[count++], e, index);
        if (isfinite(e->phases[index].seconds)) seconds += e->phases[index].seconds;
    }
    print_rows(rows, count);
    printf("%d of %d phases, %s of computing\n", count - 1, e->graph->count,
           phases_time(total, sizeof total, seconds));
    free(rows);
    return ANN_OK;
}
