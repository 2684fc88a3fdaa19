// SPDX-License-Identifier: Apache-2.0
/* See client_call.h. */
#include "serve/client_call.h"

#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <math.h>
#include <power_estimation.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/arena.h"
#include "serve/client.h"
#include "serve/grpclog.h"

#define UNARY	      "/PowerEstimationService/EstimatePower"
#define STREAM	      "/PowerEstimationService/EstimateStream"
#define ANSWER_MAX    65536
#define PEM_MAX	      (1u << 20)
#define WATTS_MOST    1e6
#define NOT_STATED    0.5 /* the confidence in watts whose server states none */
#define TOKEN_AGAIN_S 5

/*
 * One call: unary, or the stream, which stays open and whose server keeps the
 * history. What gRPC writes into stays where it is until nothing is under way.
 */
struct call {
	grpc_call *call;      /* NULL: none is open */
	grpc_metadata bearer; /* what is sent; then, what is received */
	grpc_metadata_array headers, trailers;
	grpc_byte_buffer *out, *in;
	grpc_status_code status;
	grpc_slice words;
	bool begun, asking, open; /* headers are out; a message is under way; so is the status */
};

/* What an event of the queue tells of. */
#define TAG_MESSAGE ((void *)1)
#define TAG_STATUS  ((void *)2)

struct client {
	struct client_options o;
	grpc_channel *channel;
	grpc_completion_queue *queue;
	struct arena arena;
	char *bearer; /* "Bearer TOKEN", or NULL */
	gpr_timespec token_read;
	struct call call;
	bool stream; /* the server's last answer asked for one */
};

/* ---- opening ---- */

static int read_text(const char *path, char **ret, struct err *e)
{
	size_t len;

	return path ? file_read(path, PEM_MAX, true, ret, &len, e) : 0;
}

/* A token that was changed in its file is taken without a restart. */
static int read_token(struct client *c, struct err *e)
{
	autofree char *text = NULL;
	char *bearer;
	int r;

	if (!c->o.token_file)
		return 0;
	c->token_read = gpr_now(GPR_CLOCK_MONOTONIC);
	r = read_text(c->o.token_file, &text, e);
	if (r < 0)
		return r;
	text[strcspn(text, "\r\n")] = 0;
	if (!text[0] || strlen(text) > 4096)
		return err_set(e, -ERR_CONFIG, "%s: its first line is no token", c->o.token_file);
	if (asprintf(&bearer, "Bearer %s", text) < 0)
		return err_nomem(e);
	free(c->bearer);
	c->bearer = bearer;
	return 0;
}

static int make_credentials(const struct client_options *o, bool plain,
			    grpc_channel_credentials **ret, struct err *e)
{
	autofree char *ca = NULL, *cert = NULL, *key = NULL;
	grpc_ssl_pem_key_cert_pair pair;
	int r;

	if (plain) {
		*ret = grpc_insecure_credentials_create();
		return 0;
	}
	r = read_text(o->ca, &ca, e);
	if (r == 0)
		r = read_text(o->cert, &cert, e);
	if (r == 0)
		r = read_text(o->key, &key, e);
	if (r < 0)
		return r;
	pair = (grpc_ssl_pem_key_cert_pair){key, cert};
	*ret = grpc_ssl_credentials_create_ex(ca, cert ? &pair : NULL, NULL, NULL);
	return *ret ? 0 : err_set(e, -ERR_CONFIG, "certificates cannot be used");
}

static grpc_arg number(const char *key, int value)
{
	return (grpc_arg){
		.type = GRPC_ARG_INTEGER, .key = (char *)key, .value = {.integer = value}};
}

static void connect_to(struct client *c, const char *address, grpc_channel_credentials *credentials)
{
	grpc_arg args[] = {
		number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, ANSWER_MAX),
		number(GRPC_ARG_ENABLE_RETRIES, 0), /* ours know about ticks */
		number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
		number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 500),
		/* How long one attempt may take: a handshake moves only while something is asked,
		   so it must outlive the breaker's pauses. */
		number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, (int)(1000 * BREAKER_MAX_S) + 2000),
		number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000),
		number(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 2000),
		number(GRPC_ARG_KEEPALIVE_TIME_MS, 30000),
		number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000),
	};
	const grpc_channel_args all = {array_size(args), args};

	c->channel = grpc_channel_create(address, credentials, &all);
}

