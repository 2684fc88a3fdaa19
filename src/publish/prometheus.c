// SPDX-License-Identifier: Apache-2.0
/*
 * A snapshot as Prometheus text. Kepler's node metrics keep Kepler's names,
 * labels and help; ours start with kepler_vm_ where the proposal names them
 * and with vmwatts_ where they are about this agent.
 */
#include "publish/prometheus.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define TEXT_MOST      32768
#define INFO_LINE_MOST 384
#define BTIME_LINE     64

struct out {
	struct text *t;
	const struct snapshot *s;
	char node[600]; /* escaped label value */
};

static void family(struct text *t, const char *name, const char *type, const char *help)
{
	text_add(t, "# HELP ");
	text_add(t, name);
	text_add(t, " ");
	text_add(t, help);
	text_add(t, "\n# TYPE ");
	text_add(t, name);
	text_add(t, " ");
	text_add(t, type);
	text_add(t, "\n");
}

static void value(struct text *t, double v)
{
	text_add(t, " ");
	text_number_digits(t, v, 10);
	text_add(t, "\n");
}

/* Joules keep more digits: a rate over them must not step. */
static void counter_value(struct text *t, double v)
{
	text_add(t, " ");
	text_number_digits(t, v, 15);
	text_add(t, "\n");
}

static void scalar(struct text *t, const char *name, const char *type, const char *help, double v)
{
	family(t, name, type, help);
	text_add(t, name);
	value(t, v);
}

/* One series per zone: name{zone="..."} value */
static void zone_label(struct text *t, const char *name, enum zone z)
{
	text_add(t, name);
	text_add(t, "{zone=\"");
	text_add(t, zone_name(z));
	text_add(t, "\"}");
}

#define each_zone(z) for (enum zone z = ZONE_PACKAGE; z < ZONE_RAPL_COUNT; z = (enum zone)(z + 1))

/* ---- Kepler's node metrics ---- */

enum node_kind { NODE_TOTAL, NODE_ACTIVE, NODE_IDLE };

static double node_watts(const struct zone_snapshot *z, enum node_kind kind)
{
	return kind == NODE_ACTIVE ? z->active_w
	       : kind == NODE_IDLE ? z->idle_w
				   : z->active_w + z->idle_w;
}

static double node_joules(const struct zone_snapshot *z, enum node_kind kind)
{
	return kind == NODE_ACTIVE ? z->active_j
	       : kind == NODE_IDLE ? z->idle_j
				   : z->active_j + z->idle_j;
}

static void node_labels(struct out *o, const char *name, enum zone z)
{
	text_add(o->t, name);
	text_add(o->t, "{node_name=\"");
	text_add(o->t, o->node);
	text_add(o->t, "\",zone=\"");
	text_add(o->t, zone_name(z));
	text_add(o->t, "\",path=\"vmwatts/");
	text_add(o->t, zone_name(z));
	text_add(o->t, "\"}");
}

static void node_metrics(struct out *o)
{
	static const struct {
		const char *watts, *joules, *watts_help, *joules_help;
	} names[] = {
		{"kepler_node_cpu_watts", "kepler_node_cpu_joules_total",
		 "Power consumption of cpu at node level in watts",
		 "Energy consumption of cpu at node level in joules"},
		{"kepler_node_cpu_active_watts", "kepler_node_cpu_active_joules_total",
		 "Power consumption of cpu in active state at node level in watts",
		 "Energy consumption of cpu in active state at node level in joules"},
		{"kepler_node_cpu_idle_watts", "kepler_node_cpu_idle_joules_total",
		 "Power consumption of cpu in idle state at node level in watts",
		 "Energy consumption of cpu in idle state at node level in joules"},
	};

	for (int k = NODE_TOTAL; k <= NODE_IDLE; k++) {
		family(o->t, names[k].watts, "gauge", names[k].watts_help);
		each_zone(z)
		{
			const struct zone_snapshot *zone = &o->s->zone[z];

			if (!zone->valid)
				continue;
			node_labels(o, names[k].watts, z);
			value(o->t, node_watts(zone, (enum node_kind)k));
		}
		family(o->t, names[k].joules, "counter", names[k].joules_help);
		each_zone(z)
		{
			node_labels(o, names[k].joules, z);
			counter_value(o->t, node_joules(&o->s->zone[z], (enum node_kind)k));
		}
	}
	if (isnan(o->s->usage_ratio))
		return;
	family(o->t, "kepler_node_cpu_usage_ratio", "gauge",
	       "CPU usage ratio of a node (value between 0.0 and 1.0)");
	text_add(o->t, "kepler_node_cpu_usage_ratio{node_name=\"");
	text_add(o->t, o->node);
	text_add(o->t, "\"}");
	value(o->t, o->s->usage_ratio);
}

