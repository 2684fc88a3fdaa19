// SPDX-License-Identifier: Apache-2.0
/* vmwatts train: dataset files -> a signed bundle. */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "bundle/minisign.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/inputs.h"
#include "cli/signed.h"
#include "train/adapt.h"
#include "train/train.h"

#define TRIALS_DEFAULT 20

struct arguments {
	struct string_list datasets;
	const char *calibrate, *trust;
	struct signed_as as;
	const char *family, *scope, *sign_key, *max_size, *uncore, *search, *budget;
	long long seed, jobs, trials;
	bool named, stateless, json;
};

static const struct command_help help = {
	.usage = "train --dataset D.db... --out FILE.vmw --sign-key K.key [options]",
	.about =
		"Train models per zone on recordings and write a signed bundle. By default a "
		"blend\n"
		"of experts, whose weights, features and use of the past are decided on folds "
		"that\n"
		"leave out whole groups (runs), times and loads; the reasons and what looks wrong\n"
		"with the data go on the model card (vmwatts model inspect). With --calibrate a\n"
		"bundle is adapted to another machine: two rows (idle, full load) help, 20 do.",
	.example = "  vmwatts dataset import --joined runs/*.csv --out D.db\n"
		   "  vmwatts model keygen --out K\n"
		   "  vmwatts train --dataset D.db --out model.vmw --sign-key K.key\n"
		   "  vmwatts train --calibrate model.vmw --trust K.pub --dataset few.db \\\n"
		   "      --out here.vmw --sign-key K.key",
};

static void show_progress(void *arg, double done, const char *what)
{
	char text[96];

	(void)arg;
	snprintf(text, sizeof(text), "training %-40s", what);
	cli_progress(text, done);
}

static void show_note(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "vmwatts train: note: %s\n", sentence);
}

/* --search, --budget and --trials: what is allowed, and 20 trials when nothing is said. */
static int check_search(const struct arguments *a, struct train_options *o, struct err *e)
{
	int method = a->search ? search_method_find(a->search) : SEARCH_NONE;
	bool tunes =
		o->family == FAMILY_MLP || o->family < 0 ||
		(o->family == FAMILY_BLEND && (o->kind == BLEND_OF_ALL || o->kind == BLEND_GBDT));
	int64_t budget_ns = 0;

	if (method < 0)
		return err_set(e, -ERR_USAGE, "--search %s: none, grid or bayes are allowed",
			       a->search);
	if (method == SEARCH_NONE && (a->budget || a->trials >= 0))
		return err_set(e, -ERR_USAGE,
			       "--budget and --trials need --search grid or --search bayes");
	if (method != SEARCH_NONE && !tunes)
		return err_set(e, -ERR_USAGE,
			       "--search works with --family auto, blend, gbdt or mlp; %s has "
			       "nothing to search",
			       a->family);
	if (a->budget && (parse_duration_ns(a->budget, &budget_ns) < 0 || budget_ns <= 0))
		return err_set(e, -ERR_USAGE, "--budget %s: a time such as 3m or 90s is needed",
			       a->budget);
	if (a->trials != -1 && (a->trials < 1 || a->trials > SEARCH_TRIALS_MAX))
		return err_set(e, -ERR_USAGE, "--trials takes 1 to %d", SEARCH_TRIALS_MAX);
	o->search = (enum search_method)method;
	o->budget_s = (double)budget_ns * 1e-9;
	o->trials = a->trials > 0 ? (unsigned)a->trials
		    : a->budget	  ? SEARCH_TRIALS_MAX
				  : TRIALS_DEFAULT;
	return 0;
}

/* What is the bundle's stays so; a name may be given, for a key may be trusted for one alone. */
static int check_calibrate(const struct arguments *a, struct err *e)
{
	if (!a->calibrate)
		return a->trust ? err_set(e, -ERR_USAGE, "--trust belongs to --calibrate") : 0;
	if (!a->trust)
		return err_set(e, -ERR_USAGE,
			       "--calibrate needs --trust K.pub, the key that signed it");
	if (a->family || a->search || a->scope || a->uncore || a->stateless)
		return err_set(e, -ERR_USAGE,
			       "--calibrate excludes --family, --search, --scope, --uncore and "
			       "--stateless: they are the bundle's");
	return 0;
}

static int check_arguments(struct arguments *a, struct train_options *o, uint64_t *ret_max_size,
			   struct err *e)
{
	int scope = a->scope ? scope_find(a->scope) : SCOPE_VM_ACTIVE;

