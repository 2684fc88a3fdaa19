// SPDX-License-Identifier: Apache-2.0
/* One line a round: see history.h. */
#include "retrain/history.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/zone.h"
#include "retrain/flat.h"

#define HISTORY_FILE "history.jsonl"
#define HISTORY_MAX  (64u << 20)

static int load(const struct work *w, char **ret, char path[PATH_MAX], struct err *e)
{
	size_t len;
	int r = file_read(work_file(w, HISTORY_FILE, path), HISTORY_MAX, true, ret, &len, e);
	char *last;

	if (r < 0)
		return r;
	last = strrchr(*ret, '\n');
	*(last ? last + 1 : *ret) = 0;
	return 0;
}

int history_add(const struct work *w, int64_t round, const char *line, struct err *e)
{
	autofree char *old = NULL;
	struct text t = {0};
	char path[PATH_MAX], mark[48];
	struct err why = ERR_INIT;
	int r = load(w, &old, path, &why);

	if (r < 0 && r != -ENOENT)
		return err_set(e, r, "%s", why.msg);
	snprintf(mark, sizeof(mark), "{\"round\":%lld,", (long long)round);
	for (const char *at = old; at && *at; at = strchr(at, '\n') + 1) {
		if (!strncmp(at, mark, strlen(mark)))
			return 0;
	}
	text_add(&t, old ? old : "");
	text_add(&t, line);
	text_add(&t, "\n");
	r = t.failed ? err_nomem(e) : file_replace(path, 0600, t.s, t.len, e);
	text_release(&t);
	return r;
}

/* What the table shows of a round. */
struct shown {
	char round[24], date[32], version[40], decision[24], reason[200];
	double mae_w[ZONE_COUNT][2];
};

static int take(struct events *ev, const char *path, void *arg)
{
	struct shown *s = arg;
	const struct {
		const char *path;
		char *to;
		size_t size;
	} words[] = {{"round", s->round, sizeof(s->round)},
		     {"date", s->date, sizeof(s->date)},
		     {"version", s->version, sizeof(s->version)},
		     {"decision", s->decision, sizeof(s->decision)},
		     {"reason", s->reason, sizeof(s->reason)}};
	char figure[64];

	for (size_t i = 0; i < array_size(words); i++) {
		if (!strcmp(path, words[i].path))
			snprintf(words[i].to, words[i].size, "%s", events_scalar(ev));
	}
	if (strncmp(path, "zones.", 6) != 0)
		return 0;
	zone_foreach (z) {
		for (int who = 0; who < 2; who++) {
			snprintf(figure, sizeof(figure), "zones.%s.%s.mae_watts", zone_name(z),
				 who ? "serving" : "candidate");
			if (!strcmp(path, figure))
				parse_double(events_scalar(ev), &s->mae_w[z][who]);
		}
	}
	return 0;
}

static void print_round(const struct shown *s, struct text *out)
{
	const char *comma = "  ";

	text_printf(out, "%5s  %s  %-16s  %-8s", s->round, s->date, s->version, s->decision);
	zone_foreach (z) {
		if (isnan(s->mae_w[z][0]))
			continue;
		text_printf(out, "%s%s ", comma, zone_name(z));
		text_number_digits(out, s->mae_w[z][1], 3);
		text_add(out, " -> ");
		text_number_digits(out, s->mae_w[z][0], 3);
		text_add(out, " W");
		comma = ", ";
	}
	text_printf(out, "\n       %s\n", s->reason);
}

int history_people(const char *line, size_t len, struct text *out, struct err *e)
{
	struct shown s = {.round = ""};
	int r;

	zone_foreach (z)
		s.mae_w[z][0] = s.mae_w[z][1] = NAN;
	r = flat_read(line, len, HISTORY_FILE, take, &s, e);
	if (r < 0)
		return r;
	print_round(&s, out);
	return 0;
}

static int print_people(const char *old, struct text *out, struct err *e)
{
	text_add(out, "round  date                  version           decision  mean error of the "
		      "serving bundle -> of the candidate\n");
	for (const char *at = old; *at; at += strcspn(at, "\n") + 1) {
		int r = history_people(at, strcspn(at, "\n"), out, e);

		if (r < 0)
			return r;
	}
	return 0;
}

int history_print(const struct work *w, bool json, struct text *out, struct err *e)
{
	autofree char *old = NULL;
	char path[PATH_MAX];
	int r = load(w, &old, path, e);

	if (r < 0)
		return r;
	if (!json)
		return print_people(old, out, e);
	text_add(out, "[");
	for (const char *at = old; *at;) {
		size_t n = strcspn(at, "\n");

		text_add(out, at == old ? "" : ",\n");
		text_add_n(out, at, n);
		at += n + 1;
	}
	text_add(out, "]\n");
	return 0;
}
