-- vectors in tables: sorting, btree, hash, partitions, TOAST, parallel aggregates, binary COPY
SET client_min_messages = warning;

CREATE TABLE types_t (id int PRIMARY KEY, v vector(2), h halfvec(2));
INSERT INTO types_t SELECT i, ARRAY[i % 7, i % 3], ARRAY[i % 7, i % 3] FROM generate_series(1, 100) i;
INSERT INTO types_t VALUES (101, NULL, NULL), (102, '[-0,0]', '[-0,0]');

-- sorting and grouping, by hash and by order, agree
SELECT v, h, count(*) FROM types_t WHERE id > 85 GROUP BY v, h ORDER BY v NULLS FIRST, h DESC;
SET enable_hashagg = off;
SELECT count(*), count(DISTINCT v), count(DISTINCT h) FROM types_t;
SELECT count(*) FROM (SELECT v, h FROM types_t GROUP BY v, h) g;
RESET enable_hashagg;
SET enable_sort = off;
SELECT count(*) FROM (SELECT v, h FROM types_t GROUP BY v, h) g;
RESET enable_sort;

-- indexes find what a sequential scan finds
CREATE INDEX types_v_btree ON types_t (v);
CREATE INDEX types_h_btree ON types_t (h DESC);
CREATE INDEX types_v_hash ON types_t USING hash (v);
CREATE INDEX types_h_hash ON types_t USING hash (h);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM types_t WHERE v < '[1,0]' ORDER BY v;
SELECT id FROM types_t WHERE v < '[0,1]' ORDER BY v, id;
SELECT id FROM types_t WHERE v = '[0,0]' ORDER BY id;
SELECT id FROM types_t WHERE h >= '[6,2]' ORDER BY id;
SELECT h FROM types_t ORDER BY h DESC OFFSET 1 LIMIT 2;
DROP INDEX types_v_btree, types_h_btree;
EXPLAIN (COSTS OFF) SELECT id FROM types_t WHERE v = '[0,0]';
SELECT id FROM types_t WHERE v = '[0,0]' ORDER BY id;
SELECT id FROM types_t WHERE h = '[6,2]' ORDER BY id;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- joins by hash and by merge
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT count(*) FROM types_t a JOIN types_t b USING (v) JOIN types_t c ON a.h = c.h WHERE a.id < 5;
RESET enable_mergejoin;
SET enable_hashjoin = off;
SELECT count(*) FROM types_t a JOIN types_t b USING (v) JOIN types_t c ON a.h = c.h WHERE a.id < 5;
RESET enable_hashjoin;
RESET enable_nestloop;

-- uniqueness
CREATE UNIQUE INDEX ON types_t (v, id);
CREATE TABLE types_u (v vector UNIQUE, h halfvec UNIQUE);
INSERT INTO types_u VALUES ('[1]', '[1]'), ('[1,0]', '[1,0]');
\set VERBOSITY sqlstate
INSERT INTO types_u VALUES ('[1]', '[2]');
INSERT INTO types_u VALUES ('[2]', '[1]');
\set VERBOSITY default
INSERT INTO types_u VALUES ('[1]', '[3]') ON CONFLICT DO NOTHING;

-- partitions by hash and by range
CREATE TABLE types_p (v vector) PARTITION BY HASH (v);
CREATE TABLE types_p0 PARTITION OF types_p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE types_p1 PARTITION OF types_p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO types_p SELECT ARRAY[i, i + 1] FROM generate_series(1, 50) i;
SELECT count(*), count(DISTINCT tableoid) FROM types_p;
SELECT v FROM types_p WHERE v = '[7,8]';
CREATE TABLE types_r (h halfvec) PARTITION BY RANGE (h);
CREATE TABLE types_r0 PARTITION OF types_r FOR VALUES FROM (MINVALUE) TO ('[5]');
CREATE TABLE types_r1 PARTITION OF types_r FOR VALUES FROM ('[5]') TO (MAXVALUE);
INSERT INTO types_r VALUES ('[4,9]'), ('[5]'), ('[5,0]');
SELECT tableoid::regclass, h FROM types_r ORDER BY h;

