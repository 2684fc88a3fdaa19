// SPDX-License-Identifier: Apache-2.0
/* prior: which row is chosen, and what it answers. */
#include "test.h"

#include "base/cleanup.h"
#include "model/prior.h"
#include "model/prior_table.h"

static struct prior prior_for(const char *vendor, unsigned family, unsigned model,
			      unsigned stepping, double mhz)
{
	struct identity id = {
		.family = family, .model = model, .stepping = stepping, .nominal_mhz = mhz};
	struct prior p;

	snprintf(id.vendor, sizeof(id.vendor), "%s", vendor);
	prior_init(&p, &id);
	return p;
}

static struct prior genoa(void)
{
	return prior_for("AuthenticAMD", 25, 17, 1, 2600);
}

static struct estimate filled(const struct prior *p, double vcpus, double busy, bool with_idle)
{
	struct estimate e = {.tier = TIER_OS};
	struct row r;

	row_clear(&r);
	r.v[FEATURE_VCPUS] = vcpus;
	r.v[FEATURE_CPU_BUSY_VCPUS] = busy;
	prior_fill(p, &r, with_idle, FALLBACK_NO_BUNDLE, &e);
	return e;
}

static void rows_are_chosen_by_cpuid(void **state)
{
	static const struct {
		const char *vendor;
		unsigned family, model, stepping;
		const char *name;
	} cases[] = {
		{"GenuineIntel", 6, 0x1a, 5, "intel-nehalem"},
		{"GenuineIntel", 6, 0x2d, 7, "intel-sandy-bridge-ep"},
		{"GenuineIntel", 6, 0x3f, 2, "intel-haswell-ep"},
		{"GenuineIntel", 6, 0x55, 4, "intel-skylake-sp"},
		{"GenuineIntel", 6, 0x55, 7, "intel-cascade-lake"},
		{"GenuineIntel", 6, 0x55, 11, "intel-cooper-lake"},
		{"GenuineIntel", 6, 0x6a, 6, "intel-ice-lake-sp"},
		{"GenuineIntel", 6, 0x8f, 8, "intel-sapphire-rapids"},
		{"GenuineIntel", 6, 0x9e, 13, "intel-skylake-client"},
		{"GenuineIntel", 6, 0xfe, 0, "intel"},
		{"AuthenticAMD", 0x17, 0x01, 2, "amd-zen1"},
		{"AuthenticAMD", 0x17, 0x31, 0, "amd-zen2"},
		{"AuthenticAMD", 0x19, 0x01, 1, "amd-zen3"},
		{"AuthenticAMD", 0x19, 0x11, 1, "amd-zen4"},
		{"AuthenticAMD", 0x1b, 0, 0, "amd"},
		{"ARM", 8, 0, 0, "generic"},
		{"", 0, 0, 0, "generic"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct prior p = prior_for(cases[i].vendor, cases[i].family, cases[i].model,
					   cases[i].stepping, NAN);

		assert_string_equal(prior_name(&p), cases[i].name);
		assert_close(p.frequency_factor, 1, 0);
	}
}

static void table_is_sane(void **state)
{
	(void)state;
	assert_close(prior_curve[0], 0, 0);
	assert_close(prior_curve[PRIOR_CURVE_POINTS - 1], 1, 0);
	for (int i = 1; i < PRIOR_CURVE_POINTS; i++)
		assert_true(prior_curve[i] >= prior_curve[i - 1]);
	for (unsigned i = 0; i < prior_n_rows; i++) {
		const struct prior_row *r = &prior_rows[i];

		assert_true(r->slope_w > 0.3 && r->slope_w < 30);
		assert_true(r->idle_w > 0 && r->idle_w < 30);
		assert_true(r->slope_half > 0.1 && r->idle_half > 0.1);
		assert_true(r->mhz > 1000 && r->mhz < 6000 && r->n_results > 0);
	}
	for (unsigned i = 0; i < prior_n_matches; i++)
		assert_true(prior_matches[i].row < prior_n_rows);
	assert_string_equal(prior_rows[prior_n_rows - 1].name, "generic");
}

static void two_busy_vcpus_draw_a_few_watts_and_idle_ones_nothing(void **state)
{
	struct prior p = genoa();
	struct estimate busy = filled(&p, 2, 2, false), idle = filled(&p, 2, 0, false);
	const struct zone_estimate *package = &busy.zone[ZONE_PACKAGE];

	(void)state;
	assert_true(package->valid);
	assert_true(package->active_w > 2 && package->active_w < 20);
	assert_close(package->idle_w, 0, 0);
	assert_int_equal(package->provenance, PROVENANCE_PRIOR);
	assert_int_equal(package->fallback, FALLBACK_NO_BUNDLE);
	assert_true(package->confidence > 0.2 && package->confidence < 0.8);
	assert_close(zone_watts(&idle.zone[ZONE_PACKAGE]), 0, 0);
	assert_false(busy.zone[ZONE_PLATFORM].valid);
}

static void watts_rise_with_load_and_zones_fit_together(void **state)
{
	struct prior p = genoa();
	double last = -1;

	(void)state;
	for (double busy = 0; busy <= 16.001; busy += 0.25) {
		struct estimate e = filled(&p, 16, busy, busy > 8);
		const struct zone_estimate *z = e.zone;

		for (int i = 0; i < ZONE_RAPL_COUNT; i++) {
			assert_true(z[i].valid);
			assert_true(z[i].low_w >= 0 && z[i].low_w <= zone_watts(&z[i]));
			assert_true(z[i].high_w >= zone_watts(&z[i]));
			assert_true(z[i].confidence > 0 && z[i].confidence <= 1);
		}
		assert_true(zone_watts(&z[ZONE_CORE]) + zone_watts(&z[ZONE_UNCORE]) <=
			    zone_watts(&z[ZONE_PACKAGE]));
		assert_true(z[ZONE_UNCORE].high_w <= zone_watts(&z[ZONE_PACKAGE]));
		assert_true(z[ZONE_PACKAGE].active_w > last);
		last = z[ZONE_PACKAGE].active_w;
	}
}

static void an_idle_interval_is_known_to_a_tick_of_cpu_time(void **state)
{
	struct estimate e = {.tier = TIER_OS}, longer = e;
	struct prior p = genoa();
	double one_vcpu_w = zone_watts(&filled(&p, 16, 1, false).zone[ZONE_PACKAGE]), high_w;
	struct row r;

	(void)state;
	row_clear(&r);
	r.v[FEATURE_VCPUS] = 16;
	r.v[FEATURE_CPU_UTILIZATION] = 0;
	r.dt_s = 1;
	prior_fill(&p, &r, false, FALLBACK_NO_BUNDLE, &e);
	r.dt_s = 20;
	prior_fill(&p, &r, false, FALLBACK_NO_BUNDLE, &longer);
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		assert_close(zone_watts(&e.zone[z]), 0, 0);
		assert_true(e.zone[z].high_w > 0 && e.zone[z].confidence < 1);
		assert_close(longer.zone[z].high_w, e.zone[z].high_w / 20, 1e-9);
	}
	high_w = e.zone[ZONE_PACKAGE].high_w;
	assert_true(high_w > 0.005 * one_vcpu_w && high_w < 0.02 * one_vcpu_w);
	assert_true(e.zone[ZONE_CORE].high_w <= high_w && e.zone[ZONE_UNCORE].high_w <= high_w);
}

