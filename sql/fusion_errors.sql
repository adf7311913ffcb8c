-- What fusion refuses, and what it says then.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE d (id int PRIMARY KEY, body text, price float8, weights float8[], v vector(2), w vector(2));
INSERT INTO d SELECT i, 'body x' || i, i, '{1,1}', ARRAY[i, 1]::real[]::vector, ARRAY[1, i]::real[]::vector FROM generate_series(1, 50) i;
CREATE INDEX d_idx ON d USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), price);
CREATE TABLE q AS SELECT '[1,1]'::vector(2) AS vec, 'x1'::text AS words;
ANALYZE d, q;
-- arguments
PREPARE r(float8[], int, int) AS SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1 x2', $1, $2, $3) LIMIT 1;
EXECUTE r('{1,2}', 1, 1);
EXECUTE r('{1}', 60, 100);
EXECUTE r('{1,2,3}', 60, 100);
EXECUTE r('{{1,2}}', 60, 100);
EXECUTE r('{}', 60, 100);
EXECUTE r('{1,NULL}', 60, 100);
EXECUTE r('{1,-1}', 60, 100);
EXECUTE r('{NaN,1}', 60, 100);
EXECUTE r('{1,Infinity}', 60, 100);
EXECUTE r('{0,0}', 60, 100);
EXECUTE r(NULL, 0, 100);
EXECUTE r(NULL, -5, 100);
EXECUTE r(NULL, 60, 0);
EXECUTE r(NULL, 60, -1);
EXECUTE r(NULL, 60, 1000001);
EXECUTE r(NULL, NULL, 1000000);
SELECT id FROM d ORDER BY elacsym_linear(v <=> '[1,1]', body <@> 'x1', normalization => 'average') LIMIT 1;
SELECT id FROM d ORDER BY elacsym_linear(v <=> '[1,1]', body <@> 'x1', normalization => NULL) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1', weights) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1', k => id) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(ARRAY[v <=> '[1,1]', body <@> 'a', body <@> 'b', body <@> 'c', body <@> 'd', body <@> 'e', body <@> 'f', body <@> 'g', body <@> 'h', body <@> 'i',
	body <@> 'j', body <@> 'k', body <@> 'l', body <@> 'm', body <@> 'n', body <@> 'o', body <@> 'p']) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(ARRAY[v <=> '[1,1]', body <@> 'a', body <@> 'b', body <@> 'c', body <@> 'd', body <@> 'e', body <@> 'f', body <@> 'g', body <@> 'h', body <@> 'i',
	body <@> 'j', body <@> 'k', body <@> 'l', body <@> 'm', body <@> 'n', body <@> 'o']) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1,1]', body <@> 'x1') LIMIT 1;
-- legs
SELECT id FROM d ORDER BY elacsym_rrf(w <=> '[1,1]', body <@> 'x1') LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <-> '[1,1]', body <@> 'x1') LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', price) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', .5) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', -ts_rank(to_tsvector('english', body), 'x1'::tsquery)) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> w, body <@> 'x1') LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf(.5, .7) LIMIT 1;
SELECT elacsym_rrf(.5, .7);
SELECT elacsym_rrf('{.5,.7}');
SELECT id FROM d ORDER BY elacsym_rrf(weights) LIMIT 1;
SELECT id FROM d ORDER BY elacsym_rrf('{}'::float8[]), id LIMIT 1;
SELECT elacsym_legs(.5);
SELECT elacsym_legs(price) FROM d LIMIT 1;
-- places
SELECT id FROM d WHERE elacsym_rrf(v <=> '[1,1]', body <@> 'x1') < -.01 ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x2') LIMIT 1;
UPDATE d SET price = 0 WHERE elacsym_rrf(v <=> '[1,1]', body <@> 'x1') < -.01;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT 1 FOR UPDATE;
SELECT id, elacsym_linear(v <=> '[1,1]', body <@> 'x1') FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT 1;
SELECT id FROM d TABLESAMPLE SYSTEM (100) ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT 1;
SELECT id FROM d, q ORDER BY elacsym_rrf(d.v <=> q.vec, body <@> q.words) LIMIT 1;
SELECT x.id FROM q, LATERAL (SELECT id FROM d ORDER BY elacsym_rrf(d.v <=> q.vec, body <@> q.words) LIMIT 1) x;
SELECT id FROM (SELECT * FROM d OFFSET 0) x ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT 1;
UPDATE d SET price = 0 WHERE id = 1 RETURNING elacsym_rrf(v <=> '[1,1]', body <@> 'x1');
DELETE FROM d USING d e WHERE d.id = e.id AND d.id < 0 RETURNING elacsym_rrf(e.v <=> '[1,1]', e.body <@> 'x1');
SET elacsym.enable_customscan = off;
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT 1;
RESET elacsym.enable_customscan;
-- the server's own refusals
SELECT id FROM d ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x1') LIMIT -1;
CREATE INDEX ON d (elacsym_rrf(.5, price));
-- where no row can come, nothing is refused
SELECT id FROM d WHERE false ORDER BY elacsym_rrf(w <=> '[1,1]', body <@> 'x1') LIMIT 1;
-- a leg bound to a partial index is the index's where its predicate holds
CREATE TABLE part AS SELECT * FROM d;
CREATE INDEX part_idx ON part USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english')) WHERE price > 20;
SELECT id FROM part WHERE price > 30 ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x33') LIMIT 2;
SELECT id FROM part ORDER BY elacsym_rrf(v <=> '[1,1]', body <@> 'x33') LIMIT 2;
-- whoever writes a function around it has it inlined
CREATE FUNCTION mine(a float8, b float8) RETURNS float8 LANGUAGE SQL STABLE AS 'SELECT elacsym_rrf(a, b, k => 7)';
SELECT id, round(mine(v <=> '[1,1]', body <@> 'x33')::numeric, 6) FROM d ORDER BY mine(v <=> '[1,1]', body <@> 'x33') LIMIT 2;
CREATE FUNCTION opaque(a float8, b float8) RETURNS float8 LANGUAGE plpgsql STABLE AS 'BEGIN RETURN elacsym_rrf(a, b, k => 7); END';
SELECT id FROM d ORDER BY opaque(v <=> '[1,1]', body <@> 'x33') LIMIT 2;
DROP TABLE d, q, part;
DROP FUNCTION mine, opaque;
