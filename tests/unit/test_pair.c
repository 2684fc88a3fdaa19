// SPDX-License-Identifier: Apache-2.0
/* pair: labels for a guest's rows from its host's recording. Every recording here is simulated. */
#include "folder.h"

#include <errno.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"

/* Uniform in 0..1, the same on every machine. */
static double chance(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

/*
 * A simulated machine: its load is a level that jumps every 3 to 15 s, and a
 * ripple; power is a bent, rising function of it. Ticks of TICK_S, integrals
 * up to each, so that means over any interval are exact.
 */
#define TICK_S 0.05
#define TICKS  12000
#define EPOCH  1700000000.0

struct machine {
	double load_s[TICKS + 1], energy_j[TICKS + 1];
};

static struct machine *machine(uint64_t seed, double period_s)
{
	struct machine *m = calloc(1, sizeof(*m));
	double level = 1, until_s = 0;

	for (size_t i = 0; i < TICKS; i++) {
		double load;

		if ((double)i * TICK_S >= until_s) {
			level = period_s > 0 ? 4 - level : 4 * chance(&seed);
			until_s += period_s > 0 ? period_s / 2 : 3 + 12 * chance(&seed);
		}
		load = fmin(4, fmax(0, level + 0.4 * (chance(&seed) - 0.5)));
		m->load_s[i + 1] = m->load_s[i] + load * TICK_S;
		m->energy_j[i + 1] = m->energy_j[i] + (5 + 6 * load - 0.5 * load * load) * TICK_S;
	}
	return m;
}

static double up_to(const double *integral, double t_s)
{
	double at = fmin(fmax(t_s / TICK_S, 0), TICKS - 1);
	size_t i = (size_t)at;

	return integral[i] + (at - (double)i) * (integral[i + 1] - integral[i]);
}

static double mean(const double *integral, double begin_s, double end_s)
{
	return (up_to(integral, end_s) - up_to(integral, begin_s)) / (end_s - begin_s);
}

/* How the simulated pair is recorded. Times are the host's seconds since EPOCH. */
struct recording {
	double lag_s;	      /* guest time = host time + lag */
	double from_s, to_s;  /* of the guest's rows */
	double refresh_s;     /* the meter takes a new figure when read so long after the last */
	double noise;	      /* relative, of watts */
	double average_s;     /* the meter averages over so long; 0: over its refresh */
	double wrap_j;	      /* 0: a gauge in watts, else a counter that wraps there */
	bool constant, empty; /* no load but one level; every 37th row of the host is empty */
};

static void write_guest(const struct machine *m, const struct recording *r)
{
	FILE *f = fopen(path_of("sim.guest.csv"), "we");
	double t_s = r->from_s;
	uint64_t seed = 7;

	assert_non_null(f);
	fprintf(f, "time_s,vcpus,cpu_utilization\n");
	while (t_s < r->to_s) {
		double next_s = t_s + 1 + 0.01 * chance(&seed);
		double load = r->constant ? 2 : mean(m->load_s, t_s, next_s);

		fprintf(f, "%.6f,4,%.6f\n", EPOCH + next_s + r->lag_s, load / 4);
		t_s = next_s;
	}
	fclose(f);
}

static void write_host(const struct machine *m, const struct recording *r)
{
	FILE *f = fopen(path_of("sim.host.csv"), "we");
	double taken_s = 4, power_w = 0, energy_j = 0, t_s = 5;
	uint64_t seed = 11;

	assert_non_null(f);
	fprintf(f, "time_s,package_%s\n", r->wrap_j > 0 ? "joules" : "watts");
	for (int i = 0; t_s < 590; i++, t_s = 5 + i + 0.08 * chance(&seed)) {
		if (t_s - taken_s >= r->refresh_s) {
			double begin_s = r->average_s > 0 ? t_s - r->average_s : taken_s;

			power_w = mean(m->energy_j, begin_s, t_s);
			power_w *= 1 + r->noise * (chance(&seed) - 0.5);
			energy_j = up_to(m->energy_j, t_s);
			taken_s = t_s;
		}
		if (r->empty && i % 37 == 20)
			fprintf(f, "%.6f,\n", EPOCH + t_s);
		else if (r->wrap_j > 0)
			fprintf(f, "%.6f,%.6f\n", EPOCH + t_s, fmod(energy_j, r->wrap_j));
		else
			fprintf(f, "%.6f,%.6f\n", EPOCH + t_s, power_w);
	}
	fclose(f);
}

/* A dataset that holds nothing yet. */
static struct dataset *fresh(void)
{
	struct dataset *d = NULL;
	struct err e = ERR_INIT;

	unlink(path_of("a.db"));
	assert_int_equal(dataset_open(path_of("a.db"), DATASET_WRITE, &d, &e), 0);
	return d;
}

static int pair_simulated(struct dataset *d, const struct machine *m, const struct recording *r,
			  struct import_report *ret, struct pair_report *ret_pair, struct err *e)
{
	const struct import_options o = {0};
	struct pair_options p = {path_of("sim.guest.csv"), path_of("sim.host.csv"), NULL, NULL,
				 NAN};

	write_guest(m, r);
	write_host(m, r);
	return dataset_import_paired(d, &p, &o, NULL, ret, ret_pair, e);
}

/* Import a simulated pair that must be accepted. */
static struct pair_report found(const struct recording *r, uint64_t seed)
{
	autofree struct machine *m = machine(seed, 0);
	struct dataset *d = fresh();
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;

	if (pair_simulated(d, m, r, &report, &pair, &e) < 0)
		fail_msg("%s", e.msg);
	dataset_close(d);
	return pair;
}

static void refused(struct machine *m, const struct recording *r, const char *reason)
{
	struct dataset *d = fresh();
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;
	struct table *t;

	assert_int_equal(pair_simulated(d, m, r, &report, &pair, &e), -ERR_DATA);
	if (!strstr(e.msg, reason))
		fail_msg("'%s' does not say '%s'", e.msg, reason);
	assert_int_equal(dataset_load(d, &t, &e), 0);
	assert_int_equal(t->n_rows, 0);
	table_free(t);
	dataset_close(d);
	free(m);
}

static void expect_lag(const struct recording *r, uint64_t seed)
{
	struct pair_report pair = found(r, seed);
	double off_s = fabs(pair.lag_s - r->lag_s);

	if (off_s > 0.3 || off_s > pair.lag_uncertainty_s || pair.lag_uncertainty_s > 0.5)
		fail_msg("lag %g +- %g, true %g", pair.lag_s, pair.lag_uncertainty_s, r->lag_s);
	assert_true(pair.correlation > 0.9);
	assert_true(isnan(pair.meter_window_s));
}

static void finds_the_lag_of_simulated_gauges(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct recording r = {
			.lag_s = -7.3, .from_s = 20, .to_s = 320, .refresh_s = 1, .noise = 0.1};

		expect_lag(&r, seed);
		r.lag_s = 4.1;
		r.refresh_s = 1.5;
		expect_lag(&r, seed);
	}
}

