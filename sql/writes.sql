-- Every way to write a table and to read it back: what the index returns is
-- what a sequential scan and a sort return, in every kind of plan.
SET client_min_messages = warning;
SET jit = off;	-- disabled plans look expensive
SET elacsym.probes = 1000000;	-- every list: rows are compared, not recall
SET elacsym.epsilon = 100;
\pset format unaligned
\pset tuples_only on

-- Compares a query of (id, distance) with itself without the index: the ids if it has no LIMIT (of equal
-- distances any may come first), and, if it has an order, the distances.
CREATE FUNCTION agree(q text, wanted text DEFAULT 'idx') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	sorted record;
	scanned record;
	plan text := '';
	line text;
	agg text := format('SELECT (SELECT array_agg(id ORDER BY id) FROM (%1$s) i(id, d))::text AS ids, (array_agg(round(d::numeric, 5)))[1:20]::text AS ds, count(*) AS c FROM (%1$s) s(id, d)', q);
BEGIN
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true),
			set_config('enable_bitmapscan', 'off', true), set_config('elacsym.enable_customscan', 'off', true);
	EXECUTE agg INTO sorted;
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true),
			set_config('enable_bitmapscan', 'on', true), set_config('elacsym.enable_customscan', 'on', true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		plan := plan || line;
	END LOOP;
	EXECUTE agg INTO scanned;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
	IF plan NOT LIKE '%' || wanted || '%' THEN
		RETURN 'another plan: ' || plan;
	ELSIF scanned.c <> sorted.c OR q !~ 'LIMIT|FETCH' AND scanned.ids IS DISTINCT FROM sorted.ids THEN
		RETURN format('rows differ: %s sorted, %s scanned', sorted.c, scanned.c);
	ELSIF q ~ 'ORDER BY' AND scanned.ds IS DISTINCT FROM sorted.ds THEN
		RETURN format('order differs: %s sorted, %s scanned', sorted.ds, scanned.ds);
	END IF;
	RETURN format('%s rows', sorted.c);
END $$;

CREATE TABLE w (gone int, id int PRIMARY KEY, v vector(3), also_gone text, body text, n int, tags text[], note text) WITH (autovacuum_enabled = off);
ALTER TABLE w DROP COLUMN gone, DROP COLUMN also_gone;
CREATE FUNCTION vec(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS $$ SELECT ARRAY[sin(i), cos(i * 7), i % 11 / 5.0]::real[]::vector $$;
INSERT INTO w SELECT i, vec(i), 'w' || i % 13 || repeat(' more', i % 5), i % 10, ARRAY['t' || i % 3] FROM generate_series(1, 500) i;
CREATE INDEX w_idx ON w USING elacsym (v vector_l2_ops, body text_bm25_ops (config = 'simple'), n, tags) WITH (bits = 8);
-- all three kinds of question about w
CREATE FUNCTION agree_w() RETURNS text LANGUAGE sql AS $$
	SELECT agree('SELECT id, v <-> ''[1,1,1]'' FROM w ORDER BY 2') || '; ' ||
		agree('SELECT id, body <@> ''w3 fresh changed more'' FROM w ORDER BY 2') || '; ' ||
		agree('SELECT id, n FROM w WHERE n BETWEEN 3 AND 5 AND tags && ''{t1,t9}''')
$$;
SELECT agree_w();

-- INSERT, several rows, from a query, DEFAULT, RETURNING; COPY
INSERT INTO w VALUES (501, vec(501), 'fresh', 4, '{t9}') RETURNING id, v <-> '[1,1,1]' < 9;
INSERT INTO w VALUES (502, NULL, NULL, NULL, NULL), (503, vec(503), '', 4, '{}'), (504, vec(504), 'fresh fresh', 3, '{t9,NULL}');
INSERT INTO w SELECT id + 1000, v, body || ' fresh', n, tags FROM w WHERE n = 3;
INSERT INTO w (id) VALUES (505);
COPY w (id, v, body, n, tags) FROM stdin;
601	[1,1,1]	fresh copied	4	{t1}
602	[1,1,2]	fresh copied	5	{t9}
603	\N	\N	\N	\N
\.
SELECT agree_w();

-- UPDATE: of an indexed column, of none (HOT where the page has room), of the key; several times
UPDATE w SET v = vec(id + 1) WHERE id % 10 = 1;
UPDATE w SET note = 'hot' WHERE id % 10 = 2;
UPDATE w SET note = note || 'ter' WHERE id % 10 = 2;
UPDATE w SET body = body || ' changed', n = 4 WHERE id % 10 = 2;
UPDATE w SET note = repeat('long ', 500) WHERE id % 10 = 3;
UPDATE w SET id = id + 10000 WHERE id % 50 = 7;
UPDATE w SET v = NULL, tags = NULL WHERE id % 50 = 8;
SELECT agree_w();
DELETE FROM w WHERE id % 20 = 9;
DELETE FROM w WHERE id IN (SELECT id FROM w ORDER BY v <-> '[1,1,1]' LIMIT 3);
SELECT agree_w();

-- ON CONFLICT, MERGE
INSERT INTO w VALUES (1, '[9,9,9]', 'changed by nobody', 4), (701, '[1,1,1.5]', 'fresh', 4) ON CONFLICT DO NOTHING;
INSERT INTO w VALUES (1, '[1,1,1.25]', 'changed', 4, '{t9}'), (702, '[1,1,1.5]', 'fresh', 4, '{t9}')
	ON CONFLICT (id) DO UPDATE SET v = excluded.v, body = excluded.body, n = excluded.n, tags = excluded.tags;
SELECT id FROM w ORDER BY v <-> '[1,1,1.25]' LIMIT 1;
MERGE INTO w USING (VALUES (2, 'changed merge'), (703, 'fresh merge')) AS m (id, body) ON w.id = m.id
	WHEN MATCHED THEN UPDATE SET body = m.body WHEN NOT MATCHED THEN INSERT (id, body, n) VALUES (m.id, m.body, 5);
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM w ORDER BY body <@> 'merge' LIMIT 2) s;
SELECT agree_w();

-- transactions: own rows are seen at once, those rolled back never
BEGIN;
INSERT INTO w VALUES (801, '[5,5,5]', 'fresh transaction', 4, '{t9}');
SELECT id FROM w ORDER BY v <-> '[5,5,5]' LIMIT 1;
SAVEPOINT a;
INSERT INTO w VALUES (802, '[5,5,5]', 'fresh transaction', 4, '{t9}');
UPDATE w SET v = '[6,6,6]' WHERE id = 801;
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM w ORDER BY v <-> '[6,6,6]' LIMIT 2) s;
ROLLBACK TO a;
INSERT INTO w VALUES (803, '[5,5,6]', 'fresh transaction', 4, '{t9}');
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM w ORDER BY v <-> '[5,5,5]' LIMIT 2) s;
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM w WHERE body <@> 'transaction' < 0 ORDER BY body <@> 'transaction') s;
SAVEPOINT b;
SELECT elacsym_flush('w_idx') > 0;
SELECT agree_w();
ROLLBACK TO b;
SELECT agree_w();
RELEASE a;
COMMIT;
SELECT agree_w();
BEGIN;
INSERT INTO w SELECT i, '[7,7,7]', 'fresh lost', 4, '{t9}' FROM generate_series(900, 950) i;
DELETE FROM w WHERE n = 4;
SELECT elacsym_compact('w_idx') > 0;
SELECT agree_w();
ROLLBACK;
SELECT agree_w();
SELECT elacsym_compact('w_idx') >= 0, elacsym_verify('w_idx');
SELECT agree_w();

