/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_EVALUATE_H
#define EVALUATE_EVALUATE_H

/*
 * A model set and a dataset into a report: how good the estimates are, per
 * zone and per run. Every row goes through the path that `estimate` takes.
 */

#include "align/table.h"
#include "base/metrics.h"
#include "base/text.h"
#include "model/model.h"
#include "model/prior.h"

struct zone_report {
	bool valid; /* the dataset has labels for the zone, and some row was answered */
	struct metrics all;
	struct metrics *by_run; /* one per run of the table */
	size_t trained, prior;	/* rows with a label, by what answered them */
};

struct report {
	const struct table *table;   /* borrowed */
	const struct model_set *set; /* borrowed; NULL: the prior was evaluated */
	struct zone_report zone[ZONE_COUNT];
};

struct evaluate_options {
	const struct prior *prior;
	bool stateless; /* history models are passed over */
};

/* *ret is to be released. ERR_DATA when no row has a label that can be compared. */
int evaluate(const struct table *t, const struct model_set *s, const struct evaluate_options *o,
	     struct report *ret, struct err *e);
void report_release(struct report *r);

/* The JSON object of `vmwatts evaluate --json`, with a newline. */
void report_json(const struct report *r, struct text *out);

/* The same for people. */
void report_people(const struct report *r, struct text *out);

#endif
