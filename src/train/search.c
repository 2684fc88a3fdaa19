// SPDX-License-Identifier: Apache-2.0
/* Search over a box: see search.h. Inside, a point is in the unit cube; outside, in the box. */
#include "train/search.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "train/gauss.h"

#define RANDOM_CANDIDATES 1000
#define LOCAL_CANDIDATES  400
#define SAME		  1e-9 /* points nearer than this are one */

static const char *const method_names[SEARCH_METHODS] = {"none", "grid", "bayes"};

const char *search_method_name(enum search_method m)
{
	return method_names[m];
}

int search_method_find(const char *name)
{
	for (int m = 0; m < SEARCH_METHODS; m++) {
		if (!strcmp(name, method_names[m]))
			return m;
	}
	return -1;
}

struct search {
	const struct search_parameter *p;
	const struct search_options *o;
	size_t n, done;
	double *u, *values; /* of the trials so far: done x n, done */
	uint64_t chance;
	struct timespec began;
	struct search_result *result;
};

static double uniform(struct search *s) /* splitmix64, 0..1 */
{
	uint64_t x = s->chance += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (double)((x ^ (x >> 31)) >> 11) * 0x1p-53;
}

static double from_unit(const struct search_parameter *p, double u)
{
	double x =
		p->log_scale ? p->low * pow(p->high / p->low, u) : p->low + u * (p->high - p->low);

	x = fmin(fmax(x, p->low), p->high);
	return p->integer ? round(x) : x;
}

static double to_unit(const struct search_parameter *p, double x)
{
	double u = p->log_scale ? log(x / p->low) / log(p->high / p->low)
				: (x - p->low) / (p->high - p->low);

	return fmin(fmax(u, 0), 1);
}

/* An integer parameter has few values: a point is moved to where its values are. */
static void settle(const struct search *s, double *u)
{
	for (size_t j = 0; j < s->n; j++) {
		u[j] = fmin(fmax(u[j], 0), 1);
		if (s->p[j].integer)
			u[j] = to_unit(&s->p[j], from_unit(&s->p[j], u[j]));
	}
}

static bool is_known(const struct search *s, const double *u)
{
	for (size_t i = 0; i < s->done; i++) {
		double most = 0;

		for (size_t j = 0; j < s->n; j++)
			most = fmax(most, fabs(u[j] - s->u[i * s->n + j]));
		if (most < SAME)
			return true;
	}
	return false;
}

/* Point k of the lattice: frac(1/2 + k / g^(j + 1)), g the root of g^(n + 1) = g + 1. */
static void lattice(const struct search *s, size_t k, double *u)
{
	double g = 1.5, step = 1;

	for (int i = 0; i < 60; i++)
		g = pow(1 + g, 1 / (double)(s->n + 1));
	for (size_t j = 0; j < s->n; j++) {
		step /= g;
		u[j] = fmod(0.5 + (double)k * step, 1);
	}
	settle(s, u);
}

static size_t best_of(const struct search *s)
{
	size_t best = 0;

	for (size_t i = 1; i < s->done; i++)
		best = s->values[i] < s->values[best] ? i : best;
	return best;
}

/* A point near `centre` by up to `reach`, or anywhere when reach is 0. */
static void draw(struct search *s, const double *centre, double reach, double *u)
{
	for (size_t j = 0; j < s->n; j++)
		u[j] = reach > 0 ? centre[j] + reach * (2 * uniform(s) - 1) : uniform(s);
	settle(s, u);
}

/* Where the largest improvement is expected: anywhere, then ever nearer to the best such place. */
static int propose(struct search *s, double *u, struct err *e)
{
	size_t at = best_of(s), n = RANDOM_CANDIDATES + LOCAL_CANDIDATES;
	double candidate[SEARCH_PARAMETERS_MAX], most = -1;
	struct gauss *g;
	int r = gauss_new(s->u, s->values, s->done, s->n, &g, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		bool local = i >= RANDOM_CANDIDATES;
		double reach = local ? 0.2 * pow(0.98, (double)(i - RANDOM_CANDIDATES)) : 0;
		double improvement;

		if (!local && i % 4 == 0)
			draw(s, s->u + at * s->n, 0.1, candidate);
		else
			draw(s, u, reach, candidate);
		if (is_known(s, candidate))
			continue;
		improvement = gauss_improvement(g, candidate, s->values[at]);
		if (improvement > most) {
			most = improvement;
			memcpy(u, candidate, s->n * sizeof(*u));
		}
	}
	gauss_free(g);
	return 0;
}

static double elapsed(const struct search *s)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - s->began.tv_sec) +
	       1e-9 * (double)(now.tv_nsec - s->began.tv_nsec);
}

static void report(const struct search *s)
{
	double spent = elapsed(s),
	       left = spent / (double)s->done * (double)(s->o->trials - s->done);

	if (s->o->seconds > 0)
		left = fmin(left, fmax(s->o->seconds - spent, 0));
	if (s->o->progress)
		s->o->progress(s->o->arg, s->result, left);
}

static int try_point(struct search *s, const double *u, struct err *e)
{
	double x[SEARCH_PARAMETERS_MAX] = {0}, value;
	int r;

	/* The start as the caller wrote it: logarithms there and back would change its last digit.
	 */
	for (size_t j = 0; j < s->n; j++)
		x[j] = s->done ? from_unit(&s->p[j], u[j])
			       : fmin(fmax(s->o->start[j], s->p[j].low), s->p[j].high);
	r = s->o->value(s->o->arg, x, &value, e);
	if (r < 0)
		return r;
	if (!s->done)
		s->result->first = value;
	if (!s->done || value < s->result->best) {
		s->result->best = value;
		memcpy(s->result->at, x, sizeof(x));
	}
	memcpy(s->u + s->done * s->n, u, s->n * sizeof(*u));
	s->values[s->done++] = value;
	s->result->trials = (unsigned)s->done;
	report(s);
	return 0;
}

static int run(struct search *s, struct err *e)
{
	size_t first = 2 * s->n + 1; /* before there is a process */
	double u[SEARCH_PARAMETERS_MAX];
	int r;

	for (size_t j = 0; j < s->n; j++)
		u[j] = to_unit(&s->p[j], s->o->start[j]);
	settle(s, u);
	r = try_point(s, u, e);
	for (size_t k = 0; r == 0 && s->done < s->o->trials; k++) {
		if (s->o->seconds > 0 && elapsed(s) >= s->o->seconds) {
			s->result->cut = true;
			break;
		}
		lattice(s, k, u);
		if (s->o->method == SEARCH_BAYES && s->done >= first)
			r = propose(s, u, e);
		if (k > SEARCH_TRIALS_MAX * 2)
			break; /* whole numbers only, and all were tried */
		if (r == 0 && !is_known(s, u))
			r = try_point(s, u, e);
	}
	return r;
}

int search_run(const struct search_parameter *p, size_t n, const struct search_options *o,
	       struct search_result *ret, struct err *e)
{
	struct search_result result = {0};
	struct search s = {.p = p, .o = o, .n = n, .chance = o->seed, .result = &result};
	autofree double *u = calloc(SEARCH_TRIALS_MAX * n + 1, sizeof(*u));
	autofree double *values = calloc(SEARCH_TRIALS_MAX + 1, sizeof(*values));
	int r;

	if (!u || !values)
		return err_nomem(e);
	s.u = u;
	s.values = values;
	clock_gettime(CLOCK_MONOTONIC, &s.began);
	r = run(&s, e);
	if (r == 0)
		*ret = result;
	return r;
}
