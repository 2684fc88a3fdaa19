// SPDX-License-Identifier: Apache-2.0
/* serve: tokens, messages into rows and back, reflection, memory of a message, when to ask again.
 */
#include <errno.h>
#include <sodium.h>

#include "base/cleanup.h"
#include "serve/answer.h"
#include "serve/arena.h"
#include "serve/client.h"
#include "serve/grpclog.h"
#include "serve/reflection.h"
#include "serve/server.h"
#include "serve/tokens.h"
#include "serve/models.h"
#include "test.h"

#include "bundles.h"

#define S INT64_C(1000000000)

/* ---- tokens ---- */

static const char *line_of(const char *token, const char *rest)
{
	static char lines[8][256];
	static unsigned at;
	unsigned char hash[crypto_hash_sha256_BYTES];
	char hex[2 * sizeof(hash) + 1];
	char *line = lines[at++ % 8];

	crypto_hash_sha256(hash, (const unsigned char *)token, strlen(token));
	sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
	snprintf(line, sizeof(lines[0]), "%s %s\n", hex, rest);
	return line;
}

static enum token_verdict try_token(struct tokens *t, const char *token, enum token_scope scope,
				    double rows, int64_t now_ns)
{
	const char *name;

	return tokens_ask(t, token, strlen(token), scope, rows, now_ns, &name);
}

static void a_token_is_good_for_its_scopes_only(void **state)
{
	struct err e = ERR_INIT;
	struct tokens *t;
	char text[1024];

	(void)state;
	snprintf(text, sizeof(text), "# fleet\n%s%s\n%s", line_of("one", "web"),
		 line_of("two", "operator load,info"), line_of("three", "a\r"));
	assert_int_equal(tokens_parse(text, "t", &t, &e), 0);
	assert_int_equal(tokens_count(t), 3);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 1, S), TOKEN_FINE);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_INFO, 1, S), TOKEN_FINE);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_LOAD, 1, S), TOKEN_OUT_OF_SCOPE);
	assert_int_equal(try_token(t, "two", SCOPE_TOKEN_LOAD, 1, S), TOKEN_FINE);
	assert_int_equal(try_token(t, "two", SCOPE_TOKEN_ESTIMATE, 1, S), TOKEN_OUT_OF_SCOPE);
	assert_int_equal(try_token(t, "three", SCOPE_TOKEN_ESTIMATE, 1, S), TOKEN_FINE);
	assert_int_equal(try_token(t, "four", SCOPE_TOKEN_INFO, 1, S), TOKEN_UNKNOWN);
	assert_int_equal(try_token(t, "", SCOPE_TOKEN_INFO, 1, S), TOKEN_UNKNOWN);
	tokens_free(t);
}

static void a_rate_holds_over_time(void **state)
{
	struct err e = ERR_INIT;
	struct tokens *t;

	(void)state;
	assert_int_equal(tokens_parse(line_of("one", "web estimate 10"), "t", &t, &e), 0);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 20, S), TOKEN_FINE);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 1, S), TOKEN_TOO_OFTEN);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 5, S + S / 2), TOKEN_FINE);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 1, S + S / 2), TOKEN_TOO_OFTEN);
	/* A day of silence earns no more than a burst. */
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 21, 86400 * S), TOKEN_TOO_OFTEN);
	assert_int_equal(try_token(t, "one", SCOPE_TOKEN_ESTIMATE, 20, 86400 * S), TOKEN_FINE);
	tokens_free(t);
}

static void lines_that_are_none_are_named(void **state)
{
	const char *const bad[] = {"abc web\n", line_of("x", ""), line_of("x", "web fly"),
				   line_of("x", "web estimate -1"),
				   line_of("x", "web info 1 more")};

	(void)state;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct err e = ERR_INIT;
		struct tokens *t = NULL;
		char text[600];

		snprintf(text, sizeof(text), "# one\n%s", bad[i]);
		assert_int_equal(tokens_parse(text, "file", &t, &e), -ERR_CONFIG);
		assert_non_null(strstr(e.msg, "file:2:"));
		assert_null(t);
	}
}

/* ---- messages ---- */

static EstimationRequest__FeaturesEntry entries[8], *entries_at[8];

