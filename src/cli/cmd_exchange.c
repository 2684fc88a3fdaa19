// SPDX-License-Identifier: Apache-2.0
/* vmwatts model import and export: other libraries' model files in, ONNX out. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inputs.h"
#include "cli/signed.h"
#include "exchange/export.h"
#include "exchange/import.h"

#define FILE_MAX ((size_t)256 << 20) /* of a model that is read */

/* ---- import ---- */

enum format { FORMAT_ONNX, FORMAT_XGBOOST, FORMAT_LIGHTGBM, FORMAT_KEPLER, FORMAT_COUNT };

static const char *const format_names[FORMAT_COUNT] = {"onnx", "xgboost", "lightgbm", "kepler"};

struct import_arguments {
	bool format[FORMAT_COUNT];
	struct string_list files, zones;
	struct signed_as as;
	const char *features, *sign_key, *scope, *max_size;
	double window_s;
	bool json;
};

static const struct command_help import_help = {
	.usage = "model import --onnx|--xgboost|--lightgbm|--kepler FILE --out FILE.vmw --sign-key "
		 "K.key [options]",
	.about =
		"A model that was trained elsewhere into a signed bundle that needs no server. "
		"FILE "
		"is\n"
		"the package's; --zone gives others. Its features are mapped by their catalogue "
		"names.\n"
		"Whoever imports says what the file cannot: nothing is known of its error, so its\n"
		"intervals are the widest, and an agent prefers the prior, until vmwatts evaluate "
		"has\n"
		"measured it and vmwatts train --calibrate has fitted them.",
	.example = "  vmwatts model import --xgboost package.ubj --zone dram=dram.ubj \\\n"
		   "      --out own.vmw --sign-key K.key\n"
		   "  vmwatts evaluate --bundle own.vmw --trust K.pub --dataset D.db",
};

static int read_regressor(enum format f, const struct import_arguments *a, const char *data,
			  size_t len, struct regressor *ret, struct err *e)
{
	size_t n_hint = a->features && !strchr(a->features, '=');

	if (f == FORMAT_XGBOOST)
		return xgboost_read(data, len, ret, e);
	if (f == FORMAT_LIGHTGBM)
		return lightgbm_read(data, len, ret, e);
	for (const char *s = a->features; n_hint && *s; s++)
		n_hint += *s == ',';
	return onnx_read(data, len, n_hint, ret, e);
}

static int add_zone(struct model_set *s, enum zone z, struct regressor *r,
		    const struct import_arguments *a, struct err *e)
{
	autofree struct feature_source *sources = calloc(r->n_features + 1, sizeof(*sources));
	int status = sources ? import_sources(r, a->features, sources, e) : err_nomem(e);

	if (status < 0) {
		regressor_release(r);
		return status;
	}
	return import_zone(s, z, r, sources, e);
}

static int add_kepler(struct model_set *s, const struct import_arguments *a, const char *data,
		      size_t len, struct err *e)
{
	struct regressor r[ZONE_COUNT] = {0};
	int status = kepler_read(data, len, r, e);

	zone_foreach (z) {
		if (status == 0 && r[z].n_features)
			status = add_zone(s, z, &r[z], a, e);
		regressor_release(&r[z]);
	}
	return status;
}

static int add_file(struct model_set *s, enum format f, enum zone z, const char *path,
		    const struct import_arguments *a, struct err *e)
{
	struct regressor r = {.kind = REGRESSOR_LINEAR};
	autofree char *data = NULL;
	size_t len;
	int status;

	if (s->zones[z].n)
		return err_set(e, -ERR_USAGE, "two files for zone %s", zone_name(z));
	status = file_read(path, FILE_MAX, false, &data, &len, e);
	if (status < 0)
		return status;
	if (f == FORMAT_KEPLER) {
		status = add_kepler(s, a, data, len, e);
	} else {
		status = read_regressor(f, a, data, len, &r, e);
		if (status == 0)
			status = add_zone(s, z, &r, a, e);
	}
	return status < 0 ? err_prefix(e, "%s", path) : 0;
}

/* --zone dram=FILE */
static int add_zone_argument(struct model_set *s, enum format f, const char *word,
			     const struct import_arguments *a, struct err *e)
{
	const char *path = strchr(word, '=');
	char name[16];
	int z = -1;

	if (path && (size_t)(path - word) < sizeof(name)) {
		snprintf(name, sizeof(name), "%.*s", (int)(path - word), word);
		z = zone_find(name);
	}
	if (z < 0)
		return err_set(
			e, -ERR_USAGE,
			"--zone %s: package=FILE, core=, dram=, uncore= or platform= is needed",
			word);
	return add_file(s, f, (enum zone)z, path + 1, a, e);
}

