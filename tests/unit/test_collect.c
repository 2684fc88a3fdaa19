// SPDX-License-Identifier: Apache-2.0
/* collect: parsers on bad text, the registry's counting and retrying, perf events, identity. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "collect/collector.h"
#include "collect/identity.h"
#include "collect/parsers.h"
#include "collect/source.h"

static struct sample sample;

static int room(void **state)
{
	(void)state;
	return sample_init(&sample, 4, NULL);
}

static int no_room(void **state)
{
	(void)state;
	sample_release(&sample);
	return 0;
}

/* ---- parsers ---- */

static void stat_of_an_old_kernel(void **state)
{
	(void)state;
	assert_true(stat_parse("cpu  1 2 3 4\ncpu0 1 2 3 4\nctxt 7\n", &sample));
	assert_int_equal(sample.cpu.ticks[CPU_TIME_IDLE], 4);
	assert_int_equal(sample.cpu.ticks[CPU_TIME_STEAL], 0);
	assert_int_equal(sample.context_switches, 7);
	assert_true(sample.forks == UINT64_MAX); /* not said: not 0 */
	assert_int_equal(sample.n_online, 1);
}

static void cpus_beyond_the_room_are_counted(void **state)
{
	(void)state;
	assert_true(stat_parse("cpu  9 9 9 9\ncpu3 1 2 3 4\ncpu4 1 2 3 4\ncpu4000000000 1 2 3 4\n",
			       &sample));
	assert_int_equal(sample.n_online, 3);
	assert_true(sample.online[3] && !sample.online[0]);
}

static void text_that_lacks_what_every_kernel_prints(void **state)
{
	static const char *const stats[] = {"",
					    "\n",
					    "cpu",
					    "cpu  1 2 3",
					    "cpu0 1 2 3 4\n",
					    "cpu  1 2 3 4\n",
					    "cpu  1 2 3 4\ncpu0 1 2\n",
					    "intr 1\nctxt 2\n",
					    "cpu  1 2 3 4\ncpuX 1 2 3 4\n"};
	static const char *const memories[] = {"", "MemTotal: 5 kB\n", "MemAvailable: 5 kB\n",
					       "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
					       "MemTotal: x\nMemAvailable: y\n"};
	static const char *const loads[] = {"",
					    "0.1",
					    "0.1 0.2",
					    "0.1 0.2 0.3",
					    "a b c 1/2 3",
					    "0.1 0.2 0.3 1",
					    "1..2 0.2 0.3 1/2 3"};

	(void)state;
	for (size_t i = 0; i < array_size(stats); i++)
		assert_false(stat_parse(stats[i], &sample));
	for (size_t i = 0; i < array_size(memories); i++)
		assert_false(meminfo_parse(memories[i], &sample));
	for (size_t i = 0; i < array_size(loads); i++)
		assert_false(loadavg_parse(loads[i], &sample));
	assert_false(vmstat_parse("", &sample));
	assert_false(vmstat_parse("nr_free_pages 7\n", &sample));
	assert_false(netdev_parse("", &sample));
	assert_false(netdev_parse("a|b\nc|d\neth0: 1 2 3\n", &sample));
	assert_true(pressure_parse("") == UINT64_MAX);
	assert_true(pressure_parse("full total=3") == UINT64_MAX);
	assert_true(pressure_parse("some avg10=0.00 total=12\nfull total=99\n") == 12);
}

static void only_whole_disks_count(void **state)
{
	(void)state;
	assert_true(diskstats_parse("", &sample));
	assert_true(sample.disk_read_bytes == 0);
	assert_true(diskstats_parse(
		" 8 0 sda 1 0 2 0 1 0 4 0 0 0 0\n 8 1 sda1 1 0 2 0 1 0 4 0 0 0 0\n"
		" 259 0 nvme0n1 1 0 10 0 1 0 0 0\n 259 1 nvme0n1p2 1 0 10 0 1 0 0 0\n"
		" 179 0 mmcblk0 1 0 100 0 1 0 0 0\n 179 1 mmcblk0p1 1 0 100 0 1 0 0 0\n"
		" 202 0 xvda 1 0 1000 0 1 0 0 0\n 253 0 dm-0 1 0 7 0 1 0 7 0\n 9 0 md0 1 0 7 0 1 0 "
		"7 0\n"
		" 7 0 loop0 1 0 7 0 1 0 7 0\n 252 0 zram0 1 0 7 0 1 0 7 0\n 11 0 sr0 1 0 7 0 1 0 7 "
		"0\n"
		" 8 16 sdb\n garbage\n",
		&sample));
	assert_int_equal(sample.disk_read_bytes, 512 * 1112);
	assert_int_equal(sample.disk_written_bytes, 512 * 4);
}

