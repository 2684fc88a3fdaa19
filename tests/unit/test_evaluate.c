// SPDX-License-Identifier: Apache-2.0
/* evaluate: windows, noise floor, baselines, bands and importance against answers worked out by
 * hand. */
#include "test.h"

#include "sets.h"

#include "base/cleanup.h"
#include "collect/identity.h"
#include "evaluate/bands.h"
#include "evaluate/evaluate.h"
#include "evaluate/importance.h"

/* Runs of n rows, `interval_s` apart; every run is a group. Columns are added by the tests. */
static struct table *rows(size_t runs, size_t n, double interval_s)
{
	struct table *t = calloc(1, sizeof(*t));

	t->n_rows = runs * n;
	t->n_runs = t->n_groups = runs;
	t->runs = calloc(runs, sizeof(*t->runs));
	t->t_s = calloc(t->n_rows, sizeof(double));
	t->run = calloc(t->n_rows, sizeof(uint32_t));
	t->group = calloc(t->n_rows, sizeof(uint32_t));
	for (size_t i = 0; i < t->n_rows; i++) {
		struct table_run *run = &t->runs[i / n];

		if (i % n == 0) {
			*run = (struct table_run){.first = i,
						  .n = n,
						  .ordered = true,
						  .interval_s = interval_s,
						  .window_s = interval_s};
			snprintf(run->name, sizeof(run->name), "run%zu", i / n);
		}
		t->t_s[i] = 1000 + interval_s * (double)(i % n + 1);
		t->run[i] = t->group[i] = (uint32_t)(i / n);
	}
	t->y_w[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	return t;
}

static double *feature(struct table *t, enum feature f)
{
	t->x[f] = calloc(t->n_rows, sizeof(double));
	return t->x[f];
}

static struct prior some_prior(void)
{
	struct identity id = {.vendor = ""};
	struct prior p;

