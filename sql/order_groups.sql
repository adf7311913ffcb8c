-- Rows of equal distance: an order that is right as far as the recall goes
-- brings no groups together.
SET client_min_messages = warning;
CREATE TABLE twins (id int PRIMARY KEY, v vector(64)) WITH (autovacuum_enabled = off);
INSERT INTO twins SELECT i, (SELECT array_agg(sin(1 + (i / 3) * (j + 1) * .37)) FROM generate_series(1, 64) j)::real[]::vector FROM generate_series(0, 2999) i;
CREATE INDEX twins_idx ON twins USING elacsym (v vector_l2_ops) WITH (rerank = none, bits = 2);
-- in the delta, where the same vectors have other codes
INSERT INTO twins SELECT i + 3000, v FROM twins, generate_series(0, 59) i WHERE id = i;
ANALYZE twins;
CREATE FUNCTION same_by_sort(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	by_index text;
	by_sort text;
	plan text := '';
	line text;
BEGIN
	q := replace(q, ':v', '(SELECT v FROM twins WHERE id = 5)');
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_hashagg', 'off', true),
		set_config('elacsym.enable_customscan', 'on', true), set_config('enable_indexscan', 'on', true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP plan := plan || line || ' '; END LOOP;
	EXECUTE format('SELECT array_agg(x)::text FROM (%s) x', q) INTO by_index;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('elacsym.enable_customscan', 'off', true), set_config('enable_indexscan', 'off', true);
	EXECUTE format('SELECT array_agg(x)::text FROM (%s) x', q) INTO by_sort;
	RETURN format('%s, %s', CASE WHEN by_index = by_sort THEN 'same' ELSE 'not the same' END,
		CASE WHEN plan ~ 'ElacsymScan|twins_idx' THEN 'index' ELSE 'sort' END);
END $$;
SELECT q, same_by_sort(q) FROM unnest(ARRAY[
	'SELECT rows, count(*) FROM (SELECT count(*) AS rows FROM twins GROUP BY v <-> :v) g GROUP BY rows ORDER BY rows',
	'SELECT count(*) FROM twins GROUP BY v <-> :v ORDER BY v <-> :v LIMIT 3',
	'SELECT count(DISTINCT v <-> :v) FROM twins']) q;
-- without the node
SET elacsym.enable_customscan = off;
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_hashagg = off;
SELECT rows, count(*) FROM (SELECT count(*) AS rows FROM twins GROUP BY v <-> '[1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8]') g GROUP BY rows ORDER BY rows;
RESET ALL;
DROP TABLE twins;
DROP FUNCTION same_by_sort;
