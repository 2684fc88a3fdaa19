// SPDX-License-Identifier: Apache-2.0
/* vmwatts pinning analyze: the score inside a guest, the map of CPUs on a host. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "collect/collector.h"
#include "features/interval.h"
#include "pinning/host.h"
#include "pinning/report.h"
#include "pinning/score.h"

static const struct command_help help = {
	.usage = "pinning analyze [--duration 30s] [--report R.json] [--host] [options]",
	.about = "Inside a guest: samples for a while and says, as a score, how much speaks for "
		 "pinning\nits vCPUs. Over 0.5 it is recommended. The score adds 0.3 when the "
		 "standard deviation of\ncpu_utilization is over 0.15, 0.4 when the context-switch "
		 "rate varies by over 0.2 of its\nmean, and 0.3 when wMAPE varies by over 0.1 "
		 "between the runs of a report. It sees the whole\nmachine: a load of its own that "
		 "comes and goes raises it too.\n"
		 "On a host (a QEMU process runs, or --host): where the threads of every VM may "
		 "run, which\nCPUs belong together, what is isolated, who else ran there, and what "
		 "is amiss.",
	.example = "  vmwatts pinning analyze --duration 1m\n"
		   "  vmwatts evaluate --bundle B --trust K.pub --dataset D.db --json > r.json\n"
		   "  vmwatts pinning analyze --report r.json"};

struct arguments {
	const char *duration, *report, *root;
	bool host, guest, json;
	double duration_s;
};

/* ---- guest ---- */

