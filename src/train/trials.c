// SPDX-License-Identifier: Apache-2.0
/* Trials on disk: see trials.h. */
#include "train/trials.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/zone.h"

#define FILE_MAX  (16u << 20)
#define FIELD_MAX 64

struct trial {
	int zone;
	double x[SEARCH_PARAMETERS_MAX], error;
};

struct trials {
	char *path; /* NULL: no file */
	size_t n, q;
	struct trial *trials;
	struct text text; /* what the file holds */
};

static void mix(uint64_t *hash, const void *data, size_t n) /* FNV-1a */
{
	const uint8_t *at = data;

	for (size_t i = 0; i < n; i++)
		*hash = (*hash ^ at[i]) * 0x100000001b3u;
}

uint64_t trials_hash(const struct table *t, const char *options)
{
	uint64_t hash = 0xcbf29ce484222325u;

	mix(&hash, options, strlen(options));
	mix(&hash, t->t_s, t->n_rows * sizeof(*t->t_s));
	mix(&hash, t->group, t->n_rows * sizeof(*t->group));
	for (size_t f = 0; f < FEATURE_COUNT; f++) {
		if (t->x[f])
			mix(&hash, t->x[f], t->n_rows * sizeof(double));
	}
	zone_foreach (z) {
		if (t->y_w[z])
			mix(&hash, t->y_w[z], t->n_rows * sizeof(double));
	}
	return hash;
}

static int remember(struct trials *t, const struct trial *trial, struct err *e)
{
	struct trial *grown = realloc(t->trials, (t->n + 1) * sizeof(*grown));

	if (!grown)
		return err_nomem(e);
	t->trials = grown;
	t->trials[t->n++] = *trial;
	return 0;
}

/* The field that begins at *at, which goes behind the comma; false at the end or when too long. */
static bool next_field(const char **at, char field[FIELD_MAX])
{
	size_t n = strcspn(*at, ",\n");

	if (!n || n >= FIELD_MAX)
		return false;
	memcpy(field, *at, n);
	field[n] = 0;
	*at += n + ((*at)[n] == ',');
	return true;
}

static bool parse_line(const char *line, size_t q, struct trial *ret)
{
	char field[FIELD_MAX];
	struct trial t = {0};

	if (!next_field(&line, field) || (t.zone = zone_find(field)) < 0)
		return false;
	for (size_t j = 0; j < q; j++) {
		if (!next_field(&line, field) || parse_double(field, &t.x[j]) < 0)
			return false;
	}
	if (!next_field(&line, field) || parse_double(field, &t.error) < 0 || *line != '\n')
		return false;
	*ret = t;
	return true;
}

static void write_trial(struct trials *t, const struct trial *trial)
{
	text_add(&t->text, zone_name((enum zone)trial->zone));
	for (size_t j = 0; j < t->q; j++) {
		text_add(&t->text, ",");
		text_number(&t->text, trial->x[j]);
	}
	text_add(&t->text, ",");
	text_number(&t->text, trial->error);
	text_add(&t->text, "\n");
}

/* What an earlier search left, when it is of the same command: `t->text` is its header. */
static int read_earlier(struct trials *t, struct err *e)
{
	autofree char *text = NULL;
	struct err ignored = ERR_INIT;
	size_t len, header = t->text.len;

	if (file_read(t->path, FILE_MAX, false, &text, &len, &ignored) < 0 || len < header ||
	    memcmp(text, t->text.s, header) != 0)
		return 0;
	for (const char *at = text + header; *at; at += strcspn(at, "\n"), at += *at == '\n') {
		struct trial trial;

		if (!parse_line(at, t->q, &trial))
			continue;
		if (remember(t, &trial, e) < 0)
			return e->code;
		write_trial(t, &trial);
	}
	return 0;
}

int trials_open(const char *path, uint64_t hash, const struct search_parameter *p, size_t n,
		struct trials **ret, struct err *e)
{
	struct trials *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return err_nomem(e);
	t->q = n;
	text_printf(&t->text, "# vmwatts trials 1 %016llx\nzone", (unsigned long long)hash);
	for (size_t j = 0; j < n; j++)
		text_printf(&t->text, ",%s", p[j].name);
	text_add(&t->text, ",error\n");
	if (path) {
		t->path = strdup(path);
		r = t->path && !t->text.failed ? read_earlier(t, e) : err_nomem(e);
	}
	if (r < 0) {
		trials_close(t);
		return r;
	}
	*ret = t;
	return 0;
}

void trials_close(struct trials *t)
{
	if (!t)
		return;
	free(t->path);
	free(t->trials);
	text_release(&t->text);
	free(t);
}

bool trials_find(const struct trials *t, const char *zone, const double *x, double *ret_error)
{
	for (size_t i = 0; i < t->n; i++) {
		bool same = zone_find(zone) == t->trials[i].zone;

		for (size_t j = 0; j < t->q; j++)
			same &= x[j] == t->trials[i].x[j];
		if (same) {
			*ret_error = t->trials[i].error;
			return true;
		}
	}
	return false;
}

int trials_add(struct trials *t, const char *zone, const double *x, double error, struct err *e)
{
	struct trial trial = {.zone = zone_find(zone), .error = error};

	memcpy(trial.x, x, t->q * sizeof(*x));
	if (remember(t, &trial, e) < 0)
		return e->code;
	write_trial(t, &trial);
	if (t->text.failed)
		return err_nomem(e);
	return t->path ? file_replace(t->path, 0600, t->text.s, t->text.len, e) : 0;
}