-- the inserting backend flushes when nobody else does
SET elacsym.delta_limit = 10;
INSERT INTO w SELECT i, vec(i), 'fresh w' || i % 13, i % 10, ARRAY['t' || i % 3] FROM generate_series(2000, 2600) i;
SELECT documents < 100 AS flushed FROM elacsym_delta('w_idx');
SELECT agree_w();
BEGIN;
INSERT INTO w SELECT i, vec(i), 'fresh lost w' || i % 13, i % 10, ARRAY['t' || i % 3] FROM generate_series(3000, 3100) i;
SELECT agree_w();
ROLLBACK;
SELECT agree_w();
DO $$ BEGIN FOR i IN 4000 .. 4100 LOOP
	INSERT INTO w VALUES (i, vec(i), 'fresh loop', 3, '{t1}');
	IF i % 3 = 0 THEN UPDATE w SET body = 'changed loop' WHERE id = i; END IF;
	IF i % 5 = 0 THEN DELETE FROM w WHERE id = i; END IF;
	IF NOT EXISTS (SELECT FROM (SELECT id FROM w ORDER BY v <-> vec(i), body <@> 'loop' LIMIT 1) s) THEN RAISE 'nothing found'; END IF;
END LOOP; END $$;
SELECT agree_w();
RESET elacsym.delta_limit;
VACUUM w;
SELECT agree_w();
SELECT elacsym_flush('w_idx') >= 0, elacsym_verify('w_idx'), (SELECT sum(documents - dead) FROM elacsym_segments('w_idx')) + (SELECT documents FROM elacsym_delta('w_idx')) - count(*) >= 0 AS all_there FROM w;

