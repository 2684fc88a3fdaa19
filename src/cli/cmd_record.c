// SPDX-License-Identifier: Apache-2.0
/*
 * vmwatts record: the two sides of a recording, and tokens. The host's needs libcurl and lives in
 * vmwatts-net.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
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

static const struct {
	const char *name, *full_name, *summary;
	int (*run)(int argc, char **argv);
} actions[] = {
	{"guest", "record guest", "this guest's counters", cmd_record_guest},
	{"host", "record host", "the power that the host gives to each VM", record_host},
	{"token", "record token", "a token with which a guest may push", cmd_record_token},
};

static void print_actions(FILE *out)
{
	fprintf(out, "usage: vmwatts record ACTION [options]\n\nactions:\n");
	for (size_t i = 0; i < array_size(actions); i++)
		fprintf(out, "  %-8s %s\n", actions[i].name, actions[i].summary);
}

int cmd_record(int argc, char **argv)
{
	const char *names[array_size(actions)], *near;
	char full_name[32];

	if (argc < 2) {
		print_actions(stderr);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_actions(stdout);
		return 0;
	}
	for (size_t i = 0; i < array_size(actions); i++) {
		names[i] = actions[i].name;
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		snprintf(full_name, sizeof(full_name), "%s", actions[i].full_name);
		argv[1] = full_name;
		return actions[i].run(argc - 1, argv + 1);
	}
	near = nearest_name(argv[1], names, array_size(names));
	fprintf(stderr, "vmwatts record: no action '%s'%s%s%s (see vmwatts record --help)\n",
		argv[1], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return 2;
}
