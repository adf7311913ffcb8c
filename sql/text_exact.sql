-- BM25 on a corpus small enough to be worked out apart, and the README's examples of full text
SET default_text_search_config = 'pg_catalog.english';
SET enable_seqscan = off;

-- Scores were computed elsewhere, in double precision: ln(1 + (N - n + .5) / (n + .5)) tf / (tf + k1 (1 - b + b dl / avgdl)).
-- Rows 6 and 7 have 41 and 100 words, which Lucene's byte keeps as 40 and 96; the average is that of the exact lengths.
CREATE TABLE exact_docs (id int, body text);
INSERT INTO exact_docs VALUES (1, 'red fox'), (2, 'red red fox'), (3, 'blue fox jumps'), (4, 'red hen'), (5, NULL),
	(6, 'red ' || repeat('hay ', 40)), (7, 'fox fox fox ' || repeat('straw ', 97)), (8, '');
CREATE INDEX exact_idx ON exact_docs USING elacsym (body text_bm25_ops (config = 'simple'));
CREATE TABLE exact_scores (q text, id int, score float8);
INSERT INTO exact_scores VALUES
	('red', 1, 0.322147492004514), ('red', 2, 0.367079755676121), ('red', 4, 0.322147492004514), ('red', 6, 0.161816021329457),
	('fox jumps', 1, 0.322147492004514), ('fox jumps', 2, 0.313961155737106), ('fox jumps', 3, 1.40858327895131), ('fox jumps', 7, 0.196862630847256),
	('red red hen', 1, 0.644294984009029), ('red red hen', 2, 0.734159511352241), ('red red hen', 4, 1.76745867876045), ('red red hen', 6, 0.323632042658913),
	('straw', 7, 1.48335701281025);
CREATE FUNCTION exact_check(OUT rows bigint, OUT wrong bigint) LANGUAGE plpgsql AS $$
DECLARE
	question text;
	n bigint;
	w bigint;
BEGIN
	rows := 0; wrong := 0;
	FOR question IN SELECT DISTINCT q FROM exact_scores LOOP
		EXECUTE format('SELECT count(*) FILTER (WHERE s < 0), count(*) FILTER (WHERE
				abs(coalesce(-s, 0) - coalesce(score, 0)) > 1e-5 * coalesce(score, 0) OR (id = 5) <> (s IS NULL))
			FROM (SELECT id, body <@> %1$L AS s FROM exact_docs ORDER BY body <@> %1$L) x LEFT JOIN (SELECT * FROM exact_scores WHERE q = %1$L) y USING (id)', question)
			INTO n, w;
		rows := rows + n; wrong := wrong + w;
	END LOOP;
END $$;
SELECT * FROM exact_check();
SELECT id, round((body <@> 'red')::numeric, 4) AS score FROM exact_docs ORDER BY body <@> 'red';
-- the same from the delta alone, from two segments and a delta, and from one
TRUNCATE exact_docs;
INSERT INTO exact_docs VALUES (1, 'red fox'), (2, 'red red fox'), (3, 'blue fox jumps');
SELECT elacsym_flush('exact_idx');
INSERT INTO exact_docs VALUES (4, 'red hen'), (5, NULL), (6, 'red ' || repeat('hay ', 40));
SELECT elacsym_flush('exact_idx');
INSERT INTO exact_docs VALUES (7, 'fox fox fox ' || repeat('straw ', 97)), (8, '');
SELECT * FROM exact_check();
SELECT elacsym_compact('exact_idx') > 0 AS merged;
SELECT * FROM exact_check();
DROP TABLE exact_docs, exact_scores;
DROP FUNCTION exact_check;

