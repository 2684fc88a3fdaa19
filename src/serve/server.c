// SPDX-License-Identifier: Apache-2.0
/* See server.h. */
#include "serve/server.h"

#include <errno.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/listen.h"
#include "base/log.h"
#include "bundle/watch.h"
#include "serve/calls.h"
#include "serve/credentials.h"
#include "serve/grpclog.h"

#define FILES_WANTED	 65536
#define SETTLE_MS	 200
#define PING_TIMEOUT_MS	 20000
#define HANDSHAKE_MS	 10000
#define STREAMS_PER_PEER 128
#define METADATA_MAX	 16384

struct server {
	const struct server_options *o;
	struct service service;
	struct credentials credentials;
	grpc_server *grpc;
	struct calls *calls;
	struct stats_page *page;
	struct watch watch;
	int signal_fd;
	pthread_t thread;
};

int server_check(const struct server_options *o, struct err *e)
{
	bool open = false;

	if (!o->n_listen)
		return err_set(e, -ERR_USAGE, "--listen ADDRESS:PORT is needed");
	if (!o->models.n_directories)
		return err_set(e, -ERR_USAGE, "--model-path DIR, a store of bundles, is needed");
	if (!o->cert != !o->key)
		return err_set(e, -ERR_USAGE, "--cert and --key go together");
	if (o->client_ca && !o->cert)
		return err_set(e, -ERR_USAGE, "--client-ca needs --cert and --key");
	if (o->metrics && o->metrics[0] && !listen_address_ok(o->metrics))
		return err_set(e, -ERR_USAGE,
			       "--metrics %s: ADDRESS:PORT is needed, or '' for none", o->metrics);
	for (size_t i = 0; i < o->n_listen; i++) {
		/* gRPC would take a port modulo 65536. */
		if (strncmp(o->listen[i], "unix", 4) != 0 && !listen_address_ok(o->listen[i]))
			return err_set(e, -ERR_USAGE,
				       "--listen %s: ADDRESS:PORT, :PORT or unix:/PATH is needed",
				       o->listen[i]);
		open |= !address_is_local(o->listen[i]);
	}
	if (open && !o->insecure && !o->cert)
		return err_set(e, -ERR_USAGE,
			       "plaintext beyond this machine: --cert and --key are needed, or "
			       "--insecure to mean it");
	if (open && !o->insecure && !o->tokens && !o->client_ca)
		return err_set(e, -ERR_USAGE,
			       "open to everyone: --tokens or --client-ca is needed, or "
			       "--insecure to mean it");
	return 0;
}

/* Every connection is a descriptor. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= FILES_WANTED)
		return;
	if (limit.rlim_max < FILES_WANTED) { /* more than is allowed needs a privilege */
		struct rlimit more = {FILES_WANTED, FILES_WANTED};

		if (setrlimit(RLIMIT_NOFILE, &more) == 0)
			return;
	}
	limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < FILES_WANTED)
		log_info("this process may open %llu files: so many connections at most",
			 (unsigned long long)limit.rlim_cur);
}

static int load_tokens(struct server *s, struct err *e)
{
	struct tokens *tokens;
	int r;

	if (!s->o->tokens)
		return 0;
	r = tokens_read(s->o->tokens, &tokens, e);
	if (r < 0)
		return r;
	if (tokens_count(tokens) == 0)
		log_warn("%s holds no token: every call is refused", s->o->tokens);
	service_set_tokens(&s->service, tokens);
	return 0;
}

static grpc_arg number(const char *key, int value)
{
	return (grpc_arg){
		.type = GRPC_ARG_INTEGER, .key = (char *)key, .value = {.integer = value}};
}

static void create(struct server *s)
{
	grpc_arg args[] = {
		number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)s->o->max_message),
		number(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_PER_PEER),
		number(GRPC_ARG_MAX_METADATA_SIZE, METADATA_MAX),
		number(GRPC_ARG_KEEPALIVE_TIME_MS, (int)s->o->keepalive_ms),
		number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, PING_TIMEOUT_MS),
		number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
		number(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
		number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10000),
		number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
		number(GRPC_ARG_ALLOW_REUSEPORT, 0), /* two servers on one port is a mistake */
	};
	const grpc_channel_args all = {array_size(args), args};

	s->grpc = grpc_server_create(&all, NULL);
}

/* ":PORT" is every address, as everywhere in vmwatts. */
static int add_port(struct server *s, const char *address, struct err *e)
{
	grpc_server_credentials *credentials = s->o->cert && strncmp(address, "unix:", 5) != 0
						       ? credentials_make(&s->credentials)
						       : grpc_insecure_server_credentials_create();
	char full[300];
	const char *colon = strrchr(address, ':');
	int port;

	if (!credentials)
		return err_set(e, -ERR_CONFIG, "%s, %s: not a certificate and its key", s->o->cert,
			       s->o->key);
	snprintf(full, sizeof(full), "%s%s", address[0] == ':' ? "[::]" : "", address);
	port = grpc_server_add_http2_port(s->grpc, full, credentials);
	grpc_server_credentials_release(credentials);
	if (!port)
		return err_set(e, -EADDRINUSE,
			       "--listen %s: not an address of this machine that is free, or "
			       "certificate and key are none",
			       address);
	if (!strncmp(address, "unix:", 5))
		log_info("serving gRPC at %s, model server", address);
	else
		log_info("serving gRPC%s at %.*s:%d, model server", s->o->cert ? " over TLS" : "",
			 (int)(colon ? colon - address : 0), address, port);
	return 0;
}

