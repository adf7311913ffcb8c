-- Costs follow what plans take: by size of the table, LIMIT, selectivity, what
-- the index can filter, TOAST; with joins, partitions, partial and several
-- indexes.  Only cases in which one plan is several times faster.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION spot(i int, dim int) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((sin(i * j + j) + sin(i % 50 * j))::real)::vector FROM generate_series(1, dim) j';
CREATE TABLE small (id int PRIMARY KEY, v vector(3));
INSERT INTO small SELECT i, spot(i, 3) FROM generate_series(1, 50) i;
CREATE INDEX small_idx ON small USING elacsym (v);
CREATE TABLE wide (id int PRIMARY KEY, n int, other int, v vector(64)) WITH (autovacuum_enabled = off);
INSERT INTO wide SELECT i, i % 5000, i % 100, spot(i, 64) FROM generate_series(1, 20000) i;
CREATE INDEX wide_idx ON wide USING elacsym (v, other);
CREATE INDEX wide_n ON wide (n);
-- values lie in the TOAST table
CREATE TABLE toasted (id int PRIMARY KEY, n int, v vector(600)) WITH (autovacuum_enabled = off);
INSERT INTO toasted SELECT i, i % 100, spot(i, 600) FROM generate_series(1, 2000) i;
CREATE INDEX toasted_idx ON toasted USING elacsym (v);
VACUUM ANALYZE small, wide, toasted;

-- What a query's plan scans, joined with commas; with its sort when it has one.
CREATE FUNCTION plan_of(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	names text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		IF line ~ '(Scan|Sort|Merge Append|Custom)' AND line !~ '(Sort Key|Filter|Cond|Order By|Bitmap Index)' THEN
			names := names || ', ' || regexp_replace(regexp_replace(line, '^[ >-]*', ''), 'Custom Scan \(ElacsymScan\)|Index Scan( using \w+_idx\w*)', 'Index Scan\1');
		END IF;
	END LOOP;
	-- the custom scan is as good as the index scan
	RETURN regexp_replace(substr(names, 3), '( using \w+)? on \w+', '', 'g');
END $$;
CREATE FUNCTION index_of(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	names text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		names := names || coalesce(' ' || substring(line FROM '(?:Index Scan using|Bitmap Index Scan on|Index:) (\w+)'), '');
	END LOOP;
	RETURN substr(names, 2);
END $$;
CREATE FUNCTION cost_of(q text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	j json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || q INTO j;
	RETURN (j -> 0 -> 'Plan' ->> 'Total Cost')::float8;
END $$;
\pset format unaligned
\pset tuples_only on

-- sizes and LIMITs
SELECT q, plan_of(q) FROM unnest(ARRAY[
	'SELECT id FROM small ORDER BY v <-> ''[1,2,3]'' LIMIT 5',
	'SELECT id FROM wide ORDER BY v <-> spot(7, 64) LIMIT 10',
	'SELECT id FROM wide ORDER BY v <-> spot(7, 64) LIMIT 100',
	'SELECT id FROM wide ORDER BY v <-> spot(7, 64)',
	'SELECT id FROM wide ORDER BY v <-> spot(7, 64) LIMIT 10000',
	'SELECT id FROM toasted ORDER BY v <-> spot(7, 600) LIMIT 10']) q;

-- conditions: of the index, of another index, of none
SELECT q, plan_of(q) LIKE 'Sort, %' AS sorted, index_of(q) FROM unnest(ARRAY[
	'SELECT id FROM wide WHERE other < 50 ORDER BY v <-> spot(7, 64) LIMIT 10',
	'SELECT id FROM wide WHERE n = 17 ORDER BY v <-> spot(7, 64) LIMIT 10',
	'SELECT id FROM wide WHERE id % 200 = 17 ORDER BY v <-> spot(7, 64) LIMIT 50',
	'SELECT id FROM toasted WHERE n = 17 ORDER BY v <-> spot(7, 600) LIMIT 10']) q;

-- no order
SELECT q, plan_of(q), index_of(q) FROM unnest(ARRAY[
	'SELECT count(*) FROM wide WHERE other = 17',
	'SELECT count(*) FROM wide WHERE other > 17',
	'SELECT count(*) FROM wide']) q;

-- once for each row of another table
SELECT index_of('SELECT * FROM small s, LATERAL (SELECT id FROM wide ORDER BY v <-> spot(s.id, 64) LIMIT 3) x') LIKE '%wide_idx%';

-- a partial index holds fewer rows; of several indexes the one that filters
CREATE INDEX wide_partial ON wide USING elacsym (v) WHERE id <= 2000;
SELECT index_of('SELECT id FROM wide WHERE id <= 2000 ORDER BY v <-> spot(7, 64) LIMIT 10'),
	index_of('SELECT id FROM wide WHERE id <= 3000 ORDER BY v <-> spot(7, 64) LIMIT 10'),
	index_of('SELECT id FROM wide WHERE other = 5 AND id > 0 ORDER BY v <-> spot(7, 64) LIMIT 10');
DROP INDEX wide_partial;
CREATE INDEX wide_plain ON wide USING elacsym (v);
SELECT index_of('SELECT id FROM wide WHERE other = 5 ORDER BY v <-> spot(7, 64) LIMIT 10');

-- partitions: merged in order
CREATE TABLE parted (id int, v vector(32)) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (6000) WITH (autovacuum_enabled = off);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (6000) TO (20000) WITH (autovacuum_enabled = off);
INSERT INTO parted SELECT i, spot(i, 32) FROM generate_series(1, 12000) i;
CREATE INDEX parted_idx ON parted USING elacsym (v);
VACUUM ANALYZE parted;
SELECT plan_of('SELECT id FROM parted ORDER BY v <-> spot(7, 32) LIMIT 10'), plan_of('SELECT id FROM parted ORDER BY v <-> spot(7, 32)');

-- distances: more components cost more, and TOAST most; cheap conditions come first
SELECT cost_of('SELECT v <-> spot(1, 600) FROM toasted') > 50 * cost_of('SELECT id FROM toasted'),
	cost_of('SELECT v <-> spot(1, 64) FROM wide') < 10 * cost_of('SELECT id FROM wide');
EXPLAIN (COSTS OFF) SELECT id FROM toasted WHERE v <-> '[1]'::vector < 5 AND id % 7 = 3;

-- settings that make a query look at more make it dearer
SELECT cost_of(q) < (SELECT cost_of(q) FROM (SELECT set_config('elacsym.target_recall', '0.999', false) OFFSET 0) s) FROM (SELECT 'SELECT id FROM wide ORDER BY v <-> spot(7, 64) LIMIT 10' AS q) s;
RESET elacsym.target_recall;
DROP TABLE small, wide, toasted, parted;
DROP FUNCTION plan_of, index_of, cost_of, spot;
