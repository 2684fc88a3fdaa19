/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAIN_RESTRICT_H
#define TRAIN_RESTRICT_H

/* Blends of one expert: the families forest, gbdt and hybrid. */

#include "model/model.h"

/* All of the share to the kind's expert, trusted everywhere. BLEND_OF_ALL changes nothing. */
void restrict_gate(struct blend *b, enum blend_kind kind);

/* Drop what the kind's answer does not need; distances stay, for the interval. */
void restrict_experts(struct blend *b, enum blend_kind kind);

#endif
