-- Bad input gets a clear error with the right SQLSTATE, and loses nothing: after
-- each group of errors the table and its index answer as before, and verify.
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on

-- Runs a statement: what it raised (SQLSTATE, message, hint), else what it returned or "done".
CREATE FUNCTION try(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	message text;
	hint text;
BEGIN
	IF q ~* '^\s*(select|values|table)' THEN
		EXECUTE q INTO result;
		RETURN coalesce(result, 'NULL');
	END IF;
	EXECUTE q;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ': ' || message || CASE WHEN hint <> '' THEN ' HINT: ' || hint ELSE '' END;
END $$;
-- The same where the words are the server's and differ by version.
CREATE FUNCTION try_state(q text) RETURNS text LANGUAGE sql AS $$ SELECT left(try(q), 5) $$;

CREATE TABLE b (id int PRIMARY KEY, v vector(3), body text, n int, tags text[]) WITH (autovacuum_enabled = off);
INSERT INTO b SELECT i, ARRAY[sin(i), cos(i), i % 7]::real[]::vector, 'word w' || i % 13 || repeat(' more', i % 5), i % 10, ARRAY['t' || i % 3]
	FROM generate_series(1, 300) i;
CREATE INDEX b_idx ON b USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), n, tags);
INSERT INTO b SELECT i, ARRAY[sin(i), cos(i), i % 7]::real[]::vector, 'word w' || i % 13, i % 10, ARRAY['t' || i % 3]
	FROM generate_series(301, 310) i;

-- Rows of the table, found by each kind of scan, and the nearest of each.
CREATE FUNCTION still() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	all_rows int;
	by_vector int;
	by_text int;
	by_condition int;
	nearest int;
	best int;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
	SELECT count(*) INTO by_vector FROM (SELECT id FROM b ORDER BY v <=> '[1,2,3]') s;
	SELECT count(*) INTO by_text FROM (SELECT id FROM b ORDER BY body <@> 'w5 more') s;
	SELECT count(*) INTO by_condition FROM b WHERE n >= 0;
	SELECT id INTO nearest FROM b ORDER BY v <=> '[1,0.5,3]' LIMIT 1;
	SELECT id INTO best FROM b WHERE n = 3 ORDER BY body <@> 'w5 w6' LIMIT 1;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true);
	SELECT count(*) INTO all_rows FROM b;
	PERFORM set_config('enable_indexscan', 'on', true), elacsym_verify('b_idx');
	RETURN format('%s rows; %s by vector, %s by text, %s by condition; nearest %s, best %s', all_rows, by_vector, by_text, by_condition, nearest, best);
END $$;
SELECT still();

