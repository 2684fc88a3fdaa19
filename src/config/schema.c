// SPDX-License-Identifier: Apache-2.0
/*
 * Every configuration key in one table: where it lives, how it may be
 * spelled, what is allowed. Reading a value is a row's type; adding a key is
 * adding a row (and its default in config_defaults).
 */
#include "config/schema.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define AT(field)  offsetof(struct config, field), sizeof(((struct config *)0)->field)
#define NS_PER_S   1e9
#define NO_NUMBERS 0, 0
#define SWITCH	   .allowed = "true or false"

#define FEATURES_LISTED "docs/formats/recordings.md lists them"

const struct key config_keys[] = {
	{"enabled", NULL, KEY_BOOL, AT(enabled), NO_NUMBERS, SWITCH},
	{"model_path", "modelPath", KEY_STRING, AT(model_path), .allowed = "a directory"},
	{"collection_interval", "collectionInterval", KEY_DURATION, AT(collection_interval_ns),
	 0.1 * NS_PER_S, 3600 * NS_PER_S, .allowed = "a duration such as 5s, 100ms to 1h"},
	{"inference_method",
	 "inferenceMethod",
	 KEY_CHOICE,
	 AT(inference_method),
	 NO_NUMBERS,
	 {"native", "remote", NULL},
	 "native, python-bridge or remote"},
	/* The proposal's Go struct has it flat; its YAML in a section. */
	{"pythonServerURL", NULL, KEY_STRING, AT(python_server.url),
	 .allowed = "HOST:PORT or unix:/PATH"},

	{"cpu_pinning", "cpuPinning", KEY_SECTION, .allowed = "a section of keys"},
	{"cpu_pinning.enabled", NULL, KEY_BOOL, AT(cpu_pinning.enabled), NO_NUMBERS, SWITCH},
	{"cpu_pinning.isolated_cpus", "isolatedCPUs", KEY_CPUS, AT(cpu_pinning.isolated_cpus), 0,
	 4095, .allowed = "a list of CPU numbers such as [2, 3]"},
	{"cpu_pinning.recommendation_mode", "recommendationMode", KEY_BOOL,
	 AT(cpu_pinning.recommendation_mode), NO_NUMBERS, SWITCH},

	{"feature_config", "featureConfig", KEY_SECTION, .allowed = "a section of keys"},
	{"feature_config.perf_counters_enabled", "perfCountersEnabled", KEY_BOOL,
	 AT(perf_counters_enabled), NO_NUMBERS, SWITCH},
	{"feature_config.sampling_interval", "samplingInterval", KEY_DURATION,
	 AT(sampling_interval_ns), 0.1 * NS_PER_S, 3600 * NS_PER_S,
	 .allowed = "a duration such as 1s, 100ms to 1h"},
	{"feature_config.metrics_whitelist", "metricsWhitelist", KEY_FEATURES, AT(whitelist),
	 NO_NUMBERS, .allowed = "a list of features such as [cpu_utilization]"},

	{"python_server", "pythonServer", KEY_SECTION, .allowed = "a section of keys"},
	{"python_server.url", NULL, KEY_STRING, AT(python_server.url),
	 .allowed = "HOST:PORT or unix:/PATH"},
	{"python_server.timeout", NULL, KEY_DURATION, AT(python_server.timeout_ns),
	 0.001 * NS_PER_S, 600 * NS_PER_S, .allowed = "a duration such as 5s, 1ms to 10m"},
	{"python_server.retry_attempts", "retryAttempts", KEY_INTEGER,
	 AT(python_server.retry_attempts), 0, 100, .allowed = "a whole number, 0 to 100"},

	{"python_server.token_file", "tokenFile", KEY_STRING, AT(python_server.token_file),
	 .allowed = "a file"},
	{"python_server.ca_file", "caFile", KEY_STRING, AT(python_server.ca_file),
	 .allowed = "a PEM file"},
	{"python_server.cert_file", "certFile", KEY_STRING, AT(python_server.cert_file),
	 .allowed = "a PEM file"},
	{"python_server.key_file", "keyFile", KEY_STRING, AT(python_server.key_file),
	 .allowed = "a PEM file"},

	{"validation", NULL, KEY_SECTION, .allowed = "a section of keys"},
	{"validation.confidence_threshold", "confidenceThreshold", KEY_NUMBER,
	 AT(confidence_threshold), 0, 1, .allowed = "a number, 0 to 1"},
	{"validation.fallback_method",
	 "fallbackMethod",
	 KEY_CHOICE,
	 AT(fallback_method),
	 NO_NUMBERS,
	 {"estimation", "disable", NULL},
	 "estimation or disable"},

	{"listen", NULL, KEY_STRING, AT(listen),
	 .allowed = "ADDRESS:PORT, or :PORT for every address"},
	{"state_directory", "stateDirectory", KEY_STRING, AT(state_directory),
	 .allowed = "a directory"},
	{"trusted_keys", "trustedKeys", KEY_STRING, AT(trusted_keys), .allowed = "a directory"},
	{"minimum_sequence", "minimumSequence", KEY_INTEGER, AT(minimum_sequence), 0, 9e18,
	 .allowed = "a whole number, 0 or more"},
	{"signature_threshold", "signatureThreshold", KEY_INTEGER, AT(signature_threshold), 1, 9,
	 .allowed = "a whole number, 1 to 9"},
	{"probation_ticks", "probationTicks", KEY_INTEGER, AT(probation_ticks), 0, 1e6,
	 .allowed = "a whole number of sampling intervals, 0 to 1000000"},
	{"reload_token_file", "reloadTokenFile", KEY_STRING, AT(reload_token_file),
	 .allowed = "a file"},
	{"host_energy_path", "hostEnergyPath", KEY_STRING, AT(host_energy_path),
	 .allowed = "a directory"},
	{"idle", NULL, KEY_CHOICE, AT(idle), NO_NUMBERS, {"none", "share", NULL}, "none or share"},
	{"powercap", NULL, KEY_SECTION, .allowed = "a section of keys"},
	{"powercap.mode",
	 NULL,
	 KEY_CHOICE,
	 AT(powercap.mode),
	 NO_NUMBERS,
	 {"off", "files", "fuse", NULL},
	 "off, files or fuse"},
	{"powercap.meaning",
	 NULL,
	 KEY_CHOICE,
	 AT(powercap.meaning),
	 NO_NUMBERS,
	 {"node", "workloads", NULL},
	 "node or workloads"},
	{"powercap.path", NULL, KEY_STRING, AT(powercap.path), .allowed = "a directory"},
	{"powercap.hwmon", NULL, KEY_BOOL, AT(powercap.hwmon), NO_NUMBERS, SWITCH},
	{"log_level",
	 "logLevel",
	 KEY_CHOICE,
	 AT(log_level),
	 NO_NUMBERS,
	 {"debug", "info", "warn", "error", NULL},
	 "debug, info, warn or error"},
	{"log_format",
	 "logFormat",
	 KEY_CHOICE,
	 AT(log_format),
	 NO_NUMBERS,
	 {"text", "json", NULL},
	 "text or json"},
	{"node_name", "nodeName", KEY_STRING, AT(node_name), .allowed = "a name"},
};

