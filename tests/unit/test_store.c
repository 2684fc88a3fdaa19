// SPDX-License-Identifier: Apache-2.0
/* store: versions, ledger, threshold, and a kill at every system call of every change. */
#include "bundles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"

static struct bundles b;
static struct store_place place;

static int setup(void **state)
{
	(void)state;
	memset(&b, 0, sizeof(b));
	bundles_setup(&b);
	place = (struct store_place){.model_path = b.store};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	bundles_teardown(&b);
	return 0;
}

static int install(const char *version, int64_t sequence, bool allow_older)
{
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	bundles_make(&b, version, sequence, 0, path);
	return store_install(b.store, path, b.trust, 0, allow_older, NULL, &e);
}

/* The sequence that the store serves, or the error. */
static int64_t served(void)
{
	struct model_set *s = NULL;
	struct err e = ERR_INIT;
	int64_t sequence;
	int r = store_pick(&place, b.trust, 0, &s, NULL, &e);

	sequence = r < 0 ? r : s->sequence;
	model_set_free(s);
	return sequence;
}

static const struct store_entry *entry_of(struct store_entry *entries, size_t n, int64_t sequence)
{
	for (size_t i = 0; i < n; i++) {
		if (entries[i].set && entries[i].set->sequence == sequence)
			return &entries[i];
	}
	return NULL;
}

static void versions_go_forward_and_back(void **state)
{
	struct store_entry *entries;
	struct err e = ERR_INIT;
	size_t n;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(install("2.0.0", 2, false), 0);
	assert_int_equal(install("3.0.0", 3, false), 0);
	assert_int_equal(served(), 3);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 2);
	assert_int_equal(store_list_at(&place, b.trust, &entries, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_true(entry_of(entries, n, 2)->current);
	assert_true(entry_of(entries, n, 1)->previous);
	assert_int_equal(entry_of(entries, n, 3)->state, BUNDLE_ROLLED_BACK);
	assert_string_equal(entry_of(entries, n, 3)->reason, "operator");
	store_list_free(entries, n);
	/* Installing it again is not the operator's word; activating it is. */
	assert_int_equal(install("3.0.0", 3, false), -ERR_STALE);
	assert_int_equal(served(), 2);
	assert_int_equal(store_activate(&place, "test-3.0.0", b.trust, 0, &e), 0);
	assert_int_equal(served(), 3);
	assert_int_equal(store_activate(&place, "test-1.0.0", b.trust, 0, &e), 0);
	assert_int_equal(served(), 1);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 3);
}

static void a_current_that_is_refused_is_left_behind(void **state)
{
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(install("2.0.0", 2, false), 0);
	assert_int_equal(install("3.0.0", 3, false), 0);
	snprintf(path, sizeof(path), "%s/test-3.0.0.vmw.minisig", b.store);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(served(), -ERR_SIGNATURE);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 2);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 1);
	/* With nothing good behind it the operator is told why, and of the other command. */
	snprintf(path, sizeof(path), "%s/test-1.0.0.vmw.minisig", b.store);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), -ERR_SIGNATURE);
	assert_non_null(strstr(e.msg, "not signed"));
	assert_non_null(strstr(e.msg, "vmwatts model activate"));
}

static void the_mark_stays_high(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("9.0.0", 9, false), 0);
	assert_int_equal(install("5.0.0", 5, false), -ERR_STALE);
	assert_int_equal(install("5.0.0", 5, true), 0);
	assert_int_equal(served(), 5);
	/* Between what is served and the mark: still older than what was here. */
	assert_int_equal(install("7.0.0", 7, false), -ERR_STALE);
	assert_int_equal(install("9.0.1", 9, false), 0);
	assert_int_equal(served(), 9);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 5);
}

/* A restored backup is often its group's to write: bundles are refused then, and so is what is
 * remembered of them, rather than taken for nothing. */
