/*
 * object_dir.c
 *	  Stores of type 'dir': the object "a/b" is the file "<path>/a/b".
 *
 * Owns the files below the store's directory.  An object becomes visible
 * whole, by link() or rename() of a temporary file that was synced before; a
 * temporary file's name contains '~', which no key does, so that neither
 * readers nor list() take it for an object.  Only regular files count, and the
 * last component of a path is never followed if it is a symbolic link.
 * Keys were checked by object.c: no empty segment, none that begins with '.'.
 *
 * Files are opened as transient files: the transaction's end closes them
 * whatever happens.  A failed fsync is an error, never a PANIC: the object is
 * written anew under the same name or nobody refers to it.
 */
#include "postgres.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "catalog/pg_foreign_server.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "port.h"
#include "storage/fd.h"
#include "utils/wait_event.h"

#include "storage/object_dir.h"

#define ELAC_DIR_STEP (1024 * 1024) /* bytes between two checks for interrupts */
#define ELAC_DIR_MKDIR_TRIES 10 /* against others who remove empty directories */
#define ELAC_DIR_TEMP_AGE_S (24 * 60 * 60)	/* older temporary files are a crash's */

typedef struct ElacDirStore
{
	char	   *server;
	char	   *path;
} ElacDirStore;

static const char *const elac_dir_options[] = {"type", "path", NULL};

static void
elac_dir_validate(List *options, Oid catalog)
{
	const char *given;
	char	   *path;

	elac_store_check_names(options, elac_dir_options);
	elac_store_require_privilege(elac_store_is_privileged(GetUserId()), NULL, "type \"dir\"");
	given = elac_store_option(options, "path");
	if (given == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"path\" of the store is missing"),
				 errhint("Give the absolute path of a directory on the database server.")));
	path = pstrdup(given);
	canonicalize_path(path);
	if (!is_absolute_path(path) || strstr(given, "..") != NULL || strlen(path) >= MAXPGPATH / 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"path\": \"%s\"", given),
				 errhint("Give the absolute path of a directory on the database server.")));
	if (strcmp(path, "/") == 0 || path_is_prefix_of_path(DataDir, path) || path_is_prefix_of_path(path, DataDir))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"path\": \"%s\"", given),
				 errdetail("The directory of a store cannot contain the data directory or lie in it.")));
}

static void *
elac_dir_open(ElacStoreLogin *login)
{
	ElacDirStore *dir = palloc0(sizeof(ElacDirStore));
	const char *path = elac_store_option(login->server_options, "path");
	struct stat st;

	elac_store_require_privilege(login->privileged, login->server_name, "type \"dir\"");
	login->used_privilege = true;
	dir->server = pstrdup(login->server_name);
	dir->path = pstrdup(path ? path : "");
	canonicalize_path(dir->path);
	if (stat(dir->path, &st) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not access directory \"%s\" of server \"%s\": %m", dir->path, dir->server),
				 errhint("Create the directory, owned by the operating system user that runs the database server.")));
	if (!S_ISDIR(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" of server \"%s\" is not a directory", dir->path, dir->server)));
	return dir;
}

static void
elac_dir_close(void *state)
{
}

static char *
elac_dir_path(ElacDirStore *dir, const char *key)
{
	return psprintf("%s/%s", dir->path, key);
}

static char *
elac_dir_parent(const char *path)
{
	char	   *parent = pstrdup(path);

	get_parent_directory(parent);
	return parent;
}

/* what: "write", "sync" ...; errno is set. */
static void
elac_dir_raise(ElacDirStore *dir, const char *what, const char *path)
{
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not %s file \"%s\" of server \"%s\": %m", what, path, dir->server)));
}

static void
elac_dir_sync(ElacDirStore *dir, const char *path)
{
	int			fd = OpenTransientFile(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		elac_dir_raise(dir, "open", path);
	/* Some file systems cannot sync directories and say so in these ways. */
	if (pg_fsync(fd) != 0 && errno != EBADF && errno != EINVAL)
		elac_dir_raise(dir, "sync", path);
	CloseTransientFile(fd);
}

/* Makes the directories above path that are missing, durably. */
static void
elac_dir_make_parents(ElacDirStore *dir, const char *path)
{
	char	   *parent = elac_dir_parent(path);
	struct stat st;

	if (strlen(parent) <= strlen(dir->path) || stat(parent, &st) == 0)
		return;
	elac_dir_make_parents(dir, parent);
	if (MakePGDirectory(parent) == 0)
		elac_dir_sync(dir, elac_dir_parent(parent));
	else if (errno != EEXIST && errno != ENOENT)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not create directory \"%s\" of server \"%s\": %m", parent, dir->server)));
}

