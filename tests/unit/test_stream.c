// SPDX-License-Identifier: Apache-2.0
/* features/stream: lags, means, windows, gaps. */
#include "test.h"

#include "base/cleanup.h"
#include "features/stream.h"

#define U FEATURE_CPU_BUSY_VCPUS

static struct row row_at(double t_s, double dt_s, double u)
{
	struct row r;

	row_clear(&r);
	r.t_s = t_s;
	r.dt_s = dt_s;
	r.v[U] = u;
	return r;
}

static struct stream *stream_of(const struct input *inputs, size_t n, double window_s)
{
	struct stream_options o = {
		.inputs = inputs, .n_inputs = n, .step_s = 0.5, .window_s = window_s};
	struct err e = ERR_INIT;
	struct stream *s = NULL;

	assert_int_equal(stream_new(&o, &s, &e), 0);
	return s;
}

static void lags_are_seconds_whatever_the_cadence(void **state)
{
	static const struct input inputs[] = {{U, INPUT_NOW, 0}, {U, INPUT_LAG, 6}};
	static const double cadences[] = {1, 2, 3, 0.5};

	(void)state;
	for (size_t k = 0; k < array_size(cadences); k++) {
		struct stream *s = stream_of(inputs, 2, 0);
		double out[2];

		for (double t = 0; t <= 60; t += cadences[k]) {
			struct row r = row_at(1000 + t, NAN, t);

			stream_push(s, &r, out);
			assert_close(out[0], t, 0);
			assert_close(out[1], t >= 6 ? t - 6 : 0, 1e-12);
		}
		stream_free(s);
	}
}

static void first_rows_are_answered_from_the_oldest_known(void **state)
{
	static const struct input inputs[] = {{U, INPUT_LAG, 100}, {U, INPUT_EMA, 10}};
	struct stream *s = stream_of(inputs, 2, 0);
	struct row r = row_at(5, NAN, 3);
	double out[2];

	(void)state;
	assert_true(stream_push(s, &r, out));
	assert_close(out[0], 3, 0);
	assert_close(out[1], 3, 0);
	r = row_at(6, NAN, 4);
	assert_false(stream_push(s, &r, out));
	assert_close(out[0], 3, 0);
	assert_close(out[1], 3 + (1 - exp(-0.1)) * 1, 1e-12);
	stream_free(s);
}

static void a_gap_or_time_going_back_starts_a_new_series(void **state)
{
	static const struct input inputs[] = {{U, INPUT_LAG, 3}};
	struct stream *s = stream_of(inputs, 1, 0);
	double out[1];
	struct row r;

	(void)state;
	for (int t = 0; t < 10; t++) {
		r = row_at(t, NAN, t);
		stream_push(s, &r, out);
	}
	assert_close(out[0], 6, 0);
	r = row_at(12.9, NAN, 50); /* 3.9 s > 3 x 1 s */
	assert_true(stream_push(s, &r, out));
	assert_close(out[0], 50, 0);
	r = row_at(2, NAN, 60);
	assert_true(stream_push(s, &r, out));
	assert_close(out[0], 60, 0);
	stream_free(s);
}

static void short_rows_are_averaged_over_the_trained_window(void **state)
{
	static const struct input inputs[] = {{U, INPUT_NOW, 0}};
	struct stream *s = stream_of(inputs, 1, 20);
	double out[1];

	(void)state;
	for (int t = 1; t <= 60; t++) {
		struct row r = row_at(t, 1, t <= 30 ? 0 : 8);

		stream_push(s, &r, out);
		if (t == 40) /* 10 s of 8 in the last 20 s */
			assert_close(out[0], 4, 1e-12);
	}
	assert_close(out[0], 8, 1e-12);
	stream_free(s);
}

static void long_rows_pass_as_they_are(void **state)
{
	static const struct input inputs[] = {{U, INPUT_NOW, 0}};
	struct stream *s = stream_of(inputs, 1, 20);
	struct row r = row_at(1, 20, 2);
	double out[1];

	(void)state;
	stream_push(s, &r, out);
	r = row_at(21, 20, 6);
	stream_push(s, &r, out);
	assert_close(out[0], 6, 0);
	r = row_at(24, NAN, 7);
	stream_push(s, &r, out);
	assert_close(out[0], 7, 0);
	stream_free(s);
}

static void missing_values_stay_missing(void **state)
{
	static const struct input inputs[] = {
		{U, INPUT_NOW, 0}, {U, INPUT_LAG, 1}, {U, INPUT_EMA, 5}};
	struct stream *s = stream_of(inputs, 3, 0);
	struct row r = row_at(1, NAN, NAN);
	double out[3];

	(void)state;
	stream_push(s, &r, out);
	assert_true(isnan(out[0]) && isnan(out[1]) && isnan(out[2]));
	r = row_at(2, NAN, 4);
	stream_push(s, &r, out);
	assert_close(out[0], 4, 0);
	assert_true(isnan(out[1]));
	assert_close(out[2], 4, 0);
	stream_free(s);
}

static void refuses_options_without_sense(void **state)
{
	struct stream_options o = {.step_s = 0};
	struct err e = ERR_INIT;
	struct stream *s = NULL;

	(void)state;
	assert_true(stream_new(&o, &s, &e) < 0);
	assert_null(s);
}

static void derived_ratios_follow_the_averaged_counters(void **state)
{
	static const struct input inputs[] = {{FEATURE_INSTRUCTIONS_PER_CYCLE, INPUT_NOW, 0}};
	struct stream *s = stream_of(inputs, 1, 10);
	double out[1];
	struct row r;

	(void)state;
	r = row_at(1, 1, NAN);
	r.v[FEATURE_CYCLES_RATE] = 100;
	r.v[FEATURE_INSTRUCTIONS_RATE] = 100;
	stream_push(s, &r, out);
	r = row_at(2, 1, NAN);
	r.v[FEATURE_CYCLES_RATE] = 300;
	r.v[FEATURE_INSTRUCTIONS_RATE] = 900;
	stream_push(s, &r, out);
	assert_close(out[0], 1000.0 / 400, 1e-12);
	stream_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lags_are_seconds_whatever_the_cadence),
		cmocka_unit_test(first_rows_are_answered_from_the_oldest_known),
		cmocka_unit_test(a_gap_or_time_going_back_starts_a_new_series),
		cmocka_unit_test(short_rows_are_averaged_over_the_trained_window),
		cmocka_unit_test(long_rows_pass_as_they_are),
		cmocka_unit_test(missing_values_stay_missing),
		cmocka_unit_test(refuses_options_without_sense),
		cmocka_unit_test(derived_ratios_follow_the_averaged_counters),
	};

	return run_unit(tests);
}