	if (!a->datasets.n || !a->as.out || !a->sign_key)
		return err_set(
			e, -ERR_USAGE,
			"--dataset, --out and --sign-key are needed (see vmwatts train --help)");
	if (scope < 0)
		return err_set(e, -ERR_USAGE,
			       "--scope %s: vm_active, node_total or platform are allowed",
			       a->scope);
	o->family = -1;
	if (a->family && strcmp(a->family, "auto") != 0) {
		o->kind = blend_kind_find(a->family);
		o->family = o->kind ? FAMILY_BLEND : family_find(a->family);
		if (o->family < 0)
			return err_set(e, -ERR_USAGE,
				       "--family %s: auto, blend, linear, physics, forest, gbdt, "
				       "hybrid or mlp are allowed",
				       a->family);
	}
	if (check_search(a, o, e) < 0)
		return -ERR_USAGE;
	if (check_calibrate(a, e) < 0)
		return -ERR_USAGE;
	a->uncore = a->uncore ? a->uncore : "pp1";
	if (strcmp(a->uncore, "pp1") != 0 && strcmp(a->uncore, "package_minus_core") != 0)
		return err_set(e, -ERR_USAGE, "--uncore %s: pp1 or package_minus_core are allowed",
			       a->uncore);
	*ret_max_size = SIGNED_MAX_SIZE;
	if (a->max_size && (parse_size(a->max_size, ret_max_size) < 0 || *ret_max_size < 1024))
		return err_set(e, -ERR_USAGE, "--max-size %s: a size such as 900K is needed",
			       a->max_size);
	if (a->jobs < 0 || a->jobs > 64 || a->seed < 0 || a->seed > 1000000)
		return err_set(e, -ERR_USAGE, "--jobs takes 0 to 64, --seed 0 to 1000000");
	a->named = a->as.name != NULL;
	a->as.name = a->named ? a->as.name : "vmwatts";
	if (signed_check(&a->as, e) < 0)
		return e->code;
	o->jobs = (unsigned)(a->jobs ? a->jobs : sysconf(_SC_NPROCESSORS_ONLN));
	o->seed = (unsigned)a->seed;
	o->max_bytes = *ret_max_size;
	o->name = a->as.name;
	o->version = a->as.version;
	o->created_s = a->as.created_s;
	o->expires_s = a->as.expires_s;
	o->sequence = a->as.sequence;
	o->scope = (enum scope)scope;
	o->no_history = a->stateless;
	o->uncore_definition = a->uncore;
	o->progress = show_progress;
	o->note = show_note;
	return 0;
}

static int load_datasets(const struct string_list *paths, struct table **ret, struct err *e)
{
	struct table *all = NULL;
	int r = datasets_load(paths, &all, e);

	if (r == 0 && (!all || !all->n_rows))
		r = err_set(e, -ERR_DATA, "%s: no rows", paths->items[0]);
	if (r < 0) {
		table_free(all);
		return r;
	}
	*ret = all;
	return 0;
}

static void print_table(const struct model_set *s, const char *out, size_t len)
{
	printf("%-9s %-8s %-6s %-8s %9s %8s %9s\n", "zone", "family", "tier", "history", "wMAPE %",
	       "MAE W", "in 90 % %");
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			const struct model *m = &s->zones[z].models[i];

			printf("%-9s %-8s %-6s %-8s", zone_name(z), model_family(m),
			       tier_name(m->tier), m->history ? "yes" : "no");
			if (isfinite(m->wmape)) /* of labels that are not all 0 */
				printf(" %9.1f", 100 * m->wmape);
			else
				printf(" %9s", "-");
			printf(" %8.3g", m->mae_w);
			if (isnan(m->coverage_90)) /* of few rows, such as --calibrate's */
				printf(" %9s\n", "-");
			else
				printf(" %9.1f\n", 100 * m->coverage_90);
		}
	}
	printf("%s: %zu bytes, %s %s, sequence %lld (figures: rows left out of training)\n", out,
	       len, s->name, s->version, (long long)s->sequence);
}

/* The bundle of --calibrate, adapted to the rows; its card keeps the one it had. */
static int calibrate_set(const struct arguments *a, const struct train_options *o,
			 const struct table *t, struct model_set **ret, struct err *e)
{
	struct adapt_zone zones[ZONE_COUNT];
	struct model_set *s;
	struct text card = {0};
	const char *comma = "";
	int r = input_bundle(a->calibrate, a->trust, &s, e);

	if (r < 0)
		return r;
	r = adapt(s, t, o->seed, zones, e);
	text_add(&card, "{\"calibrated\":{");
	zone_foreach (z) {
		if (r < 0 || !zones[z].rows)
			continue;
		text_printf(&card,
			    "%s\"%s\":{\"rows\":%zu,\"method\":\"%s\",\"error_before\":", comma,
			    zone_name(z), zones[z].rows, adapt_method_name(zones[z].method));
		text_json_number(&card, zones[z].before);
		text_add(&card, ",\"error_left_out\":");
		text_json_number(&card, zones[z].after);
		text_add(&card, "}");
		comma = ",";
		fprintf(stderr, "%-9s %zu rows, %s: relative error %.1f %% before", zone_name(z),
			zones[z].rows, adapt_method_name(zones[z].method), 100 * zones[z].before);
		if (isfinite(zones[z].after))
			fprintf(stderr, ", %.1f %% on left-out rows now", 100 * zones[z].after);
		fprintf(stderr, "\n");
	}
	text_printf(&card, "},\"from\":{\"name\":\"%s\",\"version\":\"%s\",\"card\":%s}}", s->name,
		    s->version, s->card ? s->card : "null");
	if (r == 0 && card.failed)
		r = err_nomem(e);
	if (r < 0) {
		text_release(&card);
		model_set_free(s);
		return r;
	}
	free(s->card);
	s->card = card.s;
	if (a->named)
		snprintf(s->name, sizeof(s->name), "%s", o->name);
	snprintf(s->version, sizeof(s->version), "%s", o->version);
	s->sequence = o->sequence;
	s->created_s = o->created_s;
	s->expires_s = o->expires_s ? o->expires_s : s->expires_s;
	s->trained_on = (struct applicability){.cpu_vendor = ""};
	table_vcpus(t, &s->trained_on.vcpus_min, &s->trained_on.vcpus_max);
	*ret = s;
	return 0;
}

