/*
 * s3_xml.h
 *	  Reads the XML of S3's answers: elements and their text, nothing else.
 */
#ifndef ELAC_S3_XML_H
#define ELAC_S3_XML_H

#include "postgres.h"

#define ELAC_XML_DEPTH 8		/* elements open at once */

typedef struct ElacXmlElement
{
	const char *name;			/* not terminated */
	uint32		name_len;
	const char *content;		/* what follows the start tag */
	bool		has_children;
} ElacXmlElement;

typedef struct ElacXml
{
	const char *next;
	const char *end;
	int			depth;			/* elements open */
	int			closed;			/* depth of the element just closed: 1 = the root */
	bool		rooted;			/* the root was seen */
	bool		bad;			/* malformed: nothing more comes */
	ElacXmlElement open[ELAC_XML_DEPTH];
	const char *text;			/* of the element just closed, raw; NULL when it has children */
	uint64		text_len;
} ElacXml;

extern void elac_xml_begin(ElacXml *xml, const char *bytes, uint64 len);

/*
 * Goes on to the next end of an element.  False at the end: xml->bad tells
 * whether the document was whole and well-formed.  Document types,
 * processing instructions other than the declaration, and CDATA are refused.
 */
extern bool elac_xml_next(ElacXml *xml);

/* Is the element just closed at this path ("Error/Code")? */
extern bool elac_xml_is(const ElacXml *xml, const char *path);

/* Its text with entities resolved, palloc'd; NULL when that is malformed. */
extern char *elac_xml_text(const ElacXml *xml);

/* Text of the first element at path, or NULL; of anything malformed too. */
extern char *elac_xml_find(const char *bytes, uint64 len, const char *path);

#endif							/* ELAC_S3_XML_H */
