// SPDX-License-Identifier: Apache-2.0
/* What happened to the versions of a store: see ledger.h. */
#include "bundle/ledger.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"

#define FILE_MAX (256u * LEDGER_LINES_MAX)

static const char *const event_names[] = {"activated", "proven", "rolled-back", "removed"};

const char *ledger_event_name(enum ledger_event e)
{
	return event_names[e];
}

static int find_event(const char *word)
{
	for (int i = 0; i < (int)array_size(event_names); i++) {
		if (!strcmp(event_names[i], word))
			return i;
	}
	return -1;
}

/* The next word of the line into buf[size]; false when there is none or it is too long. */
static bool next_word(const char **p, char *buf, size_t size)
{
	size_t n;

	*p += strspn(*p, " ");
	n = strcspn(*p, " \n");
	if (n == 0 || n >= size)
		return false;
	memcpy(buf, *p, n);
	buf[n] = 0;
	*p += n;
	return true;
}

static bool parse_line(const char *p, struct ledger_line *l)
{
	char t_ns[24], event[16], sequence[24];
	int found;

	if (!next_word(&p, t_ns, sizeof(t_ns)) || !next_word(&p, event, sizeof(event)) ||
	    !next_word(&p, l->name, sizeof(l->name)) ||
	    !next_word(&p, l->version, sizeof(l->version)) ||
	    !next_word(&p, sequence, sizeof(sequence)) ||
	    !next_word(&p, l->reason, sizeof(l->reason)))
		return false;
	found = find_event(event);
	l->event = (enum ledger_event)(found < 0 ? 0 : found);
	if (!strcmp(l->reason, "-"))
		l->reason[0] = 0;
	return found >= 0 && parse_i64(t_ns, &l->t_ns) == 0 &&
	       parse_i64(sequence, &l->sequence) == 0;
}

/* Where the ledger is, in the store (0) or in the state directory (1). */
static bool ledger_path(const struct store_place *p, int which, char path[PATH_MAX])
{
	const char *directory = which ? p->state_dir : p->model_path;

	return directory && snprintf(path, PATH_MAX, "%s/%s", directory,
				     which ? "bundles.ledger" : ".ledger") < PATH_MAX;
}

