// SPDX-License-Identifier: Apache-2.0
/* vmwatts-serve: what needs gRPC; run as `vmwatts serve`, and by the agent for remote inference. */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command commands[] = {
	{"serve", "a model server for many VMs, over gRPC", cmd_serve, NULL},
	{"client", "the agent's side of remote inference, over descriptor 3", cmd_serve_client,
	 NULL},
};

int main(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts-serve", commands, array_size(commands));
}
