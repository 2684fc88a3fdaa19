// SPDX-License-Identifier: Apache-2.0
/* bundle: format, signatures, trust, store. Absurd but signed ones: test_mutations.c. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/parse.h"
#include "bundle/bundle.h"
#include "bundle/store.h"
#include "bundle/minisign.h"
#include "model/estimate.h"
#include "sets.h"

struct fixture {
	char dir[64];
	struct secret_key secret;
	struct public_key public;
	char pub[PATH_MAX], bundle[PATH_MAX], sig[PATH_MAX];
	struct trust *trust;
};

static void write_file(const char *path, const void *data, size_t len)
{
	struct err e = ERR_INIT;

	assert_int_equal(file_replace(path, 0600, data, len, &e), 0);
}

static void sign_file(const struct fixture *f, const struct secret_key *k, const void *data,
		      size_t len)
{
	struct err e = ERR_INIT;
	struct text sig = {0};

	assert_int_equal(minisign_sign(data, len, k, "test", &sig, &e), 0);
	write_file(f->sig, sig.s, sig.len);
	text_release(&sig);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct model_set *s = full_set();
	struct byte_writer w = {0};
	struct err e = ERR_INIT;

	strcpy(f->dir, "/tmp/vmwatts-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->pub, PATH_MAX, "%s/K.pub", f->dir);
	snprintf(f->bundle, PATH_MAX, "%s/b.vmw", f->dir);
	snprintf(f->sig, PATH_MAX, "%s/b.vmw.minisig", f->dir);
	assert_int_equal(minisign_keygen(&f->secret, &f->public, &e), 0);
	assert_int_equal(public_key_write(&f->public, f->pub, &e), 0);
	assert_int_equal(bundle_write(s, &w, &e), 0);
	write_file(f->bundle, w.data, w.len);
	sign_file(f, &f->secret, w.data, w.len);
	assert_int_equal(trust_load_file(f->pub, &f->trust, &e), 0);
	byte_writer_release(&w);
	model_set_free(s);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", f->dir);
	assert_int_equal(system(command), 0); /* our own mkdtemp name */
	trust_free(f->trust);
	free(f);
	return 0;
}

static void a_set_comes_back_as_it_was_written(void **state)
{
	struct fixture *f = *state;
	const double x[SET_INPUTS] = {5, 0.6, 2, 100};
	const struct estimate_options plain = ESTIMATE_OPTIONS_INIT;
	struct model_set *s = full_set(), *back = NULL;
	struct byte_writer once = {0}, again = {0};
	struct estimate a, b;
	struct err e = ERR_INIT;

	assert_int_equal(bundle_load(f->bundle, f->trust, &back, NULL, &e), 0);
	assert_string_equal(back->name, "test");
	assert_string_equal(back->card, s->card);
	model_set_estimate(s, x, &plain, &a);
	model_set_estimate(back, x, &plain, &b);
	zone_foreach (z) {
		assert_int_equal(a.zone[z].valid, b.zone[z].valid);
		if (a.zone[z].valid)
			assert_close(zone_watts(&a.zone[z]), zone_watts(&b.zone[z]), 0);
	}
	assert_int_equal(bundle_write(s, &once, &e), 0);
	assert_int_equal(bundle_write(back, &again, &e), 0);
	assert_int_equal(once.len, again.len);
	assert_memory_equal(once.data, again.data, once.len);
	byte_writer_release(&once);
	byte_writer_release(&again);
	model_set_free(s);
	model_set_free(back);
}

static void refuse(const struct fixture *f, int code, const char *words)
{
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(bundle_load(f->bundle, f->trust, &s, NULL, &e), code);
	assert_null(s);
	assert_non_null(strstr(e.msg, words));
	assert_null(strchr(e.msg, '\n'));
}

