/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_TRACK_H
#define ALIGN_TRACK_H

/*
 * A track: a function of time that is constant over each of its pieces
 * (begin, end] and not known between them. Power as a meter gave it and load
 * as a guest saw it are both tracks, each on its own clock; comparing them is
 * taking means of one over the pieces of the other.
 *
 * Pieces ascend and never overlap. The integral up to each piece is kept, so
 * a mean costs the same however long its interval is, and energy is exact: the
 * means over intervals that tile a covered range sum to its energy.
 */

#include <stddef.h>

struct track_piece {
	double begin_s, end_s, value;
};

struct track {
	size_t n, cap;
	struct track_piece *pieces; /* owned */
	double *integral;	    /* owned; of all pieces before each */
	double *covered_s;	    /* owned; length of all pieces before each */
};

/*
 * Append a piece. One of no length, of no number, or that begins before the
 * last one ends is left out. -ENOMEM.
 */
int track_add(struct track *t, double begin_s, double end_s, double value);
void track_release(struct track *t);

/*
 * The mean over (begin_s, end_s]; NaN unless pieces cover it (but for a
 * thousandth: times are read with that much doubt). `hint` remembers where
 * the last one was found, so that a walk through time costs no search; start
 * it at 0.
 */
double track_mean(const struct track *t, double begin_s, double end_s, size_t *hint);

#endif
