// SPDX-License-Identifier: Apache-2.0
/* Readers of other libraries' models, by hand-made files: what they say, and what they refuse. */
#include "exchange/export.h"
#include "exchange/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xgboost/c_api.h>

#include "base/cleanup.h"
#include "model/estimate.h"
#include "test.h"

/* Two leaves: 3 below 0.5, 7 from there on; base 1. */
static const char xgboost_json[] =
	"{\"learner\":{\"feature_names\":[\"cpu_utilization\"],\"objective\":{\"name\":"
	"\"reg:squarederror\"},\"learner_model_param\":{\"base_score\":\"[1E0]\",\"num_feature\":"
	"\"1\",\"num_target\":\"1\"},\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{"
	"\"trees\":"
	"[{\"left_children\":[1,-1,-1],\"right_children\":[2,-1,-1],\"split_indices\":[0,0,0],"
	"\"split_conditions\":[0.5,3,7]}]}}}}";

static const char lightgbm_text[] =
	"tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nobjective=regression\n"
	"feature_names=cpu_utilization vcpus\n\nTree=0\nnum_leaves=3\nsplit_feature=0 1\n"
	"threshold=0.5 4\ndecision_type=2 2\nleft_child=-1 -2\nright_child=1 -3\n"
	"leaf_value=10 20 30\nis_linear=0\n\n\nend of trees\n";

static double answer(struct regressor *r, const char *features, double utilization, double vcpus)
{
	struct feature_source sources[8] = {{.factor = 1}};
	struct model_set s = {.name = "n", .version = "1", .interval_s = 5, .window_s = 5};
	struct err e = ERR_INIT;
	double x[INPUT_MAX] = {0}, z, watts;

	assert_int_equal(import_sources(r, features, sources, &e), 0);
	assert_int_equal(import_zone(&s, ZONE_PACKAGE, r, sources, &e), 0);
	if (model_set_check(&s, &e) < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < s.n_inputs; i++)
		x[i] = s.inputs[i].feature == FEATURE_VCPUS ? vcpus : utilization;
	watts = model_watts(&s.zones[ZONE_PACKAGE].models[0], x, &z);
	model_set_release(&s);
	return watts;
}

static void xgboost_json_answers_as_its_trees_say(void **state)
{
	const double at[] = {0.25, 0.5}, wanted[] = {4, 8};
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct regressor r;

		assert_int_equal(xgboost_read(xgboost_json, strlen(xgboost_json), &r, &e), 0);
		assert_close(answer(&r, NULL, at[i], 4), wanted[i], 1e-12);
	}
}

#define ROWS 400

static void xgb(int status)
{
	if (status)
		fail_msg("XGBoost: %s", XGBGetLastError());
}

/* Trained with the library that is linked (1.7 on Debian 12), saved in both formats, read by ours.
 */
static void what_xgboost_saves_answers_as_it_does(void **state)
{
	static const char *const formats[] = {"{\"format\":\"json\"}", "{\"format\":\"ubj\"}"};
	static const char *const boosters[] = {"gbtree", "dart"};
	float x[ROWS][2], y[ROWS];
	const float *theirs;
	DMatrixHandle data;
	bst_ulong n;

	(void)state;
	for (int i = 0; i < ROWS; i++) {
		x[i][0] = (float)(i * 37 % ROWS) / ROWS;
		x[i][1] = (float)(1 + i % 8);
		y[i] = 5 + 20 * sqrtf(x[i][0]) * x[i][1];
	}
	xgb(XGDMatrixCreateFromMat(x[0], ROWS, 2, NAN, &data));
	xgb(XGDMatrixSetFloatInfo(data, "label", y, ROWS));
	for (int k = 0; k < 4; k++) {
		const char *bytes;
		BoosterHandle b;
		bst_ulong len;

		xgb(XGBoosterCreate(&data, 1, &b));
		xgb(XGBoosterSetParam(b, "booster", boosters[k / 2]));
		xgb(XGBoosterSetParam(b, "rate_drop", "0.3"));
		xgb(XGBoosterSetParam(b, "nthread", "1"));
		for (int round = 0; round < 20; round++)
			xgb(XGBoosterUpdateOneIter(b, round, data));
		xgb(XGBoosterPredict(b, data, 0, 0, 0, &n, &theirs));
		xgb(XGBoosterSaveModelToBuffer(b, formats[k % 2], &len, &bytes));
		assert_int_equal(n, ROWS);
		for (int i = 0; i < ROWS; i += 13) {
			struct regressor r;
			struct err e = ERR_INIT;

			if (xgboost_read(bytes, len, &r, &e) < 0)
				fail_msg("%s", e.msg);
			assert_close(answer(&r, "cpu_utilization,vcpus", (double)x[i][0],
					    (double)x[i][1]),
				     (double)theirs[i], 1e-6);
		}
		XGBoosterFree(b);
	}
	XGDMatrixFree(data);
}

