// SPDX-License-Identifier: Apache-2.0
/* The basis and its fit: see physics.h. */
#include "train/physics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/lsq.h"

#define TERMS_MAX      256
#define HINGES	       8
#define DELTA_KNOTS    8
#define RARE_SHARE     0.05
#define RARE_SHARE_FEW 0.30
#define FEW_ROWS       60
#define LABEL_FLOOR    0.05
#define BUSY_FLOOR     0.05
#define RIDGE	       1e-3
#define DELTA_RIDGE    1e-2
#define DELTA_POWER    0.5

const enum feature physics_kinds[PHYSICS_KINDS] = {FEATURE_CPU_USER, FEATURE_CPU_SYSTEM,
						   FEATURE_CPU_IRQ, FEATURE_CPU_SOFTIRQ};

bool physics_is_kind(const struct input *in)
{
	for (size_t k = 0; k < PHYSICS_KINDS; k++) {
		if (in->op == INPUT_NOW && in->feature == physics_kinds[k])
			return true;
	}
	return false;
}

struct basis {
	const struct physics_rows *r;
	enum tier tier;
	size_t n;
	struct physics_term terms[TERMS_MAX];
	bool free[TERMS_MAX];
	double penalty[TERMS_MAX];
};

static double value_at(const struct basis *b, size_t i, size_t j)
{
	return b->r->x[b->r->rows[i] * b->r->d->p + j];
}

static double largest(const struct basis *b, int j)
{
	double most = 0;

	for (size_t i = 0; j >= 0 && i < b->r->n; i++)
		most = fmax(most, value_at(b, i, (size_t)j));
	return most;
}

/* The input of that feature, -1 where these rows do not have it. */
static int input_of(const struct basis *b, enum feature f, enum input_op op, double seconds)
{
	int j = design_find(b->r->d, f, op, seconds);

	if (feature_info(f)->tier > b->tier || j < 0 || !(largest(b, j) > 0))
		return -1;
	return j;
}

static int now(const struct basis *b, enum feature f)
{
	return input_of(b, f, INPUT_NOW, 0);
}

static void add(struct basis *b, enum term_kind kind, int a, int other, double knot)
{
	if (b->n == TERMS_MAX || (kind != TERM_CONST && a < 0) ||
	    (term_has_two(kind) && other < 0) || (term_has_knot(kind) && !(knot > 0)))
		return;
	b->terms[b->n] = (struct physics_term){
		.kind = kind,
		.a = (uint16_t)(a > 0 ? a : 0),
		.b = (uint16_t)(term_has_two(kind) ? other : 0),
		.knot = term_has_knot(kind) ? knot : 1,
		.cap = INFINITY,
	};
	b->free[b->n] = kind == TERM_DELTA;
	b->penalty[b->n] = kind != TERM_CONST;
	b->n++;
}

/* As vCPUs, where machines of several sizes are in the data. */
static void add_kinds(struct basis *b)
{
	int vcpus = now(b, FEATURE_VCPUS), kind;
	double most = 0;

	for (size_t k = 0; k < PHYSICS_KINDS; k++)
		most = fmax(most, largest(b, now(b, physics_kinds[k])));
	for (size_t k = 0; k < PHYSICS_KINDS; k++) {
		kind = now(b, physics_kinds[k]);
		if (largest(b, kind) < PHYSICS_KIND_LEAST * most)
			continue;
		if (vcpus >= 0)
			add(b, TERM_PRODUCT, kind, vcpus, 0);
		else
			add(b, TERM_LINEAR, kind, -1, 0);
	}
}

static void add_counters(struct basis *b, int busy)
{
	static const enum feature counters[] = {FEATURE_CYCLES_RATE, FEATURE_INSTRUCTIONS_RATE,
						FEATURE_CACHE_REFERENCES_RATE,
						FEATURE_CACHE_MISSES_RATE};
	int cycles = now(b, FEATURE_CYCLES_RATE);

	for (size_t k = 0; k < array_size(counters); k++) {
		add(b, TERM_LINEAR, now(b, counters[k]), -1, 0);
		add(b, TERM_SQRT, now(b, counters[k]), -1, 0);
	}
	add(b, TERM_LINEAR, now(b, FEATURE_BRANCHES_RATE), -1, 0);
	add(b, TERM_LINEAR, now(b, FEATURE_IRQ_NET_RX_RATE), -1, 0);
	add(b, TERM_LINEAR, now(b, FEATURE_IRQ_NET_TX_RATE), -1, 0);
	add(b, TERM_SQUARE, cycles, -1, 0);
	if (busy >= 0) /* busy x clock^2, the clock being cycles per busy second */
		add(b, TERM_OVER, cycles, busy, BUSY_FLOOR * largest(b, busy));
}

static void add_clocks(struct basis *b, int load)
{
	static const enum feature clocks[] = {FEATURE_CORE_CLOCK_MHZ, FEATURE_CPU_FREQUENCY_MHZ};

	for (size_t k = 0; k < array_size(clocks); k++) {
		add(b, TERM_PRODUCT, load, now(b, clocks[k]), 0);
		add(b, TERM_PRODUCT2, load, now(b, clocks[k]), 0);
	}
}

