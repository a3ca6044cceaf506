// timeout: 600
/* Every kernel of the table against its reference, at each instruction set this processor has, with one and
   two threads: equal within the case's derived bound; the same bits again, and when fewer threads are granted
   than asked for; nothing written outside the output, nothing of it left unwritten, inputs unchanged. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_cases.h"
#include "support/check.h"
#include "base/mem.h"
#include "kernel/fused.h"

/* ---- memory with a border ---- */

enum { BORDER = ANN_ALIGN_BYTES };

typedef struct buffer {
    unsigned char *data;
    size_t bytes;
} buffer;

static buffer buffer_new(const ann_shape *shape, ann_dtype dtype) {
    buffer b = {.bytes = (size_t)ann_shape_elems(shape) * ann_dtype_bytes(dtype)};
    unsigned char *whole =
        aligned_alloc(ANN_ALIGN_BYTES, ann_align_up(b.bytes + 2 * BORDER, ANN_ALIGN_BYTES));
    assert_non_null(whole);
    memset(whole, 0xA5, b.bytes + 2 * BORDER);
    b.data = whole + BORDER;
    return b;
}

static void buffer_free(buffer *b) { free(b->data - BORDER); }

static bool border_is_whole(const buffer *b) {
    for (size_t i = 0; i < BORDER; i++)
        if (b->data[i - BORDER] != 0xA5 || b->data[b->bytes + i] != 0xA5) return false;
    return true;
}

/* ---- failures: the first are printed, and the test fails at its end ---- */

static int n_failures;

static void complain(const char *fmt, ...) ANN_PRINTF(1, 2);
static void complain(const char *fmt, ...) {
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n_failures++ < 20) print_error("%s\n", text);
}

/* ---- one call ---- */

typedef struct setup {
    const kernel_case *c;
    buffer in[CASE_MAX_IN], out, expected_in0, expected, sum;
    bool stores; /* the call overwrites input 0 */
} setup;

static ann_status run_once(const setup *s, const ann_kernel *kernel, const void *const *in, void *out,
                           int threads, bool *accepted) {
    const kernel_case *c = s->c;
    ann_kernel_call call = {.op = c->op,
                            .attrs = &c->attrs,
                            .n_in = c->n_in,
                            .in_shape = c->in_shape,
                            .in_dtype = c->in_dtype,
                            .out_shape = c->out_shape,
                            .out_dtype = c->out_dtype,
                            .threads = threads};
    *accepted = !kernel->accepts || kernel->accepts(&call);
    if (!*accepted) return ANN_OK;
    const size_t bytes = kernel->scratch_bytes ? kernel->scratch_bytes(&call) : 0;
    call.scratch = aligned_alloc(ANN_ALIGN_BYTES, ann_align_up(bytes + 1, ANN_ALIGN_BYTES));
    if (!call.scratch) return ann_error(ANN_ERR_MEMORY, "no scratch");
    memset(call.scratch, 0xFF, bytes);
    ann_status status = kernel->prepare ? kernel->prepare(&call) : ANN_OK;
    call.in = in;
    call.out = out;
    if (status == ANN_OK) status = kernel->run(&call);
    if (kernel->release) kernel->release(call.state);
    free(call.scratch);
    return status;
}

/* Runs over fresh copies of what the call changes. The result is in s->out, and in s->in[0] if it stores. */
static bool run_fresh(setup *s, const ann_kernel *kernel, int threads, bool in_place) {
    const void *in[CASE_MAX_IN];
    for (int i = 0; i < s->c->n_in; i++) in[i] = s->in[i].data;
    if (s->stores) kernel_case_fill(s->in[0].data, s->c, 0);
    if (s->out.bytes) memset(s->out.data, 0xFF, s->out.bytes);
    if (in_place) {
        memcpy(s->out.data, s->in[0].data, s->out.bytes);
        in[0] = s->out.data;
    }
    bool accepted;
    check_ok(run_once(s, kernel, in, s->out.data, threads, &accepted));
    return accepted;
}