-- rewrites of the table and of the index
VACUUM FULL w;
SELECT agree_w();
CLUSTER w USING w_pkey;
SELECT agree_w();
ALTER TABLE w ALTER n TYPE bigint;
SELECT agree_w();
ALTER TABLE w ALTER v TYPE halfvec(3);
SELECT agree('SELECT id, v <-> ''[1,1,1]''::halfvec FROM w ORDER BY 2');
ALTER TABLE w ALTER v TYPE vector(3);
ALTER TABLE w ADD COLUMN late text DEFAULT 'late ' || current_user, ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) STORED;
SELECT agree_w();
SELECT count(DISTINCT late) FROM (SELECT late FROM w ORDER BY v <-> '[1,1,1]') s;
REINDEX INDEX w_idx;
REINDEX INDEX CONCURRENTLY w_idx;
ALTER TABLE w SET UNLOGGED;
SELECT agree_w();
ALTER TABLE w SET LOGGED;
SELECT agree_w();
SELECT elacsym_verify('w_idx');

-- row by row: triggers, functions, prepared statements, writable CTEs
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := NEW.body || ' triggered'; RETURN NEW; END $$;
CREATE TRIGGER w_touch BEFORE INSERT OR UPDATE ON w FOR EACH ROW WHEN (NEW.n = 77) EXECUTE FUNCTION touch();
INSERT INTO w VALUES (5001, vec(1), 'fresh', 77);
SELECT id FROM w ORDER BY body <@> 'triggered' LIMIT 1;
CREATE FUNCTION after_touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO w (id, body, v) SELECT 5100 + NEW.id, 'echo', v FROM w ORDER BY v <-> NEW.v LIMIT 1;
	RETURN NULL;
