// SPDX-License-Identifier: Apache-2.0
/*
 * vmwatts record: the two sides of a recording, and tokens. The host's needs libcurl and lives in
 * vmwatts-net.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static int record_host(int argc, char **argv)
{
	autofree char **words = calloc((size_t)argc + 3, sizeof(*words));
	char program[] = "vmwatts-net", record[] = "record", host[] = "host";

	if (!words)
		return 1;
	words[0] = program;
	words[1] = record;
	words[2] = host;
	for (int i = 1; i < argc; i++)
		words[i + 2] = argv[i];
	return cli_exec_helper(program, words);
}

static const struct command actions[] = {
	{"guest", "this guest's counters", cmd_record_guest, NULL},
	{"host", "the power that the host gives to each VM", record_host, NULL},
	{"token", "a token with which a guest may push", cmd_record_token, NULL},
};

int cmd_record(int argc, char **argv)
{
	return cli_actions(argc, argv, actions, array_size(actions));
}
