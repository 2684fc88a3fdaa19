// SPDX-License-Identifier: Apache-2.0
/* vmwatts evaluate: how good a bundle (or the prior) is on a dataset. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "align/dataset.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/datasets.h"
#include "cli/inputs.h"
#include "evaluate/evaluate.h"
#include "evaluate/plot.h"
#include "retrain/history.h"

static const struct command_help help = {
	.usage = "evaluate --bundle B --trust K.pub --dataset D.db... [--json] [--report R.html "
		 "[--rounds DIR]]",
	.about =
		"Estimate every row of a dataset as `vmwatts estimate` would and compare with its "
		"labels.\nWithout --bundle the built-in prior is evaluated. Ratios "
		"in JSON are\nfractions; MAPE is over rows above max(0.1 W, 2 % of the largest "
		"label).\n--report writes one self-contained page with plots, which gnuplot draws; "
		"docs/evaluation.md\nsays what each figure is.",
	.example = "  vmwatts evaluate --bundle model.vmw --trust K.pub --dataset test.db --report "
		   "r.html"};

struct arguments {
	const char *bundle, *trust, *report, *rounds, *root;
	struct string_list datasets;
	bool json, stateless;
};

static int write_report(const struct report *report, bool json, struct err *e)
{
	autotext struct text out = {0};

	if (json)
		report_json(report, &out);
	else
		report_people(report, &out);
	if (out.failed)
		return err_nomem(e);
	fputs(out.s, stdout);
	return 0;
}

/* Every round of a retrain's work folder, as `retrain --history` shows it; nothing where DIR is
 * NULL. */
static int read_rounds(const char *dir, struct text *ret, struct err *e)
{
	struct work w;
	int r;

	if (!dir)
		return 0;
	r = work_open(dir, true, &w, e);
	if (r == 0)
		r = history_print(&w, false, ret, e);
	return r == -ENOENT ? err_set(e, r, "--rounds: %s holds no history of retrain", dir) : r;
}

static int write_page(const struct report *report, const struct evaluate_options *o,
		      const char *path, struct err *e)
{
	struct text page = {0};
	int r = report_html(report, o, &page, e);

	if (r == 0)
		r = file_output(path, 0644, page.s, page.len, e);
	if (r == 0)
		fprintf(stderr, "%s: %zu bytes\n", path, page.len);
	text_release(&page);
	return r;
}

static int evaluate_table(const struct arguments *a, const struct table *t,
			  const struct model_set *s, const char *rounds, struct err *e)
{
	struct evaluate_options o = {.stateless = a->stateless};
	struct report report;
	struct prior prior;
	int r = input_prior(a->root, &prior, e);

	if (r < 0)
		return r;
	o.prior = &prior;
	r = evaluate(t, s, &o, &report, e);
	if (r < 0)
		return r;
	report.rounds = rounds;
	r = write_report(&report, a->json, e);
	if (r == 0 && a->report)
		r = write_page(&report, &o, a->report, e);
	report_release(&report);
	return r;
}

static int run(const struct arguments *a, struct err *e)
{
	struct model_set *set = NULL;
	struct table *table = NULL;
	struct text rounds = {0};
	int r = a->report ? plot_check(e) : 0;

	if (r == 0)
		r = read_rounds(a->rounds, &rounds, e);
	if (r == 0)
		r = input_bundle(a->bundle, a->trust, &set, e);
	if (r == 0)
		r = datasets_load(&a->datasets, &table, e);
	if (r == 0)
		r = evaluate_table(a, table, set, rounds.s, e);
	text_release(&rounds);
	table_free(table);
	model_set_free(set);
	return r;
}

int cmd_evaluate(int argc, char **argv)
{
	struct arguments a = {0};
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"bundle", "B", OPTION_STRING, &a.bundle, "the bundle; B.minisig beside it"},
		{"trust", "K.pub", OPTION_STRING, &a.trust, "the public key that signed it"},
		{"dataset", "D.db...", OPTION_LIST, &a.datasets, "what to compare with"},
		{"json", NULL, OPTION_FLAG, &a.json, "report as JSON"},
		{"stateless", NULL, OPTION_FLAG, &a.stateless, "pass over models with history"},
		{"root", "DIR", OPTION_STRING, &a.root,
		 "whose prior answers where no model does (default: this machine)"},
		{"report", "R.html", OPTION_STRING, &a.report,
		 "also write a page with plots (needs gnuplot)"},
		{"rounds", "DIR", OPTION_STRING, &a.rounds,
		 "retrain's work folder: what became of its rounds, on the page too"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (!a.datasets.n)
		err_set(&e, -ERR_USAGE, "--dataset D.db is needed");
	else if (a.rounds && !a.report)
		err_set(&e, -ERR_USAGE, "--rounds needs --report R.html");
	if (!e.code)
		run(&a, &e);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
