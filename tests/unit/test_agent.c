// SPDX-License-Identifier: Apache-2.0
/* agent: accounts, the file of joules, the confidence policy, the meter. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/account.h"
#include "agent/meter.h"
#include "agent/policy.h"
#include "model/fit.h"
#include "agent/state.h"
#include "sets.h"

/* ---- accounts ---- */

static struct zone_estimate watts(double active_w, double idle_w)
{
	return (struct zone_estimate){.valid = true,
				      .active_w = active_w,
				      .idle_w = idle_w,
				      .low_w = active_w / 2,
				      .high_w = 2 * active_w};
}

static double active_mean(const struct account *a)
{
	double active_w = NAN, idle_w, low_w, high_w;

	account_mean(a, &active_w, &idle_w, &low_w, &high_w);
	return active_w;
}

static void gauges_are_means_over_the_interval(void **state)
{
	struct account a;

	(void)state;
	assert_int_equal(account_init(&a, 5, 1, NULL), 0);
	assert_true(isnan(active_mean(&a)));
	for (int i = 1; i <= 20; i++) {
		struct zone_estimate z = watts(i, 1);
		int first = i > 5 ? i - 4 : 1;

		account_add(&a, &z, 1);
		assert_close(active_mean(&a), (first + i) / 2.0, 1e-12);
	}
	account_release(&a);
}

static void long_ticks_weigh_by_their_length(void **state)
{
	struct zone_estimate one = watts(1, 0), ten = watts(10, 0);
	struct account a;

	(void)state;
	assert_int_equal(account_init(&a, 5, 1, NULL), 0);
	account_add(&a, &one, 3);
	account_add(&a, &ten, 1);
	assert_close(active_mean(&a), 13.0 / 4, 1e-12);
	account_add(&a, &ten, 60);
	assert_close(active_mean(&a), 10, 1e-12);
	account_release(&a);
}

static void an_hour_of_ticks_fits_the_ring(void **state)
{
	struct account a;
	double sum = 0;

	(void)state;
	assert_int_equal(account_init(&a, 3600, 0.1, NULL), 0);
	assert_int_equal(a.cap, ACCOUNT_SLOTS_MAX);
	for (int i = 0; i < 36000; i++) {
		struct zone_estimate z = watts(i % 100, 0);

		account_add(&a, &z, 0.1);
		sum += i % 100;
	}
	assert_close(active_mean(&a), sum / 36000, 0.01);
	assert_close(a.sum.dt_s, 3600, 0.01);
	account_release(&a);
}

/* ---- joules ---- */

