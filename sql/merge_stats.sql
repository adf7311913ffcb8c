-- A merge that leaves dead rows out brings the statistics, and so the scores,
-- of a fresh build; one without dead rows changes nothing.  Phases of a build
-- have names.
SET client_min_messages = warning;
SELECT n, pg_indexam_progress_phasename((SELECT oid FROM pg_am WHERE amname = 'elacsym'), n) FROM generate_series(1, 9) n;
CREATE TABLE m (id int PRIMARY KEY, a text, b text, v vector(4), p int);
INSERT INTO m SELECT i, 'w' || i % 11 || ' w' || i % 13 || repeat(' x', i % 17), CASE WHEN i % 9 = 0 THEN NULL ELSE 'y' || i % 5 || repeat(' z', i % 23) END,
	ARRAY[i % 7, i % 11, i % 13, 1]::vector, i % 3 FROM generate_series(1, 3000) i;
CREATE INDEX m_idx ON m USING elacsym (v vector_cosine_ops, a text_bm25_ops (config = 'simple'), b text_bm25_ops (config = 'simple', weight = 3), p);
INSERT INTO m SELECT i, 'late w' || i % 11, 'y7', ARRAY[i % 7, i % 11, i % 13, 1]::vector, i % 3 FROM generate_series(3001, 3400) i;
CREATE FUNCTION answers() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL elacsym.probes = 1000000;
	SELECT md5(string_agg(t, E'\n')) FROM (
		SELECT string_agg(id || ':' || s, ',') AS t FROM (SELECT id, a <@> 'w3 late x' AS s FROM m ORDER BY a <@> 'w3 late x' LIMIT 200) q
		UNION ALL SELECT string_agg(id || ':' || s, ',') FROM (SELECT id, b <@> 'y2 z' AS s FROM m WHERE p <> 1 ORDER BY b <@> 'y2 z' LIMIT 200) q
		UNION ALL SELECT string_agg(id || ':' || s, ',') FROM (SELECT id, ARRAY[a, b] <@> 'w5 y7' AS s FROM m ORDER BY ARRAY[a, b] <@> 'w5 y7' LIMIT 200) q) x INTO result;
	RETURN result;
END $$;
CREATE TABLE seen (n serial, what text, answer text);
INSERT INTO seen (what, answer) VALUES ('delta', answers());
SELECT elacsym_flush('m_idx');
INSERT INTO seen (what, answer) VALUES ('flushed', answers());
SELECT elacsym_compact('m_idx') > 0 AS merged;
INSERT INTO seen (what, answer) VALUES ('merged', answers());
REINDEX INDEX m_idx;
INSERT INTO seen (what, answer) VALUES ('rebuilt', answers());
SELECT what, answer = first_value(answer) OVER (ORDER BY n) AS same FROM seen ORDER BY n;

-- dead rows count until they are purged, whether the table is vacuumed or not
DELETE FROM m WHERE id % 4 = 0 OR a LIKE 'late%' AND id % 2 = 1;
TRUNCATE seen;
INSERT INTO seen (what, answer) VALUES ('dead', answers());
VACUUM m;
SELECT elacsym_compact('m_idx') >= 0 AS purged;
SELECT documents, dead FROM elacsym_segments('m_idx');
INSERT INTO seen (what, answer) VALUES ('purged', answers());
REINDEX INDEX m_idx;
INSERT INTO seen (what, answer) VALUES ('rebuilt', answers());
SELECT what, answer = last_value(answer) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS as_rebuilt FROM seen ORDER BY n;
DROP TABLE m, seen;
DROP FUNCTION answers;
