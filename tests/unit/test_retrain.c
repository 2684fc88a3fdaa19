// SPDX-License-Identifier: Apache-2.0
/* retrain, poll: what is held out, when a candidate is better beyond noise, the pointer, the wait.
 */
#include "bundles.h"
#include "folder.h"

#include <math.h>
#include <sys/stat.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "bundle/bundle.h"
#include "bundle/pointer.h"
#include "poll/poll.h"
#include "retrain/compare.h"
#include "retrain/flat.h"
#include "retrain/holdout.h"
#include "retrain/intake.h"
#include "retrain/retrain.h"
#include "retrain/settings.h"

/* n_runs of n rows each, a group each, 10 W, one second apart. */
static struct table *runs_of(size_t n_runs, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	t->n_rows = n_runs * n;
	t->n_runs = t->n_groups = n_runs;
	t->runs = calloc(n_runs, sizeof(*t->runs));
	t->t_s = calloc(t->n_rows, sizeof(double));
	t->run = calloc(t->n_rows, sizeof(*t->run));
	t->group = calloc(t->n_rows, sizeof(*t->group));
	t->y_w[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++) {
		t->t_s[i] = (double)i;
		t->run[i] = t->group[i] = (uint32_t)(i / n);
		t->y_w[ZONE_PACKAGE][i] = 10;
	}
	for (size_t k = 0; k < n_runs; k++) {
		snprintf(t->runs[k].name, sizeof(t->runs[k].name), "run%zu", k);
		t->runs[k].first = k * n;
		t->runs[k].n = n;
		t->runs[k].ordered = true;
	}
	return t;
}

static void holds_whole_runs_from_the_newest_on(void **state)
{
	const struct holdout_rule rule = {.share = 0.2};
	struct table *t = runs_of(10, 100), *train, *held;

	(void)state;
	assert_int_equal(holdout_split(t, &rule, &train, &held, NULL), 0);
	assert_int_equal(train->n_rows, 800);
	assert_int_equal(held->n_rows, 200);
	assert_int_equal(held->n_runs, 2);
	assert_int_equal(held->n_groups, 2);
	assert_string_equal(held->runs[0].name, "run8");
	assert_int_equal(held->runs[1].first, 100);
	assert_int_equal(held->run[150], 1);
	assert_close(held->t_s[0], 800, 0);
	assert_string_equal(train->runs[7].name, "run7");
	table_free(train);
	table_free(held);
	table_free(t);
}

static void newest_is_by_time_and_not_by_import(void **state)
{
	const struct holdout_rule rule = {.share = 0.2};
	struct table *t = runs_of(5, 100), *train, *held;

	(void)state;
	for (size_t i = 0; i < 100; i++)
		t->t_s[i] += 10000;
	assert_int_equal(holdout_split(t, &rule, &train, &held, NULL), 0);
	assert_int_equal(held->n_runs, 1);
	assert_string_equal(held->runs[0].name, "run0");
	table_free(train);
	table_free(held);
	table_free(t);
}

static void one_long_run_gives_its_end(void **state)
{
	const struct holdout_rule share = {.share = 0.25}, time = {.share = 0.2, .last_s = 50};
	struct table *t = runs_of(1, 100), *train, *held;

	(void)state;
	assert_int_equal(holdout_split(t, &share, &train, &held, NULL), 0);
	assert_int_equal(held->n_rows, 25);
	assert_int_equal(train->n_rows, 75);
	assert_close(held->t_s[0], 75, 0);
	table_free(train);
	table_free(held);
	assert_int_equal(holdout_split(t, &time, &train, &held, NULL), 0);
	assert_int_equal(held->n_rows, 50);
	table_free(train);
	table_free(held);
	table_free(t);
}

static void a_window_over_everything_is_refused(void **state)
{
	const struct holdout_rule rule = {.share = 0.2, .last_s = 1e6};
	struct table *t = runs_of(2, 10), *train = NULL, *held = NULL;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(holdout_split(t, &rule, &train, &held, &e), -ERR_DATA);
	assert_non_null(strstr(e.msg, "nothing left to train on"));
	assert_null(train);
	assert_null(held);
	table_free(t);
}