/* ---- the registry, on a root that changes under it ---- */

static char top[] = "/tmp/vmwatts-collect-XXXXXX";

static void put(const char *path, const char *content)
{
	char full[128];
	autofclose FILE *f = NULL;

	for (const char *at = path; (at = strchr(at, '/')); at++) {
		snprintf(full, sizeof(full), "%s/%.*s", top, (int)(at - path), path);
		mkdir(full, 0755);
	}
	snprintf(full, sizeof(full), "%s/%s", top, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(content, f);
}

static void take_away(const char *path)
{
	char full[128];

	snprintf(full, sizeof(full), "%s/%s", top, path);
	unlink(full);
}

static int64_t now_ns;

static int64_t fake_now_ns(void)
{
	return now_ns;
}

static int no_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	(void)attr;
	(void)pid;
	(void)cpu;
	(void)group_fd;
	return -ENOENT;
}

static struct kernel fake = {.monotonic_ns = fake_now_ns,
			     .boottime_ns = fake_now_ns,
			     .realtime_ns = fake_now_ns,
			     .thread_cpu_ns = fake_now_ns,
			     .perf_open = no_perf_open};

static int make_root(void **state)
{
	(void)state;
	return mkdtemp(top) ? 0 : -1;
}

static int remove_root(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static struct collector *collector_on_root(bool perf)
{
	struct collector_options o = {.kernel = &fake, .perf = perf, .cpus_cap = 4};
	struct collector *c = NULL;

	assert_int_equal(root_init(&o.root, top, NULL), 0);
	o.root.self = perf;
	collector_new(&o, &c, NULL);
	return c;
}

static void sources_come_and_go(void **state)
{
	const struct collector_stats *stats;
	struct collector *c;

	(void)state;
	now_ns = INT64_C(1000000000000);
	assert_null(collector_on_root(false)); /* without /proc/stat there is nothing to say */
	put("proc/stat", "cpu  1 2 3 4 5 6 7 8\ncpu0 1 2 3 4 5 6 7 8\n");
	put("proc/loadavg", "0.1 0.2 0.3 1/99 1234\n");
	c = collector_on_root(false);
	assert_non_null(c);
	stats = collector_stats(c);
	collector_sample(c, &sample);
	assert_true(sample_has(&sample, SOURCE_STAT) && sample_has(&sample, SOURCE_LOADAVG));
	assert_false(sample_has(&sample, SOURCE_MEMINFO));
	assert_true(stats->absent[SOURCE_MEMINFO]);
	assert_int_equal(stats->errors[SOURCE_MEMINFO], 1);

	/* A file that turns bad: missing, counted, looked at again after 30 s. */
	put("proc/loadavg", "rubbish\n");
	now_ns += 1000000000;
	collector_sample(c, &sample);
	assert_false(sample_has(&sample, SOURCE_LOADAVG));
	assert_int_equal(stats->errors[SOURCE_LOADAVG], 1);
	put("proc/loadavg", "0.1 0.2 0.3 1/99 1234\n");
	now_ns += 1000000000;
	collector_sample(c, &sample);
	assert_false(sample_has(&sample, SOURCE_LOADAVG));
	now_ns += INT64_C(30000000000);
	collector_sample(c, &sample);
	assert_true(sample_has(&sample, SOURCE_LOADAVG));

	/* What was absent is found when it appears, and was counted once. */
	now_ns += INT64_C(61000000000);
	collector_sample(c, &sample);
	assert_int_equal(stats->errors[SOURCE_MEMINFO], 1);
	put("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 50 kB\n");
	now_ns += INT64_C(61000000000);
	collector_sample(c, &sample);
	assert_true(sample_has(&sample, SOURCE_MEMINFO));
	assert_false(stats->absent[SOURCE_MEMINFO]);
	collector_free(c);
	take_away("proc/meminfo");
}

/* ---- perf events ---- */

static struct {
	int deny;     /* errno of every open, 0: allowed */
	int cpu_gone; /* opens on this CPU say ENODEV; -1: none */
	int no_event; /* this config cannot be opened; -1: none */
	int only_cpu; /* ... on this CPU; -1: on none */
	uint64_t count, enabled, running;
	size_t opened, events_of[8];
	bool short_read, zero;
} pmu;

static int pmu_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	assert_int_equal(pid, -1); /* the whole system, CPU by CPU */
	assert_int_equal(attr->type, PERF_TYPE_HARDWARE);
	if (pmu.deny)
		return -pmu.deny;
	if (cpu == pmu.cpu_gone)
		return -ENODEV;
	if ((int)attr->config == pmu.no_event && (pmu.only_cpu < 0 || cpu == pmu.only_cpu))
		return -ENOENT;
	if (group_fd < 0)
		pmu.events_of[cpu] = 0;
	pmu.events_of[cpu]++;
	pmu.opened++;
	return 100000 + cpu;
}

