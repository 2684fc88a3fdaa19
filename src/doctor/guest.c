// SPDX-License-Identifier: Apache-2.0
/* What the machine shows of itself, and what each missing thing costs: see parts.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/powercap.h"
#include "collect/rapl.h"
#include "doctor/parts.h"
#include "features/interval.h"
#include "model/prior.h"

#define STEAL_MUCH 0.05 /* of all CPU time since boot */
#define BETWEEN_NS 200000000
#define RISE_TRIES 10
#define PMU_COSTS                                                                                  \
	"on the set nx12 the package's error is 16.50 % of mean watts without perf events, 4.35 "  \
	"% with them (docs/accuracy.md)"

/* ---- what it is ---- */

static void examine_hypervisor(struct doctor *d)
{
	const struct identity *id = &d->identity;

	if (!strcmp(id->hypervisor, "none"))
		find_remedy(d, "hypervisor", VERDICT_WARN,
			    "on bare metal read RAPL itself (Kepler does) rather than estimate it",
			    "no hypervisor shows: this looks like bare metal");
	else if (!strcmp(id->hypervisor, "unknown"))
		find(d, "hypervisor", VERDICT_OK, "a hypervisor that does not say which (%s)",
		     platform_name(d->platform));
	else
		find(d, "hypervisor", VERDICT_OK, "%s, platform %s", id->hypervisor,
		     platform_name(d->platform));
}

static void examine_cpu(struct doctor *d)
{
	const struct identity *id = &d->identity;
	struct finding *f;
	struct prior prior;

	prior_init(&prior, id);
	f = find(d, "cpu", VERDICT_OK, "%s, %u vCPUs; the built-in prior is %s",
		 id->model_name[0] ? id->model_name : "a CPU that does not say its name",
		 id->n_cpus, prior_name(&prior));
	if (strcmp(prior_name(&prior), "generic") != 0)
		return;
	f->verdict = VERDICT_WARN;
	f->cost = COST_NOT_MEASURED;
	snprintf(f->remedy, sizeof(f->remedy),
		 "train a bundle for this CPU (vmwatts record, train), or let the hypervisor pass "
		 "the host's CPU model through: the generic prior is the widest");
}

/* ---- counters ---- */

static void examine_sources(struct doctor *d)
{
	static const enum source wanted[] = {SOURCE_MEMINFO, SOURCE_VMSTAT, SOURCE_LOADAVG,
					     SOURCE_DISKSTATS, SOURCE_NETDEV};
	char missing[128] = "";
	size_t n = 0;

	for (size_t i = 0; i < array_size(wanted); i++) {
		if (!d->present[wanted[i]])
			n += (size_t)snprintf(missing + n, sizeof(missing) - n, " %s",
					      source_name(wanted[i]));
	}
	if (!n) {
		find(d, "counters", VERDICT_OK,
		     "stat, meminfo, vmstat, loadavg, diskstats and net/dev are all read");
		return;
	}
	find_remedy(d, "counters", VERDICT_WARN,
		    "in a container mount the host's /proc and point --root at it; else the kernel "
		    "was built without them",
		    "not read, for they are missing or lack what is needed:%s", missing)
		->cost = COST_NOT_MEASURED;
}

static void examine_pressure(struct doctor *d)
{
	if (d->present[SOURCE_PRESSURE])
		find(d, "psi", VERDICT_OK, "pressure stall information is there");
	else
		find_remedy(d, "psi", VERDICT_WARN,
			    "boot the kernel with psi=1; where /proc/pressure stays away it was "
			    "built without CONFIG_PSI",
			    "no pressure stall information (/proc/pressure)")
			->cost = COST_NOT_MEASURED;
}

static void examine_frequency(struct doctor *d)
{
	if (d->present[SOURCE_CPUFREQ])
		find(d, "cpufreq", VERDICT_OK, "the kernel reports the CPUs' frequency");
	else
		find(d, "cpufreq", VERDICT_OK,
		     "the kernel reports no frequency, as in most VMs; nothing to do");
}

