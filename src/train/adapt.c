// SPDX-License-Identifier: Apache-2.0
/* A trained set to another machine: see adapt.h. */
#include "train/adapt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "features/stream.h"
#include "train/blend.h"
#include "train/blend_model.h"
#include "train/inputs.h"
#include "train/restrict.h"

#define ROWS_FOR_LOCAL 10
#define ROWS_FOR_TRIAL 4
#define LOCAL_FOLDS    20
/*
 * A row left out of a few is often the only one of its load, which is harder than
 * the rows in between that will be met: the local model may look this much worse.
 */
#define LOCAL_MOST  1.5
#define LOAD_RATIO  1.5 /* two rows say slope and offset when their watts differ by this */
#define LABEL_SHARE 0.2
#define LEVEL	    0.9
#define MAX_FACTOR  2.0

static const char *const method_names[ADAPT_METHODS] = {"kept", "gain", "affine", "local"};

const char *adapt_method_name(enum adapt_method m)
{
	return method_names[m];
}

/* The labelled rows of one zone. */
struct few {
	const struct table *t;
	const double *x; /* of the set's inputs, by row of the table */
	size_t n_inputs;
	size_t n;
	size_t *row;
	double *label_w;      /* as labelled */
	double *y, *weight;   /* as the model at hand is sized; 1 / max(y, 20 % of the mean) */
	double *p, *left_out; /* what a model says; what it says without the row */
	double mean_w;	      /* of y */
};

static void few_release(struct few *f)
{
	free(f->row);
	free(f->label_w);
	free(f->y);
	free(f->weight);
	free(f->p);
	free(f->left_out);
}

/* Errors are relative where there is load. */
static void weigh(struct few *f)
{
	f->mean_w = 0;
	for (size_t k = 0; k < f->n; k++)
		f->mean_w += fabs(f->y[k]) / (double)f->n;
	f->mean_w = fmax(f->mean_w, 1e-6);
	for (size_t k = 0; k < f->n; k++)
		f->weight[k] = 1 / fmax(f->y[k], LABEL_SHARE * f->mean_w);
}

static int few_init(struct few *f, const struct table *t, enum zone z, struct err *e)
{
	const double *y = t->y_w[z];

	f->row = calloc(t->n_rows + 1, sizeof(*f->row));
	f->label_w = calloc(t->n_rows + 1, sizeof(double));
	f->y = calloc(t->n_rows + 1, sizeof(double));
	f->weight = calloc(t->n_rows + 1, sizeof(double));
	f->p = calloc(t->n_rows + 1, sizeof(double));
	f->left_out = calloc(t->n_rows + 1, sizeof(double));
	if (!f->row || !f->label_w || !f->y || !f->weight || !f->p || !f->left_out)
		return err_nomem(e);
	for (size_t i = 0; y && i < t->n_rows; i++) {
		if (!isfinite(y[i]))
			continue;
		f->row[f->n] = i;
		f->label_w[f->n] = f->y[f->n] = y[i];
		f->n++;
	}
	weigh(f);
	return 0;
}

/* The set's inputs of every row; an unordered row has itself for its past. */
static int fill_inputs(const struct model_set *s, const struct table *t, double *x, struct err *e)
{
	struct stream_options o = {
		.inputs = s->inputs, .n_inputs = s->n_inputs, .step_s = s->interval_s / 2};
	struct stream *stream;
	int r = stream_new(&o, &stream, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct table_run *run = &t->runs[t->run[i]];
		struct row row;

		if (i == run->first || !run->ordered)
			stream_reset(stream);
		table_row(t, i, &row);
		row.dt_s = NAN;
		stream_push(stream, &row, x + i * s->n_inputs);
	}
	stream_free(stream);
	return 0;
}

static double relative_error(const struct few *f, const double *p)
{
	double sum = 0;

	for (size_t k = 0; k < f->n; k++)
		sum += f->weight[k] * fabs(p[k] - f->y[k]);
	return f->n ? sum / (double)f->n : NAN;
}

/* ---- gain and offset ---- */

struct line {
	double gain, offset_w;
};

/* Weighted least squares of y on p without row `without` (n: with all). */
static struct line fit_line(const struct few *f, enum adapt_method method, size_t without)
{
	double sw = 0, sp = 0, sy = 0, spp = 0, spy = 0, spread;
	struct line l = {1, 0};

	for (size_t k = 0; k < f->n; k++) {
		double w = f->weight[k] * f->weight[k];

		if (k == without)
			continue;
		sw += w;
		sp += w * f->p[k];
		sy += w * f->y[k];
		spp += w * f->p[k] * f->p[k];
		spy += w * f->p[k] * f->y[k];
	}
	spread = sw * spp - sp * sp;
	if (method == ADAPT_AFFINE && spread > 1e-9 * sw * spp) {
		l.gain = fmax((sw * spy - sp * sy) / spread, 0);
		l.offset_w = (sy - l.gain * sp) / sw;
	} else if (method != ADAPT_KEEP && spp > 0) {
		l.gain = fmax(spy / spp, 0);
	}
	return l;
}

