-- What an ordered scan hands up: distances that nobody sees are the scan's own, all others the operator's;
-- the first batch has as many rows as the LIMIT.
SET client_min_messages = warning;
CREATE TABLE handed (id int PRIMARY KEY, v vector(4), part int);
INSERT INTO handed SELECT i, ARRAY[i % 50, i % 7, i / 1000.0, 1], i % 3 FROM generate_series(1, 2000) i;
INSERT INTO handed VALUES (3000, NULL, 0);
CREATE INDEX handed_idx ON handed USING elacsym (v, part);
ANALYZE handed;
SET track_functions = 'all';

-- How often a query computes the operator's distance.
CREATE FUNCTION distances(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint := pg_stat_get_xact_function_calls('l2_distance(vector,vector)'::regprocedure);
	n bigint := 0;
	r record;
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
	FOR r IN EXECUTE q LOOP n := n + 1; END LOOP;
	RETURN n || ' rows, ' || coalesce(pg_stat_get_xact_function_calls('l2_distance(vector,vector)'::regprocedure), 0) - coalesce(before, 0) || ' distances';
END $$;
SELECT q, distances(q) FROM unnest(ARRAY[
	$$SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]' LIMIT 10$$,
	$$SELECT id FROM handed WHERE part = 1 ORDER BY v <-> '[1,2,3,4]' LIMIT 10$$,
	$$SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]'$$,
	$$SELECT id, v <-> '[1,2,3,4]' FROM handed ORDER BY v <-> '[1,2,3,4]' LIMIT 10$$,
	$$SELECT id, v <-> '[1,2,3,5]' FROM handed ORDER BY v <-> '[1,2,3,4]' LIMIT 10$$]) q;
-- where equal distances matter they are computed
SELECT q, distances(q) LIKE '% rows, 0 distances' AS none FROM unnest(ARRAY[
	$$SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]', id LIMIT 10$$,
	$$SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]' FETCH FIRST 10 ROWS WITH TIES$$]) q;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM handed ORDER BY v <-> '[1,2,0.001,1]' FETCH FIRST 3 ROWS WITH TIES) s;
-- NULL distances come last, through a scan that hands out its own
SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]' OFFSET 2000;
SELECT count(*) FROM (SELECT id FROM handed ORDER BY v <-> NULL) s;

-- rows changed meanwhile are looked at again (EvalPlanQual), with the expression
BEGIN;
SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]' LIMIT 2 FOR UPDATE;
ROLLBACK;

-- the statistics count a custom scan as an index scan
SELECT pg_stat_force_next_flush();
SELECT idx_scan > 0 AS scans, idx_tup_read > 0 AS tuples FROM pg_stat_user_indexes WHERE indexrelname = 'handed_idx';

-- one search finds as many rows as the LIMIT wants
CREATE FUNCTION searches(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line ~ 'Searches:' THEN RETURN trim(line); END IF;
	END LOOP;
END $$;
SELECT searches('SELECT id FROM handed ORDER BY v <-> ''[1,2,3,4]'' LIMIT ' || n) FROM unnest('{1,10,20,21,100,500}'::int[]) n;
SELECT searches('SELECT id FROM handed ORDER BY v <-> ''[1,2,3,4]'' LIMIT 100 OFFSET 200');
-- unknown to the planner: batches grow
PREPARE limited(int) AS SELECT id FROM handed ORDER BY v <-> '[1,2,3,4]' LIMIT $1;
SET plan_cache_mode = force_generic_plan;
SELECT searches('EXECUTE limited(10)'), searches('EXECUTE limited(500)');
DROP TABLE handed CASCADE;
DROP FUNCTION searches, distances;
