/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKLOAD_PLAN_H
#define WORKLOAD_PLAN_H

/*
 * A plan: phases one after the other, each with loads that run at the same
 * time. A plan is YAML:
 *
 *	name: mine
 *	about: one sentence
 *	phases:
 *	  - name: primes-40          # what the recorder is told; one word
 *	    duration: 30s            # 100ms to 24h
 *	    burst: [2s, 3s]          # optional: that long on, that long off
 *	    loads:                   # optional: without loads the phase is idle
 *	      - kind: cpu-prime      # the table of kinds is in kinds.c
 *	        load: 40             # percent of the workers' time, or 0..100..0
 *	        workers: 2           # or all (the default): one per CPU
 *	        size: 30%            # memory and disk kinds: of all workers together
 *
 * With `workers: all` a load of 40 is 40 % of all CPUs. A load such as
 * 0..100..0 goes in straight lines between its points over the phase. A size
 * in percent is a share of the memory (or of the disk space) available when
 * the phase starts; 512M is 512 MiB.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PLAN_PHASES_MAX	    128
#define PLAN_LOADS_MAX	    8
#define PLAN_POINTS_MAX	    8
#define PLAN_WORKERS_MAX    1024
#define PLAN_TEXT_MAX	    (256u << 10)
#define PLAN_DURATION_MAX_S 86400.0

enum load_class { CLASS_CPU, CLASS_MEMORY, CLASS_DISK, CLASS_NETWORK };

/* One stressor: what `kind` may be. */
struct load_kind {
	const char *name;
	enum load_class class;
	const char *about;
	const char *workers; /* stress-ng's option that takes the number of workers */
	/* More arguments, up to NULL. "%S" stands for the bytes of one worker
	 * (divided by `size_parts`), "%O" for how a disk is written past the cache,
	 * "%T" and "%U" for a free TCP or UDP port, as many in a row as workers. */
	const char *more[9];
	unsigned size_parts; /* stress-ng takes this many times what %S says; 0: no size */
	double size_percent; /* where a plan gives none */
	int paces_itself;    /* takes --cpu-load */
};

extern const struct load_kind load_kinds[];
extern const size_t n_load_kinds;

struct load {
	const struct load_kind *kind;
	double percent[PLAN_POINTS_MAX]; /* of the workers' time; one point: constant */
	size_t n_points;
	unsigned workers;    /* 0: all */
	double size_percent; /* used where size_bytes is 0 */
	uint64_t size_bytes; /* all workers together */
};

struct phase {
	char name[64];
	double duration_s;
	double burst_on_s, burst_off_s; /* both 0: no bursts */
	struct load loads[PLAN_LOADS_MAX];
	size_t n_loads;
};

struct plan {
	char name[64], about[200];
	struct phase phases[PLAN_PHASES_MAX];
	size_t n_phases;
};

/* A ready-made plan, as the text that plan_parse() reads. */
struct ready_plan {
	const char *name, *about, *yaml;
};

extern const struct ready_plan ready_plans[];
extern const size_t n_ready_plans;

/*
 * Parse YAML text; *ret is to be freed with free(). `name` is what messages
 * call the text. ERR_CONFIG as NAME:LINE:COLUMN: what was found, what is
 * allowed; -ENOMEM.
 */
int plan_parse(const char *text, size_t len, const char *name, struct plan **ret, struct err *e);

/* A ready-made plan by its name, else the file WORD. As plan_parse, or -errno. */
int plan_open(const char *word, struct plan **ret, struct err *e);

/* The text of the ready-made plan or NULL. */
const char *plan_ready_text(const char *name);

double plan_seconds(const struct plan *p);

/* The share of time, 0..1, that a load of phase `p` runs, `at_s` into the phase. */
double phase_share(const struct phase *p, const struct load *l, double at_s, double duration_s);

#endif