-- long values go out of line, uncompressed, and come back the same
CREATE TABLE types_l (v vector, h halfvec);
INSERT INTO types_l SELECT array_agg(i), array_agg(i % 100) FROM generate_series(1, 16000) i;
SELECT vector_dims(v), vector_dims(h), pg_column_size(v), pg_column_size(h), subvector(v, 15999, 2), subvector(h, 15999, 2) FROM types_l;
SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'types_l'::regclass AND attnum > 0 ORDER BY attnum;
SELECT pg_column_size('[1,2,3]'::vector), pg_column_size('[1,2,3]'::halfvec);

-- aggregates in parallel; all sums are small integers, exact in whatever order they are made
CREATE TABLE types_a AS SELECT i, ARRAY[i, 1]::vector AS v, ARRAY[i % 2, -1]::halfvec AS h FROM generate_series(1, 2000) i;
ALTER TABLE types_a SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v), avg(h), sum(h) FROM types_a;
SELECT avg(v), sum(v), avg(h), sum(h) FROM types_a;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v), sum(v), avg(h), sum(h) FROM types_a;

-- the binary form, byte by byte, and through a file
SELECT vector_send('[1,-2.5]'), halfvec_send('[1,-2.5]');
CREATE TABLE types_b (LIKE types_t);
\getenv directory PG_ABS_BUILDDIR
\set file :directory '/results/type_index.bin'
COPY types_t TO :'file' WITH (FORMAT binary);
COPY types_b FROM :'file' WITH (FORMAT binary);
SELECT count(*) FROM (TABLE types_t EXCEPT TABLE types_b) d;
SELECT vector_send(v), halfvec_send(h) FROM types_b WHERE id = 102;

-- messages that no server sends: a vector and a halfvec of one component each ...
CREATE TABLE types_w (v vector(1), h halfvec(1));
\copy types_w FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\002\000\000\000\010\000\001\000\000\077\200\000\000\000\000\000\006\000\001\000\000\074\000\377\377"' WITH (FORMAT binary)
SELECT * FROM types_w;
\set VERBOSITY sqlstate
-- ... no dimensions, too many, another number than the column's, the reserved field set
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\000\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\377\377\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\002\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\001\077\200\000\000\377\377"' WITH (FORMAT binary)
-- ... NaN, infinity, too few bytes, too many
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\177\300\000\000\377\377"' WITH (FORMAT binary)
\copy types_w (h) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\000\374\000\377\377"' WITH (FORMAT binary)
\copy types_w (v) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\000\077\200\377\377"' WITH (FORMAT binary)
\copy types_w (h) FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\074\000\000\000\377\377"' WITH (FORMAT binary)
\set VERBOSITY default
SELECT count(*) FROM types_w;

-- a stored value that says more than it holds is noticed; only a superuser can make one
BEGIN;
CREATE CAST (bytea AS vector) WITHOUT FUNCTION;
CREATE CAST (bytea AS halfvec) WITHOUT FUNCTION;
CREATE FUNCTION pg_temp.damaged(expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT ' || expression;
	RETURN 'no error';
EXCEPTION WHEN data_corrupted THEN
	RETURN SQLERRM;
END $$;
SELECT bytes, pg_temp.damaged(format('%L::bytea::vector <-> $q$[1]$q$', bytes)) AS vector,
	pg_temp.damaged(format('vector_dims(%L::bytea::halfvec)', bytes)) AS halfvec
FROM unnest(ARRAY['\x', '\x01', '\x01000000', '\x0200000000000000', '\x01000000000000000000', '\xff7f000000000000',
	'\xffff000000000000', '\x0000000000000000', '\x010000000000803f', '\x01000000003c']::bytea[]) bytes;
ROLLBACK;

DROP TABLE types_t, types_u, types_p, types_r, types_l, types_a, types_b, types_w;