static void lightgbm_goes_left_when_equal(void **state)
{
	const double at[][3] = {{0.5, 4, 10}, {0.50001, 4, 20}, {0.6, 5, 30}};
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct regressor r;

		assert_int_equal(lightgbm_read(lightgbm_text, strlen(lightgbm_text), &r, &e), 0);
		assert_close(answer(&r, NULL, at[i][0], at[i][1]), at[i][2], 1e-12);
	}
}

static void kepler_weights_are_by_milliseconds(void **state)
{
	static const char json[] =
		"{\"dram\":{\"All_Weights\":{\"Bias_Weight\":2,\"Numerical_Variables\":{"
		"\"bpf_cpu_time_ms\":{\"scale\":500,\"weight\":3}}}}}";
	struct regressor r[ZONE_COUNT] = {0};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(kepler_read(json, strlen(json), r, &e), 0);
	assert_int_equal(r[ZONE_PACKAGE].n_features, 0);
	/* 0.5 busy vCPUs are 500 ms a second */
	assert_close(answer(&r[ZONE_DRAM], NULL, 0.5, 4), 5, 1e-12);
}

/* 2 + weights of utilization and vCPUs behind their row's norm, as a reader gives it. */
static struct regressor normed_regressor(enum norm_kind kind, double weight)
{
	struct regressor r = {.kind = REGRESSOR_LINEAR, .bias = 2};
	struct err e = ERR_INIT;

	assert_int_equal(regressor_features(&r, 2, &e), 0);
	r.weights = calloc(2, sizeof(*r.weights));
	r.weights[0] = 10;
	r.weights[1] = weight;
	r.norm = (struct row_norm){kind, 2, calloc(2, sizeof(*r.norm.inputs))};
	r.norm.inputs[0] = (struct norm_input){0, 0, 1};
	r.norm.inputs[1] = (struct norm_input){1, 1, 2};
	return r;
}

/* (3, (3 - 1) 2 = 4); what has no weight is in the norm all the same. */
static void a_row_norm_comes_in_with_its_features(void **state)
{
	static const struct {
		enum norm_kind kind;
		double weight, wanted;
	} cases[] = {{NORM_L2, 1, 2 + 6 + 0.8},
		     {NORM_L2, 0, 2 + 6},
		     {NORM_L1, 7, 2 + 30. / 7 + 4},
		     {NORM_MAX, 1, 2 + 7.5 + 1}};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct regressor r = normed_regressor(cases[i].kind, cases[i].weight);

		assert_close(answer(&r, "cpu_utilization,vcpus", 3, 3), cases[i].wanted, 1e-7);
	}
}

static void a_row_norm_wants_each_input_once(void **state)
{
	struct feature_source sources[2] = {{.factor = 1}};
	struct model_set s = {.name = "n", .version = "1", .interval_s = 5, .window_s = 5};
	struct regressor r = normed_regressor(NORM_L2, 1);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(import_sources(&r, "vcpus,vcpus", sources, &e), 0);
	assert_int_equal(import_zone(&s, ZONE_PACKAGE, &r, sources, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "the same input"));
	model_set_release(&s);
}

/* Our own files hold more than the reader takes; cut anywhere they are refused or read. */
static void what_is_exported_says_what_cannot_come_back(void **state)
{
	struct feature_source sources[2] = {{.factor = 1}};
	struct model_set s = {.name = "n", .version = "1", .interval_s = 5, .window_s = 5};
	struct byte_writer w = {0};
	struct regressor r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(xgboost_read(xgboost_json, strlen(xgboost_json), &r, &e), 0);
	assert_int_equal(import_sources(&r, NULL, sources, &e), 0);
	assert_int_equal(import_zone(&s, ZONE_PACKAGE, &r, sources, &e), 0);
	assert_int_equal(onnx_export(&s, ZONE_PACKAGE, s.zones[ZONE_PACKAGE].models, &w, &e), 0);
	model_set_release(&s);
	/* What we write clamps and mixes, which the reader's operators do not: it says so. */
	assert_int_equal(onnx_read(w.data, w.len, 0, &r, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "operator"));
	for (size_t n = 0; n < w.len; n += 7) {
		if (onnx_read(w.data, n, 0, &r, &e) == 0)
			regressor_release(&r);
	}
	byte_writer_release(&w);
}

