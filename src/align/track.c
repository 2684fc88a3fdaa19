// SPDX-License-Identifier: Apache-2.0
/* Piecewise constant functions of time: see track.h. */
#include "align/track.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define COVERED 0.999

static int grow(struct track *t)
{
	size_t cap = t->cap * 2 + 256;
	struct track_piece *pieces = realloc(t->pieces, cap * sizeof(*pieces));
	double *integral, *covered_s;

	if (!pieces)
		return -ENOMEM;
	t->pieces = pieces;
	integral = realloc(t->integral, cap * sizeof(*integral));
	if (!integral)
		return -ENOMEM;
	t->integral = integral;
	covered_s = realloc(t->covered_s, cap * sizeof(*covered_s));
	if (!covered_s)
		return -ENOMEM;
	t->covered_s = covered_s;
	t->cap = cap;
	return 0;
}

int track_add(struct track *t, double begin_s, double end_s, double value)
{
	const struct track_piece *last = t->n ? &t->pieces[t->n - 1] : NULL;

	if (!(end_s > begin_s) || !isfinite(value) || (last && begin_s < last->end_s))
		return 0;
	if (t->n == t->cap && grow(t) < 0)
		return -ENOMEM;
	t->integral[t->n] = t->covered_s[t->n] = 0;
	if (t->n) {
		double length_s = t->pieces[t->n - 1].end_s - t->pieces[t->n - 1].begin_s;

		t->integral[t->n] = t->integral[t->n - 1] + length_s * t->pieces[t->n - 1].value;
		t->covered_s[t->n] = t->covered_s[t->n - 1] + length_s;
	}
	t->pieces[t->n++] = (struct track_piece){begin_s, end_s, value};
	return 0;
}

void track_release(struct track *t)
{
	free(t->pieces);
	free(t->integral);
	free(t->covered_s);
	*t = (struct track){0};
}

/* Integral and covered length from the start of the track up to t_s. */
static void up_to(const struct track *t, double t_s, size_t *hint, double *ret_integral,
		  double *ret_covered_s)
{
	const struct track_piece *piece;
	size_t i = *hint < t->n ? *hint : 0;
	double length_s;

	while (i && t->pieces[i].begin_s > t_s)
		i--;
	while (i + 1 < t->n && t->pieces[i + 1].begin_s <= t_s)
		i++;
	*hint = i;
	piece = &t->pieces[i];
	length_s = fmax(0, fmin(t_s, piece->end_s) - piece->begin_s);
	*ret_integral = t->integral[i] + length_s * piece->value;
	*ret_covered_s = t->covered_s[i] + length_s;
}

double track_mean(const struct track *t, double begin_s, double end_s, size_t *hint)
{
	double from, to, from_s, to_s;

	if (!t->n || !(end_s > begin_s))
		return NAN;
	up_to(t, begin_s, hint, &from, &from_s);
	up_to(t, end_s, hint, &to, &to_s);
	if (to_s - from_s < COVERED * (end_s - begin_s))
		return NAN;
	return (to - from) / (to_s - from_s);
}