/* ---- comparison ---- */

static double largest_input(const setup *s) {
    double top = 0.0;
    const int64_t n = ann_shape_elems(&s->c->in_shape[0]);
    for (int64_t i = 0; i < n; i++) top = fmax(top, fabs(ann_elem_get(s->in[0].data, s->c->in_dtype[0], i)));
    return top;
}

static void compare(const setup *s, const char *what, const buffer *got, const buffer *expected,
                    const ann_shape *shape, ann_dtype dtype) {
    const kernel_case *c = s->c;
    const double u = dtype == ANN_F32 ? 0x1p-24 : 0x1p-53;
    const double tiny = dtype == ANN_F32 ? 0x1p-126 : 0x1p-1022; /* denormal results may be flushed */
    const double row = c->bound == BOUND_ROW ? 1.0 + 2.0 * largest_input(s) : 0.0;
    const int64_t n = ann_shape_elems(shape);
    for (int64_t i = 0; i < n; i++) {
        const double g = ann_elem_get(got->data, dtype, i), e = ann_elem_get(expected->data, dtype, i);
        if ((isnan(g) && isnan(e)) || g == e) continue;
        double bound = tiny;
        if (c->bound == BOUND_VALUE) bound += c->slack * u * fabs(e);
        if (c->bound == BOUND_SUM) bound += c->slack * u * ann_elem_get(s->sum.data, dtype, i);
        if (c->bound == BOUND_ROW) bound += c->slack * u * row;
        if (!(fabs(g - e) <= bound)) {
            complain("%s: %s: element %lld of %lld is %.9g, should be %.9g within %.3g", what, c->name,
                     (long long)i, (long long)n, g, e, bound);
            return;
        }
    }
}

static void compare_with_reference(const setup *s, const char *what) {
    compare(s, what, &s->out, &s->expected, &s->c->out_shape, s->c->out_dtype);
    if (s->stores) compare(s, what, &s->in[0], &s->expected_in0, &s->c->in_shape[0], s->c->in_dtype[0]);
    if (!border_is_whole(&s->out)) complain("%s: %s: wrote outside the output", what, s->c->name);
    for (int i = 0; i < s->c->n_in; i++)
        if (!border_is_whole(&s->in[i])) complain("%s: %s: wrote outside input %d", what, s->c->name, i);
}

static void check_inputs_unchanged(const setup *s, const char *what) {
    for (int i = s->stores ? 1 : 0; i < s->c->n_in; i++) {
        buffer fresh = buffer_new(&s->c->in_shape[i], s->c->in_dtype[i]);
        kernel_case_fill(fresh.data, s->c, i);
        if (memcmp(fresh.data, s->in[i].data, fresh.bytes) != 0)
            complain("%s: %s: changed input %d", what, s->c->name, i);
        buffer_free(&fresh);
    }
}

/* ---- the reference's results ---- */

/* Of the case, and for sums, of absolute values. */
static void run_reference(setup *s, const ann_kernel *reference) {
    assert_true(run_fresh(s, reference, 1, false));
    memcpy(s->expected.data, s->out.data, s->out.bytes);
    if (s->stores) memcpy(s->expected_in0.data, s->in[0].data, s->in[0].bytes);
    if (s->c->bound != BOUND_SUM) return;
    const void *in[CASE_MAX_IN];
    buffer absolute[CASE_MAX_IN];
    for (int i = 0; i < s->c->n_in; i++) {
        absolute[i] = buffer_new(&s->c->in_shape[i], s->c->in_dtype[i]);
        kernel_case_fill(absolute[i].data, s->c, i);
        for (int64_t k = 0; k < ann_shape_elems(&s->c->in_shape[i]); k++)
            ann_elem_set(absolute[i].data, s->c->in_dtype[i], k,
                         fabs(ann_elem_get(absolute[i].data, s->c->in_dtype[i], k)));
        in[i] = absolute[i].data;
    }
    bool accepted;
    check_ok(run_once(s, reference, in, s->sum.data, 1, &accepted));
    for (int i = 0; i < s->c->n_in; i++) buffer_free(&absolute[i]);
}