static void info_metrics(struct out *o)
{
	const struct identity *id = o->s->identity;

	family(o->t, "kepler_node_cpu_info", "gauge", "CPU information from procfs");
	for (unsigned i = 0; i < id->n_info; i++) {
		text_printf(o->t, "kepler_node_cpu_info{processor=\"%u\",vendor_id=\"",
			    id->cpus[i].processor);
		text_label_value(o->t, id->vendor);
		text_add(o->t, "\",model_name=\"");
		text_label_value(o->t, id->model_name);
		text_printf(o->t, "\",physical_id=\"%d\",core_id=\"%d\"} 1\n",
			    id->cpus[i].physical_id < 0 ? 0 : id->cpus[i].physical_id,
			    id->cpus[i].core_id < 0 ? 0 : id->cpus[i].core_id);
	}
	/* Kepler's form, with a version that nobody takes for one of Kepler's. */
	family(o->t, "kepler_build_info", "gauge",
	       "A metric with a constant '1' value labeled with version information");
	text_add(o->t, "kepler_build_info{arch=\"" VMWATTS_ARCH "\",branch=\"\",revision=\"\","
		       "version=\"vmwatts-" VMWATTS_VERSION "\"} 1\n");
	family(o->t, "vmwatts_build_info", "gauge",
	       "A metric with a constant '1' value labeled with version information");
	text_add(o->t, "vmwatts_build_info{version=\"" VMWATTS_VERSION "\"} 1\n");
}

/* ---- the model ---- */

static double get_low(const struct zone_snapshot *z)
{
	return z->valid ? z->low_w : NAN;
}

static double get_high(const struct zone_snapshot *z)
{
	return z->valid ? z->high_w : NAN;
}

static double get_confidence(const struct zone_snapshot *z)
{
	return z->confidence;
}

static double get_inference(const struct zone_snapshot *z)
{
	return z->inference_s;
}

static double get_rows(const struct zone_snapshot *z)
{
	return z->model ? (double)z->model->rows : NAN;
}

static double get_mae(const struct zone_snapshot *z)
{
	return z->model ? z->model->mae_w : NAN;
}

/* One value per zone that is told of; NaN leaves the series out. */
static const struct {
	const char *name, *type, *help;
	double (*get)(const struct zone_snapshot *z);
} zone_metrics[] = {
	{"kepler_vm_cpu_watts_low", "gauge", "Lower end of the 90 % interval of the power in watts",
	 get_low},
	{"kepler_vm_cpu_watts_high", "gauge",
	 "Upper end of the 90 % interval of the power in watts", get_high},
	{"kepler_vm_model_confidence_score", "gauge",
	 "Confidence in the estimate, 0 to 1: 1 / (1 + half width / watts, or a floor where those "
	 "are "
	 "less) / (1 + distance from training + mismatch of the machine)",
	 get_confidence},
	{"kepler_vm_model_inference_duration_seconds", "gauge",
	 "Time the last estimate of all zones took", get_inference},
	{"kepler_vm_training_data_points_total", "counter",
	 "Rows the serving model was trained on, from its card", get_rows},
	{"kepler_vm_model_accuracy_mae", "gauge",
	 "Mean absolute error in watts on rows left out of training, from the model's card",
	 get_mae},
};

static void model_metrics(struct out *o)
{
	for (size_t i = 0; i < array_size(zone_metrics); i++) {
		family(o->t, zone_metrics[i].name, zone_metrics[i].type, zone_metrics[i].help);
		each_zone(z)
		{
			const struct zone_snapshot *zone = &o->s->zone[z];
			double v = zone_metrics[i].get(zone);

			if (!zone_is_told(zone) || isnan(v))
				continue;
			zone_label(o->t, zone_metrics[i].name, z);
			value(o->t, v);
		}
	}
}

/* Derived watts are those of the model whose zones they are derived from. */
static bool is_priors(const struct zone_snapshot *z)
{
	return !z->model && !z->remote && z->provenance != PROVENANCE_DERIVED;
}

