// SPDX-License-Identifier: Apache-2.0
/* vmwatts dataset import: recordings, joined or a guest's with its host's, into a dataset. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/pair_report.h"

struct arguments {
	struct string_list joined, guests;
	struct pair_options pair; /* but for the guest's path: one of `guests` */
	struct import_options o;
	const char *out, *lag;
	bool json;
};

/* `p` is NULL for a joined recording. */
static void import_json(struct text *t, const struct arguments *a, const char *path,
			const struct import_report *r, const struct pair_report *p)
{
	text_add(t, "{\"file\":");
	text_json_string(t, path);
	text_printf(t, ",\"runs\":%zu,\"rows\":%zu,\"bad_rows\":%zu,\"repeated_label_rows\":%zu",
		    r->runs, r->rows, r->bad_rows, r->repeated_rows);
	text_printf(t, ",\"features\":%zu,\"zones\":%zu,\"ignored_columns\":", r->n_features,
		    r->n_zones);
	text_json_string(t, r->ignored);
	if (p)
		pair_json(t, a->pair.host_path, p);
	text_add(t, "}");
}

static void import_talk(const char *path, const struct import_report *r)
{
	fprintf(stderr, "%s: %zu rows, %zu features, %zu zones", path, r->rows, r->n_features,
		r->n_zones);
	if (r->runs > 1)
		fprintf(stderr, ", %zu runs", r->runs);
	if (r->bad_rows)
		fprintf(stderr, ", %zu bad rows left out", r->bad_rows);
	if (r->repeated_rows)
		fprintf(stderr, ", %zu rows repeat the label before", r->repeated_rows);
	fprintf(stderr, "\n");
	if (r->ignored[0])
		text_say(stderr, "%s: columns not used: %s", path, r->ignored);
}

/* One guest of one file; told, and added to the answer. */
static int import_pair(struct dataset *d, const struct arguments *a, const char *guest,
		       const char *vm, struct text *t, struct err *e)
{
	struct pair_options options = a->pair;
	struct import_report report;
	struct pair_report pair;
	int r;

	options.guest_path = guest;
	options.vm = vm;
	r = dataset_import_paired(d, &options, &a->o, stderr, &report, &pair, e);
	if (r < 0)
		return r;
	text_add(t, t->len > 1 ? "," : "");
	import_json(t, a, guest, &report, &pair);
	if (a->json)
		return 0;
	import_talk(guest, &report);
	pair_talk(guest, a->pair.host_path, &pair);
	return 0;
}

/* Every guest of a trace that holds several; one that cannot be aligned is told and passed over. */
static int import_guests(struct dataset *d, const struct arguments *a, const char *path,
			 size_t *ret_imported, struct text *t, struct err *e)
{
	autofree struct recording_side *sides = NULL;
	size_t n = 0, guests = 0, failed = 0;
	uint64_t damaged;
	int r = trace_is(path) ? recording_sides(path, &sides, &n, &damaged, e) : 0;

	for (size_t i = 0; i < n; i++)
		guests += sides[i].kind == TRACE_GUEST;
	if (r < 0 || guests < 2 || a->pair.vm) {
		r = r < 0 ? r : import_pair(d, a, path, a->pair.vm, t, e);
		*ret_imported += r == 0;
		return r;
	}
	for (size_t i = 0; i < n; i++) {
		struct err why = ERR_INIT;

		if (sides[i].kind != TRACE_GUEST)
			continue;
		r = import_pair(d, a, path, sides[i].vm, t, &why);
		*ret_imported += r == 0;
		failed += r < 0;
		if (r < 0)
			text_say(stderr, "%s: %s is left out: %s", path, sides[i].vm, why.msg);
		if (r < 0 && r != -ERR_DATA)
			return err_set(e, r, "%s", why.msg);
	}
	return failed ? err_set(e, -ERR_DATA, "%s: %zu of %zu guests were left out", path, failed,
				guests)
		      : 0;
}

static int import_pairs(struct dataset *d, const struct arguments *a, size_t *ret_imported,
			struct text *t, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->guests.n; i++)
		r = import_guests(d, a, a->guests.items[i], ret_imported, t, e);
	return r;
}

static int import_joined(struct dataset *d, const struct arguments *a, size_t *ret_imported,
			 struct text *t, struct err *e)
{
	for (size_t i = 0; i < a->joined.n; i++) {
		const char *path = a->joined.items[i];
		struct import_report report;
		int r = dataset_import_joined(d, path, &a->o, stderr, &report, e);

		if (r < 0)
			return r;
		if (!a->json)
			import_talk(path, &report);
		text_add(t, i ? "," : "");
		import_json(t, a, path, &report, NULL);
		*ret_imported = i + 1;
	}
	return 0;
}

