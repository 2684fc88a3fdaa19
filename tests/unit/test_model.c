// SPDX-License-Identifier: Apache-2.0
/* model: inference of each family, fallbacks, intervals, consistency of zones. */
#include "test.h"

#include "base/cleanup.h"
#include "model/estimate.h"
#include "sets.h"

static double no_z; /* a blend's distance; these models have none */

static const struct estimate_options plain = ESTIMATE_OPTIONS_INIT;

static void physics_adds_its_terms(void **state)
{
	struct model m = history_model();
	const double x[SET_INPUTS] = {5, 0, 2, 0};

	(void)state;
	assert_close(model_watts(&m, x, &no_z), 2 + 3 * 5 + 0.5 * (4 - 2), 1e-12);
	model_release(&m);
}

static void history_terms_vanish_in_the_steady_state(void **state)
{
	struct model m = history_model();

	(void)state;
	for (double u = 0; u < 8; u += 0.5) {
		const double x[SET_INPUTS] = {u, 0, u, 0};

		assert_close(model_watts(&m, x, &no_z), 2 + 3 * u, 1e-12);
	}
	model_release(&m);
}

static void every_term_is_what_the_header_says(void **state)
{
	const double x[2] = {9, 5}, negative[2] = {-9, -5};
	static const double values[] = {1, 9, 3, 81, 729, 4, 45, 4 - 4, 9 * 25, 81 / 5.0};

	(void)state;
	assert_int_equal(array_size(values), TERM_KIND_COUNT);
	for (int k = 0; k < TERM_KIND_COUNT; k++) {
		struct physics_term t = {(enum term_kind)k, 0, 1, 4, 1e6, 1};

		assert_close(physics_term_value(&t, x), values[k], 1e-12);
		assert_close(physics_term_value(&t, negative), k == TERM_CONST ? 1 : 0, 1e-12);
		t.cap = 0.5;
		assert_true(fabs(physics_term_value(&t, x)) <= 0.5);
	}
}

/* Inputs, experts, z, watts: from tests/golden/blend.py. */
static const struct {
	double x[SET_INPUTS], w[EXPERT_COUNT], z, watts;
} blend_golden[] = {
#include "../golden/blend.inc"
};

static void a_blend_is_what_the_header_says(void **state)
{
	struct model m = blend_model();

	(void)state;
	for (size_t i = 0; i < array_size(blend_golden); i++) {
		double w[EXPERT_COUNT], z;

		blend_experts(&m.blend, blend_golden[i].x, w, &z);
		for (int k = 0; k < EXPERT_COUNT; k++)
			assert_close(w[k], blend_golden[i].w[k], 1e-5);
		assert_true(fabs(z - blend_golden[i].z) < 1e-5);
		assert_close(model_watts(&m, blend_golden[i].x, &z), blend_golden[i].watts, 1e-5);
	}
	model_release(&m);
}

/* The upper end has leaves of its own where there are some, near the training data; else both are
 * alike. */
static void each_end_of_an_interval_goes_by_its_scale(void **state)
{
	struct model m = blend_model();
	const double *x = blend_golden[0].x;
	double z, watts = model_watts(&m, x, &z);
	float columns[BLEND_COLUMNS_MAX + SPREAD_MORE];
	struct ends s = model_spread(&m, x, z, watts);
	double farther;

	(void)state;
	blend_spread_columns(&m.blend, x, z, watts, columns);
	assert_close(s.down, exp(trees_value(&m.blend.spread, columns)), 1e-12);
	assert_close(s.up, s.down, 0);
	tail(&m.blend);
	m.blend.z_near = z + 1;
	m.blend.z_far = z + 2;
	s = model_spread(&m, x, z, watts);
	assert_close(s.down, exp(trees_value(&m.blend.spread, columns)), 1e-12);
	/* two trees, each 0.5 value + 0.2 */
	assert_close(log(s.up),
		     0.5 * (log(s.down) - m.blend.spread.base) + 0.4 + m.blend.spread.base, 1e-6);
	assert_true(fabs(s.up - s.down) > 0.01);
	farther = fmax(s.up, s.down);
	m.blend.z_near = z - 2; /* far from the training data */
	m.blend.z_far = z - 1;
	s = model_spread(&m, x, z, watts);
	assert_close(s.up, farther, 1e-12);
	assert_close(s.down, farther, 1e-12);
	for (size_t i = 0; i < m.blend.spread.n_nodes; i++) /* a sum that is no number */
		m.blend.spread_up[i] = i < 5 ? INFINITY : -INFINITY;
	s = model_spread(&m, x, z, watts);
	assert_true(isfinite(s.up) && isfinite(s.down));
	model_release(&m);
}

