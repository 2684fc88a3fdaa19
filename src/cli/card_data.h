/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CARD_DATA_H
#define CLI_CARD_DATA_H

/* What of a card's JSON (src/train/card.h) a person reads: the recordings, and what was noted of
 * them. */

#include <stddef.h>

#define CARD_NOTES_MAX 32

struct card_data {
	double runs, groups, rows, from_s, to_s; /* NaN: the card does not say */
	double calibrated_rows;			 /* most of a zone's; NaN: not calibrated */
	char name[64], version[32];		 /* with calibrated_rows: the bundle it came from */
	char notes[CARD_NOTES_MAX][256];	 /* printable; cut where longer */
	size_t n_notes;
};

/* Read `card`, NULL for none. What cannot be read is left out: a card is for reading only. */
void card_data_read(const char *card, struct card_data *ret);

#endif