static void every_cut_file_is_refused(void **state)
{
	struct regressor r;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t n = 0; n < strlen(xgboost_json); n++)
		assert_true(xgboost_read(xgboost_json, n, &r, &e) < 0);
	for (size_t n = 0; n + 40 < strlen(lightgbm_text); n++)
		assert_true(lightgbm_read(lightgbm_text, n, &r, &e) < 0);
	assert_true(onnx_read("", 0, 0, &r, &e) < 0);
}

/* An index of no rows and two columns holds nothing: what is behind it is not ours to read. */
static void an_onnx_index_without_rows_is_refused(void **state)
{
	static const char file[] =
		":E\012\040\012\001X\012\001I\022\001Y\042\025ArrayFeatureExtractor*\011\012"
		"\002\000\002\020\007B\001IZ\021\012\001X\022\014\012\012\010\001\022\006\012"
		"\000\012\002\010\003b\003\012\001Y";
	struct regressor r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(onnx_read(file, sizeof(file) - 1, 0, &r, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "one row of numbers"));
}

static void a_tree_that_loops_is_refused(void **state)
{
	struct plain_tree t;
	struct trees all = {.base = 0};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(plain_tree_init(&t, 3, &e), 0);
	t.yes[0] = 1;
	t.no[0] = 2;
	t.yes[1] = 2;
	t.no[1] = 1;
	t.yes[2] = -1;
	assert_int_equal(trees_append(&all, &t, 1, &e), -ERR_FORMAT);
	plain_tree_release(&t);
	trees_release(&all);
}

static void unknown_features_are_named(void **state)
{
	struct feature_source sources[2];
	struct regressor r;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(xgboost_read(xgboost_json, strlen(xgboost_json), &r, &e), 0);
	strcpy(r.names[0], "cpu_utilisation");
	assert_int_equal(import_sources(&r, NULL, sources, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "cpu_utilization"));
	assert_int_equal(import_sources(&r, "cpu_utilisation=cpu_user", sources, &e), 0);
	assert_int_equal(sources[0].input.feature, FEATURE_CPU_USER);
	assert_int_equal(import_sources(&r, "vcpus,cpu_user", sources, &e), -ERR_USAGE);
	regressor_release(&r);
}

static void input_names_read_back(void **state)
{
	const struct input in[] = {{FEATURE_CPU_USER, INPUT_NOW, 0},
				   {FEATURE_CYCLES_RATE, INPUT_LAG, 20},
				   {FEATURE_CPU_BUSY_MAX, INPUT_EMA, 2.5}};
	struct input back;
	char name[INPUT_NAME];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(input_parse(input_name(&in[i], name), &back), 0);
		assert_true(back.feature == in[i].feature && back.op == in[i].op);
		assert_close(back.seconds, in[i].seconds, 1e-12);
	}
	assert_true(input_parse("cpu_user_lag_xs", &back) < 0);
}

static void thresholds_keep_equal_floats(void **state)
{
	const double limits[] = {0.1, 0.5, -3.25, 1e300, -1e300, 16777217};

	(void)state;
	for (int i = 0; i < 6; i++) {
		float t = threshold_at_most(limits[i]), x = nextafterf(t, -INFINITY);

		assert_true(isfinite(t));
		if (fabs(limits[i]) < 1e30) {
			assert_true((double)x <= limits[i]);
			assert_true((double)t > limits[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(xgboost_json_answers_as_its_trees_say),
		cmocka_unit_test(what_xgboost_saves_answers_as_it_does),
		cmocka_unit_test(lightgbm_goes_left_when_equal),
		cmocka_unit_test(kepler_weights_are_by_milliseconds),
		cmocka_unit_test(a_row_norm_comes_in_with_its_features),
		cmocka_unit_test(a_row_norm_wants_each_input_once),
		cmocka_unit_test(what_is_exported_says_what_cannot_come_back),
		cmocka_unit_test(every_cut_file_is_refused),
		cmocka_unit_test(an_onnx_index_without_rows_is_refused),
		cmocka_unit_test(a_tree_that_loops_is_refused),
		cmocka_unit_test(unknown_features_are_named),
		cmocka_unit_test(input_names_read_back),
		cmocka_unit_test(thresholds_keep_equal_floats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
