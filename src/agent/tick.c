// SPDX-License-Identifier: Apache-2.0
/* One tick: two samples, their row, the meter: see parts.h. */
#include <math.h>
#include <string.h>

#include "agent/parts.h"
#include "features/interval.h"

static void fill_costs(struct agent *a, int64_t begin_ns)
{
	struct snapshot *s = meter_snapshot(a->meter);
	const struct collector_stats *stats = collector_stats(a->collector);

	memcpy(s->source_errors, stats->errors, sizeof(s->source_errors));
	for (int i = 0; i < SOURCE_COUNT; i++)
		s->source_duration_s[i] = (double)stats->duration_ns[i] / 1e9;
	agent_fill_bundle(a);
	s->tick_s = (double)(a->kernel->thread_cpu_ns() - begin_ns) / 1e9;
}

static void count_page(struct agent *a, const struct row *row, int64_t t_ns)
{
	const struct counters_tick tick = {
		.t_ns = t_ns,
		.seconds = row->dt_s,
		.usage_ratio = meter_snapshot(a->meter)->usage_ratio,
		.meaning = (enum powercap_meaning)a->config.powercap.meaning,
	};

	if (a->config.enabled)
		counters_add(&a->counters, meter_estimate(a->meter), &tick);
}

/* After these the past says nothing about what comes. */
static void begin_anew(struct agent *a, unsigned events, double vcpus)
{
	a->machine_due_ns = 0;
	if (events & INTERVAL_HOTPLUG) {
		agent_check_machine(a, a->kernel->monotonic_ns(), vcpus, true);
		agent_identify(a);
		a->identity.clock_ratio = a->regime.ratio;
		meter_refit(a->meter, vcpus);
	}
	meter_reset(a->meter);
	host_forget(&a->host);
	remote_forget(a->remote);
	probation_reset(a->probation);
	pinning_window_reset(&a->pinning);
}

/* What the model server said of the row before, and the question for this one. */
static void ask_remote(struct agent *a, const struct row *row)
{
	const struct remote_answer *answer;
	enum remote_reason reason;

	if (!a->remote || a->config.inference_method != INFERENCE_REMOTE)
		return;
	answer = remote_exchange(a->remote, meter_visible(a->meter, row), a->identity.model_name,
				 &reason);
	meter_set_remote(a->meter, answer, reason);
}

/* Ticks are coarse; what is known of the CPU time that was used is not. */
static void raise_busy(struct row *row, double least_s)
{
	double *vcpus = &row->v[FEATURE_VCPUS];
	double least = fmin(least_s / row->dt_s, *vcpus);

	if (!(least > row->v[FEATURE_CPU_BUSY_VCPUS]))
		return;
	row->v[FEATURE_CPU_BUSY_VCPUS] = least;
	row->v[FEATURE_CPU_UTILIZATION] = least / *vcpus;
}

/*
 * Without CPU times the sample before stays, and the next interval covers this one. What was
 * measured last is told no longer than gauges look back.
 */
static void miss_tick(struct agent *a, const struct sample *before, const struct sample *now)
{
	if (a->has_previous && now->mono_ns - before->mono_ns > a->config.collection_interval_ns)
		meter_withdraw(a->meter);
}

bool agent_tick(struct agent *a)
{
	struct sample *now = &a->samples[a->current], *before = &a->samples[a->current ^ 1];
	int64_t begin_ns = a->kernel->thread_cpu_ns();
	unsigned events = INTERVAL_OK;
	struct row row;
	bool closed;

	row_clear(&row);
	collector_sample(a->collector, now);
	if (!sample_has(now, SOURCE_STAT)) {
		miss_tick(a, before, now);
		fill_costs(a, begin_ns);
		return false;
	}
	closed = a->has_previous;
	if (closed) {
		events = interval_row(before, now, &row);
		if (events & INTERVAL_SHORT)
			return false;
		raise_busy(&row, a->least_busy_s);
		if (events & (INTERVAL_SUSPEND | INTERVAL_HOTPLUG))
			begin_anew(a, events, row.v[FEATURE_VCPUS]);
		agent_watch_clock(a, row.v[FEATURE_CORE_CLOCK_MHZ], row.v[FEATURE_VCPUS],
				  now->mono_ns);
		agent_check_machine(a, now->mono_ns, row.v[FEATURE_VCPUS], false);
		agent_recommend_pinning(a, &row);
		ask_remote(a, &row);
		host_tick(&a->host, &row, now->mono_ns);
		meter_row(a->meter, &row, row.dt_s);
		count_page(a, &row, now->mono_ns);
	}
	a->has_previous = true;
	a->current ^= 1;
	agent_watch_probation(a, NULL);
	fill_costs(a, begin_ns);
	history_push(&a->history, meter_snapshot(a->meter), now->mono_ns);
	if (a->http)
		http_show(a->http, meter_snapshot(a->meter));
	return closed;
}
