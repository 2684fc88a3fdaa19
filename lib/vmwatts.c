// SPDX-License-Identifier: Apache-2.0
/* The installed C API over src/: see include/vmwatts/vmwatts.h. Only what it exports is visible. */
#include "vmwatts/vmwatts.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundle/store.h"
#include "collect/collector.h"
#include "features/interval.h"
#include "model/estimator.h"
#include "model/fit.h"

_Static_assert(FEATURE_COUNT <= VMWATTS_FEATURES_MAX, "a row must hold every feature");
_Static_assert((int)VMWATTS_ZONE_COUNT == (int)ZONE_RAPL_COUNT, "zones are those of RAPL");

_Static_assert((int)VMWATTS_ERR_STALE == (int)ERR_STALE, "codes are those of base/err.h");

#define ABI 3

/* Sizes that the structures with `sz` had when they came: callers never have less. */
#define CARD_SIZE_FIRST	 (offsetof(struct vmwatts_card, vcpus_max) + sizeof(uint32_t))
#define MODEL_SIZE_FIRST (offsetof(struct vmwatts_card_model, max_w) + sizeof(double))
#define METER_SIZE_FIRST (offsetof(struct vmwatts_meter_options, clock_probe) + sizeof(int32_t))

struct vmwatts {
	struct model_set *set; /* NULL: the prior answers */
	struct prior prior;
	struct fit fit; /* of this machine to the set */
	char name[160];
};

