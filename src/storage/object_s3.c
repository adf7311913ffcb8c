/*
 * object_s3.c
 *	  Stores of type 's3': options, and the driver's calls.
 *
 * The object "a/b" is the key "<prefix>/a/b" of one bucket.  Requests are made
 * and understood in s3_request.c, carried by http.c, signed by sigv4.c; large
 * objects are written in parts by s3_multipart.c.  Nothing here keeps a
 * connection or a lock.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/pg_foreign_server.h"
#include "catalog/pg_user_mapping.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "storage/object_s3.h"
#include "storage/s3_request.h"
#include "storage/s3_xml.h"

#define ELAC_S3_CHUNK (8 * 1024 * 1024)	/* longer ranges are read in pieces, in parallel */
#define ELAC_S3_SINGLE_MAX (UINT64CONST(64) * 1024 * 1024)	/* larger objects are written in parts */
#define ELAC_S3_CONDITIONAL_MAX (UINT64CONST(5) * 1024 * 1024 * 1024) /* S3's limit of one PUT */
#define ELAC_S3_LIST_MAX (8 * 1024 * 1024)	/* bytes of one page of a listing */

static const char *const elac_s3_server_options[] = {
	"type", "endpoint", "bucket", "region", "prefix", "path_style", "ca_file", NULL
};
static const char *const elac_s3_mapping_options[] = {
	"access_key_id", "secret_access_key", "session_token", NULL
};

/* ---- options ---- */

static void
elac_s3_bad_option(const char *name, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 value ? errmsg("invalid value for option \"%s\": \"%s\"", name, value) :
			 errmsg("option \"%s\" of the store is missing", name),
			 errhint("%s", hint)));
}

/* Letters, digits and the bytes in others; at least min of them. */
static bool
elac_s3_is_word(const char *text, const char *others, size_t min, size_t max)
{
	size_t		len = strlen(text);

	for (const char *c = text; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')) &&
			strchr(others, *c) == NULL)
			return false;
	return len >= min && len <= max;
}

static bool
elac_s3_is_amazon(const char *host)
{
	size_t		len = strlen(host);

	return (len > 14 && pg_strcasecmp(host + len - 14, ".amazonaws.com") == 0) ||
		(len > 17 && pg_strcasecmp(host + len - 17, ".amazonaws.com.cn") == 0);
}

/* "a/b" and "a/b/" to "a/b/"; NULL when it cannot be part of keys. */
static char *
elac_s3_prefix(const char *given)
{
	char	   *prefix = pstrdup(given ? given : "");
	size_t		len = strlen(prefix);

	if (len > 0 && prefix[len - 1] == '/')
		prefix[len - 1] = '\0';
	if (prefix[0] == '\0')
		return len > 0 ? NULL : prefix;
	return elac_store_key_is_valid(prefix, false) ? psprintf("%s/", prefix) : NULL;
}

