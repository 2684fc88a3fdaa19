/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_INPUTS_H
#define CLI_INPUTS_H

/* What several commands read before they start. */

#include "model/model.h"
#include "model/prior.h"

/* The bundle at `path`, verified by the key file `trust`; *ret is to be freed. NULL path: nothing,
 * and then no key either. */
int input_bundle(const char *path, const char *trust, struct model_set **ret, struct err *e);

/*
 * The prior of the machine whose /proc is below `root` (NULL: the one we run
 * on); the generic one where it does not say. -ENOENT when there is no root.
 */
int input_prior(const char *root, struct prior *ret, struct err *e);

#endif
