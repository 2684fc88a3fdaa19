/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BUNDLE_STORE_FILES_H
#define BUNDLE_STORE_FILES_H

/* What store.c (reading) and install.c (changing) share; only src/bundle includes this. */

#include "bundle/ledger.h"

#define STORE_CURRENT "current"

/* DIRECTORY/NAME into path[PATH_MAX]. */
int store_join(char *path, const char *directory, const char *name, struct err *e);

/* The file that `current` names, or "": a plain name within the store, nothing else. */
void store_read_current(const char *model_path, char name[256]);

/* The entry of the version activated last that is neither rolled back nor `but`; or NULL. */
struct store_entry *store_find_last(struct store_entry *entries, size_t n, const struct ledger *l,
				    const struct model_set *but);

#endif
