/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_LEDGER_H
#define RETRAIN_LEDGER_H

/* What is remembered of recordings: the file `recordings` of the work folder, see intake.h. */

#include "retrain/work.h"

enum fate { FATE_IMPORTING, FATE_IMPORTED, FATE_REFUSED, FATE_COUNT };

struct ledger_entry {
	int64_t round;
	enum fate fate;
	char stamp[100]; /* sizes and times of its files */
	size_t rows;	 /* of it in the dataset, also where it was refused later */
	char name[256];
	char reason[400]; /* "" or why it, or a part of it, was refused; no tab, no newline */
};

struct ledger {
	size_t n;
	struct ledger_entry *entries; /* owned */
};

int ledger_load(const struct work *w, struct ledger *ret, struct err *e);
int ledger_save(const struct work *w, const struct ledger *l, struct err *e);
void ledger_release(struct ledger *l);

/* The entry of that name, or NULL. */
struct ledger_entry *ledger_find(const struct ledger *l, const char *name);

/* A new one at the end; NULL when there is no memory. Moves the others. */
struct ledger_entry *ledger_add(struct ledger *l);

#endif
