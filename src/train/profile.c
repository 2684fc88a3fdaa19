// SPDX-License-Identifier: Apache-2.0
/* How features were spread in training: see profile.h. */
#include "train/profile.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

/* Deciles of the finite values of a column, and what share of them is in each bin. */
static bool profile_of(const double *column, size_t n, double *scratch, struct profile *ret)
{
	size_t have = 0, count[PROFILE_BINS] = {0};

	for (size_t i = 0; i < n; i++) {
		if (isfinite(column[i]))
			scratch[have++] = column[i];
	}
	if (!have)
		return false;
	for (size_t k = 0; k < PROFILE_BINS - 1; k++) {
		ret->edge[k] = quantile_of(scratch, have, (double)(k + 1) / PROFILE_BINS);
		if (k) /* rounding must not make it fall */
			ret->edge[k] = fmax(ret->edge[k], ret->edge[k - 1]);
	}
	for (size_t i = 0; i < have; i++) {
		size_t k = 0;

		while (k < PROFILE_BINS - 1 && scratch[i] > ret->edge[k])
			k++;
		count[k]++;
	}
	for (size_t k = 0; k < PROFILE_BINS; k++)
		ret->share[k] = (double)count[k] / (double)have;
	return true;
}

int set_profiles(struct model_set *s, const struct table *t, struct err *e)
{
	autofree double *scratch = malloc((t->n_rows + 1) * sizeof(*scratch));

	free(s->profiles);
	s->n_profiles = 0;
	s->profiles = calloc(FEATURE_COUNT, sizeof(*s->profiles));
	if (!scratch || !s->profiles)
		return err_nomem(e);
	for (size_t i = 0; i < s->n_inputs; i++) {
		enum feature f = s->inputs[i].feature;
		struct profile *p = &s->profiles[s->n_profiles];

		if (s->inputs[i].op != INPUT_NOW || !t->x[f])
			continue;
		p->feature = (uint16_t)f;
		s->n_profiles += profile_of(t->x[f], t->n_rows, scratch, p);
	}
	return 0;
}
