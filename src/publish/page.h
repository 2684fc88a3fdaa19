/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_PAGE_H
#define PUBLISH_PAGE_H

/*
 * The page at "/" for people: watts with their intervals, the last hour, what
 * serves and how it is doing. It is complete as text, without its script,
 * which only keeps it current; it asks for nothing from elsewhere.
 */

#include "base/text.h"
#include "publish/history.h"

/* `history` may be NULL. */
void page_render(const struct snapshot *s, const struct history *history, struct text *t);

#endif
