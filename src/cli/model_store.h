/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_MODEL_STORE_H
#define CLI_MODEL_STORE_H

/* The verbs of `vmwatts model` that are about the store, and what all its verbs share. */

#include "bundle/store.h"
#include "cli/cli.h"

#define MODEL_PATH   "/var/lib/kepler/vm-models/"
#define TRUSTED_KEYS "/etc/kepler/vm-model-keys/"

/* Options shared by the verbs that verify something. */
struct trust_arguments {
	const char *trust, *trusted_keys, *model_path, *state_dir;
	long long threshold, keep;
	bool json, allow_older, history;
};

/* The keys that the options name, and how many must have signed; trust_free. */
int model_trust(const struct trust_arguments *a, struct trust **ret, struct err *e);

/* ERR_USAGE unless exactly one bundle is named. */
int model_one_word(const struct string_list *rest, const char *what, struct err *e);

/* "2026-01-31 12:00:00 UTC", or "never" for 0. */
void model_date(int64_t t_s, char *buf, size_t size);

/* Print the card of `s`, signed by `key`: data, dates, features by tier, accuracy, limits. */
void model_card(const struct model_set *s, const char *key);

int model_install(const struct trust_arguments *a, const struct string_list *rest, struct err *e);
int model_list(const struct trust_arguments *a, const struct string_list *rest, struct err *e);
int model_activate(const struct trust_arguments *a, const struct string_list *rest, struct err *e);
int model_rollback(const struct trust_arguments *a, const struct string_list *rest, struct err *e);
int model_gc(const struct trust_arguments *a, const struct string_list *rest, struct err *e);

#endif