static void examine_steal(struct doctor *d, const struct sample *s)
{
	double all = 0;

	for (int k = 0; k < CPU_TIME_COUNT; k++)
		all += (double)s->cpu.ticks[k];
	if (!(all > 0))
		return;
	d->steal_ratio = (double)s->cpu.ticks[CPU_TIME_STEAL] / all;
	if (d->steal_ratio > STEAL_MUCH)
		find_remedy(d, "steal", VERDICT_WARN,
			    "the host is contended: ask for dedicated or pinned CPUs (vmwatts "
			    "pinning), or a type that does not burst",
			    "the hypervisor gave %.1f %% of CPU time since boot to others",
			    100 * d->steal_ratio)
			->cost = COST_NOT_MEASURED;
	else
		find(d, "steal", VERDICT_OK, "%.1f %% of CPU time since boot was stolen",
		     100 * d->steal_ratio);
}

static void examine_clock_source(struct doctor *d)
{
	static const char *const quick[] = {"tsc", "kvm-clock", "xen",
					    "hyperv_clocksource_tsc_page"};
	static const char *const slow[] = {"acpi_pm", "hpet", "jiffies", "refined-jiffies", "pit"};
	char name[sizeof(d->clock_source)];

	if (root_read_line(&d->root,
			   "/sys/devices/system/clocksource/clocksource0/current_clocksource", name,
			   sizeof(name)) <= 0)
		return;
	snprintf(d->clock_source, sizeof(d->clock_source), "other");
	for (size_t i = 0; i < array_size(quick); i++) {
		if (!strcmp(name, quick[i])) {
			snprintf(d->clock_source, sizeof(d->clock_source), "%s", name);
			find(d, "clocksource", VERDICT_OK, "%s", name);
			return;
		}
	}
	for (size_t i = 0; i < array_size(slow); i++) {
		if (!strcmp(name, slow[i]))
			snprintf(d->clock_source, sizeof(d->clock_source), "%s", name);
	}
	find_remedy(d, "clocksource", VERDICT_WARN,
		    "see /sys/devices/system/clocksource/clocksource0/available_clocksource; the "
		    "kernel's log says why a quicker one was given up",
		    "%s: every reading of the clock is slow or coarse", name)
		->cost = COST_NOT_MEASURED;
}

/* ---- the tier ---- */

static bool refused(int r)
{
	return r == -EACCES || r == -EPERM;
}

/*
 * An event of a whole CPU, as the agent opens them. Who may not is asked for one of our own: where
 * even that is not there, it is not the permission that is missing.
 */
static int try_perf(const struct doctor *d)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_HW_CPU_CYCLES};
	int fd = d->kernel->perf_open(&attr, -1, 0, -1), own;

	if (refused(fd)) {
		attr.exclude_kernel = attr.exclude_hv = 1;
		own = d->kernel->perf_open(&attr, 0, -1, -1);
		if (own >= 0)
			close(own);
		else if (!refused(own))
			fd = own;
	} else if (fd >= 0) {
		close(fd);
	}
	return fd < 0 ? fd : 0;
}

static void find_no_permission(struct doctor *d)
{
	char paranoid[16] = "?";

	root_read_line(&d->root, "/proc/sys/kernel/perf_event_paranoid", paranoid,
		       sizeof(paranoid));
	find_remedy(d, "vpmu", VERDICT_WARN,
		    "give the agent the capability CAP_PERFMON, or set the sysctl "
		    "kernel.perf_event_paranoid to 0",
		    "perf events of every CPU may not be opened (kernel.perf_event_paranoid is %s)",
		    paranoid)
		->cost = PMU_COSTS;
}

