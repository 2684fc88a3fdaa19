/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

/* The table of keys: see schema.c. */

#include <stddef.h>

#include "config/config.h"

enum key_type {
	KEY_SECTION,  /* a mapping: holds the keys whose path starts with its own */
	KEY_BOOL,     /* bool */
	KEY_STRING,   /* char[size], not empty */
	KEY_DURATION, /* int64_t, ns, min..max */
	KEY_INTEGER,  /* int64_t, min..max */
	KEY_NUMBER,   /* double, min..max */
	KEY_CHOICE,   /* int, index into choices */
	KEY_CPUS,     /* list of CPU numbers, cpu_pinning.isolated_cpus */
	KEY_FEATURES, /* list of features, metrics_whitelist */
};

struct key {
	const char *path;  /* below vm_energy_modeling, dots between levels */
	const char *alias; /* the last word in the proposal's Go spelling; NULL: none */
	enum key_type type;
	size_t offset, size; /* in struct config */
	double min, max;
	const char *choices[5]; /* NULL-terminated */
	const char *allowed;	/* what a message says is allowed */
};

extern const struct key config_keys[];
extern const size_t n_config_keys;

/* Store one scalar. ERR_CONFIG with "found X, allowed: Y" (no position). */
int key_store(const struct key *k, const char *value, struct config *c, struct err *e);

/* Store item `value` of a list key; the first item of a list comes with `first`. */
int key_store_item(const struct key *k, const char *value, bool first, struct config *c,
		   struct err *e);

#endif
