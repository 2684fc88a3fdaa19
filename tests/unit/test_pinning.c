// SPDX-License-Identifier: Apache-2.0
/* pinning: the score on scripted rows, sets of CPUs, reports, hosts that do not exist. */
#include "test.h"

#include <errno.h>

#include "folder.h"
#include "pinning/advice.h"
#include "pinning/report.h"
#include "pinning/score.h"

static struct row row(double dt_s, double utilization, double switches)
{
	struct row r;

	row_clear(&r);
	r.dt_s = dt_s;
	r.v[FEATURE_CPU_UTILIZATION] = utilization;
	r.v[FEATURE_CONTEXT_SWITCH_RATE] = switches;
	r.v[FEATURE_CPU_STEAL_TIME] = 0;
	return r;
}

/* n seconds that alternate about the means by these deviations. */
static struct pinning_statistics alternating(int n, double utilization_sd, double switches_cv,
					     double accuracy_sd, double step_s)
{
	struct pinning_statistics s;
	struct pinning_window w;

	assert_int_equal(pinning_window_init(&w, 30, NULL), 0);
	for (int i = 0; i < (int)(n / step_s + 0.5); i++) {
		double sign = (int)(i * step_s) % 2 ? 1 : -1;
		struct row r =
			row(step_s, 0.5 + sign * utilization_sd, 1000 * (1 + sign * switches_cv));

		pinning_window_push(&w, &r);
	}
	pinning_window_statistics(&w, accuracy_sd, &s);
	pinning_window_release(&w);
	return s;
}

static double score(double utilization_sd, double switches_cv, double accuracy_sd)
{
	struct pinning_statistics s = alternating(30, utilization_sd, switches_cv, accuracy_sd, 1);

	return pinning_score(&s);
}

static void thresholds_cross_exactly(void **state)
{
	(void)state;
	assert_close(score(0.1499, 0.1999, NAN), 0, 0);
	assert_close(score(0.1501, 0.1999, NAN), 0.3, 1e-12);
	assert_close(score(0.1499, 0.2001, NAN), 0.4, 1e-12);
	assert_close(score(0.1499, 0.1999, 0.1001), 0.3, 1e-12);
	assert_close(score(0.1499, 0.1999, 0.0999), 0, 0);
	assert_close(score(0.1501, 0.2001, NAN), 0.7, 1e-12);
	assert_close(score(0.1501, 0.2001, 0.1001), 1, 1e-12);
	assert_true(score(0.1501, 0.1999, 0.1001) > PINNING_SHOULD);
	assert_false(score(0.1499, 0.2001, 0.0999) > PINNING_SHOULD);
}

static void the_sampling_interval_does_not_matter(void **state)
{
	struct pinning_statistics whole = alternating(30, 0.2, 0.3, NAN, 1);
	struct pinning_statistics tenths = alternating(30, 0.2, 0.3, NAN, 0.1);

	(void)state;
	assert_close(whole.rule[PINNING_UTILIZATION], 0.2, 1e-9);
	assert_close(tenths.rule[PINNING_CONTEXT_SWITCHES], whole.rule[PINNING_CONTEXT_SWITCHES],
		     0.15);
}

static void too_few_seconds_say_nothing(void **state)
{
	struct pinning_statistics s = alternating(PINNING_BINS_MIN - 1, 0.4, 0.5, NAN, 1);

	(void)state;
	assert_true(isnan(s.rule[PINNING_UTILIZATION]));
	assert_close(pinning_score(&s), 0, 0);
}

static void the_window_forgets(void **state)
{
	struct pinning_statistics s;
	struct pinning_window w;

	(void)state;
	assert_int_equal(pinning_window_init(&w, 10, NULL), 0);
	for (int i = 0; i < 30; i++) {
		struct row r = row(1, i < 20 && i % 2 ? 1 : 0.2, 500);

		pinning_window_push(&w, &r);
	}
	pinning_window_statistics(&w, NAN, &s);
	assert_true(s.rule[PINNING_UTILIZATION] < 1e-12);
	pinning_window_release(&w);
}

static void lists_of_cpus_read_back(void **state)
{
	static const char *const lists[] = {"0", "0-3,8", "1,3,5-7", "1000-1023", "none"};

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct cpus c = cpus_parse(lists[i]);
		struct text t = {.s = NULL};

		cpus_write(&c, &t);
		assert_string_equal(t.s, lists[i]);
		text_release(&t);
	}
	assert_int_equal(cpus_count(&(struct cpus){{0}}), 0);
	assert_int_equal(cpus_read(&(struct root){.prefix = "/none"}, "/x").bits[0], 0);
	struct cpus c = cpus_parse("managed_irq,domain,2-3 quiet 7");

	assert_int_equal(c.bits[0], 12);
}