static void busy_beyond_all_vcpus_is_all_vcpus(void **state)
{
	struct prior p = genoa();
	struct estimate full = filled(&p, 4, 4, false), more = filled(&p, 4, 400, false);

	(void)state;
	assert_close(full.zone[ZONE_PACKAGE].active_w, more.zone[ZONE_PACKAGE].active_w, 0);
}

static void idle_share_is_added_only_where_asked_for(void **state)
{
	struct prior p = genoa();
	struct estimate e = filled(&p, 8, 0, true);

	(void)state;
	assert_close(e.zone[ZONE_PACKAGE].idle_w, 8 * p.row->idle_w, 1e-12);
	assert_close(e.zone[ZONE_PACKAGE].active_w, 0, 0);
	assert_true(e.zone[ZONE_DRAM].idle_w > 0);
}

static void nominal_frequency_counts_within_bounds(void **state)
{
	struct prior slow = prior_for("GenuineIntel", 6, 0x55, 7, 2500);
	struct prior fast = prior_for("GenuineIntel", 6, 0x55, 7, 3800);
	struct prior absurd = prior_for("GenuineIntel", 6, 0x55, 7, 50);

	(void)state;
	assert_close(fast.frequency_factor / slow.frequency_factor,
		     pow(3800.0 / 2500, prior_shares.mhz_exponent), 1e-12);
	assert_true(absurd.frequency_factor > 0.3);
}

static void nothing_is_answered_without_load_or_vcpus(void **state)
{
	struct prior p = genoa();
	struct estimate e = filled(&p, NAN, 1, false);

	(void)state;
	assert_false(e.zone[ZONE_PACKAGE].valid);
	e = filled(&p, 2, NAN, false);
	assert_false(e.zone[ZONE_PACKAGE].valid);
	e = filled(&p, 0, 0, false);
	assert_false(e.zone[ZONE_PACKAGE].valid);
}

