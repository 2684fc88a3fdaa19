// SPDX-License-Identifier: Apache-2.0
/* Bundles as commands write them: see signed.h. */
#include "cli/signed.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "bundle/bundle.h"
#include "cli/cli.h"

static int64_t time_now(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t t;

	return epoch && parse_i64(epoch, &t) == 0 ? t : (int64_t)time(NULL);
}

static int check_name(const char *option, const char *name, size_t size, struct err *e)
{
	if (model_name_ok(name, size))
		return 0;
	return err_set(e, -ERR_USAGE,
		       "--%s %.80s: up to %zu letters, digits, '.', '_' or '-' are allowed, the "
		       "first neither '.' nor '-'",
		       option, name, size - 1);
}

/* Whether file_replace() will be able to: it makes a new file beside OUT. */
static int check_out(const char *out, struct err *e)
{
	char copy[PATH_MAX];
	struct stat st;

	if (snprintf(copy, sizeof(copy), "%s", out) >= PATH_MAX)
		return err_set(e, -ENAMETOOLONG, "--out: path too long");
	if (stat(out, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "--out %s: %s", out,
			       S_ISDIR(st.st_mode) ? "is a directory, name a file in it"
						   : "not a regular file, name one");
	if (access(dirname(copy), W_OK | X_OK) < 0)
		return err_errno(e, "--out %s cannot be written", out);
	return 0;
}

int signed_check(struct signed_as *as, struct err *e)
{
	const struct model_set *s = NULL;
	int r = check_name("name", as->name, sizeof(s->name), e);

	if (r == 0)
		r = check_name("version", as->version, sizeof(s->version), e);
	if (r < 0)
		return r;
	as->created_s = time_now();
	if (as->sequence == SIGNED_SEQUENCE_NOW)
		as->sequence = as->created_s;
	if (as->sequence < 0)
		return err_set(e, -ERR_USAGE, "--sequence takes a number from 0");
	if (as->expires && parse_until(as->expires, as->created_s, &as->expires_s) < 0)
		return err_set(e, -ERR_USAGE,
			       "--expires %s: a day to come such as 2027-06-30, or a span such as "
			       "180d, is needed",
			       as->expires);
	return check_out(as->out, e);
}

/* Whether a smaller family is left to advise. */
static bool has_trees(const struct model_set *s)
{
	zone_foreach (z) {
		for (size_t i = 0; i < s->zones[z].n; i++) {
			if (s->zones[z].models[i].family == FAMILY_BLEND ||
			    s->zones[z].models[i].family == FAMILY_MLP)
				return true;
		}
	}
	return false;
}

int signed_write(const struct model_set *s, const char *out, const struct secret_key *key,
		 uint64_t max_size, size_t *ret_len, struct err *e)
{
	struct byte_writer w = {0};
	struct text sig = {0};
	char sig_path[PATH_MAX], comment[200];
	int r = bundle_write(s, &w, e);

	snprintf(sig_path, sizeof(sig_path), "%s.minisig", out);
	snprintf(comment, sizeof(comment), "%s %s sequence:%lld", s->name, s->version,
		 (long long)s->sequence);
	if (r == 0 && w.len > max_size)
		r = err_set(
			e, -EFBIG, "the bundle has %zu bytes, --max-size allows %llu: allow more%s",
			w.len, (unsigned long long)max_size,
			has_trees(s) ? ", or take a smaller model (train --family physics)" : "");
	if (r == 0)
		r = minisign_sign(w.data, w.len, key, comment, &sig, e);
	if (r == 0)
		r = file_replace(out, 0600, w.data, w.len, e);
	if (r == 0)
		r = file_replace(sig_path, 0600, sig.s, sig.len, e);
	*ret_len = w.len;
	byte_writer_release(&w);
	text_release(&sig);
	return r;
}

int signed_print(const char *command, const struct model_set *s, const char *out, size_t len)
{
	struct text t = {0};

	text_add(&t, "{\"bundle\":");
	text_json_string(&t, out);
	text_printf(&t,
		    ",\"bytes\":%zu,\"name\":\"%s\",\"version\":\"%s\",\"sequence\":%lld,"
		    "\"card\":%s}\n",
		    len, s->name, s->version, (long long)s->sequence, s->card);
	return cli_print(command, &t);
}
