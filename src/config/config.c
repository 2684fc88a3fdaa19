// SPDX-License-Identifier: Apache-2.0
/* Defaults, precedence and what keys must satisfy together: see config.h. */
#include "config/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/listen.h"
#include "base/text.h"
#include "config/schema.h"

#define FILE_MAX (1u << 20)

void config_defaults(struct config *c)
{
	*c = (struct config){
		.enabled = true,
		.model_path = "/var/lib/kepler/vm-models/",
		.collection_interval_ns = 5000000000,
		.inference_method = INFERENCE_NATIVE,
		.cpu_pinning = {.recommendation_mode = true},
		.perf_counters_enabled = true,
		.sampling_interval_ns = 1000000000,
		.python_server = {.url = "localhost:50051",
				  .timeout_ns = 5000000000,
				  .retry_attempts = 3},
		.confidence_threshold = 0.7,
		.fallback_method = FALLBACK_METHOD_ESTIMATION,
		.listen = "127.0.0.1:9102",
		.state_directory = "/var/lib/kepler/vm-energy",
		.trusted_keys = "/etc/kepler/vm-model-keys/",
		.signature_threshold = 1,
		.probation_ticks = 60,
		.idle = IDLE_NONE,
		.powercap = {.mode = POWERCAP_OFF,
			     .meaning = POWERCAP_NODE,
			     .path = "/run/kepler/powercap"},
		.log_level = LOG_LEVEL_INFO,
		.log_format = LOG_FORMAT_TEXT,
	};
}

static const struct key *key_of(const char *path)
{
	const struct key *k = config_keys;

	while (strcmp(k->path, path) != 0)
		k++;
	return k;
}

/* Store `value` (NULL: nothing) as the key's, and say where a bad one came from. */
static int override(struct config *c, const char *path, const char *value, const char *from,
		    struct err *e)
{
	const struct key *k = key_of(path);
	struct err why = ERR_INIT;

	if (!value)
		return 0;
	if (key_store(k, value, c, &why) < 0)
		return err_set(e, -ERR_CONFIG, "%s: %s", from, why.msg);
	c->places[k - config_keys].line = 0;
	return 0;
}

static int read_file(const struct config_flags *f, struct config *c, struct err *e)
{
	const char *path = f->config ? f->config : CONFIG_PATH_DEFAULT;
	autofree char *text = NULL;
	size_t len;
	struct err why = ERR_INIT;
	int r = file_read(path, FILE_MAX, false, &text, &len, &why);

	if (r == -ENOENT && !f->config)
		return 0;
	if (r < 0)
		return err_set(e, r, "configuration %s", why.msg);
	return config_parse(text, len, path, c, e);
}

static int read_environment(struct config *c, struct err *e)
{
	const char *node_name = getenv("NODE_NAME");

	if (node_name && !*node_name)
		node_name = NULL;
	if (override(c, "node_name", node_name, "NODE_NAME", e) < 0 ||
	    override(c, "enabled", getenv("KEPLER_VM_ENERGY_ENABLED"), "KEPLER_VM_ENERGY_ENABLED",
		     e) < 0 ||
	    override(c, "model_path", getenv("KEPLER_VM_MODEL_PATH"), "KEPLER_VM_MODEL_PATH", e) <
		    0)
		return -ERR_CONFIG;
	return 0;
}

int config_blame(const struct config *c, const char *key, struct err *e)
{
	const struct config_place *p = &c->places[key_of(key) - config_keys];

	return p->line ? err_prefix(e, "%s:%u:%u", c->file, p->line, p->column) : e->code;
}

static int check_listen(const struct config *c, struct err *e)
{
	if (listen_address_ok(c->listen))
		return 0;
	err_set(e, -ERR_CONFIG,
		"listen: found '%s', allowed: ADDRESS:PORT, or :PORT for every address", c->listen);
	return config_blame(c, "listen", e);
}

static int read_flags(const struct config_flags *f, struct config *c, struct err *e)
{
	const struct {
		const char *path, *value, *flag;
	} flags[] = {
		{"enabled", f->vm_energy_enabled, "--vm-energy-enabled"},
		{"model_path", f->vm_model_path, "--vm-model-path"},
		{"listen", f->listen, "--listen"},
		{"state_directory", f->state_dir, "--state-dir"},
		{"log_level", f->log_level, "--log-level"},
		{"log_format", f->log_format, "--log-format"},
		{"node_name", f->node_name, "--node-name"},
	};
	struct err why = ERR_INIT;

	for (size_t i = 0; i < array_size(flags); i++) {
		if (override(c, flags[i].path, flags[i].value, flags[i].flag, &why) < 0)
			return err_set(e, -ERR_USAGE, "%s", why.msg);
	}
	if (f->listen && check_listen(c, &why) < 0)
		return err_set(e, -ERR_USAGE, "--%s", why.msg);
	return 0;
}

/* Where nothing names it: the host's name. */
static void choose_node_name(struct config *c)
{
	if (c->node_name[0])
		return;
	if (gethostname(c->node_name, sizeof(c->node_name) - 1) < 0 || !c->node_name[0] ||
	    !text_is_utf8(c->node_name))
		strcpy(c->node_name, "unknown"); /* 8 of 256 */
}

/* One of the keys that do not fit together; the file may say only one of them. */
static int blame_either(const struct config *c, const char *one, const char *other, struct err *e)
{
	return config_blame(c, c->places[key_of(one) - config_keys].line ? one : other, e);
}

/* HOST:PORT, also behind https:// or http://, where a port may be left out. */
static bool is_server(const char *url)
{
	const char *host = url + (!strncmp(url, "https://", 8)	? 8
				  : !strncmp(url, "http://", 7) ? 7
								: 0);

	if (!strncmp(url, "unix:", 5))
		return url[5] != 0;
	if (host != url && *host && !strchr(host, ':'))
		return true;
	return *host && *host != ':' && listen_address_ok(host);
}

int config_check(const struct config *c, struct err *e)
{
	if (c->collection_interval_ns < c->sampling_interval_ns) {
		err_set(e, -ERR_CONFIG,
			"collection_interval (%g s) must not be shorter than "
			"feature_config.sampling_interval (%g s)",
			(double)c->collection_interval_ns / 1e9,
			(double)c->sampling_interval_ns / 1e9);
		return blame_either(c, "feature_config.sampling_interval", "collection_interval",
				    e);
	}
	if (!is_server(c->python_server.url)) {
		err_set(e, -ERR_CONFIG,
			"python_server.url: found '%s', allowed: HOST:PORT or unix:/PATH",
			c->python_server.url);
		return blame_either(c, "pythonServerURL", "python_server.url", e);
	}
	if (!c->python_server.cert_file[0] != !c->python_server.key_file[0]) {
		err_set(e, -ERR_CONFIG, "python_server: cert_file and key_file go together");
		return blame_either(c, "python_server.cert_file", "python_server.key_file", e);
	}
	if (!text_is_utf8(c->node_name)) {
		err_set(e, -ERR_CONFIG,
			"node_name: found bytes that are no UTF-8, allowed: a name "
			"in UTF-8");
		return config_blame(c, "node_name", e);
	}
	return check_listen(c, e);
}

int config_load(const struct config_flags *f, struct config *ret, struct err *e)
{
	autofree struct config *c = malloc(sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	config_defaults(c);
	r = read_file(f, c, e);
	if (r == 0)
		r = read_environment(c, e);
	if (r == 0)
		r = read_flags(f, c, e);
	if (r == 0)
		r = config_check(c, e);
	if (r < 0)
		return r;
	choose_node_name(c);
	*ret = *c;
	return 0;
}
