// SPDX-License-Identifier: Apache-2.0
/* Putting an agent together, and exchanging its parts on reload: see parts.h. */
#include "agent/agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/parts.h"
#include "base/cleanup.h"
#include "bundle/store.h"

/* A model_path that was asked for must be there; the default one may be missing. */
static int check_model_path(const struct config *c, bool *ret_exists, struct err *e)
{
	struct config defaults;
	struct stat st;

	config_defaults(&defaults);
	*ret_exists = stat(c->model_path, &st) == 0;
	if (*ret_exists && !S_ISDIR(st.st_mode))
		return err_set(e, -ENOTDIR, "model_path %s is not a directory", c->model_path);
	if (*ret_exists && access(c->model_path, R_OK | X_OK) == 0)
		return 0;
	if (errno == ENOENT && !strcmp(c->model_path, defaults.model_path))
		return 0;
	return err_errno(e, "model_path %s cannot be read", c->model_path);
}

/* What this agent may serve at all. */
static int check_bundle(const struct config *c, const struct model_set *s, struct err *e)
{
	if (s->scope == SCOPE_PLATFORM)
		return err_set(e, -ERR_DATA,
			       "%s %s estimates a wall meter (scope platform): the agent serves "
			       "vm_active and node_total",
			       s->name, s->version);
	if (s->sequence < c->minimum_sequence)
		return err_set(e, -ERR_STALE,
			       "%s %s has sequence %lld, below minimum_sequence %lld", s->name,
			       s->version, (long long)s->sequence, (long long)c->minimum_sequence);
	return 0;
}

/* *ret stays NULL when there is nothing to serve. */
static int load_bundle(const struct config *c, struct model_set **ret, struct err *e)
{
	struct trust *trust = NULL;
	int r = trust_load_directory(c->trusted_keys, &trust, e);

	if (r < 0)
		return r;
	r = store_load_current(c->model_path, trust, ret, NULL, e);
	if (r == -ENOENT) {
		log_info("%s; the built-in prior serves", e->msg);
		*e = (struct err)ERR_INIT;
		r = 0;
	} else if (r < 0 && trust_count(trust) == 0) {
		r = err_set(e, -ERR_SIGNATURE,
			    "no bundle of %s is used: trusted_keys %s holds no key", c->model_path,
			    c->trusted_keys);
	} else if (r == 0) {
		r = check_bundle(c, *ret, e);
	}
	trust_free(trust);
	if (r < 0) {
		model_set_free(*ret);
		*ret = NULL;
	}
	return r;
}

static void read_identity(struct agent *a)
{
	struct err why = ERR_INIT;

	if (identity_read(&a->identity, &a->root, &why) < 0)
		log_warn("%s: the generic prior serves", why.msg);
}

static int make_meter(struct agent *a, const struct config *c, struct model_set *set,
		      struct meter **ret, struct err *e)
{
	struct meter_options o = {.config = c,
				  .identity = &a->identity,
				  .state = &a->state,
				  .set = set,
				  .step_s = (double)c->sampling_interval_ns / 1e9};
	int r = meter_new(&o, ret, e);

	if (r == 0)
		meter_refit(*ret, a->identity.n_cpus);
	return r;
}

/* Say what serves, once it does. */
static void tell_model(const struct agent *a)
{
	const struct snapshot *s = meter_snapshot(a->meter);

	if (!s->set)
		return;
	log_info("serving bundle %s %s (sequence %lld)", s->set->name, s->set->version,
		 (long long)s->set->sequence);
	if (meter_misfit(a->meter)[0])
		log_warn("the bundle was trained on another machine (%s): intervals are wider",
			 meter_misfit(a->meter));
	if (s->bundle_expired)
		log_warn("the bundle has expired: intervals are wider");
}

