// SPDX-License-Identifier: Apache-2.0
/* The host's own meter: counters that wrap, sockets, shares; and a store's answers. */
#include "folder.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "record/host_http.h"
#include "record/host_matrix.h"
#include "record/host_perf.h"
#include "record/host_rapl.h"
#include "record/host_share.h"

static struct err e;
static struct root root;

/* A file below the root, its folders made. */
static void put(const char *path, const char *text)
{
	char full[256], command[300];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", dir, path);
	snprintf(command, sizeof(command), "mkdir -p $(dirname %s)", full);
	assert_int_equal(system(command), 0);
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void zone(const char *directory, const char *name, const char *energy)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/powercap/%s/name", directory);
	put(path, name);
	snprintf(path, sizeof(path), "/sys/class/powercap/%s/energy_uj", directory);
	put(path, energy);
	snprintf(path, sizeof(path), "/sys/class/powercap/%s/max_energy_range_uj", directory);
	put(path, "262143328850\n");
}

static void growth_of_a_counter(void **state)
{
	(void)state;
	assert_close(rapl_growth_j(1000000, 3500000, 262143328850, 1), 2.5, 1e-12);
	/* over the wrap */
	assert_close(rapl_growth_j(262143000000, 1000000, 262143328850, 1), 1.32885, 1e-9);
	/* set back: the wrap would be 262 kJ in a second */
	assert_true(isnan(rapl_growth_j(200000000, 100000000, 262143328850, 1)));
	/* where it wraps is not known */
	assert_true(isnan(rapl_growth_j(2, 1, 0, 1)));
}

static void sums_sockets_and_says_what_happened(void **state)
{
	static struct rapl r;
	struct rapl_events events;
	double j[ZONE_COUNT];

	(void)state;
	assert_int_equal(root_init(&root, dir, &e), 0);
	assert_int_equal(rapl_open(&r, &root, &e), -ENODEV);
	assert_non_null(strstr(e.msg, "has no RAPL zone: record on the bare-metal host"));
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	zone("intel-rapl:1", "package-1\n", "262143000000\n");
	zone("intel-rapl:0:0", "dram\n", "5000000\n");
	zone("intel-rapl:1:0", "dram\n", "7000000\n");
	zone("intel-rapl:2", "psys\n", "0\n");
	zone("intel-rapl-mmio:0", "package-0\n", "1\n");
	zone("intel-rapl:0:9", "gadget\n", "1\n");
	put("/sys/class/powercap/intel-rapl/enabled", "1\n");
	assert_int_equal(rapl_open(&r, &root, &e), 0);
	assert_int_equal(r.n, 5);
	assert_string_equal(r.ignored, "gadget");
	zone("intel-rapl:0", "package-0\n", "11000000\n");
	zone("intel-rapl:1", "package-1\n", "1000000\n");
	zone("intel-rapl:0:0", "dram\n", "6000000\n");
	zone("intel-rapl:1:0", "dram\n", "6000000\n");
	rapl_read(&r, 1, j, &events);
	assert_close(j[ZONE_PACKAGE], 10 + 1.32885, 1e-9);
	assert_true(isnan(j[ZONE_DRAM])); /* one of its two was set back */
	assert_close(j[ZONE_PLATFORM], 0, 0);
	assert_true(isnan(j[ZONE_CORE]));
	assert_int_equal(events.wraps, 1);
	assert_int_equal(events.resets, 1);
	zone("intel-rapl:1:0", "dram\n", "6500000\n");
	put("/sys/class/powercap/intel-rapl:2/energy_uj", "torn");
	rapl_read(&r, 1, j, &events);
	assert_close(j[ZONE_DRAM], 0.5, 1e-9);
	assert_true(isnan(j[ZONE_PLATFORM]));
	assert_int_equal(events.unread, 1);
}

