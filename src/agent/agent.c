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
#include "base/file.h"
#include "base/powercap.h"

/* A model_path that was asked for must be there; the default one may be missing. */
static int check_model_path(const struct config *c, bool *ret_exists, struct err *e)
{
	struct config defaults;
	struct stat st;

	config_defaults(&defaults);
	*ret_exists = stat(c->model_path, &st) == 0;
	if (*ret_exists && !S_ISDIR(st.st_mode)) {
		err_set(e, -ENOTDIR, "model_path %s is not a directory", c->model_path);
		return config_blame(c, "model_path", e);
	}
	if (*ret_exists && access(c->model_path, R_OK | X_OK) == 0)
		return 0;
	if (errno == ENOENT && !strcmp(c->model_path, defaults.model_path))
		return 0;
	err_errno(e, "model_path %s cannot be read", c->model_path);
	return config_blame(c, "model_path", e);
}

static void read_identity(struct agent *a)
{
	struct err why = ERR_INIT;

	if (identity_read(&a->identity, &a->root, &why) < 0)
		log_warn("%s: the generic prior serves", why.msg);
}

/* The token of POST /-/reload: the file's first line. */
static int read_token(const struct config *c, char token[HTTP_TOKEN_MAX], struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	token[0] = 0;
	if (!c->reload_token_file[0])
		return 0;
	r = file_read(c->reload_token_file, 4096, true, &text, &len, e);
	if (r < 0) {
		err_prefix(e, "reload_token_file");
		return config_blame(c, "reload_token_file", e);
	}
	len = strcspn(text, "\r\n");
	if (len < HTTP_TOKEN_MIN || len >= HTTP_TOKEN_MAX) {
		err_set(e, -ERR_CONFIG,
			"reload_token_file %s: its first line must have %d to %d characters",
			c->reload_token_file, HTTP_TOKEN_MIN, HTTP_TOKEN_MAX - 1);
		return config_blame(c, "reload_token_file", e);
	}
	memcpy(token, text, len);
	token[len] = 0;
	return 0;
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
	if (r == 0)
		r = read_token(&a->config, a->token, e);
	if (r < 0)
		return r;
	log_setup((enum log_level)a->config.log_level, (enum log_format)a->config.log_format);
	read_identity(a);
	agent_check_isolation(a);
	if (has_path && agent_load_bundle(a, &a->config, &set, &why) < 0) {
		a->bundle_load_failures++;
		log_error("%s; the built-in prior serves", why.msg);
	}
	r = agent_make_meter(a, &a->config, set, &a->meter, e);
	if (r == 0)
		r = pinning_window_init(&a->pinning, PINNING_WINDOW_S, e);
	return r;
}

