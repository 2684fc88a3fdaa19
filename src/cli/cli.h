/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/*
 * Commands as a table, options as a table, help printed from both. Exit codes:
 * 0 done, 1 failed, 2 usage. Data on stdout, talk on stderr.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name */
	const char *helper; /* run is NULL: the executable that has it, e.g. "vmwatts-train" */
};

enum option_kind {
	OPTION_FLAG,   /* bool *; present = true */
	OPTION_STRING, /* const char ** */
	OPTION_LIST,   /* struct string_list *; takes one or more words up to the next option */
	OPTION_DOUBLE, /* double *, finite */
	OPTION_INT,    /* long long * */
};

struct string_list {
	char **items; /* points into argv */
	size_t n;
};

struct option_spec {
	const char *name; /* without the dashes: two of them, one before a single letter */
	const char *arg;  /* what the value is called in the help; NULL for flags */
	enum option_kind kind;
	void *value;
	const char *help;
};

struct command_help {
	const char *usage;   /* "train --dataset D.db... --out FILE.vmw [options]" */
	const char *about;   /* one or more paragraphs */
	const char *example; /* shown at the end; may be NULL */
};

/*
 * Parse argv[1..] by the table of n options. `--name value`, `--name=value`,
 * `--help`. Words that are no option go to `rest` (NULL: they are an error).
 * Returns -1 to go on; else the exit code to leave with (0 after --help).
 */
int cli_parse(int argc, char **argv, const struct command_help *h,
	      const struct option_spec *options, size_t n, struct string_list *rest);

/* Print "vmwatts COMMAND: sentence" on stderr; returns 1, or 2 for ERR_USAGE. */
int cli_fail(const char *command, const struct err *e);

/* Print the answer on stdout and release it. 0, or 1 told on stderr: no memory for it. */
int cli_print(const char *command, struct text *t);

/*
 * Find argv[1] in the table and run it; exec its helper where it has one. Returns the exit code:
 * 1, told on stderr, where what was printed on stdout could not be written.
 */
int cli_main(int argc, char **argv, const char *program, const struct command *commands, size_t n);

/*
 * As cli_main for what follows a command: `vmwatts record guest`. The action's argv[0] is both
 * words.
 */
int cli_actions(int argc, char **argv, const struct command *actions, size_t n);

/* Replace this process by the helper executable (beside our own, or in libexecdir). */
int cli_exec_helper(const char *helper, char **argv);

/* Progress on stderr: nothing when it is no terminal; `done` 0..1. Ends the line at 1. */
void cli_progress(const char *what, double done);

#endif
