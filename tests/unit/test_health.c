// SPDX-License-Identifier: Apache-2.0
/* drift: what is raised, when, and what is not. Simulated distances and features. */
#include "test.h"

#include "base/cleanup.h"
#include "features/catalogue.h"
#include "health/drift.h"
#include "health/regime.h"

static double chance(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

static struct drift *drift(const struct model_set *set)
{
	struct drift *d;
	struct err e = ERR_INIT;

	assert_int_equal(drift_new(set, &d, &e), 0);
	return d;
}

/* Samples until a test is raised; 0: never. */
static size_t raised_after(struct drift *d, double distance, size_t most)
{
	for (size_t i = 1; i <= most; i++) {
		drift_sample(d, distance, NULL, 1);
		if (drift_any(drift_state(d)))
			return i;
	}
	return 0;
}

static void another_world_is_raised_within_sixty_samples(void **state)
{
	struct drift *d = drift(NULL);
	size_t after;

	(void)state;
	for (size_t i = 0; i < 3600; i++)
		drift_sample(d, 0.05, NULL, 1);
	after = raised_after(d, 0.8, 1000);
	assert_true(after > 10 && after <= 60);
	assert_int_equal(drift_state(d)->raised, 1);
	drift_free(d);
}

static void a_small_rise_that_lasts_is_found_by_its_mean(void **state)
{
	struct drift *d = drift(NULL);

	(void)state;
	for (size_t i = 0; i < 3600; i++)
		drift_sample(d, 0.02, NULL, 1);
	assert_true(raised_after(d, 0.45, 120) > 0); /* inside, by the threshold of one sample */
	assert_true(drift_state(d)->mean && !drift_state(d)->share);
	drift_free(d);
}

static void a_short_odd_job_is_no_drift(void **state)
{
	struct drift *d = drift(NULL);

	(void)state;
	for (size_t hour = 0; hour < 24; hour++) {
		for (size_t i = 0; i < 3590; i++)
			drift_sample(d, 0.05, NULL, 1);
		for (size_t i = 0; i < 10; i++)
			drift_sample(d, 0.9, NULL, 1);
		assert_false(drift_any(drift_state(d)));
	}
	assert_int_equal(drift_state(d)->raised, 0);
	drift_free(d);
}

/* A day with a quiet night and busy hours, all of it inside: nothing is raised in 24 hours. */
static void the_course_of_a_day_is_no_drift(void **state)
{
	struct drift *d = drift(NULL);
	uint64_t seed = 3;

	(void)state;
	for (size_t i = 0; i < 86400; i++) {
		double day = 0.5 - 0.5 * cos((double)i / 86400 * 2 * 3.14159265358979);
		double distance = 0.1 * day * chance(&seed);

		if (chance(&seed) < 0.04 * day)
			distance = 0.4 + 0.8 * chance(&seed); /* rows at the rim */
		drift_sample(d, distance, NULL, 1);
		assert_false(drift_any(drift_state(d)));
	}
	drift_free(d);
}

static void it_is_cleared_when_inputs_are_those_of_training_again(void **state)
{
	struct drift *d = drift(NULL);

	(void)state;
	assert_true(raised_after(d, 1, 100) > 0);
	for (size_t i = 0; i < 45; i++)
		drift_sample(d, 1, NULL, 1);
	for (size_t i = 0; i < 30; i++)
		drift_sample(d, 0, NULL, 1);
	assert_true(drift_any(drift_state(d))); /* hysteresis: half is outside still */
	for (size_t i = 0; i < 60; i++)
		drift_sample(d, 0, NULL, 1);
	assert_false(drift_any(drift_state(d)));
	assert_int_equal(drift_state(d)->raised, 1);
	drift_free(d);
}

static void another_machine_is_told_at_once_and_survives_a_reset(void **state)
{
	struct drift *d = drift(NULL);

	(void)state;
	drift_machine(d, true);
	assert_true(drift_state(d)->machine && drift_state(d)->raised == 1);
	drift_reset(d);
	assert_true(drift_state(d)->machine);
	drift_machine(d, false);
	assert_false(drift_any(drift_state(d)));
	drift_free(d);
}

/* How many blocks of measurements around `mhz` it takes until the regime changes; at most 10. */
static int blocks_until_changed(struct regime *g, double mhz)
{
	for (int i = 0; i < 10 * REGIME_SAMPLES; i++) {
		/* a third of them pulled down, one in seven not measured */
		double now = i % 7 == 0 ? NAN : i % 3 == 0 ? 0.5 * mhz : mhz * (1 + 0.01 * (i % 5));

		if (regime_sample(g, now))
			return i / REGIME_SAMPLES + 1;
	}
	return 10;
}

static void another_clock_that_stays_is_another_regime(void **state)
{
	struct regime g = {.n = 0};

	(void)state;
	assert_int_equal(blocks_until_changed(&g, 3500), 10);
	assert_close(g.ratio, 1, 0);
	assert_int_equal(blocks_until_changed(&g, 3000), 10); /* a host full of others */
	assert_int_equal(blocks_until_changed(&g, 3900), 10);
	assert_true(blocks_until_changed(&g, 2400) <= 3);
	assert_true(g.ratio > 0.5 && g.ratio < 0.8);
	assert_int_equal(blocks_until_changed(&g, 2400), 10); /* it stays, and is said once */
	assert_true(blocks_until_changed(&g, 3500) <= 3);
	assert_close(g.ratio, 1, 0);
	regime_forget(&g);
	assert_int_equal(blocks_until_changed(&g, 2400), 10);
	assert_close(g.ratio, 1, 0);
}

/* One block is not enough: a minute of a throttled host. */
static void a_short_spell_is_none(void **state)
{
	struct regime g = {.n = 0};

	(void)state;
	for (int spell = 0; spell < 20; spell++) {
		for (int i = 0; i < 3 * REGIME_SAMPLES; i++)
			assert_false(regime_sample(&g, i < 2 * REGIME_SAMPLES ? 3500 : 1500));
	}
	for (int i = 0; i < 1000; i++)
		assert_false(regime_sample(&g, i % 2 ? NAN : -1));
}

/* PSI against a computation by hand: all of an hour in the first of two halves. */
static void psi_is_that_of_its_definition(void **state)
{
	struct input input = {FEATURE_CPU_UTILIZATION, INPUT_NOW, 0};
	struct profile profile = {.feature = FEATURE_CPU_UTILIZATION};
	struct model_set set = {
		.n_inputs = 1, .inputs = &input, .n_profiles = 1, .profiles = &profile};
	struct drift *d;
	double x = 0.05, expected = 0;

	(void)state;
	for (size_t k = 0; k < PROFILE_BINS; k++) {
		if (k < PROFILE_BINS - 1)
			profile.edge[k] = (double)(k + 1) / PROFILE_BINS;
		profile.share[k] = 0.1;
		expected += k ? (0.001 - 0.1) * log(0.001 / 0.1) : (1 - 0.1) * log(1 / 0.1);
	}
	d = drift(&set);
	for (size_t i = 0; i < 1799; i++)
		drift_sample(d, NAN, &x, 1);
	assert_true(isnan(drift_state(d)->psi_max));
	for (size_t i = 0; i < 600; i++)
		drift_sample(d, NAN, &x, 1);
	assert_close(drift_psi(d, 0), expected, 1e-9);
	assert_close(drift_state(d)->psi_max, expected, 1e-9);
	assert_string_equal(drift_state(d)->psi_feature, "cpu_utilization");
	assert_false(drift_any(drift_state(d)));
	drift_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_world_is_raised_within_sixty_samples),
		cmocka_unit_test(a_small_rise_that_lasts_is_found_by_its_mean),
		cmocka_unit_test(a_short_odd_job_is_no_drift),
		cmocka_unit_test(the_course_of_a_day_is_no_drift),
		cmocka_unit_test(it_is_cleared_when_inputs_are_those_of_training_again),
		cmocka_unit_test(another_clock_that_stays_is_another_regime),
		cmocka_unit_test(a_short_spell_is_none),
		cmocka_unit_test(another_machine_is_told_at_once_and_survives_a_reset),
		cmocka_unit_test(psi_is_that_of_its_definition),
	};

	return run_unit(tests);
}
