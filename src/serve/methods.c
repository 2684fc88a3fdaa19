// SPDX-License-Identifier: Apache-2.0
/* See methods.h. */
#include "serve/methods.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include <health.pb-c.h>
#include "model/estimator.h"
#include "model/fit.h"
#include <reflection_v1.pb-c.h>

#define BATCH_ROWS_MAX 10000
#define SERVICE	       "PowerEstimationService"

/* A stream's past. The estimator is of the models it was made for. */
struct session {
	struct served *served;
	struct estimator *estimator;
	struct prior prior;
	double t_s; /* of the row before; NaN: none */
};

void service_init(struct service *s, struct models *m)
{
	memset(s, 0, sizeof(*s));
	s->models = m;
	feature_index_init(&s->index);
	reflection_init(&s->reflection);
	pthread_mutex_init(&s->tokens_lock, NULL);
}

void service_set_tokens(struct service *s, struct tokens *t)
{
	struct tokens *old;

	pthread_mutex_lock(&s->tokens_lock);
	old = s->tokens;
	s->tokens = t;
	pthread_mutex_unlock(&s->tokens_lock);
	tokens_free(old);
}

__attribute__((format(printf, 3, 4))) static void refuse(struct outcome *ret, grpc_status_code code,
							 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->why, sizeof(ret->why), fmt, ap);
	va_end(ap);
	ret->code = code;
	ret->data = NULL;
	ret->len = 0;
}

static int64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

bool service_admit(struct service *s, const struct caller *c, unsigned scope, double rows,
		   struct outcome *ret)
{
	enum token_verdict verdict = TOKEN_FINE;
	const char *name = NULL;
	char who[64] = "nobody";

	if (!scope)
		return true;
	pthread_mutex_lock(&s->tokens_lock);
	if (s->tokens && !c->token)
		verdict = TOKEN_UNKNOWN;
	else if (s->tokens)
		verdict = tokens_ask(s->tokens, c->token, c->token_len, (enum token_scope)scope,
				     rows, monotonic_ns(), &name);
	if (verdict != TOKEN_FINE && name)
		snprintf(who, sizeof(who), "%s", name);
	pthread_mutex_unlock(&s->tokens_lock);
	if (verdict == TOKEN_FINE)
		return true;
	atomic_fetch_add(&s->stats.denied, 1);
	if (verdict == TOKEN_UNKNOWN)
		refuse(ret, GRPC_STATUS_UNAUTHENTICATED,
		       "a bearer token that this server knows is needed");
	else if (verdict == TOKEN_OUT_OF_SCOPE)
		refuse(ret, GRPC_STATUS_PERMISSION_DENIED, "this token is not for that");
	else
		refuse(ret, GRPC_STATUS_RESOURCE_EXHAUSTED, "more rows than this token's rate");
	log_debug("denied %s: %s", who, ret->why);
	return false;
}

/* ---- protobuf over the arena ---- */

static void *arena_alloc(void *a, size_t size)
{
	return arena_take(a, size);
}

static void arena_ignore(void *a, void *p)
{
	(void)a;
	(void)p;
}

static void *unpack(const ProtobufCMessageDescriptor *d, const uint8_t *data, size_t len,
		    struct arena *a, struct outcome *ret)
{
	ProtobufCAllocator alloc = {arena_alloc, arena_ignore, a};
	void *message = protobuf_c_message_unpack(d, &alloc, len, data);

	if (!message)
		refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "not a message of this method");
	return message;
}

