// SPDX-License-Identifier: Apache-2.0
/* The meter: a bundle and the prior under it, confidence, whitelist, idle, joules, reloads. */
#include "test.h"

#include <time.h>

#include "agent/meter.h"
#include "agent/state.h"
#include "sets.h"

static struct config config;
static struct identity identity = {.vendor = "GenuineIntel", .family = 6, .model = 85};
static struct state joules;

static struct meter *meter_with(bool bundle)
{
	struct meter_options o = {
		.config = &config, .identity = &identity, .state = &joules, .step_s = 1};
	struct meter *m;

	state_init(&joules);
	if (bundle)
		o.set = some_set();
	assert_int_equal(meter_new(&o, &m, NULL), 0);
	meter_refit(m, 4);
	return m;
}

static int defaults(void **state)
{
	(void)state;
	config_defaults(&config);
	return 0;
}

static struct row row_at(double t_s, double busy)
{
	struct row r;

	row_clear(&r);
	r.t_s = t_s;
	r.dt_s = 1;
	r.v[FEATURE_VCPUS] = 4;
	r.v[FEATURE_CPU_BUSY_VCPUS] = busy;
	r.v[FEATURE_CPU_UTILIZATION] = busy / 4;
	r.v[FEATURE_CONTEXT_SWITCH_RATE] = 100;
	return r;
}

static void joules_are_the_integral_of_watts(void **state)
{
	struct meter *m = meter_with(false);
	double integral_j = 0, before_j = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct row r = row_at(i, 2 + 2 * sin(i / 7.0));
		double seconds = 0.5 + (i % 5) / 4.0;
		const struct zone_snapshot *z = &meter_snapshot(m)->zone[ZONE_PACKAGE];

		meter_row(m, &r, seconds);
		integral_j += zone_watts(&meter_estimate(m)->zone[ZONE_PACKAGE]) * seconds;
		assert_true(z->valid && z->active_j >= before_j);
		before_j = z->active_j;
	}
	assert_close(before_j, integral_j, 1e-12);
	assert_true(before_j > 0);
	meter_free(m);
}

static void disabled_publishes_nothing_and_joules_stand(void **state)
{
	struct row r = row_at(1, 4);
	struct meter *m;

	(void)state;
	config.enabled = false;
	m = meter_with(false);
	joules.zones[ZONE_PACKAGE].active_j = 7;
	meter_row(m, &r, 1);
	assert_false(meter_snapshot(m)->zone[ZONE_PACKAGE].valid);
	assert_true(meter_snapshot(m)->zone[ZONE_PACKAGE].active_j == 7);
	meter_free(m);
}

/* The meter that a reload with this configuration makes. */
static struct meter *reloaded(struct meter *from)
{
	struct meter_options o = {
		.config = &config, .identity = &identity, .state = &joules, .step_s = 1};
	struct meter *m;

	if (meter_snapshot(from)->set)
		o.set = some_set();
	assert_int_equal(meter_new(&o, &m, NULL), 0);
	meter_refit(m, 4);
	meter_inherit(m, from);
	meter_free(from);
	return m;
}

static double package_w(struct meter *m, double t_s, double busy)
{
	struct row r = row_at(t_s, busy);

	meter_row(m, &r, 1);
	return meter_snapshot(m)->zone[ZONE_PACKAGE].active_w;
}

/* Whatever was drawn before an hour of none is no part of a mean over the last seconds. */
static void gauges_begin_anew_after_a_time_without(void **state)
{
	struct meter *m = meter_with(false);
	struct row unknown = row_at(50, NAN);
	double low_w = package_w(m, 0, 0.1);

	(void)state;
	meter_free(m);
	m = meter_with(false);
	for (int i = 0; i < 10; i++)
		package_w(m, i, 4);
	config.enabled = false;
	m = reloaded(m);
	package_w(m, 3600, 0.1);
	config.enabled = true;
	m = reloaded(m);
	assert_close(meter_snapshot(m)->zone[ZONE_PACKAGE].active_w, low_w, 1e-9);
	assert_close(package_w(m, 3601, 0.1), low_w, 1e-9);
	package_w(m, 3602, 4);
	meter_row(m, &unknown, 1);
	assert_false(meter_snapshot(m)->zone[ZONE_PACKAGE].valid);
	assert_close(package_w(m, 7200, 0.1), low_w, 1e-9);
	meter_free(m);
}

static void low_confidence_falls_back_to_physics_then_prior(void **state)
{
	struct meter *m;
	const struct zone_estimate *z;

	(void)state;
	config.confidence_threshold = 1; /* nothing is that sure */
	m = meter_with(true);
	for (int i = 0; i < 3; i++) {
		struct row r = row_at(i, 2);

		z = &meter_estimate(m)->zone[ZONE_PACKAGE];
		meter_row(m, &r, 1);
		assert_int_equal(z->fallback, i < 2 ? FALLBACK_NONE : FALLBACK_LOW_CONFIDENCE);
		assert_true(z->valid);
	}
	z = &meter_estimate(m)->zone[ZONE_PACKAGE];
	assert_true(z->provenance == PROVENANCE_PRIOR || z->model->family == FAMILY_PHYSICS);
	meter_free(m);
}

