// SPDX-License-Identifier: Apache-2.0
/* probation: what a new bundle fails by, row by row; and whole agents that roll back by themselves.
 */
#include "bundles.h"

#include "agent/parts.h"

/* ---- the judge ---- */

static struct identity identity = {.vendor = "GenuineIntel", .family = 6, .model = 85, .n_cpus = 4};

static struct row some_row(void)
{
	struct row r;

	row_clear(&r);
	r.v[FEATURE_VCPUS] = 4;
	r.v[FEATURE_CPU_BUSY_VCPUS] = 2;
	r.v[FEATURE_CPU_UTILIZATION] = 0.5;
	r.v[FEATURE_CONTEXT_SWITCH_RATE] = 100;
	r.dt_s = 3;
	return r;
}

static struct zone_estimate watts(double w)
{
	return (struct zone_estimate){.valid = true,
				      .active_w = w,
				      .low_w = 0.9 * w,
				      .high_w = 1.1 * w,
				      .confidence = 0.8,
				      .provenance = PROVENANCE_TRAINED};
}

static struct estimate good_estimate(void)
{
	struct estimate e = {.tier = TIER_OS};

	e.zone[ZONE_PACKAGE] = watts(10);
	e.zone[ZONE_CORE] = watts(6);
	return e;
}

/* Rows until a verdict, at most 100; -1: it passed, else the reason. `ret_rows` may be NULL. */
static int judge(const struct estimate *raw, struct model_set *before, const double *truth_w,
		 int *ret_rows)
{
	struct model_set *set = some_set();
	struct probation_options o = {
		.identity = &identity, .set = set, .before = before, .step_s = 3, .ticks = 60};
	enum probation_verdict verdict = PROBATION_GOES_ON;
	enum rollback_reason reason = ROLLBACK_COUNT;
	struct probation *p;
	int rows = 0;

	assert_int_equal(probation_new(&o, &p, NULL), 0);
	while (verdict == PROBATION_GOES_ON && rows < 100) {
		struct row row = some_row();

		row.t_s = 3 * rows++;
		verdict = probation_row(p, &row, raw, truth_w, &reason);
	}
	probation_free(p);
	model_set_free(set);
	if (ret_rows)
		*ret_rows = rows;
	assert_true(verdict != PROBATION_GOES_ON);
	return verdict == PROBATION_PASSED ? -1 : (int)reason;
}

static void a_good_bundle_passes(void **state)
{
	struct estimate e = good_estimate();
	int rows;

	(void)state;
	assert_int_equal(judge(&e, NULL, NULL, &rows), -1);
	assert_int_equal(rows, 60);
	assert_int_equal(judge(&e, some_set(), NULL, NULL), -1);
}

static void nan_fails_at_once(void **state)
{
	struct estimate e = good_estimate();
	int rows;

	(void)state;
	e.zone[ZONE_CORE].high_w = INFINITY;
	assert_int_equal(judge(&e, NULL, NULL, &rows), ROLLBACK_NAN);
	assert_int_equal(rows, 1);
	e = good_estimate();
	e.zone[ZONE_PACKAGE].active_w = NAN;
	assert_int_equal(judge(&e, NULL, NULL, NULL), ROLLBACK_NAN);
}

static void watts_out_of_range_fail(void **state)
{
	struct estimate e = good_estimate();
	int rows;

	(void)state;
	e.zone[ZONE_PACKAGE] = watts(5000);
	assert_int_equal(judge(&e, NULL, NULL, &rows), ROLLBACK_RANGE);
	assert_int_equal(rows, PROBATION_VOTES);
	e.zone[ZONE_PACKAGE] = watts(-1);
	assert_int_equal(judge(&e, NULL, NULL, NULL), ROLLBACK_RANGE);
}

static void zones_that_contradict_fail(void **state)
{
	struct estimate e = good_estimate();

	(void)state;
	e.zone[ZONE_PACKAGE] = watts(2);
	e.zone[ZONE_CORE] = watts(30);
	estimate_reconcile(&e);
	assert_close(e.excess_w, 25, 1e-9);
	assert_int_equal(judge(&e, NULL, NULL, NULL), ROLLBACK_ZONES);
	/* What intervals hold is consistent. */
	e = good_estimate();
	e.zone[ZONE_CORE] = watts(10.5);
	estimate_reconcile(&e);
	assert_true(e.excess_w < 1e-9);
	assert_int_equal(judge(&e, NULL, NULL, NULL), -1);
}