struct vmwatts_session {
	const struct vmwatts *v;
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

const char *vmwatts_strerror(int code)
{
	static const char *const said[] = {
		"bytes are not what their format says",
		"signature missing, wrong, or by an unknown key",
		"a value is not allowed",
		"the numbers cannot be used for this",
		"arguments exclude each other",
		"older than what is installed, or expired",
	};

	const char *text;

	if (code < 0 && code > INT_MIN)
		code = -code;
	if (code >= VMWATTS_ERR_FORMAT && code <= VMWATTS_ERR_STALE)
		return said[code - VMWATTS_ERR_FORMAT];
	text = code ? strerrordesc_np(code) : "done";
	return text ? text : "unknown error";
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

static void fill_row(struct row *r, const double *x)
{
	row_clear(r);
	memcpy(r->v, x, sizeof(r->v)); /* FEATURE_COUNT <= VMWATTS_FEATURES_MAX */
	row_complete(r);
}

/* -EINVAL when a value that is there cannot be its feature's. */
static int check_row(const struct row *r)
{
	feature_foreach (f) {
		if (!isnan(r->v[f]) && (!isfinite(r->v[f]) || feature_refuses(f, r->v[f])))
			return -EINVAL;
	}
	return 0;
}

const char *vmwatts_features_tier(const double x[VMWATTS_FEATURES_MAX])
{
	struct row r;

	fill_row(&r, x);
	return tier_name(row_tier(&r));
}

const char *vmwatts_zone_name(int zone)
{
	return zone >= 0 && zone < VMWATTS_ZONE_COUNT ? zone_name((enum zone)zone) : NULL;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int load_bundle(struct vmwatts *v, const char *bundle, const char *key, unsigned signatures,
		       struct err *e)
{
	struct trust *trust;
	int r;

	if (!bundle)
		return 0;
	if (!key)
		return err_set(e, -EINVAL, "a bundle needs the public key that signed it");
	/* Of a folder that is not there nobody would be trusted: here it is a wrong name. */
	r = access(key, F_OK) < 0
		    ? err_errno(e, "trusted key %s", key)
		    : trust_load(key, is_directory(bundle) ? bundle : NULL, &trust, e);
	if (r < 0)
		return r;
	trust_require(trust, signatures);
	r = is_directory(bundle) ? store_load_current(bundle, trust, &v->set, NULL, e)
				 : bundle_load(bundle, trust, &v->set, NULL, e);
	trust_free(trust);
	return r;
}

/* The bundle, and what of it depends on the machine we run on: prior and fit. */
static int load(struct vmwatts *v, const char *bundle, const char *key, unsigned signatures,
		struct err *e)
{
	struct identity *id = calloc(1, sizeof(*id));
	struct root root;
	int r = id ? root_init(&root, NULL, e) : err_nomem(e);

	if (r == 0 && identity_read(id, &root, NULL) < 0)
		memset(id, 0, sizeof(*id)); /* the generic prior */
	if (r == 0) {
		prior_init(&v->prior, id);
		r = load_bundle(v, bundle, key, signatures, e);
	}
	v->fit.widen = 1;
	if (r == 0 && v->set)
		fit_machine(&v->set->trained_on, id, id->n_cpus, &v->fit);
	free(id);
	return r;
}

int vmwatts_open_signed(const char *bundle, const char *key, unsigned signatures,
			struct vmwatts **ret, char *why)
{
	struct err e = ERR_INIT;
	struct vmwatts *v = calloc(1, sizeof(*v));

	if (!v)
		err_nomem(&e);
	else if (load(v, bundle, key, signatures, &e) == 0) {
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

int vmwatts_open(const char *bundle, const char *key, struct vmwatts **ret, char *why)
{
	return vmwatts_open_signed(bundle, key, 1, ret, why);
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

const char *vmwatts_misfit(const struct vmwatts *v)
{
	return v->fit.why;
}

/* As much of from[size] as the caller has room for behind its `sz`; what it has beyond is 0. */
static int give(void *to, const void *from, size_t size, size_t first)
{
	size_t sz, n;

	memcpy(&sz, to, sizeof(sz));
	if (sz < first)
		return -EINVAL;
	n = sz < size ? sz : size;
	memcpy((char *)to + sizeof(sz), (const char *)from + sizeof(sz), n - sizeof(sz));
	memset((char *)to + n, 0, sz - n);
	return 0;
}

int vmwatts_card_get(const struct vmwatts *v, struct vmwatts_card *ret)
{
	const struct model_set *s = v->set;
	struct vmwatts_card c = {.sz = sizeof(c)};

	if (!s)
		return -ENODATA;
	snprintf(c.name, sizeof(c.name), "%s", s->name);
	snprintf(c.version, sizeof(c.version), "%s", s->version);
	snprintf(c.scope, sizeof(c.scope), "%s", scope_name(s->scope));
	snprintf(c.cpu_model, sizeof(c.cpu_model), "%s", s->trained_on.cpu_model);
	c.sequence = s->sequence;
	c.created_s = s->created_s;
	c.expires_s = s->expires_s;
	c.interval_s = s->interval_s;
	c.window_s = s->window_s;
	c.vcpus_min = s->trained_on.vcpus_min;
	c.vcpus_max = s->trained_on.vcpus_max;
	return give(ret, &c, sizeof(c), CARD_SIZE_FIRST);
}

int vmwatts_card_model_get(const struct vmwatts *v, int zone, size_t i,
			   struct vmwatts_card_model *ret)
{
	struct vmwatts_card_model c = {.sz = sizeof(c)};
	const struct zone_models *z;
	const struct model *m;

	if (zone < 0 || zone >= VMWATTS_ZONE_COUNT)
		return -EINVAL;
	z = v->set ? &v->set->zones[zone] : NULL;
	if (!z || i >= z->n)
		return -ENODATA;
	m = &z->models[i];
	snprintf(c.family, sizeof(c.family), "%s", model_family(m));
	snprintf(c.tier, sizeof(c.tier), "%s", tier_name(m->tier));
	snprintf(c.definition, sizeof(c.definition), "%s", z->definition);
	c.history = m->history;
	c.groups = m->groups;
	c.rows = m->rows;
	c.wmape = m->wmape;
	c.mae_w = m->mae_w;
	c.coverage_90 = m->coverage_90;
	c.max_w = m->max_w;
	return give(ret, &c, sizeof(c), MODEL_SIZE_FIRST);
}

const char *vmwatts_card_json(const struct vmwatts *v)
{
	return v->set ? v->set->card : NULL;
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
	if (check_row(&r) < 0)
		return -EINVAL;
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
		s->v = v;
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

void vmwatts_session_fit(struct vmwatts_session *s)
{
	const struct model_set *set = s->v->set;
	bool expired = set && set->expires_s && set->expires_s <= time(NULL);

	estimator_set_fit(s->estimator, s->v->fit.widen * (expired ? EXPIRED_WIDEN : 1),
			  s->v->fit.mismatch);
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
	if (check_row(&r) < 0)
		return -EINVAL;
	r.t_s = time_s;
	r.dt_s = duration_s;
	estimator_row(s->estimator, &r, &e);
	fill_zones(&e, zones);
	return 0;
}

int vmwatts_meter_new(struct vmwatts_meter **ret, char *why)
{
	return vmwatts_meter_open(NULL, ret, why);
}

static int start_meter(struct vmwatts_meter *m, const struct vmwatts_meter_options *given,
		       struct err *e)
{
	struct collector_options o = {.kernel = &kernel_linux};
	int r = root_init(&o.root, given->root, e);

	o.perf = !given->no_perf;
	o.clock_probe = given->clock_probe && root_is_self(&o.root);
	if (r == 0)
		r = collector_new(&o, &m->collector, e);
	for (int i = 0; i < 2 && r == 0; i++)
		r = sample_init(&m->samples[i], collector_cpus(m->collector), e);
	if (r == 0)
		collector_sample(m->collector, &m->samples[0]);
	return r;
}

int vmwatts_meter_open(const struct vmwatts_meter_options *given, struct vmwatts_meter **ret,
		       char *why)
{
	struct vmwatts_meter_options o = {.sz = sizeof(o)};
	struct vmwatts_meter *m = NULL;
	struct err e = ERR_INIT;

	if (given && given->sz < METER_SIZE_FIRST)
		err_set(&e, -EINVAL, "vmwatts_meter_options.sz is %zu: set it to sizeof",
			given->sz);
	else if ((m = calloc(1, sizeof(*m))) == NULL)
		err_nomem(&e);
	if (given && m)
		memcpy(&o, given, given->sz < sizeof(o) ? given->sz : sizeof(o));
	if (m && start_meter(m, &o, &e) == 0) {
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
