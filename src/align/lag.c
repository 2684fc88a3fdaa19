// SPDX-License-Identifier: Apache-2.0
/*
 * The lag of a paired recording: see lag.h.
 *
 *   observe      the host's refreshes, joined until as long as the guest's step
 *   sample       the guest's mean load over each of them, for one lag and window
 *   search       coarse curves of correlation against lag, one per window
 *   refine       a fine curve around the peak, whole and with each block left out
 */
#include "align/lag.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "align/fit.h"
#include "base/cleanup.h"

#define COMPARED_MAX 20000
#define COARSE_PER_S 4
#define COARSE_SIDE  (LAG_MAX_S * COARSE_PER_S) /* lags to either side of 0 */
#define COARSE_N     (2 * COARSE_SIDE + 1)
#define FINE_SIDE    80
#define FINE_N	     (2 * FINE_SIDE + 1)
#define T_95	     2.262 /* Student's t, FIT_BLOCKS - 1 degrees of freedom */
#define UNKNOWN	     0.1   /* of a step of comparison */
#define WINDOW_GAIN  0.25
#define T_BETTER     2.0
#define JOINED	     0.75 /* of a guest's step */

/* Windows to try, in steps of the guest or the host, whichever are longer; 0 is none. */
static const double windows[] = {0, 2, 3, 5, 7, 10, 15, 20};
#define N_WINDOWS array_size(windows)

struct peak {
	double lag_s, window_s;
	double correlation;
	double *x; /* the load at every refresh; owned by the search */
};

struct search {
	const struct lag_input *in;
	struct track_piece *refreshes; /* owned */
	struct points points;	       /* one per refresh; y, its power, is owned */
	double *x[3];		       /* owned; scratch and the loads of peaks */
	double curve[N_WINDOWS][COARSE_N];
	size_t compared[N_WINDOWS][COARSE_N];
	double step_s; /* of comparison */
	size_t n_most; /* refreshes compared at the lag that has most */
	bool power_varies, load_varies;
};

static double coarse_lag(size_t i)
{
	return ((double)i - COARSE_SIDE) / COARSE_PER_S;
}

static int make_room(struct search *s, size_t n, struct err *e)
{
	s->refreshes = malloc((n + 1) * sizeof(*s->refreshes));
	s->points.y = malloc((n + 1) * sizeof(*s->points.y));
	for (size_t i = 0; i < array_size(s->x); i++)
		s->x[i] = malloc((n + 1) * sizeof(*s->x[i]));
	if (!s->refreshes || !s->points.y || !s->x[0] || !s->x[1] || !s->x[2])
		return err_nomem(e);
	return 0;
}

/* Refreshes, neighbours joined until they are as long as the guest's step. */
static void join_refreshes(struct search *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->in->power->n; i++) {
		const struct track_piece *p = &s->in->power->pieces[i];
		struct track_piece *last = n ? &s->refreshes[n - 1] : NULL;
		double had_s = last ? last->end_s - last->begin_s : 0;
		double more_s = p->end_s - p->begin_s;

		if (!last || last->end_s != p->begin_s || had_s >= JOINED * s->in->step_s) {
			s->refreshes[n++] = *p;
			continue;
		}
		last->value = (last->value * had_s + p->value * more_s) / (had_s + more_s);
		last->end_s = p->end_s;
	}
	s->points.n = n;
}

/* Of a long recording, every k-th refresh: more of them say nothing more. */
static void thin_refreshes(struct search *s)
{
	size_t every = s->points.n / COMPARED_MAX + 1, n = 0;

	for (size_t i = 0; i < s->points.n; i += every)
		s->refreshes[n++] = s->refreshes[i];
	s->points.n = n;
}

/* The mean of a track's pieces, and whether they differ. */
static double mean_of(const struct track_piece *pieces, size_t n, bool *ret_varies)
{
	double mean = 0;

	for (size_t i = 0; i < n; i++) {
		mean += pieces[i].value / (double)n;
		*ret_varies |= pieces[i].value != pieces[0].value;
	}
	return mean;
}

