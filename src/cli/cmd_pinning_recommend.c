// SPDX-License-Identifier: Apache-2.0
/* vmwatts pinning recommend: the commands for this host, and what they brought where it was
 * measured. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "pinning/advice.h"
#include "pinning/report.h"

static const struct command_help help = {
	.usage = "pinning recommend [--reserve N] [--before R1.json --after R2.json] [options]",
	.about = "On a host: commands, libvirt XML, kernel arguments and cgroup settings that give "
		 "each vCPU\na CPU of its own, on whole SMT cores of one NUMA node, with the first "
		 "cores left to the\nsystem. It changes nothing. What it brings is said only from "
		 "measurement: two reports of\nvmwatts evaluate --json on recordings made before "
		 "and after. Exit code 1 when a VM does\nnot fit.",
	.example = "  vmwatts pinning recommend\n"
		   "  vmwatts pinning recommend --before floating.json --after pinned.json"};

struct arguments {
	const char *root, *before, *after;
	long long reserve;
	bool json;
};

static void add_cpus(struct text *t, const char *before, const struct cpus *c, const char *after)
{
	text_add(t, before);
	cpus_write(c, t);
	text_add(t, after);
}

/* One word of a shell: whoever named a VM must not say what root runs. */
static void add_word(struct text *t, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (!word[strspn(word, plain)]) {
		text_add(t, word);
		return;
	}
	text_add(t, "'");
	for (const char *c = word; *c; c++) {
		if (*c == '\'')
			text_add(t, "'\\''");
		else
			text_add_n(t, c, 1);
	}
	text_add(t, "'");
}

static void vm_commands(const struct advice *a, const struct advice_vm *vm, struct text *t)
{
	autotext struct text name = {.s = NULL};
	unsigned n = vm->vm->n_vcpus;

	add_word(&name, vm->vm->name);
	text_printf(t, "\n# %s: %u vCPUs on node %u\n", vm->vm->name, n, vm->node);
	for (unsigned i = 0; i < n; i++)
		text_printf(t, "virsh vcpupin %s %u %u --live --config\n", name.s, i, vm->cpu[i]);
	text_printf(t, "virsh emulatorpin %s ", name.s);
	add_cpus(t, "", &a->system, " --live --config\n");
	text_add(t, "# without libvirt:\n");
	for (size_t i = 0; i < vm->vm->n_threads; i++) {
		const struct host_thread *thread = &vm->vm->threads[i];

		if (thread->kind == HOST_THREAD_VCPU && thread->vcpu < n)
			text_printf(t, "taskset -cp %u %u   # %s\n", vm->cpu[thread->vcpu],
				    thread->tid, thread->name);
	}
	text_printf(t, "# in the domain's XML:\n<vcpu placement='static'>%u</vcpu>\n<cputune>\n",
		    n);
	for (unsigned i = 0; i < n; i++)
		text_printf(t, "  <vcpupin vcpu='%u' cpuset='%u'/>\n", i, vm->cpu[i]);
	add_cpus(t, "  <emulatorpin cpuset='", &a->system, "'/>\n</cputune>\n");
	text_printf(t, "<numatune><memory mode='strict' nodeset='%u'/></numatune>\n", vm->node);
}

static void host_commands(const struct advice *a, struct text *t)
{
	add_cpus(t, "\n# kernel arguments, from the next boot on:\nisolcpus=managed_irq,domain,",
		 &a->used, "");
	add_cpus(t, " nohz_full=", &a->used, "");
	add_cpus(t, " rcu_nocbs=", &a->used, "\n\n# until then, by cgroup:\n");
	add_cpus(t, "systemctl set-property --runtime system.slice AllowedCPUs=", &a->system, "\n");
	add_cpus(t, "systemctl set-property --runtime user.slice AllowedCPUs=", &a->system, "\n");
	add_cpus(t, "systemctl set-property --runtime machine.slice AllowedCPUs=", &a->system, "");
	add_cpus(t, ",", &a->used, "\n");
}

struct change {
	bool known;
	struct report before, after;
};

static void expect_text(const struct change *c, struct text *t)
{
	if (!c->known) {
		text_add(t,
			 "\nwhat it brings is not known: measure it with --before and --after\n");
		return;
	}
	text_add(t, "\nmeasured error in % of mean watts, before and after:\n");
	zone_foreach (z) {
		double b = c->before.zones[z].wmape, a = c->after.zones[z].wmape;

		if (!isnan(a) && !isnan(b))
			text_printf(t, "  %-8s %6.2f -> %6.2f (%+.1f %%)\n", zone_name(z), 100 * b,
				    100 * a, 100 * (a / b - 1));
	}
}

