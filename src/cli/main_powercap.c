// SPDX-License-Identifier: Apache-2.0
/* vmwatts-powercap: what needs libfuse3; run as `vmwatts powercap`. */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command commands[] = {
	{"powercap", "the tree that RAPL's readers know", cmd_powercap, NULL},
};

int main(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts-powercap", commands, array_size(commands));
}