-- the README's examples
CREATE TABLE articles (id int PRIMARY KEY, title text, body text, tags text[]);
INSERT INTO articles VALUES
	(1, 'Night trains', 'Sleeper trains between European capitals: cheap, slow, romantic', '{rail,europe}'),
	(2, 'Cheap flights', 'How to find cheap flights to Rome, and when to book them', '{air,rome}'),
	(3, 'Rome on foot', 'Walking tours of Rome without a guide', '{rome,walking}'),
	(4, 'Flying', 'Why flights are cheap: taxes, fuel, competition between airlines', NULL),
	(5, 'The Who', 'WHO recommendations for those who travel to the tropics', '{health}');
CREATE INDEX articles_idx ON articles USING elacsym (title text_bm25_ops (config = 'english', weight = 2), body text_bm25_ops (config = 'english'),
	tags text_array_bm25_ops (config = 'simple'));
SELECT id, title FROM articles ORDER BY ARRAY[title, body] <@> 'cheap flights' LIMIT 3;
SELECT id FROM articles WHERE body @@ websearch_to_tsquery('english', '"cheap flights" -taxes')
	ORDER BY body <@> websearch_to_tsquery('english', '"cheap flights" -taxes') LIMIT 10;
SELECT id FROM articles WHERE body @@ plainto_tsquery('english', 'flights cheap') ORDER BY body <@> plainto_tsquery('english', 'flights cheap'), id LIMIT 10;
SELECT id FROM articles WHERE body @@ to_tsquery('english', 'rom:* & !walk') ORDER BY body <@> to_tsquery('english', 'rom:* & !walk') LIMIT 10;
SELECT id FROM articles ORDER BY ARRAY[title, body] <@> elacsym_match('cheap flights rome', weights => '{3,1}', combine => 'max', min_match => 2) LIMIT 2;
SELECT id FROM articles WHERE body <@> elacsym_match('cheap fli', prefix => true, min_match => 2) < 0 ORDER BY body <@> elacsym_match('cheap fli', prefix => true, min_match => 2), id LIMIT 10;
SELECT id, tags FROM articles ORDER BY tags <@> 'rome walking' LIMIT 2;
SELECT count(*) FROM articles WHERE body @@ 'cheap'::tsquery;

-- highlighting: the same tsquery for the ranking and for ts_headline()
SELECT id, ts_headline('english', body, q, 'StartSel=*, StopSel=*') AS headline
	FROM articles, websearch_to_tsquery('english', 'cheap flight') q WHERE body @@ q ORDER BY body <@> q, id LIMIT 10;
SELECT id, ts_headline('english', body, to_tsquery('english', 'rome | guide'), 'StartSel=*, StopSel=*') AS headline
	FROM (SELECT * FROM articles ORDER BY body <@> 'rome guide' LIMIT 2) best;
-- any of some plain words, as a tsquery
SELECT id, ts_headline('english', body, replace(plainto_tsquery('english', 'guide to Rome')::text, ' & ', ' | ')::tsquery, 'StartSel=*, StopSel=*') AS headline
	FROM (SELECT * FROM articles ORDER BY body <@> 'guide to Rome' LIMIT 2) best;

-- unstemmed: English without its stemmer, with or without its stop words
CREATE TEXT SEARCH DICTIONARY public.english_words (TEMPLATE = simple, StopWords = english);
CREATE TEXT SEARCH CONFIGURATION public.unstemmed (COPY = english);
ALTER TEXT SEARCH CONFIGURATION public.unstemmed
	ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part WITH public.english_words;
CREATE TABLE unstemmed (id int, body text);
INSERT INTO unstemmed SELECT id, body FROM articles;
CREATE INDEX unstemmed_idx ON unstemmed USING elacsym (body text_bm25_ops (config = 'public.unstemmed'));
SELECT id FROM unstemmed WHERE body <@> 'flight' < 0;
SELECT id FROM unstemmed WHERE body <@> 'Flights' < 0 ORDER BY id;
SELECT id FROM unstemmed WHERE body <@> 'the who to' < 0 ORDER BY id;

