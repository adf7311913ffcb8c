-- Values and queries at the limits of what there is: the index has the rows that the server's @@ has,
-- and an option out of its range is an error.
SET client_min_messages = warning;
SET default_text_search_config = 'pg_catalog.simple';
CREATE TABLE li_docs (id int PRIMARY KEY, body text, v tsvector, tags text[]);
INSERT INTO li_docs VALUES (1, 'cat dog', 'cat:1 dog:2', '{cat,dog}'), (2, '', '', '{}'), (3, NULL, NULL, NULL), (4, E' \t\n.,!', 'cat dog:3A', '{NULL}'),
	(5, repeat('x', 2046) || ' cat', 'cat:16383 dog:16383', '{{cat,NULL},{dog,fox}}'), (6, repeat('x', 3000) || ' dog', 'cat:20000 dog:20001', '[5:6]={fox,cat}'),
	(7, repeat('é', 1000) || ' cat', strip('cat:1 dog:2'), '{{NULL,NULL},{NULL,NULL}}');
-- as many positions as the server keeps of a lexeme: of one that is read, and of a sum
INSERT INTO li_docs SELECT 8, string_agg('cat', ' '), (string_agg('cat:' || i, ' '))::tsvector, array_agg(CASE WHEN i % 3 > 0 THEN 'e' || i % 100 END) FROM generate_series(1, 1000) i;
INSERT INTO li_docs SELECT 9, string_agg('f' || i, ' ') || ' tail end', to_tsvector(string_agg('f' || i, ' ')) || to_tsvector('tail end'), NULL FROM generate_series(1, 20000) i;
INSERT INTO li_docs SELECT 10, NULL, to_tsvector(string_agg('cat', ' ')) || to_tsvector(string_agg('dog cat', ' ')) || setweight(to_tsvector(string_agg('cat', ' ')), 'A'), NULL FROM generate_series(1, 300) i;
SELECT id, length(v), cardinality(positions) FROM li_docs, unnest(v) WHERE lexeme = 'cat' AND id IN (8, 10) ORDER BY id;
CREATE INDEX li_idx ON li_docs USING elacsym (body text_bm25_ops (config = 'simple'), v tsvector_bm25_ops (config = 'simple'), tags text_array_bm25_ops (config = 'simple'));
-- the same rows in the delta
INSERT INTO li_docs SELECT id + 100, body, v, tags FROM li_docs;
SELECT elacsym_verify('li_idx');

CREATE TABLE li_queries (n int GENERATED ALWAYS AS IDENTITY, name text, query text);	-- a row cannot hold a long tsquery
INSERT INTO li_queries (name, query) SELECT q, q FROM unnest(ARRAY['cat', 'cat & !dog', '!cat', '!(cat | dog)', 'cat <-> dog', 'cat <0> dog', 'dog:A', '!dog:A', 'dog:BC', 'cat <-> cat', 'cat <254> cat',
	'cat:A <-> cat:A', 'cat:D <-> dog', 'tail <-> end', 'tail <0> end', 'f1 <-> f2', 'f19999 <0> f20000', 'f16383 <0> tail', 'f5 <16378> tail', 'f1 <16382> end', 'cat <16384> dog',
	'cat <16384> (cat <16384> dog)', 'f1 <16384> (f2 <-> f3)', 'cat <-> !dog', '!cat <-> dog', '!cat <-> !dog', 'x:*', 'nowhere', '!nowhere', '']) q;
INSERT INTO li_queries (name, query) VALUES ('NULL', NULL), ('stop words', to_tsquery('english', 'the & of')::text), ('a long word', repeat('x', 2046)), ('a word of two-byte characters', repeat('é', 1000));
INSERT INTO li_queries (name, query) SELECT 'any of 10,000', string_agg('f' || i, ' | ') FROM generate_series(1, 10000) i;
INSERT INTO li_queries (name, query) SELECT 'all of 10,000', string_agg('f' || i, ' & ') FROM generate_series(1, 10000) i;
INSERT INTO li_queries (name, query) SELECT 'none of 10,000', string_agg('!g' || i, ' & ') FROM generate_series(1, 10000) i;
INSERT INTO li_queries (name, query) SELECT 'a phrase of 1,000', string_agg('f' || i, ' <-> ') FROM generate_series(1, 1000) i;
INSERT INTO li_queries (name, query) SELECT '300 prefixes', string_agg('f' || i || ':*', ' | ') FROM generate_series(1, 300) i;
INSERT INTO li_queries (name, query) VALUES ('5,000 times not', (repeat('!(', 5000) || 'cat' || repeat(')', 5000))), ('2,000 deep', (repeat('(cat & (dog | ', 2000) || 'cat' || repeat('))', 2000)));
-- rows by a sequential scan; which of a bitmap, an ordered scan with the condition, and an order alone have others
CREATE FUNCTION li_check(col text, every int, OUT name text, OUT rows int[], OUT unlike text[]) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	asked record;
	got int[];
