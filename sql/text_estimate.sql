-- The planner does not analyse sample texts of a long text column that is
-- indexed for BM25: what it would find in them does not show in its estimates.
CREATE TABLE estimated (id int, title text, body text, plain text);
INSERT INTO estimated
	SELECT i, 'common title ' || i % 50, 'common words ' || i || repeat(' some filling', 10), 'common words ' || i || repeat(' some filling', 10)
	FROM generate_series(1, 1000) i;
CREATE INDEX ON estimated USING elacsym (title text_bm25_ops (config = 'simple'), body text_bm25_ops (config = 'simple'));
ANALYZE estimated;
SET default_text_search_config = 'pg_catalog.simple';
CREATE FUNCTION estimated_rows(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO line;
	RETURN line::json #>> '{0,Plan,Plan Rows}';
END $$;
-- all rows have the word; long texts are taken as unknown, short ones and those without an index are not
SELECT estimated_rows($$SELECT * FROM estimated WHERE body @@ 'common'::tsquery$$) AS long_indexed,
	estimated_rows($$SELECT * FROM estimated WHERE title @@ 'common'::tsquery$$) AS short_indexed,
	estimated_rows($$SELECT * FROM estimated WHERE plain @@ 'common'::tsquery$$) AS long_plain;
-- how many are NULL or distinct is still known
UPDATE estimated SET body = NULL WHERE id % 2 = 0;
ANALYZE estimated;
SELECT estimated_rows('SELECT * FROM estimated WHERE body IS NULL') AS nulls,
	estimated_rows($$SELECT * FROM estimated WHERE body = 'x'$$) AS equal;
DROP FUNCTION estimated_rows;
DROP TABLE estimated;
