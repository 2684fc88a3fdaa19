// SPDX-License-Identifier: Apache-2.0
/* config: every key, its spellings and limits; where an error is; precedence. */
#include "test.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "config/schema.h"

static struct config c;

static int parse(const char *body, struct err *e)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "vm_energy_modeling:\n%s", body);

	config_defaults(&c);
	*e = (struct err)ERR_INIT;
	return config_parse(text, (size_t)n, "f.yaml", &c, e);
}

/* A good and a bad value of every type. */
static const char *value_of(const struct key *k, bool good)
{
	switch (k->type) {
	case KEY_BOOL:
		return good ? "true" : "maybe";
	case KEY_STRING:
		return good ? "some" : "''";
	case KEY_DURATION:
		return good ? "7s" : "-7s";
	case KEY_INTEGER:
		return good ? "7" : "1e-1x";
	case KEY_NUMBER:
		return good ? "0.25" : "1.5";
	case KEY_CHOICE:
		return good ? k->choices[0] : "neither";
	case KEY_CPUS:
		return good ? "[1, 2]" : "[1, -2]";
	case KEY_FEATURES:
		return good ? "[cpu_utilization]" : "[cpu_utilisation]";
	case KEY_SECTION:
		break;
	}
	return good ? "{}" : "7";
}

/* "a.b" with `value` as YAML of that depth; `last` is the key's last word or its alias. */
static void write_key(char *body, size_t size, const struct key *k, const char *last,
		      const char *value)
{
	const char *dot = strchr(k->path, '.');

	if (dot)
		snprintf(body, size, "  %.*s:\n    %s: %s\n", (int)(dot - k->path), k->path, last,
			 value);
	else
		snprintf(body, size, "  %s: %s\n", last, value);
}

static void every_key_takes_a_good_value_and_refuses_a_bad_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_config_keys; i++) {
		const struct key *k = &config_keys[i];
		const char *dot = strrchr(k->path, '.'), *last = dot ? dot + 1 : k->path;
		char body[512];
		struct err e;

		write_key(body, sizeof(body), k, last, value_of(k, true));
		assert_int_equal(parse(body, &e), 0);
		if (k->alias) {
			write_key(body, sizeof(body), k, k->alias, value_of(k, true));
			assert_int_equal(parse(body, &e), 0);
		}
		write_key(body, sizeof(body), k, last, value_of(k, false));
		assert_int_equal(parse(body, &e), -ERR_CONFIG);
		assert_memory_equal(e.msg, dot ? "f.yaml:3:" : "f.yaml:2:", 9);
		assert_non_null(strstr(e.msg, last));
	}
}

static const char proposal[] =
	"vm_energy_modeling:\n  enabled: true\n  model_path: \"/var/lib/kepler/vm-models/\"\n"
	"  collection_interval: \"5s\"\n  inference_method: \"native\"  # or \"python-bridge\"\n\n"
	"  cpu_pinning:\n    enabled: false\n    isolated_cpus: [2, 3, 6, 7]\n"
	"    recommendation_mode: true\n\n  feature_config:\n    perf_counters_enabled: true\n"
	"    sampling_interval: \"1s\"\n    metrics_whitelist:\n      - \"cpu_utilization\"\n"
	"      - \"instructions_per_cycle\"\n      - \"cache_miss_ratio\"\n"
	"      - \"memory_usage_percent\"\n      - \"page_fault_rate\"\n"
	"      - \"context_switch_rate\"\n      - \"cpu_steal_time\"\n\n  python_server:\n"
	"    url: \"localhost:50051\"\n    timeout: \"5s\"\n    retry_attempts: 3\n\n"
	"  validation:\n    confidence_threshold: 0.7\n    fallback_method: \"estimation\"\n";

static void the_proposals_file_loads_as_it_stands(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	config_defaults(&c);
	assert_int_equal(config_parse(proposal, strlen(proposal), "f.yaml", &c, &e), 0);
	assert_int_equal(c.cpu_pinning.n_isolated, 4);
	assert_int_equal(c.cpu_pinning.isolated_cpus[3], 7);
	assert_true(c.has_whitelist && c.whitelist[FEATURE_CPU_STEAL_TIME]);
	assert_false(c.whitelist[FEATURE_VCPUS]);
	assert_true(c.collection_interval_ns == INT64_C(5000000000));
	assert_true(c.confidence_threshold == 0.7);
}

