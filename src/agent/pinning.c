// SPDX-License-Identifier: Apache-2.0
/* The configuration's cpu_pinning section at work: see parts.h. */
#include <math.h>

#include "agent/parts.h"
#include "pinning/cpus.h"

void agent_check_isolation(const struct agent *a)
{
	struct cpus said = {{0}};
	struct cpus online = cpus_read(&a->root, "/sys/devices/system/cpu/online");
	struct cpus isolated = cpus_read(&a->root, "/sys/devices/system/cpu/isolated");
	struct text said_text = {.s = NULL}, kernel_text = {.s = NULL};

	if (!a->config.cpu_pinning.n_isolated)
		return;
	for (unsigned i = 0; i < a->config.cpu_pinning.n_isolated; i++)
		cpus_add(&said, a->config.cpu_pinning.isolated_cpus[i]);
	cpus_keep(&isolated, &online);
	cpus_write(&said, &said_text);
	cpus_write(&isolated, &kernel_text);
	if (!cpus_equal(&said, &isolated) && said_text.s && kernel_text.s)
		log_warn("cpu_pinning.isolated_cpus says %s, the kernel isolates %s of the CPUs "
			 "online: kepler_vm_cpu_isolation_ratio follows the kernel; boot with "
			 "isolcpus=%s or change the configuration",
			 said_text.s, kernel_text.s, said_text.s);
	text_release(&said_text);
	text_release(&kernel_text);
}

void agent_recommend_pinning(struct agent *a, const struct row *row)
{
	struct snapshot *s = meter_snapshot(a->meter);
	struct pinning_statistics statistics;

	s->pinning_score = NAN;
	if (!a->config.cpu_pinning.recommendation_mode)
		return;
	pinning_window_push(&a->pinning, row);
	pinning_window_statistics(&a->pinning, NAN, &statistics);
	if (statistics.bins < PINNING_BINS_MIN)
		return;
	s->pinning_score = pinning_score(&statistics);
	if (!(s->pinning_score > PINNING_SHOULD)) {
		a->pinning_quiet_s += row->dt_s;
		return;
	}
	if (a->pinning_quiet_s >= PINNING_WINDOW_S)
		log_info("pinning score %.2f: utilization varies by %.2f, context switches by "
			 "%.2f of their mean; %s",
			 s->pinning_score, statistics.rule[PINNING_UTILIZATION],
			 statistics.rule[PINNING_CONTEXT_SWITCHES],
			 a->config.cpu_pinning.enabled
				 ? "the configuration says it is pinned: check the host (vmwatts "
				   "pinning analyze --host)"
				 : "pinning may help (vmwatts pinning recommend, on the host)");
	a->pinning_quiet_s = 0;
}
