/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PAIR_REPORT_H
#define CLI_PAIR_REPORT_H

#include "align/dataset.h"
#include "base/text.h"

/* `,"pair":{...}` behind what an object holds already. */
void pair_json(struct text *t, const char *host_path, const struct pair_report *p);

/* Lines on stderr. */
void pair_talk(const char *guest, const char *host, const struct pair_report *p);

#endif
