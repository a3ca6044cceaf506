/* annulus ckpt diff */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ckpt/tools.h"
#include "cli.h"
#include "cmd_ckpt.h"

static const char help[] =
    "annulus ckpt diff compares two checkpoints: which tensors only one has, which have another dtype or "
    "shape,\n"
    "which differ in value and by how much, and which metadata differ. The numbers of shards do not "
    "matter.\n\n"
    "usage: annulus ckpt diff [OPTION...] A B\n\n"
    "options:\n"
    "  --tensors PATTERN  compare only these: * and ?, comma between patterns, ! takes away\n"
    "  --tolerance X      values that differ by at most X are equal (default 0: bit by bit)\n"
    "  --no-meta          leave the metadata out\n"
    "  --help             this text\n\n"
    "The exit code is 0 if they are equal, 1 if they differ.\n";

typedef struct printer {
    bool no_meta;
    int differences;
} printer;

static void print_values(const ann_ckpt_difference *d) {
    const int64_t elems = ann_shape_elems(&d->a->shape);
    int64_t left = d->first, index[ANN_MAX_RANK] = {0};
    for (int k = d->a->shape.rank - 1; k >= 0; k--) {
        index[k] = left % d->a->shape.dim[k];
        left /= d->a->shape.dim[k];
    }
    printf("%s: %" PRId64 " of %" PRId64
           " elements differ, by at most %.6g (relative L2 %.3g), the first at [",
           d->name, d->count, elems, d->max_abs, d->relative_l2);
    for (int k = 0; k < d->a->shape.rank; k++) printf("%s%" PRId64, k ? "," : "", index[k]);
    puts("]");
}

/* The first line in which two texts differ. */
static void print_lines(const char *a, const char *b) {
    int line = 1;
    const char *start_a = a, *start_b = b;
    for (; *a && *a == *b; a++, b++)
        if (*a == '\n') {
            line++;
            start_a = a + 1;
            start_b = b + 1;
        }
    printf("line %d: %.*s | %.*s", line, (int)strcspn(start_a, "\n"), start_a, (int)strcspn(start_b, "\n"),
           start_b);
}

/* A value of metadata on one line. */
static void print_value(const char *value) {
    const size_t line = strcspn(value, "\n");
    if (value[line] || line > 60) printf("(%zu bytes of text)", strlen(value));
    else printf("%s", value);
}

static void print_meta(const printer *p, const ann_ckpt_difference *d) {
    if (p->no_meta) return;
    printf("metadata %s: ", d->name);
    if (d->value_a && d->value_b && (strchr(d->value_a, '\n') || strchr(d->value_b, '\n'))) {
        print_lines(d->value_a, d->value_b);
    } else {
        if (d->value_a) print_value(d->value_a);
        if (d->value_a && d->value_b) printf(" | ");
        if (d->value_b) print_value(d->value_b);
    }
    puts(!d->value_b ? " (only in the first)" : !d->value_a ? " (only in the second)" : "");
}

static void print_difference(void *to, const ann_ckpt_difference *d) {
    printer *p = to;
    char a[128], b[128];
    const bool meta = d->kind >= ANN_CKPT_META_ONLY_A;
    if (!meta || !p->no_meta) p->differences++;
    switch (d->kind) {
    case ANN_CKPT_ONLY_A: printf("%s: only in the first\n", d->name); break;
    case ANN_CKPT_ONLY_B: printf("%s: only in the second\n", d->name); break;
    case ANN_CKPT_OTHER_SHAPE:
        printf("%s: %s %s | %s %s\n", d->name, ann_dtype_name(d->a->dtype),
               ann_shape_str(a, sizeof a, &d->a->shape), ann_dtype_name(d->b->dtype),
               ann_shape_str(b, sizeof b, &d->b->shape));
        break;
    case ANN_CKPT_OTHER_VALUES: print_values(d); break;
    case ANN_CKPT_META_ONLY_A:
    case ANN_CKPT_META_ONLY_B:
    case ANN_CKPT_META_OTHER: print_meta(p, d); break;
    }
}

static ann_status open_both(ann_ckpt *ckpts[2], char **args) {
    char path[ANN_CKPT_PATH_BYTES];
    for (int i = 0; i < 2; i++) {
        ANN_TRY(ann_ckpt_resolve(path, args[i]));
        ANN_TRY(ann_ckpt_peek(&ckpts[i], path));
    }
    return ANN_OK;
}

static bool parse_tolerance(const cli *c, const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    if (end != text && !*end && *out >= 0 && isfinite(*out)) return true;
    cli_wrong(c, "--tolerance: found '%s', accepted is a number from 0 on", text);
    return false;
}

int cmd_ckpt_diff(int argc, char **argv) {
    const char *pattern = "*", *tolerance_text = "0";
    printer p = {0};
    const cli_option options[] = {{.name = "--tensors", .value = &pattern},
                                  {.name = "--tolerance", .value = &tolerance_text},
                                  {.name = "--no-meta", .flag = &p.no_meta}};
    const cli c = {"annulus ckpt diff", help, options, sizeof options / sizeof options[0]};
    int count;
    double tolerance;
    bool equal;
    ann_ckpt *ckpts[2] = {NULL, NULL};
    const cli_result parsed = cli_parse(&c, argc, argv, &count);
    if (parsed != CLI_GO) return parsed == CLI_HELP ? 0 : ann_status_exit_code(ANN_ERR_CONFIG);
    if (count != 2) return cli_wrong(&c, "two checkpoints are needed, found %d", count);
    if (!parse_tolerance(&c, tolerance_text, &tolerance)) return ann_status_exit_code(ANN_ERR_CONFIG);
    ann_status status = open_both(ckpts, argv);
    if (status == ANN_OK)
        status = ann_ckpt_compare(&equal, ckpts[0], ckpts[1], pattern, tolerance, print_difference, &p);
    ann_ckpt_close(ckpts[0]);
    ann_ckpt_close(ckpts[1]);
    if (status != ANN_OK) return cli_fail(status);
    if (p.differences == 0) puts("equal");
    return p.differences == 0 ? 0 : 1;
}
