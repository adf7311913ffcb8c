/*
 * json_value.c
 *	  Values of a JSON request: walking them, the paths that errors name, and
 *	  conversion to SQL types by the types' own input functions.
 *
 * Walking does not copy: the request must stay where it is.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "api/json_request.h"
#include "compat.h"

#define SHOWN_BYTES_MAX 63		/* of a string of the request in a message */

/* How a JSON value becomes one of a type. */
typedef struct ValueType
{
	Oid			type;
	int32		typmod;
	char		category;
	bool		is_vector;
	Oid			ioparam;
	FmgrInfo	input;
} ValueType;

/* ---- errors ---- */

static void
path_append(StringInfo out, const ElacJson *json)
{
	check_stack_depth();
	if (json->parent == NULL)
		return;
	path_append(out, json->parent);
	if (json->key == NULL)
		appendStringInfo(out, "[%d]", json->index);
	else
		appendStringInfo(out, "%s%s", out->len > 0 ? "." : "", json->key);
}

char *
elac_json_path(const ElacJson *json)
{
	StringInfoData out;

	initStringInfo(&out);
	path_append(&out, json);
	return out.len > 0 ? out.data : "request";
}

char *
elac_json_show(const char *string)
{
	int			length = strlen(string);
	int			shown = pg_mbcliplen(string, length, SHOWN_BYTES_MAX);

	return psprintf("\"%.*s%s\"", shown, string, shown < length ? "..." : "");
}

const char *
elac_json_kind(const ElacJson *json)
{
	switch (json->value.type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvNumeric:
			return "a number";
		case jbvBool:
			return "true or false";
		default:
			return elac_json_is_array(json) ? "an array" : "an object";
	}
}

void
elac_json_error(const ElacJson *json, const char *hint, const char *format,...)
{
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s: %s", elac_json_path(json), message.data),
			 hint != NULL ? errhint("%s", hint) : 0));
}

/* ---- walking ---- */

bool
elac_json_is_array(const ElacJson *json)
{
	return json->value.type == jbvBinary && JsonContainerIsArray(json->value.val.binary.data) &&
		!JsonContainerIsScalar(json->value.val.binary.data);
}

bool
elac_json_is_object(const ElacJson *json)
{
	return json->value.type == jbvBinary && JsonContainerIsObject(json->value.val.binary.data);
}

int
elac_json_count(const ElacJson *array)
{
	return JsonContainerSize(array->value.val.binary.data);
}

void
elac_json_element(const ElacJson *array, int index, ElacJson *element)
{
	JsonbValue *value = getIthJsonbValueFromContainer(array->value.val.binary.data, index);

	element->parent = array;
	element->key = NULL;
	element->index = index;
	element->value = *value;
	pfree(value);
}

bool
elac_json_member(const ElacJson *object, const char *key, ElacJson *member)
{
	member->parent = object;
	member->key = key;
	member->index = 0;
	return getKeyJsonValueFromContainer(object->value.val.binary.data, key, strlen(key), &member->value) != NULL;
}

void
elac_json_check_keys(const ElacJson *object, const char *const *names)
{
	JsonbIterator *iterator = JsonbIteratorInit(object->value.val.binary.data);
	JsonbValue	value;
	JsonbIteratorToken token;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		bool		known = false;
		char	   *key;
		StringInfoData hint;

		if (token != WJB_KEY)
			continue;
		key = pnstrdup(value.val.string.val, value.val.string.len);
		initStringInfo(&hint);
		for (int i = 0; names[i] != NULL; i++)
		{
			known = known || strcmp(key, names[i]) == 0;
			appendStringInfo(&hint, "%s%s", i > 0 ? ", " : "Known keys: ", names[i]);
		}
		if (!known)
			elac_json_error(object, psprintf("%s.", hint.data), "unknown key %s", elac_json_show(key));
	}
}

char *
elac_json_string(const ElacJson *json)
{
	if (json->value.type != jbvString)
		return NULL;
	return pnstrdup(json->value.val.string.val, json->value.val.string.len);
}

double
elac_json_number(const ElacJson *json)
{
	double		number;

	if (json->value.type != jbvNumeric)
		elac_json_error(json, NULL, "must be a number, not %s", elac_json_kind(json));
	/* does not raise an error where a number is too large */
	number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(json->value.val.numeric)));
	if (isnan(number) || isinf(number))
		elac_json_error(json, NULL, "is out of range");
	return number;
}

int
elac_json_integer(const ElacJson *json, int low, int high)
{
	double		number = elac_json_number(json);

	if (number != floor(number) || number < low || number > high)
		elac_json_error(json, NULL, "must be a whole number between %d and %d", low, high);
	return (int) number;
}

/* ---- conversion ---- */

bool
elac_json_is_vector_type(Oid type)
{
	Oid			function;

	return !OidIsValid(get_element_type(type)) &&
		find_coercion_pathway(FLOAT4ARRAYOID, type, COERCION_EXPLICIT, &function) == COERCION_PATH_FUNC;
}

