// SPDX-License-Identifier: Apache-2.0
/* Hyper-parameters by search: see tune.h. */
#include "train/tune.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "train/crossval.h"
#include "train/score.h"

#define ROWS_MIN 40

enum { DEPTH, RATE, CHILD, LAMBDA, GBDT_PARAMETERS };
enum { UNITS, DECAY, STEP, MLP_PARAMETERS };

static const struct search_parameter gbdt_parameters[GBDT_PARAMETERS] = {
	[DEPTH] = {"depth", 2, 9, false, true},
	[RATE] = {"rate_factor", 0.3, 3, true, false},
	[CHILD] = {"min_child_weight", 1, 30, true, false},
	[LAMBDA] = {"lambda", 0.1, 30, true, false},
};

static const struct search_parameter mlp_parameters[MLP_PARAMETERS] = {
	[UNITS] = {"units", 4, 64, true, true},
	[DECAY] = {"decay", 1e-4, 0.3, true, false},
	[STEP] = {"rate", 1e-3, 0.03, true, false},
};

const struct search_parameter *tune_parameters(enum tune_what what, size_t *ret_n)
{
	*ret_n = what == TUNE_GBDT ? GBDT_PARAMETERS : MLP_PARAMETERS;
	return what == TUNE_GBDT ? gbdt_parameters : mlp_parameters;
}

/* ---- a search whose trials are remembered ---- */

struct tuner {
	const struct tune_options *o;
	/* gbdt */
	const struct pool *p;
	size_t *rows;
	size_t n;
	struct shift_folds folds;
	/* mlp */
	struct candidate *c; /* our own copy of its head: columns are borrowed */
	const double *y;
	/* The error at x[]. */
	int (*error)(struct tuner *t, const double *x, double *ret, struct err *e);
};

static int value(void *arg, const double *x, double *ret_value, struct err *e)
{
	struct tuner *t = arg;
	const char *zone = zone_name(t->o->zone);
	int r;

	if (trials_find(t->o->trials, zone, x, ret_value))
		return 0;
	r = t->error(t, x, ret_value, e);
	return r == 0 ? trials_add(t->o->trials, zone, x, *ret_value, e) : r;
}

static void pass_on(void *arg, const struct search_result *so_far, double seconds_left)
{
	const struct tuner *t = arg;

	if (t->o->progress)
		t->o->progress(t->o->arg, so_far, seconds_left);
}

static int run(struct tuner *t, enum tune_what what, const double *start, struct search_result *ret,
	       struct err *e)
{
	struct search_options o = t->o->search;
	size_t n;
	const struct search_parameter *p = tune_parameters(what, &n);

	o.start = start;
	o.value = value;
	o.progress = pass_on;
	o.arg = t;
	return search_run(p, n, &o, ret, e);
}

/* ---- boosted trees ---- */

static struct gbdt_tuning gbdt_of(const double *x)
{
	return (struct gbdt_tuning){.depth = (unsigned)x[DEPTH],
				    .rate_factor = x[RATE],
				    .min_child_weight = x[CHILD],
				    .lambda = x[LAMBDA]};
}

/* Relative error of boosted trees alone where groups (with one group, times) are left out. */
static int gbdt_error(struct tuner *t, const double *x, double *ret, struct err *e)
{
	const struct gbdt_tuning tuning = gbdt_of(x);
	struct score_options o = {.experts = {.history = t->o->history && t->p->n_past,
					      .only = 1u << EXPERT_G,
					      .kind = t->o->kind,
					      .light = true,
					      .size = 1,
					      .rows_max = TUNE_ROWS,
					      .seed = t->o->search.seed,
					      .tuning = &tuning},
				  .types = 1u << (t->folds.n_groups >= 2 ? FOLD_A : FOLD_E),
				  .jobs = t->o->jobs};
	struct scores s;
	double error = 0;
	int r = scores_run(t->p, t->rows, t->n, &t->folds, &o, &s, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < s.n; i++)
		error += score_weight(&s, s.rows[i].y) * fabs(s.rows[i].w[EXPERT_G] - s.rows[i].y);
	*ret = s.n ? error / (double)s.n : 0;
	scores_release(&s);
	return 0;
}

static int find_rows(struct tuner *t, struct err *e)
{
	const struct design *d = t->p->d;

	t->rows = calloc(d->n + 1, sizeof(*t->rows));
	if (!t->rows)
		return err_nomem(e);
	for (size_t i = 0; i < d->n; i++) {
		if (isfinite(t->p->y[i]) && t->p->y[i] >= 0)
			t->rows[t->n++] = i;
	}
	if (t->n < ROWS_MIN)
		return err_set(e, -ERR_DATA, "%zu labelled rows are too few for a search", t->n);
	return shift_folds_new(d, t->p->y, &t->folds, e);
}

int tune_gbdt(const struct pool *p, const struct tune_options *o, struct gbdt_tuning *io,
	      struct search_result *ret, struct err *e)
{
	const double start[] = {[DEPTH] = io->depth,
				[RATE] = io->rate_factor,
				[CHILD] = io->min_child_weight,
				[LAMBDA] = io->lambda};
	struct tuner t = {.o = o, .p = p, .error = gbdt_error};
	int r = find_rows(&t, e);

	if (r == 0)
		r = run(&t, TUNE_GBDT, start, ret, e);
	if (r == 0)
		*io = gbdt_of(ret->at);
	shift_folds_release(&t.folds);
	free(t.rows);
	return r;
}

/* ---- networks ---- */

static void mlp_of(const double *x, struct mlp_options *io)
{
	io->units[0] = (unsigned)x[UNITS];
	io->units[1] = io->units[1] ? (io->units[0] + 1) / 2 : 0;
	io->decay = x[DECAY];
	io->rate = x[STEP];
}

static int mlp_error(struct tuner *t, const double *x, double *ret, struct err *e)
{
	struct crossval v;
	int r;

	mlp_of(x, &t->c->mlp);
	r = crossval_mlp(t->c, t->y, &v, e);
	if (r < 0)
		return r;
	*ret = v.score;
	crossval_release(&v);
	return 0;
}

int tune_mlp(const struct candidate *c, const double *y, const struct tune_options *o,
	     struct mlp_options *io, struct search_result *ret, struct err *e)
{
	const double start[] = {[UNITS] = io->units[0], [DECAY] = io->decay, [STEP] = io->rate};
	autofree struct candidate *copy = calloc(1, sizeof(*copy));
	struct tuner t = {.o = o, .c = copy, .y = y, .error = mlp_error};
	int r;

	if (!copy)
		return err_nomem(e);
	*copy = *c;
	r = run(&t, TUNE_MLP, start, ret, e);
	if (r == 0)
		mlp_of(ret->at, io);
	return r;
}
