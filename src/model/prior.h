/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MODEL_PRIOR_H
#define MODEL_PRIOR_H

/*
 * The prior: watts for a machine nobody trained on, from a compiled-in table
 * by CPU family. Two parts per logical CPU: slope (power at full load minus
 * idle) and idle. Fitted by tools/fit-prior.py from measured data; the spread
 * of its sources is the interval.
 */

#include "collect/identity.h"
#include "features/catalogue.h"
#include "model/estimate.h"

struct prior_row; /* one line of the compiled-in table */

struct prior {
	const struct prior_row *row; /* never NULL after prior_init */
	double frequency_factor;     /* slope of this machine against the row's, by nominal MHz */
};

/* Choose the row for this machine: by vendor, family and model, else the generic one. */
void prior_init(struct prior *p, const struct identity *id);

/* The name of the chosen row ("intel-skylake-sp", "generic"), for logs and the card. */
const char *prior_name(const struct prior *p);

/*
 * Fill every RAPL zone of `e` that is not valid yet, from `r` (needs
 * cpu_utilization or cpu_busy_vcpus, and vcpus). Where package is already
 * valid, the other zones are the prior's share of it, and uncore is what is
 * left of it beyond core: derived, not the prior's, where the package is not
 * (then without vcpus too, with less confidence and no idle power).
 * Their intervals hold the package's and the spread of the shares, and stay
 * inside [0, package]. `with_idle` adds the
 * vCPUs' share of host idle power to idle_w. `why` is stored as the fallback
 * where none is set. Zones it cannot answer stay invalid. Allocates nothing.
 */
void prior_fill(const struct prior *p, const struct row *r, bool with_idle, enum fallback why,
		struct estimate *e);

#endif
