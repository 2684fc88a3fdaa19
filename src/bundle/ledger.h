/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_LEDGER_H
#define BUNDLE_LEDGER_H

/*
 * The ledger of a store: what happened to which version, one event a line, in
 * order of time. Everything a store remembers follows from it: the high-water
 * mark, the version before, what is on probation, what was rolled back and
 * why. It is replaced as a whole, so a kill leaves the old one or the new one.
 *
 *   t_ns EVENT NAME VERSION SEQUENCE REASON
 *
 * REASON is a word, "-" where there is none. It lives in the store
 * (.ledger); where that cannot be written (a ConfigMap), in the state
 * directory (bundles.ledger). Reading takes both.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bundle/store.h"

enum ledger_event { LEDGER_ACTIVATED, LEDGER_PROVEN, LEDGER_ROLLED_BACK, LEDGER_REMOVED };

#define LEDGER_LINES_MAX 400 /* the oldest go; the highest sequence of a name never does */

struct ledger_line {
	int64_t t_ns; /* since the epoch; strictly rising */
	enum ledger_event event;
	char name[64], version[32];
	int64_t sequence;
	char reason[STORE_REASON_MAX];
};

struct ledger {
	size_t n;
	struct ledger_line lines[2 * LEDGER_LINES_MAX]; /* by time */
};

const char *ledger_event_name(enum ledger_event e);

/*
 * Both files; lines that make no sense are passed over. ERR_STALE where one is there that others
 * may write or that cannot be read whole: nothing is served on what is half remembered. *ret is
 * freed by free().
 */
int ledger_read(const struct store_place *p, struct ledger **ret, struct err *e);

/* Add one event, now. `reason` may be NULL. */
int ledger_append(const struct store_place *p, enum ledger_event event, const struct model_set *s,
		  const char *reason, struct err *e);

/* Whether a line is of that version of that bundle. */
bool ledger_is(const struct ledger_line *l, const struct model_set *s);

/* What became of a version; *ret_reason (may be NULL) points into `l` or is "". */
enum bundle_state ledger_state(const struct ledger *l, const struct model_set *s,
			       const char **ret_reason);

/* The highest sequence of that name that was ever activated; INT64_MIN: none. */
int64_t ledger_mark(const struct ledger *l, const char *name);

/* The version activated last that was not rolled back and is not `but` (NULL: any); or NULL. */
const struct ledger_line *ledger_last(const struct ledger *l, const struct model_set *but);

#endif