int agent_init(struct agent *a, const struct agent_options *o, struct err *e)
{
	struct model_set *set = NULL;
	struct err why = ERR_INIT;
	bool has_path;
	int r;

	memset(a, 0, sizeof(*a));
	a->options = o;
	a->kernel = o->kernel ? o->kernel : &kernel_linux;
	state_init(&a->state);
	a->pinning_quiet_s = PINNING_WINDOW_S;
	r = config_load(&o->flags, &a->config, e);
	if (r == 0)
		r = root_init(&a->root, o->root, e);
	if (r == 0)
		r = check_model_path(&a->config, &has_path, e);
	if (r < 0)
		return r;
	log_setup((enum log_level)a->config.log_level, (enum log_format)a->config.log_format);
	read_identity(a);
	agent_check_isolation(a);
	if (has_path && load_bundle(&a->config, &set, &why) < 0) {
		a->bundle_load_failures++;
		log_error("%s; the built-in prior serves", why.msg);
	}
	r = make_meter(a, &a->config, set, &a->meter, e);
	if (r == 0)
		r = pinning_window_init(&a->pinning, PINNING_WINDOW_S, e);
	if (r == 0)
		tell_model(a);
	return r;
}

void agent_release(struct agent *a)
{
	http_free(a->http);
	meter_free(a->meter);
	pinning_window_release(&a->pinning);
	collector_free(a->collector);
	sample_release(&a->samples[0]);
	sample_release(&a->samples[1]);
	state_close(&a->state);
}

static int open_collector(const struct agent *a, bool perf, struct collector **ret, struct err *e)
{
	struct collector_options o = {.root = a->root,
				      .kernel = a->kernel,
				      .perf = perf,
				      .clock_probe = root_is_self(&a->root)};

	return collector_new(&o, ret, e);
}

int agent_start_sampling(struct agent *a, struct err *e)
{
	int r = open_collector(a, a->config.perf_counters_enabled, &a->collector, e);

	for (int i = 0; r == 0 && i < 2; i++)
		r = sample_init(&a->samples[i], collector_cpus(a->collector), e);
	if (r == 0)
		agent_tick(a);
	return r;
}

/* The new parts of a reload, taken over together or not at all. */
struct parts {
	struct meter *meter;
	struct collector *collector; /* NULL: the old one stays */
	struct http *http;	     /* NULL: the old one stays */
};

static int make_parts(struct agent *a, const struct config *c, struct model_set *set,
		      struct parts *p, struct err *e)
{
	int r = make_meter(a, c, set, &p->meter, e);

	if (r == 0 && c->perf_counters_enabled != a->config.perf_counters_enabled)
		r = open_collector(a, c->perf_counters_enabled, &p->collector, e);
	if (r == 0 && a->http && strcmp(c->listen, a->config.listen) != 0)
		r = http_new(c->listen, meter_snapshot(p->meter), &p->http, e);
	if (r < 0) {
		meter_free(p->meter);
		collector_free(p->collector);
	}
	return r;
}

static void take_parts(struct agent *a, const struct parts *p)
{
	meter_free(a->meter);
	a->meter = p->meter;
	if (p->collector) {
		collector_free(a->collector);
		a->collector = p->collector;
	}
	if (p->http) {
		http_free(a->http);
		a->http = p->http;
	}
	/* Estimate what passed since the last tick, so that no scrape finds nothing. */
	agent_tick(a);
}

int agent_reload(struct agent *a, struct err *e)
{
	autofree struct config *c = malloc(sizeof(*c));
	struct model_set *set = NULL;
	struct parts parts = {.meter = NULL};
	bool has_path = false;
	int r;

	if (!c)
		return err_nomem(e);
	r = config_load(&a->options->flags, c, e);
	if (r == 0)
		r = check_model_path(c, &has_path, e);
	if (r < 0) {
		a->config_reload_failures++;
		return r;
	}
	if (has_path && (r = load_bundle(c, &set, e)) < 0) {
		a->bundle_load_failures++;
		return r;
	}
	r = make_parts(a, c, set, &parts, e);
	if (r < 0) {
		a->config_reload_failures++;
		return r;
	}
	if (strcmp(c->state_directory, a->config.state_directory) != 0)
		log_warn("state_directory changes when the agent is started anew");
	a->config = *c;
	take_parts(a, &parts);
	log_setup((enum log_level)a->config.log_level, (enum log_format)a->config.log_format);
	tell_model(a);
	agent_check_isolation(a);
	return 0;
}
