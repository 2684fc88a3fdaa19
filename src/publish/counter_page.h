/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_COUNTER_PAGE_H
#define PUBLISH_COUNTER_PAGE_H

/*
 * The counter page: a small file in which whoever measures (the agent,
 * `vmwatts run`) tells whoever shows energy counters (vmwatts-powercap) how
 * far they are, once a tick. It holds the ends of the last few intervals: at
 * CLOCK_MONOTONIC t_ns the counters stood at uj[].
 *
 * Played out: what a reader shows at an instant is where the counter was one
 * tick before, linear in between. So the energy of the interval that closed
 * last is played out over the next one: exact, one tick late, and monotone by
 * construction. With a writer that falls silent the counter stands once all it
 * told is played out, which is after one tick. An interval that is shorter or
 * longer than a tick leaves no step: that is why the page has several.
 *
 * Counters here are whole microjoules that never wrap and never fall, also
 * across writers and reboots: a new writer goes on where the page stood.
 *
 * The file: host byte order, one writer, any number of readers in other
 * processes. Two slots with sequence number and checksum are written in turn,
 * so a reader always finds one that is whole, and so does the next writer
 * after kill -9. Readers pread it and never map it: a file that somebody
 * truncates is then no more than a page that says nothing.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/zone.h"

#define COUNTER_PAGE_NAME "counters" /* in the state directory */
#define COUNTER_POINTS	  4

struct counter_point {
	int64_t t_ns; /* CLOCK_MONOTONIC */
	uint64_t uj[ZONE_RAPL_COUNT];
};

/* One writing of the page. */
struct counter_page {
	uint64_t sequence;   /* rises with every write */
	uint64_t boot_id[2]; /* which CLOCK_MONOTONIC */
	int64_t tick_ns;     /* usual length of an interval, > 0 */
	uint64_t owner_only; /* 1: host's readings are among them, mode 0400 */
	uint64_t n;	     /* points, 1..COUNTER_POINTS */
	struct counter_point points[COUNTER_POINTS]; /* oldest first; t_ns rises, uj never falls */
};

/* Which boot this is; zeros where the kernel does not say. */
void counter_boot_id(uint64_t ret[2]);

/* The counter of `z` at `now_ns` of that boot, in microjoules. */
uint64_t counter_at(const struct counter_page *p, enum zone z, int64_t now_ns,
		    const uint64_t boot_id[2]);

/* Mean power of the last interval in watts; 0 when the writer is silent for three ticks. */
double counter_power_w(const struct counter_page *p, enum zone z, int64_t now_ns,
		       const uint64_t boot_id[2]);

/* ---- writing ---- */

struct counter_file; /* what is mapped */

struct counter_writer {
	struct counter_page page;
	double rest_uj[ZONE_RAPL_COUNT]; /* [0, 1): what is not yet a whole microjoule */
	struct counter_file *file;	 /* NULL: closed */
	int fd;
};

/*
 * Open the page at `path`, making it where there is none with every counter at
 * start_uj[]. A page that is there is gone on with: what it had told but not
 * played out yet is played out over the first tick. A file that is no page, or
 * damaged, is replaced; *ret_kept says which it was. On failure w is closed.
 */
int counter_writer_open(struct counter_writer *w, const char *path, int64_t now_ns, int64_t tick_ns,
			const uint64_t start_uj[ZONE_RAPL_COUNT], bool *ret_kept, struct err *e);

/* The tick has another length from now on. */
void counter_writer_set_tick(struct counter_writer *w, int64_t now_ns, int64_t tick_ns);

/* Host's own readings are in it (or no longer): only the owner reads it, and what is made of it. */
void counter_writer_set_owner_only(struct counter_writer *w, bool owner_only);

/*
 * The interval that ends at `t_ns` is closed: its microjoules by zone (NaN or
 * below 0: none). Allocates nothing, makes no system call. Closed: does nothing.
 */
void counter_writer_add(struct counter_writer *w, int64_t t_ns, const double uj[ZONE_RAPL_COUNT]);

void counter_writer_close(struct counter_writer *w);

/* ---- reading ---- */

/*
 * Follows the page at a path: one that is not there yet, is replaced, or went
 * back. What a reader shows never falls: it goes on from what it showed.
 */
struct counter_reader {
	const char *path; /* borrowed */
	int fd;		  /* -1: no page */
	dev_t dev;
	ino_t ino;
	uint64_t boot_id[2];
	bool has_page; /* page is what was last read whole */
	struct counter_page page;
	bool shown_without; /* zeros were shown before there was a page */
	uint64_t shown_uj[ZONE_RAPL_COUNT], offset_uj[ZONE_RAPL_COUNT];
};

void counter_reader_init(struct counter_reader *r, const char *path);
void counter_reader_release(struct counter_reader *r);

/* Read the page anew; has_page says whether there ever was one. */
void counter_reader_refresh(struct counter_reader *r);

/*
 * Refreshed: readers were shown `shown_uj` (in [0, POWERCAP_RANGE_UJ)) for `z`
 * before; go on from there, or from where the counter has come since.
 */
void counter_reader_resume(struct counter_reader *r, enum zone z, uint64_t shown_uj,
			   int64_t now_ns);

/* Refreshed: what to show for `z`, in [0, POWERCAP_RANGE_UJ). */
uint64_t counter_reader_show(struct counter_reader *r, enum zone z, int64_t now_ns);

#endif