static void counters_follow_files_that_are_replaced(void **state)
{
	static struct rapl r;
	struct rapl_events events;
	char command[300];
	double j[ZONE_COUNT];

	(void)state;
	put("/energy/intel-rapl:0/name", "package-0\n");
	put("/energy/intel-rapl:0/energy_uj", "1000000\n");
	assert_int_equal(rapl_find(&r, &root, "/energy"), 0);
	/* another file of that name, not the same one written again */
	put("/energy/intel-rapl:0/new", "3500000\n");
	snprintf(command, sizeof(command), "cd %s/energy/intel-rapl:0 && mv new energy_uj", dir);
	assert_int_equal(system(command), 0);
	rapl_read(&r, 1, j, &events);
	assert_close(j[ZONE_PACKAGE], 2.5, 1e-12);
	/* one that is being written anew is not refreshed yet */
	put("/energy/intel-rapl:0/energy_uj", "");
	rapl_read(&r, 1, j, &events);
	assert_true(j[ZONE_PACKAGE] == 0 && events.unread == 0);
	snprintf(command, sizeof(command), "rm %s/energy/intel-rapl:0/energy_uj", dir);
	assert_int_equal(system(command), 0);
	rapl_read(&r, 1, j, &events);
	assert_true(isnan(j[ZONE_PACKAGE]) && events.unread == 1);
	put("/energy/intel-rapl:0/energy_uj", "4500000\n");
	rapl_read(&r, 1, j, &events);
	assert_close(j[ZONE_PACKAGE], 1, 1e-12);
	/* mounted over by our own tree meanwhile */
	assert_int_equal(system(command), 0);
	put("/energy/intel-rapl/vmwatts", "1\n");
	put("/energy/intel-rapl:0/energy_uj", "5500000\n");
	rapl_read(&r, 1, j, &events);
	assert_true(isnan(j[ZONE_PACKAGE]));
	rapl_close(&r);
}

static void a_tree_of_estimates_is_no_meter(void **state)
{
	static struct rapl r;

	(void)state;
	put("/sys/class/powercap/intel-rapl/vmwatts", "vmwatts 0.1.0\n");
	assert_int_equal(rapl_open(&r, &root, &e), -ENODEV);
	assert_non_null(strstr(e.msg, "estimates"));
}

static void reads_process_lines(void **state)
{
	struct share_process p;
	uint64_t total, idle;

	(void)state;
	assert_true(share_process_parse("4321 (CPU) 0/KVM) x) S 1 4321 4321 0 -1 138412416 1 2 3 4 "
					"150 50 0 0 20 0 9 0 8000 1 2 3",
					&p));
	assert_int_equal(p.pid, 4321);
	assert_int_equal(p.cpu_ticks, 200);
	assert_int_equal(p.start_ticks, 8000);
	assert_false(share_process_parse("", &p));
	assert_false(share_process_parse("4321 (x", &p));
	assert_false(share_process_parse("4321 (x) S 1 2", &p));
	assert_true(share_cpu_parse("cpu  10 1 5 70 4 2 3 5 9 9\ncpu0 1\n", &total, &idle));
	assert_int_equal(total, 100);
	assert_int_equal(idle, 74);
	assert_true(share_cpu_parse("cpu  10 1 5 84\n", &total, &idle));
	assert_int_equal(total, 100);
	assert_false(share_cpu_parse("intr 5\n", &total, &idle));
}

