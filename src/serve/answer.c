// SPDX-License-Identifier: Apache-2.0
/* See answer.h. */
#include "serve/answer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

static unsigned hash_of(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return (h ^ h >> 16) & 255;
}

void feature_index_init(struct feature_index *x)
{
	_Static_assert(FEATURE_COUNT < 200, "the index must keep empty slots");
	memset(x->slots, -1, sizeof(x->slots));
	feature_foreach (f) {
		unsigned at = hash_of(feature_info(f)->name);

		while (x->slots[at] >= 0)
			at = (at + 1) & 255;
		x->slots[at] = (int16_t)f;
	}
}

int feature_index_find(const struct feature_index *x, const char *name)
{
	for (unsigned at = hash_of(name); x->slots[at] >= 0; at = (at + 1) & 255) {
		if (!strcmp(feature_info((enum feature)x->slots[at])->name, name))
			return x->slots[at];
	}
	return -1;
}

static int read_features(const struct feature_index *x, const EstimationRequest *q,
			 struct question *ret, struct err *e)
{
	for (size_t i = 0; i < q->n_features; i++) {
		const EstimationRequest__FeaturesEntry *f = q->features[i];
		int id = f->key ? feature_index_find(x, f->key) : -1;
		const char *why;

		if (id < 0)
			continue; /* a client of another version may know more */
		if (!isfinite(f->value))
			return err_set(e, -ERR_DATA,
				       "feature %s is no finite number; leave out what is missing",
				       f->key);
		why = feature_refuses((enum feature)id, f->value);
		if (why)
			return err_set(e, -ERR_DATA, "feature %s: %g %s", f->key, f->value, why);
		ret->known += isnan(ret->row.v[id]) != 0;
		ret->row.v[id] = f->value;
	}
	return 0;
}

int question_read(const struct feature_index *x, const EstimationRequest *q, struct question *ret,
		  struct err *e)
{
	int r;

	row_clear(&ret->row);
	ret->known = 0;
	ret->cpu_model = q->cpu_model ? q->cpu_model : "";
	r = read_features(x, q, ret, e);
	if (r < 0)
		return r;
	if (!ret->known)
		return err_set(e, -ERR_DATA,
			       "no feature of the catalogue among the %zu that were sent; "
			       "cpu_utilization is the least",
			       q->n_features);
	if (!isfinite(q->time_s) || !(q->interval_s >= 0 && q->interval_s <= 86400))
		return err_set(e, -ERR_DATA, "interval_s takes 0 to 86400, time_s a finite number");
	if (q->vcpus < 0 || q->vcpus > 65536)
		return err_set(e, -ERR_DATA, "vcpus takes 0 to 65536");
	if (q->vcpus)
		ret->row.v[FEATURE_VCPUS] = q->vcpus;
	ret->row.t_s = q->time_s;
	ret->row.dt_s = ret->step_s = q->interval_s > 0 ? q->interval_s : NAN;
	row_complete(&ret->row);
	return 0;
}

void question_identity(const struct question *q, struct identity *ret)
{
	static const char *const vendors[][2] = {{"Intel", "GenuineIntel"},
						 {"AMD", "AuthenticAMD"}};

	memset(ret, 0, offsetof(struct identity, cpus));
	ret->nominal_mhz = NAN;
	snprintf(ret->model_name, sizeof(ret->model_name), "%s", q->cpu_model);
	for (size_t i = 0; i < array_size(vendors); i++) {
		if (strstr(ret->model_name, vendors[i][0]))
			snprintf(ret->vendor, sizeof(ret->vendor), "%s", vendors[i][1]);
	}
}

static void write_zone(const struct zone_estimate *from, enum zone z, size_t i, struct answer *ret)
{
	ZoneEstimate *to = &ret->estimates[i];

	*to = (ZoneEstimate)ZONE_ESTIMATE__INIT;
	to->watts = zone_watts(from);
	to->watts_low = from->low_w;
	to->watts_high = from->high_w;
	to->confidence = from->confidence;
	to->provenance = (char *)provenance_name(from->provenance);
	to->definition = (char *)(from->definition ? from->definition : "");
	ret->watts[i] =
		(EstimationResponse__ZoneWattsEntry)ESTIMATION_RESPONSE__ZONE_WATTS_ENTRY__INIT;
	ret->watts[i].key = (char *)zone_name(z);
	ret->watts[i].value = to->watts;
	ret->watts_at[i] = &ret->watts[i];
	ret->zones[i] = (EstimationResponse__ZonesEntry)ESTIMATION_RESPONSE__ZONES_ENTRY__INIT;
	ret->zones[i].key = (char *)zone_name(z);
	ret->zones[i].value = to;
	ret->zones_at[i] = &ret->zones[i];
}

void answer_write(const struct estimate *from, const struct model_set *set,
		  const char *prior_version, struct answer *ret)
{
	double confidence = NAN, distance = 0;
	size_t n = 0;

	zone_foreach (z) {
		const struct zone_estimate *zone = &from->zone[z];

		if (!zone->valid)
			continue;
		write_zone(zone, z, n++, ret);
		confidence = fmin(confidence, zone->confidence); /* fmin(NaN, x) is x */
		distance = fmax(distance, zone->distance);
	}
	ret->message = (EstimationResponse)ESTIMATION_RESPONSE__INIT;
	ret->message.n_zone_watts = ret->message.n_zones = n;
	ret->message.zone_watts = ret->watts_at;
	ret->message.zones = ret->zones_at;
	ret->message.confidence = n ? confidence : 0;
	ret->message.distance = distance;
	ret->message.model_version = (char *)(set ? set->version : prior_version);
	ret->message.model_name = (char *)(set ? set->name : "prior");
	ret->message.scope = (char *)scope_name(set ? set->scope : SCOPE_VM_ACTIVE);
}
