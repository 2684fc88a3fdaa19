// SPDX-License-Identifier: Apache-2.0
/*
 * The dataset file: opening, its schema, and loading it; see dataset.h.
 *
 * Who writes uses a WAL, so that readers need not wait, and puts it away at the end: a file with
 * one can only be read where the files beside it can be made. Who reads may write to the files
 * beside it where it can, so that what a killed import left is put away too; never to the dataset.
 *
 *   run(id, name, ordered, interval_s, window_s)
 *   grp(id, name)                 names of groups that a column gave
 *   row(id, run, grp, time_s, <one column per feature and label>)
 *
 * `row.id` is the order of the recording. The columns of `row` follow the
 * catalogue: what a file of an older vmwatts lacks is added when it is opened
 * for writing, and read as missing otherwise.
 */
#include "align/db.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define SCHEMA_VERSION 1
#define APPLICATION_ID 0x766d7764 /* "vmwd" */

static const char *const watts_columns[ZONE_COUNT] = {"package_watts", "core_watts", "dram_watts",
						      "uncore_watts", "platform_watts"};

static const char schema[] =
	"CREATE TABLE run(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
	" ordered INTEGER NOT NULL, interval_s REAL, window_s REAL);"
	"CREATE TABLE grp(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE row(id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run(id)"
	" ON DELETE CASCADE, grp INTEGER REFERENCES grp(id), time_s REAL NOT NULL);"
	"CREATE INDEX row_by_run ON row(run, id);"
	"PRAGMA application_id = 1986885476;"
	"PRAGMA user_version = 1;";

_Static_assert(APPLICATION_ID == 1986885476, "the schema's application_id");
_Static_assert(SCHEMA_VERSION == 1, "the schema's user_version");

const char *db_column(size_t i)
{
	if (i < DB_WATTS)
		return feature_info((enum feature)i)->name;
	return i < DB_KEPLER ? watts_columns[i - DB_WATTS] : "kepler_guest_package_watts";
}

int db_fail(struct dataset *d, struct err *e)
{
	int code = sqlite3_errcode(d->db), r = -ERR_FORMAT;

	if (code == SQLITE_NOMEM)
		return err_nomem(e);
	if (code == SQLITE_FULL)
		r = -ENOSPC;
	else if (code == SQLITE_IOERR || code == SQLITE_READONLY || code == SQLITE_CANTOPEN)
		r = -EIO;
	else if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return err_set(e, -EBUSY, "%s: another process is using it; try again", d->path);
	if ((code == SQLITE_READONLY || code == SQLITE_CANTOPEN) && !d->writes &&
	    access(d->path, R_OK) == 0)
		return err_set(e, r,
			       "%s: was not closed by who wrote it last (killed, or an older "
			       "vmwatts), and its folder cannot be written: copy it, with D.db-wal "
			       "if there is one, to a folder of yours",
			       d->path);
	if (code == SQLITE_NOTADB)
		return err_set(e, r, "%s: not a dataset (vmwatts dataset import makes one)",
			       d->path);
	return err_set(e, r, "%s: %s", d->path, sqlite3_errmsg(d->db));
}

int db_exec(struct dataset *d, const char *sql, struct err *e)
{
	return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(d, e);
}

int db_prepare(struct dataset *d, const char *sql, sqlite3_stmt **ret, struct err *e)
{
	if (!sql)
		return err_nomem(e);
	return sqlite3_prepare_v2(d->db, sql, -1, ret, NULL) == SQLITE_OK ? 0 : db_fail(d, e);
}

int db_step(struct dataset *d, sqlite3_stmt *stmt, struct err *e)
{
	int r = sqlite3_step(stmt);

	if (r == SQLITE_ROW)
		return 1;
	return r == SQLITE_DONE ? 0 : db_fail(d, e);
}

double db_number(sqlite3_stmt *stmt, int column)
{
	int type = sqlite3_column_type(stmt, column);
	double value = NAN;

	if (type == SQLITE_FLOAT || type == SQLITE_INTEGER)
		value = sqlite3_column_double(stmt, column);
	return isfinite(value) ? value : NAN;
}

void db_bind_number(sqlite3_stmt *stmt, int parameter, double value)
{
	if (isnan(value))
		sqlite3_bind_null(stmt, parameter);
	else
		sqlite3_bind_double(stmt, parameter, value);
}

bool db_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n >= sizeof(((struct table_run *)0)->name))
		return false;
	for (; *name; name++) {
		if ((unsigned char)*name < ' ' || *name == ',' || *name == '"' || *name == 0x7f)
			return false;
	}
	return true;
}