/* Kepler's formula on numbers worked out by hand. */
static void shares_energy_as_kepler_does(void **state)
{
	struct share_process b[] = {{1, 10, 100}, {7, 20, 500}, {9, 30, 50}, {11, 5, 5}};
	/* 7 ran 60, 9 is a later process with that pid (8 of its own), 12 is new (12), 1 ran 20 */
	struct share_process a[] = {{1, 10, 120}, {7, 20, 560}, {9, 99, 8}, {12, 50, 12}};
	struct share_snapshot before = {b, 4, 4, 1000, 800}, now = {a, 4, 4, 1400, 1000};

	(void)state;
	assert_int_equal(share_ticks_of_all(&before, &now), 100);
	assert_int_equal(share_ticks_of(&before, &now, 7), 60);
	assert_int_equal(share_ticks_of(&before, &now, 9), 8);
	assert_int_equal(share_ticks_of(&before, &now, 11), 0);
	assert_close(share_usage_ratio(&before, &now), 0.5, 1e-12);
	/* 40 J of the node, half of them active, 60 of 100 ticks */
	assert_close(share_energy_j(40, 0.5, 60, 100), 12, 1e-12);
	assert_close(share_energy_j(40, 0.5, 0, 0), 0, 0);
	assert_close(share_energy_j(40, 0.5, 7, 5), 20, 1e-12);
	assert_true(isnan(share_energy_j(NAN, 0.5, 1, 2)));
	assert_true(isnan(share_energy_j(NAN, 0.5, 0, 0)));
	now.idle_ticks = 799; /* iowait fell */
	assert_close(share_usage_ratio(&before, &now), 1, 0);
	now.total_ticks = 1000;
	assert_close(share_usage_ratio(&before, &now), 0, 0);
}

static void reads_a_tree_of_processes(void **state)
{
	struct share_snapshot s = {0};

	(void)state;
	put("/proc/stat", "cpu  10 1 5 70 4 2 3 5 9 9\ncpu0 1\n");
	put("/proc/20/stat", "20 (b) R 1 2 3 0 -1 5 1 2 3 4 7 1 0 0 20 0 9 0 80 1 2\n");
	put("/proc/3/stat", "3 (a) R 1 2 3 0 -1 5 1 2 3 4 1 1 0 0 20 0 9 0 80 1 2\n");
	put("/proc/31/stat", "torn");
	assert_int_equal(share_read(&root, &s, &e), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.items[0].pid, 3);
	assert_int_equal(s.items[1].cpu_ticks, 8);
	put("/proc/stat", "nothing\n");
	assert_int_equal(share_read(&root, &s, &e), -ERR_DATA);
	share_release(&s);
}

/* A PMU of one CPU: fd 100 counts the CPU, 101 up the threads. */
static double cycles[3];

static int fake_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group)
{
	static int next = 101;

	(void)attr;
	(void)group;
	if (pid < 0)
		return cpu == 0 ? 100 : -ENODEV;
	return next++;
}

static ssize_t fake_read(int fd, void *buf, size_t size)
{
	/* half of the time on the PMU: the count is to be doubled */
	const uint64_t v[3] = {(uint64_t)cycles[fd - 100], 2, 1};

	memcpy(buf, v, size);
	return (ssize_t)size;
}

static int no_pmu(const struct perf_event_attr *attr, pid_t pid, int cpu, int group)
{
	(void)attr;
	(void)pid;
	(void)cpu;
	(void)group;
	return -ENOENT;
}

static void weighs_by_cycles(void **state)
{
	const struct kernel kernel = {.perf_open = fake_open, .perf_read = fake_read};
	const struct kernel none = {.perf_open = no_pmu, .perf_read = fake_read};
	struct host_perf *p;

	(void)state;
	put("/proc/7/task/7/stat", "");
	put("/proc/7/task/8/stat", "");
	assert_int_equal(host_perf_open(&none, &root, &p, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "--weight time"));
	assert_int_equal(host_perf_open(&kernel, &root, &p, &e), 0);
	assert_close(host_perf_of(p, 7), 0, 0);
	cycles[0] = 1000;
	cycles[1] = 100;
	cycles[2] = 50;
	assert_close(host_perf_all(p), 2000, 1e-12);
	assert_close(host_perf_of(p, 7), 300, 1e-12);
	assert_close(host_perf_of(p, 7), 0, 0);
	assert_true(isnan(host_perf_of(p, 6)));
	host_perf_close(p);
}

static bool take(void *user, const struct host_figure *f, struct host_point *ret)
{
	(void)user;
	ret->vm = f->vm.uuid[0] == 'b';
	ret->column = (uint32_t)f->zone;
	return f->zone >= 0;
}