-- case-sensitive: a dictionary that gives tokens back as they are
CREATE EXTENSION dict_int;
CREATE TEXT SEARCH DICTIONARY public.as_is (TEMPLATE = intdict_template, MAXLEN = 2046);
CREATE TEXT SEARCH CONFIGURATION public.case_sensitive (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION public.case_sensitive
	ALTER MAPPING FOR asciiword, asciihword, hword_asciipart, word, hword, hword_part, numword, numhword, hword_numpart WITH public.as_is;
SELECT to_tsvector('public.case_sensitive', 'WHO knows Who? Größe, GRÖSSE, Mp3');
CREATE TABLE cased (id int, body text);
INSERT INTO cased SELECT id, body FROM articles UNION ALL SELECT 6, 'Those who travel';
CREATE INDEX cased_idx ON cased USING elacsym (body text_bm25_ops (config = 'public.case_sensitive'));
SELECT id FROM cased WHERE body <@> 'WHO' < 0;
SELECT id FROM cased WHERE body <@> 'who' < 0 ORDER BY id;
SELECT id FROM cased WHERE body <@> 'Who' < 0;
SET default_text_search_config = 'public.case_sensitive';
SELECT id FROM cased WHERE body @@ phraseto_tsquery('WHO recommendations');
SELECT count(*) FROM cased WHERE body @@ phraseto_tsquery('who recommendations');
SET default_text_search_config = 'pg_catalog.english';

-- labels: what came from where, as four fields
CREATE TABLE labelled (id int, doc tsvector);
INSERT INTO labelled SELECT id, setweight(to_tsvector('english', title), 'A') || to_tsvector('english', body) FROM articles;
CREATE INDEX labelled_idx ON labelled USING elacsym (doc tsvector_bm25_ops (config = 'english', weight_a = 2));
SELECT id FROM labelled WHERE doc @@ 'flight:A'::tsquery ORDER BY doc <@> 'flight:A'::tsquery;
SELECT id FROM labelled WHERE doc @@ 'rome & !walk'::tsquery ORDER BY doc <@> 'rome & !walk'::tsquery;
-- the same as two fields of their own with those weights
SELECT count(*) AS rows, count(*) FILTER (WHERE abs((doc <@> 'cheap flights') - (ARRAY[title, body] <@> 'cheap flights')) > 1e-6) AS other
	FROM labelled JOIN articles USING (id);
SELECT id FROM labelled ORDER BY doc <@> elacsym_match('rome', weights => '{0,0,0,1}') LIMIT 1;

-- a language of its own for each row
CREATE TABLE letters (id int, language regconfig, body text);
INSERT INTO letters VALUES (1, 'english', 'The houses'), (2, 'german', 'Die Häuser'), (3, 'french', 'Les maisons'), (4, 'german', 'Ein Haus');
CREATE INDEX letters_idx ON letters USING elacsym (to_tsvector(language, body));
SELECT id FROM letters WHERE to_tsvector(language, body) @@ to_tsquery('german', 'haus')
	ORDER BY to_tsvector(language, body) <@> to_tsquery('german', 'haus'), id;
SELECT id FROM letters ORDER BY to_tsvector(language, body) <@> (to_tsquery('english', 'house') || to_tsquery('french', 'maison')) LIMIT 2;

-- Chinese, Japanese, Korean: pairs of characters
CREATE TABLE signs (id int, body text);
INSERT INTO signs VALUES (1, '東京都庁 Tokyo'), (2, '京都の寺'), (3, '东京大学');
CREATE INDEX signs_idx ON signs USING elacsym (body text_bm25_ops (config = 'simple', bigrams = on));
SELECT id FROM signs WHERE body <@> '東京' < 0;
SELECT id FROM signs WHERE body <@> '京都' < 0 ORDER BY id;
SELECT id FROM signs WHERE body <@> '大学 tokyo' < 0 ORDER BY id;

DROP TABLE articles, unstemmed, cased, labelled, letters, signs;
DROP TEXT SEARCH CONFIGURATION public.unstemmed, public.case_sensitive;
DROP TEXT SEARCH DICTIONARY public.english_words, public.as_is;
DROP EXTENSION dict_int;