static void far_away_a_blend_hands_over_to_the_safe_answer(void **state)
{
	struct model m = blend_model();
	const double x[SET_INPUTS] = {400, 1, 400, 9};
	double w[EXPERT_COUNT], z, near, safe;

	(void)state;
	blend_experts(&m.blend, x, w, &z);
	near = blend_near(&m.blend, w);
	safe = blend_safe(&m.blend, w);
	assert_true(z > m.blend.z_far);
	assert_close(blend_combine(&m.blend, w, z), near + 0.75 * (safe - near), 1e-12);
	m.blend.trust = 1;
	assert_close(blend_combine(&m.blend, w, z), near, 0);
	m.blend.trust = 0;
	assert_close(blend_combine(&m.blend, w, z), safe, 1e-12);
	assert_true(model_distance(&m, x, z) > 1);
	model_release(&m);
}

static void linear_is_held_within_its_training_range(void **state)
{
	struct model m = linear_model();
	double x[SET_INPUTS] = {3, 0, 0, 100};

	(void)state;
	assert_close(model_watts(&m, x, &no_z), 10, 1e-12);
	x[0] = 1e9; /* counts as 8 + 8 */
	assert_close(model_watts(&m, x, &no_z), 10 + 4 * (16 - 3) / 2.0, 1e-12);
	x[0] = -1e9;
	assert_close(model_watts(&m, x, &no_z), 0, 0);
	model_release(&m);
}

static void watts_stay_between_zero_and_the_maximum(void **state)
{
	struct model m = history_model();
	const double x[SET_INPUTS] = {1e300, 0, -1e300, 0};

	(void)state;
	assert_true(model_watts(&m, x, &no_z) >= 0 && model_watts(&m, x, &no_z) <= m.max_w);
	model_release(&m);
}

static void distance_counts_widths_outside_the_training_range(void **state)
{
	struct model m = linear_model();
	double x[SET_INPUTS] = {8, 0, 0, 200};

	(void)state;
	assert_close(model_distance(&m, x, 0), 0, 0);
	x[0] = 12;
	assert_close(model_distance(&m, x, 0), 0.5, 1e-12);
	x[3] = 600;
	assert_close(model_distance(&m, x, 0), 2, 1e-12);
	model_release(&m);
}

