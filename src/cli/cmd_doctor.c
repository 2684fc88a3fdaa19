// SPDX-License-Identifier: Apache-2.0
/* vmwatts doctor: what this VM shows, what is missing, whether all is set up right. */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "doctor/doctor.h"

static const struct command_help help = {
	.usage = "doctor [--json] [--report FILE] [--config F] [options]",
	.about =
		"Says what this machine shows of itself, why its feature tier is not a better one, "
		"what each\nmissing thing costs in accuracy (where that was measured) and how to "
		"get it; and whether\nconfiguration, keys, bundle, port, state directory and "
		"powercap tree are right. Run it as the\nagent's user. Exit status 0 where nothing "
		"fails; warnings do not count.\n"
		"--report writes facts for a bug report: numbers and words of its own, no names, "
		"paths,\naddresses or serial numbers.",
	.example = "  vmwatts doctor\n"
		   "  vmwatts doctor --json | jq '.checks[] | select(.verdict != \"ok\")'"};

static int write_report(const struct doctor *d, const char *path, struct err *e)
{
	autotext struct text t = {.s = NULL};

	doctor_report(d, &t);
	if (t.failed)
		return err_nomem(e);
	return file_output(path, 0600, t.s, t.len, e);
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options o = {.kernel = &kernel_linux};
	struct config_flags *f = &o.flags;
	autofree struct doctor *d = NULL;
	struct text t = {.s = NULL};
	const char *report = NULL;
	struct err e = ERR_INIT;
	bool json = false;
	const struct option_spec options[] = {
		{"json", NULL, OPTION_FLAG, &json, "JSON"},
		{"report", "FILE", OPTION_STRING, &report, "write facts for a bug report to FILE"},
		{"config", "F", OPTION_STRING, &f->config, "the agent's configuration"},
		{"vm-model-path", "DIR", OPTION_STRING, &f->vm_model_path,
		 "directory of installed bundles"},
		{"listen", "A:P", OPTION_STRING, &f->listen, "address and port of the agent"},
		{"state-dir", "D", OPTION_STRING, &f->state_dir, "where joule counters are kept"},
		{"root", "DIR", OPTION_STRING, &o.root, "read DIR/proc and DIR/sys instead"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	d = malloc(sizeof(*d));
	if (!d)
		err_nomem(&e);
	if (e.code == 0 && doctor_examine(&o, d, &e) == 0 && report)
		write_report(d, report, &e);
	if (e.code)
		return cli_fail(argv[0], &e);
	(json ? doctor_json : doctor_text)(d, &t);
	if (cli_print(argv[0], &t) != 0)
		return 1;
	/* That the report is lost is the worse news, and cli_main's to tell. */
	return fflush(stdout) == 0 && doctor_count(d, VERDICT_FAIL) ? 1 : 0;
}
