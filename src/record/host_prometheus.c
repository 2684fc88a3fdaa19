// SPDX-License-Identifier: Apache-2.0
/*
 * A fleet's history out of a store with Prometheus' HTTP API.
 *
 * By default the samples as they are stored: `metric{...}[15m]` asked at one
 * instant gives them with their own times, where query_range gives what was
 * newest at each point of a grid, up to a step late. --step S asks query_range
 * all the same, at most 11000 points a series at once.
 *
 * VMs are asked for in groups, time in chunks: chunk by chunk, group by group,
 * so that all VMs go on together. Several requests are in flight; their answers
 * are taken in the order they were asked, so every VM's rows are in the order
 * of time, and memory holds a few answers and never the range. A row is written
 * as soon as its answer is read; a recording that was killed goes on behind the
 * last row that each VM has.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "record/host_store.h"

#define GROUP_VMS	16
#define ANSWER_POINTS	60000 /* of one answer: some 20 MiB while it is read */
#define SERIES_POINTS	11000 /* Prometheus' own limit of query_range */
#define ATTEMPTS	6
#define INTERVAL_UNSURE 15.0

/* A request for one group and one chunk, (begin_ms, end_ms]. */
struct fetch {
	struct host_http_request request;
	size_t group;
	int64_t begin_ms, end_ms;
	unsigned attempts;
};

struct fleet {
	struct store store;
	struct host_points points;
	int64_t begin_ms, end_ms, chunk_ms;
	int64_t at_ms;	       /* where the next chunk to be asked for begins */
	size_t group;	       /* the next group of that chunk */
	struct fetch *fetches; /* owned; a ring of `parallel` */
	size_t head, in_flight;
	int64_t started_ns;
};

/* The earliest end of a group's VMs: what of a chunk lies before it is there already. */
static int64_t group_end_ms(const struct store *s, size_t group)
{
	int64_t end_ms = INT64_MAX;

	for (size_t i = s->groups[group]; i < s->groups[group + 1]; i++) {
		const struct store_vm *vm = &s->state[s->order[i]];

		if (vm->last_ms < end_ms)
			end_ms = vm->last_ms;
	}
	return end_ms;
}

/* The next chunk and group that is not there yet; false at the end. */
static bool next_fetch(struct fleet *f, struct fetch *q)
{
	while (f->at_ms < f->end_ms) {
		int64_t end_ms = f->at_ms + f->chunk_ms;

		q->begin_ms = f->at_ms;
		q->end_ms = end_ms < f->end_ms ? end_ms : f->end_ms;
		q->group = f->group;
		q->attempts = 0;
		if (++f->group == f->store.n_groups) {
			f->group = 0;
			f->at_ms = end_ms;
		}
		if (q->end_ms > group_end_ms(&f->store, q->group))
			return true;
	}
	return false;
}

static int start(struct fleet *f, struct fetch *q, struct err *e)
{
	struct text url = {0};
	int r;

	store_fetch_url(&f->store, q->group, q->begin_ms, q->end_ms, &url);
	r = url.failed ? err_nomem(e) : host_http_start(f->store.http, &q->request, url.s, e);
	text_release(&url);
	return r;
}

static int fill(struct fleet *f, struct err *e)
{
	unsigned parallel = f->store.run->o->parallel;

	while (f->in_flight < parallel) {
		struct fetch *q = &f->fetches[(f->head + f->in_flight) % parallel];

		if (!next_fetch(f, q))
			break;
		if (start(f, q, e) < 0)
			return e->code;
		f->in_flight++;
	}
	return 0;
}

/* The points from `first` on that make one row, into `values`; how many. */
static size_t one_row(const struct host_points *p, size_t first, double *values)
{
	const struct host_point *begin = &p->items[first], *before = NULL;
	size_t n = 0;

	for (size_t c = 0; c < HOST_COLUMNS_MAX; c++)
		values[c] = NAN;
	for (const struct host_point *at = begin; first + n < p->n; at++, n++) {
		double *v = &values[at->column];

		if (at->vm != begin->vm || at->t_ms != begin->t_ms)
			break;
		/* One part twice is one counter scraped twice. */
		if (!before || before->column != at->column)
			*v = at->value;
		else if (before->part != at->part)
			*v += at->value;
		before = at;
	}
	return n;
}

static int write_rows(struct fleet *f, struct err *e)
{
	struct store *s = &f->store;

	host_points_sort(&f->points);
	for (size_t i = 0; i < f->points.n;) {
		const struct host_point *p = &f->points.items[i];
		struct store_vm *vm = &s->state[p->vm];
		double values[HOST_COLUMNS_MAX];
		unsigned falls;

		i += one_row(&f->points, i, values);
		if (p->t_ms <= vm->last_ms)
			continue;
		if (!vm->begun && store_begin(s, p->vm, e) < 0)
			return e->code;
		if (host_out_row(s->run->out, vm->at, p->t_ms * 1000000, values, &falls, e) < 0)
			return e->code;
		vm->last_ms = p->t_ms;
	}
	return 0;
}

