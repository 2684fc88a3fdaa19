// SPDX-License-Identifier: Apache-2.0
/*
 * vmwatts estimate: features in, watts out, row for row.
 *
 * The first rows are held back until the usual step between them is known
 * (it decides whether rows are averaged over the trained window); from then on
 * one row is in memory at a time.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inputs.h"
#include "features/csv.h"
#include "features/stream.h"
#include "model/estimator.h"
#include "pinning/cpus.h"

#define HELD_ROWS      8
#define WATTS_DIGITS   9
#define BAD_ROWS_TOLD  20
#define FLUSH_AT_BYTES 65536

static const struct command_help help = {
	.usage = "estimate [--bundle B --trust K.pub] [options] < features.csv > estimates.csv",
	.about =
		"One line of watts for every line of features. Without a bundle the built-in prior "
		"of this\nmachine answers, for its vCPUs where there is no column vcpus. Label and "
		"unknown columns are\nignored; what cannot be answered stays empty. Rows in time "
		"order use the past where the bundle has a "
		"model "
		"for it; a gap over\n3 x the usual step, or time going back, starts afresh.",
	.example = "  vmwatts estimate --bundle model.vmw --trust K.pub < features.csv"};

struct arguments {
	const char *bundle, *trust, *root;
	double window_s;
	bool json, stateless;
};

/* One input row: what was read, or why it was not. */
struct held {
	struct csv_row row;
	bool bad;
};

struct session {
	const struct arguments *a;
	const struct model_set *set;
	struct prior prior;
	struct csv_reader *csv;
	struct estimator *estimator;
	double dt_s;  /* what each row averages over; NaN: not known */
	double vcpus; /* of rows that have no such column; NaN: not known */
	size_t bad_rows, unanswered, n_held;
	struct held held[HELD_ROWS];
	struct text out;
};

/* The zones of the answer: platform only where the bundle has it. */
static bool answers_zone(const struct session *s, enum zone z)
{
	return z < ZONE_RAPL_COUNT || (s->set && s->set->zones[z].n);
}

static void write_header(struct session *s)
{
	text_add(&s->out, "time_s");
	zone_foreach (z) {
		const char *name = zone_name(z);

		if (answers_zone(s, z))
			text_printf(&s->out, ",%s_watts,%s_watts_low,%s_watts_high,%s_confidence",
				    name, name, name, name);
	}
	text_add(&s->out, "\n");
}

static void write_csv(struct session *s, const struct csv_row *row, const struct estimate *estimate)
{
	text_add(&s->out, row->time_text);
	zone_foreach (z) {
		const struct zone_estimate *zone = &estimate->zone[z];

		if (!answers_zone(s, z))
			continue;
		if (!zone->valid) {
			text_add(&s->out, ",,,,");
			continue;
		}
		text_add(&s->out, ",");
		text_number_digits(&s->out, zone_watts(zone), WATTS_DIGITS);
		text_add(&s->out, ",");
		text_number_digits(&s->out, zone->low_w, WATTS_DIGITS);
		text_add(&s->out, ",");
		text_number_digits(&s->out, zone->high_w, WATTS_DIGITS);
		text_add(&s->out, ",");
		text_number_digits(&s->out, zone->confidence, 4);
	}
	text_add(&s->out, "\n");
}

static void write_json(struct session *s, const struct csv_row *row,
		       const struct estimate *estimate)
{
	bool first = true;

	text_add(&s->out, "{\"time_s\":");
	text_json_number(&s->out, row->row.t_s);
	text_printf(&s->out, ",\"tier\":\"%s\",\"zones\":{", tier_name(estimate->tier));
	zone_foreach (z) {
		const struct zone_estimate *zone = &estimate->zone[z];

		if (!zone->valid)
			continue;
		text_printf(&s->out, "%s\"%s\":{\"watts\":", first ? "" : ",", zone_name(z));
		text_json_number(&s->out, zone_watts(zone));
		text_add(&s->out, ",\"watts_low\":");
		text_json_number(&s->out, zone->low_w);
		text_add(&s->out, ",\"watts_high\":");
		text_json_number(&s->out, zone->high_w);
		text_add(&s->out, ",\"confidence\":");
		text_json_number(&s->out, zone->confidence);
		text_printf(&s->out, ",\"provenance\":\"%s\"}", provenance_name(zone->provenance));
		first = false;
	}
	text_add(&s->out, "}}\n");
}

static bool says_nothing(const struct estimate *estimate)
{
	zone_foreach (z) {
		if (estimate->zone[z].valid)
			return false;
	}
	return true;
}

/* A bad row is answered too, with nothing, so that rows stay aligned. */
static void answer(struct session *s, const struct held *held)
{
	struct estimate estimate;

	memset(&estimate, 0, sizeof(estimate));
	if (!held->bad) {
		struct row row = held->row.row;

		row.dt_s = s->dt_s;
		if (!csv_header(s->csv)->feature[FEATURE_VCPUS]) {
			row.v[FEATURE_VCPUS] = s->vcpus;
			row_complete(&row);
		}
		estimator_row(s->estimator, &row, &estimate);
		s->unanswered += says_nothing(&estimate);
	}
	if (s->a->json)
		write_json(s, &held->row, &estimate);
	else
		write_csv(s, &held->row, &estimate);
}

