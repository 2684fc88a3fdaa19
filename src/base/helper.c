// SPDX-License-Identifier: Apache-2.0
/* See helper.h. */
#include "base/helper.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool helper_find(const char *name, char *path)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n > 0) {
		self[n] = 0;
		slash = strrchr(self, '/');
		if (snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - self), self, name) <
			    PATH_MAX &&
		    access(path, X_OK) == 0)
			return true;
	}
	return snprintf(path, PATH_MAX, "%s/%s", VMWATTS_LIBEXECDIR, name) < PATH_MAX &&
	       access(path, X_OK) == 0;
}
