-- elacsym_search(): fusion equals a reference, on a table, its partitions and
-- views; filters, rights, bad input.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT setseed(.5);
CREATE TABLE s (id bigint PRIMARY KEY, title text, dropped int, body text, price float8, tags text[], v vector(6));
ALTER TABLE s DROP COLUMN dropped;
INSERT INTO s SELECT i, 'title ' || i % 40, CASE WHEN i % 50 = 0 THEN NULL ELSE 'body w' || i % 7 || ' x' || i % 23 || repeat(' more', i % 9) || ' u' || i END,
	i / 2.0, ARRAY['t' || i % 3], CASE WHEN i % 33 = 0 THEN NULL ELSE ARRAY[random(), random(), random(), random(), random(), random()]::real[]::vector END
	FROM generate_series(1, 3000) i;
CREATE INDEX s_idx ON s USING elacsym (v vector_cosine_ops, title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'english'), price, tags);
INSERT INTO s SELECT i, 'fresh title', 'fresh body w3 x5', i, '{t9}', '[1,1,1,1,1,0]' FROM generate_series(4001, 4020) i;
DELETE FROM s WHERE id % 11 = 0;

-- what RRF is, in SQL, with every list and an exact sort
CREATE FUNCTION reference(rel regclass, vec text, words text, cond text, k int, wv float8 DEFAULT 1, wt float8 DEFAULT 1, win int DEFAULT 100, c int DEFAULT 60)
	RETURNS TABLE (id bigint, score float8, vector_rank bigint, text_rank bigint) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('elacsym.enable_customscan', 'off', true), set_config('enable_indexscan', 'off', true);
	RETURN QUERY EXECUTE format($q$
		WITH vl AS MATERIALIZED (SELECT d.id, row_number() OVER (ORDER BY v <=> $1::vector) AS r FROM %1$s d WHERE (%2$s) AND v IS NOT NULL AND $1 IS NOT NULL ORDER BY 2 LIMIT $3),
			tl AS MATERIALIZED (SELECT d.id, row_number() OVER (ORDER BY ARRAY[title, body] <@> $2, tableoid, ctid) AS r FROM %1$s d WHERE (%2$s) AND ARRAY[title, body] <@> $2 < 0 ORDER BY 2 LIMIT $3)
		SELECT coalesce(vl.id, tl.id), coalesce($4 / ($6 + vl.r), 0) + coalesce($5 / ($6 + tl.r), 0), vl.r, tl.r
		FROM vl FULL JOIN tl ON vl.id = tl.id ORDER BY 2 DESC, 3 NULLS LAST, 4 NULLS LAST LIMIT $7$q$, rel, cond)
		USING vec, words, win, wv, wt, c::float8, k;
	PERFORM set_config('elacsym.enable_customscan', 'on', true), set_config('enable_indexscan', 'on', true);
