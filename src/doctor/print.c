// SPDX-License-Identifier: Apache-2.0
/*
 * Findings as text and JSON, and the report. The report is written from numbers
 * and from words of our own: a string of the machine's or the operator's goes
 * in only where it is one that we know, or (the CPU's name) made of the few
 * characters that CPU names are made of.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/cleanup.h"
#include "config/schema.h"
#include "doctor/parts.h"
#include "model/prior.h"

#define RIGHT 17 /* where sentences start */

static void line(struct text *t, const char *head, const char *said)
{
	text_printf(t, "      %-*s%s %s\n", RIGHT - 6, "", head, said);
}

void doctor_text(const struct doctor *d, struct text *t)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->findings[i];

		text_printf(t, "%-5s %-*s%s\n", verdict_name(f->verdict), RIGHT - 1, f->check,
			    f->said);
		if (f->remedy[0])
			line(t, "     remedy:", f->remedy);
		if (f->cost)
			line(t, "     cost:", f->cost);
	}
	text_printf(t, "%zu ok, %zu warnings, %zu failures\n", doctor_count(d, VERDICT_OK),
		    doctor_count(d, VERDICT_WARN), doctor_count(d, VERDICT_FAIL));
}

static void pair(struct text *t, const char *key, const char *value)
{
	text_printf(t, ",\"%s\":", key);
	text_json_string(t, value);
}

static void flag(struct text *t, const char *key, bool value)
{
	text_printf(t, ",\"%s\":%s", key, value ? "true" : "false");
}

static void counts(const struct doctor *d, struct text *t)
{
	for (int v = 0; v < VERDICT_COUNT; v++)
		text_json_field(t, verdict_name((enum verdict)v),
				(double)doctor_count(d, (enum verdict)v), 0);
}

void doctor_json(const struct doctor *d, struct text *t)
{
	text_add(t, "{\"checks\":[");
	for (size_t i = 0; i < d->n; i++) {
		const struct finding *f = &d->findings[i];

		text_printf(t, "%s{\"check\":\"%s\"", i ? "," : "", f->check);
		pair(t, "verdict", verdict_name(f->verdict));
		pair(t, "said", f->said);
		if (f->remedy[0])
			pair(t, "remedy", f->remedy);
		if (f->cost)
			pair(t, "cost", f->cost);
		text_add(t, "}");
	}
	text_add(t, "]");
	counts(d, t);
	text_add(t, "}\n");
}

/* ---- the report ---- */

static const char *known(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(s, list[i]))
			return list[i];
	}
	return "other";
}

/* "6.1.0" of "6.1.0-18-cloud-amd64": what follows may be anybody's words. */
static void kernel_version(const struct doctor *d, char *ret, size_t size)
{
	struct utsname u;
	size_t n;

	if (root_read_line(&d->root, "/proc/sys/kernel/osrelease", ret, size) <= 0) {
		if (!root_is_self(&d->root) || uname(&u) < 0)
			u.release[0] = 0;
		snprintf(ret, size, "%.*s", (int)size - 1, u.release);
	}
	n = strspn(ret, "0123456789.");
	ret[n] = 0;
}

/* A CPU's name has few kinds of characters; anything else is no name of a CPU. */
static const char *cpu_name(const struct identity *id)
{
	for (const char *p = id->model_name; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr(" ()@.-_/+", *p))
			return "other";
	}
	return id->model_name;
}

static void report_cpu(const struct doctor *d, struct text *t)
{
	static const char *const vendors[] = {"GenuineIntel", "AuthenticAMD", "HygonGenuine",
					      "CentaurHauls", "  Shanghai  "};
	const struct identity *id = &d->identity;
	struct prior prior;

	prior_init(&prior, id);
	text_add(t, ",\"cpu\":{\"vendor\":");
	text_json_string(t, known(id->vendor, vendors, array_size(vendors)));
	pair(t, "model_name", cpu_name(id));
	text_json_field(t, "family", id->family, 0);
	text_json_field(t, "model", id->model, 0);
	text_json_field(t, "stepping", id->stepping, 0);
	text_json_field(t, "vcpus", id->n_cpus, 0);
	text_json_field(t, "sockets", id->n_sockets, 0);
	text_json_field(t, "cores", id->n_cores, 0);
	text_json_field(t, "isolated", id->n_isolated, 0);
	text_json_field(t, "tsc_khz", id->tsc_khz, 0);
	pair(t, "prior", prior_name(&prior));
	text_add(t, "}");
}

