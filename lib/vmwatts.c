// SPDX-License-Identifier: Apache-2.0
/* The installed C API over src/: see include/vmwatts/vmwatts.h. Only what it exports is visible. */
#include "vmwatts/vmwatts.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/bundle.h"
#include "collect/collector.h"
#include "features/interval.h"
#include "features/stream.h"
#include "model/estimate.h"
#include "model/prior.h"
#include "model/estimator.h"

_Static_assert(FEATURE_COUNT <= VMWATTS_FEATURES_MAX, "a row must hold every feature");
_Static_assert((int)VMWATTS_ZONE_COUNT == (int)ZONE_RAPL_COUNT, "zones are those of RAPL");

#define ABI 1

struct vmwatts {
	struct model_set *set; /* NULL: the prior answers */
	struct prior prior;
	char name[160];
};

struct vmwatts_session {
	struct estimator *estimator;
};

struct vmwatts_meter {
	struct collector *collector;
	struct sample samples[2];
	unsigned current;
};

static int finish(const struct err *e, char *why)
{
	if (why && e->code)
		snprintf(why, VMWATTS_ERROR_SIZE, "%s", e->msg);
	return e->code;
}

const char *vmwatts_version(void)
{
	return VMWATTS_VERSION;
}

int vmwatts_abi(void)
{
	return ABI;
}

size_t vmwatts_feature_count(void)
{
	return FEATURE_COUNT;
}

const char *vmwatts_feature_name(size_t i)
{
	return i < FEATURE_COUNT ? feature_info((enum feature)i)->name : NULL;
}

const char *vmwatts_feature_unit(size_t i)
{
	return i < FEATURE_COUNT ? feature_info((enum feature)i)->unit : NULL;
}

int vmwatts_feature_find(const char *name)
{
	return name ? feature_find(name) : -1;
}

void vmwatts_features_clear(double x[VMWATTS_FEATURES_MAX])
{
	for (size_t i = 0; i < VMWATTS_FEATURES_MAX; i++)
		x[i] = NAN;
}

const char *vmwatts_zone_name(int zone)
{
	return zone >= 0 && zone < VMWATTS_ZONE_COUNT ? zone_name((enum zone)zone) : NULL;
}

/* The prior of the machine we run on; the generic one where it does not say. */
static int read_prior(struct prior *ret, struct err *e)
{
	struct identity *id = calloc(1, sizeof(*id));
	struct root root;
	int r = id ? root_init(&root, NULL, e) : err_nomem(e);

	if (r == 0) {
		if (identity_read(id, &root, NULL) < 0)
			memset(id, 0, sizeof(*id));
		prior_init(ret, id);
	}
	free(id);
	return r;
}

static int load_bundle(struct vmwatts *v, const char *bundle, const char *key, struct err *e)
{
	struct trust *trust;
	int r;

	if (!bundle)
		return 0;
	if (!key)
		return err_set(e, -EINVAL, "a bundle needs the public key that signed it");
	r = trust_load_file(key, &trust, e);
	if (r < 0)
		return r;
	r = bundle_load(bundle, trust, &v->set, NULL, e);
	trust_free(trust);
	return r;
}

int vmwatts_open(const char *bundle, const char *key, struct vmwatts **ret, char *why)
{
	struct err e = ERR_INIT;
	struct vmwatts *v = calloc(1, sizeof(*v));

	if (!v)
		err_nomem(&e);
	else if (read_prior(&v->prior, &e) == 0 && load_bundle(v, bundle, key, &e) == 0) {
		if (v->set)
			snprintf(v->name, sizeof(v->name), "%s %s", v->set->name, v->set->version);
		else
			snprintf(v->name, sizeof(v->name), "prior %s", prior_name(&v->prior));
		*ret = v;
		return 0;
	}
	vmwatts_close(v);
	return finish(&e, why);
}

void vmwatts_close(struct vmwatts *v)
{
	if (!v)
		return;
	model_set_free(v->set);
	free(v);
}

const char *vmwatts_model(const struct vmwatts *v)
{
	return v->name;
}

double vmwatts_interval(const struct vmwatts *v)
{
	return v->set ? v->set->interval_s : 0;
}

