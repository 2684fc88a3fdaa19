// SPDX-License-Identifier: Apache-2.0
/*
 * See calls.h. What a call does between two events of the queue:
 *
 *   WAITING    a method was asked for and nobody called it yet
 *   RECEIVING  the message of a unary call is awaited: who calls may
 *   STREAMING  headers or an answer go out, the next message is awaited
 *   WATCHING   answers go out when health changes; ends when the client leaves
 *   ENDING     the status goes out; the next event is the last
 *
 * One batch is under way at a time, but for WATCHING, where the client's
 * leaving is a batch of its own, told apart by the lowest bit of its tag.
 */
#include "serve/calls.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define WAITING_FIRST 64 /* calls that wait for the busiest method; 4 for others */
#define STREAMS_MAX   16384
#define WATCHERS_MAX  512 /* of health, which need no token */
#define STRANGERS_MAX 16  /* whose message is awaited, of methods that need no token */
#define POLL_MS	      200
#define CLOSE_TAG     1u

enum call_state { CALL_WAITING, CALL_RECEIVING, CALL_STREAMING, CALL_WATCHING, CALL_ENDING };

struct call {
	size_t index; /* of the method; n_methods: none that we know */
	enum call_state state;
	grpc_call *call;
	grpc_call_details details; /* of an unknown method */
	gpr_timespec deadline;
	grpc_metadata_array metadata;
	grpc_byte_buffer *in, *out;
	struct session *session;
	bool headers_sent, sending, told; /* told: a watcher knows that we leave */
	bool watches;			  /* counted in n_watchers */
	unsigned pending;		  /* batches under way */
	int cancelled;
	grpc_status_code code;
	struct call *next, *before; /* of watchers, or of those at rest */
};

struct calls {
	struct service *service;
	grpc_server *server;
	grpc_completion_queue *queue;
	void *registered[STATS_METHODS];
	struct call *strangers[STRANGERS_MAX];
	size_t next_stranger;
	struct call *resting, *watchers;
	size_t n_watchers;
	struct arena arena;
	unsigned drain_ms;
	bool leaving;
};

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* ---- waiting for calls ---- */

static void rest(struct calls *c, struct call *call)
{
	call->next = c->resting;
	c->resting = call;
}

static void wait_for_call(struct calls *c, size_t index)
{
	struct call *call = c->resting;
	grpc_call_error error;

	if (call)
		c->resting = call->next;
	else
		call = malloc(sizeof(*call));
	if (!call) {
		log_error("out of memory: fewer calls at once");
		return;
	}
	memset(call, 0, sizeof(*call));
	call->index = index;
	grpc_metadata_array_init(&call->metadata);
	grpc_call_details_init(&call->details);
	if (index == n_methods)
		error = grpc_server_request_call(c->server, &call->call, &call->details,
						 &call->metadata, c->queue, c->queue, call);
	else
		error = grpc_server_request_registered_call(
			c->server, c->registered[index], &call->call, &call->deadline,
			&call->metadata, NULL, c->queue, c->queue, call);
	if (error != GRPC_CALL_OK)
		rest(c, call);
}

static void forget(struct calls *c, struct call *call)
{
	if (call->before)
		call->before->next = call->next;
	else if (c->watchers == call)
		c->watchers = call->next;
	if (call->next)
		call->next->before = call->before;
	call->next = call->before = NULL;
}

/* The call is over: count it and keep its memory for another. */
static void end(struct calls *c, struct call *call)
{
	struct stats *s = &c->service->stats;

	if (call->call) {
		size_t code = (size_t)(call->cancelled ? GRPC_STATUS_CANCELLED : call->code);

		atomic_fetch_add_explicit(
			&s->calls[call->index][code < STATS_CODES ? code : GRPC_STATUS_UNKNOWN], 1,
			memory_order_relaxed);
		grpc_call_unref(call->call);
	}
	c->n_watchers -= call->watches;
	if (call->session) {
		session_free(call->session);
		atomic_fetch_sub(&s->streams, 1);
	}
	grpc_byte_buffer_destroy(call->in);
	grpc_byte_buffer_destroy(call->out);
	grpc_metadata_array_destroy(&call->metadata);
	grpc_call_details_destroy(&call->details);
	rest(c, call);
}

/* ---- sending ---- */

