/* SPDX-License-Identifier: Apache-2.0 */
#ifndef RECORD_HOST_VM_H
#define RECORD_HOST_VM_H

/*
 * VMs as meters name them: which VM and zone a series of Kepler's is about,
 * and which VMs the user meant. A VM is known by node and uuid; without a uuid
 * (QEMU inside a container) by node and pid. A name is a name only: two VMs may
 * have the same.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/zone.h"

#define HOST_TEXT 128

struct host_label {
	const char *name, *value;
};

struct host_labels {
	const struct host_label *items;
	size_t n;
};

/* The value of a label; "" where it is not there. */
const char *host_label(const struct host_labels *l, const char *name);

/* Texts are "" where not known. */
struct host_vm {
	char name[HOST_TEXT], uuid[HOST_TEXT], node[HOST_TEXT];
	char hypervisor[32], pid[16], container[HOST_TEXT];
	bool process; /* known by its process only: no series of kepler_vm_ */
};

/* A text into one of these, cut there, and tame: see text_tame(). */
void host_vm_text(char *to, size_t size, const char *from);

/* One series of Kepler's that is about a VM. */
struct host_figure {
	struct host_vm vm;
	int zone;	       /* enum zone, -1: a name we do not know */
	const char *zone_text; /* as the meter calls it; points into the labels */
	bool joules;	       /* a counter, J; else a gauge, W */
};

/* True when this program's name is QEMU's: qemu-system-x86, qemu-kvm, kvm. */
bool host_is_qemu(const char *program);

/* Whether a series is about a VM; terminated ones are not. */
bool host_figure_read(const char *metric, const struct host_labels *labels,
		      struct host_figure *ret);

struct host_vms {
	struct host_vm *items; /* owned */
	size_t n, cap;
};

/* The position of this VM, added where it is new. -ENOMEM. */
int host_vms_add(struct host_vms *v, const struct host_vm *vm, size_t *ret_at);
void host_vms_release(struct host_vms *v);

/* The position of this VM, or -1. */
long host_vms_find(const struct host_vms *v, const struct host_vm *vm);

/* True for a process whose VM is there by series of its own too: it is not taken twice. */
bool host_vms_shadowed(const struct host_vms *v, size_t i);

/* What to call VM `i`: its name where no other has it, else its uuid or process, with the node. */
void host_vms_title(const struct host_vms *v, size_t i, char ret[HOST_TEXT]);

/* Which VMs are meant. */
struct host_choice {
	bool all;
	char *const *words; /* names, uuids or pids */
	size_t n;
};

/*
 * Set chosen[i] for every VM that is meant; only those count for which
 * present[i] (NULL: all) and that are not shadowed. `where` says in messages
 * what was looked at. -ERR_DATA: a word is no VM there, or is two (both are
 * listed).
 */
int host_choose(const struct host_vms *v, const struct host_choice *c, const bool *present,
		const char *where, bool *chosen, struct err *e);

#endif
