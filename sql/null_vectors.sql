-- Rows without a vector: lists are made for those that have one
SET client_min_messages = warning;
SET elacsym.delta_limit = 1000000;
SELECT setseed(0.5);
CREATE TABLE sparse (id int, v vector(8));
CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO sparse SELECT g, CASE WHEN g % 10 < 3 THEN
			(SELECT array_agg(random() + (g::bigint * (i + 3) * 7919 % 101) / 25.0)::real[] FROM generate_series(1, 8) i)::vector(8) END
		FROM generate_series(first, last) g $$;
CREATE FUNCTION lists(index regclass) RETURNS TABLE (segments bigint, documents float8, mean_is_good bool) LANGUAGE sql AS $$
	SELECT count(*), sum(documents), bool_and(mean BETWEEN 100 AND 250) FROM elacsym_lists(index) $$;

-- built
SELECT fill(1, 20000);
CREATE INDEX sparse_idx ON sparse USING elacsym (v vector_l2_ops);
SELECT * FROM lists('sparse_idx');

-- the rows that a codebook was made for are compared with all rows: it still suits the index
SELECT elacsym_compact('sparse_idx') >= 0 AS done;
SELECT * FROM lists('sparse_idx');

-- trained anew in a compaction
SELECT fill(20001, 30000);
SELECT elacsym_flush('sparse_idx');
SELECT elacsym_compact('sparse_idx');
SELECT * FROM lists('sparse_idx');
SELECT elacsym_verify('sparse_idx');

-- trained in a flush
TRUNCATE sparse;
SELECT fill(1, 20000);
SELECT elacsym_flush('sparse_idx');
SELECT * FROM lists('sparse_idx');

-- no vector at all
TRUNCATE sparse;
INSERT INTO sparse SELECT g FROM generate_series(1, 5000) g;
SELECT elacsym_flush('sparse_idx');
SELECT elacsym_compact('sparse_idx');
SELECT elacsym_verify('sparse_idx');
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM sparse ORDER BY v <-> '[1,2,3,4,5,6,7,8]') x;

DROP TABLE sparse;
DROP FUNCTION fill, lists;
