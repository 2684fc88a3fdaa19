/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_POWER_H
#define ALIGN_POWER_H

/*
 * The host's half of a paired recording: power per zone as tracks, on the
 * host's clock.
 *
 * A meter refreshes its figures at its own pace and is read at another, so a
 * row whose labels are all as in the row before is the same refresh read
 * again, as a rule, and dropped (REPEATS_STALE). A refresh speaks for the time since the one
 * before:
 *
 *   watts    a gauge holds the mean power of the interval that it closes
 *            (Kepler: energy over time between its two last refreshes)
 *   joules   a cumulative counter; its growth over the interval is exact. A
 *            counter that falls has wrapped or was reset: watts where the row
 *            has them, else missing over that step
 *
 * Joules go before watts. Refreshes come at one pace, seen through the readings:
 * the steps between changes differ by at most one step of reading. Figures that
 * stay for longer than the shortest such step (the 10 % quantile) and 1.5 steps
 * of reading were refreshed and are constant, so the next change speaks for one
 * usual refresh only. An empty field, and a row that comes over 3 median steps
 * after the one before, leave a hole.
 */

#include <stddef.h>
#include <stdio.h>

#include "align/recording.h"
#include "align/track.h"
#include "base/err.h"
#include "base/zone.h"

/* What a row is whose labels are all as in the row before. */
enum power_repeats {
	REPEATS_STALE,	  /* the same refresh read again: dropped */
	REPEATS_CONSTANT, /* a refresh that found the same power: kept */
};

struct power {
	struct track zones[ZONE_COUNT]; /* W; empty where the zone is not measured */
	size_t n;			/* good rows, in the order of time */
	double *t_s;			/* owned; when each was read */
	double step_s;			/* median; of reading */
	double refresh_s, constant_s;	/* usual; longer than this is constant; NaN: no change */
	size_t bad_rows, empty_rows;
	size_t repeats;	   /* of either kind */
	char ignored[512]; /* columns not used, comma-separated */
};

/*
 * Read measured power. Bad rows (a row not later than the one before
 * is one) are told on `talk` (NULL: nobody), counted and left out. ERR_DATA
 * for what csv_open() refuses and for a file without two good rows.
 */
int power_read(const struct recording *host, enum power_repeats kind, FILE *talk, struct power *ret,
	       struct err *e);
void power_release(struct power *p);

/* Move every instant: a clock that drifts, set right. `move` must rise with time. -ENOMEM. */
int power_move(struct power *p, double (*move)(const void *how, double t_s), const void *how);

/* Why no zone covers (begin_s, end_s]. */
enum power_hole {
	POWER_OUTSIDE, /* before the first row or after the last refresh */
	POWER_GAP,     /* rows are more than 3 median steps apart */
	POWER_EMPTY,   /* rows were there, their fields were empty or counters fell */
};

enum power_hole power_hole_at(const struct power *p, double begin_s, double end_s);

#endif