static void trained_package_is_kept_and_shared_out(void **state)
{
	struct prior p = genoa();
	struct estimate e = {.tier = TIER_OS};
	struct zone_estimate *package = &e.zone[ZONE_PACKAGE];
	struct row r;

	(void)state;
	package->valid = true;
	package->active_w = 40;
	package->low_w = 36;
	package->high_w = 44;
	package->provenance = PROVENANCE_TRAINED;
	row_clear(&r);
	r.v[FEATURE_VCPUS] = 8;
	r.v[FEATURE_CPU_UTILIZATION] = 0.5;
	prior_fill(&p, &r, false, FALLBACK_NO_MODEL, &e);
	assert_close(zone_watts(package), 40, 0);
	assert_int_equal(package->provenance, PROVENANCE_TRAINED);
	assert_close(e.zone[ZONE_CORE].active_w, 40 * prior_shares.core, 1e-12);
	for (int z = ZONE_CORE; z < ZONE_RAPL_COUNT; z++) {
		assert_int_equal(e.zone[z].provenance, PROVENANCE_DERIVED);
		assert_int_equal(e.zone[z].fallback, FALLBACK_NO_MODEL);
	}
	/* Wide enough for every core share that was measured, 64 % of the package up to all of it.
	 */
	assert_true(e.zone[ZONE_CORE].low_w <= 0.64 * 40);
	assert_true(e.zone[ZONE_CORE].high_w >= 40);
	assert_string_equal(e.zone[ZONE_UNCORE].definition, "package_minus_core");
	assert_true(e.zone[ZONE_CORE].high_w <= 44);
}

/* Whoever asks with a row of the proposal's features alone says no number of vCPUs. */
static void zones_are_derived_from_a_trained_package_without_vcpus(void **state)
{
	struct prior p = genoa();
	struct estimate with = {.tier = TIER_OS}, without;
	struct row r;

	(void)state;
	with.zone[ZONE_PACKAGE] = (struct zone_estimate){.valid = true,
							 .active_w = 40,
							 .low_w = 36,
							 .high_w = 44,
							 .provenance = PROVENANCE_TRAINED};
	without = with;
	row_clear(&r);
	r.v[FEATURE_CPU_UTILIZATION] = 0.5;
	prior_fill(&p, &r, true, FALLBACK_NO_MODEL, &without);
	r.v[FEATURE_VCPUS] = 8;
	prior_fill(&p, &r, false, FALLBACK_NO_MODEL, &with);
	for (int z = ZONE_CORE; z < ZONE_RAPL_COUNT; z++) {
		assert_true(without.zone[z].valid);
		assert_int_equal(without.zone[z].provenance, PROVENANCE_DERIVED);
		assert_close(zone_watts(&without.zone[z]), zone_watts(&with.zone[z]), 1e-12);
		assert_true(without.zone[z].confidence > 0);
		assert_true(without.zone[z].confidence <= with.zone[z].confidence);
	}
}

/* Package and core trained: uncore is what is left, inside [0, package]. */
static void uncore_is_derived_from_trained_package_and_core(void **state)
{
	struct prior p = genoa();

	(void)state;
	for (double core_w = 0; core_w <= 40; core_w += 5) {
		struct estimate e = {.tier = TIER_OS};
		const struct zone_estimate *uncore = &e.zone[ZONE_UNCORE];
		struct row r;

		e.zone[ZONE_PACKAGE] = (struct zone_estimate){.valid = true,
							      .active_w = 40,
							      .low_w = 36,
							      .high_w = 44,
							      .provenance = PROVENANCE_TRAINED};
		e.zone[ZONE_CORE] = (struct zone_estimate){.valid = true,
							   .active_w = core_w,
							   .low_w = 0.9 * core_w,
							   .high_w = 1.1 * core_w,
							   .provenance = PROVENANCE_TRAINED};
		row_clear(&r);
		r.v[FEATURE_VCPUS] = 8;
		r.v[FEATURE_CPU_UTILIZATION] = 0.5;
		prior_fill(&p, &r, false, FALLBACK_NO_MODEL, &e);
		assert_int_equal(uncore->provenance, PROVENANCE_DERIVED);
		assert_string_equal(uncore->definition, "package_minus_core");
		assert_close(zone_watts(uncore), 40 - core_w, 1e-12);
		assert_int_equal(e.zone[ZONE_CORE].provenance, PROVENANCE_TRAINED);
		assert_close(zone_watts(&e.zone[ZONE_CORE]), core_w, 1e-12);
		assert_true(uncore->low_w >= 0 && uncore->high_w <= 44);
		assert_true(uncore->high_w - uncore->low_w >= 4 || core_w >= 40);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_chosen_by_cpuid),
		cmocka_unit_test(table_is_sane),
		cmocka_unit_test(two_busy_vcpus_draw_a_few_watts_and_idle_ones_nothing),
		cmocka_unit_test(watts_rise_with_load_and_zones_fit_together),
		cmocka_unit_test(an_idle_interval_is_known_to_a_tick_of_cpu_time),
		cmocka_unit_test(busy_beyond_all_vcpus_is_all_vcpus),
		cmocka_unit_test(idle_share_is_added_only_where_asked_for),
		cmocka_unit_test(nominal_frequency_counts_within_bounds),
		cmocka_unit_test(nothing_is_answered_without_load_or_vcpus),
		cmocka_unit_test(trained_package_is_kept_and_shared_out),
		cmocka_unit_test(zones_are_derived_from_a_trained_package_without_vcpus),
		cmocka_unit_test(uncore_is_derived_from_trained_package_and_core),
	};

	return run_unit(tests);
}
