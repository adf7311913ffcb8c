/*
 * s3_request.c
 *	  Makes S3 calls, repeats what may succeed later, and raises what will not.
 *
 * Owns the meaning of answers.  A call is one HTTP request; http.c carries it
 * and asks back here before (prepare) and after (judge) every attempt.
 * Messages name server, object, status and the server's own code; whatever
 * the server says is cut, made printable and cleared of secrets first.
 *
 *	transient: no answer, 408 409 429 500 502 503 504 and codes that say so,
 *	           bodies cut short; RequestTimeTooSkewed once, after the clock
 *	           offset was corrected
 *	final:     everything else
 */
#include "postgres.h"

#include <time.h>

#include "lib/stringinfo.h"
#include "utils/memutils.h"

#include "base/checksum.h"
#include "storage/object.h"
#include "storage/s3_request.h"
#include "storage/s3_xml.h"

#define ELAC_S3_SAID_MAX 300	/* characters of a server's message that are passed on */
#define ELAC_S3_BATCH 512		/* calls whose requests are in memory at once */
#define ELAC_S3_EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What a server says in an <Error> document; "" when it says nothing. */
typedef struct ElacS3Error
{
	char	   *code;
	char	   *message;
} ElacS3Error;

/* ---- making a request ---- */

static void
elac_s3_crc32c(const uint8 *data, uint64 len, char text[9])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32		crc = elac_crc32c(0, data, len);
	uint64		bits = (uint64) crc << 16;	/* 48 bits: 8 digits, the last 2 padding */

	for (int i = 0; i < 8; i++)
		text[i] = i < 6 ? digits[(bits >> (42 - 6 * i)) & 63] : '=';
	text[8] = '\0';
}

static void
elac_s3_add_header(ElacSignedHeader *headers, int *n, const char *name, const char *value)
{
	headers[*n].name = name;
	headers[*n].value = value;
	(*n)++;
}

/* Path as sent and signed. */
static char *
elac_s3_path(const ElacS3Call *call)
{
	StringInfoData path;

	initStringInfo(&path);
	elac_sigv4_quote(&path, call->s3->base_path, true);
	appendStringInfoChar(&path, '/');
	if (call->key != NULL)
	{
		elac_sigv4_quote(&path, call->s3->prefix, true);
		elac_sigv4_quote(&path, call->key, true);
	}
	return path.data;
}

static void
elac_s3_prepare(ElacHttpRequest *request)
{
	ElacS3Call *call = request->caller;
	ElacS3Store *s3 = call->s3;
	ElacSignedHeader headers[ELAC_HTTP_MAX_HEADERS];
	ElacSignedRequest signature = {0};
	int			n = 0;
	char		date[ELAC_AMZ_DATE];
	char	   *path = elac_s3_path(call);

	if (call->payload_hash == NULL && call->body_len > 0)
	{
		call->payload_hash = palloc(ELAC_SHA256_HEX);
		elac_sigv4_hash(call->body, call->body_len, call->payload_hash);
		if (call->checksum)
			elac_s3_crc32c(call->body, call->body_len, call->crc32c);
	}
	elac_sigv4_date((pg_time_t) time(NULL) + s3->clock_offset_s, date);

	/* Sorted by name. */
	elac_s3_add_header(headers, &n, "host", s3->host);
	if (call->if_absent)
		elac_s3_add_header(headers, &n, "if-none-match", "*");
	if (call->range_len > 0)
		elac_s3_add_header(headers, &n, "range",
						   psprintf("bytes=" UINT64_FORMAT "-" UINT64_FORMAT,
									call->range_offset, call->range_offset + call->range_len - 1));
	if (call->crc32c[0] != '\0')
		elac_s3_add_header(headers, &n, "x-amz-checksum-crc32c", call->crc32c);
	elac_s3_add_header(headers, &n, "x-amz-content-sha256", call->payload_hash ? call->payload_hash : ELAC_S3_EMPTY_HASH);
	elac_s3_add_header(headers, &n, "x-amz-date", date);
	if (s3->session_token != NULL)
		elac_s3_add_header(headers, &n, "x-amz-security-token", s3->session_token);

	signature.method = call->method;
	signature.path = path;
	signature.query = call->query ? call->query : "";
	signature.headers = headers;
	signature.nheaders = n;
	signature.payload_hash = call->payload_hash ? call->payload_hash : ELAC_S3_EMPTY_HASH;
	signature.amz_date = date;

	for (int i = 0; i < n; i++)
		request->headers[i] = psprintf("%s: %s", headers[i].name, headers[i].value);
	request->headers[n++] = psprintf("authorization: %s", elac_sigv4_authorization(&s3->signer, &signature));
	request->headers[n] = NULL;
	request->method = call->method;
	request->url = psprintf("%s%s%s%s", s3->origin, path, call->query ? "?" : "", call->query ? call->query : "");
	if (request->attempts > 1)
		elac_store_counters.retries++;
}