static void pack(const void *message, struct arena *a, struct outcome *ret)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *data = arena_take(a, len + 1);

	if (!data) {
		refuse(ret, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	protobuf_c_message_pack(message, data);
	ret->code = GRPC_STATUS_OK;
	ret->data = data;
	ret->len = len;
}

/* ---- estimates ---- */

static void fit_question(const struct service *s, const struct served *served,
			 const struct question *q, struct prior *ret_prior, struct fit *ret)
{
	struct identity id;

	*ret = (struct fit){.widen = 1};
	*ret_prior = *models_prior(s->models);
	if (!q->cpu_model[0] && isnan(q->row.v[FEATURE_VCPUS]))
		return;
	question_identity(q, &id);
	if (q->cpu_model[0])
		prior_init(ret_prior, &id);
	if (served->set)
		fit_machine(&served->set->trained_on, &id, q->row.v[FEATURE_VCPUS], ret);
}

/* -ERR_DATA where not one zone can be answered: an answer without watts would look like one. */
static int estimate_alone(struct service *s, const struct served *served, const struct question *q,
			  struct answer *ret, struct err *e)
{
	struct estimate estimate;
	struct prior prior;
	struct fit fit;

	fit_question(s, served, q, &prior, &fit);
	estimator_stateless_fit(served->set, &prior, &q->row, fit.widen * served->widen,
				fit.mismatch, &estimate);
	answer_write(&estimate, served->set, prior_name(&prior), ret);
	if (!ret->message.n_zones)
		return err_set(e, -ERR_DATA,
			       "no zone can be answered from these features: send cpu_utilization "
			       "and, for the prior, vcpus; GetModelInfo says what models read");
	ret->message.reads_history = served->reads_history;
	atomic_fetch_add_explicit(&s->stats.rows, 1, memory_order_relaxed);
	return 0;
}

static void estimate_power(struct service *s, const struct caller *c, const uint8_t *data,
			   size_t len, struct arena *a, struct outcome *ret)
{
	EstimationRequest *q = unpack(&estimation_request__descriptor, data, len, a, ret);
	struct err why = ERR_INIT;
	struct question question;
	struct served *served;
	struct answer answer;

	if (!q || !service_admit(s, c, SCOPE_TOKEN_ESTIMATE, 1, ret))
		return;
	if (question_read(&s->index, q, &question, &why) < 0) {
		refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "%.180s", why.msg);
		return;
	}
	served = models_take(s->models);
	if (estimate_alone(s, served, &question, &answer, &why) < 0)
		refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "%.180s", why.msg);
	else
		pack(&answer.message, a, ret);
	served_release(served);
}

static bool answer_batch(struct service *s, const struct served *served, const BatchRequest *q,
			 struct answer *answers, EstimationResponse **at, struct outcome *ret)
{
	for (size_t i = 0; i < q->n_rows; i++) {
		struct err why = ERR_INIT;
		struct question question;

		if (question_read(&s->index, q->rows[i], &question, &why) < 0 ||
		    estimate_alone(s, served, &question, &answers[i], &why) < 0) {
			refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "row %zu: %.160s", i, why.msg);
			return false;
		}
		at[i] = &answers[i].message;
	}
	return true;
}

static void estimate_batch(struct service *s, const struct caller *c, const uint8_t *data,
			   size_t len, struct arena *a, struct outcome *ret)
{
	BatchRequest *q = unpack(&batch_request__descriptor, data, len, a, ret);
	BatchResponse response = BATCH_RESPONSE__INIT;
	struct answer *answers;
	struct served *served;

	if (!q || !service_admit(s, c, SCOPE_TOKEN_ESTIMATE, (double)q->n_rows, ret))
		return;
	if (q->n_rows > BATCH_ROWS_MAX) {
		refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "a batch has at most %d rows",
		       BATCH_ROWS_MAX);
		return;
	}
	answers = arena_take(a, q->n_rows * sizeof(*answers));
	response.rows = arena_take(a, q->n_rows * sizeof(*response.rows));
	if (!answers || !response.rows) {
		refuse(ret, GRPC_STATUS_RESOURCE_EXHAUSTED, "out of memory");
		return;
	}
	response.n_rows = q->n_rows;
	served = models_take(s->models);
	if (answer_batch(s, served, q, answers, response.rows, ret))
		pack(&response, a, ret);
	served_release(served);
}

/* ---- streams of rows ---- */

struct session *session_new(void)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s)
		s->t_s = NAN;
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	estimator_free(s->estimator);
	served_release(s->served);
	free(s);
}

