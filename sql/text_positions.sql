-- Positions lie apart: a query without a phrase reads none of their pages.
SET max_parallel_workers_per_gather = 0;
SET default_text_search_config = 'simple';

CREATE TABLE with_positions (id int, body text);
INSERT INTO with_positions
	SELECT i, string_agg('w' || (hashint4(i * 41 + j)::bigint & 1023) % (1 + (hashint4(j * 7 + i)::bigint & 255)), ' ' ORDER BY j)
	  FROM generate_series(1, 20000) i, generate_series(1, 40) j GROUP BY i;
CREATE TABLE without_positions AS SELECT * FROM with_positions;
CREATE INDEX with_positions_idx ON with_positions USING elacsym (body text_bm25_ops (config = 'simple'));
CREATE INDEX without_positions_idx ON without_positions USING elacsym (body text_bm25_ops (config = 'simple', positions = off));
VACUUM (ANALYZE) with_positions;
VACUUM (ANALYZE) without_positions;
SELECT pg_relation_size('with_positions_idx') > 1.5 * pg_relation_size('without_positions_idx') AS positions_take_room;

-- Pages that a statement reads, when the session has read what it keeps.
CREATE FUNCTION pages(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	FOR i IN 1 .. 2 LOOP
		EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ' || statement INTO plan;
	END LOOP;
	RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END $$;

-- by words, all words, a condition without an order: the same pages
SELECT query, pages(format('SELECT id FROM with_positions %s LIMIT 10', query)) <=
			  pages(format('SELECT id FROM without_positions %s LIMIT 10', query)) + 2 AS no_more_pages
  FROM (VALUES ('ORDER BY body <@> ''w1 w5 w30'''),
			   ('WHERE body @@ ''w1 & w5''::tsquery ORDER BY body <@> ''w1 & w5''::tsquery'),
			   ('WHERE body @@ ''w1 | (w5 & !w7)''::tsquery ORDER BY body <@> ''w2''')) q (query);
SELECT pages('SELECT count(*) FROM with_positions WHERE body @@ ''w1 & w5''::tsquery') <=
	   pages('SELECT count(*) FROM without_positions WHERE body @@ ''w1 & w5''::tsquery') + 2 AS no_more_pages;

-- a phrase reads more than its words
SELECT pages('SELECT count(*) FROM with_positions WHERE body @@ ''w1 <-> w5''::tsquery') >
	   pages('SELECT count(*) FROM with_positions WHERE body @@ ''w1 & w5''::tsquery') + 10 AS more_pages;

DROP FUNCTION pages;
DROP TABLE with_positions, without_positions;
