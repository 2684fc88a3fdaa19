// SPDX-License-Identifier: Apache-2.0
/* workload: plans, what a phase asks for, what is refused. */
#include "folder.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "workload/budget.h"

static struct plan *parse(const char *text, struct err *e)
{
	struct plan *p = NULL;

	*e = (struct err)ERR_INIT;
	plan_parse(text, strlen(text), "p.yaml", &p, e);
	return p;
}

static void every_ready_plan_parses(void **state)
{
	const struct budget have = {
		.memory_bytes = UINT64_C(1) << 30,
		.disk_bytes = UINT64_C(8) << 30,
		.disk_total_bytes = UINT64_C(10) << 30,
		.cpus = 2,
	};

	(void)state;
	for (size_t i = 0; i < n_ready_plans; i++) {
		struct err e;
		struct plan *p = parse(ready_plans[i].yaml, &e);

		assert_string_equal(e.msg, "");
		assert_non_null(p);
		assert_string_equal(p->name, ready_plans[i].name);
		for (size_t k = 0; k < p->n_phases; k++) /* they fit a machine of 1 GiB */
			assert_int_equal(budget_check(&p->phases[k], &have, &e), 0);
		free(p);
	}
}

static void a_bad_plan_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"", "p.yaml:1:1: found nothing"},
		{"name: x\n", "p.yaml:1:1: a plan needs phases"},
		{"- a\n", "a plan: found a list, allowed: a section"},
		{"name: x\nphases: []\n", "p.yaml:2:9: phases: found an empty list"},
		{"name: a b\nphases: []\n", "p.yaml:1:7: name: found 'a b', allowed: 1 to 63"},
		{"name: x\nphasses: []\n",
		 "p.yaml:2:1: unknown key 'phasses' of a plan; did you mean"},
		{"name: x\nname: y\n", "p.yaml:2:1: name is given twice"},
		{"name: x\nphases: [{name: a}]\n", "p.yaml:2:10: a phase needs duration"},
		{"name: x\nphases: [{name: a, duration: 10ms}]\n", ":30: duration: found '10ms'"},
		{"name: x\nphases: [{name: a, duration: 1s, burst: [1s]}]\n", "burst: "},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{load: 3}]}]\n",
		 "a load needs kind"},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{kind: cpu-prime, load: "
		 "101}]}]\n",
		 "load: found '101', allowed: a percentage"},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{kind: cpu-prime, load: "
		 "0..}]}]\n",
		 "load: found '0..'"},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{kind: cpu-prime, workers: "
		 "0}]}]\n",
		 "workers: found '0', allowed: all"},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{kind: cpu-prime, size: "
		 "5%}]}]\n",
		 "size: cpu-prime takes none"},
		{"name: x\nphases: [{name: a, duration: 1s, loads: [{kind: network-tcp}]}]\n",
		 "did you mean 'network"},
		{"name: &a x\nphases: *a\n", "aliases are not allowed"},
		{"name: \"x\n", "not YAML"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e;

		assert_null(parse(cases[i].text, &e));
		if (!strstr(e.msg, cases[i].said))
			print_error("%s\n", e.msg);
		assert_non_null(strstr(e.msg, cases[i].said));
	}
}

static void ramps_and_bursts_follow_the_clock(void **state)
{
	struct err e;
	struct plan *p =
		parse("name: x\nphases:\n"
		      "  - {name: r, duration: 100s, loads: [{kind: cpu-prime, load: 0..100..0}]}\n"
		      "  - {name: b, duration: 10s, burst: [2s, 3s], loads: [{kind: cpu-prime, "
		      "load: 80}]}\n",
		      &e);
	const struct phase *ramp, *burst;

	(void)state;
	assert_non_null(p);
	ramp = &p->phases[0];
	burst = &p->phases[1];
	assert_close(phase_share(ramp, &ramp->loads[0], 0, 100), 0, 0);
	assert_close(phase_share(ramp, &ramp->loads[0], 25, 100), 0.5, 1e-12);
	assert_close(phase_share(ramp, &ramp->loads[0], 50, 100), 1, 1e-12);
	assert_close(phase_share(ramp, &ramp->loads[0], 90, 100), 0.2, 1e-12);
	assert_close(phase_share(ramp, &ramp->loads[0], 100, 100), 0, 0);
	assert_close(phase_share(burst, &burst->loads[0], 1.9, 10), 0.8, 1e-12);
	assert_close(phase_share(burst, &burst->loads[0], 2.1, 10), 0, 0);
	assert_close(phase_share(burst, &burst->loads[0], 5.1, 10), 0.8, 1e-12);
	free(p);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct budget have = {.memory_bytes = 1000u << 20,
			      .disk_bytes = UINT64_C(3) << 30,
			      .disk_total_bytes = UINT64_C(20) << 30,
			      .cpus = 4};
	struct err e;
	struct plan *p = parse(
		"name: x\nphases:\n"
		"  - {name: m, duration: 1s, loads: [{kind: memory-random, size: 40%}, {kind: "
		"memory-stream, size: 41%}]}\n"
		"  - {name: n, duration: 1s, loads: [{kind: memory-random, size: 80%}]}\n"
		"  - {name: d, duration: 1s, loads: [{kind: disk-write, size: 1025M}]}\n"
		"  - {name: f, duration: 1s, loads: [{kind: disk-write, size: 1024M}]}\n",
		&e);

	(void)state;
	assert_non_null(p);
	assert_int_equal(budget_check(&p->phases[0], &have, &e), -ENOMEM);
	assert_non_null(strstr(e.msg, "lower its size to 800 MiB"));
	assert_int_equal(budget_check(&p->phases[1], &have, &e), 0);
	assert_int_equal(budget_check(&p->phases[2], &have, &e), -ENOSPC);
	assert_int_equal(budget_check(&p->phases[3], &have, &e), 0);
	assert_int_equal(load_worker_bytes(&p->phases[1].loads[0], &have), 200u << 20);
	have.disk_in_memory = true;
	assert_int_equal(budget_check(&p->phases[3], &have, &e), -EINVAL);
	free(p);
}

