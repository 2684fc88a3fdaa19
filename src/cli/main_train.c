// SPDX-License-Identifier: Apache-2.0
/*
 * vmwatts-train: what needs SQLite, LAPACK or other libraries' formats; run as
 * `vmwatts dataset|train|evaluate|retrain` and `vmwatts model import|export`.
 */
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/commands.h"

static const struct command commands[] = {
	{"dataset", "recordings into one file, and out again", cmd_dataset, NULL},
	{"train", "a dataset into a signed bundle", cmd_train, NULL},
	{"evaluate", "how good a bundle is on a dataset", cmd_evaluate, NULL},
	{"retrain", "new recordings into a better bundle, published", cmd_retrain, NULL},
	{"import", "a model of another library into a signed bundle", cmd_import, NULL},
	{"export", "a bundle's models as ONNX files", cmd_export, NULL},
};

int main(int argc, char **argv)
{
	return cli_main(argc, argv, "vmwatts-train", commands, array_size(commands));
}
