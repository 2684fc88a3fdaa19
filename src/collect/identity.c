// SPDX-License-Identifier: Apache-2.0
/* What machine this is: see identity.h. */
#include "collect/identity.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define CPUINFO_MAX (8u << 20)

/* The value behind "key   : value" when the line at p has that key. */
static const char *value_of(const char *p, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(p, key, n) != 0)
		return NULL;
	p += n;
	p += strspn(p, " \t");
	return *p == ':' ? p + 1 + strspn(p + 1, " ") : NULL;
}

static void copy_line(char *to, size_t size, const char *from)
{
	size_t n = strcspn(from, "\n");

	if (n >= size)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = 0;
}

static void set_number(unsigned *to, const char *text)
{
	uint64_t v;

	if (scan_u64(&text, &v) && v < 1u << 30)
		*to = (unsigned)v;
}

static void parse_cpuinfo_line(struct identity *id, struct cpu_info *cpu, const char *p)
{
	const char *v;

	if ((v = value_of(p, "physical id")) != NULL)
		set_number((unsigned *)&cpu->physical_id, v);
	else if ((v = value_of(p, "core id")) != NULL)
		set_number((unsigned *)&cpu->core_id, v);
	if (id->n_cpus > 1)
		return; /* the rest is the same for every CPU */
	if ((v = value_of(p, "vendor_id")) != NULL)
		copy_line(id->vendor, sizeof(id->vendor), v);
	else if ((v = value_of(p, "model name")) != NULL)
		copy_line(id->model_name, sizeof(id->model_name), v);
	else if ((v = value_of(p, "cpu family")) != NULL)
		set_number(&id->family, v);
	else if ((v = value_of(p, "model")) != NULL)
		set_number(&id->model, v);
	else if ((v = value_of(p, "stepping")) != NULL)
		set_number(&id->stepping, v);
	else if ((v = value_of(p, "siblings")) != NULL)
		set_number(&id->siblings, v);
	else if ((v = value_of(p, "cpu cores")) != NULL)
		set_number(&id->socket_cores, v);
	else if ((v = value_of(p, "cpu MHz")) != NULL)
		parse_double_n(v, strcspn(v, "\n"), &id->nominal_mhz);
	else if ((v = value_of(p, "flags")) != NULL && strstr(v, " hypervisor"))
		snprintf(id->hypervisor, sizeof(id->hypervisor), "unknown");
}

/* Whether CPU is in a kernel list such as "2-3,6". */
static bool in_list(const char *list, unsigned cpu)
{
	while (*list) {
		uint64_t first, last;

		if (!scan_u64(&list, &first))
			return false;
		last = first;
		if (*list == '-') {
			list++;
			if (!scan_u64(&list, &last))
				return false;
		}
		if (cpu >= first && cpu <= last)
			return true;
		if (*list == ',')
			list++;
	}
	return false;
}

static void parse_cpuinfo(struct identity *id, const char *text, const char *isolated)
{
	struct cpu_info scratch, *cpu = &scratch;

	for (const char *p = text; *p;) {
		const char *v = value_of(p, "processor"), *end = strchr(p, '\n');

		if (v) {
			cpu = id->n_info < IDENTITY_CPUS_MAX ? &id->cpus[id->n_info++] : &scratch;
			*cpu = (struct cpu_info){.physical_id = -1, .core_id = -1};
			set_number(&cpu->processor, v);
			id->n_isolated += in_list(isolated, cpu->processor);
			id->n_cpus++;
		} else {
			parse_cpuinfo_line(id, cpu, p);
		}
		p = end ? end + 1 : p + strlen(p);
	}
}

static void count_topology(struct identity *id)
{
	for (unsigned i = 0; i < id->n_info; i++) {
		bool new_socket = true, new_core = true;

		for (unsigned k = 0; k < i; k++) {
			bool same = id->cpus[k].physical_id == id->cpus[i].physical_id;

			new_socket &= !same;
			new_core &= !(same && id->cpus[k].core_id == id->cpus[i].core_id);
		}
		id->n_sockets += new_socket;
		id->n_cores += new_core || id->cpus[i].core_id < 0;
	}
	if (!id->n_sockets)
		id->n_sockets = 1;
	if (!id->n_cores)
		id->n_cores = id->n_cpus ? id->n_cpus : 1;
}

static const struct {
	const char *signature, *name;
} signatures[] = {
	{"KVMKVMKVM", "kvm"},	  {"VMwareVMware", "vmware"},	 {"Microsoft Hv", "microsoft"},
	{"XenVMMXenVMM", "xen"},  {"bhyve bhyve ", "bhyve"},	 {"TCGTCGTCGTCG", "tcg"},
	{"ACRNACRNACRN", "acrn"}, {"prl hyperv  ", "parallels"},
};

/*
 * kHz of the TSC: leaf 0x40000010 of hypervisors that have VMware's timing leaf (KVM, VMware), else
 * leaf 0x15 (crystal x ratio), else 0. Intel SDM 2A, CPUID; VMware's "Mechanisms to determine...".
 */
