// SPDX-License-Identifier: Apache-2.0
/* The energy of one command: see energy.h. */
#include "attribute/energy.h"

#include <math.h>

#include "collect/sample.h"

#define PEAK_S 0.05 /* a command's watts over less than this say little */

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

void energy_init(struct energy *e)
{
	*e = (struct energy){.seconds = 0};
	each_zone(z)
	{
		e->zone[z].valid = true;
		e->zone[z].confidence = 1;
		e->zone[z].provenance = PROVENANCE_HOST;
	}
}

double busy_share(double cpu_s, double busy_s)
{
	if (!(cpu_s > 0))
		return 0;
	return cpu_s < busy_s ? cpu_s / busy_s : 1;
}

static void add_zone(struct zone_energy *to, const struct zone_estimate *z,
		     const struct energy_row *r)
{
	double share_s = busy_share(r->cpu_s, r->busy_s) * r->dt_s;
	double high_w;

	if (!z->valid) {
		to->valid = false;
		return;
	}
	high_w = fmax(z->high_w - z->idle_w, z->active_w);
	to->joules += z->active_w * share_s;
	to->low_j += fmax(fmin(z->low_w - z->idle_w, z->active_w), 0) * share_s;
	to->high_j += high_w * share_s;
	to->idle_j += z->idle_w * r->dt_s;
	to->down_j += (zone_watts(z) - z->low_w) * r->dt_s;
	to->up_j += (z->high_w - zone_watts(z)) * r->dt_s;
	to->vm_j += z->active_w * r->dt_s;
	to->vm_high_j += high_w * r->dt_s;
	if (r->run_s >= PEAK_S)
		to->peak_w = fmax(to->peak_w, z->active_w * share_s / r->run_s);
	to->confidence = fmin(to->confidence, z->confidence);
	if (z->provenance > to->provenance)
		to->provenance = z->provenance;
}

void energy_add(struct energy *e, const struct energy_row *r)
{
	e->rows++;
	e->rows_s += r->dt_s;
	e->cpu_s += r->cpu_s;
	e->busy_s += fmax(r->busy_s, r->cpu_s);
	e->vcpus = fmax(e->vcpus, r->vcpus);
	each_zone(z) add_zone(&e->zone[z], &r->estimate->zone[z], r);
}

static void close_zone(const struct energy *e, struct zone_energy *z)
{
	double unsure_s = sqrt(fmax(e->vcpus, 1)) / USER_HZ;

	z->valid = z->valid && e->rows > 0;
	z->low_j *= e->cpu_s / (e->cpu_s + unsure_s);
	/* As much again as the VM spent at most on busy time of that length. */
	z->high_j += z->vm_high_j * unsure_s / fmax(e->busy_s, unsure_s);
	if (e->rows_s > e->seconds) {
		z->idle_j *= e->seconds / e->rows_s;
		z->down_j *= e->seconds / e->rows_s;
		z->up_j *= e->seconds / e->rows_s;
	}
	z->all_low_j = fmax(fmin(z->low_j, z->joules - z->down_j) + z->idle_j, 0);
	z->all_high_j = fmax(z->high_j, z->joules + z->up_j) + z->idle_j;
	if (e->seconds > 0)
		z->peak_w = fmax(z->peak_w, z->joules / e->seconds);
}

void energy_close(struct energy *e, double seconds)
{
	e->seconds = seconds;
	each_zone(z) close_zone(e, &e->zone[z]);
}

double energy_share(const struct energy *e)
{
	return busy_share(e->cpu_s, e->busy_s);
}
