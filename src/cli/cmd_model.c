// SPDX-License-Identifier: Apache-2.0
/* vmwatts model: keys, signatures and installed bundles. One table row per verb. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/text.h"
#include "bundle/store.h"
#include "bundle/minisign.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/model_store.h"

/* ---- keygen ---- */

static int keygen(const char *out, struct err *e)
{
	char key_path[PATH_MAX], pub_path[PATH_MAX], id[MINISIGN_KEY_ID];
	struct secret_key secret;
	struct public_key public;
	int r;

	if (!out)
		return err_set(e, -ERR_USAGE, "--out K is needed: writes K.key and K.pub");
	if (snprintf(key_path, PATH_MAX, "%s.key", out) >= PATH_MAX ||
	    snprintf(pub_path, PATH_MAX, "%s.pub", out) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--out: path too long");
	r = minisign_keygen(&secret, &public, e);
	if (r == 0 && access(pub_path, F_OK) == 0)
		r = err_set(e, -EEXIST, "%s exists: remove it or choose another name", pub_path);
	if (r == 0)
		r = secret_key_write(&secret, key_path, e);
	if (r == 0) {
		r = public_key_write(&public, pub_path, e);
		if (r < 0)
			unlink(key_path); /* one without the other is of no use */
	}
	secret_key_wipe(&secret);
	if (r < 0)
		return r;
	key_id_text(public.id, id);
	printf("%s (secret, keep it), %s (install it in %s where bundles are served); key %s\n",
	       key_path, pub_path, TRUSTED_KEYS, id);
	return 0;
}

static int cmd_keygen(int argc, char **argv)
{
	static const struct command_help help = {
		.usage = "model keygen --out K",
		.about = "Make a signing key: K.key (secret, mode 0600, unencrypted) and K.pub, "
			 "both in\n"
			 "minisign's format.",
	};
	const char *out = NULL;
	const struct option_spec options[] = {
		{"out", "K", OPTION_STRING, &out, "path and name without .key"},
	};
	static char name[] = "model keygen";
	struct err e = ERR_INIT;
	int code;

	argv[0] = name;
	code = cli_parse(argc, argv, &help, options, array_size(options), NULL);
	if (code >= 0)
		return code;
	return keygen(out, &e) < 0 ? cli_fail(name, &e) : 0;
}

/* ---- sign ---- */

/* Where the next signature goes: BUNDLE.minisig, or with `add` the first that is free. */
static int choose_signature(const char *bundle, bool add, char *path, struct err *e)
{
	for (unsigned i = 1; i <= BUNDLE_SIGNATURES_MAX; i++) {
		int r = bundle_signature_path(bundle, i, path, e);

		if (r < 0 || !add || access(path, F_OK) < 0)
			return r;
	}
	return err_set(e, -E2BIG, "%s has %d signatures already", bundle, BUNDLE_SIGNATURES_MAX);
}

static int sign(const char *bundle, const char *key_path, bool add, struct err *e)
{
	autofree char *data = NULL;
	struct model_set *s = NULL;
	struct text sig = {0};
	struct secret_key key;
	char path[PATH_MAX], comment[200];
	size_t len;
	int r;

	if (!key_path)
		return err_set(e, -ERR_USAGE, "--sign-key K.key is needed");
	r = file_read(bundle, BUNDLE_MAX_BYTES, false, &data, &len, e);
	if (r == 0 && bundle_parse(data, len, &s, e) < 0)
		r = err_prefix(e, "%s", bundle);
	if (r == 0)
		r = secret_key_read(key_path, &key, e);
	if (r < 0) {
		model_set_free(s);
		return r;
	}
	snprintf(comment, sizeof(comment), "%s %s sequence:%lld", s->name, s->version,
		 (long long)s->sequence);
	r = choose_signature(bundle, add, path, e);
	if (r == 0)
		r = minisign_sign(data, len, &key, comment, &sig, e);
	if (r == 0)
		r = file_replace(path, 0600, sig.s, sig.len, e);
	secret_key_wipe(&key);
	text_release(&sig);
	model_set_free(s);
	return r;
}

static int cmd_sign(int argc, char **argv)
{
	static const struct command_help help = {
		.usage = "model sign BUNDLE --sign-key K.key [--add]",
		.about = "Sign a bundle again, with another key: writes BUNDLE.minisig. With --add "
			 "the\nsignatures that are there stay, and this one is BUNDLE.minisig.2 "
			 "and so on.",
	};
	const char *key = NULL;
	struct string_list rest = {0};
	bool add = false;
	const struct option_spec options[] = {
		{"sign-key", "K.key", OPTION_STRING, &key, "secret key (vmwatts model keygen)"},
		{"add", NULL, OPTION_FLAG, &add, "beside the signatures that are there"},
	};
	static char name[] = "model sign";
	struct err e = ERR_INIT;
	int code;

	argv[0] = name;
	code = cli_parse(argc, argv, &help, options, array_size(options), &rest);
	if (code >= 0)
		return code;
	if (model_one_word(&rest, "sign", &e) < 0 || sign(rest.items[0], key, add, &e) < 0)
		return cli_fail(name, &e);
	return 0;
}

/* ---- verify, inspect, install, list ---- */

static int verify(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	struct trust *t = NULL;
	struct model_set *s = NULL;
	char key[MINISIGN_KEY_ID];
	int r = model_one_word(rest, "verify", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = bundle_load(rest->items[0], t, &s, key, e);
	if (r == 0 && a->json)
		printf("{\"name\":\"%s\",\"version\":\"%s\",\"sequence\":%lld,\"key\":\"%s\"}\n",
		       s->name, s->version, (long long)s->sequence, key);
	else if (r == 0)
		printf("%s: %s %s, sequence %lld, signed by key %s\n", rest->items[0], s->name,
		       s->version, (long long)s->sequence, key);
	model_set_free(s);
	trust_free(t);
	return r;
}

static void inspect_json(const struct model_set *s, const char *key)
{
	struct text t = {0};

	text_add(&t, "{\"name\":");
	text_json_string(&t, s->name);
	text_add(&t, ",\"version\":");
	text_json_string(&t, s->version);
	text_printf(&t,
		    ",\"sequence\":%lld,\"key\":\"%s\",\"created\":%lld,\"expires\":%lld,"
		    "\"scope\":\"%s\",\"vcpus_min\":%u,\"vcpus_max\":%u,\"interval_s\":",
		    (long long)s->sequence, key, (long long)s->created_s, (long long)s->expires_s,
		    scope_name(s->scope), s->trained_on.vcpus_min, s->trained_on.vcpus_max);
	text_json_number(&t, s->interval_s);
	text_add(&t, ",\"window_s\":");
	text_json_number(&t, s->window_s);
	text_add(&t, ",\"cpu_model\":");
	text_json_string(&t, s->trained_on.cpu_model);
	text_printf(&t, ",\"card\":%s}", s->card ? s->card : "null");
	if (!t.failed)
		puts(t.s);
	text_release(&t);
}

static int inspect(const struct trust_arguments *a, const struct string_list *rest, struct err *e)
{
	struct trust *t = NULL;
	struct model_set *s = NULL;
	char key[MINISIGN_KEY_ID];
	int r = model_one_word(rest, "inspect", e);

	if (r == 0)
		r = model_trust(a, &t, e);
	if (r == 0)
		r = bundle_load(rest->items[0], t, &s, key, e);
	if (r == 0 && a->json)
		inspect_json(s, key);
	else if (r == 0)
		model_card(s, key);
	model_set_free(s);
	trust_free(t);
	return r;
}

struct trusting_verb {
	const char *name;
	int (*run)(const struct trust_arguments *a, const struct string_list *rest, struct err *e);
	struct command_help help;
};

static const struct trusting_verb trusting_verbs[] = {
	{"verify",
	 verify,
	 {.usage = "model verify BUNDLE [--trust K.pub] [--json]",
	  .about = "Check signature and contents. Exit code 0, or 1 with the reason."}},
	{"inspect",
	 inspect,
	 {.usage = "model inspect BUNDLE [--trust K.pub] [--json]",
	  .about = "Verify a bundle and print its card: data, accuracy, features."}},
	{"install",
	 model_install,
	 {.usage = "model install BUNDLE [--trust K.pub] [--model-path DIR] [--allow-older]",
	  .about = "Verify a bundle, put it into the store as NAME-VERSION.vmw and activate it."}},
	{"list",
	 model_list,
	 {.usage = "model list [--history] [--model-path DIR] [--json]",
	  .about = "The bundles of the store: * is active, - was before it; what is on probation "
		   "and what\nwas rolled back, and why. --history: every event of the store "
		   "instead."}},
	{"activate",
	 model_activate,
	 {.usage = "model activate NAME-VERSION [--model-path DIR] [--trust K.pub]",
	  .about = "Serve a version that is in the store, also one that is older or was rolled "
		   "back. An\nexpired one is refused. A running agent takes it within a second."}},
	{"rollback",
	 model_rollback,
	 {.usage = "model rollback [--model-path DIR] [--trust K.pub]",
	  .about = "Serve the version that was active before; the one that is now is not served "
		   "again\nunless it is activated by command."}},
	{"gc",
	 model_gc,
	 {.usage = "model gc [--keep N] [--model-path DIR] [--json]",
	  .about = "Remove old versions; the active one and the one before always stay."}},
};

/* An option, and the verbs that have it; NULL: all. */
struct verb_option {
	struct option_spec spec;
	const char *verbs[5];
};

static bool has_option(const struct verb_option *o, const char *verb)
{
	for (size_t i = 0; i < array_size(o->verbs) && o->verbs[i]; i++) {
		if (!strcmp(o->verbs[i], verb))
			return true;
	}
	return !o->verbs[0];
}

static int cmd_trusting(int argc, char **argv)
{
	struct trust_arguments a = {.trusted_keys = TRUSTED_KEYS,
				    .model_path = MODEL_PATH,
				    .threshold = 1,
				    .keep = STORE_KEEP_MIN};
	struct string_list rest = {0};
	const struct verb_option all[] = {
		{{"trust", "K.pub", OPTION_STRING, &a.trust, "the one public key to trust"},
		 {NULL}},
		{{"trusted-keys", "DIR", OPTION_STRING, &a.trusted_keys,
		  "directory of trusted keys (" TRUSTED_KEYS ")"},
		 {NULL}},
		{{"model-path", "DIR", OPTION_STRING, &a.model_path, "the store (" MODEL_PATH ")"},
		 {NULL}},
		{{"state-dir", "DIR", OPTION_STRING, &a.state_dir,
		  "the agent's, which has the ledger where the store is read-only"},
		 {"install", "list", "activate", "rollback", "gc"}},
		{{"signature-threshold", "K", OPTION_INT, &a.threshold,
		  "different trusted keys that must have signed (1)"},
		 {NULL}},
		{{"allow-older", NULL, OPTION_FLAG, &a.allow_older,
		  "also a lower sequence than was served, or what was rolled back"},
		 {"install"}},
		{{"keep", "N", OPTION_INT, &a.keep, "versions to keep (3, the least)"}, {"gc"}},
		{{"history", NULL, OPTION_FLAG, &a.history, "every event of the store"}, {"list"}},
		{{"json", NULL, OPTION_FLAG, &a.json, "print JSON"}, {NULL}},
	};
	struct option_spec options[array_size(all)];
	const struct trusting_verb *verb = trusting_verbs;
	struct err e = ERR_INIT;
	char name[64];
	size_t n = 0;
	int code;

	while (strcmp(verb->name, argv[0]) != 0)
		verb++;
	for (size_t i = 0; i < array_size(all); i++) {
		if (has_option(&all[i], verb->name))
			options[n++] = all[i].spec;
	}
	snprintf(name, sizeof(name), "model %s", verb->name);
	argv[0] = name;
	code = cli_parse(argc, argv, &verb->help, options, n, &rest);
	if (code >= 0)
		return code;
	return verb->run(&a, &rest, &e) < 0 ? cli_fail(name, &e) : 0;
}

static const struct command verbs[] = {
	{"keygen", "make a signing key", cmd_keygen, NULL},
	{"sign", "sign a bundle with another key", cmd_sign, NULL},
	{"verify", "check a bundle's signature and contents", cmd_trusting, NULL},
	{"inspect", "print a bundle's card", cmd_trusting, NULL},
	{"install", "put a bundle into the store and activate it", cmd_trusting, NULL},
	{"list", "the bundles of the store, and what happened to them", cmd_trusting, NULL},
	{"activate", "serve a version of the store", cmd_trusting, NULL},
	{"rollback", "serve the version before", cmd_trusting, NULL},
	{"gc", "remove old versions", cmd_trusting, NULL},
	{"import", "a model of another library into a signed bundle", NULL, "vmwatts-train"},
	{"export", "a bundle's models as ONNX files", NULL, "vmwatts-train"},
};

int cmd_model(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts model", verbs, array_size(verbs));
}
