/*
 * token_parser.c
 *	  Cuts a text into tokens as the server's default parser does, and hands
 *	  them to the dictionaries through the cache.
 *
 * Owns the rules of the fast path, and the classes of characters that it
 * learns from the server's parser.  Anything but plain words, plain numbers
 * and plain punctuation is a stretch up to the next white space, which the
 * server's own parser takes apart; what it found is remembered by the
 * stretch's bytes.
 *
 * Why that is the same (README.md has the argument in full): between tokens
 * the server's parser remembers nothing of the text before, except within
 * tags; and except within tags, white space acts on each of its states as the
 * end of the text does.  So a text may be cut at white space outside tags.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tsearch/ts_cache.h"
#include "tsearch/ts_type.h"
#include "tsearch/ts_utils.h"

#include "text/token_parser.h"

/* Types of tokens of the default parser. */
#define TOKEN_ASCII_WORD 1
#define TOKEN_WORD 2
#define TOKEN_BLANK 12
#define TOKEN_TAG 13
#define TOKEN_NUMBER 22

#define STRETCH_MAX 96			/* bytes of the longest stretch that is remembered */
#define STRETCH_STEPS 64		/* most steps of one that is */
#define TAG_WINDOW 512			/* bytes in which the server's parser looks for the end of a tag at first */

/* What a character is to the fast path. */
typedef enum CharClass
{
	CHAR_UNKNOWN = 0,			/* beyond ASCII: the server has not been asked yet */
	CHAR_LETTER,				/* part of a word; ASCII when the byte is */
	CHAR_DIGIT,
	CHAR_WHITE,					/* ASCII white space: texts may be cut here */
	CHAR_MARK,					/* parts words and has no other meaning anywhere that the fast path goes */
	CHAR_DOT,					/* the others part words when the next character allows it */
	CHAR_COLON,
	CHAR_SIGN,					/* + - */
	CHAR_JOINT,					/* / @ _ ~: not after a word */
	CHAR_AMPERSAND,
	CHAR_LESS,
	CHAR_WIDE,					/* starts a character of several bytes */
	CHAR_OTHER					/* the server's parser must look at it */
} CharClass;

#define POINTS_PER_PAGE 256
#define POINT_PAGES (0x110000 / POINTS_PER_PAGE)

ElacParserCounters elac_parser_counters;

static uint8 byte_class[256];
static bool classes_ready = false;
static uint8 *point_classes[POINT_PAGES];	/* of code points, in pages made when needed */

/* A token that was cut and not looked up yet. */
typedef struct PendingToken
{
	uint64		key[2];
	const char *bytes;
	uint32		len;
	int			type;
} PendingToken;

#define PENDING_TOKENS 16

/*
 * What the parsing of one text needs.  Tokens are looked up some time after
 * they were cut: by then the places where they may be are in the processor's
 * cache.
 */
typedef struct TextParse
{
	ElacDocument *document;
	const char *end;			/* of the text */
	Size		tag_bytes;		/* that the server's parser may still read to find ends of tags */
	bool		failed;			/* the text must be left to the server, for example because a dictionary asks for further tokens */
	int			npending;
	PendingToken pending[PENDING_TOKENS];
} TextParse;

/* ---- the server's parser ---- */

/* Starts the default parser of the server on some bytes. */
static void *
server_parser_start(TSParserCacheEntry *parser, const char *bytes, int32 len)
{
	return DatumGetPointer(FunctionCall2(&parser->prsstart, PointerGetDatum(bytes), Int32GetDatum(len)));
}

/* The next token's type; 0 at the end. */
static int
server_parser_next(TSParserCacheEntry *parser, void *state, const char **token, int *len)
{
	return DatumGetInt32(FunctionCall3(&parser->prstoken, PointerGetDatum(state), PointerGetDatum(token),
									   PointerGetDatum(len)));
}

static void
server_parser_end(TSParserCacheEntry *parser, void *state)
{
	FunctionCall1(&parser->prsend, PointerGetDatum(state));
}

