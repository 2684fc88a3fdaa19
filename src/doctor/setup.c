// SPDX-License-Identifier: Apache-2.0
/* Whether what the agent is given is right: configuration, keys, bundle, port, directories,
 * powercap tree. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/listen.h"
#include "bundle/store.h"
#include "doctor/parts.h"
#include "model/fit.h"

#define EXPIRES_SOON_S (14 * 86400)
#define ANSWER_MS      2000	  /* that what listens on our port may take */
#define ANSWER_MAX     (1u << 20) /* a line for each CPU comes before what we look for */

static void examine_configuration(struct doctor *d, const struct config_flags *f)
{
	const char *path = f->config ? f->config : CONFIG_PATH_DEFAULT;

	if (!d->configured)
		return; /* told already */
	if (access(path, R_OK) == 0)
		find(d, "configuration", VERDICT_OK, "%s is right", path);
	else
		find(d, "configuration", VERDICT_OK, "no file at %s: every key has its default",
		     path);
	if (!d->config.enabled)
		find_remedy(d, "enabled", VERDICT_WARN, "set enabled to true",
			    "the configuration switches power off: the agent publishes none");
	if (d->config.inference_method == INFERENCE_REMOTE)
		find_remedy(d, "inference", VERDICT_WARN, "set inference_method to native",
			    "inference_method asks for a model server; whether it answers is not "
			    "examined here");
}

/* ---- keys and bundle ---- */

static struct trust *examine_keys(struct doctor *d)
{
	struct err why = ERR_INIT;
	struct trust *t = NULL;
	int r = trust_load_directory(d->config.trusted_keys, d->config.model_path, &t, &why);
	size_t n = trust_count(t);

	if (r < 0)
		find_remedy(
			d, "trusted_keys", VERDICT_FAIL,
			"put public keys (NAME.pub) into a directory of their own, owned by root "
			"and writable by nobody else",
			"%s", why.msg);
	else if (n == 0)
		find_remedy(d, "trusted_keys", VERDICT_WARN,
			    "copy the public key (NAME.pub) of whoever signs your bundles there",
			    "%s holds no key: no bundle will be used, the built-in prior answers",
			    d->config.trusted_keys)
			->cost = COST_NOT_MEASURED;
	else if (n < (size_t)d->config.signature_threshold)
		find_remedy(d, "trusted_keys", VERDICT_FAIL,
			    "add keys, or lower signature_threshold",
			    "%s holds %zu, and signature_threshold asks for %lld signatures",
			    d->config.trusted_keys, n, (long long)d->config.signature_threshold);
	else
		find(d, "trusted_keys", VERDICT_OK, "%zu in %s", n, d->config.trusted_keys);
	if (r == 0)
		trust_require(t, (unsigned)d->config.signature_threshold);
	return t;
}

static void note_bundle(struct doctor *d, const struct model_set *s, int64_t now_s)
{
	struct doctor_bundle *b = &d->bundle;

	b->present = true;
	b->expired = s->expires_s && s->expires_s <= now_s;
	b->scope = (int)s->scope;
	b->tier = s->zones[ZONE_PACKAGE].n ? s->zones[ZONE_PACKAGE].models[0].tier : TIER_OS;
	zone_foreach (z)
		b->n_zones += s->zones[z].n > 0;
}

/* Each thing that may be wrong with a bundle that is there; true where one was found. */
static bool examine_validity(struct doctor *d, const struct model_set *s, int64_t now_s)
{
	if (s->scope == SCOPE_PLATFORM)
		find_remedy(
			d, "bundle", VERDICT_FAIL, "install one of scope vm_active or node_total",
			"%s %s estimates a wall meter (scope platform), which the agent does not "
			"serve",
			s->name, s->version);
	else if (s->sequence < d->config.minimum_sequence)
		find_remedy(
			d, "bundle", VERDICT_FAIL, "install a newer one, or lower minimum_sequence",
			"%s %s has sequence %lld, below minimum_sequence %lld", s->name, s->version,
			(long long)s->sequence, (long long)d->config.minimum_sequence);
	else if (d->bundle.expired)
		find_remedy(d, "bundle", VERDICT_WARN, "install a newer one",
			    "%s %s has expired: its intervals are wider", s->name, s->version);
	else if (s->expires_s && s->expires_s - now_s < EXPIRES_SOON_S)
		find_remedy(d, "bundle", VERDICT_WARN, "install a newer one",
			    "%s %s expires in %lld days", s->name, s->version,
			    (long long)(s->expires_s - now_s) / 86400);
	else
		return false;
	return true;
}

