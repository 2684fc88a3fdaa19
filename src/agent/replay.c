// SPDX-License-Identifier: Apache-2.0
/*
 * --replay: a recording through the meter, as if its rows were ticks. Prints
 * what the agent would have served beside the recorded truth. See agent.h.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/parts.h"
#include "base/metrics.h"
#include "base/parse.h"
#include "base/text.h"
#include "features/csv.h"
#include "features/stream.h"

#define STEP_ROWS  9 /* rows read ahead to learn the usual step */
#define HEAD_EVERY 40

/* Columns of one zone, grown together. */
struct column {
	double *truth_w, *estimate_w, *low_w, *high_w;
};

struct replay {
	struct agent *agent;
	const struct agent_replay *options;
	bool truth[ZONE_RAPL_COUNT];
	double step_s, last_t_s;
	size_t drift_raised, drift_first; /* rows from 1; 0: never */
	bool drifts;
	size_t n, cap, bad;
	struct column columns[ZONE_RAPL_COUNT];
};

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

/* ---- what is kept for the summary ---- */

static int grow(double **v, size_t cap)
{
	double *grown = realloc(*v, cap * sizeof(*grown));

	if (grown)
		*v = grown;
	return grown ? 0 : -ENOMEM;
}

static int reserve(struct replay *p, struct err *e)
{
	size_t cap = p->cap ? 2 * p->cap : 1024;

	if (p->n < p->cap)
		return 0;
	each_zone(z)
	{
		struct column *c = &p->columns[z];

		if (grow(&c->truth_w, cap) < 0 || grow(&c->estimate_w, cap) < 0 ||
		    grow(&c->low_w, cap) < 0 || grow(&c->high_w, cap) < 0)
			return err_nomem(e);
	}
	p->cap = cap;
	return 0;
}

static void keep(struct replay *p, const struct csv_row *row, const struct estimate *e)
{
	each_zone(z)
	{
		const struct zone_estimate *zone = &e->zone[z];
		struct column *c = &p->columns[z];

		c->truth_w[p->n] = row->y_w[z];
		c->estimate_w[p->n] = zone->valid ? zone_watts(zone) : NAN;
		c->low_w[p->n] = zone->valid ? zone->low_w : NAN;
		c->high_w[p->n] = zone->valid ? zone->high_w : NAN;
	}
	p->n++;
}

static void release(struct replay *p)
{
	each_zone(z)
	{
		free(p->columns[z].truth_w);
		free(p->columns[z].estimate_w);
		free(p->columns[z].low_w);
		free(p->columns[z].high_w);
	}
}

/* ---- printing ---- */

static void print_head(const struct replay *p)
{
	printf("%10s", "time_s");
	each_zone(z)
	{
		if (p->truth[z])
			printf(" | %7s %17s %7s %s", zone_name((enum zone)z), "90 % interval",
			       "truth", " ");
	}
	printf("\n");
}

static void print_row(const struct replay *p, const struct csv_row *row, const struct estimate *e)
{
	if ((p->n - 1) % HEAD_EVERY == 0)
		print_head(p);
	printf("%10.0f", row->row.t_s);
	each_zone(z)
	{
		const struct zone_estimate *zone = &e->zone[z];
		char interval[32];

		if (!p->truth[z])
			continue;
		snprintf(interval, sizeof(interval), "%.2f - %.2f", zone->low_w, zone->high_w);
		if (zone->valid)
			printf(" | %7.2f %17s", zone_watts(zone), interval);
		else
			printf(" | %7s %17s", "-", "-");
		/* A star where the truth lies outside the interval. */
		printf(" %7.2f %s", row->y_w[z],
		       zone->valid && (row->y_w[z] < zone->low_w || row->y_w[z] > zone->high_w)
			       ? "*"
			       : " ");
	}
	printf("\n");
}

static void json_field(struct text *t, const char *key, double v)
{
	text_printf(t, ",\"%s\":", key);
	text_json_number(t, v);
}

static int print_json_row(const struct replay *p, const struct csv_row *row,
			  const struct estimate *e, struct err *err)
{
	struct text t = {.s = NULL};
	bool first = true;
	int r = 0;

	text_add(&t, "{\"time_s\":");
	text_json_number(&t, row->row.t_s);
	text_add(&t, ",\"zones\":{");
	each_zone(z)
	{
		const struct zone_estimate *zone = &e->zone[z];

		if (!zone->valid)
			continue;
		text_printf(&t, "%s\"%s\":{\"provenance\":\"%s\"", first ? "" : ",",
			    zone_name((enum zone)z), provenance_name(zone->provenance));
		json_field(&t, "watts", zone_watts(zone));
		json_field(&t, "watts_low", zone->low_w);
		json_field(&t, "watts_high", zone->high_w);
		json_field(&t, "confidence", zone->confidence);
		if (p->truth[z])
			json_field(&t, "truth_watts", row->y_w[z]);
		text_add(&t, "}");
		first = false;
	}
	text_printf(&t, "},\"drift\":%s}\n",
		    drift_any(&meter_snapshot(p->agent->meter)->drift) ? "true" : "false");
	if (t.failed)
		r = err_nomem(err);
	else
		fwrite(t.s, 1, t.len, stdout); /* checked by the flush at the end */
	text_release(&t);
	return r;
}