static void finds_the_lag_of_simulated_counters_that_wrap(void **state)
{
	struct recording r = {
		.lag_s = -7.3, .from_s = 20, .to_s = 320, .refresh_s = 1, .wrap_j = 1000};

	(void)state;
	expect_lag(&r, 5);
	r.lag_s = 4.1;
	r.refresh_s = 0;
	expect_lag(&r, 6);
}

static void drops_repeats_and_counts_what_is_empty(void **state)
{
	struct recording r = {.lag_s = 4.1,
			      .from_s = 20,
			      .to_s = 320,
			      .refresh_s = 1,
			      .noise = 0.1,
			      .empty = true};
	struct pair_report pair = found(&r, 3);

	(void)state;
	expect_lag(&r, 3);
	assert_in_range(pair.host_repeats, 585 * 3 / 10, 585 / 2);
	assert_int_equal(pair.host_rows, 585);
	assert_int_equal(pair.host_empty_rows, 16);
	assert_in_range(pair.rows_empty, 8, 40);
	assert_int_equal(pair.rows_in_gaps, 0);
	assert_int_equal(pair.rows_outside, 0);
}

/* Figures without noise of a load that stands still and jumps on whole seconds. */
static void tells_constant_power_from_a_figure_read_again(void **state)
{
	const struct import_options o = {0};
	struct pair_options p = {path_of("sim.guest.csv"), path_of("sim.host.csv"), NULL, NULL,
				 NAN};
	FILE *guest = fopen(p.guest_path, "we"), *host = fopen(p.host_path, "we");
	struct dataset *d = fresh();
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;
	double level = 0;
	uint64_t seed = 3;

	(void)state;
	assert_true(guest && host);
	fprintf(guest, "time_s,cpu_busy_vcpus\n");
	fprintf(host, "time_s,package_watts\n");
	for (int i = 0, left = 0; i < 300; i++) {
		if (left-- == 0) {
			level = chance(&seed);
			left = 3 + (int)(12 * chance(&seed));
		}
		fprintf(guest, "%d,%.6f\n", 2000 + i - 7, level);
		fprintf(host, "%d,%.6f\n", 2000 + i, 5 + 20 * level);
	}
	fclose(guest);
	fclose(host);
	assert_int_equal(dataset_import_paired(d, &p, &o, NULL, &report, &pair, &e), 0);
	assert_true(pair.host_repeats_constant);
	assert_close(pair.lag_s, -7, 0.01);
	assert_close(pair.label_window_s, 1, 1e-9);
	dataset_close(d);
}

