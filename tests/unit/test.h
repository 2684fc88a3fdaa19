/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_H
#define TEST_H

/* cmocka with what it lacks: a double comparison, and a main from a list. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* |a - b| <= rel x max(|a|, |b|); both NaN is close too. */
static inline void assert_close_at(double a, double b, double rel, const char *file, int line)
{
	double m = fmax(fabs(a), fabs(b));

	if ((isnan(a) && isnan(b)) || fabs(a - b) <= rel * m)
		return;
	print_error("%.17g is not close to %.17g (relative %g)\n", a, b, rel);
	_fail(file, line);
}

#define assert_close(a, b, rel) assert_close_at((a), (b), (rel), __FILE__, __LINE__)

#define run_unit(tests) cmocka_run_group_tests_name(__FILE__, (tests), NULL, NULL)

#endif
