/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_ZONE_SEARCH_H
#define TRAIN_ZONE_SEARCH_H

/*
 * The search that train_options ask for, zone by zone: its share of the budget,
 * its trials on disk (OUT.trials), its result on the card.
 */

#include "train/card.h"
#include "train/train.h"
#include "train/tune.h"

struct zone_search {
	const struct train_options *o;
	struct card *card;
	size_t n_zones;	       /* that share the budget */
	struct trials *trials; /* NULL: nothing is searched */
	enum zone zone;	       /* being searched */
	void (*progress)(void *arg, const char *what);
	void (*note)(void *arg, const char *sentence);
	void *arg;
};

/* The caller has set o, card and the callbacks. */
int zone_search_open(struct zone_search *s, const struct design *d, struct err *e);
void zone_search_close(struct zone_search *s);

/* Too few rows to search on is a note, and what is tuned stays as it was. */
int zone_search_gbdt(struct zone_search *s, enum zone z, const struct pool *p,
		     struct gbdt_tuning *io, struct err *e);

/* On the candidate that sees most; all the others get what it found. */
int zone_search_mlp(struct zone_search *s, enum zone z, struct candidate **candidates, size_t n,
		    const double *y, struct err *e);

#endif
