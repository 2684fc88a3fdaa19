// SPDX-License-Identifier: Apache-2.0
/*
 * Kepler's own page, read again and again, into rows.
 *
 * A row has what one page said of one VM: `<zone>_joules` and `<zone>_watts`,
 * whichever it shows. Counters are written as they are; one that fell says
 * that Kepler was restarted, and whoever reads the trace leaves that step out.
 * Its time is the middle between sending the request and the first byte of the
 * answer: connecting, TLS and the transfer of a long page are left out.
 *
 * Every page is read, not only those that changed: where figures repeat, the
 * pace of Kepler's refresh shows, and the alignment needs it.
 *
 * The VMs are chosen on the first page. Later ones join where all are wanted,
 * or where one has the name of a wanted VM that is gone.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "record/host_exposition.h"
#include "record/host_record.h"
#include "record/qemu.h"

#define UNITS 2 /* joules, watts */

/* One VM on Kepler's page, beside host_vms.items. */
struct kepler_vm {
	bool chosen, begun, there; /* `there`: on the last page */
	size_t at;		   /* in host_out */
	size_t n_columns;
	int column[UNITS][ZONE_COUNT]; /* -1: none */
	double sum[UNITS][ZONE_COUNT]; /* of this page; NaN: not there */
};

struct kepler {
	struct host_run *run;
	struct host_http *http;
	struct host_http_request page;
	struct host_vms vms;
	struct kepler_vm *state; /* owned; as many as vms.cap */
	size_t state_cap;
	char version[32], unknown[128];
	bool chosen; /* a first page was read */
};

static int grow(struct kepler *k, struct err *e)
{
	struct kepler_vm *grown;

	if (k->state_cap >= k->vms.n)
		return 0;
	grown = reallocarray(k->state, k->vms.cap, sizeof(*grown));
	if (!grown)
		return err_nomem(e);
	memset(grown + k->state_cap, 0, (k->vms.cap - k->state_cap) * sizeof(*grown));
	k->state = grown;
	k->state_cap = k->vms.cap;
	return 0;
}

static void note_unknown(struct kepler *k, const char *zone)
{
	size_t n = strlen(k->unknown);

	if (strstr(k->unknown, zone))
		return;
	snprintf(k->unknown + n, sizeof(k->unknown) - n, "%s%.31s", n ? ", " : "", zone);
	host_say(k->run->talk, "zone '%.31s' is none of ours and is left out", zone);
}

/* Add a series of this page to its VM. */
static int take_figure(struct kepler *k, const struct host_figure *f, double value, struct err *e)
{
	struct kepler_vm *vm;
	double *sum;
	size_t i;

	if (f->zone < 0) {
		note_unknown(k, f->zone_text);
		return 0;
	}
	if (host_vms_add(&k->vms, &f->vm, &i) < 0)
		return err_nomem(e);
	if (grow(k, e) < 0)
		return e->code;
	vm = &k->state[i];
	if (!vm->there) {
		vm->there = true;
		for (int u = 0; u < UNITS; u++) {
			zone_foreach (z)
				vm->sum[u][z] = NAN;
		}
	}
	sum = &vm->sum[f->joules ? 0 : 1][f->zone];
	*sum = isnan(*sum) ? value : *sum + value;
	return 0;
}

/* One page into sums by VM and zone. */
static int read_page(struct kepler *k, struct err *e)
{
	struct exposition x;
	struct exposition_sample s;
	int r;

	for (size_t i = 0; i < k->vms.n; i++)
		k->state[i].there = false;
	exposition_init(&x, k->page.body.s, k->page.body.len);
	while ((r = exposition_next(&x, &s, e)) > 0) {
		struct host_figure f;

		if (!strcmp(s.name, "kepler_build_info"))
			snprintf(k->version, sizeof(k->version), "%.31s",
				 host_label(&s.labels, "version"));
		if (!host_figure_read(s.name, &s.labels, &f) || !isfinite(s.value))
			continue;
		r = take_figure(k, &f, s.value, e);
		if (r < 0)
			return r;
	}
	if (r < 0)
		err_prefix(e, "%.100s is no page of metrics", k->run->o->url);
	return r;
}

