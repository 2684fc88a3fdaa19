// SPDX-License-Identifier: Apache-2.0
/* Cadence of a series: see steps.h. */
#include "align/steps.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median_of(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof(*v), compare_doubles);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int median_step(const double *t_s, size_t n, double *ret_s)
{
	autofree double *steps = malloc((n + 1) * sizeof(*steps));
	size_t n_steps = 0;

	if (!steps)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++) {
		if (t_s[i] > t_s[i - 1])
			steps[n_steps++] = t_s[i] - t_s[i - 1];
	}
	*ret_s = median_of(steps, n_steps);
	return 0;
}
