/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PRIOR_TABLE_H
#define MODEL_PRIOR_TABLE_H

/* The figures behind prior.c: written by tools/fit-prior.py, explained in docs/prior.md. */

#define PRIOR_CURVE_POINTS 11

/* Share of the slope that is drawn at 0, 10, ... 100 % busy; from 0 to 1, never falling. */
extern const double prior_curve[PRIOR_CURVE_POINTS];

/* Half widths are relative, of a 90 % interval. */
struct prior_row {
	const char *name;
	double mhz;		      /* nominal frequency that the figures are for */
	double slope_w, idle_w;	      /* package, per logical CPU: full load minus idle; idle */
	double slope_half, idle_half; /* what leaving a CPU model and a machine out says */
	unsigned n_models, n_results; /* what the row was fitted from */
};

struct prior_match {
	const char *vendor;
	unsigned family; /* 0: every family */
	unsigned model_first, model_last, stepping_first, stepping_last;
	unsigned row; /* index into prior_rows */
};

/* What holds for every row. */
struct prior_shares {
	double mhz_exponent;	/* slope grows with (nominal MHz / row's MHz) to this power */
	double core, core_half; /* of the package's active watts */
	double core_idle;	/* of the package's idle watts; anything from 0 to twice it */
	double dram, dram_half; /* active watts, as a share of the package's */
	double dram_idle_w;	/* per logical CPU */
};

extern const struct prior_shares prior_shares;
extern const struct prior_row prior_rows[]; /* the last is the generic one */
extern const struct prior_match prior_matches[];
extern const unsigned prior_n_rows, prior_n_matches;

#endif