-- dimensions
SELECT try($$INSERT INTO b VALUES (1000, '[1,2]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[1,2,3,4]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '{1,2}'::real[])$$);
SELECT try($$UPDATE b SET v = '[1,2]' WHERE id = 1$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> '[1,2]' LIMIT 1$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> '[1,2,3,4]'::vector LIMIT 1$$);
SELECT try($$SELECT v <=> '[1,2]' FROM b LIMIT 1$$);
SELECT try($$SELECT count(*) FROM elacsym_search(NULL::b, vector => '[1,2]')$$);
CREATE TABLE no_dim (id int, v vector, h halfvec);
INSERT INTO no_dim VALUES (1, '[1,2]', '[1,2]'), (2, '[1,2,3]', '[1,2,3]'), (3, NULL, NULL);
SELECT try($$CREATE INDEX ON no_dim USING elacsym (v)$$);
SELECT try($$CREATE INDEX ON no_dim USING elacsym (h)$$);
SELECT try($$CREATE INDEX ON no_dim USING elacsym ((v::vector(3)))$$);
SELECT try($$CREATE INDEX ON no_dim USING elacsym ((v || v))$$);
TRUNCATE no_dim;	-- a deleted row is indexed too while somebody may see it
INSERT INTO no_dim VALUES (2, '[1,2,3]', '[1,2,3]'), (3, NULL, NULL);
SELECT try($$CREATE INDEX no_dim_idx ON no_dim USING elacsym ((v::vector(3)))$$);
SELECT try($$INSERT INTO no_dim VALUES (4, '[1,2,3,4]')$$);
SELECT try($$INSERT INTO no_dim VALUES (4, '[4,5,6]')$$);
SELECT try($$SELECT string_agg(id::text, ' ') FROM (SELECT id FROM no_dim ORDER BY v::vector(3) <-> '[4,5,6]') s$$);
SELECT try($$SELECT id FROM no_dim ORDER BY v::vector(3) <-> '[4,5]' LIMIT 1$$);
SELECT try($$ALTER TABLE no_dim ALTER v TYPE vector(5)$$);
SELECT elacsym_verify('no_dim_idx');
CREATE DOMAIN bad_embedding AS vector(3) CHECK (value IS NOT NULL);
CREATE TABLE domains (id int, v bad_embedding, w vector(3));
INSERT INTO domains VALUES (1, '[1,2,3]', NULL), (2, '[3,2,1]', '[1,1,1]');
CREATE INDEX domains_idx ON domains USING elacsym (v);
SELECT try($$INSERT INTO domains VALUES (3, '[1,2]')$$);
SELECT try($$INSERT INTO domains VALUES (3, NULL)$$);
SELECT try($$INSERT INTO domains VALUES (3, '[1,1,1]')$$);
SET enable_seqscan = off;
SELECT try($$SELECT string_agg(id::text, ' ') FROM (SELECT id FROM domains ORDER BY v <-> '[3,2,1]') s$$);
SELECT try($$SELECT id FROM domains ORDER BY v <-> '[3,2]' LIMIT 1$$);
RESET enable_seqscan;
DROP TABLE domains;
DROP DOMAIN bad_embedding;
SELECT try($$CREATE TABLE t (v vector(0))$$);
SELECT try($$CREATE TABLE t (v vector(-1))$$);
SELECT try($$CREATE TABLE t (v vector(1, 2))$$);
SELECT try($$CREATE TABLE t (v vector(16001))$$);
SELECT try($$CREATE TABLE t (v halfvec(16001))$$);
SELECT still();

-- 16,000 components are stored, 4,096 indexed
SELECT try($$SELECT array_fill(1::real, '{16001}')::vector$$);
SELECT try($$SELECT ('[' || repeat('1,', 16000) || '1]')::vector$$);
SELECT try($$SELECT array_fill(1::real, '{9000}')::vector || array_fill(1::real, '{9000}')::vector$$);
SELECT try($$SELECT vector_dims(array_fill(1::real, '{16000}')::vector)$$);
SELECT try($$SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec)$$);
CREATE TABLE wide (id int, a vector(4096), b vector(4097), c vector(16000), h halfvec(4096), g halfvec(4097));
INSERT INTO wide SELECT i, x::vector, (x || 1::real)::vector, (x || x || x || x[1 : 3712])::vector, x::halfvec, (x || 1::real)::halfvec
	FROM generate_series(1, 20) i, LATERAL (SELECT array_agg(sin(i * j)::real) AS x FROM generate_series(1, 4096) j) s;
SELECT try($$CREATE INDEX ON wide USING elacsym (b)$$);
SELECT try($$CREATE INDEX ON wide USING elacsym (c)$$);
SELECT try($$CREATE INDEX ON wide USING elacsym (g)$$);
SELECT try($$CREATE INDEX wide_a ON wide USING elacsym (a)$$);
SELECT try($$CREATE INDEX wide_h ON wide USING elacsym (h halfvec_cosine_ops) WITH (bits = 8)$$);
INSERT INTO wide SELECT id + 100, a, b, c, h, g FROM wide WHERE id < 4;
SELECT vector_dims(c), count(*) FROM wide GROUP BY 1;
SET enable_seqscan = off;
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM wide ORDER BY a <-> (SELECT a FROM wide WHERE id = 3), id LIMIT 2) s;
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM wide ORDER BY h <=> (SELECT h FROM wide WHERE id = 20) LIMIT 1) s;
SELECT count(*) FROM (SELECT id FROM wide ORDER BY h <=> (SELECT h FROM wide WHERE id = 20)) s;
RESET enable_seqscan;
SELECT elacsym_flush('wide_a'), elacsym_compact('wide_h') > 0, elacsym_verify('wide_a'), elacsym_verify('wide_h');
DROP TABLE wide, no_dim;

