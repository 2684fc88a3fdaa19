// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a page of metrics: read within the text, samples whole or refused with a line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "record/host_exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exposition_sample s;
	struct exposition x;
	struct host_figure f;
	struct err e = ERR_INIT;
	char *text =
		malloc(size ? size : 1); /* exactly as long as it is, for the sanitizer to see */
	size_t n = 0;
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	exposition_init(&x, text, size);
	while ((r = exposition_next(&x, &s, &e)) > 0) {
		if (n++ > size || !s.name[0] || s.labels.n > EXPOSITION_LABELS_MAX)
			abort();
		for (size_t i = 0; i < s.labels.n; i++) {
			if (!s.labels.items[i].name[0] || strlen(s.labels.items[i].value) > size)
				abort();
		}
		if (host_figure_read(s.name, &s.labels, &f) && f.zone >= (int)ZONE_COUNT)
			abort();
	}
	if (r < 0 && !e.msg[0])
		abort();
	free(text);
	return 0;
}
