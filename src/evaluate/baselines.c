// SPDX-License-Identifier: Apache-2.0
/* What the estimates are compared with: see baselines.h. */
#include "evaluate/baselines.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

const char *baseline_name(enum baseline b)
{
	static const char *const names[BASELINE_COUNT] = {"linear_in_utilization", "prior",
							  "kepler_in_guest"};

	return names[b];
}

bool line_fit(const double *x, const double *y, size_t n, double *ret_a, double *ret_b)
{
	double count = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(x[i]) || isnan(y[i]))
			continue;
		count++;
		mean_x += x[i];
		mean_y += y[i];
	}
	if (count < 2)
		return false;
	mean_x /= count;
	mean_y /= count;
	for (size_t i = 0; i < n; i++) {
		double d = x[i] - mean_x;

		if (isnan(x[i]) || isnan(y[i]))
			continue;
		xx += d * d;
		xy += d * (y[i] - mean_y);
	}
	if (!(xx > 0))
		return false;
	*ret_b = xy / xx;
	*ret_a = mean_y - *ret_b * mean_x;
	return true;
}

static void utilization(const struct table *t, double *ret_u)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		struct row row;

		table_row(t, i, &row);
		row_complete(&row);
		ret_u[i] = row.v[FEATURE_CPU_UTILIZATION];
	}
}

static int score_line(const struct table *t, const double *y, struct metrics *ret, struct err *e)
{
	autofree double *u = calloc(t->n_rows + 1, sizeof(double));
	double a = NAN, b = NAN;

	if (!u)
		return err_nomem(e);
	utilization(t, u);
	if (!line_fit(u, y, t->n_rows, &a, &b))
		return 0;
	for (size_t i = 0; i < t->n_rows; i++)
		u[i] = a + b * u[i];
	metrics_compute(&(struct metrics_input){.n = t->n_rows, .truth_w = y, .estimate_w = u},
			ret);
	return 0;
}

int baselines_compute(const struct table *t, enum zone z, const double *prior_w,
		      struct metrics ret[BASELINE_COUNT], struct err *e)
{
	struct metrics_input in = {.n = t->n_rows, .truth_w = t->y_w[z]};
	struct metrics m[BASELINE_COUNT] = {{.rows = 0}};
	int r = score_line(t, t->y_w[z], &m[BASELINE_LINEAR], e);

	if (r < 0)
		return r;
	in.estimate_w = prior_w;
	metrics_compute(&in, &m[BASELINE_PRIOR]);
	if (z == ZONE_PACKAGE && t->kepler_guest_package_w) {
		in.estimate_w = t->kepler_guest_package_w;
		metrics_compute(&in, &m[BASELINE_KEPLER]);
	}
	for (int b = 0; b < BASELINE_COUNT; b++)
		ret[b] = m[b];
	return 0;
}
