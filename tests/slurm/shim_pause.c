/* Preloaded, it makes a run slow, however fast the machine is: each puts() takes ANNULUS_PAUSE_MS
   milliseconds (150) longer while the file ANNULUS_PAUSE_FILE is there. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int puts(const char *text) {
    int (*real)(const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "puts");
    const char *file = getenv("ANNULUS_PAUSE_FILE"), *ms = getenv("ANNULUS_PAUSE_MS");
    if (file && access(file, F_OK) == 0) usleep(1000 * (useconds_t)(ms ? atoi(ms) : 150));
    return real(text);
}
