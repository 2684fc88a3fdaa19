// SPDX-License-Identifier: Apache-2.0
/* search: known minima, determinism, whole numbers, budgets. */
#include "test.h"

#include <unistd.h>

#include "base/cleanup.h"
#include "train/search.h"
#include "train/trials.h"

#define BRANIN_BEST 0.397887

/* Branin's function: three minima of 0.397887 (Dixon and Szego, 1978). */
static double branin(const double *x)
{
	double bend = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;

	return bend * bend + 10 * (1 - 1 / (8 * M_PI)) * cos(x[0]) + 10;
}

static const struct search_parameter box[] = {{"x", -5, 10, false, false},
					      {"y", 0, 15, false, false}};
static const double centre[] = {2.5, 7.5};

struct log {
	size_t n, reported, fail_at;
	unsigned sleep_us;
	double points[200][3];
};

static int branin_value(void *arg, const double *x, double *ret_value, struct err *e)
{
	struct log *l = arg;

	if (l->fail_at && l->n + 1 == l->fail_at)
		return err_set(e, -ERR_DATA, "no value");
	if (l->sleep_us)
		usleep(l->sleep_us);
	*ret_value = branin(x);
	memcpy(l->points[l->n++], x, 2 * sizeof(double));
	return 0;
}

static void count_report(void *arg, const struct search_result *so_far, double seconds_left)
{
	struct log *l = arg;

	l->reported++;
	assert_int_equal(so_far->trials, l->reported);
	assert_true(seconds_left >= 0);
}

static struct search_result found(enum search_method m, unsigned trials, unsigned seed,
				  struct log *l)
{
	struct search_options o = {.method = m,
				   .trials = trials,
				   .seed = seed,
				   .start = centre,
				   .value = branin_value,
				   .progress = count_report,
				   .arg = l};
	struct search_result r;
	struct err e = ERR_INIT;

	*l = (struct log){0};
	assert_int_equal(search_run(box, 2, &o, &r, &e), 0);
	assert_int_equal(r.trials, trials);
	assert_close(branin(r.at), r.best, 1e-12);
	return r;
}

static void bayes_finds_the_minimum_and_beats_chance(void **state)
{
	double bayes = 0, chance = 0;
	struct log l;

	(void)state;
	srand(23);
	for (unsigned seed = 0; seed < 10; seed++) {
		struct search_result r = found(SEARCH_BAYES, 40, seed, &l);
		double best = INFINITY;

		for (int i = 0; i < 40; i++) {
			const double x[] = {-5 + 15.0 * rand() / RAND_MAX,
					    15.0 * rand() / RAND_MAX};

			best = fmin(best, branin(x));
		}
		assert_true(r.best < 1.05 * BRANIN_BEST);
		assert_close(r.first, branin(centre), 1e-12);
		bayes += r.best / 10;
		chance += best / 10;
	}
	print_message("# mean of the best of 40: bayes %.4f, chance %.4f, minimum %.4f\n", bayes,
		      chance, BRANIN_BEST);
	assert_true(bayes < chance);
}

static void grid_fills_the_box(void **state)
{
	struct search_result r;
	struct log l;
	int cells[4][4] = {{0}};

	(void)state;
	r = found(SEARCH_GRID, 64, 1, &l);
	assert_true(r.best < 3);
	for (size_t i = 0; i < l.n; i++)
		cells[(int)fmin((l.points[i][0] + 5) / 3.75, 3)]
		     [(int)fmin(l.points[i][1] / 3.75, 3)]++;
	for (int i = 0; i < 16; i++)
		assert_true(cells[i / 4][i % 4] >= 2);
}

static void the_same_seed_tries_the_same_points(void **state)
{
	struct log a, b, other;

	(void)state;
	found(SEARCH_BAYES, 20, 5, &a);
	found(SEARCH_BAYES, 20, 5, &b);
	found(SEARCH_BAYES, 20, 6, &other);
	assert_memory_equal(a.points, b.points, sizeof(a.points));
	assert_memory_not_equal(a.points, other.points, sizeof(a.points));
	/* A shorter search is the beginning of a longer one. */
	found(SEARCH_BAYES, 12, 5, &b);
	assert_memory_equal(a.points, b.points, 12 * sizeof(a.points[0]));
}

static int whole_value(void *arg, const double *x, double *ret_value, struct err *e)
{
	struct log *l = arg;

	(void)e;
	assert_close(x[0], round(x[0]), 0);
	assert_true(x[0] >= 2 && x[0] <= 6 && x[1] >= 0.99e-3 && x[1] <= 1.01);
	*ret_value = fabs(x[0] - 5) + fabs(log10(x[1]) + 2);
	l->n++;
	return 0;
}