/* Labels that say where each zone's watts come from. */
static void origin_metrics(struct out *o)
{
	family(o->t, "kepler_vm_model_version", "gauge", "Version of the model that serves a zone");
	each_zone(z)
	{
		if (!zone_is_told(&o->s->zone[z]))
			continue;
		text_printf(o->t, "kepler_vm_model_version{zone=\"%s\",version=\"", zone_name(z));
		text_label_value(o->t, is_priors(&o->s->zone[z]) ? "prior" : o->s->model_version);
		text_add(o->t, "\"} 1\n");
	}
	family(o->t, "kepler_vm_last_training_timestamp", "gauge",
	       "When the serving model was trained, in seconds since the epoch");
	each_zone(z)
	{
		if (!zone_is_told(&o->s->zone[z]) || !o->s->zone[z].model)
			continue;
		zone_label(o->t, "kepler_vm_last_training_timestamp", z);
		counter_value(o->t, (double)o->s->set->created_s);
	}
	family(o->t, "kepler_vm_zone_provenance", "gauge",
	       "Where the watts of a zone come from, and how the zone is defined");
	each_zone(z)
	{
		const struct zone_snapshot *zone = &o->s->zone[z];

		if (zone_is_told(zone))
			text_printf(o->t,
				    "kepler_vm_zone_provenance{zone=\"%s\",provenance=\"%s\","
				    "definition=\"%s\"} 1\n",
				    zone_name(z), provenance_name(zone->provenance),
				    zone->definition ? zone->definition : "");
	}
	family(o->t, "kepler_vm_zone_fallback", "gauge",
	       "Why a zone is not answered by the best model of a bundle; none when it is");
	each_zone(z)
	{
		if (zone_is_told(&o->s->zone[z]))
			text_printf(o->t, "kepler_vm_zone_fallback{zone=\"%s\",reason=\"%s\"} 1\n",
				    zone_name(z), fallback_name(o->s->zone[z].fallback));
	}
	family(o->t, "kepler_vm_feature_tier", "gauge", "The feature tier this machine is on");
	text_printf(o->t, "kepler_vm_feature_tier{tier=\"%s\"} 1\n", tier_name(o->s->tier));
	family(o->t, "kepler_vm_power_scope", "gauge", "What the trained watts include");
	text_printf(o->t, "kepler_vm_power_scope{scope=\"%s\"} 1\n", scope_name(o->s->scope));
}

/* ---- this agent ---- */

static int source_of(const struct feature_info *f)
{
	for (int s = 0; s < SOURCE_COUNT; s++) {
		if (!strcmp(source_name((enum source)s), f->source))
			return s;
	}
	return -1;
}

static void collection_metrics(struct out *o)
{
	family(o->t, "kepler_vm_feature_collection_errors_total", "counter",
	       "Failed readings of a feature's source");
	feature_foreach (f) {
		int source = source_of(feature_info(f));

		text_add(o->t, "kepler_vm_feature_collection_errors_total{feature=\"");
		text_add(o->t, feature_info(f)->name);
		text_add(o->t, "\"}");
		counter_value(o->t, source < 0 ? 0 : (double)o->s->source_errors[source]);
	}
	family(o->t, "kepler_vm_feature_collection_duration_seconds", "gauge",
	       "Time the last reading of a source took");
	for (int s = 0; s < SOURCE_COUNT; s++) {
		text_add(o->t, "kepler_vm_feature_collection_duration_seconds{feature=\"");
		text_add(o->t, s == SOURCE_PERF ? "perf_counters" : source_name((enum source)s));
		text_add(o->t, "\"}");
		value(o->t, o->s->source_duration_s[s]);
	}
}

static void pinning_metrics(struct out *o)
{
	const struct snapshot *s = o->s;

	scalar(o->t, "kepler_vm_cpu_pinning_enabled", "gauge",
	       "1 when the configuration says that the vCPUs are pinned (cpu_pinning.enabled)",
	       s->cpu_pinning_enabled);
	if (s->identity->n_cpus)
		scalar(o->t, "kepler_vm_cpu_isolation_ratio", "gauge",
		       "CPUs that are isolated and online, of the CPUs online",
		       (double)s->identity->n_isolated / s->identity->n_cpus);
	if (!isnan(s->pinning_score))
		scalar(o->t, "kepler_vm_pinning_recommendation_score", "gauge",
		       "How much speaks for pinning, 0 to 1; above 0.5 it is recommended",
		       s->pinning_score);
}

#define PROVES "; it only proves that inputs changed, not that watts are wrong"

static void drift_metrics(struct text *t, const struct drift_state *d)
{
	family(t, "kepler_vm_drift", "gauge",
	       "1 while a test says that inputs are not those of training" PROVES);
	text_printf(t, "kepler_vm_drift{test=\"share\"} %d\n", d->share);
	text_printf(t, "kepler_vm_drift{test=\"mean\"} %d\n", d->mean);
	text_printf(t, "kepler_vm_drift{test=\"machine\"} %d\n", d->machine);
	scalar(t, "kepler_vm_drift_raised_total", "counter", "Times that drift was raised" PROVES,
	       (double)d->raised);
	if (isnan(d->psi_max))
		return;
	family(t, "kepler_vm_feature_psi_max", "gauge",
	       "Largest population stability index over features, of about the last hour against "
	       "the deciles of training" PROVES);
	text_printf(t, "kepler_vm_feature_psi_max{feature=\"%s\"}", d->psi_feature);
	value(t, d->psi_max);
}