static TSParserCacheEntry *
server_parser(const ElacLexemeCache *cache)
{
	return lookup_ts_parser_cache(lookup_ts_config_cache(cache->config)->prsId);
}

/* ---- classes of characters ---- */

/* Does the server's parser find tokens of just these types and lengths in the bytes? */
static bool
probe(TSParserCacheEntry *parser, const char *bytes, int len, const int *types, const int *lens, int ntokens)
{
	void	   *state = server_parser_start(parser, bytes, len);
	const char *token;
	int			token_len;
	int			n = 0;
	int			type;
	bool		same = true;

	while ((type = server_parser_next(parser, state, &token, &token_len)) > 0)
	{
		same = same && n < ntokens && type == types[n] && token_len == lens[n];
		n++;
	}
	server_parser_end(parser, state);
	return same && n == ntokens;
}

/*
 * The class of a character beyond ASCII.  A letter is a word alone and
 * lengthens one; a mark is not part of a word that it starts, ends or parts.
 */
static CharClass
probe_class(TSParserCacheEntry *parser, const char *bytes, int len)
{
	char		text[MAX_MULTIBYTE_CHAR_LEN + 2];
	int			types[3] = {TOKEN_ASCII_WORD, TOKEN_BLANK, TOKEN_ASCII_WORD};
	int			lens[3] = {1, len, 1};
	int			word = TOKEN_WORD;
	int			word_len = len + 2;

	text[0] = 'a';
	memcpy(text + 1, bytes, len);
	text[len + 1] = 'a';
	if (probe(parser, text, len + 2, types, lens, 3))
	{
		/* between blanks: one blank */
		text[0] = ',';
		lens[0] = len + 1;
		lens[1] = 1;
		if (probe(parser, text, len + 2, &types[1], lens, 2))
			return CHAR_MARK;
	}
	else if (probe(parser, text, len + 2, &word, &word_len, 1) && probe(parser, bytes, len, &word, &len, 1))
		return CHAR_LETTER;
	return CHAR_OTHER;
}

/* The classes of bytes; database and locale do not change within a session. */
static void
classes_fill(TSParserCacheEntry *parser)
{
	int			max_length = pg_database_encoding_max_length();

	for (int c = 1; c < 128; c++)
	{
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			byte_class[c] = CHAR_LETTER;
		else if (c >= '0' && c <= '9')
			byte_class[c] = CHAR_DIGIT;
		else if (c == ' ' || (c >= '\t' && c <= '\r'))
			byte_class[c] = CHAR_WHITE;
		else
			byte_class[c] = CHAR_MARK;
	}
	byte_class[0] = CHAR_OTHER;
	byte_class['.'] = CHAR_DOT;
	byte_class[':'] = CHAR_COLON;
	byte_class['+'] = byte_class['-'] = CHAR_SIGN;
	byte_class['/'] = byte_class['@'] = byte_class['_'] = byte_class['~'] = CHAR_JOINT;
	byte_class['&'] = CHAR_AMPERSAND;
	byte_class['<'] = CHAR_LESS;
	for (int c = 128; c < 256; c++)
	{
		char		byte = (char) c;

		if (max_length == 1)
			byte_class[c] = probe_class(parser, &byte, 1);
		else
			byte_class[c] = GetDatabaseEncoding() == PG_UTF8 && c >= 0xC2 && c <= 0xF4 ? CHAR_WIDE : CHAR_OTHER;
	}
	classes_ready = true;
}

/* Asks the server about a code point. */
static pg_noinline CharClass
point_class_ask(TextParse *parse, uint32 point, const char *bytes, int len)
{
	uint8	  **page = &point_classes[point / POINTS_PER_PAGE];

	if (*page == NULL)
		*page = MemoryContextAllocZero(TopMemoryContext, POINTS_PER_PAGE);
	if ((*page)[point % POINTS_PER_PAGE] == CHAR_UNKNOWN)
		(*page)[point % POINTS_PER_PAGE] = probe_class(server_parser(parse->document->cache), bytes, len);
	return (*page)[point % POINTS_PER_PAGE];
}