static void a_ledger_that_others_may_write_is_no_empty_one(void **state)
{
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(install("2.0.0", 2, false), 0);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	snprintf(path, sizeof(path), "%s/.ledger", b.store);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(install("2.0.0", 2, false), -ERR_STALE);
	assert_int_equal(served(), -ERR_STALE);
	assert_int_equal(store_activate(&place, "test-2.0.0", b.trust, 0, &e), -ERR_STALE);
	assert_non_null(strstr(e.msg, "chmod go-w"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(served(), 1);
	assert_int_equal(install("2.0.0", 2, false), -ERR_STALE);
}

static void nothing_before_is_told(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), -ENOENT);
	assert_int_equal(served(), 1);
	assert_int_equal(store_activate(&place, "../1.0.0", b.trust, 0, &e), -ERR_USAGE);
	assert_int_equal(store_activate(&place, "test-8", b.trust, 0, &e), -ENOENT);
}

/* With a state directory too, which is for stores that cannot be written. */
static void a_bundle_that_others_may_write_is_not_activated(void **state)
{
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(install("2.0.0", 2, false), 0);
	place.state_dir = b.dir;
	snprintf(path, sizeof(path), "%s/test-1.0.0.vmw", b.store);
	assert_int_equal(chmod(path, 0620), 0);
	assert_int_equal(store_activate(&place, "test-1.0.0", b.trust, 0, &e), -EPERM);
	assert_non_null(strstr(e.msg, "chmod go-w"));
	assert_int_equal(served(), 2);
}

static void another_bundle_of_the_same_version_takes_its_place(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(install("1.0.0", 2, false), 0);
	assert_int_equal(served(), 2);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 1);
}

static void another_name_of_the_same_file_is_refused(void **state)
{
	struct model_set *s = full_set();
	char path[PATH_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(install("1-2", 1, false), 0); /* test-1-2.vmw */
	snprintf(s->name, sizeof(s->name), "test-1");
	snprintf(s->version, sizeof(s->version), "2");
	s->sequence = 9;
	snprintf(path, sizeof(path), "%s/other.vmw", b.dir);
	bundles_write(&b, s, path);
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), -EEXIST);
	assert_non_null(strstr(e.msg, "holds test in version 1-2"));
	assert_int_equal(store_install(b.store, path, b.trust, 0, true, NULL, &e), -EEXIST);
	assert_int_equal(served(), 1);
}

static void expired_is_not_activated(void **state)
{
	char path[PATH_MAX], copy[128], command[PATH_MAX + 512];
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	(void)state;
	bundles_make(&b, "1.0.0", 1, 1000, path);
	assert_int_equal(store_install(b.store, path, b.trust, 999, false, NULL, &e), 0);
	assert_int_equal(store_activate(&place, "test-1.0.0", b.trust, 1001, &e), -ERR_STALE);
	/* One that was active when it expired goes on. */
	assert_int_equal(store_pick(&place, b.trust, 1001, &s, NULL, &e), 0);
	model_set_free(s);
	/* One that is only laid down, expired, never begins. */
	snprintf(copy, sizeof(copy), "%s/laid", b.dir);
	snprintf(command, sizeof(command), "mkdir %s && cp %s* %s", copy, path, copy);
	assert_int_equal(system(command), 0);
	place.model_path = copy;
	assert_int_equal(store_pick(&place, b.trust, 1001, &s, NULL, &e), -ERR_STALE);
	assert_int_equal(store_pick(&place, b.trust, 999, &s, NULL, &e), 0);
	model_set_free(s);
}

