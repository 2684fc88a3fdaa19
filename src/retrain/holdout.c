// SPDX-License-Identifier: Apache-2.0
/* The most recent rows, apart: see holdout.h. */
#include "retrain/holdout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define MOST_OVER   1.25
#define LEAST_SHARE 0.5

/* ---- a table of some rows ---- */

static int take_column(const double *from, const bool *keep, size_t n, size_t kept, double **ret)
{
	size_t at = 0;

	if (!from)
		return 0;
	*ret = malloc((kept + 1) * sizeof(double));
	if (!*ret)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (keep[i])
			(*ret)[at++] = from[i];
	}
	return 0;
}

static int take_columns(const struct table *t, const bool *keep, size_t kept, struct table *to)
{
	int r = take_column(t->t_s, keep, t->n_rows, kept, &to->t_s);

	feature_foreach (f)
		r |= take_column(t->x[f], keep, t->n_rows, kept, &to->x[f]);
	zone_foreach (z)
		r |= take_column(t->y_w[z], keep, t->n_rows, kept, &to->y_w[z]);
	return r | take_column(t->kepler_guest_package_w, keep, t->n_rows, kept,
			       &to->kepler_guest_package_w);
}

/* Runs without a row are left out; groups are numbered anew. */
static void take_rows(const struct table *t, const bool *keep, uint32_t *group_at, struct table *to)
{
	memset(group_at, 0xff, (t->n_groups + 1) * sizeof(*group_at));
	for (size_t k = 0; k < t->n_runs; k++) {
		struct table_run *run = &to->runs[to->n_runs];

		*run = t->runs[k];
		run->first = to->n_rows;
		run->n = 0;
		for (size_t i = t->runs[k].first; i < t->runs[k].first + t->runs[k].n; i++) {
			uint32_t *group = &group_at[t->group[i]];

			if (!keep[i])
				continue;
			if (*group == UINT32_MAX)
				*group = (uint32_t)to->n_groups++;
			to->run[to->n_rows] = (uint32_t)to->n_runs;
			to->group[to->n_rows++] = *group;
			run->n++;
		}
		to->n_runs += run->n > 0;
	}
}

static int keep_rows(const struct table *t, const bool *keep, struct table **ret, struct err *e)
{
	autofree uint32_t *group_at = calloc(t->n_groups + 1, sizeof(*group_at));
	struct table *to = calloc(1, sizeof(*to));
	size_t kept = 0;

	for (size_t i = 0; i < t->n_rows; i++)
		kept += keep[i];
	if (to) {
		to->runs = calloc(t->n_runs + 1, sizeof(*to->runs));
		to->run = calloc(kept + 1, sizeof(*to->run));
		to->group = calloc(kept + 1, sizeof(*to->group));
	}
	if (!group_at || !to || !to->runs || !to->run || !to->group ||
	    take_columns(t, keep, kept, to) != 0) {
		table_free(to);
		return err_nomem(e);
	}
	take_rows(t, keep, group_at, to);
	*ret = to;
	return 0;
}

/* ---- which rows ---- */

struct newest {
	size_t run;
	double end_s;
};

static int by_end(const void *a, const void *b)
{
	const struct newest *x = a, *y = b;

	if (x->end_s != y->end_s)
		return x->end_s < y->end_s ? 1 : -1;
	return x->run < y->run ? 1 : -1;
}

static double run_end(const struct table *t, const struct table_run *run)
{
	double end_s = -INFINITY;

	for (size_t i = run->first; i < run->first + run->n; i++)
		end_s = fmax(end_s, t->t_s[i]); /* passes over NaN */
	return end_s;
}

static void hold_by_share(const struct table *t, const struct newest *newest, double share,
			  bool *held)
{
	double target = share * (double)t->n_rows, n = 0;

	for (size_t k = 0; k < t->n_runs && n < target; k++) {
		const struct table_run *run = &t->runs[newest[k].run];
		size_t take = run->n;

		if (n + (double)take > MOST_OVER * target) {
			if (n >= LEAST_SHARE * target)
				return;
			take = (size_t)ceil(target - n);
		}
		for (size_t i = run->first + run->n - take; i < run->first + run->n; i++)
			held[i] = true;
		n += (double)take;
	}
}

int holdout_split(const struct table *t, const struct holdout_rule *rule, struct table **ret_train,
		  struct table **ret_held, struct err *e)
{
	autofree struct newest *newest = calloc(t->n_runs + 1, sizeof(*newest));
	autofree bool *held = calloc(t->n_rows + 1, sizeof(*held));
	size_t n = 0;
	int r;

	if (!newest || !held)
		return err_nomem(e);
	for (size_t k = 0; k < t->n_runs; k++)
		newest[k] = (struct newest){k, run_end(t, &t->runs[k])};
	qsort(newest, t->n_runs, sizeof(*newest), by_end);
	if (rule->last_s > 0) {
		for (size_t i = 0; i < t->n_rows; i++)
			held[i] = t->t_s[i] > newest[0].end_s - rule->last_s;
	} else {
		hold_by_share(t, newest, rule->share, held);
	}
	for (size_t i = 0; i < t->n_rows; i++)
		n += held[i];
	if (!n || n == t->n_rows)
		return err_set(e, -ERR_DATA,
			       "--hold-out holds %zu of %zu rows: there is nothing left to %s", n,
			       t->n_rows, n ? "train on" : "compare on");
	r = keep_rows(t, held, ret_held, e);
	for (size_t i = 0; i < t->n_rows; i++)
		held[i] = !held[i];
	if (r == 0 && (r = keep_rows(t, held, ret_train, e)) < 0)
		table_free(steal(*ret_held));
	return r;
}