static void add_past(struct basis *b, enum feature f, int knots)
{
	int load = now(b, f);
	double top = largest(b, load);

	for (size_t i = 0; load >= 0 && i < N_LAGS + N_EMAS; i++) {
		bool lag = i < N_LAGS;
		double seconds =
			(lag ? lag_intervals[i] : ema_intervals[i - N_LAGS]) * b->r->d->interval_s;
		int past = input_of(b, f, lag ? INPUT_LAG : INPUT_EMA, seconds);

		for (int k = 1; k <= knots; k++)
			add(b, TERM_DELTA, load, past, top * k / knots);
	}
}

static void add_hinges(struct basis *b, int load)
{
	double top = largest(b, load);

	for (int k = 1; k <= HINGES; k++)
		add(b, TERM_HINGE, load, -1, top * k / (HINGES + 1));
}

static void make_basis(struct basis *b, bool delta)
{
	enum feature f = now(b, FEATURE_CPU_BUSY_VCPUS) >= 0 ? FEATURE_CPU_BUSY_VCPUS
							     : FEATURE_CPU_UTILIZATION;
	int load = now(b, f);

	add(b, TERM_CONST, -1, -1, 0);
	add(b, TERM_LINEAR, load, -1, 0);
	add(b, TERM_SQUARE, load, -1, 0);
	add(b, TERM_SQRT, load, -1, 0);
	add_kinds(b);
	add_counters(b, load);
	add_clocks(b, load);
	if (delta || b->r->bends)
		add_hinges(b, load);
	if (b->r->bends)
		add_hinges(b, now(b, FEATURE_CYCLES_RATE));
	if (!delta)
		return;
	add_past(b, f, DELTA_KNOTS);
	add_past(b, FEATURE_CYCLES_RATE, 2);
}

static double reach_of(const struct basis *b, enum term_kind kind)
{
	bool convex = kind == TERM_SQUARE || kind == TERM_CUBE || kind == TERM_PRODUCT2 ||
		      kind == TERM_OVER;

	return convex ? b->r->reach.convex : b->r->reach.rest;
}

/* Drop what is nearly always 0; cap the rest. */
static void prune(struct basis *b)
{
	double rare = b->r->n < FEW_ROWS ? RARE_SHARE_FEW : RARE_SHARE;
	size_t kept = 0;

	for (size_t j = 0; j < b->n; j++) {
		double most = 0;
		size_t nonzero = 0;

		for (size_t i = 0; i < b->r->n; i++) {
			double v = fabs(physics_term_value(&b->terms[j],
							   b->r->x + b->r->rows[i] * b->r->d->p));

			most = fmax(most, v);
			nonzero += v > 0;
		}
		if ((double)nonzero < rare * (double)b->r->n || !(most > 0))
			continue;
		b->terms[kept] = b->terms[j];
		b->terms[kept].cap = reach_of(b, b->terms[j].kind) * most;
		b->free[kept] = b->free[j];
		b->penalty[kept++] = b->penalty[j];
	}
	b->n = kept;
}

static int solve(const struct basis *b, double power, double ridge, double *ret_c, struct err *e)
{
	size_t n = b->r->n;
	autofree double *m = calloc(n * b->n + 1, sizeof(double)),
			*y = calloc(n + 1, sizeof(double));
	autofree double *w = calloc(n + 1, sizeof(double));
	autofree uint8_t *fold = calloc(n + 1, 1);
	struct columns c = {.n = n, .q = b->n, .b = m, .free = b->free, .penalty = b->penalty};
	struct gram *g = NULL;
	double y_max = 0;
	int r;

	if (!m || !y || !w || !fold)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < b->n; j++)
			m[i * b->n + j] = physics_term_value(&b->terms[j],
							     b->r->x + b->r->rows[i] * b->r->d->p);
		y[i] = b->r->y[b->r->rows[i]];
		y_max = fmax(y_max, y[i]);
	}
	for (size_t i = 0; i < n; i++)
		w[i] = pow(fmax(y[i], fmax(LABEL_FLOOR * y_max, 1e-6)), -power);
	r = gram_new(&c, y, w, fold, 1, &g, e);
	if (r == 0)
		r = gram_solve(g, 0, ridge, ret_c, e);
	gram_free(g);
	return r;
}

static int keep_terms(const struct basis *b, const double *c, struct physics *ret, struct err *e)
{
	double low = INFINITY, high = 0;

	ret->terms = calloc(b->n + 1, sizeof(*ret->terms));
	if (!ret->terms)
		return err_nomem(e);
	for (size_t j = 0; j < b->n; j++) {
		if (c[j] == 0)
			continue;
		ret->terms[ret->n] = b->terms[j];
		ret->terms[ret->n++].coefficient_w = c[j];
	}
	for (size_t i = 0; i < b->r->n; i++) {
		low = fmin(low, b->r->y[b->r->rows[i]]);
		high = fmax(high, b->r->y[b->r->rows[i]]);
	}
	ret->floor_w = fmax(0.5 * low + 0.001 * high, 0);
	return 0;
}

int physics_fit(const struct physics_rows *rows, enum tier tier, bool delta, struct physics *ret,
		struct err *e)
{
	autofree struct basis *b = calloc(1, sizeof(*b));
	double c[TERMS_MAX];
	int r;

	if (!b)
		return err_nomem(e);
	b->r = rows;
	b->tier = tier;
	make_basis(b, delta);
	prune(b);
	r = solve(b, delta ? DELTA_POWER : 1, delta ? DELTA_RIDGE : RIDGE, c, e);
	return r == 0 ? keep_terms(b, c, ret, e) : r;
}