static int write_card(struct model_set *s, enum format f, struct err *e)
{
	struct text t = {0};
	const char *comma = "";

	text_printf(&t, "{\"imported\":{\"from\":\"%s\",\"zones\":{", format_names[f]);
	zone_foreach (z) {
		if (!s->zones[z].n)
			continue;
		text_printf(&t, "%s\"%s\":{\"family\":\"%s\",\"inputs\":[", comma, zone_name(z),
			    model_family(s->zones[z].models));
		comma = ",";
		for (size_t i = 0; i < s->zones[z].models->n_used; i++) {
			char name[INPUT_NAME];

			text_add(&t, i ? "," : "");
			text_json_string(
				&t,
				input_name(&s->inputs[s->zones[z].models->used[i].input], name));
		}
		text_add(&t, "]");
		if (s->zones[z].models->norm.n)
			text_printf(&t, ",\"row_norm\":\"%s\"",
				    norm_name(s->zones[z].models->norm.kind));
		text_add(&t, "}");
	}
	text_add(&t, "}},\"evaluation\":null,\"notes\":[\"imported: its error is not known and its "
		     "intervals are the widest until it was evaluated and calibrated\"]}");
	if (t.failed) {
		text_release(&t);
		return err_nomem(e);
	}
	s->card = t.s;
	return 0;
}

static int check_import(struct import_arguments *a, enum format *ret, struct model_set *s,
			uint64_t *ret_max_size, struct err *e)
{
	int n = 0, scope;

	for (int f = 0; f < FORMAT_COUNT; f++) {
		n += a->format[f];
		if (a->format[f])
			*ret = (enum format)f;
	}
	if (n != 1)
		return err_set(e, -ERR_USAGE,
			       "one of --onnx, --xgboost, --lightgbm and --kepler is needed");
	if (!a->as.out || !a->sign_key || a->files.n > 1 || a->files.n + a->zones.n == 0)
		return err_set(e, -ERR_USAGE,
			       "one FILE or --zone ZONE=FILE..., --out and --sign-key are needed");
	if (*ret == FORMAT_KEPLER && (a->zones.n || !a->files.n))
		return err_set(e, -ERR_USAGE, "--kepler takes one FILE, which has its zones");
	scope = a->scope		? scope_find(a->scope)
		: *ret == FORMAT_KEPLER ? SCOPE_NODE_TOTAL
					: SCOPE_VM_ACTIVE;
	if (scope < 0)
		return err_set(e, -ERR_USAGE,
			       "--scope %s: vm_active, node_total or platform are allowed",
			       a->scope);
	if (!(a->window_s > 0 && a->window_s <= INPUT_MAX_SECONDS))
		return err_set(e, -ERR_USAGE, "--window takes seconds up to %g", INPUT_MAX_SECONDS);
	*ret_max_size = SIGNED_MAX_SIZE;
	if (a->max_size && (parse_size(a->max_size, ret_max_size) < 0 || *ret_max_size < 1024 ||
			    *ret_max_size > BUNDLE_MAX_BYTES))
		return err_set(e, -ERR_USAGE, "--max-size %s: 1K to 16M are allowed", a->max_size);
	if (signed_check(&a->as, e) < 0)
		return e->code;
	snprintf(s->name, sizeof(s->name), "%s", a->as.name);
	snprintf(s->version, sizeof(s->version), "%s", a->as.version);
	s->created_s = a->as.created_s;
	s->expires_s = a->as.expires_s;
	s->sequence = a->as.sequence;
	s->scope = (enum scope)scope;
	s->interval_s = s->window_s = a->window_s;
	return 0;
}

static void print_import(const struct model_set *s, const struct import_arguments *a, size_t len)
{
	printf("%-9s %-8s %-6s inputs\n", "zone", "family", "tier");
	zone_foreach (z) {
		const struct model *m = s->zones[z].models;

		if (!s->zones[z].n)
			continue;
		printf("%-9s %-8s %-6s", zone_name(z), model_family(m), tier_name(m->tier));
		for (size_t i = 0; i < m->n_used; i++) {
			char name[INPUT_NAME];

			printf(" %s", input_name(&s->inputs[m->used[i].input], name));
		}
		printf("\n");
	}
	printf("%s: %zu bytes, %s %s, sequence %lld; its error is not known: vmwatts evaluate, "
	       "then "
	       "train --calibrate\n",
	       a->as.out, len, s->name, s->version, (long long)s->sequence);
}

