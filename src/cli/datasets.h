/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_DATASETS_H
#define CLI_DATASETS_H

/* The datasets that a command is given, as one table. */

#include "align/dataset.h"
#include "cli/cli.h"

/*
 * Load every file of `paths` (at least one) into one table; *ret is to be freed. ERR_USAGE where
 * one file is named twice: its rows would be left out of training and be in it.
 */
int datasets_load(const struct string_list *paths, struct table **ret, struct err *e);

#endif
