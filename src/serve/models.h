/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVE_MODELS_H
#define SERVE_MODELS_H

/*
 * The models that are served: the bundle that a store serves now, or the
 * prior where it has none. A reload exchanges them under the calls in flight,
 * which keep what they hold until they give it back. Safe for any number of
 * threads but for opening and closing.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "base/err.h"
#include "model/model.h"
#include "model/prior.h"

struct served {
	struct model_set *set; /* NULL: the prior answers */
	double loaded_s;       /* since the epoch */
	double widen;	       /* of one that has expired */
	bool reads_history;    /* rows of the past count: in a model, or in the window they are
				  averaged over */
	atomic_uint refs;
};

struct models;

struct models_options {
	const char *trusted_keys;	/* a directory, or one K.pub */
	const char *const *directories; /* stores that may be served; the first is, as at first */
	size_t n_directories;
	bool named; /* they were asked for: each must be there */
	int64_t minimum_sequence;
	unsigned signature_threshold; /* different trusted keys that must have signed; 0: 1 */
};

/*
 * ERR_SIGNATURE or others when the first store holds a bundle that is refused;
 * one without any serves the prior.
 */
int models_open(const struct models_options *o, struct models **ret, struct err *e);
void models_close(struct models *m); /* NULL is fine */

/* What is served now; give it back with served_release. */
struct served *models_take(struct models *m);
void served_release(struct served *s);

/* Read the store anew; on failure what was served is. *ret_changed may be NULL. */
int models_reload(struct models *m, bool *ret_changed, struct err *e);

/* Serve another of the allowed directories: -EPERM for what is none of them. */
int models_load(struct models *m, const char *directory, struct err *e);

/* The directory that is served from, for a watch; copied into path[PATH_MAX]. */
void models_directory(struct models *m, char *path);

/* What answers where no model does, whatever the machine. */
const struct prior *models_prior(const struct models *m);

#endif
