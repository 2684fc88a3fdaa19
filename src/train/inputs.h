/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_INPUTS_H
#define TRAIN_INPUTS_H

/*
 * A model is fitted on the inputs of a design (design.h) and put into a set
 * with inputs of its own: these functions carry it over.
 */

#include "model/model.h"
#include "train/design.h"

/*
 * Give a set whose models are on the design's inputs a table of its own, with
 * only those that some model uses, so that a stream computes no others.
 */
int set_inputs(struct model_set *s, const struct design *d, struct err *e);

/* Put `m`, on the design's inputs, before the zone's other models. The set owns it on success. */
int set_add_model(struct model_set *s, enum zone z, const struct design *d, struct model *m,
		  struct err *e);

#endif
