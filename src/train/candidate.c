// SPDX-License-Identifier: Apache-2.0
/*
 * Families as columns of a least-squares problem: see candidate.h.
 *
 * physics is a basis that can bend both ways, on the load signal (busy vCPUs;
 * cycles where no utilization was recorded): hinges min(u, k), u, u^2, u^3,
 * sqrt u; user, system and interrupt shares; cycles, instructions, references
 * and misses with their roots; load x clock. With history it adds, for every
 * lag and exponential mean of the load, differences min(u, k) - min(past, k)
 * of either sign: they vanish in the steady state, so the steady curve stays
 * monotone while labels that lead, lag or average are learned.
 *
 * linear is ridge on every standardised input, kept from the SLOW features; mlp
 * is fed the same inputs.
 */
#include "train/candidate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/physics.h"

#define HINGES	       8    /* knots of the steady curve, evenly over the load */
#define DELTA_KNOTS    8    /* knots of each difference with the past of the load */
#define PRESENT_SHARE  0.9  /* an input missing more often than not in 1 of 10 rows is no input */
#define RARE_SHARE     0.05 /* a physics term that is 0 in more rows than 1 - this is dropped */
#define RARE_SHARE_FEW 0.30 /* the same with fewer than FEW_ROWS rows */
#define FEW_ROWS       60
#define CAP_FACTOR     2.0 /* a term counts at most this often its largest value in training */

const char *candidate_name(const struct candidate_kind *kind, char buf[64])
{
	snprintf(buf, 64, "%s, %s%s", family_name(kind->family),
		 kind->utilization_only ? "cpu_utilization only" : tier_name(kind->tier),
		 kind->utilization_only ? ""
		 : kind->history	? " tier, with history"
					: " tier, stateless");
	return buf;
}

/* ---- which inputs ---- */

struct spread {
	double min, max, mean, nonzero;
	size_t n;
};

static struct spread spread_of(const struct design *d, size_t j)
{
	struct spread s = {.min = INFINITY, .max = -INFINITY};
	size_t nonzero = 0;

	for (size_t i = 0; i < d->n; i++) {
		double v = d->x[i * d->p + j];

		if (!isfinite(v))
			continue;
		s.min = fmin(s.min, v);
		s.max = fmax(s.max, v);
		s.mean += v;
		nonzero += v != 0;
		s.n++;
	}
	s.mean /= s.n ? (double)s.n : 1;
	s.nonzero = s.n ? (double)nonzero / (double)s.n : 0;
	return s;
}

static bool may_use(const struct candidate *c, size_t j)
{
	const struct input *in = &c->design->inputs[j];
	const struct feature_info *info = feature_info(in->feature);
	struct spread s;

	if (c->kind.utilization_only)
		return in->feature == FEATURE_CPU_UTILIZATION && in->op == INPUT_NOW;
	if (info->tier > c->kind.tier || info->use == FEATURE_USE_SLOW ||
	    (in->op != INPUT_NOW && !c->kind.history))
		return false;
	s = spread_of(c->design, j);
	return s.max > s.min && (double)s.n >= PRESENT_SHARE * (double)c->design->n;
}

/* The position of design input j in used[], added when new; -1 when it may not be used. */
static int use(struct candidate *c, int j)
{
	struct used_input *u = &c->used[c->n_used];
	struct range r;

	if (j < 0)
		return -1;
	for (size_t k = 0; k < c->n_used; k++) {
		if (c->used[k].input == j)
			return (int)k;
	}
	if (!may_use(c, (size_t)j))
		return -1;
	/* A straight line is held within a width of what it was fitted on: a grain is no excuse. */
	r = c->kind.family == FAMILY_LINEAR ? design_range(c->design, (size_t)j)
					    : design_range_grained(c->design, (size_t)j);
	*u = (struct used_input){.input = (uint16_t)j, .low = r.low, .high = r.high};
	return (int)c->n_used++;
}

static int use_feature(struct candidate *c, enum feature f, enum input_op op, double seconds)
{
	return use(c, design_find(c->design, f, op, seconds));
}

/* ---- linear ---- */

static void linear_columns(struct candidate *c)
{
	c->q = 1; /* the intercept */
	c->free[0] = true;
	for (size_t j = 0; j < c->design->p && c->q < COLUMNS_MAX; j++) {
		struct linear_term *t = &c->linear[c->q];
		int k = use(c, (int)j);
		double square = 0;
		struct spread s;

		if (k < 0)
			continue;
		s = spread_of(c->design, j);
		for (size_t i = 0; i < c->design->n; i++) {
			double v = c->design->x[i * c->design->p + j];

			if (isfinite(v))
				square += (v - s.mean) * (v - s.mean);
		}
		t->used = (uint16_t)k;
		t->mean = s.mean;
		t->scale = sqrt(square / (double)s.n);
		t->weight = 1;
		if (!(t->scale > 0))
			continue;
		c->free[c->q] = true;
		c->penalty[c->q] = 1;
		c->q++;
	}
}

