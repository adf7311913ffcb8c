-- The best k rows for every k, of many rows with equal scores: ties come in the order of the rows'
-- places in the table, wherever the rows lie, so a shorter answer is the beginning of a longer one.
SET client_min_messages = warning;
CREATE TABLE ti_docs (id int, body text, cat int);
CREATE FUNCTION ti_add(low int, high int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO ti_docs SELECT i, CASE WHEN i % 97 > 0 THEN 'w' || i % 2 || ' x' || i % 3 || ' y' || i % 7 || repeat(' z', i % 4) END, i % 5
	FROM generate_series(low, high) i $$;
CREATE TABLE ti_questions (n int, query text, clause text);
INSERT INTO ti_questions VALUES (1, '''w0''', ''), (2, '''w0 y3''', ''), (3, '''w0 y3''', 'WHERE cat < 3'), (4, '''w1 x2 y5 z z''', ''),
	(5, '''w0 & !y3''::tsquery', ''), (6, '''(w1 <-> x2) | y6''::tsquery', ''), (7, 'elacsym_match(''w0 x1 y2 z'', min_match => 3)', '');

-- What a sort of all rows by score and place has first, and the depths at which the index has something else.
CREATE FUNCTION ti_check(OUT question int, OUT scores bigint, OUT scored int, OUT depths int, OUT wrong int) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	asked record;
	wanted int[];
	got int[];
	k int;
BEGIN
	FOR asked IN SELECT * FROM ti_questions ORDER BY n LOOP
		question := asked.n;
		SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL elacsym.enable_customscan = off;
		SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on;
		EXECUTE format('SELECT array_agg(id ORDER BY s, ctid), count(DISTINCT s), count(*) FROM
			(SELECT id, ctid, body <@> %s AS s FROM ti_docs %s OFFSET 0) x WHERE s < 0', asked.query, asked.clause) INTO wanted, scores, scored;
		SET LOCAL enable_indexscan = on; SET LOCAL elacsym.enable_customscan = on;
		SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
		depths := 0; wrong := 0;
		FOR k IN SELECT * FROM generate_series(1, 70) UNION SELECT * FROM generate_series(100, 10000, 331)
			UNION VALUES (127), (128), (129), (1023), (1024), (4095), (4096), (4097), (9999), (10000) LOOP
			EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM ti_docs %s ORDER BY body <@> %s LIMIT %s) s', asked.clause, asked.query, k) INTO got;
			depths := depths + 1;
			wrong := wrong + (got[1 : scored] IS DISTINCT FROM wanted[1 : k])::int;
		END LOOP;
		RETURN NEXT;
	END LOOP;
END $$;

-- all in the delta; in one segment; in six and a delta; merged; rows in places that others have left
SET elacsym.delta_limit = 100000;
CREATE INDEX ti_idx ON ti_docs USING elacsym (body text_bm25_ops (config = 'simple'), cat);
SELECT ti_add(1, 12000);
SELECT documents FROM elacsym_delta('ti_idx');
SELECT * FROM ti_check();
REINDEX INDEX ti_idx;
SELECT count(*) AS segments FROM elacsym_segments('ti_idx');
SELECT * FROM ti_check();
SELECT ti_add(12000 + 100 * i, 12099 + 100 * i), elacsym_flush('ti_idx') FROM generate_series(1, 5) i;
SELECT ti_add(13000, 13100);
SELECT count(*) AS segments FROM elacsym_segments('ti_idx');
SELECT * FROM ti_check();
DELETE FROM ti_docs WHERE id % 10 = 7;
VACUUM ti_docs;
SELECT ti_add(14000, 15000);
SELECT elacsym_flush('ti_idx') > 0 AS flushed, elacsym_compact('ti_idx') > 0 AS merged;
SELECT * FROM ti_check();
DROP TABLE ti_docs, ti_questions;
DROP FUNCTION ti_check, ti_add;
