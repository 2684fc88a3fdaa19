/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FEATURES_CSV_H
#define FEATURES_CSV_H

/*
 * Files of numbers, row by row (docs/formats/recordings.md): a header line,
 * commas, `.` as the decimal point, an empty field is a missing value (NaN,
 * never 0), no quotes. The reader holds one line at a time, so a file of any
 * length costs the same memory.
 *
 * Columns: `time_s` (required), the features of the catalogue (at least one),
 * and, when labels are asked for, `<zone>_watts`, `<zone>_joules`,
 * `kepler_guest_package_watts`, `run` and one group column (`group`). Every other column
 * is ignored and listed. Nothing that a guest cannot read is ever a feature:
 * `memory_read|write_bytes_rate`, `host_*`, `kepler_*`, `*_watts`, `*_joules`.
 * A file of measured power alone (`power_only`) needs a label instead of a
 * feature, and its features are ignored too.
 *
 * CRLF line ends, a UTF-8 byte order mark, blank lines and blanks around a
 * field are tolerated. Quotes, NUL bytes, nan, inf, shares outside 0..1.5 and
 * lines over CSV_LINE_MAX are refused with a sentence that names FILE:LINE.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/zone.h"
#include "features/catalogue.h"

#define CSV_LINE_MAX	65536 /* characters of one line */
#define CSV_COLUMNS_MAX 1024
#define CSV_TEXT	128 /* run and group names, with their NUL */
#define CSV_TIME_TEXT	64

struct csv_reader; /* owned by the caller of csv_open* */

struct csv_options {
	bool labels;		  /* read labels, run and group; false: they are ignored */
	const char *group_column; /* only with labels; NULL: `group`, where there is one */
	bool power_only;	  /* only with labels: no feature is read, a label must be there */
};

/* What the header line said; valid as long as the reader. */
struct csv_header {
	bool feature[FEATURE_COUNT];
	bool watts[ZONE_COUNT], joules[ZONE_COUNT];
	bool run, group, kepler_guest_package_watts;
	size_t n_features, n_columns;
	/* Columns that are not used, comma-separated, each with the feature it
	 * may be a misspelling of; cut off with "..." when there are many. */
	char ignored[512];
};

struct csv_row {
	struct row row; /* completed by row_complete(); dt_s is NaN: a row does not say */
	double y_w[ZONE_COUNT], joules[ZONE_COUNT];
	double kepler_guest_package_w;
	char time_text[CSV_TIME_TEXT]; /* time_s as the file has it */
	char run[CSV_TEXT], group[CSV_TEXT];
	size_t line; /* from 1, the header */
};

/*
 * Open and read the header. -errno, or ERR_DATA: no time_s, no known feature
 * (power_only: no label), a column twice, no such group column, not this format at all.
 */
int csv_open(const char *path, const struct csv_options *o, struct csv_reader **ret, struct err *e);

/* As csv_open from a descriptor that stays the caller's; `name` is for messages. */
int csv_open_fd(int fd, const char *name, const struct csv_options *o, struct csv_reader **ret,
		struct err *e);

/* NULL is fine. */
void csv_close(struct csv_reader *c);

const struct csv_header *csv_header(const struct csv_reader *c);

/*
 * The next row: 1, or 0 at the end. -ERR_DATA is one bad row, told in `e` as
 * FILE:LINE: reason; the reader goes on behind it, and *ret then holds the
 * line number and, where it was there, the time, and is else missing. Any
 * other negative code is a failed read, after which nothing more comes.
 * Allocates nothing.
 */
int csv_next(struct csv_reader *c, struct csv_row *ret, struct err *e);

#endif
