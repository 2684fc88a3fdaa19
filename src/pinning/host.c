// SPDX-License-Identifier: Apache-2.0
/* Reading a host: see host.h. */
#include "pinning/host.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"

#define KERNEL_THREAD 0x00200000 /* PF_KTHREAD, in the flags of /proc/PID/stat */

/* ---- CPUs ---- */

/* The list behind `key` on the kernel's command line. */
static struct cpus from_command_line(const char *line, const char *key)
{
	size_t n = strlen(key);

	for (const char *at = line; (at = strstr(at, key)); at += n) {
		if ((at == line || at[-1] == ' ') && at[n] == '=')
			return cpus_parse(at + n + 1);
	}
	return (struct cpus){{0}};
}

static void read_cpus(const struct root *r, struct host *h)
{
	char line[4096], path[128];
	struct cpus booted;

	if (root_read_line(r, "/proc/cmdline", line, sizeof(line)) < 0)
		line[0] = 0;
	h->online = cpus_read(r, "/sys/devices/system/cpu/online");
	h->isolated = cpus_read(r, "/sys/devices/system/cpu/isolated");
	booted = from_command_line(line, "isolcpus");
	cpus_unite(&h->isolated, &booted);
	h->nohz_full = cpus_read(r, "/sys/devices/system/cpu/nohz_full");
	booted = from_command_line(line, "nohz_full");
	cpus_unite(&h->nohz_full, &booted);
	h->rcu_nocbs = from_command_line(line, "rcu_nocbs");
	cpus_foreach(cpu, &h->online)
	{
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
		h->siblings[cpu] = cpus_read(r, path);
		cpus_keep(&h->siblings[cpu], &h->online);
		cpus_add(&h->siblings[cpu], cpu);
	}
	for (unsigned node = 0; node < HOST_NODES_MAX; node++) {
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u/cpulist", node);
		h->nodes[node] = cpus_read(r, path);
		cpus_keep(&h->nodes[node], &h->online);
		if (cpus_count(&h->nodes[node]))
			h->n_nodes = node + 1;
	}
	if (!h->n_nodes) {
		h->nodes[0] = h->online;
		h->n_nodes = 1;
	}
}

/* ---- processes ---- */

/* Call `each` for every number among the names in a folder. */
static int each_number(const struct root *r, const char *folder,
		       int (*each)(void *context, unsigned number), void *context)
{
	char path[1024];
	const struct dirent *entry;
	int result = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s", r->prefix, folder);
	d = opendir(path);
	if (!d)
		return -errno;
	while (result == 0 && (entry = readdir(d))) {
		uint64_t number;

		if (isdigit((unsigned char)entry->d_name[0]) &&
		    parse_u64(entry->d_name, &number) == 0 && number <= UINT32_MAX)
			result = each(context, (unsigned)number);
	}
	closedir(d);
	return result;
}

struct reader {
	const struct root *root;
	struct host *host;
	struct host_vm *vm;
};

/* The name in -name NAME, -name guest=NAME,more; `args` are NUL-separated. */
static void name_vm(struct host_vm *vm, const char *args, size_t len)
{
	snprintf(vm->name, sizeof(vm->name), "qemu-%u", vm->pid);
	for (const char *at = args; at < args + len; at += strlen(at) + 1) {
		const char *name = at + strlen(at) + 1;

		if (strcmp(at, "-name") != 0 || name >= args + len)
			continue;
		if (!strncmp(name, "guest=", 6))
			name += 6;
		if (strcspn(name, ","))
			snprintf(vm->name, sizeof(vm->name), "%.*s", (int)strcspn(name, ","), name);
		text_tame(vm->name);
		return;
	}
}

/* "0::/path" (cgroup 2) or "5:cpuset:/path" (cgroup 1). */
static void read_cpuset(const struct root *r, struct host_vm *vm)
{
	char path[64], text[4096], file[4400], *line, *next;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", vm->pid);
	if (root_read(r, path, text, sizeof(text)) <= 0)
		return;
	for (line = text; line && *line; line = next) {
		const char *at, *v1;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		at = strrchr(line, ':');
		v1 = strstr(line, ":cpuset:");
		if (!at || (!v1 && strncmp(line, "0::", 3) != 0))
			continue;
		snprintf(file, sizeof(file), "/sys/fs/cgroup%s%s/cpuset.cpus%s",
			 v1 ? "/cpuset" : "", at + 1, v1 ? "" : ".effective");
		vm->cpuset = cpus_read(r, file);
		vm->has_cpuset = cpus_count(&vm->cpuset) > 0;
		if (vm->has_cpuset)
			return;
	}
}

static void classify(struct host_thread *t)
{
	const char *at = t->name + 4;
	uint64_t vcpu;

	t->kind = HOST_THREAD_OTHER;
	if (!strncmp(t->name, "CPU ", 4) && scan_u64(&at, &vcpu) && *at == '/') {
		t->kind = HOST_THREAD_VCPU;
		t->vcpu = (unsigned)vcpu;
	} else if (!strncmp(t->name, "IO ", 3) || !strncmp(t->name, "iothread", 8)) {
		t->kind = HOST_THREAD_IO;
	}
}