static void labels_average_over_a_refresh_that_is_slower_than_the_guest(void **state)
{
	struct recording r = {.from_s = 20, .to_s = 320, .refresh_s = 1.5, .noise = 0.02};

	(void)state;
	assert_close(found(&r, 3).label_window_s, 2, 0.03);
	r.refresh_s = 0;
	assert_close(found(&r, 3).label_window_s, 1.005, 0.01);
}

static void tells_a_meter_that_averages(void **state)
{
	struct recording r = {.lag_s = -3,
			      .from_s = 40,
			      .to_s = 500,
			      .refresh_s = 0,
			      .noise = 0.02,
			      .average_s = 10};
	struct pair_report pair = found(&r, 8);

	(void)state;
	assert_close(pair.meter_window_s, 10, 0.1);
	assert_close(pair.lag_s, -3, 0.15);
	assert_close(pair.label_window_s, 1.005, 0.01);
}

static void refuses_what_shows_no_lag(void **state)
{
	struct recording r = {.from_s = 20, .to_s = 320, .refresh_s = 1, .noise = 0.1};
	struct recording other = r;

	(void)state;
	other.constant = true;
	refused(machine(1, 0), &other, "load does not change");
	other = r;
	other.lag_s = 5000;
	refused(machine(1, 0), &other, "too little in common");
	other = r;
	other.lag_s = 29.9;
	refused(machine(1, 0), &other, "at the end of the search");
	other = r;
	other.to_s = 30;
	refused(machine(1, 0), &other, "too little in common");
	other = r;
	other.lag_s = 12;
	refused(machine(5, 20), &other, "fit equally well");
}

static void refuses_files_of_two_runs(void **state)
{
	struct recording r = {.from_s = 20, .to_s = 320, .refresh_s = 1, .noise = 0.1};
	struct pair_options p = {path_of("sim.guest.csv"), path_of("sim.host.csv"), NULL, NULL,
				 NAN};
	const struct import_options o = {0};
	struct machine *one = machine(1, 0), *two = machine(2, 0);
	struct dataset *d = fresh();
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;

	(void)state;
	write_guest(one, &r);
	write_host(two, &r);
	assert_int_equal(dataset_import_paired(d, &p, &o, NULL, &report, &pair, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "correlate by"));
	dataset_close(d);
	free(one);
	free(two);
}

/* Sum of label x time over the rows of a run, and when they begin and end. */
static double labelled_energy(const struct table *t, double *ret_begin_s, double *ret_end_s)
{
	double energy_j = 0;

	for (size_t i = 1; i < t->n_rows; i++)
		energy_j += t->y_w[ZONE_PACKAGE][i] * (t->t_s[i] - t->t_s[i - 1]);
	*ret_begin_s = t->t_s[0];
	*ret_end_s = t->t_s[t->n_rows - 1];
	return energy_j;
}

static void labels_hold_the_energy_of_the_counter(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct recording r = {.lag_s = 4.1, .from_s = 20, .to_s = 320, .wrap_j = 1e9};
		autofree struct machine *m = machine(seed, 0);
		struct dataset *d = fresh();
		struct import_report report;
		struct pair_report pair;
		struct err e = ERR_INIT;
		struct table *t;
		double begin_s, end_s, energy_j;

		assert_int_equal(pair_simulated(d, m, &r, &report, &pair, &e), 0);
		assert_int_equal(dataset_load(d, &t, &e), 0);
		assert_int_equal(t->n_rows, report.rows);
		energy_j = labelled_energy(t, &begin_s, &end_s);
		begin_s -= EPOCH + pair.lag_s;
		end_s -= EPOCH + pair.lag_s;
		assert_close(energy_j, mean(m->energy_j, begin_s, end_s) * (end_s - begin_s),
			     0.001);
		table_free(t);
		dataset_close(d);
	}
}

/* Import a pair written by hand with a lag that is given. */
static struct table *paired(const char *guest, const char *host, double lag_s,
			    struct import_report *ret, struct pair_report *ret_pair)
{
	struct pair_options p = {csv("x.guest.csv", guest), csv("x.host.csv", host), NULL, NULL,
				 lag_s};
	const struct import_options o = {0};
	struct dataset *d = fresh();
	struct err e = ERR_INIT;
	struct table *t = NULL;

	if (dataset_import_paired(d, &p, &o, NULL, ret, ret_pair, &e) < 0 ||
	    dataset_load(d, &t, &e) < 0)
		fail_msg("%s", e.msg);
	dataset_close(d);
	return t;
}

