-- A score that is selected is the score that the index ordered by, to the last bit, in whatever form
-- a statement has, and wherever the rows lie: each form is asked of the index and of a sort of
-- the operator's values.
SET client_min_messages = warning;
SET jit = off;
SET default_text_search_config = 'pg_catalog.english';
CREATE TABLE fo_docs (id int PRIMARY KEY, title text, body text, tags text[], doc tsvector, cat int) WITH (autovacuum_enabled = off);
CREATE FUNCTION fo_add(low int, high int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO fo_docs
	SELECT i, t, b, CASE WHEN i % 5 > 0 THEN ARRAY[t, 'tag ' || i % 9] END, setweight(to_tsvector('english', coalesce(t, '')), 'A') || to_tsvector('english', coalesce(b, '')), i % 6
	FROM (SELECT i, CASE WHEN i % 31 > 0 THEN 'Title ' || i % 40 || CASE WHEN i % 4 = 0 THEN ' of foxes' ELSE '' END END AS t,
		CASE WHEN i % 29 > 0 THEN 'The quick brown fox ' || i % 37 || repeat(' jumps', i % 6) || repeat(' over lazy dogs', i % 3)
			|| CASE WHEN i % 100 = 1 THEN ' and a zebra' ELSE '' END END AS b FROM generate_series(low, high) i) x $$;
SELECT fo_add(1, 900);
CREATE INDEX fo_idx ON fo_docs USING elacsym (title text_bm25_ops (config = 'english', weight = 2, b = 0.3), body text_bm25_ops (config = 'english'),
	tags text_array_bm25_ops (config = 'english'), doc tsvector_bm25_ops (config = 'english', weight_a = 3), cat);
CREATE VIEW fo_view AS SELECT id AS number, title AS heading, body AS content, doc AS vector, cat AS kind FROM fo_docs;
CREATE VIEW fo_view2 AS SELECT *, 'x' AS more FROM fo_view WHERE kind < 5;
-- the same rows in partitions, one of which is partitioned itself
CREATE TABLE fo_parts (LIKE fo_docs) PARTITION BY LIST (cat);
CREATE TABLE fo_parts1 PARTITION OF fo_parts FOR VALUES IN (0, 1);
CREATE TABLE fo_parts2 PARTITION OF fo_parts DEFAULT PARTITION BY RANGE (id);
CREATE TABLE fo_parts2a PARTITION OF fo_parts2 FOR VALUES FROM (0) TO (500);
CREATE TABLE fo_parts2b PARTITION OF fo_parts2 DEFAULT;
CREATE INDEX fo_parts_idx ON fo_parts USING elacsym (title text_bm25_ops (config = 'english', weight = 2, b = 0.3), body text_bm25_ops (config = 'english'), cat);
CREATE VIEW fo_parts_view AS SELECT id, body AS content FROM fo_parts;
INSERT INTO fo_parts SELECT * FROM fo_docs;
ANALYZE fo_docs, fo_parts;
-- statements that take the query as a parameter
SET plan_cache_mode = force_generic_plan;
CREATE FUNCTION fo_generic(q text) RETURNS TABLE (id int, s float8) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT d.id, d.body <@> q FROM fo_docs d ORDER BY d.body <@> q, d.id LIMIT 40;
END $$;
CREATE FUNCTION fo_generic_tsquery(q tsquery) RETURNS TABLE (id int, s float8) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT d.id, d.doc <@> q FROM fo_docs d WHERE d.doc @@ q ORDER BY d.doc <@> q, d.id;
END $$;
CREATE FUNCTION fo_generic_match(q text, wanted real) RETURNS TABLE (id int, s float8) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT d.id, ARRAY[d.title, d.body] <@> elacsym_match(q, min_match => wanted) FROM fo_docs d
		ORDER BY ARRAY[d.title, d.body] <@> elacsym_match(q, min_match => wanted), d.id LIMIT 40;
END $$;
CREATE FUNCTION fo_generic_web(q text) RETURNS TABLE (id int, s float8) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT d.id, d.body <@> websearch_to_tsquery('english', q) FROM fo_docs d WHERE d.body @@ websearch_to_tsquery('english', q)
		ORDER BY d.body <@> websearch_to_tsquery('english', q), d.id LIMIT 40;
END $$;
CREATE FUNCTION fo_generic_from(q text) RETURNS TABLE (id int, s float8) STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT d.id, d.body <@> t FROM fo_docs d, websearch_to_tsquery('english', q) t WHERE d.body @@ t ORDER BY d.body <@> t, d.id LIMIT 40;
END $$;
CREATE FUNCTION fo_inlined(q text) RETURNS TABLE (id int, s float8) STABLE LANGUAGE sql AS $$
	SELECT d.id, d.body <@> q FROM fo_docs d ORDER BY d.body <@> q, d.id LIMIT 40 $$;

CREATE TABLE fo_forms (n int GENERATED ALWAYS AS IDENTITY, form text, q text);
INSERT INTO fo_forms (form, q) VALUES
	('table', $$SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('all rows', $$SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs ORDER BY s, id$$),
	('filtered', $$SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs WHERE cat IN (1, 4) ORDER BY s, id LIMIT 60$$),
	('two columns', $$SELECT id, ARRAY[title, body] <@> 'fox 7 zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('bm25f', $$SELECT id, ARRAY[title, body] <@> elacsym_match('fox 7 zebra', combine => 'bm25f') AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('tsvector', $$SELECT id, doc <@> 'fox 7 zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('text[]', $$SELECT id, tags <@> 'fox 7 tag' AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('tsquery', $$SELECT id, body <@> 'fox & jump & !dog'::tsquery AS s FROM fo_docs WHERE body @@ 'fox & jump & !dog'::tsquery ORDER BY s, id$$),
	('phrase', $$SELECT id, body <@> phraseto_tsquery('english', 'jumps over lazy dogs') AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('prefix', $$SELECT id, body <@> elacsym_match('zebra ju', prefix => true) AS s FROM fo_docs ORDER BY s, id LIMIT 60$$),
	('view', $$SELECT number, content <@> 'fox jumping zebra' AS s FROM fo_view ORDER BY s, number LIMIT 60$$),
	('view of a view', $$SELECT number, content <@> 'fox jumping zebra' AS s FROM fo_view2 ORDER BY s, number LIMIT 60$$),
	('two columns of a view', $$SELECT number, ARRAY[heading, content] <@> 'fox 7' AS s FROM fo_view2 ORDER BY s, number LIMIT 60$$),
	('subquery', $$SELECT id, s FROM (SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs) x ORDER BY s, id LIMIT 60$$),
	('column of a subquery', $$SELECT id, b <@> 'fox jumping zebra' AS s FROM (SELECT id, body AS b FROM fo_docs WHERE cat > 1) x ORDER BY s, id LIMIT 60$$),
	('CTE', $$WITH x AS (SELECT id, body AS b FROM fo_docs) SELECT id, b <@> 'fox jumping zebra' AS s FROM x ORDER BY s, id LIMIT 60$$),
	('ranked CTE', $$WITH x AS MATERIALIZED (SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 60) SELECT * FROM x WHERE s < -0.5 ORDER BY s, id$$),
	('expressions', $$SELECT id, -2 * (body <@> 'fox jumping zebra'), (body <@> 'fox jumping zebra')::text FROM fo_docs WHERE body <@> 'fox jumping zebra' < -0.2 ORDER BY body <@> 'fox jumping zebra', id$$),
	('window', $$SELECT id, s, rank() OVER (ORDER BY s), sum(s) OVER (ORDER BY s) FROM (SELECT id, body <@> 'zebra 7' AS s FROM fo_docs) x ORDER BY s, id LIMIT 60$$),
	('scores grouped', $$SELECT body <@> 'jumping zebra' AS s, count(*), min(id) FROM fo_docs GROUP BY s ORDER BY s$$),
	('scores distinct', $$SELECT DISTINCT body <@> 'jumping zebra' AS s FROM fo_docs ORDER BY s$$),
	('lateral', $$SELECT w, x.* FROM unnest('{zebra,dogs,jumping fox,nowhere,NULL}'::text[]) w, LATERAL (SELECT id, body <@> w AS s FROM fo_docs ORDER BY s, id LIMIT 7) x ORDER BY w, s, id$$),
	('in turn', $$(SELECT id, body <@> 'zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 9) UNION ALL (SELECT id, title <@> 'foxes 8' FROM fo_docs ORDER BY title <@> 'foxes 8', id LIMIT 9)$$),
	('in the select list', $$SELECT c.cat, (SELECT id || ' ' || (d.body <@> 'zebra jumping') FROM fo_docs d WHERE d.cat = c.cat ORDER BY d.body <@> 'zebra jumping', id LIMIT 1) FROM generate_series(0, 5) c(cat)$$),
	('join', $$SELECT d.id, x.n, d.body <@> 'fox jumping zebra' AS s FROM fo_docs d JOIN generate_series(1, 50) x(n) ON x.n = d.id % 100 ORDER BY s, d.id LIMIT 60$$),
	('join of the best', $$SELECT x.id, x.s, d.body <@> 'fox jumping zebra', x.s = d.body <@> 'fox jumping zebra' FROM (SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_docs ORDER BY s, id LIMIT 30) x JOIN fo_docs d USING (id) ORDER BY 1$$),
	('outer join', $$SELECT x.n, d.body <@> 'fox jumping zebra' AS s FROM generate_series(880, 1300) x(n) LEFT JOIN fo_docs d ON d.id = x.n ORDER BY s, n$$),
	('self join', $$SELECT a.id, a.body <@> 'zebra' AS s, b.body <@> 'zebra' AS t FROM fo_docs a JOIN fo_docs b ON b.id = a.id + 50 ORDER BY s, a.id LIMIT 40$$),
	('partitions', $$SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_parts ORDER BY s, id LIMIT 60$$),
	('two columns of partitions', $$SELECT id, ARRAY[title, body] <@> 'fox 7' AS s FROM fo_parts ORDER BY s, id LIMIT 60$$),
	('view of partitions', $$SELECT id, content <@> 'fox jumping zebra' AS s FROM fo_parts_view ORDER BY s, id LIMIT 60$$),
	('one partition', $$SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_parts WHERE cat = 1 ORDER BY s, id LIMIT 60$$),
	('partitions and the whole', $$SELECT p.id, p.s, p.s = d.body <@> 'fox jumping zebra' FROM (SELECT id, body <@> 'fox jumping zebra' AS s FROM fo_parts ORDER BY s, id LIMIT 60) p JOIN fo_docs d USING (id) ORDER BY s, id$$),
	('generic plan', $$SELECT * FROM fo_generic('fox jumping zebra')$$),
	('generic plan, tsquery', $$SELECT * FROM fo_generic_tsquery('fox:A | zebra & jump')$$),
	('generic plan, options', $$SELECT * FROM fo_generic_match('fox 7 zebra', 2)$$),
	('generic plan, websearch', $$SELECT * FROM fo_generic_web('"lazy dogs" or zebra -7')$$),
	('generic plan, websearch in FROM', $$SELECT * FROM fo_generic_from('"lazy dogs" or zebra -7')$$),
	('function', $$SELECT * FROM fo_inlined('fox jumping zebra')$$);

CREATE FUNCTION fo_rows(q text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', q) INTO rows;
	RETURN rows;
END $$;
-- how many rows a form gives; forms that give others without the index
CREATE FUNCTION fo_check(OUT forms bigint, OUT rows bigint, OUT unlike text[]) LANGUAGE plpgsql AS $$
DECLARE
	asked record;
	mine text[];
	theirs text[];
BEGIN
	forms := 0; rows := 0;
	FOR asked IN SELECT * FROM fo_forms ORDER BY n LOOP
		DISCARD PLANS;
		SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
		SET LOCAL enable_indexscan = on; SET LOCAL elacsym.enable_customscan = on;
		mine := fo_rows(asked.q);
		SET LOCAL elacsym.enable_customscan = off;
		IF mine IS DISTINCT FROM fo_rows(asked.q) THEN
			unlike := unlike || (asked.form || ' (index scan)');
		END IF;
		DISCARD PLANS;
		SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = off;
		theirs := fo_rows(asked.q);
		IF mine IS DISTINCT FROM theirs THEN
			unlike := unlike || asked.form;
		END IF;
		forms := forms + 1; rows := rows + cardinality(mine);
	END LOOP;
END $$;
CREATE FUNCTION fo_uses_index(q text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN ' || q LOOP
		IF line ~ '(ElacsymScan|Index Scan using fo)' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
-- a parameter in both places is one ranked scan
PREPARE fo_both(text) AS SELECT id FROM fo_docs WHERE body @@ websearch_to_tsquery('english', $1) ORDER BY body <@> websearch_to_tsquery('english', $1) LIMIT 10;
BEGIN;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
EXPLAIN (COSTS OFF) EXECUTE fo_both('"lazy dogs" or zebra -7');
COMMIT;
-- the index is used by all of them (the functions' plans do not show)
BEGIN;
SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
SELECT form FROM fo_forms WHERE q NOT LIKE '%fo_generic%' AND NOT fo_uses_index(q) ORDER BY n;
COMMIT;
SELECT * FROM fo_check();
-- with a delta; with three segments, a delta and rows that are gone; after VACUUM; merged
SELECT fo_add(901, 1000);
INSERT INTO fo_parts SELECT * FROM fo_docs WHERE id > 900;
SELECT * FROM fo_check();
SELECT elacsym_flush('fo_idx'), elacsym_flush('fo_parts_idx');
SELECT fo_add(1001, 1100), elacsym_flush('fo_idx'), fo_add(1101, 1150);
INSERT INTO fo_parts SELECT * FROM fo_docs WHERE id > 1000;
DELETE FROM fo_docs WHERE id % 13 = 5;
DELETE FROM fo_parts WHERE id % 13 = 5;
UPDATE fo_docs SET body = body || ' zebra' WHERE id % 41 = 3;
UPDATE fo_parts SET body = body || ' zebra' WHERE id % 41 = 3;
SELECT * FROM fo_check();
VACUUM fo_docs, fo_parts;
SELECT * FROM fo_check();
SELECT elacsym_compact('fo_idx') > 0 AS merged, elacsym_compact('fo_parts_idx') > 0 AS "partitions, too";
SELECT * FROM fo_check();

-- the first statement of a session, without the library preloaded, says the same
CREATE TABLE fo_before AS SELECT number, content <@> 'fox jumping zebra' AS s FROM fo_view ORDER BY content <@> 'fox jumping zebra' LIMIT 60;
\c
SELECT count(*), count(*) FILTER (WHERE b.s IS DISTINCT FROM v.content <@> 'fox jumping zebra') AS other FROM fo_before b JOIN fo_view v USING (number);
\c
SELECT count(*), count(*) FILTER (WHERE b.s IS DISTINCT FROM v.s) AS other FROM fo_before b JOIN
	(SELECT number, content <@> 'fox jumping zebra' AS s FROM fo_view ORDER BY s LIMIT 60) v USING (number);
\c
PREPARE first(text) AS SELECT count(*), count(*) FILTER (WHERE b.s IS DISTINCT FROM v.content <@> $1) AS other FROM fo_before b JOIN fo_view v USING (number);
EXECUTE first('fox jumping zebra');

-- statements that write: the value is that of the row at hand, the statistics those of the statement
SET client_min_messages = warning;
BEGIN;
SELECT id, body <@> 'zebra' = (SELECT d.body <@> 'zebra' FROM fo_docs d WHERE d.id = 101) AS same FROM fo_docs WHERE id = 101;
WITH u AS (UPDATE fo_docs SET cat = 0 WHERE id IN (1, 101) RETURNING id, body <@> 'zebra' < 0 AS scored) SELECT * FROM u ORDER BY id;
UPDATE fo_docs SET body = 'a zebra' WHERE id = 2 RETURNING id, body <@> 'zebra' < 0 AS scored;
DELETE FROM fo_docs WHERE id = 2 RETURNING id, body <@> 'zebra' < 0 AS scored;
WITH d AS (DELETE FROM fo_docs WHERE id IN (SELECT id FROM fo_docs ORDER BY body <@> 'zebra', id LIMIT 2) RETURNING id, body <@> 'zebra' < 0 AS scored) SELECT * FROM d ORDER BY id;
INSERT INTO fo_docs (id, body) VALUES (100001, 'zebra') RETURNING id, body <@> 'zebra' < 0 AS scored;
ROLLBACK;

-- where no column can be found, an error and not another score
\set VERBOSITY terse
SELECT id, body <@> 'zebra' FROM (SELECT id, body FROM fo_docs UNION ALL SELECT id, title FROM fo_docs) x LIMIT 1;
SELECT max(body) <@> 'zebra' FROM fo_docs;
SELECT lower(body) <@> 'zebra' FROM fo_docs LIMIT 1;
SELECT body || title <@> 'zebra' FROM fo_docs LIMIT 1;
SELECT a.body || b.body <@> 'zebra' FROM fo_docs a, fo_docs b LIMIT 1;
WITH RECURSIVE r AS (SELECT 1 AS n, body FROM fo_docs WHERE id = 1 UNION ALL SELECT n + 1, body FROM r WHERE n < 2) SELECT body <@> 'zebra' FROM r;
SELECT ARRAY[a.title, b.body] <@> 'zebra' FROM fo_docs a, fo_docs b LIMIT 1;
DO $$ DECLARE b text; BEGIN SELECT body INTO b FROM fo_docs WHERE id = 1; RAISE WARNING '%', b <@> 'zebra'; END $$;
DROP TABLE fo_docs, fo_parts, fo_forms, fo_before CASCADE;
DROP FUNCTION fo_add, fo_generic, fo_generic_tsquery, fo_generic_match, fo_generic_web, fo_generic_from, fo_inlined, fo_rows, fo_check, fo_uses_index;
