/*
 * s3_request.h
 *	  One S3 call: made, signed, repeated, and its answer understood.
 *
 * Private to the s3 driver (object_s3.c, s3_multipart.c).
 */
#ifndef ELAC_S3_REQUEST_H
#define ELAC_S3_REQUEST_H

#include "postgres.h"

#include "storage/http.h"
#include "storage/sigv4.h"

/* An opened store of type 's3'; lives in its own memory context. */
typedef struct ElacS3Store
{
	char	   *server;			/* name of the foreign server */
	char	   *bucket;
	char	   *prefix;			/* "" or "a/b/" */
	char	   *origin;			/* "https://host:port" */
	char	   *host;			/* what the Host header says */
	char	   *base_path;		/* "" or "/path", with the bucket if path style */
	char	   *ca_file;		/* or NULL */
	char	   *access_key;
	char	   *secret_key;
	char	   *session_token;	/* or NULL */
	char	   *region;
	ElacSigner	signer;
	int64		clock_offset_s; /* the server's clock minus ours */
} ElacS3Store;

typedef enum ElacS3Outcome
{
	ELAC_S3_PENDING = 0,
	ELAC_S3_OK,
	ELAC_S3_MISSING,			/* no such object; only if missing_ok */
	ELAC_S3_EXISTS,				/* if_absent: there is one already */
	ELAC_S3_MAYBE_OURS,			/* the same, but an earlier attempt may have written it */
	ELAC_S3_NO_UPLOAD			/* the multi-part upload is gone; only if missing_ok */
} ElacS3Outcome;

typedef struct ElacS3Call
{
	/* What to ask. */
	ElacS3Store *s3;
	const char *verb;			/* "read", "write", "examine", "remove", "list" */
	const char *method;
	const char *key;			/* below the prefix; NULL: the bucket */
	const char *query;			/* quoted, sorted; NULL: none */
	const uint8 *body;
	uint64		body_len;
	bool		has_body;
	bool		checksum;		/* send the body's CRC-32C along */
	bool		if_absent;
	bool		missing_ok;
	bool		want_text;		/* keep the answer's body in text */
	uint64		text_max;
	int64		timeout_ms;		/* 0: the usual */
	const char *root;			/* root element that want_text must have, or NULL */
	uint64		range_offset;
	uint64		range_len;		/* > 0: a range, to be read into dst */
	uint8	   *dst;

	/* What came of it. */
	ElacS3Outcome outcome;
	char	   *text;			/* terminated; in the memory context of elac_s3_run's caller */
	uint64		text_len;
	char	   *etag;
	uint64		object_size;	/* of HEAD, and of ranges */

	/* The call's own. */
	bool		clock_corrected;
	char	   *payload_hash;	/* NULL until computed */
	char		crc32c[9];		/* base64 */
	MemoryContext context;
} ElacS3Call;

/* Runs calls as one wave; raises when one of them fails for good. */
extern void elac_s3_run(ElacS3Call *calls, int ncalls, int parallel);

/*
 * Writes data in parts; false when if_absent and the key exists.  An upload
 * that fails is aborted.
 */
extern bool elac_s3_put_parts(ElacS3Store *s3, const char *key, const uint8 *data, uint64 len, bool if_absent);

/* Does the object consist of these bytes? */
extern bool elac_s3_is_equal(ElacS3Store *s3, const char *key, const uint8 *data, uint64 len);

/* The object's size, -1 when it is missing. */
extern int64 elac_s3_object_size(ElacS3Store *s3, const char *key);

#endif							/* ELAC_S3_REQUEST_H */
