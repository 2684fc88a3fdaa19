// SPDX-License-Identifier: Apache-2.0
/*
 * Machines of many shapes, each as two instants of its /proc and /sys (tests/roots), read by the
 * shipped collector and compared with what tests/roots/expect.py worked out on its own.
 */
#include "test.h"

#include <errno.h>
#include <linux/perf_event.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "collect/collector.h"
#include "collect/identity.h"
#include "features/interval.h"
#include "model/prior.h"

#define ROOTS SOURCE_ROOT "/tests/roots/"

static const struct shape {
	const char *name;
	double low_w,
		high_w;	 /* where the prior's package watts must lie: slope x load of such CPUs */
	unsigned cannot; /* os-tier features that such a machine does not have */
} shapes[] = {
	{"epyc-2vcpu", 0.5, 5, 1}, /* one of two CPUs of a Zen 4 spins; no cpufreq */
	{"one-vcpu", 0.1, 6, 1},   /* Cascade Lake at 4 W a CPU, some 30 % busy */
	{"sixty-four-vcpu", 30, 250, 0},
	{"no-psi", 1, 15, 4},	    /* no pressure, no cpufreq */
	{"old-kernel", 0.3, 10, 7}, /* besides: no MemAvailable (two features), steal always 0 */
	{"perf", 1, 12, 1},	    /* Zen 3 */
	{"steal-heavy", 0.5, 15, 1},
	{"hot-unplugged", 0.5, 15, 1},
	{"container", 0.3, 8, 1},
};

static double elapsed_s;
static int instant;
static const char *shape_name;

static double read_number(const char *file)
{
	char path[256];
	autofclose FILE *f = NULL;
	double v = NAN;

	snprintf(path, sizeof(path), ROOTS "%s/%s", shape_name, file);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lf", &v), 1);
	return v;
}

/* ---- a kernel that stands at the instant, and counts what the root's file `perf` says ---- */

static int64_t fake_clock_ns(void)
{
	return INT64_C(1000000000000) + (int64_t)(instant * elapsed_s * 1e9);
}

static const struct {
	uint64_t config;
	const char *name;
} counters[] = {
	{PERF_COUNT_HW_CPU_CYCLES, "cycles"},
	{PERF_COUNT_HW_INSTRUCTIONS, "instructions"},
	{PERF_COUNT_HW_CACHE_REFERENCES, "cache_references"},
	{PERF_COUNT_HW_CACHE_MISSES, "cache_misses"},
	{PERF_COUNT_HW_BRANCH_INSTRUCTIONS, "branches"},
	{PERF_COUNT_HW_BRANCH_MISSES, "branch_misses"},
	{PERF_COUNT_HW_REF_CPU_CYCLES, "ref_cycles"},
};

/* The value of `name` in the file `perf` of this instant; -1 where there is none. */
static int64_t perf_value(const char *name)
{
	char path[256], word[64];
	autofclose FILE *f = NULL;
	long long v;

	snprintf(path, sizeof(path), ROOTS "%s/%d/perf", shape_name, instant);
	f = fopen(path, "r");
	while (f && fscanf(f, "%63s %lld", word, &v) == 2) {
		if (!strcmp(word, name))
			return v;
	}
	return -1;
}

#define FAKE_FD 100000

/* CPU 0 counts everything, the others nothing: the sum is the file's. */
static int fake_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	(void)pid;
	(void)group_fd;
	if (perf_value("cycles") < 0)
		return -ENOENT;
	for (size_t i = 0; i < array_size(counters); i++) {
		if (counters[i].config == attr->config)
			return FAKE_FD + cpu;
	}
	return -EINVAL;
}

static ssize_t fake_perf_read(int fd, void *buf, size_t size)
{
	uint64_t v[3 + array_size(counters)] = {array_size(counters), 7000, 7000};

	assert_true(size >= sizeof(v));
	for (size_t i = 0; fd == FAKE_FD && i < array_size(counters); i++)
		v[3 + i] = (uint64_t)perf_value(counters[i].name);
	memcpy(buf, v, sizeof(v));
	return sizeof(v);
}

static const struct kernel fake = {
	.monotonic_ns = fake_clock_ns,
	.boottime_ns = fake_clock_ns,
	.realtime_ns = fake_clock_ns,
	.thread_cpu_ns = fake_clock_ns,
	.perf_open = fake_perf_open,
	.perf_read = fake_perf_read,
};

static void root_of_instant(struct root *r)
{
	char path[256];

	snprintf(path, sizeof(path), ROOTS "%s/%d", shape_name, instant);
	assert_int_equal(root_init(r, path, NULL), 0);
	r->self = true; /* perf events count here, says the fake kernel */
}

static void take(struct sample *s)
{
	struct collector_options o = {.kernel = &fake, .perf = true, .cpus_cap = 128};
	struct collector *c;

	root_of_instant(&o.root);
	assert_int_equal(collector_new(&o, &c, NULL), 0);
	assert_int_equal(sample_init(s, collector_cpus(c), NULL), 0);
	collector_sample(c, s);
	collector_free(c);
}

