-- Counting and testing for existence: conditions from the index, and no look at
-- rows that everybody sees.  Each count is compared with a sequential scan's.
SET client_min_messages = warning;
SET default_text_search_config = 'pg_catalog.simple';
CREATE TABLE os (id int, n int, body text, tags text[], v vector(3), filler text) WITH (autovacuum_enabled = off);
INSERT INTO os SELECT i, CASE WHEN i % 13 > 0 THEN i % 10 END, CASE WHEN i % 17 > 0 THEN 'word w' || i % 5 || ' u' || i % 300 END, ARRAY['t' || i % 3],
	CASE WHEN i % 19 > 0 THEN ARRAY[i % 7, i % 11, 1]::vector END, repeat('f', 100) FROM generate_series(1, 4000) i;
CREATE INDEX os_idx ON os USING elacsym (v, body text_bm25_ops (config = 'simple'), n, tags);
ANALYZE os;

CREATE FUNCTION by_heap(q text) RETURNS text LANGUAGE plpgsql
	SET elacsym.enable_customscan = off SET enable_indexscan = off SET enable_bitmapscan = off SET enable_indexonlyscan = off AS $$
DECLARE r text; BEGIN EXECUTE q INTO r; RETURN r; END $$;
-- how often the plan has the node, and rows looked at in the heap
CREATE FUNCTION only_scan(q text, OUT nodes bigint, OUT fetches numeric) LANGUAGE plpgsql AS $$
DECLARE j json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) ' || q INTO j;
	SELECT count(*), sum(f::numeric) FROM jsonb_path_query(j::jsonb, 'strict $.**?(@."Custom Plan Provider" == "ElacsymOnlyScan")."Heap Fetches"') f INTO nodes, fetches;
END $$;
-- a query's answer, whether a sequential scan says so, the nodes of its plan, and whether they looked at no row, some or all of those counted
CREATE FUNCTION counted(q text, OUT answer text, OUT same boolean, OUT nodes bigint, OUT looked_at text) LANGUAGE plpgsql
	SET enable_seqscan = off SET enable_indexscan = off SET enable_bitmapscan = off AS $$
DECLARE f numeric;
BEGIN
	EXECUTE q INTO answer;
	same := answer IS NOT DISTINCT FROM by_heap(q);
	SELECT s.nodes, s.fetches FROM only_scan(q) s INTO nodes, f;
	looked_at := CASE WHEN f = 0 THEN 'none' WHEN answer ~ '^\d+$' AND f < answer::bigint THEN 'some' ELSE 'all' END;
END $$;
CREATE TABLE conditions (c text);
INSERT INTO conditions VALUES ('body @@ ''w3'''), ('body @@ ''word & !w3'''), ('body @@ ''!w3'''), ('body @@ ''u1:*'' AND n = 3'), ('body @@ ''word <-> w2'''),
	('n = 3'), ('n IS NULL'), ('n IS NOT NULL AND body IS NULL'), ('NOT (n = 3 OR body @@ ''w1'')'), ('(n < 3) IS NOT TRUE'), ('(body @@ ''w3'') IS UNKNOWN'), ('v IS NULL'),
	('n IN (1, 2, 3) AND tags @> ''{t1}'' OR body @@ ''u77 | u78'''), ('n = 3 AND n > 4'), ('n > 3 AND body @@ (SELECT ''w3''::tsquery)'), ('to_tsvector(''simple'', body) @@ ''w3 & word''');

