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

struct arguments {
	struct string_list joined;
	struct pair_options pair; /* both paths, or neither */
	struct import_options o;
	const char *out, *lag;
	bool json;
};

static void report_number(struct text *t, const char *key, double value)
{
	text_printf(t, ",\"%s\":", key);
	text_json_number(t, value);
}

static void pair_json(struct text *t, const char *host_path, const struct pair_report *p)
{
	text_add(t, ",\"pair\":{\"host_file\":");
	text_json_string(t, host_path);
	report_number(t, "lag_seconds", p->lag_s);
	report_number(t, "lag_uncertainty_seconds", p->lag_uncertainty_s);
	report_number(t, "lag_rival_seconds", p->lag_rival_s);
	report_number(t, "label_window_seconds", p->label_window_s);
	report_number(t, "meter_window_seconds", p->meter_window_s);
	report_number(t, "correlation", p->correlation);
	report_number(t, "r2", p->correlation * p->correlation);
	text_printf(t, ",\"refreshes_compared\":%zu,\"host_rows\":%zu,\"host_bad_rows\":%zu",
		    p->refreshes, p->host_rows, p->host_bad_rows);
	text_printf(t, ",\"host_empty_rows\":%zu,\"host_repeated_rows\":%zu", p->host_empty_rows,
		    p->host_repeats);
	text_printf(t, ",\"host_repeats_constant\":%s",
		    p->host_repeats_constant ? "true" : "false");
	text_printf(t, ",\"rows_left_out\":{\"outside\":%zu,\"gap\":%zu,\"empty\":%zu}",
		    p->rows_outside, p->rows_in_gaps, p->rows_empty);
	text_add(t, ",\"host_ignored_columns\":");
	text_json_string(t, p->host_ignored);
	text_add(t, "}");
}

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
		fprintf(stderr, "%s: columns not used: %s\n", path, r->ignored);
}

static void lag_talk(const char *host, const struct pair_report *p)
{
	fprintf(stderr, "%s: guest time is host time %+.2f s", host, p->lag_s);
	if (isnan(p->lag_uncertainty_s))
		fprintf(stderr, " (given)");
	else
		fprintf(stderr, " (+- %.2f s, 95 %%)", p->lag_uncertainty_s);
	if (isnan(p->correlation))
		fprintf(stderr, ", load or power is constant: nothing shows whether it fits\n");
	else
		fprintf(stderr, ", R2 of power against load %.3f over %zu refreshes\n",
			p->correlation * p->correlation, p->refreshes);
	if (!isnan(p->lag_rival_s))
		fprintf(stderr,
			"%s: %+.2f s fits nearly as well: the load repeats; --lag if that is the "
			"right one\n",
			host, p->lag_rival_s);
}

static void pair_talk(const struct arguments *a, const struct pair_report *p)
{
	size_t left_out = p->rows_outside + p->rows_in_gaps + p->rows_empty;
	const char *guest = a->pair.guest_path, *host = a->pair.host_path;

	lag_talk(host, p);
	fprintf(stderr, "%s: %zu rows, %zu repeat %s", host, p->host_rows, p->host_repeats,
		p->host_repeats_constant ? "because power is constant" : "a refresh");
	if (p->host_empty_rows)
		fprintf(stderr, ", %zu are empty", p->host_empty_rows);
	if (p->host_bad_rows)
		fprintf(stderr, ", %zu bad rows left out", p->host_bad_rows);
	fprintf(stderr, "; labels average over %.2g s", p->label_window_s);
	if (!isnan(p->meter_window_s))
		fprintf(stderr, ", the meter's figures over about %.2g s", p->meter_window_s);
	fprintf(stderr, "\n");
	if (p->host_ignored[0])
		fprintf(stderr, "%s: columns not used: %s\n", host, p->host_ignored);
	if (left_out)
		fprintf(stderr,
			"%s: %zu rows left out without a label: %zu outside the host's time, %zu "
			"in its gaps, %zu where it is empty\n",
			guest, left_out, p->rows_outside, p->rows_in_gaps, p->rows_empty);
}

static int import_pair(struct dataset *d, const struct arguments *a, struct text *t, struct err *e)
{
	struct import_report report;
	struct pair_report pair;
	int r = dataset_import_paired(d, &a->pair, &a->o, stderr, &report, &pair, e);

	if (r < 0)
		return r;
	import_json(t, a, a->pair.guest_path, &report, &pair);
	if (a->json)
		return 0;
	import_talk(a->pair.guest_path, &report);
	pair_talk(a, &pair);
	return 0;
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
	struct dataset *d;
	struct text t = {0};
	size_t imported = 0;
	int r = dataset_open(a->out, DATASET_WRITE, &d, &e);

	if (r < 0)
		return cli_fail(command, &e);
	text_add(&t, "[");
	if (a->joined.n)
		r = import_joined(d, a, &imported, &t, &e);
	else
		r = import_pair(d, a, &t, &e);
	text_add(&t, "]\n");
	dataset_close(d);
	if (r < 0 && !imported && !existed)
		unlink(a->out);
	if (r == 0 && a->json)
		return cli_print(command, &t);
	text_release(&t);
	return r < 0 ? cli_fail(command, &e) : 0;
}

/* A sentence on what is wrong with the command line, or NULL. */
static const char *misuse_of_pair(const struct arguments *a)
{
	const struct pair_options *p = &a->pair;

	if (!p->guest_path && !p->host_path)
		return a->lag ? "--lag belongs to --guest and --host" : NULL;
	if (!p->guest_path)
		return "--guest G.csv is needed with --host";
	if (!p->host_path)
		return "--host H.csv is needed with --guest";
	if (a->joined.n)
		return "--joined, or --guest with --host: one kind of recording at a time";
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
	if (!a->joined.n && !a->pair.guest_path)
		return "--joined F.csv..., or --guest G.csv with --host H.csv, is needed";
	if (!a->out)
		return "--out D.db is needed";
	if (a->o.run && a->joined.n > 1)
		return "--run names one run, but --joined has several files";
	if (a->o.window_s < 0 || a->o.window_s > 3600)
		return "--window takes 0 to 3600 seconds";
	return NULL;
}

static const struct command_help help = {
	.usage = "dataset import --joined F.csv... | --guest G.csv --host H.csv --out D.db "
		 "[options]",
	.about = "Import recordings into a dataset: with counters and power on one clock "
		 "(--joined),\none run a file; or a guest's counters and its host's power, each on "
		 "its own clock\n(--guest, --host), one run. The lag between the two is found, and "
		 "told with its\nuncertainty; where none is credible nothing is imported. The "
		 "dataset is created or\nappended to; a run is imported whole or not at all.",
	.example =
		"  vmwatts dataset import --joined monday.csv tuesday.csv --out lab.db\n"
		"  vmwatts dataset import --guest run.guest.csv --host run.host.csv --out lab.db"};

int cmd_dataset_import(int argc, char **argv)
{
	struct arguments a = {.pair = {.lag_s = NAN}};
	struct err e = ERR_INIT;
	const char *why;
	const struct option_spec options[] = {
		{"joined", "F.csv...", OPTION_LIST, &a.joined, "recordings, one run each"},
		{"guest", "G.csv", OPTION_STRING, &a.pair.guest_path,
		 "the guest's half of a paired recording"},
		{"host", "H.csv", OPTION_STRING, &a.pair.host_path,
		 "the host's half: time_s and <zone>_watts or _joules"},
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
