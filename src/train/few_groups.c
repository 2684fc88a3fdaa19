// SPDX-License-Identifier: Apache-2.0
/* The predictive quantile of the next group: see few_groups.h. */
#include "train/few_groups.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define LEVEL	      0.9
#define QUANTILE_MIN  1e-3
#define SPREAD	      0.5
#define SPREAD_WEIGHT 2

/* The 80 % quantile of Student's t, by degrees of freedom from SPREAD_WEIGHT on. */
static const double t_80[GROUPS_FEW - 1] = {1.061, 0.978, 0.941, 0.920, 0.906, 0.896, 0.889};

/* The different groups, up to GROUPS_FEW of them. */
static size_t find_groups(const uint32_t *group, size_t n, uint32_t *ret)
{
	size_t found = 0;

	for (size_t i = 0; i < n && found < GROUPS_FEW; i++) {
		size_t k = 0;

		while (k < found && ret[k] != group[i])
			k++;
		if (k == found)
			ret[found++] = group[i];
	}
	return found;
}

/* The predictive quantile, from the logarithms of n groups' own. */
static double predict(const double *log_quantiles, size_t n)
{
	double mean = 0, squares = SPREAD_WEIGHT * SPREAD * SPREAD, sd;

	for (size_t k = 0; k < n; k++)
		mean += log_quantiles[k] / (double)n;
	for (size_t k = 0; k < n; k++)
		squares += pow(log_quantiles[k] - mean, 2);
	sd = sqrt(squares / (double)(SPREAD_WEIGHT + n - 1) * (1 + 1 / (double)n));
	return exp(mean + t_80[n - 1] * sd);
}

int next_group(const double *ratios, const uint32_t *group, size_t n, double *ret, struct err *e)
{
	autofree double *of_it = calloc(n + 1, sizeof(*of_it));
	uint32_t groups[GROUPS_FEW];
	double log_quantiles[GROUPS_FEW];
	size_t found;

	if (!of_it)
		return err_nomem(e);
	*ret = 1;
	found = find_groups(group, n, groups);
	if (!found || found == GROUPS_FEW)
		return 0;
	for (size_t k = 0; k < found; k++) {
		size_t rows = 0;

		for (size_t i = 0; i < n; i++) {
			if (group[i] == groups[k])
				of_it[rows++] = ratios[i];
		}
		log_quantiles[k] = log(fmax(quantile_of(of_it, rows, LEVEL), QUANTILE_MIN));
	}
	*ret = fmax(predict(log_quantiles, found), 1);
	return 0;
}
