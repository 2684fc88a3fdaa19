// SPDX-License-Identifier: Apache-2.0
/*
 * FUSE by libfuse's path interface, one thread: see powercap.h. A read at offset 0
 * is answered anew, as sysfs does, and direct I/O keeps the kernel from
 * remembering any of it.
 */
#define FUSE_USE_VERSION 34
#include "powercap/powercap.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/kernel.h"
#include "powercap/privileges.h"
#include "powercap/tree.h"

#define NAMES_STAY_S 3600 /* nothing comes or goes in this tree */
#define MODES_STAY_S 1
#define SYSFS_SIZE   4096
#define MARKER	     "class/powercap/intel-rapl/vmwatts" /* only a tree of ours has it */

struct mounted {
	const struct powercap_options *options;
	size_t n_nodes;
	struct counter_reader reader;
};

/* An open file: what its last read at offset 0 found. */
struct opened {
	const struct tree_node *node;
	size_t len;
	char text[TREE_TEXT_MAX];
};

static struct mounted *mounted(void)
{
	return fuse_get_context()->private_data;
}

static const struct tree_node *node_at(const char *path)
{
	return tree_find(mounted()->n_nodes, path);
}

static void *on_init(struct fuse_conn_info *connection, struct fuse_config *config)
{
	(void)connection;
	config->entry_timeout = config->negative_timeout = NAMES_STAY_S;
	config->attr_timeout = MODES_STAY_S;
	config->nullpath_ok = 1;
	return mounted();
}

static int on_getattr(const char *path, struct stat *st, struct fuse_file_info *file)
{
	/* Without a path it is an open file that is asked about. */
	const struct tree_node *n =
		path ? node_at(path) : ((struct opened *)(uintptr_t)file->fh)->node;

	if (!n)
		return -ENOENT;
	memset(st, 0, sizeof(*st));
	if (tree_moves(n))
		counter_reader_refresh(&mounted()->reader);
	st->st_mode = tree_mode(n, &mounted()->reader);
	st->st_nlink = n->kind == TREE_DIRECTORY ? 2 : 1;
	st->st_uid = geteuid();
	st->st_gid = getegid();
	st->st_size = n->kind == TREE_DIRECTORY ? 0
		      : n->kind == TREE_LINK	? (off_t)strlen(n->text)
						: SYSFS_SIZE;
	return 0;
}

static int on_readlink(const char *path, char *buf, size_t size)
{
	const struct tree_node *n = node_at(path);

	if (!n || n->kind != TREE_LINK)
		return n ? -EINVAL : -ENOENT;
	snprintf(buf, size, "%s", n->text);
	return 0;
}

static int on_opendir(const char *path, struct fuse_file_info *file)
{
	const struct tree_node *n = node_at(path);

	if (!n || n->kind != TREE_DIRECTORY)
		return n ? -ENOTDIR : -ENOENT;
	file->fh = (uint64_t)(n - tree_nodes);
	return 0;
}

static int on_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
		      struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
	const struct tree_node *n = &tree_nodes[file->fh];

	(void)path;
	(void)offset;
	(void)flags;
	fill(buf, ".", NULL, 0, 0);
	fill(buf, "..", NULL, 0, 0);
	for (size_t i = 0; i < mounted()->n_nodes; i++) {
		const char *name = tree_child(n, &tree_nodes[i]);
		struct stat st = {.st_mode = tree_mode(&tree_nodes[i], &mounted()->reader)};

		if (name)
			fill(buf, name, &st, 0, 0);
	}
	return 0;
}