static inline bool
is_continuation(const char *s)
{
	return ((uint8) *s & 0xC0) == 0x80;
}

/* The class of the character of UTF-8 at s and its length; OTHER when it is not one. */
static inline CharClass
wide_class(TextParse *parse, const char *s, int *len)
{
	uint8		first = (uint8) *s;
	ptrdiff_t	left = parse->end - s;
	uint32		point;
	const uint8 *page;

	if (first < 0xE0 && left >= 2 && is_continuation(s + 1))
	{
		*len = 2;
		point = (uint32) (first & 0x1F) << 6 | (s[1] & 0x3F);
	}
	else if (first < 0xF0 && left >= 3 && is_continuation(s + 1) && is_continuation(s + 2))
	{
		*len = 3;
		point = (uint32) (first & 0x0F) << 12 | (uint32) (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
	}
	else if (left >= 4 && is_continuation(s + 1) && is_continuation(s + 2) && is_continuation(s + 3))
	{
		*len = 4;
		point = (uint32) (first & 0x07) << 18 | (uint32) (s[1] & 0x3F) << 12 | (uint32) (s[2] & 0x3F) << 6 |
			(s[3] & 0x3F);
	}
	else
		return CHAR_OTHER;
	if (point >= 0x110000)
		return CHAR_OTHER;
	page = point_classes[point / POINTS_PER_PAGE];
	if (page != NULL && page[point % POINTS_PER_PAGE] != CHAR_UNKNOWN)
		return page[point % POINTS_PER_PAGE];
	return point_class_ask(parse, point, s, *len);
}

/* ---- tokens ---- */

/*
 * A token of MAXSTRLEN bytes or more.  Whether just as many are too long
 * depends on the server's minor version: the whole text is left to it.
 */
static void
long_token(TextParse *parse, Size len)
{
	if (len == MAXSTRLEN)
	{
		parse->failed = true;
		return;
	}
	ereport(NOTICE,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("word is too long to be indexed"),
			 errdetail("Words longer than %d characters are ignored.", MAXSTRLEN)));
}

/* What the dictionaries make of a token; all bytes up to end may be read. */
static inline ElacTokenValue
token_value(ElacLexemeCache *cache, int type, const char *bytes, uint32 len, const char *end)
{
	ElacTokenValue value;

	if (!elac_lexeme_cache_find(cache, type, bytes, len, end, &value))
		value = elac_lexeme_cache_ask(cache, type, bytes, len);
	return value;
}

/* Looks up the tokens that were cut. */
static void
resolve_pending(TextParse *parse)
{
	ElacLexemeCache *cache = parse->document->cache;

	for (int i = 0; i < parse->npending && !parse->failed; i++)
	{
		const PendingToken *token = &parse->pending[i];
		ElacTokenSlot *slot = elac_lexeme_cache_slot(cache, token->key, token->bytes, token->len);
		ElacTokenValue value = slot->value;

		slot->uses++;
		if (unlikely(slot->key[1] == 0))
			value = elac_lexeme_cache_ask(cache, token->type, token->bytes, token->len);
		parse->failed = !elac_document_add_token(parse->document, value);
	}
	elac_parser_counters.fast += parse->npending;
	parse->npending = 0;
}

static inline void
parse_token(TextParse *parse, int type, const char *bytes, Size len)
{
	PendingToken *token = &parse->pending[parse->npending];

	if (unlikely(len >= MAXSTRLEN))
	{
		long_token(parse, len);
		return;
	}
	token->bytes = bytes;
	token->len = (uint32) len;
	token->type = type;
	elac_lexeme_cache_key(type, bytes, (uint32) len, parse->end, token->key);
	elac_lexeme_cache_prefetch(parse->document->cache, token->key);
	if (++parse->npending == PENDING_TOKENS)
		resolve_pending(parse);
}