static void a_label_is_the_mean_over_the_rows_own_interval(void **state)
{
	struct import_report report;
	struct pair_report pair;
	struct table *t = paired("time_s,cpu_utilization,package_watts\n"
				 "102,0.1,99\n104,0.2,99\n106,0.3,99\n130,0.4,\n112,0.5,\n",
				 "time_s,package_watts,dram_joules\n"
				 "0,1,10\n1,10,11\n2,20,12\n3,30,14\n4,40,18\n5,50,2\n6,60,4\n"
				 "7,70,5\n8,80,6\n9,90,7\n10,100,8\n11,110,9\n12,120,10\n",
				 100, &report, &pair);
	static const double package_w[] = {15, 35, 55, 115}, dram_w[] = {1, 3, NAN, 1};

	(void)state;
	assert_int_equal(t->n_rows, 4);
	assert_string_equal(t->runs[0].name, "x");
	assert_close(t->runs[0].interval_s, 2, 0);
	assert_close(t->runs[0].window_s, 2, 0);
	assert_int_equal(pair.rows_outside, 1);
	assert_true(isnan(pair.lag_uncertainty_s));
	assert_close(pair.lag_s, 100, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_close(t->y_w[ZONE_PACKAGE][i], package_w[i], 1e-9);
		assert_close(t->y_w[ZONE_DRAM][i], dram_w[i], 1e-9);
	}
	table_free(t);
}

static void rows_in_a_gap_of_the_host_are_left_out(void **state)
{
	struct import_report report;
	struct pair_report pair;
	struct table *t =
		paired("time_s,cpu_user\n1,0\n2,0\n3,0\n4,0\n5,0\n6,0\n7,0\n8,0\n9,0\n",
		       "time_s,core_watts\n0,1\n1,2\n2,3\n3,4\n7,5\n8,6\n9,\n", 0, &report, &pair);

	(void)state;
	assert_int_equal(t->n_rows, 4);
	assert_close(t->t_s[2], 3, 0);
	assert_close(t->t_s[3], 8, 0);
	assert_close(t->y_w[ZONE_CORE][3], 6, 0);
	assert_int_equal(pair.rows_in_gaps, 4);
	assert_int_equal(pair.rows_outside, 1);
	assert_true(isnan(pair.correlation));
	table_free(t);
}

static void the_dataset_is_what_the_joined_import_of_it_makes(void **state)
{
	struct recording r = {.lag_s = 2, .from_s = 20, .to_s = 120, .refresh_s = 1, .noise = 0.1};
	autofree struct machine *m = machine(4, 0);
	const struct import_options again = {.replace = true};
	struct dataset *d = fresh();
	struct import_report report;
	struct pair_report pair;
	struct err e = ERR_INIT;
	struct table *a, *b;
	FILE *f = fopen(path_of("out.csv"), "we");

	(void)state;
	assert_non_null(f);
	assert_int_equal(pair_simulated(d, m, &r, &report, &pair, &e), 0);
	assert_int_equal(dataset_load(d, &a, &e), 0);
	assert_int_equal(dataset_export(d, f, &e), 0);
	fclose(f);
	assert_int_equal(dataset_import_joined(d, path_of("out.csv"), &again, NULL, &report, &e),
			 0);
	assert_int_equal(dataset_load(d, &b, &e), 0);
	assert_int_equal(a->n_rows, b->n_rows);
	assert_string_equal(b->runs[0].name, "sim");
	assert_close(a->runs[0].interval_s, b->runs[0].interval_s, 1e-9);
	assert_close(a->runs[0].window_s, b->runs[0].window_s, 1e-9);
	for (size_t i = 0; i < a->n_rows; i++)
		assert_close(a->y_w[ZONE_PACKAGE][i], b->y_w[ZONE_PACKAGE][i], 0);
	table_free(a);
	table_free(b);
	dataset_close(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_lag_of_simulated_gauges),
		cmocka_unit_test(finds_the_lag_of_simulated_counters_that_wrap),
		cmocka_unit_test(drops_repeats_and_counts_what_is_empty),
		cmocka_unit_test(tells_constant_power_from_a_figure_read_again),
		cmocka_unit_test(labels_average_over_a_refresh_that_is_slower_than_the_guest),
		cmocka_unit_test(tells_a_meter_that_averages),
		cmocka_unit_test(refuses_what_shows_no_lag),
		cmocka_unit_test(refuses_files_of_two_runs),
		cmocka_unit_test(labels_hold_the_energy_of_the_counter),
		cmocka_unit_test(a_label_is_the_mean_over_the_rows_own_interval),
		cmocka_unit_test(rows_in_a_gap_of_the_host_are_left_out),
		cmocka_unit_test(the_dataset_is_what_the_joined_import_of_it_makes),
	};

	return cmocka_run_group_tests_name("pair", tests, make_dir, remove_dir);
}
