// SPDX-License-Identifier: Apache-2.0
/* mlp: inference against a reference's numbers, its check, and training on made-up data. */
#include "test.h"

#include "base/cleanup.h"
#include "sets.h"
#include "train/mlp.h"

struct golden_network {
	enum activation activation;
	size_t n_inputs, n_layers, units[MLP_LAYERS_MAX];
	double clamp_sd, mean_w, scale_w;
	const double *means, *sds, *weights;
	size_t n;
	const double *rows, *watts;
};

#include "../golden/mlp.inc"

static double no_z;

/* The model of a golden network; its inputs are those of the set, in order. */
static struct model golden_model(const struct golden_network *g)
{
	struct model m = {.family = FAMILY_MLP, .tier = TIER_OS, .n_used = g->n_inputs};
	size_t n;

	m.used = calloc(g->n_inputs, sizeof(*m.used));
	m.mlp = (struct mlp){.activation = g->activation,
			     .n_inputs = g->n_inputs,
			     .n_layers = g->n_layers,
			     .units = {g->units[0], g->units[1]},
			     .clamp_sd = g->clamp_sd,
			     .mean_w = g->mean_w,
			     .scale_w = g->scale_w};
	n = mlp_weights(&m.mlp);
	m.mlp.inputs = calloc(g->n_inputs, sizeof(*m.mlp.inputs));
	m.mlp.weights = calloc(n, sizeof(double));
	memcpy(m.mlp.weights, g->weights, n * sizeof(double));
	for (size_t i = 0; i < g->n_inputs; i++) {
		m.used[i].input = (uint16_t)i;
		m.mlp.inputs[i] = (struct mlp_input){(uint16_t)i, g->means[i], g->sds[i]};
	}
	m.max_w = 1e6;
	return m;
}

static void watts_are_those_of_the_reference(void **state)
{
	(void)state;
	for (size_t k = 0; k < array_size(golden_networks); k++) {
		const struct golden_network *g = &golden_networks[k];
		struct model m = golden_model(g);

		assert_true(mlp_check(&m.mlp, &m));
		for (size_t i = 0; i < g->n; i++)
			assert_close(mlp_watts(&m, g->rows + i * g->n_inputs), g->watts[i], 1e-9);
		model_release(&m);
	}
}

static void any_finite_input_gives_watts_in_range(void **state)
{
	static const double values[] = {0, -1, 1e300, -1e300, 1e-300, 1.7e308, -1.7e308};
	struct model m = golden_model(&golden_networks[4]);
	double x[INPUT_MAX];

	(void)state;
	m.max_w = 60;
	for (size_t i = 0; i < mlp_weights(&m.mlp); i++)
		m.mlp.weights[i] = copysign(MLP_WEIGHT_MAX, m.mlp.weights[i]);
	m.mlp.clamp_sd = MLP_CLAMP_MAX;
	assert_true(mlp_check(&m.mlp, &m));
	for (size_t round = 0; round < 500; round++) {
		for (size_t i = 0; i < m.n_used; i++)
			x[i] = values[(round * 31 + i * i * 7) % array_size(values)];
		assert_true(isfinite(mlp_watts(&m, x)));
		assert_true(model_watts(&m, x, &no_z) >= 0 && model_watts(&m, x, &no_z) <= 60);
	}
	model_release(&m);
}

static void a_network_without_sense_is_refused(void **state)
{
	struct model_set *s = full_set();
	struct model *m = &s->zones[ZONE_DRAM].models[0];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(model_set_check(s, &e), 0);
#define refused(change, restore)                                                                   \
	change;                                                                                    \
	assert_int_equal(model_set_check(s, &e), -ERR_FORMAT);                                     \
	restore;                                                                                   \
	assert_int_equal(model_set_check(s, &e), 0)
	refused(m->mlp.inputs[1].used = 2, m->mlp.inputs[1].used = 1);
	refused(m->mlp.inputs[0].sd = 0, m->mlp.inputs[0].sd = 2);
	refused(m->mlp.inputs[0].mean = NAN, m->mlp.inputs[0].mean = 3);
	refused(m->mlp.weights[0] = NAN, m->mlp.weights[0] = 1);
	refused(m->mlp.weights[0] = 1.1e6, m->mlp.weights[0] = 1);
	refused(m->mlp.clamp_sd = 0, m->mlp.clamp_sd = 4);
	refused(m->mlp.clamp_sd = 1e9, m->mlp.clamp_sd = 4);
	refused(m->mlp.scale_w = INFINITY, m->mlp.scale_w = 5);
	refused(m->mlp.n_layers = 0, m->mlp.n_layers = 2);
	refused(m->mlp.n_layers = 3, m->mlp.n_layers = 2);
	refused(m->mlp.units[1] = 0, m->mlp.units[1] = 2);
	refused(m->mlp.units[0] = 129, m->mlp.units[0] = 3);
	refused(m->mlp.activation = ACTIVATION_COUNT, m->mlp.activation = ACTIVATION_TANH);
	model_set_free(s);
}

