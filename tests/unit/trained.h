/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRAINED_H
#define TRAINED_H

/* Simulated recordings, trained on. */
#include "train/train.h"
#include "simulated.h"

static const struct train_options plain = {
	.name = "t",
	.version = "1",
	.family = -1,
	.uncore_definition = "pp1",
	.max_bytes = 192 << 10, /* of one zone: few trees, and quick */
};

static inline struct model_set *trained(const struct table *t, const struct train_options *o)
{
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	if (train(t, o, &s, &e) < 0)
		print_error("%s\n", e.msg);
	assert_non_null(s);
	return s;
}

/* A test's numbers are its own, whatever ran before it. */
static inline int seed_numbers(void **state)
{
	(void)state;
	srand(1);
	return 0;
}

#define seeded_test(f) cmocka_unit_test_setup((f), seed_numbers)

#endif
