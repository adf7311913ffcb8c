-- BM25 queries of every form: what may stand on either side of <@>, options, binding, errors
SET default_text_search_config = 'pg_catalog.english';

CREATE TABLE tq_docs (id int PRIMARY KEY, title text, body text, tags text[], tags_text text, v tsvector, v2 tsvector);
INSERT INTO tq_docs
SELECT i, t.title, t.body, t.tags, array_to_string(t.tags, ' '),
	setweight(to_tsvector('english', t.title), 'A') || to_tsvector('english', t.body), to_tsvector('english', t.body)
FROM generate_series(1, 600) i,
	LATERAL (SELECT CASE WHEN i % 17 > 0 THEN 'Report ' || i % 50 || CASE WHEN i % 3 = 0 THEN ' on foxes' ELSE '' END END AS title,
		CASE WHEN i % 23 > 0 THEN repeat('running dogs ', i % 4) || 'the quick brown fox ' || i % 41 || repeat(' jumped', i % 5)
			|| CASE i % 7 WHEN 0 THEN ' over lazy cats' WHEN 1 THEN ' over lazy dogs' WHEN 2 THEN ' lazy, and over cats' ELSE '' END END AS body,
		CASE WHEN i % 29 > 0 THEN ARRAY['red fox ' || i % 11, NULL, 'green'] || CASE WHEN i % 2 = 0 THEN ARRAY['quick dogs'] ELSE '{}' END END AS tags) t;
CREATE INDEX tq_idx ON tq_docs USING elacsym (title, body text_bm25_ops (weight = 2, k1 = 0.9, b = 0.4), tags text_array_bm25_ops,
	tags_text text_bm25_ops, v tsvector_bm25_ops (weight_a = 3), v2 tsvector_bm25_ops (weight = 2, k1 = 0.9, b = 0.4));
-- some rows in the delta, too
INSERT INTO tq_docs SELECT i + 1000, title, body, tags, tags_text, v, v2 FROM tq_docs, LATERAL (SELECT id AS i) x WHERE i % 10 = 0;

-- values of the type, for people
SELECT elacsym_match('Cheap flights'), elacsym_match(websearch_to_tsquery('simple', 'cheap -flights "to rome"'));
SELECT elacsym_match('cheap flights', weights => '{2,0.5}', combine => 'max', min_match => 0.75, prefix => true);
SELECT elacsym_match('cheap & flights:*AB'::tsquery, '{1,2,3,4}', 'bm25f'), elacsym_match('x', NULL, NULL, NULL, NULL);
SELECT elacsym_match(NULL::text) IS NULL AS words, elacsym_match(NULL::tsquery) IS NULL AS tsquery;
SELECT elacsym_bind('a & b'::tsquery, 'tq_idx', 2::int2), elacsym_bind(elacsym_match('a', combine => 'max'), 'tq_idx', '{1,2}'::int2[]);
SELECT elacsym_bind(elacsym_bind('a', 'tq_idx', 2::int2), 'tq_idx', 1::int2) AS "stays";
SELECT elacsym_match('x', weights => '{}');
SELECT elacsym_match('x', weights => '{1,NULL}');
SELECT elacsym_match('x', weights => '{-1}');
SELECT elacsym_match('x', weights => '{NaN}');
SELECT elacsym_match('x', weights => '{{1,2},{3,4}}');
SELECT elacsym_match('x', combine => 'mean');
SELECT elacsym_match('x', min_match => 0);
SELECT elacsym_match('x', min_match => 1.5);
SELECT elacsym_match('x', min_match => 'infinity');

-- What a query answers: from the index in order, and from a sort of projected
-- values.  Both must say the same of every row, to the last bit.
CREATE FUNCTION tq_check(expression text, condition text DEFAULT NULL, OUT rows bigint, OUT scored bigint, OUT "differ" bigint, OUT unlike bigint)
LANGUAGE plpgsql AS $$
DECLARE
	plan text := '';
	line text;
