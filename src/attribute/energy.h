/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_ENERGY_H
#define ATTRIBUTE_ENERGY_H

/*
 * The energy of one command: over each row its share of the VM's busy CPU time,
 * times the VM's active watts. Idle watts are kept apart, as the VM's own.
 *
 *   joules = sum over rows of  watts x dt x cpu_s / busy_s
 *
 * The interval holds the model's, taken as wrong in the same direction in every
 * row, and what the kernel's ticks leave open: busy time is counted in them, so
 * that u = one tick x sqrt(vCPUs) of it is uncertain, once a command. Beside long
 * work that is nothing; of work shorter than a tick little more than the order of
 * magnitude is known, and the interval says so.
 *
 * Idle watts are inside the VM's interval, which does not say how much of it is
 * theirs: of a command that is charged with them as much is unknown as of the VM.
 */

#include <stdbool.h>

#include "base/zone.h"
#include "model/estimate.h"

struct zone_energy {
	bool valid;		      /* every row had watts of this zone */
	double joules, low_j, high_j; /* active; the 90 % interval */
	double idle_j;		      /* of the whole VM while the command ran */
	double down_j, up_j;	      /* what the VM's energy, idle too, may be less or more */
	double all_low_j, all_high_j; /* the 90 % interval of joules + idle_j */
	double vm_j, vm_high_j;	      /* active, of the whole VM over the rows */
	double peak_w;		      /* active watts in the highest row */
	double confidence;	      /* the lowest of any row */
	enum provenance provenance;   /* the weakest of any row */
};

struct energy {
	double seconds;	      /* from start to end of the command */
	double rows_s;	      /* covered by rows: a little more */
	double cpu_s, busy_s; /* CPU seconds of the command; busy ones of the VM over the rows */
	double vcpus;	      /* the most of any row */
	unsigned rows;
	struct zone_energy zone[ZONE_RAPL_COUNT];
};

struct energy_row {
	const struct estimate *estimate;
	double dt_s;	      /* its length */
	double run_s;	      /* how much of it the command ran */
	double cpu_s, busy_s; /* CPU seconds: of the command, of the VM */
	double vcpus;
};

void energy_init(struct energy *e);
void energy_add(struct energy *e, const struct energy_row *r);

/* The command ran for `seconds`: settle intervals, peaks and idle. */
void energy_close(struct energy *e, double seconds);

/* The command's share of the VM's busy CPU time, 0..1; 0 where nothing was busy. */
double energy_share(const struct energy *e);

/* A share of busy time: in 0..1, and what a command used was busy. */
double busy_share(double cpu_s, double busy_s);

#endif