static int run(struct arguments *a, struct err *e)
{
	struct train_options o = {0};
	struct secret_key key;
	struct table *t = NULL;
	struct model_set *s = NULL;
	char trials[PATH_MAX];
	uint64_t max_size;
	size_t len = 0;
	int r = check_arguments(a, &o, &max_size, e);

	/* The key first: nobody should wait for a training that cannot be signed. */
	if (r == 0)
		r = secret_key_read(a->sign_key, &key, e);
	if (r < 0)
		return r;
	snprintf(trials, sizeof(trials), "%s.trials", a->as.out);
	o.trials_path = trials;
	r = load_datasets(&a->datasets, &t, e);
	if (r == 0)
		r = a->calibrate ? calibrate_set(a, &o, t, &s, e) : train(t, &o, &s, e);
	if (r == 0)
		r = signed_write(s, a->as.out, &key, max_size, &len, e);
	if (r == 0 && o.search != SEARCH_NONE)
		unlink(trials);
	if (r == 0 && a->json)
		r = signed_print("train", s, a->as.out, len) ? err_nomem(e) : 0;
	else if (r == 0)
		print_table(s, a->as.out, len);
	secret_key_wipe(&key);
	model_set_free(s);
	table_free(t);
	return r;
}

int cmd_train(int argc, char **argv)
{
	struct arguments a = {.as = {.version = "1.0.0", .sequence = SIGNED_SEQUENCE_NOW},
			      .seed = 1,
			      .trials = -1};
	const struct option_spec options[] = {
		{"dataset", "D.db...", OPTION_LIST, &a.datasets, "dataset files (vmwatts dataset)"},
		{"out", "FILE.vmw", OPTION_STRING, &a.as.out,
		 "bundle to write; FILE.vmw.minisig too"},
		{"sign-key", "K.key", OPTION_STRING, &a.sign_key,
		 "secret key (vmwatts model keygen)"},
		{"name", "NAME", OPTION_STRING, &a.as.name,
		 "the bundle's name (vmwatts; with --calibrate: as the bundle)"},
		{"version", "V", OPTION_STRING, &a.as.version, "its version (1.0.0)"},
		{"sequence", "N", OPTION_INT, &a.as.sequence, "orders versions (the time now)"},
		{"expires", "WHEN", OPTION_STRING, &a.as.expires,
		 "a day such as 2027-06-30 or a span such as 180d: is not installed from then on "
		 "(never; with --calibrate: as the bundle)"},
		{"family", "F", OPTION_STRING, &a.family,
		 "auto (a blend of experts), linear, physics, forest, gbdt, hybrid or mlp (auto)"},
		{"search", "S", OPTION_STRING, &a.search,
		 "hyper-parameters: none, grid or bayes (none); of boosted trees (auto, blend, "
		 "gbdt) or "
		 "the network (mlp), other families have none to search"},
		{"trials", "N", OPTION_INT, &a.trials, "of the search, per zone (20)"},
		{"budget", "TIME", OPTION_STRING, &a.budget,
		 "time for the search; the same command takes it up again from FILE.vmw.trials"},
		{"calibrate", "B.vmw", OPTION_STRING, &a.calibrate,
		 "adapt this bundle to the machine of the dataset: a few rows do"},
		{"trust", "K.pub", OPTION_STRING, &a.trust,
		 "with --calibrate: the key that signed it"},
		{"scope", "S", OPTION_STRING, &a.scope,
		 "what the labels mean: vm_active, node_total or platform (vm_active)"},
		{"uncore", "D", OPTION_STRING, &a.uncore,
		 "what the uncore label is: pp1 or package_minus_core (pp1)"},
		{"stateless", NULL, OPTION_FLAG, &a.stateless, "use no history"},
		{"max-size", "SIZE", OPTION_STRING, &a.max_size,
		 "largest bundle (900K); with less, trees and then blends are left out"},
		{"seed", "N", OPTION_INT, &a.seed, "what chance is drawn from (1)"},
		{"jobs", "N", OPTION_INT, &a.jobs,
		 "folds at a time (all CPUs); changes nothing in the result"},
		{"json", NULL, OPTION_FLAG, &a.json, "print the model card as JSON"},
	};
	struct err e = ERR_INIT;
	int code = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (code >= 0)
		return code;
	return run(&a, &e) < 0 ? cli_fail("train", &e) : 0;
}
