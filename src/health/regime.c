// SPDX-License-Identifier: Apache-2.0
/* The regime of the core clock: see regime.h. */
#include "health/regime.h"

#include <math.h>

#define FOLLOW	 0.05
#define QUARTILE (REGIME_SAMPLES / 4)

/* The QUARTILE-th largest: few enough that sorting by insertion is the short way. */
static double upper_quartile(const double *block)
{
	double top[QUARTILE + 1] = {0};

	for (size_t i = 0; i < REGIME_SAMPLES; i++) {
		size_t k = QUARTILE;

		if (!(block[i] > top[k]))
			continue;
		for (; k && top[k - 1] < block[i]; k--)
			top[k] = top[k - 1];
		top[k] = block[i];
	}
	return top[QUARTILE];
}

static bool is_usual(double ratio)
{
	return ratio <= REGIME_CHANGE && ratio >= 1 / REGIME_CHANGE;
}

/* A whole block was `ratio` times as fast as is usual. */
static bool judge(struct regime *g, double ratio)
{
	bool usual = is_usual(ratio), was_usual = is_usual(g->ratio);

	if (usual && was_usual)
		g->usual_mhz *= 1 + FOLLOW * (ratio - 1);
	if (usual == was_usual || !g->pending) {
		g->pending = usual != was_usual;
		return false;
	}
	g->pending = false;
	g->ratio = usual ? 1 : ratio;
	return true;
}

bool regime_sample(struct regime *g, double mhz)
{
	double now;

	if (!(mhz > 0) || !isfinite(mhz))
		return false;
	g->block[g->n++] = mhz;
	if (g->n < REGIME_SAMPLES)
		return false;
	g->n = 0;
	now = upper_quartile(g->block);
	if (!(g->usual_mhz > 0)) {
		g->usual_mhz = now;
		g->ratio = 1;
		return false;
	}
	return judge(g, now / g->usual_mhz);
}

void regime_forget(struct regime *g)
{
	*g = (struct regime){.n = 0};
}
