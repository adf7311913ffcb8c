-- CREATE INDEX on tables of every kind: what is built is sound, has every row,
-- and gives the exact answer when all of it is looked at.
SET client_min_messages = warning;
SET extra_float_digits = 0;
CREATE TABLE report (n serial, what text, rows bigint, sound bool, same bool);

-- rows of t in order of distance through the index and without it
CREATE FUNCTION check_build(what text, operator text, query text, class text, extra text DEFAULT '', rest text DEFAULT '')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	statement text := format('SELECT array_agg(d) FROM (SELECT v %s %L AS d FROM t %s ORDER BY v %s %L LIMIT 40) x', operator, query, rest, operator, query);
	exact float8[];
	found float8[];
	n bigint;
	sound bool;
BEGIN
	EXECUTE format('CREATE INDEX t_idx ON t USING elacsym (v %s%s) WITH (rerank = heap) %s', class, extra, rest);
	SET LOCAL elacsym.probes = 1000000;
	SET LOCAL elacsym.epsilon = 6;
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_sort = off;
	EXECUTE statement INTO found;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_sort = on;
	SET LOCAL enable_indexscan = off;
	SET LOCAL elacsym.enable_customscan = off;
	EXECUTE statement INTO exact;
	SET LOCAL enable_indexscan = on;
	SET LOCAL elacsym.enable_customscan = on;
	SELECT coalesce(sum(documents), 0) INTO n FROM elacsym_segments('t_idx');
	sound := elacsym_verify('t_idx');
	INSERT INTO report (what, rows, sound, same)
		SELECT check_build.what, n, sound, found IS NOT DISTINCT FROM exact OR bool_and(a IS NOT DISTINCT FROM b OR a = b OR abs(a - b) <= 1e-4 * abs(b) + 1e-6)
		FROM unnest(found, exact) x(a, b);
	DROP INDEX t_idx;
END $$;

-- data that clusters badly
CREATE TABLE t (id int, v vector(5));
SELECT check_build('no block', '<->', '[0,0,0,0,0]', 'vector_l2_ops');
INSERT INTO t SELECT i, NULL FROM generate_series(1, 100) i;
SELECT check_build('NULLs', '<->', '[0,0,0,0,0]', 'vector_l2_ops');
DELETE FROM t;
SELECT check_build('dead rows', '<->', '[0,0,0,0,0]', 'vector_l2_ops');
TRUNCATE t;
INSERT INTO t VALUES (1, '[1,2,3,4,5]');
SELECT check_build('one row', '<=>', '[5,4,3,2,1]', 'vector_cosine_ops');
TRUNCATE t;
INSERT INTO t SELECT i, '[1,2,3,4,5]' FROM generate_series(1, 5000) i;
SELECT check_build('all equal', '<->', '[0,1,0,0,0]', 'vector_l2_ops');
SELECT check_build('all equal, inner product', '<#>', '[0,1,0,0,0]', 'vector_ip_ops');
INSERT INTO t SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17, i]::vector FROM generate_series(1, 555) i;
SELECT check_build('nine of ten equal', '<->', '[3,3,3,3,3]', 'vector_l2_ops');
TRUNCATE t;
INSERT INTO t SELECT i, CASE WHEN i % 3 = 0 THEN '[1,1,1,1,1]'::vector ELSE '[-1,2,0,1,9]' END FROM generate_series(1, 4000) i;
SELECT check_build('two points', '<->', '[1,1,1,1,0]', 'vector_l2_ops');
SELECT check_build('two points, cosine', '<=>', '[1,1,1,1,0]', 'vector_cosine_ops');
TRUNCATE t;
INSERT INTO t SELECT i, ARRAY[7, 0, (i * 7919) % 1000, 0, -3]::vector FROM generate_series(1, 6000) i;
SELECT check_build('constant dimensions', '<->', '[7,0,333,0,0]', 'vector_l2_ops');
TRUNCATE t;
INSERT INTO t SELECT i, ARRAY[1e18 * (i % 97), 1e18 * sin(i), 1e17, -1e18 * (i % 5), 1]::vector FROM generate_series(1, 3000) i;
SELECT check_build('large components', '<->', '[5e18,0,0,0,0]', 'vector_l2_ops');
TRUNCATE t;
INSERT INTO t SELECT i, ARRAY[1e6 + sin(i) / 10, 1e6 + cos(i * 3) / 10, 1e6, 1e6 - sin(i * 7) / 10, 1e6]::vector FROM generate_series(1, 5000) i;
SELECT check_build('far from the origin', '<->', '[1000000,1000000,1000000,1000000,1000000]', 'vector_l2_ops');
TRUNCATE t;
INSERT INTO t SELECT i, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '[0,0,0,0,0]'::vector ELSE ARRAY[sin(i), cos(i), i % 3, 1, 2]::vector END
	FROM generate_series(1, 8000) i;