/* The same inputs without an intercept: a network has its own. */
static void mlp_columns(struct candidate *c)
{
	linear_columns(c);
	c->q--;
	memmove(c->linear, c->linear + 1, c->q * sizeof(*c->linear));
}

static double mlp_column(const struct candidate *c, size_t column, const double *x)
{
	const struct linear_term *t = &c->linear[column];
	double z = (x[c->used[t->used].input] - t->mean) / t->scale;

	return fmin(fmax(z, -MLP_CLAMP_SD), MLP_CLAMP_SD);
}

static double linear_column(const struct candidate *c, size_t column, const double *x)
{
	const struct linear_term *t = &c->linear[column];
	const struct used_input *u = &c->used[t->used];
	double width = u->high - u->low, v;

	if (!column)
		return 1;
	v = fmin(fmax(x[u->input], u->low - width), u->high + width);
	return (v - t->mean) / t->scale;
}

/* ---- physics ---- */

static void add_term(struct candidate *c, enum term_kind kind, int a, int b, double knot)
{
	if (c->q >= COLUMNS_MAX || (kind != TERM_CONST && a < 0))
		return;
	if (term_has_two(kind) && b < 0)
		return;
	c->physics[c->q] = (struct physics_term){
		.kind = kind,
		.a = kind == TERM_CONST ? 0 : c->used[a].input,
		.b = term_has_two(kind) ? c->used[b].input : 0,
		.knot = knot,
		.cap = INFINITY, /* from the training rows, below */
		.coefficient_w = 1,
	};
	c->free[c->q] = kind == TERM_DELTA;
	c->penalty[c->q] = kind == TERM_CONST ? 0 : 1;
	c->q++;
}

static void add_past(struct candidate *c, enum feature f, int now, double top, int knots)
{
	for (size_t i = 0; i < N_LAGS + N_EMAS; i++) {
		bool lag = i < N_LAGS;
		double seconds = (lag ? lag_intervals[i] : ema_intervals[i - N_LAGS]) *
				 c->design->interval_s;
		int past = use_feature(c, f, lag ? INPUT_LAG : INPUT_EMA, seconds);

		for (int k = 1; k <= knots; k++)
			add_term(c, TERM_DELTA, now, past, top * k / knots);
	}
}

/* The steady curve of the load and, with history, its differences with the past. */
static void add_load(struct candidate *c, enum feature f)
{
	int u = use_feature(c, f, INPUT_NOW, 0);
	double top;

	if (u < 0)
		return;
	top = design_quantile(c->design, c->used[u].input, 1);
	for (int k = 1; k <= HINGES; k++)
		add_term(c, TERM_HINGE, u, -1, top * k / (HINGES + 1));
	add_term(c, TERM_LINEAR, u, -1, 0);
	add_term(c, TERM_SQRT, u, -1, 0);
	add_term(c, TERM_SQUARE, u, -1, 0);
	add_term(c, TERM_CUBE, u, -1, 0);
	add_term(c, TERM_PRODUCT, u, use_feature(c, FEATURE_CORE_CLOCK_MHZ, INPUT_NOW, 0), 0);
	add_term(c, TERM_PRODUCT, u, use_feature(c, FEATURE_CPU_FREQUENCY_MHZ, INPUT_NOW, 0), 0);
	if (c->kind.history)
		add_past(c, f, u, top, DELTA_KNOTS);
}

/* As in physics.c, but on all rows: a column is there in every fold or in none. */
static void add_kinds(struct candidate *c)
{
	double most[PHYSICS_KINDS] = {0}, of_all = 0;

	for (size_t k = 0; k < PHYSICS_KINDS; k++) {
		int j = design_find(c->design, physics_kinds[k], INPUT_NOW, 0);

		most[k] = j >= 0 ? design_quantile(c->design, (size_t)j, 1) : NAN;
		of_all = fmax(of_all, most[k]);
	}
	for (size_t k = 0; k < PHYSICS_KINDS; k++) {
		int kind = use_feature(c, physics_kinds[k], INPUT_NOW, 0);

		if (most[k] >= PHYSICS_KIND_LEAST * of_all)
			add_term(c, TERM_LINEAR, kind, -1, 0);
	}
}

