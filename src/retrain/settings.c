// SPDX-License-Identifier: Apache-2.0
/* Words into the options of a round: see settings.h. */
#include "retrain/settings.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "retrain/flat.h"

#define CONFIG_MAX	 (64u << 10)
#define MAX_SIZE_DEFAULT (900u << 10)
#define SHARE_DEFAULT	 0.2
#define SHARE_MAX	 0.9
#define PREFIX		 "retrain."

static const struct {
	const char *name;
	size_t offset;
} keys[] = {
	{"recordings", offsetof(struct settings, recordings)},
	{"work", offsetof(struct settings, work)},
	{"publish", offsetof(struct settings, publish)},
	{"name", offsetof(struct settings, name)},
	{"sign_key", offsetof(struct settings, sign_key)},
	{"trust", offsetof(struct settings, trust)},
	{"hold_out", offsetof(struct settings, hold_out)},
	{"promote", offsetof(struct settings, promote)},
	{"family", offsetof(struct settings, family)},
	{"budget", offsetof(struct settings, budget)},
	{"seed", offsetof(struct settings, seed)},
	{"jobs", offsetof(struct settings, jobs)},
	{"max_size", offsetof(struct settings, max_size)},
	{"scope", offsetof(struct settings, scope)},
	{"uncore", offsetof(struct settings, uncore)},
	{"group", offsetof(struct settings, group)},
	{"window", offsetof(struct settings, window)},
	{"expires", offsetof(struct settings, expires)},
};

static const char **slot(struct settings *s, size_t k)
{
	return (const char **)(void *)((char *)s + keys[k].offset);
}

