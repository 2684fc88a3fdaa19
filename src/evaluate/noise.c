// SPDX-License-Identifier: Apache-2.0
/* What rows that look alike differ by: see noise.h. */
#include "evaluate/noise.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* The rows compared: places in the table, and their coordinates. */
struct cloud {
	size_t n, dims;
	size_t *row;
	float *at; /* n x dims */
};

static void cloud_release(struct cloud *c)
{
	free(c->row);
	free(c->at);
}

/* What a model may see; vcpus tells machines apart. */
static bool is_seen(const struct table *t, enum feature f)
{
	return t->x[f] && (f == FEATURE_VCPUS || feature_info(f)->use != FEATURE_USE_SLOW);
}

/* Mean and deviation of a feature over the cloud; false when it says nothing. */
static bool spread(const struct cloud *c, const double *x, double *ret_mean, double *ret_sd)
{
	double n = 0, sum = 0, squares = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (isnan(x[c->row[i]]))
			continue;
		n++;
		sum += x[c->row[i]];
	}
	if (n < 2)
		return false;
	*ret_mean = sum / n;
	for (size_t i = 0; i < c->n; i++) {
		double d = x[c->row[i]] - *ret_mean;

		if (!isnan(d))
			squares += d * d;
	}
	*ret_sd = sqrt(squares / n);
	return *ret_sd > 1e-9 * fabs(*ret_mean);
}

static void place(struct cloud *c, const struct table *t)
{
	size_t width = FEATURE_COUNT, dims = 0;

	feature_foreach (f) {
		double mean, sd;

		if (!is_seen(t, f) || !spread(c, t->x[f], &mean, &sd))
			continue;
		for (size_t i = 0; i < c->n; i++) {
			double x = t->x[f][c->row[i]];

			c->at[i * width + dims] = isnan(x) ? 0 : (float)((x - mean) / sd);
		}
		dims++;
	}
	c->dims = dims;
}

static int cloud_init(struct cloud *c, const struct table *t, const double *y, struct err *e)
{
	size_t labelled = 0, seen = 0;

	for (size_t i = 0; i < t->n_rows; i++)
		labelled += !isnan(y[i]);
	c->row = malloc((NOISE_ROWS + 1) * sizeof(*c->row));
	c->at = malloc((NOISE_ROWS + 1) * FEATURE_COUNT * sizeof(*c->at));
	if (!c->row || !c->at)
		return err_nomem(e);
	for (size_t i = 0; i < t->n_rows; i++) {
		size_t wanted = labelled < NOISE_ROWS ? labelled : NOISE_ROWS;

		if (isnan(y[i]))
			continue;
		if (seen++ * wanted / labelled >= c->n && c->n < wanted)
			c->row[c->n++] = i;
	}
	place(c, t);
	return 0;
}

static bool may_pair(const struct table *t, size_t a, size_t b)
{
	if (t->n_groups > 1)
		return t->group[a] != t->group[b];
	return (a > b ? a - b : b - a) > NOISE_APART;
}

/* Squared distance, or anything above `most` once it is more. */
static float distance(const struct cloud *c, size_t i, size_t j, float most)
{
	const float *a = c->at + i * FEATURE_COUNT, *b = c->at + j * FEATURE_COUNT;
	float sum = 0;

	for (size_t d = 0; d < c->dims && sum <= most; d++)
		sum += (a[d] - b[d]) * (a[d] - b[d]);
	return sum;
}

/* The place in the cloud nearest to `i`, or `i` itself when none may pair with it. */
static size_t nearest(const struct cloud *c, const struct table *t, size_t i, float *ret_squared)
{
	size_t best = i;

	*ret_squared = INFINITY;
	for (size_t j = 0; j < c->n; j++) {
		float d;

		if (!may_pair(t, c->row[i], c->row[j]))
			continue;
		d = distance(c, i, j, *ret_squared);
		if (d < *ret_squared) {
			*ret_squared = d;
			best = j;
		}
	}
	return best;
}

static int ascending(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

int noise_compute(const struct table *t, enum zone z, struct noise *ret, struct err *e)
{
	const double *y = t->y_w[z];
	autofree float *squared = malloc(NOISE_QUERIES * sizeof(*squared));
	struct cloud c = {.n = 0};
	double sum = 0;
	size_t queries;
	int r = squared ? cloud_init(&c, t, y, e) : err_nomem(e);

	if (r < 0) {
		cloud_release(&c);
		return r;
	}
	*ret = (struct noise){.floor_w = NAN, .distance = NAN};
	queries = !c.dims ? 0 : c.n < NOISE_QUERIES ? c.n : NOISE_QUERIES;
	for (size_t q = 0; q < queries; q++) {
		size_t i = q * c.n / queries;
		size_t j = nearest(&c, t, i, &squared[ret->pairs]);

		if (j == i)
			continue;
		sum += fabs(y[c.row[i]] - y[c.row[j]]);
		ret->pairs++;
	}
	if (ret->pairs) {
		qsort(squared, ret->pairs, sizeof(*squared), ascending);
		ret->floor_w = sum / (double)ret->pairs / sqrt(2);
		ret->distance = sqrt((double)squared[ret->pairs / 2] / (double)c.dims);
	}
	cloud_release(&c);
	return 0;
}