static int on_open(const char *path, struct fuse_file_info *file)
{
	const struct tree_node *n = node_at(path);
	struct opened *o;

	if (!n)
		return -ENOENT;
	if ((file->flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	o = calloc(1, sizeof(*o));
	if (!o)
		return -ENOMEM;
	o->node = n;
	file->fh = (uint64_t)(uintptr_t)o;
	file->direct_io = 1;
	return 0;
}

static int on_read(const char *path, char *buf, size_t size, off_t offset,
		   struct fuse_file_info *file)
{
	struct opened *o = (struct opened *)(uintptr_t)file->fh;
	struct counter_reader *r = &mounted()->reader;

	(void)path;
	if (offset == 0) {
		if (tree_moves(o->node))
			counter_reader_refresh(r);
		o->len = tree_read(o->node, r, kernel_linux.monotonic_ns(), o->text);
	}
	if (offset < 0 || (size_t)offset >= o->len)
		return 0;
	if (size > o->len - (size_t)offset)
		size = o->len - (size_t)offset;
	memcpy(buf, o->text + offset, size);
	return (int)size;
}

static int on_release(const char *path, struct fuse_file_info *file)
{
	(void)path;
	free((struct opened *)(uintptr_t)file->fh);
	return 0;
}

static const struct fuse_operations operations = {
	.init = on_init,
	.getattr = on_getattr,
	.readlink = on_readlink,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.open = on_open,
	.read = on_read,
	.release = on_release,
};

/*
 * A server that was killed leaves a mount that answers nothing. Opening it says
 * so; what stat() says may still be remembered.
 */
static int prepare(const char *path, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	/* Another mount would hide the first one's, and be hidden by the third's. */
	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC &&
	    faccessat(fd, MARKER, F_OK, 0) == 0)
		return err_set(e, -EBUSY,
			       "%s: a vmwatts powercap serves there already: stop it, or choose "
			       "another --path",
			       path);
	if (fd < 0 && errno == ENOTCONN && umount2(path, MNT_DETACH) < 0)
		return err_set(e, -ENOTCONN,
			       "%s is mounted, and nobody serves it any more: fusermount3 -u %s",
			       path, path);
	return file_make_directories(path, 0755, e);
}

static int serve(struct fuse *fuse, const struct powercap_options *o, struct err *e)
{
	struct fuse_session *session = fuse_get_session(fuse);
	int r;

	if (fuse_mount(fuse, o->path) < 0)
		return err_set(
			e, -EPERM,
			"cannot mount at %s: FUSE needs /dev/fuse and root or fusermount3%s; "
			"--mode files needs neither",
			o->path,
			o->allow_other && geteuid() ? ", and --allow-other user_allow_other "
						      "in /etc/fuse.conf"
						    : "");
	if (fuse_set_signal_handlers(session) < 0)
		r = err_set(e, -EINVAL, "cannot take signals");
	else {
		privileges_drop(true);
		if (o->ready)
			o->ready();
		r = fuse_loop(fuse);
		privileges_unmount();
		/* Above 0: ended by that signal, as it should be. */
		r = r < 0 ? err_set(e, r, "FUSE at %s: %s", o->path, strerror(-r)) : 0;
		fuse_remove_signal_handlers(session);
	}
	fuse_unmount(fuse);
	return r;
}

int powercap_fuse(const struct powercap_options *o, struct err *e)
{
	struct mounted m = {.options = o, .n_nodes = tree_count(o->hwmon)};
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse *fuse;
	int r = prepare(o->path, e);

	if (r < 0)
		return r;
	fuse_opt_add_arg(&args, "vmwatts-powercap");
	fuse_opt_add_arg(&args, o->allow_other ? "-oro,nosuid,nodev,noexec,default_permissions,"
						 "fsname=vmwatts,subtype=powercap,allow_other"
					       : "-oro,nosuid,nodev,noexec,default_permissions,"
						 "fsname=vmwatts,subtype=powercap");
	counter_reader_init(&m.reader, o->page);
	fuse = fuse_new(&args, &operations, sizeof(operations), &m);
	fuse_opt_free_args(&args);
	if (fuse) {
		r = serve(fuse, o, e);
		fuse_destroy(fuse);
	} else {
		r = err_set(e, -EINVAL, "cannot set FUSE up");
	}
	counter_reader_release(&m.reader);
	return r;
}
