// SPDX-License-Identifier: Apache-2.0
/* Estimating in the caller's process: see live.h. */
#include "agent/live.h"

#include <stdlib.h>

#include "agent/parts.h"

struct live {
	struct agent_options options; /* the agent borrows them */
	struct agent agent;
};

/* What a command that measures by itself wants otherwise than an agent. */
static int prepare(struct live *l, const struct live_options *o, struct err *e)
{
	struct config c = l->agent.config;
	struct meter *m;
	int r;

	if (!c.enabled)
		return err_set(e, -ERR_CONFIG,
			       "the configuration says enabled: false; --vm-energy-enabled true "
			       "overrides it");
	if (o->idle)
		c.idle = IDLE_SHARE;
	c.sampling_interval_ns = o->step_ns;
	/* The meter was made for the agent's step; its set goes on in one made for ours. */
	r = agent_make_meter(&l->agent, &c, meter_take_set(l->agent.meter), &m, e);
	meter_free(l->agent.meter);
	l->agent.meter = r == 0 ? m : NULL;
	l->agent.config = c;
	return r == 0 ? agent_start_sampling(&l->agent, e) : r;
}

int live_open(const struct live_options *o, struct live **ret, struct err *e)
{
	struct live *l = malloc(sizeof(*l));
	int r;

	if (!l)
		return err_nomem(e);
	l->options = o->agent;
	if (!l->options.flags.log_level)
		l->options.flags.log_level = "warn";
	r = agent_init(&l->agent, &l->options, e);
	if (r == 0)
		r = prepare(l, o, e);
	if (r < 0) {
		live_close(l);
		return r;
	}
	*ret = l;
	return 0;
}

void live_close(struct live *l)
{
	if (!l)
		return;
	agent_release(&l->agent);
	free(l);
}

bool live_tick(struct live *l, double least_busy_s)
{
	l->agent.least_busy_s = least_busy_s;
	return agent_tick(&l->agent);
}

const struct row *live_row(const struct live *l)
{
	return meter_snapshot(l->agent.meter)->row;
}

const struct estimate *live_estimate(const struct live *l)
{
	return meter_estimate(l->agent.meter);
}

const struct snapshot *live_snapshot(const struct live *l)
{
	return meter_snapshot(l->agent.meter);
}

int64_t live_boot_ns(const struct live *l)
{
	return l->agent.samples[l->agent.current ^ 1].boot_ns;
}

const struct root *live_root(const struct live *l)
{
	return &l->agent.root;
}