-- components that are no numbers
SELECT try($$INSERT INTO b VALUES (1000, '[1,NaN,3]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[1,Infinity,3]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[1,-inf,3]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[1,4e38,3]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '[1,x,3]')$$);
SELECT try($$INSERT INTO b VALUES (1000, '{1,NaN,3}'::real[])$$);
SELECT try($$INSERT INTO b VALUES (1000, '{1,-Infinity,3}'::float8[])$$);
SELECT try($$INSERT INTO b VALUES (1000, '{1,NULL,3}'::real[])$$);
SELECT try($$INSERT INTO b VALUES (1000, '{{1,2,3}}'::real[])$$);
SELECT try($$SELECT '[1,70000,3]'::halfvec$$);
SELECT try($$SELECT '[3e38,1,1]'::vector::halfvec$$);
SELECT try($$SELECT '[3e38,1,1]'::vector + '[3e38,1,1]'::vector$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> '[NaN,1,2]' LIMIT 1$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> '[1,2,Infinity]' LIMIT 1$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> 'nonsense' LIMIT 1$$);
SELECT try($$SELECT id FROM b ORDER BY v <=> '' LIMIT 1$$);
SELECT still();

-- values at the end of the range of float4: distances that overflow, and rows that are not lost by it
CREATE TABLE huge (id int, v vector(2));
INSERT INTO huge VALUES (1, '[3e38,3e38]'), (2, '[-3e38,3e38]'), (3, '[1e-40,1e-40]'), (4, '[1,1]'), (5, '[0,0]'), (6, NULL), (7, '[1e30,1]');
CREATE INDEX huge_l2 ON huge USING elacsym (v vector_l2_ops);
CREATE INDEX huge_ip ON huge USING elacsym (v vector_ip_ops);
CREATE INDEX huge_cos ON huge USING elacsym (v vector_cosine_ops);
INSERT INTO huge SELECT id + 10, v FROM huge;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <-> '[1,1]') s;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <#> '[1,1]') s;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <=> '[1,1]') s;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <-> '[3e38,-3e38]') s;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <=> '[3e38,-3e38]') s;
SELECT count(*) FROM (SELECT id FROM huge ORDER BY v <=> '[1e-44,1e-44]') s;
RESET enable_seqscan;
SELECT elacsym_compact('huge_l2') > 0, elacsym_compact('huge_ip') > 0, elacsym_compact('huge_cos') > 0;
SELECT elacsym_verify('huge_l2'), elacsym_verify('huge_ip'), elacsym_verify('huge_cos');
DROP TABLE huge;

-- zero vectors under cosine: after those with a distance, before NULL, in the index as in the delta; a zero query: all are NaN
CREATE TABLE zero (id int, v vector(2));
INSERT INTO zero VALUES (1, '[0,0]'), (2, '[1,1]'), (3, NULL), (4, '[1,0]');
CREATE INDEX zero_idx ON zero USING elacsym (v vector_cosine_ops);
INSERT INTO zero VALUES (5, '[0,0]'), (6, '[-1,-1]'), (7, NULL);
SET enable_seqscan = off;
SELECT string_agg(d, ' ') FROM (SELECT coalesce(round((v <=> '[1,1]')::numeric, 3)::text, 'NULL') AS d FROM zero ORDER BY v <=> '[1,1]') s;
SELECT string_agg(d, ' ') FROM (SELECT coalesce((v <=> '[0,0]')::text, 'NULL') AS d FROM zero ORDER BY v <=> '[0,0]') s;
SELECT string_agg(d, ' ') FROM (SELECT coalesce((v <=> NULL)::text, 'NULL') AS d FROM zero ORDER BY v <=> (SELECT NULL::vector)) s;
SELECT count(*), count(vector_distance) FROM elacsym_search(NULL::zero, vector => '[0,0]', k => 100);
SELECT elacsym_flush('zero_idx');
SELECT string_agg(d, ' ') FROM (SELECT coalesce(round((v <=> '[1,1]')::numeric, 3)::text, 'NULL') AS d FROM zero ORDER BY v <=> '[1,1]') s;
RESET enable_seqscan;
DROP TABLE zero;

-- texts of any size, and tokens of 3,000 bytes (the server's parsers and dictionaries decide what becomes of them)
SET client_min_messages = error;	-- "word is too long to be indexed"
SELECT try($$INSERT INTO b (id, body, n) VALUES (2000, '', 100), (2001, '   ', 100), (2002, 'the of and', 100), (2003, NULL, 100)$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2010, repeat('megabyte ', 120000), 101$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2011, string_agg('distinct' || i, ' '), 101 FROM generate_series(1, 80000) i$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2012, repeat('x', 3000) || ' short', 102$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2013, repeat('x', 1100000), 102$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2014, repeat('ä', 1500) || ' short', 102$$);
SELECT try($$INSERT INTO b (id, body, n) SELECT 2015, repeat('x', 2046) || ' short', 102$$);
SELECT try($$SELECT octet_length(body) FROM b WHERE id = 2010$$);
SET enable_seqscan = off;
SELECT id, body <@> 'megabyte' < 0 FROM b ORDER BY body <@> 'megabyte' LIMIT 1;
SELECT id FROM b ORDER BY body <@> 'distinct79999' LIMIT 1;
SELECT count(*) FROM (SELECT id FROM b WHERE body <@> 'short' < 0 AND n = 102 ORDER BY body <@> 'short') s;
SELECT id FROM b ORDER BY body <@> (SELECT body FROM b WHERE id = 2015) LIMIT 1;
SELECT elacsym_flush('b_idx');
SELECT id, body <@> 'megabyte' < 0 FROM b ORDER BY body <@> 'megabyte' LIMIT 1;
SELECT id FROM b ORDER BY body <@> 'distinct79999' LIMIT 1;
SELECT id FROM b ORDER BY body <@> (SELECT body FROM b WHERE id = 2011) LIMIT 1;
SELECT id FROM b ORDER BY body <@> (SELECT body FROM b WHERE id = 2015) LIMIT 1;
SELECT id FROM b WHERE n = 100 AND body IS NULL ORDER BY body <@> 'nothing';

-- queries that find nothing are no errors; NULL is as unknown as ever
SELECT count(*), count(DISTINCT body <@> '') FROM b WHERE body <@> '' = 0;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> '') s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> 'the of and') s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> '!@#$ %^&*()') s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> NULL) s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> (SELECT NULL::text)) s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> repeat('long ', 300000)) s;
SELECT count(*) FROM (SELECT id FROM b ORDER BY body <@> repeat('y', 3000)) s;
SELECT count(*) FROM elacsym_search(NULL::b, text => 'the of and');
SELECT count(*) FROM elacsym_search(NULL::b, text => repeat('x', 3000) || ' nowhere');
RESET enable_seqscan;
DELETE FROM b WHERE id >= 2000;
SET client_min_messages = warning;
SELECT still();

