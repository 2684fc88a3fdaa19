// SPDX-License-Identifier: Apache-2.0
/* Rules and their statistics: see score.h. */
#include "pinning/score.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BIN_FULL (0.95 * PINNING_BIN_S) /* ticks are a little early now and then */

const struct pinning_rule_info pinning_rules[PINNING_RULE_COUNT] = {
	[PINNING_UTILIZATION] = {"cpu_utilization", "standard deviation",
				 "steadier utilization: work stays where it is", 0.15, 0.3},
	[PINNING_CONTEXT_SWITCHES] = {"context_switch_variability", "coefficient of variation",
				      "fewer interruptions: less scheduler noise in counters", 0.2,
				      0.4},
	[PINNING_ACCURACY] = {"accuracy_variance", "standard deviation of wMAPE over runs",
			      "the same accuracy from run to run", 0.1, 0.3},
};

bool pinning_holds(const struct pinning_statistics *s, enum pinning_rule rule)
{
	return s->rule[rule] > pinning_rules[rule].threshold; /* NaN holds nothing */
}

double pinning_score(const struct pinning_statistics *s)
{
	double sum = 0;

	for (int i = 0; i < PINNING_RULE_COUNT; i++)
		sum += pinning_holds(s, (enum pinning_rule)i) ? pinning_rules[i].weight : 0;
	return round(100 * sum) / 100; /* 0.3 + 0.4 is not quite 0.7 */
}

int pinning_window_init(struct pinning_window *w, size_t bins, struct err *e)
{
	*w = (struct pinning_window){.cap = bins};
	if (!bins)
		return err_set(e, -EINVAL, "a window needs a bin");
	w->bins = calloc(bins, sizeof(*w->bins));
	return w->bins ? 0 : err_nomem(e);
}

void pinning_window_release(struct pinning_window *w)
{
	free(w->bins);
	w->bins = NULL;
	pinning_window_reset(w);
}

void pinning_window_reset(struct pinning_window *w)
{
	w->n = w->next = 0;
	w->open = (struct pinning_bin){0};
	w->jitter_s = 0;
}

static void close_bin(struct pinning_window *w)
{
	struct pinning_bin *to = &w->bins[w->next], *from = &w->open;

	*to = (struct pinning_bin){.dt_s = from->dt_s,
				   .utilization = from->utilization / from->dt_s,
				   .context_switch_rate = from->context_switch_rate / from->dt_s,
				   .steal = from->steal / from->dt_s,
				   .jitter = w->jitter_s > 0 ? from->jitter / w->jitter_s : NAN};
	w->next = (w->next + 1) % w->cap;
	w->n += w->n < w->cap;
	w->open = (struct pinning_bin){0};
	w->jitter_s = 0;
}

void pinning_window_push(struct pinning_window *w, const struct row *row)
{
	double jitter = row->v[FEATURE_CORE_CLOCK_JITTER], dt_s = row->dt_s;

	if (!(dt_s > 0) || isnan(row->v[FEATURE_CPU_UTILIZATION]))
		return;
	w->open.dt_s += dt_s;
	w->open.utilization += dt_s * row->v[FEATURE_CPU_UTILIZATION];
	w->open.context_switch_rate += dt_s * row->v[FEATURE_CONTEXT_SWITCH_RATE];
	w->open.steal += dt_s * row->v[FEATURE_CPU_STEAL_TIME];
	if (!isnan(jitter)) {
		w->open.jitter += dt_s * jitter;
		w->jitter_s += dt_s;
	}
	if (w->open.dt_s >= BIN_FULL)
		close_bin(w);
}

struct moments {
	size_t n;
	double mean, sd, max;
};

/* Of the field at `offset`, over the bins where it is known. */
static struct moments moments_of(const struct pinning_window *w, size_t offset)
{
	struct moments m = {.mean = 0, .max = -INFINITY};
	double squares = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < w->n; i++) {
			double v;

			memcpy(&v, (const char *)&w->bins[i] + offset, sizeof(v));
			if (isnan(v))
				continue;
			m.n += pass == 0;
			m.max = fmax(m.max, v);
			if (pass == 0)
				m.mean += v;
			else
				squares += (v - m.mean) * (v - m.mean);
		}
		if (!m.n)
			return (struct moments){0, NAN, NAN, NAN};
		if (pass == 0)
			m.mean /= (double)m.n;
	}
	m.sd = sqrt(squares / (double)m.n);
	return m;
}

void pinning_window_statistics(const struct pinning_window *w, double accuracy_sd,
			       struct pinning_statistics *ret)
{
	struct moments use = moments_of(w, offsetof(struct pinning_bin, utilization));
	struct moments switches = moments_of(w, offsetof(struct pinning_bin, context_switch_rate));
	struct moments steal = moments_of(w, offsetof(struct pinning_bin, steal));
	struct moments jitter = moments_of(w, offsetof(struct pinning_bin, jitter));
	bool enough = w->n >= PINNING_BINS_MIN;

	*ret = (struct pinning_statistics){
		.bins = w->n,
		.rule = {enough ? use.sd : NAN,
			 enough && switches.mean > 0 ? switches.sd / switches.mean : NAN,
			 accuracy_sd},
		.utilization_mean = use.mean,
		.context_switch_mean = switches.mean,
		.steal_mean = steal.mean,
		.steal_max = steal.max,
		.jitter_mean = jitter.mean,
		.jitter_missing = w->n ? 1 - (double)jitter.n / (double)w->n : NAN,
	};
}