BEGIN
	SET LOCAL enable_seqscan = off;
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM tq_docs ORDER BY %s LIMIT 1', expression) LOOP
		plan := plan || line;
	END LOOP;
	IF plan !~ 'ElacsymScan' THEN
		RAISE WARNING 'not the index: %', plan;
	END IF;
	DROP TABLE IF EXISTS pg_temp.scanned;
	EXECUTE format('CREATE TEMP TABLE scanned AS SELECT id, %1$s AS s FROM tq_docs ORDER BY %1$s', expression);
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	SET LOCAL elacsym.enable_customscan = off;
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE t.s < 0), count(*) FILTER (WHERE scanned.s IS DISTINCT FROM t.s),
			count(*) FILTER (WHERE (t.s < 0) IS DISTINCT FROM (%s)) FROM scanned JOIN
		(SELECT *, %s AS s FROM tq_docs) t USING (id)', coalesce(condition, 't.s < 0'), expression)
		INTO rows, scored, "differ", unlike;
END $$;
SET client_min_messages = warning;

-- words; a tsquery scores as its words do, where it matches
SELECT * FROM tq_check($$body <@> 'dogs jumping'$$);
SELECT * FROM tq_check($$body <@> 'dog | jump'::tsquery$$, $$body @@ 'dog | jump'::tsquery$$);
SELECT count(*) FILTER (WHERE (body <@> 'dogs jumping') IS DISTINCT FROM (body <@> 'dog | jump'::tsquery)) AS "differ" FROM tq_docs;
SELECT * FROM tq_check($$body <@> 'dog & jump'::tsquery$$, $$body @@ 'dog & jump'::tsquery$$);
SELECT count(*) FILTER (WHERE (body <@> 'dog & jump'::tsquery) IS DISTINCT FROM
	CASE WHEN body @@ 'dog & jump'::tsquery THEN body <@> 'dogs jumping' ELSE 0 * length(body) END) AS "differ" FROM tq_docs;
SELECT * FROM tq_check($$body <@> 'dog & !jump'::tsquery$$, $$body @@ 'dog & !jump'::tsquery$$);
SELECT * FROM tq_check($$body <@> '!jump'::tsquery$$, $$CASE WHEN body IS NOT NULL THEN false END$$);
SELECT * FROM tq_check($$body <@> 'lazi <-> (cat | dog)'::tsquery$$, $$body @@ 'lazi <-> (cat | dog)'::tsquery$$);
SELECT * FROM tq_check($$body <@> 'fox <3> lazi'::tsquery$$, $$body @@ 'fox <3> lazi'::tsquery$$);
SELECT * FROM tq_check($$body <@> 'quick & !(lazi <-> cat)'::tsquery$$, $$body @@ 'quick & !(lazi <-> cat)'::tsquery$$);
SELECT * FROM tq_check($$body <@> 'jum:* & 1:*'::tsquery$$, $$body @@ 'jum:* & 1:*'::tsquery$$);
SELECT * FROM tq_check($$body <@> 'dog:A'::tsquery$$, $$body @@ 'dog:A'::tsquery$$);
SELECT * FROM tq_check($$body <@> 'dog:DA'::tsquery$$, $$body @@ 'dog:DA'::tsquery$$);
SELECT * FROM tq_check($$body <@> ''::tsquery$$, $$body @@ ''::tsquery$$);
SELECT * FROM tq_check($$body <@> websearch_to_tsquery('"lazy cats" or jumped -dogs')$$, $$body @@ websearch_to_tsquery('"lazy cats" or jumped -dogs')$$);
SELECT * FROM tq_check($$body <@> plainto_tsquery('foxes 7')$$, $$body @@ plainto_tsquery('foxes 7')$$);
SELECT * FROM tq_check($$body <@> phraseto_tsquery('the lazy cats')$$, $$body @@ phraseto_tsquery('the lazy cats')$$);
SELECT count(*) FILTER (WHERE (body <@> 'dog & dog'::tsquery) IS DISTINCT FROM (body <@> 'dogs dogs')) AS "differ" FROM tq_docs;

-- several columns: words in any of them, a phrase within one
SELECT * FROM tq_check($$ARRAY[title, body] <@> 'foxes 7'$$);
SELECT * FROM tq_check($$ARRAY[title, body] <@> 'report & dog & !lazi'::tsquery$$,
	$$CASE WHEN title IS NOT NULL OR body IS NOT NULL THEN coalesce(v, '') @@ 'report & dog & !lazi'::tsquery END$$);