/* ---- training ---- */

enum { ROWS = 600, INPUTS = 2 };

struct made {
	double x[ROWS * INPUTS], y[ROWS], weight[ROWS];
	uint32_t group[ROWS];
	struct mlp_data data;
};

static struct made *made(double (*watts)(double a, double b), size_t n, uint32_t groups)
{
	struct made *m = calloc(1, sizeof(*m));

	srand(11);
	for (size_t i = 0; i < n; i++) {
		double a = 4.0 * rand() / RAND_MAX - 2, b = 4.0 * rand() / RAND_MAX - 2;

		m->x[i * INPUTS] = a;
		m->x[i * INPUTS + 1] = b;
		m->y[i] = watts(a, b) * (1 + 0.02 * ((double)rand() / RAND_MAX - 0.5));
		m->weight[i] = 1;
		m->group[i] = (uint32_t)(i * groups / n);
	}
	m->data = (struct mlp_data){n, INPUTS, m->x, m->y, m->weight, m->group};
	return m;
}

static double bent(double a, double b)
{
	return 40 + 10 * a - 3 * a * a + 5 * tanh(2 * b);
}

static double constant(double a, double b)
{
	(void)a;
	(void)b;
	return 7;
}

/* Mean absolute error on a grid within the training range, as a share of the mean. */
static double grid_error(const struct mlp *p, double (*watts)(double a, double b))
{
	double error = 0, sum = 0;

	for (double a = -1.9; a < 2; a += 0.2) {
		for (double b = -1.9; b < 2; b += 0.2) {
			const double z[INPUTS] = {a, b};

			error += fabs(p->mean_w + p->scale_w * mlp_answer(p, z) - watts(a, b));
			sum += watts(a, b);
		}
	}
	return error / sum;
}

static void learns_a_curve(void **state)
{
	(void)state;
	for (int shape = 0; shape < 4; shape++) {
		struct made *m = made(bent, ROWS, shape % 2 ? 1 : 6);
		struct mlp_options o = MLP_OPTIONS_INIT;
		struct err e = ERR_INIT;
		struct mlp p;

		o.epochs_most = 200;
		o.activation = shape / 2 ? ACTIVATION_RELU : ACTIVATION_TANH;
		o.units[1] = shape ? 12 : 0;
		assert_int_equal(mlp_fit(&m->data, &o, &p, &e), 0);
		assert_true(grid_error(&p, bent) < 0.02);
		mlp_release(&p);
		free(m);
	}
}

static void the_same_seed_gives_the_same_weights(void **state)
{
	struct made *m = made(bent, 200, 4);
	struct mlp_options o = MLP_OPTIONS_INIT;
	struct err e = ERR_INIT;
	struct mlp a, b, other;

	(void)state;
	assert_int_equal(mlp_fit(&m->data, &o, &a, &e), 0);
	assert_int_equal(mlp_fit(&m->data, &o, &b, &e), 0);
	o.seed++;
	assert_int_equal(mlp_fit(&m->data, &o, &other, &e), 0);
	assert_memory_equal(a.weights, b.weights, mlp_weights(&a) * sizeof(double));
	assert_memory_not_equal(a.weights, other.weights, mlp_weights(&a) * sizeof(double));
	mlp_release(&a);
	mlp_release(&b);
	mlp_release(&other);
	free(m);
}

static void constant_labels_and_few_rows_do_no_harm(void **state)
{
	static const size_t counts[] = {5, 6, 30};
	struct mlp_options o = MLP_OPTIONS_INIT;
	struct err e = ERR_INIT;
	struct made *m;
	struct mlp p;

	(void)state;
	for (size_t k = 0; k < array_size(counts); k++) {
		for (uint32_t groups = 1; groups <= counts[k]; groups += 2) {
			m = made(constant, counts[k], groups);
			assert_int_equal(mlp_fit(&m->data, &o, &p, &e), 0);
			assert_true(grid_error(&p, constant) < 0.05);
			mlp_release(&p);
			free(m);
		}
	}
	m = made(constant, 4, 1);
	assert_int_equal(mlp_fit(&m->data, &o, &p, &e), -ERR_DATA);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(watts_are_those_of_the_reference),
		cmocka_unit_test(any_finite_input_gives_watts_in_range),
		cmocka_unit_test(a_network_without_sense_is_refused),
		cmocka_unit_test(learns_a_curve),
		cmocka_unit_test(the_same_seed_gives_the_same_weights),
		cmocka_unit_test(constant_labels_and_few_rows_do_no_harm),
	};

	return run_unit(tests);
}