static char directory[] = "/tmp/vmwatts-test-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/joules", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static int fresh(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static void joules_come_back(void **state)
{
	struct state s;

	(void)state;
	assert_int_equal(state_open(&s, directory, NULL), 0);
	assert_true(s.zones[ZONE_CORE].active_j == 0);
	s.zones[ZONE_CORE].active_j = 12.5;
	s.zones[ZONE_DRAM].idle_j = 1e12;
	state_close(&s);
	assert_false(state_kept(&s));
	assert_int_equal(state_open(&s, directory, NULL), 0);
	assert_true(s.zones[ZONE_CORE].active_j == 12.5);
	assert_true(s.zones[ZONE_DRAM].idle_j == 1e12);
	state_close(&s);
}

static void a_killed_writer_loses_nothing(void **state)
{
	struct state s;
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		state_open(&s, directory, NULL);
		for (int i = 1; i <= 1001; i++) {
			s.zones[ZONE_PACKAGE].active_j = i;
			state_commit(&s);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(state_open(&s, directory, NULL), 0);
	assert_true(s.zones[ZONE_PACKAGE].active_j == 1001);
	state_close(&s);
}

/* As a file system that goes read-only does it: a store into the mapping raises SIGBUS. */
static void a_file_that_is_lost_under_the_agent_costs_no_joule(void **state)
{
	struct state s;

	(void)state;
	assert_int_equal(state_open(&s, directory, NULL), 0);
	s.zones[ZONE_PACKAGE].active_j = 5;
	state_commit(&s);
	assert_true(state_kept(&s));
	assert_int_equal(truncate(path, 0), 0);
	s.zones[ZONE_PACKAGE].active_j = 6;
	state_commit(&s);
	assert_false(state_kept(&s));
	assert_true(s.zones[ZONE_PACKAGE].active_j == 6);
	state_commit(&s);
	state_close(&s);
	assert_int_equal(state_open(&s, directory, NULL), 0); /* nobody holds it */
	state_close(&s);
}

static void two_agents_do_not_share(void **state)
{
	struct err e = ERR_INIT;
	struct state a, b;

	(void)state;
	assert_int_equal(state_open(&a, directory, NULL), 0);
	assert_int_equal(state_open(&b, directory, &e), -EWOULDBLOCK);
	assert_non_null(strstr(e.msg, "another agent"));
	assert_false(state_kept(&b));
	b.zones[0].active_j = 99; /* counts in memory alone */
	state_commit(&b);
	state_close(&b);
	state_close(&a);
	assert_int_equal(state_open(&a, directory, NULL), 0);
	assert_true(a.zones[0].active_j == 0);
	state_close(&a);
}

/* Whatever one byte becomes: the joules of one of the two slots, or a refusal. Never others. */
static void damaged_files_are_met(void **state)
{
	unsigned char good[1024], bad[1024];
	struct state s;
	ssize_t n;
	int fd;

	(void)state;
	assert_int_equal(state_open(&s, directory, NULL), 0);
	s.zones[0].active_j = 1;
	state_commit(&s);
	s.zones[0].active_j = 2;
	state_commit(&s);
	fd = open(path, O_RDWR);
	n = pread(fd, good, sizeof(good), 0);
	assert_true(n > 0 && n < (ssize_t)sizeof(good));
	state_close(&s);
	for (ssize_t i = 0; i < n; i++) {
		memcpy(bad, good, (size_t)n);
		bad[i] ^= 0x41;
		assert_int_equal(pwrite(fd, bad, (size_t)n, 0), n);
		if (state_open(&s, directory, NULL) == 0)
			assert_true(s.zones[0].active_j == 1 || s.zones[0].active_j == 2);
		else
			assert_true(i < 8); /* the magic: not ours */
		/* Closing would write; drop it as a kill would. */
		if (state_kept(&s))
			state_close(&s);
	}
	for (ssize_t length = 1; length < n; length += 7) {
		assert_int_equal(ftruncate(fd, length), 0);
		assert_int_equal(state_open(&s, directory, NULL), -ERR_FORMAT);
	}
	close(fd);
}

static void unwritable_directories_are_told(void **state)
{
	struct err e = ERR_INIT;
	struct state s;

	(void)state;
	assert_true(state_open(&s, "/proc/nowhere", &e) < 0);
	assert_non_null(strstr(e.msg, "/proc/nowhere"));
	assert_false(state_kept(&s));
}

/* ---- policy ---- */

static void confidence_has_hysteresis(void **state)
{
	struct policy p = {false, 0};

	(void)state;
	assert_false(policy_update(&p, 0.69, 0.7));
	assert_false(policy_update(&p, 0.69, 0.7));
	assert_false(policy_update(&p, 0.71, 0.7)); /* three in a row, not in all */
	assert_false(policy_update(&p, 0.1, 0.7));
	assert_false(policy_update(&p, 0.1, 0.7));
	assert_true(policy_update(&p, 0.1, 0.7));
	for (int i = 0; i < 10; i++)
		assert_true(policy_update(&p, 0.74, 0.7)); /* above, but not by 0.05 */
	assert_true(policy_update(&p, 0.76, 0.7));
	assert_true(policy_update(&p, 0.76, 0.7));
	assert_false(policy_update(&p, 0.76, 0.7));
}

static void machines_are_compared(void **state)
{
	struct applicability a = {"GenuineIntel", "Xeon A", 6, 85, 2, 8};
	struct identity id = {
		.vendor = "GenuineIntel", .model_name = "Xeon A", .family = 6, .model = 85};
	struct fit f;

	(void)state;
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 0 && f.widen == 1 && !f.why[0]);
	fit_machine(&a, &id, 16, &f);
	assert_true(f.mismatch == 0.5 && f.widen == 1.2);
	id.clock_ratio = 1;
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 0 && f.widen == 1);
	id.clock_ratio = 0.5;
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 1 && f.widen == 2);
	id.clock_ratio = 1.5;
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 0.5 && f.widen == 1.5);
	assert_string_equal(f.why, "another regime of the core clock");
	id.clock_ratio = 0;
	strcpy(id.model_name, "Xeon B");
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 0.25 && f.widen == 1.1);
	id.model = 106;
	fit_machine(&a, &id, 4, &f);
	assert_true(f.mismatch == 1 && f.widen == 1.25);
	strcpy(id.vendor, "AuthenticAMD");
	fit_machine(&a, &id, 1, &f);
	assert_true(f.mismatch == 2.5);
	assert_close(f.widen, 1.8, 1e-12);
	assert_string_equal(f.why, "another CPU vendor, another number of vCPUs");
	a = (struct applicability){.vcpus_min = 14, .vcpus_max = 16};
	fit_machine(&a, &id, 2, &f);
	assert_true(f.mismatch == 1.5);
	assert_close(f.widen, 1.2 * 1.2 * 1.2, 1e-12);
	fit_machine(&a, &id, 17, &f);
	assert_true(f.mismatch == 0.5);
	fit_machine(&a, &id, 128, &f);
	assert_true(f.mismatch == 1.5);
	a = (struct applicability){.cpu_vendor = ""};
	fit_machine(&a, &id, 1, &f);
	assert_true(f.mismatch == 0);
}