static void refuses_a_bundle_with_any_byte_changed(void **state)
{
	struct fixture *f = *state;
	autofree char *data = NULL;
	struct err e = ERR_INIT;
	size_t len;

	assert_int_equal(file_read(f->bundle, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	for (size_t i = 0; i < len; i++) {
		struct model_set *s = NULL;

		data[i] ^= 1;
		assert_int_equal(bundle_verify_bytes(f->bundle, f->trust, data, len, &s, NULL, &e),
				 -ERR_SIGNATURE);
		assert_null(s);
		data[i] ^= 1;
	}
	for (size_t n = 0; n < len; n++) {
		struct model_set *s = NULL;

		assert_int_equal(bundle_verify_bytes(f->bundle, f->trust, data, n, &s, NULL, &e),
				 -ERR_SIGNATURE);
	}
	data[len / 2] ^= 1;
	write_file(f->bundle, data, len);
	refuse(f, -ERR_SIGNATURE, "not what key");
}

static void refuses_a_truncated_bundle_that_was_signed(void **state)
{
	struct fixture *f = *state;
	autofree char *data = NULL;
	struct err e = ERR_INIT;
	size_t len;

	assert_int_equal(file_read(f->bundle, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	for (size_t n = 0; n < len; n++) {
		struct model_set *s = NULL;

		assert_int_equal(bundle_parse(data, n, &s, &e), -ERR_FORMAT);
	}
}

static void refuses_an_unsigned_bundle(void **state)
{
	struct fixture *f = *state;

	unlink(f->sig);
	refuse(f, -ERR_SIGNATURE, "not signed");
}

static void refuses_another_key(void **state)
{
	struct fixture *f = *state;
	autofree char *data = NULL;
	struct secret_key other;
	struct public_key public;
	struct err e = ERR_INIT;
	size_t len;

	assert_int_equal(file_read(f->bundle, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	assert_int_equal(minisign_keygen(&other, &public, &e), 0);
	sign_file(f, &other, data, len);
	refuse(f, -ERR_SIGNATURE, "not trusted");
	/* ... even under a trusted key's id. */
	memcpy(other.id, f->secret.id, sizeof(other.id));
	sign_file(f, &other, data, len);
	refuse(f, -ERR_SIGNATURE, "not what key");
}

static void refuses_every_mutated_signature(void **state)
{
	struct fixture *f = *state;
	autofree char *data = NULL, *sig = NULL;
	struct err e = ERR_INIT;
	size_t len, sig_len, accepted = 0;

	assert_int_equal(file_read(f->bundle, BUNDLE_MAX_BYTES, true, &data, &len, &e), 0);
	assert_int_equal(file_read(f->sig, 4096, true, &sig, &sig_len, &e), 0);
	/* The untrusted comment may change; nothing behind it may. */
	for (size_t i = strcspn(sig, "\n"); i < sig_len; i++) {
		struct signature s;

		sig[i] ^= 2;
		accepted += signature_parse(sig, &s, &e) == 0 &&
			    signature_verify(&s, &f->public, data, len, &e) == 0;
		sig[i] ^= 2;
	}
	assert_int_equal(accepted, 0);
}

static void refuses_a_file_that_others_may_write(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(chmod(f->bundle, 0666), 0);
	refuse(f, -EPERM, "may write");
	assert_int_equal(chmod(f->bundle, 0644), 0);
	assert_int_equal(chmod(f->sig, 0620), 0);
	refuse(f, -EPERM, "may write");
}

static void comes_back(struct model_set *s)
{
	struct model_set *back = NULL;
	struct byte_writer once = {0}, again = {0};
	struct err e = ERR_INIT;

	assert_int_equal(bundle_write(s, &once, &e), 0);
	assert_int_equal(bundle_parse(once.data, once.len, &back, &e), 0);
	assert_int_equal(bundle_write(back, &again, &e), 0);
	assert_int_equal(once.len, again.len);
	assert_memory_equal(once.data, again.data, once.len);
	assert_close(back->zones[ZONE_PACKAGE].models[0].size_vcpus,
		     s->zones[ZONE_PACKAGE].models[0].size_vcpus, 0);
	byte_writer_release(&once);
	byte_writer_release(&again);
	model_set_free(s);
	model_set_free(back);
}

static void a_blend_comes_back_as_it_was_written(void **state)
{
	(void)state;
	comes_back(blend_set());
	comes_back(tailed_set());
	comes_back(sized_set());
	comes_back(normed_set());
}

static struct byte_writer bytes_of(struct model_set *s)
{
	struct byte_writer w = {0};
	struct err e = ERR_INIT;

	assert_int_equal(bundle_write(s, &w, &e), 0);
	model_set_free(s);
	return w;
}

/* The section of that type in the table: its entry; NULL when it is not there. */
static uint8_t *section_of(const struct byte_writer *w, uint8_t type)
{
	for (uint8_t *at = w->data + 12; at < w->data + 12 + 16 * w->data[8]; at += 16) {
		if (at[0] == type)
			return at;
	}
	return NULL;
}

/* Section 7 is there for row norms alone, and required: who does not know it reads nothing. */
static void a_row_norm_is_a_required_section(void **state)
{
	struct byte_writer without = bytes_of(full_set()), with = bytes_of(normed_set());
	struct model_set *s = NULL;
	struct err e = ERR_INIT;
	uint8_t *entry = section_of(&with, 7);

	(void)state;
	assert_null(section_of(&without, 7));
	assert_non_null(entry);
	assert_int_equal(entry[4] & 1, 1);
	entry[0] = 99; /* as a reader of before sees it */
	assert_int_equal(bundle_parse(with.data, with.len, &s, &e), -ERR_FORMAT);
	assert_non_null(strstr(e.msg, "not known"));
	byte_writer_release(&without);
	byte_writer_release(&with);
}

/* Every number of the section changed to one that makes no sense. */
static void row_norms_without_sense_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *what;
	} cases[] = {
		{0, 0, "none"},		 {0, 4, "more than there are"},
		{2, 9, "a zone's name"}, {11, 77, "a place"},
		{13, 0, "no kind"},	 {13, 9, "a kind"},
		{14, 0, "no inputs"},	 {14, 3, "more inputs"},
		{16, 9, "an input"},	 {16, 1, "an input twice"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct byte_writer w = bytes_of(normed_set());
		struct model_set *s = NULL;
		struct err e = ERR_INIT;
		const uint8_t *entry = section_of(&w, 7);

		w.data[entry[8] + 256 * entry[9] + cases[i].at] = cases[i].value;
		if (bundle_parse(w.data, w.len, &s, &e) != -ERR_FORMAT)
			fail_msg("%s is taken", cases[i].what);
		byte_writer_release(&w);
	}
}

/* Section 8 likewise, for blends whose upper ends have scales of their own. */
static void the_tails_of_intervals_are_a_required_section(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		const char *what;
	} cases[] = {
		{0, 0, "none"},	     {0, 2, "more than there are"}, {2, 9, "a zone's name"},
		{11, 1, "no blend"}, {11, 77, "a place"},	    {16, 0x7f, "no number"},
	};
	struct byte_writer without = bytes_of(blend_set()), with = bytes_of(tailed_set());
	uint8_t *entry = section_of(&with, 8);

	(void)state;
	assert_null(section_of(&without, 8));
	assert_non_null(entry);
	assert_int_equal(entry[4] & 1, 1);
	byte_writer_release(&without);
	byte_writer_release(&with);
	for (size_t i = 0; i < array_size(cases); i++) {
		struct byte_writer w = bytes_of(tailed_set());
		struct model_set *s = NULL;
		struct err e = ERR_INIT;

		entry = section_of(&w, 8);
		w.data[entry[8] + 256 * entry[9] + cases[i].at] = cases[i].value;
		if (bundle_parse(w.data, w.len, &s, &e) != -ERR_FORMAT)
			fail_msg("%s is taken", cases[i].what);
		byte_writer_release(&w);
	}
}

static void a_key_signs_only_names_in_its_scope(void **state)
{
	struct fixture *f = *state;
	char scope[PATH_MAX];
	struct trust *t = NULL;
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(scope, sizeof(scope), "%s/K.scope", f->dir);
	write_file(scope, "prod-*\n", 7);
	assert_int_equal(trust_load_directory(f->dir, NULL, &t, &e), 0);
	assert_int_equal(trust_count(t), 1);
	assert_int_equal(bundle_load(f->bundle, t, &s, NULL, &e), -ERR_SIGNATURE);
	assert_non_null(strstr(e.msg, "may not sign"));
	trust_free(t);
	write_file(scope, "prod-*\ntes?\n", 12);
	assert_int_equal(trust_load_directory(f->dir, NULL, &t, &e), 0);
	assert_int_equal(bundle_load(f->bundle, t, &s, NULL, &e), 0);
	model_set_free(s);
	trust_free(t);
	/* A link whose file is gone does not make it a key for everything. */
	assert_int_equal(unlink(scope), 0);
	assert_int_equal(symlink("gone", scope), 0);
	assert_int_equal(trust_load_directory(f->dir, NULL, &t, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "K.scope"));
}

static void trusted_keys_that_others_may_write_are_refused(void **state)
{
	struct fixture *f = *state;
	struct trust *t = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(chmod(f->dir, 0777), 0);
	assert_int_equal(trust_load_directory(f->dir, NULL, &t, &e), -EPERM);
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->pub, 0666), 0);
	assert_int_equal(trust_load_directory(f->dir, NULL, &t, &e), -EPERM);
	assert_int_equal(trust_load_file(f->pub, &t, &e), -EPERM);
	assert_null(t);
	assert_int_equal(trust_load_directory("/no/such/directory", NULL, &t, &e), 0);
	assert_int_equal(trust_count(t), 0);
	trust_free(t);
}

static void trusted_keys_within_the_store_are_refused(void **state)
{
	struct fixture *f = *state;
	char within[PATH_MAX], link[PATH_MAX], beside[PATH_MAX];
	struct trust *t = NULL;
	struct err e = ERR_INIT;

	assert_int_equal(chmod(f->dir, 0755), 0);
	snprintf(within, sizeof(within), "%s/..", f->dir);
	snprintf(link, sizeof(link), "%s/here", f->dir);
	snprintf(beside, sizeof(beside), "%s/here2", f->dir);
	assert_int_equal(symlink(f->dir, link), 0);
	assert_int_equal(mkdir(beside, 0755), 0);
	assert_int_equal(trust_load_directory(f->dir, f->dir, &t, &e), -EPERM);
	assert_non_null(strstr(e.msg, "is in model_path"));
	assert_int_equal(trust_load_directory(f->dir, within, &t, &e), -EPERM);
	assert_int_equal(trust_load_directory(link, f->dir, &t, &e), -EPERM);
	assert_int_equal(trust_load_directory(f->dir, link, &t, &e), -EPERM);
	assert_int_equal(trust_load(f->pub, f->dir, &t, &e), -EPERM);
	assert_null(t);
	assert_int_equal(trust_load(f->dir, beside, &t, &e), 0);
	trust_free(t);
	/* A key that is a link into the store is one of the store's. */
	snprintf(link, sizeof(link), "%s/here2/K.pub", f->dir);
	assert_int_equal(symlink(f->pub, link), 0);
	snprintf(within, sizeof(within), "%s/store", f->dir);
	assert_int_equal(mkdir(within, 0755), 0);
	assert_int_equal(trust_load_directory(beside, within, &t, &e), 0);
	trust_free(t);
	t = NULL;
	snprintf(within, sizeof(within), "%s/store/K.pub", f->dir);
	assert_int_equal(rename(f->pub, within), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(within, link), 0);
	snprintf(within, sizeof(within), "%s/store", f->dir);
	assert_int_equal(trust_load_directory(beside, within, &t, &e), -EPERM);
}

static void the_store_installs_and_serves(void **state)
{
	struct fixture *f = *state;
	char store[PATH_MAX], path[PATH_MAX];
	struct model_set *s = NULL;
	struct store_entry *entries;
	struct err e = ERR_INIT;
	struct stat st;
	size_t n;

	snprintf(store, sizeof(store), "%s/store", f->dir);
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, false, path, &e), 0);
	assert_non_null(strstr(path, "/store/test-1.2.3.vmw"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(store_load_current(store, f->trust, &s, NULL, &e), 0);
	assert_int_equal(s->sequence, 7);
	model_set_free(s);
	assert_int_equal(store_list(store, f->trust, &entries, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_true(entries[0].current);
	store_list_free(entries, n);
}

static void make_bundle(struct fixture *f, int64_t sequence, int64_t expires_s, const char *version)
{
	struct model_set *s = full_set();
	struct byte_writer w = {0};
	struct err e = ERR_INIT;

	s->sequence = sequence;
	s->expires_s = expires_s;
	snprintf(s->version, sizeof(s->version), "%s", version);
	assert_int_equal(bundle_write(s, &w, &e), 0);
	write_file(f->bundle, w.data, w.len);
	sign_file(f, &f->secret, w.data, w.len);
	byte_writer_release(&w);
	model_set_free(s);
}

static void the_store_refuses_older_and_expired(void **state)
{
	struct fixture *f = *state;
	char store[PATH_MAX];
	struct err e = ERR_INIT;

	snprintf(store, sizeof(store), "%s/store", f->dir);
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, false, NULL, &e), 0);
	make_bundle(f, 6, 0, "1.2.2");
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, false, NULL, &e), -ERR_STALE);
	assert_non_null(strstr(e.msg, "--allow-older"));
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, true, NULL, &e), 0);
	make_bundle(f, 9, 1000, "1.3.0");
	assert_int_equal(store_install(store, f->bundle, f->trust, 1001, false, NULL, &e),
			 -ERR_STALE);
	assert_non_null(strstr(e.msg, "expired"));
}

