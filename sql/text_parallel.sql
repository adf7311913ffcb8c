-- Scores are computed by one process, whose statistics are the statement's: a
-- worker would take its own, and rows may have come meanwhile.
CREATE TABLE parallel_texts (id int, body text) WITH (parallel_workers = 2);
INSERT INTO parallel_texts SELECT i, 'word' || i % 7 || ' common' FROM generate_series(1, 2000) i;
CREATE INDEX parallel_texts_idx ON parallel_texts USING elacsym (body text_bm25_ops (config = 'simple'));
ANALYZE parallel_texts;
SET elacsym.enable_customscan = off;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
-- rows come from workers, scores do not
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, body <@> 'word3' FROM parallel_texts WHERE id < 100;
SELECT count(DISTINCT body <@> 'word3'), min(body <@> 'word3') < max(body <@> 'word3') AS ranked FROM parallel_texts WHERE id < 100;
SELECT proname, proparallel, count(*) FROM pg_proc
 WHERE proname IN ('elacsym_text_distance', 'elacsym_text_score') GROUP BY 1, 2 ORDER BY 1, 2;
DROP TABLE parallel_texts;