/* Writes what a value stands for as steps; false when there is no room for them. */
static bool
collect_steps(const ElacLexemeCache *cache, ElacTokenValue value, uint32 *steps, uint32 *nsteps)
{
	const uint32 *more = &value;
	uint32		n = 1;

	if (value == ELAC_TOKEN_UNKNOWN)
		return true;
	if (value < ELAC_TOKEN_SPECIAL && value >= ELAC_TOKEN_SEQUENCE)
	{
		more = cache->steps + (value & ~ELAC_TOKEN_SEQUENCE);
		n = *more++;
	}
	if (*nsteps + n + 1 > STRETCH_STEPS)
		return false;
	if (value == ELAC_TOKEN_STOP || value < ELAC_TOKEN_SEQUENCE)
		steps[(*nsteps)++] = ELAC_STEP_ADVANCE;
	if (value != ELAC_TOKEN_STOP)
	{
		memcpy(steps + *nsteps, more, n * sizeof(uint32));
		*nsteps += n;
	}
	return true;
}

/*
 * The tokens of bytes that the server's parser takes apart; when that is
 * wanted they are remembered as the tokens of this stretch.
 */
static void
parse_by_server(TextParse *parse, const char *bytes, const char *end, bool remember)
{
	ElacLexemeCache *cache = parse->document->cache;
	TSParserCacheEntry *parser = server_parser(cache);
	void	   *state = server_parser_start(parser, bytes, (int32) (end - bytes));
	uint32		steps[STRETCH_STEPS];
	uint32		nsteps = 0;
	const char *token;
	int			len;
	int			type;

	while (!parse->failed && (type = server_parser_next(parser, state, &token, &len)) > 0)
	{
		ElacTokenValue value;

		CHECK_FOR_INTERRUPTS();
		if (type == TOKEN_BLANK)
			continue;
		if (len >= MAXSTRLEN)
		{
			long_token(parse, len);
			continue;
		}
		elac_parser_counters.server++;
		value = type <= ELAC_KEY_TYPE_MAX && len > 0 ? token_value(cache, type, token, len, parse->end) : ELAC_TOKEN_ASKS;
		parse->failed = !elac_document_add_token(parse->document, value);
		remember = remember && !parse->failed && collect_steps(cache, value, steps, &nsteps);
	}
	server_parser_end(parser, state);
	if (remember && !parse->failed)
		elac_lexeme_cache_put(cache, ELAC_KEY_STRETCH, bytes, (uint32) (end - bytes),
							  elac_lexeme_cache_sequence(cache, steps, nsteps));
}

/* Can a tag of SGML start at this '<'? */
static inline bool
starts_tag(const char *s, const char *end)
{
	uint8		next = end - s > 1 ? (uint8) s[1] : ' ';

	return byte_class[next] == CHAR_LETTER || next == '/' || next == '!' || next == '?' || next == ':' || next == '_' ||
		next >= 0x80;
}

/* The stretch that starts at s; returns its end: white space, a tag, or the end of the text. */
static const char *
parse_stretch(TextParse *parse, const char *s)
{
	ElacLexemeCache *cache = parse->document->cache;
	const char *end = s;
	ElacTokenValue value;
	uint32		len;

	resolve_pending(parse);
	for (; end < parse->end && byte_class[(uint8) *end] != CHAR_WHITE; end++)
	{
		if (*end != '<' || !starts_tag(end, parse->end))
			continue;
		if (end > s && !(end - s >= 2 && end[-1] == '.' && end[-2] == '.'))
			break;				/* as the end of the text, for all states but after two dots */
		parse_by_server(parse, s, parse->end, false);
		return parse->end;
	}
	if (end - s > STRETCH_MAX)
	{
		parse_by_server(parse, s, end, false);
		return end;
	}
	len = (uint32) (end - s);
	if (elac_lexeme_cache_find(cache, ELAC_KEY_STRETCH, s, len, parse->end, &value))
	{
		elac_parser_counters.stretches++;
		elac_document_add_token(parse->document, value);
	}
	else
		parse_by_server(parse, s, end, true);
	return end;
}