static void disable_leaves_the_series_out(void **state)
{
	struct meter *m;

	(void)state;
	config.confidence_threshold = 1;
	config.fallback_method = FALLBACK_METHOD_DISABLE;
	m = meter_with(true);
	for (int i = 0; i < 4; i++) {
		struct row r = row_at(i, 2);

		meter_row(m, &r, 1);
	}
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_snapshot *zone = &meter_snapshot(m)->zone[z];

		assert_false(zone->valid);
		assert_true(zone->left_out);
		assert_true(zone->confidence > 0 && zone->confidence < 1);
		assert_int_equal(zone->fallback, FALLBACK_LOW_CONFIDENCE);
	}
	assert_true(joules.zones[ZONE_PACKAGE].active_j > 0); /* of the first two rows */
	meter_free(m);
}

/* A reload is no news of a zone: what was left out stays so, and nothing of it is counted. */
static void what_is_left_out_stays_so_over_a_reload(void **state)
{
	struct meter *m;
	double left_out_j;

	(void)state;
	config.confidence_threshold = 1;
	config.fallback_method = FALLBACK_METHOD_DISABLE;
	m = meter_with(false);
	for (int i = 0; i < 4; i++)
		package_w(m, i, 2);
	assert_true(meter_snapshot(m)->zone[ZONE_PACKAGE].left_out);
	left_out_j = joules.zones[ZONE_PACKAGE].active_j;
	m = reloaded(m);
	package_w(m, 5, 2);
	assert_true(meter_snapshot(m)->zone[ZONE_PACKAGE].left_out);
	assert_true(joules.zones[ZONE_PACKAGE].active_j == left_out_j);
	meter_free(m);
}

/* Rows whose load rises; before the fifth one the meter is made anew. */
static double watts_over_a_reload(bool reload, bool other_view)
{
	struct meter *m = meter_with(true), *next;
	double active_w;

	for (int k = 0; k < 5; k++) {
		struct row r = row_at(k, k < 3 ? 0.5 : 3);

		if (k == 4 && reload) {
			config.has_whitelist = other_view;
			for (int f = 0; f < FEATURE_COUNT; f++)
				config.whitelist[f] = true;
			next = meter_with(true);
			meter_inherit(next, m);
			assert_true(other_view ||
				    meter_estimate(next)->zone[ZONE_PACKAGE].active_w ==
					    meter_estimate(m)->zone[ZONE_PACKAGE].active_w);
			meter_free(m);
			m = next;
		}
		meter_row(m, &r, 1);
	}
	active_w = meter_estimate(m)->zone[ZONE_PACKAGE].active_w;
	meter_free(m);
	config.has_whitelist = false;
	return active_w;
}

static void history_goes_on_over_a_reload(void **state)
{
	double without = watts_over_a_reload(false, false);

	(void)state;
	assert_true(watts_over_a_reload(true, false) == without);
	/* other features reach the model from here on: its past is none of theirs */
	assert_true(watts_over_a_reload(true, true) != without);
}

static void drift_goes_on_over_a_reload(void **state)
{
	struct meter *m;
	uint64_t raised;

	(void)state;
	config.confidence_threshold = 0;
	m = meter_with(true);
	for (int i = 0; i < 100; i++)
		package_w(m, i, 400); /* far from what it was trained on */
	raised = meter_snapshot(m)->drift.raised;
	assert_true(meter_snapshot(m)->drift.share && raised > 0);
	m = reloaded(m);
	assert_true(meter_snapshot(m)->drift.share);
	package_w(m, 101, 400);
	assert_true(meter_snapshot(m)->drift.share);
	assert_int_equal(meter_snapshot(m)->drift.raised, raised);
	meter_free(m);
}

static void the_whitelist_hides_features_from_models(void **state)
{
	struct row r = row_at(1, 2);
	struct meter *m;

	(void)state;
	config.has_whitelist = true;
	memset(config.whitelist, 0, sizeof(config.whitelist));
	config.whitelist[FEATURE_CPU_UTILIZATION] = true;
	m = meter_with(true);
	meter_row(m, &r, 1);
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct model *model = meter_estimate(m)->zone[z].model;

		for (size_t i = 0; model && i < model->n_used; i++)
			assert_int_equal(
				meter_snapshot(m)->set->inputs[model->used[i].input].feature,
				FEATURE_CPU_UTILIZATION);
	}
	assert_true(meter_estimate(m)->zone[ZONE_PACKAGE].valid);
	/* The machine's size is no metric; a load in vCPUs is, and does not follow from it. */
	assert_true(meter_input(m)->v[FEATURE_VCPUS] == 4);
	assert_true(isnan(meter_input(m)->v[FEATURE_CPU_BUSY_VCPUS]));
	meter_free(m);
}