static int import(struct import_arguments *a, struct err *e)
{
	struct model_set *s = calloc(1, sizeof(*s));
	enum format format = FORMAT_COUNT;
	struct secret_key key;
	uint64_t max_size;
	size_t len = 0;
	int r = s ? check_import(a, &format, s, &max_size, e) : err_nomem(e);

	if (r == 0 && a->files.n)
		r = add_file(s, format, ZONE_PACKAGE, a->files.items[0], a, e);
	for (size_t i = 0; r == 0 && i < a->zones.n; i++)
		r = add_zone_argument(s, format, a->zones.items[i], a, e);
	if (r == 0)
		r = write_card(s, format, e);
	if (r == 0)
		r = secret_key_read(a->sign_key, &key, e);
	if (r == 0) {
		r = signed_write(s, a->as.out, &key, max_size, &len, e);
		secret_key_wipe(&key);
	}
	if (r == 0 && a->json)
		r = signed_print("model import", s, a->as.out, len) ? err_nomem(e) : 0;
	else if (r == 0)
		print_import(s, a, len);
	model_set_free(s);
	return r;
}

int cmd_import(int argc, char **argv)
{
	struct import_arguments a = {
		.as = {.name = "imported", .version = "1.0.0", .sequence = SIGNED_SEQUENCE_NOW},
		.window_s = 5};
	const struct option_spec options[] = {
		{"onnx", NULL, OPTION_FLAG, &a.format[FORMAT_ONNX],
		 "files of ONNX: trees, linear models, scalers, small networks"},
		{"xgboost", NULL, OPTION_FLAG, &a.format[FORMAT_XGBOOST],
		 "of XGBoost 1.7 or later: .json or .ubj"},
		{"lightgbm", NULL, OPTION_FLAG, &a.format[FORMAT_LIGHTGBM], "of LightGBM: text"},
		{"kepler", NULL, OPTION_FLAG, &a.format[FORMAT_KEPLER],
		 "weights of Kepler's model database: JSON, all zones"},
		{"zone", "ZONE=FILE...", OPTION_LIST, &a.zones,
		 "a file for each of these zones, into one bundle"},
		{"features", "LIST", OPTION_STRING, &a.features,
		 "a,b,c: all features in order; or theirs=ours,...: other names here"},
		{"out", "FILE.vmw", OPTION_STRING, &a.as.out,
		 "bundle to write; FILE.vmw.minisig too"},
		{"sign-key", "K.key", OPTION_STRING, &a.sign_key,
		 "secret key (vmwatts model keygen)"},
		{"name", "NAME", OPTION_STRING, &a.as.name, "the bundle's name (imported)"},
		{"version", "V", OPTION_STRING, &a.as.version, "its version (1.0.0)"},
		{"sequence", "N", OPTION_INT, &a.as.sequence, "orders versions (the time now)"},
		{"expires", "WHEN", OPTION_STRING, &a.as.expires,
		 "a day such as 2027-06-30 or a span such as 180d: is not installed from then on "
		 "(never)"},
		{"scope", "S", OPTION_STRING, &a.scope,
		 "what its watts mean: vm_active, node_total or platform (vm_active; --kepler: "
		 "node_total)"},
		{"window", "S", OPTION_DOUBLE, &a.window_s,
		 "seconds that a row of its training averaged over (5)"},
		{"max-size", "SIZE", OPTION_STRING, &a.max_size, "largest bundle (900K)"},
		{"json", NULL, OPTION_FLAG, &a.json, "print the model card as JSON"},
	};
	static char name[] = "model import";
	struct err e = ERR_INIT;
	int code;

	argv[0] = name;
	code = cli_parse(argc, argv, &import_help, options, array_size(options), &a.files);
	if (code >= 0)
		return code;
	return import(&a, &e) < 0 ? cli_fail(name, &e) : 0;
}

/* ---- export ---- */

struct export_arguments {
	struct string_list bundle;
	const char *out, *trust, *zone;
	long long model;
	bool json;
};

static const struct command_help export_help = {
	.usage = "model export BUNDLE --onnx OUT --trust K.pub [options]",
	.about = "A bundle's models as ONNX files: inputs by name, watts out, numbers in double. "
		 "OUT is a\n"
		 "folder that gets ZONE_model.onnx for each zone, or with --zone a file. A zone's "
		 "first\n"
		 "model without history is taken; intervals and fallbacks stay in the bundle.",
	.example = "  vmwatts model export model.vmw --trust K.pub --onnx models/",
};