static void wait_s(double seconds)
{
	struct timespec left = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static int sample_into(struct pinning_window *w, struct collector *c, double duration_s,
		       struct err *e)
{
	struct sample samples[2] = {{.have = 0}, {.have = 0}};
	int bins = (int)ceil(duration_s / PINNING_BIN_S), r = 0;
	struct row row;

	for (int i = 0; r == 0 && i < 2; i++)
		r = sample_init(&samples[i], collector_cpus(c), e);
	if (r == 0)
		collector_sample(c, &samples[0]);
	for (int i = 1; r == 0 && i <= bins; i++) {
		wait_s(PINNING_BIN_S);
		collector_sample(c, &samples[i % 2]);
		if (interval_row(&samples[(i + 1) % 2], &samples[i % 2], &row) == INTERVAL_OK)
			pinning_window_push(w, &row);
		cli_progress("sampling", (double)i / bins);
	}
	sample_release(&samples[0]);
	sample_release(&samples[1]);
	if (r == 0 && w->n < PINNING_BINS_MIN)
		r = err_set(
			e, -ENODATA,
			"only %zu of %d seconds could be used: the clock jumps or counters stand",
			w->n, bins);
	return r;
}

static void guest_text(const struct pinning_statistics *s, double score, struct text *t)
{
	text_printf(t, "%-28s %8s %10s %7s  %s\n", "statistic", "found", "threshold", "weight",
		    "what it is");
	for (int i = 0; i < PINNING_RULE_COUNT; i++) {
		const struct pinning_rule_info *rule = &pinning_rules[i];

		if (isnan(s->rule[i]))
			text_printf(t, "%-28s %8s", rule->name, "-");
		else
			text_printf(t, "%-28s %8.3f", rule->name, s->rule[i]);
		text_printf(t, " %10.2f %7.1f  %s%s\n", rule->threshold, rule->weight,
			    rule->statistic,
			    pinning_holds(s, (enum pinning_rule)i) ? ": over" : "");
	}
	text_printf(t, "\nsteal: %.1f %% of CPU time, at most %.1f %%\n", 100 * s->steal_mean,
		    100 * s->steal_max);
	if (isnan(s->jitter_mean))
		text_add(t, "core clock: not measured\n");
	else
		text_printf(t, "core clock: jitter %.2f %%, preempted in %.0f %% of the seconds\n",
			    100 * s->jitter_mean, 100 * s->jitter_missing);
	text_printf(t, "score %.2f over %zu s: %s\n", score, s->bins,
		    score > PINNING_SHOULD ? "pinning is recommended" : "no reason to pin");
	for (int i = 0; i < PINNING_RULE_COUNT && score > PINNING_SHOULD; i++) {
		if (pinning_holds(s, (enum pinning_rule)i))
			text_printf(t, "  %s\n", pinning_rules[i].meaning);
	}
}

static void guest_json(const struct pinning_statistics *s, double score, struct text *t)
{
	bool first = true;

	text_printf(t, "{\"where\":\"guest\",\"seconds\":%zu", s->bins);
	text_json_field(t, "score", score, 0);
	text_printf(t, ",\"should_pin\":%s,\"benefits\":[",
		    score > PINNING_SHOULD ? "true" : "false");
	for (int i = 0; i < PINNING_RULE_COUNT; i++) {
		if (!pinning_holds(s, (enum pinning_rule)i))
			continue;
		text_add(t, first ? "" : ",");
		text_json_string(t, pinning_rules[i].meaning);
		first = false;
	}
	text_add(t, "],\"rules\":{");
	for (int i = 0; i < PINNING_RULE_COUNT; i++) {
		text_printf(t, "%s\"%s\":{\"statistic\":\"%s\"", i ? "," : "",
			    pinning_rules[i].name, pinning_rules[i].statistic);
		text_json_field(t, "found", s->rule[i], 0);
		text_json_field(t, "threshold", pinning_rules[i].threshold, 0);
		text_json_field(t, "weight", pinning_rules[i].weight, 0);
		text_add(t, "}");
	}
	text_add(t, "}");
	text_json_field(t, "cpu_utilization_mean", s->utilization_mean, 0);
	text_json_field(t, "context_switch_rate_mean", s->context_switch_mean, 0);
	text_json_field(t, "steal_mean", s->steal_mean, 0);
	text_json_field(t, "steal_max", s->steal_max, 0);
	text_json_field(t, "clock_jitter_mean", s->jitter_mean, 0);
	text_json_field(t, "clock_missing_ratio", s->jitter_missing, 0);
	text_add(t, "}\n");
}

static int analyze_guest(const struct arguments *a, const struct root *root, struct text *t,
			 struct err *e)
{
	struct collector_options o = {
		.root = *root, .kernel = &kernel_linux, .clock_probe = root_is_self(root)};
	struct pinning_window w = {.cap = 0};
	struct collector *collector = NULL;
	struct pinning_statistics s;
	struct report report;
	double accuracy_sd = NAN;
	enum zone zone;
	int r = a->report ? report_read(a->report, &report, e) : 0;

	if (r == 0 && a->report)
		accuracy_sd = report_accuracy_sd(&report, &zone);
	if (r == 0)
		r = collector_new(&o, &collector, e);
	if (r == 0)
		r = pinning_window_init(&w, (size_t)ceil(a->duration_s / PINNING_BIN_S), e);
	if (r == 0)
		r = sample_into(&w, collector, a->duration_s, e);
	if (r == 0) {
		pinning_window_statistics(&w, accuracy_sd, &s);
		(a->json ? guest_json : guest_text)(&s, pinning_score(&s), t);
	}
	collector_free(collector);
	pinning_window_release(&w);
	return r;
}

/* ---- host ---- */

static const char *const thread_kinds[] = {"vcpu", "io", "other"};

static void add_cpus(struct text *t, const char *before, const struct cpus *c, const char *after)
{
	text_add(t, before);
	cpus_write(c, t);
	text_add(t, after);
}

static void host_text(const struct host *h, struct text *t)
{
	struct text findings = {.s = NULL};

	add_cpus(t, "CPUs online ", &h->online, "");
	add_cpus(t, ", isolated ", &h->isolated, "");
	add_cpus(t, ", nohz_full ", &h->nohz_full, "");
	add_cpus(t, ", rcu_nocbs ", &h->rcu_nocbs, "\n");
	for (unsigned i = 0; i < h->n_nodes; i++) {
		text_printf(t, "node %u: ", i);
		add_cpus(t, "", &h->nodes[i], "\n");
	}
	for (size_t i = 0; i < h->n_vms; i++) {
		const struct host_vm *vm = &h->vms[i];

		text_printf(t, "\n%s (pid %u), %u vCPUs", vm->name, vm->pid, vm->n_vcpus);
		if (vm->has_cpuset)
			add_cpus(t, ", cgroup allows ", &vm->cpuset, "");
		text_add(t, "\n");
		for (size_t k = 0; k < vm->n_threads; k++) {
			text_printf(t, "  %-16s %7u  ", vm->threads[k].name, vm->threads[k].tid);
			add_cpus(t, "", &vm->threads[k].allowed, "\n");
		}
	}
	for (size_t i = 0; i < h->n_others; i++)
		text_printf(t, "%s%s (%u) ran on CPU %u\n", i ? "" : "\n", h->others[i].name,
			    h->others[i].pid, h->others[i].cpu);
	host_findings(h, &findings);
	text_add(t, findings.len ? "\nwhat is amiss:\n" : "\nnothing is amiss\n");
	text_add(t, findings.len ? findings.s : "");
	text_release(&findings);
}

static void vm_json(const struct host_vm *vm, struct text *t)
{
	text_add(t, "{\"name\":");
	text_json_string(t, vm->name);
	text_printf(t, ",\"pid\":%u,\"vcpus\":%u,\"cgroup_cpus\":", vm->pid, vm->n_vcpus);
	if (vm->has_cpuset)
		add_cpus(t, "\"", &vm->cpuset, "\"");
	else
		text_add(t, "null");
	text_add(t, ",\"threads\":[");
	for (size_t k = 0; k < vm->n_threads; k++) {
		const struct host_thread *thread = &vm->threads[k];

		text_printf(t, "%s{\"tid\":%u,\"kind\":\"%s\",\"name\":", k ? "," : "", thread->tid,
			    thread_kinds[thread->kind]);
		text_json_string(t, thread->name);
		add_cpus(t, ",\"allowed\":\"", &thread->allowed, "\"}");
	}
	text_add(t, "]}");
}

static void host_json(const struct host *h, struct text *t)
{
	struct text findings = {.s = NULL};
	const char *at;

	add_cpus(t, "{\"where\":\"host\",\"online\":\"", &h->online, "\"");
	add_cpus(t, ",\"isolated\":\"", &h->isolated, "\"");
	add_cpus(t, ",\"nohz_full\":\"", &h->nohz_full, "\"");
	add_cpus(t, ",\"rcu_nocbs\":\"", &h->rcu_nocbs, "\",\"vms\":[");
	for (size_t i = 0; i < h->n_vms; i++) {
		text_add(t, i ? "," : "");
		vm_json(&h->vms[i], t);
	}
	text_add(t, "],\"others\":[");
	for (size_t i = 0; i < h->n_others; i++) {
		text_printf(t, "%s{\"pid\":%u,\"cpu\":%u,\"name\":", i ? "," : "", h->others[i].pid,
			    h->others[i].cpu);
		text_json_string(t, h->others[i].name);
		text_add(t, "}");
	}
	text_add(t, "],\"findings\":[");
	host_findings(h, &findings);
	for (at = findings.s; at && *at; at += strcspn(at, "\n") + 1) {
		char line[640];

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, "\n"), at);
		text_add(t, at == findings.s ? "" : ",");
		text_json_string(t, line);
	}
	text_add(t, "]}\n");
	text_release(&findings);
}