-- never vacuumed
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions;
VACUUM os;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions;
-- changed by this transaction, then by others, and not vacuumed
BEGIN;
DELETE FROM os WHERE id BETWEEN 100 AND 150;
UPDATE os SET n = 3, body = 'word w3 changed' WHERE id BETWEEN 2000 AND 2010;
INSERT INTO os SELECT i, 3, 'word w3 new', '{t1}', '[1,2,3]', 'f' FROM generate_series(5001, 5020) i;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions;
SAVEPOINT s;
DELETE FROM os WHERE n = 3;
SELECT (counted('SELECT count(*) FROM os WHERE n = 3')).*;
ROLLBACK TO s;
SELECT (counted('SELECT count(*) FROM os WHERE n = 3')).*;
COMMIT;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions;
-- rolled back
BEGIN;
INSERT INTO os SELECT i, 3, 'word w3 new', '{t1}', '[1,2,3]', 'f' FROM generate_series(6001, 6020) i;
DELETE FROM os WHERE id < 50;
ROLLBACK;
SELECT (counted('SELECT count(*) FROM os WHERE n = 3')).*;
-- rows of the delta, whose dead ones VACUUM marks
SELECT elacsym_delta('os_idx') IS NOT NULL AS has_delta;
VACUUM os;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions;
DELETE FROM os WHERE id BETWEEN 5001 AND 5003;
VACUUM os;
SELECT (counted('SELECT count(*) FROM os WHERE n = 3')).*;
INSERT INTO os SELECT i, 4, 'word w4 lies where others lay', '{t1}', '[1,2,3]', 'f' FROM generate_series(7001, 7005) i;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions LIMIT 6;
-- after a flush and a merge
SELECT elacsym_flush('os_idx') > 0 AS flushed, elacsym_compact('os_idx') >= 0 AS compacted;
SELECT (counted('SELECT count(*) FROM os WHERE n = 3')).*;
VACUUM os;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions LIMIT 6;
SELECT elacsym_compact('os_idx', true) >= 0 AS compacted;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions LIMIT 6;

-- other queries that need no column
SELECT q, (counted(q)).* FROM unnest(ARRAY[
	'SELECT EXISTS (SELECT FROM os WHERE body @@ ''w3'')',
	'SELECT EXISTS (SELECT * FROM os WHERE body @@ ''nothing'')',
	'SELECT NOT EXISTS (SELECT 1 FROM os WHERE n = 11)',
	'SELECT sum(x) FROM (SELECT 1 AS x FROM os WHERE n = 3 OFFSET 0) s',
	'SELECT count(*) FROM (SELECT FROM os WHERE n = 3 LIMIT 7) s',
	'SELECT count(*) FROM (SELECT FROM os WHERE n = 3 OFFSET 300) s',
	'SELECT count(x) FROM (SELECT CASE WHEN random() < 2 THEN 1 END AS x FROM os WHERE n = 3 OFFSET 0) s',
	'SELECT sum(c) FROM (SELECT (SELECT count(*) FROM os WHERE n = g) AS c FROM generate_series(1, 4) g) s',
	'SELECT sum(c) FROM generate_series(1, 4) g, LATERAL (SELECT count(*) AS c FROM os WHERE n = g AND body @@ ''word'') s',
	'SELECT count(*) FROM generate_series(1, 4) g WHERE EXISTS (SELECT FROM os WHERE n = g + 8 OFFSET 0)',
	'SELECT count(*) FROM (SELECT FROM os WHERE n = 3) a, (SELECT FROM os WHERE body @@ ''u77'') b',
	'SELECT count(*) FROM (SELECT FROM os WHERE n = 3 UNION ALL SELECT FROM os WHERE n = 4) u',
	'SELECT count(*) FILTER (WHERE true) + count(1) FROM os WHERE n = 3 HAVING count(*) > 0',
	'SELECT count(*) FROM os WHERE n = 3 AND now() > ''2000-01-01''',
	'SELECT count(*) FROM os WHERE n = 3 AND current_setting(''search_path'') = ''nowhere''']) q;
CREATE SEQUENCE only_seq;
SELECT count(DISTINCT x) = count(*) AS evaluated_for_each FROM (SELECT nextval('only_seq') AS x FROM os WHERE n = 3 OFFSET 0) s;

-- what needs the rows after all
SELECT q, (only_scan(q)).nodes FROM unnest(ARRAY[
	'SELECT count(id) FROM os WHERE n = 3', 'SELECT count(n) FROM os WHERE n = 3', 'SELECT count(os) FROM os WHERE n = 3', 'SELECT count(ctid) FROM os WHERE n = 3',
	'SELECT count(tableoid) FROM os WHERE n = 3', 'SELECT max(xmin::text) FROM os WHERE n = 3', 'SELECT count(*) FROM os WHERE n = 3 AND id < 10', 'SELECT count(*) FROM os',
	'SELECT 1 FROM os WHERE n = 3 FOR SHARE', 'SELECT count(*) FROM os TABLESAMPLE system (50) WHERE n = 3', 'SELECT count(*) FROM os a JOIN os b USING (id) WHERE a.n = 3 AND b.n = 3',
	'SELECT count(*) FROM os WHERE n = 3 GROUP BY n', 'SELECT count(*) FROM os WHERE n = 3 AND random() < 2']) q;