static void a_store_without_current_serves_the_highest_sequence(void **state)
{
	struct fixture *f = *state;
	char store[PATH_MAX], current[PATH_MAX + 16], path[PATH_MAX];
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	snprintf(store, sizeof(store), "%s/store", f->dir);
	make_bundle(f, 9, 0, "1.3.0");
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, false, NULL, &e), 0);
	make_bundle(f, 8, 0, "1.2.9");
	assert_int_equal(store_install(store, f->bundle, f->trust, 0, true, NULL, &e), 0);
	snprintf(current, sizeof(current), "%s/current", store);
	assert_int_equal(unlink(current), 0);
	assert_int_equal(store_load_current(store, f->trust, &s, path, &e), 0);
	assert_int_equal(s->sequence, 9);
	assert_non_null(strstr(path, "test-1.3.0.vmw"));
	model_set_free(s);
	/* A link out of the store is not followed. */
	assert_int_equal(symlink("../b.vmw", current), 0);
	assert_int_equal(store_load_current(store, f->trust, &s, path, &e), 0);
	assert_non_null(strstr(path, "test-1.3.0.vmw"));
	model_set_free(s);
}

static void keys_are_minisign_files(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX], command[3 * PATH_MAX];
	struct secret_key back;
	struct public_key public;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/K.key", f->dir);
	assert_int_equal(secret_key_write(&f->secret, path, &e), 0);
	assert_int_equal(secret_key_write(&f->secret, path, &e), -EEXIST);
	assert_int_equal(secret_key_read(path, &back, &e), 0);
	assert_memory_equal(&back, &f->secret, sizeof(back));
	secret_key_public(&back, &public);
	assert_memory_equal(&public, &f->public, sizeof(public));
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(secret_key_read(path, &back, &e), -EPERM);
	if (system("command -v minisign >/dev/null") != 0) {
		print_message("# minisign is not installed: its own check is skipped\n");
		return;
	}
	snprintf(command, sizeof(command), "minisign -Vqm %s -p %s", f->bundle, f->pub);
	assert_int_equal(system(command), 0);
}

int main(void)
{
#define with_fixture(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_fixture(a_set_comes_back_as_it_was_written),
		cmocka_unit_test(a_blend_comes_back_as_it_was_written),
		cmocka_unit_test(a_row_norm_is_a_required_section),
		cmocka_unit_test(row_norms_without_sense_are_refused),
		cmocka_unit_test(the_tails_of_intervals_are_a_required_section),
		with_fixture(refuses_a_bundle_with_any_byte_changed),
		with_fixture(refuses_a_truncated_bundle_that_was_signed),
		with_fixture(refuses_an_unsigned_bundle),
		with_fixture(refuses_another_key),
		with_fixture(refuses_every_mutated_signature),
		with_fixture(refuses_a_file_that_others_may_write),
		with_fixture(a_key_signs_only_names_in_its_scope),
		with_fixture(trusted_keys_that_others_may_write_are_refused),
		with_fixture(trusted_keys_within_the_store_are_refused),
		with_fixture(the_store_installs_and_serves),
		with_fixture(the_store_refuses_older_and_expired),
		with_fixture(a_store_without_current_serves_the_highest_sequence),
		with_fixture(keys_are_minisign_files),
	};

	return run_unit(tests);
}
