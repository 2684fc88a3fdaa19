// SPDX-License-Identifier: Apache-2.0
/*
 * Recordings into a dataset, in one pass and one transaction: see
 * dataset_import_joined() and dataset_import_paired() in dataset.h. A paired
 * recording is the guest's file with labels that a `struct pairing` gives.
 */
#include "align/db.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "align/pair.h"
#include "align/steps.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "features/csv.h"

#define BAD_ROWS_TOLD 20

/* The run that rows are going into. */
struct open_run {
	sqlite3_int64 id;
	char name[128];
	size_t rows;
	double last_t, last_watts[ZONE_COUNT], last_joules[ZONE_COUNT];
	double *steps; /* every step forward in time, owned; grows */
	size_t n_steps, cap;
	double usual_step; /* of the first STEPS_USUAL steps; NaN before */
};

#define STEPS_USUAL 5

struct import {
	struct dataset *d;
	const struct import_options *o;
	struct csv_reader *csv;
	struct pairing *pair;		   /* NULL: labels are in the file */
	const struct recording *recording; /* the guest's side of a pair */
	const char *path, *vm;		   /* vm: chosen from a trace, else NULL */
	FILE *talk;
	sqlite3_stmt *insert_row, *insert_group, *find_group;
	struct open_run run;
	struct csv_row before; /* as it was read; line 0: none */
	char group[CSV_TEXT];  /* the group looked up last, and its id */
	sqlite3_int64 group_id;
	/* Ids of runs that this import makes: never those of runs that were there, replaced or not.
	 */
	sqlite3_int64 first_new_run, next_run;
	bool labelled[ZONE_COUNT];
	struct import_report report;
};

/* "dir/monday.csv" -> "monday"; of a pair, "monday.guest.csv" too, and ".vm-1" where it was chosen
 */
static void name_of_file(const struct import *m, char *ret, size_t size)
{
	const char *slash = strrchr(m->path, '/'), *base = slash ? slash + 1 : m->path;
	size_t n = strlen(base);

	if (n > 4 && (!strcmp(base + n - 4, ".csv") || !strcmp(base + n - 4, ".vmt")))
		n -= 4;
	if (m->pair && n > 6 && !strncmp(base + n - 6, ".guest", 6))
		n -= 6;
	snprintf(ret, size, "%.*s%s%s", (int)n, base, m->vm ? "." : "", m->vm ? m->vm : "");
}

/* Is there a run of that name? 1, 0, or negative; its id. */
static int find_run(struct import *m, const char *name, sqlite3_int64 *ret_id, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r = db_prepare(m->d, "SELECT id FROM run WHERE name = ?", &stmt, e);

	if (r < 0)
		return r;
	sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	r = db_step(m->d, stmt, e);
	if (r == 1)
		*ret_id = sqlite3_column_int64(stmt, 0);
	return r;
}

static int delete_run(struct dataset *d, sqlite3_int64 id, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r = db_prepare(d, "DELETE FROM run WHERE id = ?", &stmt, e);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, id);
	return db_step(d, stmt, e);
}

/* Make room for a run of that name, or say why there is none. */
static int claim_name(struct import *m, const char *name, struct err *e)
{
	sqlite3_int64 id = 0;
	int r;

	if (!db_name_ok(name) || !text_is_utf8(name))
		return err_set(e, -ERR_DATA,
			       "%s: '%.40s' cannot be a run's name: 1 to 127 bytes of UTF-8, no "
			       "comma and no quote (--run NAME gives another)",
			       m->path, name);
	r = find_run(m, name, &id, e);
	if (r <= 0)
		return r;
	if (id >= m->first_new_run)
		return err_set(e, -ERR_DATA,
			       "%s: run '%s' comes back after another run: keep the rows of a run "
			       "together",
			       m->path, name);
	if (!m->o->replace)
		return err_set(e, -ERR_DATA,
			       "%s: run '%s' is in %s already (--replace replaces it, --run NAME "
			       "gives another name)",
			       m->path, name, m->d->path);
	return delete_run(m->d, id, e);
}