END $$;
-- Scores are compared as lists; ids too where scores are distinct.
CREATE FUNCTION compare(q text, r text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a float8[];
	b float8[];
BEGIN
	EXECUTE format('SELECT array_agg(round(score::numeric, 12)) FROM (%s) x', q) INTO a;
	EXECUTE format('SELECT array_agg(round(score::numeric, 12)) FROM (%s) x', r) INTO b;
	RETURN CASE WHEN a = b THEN format('%s equal', cardinality(a)) ELSE format('%s <> %s', a, b) END;
END $$;
SET elacsym.probes = 1000000;
SELECT compare($$SELECT * FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', text => 'title u17 u18 u19 u300 u1200')$$,
	$$SELECT * FROM reference('s', '[1,2,1,2,1,2]', 'title u17 u18 u19 u300 u1200', 'true', 10)$$);
SELECT (doc).id, round(score::numeric, 6) AS score, vector_rank, round(vector_distance::numeric, 4) AS distance, text_rank, round(text_score::numeric, 3) AS text_score
	FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', text => 'u17 u18 u19 u300 u1200', filter => 'price < 700', k => 5, text_weight => 2, vector_window => 5, rrf_k => 10);
SELECT compare($$SELECT * FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', text => 'u17 u18 u19 u300 u1200', filter => 'price < 700', k => 50, text_weight => 2, vector_weight => .5, vector_window => 50, text_window => 50, rrf_k => 10)$$,
	$$SELECT * FROM reference('s', '[1,2,1,2,1,2]', 'u17 u18 u19 u300 u1200', 'price < 700', 50, .5, 2, 50, 10)$$);
-- one leg alone; halfvec, real[] and text are taken as they come
SELECT compare($$SELECT * FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]'::halfvec, k => 3)$$, $$SELECT * FROM reference('s', '[1,2,1,2,1,2]', '', 'true', 3)$$);
SELECT compare($$SELECT * FROM elacsym_search(NULL::s, vector => '{1,2,1,2,1,2}'::real[], k => 3)$$, $$SELECT * FROM reference('s', '[1,2,1,2,1,2]', '', 'true', 3)$$);
SELECT (doc).id, text_rank, vector_rank FROM elacsym_search(NULL::s, text => 'u17', k => 3);
-- a halfvec column takes the same kinds of values
CREATE TABLE hs AS SELECT id, v::halfvec(6) AS h FROM s;
CREATE INDEX hs_idx ON hs USING elacsym (h halfvec_ip_ops);
SET enable_indexscan = off; SET elacsym.enable_customscan = off;
SELECT string_agg(id::text, ',') AS nearest FROM (SELECT id FROM hs ORDER BY h <#> '[1,2,1,2,1,2]', id LIMIT 5) x \gset
RESET enable_indexscan; RESET elacsym.enable_customscan;
SELECT string_agg((doc).id::text, ',' ORDER BY vector_rank) = :'nearest' AS halfvec FROM elacsym_search(NULL::hs, vector => '[1,2,1,2,1,2]'::halfvec, k => 5);
SELECT string_agg((doc).id::text, ',' ORDER BY vector_rank) = :'nearest' AS vector FROM elacsym_search(NULL::hs, vector => '[1,2,1,2,1,2]'::vector, k => 5);
SELECT string_agg((doc).id::text, ',' ORDER BY vector_rank) = :'nearest' AS array FROM elacsym_search(NULL::hs, vector => '{1,2,1,2,1,2}'::real[], k => 5);
SELECT string_agg((doc).id::text, ',' ORDER BY vector_rank) = :'nearest' AS text FROM elacsym_search(NULL::hs, vector => '[1,2,1,2,1,2]', k => 5);
DROP TABLE hs;
-- whole rows, a filter of any kind, rows of the delta
SELECT s.doc FROM elacsym_search(NULL::s, text => 'fresh u9', filter => $$tags && '{t9}' AND id IN (SELECT 4001 + g FROM generate_series(0, 3) g) -- comment$$) s WHERE (s.doc).id = 4003;
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', filter => 's.id % 700 = 1', k => 100);
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', filter => 'false', k => 100);
-- nothing to find is no error
SELECT count(*) FROM elacsym_search(NULL::s, text => '');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'nowhere');

-- partitions: the same answer as the table
CREATE TABLE p (LIKE s) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT * FROM s;
CREATE INDEX p_idx ON p USING elacsym (v vector_cosine_ops, title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'english'), price, tags);
VACUUM s;
SELECT elacsym_compact('s_idx') >= 0 AS compacted;
SELECT compare($$SELECT * FROM elacsym_search(NULL::p, vector => '[1,2,1,2,1,2]', text => 'u17 u18 u19 u300 u1200')$$,
	$$SELECT * FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', text => 'u17 u18 u19 u300 u1200')$$);
SELECT compare($$SELECT text_score AS score FROM elacsym_search(NULL::p, text => 'title w3 x5', k => 30)$$, $$SELECT text_score AS score FROM elacsym_search(NULL::s, text => 'title w3 x5', k => 30)$$);

-- views, one over the other, with other names and a condition
CREATE VIEW w1 AS SELECT id AS wid, v AS vec, title AS heading, body, price AS cost FROM s WHERE id < 2000;
CREATE VIEW w2 AS SELECT vec, heading AS h, body AS b, wid FROM w1 WHERE cost > 10;
SELECT compare($$SELECT * FROM elacsym_search(NULL::w2, vector => '[1,2,1,2,1,2]', text => 'u117 u118 u119 u300 u1200', filter => 'wid > 100')$$,
	$$SELECT * FROM reference('s', '[1,2,1,2,1,2]', 'u117 u118 u119 u300 u1200', 'id < 2000 AND price > 10 AND id > 100', 10)$$);
CREATE VIEW twice AS SELECT v, title, body FROM s UNION ALL SELECT v, title, body FROM s;
SELECT count(*) FROM elacsym_search(NULL::twice, text => 'u17');

-- several indexes: say which
CREATE INDEX s_l2_idx ON s USING elacsym (v vector_l2_ops);
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]');
SELECT round(vector_distance::numeric, 4) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', index => 's_l2_idx', k => 1);
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', index => 's_pkey');
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', text => 'x', index => 's_l2_idx');
DROP INDEX s_l2_idx;