END $$;
CREATE TRIGGER w_after AFTER INSERT ON w FOR EACH ROW WHEN (NEW.n = 78) EXECUTE FUNCTION after_touch();
INSERT INTO w VALUES (5002, '[20,20,20]', 'fresh', 78), (5003, '[30,30,30]', 'fresh', 78);
SELECT id, v FROM w WHERE body <@> 'echo' < 0 ORDER BY body <@> 'echo', id;
DROP TRIGGER w_touch ON w;
DROP TRIGGER w_after ON w;
WITH moved AS (DELETE FROM w WHERE id IN (10102, 10103) RETURNING *)
INSERT INTO w (id, body, v, n) SELECT id + 10, 'echo moved', v, 5 FROM moved;
PREPARE put(int, vector, text) AS INSERT INTO w (id, v, body, n) VALUES ($1, $2, $3, 4);
EXECUTE put(6001, '[1,2,3]', 'fresh prepared');
EXECUTE put(6002, '[1,2,4]', 'fresh prepared');
PREPARE near(vector, int) AS SELECT id FROM w WHERE n >= $2 ORDER BY v <-> $1 LIMIT 1;
PREPARE find(text, int) AS SELECT id FROM w WHERE n >= $2 ORDER BY body <@> $1, id LIMIT 1;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
EXECUTE near('[1,2,3]', 4);
EXECUTE find('prepared', 4);
INSERT INTO w (id, v, body, n) VALUES (6003, '[1,2,3.75]', 'prepared prepared', 9);
EXECUTE near('[1,2,3.75]', 5);
EXECUTE find('prepared', 4);
REINDEX INDEX w_idx;
EXECUTE find('prepared', 4);
DROP INDEX w_idx;
EXECUTE near('[1,2,3.75]', 5);
EXECUTE find('prepared', 4);
CREATE INDEX w_idx ON w USING elacsym (v vector_l2_ops, body text_bm25_ops (config = 'simple'), n, tags) WITH (bits = 8);
EXECUTE near('[1,2,3.75]', 5);
EXECUTE find('prepared', 4);
RESET plan_cache_mode;
SELECT agree_w();

-- locking and writing what was found
SET enable_sort = off;
BEGIN;
SELECT id FROM w ORDER BY v <-> '[1,2,3.75]' LIMIT 2 FOR UPDATE;
SELECT id FROM w WHERE n > 4 OR n IS NULL ORDER BY body <@> 'prepared' LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
SELECT w.id FROM w JOIN (VALUES (6001), (6003)) x (id) USING (id) ORDER BY v <-> '[1,2,3.75]' LIMIT 2 FOR SHARE OF w;
UPDATE w SET note = 'nearest' FROM (SELECT id FROM w ORDER BY v <-> '[1,2,3.75]' LIMIT 2) s WHERE w.id = s.id RETURNING w.id;
DELETE FROM w USING (SELECT id AS found FROM w WHERE n = 9 ORDER BY body <@> 'prepared' LIMIT 1) s WHERE id = found RETURNING id;
UPDATE w SET v = (SELECT x.v FROM w x WHERE x.id <> w.id ORDER BY x.v <-> w.v LIMIT 1) WHERE id IN (6001, 6002) RETURNING id, v;
DECLARE c CURSOR FOR SELECT id FROM w ORDER BY v <-> '[20,20,20]' FOR UPDATE;
MOVE 1 IN c;
UPDATE w SET note = 'current' WHERE CURRENT OF c RETURNING id;
DELETE FROM w WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM w ORDER BY v <-> '[20,20,20]';
MOVE 1 IN c;
UPDATE w SET note = 'current' WHERE CURRENT OF c RETURNING id;
ROLLBACK;
SELECT id, xmin IS NOT NULL AS x, ctid IS NOT NULL AS c, tableoid::regclass FROM w ORDER BY v <-> '[20,20,20]' LIMIT 1;
SELECT w.*::text LIKE '%' || id || '%' FROM w ORDER BY v <-> '[20,20,20]' LIMIT 1;

-- cursors: what was written after they were opened is not theirs; backwards; held; two at once
BEGIN;
DECLARE v1 SCROLL CURSOR FOR SELECT id FROM w ORDER BY v <-> '[20,20,20]';
DECLARE t1 NO SCROLL CURSOR WITH HOLD FOR SELECT id FROM w WHERE n = 4 ORDER BY body <@> 'fresh prepared';
FETCH 1 FROM v1;
INSERT INTO w (id, v, body, n) VALUES (7001, '[20,20,20]', 'prepared fresh prepared', 4);
SELECT elacsym_flush('w_idx') > 0;
FETCH 1 FROM t1;
FETCH BACKWARD 1 FROM v1;
FETCH 2 FROM v1;
FETCH BACKWARD 1 FROM v1;
FETCH LAST FROM v1;
MOVE ABSOLUTE 0 IN v1;
FETCH 1 FROM v1;
COMMIT;
FETCH 2 FROM t1;
FETCH BACKWARD 1 FROM t1;
CLOSE t1;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM w ORDER BY v <-> '[1,1,1]';
MOVE 10 IN c;
SELECT elacsym_compact('w_idx') > 0;
MOVE 10 IN c;
DELETE FROM w WHERE id = 7001;
MOVE ALL IN c;
COMMIT;

