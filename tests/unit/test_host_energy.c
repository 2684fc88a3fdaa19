// SPDX-License-Identifier: Apache-2.0
/* The host's own energy: when it counts, how refreshes become watts, and what the meter makes of
 * it. */
#include "folder.h"

#include "agent/host.h"
#include "agent/meter.h"
#include "sets.h"

/* ---- one zone ---- */

/* A counter of 10 W that moves every `period_s`, from `phase_s` on. */
struct simulated {
	double period_s, phase_s, t_s;
};

static double energy_j(const struct simulated *s)
{
	return 10 * s->period_s * floor((s->t_s + s->phase_s) / s->period_s + 1e-9);
}

static void tick(struct host_zone *z, struct simulated *s, double seconds)
{
	double before_j = energy_j(s);

	s->t_s += seconds;
	host_zone_tick(z, energy_j(s) - before_j, seconds, true);
}

/* Means over 5 s from a minute on: the furthest from 10 W, as a share. Joules are the counter's. */
static double furthest(double period_s, double seconds)
{
	struct simulated s = {.period_s = period_s, .phase_s = 0.37 * period_s};
	struct host_zone z = {.used = false};
	double sum_j = 0, counted_j = 0, first_j = NAN, worst = 0;
	int n = (int)lround(5 / seconds);

	for (int i = 1; s.t_s < 900; i++) {
		tick(&z, &s, seconds);
		if (!z.used)
			continue;
		sum_j += z.watts * seconds;
		if (isnan(first_j))
			first_j = energy_j(&s);
		else
			counted_j += z.watts * seconds;
		if (i % n)
			continue;
		if (s.t_s > 60)
			worst = fmax(worst, fabs(sum_j / (n * seconds) / 10 - 1));
		sum_j = 0;
	}
	assert_true(fabs(energy_j(&s) - first_j - counted_j) < 30 * period_s + 1);
	return worst;
}

static void refreshes_out_of_step_are_the_power_they_are(void **state)
{
	static const double periods_s[] = {0.01, 0.05, 1, 1.0003, 1.001, 1.005, 1.02, 2, 5};

	(void)state;
	for (size_t i = 0; i < sizeof(periods_s) / sizeof(periods_s[0]); i++) {
		assert_true(furthest(periods_s[i], 1) < 0.02);
		assert_true(furthest(periods_s[i], 0.1) < 0.02);
	}
}

static void joules_that_come_every_tick_are_those_of_the_counter(void **state)
{
	struct host_zone z = {.used = false};
	double grown_j = 0, counted_j = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double j = 10 + 9 * sin(i / 3.0), seconds = 0.5 + (i % 5) / 4.0;

		host_zone_tick(&z, j, seconds, true);
		assert_int_equal(z.used, i > 0);
		if (!z.used)
			continue;
		assert_close(z.watts, j / seconds, 1e-9);
		grown_j += j;
		counted_j += z.watts * seconds;
	}
	assert_close(counted_j, grown_j, 1e-9);
}

static void a_counter_that_never_rises_is_absent(void **state)
{
	struct host_zone z = {.used = false};

	(void)state;
	for (int i = 0; i < 200; i++) {
		host_zone_tick(&z, 0, 1, i % 2);
		assert_false(z.used);
	}
	host_zone_tick(&z, 5, 1, true); /* when, but not since when */
	assert_false(z.used);
	host_zone_tick(&z, 0, 1, true);
	host_zone_tick(&z, 20, 1, true);
	assert_true(z.used);
	assert_close(z.watts, 10, 1e-9);
}

static int ticks_until_dropped(bool busy)
{
	struct host_zone z = {.used = false};
	int n = 0;

	host_zone_tick(&z, 10, 1, true);
	host_zone_tick(&z, 10, 1, true);
	assert_true(z.used);
	for (; z.used && n < 600; n++) {
		host_zone_tick(&z, 0, 1, busy);
		assert_true(z.watts >= 0 && z.watts < 11);
	}
	return n;
}

static void one_that_stands_under_load_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(ticks_until_dropped(true), HOST_STUCK_S);
	assert_int_equal(ticks_until_dropped(false), 600);
}

static void no_power_is_left_while_nothing_runs(void **state)
{
	struct host_zone z = {.used = false};

	(void)state;
	for (int i = 0; i < 10; i++)
		host_zone_tick(&z, 10, 1, true);
	for (int i = 0; i < 100; i++)
		host_zone_tick(&z, 0, 1, false);
	assert_true(z.used && z.watts < 0.2);
	host_zone_tick(&z, 10, 1, true);
	assert_close(z.watts, 10, 0.05);
}

static void what_cannot_be_read_is_forgotten_and_comes_back(void **state)
{
	static const double bad_j[] = {NAN, 1e9};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct host_zone z = {.used = false};

		host_zone_tick(&z, 10, 1, true);
		host_zone_tick(&z, 10, 1, true);
		host_zone_tick(&z, bad_j[i], 1, true);
		assert_false(z.used);
		host_zone_tick(&z, 20, 1, true);
		assert_false(z.used);
		host_zone_tick(&z, 20, 1, true);
		assert_true(z.used);
		assert_close(z.watts, 20, 1e-9);
	}
}

/* ---- counters below a root ---- */

static void put(const char *name, unsigned long long value)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "%s/energy_uj", name);
	snprintf(text, sizeof(text), "%llu\n", value);
	csv(path, text);
}

static struct row busy_row(void)
{
	struct row r;