static EstimationRequest request_of(size_t n, const char *const names[], const double values[])
{
	EstimationRequest q = ESTIMATION_REQUEST__INIT;

	for (size_t i = 0; i < n; i++) {
		entries[i] =
			(EstimationRequest__FeaturesEntry)ESTIMATION_REQUEST__FEATURES_ENTRY__INIT;
		entries[i].key = (char *)names[i];
		entries[i].value = values[i];
		entries_at[i] = &entries[i];
	}
	q.n_features = n;
	q.features = entries_at;
	return q;
}

static void every_feature_is_found_by_name(void **state)
{
	struct feature_index x;

	(void)state;
	feature_index_init(&x);
	feature_foreach (f)
		assert_int_equal(feature_index_find(&x, feature_info(f)->name), f);
	assert_int_equal(feature_index_find(&x, ""), -1);
	assert_int_equal(feature_index_find(&x, "cpu_utilisation"), -1);
}

static void a_request_becomes_a_row(void **state)
{
	const char *const names[] = {"cpu_utilization", "some_future_feature"};
	const double values[] = {0.5, 1};
	EstimationRequest q = request_of(2, names, values);
	struct err e = ERR_INIT;
	struct feature_index x;
	struct question got;

	(void)state;
	feature_index_init(&x);
	q.vcpus = 4;
	q.interval_s = 3;
	assert_int_equal(question_read(&x, &q, &got, &e), 0);
	assert_int_equal(got.known, 1);
	assert_close(got.row.v[FEATURE_CPU_UTILIZATION], 0.5, 0);
	assert_close(got.row.v[FEATURE_CPU_BUSY_VCPUS], 2, 1e-12);
	assert_close(got.row.dt_s, 3, 0);
	assert_true(isnan(got.row.v[FEATURE_CYCLES_RATE]));
}

static void a_request_that_says_nothing_is_refused(void **state)
{
	const char *const names[] = {"cpu_utilization"}, *const rates[] = {"context_switch_rate"},
			  *const sizes[] = {"vcpus"};
	const double values[] = {0.5}, not_finite[] = {INFINITY}, percent[] = {7},
		     negative[] = {-1}, absurd[] = {1e9};
	struct err e = ERR_INIT;
	struct feature_index x;
	struct question got;
	EstimationRequest q = ESTIMATION_REQUEST__INIT;

	(void)state;
	feature_index_init(&x);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	q = request_of(1, names, not_finite);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	q = request_of(1, names, percent);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	assert_string_equal(e.msg, "feature cpu_utilization: 7 is not a share of 0 to 1");
	q = request_of(1, names, negative);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	q = request_of(1, rates, negative);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	assert_string_equal(e.msg, "feature context_switch_rate: -1 is negative");
	q = request_of(1, sizes, absurd);
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	assert_string_equal(e.msg, "feature vcpus: 1e+09 is more than 65536");
	q = request_of(1, names, values);
	q.interval_s = -1;
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	q.interval_s = NAN;
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
	q.interval_s = 1;
	q.vcpus = -1;
	assert_int_equal(question_read(&x, &q, &got, &e), -ERR_DATA);
}

static void an_answer_has_zones_twice_and_the_smallest_confidence(void **state)
{
	struct estimate e = {.tier = TIER_OS};
	struct answer a;

	(void)state;
	e.zone[ZONE_PACKAGE] = (struct zone_estimate){.valid = true,
						      .active_w = 5,
						      .low_w = 4,
						      .high_w = 6,
						      .confidence = 0.8,
						      .distance = 0.1,
						      .provenance = PROVENANCE_TRAINED};
	e.zone[ZONE_DRAM] = e.zone[ZONE_PACKAGE];
	e.zone[ZONE_DRAM].confidence = 0.6;
	answer_write(&e, NULL, "generic", &a);
	assert_int_equal(a.message.n_zone_watts, 2);
	assert_int_equal(a.message.n_zones, 2);
	assert_close(a.message.confidence, 0.6, 0);
	assert_close(a.message.distance, 0.1, 0);
	assert_string_equal(a.message.zones[1]->key, "dram");
	assert_string_equal(a.message.zones[0]->value->provenance, "trained");
	assert_string_equal(a.message.model_version, "generic");
}

