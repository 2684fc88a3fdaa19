// SPDX-License-Identifier: Apache-2.0
/*
 * A plan's YAML against three tables of keys: of the plan, of a phase, of a
 * load. Every refusal says where, what was found and what is allowed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "config/events.h"
#include "workload/plan.h"

#define KEYS_MAX 8

struct reader {
	struct events ev;
	struct plan *plan;
	struct phase *phase; /* the one being read */
	struct load *load;
	yaml_mark_t size_mark; /* of the load's size, for what only the whole load tells */
	bool has_size;
};

struct key {
	const char *name;
	/* The current event is the value's first; leaves it at the value's last. */
	int (*read)(struct reader *r);
	const char *allowed;
	bool required;
};

static int read_mapping(struct reader *r, const char *what, const struct key *keys, size_t n);

static int refuse(struct reader *r, const char *key, const char *allowed)
{
	if (r->ev.event.type == YAML_SCALAR_EVENT)
		return events_fail_at(&r->ev, events_mark(&r->ev), "%s: found '%.80s', allowed: %s",
				      key, events_scalar(&r->ev), allowed);
	return events_fail_at(&r->ev, events_mark(&r->ev), "%s: found a %s, allowed: %s", key,
			      events_kind(&r->ev), allowed);
}

/* The current event's text, or NULL where it is none. */
static const char *word(const struct reader *r)
{
	if (r->ev.event.type != YAML_SCALAR_EVENT || events_has_nul(&r->ev))
		return NULL;
	return events_scalar(&r->ev);
}

/* ---- values ---- */

#define ALLOWED_NAME	 "1 to 63 letters, digits, '-', '_' or '.'"
#define ALLOWED_ABOUT	 "a sentence of up to 199 characters on one line"
#define ALLOWED_DURATION "a duration such as 30s, 100ms to 24h"
#define ALLOWED_BURST	 "two durations, on and off, such as [2s, 3s], 100ms to 24h"
#define ALLOWED_LOAD	 "a percentage, 0 to 100, or up to 8 of them such as 0..100..0"
#define ALLOWED_WORKERS	 "all, or a number from 1 to 1024"
#define ALLOWED_SIZE	 "1% to 100%, or bytes such as 512M, at least 1M"
#define ALLOWED_PHASES	 "a list of 1 to 128 phases, each with name and duration"
#define ALLOWED_LOADS	 "a list of up to 8 loads, each with a kind"

static int store_name(struct reader *r, char ret[64], const char *key)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	const char *s = word(r);

	if (!s || !*s || strlen(s) > 63 || s[strspn(s, letters)])
		return refuse(r, key, ALLOWED_NAME);
	strcpy(ret, s); /* fits: checked above */
	return 0;
}

static int read_plan_name(struct reader *r)
{
	return store_name(r, r->plan->name, "name");
}

static int read_phase_name(struct reader *r)
{
	return store_name(r, r->phase->name, "name");
}

static int read_about(struct reader *r)
{
	const char *s = word(r);

	if (!s || strlen(s) >= sizeof(r->plan->about) || strpbrk(s, "\r\n"))
		return refuse(r, "about", ALLOWED_ABOUT);
	strcpy(r->plan->about, s); /* fits: checked above */
	return 0;
}

static int store_duration(struct reader *r, double *ret_s, const char *key, const char *allowed)
{
	const char *s = word(r);
	int64_t ns;

	if (!s || parse_duration_ns(s, &ns) < 0 || ns < 100000000 ||
	    (double)ns > PLAN_DURATION_MAX_S * 1e9)
		return refuse(r, key, allowed);
	*ret_s = (double)ns / 1e9;
	return 0;
}

static int read_duration(struct reader *r)
{
	return store_duration(r, &r->phase->duration_s, "duration", ALLOWED_DURATION);
}

static int read_burst(struct reader *r)
{
	double *const to[] = {&r->phase->burst_on_s, &r->phase->burst_off_s};

	if (r->ev.event.type != YAML_SEQUENCE_START_EVENT)
		return refuse(r, "burst", ALLOWED_BURST);
	for (size_t i = 0; i < 2; i++) {
		if (events_next(&r->ev) < 0 || store_duration(r, to[i], "burst", ALLOWED_BURST) < 0)
			return -ERR_CONFIG;
	}
	if (events_next(&r->ev) < 0)
		return -ERR_CONFIG;
	return r->ev.event.type == YAML_SEQUENCE_END_EVENT ? 0 : refuse(r, "burst", ALLOWED_BURST);
}

