// SPDX-License-Identifier: Apache-2.0
/* The catalogue of features as a table: see catalogue.h. */
#include "features/catalogue.h"

#include <math.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

static const struct feature_info catalogue[FEATURE_COUNT] = {
#define X(id, column, unit_, source_, tier_, use_, meaning_)                                       \
	{.name = column,                                                                           \
	 .unit = unit_,                                                                            \
	 .source = source_,                                                                        \
	 .meaning = meaning_,                                                                      \
	 .tier = TIER_##tier_,                                                                     \
	 .use = FEATURE_USE_##use_},
	FEATURE_CATALOGUE(X)
#undef X
};

static const char *const feature_names[FEATURE_COUNT] = {
#define X(id, column, ...) column,
	FEATURE_CATALOGUE(X)
#undef X
};

static const char *const tier_names[TIER_COUNT] = {"os", "clock", "pmu", "host"};

const struct feature_info *feature_info(enum feature f)
{
	return &catalogue[f];
}

/* What a unit measures: whether it grows with the machine, and how much of it is a grain. */
static const struct unit {
	const char *name;
	bool extensive;
	double grain;
} units[] = {
	{"ratio", false, 0.02},	     {"percent", false, 2},
	{"MHz", false, 50},	     {"vCPUs", true, 0.02},
	{"1/s", true, 100},	     {"B/s", true, 1e6},
	{"KiB/s", true, 1e6 / 1024}, {"pages/s", true, 1e6 / 4096},
};

static const struct unit *unit_of(enum feature f)
{
	static const struct unit other = {"", false, 0};

	for (size_t i = 0; i < array_size(units); i++) {
		if (!strcmp(catalogue[f].unit, units[i].name))
			return &units[i];
	}
	return &other;
}

bool feature_is_extensive(enum feature f)
{
	return unit_of(f)->extensive;
}

double feature_grain(enum feature f)
{
	return unit_of(f)->grain;
}

int feature_find(const char *name)
{
	feature_foreach (f) {
		if (!strcmp(name, feature_names[f]))
			return (int)f;
	}
	return -1;
}

const char *feature_nearest(const char *word)
{
	return nearest_name(word, feature_names, FEATURE_COUNT);
}

const char *tier_name(enum tier t)
{
	return tier_names[t];
}

void row_clear(struct row *r)
{
	r->t_s = NAN;
	r->dt_s = NAN;
	feature_foreach (f)
		r->v[f] = NAN;
}

/* Ratios taken over unequal clocks may pass 1 a little; a percentage passes it a lot. */
#define SHARE_MAX 1.5

#define VCPUS_MAX 65536.0

/* Shares of CPU time and of wall time; other ratios may well be over 1. */
static bool is_share(enum feature f)
{
	return (f >= FEATURE_CPU_UTILIZATION && f <= FEATURE_CPU_IDLE) ||
	       (f >= FEATURE_PSI_CPU_SOME_RATIO && f <= FEATURE_CPU_BUSY_MAX);
}

const char *feature_refuses(enum feature f, double value)
{
	if (is_share(f) && (value < 0 || value > SHARE_MAX))
		return "is not a share of 0 to 1";
	if (f == FEATURE_VCPUS && value > VCPUS_MAX)
		return "is more than 65536";
	return value < 0 ? "is negative" : NULL;
}

static void complete_ratio(struct row *r, enum feature ratio, enum feature part, enum feature whole)
{
	if (isnan(r->v[ratio]) && r->v[whole] > 0)
		r->v[ratio] = r->v[part] / r->v[whole];
}

void row_complete_ratios(struct row *r)
{
	complete_ratio(r, FEATURE_INSTRUCTIONS_PER_CYCLE, FEATURE_INSTRUCTIONS_RATE,
		       FEATURE_CYCLES_RATE);
	complete_ratio(r, FEATURE_CACHE_MISS_RATIO, FEATURE_CACHE_MISSES_RATE,
		       FEATURE_CACHE_REFERENCES_RATE);
	complete_ratio(r, FEATURE_BRANCH_MISS_RATIO, FEATURE_BRANCH_MISSES_RATE,
		       FEATURE_BRANCHES_RATE);
}

void row_complete(struct row *r)
{
	double *v = r->v;

	if (isnan(v[FEATURE_CPU_BUSY_VCPUS]))
		v[FEATURE_CPU_BUSY_VCPUS] = v[FEATURE_CPU_UTILIZATION] * v[FEATURE_VCPUS];
	complete_ratio(r, FEATURE_CPU_UTILIZATION, FEATURE_CPU_BUSY_VCPUS, FEATURE_VCPUS);
	row_complete_ratios(r);
}

enum tier row_tier(const struct row *r)
{
	if (!isnan(r->v[FEATURE_CYCLES_RATE]))
		return TIER_PMU;
	if (!isnan(r->v[FEATURE_CORE_CLOCK_MHZ]))
		return TIER_CLOCK;
	return TIER_OS;
}