int db_has_columns(struct dataset *d, const char *db_schema, bool ret[DB_COLUMNS], struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r = db_prepare(d, "SELECT name FROM pragma_table_info('row', ?)", &stmt, e);

	if (r < 0)
		return r;
	memset(ret, 0, DB_COLUMNS * sizeof(*ret));
	sqlite3_bind_text(stmt, 1, db_schema, -1, SQLITE_STATIC);
	while ((r = db_step(d, stmt, e)) == 1) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		for (size_t i = 0; i < DB_COLUMNS; i++)
			ret[i] |= name && !strcmp(name, db_column(i));
	}
	return r;
}

/* A number that a pragma answers; -1 for none. */
static int pragma_value(struct dataset *d, const char *sql, sqlite3_int64 *ret, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r = db_prepare(d, sql, &stmt, e);

	if (r == 0)
		r = db_step(d, stmt, e);
	if (r < 0)
		return r;
	*ret = r == 1 ? sqlite3_column_int64(stmt, 0) : -1;
	return 0;
}

/* Columns that the catalogue has gained since the file was made. */
static int add_columns(struct dataset *d, struct err *e)
{
	bool have[DB_COLUMNS];
	int r = db_has_columns(d, "main", have, e);

	for (size_t i = 0; r >= 0 && i < DB_COLUMNS; i++) {
		char sql[128];

		if (have[i])
			continue;
		snprintf(sql, sizeof(sql), "ALTER TABLE row ADD COLUMN %s REAL", db_column(i));
		r = db_exec(d, sql, e);
	}
	return r;
}

static int make_schema(struct dataset *d, bool is_new, struct err *e)
{
	int r = db_exec(d, "BEGIN IMMEDIATE", e);

	if (r == 0 && is_new)
		r = db_exec(d, schema, e);
	if (r == 0)
		r = add_columns(d, e);
	if (r == 0)
		return db_exec(d, "COMMIT", e);
	db_exec(d, "ROLLBACK", NULL);
	return r;
}

/* Is this file ours, or empty and to be made ours? */
static int check_file(struct dataset *d, bool *ret_new, struct err *e)
{
	sqlite3_int64 id, version, tables;
	int r = pragma_value(d, "PRAGMA application_id", &id, e);

	if (r == 0)
		r = pragma_value(d, "PRAGMA user_version", &version, e);
	if (r == 0)
		r = pragma_value(d, "SELECT count(*) FROM sqlite_schema", &tables, e);
	if (r < 0)
		return r;
	*ret_new = tables == 0;
	if (tables == 0)
		return 0;
	if (id != APPLICATION_ID)
		return err_set(e, -ERR_FORMAT,
			       "%s: an SQLite file, but no dataset (vmwatts dataset import makes "
			       "one)",
			       d->path);
	if (version > SCHEMA_VERSION)
		return err_set(e, -ERR_FORMAT,
			       "%s: written by a newer vmwatts (schema %lld, this one reads %d)",
			       d->path, (long long)version, SCHEMA_VERSION);
	return 0;
}

static int set_up(struct dataset *d, enum dataset_mode mode, struct err *e)
{
	bool is_new;
	int r = check_file(d, &is_new, e);

	if (r < 0)
		return r;
	if (mode == DATASET_READ && is_new)
		return err_set(e, -ERR_DATA, "%s: an empty dataset", d->path);
	if (mode == DATASET_READ)
		return db_exec(d, "PRAGMA query_only = ON", e);
	d->writes = true;
	r = db_exec(d, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", e);
	if (r == 0)
		r = db_exec(d, "PRAGMA foreign_keys = ON", e);
	return r < 0 ? r : make_schema(d, is_new, e);
}

int dataset_open(const char *path, enum dataset_mode mode, struct dataset **ret, struct err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
	struct dataset *d;
	struct stat st;
	int r;

	if (mode == DATASET_READ && access(path, R_OK) < 0)
		return err_errno(e, "%s", path);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, -EISDIR, "%s is a directory, not a dataset", path);
	if (mode == DATASET_WRITE)
		flags |= SQLITE_OPEN_CREATE;
	d = calloc(1, sizeof(*d));
	if (!d)
		return err_nomem(e);
	snprintf(d->path, sizeof(d->path), "%s", path);
	r = sqlite3_open_v2(path, &d->db, flags, NULL) == SQLITE_OK ? 0 : db_fail(d, e);
	if (r == 0) {
		sqlite3_busy_timeout(d->db, 5000);
		r = set_up(d, mode, e);
	}
	if (r < 0) {
		dataset_close(d);
		return r;
	}
	*ret = d;
	return 0;
}

