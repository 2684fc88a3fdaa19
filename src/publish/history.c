// SPDX-License-Identifier: Apache-2.0
/* The last hour: see history.h. */
#include "publish/history.h"

#include <math.h>
#include <string.h>

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

static void close_step(struct history *h)
{
	size_t at = (size_t)(h->step % HISTORY_POINTS);

	each_zone(z)
	{
		double n = h->sum[z].n ? (double)h->sum[z].n : NAN;

		h->points[z][at] = (struct history_point){(float)(h->sum[z].watts / n),
							  (float)(h->sum[z].low / n),
							  (float)(h->sum[z].high / n)};
	}
	memset(h->sum, 0, sizeof(h->sum));
	h->n += h->n < HISTORY_POINTS;
	h->step++;
}

void history_push(struct history *h, const struct snapshot *s, int64_t mono_ns)
{
	int64_t step = mono_ns / (HISTORY_STEP_S * INT64_C(1000000000));

	if (!h->step || step - h->step > HISTORY_POINTS) {
		memset(h->sum, 0, sizeof(h->sum));
		h->n = 0;
		h->step = step;
	}
	while (h->step < step)
		close_step(h);
	each_zone(z)
	{
		const struct zone_snapshot *zone = &s->zone[z];

		if (!zone->valid)
			continue;
		h->sum[z].watts += zone->active_w + zone->idle_w;
		h->sum[z].low += zone->low_w;
		h->sum[z].high += zone->high_w;
		h->sum[z].n++;
	}
}

struct history_point history_at(const struct history *h, enum zone z, size_t i)
{
	return h->points[z][(size_t)(h->step - (int64_t)h->n + (int64_t)i) % HISTORY_POINTS];
}

bool history_range(const struct history *h, enum zone z, double *ret_low, double *ret_high)
{
	double low = NAN, high = NAN;

	for (size_t i = 0; i < h->n; i++) {
		double watts = history_at(h, z, i).watts;

		low = fmin(low, watts); /* fmin(NaN, x) is x */
		high = fmax(high, watts);
	}
	*ret_low = low;
	*ret_high = high;
	return !isnan(low);
}
