/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_FEW_GROUPS_H
#define TRAIN_FEW_GROUPS_H

/*
 * How far the next group may lie, where few groups are known.
 *
 * What holds 90 % of the rows of all groups known does not hold 90 % of the next one's: groups
 * differ, and few of them do not show by how much. The most that was ever missed holds too much: it
 * grows with the rows and says little about groups. So the logarithms of the groups' own 90 %
 * quantiles count as normal with mean and variance unknown; before any is seen their standard
 * deviation is SPREAD, with the weight of SPREAD_WEIGHT groups. (On the
 * sets of docs/accuracy.md runs of one workload differ by 0.1 to 0.25, workloads and machines by
 * 0.4 to 1.1; no command prints that.) The next group's
 * is then distributed as Student's t (Gelman et al., Bayesian Data Analysis, 3rd ed., 3.3), and is
 * taken at 80 % of it.
 */

#include "train/folds.h"

/*
 * By how much a width must grow to hold 90 % of the next group, from misses relative to it, and
 * the group of each: at least 1, and 1 from GROUPS_FEW groups on. 0 rows: 1.
 */
int next_group(const double *ratios, const uint32_t *group, size_t n, double *ret, struct err *e);

#endif
