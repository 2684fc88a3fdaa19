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

/* A step at 4 vCPUs, and a bump at 6: trees and kernels see what physics cannot bend to. */
static double steps(double u, double before)
{
	(void)before;
	return 1 + 3 * u + (u > 4 ? 8 : 0) - (u > 5.5 && u < 6.5 ? 5 : 0);
}

/* How cautious bundles of so many runs are, on average over draws of them. */
static double caution_of(size_t runs, bool differ)
{
	static const double unlike[] = {1, 2.5, 0.5};
	enum { DRAWS = 4 };
	double sum = 0;

	for (int draw = 0; draw < DRAWS; draw++) {
		struct table *t = simulated(runs, 250, steps);
		struct model_set *s;

		for (size_t i = 0; differ && i < t->n_rows; i++)
			t->y_w[ZONE_PACKAGE][i] *= unlike[t->run[i]];
		s = trained(t, &plain);
		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
		sum += s->zones[ZONE_PACKAGE].models[0].blend.caution;
		model_set_free(s);
		table_free(t);
	}
	return sum / DRAWS;
}

/* Three runs that are alike prove that the stack holds; two do not, nor do three of other power. */
static void few_groups_decide_whether_the_safe_answer_is_needed(void **state)
{
	(void)state;
	assert_true(caution_of(3, false) < 0.25);
	assert_true(caution_of(3, true) > 0.5);
	assert_true(caution_of(2, false) == 1);
}

static char noted[1024];

static void remember(void *arg, const char *sentence)
{
	(void)arg;
	snprintf(noted, sizeof(noted), "%s", sentence);
}

/* Room for four trees of a kind: boosted ones once went half of the way. */
static void few_boosted_trees_go_all_the_way(void **state)
{
	struct table *t = simulated(10, 100, curve);
	struct train_options o = plain;
	double x[INPUT_MAX], w[EXPERT_COUNT], z, error = 0;
	const struct model *m;
	struct model_set *s;

	(void)state;
	o.max_bytes = 0;
	s = trained(t, &o);
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->blend.gbdt.n > 0 && m->blend.gbdt.n < 8);
	for (size_t i = 0; i < t->n_rows; i++) {
		double y = t->y_w[ZONE_PACKAGE][i];

		for (size_t j = 0; j < s->n_inputs; j++)
			x[j] = t->x[s->inputs[j].feature][i];
		blend_experts(&m->blend, x, w, &z);
		error += fabs(w[EXPERT_G] - y) / y / (double)t->n_rows;
	}
	assert_true(error < 0.1);
	model_set_free(s);
	table_free(t);
}

/* Blends of a tier, with history or without. */
static size_t blends_of(const struct model_set *s, enum tier tier, bool history)
{
	const struct zone_models *z = &s->zones[ZONE_PACKAGE];
	size_t n = 0;

	for (size_t i = 0; i < z->n; i++)
		n += z->models[i].family == FAMILY_BLEND && z->models[i].tier == tier &&
		     z->models[i].history == history;
	return n;
}

/* The less room, the fewer blends; the one that most guests need stays. */
static void a_small_bundle_has_fewer_blends(void **state)
{
	static const struct {
		size_t max_bytes, stateless, lower;
	} cases[] = {{900 << 10, 1, 2}, {192 << 10, 1, 0}, {100 << 10, 0, 0}};
	struct table *t = simulated(8, 100, lagging);
	struct train_options o = plain;

	(void)state;
	o.note = remember;
	t->x[FEATURE_CYCLES_RATE] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		t->x[FEATURE_CYCLES_RATE][i] =
			3e9 * t->x[FEATURE_CPU_BUSY_VCPUS][i] * (1 + 0.1 * uniform());
	for (size_t k = 0; k < array_size(cases); k++) {
		struct model_set *s;

		o.max_bytes = cases[k].max_bytes;
		noted[0] = 0;
		s = trained(t, &o);
		assert_int_equal(blends_of(s, TIER_PMU, true), 1);
		assert_int_equal(blends_of(s, TIER_PMU, false), cases[k].stateless);
		assert_int_equal(blends_of(s, TIER_OS, true) + blends_of(s, TIER_OS, false),
				 cases[k].lower);
		assert_int_equal(strstr(noted, "room") != NULL, cases[k].lower == 0);
		model_set_free(s);
	}
	table_free(t);
}

/* Machines of 4 to 32 vCPUs, each with its own watts per vCPU; busy up to all of them. */
static struct table *several_sizes(void)
{
	static const double vcpus[] = {4, 8, 16, 32};
	struct table *t = simulated(12, 60, curve);

	for (size_t i = 0; i < t->n_rows; i++) {
		double u = t->x[FEATURE_CPU_UTILIZATION][i], n = vcpus[t->run[i] % 4];

		t->x[FEATURE_VCPUS][i] = n;
		t->x[FEATURE_CPU_BUSY_VCPUS][i] = u * n;
		t->y_w[ZONE_PACKAGE][i] = n * (1 + 4 * u * u) * (0.98 + 0.04 * uniform());
	}
	return t;
}

static void machines_of_several_sizes_are_learned_as_one(void **state)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	struct table *t = several_sizes();
	struct model_set *s = trained(t, &plain);
	const struct model *m = &s->zones[ZONE_PACKAGE].models[0];
	double x[INPUT_MAX];
	struct estimate e;

	(void)state;
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->size_vcpus >= 8 && m->size_vcpus <= 16);
	for (size_t j = 0; j < s->n_inputs; j++)
		x[j] = s->inputs[j].feature == FEATURE_VCPUS		? 64
		       : s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? 32
									: 0.5;
	model_set_estimate(s, x, &o, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, m);
	assert_close(zone_watts(&e.zone[ZONE_PACKAGE]), 64 * (1 + 4 * 0.25), 0.1);
	model_set_free(s);
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

static void blends_of_one_expert_go_by_its_name(void **state)
{
	struct table *t = simulated(3, 40, curve);
	struct train_options o = plain;

	(void)state;
	o.family = FAMILY_BLEND;
	for (int kind = BLEND_FOREST; kind < BLEND_KINDS; kind++) {
		struct model_set *s;
		const struct model *m;

		o.kind = (enum blend_kind)kind;
		s = trained(t, &o);
		m = &s->zones[ZONE_PACKAGE].models[0];
		assert_string_equal(model_family(m), blend_kind_name(o.kind));
		assert_int_equal(m->blend.forest.n > 0, kind == BLEND_FOREST);
		assert_int_equal(m->blend.gbdt.n > 0, kind == BLEND_GBDT);
		assert_int_equal(m->blend.centres.n > 0, kind == BLEND_HYBRID);
		assert_int_equal(m->blend.boosted.n, 0);
		assert_true(m->wmape < 0.15);
		model_set_free(s);
	}
	assert_int_equal(blend_kind_find("gbdt"), BLEND_GBDT);
	assert_int_equal(blend_kind_find("magic"), BLEND_OF_ALL);
	table_free(t);
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
		seeded_test(blends_of_one_expert_go_by_its_name),
		seeded_test(machines_of_several_sizes_are_learned_as_one),
		seeded_test(few_groups_decide_whether_the_safe_answer_is_needed),
		seeded_test(few_boosted_trees_go_all_the_way),
		seeded_test(a_small_bundle_has_fewer_blends),
		seeded_test(node_total_splits_off_what_is_there_without_load),
		seeded_test(bad_data_is_told_in_one_sentence),
		seeded_test(constant_labels_and_one_run_still_train),
		seeded_test(profiles_are_whole_at_any_length),
	};

	return run_unit(tests);
}