/* Opens a new file next to path; its name is returned in *temp. */
static int
elac_dir_create_temp(ElacDirStore *dir, const char *path, char **temp)
{
	uint64		random;
	int			fd = -1;

	if (!pg_strong_random(&random, sizeof(random)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	*temp = psprintf("%s~%016llx", path, (unsigned long long) random);
	for (int i = 0; i < ELAC_DIR_MKDIR_TRIES; i++)
	{
		elac_dir_make_parents(dir, path);
		fd = OpenTransientFile(*temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
		if (fd >= 0 || errno != ENOENT)
			break;
	}
	if (fd < 0)
		elac_dir_raise(dir, "create", *temp);
	return fd;
}

static void
elac_dir_write(ElacDirStore *dir, int fd, const char *path, const uint8 *data, uint64 len)
{
	while (len > 0)
	{
		size_t		step = Min(len, ELAC_DIR_STEP);
		ssize_t		written;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		written = write(fd, data, step);
		pgstat_report_wait_end();
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
		{
			if (errno == 0)
				errno = ENOSPC;
			elac_dir_raise(dir, "write", path);
		}
		data += written;
		len -= written;
	}
}

/* Gives temp its name; false when if_absent and path exists. */
static bool
elac_dir_publish(ElacDirStore *dir, const char *temp, const char *path, bool if_absent)
{
	if (!if_absent)
	{
		if (rename(temp, path) != 0)
			elac_dir_raise(dir, "create", path);
		return true;
	}
	if (link(temp, path) != 0)
	{
		if (errno == EEXIST)
		{
			unlink(temp);
			return false;
		}
		elac_dir_raise(dir, "create", path);
	}
	unlink(temp);
	return true;
}

static bool
elac_dir_put(void *state, const char *key, const uint8 *data, uint64 len, bool if_absent)
{
	ElacDirStore *dir = state;
	char	   *path = elac_dir_path(dir, key);
	char	   *temp;
	int			fd = elac_dir_create_temp(dir, path, &temp);
	bool		written = false;

	PG_TRY();
	{
		elac_dir_write(dir, fd, temp, data, len);
		if (pg_fsync(fd) != 0)
			elac_dir_raise(dir, "sync", temp);
		if (CloseTransientFile(fd) != 0)
			elac_dir_raise(dir, "close", temp);
		written = elac_dir_publish(dir, temp, path, if_absent);
	}
	PG_CATCH();
	{
		unlink(temp);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (written)
		elac_dir_sync(dir, elac_dir_parent(path));
	return written;
}

/* Opens an object for reading; -1 when it is missing. */
static int
elac_dir_open_object(ElacDirStore *dir, const char *path)
{
	struct stat st;
	int			fd;

	/* O_NONBLOCK: a named pipe must not hang us; it is refused below. */
	fd = OpenTransientFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | PG_BINARY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -1;
	if (fd < 0)
		elac_dir_raise(dir, "open", path);
	if (fstat(fd, &st) != 0)
		elac_dir_raise(dir, "stat", path);
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("\"%s\" of server \"%s\" is not a regular file", path, dir->server)));
	return fd;
}

static void
elac_dir_read(ElacDirStore *dir, int fd, const char *path, const ElacObjectRange *range)
{
	uint64		done = 0;

	while (done < range->len)
	{
		size_t		step = Min(range->len - done, ELAC_DIR_STEP);
		ssize_t		got;

		CHECK_FOR_INTERRUPTS();
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		got = pread(fd, range->dst + done, step, (off_t) (range->offset + done));
		pgstat_report_wait_end();
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			elac_dir_raise(dir, "read", path);
		if (got == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("object \"%s\" of server \"%s\" is shorter than expected", range->key, dir->server),
					 errdetail("It ends at byte " UINT64_FORMAT ", but " UINT64_FORMAT " bytes from " UINT64_FORMAT " were to be read.",
							   range->offset + done, range->len, range->offset)));
		done += got;
	}
}

static void
elac_dir_get(void *state, ElacObjectRange *ranges, int nranges)
{
	ElacDirStore *dir = state;
	const char *key = NULL;		/* the object fd belongs to */
	char	   *path = NULL;
	int			fd = -1;

	for (int i = 0; i < nranges; i++)
	{
		if (ranges[i].len == 0)
			continue;
		if (key == NULL || strcmp(key, ranges[i].key) != 0)
		{
			if (fd >= 0)
				CloseTransientFile(fd);
			key = ranges[i].key;
			path = elac_dir_path(dir, key);
			fd = elac_dir_open_object(dir, path);
			if (fd < 0)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_FILE),
						 errmsg("object \"%s\" of server \"%s\" does not exist", key, dir->server)));
		}
		elac_dir_read(dir, fd, path, &ranges[i]);
	}
	if (fd >= 0)
		CloseTransientFile(fd);
}

