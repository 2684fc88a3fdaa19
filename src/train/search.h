/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_SEARCH_H
#define TRAIN_SEARCH_H

/*
 * Minimise a noisy and expensive function over a small box.
 *
 * grid   a lattice that fills the box evenly however many points are taken
 *        (additive recurrence with the generalised golden ratio).
 * bayes  the first points of that lattice, then where a Gaussian process
 *        (Matern 5/2; a length per parameter and the noise by maximum
 *        marginal likelihood) expects the largest improvement (Jones, Schonlau and
 *        Welch, 1998).
 *
 * Both are deterministic for a seed: the same values give the same points, so
 * a caller that remembers values can take a broken search up again.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum search_method { SEARCH_NONE, SEARCH_GRID, SEARCH_BAYES, SEARCH_METHODS };

#define SEARCH_PARAMETERS_MAX 6
#define SEARCH_TRIALS_MAX     1000

struct search_parameter {
	const char *name;
	double low, high; /* low < high; low > 0 with log_scale */
	bool log_scale, integer;
};

struct search_result {
	unsigned trials;
	bool cut;	    /* the time was over before the trials were */
	double first, best; /* values: of the starting point, of the best */
	double at[SEARCH_PARAMETERS_MAX];
};

struct search_options {
	enum search_method method;
	unsigned trials; /* at most SEARCH_TRIALS_MAX */
	double seconds;	 /* no trial begins after them; 0: no limit */
	unsigned seed;
	const double *start; /* the first point tried */
	/* The value at x[]; an error ends the search. */
	int (*value)(void *arg, const double *x, double *ret_value, struct err *e);
	/* Called after each trial; seconds_left is a guess. May be NULL. */
	void (*progress)(void *arg, const struct search_result *so_far, double seconds_left);
	void *arg;
};

const char *search_method_name(enum search_method m);
int search_method_find(const char *name);

/* n of 1..SEARCH_PARAMETERS_MAX parameters. At least one trial is made. */
int search_run(const struct search_parameter *p, size_t n, const struct search_options *o,
	       struct search_result *ret, struct err *e);

#endif