static void start(struct calls *c, struct call *call, const grpc_op *ops, size_t n)
{
	(void)c;
	if (grpc_call_start_batch(call->call, ops, n, call, NULL) != GRPC_CALL_OK)
		log_error("a batch of %zu operations was refused", n);
	else
		call->pending++;
}

static grpc_op op_of(grpc_op_type type)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = type;
	return op;
}

static size_t add_headers(struct call *call, grpc_op *ops, size_t n)
{
	if (!call->headers_sent)
		ops[n++] = op_of(GRPC_OP_SEND_INITIAL_METADATA);
	call->headers_sent = true;
	return n;
}

static size_t add_message(struct call *call, const struct outcome *o, grpc_op *ops, size_t n)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)o->data, o->len);

	grpc_byte_buffer_destroy(call->out);
	call->out = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	ops[n] = op_of(GRPC_OP_SEND_MESSAGE);
	ops[n].data.send_message.send_message = call->out;
	return n + 1;
}

/* The last of a call: an answer where there is one, and the status. */
static void finish(struct calls *c, struct call *call, const struct outcome *o)
{
	grpc_slice why = grpc_slice_from_copied_string(o->why);
	grpc_op ops[4];
	size_t n = add_headers(call, ops, 0);

	if (o->data)
		n = add_message(call, o, ops, n);
	ops[n] = op_of(GRPC_OP_SEND_STATUS_FROM_SERVER);
	ops[n].data.send_status_from_server.status = o->code;
	ops[n].data.send_status_from_server.status_details = o->why[0] ? &why : NULL;
	n++;
	if (call->state != CALL_WATCHING) {
		ops[n] = op_of(GRPC_OP_RECV_CLOSE_ON_SERVER);
		ops[n++].data.recv_close_on_server.cancelled = &call->cancelled;
	}
	call->state = CALL_ENDING;
	call->code = o->code;
	start(c, call, ops, n);
	grpc_slice_unref(why);
}

/* ---- messages ---- */

static void read_caller(const struct call *call, struct caller *ret)
{
	static const char scheme[] = "Bearer ";

	*ret = (struct caller){.session = call->session};
	for (size_t i = 0; i < call->metadata.count; i++) {
		const grpc_metadata *m = &call->metadata.metadata[i];
		size_t len = GRPC_SLICE_LENGTH(m->value);

		if (grpc_slice_str_cmp(m->key, "authorization") != 0 || len < sizeof(scheme) ||
		    strncasecmp((const char *)GRPC_SLICE_START_PTR(m->value), scheme,
				sizeof(scheme) - 1) != 0)
			continue;
		ret->token = (const char *)GRPC_SLICE_START_PTR(m->value) + sizeof(scheme) - 1;
		ret->token_len = len - (sizeof(scheme) - 1);
	}
}

/* Answer what lies in call->in. */
static void answer(struct calls *c, struct call *call, struct outcome *ret)
{
	const struct method *m = &methods[call->index];
	int64_t begin_ns = now_ns();
	grpc_byte_buffer_reader reader;
	struct caller caller;
	grpc_slice all;

	*ret = (struct outcome){.code = GRPC_STATUS_OK};
	read_caller(call, &caller);
	if (!service_admit(c->service, &caller, m->scope, 0, ret))
		return;
	if (!call->in || !grpc_byte_buffer_reader_init(&reader, call->in)) {
		ret->code = GRPC_STATUS_INVALID_ARGUMENT;
		snprintf(ret->why, sizeof(ret->why), "no message that can be read");
		return;
	}
	all = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	m->answer(c->service, &caller, GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all), &c->arena,
		  ret);
	grpc_slice_unref(all);
	stats_message(&c->service->stats, now_ns() - begin_ns);
}

static size_t add_receiving(struct call *call, grpc_op *ops, size_t n)
{
	grpc_byte_buffer_destroy(call->in);
	call->in = NULL;
	ops[n] = op_of(GRPC_OP_RECV_MESSAGE);
	ops[n].data.recv_message.recv_message = &call->in;
	return n + 1;
}

/*
 * Nobody knows who this is: a message that does not come to its end holds memory. Where there are
 * too many of them the one that has waited longest goes.
 */
static void await_stranger(struct calls *c, struct call *call)
{
	struct call **at = &c->strangers[c->next_stranger++ % STRANGERS_MAX];

	if (*at)
		grpc_call_cancel((*at)->call, NULL);
	*at = call;
}