static void a_report_gives_the_spread_of_its_runs(void **state)
{
	struct report r;
	struct err e = ERR_INIT;
	enum zone z = ZONE_CORE;

	(void)state;
	assert_int_equal(
		report_read(
			csv("r.json",
			    "{\"bundle\":{\"name\":\"a\",\"version\":\"1\"},\"zones\":{\"package\":"
			    "{\"rows\":9,\"wmape\":0.2,\"mae_watts\":1.5,\"by_run\":{\"one "
			    "\\\"x\\\"\":"
			    "{\"rows\":1,\"wmape\":0.1},\"two\":{\"wmape\":0.3},\"three\":{"
			    "\"wmape\":"
			    "null}}},\"core\":{\"wmape\":0.4}}}\n"),
			&r, &e),
		0);
	assert_close(report_accuracy_sd(&r, &z), 0.1, 1e-9);
	assert_int_equal(z, ZONE_PACKAGE);
	assert_close(r.zones[ZONE_CORE].wmape, 0.4, 0);
	assert_true(report_read(csv("bad.json", "{\"zones\": [1"), &r, &e) < 0);
	assert_non_null(strstr(e.msg, "bad.json:1:"));
	assert_true(report_read(csv("other.json", "{\"a\": 1}"), &r, &e) < 0);
	assert_non_null(strstr(e.msg, "evaluate --json"));
}

/* A host of `cpus` CPUs, two threads a core, two nodes, with VMs of these sizes. */
static struct host *simulated_host(unsigned cpus, const unsigned *vcpus, size_t n_vms)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	h->n_nodes = 2;
	for (unsigned i = 0; i < cpus; i++) {
		cpus_add(&h->online, i);
		cpus_add(&h->nodes[i < cpus / 2 ? 0 : 1], i);
		cpus_add(&h->siblings[i], i);
		cpus_add(&h->siblings[i], i ^ 1);
	}
	h->vms = calloc(n_vms ? n_vms : 1, sizeof(*h->vms));
	assert_non_null(h->vms);
	h->n_vms = n_vms;
	for (size_t i = 0; i < n_vms; i++) {
		h->vms[i].n_vcpus = vcpus[i];
		snprintf(h->vms[i].name, sizeof(h->vms[i].name), "vm%zu", i);
	}
	return h;
}

static void vms_get_whole_cores_of_one_node(void **state)
{
	static const unsigned vcpus[] = {3, 4};
	struct host *h = simulated_host(16, vcpus, 2);
	struct advice a;

	(void)state;
	assert_int_equal(advice_make(h, 0, &a, NULL), 0);
	assert_true(a.fits);
	assert_int_equal(a.system.bits[0], 3);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(cpus_count(&a.vms[i].cpus), 4); /* 3 vCPUs take two cores too */
		assert_true(cpus_within(&a.vms[i].cpus, &h->nodes[a.vms[i].node]));
		assert_false(cpus_meet(&a.vms[i].cpus, &a.system));
		for (unsigned k = 0; k < vcpus[i]; k++)
			assert_true(cpus_has(&a.vms[i].cpus, a.vms[i].cpu[k]));
	}
	assert_false(cpus_meet(&a.vms[0].cpus, &a.vms[1].cpus));
	assert_int_equal(a.vms[1].cpu[0] ^ 1, a.vms[1].cpu[1]);
	advice_release(&a);
	host_free(h);
}

static void what_does_not_fit_is_said(void **state)
{
	static const unsigned vcpus[] = {9, 2};
	struct host *h = simulated_host(16, vcpus, 2);
	struct err e = ERR_INIT;
	struct advice a;

	(void)state;
	assert_int_equal(advice_make(h, 0, &a, NULL), 0);
	assert_false(a.fits);
	assert_non_null(strstr(a.vms[0].problem, "9 vCPUs do not fit"));
	assert_string_equal(a.vms[1].problem, "");
	advice_release(&a);
	assert_int_equal(advice_make(h, 16, &a, &e), -ENOSPC);
	h->n_vms = 0;
	assert_int_equal(advice_make(h, 0, &a, &e), -ENODATA);
	host_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_cross_exactly),
		cmocka_unit_test(the_sampling_interval_does_not_matter),
		cmocka_unit_test(too_few_seconds_say_nothing),
		cmocka_unit_test(the_window_forgets),
		cmocka_unit_test(lists_of_cpus_read_back),
		cmocka_unit_test(a_report_gives_the_spread_of_its_runs),
		cmocka_unit_test(vms_get_whole_cores_of_one_node),
		cmocka_unit_test(what_does_not_fit_is_said),
	};

	return cmocka_run_group_tests_name(__FILE__, tests, make_dir, remove_dir);
}
