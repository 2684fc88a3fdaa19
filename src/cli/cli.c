// SPDX-License-Identifier: Apache-2.0
/* Command and option tables: see cli.h. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/helper.h"
#include "base/parse.h"

/* A name of one letter has one dash. */
static const char *dashes(const struct option_spec *o)
{
	return o->name[1] ? "--" : "-";
}

static void print_help(const struct command_help *h, const struct option_spec *options, size_t n)
{
	printf("usage: vmwatts %s\n\n%s\n\noptions:\n", h->usage, h->about);
	for (size_t i = 0; i < n; i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s%s", dashes(&options[i]), options[i].name,
			 options[i].arg ? " " : "", options[i].arg ? options[i].arg : "");
		printf("  %-26s %s\n", left, options[i].help);
	}
	printf("  %-26s %s\n", "--help", "this text");
	if (h->example)
		printf("\nexample:\n%s\n", h->example);
}

static int usage_error(const char *command, const char *fmt, const char *word, const char *more)
{
	fprintf(stderr, "vmwatts %s: ", command);
	fprintf(stderr, fmt, word, more);
	fprintf(stderr, " (see vmwatts %s --help)\n", command);
	return 2;
}

static int unknown_option(const char *command, const char *word, size_t word_len,
			  const struct option_spec *options, size_t n)
{
	const char *names[64], *near;
	char name[64], hint[96] = "";

	snprintf(name, sizeof(name), "%.*s", (int)word_len, word);
	for (size_t i = 0; i < n && i < array_size(names); i++)
		names[i] = options[i].name;
	near = nearest_name(name, names, n < array_size(names) ? n : array_size(names));
	if (near)
		snprintf(hint, sizeof(hint), "; did you mean --%s?", near);
	return usage_error(command, "unknown option --%s%s", name, hint);
}

/* Store one value; true when it is of the option's kind. */
static bool store(const struct option_spec *o, char *word)
{
	int64_t i;

	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)o->value = true;
		return true;
	case OPTION_STRING:
		*(const char **)o->value = word;
		return true;
	case OPTION_DOUBLE:
		return parse_double(word, o->value) == 0;
	case OPTION_INT:
		if (parse_i64(word, &i) < 0)
			return false;
		*(long long *)o->value = i;
		return true;
	case OPTION_LIST:
		break;
	}
	return false;
}

struct lists {
	struct string_list *items[8]; /* all there are, to be moved too */
	size_t n;
};

static struct lists lists_of(const struct option_spec *options, size_t n, struct string_list *rest)
{
	struct lists all = {.n = 0};

	if (rest)
		all.items[all.n++] = rest;
	for (size_t i = 0; i < n && all.n < array_size(all.items); i++) {
		if (options[i].kind == OPTION_LIST)
			all.items[all.n++] = options[i].value;
	}
	return all;
}

/*
 * Words of a list option stay where they are in argv when they follow each
 * other; a second use of the same option moves its words behind the first's.
 */
static void list_add(struct string_list *list, char **argv, int at, const struct lists *all)
{
	char *word = argv[at];

	if (!list->n)
		list->items = argv + at;
	for (int i = at; i > (int)(list->items - argv) + (int)list->n; i--)
		argv[i] = argv[i - 1];
	for (size_t i = 0; i < all->n; i++) {
		struct string_list *l = all->items[i];

		if (l->n && l->items >= list->items + list->n && l->items < argv + at)
			l->items++;
	}
	list->items[list->n++] = word;
}

/* The option of one letter that `word` is, as "-n"; NULL where it is none. */
static const struct option_spec *find_letter(const char *word, const struct option_spec *options,
					     size_t n)
{
	for (size_t i = 0; i < n && word[0] == '-' && word[1] && !word[2]; i++) {
		if (options[i].name[0] == word[1] && !options[i].name[1])
			return &options[i];
	}
	return NULL;
}

static int needs_value(const char *command, const struct option_spec *o)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", dashes(o), o->name);
	return usage_error(command, "%s needs %s", name, o->arg);
}

int cli_parse(int argc, char **argv, const struct command_help *h,
	      const struct option_spec *options, size_t n, struct string_list *rest)
{
	const struct lists lists = lists_of(options, n, rest);

	for (int i = 1; i < argc; i++) {
		const struct option_spec *o = NULL;
		char *word = argv[i], *value;
		size_t len;

		if (!strcmp(word, "--")) {
			for (i++; i < argc && rest; i++)
				list_add(rest, argv, i, &lists);
			return i >= argc ? -1
					 : usage_error(argv[0], "unexpected word '%s'%s", argv[i],
						       "");
		}
		if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
			print_help(h, options, n);
			return 0;
		}
		o = find_letter(word, options, n);
		if (!o && strncmp(word, "--", 2) != 0) {
			if (!rest)
				return usage_error(argv[0], "unexpected word '%s'%s", word, "");
			list_add(rest, argv, i, &lists);
			continue;
		}
		len = o ? 0 : strcspn(word + 2, "=");
		value = !o && word[2 + len] ? word + 3 + len : NULL;
		for (size_t k = 0; k < n && !o; k++) {
			if (strlen(options[k].name) == len &&
			    !strncmp(options[k].name, word + 2, len))
				o = &options[k];
		}
		if (!o)
			return unknown_option(argv[0], word + 2, len, options, n);
		if (o->kind == OPTION_FLAG) {
			bool on = true;

			if (value && parse_bool(value, &on) < 0)
				return usage_error(argv[0], "--%s takes true or false, not '%s'",
						   o->name, value);
			*(bool *)o->value = on;
			continue;
		}
		if (!value && (i + 1 >= argc || !strncmp(argv[i + 1], "--", 2)))
			return needs_value(argv[0], o);
		if (o->kind == OPTION_LIST) {
			if (value) {
				argv[i] = value;
				list_add(o->value, argv, i, &lists);
			}
			while (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
				list_add(o->value, argv, ++i, &lists);
			continue;
		}
		if (!value)
			value = argv[++i];
		if (!store(o, value))
			return usage_error(argv[0],
					   o->name[1] ? "--%s takes a number, not '%s'"
						      : "-%s takes a number, not '%s'",
					   o->name, value);
	}
	return -1;
}

