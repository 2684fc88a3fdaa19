// SPDX-License-Identifier: Apache-2.0
/* What a store knows of VMs, and how it is asked: see host_store.h. */
#include "record/host_store.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define QEMU_COMM "comm=~\"qemu-system-.*|qemu-kvm|kvm\""
#define QEMU_EXE  "exe=~\".*/(qemu-system-.*|qemu-kvm|kvm)\""

/* "metric{matchers,more}" */
static void add_selector(const struct store *s, const char *metric, const char *matchers,
			 struct text *t)
{
	const char *more = s->run->o->match;

	text_printf(t, "%s{%s%s%s}", metric, matchers, more ? "," : "", more ? more : "");
}

static void add_parameter(struct text *url, const char *name, const char *value)
{
	text_add(url, strchr(url->s, '?') ? "&" : "?");
	text_printf(url, "%s=", name);
	host_http_escape(url, value);
}

static void add_time(struct text *url, const char *name, int64_t t_ms)
{
	char value[32];

	snprintf(value, sizeof(value), "%lld.%03d", (long long)(t_ms / 1000), (int)(t_ms % 1000));
	add_parameter(url, name, value);
}

static void begin_url(const struct store *s, const char *path, struct text *url)
{
	const char *base = s->run->o->url;
	size_t n = strlen(base);

	while (n && base[n - 1] == '/')
		n--;
	text_add_n(url, base, n);
	text_add(url, path);
}

/* A discovered series: a VM, new or known, gets a column for its zone. */
static bool discover(void *user, const struct host_figure *f, struct host_point *ret)
{
	struct store *s = user;
	size_t known = s->vms.n, i;
	struct store_vm *vm;

	(void)ret;
	if (f->zone < 0) {
		snprintf(s->unknown, sizeof(s->unknown), "%s", f->zone_text);
		return false;
	}
	if (f->joules != s->joules || host_vms_add(&s->vms, &f->vm, &i) < 0)
		return false;
	if (s->state_cap < s->vms.cap) {
		struct store_vm *grown = reallocarray(s->state, s->vms.cap, sizeof(*grown));

		if (!grown)
			return false;
		s->state = grown;
		s->state_cap = s->vms.cap;
	}
	vm = &s->state[i];
	if (s->vms.n > known) {
		*vm = (struct store_vm){.joules = f->joules};
		memset(vm->column, -1, sizeof(vm->column));
	}
	if (vm->column[f->zone] < 0)
		vm->column[f->zone] = (int)vm->n_columns++;
	return true;
}

/* Ask which series there are: counters, or gauges. */
static int ask_series(struct store *s, bool joules, struct err *e)
{
	static const char *const matchers[][2] = {
		{"vm", "state!=\"terminated\""}, {"process", QEMU_COMM}, {"process", QEMU_EXE}};
	const struct host_series_sink sink = {discover, s};
	struct host_http_request q = {0};
	struct text url = {0}, one = {0};
	char metric[64];
	int r;

	s->joules = joules;
	begin_url(s, "/api/v1/series", &url);
	for (size_t i = 0; i < array_size(matchers); i++) {
		snprintf(metric, sizeof(metric), "kepler_%s_cpu_%s", matchers[i][0],
			 joules ? "joules_total" : "watts");
		text_reset(&one);
		add_selector(s, metric, matchers[i][1], &one);
		add_parameter(&url, "match[]", one.s);
	}
	add_time(&url, "start", s->run->o->from_ns / 1000000);
	add_time(&url, "end", s->run->o->to_ns / 1000000);
	r = url.failed || one.failed ? err_nomem(e) : host_http_get(s->http, &q, url.s, e);
	if (r == 0)
		r = host_series_read(q.body.s, q.body.len, &sink, e);
	if (r < 0 && q.status && q.status != 200) {
		char said[300];

		host_api_error(q.body.s, q.body.len, said, sizeof(said));
		if (*said)
			err_set(e, r, "%.100s says: %s", s->run->o->url, said);
	}
	host_http_request_release(&q);
	text_release(&one);
	text_release(&url);
	return r;
}