static void know_stranger(struct calls *c, const struct call *call)
{
	for (size_t i = 0; i < STRANGERS_MAX; i++) {
		if (c->strangers[i] == call)
			c->strangers[i] = NULL;
	}
}

static void await_message(struct calls *c, struct call *call, const struct outcome *o)
{
	grpc_op ops[3];
	size_t n = add_headers(call, ops, 0);

	if (o)
		n = add_message(call, o, ops, n);
	call->state = CALL_STREAMING;
	start(c, call, ops, add_receiving(call, ops, n));
}

static void begin_unary(struct calls *c, struct call *call)
{
	struct outcome o = {.code = GRPC_STATUS_OK};
	struct caller caller;
	grpc_op op;

	read_caller(call, &caller);
	if (!service_admit(c->service, &caller, methods[call->index].scope, 0, &o)) {
		finish(c, call, &o);
		return;
	}
	if (!methods[call->index].scope)
		await_stranger(c, call);
	call->state = CALL_RECEIVING;
	start(c, call, &op, add_receiving(call, &op, 0));
}

static void begin_stream(struct calls *c, struct call *call)
{
	struct outcome o = {.code = GRPC_STATUS_OK};
	struct caller caller;

	read_caller(call, &caller);
	if (!service_admit(c->service, &caller, methods[call->index].scope, 0, &o)) {
		finish(c, call, &o);
		return;
	}
	if (atomic_load(&c->service->stats.streams) >= STREAMS_MAX ||
	    !(call->session = session_new())) {
		o.code = GRPC_STATUS_RESOURCE_EXHAUSTED;
		snprintf(o.why, sizeof(o.why), "as many streams as this server takes are open");
		finish(c, call, &o);
		return;
	}
	atomic_fetch_add(&c->service->stats.streams, 1);
	await_message(c, call, NULL);
}

/* The client's leaving, as an event of its own. */
static void begin_watch(struct calls *c, struct call *call, const struct outcome *o)
{
	grpc_op close = op_of(GRPC_OP_RECV_CLOSE_ON_SERVER), ops[2];
	size_t n = add_headers(call, ops, 0);

	close.data.recv_close_on_server.cancelled = &call->cancelled;
	if (grpc_call_start_batch(call->call, &close, 1, (char *)call + CLOSE_TAG, NULL) ==
	    GRPC_CALL_OK)
		call->pending++;
	n = add_message(call, o, ops, n);
	call->state = CALL_WATCHING;
	call->sending = true;
	start(c, call, ops, n);
	call->next = c->watchers;
	if (c->watchers)
		c->watchers->before = call;
	c->watchers = call;
}

/* Tell a watcher that we leave, once nothing is on its way to it. */
static void tell_watcher(struct calls *c, struct call *call)
{
	struct outcome o = {.code = GRPC_STATUS_OK};

	if (call->sending || call->told)
		return;
	health_answer(c->service, &c->arena, &o);
	o.code = GRPC_STATUS_UNAVAILABLE;
	snprintf(o.why, sizeof(o.why), "this server is leaving");
	call->told = true;
	finish(c, call, &o);
}

static void await_watcher(struct calls *c, struct call *call)
{
	struct outcome o = {.code = GRPC_STATUS_RESOURCE_EXHAUSTED};

	if (c->n_watchers >= WATCHERS_MAX) {
		snprintf(o.why, sizeof(o.why), "as many watchers as this server takes are there");
		finish(c, call, &o);
		return;
	}
	call->watches = true;
	c->n_watchers++;
	await_stranger(c, call);
	await_message(c, call, NULL);
}

static void on_message(struct calls *c, struct call *call, bool ok)
{
	struct outcome o = {.code = GRPC_STATUS_OK};

	if (!ok || !call->in) { /* the client has said all, or is gone */
		finish(c, call, &o);
		return;
	}
	answer(c, call, &o);
	if (o.code != GRPC_STATUS_OK)
		finish(c, call, &o);
	else if (methods[call->index].kind == METHOD_WATCH)
		begin_watch(c, call, &o);
	else
		await_message(c, call, &o);
}

