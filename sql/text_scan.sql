-- From plan to rows, for texts: the scan's score in place of the operator's, conditions with @@ inside the index.
SET client_min_messages = warning;
SET jit = off;
SET default_text_search_config = 'pg_catalog.english';
CREATE TABLE passages (id int PRIMARY KEY, body text, title varchar(60), tsv tsvector, price int, bare text, v vector(3)) WITH (autovacuum_enabled = off);
CREATE FUNCTION passages_add(low int, high int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO passages
	SELECT i, b, CASE WHEN i % 29 <> 0 THEN 'Title ' || i % 40 END,
		CASE WHEN i % 31 <> 0 THEN setweight(to_tsvector('english', 'title w' || i % 13), 'A') || setweight(to_tsvector('english', b), CASE WHEN i % 2 = 0 THEN 'D' ELSE 'B' END::"char") END,
		i % 7, b, ARRAY[i % 11, i % 5, 1]
	FROM (SELECT i, CASE WHEN i % 23 = 0 THEN NULL WHEN i % 47 = 0 THEN '' ELSE
			concat_ws(' ', CASE WHEN i % 2 = 0 THEN 'the quick brown fox' ELSE 'a brown quick foxglove' END,
			CASE WHEN i % 3 = 0 THEN 'jumped over lazy dogs' WHEN i % 5 = 0 THEN 'dogs over jumped' END,
			'w' || i % 17, repeat('running ', i % 6), CASE WHEN i % 100 = 1 THEN 'zebra crossing' END) END AS b
		FROM generate_series(low, high) i) x $$;
SELECT passages_add(1, 700);
CREATE INDEX passages_idx ON passages USING elacsym
	(body text_bm25_ops (config = 'english'), title text_bm25_ops (config = 'simple'), tsv, price, bare text_bm25_ops (config = 'english', positions = off), v);
-- two segments, a delta, and rows that are gone
SELECT passages_add(701, 820);
SELECT elacsym_flush('passages_idx');
SELECT passages_add(821, 900);
DELETE FROM passages WHERE id % 37 = 5;
UPDATE passages SET body = body || ' lately' WHERE id % 41 = 0;
ANALYZE passages;

-- How often a query computes the operator's score, and whether its rows are those of a sequential scan.
SET track_functions = 'all';
CREATE FUNCTION scored() RETURNS bigint LANGUAGE sql AS $$
	SELECT coalesce(sum(pg_stat_get_xact_function_calls(oid)), 0)::bigint FROM pg_proc WHERE proname = 'elacsym_text_score' $$;
CREATE FUNCTION rows_of(q text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	rows text[];
BEGIN
	EXECUTE format('SELECT array_agg(q::text) FROM (%s) q', q) INTO rows;
	RETURN rows;
END $$;
CREATE FUNCTION scores(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	calls bigint;
	mine text[];
	theirs text[];
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
	SET LOCAL elacsym.enable_customscan = on; SET LOCAL enable_indexscan = on;
	before := scored();
	mine := rows_of(q);
	calls := scored() - before;
	SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on;
	SET LOCAL elacsym.enable_customscan = off; SET LOCAL enable_indexscan = off;
	theirs := rows_of(q);
	RETURN cardinality(mine) || ' rows, ' || calls || ' scores, ' || CASE WHEN mine = theirs THEN 'right' ELSE 'WRONG' END;
END $$;
SELECT q, scores(q) FROM unnest(ARRAY[
	$$SELECT id FROM passages ORDER BY body <@> 'dogs zebra', id LIMIT 30$$,
	$$SELECT id, body <@> 'dogs zebra' FROM passages ORDER BY body <@> 'dogs zebra', id$$,
	$$SELECT id, -(body <@> 'dogs zebra') AS score, round((body <@> 'dogs zebra')::numeric, 3) FROM passages ORDER BY body <@> 'dogs zebra', id LIMIT 30$$,
	$$SELECT id, CASE body <@> 'zebra' WHEN 0 THEN 'none' ELSE (body <@> 'zebra')::text END, coalesce(body <@> 'zebra', 1), ARRAY[body <@> 'zebra', price]::numeric[], (body <@> 'zebra') BETWEEN -1 AND 0 FROM passages ORDER BY body <@> 'zebra', id$$,
	$$SELECT id FROM passages WHERE body <@> 'dogs zebra' < -0.5 ORDER BY body <@> 'dogs zebra', id$$,
	$$SELECT id FROM passages WHERE body <@> 'dogs zebra' < -0.5 OR body <@> 'dogs zebra' IS NULL ORDER BY body <@> 'dogs zebra', id$$,
	$$SELECT id, body <@> 'dogs' AS s, rank() OVER (ORDER BY body <@> 'dogs') FROM passages ORDER BY s, id LIMIT 300$$,
	$$SELECT DISTINCT body <@> 'dogs w3' AS s FROM passages ORDER BY s$$,
	$$SELECT count(*), body <@> 'dogs w3' AS s FROM passages GROUP BY s ORDER BY s$$,
	$$SELECT id, ARRAY[body, title::text] <@> 'dogs 17' AS s FROM passages ORDER BY s, id LIMIT 50$$,
	$$SELECT id, title <@> 'title 17' AS s FROM passages WHERE price = 3 ORDER BY s, id LIMIT 50$$,
	$$SELECT id, tsv <@> 'zebra title' AS s FROM passages ORDER BY s, id LIMIT 50$$,
	$$SELECT id, s FROM (SELECT id, body <@> 'dogs' AS s FROM passages OFFSET 0) x WHERE s < 0 ORDER BY s, id LIMIT 5$$,
	$$SELECT id, body <@> 'zebra' AS s, ctid, tableoid::regclass, xmin = 0 FROM passages ORDER BY s, id LIMIT 5$$,
	$$SELECT p, p.body <@> 'zebra' AS s FROM passages p ORDER BY s, p.id LIMIT 5$$,
	$$SELECT w, x.* FROM unnest(ARRAY['zebra', 'dogs', 'w3 w4', 'nowhere']) w, LATERAL (SELECT id, body <@> w AS s FROM passages ORDER BY body <@> w, id LIMIT 4) x$$]) q;
-- another query's score is the operator's, and so is what a join computes above the scan
SELECT q, scores(q) FROM unnest(ARRAY[
	$$SELECT id, body <@> 'running' FROM passages ORDER BY body <@> 'zebra', id LIMIT 5$$,
	$$SELECT p.id, p.body <@> 'zebra' FROM passages p JOIN (VALUES (1), (101), (201)) x(id) USING (id) ORDER BY p.body <@> 'zebra', p.id$$]) q;
-- rows that are locked, and changed meanwhile, are right
BEGIN;
SELECT id, (body <@> 'zebra')::numeric(8,4) FROM passages ORDER BY body <@> 'zebra', id LIMIT 3 FOR UPDATE;
UPDATE passages SET body = 'zebra zebra zebra' WHERE id = 1;
SELECT id FROM passages ORDER BY body <@> 'zebra', id LIMIT 1 FOR UPDATE;
ROLLBACK;
-- partitions: each scan hands up its own
CREATE TABLE parts (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (400);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (400) TO (3000);
INSERT INTO parts SELECT id, body FROM passages;
CREATE INDEX parts_idx ON parts USING elacsym (body text_bm25_ops (config = 'english'));
ANALYZE parts;
SELECT scores($$SELECT id, round((body <@> 'zebra w3')::numeric, 6) FROM parts ORDER BY body <@> 'zebra w3', id LIMIT 40$$);

-- Conditions.  Each is asked of a scan in order, of a bitmap, and of a sequential scan.
CREATE FUNCTION plan_has(q text, what text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		IF line ~ what THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;
-- since 18 a plan that only a disabled one could replace is taken at any price: such a one does not count
CREATE FUNCTION plan_cost(q text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || q INTO plan;
	RETURN plan #>> '{0,Plan,Total Cost}';
END $$;
CREATE FUNCTION condition(c text, OUT condition text, OUT n bigint, OUT ranked boolean, OUT bitmap boolean, OUT answers text) LANGUAGE plpgsql AS $$
DECLARE
	inorder text := format('SELECT count(*) || '' '' || coalesce(sum(id), 0) FROM (SELECT id FROM passages WHERE %s ORDER BY body <@> ''dogs w3'') x', c);
	nearest text := format('SELECT count(*) || '' '' || coalesce(sum(id), 0) FROM (SELECT id FROM passages WHERE %s ORDER BY v <-> ''[1,2,3]'') x', c);
	plain text := format('SELECT count(*) || '' '' || coalesce(sum(id), 0) FROM passages WHERE %s', c);
	got text[];
	one text;
	q text;
BEGIN
	condition := c;
	SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_sort = off;
	SET LOCAL enable_bitmapscan = off; SET LOCAL elacsym.enable_customscan = on;
	FOREACH q IN ARRAY ARRAY[inorder, nearest] LOOP
		EXECUTE q INTO one;
		got := got || one;
	END LOOP;
	ranked := plan_has(inorder, 'Index Cond') AND NOT plan_has(inorder, 'Filter');
	SET LOCAL enable_bitmapscan = on;
	EXECUTE plain INTO one;
	got := got || one;
	bitmap := plan_has(plain, 'Bitmap Index Scan') AND plan_cost(plain) < 1e11;
	SET LOCAL enable_seqscan = on; SET LOCAL elacsym.enable_customscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
	EXECUTE plain INTO one;
	n := split_part(one, ' ', 1);
	answers := CASE WHEN got = array_fill(one, ARRAY[3]) THEN 'right' ELSE 'WRONG ' || one || ' ' || got::text END;
END $$;
SELECT (condition(c)).* FROM unnest(ARRAY[
	$$body @@ 'dog'::tsquery$$,
	$$body @@ 'dog & fox'::tsquery$$,
	$$body @@ 'dog | zebra'::tsquery$$,
	$$body @@ '!dog'::tsquery$$,
	$$body @@ 'dog & !fox'::tsquery$$,
	$$body @@ 'fox:*'::tsquery$$,
	$$body @@ 'quick <-> brown'::tsquery$$,
	$$body @@ 'jump <3> dog & !(brown <-> fox)'::tsquery$$,
	$$body @@ 'dog:A'::tsquery$$,
	$$body @@ 'nowhere'::tsquery$$,
	$$body @@ ''::tsquery$$,
	$$body @@ NULL::tsquery$$,
	$$body @@ websearch_to_tsquery('quick "lazy dogs" -zebra')$$,
	$$body @@ 'jumping dogs'::text$$,
	$$to_tsvector('english', body) @@ 'dog & !fox'::tsquery$$,
	$$to_tsvector(body) @@ 'dog & !fox'::tsquery$$,
	$$'dog & !fox'::tsquery @@ to_tsvector('english', body)$$,
	$$tsv @@ 'dog'::tsquery$$,
	$$tsv @@ 'dog:B & w3:A'::tsquery$$,
	$$tsv @@ 'w3:B | zebra:AB'::tsquery$$,
	$$tsv @@ 'w3:D <-> run:*'::tsquery$$,
	$$'!w3:A'::tsquery @@ tsv$$,
	$$NOT (body @@ 'dog')$$,
	$$body @@ 'dog' AND price = 3$$,
	$$body @@ 'dog' OR price = 3 OR tsv @@ 'w4'$$,
	$$NOT (body @@ 'dog' AND NOT (price = 3 OR title IS NULL))$$,
	$$(body @@ 'dog') IS NOT TRUE$$,
	$$(body @@ 'dog') IS UNKNOWN$$,
	$$(body @@ '!dog' OR tsv @@ 'w4') IS NOT FALSE$$,
	$$body IS NULL AND tsv @@ 'w4'$$,
	$$bare @@ 'quick & dog'::tsquery$$,
	$$bare @@ 'quick <-> brown'::tsquery$$,
	$$tsv @@ ANY (ARRAY['zebra', 'w4:A']::tsquery[])$$,
	$$body @@ ANY (ARRAY['zebra', NULL, 'quick <-> brown']::tsquery[])$$,
	$$title @@ 'title & 17'$$,
	$$to_tsvector('simple', title) @@ 'title & 17'$$,
	$$to_tsvector('simple', body) @@ 'dogs'$$]) c;

-- the session's configuration decides at execution what a plan means
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off; SET enable_sort = off;
PREPARE ranked(tsquery) AS SELECT count(*), sum(id) FROM (SELECT id FROM passages WHERE body @@ $1 AND price < 5 ORDER BY v <-> '[1,2,3]' LIMIT 100000) x;
PREPARE mapped(tsquery) AS SELECT count(*), sum(id) FROM passages WHERE body @@ $1;
EXPLAIN (COSTS OFF) EXECUTE ranked('dog');
EXPLAIN (COSTS OFF) EXECUTE mapped('dog');
EXECUTE ranked('dogs');
EXECUTE mapped('dogs');
EXECUTE ranked('dog');
EXECUTE mapped('dog');
SET default_text_search_config = 'pg_catalog.simple';
EXECUTE ranked('dogs');
EXECUTE mapped('dogs');
EXECUTE ranked(NULL);
EXECUTE mapped(NULL);
SELECT (condition(c)).* FROM unnest(ARRAY[$$body @@ 'dogs'$$, $$NOT (body @@ 'dogs' OR tsv @@ 'w4')$$, $$title @@ 'title'$$, $$to_tsvector('english', body) @@ 'dog'$$]) c;
SET default_text_search_config = 'pg_catalog.english';
RESET plan_cache_mode;
RESET enable_sort;

-- the order's own query as a condition: one scan, no row without a match
SELECT q, scores(q) FROM unnest(ARRAY[
	$$SELECT id, body <@> 'dog & !fox'::tsquery AS s FROM passages WHERE body @@ 'dog & !fox'::tsquery ORDER BY s, id$$,
	$$SELECT id, body <@> 'dog | zebra'::tsquery AS s FROM passages WHERE body @@ 'dog | zebra'::tsquery AND price = 2 ORDER BY s, id$$,
	$$SELECT id, body <@> '!dog'::tsquery AS s FROM passages WHERE body @@ '!dog'::tsquery ORDER BY s, id$$,
	$$SELECT id, body <@> '!dog | zebra'::tsquery AS s FROM passages WHERE body @@ '!dog | zebra'::tsquery ORDER BY s, id$$,
	$$SELECT id, tsv <@> 'w3:A & dog'::tsquery AS s FROM passages WHERE tsv @@ 'w3:A & dog'::tsquery ORDER BY s, id$$,
	$$SELECT id, body <@> 'quick <-> brown'::tsquery AS s FROM passages WHERE body @@ 'quick <-> brown'::tsquery ORDER BY s, id LIMIT 40$$,
	$$SELECT id, body <@> 'dog'::tsquery AS s FROM passages WHERE tsv @@ 'dog'::tsquery ORDER BY s, id$$]) q;

-- what EXPLAIN tells
SET enable_seqscan = off; SET enable_sort = off;
CREATE FUNCTION explained(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line !~ '^ *(Index Searches|Heap Blocks)' THEN
			RETURN NEXT regexp_replace(regexp_replace(replace(line, '.00 loops', ' loops'), '(Decoded|Scored|Terms): [1-9]\d*', '\1: some'), '(Skipped|Windows): \d+', '\1: so many');
		END IF;
	END LOOP;
END $$;
SELECT explained($$SELECT id FROM passages WHERE price = 3 AND body @@ 'w3 | dog' ORDER BY body <@> 'dogs zebra' LIMIT 10$$);
SELECT explained($$SELECT count(*) FROM passages WHERE body @@ 'dog & fox'$$);

-- not inside: a column with bigrams, an array's texts, a query that depends on the row
CREATE TABLE outside (id int, body text, tags text[], q tsquery);
INSERT INTO outside SELECT i, 'some dogs ' || i, ARRAY['dog'], 'dog' FROM generate_series(1, 50) i;
CREATE INDEX outside_idx ON outside USING elacsym (body text_bm25_ops (config = 'english', bigrams = on), tags text_array_bm25_ops);
EXPLAIN (COSTS OFF) SELECT id FROM outside WHERE body @@ 'dog'::tsquery ORDER BY body <@> 'dogs' LIMIT 3;
EXPLAIN (COSTS OFF) SELECT id FROM outside WHERE to_tsvector('english', body) @@ q ORDER BY body <@> 'dogs' LIMIT 3;
SELECT count(*) FROM outside WHERE body @@ 'dog';
-- a hybrid query's text leg over a tsvector, and over an array
CREATE INDEX outside_tags ON outside USING elacsym (tags text_array_bm25_ops);
SELECT count(*), bool_and(text_score > 0) FROM elacsym_search(NULL::outside, text => 'dog', index => 'outside_tags', k => 20);
SELECT (s.doc).id, round(s.text_score::numeric, 3) AS score FROM elacsym_search(NULL::passages, vector => '[1,2,3]', text => 'zebra crossing', k => 3, index => 'passages_idx') s;
ALTER TABLE outside ADD tsv tsvector;
UPDATE outside SET tsv = to_tsvector('english', body);
CREATE INDEX outside_tsv ON outside USING elacsym (tsv, (to_tsvector('english', body)));
SELECT count(*), bool_and(text_score > 0) FROM elacsym_search(NULL::outside, text => 'dog 7', index => 'outside_tsv', k => 20);
DROP TABLE passages, parts, outside;
DROP FUNCTION passages_add, scored, rows_of, scores, plan_has, plan_cost, condition, explained;