static void confidence_is_compared_with_the_version_before(void **state)
{
	struct estimate e = good_estimate();
	int rows;

	(void)state;
	e.zone[ZONE_PACKAGE].confidence = 0.2;
	assert_int_equal(judge(&e, some_set(), NULL, &rows), ROLLBACK_CONFIDENCE);
	assert_int_equal(rows, PROBATION_ROWS_MIN);
	assert_int_equal(judge(&e, NULL, NULL, NULL), -1); /* nothing to compare with */
	/* A zone that was answered and is not any more. */
	e = good_estimate();
	e.zone[ZONE_CORE].valid = false;
	assert_int_equal(judge(&e, some_set(), NULL, NULL), ROLLBACK_CONFIDENCE);
}

static void metered_truth_is_held_against_the_card(void **state)
{
	struct model_set *set = some_set(); /* its card says 0.5 W */
	struct estimate e = good_estimate();
	double truth_w[ZONE_RAPL_COUNT] = {10.8, NAN, NAN, NAN};

	(void)state;
	e.zone[ZONE_PACKAGE].model = &set->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(judge(&e, NULL, truth_w, NULL), -1);
	truth_w[0] = 12;
	assert_int_equal(judge(&e, NULL, truth_w, NULL), ROLLBACK_ERROR);
	model_set_free(set);
}

/* ---- whole agents ---- */

static struct bundles b;
static struct agent agent;
static struct agent_options options;
static char config_path[128];

static void write_config(const char *more)
{
	char text[1024];
	struct err e = ERR_INIT;
	int n = snprintf(text, sizeof(text),
			 "vm_energy_modeling:\n  model_path: %s\n  trusted_keys: %s\n"
			 "  state_directory: %s\n  log_level: error\n  probation_ticks: 30\n%s",
			 b.store, b.keys, b.dir, more);

	assert_int_equal(file_replace(config_path, 0600, text, (size_t)n, &e), 0);
}

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	bundles_setup(&b);
	snprintf(config_path, sizeof(config_path), "%s/config.yaml", b.dir);
	options = (struct agent_options){.flags.config = config_path};
	assert_int_equal(mkdir(b.store, 0700), 0);
	write_config("");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	agent_release(&agent);
	bundles_teardown(&b);
	return 0;
}

/* As agent_run, without its loop. */
static void start(void)
{
	struct err e = ERR_INIT;

	assert_int_equal(agent_init(&agent, &options, &e), 0);
	assert_int_equal(agent_start_sampling(&agent, &e), 0);
	agent.watches = true;
	agent_begin_probation(&agent, NULL);
}

/* As agent_tick, on rows of our own: a second each. */
static void tick(int n)
{
	static double t_s = 1e6;

	while (n--) {
		struct row row = some_row();

		row.t_s = t_s++;
		row.dt_s = 1;
		meter_row(agent.meter, &row, 1);
		agent_watch_probation(&agent, NULL);
		agent_fill_bundle(&agent);
	}
}

/* A bundle of that sequence, bent by `bend`, into the store. */
static void install(int64_t sequence, void (*bend)(struct model_set *s))
{
	struct model_set *s = full_set();
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	s->sequence = sequence;
	snprintf(s->version, sizeof(s->version), "%d.0.0", (int)sequence);
	s->interval_s = s->window_s = 1;
	s->zones[ZONE_CORE].models[0].gain = 0.2; /* below its package */
	bend(s);
	snprintf(path, sizeof(path), "%s/b.vmw", b.dir);
	bundles_write(&b, s, path);
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), 0);
}

static void keep_straight(struct model_set *s)
{
	(void)s;
}

/* Fits whatever this machine is, so that no interval is wide enough to end at 0. */
static void fit_any_size(struct model_set *s)
{
	s->trained_on.vcpus_min = s->trained_on.vcpus_max = 0;
}