-- text search configurations
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (config = 'klingon'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (config = 'nowhere.english'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (config = ''))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (config = 'a.b.c.d'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (config = '"unclosed'))$$);
CREATE TEXT SEARCH CONFIGURATION public.own (COPY = english);
CREATE TABLE conf (id int, body text);
INSERT INTO conf VALUES (1, 'running shoes'), (2, 'standing still');
CREATE INDEX conf_idx ON conf USING elacsym (body text_bm25_ops (config = 'public.own'));
SELECT try($$DROP TEXT SEARCH CONFIGURATION own$$);
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'run' LIMIT 1$$);
-- renamed under the index: the name that was frozen is gone
ALTER TEXT SEARCH CONFIGURATION own RENAME TO mine;
SELECT try($$INSERT INTO conf VALUES (3, 'walk')$$);
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'run' LIMIT 1$$);
SELECT try($$REINDEX INDEX conf_idx$$);
ALTER TEXT SEARCH CONFIGURATION mine RENAME TO own;
SELECT try($$INSERT INTO conf VALUES (3, 'walk')$$);
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'walks' LIMIT 1$$);
SELECT try($$DROP TEXT SEARCH CONFIGURATION own CASCADE$$);
SELECT count(*) FROM pg_class WHERE relname = 'conf_idx';
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'walks' LIMIT 1$$);
SELECT count(*) FROM conf;
-- a dump is restored with an empty search_path
CREATE SCHEMA bad_schema;
CREATE TEXT SEARCH CONFIGURATION bad_schema."Its Own" (COPY = english);
CREATE TEXT SEARCH CONFIGURATION bad_schema.german (COPY = english);
SET search_path = bad_schema, public, pg_catalog;
SELECT try($$CREATE INDEX ON conf USING elacsym (body text_bm25_ops (config = '"Its Own"'))$$);
SELECT try($$CREATE INDEX conf_german ON conf USING elacsym (body text_bm25_ops (config = 'german'))$$);
RESET search_path;
SELECT pg_describe_object(refclassid, refobjid, 0) FROM pg_depend WHERE objid = 'conf_german'::regclass AND refclassid = 'pg_ts_config'::regclass;
DROP INDEX conf_german;
CREATE INDEX conf_idx ON conf USING elacsym (body text_bm25_ops (config = 'bad_schema."Its Own"'));
-- who writes and reads needs no right to the schema of the configuration, nor does the owner of the table
CREATE ROLE regress_elac_bad;
GRANT INSERT, SELECT, UPDATE ON conf TO regress_elac_bad;
SET ROLE regress_elac_bad;
SELECT try($$INSERT INTO conf VALUES (4, 'sleeping cats')$$);
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'cat' LIMIT 1$$);
SELECT try($$SELECT (doc).id FROM elacsym_search(NULL::conf, text => 'cat')$$);
RESET ROLE;
ALTER TABLE conf OWNER TO regress_elac_bad;
SELECT try($$SELECT elacsym_flush('conf_idx')$$);
SELECT try($$REINDEX INDEX conf_idx$$);
SELECT try($$SELECT id FROM conf ORDER BY body <@> 'cat' LIMIT 1$$);
DROP TABLE conf;
DROP ROLE regress_elac_bad;
DROP SCHEMA bad_schema CASCADE;