/* Twice the machine under twice the load: twice the watts, and an interval twice as wide. */
static void a_sized_model_scales_with_the_machine(void **state)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	struct model_set *s = some_set();
	struct model *m = &s->zones[ZONE_PACKAGE].models[0];
	double x[INPUT_MAX] = {3, 0.375, 2, 100}, twice[INPUT_MAX] = {6, 0.375, 4, 200},
	       at[INPUT_MAX];
	struct estimate one, two;
	struct err e = ERR_INIT;
	double size;

	(void)state;
	s->zones[ZONE_PACKAGE].n = 1;
	m->used[0].extensive = m->used[1].extensive = true;
	model_set_estimate(s, x, &o, &one);
	/* An input that grows with the machine for the number of vCPUs: 200 of 100. */
	m->size_vcpus = 100;
	m->size_input = 3;
	assert_int_equal(model_set_check(s, &e), -ERR_FORMAT); /* size_input is not used */
	m->used = realloc(m->used, 3 * sizeof(*m->used));
	m->used[m->n_used++] = (struct used_input){.input = 3, .low = 100, .high = 100};
	assert_int_equal(model_set_check(s, &e), 0);
	assert_ptr_equal(model_resize(m, twice, at, &size), at);
	assert_close(size, 2, 1e-12);
	assert_close(at[0], 3, 1e-12);
	assert_close(at[3], 100, 1e-12);
	model_set_estimate(s, twice, &o, &two);
	assert_close(zone_watts(&two.zone[ZONE_PACKAGE]), 2 * zone_watts(&one.zone[ZONE_PACKAGE]),
		     1e-9);
	assert_close(two.zone[ZONE_PACKAGE].high_w, 2 * one.zone[ZONE_PACKAGE].high_w, 1e-9);
	assert_close(two.zone[ZONE_PACKAGE].confidence, one.zone[ZONE_PACKAGE].confidence, 1e-9);
	s->zones[ZONE_PACKAGE].n = 3;
	model_set_free(s);
}

static void the_first_model_whose_inputs_are_there_answers(void **state)
{
	struct model_set *s = some_set();
	double x[SET_INPUTS] = {4, 0.5, 4, 100};
	struct estimate_options stateless = plain, physics = plain;
	struct estimate e;

	(void)state;
	model_set_estimate(s, x, &plain, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, &s->zones[ZONE_PACKAGE].models[0]);
	x[2] = NAN;
	model_set_estimate(s, x, &plain, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, &s->zones[ZONE_PACKAGE].models[1]);
	x[0] = NAN;
	model_set_estimate(s, x, &plain, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, &s->zones[ZONE_PACKAGE].models[2]);
	x[1] = NAN;
	model_set_estimate(s, x, &plain, &e);
	assert_false(e.zone[ZONE_PACKAGE].valid);
	assert_int_equal(e.zone[ZONE_PACKAGE].fallback, FALLBACK_MISSING_FEATURES);
	assert_int_equal(e.zone[ZONE_DRAM].fallback, FALLBACK_NO_MODEL);
	x[0] = x[2] = 4;
	x[1] = 0.5;
	stateless.stateless = true;
	model_set_estimate(s, x, &stateless, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, &s->zones[ZONE_PACKAGE].models[1]);
	physics.physics_only = physics.stateless = true;
	model_set_estimate(s, x, &physics, &e);
	assert_ptr_equal(e.zone[ZONE_PACKAGE].model, &s->zones[ZONE_PACKAGE].models[2]);
	model_set_free(s);
}

static void intervals_follow_the_band_and_widen_with_distance(void **state)
{
	struct model_set *s = some_set();
	double x[SET_INPUTS] = {1, NAN, 1, NAN};
	struct estimate_options wide = plain;
	struct zone_estimate *z;
	struct estimate e;
	double inside;

	(void)state;
	model_set_estimate(s, x, &plain, &e);
	z = &e.zone[ZONE_PACKAGE];
	assert_close(zone_watts(z), 5, 1e-12);
	assert_close(z->high_w - 5, 0.3 * 5, 1e-12); /* lower band, above scale_w */
	assert_close(z->confidence, 1 / (1 + 0.3), 1e-12);
	inside = z->confidence;
	wide.widen = 2;
	model_set_estimate(s, x, &wide, &e);
	assert_close(z->high_w - 5, 0.6 * 5, 1e-12);
	x[0] = x[2] = 16; /* a whole width outside; 50 W is in the upper band */
	model_set_estimate(s, x, &plain, &e);
	assert_close(z->distance, 1, 1e-12);
	assert_close(z->high_w - z->low_w, 2 * 0.1 * 50 * 2, 1e-12);
	assert_true(z->confidence < inside);
	model_set_free(s);
}

