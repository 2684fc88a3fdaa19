// SPDX-License-Identifier: Apache-2.0
/* A dataset out again: as CSV, or into another dataset; see dataset.h. */
#include "align/db.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/parse.h"

/* Which columns hold a number anywhere; [DB_COLUMNS] says whether any row has a group. */
static int filled_columns(struct dataset *d, bool ret[DB_COLUMNS + 1], struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	autotext struct text sql = {0};
	bool have[DB_COLUMNS];
	int r = db_has_columns(d, "main", have, e);

	if (r < 0)
		return r;
	text_add(&sql, "SELECT count(grp)");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		text_printf(&sql, have[i] ? ", count(%s)" : ", 0", db_column(i));
	text_add(&sql, " FROM row");
	r = db_prepare(d, sql.failed ? NULL : sql.s, &stmt, e);
	if (r == 0)
		r = db_step(d, stmt, e);
	if (r < 0)
		return r;
	ret[DB_COLUMNS] = sqlite3_column_int64(stmt, 0) > 0;
	for (size_t i = 0; i < DB_COLUMNS; i++)
		ret[i] = sqlite3_column_int64(stmt, (int)i + 1) > 0;
	return 0;
}

static int start_query(struct dataset *d, const bool filled[DB_COLUMNS + 1], sqlite3_stmt **ret,
		       struct err *e)
{
	autotext struct text sql = {0};

	text_add(&sql, "SELECT run.name, grp.name, time_s");
	for (size_t i = 0; i < DB_COLUMNS; i++) {
		if (filled[i])
			text_printf(&sql, ", %s", db_column(i));
	}
	text_add(&sql, " FROM row JOIN run ON run.id = row.run LEFT JOIN grp ON grp.id = row.grp"
		       " ORDER BY row.run, row.id");
	return db_prepare(d, sql.failed ? NULL : sql.s, ret, e);
}

static void write_header(const bool filled[DB_COLUMNS + 1], FILE *out)
{
	fprintf(out, "time_s,run%s", filled[DB_COLUMNS] ? ",group" : "");
	for (size_t i = 0; i < DB_COLUMNS; i++) {
		if (filled[i])
			fprintf(out, ",%s", db_column(i));
	}
	fputc('\n', out);
}

static int export_name(struct dataset *d, struct text *line, sqlite3_stmt *stmt, int column,
		       struct err *e)
{
	const char *name = (const char *)sqlite3_column_text(stmt, column);

	text_add(line, ",");
	if (!name)
		return 0;
	if (!db_name_ok(name))
		return err_set(e, -ERR_DATA,
			       "%s: the name '%.40s' holds a comma, a quote or a control "
			       "character, which a CSV cannot hold",
			       d->path, name);
	text_add(line, name);
	return 0;
}

static int export_row(struct dataset *d, sqlite3_stmt *stmt, bool groups, struct text *line,
		      struct err *e)
{
	int n = sqlite3_column_count(stmt), r;

	text_reset(line);
	text_number(line, db_number(stmt, 2));
	r = export_name(d, line, stmt, 0, e);
	if (r == 0 && groups)
		r = export_name(d, line, stmt, 1, e);
	for (int i = 3; i < n; i++) {
		double value = db_number(stmt, i);

		text_add(line, ",");
		if (!isnan(value))
			text_number(line, value);
	}
	text_add(line, "\n");
	return line->failed ? err_nomem(e) : r;
}

/* The row that the query stands on and those after it, at most `most`; 1 while it stands on
 * another. */
static int write_rows(struct dataset *d, sqlite3_stmt *stmt, bool groups, size_t most, FILE *out,
		      struct err *e)
{
	autotext struct text line = {0};
	int r = 1;

	for (size_t n = 0; r == 1 && n < most; n++) {
		r = export_row(d, stmt, groups, &line, e);
		if (r < 0)
			return r;
		if (fwrite(line.s, 1, line.len, out) != line.len)
			return err_errno(e, "cannot write the CSV");
		r = db_step(d, stmt, e);
	}
	return r;
}

