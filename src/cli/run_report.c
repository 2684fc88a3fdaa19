// SPDX-License-Identifier: Apache-2.0
/* The energy of a command's runs, told: see run_report.h. */
#include "cli/run_report.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define each_zone(z) for (int z = 0; z < ZONE_RAPL_COUNT; z++)

struct charge charge_of(const struct energy *e, int zone, bool idle)
{
	const struct zone_energy *z = &e->zone[zone];
	double idle_j = idle ? z->idle_j : 0;
	double per_s = e->seconds > 0 ? 1 / e->seconds : 0;

	if (!z->valid)
		return (struct charge){NAN, NAN, NAN, NAN, NAN};
	return (struct charge){.joules = z->joules + idle_j,
			       .low_j = idle ? z->all_low_j : z->low_j,
			       .high_j = idle ? z->all_high_j : z->high_j,
			       .mean_w = (z->joules + idle_j) * per_s,
			       .peak_w = z->peak_w + idle_j * per_s};
}

struct spread spread_of(const double *values, size_t n)
{
	struct spread s = {.mean = 0, .sd = NAN, .cv = NAN};
	double squares = 0;

	for (size_t i = 0; i < n; i++)
		s.mean += values[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (values[i] - s.mean) * (values[i] - s.mean);
	if (n > 1) {
		s.sd = sqrt(squares / (double)(n - 1));
		s.cv = s.sd / s.mean;
	}
	return s;
}

/* ---- over the runs ---- */

static double seconds_of(const struct measure_result *r, int z, bool idle)
{
	(void)z;
	(void)idle;
	return r->energy.seconds;
}

static double cpu_of(const struct measure_result *r, int z, bool idle)
{
	(void)z;
	(void)idle;
	return r->energy.cpu_s;
}

static double share_of(const struct measure_result *r, int z, bool idle)
{
	(void)z;
	(void)idle;
	return energy_share(&r->energy);
}

static double joules_of(const struct measure_result *r, int z, bool idle)
{
	return charge_of(&r->energy, z, idle).joules;
}

static double low_of(const struct measure_result *r, int z, bool idle)
{
	return charge_of(&r->energy, z, idle).low_j;
}

static double high_of(const struct measure_result *r, int z, bool idle)
{
	return charge_of(&r->energy, z, idle).high_j;
}

static double mean_of(const struct measure_result *r, int z, bool idle)
{
	return charge_of(&r->energy, z, idle).mean_w;
}

static double peak_of(const struct measure_result *r, int z, bool idle)
{
	return charge_of(&r->energy, z, idle).peak_w;
}

/* Of one figure over all runs; NaN where there is no memory to sort it out. */
static struct spread over(const struct run_report *r, int z,
			  double (*figure)(const struct measure_result *, int, bool))
{
	autofree double *values = malloc(r->n * sizeof(*values));

	if (!values)
		return (struct spread){NAN, NAN, NAN};
	for (size_t i = 0; i < r->n; i++)
		values[i] = figure(&r->runs[i], z, r->idle);
	return spread_of(values, r->n);
}

static double least_confidence(const struct run_report *r, int z)
{
	double least = 1;

	for (size_t i = 0; i < r->n; i++)
		least = fmin(least, r->runs[i].energy.zone[z].confidence);
	return least;
}

static enum provenance weakest(const struct run_report *r, int z)
{
	enum provenance p = PROVENANCE_HOST;