static int read_matrix(const char *text, struct host_points *p)
{
	const struct host_series_sink sink = {take, NULL};

	e = (struct err)ERR_INIT;
	return host_matrix_read(text, strlen(text), &sink, p, &e);
}

#define MATRIX(result)                                                                             \
	"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":" result "}}"
#define METRIC(id, z)                                                                              \
	"{\"metric\":{\"__name__\":\"kepler_vm_cpu_joules_total\",\"vm_id\":\"" id                 \
	"\",\"zone\":\"" z "\"},\"values\":"

static void reads_a_stores_answers(void **state)
{
	struct host_points p = {0};

	(void)state;
	assert_int_equal(
		read_matrix(
			MATRIX("[" METRIC(
				"b", "package") "[[1700000000.25,\"7\"],[1700000015.25,"
						"\"NaN\"]]}," METRIC(
							"a", "core") "[[1700000030,\"2.5\"]]}"
								     "," METRIC("a",
										"gpu") "[[1,\"1\"]]"
										       "}]"),
			&p),
		0);
	assert_int_equal(p.n, 2);
	host_points_sort(&p);
	assert_int_equal(p.items[0].vm, 0);
	assert_int_equal(p.items[0].t_ms, 1700000030000);
	assert_int_equal(p.items[1].t_ms, 1700000000250);
	assert_close(p.items[1].value, 7, 0);
	assert_int_equal(read_matrix("<html>", &p), -ERR_FORMAT);
	assert_int_equal(read_matrix("{}", &p), -ERR_FORMAT);
	assert_int_equal(read_matrix("", &p), -ERR_FORMAT);
	assert_int_equal(read_matrix(MATRIX("{}"), &p), -ERR_FORMAT);
	assert_int_equal(read_matrix(MATRIX("[{}]"), &p), -ERR_FORMAT);
	assert_int_equal(read_matrix(MATRIX("[" METRIC("a", "core") "[[\"1\",2]]}]"), &p),
			 -ERR_FORMAT);
	assert_int_equal(read_matrix("{\"status\":\"error\",\"error\":\"too many samples\"}", &p),
			 -ERR_DATA);
	assert_non_null(strstr(e.msg, "too many samples"));
	host_points_release(&p);
}

static void urls_hold_no_secret(void **state)
{
	struct text t = {0};

	(void)state;
	assert_int_equal(host_http_check_url("http://h:1/metrics", &e), 0);
	assert_int_equal(host_http_check_url("https://h/a@b", &e), 0);
	assert_int_equal(host_http_check_url("http://u:p@h/", &e), -ERR_USAGE);
	assert_int_equal(host_http_check_url("ftp://h/", &e), -ERR_USAGE);
	assert_int_equal(host_http_check_url("h:9090", &e), -ERR_USAGE);
	assert_int_equal(host_http_check_url("http://", &e), -ERR_USAGE);
	assert_true(host_http_is_local("http://localhost:1/m") &&
		    host_http_is_local("https://[::1]"));
	assert_false(host_http_is_local("http://localhost.example/") ||
		     host_http_is_local("http://10.0.0.1"));
	host_http_escape(&t, "a b{c=~\"d|\xc3\xa9\"}");
	assert_string_equal(t.s, "a%20b%7Bc%3D~%22d%7C%C3%A9%22%7D");
	text_release(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth_of_a_counter),
		cmocka_unit_test(sums_sockets_and_says_what_happened),
		cmocka_unit_test(counters_follow_files_that_are_replaced),
		cmocka_unit_test(a_tree_of_estimates_is_no_meter),
		cmocka_unit_test(reads_process_lines),
		cmocka_unit_test(shares_energy_as_kepler_does),
		cmocka_unit_test(reads_a_tree_of_processes),
		cmocka_unit_test(weighs_by_cycles),
		cmocka_unit_test(reads_a_stores_answers),
		cmocka_unit_test(urls_hold_no_secret),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