static unsigned read_row(const struct shape *shape, struct row *row)
{
	struct sample before, now;
	unsigned events;

	shape_name = shape->name;
	elapsed_s = read_number("elapsed");
	instant = 0;
	take(&before);
	instant = 1;
	take(&now);
	events = interval_row(&before, &now, row);
	sample_release(&before);
	sample_release(&now);
	return events;
}

/* ---- what must come out ---- */

static size_t read_expected(double v[FEATURE_COUNT])
{
	char path[256], word[64];
	autofclose FILE *f = NULL;
	double value;
	size_t n = 0;

	snprintf(path, sizeof(path), ROOTS "%s/expected", shape_name);
	f = fopen(path, "r");
	assert_non_null(f);
	feature_foreach (k)
		v[k] = NAN;
	while (fscanf(f, "%63s %lf", word, &value) == 2) {
		int k = feature_find(word);

		assert_true(k >= 0);
		v[k] = value;
		n++;
	}
	return n;
}

static void every_shape_gives_what_was_worked_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(shapes); i++) {
		double expected[FEATURE_COUNT];
		struct row row;
		unsigned events = read_row(&shapes[i], &row);

		assert_int_equal(events, strcmp(shape_name, "hot-unplugged") ? INTERVAL_OK
									     : INTERVAL_HOTPLUG);
		assert_true(read_expected(expected) > 25);
		feature_foreach (k) {
			double scale = fmax(fabs(expected[k]), 1e-6);

			if (isnan(expected[k]) == isnan(row.v[k]) &&
			    !(fabs(expected[k] - row.v[k]) > 1e-9 * scale))
				continue;
			print_error("%s: %s is %.17g, expected %.17g\n", shape_name,
				    feature_info(k)->name, row.v[k], expected[k]);
			fail();
		}
	}
}

/* Of the features that every guest's kernel may give, most are there on every shape. */
static void os_features_are_available(void **state)
{
	unsigned available = 0, wanted = 0;

	(void)state;
	for (size_t i = 0; i < array_size(shapes); i++) {
		unsigned here = 0, all = 0;
		struct row row;

		read_row(&shapes[i], &row);
		feature_foreach (k) {
			if (feature_info(k)->tier != TIER_OS)
				continue;
			all++;
			here += !isnan(row.v[k]);
		}
		if (here + shapes[i].cannot < all)
			print_error("%s: %u of %u os-tier features\n", shape_name, here, all);
		assert_true(here + shapes[i].cannot >= all);
		available += here;
		wanted += all;
	}
	print_message("# os-tier features available: %u of %u (%.1f %%)\n", available, wanted,
		      100.0 * available / wanted);
	assert_true(available >= 0.9 * wanted);
}

static void the_prior_gives_believable_watts(void **state)
{
	static struct identity id;

	(void)state;
	for (size_t i = 0; i < array_size(shapes); i++) {
		struct estimate e = {.tier = TIER_OS};
		const struct zone_estimate *package = &e.zone[ZONE_PACKAGE];
		struct prior p;
		struct root root;
		struct row row;

		read_row(&shapes[i], &row);
		root_of_instant(&root);
		root.self = false; /* CPUID is not this machine's */
		assert_int_equal(identity_read(&id, &root, NULL), 0);
		prior_init(&p, &id);
		prior_fill(&p, &row, false, FALLBACK_NO_BUNDLE, &e);
		if (!(zone_watts(package) >= shapes[i].low_w &&
		      zone_watts(package) <= shapes[i].high_w))
			print_error("%s: %g W by %s\n", shape_name, zone_watts(package),
				    prior_name(&p));
		assert_in_range((int)(zone_watts(package) * 1000), (int)(shapes[i].low_w * 1000),
				(int)(shapes[i].high_w * 1000));
		assert_true(zone_watts(&e.zone[ZONE_CORE]) + zone_watts(&e.zone[ZONE_UNCORE]) <=
			    zone_watts(package) * (1 + 1e-9));
	}
}

static void machines_are_recognised(void **state)
{
	static const struct {
		const char *shape, *vendor, *hypervisor;
		unsigned n_cpus;
	} cases[] = {
		{"sixty-four-vcpu", "GenuineIntel", "kvm", 64},
		{"perf", "AuthenticAMD", "kvm", 8},
		{"old-kernel", "GenuineIntel", "vmware", 2},
		{"no-psi", "GenuineIntel", "kvm", 4},
		{"container", "GenuineIntel", "unknown", 2},
		{"hot-unplugged", "GenuineIntel", "kvm", 3},
	};
	static struct identity id;

	(void)state;
	instant = 1;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct root root;

		shape_name = cases[i].shape;
		root_of_instant(&root);
		root.self = false;
		assert_int_equal(identity_read(&id, &root, NULL), 0);
		assert_string_equal(id.vendor, cases[i].vendor);
		assert_string_equal(id.hypervisor, cases[i].hypervisor);
		assert_int_equal(id.n_cpus, cases[i].n_cpus);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_gives_what_was_worked_out),
		cmocka_unit_test(os_features_are_available),
		cmocka_unit_test(the_prior_gives_believable_watts),
		cmocka_unit_test(machines_are_recognised),
	};

	return run_unit(tests);
}