static ssize_t pmu_read(int fd, void *buf, size_t size)
{
	size_t n = pmu.events_of[fd - 100000];
	uint64_t v[16] = {n, pmu.enabled, pmu.running};

	for (size_t i = 0; i < n; i++)
		v[3 + i] = pmu.zero ? 0 : pmu.count * (i + 1);
	assert_true(size >= (3 + n) * sizeof(v[0]));
	memcpy(buf, v, (3 + n) * sizeof(v[0]));
	return pmu.short_read ? 8 : (ssize_t)((3 + n) * sizeof(v[0]));
}

static struct collector *with_pmu(void)
{
	memset(&pmu, 0, sizeof(pmu));
	pmu.cpu_gone = pmu.no_event = pmu.only_cpu = -1;
	pmu.count = 1000;
	pmu.enabled = pmu.running = 5000;
	fake.perf_open = pmu_open;
	fake.perf_read = pmu_read;
	put("proc/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\ncpu1 1 2 3 4\n");
	return NULL;
}

static bool reads_perf(struct collector *c)
{
	now_ns += 1000000000;
	collector_sample(c, &sample);
	return sample_has(&sample, SOURCE_PERF);
}

static void counters_are_summed_and_scaled(void **state)
{
	struct collector *c = with_pmu();

	(void)state;
	pmu.running = 1250; /* multiplexed: on the PMU for a quarter of the time */
	c = collector_on_root(true);
	assert_true(reads_perf(c));
	assert_true(sample.perf[PERF_CYCLES] == 2 * 1000 * 4);
	assert_true(sample.perf[PERF_INSTRUCTIONS] == 2 * 2000 * 4);
	collector_free(c);
}

/* As many CPUs as a process is given descriptors: the rest of the program needs some too. */
static void there_are_descriptors_for_all_counters(void **state)
{
	struct collector *c = with_pmu();
	struct rlimit before, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = (struct rlimit){.rlim_cur = 30, .rlim_max = before.rlim_max};
	if (before.rlim_max < 1024 || setrlimit(RLIMIT_NOFILE, &now) < 0)
		skip();
	c = collector_on_root(true);
	assert_true(reads_perf(c));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_true(now.rlim_cur >= 7 * collector_cpus(c) + 200);
	collector_free(c);
	setrlimit(RLIMIT_NOFILE, &before);
}

static void an_event_that_is_not_there_is_missing(void **state)
{
	struct collector *c = with_pmu();

	(void)state;
	pmu.no_event = PERF_COUNT_HW_CACHE_REFERENCES;
	c = collector_on_root(true);
	assert_true(reads_perf(c));
	assert_true(isnan(sample.perf[PERF_CACHE_REFERENCES]));
	assert_true(sample.perf[PERF_CACHE_MISSES] == 2 * 3000);
	collector_free(c);
	/* What one CPU has alone is the sum of no machine. */
	pmu.only_cpu = 1;
	c = collector_on_root(true);
	assert_true(reads_perf(c));
	assert_true(isnan(sample.perf[PERF_CACHE_REFERENCES]));
	assert_true(sample.perf[PERF_INSTRUCTIONS] == 2 * 2000);
	collector_free(c);
}

static void counters_that_stay_zero_are_absent(void **state)
{
	struct collector *c = with_pmu();

	(void)state;
	pmu.zero = true;
	c = collector_on_root(true);
	assert_false(reads_perf(c));
	pmu.zero = false; /* a migration brought a vPMU */
	assert_true(reads_perf(c));
	collector_free(c);
}