/* However far from training: no end above what the machine draws at most, and finite doubt. */
static void an_upper_end_is_what_the_machine_can_draw(void **state)
{
	struct model_set *s = some_set();
	struct model *m = &s->zones[ZONE_PACKAGE].models[0];
	double x[SET_INPUTS] = {1e6, NAN, 1e6, NAN};
	struct estimate_options wide = plain;
	struct zone_estimate *z;
	struct estimate e;

	(void)state;
	model_set_estimate(s, x, &plain, &e);
	z = &e.zone[ZONE_PACKAGE];
	assert_ptr_equal(z->model, m);
	assert_true(z->distance > 1000);
	assert_close(z->low_w, 0, 0);
	assert_close(z->high_w, m->max_w, 1e-9);
	assert_true(z->high_w >= zone_watts(z) && z->confidence < 1e-3);
	wide.widen = 3; /* another machine may draw more */
	model_set_estimate(s, x, &wide, &e);
	assert_close(z->high_w, 3 * m->max_w, 1e-9);
	model_set_free(s);
}

static void core_and_uncore_fit_into_package(void **state)
{
	struct estimate e = {0};

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		for (int i = 0; i < 4; i++) {
			struct zone_estimate *z = &e.zone[i];

			*z = (struct zone_estimate){.valid = rand() % 8 != 0};
			z->active_w = rand() % 1000 / 10.0;
			z->idle_w = rand() % 3 ? 0 : rand() % 100 / 10.0;
			zone_estimate_bound(z, rand() % 500 / 10.0, 1, 0);
		}
		estimate_reconcile(&e);
		for (int i = 0; i < 4; i++) {
			const struct zone_estimate *z = &e.zone[i];

			assert_true(z->active_w >= 0 && z->idle_w >= 0);
			assert_true(z->low_w >= 0 && z->low_w <= zone_watts(z) + 1e-9);
			assert_true(zone_watts(z) <= z->high_w + 1e-9);
		}
		if (!e.zone[ZONE_PACKAGE].valid)
			continue;
		double parts = 0;

		if (e.zone[ZONE_CORE].valid)
			parts += zone_watts(&e.zone[ZONE_CORE]);
		if (e.zone[ZONE_UNCORE].valid)
			parts += zone_watts(&e.zone[ZONE_UNCORE]);
		assert_true(parts <= zone_watts(&e.zone[ZONE_PACKAGE]) + 1e-9);
	}
}

static void parts_give_way_before_the_package_does(void **state)
{
	struct estimate e = {0};
	struct zone_estimate *package = &e.zone[ZONE_PACKAGE], *core = &e.zone[ZONE_CORE];

	(void)state;
	*package = (struct zone_estimate){.valid = true, .active_w = 20};
	zone_estimate_bound(package, 15, 1, 0);
	*core = (struct zone_estimate){.valid = true, .active_w = 26};
	zone_estimate_bound(core, 10, 1, 0);
	estimate_reconcile(&e); /* core may go down to 16 */
	assert_close(zone_watts(core), 20, 1e-12);
	assert_close(zone_watts(package), 20, 1e-12);
	core->active_w = 26;
	zone_estimate_bound(core, 2, 1, 0);
	estimate_reconcile(&e); /* core stops at 24, the package rises to it */
	assert_close(zone_watts(core), 24, 1e-12);
	assert_close(zone_watts(package), 24, 1e-12);
}

static void nothing_moves_what_the_host_said(void **state)
{
	struct estimate e = {0};
	struct zone_estimate *package = &e.zone[ZONE_PACKAGE], *core = &e.zone[ZONE_CORE],
			     *uncore = &e.zone[ZONE_UNCORE];

	(void)state;
	*package = (struct zone_estimate){.valid = true, .fixed = true, .active_w = 20};
	zone_estimate_bound(package, 1, 1, 0);
	*core = (struct zone_estimate){.valid = true, .fixed = true, .active_w = 15};
	zone_estimate_bound(core, 10, 1, 0);
	*uncore = (struct zone_estimate){.valid = true, .active_w = 8};
	zone_estimate_bound(uncore, 1, 1, 0);
	estimate_reconcile(&e); /* uncore gives way, below its low end where it must */
	assert_true(zone_watts(package) == 20 && zone_watts(core) == 15);
	assert_close(zone_watts(uncore), 5, 1e-12);
	assert_true(uncore->low_w <= zone_watts(uncore));
	package->fixed = false;
	package->active_w = 12; /* an estimated package rises to what the host said of core */
	package->low_w = 11;
	uncore->low_w = 4;
	estimate_reconcile(&e);
	assert_true(zone_watts(core) == 15);
	assert_close(zone_watts(uncore), 4, 1e-12);
	assert_close(zone_watts(package), 19, 1e-12);
}