/* Write down what the rows of the open run have shown. */
static int finish_run(struct import *m, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	struct open_run *run = &m->run;
	double interval_s, window_s;
	int r;

	if (!run->rows)
		return 0;
	r = db_prepare(m->d, "UPDATE run SET interval_s = ?, window_s = ? WHERE id = ?", &stmt, e);
	if (r < 0)
		return r;
	interval_s = m->o->unordered ? NAN : median_of(run->steps, run->n_steps);
	window_s = m->o->unordered ? NAN : fmax(m->o->window_s, interval_s);
	db_bind_number(stmt, 1, interval_s);
	db_bind_number(stmt, 2, window_s > 0 ? window_s : NAN);
	sqlite3_bind_int64(stmt, 3, run->id);
	return db_step(m->d, stmt, e);
}

static int start_run(struct import *m, const char *name, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	struct open_run *run = &m->run;
	int r = finish_run(m, e);

	if (r == 0)
		r = claim_name(m, name, e);
	if (r == 0)
		r = db_prepare(m->d, "INSERT INTO run(id, name, ordered) VALUES(?, ?, ?)", &stmt,
			       e);
	if (r < 0)
		return r;
	run->id = m->next_run++;
	sqlite3_bind_int64(stmt, 1, run->id);
	sqlite3_bind_text(stmt, 2, name, -1, SQLITE_STATIC);
	sqlite3_bind_int(stmt, 3, !m->o->unordered);
	r = db_step(m->d, stmt, e);
	if (r < 0)
		return r;
	snprintf(run->name, sizeof(run->name), "%s", name);
	run->rows = run->n_steps = 0;
	run->last_t = run->usual_step = NAN;
	zone_foreach (z)
		run->last_watts[z] = run->last_joules[z] = NAN;
	m->report.runs++;
	return 0;
}

/* The id of a group name, made when it is new. */
static int group_id(struct import *m, const char *name, sqlite3_int64 *ret, struct err *e)
{
	int r;

	if (m->group_id && !strcmp(m->group, name)) {
		*ret = m->group_id;
		return 0;
	}
	sqlite3_bind_text(m->insert_group, 1, name, -1, SQLITE_STATIC);
	r = db_step(m->d, m->insert_group, e);
	sqlite3_reset(m->insert_group);
	if (r < 0)
		return r;
	sqlite3_bind_text(m->find_group, 1, name, -1, SQLITE_STATIC);
	r = db_step(m->d, m->find_group, e);
	if (r == 1)
		*ret = m->group_id = sqlite3_column_int64(m->find_group, 0);
	sqlite3_reset(m->find_group);
	snprintf(m->group, sizeof(m->group), "%s", name);
	return r < 0 ? r : 0;
}

/* Remember a step forward; the usual step is the median of the first few. */
static int note_step(struct open_run *run, double step, struct err *e)
{
	if (!(step > 0))
		return 0;
	if (run->n_steps == run->cap) {
		size_t cap = run->cap * 2 + 256;
		double *grown = realloc(run->steps, cap * sizeof(*grown));

		if (!grown)
			return err_nomem(e);
		run->steps = grown;
		run->cap = cap;
	}
	run->steps[run->n_steps++] = step;
	if (run->n_steps == STEPS_USUAL) {
		double first[STEPS_USUAL];

		memcpy(first, run->steps, sizeof(first));
		run->usual_step = median_of(first, STEPS_USUAL);
	}
	return 0;
}

/* Fill labels that watts do not give from joules; see dataset.h. */
static void labels_from_joules(const struct open_run *run, double step, struct csv_row *c)
{
	bool gap = !(step > 0) || step > GAP_STEPS * run->usual_step;

	zone_foreach (z) {
		double energy_j = c->joules[z] - run->last_joules[z];

		if (isnan(c->y_w[z]) && !gap && energy_j >= 0)
			c->y_w[z] = energy_j / step;
	}
}

/* True when there are labels and all are as in the row before. */
static bool repeats(const struct open_run *run, const struct csv_row *c)
{
	bool any = false;

	zone_foreach (z) {
		if (isnan(c->y_w[z]) && isnan(run->last_watts[z]))
			continue;
		if (c->y_w[z] != run->last_watts[z])
			return false;
		any = true;
	}
	return any;
}

static void bind_row(struct import *m, const struct csv_row *c, sqlite3_int64 group)
{
	sqlite3_stmt *s = m->insert_row;
	int at = 1;

	sqlite3_bind_int64(s, at++, m->run.id);
	if (group)
		sqlite3_bind_int64(s, at++, group);
	else
		sqlite3_bind_null(s, at++);
	sqlite3_bind_double(s, at++, c->row.t_s);
	feature_foreach (f)
		db_bind_number(s, at++, c->row.v[f]);
	zone_foreach (z)
		db_bind_number(s, at++, c->y_w[z]);
	db_bind_number(s, at, c->kepler_guest_package_w);
}

