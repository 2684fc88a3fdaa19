// SPDX-License-Identifier: Apache-2.0
/* Several datasets as one table: see datasets.h. */
#include "cli/datasets.h"

#include <sys/stat.h>

static int check_twice(const struct string_list *paths, struct err *e)
{
	struct stat a, b;

	for (size_t i = 0; i < paths->n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (stat(paths->items[i], &a) == 0 && stat(paths->items[k], &b) == 0 &&
			    a.st_dev == b.st_dev && a.st_ino == b.st_ino)
				return err_set(e, -ERR_USAGE,
					       "--dataset %s is named twice: its rows would count "
					       "twice",
					       paths->items[i]);
		}
	}
	return 0;
}

static int append(const char *path, struct table **all, struct err *e)
{
	struct dataset *d;
	struct table *t = NULL;
	int r = dataset_open(path, DATASET_READ, &d, e);

	if (r < 0)
		return r;
	r = dataset_load(d, &t, e);
	dataset_close(d);
	return r < 0 ? r : table_append(all, t, e);
}

int datasets_load(const struct string_list *paths, struct table **ret, struct err *e)
{
	struct table *all = NULL;
	int r = check_twice(paths, e);

	for (size_t i = 0; r == 0 && i < paths->n; i++)
		r = append(paths->items[i], &all, e);
	if (r < 0) {
		table_free(all);
		return r;
	}
	*ret = all;
	return 0;
}
