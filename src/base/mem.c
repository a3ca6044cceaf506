#include "base/mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_FROM_BYTES ((size_t)1 << 20)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Maps `bytes` (a multiple of the huge page) at a huge-page boundary: one page more is mapped and both ends
   are cut off. NULL if it cannot be had. */
static void *map_huge(size_t bytes) {
    const size_t mapped = bytes + HUGE_PAGE_BYTES;
    if (mapped < bytes) return NULL;
    char *p = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    const size_t before = (HUGE_PAGE_BYTES - (uintptr_t)p % HUGE_PAGE_BYTES) % HUGE_PAGE_BYTES;
    if (before) munmap(p, before);
    munmap(p + before + bytes, HUGE_PAGE_BYTES - before);
    (void)madvise(p + before, bytes, MADV_HUGEPAGE); /* advice: without huge pages it is only slower */
    return p + before;
}

ann_status ann_mem_alloc(void **out, size_t bytes) {
    *out = NULL;
    void *p = NULL;
    if (bytes <= SIZE_MAX / 2) {
        if (bytes >= HUGE_FROM_BYTES) {
            p = map_huge(ann_align_up(bytes, HUGE_PAGE_BYTES));
        } else {
            const size_t rounded = ann_align_up(bytes ? bytes : 1, ANN_ALIGN_BYTES);
            p = aligned_alloc(ANN_ALIGN_BYTES, rounded);
            if (p) memset(p, 0, rounded);
        }
    }
    if (!p) return ann_error(ANN_ERR_MEMORY, "cannot allocate %zu bytes", bytes);
    *out = p;
    return ANN_OK;
}

void ann_mem_discard(void *p, size_t bytes) {
    const long page = sysconf(_SC_PAGESIZE);
    if (page <= 0) return;
    const uintptr_t begin = ann_align_up((uintptr_t)p, (size_t)page);
    const uintptr_t end = ((uintptr_t)p + bytes) / (size_t)page * (size_t)page;
    if (end <= begin) return;
    (void)madvise((char *)p + (begin - (uintptr_t)p), end - begin, MADV_NOHUGEPAGE);
    (void)madvise((char *)p + (begin - (uintptr_t)p), end - begin, MADV_DONTNEED);
}

void ann_mem_free(void *p, size_t bytes) {
    if (!p) return;
    if (bytes >= HUGE_FROM_BYTES) munmap(p, ann_align_up(bytes, HUGE_PAGE_BYTES));
    else free(p);
}
