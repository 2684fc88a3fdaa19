/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COLLECT_RAPL_H
#define COLLECT_RAPL_H

/*
 * Energy counters as a kernel shows them: powercap zones in a folder
 * (/sys/class/powercap/intel-rapl:N and :N:M; AMD's have the same names), one
 * counter per socket and zone, summed over sockets. On a host they are its own
 * meter; in a guest they are what the host hands in.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/root.h"
#include "base/zone.h"

#define RAPL_COUNTERS_MAX 256 /* 64 sockets */
#define RAPL_POWER_MAX_W  5000.0

struct rapl_counter {
	char directory[64]; /* "intel-rapl:0:1" */
	enum zone zone;
	int fd;			      /* of energy_uj; -1: it could not be read */
	bool known;		      /* energy_uj is */
	uint64_t energy_uj, range_uj; /* at the last read; 0: does not say where it wraps */
};

struct rapl {
	const struct root *root; /* borrowed */
	char folder[512];	 /* below the root */
	struct rapl_counter counters[RAPL_COUNTERS_MAX];
	size_t n;
	bool has[ZONE_COUNT];
	int error;	   /* -errno: a counter that is there could not be read when found */
	char ignored[128]; /* names that are no zone of ours, comma-separated */
};

/*
 * Find all counters in `folder` and read them; they stay open until
 * rapl_close. -EEXIST: the tree is one of vmwatts powercap, whose estimates are
 * no meter. -ENODEV: no zone there. In both cases nothing is open.
 */
int rapl_find(struct rapl *r, const struct root *root, const char *folder);

/* Zeroed is fine. */
void rapl_close(struct rapl *r);

/* What happened to counters over one interval. */
struct rapl_events {
	unsigned wraps, resets, unread;
};

/*
 * Energy of each zone since the read before, J; NaN for zones that are not
 * there, and where a counter cannot be read or was set back. One that could
 * not be read, or whose file was replaced, is opened anew. One system call a
 * counter that moves. Allocates nothing.
 */
void rapl_read(struct rapl *r, double elapsed_s, double ret_j[ZONE_COUNT],
	       struct rapl_events *ret_events);

/*
 * Growth of one counter, J. A counter that fell has wrapped at its range where
 * the growth over the wrap is at most RAPL_POWER_MAX_W; else it was set back:
 * NaN.
 */
double rapl_growth_j(uint64_t before_uj, uint64_t now_uj, uint64_t range_uj, double elapsed_s);

#endif
