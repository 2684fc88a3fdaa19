// SPDX-License-Identifier: Apache-2.0
/* vmwatts model install, list, activate, rollback, gc: see model_store.h. */
#include "cli/model_store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bundle/ledger.h"

int model_trust(const struct trust_arguments *a, struct trust **ret, struct err *e)
{
	int r;

	if (a->threshold < 1 || a->threshold > BUNDLE_SIGNATURES_MAX)
		return err_set(e, -ERR_USAGE, "--signature-threshold: 1 to %d",
			       BUNDLE_SIGNATURES_MAX);
	r = a->trust ? trust_load_file(a->trust, ret, e)
		     : trust_load_directory(a->trusted_keys, a->model_path, ret, e);
	if (r == 0)
		trust_require(*ret, (unsigned)a->threshold);
	return r;
}

int model_one_word(const struct string_list *rest, const char *what, struct err *e)
{
	if (rest->n != 1)
		return err_set(e, -ERR_USAGE, "%s needs exactly one bundle, %zu were given", what,
			       rest->n);
	return 0;
}

static int no_word(const struct string_list *rest, const char *what, struct err *e)
{
	return rest->n ? err_set(e, -ERR_USAGE, "%s takes no bundle", what) : 0;
}

void model_date(int64_t t_s, char *buf, size_t size)
{
	time_t t = (time_t)t_s;
	struct tm tm;

	if (!t_s || !gmtime_r(&t, &tm) || !strftime(buf, size, "%Y-%m-%d %H:%M:%S UTC", &tm))
		snprintf(buf, size, "%s", "never");
}

static struct store_place place_of(const struct trust_arguments *a)
{
	return (struct store_place){.model_path = a->model_path, .state_dir = a->state_dir};
}

/* ---- install, activate, rollback, gc ---- */