	for (size_t i = 0; i < r->n; i++) {
		if (r->runs[i].energy.zone[z].provenance > p)
			p = r->runs[i].energy.zone[z].provenance;
	}
	return p;
}

static unsigned failures(const struct run_report *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->runs[i].exit_code != 0;
	return n;
}

/* ---- text ---- */

static void add_spread(struct text *t, const struct spread *s)
{
	if (isfinite(s->sd))
		text_printf(t, "  sd %.3g (%.1f %%)", s->sd, 100 * s->cv);
	text_add(t, "\n");
}

/* Three digits or more, whatever the size. */
static int decimals(double v)
{
	return v < 0.1 ? 4 : v < 1 ? 3 : v < 1000 ? 2 : 0;
}

static void add_head(const struct run_report *r, struct text *t)
{
	struct spread seconds = over(r, 0, seconds_of), cpu = over(r, 0, cpu_of);

	text_add(t, "\nvmwatts run:");
	for (size_t i = 0; r->argv[i]; i++)
		text_printf(t, " %s", r->argv[i]);
	if (r->n > 1 || r->warm_ups)
		text_printf(t, "  (%zu runs, %zu before to warm up)", r->n, r->warm_ups);
	if (failures(r))
		text_printf(t, "\n  %u of %zu did not end with 0", failures(r), r->n);
	text_printf(t, "\n\n  seconds      %10.3f", seconds.mean);
	add_spread(t, &seconds);
	text_printf(t, "  CPU seconds  %10.3f", cpu.mean);
	add_spread(t, &cpu);
	text_printf(t, "  share        %9.1f %% of this VM's busy CPU time\n\n",
		    100 * over(r, 0, share_of).mean);
}

static void add_zone(const struct run_report *r, int z, bool spread, struct text *t)
{
	struct spread joules = over(r, z, joules_of);
	double low_j = over(r, z, low_of).mean, high_j = over(r, z, high_of).mean;
	char interval[48];

	if (!isfinite(joules.mean)) {
		text_printf(t, "  %-8s %10s\n", zone_name((enum zone)z), "-");
		return;
	}
	snprintf(interval, sizeof(interval), "%.*f - %.*f", decimals(high_j), low_j,
		 decimals(high_j), high_j);
	text_printf(t, "  %-8s %10.*f %19s %9.2f %9.2f", zone_name((enum zone)z),
		    decimals(joules.mean), joules.mean, interval, over(r, z, mean_of).mean,
		    over(r, z, peak_of).mean);
	if (spread)
		text_printf(t, " %8.3g %6.1f %%", joules.sd, 100 * joules.cv);
	else
		text_printf(t, " %11.2f", least_confidence(r, z));
	text_printf(t, "  %s\n", provenance_name(weakest(r, z)));
}

void run_report_text(const struct run_report *r, struct text *t)
{
	const struct measure_result *first = &r->runs[0];
	bool spread = r->n > 1;

	add_head(r, t);
	text_printf(t, "  %-8s %10s %19s %9s %9s %*s  %s\n", "zone", "joules", "90 % interval",
		    "mean W", "peak W", spread ? 17 : 11, spread ? "sd J       CV" : "confidence",
		    "provenance");
	each_zone(z) add_zone(r, z, spread, t);
	text_printf(t, "\n  idle power %s\n",
		    r->idle ? "of the VM is in it" : "is not charged to the command (--idle)");
	text_printf(t, "  CPU time by %s%s%s\n", cputime_name(first->method),
		    first->why[0] ? ": " : "", first->why);
	text_printf(t, "  model %s, features %s, scope %s\n", r->last->model_version,
		    tier_name(r->last->tier), scope_name(r->last->scope));
}

/* ---- JSON ---- */

static void spread_fields(struct text *t, const char *key, const struct spread *s)
{
	char name[48];

	text_json_field(t, key, s->mean, 10);
	snprintf(name, sizeof(name), "%s_sd", key);
	text_json_field(t, name, s->sd, 10);
	snprintf(name, sizeof(name), "%s_cv", key);
	text_json_field(t, name, s->cv, 10);
}

static void json_zone(const struct run_report *r, int z, struct text *t)
{
	struct spread joules = over(r, z, joules_of);

	text_printf(t, "%s\"%s\":{\"provenance\":\"%s\"", z ? "," : "", zone_name((enum zone)z),
		    provenance_name(weakest(r, z)));
	spread_fields(t, "joules", &joules);
	text_json_field(t, "joules_low", over(r, z, low_of).mean, 10);
	text_json_field(t, "joules_high", over(r, z, high_of).mean, 10);
	text_json_field(t, "mean_watts", over(r, z, mean_of).mean, 10);
	text_json_field(t, "peak_watts", over(r, z, peak_of).mean, 10);
	text_json_field(t, "confidence", least_confidence(r, z), 10);
	text_add(t, "}");
}

static void json_run(const struct run_report *r, size_t i, struct text *t)
{
	const struct measure_result *m = &r->runs[i];

	text_printf(t, "%s{\"exit_code\":%d", i ? "," : "", m->exit_code);
	text_json_field(t, "seconds", m->energy.seconds, 10);
	text_json_field(t, "cpu_seconds", m->energy.cpu_s, 10);
	text_json_field(t, "busy_seconds", m->energy.busy_s, 10);
	text_json_field(t, "share", energy_share(&m->energy), 10);
	text_printf(t, ",\"rows\":%u,\"zones\":{", m->energy.rows);
	each_zone(z)
	{
		struct charge c = charge_of(&m->energy, z, r->idle);

		text_printf(t, "%s\"%s\":{\"joules\":", z ? "," : "", zone_name((enum zone)z));
		text_json_number(t, c.joules);
		text_json_field(t, "joules_low", c.low_j, 10);
		text_json_field(t, "joules_high", c.high_j, 10);
		text_json_field(t, "idle_joules", m->energy.zone[z].idle_j, 10);
		text_json_field(t, "mean_watts", c.mean_w, 10);
		text_json_field(t, "peak_watts", c.peak_w, 10);
		text_json_field(t, "confidence", m->energy.zone[z].confidence, 10);
		text_add(t, "}");
	}
	text_add(t, "}}");
}

void run_report_json(const struct run_report *r, struct text *t)
{
	struct spread seconds = over(r, 0, seconds_of), cpu = over(r, 0, cpu_of);

	text_add(t, "{\"command\":[");
	for (size_t i = 0; r->argv[i]; i++) {
		autotext struct text visible = {.s = NULL};

		if (!text_is_utf8(r->argv[i])) /* JSON takes no other bytes */
			text_visible(&visible, r->argv[i]);
		text_add(t, i ? "," : "");
		text_json_string(t, visible.s ? visible.s : r->argv[i]);
	}
	text_printf(t, "],\"runs_measured\":%zu,\"warm_ups\":%zu,\"failed\":%u", r->n, r->warm_ups,
		    failures(r));
	spread_fields(t, "seconds", &seconds);
	spread_fields(t, "cpu_seconds", &cpu);
	text_json_field(t, "share", over(r, 0, share_of).mean, 10);
	text_json_field(t, "interval_s", r->interval_s, 10);
	text_printf(t, ",\"method\":\"%s\",\"method_reason\":", cputime_name(r->runs[0].method));
	text_json_string(t, r->runs[0].why);
	text_printf(t, ",\"idle_charged\":%s,\"model_version\":", r->idle ? "true" : "false");
	text_json_string(t, r->last->model_version);
	text_printf(t, ",\"tier\":\"%s\",\"scope\":\"%s\",\"zones\":{", tier_name(r->last->tier),
		    scope_name(r->last->scope));
	each_zone(z) json_zone(r, z, t);
	text_add(t, "},\"runs\":[");
	for (size_t i = 0; i < r->n; i++)
		json_run(r, i, t);
	text_add(t, "]}\n");
}

/* ---- CSV ---- */

static void cell(struct text *t, double v)
{
	text_add(t, ",");
	if (isfinite(v))
		text_number_digits(t, v, 10);
}

static void csv_zone(const struct run_report *r, size_t i, int z, struct text *t)
{
	const struct measure_result *m = &r->runs[i];
	struct charge c = charge_of(&m->energy, z, r->idle);
	const double values[] = {m->energy.seconds, m->energy.cpu_s, energy_share(&m->energy),
				 c.joules,	    c.low_j,	     c.high_j,
				 c.mean_w,	    c.peak_w,	     m->energy.zone[z].confidence};

	text_printf(t, "%zu,%d,%s", i + 1, m->exit_code, zone_name((enum zone)z));
	for (size_t k = 0; k < array_size(values); k++)
		cell(t, values[k]);
	text_printf(t, ",%s,%s\n", provenance_name(m->energy.zone[z].provenance),
		    cputime_name(m->method));
}

void run_report_csv(const struct run_report *r, struct text *t)
{
	text_add(t, "run,exit_code,zone,seconds,cpu_seconds,share,joules,joules_low,joules_high,"
		    "mean_watts,peak_watts,confidence,provenance,method\n");
	for (size_t i = 0; i < r->n; i++) {
		each_zone(z) csv_zone(r, i, z, t);
	}
}
