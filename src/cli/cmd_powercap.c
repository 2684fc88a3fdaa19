// SPDX-License-Identifier: Apache-2.0
/* vmwatts powercap: energy counters where RAPL's readers look for them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/notify.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "config/config.h"
#include "powercap/powercap.h"
#include "publish/counter_page.h"

static const struct command_help help = {
	.usage = "powercap [--config F] [--mode fuse|files] [--path DIR] [--page FILE] [--hwmon]",
	.about = "Shows the agent's energy counters as the tree in which an unmodified Kepler, and "
		 "every\nother reader of RAPL, looks for them: DIR/class/powercap/intel-rapl:0/"
		 "energy_uj and so on.\nPoint Kepler at DIR by host.sysfs. Runs until it is told "
		 "to stop; needs no agent to start,\nand outlives its restarts. What a counter "
		 "stands for is the agent's powercap.meaning.",
	.example = "  vmwatts powercap --mode fuse --path /run/kepler/powercap --allow-other\n"
		   "  vmwatts powercap --mode files --path /run/kepler/powercap"};

static void ready(void)
{
	notify_manager("READY=1");
}

static int choose_mode(const char *said, int configured, int *ret_mode, struct err *e)
{
	if (said && strcmp(said, "fuse") != 0 && strcmp(said, "files") != 0)
		return err_set(e, -ERR_USAGE, "--mode takes fuse or files, not '%s'", said);
	*ret_mode = !said ? configured : !strcmp(said, "fuse") ? POWERCAP_FUSE : POWERCAP_FILES;
	if (*ret_mode == POWERCAP_OFF)
		return err_set(e, -ERR_USAGE,
			       "powercap.mode is off in the configuration: set it to fuse or "
			       "files, or give --mode");
	return 0;
}

/* It may come later; until then counters stand, which looks like no power. */
static void warn_without_page(const char *page)
{
	struct counter_reader r;

	counter_reader_init(&r, page);
	counter_reader_refresh(&r);
	if (!r.has_page)
		log_warn("%s %s: counters stand until an agent writes it; --page or --state-dir "
			 "names another",
			 page, access(page, F_OK) == 0 ? "is no counter page" : "is not there");
	counter_reader_release(&r);
}

int cmd_powercap(int argc, char **argv)
{
	struct config_flags flags = {.config = NULL};
	struct powercap_options o = {.ready = ready};
	const char *mode_name = NULL;
	struct config config;
	char page[PATH_MAX];
	struct err e = ERR_INIT;
	const struct option_spec options[] = {
		{"config", "F", OPTION_STRING, &flags.config,
		 "the agent's configuration (default " CONFIG_PATH_DEFAULT ", where it is there)"},
		{"mode", "M", OPTION_STRING, &mode_name,
		 "fuse: answers at the instant of a read; files: 20 Hz (default: powercap.mode)"},
		{"path", "DIR", OPTION_STRING, &o.path,
		 "stands for /sys; made where missing (default: powercap.path)"},
		{"page", "FILE", OPTION_STRING, &o.page,
		 "the agent's counter page (default: " COUNTER_PAGE_NAME " in state_directory)"},
		{"state-dir", "D", OPTION_STRING, &flags.state_dir,
		 "the agent's state directory, where --page is not given"},
		{"hwmon", NULL, OPTION_FLAG, &o.hwmon,
		 "also DIR/class/hwmon/hwmon0 with power in microwatts"},
		{"allow-other", NULL, OPTION_FLAG, &o.allow_other,
		 "fuse: other users may read too"},
		{"log-level", "L", OPTION_STRING, &flags.log_level, "debug, info, warn or error"},
		{"log-format", "F", OPTION_STRING, &flags.log_format, "text or json"},
	};
	int mode, r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (config_load(&flags, &config, &e) < 0 ||
	    choose_mode(mode_name, config.powercap.mode, &mode, &e) < 0)
		return cli_fail(argv[0], &e);
	log_setup((enum log_level)config.log_level, (enum log_format)config.log_format);
	if (snprintf(page, sizeof(page), "%s/" COUNTER_PAGE_NAME, config.state_directory) >=
	    (int)sizeof(page)) {
		err_set(&e, -ENAMETOOLONG, "%s: path too long", config.state_directory);
		return cli_fail(argv[0], &e);
	}
	o.path = o.path ? o.path : config.powercap.path;
	o.page = o.page ? o.page : page;
	o.hwmon |= config.powercap.hwmon;
	log_info("showing %s at %s by %s", o.page, o.path,
		 mode == POWERCAP_FUSE ? "FUSE" : "files");
	warn_without_page(o.page);
	if (mode == POWERCAP_FUSE)
		powercap_fuse(&o, &e);
	else
		powercap_files(&o, &e);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