	prior_init(&p, &id);
	return p;
}

static void windows_average_before_they_compare(void **state)
{
	struct table *t = rows(1, 10, 1);
	double *y = t->y_w[ZONE_PACKAGE], p[10];
	struct window_metrics w;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		y[i] = 10;
		p[i] = i % 2 ? 9 : 11;
	}
	/* +1 -1 +1 -1 +1 and -1 +1 -1 +1 -1: each window is off by a fifth of a watt. */
	assert_int_equal(windows_compute(t, y, p, 5, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 2);
	assert_close(w.mean_s, 5, 1e-12);
	assert_close(w.blocks.mae_w, 0.2, 1e-12);
	assert_close(w.blocks.wmape, 0.02, 1e-12);
	assert_int_equal(windows_compute(t, y, p, 1, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 10);
	assert_close(w.blocks.wmape, 0.1, 1e-12);
	table_free(t);
}

static void windows_last_at_most_what_they_say(void **state)
{
	struct table *t = rows(1, 6, 3);
	double p[6] = {0};
	struct window_metrics w;

	(void)state;
	assert_int_equal(windows_compute(t, t->y_w[ZONE_PACKAGE], p, 5, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 6);
	assert_close(w.mean_s, 3, 1e-12);
	assert_int_equal(windows_compute(t, t->y_w[ZONE_PACKAGE], p, 15, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 1); /* the sixth row fills less than half */
	assert_close(w.mean_s, 15, 1e-12);
	assert_int_equal(windows_compute(t, t->y_w[ZONE_PACKAGE], p, 1, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 0);
	assert_true(isnan(w.mean_s));
	table_free(t);
}

static void a_gap_ends_a_window(void **state)
{
	struct table *t = rows(1, 10, 1);
	double p[10];
	struct window_metrics w;

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		t->y_w[ZONE_PACKAGE][i] = i < 3 ? 10 : 20;
		p[i] = 10;
		t->t_s[i] += i < 3 ? 0 : 100;
	}
	p[4] = NAN;
	assert_int_equal(windows_compute(t, t->y_w[ZONE_PACKAGE], p, 5, &w, NULL), 0);
	/* 3 rows; after the gap 5, one of them not answered; 2 are too few. */
	assert_int_equal(w.blocks.rows, 2);
	assert_close(w.mean_s, 3.5, 1e-12);
	assert_close(w.blocks.mae_w, 5, 1e-12);
	table_free(t);
}

static void rows_in_no_order_have_no_windows(void **state)
{
	struct table *t = rows(1, 10, 1);
	double p[10] = {0};
	struct window_metrics w;

	(void)state;
	t->runs[0].ordered = false;
	t->runs[0].interval_s = NAN;
	assert_int_equal(windows_compute(t, t->y_w[ZONE_PACKAGE], p, 5, &w, NULL), 0);
	assert_int_equal(w.blocks.rows, 0);
	table_free(t);
}

static void noise_floor_is_what_twins_differ_by(void **state)
{
	struct table *t = rows(2, 20, 1);
	double *u = feature(t, FEATURE_CPU_UTILIZATION);
	struct noise n;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		u[i] = (double)(i % 20) / 20;
		t->y_w[ZONE_PACKAGE][i] = 50 * u[i] + (i < 20 ? 0 : 2);
	}
	assert_int_equal(noise_compute(t, ZONE_PACKAGE, &n, NULL), 0);
	assert_int_equal(n.pairs, 40);
	assert_close(n.floor_w, 2 / sqrt(2), 1e-12);
	assert_close(n.distance, 0, 0);
	table_free(t);
}

/* Twelve uniforms less six: as good as Gaussian with deviation 1. */
static double gauss(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += (double)rand() / RAND_MAX;
	return sum;
}

static void noise_floor_is_the_error_of_the_best_function(void **state)
{
	struct table *t = rows(10, 600, 1);
	double *u = feature(t, FEATURE_CPU_UTILIZATION);
	struct noise n;

	(void)state;
	srand(3);
	for (size_t i = 0; i < t->n_rows; i++) {
		u[i] = (double)rand() / RAND_MAX;
		t->y_w[ZONE_PACKAGE][i] = 20 + 40 * u[i] + 3 * gauss();
	}
	assert_int_equal(noise_compute(t, ZONE_PACKAGE, &n, NULL), 0);
	assert_int_equal(n.pairs, NOISE_QUERIES);
	assert_close(n.floor_w, 3 * sqrt(2 / M_PI), 0.07);
	table_free(t);
}

static void noise_floor_needs_something_to_compare(void **state)
{
	struct table *t = rows(1, NOISE_APART, 1);
	struct noise n;

	(void)state;
	assert_int_equal(noise_compute(t, ZONE_PACKAGE, &n, NULL), 0);
	assert_int_equal(n.pairs, 0); /* no feature */
	feature(t, FEATURE_CPU_UTILIZATION)[2] = 1;
	assert_int_equal(noise_compute(t, ZONE_PACKAGE, &n, NULL), 0);
	assert_int_equal(n.pairs, 0); /* one group, and all of it near in time */
	assert_true(isnan(n.floor_w) && isnan(n.distance));
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] = NAN;
	assert_int_equal(noise_compute(t, ZONE_PACKAGE, &n, NULL), 0);
	assert_int_equal(n.pairs, 0);
	table_free(t);
}

static void line_through_points(void **state)
{
	const double x[5] = {1, 2, NAN, 3, 4}, y[5] = {5, 7, 100, 9, 11}, same[3] = {2, 2, 2};
	double a, b;

	(void)state;
	assert_true(line_fit(x, y, 5, &a, &b));
	assert_close(a, 3, 1e-12);
	assert_close(b, 2, 1e-12);
	assert_false(line_fit(same, y, 2, &a, &b));
	assert_false(line_fit(x, y, 1, &a, &b));
}

static void baselines_are_scored_where_they_apply(void **state)
{
	struct table *t = rows(1, 4, 1);
	double prior_w[4] = {12, 22, 32, 42};
	struct metrics m[BASELINE_COUNT];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		t->y_w[ZONE_PACKAGE][i] = 10 * (double)(i + 1);
	assert_int_equal(baselines_compute(t, ZONE_PACKAGE, prior_w, m, NULL), 0);
	assert_int_equal(m[BASELINE_LINEAR].rows, 0); /* no utilization */
	assert_int_equal(m[BASELINE_KEPLER].rows, 0);
	assert_close(m[BASELINE_PRIOR].mae_w, 2, 1e-12);
	/* Utilization is worked out of its parts. */
	feature(t, FEATURE_VCPUS);
	feature(t, FEATURE_CPU_BUSY_VCPUS);
	for (size_t i = 0; i < 4; i++) {
		t->x[FEATURE_VCPUS][i] = 8;
		t->x[FEATURE_CPU_BUSY_VCPUS][i] = (double)i;
	}
	t->kepler_guest_package_w = calloc(4, sizeof(double));
	assert_int_equal(baselines_compute(t, ZONE_PACKAGE, prior_w, m, NULL), 0);
	assert_int_equal(m[BASELINE_LINEAR].rows, 4);
	assert_true(m[BASELINE_LINEAR].mae_w < 1e-9);
	assert_close(m[BASELINE_KEPLER].wmape, 1, 1e-12);
	table_free(t);
}

static void bands_are_of_utilization_or_of_the_label(void **state)
{
	struct table *t = rows(1, 4, 1);
	double p[4] = {1, 2, 3, 4};
	struct answers a = {.watts = {p}};
	struct bands b;

	(void)state;
	t->y_w[ZONE_PACKAGE][0] = 0;
	t->y_w[ZONE_PACKAGE][1] = 1;
	t->y_w[ZONE_PACKAGE][2] = 5;
	t->y_w[ZONE_PACKAGE][3] = 10;
	assert_int_equal(bands_compute(t, ZONE_PACKAGE, &a, &b, NULL), 0);
	assert_false(b.by_utilization);
	assert_int_equal(b.band[0].rows, 1);
	assert_int_equal(b.band[1].rows, 1);
	assert_int_equal(b.band[5].rows, 1);
	assert_int_equal(b.band[9].rows, 1);
	assert_close(b.band[9].mae_w, 6, 1e-12);
	feature(t, FEATURE_CPU_UTILIZATION);
	for (size_t i = 0; i < 4; i++)
		t->x[FEATURE_CPU_UTILIZATION][i] = 0.35;
	assert_int_equal(bands_compute(t, ZONE_PACKAGE, &a, &b, NULL), 0);
	assert_true(b.by_utilization);
	assert_int_equal(b.band[3].rows, 4);
	table_free(t);
}

/* Load that wanders, and context switches that mean nothing, as some_set wants them. */
static struct table *wandering(size_t runs, size_t n)
{
	struct table *t = rows(runs, n, 3);
	double *busy = feature(t, FEATURE_CPU_BUSY_VCPUS), *u = feature(t, FEATURE_CPU_UTILIZATION);
	double *switches = feature(t, FEATURE_CONTEXT_SWITCH_RATE);

	srand(1);
	for (size_t i = 0; i < t->n_rows; i++) {
		busy[i] = 8.0 * rand() / RAND_MAX;
		u[i] = busy[i] / 8;
		switches[i] = 200.0 * rand() / RAND_MAX;
		t->y_w[ZONE_PACKAGE][i] = 2 + 3 * busy[i];
	}
	return t;
}

static const struct importance_item *item_of(const struct importance *i, enum feature f)
{
	for (size_t k = 0; k < i->n; k++) {
		if (i->items[k].has[f])
			return &i->items[k];
	}
	fail_msg("no item has %s", feature_info(f)->name);
	return NULL;
}

static void importance_tells_what_the_model_looks_at(void **state)
{
	struct prior prior = some_prior();
	struct evaluate_options o = {.prior = &prior};
	struct model_set *s = some_set();
	struct table *t = wandering(3, 1000);
	struct importance *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	(void)state;
	assert_int_equal(importance_compute(t, s, &o, a, NULL), 0);
	assert_int_equal(importance_compute(t, s, &o, b, NULL), 0);
	assert_int_equal(a->n, 2);
	assert_true(a->rows > 1000 && a->rows <= IMPORTANCE_ROWS);
	/* Two columns that are one signal go together; the mean |x - x'| of uniforms is a third. */
	assert_ptr_equal(item_of(a, FEATURE_CPU_BUSY_VCPUS), item_of(a, FEATURE_CPU_UTILIZATION));
	assert_true(item_of(a, FEATURE_CPU_BUSY_VCPUS)->rise_w[ZONE_PACKAGE] > 5);
	/* Only the second choice uses switches. */
	assert_close(item_of(a, FEATURE_CONTEXT_SWITCH_RATE)->rise_w[ZONE_PACKAGE], 0, 0);
	assert_true(isnan(a->items[0].rise_w[ZONE_DRAM]));
	assert_memory_equal(&a->items[0].rise_w[ZONE_PACKAGE], &b->items[0].rise_w[ZONE_PACKAGE],
			    sizeof(double));
	free(a);
	free(b);
	table_free(t);
	model_set_free(s);
}

static void importance_leaves_the_table_as_it_was(void **state)
{
	struct prior prior = some_prior();
	struct evaluate_options o = {.prior = &prior};
	struct table *t = wandering(2, 50), *same = wandering(2, 50);
	struct importance *a = calloc(1, sizeof(*a));

	(void)state;
	assert_int_equal(importance_compute(t, NULL, &o, a, NULL), 0);
	assert_int_equal(a->rows, 100);
	feature_foreach (f) {
		if (t->x[f])
			assert_memory_equal(t->x[f], same->x[f], 100 * sizeof(double));
	}
	free(a);
	table_free(t);
	table_free(same);
}

static void report_has_every_figure(void **state)
{
	static const char *const keys[] = {
		"\"winkler_90_watts\":",
		"\"by_window\":{\"5\":{",
		"\"noise_floor_watts\":",
		"\"baselines\":{",
		"\"prior\":{",
		"\"by_run\":{\"run0\":{",
		"\"linear_in_utilization\":",
	};
	struct prior prior = some_prior();
	struct evaluate_options o = {.prior = &prior};
	struct model_set *s = some_set();
	struct table *t = wandering(2, 100);
	struct text out = {0};
	struct report r;

	(void)state;
	feature(t, FEATURE_VCPUS);
	for (size_t i = 0; i < t->n_rows; i++)
		t->x[FEATURE_VCPUS][i] = 8;
	assert_int_equal(evaluate(t, s, &o, &r, NULL), 0);
	assert_int_equal(r.answers.trained[ZONE_PACKAGE], 200);
	report_json(&r, &out);
	for (size_t i = 0; i < array_size(keys); i++) {
		if (!strstr(out.s, keys[i]))
			fail_msg("no %s in %s", keys[i], out.s);
	}
	assert_null(strstr(out.s, "kepler_in_guest"));
	text_release(&out);
	report_release(&r);
	table_free(t);
	model_set_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_average_before_they_compare),
		cmocka_unit_test(windows_last_at_most_what_they_say),
		cmocka_unit_test(a_gap_ends_a_window),
		cmocka_unit_test(rows_in_no_order_have_no_windows),
		cmocka_unit_test(noise_floor_is_what_twins_differ_by),
		cmocka_unit_test(noise_floor_is_the_error_of_the_best_function),
		cmocka_unit_test(noise_floor_needs_something_to_compare),
		cmocka_unit_test(line_through_points),
		cmocka_unit_test(baselines_are_scored_where_they_apply),
		cmocka_unit_test(bands_are_of_utilization_or_of_the_label),
		cmocka_unit_test(importance_tells_what_the_model_looks_at),
		cmocka_unit_test(importance_leaves_the_table_as_it_was),
		cmocka_unit_test(report_has_every_figure),
	};

	return run_unit(tests);
}