static void errors_say_where_and_what(void **state)
{
	static const struct {
		const char *body, *wanted;
	} cases[] = {
		{"  enabled: yes\n", "f.yaml:2:12: enabled: found 'yes'"},
		{"  enabled: true\n  enabled: true\n", "f.yaml:3:3: "},
		{"  modle_path: x\n", "did you mean 'model_path'?"},
		{"  zzzzzzzzzz: x\n", "f.yaml:2:3: unknown key 'zzzzzzzzzz', allowed: enabled, "},
		{"  powercap: {zzzzzzzzzz: x}\n", "', allowed: mode, meaning, path, hwmon"},
		{"  confidence_threshold: 0.5\n",
		 "did you mean 'validation.confidence_threshold'?"},
		{"  feature_config:\n    metrics_whitelist: [cpu_utilisation]\n",
		 "did you mean 'cpu_utilization'?"},
		{"  feature_config:\n    metrics_whitelist: []\n",
		 "f.yaml:3:25: feature_config.metrics_whitelist: found an empty list, allowed: "},
		{"  feature_config:\n    metrics_whitelist: [zzzzzzzzzz]\n",
		 "'zzzzzzzzzz' is no feature; docs/formats/recordings.md lists them"},
		{"  collection_interval: 5\n", "a duration such as 5s"},
		{"  collection_interval: 1us\n", "100ms"},
		{"  model_path: [a]\n", "f.yaml:2:15: "},
		{"  enabled:\n    a: b\n", "f.yaml:3:"},
		{"  enabled: true\n   model_path: x\n", "f.yaml:"},
		{"\tenabled: true\n", "f.yaml:"},
		{"  enabled: &a true\n  cpu_pinning: {enabled: *a}\n", "f.yaml:"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct err e;

		assert_int_equal(parse(cases[i].body, &e), -ERR_CONFIG);
		if (!strstr(e.msg, cases[i].wanted))
			print_error("%s: %s\n", cases[i].body, e.msg);
		assert_non_null(strstr(e.msg, cases[i].wanted));
		assert_null(strchr(e.msg, '\n'));
	}
}

static void odd_files_are_met(void **state)
{
	static const char other[] = "something_else: 1\n",
			  nul[] = "vm_energy_modeling:\n  en\0abled: 1";
	static const char bytes[] = "vm_energy_modeling: \xff\xfe\n";
	char deep[4000];
	struct err e = ERR_INIT;

	(void)state;
	config_defaults(&c);
	assert_int_equal(config_parse("", 0, "f.yaml", &c, &e), 0); /* nothing said: the defaults */
	assert_int_equal(config_parse("# only a comment\n", 17, "f.yaml", &c, &e), 0);
	assert_int_equal(config_parse("vm_energy_modeling:\n", 20, "f.yaml", &c, &e), 0);
	assert_true(config_parse(other, sizeof(other) - 1, "f.yaml", &c, &e) < 0);
	assert_true(config_parse(nul, sizeof(nul) - 1, "f.yaml", &c, &e) < 0);
	assert_true(config_parse(bytes, sizeof(bytes) - 1, "f.yaml", &c, &e) < 0);
	memset(deep, '[', sizeof(deep));
	assert_true(config_parse(deep, sizeof(deep), "f.yaml", &c, &e) < 0);
}

/* ---- precedence ---- */

static char file[] = "/tmp/vmwatts-config-XXXXXX";

static int write_file(void **state)
{
	static const char text[] = "vm_energy_modeling:\n  enabled: false\n  model_path: /file\n"
				   "  node_name: file\n";
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 || write(fd, text, sizeof(text) - 1) != sizeof(text) - 1 || close(fd) < 0;
}

static int remove_file(void **state)
{
	(void)state;
	unsetenv("KEPLER_VM_ENERGY_ENABLED");
	unsetenv("KEPLER_VM_MODEL_PATH");
	unsetenv("NODE_NAME");
	return unlink(file);
}

static void flag_before_environment_before_file_before_default(void **state)
{
	struct config_flags f = {.config = file};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(config_load(&f, &c, &e), 0);
	assert_false(c.enabled);
	assert_string_equal(c.model_path, "/file");
	assert_string_equal(c.listen, "127.0.0.1:9102");
	setenv("KEPLER_VM_ENERGY_ENABLED", "true", 1);
	setenv("KEPLER_VM_MODEL_PATH", "/environment", 1);
	setenv("NODE_NAME", "environment", 1);
	assert_int_equal(config_load(&f, &c, &e), 0);
	assert_true(c.enabled);
	assert_string_equal(c.model_path, "/environment");
	assert_string_equal(c.node_name, "environment");
	setenv("NODE_NAME", "", 1); /* says nothing */
	assert_int_equal(config_load(&f, &c, &e), 0);
	assert_string_equal(c.node_name, "file");
	f.vm_energy_enabled = "false";
	f.vm_model_path = "/flag";
	f.node_name = "flag";
	assert_int_equal(config_load(&f, &c, &e), 0);
	assert_false(c.enabled);
	assert_string_equal(c.model_path, "/flag");
	assert_string_equal(c.node_name, "flag");
	assert_int_equal(err_set(&e, -ENOENT, "not there"), -ENOENT);
	assert_int_equal(config_blame(&c, "model_path", &e), -ENOENT);
	assert_string_equal(e.msg, "not there"); /* the flag's, not the file's */
	f.node_name = "caf\xe9";		 /* Latin-1 */
	assert_int_equal(config_load(&f, &c, &e), -ERR_CONFIG);
	assert_non_null(strstr(e.msg, "node_name"));
	f.node_name = "caf\xc3\xa9";
	assert_int_equal(config_load(&f, &c, &e), 0);
	f.listen = "nowhere";
	strcpy(c.node_name, "before");
	assert_int_equal(config_load(&f, &c, &e), -ERR_USAGE);
	assert_string_equal(c.node_name, "before"); /* untouched on failure */
	f.listen = NULL;
	f.log_level = "loud";
	assert_int_equal(config_load(&f, &c, &e), -ERR_USAGE);
	f = (struct config_flags){.config = "/no/such.yaml"};
	assert_int_equal(config_load(&f, &c, &e), -ENOENT);
}

static void keys_must_fit_together(void **state)
{
	static const struct {
		const char *body, *wanted;
	} cases[] = {
		{"  collection_interval: 1s\n  feature_config: {sampling_interval: 2s}\n",
		 "f.yaml:3:39: collection_interval (1 s) must not be shorter"},
		{"  feature_config:\n    sampling_interval: 10s\n", "f.yaml:3:24: "},
		{"  collection_interval: 500ms\n", "f.yaml:2:24: "},
		{"  listen: 99\n", "f.yaml:2:11: listen: found '99', allowed: "},
		{"  python_server: {key_file: k.pem}\n", "f.yaml:2:29: "},
		{"  python_server: {url: nonsense}\n", "f.yaml:2:24: python_server.url: found"},
		{"  python_server: {url: \":50051\"}\n", "f.yaml:2:24: python_server.url: found"},
		{"  python_server: {url: \"h:99999\"}\n", "f.yaml:2:24: python_server.url: found"},
		{"  pythonServerURL: h\n",
		 "f.yaml:2:20: python_server.url: found 'h', allowed: HOST"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct err e;

		assert_int_equal(parse(cases[i].body, &e), 0);
		assert_int_equal(config_check(&c, &e), -ERR_CONFIG);
		if (strncmp(e.msg, cases[i].wanted, strlen(cases[i].wanted)) != 0)
			fail_msg("%s: %s", cases[i].body, e.msg);
	}
}

static void a_servers_address_may_be_written_in_several_ways(void **state)
{
	static const char *const good[] = {"h:50051",	"[::1]:50051",	   "unix:/run/s",
					   "https://h", "https://h:50051", "http://localhost:1"};

	(void)state;
	for (size_t i = 0; i < array_size(good); i++) {
		char body[100];
		struct err e = ERR_INIT;

		snprintf(body, sizeof(body), "  python_server: {url: \"%s\"}\n", good[i]);
		assert_int_equal(parse(body, &e), 0);
		if (config_check(&c, &e) < 0)
			fail_msg("%s: %s", good[i], e.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_takes_a_good_value_and_refuses_a_bad_one),
		cmocka_unit_test(the_proposals_file_loads_as_it_stands),
		cmocka_unit_test(errors_say_where_and_what),
		cmocka_unit_test(odd_files_are_met),
		cmocka_unit_test_setup_teardown(flag_before_environment_before_file_before_default,
						write_file, remove_file),
		cmocka_unit_test(keys_must_fit_together),
		cmocka_unit_test(a_servers_address_may_be_written_in_several_ways),
	};

	return run_unit(tests);
}
