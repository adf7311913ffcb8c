-- After VACUUM a new row may lie where a deleted one lay.  The deleted row's
-- document, still in its segment, must not bring the new row a second time,
-- nor at the old row's place.
CREATE TABLE r (id int, v vector(3), body text, p int) WITH (autovacuum_enabled = off);
INSERT INTO r SELECT i, ARRAY[i, i % 7, 1]::vector, 'word' || i % 5 || ' old', i % 4 FROM generate_series(1, 3000) i;
CREATE INDEX r_idx ON r USING elacsym (v, body text_bm25_ops (config = 'simple'), p);
CREATE TABLE places AS SELECT ctid AS place FROM r WHERE id % 10 = 0;
-- few enough that VACUUM merges nothing
DELETE FROM r WHERE id % 10 = 0;
VACUUM r;
SELECT documents, dead FROM elacsym_segments('r_idx');
INSERT INTO r SELECT i, ARRAY[i, 0, -1]::vector, 'fresh', 9 FROM generate_series(10001, 10300) i;
SELECT count(*) > 0 AS reused FROM r JOIN places ON place = r.ctid WHERE id > 10000;
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM r ORDER BY v <-> '[1,1,1]' OFFSET 0) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM r ORDER BY body <@> 'old word1' OFFSET 0) x;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM r WHERE p IN (1, 9) ORDER BY v <-> '[1,1,1]' OFFSET 0) x;
SELECT count(*) FILTER (WHERE id > 10000) AS fresh FROM (SELECT id FROM r ORDER BY body <@> 'old' LIMIT 2700) x;
-- a plain scan of conditions that only the deleted rows' documents meet
SELECT count(*) FILTER (WHERE p = 9) AS fresh FROM r WHERE p IN (0, 2);
SELECT elacsym_verify('r_idx');
DROP TABLE r, places;
