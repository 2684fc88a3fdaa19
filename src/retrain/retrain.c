// SPDX-License-Identifier: Apache-2.0
/* One round of continuous training, step by step: see retrain.h and work.h. */
#include "retrain/retrain.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "base/parse.h"
#include "bundle/bundle.h"
#include "bundle/minisign.h"
#include "retrain/history.h"
#include "retrain/intake.h"
#include "retrain/judge.h"
#include "retrain/publish.h"

#define CANDIDATE      "candidate.vmw"
#define LINE_MAX_BYTES (4u << 20)

struct round {
	const struct retrain_options *o;
	struct work work;
	struct state state;
	struct secret_key key;
	struct trust *own, *other; /* our key; o->trust or NULL */
	struct model_set *serving; /* NULL: nothing is published */
};

static void say(const struct round *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(const struct round *r, const char *fmt, ...)
{
	va_list args;

	if (!r->o->talk)
		return;
	va_start(args, fmt);
	vfprintf(r->o->talk, fmt, args);
	va_end(args);
	fputc('\n', r->o->talk);
}

static double seconds_since(int64_t from_ns)
{
	return (double)(kernel_linux.monotonic_ns() - from_ns) * 1e-9;
}

static int finish_step(struct round *r, enum step step, struct err *e)
{
	r->state.step = step;
	return state_save(&r->work, &r->state, e);
}

/* ---- keys and what serves ---- */

static int load_keys(struct round *r, struct err *e)
{
	struct public_key public;
	char path[PATH_MAX];
	int code;

	secret_key_public(&r->key, &public);
	work_file(&r->work, "key.pub", path);
	unlink(path);
	code = public_key_write(&public, path, e);
	if (code == 0)
		code = trust_load_file(path, &r->own, e);
	if (code == 0 && r->o->trust)
		code = trust_load_file(r->o->trust, &r->other, e);
	return code;
}

static int load_serving(struct round *r, struct err *e)
{
	const char *folder = r->o->publish, *name = r->o->train.name;
	struct err why = ERR_INIT;
	int code = publish_serving(folder, name, r->own, &r->serving, &why);

	if (code == -ERR_SIGNATURE && r->other)
		return publish_serving(folder, name, r->other, &r->serving, e);
	return code < 0 ? err_set(e, code, "what serves cannot be read: %s", why.msg) : 0;
}

/* ---- data ---- */

static int load_split(const struct round *r, struct table **ret_train, struct table **ret_held,
		      struct err *e)
{
	struct holdout_rule rule = {r->state.hold_share, r->state.hold_s};
	struct table *all = NULL;
	struct dataset *d;
	char path[PATH_MAX];
	int code = dataset_open(work_file(&r->work, "data.db", path), DATASET_READ, &d, e);

	if (code < 0)
		return code;
	code = dataset_load(d, &all, e);
	dataset_close(d);
	if (code == 0 && !all->n_rows)
		code = err_set(e, -ERR_DATA, "no row in %s: no recording could be used", path);
	if (code == 0)
		code = holdout_split(all, &rule, ret_train, ret_held, e);
	table_free(all);
	return code;
}

/* ---- training ---- */

static int write_candidate(const struct round *r, const struct model_set *s, struct err *e)
{
	struct byte_writer w = {0};
	autotext struct text sig = {0};
	char path[PATH_MAX], comment[200];
	int code = bundle_write(s, &w, e);

	snprintf(comment, sizeof(comment), "%s %s sequence:%lld", s->name, s->version,
		 (long long)s->sequence);
	if (code == 0 && w.len > r->o->train.max_bytes)
		code = err_set(e, -EFBIG, "the bundle has %zu bytes, --max-size allows %zu", w.len,
			       r->o->train.max_bytes);
	if (code == 0)
		code = minisign_sign(w.data, w.len, &r->key, comment, &sig, e);
	if (code == 0)
		code = file_replace(work_file(&r->work, CANDIDATE ".minisig", path), 0600, sig.s,
				    sig.len, e);
	if (code == 0)
		code = file_replace(work_file(&r->work, CANDIDATE, path), 0600, w.data, w.len, e);
	byte_writer_release(&w);
	return code;
}

/* Version and sequence: the time, but always behind what serves. */
static int begin_training(struct round *r, struct err *e)
{
	struct state *s = &r->state;
	time_t at;
	struct tm tm;

	if (s->step == STEP_NONE) {
		s->created_s = time(NULL);
		s->sequence = s->created_s;
	}
	if (r->serving && s->sequence <= r->serving->sequence)
		s->sequence = r->serving->sequence + 1;
	at = (time_t)s->sequence;
	if (!gmtime_r(&at, &tm) || !strftime(s->version, sizeof(s->version), "%Y%m%d.%H%M%S", &tm))
		return err_set(e, -ERR_DATA, "sequence %lld is no time", (long long)s->sequence);
	s->hold_share = r->o->hold_out.share;
	s->hold_s = r->o->hold_out.last_s;
	return finish_step(r, STEP_TRAINING, e);
}

static int train_candidate(struct round *r, struct err *e)
{
	struct train_options options = r->o->train;
	int64_t from_ns = kernel_linux.monotonic_ns();
	struct table *t = NULL, *held = NULL;
	struct model_set *s = NULL;
	char trials[PATH_MAX];
	int code = begin_training(r, e);

	options.version = r->state.version;
	options.sequence = r->state.sequence;
	options.created_s = r->state.created_s;
	if (code == 0 && r->o->expires &&
	    parse_until(r->o->expires, options.created_s, &options.expires_s) < 0)
		code = err_set(e, -ERR_USAGE, "--expires %s is past", r->o->expires);
	options.trials_path = work_file(&r->work, CANDIDATE ".trials", trials);
	if (code == 0)
		code = load_split(r, &t, &held, e);
	if (code == 0) {
		say(r, "training %s on %zu rows of %zu runs, %zu newest rows held out",
		    r->state.version, t->n_rows, t->n_runs, held->n_rows);
		code = train(t, &options, &s, e);
	}
	if (code == 0)
		code = write_candidate(r, s, e);
	table_free(t);
	table_free(held);
	model_set_free(s);
	r->state.train_s = seconds_since(from_ns);
	if (code == 0)
		code = finish_step(r, STEP_TRAINED, e);
	if (code == 0)
		unlink(trials);
	return code;
}

/* Recordings, then training. *ret_work false: nothing is new. */
static int take_in_and_train(struct round *r, bool *ret_work, struct err *e)
{
	int64_t from_ns = kernel_linux.monotonic_ns();
	struct intake in;
	size_t n;
	int code = intake_run(&r->work, r->o, r->state.round, &in, e);

	if (code < 0)
		return code;
	n = in.imported;
	intake_release(&in);
	r->state.import_s += seconds_since(from_ns);
	*ret_work = n || r->o->force || r->state.step == STEP_TRAINING;
	if (!*ret_work) {
		say(r, "no new recording that can be used: nothing to train");
		return 0;
	}
	return train_candidate(r, e);
}

/* ---- comparing ---- */

static int judge_tables(struct round *r, struct judged *j, struct err *e)
{
	autotext struct text line = {0};
	char path[PATH_MAX];
	int code = judge_round(j, r->o, &line, &r->state.promote, e);

	if (code == 0)
		code = file_replace(work_file(&r->work, "judged.json", path), 0600, line.s,
				    line.len, e);
	return code < 0 ? code : finish_step(r, STEP_JUDGED, e);
}

static int judge_candidate(struct round *r, struct err *e)
{
	struct table *t = NULL, *held = NULL;
	struct model_set *candidate = NULL;
	struct intake in = {0};
	char path[PATH_MAX];
	int code = bundle_load(work_file(&r->work, CANDIDATE, path), r->own, &candidate, NULL, e);

	if (code == 0)
		code = load_split(r, &t, &held, e);
	if (code == 0)
		code = intake_recall(&r->work, r->state.round, &in, e);
	if (code == 0) {
		struct judged j = {candidate, r->serving, t, held, &in, &r->state};

		code = judge_tables(r, &j, e);
	}
	intake_release(&in);
	table_free(t);
	table_free(held);
	model_set_free(candidate);
	return code;
}

/* ---- the round ---- */

static int end_round(struct round *r, struct text *ret, struct err *e)
{
	autofree char *line = NULL;
	char path[PATH_MAX];
	size_t len;
	int code = file_read(work_file(&r->work, "judged.json", path), LINE_MAX_BYTES, true, &line,
			     &len, e);

	if (code == 0)
		code = history_add(&r->work, r->state.round, line, e);
	if (code < 0)
		return code;
	text_add(ret, line);
	r->state = (struct state){.round = r->state.round + 1};
	return ret->failed ? err_nomem(e) : state_save(&r->work, &r->state, e);
}

static int run_steps(struct round *r, struct text *ret, struct err *e)
{
	char path[PATH_MAX];
	bool work = true;
	int code = 0;

	if (r->state.step != STEP_NONE)
		say(r, "round %lld was broken off and is taken up", (long long)r->state.round);
	if (r->state.step < STEP_TRAINED)
		code = take_in_and_train(r, &work, e);
	if (code < 0 || !work)
		return code;
	if (r->state.step < STEP_JUDGED)
		code = judge_candidate(r, e);
	if (code == 0 && r->state.step < STEP_PUBLISHED && r->state.promote)
		code = publish_put(r->o->publish, work_file(&r->work, CANDIDATE, path), r->own, e);
	if (code == 0 && r->state.step < STEP_PUBLISHED)
		code = finish_step(r, STEP_PUBLISHED, e);
	return code < 0 ? code : end_round(r, ret, e);
}

static int look_ahead(struct round *r, struct err *e)
{
	struct intake in;
	int code = intake_run(&r->work, r->o, r->state.round, &in, e);

	if (code < 0)
		return code;
	if (r->state.step != STEP_NONE)
		say(r, "round %lld was broken off and would be taken up",
		    (long long)r->state.round);
	else
		say(r, "round %lld: %zu new recordings%s", (long long)r->state.round, in.imported,
		    in.imported || r->o->force ? ", a candidate would be trained"
					       : ", nothing would be trained");
	intake_release(&in);
	return 0;
}

int retrain_round(const struct retrain_options *o, struct text *ret, struct err *e)
{
	struct round r = {.o = o, .work = {.lock_fd = -1}};
	int code = work_open(o->work, o->dry_run, &r.work, e);

	/* These first: nobody should wait for a training that cannot be signed or published. */
	if (code == 0)
		code = secret_key_read(o->sign_key, &r.key, e);
	if (code == 0)
		code = publish_check(o->publish, e);
	if (code == 0)
		code = state_load(&r.work, &r.state, e);
	if (code == 0 && o->dry_run)
		code = look_ahead(&r, e);
	if (code == 0 && !o->dry_run)
		code = load_keys(&r, e);
	if (code == 0 && !o->dry_run)
		code = load_serving(&r, e);
	if (code == 0 && !o->dry_run)
		code = run_steps(&r, ret, e);
	secret_key_wipe(&r.key);
	model_set_free(r.serving);
	trust_free(r.own);
	trust_free(r.other);
	work_close(&r.work);
	return code;
}
