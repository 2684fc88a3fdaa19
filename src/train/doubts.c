// SPDX-License-Identifier: Apache-2.0
/* Doubts about recordings: see doubts.h. */
#include "train/doubts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define SENTENCE	   256
#define IDLE_SHARE	   0.3 /* a vm_active label whose smallest is this share of its largest is odd */
#define WATTS_PER_CPU_MAX  150	/* no logical CPU draws more, idle share included */
#define WATTS_MAX	   2000 /* where the number of CPUs is not known: what a big server may */
#define SHARE_OF_ROWS	   0.01
#define DUPLICATE_ROWS_MIN 20
#define LAST_DATE_S	   1e11 /* the year 5138 */

struct teller {
	const struct design *d;
	doubt_fn say;
	void *arg;
};

static double median_vcpus(const struct design *d)
{
	int j = design_find(d, FEATURE_VCPUS, INPUT_NOW, 0);

	return j >= 0 ? design_quantile(d, (size_t)j, 0.5) : NAN;
}

static size_t labelled(const struct design *d, const double *y, double *ret_min, double *ret_max)
{
	size_t n = 0;

	*ret_min = INFINITY;
	*ret_max = -INFINITY;
	for (size_t i = 0; y && i < d->n; i++) {
		if (!isfinite(y[i]))
			continue;
		*ret_min = fmin(*ret_min, y[i]);
		*ret_max = fmax(*ret_max, y[i]);
		n++;
	}
	return n;
}

/* Labels in another unit, without variation, below zero, or with idle power in them. */
static void doubt_label(const struct teller *t, enum zone z, bool vm_active)
{
	double low, high, cpus = median_vcpus(t->d);
	double most = isfinite(cpus) ? fmax(WATTS_PER_CPU_MAX * cpus, 300) : WATTS_MAX;
	size_t n = labelled(t->d, t->d->table->y_w[z], &low, &high);
	const char *name = zone_name(z);
	char s[SENTENCE];

	if (!n)
		return;
	if (high > most && z != ZONE_PLATFORM) {
		snprintf(s, sizeof(s),
			 "%s_watts goes up to %.4g W: more than such a machine draws (milliwatts?)",
			 name, high);
		t->say(t->arg, s);
	}
	if (low < 0) {
		snprintf(s, sizeof(s), "%s_watts goes below zero (%.4g W): power never is", name,
			 low);
		t->say(t->arg, s);
	}
	if (high == low) {
		snprintf(s, sizeof(s),
			 "%s_watts is %.4g W in every row: nothing can be learned from it", name,
			 high);
		t->say(t->arg, s);
	}
	if (vm_active && z == ZONE_PACKAGE && high > low && low > IDLE_SHARE * high) {
		snprintf(s, sizeof(s),
			 "package never falls below %.3g of %.3g W: if that is the idle power of a "
			 "whole machine, say --scope node_total",
			 low, high);
		t->say(t->arg, s);
	}
}

/* Times in another unit: lags and windows would be a thousand times too long. */
static void doubt_times(const struct teller *t)
{
	double last_s = -INFINITY;
	char s[SENTENCE];

	for (size_t i = 0; i < t->d->n; i++)
		last_s = fmax(last_s, t->d->table->t_s[i]);
	if (!t->d->ordered || last_s < LAST_DATE_S)
		return;
	snprintf(s, sizeof(s),
		 "time_s goes up to %.4g, and rows are %.4g s apart: is it in seconds "
		 "(milliseconds?)",
		 last_s, t->d->interval_s);
	t->say(t->arg, s);
}

/* A part above the whole. */
static void doubt_parts(const struct teller *t)
{
	const double *package = t->d->table->y_w[ZONE_PACKAGE], *core = t->d->table->y_w[ZONE_CORE];
	size_t n = 0, above = 0;
	char s[SENTENCE];

	for (size_t i = 0; package && core && i < t->d->n; i++) {
		if (!isfinite(package[i]) || !isfinite(core[i]))
			continue;
		n++;
		above += core[i] > 1.02 * package[i] + 0.1;
	}
	if (!n || (double)above < SHARE_OF_ROWS * (double)n)
		return;
	snprintf(s, sizeof(s),
		 "core_watts is above package_watts in %zu of %zu rows: are the columns swapped?",
		 above, n);
	t->say(t->arg, s);
}

