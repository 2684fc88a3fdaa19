// SPDX-License-Identifier: Apache-2.0
/* interval: whatever two samples say, a row is right or missing, never absurd. */
#include "test.h"

#include "base/cleanup.h"
#include "features/interval.h"

#define CPUS  4
#define TRIES 20000
#define S     INT64_C(1000000000)

static struct sample a, b;

static int room(void **state)
{
	(void)state;
	return sample_init(&a, CPUS, NULL) < 0 || sample_init(&b, CPUS, NULL) < 0;
}

static int no_room(void **state)
{
	(void)state;
	sample_release(&a);
	sample_release(&b);
	return 0;
}

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void) /* xorshift64 */
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint64_t below(uint64_t n)
{
	return next_random() % n;
}

/* An ordinary machine at boot + 1000 s. */
static void ordinary(struct sample *s)
{
	struct cpu_times *cpus = s->cpus;
	uint8_t *online = s->online;

	*s = (struct sample){.mono_ns = 1000 * S,
			     .boot_ns = 1000 * S,
			     .real_ns = 1700000000 * S,
			     .have = (1u << SOURCE_COUNT) - 1,
			     .cpus = cpus,
			     .online = online,
			     .cpus_cap = CPUS,
			     .n_online = CPUS,
			     .memory_total_kib = 1000,
			     .memory_available_kib = 400,
			     .core_clock_mhz = 3000,
			     .frequency_mhz = 2000};
	for (int i = 0; i < CPUS; i++) {
		online[i] = 1;
		for (int k = 0; k < CPU_TIME_COUNT; k++) {
			cpus[i].ticks[k] = 1000;
			s->cpu.ticks[k] += 1000;
		}
	}
	for (int k = 0; k < PERF_COUNTER_COUNT; k++)
		s->perf[k] = 1e9;
}

/* `seconds` later, CPU i busy for busy[i] of it. */
static void later(double seconds, const double busy[CPUS])
{
	b.mono_ns = a.mono_ns + (int64_t)(seconds * 1e9);
	b.boot_ns = a.boot_ns + (int64_t)(seconds * 1e9);
	b.real_ns = a.real_ns + (int64_t)(seconds * 1e9);
	for (int i = 0; i < CPUS; i++) {
		uint64_t user = (uint64_t)(busy[i] * seconds * USER_HZ);
		uint64_t idle = (uint64_t)(seconds * USER_HZ) - user;

		b.cpus[i].ticks[CPU_TIME_USER] += user;
		b.cpus[i].ticks[CPU_TIME_IDLE] += idle;
		b.cpu.ticks[CPU_TIME_USER] += user;
		b.cpu.ticks[CPU_TIME_IDLE] += idle;
	}
}

static unsigned both(struct row *r, double seconds)
{
	static const double busy[CPUS] = {1, 0.5, 0, 0};

	ordinary(&a);
	ordinary(&b);
	later(seconds, busy);
	return interval_row(&a, &b, r);
}

static void rates_are_per_second_at_any_length(void **state)
{
	static const double lengths[] = {0.5, 1, 1.37, 5, 60, 3600};
	struct row r;

	(void)state;
	for (size_t i = 0; i < array_size(lengths); i++) {
		assert_int_equal(both(&r, lengths[i]), INTERVAL_OK);
		assert_close(r.dt_s, lengths[i], 1e-9);
		assert_close(r.v[FEATURE_CPU_UTILIZATION], 0.375, 0.02 / lengths[i]);
		assert_close(r.v[FEATURE_CPU_BUSY_VCPUS], 1.5, 0.02 / lengths[i]);
		assert_close(r.v[FEATURE_CPU_BUSY_MAX], 1, 1e-9);
		b.context_switches = a.context_switches + 700;
		interval_row(&a, &b, &r);
		assert_close(r.v[FEATURE_CONTEXT_SWITCH_RATE], 700 / lengths[i], 1e-9);
	}
	assert_int_equal(both(&r, 0.005), INTERVAL_SHORT);
	feature_foreach (f)
		assert_true(isnan(r.v[f]));
}

