/* What reading samples costs.

   usage: bench_data                  64 rows of [28,28,1] bytes: mapped, in windows, held, compressed
          bench_data --big GIB [STEPS [STEP_MS]]
                                      training from a file of that size which is not in memory: batches of 128
                                      rows in several orders, and between two batches all cores compute for
                                      STEP_MS (20); how much of the time is spent waiting for data

   Files are written below TMPDIR, or /tmp, and removed. */
#include <fcntl.h>
#include <hdf5.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/philox.h"
#include "data/data.h"

enum { ROW = 28 * 28, PIECE = 1 << 16, ROWS = 64, BATCH = 128, ROUNDS = 400 };

static char dir[4096];

/* ---- files ---- */

/* /train/x [samples,28,28,1] of noise in its low bits, so that it compresses somewhat; chunk 0: contiguous.
 */
static bool write_file(const char *path, int64_t samples, int chunk) {
    const hsize_t dims[4] = {(hsize_t)samples, 28, 28, 1}, chunks[4] = {(hsize_t)chunk, 28, 28, 1};
    uint8_t *piece = malloc((size_t)PIECE * ROW);
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk > 0) {
        H5Pset_chunk(plist, 4, chunks);
        H5Pset_shuffle(plist);
        H5Pset_deflate(plist, 4);
    }
    H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER);
    const hid_t space = H5Screate_simple(4, dims, NULL), scalar = H5Screate(H5S_SCALAR);
    const hid_t x = H5Dcreate2(group, "x", H5T_NATIVE_UINT8, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    /* a checksum, or opening would read the whole file to compute one; nothing here looks at its value */
    const hid_t sum = H5Acreate2(group, "checksum", H5T_NATIVE_UINT64, scalar, H5P_DEFAULT, H5P_DEFAULT);
    bool good = piece && x >= 0 && sum >= 0 && H5Awrite(sum, H5T_NATIVE_UINT64, &(uint64_t){1}) >= 0;
    for (size_t i = 0; good && i < (size_t)PIECE * ROW; i++)
        piece[i] = (uint8_t)(i % ROW / 4 + (i * 2654435761u >> 29));
    for (int64_t at = 0; good && at < samples; at += PIECE) {
        const hsize_t start[4] = {(hsize_t)at};
        const hsize_t count[4] = {(hsize_t)(samples - at < PIECE ? samples - at : PIECE), 28, 28, 1};
        const hid_t memory = H5Screate_simple(4, count, NULL);
        memcpy(piece, &at, sizeof at);
        good = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
               H5Dwrite(x, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, piece) >= 0;
        H5Sclose(memory);
    }
    H5Aclose(sum);
    H5Dclose(x);
    H5Sclose(scalar);
    H5Sclose(space);
    H5Pclose(plist);
    H5Gclose(group);
    good = H5Fclose(file) >= 0 && good;
    free(piece);
    return good;
}

