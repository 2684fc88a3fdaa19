/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EVALUATE_PLOT_H
#define EVALUATE_PLOT_H

/*
 * Plots by gnuplot, which is run as a child process found on PATH: a script
 * goes in, an <svg> element for the inside of an HTML page comes out. It has
 * no ids, no namespaces and no addresses; its colours are CSS variables of the
 * page (--ink, --grid, --truth, --estimate, --other), so it follows dark and
 * light; its dots are <use href="#gpPt6"/>, which the page defines once.
 *
 * Scripts name colours by the variables ink, grid, truth, estimate, other,
 * which a prelude sets (`plot ... lc rgb truth`).
 */

#include "base/err.h"
#include "base/text.h"

/* -ENOENT, saying what to install, when there is no gnuplot. */
int plot_check(struct err *e);

/* Run the script; append the element to `out`. `label` says for those who do not see it what it is.
 */
int plot_svg(const char *script, const char *label, struct text *out, struct err *e);

/* What plot_svg makes of gnuplot's own output, NUL-terminated. ERR_FORMAT when it is no SVG. */
int plot_clean(const char *svg, const char *label, struct text *out, struct err *e);

#endif