int dataset_export(struct dataset *d, FILE *out, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	bool filled[DB_COLUMNS + 1];
	int r = filled_columns(d, filled, e);

	if (r == 0)
		r = start_query(d, filled, &stmt, e);
	if (r < 0)
		return r;
	write_header(filled, out);
	r = db_step(d, stmt, e);
	if (r == 1)
		r = write_rows(d, stmt, filled[DB_COLUMNS], SIZE_MAX, out, e);
	if (r == 0 && fflush(out) == EOF)
		return err_errno(e, "cannot write the CSV");
	return r;
}

/*
 * Of all runs: how many, how many unordered, the longest window that is no mere step, and how many
 * ordered ones --window with that would not give back.
 */
static const char kinds_of_runs[] =
	"WITH longest AS (SELECT max(window_s) AS w FROM run WHERE window_s > interval_s) "
	"SELECT count(*), coalesce(sum(NOT ordered), 0), w, coalesce(sum(ordered AND window_s <> "
	"max(w, interval_s)), 0) FROM run, longest";

int dataset_tell_lost(struct dataset *d, FILE *talk, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r = db_prepare(d, kinds_of_runs, &stmt, e), runs, unordered, others;
	char window[NUMBER_TEXT];
	double window_s;

	if (r == 0)
		r = db_step(d, stmt, e);
	if (r < 0)
		return r;
	runs = sqlite3_column_int(stmt, 0);
	unordered = sqlite3_column_int(stmt, 1);
	window_s = db_number(stmt, 2);
	others = sqlite3_column_int(stmt, 3);
	if ((unordered && unordered < runs) || others)
		fprintf(talk,
			"%s: its runs were imported with different --window or --unordered, which "
			"a CSV does not say: dataset merge keeps them\n",
			d->path);
	else if (unordered)
		fprintf(talk, "%s: import the CSV with --unordered, which it does not say\n",
			d->path);
	else if (!isnan(window_s))
		fprintf(talk, "%s: import the CSV with --window %s, which it does not say\n",
			d->path, format_double(window, window_s));
	return 0;
}

static int write_shard(struct dataset *d, sqlite3_stmt *stmt, const bool filled[DB_COLUMNS + 1],
		       size_t rows, const char *path, struct err *e)
{
	FILE *out = fopen(path, "wxe");
	int r;

	if (!out && errno == EEXIST)
		return err_set(e, -EEXIST,
			       "%s exists: --shards takes a folder without shards of before", path);
	if (!out)
		return err_errno(e, "%s", path);
	write_header(filled, out);
	r = write_rows(d, stmt, filled[DB_COLUMNS], rows, out, e);
	if (fclose(out) == EOF && r >= 0)
		r = err_errno(e, "%s", path);
	return r;
}

int dataset_export_shards(struct dataset *d, const char *directory, size_t rows, size_t *ret,
			  struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	bool filled[DB_COLUMNS + 1];
	char path[PATH_MAX];
	int r = filled_columns(d, filled, e);

	*ret = 0;
	if (r == 0)
		r = start_query(d, filled, &stmt, e);
	if (r == 0)
		r = db_step(d, stmt, e);
	while (r == 1) {
		snprintf(path, sizeof(path), "%s/%05zu.csv", directory, *ret);
		r = write_shard(d, stmt, filled, rows, path, e);
		*ret += r >= 0;
	}
	return r;
}

/* A run of the other file whose name is here as well; 1, 0 or negative. */
static int find_clash(struct dataset *d, const char *path, bool replace, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	int r;

	if (replace)
		return db_exec(d, "DELETE FROM main.run WHERE name IN (SELECT name FROM other.run)",
			       e);
	r = db_prepare(d, "SELECT name FROM other.run WHERE name IN (SELECT name FROM main.run)",
		       &stmt, e);
	if (r == 0)
		r = db_step(d, stmt, e);
	if (r <= 0)
		return r;
	return err_set(e, -ERR_DATA, "%s: run '%s' is in %s already (--replace replaces it)", path,
		       (const char *)sqlite3_column_text(stmt, 0), d->path);
}