-- plans of every kind
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 10 OFFSET 5$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT ALL$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 0$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 OFFSET 100000$$);
SELECT agree($$SELECT id, body <@> 'fresh' FROM w WHERE n = 4 ORDER BY 2 FETCH FIRST 5 ROWS WITH TIES$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2, id LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 DESC LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 DESC NULLS LAST LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 NULLS FIRST LIMIT 20$$, 'Sort');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY v <-> '[1,1,1]', body <@> 'fresh' LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY (v <-> '[1,1,1]') + (body <@> 'fresh') LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, -(v <-> '[1,1,1]') FROM w ORDER BY -(v <-> '[1,1,1]') LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, v <=> '[1,1,1]' FROM w ORDER BY 2 LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, '[1,1,1]' <-> v FROM w ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$SELECT id, v <-> v FROM w ORDER BY 2, id LIMIT 10$$, 'Sort');
SELECT agree($$SELECT id, l2_distance(v, '[1,1,1]') FROM w ORDER BY 2 LIMIT 10$$, 'Sort');
SELECT agree($$SELECT DISTINCT ON (v <-> '[1,1,1]') id, v <-> '[1,1,1]' FROM w WHERE id < 500 ORDER BY 2, id$$, '');
SELECT agree($$SELECT min(id), v <-> '[1,1,1]' FROM w GROUP BY 2 ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$SELECT n, min(v <-> '[1,1,1]') FROM w GROUP BY ROLLUP (n)$$, '');
SELECT agree($$SELECT id, row_number() OVER (ORDER BY v <-> '[1,1,1]') FROM w WHERE v IS NOT NULL ORDER BY v <-> '[1,1,1]' LIMIT 10$$);
SELECT agree($$SELECT id, rank() OVER (PARTITION BY n ORDER BY body <@> 'fresh') FROM w$$, '');
SELECT agree($$(SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 5) UNION ALL (SELECT id, body <@> 'w3' FROM w ORDER BY 2 LIMIT 1)$$);
SELECT agree($$SELECT * FROM ((SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 5) UNION (SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 7)) s ORDER BY 2$$);
SELECT agree($$SELECT x.id * 10000 + y.id, y.d FROM w x, LATERAL (SELECT id, v <-> x.v AS d FROM w ORDER BY 2 LIMIT 2) y WHERE x.id < 30 ORDER BY x.id$$, '');
SELECT agree($$SELECT x.id * 10000 + y.id, y.d FROM (VALUES (1, 'fresh'), (2, 'loop'), (3, NULL)) x (id, q), LATERAL (SELECT id, body <@> q AS d FROM w ORDER BY 2, id LIMIT 2) y$$, '');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE id IN (SELECT id * 2 FROM w) ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$SELECT a.id, a.v <-> '[1,1,1]' FROM w a JOIN w b ON a.id = b.id + 1 ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$SELECT a.id, a.v <-> '[1,1,1]' FROM (VALUES (1), (2), (100000)) x (id) LEFT JOIN w a USING (id) ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$WITH c AS MATERIALIZED (SELECT id, v <-> '[1,1,1]' AS d FROM w ORDER BY 2 LIMIT 9) SELECT id, d FROM c WHERE id > 3 ORDER BY d$$);
SELECT agree($$SELECT id, v <-> (SELECT v FROM w WHERE id = 100) FROM w ORDER BY 2 LIMIT 10$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE v <-> '[1,1,1]' < 1.5 ORDER BY 2$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE body <@> 'more' < 0 AND n = 3 ORDER BY 2$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE NOT (n = 3 OR tags @> '{t1}') AND note IS NULL ORDER BY 2 LIMIT 50$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w TABLESAMPLE SYSTEM (100) ORDER BY 2 LIMIT 10$$, '');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE ctid >= '(0,0)' AND tableoid = 'w'::regclass ORDER BY 2 LIMIT 10$$);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE false ORDER BY 2$$, '');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE n = 3 AND n = 4 ORDER BY 2$$, '');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w WHERE current_setting('server_version_num')::int > 1 ORDER BY 2 LIMIT 10$$);
SELECT EXISTS (SELECT FROM w ORDER BY v <-> '[1,1,1]'), (SELECT id FROM w ORDER BY v <-> '[1,2,3]' LIMIT 1), ARRAY(SELECT id FROM w WHERE n = 78 ORDER BY body <@> 'fresh', id);
-- parallel workers
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM w ORDER BY 2 LIMIT 30$$);
SELECT agree($$SELECT id, body <@> 'fresh' FROM w ORDER BY 2 LIMIT 10$$);
SELECT agree($$SELECT n, sum(body <@> 'fresh w3') FROM w GROUP BY n$$, '');
SELECT agree($$SELECT x.id * 10000 + y.id, y.d FROM w x, LATERAL (SELECT id, v <-> x.v AS d FROM w ORDER BY 2 LIMIT 1) y WHERE x.n = 7 AND x.id < 100$$, '');
SELECT agree($$SELECT x.id * 10000 + y.id, y.n FROM w x JOIN w y ON y.n = x.id % 9 AND x.id < 15$$, '');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET min_parallel_index_scan_size;
RESET enable_sort;
RESET enable_seqscan;

