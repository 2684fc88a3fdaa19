// SPDX-License-Identifier: Apache-2.0
/* See models.h. */
#include "serve/models.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "bundle/store.h"
#include "model/fit.h"

struct models {
	struct models_options o;
	struct prior prior;
	pthread_mutex_t lock; /* of what follows */
	char directory[PATH_MAX];
	struct served *now;
};

void served_release(struct served *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1) {
		model_set_free(s->set);
		free(s);
	}
}

struct served *models_take(struct models *m)
{
	struct served *s;

	pthread_mutex_lock(&m->lock);
	s = m->now;
	atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&m->lock);
	return s;
}

void models_directory(struct models *m, char *path)
{
	pthread_mutex_lock(&m->lock);
	memcpy(path, m->directory, PATH_MAX);
	pthread_mutex_unlock(&m->lock);
}

const struct prior *models_prior(const struct models *m)
{
	return &m->prior;
}

static int check(const struct models *m, const struct model_set *s, struct err *e)
{
	if (s->sequence < m->o.minimum_sequence)
		return err_set(e, -ERR_STALE,
			       "%s %s has sequence %lld, below --minimum-sequence %lld", s->name,
			       s->version, (long long)s->sequence,
			       (long long)m->o.minimum_sequence);
	return 0;
}

static bool reads_history(const struct model_set *set)
{
	bool found = set->window_s > set->interval_s;

	zone_foreach (z) {
		for (size_t i = 0; i < set->zones[z].n; i++)
			found = found || set->zones[z].models[i].history;
	}
	return found;
}

/* What the store of `directory` serves; a store without a bundle gives a served prior. */
static int load(const struct models *m, const char *directory, struct served **ret, struct err *e)
{
	struct trust *trust = NULL;
	struct model_set *set = NULL;
	struct served *s;
	struct timespec now;
	int r = trust_load(m->o.trusted_keys, directory, &trust, e);

	if (r == 0) {
		trust_require(trust, m->o.signature_threshold);
		r = store_load_current(directory, trust, &set, NULL, e);
	}
	if (r == -ENOENT && trust) {
		*e = (struct err)ERR_INIT;
		r = 0;
	}
	trust_free(trust);
	if (r == 0 && set)
		r = check(m, set, e);
	s = r == 0 ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		model_set_free(set);
		return r < 0 ? r : err_nomem(e);
	}
	clock_gettime(CLOCK_REALTIME, &now);
	s->set = set;
	s->loaded_s = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
	s->reads_history = set && reads_history(set);
	s->widen = set && set->expires_s && set->expires_s <= now.tv_sec ? EXPIRED_WIDEN : 1;
	atomic_init(&s->refs, 1);
	*ret = s;
	return 0;
}

static bool same(const struct model_set *a, const struct model_set *b)
{
	if (!a || !b)
		return a == b;
	return a->sequence == b->sequence && a->created_s == b->created_s &&
	       !strcmp(a->name, b->name) && !strcmp(a->version, b->version);
}

static void exchange(struct models *m, const char *directory, struct served *s)
{
	struct served *old;

	pthread_mutex_lock(&m->lock);
	old = m->now;
	m->now = s;
	if (directory != m->directory)
		snprintf(m->directory, sizeof(m->directory), "%s", directory);
	pthread_mutex_unlock(&m->lock);
	served_release(old);
}

/* What was asked for must be there; where nothing was, the default may be missing. */
static int check_directories(const struct models_options *o, struct err *e)
{
	struct stat st;

	for (size_t i = 0; o->named && i < o->n_directories; i++) {
		if (stat(o->directories[i], &st) < 0)
			return err_errno(e, "--model-path %s", o->directories[i]);
		if (!S_ISDIR(st.st_mode))
			return err_set(e, -ENOTDIR, "--model-path %s is not a directory",
				       o->directories[i]);
	}
	return 0;
}

int models_open(const struct models_options *o, struct models **ret, struct err *e)
{
	const struct identity nobody = {.vendor = ""};
	struct models *m;
	int r = check_directories(o, e);

	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_nomem(e);
	m->o = *o;
	prior_init(&m->prior, &nobody);
	pthread_mutex_init(&m->lock, NULL);
	snprintf(m->directory, sizeof(m->directory), "%s", o->directories[0]);
	r = load(m, m->directory, &m->now, e);
	if (r < 0) {
		models_close(m);
		return r;
	}
	*ret = m;
	return 0;
}

void models_close(struct models *m)
{
	if (!m)
		return;
	served_release(m->now);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

int models_reload(struct models *m, bool *ret_changed, struct err *e)
{
	char directory[PATH_MAX];
	struct served *s, *now;
	bool changed;
	int r;

	models_directory(m, directory);
	r = load(m, directory, &s, e);
	if (r < 0)
		return r;
	now = models_take(m);
	changed = !same(now->set, s->set);
	if (changed && !s->set)
		r = err_set(e, -ENOENT, "no bundle in %s any more", directory);
	served_release(now);
	if (r == 0 && changed)
		exchange(m, directory, s);
	else
		served_release(s);
	if (ret_changed)
		*ret_changed = r == 0 && changed;
	return r;
}

/*
 * The one of ours that is meant, or NULL. Both as the file system names them, so that no detour
 * leads out of what is allowed; the name that was asked for may lead elsewhere tomorrow.
 */
static const char *find_allowed(const struct models *m, const char *directory)
{
	char asked[PATH_MAX], known[PATH_MAX];

	if (!realpath(directory, asked))
		return NULL;
	for (size_t i = 0; i < m->o.n_directories; i++) {
		if (realpath(m->o.directories[i], known) && !strcmp(asked, known))
			return m->o.directories[i];
	}
	return NULL;
}

int models_load(struct models *m, const char *directory, struct err *e)
{
	const char *ours = find_allowed(m, directory);
	struct served *s;
	int r;

	if (!ours)
		return err_set(e, -EPERM, "that directory is none that this server may load from");
	r = load(m, ours, &s, e);
	if (r == 0 && !s->set) {
		served_release(s);
		r = err_set(e, -ENOENT, "no bundle in %s", ours);
	}
	if (r == 0)
		exchange(m, ours, s);
	return r;
}
