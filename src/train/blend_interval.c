// SPDX-License-Identifier: Apache-2.0
/* Conformal intervals with a local scale: see blend_interval.h. */
#include "train/blend_interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/boost.h"
#include "train/few_groups.h"

#define LEVEL	    0.9
#define BANDS	    4
#define PARTS	    5
#define SPREAD_ROWS 200 /* fewer say nothing about where errors are large */
#define SPREAD_GAIN 0.98
#define MISS_MIN    0.005
#define SCALE_MIN   1e-3
#define ENDS_GROUPS 16 /* fewer cannot show that misses elsewhere lie on the same side */
#define END_LEAST                                                                                  \
	0.7 /* of what both ends alike would have: labels that only rose may fall elsewhere */

static const double band_edges[BANDS] = {0.33, 0.67, 0.90, 1};

/* Of whose misses a scale is a quantile: of all rows, or of those that lie on one side as well. */
enum side { SIDE_BOTH, SIDE_DOWN, SIDE_UP, SIDES };

static const double side_level[SIDES] = {LEVEL, (1 + LEVEL) / 2, (1 + LEVEL) / 2};

/* Per row: columns, the relative miss, and the scales that others' misses suggest. */
struct misses {
	const struct interval_task *t;
	size_t q; /* the blend's columns, z and watts */
	struct blend
		like; /* the blend's number of columns and where it is far, for blend_spread() */
	float *x, *log_miss;
	double *miss;	      /* label less watts over the unit of the row, either sign */
	double *scale[SIDES]; /* of SIDE_BOTH 1 until the forest has spoken */
};

/* By which scales the ends of an interval go. */
struct ends_of {
	enum side down, up;
};

static const struct ends_of alike = {SIDE_BOTH, SIDE_BOTH}, apart = {SIDE_DOWN, SIDE_UP};

/*
 * What a miss counts in, W: as wide as an interval is made there, outside the training data too, or
 * what lies out there would widen the inside as well. With few groups it does: how they differ is
 * what matters, and hardly anything of that is inside.
 */
static double unit_of(const struct interval_task *t, const struct left_out *r)
{
	return fmax(r->w, t->scale_w) * (t->groups < GROUPS_FEW ? 1 : 1 + r->distance);
}

static void misses_release(struct misses *m)
{
	free(m->x);
	free(m->log_miss);
	free(m->miss);
	for (int s = 0; s < SIDES; s++)
		free(m->scale[s]);
}

static int misses_init(struct misses *m, const struct interval_task *t, const struct blend *b,
		       struct err *e)
{
	m->t = t;
	m->q = b->n_columns + SPREAD_MORE;
	m->like = (struct blend){.n_columns = b->n_columns, .z_near = b->z_near, .z_far = b->z_far};
	m->x = calloc(t->n * m->q + 1, sizeof(float));
	m->log_miss = calloc(t->n + 1, sizeof(float));
	m->miss = calloc(t->n + 1, sizeof(double));
	for (int s = 0; s < SIDES; s++) {
		m->scale[s] = calloc(t->n + 1, sizeof(double));
		if (!m->scale[s])
			return err_nomem(e);
	}
	if (!m->x || !m->log_miss || !m->miss)
		return err_nomem(e);
	for (size_t i = 0; i < t->n; i++) {
		const struct left_out *r = &t->rows[i];

		blend_spread_columns(b, t->p->x + r->row * t->p->d->p, r->z, r->w, m->x + i * m->q);
		m->miss[i] = (r->y - r->w) / unit_of(t, r);
		m->log_miss[i] = (float)log(fabs(m->miss[i]) + MISS_MIN);
		m->scale[SIDE_BOTH][i] = 1;
	}
	return 0;
}

static unsigned part_of(const struct misses *m, size_t i)
{
	return m->t->p->d->fold[m->t->rows[i].row] % PARTS;
}

/* ---- a quantile regression forest ---- */

/* Trees that tell small misses from large ones, on the rows outside `part` (PARTS: on all). */
static int grow_forest(const struct misses *m, unsigned part, struct trees *ret, struct err *e)
{
	const struct boost_options o = {.forest = true,
					.n_trees = SPREAD_TREES,
					.depth = SPREAD_DEPTH,
					.min_child_weight = 20,
					.row_share = 0.63,
					.column_share = 0.5,
					.bins = 64,
					.seed = m->t->seed};
	autofree float *x = calloc(m->t->n * m->q + 1, sizeof(float));
	autofree float *y = calloc(m->t->n + 1, sizeof(float));
	struct boost_data d = {.q = m->q, .x = x, .y = y};

	if (!x || !y)
		return err_nomem(e);
	for (size_t i = 0; i < m->t->n; i++) {
		if (part_of(m, i) == part)
			continue;
		memcpy(x + d.n * m->q, m->x + i * m->q, m->q * sizeof(float));
		y[d.n++] = m->log_miss[i];
	}
	return boost_fit(&d, &o, ret, NULL, e);
}

