-- Fused scores above joins, in subqueries, views, CTEs, UNION ALL: computed
-- where the table is scanned, carried up like a column.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT setseed(.25);
CREATE TABLE d (id int PRIMARY KEY, owner int, body text, price float8, v vector(4));
INSERT INTO d SELECT i, i % 10, 'body w' || i % 7 || ' x' || i % 23 || repeat(' more', i % 9), i, ARRAY[random(), random(), random(), random()]::real[]::vector FROM generate_series(1, 600) i;
CREATE INDEX d_idx ON d USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), price);
CREATE TABLE o (id int PRIMARY KEY, name text);
INSERT INTO o SELECT i, 'owner ' || i FROM generate_series(0, 8) i;
ANALYZE d, o;
SET elacsym.probes = 1000000; SET elacsym.epsilon = 10;
-- the answer of one table, which every other form must give
CREATE TABLE answer AS SELECT row_number() OVER (ORDER BY score, id) AS n, x.* FROM
	(SELECT id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500) x;
SELECT count(*), count(*) FILTER (WHERE score < 0) AS ranked FROM answer;
-- rows of a query (id, score) beside rows of the answer that fulfil cond; the order of equal scores is open
CREATE FUNCTION same(q text, cond text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n int;
	bad int;
	disorder int;
BEGIN
	EXECUTE format('CREATE TEMP TABLE got AS SELECT row_number() OVER () AS n, x.* FROM (%s) x(id, score)', q);
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE a.id IS NULL OR g.id IS NULL OR abs(a.score - g.score) > 1e-12)
		FROM got g FULL JOIN (SELECT * FROM answer WHERE %s) a ON a.id = g.id', cond) INTO n, bad;
	SELECT count(*) INTO disorder FROM (SELECT score < lag(score) OVER (ORDER BY g.n) - 1e-12 AS worse FROM got g) x WHERE worse;
	DROP TABLE got;
	RETURN format('%s rows, %s bad, %s out of order', n, bad, disorder);
END $$;
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d WHERE price < 500 ORDER BY 2$$);

-- joins: nested loops keep the order, hashes and merges are sorted above
SET enable_hashjoin = off; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT d.id, o.name FROM d JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') LIMIT 10;
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY 2$$, 'owner < 9');
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM o JOIN d ON o.id + 0 = d.owner AND o.name <> 'owner 4' WHERE price < 500 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more')$$, 'owner NOT IN (9, 4)');
SET enable_hashjoin = on; SET enable_nestloop = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT d.id, o.name, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY score LIMIT 10;
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY 2$$, 'owner < 9');
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY 2$$, 'owner < 9');
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_nestloop;
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d LEFT JOIN o ON o.id = d.owner WHERE price < 500 ORDER BY 2$$);
SELECT same($$SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d WHERE price < 500 AND EXISTS (SELECT FROM o WHERE o.id = d.owner) ORDER BY 2$$, 'owner < 9');
-- rows of another table as a condition of this one are not a join
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM d WHERE owner IN (0, 1, 2, 3, 9) ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more')) x) AS equal
	FROM (SELECT id FROM d WHERE owner NOT IN (SELECT id FROM o WHERE id > 3) ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more')) x;
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM d WHERE owner < 4 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more')) x) AS equal
	FROM (SELECT id FROM d WHERE owner = ANY (ARRAY(SELECT id FROM o WHERE id < 4)) ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more')) x;
SELECT same($$SELECT d.id, elacsym_rrf(d.v <=> '[1,2,1,2]', d.body <@> 'w3 x5 more') FROM d JOIN d e ON e.id = d.id + 100 WHERE d.price < 500 ORDER BY 2$$);
-- on the side of an outer join that may be missing, the score is then NULL
SELECT o.id, d.id, round(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3')::numeric, 6) AS score, (elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3')))[1] AS rank FROM o LEFT JOIN d ON d.owner = o.id AND d.price < 4
	ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3'), o.id;