static void examine_fit(struct doctor *d, const struct model_set *s)
{
	struct fit fit = {.why = ""};

	if (d->identified)
		fit_machine(&s->trained_on, &d->identity, d->identity.n_cpus, &fit);
	d->bundle.misfit = fit.why[0];
	if (fit.why[0])
		find_remedy(d, "applicability", VERDICT_WARN,
			    "train on such a machine, or bring the bundle here with a few labelled "
			    "rows (vmwatts train --calibrate)",
			    "the bundle was trained on another machine (%s): intervals are wider",
			    fit.why)
			->cost = "a machine left out of training costs more than any other shift: "
				 "see ec2metal's machines in docs/accuracy.md";
	else
		find(d, "applicability", VERDICT_OK, "the bundle was trained for this machine");
	if (d->bundle.tier > d->tier && root_is_self(&d->root))
		find_remedy(d, "bundle_tier", VERDICT_WARN, "see tier and vpmu",
			    "its best model needs tier %s, and this machine has %s: a simpler one "
			    "answers",
			    tier_name(d->bundle.tier), tier_name(d->tier))
			->cost = COST_NOT_MEASURED;
}

static void examine_bundle(struct doctor *d, const struct trust *t)
{
	const struct store_place place = {.model_path = d->config.model_path,
					  .state_dir = d->config.state_directory};
	int64_t now_s = (int64_t)time(NULL);
	struct model_set *s = NULL;
	struct err why = ERR_INIT;
	int r = store_pick(&place, t, now_s, &s, NULL, &why);

	if (r == -ENOENT) {
		find_remedy(
			d, "bundle", VERDICT_WARN,
			"train one (vmwatts train) and install it (vmwatts model install)",
			"%s: the built-in prior answers, with intervals as wide as its error on "
			"machines it was not fitted to",
			why.msg)
			->cost = "see docs/prior.md";
		return;
	}
	if (r < 0) {
		find_remedy(
			d, "bundle", VERDICT_FAIL,
			"vmwatts model list says what is installed; install one that is signed by "
			"a trusted key",
			"%s", why.msg);
		return;
	}
	note_bundle(d, s, now_s);
	if (!examine_validity(d, s, now_s))
		find(d, "bundle", VERDICT_OK, "%s %s, sequence %lld, scope %s", s->name, s->version,
		     (long long)s->sequence, scope_name(s->scope));
	examine_fit(d, s);
	model_set_free(s);
}

/* ---- the port ---- */

/* Whether what listens there is an agent of ours: it names its build among its metrics. */
static bool is_agent(const char *address)
{
	autofree char *text = malloc(ANSWER_MAX);

	return text && listen_ask(address, "/metrics", text, ANSWER_MAX, ANSWER_MS) == 0 &&
	       strstr(text, "\nvmwatts_build_info{");
}

static void examine_port(struct doctor *d)
{
	const char *address = d->config.listen;
	struct err why = ERR_INIT;
	autofd int fd = listen_open(address, 1, &why);

	if (fd >= 0)
		find(d, "listen", VERDICT_OK, "%s is free: no agent serves there now", address);
	else if (fd == -EADDRINUSE && is_agent(address))
		find(d, "listen", VERDICT_OK, "an agent serves on %s", address);
	else if (fd == -EADDRINUSE)
		find_remedy(d, "listen", VERDICT_FAIL,
			    "stop what listens there, or choose another with listen or --listen",
			    "%s is in use by something that is no agent of ours", address);
	else
		find_remedy(d, "listen", VERDICT_FAIL,
			    "listen takes an address of this machine and a port that this user may "
			    "open (1024 and up, or CAP_NET_BIND_SERVICE)",
			    "%s", why.msg);
}

