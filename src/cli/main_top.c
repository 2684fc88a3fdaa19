// SPDX-License-Identifier: Apache-2.0
/* vmwatts-top: what needs ncurses; run as `vmwatts top`. */
#include <locale.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command commands[] = {
	{"top", "watts and whose they are, live", cmd_top, NULL},
};

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, ""); /* what the terminal can show; numbers stay as they are */
	return cli_main(argc, argv, "vmwatts-top", commands, array_size(commands));
}