static void tell_model(struct server *s)
{
	struct served *now = models_take(s->service.models);

	if (now->set)
		log_info("serving bundle %s %s (sequence %lld)%s", now->set->name,
			 now->set->version, (long long)now->set->sequence,
			 now->widen > 1 ? ", which has expired: intervals are wider" : "");
	else
		log_info("the store has no bundle: the built-in prior serves");
	served_release(now);
}

/* ---- while serving ---- */

static void *answer_calls(void *arg)
{
	struct server *s = arg;

	calls_run(s->calls);
	return NULL;
}

static void reload_models(struct server *s)
{
	struct err e = ERR_INIT;
	bool changed = false;
	int r = models_reload(s->service.models, &changed, &e);

	if (r < 0) {
		atomic_fetch_add(&s->service.stats.reload_failures, 1);
		log_error("reload: %s; what was served is still", e.msg);
	} else if (changed) {
		atomic_fetch_add(&s->service.stats.reloads, 1);
		tell_model(s);
	}
}

static void reload_all(struct server *s)
{
	struct err e = ERR_INIT;

	if (load_tokens(s, &e) < 0)
		log_error("reload: %s; the tokens of before hold", e.msg);
	if (s->o->cert) {
		e = (struct err)ERR_INIT;
		if (credentials_check(&s->credentials, &e) < 0)
			log_error("reload: %s; the certificate of before serves", e.msg);
		else
			atomic_fetch_add(&s->credentials.wanted, 1);
	}
	reload_models(s);
	log_info("reloaded");
}

/* True when it is time to leave. */
static bool on_signal(struct server *s)
{
	struct signalfd_siginfo info;
	bool leave = false;

	while (read(s->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload_all(s);
		else
			leave = true;
	}
	return leave;
}

static void follow_store(struct server *s)
{
	char directory[PATH_MAX];

	models_directory(s->service.models, directory);
	if (watch_directory(&s->watch, directory))
		reload_models(s);
}

static void wait_for_end(struct server *s)
{
	bool settling = false;

	for (;;) {
		struct pollfd p[] = {{.fd = s->signal_fd, .events = POLLIN},
				     {.fd = s->watch.fd, .events = POLLIN}};
		int n = poll(p, array_size(p), settling ? SETTLE_MS : 1000);

		if (n < 0 && errno != EINTR)
			return;
		if (n > 0 && (p[0].revents & POLLIN) && on_signal(s))
			return;
		if (n > 0 && (p[1].revents & POLLIN) && watch_read(&s->watch))
			settling = true; /* a change of several files: read it once it is through */
		else if (n == 0 && settling) {
			settling = false;
			reload_models(s);
		}
		follow_store(s);
		stats_page_check(s->page);
	}
}

/* ---- start and stop ---- */

static int open_all(struct server *s, struct err *e)
{
	const struct server_options *o = s->o;
	struct models *models;
	int r = models_open(&o->models, &models, e);

	if (r < 0)
		return r;
	service_init(&s->service, models);
	r = load_tokens(s, e);
	if (r == 0 && o->cert)
		r = credentials_check(&s->credentials, e);
	if (r == 0 && o->metrics[0])
		r = stats_page_open(o->metrics, &s->service.stats, models, &s->page, e);
	if (r < 0)
		return r;
	create(s);
	r = calls_new(&s->service, s->grpc, o->drain_ms, &s->calls, e);
	for (size_t i = 0; r == 0 && i < o->n_listen; i++)
		r = add_port(s, o->listen[i], e);
	return r;
}

static void close_all(struct server *s, bool started)
{
	stats_page_close(s->page);
	if (s->calls && !started) { /* its queue must be empty before it goes */
		atomic_store(&s->service.draining, true);
		grpc_server_start(s->grpc);
		calls_run(s->calls);
	}
	if (s->grpc)
		grpc_server_destroy(s->grpc);
	calls_free(s->calls);
	service_set_tokens(&s->service, NULL);
	models_close(s->service.models);
	watch_close(&s->watch);
	cleanup_fd(&s->signal_fd);
}

static int serve(struct server *s, struct err *e)
{
	int r = open_all(s, e);

	if (r < 0) {
		close_all(s, false);
		return r;
	}
	if (watch_open(&s->watch, e) < 0)
		log_warn("%s: a new bundle is taken on SIGHUP only", e->msg);
	raise_files();
	grpc_server_start(s->grpc);
	tell_model(s);
	if (s->page)
		log_info("metrics at http://%s/metrics", stats_page_address(s->page));
	r = pthread_create(&s->thread, NULL, answer_calls, s);
	if (r != 0) {
		close_all(s, false);
		return err_set(e, -r, "no thread: %s", strerror(r));
	}
	follow_store(s);
	wait_for_end(s);
	log_info("leaving: calls have %u s to end", s->o->drain_ms / 1000);
	atomic_store(&s->service.draining, true);
	pthread_join(s->thread, NULL);
	close_all(s, true);
	return 0;
}

int server_run(const struct server_options *o, struct err *e)
{
	autofree struct server *s = calloc(1, sizeof(*s));
	sigset_t signals;
	int r;

	if (!s)
		return err_nomem(e);
	if (sodium_init() < 0)
		return err_set(e, -ENOSYS, "no cryptography on this machine");
	s->o = o;
	s->watch.fd = s->watch.wd = -1;
	s->credentials.cert = o->cert;
	s->credentials.key = o->key;
	s->credentials.client_ca = o->client_ca;
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	s->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return err_errno(e, "signalfd");
	grpclog_take();
	grpc_init();
	r = serve(s, e);
	grpc_shutdown_blocking();
	return r;
}
