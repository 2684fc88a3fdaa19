// SPDX-License-Identifier: Apache-2.0
/* train: what a set has of blends, and what they are of, on made-up (simulated) recordings. */
#include "test.h"

#include "model/estimate.h"
#include "trained.h"

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

/* Kinds of CPU time that only runs without a label have, such as those of another zone's
 * recordings. */
static void a_feature_that_no_labelled_row_has_is_no_hindrance(void **state)
{
	struct table *t = simulated(6, 60, curve);
	struct model_set *s;

	(void)state;
	t->x[FEATURE_CPU_SYSTEM] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++) {
		bool labelled = t->run[i] < 3;

		t->x[FEATURE_CPU_SYSTEM][i] = labelled ? NAN : 0.1 * uniform();
		t->y_w[ZONE_PACKAGE][i] = labelled ? t->y_w[ZONE_PACKAGE][i] : NAN;
	}
	s = trained(t, &plain);
	assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
	model_set_free(s);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		seeded_test(blends_of_one_expert_go_by_its_name),
		seeded_test(a_feature_that_no_labelled_row_has_is_no_hindrance),
		seeded_test(machines_of_several_sizes_are_learned_as_one),
		seeded_test(few_groups_decide_whether_the_safe_answer_is_needed),
		seeded_test(few_boosted_trees_go_all_the_way),
		seeded_test(a_small_bundle_has_fewer_blends),
	};

	return run_unit(tests);
}
