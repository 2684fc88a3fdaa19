// SPDX-License-Identifier: Apache-2.0
/* vmwatts dataset show|export|merge, and the table of its actions. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"

static int usage(const char *command, const char *sentence)
{
	fprintf(stderr, "vmwatts %s: %s (see vmwatts %s --help)\n", command, sentence, command);
	return 2;
}

static void json_key(struct text *t, bool *first, const char *key)
{
	text_add(t, *first ? "" : ",");
	text_json_string(t, key);
	text_add(t, ":");
	*first = false;
}

/* "key":value, null where it is not finite. */
static void json_number(struct text *t, bool *first, const char *key, double value)
{
	json_key(t, first, key);
	text_json_number(t, value);
}

/* show */

static void show_stats_json(struct text *t, bool *first, enum zone z, const struct label_stats *s)
{
	bool inner = true;

	json_key(t, first, zone_name(z));
	text_add(t, "{");
	json_number(t, &inner, "rows", (double)s->rows);
	json_number(t, &inner, "min_watts", s->min_w);
	json_number(t, &inner, "mean_watts", s->mean_w);
	json_number(t, &inner, "max_watts", s->max_w);
	text_add(t, "}");
}

static void show_zones_json(struct text *t, const struct table *data, size_t first_row, size_t n)
{
	bool first = true;

	text_add(t, "{");
	zone_foreach (z) {
		struct label_stats s;

		table_label_stats(data, z, first_row, n, &s);
		if (s.rows)
			show_stats_json(t, &first, z, &s);
	}
	text_add(t, "}");
}

/* First and last time of a run. */
static void time_span(const struct table *data, const struct table_run *run, double *ret_first,
		      double *ret_last)
{
	*ret_first = INFINITY;
	*ret_last = -INFINITY;
	for (size_t i = run->first; i < run->first + run->n; i++) {
		*ret_first = fmin(*ret_first, data->t_s[i]);
		*ret_last = fmax(*ret_last, data->t_s[i]);
	}
}

static void show_run_json(struct text *t, const struct table *data, const struct table_run *run)
{
	double from, to;
	bool first = false;

	time_span(data, run, &from, &to);
	text_add(t, "{\"name\":");
	text_json_string(t, run->name);
	text_printf(t, ",\"ordered\":%s", run->ordered ? "true" : "false");
	json_number(t, &first, "rows", (double)run->n);
	json_number(t, &first, "first_time_s", from);
	json_number(t, &first, "last_time_s", to);
	json_number(t, &first, "interval_s", run->interval_s);
	json_number(t, &first, "window_s", run->window_s);
	text_add(t, ",\"zones\":");
	show_zones_json(t, data, run->first, run->n);
	text_add(t, "}");
}

static double share_missing(const struct table *data, enum feature f)
{
	size_t missing = 0;

	for (size_t i = 0; i < data->n_rows; i++)
		missing += isnan(data->x[f][i]);
	return (double)missing / (double)data->n_rows;
}

static int show_json(const struct table *data)
{
	struct text t = {0};
	bool first = true;

	text_printf(&t, "{\"rows\":%zu,\"groups\":%zu,\"repeated_label_rows\":%zu,\"runs\":[",
		    data->n_rows, data->n_groups, table_repeated_rows(data));
	for (size_t i = 0; i < data->n_runs; i++) {
		text_add(&t, i ? "," : "");
		show_run_json(&t, data, &data->runs[i]);
	}
	text_add(&t, "],\"zones\":");
	show_zones_json(&t, data, 0, data->n_rows);
	text_add(&t, ",\"features\":{");
	feature_foreach (f) {
		if (data->x[f])
			json_number(&t, &first, feature_info(f)->name, share_missing(data, f));
	}
	text_add(&t, "}}\n");
	return cli_print("dataset", &t);
}