-- options
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (nonsense = 1)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (bits = 9)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (bits = -1)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (bits = 'four')$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (bits = 2.5)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (rerank = 'sometimes')$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (v) WITH (fillfactor = 70)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (store = 'nowhere')$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (store = '')$$);
SELECT try($$ALTER INDEX b_idx SET (bits = 100)$$);
SELECT try($$ALTER INDEX b_idx SET (nonsense = on)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (k1 = -1))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (k1 = 'NaN'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (k1 = 1e10))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (b = 1.1))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (b = 'NaN'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (weight = -2))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (weight = 'heavy'))$$);
SELECT try($$CREATE INDEX ON b USING elacsym (body text_bm25_ops (language = 'english'))$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (v vector_l2_ops (config = 'english'))$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n int4_ops (weight = 1))$$);
SELECT try_state($$ALTER INDEX b_idx ALTER COLUMN 2 SET (k1 = 3)$$);
SELECT try_state($$SET elacsym.probes = -1$$);
SELECT try_state($$SET elacsym.epsilon = 'NaN'$$);
SELECT try_state($$SET elacsym.epsilon = 101$$);
SELECT try_state($$SET elacsym.delta_limit = 9$$);
SELECT try_state($$SET elacsym.session_cache = '1kB'$$);
SELECT try_state($$SET elacsym.store_timeout = 'soon'$$);
SELECT try_state($$SET elacsym.nonsense = 1$$);
SELECT still();

-- what the access method does not do
SELECT try($$CREATE INDEX ON b USING elacsym (v, v)$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v vector_l2_ops, n, (v::halfvec(3)) halfvec_l2_ops)$$);
SELECT try_state($$CREATE UNIQUE INDEX ON b USING elacsym (n)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (v) INCLUDE (n)$$);
SELECT try_state($$ALTER TABLE b ADD EXCLUDE USING elacsym (n WITH =)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n DESC)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n NULLS FIRST)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (v vector_ops)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n text_bm25_ops)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (nowhere)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (ctid)$$);
SELECT try_state($$CLUSTER b USING b_idx$$);
CREATE TABLE odd (j jsonb, p point, i interval, m money, c "char", bin bytea, bits bit(3), ts tsvector, x xml, r int4range, e inet,
	vs vector(2)[], ps point[], js jsonb[], nums numeric[], ints int[]);
