// SPDX-License-Identifier: Apache-2.0
/* Blends of one expert: see restrict.h. */
#include "train/restrict.h"

#include <stdlib.h>
#include <string.h>

void restrict_gate(struct blend *b, enum blend_kind kind)
{
	if (kind == BLEND_OF_ALL)
		return;
	memset(b->share, 0, sizeof(b->share));
	b->share[kind == BLEND_FOREST ? EXPERT_F : kind == BLEND_GBDT ? EXPERT_G : EXPERT_K] = 1;
	b->trust = 1;
	b->caution = 0;
	b->physics_share = 0;
}

static void drop_kernel(struct blend *b)
{
	free(b->centres.dims);
	free(b->centres.at);
	free(b->alpha);
	b->centres = (struct points){.n = 0};
	b->alpha = NULL;
}

void restrict_experts(struct blend *b, enum blend_kind kind)
{
	if (kind == BLEND_OF_ALL)
		return;
	trees_release(&b->boosted);
	if (kind != BLEND_FOREST)
		trees_release(&b->forest);
	if (kind != BLEND_GBDT)
		trees_release(&b->gbdt);
	if (kind == BLEND_HYBRID)
		return;
	drop_kernel(b);
	b->physics.n = 0;
}