static void add_column(struct text *sql, bool have, const char *before, size_t i)
{
	if (have)
		text_printf(sql, "%s%s", before, db_column(i));
}

static int copy_rows(struct dataset *d, struct err *e)
{
	autostmt sqlite3_stmt *stmt = NULL;
	autotext struct text sql = {0};
	bool have[DB_COLUMNS];
	int r = db_has_columns(d, "other", have, e);

	if (r < 0)
		return r;
	text_add(&sql, "INSERT INTO main.row(run, grp, time_s");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		add_column(&sql, have[i], ", ", i);
	text_add(&sql, ") SELECT mine.id, (SELECT g.id FROM main.grp g JOIN other.grp h"
		       " ON h.name = g.name WHERE h.id = theirs.grp), time_s");
	for (size_t i = 0; i < DB_COLUMNS; i++)
		add_column(&sql, have[i], ", theirs.", i);
	text_add(&sql, " FROM other.row theirs JOIN other.run r ON r.id = theirs.run"
		       " JOIN main.run mine ON mine.name = r.name ORDER BY theirs.run, theirs.id");
	r = db_prepare(d, sql.failed ? NULL : sql.s, &stmt, e);
	return r < 0 ? r : db_step(d, stmt, e);
}

static int merge_attached(struct dataset *d, const char *path, bool replace, size_t *ret_runs,
			  struct err *e)
{
	int r = db_exec(d, "BEGIN IMMEDIATE", e);

	if (r < 0)
		return r;
	r = find_clash(d, path, replace, e);
	if (r == 0)
		r = db_exec(d, "INSERT OR IGNORE INTO main.grp(name) SELECT name FROM other.grp",
			    e);
	if (r == 0)
		r = db_exec(d,
			    "INSERT INTO main.run(name, ordered, interval_s, window_s) SELECT "
			    "name, ordered, interval_s, window_s FROM other.run ORDER BY id",
			    e);
	if (r == 0)
		*ret_runs = (size_t)sqlite3_changes(d->db);
	if (r == 0)
		r = copy_rows(d, e);
	if (r == 0)
		return db_exec(d, "COMMIT", e);
	db_exec(d, "ROLLBACK", NULL);
	return r;
}

/* Refuse what is no dataset, or the one to copy into, before anything of it is copied. */
static int check_other(struct dataset *d, const char *path, struct err *e)
{
	struct dataset *other;
	struct stat mine, theirs;
	int r;

	if (stat(path, &theirs) == 0 && stat(sqlite3_db_filename(d->db, "main"), &mine) == 0 &&
	    mine.st_dev == theirs.st_dev && mine.st_ino == theirs.st_ino)
		return err_set(e, -ERR_DATA,
			       "%s: is the dataset to copy into: leave it out, its runs are there",
			       path);
	r = dataset_open(path, DATASET_READ, &other, e);
	if (r == 0)
		dataset_close(other);
	return r;
}

int dataset_merge(struct dataset *d, const char *path, bool replace, size_t *ret_runs,
		  struct err *e)
{
	autostmt sqlite3_stmt *attach = NULL;
	size_t runs = 0;
	int r = check_other(d, path, e);

	if (r == 0)
		r = db_prepare(d, "ATTACH ? AS other", &attach, e);
	if (r < 0)
		return r;
	sqlite3_bind_text(attach, 1, path, -1, SQLITE_STATIC);
	r = db_step(d, attach, e);
	if (r < 0)
		return r;
	r = merge_attached(d, path, replace, &runs, e);
	db_exec(d, "DETACH other", NULL);
	if (r == 0)
		*ret_runs = runs;
	return r;
}