static void fill_row(struct row *r, const double *x)
{
	row_clear(r);
	memcpy(r->v, x, sizeof(r->v)); /* FEATURE_COUNT <= VMWATTS_FEATURES_MAX */
	row_complete(r);
}

static void fill_zones(const struct estimate *e, struct vmwatts_zone *zones)
{
	memset(zones, 0, VMWATTS_ZONE_COUNT * sizeof(*zones));
	for (int i = 0; i < VMWATTS_ZONE_COUNT; i++) {
		const struct zone_estimate *z = &e->zone[i];

		if (!z->valid)
			continue;
		zones[i].valid = 1;
		zones[i].out_of_distribution = z->distance > OUT_OF_DISTRIBUTION;
		zones[i].watts = zone_watts(z);
		zones[i].active_watts = z->active_w;
		zones[i].watts_low = z->low_w;
		zones[i].watts_high = z->high_w;
		zones[i].confidence = z->confidence;
		snprintf(zones[i].provenance, sizeof(zones[i].provenance), "%s",
			 provenance_name(z->provenance));
	}
}

int vmwatts_estimate(const struct vmwatts *v, const double x[VMWATTS_FEATURES_MAX],
		     struct vmwatts_zone zones[VMWATTS_ZONE_COUNT])
{
	struct estimate e;
	struct row r;

	fill_row(&r, x);
	estimator_stateless(v->set, &v->prior, &r, &e);
	fill_zones(&e, zones);
	return 0;
}

int vmwatts_session_new(const struct vmwatts *v, struct vmwatts_session **ret, char *why)
{
	const struct estimator_options o = {.set = v->set, .prior = &v->prior};
	struct vmwatts_session *s = calloc(1, sizeof(*s));
	struct err e = ERR_INIT;

	if (!s)
		err_nomem(&e);
	else if (estimator_new(&o, &s->estimator, &e) == 0) {
		*ret = s;
		return 0;
	}
	free(s);
	return finish(&e, why);
}

void vmwatts_session_free(struct vmwatts_session *s)
{
	if (!s)
		return;
	estimator_free(s->estimator);
	free(s);
}

int vmwatts_session_push(struct vmwatts_session *s, double time_s, double duration_s,
			 const double x[VMWATTS_FEATURES_MAX],
			 struct vmwatts_zone zones[VMWATTS_ZONE_COUNT])
{
	struct estimate e;
	struct row r;

	if (!isfinite(time_s))
		return -EINVAL;
	fill_row(&r, x);
	r.t_s = time_s;
	r.dt_s = duration_s;
	estimator_row(s->estimator, &r, &e);
	fill_zones(&e, zones);
	return 0;
}

int vmwatts_meter_new(struct vmwatts_meter **ret, char *why)
{
	struct collector_options o = {.kernel = &kernel_linux, .perf = true};
	struct vmwatts_meter *m = calloc(1, sizeof(*m));
	struct err e = ERR_INIT;

	if (!m)
		err_nomem(&e);
	else if (root_init(&o.root, NULL, &e) == 0 && collector_new(&o, &m->collector, &e) == 0 &&
		 sample_init(&m->samples[0], collector_cpus(m->collector), &e) == 0 &&
		 sample_init(&m->samples[1], collector_cpus(m->collector), &e) == 0) {
		collector_sample(m->collector, &m->samples[0]);
		*ret = m;
		return 0;
	}
	vmwatts_meter_free(m);
	return finish(&e, why);
}

void vmwatts_meter_free(struct vmwatts_meter *m)
{
	if (!m)
		return;
	sample_release(&m->samples[0]);
	sample_release(&m->samples[1]);
	collector_free(m->collector);
	free(m);
}

int vmwatts_meter_read(struct vmwatts_meter *m, double x[VMWATTS_FEATURES_MAX],
		       double *ret_duration_s)
{
	struct row r;

	m->current ^= 1;
	collector_sample(m->collector, &m->samples[m->current]);
	interval_row(&m->samples[m->current ^ 1], &m->samples[m->current], &r);
	vmwatts_features_clear(x);
	memcpy(x, r.v, sizeof(r.v));
	if (ret_duration_s)
		*ret_duration_s = r.dt_s;
	return 0;
}