/* ---- understanding an answer ---- */

/* Replaces every occurrence of secret in text by stars. */
static void
elac_s3_redact(char *text, const char *secret)
{
	size_t		len = secret ? strlen(secret) : 0;

	if (len == 0)
		return;
	for (char *at = strstr(text, secret); at != NULL; at = strstr(at + len, secret))
		memset(at, '*', len);
}

/* text as it may appear in a message; "" for NULL. */
static char *
elac_s3_printable(const ElacS3Store *s3, const char *text)
{
	char	   *copy = pstrdup(text ? text : "");

	for (char *c = copy; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = ' ';
	elac_s3_redact(copy, s3->secret_key);
	elac_s3_redact(copy, s3->session_token);
	if (strlen(copy) > ELAC_S3_SAID_MAX)
		copy[ELAC_S3_SAID_MAX] = '\0';
	return copy;
}

static ElacS3Error
elac_s3_read_error(const ElacS3Call *call, const ElacHttpRequest *request)
{
	ElacS3Error error;

	error.code = elac_s3_printable(call->s3, request->text_len > 0 ? elac_xml_find(request->text, request->text_len, "Error/Code") : NULL);
	error.message = elac_s3_printable(call->s3, request->text_len > 0 ? elac_xml_find(request->text, request->text_len, "Error/Message") : NULL);
	return error;
}

/* What was to be done, for messages: "read object "a/b" of server "s"". */
static char *
elac_s3_deed(const ElacS3Call *call)
{
	if (call->key == NULL)
		return psprintf("%s objects of server \"%s\"", call->verb, call->s3->server);
	return psprintf("%s object \"%s\" of server \"%s\"", call->verb, call->key, call->s3->server);
}

static char *
elac_s3_said(const ElacHttpRequest *request, const ElacS3Error *error)
{
	return psprintf("The server answered %d%s%s%s%s", request->status,
					error->code[0] ? " " : "", error->code,
					error->message[0] ? ": " : ".", error->message);
}

/* No time is left for another attempt, or none can help. */
static void
elac_s3_raise_failure(const ElacS3Call *call, const ElacHttpRequest *request)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg("could not %s", elac_s3_deed(call)),
			 errdetail("%s: %s (attempts: %d).", call->s3->origin,
					   elac_s3_printable(call->s3, request->failure), request->attempts),
			 request->failure_is_final ? 0 :
			 errhint("elacsym.store_timeout is the time that requests are repeated for.")));
}

static void
elac_s3_raise_protocol(const ElacS3Call *call, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROTOCOL_VIOLATION),
			 errmsg("cannot %s", elac_s3_deed(call)),
			 errdetail("%s", detail)));
}

static void
elac_s3_raise_status(const ElacS3Call *call, const ElacHttpRequest *request, const ElacS3Error *error, bool transient)
{
	const ElacS3Store *s3 = call->s3;
	char	   *said = elac_s3_said(request, error);

	if (transient)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not %s", elac_s3_deed(call)),
				 errdetail("%s (attempts: %d)", said, request->attempts),
				 errhint("elacsym.store_timeout is the time that requests are repeated for.")));
	if (strcmp(error->code, "NoSuchBucket") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("bucket \"%s\" of server \"%s\" does not exist", s3->bucket, s3->server),
				 errhint("Create the bucket, or change the option \"bucket\" of the server.")));
	if (request->status == 401 || request->status == 403)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s", elac_s3_deed(call)),
				 errdetail("%s", said),
				 errhint("Check the user mapping, and what its key may do with bucket \"%s\".", s3->bucket)));
	if (request->status == 404 && call->key != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("object \"%s\" of server \"%s\" does not exist", call->key, s3->server),
				 errdetail("%s", said)));
	if (request->status == 416)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" is shorter than expected", call->key, s3->server),
				 errdetail("It ends before byte " UINT64_FORMAT ".", call->range_offset)));
	if (request->status == 501 && call->if_absent)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("server \"%s\" cannot write objects only if absent", s3->server),
				 errdetail("%s", said)));
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("cannot %s", elac_s3_deed(call)),
			 errdetail("%s", said),
			 request->status < 500 ? errhint("Check the options endpoint, region and bucket of the server.") : 0));
}

