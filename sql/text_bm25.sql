-- BM25: the operator <@>, its binding to an index, and its scores
SET enable_seqscan = on;

-- words of rows 1 .. 1200: some frequent, some rare, some NULL and empty texts
CREATE TABLE bm25_docs (id int PRIMARY KEY, title text, body text, code varchar(40));
INSERT INTO bm25_docs
SELECT i,
	CASE WHEN i % 17 = 0 THEN NULL WHEN i % 19 = 0 THEN '' ELSE 'Title ' || i % 50 END,
	CASE WHEN i % 23 = 0 THEN NULL
		ELSE repeat('running dogs ', i % 4) || 'the quick brown fox ' || i % 211 || repeat(' jumped', i % 37)
			|| CASE WHEN i % 100 = 3 THEN ' über-größe naïve Ωmega' ELSE '' END END,
	'word' || i % 10
FROM generate_series(1, 1200) i;
INSERT INTO bm25_docs VALUES (2001, 'cats', NULL, NULL), (2002, NULL, NULL, NULL), (2003, '', 'the and of', '');

-- no index: an error with a hint, but NULL stays NULL
SELECT body <@> 'dogs' FROM bm25_docs LIMIT 1;
SELECT count(*) FROM bm25_docs WHERE body <@> NULL IS NULL;

CREATE INDEX bm25_docs_idx ON bm25_docs USING elacsym
	(title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'english', k1 = 0.9, b = 0.4), code text_bm25_ops);

