// SPDX-License-Identifier: Apache-2.0
/* Energy over the last collection interval: see account.h. */
#include "agent/account.h"

#include <math.h>
#include <stdlib.h>

int account_init(struct account *a, double interval_s, double tick_s, struct err *e)
{
	double ticks = ceil(interval_s / tick_s) + 2;

	*a = (struct account){.interval_s = interval_s};
	a->cap = ticks < ACCOUNT_SLOTS_MAX ? (size_t)ticks : ACCOUNT_SLOTS_MAX;
	a->slots = calloc(a->cap, sizeof(*a->slots));
	return a->slots ? 0 : err_nomem(e);
}

void account_release(struct account *a)
{
	free(a->slots);
	a->slots = NULL;
}

void account_reset(struct account *a)
{
	a->first = a->n = 0;
	a->sum = (struct account_slot){0};
}

static void add_to(struct account_slot *to, const struct account_slot *s)
{
	to->dt_s += s->dt_s;
	to->active_j += s->active_j;
	to->idle_j += s->idle_j;
	to->low_j += s->low_j;
	to->high_j += s->high_j;
}

static void drop_first(struct account *a)
{
	a->first = (a->first + 1) % a->cap;
	a->n--;
}

/* Summed afresh rather than by difference: rounding never piles up. */
static void sum_up(struct account *a)
{
	a->sum = (struct account_slot){0};
	for (size_t i = 0; i < a->n; i++)
		add_to(&a->sum, &a->slots[(a->first + i) % a->cap]);
}

void account_add(struct account *a, const struct zone_estimate *z, double dt_s)
{
	struct account_slot tick = {.dt_s = dt_s,
				    .active_j = z->active_w * dt_s,
				    .idle_j = z->idle_w * dt_s,
				    .low_j = z->low_w * dt_s,
				    .high_j = z->high_w * dt_s};
	struct account_slot *last = a->n ? &a->slots[(a->first + a->n - 1) % a->cap] : NULL;

	if (last && last->dt_s + dt_s <= 2 * a->interval_s / ACCOUNT_SLOTS_MAX) {
		add_to(last, &tick);
	} else {
		if (a->n == a->cap)
			drop_first(a);
		a->slots[(a->first + a->n++) % a->cap] = tick;
	}
	sum_up(a);
	/* As many slots as come nearest to the interval. */
	while (a->n > 1 && a->sum.dt_s - a->slots[a->first].dt_s / 2 >= a->interval_s) {
		drop_first(a);
		sum_up(a);
	}
}

bool account_mean(const struct account *a, double *ret_active_w, double *ret_idle_w,
		  double *ret_low_w, double *ret_high_w)
{
	if (!(a->sum.dt_s > 0))
		return false;
	*ret_active_w = a->sum.active_j / a->sum.dt_s;
	*ret_idle_w = a->sum.idle_j / a->sum.dt_s;
	*ret_low_w = a->sum.low_j / a->sum.dt_s;
	*ret_high_w = a->sum.high_j / a->sum.dt_s;
	return true;
}
