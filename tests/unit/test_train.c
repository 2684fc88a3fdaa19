// SPDX-License-Identifier: Apache-2.0
/* train: least squares against a reference, families on made-up (simulated) recordings, bad data.
 */
#include "test.h"

#include "align/table.h"
#include "base/cleanup.h"
#include "bundle/bundle.h"
#include "features/stream.h"
#include "model/estimate.h"
#include "train/few_groups.h"
#include "train/lsq.h"
#include "train/profile.h"
#include "train/train.h"
#include "simulated.h"

static const struct train_options plain = {
	.name = "t", .version = "1", .family = -1, .uncore_definition = "pp1"};

static struct model_set *trained(const struct table *t, const struct train_options *o)
{
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	if (train(t, o, &s, &e) < 0)
		print_error("%s\n", e.msg);
	assert_non_null(s);
	return s;
}

static void least_squares_finds_known_coefficients(void **state)
{
	enum { N = 400, Q = 3 };
	double b[N * Q], y[N], w[N], c[Q];
	uint8_t fold[N] = {0};
	const bool free_sign[Q] = {true, false, false};
	const double penalty[Q] = {0, 1, 1};
	const struct columns columns = {N, Q, b, free_sign, penalty};
	struct gram *g = NULL;
	struct err e = ERR_INIT;

	(void)state;
	srand(3);
	for (int i = 0; i < N; i++) {
		b[i * Q] = 1;
		b[i * Q + 1] = uniform();
		b[i * Q + 2] = uniform();
		y[i] = -2 + 5 * b[i * Q + 1] + 3 * b[i * Q + 2];
		w[i] = 1 + uniform();
	}
	assert_int_equal(gram_new(&columns, y, w, fold, 1, &g, &e), 0);
	assert_int_equal(gram_solve(g, 0, 1e-6, c, &e), 0);
	assert_close(c[0], -2, 1e-4);
	assert_close(c[1], 5, 1e-4);
	assert_close(c[2], 3, 1e-4);
	assert_int_equal(gram_solve(g, 1, 1e-6, c, &e), -ERR_DATA);
	gram_free(g);
}

static void constrained_coefficients_never_go_below_zero(void **state)
{
	enum { N = 300, Q = 6 };
	double b[N * Q], y[N], w[N], c[Q];
	uint8_t fold[N] = {0};
	const bool free_sign[Q] = {true, false, false, false, false, false};
	const double penalty[Q] = {0, 1, 1, 1, 1, 1};
	const struct columns columns = {N, Q, b, free_sign, penalty};
	struct err e = ERR_INIT;

	(void)state;
	srand(5);
	for (int round = 0; round < 50; round++) {
		struct gram *g = NULL;

		for (int i = 0; i < N; i++) {
			b[i * Q] = 1;
			for (int j = 1; j < Q; j++)
				b[i * Q + j] = uniform();
			y[i] = 1 - 4 * b[i * Q + 1] + 2 * b[i * Q + 2] - b[i * Q + 3] + uniform();
			w[i] = 1;
		}
		assert_int_equal(gram_new(&columns, y, w, fold, 1, &g, &e), 0);
		assert_int_equal(gram_solve(g, 0, 1e-3, c, &e), 0);
		for (int j = 1; j < Q; j++)
			assert_true(c[j] >= 0);
		assert_close(c[1], 0, 0);
		/* Optimality: with c[1] held at 0, moving any coefficient raises the error. */
		for (int j = 0; j < Q; j++) {
			for (double step = -1e-3; step <= 1e-3; step += 2e-3) {
				double before = 0, after = 0;

				if (j && c[j] + step < 0)
					continue;
				for (int i = 0; i < N; i++) {
					double r = y[i], moved;

					for (int k = 0; k < Q; k++)
						r -= c[k] * b[i * Q + k];
					moved = r - step * b[i * Q + j];
					before += r * r;
					after += moved * moved;
				}
				assert_true(after > before - 1e-4);
			}
		}
		gram_free(g);
	}
}

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

/* Above 4 vCPUs the label is ten times as uncertain: the interval must know, and still cover. */
static struct ends spread_at(const struct model *m, const double *x)
{
	double z, watts = model_watts(m, x, &z);

	return model_spread(m, x, z, watts);
}

