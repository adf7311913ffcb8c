/*
 * object.h
 *	  Objects in a store (directory or S3), whatever the store is.
 *
 * An ElacStore is opened from a foreign server for an index's owner, with the
 * owner's user mapping.  A handle stays valid for the life of the process: a
 * cache keyed by server and owner keeps it and its connections, and the next
 * open after a change of the catalogue renews what is behind it.  Keys are
 * relative to the store's prefix: segments of [A-Za-z0-9._-], none of them
 * empty or beginning with a dot, separated by '/', up to ELAC_MAX_KEY bytes.
 *
 * Errors are raised with ereport, classified: transient failures are retried
 * inside until elacsym.store_timeout and then raise
 * ERRCODE_CONNECTION_FAILURE; a missing object raises
 * ERRCODE_UNDEFINED_FILE (elac_retry() is the caller's business on standbys);
 * forbidden ERRCODE_INSUFFICIENT_PRIVILEGE; bytes that are not what was
 * stored ERRCODE_DATA_CORRUPTED.  Messages name server, key, status and what
 * to do, never a secret.  All calls can be interrupted within 100 ms.
 */
#ifndef ELAC_OBJECT_H
#define ELAC_OBJECT_H

#include "elacsym.h"

#include "nodes/pg_list.h"

typedef struct ElacStore ElacStore;

#define ELAC_MAX_KEY 512

/* One range of one object, to be read into dst (len bytes). */
typedef struct ElacObjectRange
{
	const char *key;
	uint64		offset;
	uint64		len;
	uint8	   *dst;
} ElacObjectRange;

/* What a driver is given to open a store; lists are of DefElem. */
typedef struct ElacStoreLogin
{
	const char *server_name;
	List	   *server_options;
	List	   *mapping_options;	/* of the owner's user mapping, else PUBLIC's, else NIL */
	bool		privileged;		/* owner may use the server's files and environment */
	bool		files_vetted;	/* so may the server's owner: its file options are trusted */
	bool		used_privilege; /* out: opened only because owner is privileged */
} ElacStoreLogin;

/*
 * What a store type implements.  All functions may raise; validate gets the
 * options of one catalogue (server or user mapping) as a List of DefElem.
 * open allocates its state in CurrentMemoryContext; close releases what is not
 * memory.
 */
typedef struct ElacStoreDriver
{
	const char *type;			/* 'dir', 's3' */
	void		(*validate) (List *options, Oid catalog);
	void	   *(*open) (ElacStoreLogin *login);
	bool		(*put) (void *state, const char *key, const uint8 *data, uint64 len, bool if_absent);	/* false: it exists already */
	void		(*get) (void *state, ElacObjectRange *ranges, int nranges);	/* one wave, in parallel */
	int64		(*size) (void *state, const char *key);	/* -1 when missing */
	void		(*remove) (void *state, const char *key);	/* missing is no error */
	List	   *(*list) (void *state, const char *prefix);	/* of char *, keys, sorted */
	void		(*close) (void *state);
} ElacStoreDriver;

extern void elac_store_register(const ElacStoreDriver *driver);
extern const ElacStoreDriver *elac_store_driver(const char *type);	/* NULL when unknown */

/*
 * For drivers: raises unless every option's name is in names (NULL at the
 * end), with a hint that lists them; the value of one option, or NULL.
 */
extern void elac_store_check_names(List *options, const char *const *names);
extern const char *elac_store_option(List *options, const char *name);

/* Raises unless role may use files and environment of the server's machine. */
extern bool elac_store_is_privileged(Oid role);
extern void elac_store_require_privilege(bool privileged, const char *server_name, const char *what);

/*
 * Checks the options of a server or user mapping of the foreign data wrapper
 * elacsym_store as the current user gave them (store_validator.c).
 */
extern void elac_store_validate(List *options, Oid catalog);

/*
 * Opens the store behind a foreign server for owner.  Checks that the owner
 * has USAGE, that type 'dir' and ambient credentials are used only by a
 * superuser or a member of pg_write_server_files, and reads the store's
 * UUID from the object "elacsym-store", which it creates (if_absent) the
 * first time when create is true.
 */
extern ElacStore *elac_store_open(Oid server, Oid owner, bool create);

/* The same without the UUID, whose use is an error then: for checks. */
extern ElacStore *elac_store_connect(Oid server, Oid owner);

/* Raises unless server is an elacsym store. */
extern void elac_store_check_server(Oid server);

/* Raises unless server is an elacsym store that owner may use. */
extern void elac_store_check_access(Oid server, Oid owner);
extern const uint8 *elac_store_uuid(ElacStore *store);	/* 16 bytes */
extern const char *elac_store_name(ElacStore *store);	/* the server's name */

/*
 * Keys reach file names and URLs: they hold only what needs no quoting
 * anywhere.  A prefix may be empty and end in the middle of a segment.
 */
extern bool elac_store_key_is_valid(const char *key, bool prefix);

/*
 * put with if_absent raises ERRCODE_DUPLICATE_FILE when the key exists; create
 * returns false then.
 */
extern void elac_store_put(ElacStore *store, const char *key, const uint8 *data, uint64 len, bool if_absent);
extern bool elac_store_create(ElacStore *store, const char *key, const uint8 *data, uint64 len);
extern void elac_store_get(ElacStore *store, ElacObjectRange *ranges, int nranges);
extern int64 elac_store_size(ElacStore *store, const char *key);
extern void elac_store_remove(ElacStore *store, const char *key);
extern List *elac_store_list(ElacStore *store, const char *prefix);

/* Requests made by this process since it started, for EXPLAIN and tests. */
typedef struct ElacStoreCounters
{
	uint64		gets;
	uint64		get_bytes;
	uint64		waves;
	uint64		puts;
	uint64		put_bytes;
	uint64		retries;
} ElacStoreCounters;

extern ElacStoreCounters elac_store_counters;

extern void elac_object_init(void);	/* registers the drivers of this folder */

#endif							/* ELAC_OBJECT_H */
