// SPDX-License-Identifier: Apache-2.0
/* New recordings into the dataset, each once: see intake.h. */
#include "retrain/intake.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "retrain/ledger.h"

/* One recording of the folder. */
struct found {
	char name[256];	     /* of its file, the guest's of a pair */
	char path[PATH_MAX]; /* of the guest's half, or of all */
	char host[PATH_MAX]; /* of the host's half; "": a joined CSV */
	bool waits;
	char stamp[100];
};

static bool ends(const char *s, const char *with)
{
	size_t n = strlen(s), m = strlen(with);

	return n > m && !strcmp(s + n - m, with);
}

static int is_recording(const struct dirent *d)
{
	const char *s = d->d_name;

	return s[0] != '.' && strlen(s) < 200 && !s[strcspn(s, "\t\n\r")] &&
	       !ends(s, ".host.vmt") && !ends(s, ".host.csv") &&
	       (ends(s, ".vmt") || ends(s, ".csv"));
}

/* Its size and time of change are added to the stamp; false: it is no regular file. */
static bool add_stamp(const char *path, char stamp[100])
{
	size_t n = strlen(stamp);
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	snprintf(stamp + n, 100 - n, "%s%lld@%lld.%09ld", n ? "," : "", (long long)st.st_size,
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	return true;
}

/* False: it is no recording after all. */
static bool look_at(const char *folder, const char *name, struct found *ret)
{
	static const char *const halves[] = {".host.vmt", ".host.csv"};
	struct found f = {.waits = ends(name, ".guest.vmt") || ends(name, ".guest.csv")};
	int stem = (int)(strlen(name) - strlen(".guest.vmt"));

	snprintf(f.name, sizeof(f.name), "%s", name);
	if (snprintf(f.path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX - 16 ||
	    !add_stamp(f.path, f.stamp))
		return false;
	if (!f.waits && ends(name, ".vmt"))
		memcpy(f.host, f.path, PATH_MAX);
	for (size_t i = 0; f.waits && i < 2; i++) {
		snprintf(f.host, PATH_MAX, "%.3800s/%.*s%s", folder, stem, name, halves[i]);
		f.waits = !add_stamp(f.host, f.stamp);
	}
	*ret = f;
	return true;
}

static bool its_own_fault(int r)
{
	return r == -ERR_DATA || r == -ERR_FORMAT || r == -EACCES || r == -EPERM || r == -ENOENT ||
	       r == -EINVAL;
}

static int import_pair(struct dataset *d, const struct found *f, const char *vm,
		       const struct retrain_options *o, const struct import_options *import,
		       struct ledger_entry *entry, struct err *e)
{
	struct pair_options options = {
		.guest_path = f->path, .host_path = f->host, .vm = vm, .lag_s = NAN};
	struct import_report report;
	struct pair_report pair;
	int r = dataset_import_paired(d, &options, import, o->talk, &report, &pair, e);

	if (r == 0)
		entry->rows += report.rows;
	return r;
}

/* Every guest of a trace; -ERR_DATA where none could be paired. */
static int import_guests(struct dataset *d, const struct found *f, const struct retrain_options *o,
			 const struct import_options *import, struct ledger_entry *entry,
			 struct err *e)
{
	autofree struct recording_side *sides = NULL;
	size_t n = 0, guests = 0, imported = 0;
	uint64_t damaged;
	int r = trace_is(f->path) ? recording_sides(f->path, &sides, &n, &damaged, e) : 0;

	for (size_t i = 0; i < n; i++)
		guests += sides[i].kind == TRACE_GUEST;
	if (r < 0 || guests < 2)
		return r < 0 ? r : import_pair(d, f, NULL, o, import, entry, e);
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (sides[i].kind != TRACE_GUEST)
			continue;
		r = import_pair(d, f, sides[i].vm, o, import, entry, &why);
		imported += r == 0;
		if (r < 0 && !its_own_fault(r))
			return err_set(e, r, "%s", why.msg);
		if (r < 0)
			snprintf(entry->reason, sizeof(entry->reason), "%.60s is left out: %.300s",
				 sides[i].vm, why.msg);
	}
	return imported ? 0 : err_set(e, -ERR_DATA, "%s", entry->reason);
}

static int import_one(struct dataset *d, const struct found *f, const struct retrain_options *o,
		      bool replace, struct ledger_entry *entry, struct err *e)
{
	struct import_options import = {
		.group_column = o->group_column, .window_s = o->window_s, .replace = replace};
	struct import_report report;
	int r;

	if (f->host[0])
		return import_guests(d, f, o, &import, entry, e);
	r = dataset_import_joined(d, f->path, &import, o->talk, &report, e);
	if (r == 0)
		entry->rows = report.rows;
	return r;
}

static void flatten(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ')
			*s = ' ';
	}
}

