// SPDX-License-Identifier: Apache-2.0
/* The automatic choice: see blend.h. */
#include "train/blend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/blend_interval.h"
#include "train/blend_model.h"
#include "train/reach.h"
#include "train/restrict.h"
#include "train/score.h"
#include "train/stack.h"

#define ROWS_MIN	 40
#define HISTORY_GAIN	 0.98
#define DELTA_GAIN	 0.98
#define DELTA_WORST	 1.05
#define SLOW_GAIN	 0.98
#define SLOW_WORST	 1.10
#define NEAR_Z		 0.75
#define FAR_Z		 0.95
#define EDGE_Z		 0.99
#define FAR_ROWS	 20
#define TRUST_FOLDS	 5
#define SHARE_RAMP	 0.3
#define CAUTIOUS_PHYSICS 0.9
#define CAUTIOUS_FOLDS	 3
#define LABEL_SHARE	 0.2
#define SIZE_MIN	 0.02

#define BIT(type) (1u << (type))
#define BY_GROUP  (BIT(FOLD_A) | BIT(FOLD_B) | BIT(FOLD_C))
#define ALL	  (BY_GROUP | BIT(FOLD_D) | BIT(FOLD_E))

struct chooser {
	const struct pool *p;
	const struct blend_options *o;
	size_t *rows; /* labelled */
	size_t n;
	struct shift_folds folds;
	struct experts_options experts;
	struct scores scores;
	struct blend gate; /* only the shares and what decides between them and the safe answer */
};

static bool many_groups(const struct chooser *k)
{
	return k->folds.n_groups >= 2;
}

/* The folds nearest to how a bundle is used: other groups; with one group, other times. */
static unsigned near_types(const struct chooser *k)
{
	return many_groups(k) ? BIT(FOLD_A) : BIT(FOLD_E);
}

static struct score_options light(const struct chooser *k, const struct experts_options *experts,
				  unsigned types)
{
	struct score_options o = {.experts = *experts, .types = types, .jobs = k->o->jobs};

	o.experts.light = true;
	o.experts.rows_max = BLEND_FOLD_ROWS;
	return o;
}

static int run(const struct chooser *k, unsigned types, const struct experts_options *experts,
	       struct scores *ret, struct err *e)
{
	struct score_options o = light(k, experts, types);

	return scores_run(k->p, k->rows, k->n, &k->folds, &o, ret, e);
}

/* ---- errors: relative, absolute, every kind of fold weighing the same ---- */

typedef double (*answer_fn)(const struct blend *b, const struct scored *r);

static double trees_of(const struct blend *b, const struct scored *r)
{
	(void)b;
	return (r->w[EXPERT_F] + r->w[EXPERT_G]) / 2;
}

static double boosted_of(const struct blend *b, const struct scored *r)
{
	(void)b;
	return r->w[EXPERT_G];
}

static double physics_of(const struct blend *b, const struct scored *r)
{
	(void)b;
	return r->w[EXPERT_P];
}

static double middle_of(const struct blend *b, const struct scored *r)
{
	struct blend pure = {.physics_share = 0};

	(void)b;
	return blend_safe(&pure, r->w);
}

static double near_of(const struct blend *b, const struct scored *r)
{
	return blend_near(b, r->w);
}

static double safe_of(const struct blend *b, const struct scored *r)
{
	return blend_safe(b, r->w);
}

static double answer_of(const struct blend *b, const struct scored *r)
{
	return fmax(blend_combine(b, r->w, r->z), 0);
}

/* Which rows count. */
struct filter {
	unsigned types;
	long fold;    /* -1: any */
	double z_min; /* -INFINITY: any */
};

static bool passes(const struct filter *f, const struct scored *r)
{
	return (f->types & BIT(r->type)) && (f->fold < 0 || (size_t)f->fold == r->fold) &&
	       r->z >= f->z_min;
}

static double error_of(const struct scores *s, const struct blend *b, answer_fn answer,
		       struct filter f, size_t *ret_rows)
{
	double sum[FOLD_TYPES] = {0}, total = 0;
	size_t count[FOLD_TYPES] = {0}, types = 0, rows = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct scored *r = &s->rows[i];

		if (!passes(&f, r))
			continue;
		sum[r->type] += score_weight(s, r->y) * fabs(answer(b, r) - r->y);
		count[r->type]++;
		rows++;
	}
	for (int t = 0; t < FOLD_TYPES; t++) {
		if (!count[t])
			continue;
		total += sum[t] / (double)count[t];
		types++;
	}
	if (ret_rows)
		*ret_rows = rows;
	return types ? total / (double)types : NAN;
}

