// SPDX-License-Identifier: Apache-2.0
/*
 * The guest's end of a push: see push.h, and channel.h for what is said.
 *
 *   PAUSED -> CONNECTING -> SHAKING -> GREETING -> STREAMING
 *      ^__________ any failure, with a longer pause _____|
 *
 * A virtio-serial port stays open: there is nothing to connect, and bytes that
 * the host sends while it is closed would be lost. It is paused while nobody
 * listens at the host's end (POLLHUP).
 */
#include "record/push.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/kernel.h"
#include "base/parse.h"
#include "record/channel.h"
#include "record/push_queue.h"
#include "record/token.h"

#define PEERS_MAX     8
#define PAUSE_MIN_NS  500000000ll
#define PAUSE_MAX_NS  30000000000ll
#define PATIENCE_NS   20000000000ll /* to connect, to be greeted, to be acknowledged */
#define SEND_AT_ONCE  (8 * CHANNEL_CHUNK)
#define LINES_AT_ONCE 64

enum push_state { PAUSED, CONNECTING, SHAKING, GREETING, STREAMING };

struct push {
	struct push_options o;
	struct channel_address address;
	struct channel_tls *tls;
	struct channel_peer peers[PEERS_MAX];
	int n_peers, peer; /* the one to be tried next */
	char token[TOKEN_TEXT];

	enum push_state state;
	struct channel *channel; /* NULL: PAUSED (but for virtio), or CONNECTING */
	int fd;			 /* CONNECTING; -1 */
	int64_t pause_ns, next_ns, deadline_ns;
	uint32_t number; /* of the greeting */

	char hello[CHANNEL_LINE]; /* being sent */
	size_t hello_len, hello_sent;
	struct byte_writer prefix; /* stream and label, before the queue */
	size_t prefix_sent, prefix_frames;
	char line[CHANNEL_LINE]; /* being read */
	size_t line_len;
	uint64_t acknowledged; /* frames since START */

	struct push_queue queue;
	struct push_report report;
};

static int64_t now(void)
{
	return kernel_linux.monotonic_ns();
}

/* ---- opening and closing ---- */

static int open_identity(struct push *p, struct err *e)
{
	if (p->address.kind == CHANNEL_VIRTIO) {
		snprintf(p->token, sizeof(p->token), "-");
		return 0;
	}
	if (!p->o.token_file)
		return err_set(e, -ERR_USAGE, "--push-token-file is needed for %s", p->o.to);
	if (token_read(p->o.token_file, p->token, e) < 0)
		return e->code;
	if (p->address.kind == CHANNEL_TCP && channel_tls_client(p->o.ca, &p->tls, e) < 0)
		return e->code;
	p->n_peers = channel_lookup(&p->address, p->peers, PEERS_MAX, e);
	return p->n_peers < 0 ? p->n_peers : 0;
}

