// SPDX-License-Identifier: Apache-2.0
/*
 * The prior's figures. Written by tools/fit-prior.py from measured data; do not
 * edit. docs/prior.md says what they are, where from, and how far off they were
 * for machines that were left out.
 */
#include "model/prior_table.h"

const double prior_curve[PRIOR_CURVE_POINTS] = {0,	0.1458, 0.2703, 0.3742, 0.5066, 0.6424,
						0.7253, 0.7989, 0.8624, 0.9351, 1};

const struct prior_shares prior_shares = {
	.mhz_exponent = 1.387,
	.core = 0.9938,
	.core_half = 0.3618,
	.core_idle = 0.391,
	.dram = 0.0337,
	.dram_half = 1.523,
	.dram_idle_w = 0.1397,
};

/* name, nominal MHz, slope and idle in W per logical CPU, their half widths, CPU models, results */
const struct prior_row prior_rows[] = {
	{"intel-core", 2667, 13.37, 13, 0.8442, 2.357, 23, 78},
	{"intel-nehalem", 2933, 8.377, 2.699, 0.9483, 1.479, 15, 109},
	{"intel-sandy-bridge-ep", 2300, 5.596, 1.149, 0.7397, 2.448, 17, 99},
	{"intel-sandy-bridge", 3100, 7.877, 2.095, 1.546, 1.905, 4, 9},
	{"intel-ivy-bridge-ep", 2200, 3.335, 1.173, 0.7179, 2.036, 1, 2},
	{"intel-ivy-bridge", 3100, 6.2, 2.306, 0.6991, 3.613, 4, 7},
	{"intel-haswell-ep", 2300, 3.197, 0.4135, 0.7179, 2.036, 2, 13},
	{"intel-haswell", 2600, 5.262, 1.461, 0.7179, 2.036, 3, 6},
	{"intel-broadwell-ep", 2200, 2.534, 0.3358, 0.7179, 2.036, 3, 12},
	{"intel-skylake-sp", 2500, 4.185, 0.3898, 0.5814, 2.115, 8, 50},
	{"intel-cascade-lake", 2700, 4.105, 0.6967, 0.6295, 2.547, 11, 44},
	{"intel-cooper-lake", 2900, 2.952, 0.4068, 0.7179, 2.036, 3, 8},
	{"intel-ice-lake-sp", 2300, 2.978, 0.9676, 0.8041, 1.034, 6, 24},
	{"intel-sapphire-rapids", 2300, 2.873, 0.7542, 1.043, 3.116, 9, 32},
	{"intel-skylake-client", 3700, 5.378, 1.024, 0.8454, 1.633, 5, 16},
	{"intel-client", 3200, 3.354, 0.7882, 0.7179, 2.036, 2, 14},
	{"amd-opteron", 2300, 8.483, 4.262, 1.088, 3.639, 28, 57},
	{"amd-zen1", 2200, 1.846, 0.575, 0.7698, 1.564, 4, 10},
	{"amd-zen2", 2250, 1.316, 0.2734, 0.6233, 1.291, 3, 30},
	{"amd-zen3", 2450, 1.551, 0.2812, 0.6233, 1.291, 3, 22},
	{"amd-zen4", 2250, 1.333, 0.2773, 0.6212, 1.406, 6, 52},
	{"amd-zen5", 2250, 1.333, 0.2773, 0.6212, 1.406, 6, 52},
	{"intel", 2500, 3.37, 0.6727, 1.497, 2.076, 41, 180},
	{"amd", 2250, 1.449, 0.3571, 0.9298, 1.961, 10, 61},
	{"generic", 2300, 2.828, 0.5077, 1.825, 2.813, 51, 241},
};

