/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_FIGURE_H
#define EVALUATE_FIGURE_H

/*
 * A figure in the making: a script for gnuplot with its data inside, and a
 * caption in HTML. figure_draw turns it into a <figure> and releases it.
 */

#include "base/err.h"
#include "base/text.h"
#include "evaluate/html.h"

struct figure {
	const char *title;   /* plain text; also the plot's label */
	struct text script;  /* owned; see plot.h for its variables */
	struct text caption; /* owned; HTML */
};

/* A line of the data block: n doubles. */
void figure_numbers(struct figure *f, int n, ...);

/* A round step that cuts `range` into at most 5. */
double figure_step(double range);

int figure_draw(struct figure *f, struct text *out, struct err *e);

#endif