/* ---- the state directory ---- */

/* Whether PATH, or the nearest directory above it that is there, may be written by us. */
static bool can_make(const char *path, bool *ret_there)
{
	char at[PATH_MAX];
	struct stat st;

	snprintf(at, sizeof(at), "%s", path);
	*ret_there = stat(at, &st) == 0;
	while (stat(at, &st) < 0 && errno == ENOENT) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return access(slash ? "/" : ".", W_OK) == 0;
		*slash = 0;
	}
	return S_ISDIR(st.st_mode) && access(at, W_OK | X_OK) == 0;
}

static void examine_state(struct doctor *d)
{
	const char *path = d->config.state_directory;
	bool there, can = can_make(path, &there);

	if (can)
		find(d, "state_directory", VERDICT_OK, "%s %s", path,
		     there ? "is there and can be written" : "will be made");
	else
		find_remedy(
			d, "state_directory", VERDICT_WARN,
			"run the doctor as the agent's user; then make the directory, owned by it, "
			"or choose another with state_directory",
			"%s cannot be written by this user: joules would start at 0 with every "
			"start",
			path);
}

/* ---- powercap and Kepler ---- */

static bool readable(const char *folder, const char *name)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/class/powercap/intel-rapl:0/%s", folder, name);

	return n < (int)sizeof(path) && access(path, R_OK) == 0;
}

static void examine_fuse(struct doctor *d)
{
	bool wanted = d->config.powercap.mode == POWERCAP_FUSE;
	int fd = root_open(&d->root, "/dev/fuse");

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EACCES || fd == -EPERM)
		find(d, "fuse", VERDICT_OK, "/dev/fuse is there%s",
		     fd < 0 ? ", for another user" : "");
	else
		find_remedy(
			d, "fuse", wanted ? VERDICT_FAIL : VERDICT_OK,
			wanted ? "load the module fuse, or in a container pass the device; or set "
				 "powercap.mode to files"
			       : "",
			"no /dev/fuse%s",
			wanted ? "" : "; it is only needed for powercap.mode fuse");
}

static void examine_powercap(struct doctor *d)
{
	static const char *const files[] = {"name", "energy_uj", "max_energy_range_uj"};
	const char *path = d->config.powercap.path, *missing = NULL;

	examine_fuse(d);
	if (d->config.powercap.mode == POWERCAP_OFF) {
		find(d, "powercap", VERDICT_OK,
		     "off: Kepler and other readers of RAPL in this VM see nothing of ours; "
		     "powercap.mode files or fuse gives them a tree");
		return;
	}
	for (size_t i = 0; i < array_size(files) && !missing; i++) {
		if (!readable(path, files[i]))
			missing = files[i];
	}
	if (missing)
		find_remedy(d, "powercap", VERDICT_FAIL,
			    "start vmwatts powercap before Kepler (docs/powercap.md); "
			    "powercap.path says where",
			    "%s/class/powercap/intel-rapl:0/%s cannot be read", path, missing);
	else
		find(d, "powercap", VERDICT_OK,
		     "the tree is at %s and means %s: point Kepler at it with host.sysfs: %s", path,
		     d->config.powercap.meaning == POWERCAP_NODE
			     ? "the node's watts (node)"
			     : "watts that Kepler's split leaves whole (workloads)",
		     path);
}

void examine_setup(struct doctor *d, const struct config_flags *f)
{
	struct trust *t;

	examine_configuration(d, f);
	t = examine_keys(d);
	if (t)
		examine_bundle(d, t);
	trust_free(t);
	examine_port(d);
	examine_state(d);
	examine_powercap(d);
}