SELECT o.id, x.id, round(x.score::numeric, 6) AS score FROM o LEFT JOIN (SELECT id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') AS score FROM d WHERE price < 4) x ON x.owner = o.id ORDER BY x.score, o.id LIMIT 4;
SELECT count(*), count(score) FROM (SELECT o.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') AS score FROM o FULL JOIN d ON d.owner = o.id AND d.id < 5) x;
-- two tables, each with its own fusion
SELECT d.id = e.id AS equal, round(elacsym_rrf(d.v <=> '[1,2,1,2]', d.body <@> 'w3')::numeric, 6) AS a, round(elacsym_rrf(e.v <=> '[2,2,1,2]', e.body <@> 'w3')::numeric, 6) AS b
	FROM d JOIN d e ON e.id = d.id + 0 ORDER BY elacsym_rrf(d.v <=> '[1,2,1,2]', d.body <@> 'w3') + elacsym_rrf(e.v <=> '[2,2,1,2]', e.body <@> 'w3') LIMIT 3;
-- the score in a join's condition
SELECT count(*) FROM o JOIN d ON o.id = d.owner AND elacsym_rrf(d.v <=> '[1,2,1,2]', d.body <@> 'w3 x5 more') < -.01 - o.id * 0 WHERE price < 500;
SELECT count(*) FROM answer WHERE owner < 9 AND score < -.01;
-- grouped above a join
SELECT o.name, round(min(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more'))::numeric, 6) AS best FROM d JOIN o ON o.id = d.owner WHERE price < 500 GROUP BY o.name ORDER BY best LIMIT 2;

-- subqueries, CTEs, views
SELECT same($$SELECT id, score FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500) x ORDER BY score$$);
SELECT same($$SELECT id, score FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500 OFFSET 0) x WHERE score < -.01 ORDER BY score$$, 'score < -.01');
SELECT same($$SELECT id, score FROM (SELECT id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500) x WHERE score < -.01 AND owner < 4 - 100 * score ORDER BY score$$, 'score < -.01 AND owner < 4 - 100 * score');
SELECT same($$WITH x AS (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500) SELECT id, score FROM x ORDER BY score$$);
SELECT same($$WITH x AS MATERIALIZED (SELECT id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500) SELECT x.id, score FROM x JOIN o ON o.id = owner ORDER BY score$$, 'owner < 9');
CREATE VIEW w AS SELECT id AS number, body AS words, v AS vec, owner, price FROM d WHERE price < 500;
SELECT same($$SELECT number, elacsym_rrf(vec <=> '[1,2,1,2]', words <@> 'w3 x5 more') FROM w ORDER BY 2$$);
SELECT same($$SELECT number, elacsym_rrf(vec <=> '[1,2,1,2]', words <@> 'w3 x5 more') FROM w JOIN o ON o.id = owner ORDER BY 2$$, 'owner < 9');
CREATE VIEW scored AS SELECT id, owner, price, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d;
SELECT same($$SELECT id, score FROM scored WHERE price < 500 ORDER BY score$$);
SELECT id FROM scored WHERE price < 500 ORDER BY score LIMIT 3;
SELECT id FROM answer ORDER BY n LIMIT 3;
-- LATERAL: a search for each row
SELECT o.id, array_agg(x.id ORDER BY x.score) FROM o, LATERAL (SELECT d.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> ('x' || o.id)) AS score FROM d WHERE owner = o.id ORDER BY score LIMIT 2) x GROUP BY o.id ORDER BY 1 LIMIT 3;
SELECT (SELECT array_agg(x.id ORDER BY score) FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'x1') AS score FROM d WHERE owner = 1 ORDER BY score LIMIT 2) x);
-- generic plan of a join
PREPARE j(vector, text, float8, int) AS SELECT d.id, elacsym_rrf(v <=> $1, body <@> $2) AS score FROM d JOIN o ON o.id = d.owner WHERE price < $3 ORDER BY score LIMIT $4;
SET plan_cache_mode = force_generic_plan;
CREATE TABLE page AS EXECUTE j('[1,2,1,2]', 'w3 x5 more', 500, 50);
RESET plan_cache_mode;
SELECT count(*), count(*) FILTER (WHERE abs(page.score - answer.score) < 1e-12) AS equal FROM page JOIN answer USING (id);
DROP TABLE page;
DEALLOCATE j;

-- UNION ALL: members that rank by themselves, in one list
CREATE TABLE e AS SELECT id + 10000 AS id, owner, body, price, v FROM d WHERE id % 3 = 0;
CREATE INDEX e_idx ON e USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), price);
ANALYZE e;
INSERT INTO answer SELECT NULL, id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') FROM e;
EXPLAIN (COSTS OFF) SELECT id, score FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500
	UNION ALL SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') FROM e) x ORDER BY score LIMIT 5;
