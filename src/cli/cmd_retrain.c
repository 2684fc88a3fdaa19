// SPDX-License-Identifier: Apache-2.0
/* vmwatts retrain: one round of continuous training, and its history. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inputs.h"
#include "retrain/history.h"
#include "retrain/retrain.h"
#include "retrain/settings.h"

struct arguments {
	struct settings settings;
	const char *config, *history;
	bool force, dry_run, json;
};

static const struct command_help help = {
	.usage = "retrain --recordings DIR --work DIR --publish DIR --sign-key K.key [options] | "
		 "--history DIR",
	.about =
		"One round of continuous training, for a timer: takes new recordings in, trains a\n"
		"candidate on all but the most recent ones, compares it on those with the bundle "
		"that\n"
		"was published last (the built-in prior where there is none), and signs and "
		"publishes it\n"
		"where it is better beyond noise: NAME-VERSION.vmw, its signature and `latest` in "
		"a\n"
		"folder that agents poll (vmwatts poll). A recording that cannot be used is told,\n"
		"remembered and passed over. A round that was broken off is taken up by the same\n"
		"command. Exit code 0 whether promoted or not. Every option but --json, --force,\n"
		"--dry-run and --history may stand in --config F, as YAML under `retrain:` with _ "
		"for -.",
	.example = "  vmwatts retrain --recordings /srv/recordings --work /var/lib/vmwatts-retrain "
		   "\\\n"
		   "      --publish /srv/www/models --sign-key K.key --name web\n"
		   "  vmwatts retrain --config /etc/kepler/vmwatts-retrain.yaml --dry-run\n"
		   "  vmwatts retrain --history /var/lib/vmwatts-retrain"};

static void show_progress(void *arg, double done, const char *what)
{
	char text[96];

	(void)arg;
	snprintf(text, sizeof(text), "training %-40s", what);
	cli_progress(text, done);
}

static void show_note(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "note: %s\n", sentence);
}

static int show_history(const struct arguments *a, struct err *e)
{
	struct text out = {0};
	struct work w;
	int r = work_open(a->history, true, &w, e);

	if (r == 0)
		r = history_print(&w, a->json, &out, e);
	if (r == -ENOENT)
		r = err_set(e, r, "%s holds no history: no round was finished there", a->history);
	if (r < 0) {
		text_release(&out);
		return r;
	}
	return cli_print("retrain", &out) ? -EIO : 0;
}

/* What a round came to: its line as JSON, or as `--history` shows it. */
static int show_round(const struct arguments *a, struct text *line, struct err *e)
{
	struct text out = {0};

	if (a->json) {
		text_add(&out, line->len ? line->s : "{\"round\":null}");
		text_add(&out, "\n");
	} else if (line->len && history_people(line->s, line->len, &out, e) < 0) {
		text_release(&out);
		return e->code;
	}
	if (!out.len)
		return 0;
	return cli_print("retrain", &out) ? -EIO : 0;
}

static int run(struct arguments *a, struct err *e)
{
	struct retrain_options o = {.talk = stderr, .force = a->force, .dry_run = a->dry_run};
	autotext struct text line = {0};
	struct prior prior;
	int r = 0;

	o.train.progress = show_progress;
	o.train.note = show_note;
	if (a->config)
		r = settings_read(&a->settings, a->config, e);
	if (r == 0)
		r = settings_apply(&a->settings, &o, e);
	if (r == 0)
		r = input_prior(NULL, &prior, e);
	o.prior = &prior;
	if (r == 0)
		r = retrain_round(&o, &line, e);
	return r < 0 ? r : show_round(a, &line, e);
}

int cmd_retrain(int argc, char **argv)
{
	struct arguments a = {.config = NULL};
	struct settings *s = &a.settings;
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"config", "F.yaml", OPTION_STRING, &a.config, "options as YAML, under retrain:"},
		{"recordings", "DIR", OPTION_STRING, &s->recordings,
		 "NAME.guest.* with NAME.host.*, traces with both sides, joined CSV"},
		{"work", "DIR", OPTION_STRING, &s->work,
		 "our own folder: dataset, state, history, lock"},
		{"publish", "DIR", OPTION_STRING, &s->publish, "the folder that agents poll"},
		{"sign-key", "K.key", OPTION_STRING, &s->sign_key,
		 "secret key (vmwatts model keygen)"},
		{"trust", "K.pub", OPTION_STRING, &s->trust,
		 "another key that may have signed what is published"},
		{"name", "NAME", OPTION_STRING, &s->name, "the bundle's name (vmwatts)"},
		{"hold-out", "SHARE|TIME", OPTION_STRING, &s->hold_out,
		 "the most recent rows to compare on: a share, or a time such as 24h (0.2)"},
		{"promote", "RULE", OPTION_STRING, &s->promote,
		 "better (on a zone, worse on none), not-worse or always (better)"},
		{"family", "F", OPTION_STRING, &s->family, "as vmwatts train (auto)"},
		{"budget", "TIME", OPTION_STRING, &s->budget,
		 "search hyper-parameters so long (no search)"},
		{"scope", "S", OPTION_STRING, &s->scope, "as vmwatts train (vm_active)"},
		{"uncore", "D", OPTION_STRING, &s->uncore, "as vmwatts train (pp1)"},
		{"max-size", "SIZE", OPTION_STRING, &s->max_size, "largest bundle (900K)"},
		{"group", "COLUMN", OPTION_STRING, &s->group, "as vmwatts dataset import"},
		{"window", "S", OPTION_STRING, &s->window, "as vmwatts dataset import"},
		{"expires", "WHEN", OPTION_STRING, &s->expires,
		 "of a bundle, as vmwatts train: a span such as 180d (never)"},
		{"seed", "N", OPTION_STRING, &s->seed, "what chance is drawn from (1)"},
		{"jobs", "N", OPTION_STRING, &s->jobs, "folds at a time (all CPUs)"},
		{"force", NULL, OPTION_FLAG, &a.force, "train although no recording is new"},
		{"dry-run", NULL, OPTION_FLAG, &a.dry_run, "say what would be done; write nothing"},
		{"history", "DIR", OPTION_STRING, &a.history,
		 "print the history that the work folder DIR holds"},
		{"json", NULL, OPTION_FLAG, &a.json, "print JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (a.history)
		show_history(&a, &e);
	else if (run(&a, &e) == -ERR_CONFIG)
		e.code = -ERR_USAGE;
	settings_release(s);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