/*
 * QEMU in a container has no name on Kepler's page, only a pid. Where Kepler
 * is on this machine, the process itself says what its VM is called.
 */
static void name_processes(struct kepler *k)
{
	autofree struct qemu *found = NULL;
	struct err e = ERR_INIT; /* without names it goes on by pid */
	struct root root;
	size_t n = 0;

	if (!host_http_is_local(k->run->o->url) || root_init(&root, k->run->o->root, &e) < 0 ||
	    qemu_find(&root, &found, &n, &e) < 0)
		return;
	for (size_t i = 0; i < k->vms.n; i++) {
		struct host_vm *vm = &k->vms.items[i];
		char pid[16];

		for (size_t q = 0; vm->process && !vm->name[0] && q < n; q++) {
			snprintf(pid, sizeof(pid), "%d", found[q].pid);
			if (strcmp(pid, vm->pid) != 0)
				continue;
			snprintf(vm->name, sizeof(vm->name), "%s", found[q].name);
			if (!vm->uuid[0])
				snprintf(vm->uuid, sizeof(vm->uuid), "%s", found[q].uuid);
		}
	}
}

/* Which VMs are recorded; again when new ones are on the page. */
static int choose(struct kepler *k, struct err *e)
{
	autofree bool *chosen = calloc(k->vms.n + 1, sizeof(*chosen));
	autofree bool *there = calloc(k->vms.n + 1, sizeof(*there));
	int r;

	if (!chosen || !there)
		return err_nomem(e);
	for (size_t i = 0; i < k->vms.n; i++)
		there[i] = k->state[i].there;
	r = host_choose(&k->vms, &k->run->o->choice, there, k->run->o->url, chosen, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < k->vms.n; i++)
		k->state[i].chosen |= chosen[i];
	return 0;
}

/* The VM's stream: a column for every zone that the page shows. */
static int begin_stream(struct kepler *k, size_t i, struct err *e)
{
	struct kepler_vm *vm = &k->state[i];
	struct host_stream s = {.title = ""};
	char title[HOST_TEXT], interval[NUMBER_TEXT], names[UNITS][ZONE_COUNT][24];

	host_vms_title(&k->vms, i, title);
	s.title = title;
	host_stream_meta(&s, "source", "kepler");
	host_stream_meta(&s, "interval_s", format_double(interval, k->run->o->interval_s));
	host_stream_meta(&s, "kepler_version", k->version);
	host_stream_meta(&s, "series", k->vms.items[i].process ? "process" : "vm");
	host_stream_vm(&s, &k->vms.items[i]);
	host_stream_steady(&s);
	for (int u = 0; u < UNITS; u++) {
		zone_foreach (z) {
			vm->column[u][z] = -1;
			if (isnan(vm->sum[u][z]))
				continue;
			snprintf(names[u][z], sizeof(names[u][z]), "%s_%s", zone_name(z),
				 u ? "watts" : "joules");
			vm->column[u][z] = (int)s.n_columns;
			s.columns[s.n_columns++] = names[u][z];
		}
	}
	vm->n_columns = s.n_columns;
	if (host_out_begin(k->run->out, &s, &vm->at, e) < 0)
		return e->code;
	vm->begun = true;
	host_say(k->run->talk, "records %s, %zu figures", title, s.n_columns - 1);
	return 0;
}

static int write_vm(struct kepler *k, size_t i, int64_t real_ns, unsigned *falls, struct err *e)
{
	struct kepler_vm *vm = &k->state[i];
	double values[HOST_COLUMNS_MAX];
	unsigned fell = 0;

	if (!vm->begun && begin_stream(k, i, e) < 0)
		return e->code;
	for (size_t c = 0; c < vm->n_columns; c++)
		values[c] = NAN;
	values[0] = host_steady_ns(real_ns);
	for (int u = 0; u < UNITS; u++) {
		zone_foreach (z) {
			if (vm->column[u][z] >= 0)
				values[vm->column[u][z]] = vm->sum[u][z];
		}
	}
	if (host_out_row(k->run->out, vm->at, real_ns, values, &fell, e) < 0)
		return e->code;
	*falls += fell > 0;
	return 0;
}