static setup setup_new(const kernel_case *c) {
    setup s = {.c = c, .stores = c->op == ANN_OP_FUSED && c->attrs.fused->n_store > 0};
    for (int i = 0; i < c->n_in; i++) {
        s.in[i] = buffer_new(&c->in_shape[i], c->in_dtype[i]);
        kernel_case_fill(s.in[i].data, c, i);
    }
    s.out = buffer_new(&c->out_shape, c->out_dtype);
    s.expected = buffer_new(&c->out_shape, c->out_dtype);
    s.sum = buffer_new(&c->out_shape, c->out_dtype);
    s.expected_in0 =
        c->n_in > 0 ? buffer_new(&c->in_shape[0], c->in_dtype[0]) : buffer_new(&ANN_SCALAR, ANN_U8);
    return s;
}

static void setup_free(setup *s) {
    for (int i = 0; i < s->c->n_in; i++) buffer_free(&s->in[i]);
    buffer_free(&s->out);
    buffer_free(&s->expected);
    buffer_free(&s->sum);
    buffer_free(&s->expected_in0);
}

/* ---- all kernels of a case ---- */

enum { MAX_KERNELS = 256 };
static const ann_kernel *seen[MAX_KERNELS];
static int n_seen;

static bool was_seen(const ann_kernel *kernel) {
    for (int i = 0; i < n_seen; i++)
        if (seen[i] == kernel) return true;
    return false;
}

static void check_same_bits(setup *s, const ann_kernel *kernel, const char *what, int threads, int granted,
                            bool in_place) {
    buffer first = buffer_new(&s->c->out_shape, s->c->out_dtype);
    memcpy(first.data, s->out.data, first.bytes);
    const int levels = omp_get_max_active_levels();
    if (granted == 1) omp_set_max_active_levels(0);
    run_fresh(s, kernel, threads, in_place);
    omp_set_max_active_levels(levels);
    if (first.bytes && memcmp(first.data, s->out.data, first.bytes) != 0)
        complain("%s: %s: other bits %s", what, s->c->name,
                 in_place       ? "in place"
                 : granted == 1 ? "with fewer threads than asked for"
                                : "in a second run");
    buffer_free(&first);
}

static void check_kernel(setup *s, const ann_kernel *kernel, const char *level, int threads) {
    char what[160];
    snprintf(what, sizeof what, "%s on %s, %d threads", kernel->name, level, threads);
    if (!run_fresh(s, kernel, threads, false)) return;
    compare_with_reference(s, what);
    check_inputs_unchanged(s, what);
    check_same_bits(s, kernel, what, threads, threads, false);
    /* oneDNN splits its sums by the threads it gets. */
    const bool splits_itself = strstr(kernel->name, "dnnl") != NULL;
    if (threads > 1 && !splits_itself) check_same_bits(s, kernel, what, threads, 1, false);
    if (s->c->in_place) check_same_bits(s, kernel, what, threads, threads, true);
    if (!was_seen(kernel)) {
        assert_true(n_seen < MAX_KERNELS);
        seen[n_seen++] = kernel;
    }
}

static void visit(const kernel_case *c) {
    static const char *const names[] = {
        [ANN_CPU_BASE] = "base", [ANN_CPU_AVX2] = "AVX2", [ANN_CPU_AVX512] = "AVX-512"};
    int n = 0;
    while (ann_kernel_list(c->op, c->out_dtype, n)) n++;
    if (n < 2) return;
    setup s = setup_new(c);
    run_reference(&s, ann_kernel_list(c->op, c->out_dtype, n - 1));
    const ann_cpu_level best = ann_cpu();
    for (int level = ANN_CPU_BASE; level <= (int)best; level++) {
        ann_cpu_limit((ann_cpu_level)level);
        for (int i = 0; i + 1 < n; i++)
            for (int threads = 1; threads <= 2; threads++)
                check_kernel(&s, ann_kernel_list(c->op, c->out_dtype, i), names[level], threads);
    }
    ann_cpu_limit(ANN_CPU_AVX512);
    setup_free(&s);
}

