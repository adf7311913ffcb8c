-- Estimates under row-level security: as the server's of operators that are not leakproof, they do not
-- depend on words that a user chooses for a condition on rows that he may not see
CREATE TABLE er_docs (id int, owner text, body text, v tsvector);
INSERT INTO er_docs SELECT i, CASE WHEN i % 10 = 0 THEN 'regress_er_user' ELSE 'somebody' END, w, to_tsvector('simple', w) FROM generate_series(1, 4000) i,
	LATERAL (SELECT CASE WHEN i % 10 = 0 THEN 'mine' ELSE 'hidden secret' || i % 7 END || repeat(' pad' || i % 100, 30) AS w) x;
CREATE INDEX er_idx ON er_docs USING elacsym (body text_bm25_ops (config = 'simple'), v, owner text_ops);
VACUUM ANALYZE er_docs;
CREATE ROLE regress_er_user;
GRANT SELECT ON er_docs TO regress_er_user;
CREATE POLICY own ON er_docs USING (owner = current_user);
SET default_text_search_config = 'pg_catalog.simple';
-- rows and costs of a plan
CREATE FUNCTION er_estimate(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN format('%s %s %s', plan #>> '{0,Plan,Plan Rows}', plan #>> '{0,Plan,Startup Cost}', plan #>> '{0,Plan,Total Cost}');
END $$;
CREATE FUNCTION er_tells(query text) RETURNS boolean LANGUAGE sql AS
	$$SELECT er_estimate(format(query, 'hidden')) <> er_estimate(format(query, 'nowhere'))$$;
CREATE VIEW er_queries AS SELECT * FROM unnest(ARRAY[
	$$SELECT id FROM er_docs WHERE body @@ '%s'::tsquery$$,
	$$SELECT id FROM er_docs WHERE body @@ '%s'$$,
	$$SELECT id FROM er_docs WHERE to_tsvector('simple', body) @@ '%s'::tsquery$$,
	$$SELECT id FROM er_docs WHERE body @@ '%s'::tsquery OR id = 7$$,
	$$SELECT count(*) FROM er_docs WHERE body @@ '%s'::tsquery$$,
	$$SELECT id FROM er_docs WHERE body @@ '%s'::tsquery ORDER BY body <@> 'mine'$$,
	$$SELECT id FROM er_docs WHERE body <@> '%s' < 0$$]) WITH ORDINALITY AS x(query, n);
GRANT SELECT ON er_queries TO regress_er_user;
SET ROLE regress_er_user;
SELECT query, er_tells(query) FROM er_queries ORDER BY n;
RESET ROLE;
ALTER TABLE er_docs ENABLE ROW LEVEL SECURITY;
SET ROLE regress_er_user;
SELECT query, er_tells(query) FROM er_queries ORDER BY n;
RESET ROLE;
DROP TABLE er_docs;
DROP VIEW er_queries;
DROP FUNCTION er_tells, er_estimate;
DROP ROLE regress_er_user;
