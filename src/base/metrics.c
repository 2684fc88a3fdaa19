// SPDX-License-Identifier: Apache-2.0
/* How good estimates are, from columns of numbers: see metrics.h. */
#include "base/metrics.h"

#include <math.h>
#include <stdbool.h>

static bool counts(const struct metrics_input *in, size_t i)
{
	return !isnan(in->truth_w[i]) && !isnan(in->estimate_w[i]);
}

/* a / b, or NaN where that says nothing. */
static double ratio(double a, double b)
{
	return b > 0 ? a / b : NAN;
}

/* Sums of a first pass, which the second one needs. */
struct totals {
	double n, truth, estimate, largest;
};

static struct totals add_up(const struct metrics_input *in, struct metrics *ret)
{
	struct totals t = {.largest = 0};

	for (size_t i = 0; i < in->n; i++) {
		if (!counts(in, i)) {
			ret->unanswered += !isnan(in->truth_w[i]);
			continue;
		}
		ret->rows++;
		t.truth += in->truth_w[i];
		t.estimate += in->estimate_w[i];
		t.largest = fmax(t.largest, in->truth_w[i]);
	}
	t.n = (double)ret->rows;
	return t;
}

static void errors(const struct metrics_input *in, const struct totals *t, struct metrics *ret)
{
	double absolute = 0, squared = 0, spread = 0, relative = 0, n_relative = 0;
	double mean = t->truth / t->n;

	for (size_t i = 0; i < in->n; i++) {
		double y = in->truth_w[i], error = in->estimate_w[i] - y;

		if (!counts(in, i))
			continue;
		absolute += fabs(error);
		squared += error * error;
		spread += (y - mean) * (y - mean);
		if (y > ret->mape_floor_w) {
			relative += fabs(error) / y;
			n_relative++;
		}
	}
	ret->mape = ratio(relative, n_relative);
	ret->mae_w = ratio(absolute, t->n);
	ret->wmape = ratio(absolute, t->truth);
	ret->rmse_w = sqrt(ratio(squared, t->n));
	ret->r2 = 1 - ratio(squared, spread);
	ret->bias_w = ratio(t->estimate - t->truth, t->n);
	ret->energy_error = ratio(fabs(t->estimate - t->truth), t->truth);
}

static void intervals(const struct metrics_input *in, struct metrics *ret)
{
	double n = 0, inside = 0, width = 0, score = 0;

	for (size_t i = 0; in->low_w && in->high_w && i < in->n; i++) {
		double y = in->truth_w[i], low = in->low_w[i], high = in->high_w[i];

		if (!counts(in, i) || isnan(low) || isnan(high))
			continue;
		n++;
		inside += low <= y && y <= high;
		width += high - low;
		score += high - low + 2 / METRICS_ALPHA * (fmax(low - y, 0) + fmax(y - high, 0));
	}
	ret->coverage = ratio(inside, n);
	ret->mean_interval_w = ratio(width, n);
	ret->interval_score_w = ratio(score, n);
}

void metrics_compute(const struct metrics_input *in, struct metrics *ret)
{
	struct totals t;

	*ret = (struct metrics){.rows = 0};
	t = add_up(in, ret);
	ret->mape_floor_w = fmax(METRICS_FLOOR_W, METRICS_FLOOR_SHARE * t.largest);
	errors(in, &t, ret);
	intervals(in, ret);
}