static int choose(struct store *s, struct err *e)
{
	autofree bool *chosen = calloc(s->vms.n + 1, sizeof(*chosen));
	int r;

	if (!chosen)
		return err_nomem(e);
	r = host_choose(&s->vms, &s->run->o->choice, NULL, s->run->o->url, chosen, e);
	for (size_t i = 0; r == 0 && i < s->vms.n; i++) {
		struct store_vm *vm = &s->state[i];
		char title[HOST_TEXT];
		int64_t last_ns;

		host_vms_title(&s->vms, i, title);
		last_ns = host_out_last_ns(s->run->out, title);
		vm->chosen = chosen[i];
		vm->last_ms = s->run->o->from_ns / 1000000 -
			      (s->run->o->step_s > 0 ? llround(s->run->o->step_s * 1000) : 1);
		if (last_ns != INT64_MIN && last_ns / 1000000 > vm->last_ms)
			vm->last_ms = last_ns / 1000000;
	}
	return r;
}

int store_open(struct store *s, struct host_run *run, struct err *e)
{
	int r;

	*s = (struct store){.run = run};
	r = host_http_new(&run->o->http, &s->http, e);
	if (r == 0)
		r = ask_series(s, true, e);
	if (r == 0 && !s->vms.n)
		r = ask_series(s, false, e);
	if (r == 0 && !s->vms.n)
		r = err_set(e, -ERR_DATA,
			    "%.100s has no series of Kepler's about a VM in that time: neither "
			    "kepler_vm_cpu_* nor kepler_process_cpu_* of QEMU; see --from, --to, "
			    "--match",
			    run->o->url);
	if (r == 0 && s->unknown[0])
		host_say(run->talk, "zone '%s' is none of ours and is left out", s->unknown);
	return r < 0 ? r : choose(s, e);
}

void store_close(struct store *s)
{
	host_http_free(s->http);
	host_vms_release(&s->vms);
	free(s->state);
	free(s->order);
	free(s->groups);
}

/* For qsort_r: kinds of series apart, then where they end, so that a group ends together. */
static int by_kind_and_end(const void *a, const void *b, void *store)
{
	const struct store *s = store;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;

	if (s->vms.items[i].process != s->vms.items[k].process)
		return s->vms.items[i].process ? 1 : -1;
	if (s->state[i].last_ms != s->state[k].last_ms)
		return s->state[i].last_ms < s->state[k].last_ms ? -1 : 1;
	return (i > k) - (i < k);
}

int store_group(struct store *s, size_t size, struct err *e)
{
	s->order = calloc(s->vms.n + 1, sizeof(*s->order));
	s->groups = calloc(s->vms.n + 2, sizeof(*s->groups));
	if (!s->order || !s->groups)
		return err_nomem(e);
	for (size_t i = 0; i < s->vms.n; i++) {
		if (s->state[i].chosen)
			s->order[s->n_order++] = i;
	}
	qsort_r(s->order, s->n_order, sizeof(*s->order), by_kind_and_end, s);
	for (size_t i = 0; i < s->n_order; i++) {
		bool kind = s->vms.items[s->order[i]].process;

		if (!s->n_groups || i - s->groups[s->n_groups - 1] == size ||
		    kind != s->vms.items[s->order[i - 1]].process)
			s->groups[s->n_groups++] = i;
	}
	s->groups[s->n_groups] = s->n_order;
	return 0;
}

/* `text` as a part of a regular expression inside a PromQL string. */
static void add_regex(struct text *t, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\n')
			text_add(t, "."); /* none that a regular expression could miss */
		else if (strchr("\\.+*?()|[]{}^$", *text))
			text_printf(t, *text == '\\' ? "\\\\\\\\" : "\\\\%c", *text);
		else
			text_add_n(t, text, 1);
	}
}

