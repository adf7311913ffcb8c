/*
 * http.c
 *	  The loop around libcurl.
 *
 * Owns the process's CURLM with its connections and up to ELAC_HTTP_PARALLEL
 * slots (easy handles), made at first use: after the fork, never in the
 * postmaster.  Nothing of PostgreSQL runs inside libcurl: callbacks only copy
 * bytes into memory that is there already, and signals are blocked while
 * libcurl runs, so that neither its resolver threads (they inherit the mask)
 * nor a signal handler meets the other.  The loop waits 50 ms at most before
 * it looks for interrupts.  Callers hold no lightweight lock.
 *
 *	waiting --start--> running --collect/expire--> judged --FINISHED--> finished
 *	   ^                                              |
 *	   +-------------------- AGAIN -------------------+
 */
#include "postgres.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/wait_event.h"

#include "guc.h"
#include "storage/http.h"

#define ELAC_HTTP_SLICE_MS 50	/* longest wait between checks for interrupts */
#define ELAC_HTTP_BYTES_PER_MS 1000	/* slowest transfer that is given time to finish */
#define ELAC_HTTP_STALL_PART 3	/* an attempt may stand still for this part of the timeout */
#define ELAC_HTTP_STALL_MIN_MS 200
#define ELAC_HTTP_PAUSE_MS 50	/* upper bound of the first pause before a retry */
#define ELAC_HTTP_PAUSE_MAX_MS 5000

/* One easy handle and the attempt it is making. */
typedef struct ElacHttpSlot
{
	CURL	   *easy;			/* NULL until first used */
	ElacHttpRequest *request;	/* NULL when idle */
	struct curl_slist *headers;
	char	   *text;			/* malloc'd */
	uint64		text_size;
	uint64		body_sent;
	int64		moved;			/* bytes up and down when last looked */
	int64		moved_ms;		/* when that changed last */
	char		error[CURL_ERROR_SIZE];
} ElacHttpSlot;

static CURLM *elac_http_multi = NULL;
static ElacHttpSlot elac_http_slots[ELAC_HTTP_PARALLEL];
static int	elac_http_active = 0;	/* slots that have a request */

static int64
elac_http_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- libcurl without signals ---- */

static void
elac_http_block_signals(sigset_t *saved)
{
	sigset_t	block;

	sigfillset(&block);
	sigdelset(&block, SIGSEGV);
	sigdelset(&block, SIGBUS);
	sigdelset(&block, SIGILL);
	sigdelset(&block, SIGFPE);
	sigdelset(&block, SIGABRT);
	sigdelset(&block, SIGTRAP);
	pthread_sigmask(SIG_SETMASK, &block, saved);
}

static void
elac_http_restore_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

static void
elac_http_global_init(void)
{
	sigset_t	saved;
	bool		failed;

	if (elac_http_multi != NULL)
		return;
	elac_http_block_signals(&saved);
	failed = curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK;
	if (!failed)
		elac_http_multi = curl_multi_init();
	elac_http_restore_signals(&saved);
	if (failed || elac_http_multi == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not initialize libcurl")));
	curl_multi_setopt(elac_http_multi, CURLMOPT_MAXCONNECTS, (long) ELAC_HTTP_PARALLEL);
	curl_multi_setopt(elac_http_multi, CURLMOPT_PIPELINING, (long) CURLPIPE_NOTHING);
}

/* ---- callbacks: nothing here may raise ---- */

static size_t
elac_http_on_body(char *data, size_t size, size_t count, void *arg)
{
	ElacHttpSlot *slot = arg;
	ElacHttpRequest *request = slot->request;
	uint64		len = (uint64) size * count;

	if (request->dst_status != 0 && request->status == request->dst_status)
	{
		if (len > request->dst_len - request->received)
		{
			request->too_long = true;
			return 0;			/* ends the transfer */
		}
		memcpy(request->dst + request->received, data, len);
		request->received += len;
		return len;
	}
	if (len > slot->text_size - request->text_len)
	{
		request->too_long = true;
		len = slot->text_size - request->text_len;
	}
	memcpy(slot->text + request->text_len, data, len);
	request->text_len += len;
	return (size_t) size * count;
}

static bool
elac_http_header_is(const char *line, size_t len, const char *name, const char **value, size_t *value_len)
{
	size_t		name_len = strlen(name);

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return false;
	line += name_len + 1;
	len -= name_len + 1;
	while (len > 0 && (*line == ' ' || *line == '\t'))
		line++, len--;
	while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == '\n' || line[len - 1] == ' '))
		len--;
	*value = line;
	*value_len = len;
	return true;
}

static void
elac_http_keep(char *dst, size_t size, const char *value, size_t len)
{
	/* What does not fit is of no use to anybody: keep nothing. */
	if (len >= size)
		len = 0;
	memcpy(dst, value, len);
	dst[len] = '\0';
}