/* Fills in what the server's options say; raises what is wrong with them. */
static void
elac_s3_read_server(List *options, ElacS3Store *s3)
{
	const char *endpoint = elac_store_option(options, "endpoint");
	const char *bucket = elac_store_option(options, "bucket");
	const char *region = elac_store_option(options, "region");
	const char *prefix = elac_store_option(options, "prefix");
	const char *style = elac_store_option(options, "path_style");
	const char *ca_file = elac_store_option(options, "ca_file");
	const char *why;
	bool		path_style;
	ElacHttpUrl url;

	if (region != NULL && !elac_s3_is_word(region, "-_.", 1, 63))
		elac_s3_bad_option("region", region, "A region is a word like us-east-1.");
	s3->region = pstrdup(region ? region : "us-east-1");
	if (endpoint == NULL)
		endpoint = psprintf("https://s3.%s.amazonaws.com", s3->region);
	why = elac_http_parse_url(endpoint, &url);
	if (why != NULL)
		elac_s3_bad_option("endpoint", endpoint, psprintf("%s An endpoint is a URL like https://s3.example.com:9000.", why));
	if (bucket == NULL || !elac_s3_is_word(bucket, "-_.", 3, 255) || strstr(bucket, "..") != NULL || bucket[0] == '.')
		elac_s3_bad_option("bucket", bucket, "Give the name of an existing bucket.");
	s3->prefix = elac_s3_prefix(prefix);
	if (s3->prefix == NULL)
		elac_s3_bad_option("prefix", prefix, "A prefix consists of words of letters, digits and \"._-\" that do not begin with a dot, separated by \"/\".");
	/* Certificates for *.s3.region.amazonaws.com do not cover names with dots. */
	path_style = !elac_s3_is_amazon(url.host) || strchr(bucket, '.') != NULL;
	if (style != NULL && !parse_bool(style, &path_style))
		elac_s3_bad_option("path_style", style, "Give true or false.");
	if (ca_file != NULL && !is_absolute_path(ca_file))
		elac_s3_bad_option("ca_file", ca_file, "Give the absolute path of a file on the database server.");

	s3->bucket = pstrdup(bucket);
	s3->host = path_style ? url.authority : psprintf("%s.%s", bucket, url.authority);
	s3->origin = psprintf("%s://%s", url.scheme, s3->host);
	s3->base_path = path_style ? psprintf("%s/%s", url.path, bucket) : url.path;
	s3->ca_file = ca_file ? pstrdup(ca_file) : NULL;
}

/* Header values: printable, without spaces.  The value is not repeated: it is secret. */
static void
elac_s3_check_credential(List *options, const char *name)
{
	const char *value = elac_store_option(options, name);
	bool		valid = value == NULL || (*value != '\0' && strlen(value) <= 8192);

	for (const char *c = value; c != NULL && *c != '\0'; c++)
		valid = valid && *c > ' ' && *c <= '~';
	if (!valid)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\"", name),
				 errdetail("It must be one word of printable ASCII characters.")));
}

static void
elac_s3_validate(List *options, Oid catalog)
{
	if (catalog == ForeignServerRelationId)
	{
		ElacS3Store s3 = {0};

		elac_store_check_names(options, elac_s3_server_options);
		elac_s3_read_server(options, &s3);
		if (s3.ca_file != NULL)
			elac_store_require_privilege(elac_store_is_privileged(GetUserId()), NULL, "option \"ca_file\"");
		return;
	}
	elac_store_check_names(options, elac_s3_mapping_options);
	for (int i = 0; elac_s3_mapping_options[i] != NULL; i++)
		elac_s3_check_credential(options, elac_s3_mapping_options[i]);
	if ((elac_store_option(options, "access_key_id") == NULL) != (elac_store_option(options, "secret_access_key") == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"access_key_id\" and \"secret_access_key\" need each other")));
}

/* ---- opening ---- */

static char *
elac_s3_copy(const char *text)
{
	return text != NULL && *text != '\0' ? pstrdup(text) : NULL;
}

static void
elac_s3_read_credentials(ElacStoreLogin *login, ElacS3Store *s3)
{
	s3->access_key = elac_s3_copy(elac_store_option(login->mapping_options, "access_key_id"));
	s3->secret_key = elac_s3_copy(elac_store_option(login->mapping_options, "secret_access_key"));
	s3->session_token = elac_s3_copy(elac_store_option(login->mapping_options, "session_token"));
	if (s3->access_key != NULL && s3->secret_key != NULL)
		return;
	if (login->privileged)
	{
		s3->access_key = elac_s3_copy(getenv("AWS_ACCESS_KEY_ID"));
		s3->secret_key = elac_s3_copy(getenv("AWS_SECRET_ACCESS_KEY"));
		s3->session_token = elac_s3_copy(getenv("AWS_SESSION_TOKEN"));
		login->used_privilege = true;
		if (s3->access_key != NULL && s3->secret_key != NULL)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there are no credentials for server \"%s\"", login->server_name),
			 errhint("Use CREATE USER MAPPING FOR the owner of the index SERVER %s OPTIONS (access_key_id '...', secret_access_key '...').",
					 quote_identifier(login->server_name))));
}

