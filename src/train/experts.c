// SPDX-License-Identifier: Apache-2.0
/* Fitting one blend's experts: see experts.h. */
#include "train/experts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/boost.h"
#include "train/kernel.h"
#include "train/physics.h"

#define PRESENT_SHARE 0.9 /* a feature missing more often is no column */
#define SOFT_SHARE    1e-3
#define LOG_FLOOR     0.015 /* of the largest label: smaller ones count as this in a logarithm */
#define LOG_TAIL      0.02
#define LOG_MOST      5.0
#define KERNEL_ROWS   5000
#define START_LEFT    0.01
#define BINS	      64 /* finer cuts learn what does not carry over */

/* ---- the pool ---- */

static bool spread_is_usable(const struct design *d, size_t j, double *ret_mean, double *ret_median)
{
	double min = INFINITY, max = -INFINITY, sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		double v = d->x[i * d->p + j];

		if (!isfinite(v))
			continue;
		min = fmin(min, v);
		max = fmax(max, v);
		sum += fabs(v);
		n++;
	}
	*ret_mean = n ? sum / (double)n : 0;
	*ret_median = design_quantile(d, j, 0.5);
	return n && max > min && (double)n >= PRESENT_SHARE * (double)d->n;
}

struct chooser {
	struct pool *p;
	bool usable[INPUT_MAX];
	double mean[INPUT_MAX], median[INPUT_MAX];
};

static void add_column(struct chooser *k, int a, int b)
{
	struct pool *p = k->p;

	if (a < 0 || !k->usable[a] || p->n_columns == BLEND_COLUMNS_MAX)
		return;
	if (b >= 0 && (!k->usable[b] || !(k->mean[b] > 0)))
		return;
	p->columns[p->n_columns++] = (struct blend_column){
		.a = (uint16_t)a,
		.b = (uint16_t)(b >= 0 ? b : 0),
		.ratio = b >= 0,
		.soft = b >= 0 ? SOFT_SHARE * k->mean[b] : 1,
	};
}

static int find_now(const struct chooser *k, enum feature f)
{
	int j = design_find(k->p->d, f, INPUT_NOW, 0);

	return j >= 0 && k->usable[j] && feature_info(f)->tier <= k->p->tier ? j : -1;
}

static void add_ratios(struct chooser *k)
{
	int busy = find_now(k, FEATURE_CPU_BUSY_VCPUS);
	int cycles = find_now(k, FEATURE_CYCLES_RATE);
	int per = cycles >= 0 ? cycles : busy;

	if (busy >= 0)
		add_column(k, cycles, busy);
	if (per >= 0) {
		add_column(k, find_now(k, FEATURE_CACHE_MISSES_RATE), per);
		add_column(k, find_now(k, FEATURE_CACHE_REFERENCES_RATE), per);
		add_column(k, find_now(k, FEATURE_IRQ_NET_RX_RATE), per);
		add_column(k, find_now(k, FEATURE_IRQ_NET_TX_RATE), per);
	}
	add_column(k, find_now(k, FEATURE_CPU_SYSTEM), find_now(k, FEATURE_CPU_UTILIZATION));
}

/* The blocks of columns, in order: now, past, slow. */
static void choose_columns(struct chooser *k)
{
	struct pool *p = k->p;

	for (int block = 0; block < 3; block++) {
		for (size_t j = 0; j < p->d->p; j++) {
			const struct input *in = &p->d->inputs[j];
			bool slow = feature_info(in->feature)->use == FEATURE_USE_SLOW;
			int belongs = slow ? 2 : in->op != INPUT_NOW;

			if (belongs == block && feature_info(in->feature)->tier <= p->tier &&
			    in->feature != FEATURE_VCPUS)
				add_column(k, (int)j, -1);
		}
		if (block == 0) {
			add_ratios(k);
			p->n_now = p->n_columns;
		} else if (block == 1) {
			p->n_past = p->n_columns - p->n_now;
		}
	}
}

