// SPDX-License-Identifier: Apache-2.0
/* Training a small network: see mlp.h. */
#include "train/mlp.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define ROWS_MIN   5
#define HELD_SHARE 0.2 /* of the groups, or of the rows */
#define RATE_HALF  40  /* epochs after which steps are half as long */
#define BETA_1	   0.9
#define BETA_2	   0.999
#define EPSILON	   1e-8
#define LAYERS	   (MLP_LAYERS_MAX + 1) /* the hidden ones and the answer */

/* ---- chance ---- */

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t x = *state += 0x9e3779b97f4a7c15u;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

static double uniform(uint64_t *state) /* -1..1 */
{
	return (double)(next_random(state) >> 11) * 0x1p-52 - 1;
}

static void shuffle(size_t *rows, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = next_random(state) % i, kept = rows[i - 1];

		rows[i - 1] = rows[j];
		rows[j] = kept;
	}
}

/* ---- the network while it learns ---- */

struct layer {
	size_t in, out, at;    /* at: of its first weight, out rows of in + 1 */
	double *value, *delta; /* batch x out */
};

struct net {
	const struct mlp_data *d;
	const struct mlp_options *o;
	struct layer layers[LAYERS];
	size_t n_layers, n_weights;
	double *weights, *gradient, *mean, *square; /* n_weights each */
	double *x, *target, *row_weight;	    /* of a batch */
	double mean_w, scale_w;
	uint64_t chance;
	unsigned long steps;
};

static void release(struct net *k)
{
	for (size_t l = 0; l < k->n_layers; l++) {
		free(k->layers[l].value);
		free(k->layers[l].delta);
	}
	free(k->weights);
	free(k->gradient);
	free(k->mean);
	free(k->square);
	free(k->x);
	free(k->target);
	free(k->row_weight);
}

static bool make_layers(struct net *k)
{
	size_t in = k->d->q, batch = k->o->batch;
	bool good = true;

	for (size_t l = 0; l < LAYERS; l++) {
		struct layer *at = &k->layers[k->n_layers];

		if (l < MLP_LAYERS_MAX && !k->o->units[l])
			continue;
		at->in = in;
		at->out = l < MLP_LAYERS_MAX ? k->o->units[l] : 1;
		at->at = k->n_weights;
		at->value = calloc(batch * at->out, sizeof(double));
		at->delta = calloc(batch * at->out, sizeof(double));
		good = good && at->value && at->delta;
		k->n_weights += at->out * (in + 1);
		k->n_layers++;
		in = at->out;
	}
	return good;
}

static int make(struct net *k, struct err *e)
{
	size_t batch = k->o->batch;
	bool good = make_layers(k);

	k->weights = calloc(k->n_weights, sizeof(double));
	k->gradient = calloc(k->n_weights, sizeof(double));
	k->mean = calloc(k->n_weights, sizeof(double));
	k->square = calloc(k->n_weights, sizeof(double));
	k->x = calloc(batch * k->d->q, sizeof(double));
	k->target = calloc(batch, sizeof(double));
	k->row_weight = calloc(batch, sizeof(double));
	good = good && k->weights && k->gradient && k->mean && k->square && k->x && k->target &&
	       k->row_weight;
	return good ? 0 : err_nomem(e);
}

/* Glorot and Bengio's uniform weights; no bias; nothing learned yet. */
static void begin(struct net *k)
{
	k->chance = k->o->seed * 0x9e3779b97f4a7c15u + 1;
	k->steps = 0;
	memset(k->mean, 0, k->n_weights * sizeof(double));
	memset(k->square, 0, k->n_weights * sizeof(double));
	for (size_t l = 0; l < k->n_layers; l++) {
		const struct layer *at = &k->layers[l];
		double most = sqrt(6 / (double)(at->in + at->out));

		for (size_t i = 0; i < at->out * (at->in + 1); i++)
			k->weights[at->at + i] =
				i % (at->in + 1) == at->in ? 0 : most * uniform(&k->chance);
	}
}

static void gather(struct net *k, const size_t *rows, size_t n)
{
	const struct mlp_data *d = k->d;

	for (size_t i = 0; i < n; i++) {
		memcpy(k->x + i * d->q, d->x + rows[i] * d->q, d->q * sizeof(double));
		k->target[i] = (d->y[rows[i]] - k->mean_w) / k->scale_w;
		k->row_weight[i] = d->weight[rows[i]];
	}
}