static void examine_pmu(struct doctor *d)
{
	char how[512];

	snprintf(how, sizeof(how), "%s (docs/clouds.md)", platform_pmu(d->platform));
	if (!d->config.perf_counters_enabled) {
		find_remedy(d, "vpmu", VERDICT_WARN,
			    "set feature_config.perf_counters_enabled to true",
			    "perf events are switched off by the configuration")
			->cost = PMU_COSTS;
		return;
	}
	if (!root_is_self(&d->root))
		return; /* perf events are this machine's, not the tree's */
	d->perf_code = try_perf(d);
	if (d->tier >= TIER_PMU)
		find(d, "vpmu", VERDICT_OK,
		     "perf events count: cycles, instructions, cache misses");
	else if (refused(d->perf_code))
		find_no_permission(d);
	else if (d->perf_code == 0)
		find_remedy(d, "vpmu", VERDICT_WARN, how,
			    "perf events can be opened, but not all CPUs count")
			->cost = PMU_COSTS;
	else
		find_remedy(d, "vpmu", VERDICT_WARN, how,
			    "no virtual PMU: perf events cannot be opened (%s)",
			    strerror(-d->perf_code))
			->cost = PMU_COSTS;
}

static void examine_core_clock(struct doctor *d, const struct row *row)
{
	if (!root_is_self(&d->root))
		return;
	if (isfinite(row->v[FEATURE_CORE_CLOCK_MHZ]))
		find(d, "core_clock", VERDICT_OK,
		     "the real clock of a busy CPU can be timed: %.0f MHz",
		     row->v[FEATURE_CORE_CLOCK_MHZ]);
	else
		find_remedy(d, "core_clock", VERDICT_WARN,
			    "run it again when the machine is less busy; other CPUs than x86-64 "
			    "have none",
			    "the real clock of a busy CPU could not be timed: every try was "
			    "preempted, or this CPU has no such test")
			->cost = COST_NOT_MEASURED;
}

static void examine_tier(struct doctor *d)
{
	static const char *const better[] = {
		[TIER_OS] = "the core clock and perf events are what a better tier needs",
		[TIER_CLOCK] = "perf events are what the next tier needs",
		[TIER_PMU] = "the best a guest can have by itself",
		[TIER_HOST] = "the host hands in its own energy",
	};

	find(d, "tier", VERDICT_OK, "%s: %s%s", tier_name(d->tier), better[d->tier],
	     root_is_self(&d->root) ? "" : "; they are asked for on the machine itself only");
}

/* Two samples, a moment apart: sources, times, tier. False without /proc/stat. */
static bool take_samples(struct doctor *d, struct sample s[2], struct row *row)
{
	struct collector_options o = {.root = d->root,
				      .kernel = d->kernel,
				      .perf = d->config.perf_counters_enabled,
				      .clock_probe = root_is_self(&d->root)};
	struct timespec between = {.tv_nsec = BETWEEN_NS};
	struct collector *c = NULL;
	struct err why = ERR_INIT;
	int r = collector_new(&o, &c, &why);

	for (int i = 0; i < 2 && r == 0; i++)
		r = sample_init(&s[i], collector_cpus(c), &why);
	for (int i = 0; i < 2 && r == 0; i++) {
		if (i)
			nanosleep(&between, NULL);
		collector_sample(c, &s[i]);
	}
	for (int k = 0; k < SOURCE_COUNT && r == 0; k++) {
		d->present[k] = sample_has(&s[1], (enum source)k);
		d->duration_ns[k] = collector_stats(c)->duration_ns[k];
	}
	if (r == 0) {
		interval_row(&s[0], &s[1], row);
		d->tier = row_tier(row);
	} else {
		find_remedy(d, "counters", VERDICT_FAIL,
			    "mount /proc, or point --root at where it is", "%s", why.msg);
	}
	collector_free(c);
	return r == 0;
}

/* ---- what the host hands in ---- */

/* Whether a zone of ours rises: 1 and which; 0: none does within two refreshes of QEMU's; -errno.
 */
static int watch_energy(struct rapl *r, const struct root *root, const char *folder, char names[64])
{
	const struct timespec between = {.tv_nsec = BETWEEN_NS};
	int error = rapl_find(r, root, folder);
	struct rapl_events events;
	double grown_j[ZONE_COUNT];
	bool rises = false;
	size_t n = 0;

	for (int i = 0; error == 0 && r->error == 0 && i < RISE_TRIES && !rises; i++) {
		nanosleep(&between, NULL);
		rapl_read(r, BETWEEN_NS / 1e9, grown_j, &events);
		for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
			if (!(grown_j[z] > 0))
				continue;
			n += (size_t)snprintf(names + n, 64 - n, "%s%s", n ? ", " : "",
					      zone_name((enum zone)z));
			rises = true;
		}
	}
	error = error < 0 ? error : r->error;
	rapl_close(r);
	return error < 0 ? error : rises;
}

