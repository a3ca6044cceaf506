/* Where a phase stands, in its checkpoints. */
#include "train/internal.h"

#include <stdlib.h>
#include "base/log.h"
#include "base/version.h"

/* Every value of a cursor under its name: one list for writing and reading. */
typedef struct field {
    const char *key;
    int64_t *integer; /* one of the two */
    double *real;
    bool optional; /* checkpoints of earlier versions are without it */
} field;

enum { FIELDS = 64 };

/* Three fields. */
static int pick_fields(field *fields, const char *const keys[3], anni_pick *pick) {
    fields[0] = (field){keys[0], NULL, &pick->score, true};
    fields[1] = (field){keys[1], NULL, &pick->accuracy, true};
    fields[2] = (field){keys[2], &pick->step, NULL, true};
    return 3;
}

/* Of phases[].choice. */
static int choice_fields(field *fields, anni_choice *c) {
    static const char *const keys[][3] = {
        {"choice_last_score", "choice_last_accuracy", "choice_last_step"},
        {"choice_oracle_score", "choice_oracle_accuracy", "choice_oracle_step"},
        {"choice_entropy_score", "choice_entropy_accuracy", "choice_entropy_step"},
        {"choice_im_score", "choice_im_accuracy", "choice_im_step"},
        {"choice_snd_score", "choice_snd_accuracy", "choice_snd_step"},
        {"choice_dev_score", "choice_dev_accuracy", "choice_dev_step"}};
    int n = pick_fields(fields, keys[0], &c->last);
    n += pick_fields(fields + n, keys[1], &c->oracle);
    for (int i = 0; i < ANN_CHOICE_COUNT; i++) n += pick_fields(fields + n, keys[2 + i], &c->picks[i]);
    return n;
}

static int fields_of(field fields[FIELDS], anni_cursor *c, int64_t *stage, int64_t *finished,
                     int64_t *metrics_lines, bool chooses) {
    const field list[] = {{"stage", stage, NULL, false},
                          {"position", &c->position, NULL, false},
                          {"step", &c->step, NULL, false},
                          {"stage_step", &c->stage_step, NULL, false},
                          {"ledger_sum", (int64_t *)&c->ledger.sum, NULL, false},
                          {"ledger_count", (int64_t *)&c->ledger.count, NULL, false},
                          {"finished", finished, NULL, false},
                          {"metrics_lines", metrics_lines, NULL, false},
                          {"train_loss", NULL, &c->train.loss, false},
                          {"train_accuracy", NULL, &c->train.accuracy, false},
                          {"test_loss", NULL, &c->test.loss, false},
                          {"test_accuracy", NULL, &c->test.accuracy, false},
                          {"lr", NULL, &c->lr, false},
                          {"elapsed_s", NULL, &c->elapsed_s, false},
                          {"data_wait_s", NULL, &c->data_wait_s, false},
                          {"skips", &c->skips, NULL, true},
                          {"skips_in_row", &c->skips_in_row, NULL, true},
                          {"loss_scale", NULL, &c->loss_scale, true},
                          {"loss_scale_age", &c->scale_age, NULL, true},
                          {"lr_factor", NULL, &c->lr_factor, true},
                          {"log_every", &c->log_every, NULL, true},
                          {"stop_best", NULL, &c->stop.best, true},
                          {"stop_best_step", &c->stop.best_step, NULL, true},
                          {"stop_waited", &c->stop.waited, NULL, true},
                          {"stop_evaluated", &c->stop.evaluated, NULL, true}};
    const int count = (int)(sizeof list / sizeof list[0]);
    for (int i = 0; i < count; i++) fields[i] = list[i];
    return chooses ? count + choice_fields(fields + count, &c->choice) : count;
}

static ann_status set_lineage(ann_meta *meta, const anni_phase *phase) {
    char *text;
    ANN_TRY(ann_lineage_print(&text, &phase->lineage));
    const ann_status status = ann_meta_set_str(meta, "lineage", text);
    free(text);
    return status;
}

