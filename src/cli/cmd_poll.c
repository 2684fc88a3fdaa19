// SPDX-License-Identifier: Apache-2.0
/* vmwatts poll: bundles from a publishing location into the agent's store. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/signalfd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "poll/poll.h"

#define MODEL_PATH     "/var/lib/kepler/vm-models/"
#define TRUSTED_KEYS   "/etc/kepler/vm-model-keys/"
#define INTERVAL_S     300.0
#define INTERVAL_MIN_S 1.0
#define INTERVAL_MAX_S 86400.0
#define TIMEOUT_S      60.0

struct arguments {
	struct poll_options o;
	const char *trust, *interval, *max_size, *log_format;
	bool once, json;
	long long threshold;
	double interval_s;
};

static const struct command_help help = {
	.usage = "poll --url https://HOST/FOLDER [--once] [options]",
	.about = "Fetches what `vmwatts retrain` publishes and installs it into the agent's store, "
		 "as\n"
		 "`vmwatts model install` does: the signature first, against the trusted keys; "
		 "nothing\n"
		 "that is expired or of an older sequence. When anything is wrong nothing is "
		 "installed\n"
		 "and one line says why. An ETag saves the download of what is installed already; "
		 "every\n"
		 "answer is bounded. Without --once it looks again every --interval, give or take "
		 "a\n"
		 "tenth, and after failures in 30 s, 1 m, 2 m and so on, at most an hour. A "
		 "running agent\n"
		 "takes a new bundle as it does after `vmwatts model install`.",
	.example = "  vmwatts poll --url https://models.example/web --once\n"
		   "  vmwatts poll --url https://models.example/web --interval 10m \\\n"
		   "      --cacert ca.pem --token-file token"};

static int check(struct arguments *a, struct err *e)
{
	uint64_t max_size = BUNDLE_MAX_BYTES;
	enum log_format format = LOG_FORMAT_TEXT;
	int64_t ns;
	int r;

	if (!a->o.url)
		return err_set(e, -ERR_USAGE, "--url URL is needed (see vmwatts poll --help)");
	r = poll_check_url(a->o.url, e);
	if (r < 0)
		return r;
	if (a->once && a->interval)
		return err_set(e, -ERR_USAGE, "--once and --interval exclude each other");
	if (a->json && !a->once)
		return err_set(e, -ERR_USAGE, "--json goes with --once");
	a->interval_s = INTERVAL_S;
	if (a->interval) {
		if (parse_duration_ns(a->interval, &ns) < 0)
			ns = 0;
		a->interval_s = (double)ns * 1e-9;
	}
	if (!(a->interval_s >= INTERVAL_MIN_S && a->interval_s <= INTERVAL_MAX_S))
		return err_set(e, -ERR_USAGE, "--interval takes 1s to 24h, such as 10m");
	if (a->max_size && (parse_size(a->max_size, &max_size) < 0 || max_size < 1024 ||
			    max_size > BUNDLE_MAX_BYTES))
		return err_set(e, -ERR_USAGE, "--max-size takes 1K to 16M");
	if (a->threshold < 1 || a->threshold > BUNDLE_SIGNATURES_MAX)
		return err_set(e, -ERR_USAGE, "--signature-threshold: 1 to %d",
			       BUNDLE_SIGNATURES_MAX);
	a->o.signatures = (unsigned)a->threshold;
	if (a->log_format && log_format_parse(a->log_format, &format) < 0)
		return err_set(e, -ERR_USAGE, "--log-format takes text or json");
	log_setup(LOG_LEVEL_INFO, format);
	a->o.max_bytes = max_size;
	a->o.timeout_s = TIMEOUT_S;
	return 0;
}

static int print_result(const struct poll_result *p)
{
	struct text t = {0};

	text_printf(&t,
		    "{\"installed\":%s,\"unchanged\":%s,\"file\":", p->installed ? "true" : "false",
		    p->unchanged ? "true" : "false");
	text_json_string(&t, p->file);
	text_printf(&t, ",\"sequence\":%lld,\"path\":", p->sequence);
	text_json_string(&t, p->path);
	text_add(&t, "}\n");
	return cli_print("poll", &t);
}

static int load_trust(const struct arguments *a, struct trust **ret, struct err *e)
{
	int r = trust_load(a->trust, a->o.model_path, ret, e);

	if (r == 0)
		trust_require(*ret, a->o.signatures);
	if (r == 0 && !trust_count(*ret)) {
		trust_free(*ret);
		return err_set(e, -ERR_SIGNATURE,
			       "--trust %s holds no key: nothing could be installed", a->trust);
	}
	return r;
}

/* Each look by the keys that are trusted then: one that was taken out counts no more. */
static int look(const struct arguments *a, struct poll_result *ret, struct err *e)
{
	struct poll_options o = a->o;
	struct trust *trust = NULL;
	int r = load_trust(a, &trust, e);

	if (r < 0)
		return r;
	o.trust = trust;
	r = poll_once(&o, ret, e);
	trust_free(trust);
	return r;
}

