# functions.sh: what scripts/demo does with PostgreSQL's descriptions of its
# functions, where there is no package catalogue.  The columns are the same:
# section is the type returned, size the number of arguments, tags their types.
# Sourced; sets source_is, load_sql, model_text, title, query and more.

source_is="PostgreSQL's own functions: names, types returned, numbers of arguments, descriptions"

load_sql="INSERT INTO functions (name, section, priority, size, maintainer, tags, description)
SELECT proname, format_type(prorettype, NULL),
       CASE provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
       pronargs, lanname, (SELECT array_agg(format_type(t, NULL)) FROM unnest(proargtypes) t), description
  FROM pg_proc p JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass
  JOIN pg_language l ON l.oid = prolang
 WHERE pronamespace = 'pg_catalog'::regnamespace"

# What is embedded.
model_text="concat_ws(' ', translate(name, '_', ' '), section, array_to_string(tags, ' '), description)"

title[vector]="functions like 'distance between geometric shapes'"
query[vector]="SELECT name, section, left(description, 60) AS description,
       round((embedding <=> embed('distance between geometric shapes'))::numeric, 4) AS distance
  FROM functions
 ORDER BY embedding <=> embed('distance between geometric shapes') LIMIT 8;"

title[text]="BM25 over one field; the operator gives the negative score"
query[text]="SELECT name, section, left(description, 60) AS description,
       round((description <@> 'number of days')::numeric, 4) AS score
  FROM functions
 ORDER BY description <@> 'number of days' LIMIT 8;"

title[filtered]="any tree of conditions is applied inside the index"
query[filtered]="SELECT name, section, size, left(description, 60) AS description
  FROM functions
 WHERE size <= 2 AND (section = 'text' OR tags @> '{text}')
 ORDER BY embedding <=> embed('convert to upper or lower case') LIMIT 8;"

title[hybrid]="both, fused by reciprocal rank, in one call"
query[hybrid]="SELECT (s.doc).name, left((s.doc).description, 60) AS description,
       round(s.score::numeric, 5) AS score, s.vector_rank, s.text_rank
  FROM elacsym_search(NULL::functions, vector => embed('size of a table on disk'), text => 'disk size table',
                      filter => 'priority <> ''immutable''', k => 8) s;"

more="SELECT (s.doc).name, s.vector_rank, s.text_rank
  FROM elacsym_search(NULL::functions, vector => embed('random numbers'), text => 'random numbers') s;"
