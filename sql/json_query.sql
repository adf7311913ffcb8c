-- elacsym_query(): every operator and rank against the SQL that it means;
-- what errors say; rights, views, partitions; plans.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT setseed(.5);
CREATE TYPE jq_mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN jq_short AS text CHECK (length(value) < 40);
CREATE TABLE jq (id bigint PRIMARY KEY, title text, dropped int, body varchar, "Odd ""name""; --" text, price float8, n int, ok bool, day date,
	at timestamptz, tags text[], nums int[], code uuid, extra jsonb, mood jq_mood, short jq_short, amount numeric(10,2), v vector(4), h halfvec(3));
ALTER TABLE jq DROP COLUMN dropped;
INSERT INTO jq SELECT i, 'title w' || i % 7 || ' x' || i % 40, CASE WHEN i % 50 = 0 THEN NULL ELSE 'body w' || i % 5 || ' x' || i % 23 || repeat(' more', i % 9) || ' u' || i END,
	CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'a_b%c' WHEN 2 THEN 'a*b' WHEN 3 THEN E'line\nx[y]' WHEN 4 THEN 'Käse\' ELSE 'plain' || i % 10 END,
	CASE WHEN i % 9 = 0 THEN NULL ELSE i / 4.0 END, i % 100, CASE WHEN i % 31 > 0 THEN i % 3 = 0 END, date '2026-01-01' + i % 300,
	timestamptz '2026-01-01 00:00+00' + i * interval '1 hour', CASE WHEN i % 8 > 0 THEN ARRAY['t' || i % 3, 's' || i % 5] END, ARRAY[i % 4, i % 6],
	md5(i::text)::uuid, jsonb_build_object('i', i % 4), (enum_range(NULL::jq_mood))[1 + i % 3], 'short' || i % 12, i / 8.0,
	CASE WHEN i % 33 = 0 THEN NULL ELSE ARRAY[random(), random(), random(), random()]::real[]::vector END, ARRAY[i % 3, i % 5, 1]::real[]::halfvec
	FROM generate_series(1, 2000) i;
CREATE INDEX jq_idx ON jq USING elacsym (v vector_cosine_ops, title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'simple'),
	"Odd ""name""; --" text_ops, price, n, ok, day, at, tags, nums, code, amount);
INSERT INTO jq (id, title, body, price, v) SELECT i, 'fresh title w3', 'fresh body x5', i, '[1,1,1,2]' FROM generate_series(3001, 3020) i;
ANALYZE jq;
SET elacsym.probes = 1000000;

-- Do the rows, in their order, equal those of a query of (id, value shown)?  Values to six digits.
CREATE FUNCTION jq_same(request jsonb, query text, relation regclass DEFAULT 'jq') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a text[];
	b text[];
BEGIN
	EXECUTE format('SELECT array_agg(row(id, round(d::numeric, 6))::text) FROM (%s) x (id, d)', query) INTO b;
	SELECT array_agg(row(r ->> 'id', round(coalesce(r ->> '$dist', r ->> '$score')::numeric, 6))::text) INTO a FROM elacsym_query(relation, request) r;
	RETURN CASE WHEN a IS NOT DISTINCT FROM b THEN coalesce(cardinality(a), 0) || ' equal' ELSE format('%s <> %s', a, b) END;
END $$;
-- Do the rows that pass a filter equal those of a condition?
CREATE FUNCTION jq_filter(filter text, condition text) RETURNS text LANGUAGE sql AS $$
	SELECT jq_same(jsonb_build_object('rank_by', '["id", "asc"]'::jsonb, 'top_k', 10000, 'filters', filter::jsonb),
				   format('SELECT id, NULL FROM jq WHERE %s ORDER BY id', condition)) $$;

-- rows: the key comes always, the rest when asked for; what search adds is the last word
SELECT elacsym_query('jq', '{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 2}');
SELECT elacsym_query('jq', '{"rank_by": ["id", "asc"], "top_k": 1, "include_attributes": true}');
SELECT elacsym_query('jq', '{"rank_by": ["id", "asc"], "limit": 1, "include_attributes": false}');
SELECT elacsym_query('jq', '{"rank_by": ["title", "BM25", "w3 x3"], "limit": {"total": 1}, "include_attributes": ["h", "tags", "Odd \"name\"; --"]}');
SELECT elacsym_query('jq', '{"rank_by": ["n", "desc"], "limit": 1, "exclude_attributes": ["id", "v", "h", "extra", "code", "at", "title", "body"], "filters": null}');
SELECT count(*) FROM elacsym_query('jq', '{"rank_by": ["n", "desc"]}');
SELECT count(*) FROM elacsym_query(request => '{"rank_by": ["n", "desc"], "top_k": 10000}', "table" => 'jq');

-- ranks
SELECT jq_same('{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 50}', $$SELECT id, v <=> '[1,2,3,4]' FROM jq ORDER BY v <=> '[1,2,3,4]' LIMIT 50$$);
SELECT jq_same('{"rank_by": ["v", "ANN", "[1, 2, 3, 4]"], "top_k": 50, "filters": ["n", "Lt", 10]}',
	$$SELECT id, v <=> '[1,2,3,4]' FROM jq WHERE n < 10 OR n IS NULL ORDER BY v <=> '[1,2,3,4]' LIMIT 50$$);
SELECT count(*) AS "with a vector" FROM elacsym_query('jq', '{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 10000}');
SELECT jq_same('{"rank_by": ["body", "BM25", "x5 more"], "top_k": 30}', $$SELECT id, -(body <@> 'x5 more') FROM jq ORDER BY body <@> 'x5 more' LIMIT 30$$);
SELECT jq_same('{"rank_by": ["body", "BM25", "x5"], "top_k": 10000}', $$SELECT id, -(body <@> 'x5') FROM jq WHERE body <@> 'x5' < 0 ORDER BY body <@> 'x5', id$$) AS "ranked rows only";
SELECT jq_same('{"rank_by": ["title", "BM25", "w", {"last_as_prefix": true}], "top_k": 30}',
	$$SELECT id, -(title <@> elacsym_match('w', prefix => true)) FROM jq ORDER BY title <@> elacsym_match('w', prefix => true) LIMIT 30$$);