/* ---- the command ---- */

static int analyze(const struct arguments *a, struct text *t, struct err *e)
{
	struct host *h = NULL;
	struct root root;
	int r = root_init(&root, a->root, e);

	if (r == 0 && !a->guest)
		r = host_read(&root, &h, a->host ? e : NULL);
	if (r < 0 && h == NULL && !a->host && e->code == 0)
		r = 0; /* not a host: a guest may still have what it needs */
	if (r == 0 && h && (a->host || h->n_vms))
		(a->json ? host_json : host_text)(h, t);
	else if (r == 0)
		r = analyze_guest(a, &root, t, e);
	host_free(h);
	return r;
}

static int check_arguments(struct arguments *a, struct err *e)
{
	int64_t ns;

	if (a->host && a->guest)
		return err_set(e, -ERR_USAGE, "--host and --guest exclude each other");
	if (parse_duration_ns(a->duration, &ns) < 0 ||
	    ns < PINNING_BINS_MIN * INT64_C(1000000000) || ns > 3600 * INT64_C(1000000000))
		return err_set(e, -ERR_USAGE, "--duration takes 5s to 1h, not '%s'", a->duration);
	a->duration_s = (double)ns / 1e9;
	return 0;
}

static int cmd_analyze(int argc, char **argv)
{
	static char name[] = "pinning analyze";
	struct arguments a = {.duration = "30s"};
	struct text t = {.s = NULL};
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"duration", "TIME", OPTION_STRING, &a.duration,
		 "in a guest: how long (default 30s)"},
		{"report", "R.json", OPTION_STRING, &a.report,
		 "in a guest: the output of vmwatts evaluate --json"},
		{"host", NULL, OPTION_FLAG, &a.host, "this is a host, also without a QEMU process"},
		{"guest", NULL, OPTION_FLAG, &a.guest, "score this machine, whatever runs on it"},
		{"root", "DIR", OPTION_STRING, &a.root, "read DIR/proc and DIR/sys instead"},
		{"json", NULL, OPTION_FLAG, &a.json, "print JSON"},
	};
	int r;

	argv[0] = name;
	r = cli_parse(argc, argv, &help, options, array_size(options), NULL);
	if (r >= 0)
		return r;
	if (check_arguments(&a, &e) == 0 && analyze(&a, &t, &e) == 0)
		return cli_print(name, &t);
	text_release(&t);
	return cli_fail(name, &e);
}

static const struct command actions[] = {
	{"analyze", "whether pinning would help (guest), what is amiss (host)", cmd_analyze, NULL},
	{"recommend", "the commands that pin the VMs of this host", cmd_pinning_recommend, NULL},
};

int cmd_pinning(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts pinning", actions, array_size(actions));
}