static int import_row(struct import *m, struct csv_row *c, struct err *e)
{
	struct open_run *run = &m->run;
	double step = m->o->unordered ? NAN : c->row.t_s - run->last_t;
	sqlite3_int64 group = 0;
	int r;

	if (m->pair && !pair_label(m->pair, c))
		return 0;
	r = note_step(run, step, e);

	if (r == 0 && c->group[0])
		r = group_id(m, c->group, &group, e);
	if (r < 0)
		return r;
	labels_from_joules(run, step, c);
	m->report.repeated_rows += repeats(run, c);
	zone_foreach (z) {
		m->labelled[z] |= !isnan(c->y_w[z]);
		run->last_watts[z] = c->y_w[z];
		run->last_joules[z] = c->joules[z];
	}
	run->last_t = c->row.t_s;
	run->rows++;
	m->report.rows++;
	bind_row(m, c, group);
	r = db_step(m->d, m->insert_row, e);
	sqlite3_reset(m->insert_row);
	return r;
}

/* Say why a row is left out; after the first few, only count. */
static void tell_bad_row(struct import *m, const struct err *e)
{
	m->report.bad_rows++;
	if (m->talk && m->report.bad_rows <= BAD_ROWS_TOLD)
		text_say(m->talk, "%s", e->msg);
}

/* The run that a row belongs to; starts it where it is another than before. */
static int run_of_row(struct import *m, const struct csv_row *c, struct err *e)
{
	char file_name[256];
	const char *name = c->run;

	if (!csv_header(m->csv)->run || m->o->run || m->pair) {
		if (m->report.runs)
			return 0;
		name_of_file(m, file_name, sizeof(file_name));
		return start_run(m, m->o->run ? m->o->run : file_name, e);
	}
	if (m->report.runs && !strcmp(name, m->run.name))
		return 0;
	return start_run(m, name, e);
}

static bool same_numbers(const double *a, const double *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
			return false;
	}
	return true;
}

/* Whether a row of a time series is there twice: one instant, and the same of everything. */
static bool comes_twice(const struct import *m, const struct csv_row *c)
{
	const struct csv_row *b = &m->before;

	return b->line && !m->o->unordered && c->row.t_s == b->row.t_s && !strcmp(c->run, b->run) &&
	       !strcmp(c->group, b->group) &&
	       same_numbers(c->row.v, b->row.v, array_size(c->row.v)) &&
	       same_numbers(c->y_w, b->y_w, array_size(c->y_w)) &&
	       same_numbers(c->joules, b->joules, array_size(c->joules));
}

static int import_rows(struct import *m, struct err *e)
{
	struct csv_row c;
	int r;

	while ((r = csv_next(m->csv, &c, e)) != 0) {
		if (r == -ERR_DATA) {
			tell_bad_row(m, e);
			continue;
		}
		if (r < 0)
			return r;
		if (comes_twice(m, &c)) {
			err_set(e, -ERR_DATA, "%s:%zu: the row before once more", m->path, c.line);
			tell_bad_row(m, e);
			continue;
		}
		m->before = c;
		r = run_of_row(m, &c, e);
		if (r == 0)
			r = import_row(m, &c, e);
		if (r < 0)
			return r;
	}
	if (m->talk && m->report.bad_rows > BAD_ROWS_TOLD)
		fprintf(m->talk, "%s: %zu more bad rows\n", m->path,
			m->report.bad_rows - BAD_ROWS_TOLD);
	return finish_run(m, e);
}

static int prepare(struct import *m, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	autotext struct text sql = {0};
	int r;

	text_add(&sql, "INSERT INTO row(run, grp, time_s");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		text_printf(&sql, ", %s", db_column(i));
	text_add(&sql, ") VALUES(?, ?, ?");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		text_add(&sql, ", ?");
	text_add(&sql, ")");
	r = db_prepare(m->d, sql.failed ? NULL : sql.s, &m->insert_row, e);
	if (r == 0)
		r = db_prepare(m->d, "INSERT OR IGNORE INTO grp(name) VALUES(?)", &m->insert_group,
			       e);
	if (r == 0)
		r = db_prepare(m->d, "SELECT id FROM grp WHERE name = ?", &m->find_group, e);
	if (r == 0)
		r = db_prepare(m->d, "SELECT coalesce(max(id), 0) + 1 FROM run", &stmt, e);
	if (r == 0)
		r = db_step(m->d, stmt, e);
	if (r < 0)
		return r;
	m->first_new_run = m->next_run = sqlite3_column_int64(stmt, 0);
	return 0;
}

