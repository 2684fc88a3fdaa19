/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_PROFILE_H
#define TRAIN_PROFILE_H

/* How each feature that is an input was spread over the rows of training, into the set: for drift.
 */

#include "model/model.h"
#include "train/design.h"

/* After set_inputs(). -ENOMEM. */
int set_profiles(struct model_set *s, const struct table *t, struct err *e);

#endif