static int flush(struct session *s, struct err *e)
{
	if (s->out.failed)
		return err_nomem(e);
	if (s->out.len && fwrite(s->out.s, 1, s->out.len, stdout) != s->out.len)
		return err_errno(e, "cannot write the estimates");
	text_reset(&s->out);
	return 0;
}

/* The next row, good or bad: 1, 0 at the end, negative when reading failed. */
static int read_row(struct session *s, struct held *ret, struct err *e)
{
	struct err why = ERR_INIT;
	int r = csv_next(s->csv, &ret->row, &why);

	ret->bad = r == -ERR_DATA;
	if (ret->bad) {
		s->bad_rows++;
		if (s->bad_rows <= BAD_ROWS_TOLD)
			text_say(stderr, "vmwatts estimate: %s", why.msg);
		return 1;
	}
	if (r < 0)
		*e = why;
	return r;
}

static int hold_first_rows(struct session *s, struct err *e)
{
	struct estimator_options o = {
		.set = s->set, .prior = &s->prior, .stateless = s->a->stateless};
	size_t wanted = s->set ? HELD_ROWS : 0;
	double t_s[HELD_ROWS];
	size_t n = 0;
	int r = 1;

	while (s->n_held < wanted && (r = read_row(s, &s->held[s->n_held], e)) == 1)
		s->n_held++;
	if (r < 0)
		return r;
	for (size_t i = 0; i < s->n_held; i++) {
		if (!s->held[i].bad)
			t_s[n++] = s->held[i].row.row.t_s;
	}
	o.step_s = usual_step(t_s, n);
	s->dt_s = o.step_s;
	if (s->a->window_s > 0) /* else NaN where no step is known, and fmax() would make it 0 */
		s->dt_s = fmax(o.step_s, s->a->window_s);
	return estimator_new(&o, &s->estimator, e);
}

static int estimate_rows(struct session *s, struct err *e)
{
	struct held held;
	int r = hold_first_rows(s, e);

	if (r < 0)
		return r;
	if (!s->a->json)
		write_header(s);
	for (size_t i = 0; i < s->n_held; i++)
		answer(s, &s->held[i]);
	while ((r = read_row(s, &held, e)) == 1) {
		answer(s, &held);
		if (s->out.len >= FLUSH_AT_BYTES)
			r = flush(s, e);
		if (r < 0)
			return r;
	}
	return r == 0 ? flush(s, e) : r;
}

static int open_input(struct session *s, struct err *e)
{
	const struct csv_options o = {.labels = false};
	int r = csv_open_fd(STDIN_FILENO, "stdin", &o, &s->csv, e);

	if (r == 0 && csv_header(s->csv)->ignored[0] &&
	    strstr(csv_header(s->csv)->ignored, "did you mean"))
		text_say(stderr, "vmwatts estimate: columns not used: %s",
			 csv_header(s->csv)->ignored);
	return r;
}

/* The prior is this machine's, so its vCPUs stand in; a bundle knows what it needs. */
static double stand_in_vcpus(const struct arguments *a)
{
	struct cpus online;
	struct root root;

	if (a->bundle || root_init(&root, a->root, NULL) < 0)
		return NAN;
	online = cpus_read(&root, "/sys/devices/system/cpu/online");
	return cpus_count(&online) ? (double)cpus_count(&online) : (double)NAN;
}

static void tell_unanswered(const struct session *s)
{
	if (s->unanswered)
		fprintf(stderr,
			"vmwatts estimate: %zu rows are not answered: cpu_utilization or "
			"cpu_busy_vcpus is needed%s\n",
			s->unanswered, s->set ? "" : ", and vcpus");
}

static int run(const struct arguments *a, struct err *e)
{
	struct session *s = calloc(1, sizeof(*s));
	struct model_set *set = NULL;
	int r;

	if (!s)
		return err_nomem(e);
	s->a = a;
	s->vcpus = stand_in_vcpus(a);
	r = input_prior(a->root, &s->prior, e);
	if (r == 0)
		r = input_bundle(a->bundle, a->trust, &set, e);
	s->set = set;
	if (r == 0)
		r = open_input(s, e);
	if (r == 0)
		r = estimate_rows(s, e);
	if (r == 0)
		tell_unanswered(s);
	if (r == 0 && s->bad_rows)
		r = err_set(e, -ERR_DATA, "stdin: %zu bad rows were answered with empty fields",
			    s->bad_rows);
	csv_close(s->csv);
	estimator_free(s->estimator);
	model_set_free(set);
	text_release(&s->out);
	free(s);
	return r;
}

int cmd_estimate(int argc, char **argv)
{
	struct arguments a = {0};
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"bundle", "B", OPTION_STRING, &a.bundle, "the bundle; B.minisig beside it"},
		{"trust", "K.pub", OPTION_STRING, &a.trust, "the public key that signed it"},
		{"json", NULL, OPTION_FLAG, &a.json, "one JSON object a line"},
		{"stateless", NULL, OPTION_FLAG, &a.stateless, "pass over models with history"},
		{"window", "S", OPTION_DOUBLE, &a.window_s,
		 "seconds that each row averages over (default: the step between rows)"},
		{"root", "DIR", OPTION_STRING, &a.root,
		 "whose prior answers where no model does (default: this machine)"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (a.window_s < 0 || a.window_s > 3600)
		err_set(&e, -ERR_USAGE, "--window takes 0 to 3600 seconds");
	else
		run(&a, &e);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
