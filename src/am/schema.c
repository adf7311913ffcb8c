/*
 * schema.c
 *	  Works out what each column of an index is.
 *
 * Operator classes say it through support function 1, which returns static
 * traits; an operator class without one makes its column an attribute.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/partition.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_ts_config.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "nodes/makefuncs.h"
#include "nodes/value.h"
#include "tsearch/ts_cache.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "am/am.h"
#include "am/schema.h"
#include "compat.h"
#include "query/column_traits.h"
#include "storage/object.h"
#include "text/analyze.h"

static void
schema_vector_column(Relation index, int i, const ElacColumnTraits *traits, ElacColumn *column)
{
	ElacIndexOptions *options = (ElacIndexOptions *) index->rd_options;
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(index), i);
	int32		typmod = attribute->atttypmod;

	column->metric = traits->metric;
	column->element = traits->element;
	column->bits = options != NULL ? options->bits : 0;
	column->rerank = options != NULL ? options->rerank : ELAC_RERANK_OPEN;
	/* a domain brings its type's dimensions */
	if (typmod < 0)
		(void) getBaseTypeAndTypmod(attribute->atttypid, &typmod);
	if (typmod < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" does not have dimensions", NameStr(attribute->attname)),
				 errhint("Give the column a type such as vector(384), or index an expression such as (embedding::vector(384)).")));
	if (typmod > ELAC_MAX_DIM_INDEXED)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("column \"%s\" cannot have more than %d dimensions for elacsym index",
						NameStr(attribute->attname), ELAC_MAX_DIM_INDEXED)));
	column->dim = typmod;
}

/* Writes the name under which a configuration will be looked up later. */
static void
schema_config_name(Oid config, char *dst)
{
	HeapTuple	tuple = SearchSysCache1(TSCONFIGOID, ObjectIdGetDatum(config));
	Form_pg_ts_config form;
	const char *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for text search configuration %u", config);
	form = (Form_pg_ts_config) GETSTRUCT(tuple);
	if (form->cfgnamespace == PG_CATALOG_NAMESPACE)
		name = quote_identifier(NameStr(form->cfgname));
	else
		name = quote_qualified_identifier(get_namespace_name(form->cfgnamespace), NameStr(form->cfgname));
	if (strlen(name) >= ELAC_CONFIG_NAME_LEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("name of text search configuration %s is too long", name)));
	strlcpy(dst, name, ELAC_CONFIG_NAME_LEN);
	ReleaseSysCache(tuple);
}

/* Does the column's options name its configuration? */
static bool
schema_config_is_given(const ElacTextOptions *options)
{
	return options != NULL && options->config != 0;
}

/* The configuration that the options of an index column name; InvalidOid when they name none. */
static Oid
schema_option_config(Oid index, int i)
{
	Datum		options = get_attoptions(index, i + 1);
	ListCell   *cell;

	foreach(cell, untransformRelOptions(options))
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "config") == 0)
			return elac_text_config_find(strVal(option->arg));
	}
	return InvalidOid;
}

/*
 * The configuration of a column whose options name none: that of the other
 * partitions' indexes, since a query is analysed once for all of them, else
 * the session's.
 */
static Oid
schema_default_config(Relation index, int i)
{
	Oid			self = RelationGetRelid(index);
	ListCell   *cell;

	if (index->rd_rel->relispartition)
	{
		foreach(cell, find_all_inheritors(llast_oid(get_partition_ancestors(self)), NoLock, NULL))
		{
			Oid			config = lfirst_oid(cell) != self ? schema_option_config(lfirst_oid(cell), i) : InvalidOid;

			if (OidIsValid(config))
				return config;
		}
	}
	return getTSCurrentConfig(true);
}

static void
schema_text_column(Relation index, int i, const ElacColumnTraits *traits, bytea *attribute_options, ElacColumn *column, Oid *config)
{
	ElacTextOptions *options = (ElacTextOptions *) attribute_options;

	column->element = traits->element;
	column->k1 = options != NULL ? options->k1 : 1.2;
	column->b = options != NULL ? options->b : 0.75;
	column->weight = options != NULL ? options->weight : 1.0;
	for (int label = 0; label < ELAC_LABEL_WEIGHTS; label++)
		column->label_weight[label] = options != NULL && traits->element == ELAC_TEXT_TSVECTOR ?
			options->label_weight[label] : 1.0;
	if (options == NULL || options->positions)
		column->flags |= ELAC_TEXT_POSITIONS;
	if (options != NULL && options->bigrams)
	{
		elac_text_check_bigrams();
		column->flags |= ELAC_TEXT_BIGRAMS;
	}
	if (schema_config_is_given(options))
		*config = elac_text_config((const char *) options + options->config);
	else
		*config = schema_default_config(index, i);
	schema_config_name(*config, column->config);
}

