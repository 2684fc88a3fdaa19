// SPDX-License-Identifier: Apache-2.0
/* The PROFILE section: how features were spread in training. See docs/formats/bundle.md. */
#include <math.h>

#include "bundle/format.h"
#include "features/catalogue.h"

#define SHARES_OFF 1e-6 /* of a sum that should be 1 */

void format_write_profiles(struct byte_writer *w, const struct model_set *s)
{
	put_u16(w, (uint16_t)s->n_profiles);
	for (size_t i = 0; i < s->n_profiles; i++) {
		const struct profile *p = &s->profiles[i];

		put_text(w, feature_info((enum feature)p->feature)->name);
		for (size_t k = 0; k < PROFILE_BINS - 1; k++)
			put_f64(w, p->edge[k]);
		for (size_t k = 0; k < PROFILE_BINS; k++)
			put_f64(w, p->share[k]);
	}
}

static bool profile_ok(const struct profile *p)
{
	double sum = 0;

	for (size_t k = 0; k < PROFILE_BINS - 1; k++) {
		if (!isfinite(p->edge[k]) || (k && p->edge[k] < p->edge[k - 1]))
			return false;
	}
	for (size_t k = 0; k < PROFILE_BINS; k++) {
		if (!(p->share[k] >= 0 && p->share[k] <= 1))
			return false;
		sum += p->share[k];
	}
	return fabs(sum - 1) < SHARES_OFF;
}

static void read_profile(struct byte_reader *r, struct profile *p)
{
	char name[64];
	int feature;

	get_text(r, name, sizeof(name));
	feature = feature_find(name);
	p->feature = (uint16_t)(feature < 0 ? 0 : feature);
	for (size_t k = 0; k < PROFILE_BINS - 1; k++)
		p->edge[k] = get_f64(r);
	for (size_t k = 0; k < PROFILE_BINS; k++)
		p->share[k] = get_f64(r);
	r->failed |= feature < 0 || !profile_ok(p);
}

void format_read_profiles(struct byte_reader *r, struct model_set *s)
{
	size_t n = get_u16(r);

	if (s->profiles || n > FEATURE_COUNT) {
		r->failed = true;
		return;
	}
	s->profiles = format_array(r, n, PROFILE_BINS * sizeof(double), sizeof(*s->profiles));
	for (; s->profiles && s->n_profiles < n && !r->failed; s->n_profiles++)
		read_profile(r, &s->profiles[s->n_profiles]);
}
