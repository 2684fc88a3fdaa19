/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_REACH_H
#define TRAIN_REACH_H

/*
 * How far physics goes on rising beyond the largest load it was fitted on (struct physics_reach).
 * Squares that fit up to there are too steep beyond it where power levels off: CPUs share cores,
 * clocks fall, power is capped. Held back they are too flat where it does not. So the top of the
 * load is left out, two fifths of the rows and one fifth, and what comes nearest there is taken,
 * from the farthest reach to the shortest, each only where it is clearly nearer than those before.
 */

#include "train/physics.h"
#include "train/score.h"

/* rows[n]: all labelled rows. `o`: how experts are fitted; its reach and types do not matter. */
int reach_choose(const struct pool *p, const size_t *rows, size_t n, const struct score_options *o,
		 struct physics_reach *ret, struct err *e);

#endif