/* An estimator for the models of now: a reload forgets the history, as it does in an agent. */
static int session_follow(struct service *s, struct session *stream, const struct question *q,
			  struct err *e)
{
	struct served *now = models_take(s->models);
	struct estimator *made;
	struct fit fit;
	int r;

	if (stream->estimator && now == stream->served) {
		served_release(now);
		return 0;
	}
	fit_question(s, now, q, &stream->prior, &fit);
	struct estimator_options o = {
		.set = now->set, .prior = &stream->prior, .step_s = q->step_s};

	r = estimator_new(&o, &made, e);
	if (r < 0) {
		served_release(now);
		return r;
	}
	estimator_set_fit(made, fit.widen * now->widen, fit.mismatch);
	estimator_free(stream->estimator);
	served_release(stream->served);
	stream->estimator = made;
	stream->served = now;
	return 0;
}

/* A row needs a time; where the client gives none it follows the one before. */
static void place_in_time(struct session *stream, const EstimationRequest *q, struct row *row)
{
	if (q->time_s == 0)
		row->t_s = isnan(row->dt_s)	? (double)monotonic_ns() * 1e-9
			   : isnan(stream->t_s) ? row->dt_s
						: stream->t_s + row->dt_s;
	if (isnan(row->dt_s) && row->t_s > stream->t_s)
		row->dt_s = row->t_s - stream->t_s;
	stream->t_s = row->t_s;
}

static void estimate_stream(struct service *s, const struct caller *c, const uint8_t *data,
			    size_t len, struct arena *a, struct outcome *ret)
{
	EstimationRequest *q = unpack(&estimation_request__descriptor, data, len, a, ret);
	struct session *stream = c->session;
	struct err why = ERR_INIT;
	struct estimate estimate;
	struct question question;
	struct answer answer;

	if (!q || !service_admit(s, c, SCOPE_TOKEN_ESTIMATE, 1, ret))
		return;
	if (atomic_load(&s->draining)) {
		refuse(ret, GRPC_STATUS_UNAVAILABLE, "this server is leaving");
		return;
	}
	if (question_read(&s->index, q, &question, &why) < 0) {
		refuse(ret, GRPC_STATUS_INVALID_ARGUMENT, "%.180s", why.msg);
		return;
	}
	place_in_time(stream, q, &question.row);
	if (session_follow(s, stream, &question, &why) < 0) {
		refuse(ret, GRPC_STATUS_RESOURCE_EXHAUSTED, "%.180s", why.msg);
		return;
	}
	estimator_row(stream->estimator, &question.row, &estimate);
	answer_write(&estimate, stream->served->set, prior_name(&stream->prior), &answer);
	answer.message.reads_history = stream->served->reads_history;
	atomic_fetch_add_explicit(&s->stats.rows, 1, memory_order_relaxed);
	pack(&answer.message, a, ret);
}

/* ---- models ---- */

static void load_models(struct service *s, const struct caller *c, const uint8_t *data, size_t len,
			struct arena *a, struct outcome *ret)
{
	LoadModelsRequest *q = unpack(&load_models_request__descriptor, data, len, a, ret);
	LoadModelsResponse response = LOAD_MODELS_RESPONSE__INIT;
	struct err why = ERR_INIT;
	struct served *now;
	int r;

	if (!q || !service_admit(s, c, SCOPE_TOKEN_LOAD, 1, ret))
		return;
	r = models_load(s->models, q->model_directory ? q->model_directory : "", &why);
	atomic_fetch_add(r < 0 ? &s->stats.reload_failures : &s->stats.reloads, 1);
	if (r < 0) {
		log_warn("LoadModels refused: %s", why.msg);
		refuse(ret,
		       r == -EPERM ? GRPC_STATUS_PERMISSION_DENIED
				   : GRPC_STATUS_FAILED_PRECONDITION,
		       "%.180s", why.msg);
		return;
	}
	now = models_take(s->models);
	response.success = 1;
	if (now->set) {
		response.model_name = now->set->name;
		response.model_version = now->set->version;
		log_info("LoadModels: serving bundle %s %s", now->set->name, now->set->version);
	}
	pack(&response, a, ret);
	served_release(now);
}