/* ---- tags ---- */

/*
 * The end of the tag whose name was followed by white space at p; none when
 * there is none, NULL when it is not clear: characters beyond ASCII may be
 * white space, a backslash in a quotation has its own rules.
 */
static const char *
simple_attributes_end(const TextParse *parse, const char *p, const char *none)
{
	while (p < parse->end)
	{
		char		c = *p++;

		if (c == '>')
			return p;
		if ((uint8) c >= 0x80)
			return NULL;
		if (c == '\'' || c == '"')
		{
			while (p < parse->end && *p != c)
				if (*p++ == '\\')
					return NULL;
			if (p == parse->end)
				return none;
			p++;
		}
		else if (byte_class[(uint8) c] > CHAR_WHITE && (c == '\0' || strchr("=-_#/:.&?%~", c) == NULL))
			return none;
	}
	return none;
}

/* The end of the tag at s when it is simple, s + 1 when there is none, so that '<' is a blank; NULL when it is not clear. */
static const char *
simple_tag_end(const TextParse *parse, const char *s)
{
	const char *p = s + 1;

	if (p < parse->end && *p == '/')
		p++;
	if (p == parse->end || byte_class[(uint8) *p] != CHAR_LETTER || (uint8) *p >= 0x80)
		return NULL;
	while (p < parse->end && (uint8) *p < 0x80 &&
		   (byte_class[(uint8) *p] == CHAR_LETTER || byte_class[(uint8) *p] == CHAR_DIGIT ||
			(*p != '\0' && strchr(":_.-", *p) != NULL)))
		p++;
	if (p == parse->end)
		return s + 1;
	if (*p == '>')
		return p + 1;
	if (*p == '/')
		return p + 1 < parse->end && p[1] == '>' ? p + 2 : s + 1;
	if (byte_class[(uint8) *p] == CHAR_WHITE)
		return simple_attributes_end(parse, p, s + 1);
	return (uint8) *p >= 0x80 ? NULL : s + 1;
}

/*
 * The same by the server's parser; NULL when too much was read for that
 * already, and when that parser finds the end of the text instead (as it does
 * after a backslash and a character in an open quotation).
 */
static const char *
server_tag_end(TextParse *parse, const char *s)
{
	TSParserCacheEntry *parser = server_parser(parse->document->cache);
	Size		rest = parse->end - s;

	for (Size window = TAG_WINDOW;; window *= 8)
	{
		void	   *state;
		const char *token;
		int			len;
		int			type;

		/* not within a character: in all encodings of servers no other byte of one is ASCII */
		while (window < rest && (uint8) s[window] >= 0x80)
			window++;
		window = Min(window, rest);
		if (window > parse->tag_bytes)
			return NULL;
		parse->tag_bytes -= window;
		state = server_parser_start(parser, s, (int32) window);
		type = server_parser_next(parser, state, &token, &len);
		server_parser_end(parser, state);
		if (type == TOKEN_TAG)
			return s + len;
		if (window == rest)
			return type > 0 ? s + 1 : NULL;
	}
}

/* At a '<' that may start a tag; returns where to go on. */
static const char *
parse_tag(TextParse *parse, const char *s)
{
	const char *name = s + 1 < parse->end && s[1] == '/' ? s + 2 : s + 1;
	const char *end = NULL;

	/* what is between the tags of these is not text, and a tag that is not whole suffices */
	if (!(parse->end - name >= 5 && pg_strncasecmp(name, "style", 5) == 0) &&
		!(parse->end - name >= 6 && pg_strncasecmp(name, "script", 6) == 0))
	{
		end = simple_tag_end(parse, s);
		if (end == NULL)
			end = server_tag_end(parse, s);
	}
	if (end == NULL)
	{
		resolve_pending(parse);
		parse_by_server(parse, s, parse->end, false);
		return parse->end;
	}
	if (end == s + 1)
		return end;
	if (parse->document->cache->maps_tags)
		parse_token(parse, TOKEN_TAG, s, end - s);
	/* after a tag a path may begin, as at the start of a text */
	if (end < parse->end && (*end == '.' || *end == '~'))
		return parse_stretch(parse, end);
	return end;
}

