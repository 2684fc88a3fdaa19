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

bool sizes_differ(const struct design *d)
{
	int j = vcpus_input(d);
	double low = INFINITY, high = 0;

	for (size_t i = 0; j >= 0 && i < d->n; i++) {
		double vcpus = d->x[i * d->p + (size_t)j];

		if (!(vcpus >= 1))
			return false;
		low = fmin(low, vcpus);
		high = fmax(high, vcpus);
	}
	return j >= 0 && high >= CLEARLY * low;
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
