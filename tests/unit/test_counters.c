// SPDX-License-Identifier: Apache-2.0
/* counter pages: played out exactly, never back, over restarts, reboots, damage; and what Kepler
 * makes of both meanings. */
#include "folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/counters.h"
#include "base/powercap.h"
#include "features/csv.h"

#define S_NS INT64_C(1000000000)

static const uint64_t zeros[ZONE_RAPL_COUNT];

static struct counter_writer open_writer(const char *path, int64_t now_ns, int64_t tick_ns)
{
	struct counter_writer w;
	struct err e = ERR_INIT;
	bool kept;

	assert_int_equal(counter_writer_open(&w, path, now_ns, tick_ns, zeros, &kept, &e), 0);
	return w;
}

static uint64_t show(struct counter_reader *r, enum zone z, int64_t now_ns)
{
	counter_reader_refresh(r);
	return counter_reader_show(r, z, now_ns);
}

static void tick(struct counter_writer *w, int64_t t_ns, double uj)
{
	const double all[ZONE_RAPL_COUNT] = {uj, uj / 2, NAN, -1};

	counter_writer_add(w, t_ns, all);
}

static void plays_the_last_interval_out_to_the_microjoule(void **state)
{
	const char *path = path_of("exact");
	struct counter_writer w = open_writer(path, 100 * S_NS, S_NS);
	struct counter_reader r;

	(void)state;
	counter_reader_init(&r, path);
	assert_int_equal(show(&r, ZONE_PACKAGE, 100 * S_NS), 0);
	tick(&w, 101 * S_NS, 20e6);
	assert_int_equal(show(&r, ZONE_PACKAGE, 101 * S_NS), 0);
	assert_int_equal(show(&r, ZONE_PACKAGE, 101 * S_NS + S_NS / 4), 5000000);
	assert_int_equal(show(&r, ZONE_CORE, 101 * S_NS + S_NS / 4), 2500000);
	tick(&w, 102 * S_NS, 7e6);
	for (int64_t us = 0; us <= 1000000; us += 997)
		assert_int_equal(show(&r, ZONE_PACKAGE, 102 * S_NS + us * 1000), 20000000 + us * 7);
	/* Neither estimate nor a negative one moves anything. */
	assert_int_equal(show(&r, ZONE_DRAM, 200 * S_NS), 0);
	assert_int_equal(show(&r, ZONE_UNCORE, 200 * S_NS), 0);
	/* Silent from here on: it stands. */
	assert_int_equal(show(&r, ZONE_PACKAGE, 103 * S_NS), 27000000);
	assert_int_equal(show(&r, ZONE_PACKAGE, 1000 * S_NS), 27000000);
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void a_page_that_is_lost_under_its_writer_ends_nothing_else(void **state)
{
	const char *path = path_of("lost");
	struct counter_writer w = open_writer(path, 0, S_NS);

	(void)state;
	tick(&w, S_NS, 1e6);
	assert_non_null(w.file);
	assert_int_equal(truncate(path, 0), 0);
	tick(&w, 2 * S_NS, 1e6);
	assert_null(w.file);
	tick(&w, 3 * S_NS, 1e6);
	counter_writer_close(&w);
}

static void a_fraction_of_a_microjoule_is_not_lost(void **state)
{
	const char *path = path_of("fraction");
	struct counter_writer w = open_writer(path, 0, S_NS);

	(void)state;
	for (int i = 1; i <= 4000; i++)
		tick(&w, i * S_NS, 0.25);
	assert_int_equal(w.page.points[w.page.n - 1].uj[ZONE_PACKAGE], 1000);
	assert_int_equal(w.page.points[w.page.n - 1].uj[ZONE_CORE], 500);
	counter_writer_close(&w);
}

static void an_early_or_late_tick_leaves_no_step(void **state)
{
	/* 20 W throughout; intervals of 0.3 to 1 s, as reloads make them. */
	static const int64_t ends_ms[] = {1000, 2000, 2300, 3000, 3990, 4000, 5000, 6000};
	const char *path = path_of("steady");
	struct counter_writer w = open_writer(path, 0, S_NS);
	struct counter_reader r;
	int64_t before_ms = 0;

	(void)state;
	counter_reader_init(&r, path);
	for (size_t i = 0; i < sizeof(ends_ms) / sizeof(*ends_ms); i++) {
		for (int64_t ms = before_ms; ms < ends_ms[i]; ms += 10)
			assert_int_equal(show(&r, ZONE_PACKAGE, ms * 1000000),
					 ms > 1000 ? (ms - 1000) * 20000 : 0);
		tick(&w, ends_ms[i] * 1000000, 20e3 * (double)(ends_ms[i] - before_ms));
		before_ms = ends_ms[i];
	}
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void never_falls_over_any_schedule(void **state)
{
	const char *path = path_of("random");
	struct counter_writer w = open_writer(path, S_NS, S_NS);
	int64_t now_ns = S_NS, due_ns = 2 * S_NS, told_uj = 0;
	struct counter_reader r;
	uint64_t before[ZONE_RAPL_COUNT] = {0};
	unsigned short seed[3] = {1, 2, 3};

	(void)state;
	counter_reader_init(&r, path);
	for (int i = 0; i < 200000; i++) {
		double dice = erand48(seed);

		now_ns += (int64_t)(erand48(seed) * 3e8) + 1;
		if (dice < 0.001) { /* the agent is killed, and comes again with another tick */
			int64_t tick_ns = S_NS / 10 + (int64_t)(erand48(seed) * 2e9);

			if (dice < 0.0005)
				counter_writer_close(&w);
			now_ns += (int64_t)(erand48(seed) * 3e9);
			w = open_writer(path, now_ns, tick_ns);
			due_ns = now_ns + tick_ns;
		} else if (dice < 0.002) {
			counter_writer_set_tick(&w, now_ns,
						S_NS / 10 + (int64_t)(dice * 2e12) % S_NS);
		} else if (now_ns >= due_ns) {
			double uj = floor(erand48(seed) * 1e8);

			tick(&w, now_ns, uj);
			told_uj += (int64_t)uj;
			due_ns = now_ns +
				 (int64_t)((double)w.page.tick_ns * (0.2 + 3 * erand48(seed)));
		}
		for (enum zone z = ZONE_PACKAGE; z < ZONE_PLATFORM; z++) {
			uint64_t uj = show(&r, z, now_ns),
				 gone = uj + POWERCAP_RANGE_UJ - before[z];

			/* Wraps count as small steps forward; a step back would be nearly the
			 * range. */
			assert_true(gone % POWERCAP_RANGE_UJ < POWERCAP_RANGE_UJ / 2);
			before[z] = uj;
		}
	}
	/* Once all is played out nothing is missing and nothing was added. */
	assert_int_equal(show(&r, ZONE_PACKAGE, now_ns + 100 * S_NS),
			 (uint64_t)told_uj % POWERCAP_RANGE_UJ);
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void wraps_as_declared(void **state)
{
	const char *path = path_of("wrap");
	const uint64_t start[ZONE_RAPL_COUNT] = {POWERCAP_RANGE_UJ - 5000000};
	struct counter_writer w;
	struct counter_reader r;
	struct err e = ERR_INIT;
	uint64_t a, b;
	bool kept;

	(void)state;
	assert_int_equal(counter_writer_open(&w, path, 10 * S_NS, S_NS, start, &kept, &e), 0);
	assert_false(kept);
	tick(&w, 11 * S_NS, 20e6);
	counter_reader_init(&r, path);
	a = show(&r, ZONE_PACKAGE, 11 * S_NS);
	b = show(&r, ZONE_PACKAGE, 12 * S_NS);
	assert_int_equal(a, POWERCAP_RANGE_UJ - 5000000);
	assert_int_equal(b, 15000000);
	assert_int_equal(POWERCAP_RANGE_UJ - a + b, 20000000); /* as its readers count */
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void goes_on_after_a_kill_and_after_a_reboot(void **state)
{
	const char *path = path_of("restart");
	struct counter_writer w = open_writer(path, 10 * S_NS, S_NS);
	struct counter_reader r;

	(void)state;
	counter_reader_init(&r, path);
	tick(&w, 11 * S_NS, 20e6);
	assert_int_equal(show(&r, ZONE_PACKAGE, 11 * S_NS + S_NS / 4), 5000000);
	/* Killed: nobody closes it. What was not played out is over the next tick. */
	w = open_writer(path, 11 * S_NS + S_NS / 2, S_NS);
	assert_int_equal(show(&r, ZONE_PACKAGE, 11 * S_NS + S_NS / 2), 10000000);
	assert_int_equal(show(&r, ZONE_PACKAGE, 12 * S_NS), 15000000);
	assert_int_equal(show(&r, ZONE_PACKAGE, 13 * S_NS), 20000000);
	tick(&w, 14 * S_NS, 1e6);

	/* Another boot, whose clock begins anew: nothing is played twice. */
	w.page.boot_id[0] ^= 1;
	tick(&w, 15 * S_NS, 1e6);
	counter_writer_close(&w);
	assert_int_equal(show(&r, ZONE_PACKAGE, S_NS / 2), 22000000);
	w = open_writer(path, S_NS / 2, S_NS);
	assert_int_equal(show(&r, ZONE_PACKAGE, S_NS / 2), 22000000);
	tick(&w, 2 * S_NS, 2e6);
	assert_int_equal(show(&r, ZONE_PACKAGE, 4 * S_NS), 24000000);
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void works_before_there_is_a_page_and_when_it_is_replaced(void **state)
{
	const char *path = path_of("late");
	const uint64_t start[ZONE_RAPL_COUNT] = {900000000, 1, 2, 3};
	struct counter_reader r;
	struct counter_writer w;
	struct err e = ERR_INIT;
	uint64_t before;
	bool kept;

	(void)state;
	counter_reader_init(&r, path);
	assert_int_equal(show(&r, ZONE_PACKAGE, S_NS), 0);
	assert_int_equal(counter_writer_open(&w, path, 2 * S_NS, S_NS, start, &kept, &e), 0);
	/* No 900 J that nobody spent. */
	assert_int_equal(show(&r, ZONE_PACKAGE, 2 * S_NS), 0);
	tick(&w, 3 * S_NS, 10e6);
	assert_int_equal(show(&r, ZONE_PACKAGE, 4 * S_NS), 10000000);
	/* Removed: the last that was read stands. */
	counter_writer_close(&w);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(show(&r, ZONE_PACKAGE, 5 * S_NS), 10000000);
	/* A new one that begins from nothing. */
	w = open_writer(path, 6 * S_NS, S_NS);
	before = show(&r, ZONE_PACKAGE, 6 * S_NS);
	assert_int_equal(before, 10000000);
	tick(&w, 7 * S_NS, 3e6);
	assert_int_equal(show(&r, ZONE_PACKAGE, 8 * S_NS) - before, 3000000);
	counter_writer_close(&w);
	counter_reader_release(&r);
}

static void a_damaged_page_is_no_page(void **state)
{
	const char *path = path_of("damaged");
	struct counter_reader r;
	unsigned char bytes[1024];
	ssize_t size;
	int fd;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct counter_writer w = open_writer(path, (10 + i) * S_NS, S_NS);

		tick(&w, (11 + i) * S_NS, 20e6);
		counter_writer_close(&w);
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	size = read(fd, bytes, sizeof(bytes));
	assert_true(size > 100 && size < (ssize_t)sizeof(bytes));
	/* One byte wrong anywhere: the other slot is whole, or it is no page. */
	for (ssize_t at = 0; at < size; at++) {
		unsigned char wrong = bytes[at] ^ 0x40;

		assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
		counter_reader_init(&r, path);
		counter_reader_refresh(&r);
		assert_int_equal(r.has_page, at >= 8);
		if (r.has_page)
			assert_true(r.page.points[r.page.n - 1].uj[ZONE_PACKAGE] == 40000000 ||
				    r.page.points[r.page.n - 1].uj[ZONE_PACKAGE] == 20000000);
		counter_reader_release(&r);
		assert_int_equal(pwrite(fd, bytes + at, 1, at), 1);
	}
	/* Cut off: says nothing, and what was read before stands. */
	counter_reader_init(&r, path);
	assert_int_equal(show(&r, ZONE_PACKAGE, 100 * S_NS), 40000000);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(show(&r, ZONE_PACKAGE, 101 * S_NS), 40000000);
	counter_reader_release(&r);
	close(fd);
	/* The next writer makes a new one of it. */
	{
		struct counter_writer w;
		struct err e = ERR_INIT;
		bool kept = true;

		assert_int_equal(counter_writer_open(&w, path, S_NS, S_NS, zeros, &kept, &e), 0);
		assert_false(kept);
		counter_writer_close(&w);
	}
}

static void says_why_it_cannot_be_made(void **state)
{
	struct counter_writer w;
	struct err e = ERR_INIT;
	bool kept;

	(void)state;
	assert_true(counter_writer_open(&w, path_of("no/where"), 0, S_NS, zeros, &kept, &e) < 0);
	assert_non_null(strstr(e.msg, "no/where"));
	tick(&w, S_NS, 1); /* does nothing */
	counter_writer_close(&w);
}

static void host_readings_are_the_owner_s_alone(void **state)
{
	const char *path = path_of("owner");
	struct counter_writer w = open_writer(path, 0, S_NS);
	struct stat st;

	(void)state;
	counter_writer_set_owner_only(&w, true);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	counter_writer_set_owner_only(&w, false);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	counter_writer_close(&w);
}

/* ---- what Kepler makes of it ---- */

/*
 * Rows of one second through counters_add; and Kepler beside it: each interval
 * it reads the package counter, takes usage from CPU time of the same seconds,
 * calls total x usage active, and gives that to processes by CPU time.
 */
struct kepler {
	struct counters counters;
	struct counter_reader reader;
	int interval_s;
	double ours_j;		  /* told to the counters */
	double total_j, active_j; /* as it counts */
	double process_j[3];
	uint64_t read_uj;
	double busy_s;
	int64_t second;
};

static void refresh(struct kepler *k)
{
	static const double shares[3] = {0.5, 0.3, 0.2}; /* of the CPU time */
	uint64_t uj = show(&k->reader, ZONE_PACKAGE, k->second * S_NS);
	double total_j =
		(double)(uj >= k->read_uj ? uj - k->read_uj : POWERCAP_RANGE_UJ - k->read_uj + uj) /
		1e6;
	double active_j = total_j * k->busy_s / k->interval_s;

	k->read_uj = uj;
	k->total_j += total_j;
	k->active_j += active_j;
	for (int i = 0; i < 3; i++)
		k->process_j[i] += active_j * shares[i];
	k->busy_s = 0;
}

static void begin(struct kepler *k, int interval_s)
{
	struct state s;
	const struct counters_options o = {dir, 0, S_NS, 5 * S_NS, &s};
	struct err e = ERR_INIT;

	state_init(&s);
	unlink(path_of(COUNTER_PAGE_NAME));
	*k = (struct kepler){.interval_s = interval_s};
	assert_int_equal(counters_open(&k->counters, &o, &e), 0);
	counter_reader_init(&k->reader, path_of(COUNTER_PAGE_NAME));
	show(&k->reader, ZONE_PACKAGE, 0);
}

static void second(struct kepler *k, double watts, double usage, enum powercap_meaning meaning)
{
	struct estimate e = {.tier = TIER_OS};
	const struct counters_tick t = {++k->second * S_NS, 1, usage, meaning};

	e.zone[ZONE_PACKAGE] = (struct zone_estimate){.valid = true, .active_w = watts};
	counters_add(&k->counters, &e, &t);
	k->ours_j += watts;
	k->busy_s += usage;
	if (k->second % k->interval_s == 0)
		refresh(k);
}

static void end(struct kepler *k)
{
	counters_close(&k->counters);
	counter_reader_release(&k->reader);
}

/* More than an hour of recorded rows, three seconds each. */
static void replay(struct kepler *k, enum powercap_meaning meaning, int interval_s)
{
	static const char *const files[] = {"20240914-1616", "20240915-1616", "20240916-1617",
					    "20240917-1617"};
	const struct csv_options labels = {.labels = true};
	struct err e = ERR_INIT;

	begin(k, interval_s);
	for (size_t i = 0; i < 4; i++) {
		struct csv_reader *csv;
		struct csv_row row;
		char path[256];

		snprintf(path, sizeof(path), SOURCE_ROOT "/data/metalci/%s.csv", files[i]);
		assert_int_equal(csv_open(path, &labels, &csv, &e), 0);
		while (csv_next(csv, &row, &e) == 1) {
			for (int s = 0; s < 3; s++)
				second(k, row.y_w[ZONE_PACKAGE], row.row.v[FEATURE_CPU_UTILIZATION],
				       meaning);
		}
		csv_close(csv);
	}
	assert_true(k->second > 3600);
	end(k);
}

static void with_node_an_hour_in_kepler_is_our_watts(void **state)
{
	static const int intervals_s[] = {1, 3, 5, 15};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct kepler k;

		replay(&k, POWERCAP_NODE, intervals_s[i]);
		print_message("# every %2d s: ours %.1f J, Kepler's node %.1f J, active %.1f J\n",
			      intervals_s[i], k.ours_j, k.total_j, k.active_j);
		/* All but the last interval, which is played out only after the end. */
		assert_close(k.total_j, k.ours_j, 0.001);
		/* It calls the usage ratio's share of it active: that is why there are two
		 * meanings. */
		assert_true(k.active_j < 0.9 * k.ours_j);
	}
}

static void with_workloads_an_hour_of_kepler_s_processes_is_our_watts(void **state)
{
	static const int intervals_s[] = {1, 3, 5, 15};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct kepler k;
		double sum_j;

		replay(&k, POWERCAP_WORKLOADS, intervals_s[i]);
		sum_j = k.process_j[0] + k.process_j[1] + k.process_j[2];
		print_message("# every %2d s: ours %.1f J, Kepler's processes %.1f J (%+.2f %%)\n",
			      intervals_s[i], k.ours_j, sum_j, 100 * (sum_j / k.ours_j - 1));
		assert_close(sum_j, k.ours_j, 0.01);
	}
}

/* Power that bends (10 sqrt u W), load that jumps between 5 and 100 % every `half_s`. */
static double square_wave(int half_s, int interval_s)
{
	struct kepler k;

	begin(&k, interval_s);
	while (k.second < 3600) {
		double usage = k.second / half_s % 2 ? 1 : 0.05;

		second(&k, 10 * sqrt(usage), usage, POWERCAP_WORKLOADS);
	}
	end(&k);
	return k.active_j / k.ours_j - 1;
}

static void with_workloads_a_load_that_jumps_is_off_by_little(void **state)
{
	static const int halves_s[] = {1, 2, 7, 30, 120};

	(void)state;
	for (int i = 0; i < 5; i++) {
		double same = square_wave(halves_s[i], 5), other = square_wave(halves_s[i], 3);

		print_message(
			"# load jumps every %3d s: Kepler's processes %+.2f %% of ours where it "
			"refreshes every 5 s as the agent does, %+.2f %% every 3 s\n",
			halves_s[i], 100 * same, 100 * other);
		assert_true(fabs(same) < 0.01);
		assert_true(fabs(other) < 0.05);
	}
}

static void an_idle_machine_does_not_explode(void **state)
{
	struct kepler k;

	(void)state;
	begin(&k, 5);
	for (int i = 0; i < 600; i++)
		second(&k, 0.1, i % 10 ? 0 : 0.0001, POWERCAP_WORKLOADS);
	end(&k);
	/* 0.1 W at next to no usage: at most as if usage were COUNTERS_USAGE_MIN. */
	assert_true(k.total_j <= 600 * 0.1 / COUNTERS_USAGE_MIN);
	assert_true(k.active_j <= 600 * 0.1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plays_the_last_interval_out_to_the_microjoule),
		cmocka_unit_test(a_page_that_is_lost_under_its_writer_ends_nothing_else),
		cmocka_unit_test(a_fraction_of_a_microjoule_is_not_lost),
		cmocka_unit_test(an_early_or_late_tick_leaves_no_step),
		cmocka_unit_test(never_falls_over_any_schedule),
		cmocka_unit_test(wraps_as_declared),
		cmocka_unit_test(goes_on_after_a_kill_and_after_a_reboot),
		cmocka_unit_test(works_before_there_is_a_page_and_when_it_is_replaced),
		cmocka_unit_test(a_damaged_page_is_no_page),
		cmocka_unit_test(says_why_it_cannot_be_made),
		cmocka_unit_test(host_readings_are_the_owner_s_alone),
		cmocka_unit_test(with_node_an_hour_in_kepler_is_our_watts),
		cmocka_unit_test(with_workloads_an_hour_of_kepler_s_processes_is_our_watts),
		cmocka_unit_test(with_workloads_a_load_that_jumps_is_off_by_little),
		cmocka_unit_test(an_idle_machine_does_not_explode),
	};

	return cmocka_run_group_tests_name("counters", tests, make_dir, remove_dir);
}
