// SPDX-License-Identifier: Apache-2.0
/* Placing vCPUs (see advice.h), and what is amiss now (see host.h). */
#include "pinning/advice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is amiss ---- */

static void say_cpus(struct text *t, const char *before, const struct cpus *c, const char *after)
{
	text_add(t, before);
	cpus_write(c, t);
	text_add(t, after);
}

/* Threads of two VMs, or of a VM and itself, that may run on one CPU. */
static void find_shared(const struct host *h, const struct host_vm *vm, struct text *t)
{
	struct cpus mine = {{0}}, io = {{0}};

	for (size_t i = 0; i < vm->n_threads; i++)
		cpus_unite(vm->threads[i].kind == HOST_THREAD_VCPU ? &mine : &io,
			   &vm->threads[i].allowed);
	if (cpus_meet(&mine, &io))
		text_printf(t,
			    "%s: its emulator and I/O threads may run on the CPUs of its vCPUs\n",
			    vm->name);
	for (const struct host_vm *other = h->vms; other < vm; other++) {
		struct cpus theirs = {{0}};

		for (size_t i = 0; i < other->n_threads; i++) {
			if (other->threads[i].kind == HOST_THREAD_VCPU)
				cpus_unite(&theirs, &other->threads[i].allowed);
		}
		cpus_keep(&theirs, &mine);
		if (cpus_count(&theirs)) {
			text_printf(t, "%s and %s may run vCPUs on the same CPUs: ", other->name,
				    vm->name);
			say_cpus(t, "", &theirs, "\n");
		}
	}
}

static void find_floating(const struct host *h, const struct host_vm *vm, struct text *t)
{
	struct cpus all = {{0}}, cores = {{0}};
	unsigned floating = 0, nodes = 0;

	if (!vm->n_vcpus) {
		text_printf(t,
			    "%s: no thread is named as a vCPU: start QEMU with -name "
			    "debug-threads=on\n",
			    vm->name);
		return;
	}
	for (size_t i = 0; i < vm->n_threads; i++) {
		if (vm->threads[i].kind != HOST_THREAD_VCPU)
			continue;
		floating += cpus_count(&vm->threads[i].allowed) > 1;
		cpus_unite(&all, &vm->threads[i].allowed);
	}
	cpus_foreach(cpu, &all) cpus_unite(&cores, &h->siblings[cpu]);
	for (unsigned node = 0; node < h->n_nodes; node++)
		nodes += cpus_meet(&all, &h->nodes[node]);
	if (floating)
		text_printf(t, "%s: %u of %u vCPUs may run on more than one CPU\n", vm->name,
			    floating, vm->n_vcpus);
	if (nodes > 1)
		text_printf(t, "%s: its vCPUs may run on %u NUMA nodes\n", vm->name, nodes);
	cpus_remove(&cores, &all);
	if (cpus_count(&cores)) {
		text_printf(t, "%s: SMT siblings of its CPUs are left to others: ", vm->name);
		say_cpus(t, "", &cores, "\n");
	}
}

void host_findings(const struct host *h, struct text *t)
{
	struct cpus open = h->vcpu_cpus, ticking = h->vcpu_cpus;

	for (size_t i = 0; i < h->n_vms; i++) {
		find_floating(h, &h->vms[i], t);
		find_shared(h, &h->vms[i], t);
	}
	cpus_remove(&open, &h->isolated);
	cpus_remove(&ticking, &h->nohz_full);
	if (cpus_count(&open))
		say_cpus(t, "CPUs of vCPUs are not isolated: ", &open, "\n");
	if (cpus_count(&ticking))
		say_cpus(t, "CPUs of vCPUs keep the scheduler's tick (no nohz_full): ", &ticking,
			 "\n");
	if (h->n_others)
		text_printf(t,
			    "%zu%s processes outside the VMs ran on CPUs of vCPUs, most of all %s "
			    "(%u)\n",
			    h->n_others, h->n_others == HOST_OTHERS_MAX ? " or more" : "",
			    h->others[0].name, h->others[0].pid);
}

/* ---- placing ---- */

