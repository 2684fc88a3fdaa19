/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

/*
 * A dataset into a model set: per zone and feature tier a blend (blend.h) with
 * history where that pays and one without; below them the simple families that
 * cross-validation likes best; and always one model on cpu_utilization alone. Intervals are
 * calibrated on left-out rows; a card says what was tried and why it was chosen.
 */

#include "align/table.h"
#include "base/err.h"
#include "model/model.h"
#include "train/search.h"

struct train_options {
	const char *name, *version;
	int64_t sequence, created_s, expires_s; /* expires 0: never */
	enum scope scope;
	int family;	      /* enum family, or -1: automatic */
	enum blend_kind kind; /* with FAMILY_BLEND: of all experts, or of one */
	bool no_history;
	size_t max_bytes; /* what the bundle may take: trees are spent within it */
	unsigned jobs;	  /* folds at a time; the result does not depend on it */
	unsigned seed;
	/* Hyper-parameters of gbdt (and of the blend's) and mlp; others have none to search. */
	enum search_method search;
	unsigned trials; /* per zone, at most */
	double budget_s; /* for all zones; 0: no limit */
	const char
		*trials_path; /* where trials are kept until the bundle is written; may be NULL */
	const char *uncore_definition; /* "pp1" or "package_minus_core" */
	/* Called with 0..1 as work is done; may be NULL. */
	void (*progress)(void *arg, double done, const char *what);
	void *arg;
	/* Called with what a person should know (a zone left out, a doubt); may be NULL. */
	void (*note)(void *arg, const char *sentence);
};

/* *ret is new (model_set_free). ERR_DATA when no zone can be trained. */
int train(const struct table *t, const struct train_options *o, struct model_set **ret,
	  struct err *e);

#endif