static bool
elac_s3_is_transient(const ElacHttpRequest *request, const ElacS3Error *error)
{
	static const char *const codes[] = {
		"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestTimeout",
		"InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict"
	};

	for (int i = 0; i < lengthof(codes); i++)
		if (strcmp(error->code, codes[i]) == 0)
			return true;
	switch (request->status)
	{
		case 408:
		case 409:
		case 429:
		case 500:
		case 502:
		case 503:
		case 504:
			return true;
		default:
			return false;
	}
}

/*
 * A 206 must carry the range that was asked for.  False when its body was cut
 * short; raises when it is another range.
 */
static bool
elac_s3_check_range(ElacS3Call *call, const ElacHttpRequest *request)
{
	unsigned long long first;
	unsigned long long last;
	unsigned long long total;
	int			used = 0;

	if (sscanf(request->content_range, "bytes %llu-%llu/%llu%n", &first, &last, &total, &used) != 3 ||
		used == 0 || request->content_range[used] != '\0')
		elac_s3_raise_protocol(call, "The server does not say which range it answers with.");
	if (first != call->range_offset || last >= total || last - first >= call->range_len)
		elac_s3_raise_protocol(call, "The server answered with another range than was asked for.");
	if (last - first + 1 < call->range_len)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("object \"%s\" of server \"%s\" is shorter than expected", call->key, call->s3->server),
				 errdetail("It has %llu bytes, but " UINT64_FORMAT " bytes from " UINT64_FORMAT " were to be read.",
						   total, call->range_len, call->range_offset)));
	if (request->too_long)
		elac_s3_raise_protocol(call, "The server sent more bytes than were asked for.");
	call->object_size = total;
	return request->received == call->range_len;
}

/* The answer's status is the one wanted.  False: try again. */
static bool
elac_s3_accept(ElacS3Call *call, const ElacHttpRequest *request, ElacS3Error *error)
{
	MemoryContext old;

	if (call->range_len > 0 && !elac_s3_check_range(call, request))
		return false;
	if (strcmp(call->method, "HEAD") == 0)
	{
		if (request->content_length < 0)
			elac_s3_raise_protocol(call, "The server does not say how long the object is.");
		call->object_size = (uint64) request->content_length;
	}
	if (call->root != NULL)
	{
		ElacXml		xml;
		bool		rooted = false;

		/* A 200 may carry an error, and a document without a known length may be cut short. */
		elac_xml_begin(&xml, request->text, request->text_len);
		while (elac_xml_next(&xml))
			rooted = xml.depth == 0 && elac_xml_is(&xml, call->root);
		if (xml.bad || !rooted)
		{
			*error = elac_s3_read_error(call, request);
			if (error->code[0] == '\0' && (request->too_long || request->content_length >= 0 || !xml.bad))
				elac_s3_raise_protocol(call, "The server's answer is not the document that was expected.");
			return false;
		}
	}
	old = MemoryContextSwitchTo(call->context);
	if (call->want_text)
	{
		call->text = palloc_extended(request->text_len + 1, MCXT_ALLOC_HUGE);
		memcpy(call->text, request->text, request->text_len);
		call->text[request->text_len] = '\0';
		call->text_len = request->text_len;
	}
	call->etag = pstrdup(request->etag);
	MemoryContextSwitchTo(old);
	call->outcome = ELAC_S3_OK;
	return true;
}

static bool
elac_s3_is_success(const ElacS3Call *call, int status)
{
	if (call->range_len > 0)
		return status == 206;
	if (strcmp(call->method, "DELETE") == 0)
		return status == 204 || status == 200;
	return status == 200;
}