/* Append the lines of one file to `l`; one that is not there, or not ours to read, has none. */
static int read_file(const struct store_place *p, int which, struct ledger *l, struct err *e)
{
	autofree char *text = NULL;
	struct err why = ERR_INIT;
	char path[PATH_MAX];
	size_t len, before = l->n;
	int r;

	if (!ledger_path(p, which, path))
		return 0;
	r = file_read(path, FILE_MAX, true, &text, &len, &why);
	if (r == -ENOENT || r == -ENOTDIR || r == -EACCES)
		return 0;
	if (r < 0)
		return err_set(e, -ERR_STALE, "what was active here before is not known: %s",
			       why.msg);
	for (const char *at = text; *at && l->n - before < LEDGER_LINES_MAX;) {
		if (parse_line(at, &l->lines[l->n]))
			l->n++;
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct ledger_line *x = a, *y = b;

	return (x->t_ns > y->t_ns) - (x->t_ns < y->t_ns);
}

int ledger_read(const struct store_place *p, struct ledger **ret, struct err *e)
{
	autofree struct ledger *l = calloc(1, sizeof(*l));
	int r = l ? read_file(p, 0, l, e) : err_nomem(e);

	if (r == 0)
		r = read_file(p, 1, l, e);
	if (r < 0)
		return r;
	qsort(l->lines, l->n, sizeof(l->lines[0]), by_time);
	*ret = steal(l);
	return 0;
}

bool ledger_is(const struct ledger_line *l, const struct model_set *s)
{
	return l->sequence == s->sequence && !strcmp(l->name, s->name) &&
	       !strcmp(l->version, s->version);
}

static enum bundle_state state_of(const struct ledger *l, const char *name, const char *version,
				  int64_t sequence, const char **ret_reason)
{
	static const enum bundle_state states[] = {BUNDLE_PROBATION, BUNDLE_PROVEN,
						   BUNDLE_ROLLED_BACK};

	if (ret_reason)
		*ret_reason = "";
	for (size_t i = l->n; i > 0; i--) {
		const struct ledger_line *at = &l->lines[i - 1];

		if (at->event == LEDGER_REMOVED || at->sequence != sequence ||
		    strcmp(at->name, name) != 0 || strcmp(at->version, version) != 0)
			continue;
		if (ret_reason)
			*ret_reason = at->reason;
		return states[at->event];
	}
	return BUNDLE_UNKNOWN;
}

enum bundle_state ledger_state(const struct ledger *l, const struct model_set *s,
			       const char **ret_reason)
{
	return state_of(l, s->name, s->version, s->sequence, ret_reason);
}

int64_t ledger_mark(const struct ledger *l, const char *name)
{
	int64_t mark = INT64_MIN;

	for (size_t i = 0; i < l->n; i++) {
		const struct ledger_line *at = &l->lines[i];

		if (at->event == LEDGER_ACTIVATED && !strcmp(at->name, name) && at->sequence > mark)
			mark = at->sequence;
	}
	return mark;
}

const struct ledger_line *ledger_last(const struct ledger *l, const struct model_set *but)
{
	for (size_t i = l->n; i > 0; i--) {
		const struct ledger_line *at = &l->lines[i - 1];

		if (at->event == LEDGER_ACTIVATED && !(but && ledger_is(at, but)) &&
		    state_of(l, at->name, at->version, at->sequence, NULL) != BUNDLE_ROLLED_BACK)
			return at;
	}
	return NULL;
}

/* ---- writing ---- */

/* Make room for one line: the oldest goes that is no name's high-water mark. */
static void trim(struct ledger *l)
{
	size_t i = 0;

	if (l->n < LEDGER_LINES_MAX)
		return;
	while (i + 1 < l->n && l->lines[i].event == LEDGER_ACTIVATED &&
	       l->lines[i].sequence == ledger_mark(l, l->lines[i].name))
		i++;
	memmove(&l->lines[i], &l->lines[i + 1], (l->n - i - 1) * sizeof(l->lines[0]));
	l->n--;
}

static void print_line(struct text *t, const struct ledger_line *l)
{
	text_printf(t, "%lld %s %s %s %lld %s\n", (long long)l->t_ns, event_names[l->event],
		    l->name, l->version, (long long)l->sequence, l->reason[0] ? l->reason : "-");
}

static int append_to(const struct store_place *p, int which, const struct ledger_line *line,
		     struct err *e)
{
	autofree struct ledger *l = calloc(1, sizeof(*l));
	autotext struct text t = {.s = NULL};
	char path[PATH_MAX];
	int r;

	if (!l)
		return err_nomem(e);
	if (!ledger_path(p, which, path))
		return err_set(e, -ENAMETOOLONG, "%s: path too long", p->model_path);
	r = read_file(p, which, l, e);
	if (r < 0)
		return r;
	trim(l);
	for (size_t i = 0; i < l->n; i++)
		print_line(&t, &l->lines[i]);
	print_line(&t, line);
	return t.failed ? err_nomem(e) : file_replace(path, 0600, t.s, t.len, e);
}

static int64_t after_the_last(const struct store_place *p)
{
	autofree struct ledger *l = NULL;
	struct timespec ts;
	int64_t t_ns;

	clock_gettime(CLOCK_REALTIME, &ts);
	t_ns = ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
	if (ledger_read(p, &l, NULL) == 0 && l->n && l->lines[l->n - 1].t_ns >= t_ns)
		t_ns = l->lines[l->n - 1].t_ns + 1;
	return t_ns;
}

int ledger_append(const struct store_place *p, enum ledger_event event, const struct model_set *s,
		  const char *reason, struct err *e)
{
	struct ledger_line line = {
		.t_ns = after_the_last(p), .event = event, .sequence = s->sequence};
	int r;

	memcpy(line.name, s->name, sizeof(line.name));
	memcpy(line.version, s->version, sizeof(line.version));
	snprintf(line.reason, sizeof(line.reason), "%s", reason ? reason : "");
	r = append_to(p, 0, &line, e);
	if ((r == -EROFS || r == -EACCES || r == -EPERM) && p->state_dir)
		r = append_to(p, 1, &line, e);
	return r;
}
