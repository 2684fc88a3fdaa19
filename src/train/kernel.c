// SPDX-License-Identifier: Apache-2.0
/* The kernel and the distance: see kernel.h. */
#include "train/kernel.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/design.h"

#define CENTRES	     250
#define REFERENCE    400
#define PAIR_ROWS    300
#define WEIGHT_MIN   0.05
#define NOISE	     0.1 /* variance, of targets of variance 1 */
#define JITTER	     1e-6
#define LENGTH_SHARE 0.3

/* The columns below `q` with the most gain, as coordinates. */
static size_t choose_dims(const struct kernel_data *k, size_t q, struct space_dim *dims)
{
	double total = 0;
	size_t n = 0;

	for (size_t j = 0; j < q; j++)
		total += k->gain[j];
	while (n < SPACE_DIMS_MAX) {
		size_t best = q;

		for (size_t j = 0; j < q; j++) {
			bool taken = false;

			for (size_t i = 0; i < n; i++)
				taken |= dims[i].column == j;
			if (!taken && (best == q || k->gain[j] > k->gain[best]))
				best = j;
		}
		if (best == q || !(total > 0) || sqrt(k->gain[best] / total) < WEIGHT_MIN)
			break;
		dims[n].column = (uint16_t)best;
		dims[n++].weight = sqrt(k->gain[best] / total);
	}
	if (!n) /* a label that nothing explains */
		dims[n++] = (struct space_dim){.column = 0, .weight = 1};
	return n;
}

static void measure_dim(const struct kernel_data *k, struct space_dim *d)
{
	double sum = 0, square = 0, n = (double)k->n;

	for (size_t i = 0; i < k->n; i++) {
		double v = k->x[i * k->q + d->column], root = copysign(sqrt(fabs(v)), v);

		sum += root;
		square += root * root;
	}
	d->mean = sum / n;
	d->sd = sqrt(fmax(square / n - d->mean * d->mean, 0));
	if (!(d->sd > 1e-9 * fabs(d->mean) && d->sd > 1e-20))
		d->sd = fmax(fabs(d->mean), 1);
}

/* n points of the rows, evenly taken, in the space of the best columns below q. */
static int make_points(const struct kernel_data *k, size_t q, size_t most, struct points *p,
		       struct err *e)
{
	float at[SPACE_DIMS_MAX];

	p->dims = calloc(SPACE_DIMS_MAX, sizeof(*p->dims));
	if (!p->dims)
		return err_nomem(e);
	p->n_dims = choose_dims(k, q, p->dims);
	for (size_t j = 0; j < p->n_dims; j++)
		measure_dim(k, &p->dims[j]);
	p->n = k->n < most ? k->n : most;
	p->at = calloc(p->n * p->n_dims + 1, sizeof(*p->at));
	if (!p->at)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++) {
		points_place(p, k->x + (i * k->n / p->n) * k->q, at);
		for (size_t j = 0; j < p->n_dims; j++)
			p->at[j * p->n + i] = at[j];
	}
	return 0;
}

static void point_of(const struct points *p, size_t i, float ret_at[SPACE_DIMS_MAX])
{
	for (size_t j = 0; j < p->n_dims; j++)
		ret_at[j] = p->at[j * p->n + i];
}

/* k(at, centre) for every centre. */
static void kernel_row(const struct points *p, const float *at, double length, double *ret)
{
	memset(ret, 0, p->n * sizeof(*ret));
	for (size_t j = 0; j < p->n_dims; j++) {
		for (size_t i = 0; i < p->n; i++) {
			double d = (double)at[j] - p->at[j * p->n + i];

			ret[i] += d * d;
		}
	}
	kernel_matern(ret, p->n, length);
}

static double distance_between(const struct points *p, size_t a, size_t b)
{
	double sum = 0;

	for (size_t j = 0; j < p->n_dims; j++) {
		double d = (double)p->at[j * p->n + a] - p->at[j * p->n + b];

		sum += d * d;
	}
	return sqrt(sum);
}

static int median_distance(const struct points *p, double *ret, struct err *e)
{
	size_t m = p->n < PAIR_ROWS ? p->n : PAIR_ROWS, n = 0;
	autofree double *d = calloc(m * m / 2 + 1, sizeof(*d));

	if (!d)
		return err_nomem(e);
	for (size_t a = 0; a < m; a++) {
		for (size_t b = 0; b < a; b++)
			d[n++] = distance_between(p, a * p->n / m, b * p->n / m);
	}
	*ret = fmax(quantile_of(d, n, 0.5), 1e-6);
	return 0;
}

/* k(row, centre) for every row and centre: n x m. */
static double *kernel_matrix(const struct kernel_data *k, const struct points *p, double length)
{
	double *m = calloc(k->n * p->n + 1, sizeof(*m));
	float at[SPACE_DIMS_MAX];

	for (size_t i = 0; m && i < k->n; i++) {
		points_place(p, k->x + i * k->q, at);
		kernel_row(p, at, length, m + i * p->n);
	}
	return m;
}

static double standard_deviation(const double *v, size_t n)
{
	double square = 0;

	for (size_t i = 0; i < n; i++)
		square += v[i] * v[i];
	return fmax(sqrt(square / (double)n), 1e-9);
}

/* (noise K_mm + K_mn K_nm) alpha = K_mn target */
static int solve_alpha(const struct kernel_data *k, struct blend *b, struct err *e)
{
	const struct points *p = &b->centres;
	int m = (int)p->n;
	autofree double *nm = kernel_matrix(k, p, b->length);
	autofree double *a = calloc(p->n * p->n + 1, sizeof(*a));
	double sd = standard_deviation(k->target, k->n);
	float at[SPACE_DIMS_MAX];

	b->alpha = calloc(p->n + 1, sizeof(*b->alpha));
	if (!nm || !a || !b->alpha)
		return err_nomem(e);
	for (size_t i = 0; i < p->n; i++) {
		point_of(p, i, at);
		kernel_row(p, at, b->length, a + i * p->n);
		for (size_t j = 0; j < p->n; j++)
			a[i * p->n + j] *= NOISE;
		a[i * p->n + i] += JITTER * (double)k->n / m + JITTER;
	}
	cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, m, (int)k->n, 1, nm, m, 1, a, m);
	cblas_dgemv(CblasRowMajor, CblasTrans, (int)k->n, m, 1 / sd, nm, m, k->target, 1, 0,
		    b->alpha, 1);
	if (LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', m, 1, a, m, b->alpha, 1) != 0)
		memset(b->alpha, 0, p->n * sizeof(*b->alpha)); /* K is P then */
	for (size_t i = 0; i < p->n; i++)
		b->alpha[i] *= sd;
	return 0;
}

int kernel_fit(const struct kernel_data *k, struct blend *b, struct err *e)
{
	double median;
	int r = make_points(k, k->q, CENTRES, &b->centres, e);

	if (r == 0)
		r = median_distance(&b->centres, &median, e);
	if (r < 0)
		return r;
	b->length = LENGTH_SHARE * median;
	r = solve_alpha(k, b, e);
	if (r == 0)
		r = make_points(k, k->q_now, REFERENCE, &b->reference, e);
	return r == 0 ? median_distance(&b->reference, &b->median, e) : r;
}
