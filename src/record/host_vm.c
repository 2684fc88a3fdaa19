// SPDX-License-Identifier: Apache-2.0
/* VMs as meters name them: see host_vm.h. */
#include "record/host_vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define LISTED 6 /* VMs that a message names */

const char *host_label(const struct host_labels *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!strcmp(l->items[i].name, name))
			return l->items[i].value;
	}
	return "";
}

bool host_is_qemu(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *base = slash ? slash + 1 : program;

	return !strncmp(base, "qemu-system-", 12) || !strcmp(base, "qemu-kvm") ||
	       !strcmp(base, "kvm");
}

void host_vm_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%.*s", (int)size - 1, from);
	text_tame(to);
}

static bool read_process(const struct host_labels *l, struct host_vm *vm)
{
	if (!host_is_qemu(host_label(l, "comm")) && !host_is_qemu(host_label(l, "exe")))
		return false;
	host_vm_text(vm->pid, sizeof(vm->pid), host_label(l, "pid"));
	host_vm_text(vm->container, sizeof(vm->container), host_label(l, "container_id"));
	vm->process = true;
	return vm->pid[0];
}

bool host_figure_read(const char *metric, const struct host_labels *labels, struct host_figure *ret)
{
	static const struct {
		const char *name;
		bool process, joules;
	} metrics[] = {{"kepler_vm_cpu_joules_total", false, true},
		       {"kepler_vm_cpu_watts", false, false},
		       {"kepler_process_cpu_joules_total", true, true},
		       {"kepler_process_cpu_watts", true, false}};
	struct host_figure f = {.zone_text = host_label(labels, "zone")};
	const char *node = host_label(labels, "node_name");
	size_t i = 0;

	while (i < array_size(metrics) && strcmp(metric, metrics[i].name) != 0)
		i++;
	if (i == array_size(metrics) || !strcmp(host_label(labels, "state"), "terminated"))
		return false;
	if (metrics[i].process && !read_process(labels, &f.vm))
		return false;
	f.joules = metrics[i].joules;
	f.zone = zone_find_rapl(f.zone_text);
	host_vm_text(f.vm.uuid, sizeof(f.vm.uuid), host_label(labels, "vm_id"));
	host_vm_text(f.vm.name, sizeof(f.vm.name), host_label(labels, "vm_name"));
	host_vm_text(f.vm.node, sizeof(f.vm.node), *node ? node : host_label(labels, "instance"));
	host_vm_text(f.vm.hypervisor, sizeof(f.vm.hypervisor), host_label(labels, "hypervisor"));
	*ret = f;
	return f.vm.uuid[0] || f.vm.name[0] || f.vm.pid[0];
}

/* The same VM, as one kind of series shows it. */
static bool same_vm(const struct host_vm *a, const struct host_vm *b)
{
	if (a->process != b->process || strcmp(a->node, b->node) != 0)
		return false;
	if (a->process)
		return !strcmp(a->pid, b->pid);
	if (a->uuid[0] || b->uuid[0])
		return !strcmp(a->uuid, b->uuid);
	return !strcmp(a->name, b->name);
}

long host_vms_find(const struct host_vms *v, const struct host_vm *vm)
{
	for (size_t i = 0; i < v->n; i++) {
		if (same_vm(&v->items[i], vm))
			return (long)i;
	}
	return -1;
}

