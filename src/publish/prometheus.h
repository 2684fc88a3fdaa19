/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_PROMETHEUS_H
#define PUBLISH_PROMETHEUS_H

#include "base/text.h"
#include "publish/snapshot.h"

/* Append the text format 0.0.4. Allocates only while `t` is not yet long enough. */
void prometheus_render(const struct snapshot *s, struct text *t);

/* The part of prometheus_render that is about bundles. */
void prometheus_render_bundle(const struct snapshot *s, struct text *t);

/* What became of rows at a model server, where one is configured. */
void prometheus_render_remote(const struct snapshot *s, struct text *t);

/* Append the `process_` metrics of this process (reads /proc/self). */
void prometheus_render_process(struct text *t);

#endif