/* The selector of a group's series. Series of others that it also finds are left out later. */
static void group_selector(const struct store *s, size_t group, struct text *ret)
{
	size_t first = s->groups[group], end = s->groups[group + 1];
	const struct host_vm *vm = &s->vms.items[s->order[first]];
	struct text ids = {0};
	bool by_uuid = !vm->process;
	char metric[64];

	for (size_t i = first; i < end; i++)
		by_uuid &= s->vms.items[s->order[i]].uuid[0] != 0;
	text_printf(&ids, "%s=~\"", vm->process ? "pid" : by_uuid ? "vm_id" : "vm_name");
	for (size_t i = first; i < end; i++) {
		vm = &s->vms.items[s->order[i]];
		text_add(&ids, i > first ? "|" : "");
		add_regex(&ids, vm->process ? vm->pid : by_uuid ? vm->uuid : vm->name);
	}
	text_add(&ids, "\",state!=\"terminated\"");
	snprintf(metric, sizeof(metric), "kepler_%s_cpu_%s", vm->process ? "process" : "vm",
		 s->joules ? "joules_total" : "watts");
	if (ids.failed)
		ret->failed = true;
	else
		add_selector(s, metric, ids.s, ret);
	text_release(&ids);
}

void store_fetch_url(const struct store *s, size_t group, int64_t begin_ms, int64_t end_ms,
		     struct text *url)
{
	double step_s = s->run->o->step_s;
	struct text query = {0};
	char step[NUMBER_TEXT];

	group_selector(s, group, &query);
	if (step_s > 0) {
		begin_url(s, "/api/v1/query_range", url);
		add_parameter(url, "query", query.s);
		add_time(url, "start", begin_ms + llround(step_s * 1000));
		add_time(url, "end", end_ms);
		add_parameter(url, "step", format_double(step, step_s));
	} else {
		text_printf(&query, "[%lldms]", (long long)(end_ms - begin_ms));
		begin_url(s, "/api/v1/query", url);
		add_parameter(url, "query", query.s);
		add_time(url, "time", end_ms);
	}
	url->failed |= query.failed;
	text_release(&query);
}

int store_interval(struct store *s, double *ret_s, struct err *e)
{
	struct text query = {0}, url = {0};
	struct host_http_request q = {0};
	double count = NAN;
	int r;

	text_add(&query, "max(count_over_time(");
	group_selector(s, 0, &query);
	text_add(&query, "[10m]))");
	begin_url(s, "/api/v1/query", &url);
	add_parameter(&url, "query", query.s);
	add_time(&url, "time", s->run->o->to_ns / 1000000);
	r = url.failed || query.failed ? err_nomem(e) : host_http_get(s->http, &q, url.s, e);
	if (r == 0)
		r = host_scalar_read(q.body.s, q.body.len, &count, e);
	if (r == 0)
		*ret_s = s->interval_s = count >= 1 ? 600 / count : NAN;
	host_http_request_release(&q);
	text_release(&query);
	text_release(&url);
	return r;
}

bool store_take_series(void *store, const struct host_figure *f, struct host_point *ret)
{
	const struct store *s = store;
	long i = f->zone < 0 ? -1 : host_vms_find(&s->vms, &f->vm);

	if (i < 0 || !s->state[i].chosen || s->state[i].column[f->zone] < 0)
		return false;
	ret->vm = (uint32_t)i;
	ret->column = (uint32_t)s->state[i].column[f->zone];
	return true;
}

int store_begin(struct store *s, size_t i, struct err *e)
{
	struct store_vm *vm = &s->state[i];
	struct host_stream stream = {.n_columns = vm->n_columns};
	char title[HOST_TEXT], names[ZONE_COUNT][24], step[NUMBER_TEXT];

	host_vms_title(&s->vms, i, title);
	stream.title = title;
	host_stream_meta(&stream, "source", "prometheus");
	if (s->run->o->step_s > 0)
		host_stream_meta(&stream, "interval_s", format_double(step, s->run->o->step_s));
	else if (s->interval_s > 0)
		host_stream_meta(&stream, "interval_s",
				 format_double_digits(step, s->interval_s, 2));
	host_stream_meta(&stream, "series", s->vms.items[i].process ? "process" : "vm");
	host_stream_vm(&stream, &s->vms.items[i]);
	zone_foreach (z) {
		if (vm->column[z] < 0)
			continue;
		snprintf(names[z], sizeof(names[z]), "%s_%s", zone_name(z),
			 vm->joules ? "joules" : "watts");
		stream.columns[vm->column[z]] = names[z];
	}
	if (host_out_begin(s->run->out, &stream, &vm->at, e) < 0)
		return e->code;
	vm->begun = true;
	return 0;
}