void dataset_close(struct dataset *d)
{
	if (!d)
		return;
	if (d->writes) /* refused while others have it open: the last of them does it */
		db_exec(d, "PRAGMA journal_mode = DELETE", NULL);
	sqlite3_close(d->db);
	free(d);
}

void dataset_remove(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
	char name[PATH_MAX];

	for (size_t i = 0; i < array_size(ends); i++) {
		if (snprintf(name, sizeof(name), "%s%s", path, ends[i]) < PATH_MAX)
			unlink(name);
	}
}

/* Where the database ids of runs and groups land in the table. */
struct id_map {
	size_t n;
	uint32_t *at; /* by id; UINT32_MAX where there is none */
};

static int map_new(struct dataset *d, const char *sql, struct id_map *m, struct err *e)
{
	sqlite3_int64 max;
	int r = pragma_value(d, sql, &max, e);

	if (r < 0)
		return r;
	if (max < 0 || max > (1 << 28))
		return err_set(e, -ERR_FORMAT, "%s: ids out of range", d->path);
	m->n = (size_t)max + 1;
	m->at = malloc(m->n * sizeof(*m->at));
	if (!m->at)
		return err_nomem(e);
	memset(m->at, 0xff, m->n * sizeof(*m->at));
	return 0;
}

static uint32_t *map_at(const struct id_map *m, sqlite3_int64 id)
{
	return id >= 0 && (size_t)id < m->n ? &m->at[id] : NULL;
}

struct loading {
	struct dataset *d;
	struct table *t;
	struct id_map runs, groups;
};

/* Runs that have rows, in the order of their ids. */
static int load_runs(struct loading *l, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	struct table *t = l->t;
	size_t cap = 0;
	int r = db_prepare(l->d,
			   "SELECT id, name, ordered, interval_s, window_s, (SELECT count(*) "
			   "FROM row WHERE row.run = run.id) AS n FROM run WHERE n > 0 ORDER BY id",
			   &stmt, e);

	while (r >= 0 && (r = db_step(l->d, stmt, e)) == 1) {
		uint32_t *at = map_at(&l->runs, sqlite3_column_int64(stmt, 0));
		const char *name = (const char *)sqlite3_column_text(stmt, 1);
		struct table_run *run;

		if (!at || !name)
			return err_set(e, -ERR_FORMAT, "%s: a run without a name", l->d->path);
		if (t->n_runs == cap) {
			cap = cap * 2 + 16;
			run = realloc(t->runs, cap * sizeof(*run));
			if (!run)
				return err_nomem(e);
			t->runs = run;
		}
		*at = (uint32_t)t->n_runs;
		run = &t->runs[t->n_runs++];
		*run = (struct table_run){.first = t->n_rows, .interval_s = NAN, .window_s = NAN};
		snprintf(run->name, sizeof(run->name), "%s", name);
		run->ordered = sqlite3_column_int(stmt, 2) != 0;
		if (run->ordered) {
			run->interval_s = db_number(stmt, 3);
			run->window_s = db_number(stmt, 4);
		}
		run->n = (size_t)sqlite3_column_int64(stmt, 5);
		t->n_rows += run->n;
	}
	return r;
}

static double **column_of(struct table *t, size_t i)
{
	if (i < DB_WATTS)
		return &t->x[i];
	return i < DB_KEPLER ? &t->y_w[i - DB_WATTS] : &t->kepler_guest_package_w;
}

/* A cell; its column comes to be with the first number in it. */
static int load_cell(struct table *t, size_t column, size_t row, double value, struct err *e)
{
	double **c = column_of(t, column);

	if (!*c) {
		*c = malloc(t->n_rows * sizeof(**c));
		if (!*c)
			return err_nomem(e);
		for (size_t i = 0; i < t->n_rows; i++)
			(*c)[i] = NAN;
	}
	(*c)[row] = value;
	return 0;
}

/* Rows without a group of their own have their run as the group. */
static uint32_t group_of(struct loading *l, sqlite3_stmt *stmt, uint32_t run, uint32_t *run_group)
{
	uint32_t *at = NULL;

	if (sqlite3_column_type(stmt, 1) == SQLITE_INTEGER)
		at = map_at(&l->groups, sqlite3_column_int64(stmt, 1));
	if (!at)
		at = &run_group[run];
	if (*at == UINT32_MAX)
		*at = (uint32_t)l->t->n_groups++;
	return *at;
}