-- EXPLAIN in every form
CREATE FUNCTION explain_parses(q text, options text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	j json;
	x text;
	line text;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true);
	EXECUTE format('EXPLAIN (%s, FORMAT json) %s', options, q) INTO j;
	EXECUTE format('EXPLAIN (%s, FORMAT xml) %s', options, q) INTO x;
	EXECUTE format('EXPLAIN (%s, FORMAT yaml) %s', options, q) INTO line;
	IF x NOT LIKE '<explain%w_idx%</explain>' OR line NOT LIKE '%w_idx%' THEN RAISE '% %', x, line; END IF;
	FOR line IN EXECUTE format('EXPLAIN (%s) %s', options, q) LOOP NULL; END LOOP;
	RETURN j::text LIKE '%w_idx%';
END $$;
SELECT explain_parses(q, o) FROM unnest(ARRAY['SELECT id FROM w ORDER BY v <-> ''[1,1,1]'' LIMIT 3', 'SELECT id FROM w WHERE n = 3 OR n = 4 ORDER BY body <@> ''fresh'' LIMIT 3',
	'SELECT id FROM w WHERE n = 3', 'SELECT x.id FROM w x, LATERAL (SELECT id FROM w ORDER BY v <-> x.v LIMIT 1) y WHERE x.id < 3']) q,
	unnest(ARRAY['COSTS off', 'VERBOSE', 'ANALYZE, VERBOSE, BUFFERS, WAL, SETTINGS', 'ANALYZE, TIMING off, SUMMARY off']) o;
-- kinds of tables
TRUNCATE w;
SELECT agree_w();
INSERT INTO w (id, v, body, n) VALUES (1, '[1,2,3]', 'fresh', 4);
SELECT agree_w();
BEGIN;
TRUNCATE w;
INSERT INTO w (id, v, body, n) VALUES (2, '[1,2,3]', 'fresh', 4), (3, '[1,2,3]', 'fresh', 4);
SELECT agree_w();
ROLLBACK;
SELECT agree_w();
BEGIN;
DROP INDEX w_idx;
ROLLBACK;
SELECT agree_w();
DROP TABLE w;

