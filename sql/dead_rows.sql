-- Half of the table, nearest to the query, is deleted and not yet vacuumed: a
-- search passes over the dead without starting again for every few of them.
SET client_min_messages = warning;
CREATE TABLE husks (id int PRIMARY KEY, v vector(16)) WITH (autovacuum_enabled = off);
INSERT INTO husks SELECT i, (SELECT array_agg(sin(1 + i * (j + 1) * .37)) FROM generate_series(1, 16) j)::real[]::vector FROM generate_series(1, 16000) i;
CREATE INDEX husks_idx ON husks USING elacsym (v vector_l2_ops) WITH (rerank = heap);
ANALYZE husks;
CREATE TEMP TABLE asked AS SELECT v FROM husks WHERE id = 77;
DELETE FROM husks WHERE id IN (SELECT id FROM husks ORDER BY v <-> (SELECT v FROM asked) LIMIT 8000);
SET enable_seqscan = off;
SET enable_sort = off;
CREATE FUNCTION scored(q text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	j json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) ' || q INTO j;
	RETURN substring(j::text FROM '"Codes Scored": (\d+)')::bigint;
END $$;
SELECT scored('SELECT id FROM husks ORDER BY v <-> (SELECT v FROM asked) LIMIT 10') BETWEEN 8000 AND 10 * 16000 AS few;
CREATE TEMP TABLE found AS SELECT id FROM husks ORDER BY v <-> (SELECT v FROM asked) LIMIT 10;
SELECT count(*) FROM (SELECT id FROM husks ORDER BY v <-> (SELECT v FROM asked) LIMIT 16000) x;
SET elacsym.enable_customscan = off;
SET enable_indexscan = off;
RESET enable_sort;
SELECT count(*) >= 9 AS nearest FROM found WHERE id IN (SELECT id FROM husks ORDER BY v <-> (SELECT v FROM asked) LIMIT 10);
RESET ALL;
DROP TABLE husks, asked, found;
DROP FUNCTION scored;
