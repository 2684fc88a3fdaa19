// SPDX-License-Identifier: Apache-2.0
/* stress-ng as a child process: see stressor.h. */
#include "workload/stressor.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PROGRAM	   "stress-ng"
#define ARGS_MAX   24
#define WORD_SIZE  64
#define SPARE_S	   10
#define TERM_WAITS 25 /* of WAIT_NS, before SIGKILL */
#define KILL_WAITS 300
#define WAIT_NS	   10000000
#define TALK	   "/talk"
#define PORT_FIRST 5000 /* stress-ng's own, for TCP */

int stressor_find(char ret[PATH_MAX], struct err *e)
{
	const char *path = getenv("PATH");

	for (const char *at = path ? path : "/usr/bin:/bin"; *at;) {
		size_t n = strcspn(at, ":");

		if (n && snprintf(ret, PATH_MAX, "%.*s/" PROGRAM, (int)n, at) < PATH_MAX &&
		    access(ret, X_OK) == 0)
			return 0;
		at += n + (at[n] == ':');
	}
	return err_set(e, -ENOENT,
		       "this needs stress-ng, and it is not on PATH: install the package stress-ng "
		       "(apt-get install stress-ng)");
}

/* Whether files of this folder can be written past the page cache. */
static bool takes_direct(const char *scratch)
{
	char path[PATH_MAX + 8];
	autofd int fd = -1;

	snprintf(path, sizeof(path), "%s/direct", scratch);
	fd = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC | O_NOFOLLOW, 0600);
	unlink(path);
	return fd >= 0;
}

static bool is_free(int type, unsigned port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_ANY)};
	autofd int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0;
}

/* The first of `n` ports in a row that nobody has: stress-ng's own choice may be another's. */
static unsigned find_ports(int type, unsigned n)
{
	unsigned first = PORT_FIRST;

	for (unsigned port = first; port <= UINT16_MAX; port++) {
		if (!is_free(type, port))
			first = port + 1;
		else if (port - first + 1 >= n)
			return first;
	}
	return PORT_FIRST;
}

/* ---- the command line ---- */

struct command {
	char words[ARGS_MAX][WORD_SIZE];
	const char *argv[ARGS_MAX + 1];
	size_t n;
};

static void add(struct command *c, const char *word)
{
	if (c->n < ARGS_MAX)
		c->argv[c->n++] = word;
}

static void add_number(struct command *c, double v, const char *unit)
{
	if (c->n == ARGS_MAX)
		return;
	snprintf(c->words[c->n], WORD_SIZE, "%.0f%s", v, unit);
	add(c, c->words[c->n]);
}

/* One of the kind's own arguments, with what it stands for. */
static void add_argument(struct command *c, const char *word, const struct load *l,
			 const struct stressor_options *o)
{
	const char *mark = strstr(word, "%O");

	if (!strcmp(word, "%S")) {
		add_number(c, (double)load_worker_bytes(l, o->have), "");
	} else if (!strcmp(word, "%T") || !strcmp(word, "%U")) {
		add_number(c,
			   find_ports(word[1] == 'T' ? SOCK_STREAM : SOCK_DGRAM,
				      load_workers(l, o->have)),
			   "");
	} else if (mark && c->n < ARGS_MAX) {
		snprintf(c->words[c->n], WORD_SIZE, "%.*s%s", (int)(mark - word), word,
			 takes_direct(o->scratch) ? "direct" : "dsync");
		add(c, c->words[c->n]);
	} else {
		add(c, word);
	}
}

static void build(struct command *c, const struct stressor *s, const struct stressor_options *o)
{
	const struct load *l = s->load;

	c->n = 0;
	add(c, PROGRAM);
	add(c, l->kind->workers);
	add_number(c, load_workers(l, o->have), "");
	for (size_t i = 0; l->kind->more[i]; i++)
		add_argument(c, l->kind->more[i], l, o);
	if (s->paces_itself) {
		add(c, "--cpu-load");
		add_number(c, l->percent[0], "");
	}
	add(c, "--timeout");
	add_number(c, ceil(o->seconds) + SPARE_S, "s");
	add(c, "--temp-path");
	add(c, o->scratch);
	add(c, "--oomable"); /* under memory pressure it is killed, not started again */
	c->argv[c->n] = NULL;
}

/* ---- the process ---- */

/* In the child: never returns. */
static void become(const struct command *c, const char *program, pid_t parent, int in, int talk)
{
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before we asked to be told */
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(in, STDIN_FILENO) < 0 || dup2(talk, STDOUT_FILENO) < 0 ||
	    dup2(talk, STDERR_FILENO) < 0)
		_exit(127);
	execv(program, (char *const *)c->argv);
	_exit(127);
}

int stressor_start(struct stressor *s, const struct load *l, const struct stressor_options *o,
		   struct err *e)
{
	char path[PATH_MAX + 8];
	autofd int in = open("/dev/null", O_RDONLY | O_CLOEXEC), talk = -1;
	pid_t parent = getpid(), pid;
	struct command c;

	*s = (struct stressor){.load = l,
			       .paces_itself = l->kind->paces_itself && l->n_points == 1};
	snprintf(path, sizeof(path), "%s" TALK, o->scratch);
	talk = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (in < 0 || talk < 0)
		return err_errno(e, "%s", in < 0 ? "/dev/null" : path);
	build(&c, s, o);
	pid = fork();
	if (pid < 0)
		return err_errno(e, "cannot start stress-ng");
	if (pid == 0)
		become(&c, o->program, parent, in, talk);
	setpgid(pid, pid); /* whichever of the two is first */
	s->pid = pid;
	return 0;
}

void stressor_pause(struct stressor *s, bool pause)
{
	if (!s->pid || s->paused == pause)
		return;
	kill(-s->pid, pause ? SIGSTOP : SIGCONT);
	s->paused = pause;
}

bool stressor_has_left(struct stressor *s)
{
	int status;

	if (!s->pid || waitpid(s->pid, &status, WNOHANG) != s->pid)
		return false;
	stressor_kill_group(s->pid);
	s->pid = 0;
	return true;
}

static void pause_briefly(void)
{
	struct timespec t = {0, WAIT_NS};

	nanosleep(&t, NULL);
}

void stressor_kill_group(pid_t group)
{
	for (int i = 0; i < KILL_WAITS; i++) {
		int gone = kill(-group, SIGKILL) < 0 && errno == ESRCH;

		while (waitpid(-group, NULL, WNOHANG) > 0)
			;
		if (gone)
			return;
		if (i) /* dead at once, as a rule */
			pause_briefly();
	}
}

void stressor_stop(struct stressor *s)
{
	if (!s->pid)
		return;
	kill(-s->pid, SIGTERM);
	kill(-s->pid, SIGCONT);
	for (int i = 0; i < TERM_WAITS && !stressor_has_left(s); i++)
		pause_briefly();
	if (s->pid)
		stressor_kill_group(s->pid);
	s->pid = 0;
}

void stressor_last_words(const char *scratch, char *ret, size_t size)
{
	char path[PATH_MAX + 8], text[2048], *line, *mark;
	autofd int fd = -1;
	ssize_t n = -1;
	off_t end;

	snprintf(path, sizeof(path), "%s" TALK, scratch);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	if (fd >= 0)
		n = pread(fd, text, sizeof(text) - 1,
			  end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n > 0 ? n : 0] = 0;
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	mark = strstr(line, "] ");
	snprintf(ret, size, "%s", *line ? (mark ? mark + 2 : line) : "it said nothing");
}