CREATE TEMP TABLE tmp (id int, v vector(3), body text) ON COMMIT DELETE ROWS;
CREATE INDEX tmp_idx ON tmp USING elacsym (v, body);
BEGIN;
INSERT INTO tmp SELECT i, vec(i), 'fresh w' || i % 7 FROM generate_series(1, 300) i;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM tmp ORDER BY 2$$);
SELECT elacsym_flush('tmp_idx');
SELECT agree($$SELECT id, body <@> 'w3' FROM tmp ORDER BY 2$$);
COMMIT;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM tmp ORDER BY 2$$);
INSERT INTO tmp VALUES (1, vec(1), 'fresh');
SELECT elacsym_verify('tmp_idx');
DROP TABLE tmp;

CREATE UNLOGGED TABLE unl (id int, v vector(3), body text);
INSERT INTO unl SELECT i, vec(i), 'fresh w' || i % 7 FROM generate_series(1, 300) i;
CREATE INDEX unl_idx ON unl USING elacsym (v, body);
INSERT INTO unl SELECT id + 1000, v, body FROM unl;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM unl ORDER BY 2$$);
SELECT elacsym_compact('unl_idx') > 0, elacsym_verify('unl_idx');
DROP TABLE unl;

CREATE TABLE base (id int, v vector(3), body text);
INSERT INTO base SELECT i, vec(i), 'fresh w' || i % 7 FROM generate_series(1, 300) i;
CREATE MATERIALIZED VIEW mat AS SELECT id, v, body FROM base WHERE id % 2 = 0;
CREATE UNIQUE INDEX ON mat (id);
CREATE INDEX mat_idx ON mat USING elacsym (v, body);
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM mat ORDER BY 2$$);
UPDATE base SET id = id + 1000, v = vec(id + 1) WHERE id < 50;
INSERT INTO base VALUES (2000, '[1,1,1]', 'w3 w3');
REFRESH MATERIALIZED VIEW CONCURRENTLY mat;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM mat ORDER BY 2$$);
REFRESH MATERIALIZED VIEW mat;
SELECT agree($$SELECT id, body <@> 'w3' FROM mat ORDER BY 2$$);
DROP MATERIALIZED VIEW mat;

-- inheritance: one scan for each table, merged
CREATE TABLE child (extra int) INHERITS (base);
CREATE INDEX base_idx ON base USING elacsym (v, body);
CREATE INDEX child_idx ON child USING elacsym (v, body);
INSERT INTO child SELECT i, vec(i + 5000), 'child w' || i % 7, i FROM generate_series(5001, 5200) i;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM base ORDER BY 2$$, 'base_idx%child_idx');
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM ONLY base ORDER BY 2$$);
SELECT agree($$SELECT id, body <@> 'w3' FROM child ORDER BY 2$$);
SELECT count(*) FROM (SELECT id FROM base ORDER BY body <@> 'child' LIMIT 10) s;
DROP TABLE base CASCADE;

-- partitions come and go
CREATE TABLE part (id int, v vector(3), body text, n int) PARTITION BY RANGE (id);
CREATE INDEX part_idx ON part USING elacsym (v, body text_bm25_ops (config = 'simple'), n);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200);
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part SELECT i, vec(i), 'fresh w' || i % 7, i % 10 FROM generate_series(1, 250) i;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM part ORDER BY 2$$);
SELECT agree($$SELECT id, body <@> 'fresh w3' FROM part ORDER BY 2$$);
SELECT agree($$SELECT id, body <@> 'fresh w3' FROM part WHERE id BETWEEN 50 AND 150 AND n = 3 ORDER BY 2 LIMIT 5$$);
UPDATE part SET id = id + 100 WHERE id % 10 = 3;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM part ORDER BY 2$$);
ALTER TABLE part DETACH PARTITION part2;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM part ORDER BY 2$$);
SELECT agree($$SELECT id, body <@> 'fresh w3' FROM part2 ORDER BY 2$$);
INSERT INTO part2 VALUES (199, vec(199), 'detached', 1);
ALTER TABLE part ATTACH PARTITION part2 FOR VALUES FROM (100) TO (200);
SELECT agree($$SELECT id, body <@> 'detached' FROM part ORDER BY 2$$);
CREATE TABLE part3 (n int, dropped int, body text, v vector(3), id int);
ALTER TABLE part3 DROP COLUMN dropped;
INSERT INTO part3 SELECT i % 10, 'attached w' || i % 7, vec(i), i FROM generate_series(1000, 1100) i;
ALTER TABLE part ATTACH PARTITION part3 FOR VALUES FROM (1000) TO (2000);
INSERT INTO part SELECT i, vec(i), 'fresh attached', i % 10 FROM generate_series(1500, 1520) i;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM part WHERE n <> 3 ORDER BY 2$$);
SELECT agree($$SELECT id, body <@> 'attached w3' FROM part ORDER BY 2$$);
SELECT elacsym_flush('part_idx') >= 0, elacsym_compact('part_idx') >= 0, elacsym_verify('part_idx');
SELECT agree($$SELECT id, body <@> 'attached w3' FROM part WHERE n = 3 OR n > 7 ORDER BY 2$$);
DROP TABLE part1;
SELECT agree($$SELECT id, v <-> '[1,1,1]' FROM part ORDER BY 2$$);
DROP TABLE part;