static void several_keys_must_sign(void **state)
{
	char path[PATH_MAX];
	struct model_set *s = NULL;
	struct err e = ERR_INIT;

	(void)state;
	bundles_make(&b, "1.0.0", 1, 0, path);
	trust_require(b.trust, 2);
	assert_int_equal(bundle_load(path, b.trust, &s, NULL, &e), -ERR_SIGNATURE);
	assert_non_null(strstr(e.msg, "signature_threshold asks for 2"));
	/* The same key twice is one key. */
	bundles_sign(&b, path, 0, 2);
	assert_int_equal(bundle_load(path, b.trust, &s, NULL, &e), -ERR_SIGNATURE);
	bundles_sign(&b, path, 1, 3);
	assert_int_equal(bundle_load(path, b.trust, &s, NULL, &e), 0);
	model_set_free(s);
	/* Signatures travel with the bundle, and count in the store. */
	assert_int_equal(store_install(b.store, path, b.trust, 0, false, NULL, &e), 0);
	assert_int_equal(served(), 1);
	trust_require(b.trust, 3);
	assert_true(served() < 0);
	bundles_sign(&b, path, 2, 4);
	assert_int_equal(bundle_load(path, b.trust, &s, NULL, &e), 0);
	model_set_free(s);
}

/* Only what ends as a temporary file's name does is swept away. */
static void a_version_may_have_new_in_it(void **state)
{
	struct err e = ERR_INIT;
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(install("2.new-1", 2, false), 0);
	snprintf(path, sizeof(path), "%s/test-9.vmw.new-123", b.store);
	assert_int_equal(file_replace(path, 0600, "x", 1, &e), 0);
	assert_int_equal(install("1.0.0", 1, false), -ERR_STALE);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(served(), 2);
}

static void gc_keeps_what_is_needed(void **state)
{
	static const char *const versions[] = {"1", "2", "3", "4", "5", "6"};
	struct store_gc_report report;
	struct store_entry *entries;
	struct err e = ERR_INIT;
	size_t n;

	(void)state;
	for (int i = 0; i < 6; i++)
		assert_int_equal(install(versions[i], i + 1, false), 0);
	assert_int_equal(store_activate(&place, "test-1", b.trust, 0, &e), 0);
	assert_int_equal(store_gc(&place, b.trust, 2, &report, &e), -ERR_USAGE);
	assert_int_equal(store_gc(&place, b.trust, 3, &report, &e), 0);
	assert_int_equal(report.removed, 2);
	assert_int_equal(report.unverified, 0);
	assert_int_equal(store_list_at(&place, b.trust, &entries, &n, &e), 0);
	assert_int_equal(n, 4); /* 6, 5, 4 and the active 1 */
	assert_true(entry_of(entries, n, 1)->current);
	assert_true(entry_of(entries, n, 6)->previous);
	store_list_free(entries, n);
	assert_int_equal(store_roll_back_current(&place, b.trust, &e), 0);
	assert_int_equal(served(), 6);
}

static void planted_links_are_not_followed(void **state)
{
	char victim[PATH_MAX], link[PATH_MAX];
	autofree char *text = NULL;
	struct err e = ERR_INIT;
	struct stat st;
	size_t len;

	(void)state;
	snprintf(victim, sizeof(victim), "%s/victim", b.dir);
	assert_int_equal(file_replace(victim, 0600, "mine", 4, &e), 0);
	assert_int_equal(mkdir(b.store, 0700), 0);
	static const char *const names[] = {"test-1.0.0.vmw", "test-1.0.0.vmw.minisig", ".ledger",
					    ".current.new", "current"};
	for (size_t i = 0; i < array_size(names); i++) {
		snprintf(link, sizeof(link), "%s/%s", b.store, names[i]);
		assert_int_equal(symlink(victim, link), 0);
	}
	assert_int_equal(install("1.0.0", 1, false), 0);
	assert_int_equal(served(), 1);
	for (size_t i = 0; i < 3; i++) {
		snprintf(link, sizeof(link), "%s/%s", b.store, names[i]);
		assert_int_equal(lstat(link, &st), 0);
		assert_true(S_ISREG(st.st_mode));
		assert_int_equal(st.st_mode & 0777, 0600);
	}
	assert_int_equal(file_read(victim, 100, true, &text, &len, &e), 0);
	assert_string_equal(text, "mine");
}

