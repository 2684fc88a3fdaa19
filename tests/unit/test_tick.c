// SPDX-License-Identifier: Apache-2.0
/* tick: a whole agent on a machine of our own, whose clock and /proc go where they are told. */
#include "folder.h"

#include <sys/stat.h>

#include "agent/parts.h"
#include "base/file.h"

static struct agent agent;
static struct agent_options options;
static struct kernel kernel;
static char root[64], config[96];
static int64_t ahead_ns, creep_ns; /* by so much with each look at the clock */
static unsigned n_cpus;
static uint64_t busy_ticks, idle_ticks; /* of each CPU */

static int64_t monotonic_ns(void)
{
	ahead_ns += creep_ns;
	return INT64_C(1000000000000) + ahead_ns;
}

/* In place: the agent keeps its files open. */
static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(file_make_directories(path, 0700, NULL), 0);
	rmdir(path);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_stat(void)
{
	char text[1024];
	size_t n = (size_t)snprintf(text, sizeof(text), "cpu  %llu 0 0 %llu 0 0 0 0 0 0\n",
				    (unsigned long long)(n_cpus * busy_ticks),
				    (unsigned long long)(n_cpus * idle_ticks));

	for (unsigned i = 0; i < n_cpus; i++)
		n += (size_t)snprintf(
			text + n, sizeof(text) - n, "cpu%u %llu 0 0 %llu 0 0 0 0 0 0\n", i,
			(unsigned long long)busy_ticks, (unsigned long long)idle_ticks);
	put("proc/stat", text);
}

static void put_cpuinfo(void)
{
	char text[2048];
	size_t n = 0;

	for (unsigned i = 0; i < n_cpus; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "processor\t: %u\nvendor_id\t: GenuineIntel\n"
				      "cpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Xeon\n"
				      "stepping\t: 4\nsiblings\t: %u\ncpu cores\t: %u\n\n",
				      i, n_cpus, n_cpus);
	put("proc/cpuinfo", text);
}

/* `seconds` pass, `share` of them busy. */
static void advance(double seconds, double share)
{
	ahead_ns += (int64_t)(seconds * 1e9);
	busy_ticks += (uint64_t)lround(100 * seconds * share);
	idle_ticks += (uint64_t)lround(100 * seconds * (1 - share));
	put_stat();
}

/* And the agent looks. */
static bool pass(double seconds, double share)
{
	advance(seconds, share);
	return agent_tick(&agent);
}

static void write_config(const char *more)
{
	char text[256];
	struct err e = ERR_INIT;
	int n = snprintf(text, sizeof(text),
			 "vm_energy_modeling:\n  state_directory: %s/state\n  log_level: error\n%s",
			 dir, more);

	assert_int_equal(file_replace(config, 0600, text, (size_t)n, &e), 0);
}

static int start(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	snprintf(root, sizeof(root), "%s/root", dir);
	snprintf(config, sizeof(config), "%s/config.yaml", dir);
	kernel = kernel_linux;
	kernel.monotonic_ns = kernel.boottime_ns = monotonic_ns;
	options = (struct agent_options){.flags.config = config, .root = root, .kernel = &kernel};
	n_cpus = 2;
	busy_ticks = idle_ticks = 1000;
	write_config("");
	put_cpuinfo();
	put_stat();
	assert_int_equal(agent_init(&agent, &options, &e), 0);
	assert_int_equal(agent_start_sampling(&agent, &e), 0);
	assert_int_equal(state_open(&agent.state, agent.config.state_directory, &e), 0);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	agent_release(&agent);
	return 0;
}

static const struct zone_snapshot *package(void)
{
	return &meter_snapshot(agent.meter)->zone[ZONE_PACKAGE];
}

static void watts_end_where_nothing_can_be_read(void **state)
{
	double before_j, watts;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(pass(1, 0.5));
	assert_true(package()->valid);
	before_j = package()->active_j;
	watts = package()->active_w;
	put("proc/stat", "");
	ahead_ns += INT64_C(1000000000);
	assert_false(agent_tick(&agent));
	assert_true(package()->valid); /* of a second ago */
	assert_int_equal(meter_snapshot(agent.meter)->source_errors[SOURCE_STAT], 1);
	ahead_ns += INT64_C(5000000000);
	assert_false(agent_tick(&agent));
	assert_false(package()->valid);
	assert_true(isnan(meter_snapshot(agent.meter)->usage_ratio));
	assert_true(package()->active_j == before_j);
	/* It comes back: what was used meanwhile is counted. */
	busy_ticks += 300;
	idle_ticks += 300;
	assert_true(pass(30, 0.5));
	assert_true(package()->valid);
	assert_close(package()->active_j - before_j, 36 * watts, 1e-6);
}

/* A CPU that comes or goes changes its socket's siblings and cores, and is no move. */
static void a_cpu_that_goes_is_no_move(void **state)
{
	(void)state;
	assert_true(pass(1, 0.5));
	for (unsigned n = 1; n <= 3; n++) {
		n_cpus = n;
		put_cpuinfo();
		assert_true(pass(1, 0.5));
		assert_true(pass(1, 0.5));
		assert_int_equal(meter_snapshot(agent.meter)->migrations, 0);
		assert_int_equal(meter_snapshot(agent.meter)->identity->n_cpus, n);
	}
	ahead_ns += INT64_C(400000000000);
	assert_true(pass(1, 0.5));
	assert_int_equal(meter_snapshot(agent.meter)->migrations, 0);
}

/* The page's power and its counters, whatever instant a reload falls on. */
static void a_reload_with_another_interval_is_no_leap(void **state)
{
	const struct counters_options o = {.directory = agent.config.state_directory,
					   .now_ns = monotonic_ns(),
					   .tick_ns = agent.config.sampling_interval_ns,
					   .window_ns = agent.config.collection_interval_ns,
					   .state = &agent.state};
	const struct counter_page *page = &agent.counters.writer.page;
	struct err e = ERR_INIT;
	double watts;

	(void)state;
	assert_int_equal(counters_open(&agent.counters, &o, &e), 0);
	for (int i = 0; i < 5; i++)
		assert_true(pass(1, 0.5));
	watts = counter_power_w(page, ZONE_PACKAGE, monotonic_ns(), page->boot_id);
	assert_true(watts > 0);
	write_config("  feature_config: {sampling_interval: 500ms}\n");
	advance(0.7, 0.5);
	creep_ns = 1000;
	assert_int_equal(agent_reload(&agent, &e), 0);
	creep_ns = 0;
	assert_int_equal(page->tick_ns, 500000000);
	/* A second is still to be played out, over half of one. */
	assert_close(counter_power_w(page, ZONE_PACKAGE, monotonic_ns(), page->boot_id), 2 * watts,
		     0.01);
	assert_true(pass(0.5, 0.5));
	assert_close(counter_power_w(page, ZONE_PACKAGE, monotonic_ns(), page->boot_id), watts,
		     0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(watts_end_where_nothing_can_be_read, start, stop),
		cmocka_unit_test_setup_teardown(a_cpu_that_goes_is_no_move, start, stop),
		cmocka_unit_test_setup_teardown(a_reload_with_another_interval_is_no_leap, start,
						stop),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