static int look_once(const struct arguments *a, struct err *e)
{
	struct poll_result result;
	int r = look(a, &result, e);

	if (r < 0)
		return r;
	if (a->json)
		return print_result(&result) ? err_set(e, -EIO, "cannot write the answer") : 0;
	if (result.installed)
		printf("%s installed and active\n", result.path);
	else
		printf("nothing new%s\n", result.unchanged ? " (not modified)" : "");
	return 0;
}

/* True when it is time to end. */
static bool wait_for(int stop_fd, double seconds)
{
	struct pollfd p = {.fd = stop_fd, .events = POLLIN};

	return poll(&p, 1, (int)(seconds * 1000)) != 0;
}

static int stop_signals(struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(e, "signalfd") : fd;
}

static int look_again(struct arguments *a, struct err *e)
{
	autofd int stop = stop_signals(e);
	unsigned failures = 0;

	if (stop < 0)
		return stop;
	a->o.stop_fd = stop;
	for (;;) {
		struct poll_result result;
		struct err why = ERR_INIT;
		double wait_s, chance = (double)random() / ((double)RAND_MAX + 1);
		int r = look(a, &result, &why);

		if (r == -EINTR)
			return 0;
		failures = r < 0 ? failures + 1 : 0;
		wait_s = poll_wait_s(a->interval_s, failures, chance);
		if (r < 0)
			log_error("nothing installed: %s; again in %.0f s", why.msg, wait_s);
		else if (result.installed)
			log_info("installed %s, sequence %lld", result.path, result.sequence);
		if (wait_for(stop, wait_s))
			return 0;
	}
}

static int run(struct arguments *a, struct err *e)
{
	struct trust *trust = NULL;
	int r = check(a, e);

	if (r == 0 && a->once)
		return look_once(a, e);
	if (r == 0) /* what is wrong from the beginning ends it */
		r = load_trust(a, &trust, e);
	if (r < 0)
		return r;
	trust_free(trust);
	return look_again(a, e);
}

int cmd_poll(int argc, char **argv)
{
	struct arguments a = {.o = {.model_path = MODEL_PATH, .stop_fd = -1},
			      .trust = TRUSTED_KEYS,
			      .threshold = 1};
	struct timespec now;
	const struct option_spec options[] = {
		{"url", "URL", OPTION_STRING, &a.o.url,
		 "https://HOST/FOLDER, file:///FOLDER, or http:// on this machine"},
		{"trust", "DIR", OPTION_STRING, &a.trust,
		 "trusted keys, or one K.pub (" TRUSTED_KEYS ")"},
		{"signature-threshold", "K", OPTION_INT, &a.threshold,
		 "different trusted keys that must have signed (1)"},
		{"model-path", "DIR", OPTION_STRING, &a.o.model_path,
		 "the agent's store (" MODEL_PATH ")"},
		{"once", NULL, OPTION_FLAG, &a.once, "look once and leave"},
		{"interval", "TIME", OPTION_STRING, &a.interval, "between looks (5m)"},
		{"cacert", "F", OPTION_STRING, &a.o.cacert,
		 "who may have signed the server's certificate (default: the system's)"},
		{"token-file", "F", OPTION_STRING, &a.o.token_file, "holds a bearer token"},
		{"max-size", "SIZE", OPTION_STRING, &a.max_size, "largest bundle taken (16M)"},
		{"log-format", "F", OPTION_STRING, &a.log_format, "text or json"},
		{"json", NULL, OPTION_FLAG, &a.json, "with --once: print JSON"},
	};
	struct err e = ERR_INIT;
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	srandom((unsigned)now.tv_nsec ^ (unsigned)getpid());
	return run(&a, &e) < 0 ? cli_fail(argv[0], &e) : 0;
}