static double miss_on(enum side side, double miss)
{
	return side == SIDE_BOTH ? fabs(miss) : side == SIDE_UP ? miss : -miss;
}

struct at_leaf {
	uint32_t leaf;
	float miss;
};

static int by_leaf(const void *a, const void *b)
{
	const struct at_leaf *p = a, *q = b;

	if (p->leaf != q->leaf)
		return p->leaf < q->leaf ? -1 : 1;
	return (p->miss > q->miss) - (p->miss < q->miss);
}

/* Of the misses that end in one leaf; values[n] is scratch. */
static double leaf_quantile(const struct at_leaf *at, size_t n, enum side side, double *values)
{
	for (size_t i = 0; i < n; i++)
		values[i] = miss_on(side, at[i].miss);
	return quantile_of(values, n, side_level[side]);
}

/*
 * What leaves say of a side, by node: what makes the forest's sum a mean over its trees, of the
 * logarithm of the side's quantile of the misses that end there, of rows outside `part`.
 */
static int ask_leaves(const struct misses *m, unsigned part, enum side side, const struct trees *t,
		      float *ret, struct err *e)
{
	autofree struct at_leaf *at = calloc(m->t->n * t->n + 1, sizeof(*at));
	autofree double *values = calloc(m->t->n + 1, sizeof(*values));
	size_t n = 0;

	if (!at || !values)
		return err_nomem(e);
	for (size_t i = 0; i < m->t->n; i++) {
		if (part_of(m, i) == part)
			continue;
		for (size_t k = 0; k < t->n; k++)
			at[n++] = (struct at_leaf){(uint32_t)trees_leaf(t, k, m->x + i * m->q),
						   (float)m->miss[i]};
	}
	qsort(at, n, sizeof(*at), by_leaf);
	for (size_t i = 0, j; i < n; i = j) {
		double q;

		for (j = i; j < n && at[j].leaf == at[i].leaf; j++)
			;
		q = leaf_quantile(at + i, j - i, side, values);
		if (side != SIDE_BOTH)
			q = fmax(q, END_LEAST * leaf_quantile(at + i, j - i, SIDE_BOTH, values));
		ret[at[i].leaf] = (float)(log(fmax(q, SCALE_MIN)) / (double)t->n);
	}
	return 0;
}

/* A forest on the rows outside `part`: its nodes' own values of side `down`, spread_up of `up`. */
static int fit_spread(const struct misses *m, unsigned part, struct ends_of ends, struct blend *b,
		      struct err *e)
{
	autofree float *down = NULL, *up = NULL;
	int r = grow_forest(m, part, &b->spread, e);

	if (r < 0)
		return r;
	down = calloc(b->spread.n_nodes + 1, sizeof(*down));
	up = calloc(b->spread.n_nodes + 1, sizeof(*up));
	if (!down || !up)
		return err_nomem(e);
	r = ask_leaves(m, part, ends.down, &b->spread, down, e);
	if (r == 0 && ends.up != ends.down)
		r = ask_leaves(m, part, ends.up, &b->spread, up, e);
	b->spread.base = 0;
	for (size_t i = 0; i < b->spread.n_nodes; i++) {
		if (b->spread.nodes[i].column == TREE_LEAF)
			b->spread.nodes[i].value = down[i];
	}
	if (r == 0 && ends.up != ends.down) {
		b->spread_up = up;
		up = NULL;
	}
	return r;
}

/* The scales of every row, from forests that did not see its group. */
static int cross_fit(struct misses *m, struct err *e)
{
	int r = 0;

	for (unsigned part = 0; r == 0 && part < PARTS; part++) {
		struct blend one = m->like, two = m->like;

		r = fit_spread(m, part, alike, &one, e);
		if (r == 0)
			r = fit_spread(m, part, apart, &two, e);
		for (size_t i = 0; r == 0 && i < m->t->n; i++) {
			const float *columns = m->x + i * m->q;
			struct ends s;

			if (part_of(m, i) != part)
				continue;
			m->scale[SIDE_BOTH][i] = blend_spread(&one, columns).up;
			s = blend_spread(&two, columns);
			m->scale[SIDE_DOWN][i] = s.down;
			m->scale[SIDE_UP][i] = s.up;
		}
		blend_release(&one);
		blend_release(&two);
	}
	return r;
}

/* ---- bands of distance ---- */

static unsigned band_of(const struct interval *v, double z)
{
	unsigned band = 0;

	while (band + 1 < v->n_bands && z > v->upto[band])
		band++;
	return band;
}

