/* The methods that answer each request with one reply: one row each. */
#ifndef ANN_COORD_METHODS_H
#define ANN_COORD_METHODS_H

#include "coord/coord.h"
#include "coord/registry.h"

typedef struct anni_method {
    const char *path; /* "/annulus.v1.Operator/List" */
    const ProtobufCMessageDescriptor *request, *reply;
    anni_handler handle;
    bool control; /* needs the role control; any other, observe */
    bool writes;  /* answered by the writer's thread */
    bool streams; /* a call brings any number of requests, each answered before the next is read */
} anni_method;

extern const anni_method anni_methods[ANN_COORD_METHOD_COUNT];
extern const char anni_watch_path[];

#endif
