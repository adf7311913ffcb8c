-- Scores tell how frequent a column's words are: who binds a query by hand must be allowed to read that column.
CREATE TABLE tr_docs (id int, body text, secret text);
INSERT INTO tr_docs SELECT i, 'cat ' || i, 'zebra ' || i FROM generate_series(1, 100) i;
CREATE INDEX tr_idx ON tr_docs USING elacsym (body text_bm25_ops (config = 'english'), secret text_bm25_ops (config = 'english'),
	lower(secret) text_bm25_ops (config = 'english'));
CREATE ROLE regress_tr_user;
GRANT SELECT (id, body) ON tr_docs TO regress_tr_user;
SET ROLE regress_tr_user;
SELECT 'cat' <@> elacsym_bind('cat', 'tr_idx', 1::int2) < 0 AS body;
SELECT 'zebra' <@> elacsym_bind('zebra', 'tr_idx', 2::int2) < 0 AS secret;
SELECT 'zebra' <@> elacsym_bind('zebra', 'tr_idx', 3::int2) < 0 AS expression;
SELECT ARRAY['zebra', 'zebra'] <@> elacsym_bind('zebra', 'tr_idx', '{1,2}'::int2[]) < 0 AS both;
SELECT 'zebra' <@> elacsym_bind('zebra', 'tr_idx', (1 + (random() >= 0)::int)::int2) < 0 AS computed;
SELECT count(*) FROM (SELECT FROM tr_docs ORDER BY body <@> 'cat' OFFSET 0) t;
SELECT id FROM tr_docs ORDER BY secret <@> 'zebra' LIMIT 1;
RESET ROLE;
GRANT SELECT ON tr_docs TO regress_tr_user;
SET ROLE regress_tr_user;
SELECT 'zebra' <@> elacsym_bind('zebra', 'tr_idx', 2::int2) < 0 AS secret, 'zebra' <@> elacsym_bind('zebra', 'tr_idx', 3::int2) < 0 AS expression;
RESET ROLE;
DROP OWNED BY regress_tr_user;
DROP ROLE regress_tr_user;

-- A configuration that is gone: nothing that analyses no texts stops working, VACUUM least of all
CREATE TEXT SEARCH CONFIGURATION public.tr_config (COPY = simple);
CREATE TABLE tr_renamed (id int, body text);
CREATE INDEX tr_renamed_idx ON tr_renamed USING elacsym (body text_bm25_ops (config = 'public.tr_config'), id);
INSERT INTO tr_renamed SELECT i, 'cat ' || i FROM generate_series(1, 500) i;
ALTER TEXT SEARCH CONFIGURATION public.tr_config RENAME TO tr_other;
DELETE FROM tr_renamed WHERE id <= 250;
VACUUM tr_renamed;
SELECT elacsym_flush('tr_renamed_idx') > 0 AS flushed, elacsym_verify('tr_renamed_idx');
SELECT elacsym_compact('tr_renamed_idx') >= 0 AS compacted, elacsym_verify('tr_renamed_idx');
INSERT INTO tr_renamed VALUES (1000, 'cat');
SELECT count(*) FROM tr_renamed WHERE body <@> 'cat' < 0;
ALTER TEXT SEARCH CONFIGURATION public.tr_other RENAME TO tr_config;
INSERT INTO tr_renamed VALUES (1000, 'cat');
SELECT count(*) FROM tr_renamed WHERE body <@> 'cat' < 0;
DROP TABLE tr_docs, tr_renamed;
DROP TEXT SEARCH CONFIGURATION public.tr_config;
