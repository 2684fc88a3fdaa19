// SPDX-License-Identifier: Apache-2.0
/* Rows of a dataset in memory: see table.h. */
#include "align/table.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

void table_row(const struct table *t, size_t i, struct row *ret)
{
	row_clear(ret);
	ret->t_s = t->t_s[i];
	ret->dt_s = t->runs[t->run[i]].interval_s;
	feature_foreach (f) {
		if (t->x[f])
			ret->v[f] = t->x[f][i];
	}
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->runs);
	free(t->t_s);
	free(t->run);
	free(t->group);
	free(t->group_name);
	feature_foreach (f)
		free(t->x[f]);
	zone_foreach (z)
		free(t->y_w[z]);
	free(t->kepler_guest_package_w);
	free(t);
}

void table_label_stats(const struct table *t, enum zone z, size_t first, size_t n,
		       struct label_stats *ret)
{
	double sum = 0;

	*ret = (struct label_stats){.min_w = NAN, .mean_w = NAN, .max_w = NAN};
	for (size_t i = first; t->y_w[z] && i < first + n; i++) {
		double y = t->y_w[z][i];

		if (isnan(y))
			continue;
		ret->rows++;
		ret->min_w = fmin(ret->min_w, y);
		ret->max_w = fmax(ret->max_w, y);
		sum += y;
	}
	if (ret->rows)
		ret->mean_w = sum / (double)ret->rows;
}

static bool repeats_label(const struct table *t, size_t i)
{
	bool any = false;

	zone_foreach (z) {
		const double *y = t->y_w[z];

		if (!y || (isnan(y[i]) && isnan(y[i - 1])))
			continue;
		if (y[i] != y[i - 1])
			return false;
		any = true;
	}
	return any;
}

void table_vcpus(const struct table *t, uint32_t *ret_min, uint32_t *ret_max)
{
	const double *vcpus = t->x[FEATURE_VCPUS];

	*ret_min = *ret_max = 0;
	for (size_t i = 0; vcpus && i < t->n_rows; i++) {
		uint32_t v;

		if (!(vcpus[i] >= 1 && vcpus[i] < 1e6))
			continue;
		v = (uint32_t)vcpus[i];
		if (!*ret_min || v < *ret_min)
			*ret_min = v;
		if (v > *ret_max)
			*ret_max = v;
	}
}

size_t table_repeated_rows(const struct table *t)
{
	size_t n = 0;

	for (size_t i = 1; i < t->n_rows; i++)
		n += t->run[i] == t->run[i - 1] && repeats_label(t, i);
	return n;
}

/* Make *p hold n + more entries of `size` bytes. */
static int grow(void **p, size_t n, size_t more, size_t size)
{
	void *grown = realloc(*p, (n + more + 1) * size);

	if (!grown)
		return -ENOMEM;
	*p = grown;
	return 0;
}

/* Append a column that either side may lack. */
static int append_column(double **to, size_t n, const double *from, size_t more)
{
	bool had = *to != NULL;

	if (!had && !from)
		return 0;
	if (grow((void **)to, n, more, sizeof(**to)) < 0)
		return -ENOMEM;
	for (size_t i = 0; !had && i < n; i++)
		(*to)[i] = NAN;
	for (size_t i = 0; i < more; i++)
		(*to)[n + i] = from ? from[i] : NAN;
	return 0;
}

/* Whether a run other than `r` has its name. */
static bool has_run(const struct table *t, const struct table_run *r)
{
	for (size_t i = 0; i < t->n_runs; i++) {
		if (&t->runs[i] != r && !strcmp(t->runs[i].name, r->name))
			return true;
	}
	return false;
}

/* Give `r`, which is one of `from`, a name that neither has yet. */
static void rename_run(const struct table *to, const struct table *from, struct table_run *r)
{
	char name[sizeof(r->name)];

	memcpy(name, r->name, sizeof(name));
	for (unsigned k = 2; has_run(to, r) || has_run(from, r); k++)
		snprintf(r->name, sizeof(r->name), "%.110s#%u", name, k);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Where each group of `from` is in `to`, which has room for them all and gets those it has not. */
static int place_groups(struct table *to, const struct table *from, uint32_t *ret_at)
{
	size_t had = to->n_groups;
	autofree const char **names = calloc(had + 1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < had; i++)
		names[i] = to->group_name[i];
	qsort(names, had, sizeof(*names), by_name);
	for (size_t i = 0; i < from->n_groups; i++) {
		const char *name = from->group_name[i];
		const char **at =
			*name ? bsearch(&name, names, had, sizeof(*names), by_name) : NULL;

		if (at) {
			ret_at[i] = (uint32_t)((size_t)(*at - to->group_name[0]) /
					       sizeof(*to->group_name));
			continue;
		}
		memcpy(to->group_name[to->n_groups], name, sizeof(*to->group_name));
		ret_at[i] = (uint32_t)to->n_groups++;
	}
	return 0;
}

static int append_columns(struct table *to, const struct table *from)
{
	int r = 0;

	feature_foreach (f)
		r |= append_column(&to->x[f], to->n_rows, from->x[f], from->n_rows);
	zone_foreach (z)
		r |= append_column(&to->y_w[z], to->n_rows, from->y_w[z], from->n_rows);
	r |= append_column(&to->kepler_guest_package_w, to->n_rows, from->kepler_guest_package_w,
			   from->n_rows);
	r |= append_column(&to->t_s, to->n_rows, from->t_s, from->n_rows);
	r |= grow((void **)&to->run, to->n_rows, from->n_rows, sizeof(*to->run));
	r |= grow((void **)&to->group, to->n_rows, from->n_rows, sizeof(*to->group));
	r |= grow((void **)&to->group_name, to->n_groups, from->n_groups, sizeof(*to->group_name));
	r |= grow((void **)&to->runs, to->n_runs, from->n_runs, sizeof(*to->runs));
	return r ? -ENOMEM : 0;
}

int table_append(struct table **into, struct table *from, struct err *e)
{
	autofree uint32_t *group_at = calloc(from->n_groups + 1, sizeof(*group_at));
	struct table *to = *into;

	if (!to) {
		*into = from;
		return 0;
	}
	if (!group_at || append_columns(to, from) < 0 || place_groups(to, from, group_at) < 0) {
		table_free(from);
		return err_nomem(e);
	}
	for (size_t i = 0; i < from->n_rows; i++) {
		to->run[to->n_rows + i] = from->run[i] + (uint32_t)to->n_runs;
		to->group[to->n_rows + i] = group_at[from->group[i]];
	}
	for (size_t i = 0; i < from->n_runs; i++) {
		from->runs[i].first += to->n_rows;
		rename_run(to, from, &from->runs[i]);
		to->runs[to->n_runs + i] = from->runs[i];
	}
	to->n_rows += from->n_rows;
	to->n_runs += from->n_runs;
	table_free(from);
	return 0;
}
