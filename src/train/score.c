// SPDX-License-Identifier: Apache-2.0
/* Running folds, several at a time: see score.h. */
#include "train/score.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "train/blend_model.h"

#define SCORED_MAX  700 /* rows asked about per fold */
#define LABEL_SHARE 0.2
#define JOBS_MAX    16

/* What one fold gives. */
struct answer {
	struct scored *rows;
	size_t n;
	struct err e;
};

struct work {
	const struct pool *p;
	const size_t *rows;
	size_t n;
	const struct shift_folds *f;
	const struct score_options *o;
	atomic_size_t next;
	struct answer answers[SHIFT_FOLDS_MAX];
};

static void ask(const struct work *k, const struct blend *b, size_t row, struct scored *ret)
{
	const struct pool *p = k->p;

	ret->row = row;
	ret->y = p->y[row];
	blend_experts(b, p->x + row * p->d->p, ret->w, &ret->z);
}

/* How far the rows asked are outside the range of in[n], of the inputs that the blend needs. */
static int measure_excess(const struct work *k, const size_t *in, size_t n, struct blend *b,
			  struct answer *a)
{
	autofree size_t *seen = calloc(k->o->experts.rows_max + 1, sizeof(*seen));
	struct model m = {.family = FAMILY_BLEND, .blend = {.z_edge = INFINITY}};
	int r = 0;

	if (!seen)
		return err_nomem(&a->e);
	n = thin_rows(in, n, k->o->experts.rows_max, k->o->experts.seed, seen);
	r = blend_inputs(k->p, seen, n, b, &m, &a->e);
	for (size_t i = 0; r == 0 && i < a->n; i++)
		a->rows[i].excess = model_distance(&m, k->p->x + a->rows[i].row * k->p->d->p, 0);
	free(m.used);
	return r;
}

static int run_fold(struct work *k, size_t at, struct answer *a)
{
	const struct shift_fold *fold = &k->f->folds[at];
	autofree size_t *in = calloc(k->n + 1, sizeof(*in)), *out = calloc(k->n + 1, sizeof(*out));
	autofree size_t *asked = calloc(SCORED_MAX, sizeof(*asked));
	size_t n_in = 0, n_out = 0;
	struct blend b;

	if (!in || !out || !asked)
		return err_nomem(&a->e);
	for (size_t i = 0; i < k->n; i++) {
		if (fold->out[k->rows[i]])
			out[n_out++] = k->rows[i];
		else
			in[n_in++] = k->rows[i];
	}
	if (n_in < 20 || !n_out)
		return 0; /* nothing to learn from, or nothing to ask */
	if (experts_fit(k->p, in, n_in, &k->o->experts, &b, &a->e) < 0)
		return a->e.code;
	a->n = thin_rows(out, n_out, SCORED_MAX, k->o->experts.seed, asked);
	a->rows = calloc(a->n, sizeof(*a->rows));
	for (size_t i = 0; a->rows && i < a->n; i++) {
		ask(k, &b, asked[i], &a->rows[i]);
		a->rows[i].fold = at;
		a->rows[i].type = fold->type;
	}
	if (!a->rows)
		err_nomem(&a->e);
	else if (k->o->excess)
		measure_excess(k, in, n_in, &b, a);
	blend_release(&b);
	return a->e.code;
}

static void *run_some(void *arg)
{
	struct work *k = arg;
	size_t at;

	while ((at = atomic_fetch_add(&k->next, 1)) < k->f->n) {
		if (k->o->types & (1u << k->f->folds[at].type))
			run_fold(k, at, &k->answers[at]);
	}
	return NULL;
}

static void run_all(struct work *k)
{
	pthread_t threads[JOBS_MAX];
	unsigned started = 0;

	while (started + 1 < k->o->jobs && started < JOBS_MAX &&
	       pthread_create(&threads[started], NULL, run_some, k) == 0)
		started++;
	run_some(k);
	for (unsigned i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
}

static int collect(struct work *k, struct scores *ret, struct err *e)
{
	size_t n = 0;
	int r = 0;

	for (size_t at = 0; at < k->f->n; at++)
		n += k->answers[at].n;
	ret->rows = calloc(n + 1, sizeof(*ret->rows));
	for (size_t at = 0; at < k->f->n; at++) {
		struct answer *a = &k->answers[at];

		if (a->e.code && r == 0)
			r = err_set(e, a->e.code, "%s", a->e.msg);
		if (ret->rows && a->rows)
			memcpy(ret->rows + ret->n, a->rows, a->n * sizeof(*a->rows));
		ret->n += a->n;
		free(a->rows);
	}
	if (r == 0 && !ret->rows)
		r = err_nomem(e);
	if (r < 0)
		scores_release(ret);
	return r;
}

int scores_run(const struct pool *p, const size_t *rows, size_t n, const struct shift_folds *f,
	       const struct score_options *o, struct scores *ret, struct err *e)
{
	struct work k = {.p = p, .rows = rows, .n = n, .f = f, .o = o};
	double sum = 0;

	*ret = (struct scores){.n = 0};
	for (size_t i = 0; i < n; i++)
		sum += fabs(p->y[rows[i]]);
	ret->mean_w = fmax(sum / (double)n, 1e-6);
	run_all(&k);
	return collect(&k, ret, e);
}

void scores_release(struct scores *s)
{
	free(s->rows);
	s->rows = NULL;
	s->n = 0;
}

double score_weight(const struct scores *s, double y)
{
	return 1 / fmax(y, LABEL_SHARE * s->mean_w);
}
