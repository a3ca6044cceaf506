/* The facts of a phase: everything in the configuration that decides its results, one per line. They are kept
   in each checkpoint, so that a resume under another configuration can say what differs. What may change
   between a run and its resume (checkpoint, log and comm settings, where files lie) is not among them. */
#include "train/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const init_names[] = {"he", "xavier", "pytorch"};

static void layer_facts(FILE *out, const char *block, const ann_layer_config *l) {
    fprintf(out, "models.%s.%s = %s", block, l->name, ann_layer_kind_name(l->kind));
    fprintf(out, " units %lld channels %lld groups %lld bias %d", (long long)l->units, (long long)l->channels,
            (long long)l->groups, l->bias);
    if (l->kind == ANN_LAYER_NOISE)
        fprintf(out, " noise %s amount %.17g", ann_noise_kind_name(l->noise), l->amount);
    const struct {
        const char *name;
        const int64_t *hw;
    } pairs[] = {
        {"kernel", l->kernel}, {"stride", l->stride}, {"dilation", l->dilation}, {"padding", l->padding}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        fprintf(out, " %s %lldx%lld", pairs[i].name, (long long)pairs[i].hw[0], (long long)pairs[i].hw[1]);
    if (l->kind == ANN_LAYER_CONV_TRANSPOSE2D)
        fprintf(out, " output_padding %lldx%lld", (long long)l->output_padding[0],
                (long long)l->output_padding[1]);
    if (l->kind == ANN_LAYER_UNFLATTEN || l->kind == ANN_LAYER_UPSAMPLE)
        fprintf(out, " size %lldx%lld", (long long)l->size[0], (long long)l->size[1]);
    fprintf(out, " momentum %.17g eps %.17g p %.17g activation %s slope %.17g alpha %.17g\n", l->momentum,
            l->eps, l->p, ann_activation_name(l->activation), l->slope, l->alpha);
}

static void optimizer_facts(FILE *out, const char *phase, const ann_optim *o) {
    fprintf(out,
            "phases.%s.optimizer = kind %d momentum %.17g betas %.17g %.17g eps %.17g weight_decay %.17g l1 "
            "%.17g "
            "l2 %.17g clip_norm %.17g clip_value %.17g\n",
            phase, (int)o->kind, o->momentum, o->beta1, o->beta2, o->eps, o->weight_decay, o->l1, o->l2,
            o->clip_norm, o->clip_value);
}

static void compress_facts(FILE *out, const char *phase, const ann_compress *c) {
    fprintf(out, "phases.%s.compress = method %d fraction %.17g rank %d error_feedback %d\n", phase,
            (int)c->method, c->fraction, c->rank, c->error_feedback);
}

static void stage_facts(FILE *out, const char *phase, const ann_stage_config *s) {
    const ann_schedule *h = &s->schedule;
    fprintf(out, "phases.%s.program.%s = train %s epochs %lld steps %lld\n", phase, s->name, s->train,
            (long long)s->epochs, (long long)s->steps);
    fprintf(
        out,
        "phases.%s.program.%s.schedule = kind %d lr %.17g warmup %lld period %lld factor %.17g final %.17g\n",
        phase, s->name, (int)h->kind, h->lr, (long long)h->warmup_steps, (long long)h->period_steps,
        h->factor, h->final_lr);
    for (int i = 0; i < s->group_count; i++)
        fprintf(out, "phases.%s.program.%s.groups.%d = %s lr %.17g\n", phase, s->name, i, s->groups[i].match,
                s->groups[i].lr_factor);
}

static void sampling_facts(FILE *out, const char *phase, const ann_sampling_config *s) {
    fprintf(out,
            "phases.%s.sampling = order %d block %lld window %lld lanes %d remainder %d balance %d shares",
            phase, (int)s->order, (long long)s->block, (long long)s->window, s->lanes, (int)s->remainder,
            (int)s->balance);
    for (int i = 0; i < s->share_count; i++) fprintf(out, " %lld", (long long)s->shares[i]);
    fprintf(out, "\n");
}

/* Said only of modes that are on: checkpoints of before they were there can be resumed. */
static void mode_facts(FILE *out, const ann_phase_config *p) {
    if (p->accumulate > 1) fprintf(out, "phases.%s.accumulate = %d\n", p->name, p->accumulate);
    if (p->reduction.order == ANN_REDUCTION_INVARIANT)
        fprintf(out, "phases.%s.reduction = invariant shards %d threads %d\n", p->name, p->reduction.shards,
                p->reduction.threads);
    if (p->sync.every > 0)
        fprintf(out, "phases.%s.sync = every %lld outer_lr %.17g outer_momentum %.17g\n", p->name,
                (long long)p->sync.every, p->sync.outer.lr, p->sync.outer.momentum);
}

/* Said only of rules that there are, as above. */
static void stop_facts(FILE *out, const char *phase, const ann_stop_config *s) {
    if (s->every_steps > 0 || s->every_epochs > 0)
        fprintf(out, "phases.%s.stop.every = %lld steps %lld epochs\n", phase, (long long)s->every_steps,
                (long long)s->every_epochs);
    if (s->early.on)
        fprintf(out, "phases.%s.stop.early = metric %d patience %lld min_delta %.17g restore_best %d\n",
                phase, (int)s->early.metric, (long long)s->early.patience, s->early.min_delta,
                s->early.restore_best);
    if (s->target.on)
        fprintf(out, "phases.%s.stop.target = metric %d reach %.17g\n", phase, (int)s->target.metric,
                s->target.reach);
    if (s->wall_time_s > 0) fprintf(out, "phases.%s.stop.wall_time = %.17g s\n", phase, s->wall_time_s);
}

static void augment_facts(FILE *out, const char *phase, int index, const ann_augment_op *o) {
    fprintf(out,
            "phases.%s.augment.%d = %s p %.17g horizontal %.17g vertical %.17g pixels %lldx%lld border %d "
            "fill %.17g",
            phase, index, ann_augment_kind_name(o->kind), o->p, o->horizontal, o->vertical,
            (long long)o->pixels[0], (long long)o->pixels[1], (int)o->border, o->fill);
    fprintf(out, " scale %.17g %.17g ratio %.17g %.17g degrees %.17g strengths %.17g %.17g %.17g %.17g",
            o->scale[0], o->scale[1], o->ratio[0], o->ratio[1], o->degrees, o->brightness, o->contrast,
            o->saturation, o->hue);
    fprintf(out, " sigma %.17g fraction %.17g random %d blur %.17g %.17g alpha %.17g\n", o->sigma,
            o->fraction, o->random_fill, o->blur[0], o->blur[1], o->alpha);
}

/* Where a file lies is no fact. */
static void load_facts(FILE *out, const ann_phase_config *p) {
    const char *from = p->load_from ? p->load_from : p->load_file ? "a file" : "nowhere";
    const bool loads = p->load_from || p->load_file;
    fprintf(out, "phases.%s.load = %s of %s\n", p->name, loads ? p->load_tensors : "nothing", from);
    for (int i = 0; i < p->load_rename_count; i++)
        fprintf(out, "phases.%s.load.rename = %s to %s\n", p->name, p->load_rename[i].from,
                p->load_rename[i].to);
    if (p->load_checkpoint == ANN_LOAD_BEST) fprintf(out, "phases.%s.load.checkpoint = best\n", p->name);
    if (p->load_transpose) fprintf(out, "phases.%s.load.transpose = %s\n", p->name, p->load_transpose);
}

static void field_facts(FILE *out, const char *split, const ann_data_source *source) {
    if (source->field_count == 0) fprintf(out, " %s as stored", split);
    for (int i = 0; i < source->field_count; i++)
        fprintf(out, " %s %s from %s", split, source->fields[i].name, source->fields[i].path);
}

/* Said only where it is not all of the source. */
static void use_facts(FILE *out, const ann_data_source *train, const ann_data_source *test) {
    if (train->limit > 0) fprintf(out, " limit %lld", (long long)train->limit);
    if (train->hides_labels) fprintf(out, " labels hidden");
    if (test->left_out) fprintf(out, " test none");
    else if (test->split) fprintf(out, " test train");
}

/* What is taken from the files, wherever they lie. */
static void data_facts(FILE *out, const char *phase, const ann_data_config *data) {
    for (int i = 0; i < data->source_count; i++) {
        char shape[128];
        fprintf(out, "phases.%s.data.%d =", phase, i);
        field_facts(out, "train", &data->train[i]);
        field_facts(out, "test", &data->test[i]);
        fprintf(out, " shape %s",
                data->train[i].shape.rank ? ann_shape_str(shape, sizeof shape, &data->train[i].shape)
                                          : "as stored");
        use_facts(out, &data->train[i], &data->test[i]);
        fprintf(out, "\n");
    }
}

static void phase_facts(FILE *out, const ann_run_config *config, const ann_phase_config *p) {
    fprintf(out, "seed = %llu\n", (unsigned long long)config->seed);
    if (!ann_phase_is_trained(p->kind))
        fprintf(out, "phases.%s.kind = %s\n", p->name, ann_phase_kind_name(p->kind));
    for (int i = 0; i < p->model_count; i++) {
        fprintf(out, "phases.%s.model.%d = %s\n", p->name, i, p->model[i]->name);
        for (int j = 0; j < p->model[i]->layer_count; j++)
            layer_facts(out, p->model[i]->name, &p->model[i]->layers[j]);
    }
    data_facts(out, p->name, p->data);
    fprintf(out, "phases.%s.loss = %s\n", p->name, ann_loss_kind_name(p->loss));
    fprintf(out, "phases.%s.target = %s\n", p->name, p->target == ANN_TARGET_Y ? "y" : "input");
    fprintf(out, "phases.%s.input = %s\n", p->name,
            p->input == ANN_INPUT_STANDARDIZE ? "standardize" : "scale");
    fprintf(out, "phases.%s.noise.mask = %.17g\n", p->name, p->mask_noise);
    if (p->gaussian_noise > 0 || p->salt_pepper > 0)
        fprintf(out, "phases.%s.noise = gaussian %.17g salt_pepper %.17g\n", p->name, p->gaussian_noise,
                p->salt_pepper);
    anni_method_facts(out, p);
    for (int i = 0; i < p->other_count; i++)
        for (int j = 0; j < p->others[i]->layer_count; j++)
            layer_facts(out, p->others[i]->name, &p->others[i]->layers[j]);
    fprintf(out, "phases.%s.labels = %lld\n", p->name, (long long)p->labels);
    load_facts(out, p);
    fprintf(out, "phases.%s.batch = %lld\n", p->name, (long long)p->batch);
    mode_facts(out, p);
    sampling_facts(out, p->name, &p->sampling);
    fprintf(out, "phases.%s.augment = %d ops\n", p->name, p->augment_count);
    for (int i = 0; i < p->augment_count; i++) augment_facts(out, p->name, i, &p->augment[i].op);
    fprintf(out, "phases.%s.init = %s\n", p->name, init_names[p->init]);
    optimizer_facts(out, p->name, &p->optimizer);
    if (p->nonfinite_policy != ANN_NONFINITE_STOP)
        fprintf(out, "phases.%s.on_nonfinite = policy %d at_most %lld\n", p->name, (int)p->nonfinite_policy,
                (long long)p->nonfinite_at_most);
    compress_facts(out, p->name, &p->optimizer.compress);
    stop_facts(out, p->name, &p->stop);
    if (p->choice.on)
        fprintf(out, "phases.%s.choice = criterion %d restore %d\n", p->name, (int)p->choice.criterion,
                p->choice.restore);
    for (int i = 0; i < p->stage_count; i++) stage_facts(out, p->name, &p->program[i]);
}

ann_status anni_facts(char **out, const ann_run_config *config, const ann_phase_config *phase) {
    size_t size;
    *out = NULL;
    FILE *stream = open_memstream(out, &size);
    if (!stream) return ann_error(ANN_ERR_MEMORY, "no memory for the facts of phase %s", phase->name);
    phase_facts(stream, config, phase);
    if (fclose(stream) == 0 && *out) return ANN_OK;
    free(*out);
    *out = NULL;
    return ann_error(ANN_ERR_MEMORY, "no memory for the facts of phase %s", phase->name);
}

bool anni_facts_differ(char *buf, size_t size, const char *here, const char *there) {
    while (*here && *there) {
        const size_t a = strcspn(here, "\n"), b = strcspn(there, "\n");
        if (a != b || memcmp(here, there, a) != 0) break;
        here += a + (here[a] == '\n');
        there += b + (there[b] == '\n');
    }
    if (!*here && !*there) return false;
    snprintf(buf, size, "the run file says \"%.*s\", the checkpoint was made with \"%.*s\"",
             (int)strcspn(here, "\n"), here, (int)strcspn(there, "\n"), there);
    return true;
}