#if defined(__x86_64__) || defined(__i386__)
static unsigned ask_tsc_khz(bool virtual)
{
	unsigned a, b, c, d;

	if (virtual) {
		__cpuid(0x40000000, a, b, c, d);
		if (a >= 0x40000010) {
			__cpuid(0x40000010, a, b, c, d);
			return a;
		}
	}
	if (!__get_cpuid(0x15, &a, &b, &c, &d) || !a || !b || !c)
		return 0;
	return (unsigned)((uint64_t)c * b / a / 1000);
}
#endif

/* CPUID leaf 0x40000000 carries the hypervisor's signature when bit 31 of leaf 1 ECX is set. */
static void ask_cpuid(struct identity *id)
{
#if defined(__x86_64__) || defined(__i386__)
	unsigned a, b, c, d;
	char text[13] = "";

	if (!__get_cpuid(1, &a, &b, &c, &d))
		return;
	id->tsc_khz = ask_tsc_khz(c & 1u << 31);
	if (!(c & 1u << 31))
		return;
	snprintf(id->hypervisor, sizeof(id->hypervisor), "unknown");
	__cpuid(0x40000000, a, b, c, d);
	memcpy(text, &b, 4);
	memcpy(text + 4, &c, 4);
	memcpy(text + 8, &d, 4);
	for (size_t i = 0; i < array_size(signatures); i++) {
		if (!strcmp(text, signatures[i].signature))
			snprintf(id->hypervisor, sizeof(id->hypervisor), "%s", signatures[i].name);
	}
#else
	(void)id;
#endif
}

static const struct {
	const char *word, *name;
} dmi_words[] = {
	{"KVM", "kvm"},	      {"QEMU", "kvm"},	    {"Amazon EC2", "kvm"},	{"Google", "kvm"},
	{"OpenStack", "kvm"}, {"VMware", "vmware"}, {"Microsoft", "microsoft"}, {"Xen", "xen"},
};

static void ask_dmi(struct identity *id, const struct root *r)
{
	if (root_read_line(r, "/sys/class/dmi/id/sys_vendor", id->dmi_vendor,
			   sizeof(id->dmi_vendor)) < 0)
		id->dmi_vendor[0] = 0;
	if (root_read_line(r, "/sys/class/dmi/id/product_name", id->dmi_product,
			   sizeof(id->dmi_product)) < 0)
		id->dmi_product[0] = 0;
	if (strcmp(id->hypervisor, "unknown") != 0)
		return;
	for (size_t i = 0; i < array_size(dmi_words); i++) {
		if (strstr(id->dmi_vendor, dmi_words[i].word) ||
		    strstr(id->dmi_product, dmi_words[i].word)) {
			snprintf(id->hypervisor, sizeof(id->hypervisor), "%s", dmi_words[i].name);
			return;
		}
	}
}

int identity_read(struct identity *id, const struct root *r, struct err *e)
{
	autofree char *text = NULL;
	char isolated[1024];
	ssize_t n = -E2BIG;

	*id = (struct identity){.nominal_mhz = NAN, .hypervisor = "none"};
	for (size_t size = 64u << 10; n == -E2BIG && size <= CPUINFO_MAX; size *= 2) {
		free(text);
		text = malloc(size);
		if (!text)
			return err_nomem(e);
		n = root_read(r, "/proc/cpuinfo", text, size);
	}
	if (n < 0) {
		errno = (int)-n;
		return err_errno(e, "%s/proc/cpuinfo", r->prefix);
	}
	if (root_read_line(r, "/sys/devices/system/cpu/isolated", isolated, sizeof(isolated)) < 0)
		isolated[0] = 0;
	parse_cpuinfo(id, text, isolated);
	count_topology(id);
	if (root_is_self(r))
		ask_cpuid(id);
	else if (strstr(text, " hypervisor"))
		strcpy(id->hypervisor, "unknown"); /* cpuinfo's flag; DMI may say which */
	ask_dmi(id, r);
	return 0;
}

#define GLANCE 16384 /* the first CPU's lines */

static bool glance(struct identity *ret, const struct root *r)
{
	autofd int fd = root_open(r, "/proc/cpuinfo");
	struct cpu_info unused;
	char text[GLANCE];
	ssize_t n = fd < 0 ? fd : read(fd, text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = 0;
	for (const char *p = text, *end; (end = strchr(p, '\n')) != NULL && end != p; p = end + 1)
		parse_cpuinfo_line(ret, &unused, p);
	if (root_is_self(r))
		ask_cpuid(ret);
	ask_dmi(ret, r);
	return true;
}

const char *identity_difference(const struct identity *id, const struct root *r, bool other_cpus)
{
	struct identity now = {.hypervisor = "none"};

	if (!glance(&now, r))
		return "";
	if (strcmp(now.vendor, id->vendor) != 0 || strcmp(now.model_name, id->model_name) != 0 ||
	    now.family != id->family || now.model != id->model || now.stepping != id->stepping)
		return "another CPU model";
	if (!other_cpus && (now.siblings != id->siblings || now.socket_cores != id->socket_cores))
		return "another topology";
	if (now.tsc_khz != id->tsc_khz)
		return "another TSC frequency";
	if (strcmp(now.hypervisor, id->hypervisor) != 0)
		return "another hypervisor";
	if (strcmp(now.dmi_vendor, id->dmi_vendor) != 0 ||
	    strcmp(now.dmi_product, id->dmi_product) != 0)
		return "another name in DMI";
	return "";
}