-- partial and expression indexes follow the rows in and out
CREATE TABLE e (id int PRIMARY KEY, title text, body text, embedding real[], live boolean,
	both_texts text GENERATED ALWAYS AS (title || ' ' || body) STORED, emb vector(3) GENERATED ALWAYS AS (embedding::vector(3)) STORED);
CREATE INDEX e_idx ON e USING elacsym ((embedding::vector(3)) vector_l2_ops, (title || ' ' || body) text_bm25_ops (config = 'simple')) WHERE live;
CREATE INDEX e_gen_idx ON e USING elacsym (emb vector_cosine_ops, both_texts text_bm25_ops (config = 'simple'));
INSERT INTO e SELECT i, 'title' || i % 5, 'w' || i % 7, ARRAY[sin(i), cos(i), i], i % 3 > 0 FROM generate_series(1, 400) i;
SELECT agree($$SELECT id, embedding::vector(3) <-> '[1,1,1]' FROM e WHERE live ORDER BY 2$$, 'e_idx');
SELECT agree($$SELECT id, emb <=> '[1,1,1]' FROM e ORDER BY 2$$, 'e_gen_idx');
SELECT agree($$SELECT id, both_texts <@> 'title3 w3' FROM e ORDER BY 2$$, 'e_gen_idx');
SELECT agree($$SELECT id, (title || ' ' || body) <@> 'title3 w3' FROM e WHERE live ORDER BY 2$$, 'e_idx');
UPDATE e SET live = NOT live WHERE id % 4 = 0;
UPDATE e SET title = 'changed', embedding = ARRAY[1, 1, id] WHERE id % 10 = 0;
DELETE FROM e WHERE id % 17 = 0;
SELECT agree($$SELECT id, embedding::vector(3) <-> '[1,1,1]' FROM e WHERE live ORDER BY 2$$, 'e_idx');
SELECT agree($$SELECT id, embedding::vector(3) <-> '[1,1,1]' FROM e ORDER BY 2$$, '');
SELECT agree($$SELECT id, emb <=> '[1,1,1]' FROM e ORDER BY 2$$, 'e_gen_idx');
SELECT agree($$SELECT id, both_texts <@> 'changed w3' FROM e ORDER BY 2$$, 'e_gen_idx');
SELECT agree($$SELECT id, (title || ' ' || body) <@> 'changed w3' FROM e WHERE live AND id > 50 ORDER BY 2$$, 'e_idx');
VACUUM e;
SELECT elacsym_compact('e_idx') >= 0, elacsym_verify('e_idx'), elacsym_compact('e_gen_idx') >= 0, elacsym_verify('e_gen_idx');
SELECT agree($$SELECT id, embedding::vector(3) <-> '[1,1,1]' FROM e WHERE live ORDER BY 2$$, 'e_idx');
DROP TABLE e;
DROP FUNCTION agree_w, agree, explain_parses, vec, touch, after_touch;