static void memory_of_a_message_is_given_back_at_once(void **state)
{
	struct arena a = {NULL, NULL};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t size = 1; size < 200000; size = size * 3 + 1) {
			unsigned char *p = arena_take(&a, size);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p % 16, 0);
			memset(p, round, size);
		}
		arena_reset(&a);
	}
	assert_null(arena_take(&a, SIZE_MAX - 3));
	arena_release(&a);
}

/* ---- reflection ---- */

static void reflection_knows_its_services(void **state)
{
	struct reflection r;

	(void)state;
	reflection_init(&r);
	assert_int_equal(r.n_files, 4);
	assert_int_equal(r.n_services, 4);
	assert_non_null(reflection_by_name(&r, "power_estimation.proto"));
	assert_ptr_equal(reflection_by_symbol(&r, "PowerEstimationService.EstimatePower"),
			 reflection_by_name(&r, "power_estimation.proto"));
	assert_non_null(reflection_by_symbol(&r, "EstimationRequest.FeaturesEntry"));
	assert_ptr_equal(reflection_by_symbol(&r, "grpc.health.v1.Health"),
			 reflection_by_name(&r, "grpc/health.proto"));
	assert_null(reflection_by_symbol(&r, "PowerEstimation"));
	assert_null(reflection_by_symbol(&r, "PowerEstimationServices"));
}

/* ---- addresses and options ---- */

static void only_this_machine_is_local(void **state)
{
	static const char *const local[] = {"unix:/run/x", "127.0.0.1:1", "localhost:1", "[::1]:1"};
	static const char *const open[] = {
		":1", "0.0.0.0:1", "[::]:1", "127.evil.example:1", "10.0.0.1:1", "nonsense"};

	(void)state;
	for (size_t i = 0; i < array_size(local); i++)
		assert_true(address_is_local(local[i]));
	for (size_t i = 0; i < array_size(open); i++)
		assert_false(address_is_local(open[i]));
}

static void beyond_this_machine_it_takes_tls_and_who_you_are(void **state)
{
	const char *const open[] = {":1"}, *const stores[] = {"x"};
	struct server_options o = {.listen = open, .n_listen = 1};
	struct err e = ERR_INIT;

	(void)state;
	o.models.directories = stores;
	o.models.n_directories = 1;
	assert_int_equal(server_check(&o, &e), -ERR_USAGE);
	o.cert = o.key = "f";
	assert_int_equal(server_check(&o, &e), -ERR_USAGE);
	o.tokens = "f";
	assert_int_equal(server_check(&o, &e), 0);
	o.tokens = NULL;
	o.client_ca = "f";
	assert_int_equal(server_check(&o, &e), 0);
	o.cert = NULL;
	assert_int_equal(server_check(&o, &e), -ERR_USAGE);
	o.key = o.client_ca = NULL;
	o.insecure = true;
	assert_int_equal(server_check(&o, &e), 0);
	o.metrics = "nowhere";
	assert_int_equal(server_check(&o, &e), -ERR_USAGE);
	o.metrics = "";
	assert_int_equal(server_check(&o, &e), 0);
}

/* ---- when to ask ---- */

static void the_breaker_opens_and_lets_one_try(void **state)
{
	struct breaker b;
	int64_t now = 100 * S;

	(void)state;
	breaker_init(&b);
	for (int i = 1; i < BREAKER_FAILURES; i++)
		breaker_note(&b, false, now, 1);
	assert_false(breaker_open(&b, now));
	breaker_note(&b, false, now, 1);
	assert_true(breaker_open(&b, now + S / 2));
	assert_false(breaker_open(&b, now + S));
	for (int i = 0; i < 20; i++)
		breaker_note(&b, false, now, 1);
	assert_true(breaker_open(&b, now + (int64_t)(BREAKER_MAX_S * 0.99e9)));
	assert_false(breaker_open(&b, now + (int64_t)(BREAKER_MAX_S * 1e9)));
	breaker_note(&b, true, now, 0);
	assert_false(breaker_open(&b, now));
	assert_int_equal(b.failures, 0);
}