static int read_kind(struct reader *r)
{
	const char *names[32], *s = word(r), *near;
	char allowed[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < n_load_kinds; i++) {
		names[i] = load_kinds[i].name;
		if (s && !strcmp(s, names[i])) {
			r->load->kind = &load_kinds[i];
			return 0;
		}
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s", i ? ", " : "",
					names[i]);
	}
	near = s ? nearest_name(s, names, n_load_kinds) : NULL;
	if (!near)
		return refuse(r, "kind", allowed);
	return events_fail_at(&r->ev, events_mark(&r->ev),
			      "kind: found '%.80s'; did you mean '%s'?", s, near);
}

/* "40" or "0..100..0" */
static int read_load(struct reader *r)
{
	struct load *l = r->load;
	const char *s = word(r);

	l->n_points = 0;
	while (s && l->n_points < PLAN_POINTS_MAX) {
		const char *dots = strstr(s, "..");
		double v;

		if (parse_double_n(s, dots ? (size_t)(dots - s) : strlen(s), &v) < 0 || v < 0 ||
		    v > 100)
			break;
		l->percent[l->n_points++] = v;
		if (!dots)
			return 0;
		s = dots + 2;
	}
	return refuse(r, "load", ALLOWED_LOAD);
}

static int read_workers(struct reader *r)
{
	const char *s = word(r);
	uint64_t n = 0;

	if (!s ||
	    (strcmp(s, "all") != 0 && (parse_u64(s, &n) < 0 || n == 0 || n > PLAN_WORKERS_MAX)))
		return refuse(r, "workers", ALLOWED_WORKERS);
	r->load->workers = (unsigned)n;
	return 0;
}

static int read_size(struct reader *r)
{
	const char *s = word(r);
	size_t n = s ? strlen(s) : 0;
	double percent;

	r->has_size = true;
	r->size_mark = events_mark(&r->ev);
	if (n && s[n - 1] == '%') {
		if (parse_double_n(s, n - 1, &percent) < 0 || percent < 1 || percent > 100)
			return refuse(r, "size", ALLOWED_SIZE);
		r->load->size_percent = percent;
		return 0;
	}
	if (!s || parse_size(s, &r->load->size_bytes) < 0 || r->load->size_bytes < 1u << 20)
		return refuse(r, "size", ALLOWED_SIZE);
	return 0;
}

/* ---- structure ---- */

static int read_one_load(struct reader *r)
{
	static const struct key keys[] = {
		{"kind", read_kind, "a kind of load", true},
		{"load", read_load, ALLOWED_LOAD, false},
		{"workers", read_workers, ALLOWED_WORKERS, false},
		{"size", read_size, ALLOWED_SIZE, false},
	};
	struct load *l = r->load = &r->phase->loads[r->phase->n_loads++];

	*l = (struct load){.percent = {100}, .n_points = 1};
	r->has_size = false;
	if (read_mapping(r, "a load", keys, array_size(keys)) < 0)
		return -ERR_CONFIG;
	if (r->has_size && !l->kind->size_parts)
		return events_fail_at(&r->ev, r->size_mark,
				      "size: %s takes none; allowed: memory and disk kinds",
				      l->kind->name);
	if (!r->has_size)
		l->size_percent = l->kind->size_percent;
	return 0;
}