/* Two reloads 15 ms apart once published no watts and lost the joules of that time. */
static void too_few_ticks_to_tell_the_load_wait_for_more(void **state)
{
	struct row r;

	(void)state;
	ordinary(&a);
	ordinary(&b);
	b.mono_ns += S / 1000 * 15;
	b.boot_ns += S / 1000 * 15;
	b.real_ns += S / 1000 * 15;
	b.cpu.ticks[CPU_TIME_IDLE] += CPUS - 2;
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_SHORT);
	feature_foreach (f)
		assert_true(isnan(r.v[f]));
	b.cpu.ticks[CPU_TIME_IDLE] += 1;
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_OK);
	assert_false(isnan(r.v[FEATURE_CPU_UTILIZATION]));
}

static void counters_that_fall_are_missing(void **state)
{
	struct row r;

	(void)state;
	both(&r, 1);
	a.context_switches = 5000;
	b.context_switches = 10;
	a.net_sent_bytes = UINT64_C(1) << 40;
	b.net_sent_bytes = 3;
	a.psi_cpu_us = 900;
	b.psi_cpu_us = 1;
	a.perf[PERF_BRANCHES] = 5;
	b.perf[PERF_BRANCHES] = 1;
	b.perf[PERF_CYCLES] = a.perf[PERF_CYCLES] + 10;
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_OK);
	assert_true(isnan(r.v[FEATURE_CONTEXT_SWITCH_RATE]));
	assert_true(isnan(r.v[FEATURE_NET_TX_BYTES_RATE]));
	assert_true(isnan(r.v[FEATURE_PSI_CPU_SOME_RATIO]));
	assert_true(isnan(r.v[FEATURE_BRANCHES_RATE]));
	assert_true(r.v[FEATURE_CYCLES_RATE] == 10);
	assert_close(r.v[FEATURE_CPU_UTILIZATION], 0.375, 0.02); /* the others stay */
}

static void idle_may_fall_a_little(void **state)
{
	struct row r;

	(void)state;
	both(&r, 1);
	b.cpu.ticks[CPU_TIME_IOWAIT] -= 2; /* tickless kernels do that */
	interval_row(&a, &b, &r);
	assert_true(r.v[FEATURE_CPU_IOWAIT] == 0);
	assert_close(r.v[FEATURE_CPU_UTILIZATION], 0.375, 0.02);
}

static void suspended_time_does_not_count(void **state)
{
	struct row r;

	(void)state;
	both(&r, 2);
	b.boot_ns += 3600 * S;
	b.real_ns += 3600 * S;
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_SUSPEND);
	assert_close(r.dt_s, 2, 1e-9);
	assert_close(r.v[FEATURE_CPU_UTILIZATION], 0.375, 0.02);
}

static void a_stepped_clock_does_no_harm(void **state)
{
	struct row r;

	(void)state;
	both(&r, 2);
	b.real_ns -= 7200 * S;
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_STEP);
	assert_close(r.dt_s, 2, 1e-9);
	assert_close(r.v[FEATURE_CPU_BUSY_VCPUS], 1.5, 0.02);
}

static void a_cpu_that_comes_or_goes(void **state)
{
	struct row r;

	(void)state;
	both(&r, 2);
	b.online[3] = 0;
	b.n_online = 3;
	for (int k = 0; k < CPU_TIME_COUNT; k++)
		b.cpu.ticks[k] -= 900; /* the kernel's sum loses it at once */
	assert_int_equal(interval_row(&a, &b, &r), INTERVAL_HOTPLUG);
	assert_true(r.v[FEATURE_VCPUS] == 3);
	assert_close(r.v[FEATURE_CPU_UTILIZATION], 0.5, 0.02); /* 1, 0.5 and 0 */
	assert_close(r.v[FEATURE_CPU_BUSY_VCPUS], 1.5, 0.02);
}

static void a_missing_source_is_not_zero(void **state)
{
	struct row r;

	(void)state;
	both(&r, 2);
	a.have = 0;
	interval_row(&a, &b, &r);
	assert_true(isnan(r.v[FEATURE_CPU_UTILIZATION]) && isnan(r.v[FEATURE_PAGE_FAULT_RATE]));
	assert_true(r.v[FEATURE_MEMORY_USAGE_PERCENT] == 60); /* a level needs one end only */
	b.have = 0;
	interval_row(&a, &b, &r);
	feature_foreach (f)
		assert_true(isnan(r.v[f]));
}

static void counters_that_stand_still_under_load_are_gone(void **state)
{
	struct row r;

	(void)state;
	both(&r, 2);
	interval_row(&a, &b, &r);
	assert_true(isnan(r.v[FEATURE_CYCLES_RATE]) && isnan(r.v[FEATURE_INSTRUCTIONS_PER_CYCLE]));
}

