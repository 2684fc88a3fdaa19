// SPDX-License-Identifier: Apache-2.0
/*
 * This host's RAPL counters and QEMU processes into rows, for hosts without
 * Kepler.
 *
 * Once a step: powercap, /proc/stat and every process's CPU time are read; the
 * energy since the step before, times usage ratio and the process's share
 * (host_share.h), goes onto each VM's counters. A step of which a zone's energy
 * is not known (a counter set back, a file that cannot be read) sets that
 * zone's counters back to nearly 0, and the next such step further, which
 * readers leave out as they do a restart.
 *
 * Columns: <zone>_joules of the VM; node_<zone>_joules of the host, unwrapped;
 * vm_cpu_seconds, node_cpu_seconds (of all processes). The row's time is the
 * middle of the reading of powercap.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "record/host_perf.h"
#include "record/host_rapl.h"
#include "record/host_record.h"
#include "record/host_share.h"
#include "record/qemu.h"

#define BEGIN_J 1e-5 /* where a counter begins: below it is room to be set back */

/* One VM, beside host_vms.items. */
struct local_vm {
	bool chosen, begun, there;
	size_t at; /* in host_out */
	int pid;
	double joules[ZONE_COUNT], cpu_s;
};

struct local {
	struct host_run *run;
	struct root root;
	struct rapl rapl;
	struct host_perf *perf; /* NULL: shares of CPU time */
	struct share_snapshot before, now;
	struct host_vms vms;
	struct local_vm *state; /* owned; as many as vms.cap */
	size_t state_cap;
	double node_j[ZONE_COUNT], node_cpu_s;
	int64_t read_ns; /* CLOCK_MONOTONIC of the step before */
	int64_t real_ns; /* the row's time */
};

/* What one step found. */
struct local_step {
	double zone_j[ZONE_COUNT], usage_ratio, all; /* `all`: ticks, or cycles */
};

static int take_process(struct local *l, const struct qemu *q, struct err *e)
{
	/* without a uuid two may have one name: then it is known by its pid */
	struct host_vm vm = {.process = !q->uuid[0]};
	size_t known = l->vms.n, i;

	host_vm_text(vm.name, sizeof(vm.name), q->name);
	host_vm_text(vm.uuid, sizeof(vm.uuid), q->uuid);
	snprintf(vm.pid, sizeof(vm.pid), "%d", q->pid);
	snprintf(vm.hypervisor, sizeof(vm.hypervisor), "%s", q->manager);
	if (!vm.uuid[0] && !vm.name[0])
		snprintf(vm.name, sizeof(vm.name), "qemu-%d", q->pid);
	if (host_vms_add(&l->vms, &vm, &i) < 0)
		return err_nomem(e);
	if (l->state_cap < l->vms.cap) {
		struct local_vm *grown = reallocarray(l->state, l->vms.cap, sizeof(*grown));

		if (!grown)
			return err_nomem(e);
		l->state = grown;
		l->state_cap = l->vms.cap;
	}
	if (l->vms.n > known) {
		l->state[i] = (struct local_vm){.chosen = false};
		zone_foreach (z)
			l->state[i].joules[z] = BEGIN_J;
	}
	l->vms.items[i] = vm; /* its pid may be a new one */
	l->state[i].there = true;
	l->state[i].pid = q->pid;
	return 0;
}

static int choose(struct local *l, struct err *e)
{
	autofree bool *chosen = calloc(l->vms.n + 1, sizeof(*chosen));
	autofree bool *there = calloc(l->vms.n + 1, sizeof(*there));
	int r;

	if (!chosen || !there)
		return err_nomem(e);
	for (size_t i = 0; i < l->vms.n; i++)
		there[i] = l->state[i].there;
	r = host_choose(&l->vms, &l->run->o->choice, there, "this host's QEMU processes", chosen,
			e);
	for (size_t i = 0; r == 0 && i < l->vms.n; i++)
		l->state[i].chosen |= chosen[i];
	return r;
}

