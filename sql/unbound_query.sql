-- <@> where no index can be found: what is missing, of what table, and what to do
CREATE TABLE uq_docs (id int, title text, body text, tags text[], v tsvector);
INSERT INTO uq_docs VALUES (1, 'one', 'first', '{a}', 'first'), (2, 'two', 'second', '{b}', 'second');
-- no index at all, an index of something else, an expression
SELECT id FROM uq_docs ORDER BY body <@> 'first' LIMIT 1;
SELECT id FROM uq_docs ORDER BY tags <@> 'a' LIMIT 1;
SELECT v <@> 'first'::tsquery FROM uq_docs;
CREATE INDEX uq_idx ON uq_docs USING elacsym (title text_bm25_ops (config = 'simple'), body text_ops);
SELECT id FROM uq_docs ORDER BY body <@> 'first' LIMIT 1;
SELECT id FROM uq_docs ORDER BY lower(title) <@> 'one' LIMIT 1;
SELECT id FROM uq_docs ORDER BY ARRAY[title, body] <@> 'one' LIMIT 1;
SELECT id FROM uq_docs WHERE body <@> elacsym_match('first') < 0;
DO $$
BEGIN
	PERFORM body <@> 'first' FROM uq_docs;
EXCEPTION WHEN undefined_object THEN
	RAISE NOTICE 'undefined_object: %', sqlerrm;
END $$;
-- through views and subqueries; what a subquery computes
CREATE VIEW uq_view AS SELECT id, upper(body) AS text, title FROM uq_docs;
SELECT id FROM uq_view ORDER BY text <@> 'first' LIMIT 1;
SELECT text <@> 'first' FROM (SELECT text FROM uq_view ORDER BY id LIMIT 1) x;
SELECT title <@> 'one' < 0 AS found FROM (SELECT title FROM uq_view ORDER BY id LIMIT 1) x;
SELECT longest <@> 'one' FROM (SELECT max(title) AS longest FROM uq_docs) x;
SELECT title <@> 'one' < 0 AS found FROM (SELECT title FROM uq_docs GROUP BY title) x ORDER BY 1;
SELECT every <@> 'one' FROM (SELECT string_agg(title, ' ') OVER () AS every FROM uq_docs) x;
-- no table
SELECT tag <@> 'a' FROM uq_docs, unnest(tags) tag;
SELECT word <@> 'a' FROM (VALUES ('a'), ('b')) x(word);
SELECT title <@> 'one' FROM (SELECT title FROM uq_docs UNION ALL SELECT body FROM uq_docs) x;
SELECT (a.title || b.title) <@> 'one' FROM uq_docs a, uq_docs b;
-- partitions with indexes of their own, which differ
CREATE TABLE uq_parts (id int, "Body" text) PARTITION BY LIST (id);
CREATE TABLE uq_parts1 PARTITION OF uq_parts FOR VALUES IN (1);
CREATE TABLE uq_parts2 PARTITION OF uq_parts FOR VALUES IN (2);
CREATE INDEX ON uq_parts1 USING elacsym ("Body" text_bm25_ops (config = 'english'));
CREATE INDEX ON uq_parts2 USING elacsym ("Body" text_bm25_ops (config = 'simple'));
INSERT INTO uq_parts VALUES (1, 'houses'), (2, 'houses');
SELECT id FROM uq_parts ORDER BY "Body" <@> 'houses' LIMIT 10;
SELECT "Body" <@> 'house' < 0 AS found FROM uq_parts1;
CREATE INDEX ON uq_parts USING elacsym ("Body" text_bm25_ops (config = 'english'));
SELECT id, "Body" <@> 'house' < 0 AS found FROM uq_parts ORDER BY "Body" <@> 'house', id LIMIT 10;
DROP TABLE uq_docs, uq_parts CASCADE;
