/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_BLEND_MODEL_H
#define TRAIN_BLEND_MODEL_H

/* From fitted experts to a model with its list of inputs. */

#include "train/experts.h"

/*
 * The inputs that a blend needs, with their ranges on rows[n], into m->used, which is all 0 before
 * and the caller's to release; columns that no expert looks at are dropped from the blend.
 */
int blend_inputs(const struct pool *p, const size_t *rows, size_t n, struct blend *b,
		 struct model *m, struct err *e);

/*
 * A fitted blend, its gate decided, as a model on the design's inputs, without
 * interval and idle_w; rows[n] are those it was fitted on. `m` is all 0 before
 * and owns the blend on success.
 */
int blend_to_model(const struct pool *p, const size_t *rows, size_t n, struct blend *b,
		   struct model *m, struct err *e);

#endif