static int observe(struct search *s, struct err *e)
{
	double total_s = 0;
	int r = make_room(s, s->in->power->n, e);

	if (r < 0)
		return r;
	join_refreshes(s);
	thin_refreshes(s);
	for (size_t i = 0; i < s->points.n; i++) {
		s->points.y[i] = s->refreshes[i].value;
		total_s += s->refreshes[i].end_s - s->refreshes[i].begin_s;
	}
	s->step_s = fmax(s->in->step_s, s->points.n ? total_s / (double)s->points.n : 0);
	s->points.y0 = mean_of(s->refreshes, s->points.n, &s->power_varies);
	s->points.x0 = mean_of(s->in->load->pieces, s->in->load->n, &s->load_varies);
	return 0;
}

/* The guest's mean load at every refresh; NaN where it is not known. */
static void sample(const struct search *s, double lag_s, double window_s, double *ret_x)
{
	size_t begin_hint = 0;

	for (size_t i = 0; i < s->points.n; i++) {
		double end_s = s->refreshes[i].end_s + lag_s;
		double begin_s = fmin(s->refreshes[i].begin_s + lag_s, end_s - window_s);

		ret_x[i] = track_mean(s->in->load, begin_s, end_s, &begin_hint);
	}
}

static void search_window(struct search *s, size_t w)
{
	for (size_t i = 0; i < COARSE_N; i++) {
		struct sums t;

		sample(s, coarse_lag(i), windows[w] * s->step_s, s->x[0]);
		t = sums_of(&s->points, s->x[0]);
		s->curve[w][i] = sums_correlation(&t);
		s->compared[w][i] = (size_t)t.n;
		if (s->compared[w][i] > s->n_most)
			s->n_most = s->compared[w][i];
	}
}

/* Is lag i compared on enough? Lags with a short overlap are right by chance. */
static bool enough(const struct search *s, size_t w, size_t i)
{
	size_t n = s->compared[w][i];

	return n >= LAG_REFRESHES_MIN && n >= s->n_most / 2 && !isnan(s->curve[w][i]);
}

/* The highest point of a window's curve but for lags nearer than `apart_s` to `from_s`. */
static int highest(const struct search *s, size_t w, double from_s, double apart_s)
{
	int best = -1;

	for (size_t i = 0; i < COARSE_N; i++) {
		bool peak = (!i || !(s->curve[w][i - 1] > s->curve[w][i])) &&
			    (i + 1 == COARSE_N || !(s->curve[w][i + 1] > s->curve[w][i]));

		if (!enough(s, w, i) || fabs(coarse_lag(i) - from_s) < apart_s)
			continue;
		if (apart_s > 0 && !peak)
			continue;
		if (best < 0 || s->curve[w][i] > s->curve[w][best])
			best = (int)i;
	}
	return best;
}

static void set_peak(const struct search *s, size_t w, double lag_s, struct peak *ret)
{
	struct sums t;

	ret->lag_s = lag_s;
	ret->window_s = windows[w] * s->step_s;
	sample(s, lag_s, ret->window_s, ret->x);
	t = sums_of(&s->points, ret->x);
	ret->correlation = sums_correlation(&t);
}

/* The shortest window that is not clearly worse than the best; -1 without any. */
static int choose_window(struct search *s, const double *lag_s)
{
	struct peak best = {.x = s->x[1], .correlation = NAN}, other = {.x = s->x[2]};
	int chosen = -1;
	double share;

	for (size_t w = 0; w < N_WINDOWS; w++) {
		if (isnan(lag_s[w]))
			continue;
		set_peak(s, w, lag_s[w], &other);
		if (isnan(other.correlation) || other.correlation <= best.correlation)
			continue;
		set_peak(s, w, lag_s[w], &best);
		chosen = (int)w;
	}
	for (int w = 0; w < chosen; w++) {
		if (isnan(lag_s[w]))
			continue;
		set_peak(s, (size_t)w, lag_s[w], &other);
		if (fit_advantage(&s->points, best.x, other.x, &share) < T_BETTER ||
		    share < WINDOW_GAIN)
			return w;
	}
	return chosen;
}

static int not_credible(struct err *e, const char *why)
{
	return err_set(e, -ERR_DATA,
		       "%s; record again while the load goes up and down, or give the lag with "
		       "--lag SECONDS",
		       why);
}

