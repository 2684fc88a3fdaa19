// SPDX-License-Identifier: Apache-2.0
/* Paired errors of two model sets, by blocks: see compare.h. */
#include "retrain/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/metrics.h"

#define GROUPS_MIN 4 /* fewer: stretches of time are the blocks */
#define STRETCHES  8 /* over the whole window */
#define BLOCKS_MIN 4

struct block {
	double n, sum_w; /* rows, sum of gains */
};

const char *verdict_name(enum verdict v)
{
	static const char *const names[] = {"unknown", "same", "better", "worse"};

	return names[v];
}

/* The block of every row; how many there are at most. */
static size_t number_blocks(const struct table *t, uint32_t *block)
{
	size_t length = (t->n_rows + STRETCHES - 1) / STRETCHES, n = 0;

	if (t->n_groups >= GROUPS_MIN) {
		memcpy(block, t->group, t->n_rows * sizeof(*block));
		return t->n_groups;
	}
	for (size_t k = 0; k < t->n_runs; k++) {
		const struct table_run *run = &t->runs[k];
		size_t parts = (run->n + length / 2) / length;

		parts = parts ? parts : 1;
		for (size_t i = 0; i < run->n; i++)
			block[run->first + i] = (uint32_t)(n + i * parts / run->n);
		n += parts;
	}
	return n;
}

/* 97.5 % of Student's t: Cornish and Fisher's expansion, within 1 % from 3 degrees on. */
static double student_975(double df)
{
	return 1.959964 + 2.372 / df + 2.822 / (df * df) + 2.556 / (df * df * df);
}

static void judge(const struct block *blocks, size_t n, struct zone_comparison *c)
{
	double rows = 0, sum = 0, squares = 0, used = 0, limit;

	for (size_t b = 0; b < n; b++) {
		rows += blocks[b].n;
		sum += blocks[b].sum_w;
		used += blocks[b].n > 0;
	}
	c->rows = (size_t)rows;
	c->blocks = (size_t)used;
	c->gain_w = rows > 0 ? sum / rows : NAN;
	c->se_w = NAN;
	if (used < BLOCKS_MIN)
		return;
	for (size_t b = 0; b < n; b++) {
		double off = blocks[b].sum_w - blocks[b].n * c->gain_w;

		squares += off * off;
	}
	c->se_w = sqrt(used / (used - 1) * squares) / rows;
	limit = student_975(used - 1) * c->se_w;
	c->verdict = c->gain_w > limit	  ? VERDICT_BETTER
		     : c->gain_w < -limit ? VERDICT_WORSE
					  : VERDICT_SAME;
}

static void figures(const struct table *t, const struct answers *a, enum zone z, size_t who,
		    struct zone_comparison *c)
{
	struct metrics_input in = {t->n_rows, t->y_w[z], a->watts[z], a->low[z], a->high[z]};
	struct metrics m;

	metrics_compute(&in, &m);
	c->mae_w[who] = m.mae_w;
	c->wmape[who] = m.wmape;
	c->coverage_90[who] = m.coverage;
}

int compare_zone(const struct table *held, const struct answers *candidate,
		 const struct answers *serving, enum zone z, struct zone_comparison *ret,
		 struct err *e)
{
	autofree uint32_t *block = calloc(held->n_rows + 1, sizeof(*block));
	autofree struct block *blocks = calloc(held->n_rows + 1, sizeof(*blocks));
	struct zone_comparison c = {.verdict = VERDICT_UNKNOWN};
	const double *y = held->y_w[z];
	size_t n;

	if (!block || !blocks)
		return err_nomem(e);
	n = number_blocks(held, block);
	for (size_t i = 0; y && i < held->n_rows; i++) {
		double d = fabs(serving->watts[z][i] - y[i]) - fabs(candidate->watts[z][i] - y[i]);

		if (isnan(d))
			continue;
		blocks[block[i]].n++;
		blocks[block[i]].sum_w += d;
	}
	judge(blocks, n, &c);
	if (c.rows) {
		figures(held, candidate, z, 0, &c);
		figures(held, serving, z, 1, &c);
	}
	*ret = c;
	return 0;
}

static const char *const rule_names[PROMOTE_COUNT] = {"better", "not-worse", "always"};

const char *promote_name(enum promote_rule r)
{
	return rule_names[r];
}

int promote_find(const char *name)
{
	for (int k = 0; k < PROMOTE_COUNT; k++) {
		if (!strcmp(name, rule_names[k]))
			return k;
	}
	return -1;
}

/* "package, core" of the zones with that verdict; how many. */
static size_t list_zones(const struct zone_comparison zones[ZONE_COUNT], enum verdict v,
			 struct text *t)
{
	size_t n = 0;

	zone_foreach (z) {
		if (!zones[z].rows || zones[z].verdict != v)
			continue;
		text_printf(t, "%s%s", n ? ", " : "", zone_name(z));
		n++;
	}
	return n;
}

bool promote_decide(enum promote_rule rule, const struct zone_comparison zones[ZONE_COUNT],
		    struct text *reason)
{
	autotext struct text better = {0}, worse = {0}, same = {0};
	size_t n_better = list_zones(zones, VERDICT_BETTER, &better);
	size_t n_worse = list_zones(zones, VERDICT_WORSE, &worse);
	size_t n_same = list_zones(zones, VERDICT_SAME, &same);

	if (rule == PROMOTE_ALWAYS) {
		text_add(reason, "promoted whatever it is worth, as configured");
		return true;
	}
	if (n_worse) {
		text_printf(reason, "worse beyond noise on %s", worse.s);
		return false;
	}
	if (n_better) {
		text_printf(reason, "better beyond noise on %s%s%s", better.s,
			    n_same ? ", within noise on " : ", worse on none",
			    n_same ? same.s : "");
		return true;
	}
	if (!n_same) {
		text_add(reason, "the held-out window is too small to judge any zone");
		return false;
	}
	text_printf(reason, "within noise on %s", same.s);
	return rule == PROMOTE_NOT_WORSE;
}