static size_t
elac_http_on_header(char *line, size_t size, size_t count, void *arg)
{
	ElacHttpRequest *request = ((ElacHttpSlot *) arg)->request;
	size_t		len = size * count;
	const char *value;
	size_t		value_len;
	char		buffer[64];

	if (len > 12 && strncmp(line, "HTTP/", 5) == 0)
	{
		const char *space = memchr(line, ' ', len);

		/* Also after "100 Continue": what came before belongs to that. */
		request->status = space != NULL && line + len - space > 4 ? (int) strtol(space + 1, NULL, 10) : 0;
		request->etag[0] = '\0';
		request->content_range[0] = '\0';
		request->content_length = -1;
		request->date = 0;
	}
	else if (elac_http_header_is(line, len, "etag", &value, &value_len))
		elac_http_keep(request->etag, sizeof(request->etag), value, value_len);
	else if (elac_http_header_is(line, len, "content-range", &value, &value_len))
		elac_http_keep(request->content_range, sizeof(request->content_range), value, value_len);
	else if (elac_http_header_is(line, len, "date", &value, &value_len))
	{
		time_t		date;

		elac_http_keep(buffer, sizeof(buffer), value, value_len);
		date = curl_getdate(buffer, NULL);
		request->date = date > 0 ? (pg_time_t) date : 0;
	}
	else if (elac_http_header_is(line, len, "content-length", &value, &value_len))
	{
		elac_http_keep(buffer, sizeof(buffer), value, value_len);
		request->content_length = buffer[0] != '\0' && strspn(buffer, "0123456789") == strlen(buffer) && strlen(buffer) < 19 ?
			(int64) strtoll(buffer, NULL, 10) : -1;
	}
	return len;
}

static size_t
elac_http_on_read(char *buffer, size_t size, size_t count, void *arg)
{
	ElacHttpSlot *slot = arg;
	uint64		room = (uint64) size * count;
	uint64		len = Min(room, slot->request->body_len - slot->body_sent);

	if (len > 0)
		memcpy(buffer, slot->request->body + slot->body_sent, len);
	slot->body_sent += len;
	return (size_t) len;
}

static int
elac_http_on_seek(void *arg, curl_off_t offset, int origin)
{
	ElacHttpSlot *slot = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64) offset > slot->request->body_len)
		return CURL_SEEKFUNC_CANTSEEK;
	if (slot->body_sent > 0)
		slot->request->sent_twice = true;
	slot->body_sent = (uint64) offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- one attempt ---- */

static void
elac_http_setup_connection(ElacHttpSlot *slot)
{
	CURL	   *easy = slot->easy;
	ElacHttpRequest *request = slot->request;

	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");	/* not even from the environment */
	curl_easy_setopt(easy, CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long) (CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* An interrupted request does not wait for its resolver thread. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (request->ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "elacsym");
	/* What failed once gets a connection of its own. */
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request->attempts > 1 ? 1L : 0L);
}

static void
elac_http_setup_request(ElacHttpSlot *slot)
{
	CURL	   *easy = slot->easy;
	ElacHttpRequest *request = slot->request;

	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->error);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, slot->headers);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, elac_http_on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, elac_http_on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
	if (request->has_body)
	{
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, elac_http_on_read);
		curl_easy_setopt(easy, CURLOPT_READDATA, slot);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, elac_http_on_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, slot);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t) request->body_len);
	}
	if (strcmp(request->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Forgets the last attempt's outcome. */
static void
elac_http_reset_outcome(ElacHttpRequest *request)
{
	request->status = 0;
	request->failure = NULL;
	request->failure_is_final = false;
	/* Without a body there is no rewinding that would tell. */
	request->sent_twice = request->has_body && request->body_len == 0;
	request->too_long = false;
	request->received = 0;
	request->text = NULL;
	request->text_len = 0;
	request->content_length = -1;
	request->date = 0;
	request->etag[0] = '\0';
	request->content_range[0] = '\0';
}

/* Room for the text of an answer and the list of headers; raises. */
static void
elac_http_reserve(ElacHttpSlot *slot, ElacHttpRequest *request)
{
	uint64		text_size = request->text_max > 0 ? request->text_max : ELAC_HTTP_TEXT;
	bool		failed = false;

	if (slot->easy == NULL)
		failed = (slot->easy = curl_easy_init()) == NULL;
	if (slot->text_size != text_size)
	{
		free(slot->text);
		slot->text = malloc(text_size);
		slot->text_size = slot->text ? text_size : 0;
		failed = failed || slot->text == NULL;
	}
	for (int i = 0; i < ELAC_HTTP_MAX_HEADERS && request->headers[i] != NULL && !failed; i++)
	{
		struct curl_slist *longer = curl_slist_append(slot->headers, request->headers[i]);

		if (longer == NULL)
			failed = true;
		else
			slot->headers = longer;
	}
	if (failed)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("libcurl needs memory for a request.")));
}