/* Answers that are neither success nor failure; PENDING for others. */
static ElacS3Outcome
elac_s3_classify(const ElacS3Call *call, const ElacHttpRequest *request, const ElacS3Error *error)
{
	if (call->if_absent && request->status == 412)
		return request->attempts > 1 || request->sent_twice ? ELAC_S3_MAYBE_OURS : ELAC_S3_EXISTS;
	if (!call->missing_ok)
		return ELAC_S3_PENDING;
	if (strcmp(error->code, "NoSuchUpload") == 0)
		return ELAC_S3_NO_UPLOAD;
	if (strcmp(error->code, "NoSuchKey") == 0)
		return ELAC_S3_MISSING;
	/* HEAD's answer has no body that says why: elac_s3_object_size() asks again. */
	if (strcmp(call->method, "HEAD") == 0 && request->status < 500 && !elac_s3_is_transient(request, error))
		return ELAC_S3_MISSING;
	return ELAC_S3_PENDING;
}

/* Takes over the server's clock, once for a call. */
static bool
elac_s3_correct_clock(ElacS3Call *call, const ElacHttpRequest *request, const ElacS3Error *error)
{
	if (strcmp(error->code, "RequestTimeTooSkewed") != 0 || call->clock_corrected || request->date == 0)
		return false;
	call->clock_corrected = true;
	call->s3->clock_offset_s = (int64) request->date - (int64) time(NULL);
	return true;
}

static ElacHttpVerdict
elac_s3_judge(ElacHttpRequest *request)
{
	ElacS3Call *call = request->caller;
	ElacS3Error error = {"", ""};
	bool		transient;

	if (request->failure != NULL)
	{
		if (request->failure_is_final || !elac_http_may_retry(request, false))
			elac_s3_raise_failure(call, request);
		return ELAC_HTTP_AGAIN;
	}
	if (elac_s3_is_success(call, request->status))
	{
		if (elac_s3_accept(call, request, &error))
			return ELAC_HTTP_FINISHED;
		transient = error.code[0] == '\0' || elac_s3_is_transient(request, &error);
		if (error.code[0] == '\0')
			error.message = "The body of the answer was cut short.";
	}
	else
	{
		error = elac_s3_read_error(call, request);
		call->outcome = elac_s3_classify(call, request, &error);
		if (call->outcome != ELAC_S3_PENDING)
			return ELAC_HTTP_FINISHED;
		if (elac_s3_correct_clock(call, request, &error) && elac_http_may_retry(request, true))
			return ELAC_HTTP_AGAIN;
		transient = elac_s3_is_transient(request, &error);
	}
	if (transient && elac_http_may_retry(request, false))
		return ELAC_HTTP_AGAIN;
	elac_s3_raise_status(call, request, &error, transient);
	return ELAC_HTTP_FINISHED;	/* not reached */
}

/* ---- running ---- */

static const ElacHttpCaller elac_s3_http_caller = {elac_s3_prepare, elac_s3_judge};

static void
elac_s3_run_batch(ElacS3Call *calls, int ncalls, int parallel)
{
	ElacHttpRequest *requests = palloc0(sizeof(ElacHttpRequest) * ncalls);

	for (int i = 0; i < ncalls; i++)
	{
		ElacS3Call *call = &calls[i];
		ElacHttpRequest *request = &requests[i];

		request->caller = call;
		request->ca_file = call->s3->ca_file;
		request->has_body = call->has_body;
		request->body = call->body;
		request->body_len = call->body_len;
		request->text_max = call->text_max;
		request->timeout_ms = call->timeout_ms;
		if (call->range_len > 0)
		{
			request->dst_status = 206;
			request->dst = call->dst;
			request->dst_len = call->range_len;
		}
	}
	elac_http_run(requests, ncalls, parallel, &elac_s3_http_caller);
}

void
elac_s3_run(ElacS3Call *calls, int ncalls, int parallel)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext batch = AllocSetContextCreate(caller, "elacsym requests", ALLOCSET_DEFAULT_SIZES);

	MemoryContextSwitchTo(batch);
	for (int done = 0; done < ncalls; done += ELAC_S3_BATCH)
	{
		int			n = Min(ncalls - done, ELAC_S3_BATCH);

		for (int i = 0; i < n; i++)
			calls[done + i].context = caller;
		elac_s3_run_batch(calls + done, n, parallel);
		MemoryContextReset(batch);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(batch);
}