static int fill_pool(struct chooser *k, struct err *e)
{
	struct pool *p = k->p;
	struct blend b = {.n_columns = p->n_columns, .columns = p->columns};
	size_t width = p->d->p;

	p->x = calloc(p->d->n * width + 1, sizeof(double));
	p->c = calloc(p->d->n * p->n_columns + 1, sizeof(float));
	if (!p->x || !p->c)
		return err_nomem(e);
	for (size_t i = 0; i < p->d->n; i++) {
		for (size_t j = 0; j < width; j++) {
			double v = p->d->x[i * width + j];

			p->x[i * width + j] = isfinite(v) ? v : k->median[j];
		}
		blend_columns(&b, p->x + i * width, p->c + i * p->n_columns);
	}
	return 0;
}

int pool_new(const struct design *d, const double *y, enum tier tier, struct pool **ret,
	     struct err *e)
{
	autofree struct chooser *k = calloc(1, sizeof(*k));
	struct pool *p = calloc(1, sizeof(*p));
	int r = 0;

	*ret = NULL;
	if (!k || !p) {
		free(p);
		return err_nomem(e);
	}
	k->p = p;
	p->d = d;
	p->y = y;
	p->tier = tier;
	for (size_t j = 0; j < d->p; j++)
		k->usable[j] = spread_is_usable(d, j, &k->mean[j], &k->median[j]);
	choose_columns(k);
	if (p->n_now)
		r = fill_pool(k, e);
	if (r < 0 || !p->n_now) {
		pool_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	free(p->x);
	free(p->c);
	free(p);
}

/* ---- rows ---- */

static uint64_t mix(uint64_t x) /* splitmix64 */
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Cut into `most` equal stretches and take one row of each. */
size_t thin_rows(const size_t *rows, size_t n, size_t most, unsigned seed, size_t *ret_rows)
{
	size_t count = n < most ? n : most;

	for (size_t k = 0; k < count; k++) {
		size_t begin = k * n / count, end = (k + 1) * n / count;

		ret_rows[k] = rows[begin + mix(seed * 1000003u + k) % (end - begin)];
	}
	return count;
}

/* ---- one fit ---- */

struct fit {
	const struct pool *p;
	const struct experts_options *o;
	const size_t *rows;
	size_t n, q; /* q: columns that trees see */
	float *x, *y, *weight;
	double *log_residual;
	double y_max;
	struct blend *b;
};

/* The column of the pool that is the fit's k-th. */
static size_t column_of(const struct fit *f, size_t k)
{
	const struct pool *p = f->p;

	if (k >= p->n_now && !f->o->history)
		k += p->n_past;
	return k;
}

static int gather(struct fit *f, struct err *e)
{
	const struct pool *p = f->p;
	size_t slow = p->n_columns - p->n_now - p->n_past;

	f->q = p->n_now + (f->o->history ? p->n_past : 0) + (f->o->slow ? slow : 0);
	f->x = calloc(f->n * f->q + 1, sizeof(float));
	f->y = calloc(f->n + 1, sizeof(float));
	f->weight = calloc(f->n + 1, sizeof(float));
	f->log_residual = calloc(f->n + 1, sizeof(double));
	f->b->columns = calloc(f->q + 1, sizeof(*f->b->columns));
	if (!f->x || !f->y || !f->weight || !f->log_residual || !f->b->columns)
		return err_nomem(e);
	f->b->n_columns = f->q;
	for (size_t k = 0; k < f->q; k++)
		f->b->columns[k] = p->columns[column_of(f, k)];
	for (size_t i = 0; i < f->n; i++) {
		size_t row = f->rows[i];

		for (size_t k = 0; k < f->q; k++)
			f->x[i * f->q + k] = p->c[row * p->n_columns + column_of(f, k)];
		f->y[i] = (float)p->y[row];
		f->y_max = fmax(f->y_max, p->y[row]);
	}
	return 0;
}

static void release(struct fit *f)
{
	free(f->x);
	free(f->y);
	free(f->weight);
	free(f->log_residual);
}

static int fit_physics(struct fit *f, struct err *e)
{
	struct physics_rows rows = {.d = f->p->d,
				    .x = f->p->x,
				    .y = f->p->y,
				    .rows = f->rows,
				    .n = f->n,
				    .reach = f->o->reach,
				    .bends = f->o->bends};

	return physics_fit(&rows, f->p->tier, f->o->delta, &f->b->physics, e);
}

/* What physics leaves over, in logarithms, held within its own 2 % and 98 % quantiles. */
static int log_residuals(struct fit *f, struct err *e)
{
	autofree double *sorted = calloc(f->n + 1, sizeof(double));
	double floor_w = fmax(LOG_FLOOR * f->y_max, 1e-6);

	if (!sorted)
		return err_nomem(e);
	for (size_t i = 0; i < f->n; i++) {
		const double *x = f->p->x + f->rows[i] * f->p->d->p;
		double p = fmax(physics_watts(&f->b->physics, x), 1e-9);

		f->log_residual[i] = sorted[i] = log(fmax(f->y[i], floor_w) / p);
		f->weight[i] = (float)sqrt(fmax(f->y[i], floor_w));
	}
	f->b->log_low = fmax(fmin(quantile_of(sorted, f->n, LOG_TAIL), 0), -LOG_MOST);
	f->b->log_high = fmin(fmax(quantile_of(sorted, f->n, 1 - LOG_TAIL), 0), LOG_MOST);
	for (size_t i = 0; i < f->n; i++)
		f->log_residual[i] = fmin(fmax(f->log_residual[i], f->b->log_low), f->b->log_high);
	return 0;
}

static bool wants(const struct fit *f, enum expert x)
{
	return !f->o->only || (f->o->only & (1u << x));
}

static unsigned scaled(double n, double size)
{
	double k = ceil(n * size);

	return k < 4 ? 4 : (unsigned)k;
}

/* Columns that power cannot fall with: the load now. Ratios and the past may have either sign. */
static void find_monotone(const struct fit *f, bool *ret)
{
	static const enum feature rising[] = {FEATURE_CPU_UTILIZATION, FEATURE_CPU_BUSY_VCPUS,
					      FEATURE_CYCLES_RATE, FEATURE_INSTRUCTIONS_RATE};

	for (size_t k = 0; k < f->q; k++) {
		const struct blend_column *c = &f->b->columns[k];
		const struct input *in = &f->p->d->inputs[c->a];

		for (size_t i = 0; i < array_size(rising); i++)
			ret[k] |= !c->ratio && in->op == INPUT_NOW && in->feature == rising[i];
	}
}

/* Few trees must take larger steps, or they stop short: START_LEFT of the way is left at most. */
static double rate_of(double usual, unsigned trees)
{
	return fmax(usual, 1 - pow(START_LEFT, 1.0 / trees));
}

static struct boost_options tuned(struct boost_options o, const struct gbdt_tuning *t)
{
	if (!t)
		return o;
	o.depth = t->depth;
	o.rate = rate_of(fmin(o.rate * t->rate_factor, 0.5), o.n_trees);
	o.min_child_weight = t->min_child_weight;
	o.lambda = t->lambda;
	return o;
}

/* Forest, boosted trees, and boosted log residuals. The kernel needs the boosted trees' gain. */
static int fit_trees(struct fit *f, double *gain, struct err *e)
{
	bool kernel = wants(f, EXPERT_K);
	struct boost_data d = {.n = f->n, .q = f->q, .x = f->x, .y = f->y};
	bool light = f->o->light;
	double size = light ? 1 : f->o->size, leaf = fmax(3, (double)f->n / 250);
	const struct boost_options forest = {.forest = true,
					     .n_trees = scaled(40, size),
					     .depth = 12,
					     .min_child_weight = leaf,
					     .row_share = 0.63,
					     .column_share = 0.4,
					     .bins = BINS,
					     .seed = f->o->seed};
	unsigned trees = light ? 100 : scaled(160, size);
	struct boost_options boosted = {
		.n_trees = trees,
		.depth = 5,
		.rate = rate_of(light ? 0.1 : fmin(0.07 / size, 0.2), trees),
		.min_child_weight = 2,
		.lambda = 2,
		.row_share = 0.8,
		.column_share = 0.8,
		.bins = BINS,
		.seed = f->o->seed};
	struct boost_options own = tuned(boosted, f->o->tuning);
	autofree float *logs = calloc(f->n + 1, sizeof(float));
	bool rising[BLEND_COLUMNS_MAX] = {false};
	int r = logs ? 0 : err_nomem(e);

	find_monotone(f, rising);
	own.rising = f->o->kind == BLEND_GBDT ? rising : NULL;
	if (r == 0 && (kernel || wants(f, EXPERT_G)))
		r = boost_fit(&d, &own, &f->b->gbdt, gain, e);
	if (r == 0 && wants(f, EXPERT_F))
		r = boost_fit(&d, &forest, &f->b->forest, NULL, e);
	if (r < 0 || !wants(f, EXPERT_H) || f->o->kind != BLEND_OF_ALL)
		return r;
	for (size_t i = 0; i < f->n; i++)
		logs[i] = (float)f->log_residual[i];
	d.y = logs;
	d.weight = f->weight;
	boosted.depth = 4;
	boosted.min_child_weight = 2 * sqrt(f->y_max);
	return boost_fit(&d, &boosted, &f->b->boosted, NULL, e);
}

/* Its normal equations grow with the rows, its answer hardly does: at most KERNEL_ROWS of them. */
static int fit_kernel(struct fit *f, const double *gain, struct err *e)
{
	size_t n = f->n < KERNEL_ROWS ? f->n : KERNEL_ROWS;
	autofree float *x = calloc(n * f->q + 1, sizeof(*x));
	autofree double *target = calloc(n + 1, sizeof(*target));
	struct kernel_data k = {.n = n,
				.q = f->q,
				.q_now = f->p->n_now,
				.x = x,
				.gain = gain,
				.target = target,
				.seed = f->o->seed};

	if (!x || !target)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++) {
		size_t row = i * f->n / n;

		memcpy(x + i * f->q, f->x + row * f->q, f->q * sizeof(*x));
		target[i] = f->log_residual[row];
	}
	return kernel_fit(&k, f->b, e);
}

