// SPDX-License-Identifier: Apache-2.0
/* recording: traces of a simulated guest and its simulated host, and what happens to real ones. */
#include "folder.h"

#include "align/dataset.h"
#include "base/cleanup.h"
#include "trace/sample.h"

#define EPOCH_NS  1700000000000000000
#define SECOND_NS 1000000000

static double chance(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

/* One simulated machine of 2 CPUs: load per second, and what came before. */
struct world {
	size_t seconds;
	double *busy_s; /* CPU-seconds up to each second */
	double *energy_j;
};

static struct world world(size_t seconds)
{
	struct world w = {seconds, calloc(seconds + 1, sizeof(double)),
			  calloc(seconds + 1, sizeof(double))};
	uint64_t seed = 5;
	double level = 1;

	for (size_t i = 0; i < seconds; i++) {
		if (chance(&seed) < 0.1)
			level = 2 * chance(&seed);
		w.busy_s[i + 1] = w.busy_s[i] + level;
		w.energy_j[i + 1] = w.energy_j[i] + 4 + 9 * level;
	}
	return w;
}

static void world_free(struct world *w)
{
	free(w->busy_s);
	free(w->energy_j);
}

/* What a guest's clock and recorder do at a second; the host's alike. */
struct story {
	int64_t (*wall_step_ns)(size_t second); /* NULL: an honest clock */
	int64_t (*asleep_ns)(size_t second);	/* suspended so far */
	bool (*off)(size_t second);		/* the recorder does not run */
	size_t twice_every, late_every;		/* 0: never */
	const char *label;			/* of every second 100 s; NULL: "calm" */
};

static struct trace_writer *open_trace(const char *path)
{
	struct trace_writer *w;
	struct err e = ERR_INIT;

	if (trace_writer_open(path, &w, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	return w;
}

static unsigned guest_stream(struct trace_writer *w, const char *vm, const char *boot)
{
	const char *meta[] = {"boot_id", boot, "uuid", "AAAA-1"};
	char **names = sample_column_names(2);
	const struct trace_stream s = {TRACE_GUEST,	  vm,	2,
				       sample_columns(2), meta, (const char *const *)names};
	struct err e = ERR_INIT;
	unsigned id;

	assert_int_equal(trace_write_stream(w, &s, &id, &e), 0);
	sample_column_names_free(names, 2);
	return id;
}

static void write_sample(struct trace_writer *w, unsigned id, const struct world *m, size_t t,
			 const struct story *story)
{
	struct sample s;
	struct err e = ERR_INIT;
	double values[256];
	int64_t asleep_ns = story->asleep_ns ? story->asleep_ns(t) : 0;

	assert_int_equal(sample_init(&s, 2, &e), 0);
	s.boot_ns = (int64_t)(t + 100) * SECOND_NS;
	s.mono_ns = s.boot_ns - asleep_ns;
	s.real_ns = EPOCH_NS + (int64_t)t * SECOND_NS +
		    (story->wall_step_ns ? story->wall_step_ns(t) : 0);
	s.have = 1u << SOURCE_STAT;
	s.n_online = 2;
	for (unsigned c = 0; c < 2; c++) {
		double seconds = (double)(t + 100) - (double)asleep_ns / SECOND_NS;

		s.online[c] = 1;
		s.cpus[c].ticks[CPU_TIME_USER] = (uint64_t)(m->busy_s[t] * 50);
		s.cpus[c].ticks[CPU_TIME_IDLE] = (uint64_t)(seconds * 100 - m->busy_s[t] * 50);
		s.cpu.ticks[CPU_TIME_USER] += s.cpus[c].ticks[CPU_TIME_USER];
		s.cpu.ticks[CPU_TIME_IDLE] += s.cpus[c].ticks[CPU_TIME_IDLE];
	}
	sample_to_values(&s, 2, values);
	assert_int_equal(trace_write_row(w, id, s.real_ns, values, sample_columns(2), &e), 0);
	sample_release(&s);
}

static void write_guest(const char *path, const char *vm, const struct world *m,
			const struct story *story)
{
	struct trace_writer *w = open_trace(path);
	unsigned id = guest_stream(w, vm, "boot-1");
	struct err e = ERR_INIT;

	for (size_t t = 0; t < m->seconds; t++) {
		if (story->off && story->off(t))
			continue;
		if (t % 100 == 0)
			assert_int_equal(trace_write_label(w, id, EPOCH_NS + (int64_t)t * SECOND_NS,
							   t % 200	  ? "busy, \"odd\""
							   : story->label ? story->label
									  : "calm",
							   &e),
					 0);
		write_sample(w, id, m, t, story);
		if (story->twice_every && t % story->twice_every == 0)
			write_sample(w, id, m, t, story);
		if (story->late_every && t > 3 && t % story->late_every == 0)
			write_sample(w, id, m, t - 3, story);
	}
	trace_writer_close(w);
}

/* The host's clock is `ahead_s` ahead; its counter may restart at a second. */
static void write_host(const char *path, const char *vm, const struct world *m, double ahead_s,
		       size_t restart, const struct story *story)
{
	const char *columns[] = {"boot_ns", "package_joules", "vm_cpu_seconds"};
	const char *meta[] = {"uuid", "aaaa-1"};
	const struct trace_stream s = {TRACE_HOST, vm, 1, 3, meta, columns};
	struct trace_writer *w = open_trace(path);
	struct err e = ERR_INIT;
	unsigned id;

	assert_int_equal(trace_write_stream(w, &s, &id, &e), 0);
	for (size_t t = 0; t < m->seconds; t++) {
		double joules =
			m->energy_j[t] - (restart && t >= restart ? m->energy_j[restart] : 0);
		int64_t real_ns = EPOCH_NS + (int64_t)t * SECOND_NS + (int64_t)(ahead_s * 1e9);
		const double values[] = {((double)t + 5000) * 1e9, joules, m->busy_s[t]};

		if (story->off && story->off(t))
			continue;
		if (restart && t == restart)
			assert_int_equal(trace_write_stream(w, &s, &id, &e), 0);
		real_ns += story->wall_step_ns ? story->wall_step_ns(t) : 0;
		assert_int_equal(trace_write_row(w, id, real_ns, values, 3, &e), 0);
	}
	trace_writer_close(w);
}

struct result {
	struct import_report report;
	struct pair_report pair;
	struct table *table;
	struct err e;
};

static int import(const char *guest, const char *host, const char *vm, struct result *ret)
{
	const struct pair_options p = {guest, host, vm, NULL, NAN};
	const struct import_options o = {.replace = true};
	struct dataset *d;
	int r;

	*ret = (struct result){.e = ERR_INIT};
	unlink(path_of("r.db"));
	assert_int_equal(dataset_open(path_of("r.db"), DATASET_WRITE, &d, &ret->e), 0);
	r = dataset_import_paired(d, &p, &o, NULL, &ret->report, &ret->pair, &ret->e);
	if (r == 0)
		assert_int_equal(dataset_load(d, &ret->table, &ret->e), 0);
	dataset_close(d);
	return r;
}

/* Imports; the lag must be -ahead_s, and every label the world's own power. */
static struct result aligned(const struct world *m, const char *guest, const char *host,
			     double ahead_s)
{
	struct result r;
	const struct table *t;

	if (import(guest, host, NULL, &r) < 0)
		fail_msg("%s", r.e.msg);
	t = r.table;
	if (fabs(r.pair.lag_s + ahead_s) > 0.25)
		fail_msg("lag %g s, and %g s is right", r.pair.lag_s, -ahead_s);
	for (size_t i = 0; i < t->n_rows; i++) {
		size_t second = (size_t)llround(t->t_s[i] - (double)EPOCH_NS / 1e9);
		double true_w = m->energy_j[second] - m->energy_j[second - 1];

		/* The lag may be off by a fraction of a second, which mixes in a neighbour. */
		if (fabs(t->y_w[ZONE_PACKAGE][i] - true_w) > 0.25 * 18 + 0.01)
			fail_msg("second %zu: %g W, and %g W is true", second,
				 t->y_w[ZONE_PACKAGE][i], true_w);
	}
	return r;
}

static const struct story plain = {.off = NULL};

static void two_traces_become_one_run_with_its_labels_as_groups(void **state)
{
	struct world m = world(400);
	struct result r;

	(void)state;
	write_guest(path_of("a.guest.vmt"), "vm-a", &m, &plain);
	write_host(path_of("a.host.vmt"), "vm-a", &m, 4, 0, &plain);
	r = aligned(&m, path_of("a.guest.vmt"), path_of("a.host.vmt"), 4);
	assert_int_equal(r.table->n_groups, 2);
	assert_string_equal(r.table->runs[0].name, "a");
	assert_true(r.report.rows >= 390);
	table_free(r.table);
	world_free(&m);
}

/* Labels may be longer than a group's name; not one row is lost for it. */
static void a_long_label_is_cut(void **state)
{
	struct story told = plain;
	struct world m = world(400);
	char label[200] = "";
	struct result r;

	(void)state;
	for (int i = 0; i < 65; i++)
		strcat(label, "\303\244");
	told.label = label;
	write_guest(path_of("long.guest.vmt"), "vm-a", &m, &told);
	write_host(path_of("long.host.vmt"), "vm-a", &m, 4, 0, &plain);
	r = aligned(&m, path_of("long.guest.vmt"), path_of("long.host.vmt"), 4);
	assert_int_equal(r.report.bad_rows, 0);
	assert_int_equal(r.table->n_groups, 2);
	assert_true(r.report.rows >= 390);
	table_free(r.table);
	world_free(&m);
}

static int64_t an_hour_later(size_t t)
{
	return t >= 150 ? (int64_t)3600 * SECOND_NS : 0;
}

static void a_clock_stepped_by_an_hour_costs_nothing(void **state)
{
	const struct story stepped = {.wall_step_ns = an_hour_later};
	struct world m = world(400);
	struct result r;

	(void)state;
	write_guest(path_of("step.guest.vmt"), "vm-a", &m, &plain);
	write_host(path_of("step.host.vmt"), "vm-a", &m, -2, 0, &plain);
	unlink(path_of("step.guest.vmt"));
	write_guest(path_of("step.guest.vmt"), "vm-a", &m, &stepped);
	if (import(path_of("step.guest.vmt"), path_of("step.host.vmt"), NULL, &r) == 0)
		fail_msg("clocks an hour apart for most of the time are too far for a lag");
	assert_non_null(strstr(r.e.msg, "too little in common"));
	unlink(path_of("step.host.vmt"));
	write_host(path_of("step.host.vmt"), "vm-a", &m, -2, 0, &stepped);
	assert_int_equal(import(path_of("step.guest.vmt"), path_of("step.host.vmt"), NULL, &r), 0);
	assert_true(fabs(r.pair.lag_s - 2) < 0.25);
	assert_int_equal(r.pair.guest.clock_steps, 1);
	assert_close(r.pair.guest.largest_step_s, 3600, 1e-6);
	assert_true(r.report.rows >= 390);
	table_free(r.table);
	world_free(&m);
}

static int64_t a_minute_of_sleep(size_t t)
{
	return t > 200 ? (int64_t)(t < 260 ? t - 200 : 60) * SECOND_NS : 0;
}

static bool asleep(size_t t)
{
	return t > 200 && t < 260;
}

static void a_minute_of_sleep_is_left_out(void **state)
{
	const struct story sleeper = {.asleep_ns = a_minute_of_sleep, .off = asleep};
	struct world m = world(400);
	struct result r;

	(void)state;
	write_guest(path_of("sleep.guest.vmt"), "vm-a", &m, &sleeper);
	write_host(path_of("sleep.host.vmt"), "vm-a", &m, 1, 0, &plain);
	r = aligned(&m, path_of("sleep.guest.vmt"), path_of("sleep.host.vmt"), 1);
	assert_int_equal(r.pair.guest.gaps + r.pair.guest.suspends, 1);
	assert_true(r.report.rows >= 330 && r.report.rows <= 340);
	table_free(r.table);
	world_free(&m);
}

static void rows_that_come_twice_or_late_lose_nothing(void **state)
{
	const struct story restless = {.twice_every = 7, .late_every = 10};
	struct world m = world(400);
	struct result r;

	(void)state;
	write_guest(path_of("twice.guest.vmt"), "vm-a", &m, &restless);
	write_host(path_of("twice.host.vmt"), "vm-a", &m, 0, 0, &plain);
	r = aligned(&m, path_of("twice.guest.vmt"), path_of("twice.host.vmt"), 0);
	assert_int_equal(r.pair.guest.duplicates, 58);
	assert_int_equal(r.pair.guest.late, 39);
	assert_true(r.report.rows >= 397);
	table_free(r.table);
	world_free(&m);
}

static bool restarting(size_t t)
{
	return t > 220 && t < 240;
}

static void a_host_that_restarts_leaves_a_gap_and_no_false_energy(void **state)
{
	const struct story pause = {.off = restarting};
	struct world m = world(400);
	struct result r;

	(void)state;
	write_guest(path_of("re.guest.vmt"), "vm-a", &m, &plain);
	write_host(path_of("re.host.vmt"), "vm-a", &m, 3, 240, &pause);
	r = aligned(&m, path_of("re.guest.vmt"), path_of("re.host.vmt"), 3);
	assert_int_equal(r.pair.host.streams, 2);
	assert_true(r.pair.rows_in_gaps >= 19);
	table_free(r.table);
	world_free(&m);
}

static void one_file_holds_both_sides_and_several_vms(void **state)
{
	char path[128];
	struct world m = world(300), other = world(290);
	struct result r;

	(void)state;
	snprintf(path, sizeof(path), "%s", path_of("both.vmt"));
	write_guest(path, "vm-a", &m, &plain);
	write_guest(path, "vm-b", &m, &plain);
	write_host(path, "vm-b", &m, 1, 0, &plain);
	write_host(path, "vm-a", &m, 1, 0, &plain);
	assert_int_equal(import(path, path, NULL, &r), -ERR_DATA);
	assert_non_null(strstr(r.e.msg, "vm-a, vm-b"));
	if (import(path, path, "vm-b", &r) < 0)
		fail_msg("%s", r.e.msg);
	assert_string_equal(r.table->runs[0].name, "both.vm-b");
	table_free(r.table);
	assert_int_equal(import(path, path, "vm-c", &r), -ERR_DATA);
	assert_non_null(strstr(r.e.msg, "no VM 'vm-c'"));
	assert_int_equal(import(path_of("c.guest.csv"), path, NULL, &r), -ERR_DATA);
	assert_non_null(strstr(r.e.msg, "(vm-b, vm-a) and none has the guest's name: --host-vm"));
	world_free(&m);
	world_free(&other);
}

static void another_hosts_recording_is_refused_with_the_reason(void **state)
{
	struct world m = world(400);
	struct result r;
	struct err e = ERR_INIT;
	struct trace_writer *w;

	(void)state;
	write_guest(path_of("x.guest.vmt"), "vm-a", &m, &plain);
	w = open_trace(path_of("empty.vmt"));
	guest_stream(w, "vm-a", "b");
	trace_writer_close(w);
	(void)e;
	assert_int_equal(import(path_of("x.guest.vmt"), path_of("empty.vmt"), NULL, &r), -ERR_DATA);
	assert_non_null(strstr(r.e.msg, "no host's recording"));
	assert_int_equal(import(path_of("empty.vmt"), path_of("x.guest.vmt"), NULL, &r), -ERR_DATA);
	assert_non_null(strstr(r.e.msg, "fewer than two samples"));
	world_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_traces_become_one_run_with_its_labels_as_groups),
		cmocka_unit_test(a_long_label_is_cut),
		cmocka_unit_test(a_clock_stepped_by_an_hour_costs_nothing),
		cmocka_unit_test(a_minute_of_sleep_is_left_out),
		cmocka_unit_test(rows_that_come_twice_or_late_lose_nothing),
		cmocka_unit_test(a_host_that_restarts_leaves_a_gap_and_no_false_energy),
		cmocka_unit_test(one_file_holds_both_sides_and_several_vms),
		cmocka_unit_test(another_hosts_recording_is_refused_with_the_reason),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