-- a reference: the formula in SQL, over to_tsvector's lexemes
CREATE FUNCTION bm25_length(n int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN n < 40 THEN n ELSE 24 + ((n - 24) >> s << s) END::float8
	FROM (SELECT CASE WHEN n < 40 THEN 0 ELSE floor(log(2::numeric, n - 24))::int - 3 END) x(s) $$;
CREATE FUNCTION bm25_reference(col text, config regconfig, q text, k1 float8, b float8, weight float8)
	RETURNS TABLE (id int, score float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
	WITH terms AS (SELECT d.id, t.lexeme, cardinality(t.positions) AS tf
			FROM bm25_docs d, unnest(to_tsvector($1, d.%1$I)) t),
		lengths AS (SELECT id, sum(tf)::int AS len FROM terms GROUP BY id),
		stats AS (SELECT count(*)::float8 AS n, sum(len) / count(*)::float8 AS avgdl FROM lengths),
		query AS (SELECT lexeme, cardinality(positions) AS qtf FROM unnest(to_tsvector($1, $2))),
		idf AS (SELECT q.lexeme, q.qtf * ln(1 + (n - count(t.id) + 0.5) / (count(t.id) + 0.5)) AS w
			FROM query q JOIN terms t USING (lexeme), stats GROUP BY q.lexeme, q.qtf, n)
	SELECT t.id, sum($5 * w * tf / (tf + $3 * (1 - $4 + $4 * bm25_length(len) / avgdl)))
	FROM terms t JOIN idf USING (lexeme) JOIN lengths l ON l.id = t.id, stats GROUP BY t.id$q$, col)
	USING config, q, k1, b, weight;
END $$;

CREATE FUNCTION bm25_compare(q text) RETURNS TABLE (field text, rows bigint, scored bigint, wrong bigint) LANGUAGE sql AS $$
	SELECT 'title', count(*), count(*) FILTER (WHERE title <@> q < 0),
		count(*) FILTER (WHERE abs(coalesce(title <@> q, 0) + coalesce(r.score, 0)) > 1e-6)
	FROM bm25_docs LEFT JOIN bm25_reference('title', 'simple', q, 1.2::float4, 0.75, 2) r USING (id)
	UNION ALL
	SELECT 'body', count(*), count(*) FILTER (WHERE body <@> q < 0),
		count(*) FILTER (WHERE abs(coalesce(body <@> q, 0) + coalesce(r.score, 0)) > 1e-6)
	FROM bm25_docs LEFT JOIN bm25_reference('body', 'english', q, 0.9::float4, 0.4::float4, 1) r USING (id)
	UNION ALL
	SELECT 'both', count(*), count(*) FILTER (WHERE ARRAY[title, body] <@> q < 0),
		count(*) FILTER (WHERE abs(coalesce(ARRAY[title, body] <@> q, 0) + coalesce(r.score, 0) + coalesce(s.score, 0)) > 1e-6)
	FROM bm25_docs LEFT JOIN bm25_reference('title', 'simple', q, 1.2::float4, 0.75, 2) r USING (id)
		LEFT JOIN bm25_reference('body', 'english', q, 0.9::float4, 0.4::float4, 1) s USING (id)
$$;
SELECT * FROM bm25_compare('dogs jumping');
SELECT * FROM bm25_compare('title 7 fox');
SELECT * FROM bm25_compare('ÜBER größe jump jump jump');
SELECT * FROM bm25_compare('the of');
SELECT * FROM bm25_compare('');
SELECT * FROM bm25_compare('nowhere 17 title');

-- the plan, and the rows: all of them, scored first, then zero, then NULL
SET enable_seqscan = off;
SET elacsym.enable_customscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM bm25_docs ORDER BY body <@> 'dogs jumping' LIMIT 3;
RESET elacsym.enable_customscan;
SELECT count(*), count(*) FILTER (WHERE s < 0) AS scored, count(*) FILTER (WHERE s = 0) AS zero, count(*) FILTER (WHERE s IS NULL) AS nulls,
	bool_and(s >= before OR s IS NULL OR before IS NULL AND n = 1) AS ordered
FROM (SELECT s, n, lag(s) OVER (ORDER BY n) AS before
	FROM (SELECT s, row_number() OVER () AS n
		FROM (SELECT body <@> 'dogs jumping' AS s FROM bm25_docs ORDER BY body <@> 'dogs jumping') x) y) z;
SELECT count(*) FROM (SELECT id FROM bm25_docs ORDER BY body <@> NULL) x;
SELECT count(*) FROM (SELECT id FROM bm25_docs ORDER BY body <@> 'the of') x;
EXPLAIN (COSTS OFF) SELECT id FROM bm25_docs ORDER BY ARRAY[title, body] <@> 'title fox 17' LIMIT 3;
SELECT count(*), count(*) FILTER (WHERE t.s IS NOT DISTINCT FROM u.s) AS equal FROM
	(SELECT row_number() OVER () AS n, s FROM (SELECT ARRAY[title, body] <@> 'title fox 17' AS s FROM bm25_docs ORDER BY ARRAY[title, body] <@> 'title fox 17') x) t JOIN
	(SELECT row_number() OVER (ORDER BY s) AS n, s FROM (SELECT ARRAY[title, body] <@> 'title fox 17' AS s FROM bm25_docs OFFSET 0) x) u USING (n);
SELECT code, ARRAY[code, code] <@> 'word3' < 0 AS scored FROM bm25_docs ORDER BY ARRAY[code, code] <@> 'word3' LIMIT 1;
SELECT code <@> 'word3' < 0 AS scored, code FROM bm25_docs ORDER BY code <@> 'word3' LIMIT 1;

-- the top from the index is the top of a sort, score for score
CREATE TABLE bm25_top AS SELECT row_number() OVER () AS n, s FROM
	(SELECT body <@> 'fox 17 jumped' AS s FROM bm25_docs ORDER BY body <@> 'fox 17 jumped' LIMIT 200) x;
SET enable_seqscan = on; SET enable_indexscan = off; SET elacsym.enable_customscan = off;
SELECT count(*), count(*) FILTER (WHERE t.s = u.s) AS equal FROM bm25_top t JOIN
	(SELECT row_number() OVER (ORDER BY s) AS n, s FROM (SELECT body <@> 'fox 17 jumped' AS s FROM bm25_docs) x) u USING (n);
RESET enable_indexscan; RESET elacsym.enable_customscan;

-- binding: views, subqueries, CTEs, correlated queries, joins, functions of SQL
CREATE VIEW bm25_view AS SELECT id AS number, body AS content FROM bm25_docs WHERE id < 1000;
CREATE VIEW bm25_view2 AS SELECT number, content FROM bm25_view ORDER BY number LIMIT 500;
SELECT count(*) FROM bm25_view WHERE content <@> 'dogs' < 0;
SELECT count(*) FROM bm25_view2 WHERE content <@> 'dogs' < 0;
WITH x AS MATERIALIZED (SELECT id, body AS b FROM bm25_docs) SELECT count(*) FROM x WHERE b <@> 'dogs' < 0;
WITH x AS (SELECT id, body AS b FROM bm25_docs) SELECT count(*) FROM x WHERE b <@> 'dogs' < 0;
SELECT count(*) FROM bm25_docs d WHERE EXISTS (SELECT 1 FROM generate_series(1, 1) WHERE d.body <@> 'dogs' < 0);
SELECT count(*) FROM bm25_docs d WHERE (SELECT d.body <@> 'dogs' OFFSET 0) < 0;
SELECT count(*) FROM (VALUES (1), (2), (5000)) v(id) LEFT JOIN bm25_docs d USING (id) WHERE (d.body <@> 'dogs') IS NULL;
SELECT count(*) FROM (VALUES (1), (2)) v(id) LEFT JOIN (SELECT id, body FROM bm25_docs) d USING (id) WHERE (d.body <@> 'dogs') < 0;
SELECT body <@> 'dogs' < 0 AS scored, count(*) FROM bm25_docs GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM (SELECT body, body <@> 'dogs' AS s FROM bm25_docs GROUP BY body) x WHERE s < 0;
SELECT count(*) FROM bm25_docs d, LATERAL (SELECT d.body <@> ('dogs ' || d.id) AS s) l WHERE l.s < 0;
SELECT upper(body) <@> 'dogs' FROM bm25_docs LIMIT 1;
SELECT 'dogs'::text <@> 'dogs';
SELECT (title || body) <@> 'dogs' FROM bm25_docs LIMIT 1;
SELECT x.body <@> 'dogs' FROM (SELECT body FROM bm25_docs UNION ALL SELECT title FROM bm25_docs) x LIMIT 1;

-- generic and custom plans; statistics are those of the moment
PREPARE best(text) AS SELECT round((body <@> $1)::numeric, 4) AS score FROM bm25_docs ORDER BY body <@> $1 LIMIT 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE best('omega');
EXECUTE best('jumped');
EXECUTE best(NULL);
BEGIN;
INSERT INTO bm25_docs SELECT i, NULL, 'omega', NULL FROM generate_series(3000, 3100) i;
EXECUTE best('Ωmega');
SELECT round(min(body <@> 'omega')::numeric, 4) FROM bm25_docs;
ROLLBACK;
SET plan_cache_mode = force_custom_plan;
EXECUTE best('jumped');
RESET plan_cache_mode;
DO $$
DECLARE
	scores float8[];
BEGIN
	FOR i IN 1..3 LOOP
		scores[i] := (SELECT min(body <@> 'jumped') FROM bm25_docs);
		INSERT INTO bm25_docs SELECT i * 10000 + j, NULL, 'jumped', NULL FROM generate_series(1, 100) j;
	END LOOP;
	RAISE NOTICE 'each statement has statistics of its own: %', scores[1] <> scores[2] AND scores[2] <> scores[3];
END $$;
DELETE FROM bm25_docs WHERE id >= 4000;

-- several indexes: the oldest; partial ones last; dropping one unbinds the plan
CREATE INDEX bm25_docs_idx2 ON bm25_docs USING elacsym (body text_bm25_ops (config = 'simple'));
CREATE INDEX bm25_docs_part ON bm25_docs USING elacsym (body text_bm25_ops) WHERE id < 10;
CREATE INDEX bm25_docs_expr ON bm25_docs USING elacsym ((coalesce(title, '') || ' ' || coalesce(body, '')) text_bm25_ops);
EXPLAIN (COSTS OFF, VERBOSE) SELECT body <@> 'dogs' FROM bm25_docs;
DROP INDEX bm25_docs_idx;
EXPLAIN (COSTS OFF, VERBOSE) SELECT body <@> 'dogs' FROM bm25_docs;
EXECUTE best('dog');
DROP INDEX bm25_docs_idx2;
EXPLAIN (COSTS OFF, VERBOSE) SELECT body <@> 'dogs' FROM bm25_docs;
DROP INDEX bm25_docs_part;
EXECUTE best('dog');
SELECT count(*) FROM bm25_docs WHERE (coalesce(title, '') || ' ' || coalesce(body, '')) <@> 'dog' < 0;
SELECT count(*) FROM bm25_docs d LEFT JOIN bm25_docs e ON e.id = d.id + 1 WHERE (coalesce(e.title, '') || ' ' || coalesce(e.body, '')) <@> 'dog' < 0;

-- partitions: the statistics of all of them
CREATE TABLE bm25_parts (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE bm25_parts1 PARTITION OF bm25_parts FOR VALUES FROM (0) TO (600);
CREATE TABLE bm25_parts2 PARTITION OF bm25_parts FOR VALUES FROM (600) TO (100000);
CREATE INDEX bm25_parts_idx ON bm25_parts USING elacsym (body text_bm25_ops (config = 'english'));
CREATE INDEX bm25_whole_idx ON bm25_docs USING elacsym (body text_bm25_ops (config = 'english'));
INSERT INTO bm25_parts SELECT id, body FROM bm25_docs;
SELECT count(*), count(*) FILTER (WHERE (p.body <@> 'fox jumped 5') IS DISTINCT FROM (d.body <@> 'fox jumped 5')) AS different
FROM bm25_parts p JOIN bm25_docs d USING (id);

-- the type, and calls that the planner makes spelled out
SELECT elacsym_bind('cheap flights', 'bm25_whole_idx', 1::int2), elacsym_bind('x', 'bm25_whole_idx', '{1,2}'::int2[]);
SELECT 'x'::elacsym_query;
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_whole_idx', 1::int2) < 0;
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_whole_idx', 2::int2) < 0;
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_whole_idx', 0::int2);
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_whole_idx', '{1,1}'::int2[]);
SELECT ARRAY['fox'] <@> elacsym_bind('fox', 'bm25_whole_idx', '{}'::int2[]);
SELECT ARRAY['fox', NULL] <@> elacsym_bind('fox', 'bm25_whole_idx', '{1,1}'::int2[]) < 0;
SELECT ARRAY[NULL, NULL]::text[] <@> elacsym_bind('fox', 'bm25_whole_idx', '{1,1}'::int2[]);
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_docs_pkey', 1::int2);
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_docs', 1::int2);
SELECT 'fox'::text <@> elacsym_bind('fox', i::regclass, 1::int2) FROM (VALUES ('bm25_whole_idx')) v(i) WHERE i <> '';
CREATE ROLE regress_bm25_user;
GRANT SELECT ON bm25_view TO regress_bm25_user;
SET ROLE regress_bm25_user;
SELECT count(*) FROM bm25_view WHERE content <@> 'dogs' < 0;
SELECT 'fox'::text <@> elacsym_bind('fox', 'bm25_whole_idx', 1::int2);
RESET ROLE;
REVOKE SELECT ON bm25_view FROM regress_bm25_user;
DROP ROLE regress_bm25_user;

-- hard texts: what to_tsvector says of a long word is said here too
SELECT count(*) FROM bm25_docs WHERE id = 1 AND body <@> (repeat('x', 3000) || ' fox') < 0;
SET client_min_messages = warning;
CREATE TABLE bm25_hard (id int, body text);
INSERT INTO bm25_hard VALUES
	(1, repeat('word ', 100000)),
	(2, (SELECT string_agg('w' || i, ' ') FROM generate_series(1, 80000) i)),
	(3, repeat('x', 3000) || ' short'),
	(4, repeat('y', 2046)),
	(5, repeat('a', 1000000)),
	(6, E' \t\n'),
	(7, repeat('ж', 1000) || ' ' || repeat('日本', 300)),
	(8, '<a href="http://example.com/?q=1">foo-bar_baz@example.com</a> 3.14e-10 -5 /usr/local/x');
CREATE INDEX bm25_hard_idx ON bm25_hard USING elacsym (body text_bm25_ops (config = 'simple'));
SELECT id, body <@> 'word' < 0 AS word, body <@> 'w77777' < 0 AS rare, body <@> 'short' < 0 AS short,
	body <@> repeat('y', 2046) < 0 AS longest, body <@> repeat('ж', 1000) < 0 AS cyrillic, body <@> 'foo-bar_baz@example.com' < 0 AS email
FROM bm25_hard ORDER BY id;
SELECT id FROM bm25_hard ORDER BY body <@> (SELECT body FROM bm25_hard WHERE id = 2) LIMIT 1;

DROP TABLE bm25_docs, bm25_top, bm25_parts, bm25_hard CASCADE;
DROP FUNCTION bm25_length, bm25_reference, bm25_compare;
