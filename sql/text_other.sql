-- What is left to the server, and what is left out: a configuration with a parser of its own, a thesaurus,
-- blocks of postings that cannot matter.
SET client_min_messages = warning;
-- a parser that is not the default one, though it does the same: its texts are the server's to analyse
CREATE TEXT SEARCH PARSER public.ot_parser (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH CONFIGURATION public.ot_config (PARSER = public.ot_parser);
ALTER TEXT SEARCH CONFIGURATION public.ot_config ADD MAPPING FOR asciiword, word, numword, uint, int, float, hword, asciihword, numhword, hword_part, hword_asciipart, host, url, url_path, email WITH english_stem;
-- words in other words' places
CREATE TEXT SEARCH DICTIONARY public.ot_thesaurus (TEMPLATE = thesaurus, DictFile = thesaurus_sample, Dictionary = english_stem);
CREATE TEXT SEARCH CONFIGURATION public.ot_thesaurus (COPY = english);
ALTER TEXT SEARCH CONFIGURATION public.ot_thesaurus ALTER MAPPING FOR asciiword, asciihword, hword_asciipart WITH public.ot_thesaurus, english_stem;
CREATE TABLE ot_docs (id int PRIMARY KEY, body text);
INSERT INTO ot_docs SELECT i, CASE i % 6 WHEN 0 THEN 'Running dogs, well-known at http://example.com/a/b?c' WHEN 1 THEN 'One two three: supernovae stars ' || i WHEN 2 THEN 'mail@example.com 3.14 -5 e-mail'
	WHEN 3 THEN 'the dogs <b>ran</b> &amp; ran' WHEN 4 THEN NULL ELSE 'sn ' || i || ' one two' END FROM generate_series(1, 400) i;
CREATE INDEX ot_idx ON ot_docs USING elacsym (body text_bm25_ops (config = 'public.ot_config'), (body || '') text_bm25_ops (config = 'public.ot_thesaurus'));
INSERT INTO ot_docs SELECT id + 1000, body FROM ot_docs WHERE id < 100;
-- each lexeme of to_tsvector() is found in its rows and scores as often as it occurs there: rows, lexemes, and those of which the index says something else
CREATE FUNCTION ot_check(config regconfig, expression text, OUT rows bigint, OUT lexemes bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	one record;
	got int[];
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
	rows := 0; lexemes := 0; wrong := 0;
	FOR one IN SELECT lexeme, array_agg(id ORDER BY id) AS ids FROM ot_docs, unnest(to_tsvector(config, body)) GROUP BY lexeme LOOP
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id, %1$s <@> %2$L::tsquery AS s FROM ot_docs ORDER BY %1$s <@> %2$L::tsquery OFFSET 0) x WHERE s < 0', expression,
			quote_literal(one.lexeme)) INTO got;
		rows := rows + cardinality(one.ids); lexemes := lexemes + 1; wrong := wrong + (got IS DISTINCT FROM one.ids)::int;
	END LOOP;
END $$;
SELECT * FROM ot_check('public.ot_config', 'body');
SELECT * FROM ot_check('public.ot_thesaurus', '(body || '''')');
SELECT count(*) FROM ot_docs WHERE body || '' <@> 'one two three' < 0;
SELECT elacsym_flush('ot_idx'), elacsym_compact('ot_idx') > 0 AS merged, elacsym_verify('ot_idx');
SELECT * FROM ot_check('public.ot_config', 'body');
SELECT * FROM ot_check('public.ot_thesaurus', '(body || '''')');

-- the best rows of two common words and a rare one are found without most of the common words' postings
CREATE TABLE ot_long (id int, body text);
INSERT INTO ot_long SELECT i, 'often ' || CASE WHEN i % 2 = 0 THEN 'common common ' ELSE '' END || CASE WHEN i % 100 = 0 AND i < 2000 THEN 'rare ' ELSE '' END || repeat('filling ', i % 60) FROM generate_series(1, 60000) i;
CREATE INDEX ot_long_idx ON ot_long USING elacsym (body text_bm25_ops (config = 'simple'));
VACUUM ANALYZE ot_long;
SET enable_seqscan = off; SET enable_sort = off;
SET default_text_search_config = 'pg_catalog.simple';
CREATE FUNCTION ot_blocks(q text, OUT decoded int, OUT skipped int, OUT scored int) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) ' || q INTO plan;
	plan := plan #> '{0,Plan,Plans,0}';
	decoded := plan ->> 'Posting Blocks Decoded'; skipped := plan ->> 'Posting Blocks Skipped'; scored := plan ->> 'Documents Scored';
END $$;
CREATE TABLE ot_counts AS SELECT n, b.* FROM (VALUES (1, 'body <@> ''often common rare''', 10), (2, 'body <@> ''often common rare''', 60000)) q(n, o, k),
	ot_blocks(format('SELECT id FROM ot_long ORDER BY %s LIMIT %s', o, k)) b;
SELECT a.decoded * 3 < b.decoded AS "a third of the blocks is enough", a.scored * 10 < b.scored AS "few are scored"
	FROM ot_counts a, ot_counts b WHERE a.n = 1 AND b.n = 2;
-- a filter that few rows pass leaves out most blocks, too
SELECT decoded < 100 AS "few decoded" FROM ot_blocks('SELECT id FROM ot_long WHERE body @@ ''rare''::tsquery ORDER BY body <@> ''often common'' LIMIT 10');
-- a match that is counted is not scored
SET enable_indexscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM ot_long WHERE body @@ 'common & rare'::tsquery;
SELECT coalesce(scored, 0) AS scored FROM ot_blocks('SELECT count(*) FROM ot_long WHERE body @@ ''common & rare''::tsquery');
SELECT count(*) FROM ot_long WHERE body @@ 'common & rare'::tsquery;
DROP TABLE ot_docs, ot_long, ot_counts;
DROP FUNCTION ot_check, ot_blocks;
DROP TEXT SEARCH CONFIGURATION public.ot_config, public.ot_thesaurus;
DROP TEXT SEARCH DICTIONARY public.ot_thesaurus;
DROP TEXT SEARCH PARSER public.ot_parser;