SELECT jq_same('{"rank_by": ["Sum", [["title", "BM25", "w3 x5"], ["body", "BM25", "w3 x5"]]], "top_k": 30}',
	$$SELECT id, -(ARRAY[title, body] <@> 'w3 x5') FROM jq ORDER BY ARRAY[title, body] <@> 'w3 x5' LIMIT 30$$);
SELECT jq_same('{"rank_by": ["Max", [["title", "BM25", "w3 x5"], ["body", "BM25", "w3 x5"]]], "top_k": 30}',
	$$SELECT id, -least(title <@> 'w3 x5', body <@> 'w3 x5') FROM jq ORDER BY ARRAY[title, body] <@> elacsym_match('w3 x5', combine => 'max') LIMIT 30$$);
-- scores of weighted fields, from those of single fields
CREATE FUNCTION jq_scores(rank text, score text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format($q$SELECT format('%%s rows, %%s differ, %%s not in order', count(*), count(*) FILTER (WHERE abs(d - s) > 1e-5 * s), count(*) FILTER (WHERE d > before)) FROM
		(SELECT (r ->> '$dist')::float8 AS d, lag((r ->> '$dist')::float8) OVER () AS before, (SELECT %s FROM
			(SELECT -(title <@> 'w3 x5') AS t, coalesce(-(body <@> 'w3 x5'), 0) AS b FROM jq WHERE id = (r ->> 'id')::bigint) y) AS s
		FROM elacsym_query('jq', jsonb_build_object('rank_by', %L::jsonb, 'top_k', 1000)) r) x$q$, score, rank) INTO result;
	RETURN result;
END $$;
SELECT jq_scores('["Sum", [["Product", 3, ["title", "BM25", "w3 x5"]], ["Product", [["body", "BM25", "w3 x5"], 0.5]]]]', '3 * t + .5 * b');
SELECT jq_scores('["Product", ["Sum", [["Sum", [["title", "BM25", "w3 x5"], ["title", "BM25", "w3 x5"]]], ["body", "BM25", "w3 x5"]]], 2]', '4 * t + 2 * b');
SELECT jq_scores('["Product", 2, ["Max", [["title", "BM25", "w3 x5"], ["Product", 5, ["body", "BM25", "w3 x5"]]]]]', 'greatest(2 * t, 10 * b)');
SELECT jq_scores('["Max", [["Product", 2, ["title", "BM25", "w3 x5"]], ["Max", [["body", "BM25", "w3 x5"], ["title", "BM25", "w3 x5"]]]]]', 'greatest(2 * t, b)');
SELECT jq_scores('["Sum", [["Max", [["title", "BM25", "w3 x5"], ["Product", 3, ["title", "BM25", "w3 x5"]]]], ["body", "BM25", "w3 x5"]]]', '3 * t + b');
SELECT jq_scores('["Sum", [["Product", 0, ["title", "BM25", "w3 x5"]], ["body", "BM25", "w3 x5"]]]', 'b');
SELECT jq_same('{"rank_by": ["Product", 7, ["body", "BM25", "x5"]], "top_k": 5}', $$SELECT id, -7 * (body <@> 'x5') FROM jq ORDER BY body <@> 'x5' LIMIT 5$$);
SELECT count(*) AS "nothing" FROM elacsym_query('jq', '{"rank_by": ["Product", 0, ["body", "BM25", "x5"]]}');
SELECT count(*) AS "nothing" FROM elacsym_query('jq', '{"rank_by": ["body", "BM25", ""]}');

-- fusion
SELECT elacsym_query('jq', '{"rank_by": ["RRF", [["v", "ANN", [1, 2, 3, 4]], ["title", "BM25", "w3 x5"]]], "top_k": 2}');
SELECT jq_same('{"rank_by": ["RRF", [["v", "ANN", [1, 2, 3, 4]], ["title", "BM25", "w3 x5"]]], "top_k": 30}',
	$$SELECT id, -elacsym_rrf(v <=> '[1,2,3,4]', title <@> 'w3 x5') FROM jq ORDER BY elacsym_rrf(v <=> '[1,2,3,4]', title <@> 'w3 x5') LIMIT 30$$);
SELECT jq_same('{"rank_by": ["RRF", [["v", "ANN", [1, 2, 3, 4]], ["Max", [["title", "BM25", "w3"], ["body", "BM25", "w3"]]], ["body", "BM25", "x5"]], {"k": 5, "window": 40, "weights": [1, 0.5, 0]}], "top_k": 30, "filters": ["n", "Gt", 40]}',
	$$SELECT id, -elacsym_rrf(ARRAY[v <=> '[1,2,3,4]', ARRAY[title, body] <@> elacsym_match('w3', combine => 'max'), body <@> 'x5'], '{1,.5,0}', 5, 40) FROM jq WHERE n > 40
		ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,3,4]', ARRAY[title, body] <@> elacsym_match('w3', combine => 'max'), body <@> 'x5'], '{1,.5,0}', 5, 40) LIMIT 30$$);
SELECT jq_same('{"rank_by": ["RRF", [["v", "ANN", [1, 2, 3, 4]], ["title", "BM25", "w3 x5"]], {"rank_constant": 1}], "top_k": 30}',
	$$SELECT id, -elacsym_rrf(v <=> '[1,2,3,4]', title <@> 'w3 x5', k => 1) FROM jq ORDER BY elacsym_rrf(v <=> '[1,2,3,4]', title <@> 'w3 x5', k => 1) LIMIT 30$$);
SELECT n, jq_same(format('{"rank_by": ["Linear", [["v", "ANN", [1, 2, 3, 4]], ["title", "BM25", "w3 x5"]], {"normalization": "%s", "weights": [2, 1]}], "top_k": 30}', n)::jsonb,
	format($$SELECT id, -elacsym_linear(v <=> '[1,2,3,4]', title <@> 'w3 x5', '{2,1}', '%1$s') FROM jq ORDER BY elacsym_linear(v <=> '[1,2,3,4]', title <@> 'w3 x5', '{2,1}', '%1$s') LIMIT 30$$, n))
	FROM (VALUES ('max'), ('minmax'), ('dbsf')) x (n);
SELECT count(*) AS "ranked rows only" FROM elacsym_query('jq', '{"rank_by": ["RRF", [["title", "BM25", "w3"], ["body", "BM25", "nothing"]]], "top_k": 10000, "filters": ["n", "Lt", 3]}');

-- by an attribute
SELECT jq_same('{"rank_by": ["price", "asc"], "top_k": 10000}', $$SELECT id, NULL FROM jq ORDER BY price NULLS LAST LIMIT 10000$$);
SELECT jq_same('{"rank_by": ["amount", "desc"], "top_k": 100}', $$SELECT id, NULL FROM jq ORDER BY amount DESC NULLS LAST LIMIT 100$$);
SELECT jq_same('{"rank_by": ["id", "desc"], "top_k": 100}', $$SELECT id, NULL FROM jq ORDER BY id DESC LIMIT 100$$);

-- filters: NULL is the least value, and Not is the other rows
SELECT f, jq_filter(f, c) FROM (VALUES
	('["n", "Eq", 7]', 'n = 7'), ('["n", "NotEq", 7]', 'n IS DISTINCT FROM 7'), ('["n", "Eq", null]', 'n IS NULL'), ('["n", "NotEq", null]', 'n IS NOT NULL'),
	('["n", "Eq", "7"]', 'n = 7'), ('["Not", ["n", "Eq", 7]]', 'n IS DISTINCT FROM 7'), ('["Not", ["Not", ["n", "Eq", 7]]]', 'n = 7'), ('["Not", ["n", "Eq", null]]', 'n IS NOT NULL'),
	('["price", "Lt", 5.5]', 'price < 5.5 OR price IS NULL'), ('["price", "Lte", 5.5]', 'price <= 5.5 OR price IS NULL'), ('["price", "Gt", 495.25]', 'price > 495.25'),
	('["price", "Gte", 495.25]', 'price >= 495.25'), ('["price", "Lt", null]', 'false'), ('["price", "Lte", null]', 'price IS NULL'), ('["price", "Gt", null]', 'price IS NOT NULL'),
	('["price", "Gte", null]', 'true'), ('["Not", ["price", "Lt", 490]]', 'price >= 490'), ('["Not", ["price", "Gte", 490]]', 'price < 490 OR price IS NULL'), ('["id", "Lt", 5]', 'id < 5'),
	('["n", "In", [1, 5, "7"]]', 'n IN (1, 5, 7)'), ('["n", "In", [1, null]]', 'n = 1 OR n IS NULL'), ('["n", "In", []]', 'false'), ('["n", "NotIn", [1, 5]]', 'n NOT IN (1, 5) OR n IS NULL'),
	('["n", "NotIn", [1, null]]', 'n <> 1'), ('["n", "NotIn", []]', 'true'), ('["n", "NotIn", [null]]', 'n IS NOT NULL'), ('["Not", ["n", "In", [1, 5]]]', 'n NOT IN (1, 5) OR n IS NULL'), ('["n", "In", [null]]', 'n IS NULL'),
	('["ok", "Eq", true]', 'ok'), ('["ok", "NotEq", true]', 'ok IS NOT TRUE'), ('["ok", "In", [false]]', 'NOT ok'), ('["day", "Gte", "2026-10-20"]', $$day >= '2026-10-20'$$),
	('["at", "Lt", "2026-01-01T05:00:00.000Z"]', $$at < '2026-01-01 05:00+00' OR at IS NULL$$), ('["code", "Eq", "c4ca4238-a0b9-2382-0dcc-509a6f75849b"]', 'id = 1'),
	('["amount", "Eq", 0.125]', 'false'), ('["amount", "Eq", 0.25]', 'id = 2'), ('["mood", "Gt", "ok"]', $$mood = 'happy'$$), ('["mood", "In", ["sad", "ok"]]', $$mood IN ('sad', 'ok')$$),
	('["short", "Eq", "short3"]', $$short = 'short3'$$), ('["short", "In", ["short3", "a string that is longer than the domain admits it to be"]]', $$short = 'short3'$$), ('["body", "Eq", "body w1 x1 more u1"]', 'id = 1'),
	('["extra", "Eq", {"i": 2}]', $$extra ->> 'i' = '2'$$), ('["v", "Eq", [1, 1, 1, 2]]', 'id > 3000'), ('["h", "Eq", [1, 1, 1]]', 'id < 3000 AND id % 15 = 1'),
	('["tags", "Contains", "t1"]', $$tags @> '{t1}'$$), ('["tags", "NotContains", "t1"]', $$NOT tags @> '{t1}' OR tags IS NULL$$), ('["tags", "ContainsAny", ["t1", "s2"]]', $$tags && '{t1,s2}'$$),
	('["tags", "NotContainsAny", ["t1", "s2"]]', $$NOT tags && '{t1,s2}' OR tags IS NULL$$), ('["tags", "ContainsAny", []]', 'false'), ('["Not", ["tags", "Contains", "t1"]]', $$NOT tags @> '{t1}' OR tags IS NULL$$),
	('["nums", "Contains", 3]', 'nums @> ARRAY[3]'), ('["tags", "Eq", ["t1", "s1"]]', $$tags = '{t1,s1}'$$), ('["tags", "Eq", "{t1,s1}"]', $$tags = '{t1,s1}'$$), ('["tags", "NotEq", null]', 'tags IS NOT NULL'),
	('["And", [["n", "Lt", 5], ["ok", "Eq", true]]]', '(n < 5 OR n IS NULL) AND ok'), ('["Or", [["n", "Eq", 5], ["ok", "Eq", true], ["price", "Gt", 400]]]', 'n = 5 OR ok OR price > 400'), ('["And", []]', 'true'), ('["Or", []]', 'false'),
	('["Not", ["And", []]]', 'false'), ('["Not", ["Or", [["n", "Gt", 5], ["Not", ["And", [["ok", "Eq", true], ["tags", "Contains", "s1"]]]]]]]', $$(n <= 5 OR n IS NULL) AND ok AND tags @> '{s1}'$$),
	('["And", [["And", [["n", "Gt", 5]]], ["Or", [["n", "Lt", 9], ["n", "Eq", 77]]]]]', 'n > 5 AND (n < 9 OR n = 77)')) x (f, c);

-- globs; the third column is what the pattern means
SELECT g, jq_filter(jsonb_build_array('Odd "name"; --', 'Glob', g)::text, format('"Odd ""name""; --" ~ %L', r)),
	jq_filter(jsonb_build_array('Odd "name"; --', 'NotGlob', g)::text, format('("Odd ""name""; --" ~ %L) IS NOT TRUE', r)) AS not
FROM (VALUES ('plain*', '^plain'), ('plain?', '^plain.$'), ('*', ''), ('**5', '5$'), ('a_b%c', '^a_b%c$'), ('a\*b', '^a[*]b$'), ('a*b', '^a.*b$'), ('plain[0-3]', '^plain[0-3]$'), ('plain[!0-3]', '^plain[^0-3]$'),
	('plain[^0-3]', '^plain[^0-3]$'), ('*[[]y]', '\[y]$'), ('*[]]', ']$'), ('plain[3-]', '^plain[3-]$'), ('{plain5,a?b}', '^(plain5|a.b)$'), ('{a_b%c,{plain,x}[17]}', '^(a_b%c|plain[17])$'), ('line?x[[]y]', E'^line\nx'), ('K?se\\', '^K.se.$'),
	('K[ä-ö]se\\', '^K.se.$'), ('[!a-zK]*', '^[^a-zK]'), ('', '^$'), ('plain(5|1)', '^never$'), ('plain1,2', '^never$'), ('*[*]*', '[*]'), ('K{ä}se\\', '^K'), ('*[.-\\]', '[.-\\]$')) x (g, r);
SELECT jq_filter('["Odd \"name\"; --", "IGlob", "PLAIN*"]', $$"Odd ""name""; --" ILIKE 'plain%'$$), jq_filter('["Odd \"name\"; --", "NotIGlob", "PLAIN[0-4]"]', $$("Odd ""name""; --" ~ '^plain[0-4]$') IS NOT TRUE$$),
	jq_filter('["body", "Glob", "*u7"]', $$body LIKE '%u7'$$), jq_filter('["short", "Glob", "short1?"]', $$short LIKE 'short1_'$$);

-- everything else is an error that names its place
CREATE FUNCTION jq_error(request text, relation regclass DEFAULT 'jq') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM elacsym_query(relation, request::jsonb);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT r AS request, jq_error(r) AS error FROM (VALUES
	('[]'), ('1'), ('null'), ('"x"'), ('{}'), ('{"rank_by": ["id", "asc"], "top_j": 5}'), ('{"rank_by": ["id", "asc"], "RANK_BY": 5}'), ('{"rank_by": {"id": "asc"}}'), ('{"rank_by": null}'), ('{"rank_by": []}'), ('{"rank_by": ["id"]}'),
	('{"rank_by": ["id", "ASC"]}'), ('{"rank_by": ["id", "asc", 1]}'), ('{"rank_by": [5, "asc"]}'), ('{"rank_by": ["dropped", "asc"]}'), ('{"rank_by": ["........pg.dropped.3........", "asc"]}'), ('{"rank_by": ["ctid", "asc"]}'), ('{"rank_by": ["ID", "asc"]}'), ('{"rank_by": ["v", "kNN", [1, 2, 3, 4]]}'),
	('{"rank_by": ["v", "ANN", [1, 2, 3]]}'), ('{"rank_by": ["v", "ANN", []]}'), ('{"rank_by": ["v", "ANN", [1, 2, 3, "4"]]}'), ('{"rank_by": ["v", "ANN", [1, 2, 3, null]]}'), ('{"rank_by": ["v", "ANN", [1, 2, 3, 1e39]]}'), ('{"rank_by": ["v", "ANN", "[1,2,NaN,4]"]}'), ('{"rank_by": ["v", "ANN", "words"]}'), ('{"rank_by": ["v", "ANN", null]}'), ('{"rank_by": ["v", "ANN", {"x": 1}]}'), ('{"rank_by": ["v", "ANN", 1]}'),
	('{"rank_by": ["v", "ANN"]}'), ('{"rank_by": ["title", "ANN", [1, 2, 3, 4]]}'), ('{"rank_by": ["h", "ANN", [1, 2, 3]]}'), ('{"rank_by": ["nope", "ANN", [1]]}'),
	('{"rank_by": ["v", "BM25", "x"]}'), ('{"rank_by": ["extra", "BM25", "x"]}'), ('{"rank_by": ["body", "BM25"]}'), ('{"rank_by": ["body", "BM25", 5]}'), ('{"rank_by": ["body", "BM25", ["x"]]}'), ('{"rank_by": ["body", "BM25", "x", {}, {}]}'), ('{"rank_by": ["body", "BM25", "x", 5]}'), ('{"rank_by": ["body", "BM25", "x", {"prefix": true}]}'), ('{"rank_by": ["body", "BM25", "x", {"last_as_prefix": 1}]}'),
	('{"rank_by": ["Sum"]}'), ('{"rank_by": ["Sum", []]}'), ('{"rank_by": ["Sum", 5]}'), ('{"rank_by": ["Sum", [5]]}'), ('{"rank_by": ["Sum", [["v", "ANN", [1, 2, 3, 4]]]]}'), ('{"rank_by": ["Sum", [["title", "BM25", "x"], ["n", "Gt", 5]]]}'), ('{"rank_by": ["Sum", ["title", "BM25", "x"], ["body", "BM25", "x"]]}'),
	('{"rank_by": ["Sum", [["title", "BM25", "x"], ["body", "BM25", "y"]]]}'), ('{"rank_by": ["Sum", [["body", "BM25", "x"], ["title", "BM25", "x", {"last_as_prefix": true}]]]}'), ('{"rank_by": ["Sum", [["title", "BM25", "x"], ["Max", [["title", "BM25", "x"], ["body", "BM25", "x"]]]]]}'), ('{"rank_by": ["Max", [["Sum", [["title", "BM25", "x"], ["body", "BM25", "x"]]], ["body", "BM25", "x"]]]}'),
	('{"rank_by": ["Product", 2]}'), ('{"rank_by": ["Product", [2]]}'), ('{"rank_by": ["Product", 2, 3]}'), ('{"rank_by": ["Product", ["body", "BM25", "x"], ["body", "BM25", "x"]]}'), ('{"rank_by": ["Product", -1, ["body", "BM25", "x"]]}'), ('{"rank_by": ["Product", 1e400, ["body", "BM25", "x"]]}'), ('{"rank_by": ["Product", "2", ["body", "BM25", "x"]]}'), ('{"rank_by": ["Product", 2, ["Product", 900000, ["body", "BM25", "x"]]]}'),
	('{"rank_by": ["RRF"]}'), ('{"rank_by": ["RRF", []]}'), ('{"rank_by": ["RRF", 5]}'), ('{"rank_by": ["RRF", [["id", "asc"]]]}'), ('{"rank_by": ["RRF", [["RRF", [["body", "BM25", "x"]]]]]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], 5]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"normalization": "max"}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"k": 0}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"window": 0}]}'),
	('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"k": 1, "rank_constant": 1}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"weights": [1, 2]}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"weights": ["1"]}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"weights": [-1]}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"weights": [0]}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {"weights": 1}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"]], {}, 1]}'),
	('{"rank_by": ["Linear", [["body", "BM25", "x"]], {"k": 60}]}'), ('{"rank_by": ["Linear", [["body", "BM25", "x"]], {"normalization": "x"}]}'), ('{"rank_by": ["Linear", [["body", "BM25", "x"]], {"normalization": null}]}'), ('{"rank_by": ["RRF", [["body", "BM25", "x"], ["v", "ANN", [1]]]]}'),
	('{"rank_by": ["id", "asc"], "top_k": 0}'), ('{"rank_by": ["id", "asc"], "top_k": -1}'), ('{"rank_by": ["id", "asc"], "top_k": 10001}'), ('{"rank_by": ["id", "asc"], "top_k": 1.5}'), ('{"rank_by": ["id", "asc"], "top_k": "5"}'), ('{"rank_by": ["id", "asc"], "top_k": null}'), ('{"rank_by": ["id", "asc"], "top_k": 1e999}'), ('{"rank_by": ["id", "asc"], "top_k": 1, "limit": 1}'), ('{"rank_by": ["id", "asc"], "limit": {}}'), ('{"rank_by": ["id", "asc"], "limit": {"total": 0}}'), ('{"rank_by": ["id", "asc"], "limit": {"per": 1}}'), ('{"rank_by": ["id", "asc"], "limit": []}'),
	('{"rank_by": ["id", "asc"], "include_attributes": 1}'), ('{"rank_by": ["id", "asc"], "include_attributes": "id"}'), ('{"rank_by": ["id", "asc"], "include_attributes": ["id", "nope"]}'), ('{"rank_by": ["id", "asc"], "include_attributes": ["id", 1]}'), ('{"rank_by": ["id", "asc"], "include_attributes": {"id": true}}'), ('{"rank_by": ["id", "asc"], "exclude_attributes": ["nope"]}'), ('{"rank_by": ["id", "asc"], "exclude_attributes": true}'), ('{"rank_by": ["id", "asc"], "include_attributes": true, "exclude_attributes": []}')) x (r);
SELECT f AS filters, jq_error(format('{"rank_by": ["id", "asc"], "filters": %s}', f)) AS error FROM (VALUES
	('5'), ('"n = 5"'), ('true'), ('{"n": ["Eq", 5]}'), ('[]'), ('["n"]'), ('["n", "Eq"]'), ('["n", "Eq", 5, 6]'), ('["n", "eq", 5]'), ('["n", "Regex", "x"]'), ('["n", 5, 5]'), ('[5, "Eq", 5]'), ('["nope", "Eq", 5]'), ('["And", 5]'), ('["And", {"n": 5}]'), ('["And", [5]]'), ('["And", ["n", "Eq", 5]]'), ('["and", []]'), ('[["n"], []]'), ('["Not", []]'), ('["Not", 5]'), ('["And", [["n", "Eq", 5], ["Or", [["n", "Eq", 6], ["n", "Eqq", 7]]]]]'),
	('["n", "Eq", "x"]'), ('["n", "Eq", 1.5]'), ('["n", "Eq", 99999999999]'), ('["n", "Eq", true]'), ('["n", "Eq", [1]]'), ('["n", "Eq", {"a": 1}]'), ('["title", "Eq", 5]'), ('["title", "Eq", true]'), ('["ok", "Eq", "true"]'), ('["ok", "Eq", 1]'), ('["day", "Lt", "2026-13-01"]'), ('["day", "Lt", 5]'), ('["at", "Lt", "yesterday evening"]'), ('["code", "Eq", "xyz"]'), ('["mood", "Eq", "angry"]'), ('["v", "Eq", [1, 2]]'),
	('["n", "In", 5]'), ('["n", "In", [1, "x"]]'), ('["n", "In", [1, [2]]]'), ('["n", "In", {"a": 1}]'), ('["n", "In", null]'), ('["tags", "In", ["t1"]]'), ('["title", "Contains", "x"]'), ('["tags", "Contains", null]'), ('["tags", "Contains", ["t1"]]'), ('["tags", "Contains", 5]'), ('["nums", "Contains", "x"]'), ('["tags", "ContainsAny", "t1"]'), ('["tags", "ContainsAny", ["t1", null]]'), ('["nums", "ContainsAny", [1, 2.5]]'), ('["tags", "Eq", ["t1", ["t2"]]]'), ('["extra", "Glob", "x"]'), ('["n", "Glob", "5*"]'), ('["tags", "Glob", "t*"]'),
	('["title", "Glob", 5]'), ('["title", "Glob", "x["]'), ('["title", "Glob", "x[]"]'), ('["title", "Glob", "x{a"]'), ('["title", "Glob", "a}"]'), ('["title", "Glob", "x\\"]'), ('["title", "Glob", "[z-a]"]'), ('["title", "Glob", "{x\\"]'), ('["title", "Glob", null]')) x (f);
SELECT jq_error(format('{"rank_by": ["id", "asc"], "filters": %s["n", "Eq", 5]%s}', repeat('["Not", ', 199), repeat(']', 199))), jq_error(format('{"rank_by": ["id", "asc"], "filters": %s["n", "Eq", 5]%s}', repeat('["Not", ', 200), repeat(']', 200))) ~ '^22023 filters(\[1\])+: filters are nested more than 200 deep$' AS "200 deep";
SELECT jq_error(format('{"rank_by": %s["body", "BM25", "x"]%s}', repeat('["Sum", [', 200), repeat(']]', 200))) ~ '^22023 rank_by(\[1\]\[0\])+: ranks are nested more than 200 deep$' AS "200 deep";
SELECT jq_error(jsonb_build_object(repeat('é', 10000), 1)::text), length(jq_error(jsonb_build_object('rank_by', jsonb_build_array(repeat('x', 100000), 'asc'))::text)) < 150 AS short;
SELECT jq_error('{}', NULL), jq_error(NULL), jq_error('{}', 'jq_pkey');
SELECT elacsym_query('jq', '{"rank_by": ["Sum", [["title", "BM25", "x"], ["body", "BM25", "y"]]]}');
SELECT elacsym_query('jq', '{"rank_by": ["id", "asc"], "filters": ["n", "eq", 5]}');

-- nothing of a request is SQL
CREATE TABLE jq_victim (id int);
SELECT count(*), min(length(e)) > 10 AS refused FROM (SELECT jq_error(replace(r, '@', s)) AS e FROM
	(VALUES ($q$x'; DROP TABLE jq_victim; --$q$), ($q$x\"; DROP TABLE jq_victim; --$q$), ($q$) OR 1=1; DROP TABLE jq_victim; --$q$), ($q$$1$q$), ($q$x')) OR true --$q$), ($q$*/ DROP TABLE jq_victim; /*$q$), ($q$\\'; DROP TABLE jq_victim; --$q$)) i (s),
	(VALUES ('{"rank_by": ["@", "asc"]}'), ('{"rank_by": ["id", "@"]}'), ('{"rank_by": ["@", "ANN", [1]]}'), ('{"rank_by": ["v", "ANN", "@"]}'), ('{"rank_by": ["@", "BM25", "x"]}'), ('{"@": 1}'), ('{"rank_by": ["id", "asc"], "include_attributes": ["@"]}'), ('{"rank_by": ["id", "asc"], "top_k": "@"}'),
		('{"rank_by": ["id", "asc"], "filters": ["@", "Eq", 1]}'), ('{"rank_by": ["id", "asc"], "filters": ["n", "@", 1]}'), ('{"rank_by": ["id", "asc"], "filters": ["n", "Eq", "@"]}'), ('{"rank_by": ["id", "asc"], "filters": ["@", []]}')) r (r)) x WHERE e <> 'no error';
SELECT count(*) AS rows FROM (VALUES ($q$x'; DROP TABLE jq_victim; --$q$), ($q$x"; DROP TABLE jq_victim; --$q$), ($q$) OR 1=1; --$q$), ($q$$1$q$), ($q$\'; DROP TABLE jq_victim; --$q$)) i (s),
	(VALUES ('Eq'), ('Lt'), ('Glob'), ('IGlob'), ('In')) o (o), elacsym_query('jq', jsonb_build_object('rank_by', jsonb_build_array('body', 'BM25', s), 'top_k', 10000,
		'filters', jsonb_build_array('title', o, CASE WHEN o = 'In' THEN jsonb_build_array(s) ELSE to_jsonb(s) END)));
SELECT count(*) AS victim FROM jq_victim;
CREATE SCHEMA "jq ""x""; --";
CREATE TABLE "jq ""x""; --"."t'; --" ("id\'" int PRIMARY KEY, "$dist" text, "b""; --" text);
CREATE INDEX ON "jq ""x""; --"."t'; --" USING elacsym ("b""; --");
INSERT INTO "jq ""x""; --"."t'; --" VALUES (1, 'hidden', 'words');
SELECT elacsym_query('"jq ""x""; --"."t''; --"', '{"rank_by": ["b\"; --", "BM25", "words"], "include_attributes": true, "filters": ["$dist", "Eq", "hidden"]}') - '$dist';
SET standard_conforming_strings = off;
SET search_path = pg_temp, public;
SELECT elacsym_query('"jq ""x""; --"."t''; --"', jsonb_build_object('rank_by', jsonb_build_array('b"; --', 'BM25', 'words'), 'filters', '["$dist", "Glob", "h[i]dden"]'::jsonb)) - '$dist';
RESET standard_conforming_strings;
RESET search_path;
CREATE FUNCTION public.jq_always(bigint, bigint) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE SCHEMA jq_evil;
CREATE OPERATOR jq_evil.= (LEFTARG = int, RIGHTARG = bigint, FUNCTION = int48eq);
CREATE FUNCTION jq_evil.always(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR jq_evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = jq_evil.always);
SET search_path = jq_evil, pg_catalog, public;
SELECT count(*) FROM elacsym_query('jq', '{"rank_by": ["id", "asc"], "top_k": 10000, "filters": ["n", "Eq", 7]}');
RESET search_path;
DROP SCHEMA jq_evil CASCADE;

-- as PostgREST calls it, as a role with rights to some columns, under row-level security
CREATE ROLE regress_jq_user;
GRANT SELECT (id, title, body, n, v) ON jq TO regress_jq_user;
ALTER TABLE jq ENABLE ROW LEVEL SECURITY;
CREATE POLICY jq_policy ON jq TO regress_jq_user USING (n < 50);
SET ROLE regress_jq_user;
WITH pgrst_source AS (
	SELECT pgrst_call.pgrst_scalar FROM (SELECT '{"table": "jq", "request": {"rank_by": ["title", "BM25", "x5"], "limit": 3, "filters": ["n", "Gte", 40], "include_attributes": ["n"]}}'::json AS json_data) pgrst_payload,
	LATERAL (SELECT "table", request FROM json_to_record(pgrst_payload.json_data) AS _("table" regclass, request jsonb) LIMIT 1) pgrst_body,
	LATERAL (SELECT elacsym_query("table" := pgrst_body."table", request := pgrst_body.request) pgrst_scalar) pgrst_call)
SELECT json_agg(pgrst_scalar) FROM pgrst_source;
SELECT max((r ->> 'n')::int), count(*), bool_or(r ? 'price') AS price FROM elacsym_query("table" => 'jq', request => '{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 10000, "include_attributes": true}') r;
SELECT max((r ->> 'n')::int), count(*) FROM elacsym_query("table" => 'jq', request => '{"rank_by": ["Max", [["title", "BM25", "w3 x5"], ["body", "BM25", "w3 x5"]]], "top_k": 10000, "exclude_attributes": ["v"], "filters": ["n", "NotIn", [49]]}') r;
SELECT jq_error('{"rank_by": ["price", "asc"]}'), jq_error('{"rank_by": ["id", "asc"], "filters": ["And", [["id", "Eq", 1], ["price", "Eq", 1]]]}'), jq_error('{"rank_by": ["id", "asc"], "include_attributes": ["id", "price"]}'), jq_error('{"rank_by": ["id", "asc"]}', 'jq_victim');
RESET ROLE;
SELECT max((r ->> 'n')::int) FROM elacsym_query('jq', '{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 10000, "include_attributes": ["n"]}') r;
-- a plan made for one role does not serve another
SET ROLE regress_jq_user;
SELECT max((r ->> 'n')::int) FROM elacsym_query('jq', '{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "top_k": 10000, "include_attributes": ["n"]}') r;
RESET ROLE;

-- views: with the view's conditions and its owner's rights
CREATE VIEW jq_view AS SELECT n AS number, id, v AS vec, title AS heading, body AS text, upper(title) AS loud FROM jq WHERE price < 100;
SELECT jq_same('{"rank_by": ["vec", "ANN", [1, 2, 3, 4]], "top_k": 20, "filters": ["number", "Gt", 3]}', $$SELECT id, v <=> '[1,2,3,4]' FROM jq WHERE price < 100 AND n > 3 ORDER BY v <=> '[1,2,3,4]' LIMIT 20$$, 'jq_view');
SELECT jq_same('{"rank_by": ["Sum", [["Product", 2, ["heading", "BM25", "w3 x5"]], ["text", "BM25", "w3 x5"]]], "top_k": 20}',
	$$SELECT id, -(ARRAY[title, body] <@> elacsym_match('w3 x5', '{4,1}')) FROM jq WHERE price < 100 ORDER BY ARRAY[title, body] <@> elacsym_match('w3 x5', '{4,1}') LIMIT 20$$, 'jq_view');
GRANT SELECT ON jq_view TO regress_jq_user;
SET ROLE regress_jq_user;
SELECT elacsym_query('jq_view', '{"rank_by": ["heading", "BM25", "x5"], "top_k": 1, "include_attributes": ["number"]}');
RESET ROLE;
SELECT jq_error('{"rank_by": ["loud", "ANN", [1]]}', 'jq_view'), jq_error('{"rank_by": ["loud", "BM25", "x"]}', 'jq_view'), jq_error('{"rank_by": ["Product", 2, ["loud", "BM25", "x"]]}', 'jq_view');
DROP VIEW jq_view;

-- tsvector and text[] fields, expressions, no key, several indexes
CREATE TABLE jq_forms (id int, v2 tsvector, tags text[], more text[], va vector(2), vb vector(2));
INSERT INTO jq_forms SELECT i, to_tsvector('simple', 'w' || i % 7 || ' x' || i), ARRAY['t' || i % 3, 'long tag ' || i], ARRAY['m'], ARRAY[i, 1]::real[]::vector, ARRAY[1, i]::real[]::vector FROM generate_series(1, 100) i;
CREATE INDEX ON jq_forms USING elacsym (v2 tsvector_bm25_ops (config = 'simple', weight = 3), tags text_array_bm25_ops (config = 'simple'), more text_array_bm25_ops, va vector_l2_ops);
CREATE INDEX ON jq_forms USING elacsym (vb vector_l2_ops);
SELECT jq_same('{"rank_by": ["v2", "BM25", "w3"], "top_k": 5}', $$SELECT id, -(v2 <@> 'w3') FROM jq_forms ORDER BY v2 <@> 'w3' LIMIT 5$$, 'jq_forms');
SELECT jq_same('{"rank_by": ["Product", 2, ["v2", "BM25", "w3"]], "top_k": 5}', $$SELECT id, -2 * (v2 <@> 'w3') FROM jq_forms ORDER BY v2 <@> 'w3' LIMIT 5$$, 'jq_forms');
SELECT jq_same('{"rank_by": ["tags", "BM25", "tag t1"], "top_k": 5}', $$SELECT id, -(tags <@> 'tag t1') FROM jq_forms ORDER BY tags <@> 'tag t1' LIMIT 5$$, 'jq_forms');
SELECT jq_same('{"rank_by": ["va", "ANN", [7, 1]], "top_k": 5}', $$SELECT id, va <-> '[7,1]' FROM jq_forms ORDER BY va <-> '[7,1]' LIMIT 5$$, 'jq_forms');
SELECT jq_error('{"rank_by": ["Sum", [["v2", "BM25", "x"], ["tags", "BM25", "x"]]]}', 'jq_forms'), jq_error('{"rank_by": ["Sum", [["more", "BM25", "x"], ["tags", "BM25", "x"]]]}', 'jq_forms');
CREATE INDEX ON jq_forms USING elacsym (vb vector_cosine_ops);
SELECT jq_error('{"rank_by": ["vb", "ANN", [7, 1]]}', 'jq_forms');
CREATE TABLE jq_cast (id int PRIMARY KEY, v vector, w vector(2));
INSERT INTO jq_cast SELECT i, ARRAY[i, 1, 2]::real[]::vector, ARRAY[i, 1]::real[]::vector FROM generate_series(1, 300) i;
CREATE INDEX ON jq_cast USING elacsym ((v::vector(3)::halfvec(3)) halfvec_l2_ops);
CREATE INDEX ON jq_cast USING elacsym ((w::halfvec(2)) halfvec_cosine_ops, id);
CREATE INDEX ON jq_cast USING elacsym (w vector_ip_ops);
SELECT jq_same('{"rank_by": ["v", "ANN", [7, 1, 2]], "top_k": 5}', $$SELECT id, v::vector(3)::halfvec(3) <-> '[7,1,2]' FROM jq_cast ORDER BY 2, 1 LIMIT 5$$, 'jq_cast');
SELECT jq_same('{"rank_by": ["w", "ANN", [7, 1]], "top_k": 5}', $$SELECT id, w <#> '[7,1]' FROM jq_cast ORDER BY 2, 1 LIMIT 5$$, 'jq_cast');
SELECT jq_error('{"rank_by": ["v", "ANN", [7, 1]]}', 'jq_cast'), jq_error('{"rank_by": ["v", "ANN", [7, 1, 1e6]]}', 'jq_cast');
ALTER TABLE jq_forms RENAME id TO number;
SELECT elacsym_query('jq_forms', '{"rank_by": ["number", "desc"], "top_k": 1}');

-- partitions
CREATE TABLE jq_parts (LIKE jq) PARTITION BY HASH (id);
CREATE TABLE jq_parts0 PARTITION OF jq_parts FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE jq_parts1 PARTITION OF jq_parts FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE jq_parts2 PARTITION OF jq_parts FOR VALUES WITH (MODULUS 3, REMAINDER 2);
ALTER TABLE jq_parts ADD PRIMARY KEY (id);
INSERT INTO jq_parts SELECT * FROM jq;
CREATE INDEX jq_parts_idx ON jq_parts USING elacsym (v vector_cosine_ops, title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'simple'), n);
ANALYZE jq_parts;
SELECT jq_same(r, format('SELECT r -> %L, (r ->> %L)::float8 FROM elacsym_query(%L, %L) r', 'id', '$dist', 'jq', r), 'jq_parts') FROM (VALUES ('{"rank_by": ["v", "ANN", [1, 2, 3, 4]], "filters": ["n", "In", [1, 2, 3]], "limit": 20}'::jsonb), ('{"rank_by": ["id", "desc"]}')) x (r);
-- scores tie: compared as a list
SELECT array_agg(p) = array_agg(q) AS equal FROM (SELECT round((r ->> '$dist')::numeric, 6) AS p, row_number() OVER () AS i FROM elacsym_query('jq_parts', '{"rank_by": ["Sum", [["Product", 2, ["title", "BM25", "w3 x5"]], ["body", "BM25", "w3 x5"]]], "limit": 50}') r) a
	JOIN (SELECT round((r ->> '$dist')::numeric, 6) AS q, row_number() OVER () AS i FROM elacsym_query('jq', '{"rank_by": ["Sum", [["Product", 2, ["title", "BM25", "w3 x5"]], ["body", "BM25", "w3 x5"]]], "limit": 50}') r) b USING (i);

-- inherited rows may be NULL where the parent's are not, and have the parent's columns only
CREATE TABLE jq_parent (id int PRIMARY KEY, n int);
CREATE TABLE jq_child (more int) INHERITS (jq_parent);
INSERT INTO jq_parent VALUES (1, 1);
INSERT INTO jq_child VALUES (2, 2, 3);
SELECT elacsym_query('jq_parent', '{"rank_by": ["id", "asc"], "include_attributes": true, "filters": ["id", "NotEq", 5]}');

-- values change, the shape does not: one statement; a session keeps at most 64
CREATE FUNCTION jq_plans() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE 'SELECT pg_catalog.jsonb_build_object%' $$;
\c
SET client_min_messages = warning;
SELECT count(*) FROM generate_series(1, 30) i, elacsym_query('jq', jsonb_build_object('rank_by', jsonb_build_array('v', 'ANN', jsonb_build_array(i, 1, 2, 3)), 'filters', jsonb_build_array('n', 'In', jsonb_build_array(i, i + 1)), 'top_k', 3));
SELECT jq_plans();
SELECT sum((r ->> 'id')::int), count(*) FROM generate_series(1, 200) i, elacsym_query('jq', jsonb_build_object('rank_by', '["id", "asc"]'::jsonb, 'top_k', i)) r;
SELECT jq_plans();
-- statements too long are not kept
SELECT count(*) FROM elacsym_query('jq', jsonb_build_object('rank_by', '["id", "asc"]'::jsonb, 'top_k', 10000, 'filters', jsonb_build_array('Or', (SELECT jsonb_agg(jsonb_build_array('n', 'Eq', i)) FROM generate_series(1, 900) i))));
SELECT jq_plans();
-- a table of the same name is another one
CREATE TABLE jq_swap (id int PRIMARY KEY, n int);
INSERT INTO jq_swap VALUES (1, 2);
SELECT elacsym_query('jq_swap', '{"rank_by": ["id", "asc"], "include_attributes": true, "filters": ["n", "Eq", 2]}');
ALTER TABLE jq_swap ALTER n TYPE text;
SELECT elacsym_query('jq_swap', '{"rank_by": ["id", "asc"], "include_attributes": true, "filters": ["n", "Eq", "2"]}');
DROP TABLE jq_swap;
CREATE TABLE jq_swap (n int, id text PRIMARY KEY);
INSERT INTO jq_swap VALUES (2, 'one');
SELECT elacsym_query('jq_swap', '{"rank_by": ["id", "asc"], "include_attributes": true, "filters": ["n", "Eq", 2]}');
-- a policy that searches: executions nest, failures do not hold plans
CREATE FUNCTION jq_nested(n int) RETURNS bool LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF n = 99 THEN RAISE EXCEPTION 'no row 99'; END IF;
	RETURN EXISTS (SELECT FROM elacsym_query('jq_swap', jsonb_build_object('rank_by', '["id", "asc"]'::jsonb, 'top_k', 1 + n))); END $$;
CREATE POLICY jq_nested ON jq AS RESTRICTIVE TO regress_jq_user USING (jq_nested(n));
GRANT SELECT ON jq_swap TO regress_jq_user;
GRANT SELECT (mood) ON jq TO regress_jq_user;
SET ROLE regress_jq_user;
SELECT count(*) FROM elacsym_query('jq', '{"rank_by": ["id", "asc"], "top_k": 10000}');
RESET ROLE;
ALTER POLICY jq_policy ON jq USING (true);
SET ROLE regress_jq_user;
DO $$ BEGIN FOR i IN 1..100 LOOP BEGIN PERFORM elacsym_query('jq', '{"rank_by": ["id", "asc"], "top_k": 10000}'); EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$;
RESET ROLE;
SELECT sum((r ->> 'id')::int), count(*) FROM generate_series(1, 200) i, elacsym_query('jq', jsonb_build_object('rank_by', '["id", "desc"]'::jsonb, 'top_k', i)) r;
SELECT jq_plans();

DROP TABLE jq, jq_victim, jq_forms, jq_parts, jq_cast, jq_parent, jq_child, jq_swap, "jq ""x""; --"."t'; --" CASCADE;
DROP SCHEMA "jq ""x""; --";
DROP FUNCTION jq_filter, jq_scores, jq_plans, jq_nested, jq_always;
DROP DOMAIN jq_short;
DROP TYPE jq_mood;
DROP ROLE regress_jq_user;
