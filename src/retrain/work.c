// SPDX-License-Identifier: Apache-2.0
/* Lock and state of the work folder: see work.h. */
#include "retrain/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"

#define STATE_MAX 4096

static const char *const step_names[STEP_COUNT] = {"none", "training", "trained", "judged",
						   "published"};

const char *work_file(const struct work *w, const char *name, char *buf)
{
	/* work_open made sure that there is room for any of the names. */
	snprintf(buf, PATH_MAX, "%.4000s/%s", w->path, name);
	return buf;
}

static int lock(struct work *w, struct err *e)
{
	char path[PATH_MAX], pid[32] = "";
	ssize_t n;

	w->lock_fd =
		open(work_file(w, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->lock_fd < 0)
		return err_errno(e, "%s", path);
	if (flock(w->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		n = pread(w->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? n : 0] = 0;
		pid[strcspn(pid, "\n")] = 0;
		return err_set(e, -EBUSY,
			       "another retrain (pid %s) works in %s; one at a time is allowed",
			       pid[0] ? pid : "not known yet", w->path);
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(w->lock_fd, 0) < 0 || pwrite(w->lock_fd, pid, (size_t)n, 0) != n)
		return err_errno(e, "%s", path);
	return 0;
}

int work_open(const char *path, bool look, struct work *ret, struct err *e)
{
	struct work w = {.lock_fd = -1};
	int r = 0;

	if (strlen(path) > 3900)
		return err_set(e, -ENAMETOOLONG, "--work: path too long");
	snprintf(w.path, sizeof(w.path), "%s", path);
	if (!look && mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_errno(e, "--work %s", path);
	if (!look)
		r = lock(&w, e);
	if (r < 0) {
		work_close(&w);
		return r;
	}
	*ret = w;
	return 0;
}

void work_close(struct work *w)
{
	if (w->lock_fd >= 0)
		close(w->lock_fd);
	w->lock_fd = -1;
}

static bool take_word(struct state *s, const char *word, const char *value)
{
	const struct {
		const char *name;
		double *to;
	} numbers[] = {{"hold_share", &s->hold_share},
		       {"hold_s", &s->hold_s},
		       {"import_s", &s->import_s},
		       {"train_s", &s->train_s}};

	for (size_t i = 0; i < array_size(numbers); i++) {
		if (!strcmp(word, numbers[i].name))
			return parse_double(value, numbers[i].to) == 0;
	}
	for (int k = 0; !strcmp(word, "step") && k < STEP_COUNT; k++) {
		if (!strcmp(value, step_names[k])) {
			s->step = (enum step)k;
			return true;
		}
	}
	if (!strcmp(word, "version"))
		return snprintf(s->version, sizeof(s->version), "%s", value) <
		       (int)sizeof(s->version);
	if (!strcmp(word, "promote"))
		return parse_bool(value, &s->promote) == 0;
	return parse_i64(value, !strcmp(word, "round")	    ? &s->round
				: !strcmp(word, "sequence") ? &s->sequence
							    : &s->created_s) == 0;
}

int state_load(const struct work *w, struct state *ret, struct err *e)
{
	struct state s = {.round = 1};
	autofree char *text = NULL;
	char path[PATH_MAX], *save, *line;
	struct err why = ERR_INIT;
	size_t len;
	int r = file_read(work_file(w, "state", path), STATE_MAX, true, &text, &len, &why);

	if (r == -ENOENT) {
		*ret = s;
		return 0;
	}
	if (r < 0)
		return err_set(e, r, "%s", why.msg);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');

		if (space)
			*space = 0;
		if (!space || !take_word(&s, line, space + 1))
			return err_set(e, -ERR_FORMAT,
				       "%s is damaged at '%.40s'; remove it to begin a new round",
				       path, line);
	}
	*ret = s;
	return 0;
}

int state_save(const struct work *w, const struct state *s, struct err *e)
{
	struct text t = {0};
	char path[PATH_MAX];
	int r;

	text_printf(&t, "round %lld\nstep %s\n", (long long)s->round, step_names[s->step]);
	if (s->step != STEP_NONE) {
		text_printf(&t, "version %s\nsequence %lld\ncreated %lld\npromote %s\nhold_share ",
			    s->version, (long long)s->sequence, (long long)s->created_s,
			    s->promote ? "true" : "false");
		text_number(&t, s->hold_share);
		text_add(&t, "\nhold_s ");
		text_number(&t, s->hold_s);
		text_add(&t, "\nimport_s ");
		text_number(&t, s->import_s);
		text_add(&t, "\ntrain_s ");
		text_number(&t, s->train_s);
		text_add(&t, "\n");
	}
	r = t.failed ? err_nomem(e)
		     : file_replace(work_file(w, "state", path), 0600, t.s, t.len, e);
	text_release(&t);
	return r;
}