-- arrays are attributes whatever they are of: they are compared by their type's operators, or not at all
INSERT INTO odd (vs, ps, js, nums, ints) VALUES ('{"[1,2]"}', '{"(1,1)"}', '{"{}"}', '{1.0,NULL}', '{{1,2},{3,4}}'), ('{}', '{}', '{}', '{}', '[5:6]={1,2}');
SELECT a.attname, try_state(format('CREATE INDEX odd_%1$s ON odd USING elacsym (%1$I)', a.attname))
	FROM pg_attribute a WHERE a.attrelid = 'odd'::regclass AND a.attnum > 0 ORDER BY a.attnum;
INSERT INTO odd SELECT * FROM odd;
SELECT elacsym_compact(c.oid) > 0, elacsym_verify(c.oid) FROM pg_class c WHERE relkind = 'i' AND relname LIKE 'odd\_%';
SET enable_seqscan = off;
SELECT count(*) FROM odd WHERE ints @> '{2}';
SELECT count(*) FROM odd WHERE nums = '{1,NULL}';
SELECT count(*) FROM odd WHERE vs = '{"[1,2]"}';
SELECT try_state($$SELECT count(*) FROM odd WHERE ps = '{"(1,1)"}'$$);
RESET enable_seqscan;
DROP TABLE odd;
-- 32 columns are the server's limit
SELECT try('CREATE TABLE broad (' || string_agg('c' || i || ' int', ', ') || ')') FROM generate_series(1, 33) i;
SELECT try_state('CREATE INDEX ON broad USING elacsym (' || string_agg('c' || i, ', ') || ')') FROM generate_series(1, 33) i;
SELECT try('CREATE INDEX broad_idx ON broad USING elacsym (' || string_agg('c' || i, ', ') || ')') FROM generate_series(1, 32) i;
INSERT INTO broad (c1, c32) SELECT i, -i FROM generate_series(1, 50) i;
SET enable_seqscan = off;
SELECT c1 FROM broad WHERE c32 = -7 AND c31 IS NULL;
RESET enable_seqscan;
DROP TABLE broad;
-- <@> without an index, or with arguments of another kind
CREATE TABLE plain (id int, body text, v vector(3));
INSERT INTO plain VALUES (1, 'text', '[1,2,3]');
SELECT try($$SELECT id FROM plain ORDER BY body <@> 'text'$$);
SELECT try($$SELECT 'text' <@> 'text'$$);
SELECT try_state($$SELECT body <@> 5 FROM b$$);
SELECT try($$SELECT 'text'::elacsym_query$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', 1::int2)$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', 99::int2)$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', -1::int2)$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', '{}'::int2[])$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', '{2,NULL}'::int2[])$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', '{2,2}'::int2[])$$);
SELECT try($$SELECT elacsym_bind('text', 'b_pkey', 1::int2)$$);
SELECT try($$SELECT elacsym_bind('text', 'b', 1::int2)$$);
SELECT try($$SELECT body <@> elacsym_bind('text', 'b_idx', 2::int2) FROM plain$$);
SELECT try($$SELECT count(*) FROM elacsym_search(NULL::plain, text => 'text')$$);
DROP TABLE plain;
SELECT still();

-- functions: not an index, not ours, nothing, no privilege
SELECT f, try_state(format('SELECT count(*) FROM %s(%L)', f, o)) FROM unnest(ARRAY['elacsym_flush', 'elacsym_compact', 'elacsym_offload', 'elacsym_onload',
	'elacsym_verify', 'elacsym_segments', 'elacsym_sections', 'elacsym_delta']) f, unnest(ARRAY['b', 'b_pkey', 'nowhere']) o;