static void physics_columns(struct candidate *c)
{
	static const enum feature counters[] = {FEATURE_CYCLES_RATE, FEATURE_INSTRUCTIONS_RATE,
						FEATURE_CACHE_REFERENCES_RATE,
						FEATURE_CACHE_MISSES_RATE, FEATURE_BRANCHES_RATE};
	int cycles;

	add_term(c, TERM_CONST, -1, -1, 0);
	if (c->kind.utilization_only) {
		add_load(c, FEATURE_CPU_UTILIZATION);
		return;
	}
	add_load(c, FEATURE_CPU_BUSY_VCPUS);
	if (c->q == 1)
		add_load(c, FEATURE_CPU_UTILIZATION);
	add_kinds(c);
	for (size_t k = 0; k < array_size(counters); k++) {
		int a = use_feature(c, counters[k], INPUT_NOW, 0);

		add_term(c, TERM_LINEAR, a, -1, 0);
		add_term(c, TERM_SQRT, a, -1, 0);
	}
	cycles = use_feature(c, FEATURE_CYCLES_RATE, INPUT_NOW, 0);
	add_term(c, TERM_SQUARE, cycles, -1, 0);
	if (cycles >= 0 && c->kind.history)
		add_past(c, FEATURE_CYCLES_RATE, cycles,
			 design_quantile(c->design, c->used[cycles].input, 1), 2);
}

static double column_value(const struct candidate *c, size_t j, const double *x)
{
	switch (c->kind.family) {
	case FAMILY_LINEAR:
		return linear_column(c, j, x);
	case FAMILY_MLP:
		return mlp_column(c, j, x);
	default:
		return physics_term_value(&c->physics[j], x);
	}
}

/* Remove column j from the problem. */
static void drop_column(struct candidate *c, size_t j)
{
	size_t after = c->q - j - 1;

	memmove(c->physics + j, c->physics + j + 1, after * sizeof(*c->physics));
	memmove(c->free + j, c->free + j + 1, after * sizeof(*c->free));
	memmove(c->penalty + j, c->penalty + j + 1, after * sizeof(*c->penalty));
	c->q--;
}

/* Drop physics terms that are nearly always 0, and cap the others. */
static void prune(struct candidate *c)
{
	double rare = c->n_present < FEW_ROWS ? RARE_SHARE_FEW : RARE_SHARE;

	for (size_t j = c->q; j-- > 0;) {
		double largest = 0;
		size_t nonzero = 0;

		for (size_t i = 0; i < c->design->n; i++) {
			double v;

			if (!c->present[i])
				continue;
			v = fabs(physics_term_value(&c->physics[j],
						    c->design->x + i * c->design->p));
			largest = fmax(largest, v);
			nonzero += v > 0;
		}
		if ((double)nonzero < rare * (double)c->n_present || !(largest > 0))
			drop_column(c, j);
		else
			c->physics[j].cap = CAP_FACTOR * largest;
	}
}

static int find_present(struct candidate *c, struct err *e)
{
	const struct design *d = c->design;

	c->present = calloc(d->n + 1, sizeof(*c->present));
	if (!c->present)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		bool all = true;

		for (size_t k = 0; k < c->n_used; k++)
			all &= isfinite(d->x[i * d->p + c->used[k].input]) != 0;
		c->present[i] = all;
		c->n_present += all;
	}
	return 0;
}

static int fill_columns(struct candidate *c, struct err *e)
{
	const struct design *d = c->design;

	c->b = calloc(d->n * c->q + 1, sizeof(double));
	if (!c->b)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		for (size_t j = 0; c->present[i] && j < c->q; j++)
			c->b[i * c->q + j] = column_value(c, j, d->x + i * d->p);
	}
	return 0;
}

/* A tier's candidate is worth having only if it uses what that tier adds. */
static bool uses_its_kind(const struct candidate *c)
{
	bool tier = c->kind.tier == TIER_OS || c->kind.utilization_only;
	bool history = !c->kind.history;

	for (size_t k = 0; k < c->n_used; k++) {
		const struct input *in = &c->design->inputs[c->used[k].input];

		tier |= feature_info(in->feature)->tier == c->kind.tier;
		history |= in->op != INPUT_NOW;
	}
	return c->n_used && tier && history;
}

int candidate_new(const struct design *d, const struct candidate_kind *kind, struct candidate **ret,
		  struct err *e)
{
	struct candidate *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c)
		return err_nomem(e);
	c->kind = *kind;
	c->design = d;
	c->mlp = MLP_OPTIONS_INIT;
	*ret = NULL;
	if (kind->family == FAMILY_LINEAR)
		linear_columns(c);
	else if (kind->family == FAMILY_MLP)
		mlp_columns(c);
	else
		physics_columns(c);
	if (uses_its_kind(c)) {
		r = find_present(c, e);
		if (r == 0 && kind->family == FAMILY_PHYSICS)
			prune(c);
		if (r == 0 && c->q)
			r = fill_columns(c, e);
		if (r == 0 && c->q && c->n_present) {
			*ret = c;
			return 0;
		}
	}
	candidate_free(c);
	return r;
}

