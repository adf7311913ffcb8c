/*
 * s3_xml.c
 *	  A strict scanner for the small documents that S3 servers send.
 *
 * Owns nothing: it walks over the caller's bytes once, never reads past
 * their end, and allocates only the texts that are asked for.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "storage/s3_xml.h"

void
elac_xml_begin(ElacXml *xml, const char *bytes, uint64 len)
{
	memset(xml, 0, sizeof(*xml));
	xml->next = bytes;
	xml->end = bytes + len;
	if (len >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
		xml->next += 3;
}

static bool
elac_xml_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
elac_xml_is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-' || c == '.' || c == ':';
}

static bool
elac_xml_fail(ElacXml *xml)
{
	xml->bad = true;
	return false;
}

static bool
elac_xml_starts(const ElacXml *xml, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (xml->end - xml->next) >= len && memcmp(xml->next, text, len) == 0;
}

/* Skips past the first occurrence of text; false when there is none. */
static bool
elac_xml_skip_past(ElacXml *xml, const char *text)
{
	for (; xml->next < xml->end; xml->next++)
	{
		if (elac_xml_starts(xml, text))
		{
			xml->next += strlen(text);
			return true;
		}
	}
	return false;
}

/* Skips attributes up to and with '>'; *empty tells of "/>". */
static bool
elac_xml_skip_attributes(ElacXml *xml, bool *empty)
{
	char		quote = 0;

	for (; xml->next < xml->end; xml->next++)
	{
		char		c = *xml->next;

		if (quote != 0)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '<')
			return false;
		else if (c == '>')
		{
			*empty = xml->next[-1] == '/';
			xml->next++;
			return true;
		}
	}
	return false;
}

static bool
elac_xml_close(ElacXml *xml, const char *content_end)
{
	ElacXmlElement *element = &xml->open[--xml->depth];

	xml->closed = xml->depth + 1;
	xml->text = element->has_children ? NULL : element->content;
	xml->text_len = element->has_children ? 0 : content_end - element->content;
	return true;
}

/* At "<name": opens it.  True when it closed at once ("<name/>"). */
static bool
elac_xml_open(ElacXml *xml)
{
	ElacXmlElement *element;
	bool		empty;

	if (xml->depth == ELAC_XML_DEPTH || (xml->depth == 0 && xml->rooted))
		return elac_xml_fail(xml);
	if (xml->depth > 0)
		xml->open[xml->depth - 1].has_children = true;
	xml->rooted = true;
	element = &xml->open[xml->depth++];
	element->name = ++xml->next;
	while (xml->next < xml->end && elac_xml_is_name(*xml->next))
		xml->next++;
	element->name_len = xml->next - element->name;
	if (element->name_len == 0 || !elac_xml_skip_attributes(xml, &empty))
		return elac_xml_fail(xml);
	element->content = xml->next;
	element->has_children = false;
	return empty ? elac_xml_close(xml, element->content) : false;
}

/* At "</name>": the innermost open element must be that. */
static bool
elac_xml_end_tag(ElacXml *xml)
{
	const char *content_end = xml->next;
	const ElacXmlElement *element;

	if (xml->depth == 0)
		return elac_xml_fail(xml);
	element = &xml->open[xml->depth - 1];
	xml->next += 2;
	if ((uint64) (xml->end - xml->next) < element->name_len ||
		memcmp(xml->next, element->name, element->name_len) != 0)
		return elac_xml_fail(xml);
	xml->next += element->name_len;
	while (xml->next < xml->end && elac_xml_is_space(*xml->next))
		xml->next++;
	if (xml->next == xml->end || *xml->next != '>')
		return elac_xml_fail(xml);
	xml->next++;
	return elac_xml_close(xml, content_end);
}

bool
elac_xml_next(ElacXml *xml)
{
	while (!xml->bad && xml->next < xml->end)
	{
		if (*xml->next != '<')
		{
			if (xml->depth == 0 && !elac_xml_is_space(*xml->next))
				return elac_xml_fail(xml);
			xml->next++;
		}
		else if (elac_xml_starts(xml, "<!--"))
		{
			xml->next += 4;
			if (!elac_xml_skip_past(xml, "-->"))
				return elac_xml_fail(xml);
		}
		else if (elac_xml_starts(xml, "<?xml") && !xml->rooted)
		{
			if (!elac_xml_skip_past(xml, "?>"))
				return elac_xml_fail(xml);
		}
		else if (elac_xml_starts(xml, "</"))
			return elac_xml_end_tag(xml);
		else if (elac_xml_open(xml))
			return true;
	}
	if (xml->depth > 0 || !xml->rooted)
		xml->bad = true;
	return false;
}

bool
elac_xml_is(const ElacXml *xml, const char *path)
{
	for (int i = 0; i < xml->closed; i++)
	{
		const ElacXmlElement *element = &xml->open[i];

		if (i > 0 && *path++ != '/')
			return false;
		if (strncmp(path, element->name, element->name_len) != 0)
			return false;
		path += element->name_len;
	}
	return *path == '\0';
}

/* Resolves the reference that begins at text ("&amp;"); its length, or 0. */
static uint64
elac_xml_entity(const char *text, uint64 len, StringInfo out)
{
	static const struct
	{
		const char *name;
		char		c;
	}			named[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
	uint64		i = 2;
	bool		hex;
	uint32		c = 0;

	for (int n = 0; n < lengthof(named); n++)
	{
		if (len >= strlen(named[n].name) && memcmp(text, named[n].name, strlen(named[n].name)) == 0)
		{
			appendStringInfoChar(out, named[n].c);
			return strlen(named[n].name);
		}
	}
	if (len < 4 || text[1] != '#')
		return 0;
	hex = text[2] == 'x';
	for (i = hex ? 3 : 2; i < len && i < 10 && text[i] != ';'; i++)
	{
		int			digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0' :
			hex && text[i] >= 'a' && text[i] <= 'f' ? text[i] - 'a' + 10 :
			hex && text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 10 : -1;

		if (digit < 0)
			return 0;
		c = c * (hex ? 16 : 10) + digit;
	}
	/* What is not ASCII is in no key or token of ours: keep a mark. */
	if (i >= len || text[i] != ';' || c == 0)
		return 0;
	appendStringInfoChar(out, c < 128 ? (char) c : '?');
	return i + 1;
}

char *
elac_xml_text(const ElacXml *xml)
{
	StringInfoData out;
	uint64		i = 0;

	initStringInfo(&out);
	while (i < xml->text_len)
	{
		uint64		used = 1;

		if (xml->text[i] == '\0')
			return NULL;
		if (xml->text[i] == '&')
			used = elac_xml_entity(xml->text + i, xml->text_len - i, &out);
		else
			appendStringInfoChar(&out, xml->text[i]);
		if (used == 0)
			return NULL;
		i += used;
	}
	return out.data;
}

char *
elac_xml_find(const char *bytes, uint64 len, const char *path)
{
	ElacXml		xml;

	elac_xml_begin(&xml, bytes, len);
	while (elac_xml_next(&xml))
		if (elac_xml_is(&xml, path))
			return elac_xml_text(&xml);
	return NULL;
}
