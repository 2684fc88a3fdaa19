// SPDX-License-Identifier: Apache-2.0
/*
 * bundle: absurd bundles signed with a trusted key are refused, or load and give finite watts in
 * range; changed signatures are all refused; and how long a full bundle takes to load.
 * MUTATIONS=N bundles and as many signatures (default 9000; `make mutations`: 100000).
 */
#include "bundles.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "model/estimate.h"

static struct bundles b;
static char bundle_path[PATH_MAX], sig_path[PATH_MAX];

static int setup(void **state)
{
	(void)state;
	bundles_setup(&b);
	snprintf(bundle_path, sizeof(bundle_path), "%s/b.vmw", b.dir);
	snprintf(sig_path, sizeof(sig_path), "%s/b.vmw.minisig", b.dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bundles_teardown(&b);
	return 0;
}

static size_t how_many(void)
{
	const char *said = getenv("MUTATIONS");
	uint64_t n = 9000;

	if (said)
		assert_int_equal(parse_u64(said, &n), 0);
	return n;
}

static uint64_t random_state = 42;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void put_special(uint8_t *at, size_t room)
{
	static const double numbers[] = {NAN, INFINITY, -INFINITY, 0, -1, 1e308, -1e308, 5e-324};
	static const uint32_t counts[] = {0, 1, 0xffff, 0x7fffffff, 0xffffffff, 0x80000000};
	double d = numbers[next_random() % 8];
	uint32_t u = counts[next_random() % 6];

	if (next_random() % 2 && room >= sizeof(d))
		memcpy(at, &d, sizeof(d));
	else if (room >= sizeof(u))
		memcpy(at, &u, sizeof(u));
}

static uint32_t u32_at(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#define HEAD_BYTES  12 /* magic and the number of sections */
#define ENTRY_BYTES 16 /* type, flags, offset, length */

/* Where to change something: the head, or one of the sections, each as often, however short. */
static void choose_range(const uint8_t *original, size_t *ret_from, size_t *ret_len)
{
	uint32_t n = u32_at(original + 8);
	size_t which = next_random() % (n + 1);
	const uint8_t *entry = original + HEAD_BYTES + ENTRY_BYTES * which;

	*ret_from = which == n ? 0 : u32_at(entry + 8);
	*ret_len = which == n ? HEAD_BYTES + ENTRY_BYTES * n : u32_at(entry + 12);
}

static void mutate(uint8_t *data, const uint8_t *original)
{
	size_t n = 1 + next_random() % 4, from, len;

	choose_range(original, &from, &len);
	for (size_t i = 0; i < n; i++) {
		size_t at = next_random() % len;

		switch (next_random() % 3) {
		case 0:
			data[from + at] = (uint8_t)next_random();
			break;
		case 1:
			data[from + at] ^= (uint8_t)(1u << next_random() % 8);
			break;
		default:
			put_special(data + from + at, len - at);
		}
	}
}

/* Every estimate of a set that loaded must be finite and in range. */
static void check_estimates(const struct model_set *s)
{
	static const double values[] = {0, 1, 0.5, 1e9, -5, 1e300, NAN};
	const struct estimate_options plain = ESTIMATE_OPTIONS_INIT;
	double x[INPUT_MAX];
	struct estimate e;

	for (int round = 0; round < 8; round++) {
		for (size_t i = 0; i < s->n_inputs; i++)
			x[i] = values[next_random() % 7];
		model_set_estimate(s, x, &plain, &e);
		zone_foreach (z) {
			const struct zone_estimate *v = &e.zone[z];

			if (!v->valid)
				continue;
			assert_true(isfinite(zone_watts(v)) && zone_watts(v) >= 0);
			assert_true(zone_watts(v) <= 2e6);
			assert_true(isfinite(v->low_w) && isfinite(v->high_w));
			assert_true(v->low_w <= zone_watts(v) && zone_watts(v) <= v->high_w);
			assert_true(v->confidence >= 0 && v->confidence <= 1);
		}
	}
}

/* ---- bundles ---- */

/* The blend of one expert alone, as train --family makes them. */
static struct model kind_model(enum expert only, enum tier tier)
{
	struct model m = blend_model();

	for (int i = 0; i < EXPERT_COUNT; i++)
		m.blend.share[i] = i == (int)only;
	m.blend.trust = 1;
	m.tier = tier;
	return m;
}

static struct model of_tier(struct model m, enum tier tier)
{
	m.tier = tier;
	return m;
}

/* Every zone, and in each every family, on every tier. */
static struct model_set *every_set(void)
{
	struct model_set *s = some_set();

	zone_foreach (z) {
		struct zone_models *zone = &s->zones[z];
		size_t n = 0;

		for (size_t i = 0; i < zone->n; i++)
			model_release(&zone->models[i]);
		free(zone->models);
		zone->models = calloc(3 * 7 + 1, sizeof(struct model));
		for (int tier = TIER_PMU; tier >= TIER_OS; tier--) {
			enum tier t = (enum tier)tier;

			zone->models[n++] = of_tier(blend_model(), t);
			zone->models[n++] = kind_model(EXPERT_F, t);
			zone->models[n++] = kind_model(EXPERT_G, t);
			zone->models[n++] = kind_model(EXPERT_K, t);
			zone->models[n++] = of_tier(network_model(), t);
			zone->models[n++] = of_tier(history_model(), t);
			zone->models[n++] = of_tier(linear_model(), t);
		}
		zone->models[n++] = last_model();
		zone->n = n;
	}
	strcpy(s->zones[ZONE_UNCORE].definition, "pp1");
	return s;
}

/* Without fsync: a hundred thousand of them. */
static void write_quickly(const char *path, const char *data, size_t len)
{
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
}

struct counts {
	size_t loaded, refused;
};

/* One mutation: signed, verified and parsed as an agent would. */
static void try_one(const struct byte_writer *w, uint8_t *copy, struct counts *c)
{
	struct text sig = {.s = NULL};
	struct model_set *s = NULL;
	struct err e = ERR_INIT;
	int r;

	memcpy(copy, w->data, w->len);
	mutate(copy, w->data);
	assert_int_equal(minisign_sign(copy, w->len, &b.secret[0], "test", &sig, &e), 0);
	write_quickly(sig_path, sig.s, sig.len);
	r = bundle_verify_bytes(bundle_path, b.trust, copy, w->len, &s, NULL, &e);
	if (r == 0) {
		check_estimates(s);
		c->loaded++;
	} else {
		assert_int_equal(r, -ERR_FORMAT);
		assert_true(e.msg[0]);
		c->refused++;
	}
	model_set_free(s);
	text_release(&sig);
}

static void try_many(struct model_set *original, size_t n, struct counts *c)
{
	struct byte_writer w = {0};
	autofree uint8_t *copy = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(bundle_write(original, &w, &e), 0);
	model_set_free(original);
	copy = malloc(w.len);
	assert_non_null(copy);
	for (size_t i = 0; i < n; i++)
		try_one(&w, copy, c);
	byte_writer_release(&w);
}

static void signed_absurdity_is_refused_or_harmless(void **state)
{
	struct counts c = {0};
	size_t n = how_many();

	(void)state;
	try_many(full_set(), n / 6, &c);
	try_many(blend_set(), n / 6, &c);
	try_many(tailed_set(), n / 6, &c);
	try_many(sized_set(), n / 6, &c);
	try_many(normed_set(), n / 6, &c);
	try_many(every_set(), n - 5 * (n / 6), &c);
	print_message("# %zu mutated bundles, signed again: %zu refused, %zu loaded with finite "
		      "watts in range\n",
		      n, c.refused, c.loaded);
	assert_int_equal(c.loaded + c.refused, n);
	assert_true(c.refused > n / 20 && c.loaded > n / 20);
}

/* ---- signatures ---- */

static void mutated_signatures_are_refused(void **state)
{
	struct model_set *set = full_set(), *s = NULL;
	autofree char *sig = NULL, *copy = NULL, *data = NULL;
	struct err e = ERR_INIT;
	size_t n = how_many(), len, data_len, first, tried = 0;

	(void)state;
	bundles_write(&b, set, bundle_path);
	assert_int_equal(file_read(sig_path, 4096, true, &sig, &len, &e), 0);
	assert_int_equal(file_read(bundle_path, BUNDLE_MAX_BYTES, true, &data, &data_len, &e), 0);
	copy = malloc(len);
	assert_non_null(copy);
	first = strcspn(sig, "\n"); /* the comment before it is nobody's to sign */
	for (size_t i = 0; i < n; i++) {
		size_t cut = i % 10 ? len : first + next_random() % (len - 1 - first);

		memcpy(copy, sig, len);
		for (size_t k = 1 + next_random() % 3; k > 0 && cut == len; k--)
			copy[first + next_random() % (len - 1 - first)] = (char)next_random();
		if (cut == len && !memcmp(copy, sig, len))
			continue; /* what was written is what was there */
		write_quickly(sig_path, copy, cut);
		assert_true(bundle_verify_bytes(bundle_path, b.trust, data, data_len, &s, NULL,
						&e) < 0);
		assert_null(s);
		tried++;
	}
	print_message("# %zu mutated signatures: all refused\n", tried);
}

/* ---- time ---- */

/* `t` with `n` trees of 63 nodes, as deep as training makes them. */
static void grow(struct trees *t, size_t n)
{
	free(t->first);
	free(t->nodes);
	t->n = n;
	t->n_nodes = n * 63;
	t->first = calloc(t->n, sizeof(*t->first));
	t->nodes = calloc(t->n_nodes, sizeof(*t->nodes));
	for (size_t i = 0; i < n; i++) {
		t->first[i] = (uint32_t)(i * 63);
		for (size_t k = 0; k < 63; k++)
			t->nodes[i * 63 + k] =
				k < 31 ? (struct tree_node){(float)k / 4, (uint16_t)(k % 3),
							    (uint16_t)(2 * k + 1)}
				       : (struct tree_node){0.01f * (float)k, TREE_LEAF, 0};
	}
}

/* Four zones, every tier with and without history, 896 KiB: what --max-size allows. */
static struct model_set *largest_set(void)
{
	struct model_set *s = every_set();
	struct zone_models *platform = &s->zones[ZONE_PLATFORM];

	while (platform->n)
		model_release(&platform->models[--platform->n]);
	for (int z = 0; z < ZONE_RAPL_COUNT; z++) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			if (s->zones[z].models[i].family == FAMILY_BLEND)
				grow(&s->zones[z].models[i].blend.gbdt, 34);
		}
	}
	return s;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Under a sanitizer or valgrind, time says nothing. */
static bool slowed_down(void)
{
	const char *preload = getenv("LD_PRELOAD");

#ifdef __SANITIZE_ADDRESS__
	return true;
#endif
	return preload && strstr(preload, "valgrind");
}

static void a_full_bundle_loads_in_time(void **state)
{
	struct model_set *set = largest_set();
	double best_ms = INFINITY;
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	bundles_write(&b, set, bundle_path);
	assert_int_equal(stat(bundle_path, &st), 0);
	for (int i = 0; i < 20; i++) {
		double begin_ms = now_ms(), took_ms;
		struct model_set *s = NULL;

		assert_int_equal(bundle_load(bundle_path, b.trust, &s, NULL, &e), 0);
		took_ms = now_ms() - begin_ms;
		best_ms = took_ms < best_ms ? took_ms : best_ms;
		model_set_free(s);
	}
	print_message("# four zones, all tiers, %ld bytes: read, verified and parsed in %.2f ms\n",
		      (long)st.st_size, best_ms);
	if (!slowed_down())
		assert_true(best_ms < 5);
}

int main(void)
{
#define with_bundles(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_bundles(signed_absurdity_is_refused_or_harmless),
		with_bundles(mutated_signatures_are_refused),
		with_bundles(a_full_bundle_loads_in_time),
	};

	return run_unit(tests);
}