static int load_row(struct loading *l, sqlite3_stmt *stmt, size_t i, uint32_t *run_group,
		    struct err *e)
{
	uint32_t *run = map_at(&l->runs, sqlite3_column_int64(stmt, 0));
	struct table *t = l->t;

	if (i >= t->n_rows || !run || *run == UINT32_MAX)
		return err_set(e, -ERR_FORMAT, "%s: a row without a run", l->d->path);
	t->run[i] = *run;
	t->group[i] = group_of(l, stmt, *run, run_group);
	t->t_s[i] = db_number(stmt, 2);
	for (int k = 0; k < (int)DB_COLUMNS; k++) {
		double value;
		int r;

		if (sqlite3_column_type(stmt, 3 + k) == SQLITE_NULL)
			continue;
		value = db_number(stmt, 3 + k);
		r = load_cell(t, (size_t)k, i, value, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int select_rows(struct dataset *d, sqlite3_stmt **ret, struct err *e)
{
	autotext struct text sql = {0};
	bool have[DB_COLUMNS];
	int r = db_has_columns(d, "main", have, e);

	if (r < 0)
		return r;
	text_add(&sql, "SELECT run, grp, time_s");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		text_printf(&sql, ", %s", have[i] ? db_column(i) : "NULL");
	text_add(&sql, " FROM row ORDER BY run, id");
	return sql.failed ? err_nomem(e) : db_prepare(d, sql.s, ret, e);
}

static int load_rows(struct loading *l, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	autofree uint32_t *run_group = NULL;
	struct table *t = l->t;
	size_t i = 0;
	int r = select_rows(l->d, &stmt, e);

	if (r < 0)
		return r;
	run_group = malloc((t->n_runs + 1) * sizeof(*run_group));
	t->t_s = malloc((t->n_rows + 1) * sizeof(*t->t_s));
	t->run = malloc((t->n_rows + 1) * sizeof(*t->run));
	t->group = malloc((t->n_rows + 1) * sizeof(*t->group));
	if (!run_group || !t->t_s || !t->run || !t->group)
		return err_nomem(e);
	memset(run_group, 0xff, (t->n_runs + 1) * sizeof(*run_group));
	while ((r = db_step(l->d, stmt, e)) == 1) {
		r = load_row(l, stmt, i++, run_group, e);
		if (r < 0)
			return r;
	}
	if (r == 0 && i != t->n_rows)
		return err_set(e, -ERR_FORMAT, "%s: rows changed while reading", l->d->path);
	return r;
}

/* Of the groups that rows have; where the run is the group there is none. */
static int load_group_names(struct loading *l, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	struct table *t = l->t;
	int r = db_prepare(l->d, "SELECT id, name FROM grp", &stmt, e);

	if (r < 0)
		return r;
	t->group_name = calloc(t->n_groups + 1, sizeof(*t->group_name));
	if (!t->group_name)
		return err_nomem(e);
	while ((r = db_step(l->d, stmt, e)) == 1) {
		const uint32_t *at = map_at(&l->groups, sqlite3_column_int64(stmt, 0));
		const char *name = (const char *)sqlite3_column_text(stmt, 1);

		if (at && *at != UINT32_MAX && name)
			snprintf(t->group_name[*at], sizeof(*t->group_name), "%s", name);
	}
	return r;
}

int dataset_load(struct dataset *d, struct table **ret, struct err *e)
{
	struct loading l = {.d = d, .t = calloc(1, sizeof(*l.t))};
	int r = l.t ? 0 : err_nomem(e);

	if (r == 0)
		r = db_exec(d, "BEGIN", e);
	if (r == 0)
		r = map_new(d, "SELECT coalesce(max(id), 0) FROM run", &l.runs, e);
	if (r == 0)
		r = map_new(d, "SELECT coalesce(max(id), 0) FROM grp", &l.groups, e);
	if (r == 0)
		r = load_runs(&l, e);
	if (r == 0)
		r = load_rows(&l, e);
	if (r == 0)
		r = load_group_names(&l, e);
	db_exec(d, "ROLLBACK", NULL);
	free(l.runs.at);
	free(l.groups.at);
	if (r < 0) {
		table_free(l.t);
		return r;
	}
	*ret = l.t;
	return 0;
}