/* Out of the page cache; returns the share of the file that is still in it, in percent. */
static double drop(const char *path) {
    const int fd = open(path, O_RDONLY);
    const off_t bytes = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = ((size_t)bytes + page - 1) / page;
    if (fd < 0 || fsync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0)
        fprintf(stderr, "%s stays in memory\n", path);
    unsigned char *in = malloc(pages + 1);
    void *map = bytes > 0 ? mmap(NULL, (size_t)bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    size_t resident = 0;
    if (in && map != MAP_FAILED && mincore(map, (size_t)bytes, in) == 0)
        for (size_t i = 0; i < pages; i++) resident += in[i] & 1;
    if (map != MAP_FAILED) munmap(map, (size_t)bytes);
    if (fd >= 0) close(fd);
    free(in);
    return pages > 0 ? 100.0 * (double)resident / (double)pages : 100;
}

static ann_status open_file(ann_dataset **out, const char *path, int64_t cache_bytes) {
    const ann_data_source source = {.path = path};
    const ann_dataset_options options = {
        .sources = &source, .source_count = 1, .split = "train", .cache_bytes = cache_bytes};
    return ann_dataset_open(out, &options);
}

/* ---- 64 rows ---- */

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ROUNDS times ROWS rows, one after the other in the order. */
static ann_status time_rows(const char *name, const ann_dataset *dataset, ann_order_options o) {
    static double us[ROUNDS];
    static uint8_t out[ROWS * ROW];
    ann_order *order;
    double sum = 0;
    o.seed = 3;
    o.samples = ann_dataset_samples(dataset);
    o.batch = ROWS;
    ANN_TRY(ann_order_new(&order, &o));
    for (int r = 0; r < ROUNDS; r++) {
        int64_t ids[ROWS], epoch;
        for (int i = 0; i < ROWS; i++) ann_order_at(order, (int64_t)r * ROWS + i, &epoch, &ids[i]);
        const int64_t start_ns = ann_clock_ns();
        const ann_status status = ann_dataset_read(dataset, 0, ids, ROWS, out);
        us[r] = 1e-3 * (double)(ann_clock_ns() - start_ns);
        sum += us[r];
        ANN_TRY(status);
    }
    ann_order_free(order);
    qsort(us, ROUNDS, sizeof us[0], compare);
    printf("%-56s %10.1f %10.1f %10.1f\n", name, us[ROUNDS / 2], sum / ROUNDS, us[ROUNDS - 1]);
    return ANN_OK;
}

static ann_status time_order(const char *file, bool windows) {
    const ann_order_options o = {.kind = windows ? ANN_ORDER_WINDOW : ANN_ORDER_SHUFFLED,
                                 .seed = 3,
                                 .samples = 60000,
                                 .batch = ROWS,
                                 .block = 256,
                                 .window = 32};
    ann_order *order;
    int64_t epoch, sample, sum = 0;
    ANN_TRY(ann_order_new(&order, &o));
    const int64_t start_ns = ann_clock_ns();
    for (int64_t p = 0; p < 60000; p++) {
        ann_order_at(order, p, &epoch, &sample);
        sum += sample;
    }
    printf("%-56s %10.1f us for %d positions (%lld)\n", file,
           1e-3 * (double)(ann_clock_ns() - start_ns) * ROWS / 60000, ROWS, (long long)sum);
    ann_order_free(order);
    return ANN_OK;
}

static ann_status rows_table(const char *plain, const char *packed) {
    const ann_order_options shuffled = {.kind = ANN_ORDER_SHUFFLED};
    const ann_order_options windows = {.kind = ANN_ORDER_WINDOW, .block = 256, .window = 32};
    const int64_t small = 16 << 20;
    ann_dataset *d;
    printf("%-56s %10s %10s %10s\n", "64 rows of 784 bytes out of 60000, us", "median", "mean", "worst");
    ANN_TRY(open_file(&d, plain, 0));
    ANN_TRY(time_rows("contiguous, mapped, shuffled", d, shuffled));
    ANN_TRY(time_rows("contiguous, mapped, windows of 32 blocks of 256", d, windows));
    ANN_TRY(ann_dataset_hold(d, 0, ann_dataset_samples(d)));
    ANN_TRY(time_rows("contiguous, held in memory, shuffled", d, shuffled));
    ann_dataset_close(d);
    ANN_TRY(open_file(&d, packed, 0));
    ANN_TRY(time_rows("gzip, shuffled, first time, cache for all", d, shuffled));
    ANN_TRY(time_rows("gzip, shuffled, again", d, shuffled));
    ANN_TRY(ann_dataset_hold(d, 0, ann_dataset_samples(d)));
    ANN_TRY(time_rows("gzip, held in memory, shuffled", d, shuffled));
    ann_dataset_close(d);
    ANN_TRY(open_file(&d, packed, small));
    ANN_TRY(time_rows("gzip, windows of 32 blocks of 256, cache of 16 MiB", d, windows));
    ann_dataset_close(d);
    ANN_TRY(open_file(&d, packed, small));
    ANN_TRY(time_rows("gzip, shuffled, cache of 16 MiB", d, shuffled));
    ann_dataset_close(d);
    ANN_TRY(time_order("order: shuffled", false));
    return time_order("order: windows", true);
}

/* ---- a file larger than memory ---- */

/* All cores compute, as in a training step. */
static void compute(double ms) {
    const int64_t until = ann_clock_ns() + (int64_t)(ms * 1e6);
#pragma omp parallel
    while (ann_clock_ns() < until) continue;
}

static ann_status train(const char *path, const char *name, ann_order_options o, int steps, double step_ms) {
    ann_dataset *d;
    ann_order *order;
    ann_loader *loader;
    const ann_batch *batch;
    const double resident = drop(path);
    ANN_TRY(open_file(&d, path, 0));
    o.seed = 3;
    o.samples = ann_dataset_samples(d);
    o.batch = BATCH;
    ANN_TRY(ann_order_new(&order, &o));
    const ann_loader_options options = {.dataset = d,
                                        .order = order,
                                        .size = 1,
                                        .end_position = (int64_t)steps * BATCH,
                                        .max_threads = omp_get_max_threads()};
    int64_t last_ns = 0, worst_ns = 0, first_ns = 0;
    const int64_t start_ns = ann_clock_ns();
    ANN_TRY(ann_loader_new(&loader, &options));
    for (int i = 0; i < steps; i++) {
        ANN_TRY(ann_loader_next(loader, &batch));
        const int64_t wait_ns = ann_loader_wait_ns(loader);
        if (i == 0) first_ns = wait_ns;
        else if (wait_ns - last_ns > worst_ns) worst_ns = wait_ns - last_ns;
        last_ns = wait_ns;
        if (step_ms > 0) compute(step_ms);
    }
    const double seconds = 1e-9 * (double)(ann_clock_ns() - start_ns);
    printf("%-22s %9.1f %9.1f %10.2f %10.2f %9.2f %8.0f %6d %8d\n", name, resident, seconds,
           100e-9 * (double)last_ns / seconds, 1e-6 * (double)first_ns, 1e-6 * (double)worst_ns,
           steps * (double)BATCH * ROW / 1e6 / seconds, ann_loader_depth(loader), ann_loader_threads(loader));
    ann_loader_free(loader);
    ann_order_free(order);
    ann_dataset_close(d);
    return ANN_OK;
}

static ann_status big_table(const char *path, double gib, int steps, double step_ms) {
    const int64_t samples = (int64_t)(gib * (double)(1 << 30)) / ROW;
    const ann_order_options shuffled = {.kind = ANN_ORDER_SHUFFLED};
    const ann_order_options windows = {.kind = ANN_ORDER_WINDOW, .block = 256, .window = 128};
    const int64_t start_ns = ann_clock_ns();
    if (!write_file(path, samples, 0)) return ann_error(ANN_ERR_IO, "cannot write %s", path);
    printf("%.1f GiB, %lld samples, written in %.1f s; %d steps of %d samples, %.0f ms of computing on %d "
           "cores each\n",
           gib, (long long)samples, 1e-9 * (double)(ann_clock_ns() - start_ns), steps, BATCH, step_ms,
           omp_get_max_threads());
    printf("%-22s %9s %9s %10s %10s %9s %8s %6s %8s\n", "order", "cached %", "seconds", "waited %",
           "first ms", "worst ms", "MB/s", "depth", "threads");
    ANN_TRY(train(path, "window", windows, steps, step_ms));
    ANN_TRY(train(path, "shuffle", shuffled, steps, step_ms));
    return train(path, "window, no computing", windows, 5 * steps, 0);
}

int main(int argc, char **argv) {
    const bool big = argc > 2 && strcmp(argv[1], "--big") == 0;
    const int steps = argc > 3 ? atoi(argv[3]) : 1000;
    const char *tmp = getenv("TMPDIR");
    char plain[4200], packed[4200];
    (void)snprintf(dir, sizeof dir, "%s/annulus-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) return 1;
    (void)snprintf(plain, sizeof plain, "%s/plain.h5", dir);
    (void)snprintf(packed, sizeof packed, "%s/packed.h5", dir);
    ann_status status;
    if (big)
        status = big_table(plain, atof(argv[2]), steps > 0 ? steps : 1000, argc > 4 ? atof(argv[4]) : 20);
    else if (!write_file(plain, 60000, 0) || !write_file(packed, 60000, 64))
        status = ann_error(ANN_ERR_IO, "cannot write below %s", dir);
    else status = rows_table(plain, packed);
    if (status != ANN_OK) fprintf(stderr, "%s\n", ann_error_text());
    (void)unlink(plain);
    (void)unlink(packed);
    (void)rmdir(dir);
    return status == ANN_OK ? 0 : 1;
}