/* The scale of the end that row i's label lies towards. */
static double scale_towards(const struct misses *m, struct ends_of ends, size_t i)
{
	return m->scale[m->miss[i] > 0 ? ends.up : ends.down][i];
}

static int fit_bands(const struct misses *m, struct ends_of ends, struct interval *v, struct err *e)
{
	autofree double *scores = calloc(m->t->n + 1, sizeof(*scores));

	if (!scores)
		return err_nomem(e);
	*v = (struct interval){.n_bands = BANDS, .by_distance = true, .scale_w = m->t->scale_w};
	for (size_t i = 0; i < m->t->n; i++)
		scores[i] = m->t->rows[i].z;
	for (unsigned b = 0; b < BANDS; b++)
		v->upto[b] = quantile_of(scores, m->t->n, band_edges[b]);
	for (unsigned b = 0; b < BANDS; b++) {
		size_t n = 0;

		for (size_t i = 0; i < m->t->n; i++) {
			if (band_of(v, m->t->rows[i].z) == b)
				scores[n++] = fabs(m->miss[i]) / scale_towards(m, ends, i);
		}
		v->quantile[b] = n ? quantile_of(scores, n, LEVEL) : 0;
		v->quantile[b] = fmax(v->quantile[b], b ? v->quantile[b - 1] : 1e-3);
	}
	return 0;
}

static int widen_for_next_group(const struct misses *m, struct interval *v, struct err *e)
{
	autofree double *ratios = calloc(m->t->n + 1, sizeof(*ratios));
	autofree uint32_t *group = calloc(m->t->n + 1, sizeof(*group));
	double factor;
	int r;

	if (!ratios || !group)
		return err_nomem(e);
	for (size_t i = 0; i < m->t->n; i++) {
		const struct left_out *row = &m->t->rows[i];

		ratios[i] = fabs(m->miss[i]) / v->quantile[band_of(v, row->z)];
		group[i] = m->t->p->d->table->group[row->row];
	}
	r = next_group(ratios, group, m->t->n, &factor, e);
	for (unsigned b = 0; r == 0 && b < v->n_bands; b++)
		v->quantile[b] *= factor;
	return r;
}

/* Mean interval score at 90 %, W, and the coverage of near rows. */
static double interval_score(const struct misses *m, struct ends_of ends, const struct interval *v,
			     double *ret_coverage)
{
	size_t inside = 0, near = 0;
	double sum = 0;

	for (size_t i = 0; i < m->t->n; i++) {
		const struct left_out *r = &m->t->rows[i];
		double q = v->quantile[band_of(v, r->z)];
		double reach = q * scale_towards(m, ends, i), miss = fabs(m->miss[i]);
		double width = q * (m->scale[ends.down][i] + m->scale[ends.up][i]);

		sum += unit_of(m->t, r) * (width + 2 / (1 - LEVEL) * fmax(miss - reach, 0));
		near += r->near;
		inside += r->near && miss <= reach;
	}
	*ret_coverage = near ? (double)inside / (double)near : NAN;
	return m->t->n ? sum / (double)m->t->n : NAN;
}

/* ---- the choice ---- */

struct choice {
	double score;
	bool local; /* a local scale earned its place */
	struct ends_of ends;
	struct interval v;
	double coverage;
};

/* Take `ends` where their score is clearly lower than that of what was chosen before. */
static int try_ends(const struct misses *m, struct ends_of ends, struct choice *c, struct err *e)
{
	struct choice with = {.local = true, .ends = ends};
	int r = fit_bands(m, ends, &with.v, e);

	if (r < 0)
		return r;
	with.score = interval_score(m, ends, &with.v, &with.coverage);
	if (with.score <= SPREAD_GAIN * c->score)
		*c = with;
	return 0;
}

int blend_interval(const struct interval_task *t, struct blend *b, struct interval *ret,
		   double *ret_coverage, struct err *e)
{
	struct misses m = {.q = 0};
	struct choice c = {.ends = alike};
	int r = misses_init(&m, t, b, e);

	if (r == 0)
		r = fit_bands(&m, alike, &c.v, e);
	if (r == 0)
		r = widen_for_next_group(&m, &c.v, e);
	if (r == 0)
		c.score = interval_score(&m, alike, &c.v, &c.coverage);
	if (r == 0 && t->groups >= GROUPS_FEW && t->n >= SPREAD_ROWS) {
		r = cross_fit(&m, e);
		if (r == 0)
			r = try_ends(&m, alike, &c, e);
		if (r == 0 && t->groups >= ENDS_GROUPS)
			r = try_ends(&m, apart, &c, e);
	}
	if (r == 0 && c.local)
		r = fit_spread(&m, PARTS, c.ends, b, e);
	*ret = c.v;
	*ret_coverage = c.coverage;
	misses_release(&m);
	return r;
}
