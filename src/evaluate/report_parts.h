/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_REPORT_PARTS_H
#define EVALUATE_REPORT_PARTS_H

/* What report_html.c puts a page together from; only the report's files include this. */

#include "evaluate/bands.h"
#include "evaluate/evaluate.h"
#include "evaluate/importance.h"

/* Figures, each a <figure> with its plot; 0 or what gnuplot failed with. */
int figures_series(const struct report *r, enum zone z, struct text *out, struct err *e);
int figure_scatter(const struct report *r, enum zone z, struct text *out, struct err *e);
int figure_residual(const struct report *r, enum zone z, struct text *out, struct err *e);
int figure_bands(const struct bands *b, struct text *out, struct err *e);
int figure_windows(const struct zone_report *zone, struct text *out, struct err *e);
int figure_importance(const struct importance *i, enum zone z, struct text *out, struct err *e);

/* Places of the runs that have rows in the zone, by wMAPE, least first; returns how many. */
size_t runs_by_error(const struct report *r, enum zone z, size_t *ret_places);

/* Both take the n places that runs_by_error gave. */
int figure_run_errors(const struct zone_report *zone, const size_t *places, size_t n,
		      struct text *out, struct err *e);
int figure_run_coverage(const struct zone_report *zone, const size_t *places, size_t n,
			struct text *out, struct err *e);

/* What was evaluated, and what with. */
void card_data(const struct report *r, struct text *out);
void card_model(const struct report *r, struct text *out);

/* The name of an importance item: its columns, at most `most` of them. */
void importance_name(const struct importance_item *item, size_t most, char ret[128]);

/* Places of the items by their rise in the zone, most first. */
void importance_order(const struct importance *i, enum zone z, size_t ret[FEATURE_COUNT]);

#endif