int cli_fail(const char *command, const struct err *e)
{
	autotext struct text t = {.s = NULL};

	text_visible(&t, e->msg); /* it may quote what others wrote */
	fprintf(stderr, "vmwatts %s: %s\n", command, t.s && !t.failed ? t.s : "");
	return e->code == -ERR_USAGE ? 2 : 1;
}

int cli_print(const char *command, struct text *t)
{
	bool failed = t->failed;

	if (failed)
		fprintf(stderr, "vmwatts %s: out of memory\n", command);
	else
		fwrite(t->s, 1, t->len, stdout); /* cli_main says whether it could be written */
	text_release(t);
	return failed ? 1 : 0;
}

int cli_exec_helper(const char *helper, char **argv)
{
	char path[PATH_MAX];

	if (helper_find(helper, path))
		execv(path, argv);
	fprintf(stderr, "vmwatts: %s is not installed: not beside vmwatts, and not in %s\n", helper,
		VMWATTS_LIBEXECDIR);
	return 1;
}

static void print_commands(FILE *out, const char *program, const struct command *commands, size_t n)
{
	fprintf(out, "usage: %s COMMAND [options]\n\ncommands:\n", program);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n%s COMMAND --help tells more; %s --version prints the version.\n", program,
		program);
}

/*
 * Standard descriptors that are closed are held open the wrong way round: no file of ours gets
 * their number, and using one fails as before.
 */
static void hold_standard_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null",
				    (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	}
}

/* The exit code: a command that printed and was not heard has failed, whatever it says. */
static int heard(const char *program, int code)
{
	const char *why = fflush(stdout) == EOF ? strerror(errno) : ferror(stdout) ? "" : NULL;

	if (code || !why)
		return code;
	fprintf(stderr, "%s: cannot write the answer on stdout%s%s\n", program, *why ? ": " : "",
		why);
	return 1;
}

static int run_command(int argc, char **argv, const char *program, const struct command *commands,
		       size_t n)
{
	const char *names[32], *near;

	if (argc < 2) {
		print_commands(stderr, program, commands, n);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_commands(stdout, program, commands, n);
		return 0;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("%s %s\n", program, VMWATTS_VERSION);
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (commands[i].run)
			return commands[i].run(argc - 1, argv + 1);
		return cli_exec_helper(commands[i].helper, argv);
	}
	for (size_t i = 0; i < n && i < array_size(names); i++)
		names[i] = commands[i].name;
	near = nearest_name(argv[1], names, n < array_size(names) ? n : array_size(names));
	fprintf(stderr, "%s: no command '%s'%s%s%s (see %s --help)\n", program, argv[1],
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", program);
	return 2;
}

int cli_main(int argc, char **argv, const char *program, const struct command *commands, size_t n)
{
	hold_standard_descriptors();
	return heard(program, run_command(argc, argv, program, commands, n));
}

static void print_actions(FILE *out, const char *command, const struct command *actions, size_t n)
{
	fprintf(out, "usage: vmwatts %s ACTION [options]\n\nactions:\n", command);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-8s %s\n", actions[i].name, actions[i].summary);
}

int cli_actions(int argc, char **argv, const struct command *actions, size_t n)
{
	const char *names[16], *near, *command = argv[0];
	char both[64];

	if (argc < 2) {
		print_actions(stderr, command, actions, n);
		return 2;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_actions(stdout, command, actions, n);
		return 0;
	}
	for (size_t i = 0; i < n && i < array_size(names); i++) {
		names[i] = actions[i].name;
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		snprintf(both, sizeof(both), "%s %s", command, actions[i].name);
		argv[1] = both;
		return actions[i].run(argc - 1, argv + 1);
	}
	near = nearest_name(argv[1], names, n);
	fprintf(stderr, "vmwatts %s: no action '%s'%s%s%s (see vmwatts %s --help)\n", command,
		argv[1], near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
		command);
	return 2;
}

void cli_progress(const char *what, double done)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s %3.0f %%%s", what, 100 * done, done >= 1 ? "\n" : "");
}