/* By hand, of (5 - 1) 2 = 8 and (88 - 100) -0.5 = 6, then of both negative, then of 0 and 0. */
static void a_row_norm_divides_what_the_family_sees(void **state)
{
	static const struct {
		enum norm_kind kind;
		double busy, switches, wanted[2];
	} cases[] = {
		{NORM_MAX, 5, 88, {1, 0.75}},
		{NORM_MAX, -3, 112, {4. / 3, 1}},
		{NORM_MAX, 1, 100, {0, 0}},
		{NORM_L1, 5, 88, {8. / 14, 6. / 14}},
		{NORM_L1, -3, 88, {-8. / 14, 6. / 14}},
		{NORM_L1, 1, 100, {0, 0}},
		{NORM_L2, 5, 88, {0.8, 0.6}},
		{NORM_L2, 5, 112, {0.8, -0.6}},
		{NORM_L2, 1, 100, {0, 0}},
		{NORM_L2, 1e25, 88, {0, 0}}, /* the square is no float */
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct model m = normed(linear_model(), cases[i].kind);
		const double x[SET_INPUTS] = {cases[i].busy, 7, 7, cases[i].switches};
		double at[INPUT_MAX];
		const double *seen = model_normalise(&m, x, at);

		assert_close(seen[0], cases[i].wanted[0], 1e-7);
		assert_close(seen[3], cases[i].wanted[1], 1e-7);
		assert_close(model_watts(&m, x, &no_z),
			     10 + 4 * (cases[i].wanted[0] - 3) / 2 +
				     (cases[i].wanted[1] - 100) / 50,
			     1e-7);
		model_release(&m);
	}
}

static void a_row_norm_leaves_ranges_to_the_inputs(void **state)
{
	struct model plain_model = linear_model(), m = normed(linear_model(), NORM_L2);
	const double far[SET_INPUTS] = {24, 0, 0, 100};

	(void)state;
	assert_close(model_distance(&m, far, 0), model_distance(&plain_model, far, 0), 0);
	assert_close(model_distance(&m, far, 0), 2, 1e-12);
	assert_ptr_equal(model_normalise(&plain_model, far, NULL), far);
	model_release(&plain_model);
	model_release(&m);
}

