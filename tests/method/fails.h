/* A failure with the status and the words that it must have. */
#ifndef ANN_TESTS_METHOD_FAILS_H
#define ANN_TESTS_METHOD_FAILS_H

#include <string.h>
#include "support/check.h"

#define check_fails(expr, want, words)                                                                       \
    do {                                                                                                     \
        assert_int_equal((expr), (want));                                                                    \
        if (strstr(ann_error_text(), (words)) == NULL)                                                       \
            fail_msg("\"%s\" does not say \"%s\"", ann_error_text(), (words));                               \
    } while (0)

#endif