static int64
elac_dir_size(void *state, const char *key)
{
	ElacDirStore *dir = state;
	char	   *path = elac_dir_path(dir, key);
	struct stat st;

	if (lstat(path, &st) != 0)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return -1;
		elac_dir_raise(dir, "stat", path);
	}
	return S_ISREG(st.st_mode) ? (int64) st.st_size : -1;
}

/* Removes the file and the directories above it that became empty. */
static void
elac_dir_remove(void *state, const char *key)
{
	ElacDirStore *dir = state;
	char	   *path = elac_dir_path(dir, key);

	if (unlink(path) != 0)
	{
		if (errno == ENOENT || errno == ENOTDIR)
			return;
		elac_dir_raise(dir, "remove", path);
	}
	for (;;)
	{
		get_parent_directory(path);
		if (strlen(path) <= strlen(dir->path) || rmdir(path) != 0)
			break;
	}
}

/*
 * A writer that died left this behind.  Writers sync as they go, so a file
 * whose last change is that old has none.
 */
static void
elac_dir_sweep(const char *path, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && st->st_mtime < time(NULL) - ELAC_DIR_TEMP_AGE_S)
		unlink(path);
}

/* Appends the keys below directory `below` ("" or "a/b/") that match prefix. */
static void
elac_dir_scan(ElacDirStore *dir, const char *below, const char *prefix, List **keys)
{
	char	   *path = elac_dir_path(dir, below);
	DIR		   *handle = AllocateDir(path);
	struct dirent *entry;

	if (handle == NULL && errno == ENOENT)
		return;					/* nothing there, or removed meanwhile */
	while ((entry = ReadDir(handle, path)) != NULL)
	{
		char	   *key = psprintf("%s%s", below, entry->d_name);
		char	   *file;
		struct stat st;
		size_t		common = Min(strlen(key), strlen(prefix));

		CHECK_FOR_INTERRUPTS();
		if (entry->d_name[0] == '.' || strncmp(key, prefix, common) != 0)
			continue;
		file = elac_dir_path(dir, key);
		if (lstat(file, &st) != 0)
			continue;
		if (strchr(entry->d_name, '~') != NULL)
			elac_dir_sweep(file, &st);
		else if (S_ISDIR(st.st_mode))
			elac_dir_scan(dir, psprintf("%s/", key), prefix, keys);
		else if (S_ISREG(st.st_mode) && strlen(key) >= strlen(prefix) && elac_store_key_is_valid(key, false))
			*keys = lappend(*keys, key);
	}
	FreeDir(handle);
}

static int
elac_dir_key_cmp(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static List *
elac_dir_list(void *state, const char *prefix)
{
	List	   *keys = NIL;

	elac_dir_scan(state, "", prefix, &keys);
	list_sort(keys, elac_dir_key_cmp);
	return keys;
}

const ElacStoreDriver elac_object_dir_driver = {
	.type = "dir",
	.validate = elac_dir_validate,
	.open = elac_dir_open,
	.put = elac_dir_put,
	.get = elac_dir_get,
	.size = elac_dir_size,
	.remove = elac_dir_remove,
	.list = elac_dir_list,
	.close = elac_dir_close
};
