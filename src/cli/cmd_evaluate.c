// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli/commands.h"

int cmd_evaluate(int argc, char **argv)
{
	(void)argc;
	fprintf(stderr, "vmwatts %s: not built yet\n", argv[0]);
	return 1;
}
