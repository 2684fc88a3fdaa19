// SPDX-License-Identifier: Apache-2.0
/* See remote.h. */
#include "agent/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/helper.h"
#include "base/log.h"

#define HELPER	  "vmwatts-serve"
#define HELPER_FD 3

struct remote {
	int fd; /* -1: the helper is gone */
	pid_t pid;
	uint64_t number; /* of the last question */
	bool asked;	 /* it may still be answered */
	bool ever;	 /* any question was answered, whatever with */
	enum remote_reason told;
	struct byte_writer out;
	struct remote_answer answer;
	struct remote_question question;
};

/* In the child. The socket is HELPER_FD there; everything else is closed by exec. */
__attribute__((noreturn)) static void become_helper(const char *path, int fd,
						    const struct config *c)
{
	char timeout[32], retries[32], *argv[24];
	sigset_t none;
	int n = 0;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (fd == HELPER_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, HELPER_FD) < 0)
		_exit(127);
	snprintf(timeout, sizeof(timeout), "%lldms",
		 (long long)(c->python_server.timeout_ns / 1000000));
	snprintf(retries, sizeof(retries), "%lld", (long long)c->python_server.retry_attempts);
	argv[n++] = (char *)HELPER;
	argv[n++] = (char *)"client";
	argv[n++] = (char *)"--url";
	argv[n++] = (char *)c->python_server.url;
	argv[n++] = (char *)"--timeout";
	argv[n++] = timeout;
	argv[n++] = (char *)"--retries";
	argv[n++] = retries;
	argv[n++] = (char *)"--log-format";
	argv[n++] = (char *)(c->log_format == LOG_FORMAT_JSON ? "json" : "text");
	if (c->python_server.ca_file[0]) {
		argv[n++] = (char *)"--cacert";
		argv[n++] = (char *)c->python_server.ca_file;
	}
	if (c->python_server.token_file[0]) {
		argv[n++] = (char *)"--token-file";
		argv[n++] = (char *)c->python_server.token_file;
	}
	if (c->python_server.cert_file[0]) {
		argv[n++] = (char *)"--cert";
		argv[n++] = (char *)c->python_server.cert_file;
		argv[n++] = (char *)"--key";
		argv[n++] = (char *)c->python_server.key_file;
	}
	argv[n] = NULL;
	execv(path, argv);
	_exit(127);
}

int remote_start(const struct config *c, struct remote **ret, struct err *e)
{
	char path[PATH_MAX];
	struct remote *r;
	int fds[2];

	if (!helper_find(HELPER, path))
		return err_set(e, -ENOENT,
			       "inference_method remote: %s is not installed, neither beside "
			       "vmwatts nor in %s",
			       HELPER, VMWATTS_LIBEXECDIR);
	r = calloc(1, sizeof(*r));
	if (!r)
		return err_nomem(e);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0) {
		free(r);
		return err_errno(e, "inference_method remote: no socket");
	}
	r->pid = fork();
	if (r->pid == 0)
		become_helper(path, fds[1], c);
	close(fds[1]);
	r->fd = fds[0];
	r->told = REMOTE_REASON_COUNT;
	if (r->pid < 0) {
		err_errno(e, "inference_method remote: no process");
		remote_stop(r);
		return e->code;
	}
	*ret = r;
	return 0;
}

void remote_stop(struct remote *r)
{
	if (!r)
		return;
	cleanup_fd(&r->fd); /* the helper reads its end, and leaves */
	byte_writer_release(&r->out);
	free(r);
}

static void lose(struct remote *r)
{
	log_error("the helper for remote inference is gone: the native model serves until the "
		  "agent is started anew");
	close(r->fd);
	r->fd = -1;
	waitpid(r->pid, NULL, WNOHANG);
}

/* True when the answer to the last question is in r->answer. */
static bool take(struct remote *r)
{
	unsigned char packet[REMOTE_PACKET_MAX];
	bool found = false;
	ssize_t n;

	while (r->fd >= 0) {
		n = recv(r->fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			lose(r);
			break;
		}
		if (!remote_get_answer(packet, (size_t)n, &r->answer))
			continue;
		r->ever = true;
		found = r->asked && r->answer.number == r->number;
	}
	return found;
}

static void ask(struct remote *r, const struct row *row, const char *cpu_model)
{
	r->question.number = ++r->number;
	r->question.row = *row;
	snprintf(r->question.cpu_model, sizeof(r->question.cpu_model), "%s", cpu_model);
	remote_put_question(&r->question, &r->out);
	r->asked = r->fd >= 0 && !r->out.failed &&
		   send(r->fd, r->out.data, r->out.len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
			   (ssize_t)r->out.len;
}

/* One line when it changes, not one a tick. */
static void tell(struct remote *r, enum remote_reason reason)
{
	if (reason == r->told)
		return;
	if (reason == REMOTE_NONE)
		log_info("remote inference answers: %s %s", r->answer.name, r->answer.version);
	else if (reason != REMOTE_STARTING)
		log_warn("remote inference does not answer (%s): the native model does",
			 remote_reason_name(reason));
	r->told = reason;
}

const struct remote_answer *remote_exchange(struct remote *r, const struct row *row,
					    const char *cpu_model, enum remote_reason *ret_reason)
{
	bool found = take(r);

	if (r->fd < 0)
		*ret_reason = REMOTE_HELPER_GONE;
	else if (found)
		*ret_reason = r->answer.reason;
	else
		*ret_reason = r->ever ? REMOTE_LATE : REMOTE_STARTING;
	ask(r, row, cpu_model);
	tell(r, *ret_reason);
	return *ret_reason == REMOTE_NONE ? &r->answer : NULL;
}

void remote_forget(struct remote *r)
{
	if (r)
		r->asked = false;
}
