/*
 * attr_find.c
 *	  Finds values in a section that holds them in order: a dictionary, or the
 *	  keys of lists.
 *
 * The order is the type's where it is known here; of other types images are
 * compared as numbers, and bytes as memcmp() does and then by length.
 */
#include "postgres.h"

#include "attr/attr_internal.h"

/* What is looked for. */
typedef struct AttrProbe
{
	int64		key;			/* of an ordered type */
	uint64		image;			/* by value */
	const char *bytes;
	Size		len;
	bool		prefix;			/* all values that begin with the bytes are equal to it */
} AttrProbe;

/* Value number index compared with what is looked for. */
static int
attr_probe_compare(ElacAttrReader *reader, uint32 index, const AttrProbe *probe)
{
	const ElacAttrType *type = &reader->type;
	Datum		value = elac_attr_value(reader, index);
	const char *bytes;
	Size		len;
	int			result;

	if (elac_attr_is_ordered(type))
	{
		int64		key = elac_attr_sort_key(type, elac_attr_image(type, value));

		return key < probe->key ? -1 : key > probe->key ? 1 : 0;
	}
	if (type->typbyval)
	{
		uint64		image = elac_attr_image(type, value);

		return image < probe->image ? -1 : image > probe->image ? 1 : 0;
	}
	bytes = DatumGetPointer(value);
	len = type->typlen;
	if (type->typlen == -1)
	{
		len = VARSIZE_ANY_EXHDR(bytes);
		bytes = VARDATA_ANY(bytes);
	}
	result = memcmp(bytes, probe->bytes, Min(len, probe->len));
	if (result != 0 || (probe->prefix && len >= probe->len))
		return result;
	return len < probe->len ? -1 : len > probe->len ? 1 : 0;
}

static uint32
attr_bound(ElacAttrReader *reader, const AttrProbe *probe, bool above)
{
	uint32		low = 0;
	uint32		high = reader->header.nvalues;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;
		int			order = attr_probe_compare(reader, middle, probe);

		if (order < 0 || (above && order == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32
elac_attr_bound_key(ElacAttrReader *reader, int64 key, bool above)
{
	AttrProbe	probe = {0};

	probe.key = key;
	return attr_bound(reader, &probe, above);
}

void
elac_attr_find_equal(ElacAttrReader *reader, Datum value, uint32 *first, uint32 *end)
{
	const ElacAttrType *type = &reader->type;
	AttrProbe	probe = {0};

	if (elac_attr_is_ordered(type))
		probe.key = elac_attr_sort_key(type, elac_attr_image(type, value));
	else if (type->typbyval)
		probe.image = elac_attr_image(type, value);
	else if (type->typlen > 0)
	{
		probe.bytes = DatumGetPointer(value);
		probe.len = type->typlen;
	}
	else
	{
		struct varlena *plain = PG_DETOAST_DATUM_PACKED(value);

		probe.bytes = VARDATA_ANY(plain);
		probe.len = VARSIZE_ANY_EXHDR(plain);
	}
	*first = attr_bound(reader, &probe, false);
	*end = attr_bound(reader, &probe, true);
}

void
elac_attr_find_prefix(ElacAttrReader *reader, const char *prefix, Size len, uint32 *first, uint32 *end)
{
	AttrProbe	probe = {0};

	probe.bytes = prefix;
	probe.len = len;
	probe.prefix = true;
	*first = attr_bound(reader, &probe, false);
	*end = attr_bound(reader, &probe, true);
}
