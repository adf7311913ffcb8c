-- Conditions that analyse texts are dear: what evaluates them row by row is charged for it
CREATE TABLE mp_docs (id int, short text, body text, plain text);
INSERT INTO mp_docs SELECT i, 'every' || i, 'every' || i % 7 || ' some' || i % 40 || repeat(' word' || i % 1000, 20 + i % 60),
	'every' || i % 7 || repeat(' word' || i % 1000, 20 + i % 60) FROM generate_series(1, 12000) i;
CREATE INDEX mp_idx ON mp_docs USING elacsym (short text_bm25_ops (config = 'simple'), body text_bm25_ops (config = 'simple'));
CREATE INDEX mp_id ON mp_docs (id);
VACUUM ANALYZE mp_docs;
SET default_text_search_config = 'pg_catalog.simple';
SET min_parallel_table_scan_size = 0;
SET jit = off;
CREATE FUNCTION mp_plan(condition text, OUT sequential boolean, OUT by_text boolean, OUT by_id boolean, OUT cost float8) LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE format('EXPLAIN (FORMAT JSON) SELECT body FROM mp_docs WHERE %s', condition) INTO plan;
	sequential := plan ~ 'Seq Scan';
	by_text := plan ~ 'mp_idx';
	by_id := plan ~ 'mp_id"';
	cost := plan::json #>> '{0,Plan,Total Cost}';
END $$;
-- all rows match, half of them, hardly any, on one process and on several; the btree where it leaves few texts to analyse
SELECT parallel, c AS condition, sequential, by_text FROM unnest('{0,2}'::int[]) parallel,
	set_config('max_parallel_workers_per_gather', parallel::text, false) s,
	unnest(ARRAY[$$body @@ 'every:*'::tsquery$$, $$body @@ '!every3'::tsquery$$, $$body @@ 'some1:* | some2:*'::tsquery$$, $$body @@ 'some39'::tsquery$$, $$body @@ 'every1 some1'$$,
		$$body @@ 'every:*'::tsquery AND id < 10$$, $$body @@ 'some39'::tsquery AND id < 6000$$]) WITH ORDINALITY x(c, n), mp_plan(c)
ORDER BY parallel, n;
SELECT sequential, by_id FROM mp_plan($$body @@ 'every:*'::tsquery AND id < 10$$);
-- charged is what the index could evaluate: in a tree, too, but not another column's
SET max_parallel_workers_per_gather = 0;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT a.cost > 20 * c.cost AS body, b.cost > 20 * c.cost AS tree, abs(c.cost / d.cost - 1) < .1 AS plain, e.cost < 3 * c.cost AS short
FROM mp_plan($$body @@ 'every:*'::tsquery$$) a, mp_plan($$body @@ 'every:*'::tsquery OR id = 3$$) b, mp_plan($$plain @@ 'every:*'::tsquery$$) c,
	mp_plan($$plain @@ 'nothing'::tsquery$$) d, mp_plan($$short @@ 'every:*'::tsquery$$) e;
SET default_text_search_config = 'pg_catalog.english';
SELECT a.cost < 2 * b.cost AS "not the index's" FROM mp_plan($$body @@ 'every:*'::tsquery$$) a, mp_plan($$plain @@ 'every:*'::tsquery$$) b;
DROP TABLE mp_docs;
DROP FUNCTION mp_plan;
