// SPDX-License-Identifier: Apache-2.0
/* Whose the watts are: processes read, shared out, and a command's energy. */
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "attribute/cputime.h"
#include "attribute/energy.h"
#include "attribute/processes.h"
#include "attribute/shares.h"
#include "base/text.h"
#include "collect/sample.h"

/* ---- texts of the kernel ---- */

static void reads_a_process_whatever_it_is_called(void **state)
{
	struct process p;

	(void)state;
	assert_true(process_parse_stat(
		"42 (a) b) (c) R 7 1 1 0 -1 0 1 2 3 4 50 60 70 80 20 0 1 0 9000 1", &p));
	assert_int_equal(p.pid, 42);
	assert_int_equal(p.parent, 7);
	assert_string_equal(p.name, "a) b) (c");
	assert_int_equal(p.ticks, 110);
	assert_int_equal(p.reaped_ticks, 150);
	assert_int_equal(p.start_ticks, 9000);
}

static void refuses_what_is_no_process(void **state)
{
	static const char *const bad[] = {
		"",
		"42",
		"42 (a",
		"42 )a(",
		"42 (a)",
		"42 (a) R",
		"42 (a) R 1 2 3",
		"x (a) R 7 1 1 0 -1 0 1 2 3 4 50 60 70 80 20 0 1 0 9000",
		"99999999999 (a) R 7 1 1 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 9"};
	struct process p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(process_parse_stat(bad[i], &p));
}

static void reads_the_cgroup(void **state)
{
	char cgroup[PROCESS_CGROUP], text[1000] = "0::/";

	(void)state;
	assert_true(process_parse_cgroup("3:cpu:/x\n0::/user.slice/a b\n", cgroup));
	assert_string_equal(cgroup, "/user.slice/a b");
	assert_false(process_parse_cgroup("3:cpu:/x\n", cgroup));
	memset(text + 4, 'y', sizeof(text) - 5);
	assert_true(process_parse_cgroup(text, cgroup));
	assert_int_equal(strlen(cgroup), PROCESS_CGROUP - 1);
}

static void reads_cpu_time_of_a_cgroup(void **state)
{
	(void)state;
	assert_int_equal(cputime_parse_stat("usage_usec 1234\nuser_usec 1\n"), 1234000);
	assert_int_equal(cputime_parse_stat("core_sched.force_idle_usec 7\nusage_usec 5\n"), 5000);
	assert_int_equal(cputime_parse_stat("user_usec 1\n"), -1);
	assert_int_equal(cputime_parse_stat("usage_usec x\n"), -1);
	assert_int_equal(cputime_parse_stat(""), -1);
}

static void shows_names_without_moving_the_cursor(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {{"plain name", "plain name"},
		     {"a\x1b[2Jb\n", "a\\x1b[2Jb\\x0a"},
		     {"gr\xc3\xbcn", "gr\xc3\xbcn"},
		     {"\xff\xc3", "\\xff\\xc3"},
		     {"\xc2\x9b", "\\xc2\\x9b"}, /* a control character of the second set */
		     {"\xe2\x80\xae"
		      "x",
		      "\\xe2\\x80\\xaex"},	  /* right to left from here */
		     {"\xc0\xaf", "\\xc0\\xaf"}}; /* an overlong slash */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		autotext struct text t = {.s = NULL};

		text_visible(&t, cases[i].in);
		assert_string_equal(t.s, cases[i].out);
	}
}

/* ---- all processes of a captured machine ---- */