SELECT * FROM tq_check($$ARRAY[title, body] <@> 'report <-> 7'::tsquery$$,
	$$CASE WHEN title IS NOT NULL OR body IS NOT NULL THEN coalesce(title @@ 'report <-> 7'::tsquery, false) OR coalesce(body @@ 'report <-> 7'::tsquery, false) END$$);

-- options: weights and ways to combine
SELECT * FROM tq_check($$ARRAY[title, body] <@> elacsym_match('foxes 7', weights => '{3,0.5}')$$);
SELECT * FROM tq_check($$ARRAY[title, body] <@> elacsym_match('foxes 7', combine => 'max')$$);
SELECT * FROM tq_check($$ARRAY[title, body] <@> elacsym_match('foxes 7', combine => 'bm25f')$$);
SELECT * FROM tq_check($$ARRAY[body, title] <@> elacsym_match('fox & 7'::tsquery, '{1,4}', 'bm25f')$$);
SELECT count(*) FILTER (WHERE abs(coalesce(ARRAY[title, body] <@> elacsym_match('foxes 7', weights => '{3,0.5}'), 0) -
		coalesce(3 * (title <@> 'foxes 7'), 0) - coalesce(0.25 * (body <@> 'foxes 7'), 0)) > 1e-6) AS weights,
	count(*) FILTER (WHERE abs(coalesce(ARRAY[title, body] <@> elacsym_match('foxes 7', combine => 'max'), 0) -
		least(title <@> 'foxes 7', body <@> 'foxes 7', 0)) > 1e-6) AS best,
	count(*) FILTER (WHERE abs(coalesce(body <@> elacsym_match('foxes 7', weights => '{6}'), 0) -
		coalesce(3 * (body <@> 'foxes 7'), 0)) > 1e-6) AS one,
	count(*) FILTER (WHERE abs((body <@> elacsym_match('foxes 7', '{1}', 'bm25f')) - (body <@> elacsym_match('foxes 7', '{1}'))) > 1e-6) AS bm25f,
	count(*) FILTER (WHERE coalesce(ARRAY[title, body] <@> elacsym_match('foxes 7', weights => '{0,2}'), 0) IS DISTINCT FROM
		coalesce(body <@> 'foxes 7', 0)) AS nothing
FROM tq_docs;