/* The items of a list of at most `max`; read_one is called at the first event of each. */
static int read_list(struct reader *r, const char *key, const char *allowed, size_t max,
		     int (*read_one)(struct reader *r))
{
	if (r->ev.event.type != YAML_SEQUENCE_START_EVENT)
		return refuse(r, key, allowed);
	for (size_t n = 0;; n++) {
		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		if (r->ev.event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (n == max)
			return events_fail_at(&r->ev, events_mark(&r->ev),
					      "%s: found more than %zu, allowed: %s", key, max,
					      allowed);
		if (read_one(r) < 0)
			return -ERR_CONFIG;
	}
}

static int read_loads(struct reader *r)
{
	return read_list(r, "loads", ALLOWED_LOADS, PLAN_LOADS_MAX, read_one_load);
}

static int read_phase(struct reader *r)
{
	static const struct key keys[] = {
		{"name", read_phase_name, ALLOWED_NAME, true},
		{"duration", read_duration, ALLOWED_DURATION, true},
		{"burst", read_burst, ALLOWED_BURST, false},
		{"loads", read_loads, ALLOWED_LOADS, false},
	};

	r->phase = &r->plan->phases[r->plan->n_phases++];
	return read_mapping(r, "a phase", keys, array_size(keys));
}

static int read_phases(struct reader *r)
{
	yaml_mark_t mark = events_mark(&r->ev);

	if (read_list(r, "phases", ALLOWED_PHASES, PLAN_PHASES_MAX, read_phase) < 0)
		return -ERR_CONFIG;
	if (!r->plan->n_phases)
		return events_fail_at(&r->ev, mark, "phases: found an empty list, allowed: %s",
				      ALLOWED_PHASES);
	return 0;
}

static int unknown_key(struct reader *r, const char *what, const struct key *keys, size_t n)
{
	const char *names[KEYS_MAX], *s = word(r), *near;
	char allowed[200] = "";
	size_t len = 0;

	if (!s)
		return events_fail_at(&r->ev, events_mark(&r->ev), "a key must be a word");
	for (size_t i = 0; i < n; i++) {
		names[i] = keys[i].name;
		len += (size_t)snprintf(allowed + len, sizeof(allowed) - len, "%s%s", i ? ", " : "",
					keys[i].name);
	}
	near = nearest_name(s, names, n);
	return events_fail_at(
		&r->ev, events_mark(&r->ev), "unknown key '%.80s' of %s%s%s%s; allowed: %s", s,
		what, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", allowed);
}

/* One key and its value; the current event is the key. */
static int read_pair(struct reader *r, const char *what, const struct key *keys, size_t n,
		     bool seen[KEYS_MAX])
{
	const char *s = word(r);
	size_t i = 0;

	while (i < n && !(s && !strcmp(s, keys[i].name)))
		i++;
	if (i == n)
		return unknown_key(r, what, keys, n);
	if (seen[i])
		return events_fail_at(&r->ev, events_mark(&r->ev), "%s is given twice", s);
	seen[i] = true;
	return events_next(&r->ev) < 0 ? -ERR_CONFIG : keys[i].read(r);
}

static int read_mapping(struct reader *r, const char *what, const struct key *keys, size_t n)
{
	yaml_mark_t mark = events_mark(&r->ev);
	bool seen[KEYS_MAX] = {false};

	if (r->ev.event.type != YAML_MAPPING_START_EVENT)
		return refuse(r, what, "a section of keys");
	for (;;) {
		if (events_next(&r->ev) < 0)
			return -ERR_CONFIG;
		if (r->ev.event.type == YAML_MAPPING_END_EVENT)
			break;
		if (read_pair(r, what, keys, n, seen) < 0)
			return -ERR_CONFIG;
	}
	for (size_t i = 0; i < n; i++) {
		if (keys[i].required && !seen[i])
			return events_fail_at(&r->ev, mark, "%s needs %s: %s", what, keys[i].name,
					      keys[i].allowed);
	}
	return 0;
}

static int read_plan(struct events *ev, void *context)
{
	static const struct key keys[] = {
		{"name", read_plan_name, ALLOWED_NAME, true},
		{"about", read_about, ALLOWED_ABOUT, false},
		{"phases", read_phases, ALLOWED_PHASES, true},
	};

	(void)ev;
	return read_mapping(context, "a plan", keys, array_size(keys));
}

int plan_parse(const char *text, size_t len, const char *name, struct plan **ret, struct err *e)
{
	autofree struct plan *plan = calloc(1, sizeof(*plan));
	struct reader r = {.plan = plan};
	int result;

	if (!plan || events_open(&r.ev, text, len, name, e) < 0)
		return err_nomem(e);
	result = events_document(&r.ev, read_plan, &r);
	events_close(&r.ev);
	if (result < 0)
		return result;
	if (!plan->n_phases)
		return err_set(e, -ERR_CONFIG,
			       "%s:1:1: found nothing, allowed: a plan with name and phases", name);
	*ret = steal(plan);
	return 0;
}