static void bend_range(struct model_set *s)
{
	for (size_t i = 0; i < s->zones[ZONE_PACKAGE].n; i++) {
		s->zones[ZONE_PACKAGE].models[i].offset_w = 1e5;
		s->zones[ZONE_PACKAGE].models[i].max_w = 1e6;
	}
}

static void bend_zones(struct model_set *s)
{
	s->zones[ZONE_CORE].models[0].offset_w = 50;
	for (size_t i = 0; i < s->zones[ZONE_PACKAGE].n; i++)
		s->zones[ZONE_PACKAGE].models[i].max_w = 1;
}

static void bend_confidence(struct model_set *s)
{
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			struct interval *v = &s->zones[z].models[i].interval;

			v->quantile[0] = v->quantile[1] = 50;
		}
	}
}

static int64_t serving(void)
{
	const struct model_set *s = meter_snapshot(agent.meter)->set;

	return s ? s->sequence : 0;
}

static uint64_t rollbacks(void)
{
	uint64_t n = 0;

	for (int r = 0; r < ROLLBACK_COUNT; r++)
		n += meter_snapshot(agent.meter)->bundle.rollbacks[r];
	return n;
}

static void take(bool expect_change)
{
	struct err e = ERR_INIT;
	bool changed;

	assert_int_equal(agent_reload_bundle(&agent, &changed, &e), 0);
	assert_int_equal(changed, expect_change);
}

static void a_bundle_passes_its_probation_and_is_proven(void **state)
{
	const struct store_place place = {.model_path = b.store};

	(void)state;
	install(1, keep_straight);
	start();
	assert_non_null(agent.probation);
	tick(40);
	assert_null(agent.probation);
	assert_int_equal(serving(), 1);
	assert_int_equal(store_state(&place, meter_snapshot(agent.meter)->set), BUNDLE_PROVEN);
	assert_int_equal(rollbacks(), 0);
}

static double width_w(void)
{
	const struct zone_snapshot *z = &meter_snapshot(agent.meter)->zone[ZONE_PACKAGE];

	return z->high_w - z->low_w;
}

/* So many rows of that clock, `step_s` apart. */
static void see_clock(double mhz, int rows, double step_s)
{
	static int64_t mono_ns = 1;

	for (int i = 0; i < rows; i++) {
		agent_watch_clock(&agent, mhz, 4, mono_ns);
		mono_ns += (int64_t)(step_s * 1e9);
	}
}

/* The core clock says another host: intervals widen, drift is told, nothing rolls back, all of it
 * is undone. */
static void another_clock_widens_the_interval(void **state)
{
	double before, confidence, mismatch;

	(void)state;
	install(1, fit_any_size);
	start();
	see_clock(3000, 3 * REGIME_SAMPLES, 1);
	tick(10); /* more than one collection interval: gauges are means */
	before = width_w();
	confidence = meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].confidence;
	mismatch = meter_snapshot(agent.meter)->mismatch;
	agent.machine_due_ns = 1;
	see_clock(2000, 100, 0.1); /* one measurement of ten seconds, ten times a second */
	assert_int_equal(agent.machine_due_ns, 1);
	see_clock(3000, 2 * REGIME_SAMPLES, 1);
	see_clock(2000, 3 * REGIME_SAMPLES, 1);
	assert_int_equal(agent.machine_due_ns, 0); /* it is looked at once */
	tick(10);
	assert_close(width_w(), 1.5 * before, 1e-6);
	assert_true(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].confidence < confidence);
	assert_true(meter_snapshot(agent.meter)->drift.machine);
	assert_close(meter_snapshot(agent.meter)->mismatch, mismatch + 0.5, 1e-9);
	tick(40);
	assert_int_equal(rollbacks(), 0);
	see_clock(3000, 3 * REGIME_SAMPLES, 1);
	tick(10);
	assert_close(width_w(), before, 1e-6);
	assert_close(meter_snapshot(agent.meter)->mismatch, mismatch, 1e-9);
}

