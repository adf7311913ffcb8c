-- elacsym.target_recall, calibration, the sample of queries, elacsym_recall()
SET client_min_messages = warning;

-- 8000 rows in 40 clusters of 24 dimensions; queries lie between the clusters
SELECT setseed(0.25);
CREATE TABLE centers AS
	SELECT c, array_agg(random() * 4) AS x FROM generate_series(1, 40) c, generate_series(1, 24) d GROUP BY c;
CREATE TABLE points (id int PRIMARY KEY, part int, v vector(24), h halfvec(24));
INSERT INTO points (id, part, v)
	SELECT i, i % 10, (SELECT array_agg(y + random() * 2 - 1 + i * 0 ORDER BY n) FROM unnest(x) WITH ORDINALITY u(y, n))::real[]::vector
	FROM generate_series(1, 8000) i JOIN centers ON c = i % 40 + 1;
UPDATE points SET h = v::halfvec;
CREATE TABLE asked (n int, v vector(24));
INSERT INTO asked
	SELECT i, (SELECT array_agg(y * 0.7 + 0.6 + random() * 2 - 1 + i * 0 ORDER BY n) FROM unnest(x) WITH ORDINALITY u(y, n))::real[]::vector
	FROM generate_series(1, 300) i JOIN centers ON c = i % 40 + 1;
VACUUM ANALYZE points;

CREATE INDEX points_idx ON points USING elacsym (v vector_l2_ops, part);

-- a build calibrates: curves for all rows and for filters, ascending
SELECT source, queries > 50 AS queries, round(rows / 1000) * 1000 AS rows, count(*) AS points, bool_and(ascends) AS ascends
	FROM (SELECT *, patience >= lag(patience, 1, 0::float8) OVER w AND scanned >= lag(scanned, 1, 0::float8) OVER w AS ascends
		FROM elacsym_calibration('points_idx') WINDOW w AS (PARTITION BY rows ORDER BY recall)) x
	GROUP BY 1, 2, 3 ORDER BY rows DESC LIMIT 1;

-- the default reaches its target on queries that are no rows, and a lower one looks at less
CREATE TEMP TABLE measured AS SELECT 95 AS target, * FROM elacsym_recall('points_idx', (SELECT array_agg(v) FROM asked));
SET elacsym.target_recall = 0.6;
INSERT INTO measured SELECT 60, * FROM elacsym_recall('points_idx', (SELECT array_agg(v) FROM asked));
SET elacsym.target_recall = 1;
INSERT INTO measured SELECT 100, * FROM elacsym_recall('points_idx', (SELECT array_agg(v) FROM asked));
RESET elacsym.target_recall;
SELECT target, measured, source, recall >= least(target / 100.0, 0.999) AS reached, documents > 0 AND milliseconds > 0 AS looked FROM measured ORDER BY 1;
SELECT bool_and(less) AS less FROM (SELECT documents > lag(documents, 1, 0::float8) OVER (ORDER BY target) AS less FROM measured) x;
SELECT documents FROM measured WHERE target = 100;

-- elacsym.probes overrides the target
SET elacsym.probes = 1;
SELECT documents < (SELECT min(documents) FROM measured) AS fewer, recall < (SELECT min(recall) FROM measured) AS worse
	FROM elacsym_recall('points_idx', (SELECT array_agg(v) FROM asked));
RESET elacsym.probes;

-- without queries: rows, which are no answers to themselves
SELECT recall >= 0.95 AS reached, measured, source FROM elacsym_recall('points_idx', samples => 50);
SELECT recall >= 0.95 AS reached, measured FROM elacsym_recall('points_idx', k => 100, samples => 20);

-- queries are collected, in order to calibrate on them, unless users do not want it
SET enable_seqscan = off;
SET elacsym.collect_queries = off;
DO $$ DECLARE a record; BEGIN
	FOR a IN SELECT v FROM asked LOOP PERFORM id FROM points ORDER BY v <-> a.v LIMIT 5; END LOOP; END $$;
SELECT source FROM elacsym_recall('points_idx', samples => 5);
RESET elacsym.collect_queries;
DO $$ DECLARE a record; BEGIN
	FOR a IN SELECT v FROM asked LOOP PERFORM id FROM points ORDER BY v <-> a.v LIMIT 5; END LOOP; END $$;