ElacSchema *
elac_schema_form(Relation index, Oid *configs)
{
	ElacSchema *schema = palloc0(sizeof(ElacSchema));
	bytea	  **attribute_options = RelationGetIndexAttOptions(index, true);

	schema->ncolumns = IndexRelationGetNumberOfKeyAttributes(index);
	schema->vector_column = -1;
	for (int i = 0; i < schema->ncolumns; i++)
	{
		const ElacColumnTraits *traits = elac_column_traits(index, i);
		ElacColumn *column = &schema->columns[i];

		configs[i] = InvalidOid;
		column->kind = traits->kind;
		switch (traits->kind)
		{
			case ELAC_COLUMN_VECTOR:
				if (schema->vector_column >= 0)
					ereport(ERROR,
							(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							 errmsg("elacsym index \"%s\" cannot have two vector columns", RelationGetRelationName(index)),
							 errhint("Create one index for each vector column.")));
				schema->vector_column = i;
				schema_vector_column(index, i, traits, column);
				break;
			case ELAC_COLUMN_TEXT:
				schema->ntext++;
				schema_text_column(index, i, traits, attribute_options ? attribute_options[i] : NULL, column, &configs[i]);
				break;
			default:
				schema->nattr++;
		}
	}
	return schema;
}

static void
schema_depend(Relation index, Oid class, Oid object)
{
	ObjectAddress depender;
	ObjectAddress referenced;

	ObjectAddressSet(depender, RelationRelationId, RelationGetRelid(index));
	ObjectAddressSet(referenced, class, object);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_NORMAL);
}

/* Adds the option config to those of an index column. */
static void
schema_keep_config(Relation index, int i, const char *name)
{
	Relation	catalog = table_open(AttributeRelationId, RowExclusiveLock);
	HeapTuple	old = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(index)), Int16GetDatum(i + 1));
	Datum		values[Natts_pg_attribute] = {0};
	bool		nulls[Natts_pg_attribute] = {0};
	bool		replaces[Natts_pg_attribute] = {0};
	DefElem    *option = makeDefElem("config", (Node *) makeString(pstrdup(name)), -1);
	Datum		options;
	bool		isnull;
	HeapTuple	new;

	if (!HeapTupleIsValid(old))
		elog(ERROR, "cache lookup failed for column %d of index \"%s\"", i + 1, RelationGetRelationName(index));
	options = SysCacheGetAttr(ATTNUM, old, Anum_pg_attribute_attoptions, &isnull);
	values[Anum_pg_attribute_attoptions - 1] = transformRelOptions(isnull ? (Datum) 0 : options, list_make1(option),
																   NULL, NULL, false, false);
	replaces[Anum_pg_attribute_attoptions - 1] = true;
	new = heap_modify_tuple(old, RelationGetDescr(catalog), values, nulls, replaces);
	CatalogTupleUpdate(catalog, &new->t_self, new);
	ReleaseSysCache(old);
	table_close(catalog, RowExclusiveLock);
}

static void
schema_keep_configs(Relation index, const ElacSchema *schema)
{
	bytea	  **options = RelationGetIndexAttOptions(index, true);

	for (int i = 0; i < schema->ncolumns; i++)
		if (schema->columns[i].kind == ELAC_COLUMN_TEXT &&
			!schema_config_is_given(options != NULL ? (ElacTextOptions *) options[i] : NULL))
			schema_keep_config(index, i, schema->columns[i].config);
}

void
elac_schema_record_dependencies(Relation index, const ElacSchema *schema, const Oid *configs)
{
	/* a copy: catalogue changes may rebuild the index's relcache entry */
	const char *store = elac_index_store(index) != NULL ? pstrdup(elac_index_store(index)) : NULL;
	Oid			indexoid = RelationGetRelid(index);

	/* a rebuild records them anew */
	deleteDependencyRecordsForClass(RelationRelationId, indexoid, TSConfigRelationId, DEPENDENCY_NORMAL);
	deleteDependencyRecordsForClass(RelationRelationId, indexoid, ForeignServerRelationId, DEPENDENCY_NORMAL);
	for (int i = 0; i < schema->ncolumns; i++)
		if (OidIsValid(configs[i]))
			schema_depend(index, TSConfigRelationId, configs[i]);
	schema_keep_configs(index, schema);
	if (store != NULL)
	{
		Oid			server = get_foreign_server_oid(store, false);

		/* not the right to use it: a restored dump grants that after it made the index */
		elac_store_check_server(server);
		schema_depend(index, ForeignServerRelationId, server);
	}
}