/* The model asked for, or the first that one row is enough for. */
static const struct model *choose_model(const struct model_set *s, enum zone z, long long wanted,
					struct err *e)
{
	const struct zone_models *models = &s->zones[z];

	if (wanted > 0 && (size_t)wanted <= models->n)
		return &models->models[wanted - 1];
	for (size_t i = 0; wanted < 0 && i < models->n; i++) {
		if (!models->models[i].history)
			return &models->models[i];
	}
	if (wanted > 0)
		err_set(e, -ERR_USAGE, "--model %lld: zone %s has 1 to %zu", wanted, zone_name(z),
			models->n);
	else
		err_set(e, -ERR_DATA,
			"zone %s has only models with history, whose lags the caller must make: "
			"choose one with --model N",
			zone_name(z));
	return NULL;
}

static int export_model(const struct model_set *s, enum zone z, const struct model *m,
			const struct export_arguments *a, struct text *json, struct err *e)
{
	struct byte_writer w = {0};
	char path[PATH_MAX];
	int r;

	if (snprintf(path, sizeof(path), a->zone ? "%s" : "%s/%s_model.onnx", a->out,
		     zone_name(z)) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "%s: path too long", a->out);
	r = onnx_export(s, z, m, &w, e);
	if (r == 0)
		r = file_output(path, 0644, w.data, w.len, e);
	if (r == 0 && !a->json)
		printf("%s: %s, model %zu of %zu, %s, %zu inputs, %zu bytes\n", path, zone_name(z),
		       (size_t)(m - s->zones[z].models) + 1, s->zones[z].n, model_family(m),
		       m->n_used, w.len);
	text_printf(json,
		    "%s{\"zone\":\"%s\",\"model\":%zu,\"family\":\"%s\",\"bytes\":%zu,\"file\":",
		    json->len > 1 ? "," : "", zone_name(z), (size_t)(m - s->zones[z].models) + 1,
		    model_family(m), w.len);
	text_json_string(json, path);
	text_add(json, "}");
	byte_writer_release(&w);
	return r;
}

static int export_set(const struct model_set *s, const struct export_arguments *a, struct err *e)
{
	const struct model *chosen[ZONE_COUNT] = {NULL};
	int only = a->zone ? zone_find(a->zone) : -1, r = 0;
	struct text json = {0};

	if (a->zone && (only < 0 || !s->zones[only].n))
		return err_set(e, -ERR_USAGE, "--zone %s: the bundle has no such zone", a->zone);
	zone_foreach (z) {
		if (!s->zones[z].n || (only >= 0 && (int)z != only))
			continue;
		chosen[z] = choose_model(s, z, a->model, e);
		if (!chosen[z])
			return e->code;
	}
	text_add(&json, "[");
	if (!a->zone)
		r = file_make_directories(a->out, 0755, e);
	zone_foreach (z) {
		if (r == 0 && chosen[z])
			r = export_model(s, z, chosen[z], a, &json, e);
	}
	text_add(&json, "]\n");
	if (r == 0 && a->json)
		return cli_print("model export", &json) ? err_nomem(e) : 0;
	text_release(&json);
	return r;
}

static int export(const struct export_arguments *a, struct err *e)
{
	struct model_set *s = NULL;
	int r;

	if (a->bundle.n != 1 || !a->out || !a->trust || a->model == 0)
		return err_set(e, -ERR_USAGE,
			       "BUNDLE, --onnx OUT and --trust K.pub are needed; --model counts "
			       "from 1");
	r = input_bundle(a->bundle.items[0], a->trust, &s, e);
	if (r == 0)
		r = export_set(s, a, e);
	model_set_free(s);
	return r;
}

int cmd_export(int argc, char **argv)
{
	struct export_arguments a = {.model = -1};
	const struct option_spec options[] = {
		{"onnx", "OUT", OPTION_STRING, &a.out, "folder, or file with --zone, to write"},
		{"trust", "K.pub", OPTION_STRING, &a.trust, "the key that signed the bundle"},
		{"zone", "ZONE", OPTION_STRING, &a.zone, "only this zone's"},
		{"model", "N", OPTION_INT, &a.model,
		 "the zone's N-th model (model inspect), also one with history"},
		{"json", NULL, OPTION_FLAG, &a.json, "print what was written as JSON"},
	};
	static char name[] = "model export";
	struct err e = ERR_INIT;
	int code;

	argv[0] = name;
	code = cli_parse(argc, argv, &export_help, options, array_size(options), &a.bundle);
	if (code >= 0)
		return code;
	return export(&a, &e) < 0 ? cli_fail(name, &e) : 0;
}
