// SPDX-License-Identifier: Apache-2.0
/* What is far from training, and what must not be: what hardly varied there. */
#include "test.h"

#include "model/estimate.h"
#include "train/reach.h"
#include "trained.h"

#define SOFTIRQ_W 4

/* User time and a trace of softirq, which in one row of eight goes with watts of something else. */
static struct table *hardly_any_softirq(void)
{
	struct table *t = simulated(10, 100, curve);

	t->x[FEATURE_CPU_USER] = calloc(t->n_rows, sizeof(double));
	t->x[FEATURE_CPU_SOFTIRQ] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++) {
		double u = t->x[FEATURE_CPU_UTILIZATION][i];

		t->x[FEATURE_CPU_SOFTIRQ][i] = i % 8 ? 0 : fmin(u, 0.02);
		t->x[FEATURE_CPU_USER][i] = u - t->x[FEATURE_CPU_SOFTIRQ][i];
		t->y_w[ZONE_PACKAGE][i] += i % 8 ? 0 : SOFTIRQ_W;
	}
	return t;
}

/* Seven times the softirq of training: what went with it may come again, not seven times that. */
static void what_hardly_ever_was_is_not_drawn_out_into_watts(void **state)
{
	static const int families[] = {-1, FAMILY_PHYSICS};
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	struct table *t = hardly_any_softirq();
	double x[INPUT_MAX];
	struct estimate e;

	(void)state;
	for (size_t k = 0; k < array_size(families); k++) {
		struct train_options with = plain;
		struct model_set *s;

		with.family = families[k];
		s = trained(t, &with);
		for (size_t j = 0; j < s->n_inputs; j++) {
			enum feature f = s->inputs[j].feature;

			x[j] = f == FEATURE_VCPUS	     ? 8
			       : f == FEATURE_CPU_BUSY_VCPUS ? 6
			       : f == FEATURE_CPU_SOFTIRQ    ? 0.15
			       : f == FEATURE_CPU_USER	     ? 0.6
							     : 0.75;
		}
		model_set_estimate(s, x, &o, &e);
		assert_true(zone_watts(&e.zone[ZONE_PACKAGE]) > 0.9 * curve(6, 6));
		assert_true(zone_watts(&e.zone[ZONE_PACKAGE]) < 1.1 * (curve(6, 6) + SOFTIRQ_W));
		assert_true(e.zone[ZONE_PACKAGE].distance > 1); /* but it is noticed */
		model_set_free(s);
	}
	table_free(t);
}

/* What an input went up to with the load in training, and what a guest has of it later. */
struct hardly_any {
	enum feature feature;
	double least, per_vcpu, trained, little, much;
};

static struct table *hardly_any_of(const struct hardly_any *h)
{
	struct table *t = simulated(10, 100, curve);

	t->x[h->feature] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		t->x[h->feature][i] = h->least + h->per_vcpu * t->x[FEATURE_CPU_BUSY_VCPUS][i];
	return t;
}

/* Half busy, with `amount` of it. */
static struct zone_estimate with_amount(const struct model_set *s, enum feature of, double amount)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX];
	struct estimate e;

	for (size_t j = 0; j < s->n_inputs; j++) {
		enum feature f = s->inputs[j].feature;

		x[j] = f == FEATURE_VCPUS	     ? 8
		       : f == FEATURE_CPU_BUSY_VCPUS ? 4
		       : f == of		     ? amount
						     : 0.5;
		if (f == of)
			assert_true(model_uses(&s->zones[ZONE_PACKAGE].models[0], (uint16_t)j));
	}
	model_set_estimate(s, x, &o, &e);
	return e.zone[ZONE_PACKAGE];
}

/*
 * An agent that is scraped sends a thousand times what the recording had; a busy server, more. By a
 * network, which looks at every input and is far by ranges alone.
 */
static void what_varied_by_next_to_nothing_makes_nothing_far(void **state)
{
	static const struct hardly_any inputs[] = {
		{FEATURE_NET_TX_BYTES_RATE, 0, 20, 80, 20e3, 50e6},
		{FEATURE_CPU_FREQUENCY_MHZ, 1399.5, 0.04, 1399.6, 1420, 4000}};
	struct train_options o = plain;

	(void)state;
	o.family = FAMILY_MLP;
	for (size_t k = 0; k < array_size(inputs); k++) {
		const struct hardly_any *h = &inputs[k];
		struct table *t = hardly_any_of(h);
		struct model_set *s = trained(t, &o);
		struct zone_estimate trained_on = with_amount(s, h->feature, h->trained);
		struct zone_estimate little = with_amount(s, h->feature, h->little);

		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_MLP);
		assert_true(trained_on.distance == 0);
		assert_true(little.distance == 0);
		assert_true(little.confidence > trained_on.confidence / 2);
		assert_true(with_amount(s, h->feature, h->much).distance > 2);
		model_set_free(s);
		table_free(t);
	}
}

static double squared(double u, double before)
{
	(void)before;
	return 1 + u * u;
}

static double levelling_off(double u, double before)
{
	return squared(fmin(u, 4.3), before);
}

static struct physics_reach reach_of(double (*watts)(double now, double before))
{
	struct score_options o = {.experts = {.light = true, .size = 1, .rows_max = 2000},
				  .jobs = 1};
	struct table *t = simulated(10, 100, watts);
	struct physics_reach reach;
	struct err e = ERR_INIT;
	struct design *d;
	struct pool *p;
	size_t rows[1000];

	for (size_t i = 0; i < array_size(rows); i++)
		rows[i] = i;
	assert_int_equal(design_new(t, &d, &e), 0);
	assert_int_equal(pool_new(d, t->y_w[ZONE_PACKAGE], TIER_OS, &p, &e), 0);
	assert_int_equal(reach_choose(p, rows, array_size(rows), &o, &reach, &e), 0);
	pool_free(p);
	design_free(d);
	table_free(t);
	return reach;
}

/* What the upper part of the load says of the lower is taken for what lies above both. */
static void physics_reaches_as_far_as_the_top_of_the_load_allows(void **state)
{
	(void)state;
	assert_true(reach_of(squared).convex == 2);
	assert_true(reach_of(levelling_off).convex < 2);
}

static void whatever_is_counted_has_a_grain(void **state)
{
	(void)state;
	feature_foreach (f) {
		if (feature_info(f)->use == FEATURE_USE_RATE && !(feature_grain(f) > 0))
			fail_msg("%s has none", feature_info(f)->name);
	}
	assert_true(feature_grain(FEATURE_VCPUS) == 0); /* another size is another machine */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		seeded_test(what_hardly_ever_was_is_not_drawn_out_into_watts),
		seeded_test(physics_reaches_as_far_as_the_top_of_the_load_allows),
		seeded_test(whatever_is_counted_has_a_grain),
		seeded_test(what_varied_by_next_to_nothing_makes_nothing_far),
	};

	return run_unit(tests);
}