static double try_line(struct few *f, enum adapt_method method)
{
	for (size_t k = 0; k < f->n; k++) {
		struct line l = fit_line(f, method, k);

		f->left_out[k] = fmax(l.offset_w + l.gain * f->p[k], 0);
	}
	return relative_error(f, f->left_out);
}

static enum adapt_method choose_line(struct few *f, double *ret_before, double *ret_after)
{
	enum adapt_method best = ADAPT_KEEP;
	double low = INFINITY, high = 0;

	*ret_before = *ret_after = relative_error(f, f->p);
	if (f->n < ROWS_FOR_TRIAL) {
		for (size_t k = 0; k < f->n; k++) {
			low = fmin(low, f->p[k]);
			high = fmax(high, f->p[k]);
		}
		*ret_after = NAN;
		return high > LOAD_RATIO * low ? ADAPT_AFFINE : ADAPT_GAIN;
	}
	for (int m = ADAPT_GAIN; m <= ADAPT_AFFINE; m++) {
		double error = try_line(f, (enum adapt_method)m);

		if (error < *ret_after) {
			*ret_after = error;
			best = (enum adapt_method)m;
		}
	}
	try_line(f, best);
	return best;
}

/* ---- the interval, from left-out rows ---- */

static void set_interval(const struct few *f, struct model *m)
{
	double scale_w = LABEL_SHARE * f->mean_w, error = 0, truth = 0;
	autofree double *scores = calloc(f->n + 1, sizeof(*scores));
	double q;

	if (!scores)
		return;
	for (size_t k = 0; k < f->n; k++) {
		double miss = fabs(f->y[k] - f->left_out[k]);

		scores[k] = miss / fmax(f->left_out[k], scale_w);
		error += miss;
		truth += f->y[k];
	}
	q = quantile_of(scores, f->n, fmin(ceil((double)(f->n + 1) * LEVEL) / (double)f->n, 1));
	m->interval = (struct interval){.n_bands = 1, .scale_w = scale_w};
	m->interval.upto[0] = 1e6;
	if (m->family == FAMILY_BLEND) { /* of the other machine's misses */
		trees_release(&m->blend.spread);
		free(m->blend.spread_up);
		m->blend.spread_up = NULL;
	}
	m->interval.quantile[0] = fmax(q, 1e-3);
	m->mae_w = error / (double)f->n;
	m->wmape = truth > 0 ? error / truth : NAN;
	m->coverage_90 = NAN;
}

/* What the model says of the rows, in its size; false when it cannot answer one of them. */
static bool ask(struct few *f, const struct model *m)
{
	double at[INPUT_MAX], size;

	for (size_t k = 0; k < f->n; k++) {
		const double *x = f->x + f->row[k] * f->n_inputs;
		double z;

		for (size_t i = 0; i < m->n_used; i++) {
			if (!isfinite(x[m->used[i].input]))
				return false;
		}
		x = model_resize(m, x, at, &size);
		f->p[k] = model_watts(m, x, &z);
		f->y[k] = f->label_w[k] / size;
	}
	weigh(f);
	return true;
}

/* False when the model cannot answer these rows, and stays as it was. */
static bool adapt_line(struct few *f, struct model *m, struct adapt_zone *ret)
{
	enum adapt_method method;
	struct line l;

	if (!ask(f, m))
		return false;
	method = choose_line(f, &ret->before, &ret->after);
	ret->method = method;
	l = fit_line(f, method, f->n);
	m->offset_w = l.offset_w + l.gain * m->offset_w;
	m->gain *= l.gain;
	m->max_w = fmin(fmax(l.offset_w + l.gain * m->max_w, 1e-3), WATTS_LIMIT);
	for (size_t k = 0; k < f->n; k++)
		m->max_w = fmax(m->max_w, MAX_FACTOR * f->y[k]);
	m->idle_w = fmin(fmax(l.offset_w + l.gain * m->idle_w, 0), m->max_w);
	if (f->n >= ROWS_FOR_LOCAL)
		set_interval(f, m);
	return true;
}

/* ---- a model of these rows alone ---- */