static void staged_failures_roll_back_once_each(void **state)
{
	static const struct {
		void (*bend)(struct model_set *s);
		enum rollback_reason reason;
	} stages[] = {{bend_range, ROLLBACK_RANGE},
		      {bend_zones, ROLLBACK_ZONES},
		      {bend_confidence, ROLLBACK_CONFIDENCE}};
	double before_j = 0;

	(void)state;
	install(1, keep_straight);
	start();
	tick(40);
	for (int i = 0; i < 3; i++) {
		install(2 + i, stages[i].bend);
		take(true);
		assert_int_equal(serving(), 2 + i);
		assert_true(meter_snapshot(agent.meter)->bundle.on_probation);
		tick(35);
		assert_int_equal(serving(), 1);
		assert_false(meter_snapshot(agent.meter)->bundle.on_probation);
		assert_int_equal(meter_snapshot(agent.meter)->bundle.rollbacks[stages[i].reason],
				 1);
		assert_int_equal(rollbacks(), i + 1);
		/* Not by itself again: neither by the store's change nor with time. */
		take(false);
		tick(40);
		assert_int_equal(serving(), 1);
		assert_int_equal(rollbacks(), i + 1);
		assert_true(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].active_j >= before_j);
		before_j = meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].active_j;
	}
}

static void fit_a_large_machine(struct model_set *s)
{
	s->trained_on.vcpus_min = s->trained_on.vcpus_max = 64;
}

/* The size of the machine is no metric: a list without vcpus hides it from nobody. */
static void a_whitelist_changes_no_verdict(void **state)
{
	(void)state;
	write_config("  feature_config: {metrics_whitelist: [cpu_utilization]}\n");
	install(1, fit_a_large_machine);
	start();
	tick(40);
	install(2, fit_a_large_machine);
	take(true);
	tick(35);
	assert_int_equal(serving(), 2); /* it is as far from its machine as the one before */
	assert_int_equal(rollbacks(), 0);
	install(3, bend_range);
	take(true);
	tick(35);
	assert_int_equal(serving(), 2);
	assert_int_equal(meter_snapshot(agent.meter)->bundle.rollbacks[ROLLBACK_RANGE], 1);
}

/* A floor that was raised meanwhile holds for a rollback too. */
static void nothing_below_the_floor_is_gone_back_to(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	install(1, keep_straight);
	start();
	tick(40);
	install(3, bend_range);
	write_config("  minimum_sequence: 2\n");
	assert_int_equal(agent_reload(&agent, &e), 0);
	assert_int_equal(serving(), 3);
	tick(35);
	assert_int_equal(serving(), 0);
	assert_int_equal(meter_snapshot(agent.meter)->bundle.rollbacks[ROLLBACK_RANGE], 1);
}

static void without_a_version_before_the_prior_serves(void **state)
{
	(void)state;
	install(1, bend_range);
	start();
	assert_int_equal(serving(), 1);
	tick(10);
	assert_int_equal(serving(), 0);
	assert_int_equal(rollbacks(), 1);
	agent_release(&agent);
	/* A new start remembers. */
	start();
	assert_int_equal(serving(), 0);
	tick(10);
	assert_int_equal(rollbacks(), 0);
}

static void the_version_before_may_itself_be_on_probation(void **state)
{
	(void)state;
	install(1, keep_straight);
	start();
	tick(40);
	install(2, bend_confidence);
	take(true);
	tick(5);
	install(3, bend_range);
	take(true);
	tick(5);
	assert_int_equal(serving(), 2);
	assert_true(meter_snapshot(agent.meter)->bundle.on_probation);
	take(false); /* the store agrees */
	tick(35);
	assert_int_equal(serving(), 1);
	assert_int_equal(rollbacks(), 2);
	take(false);
}

static void a_restart_on_probation_still_knows_the_version_before(void **state)
{
	(void)state;
	install(1, keep_straight);
	start();
	tick(40);
	agent_release(&agent);
	install(2, bend_confidence);
	start();
	assert_int_equal(serving(), 2);
	tick(35);
	assert_int_equal(serving(), 1);
	assert_int_equal(rollbacks(), 1);
}

