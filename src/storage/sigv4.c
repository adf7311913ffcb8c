/*
 * sigv4.c
 *	  Signs S3 requests with PostgreSQL's own SHA-256 and HMAC.
 *
 * Pure functions, but for the signing key that a signer keeps for a day.
 * libcurl could sign too; the versions people run sign a request other than
 * the one they send (unsorted query, raw path, no payload hash).
 */
#include "postgres.h"

#include <time.h>

#include "common/cryptohash.h"
#include "common/hmac.h"
#include "miscadmin.h"

#include "storage/sigv4.h"

#define ELAC_HASH_STEP (4 * 1024 * 1024)	/* bytes between two checks for interrupts */

static void
elac_sigv4_hex(const uint8 *digest, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < ELAC_SHA256_BYTES; i++)
	{
		hex[2 * i] = digits[digest[i] >> 4];
		hex[2 * i + 1] = digits[digest[i] & 15];
	}
	hex[2 * ELAC_SHA256_BYTES] = '\0';
}

void
elac_sigv4_hash(const uint8 *data, uint64 len, char hex[ELAC_SHA256_HEX])
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	uint8		digest[ELAC_SHA256_BYTES];
	bool		failed = pg_cryptohash_init(ctx) < 0;

	while (len > 0 && !failed)
	{
		size_t		step = Min(len, ELAC_HASH_STEP);

		CHECK_FOR_INTERRUPTS();
		failed = pg_cryptohash_update(ctx, data, step) < 0;
		data += step;
		len -= step;
	}
	if (failed || pg_cryptohash_final(ctx, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute SHA-256: %s", pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
	elac_sigv4_hex(digest, hex);
}

static void
elac_sigv4_hmac(const uint8 *key, size_t key_len, const char *text, uint8 *digest)
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);

	if (pg_hmac_init(ctx, key, key_len) < 0 ||
		pg_hmac_update(ctx, (const uint8 *) text, strlen(text)) < 0 ||
		pg_hmac_final(ctx, digest, ELAC_SHA256_BYTES) < 0)
		elog(ERROR, "could not compute HMAC: %s", pg_hmac_error(ctx));
	pg_hmac_free(ctx);
}

/* Derives the key of amz_date's day, unless that is the one already there. */
static void
elac_sigv4_renew_key(ElacSigner *signer, const char *amz_date)
{
	char		day[9];
	StringInfoData first;
	uint8		digest[ELAC_SHA256_BYTES];

	strlcpy(day, amz_date, sizeof(day));
	if (strcmp(signer->day, day) == 0)
		return;
	initStringInfo(&first);
	appendStringInfo(&first, "AWS4%s", signer->secret_key);
	elac_sigv4_hmac((const uint8 *) first.data, first.len, day, digest);
	elac_sigv4_hmac(digest, sizeof(digest), signer->region, digest);
	elac_sigv4_hmac(digest, sizeof(digest), signer->service, digest);
	elac_sigv4_hmac(digest, sizeof(digest), "aws4_request", signer->signing_key);
	memset(first.data, 0, first.len);
	pfree(first.data);
	strlcpy(signer->day, day, sizeof(signer->day));
}

/* The canonical request; signed_headers gets the names, joined by ';'. */
static void
elac_sigv4_canonical(const ElacSignedRequest *request, StringInfo canonical, StringInfo signed_headers)
{
	appendStringInfo(canonical, "%s\n%s\n%s\n", request->method, request->path, request->query);
	for (int i = 0; i < request->nheaders; i++)
	{
		const ElacSignedHeader *header = &request->headers[i];

		Assert(i == 0 || strcmp(request->headers[i - 1].name, header->name) < 0);
		appendStringInfo(canonical, "%s:%s\n", header->name, header->value);
		appendStringInfo(signed_headers, "%s%s", i > 0 ? ";" : "", header->name);
	}
	appendStringInfo(canonical, "\n%s\n%s", signed_headers->data, request->payload_hash);
}

char *
elac_sigv4_authorization(ElacSigner *signer, const ElacSignedRequest *request)
{
	StringInfoData canonical;
	StringInfoData signed_headers;
	StringInfoData scope;
	StringInfoData text;
	uint8		digest[ELAC_SHA256_BYTES];
	char		hex[ELAC_SHA256_HEX];

	initStringInfo(&canonical);
	initStringInfo(&signed_headers);
	initStringInfo(&scope);
	initStringInfo(&text);

	elac_sigv4_renew_key(signer, request->amz_date);
	elac_sigv4_canonical(request, &canonical, &signed_headers);
	elac_sigv4_hash((const uint8 *) canonical.data, canonical.len, hex);
	appendStringInfo(&scope, "%s/%s/%s/aws4_request", signer->day, signer->region, signer->service);
	appendStringInfo(&text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", request->amz_date, scope.data, hex);
	elac_sigv4_hmac(signer->signing_key, sizeof(signer->signing_key), text.data, digest);
	elac_sigv4_hex(digest, hex);

	resetStringInfo(&text);
	appendStringInfo(&text, "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s",
					 signer->access_key, scope.data, signed_headers.data, hex);
	pfree(canonical.data);
	pfree(signed_headers.data);
	pfree(scope.data);
	return text.data;
}

void
elac_sigv4_date(pg_time_t seconds, char date[ELAC_AMZ_DATE])
{
	time_t		t = (time_t) seconds;
	struct tm	tm;

	if (gmtime_r(&t, &tm) == NULL || strftime(date, ELAC_AMZ_DATE, "%Y%m%dT%H%M%SZ", &tm) != ELAC_AMZ_DATE - 1)
		elog(ERROR, "could not format the time of a request");
}

void
elac_sigv4_quote(StringInfo out, const char *text, bool keep_slash)
{
	for (const unsigned char *c = (const unsigned char *) text; *c != '\0'; c++)
	{
		if ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			*c == '-' || *c == '.' || *c == '_' || *c == '~' || (*c == '/' && keep_slash))
			appendStringInfoChar(out, *c);
		else
			appendStringInfo(out, "%%%02X", *c);
	}
}
