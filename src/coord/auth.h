/* Who may do what. */
#ifndef ANN_COORD_AUTH_H
#define ANN_COORD_AUTH_H

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdbool.h>
#include "coord/registry.h"

/* A certificate's role is a URI among its subject alternative names. */
#define ANNI_ROLE_CONTROL "annulus:control"
#define ANNI_ROLE_OBSERVE "annulus:observe"

enum { ANNI_TOKEN_BYTES = 65 }; /* 32 random bytes in hexadecimal, and NUL */

typedef struct anni_tokens {
    char control[ANNI_TOKEN_BYTES], observe[ANNI_TOKEN_BYTES]; /* "": none */
} anni_tokens;

/* Reads DIR/token-control and DIR/token-observe, which only their owner may read; with `make`, makes those
   that are not there. Errors: ANN_ERR_CONFIG, ANN_ERR_IO. */
ann_status anni_tokens_open(anni_tokens *tokens, const char *dir, bool make) ANN_MUST_CHECK;
/* Reads DIR/token-NAME. Errors: also ANN_ERR_NOT_FOUND. */
ann_status anni_token_read(char token[ANNI_TOKEN_BYTES], const char *dir, const char *name) ANN_MUST_CHECK;

/* ANN_OK, ANN_ERR_NOT_FOUND (unknown: UNAUTHENTICATED), or ANN_ERR_ARG (known, and has no right to it:
   PERMISSION_DENIED); `caller` says who it is or where it comes from. Never blocks. */
ann_status anni_admit(anni_caller *caller, grpc_call *call, const grpc_metadata_array *metadata,
                      const anni_tokens *tokens, bool control) ANN_MUST_CHECK;

/* A whole file, NUL-terminated. Errors: ANN_ERR_NOT_FOUND, ANN_ERR_IO, ANN_ERR_MEMORY. Owner: the caller,
 * free. */
ann_status anni_read_file(char **out, const char *dir, const char *name) ANN_MUST_CHECK;

#endif