static void show(const struct fleet *f)
{
	double all_ms = (double)(f->end_ms - f->begin_ms);
	double done = ((double)(f->at_ms - f->begin_ms) +
		       (double)f->chunk_ms * (double)f->group / (double)f->store.n_groups) /
		      all_ms;
	double took_s = (double)(kernel_linux.monotonic_ns() - f->started_ns) * 1e-9;
	double rows = (double)host_out_rows(f->store.run->out);
	char bar[31] = "";

	done = fmin(done, 1);
	for (int i = 0; i < 30; i++)
		bar[i] = i < (int)(done * 30) ? '#' : '.';
	host_progress(f->store.run->talk, "[%s] %3.0f %%  %.0f rows  %.0f rows/s  %.0f s left", bar,
		      100 * done, rows, rows / fmax(took_s, 1e-3),
		      took_s * (1 - done) / fmax(done, 1e-3));
}

/* What the answer at the head of the ring brought. */
static int take(struct fleet *f, struct fetch *q, struct err *e)
{
	const struct host_series_sink sink = {store_take_series, &f->store};
	int r;

	f->points.n = 0;
	r = host_matrix_read(q->request.body.s, q->request.body.len, &sink, &f->points, e);
	if (r < 0)
		return err_prefix(e, "%.100s", f->store.run->o->url);
	r = write_rows(f, e);
	if (r == 0)
		show(f);
	return r;
}

/* Ask once more after a pause, where that may help. */
static int again(struct fleet *f, struct fetch *q, struct err *e)
{
	struct host_run *run = f->store.run;
	char said[300];

	host_api_error(q->request.body.s, q->request.body.len, said, sizeof(said));
	if (q->request.err.code == -EFBIG)
		return err_set(e, -EFBIG, "%s; ask for less at once: --chunk 10m",
			       q->request.err.msg);
	if (!q->request.retry || ++q->attempts >= ATTEMPTS)
		return err_set(e, q->request.err.code, "%.300s%s%s", q->request.err.msg,
			       *said ? ": " : "", said);
	run->failures++;
	host_say(run->talk, "%s; trying again", q->request.err.msg);
	if (host_stop_wait(run->o->http.stop_fd, run->o->http.beside,
			   kernel_linux.monotonic_ns() + (500000000ll << q->attempts)))
		return err_set(e, -EINTR, "interrupted");
	return start(f, q, e);
}

static int fetch_all(struct fleet *f, struct err *e)
{
	int r = fill(f, e);

	while (r == 0 && f->in_flight) {
		struct fetch *q = &f->fetches[f->head];

		while (r == 0 && !q->request.done)
			r = host_http_wait(f->store.http, 1000, e);
		if (r == 0 && q->request.err.code) {
			r = again(f, q, e);
			continue;
		}
		if (r == 0)
			r = take(f, q, e);
		f->head = (f->head + 1) % f->store.run->o->parallel;
		f->in_flight--;
		if (r == 0)
			r = fill(f, e);
	}
	return r;
}

/* How long a chunk is: as many points as an answer may have. */
static int choose_chunk(struct fleet *f, struct err *e)
{
	const struct host_options *o = f->store.run->o;
	double step_s = o->step_s, points, zones = 1;
	size_t largest = f->store.n_order < GROUP_VMS ? f->store.n_order : GROUP_VMS;

	if (!(step_s > 0) && store_interval(&f->store, &step_s, e) < 0)
		return e->code;
	if (!(step_s > 0))
		step_s = INTERVAL_UNSURE;
	for (size_t i = 0; i < f->store.n_order; i++)
		zones = fmax(zones, (double)f->store.state[f->store.order[i]].n_columns);
	points = floor(fmin(SERIES_POINTS, ANSWER_POINTS / (zones * (double)largest)));
	if (o->chunk_s > 0)
		points = floor(fmin(SERIES_POINTS, o->chunk_s / step_s));
	f->chunk_ms = llround(fmax(points, 1) * step_s * 1000);
	return 0;
}

/* Where the chunks begin: behind what every VM has. */
static void choose_begin(struct fleet *f)
{
	int64_t first_ms = INT64_MAX;

	for (size_t g = 0; g < f->store.n_groups; g++) {
		int64_t end_ms = group_end_ms(&f->store, g);

		if (end_ms < first_ms)
			first_ms = end_ms;
	}
	f->begin_ms = f->at_ms = first_ms;
	f->end_ms = f->store.run->o->to_ns / 1000000;
}

static int run_fleet(struct fleet *f, struct err *e)
{
	const struct host_options *o = f->store.run->o;
	int r = store_open(&f->store, f->store.run, e);

	if (r == 0)
		r = store_group(&f->store, GROUP_VMS, e);
	if (r == 0)
		r = choose_chunk(f, e);
	if (r < 0)
		return r;
	choose_begin(f);
	f->fetches = calloc(o->parallel, sizeof(*f->fetches));
	if (!f->fetches)
		return err_nomem(e);
	host_say(f->store.run->talk, "%zu VMs, %.1f h in chunks of %.0f min, %u requests at once",
		 f->store.n_order, (double)(f->end_ms - f->begin_ms) / 3.6e6,
		 (double)f->chunk_ms / 6e4, o->parallel);
	f->started_ns = kernel_linux.monotonic_ns();
	return fetch_all(f, e);
}

int host_prometheus_run(struct host_run *run, struct err *e)
{
	struct fleet f = {.store = {.run = run}};
	int r = run_fleet(&f, e);

	for (size_t i = 0; f.fetches && i < run->o->parallel; i++)
		host_http_request_release(&f.fetches[i].request);
	free(f.fetches);
	host_points_release(&f.points);
	store_close(&f.store);
	if (r == -EINTR) {
		*e = (struct err)ERR_INIT;
		host_say(run->talk, "interrupted; the same command goes on from here");
		return 0;
	}
	return r;
}