/* ---- the fast path ---- */

/* The class of the byte at s; white space at the end of the text. */
static inline CharClass
class_at(const TextParse *parse, const char *s)
{
	return s < parse->end ? byte_class[(uint8) *s] : CHAR_WHITE;
}

/* Neither a letter nor a digit, nor anything that could be one. */
static inline bool
parts_words(CharClass class)
{
	return class != CHAR_LETTER && class != CHAR_DIGIT && class != CHAR_WIDE && class != CHAR_OTHER &&
		class != CHAR_UNKNOWN;
}

/*
 * May a word or number end before s, as seen from s and the byte after it?
 * host says that a domain name or file name may go on after a dot, scheme that
 * an address may after a colon.
 */
static inline bool
ends_before(const TextParse *parse, const char *s, bool host, bool scheme)
{
	CharClass	next;

	switch (class_at(parse, s))
	{
		case CHAR_WHITE:
		case CHAR_MARK:
		case CHAR_AMPERSAND:
		case CHAR_LESS:
			return true;
		case CHAR_DOT:
			next = class_at(parse, s + 1);
			if (next == CHAR_DOT || next == CHAR_JOINT)
				return false;	/* a path */
			return !host || parts_words(next);
		case CHAR_COLON:
			return !scheme || class_at(parse, s + 1) != CHAR_JOINT;
		case CHAR_SIGN:
			return parts_words(class_at(parse, s + 1));
		default:
			return false;
	}
}

/* The end of the run of ASCII letters at s, or a place in the run within eight bytes of the text's end. */
static inline const char *
skip_letters(const char *s, const char *end)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);

	for (; end - s >= 8; s += 8)
	{
		uint64		bytes = elac_get_u64(s);
		uint64		lower = (bytes | ones * 0x20) & ones * 0x7F;
		uint64		letters = (lower + ones * (0x80 - 'a')) & ~(lower + ones * (0x80 - 'z' - 1)) & ~bytes;
		uint64		others = ~letters & ones * 0x80;

		if (others != 0)
			return s + __builtin_ctzll(others) / 8;
	}
	return s;
}

/*
 * The word at s, which starts with a letter; returns where to go on, between
 * tokens.
 */
static inline const char *
parse_word(TextParse *parse, const char *s)
{
	const char *start = s;
	bool		ascii = true;

	s = skip_letters(s, parse->end);
	for (;;)
	{
		CharClass	class = class_at(parse, s);
		int			len = 1;

		if (class == CHAR_WIDE)
			class = wide_class(parse, s, &len);
		if (class != CHAR_LETTER)
		{
			if (class == CHAR_MARK)
			{
				parse_token(parse, ascii ? TOKEN_ASCII_WORD : TOKEN_WORD, start, s - start);
				return s + len;
			}
			break;
		}
		ascii = ascii && (uint8) *s < 0x80;
		s += len;
	}
	if (!ends_before(parse, s, ascii, ascii))
		return parse_stretch(parse, start);
	parse_token(parse, ascii ? TOKEN_ASCII_WORD : TOKEN_WORD, start, s - start);
	return s < parse->end && *s == ' ' ? s + 1 : s;
}

/* The number at s, which starts with a digit. */
static inline const char *
parse_number(TextParse *parse, const char *s)
{
	const char *start = s;
	int			len;

	while (class_at(parse, s) == CHAR_DIGIT)
		s++;
	if (class_at(parse, s) == CHAR_WIDE ? wide_class(parse, s, &len) != CHAR_MARK : !ends_before(parse, s, true, false))
		return parse_stretch(parse, start);
	parse_token(parse, TOKEN_NUMBER, start, s - start);
	return s;
}