static int no_label(const struct import *m, struct err *e)
{
	const struct pair_report *p = pair_report(m->pair);

	return err_set(
		e, -ERR_DATA,
		"%s: the host covers no row at a lag of %.3g s: %zu are outside its time, "
		"%zu in its gaps, %zu where it is empty (--lag is guest time less host time)",
		m->path, p->lag_s, p->rows_outside, p->rows_in_gaps, p->rows_empty);
}

static int check_result(struct import *m, struct err *e)
{
	const struct csv_header *h = csv_header(m->csv);
	struct import_report *report = &m->report;

	memcpy(report->ignored, h->ignored, sizeof(report->ignored));
	report->n_features = h->n_features;
	zone_foreach (z)
		report->n_zones += m->labelled[z];
	if (!report->rows && m->pair && report->runs)
		return no_label(m, e);
	if (!report->rows)
		return err_set(e, -ERR_DATA, "%s: no good row (%zu bad ones)", m->path,
			       report->bad_rows);
	if (!report->n_zones)
		return err_set(e, -ERR_DATA,
			       "%s: no row has a label: a column package_watts, core_watts, "
			       "dram_watts, uncore_watts or platform_watts (or the same with "
			       "_joules) must hold the measured power",
			       m->path);
	return 0;
}

static int import_all(struct import *m, struct err *e)
{
	int r = db_exec(m->d, "BEGIN IMMEDIATE", e);

	if (r < 0)
		return r;
	r = prepare(m, e);
	if (r == 0)
		r = import_rows(m, e);
	if (r == 0)
		r = check_result(m, e);
	sqlite3_finalize(m->insert_row);
	sqlite3_finalize(m->insert_group);
	sqlite3_finalize(m->find_group);
	free(m->run.steps);
	if (r == 0)
		r = db_exec(m->d, "COMMIT", e);
	if (r < 0)
		db_exec(m->d, "ROLLBACK", NULL);
	return r;
}

static int import_file(struct import *m, struct err *e)
{
	const struct csv_options o = {.labels = true, .group_column = m->o->group_column};
	int r = m->recording ? recording_rows(m->recording, &o, &m->csv, e)
			     : csv_open(m->path, &o, &m->csv, e);

	if (r < 0)
		return r;
	r = import_all(m, e);
	csv_close(m->csv);
	return r;
}

int dataset_import_joined(struct dataset *d, const char *csv_path, const struct import_options *o,
			  FILE *talk, struct import_report *ret, struct err *e)
{
	struct import m = {.d = d, .o = o, .path = csv_path, .talk = talk};
	int r = import_file(&m, e);

	if (r == 0)
		*ret = m.report;
	return r;
}

static int import_sides(struct import *m, const struct pair_options *p,
			const struct recording *host, struct pair_report *ret_pair, struct err *e)
{
	int r = pair_new(m->recording, host, p->lag_s, m->talk, &m->pair, e);

	if (r == 0)
		r = import_file(m, e);
	if (r == 0) {
		*ret_pair = *pair_report(m->pair);
		ret_pair->guest = *recording_report(m->recording);
		ret_pair->host = *recording_report(host);
	}
	pair_free(m->pair);
	return r;
}

int dataset_import_paired(struct dataset *d, const struct pair_options *p,
			  const struct import_options *o, FILE *talk, struct import_report *ret,
			  struct pair_report *ret_pair, struct err *e)
{
	struct import m = {.d = d, .o = o, .path = p->guest_path, .vm = p->vm, .talk = talk};
	struct recording_choice choice = {.kind = TRACE_GUEST, .vm = p->vm};
	struct recording *guest = NULL, *host = NULL;
	int r = recording_open(p->guest_path, &choice, &guest, e);

	if (r < 0)
		return r;
	choice = (struct recording_choice){.kind = TRACE_HOST,
					   .vm = p->host_vm,
					   .like_vm = recording_report(guest)->vm,
					   .like_uuid = recording_report(guest)->uuid};
	r = recording_open(p->host_path, &choice, &host, e);
	m.recording = guest;
	if (r == 0)
		r = import_sides(&m, p, host, ret_pair, e);
	if (r == 0)
		*ret = m.report;
	recording_close(guest);
	recording_close(host);
	return r;
}
