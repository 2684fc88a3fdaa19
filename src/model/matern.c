// SPDX-License-Identifier: Apache-2.0
/*
 * See kernel_matern in model.h. A server spends much of a call here, so the
 * exponential is one that a compiler turns into vector code: loops over whole
 * blocks without a branch. It is the same on every x86-64, where libm's differs
 * by processor. exp(-r) = 2^k exp(f), |f| <= ln 2 / 2, exp(f) by its series up to
 * f^12 / 12!: 2e-14 relative of the exact value, mostly from k ln 2.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "model/model.h"

#define BLOCK	  16
#define R_MOST	  700.0 /* exp(-700) is 1e-304 */
#define LOG2_E	  1.4426950408889634
#define LN2_HIGH  0x1.62e42feep-1 /* k times it is exact */
#define LN2_LOW	  0x1.a39ef35793c76p-33
#define ROUNDS	  0x1.8p52 /* what is added to it is rounded to an integer in its low bits */
#define BITS_OF_1 0x3ff0000000000000u

static double series(double f)
{
	double sum = 1.0 / 479001600;

	sum = sum * f + 1.0 / 39916800;
	sum = sum * f + 1.0 / 3628800;
	sum = sum * f + 1.0 / 362880;
	sum = sum * f + 1.0 / 40320;
	sum = sum * f + 1.0 / 5040;
	sum = sum * f + 1.0 / 720;
	sum = sum * f + 1.0 / 120;
	sum = sum * f + 1.0 / 24;
	sum = sum * f + 1.0 / 6;
	sum = sum * f + 0.5;
	sum = sum * f + 1;
	return sum * f + 1;
}

static void block(double v[BLOCK], double scale)
{
	double r[BLOCK], f[BLOCK], two[BLOCK];
	uint64_t k[BLOCK];

	for (int i = 0; i < BLOCK; i++) {
		double x = sqrt(v[i]) * scale;

		r[i] = x > R_MOST ? R_MOST : x;
	}
	for (int i = 0; i < BLOCK; i++) {
		double n = ROUNDS - r[i] * LOG2_E;

		memcpy(&k[i], &n, sizeof(n));
		n -= ROUNDS;
		f[i] = (-r[i] - n * LN2_HIGH) - n * LN2_LOW;
	}
	for (int i = 0; i < BLOCK; i++)
		k[i] = (k[i] << 52) + BITS_OF_1;
	memcpy(two, k, sizeof(two));
	for (int i = 0; i < BLOCK; i++)
		v[i] = (1 + r[i]) * series(f[i]) * two[i];
}

void kernel_matern(double *v, size_t n, double length)
{
	double scale = sqrt(3) / length, rest[BLOCK] = {0};
	size_t i;

	for (i = 0; i + BLOCK <= n; i += BLOCK)
		block(v + i, scale);
	if (i == n)
		return;
	memcpy(rest, v + i, (n - i) * sizeof(*v));
	block(rest, scale);
	memcpy(v + i, rest, (n - i) * sizeof(*v));
}
