/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_CARD_H
#define TRAIN_CARD_H

/*
 * The model card: what a bundle was trained on, what was tried, what was
 * chosen and how well that did on left-out rows. JSON, inside the bundle;
 * `vmwatts model inspect` prints it. No host names, no paths.
 */

#include "train/candidate.h"
#include "train/crossval.h"
#include "train/tune.h"

#define TRIED_MAX 16 /* candidates: 3 tiers x 2 x families, and one more */

#define NOTES_MAX 16

struct card_try {
	struct candidate_kind kind;
	double wmape, tail_wmape, weight_power, ridge;
	bool chosen;
};

/* What a search for hyper-parameters did; trials 0: there was none. */
struct card_search {
	enum tune_what what;
	enum search_method method;
	struct search_result result;
};

struct card {
	struct card_search search[ZONE_COUNT];
	size_t n[ZONE_COUNT];
	struct card_try tries[ZONE_COUNT][TRIED_MAX];
	size_t n_notes;
	char notes[NOTES_MAX][256]; /* what a person should know of the data */
};

void card_try(struct card *card, enum zone z, const struct candidate_kind *kind,
	      const struct crossval *v);
void card_note(struct card *card, const char *sentence); /* the first NOTES_MAX are kept */
void card_choose(struct card *card, enum zone z, const struct candidate_kind *kind);

/* The JSON text; *ret is the caller's. */
int card_write(const struct card *card, const struct model_set *s, const struct design *d,
	       char **ret, struct err *e);

#endif