static void the_scope_is_the_bundles(void **state)
{
	struct meter_options o = {
		.config = &config, .identity = &identity, .state = &joules, .step_s = 1};
	struct meter *m = meter_with(false);

	(void)state;
	assert_int_equal(meter_snapshot(m)->scope, SCOPE_VM_ACTIVE);
	meter_free(m);
	o.set = some_set();
	o.set->scope = SCOPE_NODE_TOTAL;
	assert_int_equal(meter_new(&o, &m, NULL), 0);
	assert_int_equal(meter_snapshot(m)->scope, SCOPE_NODE_TOTAL);
	meter_free(m);
}

static void stolen_time_counts_as_usage(void **state)
{
	struct meter *m = meter_with(false);
	struct row r = row_at(1, 2);

	(void)state;
	r.v[FEATURE_CPU_STEAL_TIME] = 0.3;
	meter_row(m, &r, 1);
	assert_close(meter_snapshot(m)->usage_ratio, 0.8, 1e-12);
	r.v[FEATURE_CPU_STEAL_TIME] = NAN;
	meter_row(m, &r, 1);
	assert_close(meter_snapshot(m)->usage_ratio, 0.5, 1e-12);
	meter_free(m);
}

static void idle_is_shared_only_when_asked(void **state)
{
	struct row r = row_at(1, 2);
	struct meter *m = meter_with(true);

	(void)state;
	meter_row(m, &r, 1);
	assert_true(meter_estimate(m)->zone[ZONE_PACKAGE].idle_w == 0);
	meter_free(m);
	config.idle = IDLE_SHARE;
	m = meter_with(true);
	meter_row(m, &r, 1);
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_estimate *zone = &meter_estimate(m)->zone[z];

		assert_true(zone->low_w <= zone_watts(zone) && zone_watts(zone) <= zone->high_w);
	}
	assert_true(meter_estimate(m)->zone[ZONE_PACKAGE].idle_w > 0);
	meter_free(m);
}

/* The wall clock of all that is tested here; 0: the kernel's. */
static time_t fake_s;

time_t time(time_t *ret)
{
	struct timespec now = {.tv_sec = fake_s};

	if (!fake_s)
		clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

static void a_bundle_expires_by_a_clock_that_is_right(void **state)
{
	struct meter_options o = {
		.config = &config, .identity = &identity, .state = &joules, .step_s = 1};
	struct meter *m;

	(void)state;
	o.set = some_set();
	o.set->expires_s = 1000;
	fake_s = 2000; /* it boots with a wrong clock, which is then set */
	assert_int_equal(meter_new(&o, &m, NULL), 0);
	meter_refit(m, 4);
	assert_true(meter_snapshot(m)->bundle_expired);
	package_w(m, 2000, 2);
	assert_true(meter_snapshot(m)->bundle_expired);
	fake_s = 900;
	package_w(m, 900, 2);
	assert_false(meter_snapshot(m)->bundle_expired);
	package_w(m, 5000, 2); /* a recording of another time */
	assert_false(meter_snapshot(m)->bundle_expired);
	fake_s = 1000;
	package_w(m, 1000, 2);
	assert_true(meter_snapshot(m)->bundle_expired);
	fake_s = 0;
	meter_free(m);
}

static void the_priors_name_goes_with_the_machine(void **state)
{
	const struct identity before = identity;
	struct meter *m = meter_with(false);
	char name[64];

	(void)state;
	snprintf(name, sizeof(name), "%s", meter_snapshot(m)->model_version);
	identity = (struct identity){.vendor = "AuthenticAMD", .family = 25, .model = 17};
	meter_refit(m, 4);
	identity = before;
	assert_string_not_equal(meter_snapshot(m)->model_version, name);
	assert_memory_equal(meter_snapshot(m)->model_version, "prior-amd", 9);
	meter_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(joules_are_the_integral_of_watts, defaults),
		cmocka_unit_test_setup(disabled_publishes_nothing_and_joules_stand, defaults),
		cmocka_unit_test_setup(gauges_begin_anew_after_a_time_without, defaults),
		cmocka_unit_test_setup(low_confidence_falls_back_to_physics_then_prior, defaults),
		cmocka_unit_test_setup(disable_leaves_the_series_out, defaults),
		cmocka_unit_test_setup(what_is_left_out_stays_so_over_a_reload, defaults),
		cmocka_unit_test_setup(history_goes_on_over_a_reload, defaults),
		cmocka_unit_test_setup(drift_goes_on_over_a_reload, defaults),
		cmocka_unit_test_setup(the_whitelist_hides_features_from_models, defaults),
		cmocka_unit_test_setup(the_scope_is_the_bundles, defaults),
		cmocka_unit_test_setup(stolen_time_counts_as_usage, defaults),
		cmocka_unit_test_setup(idle_is_shared_only_when_asked, defaults),
		cmocka_unit_test_setup(a_bundle_expires_by_a_clock_that_is_right, defaults),
		cmocka_unit_test_setup(the_priors_name_goes_with_the_machine, defaults),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, NULL, NULL);
}