static void forward(struct net *k, size_t n)
{
	const double *below = k->x;

	for (size_t l = 0; l < k->n_layers; l++) {
		struct layer *at = &k->layers[l];
		const double *w = k->weights + at->at;
		bool hidden = l + 1 < k->n_layers;

		for (size_t i = 0; i < n * at->out; i++)
			at->value[i] = w[i % at->out * (at->in + 1) + at->in];
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)at->out,
			    (int)at->in, 1, below, (int)at->in, w, (int)at->in + 1, 1, at->value,
			    (int)at->out);
		for (size_t i = 0; hidden && i < n * at->out; i++)
			at->value[i] = k->o->activation == ACTIVATION_TANH ? tanh(at->value[i])
									   : fmax(at->value[i], 0);
		below = at->value;
	}
}

/* The slope of a hidden unit's activation, from its value. */
static double slope(const struct net *k, double value)
{
	return k->o->activation == ACTIVATION_TANH ? 1 - value * value : value > 0;
}

/* Gradients of the mean loss over the batch, from the answer down. */
static void backward(struct net *k, size_t n)
{
	struct layer *top = &k->layers[k->n_layers - 1];

	for (size_t i = 0; i < n; i++) {
		double error = top->value[i] - k->target[i];

		top->delta[i] = k->row_weight[i] * fmin(fmax(error, -1), 1) / (double)n;
	}
	for (size_t l = k->n_layers; l-- > 0;) {
		struct layer *at = &k->layers[l], *lower = l ? at - 1 : NULL;
		const double *below = lower ? lower->value : k->x;
		double *g = k->gradient + at->at;
		int width = (int)at->in + 1;

		for (size_t j = 0; j < at->out; j++) {
			g[(j + 1) * (size_t)width - 1] = 0;
			for (size_t i = 0; i < n; i++)
				g[(j + 1) * (size_t)width - 1] += at->delta[i * at->out + j];
		}
		cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)at->out, (int)at->in,
			    (int)n, 1, at->delta, (int)at->out, below, (int)at->in, 0, g, width);
		if (!lower)
			break;
		cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)at->in,
			    (int)at->out, 1, at->delta, (int)at->out, k->weights + at->at, width, 0,
			    lower->delta, (int)at->in);
		for (size_t i = 0; i < n * at->in; i++)
			lower->delta[i] *= slope(k, lower->value[i]);
	}
}

static void adam(struct net *k, double rate)
{
	double first, second;

	k->steps++;
	first = 1 - pow(BETA_1, (double)k->steps);
	second = 1 - pow(BETA_2, (double)k->steps);
	for (size_t i = 0; i < k->n_weights; i++) {
		double g = k->gradient[i];

		k->mean[i] = BETA_1 * k->mean[i] + (1 - BETA_1) * g;
		k->square[i] = BETA_2 * k->square[i] + (1 - BETA_2) * g * g;
		k->weights[i] -=
			rate * (k->mean[i] / first / (sqrt(k->square[i] / second) + EPSILON) +
				k->o->decay * k->weights[i]);
	}
}

static void learn_epoch(struct net *k, size_t *rows, size_t n, unsigned epoch)
{
	double rate = k->o->rate / (1 + (double)epoch / RATE_HALF);

	shuffle(rows, n, &k->chance);
	for (size_t i = 0; i < n; i += k->o->batch) {
		size_t m = n - i < k->o->batch ? n - i : k->o->batch;

		gather(k, rows + i, m);
		forward(k, m);
		backward(k, m);
		adam(k, rate);
	}
}

/* Weighted mean absolute error, standardised. */
static double error_of(struct net *k, const size_t *rows, size_t n)
{
	double sum = 0, weights = 0;

	for (size_t i = 0; i < n; i += k->o->batch) {
		size_t m = n - i < k->o->batch ? n - i : k->o->batch;

		gather(k, rows + i, m);
		forward(k, m);
		for (size_t j = 0; j < m; j++) {
			double answer = k->layers[k->n_layers - 1].value[j];

			sum += k->row_weight[j] * fabs(answer - k->target[j]);
			weights += k->row_weight[j];
		}
	}
	return sum / weights;
}

/* ---- how long ---- */

