// SPDX-License-Identifier: Apache-2.0
/* metrics: against numbers that tests/golden/score.py wrote, and at the edges. */
#include "test.h"

#include "base/cleanup.h"
#include "base/metrics.h"

#include "../golden/metrics.inc"

enum { ROWS = array_size(golden_rows) };

static double figure(const struct metrics *m, const char *name)
{
	const struct {
		const char *name;
		double value;
	} all[] = {
		{"rows", (double)m->rows},
		{"mape", m->mape},
		{"mape_floor_watts", m->mape_floor_w},
		{"mae_watts", m->mae_w},
		{"wmape", m->wmape},
		{"rmse_watts", m->rmse_w},
		{"r2", m->r2},
		{"bias_watts", m->bias_w},
		{"energy_error", m->energy_error},
		{"coverage_90", m->coverage},
		{"mean_interval_watts", m->mean_interval_w},
		{"interval_score_watts", m->interval_score_w},
		{"winkler_90_watts", m->interval_score_w},
	};

	for (size_t i = 0; i < array_size(all); i++) {
		if (!strcmp(all[i].name, name))
			return all[i].value;
	}
	fail_msg("no figure %s", name);
	return NAN;
}

static void agrees_with_the_golden_numbers(void **state)
{
	double y[ROWS], p[ROWS], low[ROWS], high[ROWS];
	struct metrics_input in = {ROWS, y, p, low, high};
	struct metrics m;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		y[i] = golden_rows[i][0];
		p[i] = golden_rows[i][1];
		low[i] = golden_rows[i][2];
		high[i] = golden_rows[i][3];
	}
	metrics_compute(&in, &m);
	for (size_t i = 0; i < array_size(golden); i++)
		assert_close(figure(&m, golden[i].name), golden[i].value, 1e-12);
	assert_int_equal(m.unanswered, 1);
}

static void no_rows_say_nothing(void **state)
{
	const double missing[2] = {NAN, 3}, truth[2] = {4, NAN};
	struct metrics_input in = {.n = 2, .truth_w = truth, .estimate_w = missing};
	struct metrics m;

	(void)state;
	metrics_compute(&in, &m);
	assert_int_equal(m.rows, 0);
	assert_int_equal(m.unanswered, 1);
	assert_true(isnan(m.mape) && isnan(m.mae_w) && isnan(m.wmape) && isnan(m.r2));
	assert_true(isnan(m.energy_error) && isnan(m.coverage) && isnan(m.bias_w));
}

static void truth_of_zero_has_no_relative_error(void **state)
{
	const double truth[3] = {0, 0, 0}, estimate[3] = {1, 1, 1};
	struct metrics_input in = {.n = 3, .truth_w = truth, .estimate_w = estimate};
	struct metrics m;

	(void)state;
	metrics_compute(&in, &m);
	assert_true(isnan(m.mape) && isnan(m.wmape) && isnan(m.energy_error) && isnan(m.r2));
	assert_close(m.mae_w, 1, 1e-15);
	assert_close(m.bias_w, 1, 1e-15);
	assert_close(m.mape_floor_w, 0.1, 0);
}

static void rows_under_the_floor_do_not_count_for_mape(void **state)
{
	const double truth[3] = {100, 2, 1}, estimate[3] = {110, 20, 10};
	struct metrics_input in = {.n = 3, .truth_w = truth, .estimate_w = estimate};
	struct metrics m;

	(void)state;
	metrics_compute(&in, &m);
	assert_close(m.mape_floor_w, 2, 1e-15);
	assert_close(m.mape, 0.1, 1e-12);
}

static void winkler_score_punishes_misses_twentyfold(void **state)
{
	const double truth[2] = {1, 10}, p[2] = {2, 9}, low[2] = {1.5, 8}, high[2] = {3, 9.5};
	struct metrics_input in = {2, truth, p, low, high};
	struct metrics m;

	(void)state;
	metrics_compute(&in, &m);
	assert_close(m.coverage, 0, 0);
	assert_close(m.mean_interval_w, 1.5, 1e-15);
	assert_close(m.interval_score_w, 1.5 + 20 * 0.5, 1e-12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_golden_numbers),
		cmocka_unit_test(no_rows_say_nothing),
		cmocka_unit_test(truth_of_zero_has_no_relative_error),
		cmocka_unit_test(rows_under_the_floor_do_not_count_for_mape),
		cmocka_unit_test(winkler_score_punishes_misses_twentyfold),
	};

	return run_unit(tests);
}