void candidate_free(struct candidate *c)
{
	if (!c)
		return;
	free(c->b);
	free(c->present);
	free(c);
}

static void linear_model(const struct candidate *c, const double *coefficients, struct model *m)
{
	m->linear.bias_w = coefficients[0];
	for (size_t j = 1; j < c->q; j++) {
		struct linear_term t = c->linear[j];

		t.weight = coefficients[j];
		m->linear.terms[m->linear.n++] = t;
	}
}

static void physics_model(const struct candidate *c, const double *coefficients, double floor_w,
			  struct model *m)
{
	m->physics.floor_w = floor_w;
	for (size_t j = 0; j < c->q; j++) {
		struct physics_term t = c->physics[j];

		t.coefficient_w = coefficients[j];
		if (t.coefficient_w != 0)
			m->physics.terms[m->physics.n++] = t;
	}
}

size_t candidate_coefficients(const struct candidate *c)
{
	struct mlp network = candidate_network(c);

	return c->kind.family == FAMILY_MLP ? MLP_HEAD + mlp_weights(&network) : c->q;
}

struct mlp candidate_network(const struct candidate *c)
{
	struct mlp p = {.activation = c->mlp.activation,
			.n_inputs = c->q,
			.n_layers = c->mlp.units[1] ? 2 : 1,
			.clamp_sd = MLP_CLAMP_SD};

	for (size_t l = 0; l < p.n_layers; l++)
		p.units[l] = c->mlp.units[l];
	return p;
}

static int mlp_model(const struct candidate *c, const double *coefficients, struct model *m,
		     struct err *e)
{
	struct mlp p = candidate_network(c);
	size_t n = mlp_weights(&p);

	p.mean_w = coefficients[0];
	p.scale_w = coefficients[1];
	p.inputs = calloc(c->q + 1, sizeof(*p.inputs));
	p.weights = calloc(n, sizeof(*p.weights));
	m->mlp = p;
	if (!p.inputs || !p.weights)
		return err_nomem(e);
	memcpy(p.weights, coefficients + MLP_HEAD, n * sizeof(*p.weights));
	for (size_t j = 0; j < c->q; j++)
		p.inputs[j] = (struct mlp_input){c->linear[j].used, c->linear[j].mean,
						 c->linear[j].scale};
	return 0;
}

/* Keep in used[] what a physics term needs, the load signal itself, and kinds of CPU time. */
static void keep_used(struct model *m, const struct design *d)
{
	size_t kept = 0;

	for (size_t k = 0; k < m->n_used; k++) {
		bool needed = k == 0 || physics_is_kind(&d->inputs[m->used[k].input]);

		for (size_t j = 0; j < m->physics.n; j++) {
			const struct physics_term *t = &m->physics.terms[j];
			bool two = term_has_two(t->kind);

			needed |= t->kind != TERM_CONST && t->a == m->used[k].input;
			needed |= two && t->b == m->used[k].input;
		}
		if (needed)
			m->used[kept++] = m->used[k];
	}
	m->n_used = kept;
}

int candidate_model(const struct candidate *c, const double *coefficients, double floor_w,
		    double max_w, struct model *ret, struct err *e)
{
	struct model m = {.family = c->kind.family,
			  .tier = c->kind.tier,
			  .history = c->kind.history,
			  .n_used = c->n_used,
			  .gain = 1,
			  .max_w = max_w};

	int r = 0;

	m.used = calloc(c->n_used + 1, sizeof(*m.used));
	if (m.family == FAMILY_LINEAR)
		m.linear.terms = calloc(c->q + 1, sizeof(*m.linear.terms));
	else if (m.family == FAMILY_PHYSICS)
		m.physics.terms = calloc(c->q + 1, sizeof(*m.physics.terms));
	if (!m.used || (m.family == FAMILY_LINEAR && !m.linear.terms) ||
	    (m.family == FAMILY_PHYSICS && !m.physics.terms))
		r = err_nomem(e);
	else
		memcpy(m.used, c->used, c->n_used * sizeof(*m.used));
	if (r == 0 && m.family == FAMILY_LINEAR) {
		linear_model(c, coefficients, &m);
	} else if (r == 0 && m.family == FAMILY_MLP) {
		r = mlp_model(c, coefficients, &m, e);
	} else if (r == 0) {
		physics_model(c, coefficients, floor_w, &m);
		keep_used(&m, c->design);
	}
	if (r < 0) {
		model_release(&m);
		return r;
	}
	*ret = m;
	return 0;
}