/* A counter that mostly moves on a little, and sometimes jumps anywhere. */
static void disturb(uint64_t *v)
{
	*v = below(20) ? *v + below(40) : next_random() >> below(64);
}

static void disturb_sample(void)
{
	uint64_t *counters[] = {
		&b.context_switches, &b.interrupts,	     &b.forks,
		&b.procs_running,    &b.procs_blocked,	     &b.memory_available_kib,
		&b.page_faults,	     &b.major_faults,	     &b.paged_in_kib,
		&b.paged_out_kib,    &b.swapped_in,	     &b.swapped_out,
		&b.disk_read_bytes,  &b.disk_written_bytes,  &b.net_received_bytes,
		&b.net_sent_bytes,   &b.psi_cpu_us,	     &b.psi_memory_us,
		&b.psi_io_us,	     &b.scheduling_entities, &b.softirq_net_rx,
		&b.softirq_net_tx,   &b.softirq_block};

	for (size_t i = 0; i < array_size(counters); i++)
		disturb(counters[i]);
	for (int k = 0; k < CPU_TIME_COUNT; k++)
		disturb(&b.cpu.ticks[k]);
	for (int i = 0; i < CPUS; i++) {
		for (int k = 0; k < CPU_TIME_COUNT; k++)
			disturb(&b.cpus[i].ticks[k]);
		if (!below(10))
			b.online[i] = 0;
	}
	b.n_online = 1 + (unsigned)below(CPUS);
	b.have = below(4) ? b.have : (uint32_t)next_random();
	b.mono_ns += (int64_t)below((uint64_t)(3 * S));
	b.boot_ns += (int64_t)below((uint64_t)(6 * S));
	b.real_ns += (int64_t)below((uint64_t)(6 * S)) - 3 * S;
	for (int k = 0; k < PERF_COUNTER_COUNT; k++)
		b.perf[k] = below(5) ? b.perf[k] + (double)below(1000) : NAN;
}

static bool is_share(enum feature f)
{
	const char *unit = feature_info(f)->unit, *source = feature_info(f)->source;

	return !strcmp(unit, "ratio") && (!strcmp(source, "stat") || !strcmp(source, "pressure"));
}

static void nothing_absurd_comes_of_any_two_samples(void **state)
{
	static const enum feature parts[] = {
		FEATURE_CPU_USER, FEATURE_CPU_NICE,    FEATURE_CPU_SYSTEM,     FEATURE_CPU_IOWAIT,
		FEATURE_CPU_IRQ,  FEATURE_CPU_SOFTIRQ, FEATURE_CPU_STEAL_TIME, FEATURE_CPU_IDLE};
	size_t answered = 0;

	(void)state;
	for (int i = 0; i < TRIES; i++) {
		double sum = 0;
		struct row r;

		both(&r, 0.001 + (double)below(2000) / 1000);
		disturb_sample();
		interval_row(&a, &b, &r);
		feature_foreach (f) {
			assert_true(isnan(r.v[f]) || (isfinite(r.v[f]) && r.v[f] >= 0));
			assert_true(isnan(r.v[f]) || !is_share(f) || r.v[f] <= 1);
		}
		for (size_t k = 0; k < array_size(parts); k++)
			sum += r.v[parts[k]];
		assert_true(isnan(sum) || fabs(sum - 1) < 1e-9);
		assert_true(isnan(r.v[FEATURE_CPU_BUSY_VCPUS]) ||
			    r.v[FEATURE_CPU_BUSY_VCPUS] <= r.v[FEATURE_VCPUS] * (1 + 1e-12));
		answered += !isnan(r.v[FEATURE_CPU_UTILIZATION]);
	}
	assert_true(answered > TRIES / 10); /* the test is not empty */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_per_second_at_any_length),
		cmocka_unit_test(too_few_ticks_to_tell_the_load_wait_for_more),
		cmocka_unit_test(counters_that_fall_are_missing),
		cmocka_unit_test(idle_may_fall_a_little),
		cmocka_unit_test(suspended_time_does_not_count),
		cmocka_unit_test(a_stepped_clock_does_no_harm),
		cmocka_unit_test(a_cpu_that_comes_or_goes),
		cmocka_unit_test(a_missing_source_is_not_zero),
		cmocka_unit_test(counters_that_stand_still_under_load_are_gone),
		cmocka_unit_test(nothing_absurd_comes_of_any_two_samples),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, room, no_room);
}
