/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_EVALUATE_H
#define EVALUATE_EVALUATE_H

/*
 * A model set and a dataset into a report: how good the estimates are, per
 * zone, per run and per averaging window, and what to compare that with.
 * docs/evaluation.md says what each figure is.
 */

#include "base/metrics.h"
#include "base/text.h"
#include "evaluate/answers.h"
#include "evaluate/baselines.h"
#include "evaluate/noise.h"
#include "evaluate/windows.h"

struct zone_report {
	bool valid; /* the dataset has labels for the zone, and some row was answered */
	struct metrics all;
	struct metrics *by_run; /* one per run of the table */
	struct window_metrics window[WINDOW_COUNT];
	struct metrics baseline[BASELINE_COUNT];
	struct noise noise;
};

struct report {
	const struct table *table;   /* borrowed */
	const struct model_set *set; /* borrowed; NULL: the prior was evaluated */
	struct answers answers;
	struct zone_report zone[ZONE_COUNT];
	const char *rounds; /* of training, as lines for people, for the page; NULL: not known;
			       borrowed */
};

/* *ret is to be released. ERR_DATA when no row has a label that can be compared. */
int evaluate(const struct table *t, const struct model_set *s, const struct evaluate_options *o,
	     struct report *ret, struct err *e);
void report_release(struct report *r);

/* The JSON object of `vmwatts evaluate --json`, with a newline. */
void report_json(const struct report *r, struct text *out);

/* The same for people. */
void report_people(const struct report *r, struct text *out);

/*
 * One self-contained page. Estimates again, on a sample, for the importance of
 * features (so `o` as given to evaluate), and runs gnuplot once per plot.
 */
int report_html(const struct report *r, const struct evaluate_options *o, struct text *out,
		struct err *e);

#endif