int push_open(const struct push_options *o, struct push **ret, struct err *e)
{
	struct push *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_nomem(e);
	p->o = *o;
	p->fd = -1;
	p->pause_ns = PAUSE_MIN_NS;
	r = channel_address_parse(o->to, false, &p->address, e);
	if (r == 0)
		r = open_identity(p, e);
	if (r == 0)
		r = push_queue_init(&p->queue, o->queue_bytes ? o->queue_bytes : PUSH_QUEUE, e);
	if (r == 0 && getrandom(&p->number, sizeof(p->number), 0) < 0)
		r = err_errno(e, "random number");
	if (r < 0) {
		push_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void push_close(struct push *p)
{
	if (!p)
		return;
	channel_free(p->channel);
	cleanup_fd(&p->fd);
	channel_tls_free(p->tls);
	push_queue_release(&p->queue);
	byte_writer_release(&p->prefix);
	explicit_bzero(p->token, sizeof(p->token));
	free(p);
}

/* ---- what is recorded ---- */

/* Nothing that was sent waits for the host to say something. */
static bool expects_nothing(const struct push *p)
{
	return (p->state == STREAMING && !p->queue.frames) ||
	       (p->state == GREETING && p->address.kind == CHANNEL_VIRTIO);
}

int push_stream(struct push *p, const struct trace_stream *s, struct err *e)
{
	return push_queue_stream(&p->queue, s, e);
}

int push_label(struct push *p, int64_t real_ns, const char *label, struct err *e)
{
	return push_queue_label(&p->queue, real_ns, label, e);
}

int push_row(struct push *p, int64_t real_ns, const double *values, size_t n, struct err *e)
{
	/* The host's time to acknowledge it begins now, however long ago the row before was. */
	if (expects_nothing(p))
		p->deadline_ns = now() + PATIENCE_NS;
	return push_queue_row(&p->queue, real_ns, values, n, e);
}

/* ---- the connection ---- */

static void say(struct push *p, const char *sentence)
{
	if (p->o.say)
		p->o.say(p->o.user, sentence);
}

/* Close and pause; a reason is said once until it changes. */
static void give_up(struct push *p, const char *why)
{
	unsigned char chance = 128;

	if (strcmp(p->report.trouble, why) != 0) {
		snprintf(p->report.trouble, sizeof(p->report.trouble), "%s", why);
		say(p, why);
	}
	channel_free(p->channel);
	p->channel = NULL;
	cleanup_fd(&p->fd);
	p->fd = -1;
	if (getrandom(&chance, 1, GRND_NONBLOCK) < 0)
		chance = 128;
	p->next_ns = now() + p->pause_ns * (192 + chance / 2) / 256;
	p->pause_ns = p->pause_ns * 2 < PAUSE_MAX_NS ? p->pause_ns * 2 : PAUSE_MAX_NS;
	p->state = PAUSED;
}

/* VMWPUSH1, with a new number: what was under way is begun again. */
static void greet(struct push *p)
{
	p->hello_len = (size_t)snprintf(p->hello, sizeof(p->hello), CHANNEL_HELLO "%s %u\n",
					p->token, ++p->number);
	p->hello_sent = 0;
	p->prefix.len = p->prefix_sent = 0;
	push_queue_rewind(&p->queue);
	p->state = GREETING;
	p->deadline_ns = now() + PATIENCE_NS;
}

static void start_channel(struct push *p, int fd, struct err *e)
{
	p->line_len = 0;
	if (channel_new(fd, p->tls, p->address.host, &p->channel, e) < 0)
		give_up(p, e->msg);
	else
		p->state = SHAKING;
}

static void begin(struct push *p)
{
	struct err e = ERR_INIT;
	int fd;

	p->deadline_ns = now() + PATIENCE_NS;
	if (p->address.kind == CHANNEL_VIRTIO) {
		fd = channel_open_port(p->address.path, &e);
		if (fd < 0)
			give_up(p, e.msg);
		else
			start_channel(p, fd, &e);
		return;
	}
	p->fd = channel_connect(&p->peers[p->peer], &e);
	p->peer = (p->peer + 1) % p->n_peers;
	if (p->fd < 0)
		give_up(p, e.msg);
	else
		p->state = CONNECTING;
}

static void finish_connecting(struct push *p)
{
	struct pollfd poll_fd = {.fd = p->fd, .events = POLLOUT};
	struct err e = ERR_INIT;
	socklen_t len = sizeof(int);
	int code = 0;

	if (poll(&poll_fd, 1, 0) <= 0)
		return;
	if (getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 || code) {
		errno = code ? code : errno;
		err_errno(&e, "cannot connect");
		give_up(p, e.msg);
	} else {
		start_channel(p, steal_fd(&p->fd), &e);
	}
}

static void shake(struct push *p)
{
	struct err e = ERR_INIT;
	int r = channel_handshake(p->channel, &e);

	if (r < 0)
		give_up(p, e.msg);
	else if (r > 0)
		greet(p);
}

/* Nobody is at the host's end of the port: look again in a while. */
static bool port_is_idle(struct push *p)
{
	struct pollfd poll_fd = {.fd = -1};

	if (p->address.kind != CHANNEL_VIRTIO || !p->channel)
		return false;
	poll_fd.fd = channel_fd(p->channel);
	if (poll(&poll_fd, 1, 0) <= 0 || !(poll_fd.revents & POLLHUP))
		return false;
	p->state = PAUSED;
	p->next_ns = now() + PAUSE_MIN_NS;
	return true;
}

/* ---- what the host says ---- */

static void start(struct push *p)
{
	struct push_queue *q = &p->queue;

	p->prefix.len = p->prefix_sent = 0;
	p->prefix_frames = (q->stream.len > 0) + (q->label.len > 0);
	if (q->stream.len)
		put_bytes(&p->prefix, q->stream.data, q->stream.len);
	if (q->label.len)
		put_bytes(&p->prefix, q->label.data, q->label.len);
	push_queue_rewind(q);
	p->acknowledged = 0;
	p->state = STREAMING;
	p->deadline_ns = now() + PATIENCE_NS;
	p->report.trouble[0] = 0;
	if (!p->report.starts++)
		say(p, "the host takes what is recorded");
	else
		say(p, "the host takes it again");
}

/* `frames` since START are in the host's trace; false for what cannot be. */
static bool acknowledge(struct push *p, uint64_t frames)
{
	for (; p->acknowledged < frames; p->acknowledged++) {
		enum trace_type type;

		if (p->prefix_sent == p->prefix.len && p->acknowledged < p->prefix_frames)
			continue;
		type = push_queue_pop(&p->queue);
		if (!type)
			return false;
		p->report.delivered += type == TRACE_ROW;
	}
	p->pause_ns = PAUSE_MIN_NS;
	p->deadline_ns = now() + PATIENCE_NS;
	return true;
}

/* "NUMBER", or "NUMBER FRAMES", of this greeting. */
static bool take_numbers(const struct push *p, const char *at, uint64_t *ret_frames)
{
	uint64_t number;

	if (!scan_u64(&at, &number) || number != p->number)
		return false;
	if (!ret_frames)
		return !*at;
	return *at++ == ' ' && scan_u64(&at, ret_frames) && !*at;
}

static void take_line(struct push *p)
{
	const char *line = p->line;
	uint64_t frames = 0;

	if (!strcmp(line, "HELLO") && p->address.kind == CHANNEL_VIRTIO) {
		greet(p);
	} else if (!strncmp(line, "START ", 6)) {
		if (p->state == GREETING && take_numbers(p, line + 6, NULL))
			start(p);
	} else if (!strncmp(line, "ACK ", 4)) {
		if (p->state == STREAMING && take_numbers(p, line + 4, &frames) &&
		    !acknowledge(p, frames))
			give_up(p, "the host acknowledges what it was not sent");
	} else if (!strncmp(line, "BYE ", 4)) {
		char said[CHANNEL_LINE + 32];

		snprintf(said, sizeof(said), "the host refuses: %s", line + 4);
		give_up(p, said);
	}
}

/* Bytes of lines; those that are too long or no text are passed over. */
static void take_bytes(struct push *p, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && p->channel; i++) {
		if (bytes[i] == '\n') {
			p->line[p->line_len < CHANNEL_LINE ? p->line_len : 0] = 0;
			p->line_len = 0;
			take_line(p);
		} else if (p->line_len < CHANNEL_LINE - 1) {
			p->line[p->line_len++] =
				bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '?';
		}
	}
}

static void receive(struct push *p)
{
	struct err e = ERR_INIT;
	char bytes[512];
	ssize_t n;

	for (int i = 0; i < LINES_AT_ONCE && p->channel; i++) {
		n = channel_recv(p->channel, bytes, sizeof(bytes), &e);
		if (n == 0 || (n < 0 && port_is_idle(p)))
			return;
		if (n < 0)
			give_up(p, e.msg);
		else
			take_bytes(p, bytes, (size_t)n);
	}
}

/* ---- what is sent ---- */

/* The next bytes to be sent, and how many. */
static size_t unsent(const struct push *p, const uint8_t **ret)
{
	if (p->state != GREETING && p->state != STREAMING)
		return 0;
	*ret = (const uint8_t *)p->hello + p->hello_sent;
	if (p->hello_sent < p->hello_len)
		return p->hello_len - p->hello_sent;
	if (p->state != STREAMING)
		return 0;
	*ret = p->prefix.data + p->prefix_sent;
	if (p->prefix_sent < p->prefix.len)
		return p->prefix.len - p->prefix_sent;
	return push_queue_unsent(&p->queue, ret);
}

static void note_sent(struct push *p, size_t n)
{
	if (p->hello_sent < p->hello_len)
		p->hello_sent += n;
	else if (p->prefix_sent < p->prefix.len)
		p->prefix_sent += n;
	else
		push_queue_sent(&p->queue, n);
}

static void transmit(struct push *p)
{
	struct err e = ERR_INIT;
	const uint8_t *data = NULL;
	size_t len, total = 0;
	ssize_t n;

	while (p->channel && total < SEND_AT_ONCE && (len = unsent(p, &data)) > 0) {
		n = channel_send(p->channel, data, len, &e);
		if (n == 0 || (n < 0 && port_is_idle(p)))
			return;
		if (n < 0) {
			give_up(p, e.msg);
			return;
		}
		note_sent(p, (size_t)n);
		total += (size_t)n;
	}
}

static void check_deadline(struct push *p)
{
	if (p->state == PAUSED)
		return;
	if (expects_nothing(p))
		p->deadline_ns = now() + PATIENCE_NS;
	if (now() < p->deadline_ns)
		return;
	give_up(p, p->state == STREAMING ? "the host has not acknowledged anything for a while"
					 : "the host does not answer");
}

void push_serve(struct push *p)
{
	if (p->state == PAUSED) {
		if (now() < p->next_ns || port_is_idle(p))
			return;
		if (p->channel)
			greet(p);
		else
			begin(p);
	}
	if (p->state == CONNECTING)
		finish_connecting(p);
	if (p->state == SHAKING)
		shake(p);
	if (p->state >= GREETING && !port_is_idle(p)) {
		receive(p);
		transmit(p);
	}
	check_deadline(p);
}

int push_fd(const struct push *p)
{
	if (p->state == PAUSED)
		return -1;
	return p->channel ? channel_fd(p->channel) : p->fd;
}

short push_events(const struct push *p)
{
	const uint8_t *unused;

	if (p->state == CONNECTING)
		return POLLOUT;
	if (p->state == SHAKING)
		return channel_wants(p->channel);
	return unsent(p, &unused) ? POLLIN | POLLOUT : POLLIN;
}

int push_timeout_ms(const struct push *p)
{
	int64_t until_ns = p->state == PAUSED ? p->next_ns : p->deadline_ns, left_ns;

	if (p->state != PAUSED && expects_nothing(p))
		return -1;
	left_ns = until_ns - now();
	return left_ns < 0 ? 0 : (int)(left_ns / 1000000 + 1);
}

void push_drain(struct push *p, int patience_ms)
{
	int64_t end_ns = now() + patience_ms * 1000000ll;

	while (p->queue.frames && now() < end_ns) {
		struct pollfd poll_fd = {.fd = push_fd(p), .events = push_events(p)};
		int left_ms = (int)((end_ns - now()) / 1000000 + 1), next_ms = push_timeout_ms(p);

		poll(&poll_fd, 1, next_ms >= 0 && next_ms < left_ms ? next_ms : left_ms);
		push_serve(p);
	}
}

void push_report(const struct push *p, struct push_report *ret)
{
	*ret = p->report;
	ret->waiting = p->queue.rows;
	ret->dropped = p->queue.dropped;
}
