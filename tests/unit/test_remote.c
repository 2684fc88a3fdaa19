// SPDX-License-Identifier: Apache-2.0
/* remote: packets between agent and helper; and the meter, which takes what a model server said. */
#include "agent/meter.h"
#include "remote/wire.h"
#include "test.h"

static struct remote_answer some_answer(void)
{
	struct remote_answer a = {
		.number = 42, .distance = 0.25, .name = "web", .version = "1.2.0"};

	a.zones[ZONE_PACKAGE] = (struct remote_zone){.valid = true,
						     .watts = 12,
						     .low_w = 10,
						     .high_w = 15,
						     .confidence = 0.9,
						     .provenance = PROVENANCE_TRAINED};
	a.zones[ZONE_CORE] = (struct remote_zone){.valid = true,
						  .watts = 20,
						  .low_w = 8,
						  .high_w = 21,
						  .confidence = 0.8,
						  .provenance = PROVENANCE_TRAINED};
	a.zones[ZONE_DRAM] = (struct remote_zone){.valid = true,
						  .watts = 3,
						  .low_w = 2,
						  .high_w = 4,
						  .confidence = 0.8,
						  .provenance = PROVENANCE_PRIOR};
	return a;
}

static void a_question_comes_back_as_it_was(void **state)
{
	struct remote_question q = {.number = 7, .cpu_model = "Some CPU"}, got;
	struct byte_writer w = {0};

	(void)state;
	row_clear(&q.row);
	q.row.t_s = 1000;
	q.row.dt_s = 1;
	q.row.v[FEATURE_CPU_UTILIZATION] = 0.25;
	remote_put_question(&q, &w);
	assert_false(w.failed);
	assert_true(w.len < REMOTE_PACKET_MAX);
	assert_true(remote_get_question(w.data, w.len, &got));
	assert_int_equal(got.number, 7);
	assert_string_equal(got.cpu_model, "Some CPU");
	feature_foreach (f)
		assert_close(got.row.v[f], q.row.v[f], 0);
	for (size_t n = 0; n < w.len; n++)
		assert_false(remote_get_question(w.data, n, &got));
	byte_writer_release(&w);
}

static void an_answer_comes_back_as_it_was(void **state)
{
	struct remote_answer a = some_answer(), got;
	struct byte_writer w = {0};

	(void)state;
	remote_put_answer(&a, &w);
	assert_true(w.len < REMOTE_PACKET_MAX);
	assert_true(remote_get_answer(w.data, w.len, &got));
	assert_int_equal(got.number, 42);
	assert_string_equal(got.version, "1.2.0");
	zone_foreach (z) {
		assert_int_equal(got.zones[z].valid, a.zones[z].valid);
		assert_close(got.zones[z].watts, a.zones[z].watts, 0);
		assert_close(got.zones[z].high_w, a.zones[z].high_w, 0);
	}
	for (size_t n = 0; n < w.len; n++)
		assert_false(remote_get_answer(w.data, n, &got));
	byte_writer_release(&w);
}

static void refuses_numbers_out_of_range(void **state)
{
	static const struct remote_zone bad[] = {
		{.valid = true, .watts = NAN, .low_w = 0, .high_w = 1, .confidence = 1},
		{.valid = true, .watts = -1, .low_w = -2, .high_w = 1, .confidence = 1},
		{.valid = true, .watts = 2, .low_w = 3, .high_w = 4, .confidence = 1},
		{.valid = true, .watts = 2, .low_w = 1, .high_w = 1, .confidence = 1},
		{.valid = true, .watts = 2, .low_w = 1, .high_w = INFINITY, .confidence = 1},
		{.valid = true, .watts = 2, .low_w = 1, .high_w = 3, .confidence = 1.5},
	};
	struct byte_writer w = {0};
	struct remote_answer got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct remote_answer a = some_answer();

		a.zones[ZONE_DRAM] = bad[i];
		remote_put_answer(&a, &w);
		assert_false(remote_get_answer(w.data, w.len, &got));
	}
	byte_writer_release(&w);
}

/* ---- the meter ---- */

struct fixture {
	struct config config;
	struct identity identity;
	struct state state;
	struct meter *meter;
	struct row row;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct meter_options o = {
		.config = &f->config, .identity = &f->identity, .state = &f->state, .step_s = 1};
	struct err e = ERR_INIT;

