// SPDX-License-Identifier: Apache-2.0
/* Permutation importance: see importance.h. */
#include "evaluate/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/metrics.h"

/* Copy `n` entries of `size` bytes from place `at` of each column behind the `to` first. */
static void copy_piece(struct table *to, const struct table *from, size_t at, size_t n)
{
	size_t end = to->n_rows;

	memcpy(to->t_s + end, from->t_s + at, n * sizeof(double));
	feature_foreach (f) {
		if (from->x[f])
			memcpy(to->x[f] + end, from->x[f] + at, n * sizeof(double));
	}
	zone_foreach (z) {
		if (from->y_w[z])
			memcpy(to->y_w[z] + end, from->y_w[z] + at, n * sizeof(double));
	}
	for (size_t i = end; i < end + n; i++)
		to->run[i] = to->group[i] = (uint32_t)to->n_runs;
	to->runs[to->n_runs] = from->runs[from->run[at]];
	to->runs[to->n_runs].first = end;
	to->runs[to->n_runs].n = n;
	to->n_runs++;
	to->n_rows += n;
}

static double *column(const double *like, size_t n, bool *failed)
{
	double *ret = like ? malloc(n * sizeof(double)) : NULL;

	*failed |= like && !ret;
	return ret;
}

/* A table with the columns of `from` and room for `rows` rows in `runs` runs. */
static struct table *table_room(const struct table *from, size_t rows, size_t runs)
{
	struct table *t = calloc(1, sizeof(*t));
	bool failed = false;

	if (!t)
		return NULL;
	t->runs = calloc(runs, sizeof(*t->runs));
	t->run = calloc(rows, sizeof(*t->run));
	t->group = calloc(rows, sizeof(*t->group));
	t->t_s = column(from->t_s, rows, &failed);
	feature_foreach (f)
		t->x[f] = column(from->x[f], rows, &failed);
	zone_foreach (z)
		t->y_w[z] = column(from->y_w[z], rows, &failed);
	if (!failed && t->runs && t->run && t->group)
		return t;
	table_free(t);
	return NULL;
}

/* Whole runs where that is few enough rows, else pieces spread evenly. */
static struct table *sample(const struct table *t)
{
	size_t pieces = IMPORTANCE_ROWS / IMPORTANCE_PIECE;
	struct table *s;

	if (t->n_rows <= IMPORTANCE_ROWS) {
		s = table_room(t, t->n_rows + 1, t->n_runs + 1);
		for (size_t k = 0; s && k < t->n_runs; k++)
			copy_piece(s, t, t->runs[k].first, t->runs[k].n);
		return s;
	}
	s = table_room(t, IMPORTANCE_ROWS, pieces);
	for (size_t k = 0; s && k < pieces; k++) {
		size_t at = k * t->n_rows / pieces;
		const struct table_run *run = &t->runs[t->run[at]];
		size_t left = run->first + run->n - at;

		copy_piece(s, t, at, left < IMPORTANCE_PIECE ? left : IMPORTANCE_PIECE);
	}
	return s;
}

static bool looks_at(const struct model_set *s, enum feature f)
{
	if (!s)
		return f == FEATURE_CPU_UTILIZATION || f == FEATURE_CPU_BUSY_VCPUS ||
		       f == FEATURE_VCPUS;
	for (size_t i = 0; i < s->n_inputs; i++) {
		if (s->inputs[i].feature == f)
			return true;
	}
	return false;
}

/* NaN when a column is constant or too few rows have both. */
static double correlation(const double *a, const double *b, size_t n)
{
	double count = 0, mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(a[i]) || isnan(b[i]))
			continue;
		count++;
		mean_a += (a[i] - mean_a) / count;
		mean_b += (b[i] - mean_b) / count;
	}
	for (size_t i = 0; i < n; i++) {
		double da = a[i] - mean_a, db = b[i] - mean_b;

		if (isnan(a[i]) || isnan(b[i]))
			continue;
		aa += da * da;
		bb += db * db;
		ab += da * db;
	}
	return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

static void group_columns(const struct table *t, const struct model_set *s, struct importance *ret)
{
	bool taken[FEATURE_COUNT] = {false};

	feature_foreach (f) {
		struct importance_item *item = &ret->items[ret->n];

		if (taken[f] || !t->x[f] || !looks_at(s, f))
			continue;
		*item = (struct importance_item){.has = {false}};
		item->has[f] = true;
		for (enum feature g = (enum feature)(f + 1); g < FEATURE_COUNT;
		     g = (enum feature)(g + 1)) {
			if (!taken[g] && t->x[g] && looks_at(s, g) &&
			    fabs(correlation(t->x[f], t->x[g], t->n_rows)) >= IMPORTANCE_SAME)
				item->has[g] = taken[g] = true;
		}
		ret->n++;
	}
}

/* splitmix64 (Steele, Lea and Flood 2014): enough for a shuffle that is the same every time. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static void shuffle(size_t *places, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		places[i] = i;
	for (size_t i = n; i > 1; i--) {
		size_t j = next_random(&seed) % i, kept = places[i - 1];

		places[i - 1] = places[j];
		places[j] = kept;
	}
}

static int mean_errors(const struct table *t, const struct model_set *s,
		       const struct evaluate_options *o, double ret_mae_w[ZONE_COUNT],
		       struct err *e)
{
	struct answers a;
	int r = answers_compute(t, s, o, &a, e);

	if (r < 0)
		return r;
	zone_foreach (z) {
		struct metrics_input in = {t->n_rows, t->y_w[z], a.watts[z], NULL, NULL};
		struct metrics m = {.mae_w = NAN};

		if (t->y_w[z])
			metrics_compute(&in, &m);
		ret_mae_w[z] = m.mae_w;
	}
	answers_release(&a);
	return 0;
}

/* Score with the item's columns shuffled, all by the same places. */
static int try_item(struct table *t, const struct model_set *s, const struct evaluate_options *o,
		    const size_t *places, struct importance_item *item, struct err *e)
{
	double *kept[FEATURE_COUNT];
	bool failed = false;
	int r;

	memcpy(kept, t->x, sizeof(kept));
	feature_foreach (f) {
		if (!item->has[f])
			continue;
		t->x[f] = column(kept[f], t->n_rows, &failed);
		for (size_t i = 0; t->x[f] && i < t->n_rows; i++)
			t->x[f][i] = kept[f][places[i]];
	}
	r = failed ? err_nomem(e) : mean_errors(t, s, o, item->rise_w, e);
	feature_foreach (f) {
		if (item->has[f])
			free(t->x[f]);
	}
	memcpy(t->x, kept, sizeof(kept));
	return r;
}

int importance_compute(const struct table *t, const struct model_set *s,
		       const struct evaluate_options *o, struct importance *ret, struct err *e)
{
	struct table *some = sample(t);
	autofree size_t *places = calloc(IMPORTANCE_ROWS + 1, sizeof(*places));
	int r = some && places ? 0 : err_nomem(e);

	*ret = (struct importance){.n = 0};
	if (r == 0) {
		ret->rows = some->n_rows;
		group_columns(some, s, ret);
		r = mean_errors(some, s, o, ret->mae_w, e);
	}
	for (size_t k = 0; r == 0 && k < ret->n; k++) {
		shuffle(places, some->n_rows, k);
		r = try_item(some, s, o, places, &ret->items[k], e);
		zone_foreach (z)
			ret->items[k].rise_w[z] -= ret->mae_w[z];
	}
	table_free(some);
	return r;
}
