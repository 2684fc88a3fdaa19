// SPDX-License-Identifier: Apache-2.0
/* Candidate against serving bundle: see judge.h. */
#include "retrain/judge.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "base/kernel.h"
#include "evaluate/answers.h"

static int compare_all(const struct judged *j, const struct prior *prior,
		       struct zone_comparison ret[ZONE_COUNT], struct err *e)
{
	struct evaluate_options o = {.prior = prior};
	struct answers candidate = {.watts = {NULL}}, serving = {.watts = {NULL}};
	int r = answers_compute(j->held, j->candidate, &o, &candidate, e);

	if (r == 0)
		r = answers_compute(j->held, j->serving, &o, &serving, e);
	zone_foreach (z) {
		ret[z] = (struct zone_comparison){.rows = 0};
		if (r == 0 && j->held->y_w[z])
			r = compare_zone(j->held, &candidate, &serving, z, &ret[z], e);
	}
	answers_release(&candidate);
	answers_release(&serving);
	return r;
}

static void add_zone(struct text *t, enum zone z, const struct zone_comparison *c, bool first)
{
	static const char *const who[] = {"candidate", "serving"};

	text_printf(t, "%s\"%s\":{\"verdict\":\"%s\",\"rows\":%zu,\"blocks\":%zu", first ? "" : ",",
		    zone_name(z), verdict_name(c->verdict), c->rows, c->blocks);
	text_json_field(t, "gain_watts", c->gain_w, 6);
	text_json_field(t, "standard_error_watts", c->se_w, 6);
	for (int k = 0; k < 2; k++) {
		text_printf(t, ",\"%s\":{\"rows\":%zu", who[k], c->rows);
		text_json_field(t, "mae_watts", c->mae_w[k], 6);
		text_json_field(t, "wmape", c->wmape[k], 6);
		text_json_field(t, "coverage_90", c->coverage_90[k], 6);
		text_add(t, "}");
	}
	text_add(t, "}");
}

static void add_data(struct text *t, const struct judged *j)
{
	text_printf(t, ",\"recordings\":{\"imported\":%s,\"refused\":%s}", j->intake->names.s,
		    j->intake->refusals.s);
	text_printf(t, ",\"rows\":{\"trained\":%zu,\"held_out\":%zu},\"held_out_runs\":[",
		    j->trained_on->n_rows, j->held->n_rows);
	for (size_t k = 0; k < j->held->n_runs; k++) {
		text_add(t, k ? "," : "");
		text_json_string(t, j->held->runs[k].name);
	}
	text_add(t, "]");
}

static void add_head(struct text *t, const struct judged *j)
{
	const struct model_set *s = j->candidate;
	time_t now = time(NULL);
	char date[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	text_printf(t,
		    "{\"round\":%lld,\"date\":\"%s\",\"name\":\"%s\",\"version\":\"%s\","
		    "\"sequence\":%lld,\"serving\":",
		    (long long)j->state->round, date, s->name, s->version, (long long)s->sequence);
	text_json_string(t, j->serving ? j->serving->version : "prior");
}

int judge_round(const struct judged *j, const struct retrain_options *o, struct text *line,
		bool *ret_promote, struct err *e)
{
	int64_t from_ns = kernel_linux.monotonic_ns();
	struct zone_comparison zones[ZONE_COUNT];
	autotext struct text reason = {0};
	bool promote, first = true;
	int r = compare_all(j, o->prior, zones, e);

	if (r < 0)
		return r;
	promote = promote_decide(o->promote, zones, &reason);
	add_head(line, j);
	text_printf(line,
		    ",\"rule\":\"%s\",\"decision\":\"%s\",\"reason\":", promote_name(o->promote),
		    promote ? "promoted" : "kept");
	text_json_string(line, reason.s ? reason.s : "");
	text_add(line, ",\"zones\":{");
	zone_foreach (z) {
		if (!zones[z].rows)
			continue;
		add_zone(line, z, &zones[z], first);
		first = false;
	}
	text_add(line, "}");
	add_data(line, j);
	text_add(line, ",\"seconds\":{\"import\":");
	text_number_digits(line, j->state->import_s, 4);
	text_json_field(line, "train", j->state->train_s, 6);
	text_json_field(line, "compare", (double)(kernel_linux.monotonic_ns() - from_ns) * 1e-9, 6);
	text_add(line, "}}");
	if (line->failed || reason.failed)
		return err_nomem(e);
	*ret_promote = promote;
	return 0;
}