static void intervals_are_wide_where_left_out_rows_were_missed(void **state)
{
	struct table *t = simulated(10, 150, curve);
	const double low[] = {8, 0.25, 2}, high[] = {8, 0.875, 7};
	double quiet[INPUT_MAX], wild[INPUT_MAX];
	const struct model *m;
	struct model_set *s;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++) {
		double noise = t->x[FEATURE_CPU_BUSY_VCPUS][i] > 4 ? 0.4 : 0.04;

		t->y_w[ZONE_PACKAGE][i] *= 1 + noise * (uniform() - 0.5);
	}
	s = trained(t, &plain);
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->blend.spread.n > 0);
	for (size_t j = 0; j < s->n_inputs; j++) {
		int k = s->inputs[j].feature == FEATURE_CPU_UTILIZATION	 ? 1
			: s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? 2
									 : 0;

		quiet[j] = low[k];
		wild[j] = high[k];
	}
	assert_true(spread_at(m, wild).down > 2 * spread_at(m, quiet).down);
	assert_true(spread_at(m, wild).up > 2 * spread_at(m, quiet).up);
	assert_true(m->coverage_90 > 0.85 && m->coverage_90 < 0.96);
	model_set_free(s);
	table_free(t);
}

/* Labels that only ever stand out upwards: the upper end must be farther than the lower one, and
 * both cover. */
static void ends_are_apart_where_misses_are_skewed(void **state)
{
	struct table *t = simulated(20, 80, curve);
	const double at[] = {8, 0.5, 4};
	double x[INPUT_MAX];
	const struct model *m;
	struct model_set *s;
	struct ends ends;

	(void)state;
	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= 1 + (uniform() < 0.2 ? uniform() : 0.02 * uniform());
	s = trained(t, &plain);
	m = &s->zones[ZONE_PACKAGE].models[0];
	assert_int_equal(m->family, FAMILY_BLEND);
	assert_true(m->blend.spread_up != NULL);
	for (size_t j = 0; j < s->n_inputs; j++)
		x[j] = at[s->inputs[j].feature == FEATURE_CPU_UTILIZATION  ? 1
			  : s->inputs[j].feature == FEATURE_CPU_BUSY_VCPUS ? 2
									   : 0];
	ends = spread_at(m, x);
	assert_true(ends.up > 1.4 * ends.down);
	assert_true(m->coverage_90 > 0.85 && m->coverage_90 < 0.96);
	model_set_free(s);
	table_free(t);
}

/* The reference is scipy's stats.t.ppf(0.8, ...) in the formula of few_groups.h. */
static double next_of(const double *quantiles, size_t n)
{
	const uint32_t group[] = {7, 2, 5, 0, 9, 3, 8, 6};
	struct err e = ERR_INIT;
	double factor = NAN;

	assert_int_equal(next_group(quantiles, group, n, &factor, &e), 0);
	return factor;
}

static void the_next_group_lies_farther_the_fewer_are_known(void **state)
{
	const double one[] = {1}, alike[] = {1, 1, 1}, three[] = {0.8, 1.25, 1};
	const double seven[] = {0.5, 1, 1.5, 0.7, 1.1, 0.9, 1.3, 2}, narrow[] = {0.1, 0.1};

	(void)state;
	assert_close(next_of(one, 1), 2.1170, 1e-3);
	assert_close(next_of(three, 3), 1.5230, 1e-3);
	assert_close(next_of(seven, 7), 1.3948, 1e-3);
	assert_true(next_of(alike, 3) < next_of(three, 3));
	assert_true(next_of(alike, 2) > next_of(alike, 3));
	assert_true(next_of(narrow, 2) == 1);
	assert_true(next_of(seven, 8) == 1);
	assert_true(next_of(one, 0) == 1);
}

/* Rows inside of the interval, and its mean half width relative to the watts. */
static double coverage_of(const struct model_set *s, const struct table *t, double *ret_half)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	double inside = 0, half = 0;

	for (size_t i = 0; i < t->n_rows; i++) {
		const struct zone_estimate *z;
		double x[INPUT_MAX];
		struct estimate e;

		for (size_t j = 0; j < s->n_inputs; j++)
			x[j] = t->x[s->inputs[j].feature][i];
		model_set_estimate(s, x, &o, &e);
		z = &e.zone[ZONE_PACKAGE];
		inside +=
			z->low_w <= t->y_w[ZONE_PACKAGE][i] && t->y_w[ZONE_PACKAGE][i] <= z->high_w;
		half += (z->high_w - z->low_w) / 2 / zone_watts(z);
	}
	*ret_half = half / (double)t->n_rows;
	return inside / (double)t->n_rows;
}

/* One label in fifty is twice what the load costs; the others are within 5 %. */
static struct table *with_outliers(size_t runs)
{
	struct table *t = simulated(runs, 200, curve);

