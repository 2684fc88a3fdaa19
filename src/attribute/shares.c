// SPDX-License-Identifier: Apache-2.0
/* Busy time shared out to processes: see shares.h. */
#include "attribute/shares.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "collect/sample.h"

#define DEPTH 64 /* of a tree of processes */

static bool same(const struct process *a, const struct process *b)
{
	return a && b && a->start_ticks == b->start_ticks;
}

static double seconds(uint64_t before, uint64_t now)
{
	return now > before ? (double)(now - before) / USER_HZ : 0;
}

double process_used_s(const struct process_table *before, const struct process *now,
		      uint64_t since_ticks)
{
	const struct process *old = process_find(before, now->pid);

	if (same(old, now))
		return seconds(old->ticks, now->ticks);
	return now->start_ticks >= since_ticks ? seconds(0, now->ticks) : 0;
}

/* What `now` has reaped since, in seconds. */
static double reaped_s(const struct process_table *before, const struct process *now,
		       uint64_t since_ticks)
{
	const struct process *old = process_find(before, now->pid);

	if (same(old, now))
		return seconds(old->reaped_ticks, now->reaped_ticks);
	return now->start_ticks >= since_ticks ? seconds(0, now->reaped_ticks) : 0;
}

/* The nearest ancestor of `gone` that is still there, or NULL: it got the times of `gone`. */
static const struct process *heir(const struct process_table *before,
				  const struct process_table *now, const struct process *gone)
{
	const struct process *at = process_find(before, gone->parent);

	for (int depth = 0; at && depth < DEPTH; depth++) {
		const struct process *p = process_find(now, at->pid);

		if (same(at, p))
			return p;
		at = process_find(before, at->parent);
	}
	return NULL;
}

/*
 * ended[now->n]: what each reaped, without what was told of it while it lived.
 * Who was adopted and ended within one interval may be told of twice: `room_s`
 * bounds the sum, which is returned.
 */
static double ended_s(const struct process_table *before, const struct process_table *now,
		      uint64_t since_ticks, double room_s, double *ended)
{
	double sum_s = 0, scale;

	for (size_t i = 0; i < now->n; i++)
		ended[i] = reaped_s(before, &now->items[i], since_ticks);
	for (size_t i = 0; i < before->n; i++) {
		const struct process *gone = &before->items[i], *to;

		if (same(process_find(now, gone->pid), gone))
			continue;
		to = heir(before, now, gone);
		if (to)
			ended[to - now->items] -= seconds(0, gone->ticks + gone->reaped_ticks);
	}
	for (size_t i = 0; i < now->n; i++) {
		ended[i] = ended[i] > 0 ? ended[i] : 0;
		sum_s += ended[i];
	}
	if (!(sum_s > 0) || !(room_s > 0))
		room_s = 0;
	scale = sum_s > room_s ? room_s / sum_s : 1;
	for (size_t i = 0; i < now->n; i++)
		ended[i] *= scale;
	return sum_s * scale;
}

int process_shares(const struct process_table *before, const struct process_table *now,
		   uint64_t since_ticks, double busy_s, double *shares, double *ret_rest)
{
	autofree double *ended = calloc(now->n + 1, sizeof(*ended));
	double sum_s = 0, rest = 1;

	if (!ended)
		return -ENOMEM;
	for (size_t i = 0; i < now->n; i++) {
		shares[i] = process_used_s(before, &now->items[i], since_ticks);
		sum_s += shares[i];
	}
	sum_s += ended_s(before, now, since_ticks, busy_s - sum_s, ended);
	if (!(busy_s > sum_s))
		busy_s = sum_s;
	for (size_t i = 0; i < now->n; i++) {
		shares[i] = busy_s > 0 ? (shares[i] + ended[i]) / busy_s : 0;
		rest -= shares[i];
	}
	*ret_rest = rest > 0 ? rest : 0;
	return 0;
}