static void *
elac_s3_open(ElacStoreLogin *login)
{
	ElacS3Store *s3 = palloc0(sizeof(ElacS3Store));

	s3->server = pstrdup(login->server_name);
	elac_s3_read_server(login->server_options, s3);
	if (s3->ca_file != NULL)
		elac_store_require_privilege(login->files_vetted, login->server_name, "option \"ca_file\"");
	elac_s3_read_credentials(login, s3);
	s3->signer.access_key = s3->access_key;
	s3->signer.secret_key = s3->secret_key;
	s3->signer.region = s3->region;
	s3->signer.service = "s3";
	return s3;
}

static void
elac_s3_close(void *state)
{
	ElacS3Store *s3 = state;

	memset(s3->secret_key, 0, strlen(s3->secret_key));
	memset(&s3->signer, 0, sizeof(s3->signer));
}

/* ---- objects ---- */

static ElacS3Call
elac_s3_call(ElacS3Store *s3, const char *verb, const char *method, const char *key)
{
	ElacS3Call	call = {.s3 = s3,.verb = verb,.method = method,.key = key};

	return call;
}

int64
elac_s3_object_size(ElacS3Store *s3, const char *key)
{
	ElacS3Call	call = elac_s3_call(s3, "examine", "HEAD", key);
	ElacS3Call	again = elac_s3_call(s3, "examine", "GET", key);
	uint8		byte;

	call.missing_ok = true;
	elac_s3_run(&call, 1, 1);
	if (call.outcome == ELAC_S3_OK)
		return (int64) Min(call.object_size, (uint64) PG_INT64_MAX);

	/* HEAD has no body that tells a missing object from a missing bucket. */
	again.missing_ok = true;
	again.range_len = 1;
	again.dst = &byte;
	elac_s3_run(&again, 1, 1);
	return again.outcome == ELAC_S3_OK ? (int64) Min(again.object_size, (uint64) PG_INT64_MAX) : -1;
}

static int64
elac_s3_size(void *state, const char *key)
{
	return elac_s3_object_size(state, key);
}

/* Reads ranges in one wave; long ones in chunks. */
static void
elac_s3_get(void *state, ElacObjectRange *ranges, int nranges)
{
	uint64		ncalls = 0;
	ElacS3Call *calls;
	int			n = 0;

	for (int i = 0; i < nranges; i++)
		ncalls += (ranges[i].len + ELAC_S3_CHUNK - 1) / ELAC_S3_CHUNK;
	if (ncalls == 0)
		return;
	if (ncalls > INT_MAX)
		elog(ERROR, "too many ranges");
	calls = palloc_extended(ncalls * sizeof(ElacS3Call), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nranges; i++)
	{
		for (uint64 done = 0; done < ranges[i].len; done += ELAC_S3_CHUNK)
		{
			ElacS3Call *call = &calls[n++];

			*call = elac_s3_call(state, "read", "GET", ranges[i].key);
			call->range_offset = ranges[i].offset + done;
			call->range_len = Min(ranges[i].len - done, ELAC_S3_CHUNK);
			call->dst = ranges[i].dst + done;
		}
	}
	elac_s3_run(calls, n, ELAC_HTTP_PARALLEL);
	pfree(calls);
}

bool
elac_s3_is_equal(ElacS3Store *s3, const char *key, const uint8 *data, uint64 len)
{
	uint8	   *copy;
	bool		equal = elac_s3_object_size(s3, key) == (int64) len;

	copy = palloc(ELAC_S3_CHUNK);
	for (uint64 done = 0; done < len && equal; done += ELAC_S3_CHUNK)
	{
		ElacObjectRange range = {.key = key,.offset = done,.len = Min(len - done, ELAC_S3_CHUNK),.dst = copy};

		elac_s3_get(s3, &range, 1);
		equal = memcmp(copy, data + done, range.len) == 0;
	}
	pfree(copy);
	return equal;
}

/*
 * Parts make a conditional write less certain on servers that do not honour
 * If-None-Match when the parts are joined: one PUT as long as S3 takes it.
 */