BEGIN
	FOR asked IN SELECT * FROM li_queries WHERE n % every = 0 ORDER BY n LOOP
		name := asked.name; unlike := NULL;
		SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on; SET LOCAL elacsym.enable_customscan = off; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM li_docs WHERE %I @@ %L::tsquery', col, asked.query) INTO rows;
		SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM li_docs WHERE %I @@ %L::tsquery', col, asked.query) INTO got;
		unlike := unlike || CASE WHEN got IS DISTINCT FROM rows THEN ARRAY['bitmap ' || coalesce(got::text, 'none')] END;
		SET LOCAL enable_sort = off; SET LOCAL elacsym.enable_customscan = on; SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = off;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM li_docs WHERE %1$I @@ %2$L::tsquery ORDER BY %1$I <@> %2$L::tsquery OFFSET 0) x', col, asked.query) INTO got;
		unlike := unlike || CASE WHEN got IS DISTINCT FROM rows THEN ARRAY['ranked ' || coalesce(got::text, 'none')] END;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id, %1$I <@> %2$L::tsquery AS s FROM li_docs ORDER BY %1$I <@> %2$L::tsquery OFFSET 0) x WHERE s < 0', col, asked.query) INTO got;
		-- words under a NOT do not score
		unlike := unlike || CASE WHEN got IS DISTINCT FROM rows AND position('!' IN asked.query) = 0 THEN ARRAY['ordered ' || coalesce(got::text, 'none')] END;
		rows := CASE WHEN cardinality(rows) > 12 THEN ARRAY[cardinality(rows)] ELSE rows END;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM li_check('v', 1);
SELECT b.name, b.rows, b.unlike FROM li_check('body', 3) b JOIN li_queries q USING (name) ORDER BY n;
SELECT q, array_agg(id ORDER BY id) AS rows FROM unnest('{cat,fox,e98,e99,the}'::text[]) q, li_docs WHERE tags <@> q < 0 GROUP BY q ORDER BY q;
SELECT elacsym_flush('li_idx'), elacsym_compact('li_idx'), elacsym_verify('li_idx');
SELECT count(*), count(unlike) AS unlike FROM li_check('v', 2);
-- every occurrence counts, also those whose positions are not kept
SELECT abs((a.v <@> 'cat:D'::tsquery) / (b.v <@> 'cat:D'::tsquery) - 1) > 0.001 AS "another score" FROM li_docs a, li_docs b WHERE a.id = 8 AND b.id = 1;

-- queries of words without any word; all rows come, those without text last
SELECT q, count(*), count(s) AS "not null", count(*) FILTER (WHERE s < 0) AS scored FROM unnest(ARRAY['', ' . ', NULL]) q, LATERAL (SELECT v <@> q AS s FROM li_docs ORDER BY v <@> q OFFSET 0) x GROUP BY q ORDER BY q;
SELECT count(*) FILTER (WHERE s < 0) AS scored FROM (SELECT body <@> (SELECT string_agg('f' || i, ' ') FROM generate_series(1, 100000) i) AS s FROM li_docs ORDER BY 1) x;
SELECT count(*) FILTER (WHERE s < 0) AS all_words FROM (SELECT body <@> elacsym_match('cat dog', min_match => 1e30) AS s FROM li_docs ORDER BY s) x;
SELECT count(*) FILTER (WHERE s < 0) AS one_word FROM (SELECT body <@> elacsym_match('cat dog', min_match => 1e-30) AS s FROM li_docs ORDER BY s) x;
SELECT count(*) FILTER (WHERE s < 0) AS weightless FROM (SELECT body <@> elacsym_match('cat dog', weights => '{0}') AS s FROM li_docs ORDER BY s) x;
SELECT count(*) FILTER (WHERE s < 0) AS light, count(*) FILTER (WHERE t < 0) AS heavy FROM (SELECT body <@> elacsym_match('cat dog', weights => '{1e-30}') AS s, body <@> elacsym_match('cat dog', weights => '{1e6}') AS t FROM li_docs ORDER BY s) x;

-- limits and offsets
SELECT count(*) FROM (SELECT id FROM li_docs ORDER BY body <@> 'cat' LIMIT 0) x;
SELECT count(*) FROM (SELECT id FROM li_docs ORDER BY body <@> 'cat' LIMIT 9223372036854775807 OFFSET 15) x;
SELECT count(*) FROM (SELECT id FROM li_docs ORDER BY body <@> 'cat' OFFSET 9223372036854775807) x;

-- options out of range
\set VERBOSITY terse
SELECT elacsym_match('x', weights => '{1e7}');
SELECT elacsym_match('x', weights => '{Infinity}');
SELECT elacsym_match('x', weights => array_fill(1::real, '{33}'));
SELECT elacsym_match('x', min_match => -1);
SELECT elacsym_match('x', min_match => 'NaN');
SELECT elacsym_match('x', combine => 'BM25F');
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (k1 = -1));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (k1 = 1001));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (k1 = 'NaN'));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (b = 1.01));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (b = -0.1));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (weight = 'inf'));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (config = 'nowhere'));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (config = 'a.b.c'));
CREATE INDEX ON li_docs USING elacsym (body text_bm25_ops (config = ''));

-- a configuration that an index needs cannot be dropped from under it
CREATE TEXT SEARCH CONFIGURATION public.li_config (COPY = simple);
CREATE INDEX li_other ON li_docs USING elacsym (body text_bm25_ops (config = 'public.li_config'));
DROP TEXT SEARCH CONFIGURATION public.li_config;
DROP INDEX li_idx;
DROP TEXT SEARCH CONFIGURATION public.li_config CASCADE;
SELECT to_regclass('li_other');
SELECT id FROM li_docs ORDER BY body <@> 'cat' LIMIT 1;
DROP TABLE li_docs, li_queries;
DROP FUNCTION li_check;