SELECT try($$SELECT elacsym_flush('b')$$);
SELECT try($$SELECT elacsym_flush('b_pkey')$$);
SELECT try($$SELECT elacsym_flush(0)$$);
SELECT try($$SELECT elacsym_flush(NULL)$$);
SELECT try($$SELECT elacsym_offload(NULL)$$);
SELECT try($$SELECT count(*) FROM elacsym_segments(NULL)$$);
BEGIN READ ONLY;
SELECT f, try_state(format('SELECT %s(%L)', f, 'b_idx')) FROM unnest(ARRAY['elacsym_flush', 'elacsym_compact', 'elacsym_offload', 'elacsym_onload', 'elacsym_verify']) f;
ROLLBACK;
CREATE ROLE regress_elac_bad;
SET ROLE regress_elac_bad;
SELECT f, try_state(format('SELECT count(*) FROM %s(%L)', f, 'b_idx')) FROM unnest(ARRAY['elacsym_flush', 'elacsym_compact', 'elacsym_offload', 'elacsym_onload',
	'elacsym_verify', 'elacsym_segments', 'elacsym_sections', 'elacsym_delta']) f;
SELECT try($$SELECT id FROM b ORDER BY v <=> '[1,2,3]' LIMIT 1$$);
SELECT try($$SELECT elacsym_bind('text', 'b_idx', 2::int2)$$);
SELECT try($$SELECT 'word' <@> elacsym_bind('word', 'b_idx', 2::int2)$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n)$$);
SELECT try_state($$SELECT elacsym_adopt_vector()$$);
RESET ROLE;
SELECT still();

-- stores: none named, gone, of another wrapper, no privilege, a directory that is absent or cannot be written
SELECT try($$SELECT elacsym_offload('b_idx')$$);
SELECT try($$SELECT elacsym_offload('b_idx', 'nowhere')$$);
SELECT try($$SELECT elacsym_onload('b_idx')$$);
CREATE FOREIGN DATA WRAPPER bad_other;
CREATE SERVER bad_foreign FOREIGN DATA WRAPPER bad_other;
CREATE SERVER bad_absent FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/nowhere/elacsym');
CREATE SERVER bad_file FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/etc/passwd');
CREATE SERVER bad_locked FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/etc');
CREATE SERVER bad_keyless FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', endpoint 'http://127.0.0.1:1');
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_foreign')$$);
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_absent')$$);
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_file')$$);
SELECT try_state($$SELECT elacsym_offload('b_idx', 'bad_locked')$$);
SELECT try($$CREATE INDEX ON b USING elacsym (v) WITH (store = 'bad_foreign')$$);
SELECT still();
-- the index keeps its answers while its store cannot be used
SELECT try($$ALTER INDEX b_idx SET (store = 'bad_absent')$$);
SELECT try($$SELECT elacsym_offload('b_idx')$$);
SELECT try($$REINDEX INDEX b_idx$$);
SELECT try($$DROP SERVER bad_absent$$);
SELECT try($$ALTER INDEX b_idx SET (store = 'nowhere')$$);
SELECT try($$SELECT elacsym_offload('b_idx')$$);
SELECT still();
SELECT try($$ALTER INDEX b_idx RESET (store)$$);
SELECT try($$REINDEX INDEX b_idx$$);
SELECT try($$DROP SERVER bad_absent$$);
-- temporary and unlogged tables have no store
CREATE SERVER bad_absent FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '/nowhere/elacsym');
CREATE TEMP TABLE bad_temp (v vector(2));
CREATE UNLOGGED TABLE bad_unlogged (v vector(2));
SELECT try($$CREATE INDEX bad_temp_store ON bad_temp USING elacsym (v) WITH (store = 'bad_absent')$$);
SELECT try($$CREATE INDEX bad_unlogged_store ON bad_unlogged USING elacsym (v) WITH (store = 'bad_absent')$$);
CREATE INDEX bad_temp_idx ON bad_temp USING elacsym (v);
CREATE INDEX bad_unlogged_idx ON bad_unlogged USING elacsym (v);
SELECT try($$SELECT elacsym_offload('bad_temp_idx', 'bad_absent')$$);
SELECT try($$SELECT elacsym_offload('bad_unlogged_idx', 'bad_absent')$$);
DROP TABLE bad_temp, bad_unlogged;
-- no privilege on the server
ALTER TABLE b OWNER TO regress_elac_bad;
GRANT USAGE ON SCHEMA public TO regress_elac_bad;
SET ROLE regress_elac_bad;
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_keyless')$$);
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_absent')$$);
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER bad_keyless, bad_absent TO regress_elac_bad;
SET ROLE regress_elac_bad;
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_keyless')$$);
SELECT try($$SELECT elacsym_offload('b_idx', 'bad_absent')$$);
SELECT still();
RESET ROLE;
ALTER TABLE b OWNER TO CURRENT_USER;
DROP FOREIGN DATA WRAPPER bad_other CASCADE;
DROP SERVER bad_absent, bad_file, bad_locked, bad_keyless;
DROP OWNED BY regress_elac_bad;
DROP ROLE regress_elac_bad;

