-- Fusion over partitioned tables and inheritance: ranks are taken over all
-- leaves, so the answer is that of one table with the same rows.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT setseed(.75);
CREATE TABLE d (id int, grp int, body text, price float8, v vector(4));
INSERT INTO d SELECT i, i % 12, 'body w' || i % 7 || ' x' || i % 23 || repeat(' sky', i % 9) || ' u' || i, i, ARRAY[random(), random(), random(), random()]::real[]::vector FROM generate_series(1, 2400) i;
CREATE INDEX d_idx ON d USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), price);
-- columns in another order, one dropped; partitions of partitions; one that is empty
CREATE TABLE p (body text, junk int, v vector(4), id int, price float8, grp int) PARTITION BY RANGE (grp);
ALTER TABLE p DROP COLUMN junk;
CREATE TABLE p0 PARTITION OF p FOR VALUES FROM (0) TO (3);
CREATE TABLE p1 (grp int, id int, body text, v vector(4), price float8);
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (3) TO (6);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (6) TO (12) PARTITION BY HASH (id);
CREATE TABLE p20 PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p21 PARTITION OF p2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE p3 PARTITION OF p DEFAULT;
INSERT INTO p (id, grp, body, price, v) SELECT id, grp, body, price, v FROM d;
CREATE INDEX p_idx ON p USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'english'), price);
CREATE TABLE o (id int PRIMARY KEY, name text);
INSERT INTO o SELECT i, 'group ' || i FROM generate_series(0, 11) i;
ANALYZE d, p, o;
SET elacsym.probes = 1000000; SET elacsym.epsilon = 10;
SET elacsym.target_recall = 1;
-- the same query of both tables: scores and legs as lists, ids where scores decide
CREATE FUNCTION same(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a record;
	b refcursor;
	r record;
	n int := 0;
	tied int := 0;
BEGIN
	OPEN b FOR EXECUTE format(q, 'p');
	FOR a IN EXECUTE format(q, 'd') LOOP
		FETCH b INTO r;
		n := n + 1;
		IF NOT FOUND OR abs(a.score - r.score) > 1e-12 OR EXISTS (SELECT FROM unnest(a.legs, r.legs) l(x, y) WHERE (x IS NULL) <> (y IS NULL) OR abs(x - y) > 1e-5) THEN
			RETURN format('row %s: %s <> %s', n, a, r);
		END IF;
		tied := tied + (a.id <> r.id)::int;
	END LOOP;
	FETCH b INTO r;
	RETURN format('%s rows%s, %s', n, CASE WHEN FOUND THEN ', some left' END, CASE WHEN tied = 0 THEN 'same order' ELSE 'ties in another order' END);
END $$;
EXPLAIN (COSTS OFF) SELECT id FROM p WHERE price < 700 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u18 w3') LIMIT 10;
-- the texts' scores are all different here, and so are the vectors' distances
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319')) AS legs FROM %s ORDER BY 2 LIMIT 90$$);
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319')) AS legs FROM %s WHERE price < 900 ORDER BY 2 LIMIT 90$$);
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319')) AS legs FROM %s WHERE length(body) > 20 AND id %% 3 = 1 ORDER BY 2 LIMIT 90$$);
SELECT same($$SELECT id, elacsym_linear(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319', '{1,2}') AS score, elacsym_legs(elacsym_linear(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319', '{1,2}')) AS legs FROM %s ORDER BY 2 LIMIT 90$$);
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'nothing') AS score, NULL::float8[] AS legs FROM %s ORDER BY 2$$);
-- partitions that the conditions leave out are not read; then only one, then none
EXPLAIN (COSTS OFF) SELECT id FROM p WHERE grp = 4 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u18 w3') LIMIT 10;
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u16 u28') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u16 u28')) AS legs FROM %s WHERE grp = 4 ORDER BY 2 LIMIT 90$$);
SELECT same($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u16 u28') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u16 u28')) AS legs FROM %s WHERE grp = 4 AND grp = 5 ORDER BY 2 LIMIT 90$$);
-- the rest of the rows, each once
SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE score < 0) AS ranked FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 w3') AS score FROM p ORDER BY score OFFSET 0) x;
-- whole rows and system columns are those of the table asked
SELECT p, p.tableoid::regclass FROM (SELECT p, p.tableoid FROM p WHERE id IN (918, 17) ORDER BY elacsym_rrf(ARRAY[body <@> 'u918'])) p(p, tableoid);
SELECT id, tableoid::regclass FROM p ORDER BY elacsym_rrf(v <=> NULL, body <@> 'u918 u17') LIMIT 3;
-- joins, also by partition
SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on;
SELECT same($$SELECT t.id, elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319')) AS legs FROM %s t JOIN o ON o.id = grp ORDER BY 2 LIMIT 90$$);
SELECT count(*), count(score) FROM (SELECT a.id, elacsym_rrf(a.v <=> '[1,2,1,2]', a.body <@> 'u17 w3') AS score FROM p a JOIN p b ON a.grp = b.grp AND a.id = b.id ORDER BY score OFFSET 0) x;
SELECT grp, round(min(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918'))::numeric, 6) FROM p GROUP BY grp ORDER BY 2, 1 LIMIT 2;
SELECT grp, round(min(elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918'))::numeric, 6) FROM d GROUP BY grp ORDER BY 2, 1 LIMIT 2;
RESET enable_partitionwise_join; RESET enable_partitionwise_aggregate;
-- conditions that ask for the score
SELECT count(*) FROM p WHERE grp < 8 AND elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') < -.01;
SELECT count(*) FROM d WHERE grp < 8 AND elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u17 u918 u319') < -.01;
-- generic plan, with a parameter that decides about partitions when it runs
PREPARE g(int, text, int) AS SELECT id FROM p WHERE grp = $1 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> $2) LIMIT $3;
SET plan_cache_mode = force_generic_plan;
EXECUTE g(4, 'u16 u28', 3);
EXECUTE g(99, 'u16 u28', 3);
RESET plan_cache_mode;
SELECT id FROM d WHERE grp = 4 ORDER BY elacsym_rrf(v <=> '[1,2,1,2]', body <@> 'u16 u28') LIMIT 3;
DEALLOCATE g;
-- inheritance: the parent has rows of its own
CREATE TABLE i0 (id int, body text, v vector(4));
CREATE TABLE i1 () INHERITS (i0);
INSERT INTO i0 SELECT id, body, v FROM d WHERE id <= 1200;
INSERT INTO i1 SELECT id, body, v FROM d WHERE id > 1200;
CREATE INDEX i0_idx ON i0 USING elacsym (v vector_cosine_ops);
CREATE INDEX i1_idx ON i1 USING elacsym (v vector_cosine_ops);
SELECT array_agg(i.id) = (SELECT array_agg(id) FROM (SELECT id FROM d ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) LIMIT 60) x) AS equal FROM (SELECT id FROM i0 ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) LIMIT 60) i;
SELECT array_agg(i.id) = (SELECT array_agg(id) FROM (SELECT id FROM d WHERE id <= 1200 ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) LIMIT 60) x) AS equal FROM (SELECT id FROM ONLY i0 ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) LIMIT 60) i;
DROP TABLE i1;
SELECT count(*) FROM (SELECT id FROM i0 ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) OFFSET 0) x;
-- a leaf without an index
CREATE TABLE i2 () INHERITS (i0);
SELECT id FROM i0 ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2]']) LIMIT 1;
DROP TABLE i2, i0, d, p, o;
DROP FUNCTION same;