/* Columns that cannot be what their name says, and columns that never move. */
static void doubt_features(const struct teller *t)
{
	char constant[SENTENCE] = "", s[2 * SENTENCE];
	const struct design *d = t->d;

	for (size_t j = 0; j < d->p; j++) {
		const struct feature_info *f = feature_info(d->inputs[j].feature);
		double low = design_quantile(d, j, 0), high = design_quantile(d, j, 1);
		size_t used = strlen(constant);

		if (d->inputs[j].op != INPUT_NOW)
			continue;
		if (low < 0 || (!strcmp(f->unit, "ratio") && f->tier == TIER_OS && high > 1.1)) {
			snprintf(s, sizeof(s),
				 "%s goes from %.4g to %.4g: that is no %s (swapped columns, or "
				 "percent?)",
				 f->name, low, high, f->unit);
			t->say(t->arg, s);
		}
		if (low == high && d->inputs[j].feature != FEATURE_VCPUS &&
		    used + strlen(f->name) + 3 < sizeof(constant))
			snprintf(constant + used, sizeof(constant) - used, "%s%s", used ? ", " : "",
				 f->name);
	}
	if (constant[0]) {
		snprintf(s, sizeof(s), "never move, and are left out: %s", constant);
		t->say(t->arg, s);
	}
}

/* ---- the same row in two groups: cross-validation would see what it is asked ---- */

struct hashed {
	uint64_t hash;
	uint32_t group;
};

static int by_hash(const void *a, const void *b)
{
	const struct hashed *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return (x->group > y->group) - (x->group < y->group);
}

/* FNV-1a over the bytes of what the row's labels and features are. */
static uint64_t hash_row(const struct design *d, size_t i)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t j = 0; j < d->p + ZONE_COUNT; j++) {
		const double *y = j < d->p ? NULL : d->table->y_w[j - d->p];
		double v = j < d->p ? d->x[i * d->p + j] : y ? y[i] : 0;
		unsigned char bytes[sizeof(v)];

		if (j < d->p && d->inputs[j].op != INPUT_NOW)
			continue;
		memcpy(bytes, &v, sizeof(v));
		for (size_t k = 0; k < sizeof(v); k++)
			h = (h ^ bytes[k]) * 0x100000001b3u;
	}
	return h;
}

static void doubt_duplicates(const struct teller *t)
{
	const struct design *d = t->d;
	autofree struct hashed *rows = calloc(d->n + 1, sizeof(*rows));
	size_t twice = 0;
	char s[SENTENCE];

	for (size_t i = 0; rows && i < d->n; i++)
		rows[i] = (struct hashed){hash_row(d, i), d->table->group[i]};
	if (rows)
		qsort(rows, d->n, sizeof(*rows), by_hash);
	for (size_t i = 1; rows && i < d->n; i++)
		twice += rows[i].hash == rows[i - 1].hash && rows[i].group != rows[i - 1].group;
	if (twice < DUPLICATE_ROWS_MIN || (double)twice < SHARE_OF_ROWS * (double)d->n)
		return;
	snprintf(s, sizeof(s),
		 "%zu of %zu rows stand in more than one run or group, the same to the last digit: "
		 "left-out rows are not unseen, so the figures flatter",
		 twice, d->n);
	t->say(t->arg, s);
}

void tell_doubts(const struct design *d, bool vm_active, doubt_fn say, void *arg)
{
	struct teller t = {d, say, arg};
	char s[SENTENCE];

	zone_foreach (z)
		doubt_label(&t, z, vm_active);
	doubt_times(&t);
	doubt_parts(&t);
	doubt_features(&t);
	doubt_duplicates(&t);
	if (d->table->n_groups == 1) {
		snprintf(s, sizeof(s),
			 "one run or group only: nothing shows how another would be estimated");
		say(arg, s);
	}
}