static void a_set_without_sense_is_refused(void **state)
{
	struct err e = ERR_INIT;
	struct model_set *s = some_set();
	struct model *m = &s->zones[ZONE_PACKAGE].models[0];

	(void)state;
	assert_int_equal(model_set_check(s, &e), 0);
#define refused(change, restore)                                                                   \
	change;                                                                                    \
	assert_int_equal(model_set_check(s, &e), -ERR_FORMAT);                                     \
	restore;                                                                                   \
	assert_int_equal(model_set_check(s, &e), 0)
	refused(m->used[0].input = 99, m->used[0].input = 0);
	refused(m->physics.terms[1].a = 3, m->physics.terms[1].a = 0);
	refused(m->physics.terms[1].coefficient_w = -1, m->physics.terms[1].coefficient_w = 3);
	refused(m->physics.terms[1].coefficient_w = NAN, m->physics.terms[1].coefficient_w = 3);
	refused(m->physics.terms[2].knot = 0, m->physics.terms[2].knot = 4);
	refused(m->interval.n_bands = 0, m->interval.n_bands = 2);
	refused(m->interval.quantile[1] = -1, m->interval.quantile[1] = 0.1);
	refused(m->interval.scale_w = 0, m->interval.scale_w = 4);
	refused(m->max_w = INFINITY, m->max_w = 60);
	refused(m->idle_w = 61, m->idle_w = 0);
	refused(s->inputs[2].seconds = 0, s->inputs[2].seconds = 3);
	refused(s->interval_s = NAN, s->interval_s = 3);
	refused(strcpy(s->name, "../x"), strcpy(s->name, "test"));
	refused(s->zones[ZONE_PACKAGE].models[1].linear.terms[0].scale = 0,
		s->zones[ZONE_PACKAGE].models[1].linear.terms[0].scale = 2);
	model_set_free(s);
	s = normed_set();
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(model_set_check(s, &e), 0);
	refused(m->norm.kind = NORM_NONE, m->norm.kind = NORM_L1);
	refused(m->norm.kind = NORM_KIND_COUNT, m->norm.kind = NORM_L1);
	refused(m->norm.n = 0, m->norm.n = 2);
	refused(m->norm.inputs[1].used = 2, m->norm.inputs[1].used = 1);
	refused(m->norm.inputs[1].used = 0, m->norm.inputs[1].used = 1);
	refused(m->norm.inputs[0].offset = INFINITY, m->norm.inputs[0].offset = 0);
	refused(m->norm.inputs[0].scale = NAN, m->norm.inputs[0].scale = 1);
	refused(m->norm.inputs[0].scale = 0, m->norm.inputs[0].scale = 1);
	model_set_free(s);
}

static void the_kernel_is_materns(void **state)
{
	double v[1000];

	(void)state;
	for (size_t n = 1; n <= array_size(v); n = n < 40 ? n + 1 : 5 * n) {
		for (size_t i = 0; i < n; i++)
			v[i] = i ? pow(1e-6 * pow(1e10, (double)i / (double)n), 2) : 0;
		kernel_matern(v, n, 1.7);
		for (size_t i = 0; i < n; i++) {
			double r =
				sqrt(3) / 1.7 * (i ? 1e-6 * pow(1e10, (double)i / (double)n) : 0);

			if (r < 700)
				assert_close(v[i], (1 + r) * exp(-r), 1e-13);
			else
				assert_true(v[i] >= 0 && v[i] < 1e-300);
		}
	}
	v[0] = NAN;
	kernel_matern(v, 1, 1);
	assert_true(isnan(v[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(physics_adds_its_terms),
		cmocka_unit_test(history_terms_vanish_in_the_steady_state),
		cmocka_unit_test(every_term_is_what_the_header_says),
		cmocka_unit_test(a_blend_is_what_the_header_says),
		cmocka_unit_test(each_end_of_an_interval_goes_by_its_scale),
		cmocka_unit_test(far_away_a_blend_hands_over_to_the_safe_answer),
		cmocka_unit_test(linear_is_held_within_its_training_range),
		cmocka_unit_test(watts_stay_between_zero_and_the_maximum),
		cmocka_unit_test(distance_counts_widths_outside_the_training_range),
		cmocka_unit_test(a_sized_model_scales_with_the_machine),
		cmocka_unit_test(a_row_norm_divides_what_the_family_sees),
		cmocka_unit_test(a_row_norm_leaves_ranges_to_the_inputs),
		cmocka_unit_test(the_first_model_whose_inputs_are_there_answers),
		cmocka_unit_test(intervals_follow_the_band_and_widen_with_distance),
		cmocka_unit_test(an_upper_end_is_what_the_machine_can_draw),
		cmocka_unit_test(core_and_uncore_fit_into_package),
		cmocka_unit_test(parts_give_way_before_the_package_does),
		cmocka_unit_test(nothing_moves_what_the_host_said),
		cmocka_unit_test(a_set_without_sense_is_refused),
		cmocka_unit_test(the_kernel_is_materns),
	};

	return run_unit(tests);
}