/* ---- decisions ---- */

/* An answer, and the experts that it needs. */
struct judge {
	answer_fn answer;
	unsigned experts;
};

static const struct judge by_trees = {trees_of, BIT(EXPERT_F) | BIT(EXPERT_G)};
static const struct judge by_boosted = {boosted_of, BIT(EXPERT_G)};
static const struct judge by_physics = {physics_of, BIT(EXPERT_P)};

/*
 * Whether experts with `with` beat those without on the folds of `types`: the
 * median over folds of the ratio of errors below `gain`, the worst below `most`.
 */
static int compare(const struct chooser *k, struct experts_options with, unsigned types,
		   const struct judge *by, double gain, double most, bool *ret, struct err *e)
{
	struct experts_options without = k->experts;
	struct scores before = {.n = 0}, after = {.n = 0};
	double ratios[SHIFT_FOLDS_MAX], worst = 0;
	size_t n = 0;
	int r;

	without.only = with.only = by->experts;
	r = run(k, types, &without, &before, e);
	if (r == 0)
		r = run(k, types, &with, &after, e);
	for (size_t fold = 0; r == 0 && fold < k->folds.n; fold++) {
		struct filter f = {types, (long)fold, -INFINITY};
		double ratio = error_of(&after, NULL, by->answer, f, NULL) /
			       error_of(&before, NULL, by->answer, f, NULL);

		if (!isfinite(ratio))
			continue;
		ratios[n++] = ratio;
		worst = fmax(worst, ratio);
	}
	*ret = r == 0 && n && worst < most && quantile_of(ratios, n, 0.5) < gain;
	scores_release(&before);
	scores_release(&after);
	return r;
}

/* Which columns, and whether physics sees the past: each only where it proves itself. */
static int decide_columns(struct chooser *k, struct err *e)
{
	bool has_slow = k->p->n_columns > k->p->n_now + k->p->n_past, good;
	unsigned types = k->folds.n_groups >= GROUPS_FEW ? BY_GROUP : near_types(k);
	struct experts_options with = k->experts;
	int r = 0;

	if (k->o->history && k->p->n_past) {
		with.history = true;
		r = compare(k, with, near_types(k), &by_trees, HISTORY_GAIN, INFINITY, &good, e);
		if (r == 0)
			k->experts.history = good;
	}
	if (r == 0 && k->experts.history) {
		with = k->experts;
		with.delta = true;
		r = compare(k, with, types, &by_physics, DELTA_GAIN, DELTA_WORST, &good, e);
		if (r == 0)
			k->experts.delta = good;
	}
	if (r == 0 && has_slow && k->folds.n_groups >= GROUPS_FEW) {
		with = k->experts;
		with.slow = true;
		r = compare(k, with, BY_GROUP, &by_boosted, SLOW_GAIN, SLOW_WORST, &good, e);
		if (r == 0)
			k->experts.slow = good;
	}
	return r;
}

static int decide_reach(struct chooser *k, struct err *e)
{
	struct score_options o = light(k, &k->experts, 0);

	return reach_choose(k->p, k->rows, k->n, &o, &k->experts.reach, e);
}

static double z_quantile(const struct chooser *k, unsigned types, double q)
{
	autofree double *z = calloc(k->scores.n + 1, sizeof(*z));
	size_t n = 0;

	for (size_t i = 0; z && i < k->scores.n; i++) {
		if (types & BIT(k->scores.rows[i].type))
			z[n++] = k->scores.rows[i].z;
	}
	return quantile_of(z, n, q);
}

