// SPDX-License-Identifier: Apache-2.0
/* A guest's and a host's recording put together: see pair.h. */
#include "align/pair.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/drift.h"
#include "align/lag.h"
#include "align/power.h"
#include "align/steps.h"
#include "base/cleanup.h"

/* What tells the load, best first. */
static const enum feature load_signals[] = {FEATURE_CPU_BUSY_VCPUS, FEATURE_CPU_UTILIZATION,
					    FEATURE_CYCLES_RATE};
#define N_SIGNALS array_size(load_signals)

/* The zone that the lag is found on: the first of these that is measured. */
static const enum zone power_zones[] = {ZONE_PACKAGE, ZONE_CORE, ZONE_PLATFORM, ZONE_UNCORE,
					ZONE_DRAM};

/* A refresh over so many of the guest's steps is slower than the guest. */
#define SLOW_STEPS 1.25

/* When repeats are constant power; see pair.h. */
#define CLEARLY 0.8
#define PERFECT 1e-6

struct guest_row {
	double t_s, load[N_SIGNALS];
};

struct pairing {
	struct power power;
	double step_s;		   /* the guest's usual one */
	double last_t_s;	   /* of the row labelled before; NaN at the start */
	size_t hints[ZONE_COUNT];  /* of track_mean */
	struct pair_report report; /* lag and counts */
};

static double interval_begin(double last_t_s, double t_s, double usual_s)
{
	double step_s = t_s - last_t_s;

	return step_s > 0 && step_s <= GAP_STEPS * usual_s ? last_t_s : t_s - usual_s;
}

static int read_guest(const struct recording *guest, struct guest_row **ret, size_t *ret_n,
		      struct err *e)
{
	const struct csv_options o = {.labels = false};
	autofree struct guest_row *rows = NULL;
	size_t n = 0, cap = 0;
	struct csv_reader *csv;
	struct csv_row c;
	int r = recording_rows(guest, &o, &csv, e);

	if (r < 0)
		return r;
	while ((r = csv_next(csv, &c, e)) != 0) {
		if (r == -ERR_DATA)
			continue;
		if (r > 0 && n == cap) {
			struct guest_row *grown;

			cap = cap * 2 + 256;
			grown = realloc(rows, cap * sizeof(*rows));
			r = grown ? r : err_nomem(e);
			rows = grown ? grown : rows;
		}
		if (r < 0)
			break;
		rows[n].t_s = c.row.t_s;
		for (size_t k = 0; k < N_SIGNALS; k++)
			rows[n].load[k] = c.row.v[load_signals[k]];
		n++;
	}
	csv_close(csv);
	if (r == 0) {
		*ret = steal(rows);
		*ret_n = n;
	}
	return r;
}

static int usual_step_of(const struct guest_row *rows, size_t n, double *ret_s, struct err *e)
{
	autofree double *t_s = malloc((n + 1) * sizeof(*t_s));

	if (!t_s)
		return err_nomem(e);
	for (size_t i = 0; i < n; i++)
		t_s[i] = rows[i].t_s;
	return median_step(t_s, n, ret_s) < 0 ? err_nomem(e) : 0;
}

/* The first signal that at least half of the rows have. */
static size_t choose_signal(const struct guest_row *rows, size_t n)
{
	for (size_t k = 0; k < N_SIGNALS; k++) {
		size_t have = 0;

		for (size_t i = 0; i < n; i++)
			have += !isnan(rows[i].load[k]);
		if (have && have >= n / 2)
			return k;
	}
	return 0;
}

static int load_track(const struct guest_row *rows, size_t n, double step_s, struct track *ret,
		      struct err *e)
{
	size_t signal = choose_signal(rows, n);

	for (size_t i = 0; i < n; i++) {
		double begin_s = interval_begin(i ? rows[i - 1].t_s : NAN, rows[i].t_s, step_s);

		if (track_add(ret, begin_s, rows[i].t_s, rows[i].load[signal]) < 0)
			return err_nomem(e);
	}
	return 0;
}

static const struct track *zone_track(const struct power *p)
{
	for (size_t i = 0; i < array_size(power_zones); i++) {
		if (p->zones[power_zones[i]].n)
			return &p->zones[power_zones[i]];
	}
	return &p->zones[ZONE_PACKAGE];
}

/* The host read in one way, and the lag that follows. */
struct reading {
	struct power power;
	struct lag lag;
	struct drift drift; /* already undone in `power` */
	enum power_repeats kind;
};

struct host_input {
	const struct recording *recording;
	const struct track *load; /* the guest's */
	double step_s;		  /* the guest's */
	double lag_s;		  /* NaN: find it */
};

static double undrift(const void *drift, double t_s)
{
	return drift_apply(drift, t_s);
}

/* ERR_DATA where it shows no lag; `ret` is to be released in any case. */
static int read_host(const struct host_input *h, enum power_repeats kind, FILE *talk,
		     struct reading *ret, struct err *e)
{
	struct lag_input in = {.load = h->load, .step_s = h->step_s};
	int r = power_read(h->recording, kind, talk, &ret->power, e);

	if (r < 0)
		return r;
	ret->kind = kind;
	in.power = zone_track(&ret->power);
	if (!isnan(h->lag_s))
		return lag_given(&in, h->lag_s, &ret->lag, e);
	ret->drift = drift_find(&in);
	if (ret->drift.ppm != 0 && power_move(&ret->power, undrift, &ret->drift) < 0)
		return err_nomem(e);
	return lag_find(&in, &ret->lag, e);
}