RESET enable_seqscan;
SELECT recall >= 0.95 AS reached, measured, source FROM elacsym_recall('points_idx', samples => 1000);
SELECT DISTINCT source FROM elacsym_calibration('points_idx');
-- measuring does not add to them
SELECT measured FROM elacsym_recall('points_idx', samples => 1000);
SELECT elacsym_calibrate('points_idx') >= 200 AS calibrated;
SELECT DISTINCT source FROM elacsym_calibration('points_idx');
SELECT recall >= 0.93 AS reached FROM elacsym_recall('points_idx', (SELECT array_agg(v) FROM asked));
SELECT elacsym_verify('points_idx');
-- they stay when segments and codebook change
INSERT INTO points SELECT id + 10000, part, v, h FROM points;
SELECT elacsym_compact('points_idx') > 0 AS compacted;
SELECT measured, source, recall >= 0.93 AS reached FROM elacsym_recall('points_idx', samples => 1000);
SELECT source, max(rows) FROM elacsym_calibration('points_idx') GROUP BY 1;
DELETE FROM points WHERE id > 8000;
DROP INDEX points_idx;

-- other columns and indexes: inner product, cosine, half precision, an expression, a part of the table
CREATE INDEX points_ip ON points USING elacsym (v vector_ip_ops);
CREATE INDEX points_cos ON points USING elacsym (h halfvec_cosine_ops);
CREATE INDEX points_expr ON points USING elacsym (((v + v)::vector(24)) vector_l2_ops) WHERE part < 5;
SELECT i, measured, recall >= 0.95 AS reached, documents <= 4000 OR i <> 'points_expr' AS half
	FROM unnest(ARRAY['points_ip', 'points_cos', 'points_expr']) i, LATERAL elacsym_recall(i::regclass, samples => 40);
SELECT recall >= 0.95 AS reached, measured FROM elacsym_recall('points_cos', (SELECT array_agg(v) FROM asked));
SELECT recall >= 0.95 AS reached FROM elacsym_recall('points_expr', (SELECT array_agg(v + v) FROM asked));

-- few rows, none, NULLs, zero vectors
CREATE TABLE few (v vector(3));
CREATE INDEX few_idx ON few USING elacsym (v vector_cosine_ops);
SELECT * FROM elacsym_recall('few_idx');
SELECT recall, measured FROM elacsym_recall('few_idx', ARRAY['[1,2,3]', NULL]::vector[]);
INSERT INTO few VALUES ('[1,2,3]'), ('[1,2,4]'), ('[0,0,0]'), (NULL), ('[3,2,1]');
SELECT recall, measured, source FROM elacsym_recall('few_idx', k => 2);
SELECT recall, measured FROM elacsym_recall('few_idx', ARRAY['[1,2,3]', '[0,0,0]']::vector[]);
SELECT elacsym_calibrate('few_idx');
SELECT count(*) FROM elacsym_calibration('few_idx');
SELECT elacsym_recall('few_idx', k => NULL);

-- errors
SELECT elacsym_recall('few_idx', ARRAY['[1,2]']::vector[]);
SELECT elacsym_recall('few_idx', k => 0);
SELECT elacsym_recall('few_idx', samples => -1);
SELECT elacsym_recall('points_pkey');
CREATE TABLE words (id int, body text);
CREATE INDEX words_idx ON words USING elacsym (body text_bm25_ops);
SELECT elacsym_recall('words_idx');
SELECT elacsym_calibrate('words_idx');
SET elacsym.target_recall = 1.5;

-- rights: those of a query
CREATE ROLE recall_user;
SET ROLE recall_user;
SELECT elacsym_recall('points_ip', samples => 1);
SELECT elacsym_calibrate('points_ip');
RESET ROLE;
GRANT SELECT (id, part) ON points TO recall_user;
SET ROLE recall_user;
SELECT elacsym_recall('points_ip', samples => 1);
RESET ROLE;
GRANT SELECT (v) ON points TO recall_user;
SET ROLE recall_user;
SELECT measured FROM elacsym_recall('points_ip', samples => 1);
SELECT measured FROM elacsym_recall('points_expr', samples => 1);
SELECT elacsym_recall('points_cos', samples => 1);
RESET ROLE;
GRANT SELECT ON points TO recall_user;
ALTER TABLE points ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON points USING (part = 1);
SET ROLE recall_user;
SELECT elacsym_recall('points_ip', samples => 1);
RESET ROLE;
SELECT measured FROM elacsym_recall('points_ip', samples => 1);

-- partitions: the mean over all
CREATE TABLE parts (id int, v vector(24)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (2000);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (2000) TO (4000);
INSERT INTO parts SELECT id, v FROM points WHERE id BETWEEN 1 AND 3999;
CREATE INDEX parts_idx ON parts USING elacsym (v vector_l2_ops);
SELECT recall >= 0.95 AS reached, measured FROM elacsym_recall('parts_idx', samples => 10);

DROP TABLE points, asked, centers, few, words, parts;
DROP ROLE recall_user;
