/*
 * json_glob.c
 *	  Globs as patterns of LIKE, which an index can serve, or, with classes and
 *	  alternatives, as regular expressions.
 *
 * * and ** are any characters, slashes too, ? is one; [ab], [a-z] and [!a-z]
 * (or [^a-z]) are one of a class; {a,b} is either of its parts, which may be
 * globs; a backslash takes the next character as it is.  Special characters
 * are ASCII, which is no part of a longer character in any server encoding.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"

#include "api/json_request.h"

/* Neither LIKE nor regular expressions give letters, digits and bytes of longer characters a meaning. */
static bool
is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char) c >= 0x80;
}

static void
append_regex_char(StringInfo out, char c)
{
	if (!is_plain(c))
		appendStringInfoChar(out, '\\');
	appendStringInfoChar(out, c);
}

/* Needs a regular expression? */
static bool
glob_has_class(const char *glob)
{
	for (; *glob != '\0'; glob++)
	{
		if (*glob == '\\' && glob[1] != '\0')
			glob++;
		else if (*glob == '[' || *glob == '{' || *glob == '}')
			return true;
	}
	return false;
}

static char *
glob_like(const char *glob, const char **error)
{
	StringInfoData out;

	initStringInfo(&out);
	for (; *glob != '\0'; glob++)
	{
		if (*glob == '*')
		{
			appendStringInfoChar(&out, '%');
			continue;
		}
		if (*glob == '?')
		{
			appendStringInfoChar(&out, '_');
			continue;
		}
		if (*glob == '\\' && *++glob == '\0')
		{
			*error = "ends with a backslash";
			return NULL;
		}
		if (*glob == '%' || *glob == '_' || *glob == '\\')
			appendStringInfoChar(&out, '\\');
		appendStringInfoChar(&out, *glob);
	}
	return out.data;
}

/* One character of a class; behind it. */
static const char *
append_member(StringInfo out, const char *glob)
{
	int			length = pg_mblen(glob);

	if (length == 1)
		append_regex_char(out, *glob);
	else
		appendBinaryStringInfo(out, glob, length);
	return glob + length;
}

/* From behind the [ to behind the ]; NULL when it is malformed. */
static const char *
append_class(StringInfo out, const char *glob, const char **error)
{
	const char *first;

	appendStringInfoChar(out, '[');
	if (*glob == '!' || *glob == '^')
	{
		appendStringInfoChar(out, '^');
		glob++;
	}
	first = glob;
	while (*glob != '\0' && (*glob != ']' || glob == first))
	{
		const char *low = glob;

		glob = append_member(out, glob);
		if (*glob != '-' || glob[1] == ']' || glob[1] == '\0')
			continue;
		glob++;
		/* in UTF-8 characters and their bytes have the same order; elsewhere the server says what is wrong */
		if (strncmp(low, glob, Min(pg_mblen(low), pg_mblen(glob))) > 0)
		{
			*error = "has a range of characters that is the wrong way round";
			return NULL;
		}
		appendStringInfoChar(out, '-');
		glob = append_member(out, glob);
	}
	if (*glob == '\0')
	{
		*error = "has a [ without ]";
		return NULL;
	}
	appendStringInfoChar(out, ']');
	return glob + 1;
}

static char *
glob_regex(const char *glob, const char **error)
{
	StringInfoData out;
	int			depth = 0;

	initStringInfo(&out);
	appendStringInfoString(&out, "^(?:");
	while (*glob != '\0')
	{
		char		c = *glob++;

		if (c == '*')
			appendStringInfoString(&out, *glob == '*' ? "" : ".*");
		else if (c == '?')
			appendStringInfoChar(&out, '.');
		else if (c == '[')
		{
			glob = append_class(&out, glob, error);
			if (glob == NULL)
				return NULL;
		}
		else if (c == '{')
		{
			appendStringInfoString(&out, "(?:");
			depth++;
		}
		else if (c == ',' && depth > 0)
			appendStringInfoChar(&out, '|');
		else if (c == '}')
		{
			if (depth-- == 0)
			{
				*error = "has a } without {";
				return NULL;
			}
			appendStringInfoChar(&out, ')');
		}
		else
		{
			if (c == '\\' && (c = *glob++) == '\0')
			{
				*error = "ends with a backslash";
				return NULL;
			}
			append_regex_char(&out, c);
		}
	}
	if (depth > 0)
	{
		*error = "has a { without }";
		return NULL;
	}
	appendStringInfoString(&out, ")$");
	return out.data;
}

char *
elac_json_glob(const char *glob, bool *is_regex, const char **error)
{
	*error = NULL;
	*is_regex = glob_has_class(glob);
	return *is_regex ? glob_regex(glob, error) : glob_like(glob, error);
}