/* What a reading leaves unexplained. One that was refused for a rival is not to be got round. */
static double unexplained(const struct reading *of, int r)
{
	return r < 0 ? 0 : 1 - of->lag.correlation * of->lag.correlation;
}

/* The reading of the host that explains its power; see pair.h. */
static int choose_reading(const struct host_input *h, FILE *talk, struct reading *ret,
			  struct err *e)
{
	struct reading stale = {0}, constant = {0};
	struct err unused = ERR_INIT;
	int r = read_host(h, REPEATS_STALE, talk, &stale, e), r2;

	*ret = stale;
	if ((r < 0 && r != -ERR_DATA) || !stale.power.repeats)
		return r;
	r2 = read_host(h, REPEATS_CONSTANT, NULL, &constant, &unused);
	if (r2 == 0 && unexplained(&constant, r2) <= CLEARLY * unexplained(&stale, r) + PERFECT) {
		power_release(&stale.power);
		*ret = constant;
		return 0;
	}
	power_release(&constant.power);
	return r;
}

static void report_lag(struct pairing *p, const struct reading *host)
{
	struct pair_report *r = &p->report;

	r->lag_s = host->lag.lag_s;
	r->lag_uncertainty_s = host->lag.uncertainty_s;
	r->lag_rival_s = host->lag.rival_s;
	r->correlation = host->lag.correlation;
	r->refreshes = host->lag.refreshes;
	r->drift_ppm = host->drift.ppm;
	r->drift_uncertainty_ppm =
		isnan(host->lag.uncertainty_s) ? NAN : host->drift.uncertainty_ppm;
	r->drift_center_s = host->drift.center_s;
	r->meter_window_s = host->lag.window_s > 0 ? host->lag.window_s : NAN;
	r->label_window_s = p->step_s;
	if (host->power.refresh_s > SLOW_STEPS * p->step_s)
		r->label_window_s = host->power.refresh_s;
	r->host_repeats_constant = host->kind == REPEATS_CONSTANT;
}

static void report_host(struct pairing *p)
{
	struct pair_report *r = &p->report;

	r->host_rows = p->power.n;
	r->host_bad_rows = p->power.bad_rows;
	r->host_empty_rows = p->power.empty_rows;
	r->host_repeats = p->power.repeats;
	memcpy(r->host_ignored, p->power.ignored, sizeof(r->host_ignored));
}

static int find_lag(struct pairing *p, const struct guest_row *rows, size_t n,
		    const struct recording *recording, double lag_s, FILE *talk, struct err *e)
{
	struct reading host = {0};
	struct track load = {0};
	const struct host_input h = {recording, &load, p->step_s, lag_s};
	int r = load_track(rows, n, p->step_s, &load, e);

	if (r == 0)
		r = choose_reading(&h, talk, &host, e);
	track_release(&load);
	p->power = host.power;
	if (r == 0)
		report_lag(p, &host);
	return r;
}

static int set_up(struct pairing *p, const struct recording *guest, const struct recording *host,
		  double lag_s, FILE *talk, struct err *e)
{
	autofree struct guest_row *rows = NULL;
	size_t n = 0;
	int r = read_guest(guest, &rows, &n, e);

	if (r == 0)
		r = usual_step_of(rows, n, &p->step_s, e);
	if (r < 0)
		return r;
	if (isnan(p->step_s))
		return err_set(e, -ERR_DATA, "%s: fewer than two good rows in the order of time",
			       recording_path(guest));
	r = find_lag(p, rows, n, host, lag_s, talk, e);
	if (r == 0)
		report_host(p);
	return r == -ERR_DATA && p->power.n
		       ? err_prefix(e, "%s and %s", recording_path(guest), recording_path(host))
		       : r;
}

int pair_new(const struct recording *guest, const struct recording *host, double lag_s, FILE *talk,
	     struct pairing **ret, struct err *e)
{
	struct pairing *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_nomem(e);
	p->last_t_s = NAN;
	r = set_up(p, guest, host, lag_s, talk, e);
	if (r < 0) {
		pair_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void pair_free(struct pairing *p)
{
	if (!p)
		return;
	power_release(&p->power);
	free(p);
}

bool pair_label(struct pairing *p, struct csv_row *row)
{
	double t_s = row->row.t_s, begin_s = interval_begin(p->last_t_s, t_s, p->step_s);
	double from_s, to_s = t_s - p->report.lag_s;
	bool any = false;

	if (p->report.label_window_s > p->step_s)
		begin_s = fmin(begin_s, t_s - p->report.label_window_s);
	from_s = begin_s - p->report.lag_s;

	p->last_t_s = t_s;
	zone_foreach (z) {
		row->y_w[z] = track_mean(&p->power.zones[z], from_s, to_s, &p->hints[z]);
		row->joules[z] = NAN;
		any |= !isnan(row->y_w[z]);
	}
	if (any)
		return true;
	switch (power_hole_at(&p->power, from_s, to_s)) {
	case POWER_OUTSIDE:
		p->report.rows_outside++;
		break;
	case POWER_GAP:
		p->report.rows_in_gaps++;
		break;
	case POWER_EMPTY:
		p->report.rows_empty++;
		break;
	}
	return false;
}

const struct pair_report *pair_report(const struct pairing *p)
{
	return &p->report;
}
