// SPDX-License-Identifier: Apache-2.0
/*
 * CSV: text in, rows out; see csv.h.
 *
 * Bytes are read into one buffer of two lines' length; a line is cut into
 * fields in place. The header becomes a table with one entry per column that
 * says where its numbers go, so a row costs one pass over its characters.
 */
#include "features/csv.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define WATTS_MAX 1e6 /* the most that a model says, too */

enum column_kind {
	COLUMN_IGNORED,
	COLUMN_TIME,
	COLUMN_FEATURE,
	COLUMN_WATTS,
	COLUMN_JOULES,
	COLUMN_KEPLER,
	COLUMN_RUN,
};

struct column {
	enum column_kind kind;
	bool group; /* its text is the group as well */
	int index;  /* the feature or the zone */
	char name[64];
};

struct csv_reader {
	int fd;
	bool own_fd, end_of_file;
	char name[256];
	size_t line;
	struct csv_header header;
	struct column *columns;
	size_t at, filled; /* unread bytes: buffer[at..filled) */
	char buffer[2 * CSV_LINE_MAX + 1];
};

/* The longest text of a file that is shown in a message. */
#define SHOWN 40

static int row_error(const struct csv_reader *c, struct err *e, const char *reason)
{
	return err_set(e, -ERR_DATA, "%s:%zu: %s", c->name, c->line, reason);
}

/* Read more behind what is there. 1 more came, 0 end of file, -errno. */
static int fill(struct csv_reader *c, struct err *e)
{
	ssize_t n;

	if (c->end_of_file)
		return 0;
	memmove(c->buffer, c->buffer + c->at, c->filled - c->at);
	c->filled -= c->at;
	c->at = 0;
	do
		n = read(c->fd, c->buffer + c->filled, sizeof(c->buffer) - 1 - c->filled);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, "%s: cannot read", c->name);
	c->end_of_file = n == 0;
	c->filled += (size_t)n;
	return n > 0;
}

/* Drop bytes up to and with the next newline. 0 or -errno. */
static int skip_line(struct csv_reader *c, struct err *e)
{
	for (;;) {
		char *newline = memchr(c->buffer + c->at, '\n', c->filled - c->at);
		int r;

		if (newline) {
			c->at = (size_t)(newline - c->buffer) + 1;
			return 0;
		}
		c->at = c->filled;
		r = fill(c, e);
		if (r <= 0)
			return r;
	}
}

/* The next line, NUL-terminated, without its line end. As csv_next. */
static int next_line(struct csv_reader *c, char **ret, struct err *e)
{
	char *newline, *line;
	size_t len;

	while (!(newline = memchr(c->buffer + c->at, '\n', c->filled - c->at))) {
		int r;

		if (c->filled - c->at > CSV_LINE_MAX)
			break;
		r = fill(c, e);
		if (r < 0)
			return r;
		if (r == 0)
			break;
	}
	if (!newline && c->at == c->filled)
		return 0;
	c->line++;
	line = c->buffer + c->at;
	len = newline ? (size_t)(newline - line) : c->filled - c->at;
	if (len > CSV_LINE_MAX) {
		int r = skip_line(c, e);

		return r < 0 ? r : row_error(c, e, "the line is longer than 65536 characters");
	}
	c->at += len + (newline != NULL);
	if (memchr(line, 0, len))
		return row_error(c, e, "a NUL byte: this is not a text file");
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = 0;
	if (memchr(line, '"', len))
		return row_error(c, e, "quotes are not part of this format: write plain fields");
	*ret = line;
	return 1;
}

/* As next_line, passing over blank lines. */
static int next_full_line(struct csv_reader *c, char **ret, struct err *e)
{
	int r;

	do
		r = next_line(c, ret, e);
	while (r == 1 && !(*ret)[strspn(*ret, " \t")]);
	return r;
}

