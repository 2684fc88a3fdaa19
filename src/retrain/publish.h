/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RETRAIN_PUBLISH_H
#define RETRAIN_PUBLISH_H

/*
 * The folder that agents poll, by whatever serves it: NAME-VERSION.vmw with
 * their signatures, and `latest` (bundle/pointer.h). Files are 0644, written
 * whole and renamed into place; `latest` is the last, so whoever reads it
 * finds what it names. Nothing is ever removed.
 */

#include "bundle/bundle.h"

/*
 * The bundle that `latest` names, verified. 0 with *ret NULL where nothing is
 * published yet. ERR_DATA when it is of another name: one folder, one name.
 */
int publish_serving(const char *folder, const char *name, const struct trust *t,
		    struct model_set **ret, struct err *e);

/* Whether publish_put() will be able to: `folder` can be written, or made. */
int publish_check(const char *folder, struct err *e);

/* Publish the bundle at `path` and its signature. Doing it again changes nothing. */
int publish_put(const char *folder, const char *path, const struct trust *t, struct err *e);

#endif