	config_defaults(&f->config);
	state_init(&f->state);
	if (meter_new(&o, &f->meter, &e) < 0)
		return -1;
	row_clear(&f->row);
	f->row.dt_s = 1;
	f->row.v[FEATURE_VCPUS] = 2;
	f->row.v[FEATURE_CPU_UTILIZATION] = 0.5;
	row_complete(&f->row);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	meter_free(f->meter);
	free(f);
	return 0;
}

static void trained_zones_of_a_server_come_before_the_native_model(void **state)
{
	struct fixture *f = *state;
	struct remote_answer a = some_answer();
	const struct snapshot *s = meter_snapshot(f->meter);

	meter_set_remote(f->meter, &a, REMOTE_NONE);
	meter_row(f->meter, &f->row, 1);
	assert_true(s->zone[ZONE_PACKAGE].remote);
	assert_int_equal(s->zone[ZONE_PACKAGE].provenance, PROVENANCE_TRAINED);
	assert_string_equal(s->model_version, "1.2.0");
	assert_int_equal(s->zone[ZONE_PACKAGE].fallback, FALLBACK_NONE);
	/* Its prior is no better than ours: dram is ours, from the server's package. */
	assert_false(s->zone[ZONE_DRAM].remote);
	/* Its core lay above its package: what we serve is consistent. */
	assert_true(s->zone[ZONE_CORE].active_w + s->zone[ZONE_UNCORE].active_w <=
		    s->zone[ZONE_PACKAGE].active_w * (1 + 1e-9));
	assert_int_equal(s->remote.rows[REMOTE_NONE], 1);
}

static void without_an_answer_the_native_side_serves_and_says_why(void **state)
{
	struct fixture *f = *state;
	struct remote_answer a = some_answer();
	const struct snapshot *s = meter_snapshot(f->meter);

	meter_row(f->meter, &f->row, 1);
	double native_w = s->zone[ZONE_PACKAGE].active_w;

	meter_set_remote(f->meter, &a, REMOTE_NONE);
	meter_row(f->meter, &f->row, 1);
	meter_set_remote(f->meter, NULL, REMOTE_LATE);
	meter_row(f->meter, &f->row, 1);
	assert_true(s->zone[ZONE_PACKAGE].valid);
	assert_false(s->zone[ZONE_PACKAGE].remote);
	assert_int_equal(s->zone[ZONE_PACKAGE].fallback, FALLBACK_REMOTE);
	assert_int_equal(s->remote.reason, REMOTE_LATE);
	assert_close(meter_estimate(f->meter)->zone[ZONE_PACKAGE].active_w, native_w, 1e-12);
	assert_true(strncmp(s->model_version, "prior", 5) == 0);
}

static void a_server_that_is_not_confident_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct remote_answer a = some_answer();
	const struct snapshot *s = meter_snapshot(f->meter);

	a.zones[ZONE_PACKAGE].confidence = 0.1;
	for (int i = 0; i < 5; i++) {
		meter_set_remote(f->meter, &a, REMOTE_NONE);
		meter_row(f->meter, &f->row, 1);
	}
	assert_false(s->zone[ZONE_PACKAGE].remote);
	assert_int_equal(s->zone[ZONE_PACKAGE].fallback, FALLBACK_LOW_CONFIDENCE);
	assert_int_equal(s->zone[ZONE_PACKAGE].provenance, PROVENANCE_PRIOR);
}

static void every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < REMOTE_REASON_COUNT; i++) {
		for (int k = 0; k < i; k++)
			assert_string_not_equal(remote_reason_name((enum remote_reason)i),
						remote_reason_name((enum remote_reason)k));
	}
	assert_string_equal(fallback_name(FALLBACK_REMOTE), "remote");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_comes_back_as_it_was),
		cmocka_unit_test(an_answer_comes_back_as_it_was),
		cmocka_unit_test(refuses_numbers_out_of_range),
		cmocka_unit_test_setup_teardown(
			trained_zones_of_a_server_come_before_the_native_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			without_an_answer_the_native_side_serves_and_says_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_server_that_is_not_confident_is_not_believed,
						set_up, tear_down),
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
	};

	return run_unit(tests);
}