static void print_summary(const struct replay *p)
{
	const struct snapshot *s = meter_snapshot(p->agent->meter);

	fprintf(stderr, "\n%zu rows by model %s\n", p->n, s->model_version);
	fprintf(stderr, "drift raised %zu times", p->drift_raised);
	if (p->drift_first)
		fprintf(stderr, ", the first at row %zu", p->drift_first);
	fprintf(stderr, "%s\n", s->drift.machine ? "; this is not the machine of training" : "");
	each_zone(z)
	{
		const struct column *c = &p->columns[z];
		struct metrics_input in = {p->n, c->truth_w, c->estimate_w, c->low_w, c->high_w};
		struct metrics m;

		if (!p->truth[z])
			continue;
		metrics_compute(&in, &m);
		fprintf(stderr,
			"%-8s error %5.1f %% of mean watts, R2 %6.3f, energy error %5.2f %%, "
			"interval covers %5.1f %%\n",
			zone_name((enum zone)z), 100 * m.wmape, m.r2, 100 * m.energy_error,
			100 * m.coverage);
	}
}

/* ---- the run ---- */

static void pace(const struct replay *p, double step_s)
{
	double wait_s = step_s / p->options->speed;
	struct timespec left = {(time_t)wait_s, (long)(fmod(wait_s, 1) * 1e9)};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void note_drift(struct replay *p)
{
	bool drifts = drift_any(&meter_snapshot(p->agent->meter)->drift);

	p->drift_raised += drifts && !p->drifts;
	if (drifts && !p->drift_first)
		p->drift_first = p->n;
	p->drifts = drifts;
}

static int replay_one(struct replay *p, struct csv_row *row, struct err *e)
{
	double step_s = row->row.t_s - p->last_t_s;
	const struct estimate *estimate;
	int r = reserve(p, e);

	if (r < 0)
		return r;
	/* A first row, a gap or time that goes back stands for the usual step. */
	if (!(step_s > 0 && step_s <= 3 * p->step_s))
		step_s = p->step_s;
	if (p->options->speed > 0 && p->n)
		pace(p, step_s);
	p->last_t_s = row->row.t_s;
	row->row.dt_s = step_s;
	meter_refit(p->agent->meter, row->row.v[FEATURE_VCPUS]);
	if (!p->n)
		agent_tell_model(p->agent); /* of the recording's machine, not of this one */
	meter_row(p->agent->meter, &row->row, step_s);
	estimate = meter_estimate(p->agent->meter);
	keep(p, row, estimate);
	note_drift(p);
	if (p->options->json)
		return print_json_row(p, row, estimate, e);
	print_row(p, row, estimate);
	if (p->options->speed > 0)
		fflush(stdout);
	return 0;
}

/* The usual step between rows, from the first of them. */
static int learn_step(struct replay *p, const struct csv_options *o, struct err *e)
{
	struct csv_reader *csv;
	struct csv_row row;
	double t_s[STEP_ROWS];
	size_t n = 0;
	int r = csv_open(p->options->file, o, &csv, e);

	if (r < 0)
		return r;
	each_zone(z) p->truth[z] = csv_header(csv)->watts[z];
	while (n < STEP_ROWS && (r = csv_next(csv, &row, NULL)) != 0) {
		if (r == 1)
			t_s[n++] = row.row.t_s;
		else if (r != -ERR_DATA)
			break;
	}
	csv_close(csv);
	p->step_s = usual_step(t_s, n);
	if (!(p->step_s > 0))
		return err_set(e, -ERR_DATA, "%s: needs two rows in time order", p->options->file);
	return 0;
}

static int replay_rows(struct replay *p, const struct csv_options *o, struct err *e)
{
	struct csv_reader *csv;
	struct csv_row row;
	int r = csv_open(p->options->file, o, &csv, e);

	if (r < 0)
		return r;
	do {
		struct err why = ERR_INIT;

		r = csv_next(csv, &row, &why);
		if (r == -ERR_DATA) {
			p->bad++;
			fprintf(stderr, "vmwatts agent: %s\n", why.msg);
		} else if (r < 0) {
			*e = why;
		} else if (r == 1) {
			r = replay_one(p, &row, e) < 0 ? e->code : 1;
		}
	} while (r == 1 || r == -ERR_DATA);
	csv_close(csv);
	return r;
}

int agent_replay(const struct agent_options *o, const struct agent_replay *options, struct err *e)
{
	const struct csv_options csv = {.labels = true};
	struct replay p = {.options = options, .last_t_s = NAN};
	int r;

	p.agent = malloc(sizeof(*p.agent));
	if (!p.agent)
		return err_nomem(e);
	r = agent_init(p.agent, o, e);
	if (r == 0)
		r = learn_step(&p, &csv, e);
	if (r == 0)
		r = replay_rows(&p, &csv, e);
	if (r == 0 && fflush(stdout) == EOF)
		r = err_errno(e, "cannot write the estimates");
	if (r == 0)
		print_summary(&p);
	if (r == 0 && p.bad)
		r = err_set(e, -ERR_DATA, "%s: %zu bad rows were passed over", options->file,
			    p.bad);
	agent_release(p.agent);
	free(p.agent);
	release(&p);
	return r;
}
