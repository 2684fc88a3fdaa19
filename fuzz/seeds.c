// SPDX-License-Identifier: Apache-2.0
/* What fuzz_bundle starts from: whole bundles of every family, written to DIR. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/bundle.h"
#include "../tests/unit/sets.h"

static int write_seed(const char *dir, const char *name, struct model_set *s)
{
	struct byte_writer w = {0};
	struct err e = ERR_INIT;
	char path[4096];
	int r = bundle_write(s, &w, &e);
	FILE *f;

	model_set_free(s);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = r == 0 ? fopen(path, "wbe") : NULL;
	if (!f || fwrite(w.data, 1, w.len, f) != w.len)
		r = -1;
	if (f && fclose(f) != 0)
		r = -1;
	byte_writer_release(&w);
	return r;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seeds DIR\n");
		return 2;
	}
	return write_seed(argv[1], "full", full_set()) < 0 ||
	       write_seed(argv[1], "blend", blend_set()) < 0 ||
	       write_seed(argv[1], "tailed", tailed_set()) < 0 ||
	       write_seed(argv[1], "sized", sized_set()) < 0 ||
	       write_seed(argv[1], "normed", normed_set()) < 0;
}