/* ---- tests ---- */

static void fast_kernels_f32(void **state) {
    (void)state;
    n_failures = 0;
    kernel_cases(ANN_F32, visit);
    assert_int_equal(n_failures, 0);
}
static void fast_kernels_f64(void **state) {
    (void)state;
    n_failures = 0;
    kernel_cases(ANN_F64, visit);
    assert_int_equal(n_failures, 0);
}
static void fused_loops_are_exact(void **state) {
    (void)state;
    n_failures = 0;
    fused_cases(ANN_F32, visit);
    fused_cases(ANN_F64, visit);
    assert_int_equal(n_failures, 0);
}

/* A kernel that no case reached was not tested, unless this processor lacks what it needs. */
static void every_kernel_was_run(void **state) {
    (void)state;
    static const char *const levels[] = {[ANN_CPU_AVX2] = "avx2", [ANN_CPU_AVX512] = "avx512"};
    for (ann_op op = 0; op < ANN_OP_COUNT; op++)
        for (ann_dtype dtype = ANN_F32; dtype < ANN_DTYPE_COUNT; dtype++)
            for (int i = 0; ann_kernel_list(op, dtype, i) && ann_kernel_list(op, dtype, i + 1); i++) {
                const ann_kernel *kernel = ann_kernel_list(op, dtype, i);
                bool lacking = ann_cpu() < ANN_CPU_AVX512 && strstr(kernel->name, "dnnl");
                for (int level = (int)ann_cpu() + 1; level <= ANN_CPU_AVX512; level++)
                    lacking |= strstr(kernel->name, levels[level]) != NULL;
                if (!was_seen(kernel) && !lacking) fail_msg("%s was not run", kernel->name);
            }
    print_message("%d fast kernels were compared with their references\n", n_seen);
}

static void selection_follows_policy(void **state) {
    (void)state;
    const ann_attrs attrs = {0};
    const ann_shape shape = ANN_SHAPE(32, 32);
    const ann_kernel_call call = {.op = ANN_OP_MATMUL,
                                  .attrs = &attrs,
                                  .n_in = 2,
                                  .in_shape = (ann_shape[]){shape, shape},
                                  .in_dtype = (ann_dtype[]){ANN_F32, ANN_F32},
                                  .out_shape = shape,
                                  .out_dtype = ANN_F32,
                                  .threads = 1};
    assert_string_equal(ann_kernel_select(&call, ANN_KERNEL_REFERENCE)->name, "matmul.ref");
    assert_string_not_equal(ann_kernel_select(&call, ANN_KERNEL_FAST)->name, "matmul.ref");
    ann_kernel_call none = call;
    none.out_dtype = ANN_U8;
    assert_null(ann_kernel_select(&none, ANN_KERNEL_FAST));
    assert_null(ann_kernel_list(ANN_OP_INPUT, ANN_F32, 0));
    assert_null(ann_kernel_list(ANN_OP_MATMUL, ANN_F32, 100));
}

static void the_limit_lowers_the_level(void **state) {
    (void)state;
    const ann_cpu_level best = ann_cpu();
    ann_cpu_limit(ANN_CPU_BASE);
    assert_int_equal(ann_cpu(), ANN_CPU_BASE);
    ann_cpu_limit(ANN_CPU_AVX512);
    assert_int_equal(ann_cpu(), best);
}

int main(void) {
    ann_kernel_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_lowers_the_level), cmocka_unit_test(selection_follows_policy),
        cmocka_unit_test(fast_kernels_f32),           cmocka_unit_test(fast_kernels_f64),
        cmocka_unit_test(fused_loops_are_exact),      cmocka_unit_test(every_kernel_was_run),
    };
    return cmocka_run_group_tests_name("kernels", tests, NULL, NULL);
}
