/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_SIZES_H
#define TRAIN_SIZES_H

/*
 * Recordings of machines of several sizes, as if all were of one: what grows with the machine
 * (counters, busy vCPUs) and its watts are taken per vCPU, times the median number of vCPUs, so
 * that watts stay watts of a machine one can picture. A model of such rows is sized (model.h).
 */

#include "model/model.h"
#include "train/design.h"

/* Package and core grow with the number of CPUs; memory, disks and fans do not. */
static inline bool sizes_scale(enum zone z)
{
	return z == ZONE_PACKAGE || z == ZONE_CORE;
}

/* Rows of every size have it, and the largest machine is clearly larger than the smallest. */
bool sizes_differ(const struct design *d);

/* The number of vCPUs that all rows have; 0 where they differ or do not say. */
double sizes_same(const struct design *d);

/* `m`, fitted on rows that all have so many vCPUs, as a model of a machine of that size. */
int size_model(const struct design *d, double vcpus, struct model *m, struct err *e);

struct resized {
	struct design d; /* a view: only x is its own */
	double vcpus;	 /* what all machines have in it */
	double *y;	 /* the label by row */
};

int resized_init(const struct design *d, const double *y, struct resized *ret, struct err *e);
void resized_release(struct resized *r);

#endif