static void expect_json(const struct change *c, struct text *t)
{
	bool first = true;

	text_add(t, ",\"measured\":");
	if (!c->known) {
		text_add(t, "null");
		return;
	}
	zone_foreach (z) {
		double b = c->before.zones[z].wmape, a = c->after.zones[z].wmape;

		if (isnan(a) || isnan(b))
			continue;
		text_printf(t, "%s\"%s\":{\"wmape_before\":", first ? "{" : ",", zone_name(z));
		text_json_number(t, b);
		text_add(t, ",\"wmape_after\":");
		text_json_number(t, a);
		text_add(t, "}");
		first = false;
	}
	text_add(t, first ? "{}" : "}");
}

static void advice_text(const struct advice *a, const struct change *c, struct text *t)
{
	add_cpus(t, "system: CPUs ", &a->system, "");
	add_cpus(t, "; VMs: ", &a->used, "");
	add_cpus(t, "; free: ", &a->free, "\n");
	for (size_t i = 0; i < a->n_vms; i++) {
		if (a->vms[i].problem[0])
			text_printf(t, "\n%s\n", a->vms[i].problem);
		else
			vm_commands(a, &a->vms[i], t);
	}
	if (cpus_count(&a->used))
		host_commands(a, t);
	expect_text(c, t);
}

static void advice_json(const struct advice *a, const struct change *c, struct text *t)
{
	text_printf(t, "{\"fits\":%s", a->fits ? "true" : "false");
	add_cpus(t, ",\"system\":\"", &a->system, "\"");
	add_cpus(t, ",\"isolate\":\"", &a->used, "\",\"vms\":[");
	for (size_t i = 0; i < a->n_vms; i++) {
		const struct advice_vm *vm = &a->vms[i];

		text_printf(t, "%s{\"name\":", i ? "," : "");
		text_json_string(t, vm->vm->name);
		text_add(t, ",\"problem\":");
		text_json_string(t, vm->problem);
		text_printf(t, ",\"node\":%u,\"vcpupin\":[", vm->node);
		for (unsigned k = 0; !vm->problem[0] && k < vm->vm->n_vcpus; k++)
			text_printf(t, "%s%u", k ? "," : "", vm->cpu[k]);
		text_add(t, "]}");
	}
	text_add(t, "]");
	expect_json(c, t);
	text_add(t, "}\n");
}

static int read_change(const struct arguments *a, struct change *ret, struct err *e)
{
	int r = 0;

	ret->known = a->before != NULL;
	if (!ret->known)
		return 0;
	r = report_read(a->before, &ret->before, e);
	return r < 0 ? r : report_read(a->after, &ret->after, e);
}

static int recommend(const struct arguments *a, struct text *t, bool *ret_fits, struct err *e)
{
	struct advice advice = {.vms = NULL};
	struct host *h = NULL;
	struct change change;
	struct root root;
	int r = root_init(&root, a->root, e);

	if (r == 0)
		r = read_change(a, &change, e);
	if (r == 0)
		r = host_read(&root, &h, e);
	if (r == 0)
		r = advice_make(h, (unsigned)a->reserve, &advice, e);
	if (r == 0) {
		(a->json ? advice_json : advice_text)(&advice, &change, t);
		*ret_fits = advice.fits;
	}
	advice_release(&advice);
	host_free(h);
	return r;
}

int cmd_pinning_recommend(int argc, char **argv)
{
	static char name[] = "pinning recommend";
	struct arguments a = {.root = NULL};
	struct text t = {.s = NULL};
	struct err e = ERR_INIT;
	bool fits = false;
	const struct option_spec options[] = {
		{"reserve", "N", OPTION_INT, &a.reserve,
		 "CPUs left to the system (default: a core, or a 16th of all)"},
		{"before", "R1.json", OPTION_STRING, &a.before, "report of unpinned recordings"},
		{"after", "R2.json", OPTION_STRING, &a.after, "report of pinned recordings"},
		{"root", "DIR", OPTION_STRING, &a.root, "read DIR/proc and DIR/sys instead"},
		{"json", NULL, OPTION_FLAG, &a.json, "print JSON"},
	};
	int r;

	argv[0] = name;
	r = cli_parse(argc, argv, &help, options, array_size(options), NULL);
	if (r >= 0)
		return r;
	if (!a.before != !a.after)
		err_set(&e, -ERR_USAGE, "--before and --after go together");
	else if (a.reserve < 0 || a.reserve > CPUS_MAX)
		err_set(&e, -ERR_USAGE, "--reserve takes 0 to %d", CPUS_MAX);
	else
		recommend(&a, &t, &fits, &e);
	if (e.code) {
		text_release(&t);
		return cli_fail(name, &e);
	}
	r = cli_print(name, &t);
	return r || !fits;
}