static void no_permission_is_absent(void **state)
{
	static const int refusals[] = {EACCES, EPERM, ENOENT, ENOSYS, EOPNOTSUPP};
	struct collector *c;

	(void)state;
	for (size_t i = 0; i < array_size(refusals); i++) {
		with_pmu();
		pmu.deny = refusals[i];
		c = collector_on_root(true);
		assert_false(reads_perf(c));
		assert_true(collector_stats(c)->absent[SOURCE_PERF]);
		assert_int_equal(collector_stats(c)->errors[SOURCE_PERF], 1);
		pmu.deny = 0; /* the administrator allowed it */
		now_ns += INT64_C(61000000000);
		assert_true(reads_perf(c));
		collector_free(c);
	}
}

static void a_short_read_is_an_error_that_heals(void **state)
{
	struct collector *c = with_pmu();

	(void)state;
	c = collector_on_root(true);
	pmu.short_read = true;
	assert_false(reads_perf(c));
	assert_int_equal(collector_stats(c)->errors[SOURCE_PERF], 1);
	pmu.short_read = false;
	now_ns += INT64_C(31000000000);
	assert_true(reads_perf(c));
	collector_free(c);
}

static void a_sum_that_lacks_a_cpu_is_no_sum(void **state)
{
	struct collector *c = with_pmu();

	(void)state;
	pmu.cpu_gone = 1;
	c = collector_on_root(true);
	assert_false(reads_perf(c)); /* /proc/stat lists CPU 1, perf does not have it */
	pmu.cpu_gone = -1;
	assert_true(reads_perf(c));
	/* CPU 1 goes offline: its group is closed, the rest counts on. */
	put("proc/stat", "cpu  1 2 3 4\ncpu0 1 2 3 4\n");
	collector_free(c);
	c = collector_on_root(true);
	assert_true(reads_perf(c));
	assert_true(sample.perf[PERF_CYCLES] == 1000);
	collector_free(c);
}

/* ---- identity ---- */

static struct identity id;

static int identity_of(const char *cpuinfo)
{
	struct root r;

	put("proc/cpuinfo", cpuinfo);
	assert_int_equal(root_init(&r, top, NULL), 0);
	return identity_read(&id, &r, NULL);
}

static void cpuinfo_of_many_kinds(void **state)
{
	(void)state;
	assert_int_equal(
		identity_of("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\n"
			    "model\t\t: 158\nmodel name\t: Intel(R) Xeon(R)\nstepping\t: 13\n"
			    "cpu MHz\t\t: 3400.5\nphysical id\t: 0\ncore id\t\t: 0\n\n"
			    "processor\t: 1\nphysical id\t: 1\ncore id\t\t: 0\n"),
		0);
	assert_string_equal(id.vendor, "GenuineIntel");
	assert_true(id.family == 6 && id.model == 158 && id.stepping == 13);
	assert_true(id.n_cpus == 2 && id.n_sockets == 2 && id.n_cores == 2);
	assert_close(id.nominal_mhz, 3400.5, 1e-12);
	/* ARM says neither vendor_id nor model. */
	assert_int_equal(
		identity_of("processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\n\n"
			    "processor\t: 1\nBogoMIPS\t: 243.75\n"),
		0);
	assert_int_equal(id.n_cpus, 2);
	assert_true(id.n_cores == 2 && id.n_sockets == 1);
	/* Nonsense is nothing, not a crash. */
	assert_int_equal(identity_of("model name\t: \nprocessor\nprocessor : x\n: : :\n"), 0);
	assert_int_equal(identity_of(""), 0);
	take_away("proc/cpuinfo");
}

static void isolated_cpus_beyond_the_table_count(void **state)
{
	char *text = calloc(1, 64 * (IDENTITY_CPUS_MAX + 6));
	char *at = text;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < IDENTITY_CPUS_MAX + 6; i++)
		at += sprintf(at, "processor\t: %d\n\n", i);
	put("sys/devices/system/cpu/isolated", "1020-1027,2000\n");
	assert_int_equal(identity_of(text), 0);
	assert_int_equal(id.n_cpus, IDENTITY_CPUS_MAX + 6);
	assert_int_equal(id.n_isolated, 8);
	take_away("sys/devices/system/cpu/isolated");
	take_away("proc/cpuinfo");
	free(text);
}