static int only_whole_value(void *arg, const double *x, double *ret_value, struct err *e)
{
	const double both[] = {x[0], 0.01};

	return whole_value(arg, both, ret_value, e);
}

static void whole_numbers_and_logarithms_are_kept(void **state)
{
	static const struct search_parameter p[] = {{"depth", 2, 6, false, true},
						    {"rate", 1e-3, 1, true, false}};
	static const double start[] = {3, 0.5};
	struct log l = {0};
	struct search_options o = {.method = SEARCH_BAYES,
				   .trials = 40,
				   .seed = 1,
				   .start = start,
				   .value = whole_value,
				   .arg = &l};
	struct search_result r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(search_run(p, 2, &o, &r, &e), 0);
	assert_close(r.at[0], 5, 0);
	assert_true(r.best < 0.1);
	/* Five whole numbers are five trials, however many are allowed. */
	l = (struct log){0};
	o.value = only_whole_value;
	assert_int_equal(search_run(p, 1, &o, &r, &e), 0);
	assert_int_equal(l.n, 5);
	assert_close(r.at[0], 5, 0);
}

static void a_budget_of_time_is_kept_and_errors_end_the_search(void **state)
{
	struct log l = {.sleep_us = 20000};
	struct search_options o = {.method = SEARCH_GRID,
				   .trials = 1000,
				   .seconds = 0.1,
				   .start = centre,
				   .value = branin_value,
				   .arg = &l};
	struct search_result r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(search_run(box, 2, &o, &r, &e), 0);
	assert_true(r.cut && r.trials >= 1 && r.trials <= 6);
	l = (struct log){.fail_at = 4};
	o.seconds = 0;
	assert_int_equal(search_run(box, 2, &o, &r, &e), -ERR_DATA);
	assert_int_equal(l.n, 3);
}

/* ---- trials on disk ---- */

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void trials_are_found_again_by_the_same_command_only(void **state)
{
	char path[] = "/tmp/vmwatts-trials-XXXXXX";
	const double x[] = {1.0 / 3, 2e-9}, other[] = {1.0 / 3, 3e-9};
	struct trials *t = NULL;
	struct err e = ERR_INIT;
	double error = 0;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(trials_open(path, 7, box, 2, &t, &e), 0);
	assert_false(trials_find(t, "package", x, &error));
	assert_int_equal(trials_add(t, "package", x, 0.1 + 0.2, &e), 0);
	assert_int_equal(trials_add(t, "core", other, 4, &e), 0);
	trials_close(t);
	assert_int_equal(trials_open(path, 7, box, 2, &t, &e), 0);
	assert_true(trials_find(t, "package", x, &error));
	assert_close(error, 0.1 + 0.2, 0);
	assert_false(trials_find(t, "package", other, &error));
	assert_false(trials_find(t, "core", x, &error));
	trials_close(t);
	assert_int_equal(trials_open(path, 8, box, 2, &t, &e), 0);
	assert_false(trials_find(t, "package", x, &error));
	trials_close(t);
	unlink(path);
}

static void lines_that_do_not_parse_are_left_out(void **state)
{
	char path[] = "/tmp/vmwatts-trials-XXXXXX";
	const double good[] = {1, 2}, cut[] = {3, 4};
	struct trials *t = NULL;
	struct err e = ERR_INIT;
	double error = 0;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_text(path, "# vmwatts trials 1 0000000000000007\nzone,x,y,error\n"
			 "package,1,2\nnowhere,1,2,3\npackage,,,\n\npackage,nan,2,3\n"
			 "package,1,2,5\npackage,1,2,6,7\n,\npackage,3,4,9");
	assert_int_equal(trials_open(path, 7, box, 2, &t, &e), 0);
	assert_true(trials_find(t, "package", good, &error));
	assert_close(error, 5, 0);
	assert_false(trials_find(t, "package", cut, &error));
	trials_close(t);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bayes_finds_the_minimum_and_beats_chance),
		cmocka_unit_test(grid_fills_the_box),
		cmocka_unit_test(the_same_seed_tries_the_same_points),
		cmocka_unit_test(whole_numbers_and_logarithms_are_kept),
		cmocka_unit_test(a_budget_of_time_is_kept_and_errors_end_the_search),
		cmocka_unit_test(trials_are_found_again_by_the_same_command_only),
		cmocka_unit_test(lines_that_do_not_parse_are_left_out),
	};

	return run_unit(tests);
}