static size_t info_zones(const struct model_set *set, ZoneInfo *zones, ZoneInfo **at)
{
	size_t n = 0;

	zone_foreach (z) {
		const struct zone_models *from = &set->zones[z];
		double error;

		if (!from->n)
			continue;
		zones[n] = (ZoneInfo)ZONE_INFO__INIT;
		zones[n].zone = (char *)zone_name(z);
		error = from->models[0].wmape;
		zones[n].mape = isfinite(error) ? error : 0;
		zones[n].model = (char *)model_family(&from->models[0]);
		at[n] = &zones[n];
		n++;
	}
	return n;
}

static size_t info_features(const struct model_set *set, char **ret)
{
	size_t n = 0;

	feature_foreach (f) {
		bool used = false;

		for (size_t i = 0; i < set->n_inputs && !used; i++)
			used = set->inputs[i].feature == f;
		if (used)
			ret[n++] = (char *)feature_info(f)->name;
	}
	return n;
}

static void model_info(struct service *s, const struct caller *c, const uint8_t *data, size_t len,
		       struct arena *a, struct outcome *ret)
{
	ModelInfoResponse response = MODEL_INFO_RESPONSE__INIT;
	ZoneInfo zones[ZONE_COUNT], *zones_at[ZONE_COUNT];
	char *features[FEATURE_COUNT];
	struct served *now;

	if (!unpack(&empty__descriptor, data, len, a, ret) ||
	    !service_admit(s, c, SCOPE_TOKEN_INFO, 1, ret))
		return;
	now = models_take(s->models);
	response.model_name = (char *)(now->set ? now->set->name : "prior");
	response.model_version =
		(char *)(now->set ? now->set->version : prior_name(models_prior(s->models)));
	response.scope = (char *)scope_name(now->set ? now->set->scope : SCOPE_VM_ACTIVE);
	response.provenance = (char *)(now->set ? "trained" : "prior");
	response.server_version = (char *)VMWATTS_VERSION;
	response.runtime = (char *)"native";
	response.loaded_unix_s = now->loaded_s;
	if (now->set) {
		response.interval_s = now->set->interval_s;
		response.window_s = now->set->window_s;
		response.n_zones = info_zones(now->set, zones, zones_at);
		response.zones = zones_at;
		response.n_features = info_features(now->set, features);
		response.features = features;
	}
	pack(&response, a, ret);
	served_release(now);
}

/* ---- health and reflection ---- */

void health_answer(struct service *s, struct arena *a, struct outcome *ret)
{
	Grpc__Health__V1__HealthCheckResponse response =
		GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

	response.status =
		atomic_load(&s->draining)
			? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
			: GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
	pack(&response, a, ret);
}

static void health(struct service *s, const struct caller *c, const uint8_t *data, size_t len,
		   struct arena *a, struct outcome *ret)
{
	Grpc__Health__V1__HealthCheckRequest *q =
		unpack(&grpc__health__v1__health_check_request__descriptor, data, len, a, ret);

	(void)c;
	if (!q)
		return;
	if (q->service && q->service[0] && strcmp(q->service, SERVICE) != 0)
		refuse(ret, GRPC_STATUS_NOT_FOUND, "no such service");
	else
		health_answer(s, a, ret);
}

static void reflect_file(const struct reflection_file *f,
			 Grpc__Reflection__V1__FileDescriptorResponse *files,
			 ProtobufCBinaryData *bytes,
			 Grpc__Reflection__V1__ServerReflectionResponse *ret)
{
	static Grpc__Reflection__V1__ErrorResponse missing =
		GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;

	if (f) {
		*bytes = (ProtobufCBinaryData){f->len, (uint8_t *)f->data};
		files->n_file_descriptor_proto = 1;
		files->file_descriptor_proto = bytes;
		ret->message_response_case =
			GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
		ret->file_descriptor_response = files;
		return;
	}
	missing.error_code = GRPC_STATUS_NOT_FOUND;
	missing.error_message = (char *)"not here";
	ret->message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
	ret->error_response = &missing;
}