/* Captured machines: each is itself, and none is another. */
static void tells_one_machine_from_another(void **state)
{
	static const char *const names[] = {"epyc-2vcpu", "one-vcpu", "sixty-four-vcpu"};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < array_size(names); i++) {
		struct identity *one = calloc(1, sizeof(*one));
		char path[512];
		struct root root;

		assert_non_null(one);
		snprintf(path, sizeof(path), "%s/tests/roots/%s/0", SOURCE_ROOT, names[i]);
		assert_int_equal(root_init(&root, path, &e), 0);
		assert_int_equal(identity_read(one, &root, &e), 0);
		assert_string_equal(identity_difference(one, &root, false), "");
		for (size_t k = 0; k < array_size(names); k++) {
			snprintf(path, sizeof(path), "%s/tests/roots/%s/0", SOURCE_ROOT, names[k]);
			assert_int_equal(root_init(&root, path, &e), 0);
			if (k != i)
				assert_true(identity_difference(one, &root, false)[0]);
		}
		free(one);
	}
}

/* ---- the core clock ---- */

#if defined(__x86_64__)
/* Multiplications, each of which needs the one before: three cycles apiece (four on some AMD), MHz
 * of a third of that. */
static double multiplications_mhz(void)
{
	double least = INFINITY;

	for (int k = 0; k < 50; k++) {
		int64_t begin = kernel_linux.monotonic_ns();
		uint64_t x = 3;

		for (int i = 0; i < 5000; i++)
			__asm__ volatile("imul %0, %0\n\timul %0, %0\n\timul %0, %0\n\timul %0, %0"
					 : "+r"(x));
		least = fmin(least, (double)(kernel_linux.monotonic_ns() - begin));
	}
	return 4 * 5000 * 1e3 / least;
}

/*
 * Some cores carry out additions of a constant before they are executed: such a chain once told
 * 8 to 14 GHz on a core of 3. Other instructions must tell the same clock.
 */
static void the_core_clock_is_that_of_other_instructions(void **state)
{
	struct root root;
	struct source_context c = {.root = &root, .kernel = &kernel_linux, .clock_probe = true};
	static struct identity identity;
	bool agrees = false;
	double ratio = NAN;

	(void)state;
	assert_int_equal(root_init(&root, NULL, NULL), 0);
	assert_int_equal(identity_read(&identity, &root, NULL), 0);
	if (getenv("EMULATED") || strstr(identity.model_name, "TCG"))
		skip();				  /* an emulator's cycles are nobody's */
	for (int i = 0; i < 20 && !agrees; i++) { /* others may be on this CPU */
		struct sample s = {.mono_ns = kernel_linux.monotonic_ns()};
		void *probe;

		assert_int_equal(clock_source.open(&c, &probe), 0);
		if (clock_source.read(probe, &s) == 0)
			ratio = s.core_clock_mhz / multiplications_mhz();
		clock_source.close(probe);
		agrees = fabs(ratio / 3 - 1) < 0.05 || fabs(ratio / 4 - 1) < 0.05;
	}
	print_message("# an addition takes 1 / %.2f of a multiplication\n", ratio);
	assert_true(agrees);
}
#else
static void the_core_clock_is_that_of_other_instructions(void **state)
{
	(void)state;
	skip();
}
#endif

int main(void)
{
	const struct CMUnitTest parsers[] = {
		cmocka_unit_test_setup_teardown(stat_of_an_old_kernel, room, no_room),
		cmocka_unit_test_setup_teardown(cpus_beyond_the_room_are_counted, room, no_room),
		cmocka_unit_test(the_core_clock_is_that_of_other_instructions),
		cmocka_unit_test_setup_teardown(text_that_lacks_what_every_kernel_prints, room,
						no_room),
		cmocka_unit_test_setup_teardown(only_whole_disks_count, room, no_room),
		cmocka_unit_test_setup_teardown(sources_come_and_go, room, no_room),
		cmocka_unit_test_setup_teardown(counters_are_summed_and_scaled, room, no_room),
		cmocka_unit_test_setup_teardown(there_are_descriptors_for_all_counters, room,
						no_room),
		cmocka_unit_test_setup_teardown(an_event_that_is_not_there_is_missing, room,
						no_room),
		cmocka_unit_test_setup_teardown(counters_that_stay_zero_are_absent, room, no_room),
		cmocka_unit_test_setup_teardown(no_permission_is_absent, room, no_room),
		cmocka_unit_test_setup_teardown(a_short_read_is_an_error_that_heals, room, no_room),
		cmocka_unit_test_setup_teardown(a_sum_that_lacks_a_cpu_is_no_sum, room, no_room),
		cmocka_unit_test(cpuinfo_of_many_kinds),
		cmocka_unit_test(isolated_cpus_beyond_the_table_count),
		cmocka_unit_test(tells_one_machine_from_another),
	};

	return cmocka_run_group_tests_name(__FILE__, parsers, make_root, remove_root);
}
