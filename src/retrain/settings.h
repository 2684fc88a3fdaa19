/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_SETTINGS_H
#define RETRAIN_SETTINGS_H

/*
 * What a round is told, as words: from the command line, or from one YAML file
 * under the key `retrain`, whose keys are the options' names with _ for -.
 * A word of the command line comes first.
 */

#include "retrain/retrain.h"

#define SETTINGS_MAX 20

struct settings {
	const char *recordings, *work, *publish, *name, *sign_key, *trust, *hold_out, *promote;
	const char *family, *budget, *seed, *jobs, *max_size, *scope, *uncore, *group, *window;
	const char *expires;
	size_t n_owned;
	char *owned[SETTINGS_MAX]; /* words of the file */
	bool read[SETTINGS_MAX];   /* by key: the file has it */
};

/* Fill what is still NULL. ERR_CONFIG with FILE:LINE:COLUMN. */
int settings_read(struct settings *s, const char *path, struct err *e);

/*
 * Check every word and fill `ret`, which borrows them; prior, talk and the
 * callbacks stay as they are. ERR_USAGE.
 */
int settings_apply(const struct settings *s, struct retrain_options *ret, struct err *e);
void settings_release(struct settings *s);

#endif
