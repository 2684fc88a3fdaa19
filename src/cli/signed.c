// SPDX-License-Identifier: Apache-2.0
/* Bundles as commands write them: see signed.h. */
#include "cli/signed.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "bundle/bundle.h"

int64_t signed_time(void)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	int64_t t;

	return epoch && parse_i64(epoch, &t) == 0 ? t : (int64_t)time(NULL);
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
		r = err_set(e, -EFBIG,
			    "the bundle has %zu bytes, --max-size allows %llu: allow more, or take "
			    "a smaller model (train --family physics)",
			    w.len, (unsigned long long)max_size);
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
