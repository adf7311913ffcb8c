-- What a session keeps of an index from query to query never shows: every change is seen by the next query,
-- an open cursor goes on with what it began with, and memory does not grow.
SET client_min_messages = warning;
CREATE TABLE kept (id int, v vector(3), part int) WITH (autovacuum_enabled = off);
INSERT INTO kept SELECT i, ARRAY[i, i % 7, 1], i % 4 FROM generate_series(1, 1000) i;
CREATE INDEX kept_idx ON kept USING elacsym (v, part);
SET enable_seqscan = off; SET enable_sort = off;

-- rows by the index, and whether they are those of the table
CREATE FUNCTION by_index(target regclass DEFAULT 'kept') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ids int[];
	filtered int[];
	wanted int[];
	nearest text;
BEGIN
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM %s ORDER BY v <-> ''[3,3,3]'' OFFSET 0) s', target) INTO ids;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM %s WHERE part = 1 ORDER BY v <-> ''[3,3,3]'' OFFSET 0) s', target) INTO filtered;
	EXECUTE format('SELECT string_agg(id::text, '' '') FROM (SELECT id FROM %s ORDER BY v <-> ''[3,3,3]'' LIMIT 3) s', target) INTO nearest;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM %s OFFSET 0) s', target) INTO wanted;
	IF ids IS DISTINCT FROM wanted THEN RETURN 'rows differ'; END IF;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM %s WHERE (part = 1) IS TRUE OFFSET 0) s', target) INTO wanted;
	IF filtered IS DISTINCT FROM wanted THEN RETURN 'filtered rows differ'; END IF;
	RETURN coalesce(cardinality(ids), 0) || ' rows, nearest ' || coalesce(nearest, 'none');
END $$;
-- memory that sessions keep indexes in
CREATE VIEW contexts AS SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'elacsym index cache';

SELECT by_index();
SELECT by_index();
SELECT * FROM contexts;
INSERT INTO kept VALUES (2001, '[3,3,3]', 1);
SELECT by_index();
DELETE FROM kept WHERE id = 2001 OR id % 10 = 3;
SELECT by_index();
VACUUM kept;
SELECT by_index();
-- live bits change again, and new rows take the places of old ones
INSERT INTO kept SELECT i, '[3,3,4]', 1 FROM generate_series(3001, 3050) i;
SELECT by_index();
DELETE FROM kept WHERE id % 10 = 4;
VACUUM kept;
INSERT INTO kept SELECT i, '[3,4,4]', 1 FROM generate_series(4001, 4050) i;
SELECT by_index();
SELECT elacsym_flush('kept_idx') > 0 AS flushed;
SELECT by_index();
SELECT elacsym_compact('kept_idx', true) > 0 AS compacted;
SELECT by_index();
ALTER INDEX kept_idx RENAME TO kept_renamed;
SELECT by_index();
ALTER INDEX kept_renamed RENAME TO kept_idx;
REINDEX INDEX kept_idx;
SELECT by_index();

-- the session's own changes, taken back
BEGIN;
INSERT INTO kept VALUES (5001, '[3,3,3]', 1);
SELECT by_index();
SAVEPOINT a;
DELETE FROM kept WHERE id > 4000;
SELECT by_index();
TRUNCATE kept;
SELECT by_index();
INSERT INTO kept VALUES (1, '[3,3,3]', 1);
SELECT by_index();
ROLLBACK TO a;
SELECT by_index();
REINDEX INDEX kept_idx;
SELECT by_index();
ROLLBACK;
SELECT by_index();

-- an error in a scan, within a subtransaction, beside an open cursor; everything moves under the cursor
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM kept ORDER BY v <-> '[3,3,3]';
FETCH 2 FROM c;
SAVEPOINT a;
SELECT id / (id - id) FROM kept ORDER BY v <-> '[3,3,3]' LIMIT 1;
ROLLBACK TO a;
INSERT INTO kept VALUES (6001, '[3,3,3]', 1);
SELECT elacsym_flush('kept_idx') > 0 AS flushed;
SELECT by_index();
SELECT elacsym_compact('kept_idx', true) > 0 AS compacted;
SELECT by_index();
FETCH 2 FROM c;
SAVEPOINT b;
DECLARE d CURSOR FOR SELECT id FROM kept ORDER BY v <-> '[3,3,3]';
FETCH 1 FROM d;
ROLLBACK TO b;
SELECT count(*) AS rest FROM kept;
MOVE FORWARD ALL FROM c;
COMMIT;
SELECT by_index();
SELECT * FROM contexts;

-- TRUNCATE and DROP
TRUNCATE kept;
SELECT by_index();
INSERT INTO kept VALUES (7, '[1,2,3]', 1);
SELECT by_index();
DROP INDEX kept_idx;
SELECT * FROM contexts;

-- unlogged and temporary tables have no LSNs to tell versions by
CREATE UNLOGGED TABLE unlogged (id int, v vector(3), part int);
CREATE INDEX unlogged_idx ON unlogged USING elacsym (v, part);
INSERT INTO unlogged SELECT i, ARRAY[i, i % 7, 1], i % 4 FROM generate_series(1, 500) i;
SELECT by_index('unlogged');
SELECT elacsym_flush('unlogged_idx') > 0 AS flushed;
SELECT by_index('unlogged');
DELETE FROM unlogged WHERE id % 10 = 3;
VACUUM unlogged;
SELECT by_index('unlogged');
DELETE FROM unlogged WHERE id % 10 = 4;
VACUUM unlogged;
INSERT INTO unlogged SELECT i, '[3,3,3]', 1 FROM generate_series(4001, 4050) i;
SELECT by_index('unlogged');
TRUNCATE unlogged;
SELECT by_index('unlogged');
DROP TABLE unlogged;
CREATE TEMPORARY TABLE temporary (id int, v vector(3), part int) ON COMMIT DELETE ROWS;
CREATE INDEX temporary_idx ON temporary USING elacsym (v, part);
BEGIN;
INSERT INTO temporary SELECT i, ARRAY[i, i % 7, 1], i % 4 FROM generate_series(1, 100) i;
SELECT by_index('temporary');
COMMIT;
SELECT by_index('temporary');
BEGIN;
INSERT INTO temporary SELECT i, ARRAY[-i, i % 7, 1], i % 4 FROM generate_series(1, 10) i;
SELECT by_index('temporary');
SELECT elacsym_flush('temporary_idx') > 0 AS flushed;
SELECT by_index('temporary');
COMMIT;
SELECT by_index('temporary');
DROP TABLE temporary;
SELECT * FROM contexts;

-- many indexes, and many queries on each
CREATE TABLE parts (id int, v vector(3), part int) PARTITION BY LIST (part);
SELECT format('CREATE TABLE parts_%s PARTITION OF parts FOR VALUES IN (%1$s)', i) FROM generate_series(0, 19) i \gexec
CREATE INDEX ON parts USING elacsym (v, part);
INSERT INTO parts SELECT i, ARRAY[i, i % 7, 1], i % 20 FROM generate_series(1, 1000) i;
SELECT by_index('parts') FROM generate_series(1, 3);
SELECT * FROM contexts;
SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts WHERE name LIKE 'elacsym %' \gset
SELECT DISTINCT by_index('parts') FROM generate_series(1, 20);
SELECT sum(total_bytes) <= :before AS same FROM pg_backend_memory_contexts WHERE name LIKE 'elacsym %';
DROP TABLE parts;
SELECT * FROM contexts;
DROP FUNCTION by_index;
DROP TABLE kept;
DROP VIEW contexts;