static void find_no_energy(struct doctor *d, const char *folder, int error)
{
	if (error == -EEXIST)
		find(d, "rapl", VERDICT_OK,
		     "%s shows the tree of vmwatts powercap: estimates of our own, which are not "
		     "taken for the host's energy",
		     folder);
	else if (error == -ENODEV && d->config.host_energy_path[0])
		find_remedy(
			d, "rapl", VERDICT_FAIL,
			"mount what the host shares there before the agent starts, or correct "
			"host_energy_path",
			"host_energy_path %s has no zone (intel-rapl:0 with name and energy_uj)",
			folder);
	else if (error == -ENODEV)
		find(d, "rapl", VERDICT_OK,
		     "no RAPL of its own (/sys/class/powercap), as in most VMs");
	else if (refused(error))
		find_remedy(d, "rapl", VERDICT_WARN,
			    "let the agent's user, and nobody else, read energy_uj "
			    "(docs/clouds.md): then the host's own watts are served",
			    "%s has zones of the host, whose energy_uj this user may not read: "
			    "models answer",
			    folder);
	else
		find_remedy(
			d, "rapl", VERDICT_WARN,
			"have the host share energy_uj as whole microjoules, or remove the zone",
			"%s has zones of the host, whose energy_uj cannot be read (%s): models "
			"answer",
			folder, strerror(-error));
}

/* Whether the host's own energy is there for the agent. */
static bool examine_rapl(struct doctor *d)
{
	const struct root machine = {.prefix = ""};
	bool told = d->config.host_energy_path[0];
	const char *folder = told ? d->config.host_energy_path : "/sys" POWERCAP_CLASS;
	char names[64] = "";
	autofree struct rapl *r = malloc(sizeof(*r));
	int found = r ? watch_energy(r, told ? &machine : &d->root, folder, names) : -ENOMEM;

	if (found < 0)
		find_no_energy(d, folder, found);
	else if (!told && root_is_self(&d->root) && !strcmp(d->identity.hypervisor, "none"))
		find_remedy(d, "rapl", VERDICT_WARN, "let Kepler read it",
			    "%s is the RAPL of this machine, which is no VM: it is not taken for a "
			    "VM's share",
			    folder);
	else if (!found)
		find_remedy(d, "rapl", VERDICT_WARN,
			    "run it again under load; where it never rises, as on many clouds, "
			    "nothing is to be had of it",
			    "%s has zones of the host, and none rises: they count as absent, and "
			    "models answer",
			    folder);
	else
		find(d, "rapl", VERDICT_OK,
		     "the host hands in the energy of %s (%s), which the agent serves", names,
		     folder);
	return d->findings[d->n - 1].verdict == VERDICT_OK && found > 0;
}

void examine_guest(struct doctor *d)
{
	struct sample s[2] = {{.have = 0}, {.have = 0}};
	struct err why = ERR_INIT;
	struct row row;
	bool sampled;

	row_clear(&row);
	d->identified = identity_read(&d->identity, &d->root, &why) == 0;
	if (d->identified) {
		d->platform = platform_of(&d->identity);
		examine_hypervisor(d);
		examine_cpu(d);
	} else {
		find_remedy(d, "cpu", VERDICT_FAIL, "mount /proc, or point --root at where it is",
			    "%s", why.msg);
	}
	sampled = take_samples(d, s, &row);
	if (sampled) {
		examine_pmu(d);
		examine_core_clock(d, &row);
		examine_sources(d);
		examine_pressure(d);
		examine_frequency(d);
		examine_steal(d, &s[1]);
	}
	sample_release(&s[0]);
	sample_release(&s[1]);
	examine_clock_source(d);
	if (examine_rapl(d))
		d->tier = TIER_HOST;
	if (sampled)
		examine_tier(d);
}
