/*
 * http.h
 *	  HTTP requests of one process, many at once: libcurl behind a loop that
 *	  can be interrupted.
 *
 * A wave is a set of requests that wait for nothing but their own answers.
 * The caller says how a request is made (prepare, before every attempt) and
 * what an answer means (judge, after it); both run outside libcurl and may
 * raise, which ends the wave and leaves nothing behind.
 */
#ifndef ELAC_HTTP_H
#define ELAC_HTTP_H

#include "postgres.h"

#include "pgtime.h"

#define ELAC_HTTP_PARALLEL 16	/* connections of a process, to all servers */
#define ELAC_HTTP_TEXT (16 * 1024)	/* bytes kept of an answer that is text */
#define ELAC_HTTP_MAX_HEADERS 12

typedef struct ElacHttpRequest
{
	/* What to ask: set by prepare. */
	const char *method;
	const char *url;
	const char *headers[ELAC_HTTP_MAX_HEADERS]; /* "name: value", NULL at the end */
	const uint8 *body;
	uint64		body_len;
	bool		has_body;		/* PUT, POST: send a body, if only an empty one */
	const char *ca_file;		/* NULL: the system's */

	/* Where a body with status dst_status goes; others are kept as text. */
	int			dst_status;		/* 0: none */
	uint8	   *dst;
	uint64		dst_len;
	uint64		text_max;		/* 0 means ELAC_HTTP_TEXT */
	int64		timeout_ms;		/* of all attempts; 0: elacsym.store_timeout and time to move the bytes */
	void	   *caller;			/* the caller's own */

	/* What came of the last attempt. */
	int			status;			/* 0 when there was no answer */
	const char *failure;		/* why the attempt failed although the server may have answered, or NULL */
	bool		failure_is_final;	/* another attempt cannot help */
	bool		sent_twice;		/* libcurl itself repeated it: a kept connection was dead */
	bool		too_long;		/* the body had more bytes than there was room for */
	uint64		received;		/* bytes in dst */
	const char *text;			/* valid during judge, not terminated */
	uint64		text_len;
	int64		content_length; /* -1 when not given */
	pg_time_t	date;			/* of the Date header, 0 when not given */
	char		etag[256];		/* "" when not given */
	char		content_range[128];

	/* The loop's own. */
	int			attempts;		/* made so far, this one included */
	bool		running;
	bool		finished;
	int64		deadline_ms;
	int64		not_before_ms;
} ElacHttpRequest;

/* Why judge wants what happens next. */
typedef enum ElacHttpVerdict
{
	ELAC_HTTP_FINISHED,
	ELAC_HTTP_AGAIN				/* after elac_http_may_retry() said yes */
} ElacHttpVerdict;

typedef struct ElacHttpCaller
{
	void		(*prepare) (ElacHttpRequest *request);
	ElacHttpVerdict (*judge) (ElacHttpRequest *request);
} ElacHttpCaller;

/* Runs a wave, parallel requests at a time (at most ELAC_HTTP_PARALLEL). */
extern void elac_http_run(ElacHttpRequest *requests, int nrequests, int parallel, const ElacHttpCaller *caller);

/*
 * For judge: whether there is time for another attempt; sets the pause before
 * it (exponential, full jitter).  at_once: without a pause.
 */
extern bool elac_http_may_retry(ElacHttpRequest *request, bool at_once);

/* An absolute URL's parts; palloc'd. */
typedef struct ElacHttpUrl
{
	char	   *scheme;			/* "http" or "https" */
	char	   *host;			/* without port */
	char	   *authority;		/* host, and port where it is not the scheme's */
	char	   *path;			/* "" or "/a/b", no slash at the end */
} ElacHttpUrl;

/* NULL, or why text is no URL of a server. */
extern const char *elac_http_parse_url(const char *text, ElacHttpUrl *url);

#endif							/* ELAC_HTTP_H */
