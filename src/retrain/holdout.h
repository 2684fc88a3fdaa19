/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_HOLDOUT_H
#define RETRAIN_HOLDOUT_H

/*
 * The held-out window: the most recent rows of a dataset, which this round
 * does not train on and on which candidate and serving bundle are compared.
 *
 * By share: whole runs from the newest on, until `share` of all rows is
 * reached. A run that would make it more than 1.25 times that is not taken
 * where what was taken is at least half of it; else only its last rows are. By
 * time: every row of the last `last_s` seconds before the newest row.
 * Deterministic: the same dataset gives the same split.
 */

#include "align/table.h"

struct holdout_rule {
	double share;  /* in (0, 0.9]; used where last_s is 0 */
	double last_s; /* seconds before the newest row; 0: by share */
};

/* Both tables are new. ERR_DATA when either would be empty. */
int holdout_split(const struct table *t, const struct holdout_rule *rule, struct table **ret_train,
		  struct table **ret_held, struct err *e);

#endif