/* Takes slot's request away from libcurl and leaves the slot idle. */
static void
elac_http_release(ElacHttpSlot *slot)
{
	sigset_t	saved;

	elac_http_block_signals(&saved);
	if (slot->request != NULL)
	{
		curl_multi_remove_handle(elac_http_multi, slot->easy);
		elac_http_active--;
		slot->request->running = false;
		slot->request = NULL;
	}
	if (slot->easy != NULL)
		curl_easy_reset(slot->easy);
	curl_slist_free_all(slot->headers);
	slot->headers = NULL;
	elac_http_restore_signals(&saved);
}

static void
elac_http_start(ElacHttpSlot *slot, ElacHttpRequest *request, const ElacHttpCaller *caller)
{
	int64		now = elac_http_now_ms();
	sigset_t	saved;
	CURLMcode	code;

	if (request->attempts == 0)
	{
		int64		bytes = (int64) Max(request->body_len, request->dst_len);

		request->deadline_ms = now + (request->timeout_ms > 0 ? request->timeout_ms :
									  elac_guc_store_timeout_ms + bytes / ELAC_HTTP_BYTES_PER_MS);
	}
	request->attempts++;
	elac_http_reset_outcome(request);
	caller->prepare(request);
	elac_http_reserve(slot, request);

	slot->error[0] = '\0';
	slot->body_sent = 0;
	slot->moved = 0;
	slot->moved_ms = now;
	slot->request = request;
	request->running = true;
	elac_http_active++;
	elac_http_block_signals(&saved);
	elac_http_setup_connection(slot);
	elac_http_setup_request(slot);
	code = curl_multi_add_handle(elac_http_multi, slot->easy);
	elac_http_restore_signals(&saved);
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not start a request: %s", curl_multi_strerror(code))));
}

/* Failures that another attempt, on a connection of its own, may not meet. */
static bool
elac_http_is_transient(CURLcode code)
{
	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_CONNECT:
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_PARTIAL_FILE:
		case CURLE_OPERATION_TIMEDOUT:
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_SEND_ERROR:
		case CURLE_RECV_ERROR:
		case CURLE_AGAIN:
			return true;
		default:
			return false;
	}
}

/* The attempt in slot ended: asks the caller what that means. */
static void
elac_http_conclude(ElacHttpSlot *slot, CURLcode code, const char *failure, const ElacHttpCaller *caller)
{
	ElacHttpRequest *request = slot->request;

	if (code != CURLE_OK && !(code == CURLE_WRITE_ERROR && request->too_long))
	{
		request->failure = pstrdup(failure ? failure : slot->error[0] ? slot->error : curl_easy_strerror(code));
		request->failure_is_final = !elac_http_is_transient(code);
	}
	request->text = slot->text;
	elac_http_release(slot);
	request->finished = caller->judge(request) == ELAC_HTTP_FINISHED;
	request->text = NULL;
}

static void
elac_http_collect(const ElacHttpCaller *caller)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(elac_http_multi, &left)) != NULL)
	{
		ElacHttpSlot *slot = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &slot);
		elac_http_conclude(slot, message->data.result, NULL, caller);
	}
}

/* Ends attempts that are past their deadline, or where nothing moves. */
static void
elac_http_expire(const ElacHttpCaller *caller)
{
	int64		now = elac_http_now_ms();

	for (int i = 0; i < ELAC_HTTP_PARALLEL; i++)
	{
		ElacHttpSlot *slot = &elac_http_slots[i];
		curl_off_t	up = 0;
		curl_off_t	down = 0;
		int64		stall = Max(elac_guc_store_timeout_ms / ELAC_HTTP_STALL_PART, ELAC_HTTP_STALL_MIN_MS);

		if (slot->request == NULL)
			continue;
		curl_easy_getinfo(slot->easy, CURLINFO_SIZE_UPLOAD_T, &up);
		curl_easy_getinfo(slot->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
		if (slot->moved != up + down)
		{
			slot->moved = up + down;
			slot->moved_ms = now;
		}
		if (now >= slot->request->deadline_ms)
			elac_http_conclude(slot, CURLE_OPERATION_TIMEDOUT, "timed out", caller);
		else if (now - slot->moved_ms >= stall)
			elac_http_conclude(slot, CURLE_OPERATION_TIMEDOUT, "no bytes moved for too long", caller);
	}
}

/* ---- the wave ---- */

/* Gives idle slots to requests whose time has come; false when none is left. */
static bool
elac_http_start_due(ElacHttpRequest *requests, int nrequests, int parallel, int *first, const ElacHttpCaller *caller)
{
	int64		now = elac_http_now_ms();
	int			slot = 0;

	while (*first < nrequests && requests[*first].finished)
		(*first)++;
	for (int i = *first; i < nrequests && elac_http_active < parallel; i++)
	{
		if (requests[i].finished || requests[i].running || requests[i].not_before_ms > now)
			continue;
		while (elac_http_slots[slot].request != NULL)
			slot++;
		elac_http_start(&elac_http_slots[slot], &requests[i], caller);
	}
	return *first < nrequests;
}

static void
elac_http_turn(const ElacHttpCaller *caller)
{
	sigset_t	saved;
	int			running;
	CURLMcode	code;

	elac_http_block_signals(&saved);
	code = curl_multi_perform(elac_http_multi, &running);
	if (code == CURLM_OK && running == elac_http_active)
	{
		/* Nothing ended: wait for bytes, for a while. */
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		code = curl_multi_poll(elac_http_multi, NULL, 0, ELAC_HTTP_SLICE_MS, NULL);
		pgstat_report_wait_end();
	}
	elac_http_restore_signals(&saved);
	if (code != CURLM_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("could not go on with a request: %s", curl_multi_strerror(code))));
	CHECK_FOR_INTERRUPTS();
	elac_http_collect(caller);
	elac_http_expire(caller);
}

