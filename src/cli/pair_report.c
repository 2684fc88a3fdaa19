// SPDX-License-Identifier: Apache-2.0
/* How a guest's rows came by their labels, for people and for programs: see pair_report.h. */
#include "cli/pair_report.h"

#include <math.h>
#include <stdio.h>

/* What a trace's side went through; nothing for a CSV. */
static void trace_json(struct text *t, const char *key, const struct recording_report *r)
{
	if (!r->trace)
		return;
	text_printf(t, ",\"%s\":{\"vm\":", key);
	text_json_string(t, r->vm);
	text_printf(t, ",\"streams\":%zu,\"boots\":%zu,\"samples\":%zu,\"rows\":%zu", r->streams,
		    r->boots, r->samples, r->rows);
	text_printf(t, ",\"duplicates\":%zu,\"late\":%zu,\"suspends\":%zu,\"gaps\":%zu",
		    r->duplicates, r->late, r->suspends, r->gaps);
	text_printf(t, ",\"clock_steps\":%zu,\"damaged_bytes\":%llu", r->clock_steps,
		    (unsigned long long)r->damaged_bytes);
	text_json_field(t, "largest_clock_step_seconds", r->largest_step_s, 0);
	text_add(t, "}");
}

void pair_json(struct text *t, const char *host_path, const struct pair_report *p)
{
	text_add(t, ",\"pair\":{\"host_file\":");
	text_json_string(t, host_path);
	text_json_field(t, "lag_seconds", p->lag_s, 0);
	text_json_field(t, "lag_uncertainty_seconds", p->lag_uncertainty_s, 0);
	text_json_field(t, "lag_rival_seconds", p->lag_rival_s, 0);
	text_json_field(t, "drift_ppm", p->drift_ppm, 0);
	text_json_field(t, "drift_uncertainty_ppm", p->drift_uncertainty_ppm, 0);
	text_json_field(t, "label_window_seconds", p->label_window_s, 0);
	text_json_field(t, "meter_window_seconds", p->meter_window_s, 0);
	text_json_field(t, "correlation", p->correlation, 0);
	text_json_field(t, "r2", p->correlation * p->correlation, 0);
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
	trace_json(t, "guest_trace", &p->guest);
	trace_json(t, "host_trace", &p->host);
	text_add(t, "}");
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
	if (!isnan(p->drift_uncertainty_ppm))
		fprintf(stderr, "%s: the guest's clock gains %+.0f ppm (+- %.0f, 95 %%)%s\n", host,
			p->drift_ppm, p->drift_uncertainty_ppm,
			p->drift_ppm == 0 ? ": none to be seen" : "");
	if (!isnan(p->lag_rival_s))
		fprintf(stderr,
			"%s: %+.2f s fits nearly as well: the load repeats; --lag if that is the "
			"right one\n",
			host, p->lag_rival_s);
}

/* What went wrong while a trace was recorded, a line each. */
static void trace_talk(const char *path, const char *side, const struct recording_report *r)
{
	if (!r->trace)
		return;
	fprintf(stderr, "%s: the %s's side of %s, %zu samples", path, side, r->vm, r->samples);
	if (r->streams > 1)
		fprintf(stderr, ", the recorder started %zu times", r->streams);
	if (r->boots > 1)
		fprintf(stderr, ", the machine %zu times", r->boots);
	if (r->duplicates + r->late)
		fprintf(stderr, ", %zu came twice and %zu late (nothing is lost by that)",
			r->duplicates, r->late);
	if (r->suspends + r->gaps)
		fprintf(stderr, ", left out: %zu intervals with a suspend, %zu gaps", r->suspends,
			r->gaps);
	fprintf(stderr, "\n");
	if (r->clock_steps)
		fprintf(stderr,
			"%s: the %s's wall clock was set %zu times, by %+.0f s at most: its steady "
			"clock places the rows\n",
			path, side, r->clock_steps, r->largest_step_s);
	if (r->damaged_bytes)
		fprintf(stderr, "%s: %llu damaged bytes were passed over\n", path,
			(unsigned long long)r->damaged_bytes);
}

void pair_talk(const char *guest, const char *host, const struct pair_report *p)
{
	size_t left_out = p->rows_outside + p->rows_in_gaps + p->rows_empty;

	trace_talk(guest, "guest", &p->guest);
	trace_talk(host, "host", &p->host);
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
		text_say(stderr, "%s: columns not used: %s", host, p->host_ignored);
	if (left_out)
		fprintf(stderr,
			"%s: %zu rows left out without a label: %zu outside the host's time, %zu "
			"in its gaps, %zu where it is empty\n",
			guest, left_out, p->rows_outside, p->rows_in_gaps, p->rows_empty);
}