static void show_time(struct text *t, double t_s)
{
	time_t seconds = (time_t)t_s;
	char text[32];
	struct tm tm;

	/* Small numbers are row numbers or seconds of a program, not dates. */
	if (t_s < 1e8 || t_s > 1e11 || !gmtime_r(&seconds, &tm)) {
		text_number(t, t_s);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	text_add(t, text);
}

static void show_watts(struct text *t, const struct table *data, size_t first, size_t n)
{
	zone_foreach (z) {
		struct label_stats s;

		table_label_stats(data, z, first, n, &s);
		if (s.rows)
			text_printf(t, "  %s %.4g/%.4g/%.4g", zone_name(z), s.min_w, s.mean_w,
				    s.max_w);
	}
	text_add(t, "\n");
}

static void show_run(struct text *t, const struct table *data, const struct table_run *run)
{
	double from, to;

	time_span(data, run, &from, &to);
	text_printf(t, "  %-24s %7zu rows  ", run->name, run->n);
	show_time(t, from);
	text_add(t, " to ");
	show_time(t, to);
	if (!run->ordered)
		text_add(t, "  unordered");
	else if (isnan(run->interval_s))
		text_add(t, "  no interval: one row only");
	else
		text_printf(t, "  every %.4g s, means over %.4g s", run->interval_s, run->window_s);
	show_watts(t, data, run->first, run->n);
}

static int show_people(const char *path, const struct table *data)
{
	struct text t = {0};

	text_printf(&t, "%s: %zu runs, %zu rows, %zu groups, %zu rows repeat the label before\n",
		    path, data->n_runs, data->n_rows, data->n_groups, table_repeated_rows(data));
	if (data->n_rows == 1)
		text_add(&t, "one row only: nothing can be trained on it\n");
	text_add(&t, "\nruns (watts: lowest/mean/highest)\n");
	for (size_t i = 0; i < data->n_runs; i++)
		show_run(&t, data, &data->runs[i]);
	text_add(&t, "\nwatts of all runs\n");
	show_watts(&t, data, 0, data->n_rows);
	text_add(&t, "\nfeatures\n");
	feature_foreach (f) {
		if (data->x[f])
			text_printf(&t, "  %-26s %-8s %5.1f %% missing\n", feature_info(f)->name,
				    feature_info(f)->unit, 100 * share_missing(data, f));
	}
	return cli_print("dataset", &t);
}

static void show_side_json(struct text *t, const struct recording_side *s)
{
	text_add(t, "{\"vm\":");
	text_json_string(t, s->vm);
	text_add(t, ",\"uuid\":");
	text_json_string(t, s->uuid);
	text_printf(t, ",\"side\":\"%s\",\"starts\":%zu,\"samples\":%zu,\"labels\":%zu",
		    s->kind == TRACE_GUEST ? "guest" : "host", s->streams, s->rows, s->labels);
	text_add(t, ",\"from_s\":");
	text_json_number(t, s->rows ? (double)s->first_ns / 1e9 : NAN);
	text_add(t, ",\"to_s\":");
	text_json_number(t, s->rows ? (double)s->last_ns / 1e9 : NAN);
	text_add(t, "}");
}

static void show_side(struct text *t, const struct recording_side *s)
{
	text_printf(t, "  %-24s %-5s %7zu samples", s->vm,
		    s->kind == TRACE_GUEST ? "guest" : "host", s->rows);
	if (s->rows) {
		text_add(t, "  ");
		show_time(t, (double)s->first_ns / 1e9);
		text_add(t, " to ");
		show_time(t, (double)s->last_ns / 1e9);
	}
	if (s->labels)
		text_printf(t, ", %zu labels", s->labels);
	text_add(t, "\n");
}

static int show_trace(const char *command, const char *path, bool json)
{
	autofree struct recording_side *sides = NULL;
	struct err e = ERR_INIT;
	struct text t = {0};
	uint64_t damaged = 0;
	size_t n = 0;

	if (recording_sides(path, &sides, &n, &damaged, &e) < 0)
		return cli_fail(command, &e);
	if (json)
		text_printf(&t, "{\"damaged_bytes\":%llu,\"recordings\":[",
			    (unsigned long long)damaged);
	else
		text_printf(&t, "%s: %zu recordings, %llu damaged bytes\n", path, n,
			    (unsigned long long)damaged);
	for (size_t i = 0; i < n; i++) {
		text_add(&t, json && i ? "," : "");
		if (json)
			show_side_json(&t, &sides[i]);
		else
			show_side(&t, &sides[i]);
	}
	text_add(&t, json ? "]}\n" : "");
	return cli_print(command, &t);
}

/* The one dataset that a command works on; -1, or the exit code. */
static int only_path(const char *command, const struct string_list *rest, const char **ret)
{
	if (rest->n != 1)
		return usage(command, "one dataset D.db is needed");
	*ret = rest->items[0];
	return -1;
}

static int run_show(int argc, char **argv)
{
	static const struct command_help help = {
		.usage = "dataset show D.db|T.vmt [--json]",
		.about = "Runs, rows, time, watts per zone and features of a dataset; of a trace, "
			 "what VMs\nand which sides of them it holds."};
	struct string_list rest = {0};
	struct err e = ERR_INIT;
	struct dataset *d;
	struct table *data;
	const char *path = NULL;
	bool json = false;
	const struct option_spec options[] = {
		{"json", NULL, OPTION_FLAG, &json, "as JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), &rest);

	if (r < 0)
		r = only_path(argv[0], &rest, &path);
	if (r >= 0)
		return r;
	if (trace_is(path))
		return show_trace(argv[0], path, json);
	if (dataset_open(path, DATASET_READ, &d, &e) < 0)
		return cli_fail(argv[0], &e);
	r = dataset_load(d, &data, &e);
	dataset_close(d);
	if (r < 0)
		return cli_fail(argv[0], &e);
	r = json ? show_json(data) : show_people(path, data);
	table_free(data);
	return r;
}

/* export */

static int export_trace(const char *command, const char *path, const char *side, const char *vm)
{
	struct recording_choice choice = {.kind = TRACE_GUEST, .vm = vm};
	struct recording *recording;
	struct err e = ERR_INIT;
	int r;

	if (side && !strcmp(side, "host"))
		choice.kind = TRACE_HOST;
	else if (side && strcmp(side, "guest") != 0)
		return usage(command, "--side takes guest or host");
	if (recording_open(path, &choice, &recording, &e) < 0)
		return cli_fail(command, &e);
	r = recording_print(recording, stdout, &e);
	recording_close(recording);
	return r < 0 ? cli_fail(command, &e) : 0;
}

static int export_shards(struct dataset *d, const char *directory, long long rows, struct err *e)
{
	size_t shards;
	int r = file_make_directories(directory, 0755, e);

	if (r == 0)
		r = dataset_export_shards(d, directory, (size_t)rows, &shards, e);
	if (r == 0)
		printf("%s: %zu shards of at most %lld rows\n", directory, shards, rows);
	return r;
}

static int run_export(int argc, char **argv)
{
	static const struct command_help help = {
		.usage = "dataset export D.db > joined.csv | D.db --shards DIR [--shard-rows N] | "
			 "T.vmt [--side guest|host] [--vm NAME]",
		.about = "Write a dataset as one CSV with a column `run`, which import reads (with "
			 "the --window or\n--unordered that is told on stderr), or as many that a "
			 "cluster reads\n(docs/distributed.md); of a trace, one side of "
			 "one VM: a guest's\nfeatures, or a host's meters."};
	struct string_list rest = {0};
	struct err e = ERR_INIT;
	struct dataset *d;
	const char *path = NULL;
	const char *side = NULL, *vm = NULL, *shards = NULL;
	long long shard_rows = 100000;
	const struct option_spec options[] = {
		{"shards", "DIR", OPTION_STRING, &shards,
		 "into DIR/00000.csv and so on, not stdout"},
		{"shard-rows", "N", OPTION_INT, &shard_rows, "rows of a shard (100000)"},
		{"side", "S", OPTION_STRING, &side, "of a trace: guest (default) or host"},
		{"vm", "NAME", OPTION_STRING, &vm, "of a trace: name or uuid of the VM"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), &rest);

	if (r < 0)
		r = only_path(argv[0], &rest, &path);
	if (r >= 0)
		return r;
	if (shard_rows < 1)
		return usage(argv[0], "--shard-rows takes a number from 1");
	if (shards && trace_is(path))
		return usage(argv[0],
			     "--shards is for datasets; dataset import makes one of traces");
	if (trace_is(path))
		return export_trace(argv[0], path, side, vm);
	if (side || vm)
		return usage(argv[0],
			     "--side and --vm are for traces; a dataset is exported whole");
	if (dataset_open(path, DATASET_READ, &d, &e) < 0)
		return cli_fail(argv[0], &e);
	r = shards ? export_shards(d, shards, shard_rows, &e) : dataset_export(d, stdout, &e);
	if (r == 0 && !shards)
		r = dataset_tell_lost(d, stderr, &e);
	dataset_close(d);
	return r < 0 ? cli_fail(argv[0], &e) : 0;
}

/* merge */

struct merge_arguments {
	struct string_list from;
	const char *out;
	bool replace, json;
};

static int merge_files(const char *command, const struct merge_arguments *a)
{
	bool existed = access(a->out, F_OK) == 0;
	struct err e = ERR_INIT;
	struct text t = {0};
	struct dataset *d;
	size_t merged = 0;
	int r = dataset_open(a->out, DATASET_WRITE, &d, &e);

	if (r < 0)
		return cli_fail(command, &e);
	text_add(&t, "[");
	for (size_t i = 0; r == 0 && i < a->from.n; i++) {
		size_t runs;

		r = dataset_merge(d, a->from.items[i], a->replace, &runs, &e);
		if (r < 0)
			break;
		merged++;
		text_add(&t, i ? ",{\"file\":" : "{\"file\":");
		text_json_string(&t, a->from.items[i]);
		text_printf(&t, ",\"runs\":%zu}", runs);
		if (!a->json)
			fprintf(stderr, "%s: %zu runs\n", a->from.items[i], runs);
	}
	text_add(&t, "]\n");
	dataset_close(d);
	if (r < 0 && !merged && !existed)
		dataset_remove(a->out);
	if (r == 0 && a->json)
		return cli_print(command, &t);
	text_release(&t);
	return r < 0 ? cli_fail(command, &e) : 0;
}

static int run_merge(int argc, char **argv)
{
	static const struct command_help help = {
		.usage = "dataset merge A.db B.db... --out D.db [--replace] [--json]",
		.about = "Copy the runs of several datasets into one, which may exist."};
	struct merge_arguments a = {.out = NULL};
	const struct option_spec options[] = {
		{"out", "D.db", OPTION_STRING, &a.out, "the dataset to copy into"},
		{"replace", NULL, OPTION_FLAG, &a.replace, "replace runs of the same name"},
		{"json", NULL, OPTION_FLAG, &a.json, "report as JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), &a.from);

	if (r >= 0)
		return r;
	if (!a.from.n || !a.out)
		return usage(argv[0], "datasets to copy from and --out D.db are needed");
	return merge_files(argv[0], &a);
}

static const struct command actions[] = {
	{"import", "recordings (CSV or traces) into a dataset", cmd_dataset_import, NULL},
	{"show", "what a dataset or a trace holds", run_show, NULL},
	{"export", "a dataset, or one side of a trace, as CSV", run_export, NULL},
	{"merge", "several datasets into one", run_merge, NULL},
};

int cmd_dataset(int argc, char **argv)
{
	return cli_actions(argc, argv, actions, array_size(actions));
}