/*
 * Everything between s and the end of the text.  s is between tokens, where
 * the server's parser is at its start or in a run of blanks; after a token it
 * is at the start, so that a dot there is looked at as ends_before() did.
 */
static void
parse_fast(TextParse *parse, const char *s)
{
	while (s < parse->end && !parse->failed)
	{
		uint8		next = s + 1 < parse->end ? (uint8) s[1] : ' ';
		int			len;

		switch ((CharClass) byte_class[(uint8) *s])
		{
			case CHAR_WHITE:
			case CHAR_MARK:
			case CHAR_DOT:
			case CHAR_COLON:
				s++;
				continue;
			case CHAR_LETTER:
				s = parse_word(parse, s);
				CHECK_FOR_INTERRUPTS();
				continue;
			case CHAR_DIGIT:
				s = parse_number(parse, s);
				continue;
			case CHAR_SIGN:
				if (parts_words(byte_class[next]) || byte_class[next] == CHAR_LETTER)
				{
					s++;
					continue;
				}
				break;
			case CHAR_JOINT:
				if (*s != '/' || byte_class[next] == CHAR_WHITE)
				{
					s++;
					continue;
				}
				break;
			case CHAR_AMPERSAND:
				if (next != '#' && next != ':' && next != '_' && byte_class[next] != CHAR_LETTER && next < 0x80)
				{
					s++;
					continue;
				}
				break;
			case CHAR_LESS:
				s = starts_tag(s, parse->end) ? parse_tag(parse, s) : s + 1;
				CHECK_FOR_INTERRUPTS();
				continue;
			case CHAR_WIDE:
				switch (wide_class(parse, s, &len))
				{
					case CHAR_MARK:
						s += len;
						continue;
					case CHAR_LETTER:
						s = parse_word(parse, s);
						CHECK_FOR_INTERRUPTS();
						continue;
					default:
						break;
				}
				break;
			case CHAR_UNKNOWN:
			case CHAR_OTHER:
				break;
		}
		s = parse_stretch(parse, s);
		CHECK_FOR_INTERRUPTS();
	}
}

/* The whole text by the server's parser and dictionaries. */
static void
parse_all_by_server(ElacDocument *document, Oid config, const char *bytes, int32 len)
{
	ParsedText	parsed;

	memset(&parsed, 0, sizeof(parsed));
	parsed.lenwords = Max(len / 6, 2);
	parsed.words = palloc((Size) parsed.lenwords * sizeof(ParsedWord));
	parsed.pos = document->position;
	parsetext(config, &parsed, (char *) bytes, len);
	for (int32 i = 0; i < parsed.curwords; i++)
	{
		/* the word's own length field has only 16 bits */
		size_t		word_len = strlen(parsed.words[i].word);

		document->position = parsed.words[i].pos.pos;
		if (word_len > 0 && word_len <= ELAC_TERM_MAX)
			elac_document_add(document, elac_lexeme_cache_intern(document->cache, parsed.words[i].word, word_len));
		pfree(parsed.words[i].word);
	}
	document->position = parsed.pos;
	pfree(parsed.words);
	elac_parser_counters.texts++;
}

void
elac_parse_text(ElacDocument *document, Oid config, const char *bytes, int32 len)
{
	uint64		noccurrences = document->noccurrences;
	int32		position = document->position;
	TextParse	parse;
	const char *start = bytes;

	parse.document = document;
	parse.end = bytes + len;
	parse.tag_bytes = (Size) len * 4;
	parse.failed = false;
	parse.npending = 0;

	if (document->cache->own_parser)
	{
		if (!classes_ready)
			classes_fill(server_parser(document->cache));
		if (len > 0 && (*bytes == '.' || *bytes == '~'))
			bytes = parse_stretch(&parse, bytes);	/* a path, unless blanks come before it */
		parse_fast(&parse, bytes);
		resolve_pending(&parse);
		if (!parse.failed)
			return;
		document->noccurrences = noccurrences;
		document->position = position;
	}
	parse_all_by_server(document, config, start, len);
}
