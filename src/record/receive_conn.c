// SPDX-License-Identifier: Apache-2.0
/* One connection of a guest that pushes: see receive_conn.h, and channel.h for what is said. */
#include "record/receive_conn.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kernel.h"

#define AT_ONCE	       (4 * CHANNEL_CHUNK) /* then it is another's turn */
#define FRAME_PATIENCE 30.0		   /* seconds that a frame may take */

static int take_hello(void *user, const char *token, uint32_t number, struct err *e)
{
	struct receive_conn *c = user;

	if (c->who(c->user, c, token, e) < 0)
		return e->code;
	c->number = number;
	c->told = 0;
	c->started = c->start_due = true;
	return 0;
}

static int take_stream(void *user, const struct trace_stream *s, struct err *e)
{
	struct receive_conn *c = user;

	return receive_store_stream(c->store, c->vm, s, e);
}

static int take_row(void *user, int64_t real_ns, const double *values, size_t n, struct err *e)
{
	struct receive_conn *c = user;

	return receive_store_row(c->store, c->vm, real_ns, values, n, c->heard_ns, e);
}

static int take_label(void *user, int64_t real_ns, const char *label, struct err *e)
{
	struct receive_conn *c = user;

	return receive_store_label(c->store, c->vm, real_ns, label, e);
}

static const struct receive_sink sink = {take_hello, take_stream, take_row, take_label};

struct receive_conn *receive_conn_new(enum channel_kind kind, struct channel *channel,
				      struct receive_store *store, int64_t now_ns)
{
	struct receive_conn *c = calloc(1, sizeof(*c));

	if (!c) {
		channel_free(channel);
		return NULL;
	}
	c->kind = kind;
	c->channel = channel;
	c->store = store;
	c->begun_ns = c->heard_ns = now_ns;
	c->hello_due = kind == CHANNEL_VIRTIO;
	receive_parser_init(&c->parser, &sink, c, kind == CHANNEL_VIRTIO);
	return c;
}

void receive_conn_free(struct receive_conn *c, const char *why)
{
	struct err unused = ERR_INIT;
	char line[CHANNEL_LINE];
	int n;

	if (!c)
		return;
	n = snprintf(line, sizeof(line), "BYE %.140s\n", why ? why : "");
	if (why && c->shaken && c->out_sent == c->out_len)
		channel_send(c->channel, line, (size_t)n, &unused);
	receive_parser_release(&c->parser);
	channel_free(c->channel);
	free(c);
}

/* The next line to be said, where one is due. */
static void next_line(struct receive_conn *c)
{
	int n = 0;

	if (c->out_sent < c->out_len)
		return;
	if (c->hello_due) {
		n = snprintf(c->out, sizeof(c->out), "HELLO\n");
		c->hello_due = false;
	} else if (c->start_due) {
		n = snprintf(c->out, sizeof(c->out), "START %u\n", c->number);
		c->start_due = false;
	} else if (c->started && c->parser.frames > c->told) {
		c->told = c->parser.frames;
		n = snprintf(c->out, sizeof(c->out), "ACK %u %" PRIu64 "\n", c->number, c->told);
	}
	c->out_len = (size_t)n;
	c->out_sent = 0;
}

static int transmit(struct receive_conn *c, struct err *e)
{
	for (next_line(c); c->out_sent < c->out_len; next_line(c)) {
		ssize_t n =
			channel_send(c->channel, c->out + c->out_sent, c->out_len - c->out_sent, e);

		if (n <= 0)
			return (int)n;
		c->out_sent += (size_t)n;
	}
	return 0;
}

static int receive(struct receive_conn *c, int64_t now_ns, struct err *e)
{
	uint8_t bytes[CHANNEL_CHUNK];
	size_t total = 0;

	while (total < AT_ONCE || channel_pending(c->channel)) {
		ssize_t n = channel_recv(c->channel, bytes, sizeof(bytes), e);

		if (n <= 0)
			return (int)n;
		c->heard_ns = now_ns;
		total += (size_t)n;
		if (c->vm && receive_store_bytes(c->store, c->vm, (size_t)n, now_ns, e) < 0)
			return e->code;
		if (receive_parser_feed(&c->parser, bytes, (size_t)n, e) < 0)
			return e->code;
	}
	return 0;
}

int receive_conn_serve(struct receive_conn *c, int64_t now_ns, struct err *e)
{
	int r;

	if (!c->shaken) {
		r = channel_handshake(c->channel, e);
		if (r <= 0)
			return r;
		c->shaken = true;
	}
	r = receive(c, now_ns, e);
	return r < 0 ? r : transmit(c, e);
}

short receive_conn_events(const struct receive_conn *c)
{
	if (!c->shaken)
		return channel_wants(c->channel);
	return c->out_sent < c->out_len ? POLLIN | POLLOUT : POLLIN;
}

int receive_conn_check(const struct receive_conn *c, int64_t now_ns, double handshake_s,
		       double idle_s, struct err *e)
{
	double silent_s = (double)(now_ns - c->heard_ns) * 1e-9;

	if (!c->started) {
		if (c->kind == CHANNEL_VIRTIO ||
		    (double)(now_ns - c->begun_ns) * 1e-9 < handshake_s)
			return 0;
		return err_set(e, -ETIMEDOUT, "it did not greet in time");
	}
	if (receive_parser_within(&c->parser) && silent_s > FRAME_PATIENCE)
		return err_set(e, -ETIMEDOUT, "a frame that it began does not end");
	if (c->kind != CHANNEL_VIRTIO && silent_s > idle_s)
		return err_set(e, -ETIMEDOUT, "nothing came for too long");
	return 0;
}