int model_install(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	struct trust *t = NULL;
	char path[PATH_MAX];
	int r = model_one_word(rest, "install", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = store_install(a->model_path, rest->items[0], t, (int64_t)time(NULL),
				  a->allow_older, path, e);
	trust_free(t);
	if (r < 0)
		return r;
	if (a->json) {
		autotext struct text json = {.s = NULL};

		text_add(&json, "{\"installed\":");
		text_json_string(&json, path);
		text_add(&json, ",\"active\":true}");
		puts(json.s ? json.s : "");
	} else {
		printf("%s installed and active; a running agent takes it within a second\n", path);
	}
	return 0;
}

/* What is active now, after a change. */
static int tell_active(const struct trust_arguments *a, const struct trust *t, struct err *e)
{
	const struct store_place place = place_of(a);
	struct model_set *s = NULL;
	int r = store_pick(&place, t, (int64_t)time(NULL), &s, NULL, e);

	if (r == 0 && a->json)
		printf("{\"active\":{\"name\":\"%s\",\"version\":\"%s\",\"sequence\":%lld}}\n",
		       s->name, s->version, (long long)s->sequence);
	else if (r == 0)
		printf("active: %s %s (sequence %lld)\n", s->name, s->version,
		       (long long)s->sequence);
	model_set_free(s);
	return r;
}

int model_activate(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	const struct store_place place = place_of(a);
	struct trust *t = NULL;
	int r = model_one_word(rest, "activate", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = store_activate(&place, rest->items[0], t, (int64_t)time(NULL), e);
	if (r == 0)
		r = tell_active(a, t, e);
	trust_free(t);
	return r;
}

int model_rollback(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	const struct store_place place = place_of(a);
	struct trust *t = NULL;
	int r = no_word(rest, "rollback", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = store_roll_back_current(&place, t, e);
	if (r == 0)
		r = tell_active(a, t, e);
	trust_free(t);
	return r;
}

int model_gc(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	const struct store_place place = place_of(a);
	struct trust *t = NULL;
	struct store_gc_report report;
	int r = no_word(rest, "gc", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = store_gc(&place, t, a->keep > 0 ? (size_t)a->keep : 0, &report, e);
	if (r == 0 && report.unverified)
		fprintf(stderr,
			"vmwatts model gc: %zu left alone that the keys of %s do not verify "
			"(vmwatts model list says why, --trust K.pub names another key)\n",
			report.unverified, a->trust ? a->trust : a->trusted_keys);
	if (r == 0 && a->json)
		printf("{\"removed\":%zu,\"unverified\":%zu}\n", report.removed, report.unverified);
	else if (r == 0)
		printf("%zu removed\n", report.removed);
	trust_free(t);
	return r;
}

/* ---- list ---- */

static void list_line(const struct store_entry *entry)
{
	const char *mark = entry->current ? "*" : entry->previous ? "-" : " ";
	char created[64], expires[64];

	if (!entry->set) {
		printf("%s %-28s refused: %s\n", mark, entry->file, entry->why.msg);
		return;
	}
	model_date(entry->set->created_s, created, sizeof(created));
	model_date(entry->set->expires_s, expires, sizeof(expires));
	printf("%s %-28s %10lld  %-23s  %-23s  %s  %s%s%s%s\n", mark, entry->file,
	       (long long)entry->set->sequence, created, expires, entry->key_id,
	       bundle_state_name(entry->state), entry->reason[0] ? " (" : "", entry->reason,
	       entry->reason[0] ? ")" : "");
}

static void list_object(const struct store_entry *entry, struct text *t)
{
	const struct model_set *s = entry->set;

	text_add(t, "{\"file\":");
	text_json_string(t, entry->file);
	text_printf(t, ",\"active\":%s,\"previous\":%s", entry->current ? "true" : "false",
		    entry->previous ? "true" : "false");
	if (!s) {
		text_add(t, ",\"refused\":");
		text_json_string(t, entry->why.msg);
		text_add(t, "}");
		return;
	}
	text_add(t, ",\"name\":");
	text_json_string(t, s->name);
	text_add(t, ",\"version\":");
	text_json_string(t, s->version);
	text_printf(t,
		    ",\"sequence\":%lld,\"created\":%lld,\"expires\":%lld,\"activated\":%lld,"
		    "\"key\":\"%s\",\"state\":\"%s\"",
		    (long long)s->sequence, (long long)s->created_s, (long long)s->expires_s,
		    (long long)entry->activated_s, entry->key_id, bundle_state_name(entry->state));
	if (entry->reason[0]) {
		text_add(t, ",\"reason\":");
		text_json_string(t, entry->reason);
	}
	text_add(t, "}");
}

static void print_entries(const struct store_entry *entries, size_t n, bool json)
{
	autotext struct text t = {.s = NULL};

	if (!json && n)
		printf("  %-28s %10s  %-23s  %-23s  %-16s  %s\n", "file", "sequence", "created",
		       "expires", "signed by", "state");
	for (size_t i = 0; i < n; i++) {
		text_add(&t, i ? "," : "");
		if (json)
			list_object(&entries[i], &t);
		else
			list_line(&entries[i]);
	}
	if (json)
		printf("[%s]\n", t.s ? t.s : "");
}

static void print_history(const struct ledger *l, bool json)
{
	autotext struct text t = {.s = NULL};

	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_line *at = &l->lines[i];
		char when[64];

		model_date(at->t_ns / 1000000000, when, sizeof(when));
		if (!json) {
			printf("%s  %-11s %s-%s  sequence %lld%s%s\n", when,
			       ledger_event_name(at->event), at->name, at->version,
			       (long long)at->sequence, at->reason[0] ? ", " : "", at->reason);
			continue;
		}
		text_printf(&t,
			    "%s{\"time\":%lld,\"event\":\"%s\",\"name\":\"%s\",\"version\":"
			    "\"%s\",\"sequence\":%lld,\"reason\":",
			    i ? "," : "", (long long)(at->t_ns / 1000000000),
			    ledger_event_name(at->event), at->name, at->version,
			    (long long)at->sequence);
		text_json_string(&t, at->reason);
		text_add(&t, "}");
	}
	if (json)
		printf("[%s]\n", t.s ? t.s : "");
}

int model_list(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	const struct store_place place = place_of(a);
	autofree struct ledger *l = NULL;
	struct store_entry *entries = NULL;
	struct trust *t = NULL;
	size_t n = 0;
	int r = no_word(rest, "list", e);

	if (r == 0 && a->history) {
		r = ledger_read(&place, &l, e);
		if (r == 0)
			print_history(l, a->json);
		return r;
	}
	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = store_list_at(&place, t, &entries, &n, e);
	if (r == 0)
		print_entries(entries, n, a->json);
	store_list_free(entries, n);
	trust_free(t);
	return r;
}