static bool
elac_s3_put(void *state, const char *key, const uint8 *data, uint64 len, bool if_absent)
{
	ElacS3Store *s3 = state;
	ElacS3Call	call = elac_s3_call(s3, "write", "PUT", key);

	if (len > (if_absent ? ELAC_S3_CONDITIONAL_MAX : ELAC_S3_SINGLE_MAX))
		return elac_s3_put_parts(s3, key, data, len, if_absent);
	call.has_body = true;
	call.body = data;
	call.body_len = len;
	call.checksum = true;
	call.if_absent = if_absent;
	elac_s3_run(&call, 1, 1);
	if (call.outcome == ELAC_S3_MAYBE_OURS)
		return elac_s3_is_equal(s3, key, data, len);
	return call.outcome == ELAC_S3_OK;
}

static void
elac_s3_remove(void *state, const char *key)
{
	ElacS3Call	call = elac_s3_call(state, "remove", "DELETE", key);

	call.missing_ok = true;
	elac_s3_run(&call, 1, 1);
}

/* ---- listing ---- */

static int
elac_s3_key_cmp(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * Adds the keys of one page to *keys; returns the token of the next page, or
 * NULL at the end.
 */
static char *
elac_s3_read_page(const ElacS3Call *call, List **keys)
{
	const char *prefix = call->s3->prefix;
	size_t		prefix_len = strlen(prefix);
	bool		truncated = false;
	char	   *token = NULL;
	ElacXml		xml;

	elac_xml_begin(&xml, call->text, call->text_len);
	while (elac_xml_next(&xml))
	{
		if (elac_xml_is(&xml, "ListBucketResult/Contents/Key"))
		{
			char	   *key = elac_xml_text(&xml);

			/* Others may keep objects of other names here: they are not ours. */
			if (key != NULL && strncmp(key, prefix, prefix_len) == 0 && elac_store_key_is_valid(key + prefix_len, false))
				*keys = lappend(*keys, key + prefix_len);
		}
		else if (elac_xml_is(&xml, "ListBucketResult/IsTruncated"))
			truncated = xml.text_len == 4 && pg_strncasecmp(xml.text, "true", 4) == 0;
		else if (elac_xml_is(&xml, "ListBucketResult/NextContinuationToken"))
			token = elac_xml_text(&xml);
	}
	if (truncated && (token == NULL || *token == '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_PROTOCOL_VIOLATION),
				 errmsg("cannot list objects of server \"%s\"", call->s3->server),
				 errdetail("The server says that there are more objects, but not how to go on.")));
	return truncated ? token : NULL;
}

static List *
elac_s3_list(void *state, const char *prefix)
{
	ElacS3Store *s3 = state;
	List	   *keys = NIL;
	char	   *token = NULL;

	do
	{
		ElacS3Call	call = elac_s3_call(s3, "list", "GET", NULL);
		StringInfoData query;
		char	   *next;

		initStringInfo(&query);
		if (token != NULL)
		{
			appendStringInfoString(&query, "continuation-token=");
			elac_sigv4_quote(&query, token, false);
			appendStringInfoChar(&query, '&');
		}
		appendStringInfoString(&query, "list-type=2&max-keys=1000&prefix=");
		elac_sigv4_quote(&query, s3->prefix, false);
		elac_sigv4_quote(&query, prefix, false);
		call.query = query.data;
		call.root = "ListBucketResult";
		call.want_text = true;
		call.text_max = ELAC_S3_LIST_MAX;
		elac_s3_run(&call, 1, 1);
		next = elac_s3_read_page(&call, &keys);
		pfree(call.text);
		if (next != NULL && token != NULL && strcmp(next, token) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_PROTOCOL_VIOLATION),
					 errmsg("cannot list objects of server \"%s\"", s3->server),
					 errdetail("The server's listing does not get any further.")));
		token = next;
	} while (token != NULL);
	list_sort(keys, elac_s3_key_cmp);
	return keys;
}

const ElacStoreDriver elac_object_s3_driver = {
	.type = "s3",
	.validate = elac_s3_validate,
	.open = elac_s3_open,
	.put = elac_s3_put,
	.get = elac_s3_get,
	.size = elac_s3_size,
	.remove = elac_s3_remove,
	.list = elac_s3_list,
	.close = elac_s3_close
};