static void on_call(struct calls *c, struct call *call, bool ok)
{
	struct outcome o = {.code = GRPC_STATUS_UNIMPLEMENTED};

	if (!ok) { /* the server shuts down: nobody called */
		end(c, call);
		return;
	}
	wait_for_call(c, call->index);
	if (call->index == n_methods) {
		snprintf(o.why, sizeof(o.why), "no such method");
		finish(c, call, &o);
	} else if (methods[call->index].kind == METHOD_UNARY) {
		begin_unary(c, call);
	} else if (methods[call->index].kind == METHOD_STREAM) {
		begin_stream(c, call);
	} else {
		await_watcher(c, call);
	}
}

/* A watcher's client has left, or our last word has reached it. */
static void on_close(struct calls *c, struct call *call)
{
	struct outcome o = {.code = GRPC_STATUS_CANCELLED};

	forget(c, call);
	if (call->state == CALL_WATCHING && !call->sending)
		finish(c, call, &o);
	else if (!call->pending)
		end(c, call);
}

static void on_event(struct calls *c, const grpc_event *event)
{
	struct outcome o = {.code = GRPC_STATUS_OK};
	uintptr_t tag = (uintptr_t)event->tag;
	struct call *call = (struct call *)(tag & ~(uintptr_t)CLOSE_TAG);

	if (call->state == CALL_WAITING) {
		on_call(c, call, event->success);
		return;
	}
	call->pending--;
	know_stranger(c, call);
	if (tag & CLOSE_TAG) {
		call->told = true;
		on_close(c, call);
		return;
	}
	call->sending = false;
	if (call->state == CALL_RECEIVING) {
		answer(c, call, &o);
		finish(c, call, &o);
	} else if (call->state == CALL_STREAMING) {
		on_message(c, call, event->success);
	} else if (call->state == CALL_ENDING) {
		if (!call->pending) {
			forget(c, call);
			end(c, call);
		}
	} else if (call->told) { /* the client left while an answer was on its way */
		on_close(c, call);
	}
}

/* ---- the queue ---- */

int calls_new(struct service *s, grpc_server *server, unsigned drain_ms, struct calls **ret,
	      struct err *e)
{
	struct calls *c = calloc(1, sizeof(*c));

	if (!c)
		return err_nomem(e);
	*c = (struct calls){.service = s, .server = server, .drain_ms = drain_ms};
	c->queue = grpc_completion_queue_create_for_next(NULL);
	grpc_server_register_completion_queue(server, c->queue, NULL);
	for (size_t i = 0; i < n_methods; i++) {
		/* The message is received once the token is known. */
		c->registered[i] = grpc_server_register_method(server, methods[i].path, NULL,
							       GRPC_SRM_PAYLOAD_NONE, 0);
	}
	*ret = c;
	return 0;
}

void calls_free(struct calls *c)
{
	struct call *next;

	if (!c)
		return;
	for (struct call *call = c->resting; call; call = next) {
		next = call->next;
		free(call);
	}
	arena_release(&c->arena);
	grpc_completion_queue_destroy(c->queue);
	free(c);
}

/* No new calls from here on; watchers are told, and what is left has its time. */
static void leave(struct calls *c)
{
	struct call *next;

	c->leaving = true;
	grpc_server_shutdown_and_notify(c->server, c->queue, c);
	for (struct call *call = c->watchers; call; call = next) {
		next = call->next;
		tell_watcher(c, call);
	}
}

void calls_run(struct calls *c)
{
	const gpr_timespec pause = gpr_time_from_millis(POLL_MS, GPR_TIMESPAN);
	int64_t limit_ns = 0;

	for (size_t i = 0; i <= n_methods; i++) {
		for (size_t k = 0; k < (i ? 4 : WAITING_FIRST); k++)
			wait_for_call(c, i);
	}
	for (;;) {
		grpc_event event = grpc_completion_queue_next(
			c->queue, gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), pause), NULL);

		if (event.type == GRPC_QUEUE_SHUTDOWN)
			return;
		if (event.type == GRPC_OP_COMPLETE && event.tag == c)
			grpc_completion_queue_shutdown(c->queue);
		else if (event.type == GRPC_OP_COMPLETE)
			on_event(c, &event);
		arena_reset(&c->arena);
		if (!c->leaving && atomic_load(&c->service->draining)) {
			leave(c);
			limit_ns = now_ns() + c->drain_ms * INT64_C(1000000);
		}
		if (limit_ns && now_ns() > limit_ns) {
			grpc_server_cancel_all_calls(c->server);
			limit_ns = 0;
		}
	}
}
