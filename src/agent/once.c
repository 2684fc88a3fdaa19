// SPDX-License-Identifier: Apache-2.0
/* --once: measure for one collection interval and print. See agent.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/parts.h"
#include "base/text.h"
#include "publish/json.h"

static void sleep_ns(int64_t ns)
{
	struct timespec left = {ns / 1000000000, ns % 1000000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void print_table(const struct snapshot *s)
{
	printf("%-8s %9s %20s %11s  %s\n", "zone", "watts", "90 % interval", "confidence",
	       "provenance");
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		const struct zone_snapshot *zone = &s->zone[z];
		char interval[32];

		if (!zone->valid) {
			printf("%-8s %9s\n", zone_name((enum zone)z), "-");
			continue;
		}
		snprintf(interval, sizeof(interval), "%.2f - %.2f", zone->low_w, zone->high_w);
		printf("%-8s %9.2f %20s %11.2f  %s\n", zone_name((enum zone)z),
		       zone->active_w + zone->idle_w, interval, zone->confidence,
		       provenance_name(zone->provenance));
	}
	printf("model %s, features %s, scope %s\n", s->model_version, tier_name(s->tier),
	       scope_name(s->scope));
}

static int print_json(const struct snapshot *s, struct err *e)
{
	struct text t = {.s = NULL};

	json_render(s, &t);
	text_add(&t, "\n");
	if (t.failed)
		err_nomem(e);
	else
		fwrite(t.s, 1, t.len, stdout); /* checked by the flush */
	text_release(&t);
	return e->code;
}

static int measure(struct agent *a, bool json, struct err *e)
{
	int64_t left_ns = a->config.collection_interval_ns, step_ns;
	int r = agent_start_sampling(a, e);

	if (r == 0 && isatty(STDERR_FILENO))
		fprintf(stderr, "measuring for %g s\n", (double)left_ns / 1e9);
	for (; r == 0 && left_ns > 0; left_ns -= step_ns) {
		step_ns = a->config.sampling_interval_ns < left_ns ? a->config.sampling_interval_ns
								   : left_ns;
		sleep_ns(step_ns);
		agent_tick(a);
	}
	if (r < 0)
		return r;
	if (!meter_snapshot(a->meter)->ready)
		return err_set(e, -ENODATA, "%s/proc/stat says nothing: no estimate",
			       a->root.prefix);
	if (!json)
		print_table(meter_snapshot(a->meter));
	else if (print_json(meter_snapshot(a->meter), e) < 0)
		return e->code;
	return fflush(stdout) == EOF ? err_errno(e, "cannot write the result") : 0;
}

int agent_once(const struct agent_options *o, bool json, struct err *e)
{
	struct agent *a = malloc(sizeof(*a));
	int r;

	if (!a)
		return err_nomem(e);
	r = agent_init(a, o, e);
	if (r == 0)
		r = measure(a, json, e);
	agent_release(a);
	free(a);
	return r;
}
