/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PUBLISH_JSON_H
#define PUBLISH_JSON_H

#include "base/text.h"
#include "publish/snapshot.h"

/*
 * Append the proposal's VMPowerMetrics object: node_cpu_watts by zone,
 * model_version, confidence (the smallest over zones) and features; and, past
 * the proposal, a "zones" object with intervals, joules and provenance.
 */
void json_render(const struct snapshot *s, struct text *t);

#endif
