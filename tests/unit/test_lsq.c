// SPDX-License-Identifier: Apache-2.0
/* Least squares against what is known, and against its own optimality. */
#include "test.h"

#include "train/lsq.h"
#include "simulated.h"

static void least_squares_finds_known_coefficients(void **state)
{
	enum { N = 400, Q = 3 };
	double b[N * Q], y[N], w[N], c[Q];
	uint8_t fold[N] = {0};
	const bool free_sign[Q] = {true, false, false};
	const double penalty[Q] = {0, 1, 1};
	const struct columns columns = {N, Q, b, free_sign, penalty};
	struct gram *g = NULL;
	struct err e = ERR_INIT;

	(void)state;
	srand(3);
	for (int i = 0; i < N; i++) {
		b[i * Q] = 1;
		b[i * Q + 1] = uniform();
		b[i * Q + 2] = uniform();
		y[i] = -2 + 5 * b[i * Q + 1] + 3 * b[i * Q + 2];
		w[i] = 1 + uniform();
	}
	assert_int_equal(gram_new(&columns, y, w, fold, 1, &g, &e), 0);
	assert_int_equal(gram_solve(g, 0, 1e-6, c, &e), 0);
	assert_close(c[0], -2, 1e-4);
	assert_close(c[1], 5, 1e-4);
	assert_close(c[2], 3, 1e-4);
	assert_int_equal(gram_solve(g, 1, 1e-6, c, &e), -ERR_DATA);
	gram_free(g);
}

static void constrained_coefficients_never_go_below_zero(void **state)
{
	enum { N = 300, Q = 6 };
	double b[N * Q], y[N], w[N], c[Q];
	uint8_t fold[N] = {0};
	const bool free_sign[Q] = {true, false, false, false, false, false};
	const double penalty[Q] = {0, 1, 1, 1, 1, 1};
	const struct columns columns = {N, Q, b, free_sign, penalty};
	struct err e = ERR_INIT;

	(void)state;
	srand(5);
	for (int round = 0; round < 50; round++) {
		struct gram *g = NULL;

		for (int i = 0; i < N; i++) {
			b[i * Q] = 1;
			for (int j = 1; j < Q; j++)
				b[i * Q + j] = uniform();
			y[i] = 1 - 4 * b[i * Q + 1] + 2 * b[i * Q + 2] - b[i * Q + 3] + uniform();
			w[i] = 1;
		}
		assert_int_equal(gram_new(&columns, y, w, fold, 1, &g, &e), 0);
		assert_int_equal(gram_solve(g, 0, 1e-3, c, &e), 0);
		for (int j = 1; j < Q; j++)
			assert_true(c[j] >= 0);
		assert_close(c[1], 0, 0);
		/* Optimality: with c[1] held at 0, moving any coefficient raises the error. */
		for (int j = 0; j < Q; j++) {
			for (double step = -1e-3; step <= 1e-3; step += 2e-3) {
				double before = 0, after = 0;

				if (j && c[j] + step < 0)
					continue;
				for (int i = 0; i < N; i++) {
					double r = y[i], moved;

					for (int k = 0; k < Q; k++)
						r -= c[k] * b[i * Q + k];
					moved = r - step * b[i * Q + j];
					before += r * r;
					after += moved * moved;
				}
				assert_true(after > before - 1e-4);
			}
		}
		gram_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(least_squares_finds_known_coefficients),
		cmocka_unit_test(constrained_coefficients_never_go_below_zero),
	};

	return run_unit(tests);
}