SELECT same($$SELECT id, score FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500
	UNION ALL SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') FROM e) x ORDER BY score$$);
SELECT same($$(SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') FROM d WHERE price < 500 ORDER BY 2 OFFSET 0)
	UNION ALL (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3', "window" => 100) FROM e ORDER BY 2) ORDER BY 2$$);
SELECT same($$SELECT id, score + 0 FROM (SELECT id, 2 * elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') / 2 AS score FROM d WHERE price < 500
	UNION ALL SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') FROM e) x ORDER BY 2$$);
SELECT same($$SELECT id, score FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') AS score FROM e UNION ALL SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3') FROM e WHERE false) x WHERE score < -.01 ORDER BY score$$, 'id > 10000 AND score < -.01');
DROP TABLE answer;

-- wherever a column may stand
\set score 'elacsym_rrf(v <=> \'[1,2,1,2]\', body <@> \'w3 x5\')'
CREATE TABLE top AS SELECT row_number() OVER (ORDER BY score, id) AS n, x.* FROM (SELECT id, owner, :score AS score FROM d) x;
SELECT count(*) FROM (SELECT owner, min(:score) AS best FROM d GROUP BY GROUPING SETS ((owner), ()) HAVING min(:score) < -.02) a
	JOIN (SELECT owner, min(score) AS best FROM top GROUP BY GROUPING SETS ((owner), ())) b ON a.owner IS NOT DISTINCT FROM b.owner AND abs(a.best - b.best) < 1e-12;
SELECT count(*) = (SELECT count(DISTINCT owner) FROM top WHERE score < -.02 AND owner < 9) AS equal FROM o WHERE EXISTS (SELECT FROM d WHERE d.owner = o.id AND :score < -.02);
SELECT count(*) = (SELECT count(*) FROM o WHERE id NOT IN (SELECT owner FROM top WHERE score < -.02)) AS equal FROM o WHERE NOT EXISTS (SELECT FROM d WHERE d.owner = o.id AND :score < -.02);
SELECT count(*) FROM top WHERE n <= 5 AND id = ANY (ARRAY(SELECT id FROM d ORDER BY :score LIMIT 5));
SELECT DISTINCT ON (owner) d.id = (SELECT t.id FROM top t WHERE t.owner = d.owner ORDER BY n LIMIT 1) AS equal FROM d WHERE owner = 3 ORDER BY owner, :score;
WITH RECURSIVE r(n, id) AS (SELECT 1, (SELECT id FROM d ORDER BY :score LIMIT 1) UNION ALL SELECT n + 1, (SELECT id FROM d WHERE d.id > r.id ORDER BY :score LIMIT 1) FROM r WHERE n < 4)
	SELECT count(*), min(id) = (SELECT id FROM top WHERE n = 1) AS begins FROM r;
SELECT count(*) FILTER (WHERE :score < 0) = (SELECT count(*) FROM top WHERE score < 0) AS equal FROM d;
SELECT id = (SELECT id FROM top WHERE n = 1) AS equal, generate_series(1, 2) FROM d ORDER BY :score LIMIT 2;
BEGIN;
DECLARE kept CURSOR WITH HOLD FOR SELECT id = (SELECT id FROM top WHERE n = 1) AS equal FROM d ORDER BY :score LIMIT 3;
COMMIT;
FETCH 1 FROM kept;
CLOSE kept;
DROP TABLE top;
-- not in a subquery about a row outside of it
SELECT id, (SELECT name FROM o WHERE o.id = d.owner AND :score < 0) FROM d ORDER BY :score LIMIT 2;

-- queries that change rows
WITH best AS (SELECT id FROM d WHERE price < 500 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') LIMIT 3)
	UPDATE d SET owner = 77 FROM best WHERE best.id = d.id;
UPDATE d SET owner = 78 FROM (SELECT id FROM d WHERE price < 500 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') LIMIT 2) best WHERE best.id = d.id;
SELECT owner, count(*) FROM d WHERE owner > 70 GROUP BY 1 ORDER BY 1;
SELECT d.id FROM d JOIN (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d WHERE price < 500 ORDER BY score LIMIT 2) best USING (id) ORDER BY best.score FOR UPDATE OF d;
INSERT INTO o SELECT id + 1000, 'best' FROM d WHERE price < 500 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') LIMIT 2;
SELECT id FROM o WHERE name = 'best' ORDER BY id;
-- rows that were changed without the index noticing (HOT) are found in their place, once
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE owner > 70 AND score < 0) AS changed FROM (SELECT id, owner, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'w3 x5 more') AS score FROM d ORDER BY score OFFSET 0) x;
DROP VIEW w, scored;
DROP TABLE d, o, e;
DROP FUNCTION same;