SET enable_seqscan = off;
BEGIN;
EXPLAIN (COSTS OFF) DELETE FROM os WHERE n = 77;
SELECT (only_scan('DELETE FROM os WHERE id = 77 AND EXISTS (SELECT FROM os b WHERE b.n = 3)')).nodes;
SELECT (counted('SELECT count(*) FROM os WHERE body @@ ''u77''')).*;
ROLLBACK;
SET elacsym.enable_customscan = off;
SELECT (only_scan('SELECT count(*) FROM os WHERE n = 3')).nodes;
RESET elacsym.enable_customscan;

-- EXPLAIN
EXPLAIN (COSTS OFF) SELECT count(*) FROM os WHERE n = 3 AND body @@ 'w3';
CREATE FUNCTION explained(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		RETURN NEXT regexp_replace(regexp_replace(line, '\(actual.*', ''), '(Posting.*:) \d+', '\1 so many');
	END LOOP;
END $$;
SELECT explained('SELECT count(*) FROM os WHERE n = 3 AND body @@ ''word''');
SELECT explained('SELECT count(*) FROM os WHERE n = 3');

-- parameters: a generic plan, a configuration that the session changes (then the rows are looked at), a subplan
SET plan_cache_mode = force_generic_plan;
PREPARE matching(tsquery, int) AS SELECT count(*) FROM os WHERE body @@ $1 AND n >= $2;
EXPLAIN (COSTS OFF) EXECUTE matching('w3', 3);
EXECUTE matching('w3', 3);
EXECUTE matching('w3 & word', 8);
EXECUTE matching(NULL, 3);
EXECUTE matching('', 3);
EXECUTE matching('!w3', 3);
SET default_text_search_config = 'pg_catalog.english';
EXECUTE matching('w3', 3);
EXECUTE matching('w3 & word', 8);
SELECT by_heap('SELECT count(*) FROM os WHERE body @@ ''w3'' AND n >= 3');
SET default_text_search_config = 'pg_catalog.simple';
RESET plan_cache_mode;

-- cursors
BEGIN;
DECLARE c CURSOR FOR SELECT 1 FROM os WHERE n = 3;
FETCH 2 FROM c;
MOVE 300 FROM c;
DELETE FROM os;
MOVE ALL FROM c;
FETCH c;
CLOSE c;
DECLARE c SCROLL CURSOR FOR SELECT 1 AS one FROM os WHERE body @@ 'w3';
SELECT count(*) FROM os WHERE body @@ 'w3';
CLOSE c;
ROLLBACK;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT 1 AS one FROM os WHERE body @@ 'u77';
MOVE ALL FROM c;
FETCH BACKWARD 2 FROM c;
MOVE ABSOLUTE 1 FROM c;
FETCH c;
COMMIT;

-- work_mem: rows to be looked at come in pieces
UPDATE os SET filler = 'g' WHERE id % 2 = 0;
SET work_mem = '64kB';
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions LIMIT 6;
RESET work_mem;

-- partial indexes: rows of the index are those of its predicate
CREATE TABLE part (id int, n int, kind text, body text) WITH (autovacuum_enabled = off);
INSERT INTO part SELECT i, i % 10, CASE WHEN i % 3 = 0 THEN 'new' ELSE 'old' END, 'word w' || i % 4 FROM generate_series(1, 1000) i;
CREATE INDEX part_idx ON part USING elacsym (body text_bm25_ops (config = 'simple'), n) WHERE kind = 'new';
VACUUM ANALYZE part;
SELECT q, (counted(q)).* FROM unnest(ARRAY['SELECT count(*) FROM part WHERE kind = ''new''', 'SELECT count(*) FROM part WHERE kind = ''new'' AND body @@ ''w2''',
	'SELECT count(*) FROM part WHERE kind = ''new'' AND n = 3', 'SELECT count(*) FROM part WHERE kind = ''new'' AND n = 3 AND id < 500']) q;
SELECT q, (only_scan(q)).nodes FROM unnest(ARRAY['SELECT count(*) FROM part WHERE n = 3', 'SELECT count(*) FROM part WHERE kind = ''old'' AND n = 3']) q;
DELETE FROM part WHERE n = 3;
SELECT (counted('SELECT count(*) FROM part WHERE kind = ''new''')).*;
DROP TABLE part;

-- partitions and inheritance
CREATE TABLE parts (id int, n int, body text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (500) WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (500) TO (2000) WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT i, i % 10, 'word w' || i % 4 FROM generate_series(1, 1000) i;
CREATE INDEX parts_idx ON parts USING elacsym (body text_bm25_ops (config = 'simple'), n, id);
VACUUM ANALYZE parts;
SELECT q, (counted(q)).* FROM unnest(ARRAY['SELECT count(*) FROM parts WHERE body @@ ''w3''', 'SELECT count(*) FROM parts WHERE n = 3 AND id < 400', 'SELECT count(*) FROM parts WHERE n = 3 OR id > 900',
	'SELECT EXISTS (SELECT FROM parts WHERE n = 3)']) q;
DELETE FROM parts WHERE id = 3;
SELECT (counted('SELECT count(*) FROM parts WHERE n = 3')).*;
DROP TABLE parts;
CREATE TABLE parent (n int) WITH (autovacuum_enabled = off);
CREATE TABLE child () INHERITS (parent) WITH (autovacuum_enabled = off);
INSERT INTO parent SELECT i % 10 FROM generate_series(1, 300) i;
INSERT INTO child SELECT i % 10 FROM generate_series(1, 500) i;
CREATE INDEX ON parent USING elacsym (n);
CREATE INDEX ON child USING elacsym (n);
VACUUM ANALYZE parent, child;
SELECT q, (counted(q)).* FROM unnest(ARRAY['SELECT count(*) FROM parent WHERE n = 3', 'SELECT count(*) FROM ONLY parent WHERE n = 3']) q;
DROP TABLE parent CASCADE;

-- row-level security: only when what the policy wants and what the query wants may be evaluated in any order
CREATE ROLE regress_elac_only;
GRANT SELECT ON os TO regress_elac_only;
GRANT EXECUTE ON FUNCTION counted, only_scan, by_heap TO regress_elac_only;
ALTER TABLE os ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON os USING (n < 5);
SET ROLE regress_elac_only;
SELECT q, (counted(q)).* FROM unnest(ARRAY['SELECT count(*) FROM os WHERE n = 3', 'SELECT count(*) FROM os WHERE n = 7']) q;
SELECT (only_scan('SELECT count(*) FROM os WHERE body @@ ''w3''')).nodes;
SELECT count(*) = by_heap('SELECT count(*) FROM os WHERE body @@ ''w3''')::bigint AS same FROM os WHERE body @@ 'w3';
RESET ROLE;
ALTER TABLE os DISABLE ROW LEVEL SECURITY;

-- serializable transactions look at the map page by page
VACUUM os;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT c, (counted('SELECT count(*) FROM os WHERE ' || c)).* FROM conditions LIMIT 3;
SELECT count(*) > 0 AS locks FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 'os'::regclass AND locktype IN ('page', 'relation');
COMMIT;
-- few rows of a table of many pages
DELETE FROM os WHERE id = 77;
SELECT (counted('SELECT count(*) FROM os WHERE body @@ ''u77''')).*;

-- unlogged and temporary tables
CREATE TEMP TABLE os_temp AS SELECT id, n FROM os;
CREATE INDEX ON os_temp USING elacsym (n);
VACUUM ANALYZE os_temp;
SELECT (counted('SELECT count(*) FROM os_temp WHERE n = 3')).*;
DROP TABLE os_temp;

-- the planner's choice: not where a btree has less to read, nor for a small table
RESET enable_seqscan;
CREATE INDEX os_id ON os (id);
VACUUM ANALYZE os;
SELECT q, (only_scan(q)).nodes FROM unnest(ARRAY['SELECT count(*) FROM os WHERE body @@ ''w3''', 'SELECT count(*) FROM os WHERE n = 3', 'SELECT count(*) FROM os WHERE n = 3 AND id = 10', 'SELECT count(*) FROM os WHERE n <> 3']) q;
DROP TABLE os, conditions;
DROP SEQUENCE only_seq;
DROP FUNCTION counted, only_scan, by_heap, explained;
DROP ROLE regress_elac_only;
