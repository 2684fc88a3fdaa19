// SPDX-License-Identifier: Apache-2.0
/* train: families on made-up (simulated) recordings, and bad data. */
#include "test.h"

#include "bundle/bundle.h"
#include "features/stream.h"
#include "model/estimate.h"
#include "train/profile.h"
#include "trained.h"

static void assert_same_bytes(const struct model_set *a, const struct model_set *b)
{
	struct byte_writer one = {0}, two = {0};
	struct err e = ERR_INIT;

	assert_int_equal(bundle_write(a, &one, &e), 0);
	assert_int_equal(bundle_write(b, &two, &e), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.data, two.data, one.len);
	byte_writer_release(&one);
	byte_writer_release(&two);
}

static void learns_a_curve_that_bends_down(void **state)
{
	struct table *t = simulated(6, 200, curve);
	struct train_options o = plain;
	struct model_set *s;
	const struct model *best;

	(void)state;
	o.family = FAMILY_PHYSICS;
	s = trained(t, &o);
	best = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(best->family, FAMILY_PHYSICS);
	assert_true(best->wmape < 0.02);
	assert_true(best->coverage_90 > 0.85);
	assert_close(s->interval_s, 1, 0);
	assert_int_equal(s->trained_on.vcpus_max, 8);
	model_set_free(s);
	table_free(t);
}

static void history_is_kept_only_where_it_pays(void **state)
{
	struct table *lag = simulated(6, 200, lagging), *now = simulated(6, 200, curve);
	struct model_set *a = trained(lag, &plain), *b = trained(now, &plain);

	(void)state;
	assert_true(a->zones[ZONE_PACKAGE].models[0].history);
	assert_true(a->zones[ZONE_PACKAGE].models[0].wmape < 0.02);
	assert_false(a->zones[ZONE_PACKAGE].models[1].history);
	assert_true(a->zones[ZONE_PACKAGE].models[1].wmape > 0.05);
	assert_false(b->zones[ZONE_PACKAGE].models[0].history);
	model_set_free(a);
	model_set_free(b);
	table_free(lag);
	table_free(now);
}

static void the_last_model_needs_utilization_alone(void **state)
{
	struct table *t = simulated(4, 100, lagging);
	struct model_set *s = trained(t, &plain);
	const struct zone_models *z = &s->zones[ZONE_PACKAGE];
	const struct model *last = &z->models[z->n - 1];

	(void)state;
	assert_int_equal(last->n_used, 1);
	assert_int_equal(s->inputs[last->used[0].input].feature, FEATURE_CPU_UTILIZATION);
	assert_int_equal(s->inputs[last->used[0].input].op, INPUT_NOW);
	model_set_free(s);
	table_free(t);
}

/* All recordings are of one size: a guest of another has as much of it as it has vCPUs. */
static void utilization_is_of_as_many_vcpus_as_there_are(void **state)
{
	struct table *t = simulated(4, 100, curve);
	struct model_set *s = trained(t, &plain);
	struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX], watts = NAN;

	(void)state;
	o.physics_only = true;
	for (double vcpus = 8; vcpus >= 2; vcpus -= 6) {
		struct estimate e = {.tier = TIER_OS};

		for (size_t i = 0; i < s->n_inputs; i++) {
			enum feature f = s->inputs[i].feature;

			x[i] = f == FEATURE_CPU_UTILIZATION ? 0.5
			       : f == FEATURE_VCPUS	    ? vcpus
							    : NAN;
		}
		model_set_estimate(s, x, &o, &e);
		assert_true(e.zone[ZONE_PACKAGE].valid);
		if (vcpus == 8)
			watts = zone_watts(&e.zone[ZONE_PACKAGE]);
		else
			assert_close(zone_watts(&e.zone[ZONE_PACKAGE]), watts * vcpus / 8, 1e-9);
	}
	model_set_free(s);
	table_free(t);
}

