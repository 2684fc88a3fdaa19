// SPDX-License-Identifier: Apache-2.0
/* boost: our trees against XGBoost's numbers, and trees that never fall with their load. */
#include "test.h"

#include <xgboost/c_api.h>

#include "base/cleanup.h"
#include "train/boost.h"

#include "../golden/trees.inc"

#define WATTS_FLOOR 1e-3 /* below it the difference counts absolutely */

static void assert_watts(double got, double wanted)
{
	if (fabs(got - wanted) <= 1e-5 * fmax(fabs(wanted), WATTS_FLOOR))
		return;
	print_error("%.9g is not %.9g\n", got, wanted);
	fail();
}

#define assert_golden(name)                                                                        \
	do {                                                                                       \
		struct trees t = {.base = golden_##name##_base,                                    \
				  .n = array_size(golden_##name##_first),                          \
				  .n_nodes = array_size(golden_##name##_nodes),                    \
				  .first = (uint32_t *)golden_##name##_first,                      \
				  .nodes = (struct tree_node *)golden_##name##_nodes};             \
                                                                                                   \
		for (size_t i = 0; i < array_size(golden_##name##_watts); i++)                     \
			assert_watts(trees_value(&t, golden_##name##_rows + i * GOLDEN_COLUMNS),   \
				     golden_##name##_watts[i]);                                    \
	} while (0)

static void watts_are_those_of_the_reference(void **state)
{
	(void)state;
	assert_golden(forest);
	assert_golden(boosted);
}

/* ---- made-up data ---- */

enum { ROWS = 1000, COLUMNS = 4 };

struct made {
	float x[ROWS * COLUMNS], y[ROWS];
	struct boost_data data;
};

/* Rises with column 0 but for a dent in its middle; noise. */
static struct made *made(void)
{
	struct made *m = calloc(1, sizeof(*m));

	srand(17);
	for (size_t i = 0; i < ROWS; i++) {
		float *x = m->x + i * COLUMNS;

		for (size_t k = 0; k < COLUMNS; k++)
			x[k] = (float)rand() / (float)RAND_MAX * (k == 2 ? 1e9f : 8);
		m->y[i] = 20 + 5 * x[0] - (x[0] > 3 && x[0] < 4 ? 12 : 0) + x[1] * x[1] +
			  x[2] * 2e-9f + (float)rand() / (float)RAND_MAX;
	}
	m->data = (struct boost_data){ROWS, COLUMNS, m->x, m->y, NULL};
	return m;
}

static const struct boost_options forest_options = {.forest = true,
						    .bins = 64,
						    .n_trees = 20,
						    .depth = 10,
						    .min_child_weight = 3,
						    .row_share = 0.63,
						    .column_share = 0.5,
						    .seed = 5};
static const struct boost_options boosted_options = {.n_trees = 60,
						     .bins = 64,
						     .depth = 5,
						     .rate = 0.1,
						     .min_child_weight = 2,
						     .lambda = 2,
						     .row_share = 0.8,
						     .column_share = 0.8,
						     .seed = 5};

static void release(struct trees *t)
{
	free(t->first);
	free(t->nodes);
}

/* XGBoost itself, on the same data with parameters written out a second time. */
static BoosterHandle grown(const struct made *m, bool forest, float base, DMatrixHandle *ret_rows)
{
	const char *common[][2] = {
		{"tree_method", "hist"},
		{"objective", "reg:squarederror"},
		{"verbosity", "0"},
		{"nthread", "1"},
		{"max_bin", "64"},
		{"seed", "5"},
		{"max_depth", forest ? "10" : "5"},
		{"eta", forest ? "1" : "0.1"},
		{"lambda", forest ? "0" : "2"},
		{"min_child_weight", forest ? "3" : "2"},
		{"subsample", forest ? "0.63" : "0.8"},
		{forest ? "colsample_bynode" : "colsample_bytree", forest ? "0.5" : "0.8"},
		{"num_parallel_tree", forest ? "20" : "1"}};
	BoosterHandle b;
	char text[32];

	assert_int_equal(XGDMatrixCreateFromMat(m->x, ROWS, COLUMNS, NAN, ret_rows), 0);
	assert_int_equal(XGDMatrixSetFloatInfo(*ret_rows, "label", m->y, ROWS), 0);
	assert_int_equal(XGBoosterCreate(ret_rows, 1, &b), 0);
	for (size_t i = 0; i < array_size(common); i++)
		assert_int_equal(XGBoosterSetParam(b, common[i][0], common[i][1]), 0);
	snprintf(text, sizeof(text), "%.9g", (double)base);
	assert_int_equal(XGBoosterSetParam(b, "base_score", text), 0);
	for (int i = 0; i < (forest ? 1 : 60); i++)
		assert_int_equal(XGBoosterUpdateOneIter(b, i, *ret_rows), 0);
	return b;
}

static void compare(bool forest)
{
	struct made *m = made();
	struct err e = ERR_INIT;
	const float *watts;
	DMatrixHandle rows;
	BoosterHandle b;
	bst_ulong n;
	struct trees t;

	assert_int_equal(
		boost_fit(&m->data, forest ? &forest_options : &boosted_options, &t, NULL, &e), 0);
	b = grown(m, forest, t.base, &rows);
	assert_int_equal(XGBoosterPredict(b, rows, 0, 0, 0, &n, &watts), 0);
	assert_int_equal(n, ROWS);
	for (size_t i = 0; i < ROWS; i++) {
		float columns[COLUMNS];

		for (size_t k = 0; k < COLUMNS; k++)
			columns[k] = m->x[i * COLUMNS + k];
		assert_watts(trees_value(&t, columns), watts[i]);
	}
	XGBoosterFree(b);
	XGDMatrixFree(rows);
	release(&t);
	free(m);
}

static void a_forest_gives_the_numbers_of_xgboost(void **state)
{
	(void)state;
	compare(true);
}

static void boosted_trees_give_the_numbers_of_xgboost(void **state)
{
	(void)state;
	compare(false);
}

/* The deepest fall of the answer while column 0 rises, over some values of the others. */
static double deepest_fall(const struct trees *t)
{
	double fall = 0;

	for (int other = 0; other < 8; other++) {
		double highest = -INFINITY;

		for (int i = 0; i <= 160; i++) {
			const float columns[COLUMNS] = {(float)i / 20, (float)other,
							(float)other * 1e8F, 8 - (float)other};
			double w = trees_value(t, columns);

			highest = fmax(highest, w);
			fall = fmax(fall, highest - w);
		}
	}
	return fall;
}

static void rising_columns_never_lower_the_answer(void **state)
{
	static const bool rising[COLUMNS] = {true, false, false, false};
	struct made *m = made();
	struct boost_options o = boosted_options;
	struct err e = ERR_INIT;
	struct trees t;

	(void)state;
	assert_int_equal(boost_fit(&m->data, &o, &t, NULL, &e), 0);
	assert_true(deepest_fall(&t) > 3);
	release(&t);
	o.rising = rising;
	assert_int_equal(boost_fit(&m->data, &o, &t, NULL, &e), 0);
	assert_true(deepest_fall(&t) < 1e-3); /* sums of float32 */
	release(&t);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watts_are_those_of_the_reference),
		cmocka_unit_test(a_forest_gives_the_numbers_of_xgboost),
		cmocka_unit_test(boosted_trees_give_the_numbers_of_xgboost),
		cmocka_unit_test(rising_columns_never_lower_the_answer),
	};

	return run_unit(tests);
}
