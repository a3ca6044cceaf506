// runs: 3000
/* HTTP requests to the coordinator's web page: the input is what a client sends. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "coord/registry.h"
#include "coord/web.h"
#include "fuzz/fuzz.h"

static struct sockaddr_in address;

/* A registry with one run, and the page of it: for as long as the process lives. */
static void serve(void) {
    static anni_registry registry;
    static ann_coord_web *web;
    const anni_caller caller = {"fuzz (control)"};
    Annulus__V1__SubmitRequest request = ANNULUS__V1__SUBMIT_REQUEST__INIT;
    Annulus__V1__SubmitReply reply = ANNULUS__V1__SUBMIT_REPLY__INIT;
    ann_arena *arena;
    request.run = "fashion";
    fuzz_require(
        ann_arena_new(&arena) == ANN_OK && anni_registry_open(&registry, fuzz_dir(), 30000) == ANN_OK &&
            anni_registry_begin(&registry) == ANN_OK &&
            anni_answer_submit(&registry, &caller, arena, &request.base, &reply.base) == ANN_OK &&
            anni_registry_commit(&registry) == ANN_OK && ann_coord_web_start(&web, fuzz_dir(), "0") == ANN_OK,
        "the page does not start");
    ann_arena_free(arena);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(ann_coord_web_address(web), ':') + 1));
}

/* What comes back within some milliseconds; a request that is not complete gets nothing so soon. */
static size_t talk(const uint8_t *data, size_t size, char *answer, size_t room) {
    const struct timeval soon = {.tv_usec = 5000};
    const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t got = 0;
    fuzz_require(client >= 0 && setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon) == 0,
                 "no socket");
    fuzz_require(connect(client, (struct sockaddr *)&address, sizeof address) == 0,
                 "the page does not take connections");
    if (send(client, data, size, MSG_NOSIGNAL) == (ssize_t)size)
        for (ssize_t n; got < room && (n = recv(client, answer + got, room - got, 0)) > 0;) got += (size_t)n;
    close(client);
    return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char answer[4096];
    if (!address.sin_port) serve();
    const size_t got = talk(data, size, answer, sizeof answer);
    fuzz_require(got < 7 || memcmp(answer, "HTTP/1.", 7) == 0, "an answer that is not HTTP");
    return 0;
}