static void reflect_services(const struct reflection *r,
			     const Grpc__Reflection__V1__ServerReflectionResponse *to,
			     struct arena *a, struct outcome *ret)
{
	Grpc__Reflection__V1__ServerReflectionResponse response = *to;
	Grpc__Reflection__V1__ListServiceResponse list =
		GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
	Grpc__Reflection__V1__ServiceResponse services[REFLECTION_SERVICES_MAX],
		*at[REFLECTION_SERVICES_MAX];

	for (size_t i = 0; i < r->n_services; i++) {
		services[i] = (Grpc__Reflection__V1__ServiceResponse)
			GRPC__REFLECTION__V1__SERVICE_RESPONSE__INIT;
		services[i].name = (char *)r->services[i];
		at[i] = &services[i];
	}
	list.n_service = r->n_services;
	list.service = at;
	response.message_response_case =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
	response.list_services_response = &list;
	pack(&response, a, ret);
}

static void reflect(struct service *s, const struct caller *c, const uint8_t *data, size_t len,
		    struct arena *a, struct outcome *ret)
{
	Grpc__Reflection__V1__ServerReflectionRequest *q = unpack(
		&grpc__reflection__v1__server_reflection_request__descriptor, data, len, a, ret);
	Grpc__Reflection__V1__ServerReflectionResponse response =
		GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	Grpc__Reflection__V1__FileDescriptorResponse files =
		GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
	const struct reflection_file *found = NULL;
	ProtobufCBinaryData bytes;

	if (!q || !service_admit(s, c, SCOPE_TOKEN_INFO, 1, ret))
		return;
	response.valid_host = q->host;
	response.original_request = q;
	switch (q->message_request_case) {
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		reflect_services(&s->reflection, &response, a, ret);
		return;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		found = reflection_by_name(&s->reflection, q->file_by_filename);
		break;
	case GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		found = reflection_by_symbol(&s->reflection, q->file_containing_symbol);
		break;
	default: /* there are no extensions */
		break;
	}
	reflect_file(found, &files, &bytes, &response);
	pack(&response, a, ret);
}

#define REFLECTION(v) "/grpc.reflection." v ".ServerReflection/ServerReflectionInfo"

const struct method methods[] = {
	{"/" SERVICE "/EstimatePower", METHOD_UNARY, SCOPE_TOKEN_ESTIMATE, estimate_power},
	{"/" SERVICE "/EstimateBatch", METHOD_UNARY, SCOPE_TOKEN_ESTIMATE, estimate_batch},
	{"/" SERVICE "/EstimateStream", METHOD_STREAM, SCOPE_TOKEN_ESTIMATE, estimate_stream},
	{"/" SERVICE "/LoadModels", METHOD_UNARY, SCOPE_TOKEN_LOAD, load_models},
	{"/" SERVICE "/GetModelInfo", METHOD_UNARY, SCOPE_TOKEN_INFO, model_info},
	{"/grpc.health.v1.Health/Check", METHOD_UNARY, 0, health},
	{"/grpc.health.v1.Health/Watch", METHOD_WATCH, 0, health},
	{REFLECTION("v1"), METHOD_STREAM, SCOPE_TOKEN_INFO, reflect},
	{REFLECTION("v1alpha"), METHOD_STREAM, SCOPE_TOKEN_INFO, reflect},
};
const size_t n_methods = array_size(methods);
_Static_assert(array_size(methods) < STATS_METHODS, "stats must have room for every method");

const char *method_label(size_t index)
{
	static const char *const names[] = {"EstimatePower", "EstimateBatch", "EstimateStream",
					    "LoadModels",    "GetModelInfo",  "Health/Check",
					    "Health/Watch",  "reflection.v1", "reflection.v1alpha"};

	_Static_assert(array_size(names) == array_size(methods), "one name a method");
	return index < array_size(names) ? names[index] : "other";
}
