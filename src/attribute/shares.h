/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ATTRIBUTE_SHARES_H
#define ATTRIBUTE_SHARES_H

/*
 * Whose the VM's active watts are: each process has the share of them that it
 * had of the busy CPU time, with what its children that ended used until then.
 * What the processes do not explain (interrupts, children that nobody waited for,
 * processes hidden from us) is told apart, so that
 *
 *   sum of shares + unattributed = 1
 *
 * holds by construction. Idle watts are nobody's.
 */

#include "attribute/processes.h"

/*
 * What process `now` used since `before` was read. One that is not in `before`
 * counts whole where it started since (`since_ticks` of CLOCK_BOOTTIME, in
 * USER_HZ), and not at all where it is older: it was hidden. Seconds.
 */
double process_used_s(const struct process_table *before, const struct process *now,
		      uint64_t since_ticks);

/*
 * shares[now->n] of the busy time, and in *ret_rest what is left unattributed. Where
 * the processes used more than was busy (ticks are coarse) theirs is what was busy.
 * -ENOMEM.
 */
int process_shares(const struct process_table *before, const struct process_table *now,
		   uint64_t since_ticks, double busy_s, double *shares, double *ret_rest);

#endif
