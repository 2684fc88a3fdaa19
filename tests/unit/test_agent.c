// SPDX-License-Identifier: Apache-2.0
/* agent: accounts, the file of joules, the confidence policy, machines. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "agent/account.h"
#include "agent/policy.h"
#include "agent/state.h"
#include "model/fit.h"

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
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_directory, remove_directory);
}