/* Left-out answers of the hybrid; the largest distance among them. */
static int try_local(struct few *f, const struct pool *p, const struct experts_options *o,
		     double *ret_edge, struct err *e)
{
	size_t folds = f->n < LOCAL_FOLDS ? f->n : LOCAL_FOLDS;
	autofree size_t *in = calloc(f->n + 1, sizeof(*in));

	if (!in)
		return err_nomem(e);
	*ret_edge = -1;
	for (size_t fold = 0; fold < folds; fold++) {
		struct blend b;
		size_t n = 0;
		int r;

		for (size_t k = 0; k < f->n; k++) {
			if (k % folds != fold)
				in[n++] = f->row[k];
		}
		r = experts_fit(p, in, n, o, &b, e);
		if (r < 0)
			return r;
		for (size_t k = fold; k < f->n; k += folds) {
			double w[EXPERT_COUNT], z;

			blend_experts(&b, p->x + f->row[k] * p->d->p, w, &z);
			f->left_out[k] = w[EXPERT_K];
			*ret_edge = fmax(*ret_edge, z);
		}
		blend_release(&b);
	}
	return 0;
}

static int make_local(struct few *f, const struct pool *p, const struct experts_options *o,
		      double edge, struct model *ret, struct err *e)
{
	struct model m = {.idle_w = 0};
	struct blend b;
	int r = experts_fit(p, f->row, f->n, o, &b, e);

	if (r < 0)
		return r;
	restrict_gate(&b, BLEND_HYBRID);
	restrict_experts(&b, BLEND_HYBRID);
	b.z_near = edge - 1;
	b.z_far = b.z_edge = edge;
	r = blend_to_model(p, f->row, f->n, &b, &m, e);
	if (r < 0) {
		blend_release(&b);
		return r;
	}
	set_interval(f, &m);
	*ret = m;
	return 0;
}

/* Put a model of the rows alone before the others, unless it is clearly worse than they. */
static int adapt_local(struct few *f, struct model_set *s, enum zone z, unsigned seed,
		       struct adapt_zone *ret, struct err *e)
{
	const struct experts_options o = {.reach = PHYSICS_REACH_INIT,
					  .only = (1u << EXPERT_P) | (1u << EXPERT_K),
					  .bends = true,
					  .light = true,
					  .size = 1,
					  .rows_max = f->n,
					  .seed = seed};
	double edge = -1, error, idle_w = s->zones[z].models[0].idle_w;
	struct pool *p = NULL;
	struct design *d;
	struct model m;
	int r = design_new(f->t, &d, e);

	if (r < 0)
		return r;
	r = pool_new(d, f->t->y_w[z], TIER_PMU, &p, e);
	if (r == 0 && p)
		r = try_local(f, p, &o, &edge, e);
	error = r == 0 && p ? relative_error(f, f->left_out) : INFINITY;
	if (r == 0 && error < LOCAL_MOST * ret->after) {
		r = make_local(f, p, &o, edge, &m, e);
		if (r == 0) {
			m.idle_w = fmin(idle_w, m.max_w);
			r = set_add_model(s, z, d, &m, e);
			if (r < 0)
				model_release(&m);
		}
		if (r == 0)
			*ret = (struct adapt_zone){f->n, ADAPT_LOCAL, ret->before, error};
	}
	pool_free(p);
	design_free(d);
	return r;
}

/* ---- the set ---- */

static int adapt_zone(struct model_set *s, const struct table *t, const double *x, size_t n_inputs,
		      enum zone z, unsigned seed, struct adapt_zone *ret, struct err *e)
{
	struct few f = {.t = t, .x = x, .n_inputs = n_inputs};
	int r = few_init(&f, t, z, e);
	bool first = true;

	if (r == 0 && f.n >= 2) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			struct adapt_zone one;

			if (!adapt_line(&f, &s->zones[z].models[i], &one))
				continue;
			if (first) {
				*ret = one;
				ret->rows = f.n;
			}
			first = false;
		}
		memcpy(f.y, f.label_w, f.n * sizeof(*f.y));
		weigh(&f);
		if (f.n >= ROWS_FOR_LOCAL && !first)
			r = adapt_local(&f, s, z, seed, ret, e);
	}
	few_release(&f);
	return r;
}

int adapt(struct model_set *s, const struct table *t, unsigned seed,
	  struct adapt_zone ret[ZONE_COUNT], struct err *e)
{
	size_t n_inputs = s->n_inputs, rows = 0;
	autofree double *x = calloc(t->n_rows * n_inputs + 1, sizeof(double));
	int r = x ? fill_inputs(s, t, x, e) : err_nomem(e);

	memset(ret, 0, ZONE_COUNT * sizeof(*ret));
	zone_foreach (z) {
		/* A zone before may have added inputs; its own are still in front. */
		if (r == 0 && s->zones[z].n) {
			r = adapt_zone(s, t, x, n_inputs, z, seed, &ret[z], e);
			rows += ret[z].rows;
		}
	}
	if (r == 0 && !rows)
		r = err_set(e, -ERR_DATA,
			    "no zone of the bundle can be calibrated: at least 2 rows must have "
			    "its label (<zone>_watts) and the features that its models use");
	return r == 0 ? model_set_check(s, e) : r;
}
