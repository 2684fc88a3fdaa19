/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_HISTORY_H
#define RETRAIN_HISTORY_H

/*
 * history.jsonl of the work folder: one JSON object a line, one line a round,
 * oldest first. docs/retraining.md names its fields.
 */

#include "base/text.h"
#include "retrain/work.h"

/*
 * Add `line` (without a newline) as the round's. The file is replaced whole; a
 * round that is there already stays once, and a torn last line is dropped.
 */
int history_add(const struct work *w, int64_t round, const char *line, struct err *e);

/* Every line, as JSON list or as a table for people. -ENOENT where there is none. */
int history_print(const struct work *w, bool json, struct text *out, struct err *e);

/* One line of it as the table shows it. */
int history_people(const char *line, size_t len, struct text *out, struct err *e);

#endif
