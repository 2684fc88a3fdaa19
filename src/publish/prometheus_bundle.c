// SPDX-License-Identifier: Apache-2.0
/* What happened to bundles, as Prometheus text: see prometheus.h. */
#include "publish/prometheus.h"

const char *rollback_name(enum rollback_reason r)
{
	static const char *const names[] = {"nan", "out_of_range", "zone_inconsistency",
					    "low_confidence", "error"};

	return names[r];
}

const char *remote_reason_name(enum remote_reason r)
{
	static const char *const names[] = {"none",	  "starting",	"late",	       "timeout",
					    "name",	  "tls",	"unreachable", "denied",
					    "limited",	  "bad_answer", "refused",     "no_model",
					    "helper_gone"};

	_Static_assert(sizeof(names) / sizeof(names[0]) == REMOTE_REASON_COUNT, "one name each");
	return names[r];
}

static void head(struct text *t, const char *name, const char *type, const char *help)
{
	text_printf(t, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void whole(struct text *t, const char *name, const char *type, const char *help,
		  long long value)
{
	head(t, name, type, help);
	text_printf(t, "%s %lld\n", name, value);
}

void prometheus_render_bundle(const struct snapshot *s, struct text *t)
{
	const struct bundle_snapshot *b = &s->bundle;

	head(t, "vmwatts_bundle_reloads_total", "counter",
	     "Times that a bundle was loaded anew while serving, and with what result");
	text_printf(t, "vmwatts_bundle_reloads_total{result=\"success\"} %llu\n",
		    (unsigned long long)b->reloads);
	text_printf(t, "vmwatts_bundle_reloads_total{result=\"failure\"} %llu\n",
		    (unsigned long long)b->reload_failures);
	whole(t, "vmwatts_bundle_last_reload_successful", "gauge",
	      "0 when the last bundle met was refused and the one before serves on",
	      !b->last_reload_failed);
	whole(t, "vmwatts_bundle_on_probation", "gauge",
	      "1 while a new bundle may be rolled back by itself", b->on_probation);
	if (s->set)
		whole(t, "vmwatts_bundle_sequence", "gauge", "Sequence of the serving bundle",
		      (long long)s->set->sequence);
	head(t, "kepler_vm_model_rollbacks_total", "counter",
	     "Bundles on probation that were rolled back to the version before, by reason");
	for (int r = 0; r < ROLLBACK_COUNT; r++)
		text_printf(t, "kepler_vm_model_rollbacks_total{reason=\"%s\"} %llu\n",
			    rollback_name((enum rollback_reason)r),
			    (unsigned long long)b->rollbacks[r]);
}

void prometheus_render_remote(const struct snapshot *s, struct text *t)
{
	const struct remote_snapshot *r = &s->remote;

	if (!r->configured)
		return;
	head(t, "kepler_vm_remote_fallback", "gauge",
	     "Why the model server did not answer for the last row; none when it did");
	text_printf(t, "kepler_vm_remote_fallback{reason=\"%s\"} 1\n",
		    remote_reason_name(r->reason));
	head(t, "kepler_vm_remote_rows_total", "counter",
	     "Rows by what became of them at the model server; reason none: answered");
	for (int i = 0; i < REMOTE_REASON_COUNT; i++)
		text_printf(t, "kepler_vm_remote_rows_total{reason=\"%s\"} %llu\n",
			    remote_reason_name((enum remote_reason)i),
			    (unsigned long long)r->rows[i]);
}