/* A thread that ended while we looked is passed over. */
static int add_thread(void *context, unsigned tid)
{
	static const char key[] = "\nCpus_allowed_list:";
	struct reader *r = context;
	struct host_vm *vm = r->vm;
	struct host_thread t = {.tid = tid}, *grown;
	char path[64], status[8192];
	const char *allowed;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", vm->pid, tid);
	if (root_read_line(r->root, path, t.name, sizeof(t.name)) <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", vm->pid, tid);
	if (root_read(r->root, path, status, sizeof(status)) <= 0 ||
	    !(allowed = strstr(status, key)))
		return 0;
	text_tame(t.name);
	allowed += sizeof(key) - 1;
	t.allowed = cpus_parse(allowed + strspn(allowed, "\t "));
	cpus_keep(&t.allowed, &r->host->online);
	classify(&t);
	grown = realloc(vm->threads, (vm->n_threads + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	vm->threads = grown;
	vm->threads[vm->n_threads++] = t;
	if (t.kind == HOST_THREAD_VCPU) {
		vm->n_vcpus++;
		cpus_unite(&r->host->vcpu_cpus, &t.allowed);
	}
	return 0;
}

static bool is_qemu(const char *name)
{
	return !strncmp(name, "qemu-system", 11) || !strcmp(name, "qemu-kvm") ||
	       !strcmp(name, "kvm");
}

static bool read_name(const struct root *r, unsigned pid, char ret[32])
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	return root_read_line(r, path, ret, 32) > 0;
}

static int compare_threads(const void *a, const void *b)
{
	const struct host_thread *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->kind == HOST_THREAD_VCPU && x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

static int add_vm(void *context, unsigned pid)
{
	struct reader *r = context;
	struct host *h = r->host;
	char name[32], path[64], args[16384];
	struct host_vm *grown;
	ssize_t n;
	int result;

	if (!read_name(r->root, pid, name) || !is_qemu(name))
		return 0;
	grown = realloc(h->vms, (h->n_vms + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	h->vms = grown;
	r->vm = &h->vms[h->n_vms++];
	*r->vm = (struct host_vm){.pid = pid};
	snprintf(path, sizeof(path), "/proc/%u/cmdline", pid);
	n = root_read(r->root, path, args, sizeof(args));
	name_vm(r->vm, args, n > 0 ? (size_t)n : 0);
	read_cpuset(r->root, r->vm);
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	result = each_number(r->root, path, add_thread, r);
	if (r->vm->n_threads)
		qsort(r->vm->threads, r->vm->n_threads, sizeof(*r->vm->threads), compare_threads);
	return result == -ENOMEM ? result : 0;
}

/* Fields of /proc/PID/stat from the third on, 1-based as proc(5) counts them. */
static bool stat_fields(char *text, uint64_t fields[40])
{
	const char *p = strrchr(text, ')');

	memset(fields, 0, 40 * sizeof(*fields));
	for (int field = 3; p && field < 40; field++) {
		const char *at = p = strchr(p + 1, ' ');

		if (at && isdigit((unsigned char)at[1]))
			scan_u64(&at, &fields[field]);
	}
	return p != NULL;
}

static int add_other(void *context, unsigned pid)
{
	struct reader *r = context;
	struct host *h = r->host;
	struct host_other o = {.pid = pid};
	char path[64], text[1024];
	uint64_t f[40];
	size_t at;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	if (!read_name(r->root, pid, o.name) || is_qemu(o.name) ||
	    root_read(r->root, path, text, sizeof(text)) <= 0 || !stat_fields(text, f) ||
	    (f[9] & KERNEL_THREAD) || !cpus_has(&h->vcpu_cpus, (unsigned)f[39]))
		return 0;
	text_tame(o.name);
	o.cpu = (unsigned)f[39];
	o.cpu_ticks = f[14] + f[15];
	at = h->n_others;
	while (at && h->others[at - 1].cpu_ticks < o.cpu_ticks)
		at--;
	if (at == HOST_OTHERS_MAX)
		return 0;
	h->n_others += h->n_others < HOST_OTHERS_MAX;
	memmove(&h->others[at + 1], &h->others[at], (h->n_others - 1 - at) * sizeof(o));
	h->others[at] = o;
	return 0;
}

int host_read(const struct root *r, struct host **ret, struct err *e)
{
	struct host *h = calloc(1, sizeof(*h));
	struct reader reader = {.root = r, .host = h};
	int result;

	if (!h)
		return err_nomem(e);
	read_cpus(r, h);
	result = cpus_count(&h->online) ? each_number(r, "/proc", add_vm, &reader) : -ENOENT;
	if (result == 0)
		result = each_number(r, "/proc", add_other, &reader);
	if (result < 0) {
		host_free(h);
		return err_set(e, result,
			       "%s/proc and %s/sys/devices/system/cpu/online cannot be read: they "
			       "tell which CPUs and processes there are",
			       r->prefix, r->prefix);
	}
	*ret = h;
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->n_vms; i++)
		free(h->vms[i].threads);
	free(h->vms);
	free(h);
}
