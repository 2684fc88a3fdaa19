/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_PAIR_H
#define ALIGN_PAIR_H

/*
 * Labels for a guest's rows from its host's recording: two files, two clocks,
 * two cadences, one unknown lag (guest time = host time + lag).
 *
 * The label of a row is the host's mean power over the row's own interval
 * (the time of the row before, its time], moved by the lag to the host's
 * clock. The first row, and one after a gap of over 3 usual steps or a step
 * back in time, are taken to cover one usual step. Where the host refreshes
 * more slowly than the guest samples, a shorter mean than its usual refresh
 * says nothing more: the label is then the mean over one refresh up to the
 * row's time, so that every label means the same and none mixes in what came
 * after. A row whose time the host does not cover has no label and is left
 * out. Features are not touched, so the run's window stays its step.
 *
 * Rows of the host that repeat the one before are taken as the same refresh
 * read again, unless power follows load clearly better (at most four fifths of
 * 1 - r^2 left) when they are taken as power that was constant: a coarse gauge,
 * or a load that stands still.
 */

#include <stdio.h>

#include "align/dataset.h"
#include "align/recording.h"
#include "features/csv.h"

struct pairing; /* owned by pair_new's caller */

/*
 * Read both sides and find the lag, or take `lag_s` where it is not NaN.
 * Bad rows of the host are told on `talk`; those of the guest are not: the
 * import reads them again. ERR_DATA as csv_open(), power_read(), lag_find().
 */
int pair_new(const struct recording *guest, const struct recording *host, double lag_s, FILE *talk,
	     struct pairing **ret, struct err *e);
void pair_free(struct pairing *p);

/*
 * Put the labels of a guest's row in its place; rows come in the order of the
 * file. False, and counted with the reason, when no zone is covered.
 */
bool pair_label(struct pairing *p, struct csv_row *row);

/* The lag, and what has been counted so far; valid as long as the pairing. */
const struct pair_report *pair_report(const struct pairing *p);

#endif