/* Cores of a set, lowest CPU first: take whole ones until `n` CPUs are there; how many are. */
static unsigned take_cores(const struct host *h, const struct cpus *from, unsigned n,
			   struct cpus *ret)
{
	*ret = (struct cpus){{0}};
	cpus_foreach(cpu, from)
	{
		if (cpus_count(ret) >= n)
			break;
		if (cpus_within(&h->siblings[cpu], from))
			cpus_unite(ret, &h->siblings[cpu]);
	}
	return cpus_count(ret);
}

/* The vCPUs onto the threads of its cores, core by core. */
static void deal(const struct host *h, struct advice_vm *a)
{
	struct cpus dealt = {{0}};
	unsigned vcpu = 0;

	cpus_foreach(cpu, &a->cpus)
	{
		if (cpus_has(&dealt, cpu))
			continue;
		cpus_unite(&dealt, &h->siblings[cpu]);
		cpus_foreach(sibling, &h->siblings[cpu])
		{
			if (vcpu < a->vm->n_vcpus)
				a->cpu[vcpu++] = sibling;
		}
	}
}

static void place(const struct host *h, struct advice *all, struct advice_vm *a)
{
	unsigned best_room = CPUS_MAX + 1, n = a->vm->n_vcpus, most = 0;

	if (!n || n > ADVICE_VCPUS_MAX) {
		snprintf(a->problem, sizeof(a->problem),
			 "%s: its vCPUs cannot be counted: start QEMU with -name debug-threads=on",
			 a->vm->name);
		return;
	}
	for (unsigned node = 0; node < h->n_nodes; node++) {
		struct cpus room = all->free, cores;
		unsigned free_cpus;

		cpus_keep(&room, &h->nodes[node]);
		free_cpus = take_cores(h, &room, CPUS_MAX, &cores);
		most = free_cpus > most ? free_cpus : most;
		if (free_cpus < n || free_cpus >= best_room)
			continue;
		best_room = free_cpus;
		a->node = node;
		take_cores(h, &room, n, &a->cpus);
	}
	if (!cpus_count(&a->cpus)) {
		snprintf(a->problem, sizeof(a->problem),
			 "%s: its %u vCPUs do not fit: whole free cores of one NUMA node hold at "
			 "most %u; give it fewer vCPUs, or leave fewer CPUs to the system "
			 "(--reserve)",
			 a->vm->name, n, most);
		return;
	}
	cpus_unite(&all->used, &a->cpus);
	cpus_remove(&all->free, &a->cpus);
	deal(h, a);
}

/* The largest that was not placed yet. */
static struct advice_vm *next_largest(const struct advice *a)
{
	struct advice_vm *best = NULL;

	for (size_t i = 0; i < a->n_vms; i++) {
		struct advice_vm *vm = &a->vms[i];

		if (vm->problem[0] || cpus_count(&vm->cpus))
			continue;
		if (!best || vm->vm->n_vcpus > best->vm->n_vcpus)
			best = vm;
	}
	return best;
}

int advice_make(const struct host *h, unsigned reserve, struct advice *ret, struct err *e)
{
	unsigned online = cpus_count(&h->online);
	struct advice_vm *vm;

	if (!h->n_vms)
		return err_set(e, -ENODATA,
			       "no QEMU process is running here: start the VMs first, or give "
			       "--root DIR of a host");
	*ret = (struct advice){.n_vms = h->n_vms, .fits = true};
	if (!reserve)
		reserve = online / 16 > 1 ? online / 16 : 1;
	take_cores(h, &h->online, reserve, &ret->system);
	ret->free = h->online;
	cpus_remove(&ret->free, &ret->system);
	if (!cpus_count(&ret->free))
		return err_set(
			e, -ENOSPC,
			"of %u CPUs none is left for VMs once the system has %u: use a larger "
			"host or a smaller --reserve",
			online, cpus_count(&ret->system));
	ret->vms = calloc(h->n_vms, sizeof(*ret->vms));
	if (!ret->vms)
		return err_nomem(e);
	for (size_t i = 0; i < h->n_vms; i++)
		ret->vms[i].vm = &h->vms[i];
	while ((vm = next_largest(ret))) {
		place(h, ret, vm);
		ret->fits &= !vm->problem[0];
	}
	return 0;
}

void advice_release(struct advice *a)
{
	free(a->vms);
	a->vms = NULL;
}
