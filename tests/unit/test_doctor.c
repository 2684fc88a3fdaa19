// SPDX-License-Identifier: Apache-2.0
/* What the doctor asks of the kernel and of firmware; the command is tested in tests/cli/doctor.t.
 */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "doctor/parts.h"

static int perf_answer, own_answer; /* for a CPU, for our own process */

static int simulated_perf_open(const struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd)
{
	(void)attr;
	(void)cpu;
	(void)group_fd;
	return pid < 0 ? perf_answer : own_answer;
}

static const struct finding *finding_of(const struct doctor *d, const char *check)
{
	for (size_t i = 0; i < d->n; i++) {
		if (!strcmp(d->findings[i].check, check))
			return &d->findings[i];
	}
	return NULL;
}

static struct doctor *examine(int answer, int own)
{
	struct kernel kernel = kernel_linux;
	const struct doctor_options o = {.flags = {.listen = "127.0.0.1:0"}, .kernel = &kernel};
	struct doctor *d = malloc(sizeof(*d));
	struct err e = ERR_INIT;

	perf_answer = answer;
	own_answer = own;
	kernel.perf_open = simulated_perf_open;
	assert_non_null(d);
	assert_int_equal(doctor_examine(&o, d, &e), 0);
	return d;
}

static void a_missing_permission_is_told_from_a_missing_pmu(void **state)
{
	static const int refusals[] = {-EACCES, -EPERM}, absences[] = {-ENOENT, -EOPNOTSUPP};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		autofree struct doctor *no = examine(refusals[i], refusals[i]);
		autofree struct doctor *none = examine(absences[i], absences[i]);
		autofree struct doctor *both = examine(refusals[i], absences[i]);
		const struct finding *f = finding_of(no, "vpmu");

		assert_int_equal(f->verdict, VERDICT_WARN);
		assert_non_null(strstr(f->remedy, "CAP_PERFMON"));
		f = finding_of(none, "vpmu");
		assert_int_equal(f->verdict, VERDICT_WARN);
		assert_memory_equal(f->remedy, platform_pmu(none->platform),
				    strlen(platform_pmu(none->platform)));
		assert_non_null(strstr(f->cost, "docs/accuracy.md"));
		assert_int_equal(none->perf_code, absences[i]);
		/* Without permission and without a PMU: the permission would not help. */
		assert_string_equal(finding_of(both, "vpmu")->remedy, f->remedy);
	}
}

static void checks_have_names_of_their_own_and_warnings_a_remedy(void **state)
{
	autofree struct doctor *d = examine(-ENOENT, -ENOENT);

	(void)state;
	assert_true(d->n >= 15 && d->n < FINDINGS_MAX);
	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->findings[i];

		assert_true(finding_of(d, f->check) == f);
		assert_true(f->said[0] && !strchr(f->said, '\n'));
		assert_true(f->verdict == VERDICT_OK || f->remedy[0]);
	}
	assert_int_equal(doctor_count(d, VERDICT_OK) + doctor_count(d, VERDICT_WARN) +
				 doctor_count(d, VERDICT_FAIL),
			 d->n);
}

static void platforms_are_known_by_their_firmware(void **state)
{
	static const struct {
		const char *vendor, *product, *name;
	} cases[] = {
		{"Amazon EC2", "m5.large", "aws"},
		{"Google", "Google Compute Engine", "gcp"},
		{"Microsoft Corporation", "Virtual Machine", "azure"},
		{"Microsoft Corporation", "Surface Laptop", "unknown"},
		{"OpenStack Foundation", "OpenStack Nova", "openstack"},
		{"Red Hat", "OpenStack Compute", "openstack"},
		{"KubeVirt", "None", "kubevirt"},
		{"QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"},
		{"Red Hat", "KVM", "qemu"},
		{"VMware, Inc.", "VMware7,1", "vmware"},
		{"Acme", "Server", "unknown"},
		{"", "", "unknown"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct identity id = {.hypervisor = "kvm"};

		snprintf(id.dmi_vendor, sizeof(id.dmi_vendor), "%s", cases[i].vendor);
		snprintf(id.dmi_product, sizeof(id.dmi_product), "%s", cases[i].product);
		assert_string_equal(platform_name(platform_of(&id)), cases[i].name);
	}
	for (int p = 0; p < PLATFORM_COUNT; p++)
		assert_true(platform_pmu((enum platform)p)[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_permission_is_told_from_a_missing_pmu),
		cmocka_unit_test(checks_have_names_of_their_own_and_warnings_a_remedy),
		cmocka_unit_test(platforms_are_known_by_their_firmware),
	};

	return run_unit(tests);
}