/*
 * Rows to learn from first in rows[], those held out behind them; returns how
 * many come first. Whole groups are held out where there are at least two.
 */
static size_t hold_out(const struct mlp_data *d, unsigned seed, size_t *rows)
{
	uint32_t highest = 0, lowest = UINT32_MAX;
	size_t first = 0, last = d->n;

	for (size_t i = 0; i < d->n; i++) {
		highest = d->group[i] > highest ? d->group[i] : highest;
		lowest = d->group[i] < lowest ? d->group[i] : lowest;
	}
	for (size_t i = 0; i < d->n; i++) {
		uint64_t state = seed + ((uint64_t)d->group[i] << 20);
		bool held = highest > lowest ? uniform(&state) > 1 - 2 * HELD_SHARE
					     : (double)i >= (1 - HELD_SHARE) * (double)d->n;

		rows[held ? --last : first++] = i;
	}
	if (highest > lowest && (first < d->n / 2 || last == d->n)) {
		/* Chance took none, or too many: the group of the last row. */
		first = 0;
		last = d->n;
		for (size_t i = 0; i < d->n; i++)
			rows[d->group[i] == d->group[d->n - 1] ? --last : first++] = i;
	}
	return first;
}

/* The number of epochs after which the held-out error is smallest. */
static unsigned find_epochs(struct net *k, size_t *rows, size_t n_learn)
{
	double best = INFINITY;
	unsigned found = 1;

	begin(k);
	for (unsigned epoch = 0; epoch < k->o->epochs_most; epoch++) {
		double error;

		learn_epoch(k, rows, n_learn, epoch);
		error = error_of(k, rows + n_learn, k->d->n - n_learn);
		if (error < best) {
			best = error;
			found = epoch + 1;
		} else if (epoch + 1 - found >= k->o->patience) {
			break;
		}
	}
	return found;
}

/* The label's weighted mean and spread. */
static void standardise(struct net *k)
{
	const struct mlp_data *d = k->d;
	double weights = 0, sum = 0, square = 0;

	for (size_t i = 0; i < d->n; i++) {
		weights += d->weight[i];
		sum += d->weight[i] * d->y[i];
	}
	k->mean_w = sum / weights;
	for (size_t i = 0; i < d->n; i++)
		square += d->weight[i] * (d->y[i] - k->mean_w) * (d->y[i] - k->mean_w);
	k->scale_w = fmax(sqrt(square / weights), fmax(1e-3 * fabs(k->mean_w), 1e-6));
}

static int hand_over(struct net *k, struct mlp *ret, struct err *e)
{
	for (size_t i = 0; i < k->n_weights; i++) {
		if (!(fabs(k->weights[i]) <= MLP_WEIGHT_MAX))
			return err_set(e, -ERR_DATA, "the network did not converge");
	}
	*ret = (struct mlp){.activation = k->o->activation,
			    .n_inputs = k->d->q,
			    .n_layers = k->n_layers - 1,
			    .mean_w = k->mean_w,
			    .scale_w = k->scale_w,
			    .weights = k->weights};
	k->weights = NULL;
	for (size_t l = 0; l < ret->n_layers; l++)
		ret->units[l] = k->layers[l].out;
	return 0;
}

int mlp_fit(const struct mlp_data *d, const struct mlp_options *o, struct mlp *ret, struct err *e)
{
	autofree size_t *rows = calloc(d->n + 1, sizeof(*rows));
	struct net k = {.d = d, .o = o};
	unsigned epochs;
	size_t n_learn;
	int r;

	if (d->n < ROWS_MIN || !d->q)
		return err_set(e, -ERR_DATA, "%zu rows are too few for a network", d->n);
	/* One thread: the matrices are small, and the numbers are the same on every machine. */
	openblas_set_num_threads(1);
	r = rows ? make(&k, e) : err_nomem(e);
	if (r == 0) {
		standardise(&k);
		n_learn = hold_out(d, o->seed, rows);
		epochs = find_epochs(&k, rows, n_learn);
		for (size_t i = 0; i < d->n; i++)
			rows[i] = i;
		begin(&k);
		for (unsigned epoch = 0; epoch < epochs; epoch++)
			learn_epoch(&k, rows, d->n, epoch);
		r = hand_over(&k, ret, e);
	}
	release(&k);
	return r;
}
