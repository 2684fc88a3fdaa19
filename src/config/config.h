/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

/*
 * The agent's configuration: flag > environment > file > default. Every key,
 * its spellings, type, range and default are one table in schema.c; YAML is
 * read as events against that table, so every error names file, line, column,
 * what was found and what is allowed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/log.h"
#include "features/catalogue.h"

#define CONFIG_PATH_DEFAULT "/etc/kepler/vm-energy-config.yaml"
#define CONFIG_CPUS_MAX	    1024
#define CONFIG_KEYS_MAX	    64

enum inference_method { INFERENCE_NATIVE, INFERENCE_REMOTE };
enum fallback_method { FALLBACK_METHOD_ESTIMATION, FALLBACK_METHOD_DISABLE };
enum idle_method { IDLE_NONE, IDLE_SHARE };
enum powercap_mode { POWERCAP_OFF, POWERCAP_FILES, POWERCAP_FUSE };
enum powercap_meaning { POWERCAP_NODE, POWERCAP_WORKLOADS };

struct config {
	bool enabled;
	char model_path[512];
	int64_t collection_interval_ns;
	int inference_method; /* enum inference_method */

	struct {
		bool enabled, recommendation_mode;
		unsigned n_isolated;
		uint16_t isolated_cpus[CONFIG_CPUS_MAX];
	} cpu_pinning;

	bool perf_counters_enabled;
	int64_t sampling_interval_ns;
	bool has_whitelist;
	bool whitelist[FEATURE_COUNT]; /* only these reach a model, where has_whitelist */

	struct {
		char url[256];
		int64_t timeout_ns, retry_attempts;
		char token_file[256], ca_file[256]; /* "": none; the system's */
		char cert_file[256], key_file[256]; /* ours, where it asks for one; "": none */
	} python_server;

	double confidence_threshold;
	int fallback_method; /* enum fallback_method */

	char listen[128];
	char state_directory[512];
	char trusted_keys[512];
	int64_t minimum_sequence;
	int64_t signature_threshold; /* different trusted keys that must have signed */
	int64_t probation_ticks;     /* a new bundle serves on probation so long; 0: never */
	char reload_token_file[512]; /* of POST /-/reload; "" switches it off */
	char host_energy_path[512];  /* powercap zones of the host; "": the kernel's own */
	int idle;		     /* enum idle_method */
	struct {
		int mode, meaning; /* enum powercap_mode, enum powercap_meaning */
		char path[512];
		bool hwmon;
	} powercap;
	int log_level, log_format; /* enum log_level, enum log_format */
	char node_name[256];

	/* Where the file says each key of schema.c's table; line 0: another said it, or nobody. */
	const char *file; /* borrowed */
	struct config_place {
		unsigned line, column;
	} places[CONFIG_KEYS_MAX];
};

/* What the command line said; NULL where it said nothing. */
struct config_flags {
	const char *config;	       /* --config: then the file must exist */
	const char *vm_energy_enabled; /* "true" or "false" */
	const char *vm_model_path, *listen, *state_dir, *log_level, *log_format, *node_name;
};

void config_defaults(struct config *c);

/* The whole precedence. On failure *ret is untouched. ERR_USAGE for a flag, ERR_CONFIG for what
 * file and environment say, or -errno of the file. */
int config_load(const struct config_flags *f, struct config *ret, struct err *e);

/* Only the YAML text, over *c; `name` is what messages call it. */
int config_parse(const char *text, size_t len, const char *name, struct config *c, struct err *e);

/* What one key must satisfy together with others; called by config_load. */
int config_check(const struct config *c, struct err *e);

/* Put "FILE:LINE:COLUMN: " before the message in `e` where the file said `key`; returns e->code. */
int config_blame(const struct config *c, const char *key, struct err *e);

#endif