int host_vms_add(struct host_vms *v, const struct host_vm *vm, size_t *ret_at)
{
	long found = host_vms_find(v, vm);

	if (found >= 0) {
		*ret_at = (size_t)found;
		return 0;
	}
	if (v->n == v->cap) {
		size_t cap = v->cap * 2 + 16;
		struct host_vm *grown = reallocarray(v->items, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		v->items = grown;
		v->cap = cap;
	}
	*ret_at = v->n;
	v->items[v->n++] = *vm;
	return 0;
}

void host_vms_release(struct host_vms *v)
{
	free(v->items);
	*v = (struct host_vms){0};
}

bool host_vms_shadowed(const struct host_vms *v, size_t i)
{
	const struct host_vm *process = &v->items[i];

	for (size_t k = 0; process->process && process->uuid[0] && k < v->n; k++) {
		const struct host_vm *vm = &v->items[k];

		if (!vm->process && !strcmp(vm->uuid, process->uuid) &&
		    !strcmp(vm->node, process->node))
			return true;
	}
	return false;
}

void host_vms_title(const struct host_vms *v, size_t i, char ret[HOST_TEXT])
{
	const struct host_vm *vm = &v->items[i];
	size_t names = 0, ids = 0;

	for (size_t k = 0; k < v->n; k++) {
		names += !strcmp(v->items[k].name, vm->name);
		ids += vm->uuid[0] && !strcmp(v->items[k].uuid, vm->uuid);
	}
	if (vm->name[0] && names == 1)
		host_vm_text(ret, HOST_TEXT, vm->name);
	else if (ids == 1)
		host_vm_text(ret, HOST_TEXT, vm->uuid);
	else
		snprintf(ret, HOST_TEXT, "%s%.60s%s%.60s", vm->uuid[0] ? "" : "qemu-",
			 vm->uuid[0] ? vm->uuid : vm->pid, vm->node[0] ? "@" : "", vm->node);
}

/* "web (uuid u, pid 7, node n)" appended to `msg`. */
static void describe(char *msg, size_t size, const struct host_vm *vm, bool whole)
{
	size_t n = strlen(msg);

	if (!whole) {
		snprintf(msg + n, size - n, "%s%.40s", n ? ", " : "",
			 vm->name[0]   ? vm->name
			 : vm->uuid[0] ? vm->uuid
				       : vm->pid);
		return;
	}
	snprintf(msg + n, size - n, "%s%.40s (%s%.40s%s%s%s%.40s)", n ? "; " : "",
		 vm->name[0] ? vm->name : "qemu", vm->uuid[0] ? "uuid " : "", vm->uuid,
		 vm->pid[0] ? vm->uuid[0] ? ", pid " : "pid " : "", vm->pid,
		 vm->node[0] ? ", node " : "", vm->node);
}

static bool is_called(const struct host_vm *vm, const char *word)
{
	return !strcmp(vm->name, word) || !strcmp(vm->uuid, word) || !strcmp(vm->pid, word);
}

/* The VMs that a message lists: those called `word`, or (NULL) all. Returns how many there are. */
static size_t list_vms(const struct host_vms *v, const char *word, const bool *present, char *list,
		       size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		if ((present && !present[i]) || host_vms_shadowed(v, i) ||
		    (word && !is_called(&v->items[i], word)))
			continue;
		if (n++ < LISTED)
			describe(list, size, &v->items[i], word != NULL);
	}
	return n;
}

static int not_one(const struct host_vms *v, const char *word, const bool *present,
		   const char *where, size_t matches, struct err *e)
{
	char list[440] = "";
	size_t n = list_vms(v, matches ? word : NULL, present, list, sizeof(list));
	const char *more = n > LISTED ? ", ..." : "";

	if (matches)
		return err_set(e, -ERR_DATA,
			       "'%.40s' is %zu VMs in %.60s: %s%s; say which by uuid or pid", word,
			       matches, where, list, more);
	if (!n)
		return err_set(e, -ERR_DATA, "no VM '%.40s' in %.60s, nor any other", word, where);
	return err_set(e, -ERR_DATA, "no VM '%.40s' in %.60s; there are: %s%s", word, where, list,
		       more);
}

int host_choose(const struct host_vms *v, const struct host_choice *c, const bool *present,
		const char *where, bool *chosen, struct err *e)
{
	for (size_t i = 0; i < v->n; i++)
		chosen[i] = c->all && (!present || present[i]) && !host_vms_shadowed(v, i);
	for (size_t w = 0; w < c->n; w++) {
		size_t matches = 0;

		for (size_t i = 0; i < v->n; i++) {
			if ((present && !present[i]) || host_vms_shadowed(v, i) ||
			    !is_called(&v->items[i], c->words[w]))
				continue;
			chosen[i] = true;
			matches++;
		}
		if (matches != 1)
			return not_one(v, c->words[w], present, where, matches, e);
	}
	return 0;
}
