-- Which plans the planner takes with default settings: the index for what it
-- answers faster, with no hint; not for a small table, nor for a whole sort.
SET client_min_messages = warning;
CREATE TABLE choice (id int PRIMARY KEY, v vector(32), h halfvec(8), title text, body text, n int, price float8, tags text[], filler text) WITH (autovacuum_enabled = off);
INSERT INTO choice SELECT i, (SELECT array_agg(sin(i * j)::real) FROM generate_series(1, 32) j)::vector, (SELECT array_agg(cos(i * j)::real) FROM generate_series(1, 8) j)::halfvec,
	'title w' || i % 97, 'word w' || i % 501 || ' u' || i, i % 1000, i, ARRAY['t' || i % 3, 'u' || i % 800], repeat('filler ', 20)
	FROM generate_series(1, 8000) i;
SET default_text_search_config = 'pg_catalog.english';
CREATE INDEX choice_idx ON choice USING elacsym (v, title, body, n, price, tags);
CREATE INDEX choice_half ON choice USING elacsym (h halfvec_cosine_ops);
ANALYZE choice;

-- The scan of "choice" that a query's plan has: kind and index.
CREATE FUNCTION scan_of(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	j json;
	node json;
BEGIN
	EXECUTE 'EXPLAIN (COSTS OFF, FORMAT json) ' || q INTO j;
	node := j -> 0 -> 'Plan';
	WHILE node -> 'Plans' IS NOT NULL AND node ->> 'Node Type' <> 'Bitmap Heap Scan' LOOP
		node := node -> 'Plans' -> -1;
	END LOOP;
	RETURN concat_ws(' ', node ->> 'Node Type', coalesce(node ->> 'Index Name', node ->> 'Index', substring(node ->> 'Plans' FROM '"Index Name": "(\w+)"')));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT q, scan_of(q) FROM unnest(ARRAY[
	$$SELECT id FROM choice ORDER BY v <-> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice ORDER BY h <=> '[1,2,3,4,5,6,7,8]' LIMIT 10$$,
	$$SELECT id FROM choice WHERE n < 500 ORDER BY h <=> '[1,2,3,4,5,6,7,8]' LIMIT 10$$,
	$$SELECT id FROM choice WHERE n < 500 AND tags @> '{t1}' ORDER BY v <-> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice WHERE n < 500 OR price > 7000 ORDER BY v <-> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice WHERE n < 100 OR price > 7500 ORDER BY v <-> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice WHERE (n = 3 OR tags @> '{u17}') AND price < 5000 ORDER BY body <@> 'word w7'$$,
	$$SELECT id FROM choice WHERE NOT (n < 500 AND price > 7000) ORDER BY body <@> 'word w7' LIMIT 10$$,
	$$SELECT id FROM choice ORDER BY body <@> 'word w7' LIMIT 10$$,
	$$SELECT id FROM choice WHERE price BETWEEN 100 AND 4000 ORDER BY title <@> 'w7' LIMIT 10$$,
	$$SELECT id FROM choice ORDER BY ARRAY[title, body] <@> 'w7' LIMIT 10$$,
	-- conditions alone
	$$SELECT id FROM choice WHERE n = 3$$,
	$$SELECT id FROM choice WHERE tags @> '{u17}' AND price < 4000$$,
	$$SELECT id FROM choice WHERE body @@ 'w7'::tsquery$$,
	$$SELECT count(*) FROM choice WHERE n = 3$$,
	$$SELECT count(*) FROM choice WHERE tags @> '{u17}' AND price < 4000$$,
	-- not for the index
	$$SELECT * FROM choice WHERE id = 7$$,
	$$SELECT count(*) FROM choice WHERE n > 3$$,
	$$SELECT id FROM choice ORDER BY v <+> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice WHERE id = 7 ORDER BY h <=> '[1,2,3,4,5,6,7,8]'$$,
	-- texts that match: to analyse each row's text is what a sequential scan costs
	$$SELECT count(*) FROM choice WHERE body @@ 'w7'::tsquery$$,
	$$SELECT count(*) FROM choice WHERE body @@ '!w7'::tsquery$$,
	$$SELECT count(*) FROM choice WHERE body @@ 'word & !w7'::tsquery AND n < 500$$,
	$$SELECT id FROM choice WHERE to_tsvector('english', body) @@ 'word | w7'::tsquery ORDER BY body <@> 'u70' LIMIT 10$$,
	$$SELECT id FROM choice WHERE body @@ 'w7'::tsquery OR n = 3 ORDER BY v <-> (SELECT v FROM choice WHERE id = 7) LIMIT 10$$,
	$$SELECT id FROM choice WHERE id = 7 AND body @@ 'word'::tsquery$$,
	$$SELECT id FROM choice WHERE id = 7 ORDER BY body <@> 'word'$$,
	$$SELECT count(*) FROM choice WHERE to_tsvector('simple', body) @@ 'w7'::tsquery$$]) q;

-- few rows: a sequential scan is exact, and cheaper
CREATE TABLE few (id int, h halfvec(8), body text);
INSERT INTO few SELECT id, h, body FROM choice WHERE id <= 20;
CREATE INDEX few_idx ON few USING elacsym (h, body);
ANALYZE few;
SELECT q, scan_of(q) FROM unnest(ARRAY[$$SELECT id FROM few ORDER BY h <-> '[1,2,3,4,5,6,7,8]' LIMIT 3$$, $$SELECT id FROM few ORDER BY body <@> 'word' LIMIT 3$$]) q;
DROP TABLE few, choice;
DROP FUNCTION scan_of;
