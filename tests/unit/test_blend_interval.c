// SPDX-License-Identifier: Apache-2.0
/* Intervals of a blend: where they are wide, on which side, and with few groups. */
#include "test.h"

#include "model/estimate.h"
#include "train/few_groups.h"
#include "trained.h"

static struct ends spread_at(const struct model *m, const double *x)
{
	double z, watts = model_watts(m, x, &z);

	return model_spread(m, x, z, watts);
}

/* Above 4 vCPUs the label is ten times as uncertain: the interval must know, and still cover. */
static void intervals_are_wide_where_left_out_rows_were_missed(void **state)
{
	struct table *t = simulated(10, 150, curve);
	const double low[] = {8, 0.25, 2}, high[] = {8, 0.875, 7};
	double quiet[INPUT_MAX], wild[INPUT_MAX];
	const struct model *m;
	struct model_set *s;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++) {
		double noise = t->x[FEATURE_CPU_BUSY_VCPUS][i] > 4 ? 0.4 : 0.04;

		t->y_w[ZONE_PACKAGE][i] *= 1 + noise * (uniform() - 0.5);
	}
	s = trained(t, &plain);
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->blend.spread.n > 0);
	for (size_t j = 0; j < s->n_inputs; j++) {
		int k = s->inputs[j].feature == FEATURE_CPU_UTILIZATION	 ? 1
			: s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? 2
									 : 0;

		quiet[j] = low[k];
		wild[j] = high[k];
	}
	assert_true(spread_at(m, wild).down > 2 * spread_at(m, quiet).down);
	assert_true(spread_at(m, wild).up > 2 * spread_at(m, quiet).up);
	assert_true(m->coverage_90 > 0.85 && m->coverage_90 < 0.96);
	model_set_free(s);
	table_free(t);
}

/* Labels that only ever stand out upwards: the upper end must be farther than the lower one, and
 * both cover. */
static void ends_are_apart_where_misses_are_skewed(void **state)
{
	struct table *t = simulated(20, 80, curve);
	const double at[] = {8, 0.5, 4};
	double x[INPUT_MAX];
	const struct model *m;
	struct model_set *s;
	struct ends ends;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= 1 + (uniform() < 0.2 ? uniform() : 0.02 * uniform());
	s = trained(t, &plain);
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->blend.spread_up != NULL);
	for (size_t j = 0; j < s->n_inputs; j++)
		x[j] = at[s->inputs[j].feature == FEATURE_CPU_UTILIZATION  ? 1
			  : s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? 2
									   : 0];
	ends = spread_at(m, x);
	assert_true(ends.up > 1.4 * ends.down);
	assert_true(m->coverage_90 > 0.85 && m->coverage_90 < 0.96);
	model_set_free(s);
	table_free(t);
}

/* The reference is scipy's stats.t.ppf(0.8, ...) in the formula of few_groups.h. */
static double next_of(const double *quantiles, size_t n)
{
	const uint32_t group[] = {7, 2, 5, 0, 9, 3, 8, 6};
	struct err e = ERR_INIT;
	double factor = NAN;

	assert_int_equal(next_group(quantiles, group, n, &factor, &e), 0);
	return factor;
}

static void the_next_group_lies_farther_the_fewer_are_known(void **state)
{
	const double one[] = {1}, alike[] = {1, 1, 1}, three[] = {0.8, 1.25, 1};
	const double seven[] = {0.5, 1, 1.5, 0.7, 1.1, 0.9, 1.3, 2}, narrow[] = {0.1, 0.1};

	(void)state;
	assert_close(next_of(one, 1), 2.1170, 1e-3);
	assert_close(next_of(three, 3), 1.5230, 1e-3);
	assert_close(next_of(seven, 7), 1.3948, 1e-3);
	assert_true(next_of(alike, 3) < next_of(three, 3));
	assert_true(next_of(alike, 2) > next_of(alike, 3));
	assert_true(next_of(narrow, 2) == 1);
	assert_true(next_of(seven, 8) == 1);
	assert_true(next_of(one, 0) == 1);
}

