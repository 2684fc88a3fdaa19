// SPDX-License-Identifier: Apache-2.0
/* vmwatts agent: serve this machine's watts. */
#include "agent/agent.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command_help help = {
	.usage = "agent [--config F] [--once] [--json] [--listen A:P] [--root DIR] [--state-dir D]",
	.about =
		"Estimates the watts of this machine once a second and serves them to Prometheus.\n"
		"Without an installed bundle the built-in prior answers. Flags come before the\n"
		"environment (KEPLER_VM_ENERGY_ENABLED, KEPLER_VM_MODEL_PATH, NODE_NAME), that "
		"before\n"
		"the configuration file. SIGHUP reads configuration and bundle anew; a change of "
		"the "
		"store is\nnoticed by itself.",
	.example = "  vmwatts agent --listen 127.0.0.1:9102\n"
		   "  vmwatts agent --once --json\n"
		   "  vmwatts agent --replay recording.csv --vm-model-path models/"};

int cmd_agent(int argc, char **argv)
{
	struct agent_options o = {.root = NULL};
	struct agent_replay replay = {.file = NULL};
	struct config_flags *f = &o.flags;
	struct err e = ERR_INIT;
	bool once = false, health = false;
	const struct option_spec options[] = {
		{"config", "F", OPTION_STRING, &f->config,
		 "configuration (default " CONFIG_PATH_DEFAULT ", where it is there)"},
		{"vm-energy-enabled", "BOOL", OPTION_STRING, &f->vm_energy_enabled,
		 "false: run, but publish no power"},
		{"vm-model-path", "DIR", OPTION_STRING, &f->vm_model_path,
		 "directory of installed bundles"},
		{"listen", "A:P", OPTION_STRING, &f->listen, "address and port to serve on"},
		{"root", "DIR", OPTION_STRING, &o.root, "read DIR/proc and DIR/sys instead"},
		{"state-dir", "D", OPTION_STRING, &f->state_dir, "where joule counters are kept"},
		{"node-name", "NAME", OPTION_STRING, &f->node_name,
		 "label of the node (default: NODE_NAME, else the host's name)"},
		{"log-level", "L", OPTION_STRING, &f->log_level, "debug, info, warn or error"},
		{"log-format", "F", OPTION_STRING, &f->log_format, "text or json"},
		{"once", NULL, OPTION_FLAG, &once, "measure once, print, leave"},
		{"health", NULL, OPTION_FLAG, &health,
		 "ask the agent that runs whether it is well; exit 0 if so"},
		{"replay", "F.csv", OPTION_STRING, &replay.file,
		 "estimate a recording by the agent's own path, beside its truth"},
		{"speed", "X", OPTION_DOUBLE, &replay.speed,
		 "with --replay: X times as fast as recorded (default: no pause)"},
		{"json", NULL, OPTION_FLAG, &replay.json, "with --once or --replay: JSON"},
	};
	int r = cli_parse(argc, argv, &help, options, array_size(options), NULL);

	if (r >= 0)
		return r;
	if (once + health + (replay.file != NULL) > 1)
		err_set(&e, -ERR_USAGE, "--once, --health and --replay exclude each other");
	else if (replay.json && !once && !replay.file)
		err_set(&e, -ERR_USAGE,
			"--json goes with --once or --replay; the agent serves JSON at "
			"/api/v1/power");
	else if (replay.speed < 0)
		err_set(&e, -ERR_USAGE, "--speed takes a positive number");
	else if (once)
		agent_once(&o, replay.json, &e);
	else if (health)
		agent_healthy(&o, &e);
	else if (replay.file)
		agent_replay(&o, &replay, &e);
	else
		agent_run(&o, &e);
	return e.code ? cli_fail(argv[0], &e) : 0;
}
