// SPDX-License-Identifier: Apache-2.0
/* Any bytes as a packet between agent and helper: refused, or numbers in range that write back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "remote/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct remote_question q;
	struct remote_answer a;
	struct byte_writer w = {0};

	if (remote_get_answer(data, size, &a)) {
		zone_foreach (z) {
			if (a.zones[z].valid &&
			    !(a.zones[z].watts >= 0 && isfinite(a.zones[z].high_w)))
				abort();
		}
		remote_put_answer(&a, &w);
		if (w.len != size)
			abort();
	}
	if (remote_get_question(data, size, &q)) {
		remote_put_question(&q, &w);
		if (w.len != size || memcmp(w.data, data, size) != 0)
			abort();
	}
	byte_writer_release(&w);
	return 0;
}