/* As kubelet lays out a ConfigMap: links through ..data, which a rename swaps. */
static void a_config_map_is_read_through_its_links(void **state)
{
	char command[2048], path[PATH_MAX];

	(void)state;
	bundles_make(&b, "1.0.0", 1, 0, path);
	bundles_make(&b, "2.0.0", 2, 0, path);
	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p store/..one store/..two && cp 1.0.0.vmw store/..one/m.vmw &&"
		 "cp 1.0.0.vmw.minisig store/..one/m.vmw.minisig && cp 2.0.0.vmw store/..two/m.vmw "
		 "&&"
		 "cp 2.0.0.vmw.minisig store/..two/m.vmw.minisig && cd store && ln -s ..one ..data "
		 "&&"
		 "ln -s ..data/m.vmw . && ln -s ..data/m.vmw.minisig .",
		 b.dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(served(), 1);
	snprintf(command, sizeof(command), "cd %s/store && ln -s ..two ..tmp && mv -T ..tmp ..data",
		 b.dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(served(), 2);
}

/* Where the store cannot be written, the state directory remembers. */
static void a_read_only_store_remembers_elsewhere(void **state)
{
	char command[1024], path[PATH_MAX], state_dir[128];
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		print_message("# needs root to become another user: skipped\n");
		return;
	}
	bundles_make(&b, "1.0.0", 1, 0, path);
	bundles_make(&b, "2.0.0", 2, 0, path);
	snprintf(state_dir, sizeof(state_dir), "%s/state", b.dir);
	snprintf(command, sizeof(command),
		 "cd %s && chmod 755 . && mkdir store state && cp *.vmw *.minisig store &&"
		 "chmod 644 store/* && chown nobody state",
		 b.dir);
	assert_int_equal(system(command), 0);
	place.state_dir = state_dir;
	pid = fork();
	if (pid == 0) {
		struct model_set *s = NULL;
		struct err e = ERR_INIT;
		bool good = setuid(65534) == 0 && store_pick(&place, b.trust, 0, &s, NULL, &e) == 0;

		good = good && s->sequence == 2 && store_note_served(&place, s, &e) == 0 &&
		       store_state(&place, s) == BUNDLE_PROBATION &&
		       store_roll_back(&place, b.trust, s, "nan", &e) == 0;
		good = good && served() == -ERR_STALE; /* 1 is older, and nobody activated it */
		good = good && store_activate(&place, "1.0.0", b.trust, 0, &e) == 0;
		_exit(good && served() == 1 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- kill -9 at every system call ---- */

static int do_install(struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/3.0.0.vmw", b.dir);
	return store_install(b.store, path, b.trust, 0, false, NULL, e);
}

static int do_install_same_version(struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/again.vmw", b.dir);
	return store_install(b.store, path, b.trust, 0, false, NULL, e);
}

static int do_install_older(struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/0.5.0.vmw", b.dir);
	return store_install(b.store, path, b.trust, 0, true, NULL, e);
}

static int do_activate_older(struct err *e)
{
	return store_activate(&place, "test-1.0.0", b.trust, 0, e);
}

static int do_roll_back(struct err *e)
{
	return store_roll_back_current(&place, b.trust, e);
}

static int do_gc(struct err *e)
{
	return store_gc(&place, b.trust, STORE_KEEP_MIN, NULL, e);
}

static const struct change {
	const char *what;
	int (*run)(struct err *e);
	int64_t after;
} changes[] = {
	{"install", do_install, 30},
	{"install of another bundle of the active version", do_install_same_version, 25},
	{"install of an older one", do_install_older, 5},
	{"activate", do_activate_older, 10},
	{"rollback", do_roll_back, 10},
	{"gc", do_gc, 20},
};

#define BEFORE 20

static void shell(const char *fmt)
{
	char command[512];

	snprintf(command, sizeof(command), fmt, b.dir);
	assert_int_equal(system(command), 0);
}

/* A store of 1.0.0 and 2.0.0, the latter active, kept as store.orig; and bundles to install. */
static void prepare(void)
{
	struct model_set *s = full_set();
	char path[PATH_MAX];

	assert_int_equal(install("1.0.0", 10, false), 0);
	assert_int_equal(install("2.0.0", BEFORE, false), 0);
	bundles_make(&b, "3.0.0", 30, 0, path);
	bundles_make(&b, "0.5.0", 5, 0, path);
	s->sequence = 25;
	strcpy(s->version, "2.0.0");
	snprintf(path, sizeof(path), "%s/again.vmw", b.dir);
	bundles_write(&b, s, path);
	shell("mv %1$s/store %1$s/store.orig");
}

/* Run the change in a child that is killed on its way into system call `k`. 1: it came to its end;
 * 0: killed; -1: no ptrace here.
 */
static int run_until(const struct change *c, long k)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = ERR_INIT;

		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		_exit(c->run(&e) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status))
		return -1;
	/* Every call stops twice: on its way in and on its way out. */
	for (long stops = 0; stops <= 2 * k; stops++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		waitpid(pid, &status, 0);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return 1;
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return 0;
}

/* Returns how many system calls were tried; -1 without ptrace. */
static long kill_everywhere(const struct change *c)
{
	int done = 0;
	long k;

	for (k = 0; done == 0; k++) {
		struct err e = ERR_INIT;
		int64_t now;

		shell("rm -rf %1$s/store && cp -a %1$s/store.orig %1$s/store");
		done = run_until(c, k);
		now = served();
		if (now != BEFORE && now != c->after)
			print_error("%s, killed at call %ld: %lld is served\n", c->what, k,
				    (long long)now);
		assert_true(now == BEFORE || now == c->after);
		if (done == 0 && now == BEFORE) { /* what was cut short can be done again */
			assert_int_equal(c->run(&e), 0);
			assert_int_equal(served(), c->after);
		}
	}
	assert_true(done < 0 || served() == c->after);
	return done < 0 ? -1 : k;
}

static void a_kill_at_any_call_leaves_the_old_or_the_new(void **state)
{
	const char *preload = getenv("LD_PRELOAD");

	(void)state;
	if (preload && strstr(preload, "valgrind")) {
		print_message("# under valgrind: skipped\n");
		return;
	}
	prepare();
	for (size_t i = 0; i < array_size(changes); i++) {
		long calls = kill_everywhere(&changes[i]);

		if (calls < 0) {
			print_message("# ptrace is not allowed here: skipped\n");
			return;
		}
		print_message("# %s: killed at each of %ld system calls\n", changes[i].what,
			      calls - 1);
	}
}

int main(void)
{
#define with_bundles(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		with_bundles(versions_go_forward_and_back),
		with_bundles(a_current_that_is_refused_is_left_behind),
		with_bundles(the_mark_stays_high),
		with_bundles(a_ledger_that_others_may_write_is_no_empty_one),
		with_bundles(nothing_before_is_told),
		with_bundles(a_bundle_that_others_may_write_is_not_activated),
		with_bundles(another_bundle_of_the_same_version_takes_its_place),
		with_bundles(another_name_of_the_same_file_is_refused),
		with_bundles(expired_is_not_activated),
		with_bundles(several_keys_must_sign),
		with_bundles(a_version_may_have_new_in_it),
		with_bundles(gc_keeps_what_is_needed),
		with_bundles(planted_links_are_not_followed),
		with_bundles(a_config_map_is_read_through_its_links),
		with_bundles(a_read_only_store_remembers_elsewhere),
		with_bundles(a_kill_at_any_call_leaves_the_old_or_the_new),
	};

	return run_unit(tests);
}
