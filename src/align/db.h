/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ALIGN_DB_H
#define ALIGN_DB_H

/* What the files of align/ share about the SQLite file; not for others. */

#include <sqlite3.h>
#include <stdbool.h>

#include "align/dataset.h"
#include "base/text.h"

struct dataset {
	sqlite3 *db;
	char path[512];
	bool writes;
};

/* The columns of table `row` that hold numbers: features, labels, the baseline. */
#define DB_WATTS   FEATURE_COUNT
#define DB_KEPLER  (DB_WATTS + ZONE_COUNT)
#define DB_COLUMNS (DB_KEPLER + 1)

/* The name of column i of DB_COLUMNS, as in a CSV; static. */
const char *db_column(size_t i);

/* True for the columns that table `row` of schema `schema` ("main", ...) has. */
int db_has_columns(struct dataset *d, const char *schema, bool ret[DB_COLUMNS], struct err *e);

/* ERR_FORMAT with what SQLite says, or -ENOMEM, -EIO, -ENOSPC, -EBUSY. */
int db_fail(struct dataset *d, struct err *e);

int db_exec(struct dataset *d, const char *sql, struct err *e);
int db_prepare(struct dataset *d, const char *sql, sqlite3_stmt **ret, struct err *e);

/* 1 a row, 0 done, or a negative code. */
int db_step(struct dataset *d, sqlite3_stmt *stmt, struct err *e);

/* A finite number, or NaN for everything else that a field may hold. */
double db_number(sqlite3_stmt *stmt, int column);

/* NaN is stored as NULL. */
void db_bind_number(sqlite3_stmt *stmt, int parameter, double value);

/* Run and group names: short, and free of what would break a CSV. */
bool db_name_ok(const char *name);

static inline void cleanup_stmt(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

#define autostmt __attribute__((cleanup(cleanup_stmt)))

#endif
