/* cmocka with the headers that it needs before it. */
#ifndef FB_TESTS_SUPPORT_UNIT_H
#define FB_TESTS_SUPPORT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