static void
type_open(ValueType *to, Oid type, int32 typmod)
{
	Oid			input;
	bool		preferred;

	to->type = type;
	to->typmod = typmod;
	to->is_vector = elac_json_is_vector_type(type);
	get_type_category_preferred(type, &to->category, &preferred);
	getTypeInputInfo(type, &input, &to->ioparam);
	fmgr_info(input, &to->input);
}

/* Calls the input function; what is wrong with the value is told with its path. */
static Datum
type_read(ValueType *to, const ElacJson *json, char *text)
{
	MemoryContext context = CurrentMemoryContext;
	volatile Datum result = (Datum) 0;

	PG_TRY();
	{
		result = InputFunctionCall(&to->input, text, to->ioparam, to->typmod);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_DATA_EXCEPTION)
			error->message = psprintf("%s: %s", elac_json_path(json), error->message);
		ReThrowError(error);
	}
	PG_END_TRY();
	return result;
}

static char *
number_text(const ElacJson *json)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(json->value.val.numeric)));
}

/* An array of numbers as the text form of a vector. */
static char *
vector_text(const ElacJson *array)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < elac_json_count(array); i++)
	{
		ElacJson	element;

		CHECK_FOR_INTERRUPTS();
		elac_json_element(array, i, &element);
		if (element.value.type != jbvNumeric)
			elac_json_error(&element, NULL, "must be a number, not %s", elac_json_kind(&element));
		appendStringInfo(&text, "%c%s", i > 0 ? ',' : '[', number_text(&element));
	}
	if (text.len == 0)
		appendStringInfoChar(&text, '[');
	appendStringInfoChar(&text, ']');
	return text.data;
}

static char *
json_text(const ElacJson *json)
{
	JsonbValue	value = json->value;
	Jsonb	   *jsonb = JsonbValueToJsonb(&value);

	return JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb));
}

/* The text that the type's input function reads; NULL when the value is of a wrong kind. */
static char *
value_text(const ValueType *to, const ElacJson *json)
{
	if (to->type == JSONOID || to->type == JSONBOID)
		return json_text(json);
	switch (json->value.type)
	{
		case jbvString:
			return to->category == TYPCATEGORY_BOOLEAN ? NULL : elac_json_string(json);
		case jbvNumeric:
			return to->category == TYPCATEGORY_NUMERIC ? number_text(json) : NULL;
		case jbvBool:
			if (to->category != TYPCATEGORY_BOOLEAN)
				return NULL;
			return json->value.val.boolean ? "true" : "false";
		default:
			return to->is_vector && elac_json_is_array(json) ? vector_text(json) : NULL;
	}
}

static Datum
value_convert(ValueType *to, const ElacJson *json)
{
	char	   *text = value_text(to, json);

	if (text == NULL)
		elac_json_error(json, NULL, "%s is not a value of type %s", elac_json_kind(json), format_type_be(to->type));
	return type_read(to, json, text);
}

static Datum
list_convert(const ElacJson *array, Oid element_type, int32 typmod, bool keep_null, bool *has_null)
{
	int			count = elac_json_count(array);
	Datum	   *values = palloc(sizeof(Datum) * Max(count, 1));
	bool	   *nulls = palloc(sizeof(bool) * Max(count, 1));
	int			kept = 0;
	int			low = 1;
	ValueType	to;
	int16		length;
	bool		by_value;
	char		align;

	type_open(&to, element_type, typmod);
	*has_null = false;
	for (int i = 0; i < count; i++)
	{
		ElacJson	element;

		CHECK_FOR_INTERRUPTS();
		elac_json_element(array, i, &element);
		nulls[kept] = element.value.type == jbvNull;
		*has_null = *has_null || nulls[kept];
		if (nulls[kept] && !keep_null)
			continue;
		values[kept] = nulls[kept] ? (Datum) 0 : value_convert(&to, &element);
		kept++;
	}
	get_typlenbyvalalign(element_type, &length, &by_value, &align);
	if (kept == 0)
		return PointerGetDatum(construct_empty_array(element_type));
	return PointerGetDatum(construct_md_array(values, nulls, 1, &kept, &low, element_type, length, by_value, align));
}

Datum
elac_json_datum(const ElacJson *json, Oid type, int32 typmod)
{
	Oid			element_type = get_element_type(type);
	ValueType	to;
	bool		has_null;

	if (OidIsValid(element_type) && elac_json_is_array(json))
		return list_convert(json, element_type, typmod, true, &has_null);
	type_open(&to, type, typmod);
	return value_convert(&to, json);
}

Datum
elac_json_datum_list(const ElacJson *json, Oid element_type, bool *has_null)
{
	if (!elac_json_is_array(json))
		elac_json_error(json, NULL, "must be an array, not %s", elac_json_kind(json));
	return list_convert(json, element_type, -1, false, has_null);
}