static void a_bad_bundle_leaves_the_old_one_serving(void **state)
{
	char path[PATH_MAX];
	struct err e = ERR_INIT;
	bool changed;

	(void)state;
	install(1, keep_straight);
	start();
	tick(2);
	snprintf(path, sizeof(path), "%s/test-1.0.0.vmw", b.store);
	assert_int_equal(file_replace(path, 0600, "junk", 4, &e), 0);
	assert_true(agent_reload_bundle(&agent, &changed, &e) < 0);
	assert_int_equal(serving(), 1);
	assert_true(meter_snapshot(agent.meter)->bundle.last_reload_failed);
	assert_int_equal(meter_snapshot(agent.meter)->bundle.reload_failures, 1);
	assert_int_equal(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].valid, true);
	tick(2);
	assert_int_equal(serving(), 1);
}

static void a_store_that_is_mended_is_no_failure_any_more(void **state)
{
	char path[PATH_MAX], *good;
	struct err e = ERR_INIT;
	bool changed;
	size_t n;

	(void)state;
	install(1, keep_straight);
	start();
	tick(2);
	snprintf(path, sizeof(path), "%s/test-1.0.0.vmw", b.store);
	assert_int_equal(file_read(path, SIZE_MAX, false, &good, &n, &e), 0);
	assert_int_equal(file_replace(path, 0600, "junk", 4, &e), 0);
	assert_true(agent_reload_bundle(&agent, &changed, &e) < 0);
	assert_int_equal(file_replace(path, 0600, good, n, &e), 0);
	free(good);
	assert_int_equal(agent_reload_bundle(&agent, &changed, &e), 0);
	assert_false(changed); /* what serves is what is there */
	assert_false(meter_snapshot(agent.meter)->bundle.last_reload_failed);
	assert_int_equal(meter_snapshot(agent.meter)->bundle.reload_failures, 1);
	assert_int_equal(meter_snapshot(agent.meter)->bundle.reloads, 0);
}

static enum fallback fallback_now(void)
{
	return meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].fallback;
}

static void methods_switch_at_run_time(void **state)
{
	struct err e = ERR_INIT;
	double joules;

	(void)state;
	install(1, keep_straight);
	write_config("  validation: {confidence_threshold: 0, fallback_method: estimation}\n");
	start();
	tick(5);
	assert_int_equal(fallback_now(), FALLBACK_NONE);
	joules = meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].active_j;
	write_config("  validation: {confidence_threshold: 1, fallback_method: disable}\n");
	assert_int_equal(agent_reload(&agent, &e), 0);
	tick(5);
	assert_false(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].valid);
	write_config("  validation: {confidence_threshold: 1, fallback_method: estimation}\n");
	assert_int_equal(agent_reload(&agent, &e), 0);
	tick(5);
	assert_true(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].valid);
	assert_int_equal(fallback_now(), FALLBACK_LOW_CONFIDENCE);
	write_config("  validation: {confidence_threshold: 0, fallback_method: disable}\n");
	assert_int_equal(agent_reload(&agent, &e), 0);
	tick(5);
	assert_int_equal(fallback_now(), FALLBACK_NONE);
	assert_true(meter_snapshot(agent.meter)->zone[ZONE_PACKAGE].active_j >= joules);
}

int main(void)
{
#define with_agent(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_bundle_passes),
		cmocka_unit_test(nan_fails_at_once),
		cmocka_unit_test(watts_out_of_range_fail),
		cmocka_unit_test(zones_that_contradict_fail),
		cmocka_unit_test(confidence_is_compared_with_the_version_before),
		cmocka_unit_test(metered_truth_is_held_against_the_card),
		with_agent(a_bundle_passes_its_probation_and_is_proven),
		with_agent(another_clock_widens_the_interval),
		with_agent(staged_failures_roll_back_once_each),
		with_agent(a_whitelist_changes_no_verdict),
		with_agent(nothing_below_the_floor_is_gone_back_to),
		with_agent(without_a_version_before_the_prior_serves),
		with_agent(the_version_before_may_itself_be_on_probation),
		with_agent(a_restart_on_probation_still_knows_the_version_before),
		with_agent(a_bad_bundle_leaves_the_old_one_serving),
		with_agent(a_store_that_is_mended_is_no_failure_any_more),
		with_agent(methods_switch_at_run_time),
	};

	return run_unit(tests);
}