/* Cut the field at *at off its line, blanks trimmed; *at moves on, to NULL at the end. */
static char *next_field(char **at)
{
	char *field = *at + strspn(*at, " \t"), *comma = strchr(field, ','), *end;

	end = comma ? comma : field + strlen(field);
	*at = comma ? comma + 1 : NULL;
	while (end > field && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = 0;
	return field;
}

static int zone_of(const char *column, const char *unit)
{
	zone_foreach (z) {
		size_t n = strlen(zone_name(z));

		if (!strncmp(column, zone_name(z), n) && column[n] == '_' &&
		    !strcmp(column + n + 1, unit))
			return (int)z;
	}
	return -1;
}

static void classify(struct column *k, const struct csv_options *o)
{
	bool labels = o->labels;
	int f = o->power_only ? -1 : feature_find(k->name), watts = zone_of(k->name, "watts");
	int joules = zone_of(k->name, "joules");

	if (!strcmp(k->name, "time_s")) {
		k->kind = COLUMN_TIME;
	} else if (f >= 0) {
		k->kind = COLUMN_FEATURE;
		k->index = f;
	} else if (labels && watts >= 0) {
		k->kind = COLUMN_WATTS;
		k->index = watts;
	} else if (labels && joules >= 0) {
		k->kind = COLUMN_JOULES;
		k->index = joules;
	} else if (labels && !strcmp(k->name, "kepler_guest_package_watts")) {
		k->kind = COLUMN_KEPLER;
	} else if (labels && !strcmp(k->name, "run")) {
		k->kind = COLUMN_RUN;
	}
}

static void note_column(struct csv_header *h, const struct column *k)
{
	h->group |= k->group;
	switch (k->kind) {
	case COLUMN_FEATURE:
		h->feature[k->index] = true;
		h->n_features++;
		break;
	case COLUMN_WATTS:
		h->watts[k->index] = true;
		break;
	case COLUMN_JOULES:
		h->joules[k->index] = true;
		break;
	case COLUMN_KEPLER:
		h->kepler_guest_package_watts = true;
		break;
	case COLUMN_RUN:
		h->run = true;
		break;
	case COLUMN_TIME:
	case COLUMN_IGNORED:
		break;
	}
}

/* Columns that are known and known not to be features. */
static bool never_a_feature(const char *name)
{
	return !strncmp(name, "host_", 5) || !strncmp(name, "kepler_", 7) ||
	       !strncmp(name, "memory_read_", 12) || !strncmp(name, "memory_write_", 13) ||
	       zone_of(name, "watts") >= 0 || zone_of(name, "joules") >= 0 || !strcmp(name, "run");
}

/* The feature that a column may be a misspelling of: one the file does not have. */
static const char *hint_for(const struct csv_header *h, const char *name)
{
	const char *near = never_a_feature(name) ? NULL : feature_nearest(name);

	return near && !h->feature[feature_find(near)] ? near : NULL;
}

static void list_ignored(struct csv_reader *c, const struct csv_options *o)
{
	struct csv_header *h = &c->header;
	size_t len = 0, room = sizeof(h->ignored) - 8;

	for (size_t i = 0; i < h->n_columns; i++) {
		const char *name = c->columns[i].name,
			   *near = o->power_only ? NULL : hint_for(h, name);
		char item[192];
		int n;

		if (c->columns[i].kind != COLUMN_IGNORED || c->columns[i].group)
			continue;
		n = snprintf(item, sizeof(item), "%s%s%s%s%s", len ? ", " : "", name,
			     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
		if (len + (size_t)n > room) {
			memcpy(h->ignored + len, ", ...", 6);
			return;
		}
		memcpy(h->ignored + len, item, (size_t)n + 1);
		len += (size_t)n;
	}
}

static bool same_target(const struct column *a, const struct column *b)
{
	return a->kind != COLUMN_IGNORED && a->kind == b->kind && a->index == b->index;
}

static bool has_label(const struct csv_header *h)
{
	bool any = false;

	zone_foreach (z)
		any |= h->watts[z] || h->joules[z];
	return any;
}

static int check_header(const struct csv_reader *c, const struct csv_options *o, const char *first,
			struct err *e)
{
	bool time = false;

	for (size_t i = 0; i < c->header.n_columns; i++) {
		const struct column *k = &c->columns[i];

		time |= k->kind == COLUMN_TIME;
		for (size_t j = 0; j < i; j++) {
			if (same_target(k, &c->columns[j]))
				return err_set(e, -ERR_DATA,
					       "%s:%zu: columns %zu and %zu are both "
					       "named %s",
					       c->name, c->line, j + 1, i + 1, k->name);
		}
	}
	if (!time && strpbrk(first, ";\t"))
		return row_error(c, e, "no column time_s: separate columns by commas");
	if (!time)
		return row_error(c, e,
				 "no column time_s (seconds, the end of each row's interval) "
				 "in the header line");
	if (o->power_only && !has_label(&c->header))
		return row_error(c, e,
				 "no column of measured power (package_watts or package_joules, "
				 "core_watts and so on)");
	if (!o->power_only && !c->header.n_features)
		return row_error(c, e,
				 "no column is a known feature (cpu_utilization and so on; "
				 "docs/formats/recordings.md lists them)");
	if (o->labels && o->group_column && !c->header.group)
		return err_set(e, -ERR_DATA, "%s:%zu: no column '%.*s' to group by", c->name,
			       c->line, SHOWN, o->group_column);
	return 0;
}

static int read_header(struct csv_reader *c, const struct csv_options *o, struct err *e)
{
	const char *group = o->group_column ? o->group_column : "group";
	struct csv_header *h = &c->header;
	char *line, *at, first[64];
	int r = next_full_line(c, &line, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, -ERR_DATA, "%s: empty: a header line is needed", c->name);
	at = strncmp(line, "\xef\xbb\xbf", 3) ? line : line + 3;
	snprintf(first, sizeof(first), "%s", at);
	h->n_columns = 1;
	for (const char *s = at; *s; s++)
		h->n_columns += *s == ',';
	if (h->n_columns > CSV_COLUMNS_MAX)
		return row_error(c, e, "more than 1024 columns");
	c->columns = calloc(h->n_columns, sizeof(*c->columns));
	if (!c->columns)
		return err_nomem(e);
	for (size_t i = 0; at; i++) {
		struct column *k = &c->columns[i];
		const char *name = next_field(&at);

		snprintf(k->name, sizeof(k->name), "%s", name);
		k->group = o->labels && !strcmp(name, group);
		classify(k, o);
		note_column(h, k);
	}
	list_ignored(c, o);
	return check_header(c, o, first, e);
}

int csv_open_fd(int fd, const char *name, const struct csv_options *o, struct csv_reader **ret,
		struct err *e)
{
	struct csv_reader *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	c->fd = fd;
	snprintf(c->name, sizeof(c->name), "%s", name);
	r = read_header(c, o, e);
	if (r < 0) {
		csv_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

int csv_open(const char *path, const struct csv_options *o, struct csv_reader **ret, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(e, "%s", path);
	r = csv_open_fd(fd, path, o, ret, e);
	if (r < 0)
		return r;
	(*ret)->fd = steal_fd(&fd);
	(*ret)->own_fd = true;
	return 0;
}

void csv_close(struct csv_reader *c)
{
	if (!c)
		return;
	if (c->own_fd)
		close(c->fd);
	free(c->columns);
	free(c);
}

const struct csv_header *csv_header(const struct csv_reader *c)
{
	return &c->header;
}

static void clear_row(const struct csv_reader *c, struct csv_row *ret)
{
	row_clear(&ret->row);
	zone_foreach (z) {
		ret->y_w[z] = NAN;
		ret->joules[z] = NAN;
	}
	ret->kepler_guest_package_w = NAN;
	ret->time_text[0] = ret->run[0] = ret->group[0] = 0;
	ret->line = c->line;
}

static int store_text(const struct csv_reader *c, const struct column *k, const char *field,
		      char *to, size_t size, struct err *e)
{
	size_t n = strlen(field);

	if (n >= size)
		return err_set(e, -ERR_DATA, "%s:%zu: column %s: text longer than %zu characters",
			       c->name, c->line, k->name, size - 1);
	memcpy(to, field, n + 1);
	return 0;
}

static int bad_value(const struct csv_reader *c, const struct column *k, const char *field,
		     const char *why, struct err *e)
{
	return err_set(e, -ERR_DATA, "%s:%zu: column %s: '%.*s' %s", c->name, c->line, k->name,
		       SHOWN, field, why);
}

static int store_number(const struct csv_reader *c, const struct column *k, const char *field,
			struct csv_row *ret, struct err *e)
{
	const char *why;
	double value;

	if (!*field)
		return k->kind == COLUMN_TIME ? row_error(c, e, "column time_s is empty") : 0;
	if (parse_double(field, &value) < 0)
		return bad_value(c, k, field, "is not a number (leave a missing value empty)", e);
	switch (k->kind) {
	case COLUMN_TIME:
		ret->row.t_s = value;
		return store_text(c, k, field, ret->time_text, sizeof(ret->time_text), e);
	case COLUMN_FEATURE:
		why = feature_refuses((enum feature)k->index, value);
		if (why)
			return bad_value(c, k, field, why, e);
		ret->row.v[k->index] = value;
		return 0;
	case COLUMN_WATTS:
		if (value < 0)
			return bad_value(c, k, field, "is negative: power is not", e);
		if (value > WATTS_MAX)
			return bad_value(c, k, field, "is more than 1 MW: is it in milliwatts?", e);
		ret->y_w[k->index] = value;
		return 0;
	case COLUMN_JOULES:
		ret->joules[k->index] = value;
		return 0;
	default:
		ret->kepler_guest_package_w = value;
		return 0;
	}
}

static int store_field(const struct csv_reader *c, const struct column *k, const char *field,
		       struct csv_row *ret, struct err *e)
{
	int r = 0;

	if (k->group)
		r = store_text(c, k, field, ret->group, sizeof(ret->group), e);
	if (r < 0 || k->kind == COLUMN_IGNORED)
		return r;
	if (k->kind == COLUMN_RUN)
		return store_text(c, k, field, ret->run, sizeof(ret->run), e);
	return store_number(c, k, field, ret, e);
}

/* All fields of a line; the first reason is kept, but the time is read in any case. */
static int store_line(const struct csv_reader *c, char *line, struct csv_row *ret, struct err *e)
{
	char *at = line;
	size_t i;
	int first = 0;

	for (i = 0; at && i < c->header.n_columns; i++) {
		const struct column *k = &c->columns[i];
		const char *field = next_field(&at);
		int r = 0;

		if (!first || k->kind == COLUMN_TIME)
			r = store_field(c, k, field, ret, first ? NULL : e);
		if (!first)
			first = r;
	}
	if (at || i < c->header.n_columns) {
		for (; at; i++)
			next_field(&at);
		return err_set(e, -ERR_DATA, "%s:%zu: %zu fields where the header has %zu columns",
			       c->name, c->line, i, c->header.n_columns);
	}
	return first;
}

int csv_next(struct csv_reader *c, struct csv_row *ret, struct err *e)
{
	char *line;
	int r = next_full_line(c, &line, e);

	if (r == 0 || (r < 0 && r != -ERR_DATA))
		return r;
	clear_row(c, ret);
	if (r < 0)
		return r;
	r = store_line(c, line, ret, e);
	if (r < 0) {
		char time_text[CSV_TIME_TEXT];
		double t_s = ret->row.t_s;

		memcpy(time_text, ret->time_text, sizeof(time_text));
		clear_row(c, ret);
		ret->row.t_s = t_s;
		memcpy(ret->time_text, time_text, sizeof(time_text));
		return r;
	}
	row_complete(&ret->row);
	return 1;
}