void agent_release(struct agent *a)
{
	remote_stop(a->remote);
	http_free(a->http);
	meter_free(a->meter);
	probation_free(a->probation);
	pinning_window_release(&a->pinning);
	host_close(&a->host);
	collector_free(a->collector);
	sample_release(&a->samples[0]);
	sample_release(&a->samples[1]);
	counters_close(&a->counters);
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

/* Before anything is served: from then on the agent runs no program. */
static void start_remote(struct agent *a)
{
	struct err why = ERR_INIT;

	if (a->config.inference_method != INFERENCE_REMOTE)
		return;
	if (remote_start(&a->config, &a->remote, &why) < 0)
		log_error("%s; the native model serves", why.msg);
	else
		log_info("remote inference at %s", a->config.python_server.url);
}

/* On bare metal RAPL is the whole node's, and nobody's handing in. */
static bool is_handed_in(const struct agent *a)
{
	return a->config.host_energy_path[0] || !root_is_self(&a->root) ||
	       strcmp(a->identity.hypervisor, "none") != 0;
}

/* Where the host's energy is looked for: a folder of this machine, else the kernel's. */
static void open_host(struct agent *a)
{
	static const struct root machine = {.prefix = ""};
	bool told = a->config.host_energy_path[0];

	host_open(&a->host,
		  !is_handed_in(a) ? NULL
		  : told	   ? &machine
				   : &a->root,
		  told ? a->config.host_energy_path : "/sys" POWERCAP_CLASS,
		  a->kernel->monotonic_ns());
	meter_set_host(a->meter, a->host.zones);
}

int agent_start_sampling(struct agent *a, struct err *e)
{
	int r;

	agent_tell_model(a);
	r = open_collector(a, a->config.perf_counters_enabled, &a->collector, e);
	if (r == 0) {
		start_remote(a);
		open_host(a);
	}
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
	int r = agent_make_meter(a, c, set, &p->meter, e);

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
	struct model_set *before = NULL;

	agent_take_meter(a, p->meter, &before);
	agent_begin_probation(a, before);
	if (p->collector) {
		collector_free(a->collector);
		a->collector = p->collector;
	}
	if (p->http) {
		http_free(a->http);
		a->http = p->http;
	}
	if (a->http) {
		http_set_token(a->http, a->token);
		http_set_history(a->http, &a->history);
	}
}

static int reload(struct agent *a, struct config *c, char token[HTTP_TOKEN_MAX],
		  struct parts *parts, struct err *e)
{
	struct model_set *set = NULL;
	bool has_path = false;
	int r = config_load(&a->options->flags, c, e);

	if (r == 0)
		r = check_model_path(c, &has_path, e);
	if (r == 0)
		r = read_token(c, token, e);
	if (r < 0) {
		a->config_reload_failures++;
		return r;
	}
	if (has_path && (r = agent_load_bundle(a, c, &set, e)) < 0) {
		a->bundle_load_failures++;
		agent_count_reload(a, r);
		return r;
	}
	r = make_parts(a, c, set, parts, e);
	if (r < 0)
		a->config_reload_failures++;
	return r;
}

/* The helper for remote inference is started with the agent or not at all; it may rest. */
static void follow_method(struct agent *a, const struct config *c)
{
	bool remote = c->inference_method == INFERENCE_REMOTE;

	if (remote && !a->remote)
		log_warn(
			"inference_method: a model server is asked when the agent is started anew");
	if (a->remote &&
	    memcmp(&c->python_server, &a->config.python_server, sizeof(c->python_server)) != 0)
		log_warn("python_server changes when the agent is started anew");
	if (!a->remote || c->inference_method == a->config.inference_method)
		return;
	remote_forget(a->remote);
	if (remote)
		log_info("remote inference at %s", c->python_server.url);
	else
		log_info("inference_method native: the model server is asked no more");
}

int agent_reload(struct agent *a, struct err *e)
{
	autofree struct config *c = malloc(sizeof(*c));
	struct parts parts = {.meter = NULL};
	char token[HTTP_TOKEN_MAX];
	bool same_host;
	int r = c ? reload(a, c, token, &parts, e) : err_nomem(e);

	if (r < 0) {
		agent_fill_bundle(a);
		return r;
	}
	if (strcmp(c->state_directory, a->config.state_directory) != 0)
		log_warn("state_directory changes when the agent is started anew");
	follow_method(a, c);
	memcpy(c->state_directory, a->config.state_directory, sizeof(c->state_directory));
	same_host = !strcmp(c->host_energy_path, a->config.host_energy_path) &&
		    c->sampling_interval_ns == a->config.sampling_interval_ns;
	a->config = *c;
	memcpy(a->token, token, sizeof(a->token));
	take_parts(a, &parts);
	if (!same_host)
		open_host(a);
	agent_count_reload(a, 0);
	/* Estimate what passed since the last tick, where that is long enough to say anything. */
	if (!agent_tick(a))
		agent_fill_bundle(a);
	/* Behind that tick: its energy took the time since the one before, not since now. */
	counters_set_intervals(&a->counters, a->kernel->monotonic_ns(), c->sampling_interval_ns,
			       c->collection_interval_ns);
	log_setup((enum log_level)a->config.log_level, (enum log_format)a->config.log_format);
	agent_tell_model(a);
	agent_check_isolation(a);
	return 0;
}

/* The store is as it was before what was refused: nothing is amiss with it any more. */
static void end_refusal(struct agent *a)
{
	if (!a->bundle.last_reload_failed)
		return;
	a->bundle.last_reload_failed = false;
	agent_fill_bundle(a);
	log_info("%s holds what serves here again", a->config.model_path);
}

int agent_reload_bundle(struct agent *a, bool *ret_changed, struct err *e)
{
	const struct model_set *now = meter_snapshot(a->meter)->set;
	struct model_set *set = NULL, *before = NULL;
	struct meter *m;
	int r = agent_load_bundle(a, &a->config, &set, e);

	*ret_changed = false;
	if (r == 0 && !set && now)
		r = err_set(e, -ENOENT, "no bundle in %s any more", a->config.model_path);
	if (r == 0 && (!set || agent_same_bundle(set, now))) {
		model_set_free(set);
		end_refusal(a);
		return 0;
	}
	*ret_changed = true;
	if (r == 0)
		r = agent_make_meter(a, &a->config, set, &m, e);
	else
		a->bundle_load_failures++;
	agent_count_reload(a, r);
	if (r == 0) {
		agent_take_meter(a, m, &before);
		agent_begin_probation(a, before);
		agent_tell_model(a);
	}
	agent_fill_bundle(a);
	return r;
}
