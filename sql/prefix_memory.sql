-- What a session keeps of prefixes is bounded, however many columns and segments it asks them of
CREATE TABLE prefixes (id int, a text, b text, c text);
INSERT INTO prefixes SELECT i, w, w, w FROM generate_series(1, 100000) i,
	LATERAL (SELECT format('k%s l%s m%s n%s o%s p%s q%s r%s', i % 7, i % 8, i % 9, i % 10, i % 11, i % 12, i % 13, i % 14) AS w) x;
CREATE INDEX prefixes_idx ON prefixes USING elacsym (a text_bm25_ops (config = 'simple'), b text_bm25_ops (config = 'simple'), c text_bm25_ops (config = 'simple'));
SET enable_seqscan = off;
CREATE FUNCTION ask(prefix text, OUT a int, OUT b int, OUT c int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT id FROM prefixes WHERE a @@ %1$L::tsquery ORDER BY a <@> %1$L::tsquery LIMIT 1', prefix || ':*') INTO a;
	EXECUTE format('SELECT id FROM prefixes WHERE b @@ %1$L::tsquery ORDER BY b <@> %1$L::tsquery LIMIT 1', prefix || ':*') INTO b;
	EXECUTE format('SELECT id FROM prefixes WHERE c @@ %1$L::tsquery ORDER BY c <@> %1$L::tsquery LIMIT 1', prefix || ':*') INTO c;
END $$;
SELECT ask('none');
CREATE TEMP TABLE kept AS SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts;
-- 24 unions of 100,000 documents, 20 MB in all; then those asked first again
SELECT prefix, (ask(prefix)).* FROM unnest('{k,l,m,n,o,p,q,r,k,l}'::text[]) prefix;
SELECT (sum(total_bytes) - before) / 1048576.0 < 17 AS bounded, (sum(total_bytes) - before) / 1048576.0 > 8 AS kept FROM pg_backend_memory_contexts, kept GROUP BY before;
-- what a cursor reads stays while others are asked
BEGIN;
DECLARE rows CURSOR FOR SELECT id, a <@> 'k:*'::tsquery < 0 AS found FROM prefixes ORDER BY a <@> 'k:*'::tsquery;
FETCH 2 FROM rows;
SELECT count(ask(prefix)) FROM unnest('{l,m,n,o,p,q,r}'::text[]) prefix;
MOVE 50000 FROM rows;
FETCH 2 FROM rows;
COMMIT;
DROP TABLE prefixes, kept;
DROP FUNCTION ask;
