/*
 * s3_multipart.c
 *	  Writes an object in parts.
 *
 * Begin, parts (several at a time), join.  Whatever fails in between, the
 * upload is aborted, so that its parts do not stay and cost; a process that
 * is killed leaves them to the bucket's own rule for incomplete uploads.
 *
 * The join can succeed and its answer be lost: an upload that is gone at a
 * later attempt has been joined if the object is what we wrote.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "storage/s3_request.h"
#include "storage/s3_xml.h"

#define ELAC_PART_MIN (UINT64CONST(16) * 1024 * 1024)
#define ELAC_PART_UNIT (1024 * 1024)
#define ELAC_PARTS_MAX 10000	/* S3's limit */
#define ELAC_PARTS_PARALLEL 4
#define ELAC_PART_ABORT_MS 3000

static char *
elac_multipart_begin(ElacS3Store *s3, const char *key)
{
	ElacS3Call	call = {.s3 = s3,.verb = "write",.method = "POST",.key = key,.query = "uploads="};
	char	   *id;

	call.has_body = true;
	call.root = "InitiateMultipartUploadResult";
	call.want_text = true;
	elac_s3_run(&call, 1, 1);
	id = elac_xml_find(call.text, call.text_len, "InitiateMultipartUploadResult/UploadId");
	if (id == NULL || *id == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("cannot write object \"%s\" of server \"%s\"", key, s3->server),
				 errdetail("The server began an upload in parts without giving it a name.")));
	return id;
}

static char *
elac_multipart_query(const char *id, int part)
{
	StringInfoData query;

	initStringInfo(&query);
	if (part > 0)
		appendStringInfo(&query, "partNumber=%d&", part);
	appendStringInfoString(&query, "uploadId=");
	elac_sigv4_quote(&query, id, false);
	return query.data;
}

static ElacS3Call *
elac_multipart_parts(ElacS3Store *s3, const char *key, const char *id, const uint8 *data, uint64 len, int *nparts)
{
	uint64		part_len = Max(ELAC_PART_MIN, (len / ELAC_PARTS_MAX / ELAC_PART_UNIT + 1) * ELAC_PART_UNIT);
	int			n = (int) ((len + part_len - 1) / part_len);
	ElacS3Call *calls = palloc0(sizeof(ElacS3Call) * n);

	for (int i = 0; i < n; i++)
	{
		uint64		offset = i * part_len;

		calls[i].s3 = s3;
		calls[i].verb = "write";
		calls[i].method = "PUT";
		calls[i].key = key;
		calls[i].query = elac_multipart_query(id, i + 1);
		calls[i].has_body = true;
		calls[i].body = data + offset;
		calls[i].body_len = Min(len - offset, part_len);
	}
	elac_s3_run(calls, n, ELAC_PARTS_PARALLEL);
	*nparts = n;
	return calls;
}

/* Joins the parts; what came of it. */
static ElacS3Outcome
elac_multipart_join(ElacS3Store *s3, const char *key, const char *id, const ElacS3Call *parts, int nparts, bool if_absent)
{
	ElacS3Call	call = {.s3 = s3,.verb = "write",.method = "POST",.key = key};
	StringInfoData body;

	initStringInfo(&body);
	appendStringInfoString(&body, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (int i = 0; i < nparts; i++)
	{
		const char *etag = parts[i].etag;

		/* It goes into XML: nothing that means something there. */
		if (*etag == '\0' || strpbrk(etag, "<>&") != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("cannot write object \"%s\" of server \"%s\"", key, s3->server),
					 errdetail("The server did not name part %d.", i + 1)));
		appendStringInfo(&body, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i + 1, etag);
	}
	appendStringInfoString(&body, "</CompleteMultipartUpload>");

	call.query = elac_multipart_query(id, 0);
	call.has_body = true;
	call.body = (const uint8 *) body.data;
	call.body_len = body.len;
	call.if_absent = if_absent;
	call.missing_ok = true;
	call.root = "CompleteMultipartUploadResult";
	elac_s3_run(&call, 1, 1);
	return call.outcome;
}

/*
 * After an error, which stays the one reported: tries to abort the upload for
 * a few seconds and says nothing about it.
 */
static void
elac_multipart_abort(ElacS3Store *s3, const char *key, const char *id)
{
	MemoryContext context = CurrentMemoryContext;
	ElacS3Call	call = {.s3 = s3,.verb = "write",.method = "DELETE",.key = key};

	HOLD_INTERRUPTS();
	PG_TRY();
	{
		call.query = elac_multipart_query(id, 0);
		call.missing_ok = true;
		call.timeout_ms = ELAC_PART_ABORT_MS;
		elac_s3_run(&call, 1, 1);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	RESUME_INTERRUPTS();
}

bool
elac_s3_put_parts(ElacS3Store *s3, const char *key, const uint8 *data, uint64 len, bool if_absent)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *id;
	volatile ElacS3Outcome outcome = ELAC_S3_PENDING;

	/* For servers that do not look at If-None-Match when parts are joined. */
	if (if_absent && elac_s3_object_size(s3, key) >= 0)
		return false;
	id = elac_multipart_begin(s3, key);
	PG_TRY();
	{
		int			nparts;
		ElacS3Call *parts = elac_multipart_parts(s3, key, id, data, len, &nparts);

		outcome = elac_multipart_join(s3, key, id, parts, nparts, if_absent);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		elac_multipart_abort(s3, key, id);
		ReThrowError(error);
	}
	PG_END_TRY();

	if (outcome == ELAC_S3_OK)
		return true;
	if (outcome == ELAC_S3_EXISTS || outcome == ELAC_S3_MAYBE_OURS)
		elac_multipart_abort(s3, key, id);
	if (outcome != ELAC_S3_EXISTS && elac_s3_is_equal(s3, key, data, len))
		return true;
	if (outcome == ELAC_S3_NO_UPLOAD || outcome == ELAC_S3_MISSING)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not write object \"%s\" of server \"%s\"", key, s3->server),
				 errdetail("The upload vanished before its parts were joined.")));
	return false;
}