void
elac_http_run(ElacHttpRequest *requests, int nrequests, int parallel, const ElacHttpCaller *caller)
{
	int			first = 0;

	Assert(parallel > 0 && parallel <= ELAC_HTTP_PARALLEL);
	if (elac_http_active > 0)
		elog(ERROR, "a wave of requests is already under way");
	elac_http_global_init();
	PG_TRY();
	{
		while (elac_http_start_due(requests, nrequests, parallel, &first, caller))
			elac_http_turn(caller);
	}
	PG_CATCH();
	{
		for (int i = 0; i < ELAC_HTTP_PARALLEL; i++)
			elac_http_release(&elac_http_slots[i]);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

bool
elac_http_may_retry(ElacHttpRequest *request, bool at_once)
{
	int64		now = elac_http_now_ms();
	int64		bound = ELAC_HTTP_PAUSE_MS;
	int64		pause;

	for (int i = 1; i < request->attempts && bound < ELAC_HTTP_PAUSE_MAX_MS; i++)
		bound *= 2;
	bound = Min(bound, ELAC_HTTP_PAUSE_MAX_MS);
	pause = at_once ? 0 : (int64) (pg_prng_double(&pg_global_prng_state) * bound) + 1;
	if (now + pause >= request->deadline_ms)
		return false;
	request->not_before_ms = now + pause;
	return true;
}

/* ---- URLs ---- */

static bool
elac_http_parse_port(const char *text, size_t len, int *port)
{
	*port = 0;
	for (size_t i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9' || len > 5)
			return false;
		*port = *port * 10 + (text[i] - '0');
	}
	return *port > 0 && *port <= 65535;
}

const char *
elac_http_parse_url(const char *text, ElacHttpUrl *url)
{
	static const char host_bytes[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
	bool		tls = pg_strncasecmp(text, "https://", 8) == 0;
	const char *host = text + (tls ? 8 : 7);
	const char *end;
	const char *path;
	int			port = 0;

	if (!tls && pg_strncasecmp(text, "http://", 7) != 0)
		return "It must begin with http:// or https://.";
	if (*host == '[')
	{
		size_t		len = strspn(host + 1, "0123456789abcdefABCDEF:.");

		if (len < 2 || host[len + 1] != ']')
			return "Its IPv6 address is malformed.";
		end = host + len + 2;
	}
	else
		end = host + strspn(host, host_bytes);
	if (end == host)
		return "It has no host name.";
	path = end + strcspn(end, "/");
	if (*end == ':' && !elac_http_parse_port(end + 1, path - end - 1, &port))
		return "Its port number is malformed.";
	if (*end != ':' && end != path)
		return "Its host name is malformed.";
	for (const char *c = path; *c != '\0'; c++)
		if (strchr(host_bytes, *c) == NULL && *c != '/' && *c != '_')
			return "Its path has characters other than letters, digits, \"/\", \".\", \"-\" and \"_\".";
	if (strstr(path, "/.") != NULL)
		return "Its path has a segment that begins with a dot.";

	url->scheme = pstrdup(tls ? "https" : "http");
	url->host = pnstrdup(host, end - host);
	url->authority = port == 0 || port == (tls ? 443 : 80) ? pstrdup(url->host) :
		psprintf("%s:%d", url->host, port);
	url->path = pstrdup(path);
	for (size_t len = strlen(url->path); len > 0 && url->path[len - 1] == '/'; len--)
		url->path[len - 1] = '\0';
	return NULL;
}