static void the_set_predicts_what_cross_validation_promised(void **state)
{
	struct table *t = simulated(6, 200, lagging), *other;
	struct model_set *s = trained(t, &plain);
	struct stream_options o = {.inputs = s->inputs, .n_inputs = s->n_inputs, .step_s = 0.5};
	const struct estimate_options eo = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX], error = 0, label = 0;
	struct stream *stream = NULL;
	struct err e = ERR_INIT;
	size_t inside = 0;

	(void)state;
	srand(99);
	other = simulated(30, 200, lagging);
	assert_int_equal(stream_new(&o, &stream, &e), 0);
	for (size_t i = 0; i < other->n_rows; i++) {
		double y = other->y_w[ZONE_PACKAGE][i];
		struct estimate out;
		struct row r;

		table_row(other, i, &r);
		r.dt_s = NAN;
		stream_push(stream, &r, x);
		model_set_estimate(s, x, &eo, &out);
		assert_true(out.zone[ZONE_PACKAGE].valid);
		error += fabs(zone_watts(&out.zone[ZONE_PACKAGE]) - y);
		label += y;
		inside += y >= out.zone[ZONE_PACKAGE].low_w && y <= out.zone[ZONE_PACKAGE].high_w;
	}
	assert_true(error / label < 0.02);
	assert_true((double)inside / (double)other->n_rows > 0.85);
	stream_free(stream);
	model_set_free(s);
	table_free(t);
	table_free(other);
}

static void the_same_data_gives_the_same_model(void **state)
{
	struct table *t = simulated(5, 150, curve);
	struct model_set *a = trained(t, &plain), *b = trained(t, &plain);

	(void)state;
	assert_string_equal(a->card, b->card);
	assert_int_equal(a->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
	assert_same_bytes(a, b);
	model_set_free(a);
	model_set_free(b);
	table_free(t);
}

static void node_total_splits_off_what_is_there_without_load(void **state)
{
	struct table *t = simulated(5, 200, curve);
	struct train_options o = plain;
	struct model_set *s;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] += 30;
	o.scope = SCOPE_NODE_TOTAL;
	s = trained(t, &o);
	assert_close(s->zones[ZONE_PACKAGE].models[0].idle_w, 31, 0.05);
	model_set_free(s);
	table_free(t);
}

static void rows_whose_load_is_not_known_are_not_idle(void **state)
{
	struct table *t = simulated(5, 200, curve);
	struct train_options o = plain;
	struct model_set *s;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++) {
		t->y_w[ZONE_PACKAGE][i] += 30;
		if (i % 20 == 7)
			t->x[FEATURE_CPU_BUSY_VCPUS][i] = t->x[FEATURE_CPU_UTILIZATION][i] = NAN;
	}
	o.scope = SCOPE_NODE_TOTAL;
	s = trained(t, &o);
	assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
	assert_close(s->zones[ZONE_PACKAGE].models[0].idle_w, 31, 0.05);
	model_set_free(s);
	table_free(t);
}

static void a_network_is_a_family_of_its_own(void **state)
{
	struct table *t = simulated(6, 200, lagging);
	struct train_options o = plain;
	struct model_set *a, *b;

	(void)state;
	o.family = FAMILY_MLP;
	o.seed = 3;
	a = trained(t, &o);
	b = trained(t, &o);
	assert_int_equal(a->zones[ZONE_PACKAGE].models[0].family, FAMILY_MLP);
	assert_true(a->zones[ZONE_PACKAGE].models[0].history);
	assert_true(a->zones[ZONE_PACKAGE].models[0].wmape < 0.03);
	assert_true(a->zones[ZONE_PACKAGE].models[0].coverage_90 > 0.85);
	assert_same_bytes(a, b);
	model_set_free(a);
	model_set_free(b);
	table_free(t);
}

static char noted[1024];

static void remember(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(noted, sizeof(noted), "%s", sentence);
}

static void bad_data_is_told_in_one_sentence(void **state)
{
	struct table *t = simulated(2, 5, curve);
	struct train_options o = plain;
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	(void)state;
	o.note = remember;
	assert_int_equal(train(t, &o, &s, &e), -ERR_DATA);
	assert_non_null(strstr(noted, "10 labelled rows"));
	assert_null(s);
	table_free(t);

	t = simulated(3, 50, curve);
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= 1e6;
	assert_int_equal(train(t, &o, &s, &e), -ERR_DATA);
	assert_non_null(strstr(noted, "milliwatts"));
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] = NAN;
	assert_int_equal(train(t, &o, &s, &e), -ERR_DATA);
	for (size_t i = 0; i < t->n_rows; i++) {
		t->y_w[ZONE_PACKAGE][i] = 5;
		t->x[FEATURE_CPU_BUSY_VCPUS][i] = t->x[FEATURE_CPU_UTILIZATION][i] = 0;
	}
	train(t, &o, &s, &e);
	model_set_free(s);
	table_free(t);
}