static double clamp01(double x)
{
	return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* How much of the safe answer is physics: all where it is `most` times as good as the middle one.
 */
static double physics_share(const struct chooser *k, struct filter f, double most)
{
	double rho = error_of(&k->scores, &k->gate, physics_of, f, NULL) /
		     error_of(&k->scores, &k->gate, middle_of, f, NULL);

	return isfinite(rho) ? clamp01((most + SHARE_RAMP - rho) / SHARE_RAMP) : 0.5;
}

/* What is compared with the safe answer, and on which rows. */
struct contest {
	const struct blend *gate;
	answer_fn answer;
	unsigned types;
	double z_min;
	size_t folds_min;
};

/* 1 where it never loses against the safe answer on any fold, 0 where it does by a tenth. */
static double earned(const struct chooser *k, const struct contest *c)
{
	double worst = 0;
	size_t folds = 0;

	for (size_t fold = 0; fold < k->folds.n; fold++) {
		struct filter f = {c->types, (long)fold, c->z_min};
		size_t rows;
		double ratio = error_of(&k->scores, c->gate, c->answer, f, &rows);

		ratio /= error_of(&k->scores, c->gate, safe_of, f, NULL);
		if (rows < FAR_ROWS || !isfinite(ratio))
			continue;
		folds++;
		worst = fmax(worst, ratio);
	}
	return folds >= c->folds_min ? clamp01((1.1 - worst) / 0.1) : 0;
}

/*
 * With few groups little can show that the stack holds on another one: the safe answer everywhere
 * unless the stack, with its gate, never lost on a group left out. Physics is in the safe answer
 * where left-out groups favour it.
 */
static void decide_cautiously(struct chooser *k)
{
	struct filter f = {near_types(k), -1, -INFINITY};
	struct blend bold;

	k->gate.physics_share = physics_share(k, f, CAUTIOUS_PHYSICS);
	bold = k->gate;
	bold.caution = 0;
	k->gate.caution = 1 - earned(k, &(struct contest){&bold, answer_of, BIT(FOLD_A), -INFINITY,
							  CAUTIOUS_FOLDS});
}

/* How far the stack is trusted where z says "not near". */
static double decide_trust(const struct chooser *k)
{
	const struct blend *b = &k->gate;

	return earned(k, &(struct contest){b, near_of, BY_GROUP, b->z_near, TRUST_FOLDS});
}

/* Where far begins, who owns it, and whether the stack is trusted there all the same. */
static void decide_gate(struct chooser *k)
{
	struct blend *b = &k->gate;
	struct filter far = {ALL & ~BIT(FOLD_E), -1, 0};
	size_t rows;

	b->z_near = z_quantile(k, BIT(FOLD_E), NEAR_Z);
	b->z_far = fmax(z_quantile(k, BIT(FOLD_E), FAR_Z), b->z_near + 1e-3);
	b->z_edge = z_quantile(k, BIT(FOLD_E), EDGE_Z);
	if (k->folds.n_groups < GROUPS_FEW) {
		decide_cautiously(k);
		return;
	}
	far.z_min = b->z_far;
	error_of(&k->scores, b, physics_of, far, &rows);
	if (rows < FAR_ROWS)
		far.z_min = -INFINITY;
	b->physics_share = physics_share(k, far, 1);
	b->trust = decide_trust(k);
}

/* ---- interval ---- */

static int decide_interval(const struct chooser *k, struct blend *b, struct model *m, struct err *e)
{
	unsigned types = many_groups(k) ? BY_GROUP : BIT(FOLD_D) | BIT(FOLD_E);
	struct interval_task t = {.p = k->p,
				  .groups = k->folds.n_groups,
				  .scale_w = LABEL_SHARE * k->scores.mean_w,
				  .seed = k->o->seed};
	autofree struct left_out *rows = calloc(k->scores.n + 1, sizeof(*rows));

	if (!rows)
		return err_nomem(e);
	for (size_t i = 0; i < k->scores.n; i++) {
		const struct scored *r = &k->scores.rows[i];

		if (types & BIT(r->type))
			rows[t.n++] = (struct left_out){
				.row = r->row,
				.y = r->y,
				.w = answer_of(&k->gate, r),
				.z = r->z,
				.distance = fmax(r->excess, blend_distance(&k->gate, r->z)),
				.near = near_types(k) & BIT(r->type)};
	}
	t.rows = rows;
	return blend_interval(&t, b, &m->interval, &m->coverage_90, e);
}

/* ---- the model ---- */

static void take_gate(const struct blend *gate, struct blend *b)
{
	memcpy(b->share, gate->share, sizeof(b->share));
	b->z_near = gate->z_near;
	b->z_far = gate->z_far;
	b->z_edge = gate->z_edge;
	b->trust = gate->trust;
	b->physics_share = gate->physics_share;
	b->caution = gate->caution;
}

/* What the near folds said of each row, for the card and for idle power. */
static int keep_predictions(const struct chooser *k, struct blend_fit *f, struct err *e)
{
	const struct design *d = k->p->d;
	autofree double *count = calloc(d->n + 1, sizeof(*count));
	double error = 0, truth = 0;

	f->predicted_w = calloc(d->n + 1, sizeof(double));
	if (!count || !f->predicted_w)
		return err_nomem(e);
	for (size_t i = 0; i < k->scores.n; i++) {
		const struct scored *r = &k->scores.rows[i];
		double w = answer_of(&k->gate, r);

		if (!(near_types(k) & BIT(r->type)))
			continue;
		f->predicted_w[r->row] += w;
		count[r->row]++;
		error += fabs(w - r->y);
		truth += r->y;
		f->rows++;
	}
	for (size_t i = 0; i < d->n; i++)
		f->predicted_w[i] = count[i] > 0 ? f->predicted_w[i] / count[i] : NAN;
	f->wmape = truth > 0 ? error / truth : NAN;
	f->relative = error_of(&k->scores, &k->gate, answer_of,
			       (struct filter){near_types(k), -1, -INFINITY}, NULL);
	f->model.mae_w = f->rows ? error / (double)f->rows : NAN;
	f->model.wmape = f->wmape;
	return 0;
}

static int find_rows(struct chooser *k, struct err *e)
{
	const struct pool *p = k->p;

	k->rows = calloc(p->d->n + 1, sizeof(*k->rows));
	if (!k->rows)
		return err_nomem(e);
	for (size_t i = 0; i < p->d->n; i++) {
		if (isfinite(p->y[i]) && p->y[i] >= 0)
			k->rows[k->n++] = i;
	}
	if (k->n < ROWS_MIN)
		return err_set(e, -ERR_DATA, "%zu labelled rows, a blend needs %d", k->n, ROWS_MIN);
	return 0;
}

static size_t trees_bytes(const struct trees *t)
{
	return 8 * t->n_nodes + 4 * t->n;
}

/* About what it takes in a bundle. */
static size_t blend_bytes(const struct blend *b)
{
	return trees_bytes(&b->boosted) + trees_bytes(&b->forest) + trees_bytes(&b->gbdt) +
	       (4 * b->centres.n_dims + 8) * b->centres.n +
	       4 * b->reference.n_dims * b->reference.n + INTERVAL_BYTES + 4096;
}

/* On all rows, with as many trees as there is room for. */
static int fit_within(const struct chooser *k, struct blend *ret, struct err *e)
{
	struct experts_options o = k->experts;

	o.rows_max = k->n;
	for (;;) {
		int r = experts_fit(k->p, k->rows, k->n, &o, ret, e);
		size_t bytes;

		if (r < 0)
			return r;
		restrict_experts(ret, k->o->kind);
		bytes = blend_bytes(ret);
		if (bytes <= k->o->bytes_max || o.size < SIZE_MIN)
			return 0;
		o.size *= fmax(0.95 * (double)k->o->bytes_max / (double)bytes, 0.1);
		blend_release(ret);
	}
}

/* What the chosen experts say of rows left out. */
static int ask_experts(struct chooser *k, struct err *e)
{
	struct score_options o = light(k, &k->experts, ALL);

	o.excess = true;
	return scores_run(k->p, k->rows, k->n, &k->folds, &o, &k->scores, e);
}

static int choose_and_fit(struct chooser *k, struct blend_fit *f, struct err *e)
{
	struct blend b = {.n_columns = 0};
	int r = decide_columns(k, e);

	if (r == 0)
		r = decide_reach(k, e);
	if (r == 0)
		r = ask_experts(k, e);
	if (r == 0)
		r = stack_shares(&k->scores, near_types(k) | BIT(many_groups(k) ? FOLD_E : FOLD_D),
				 k->gate.share, e);
	if (r < 0)
		return r;
	decide_gate(k);
	restrict_gate(&k->gate, k->o->kind);
	r = fit_within(k, &b, e);
	if (r == 0) {
		take_gate(&k->gate, &b);
		r = decide_interval(k, &b, &f->model, e);
	}
	if (r == 0)
		r = blend_to_model(k->p, k->rows, k->n, &b, &f->model, e);
	if (r < 0) {
		blend_release(&b);
		return r;
	}
	f->model.history = k->experts.history;
	f->model.groups = (uint32_t)k->folds.n_groups;
	return keep_predictions(k, f, e);
}

int blend_train(const struct pool *p, const struct blend_options *o, struct blend_fit *ret,
		struct err *e)
{
	struct chooser k = {.p = p, .o = o};
	struct blend_fit f = {.rows = 0};
	int r;

	k.experts = (struct experts_options){.size = 1,
					     .seed = o->seed,
					     .kind = o->kind,
					     .tuning = o->tuning,
					     .reach = PHYSICS_REACH_INIT};
	r = find_rows(&k, e);
	if (r == 0)
		r = shift_folds_new(p->d, p->y, &k.folds, e);
	if (r == 0)
		r = choose_and_fit(&k, &f, e);
	scores_release(&k.scores);
	shift_folds_release(&k.folds);
	free(k.rows);
	if (r < 0) {
		blend_fit_release(&f);
		return r;
	}
	*ret = f;
	return 0;
}

void blend_fit_release(struct blend_fit *f)
{
	model_release(&f->model);
	free(f->predicted_w);
	f->predicted_w = NULL;
}
