// SPDX-License-Identifier: Apache-2.0
/* vmwatts-net: what needs libcurl; run as `vmwatts record host` and `vmwatts poll`. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static int record(int argc, char **argv)
{
	char name[] = "record host";

	if (argc < 2 || strcmp(argv[1], "host") != 0) {
		fprintf(stderr, "vmwatts-net record: host is the only kind it has\n");
		return 2;
	}
	argv[1] = name;
	return cmd_record_host(argc - 1, argv + 1);
}

static const struct command commands[] = {
	{"record", "a host's power into a trace", record, NULL},
	{"poll", "published bundles into the agent's store", cmd_poll, NULL},
};

int main(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts-net", commands, array_size(commands));
}
