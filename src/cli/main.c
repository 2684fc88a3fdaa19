// SPDX-License-Identifier: Apache-2.0
/* vmwatts: the executable a VM carries. Commands that need SQLite or LAPACK live in vmwatts-train.
 */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command commands[] = {
	{"agent", "serve this machine's watts to Prometheus", cmd_agent, NULL},
	{"estimate", "features in (CSV), watts out (CSV)", cmd_estimate, NULL},
	{"run", "the energy of one command", cmd_run, NULL},
	{"top", "watts and whose they are, live", NULL, "vmwatts-top"},
	{"record", "a guest's counters, a host's power, into traces", cmd_record, NULL},
	{"model", "keys, signatures and installed bundles", cmd_model, NULL},
	{"doctor", "what this VM shows, what is missing, what is wrong", cmd_doctor, NULL},
	{"pinning", "whether pinning would help, and how to do it", cmd_pinning, NULL},
	{"workload", "known work for a recorder to watch", cmd_workload, NULL},
	{"dataset", "recordings into one file, and out again", NULL, "vmwatts-train"},
	{"train", "a dataset into a signed bundle", NULL, "vmwatts-train"},
	{"evaluate", "how good a bundle is on a dataset", NULL, "vmwatts-train"},
	{"retrain", "new recordings into a better bundle, published", NULL, "vmwatts-train"},
	{"powercap", "the tree that RAPL's readers know", NULL, "vmwatts-powercap"},
	{"poll", "published bundles into the agent's store", NULL, "vmwatts-net"},
};

int main(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts", commands, array_size(commands));
}