/* Rows inside of the interval, and its mean half width relative to the watts. */
static double coverage_of(const struct model_set *s, const struct table *t, double *ret_half)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	double inside = 0, half = 0;

	for (size_t i = 0; i < t->n_rows; i++) {
		const struct zone_estimate *z;
		double x[INPUT_MAX];
		struct estimate e;

		for (size_t j = 0; j < s->n_inputs; j++)
			x[j] = t->x[s->inputs[j].feature][i];
		model_set_estimate(s, x, &o, &e);
		z = &e.zone[ZONE_PACKAGE];
		inside +=
			z->low_w <= t->y_w[ZONE_PACKAGE][i] && t->y_w[ZONE_PACKAGE][i] <= z->high_w;
		half += (z->high_w - z->low_w) / 2 / zone_watts(z);
	}
	*ret_half = half / (double)t->n_rows;
	return inside / (double)t->n_rows;
}

/* Runs of up to `high` vCPUs' load, all but every fourth of up to `low`; labels are noisier above.
 */
static struct table *of_two_loads(size_t runs, double low, double high)
{
	struct table *t = simulated(runs, 120, curve);

	for (size_t i = 0; i < t->n_rows; i++) {
		double share = (t->group[i] % 4 ? low : high) / 8;
		double *busy = &t->x[FEATURE_CPU_BUSY_VCPUS][i];

		*busy *= share;
		t->x[FEATURE_CPU_UTILIZATION][i] *= share;
		t->y_w[ZONE_PACKAGE][i] = (10 + 8 * sqrt(*busy)) *
					  (1 + (*busy > low ? 0.3 : 0.04) * (uniform() - 0.5));
	}
	return t;
}

/*
 * Left out together, the runs of high load lie outside the range of the others, and are missed. An
 * interval moves apart out there; what is missed there must not count a second time, in the widths
 * that it moves apart from.
 */
static void misses_outside_the_range_do_not_widen_twice(void **state)
{
	struct table *t = of_two_loads(16, 2, 4), *beyond = of_two_loads(4, 8, 8);
	double half;
	struct model_set *s;

	(void)state;
	s = trained(t, &plain);
	assert_true(coverage_of(s, t, &half) > 0.87);
	assert_true(half < 0.05);
	assert_true(coverage_of(s, beyond, &half) > 0.87);
	assert_true(half < 0.12); /* 0.16 where they count twice */
	model_set_free(s);
	table_free(t);
	table_free(beyond);
}

/* One label in fifty is twice what the load costs; the others are within 5 %. */
static struct table *with_outliers(size_t runs)
{
	struct table *t = simulated(runs, 200, curve);

	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= i % 50 == 7 ? 2 : 1 + 0.1 * (uniform() - 0.5);
	return t;
}

static void a_few_outliers_do_not_set_the_width_where_groups_are_few(void **state)
{
	struct train_options o = plain;
	struct table *others = with_outliers(6);
	double covered = 0;
	size_t sets = 0;

	(void)state;
	o.no_history = true;
	for (size_t runs = 1; runs < 6; runs++) {
		struct table *t = with_outliers(runs);
		struct model_set *s = trained(t, &o);
		double half;

		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
		covered += coverage_of(s, others, &half);
		assert_true(half < 0.25);
		sets++;
		model_set_free(s);
		table_free(t);
	}
	assert_true(covered / (double)sets > 0.88);
	table_free(others);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		seeded_test(intervals_are_wide_where_left_out_rows_were_missed),
		seeded_test(ends_are_apart_where_misses_are_skewed),
		seeded_test(the_next_group_lies_farther_the_fewer_are_known),
		seeded_test(misses_outside_the_range_do_not_widen_twice),
		seeded_test(a_few_outliers_do_not_set_the_width_where_groups_are_few),
	};

	return run_unit(tests);
}