static void retries_come_out_of_a_budget(void **state)
{
	struct breaker b;
	double wait_s;
	int spent = 0;

	(void)state;
	breaker_init(&b);
	assert_false(breaker_retry(&b, REMOTE_DENIED, 1, 3, 0, &wait_s));
	assert_false(breaker_retry(&b, REMOTE_UNREACHABLE, 1, 0, 0, &wait_s));
	assert_false(breaker_retry(&b, REMOTE_UNREACHABLE, 4, 3, 0, &wait_s));
	while (breaker_retry(&b, REMOTE_UNREACHABLE, 1, 3, 0.5, &wait_s)) {
		assert_true(wait_s > 0 && wait_s <= 2);
		spent++;
	}
	assert_int_equal(spent, (int)RETRY_BUDGET);
	for (int i = 0; i < 11; i++)
		breaker_note(&b, true, 0, 0);
	assert_true(breaker_retry(&b, REMOTE_UNREACHABLE, 1, 3, 0, &wait_s));
	assert_false(breaker_retry(&b, REMOTE_UNREACHABLE, 1, 3, 0, &wait_s));
}

/* ---- models ---- */

static int64_t served_sequence(struct models *m)
{
	struct served *s = models_take(m);
	int64_t sequence = s->set ? s->set->sequence : 0;

	served_release(s);
	return sequence;
}

/* The name that LoadModels was given is not followed later: it may lead elsewhere by then. */
static void a_store_that_was_named_by_a_link_stays_the_store(void **state)
{
	struct bundles b = {0};
	char path[PATH_MAX], other[96], link[96];
	const char *directories[] = {b.store};
	struct models_options o = {.directories = directories, .n_directories = 1};
	struct err e = ERR_INIT;
	struct models *m;
	bool changed;

	(void)state;
	bundles_setup(&b);
	o.trusted_keys = b.keys;
	snprintf(other, sizeof(other), "%s/other", b.dir);
	snprintf(link, sizeof(link), "%s/link", b.dir);
	bundles_make(&b, "2.0.0", 2, 0, path);
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), 0);
	bundles_make(&b, "1.0.0", 1, 0, path);
	assert_int_equal(store_install(other, path, b.trust, 0, false, NULL, &e), 0);
	assert_int_equal(models_open(&o, &m, &e), 0);
	assert_int_equal(models_load(m, other, &e), -EPERM);
	assert_int_equal(symlink(b.store, link), 0);
	assert_int_equal(models_load(m, link, &e), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(other, link), 0);
	assert_int_equal(models_reload(m, &changed, &e), 0);
	assert_false(changed);
	assert_int_equal(served_sequence(m), 2);
	models_close(m);
	bundles_teardown(&b);
}

static void as_many_keys_must_have_signed_as_the_server_asks(void **state)
{
	struct bundles b = {0};
	const char *directories[] = {b.store};
	struct models_options o = {
		.directories = directories, .n_directories = 1, .signature_threshold = 2};
	char path[PATH_MAX];
	struct err e = ERR_INIT;
	struct models *m;

	(void)state;
	bundles_setup(&b);
	o.trusted_keys = b.keys;
	bundles_make(&b, "1.0.0", 1, 0, path);
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), 0);
	assert_int_equal(models_open(&o, &m, &e), -ERR_SIGNATURE);
	assert_non_null(strstr(e.msg, "signature_threshold asks for 2"));
	bundles_sign(&b, path, 1, 2);
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), 0);
	assert_int_equal(models_open(&o, &m, &e), 0);
	assert_int_equal(served_sequence(m), 1);
	models_close(m);
	bundles_teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_token_is_good_for_its_scopes_only),
		cmocka_unit_test(a_rate_holds_over_time),
		cmocka_unit_test(lines_that_are_none_are_named),
		cmocka_unit_test(every_feature_is_found_by_name),
		cmocka_unit_test(a_request_becomes_a_row),
		cmocka_unit_test(a_request_that_says_nothing_is_refused),
		cmocka_unit_test(an_answer_has_zones_twice_and_the_smallest_confidence),
		cmocka_unit_test(memory_of_a_message_is_given_back_at_once),
		cmocka_unit_test(reflection_knows_its_services),
		cmocka_unit_test(only_this_machine_is_local),
		cmocka_unit_test(beyond_this_machine_it_takes_tls_and_who_you_are),
		cmocka_unit_test(the_breaker_opens_and_lets_one_try),
		cmocka_unit_test(retries_come_out_of_a_budget),
		cmocka_unit_test(a_store_that_was_named_by_a_link_stays_the_store),
		cmocka_unit_test(as_many_keys_must_have_signed_as_the_server_asks),
	};

	if (sodium_init() < 0)
		return 1;
	return run_unit(tests);
}
