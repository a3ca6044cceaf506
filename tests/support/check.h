/* CMocka with what it wants included before it, and a check of statuses that says what went wrong. */
#ifndef ANN_TESTS_SUPPORT_CHECK_H
#define ANN_TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/status.h"

#define check_ok(expr)                                                                                       \
    do {                                                                                                     \
        const ann_status check_status_ = (expr);                                                             \
        if (check_status_ != ANN_OK)                                                                         \
            fail_msg("%s: %s: %s", #expr, ann_status_name(check_status_), ann_error_text());                 \
    } while (0)

#endif
