// SPDX-License-Identifier: Apache-2.0
/* vmwatts-serve client: started by the agent where inference_method is remote; nobody else needs
 * it. */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "serve/client.h"

#define SOCKET_FD 3

static const struct command_help help = {
	.usage = "client --url HOST:PORT [options]",
	.about = "The agent's side of remote inference: the agent starts it with a socket as "
		 "descriptor 3.\n"
		 "TLS, verified, unless the address is this machine's only and no --cacert is "
		 "given.",
	.example = NULL};

int cmd_serve_client(int argc, char **argv)
{
	struct client_options o = {.timeout_ms = 5000};
	const char *timeout = NULL, *log_format_word = NULL;
	enum log_format format = LOG_FORMAT_TEXT;
	long long retries = 0;
	int64_t ns = INT64_C(5000000000);
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"url", "HOST:PORT", OPTION_STRING, &o.url, "the model server, or unix:/PATH"},
		{"timeout", "TIME", OPTION_STRING, &timeout, "of one call (5s)"},
		{"retries", "N", OPTION_INT, &retries, "of one row, at most (0)"},
		{"cacert", "F", OPTION_STRING, &o.ca,
		 "who may have signed the server's certificate (default: the system's)"},
		{"cert", "F", OPTION_STRING, &o.cert, "our certificate, PEM"},
		{"key", "F", OPTION_STRING, &o.key, "its key, PEM"},
		{"token-file", "F", OPTION_STRING, &o.token_file, "holds a bearer token"},
		{"log-format", "F", OPTION_STRING, &log_format_word, "text or json"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (!o.url || (timeout && (parse_duration_ns(timeout, &ns) < 0 || ns < 1000000)) ||
	    retries < 0 || retries > 100 || !o.cert != !o.key ||
	    (log_format_word && log_format_parse(log_format_word, &format) < 0)) {
		err_set(&e, -ERR_USAGE,
			"the agent starts this, with --url, --timeout and --retries");
		return cli_fail(argv[0], &e);
	}
	log_setup(LOG_LEVEL_INFO, format);
	o.timeout_ms = (unsigned)(ns / 1000000);
	o.retries = (unsigned)retries;
	return client_run(SOCKET_FD, &o, &e) < 0 ? cli_fail(argv[0], &e) : 0;
}
