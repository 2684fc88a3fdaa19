// SPDX-License-Identifier: Apache-2.0
/*
 * gnuplot as a child process: see plot.h. The script is its standard input, in
 * a memory file so that neither side waits for the other; the SVG comes back
 * through a pipe. Its environment is empty but for the locale: nothing a user
 * configured changes a report.
 */
#include "evaluate/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "evaluate/html.h"

#define SVG_MAX	  (8u << 20)
#define WAIT_MS	  60000 /* without a byte from gnuplot: it hangs */
#define READ_SIZE 65536

static const char prelude[] =
	"set terminal svg size 440,290 dynamic font 'sans-serif,14' linewidth 1.2\n"
	"set encoding utf8\n"
	"ink = '#010101'; grid = '#020202'; truth = '#030303'; estimate = '#040404'\n"
	"other = '#050505'\n"
	"set border 3 lc rgb grid\n"
	"set tics nomirror scale 0.5 textcolor rgb ink\n"
	"set grid ytics lt 1 lw 0.6 lc rgb grid\n"
	"set xlabel offset 0,0.4 textcolor rgb ink\n"
	"set ylabel offset 1,0 textcolor rgb ink\n"
	"set key above center horizontal Left reverse samplen 1.2 width 1 textcolor rgb ink\n"
	"set style fill solid 1 noborder\n";

/* By the number that stands for each in the prelude. */
static const char *const colours[] = {NULL,	      "var(--ink)",	 "var(--grid)",
				      "var(--truth)", "var(--estimate)", "var(--other)"};

/* Start gnuplot on `in`; its output goes to the other end of *ret_out, its talk into `talk`. */
static int start(const char *const *argv, int in, int talk, int *ret_out, pid_t *ret_pid)
{
	static char *const environment[] = {(char *)"LC_ALL=C.UTF-8", NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, talk, STDERR_FILENO);
	r = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return -r;
	}
	*ret_out = ends[0];
	return 0;
}

/* Everything until the other end is closed. */
static int drain(int fd, struct text *out)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		char chunk[READ_SIZE];
		int ready = poll(&p, 1, WAIT_MS);
		ssize_t n;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		n = read(fd, chunk, sizeof(chunk));
		if (n == 0)
			return out->failed ? -ENOMEM : 0;
		if (n < 0)
			return -errno;
		if (out->len + (size_t)n > SVG_MAX)
			return -EFBIG;
		text_add_n(out, chunk, (size_t)n);
	}
}

/* The first line of what the child said, for a message. */
static void first_words(int talk, char *ret, size_t size)
{
	ssize_t n = pread(talk, ret, size - 1, 0);
	size_t skip;

	ret[n > 0 ? n : 0] = 0;
	skip = strspn(ret, "\n ");
	memmove(ret, ret + skip, strlen(ret + skip) + 1);
	ret[strcspn(ret, "\n")] = 0;
}

/* Run it on `in` to its end. */
static int run(const char *const *argv, int in, struct text *out, struct err *e)
{
	autofd int talk = memfd_create("gnuplot-stderr", MFD_CLOEXEC), from = -1;
	char words[160];
	int status = 0, r;
	pid_t pid;

	if (talk < 0)
		return err_errno(e, "cannot run gnuplot");
	r = start(argv, in, talk, &from, &pid);
	if (r == -ENOENT)
		return err_set(
			e, r,
			"--report needs gnuplot to draw with, and it is not on PATH: install it "
			"(apt-get install gnuplot-nox)");
	if (r < 0)
		return err_set(e, r, "cannot run gnuplot: %s", strerror(-r));
	r = drain(from, out);
	if (r < 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return err_set(e, r, "gnuplot gave no plot: %s", strerror(-r));
	if (status != 0) {
		first_words(talk, words, sizeof(words));
		return err_set(e, -EIO, "gnuplot failed: %s", words[0] ? words : "it said nothing");
	}
	return 0;
}

int plot_check(struct err *e)
{
	static const char *const argv[] = {"gnuplot", "--version", NULL};
	autofd int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct text version = {0};
	int r = in < 0 ? err_errno(e, "cannot open /dev/null") : run(argv, in, &version, e);

	text_release(&version);
	return r;
}

static int script_file(const char *script, struct err *e)
{
	autofd int fd = memfd_create("gnuplot-script", MFD_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%s%s", prelude, script) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "cannot write a script for gnuplot");
	return steal_fd(&fd);
}

int plot_svg(const char *script, const char *label, struct text *out, struct err *e)
{
	static const char *const argv[] = {"gnuplot", "--default-settings", "-", NULL};
	autofd int in = script_file(script, e);
	struct text svg = {0};
	int r = in < 0 ? in : run(argv, in, &svg, e);

	if (r == 0)
		r = plot_clean(svg.s ? svg.s : "", label, out, e);
	text_release(&svg);
	return r;
}

/* What is left out: from one word up to and with the other. */
static const struct cut {
	const char *from, *upto;
} cuts[] = {
	{"<title>Gnuplot</title>", ""}, {"<desc>", "</desc>"},
	{"<defs>", "</defs>"},		{" id=\"", "\""},
	{"\n xmlns=\"", "\""},		{"\n xmlns:xlink=\"", "\""},
};

/* The length of what is cut at s; 0: nothing. */
static size_t cut_here(const char *s)
{
	for (size_t i = 0; i < array_size(cuts); i++) {
		size_t n = strlen(cuts[i].from);
		const char *end;

		if (strncmp(s, cuts[i].from, n) != 0)
			continue;
		end = strstr(s + n, cuts[i].upto);
		return end ? (size_t)(end - s) + strlen(cuts[i].upto) : 0;
	}
	return 0;
}

/* The length of a colour of ours at s, as gnuplot writes it ("rgb(  3,   3,   3)"); 0: none. */
static size_t colour_here(const char *s, const char **ret)
{
	unsigned r, g, b;
	int n = 0;

	if (*s != 'r' || sscanf(s, "rgb(%3u,%3u,%3u)%n", &r, &g, &b, &n) != 3 || n == 0)
		return 0;
	if (r != g || g != b || r == 0 || r >= array_size(colours))
		return 0;
	*ret = colours[r];
	return (size_t)n;
}

int plot_clean(const char *svg, const char *label, struct text *out, struct err *e)
{
	const char *s = strstr(svg, "<svg"), *end = strstr(svg, "</svg>");

	if (!s || !end || end < s)
		return err_set(e, -ERR_FORMAT, "gnuplot's answer is no SVG");
	text_add(out, "<svg role=\"img\" aria-label=\"");
	text_html(out, label);
	text_add(out, "\"");
	s += strlen("<svg");
	while (s < end) {
		const char *colour;
		size_t n = cut_here(s);

		if (n) {
			s += n;
			continue;
		}
		n = colour_here(s, &colour);
		if (n) {
			text_add(out, colour);
			s += n;
			continue;
		}
		if (!strncmp(s, "xlink:href", strlen("xlink:href")))
			s += strlen("xlink:");
		text_add_n(out, s++, 1);
	}
	text_add(out, "</svg>\n");
	return out->failed ? err_nomem(e) : 0;
}