static int check_input(const struct search *s, struct err *e)
{
	if (!s->in->load->n)
		return err_set(e, -ERR_DATA,
			       "the guest's file has no load: a column "
			       "cpu_busy_vcpus, cpu_utilization or cycles_rate");
	if (s->points.n < LAG_REFRESHES_MIN)
		return err_set(e, -ERR_DATA,
			       "power was refreshed %zu times, and at least %d are needed to find "
			       "the lag: record for longer, or give it with --lag SECONDS",
			       s->points.n, LAG_REFRESHES_MIN);
	if (!s->power_varies)
		return not_credible(e, "no lag can be found: the host's power does not change");
	if (!s->load_varies)
		return not_credible(e, "no lag can be found: the guest's load does not change");
	return 0;
}

static int check_peak(const struct search *s, const struct lag *lag, struct err *e)
{
	double limit = fmax(LAG_CORRELATION, 4 / sqrt((double)lag->refreshes));
	char why[256];

	if (!(lag->correlation >= limit)) {
		snprintf(why, sizeof(why),
			 "no lag is credible: at the best one, %.1f s, power and load correlate "
			 "by %.2f, and %.2f is needed (are the files of one run?)",
			 lag->lag_s, lag->correlation, limit);
		return not_credible(e, why);
	}
	if (fabs(lag->lag_s) > LAG_MAX_S - 2.0 / COARSE_PER_S) {
		snprintf(why, sizeof(why),
			 "no lag is credible: the best one, %.1f s, is at the end of the search "
			 "(-%d to %d s)",
			 lag->lag_s, LAG_MAX_S, LAG_MAX_S);
		return not_credible(e, why);
	}
	if (lag->uncertainty_s > fmax(LAG_UNCERTAINTY_S, 3 * s->in->step_s)) {
		snprintf(why, sizeof(why),
			 "no lag is credible: %.1f s fits best, but only to within %.1f s",
			 lag->lag_s, lag->uncertainty_s);
		return not_credible(e, why);
	}
	return 0;
}

/* Another peak of the curve that the best one is not clearly better than. */
static int find_rival(struct search *s, size_t w, double best_s, struct lag *ret, struct err *e)
{
	struct peak best = {.x = s->x[1]}, rival = {.x = s->x[2]};
	int at = highest(s, w, best_s, fmax(2, 2 * s->step_s));
	char why[160];
	double share;

	if (at < 0)
		return 0;
	set_peak(s, w, best_s, &best);
	set_peak(s, w, coarse_lag((size_t)at), &rival);
	if (fit_advantage(&s->points, best.x, rival.x, &share) >= T_BETTER)
		return 0;
	ret->rival_s = rival.lag_s;
	if (share > LAG_ALIKE)
		return 0;
	snprintf(why, sizeof(why),
		 "no lag is credible: %.1f s and %.1f s fit equally well (does the load repeat?)",
		 best.lag_s, rival.lag_s);
	return not_credible(e, why);
}

/* Sums per fine lag and block, over the refreshes that have a load at every fine lag. */
static int fine_sums(struct search *s, double from_s, double step_s, double window_s,
		     struct sums (*ret)[FIT_BLOCKS], struct err *e)
{
	autofree bool *masked = calloc(s->points.n + 1, sizeof(*masked));

	if (!masked)
		return err_nomem(e);
	for (size_t k = 0; k < FINE_N; k++) {
		sample(s, from_s + (double)k * step_s, window_s, s->x[0]);
		for (size_t i = 0; i < s->points.n; i++)
			masked[i] |= isnan(s->x[0][i]);
	}
	for (size_t k = 0; k < FINE_N; k++) {
		sample(s, from_s + (double)k * step_s, window_s, s->x[0]);
		for (size_t i = 0; i < s->points.n; i++) {
			if (!masked[i])
				sums_add(&ret[k][fit_block(&s->points, i)], &s->points, s->x[0][i],
					 i);
		}
	}
	return 0;
}

/* The fine lag of the largest correlation without block `left_out` (FIT_BLOCKS: none). */
static size_t best_fine(struct sums (*sums)[FIT_BLOCKS], size_t left_out, struct lag *ret)
{
	size_t best = FINE_SIDE;
	double highest_r = -INFINITY;

	for (size_t k = 0; k < FINE_N; k++) {
		struct sums t = {0};
		double r;

		for (size_t b = 0; b < FIT_BLOCKS; b++)
			if (b != left_out)
				sums_combine(&t, &sums[k][b]);
		r = sums_correlation(&t);
		if (!(r > highest_r))
			continue;
		highest_r = r;
		best = k;
		ret->correlation = r;
		ret->refreshes = (size_t)t.n;
	}
	return best;
}