static void agent_metrics(struct out *o)
{
	const struct snapshot *s = o->s;
	struct text *t = o->t;

	scalar(t, "kepler_vm_out_of_distribution_ratio", "gauge",
	       "Share of recent estimates whose features lie outside the training data",
	       s->out_of_distribution_ratio);
	drift_metrics(t, &s->drift);
	scalar(t, "kepler_vm_migrations_total", "counter",
	       "Times that this turned out to be another machine than before",
	       (double)s->migrations);
	scalar(t, "kepler_vm_energy_enabled", "gauge", "1 when power is published, 0 when disabled",
	       s->enabled);
	scalar(t, "vmwatts_tick_duration_seconds", "gauge",
	       "Time the last tick took: collect, features and estimate", s->tick_s);
	scalar(t, "vmwatts_state_kept", "gauge",
	       "1 when joule counters live in the state directory, 0 when they start at 0 with the "
	       "agent",
	       s->state_kept);
	scalar(t, "vmwatts_bundle_expired", "gauge", "1 when the serving bundle is past its date",
	       s->bundle_expired);
	scalar(t, "vmwatts_bundle_mismatch", "gauge",
	       "How far this machine is from the one the serving bundle was trained on; 0 is a "
	       "match",
	       s->mismatch);
	scalar(t, "vmwatts_config_reload_failures_total", "counter",
	       "Reloads that kept the old configuration because the new one was bad",
	       (double)s->config_reload_failures);
	scalar(t, "vmwatts_bundle_load_failures_total", "counter",
	       "Bundles that were refused; the one before goes on serving",
	       (double)s->bundle_load_failures);
}

void prometheus_render(const struct snapshot *s, struct text *t)
{
	struct out o = {.t = t, .s = s};
	size_t n = 0;

	/* Escaped by hand into a fixed buffer: a tick allocates nothing. */
	for (const char *c = s->node_name; *c && n + 3 < sizeof(o.node); c++) {
		if (*c == '"' || *c == '\\')
			o.node[n++] = '\\';
		o.node[n++] = *c == '\n' ? ' ' : *c;
	}
	/* Longer than every number at its longest makes it, so that no tick grows the text. */
	text_reserve(t, TEXT_MOST + s->identity->n_info * INFO_LINE_MOST);
	node_metrics(&o);
	info_metrics(&o);
	model_metrics(&o);
	origin_metrics(&o);
	collection_metrics(&o);
	pinning_metrics(&o);
	agent_metrics(&o);
	prometheus_render_bundle(s, t);
	prometheus_render_remote(s, t);
}

/* ---- the process ---- */

/* Field `n` (from 1) of /proc/self/stat, counted behind the command's name. */
static double self_stat(const char *text, int n)
{
	const char *p = strrchr(text, ')');
	uint64_t v = 0;

	for (int field = 2; p && field < n; field++)
		p = strchr(p + 1, ' ');
	return p && (p++, scan_u64(&p, &v)) ? (double)v : 0;
}

static double count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = -3; /* ".", ".." and the directory's own */

	if (!d)
		return NAN;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/*
 * The kernel's boot time, seconds since the epoch: a line behind those of CPUs and interrupts, of
 * which a large machine has more than any buffer of ours holds.
 */
static double boot_time(void)
{
	static const char key[] = "\nbtime ";
	autofd int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	char text[16384];
	size_t kept = 0;
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text + kept, sizeof(text) - 1 - kept)) > 0) {
		size_t len = kept + (size_t)n;
		const char *p;
		uint64_t v;

		text[len] = 0;
		p = strstr(text, key);
		if (p && strchr(p + 1, '\n')) {
			p += sizeof(key) - 1;
			return scan_u64(&p, &v) ? (double)v : NAN;
		}
		kept = len < BTIME_LINE ? len : BTIME_LINE; /* it may lie across two pieces */
		memmove(text, text + len - kept, kept);
	}
	return NAN;
}

void prometheus_render_process(struct text *t)
{
	double hz = (double)sysconf(_SC_CLK_TCK), page = (double)sysconf(_SC_PAGESIZE);
	autofd int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[1024];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	double start_s = boot_time();

	if (n <= 0)
		return;
	text[n] = 0;
	scalar(t, "process_cpu_seconds_total", "counter",
	       "Total user and system CPU time spent in seconds.",
	       (self_stat(text, 14) + self_stat(text, 15)) / hz);
	scalar(t, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
	       self_stat(text, 24) * page);
	scalar(t, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.",
	       self_stat(text, 23));
	scalar(t, "process_open_fds", "gauge", "Number of open file descriptors.", count_fds());
	if (!isnan(start_s))
		scalar(t, "process_start_time_seconds", "gauge",
		       "Start time of the process since unix epoch in seconds.",
		       start_s + self_stat(text, 22) / hz);
}