static void write_file(const char *root, const char *path, const char *text)
{
	char full[512];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", root, path);
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void make_folder(const char *root, const char *path)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", root, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static void reads_all_processes_in_order(void **state)
{
	char folder[] = "/tmp/simulated-processes-XXXXXX", command[64];
	struct process_table before = {.n = 0}, now = {.n = 0};
	struct err e = ERR_INIT;
	struct root root;

	(void)state;
	assert_non_null(mkdtemp(folder));
	make_folder(folder, "proc");
	make_folder(folder, "proc/20");
	make_folder(folder, "proc/3");
	make_folder(folder, "proc/4"); /* ended while we looked: no stat */
	make_folder(folder, "proc/irq");
	write_file(folder, "proc/20/stat", "20 (b) S 3 1 1 0 -1 0 0 0 0 0 5 5 0 0 20 0 1 0 7 0");
	write_file(folder, "proc/3/stat", "3 (a) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 6 0");
	write_file(folder, "proc/20/cgroup", "0::/old\n");
	assert_int_equal(root_init(&root, folder, &e), 0);
	assert_int_equal(process_table_read(&before, &root, true, NULL, &e), 0);
	assert_int_equal(before.n, 2);
	assert_int_equal(before.items[0].pid, 3);
	assert_string_equal(before.items[0].cgroup, "");
	assert_string_equal(process_find(&before, 20)->cgroup, "/old");
	assert_null(process_find(&before, 4));

	/* Moved: noticed once it has run. */
	write_file(folder, "proc/20/cgroup", "0::/new\n");
	assert_int_equal(process_table_read(&now, &root, true, &before, &e), 0);
	assert_string_equal(process_find(&now, 20)->cgroup, "/old");
	write_file(folder, "proc/20/stat", "20 (b) S 3 1 1 0 -1 0 0 0 0 0 5 6 0 0 20 0 1 0 7 0");
	assert_int_equal(process_table_read(&now, &root, true, &before, &e), 0);
	assert_string_equal(process_find(&now, 20)->cgroup, "/new");
	process_table_release(&before);
	process_table_release(&now);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

/* ---- shares ---- */

#define MANY 40

struct tables {
	struct process before[MANY], now[MANY];
	struct process_table b, n;
};

static void tables_of(struct tables *t, size_t nb, size_t nn)
{
	t->b = (struct process_table){.items = t->before, .n = nb, .cap = MANY};
	t->n = (struct process_table){.items = t->now, .n = nn, .cap = MANY};
}

static void shares_by_cpu_time(void **state)
{
	struct tables t = {
		.before = {{.pid = 1, .start_ticks = 1, .ticks = 100},
			   {.pid = 2, .start_ticks = 5, .ticks = 900}},
		.now = {{.pid = 1, .start_ticks = 1, .ticks = 150},
			{.pid = 2, .start_ticks = 800, .ticks = 20}, /* the PID came back */
			{.pid = 3, .start_ticks = 900, .ticks = 10},
			{.pid = 4, .start_ticks = 10, .ticks = 7000}}}; /* was hidden */
	double shares[MANY], rest;

	(void)state;
	tables_of(&t, 2, 4);
	assert_int_equal(process_shares(&t.b, &t.n, 700, 1.0, shares, &rest), 0);
	assert_close(shares[0], 0.5, 1e-12);
	assert_close(shares[1], 0.2, 1e-12);
	assert_close(shares[2], 0.1, 1e-12);
	assert_true(shares[3] == 0);
	assert_close(rest, 0.2, 1e-12);
	/* Ticks are coarse: nobody uses more than was busy. */
	assert_int_equal(process_shares(&t.b, &t.n, 700, 0.4, shares, &rest), 0);
	assert_close(shares[0], 0.5 / 0.8, 1e-12);
	assert_true(rest < 1e-12);
}

static void children_that_ended_count_once_and_with_their_parent(void **state)
{
	/* 2 ends after 30 ticks that were told of and 20 that were not; its child 3 after 10 and 5.
	 */
	struct tables t = {
		.before = {{.pid = 1, .start_ticks = 1, .ticks = 0, .reaped_ticks = 1000},
			   {.pid = 2, .parent = 1, .start_ticks = 5, .ticks = 30},
			   {.pid = 3, .parent = 2, .start_ticks = 6, .ticks = 10}},
		.now = {{.pid = 1, .start_ticks = 1, .ticks = 0, .reaped_ticks = 1000 + 50 + 15}}};
	double share, rest;

	(void)state;
	tables_of(&t, 3, 1);
	assert_int_equal(process_shares(&t.b, &t.n, 700, 1.0, &share, &rest), 0);
	assert_close(share, 0.25, 1e-12);
	assert_close(rest, 0.75, 1e-12);
	/* What an adopted child used in the past does not exceed what was busy now. */
	t.now[0].reaped_ticks = 90000;
	assert_int_equal(process_shares(&t.b, &t.n, 700, 1.0, &share, &rest), 0);
	assert_close(share, 1, 1e-12);
}

static size_t random_table(struct process *items, unsigned *seed, uint64_t start_max)
{
	size_t n = 0;

	for (int pid = 1; n < MANY && pid < 60; pid++) {
		if (rand_r(seed) % 3 == 0)
			continue;
		items[n++] = (struct process){.pid = pid,
					      .parent = rand_r(seed) % 60,
					      .start_ticks = (uint64_t)rand_r(seed) % start_max,
					      .ticks = (uint64_t)rand_r(seed) % 500,
					      .reaped_ticks = (uint64_t)rand_r(seed) % 500};
	}
	return n;
}

static void shares_and_the_rest_are_always_one(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20000; seed++) {
		struct tables t;
		double shares[MANY], rest, sum;
		unsigned s = seed;
		/* Few start times: PIDs are the same process about every other time. */
		size_t nb = random_table(t.before, &s, 2), nn = random_table(t.now, &s, 2);

		tables_of(&t, nb, nn);
		for (size_t i = 0; i < nn; i += 2) { /* some went on in earnest */
			const struct process *old = process_find(&t.b, t.now[i].pid);

			if (!old)
				continue;
			t.now[i].start_ticks = old->start_ticks;
			t.now[i].ticks += old->ticks;
			t.now[i].reaped_ticks += old->reaped_ticks;
		}
		assert_int_equal(process_shares(&t.b, &t.n, (uint64_t)rand_r(&s) % 3,
						(rand_r(&s) % 2000) / 100.0, shares, &rest),
				 0);
		sum = rest;
		for (size_t i = 0; i < nn; i++) {
			assert_true(shares[i] >= 0 && shares[i] <= 1 + 1e-12);
			sum += shares[i];
		}
		assert_close(sum, 1, 1e-9);
	}
}

/* ---- a command's energy ---- */

static struct estimate watts(double active_w, double idle_w)
{
	struct estimate e = {.tier = TIER_OS};

	for (int z = 0; z < ZONE_RAPL_COUNT; z++)
		e.zone[z] = (struct zone_estimate){.valid = true,
						   .active_w = active_w,
						   .idle_w = idle_w,
						   .low_w = active_w / 2 + idle_w,
						   .high_w = active_w * 2 + idle_w,
						   .confidence = 0.5,
						   .provenance = PROVENANCE_TRAINED};
	return e;
}

static void charges_the_share_of_active_watts(void **state)
{
	struct estimate first = watts(10, 3), second = watts(20, 3);
	const struct zone_energy *z;
	struct energy e;

	(void)state;
	energy_init(&e);
	second.zone[ZONE_DRAM].valid = false;
	second.zone[ZONE_CORE].provenance = PROVENANCE_PRIOR;
	energy_add(&e, &(struct energy_row){&first, 10, 10, 10, 20, 2});
	energy_add(&e, &(struct energy_row){&second, 10, 5, 10, 10, 2}); /* it ran for half of it */
	energy_close(&e, 15);
	z = &e.zone[ZONE_PACKAGE];
	assert_close(z->joules, 10 * 10 * 0.5 + 20 * 10, 1e-12);
	assert_close(z->idle_j, 3 * 15, 1e-12);
	assert_close(z->peak_w, 40, 1e-12);
	assert_close(energy_share(&e), 20.0 / 30, 1e-12);
	assert_true(z->low_j < z->joules / 2 && z->low_j > z->joules / 2 * 0.99);
	assert_true(z->high_j > z->joules * 2 && z->high_j < z->joules * 2 * 1.01);
	assert_false(e.zone[ZONE_DRAM].valid);
	assert_int_equal(e.zone[ZONE_CORE].provenance, PROVENANCE_PRIOR);
}

/* A machine at rest: all of its watts are idle, and so is all that is not known of them. */
static void idle_energy_is_as_unsure_as_the_machines(void **state)
{
	struct estimate rest = watts(0, 2), busy = watts(10, 2);
	struct energy e;

	(void)state;
	rest.zone[0].low_w = 0.5;
	rest.zone[0].high_w = 6;
	energy_init(&e);
	energy_add(&e, &(struct energy_row){&rest, 1, 1, 0, 1, 2});
	energy_close(&e, 1);
	assert_close(e.zone[0].joules + e.zone[0].idle_j, 2, 1e-12);
	assert_close(e.zone[0].all_low_j, 0.5, 1e-12);
	assert_close(e.zone[0].all_high_j, 6, 1e-12);

	/* The only command of a busy one has the machine's own interval, but for a tick. */
	energy_init(&e);
	energy_add(&e, &(struct energy_row){&busy, 10, 10, 20, 20, 2});
	energy_close(&e, 10);
	assert_close(e.zone[0].all_low_j, 10 * busy.zone[0].low_w, 0.01);
	assert_close(e.zone[0].all_high_j, 10 * busy.zone[0].high_w, 0.01);
}

static void knows_little_of_what_is_shorter_than_a_tick(void **state)
{
	struct estimate row = watts(4, 0);
	struct energy e;

	(void)state;
	energy_init(&e);
	energy_add(&e, &(struct energy_row){&row, 0.1, 0.001, 0.001, 0, 2}); /* no tick saw it */
	energy_close(&e, 0.001);
	assert_close(e.zone[0].joules, 4 * 0.1, 1e-12); /* all that was busy was it */
	assert_true(e.zone[0].low_j < 0.1 * e.zone[0].joules / 2);
	assert_true(e.zone[0].high_j > 1.5 * e.zone[0].joules * 2);
	assert_close(energy_share(&e), 1, 1e-12);

	energy_init(&e);
	energy_close(&e, 0.5); /* no row at all: nothing is said */
	assert_false(e.zone[0].valid);
}

/* The commands of one machine, each measured by itself, are the machine. */
static void commands_together_are_the_machine(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 1000; seed++) {
		double joules = 0, whole = 0;
		struct energy e[4];
		unsigned s = seed;

		for (int c = 0; c < 4; c++)
			energy_init(&e[c]);
		for (int r = 0; r < 20; r++) {
			double cpu_s[4], busy_s = 0, dt_s = 0.1 + (rand_r(&s) % 100) / 100.0;
			struct estimate row = watts(rand_r(&s) % 50, 1);

			for (int c = 0; c < 4; c++)
				busy_s += cpu_s[c] = (rand_r(&s) % 100) / 100.0 + 0.001;
			for (int c = 0; c < 4; c++)
				energy_add(&e[c], &(struct energy_row){&row, dt_s, dt_s, cpu_s[c],
								       busy_s, 4});
			whole += row.zone[0].active_w * dt_s;
		}
		for (int c = 0; c < 4; c++)
			joules += e[c].zone[0].joules;
		assert_close(joules, whole, 1e-9);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_process_whatever_it_is_called),
		cmocka_unit_test(refuses_what_is_no_process),
		cmocka_unit_test(reads_the_cgroup),
		cmocka_unit_test(reads_cpu_time_of_a_cgroup),
		cmocka_unit_test(shows_names_without_moving_the_cursor),
		cmocka_unit_test(reads_all_processes_in_order),
		cmocka_unit_test(shares_by_cpu_time),
		cmocka_unit_test(children_that_ended_count_once_and_with_their_parent),
		cmocka_unit_test(shares_and_the_rest_are_always_one),
		cmocka_unit_test(charges_the_share_of_active_watts),
		cmocka_unit_test(idle_energy_is_as_unsure_as_the_machines),
		cmocka_unit_test(knows_little_of_what_is_shorter_than_a_tick),
		cmocka_unit_test(commands_together_are_the_machine),
	};

	return run_unit(tests);
}