/* Take one in, or refuse it; remembered either way. */
static int take_in(const struct work *w, struct dataset *d, const struct found *f,
		   const struct retrain_options *o, int64_t round, struct ledger *l, struct err *e)
{
	struct ledger_entry *entry = ledger_find(l, f->name);
	size_t had = entry ? entry->rows : 0;
	bool replace = entry && (entry->fate != FATE_REFUSED || had);
	struct err why = ERR_INIT;
	int r;

	if (!entry)
		entry = ledger_add(l);
	if (!entry)
		return err_nomem(e);
	*entry = (struct ledger_entry){.round = round, .fate = FATE_IMPORTING, .rows = had};
	snprintf(entry->name, sizeof(entry->name), "%s", f->name);
	snprintf(entry->stamp, sizeof(entry->stamp), "%s", f->stamp);
	r = ledger_save(w, l, e);
	if (r < 0)
		return r;
	entry->rows = 0;
	r = import_one(d, f, o, replace, entry, &why);
	if (r < 0 && !its_own_fault(r))
		return err_set(e, r, "%s: %s", f->name, why.msg);
	entry->fate = r < 0 ? FATE_REFUSED : FATE_IMPORTED;
	if (r < 0) {
		snprintf(entry->reason, sizeof(entry->reason), "%.399s", why.msg);
		entry->rows = had; /* what it gave before stays until it is mended */
	}
	flatten(entry->reason);
	if (o->talk && r < 0)
		fprintf(o->talk, "%s is passed over: %s\n", f->name, entry->reason);
	else if (o->talk)
		fprintf(o->talk, "%s: %zu rows%s%s\n", f->name, entry->rows,
			entry->reason[0] ? "; " : "", entry->reason);
	return ledger_save(w, l, e);
}

/* Whether it is as it was when it was taken in or refused. */
static bool is_known(const struct ledger *l, const struct found *f)
{
	const struct ledger_entry *entry = ledger_find(l, f->name);

	return entry && entry->fate != FATE_IMPORTING && !strcmp(entry->stamp, f->stamp);
}

static int visit(const struct work *w, struct dataset *d, const char *name,
		 const struct retrain_options *o, int64_t round, struct ledger *l,
		 struct intake *ret, struct err *e)
{
	struct found f;

	if (!look_at(o->recordings, name, &f))
		return 0;
	if (f.waits) {
		ret->waiting++;
		if (o->talk)
			fprintf(o->talk, "%s waits for its host's half\n", name);
		return 0;
	}
	if (is_known(l, &f))
		return 0;
	if (!o->dry_run)
		return take_in(w, d, &f, o, round, l, e);
	if (o->talk)
		fprintf(o->talk, "%s would be taken in\n", name);
	ret->imported++;
	return 0;
}

static int tally(const struct ledger *l, int64_t round, struct intake *i, struct err *e)
{
	text_add(&i->names, "[");
	text_add(&i->refusals, "{");
	for (size_t k = 0; k < l->n; k++) {
		const struct ledger_entry *entry = &l->entries[k];
		bool imported = entry->fate == FATE_IMPORTED;
		size_t *n = imported ? &i->imported : &i->refused;
		struct text *t = imported ? &i->names : &i->refusals;

		if (entry->round != round || entry->fate == FATE_IMPORTING)
			continue;
		text_add(t, (*n)++ ? "," : "");
		text_json_string(t, entry->name);
		if (imported)
			continue;
		text_add(t, ":");
		text_json_string(t, entry->reason);
	}
	text_add(&i->names, "]");
	text_add(&i->refusals, "}");
	return i->names.failed || i->refusals.failed ? err_nomem(e) : 0;
}

int intake_recall(const struct work *w, int64_t round, struct intake *ret, struct err *e)
{
	struct ledger l = {0};
	int r = ledger_load(w, &l, e);

	*ret = (struct intake){0};
	if (r == 0)
		r = tally(&l, round, ret, e);
	ledger_release(&l);
	return r;
}

int intake_run(const struct work *w, const struct retrain_options *o, int64_t round,
	       struct intake *ret, struct err *e)
{
	struct intake i = {0};
	struct dirent **names = NULL;
	struct dataset *d = NULL;
	struct ledger l = {0};
	char path[PATH_MAX];
	int n, r = ledger_load(w, &l, e);

	n = r < 0 ? 0 : scandir(o->recordings, &names, is_recording, alphasort);
	if (n < 0)
		r = err_errno(e, "--recordings %s", o->recordings);
	if (r == 0 && !o->dry_run)
		r = dataset_open(work_file(w, "data.db", path), DATASET_WRITE, &d, e);
	for (int k = 0; k < n; k++) {
		if (r == 0)
			r = visit(w, d, names[k]->d_name, o, round, &l, &i, e);
		free(names[k]);
	}
	free(names);
	if (r == 0 && !o->dry_run)
		r = tally(&l, round, &i, e);
	if (d)
		dataset_close(d);
	ledger_release(&l);
	if (r < 0) {
		intake_release(&i);
		return r;
	}
	*ret = i;
	return 0;
}

void intake_release(struct intake *i)
{
	text_release(&i->names);
	text_release(&i->refusals);
}