-- options: a minimum of words, a share of them; equal words count once, what the configuration drops does not count
CREATE FUNCTION tq_words(v tsvector, VARIADIC lexemes text[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
	$$SELECT count(*) FROM unnest(lexemes) l WHERE v @@ l::tsquery$$;
SELECT * FROM tq_check($$body <@> elacsym_match('dogs over the lazy cat', min_match => 2)$$, $$tq_words(v2, 'dog', 'lazi', 'cat') >= 2$$);
SELECT * FROM tq_check($$body <@> elacsym_match('dogs over the lazy cat', min_match => 3)$$, $$tq_words(v2, 'dog', 'lazi', 'cat') >= 3$$);
SELECT * FROM tq_check($$body <@> elacsym_match('dogs over the lazy cat', min_match => 99)$$, $$tq_words(v2, 'dog', 'lazi', 'cat') >= 3$$);
SELECT * FROM tq_check($$body <@> elacsym_match('dogs over the lazy cat', min_match => 0.7)$$, $$tq_words(v2, 'dog', 'lazi', 'cat') >= 2$$);
SELECT * FROM tq_check($$body <@> elacsym_match('dogs over the lazy cat', min_match => 0.1)$$, $$tq_words(v2, 'dog', 'lazi', 'cat') >= 1$$);
SELECT * FROM tq_check($$body <@> elacsym_match('dog dogs cat', min_match => 2)$$, $$tq_words(v2, 'dog', 'cat') >= 2$$);
SELECT * FROM tq_check($$ARRAY[title, body] <@> elacsym_match('report 7 fox cat', min_match => 3)$$,
	$$CASE WHEN title IS NOT NULL OR body IS NOT NULL THEN tq_words(coalesce(v, coalesce(v2, to_tsvector('english', title))), 'report', '7', 'fox', 'cat') >= 3 END$$);

-- options: the last word as a prefix
SELECT * FROM tq_check($$body <@> elacsym_match('dogs jum', prefix => true)$$, $$body @@ 'dog | jum:*'::tsquery$$);
SELECT count(*) FILTER (WHERE (body <@> elacsym_match('dogs jum', prefix => true)) IS DISTINCT FROM (body <@> 'dog | jum:*'::tsquery)) AS "differ" FROM tq_docs;
SELECT * FROM tq_check($$body <@> elacsym_match('dogs 1', prefix => true, min_match => 2)$$, $$body @@ 'dog & 1:*'::tsquery$$);
SELECT * FROM tq_check($$body <@> elacsym_match('1 1', prefix => true)$$, $$body @@ '1:*'::tsquery$$);
SELECT count(*) FILTER (WHERE (body <@> elacsym_match('jum the', prefix => true)) IS DISTINCT FROM (body <@> 'jum:*'::tsquery)) AS "differ" FROM tq_docs;

-- tsvector columns: labels are fields with weights of their own
SELECT * FROM tq_check($$v <@> 'foxes 7'$$);
SELECT * FROM tq_check($$v <@> 'fox & 7'::tsquery$$, $$v @@ 'fox & 7'::tsquery$$);
SELECT * FROM tq_check($$v <@> 'fox:A & 7:*D & !cat'::tsquery$$, $$v @@ 'fox:A & 7:*D & !cat'::tsquery$$);
SELECT * FROM tq_check($$v <@> 'report <-> 7'::tsquery$$, $$v @@ 'report <-> 7'::tsquery$$);
SELECT * FROM tq_check($$v <@> 'fox <2> dog'::tsquery$$, $$v @@ 'fox <2> dog'::tsquery$$);
SELECT * FROM tq_check($$v <@> elacsym_match('foxes 7', weights => '{1,1,1,0}')$$);
SELECT * FROM tq_check($$v <@> elacsym_match('fox & report'::tsquery, weights => '{1,1,1,0}')$$, $$v @@ 'fox & report'::tsquery$$);
SELECT * FROM tq_check($$v <@> elacsym_match('foxes 7', combine => 'max')$$);
SELECT * FROM tq_check($$v <@> elacsym_match('foxes 7', combine => 'bm25f')$$);
SELECT * FROM tq_check($$ARRAY[v, v2] <@> 'report & fox'::tsquery$$,
	$$CASE WHEN v IS NOT NULL OR v2 IS NOT NULL THEN coalesce(v @@ 'report & fox'::tsquery, false) END$$);
SELECT * FROM tq_check($$ARRAY[v, v2] <@> elacsym_match('foxes 7', weights => '{1,2}')$$);
SELECT count(*) FILTER (WHERE v2 IS NOT NULL AND (v2 <@> 'dogs jumping') IS DISTINCT FROM (body <@> 'dogs jumping')) AS "as text",
	count(*) FILTER (WHERE (v <@> elacsym_match('foxes 7', weights => '{0,0,0,1}') < 0) IS DISTINCT FROM (title <@> 'foxes 7' < 0) AND v IS NOT NULL) AS "as title",
	count(*) FILTER (WHERE (v <@> 'fox:A | 7:A'::tsquery < 0) IS DISTINCT FROM (title <@> 'foxes 7' < 0) AND v IS NOT NULL) AS "label A",
	count(*) FILTER (WHERE abs((v <@> 'foxes 7') - (v <@> elacsym_match('foxes 7', weights => '{1,1,1,3}'))) > 1e-6) AS "index's own",
	count(*) FILTER (WHERE abs((v <@> elacsym_match('foxes 7', weights => '{2}')) - 2 * (v <@> 'foxes 7')) > 1e-6) AS twice
FROM tq_docs;

-- text[] columns: the elements' words
SELECT * FROM tq_check($$tags <@> 'foxes 7'$$);
SELECT * FROM tq_check($$tags <@> 'dog & 7'::tsquery$$, $$tags_text @@ 'dog & 7'::tsquery$$);
SELECT * FROM tq_check($$tags <@> 'quick <-> dog'::tsquery$$, $$tags_text @@ 'quick <-> dog'::tsquery$$);
SELECT * FROM tq_check($$tags <@> 'green <-> quick'::tsquery$$, $$CASE WHEN tags IS NOT NULL THEN false END$$);
SELECT count(*) FILTER (WHERE (tags <@> 'foxes 7 dogs') IS DISTINCT FROM (tags_text <@> 'foxes 7 dogs')) AS "differ" FROM tq_docs;

-- conditions alone: plain and bitmap scans of the index
CREATE FUNCTION tq_count(condition text, OUT plan text, OUT rows bigint, OUT wanted bigint) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL elacsym.enable_customscan = off;
	EXECUTE format('EXPLAIN (COSTS OFF, FORMAT JSON) SELECT count(*) FROM tq_docs WHERE %s', condition) INTO plan;
	plan := (plan::json -> 0 -> 'Plan' -> 'Plans' -> 0) ->> 'Node Type';
	EXECUTE format('SELECT count(*) FROM tq_docs WHERE %s', condition) INTO rows;
	SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
	EXECUTE format('SELECT count(*) FROM tq_docs WHERE %s', condition) INTO wanted;
END $$;
SELECT rows, wanted, plan ~ 'Index Scan|Bitmap' AS indexed FROM tq_count($$v2 @@ 'dog & lazi <-> cat'$$);
SELECT rows, wanted, plan ~ 'Index Scan|Bitmap' AS indexed FROM tq_count($$body @@ 'dog & lazi <-> cat'::tsquery$$);
SELECT rows, wanted, plan ~ 'Index Scan|Bitmap' AS indexed FROM tq_count($$v @@ ANY (ARRAY['7:A', 'cat']::tsquery[])$$);
SET default_text_search_config = 'pg_catalog.simple';
SELECT rows, wanted FROM tq_count($$body @@ 'dogs'::tsquery$$);
RESET default_text_search_config;
SET default_text_search_config = 'pg_catalog.english';
SELECT count(*) FROM (SELECT id FROM tq_docs WHERE v @@ 'fox & cat' ORDER BY v <@> 'fox & cat'::tsquery) x;

-- binding: views, subqueries, generic plans, parameters, queries in tables and variables
CREATE VIEW tq_view AS SELECT id AS number, v AS vector, tags AS words, body AS content FROM tq_docs WHERE id < 400;
SELECT count(*) FROM tq_view WHERE vector <@> 'cat & dog'::tsquery < 0;
SELECT count(*) FROM tq_view WHERE words <@> elacsym_match('green', min_match => 1) < 0;
SELECT count(*) FROM (SELECT * FROM tq_view ORDER BY number LIMIT 100) x WHERE ARRAY[vector, vector] <@> 'cat & dog'::tsquery < 0;
WITH q AS MATERIALIZED (SELECT elacsym_match('lazi & cat'::tsquery) AS q) SELECT count(*) FROM tq_docs, q WHERE body <@> q < 0;
CREATE TABLE tq_queries (n int, q elacsym_query);
INSERT INTO tq_queries VALUES (1, elacsym_match('lazy cats', min_match => 2)), (2, elacsym_match(repeat('dog ', 3000))), (3, NULL),
	(4, elacsym_match('dog & cat'::tsquery, combine => 'max'));
SELECT n, count(*) FILTER (WHERE body <@> q < 0) AS body, count(*) FILTER (WHERE v <@> q < 0) AS v FROM tq_docs, tq_queries GROUP BY n ORDER BY n;
SET plan_cache_mode = force_generic_plan;
PREPARE tq_words_plan(text, real) AS SELECT id, body <@> elacsym_match($1, min_match => $2) < 0 FROM tq_docs ORDER BY body <@> elacsym_match($1, min_match => $2), id LIMIT 2;
PREPARE tq_tsquery_plan(tsquery) AS SELECT id, v <@> $1 < 0 FROM tq_docs ORDER BY v <@> $1, id LIMIT 2;
PREPARE tq_query_plan(elacsym_query) AS SELECT id, v <@> $1 < 0 FROM tq_docs ORDER BY v <@> $1, id LIMIT 2;
EXECUTE tq_words_plan('lazy cats', 2);
EXECUTE tq_words_plan('report', 1);
EXECUTE tq_tsquery_plan('report:A & 7:A & cat');
EXECUTE tq_tsquery_plan('report:D');
EXECUTE tq_tsquery_plan(NULL);
EXECUTE tq_query_plan(elacsym_match('report:A & 7:A & cat'::tsquery));
RESET plan_cache_mode;
DO $$
DECLARE
	q elacsym_query := elacsym_match('lazy cats', min_match => 2);
	t tsquery := 'lazi <-> cat';
	n bigint;
BEGIN
	n := (SELECT count(*) FROM tq_docs WHERE body <@> q < 0);
	RAISE WARNING '% rows with both words, % with the phrase', n, (SELECT count(*) FROM tq_docs WHERE v2 <@> t < 0);
END $$;
-- an array of one column is still an array of columns; one that is indexed itself is a column
SELECT count(*) FROM tq_docs WHERE ARRAY[body] <@> 'lazi & cat'::tsquery < 0;
CREATE TABLE tq_pair (a text, b text);
INSERT INTO tq_pair VALUES ('red fox', 'green'), ('blue', NULL), (NULL, NULL);
CREATE INDEX tq_pair_idx ON tq_pair USING elacsym ((ARRAY[a, b]) text_array_bm25_ops);
SELECT a, ARRAY[a, b] <@> 'green' < 0 AS green, ARRAY[a, b] <@> 'blue fox' < 0 AS "blue or fox" FROM tq_pair ORDER BY a;

-- the first statement of a session
\c
SELECT count(*) FROM tq_docs WHERE v2 <@> 'lazi <-> cat'::tsquery < 0;
SET default_text_search_config = 'pg_catalog.english';
SET client_min_messages = warning;

-- partitions
CREATE TABLE tq_parts (id int, v tsvector, tags text[]) PARTITION BY RANGE (id);
CREATE TABLE tq_parts1 PARTITION OF tq_parts FOR VALUES FROM (0) TO (300);
CREATE TABLE tq_parts2 PARTITION OF tq_parts FOR VALUES FROM (300) TO (100000);
CREATE INDEX tq_parts_idx ON tq_parts USING elacsym (v tsvector_bm25_ops (weight_a = 3, config = 'english'), tags text_array_bm25_ops (config = 'english'));
INSERT INTO tq_parts SELECT id, v, tags FROM tq_docs;
SELECT count(*), count(*) FILTER (WHERE (p.v <@> 'fox & 7 & !cat'::tsquery) IS DISTINCT FROM (d.v <@> 'fox & 7 & !cat'::tsquery)) AS v,
	count(*) FILTER (WHERE (p.tags <@> elacsym_match('foxes 7 green', min_match => 2)) IS DISTINCT FROM
		(d.tags <@> elacsym_match('foxes 7 green', min_match => 2))) AS tags
FROM tq_parts p JOIN tq_docs d USING (id);
SELECT count(*), count(*) FILTER (WHERE p.s = d.s) AS equal FROM
	(SELECT row_number() OVER () AS n, s FROM (SELECT v <@> 'foxes 7' AS s FROM tq_parts ORDER BY v <@> 'foxes 7' LIMIT 50) x) p JOIN
	(SELECT row_number() OVER () AS n, s FROM (SELECT v <@> 'foxes 7' AS s FROM tq_docs ORDER BY v <@> 'foxes 7' LIMIT 50) x) d USING (n);

-- a language a row: the expression is the column
CREATE TABLE tq_languages (id int, lang regconfig, body text);
INSERT INTO tq_languages VALUES (1, 'english', 'The houses of the singers'), (2, 'german', 'Die Häuser der Sänger'), (3, 'german', 'the houses'),
	(4, 'simple', 'houses'), (5, 'english', 'Die Häuser der Sänger');
CREATE INDEX tq_languages_idx ON tq_languages USING elacsym (to_tsvector(lang, body));
SELECT id, to_tsvector(lang, body) <@> websearch_to_tsquery('german', 'Haus') < 0 AS german,
	to_tsvector(lang, body) <@> websearch_to_tsquery('english', 'house singer') < 0 AS english FROM tq_languages ORDER BY id;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM tq_languages ORDER BY to_tsvector(lang, body) <@> websearch_to_tsquery('german', 'Häuser') LIMIT 1;
SELECT id FROM tq_languages ORDER BY to_tsvector(lang, body) <@> websearch_to_tsquery('german', 'Haus Sänger') LIMIT 1;
RESET enable_seqscan;

-- without positions: everything but phrases
CREATE INDEX tq_bare_idx ON tq_languages USING elacsym (body text_bm25_ops (positions = off, config = 'english'));
SELECT count(*) FROM tq_languages WHERE body <@> 'hous & singer'::tsquery < 0;
SELECT count(*) FROM tq_languages WHERE body <@> 'hous <3> singer'::tsquery < 0;
SELECT count(*) FROM tq_languages WHERE body @@ 'hous <3> singer'::tsquery;

-- pairs of characters
CREATE TABLE tq_cjk (id int, body text, plain text);
INSERT INTO tq_cjk SELECT i, b, b FROM (VALUES (1, '東京都の天気 weather'), (2, '京都の東'), (3, '東京と京都'), (4, 'Tokyo weather')) x(i, b);
CREATE INDEX tq_cjk_idx ON tq_cjk USING elacsym (body text_bm25_ops (bigrams = on, config = 'english'), plain text_bm25_ops (config = 'english'));
SELECT id, body <@> '東京' < 0 AS words, body <@> '東京都'::tsquery < 0 AS tsquery, body <@> '京都 & !東京'::tsquery < 0 AS "京都 only",
	body <@> websearch_to_tsquery('english', '"東京都の天気 weather"') < 0 AS phrase, body <@> '東:*'::tsquery < 0 AS prefix,
	ARRAY[plain, body] <@> '東京都'::tsquery < 0 AS "in either", plain <@> '東京都'::tsquery < 0 AS plain
FROM tq_cjk ORDER BY id;
-- one character: the first of a pair, the last of a run, or a run by itself; as often as a text has it
INSERT INTO tq_cjk VALUES (5, '気 都', '気 都'), (6, '都都都 x', '都都都 x');
SELECT id, body <@> '都' < 0 AS words, body <@> '気'::tsquery < 0 AS tsquery, body <@> '都 & !東'::tsquery < 0 AS "都, not 東", body <@> '気 <-> weather'::tsquery < 0 AS phrase,
	body <@> elacsym_match('weather 都', min_match => 2) < 0 AS both, body <@> elacsym_match('東 都', prefix => true, min_match => 2) < 0 AS "last word",
	ARRAY[plain, body] <@> '都'::tsquery < 0 AS "in either", plain <@> '都'::tsquery < 0 AS plain
FROM tq_cjk ORDER BY id;
SELECT string_agg(id::text, ' ') FROM (SELECT id FROM tq_cjk WHERE body <@> '都' < 0 ORDER BY body <@> '都' LIMIT 1) x;

-- the configuration that an index was built with stays
CREATE TABLE tq_config (body text);
INSERT INTO tq_config VALUES ('Die Häuser');
SET default_text_search_config = 'pg_catalog.german';
CREATE INDEX tq_config_idx ON tq_config USING elacsym (body, (lower(body)) text_bm25_ops (config = 'simple'));
SET default_text_search_config = 'pg_catalog.english';
SELECT pg_get_indexdef('tq_config_idx'::regclass);
SELECT body <@> 'haus'::tsquery < 0 AS found, body <@> 'Haus' < 0 AS words FROM tq_config;
REINDEX INDEX tq_config_idx;
SELECT body <@> 'haus'::tsquery < 0 AS found, body <@> 'Haus' < 0 AS words FROM tq_config;
ALTER TABLE tq_config ALTER body TYPE varchar(100);
SELECT pg_get_indexdef('tq_config_idx'::regclass);

CREATE TABLE tq_later (id int, body text) PARTITION BY LIST (id);
CREATE TABLE tq_later1 PARTITION OF tq_later FOR VALUES IN (1);
SET default_text_search_config = 'pg_catalog.german';
CREATE INDEX tq_later_idx ON tq_later USING elacsym (body);
SET default_text_search_config = 'pg_catalog.english';
CREATE TABLE tq_later2 PARTITION OF tq_later FOR VALUES IN (2) PARTITION BY RANGE (id);
CREATE TABLE tq_later3 PARTITION OF tq_later2 DEFAULT;
INSERT INTO tq_later VALUES (1, 'Häuser'), (2, 'Häuser');
SELECT id, body <@> 'Haus' < 0 AS found FROM tq_later ORDER BY id;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid IN ('tq_later'::regclass, 'tq_later3'::regclass) ORDER BY 1;

-- errors
SELECT body <@> elacsym_match('x', weights => '{1,2}') FROM tq_docs LIMIT 1;
SELECT ARRAY[title, body] <@> elacsym_match('x', weights => '{1}') FROM tq_docs LIMIT 1;
SELECT v <@> elacsym_match('x', weights => '{1,2}') FROM tq_docs LIMIT 1;
SELECT tags <@> elacsym_match('x', weights => '{1,2,3,4}') FROM tq_docs LIMIT 1;
SELECT 'x'::text <@> elacsym_match('x');
SELECT 'x'::tsvector <@> 'x'::tsquery;
SELECT ARRAY['x'] <@> 'x';
SELECT strip(v) <@> 'x' FROM tq_docs LIMIT 1;
SELECT v <@> elacsym_match('x') FROM (SELECT v FROM tq_docs UNION ALL SELECT v2 FROM tq_docs) x LIMIT 1;
SELECT 'x'::text <@> elacsym_bind('x', 'tq_idx', 5::int2);
SELECT 'x'::tsvector <@> elacsym_bind('x', 'tq_idx', 2::int2);
SELECT ARRAY['x'] <@> elacsym_bind('x', 'tq_idx', '{5}'::int2[]);
SELECT ARRAY['x']::tsvector[] <@> elacsym_bind('x', 'tq_idx', '{3}'::int2[]);
SELECT ARRAY['x', 'y'] <@> elacsym_bind('x', 'tq_idx', '{2,3}'::int2[]);
SELECT ARRAY['dogs', NULL] <@> elacsym_bind('dog', 'tq_idx', 3::int2) < 0 AS "text[] column", ARRAY['dogs', NULL] <@> elacsym_bind('dog', 'tq_idx', '{1,2}'::int2[]) < 0 AS columns;
CREATE INDEX ON tq_docs USING elacsym (v tsvector_bm25_ops (bigrams = on));
CREATE INDEX ON tq_docs USING elacsym (body text_bm25_ops (weight_a = 2));
CREATE INDEX ON tq_docs USING elacsym (v tsvector_bm25_ops (weight_a = -2));
CREATE INDEX ON tq_docs USING elacsym (v text_bm25_ops);

-- whoever binds a query by hand must be allowed to read the table
CREATE ROLE regress_tq_user;
GRANT SELECT ON tq_view TO regress_tq_user;
SET ROLE regress_tq_user;
SELECT count(*) FROM tq_view WHERE vector <@> elacsym_match('cat & dog'::tsquery) < 0;
SELECT 'x'::tsvector <@> elacsym_bind('x'::tsquery, 'tq_idx', 5::int2);
SELECT 'x'::tsvector <@> elacsym_bind(elacsym_match('x'), 'tq_idx', 5::int2);
RESET ROLE;
REVOKE SELECT ON tq_view FROM regress_tq_user;
DROP ROLE regress_tq_user;

-- operator classes: what amvalidate() says
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod WHERE amname = 'elacsym' AND opcname LIKE '%bm25%' ORDER BY 1;
CREATE OPERATOR CLASS tq_bad_ops FOR TYPE text USING elacsym AS OPERATOR 1 <@> (text, elacsym_query) FOR ORDER BY float_ops, FUNCTION 2 elacsym_text_options(internal);
CREATE OPERATOR CLASS tq_bad2_ops FOR TYPE text USING elacsym AS OPERATOR 1 = (text, text), FUNCTION 1 elacsym_text_traits(internal);
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcname LIKE 'tq_bad%' ORDER BY 1;

SELECT elacsym_verify('tq_idx'), elacsym_verify('tq_cjk_idx'), elacsym_verify('tq_languages_idx');
DROP TABLE tq_docs, tq_queries, tq_pair, tq_parts, tq_languages, tq_cjk, tq_config, tq_later CASCADE;
DROP FUNCTION tq_check, tq_words, tq_count;
DROP OPERATOR FAMILY tq_bad_ops USING elacsym;
DROP OPERATOR FAMILY tq_bad2_ops USING elacsym;
