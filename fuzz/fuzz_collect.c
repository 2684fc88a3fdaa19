// SPDX-License-Identifier: Apache-2.0
/* Any bytes as any /proc file: parsers read within the text and say yes or no. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "collect/parsers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool (*const parsers[])(const char *, struct sample *) = {
		stat_parse,    meminfo_parse,	vmstat_parse,
		loadavg_parse, diskstats_parse, netdev_parse,
	};
	static struct sample s;
	char *text;

	if (!size || (!s.cpus && sample_init(&s, 8, NULL) < 0))
		return 0;
	text = malloc(size); /* exactly as long as it is, for the sanitizer to see */
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	if (data[0] % 7 == 6)
		pressure_parse(text);
	else
		parsers[data[0] % 7](text, &s);
	free(text);
	return 0;
}
