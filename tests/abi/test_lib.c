// SPDX-License-Identifier: Apache-2.0
/* The installed library, linked as a program outside would: only include/vmwatts/vmwatts.h. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <vmwatts/vmwatts.h>

static void names_are_those_of_the_format(void **state)
{
	(void)state;
	assert_int_equal(vmwatts_abi(), 3);
	assert_true(vmwatts_feature_count() > 40 &&
		    vmwatts_feature_count() <= VMWATTS_FEATURES_MAX);
	for (size_t i = 0; i < vmwatts_feature_count(); i++) {
		assert_int_equal(vmwatts_feature_find(vmwatts_feature_name(i)), i);
		assert_non_null(vmwatts_feature_unit(i));
	}
	assert_int_equal(vmwatts_feature_find("memory_read_bytes_rate"), -1);
	assert_int_equal(vmwatts_feature_find(NULL), -1);
	assert_null(vmwatts_feature_name(vmwatts_feature_count()));
	assert_string_equal(vmwatts_zone_name(VMWATTS_ZONE_UNCORE), "uncore");
	assert_null(vmwatts_zone_name(VMWATTS_ZONE_COUNT));
	assert_null(vmwatts_zone_name(-1));
}

static void the_prior_answers_without_a_bundle(void **state)
{
	struct vmwatts_zone zones[VMWATTS_ZONE_COUNT], full[VMWATTS_ZONE_COUNT];
	double x[VMWATTS_FEATURES_MAX];
	struct vmwatts *v;

	(void)state;
	assert_int_equal(vmwatts_open(NULL, NULL, &v, NULL), 0);
	assert_memory_equal(vmwatts_model(v), "prior ", 6);
	vmwatts_features_clear(x);
	assert_int_equal(vmwatts_estimate(v, x, zones), 0);
	for (int z = 0; z < VMWATTS_ZONE_COUNT; z++)
		assert_false(zones[z].valid); /* nothing is known: nothing is said */
	x[vmwatts_feature_find("vcpus")] = 4;
	x[vmwatts_feature_find("cpu_utilization")] = 0.25;
	vmwatts_estimate(v, x, zones);
	x[vmwatts_feature_find("cpu_utilization")] = 1;
	vmwatts_estimate(v, x, full);
	for (int z = 0; z < VMWATTS_ZONE_COUNT; z++) {
		assert_true(zones[z].valid);
		assert_string_equal(zones[z].provenance, "prior");
		assert_true(zones[z].watts_low <= zones[z].watts);
		assert_true(zones[z].watts <= zones[z].watts_high);
		assert_true(zones[z].confidence > 0 && zones[z].confidence <= 1);
		assert_true(full[z].watts >= zones[z].watts);
	}
	assert_true(full[VMWATTS_ZONE_PACKAGE].watts > zones[VMWATTS_ZONE_PACKAGE].watts);
	vmwatts_close(v);
}

/* Who installs bundles there could add a key. */
static void a_key_inside_the_store_is_refused(void **state)
{
	char store[] = "/tmp/test_lib.XXXXXX", key[64], why[VMWATTS_ERROR_SIZE] = "";
	struct vmwatts *v = NULL;
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(store));
	snprintf(key, sizeof(key), "%s/k.pub", store);
	f = fopen(key, "we");
	assert_non_null(f);
	fclose(f);
	assert_true(vmwatts_open(store, key, &v, why) < 0);
	assert_non_null(strstr(why, "is in model_path"));
	assert_null(v);
	unlink(key);
	rmdir(store);
}

static void failures_are_told(void **state)
{
	char why[VMWATTS_ERROR_SIZE] = "";
	struct vmwatts *v = NULL;

	(void)state;
	assert_true(vmwatts_open("/nowhere.vmw", NULL, &v, why) < 0);
	assert_non_null(strstr(why, "public key"));
	assert_true(vmwatts_open("/nowhere.vmw", "/nowhere.pub", &v, why) < 0);
	assert_non_null(strstr(why, "/nowhere.pub"));
	assert_true(vmwatts_open_signed("/nowhere.vmw", "/nowhere.pub", 2, &v, why) < 0);
	assert_non_null(strstr(why, "/nowhere.pub"));
	assert_null(v);
	vmwatts_close(NULL);
	vmwatts_session_free(NULL);
	vmwatts_meter_free(NULL);
}

static void sessions_take_rows_in_time_order(void **state)
{
	struct vmwatts_zone zones[VMWATTS_ZONE_COUNT];
	double x[VMWATTS_FEATURES_MAX];
	struct vmwatts_session *s;
	struct vmwatts *v;

	(void)state;
	assert_int_equal(vmwatts_open(NULL, NULL, &v, NULL), 0);
	assert_int_equal(vmwatts_session_new(v, &s, NULL), 0);
	vmwatts_features_clear(x);
	x[vmwatts_feature_find("vcpus")] = 2;
	x[vmwatts_feature_find("cpu_busy_vcpus")] = 1;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(vmwatts_session_push(s, i, 1, x, zones), 0);
		assert_true(zones[VMWATTS_ZONE_PACKAGE].valid);
	}
	assert_true(vmwatts_session_push(s, NAN, 1, x, zones) < 0);
	vmwatts_session_free(s);
	vmwatts_close(v);
}

