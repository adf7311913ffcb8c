-- Conditions nested deeply: what they cost grows with their length, not with a power of it.
CREATE TABLE tn_docs (id int PRIMARY KEY, v tsvector);
INSERT INTO tn_docs SELECT i, to_tsvector('simple', 'x' || i % 3 || ' y' || i % 5 || ' z' || i % 7) FROM generate_series(1, 1000) i;
CREATE INDEX tn_idx ON tn_docs USING elacsym (v);
ANALYZE tn_docs;
SET enable_seqscan = off;
SET statement_timeout = '60s';
CREATE VIEW tn_queries(name, query) AS VALUES
	('and or', 'x0' || repeat(' & (x0 | (y0', 300) || repeat('))', 300)),
	('or and', 'x0' || repeat(' | (x1 & (y0', 300) || repeat('))', 300)),
	('not', repeat('!(', 301) || 'x0' || repeat(')', 301)),
	('not and', repeat('!(x0 & ', 300) || 'y0' || repeat(')', 300)),
	('phrases', repeat('(x0 <-> y0) & (z0 | (', 100) || 'x0' || repeat('))', 100)),
	('phrase', repeat('(x0 <-> ', 100) || 'y0' || repeat(')', 100));
CREATE FUNCTION tn_check(query text, OUT conditions bigint, OUT ordered bigint, OUT server bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*) FROM tn_docs WHERE v @@ %L::tsquery', query) INTO conditions;
	EXECUTE format('SELECT count(*) FROM (SELECT FROM tn_docs WHERE v @@ %1$L::tsquery ORDER BY v <@> %1$L::tsquery OFFSET 0) t', query) INTO ordered;
	EXECUTE format('SELECT count(*) FROM tn_docs WHERE (v || '''') @@ %L::tsquery', query) INTO server;
END $$;
SELECT name, c.* FROM tn_queries, tn_check(query) c;
DROP TABLE tn_docs;
DROP VIEW tn_queries;
DROP FUNCTION tn_check;
