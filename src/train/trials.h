/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_TRIALS_H
#define TRAIN_TRIALS_H

/*
 * The trials of a search on disk, so that a search that was broken off is taken
 * up where it ended: CSV, one line per trial, written as it ends.
 *
 *   # vmwatts trials 1 HASH      of the dataset and the options
 *   zone,depth,rate_factor,...,error
 *   package,5,1,...,0.0473
 *
 * A file with another hash is of another command and begins anew. A line that
 * does not parse (the last one, cut) is left out.
 */

#include <stdint.h>

#include "align/table.h"
#include "base/err.h"
#include "train/search.h"

struct trials; /* opaque */

/* Of every row, label and group, and of the text. */
uint64_t trials_hash(const struct table *t, const char *options);

/* Parameters p[n] are those of every trial. `path` NULL: they are remembered nowhere. */
int trials_open(const char *path, uint64_t hash, const struct search_parameter *p, size_t n,
		struct trials **ret, struct err *e);
void trials_close(struct trials *t); /* the file stays; NULL is fine */

/* The error of the trial at exactly x[n], when it is there. */
bool trials_find(const struct trials *t, const char *zone, const double *x, double *ret_error);
int trials_add(struct trials *t, const char *zone, const double *x, double error, struct err *e);

#endif