static void the_meter_reads_this_machine(void **state)
{
	double x[VMWATTS_FEATURES_MAX], seconds;
	struct vmwatts_meter *m;
	char why[VMWATTS_ERROR_SIZE];

	(void)state;
	assert_int_equal(vmwatts_meter_new(&m, why), 0);
	usleep(200000);
	assert_int_equal(vmwatts_meter_read(m, x, &seconds), 0);
	assert_true(seconds > 0.15 && seconds < 10);
	assert_true(x[vmwatts_feature_find("vcpus")] >= 1);
	assert_true(x[vmwatts_feature_find("cpu_utilization")] >= 0);
	assert_true(x[vmwatts_feature_find("cpu_utilization")] <= 1);
	vmwatts_meter_free(m);
}

static void codes_have_words(void **state)
{
	(void)state;
	assert_string_equal(vmwatts_strerror(0), "done");
	assert_string_equal(vmwatts_strerror(-VMWATTS_ERR_STALE),
			    vmwatts_strerror(VMWATTS_ERR_STALE));
	for (int code = VMWATTS_ERR_FORMAT; code <= VMWATTS_ERR_STALE; code++)
		assert_string_not_equal(vmwatts_strerror(code), vmwatts_strerror(code + 1));
	assert_string_equal(vmwatts_strerror(-ENOENT), strerror(ENOENT));
	assert_string_equal(vmwatts_strerror(-999999), "unknown error");
	assert_string_equal(vmwatts_strerror(INT_MIN), "unknown error");
}

static void the_prior_has_no_card(void **state)
{
	struct vmwatts_card_model m = {.sz = sizeof(m)};
	struct vmwatts_card c = {.sz = sizeof(c)};
	struct vmwatts *v;

	(void)state;
	assert_int_equal(vmwatts_open(NULL, NULL, &v, NULL), 0);
	assert_int_equal(vmwatts_card_get(v, &c), -ENODATA);
	assert_int_equal(vmwatts_card_model_get(v, VMWATTS_ZONE_PACKAGE, 0, &m), -ENODATA);
	assert_int_equal(vmwatts_card_model_get(v, -1, 0, &m), -EINVAL);
	assert_int_equal(vmwatts_card_model_get(v, VMWATTS_ZONE_COUNT, 0, &m), -EINVAL);
	assert_null(vmwatts_card_json(v));
	assert_string_equal(vmwatts_misfit(v), "");
	vmwatts_close(v);
}

static void values_that_no_feature_has_are_refused(void **state)
{
	const double bad[] = {7, -1, INFINITY};
	struct vmwatts_zone zones[VMWATTS_ZONE_COUNT];
	struct vmwatts_session *session;
	double x[VMWATTS_FEATURES_MAX];
	struct vmwatts *v;

	(void)state;
	assert_int_equal(vmwatts_open(NULL, NULL, &v, NULL), 0);
	assert_int_equal(vmwatts_session_new(v, &session, NULL), 0);
	vmwatts_features_clear(x);
	x[vmwatts_feature_find("vcpus")] = 4;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		x[vmwatts_feature_find("cpu_utilization")] = bad[i];
		assert_int_equal(vmwatts_estimate(v, x, zones), -EINVAL);
		assert_int_equal(vmwatts_session_push(session, 1, 1, x, zones), -EINVAL);
	}
	x[vmwatts_feature_find("cpu_utilization")] = 0.4;
	assert_int_equal(vmwatts_estimate(v, x, zones), 0);
	assert_int_equal(vmwatts_session_push(session, 1, 1, x, zones), 0);
	vmwatts_session_free(session);
	vmwatts_close(v);
}

static void tiers_are_those_of_the_features(void **state)
{
	double x[VMWATTS_FEATURES_MAX];

	(void)state;
	vmwatts_features_clear(x);
	assert_string_equal(vmwatts_features_tier(x), "os");
	x[vmwatts_feature_find("core_clock_mhz")] = 3000;
	assert_string_equal(vmwatts_features_tier(x), "clock");
}

/* A caller of a later header knows more than this library, one of an earlier header less. */
static void option_structures_are_as_long_as_their_caller_says(void **state)
{
	struct {
		struct vmwatts_meter_options o;
		uint64_t later;
	} longer = {.o = {.sz = sizeof(longer), .no_perf = 1}, .later = 7};
	struct vmwatts_meter_options unset = {.no_perf = 1};
	char why[VMWATTS_ERROR_SIZE] = "";
	struct vmwatts_meter *m = NULL;

	(void)state;
	assert_int_equal(vmwatts_meter_open(&unset, &m, why), -EINVAL);
	assert_non_null(strstr(why, "sz"));
	assert_null(m);
	assert_int_equal(vmwatts_meter_open(&longer.o, &m, why), 0);
	vmwatts_meter_free(m);
	unset = (struct vmwatts_meter_options){.sz = sizeof(unset), .root = "/nowhere"};
	assert_int_equal(vmwatts_meter_open(&unset, &m, why), -ENOENT);
	assert_non_null(strstr(why, "/nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_those_of_the_format),
		cmocka_unit_test(the_prior_answers_without_a_bundle),
		cmocka_unit_test(a_key_inside_the_store_is_refused),
		cmocka_unit_test(failures_are_told),
		cmocka_unit_test(sessions_take_rows_in_time_order),
		cmocka_unit_test(the_meter_reads_this_machine),
		cmocka_unit_test(codes_have_words),
		cmocka_unit_test(the_prior_has_no_card),
		cmocka_unit_test(values_that_no_feature_has_are_refused),
		cmocka_unit_test(tiers_are_those_of_the_features),
		cmocka_unit_test(option_structures_are_as_long_as_their_caller_says),
	};

	return run_unit(tests);
}
