/*
 * sigv4.h
 *	  Signatures of S3 requests: AWS Signature Version 4, header form.
 *
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
#ifndef ELAC_SIGV4_H
#define ELAC_SIGV4_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "pgtime.h"

#define ELAC_SHA256_BYTES 32
#define ELAC_SHA256_HEX 65		/* NUL included */
#define ELAC_AMZ_DATE 17		/* "20130524T000000Z", NUL included */

/* Who signs; the strings belong to the caller and outlive this. */
typedef struct ElacSigner
{
	const char *access_key;
	const char *secret_key;
	const char *region;
	const char *service;		/* "s3" */
	char		day[9];			/* the day signing_key is for; "" at first */
	uint8		signing_key[ELAC_SHA256_BYTES];
} ElacSigner;

/* One header that is signed: name in lower case, value without outer spaces. */
typedef struct ElacSignedHeader
{
	const char *name;
	const char *value;
} ElacSignedHeader;

typedef struct ElacSignedRequest
{
	const char *method;
	const char *path;			/* as sent: quoted, begins with '/' */
	const char *query;			/* as sent: name=value, quoted, sorted, joined by '&'; "" for none */
	const ElacSignedHeader *headers;	/* sorted by name; "host" and "x-amz-date" among them */
	int			nheaders;
	const char *payload_hash;	/* SHA-256 of the body in hexadecimal */
	const char *amz_date;
} ElacSignedRequest;

/* The value of the Authorization header; palloc'd. */
extern char *elac_sigv4_authorization(ElacSigner *signer, const ElacSignedRequest *request);

/* SHA-256 of data in hexadecimal; can be interrupted. */
extern void elac_sigv4_hash(const uint8 *data, uint64 len, char hex[ELAC_SHA256_HEX]);

/* The time as x-amz-date wants it. */
extern void elac_sigv4_date(pg_time_t seconds, char date[ELAC_AMZ_DATE]);

/* Appends text with all but unreserved characters (and '/', if kept) as %XX. */
extern void elac_sigv4_quote(StringInfo out, const char *text, bool keep_slash);

#endif							/* ELAC_SIGV4_H */