static void put(const char *name, const char *text)
{
	char path[160];
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path); /* of the test before */
	assert_int_equal(file_make_directories(path, 0700, &e), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(file_replace(path, 0600, text, strlen(text), &e), 0);
}

/* Ours is a part of another's; what files take in it gives way. */
static void the_least_of_all_cgroups_counts(void **state)
{
	struct budget have;
	struct root root;
	struct err e = ERR_INIT;

	(void)state;
	put("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n");
	put("proc/self/cgroup", "4:memory:/elsewhere\n0::/a.slice/b.scope\n");
	put("sys/fs/cgroup/a.slice/memory.max", "1000000000\n");
	put("sys/fs/cgroup/a.slice/memory.current", "900000000\n");
	put("sys/fs/cgroup/a.slice/memory.stat", "anon 1\ninactive_file 500000000\n");
	put("sys/fs/cgroup/a.slice/b.scope/memory.max", "max\n");
	put("sys/fs/cgroup/a.slice/b.scope/memory.current", "5\n");
	assert_int_equal(root_init(&root, dir, &e), 0);
	assert_int_equal(budget_read(&root, NULL, &have, &e), 0);
	assert_int_equal(have.memory_bytes, 600000000);
	put("sys/fs/cgroup/memory.max", "300\n");
	put("sys/fs/cgroup/memory.current", "100\n");
	assert_int_equal(budget_read(&root, NULL, &have, &e), 0);
	assert_int_equal(have.memory_bytes, 200);
}

/* As in a container, which sees the host's path and has its own at the mount. */
static void cgroups_of_the_first_version_count_too(void **state)
{
	struct err e = ERR_INIT;
	struct budget have;
	struct root root;

	(void)state;
	put("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n");
	put("proc/self/cgroup", "9:cpuset:/docker/1\n4:memory:/docker/1\n");
	put("sys/fs/cgroup/memory.max", "max\n");
	put("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000000\n");
	put("sys/fs/cgroup/memory/memory.usage_in_bytes", "900000000\n");
	put("sys/fs/cgroup/memory/memory.stat", "cache 1\ntotal_inactive_file 500000000\n");
	assert_int_equal(root_init(&root, dir, &e), 0);
	assert_int_equal(budget_read(&root, NULL, &have, &e), 0);
	assert_int_equal(have.memory_bytes, 600000000);
	put("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "300\n");
	put("sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes", "100\n");
	assert_int_equal(budget_read(&root, NULL, &have, &e), 0);
	assert_int_equal(have.memory_bytes, 200);
}

static unsigned simulated_cpus; /* of a kernel that has as many; 0: ask the real one */

/* In the place of libc's. As in the kernel, a set with less room than its own is refused. */
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *ret)
{
	memset(ret, 0, size);
	if (!simulated_cpus)
		return syscall(SYS_sched_getaffinity, pid, size, ret) < 0 ? -1 : 0;
	if (8 * size < simulated_cpus) {
		errno = EINVAL;
		return -1;
	}
	for (unsigned i = 0; i < simulated_cpus; i++)
		CPU_SET_S(i, size, ret);
	return 0;
}

static void a_machine_of_many_cpus_is_counted(void **state)
{
	struct err e = ERR_INIT;
	struct budget have;
	struct root root;

	(void)state;
	assert_int_equal(root_init(&root, dir, &e), 0);
	simulated_cpus = 1500;
	assert_int_equal(budget_read(&root, NULL, &have, &e), 0);
	simulated_cpus = 0;
	assert_int_equal(have.cpus, 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ready_plan_parses),
		cmocka_unit_test(a_bad_plan_is_told_with_its_place),
		cmocka_unit_test(ramps_and_bursts_follow_the_clock),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(the_least_of_all_cgroups_counts),
		cmocka_unit_test(cgroups_of_the_first_version_count_too),
		cmocka_unit_test(a_machine_of_many_cpus_is_counted),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
