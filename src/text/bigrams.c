/*
 * bigrams.c
 *	  Runs of CJK characters as overlapping pairs.
 *
 * Those scripts put no blanks between words, so the server's parser takes a
 * whole sentence for one.  Pairs find every substring of two characters and
 * more, at the price of some that are no words.  A character is the first of a
 * pair or the last of a run: the latter are lexemes, too, so that a prefix
 * finds every single character, and counts it.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "text/bigrams.h"
#include "text/token_parser.h"

/* First and last code points of the scripts, ascending. */
static const struct
{
	uint32		first;
	uint32		last;
}			cjk_ranges[] =
{
	{0x1100, 0x11FF},			/* Hangul Jamo */
	{0x3005, 0x3007},			/* iteration mark, closing mark, zero */
	{0x3031, 0x3035},			/* kana repeat marks */
	{0x3041, 0x3096},			/* Hiragana */
	{0x309D, 0x309F},
	{0x30A1, 0x30FA},			/* Katakana */
	{0x30FC, 0x30FF},
	{0x3131, 0x318E},			/* Hangul Compatibility Jamo */
	{0x31F0, 0x31FF},			/* Katakana Phonetic Extensions */
	{0x3400, 0x4DBF},			/* Han, extension A */
	{0x4E00, 0x9FFF},			/* Han */
	{0xA960, 0xA97C},			/* Hangul Jamo Extended-A */
	{0xAC00, 0xD7A3},			/* Hangul Syllables */
	{0xD7B0, 0xD7FB},			/* Hangul Jamo Extended-B */
	{0xF900, 0xFAFF},			/* Han, compatibility */
	{0xFF66, 0xFF9F},			/* Katakana, half width */
	{0xFFA0, 0xFFDC},			/* Hangul, half width */
	{0x1AFF0, 0x1B16F},			/* Kana extensions */
	{0x20000, 0x323AF}			/* Han, extensions B to H */
};

/* Length of the CJK character at s; 0 when there is none. */
static int
cjk_char(const char *s, const char *end)
{
	const uint8 *c = (const uint8 *) s;
	uint32		point;
	int			len;

	if (*c < 0xE1)
		return 0;
	len = *c < 0xF0 ? 3 : 4;
	if (end - s < len || *c > 0xF4)
		return 0;
	for (int i = 1; i < len; i++)
		if ((c[i] & 0xC0) != 0x80)
			return 0;
	point = len == 3 ? (uint32) (c[0] & 0x0F) << 12 | (uint32) (c[1] & 0x3F) << 6 | (c[2] & 0x3F)
		: (uint32) (c[0] & 0x07) << 18 | (uint32) (c[1] & 0x3F) << 12 | (uint32) (c[2] & 0x3F) << 6 | (c[3] & 0x3F);
	for (int i = 0; i < lengthof(cjk_ranges) && point >= cjk_ranges[i].first; i++)
		if (point <= cjk_ranges[i].last)
			return len;
	return 0;
}

/* At the present position. */
static void
add_gram(ElacDocument *document, const char *bytes, uint32 len)
{
	elac_document_add(document, elac_lexeme_cache_intern(document->cache, bytes, len));
}

/* The run of CJK characters at s, of which the first has first_len bytes; returns its end. */
static const char *
parse_run(ElacDocument *document, const char *s, int first_len, const char *end)
{
	int			len = first_len;
	int			next_len = s + len < end ? cjk_char(s + len, end) : 0;
	bool		alone = next_len == 0;

	for (; next_len > 0; next_len = s + len < end ? cjk_char(s + len, end) : 0)
	{
		CHECK_FOR_INTERRUPTS();
		document->position++;
		add_gram(document, s, len + next_len);
		s += len;
		len = next_len;
	}
	if (alone)
		document->position++;
	if (alone || !document->words)
		add_gram(document, s, len);
	return s + len;
}

bool
elac_bigrams_is_character(const char *bytes, uint32 len)
{
	return len > 0 && cjk_char(bytes, bytes + len) == (int) len;
}

void
elac_bigrams_parse(ElacDocument *document, Oid config, const char *bytes, int32 len)
{
	const char *end = bytes + len;
	const char *rest = bytes;	/* text that is not CJK and not parsed yet */
	const char *s = bytes;

	while (s < end)
	{
		int			char_len = cjk_char(s, end);

		if (char_len == 0)
		{
			s++;
			continue;
		}
		if (s > rest)
			elac_parse_text(document, config, rest, (int32) (s - rest));
		s = rest = parse_run(document, s, char_len, end);
	}
	if (end > rest)
		elac_parse_text(document, config, rest, (int32) (end - rest));
}
