// SPDX-License-Identifier: Apache-2.0
/* The drift between two clocks: see drift.h. */
#include "align/drift.h"

#include <math.h>
#include <stdbool.h>

#include "align/steps.h"
#include "base/cleanup.h"

#define REFRESHES_MIN (2 * LAG_REFRESHES_MIN)
#define FAR	      3.0  /* uncertainties; a stretch so far from the line has another reason */
#define FAR_STEPS     0.5  /* or so many steps of comparison, whichever is more */
#define NORMAL_95     1.96 /* half a 95 % interval in standard deviations */

struct stretch {
	double t_s, lag_s, u_s; /* middle, lag, its standard deviation */
};

/* How many stretches of at least DRIFT_STRETCH_S and REFRESHES_MIN the power track has. */
static size_t count_stretches(const struct track *power)
{
	double length_s;
	size_t k;

	if (!power->n)
		return 0;
	length_s = power->pieces[power->n - 1].end_s - power->pieces[0].begin_s;
	k = (size_t)fmin(length_s / DRIFT_STRETCH_S, (double)power->n / REFRESHES_MIN);
	return k < DRIFT_STRETCHES_MAX ? k : DRIFT_STRETCHES_MAX;
}

static size_t find_lags(const struct lag_input *in, size_t k, struct stretch *ret)
{
	size_t n = 0, from = 0;
	double begin_s = in->power->pieces[0].begin_s;
	double each_s = (in->power->pieces[in->power->n - 1].end_s - begin_s) / (double)k;

	for (size_t i = 0; i < k; i++) {
		double end_s = begin_s + each_s * (double)(i + 1);
		struct track part = {.pieces = in->power->pieces + from};
		struct lag_input one = {.load = in->load, .power = &part, .step_s = in->step_s};
		struct err unused = ERR_INIT;
		struct lag lag;

		while (from < in->power->n && in->power->pieces[from].end_s <= end_s) {
			from++;
			part.n++;
		}
		if (lag_find(&one, &lag, &unused) < 0)
			continue;
		ret[n++] = (struct stretch){end_s - each_s / 2, lag.lag_s,
					    lag.uncertainty_s / NORMAL_95};
	}
	return n;
}

/* The line of median slope through the stretches: lag at t0 and slope. */
static void median_line(const struct stretch *s, size_t n, double t0_s, double *ret_lag_s,
			double *ret_slope)
{
	double slopes[DRIFT_STRETCHES_MAX * DRIFT_STRETCHES_MAX / 2], lags[DRIFT_STRETCHES_MAX];
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++)
			slopes[k++] = (s[j].lag_s - s[i].lag_s) / (s[j].t_s - s[i].t_s);
	}
	*ret_slope = median_of(slopes, k);
	for (size_t i = 0; i < n; i++)
		lags[i] = s[i].lag_s - *ret_slope * (s[i].t_s - t0_s);
	*ret_lag_s = median_of(lags, n);
}

static size_t leave_out_far(struct stretch *s, size_t n, double t0_s, double step_s)
{
	double lag_s, slope;
	size_t kept = 0;

	median_line(s, n, t0_s, &lag_s, &slope);
	for (size_t i = 0; i < n; i++) {
		double off_s = fabs(s[i].lag_s - lag_s - slope * (s[i].t_s - t0_s));

		if (off_s <= fmax(FAR * s[i].u_s, FAR_STEPS * step_s))
			s[kept++] = s[i];
	}
	return kept;
}

/* Weighted least squares: the slope and its standard deviation. */
static void fit(const struct stretch *s, size_t n, double t0_s, double *ret_slope, double *ret_sd)
{
	double w = 0, wt = 0, wl = 0, tt = 0, tl = 0, loss = 0;

	for (size_t i = 0; i < n; i++) {
		double wi = 1 / (s[i].u_s * s[i].u_s);

		w += wi;
		wt += wi * (s[i].t_s - t0_s);
		wl += wi * s[i].lag_s;
	}
	for (size_t i = 0; i < n; i++) {
		double wi = 1 / (s[i].u_s * s[i].u_s), dt = s[i].t_s - t0_s - wt / w;

		tt += wi * dt * dt;
		tl += wi * dt * (s[i].lag_s - wl / w);
	}
	*ret_slope = tl / tt;
	for (size_t i = 0; i < n; i++) {
		double off_s = s[i].lag_s - wl / w - *ret_slope * (s[i].t_s - t0_s - wt / w);

		loss += off_s * off_s / (s[i].u_s * s[i].u_s);
	}
	/* The lags' own uncertainties, or more where they scatter by more. */
	*ret_sd = sqrt(fmax(1, loss / (double)(n - 2)) / tt);
}

struct drift drift_find(const struct lag_input *in)
{
	struct drift d = {.uncertainty_ppm = NAN};
	const struct track *power = in->power;
	struct stretch s[DRIFT_STRETCHES_MAX];
	size_t k = count_stretches(power), n;
	double slope, sd, length_s;

	if (k < DRIFT_STRETCHES_MIN)
		return d;
	length_s = power->pieces[power->n - 1].end_s - power->pieces[0].begin_s;
	d.center_s = power->pieces[0].begin_s + length_s / 2;
	n = find_lags(in, k, s);
	if (n >= DRIFT_STRETCHES_MIN)
		n = leave_out_far(s, n, d.center_s, fmax(in->step_s, length_s / (double)power->n));
	if (n < DRIFT_STRETCHES_MIN)
		return d;
	fit(s, n, d.center_s, &slope, &sd);
	d.stretches = n;
	d.uncertainty_ppm = NORMAL_95 * sd * 1e6;
	if (fabs(slope) * 1e6 > d.uncertainty_ppm && fabs(slope) * 1e6 < DRIFT_PPM_MAX)
		d.ppm = slope * 1e6;
	return d;
}

double drift_apply(const struct drift *d, double host_s)
{
	return host_s + d->ppm * 1e-6 * (host_s - d->center_s);
}
