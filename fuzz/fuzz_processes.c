// SPDX-License-Identifier: Apache-2.0
/* Any bytes as what /proc says of a process: bounded, and what is shown of its name is harmless. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attribute/cputime.h"
#include "attribute/processes.h"
#include "base/text.h"

/* What is shown of it moves no cursor. */
static void check_name(const char *name)
{
	struct text t = {.s = NULL};

	text_visible(&t, name);
	for (size_t i = 0; i < t.len; i++) {
		if ((unsigned char)t.s[i] < 0x20 || t.s[i] == 0x7f)
			abort();
	}
	text_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), cgroup[PROCESS_CGROUP];
	struct process p;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (process_parse_stat(text, &p)) {
		if (p.pid < 0 || p.parent < 0 || strlen(p.name) >= PROCESS_NAME)
			abort();
		check_name(p.name);
	}
	if (process_parse_cgroup(text, cgroup)) {
		if (strlen(cgroup) >= PROCESS_CGROUP)
			abort();
		check_name(cgroup);
	}
	if (cputime_parse_stat(text) < -1)
		abort();
	check_name(text);
	free(text);
	return 0;
}
