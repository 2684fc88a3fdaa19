// SPDX-License-Identifier: Apache-2.0
/* What to do where a mapped file's disk fails: see mapped.h. */
#include "base/mapped.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/cleanup.h"

#define PAGE 4096u /* of x86-64; a mapping is whole pages */

static struct {
	void *at; /* NULL: free */
	size_t size;
	volatile sig_atomic_t lost;
} mappings[8];

static void on_bus(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	for (size_t i = 0; i < array_size(mappings); i++) {
		uintptr_t begin = (uintptr_t)mappings[i].at, at = (uintptr_t)info->si_addr;

		if (!begin || at < begin || at - begin >= mappings[i].size)
			continue;
		if (mmap(mappings[i].at, mappings[i].size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
			break;
		mappings[i].lost = 1;
		errno = saved;
		return;
	}
	signal(number, SIG_DFL); /* none of ours: it ends us, as it would have */
	errno = saved;
}

void mapped_watch(void *at, size_t size)
{
	struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
	size_t i = 0;

	while (i < array_size(mappings) && mappings[i].at)
		i++;
	if (i == array_size(mappings))
		return;
	mappings[i].size = (size + PAGE - 1) / PAGE * PAGE;
	mappings[i].lost = 0;
	mappings[i].at = at;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void mapped_forget(const void *at)
{
	for (size_t i = 0; at && i < array_size(mappings); i++) {
		if (mappings[i].at == at)
			mappings[i].at = NULL;
	}
}

bool mapped_lost(const void *at)
{
	for (size_t i = 0; at && i < array_size(mappings); i++) {
		if (mappings[i].at == at)
			return mappings[i].lost;
	}
	return false;
}