static void report_sources(const struct doctor *d, struct text *t)
{
	text_add(t, ",\"sources\":{");
	for (int k = 0; k < SOURCE_COUNT; k++) {
		text_printf(t, "%s\"%s\":{\"present\":%s", k ? "," : "",
			    source_name((enum source)k), d->present[k] ? "true" : "false");
		text_json_field(t, "read_us", (double)d->duration_ns[k] / 1e3, 0);
		text_add(t, "}");
	}
	text_add(t, "}");
}

static void report_key(const struct key *k, const struct config *c, const struct config *defaults,
		       struct text *t)
{
	const char *at = (const char *)c + k->offset, *usual = (const char *)defaults + k->offset;
	int64_t whole;
	double real;
	int choice;

	switch (k->type) {
	case KEY_BOOL:
		flag(t, k->path, *(const bool *)at);
		break;
	case KEY_STRING: /* a path, an address, a name: only whether it is the usual one */
		pair(t, k->path, !strcmp(at, usual) ? "default" : "set");
		break;
	case KEY_DURATION:
	case KEY_INTEGER:
		memcpy(&whole, at, sizeof(whole));
		text_json_field(t, k->path,
				k->type == KEY_DURATION ? (double)whole / 1e9 : (double)whole, 0);
		break;
	case KEY_NUMBER:
		memcpy(&real, at, sizeof(real));
		text_json_field(t, k->path, real, 0);
		break;
	case KEY_CHOICE:
		memcpy(&choice, at, sizeof(choice));
		pair(t, k->path, k->choices[choice]);
		break;
	case KEY_SECTION:
	case KEY_CPUS:
	case KEY_FEATURES:
		break;
	}
}

static void report_configuration(const struct doctor *d, struct text *t)
{
	struct config defaults;
	size_t n = 0;

	config_defaults(&defaults);
	flag(t, "configured", d->configured);
	text_add(t, ",\"configuration\":{\"whitelisted\":");
	feature_foreach (f)
		n += d->config.has_whitelist && d->config.whitelist[f];
	text_json_number(t, d->config.has_whitelist ? (double)n : NAN);
	for (size_t i = 0; i < n_config_keys; i++)
		report_key(&config_keys[i], &d->config, &defaults, t);
	text_add(t, "}");
}

static void report_bundle(const struct doctor *d, struct text *t)
{
	const struct doctor_bundle *b = &d->bundle;

	text_printf(t, ",\"bundle\":{\"present\":%s", b->present ? "true" : "false");
	if (b->present) {
		flag(t, "expired", b->expired);
		flag(t, "misfit", b->misfit);
		pair(t, "tier", tier_name(b->tier));
		pair(t, "scope", scope_name((enum scope)b->scope));
		text_json_field(t, "zones", b->n_zones, 0);
	}
	text_add(t, "}");
}

void doctor_report(const struct doctor *d, struct text *t)
{
	static const char *const hypervisors[] = {"none", "unknown", "kvm", "vmware", "microsoft",
						  "xen",  "bhyve",   "tcg", "acrn",   "parallels"};
	char kernel[128];

	kernel_version(d, kernel, sizeof(kernel));
	text_add(t, "{\"vmwatts\":\"" VMWATTS_VERSION "\"");
	pair(t, "kernel", kernel);
	pair(t, "hypervisor", known(d->identity.hypervisor, hypervisors, array_size(hypervisors)));
	pair(t, "platform", platform_name(d->platform));
	flag(t, "rerooted", !root_is_self(&d->root));
	report_cpu(d, t);
	pair(t, "tier", tier_name(d->tier));
	text_json_field(t, "perf_open", d->perf_code, 0);
	text_json_field(t, "steal_ratio", d->steal_ratio, 0);
	pair(t, "clock_source", d->clock_source);
	report_sources(d, t);
	report_configuration(d, t);
	report_bundle(d, t);
	text_add(t, ",\"checks\":{");
	for (size_t i = 0; i < d->n; i++)
		text_printf(t, "%s\"%s\":\"%s\"", i ? "," : "", d->findings[i].check,
			    verdict_name(d->findings[i].verdict));
	text_add(t, "}}\n");
}