/* ---- the meter ---- */

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
		cmocka_unit_test(gauges_are_means_over_the_interval),
		cmocka_unit_test(long_ticks_weigh_by_their_length),
		cmocka_unit_test(an_hour_of_ticks_fits_the_ring),
		cmocka_unit_test_setup(joules_come_back, fresh),
		cmocka_unit_test_setup(a_killed_writer_loses_nothing, fresh),
		cmocka_unit_test_setup(a_file_that_is_lost_under_the_agent_costs_no_joule, fresh),
		cmocka_unit_test_setup(two_agents_do_not_share, fresh),
		cmocka_unit_test_setup(damaged_files_are_met, fresh),
		cmocka_unit_test(unwritable_directories_are_told),
		cmocka_unit_test(confidence_has_hysteresis),
		cmocka_unit_test(machines_are_compared),
		cmocka_unit_test_setup(joules_are_the_integral_of_watts, defaults),
		cmocka_unit_test_setup(disabled_publishes_nothing_and_joules_stand, defaults),
		cmocka_unit_test_setup(gauges_begin_anew_after_a_time_without, defaults),
		cmocka_unit_test_setup(low_confidence_falls_back_to_physics_then_prior, defaults),
		cmocka_unit_test_setup(disable_leaves_the_series_out, defaults),
		cmocka_unit_test_setup(what_is_left_out_stays_so_over_a_reload, defaults),
		cmocka_unit_test_setup(drift_goes_on_over_a_reload, defaults),
		cmocka_unit_test_setup(the_whitelist_hides_features_from_models, defaults),
		cmocka_unit_test_setup(the_scope_is_the_bundles, defaults),
		cmocka_unit_test_setup(stolen_time_counts_as_usage, defaults),
		cmocka_unit_test_setup(idle_is_shared_only_when_asked, defaults),
		cmocka_unit_test_setup(a_bundle_expires_by_a_clock_that_is_right, defaults),
		cmocka_unit_test_setup(the_priors_name_goes_with_the_machine, defaults),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_directory, remove_directory);
}