static void say_coming_and_going(struct local *l, size_t i, bool was_there)
{
	const struct local_vm *vm = &l->state[i];
	char title[HOST_TEXT];

	if (!vm->begun || vm->there == was_there)
		return;
	host_vms_title(&l->vms, i, title);
	host_say(l->run->talk, vm->there ? "%s runs again" : "%s has ended; waiting for it", title);
}

/* Which QEMU processes there are now. */
static int find_vms(struct local *l, bool first, struct err *e)
{
	autofree struct qemu *found = NULL;
	size_t n = 0, known = l->vms.n;
	autofree bool *was_there = calloc(known + 1, sizeof(*was_there));
	int r = was_there ? qemu_find(&l->root, &found, &n, e) : err_nomem(e);

	if (r == 0 && !n && first)
		return err_set(e, -ERR_DATA,
			       "no QEMU process here: start the VM first, and run this on its "
			       "host, as a user who sees it in /proc");
	for (size_t i = 0; r == 0 && i < known; i++) {
		was_there[i] = l->state[i].there;
		l->state[i].there = false;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_process(l, &found[i], e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < known; i++)
		say_coming_and_going(l, i, was_there[i]);
	if (l->vms.n == known)
		return 0;
	r = choose(l, e);
	return first ? r : 0; /* a newcomer with a name that is taken is not recorded */
}

static int begin_stream(struct local *l, size_t i, struct err *e)
{
	struct host_stream s = {.title = ""};
	char title[HOST_TEXT], step[NUMBER_TEXT], names[2][ZONE_COUNT][32];

	host_vms_title(&l->vms, i, title);
	s.title = title;
	host_stream_meta(&s, "source", "rapl");
	host_stream_meta(&s, "interval_s", format_double(step, l->run->o->interval_s));
	host_stream_meta(&s, "weight", l->perf ? "perf" : "time");
	host_stream_vm(&s, &l->vms.items[i]);
	host_stream_steady(&s);
	for (int node = 0; node < 2; node++) {
		zone_foreach (z) {
			if (!l->rapl.has[z])
				continue;
			snprintf(names[node][z], sizeof(names[node][z]), "%s%s_joules",
				 node ? "node_" : "", zone_name(z));
			s.columns[s.n_columns++] = names[node][z];
		}
	}
	s.columns[s.n_columns++] = "vm_cpu_seconds";
	s.columns[s.n_columns++] = "node_cpu_seconds";
	if (host_out_begin(l->run->out, &s, &l->state[i].at, e) < 0)
		return e->code;
	l->state[i].begun = true;
	host_say(l->run->talk, "records %s (pid %d)", title, l->state[i].pid);
	return 0;
}

static int write_vm(struct local *l, size_t i, struct err *e)
{
	struct local_vm *vm = &l->state[i];
	double values[HOST_COLUMNS_MAX];
	unsigned falls;
	size_t n = 0;

	if (!vm->begun && begin_stream(l, i, e) < 0)
		return e->code;
	values[n++] = host_steady_ns(l->real_ns);
	zone_foreach (z) {
		if (l->rapl.has[z])
			values[n++] = vm->joules[z];
	}
	zone_foreach (z) {
		if (l->rapl.has[z])
			values[n++] = l->node_j[z];
	}
	values[n++] = vm->cpu_s;
	values[n++] = l->node_cpu_s;
	return host_out_row(l->run->out, vm->at, l->real_ns, values, &falls, e);
}

/* A counter that stood would say that nothing was used. */
static void add_energy(double *counter_j, double energy_j)
{
	*counter_j = isnan(energy_j) ? fmin(*counter_j, BEGIN_J) / 2 : *counter_j + energy_j;
}

/* A VM's part of one step. */
static void account(struct local *l, struct local_vm *vm, const struct local_step *step,
		    double tick_s)
{
	double ticks = (double)share_ticks_of(&l->before, &l->now, vm->pid);
	double part = l->perf ? host_perf_of(l->perf, vm->pid) : ticks;

	vm->cpu_s += ticks * tick_s;
	zone_foreach (z) {
		if (l->rapl.has[z])
			add_energy(&vm->joules[z],
				   share_energy_j(step->zone_j[z], step->usage_ratio, part,
						  step->all));
	}
}

static void say_events(struct local *l, const struct rapl_events *events)
{
	if (events->resets)
		host_say(l->run->talk, "%u counter%s went backwards: that step is left out",
			 events->resets, events->resets == 1 ? "" : "s");
	if (events->unread)
		host_say(l->run->talk, "%u counter%s cannot be read: that step is left out",
			 events->unread, events->unread == 1 ? "" : "s");
	l->run->failures += events->resets + events->unread;
}

/* Read all meters; what happened since the step before. */
static int read_step(struct local *l, double tick_s, struct local_step *ret, struct err *e)
{
	int64_t begin_ns = kernel_linux.monotonic_ns();
	double elapsed_s = (double)(begin_ns - l->read_ns) * 1e-9;
	struct share_snapshot swap = l->before;
	struct rapl_events events;
	double ticks;

	l->before = l->now;
	l->now = swap;
	rapl_read(&l->rapl, elapsed_s, ret->zone_j, &events);
	l->real_ns = kernel_linux.realtime_ns() - (kernel_linux.monotonic_ns() - begin_ns) / 2;
	l->read_ns = begin_ns;
	if (share_read(&l->root, &l->now, e) < 0)
		return e->code;
	say_events(l, &events);
	ticks = (double)share_ticks_of_all(&l->before, &l->now);
	ret->usage_ratio = share_usage_ratio(&l->before, &l->now);
	ret->all = l->perf ? host_perf_all(l->perf) : ticks;
	l->node_cpu_s += ticks * tick_s;
	zone_foreach (z)
		add_energy(&l->node_j[z], ret->zone_j[z]);
	return 0;
}

/* One step: account it, then a row for each VM that is there. */
static int take_step(struct local *l, bool first, struct err *e)
{
	double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
	struct local_step step;
	int r = find_vms(l, first, e);

	if (r == 0 && !first)
		r = read_step(l, tick_s, &step, e);
	for (size_t i = 0; r == 0 && i < l->vms.n; i++) {
		struct local_vm *vm = &l->state[i];

		if (!vm->chosen || !vm->there)
			continue;
		if (!first)
			account(l, vm, &step, tick_s);
		else if (l->perf)
			host_perf_of(l->perf, vm->pid); /* opens its counters */
		r = write_vm(l, i, e);
	}
	return r;
}

static int open_meters(struct local *l, struct err *e)
{
	const struct host_options *o = l->run->o;
	int r = root_init(&l->root, o->root, e);

	if (r == 0)
		r = rapl_open(&l->rapl, &l->root, e);
	if (r == 0)
		r = share_read(&l->root, &l->now, e);
	if (r == 0 && o->weight == HOST_WEIGHT_PERF)
		r = host_perf_open(o->kernel, &l->root, &l->perf, e);
	if (r < 0)
		return r;
	l->read_ns = kernel_linux.monotonic_ns();
	l->real_ns = kernel_linux.realtime_ns();
	if (l->rapl.ignored[0])
		host_say(l->run->talk, "zones that are none of ours are left out: %s",
			 l->rapl.ignored);
	if (l->perf)
		host_say(l->run->talk, "--weight perf is unverified: no machine at hand could "
				       "check it");
	return 0;
}

int host_rapl_run(struct host_run *run, struct err *e)
{
	struct host_pace pace = host_pace(run->o);
	struct local *l = calloc(1, sizeof(*l));
	bool first = true;
	int r;

	if (!l)
		return err_nomem(e);
	l->run = run;
	zone_foreach (z)
		l->node_j[z] = BEGIN_J;
	r = open_meters(l, e);
	while (r == 0) {
		r = take_step(l, first, e);
		first = false;
		host_pace_show(run, &pace);
		if (r == 0 && !host_pace_wait(&pace, 0))
			break;
	}
	rapl_close(&l->rapl);
	host_perf_close(l->perf);
	share_release(&l->before);
	share_release(&l->now);
	host_vms_release(&l->vms);
	free(l->state);
	free(l);
	return r;
}
