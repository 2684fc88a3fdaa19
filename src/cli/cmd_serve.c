// SPDX-License-Identifier: Apache-2.0
/* vmwatts serve: a model server over gRPC. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "bundle/bundle.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "serve/server.h"

#define MODEL_PATH   "/var/lib/kepler/vm-models/"
#define TRUSTED_KEYS "/etc/kepler/vm-model-keys/"
#define LISTEN	     "127.0.0.1:50051"
#define METRICS	     "127.0.0.1:9105"

struct arguments {
	struct server_options o;
	struct string_list listen, stores;
	const char *max_message, *drain, *keepalive, *log_format, *log_level;
	long long minimum_sequence, threshold;
};

static const struct command_help help = {
	.usage = "serve [--listen ADDRESS:PORT...] [--model-path DIR...] [options]",
	.about = "Serves bundles to many VMs over gRPC (proto/power_estimation.proto): one row, "
		 "batches,\n"
		 "and streams that carry their history; with health checks and server reflection. "
		 "The\n"
		 "first --model-path is served; LoadModels may change to the others, by a token of "
		 "scope\n"
		 "load. Bundles must be signed by a trusted key. Beyond this machine it takes TLS "
		 "and\n"
		 "tokens or client certificates. `vmwatts record token --vm NAME --tokens FILE "
		 "--out "
		 "F`\n"
		 "makes a token; behind a name, FILE may list scopes (estimate,info,load) and a "
		 "rate in\n"
		 "rows a second. SIGHUP reads bundle, tokens and certificates anew; SIGTERM lets "
		 "calls\nend and leaves.",
	.example = "  vmwatts serve --model-path models --trust keys\n"
		   "  vmwatts serve --listen :50051 --cert server.pem --key server.key "
		   "--tokens tokens"};

static int take_duration(const char *name, const char *text, unsigned *ret_ms, struct err *e)
{
	int64_t ns;

	if (!text)
		return 0;
	if (parse_duration_ns(text, &ns) < 0 || ns < 0 || ns > INT64_C(3600000000000))
		return err_set(e, -ERR_USAGE, "--%s takes a duration such as 10s, at most 1h",
			       name);
	*ret_ms = (unsigned)(ns / 1000000);
	return 0;
}

static int take(struct arguments *a, struct err *e)
{
	static const char *const listen[] = {LISTEN}, *const stores[] = {MODEL_PATH};
	enum log_format format = LOG_FORMAT_TEXT;
	enum log_level level = LOG_LEVEL_INFO;
	uint64_t size = a->o.max_message;
	int r;

	a->o.listen = a->listen.n ? (const char *const *)a->listen.items : listen;
	a->o.n_listen = a->listen.n ? a->listen.n : 1;
	a->o.models.directories = a->stores.n ? (const char *const *)a->stores.items : stores;
	a->o.models.n_directories = a->stores.n ? a->stores.n : 1;
	a->o.models.named = a->stores.n > 0;
	a->o.models.minimum_sequence = a->minimum_sequence;
	if (a->threshold < 1 || a->threshold > BUNDLE_SIGNATURES_MAX)
		return err_set(e, -ERR_USAGE, "--signature-threshold: 1 to %d",
			       BUNDLE_SIGNATURES_MAX);
	a->o.models.signature_threshold = (unsigned)a->threshold;
	if (a->max_message &&
	    (parse_size(a->max_message, &size) < 0 || size < 1024 || size > (64u << 20)))
		return err_set(e, -ERR_USAGE, "--max-message takes 1K to 64M");
	a->o.max_message = (unsigned)size;
	r = take_duration("drain", a->drain, &a->o.drain_ms, e);
	if (r == 0)
		r = take_duration("keepalive", a->keepalive, &a->o.keepalive_ms, e);
	if (r == 0 && a->o.keepalive_ms < 1000)
		r = err_set(e, -ERR_USAGE, "--keepalive takes 1s to 1h");
	if (r == 0 && a->log_format && log_format_parse(a->log_format, &format) < 0)
		r = err_set(e, -ERR_USAGE, "--log-format takes text or json");
	if (r == 0 && a->log_level && log_level_parse(a->log_level, &level) < 0)
		r = err_set(e, -ERR_USAGE, "--log-level takes debug, info, warn or error");
	log_setup(level, format);
	return r == 0 ? server_check(&a->o, e) : r;
}

int cmd_serve(int argc, char **argv)
{
	struct arguments a = {.threshold = 1,
			      .o = {.metrics = METRICS,
				    .max_message = 1u << 20,
				    .drain_ms = 5000,
				    .keepalive_ms = 120000,
				    .models = {.trusted_keys = TRUSTED_KEYS}}};
	const struct option_spec options[] = {
		{"listen", "A:P...", OPTION_LIST, &a.listen,
		 "addresses, or unix:/PATH (" LISTEN ")"},
		{"model-path", "DIR...", OPTION_LIST, &a.stores,
		 "stores of bundles; the first is served (" MODEL_PATH ")"},
		{"trust", "DIR", OPTION_STRING, &a.o.models.trusted_keys,
		 "trusted keys, or one K.pub (" TRUSTED_KEYS ")"},
		{"minimum-sequence", "N", OPTION_INT, &a.minimum_sequence,
		 "refuse bundles of a lower sequence (0)"},
		{"signature-threshold", "K", OPTION_INT, &a.threshold,
		 "different trusted keys that must have signed (1)"},
		{"cert", "F", OPTION_STRING, &a.o.cert, "the server's certificate and chain, PEM"},
		{"key", "F", OPTION_STRING, &a.o.key, "its key, PEM"},
		{"client-ca", "F", OPTION_STRING, &a.o.client_ca,
		 "clients must show a certificate of this authority"},
		{"tokens", "F", OPTION_STRING, &a.o.tokens,
		 "clients must show a token of this file"},
		{"insecure", NULL, OPTION_FLAG, &a.o.insecure,
		 "plaintext or open to everyone, also beyond this machine"},
		{"metrics", "A:P", OPTION_STRING, &a.o.metrics,
		 "its own metrics (" METRICS "; '' for none)"},
		{"max-message", "SIZE", OPTION_STRING, &a.max_message,
		 "largest message taken (1M)"},
		{"keepalive", "TIME", OPTION_STRING, &a.keepalive,
		 "a silent connection is asked after so long (2m)"},
		{"drain", "TIME", OPTION_STRING, &a.drain,
		 "that calls have to end on SIGTERM (5s)"},
		{"log-format", "F", OPTION_STRING, &a.log_format, "text or json"},
		{"log-level", "L", OPTION_STRING, &a.log_level,
		 "debug, info, warn or error (info)"},
	};
	struct err e = ERR_INIT;
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	r = take(&a, &e);
	if (r == 0)
		r = server_run(&a.o, &e);
	return r < 0 ? cli_fail(argv[0], &e) : 0;
}
