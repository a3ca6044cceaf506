/* What the web page's server answers to a request. */
#ifndef ANN_COORD_WEB_ANSWER_H
#define ANN_COORD_WEB_ANSWER_H

#include <microhttpd.h>
#include <stdbool.h>
#include "coord/registry.h"

typedef struct anni_web_site {
    anni_registry reader;
    bool loopback; /* only loopback names may stand in Host */
} anni_web_site;

/* libmicrohttpd's MHD_AccessHandlerCallback, with an anni_web_site. */
enum MHD_Result anni_web_answer(void *site, struct MHD_Connection *connection, const char *path,
                                const char *method, const char *version, const char *body, size_t *body_bytes,
                                void **state);

#endif
