// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a publishing location's `latest`: refused, or a plain name that writes back as it
 * was. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundle/bundle.h"
#include "bundle/pointer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text t = {0};
	struct pointer p, q;

	if (pointer_parse((const char *)data, size, &p, NULL) < 0)
		return 0;
	if (strchr(p.file, '/') || p.file[0] == '.' || !p.bytes || p.bytes > BUNDLE_MAX_BYTES)
		abort();
	pointer_write(&p, &t);
	if (pointer_parse(t.s, t.len, &q, NULL) < 0 || strcmp(p.file, q.file) != 0 ||
	    p.sequence != q.sequence)
		abort();
	text_release(&t);
	return 0;
}
