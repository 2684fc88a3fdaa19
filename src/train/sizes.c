// SPDX-License-Identifier: Apache-2.0
/* Machines of several sizes as one: see sizes.h. */
#include "train/sizes.h"

#include <math.h>
#include <stdlib.h>

#define CLEARLY 1.25

static int vcpus_input(const struct design *d)
{
	return design_find(d, FEATURE_VCPUS, INPUT_NOW, 0);
}

/* The smallest and the largest machine; false where a row does not say. */
static bool size_range(const struct design *d, struct range *ret)
{
	int j = vcpus_input(d);

	*ret = (struct range){INFINITY, 0};
	for (size_t i = 0; j >= 0 && i < d->n; i++) {
		double vcpus = d->x[i * d->p + (size_t)j];

		if (!(vcpus >= 1))
			return false;
		ret->low = fmin(ret->low, vcpus);
		ret->high = fmax(ret->high, vcpus);
	}
	return j >= 0 && d->n;
}

bool sizes_differ(const struct design *d)
{
	struct range r;

	return size_range(d, &r) && r.high >= CLEARLY * r.low;
}

double sizes_same(const struct design *d)
{
	struct range r;

	return size_range(d, &r) && r.high == r.low ? r.low : 0;
}

int size_model(const struct design *d, double vcpus, struct model *m, struct err *e)
{
	struct used_input *used = realloc(m->used, (m->n_used + 1) * sizeof(*used));

	if (!used)
		return err_nomem(e);
	m->used = used;
	m->size_vcpus = vcpus;
	m->size_input = (uint16_t)vcpus_input(d);
	used[m->n_used++] = (struct used_input){m->size_input, vcpus, vcpus, true};
	return 0;
}

int resized_init(const struct design *d, const double *y, struct resized *ret, struct err *e)
{
	size_t size = (size_t)vcpus_input(d);
	struct resized r = {.d = *d, .vcpus = design_quantile(d, size, 0.5)};

	r.d.x = calloc(d->n * d->p + 1, sizeof(*r.d.x));
	r.y = calloc(d->n + 1, sizeof(*r.y));
	if (!r.d.x || !r.y) {
		resized_release(&r);
		return err_nomem(e);
	}
	for (size_t i = 0; i < d->n; i++) {
		const double *from = d->x + i * d->p;
		double times = r.vcpus / from[size];

		for (size_t j = 0; j < d->p; j++)
			r.d.x[i * d->p + j] =
				from[j] * (feature_is_extensive(d->inputs[j].feature) ? times : 1);
		r.d.x[i * d->p + size] = r.vcpus;
		r.y[i] = y[i] * times;
	}
	*ret = r;
	return 0;
}

void resized_release(struct resized *r)
{
	free(r->d.x);
	free(r->y);
}