SELECT check_build('zeros and NULLs', '<=>', '[1,1,0,0,0]', 'vector_cosine_ops');
SELECT check_build('partial', '<->', '[1,1,0,0,0]', 'vector_l2_ops', '', 'WHERE id % 10 = 3');
SELECT check_build('partial, few rows', '<->', '[1,1,0,0,0]', 'vector_l2_ops', ', id', 'WHERE id > 7990');
SELECT check_build('with other columns', '<->', '[1,1,0,0,0]', 'vector_l2_ops', ', id, (id::text), ((id % 2)::bool)');
DROP TABLE t;

-- every dimension
CREATE FUNCTION make_rows(dim int, kind text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE t (id int, v %s(%s))', kind, dim);
	EXECUTE format('INSERT INTO t SELECT i, (SELECT array_agg(round(sin(i * 0.37 + j * j * 0.11 + (i %% 9) * j)::numeric, 3) ORDER BY j)
		FROM generate_series(1, %s) j)::float4[]::%s FROM generate_series(1, %s) i', dim, kind, n);
END $$;
CREATE FUNCTION check_dimension(dim int, kind text, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	query text := (SELECT '[' || string_agg(round(cos(j * 0.3)::numeric, 3)::text, ',') || ']' FROM generate_series(1, dim) j);
BEGIN
	PERFORM make_rows(dim, kind, n);
	PERFORM check_build(kind || ' ' || dim, '<->', query, kind || '_l2_ops');
	DROP TABLE t;
END $$;
SELECT check_dimension(dim, kind, CASE WHEN dim < 200 THEN 2500 ELSE 60 END)
	FROM unnest(ARRAY[1, 2, 3, 7, 100, 1000, 1001, 4095, 4096]) dim, unnest(ARRAY['vector', 'halfvec']) kind;

SELECT what, rows, sound, same FROM report ORDER BY n;

-- what a row may not be
CREATE TABLE t (id int, v vector, name text);
INSERT INTO t SELECT i, ARRAY[i, 1, 2]::vector, 'row ' || i FROM generate_series(1, 3000) i;
INSERT INTO t VALUES (3001, '[1,2]', 'short');
CREATE INDEX t_idx ON t USING elacsym (v vector_l2_ops);
CREATE INDEX t_idx ON t USING elacsym ((v::vector(3)) vector_l2_ops);
DELETE FROM t WHERE id = 3001;
CREATE INDEX t_idx ON t USING elacsym ((v::vector(3)) vector_l2_ops);
SELECT elacsym_verify('t_idx');
REINDEX INDEX t_idx;
SELECT id FROM t ORDER BY v::vector(3) <-> '[77,1,2]' LIMIT 1;
DROP INDEX t_idx;

-- tables of other persistence, and a function that workers may not call
CREATE UNLOGGED TABLE u AS SELECT * FROM t;
CREATE INDEX u_idx ON u USING elacsym ((v::vector(3)) vector_l2_ops, name text_bm25_ops (config = 'simple'));
CREATE TEMP TABLE tmp AS SELECT * FROM t;
CREATE INDEX tmp_idx ON tmp USING elacsym ((v::vector(3)) vector_l2_ops, name text_bm25_ops (config = 'simple'));
CREATE FUNCTION alone(v vector) RETURNS vector IMMUTABLE PARALLEL UNSAFE LANGUAGE sql RETURN v;
SET max_parallel_maintenance_workers = 2;
ALTER TABLE t SET (parallel_workers = 2);
CREATE INDEX t_idx ON t USING elacsym ((alone(v)::vector(3)) vector_l2_ops, name text_bm25_ops (config = 'simple'));
SELECT elacsym_verify('u_idx') AND elacsym_verify('tmp_idx') AND elacsym_verify('t_idx') AS sound;
SELECT (SELECT id FROM u ORDER BY name <@> '55' LIMIT 1), (SELECT id FROM tmp ORDER BY name <@> '55' LIMIT 1), (SELECT id FROM t ORDER BY name <@> '55' LIMIT 1);
DROP TABLE t, u, tmp;
DROP FUNCTION check_build, check_dimension, make_rows, alone;
DROP TABLE report;
