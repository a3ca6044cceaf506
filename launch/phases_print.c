/* The graph of a run as a table. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "phases.h"

enum { COLUMNS = 11, CELL_BYTES = 256 };
typedef char row[COLUMNS][CELL_BYTES];

static const char *const titles[COLUMNS] = {"phase",      "kind",      "after", "model", "data", "batch",
                                            "parameters", "stop rule", "steps", "ranks", "time"};
static const char *const stop_metrics[] = {
    [ANN_STOP_TEST_LOSS] = "test_loss", [ANN_STOP_TEST_ACCURACY] = "test_accuracy"};
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

/* "1 epoch", "20 steps": `epochs` of them, or `steps` where there are none. Returns buf. */
static const char *span_text(char *buf, size_t size, int64_t epochs, int64_t steps) {
    const long long count = (long long)(epochs > 0 ? epochs : steps);
    snprintf(buf, size, "%lld %s%s", count, epochs > 0 ? "epoch" : "step", count == 1 ? "" : "s");
    return buf;
}

static void early_text(char *cell, const ann_stop_config *stop) {
    char text[128], delta[40] = "";
    if (stop->early.min_delta > 0) snprintf(delta, sizeof delta, " min_delta %g", stop->early.min_delta);
    snprintf(text, sizeof text, "early %s patience %lld%s", stop_metrics[stop->early.metric],
             (long long)stop->early.patience, delta);
    add(cell, ", ", text);
}

/* What may end the phase before its program is over, in the words of phases[].stop. */
static void stop_text(char *cell, const ann_stop_config *stop) {
    char text[64], part[32];
    if (stop->early.on) early_text(cell, stop);
    if (stop->target.on) {
        snprintf(text, sizeof text, "target %s %g", stop_metrics[stop->target.metric], stop->target.reach);
        add(cell, ", ", text);
    }
    if (stop->every_epochs > 0 || stop->every_steps > 0) {
        snprintf(text, sizeof text, "every %s",
                 span_text(part, sizeof part, stop->every_epochs, stop->every_steps));
        add(cell, " ", text);
    }
    if (stop->wall_time_s > 0) {
        snprintf(text, sizeof text, "wall_time %s", phases_time(part, sizeof part, stop->wall_time_s));
        add(cell, ", ", text);
    }
}

static void stop_cell(char *cell, const ann_phase_config *phase) {
    if (!ann_phase_is_trained(phase->kind)) return;
    for (int i = 0; i < phase->stage_count; i++) {
        char text[32];
        add(cell, " + ", span_text(text, sizeof text, phase->program[i].epochs, phase->program[i].steps));
    }
    stop_text(cell, &phase->stop);
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
