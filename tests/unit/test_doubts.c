// SPDX-License-Identifier: Apache-2.0
/* doubts: what is said of simulated recordings with one thing wrong each, and of good ones. */
#include "test.h"

#include "simulated.h"
#include "train/doubts.h"

static char said[4096];

static void remember(void *arg, const char *sentence)
{
	size_t n = strlen(said);

	(void)arg;
	assert_null(strchr(sentence, '\n'));
	snprintf(said + n, sizeof(said) - n, "%s\n", sentence);
}

static double watts(double u, double before)
{
	(void)before;
	return 1 + 5 * u;
}

static void ask(struct table *t)
{
	struct design *d;
	struct err e = ERR_INIT;

	said[0] = 0;
	assert_int_equal(design_new(t, &d, &e), 0);
	tell_doubts(d, true, remember, NULL);
	design_free(d);
	table_free(t);
}

static void good_recordings_raise_no_doubt(void **state)
{
	(void)state;
	ask(simulated(4, 100, watts));
	assert_string_equal(said, "");
}

static void milliwatts_are_told_by_the_number_of_cpus(void **state)
{
	struct table *t = simulated(4, 100, watts);

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= 1000;
	ask(t);
	assert_non_null(strstr(said, "package_watts goes up to"));
	assert_non_null(strstr(said, "milliwatts?"));
}

static void milliseconds_are_told(void **state)
{
	struct table *t = simulated(4, 100, watts);

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->t_s[i] = 1000 * (1.7e9 + t->t_s[i]);
	for (size_t k = 0; k < t->n_runs; k++)
		t->runs[k].interval_s = t->runs[k].window_s = 1000;
	ask(t);
	assert_non_null(strstr(said, "rows are 1000 s apart"));
	assert_non_null(strstr(said, "milliseconds?"));
}

static void swapped_columns_are_told(void **state)
{
	struct table *t = simulated(4, 100, watts);
	double *busy = t->x[FEATURE_CPU_BUSY_VCPUS];

	(void)state;
	t->x[FEATURE_CPU_BUSY_VCPUS] = t->x[FEATURE_CPU_UTILIZATION];
	t->x[FEATURE_CPU_UTILIZATION] = busy;
	t->y_w[ZONE_CORE] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_CORE][i] = 2 * t->y_w[ZONE_PACKAGE][i];
	ask(t);
	assert_non_null(strstr(said, "cpu_utilization goes from"));
	assert_non_null(strstr(said, "core_watts is above package_watts in 400 of 400 rows"));
}

static void what_never_moves_is_named(void **state)
{
	struct table *t = simulated(1, 100, watts);

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++) {
		t->x[FEATURE_CPU_UTILIZATION][i] = 0.5;
		t->y_w[ZONE_PACKAGE][i] = 7;
	}
	ask(t);
	assert_non_null(strstr(said, "never move, and are left out: cpu_utilization\n"));
	assert_non_null(strstr(said, "7 W in every row"));
	assert_non_null(strstr(said, "one run or group only"));
}

static void rows_of_one_run_in_another_are_leakage(void **state)
{
	struct table *t = simulated(4, 100, watts);

	(void)state;
	for (size_t i = 0; i < 50; i++) {
		t->x[FEATURE_CPU_BUSY_VCPUS][i + 100] = t->x[FEATURE_CPU_BUSY_VCPUS][i];
		t->x[FEATURE_CPU_UTILIZATION][i + 100] = t->x[FEATURE_CPU_UTILIZATION][i];
		t->y_w[ZONE_PACKAGE][i + 100] = t->y_w[ZONE_PACKAGE][i];
	}
	ask(t);
	assert_non_null(strstr(said, "50 of 400 rows stand in more than one run"));
}

static void idle_power_in_an_active_label_is_told(void **state)
{
	struct table *t = simulated(4, 100, watts);

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] += 60;
	ask(t);
	assert_non_null(strstr(said, "--scope node_total"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_recordings_raise_no_doubt),
		cmocka_unit_test(milliwatts_are_told_by_the_number_of_cpus),
		cmocka_unit_test(milliseconds_are_told),
		cmocka_unit_test(swapped_columns_are_told),
		cmocka_unit_test(what_never_moves_is_named),
		cmocka_unit_test(rows_of_one_run_in_another_are_leakage),
		cmocka_unit_test(idle_power_in_an_active_label_is_told),
	};

	return run_unit(tests);
}