static int refine(struct search *s, double coarse_s, double window_s, struct lag *ret,
		  struct err *e)
{
	autofree struct sums(*sums)[FIT_BLOCKS] = calloc(FINE_N, sizeof(*sums));
	double side_s = fmax(2, 2 * s->in->step_s), step_s = side_s / FINE_SIDE;
	double lags[FIT_BLOCKS], mean = 0, squares = 0;
	struct lag unused;
	int r = sums ? fine_sums(s, coarse_s - side_s, step_s, window_s, sums, e) : err_nomem(e);

	if (r < 0)
		return r;
	*ret = (struct lag){.window_s = window_s, .correlation = NAN, .rival_s = NAN};
	ret->lag_s = coarse_s - side_s + (double)best_fine(sums, FIT_BLOCKS, ret) * step_s;
	for (size_t k = 0; k < FIT_BLOCKS; k++) {
		lags[k] = (double)best_fine(sums, k, &unused) * step_s;
		mean += lags[k] / FIT_BLOCKS;
	}
	for (size_t k = 0; k < FIT_BLOCKS; k++)
		squares += (lags[k] - mean) * (lags[k] - mean);
	ret->uncertainty_s =
		hypot(T_95 * sqrt(squares * (FIT_BLOCKS - 1) / FIT_BLOCKS), UNKNOWN * s->step_s);
	return 0;
}

/* Coarse lag and window, then the fine lag. */
static int find(struct search *s, struct lag *ret, struct err *e)
{
	double lag_s[N_WINDOWS];
	int w, r;

	for (size_t i = 0; i < N_WINDOWS; i++)
		search_window(s, i);
	for (size_t i = 0; i < N_WINDOWS; i++) {
		int at = highest(s, i, 0, 0);

		lag_s[i] = at < 0 ? NAN : coarse_lag((size_t)at);
	}
	w = choose_window(s, lag_s);
	if (w < 0)
		return err_set(e, -ERR_DATA,
			       "guest and host have too little in common: at most %zu refreshes "
			       "of power at any lag within %d s, and %d while the load changes "
			       "are needed (are the files of one run, both in seconds since the "
			       "epoch?)",
			       s->n_most, LAG_MAX_S, LAG_REFRESHES_MIN);
	r = refine(s, lag_s[w], windows[w] * s->step_s, ret, e);
	if (r == 0)
		r = check_peak(s, ret, e);
	return r < 0 ? r : find_rival(s, (size_t)w, lag_s[w], ret, e);
}

static void release(struct search *s)
{
	free(s->refreshes);
	free(s->points.y);
	for (size_t i = 0; i < array_size(s->x); i++)
		free(s->x[i]);
	free(s);
}

int lag_find(const struct lag_input *in, struct lag *ret, struct err *e)
{
	struct search *s = calloc(1, sizeof(*s));
	struct lag lag;
	int r;

	if (!s)
		return err_nomem(e);
	s->in = in;
	r = observe(s, e);
	if (r == 0)
		r = check_input(s, e);
	if (r == 0)
		r = find(s, &lag, e);
	release(s);
	if (r == 0)
		*ret = lag;
	return r;
}

int lag_given(const struct lag_input *in, double lag_s, struct lag *ret, struct err *e)
{
	struct search *s = calloc(1, sizeof(*s));
	struct sums t;
	double lags[N_WINDOWS];
	int w, r;

	if (!s)
		return err_nomem(e);
	s->in = in;
	r = observe(s, e);
	if (r < 0) {
		release(s);
		return r;
	}
	for (size_t i = 0; i < N_WINDOWS; i++)
		lags[i] = lag_s;
	w = s->points.n ? choose_window(s, lags) : -1;
	*ret = (struct lag){lag_s, NAN, NAN, w > 0 ? windows[w] * s->step_s : 0, NAN, 0};
	if (s->points.n) {
		sample(s, lag_s, ret->window_s, s->x[0]);
		t = sums_of(&s->points, s->x[0]);
		ret->correlation = sums_correlation(&t);
		ret->refreshes = (size_t)t.n;
	}
	release(s);
	return 0;
}