/* The first line that matches a CPU selects its row; family 0 is any. */
const struct prior_match prior_matches[] = {
	{"GenuineIntel", 0x6, 0xf, 0xf, 0x0, 0xff, 0},	   /* intel-core */
	{"GenuineIntel", 0x6, 0x16, 0x17, 0x0, 0xff, 0},   /* intel-core */
	{"GenuineIntel", 0x6, 0x1d, 0x1d, 0x0, 0xff, 0},   /* intel-core */
	{"GenuineIntel", 0x6, 0x1a, 0x1f, 0x0, 0xff, 1},   /* intel-nehalem */
	{"GenuineIntel", 0x6, 0x25, 0x25, 0x0, 0xff, 1},   /* intel-nehalem */
	{"GenuineIntel", 0x6, 0x2c, 0x2c, 0x0, 0xff, 1},   /* intel-nehalem */
	{"GenuineIntel", 0x6, 0x2e, 0x2f, 0x0, 0xff, 1},   /* intel-nehalem */
	{"GenuineIntel", 0x6, 0x2d, 0x2d, 0x0, 0xff, 2},   /* intel-sandy-bridge-ep */
	{"GenuineIntel", 0x6, 0x2a, 0x2a, 0x0, 0xff, 3},   /* intel-sandy-bridge */
	{"GenuineIntel", 0x6, 0x3e, 0x3e, 0x0, 0xff, 4},   /* intel-ivy-bridge-ep */
	{"GenuineIntel", 0x6, 0x3a, 0x3a, 0x0, 0xff, 5},   /* intel-ivy-bridge */
	{"GenuineIntel", 0x6, 0x3f, 0x3f, 0x0, 0xff, 6},   /* intel-haswell-ep */
	{"GenuineIntel", 0x6, 0x3c, 0x3d, 0x0, 0xff, 7},   /* intel-haswell */
	{"GenuineIntel", 0x6, 0x45, 0x47, 0x0, 0xff, 7},   /* intel-haswell */
	{"GenuineIntel", 0x6, 0x4f, 0x4f, 0x0, 0xff, 8},   /* intel-broadwell-ep */
	{"GenuineIntel", 0x6, 0x56, 0x56, 0x0, 0xff, 8},   /* intel-broadwell-ep */
	{"GenuineIntel", 0x6, 0x55, 0x55, 0x0, 0x4, 9},	   /* intel-skylake-sp */
	{"GenuineIntel", 0x6, 0x55, 0x55, 0x5, 0x7, 10},   /* intel-cascade-lake */
	{"GenuineIntel", 0x6, 0x55, 0x55, 0x8, 0xf, 11},   /* intel-cooper-lake */
	{"GenuineIntel", 0x6, 0x6a, 0x6a, 0x0, 0xff, 12},  /* intel-ice-lake-sp */
	{"GenuineIntel", 0x6, 0x6c, 0x6c, 0x0, 0xff, 12},  /* intel-ice-lake-sp */
	{"GenuineIntel", 0x6, 0x8f, 0x8f, 0x0, 0xff, 13},  /* intel-sapphire-rapids */
	{"GenuineIntel", 0x6, 0xad, 0xaf, 0x0, 0xff, 13},  /* intel-sapphire-rapids */
	{"GenuineIntel", 0x6, 0xcf, 0xcf, 0x0, 0xff, 13},  /* intel-sapphire-rapids */
	{"GenuineIntel", 0x6, 0x4e, 0x4e, 0x0, 0xff, 14},  /* intel-skylake-client */
	{"GenuineIntel", 0x6, 0x5e, 0x5e, 0x0, 0xff, 14},  /* intel-skylake-client */
	{"GenuineIntel", 0x6, 0x8e, 0x8e, 0x0, 0xff, 14},  /* intel-skylake-client */
	{"GenuineIntel", 0x6, 0x9e, 0x9e, 0x0, 0xff, 14},  /* intel-skylake-client */
	{"GenuineIntel", 0x6, 0xa5, 0xa6, 0x0, 0xff, 14},  /* intel-skylake-client */
	{"GenuineIntel", 0x6, 0x7d, 0x7e, 0x0, 0xff, 15},  /* intel-client */
	{"GenuineIntel", 0x6, 0x8c, 0x8d, 0x0, 0xff, 15},  /* intel-client */
	{"GenuineIntel", 0x6, 0x97, 0x9a, 0x0, 0xff, 15},  /* intel-client */
	{"GenuineIntel", 0x6, 0xa7, 0xac, 0x0, 0xff, 15},  /* intel-client */
	{"GenuineIntel", 0x6, 0xb5, 0xbf, 0x0, 0xff, 15},  /* intel-client */
	{"GenuineIntel", 0x6, 0xc5, 0xc6, 0x0, 0xff, 15},  /* intel-client */
	{"AuthenticAMD", 0xf, 0x0, 0xff, 0x0, 0xff, 16},   /* amd-opteron */
	{"AuthenticAMD", 0x10, 0x0, 0xff, 0x0, 0xff, 16},  /* amd-opteron */
	{"AuthenticAMD", 0x15, 0x0, 0xff, 0x0, 0xff, 16},  /* amd-opteron */
	{"AuthenticAMD", 0x17, 0x0, 0x2f, 0x0, 0xff, 17},  /* amd-zen1 */
	{"AuthenticAMD", 0x17, 0x30, 0xff, 0x0, 0xff, 18}, /* amd-zen2 */
	{"AuthenticAMD", 0x19, 0x0, 0xf, 0x0, 0xff, 19},   /* amd-zen3 */
	{"AuthenticAMD", 0x19, 0x20, 0x5f, 0x0, 0xff, 19}, /* amd-zen3 */
	{"AuthenticAMD", 0x19, 0x10, 0x1f, 0x0, 0xff, 20}, /* amd-zen4 */
	{"AuthenticAMD", 0x19, 0x60, 0xaf, 0x0, 0xff, 20}, /* amd-zen4 */
	{"AuthenticAMD", 0x1a, 0x0, 0xff, 0x0, 0xff, 21},  /* amd-zen5 */
	{"GenuineIntel", 0x0, 0x0, 0xff, 0x0, 0xff, 22},   /* intel */
	{"AuthenticAMD", 0x0, 0x0, 0xff, 0x0, 0xff, 23},   /* amd */
};

const unsigned prior_n_rows = sizeof(prior_rows) / sizeof(prior_rows[0]);
const unsigned prior_n_matches = sizeof(prior_matches) / sizeof(prior_matches[0]);
