/*
 * tests/support/t.h - what every C test includes: cmocka and a few helpers.
 *
 * cmocka's asserts leave by longjmp: never assert from a fiber's stack; collect and assert after.
 */
#ifndef TESTS_SUPPORT_T_H
#define TESTS_SUPPORT_T_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/sv.h"

/* A literal and its length, for tables of cases that hold NULs. */
#define L(lit) (lit), sizeof(lit) - 1

/* Name the case under test in failure messages. */
void t_case(const char *name);
#define t_assert_sv(got, want) t_assert_sv_at((got), (want), __FILE__, __LINE__)
void t_assert_sv_at(struct sv got, const char *want, const char *file, int line);

#endif