static ann_status fill_meta(ann_meta *meta, const anni_phase *phase, const anni_cursor *cursor) {
    const anni_run *run = phase->run;
    anni_cursor copy = *cursor;
    int64_t stage = cursor->stage, finished = cursor->finished, lines = run->metrics_lines;
    field fields[FIELDS];
    const int count = fields_of(fields, &copy, &stage, &finished, &lines, phase->config->choice.on);
    for (int i = 0; i < count; i++) {
        if (fields[i].integer) ANN_TRY(ann_meta_set_i64(meta, fields[i].key, *fields[i].integer));
        else ANN_TRY(ann_meta_set_f64(meta, fields[i].key, *fields[i].real));
    }
    ANN_TRY(ann_meta_set_str(meta, "stop_reason", anni_stop_reason_name(cursor->stop.reason)));
    ANN_TRY(ann_meta_set_str(meta, "phase", phase->config->name));
    ANN_TRY(ann_meta_set_i64(meta, "phase_index", phase->index));
    ANN_TRY(ann_meta_set_i64(meta, "epoch", cursor->position / ann_order_length(phase->order)));
    ANN_TRY(anni_sampling_save(meta, phase));
    ANN_TRY(ann_meta_set_i64(meta, "ranks", run->size));
    ANN_TRY(ann_meta_set_i64(meta, "seed", (int64_t)run->config->seed));
    ANN_TRY(ann_meta_set_i64(meta, "dataset_checksum", (int64_t)ann_dataset_checksum(phase->train)));
    ANN_TRY(ann_meta_set_str(meta, "config", run->config->text));
    ANN_TRY(ann_meta_set_str(meta, "facts", phase->facts));
    ANN_TRY(set_lineage(meta, phase));
    ANN_TRY(ann_requests_save(meta, &cursor->requests));
    return ann_meta_set_str(meta, "revision", ann_revision());
}

ann_status anni_cursor_meta(ann_meta **out, const anni_phase *phase, const anni_cursor *cursor) {
    ANN_TRY(ann_meta_new(out));
    const ann_status status = fill_meta(*out, phase, cursor);
    if (status == ANN_OK) return ANN_OK;
    ann_meta_free(*out);
    *out = NULL;
    return status;
}

/* ---- reading ---- */

static ann_status check_inputs(anni_phase *phase, const ann_meta *meta, const char *path) {
    int64_t finished;
    ANN_TRY(ann_meta_get_i64(meta, "finished", &finished));
    return anni_lineage_check(phase, meta, finished != 0, path);
}

static ann_status read_cursor(anni_phase *phase, anni_cursor *cursor, const char *path) {
    ann_ckpt *ckpt;
    ANN_TRY(ann_ckpt_peek(&ckpt, path));
    const ann_meta *meta = ann_ckpt_meta(ckpt);
    int64_t stage = 0, finished = 0, lines = 0;
    field fields[FIELDS];
    const int count = fields_of(fields, cursor, &stage, &finished, &lines, phase->config->choice.on);
    ann_status status = check_inputs(phase, meta, path);
    for (int i = 0; i < count && status == ANN_OK && !phase->changed[0]; i++) {
        status = fields[i].integer ? ann_meta_get_i64(meta, fields[i].key, fields[i].integer)
                                   : ann_meta_get_f64(meta, fields[i].key, fields[i].real);
        if (status == ANN_ERR_NOT_FOUND && fields[i].optional) status = ANN_OK;
    }
    if (status == ANN_OK && !phase->changed[0]) status = ann_requests_load(&cursor->requests, meta);
    ann_ckpt_close(ckpt);
    ANN_TRY(status);
    if (phase->changed[0]) return ANN_OK; /* it is no cursor of this phase */
    cursor->stage = (int)stage;
    cursor->finished = finished != 0;
    phase->run->metrics_lines = lines;
    if (stage < 0 || stage >= phase->config->stage_count)
        return ann_error(ANN_ERR_CORRUPT, "%s: stage %lld", path, (long long)stage);
    if (cursor->position < 0 || cursor->ledger.count != (uint64_t)cursor->position)
        return ann_error(ANN_ERR_CORRUPT, "%s: its sample ledger does not belong to position %lld", path,
                         (long long)cursor->position);
    return ANN_OK;
}

ann_status anni_cursor_find(anni_phase *phase, anni_cursor *cursor, char *path, size_t size) {
    ANN_TRY(ann_ckpt_candidate(phase->run->comm, phase->dir, path, path, size));
    if (path[0] == '\0') return ANN_OK;
    return ann_agree(phase->run->comm, read_cursor(phase, cursor, path));
}

bool anni_checkpoint_is_bad(const anni_phase *phase, const char *path, ann_status status) {
    if (status != ANN_ERR_CORRUPT && status != ANN_ERR_IO) return false;
    if (phase->run->rank == 0)
        ann_log_line(ANN_LOG_WARN, "checkpoint %s is not used: %s", path, ann_error_text());
    return true;
}