static int unknown(struct events *ev, const char *path)
{
	const char *names[array_size(keys)], *near, *word = path;

	if (strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return events_fail_at(ev, events_mark(ev),
				      "unknown key '%.80s'; allowed: retrain, with keys below it",
				      path);
	word += strlen(PREFIX);
	for (size_t k = 0; k < array_size(keys); k++)
		names[k] = keys[k].name;
	near = nearest_name(word, names, array_size(keys));
	return events_fail_at(ev, events_mark(ev), "unknown key '%.80s' of retrain%s%s%s", word,
			      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int take(struct events *ev, const char *path, void *arg)
{
	struct settings *s = arg;
	size_t k = 0;
	char *copy;

	while (k < array_size(keys) && (strncmp(path, PREFIX, strlen(PREFIX)) != 0 ||
					strcmp(path + strlen(PREFIX), keys[k].name) != 0))
		k++;
	if (k == array_size(keys))
		return unknown(ev, path);
	if (!*events_scalar(ev))
		return events_fail_at(ev, events_mark(ev), "%s: found nothing", keys[k].name);
	if (s->read[k]) /* a list comes word by word */
		return events_fail_at(ev, events_mark(ev), "%s is given twice", keys[k].name);
	s->read[k] = true;
	if (*slot(s, k))
		return 0;
	copy = s->n_owned < SETTINGS_MAX ? strdup(events_scalar(ev)) : NULL;
	if (!copy)
		return events_fail_at(ev, events_mark(ev), "out of memory");
	*slot(s, k) = s->owned[s->n_owned++] = copy;
	return 0;
}

int settings_read(struct settings *s, const char *path, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r = file_read(path, CONFIG_MAX, false, &text, &len, e);

	return r < 0 ? r : flat_read(text, len, path, take, s, e);
}

void settings_release(struct settings *s)
{
	for (size_t i = 0; i < s->n_owned; i++)
		free(s->owned[i]);
	s->n_owned = 0;
}

/* "0.2" or "24h" */
static int apply_hold_out(const char *word, struct holdout_rule *ret, struct err *e)
{
	int64_t ns;

	*ret = (struct holdout_rule){.share = SHARE_DEFAULT};
	if (!word)
		return 0;
	if (parse_double(word, &ret->share) == 0 && ret->share > 0 && ret->share <= SHARE_MAX)
		return 0;
	ret->share = SHARE_DEFAULT;
	if (parse_duration_ns(word, &ns) < 0 || ns <= 0)
		return err_set(e, -ERR_USAGE,
			       "--hold-out %s: a share above 0 and up to 0.9, or a time such as "
			       "24h, is needed",
			       word);
	ret->last_s = (double)ns * 1e-9;
	return 0;
}

static int apply_family(const char *word, struct train_options *o, struct err *e)
{
	o->family = -1;
	if (!word || !strcmp(word, "auto"))
		return 0;
	o->kind = blend_kind_find(word);
	o->family = o->kind ? FAMILY_BLEND : family_find(word);
	if (o->family < 0)
		return err_set(e, -ERR_USAGE,
			       "--family %s: auto, blend, linear, physics, forest, gbdt, hybrid or "
			       "mlp are allowed",
			       word);
	return 0;
}

static int apply_budget(const struct settings *s, struct train_options *o, struct err *e)
{
	int64_t ns;

	o->search = SEARCH_NONE;
	if (!s->budget)
		return 0;
	if (parse_duration_ns(s->budget, &ns) < 0 || ns <= 0)
		return err_set(e, -ERR_USAGE, "--budget %s: a time such as 3m or 90s is needed",
			       s->budget);
	if (o->family == FAMILY_LINEAR || o->family == FAMILY_PHYSICS ||
	    (o->family == FAMILY_BLEND && o->kind != BLEND_OF_ALL && o->kind != BLEND_GBDT))
		return err_set(e, -ERR_USAGE,
			       "--budget is for a search, and %s has nothing to search", s->family);
	o->search = SEARCH_BAYES;
	o->trials = SEARCH_TRIALS_MAX;
	o->budget_s = (double)ns * 1e-9;
	return 0;
}

static int apply_number(const char *option, const char *word, unsigned max, unsigned fallback,
			unsigned *ret, struct err *e)
{
	uint64_t v = fallback;

	if (word && (parse_u64(word, &v) < 0 || v > max))
		return err_set(e, -ERR_USAGE, "--%s takes 0 to %u", option, max);
	*ret = (unsigned)v;
	return 0;
}

static int apply_training(const struct settings *s, struct train_options *o, struct err *e)
{
	int scope = s->scope ? scope_find(s->scope) : SCOPE_VM_ACTIVE;
	uint64_t max_size = MAX_SIZE_DEFAULT;
	int r = apply_family(s->family, o, e);

	if (r == 0)
		r = apply_budget(s, o, e);
	if (r == 0)
		r = apply_number("seed", s->seed, 1000000, 1, &o->seed, e);
	if (r == 0)
		r = apply_number("jobs", s->jobs, 64, 0, &o->jobs, e);
	if (r < 0)
		return r;
	if (scope < 0)
		return err_set(e, -ERR_USAGE,
			       "--scope %s: vm_active, node_total or platform are allowed",
			       s->scope);
	if (s->max_size && (parse_size(s->max_size, &max_size) < 0 || max_size < 1024))
		return err_set(e, -ERR_USAGE, "--max-size %s: a size such as 900K is needed",
			       s->max_size);
	o->uncore_definition = s->uncore ? s->uncore : "pp1";
	if (strcmp(o->uncore_definition, "pp1") != 0 &&
	    strcmp(o->uncore_definition, "package_minus_core") != 0)
		return err_set(e, -ERR_USAGE, "--uncore %s: pp1 or package_minus_core are allowed",
			       s->uncore);
	if (!o->jobs)
		o->jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	o->scope = (enum scope)scope;
	o->max_bytes = max_size;
	return 0;
}

static bool same_place(const char *a, const char *b)
{
	char real_a[PATH_MAX], real_b[PATH_MAX];

	if (!strcmp(a, b))
		return true;
	return realpath(a, real_a) && realpath(b, real_b) && !strcmp(real_a, real_b);
}

/* What comes in, what is kept and what goes out are not to be taken for each other. */
static int check_folders(const struct settings *s, struct err *e)
{
	const struct {
		const char *name, *path;
	} folders[] = {
		{"--recordings", s->recordings}, {"--work", s->work}, {"--publish", s->publish}};

	for (size_t i = 0; i < array_size(folders); i++) {
		for (size_t k = 0; k < i; k++) {
			if (same_place(folders[i].path, folders[k].path))
				return err_set(e, -ERR_USAGE,
					       "%s and %s are one folder, %s: each needs its own",
					       folders[k].name, folders[i].name, folders[i].path);
		}
	}
	return 0;
}

int settings_apply(const struct settings *s, struct retrain_options *ret, struct err *e)
{
	struct retrain_options o = *ret;
	int rule = s->promote ? promote_find(s->promote) : PROMOTE_BETTER;
	int r = apply_training(s, &o.train, e);
	int64_t until_s;

	if (r < 0)
		return r;
	if (!s->recordings || !s->work || !s->publish || !s->sign_key)
		return err_set(e, -ERR_USAGE,
			       "--recordings, --work, --publish and --sign-key are needed, or "
			       "--config F with them (see vmwatts retrain --help)");
	r = check_folders(s, e);
	if (r < 0)
		return r;
	if (rule < 0)
		return err_set(e, -ERR_USAGE,
			       "--promote %s: better, not-worse or always are allowed", s->promote);
	o.train.name = s->name ? s->name : "vmwatts";
	if (!model_name_ok(o.train.name, sizeof(((struct model_set *)0)->name)))
		return err_set(e, -ERR_USAGE,
			       "--name %s: up to 63 letters, digits, '.', '_' or '-' are allowed",
			       s->name);
	if (s->window &&
	    (parse_double(s->window, &o.window_s) < 0 || o.window_s < 0 || o.window_s > 3600))
		return err_set(e, -ERR_USAGE, "--window takes 0 to 3600 seconds");
	if (s->expires && parse_until(s->expires, time(NULL), &until_s) < 0)
		return err_set(e, -ERR_USAGE,
			       "--expires %s: a span such as 180d, or a day to come such as "
			       "2027-06-30, is needed",
			       s->expires);
	r = apply_hold_out(s->hold_out, &o.hold_out, e);
	if (r < 0)
		return r;
	o.promote = (enum promote_rule)rule;
	o.recordings = s->recordings;
	o.work = s->work;
	o.publish = s->publish;
	o.sign_key = s->sign_key;
	o.trust = s->trust;
	o.group_column = s->group;
	o.expires = s->expires;
	*ret = o;
	return 0;
}