/* Left out whole, there is nothing to learn from: whoever recorded it must hear of it. */
static void a_zone_that_one_group_alone_has_is_told(void **state)
{
	struct table *t = simulated(3, 60, curve);
	struct train_options o = plain;
	struct model_set *s;

	(void)state;
	t->y_w[ZONE_DRAM] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_DRAM][i] = i < 60 ? 1 + t->x[FEATURE_CPU_UTILIZATION][i] : NAN;
	o.family = FAMILY_PHYSICS;
	o.note = remember;
	s = trained(t, &o);
	assert_int_equal(s->zones[ZONE_DRAM].n, 0);
	assert_non_null(strstr(noted, "zone dram"));
	assert_non_null(strstr(noted, "another run or group"));
	model_set_free(s);
	table_free(t);
}

/* What two groups say of a third does not grow with groups that have no label of the zone. */
static void intervals_count_the_groups_that_have_the_label(void **state)
{
	struct train_options o = plain;
	double quantile[2];

	(void)state;
	o.family = FAMILY_PHYSICS;
	for (size_t k = 0; k < 2; k++) {
		struct table *t = simulated(k ? 10 : 2, 60, curve);
		struct model_set *s;

		t->y_w[ZONE_DRAM] = calloc(t->n_rows, sizeof(double));
		for (size_t i = 0; i < t->n_rows; i++)
			t->y_w[ZONE_DRAM][i] =
				t->group[i] < 2 ? 2 + t->group[i] + t->x[FEATURE_CPU_UTILIZATION][i]
						: NAN;
		s = trained(t, &o);
		quantile[k] = s->zones[ZONE_DRAM].models[0].interval.quantile[0];
		model_set_free(s);
		table_free(t);
	}
	assert_close(quantile[1], quantile[0], 0.2);
}

static void constant_labels_and_one_run_still_train(void **state)
{
	struct table *t = simulated(1, 120, curve);
	struct model_set *s;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] = 5;
	s = trained(t, &plain);
	assert_close(s->zones[ZONE_PACKAGE].models[0].wmape, 0, 1); /* finite */
	assert_true(s->zones[ZONE_PACKAGE].models[0].wmape < 0.05);
	model_set_free(s);
	table_free(t);
}

/* A column of one value once had a share just above 1 at every other length, and no bundle loaded.
 */
static void profiles_are_whole_at_any_length(void **state)
{
	static struct input inputs[] = {{.feature = FEATURE_VCPUS},
					{.feature = FEATURE_CPU_UTILIZATION}};

	(void)state;
	for (size_t n = 1; n < 400; n++) {
		struct table *t = simulated(1, n, curve);
		struct model_set s = {.n_inputs = array_size(inputs), .inputs = inputs};

		assert_int_equal(set_profiles(&s, t, NULL), 0);
		assert_int_equal(s.n_profiles, 2);
		for (size_t i = 0; i < s.n_profiles; i++) {
			double sum = 0;

			for (size_t k = 0; k < PROFILE_BINS; k++) {
				assert_true(s.profiles[i].share[k] >= 0 &&
					    s.profiles[i].share[k] <= 1);
				sum += s.profiles[i].share[k];
				if (k && k < PROFILE_BINS - 1)
					assert_true(s.profiles[i].edge[k] >=
						    s.profiles[i].edge[k - 1]);
			}
			assert_close(sum, 1, 1e-12);
		}
		free(s.profiles);
		table_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		seeded_test(learns_a_curve_that_bends_down),
		seeded_test(history_is_kept_only_where_it_pays),
		seeded_test(the_last_model_needs_utilization_alone),
		seeded_test(utilization_is_of_as_many_vcpus_as_there_are),
		seeded_test(the_set_predicts_what_cross_validation_promised),
		seeded_test(the_same_data_gives_the_same_model),
		seeded_test(a_network_is_a_family_of_its_own),
		seeded_test(node_total_splits_off_what_is_there_without_load),
		seeded_test(rows_whose_load_is_not_known_are_not_idle),
		seeded_test(bad_data_is_told_in_one_sentence),
		seeded_test(a_zone_that_one_group_alone_has_is_told),
		seeded_test(intervals_count_the_groups_that_have_the_label),
		seeded_test(constant_labels_and_one_run_still_train),
		seeded_test(profiles_are_whole_at_any_length),
	};

	return run_unit(tests);
}