/* Answers that miss by `off` and a little of their own. */
static void answer(const struct table *t, double off, double spread, struct answers *a)
{
	*a = (struct answers){.watts = {NULL}};
	a->watts[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	a->low[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	a->high[ZONE_PACKAGE] = calloc(t->n_rows, sizeof(double));
	for (size_t i = 0; i < t->n_rows; i++)
		a->watts[ZONE_PACKAGE][i] = 10 + off + spread * ((double)(i * 7919 % 101) / 50 - 1);
}

static enum verdict verdict_of(struct table *t, double candidate, double serving, double spread)
{
	struct zone_comparison c;
	struct answers a, b;

	answer(t, candidate, spread, &a);
	answer(t, serving, 0, &b);
	assert_int_equal(compare_zone(t, &a, &b, ZONE_PACKAGE, &c, NULL), 0);
	answers_release(&a);
	answers_release(&b);
	return c.verdict;
}

static void a_zone_is_judged_beyond_noise_only(void **state)
{
	struct table *t = runs_of(10, 40), *few = runs_of(2, 1);

	(void)state;
	assert_int_equal(verdict_of(t, 1, 3, 0.5), VERDICT_BETTER);
	assert_int_equal(verdict_of(t, 3, 1, 0.5), VERDICT_WORSE);
	assert_int_equal(verdict_of(t, 1, 1, 0), VERDICT_SAME);
	assert_int_equal(verdict_of(t, 1, 1.01, 0.9), VERDICT_SAME);
	assert_int_equal(verdict_of(few, 1, 3, 0), VERDICT_UNKNOWN);
	table_free(few);
	table_free(t);
}

/* Four blocks whose gains are 1, 2, 3, 4 W: D = 2.5, SE = sqrt(4/3 x 5 x 100) / 40 by hand. */
static void the_standard_error_is_that_of_clusters(void **state)
{
	struct table *t = runs_of(8, 10);
	struct zone_comparison c;
	struct answers a, b;

	(void)state;
	answer(t, 0, 0, &a);
	answer(t, 0, 0, &b);
	for (size_t i = 0; i < t->n_rows; i++) {
		b.watts[ZONE_PACKAGE][i] += (double)(i / 10 + 1);
		if (i >= 40)
			t->y_w[ZONE_PACKAGE][i] = NAN;
	}
	assert_int_equal(compare_zone(t, &a, &b, ZONE_PACKAGE, &c, NULL), 0);
	assert_int_equal(c.rows, 40);
	assert_int_equal(c.blocks, 4);
	assert_close(c.gain_w, 2.5, 1e-12);
	assert_close(c.se_w, sqrt(4.0 / 3 * 5 * 100) / 40, 1e-12);
	assert_int_equal(c.verdict, VERDICT_BETTER); /* 2.5 > 3.18 x 0.645 = 2.05 */
	answers_release(&a);
	answers_release(&b);
	table_free(t);
}

static void what_is_promoted_follows_the_rule(void **state)
{
	static const struct {
		enum verdict package, core;
		bool better, not_worse;
	} cases[] = {{VERDICT_BETTER, VERDICT_SAME, true, true},
		     {VERDICT_BETTER, VERDICT_WORSE, false, false},
		     {VERDICT_SAME, VERDICT_SAME, false, true},
		     {VERDICT_UNKNOWN, VERDICT_UNKNOWN, false, false}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct zone_comparison zones[ZONE_COUNT] = {{.rows = 0}};
		struct text reason = {0};

		zones[ZONE_PACKAGE].rows = zones[ZONE_CORE].rows = 9;
		zones[ZONE_PACKAGE].verdict = cases[i].package;
		zones[ZONE_CORE].verdict = cases[i].core;
		assert_int_equal(promote_decide(PROMOTE_BETTER, zones, &reason), cases[i].better);
		assert_true(reason.len > 10);
		assert_int_equal(promote_decide(PROMOTE_NOT_WORSE, zones, &reason),
				 cases[i].not_worse);
		assert_true(promote_decide(PROMOTE_ALWAYS, zones, &reason));
		text_release(&reason);
	}
}

static void a_pointer_reads_back(void **state)
{
	struct pointer p = {.file = "a-1.0.vmw", .sequence = 7}, q;
	struct text t = {0};

	(void)state;
	pointer_measure(&p, "abc", 3);
	assert_string_equal(p.sha256,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	pointer_write(&p, &t);
	assert_int_equal(pointer_parse(t.s, t.len, &q, NULL), 0);
	assert_string_equal(q.file, "a-1.0.vmw");
	assert_int_equal(q.sequence, 7);
	assert_int_equal(q.bytes, 3);
	assert_string_equal(q.sha256, p.sha256);
	for (size_t n = 0; n < t.len; n++)
		assert_int_equal(pointer_parse(t.s, n, &q, NULL), -ERR_FORMAT);
	text_release(&t);
}

static void a_pointer_that_leads_astray_is_refused(void **state)
{
	static const char *const files[] = {"../a.vmw", "a/b.vmw", ".vmw",    ".a.vmw",
					    "a.txt",	"-a.vmw",  "a b.vmw", ""};
	char text[400];
	struct pointer p;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		snprintf(text, sizeof(text),
			 "vmwatts-latest 1\nfile %s\nsequence 1\nbytes 1\nsha256 %064d\n", files[i],
			 0);
		assert_int_equal(pointer_parse(text, strlen(text), &p, NULL), -ERR_FORMAT);
	}
	snprintf(text, sizeof(text),
		 "vmwatts-latest 1\nfile a.vmw\nsequence 1\nbytes %u\nsha256 %064d\n",
		 BUNDLE_MAX_BYTES + 1, 0);
	assert_int_equal(pointer_parse(text, strlen(text), &p, NULL), -ERR_FORMAT);
}

static void waits_grow_with_failures_up_to_an_hour(void **state)
{
	(void)state;
	assert_close(poll_wait_s(300, 0, 0.5), 300, 1e-12);
	assert_close(poll_wait_s(300, 0, 0), 270, 1e-12);
	assert_close(poll_wait_s(300, 1, 0.5), 30, 1e-12);
	assert_close(poll_wait_s(300, 3, 0.5), 120, 1e-12);
	assert_close(poll_wait_s(300, 4000000000u, 0.5), 3600, 1e-12);
	assert_close(poll_wait_s(86400, 4000000000u, 0.5), 86400, 1e-12);
}

static void only_safe_locations_are_taken(void **state)
{
	static const char *const good[] = {"https://h/x", "file:///x", "http://127.0.0.1:1/x",
					   "http://localhost/x"};
	static const char *const bad[] = {"http://h/x", "ftp://h/x",	 "file://x",	 "h/x",
					  "",		"https://u@h/x", "https://h/x?y"};

	(void)state;
	for (size_t i = 0; i < array_size(good); i++)
		assert_int_equal(poll_check_url(good[i], NULL), 0);
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(poll_check_url(bad[i], NULL), -ERR_USAGE);
}

/* As many keys must sign as the agent asks for, and their signatures come along. */
static void a_second_signature_is_fetched_where_it_is_asked_for(void **state)
{
	struct bundles b = {0};
	char path[PATH_MAX], url[96], latest[128], *data;
	struct poll_options o = {.url = url, .max_bytes = 1u << 20, .stop_fd = -1};
	struct pointer p = {.file = "1.0.0.vmw", .sequence = 1};
	struct poll_result result;
	struct err e = ERR_INIT;
	struct text t = {0};
	size_t len;

	(void)state;
	bundles_setup(&b);
	snprintf(url, sizeof(url), "file://%s", b.dir);
	snprintf(latest, sizeof(latest), "%s/latest", b.dir);
	bundles_make(&b, "1.0.0", 1, 0, path);
	assert_int_equal(file_read(path, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	pointer_measure(&p, data, len);
	pointer_write(&p, &t);
	assert_int_equal(file_replace(latest, 0644, t.s, t.len, &e), 0);
	o.model_path = b.store;
	o.trust = b.trust;
	o.signatures = 2;
	trust_require(b.trust, 2);
	assert_int_equal(poll_once(&o, &result, &e), -ERR_SIGNATURE);
	assert_non_null(strstr(e.msg, "signature_threshold asks for 2"));
	bundles_sign(&b, path, 1, 2);
	assert_int_equal(poll_once(&o, &result, &e), 0);
	assert_true(result.installed);
	assert_int_equal(poll_once(&o, &result, &e), 0);
	assert_false(result.installed);
	text_release(&t);
	free(data);
	bundles_teardown(&b);
}

static int collect(struct events *ev, const char *path, void *arg)
{
	text_printf(arg, "%s=%s;", path, events_scalar(ev));
	return 0;
}

static void json_is_read_as_paths_and_words(void **state)
{
	static const char json[] = "{\"a\":{\"b\":[1,2],\"c\":null},\"d\":\"x: y\"}";
	struct text t = {0};

	(void)state;
	assert_int_equal(flat_read(json, strlen(json), "j", collect, &t, NULL), 0);
	assert_string_equal(t.s, "a.b=1;a.b=2;a.c=null;d=x: y;");
	assert_int_equal(flat_read("[[[[[[[[[[1]]]]]]]]]]", 21, "j", collect, &t, NULL),
			 -ERR_CONFIG);
	text_release(&t);
}

static void words_become_options(void **state)
{
	struct settings s = {.recordings = "r", .work = "w", .publish = "p", .sign_key = "k"};
	struct retrain_options o = {.force = true};

	(void)state;
	assert_int_equal(settings_apply(&s, &o, NULL), 0);
	assert_close(o.hold_out.share, 0.2, 0);
	assert_int_equal(o.promote, PROMOTE_BETTER);
	assert_string_equal(o.train.name, "vmwatts");
	assert_true(o.force);
	s.hold_out = "24h";
	s.promote = "not-worse";
	s.budget = "90s";
	assert_int_equal(settings_apply(&s, &o, NULL), 0);
	assert_close(o.hold_out.last_s, 86400, 0);
	assert_close(o.train.budget_s, 90, 0);
	assert_int_equal(o.train.search, SEARCH_BAYES);
	s.family = "linear";
	assert_int_equal(settings_apply(&s, &o, NULL), -ERR_USAGE);
	s.budget = NULL;
	s.expires = "180d";
	assert_int_equal(settings_apply(&s, &o, NULL), 0);
	assert_string_equal(o.expires, "180d");
	s.expires = "2020-01-01";
	assert_int_equal(settings_apply(&s, &o, NULL), -ERR_USAGE);
	s.expires = NULL;
	s.name = "../x";
	assert_int_equal(settings_apply(&s, &o, NULL), -ERR_USAGE);
}

/* ---- recordings that change ---- */

/* A round's intake of one recording: how many rows the dataset has then; 0 where it was refused. */
static size_t take_in(const struct work *w, int64_t round, const char *text)
{
	const struct retrain_options o = {.recordings = path_of("rec")};
	struct table *t = NULL;
	struct intake in;
	struct dataset *d;
	struct err e = ERR_INIT;
	size_t n;

	csv("rec/a.csv", text);
	assert_int_equal(intake_run(w, &o, round, &in, &e), 0);
	n = in.imported;
	assert_int_equal(in.imported + in.refused, 1);
	intake_release(&in);
	assert_int_equal(dataset_open(path_of("work/data.db"), DATASET_READ, &d, &e), 0);
	assert_int_equal(dataset_load(d, &t, &e), 0);
	assert_int_equal(t->n_runs, 1);
	n *= t->n_rows;
	table_free(t);
	dataset_close(d);
	return n;
}

static void a_recording_that_was_spoilt_and_mended_is_taken_in_again(void **state)
{
	struct work w = {.lock_fd = -1};
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkdir(path_of("rec"), 0700), 0);
	assert_int_equal(work_open(path_of("work"), false, &w, &e), 0);
	assert_int_equal(take_in(&w, 1, "time_s,cpu_utilization,package_watts\n1,0.1,1\n2,0.2,2\n"),
			 2);
	assert_int_equal(take_in(&w, 2, "time_s,cpu_utilization\n1,0.1\n"), 0);
	assert_int_equal(take_in(&w, 3, "time_s,cpu_utilization\n1,0.1\n2,0.2\n"), 0);
	assert_int_equal(
		take_in(&w, 4, "time_s,cpu_utilization,package_watts\n1,0.1,1\n2,0.2,2\n3,0.3,3\n"),
		3);
	work_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_whole_runs_from_the_newest_on),
		cmocka_unit_test(newest_is_by_time_and_not_by_import),
		cmocka_unit_test(one_long_run_gives_its_end),
		cmocka_unit_test(a_window_over_everything_is_refused),
		cmocka_unit_test(a_zone_is_judged_beyond_noise_only),
		cmocka_unit_test(the_standard_error_is_that_of_clusters),
		cmocka_unit_test(what_is_promoted_follows_the_rule),
		cmocka_unit_test(a_pointer_reads_back),
		cmocka_unit_test(a_pointer_that_leads_astray_is_refused),
		cmocka_unit_test(waits_grow_with_failures_up_to_an_hour),
		cmocka_unit_test(only_safe_locations_are_taken),
		cmocka_unit_test(a_second_signature_is_fetched_where_it_is_asked_for),
		cmocka_unit_test(json_is_read_as_paths_and_words),
		cmocka_unit_test(words_become_options),
		cmocka_unit_test(a_recording_that_was_spoilt_and_mended_is_taken_in_again),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