static int import_all(const char *command, const struct arguments *a)
{
	bool existed = access(a->out, F_OK) == 0;
	struct err e = ERR_INIT;
	struct text t = {0};
	size_t imported = 0;
	struct dataset *d = NULL;
	int r = dataset_open(a->out, DATASET_WRITE, &d, &e);

	text_add(&t, "[");
	if (r == 0 && a->joined.n)
		r = import_joined(d, a, &imported, &t, &e);
	else if (r == 0)
		r = import_pairs(d, a, &imported, &t, &e);
	text_add(&t, "]\n");
	dataset_close(d);
	if (r < 0 && !imported && !existed)
		dataset_remove(a->out);
	if (r == 0 && a->json)
		return cli_print(command, &t);
	text_release(&t);
	return r < 0 ? cli_fail(command, &e) : 0;
}

/* A sentence on what is wrong with the command line, or NULL. */
static const char *misuse_of_pair(const struct arguments *a)
{
	const struct pair_options *p = &a->pair;

	if (!a->guests.n && !p->host_path)
		return a->lag || p->vm || p->host_vm
			       ? "--lag, --vm and --host-vm belong to --guest and --host"
			       : NULL;
	if (a->joined.n)
		return "--joined, or --guest with --host: one kind of recording at a time";
	if (!a->guests.n)
		return "--guest G is needed with --host";
	if (!p->host_path)
		return "--host H is needed with --guest";
	if (a->o.unordered)
		return "--unordered rows have no time by which guest and host could be paired";
	if (a->lag && !(fabs(p->lag_s) <= 86400))
		return "--lag takes -86400 to 86400 seconds";
	return NULL;
}

static const char *misuse(const struct arguments *a)
{
	const char *why = misuse_of_pair(a);

	if (why)
		return why;
	if (!a->joined.n && !a->guests.n)
		return "--joined F.csv..., or --guest G with --host H, is needed";
	if (!a->out)
		return "--out D.db is needed";
	if (a->o.run && (a->joined.n > 1 || a->guests.n > 1))
		return "--run names one run, but there are several files";
	if (a->o.window_s < 0 || a->o.window_s > 3600)
		return "--window takes 0 to 3600 seconds";
	return NULL;
}

static const struct command_help help = {
	.usage = "dataset import --joined F.csv... | --guest G... --host H --out D.db [options]",
	.about = "Import recordings into a dataset: with counters and power on one clock "
		 "(--joined),\n"
		 "one run a file; or a guest's counters and its host's power, each on its own "
		 "clock\n"
		 "(--guest, --host): CSV files, or traces of `vmwatts record`, one run a guest. "
		 "The\n"
		 "lag between the clocks, and from 40 minutes on their drift, is found and told "
		 "with\n"
		 "its uncertainty; where no lag is credible that run is not imported. A trace's "
		 "phase\n"
		 "labels become the groups. The dataset is created or appended to; a run is "
		 "imported\n"
		 "whole or not at all.",
	.example =
		"  vmwatts dataset import --joined monday.csv tuesday.csv --out lab.db\n"
		"  vmwatts dataset import --guest run.guest.csv --host run.host.csv --out lab.db\n"
		"  vmwatts dataset import --guest vm.vmt --host host.vmt --out lab.db"};

int cmd_dataset_import(int argc, char **argv)
{
	struct arguments a = {.pair = {.lag_s = NAN}};
	struct err e = ERR_INIT;
	const char *why;
	const struct option_spec options[] = {
		{"joined", "F.csv...", OPTION_LIST, &a.joined, "recordings, one run each"},
		{"guest", "G...", OPTION_LIST, &a.guests,
		 "guests' halves of paired recordings (CSV or trace)"},
		{"host", "H", OPTION_STRING, &a.pair.host_path,
		 "the host's half: a trace, or time_s and <zone>_watts or _joules"},
		{"vm", "NAME", OPTION_STRING, &a.pair.vm,
		 "of a guest's trace: this VM only (name or uuid)"},
		{"host-vm", "NAME", OPTION_STRING, &a.pair.host_vm,
		 "of a host's trace: the VM's name there, where it is another"},
		{"lag", "SECONDS", OPTION_STRING, &a.lag,
		 "guest time less host time (default: find it)"},
		{"run", "NAME", OPTION_STRING, &a.o.run, "name of the run (default: the file's)"},
		{"group", "COLUMN", OPTION_STRING, &a.o.group_column,
		 "rows of one value stay together in cross-validation"},
		{"window", "S", OPTION_DOUBLE, &a.o.window_s,
		 "seconds that each row averages over"},
		{"unordered", NULL, OPTION_FLAG, &a.o.unordered, "rows are no time series"},
		{"replace", NULL, OPTION_FLAG, &a.o.replace, "replace runs of the same name"},
		{"out", "D.db", OPTION_STRING, &a.out, "the dataset"},
		{"json", NULL, OPTION_FLAG, &a.json, "report as JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (a.lag && parse_double(a.lag, &a.pair.lag_s) < 0)
		why = "--lag takes a number of seconds";
	else
		why = misuse(&a);
	if (!why)
		return import_all(argv[0], &a);
	err_set(&e, -ERR_USAGE, "%s (see vmwatts %s --help)", why, argv[0]);
	return cli_fail(argv[0], &e);
}