	for (size_t i = 0; i < t->n_rows; i++)
		t->y_w[ZONE_PACKAGE][i] *= i % 50 == 7 ? 2 : 1 + 0.1 * (uniform() - 0.5);
	return t;
}

static void a_few_outliers_do_not_set_the_width_where_groups_are_few(void **state)
{
	struct train_options o = plain;
	struct table *others = with_outliers(6);
	double covered = 0;
	size_t sets = 0;

	(void)state;
	o.no_history = true;
	for (size_t runs = 1; runs < 6; runs++) {
		struct table *t = with_outliers(runs);
		struct model_set *s = trained(t, &o);
		double half;

		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
		covered += coverage_of(s, others, &half);
		assert_true(half < 0.25);
		sets++;
		model_set_free(s);
		table_free(t);
	}
	assert_true(covered / (double)sets > 0.88);
	table_free(others);
}

/* A step at 4 vCPUs, and a bump at 6: trees and kernels see what physics cannot bend to. */
static double steps(double u, double before)
{
	(void)before;
	return 1 + 3 * u + (u > 4 ? 8 : 0) - (u > 5.5 && u < 6.5 ? 5 : 0);
}

/* Three runs that are alike prove that the stack holds; two do not, nor do three of other power. */
static void few_groups_decide_whether_the_safe_answer_is_needed(void **state)
{
	static const double unlike[] = {1, 2.5, 0.5};
	static const struct {
		size_t runs;
		bool differ, safe;
	} cases[] = {{3, false, false}, {3, true, true}, {2, false, true}};

	(void)state;
	for (size_t k = 0; k < array_size(cases); k++) {
		struct table *t = simulated(cases[k].runs, 250, steps);
		struct model_set *s;
		const struct blend *b;

		for (size_t i = 0; cases[k].differ && i < t->n_rows; i++)
			t->y_w[ZONE_PACKAGE][i] *= unlike[t->run[i]];
		s = trained(t, &plain);
		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_BLEND);
		b = &s->zones[ZONE_PACKAGE].models[0].blend;
		if (cases[k].safe)
			assert_true(b->caution > 0.5);
		else
			assert_true(b->caution < 0.5);
		model_set_free(s);
		table_free(t);
	}
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

/* User time and a trace of softirq, which in one row of eight goes with watts of something else. */
static struct table *hardly_any_softirq(void)
{
	struct table *t = simulated(10, 100, curve);

	t->x[FEATURE_CPU_USER] = calloc(t->n_rows, sizeof(double));
	t->x[FEATURE_CPU_SOFTIRQ] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++) {
		double u = t->x[FEATURE_CPU_UTILIZATION][i];

		t->x[FEATURE_CPU_SOFTIRQ][i] = i % 8 ? 0 : fmin(u, 0.02);
		t->x[FEATURE_CPU_USER][i] = u - t->x[FEATURE_CPU_SOFTIRQ][i];
		t->y_w[ZONE_PACKAGE][i] += i % 8 ? 0 : 4;
	}
	return t;
}

/* Seven times the softirq of training: busy time all the same, and no more watts than that. */
static void what_hardly_ever_was_is_not_drawn_out_into_watts(void **state)
{
	static const int families[] = {-1, FAMILY_PHYSICS};
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	struct table *t = hardly_any_softirq();
	double x[INPUT_MAX];
	struct estimate e;

	(void)state;
	for (size_t k = 0; k < array_size(families); k++) {
		struct train_options with = plain;
		struct model_set *s;

		with.family = families[k];
		s = trained(t, &with);
		for (size_t j = 0; j < s->n_inputs; j++) {
			enum feature f = s->inputs[j].feature;

			x[j] = f == FEATURE_VCPUS	     ? 8
			       : f == FEATURE_CPU_BUSY_VCPUS ? 6
			       : f == FEATURE_CPU_SOFTIRQ    ? 0.15
			       : f == FEATURE_CPU_USER	     ? 0.6
							     : 0.75;
		}
		model_set_estimate(s, x, &o, &e);
		assert_close(zone_watts(&e.zone[ZONE_PACKAGE]), curve(6, 6), 0.1);
		assert_true(e.zone[ZONE_PACKAGE].distance > 1); /* but it is noticed */
		model_set_free(s);
	}
	table_free(t);
}

/* What an input went up to with the load in training, and what a guest has of it later. */
struct hardly_any {
	enum feature feature;
	double least, per_vcpu, trained, little, much;
};