const size_t n_config_keys = array_size(config_keys);

static int refuse(const struct key *k, const char *value, struct err *e)
{
	return err_set(e, -ERR_CONFIG, "%s: found '%.80s', allowed: %s", k->path, value,
		       k->allowed);
}

static int find_choice(const struct key *k, const char *value)
{
	/* The proposal's word and the plainer one mean the same. */
	if (!strcmp(value, "python-bridge") && !strcmp(k->path, "inference_method"))
		return INFERENCE_REMOTE;
	for (int i = 0; k->choices[i]; i++) {
		if (!strcmp(k->choices[i], value))
			return i;
	}
	return -1;
}

int key_store(const struct key *k, const char *value, struct config *c, struct err *e)
{
	void *at = (char *)c + k->offset;
	int64_t whole = 0;
	double number = 0;
	int choice;

	switch (k->type) {
	case KEY_BOOL:
		return parse_bool(value, at) < 0 ? refuse(k, value, e) : 0;
	case KEY_STRING:
		if (!*value || strlen(value) >= k->size)
			return refuse(k, value, e);
		strcpy(at, value); /* fits: checked above */
		return 0;
	case KEY_DURATION:
	case KEY_INTEGER:
		if ((k->type == KEY_DURATION ? parse_duration_ns(value, &whole)
					     : parse_i64(value, &whole)) < 0 ||
		    (double)whole < k->min || (double)whole > k->max)
			return refuse(k, value, e);
		memcpy(at, &whole, sizeof(whole));
		return 0;
	case KEY_NUMBER:
		if (parse_double(value, &number) < 0 || number < k->min || number > k->max)
			return refuse(k, value, e);
		memcpy(at, &number, sizeof(number));
		return 0;
	case KEY_CHOICE:
		choice = find_choice(k, value);
		if (choice < 0)
			return refuse(k, value, e);
		memcpy(at, &choice, sizeof(choice));
		return 0;
	case KEY_SECTION:
	case KEY_CPUS:
	case KEY_FEATURES:
		break;
	}
	return refuse(k, value, e);
}

static int store_cpu(const struct key *k, const char *value, bool first, struct config *c,
		     struct err *e)
{
	uint64_t cpu;

	if (first)
		c->cpu_pinning.n_isolated = 0;
	if (parse_u64(value, &cpu) < 0 || (double)cpu > k->max ||
	    c->cpu_pinning.n_isolated == CONFIG_CPUS_MAX)
		return refuse(k, value, e);
	c->cpu_pinning.isolated_cpus[c->cpu_pinning.n_isolated++] = (uint16_t)cpu;
	return 0;
}

static int store_feature(const struct key *k, const char *value, bool first, struct config *c,
			 struct err *e)
{
	int f = feature_find(value);
	const char *near = f < 0 ? feature_nearest(value) : NULL;

	if (first)
		memset(c->whitelist, 0, sizeof(c->whitelist));
	c->has_whitelist = true;
	if (f < 0)
		return err_set(e, -ERR_CONFIG, "%s: '%.80s' is no feature; %s%s%s", k->path, value,
			       near ? "did you mean '" : "", near ? near : FEATURES_LISTED,
			       near ? "'?" : "");
	c->whitelist[f] = true;
	return 0;
}

int key_store_item(const struct key *k, const char *value, bool first, struct config *c,
		   struct err *e)
{
	return k->type == KEY_CPUS ? store_cpu(k, value, first, c, e)
				   : store_feature(k, value, first, c, e);
}