	row_clear(&r);
	r.dt_s = 1;
	r.t_s = 1000;
	r.v[FEATURE_VCPUS] = 4;
	r.v[FEATURE_CPU_BUSY_VCPUS] = 2;
	r.v[FEATURE_CPU_UTILIZATION] = 0.5;
	return r;
}

static void zones_are_found_and_sockets_summed(void **state)
{
	static const char *const names[][2] = {
		{"intel-rapl:0", "package-0"},
		{"intel-rapl:1", "package-1"},
		{"intel-rapl:0:0", "core"},
		{"intel-rapl:2", "psys"},
	};
	struct row row = busy_row();
	struct root root;
	static struct host h;
	char path[64], command[160];

	(void)state;
	assert_int_equal(root_init(&root, dir, NULL), 0);
	host_open(&h, &root, "/", 0);
	host_tick(&h, &row, 1);
	assert_false(h.zones[ZONE_PACKAGE].used);
	for (int i = 0; i < 4; i++) {
		snprintf(command, sizeof(command), "mkdir %s/%s", dir, names[i][0]);
		assert_int_equal(system(command), 0);
		snprintf(path, sizeof(path), "%s/name", names[i][0]);
		csv(path, names[i][1]);
		put(names[i][0], 0);
	}
	csv("intel-rapl:1/max_energy_range_uj", "262143328850\n");
	put("intel-rapl:1", 262143328850 - 5000000); /* wraps on the way */
	host_tick(&h, &row, INT64_C(31000000000));   /* looks again */
	for (unsigned i = 1; i <= 3; i++) {
		put("intel-rapl:0", i * 7000000);
		put("intel-rapl:1", (i * 3000000 + 262143328850 - 5000000) % 262143328850);
		host_tick(&h, &row, INT64_C(31000000000) + i);
	}
	assert_true(h.zones[ZONE_PACKAGE].used && !h.zones[ZONE_CORE].used);
	assert_close(h.zones[ZONE_PACKAGE].watts, 10, 1e-9);
	host_forget(&h);
	assert_false(h.zones[ZONE_PACKAGE].used);
	host_close(&h);
}

/* ---- the meter ---- */

static struct config config;
static struct identity identity = {.vendor = "GenuineIntel", .family = 6, .model = 85};
static struct state joules;

static struct meter *meter_with(struct model_set *set, const struct host_zone *zones)
{
	struct meter_options o = {.config = &config,
				  .identity = &identity,
				  .state = &joules,
				  .set = set,
				  .step_s = 1};
	struct meter *m;

	state_init(&joules);
	assert_int_equal(meter_new(&o, &m, NULL), 0);
	meter_refit(m, 4);
	meter_set_host(m, zones);
	return m;
}

static void push(struct meter *m, int n)
{
	struct row row = busy_row();

	for (int i = 0; i < n; i++, row.t_s++)
		meter_row(m, &row, 1);
}

static void hosts_zones_are_served_as_they_are(void **state)
{
	struct host_zone zones[ZONE_RAPL_COUNT] = {{.used = false}};
	const struct snapshot *s;
	double before_j;

	(void)state;
	config_defaults(&config);
	for (int share = 0; share < 2; share++) {
		struct meter *m = meter_with(share ? some_set() : NULL, zones);

		config.idle = share ? IDLE_SHARE : IDLE_NONE;
		zones[ZONE_PACKAGE] = (struct host_zone){.used = false};
		push(m, 3);
		s = meter_snapshot(m);
		assert_int_not_equal(s->tier, TIER_HOST);
		before_j = s->zone[ZONE_PACKAGE].active_j;
		zones[ZONE_PACKAGE] = (struct host_zone){.used = true, .watts = 2, .refresh_s = 1};
		push(m, 1);
		assert_int_equal(s->tier, TIER_HOST);
		assert_int_equal(s->zone[ZONE_PACKAGE].provenance, PROVENANCE_HOST);
		assert_close(s->zone[ZONE_PACKAGE].active_w, 2, 1e-9); /* of its own rows alone */
		assert_true(s->zone[ZONE_PACKAGE].idle_w == 0);
		assert_close(s->zone[ZONE_PACKAGE].high_w, 2 + 0.68 * 2 / 5, 1e-3);
		assert_true(s->zone[ZONE_PACKAGE].confidence > 0.85);
		assert_close(s->zone[ZONE_PACKAGE].active_j - before_j, 2, 1e-9);
		/* The others go on as they did, and fit into it. */
		assert_int_not_equal(s->zone[ZONE_CORE].provenance, PROVENANCE_HOST);
		assert_true(s->zone[ZONE_CORE].active_w + s->zone[ZONE_CORE].idle_w +
				    s->zone[ZONE_UNCORE].active_w + s->zone[ZONE_UNCORE].idle_w <=
			    2 * (1 + 1e-9));
		zones[ZONE_PACKAGE].used = false;
		push(m, 1);
		assert_int_not_equal(s->tier, TIER_HOST);
		assert_int_not_equal(s->zone[ZONE_PACKAGE].provenance, PROVENANCE_HOST);
		meter_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refreshes_out_of_step_are_the_power_they_are),
		cmocka_unit_test(joules_that_come_every_tick_are_those_of_the_counter),
		cmocka_unit_test(a_counter_that_never_rises_is_absent),
		cmocka_unit_test(one_that_stands_under_load_is_dropped),
		cmocka_unit_test(no_power_is_left_while_nothing_runs),
		cmocka_unit_test(what_cannot_be_read_is_forgotten_and_comes_back),
		cmocka_unit_test(zones_are_found_and_sockets_summed),
		cmocka_unit_test(hosts_zones_are_served_as_they_are),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