int client_open(const struct client_options *o, struct client **ret, struct err *e)
{
	bool https = !strncmp(o->url, "https://", 8), http = !strncmp(o->url, "http://", 7);
	const char *address = o->url + (https ? 8 : http ? 7 : 0);
	bool local = address_is_local(address);
	bool plain = http || (local && !https && !o->ca);
	grpc_channel_credentials *credentials;
	struct client *c;
	int r;

	if (plain && !local)
		return err_set(e, -ERR_USAGE,
			       "python_server.url %s: plaintext beyond this machine is refused",
			       o->url);
	r = make_credentials(o, plain, &credentials, e);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (!c) {
		grpc_channel_credentials_release(credentials);
		return err_nomem(e);
	}
	c->o = *o;
	c->queue = grpc_completion_queue_create_for_next(NULL);
	connect_to(c, address, credentials);
	grpc_channel_credentials_release(credentials);
	r = read_token(c, e);
	if (r == -ENOENT) { /* a secret that is yet to be mounted: denied until it is there */
		log_warn("%s: asking without a token", e->msg);
		r = 0;
	}
	if (r < 0) {
		client_close(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* ---- the message ---- */

static void *arena_alloc(void *a, size_t size)
{
	return arena_take(a, size);
}

static void arena_ignore(void *a, void *p)
{
	(void)a;
	(void)p;
}

static grpc_byte_buffer *pack(const struct remote_question *q)
{
	EstimationRequest request = ESTIMATION_REQUEST__INIT;
	EstimationRequest__FeaturesEntry features[FEATURE_COUNT], *at[FEATURE_COUNT];
	double vcpus = q->row.v[FEATURE_VCPUS];
	grpc_byte_buffer *buffer;
	grpc_slice slice;
	size_t n = 0;

	feature_foreach (f) {
		if (!isfinite(q->row.v[f]))
			continue;
		features[n] =
			(EstimationRequest__FeaturesEntry)ESTIMATION_REQUEST__FEATURES_ENTRY__INIT;
		features[n].key = (char *)feature_info(f)->name;
		features[n].value = q->row.v[f];
		at[n] = &features[n];
		n++;
	}
	request.n_features = n;
	request.features = at;
	request.time_s = isfinite(q->row.t_s) ? q->row.t_s : 0;
	request.interval_s = q->row.dt_s > 0 && q->row.dt_s < 86400 ? q->row.dt_s : 0;
	request.vcpus = vcpus >= 1 && vcpus <= 65536 ? (int32_t)vcpus : 0;
	request.cpu_model = (char *)q->cpu_model;
	slice = grpc_slice_malloc(estimation_request__get_packed_size(&request));
	estimation_request__pack(&request, GRPC_SLICE_START_PTR(slice));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

static int find_zone(const char *name)
{
	zone_foreach (z) {
		if (name && !strcmp(zone_name(z), name))
			return (int)z;
	}
	return -1;
}

static enum provenance find_provenance(const char *name)
{
	for (int p = PROVENANCE_DERIVED; p < PROVENANCE_COUNT; p++) {
		if (name && !strcmp(provenance_name((enum provenance)p), name))
			return (enum provenance)p;
	}
	return PROVENANCE_TRAINED; /* whose server knows no such word has trained something */
}

/* A server of the proposal says watts and one confidence: the interval follows from that. */
static void bare_zone(double watts, double confidence, struct remote_zone *ret)
{
	double stated = confidence > 0 ? fmax(confidence, 0.05) : NOT_STATED;
	double half_w = watts * (1 / stated - 1);

	*ret = (struct remote_zone){.valid = true,
				    .watts = watts,
				    .low_w = fmax(watts - half_w, 0),
				    .high_w = fmin(watts + half_w, WATTS_MOST),
				    .confidence = stated,
				    .provenance = PROVENANCE_TRAINED};
}

static bool in_range(const struct remote_zone *z)
{
	return z->low_w >= 0 && z->low_w <= z->watts && z->watts <= z->high_w &&
	       z->high_w <= WATTS_MOST && z->confidence >= 0 && z->confidence <= 1;
}

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from ? from : "");
	for (; *to; to++) {
		if ((unsigned char)*to < ' ' || *to == 127)
			*to = ' ';
	}
}

static bool read_zones(const EstimationResponse *m, struct remote_answer *ret)
{
	for (size_t i = 0; i < m->n_zone_watts; i++) {
		int z = find_zone(m->zone_watts[i]->key);

		if (z >= 0)
			bare_zone(m->zone_watts[i]->value, m->confidence, &ret->zones[z]);
	}
	for (size_t i = 0; i < m->n_zones; i++) {
		const ZoneEstimate *from = m->zones[i]->value;
		int z = find_zone(m->zones[i]->key);

		if (z < 0 || !from)
			continue;
		ret->zones[z] = (struct remote_zone){
			.valid = true,
			.watts = from->watts,
			.low_w = from->watts_low,
			.high_w = from->watts_high,
			.confidence = from->confidence,
			.provenance = find_provenance(from->provenance),
			.is_pp1 = from->definition && !strcmp(from->definition, "pp1")};
	}
	zone_foreach (z) {
		if (ret->zones[z].valid && !in_range(&ret->zones[z]))
			return false;
	}
	return m->n_zone_watts || m->n_zones;
}

static bool any_trained(const struct remote_answer *a)
{
	zone_foreach (z) {
		if (a->zones[z].valid && a->zones[z].provenance != PROVENANCE_PRIOR)
			return true;
	}
	return false;
}

/* True when the server asks for a stream. */
static bool read_answer(struct client *c, grpc_byte_buffer *buffer, struct remote_answer *ret)
{
	ProtobufCAllocator alloc = {arena_alloc, arena_ignore, &c->arena};
	grpc_byte_buffer_reader reader;
	EstimationResponse *m;
	bool stream = false;
	grpc_slice all;

	ret->reason = REMOTE_BAD_ANSWER;
	if (!grpc_byte_buffer_reader_init(&reader, buffer))
		return false;
	all = grpc_byte_buffer_reader_readall(&reader);
	grpc_byte_buffer_reader_destroy(&reader);
	m = estimation_response__unpack(&alloc, GRPC_SLICE_LENGTH(all), GRPC_SLICE_START_PTR(all));
	if (m && read_zones(m, ret) && m->distance >= 0 && isfinite(m->distance)) {
		ret->distance = m->distance;
		copy_text(ret->name, sizeof(ret->name), m->model_name);
		copy_text(ret->version, sizeof(ret->version), m->model_version);
		ret->reason = REMOTE_NONE;
		stream = m->reads_history;
		if (!any_trained(ret) ||
		    (m->scope && m->scope[0] && strcmp(m->scope, scope_name(SCOPE_VM_ACTIVE)) != 0))
			ret->reason = REMOTE_NO_MODEL;
	}
	grpc_slice_unref(all);
	arena_reset(&c->arena);
	return stream;
}

/* ---- the call ---- */

static enum remote_reason reason_of(grpc_status_code code, const char *words)
{
	switch (code) {
	case GRPC_STATUS_DEADLINE_EXCEEDED:
		return REMOTE_TIMEOUT;
	case GRPC_STATUS_UNAUTHENTICATED:
	case GRPC_STATUS_PERMISSION_DENIED:
		return REMOTE_DENIED;
	case GRPC_STATUS_RESOURCE_EXHAUSTED:
		return REMOTE_LIMITED;
	case GRPC_STATUS_CANCELLED: /* not by us: the server is leaving */
		return REMOTE_UNREACHABLE;
	case GRPC_STATUS_UNAVAILABLE:
		if (strstr(words, "DNS") || strstr(words, "resol"))
			return REMOTE_NAME;
		if (strcasestr(words, "ssl") || strcasestr(words, "handshake") ||
		    strcasestr(words, "certificate"))
			return REMOTE_TLS;
		return REMOTE_UNREACHABLE;
	case GRPC_STATUS_INTERNAL:
	case GRPC_STATUS_DATA_LOSS:
	case GRPC_STATUS_UNKNOWN:
		return REMOTE_BAD_ANSWER;
	default:
		return REMOTE_REFUSED;
	}
}

static bool begin_call(struct client *c)
{
	const char *method = c->stream ? STREAM : UNARY;
	struct call *call = &c->call;
	grpc_op op;

	*call = (struct call){.status = GRPC_STATUS_UNKNOWN, .words = grpc_empty_slice()};
	grpc_metadata_array_init(&call->headers);
	grpc_metadata_array_init(&call->trailers);
	call->bearer.key = grpc_slice_from_static_string("authorization");
	call->bearer.value = grpc_slice_from_copied_string(c->bearer ? c->bearer : "");
	call->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->queue,
					      grpc_slice_from_static_string(method), NULL,
					      gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	op.data.recv_status_on_client.trailing_metadata = &call->trailers;
	op.data.recv_status_on_client.status = &call->status;
	op.data.recv_status_on_client.status_details = &call->words;
	call->open = grpc_call_start_batch(call->call, &op, 1, TAG_STATUS, NULL) == GRPC_CALL_OK;
	return call->open;
}

/* Headers where they are not out yet, a question, and the wait for its answer. */
static bool send_question(struct client *c, const struct remote_question *q)
{
	struct call *call = &c->call;
	grpc_op ops[5];
	size_t n = 0;

	memset(ops, 0, sizeof(ops));
	if (!call->begun) {
		ops[n].op = GRPC_OP_SEND_INITIAL_METADATA;
		ops[n].data.send_initial_metadata.count = c->bearer ? 1 : 0;
		ops[n++].data.send_initial_metadata.metadata = &call->bearer;
		ops[n].op = GRPC_OP_RECV_INITIAL_METADATA;
		ops[n++].data.recv_initial_metadata.recv_initial_metadata = &call->headers;
		call->begun = true;
	}
	grpc_byte_buffer_destroy(call->out);
	call->out = pack(q);
	ops[n].op = GRPC_OP_SEND_MESSAGE;
	ops[n++].data.send_message.send_message = call->out;
	if (!c->stream)
		ops[n++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[n].op = GRPC_OP_RECV_MESSAGE;
	ops[n++].data.recv_message.recv_message = &call->in;
	call->asking = grpc_call_start_batch(call->call, ops, n, TAG_MESSAGE, NULL) == GRPC_CALL_OK;
	return call->asking;
}

/* False when the time is over first. */
static bool next_event(struct client *c, gpr_timespec deadline)
{
	grpc_event event = grpc_completion_queue_next(c->queue, deadline, NULL);

	if (event.type != GRPC_OP_COMPLETE)
		return false;
	if (event.tag == TAG_MESSAGE)
		c->call.asking = false;
	else
		c->call.open = false;
	return true;
}

static void drop_message(struct call *call)
{
	grpc_byte_buffer_destroy(call->in);
	call->in = NULL;
}

static void end_call(struct client *c)
{
	struct call *call = &c->call;

	if (!call->call)
		return;
	if (call->open || call->asking)
		grpc_call_cancel(call->call, NULL);
	while (call->open || call->asking)
		next_event(c, gpr_inf_future(GPR_CLOCK_REALTIME));
	drop_message(call);
	grpc_byte_buffer_destroy(call->out);
	grpc_metadata_array_destroy(&call->headers);
	grpc_metadata_array_destroy(&call->trailers);
	grpc_slice_unref(call->words);
	grpc_slice_unref(call->bearer.value);
	grpc_call_unref(call->call);
	call->call = NULL;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	end_call(c);
	grpc_channel_destroy(c->channel);
	grpc_completion_queue_shutdown(c->queue);
	while (grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL)
		       .type != GRPC_QUEUE_SHUTDOWN)
		;
	grpc_completion_queue_destroy(c->queue);
	arena_release(&c->arena);
	free(c->bearer);
	free(c);
}

/* A refused token may have been changed in its file, but it is not read at every call. */
static void renew_token(struct client *c)
{
	struct err e = ERR_INIT;
	gpr_timespec since = gpr_time_sub(gpr_now(GPR_CLOCK_MONOTONIC), c->token_read);

	if (c->o.token_file &&
	    gpr_time_cmp(since, gpr_time_from_seconds(TOKEN_AGAIN_S, GPR_TIMESPAN)) >= 0)
		read_token(c, &e);
}

static void why_ended(const struct call *call, struct remote_answer *ret, struct err *why)
{
	char *words = grpc_slice_to_c_string(call->words);

	if (call->status == GRPC_STATUS_OK) {
		ret->reason = REMOTE_UNREACHABLE;
		err_set(why, -EIO, "it has ended the call");
	} else {
		ret->reason = reason_of(call->status, words);
		err_set(why, -EIO, "status %d, %.300s", (int)call->status, words);
	}
	gpr_free(words);
}

/* One question over the call that is open, or over one that is opened; true when a stream is to
 * answer the next. */
static bool ask(struct client *c, const struct remote_question *q, struct remote_answer *ret,
		struct err *why)
{
	gpr_timespec deadline =
		gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			     gpr_time_from_millis((int64_t)c->o.timeout_ms, GPR_TIMESPAN));
	struct call *call = &c->call;
	bool stream;

	if ((!call->call && !begin_call(c)) || !send_question(c, q)) {
		ret->reason = REMOTE_REFUSED;
		err_set(why, -EIO, "the call does not start");
		return false;
	}
	/* A unary answer is one when its status is; a stream's when it is there. */
	while (call->asking || (call->open && !(c->stream && call->in))) {
		if (!next_event(c, deadline)) {
			ret->reason = REMOTE_TIMEOUT;
			err_set(why, -ETIMEDOUT, "no answer within %u ms", c->o.timeout_ms);
			return false;
		}
	}
	if (!call->in || (!c->stream && call->status != GRPC_STATUS_OK)) {
		why_ended(call, ret, why);
		return false;
	}
	stream = read_answer(c, call->in, ret);
	drop_message(call);
	if (ret->reason == REMOTE_BAD_ANSWER)
		err_set(why, -ERR_DATA, "an answer that is none, or out of range");
	else if (ret->reason == REMOTE_NO_MODEL)
		err_set(why, -ERR_DATA, "it has no trained model of scope vm_active");
	return stream;
}

void client_ask(struct client *c, const struct remote_question *q, struct remote_answer *ret,
		struct err *why)
{
	bool stream;

	memset(ret, 0, sizeof(*ret));
	ret->number = q->number;
	stream = ask(c, q, ret, why);
	if (!stream || !c->stream)
		end_call(c);
	c->stream = stream; /* what failed is asked anew by a call on its own */
	if (ret->reason == REMOTE_DENIED)
		renew_token(c);
}
