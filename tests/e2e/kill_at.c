// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded: this process is killed (SIGKILL) right before its KILL_AT-th
 * rename(), or right behind it with KILL_BEHIND set. Whatever is recorded as
 * done is recorded by a rename, so this visits every state a kill can leave.
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((visibility("default"))) int rename(const char *from, const char *to);

int rename(const char *from, const char *to)
{
	static long n;
	int (*real)(const char *, const char *);
	const char *at = getenv("KILL_AT");
	int r;

	*(void **)(&real) = dlsym(RTLD_NEXT, "rename");
	n++;
	if (at && n == atol(at) && !getenv("KILL_BEHIND"))
		raise(SIGKILL);
	r = real(from, to);
	if (at && n == atol(at))
		raise(SIGKILL);
	return r;
}