-- partial and expression indexes: an expression that fails loses the statement and nothing else
CREATE INDEX b_part ON b USING elacsym ((ARRAY[10 / (n - 20), n, id]::real[]::vector(3)) vector_l2_ops, (upper(body))) WHERE n < 8 OR n = 20;
SELECT try($$INSERT INTO b VALUES (3000, '[1,2,3]', 'x', 20)$$);
SELECT try($$UPDATE b SET n = 20 WHERE id = 7$$);
SELECT try($$UPDATE b SET n = -20, id = 3001 WHERE id = 7$$);
SELECT try($$UPDATE b SET id = 7, n = 7 WHERE id = 3001$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym ((10 / (n - 5)))$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym (n) WHERE 10 / (n - 5) > 0$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym ((random()))$$);
SELECT try_state($$CREATE INDEX ON b USING elacsym ((v <=> '[1,2,3]')) WHERE random() > .5$$);
SELECT elacsym_verify('b_part');
DROP INDEX b_part;
SELECT still();

-- top-level errors, in and out of transactions, in a cursor that is half read, in COPY
\set VERBOSITY sqlstate
SELECT id FROM b ORDER BY v <=> '[1,2]' LIMIT 1;
SELECT id FROM b ORDER BY v <=> '[1,2,3]', 10 / (n - n) LIMIT 1;
SELECT 10 / (id - id) FROM b ORDER BY v <=> '[1,2,3]' LIMIT 5;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM b ORDER BY body <@> 'w5 w6';
MOVE 7 IN c;
SAVEPOINT s;
INSERT INTO b VALUES (4000, '[1,2,3]', 'lost', 1), (4001, '[1,2]', 'never', 1);
ROLLBACK TO s;
MOVE 500 IN c;
INSERT INTO b VALUES (4002, '[1,2,3]', 'kept until the end', 1);
SELECT 1 / 0;
SELECT id FROM b ORDER BY v <=> '[1,2,3]' LIMIT 1;
COMMIT;
COPY b (id, v) FROM stdin;
5000	[1,2,3]
5001	[1,2]
\.
COPY b (id, v) FROM stdin;
5000	[1,2,3]
5001	[1,NaN,2]
\.
BEGIN;
SET LOCAL statement_timeout = 1;
SELECT count(*) FROM b x, LATERAL (SELECT id FROM b y ORDER BY y.v <=> x.v) s;
ROLLBACK;
-- CREATE INDEX CONCURRENTLY that fails leaves an index that nobody uses and a table that nothing stops
CREATE INDEX CONCURRENTLY b_half ON b USING elacsym (v vector_l2_ops, (10 / (n - 5)));
SELECT indisvalid FROM pg_index WHERE indexrelid = 'b_half'::regclass;
SELECT elacsym_flush('b_half');
SELECT count(*) FROM elacsym_search(NULL::b, vector => '[1,2,3]', index => 'b_half');
INSERT INTO b VALUES (6000, '[1,2,3]', 'afterwards', 1);
SELECT id FROM b ORDER BY v <-> '[1,2,3]' LIMIT 1;
DELETE FROM b WHERE id = 6000;
DROP INDEX b_half;
\set VERBOSITY default
SELECT still();
SELECT count(*) FROM b WHERE id >= 1000;
SET enable_seqscan = off;
SELECT count(*) FROM b WHERE body <@> 'lost kept never' < 0;
RESET enable_seqscan;
DROP TABLE b;
DROP FUNCTION still, try_state, try;
