/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_TOP_VIEW_H
#define CLI_TOP_VIEW_H

/* `vmwatts top` on a terminal, as plain text, or as JSON. */

#include "base/text.h"
#include "cli/top_model.h"

struct top_options {
	double interval_s;
	long long n; /* intervals, then it ends */
	bool batch, json;
};

/* One interval as text; as one line of JSON. */
void top_text(const struct top *t, struct text *out);
void top_json(const struct top *t, struct text *out);

/* Draw on the terminal until q. -ENOTTY where it cannot draw. */
int top_screen(struct top *t, const struct top_options *o, struct err *e);

/* What a consumer is called, for people. */
void top_name(const struct top_consumer *c, struct text *out);

/* Seconds until the next interval is due, and the sleep between. */
int64_t top_now_ns(void);

#endif