-- rights: privileges and row-level security are the caller's
CREATE ROLE elacsym_reader;
SELECT has_table_privilege('elacsym_reader', 's', 'SELECT');
SET ROLE elacsym_reader;
SELECT count(*) FROM elacsym_search(NULL::s, text => 'u17');
RESET ROLE;
-- a view's reader needs no privilege on the table below; the view's owner does
GRANT SELECT ON w2 TO elacsym_reader;
CREATE SCHEMA reader AUTHORIZATION elacsym_reader;
SET ROLE elacsym_reader;
SELECT (doc).wid, round(text_score::numeric, 3) AS text_score FROM elacsym_search(NULL::w2, text => 'u117 u118 u119', filter => 'wid > 100') ORDER BY 1;
CREATE VIEW reader.own AS SELECT title, body FROM s;
CREATE FUNCTION reader.peek(words text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'score %', words <@> elacsym_bind(words, 's_idx', 3::int2); END $$;
SELECT count(*) FROM elacsym_search(NULL::reader.own, text => 'u17');
SELECT count(*) FROM elacsym_search(NULL::reader.own, text => 'u17', filter => 'reader.peek(''more'')');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'u17', filter => 'reader.peek(''more'')');
SELECT 'more' <@> elacsym_bind('more', 's_idx', 3::int2);
RESET ROLE;
DROP SCHEMA reader CASCADE;
GRANT SELECT ON s TO elacsym_reader;
ALTER TABLE s ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON s TO elacsym_reader USING (id % 2 = 0);
SET ROLE elacsym_reader;
SELECT (doc).id, text_rank FROM elacsym_search(NULL::s, text => 'u17 u18 u19 u20', k => 4);
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', k => 20) x WHERE (x.doc).id % 2 = 1;
SELECT max(vector_rank) FROM elacsym_search(NULL::s, vector => '[1,2,1,2,1,2]', k => 20);
SELECT elacsym_flush('s_idx');
SELECT elacsym_verify('s_idx');
SELECT count(*) > 0 AS may_look FROM elacsym_segments('s_idx');
RESET ROLE;
REVOKE SELECT ON s FROM elacsym_reader;
SET ROLE elacsym_reader;
SELECT count(*) FROM elacsym_segments('s_idx');
RESET ROLE;
ALTER TABLE s DISABLE ROW LEVEL SECURITY;

-- bad input; SQLSTATEs
\set VERBOSITY sqlstate
SELECT count(*) FROM elacsym_search(NULL::s);
SELECT count(*) FROM elacsym_search(NULL::s, k => 3);
SELECT count(*) FROM elacsym_search(NULL::int, text => 'x');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', k => 0);
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', k => -5);
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', text_weight => -1);
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', text_weight => 'NaN');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', text_window => 0);
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2]');
SELECT count(*) FROM elacsym_search(NULL::s, vector => 'nonsense');
SELECT count(*) FROM elacsym_search(NULL::s, vector => '[1,2,NaN,1,1,1]');
SELECT count(*) FROM elacsym_search(NULL::s, vector => 5);
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => '');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'price <');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'price');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'nosuch = 1');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'price = $1');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true; DELETE FROM s');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true) OR (true');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true ORDER BY 1');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true LIMIT 1');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true FROM s');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true UNION SELECT true');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true, true');
SELECT count(*) FROM elacsym_search(NULL::s, text => 'x', filter => 'true /*');
SELECT elacsym_flush('s');
SELECT elacsym_flush('s_pkey');
SELECT elacsym_compact('pg_class_oid_index');
SELECT elacsym_offload('s_idx');
SELECT elacsym_offload('s_idx', 'nosuch');
SELECT elacsym_verify(0);
SELECT count(*) FROM elacsym_delta('s_pkey');
\set VERBOSITY default
SELECT count(*) FROM s;
DROP VIEW twice, w2;
DROP VIEW w1;
DROP TABLE s, p;
DROP FUNCTION reference, compare;
DROP ROLE elacsym_reader;