static void say_coming_and_going(struct kepler *k, size_t i, bool was_there)
{
	const struct kepler_vm *vm = &k->state[i];
	const struct host_vm *id = &k->vms.items[i];
	const char *name = id->name[0] ? id->name : id->uuid[0] ? id->uuid : id->pid;

	if (vm->begun && was_there && !vm->there)
		host_say(k->run->talk, "%s is gone from Kepler's page; waiting for it", name);
	else if (vm->begun && !was_there && vm->there)
		host_say(k->run->talk, "%s is back on Kepler's page", name);
}

/* What one page changed: who is there, who is chosen, a row for each. */
static int take_page(struct kepler *k, struct err *e)
{
	size_t known = k->vms.n;
	autofree bool *was_there = calloc(known + 1, sizeof(*was_there));
	int64_t real_ns = k->page.sent_ns + (k->page.first_ns - k->page.sent_ns) / 2;
	unsigned falls = 0;
	struct err why = ERR_INIT;
	int r;

	if (!was_there)
		return err_nomem(e);
	for (size_t i = 0; i < known; i++)
		was_there[i] = k->state[i].there;
	r = read_page(k, e);
	if (r < 0)
		return r;
	if (!k->vms.n && !k->chosen)
		return err_set(e, -ERR_DATA,
			       "%.100s shows no VM: neither kepler_vm_ series nor a qemu-system "
			       "process; is a VM running on that host?",
			       k->run->o->url);
	if (k->vms.n > known) {
		name_processes(k);
		r = choose(k, &why);
		if (r < 0 && !k->chosen)
			return err_set(e, r, "%s", why.msg);
	}
	k->chosen = true;
	for (size_t i = 0; i < k->vms.n; i++) {
		if (i < known)
			say_coming_and_going(k, i, was_there[i]);
		if (k->state[i].chosen && k->state[i].there &&
		    write_vm(k, i, real_ns, &falls, e) < 0)
			return e->code;
	}
	if (falls)
		host_say(k->run->talk, "counters of %u VM%s fell: Kepler was restarted", falls,
			 falls == 1 ? "" : "s");
	return 0;
}

/* True for what may pass: the page was not to be had, or was no page. */
static bool passes(const struct kepler *k, const struct err *e)
{
	return k->chosen && (k->page.err.code || e->code == -ERR_FORMAT);
}

static int scrape(struct kepler *k, struct err *e)
{
	int r = host_http_get(k->http, &k->page, k->run->o->url, e);

	return r < 0 ? r : take_page(k, e);
}

static int loop(struct kepler *k, struct err *e)
{
	struct host_pace pace = host_pace(k->run->o);
	unsigned failures = 0;

	do {
		int r = scrape(k, e);

		if (r == -EINTR)
			break;
		if (r < 0 && !passes(k, e))
			return r;
		if (r < 0) {
			k->run->failures++;
			if (!failures++)
				host_say(k->run->talk, "%s; trying again", e->msg);
		} else {
			if (failures)
				host_say(k->run->talk, "Kepler answers again after %u failed reads",
					 failures);
			failures = 0;
		}
		host_pace_show(k->run, &pace);
	} while (host_pace_wait(&pace, failures));
	*e = (struct err)ERR_INIT;
	return 0;
}

int host_kepler_run(struct host_run *run, struct err *e)
{
	struct kepler k = {.run = run};
	int r = host_http_new(&run->o->http, &k.http, e);

	if (r == 0)
		r = loop(&k, e);
	host_http_request_release(&k.page);
	host_http_free(k.http);
	host_vms_release(&k.vms);
	free(k.state);
	return r;
}
