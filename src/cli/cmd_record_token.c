// SPDX-License-Identifier: Apache-2.0
/* vmwatts record token: with which a guest may push what it records. */
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "record/token.h"

static const struct command_help help = {
	.usage = "record token --vm NAME --tokens HOST_FILE --out GUEST_FILE",
	.about =
		"Makes a token with which one VM may push its recording to this host: the token "
		"into\n"
		"GUEST_FILE, which is to be brought into the guest, and its SHA-256 with the VM's "
		"name\n"
		"into HOST_FILE, which `vmwatts record host --receive` reads at every connection.\n"
		"NAME is what the host calls the VM, whatever the guest says. A line that is "
		"taken\n"
		"out of HOST_FILE revokes its token. Both files are readable by their owner only.",
	.example = "  vmwatts record token --vm web --tokens tokens --out web.token\n"
		   "  vmwatts record host --vm web --out web.vmt --receive tcp://:9103 \\\n"
		   "      --cert host.pem --key host.key --tokens tokens"};

int cmd_record_token(int argc, char **argv)
{
	const char *vm = NULL, *table = NULL, *out = NULL;
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"vm", "NAME", OPTION_STRING, &vm, "the VM, as the host calls it"},
		{"tokens", "HOST_FILE", OPTION_STRING, &table, "the host's table; added to"},
		{"out", "GUEST_FILE", OPTION_STRING, &out, "the token; must not exist yet"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (!vm || !table || !out) {
		err_set(&e, -ERR_USAGE,
			"--vm, --tokens and --out are needed (see vmwatts %s --help)", argv[0]);
		return cli_fail(argv[0], &e);
	}
	if (token_make(vm, table, out, &e) < 0)
		return cli_fail(argv[0], &e);
	fprintf(stderr, "%s: a token for %s; %s knows it\n", out, vm, table);
	return 0;
}