static struct table *hardly_any_of(const struct hardly_any *h)
{
	struct table *t = simulated(10, 100, curve);

	t->x[h->feature] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		t->x[h->feature][i] = h->least + h->per_vcpu * t->x[FEATURE_CPU_BUSY_VCPUS][i];
	return t;
}

/* Half busy, with `amount` of it. */
static struct zone_estimate with_amount(const struct model_set *s, enum feature of, double amount)
{
	const struct estimate_options o = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX];
	struct estimate e;

	for (size_t j = 0; j < s->n_inputs; j++) {
		enum feature f = s->inputs[j].feature;

		x[j] = f == FEATURE_VCPUS	     ? 8
		       : f == FEATURE_CPU_BUSY_VCPUS ? 4
		       : f == of		     ? amount
						     : 0.5;
		if (f == of)
			assert_true(model_uses(&s->zones[ZONE_PACKAGE].models[0], (uint16_t)j));
	}
	model_set_estimate(s, x, &o, &e);
	return e.zone[ZONE_PACKAGE];
}

/*
 * An agent that is scraped sends a thousand times what the recording had; a busy server, more. By a
 * network, which looks at every input and is far by ranges alone.
 */
static void what_varied_by_next_to_nothing_makes_nothing_far(void **state)
{
	static const struct hardly_any inputs[] = {
		{FEATURE_NET_TX_BYTES_RATE, 0, 20, 80, 20e3, 50e6},
		{FEATURE_CPU_FREQUENCY_MHZ, 1399.5, 0.04, 1399.6, 1420, 4000}};
	struct train_options o = plain;

	(void)state;
	o.family = FAMILY_MLP;
	for (size_t k = 0; k < array_size(inputs); k++) {
		const struct hardly_any *h = &inputs[k];
		struct table *t = hardly_any_of(h);
		struct model_set *s = trained(t, &o);
		struct zone_estimate trained_on = with_amount(s, h->feature, h->trained);
		struct zone_estimate little = with_amount(s, h->feature, h->little);

		assert_int_equal(s->zones[ZONE_PACKAGE].models[0].family, FAMILY_MLP);
		assert_true(trained_on.distance == 0);
		assert_true(little.distance == 0);
		assert_true(little.confidence > trained_on.confidence / 2);
		assert_true(with_amount(s, h->feature, h->much).distance > 2);
		model_set_free(s);
		table_free(t);
	}
}

static void whatever_is_counted_has_a_grain(void **state)
{
	(void)state;
	feature_foreach (f) {
		if (feature_info(f)->use == FEATURE_USE_RATE && !(feature_grain(f) > 0))
			fail_msg("%s has none", feature_info(f)->name);
	}
	assert_true(feature_grain(FEATURE_VCPUS) == 0); /* another size is another machine */
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
		cmocka_unit_test(least_squares_finds_known_coefficients),
		cmocka_unit_test(constrained_coefficients_never_go_below_zero),
		cmocka_unit_test(learns_a_curve_that_bends_down),
		cmocka_unit_test(history_is_kept_only_where_it_pays),
		cmocka_unit_test(the_last_model_needs_utilization_alone),
		cmocka_unit_test(the_set_predicts_what_cross_validation_promised),
		cmocka_unit_test(the_same_data_gives_the_same_model),
		cmocka_unit_test(a_network_is_a_family_of_its_own),
		cmocka_unit_test(blends_of_one_expert_go_by_its_name),
		cmocka_unit_test(intervals_are_wide_where_left_out_rows_were_missed),
		cmocka_unit_test(ends_are_apart_where_misses_are_skewed),
		cmocka_unit_test(machines_of_several_sizes_are_learned_as_one),
		cmocka_unit_test(the_next_group_lies_farther_the_fewer_are_known),
		cmocka_unit_test(a_few_outliers_do_not_set_the_width_where_groups_are_few),
		cmocka_unit_test(few_groups_decide_whether_the_safe_answer_is_needed),
		cmocka_unit_test(what_hardly_ever_was_is_not_drawn_out_into_watts),
		cmocka_unit_test(whatever_is_counted_has_a_grain),
		cmocka_unit_test(what_varied_by_next_to_nothing_makes_nothing_far),
		cmocka_unit_test(node_total_splits_off_what_is_there_without_load),
		cmocka_unit_test(bad_data_is_told_in_one_sentence),
		cmocka_unit_test(constant_labels_and_one_run_still_train),
		cmocka_unit_test(profiles_are_whole_at_any_length),
	};

	return run_unit(tests);
}
