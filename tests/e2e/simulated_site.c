// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's HTTP server before a SIMULATED snapshot: simulated_site [prior] prints "ADDRESS" and
 * serves until it is killed. An hour of watts is there at once, with a pause in it; the package
 * rises by 0.01 W a second.
 */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../unit/sets.h"
#include "publish/http.h"

#define S INT64_C(1000000000)

static struct identity identity = {
	.n_cpus = 4, .vendor = "GenuineIntel", .model_name = "Simulated CPU"};
static struct row row;
static struct history history;

static void set_zone(struct snapshot *s, enum zone z, double w, double half)
{
	struct zone_snapshot *zone = &s->zone[z];

	zone->valid = true;
	zone->active_w = w;
	zone->low_w = fmax(w - half, 0);
	zone->high_w = w + half;
	zone->active_j = 123456 * w;
	zone->confidence = 1 / (1 + half / w);
	zone->definition = z == ZONE_UNCORE ? "package_minus_core" : "";
	zone->provenance = PROVENANCE_PRIOR;
	if (s->set && s->set->zones[z].n) {
		zone->provenance = PROVENANCE_TRAINED;
		zone->model = s->set->zones[z].models;
	}
}

static void fill(struct snapshot *s, double second)
{
	double load =
		0.5 + 0.3 * sin(second / 300) + 0.15 * sin(second / 37) + 0.05 * sin(second / 3);

	set_zone(s, ZONE_PACKAGE, 4 + 16 * load + 0.01 * second, 1.5 + load);
	set_zone(s, ZONE_CORE, 2 + 12 * load, 1.2 + load);
	set_zone(s, ZONE_DRAM, 1.2 + load, 0.3);
	set_zone(s, ZONE_UNCORE, 0.8 + 0.9 * load, 0.7);
	s->zone[ZONE_UNCORE].valid = second < 900 || second > 1200;
	s->usage_ratio = load;
	s->t_s = 1.7e9 + second;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	bool prior = argc > 1 && !strcmp(argv[1], "prior");
	struct snapshot s = {.node_name = "guest-7 <b>&\"x\"",
			     .identity = &identity,
			     .enabled = true,
			     .ready = true,
			     .row = &row,
			     .set = prior ? NULL : some_set(),
			     .model_version = prior ? "prior-icelake" : "1.0.0",
			     .state_kept = true,
			     .tick_s = 9e-5,
			     .pinning_score = NAN};
	struct http *http;
	struct err e = ERR_INIT;
	double begin = seconds();
	int64_t now = 0;

	row_clear(&row);
	if (!prior)
		s.drift.share = true;
	for (; now < 3600; now++) {
		fill(&s, (double)now);
		history_push(&history, &s, (now + 1) * S);
	}
	if (http_new("127.0.0.1:0", &s, &http, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		return 1;
	}
	http_set_history(http, &history);
	printf("%s\n", http_address(http));
	fflush(stdout);
	for (;;) {
		struct pollfd p = {http_fd(http), POLLIN, 0};

		poll(&p, 1, 100);
		for (; (double)now < 3600 + seconds() - begin; now++) {
			fill(&s, (double)now);
			history_push(&history, &s, (now + 1) * S);
			http_show(http, &s);
		}
		http_run(http);
	}
}
