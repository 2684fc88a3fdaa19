// SPDX-License-Identifier: Apache-2.0
/* adapt: a set trained on one simulated machine, brought to another with a few of its rows. */
#include "test.h"

#include "model/estimate.h"
#include "simulated.h"
#include "train/adapt.h"
#include "train/train.h"

static const struct train_options options = {.name = "t",
					     .version = "1",
					     .family = FAMILY_PHYSICS,
					     .scope = SCOPE_NODE_TOTAL,
					     .uncore_definition = "pp1"};

static double first_machine(double u, double before)
{
	(void)before;
	return 20 + 6 * u;
}

static double scaled_machine(double u, double before)
{
	return 5 + 1.8 * first_machine(u, before);
}

/* Bends where the first is straight. */
static double bent_machine(double u, double before)
{
	(void)before;
	return 30 + 25 * sqrt(u);
}

static struct model_set *trained(void)
{
	struct table *t = simulated(5, 200, first_machine);
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(train(t, &options, &s, &e), 0);
	table_free(t);
	return s;
}

/* Mean relative error of the set on a machine. */
static double error_on(const struct model_set *s, double (*watts)(double, double))
{
	const struct estimate_options plain = ESTIMATE_OPTIONS_INIT;
	double error = 0;
	int n = 0;

	for (double u = 0.25; u < 8; u += 0.25, n++) {
		double x[INPUT_MAX];
		struct estimate e;

		for (size_t j = 0; j < s->n_inputs; j++)
			x[j] = s->inputs[j].feature == FEATURE_CPU_UTILIZATION	? u / 8
			       : s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? u
										: 8;
		model_set_estimate(s, x, &plain, &e);
		assert_true(e.zone[ZONE_PACKAGE].valid);
		error += fabs(zone_watts(&e.zone[ZONE_PACKAGE]) - watts(u, u)) / watts(u, u);
	}
	return error / n;
}

static struct adapt_zone adapted(struct model_set *s, double (*watts)(double, double), size_t rows)
{
	struct table *t = simulated(1, rows, watts);
	struct adapt_zone zones[ZONE_COUNT];
	struct err e = ERR_INIT;

	assert_int_equal(adapt(s, t, 1, zones, &e), 0);
	assert_int_equal(zones[ZONE_PACKAGE].rows, rows);
	assert_int_equal(zones[ZONE_DRAM].rows, 0);
	table_free(t);
	return zones[ZONE_PACKAGE];
}

static void a_gain_and_an_offset_are_found(void **state)
{
	struct model_set *s = trained();
	struct adapt_zone z;

	(void)state;
	srand(1);
	assert_true(error_on(s, scaled_machine) > 0.3);
	z = adapted(s, scaled_machine, 8);
	assert_int_equal(z.method, ADAPT_AFFINE);
	assert_true(z.after < 0.03 && z.before > 0.3);
	assert_true(error_on(s, scaled_machine) < 0.03);
	model_set_free(s);
}

static void another_curve_gets_a_model_of_its_own(void **state)
{
	struct model_set *s = trained();
	size_t before = s->zones[ZONE_PACKAGE].n;
	struct adapt_zone z;

	(void)state;
	srand(2);
	z = adapted(s, bent_machine, 20);
	assert_int_equal(z.method, ADAPT_LOCAL);
	assert_int_equal(s->zones[ZONE_PACKAGE].n, before + 1);
	assert_true(error_on(s, bent_machine) < 0.05);
	assert_true(s->zones[ZONE_PACKAGE].models[0].interval.quantile[0] < 0.2);
	model_set_free(s);
}

static void the_machine_it_was_trained_on_stays_as_it_was(void **state)
{
	struct model_set *s = trained();

	(void)state;
	srand(3);
	adapted(s, first_machine, 9);
	assert_true(error_on(s, first_machine) < 0.03);
	model_set_free(s);
}

static void idle_and_full_load_alone_help(void **state)
{
	struct model_set *s = trained();
	struct table *t = simulated(1, 2, scaled_machine);
	struct adapt_zone zones[ZONE_COUNT];
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		double u = i ? 8 : 0;

		t->x[FEATURE_CPU_BUSY_VCPUS][i] = u;
		t->x[FEATURE_CPU_UTILIZATION][i] = u / 8;
		t->y_w[ZONE_PACKAGE][i] = scaled_machine(u, u);
	}
	assert_int_equal(adapt(s, t, 1, zones, &e), 0);
	assert_int_equal(zones[ZONE_PACKAGE].method, ADAPT_AFFINE);
	assert_true(isnan(zones[ZONE_PACKAGE].after));
	assert_true(error_on(s, scaled_machine) < 0.03);
	table_free(t);
	model_set_free(s);
}

static void rows_that_say_nothing_are_refused(void **state)
{
	struct model_set *s = trained();
	struct table *t = simulated(1, 1, first_machine);
	struct adapt_zone zones[ZONE_COUNT];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(adapt(s, t, 1, zones, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "at least 2 rows"));
	t->y_w[ZONE_PACKAGE][0] = NAN;
	assert_int_equal(adapt(s, t, 1, zones, &e), -ERR_DATA);
	table_free(t);
	model_set_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_gain_and_an_offset_are_found),
		cmocka_unit_test(another_curve_gets_a_model_of_its_own),
		cmocka_unit_test(the_machine_it_was_trained_on_stays_as_it_was),
		cmocka_unit_test(idle_and_full_load_alone_help),
		cmocka_unit_test(rows_that_say_nothing_are_refused),
	};

	return run_unit(tests);
}
