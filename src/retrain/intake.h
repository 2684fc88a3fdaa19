/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_INTAKE_H
#define RETRAIN_INTAKE_H

/*
 * Recordings of a folder into the dataset, each once. What is taken for one:
 *
 *	NAME.guest.vmt or .csv	with NAME.host.vmt or .csv beside it: a pair;
 *				without it, it waits
 *	NAME.vmt		a trace that holds both sides
 *	NAME.csv		joined, or with a column `run` (dataset export)
 *
 * Names with a leading dot and all else are passed over. One that cannot be
 * used (no lag is credible, no label, damaged) is told, remembered and passed
 * over. The file `recordings` in the work folder remembers size and time of
 * each, so one that has grown or was mended is taken in again, in place of
 * what it gave before.
 *
 * Each line of it: round, state, stamp, rows that the dataset has of it, name,
 * reason, with tabs between. The state `importing` is written before, so that
 * after a kill the one that was under way, and only that, is replaced.
 */

#include "base/text.h"
#include "retrain/retrain.h"
#include "retrain/work.h"

struct intake {
	size_t imported, refused; /* in this round, also before it was broken off */
	size_t waiting;		  /* pairs whose host's half is not there */
	struct text names;	  /* JSON list of those imported in this round */
	struct text refusals;	  /* JSON object, name: reason, of this round */
};

/* Into WORK/data.db. With o->dry_run only tells what is new. *ret is to be released. */
int intake_run(const struct work *w, const struct retrain_options *o, int64_t round,
	       struct intake *ret, struct err *e);

/* What `round` took in, from what is remembered alone. */
int intake_recall(const struct work *w, int64_t round, struct intake *ret, struct err *e);
void intake_release(struct intake *i);

#endif
