/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_STREAM_H
#define FEATURES_STREAM_H

/*
 * A stream: rows go in, in time order; the value of every input comes out.
 * The same code serves the agent's ticks, a CSV file and training.
 *
 * A new series starts (history forgotten) at stream_reset(), and by itself
 * when time goes back or a gap is longer than 3 x the usual step.
 *
 * A row that covers less time (dt_s) than three quarters of the trained
 * window is averaged with the rows of the last `window_s` seconds, weighted
 * by their length, so an agent that samples every second feeds a model
 * trained on 20 s means what it was trained on. A row whose dt_s is NaN is
 * already what the model was trained on and passes as it is.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "features/input.h"

#define USUAL_STEP_MAX 64

/* The median of the steps forward in time between the first n instants; NaN where there is none. */
double usual_step(const double *t_s, size_t n);

struct stream; /* owned by stream_new's caller */

struct stream_options {
	const struct input *inputs; /* copied */
	size_t n_inputs;	    /* at most INPUT_MAX */
	double step_s;		    /* shortest step between rows to expect; > 0 */
	double window_s;	    /* 0: rows are fed as they come */
};

/* All memory a stream needs is allocated here. -ENOMEM, -EINVAL. */
int stream_new(const struct stream_options *o, struct stream **ret, struct err *e);
void stream_free(struct stream *s);

/* Forget the past. */
void stream_reset(struct stream *s);

/*
 * Push a row and write the inputs' values, in the order given to stream_new,
 * to out[n_inputs]; NaN is missing. `out` may be NULL. Returns true when the
 * row started a new series. Allocates nothing.
 */
bool stream_push(struct stream *s, const struct row *r, double *out);

#endif
