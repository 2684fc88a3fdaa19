// SPDX-License-Identifier: Apache-2.0
/* power: a host's file as tracks; refreshes, repeats, counters, holes. */
#include "folder.h"

#include <unistd.h>

#include "align/power.h"
#include "base/cleanup.h"

static int read_csv(const char *path, enum power_repeats kind, struct power *ret, struct err *e)
{
	const struct recording_choice choice = {.kind = TRACE_HOST};
	struct recording *host;
	int r = recording_open(path, &choice, &host, e);

	assert_int_equal(r, 0);
	r = power_read(host, kind, NULL, ret, e);
	recording_close(host);
	return r;
}

static struct power read_power(const char *text)
{
	struct power p;
	struct err e = ERR_INIT;

	if (read_csv(csv("p.csv", text), REPEATS_STALE, &p, &e) < 0)
		fail_msg("%s", e.msg);
	return p;
}

static void figures_that_stay_are_constant_and_not_one_long_refresh(void **state)
{
	struct power p = read_power("time_s,core_watts\n0,5\n1,6\n2,6\n3,5\n4,6\n5,0\n6,0\n7,0\n"
				    "8,0\n9,0\n10,0\n11,0\n12,0\n13,0\n14,8\n15,9\n");
	const struct track *t = &p.zones[ZONE_CORE];
	size_t hint = 0;

	(void)state;
	assert_close(p.refresh_s, 1, 0);
	assert_int_equal(p.repeats, 9);
	assert_close(track_mean(t, 0, 1, &hint), 6, 0);
	assert_close(track_mean(t, 1, 3, &hint), 5, 0);
	assert_close(track_mean(t, 5, 13, &hint), 0, 0);
	assert_close(track_mean(t, 13, 14, &hint), 8, 0);
	assert_close(track_mean(t, 12, 15, &hint), 17.0 / 3, 1e-12);
	assert_true(isnan(track_mean(t, 14, 15.1, &hint)));
	assert_true(isnan(track_mean(t, -0.1, 1, &hint)));
	power_release(&p);
}

static void a_counter_bridges_empty_rows_and_a_gauge_does_not(void **state)
{
	struct power p = read_power("time_s,core_watts,dram_joules\n"
				    "0,1,0\n1,2,5\n2,,\n3,4,9\n4,5,8\n2.5,1,1\n");
	size_t hint = 0;

	(void)state;
	assert_int_equal(p.bad_rows, 1); /* the time does not go on */
	assert_int_equal(p.empty_rows, 1);
	assert_close(track_mean(&p.zones[ZONE_DRAM], 0, 3, &hint), 3, 1e-12);
	assert_true(isnan(track_mean(&p.zones[ZONE_DRAM], 3, 4, &hint)));
	assert_true(isnan(track_mean(&p.zones[ZONE_CORE], 1, 2, &hint)));
	assert_close(track_mean(&p.zones[ZONE_CORE], 2, 4, &hint), 4.5, 1e-12);
	assert_int_equal(power_hole_at(&p, 1, 2), POWER_EMPTY);
	assert_int_equal(power_hole_at(&p, 3.5, 4.5), POWER_OUTSIDE);
	power_release(&p);
}

static void a_counter_that_falls_leaves_the_gauge(void **state)
{
	struct power p = read_power("time_s,package_joules,package_watts\n"
				    "0,100,1\n1,107,2\n2,3,8\n3,9,4\n");
	const struct track *t = &p.zones[ZONE_PACKAGE];
	size_t hint = 0;

	(void)state;
	assert_close(track_mean(t, 0, 1, &hint), 7, 0);
	assert_close(track_mean(t, 1, 2, &hint), 8, 0);
	assert_close(track_mean(t, 2, 3, &hint), 6, 0);
	power_release(&p);
}

static void refuses_what_is_no_file_of_power(void **state)
{
	static const struct {
		const char *text, *reason;
	} bad[] = {
		{"time_s,cpu_user\n1,0\n2,0\n", "no column of measured power"},
		{"core_watts\n1\n", "no column time_s"},
		{"time_s,core_watts\n1,5\n2,x\n", "fewer than two good rows (1 bad ones)"},
		{"", "empty"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct power p;
		struct err e = ERR_INIT;

		assert_int_equal(read_csv(csv("p.csv", bad[i].text), REPEATS_STALE, &p, &e),
				 -ERR_DATA);
		if (!strstr(e.msg, bad[i].reason))
			fail_msg("'%s' does not say '%s'", e.msg, bad[i].reason);
	}
}

static void a_repeat_can_be_kept_as_constant_power(void **state)
{
	const char *path = csv("p.csv", "time_s,core_watts\n0,5\n1,6\n2,6\n3,5\n4,5\n5,7\n");
	size_t hint = 0;
	struct power p;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(read_csv(path, REPEATS_STALE, &p, &e), 0);
	assert_close(track_mean(&p.zones[ZONE_CORE], 1, 3, &hint), 5, 0);
	assert_int_equal(p.zones[ZONE_CORE].n, 3);
	power_release(&p);
	assert_int_equal(read_csv(path, REPEATS_CONSTANT, &p, &e), 0);
	assert_close(track_mean(&p.zones[ZONE_CORE], 1, 3, &hint), 5.5, 0);
	assert_int_equal(p.zones[ZONE_CORE].n, 5);
	assert_int_equal(p.repeats, 2);
	power_release(&p);
}

static void a_track_keeps_the_integral_whatever_tiles_it(void **state)
{
	struct track t = {0};
	double sum = 0;
	size_t hint = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(track_add(&t, 1e9 + i, 1e9 + i + 1, i % 7), 0);
	assert_int_equal(track_add(&t, 1e9 + 999.5, 1e9 + 1001, 5), 0); /* overlaps: left out */
	assert_int_equal(track_add(&t, 1e9 + 1000, 1e9 + 1000, 5), 0);
	assert_int_equal(track_add(&t, 1e9 + 1000, 1e9 + 1001, NAN), 0);
	assert_int_equal(t.n, 1000);
	for (double at_s = 0.3; at_s < 999; at_s += 0.7)
		sum += 0.7 * track_mean(&t, 1e9 + at_s, 1e9 + at_s + 0.7, &hint);
	assert_close(sum, track_mean(&t, 1e9 + 0.3, 1e9 + 999.2, &hint) * 998.9, 0.001);
	assert_true(isnan(track_mean(&t, 1e9 + 5, 1e9 + 5, &hint)));
	track_release(&t);
	assert_true(isnan(track_mean(&t, 0, 1, &hint)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_that_stay_are_constant_and_not_one_long_refresh),
		cmocka_unit_test(a_counter_bridges_empty_rows_and_a_gauge_does_not),
		cmocka_unit_test(a_counter_that_falls_leaves_the_gauge),
		cmocka_unit_test(refuses_what_is_no_file_of_power),
		cmocka_unit_test(a_repeat_can_be_kept_as_constant_power),
		cmocka_unit_test(a_track_keeps_the_integral_whatever_tiles_it),
	};

	return cmocka_run_group_tests_name("power", tests, make_dir, remove_dir);
}