/* Squared correlation of counters with the label, where rows are too few for trees to say. */
static void correlations(const struct fit *f, double *ret)
{
	double n = (double)f->n;

	for (size_t j = 0; j < f->q; j++) {
		double x = 0, y = 0, xx = 0, yy = 0, xy = 0, spread;

		for (size_t i = 0; i < f->n; i++) {
			double a = f->x[i * f->q + j], b = f->y[i];

			a = copysign(sqrt(fabs(a)), a);
			x += a;
			y += b;
			xx += a * a;
			yy += b * b;
			xy += a * b;
		}
		spread = (n * xx - x * x) * (n * yy - y * y);
		ret[j] = spread > 0 && !f->b->columns[j].ratio
				 ? (n * xy - x * y) * (n * xy - x * y) / spread
				 : 0;
	}
}

int experts_fit(const struct pool *p, const size_t *rows, size_t n, const struct experts_options *o,
		struct blend *ret, struct err *e)
{
	autofree size_t *kept = calloc(o->rows_max + 1, sizeof(*kept));
	autofree double *gain = calloc(BLEND_COLUMNS_MAX, sizeof(*gain));
	struct blend b = {.z_far = 1, .length = 1, .median = 1};
	struct fit f = {.p = p, .o = o, .rows = kept, .b = &b};
	bool physics;
	int r;

	if (!kept || !gain)
		return err_nomem(e);
	f.n = thin_rows(rows, n, o->rows_max, o->seed, kept);
	r = f.n < 5 ? err_set(e, -ERR_DATA, "too few rows") : gather(&f, e);
	physics = wants(&f, EXPERT_P) || wants(&f, EXPERT_K) || wants(&f, EXPERT_H);
	if (r == 0 && physics)
		r = fit_physics(&f, e);
	if (r == 0 && physics)
		r = log_residuals(&f, e);
	if (r == 0)
		r = fit_trees(&f, gain, e);
	if (o->bends)
		correlations(&f, gain);
	if (r == 0 && wants(&f, EXPERT_K))
		r = fit_kernel(&f, gain, e);
	release(&f);
	if (r < 0) {
		blend_release(&b);
		return r;
	}
	*ret = b;
	return 0;
}
