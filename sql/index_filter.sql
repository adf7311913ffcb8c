-- Conditions evaluated inside the index give the rows that a sequential scan
-- gives: every attribute type and operator, any tree of AND, OR and NOT,
-- NULLs, over segments, delta and dead rows.
SET client_min_messages = warning;
CREATE TABLE attrs (
	id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, num numeric,
	t text, vc varchar(20), u uuid, d date, ts timestamp, tz timestamptz, ta text[], ia int[], v vector(3));
-- each column NULL in some rows, with repeated and with distinct values, extremes among them
CREATE FUNCTION fill(lo int, hi int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO attrs SELECT i,
		CASE WHEN i % 7 = 0 THEN NULL ELSE i % 2 = 0 END,
		CASE WHEN i % 11 = 0 THEN NULL ELSE i % 50 END,
		CASE WHEN i % 13 = 0 THEN NULL WHEN i % 500 = 1 THEN 2147483647 ELSE i END,
		CASE WHEN i % 17 = 0 THEN NULL WHEN i % 500 = 2 THEN -9223372036854775808 ELSE i * 1000000007::int8 END,
		CASE WHEN i % 19 = 0 THEN 'NaN' WHEN i % 23 = 0 THEN NULL ELSE i / 8.0 END,
		CASE WHEN i % 19 = 1 THEN 'NaN' WHEN i % 19 = 2 THEN '-Infinity' WHEN i % 23 = 1 THEN NULL ELSE sqrt(i) END,
		CASE WHEN i % 29 = 0 THEN NULL WHEN i % 31 = 0 THEN 'NaN' ELSE (i % 100)::numeric / 4 END,
		CASE WHEN i % 5 = 0 THEN NULL ELSE chr(97 + i % 26) || repeat('x', i % 3) END,
		CASE WHEN i % 6 = 0 THEN NULL ELSE 'name' || i END,
		CASE WHEN i % 8 = 0 THEN NULL ELSE md5(i::text)::uuid END,
		CASE WHEN i % 9 = 0 THEN NULL ELSE date '2020-01-01' + i % 400 END,
		CASE WHEN i % 10 = 0 THEN 'infinity' ELSE timestamp '2020-01-01' + i * interval '1 hour' END,
		CASE WHEN i % 12 = 0 THEN NULL ELSE timestamptz '2020-01-01 00:00+00' + i * interval '1 hour' END,
		CASE WHEN i % 14 = 0 THEN NULL WHEN i % 15 = 0 THEN '{}' ELSE ARRAY['a' || i % 4, 'b' || i % 6, NULL] END,
		CASE WHEN i % 16 = 0 THEN NULL ELSE ARRAY[i % 10, i % 3] END,
		CASE WHEN i % 40 = 0 THEN NULL ELSE ARRAY[i % 37, i % 41, i % 43 + 1]::vector END
	FROM generate_series(lo, hi) i $$;
SELECT fill(1, 3000);
CREATE INDEX attrs_idx ON attrs USING elacsym
	(v, b, i2, i4, i8, f4, f8, num, t text_ops, vc varchar_ops, u, d, ts, tz, ta, ia);
SELECT fill(3001, 3400);		-- these stay in the delta
DELETE FROM attrs WHERE id % 10 = 3;

CREATE TABLE conditions (n serial, c text);
INSERT INTO conditions (c) VALUES
	('b'), ('NOT b'), ('b IS NULL'), ('b IS NOT NULL'), ('b IS TRUE'), ('b IS NOT TRUE'), ('b IS FALSE'), ('b IS NOT FALSE'),
	('b IS UNKNOWN'), ('b IS NOT UNKNOWN'), ('b = true'), ('b <> false'), ('b IN (true)'), ('b > false'),
	('i2 = 7'), ('i2 < 7::int2'), ('i2 >= 45::int8'), ('i2 <> 7'), ('i2 IN (1, 2, NULL)'), ('i2 NOT IN (1, 2)'), ('i2 NOT IN (1, NULL)'),
	('i2 = ANY(''{}'')'), ('i2 <> ALL(''{}'')'), ('i2 < ANY(''{3,5}'')'), ('i2 > ALL(''{3,45}'')'), ('i2 IS NULL'), ('7 = i2'), ('7 > i2'),
	('i4 BETWEEN 100 AND 120'), ('i4 = 2147483647'), ('i4 < 20::int2'), ('i4 >= 3390::int8'), ('i4 IS NOT NULL'), ('i4 = NULL'),
	('i8 = -9223372036854775808'), ('i8 < 20000000000'), ('i8 > 3'), ('i8 = 5'),
	('f4 = ''NaN'''), ('f4 > 400'), ('f4 < 2.5::float8'), ('f4 <> 1'), ('f8 = ''NaN'''), ('f8 = ''-Infinity'''), ('f8 >= 57.5::float4'), ('f8 <= 0'),
	('num = 2.50'), ('num > 24'), ('num = ''NaN'''), ('num <> 0'), ('num IN (1.25, 1.5)'),
	('t = ''a'''), ('t < ''c'''), ('t >= ''yxx'''), ('t <> ''a'''), ('t LIKE ''b%'''), ('t LIKE ''%x'''), ('t NOT LIKE ''b%'''), ('t IN (''a'', ''bx'')'), ('t COLLATE "C" > ''w'''),
	('vc = ''name17'''), ('vc LIKE ''name33%'''), ('vc < ''name11'''), ('vc IS NULL'),
	('u = md5(''5'')::uuid'), ('u < ''10000000-0000-0000-0000-000000000000'''), ('u IS NULL'),
	('d = ''2020-02-01'''), ('d < timestamp ''2020-01-03'''), ('d >= timestamptz ''2021-01-20 00:00+00'''), ('d IN (''2020-01-02'', ''2020-01-04'')'),
	('ts = ''infinity'''), ('ts < ''2020-01-02'''), ('ts > date ''2020-05-01'' AND ts < date ''2020-05-02'''), ('tz < ''2020-01-02 00:00+00'''), ('tz >= date ''2020-05-15'''),
	('ta @> ''{a1}'''), ('ta && ''{a1,b2}'''), ('ta @> ''{a1,b3}'''), ('ta = ''{}'''), ('ta @> ''{}'''), ('NOT ta && ''{a1,b2}'''), ('ia @> ''{3}'''), ('ia && ''{9,8}'''), ('ia = ''{3,0}'''), ('ia < ''{1}'''),
	('i2 IS DISTINCT FROM 7'), ('i2 IS NOT DISTINCT FROM 7'), ('i2 IS DISTINCT FROM NULL'), ('NOT (i2 IS DISTINCT FROM 7 AND b)'), ('7 IS DISTINCT FROM i4'), ('t IS NOT DISTINCT FROM ''a'''), ('num IS DISTINCT FROM 2.5'),
	('7 <> i2'), ('NOT i2 <> 7'), ('i2 <> NULL'), ('f8 <> ''NaN'''), ('i4 NOT IN (5, 6, 2147483647)'), ('i4 <> ALL (''{5,6}'')'), ('i4 <> ANY (''{5,5}'')'), ('NOT (i4 = ANY (''{5,6,NULL}''))'), ('u <> md5(''5'')::uuid'), ('t NOT ILIKE ''B%'''),
	('v IS NULL'), ('v IS NOT NULL AND b'),
	('b AND i2 = 7'), ('b OR i2 = 7'), ('NOT (b OR i2 = 7)'), ('NOT (b AND i2 = 7)'), ('(b OR i2 IS NULL) AND NOT (t = ''a'' OR f4 > 100)'),
	('b IS NOT TRUE AND (i2 = 3 OR ia @> ''{3}'')'), ('(i2 = 3 OR NULL)'), ('(b AND i2 < 5) IS NOT TRUE'), ('(b OR i2 < 5) IS UNKNOWN'), ('NOT ((i2 < 5) IS FALSE)'),
	('i4 % 2 = 0 AND i2 = 8'), ('length(t) > 2 OR b'), ('i2 = i4'), ('f8 > f4 AND b'), ('i4 > (SELECT 3300)'), ('i4 = ANY(ARRAY(SELECT 5 + g FROM generate_series(1, 3) g))');

-- the rows a condition selects, by a plan that the settings force
CREATE FUNCTION rows_of(c text, how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	q text := format('SELECT id FROM attrs WHERE %s', c);
BEGIN
	PERFORM set_config('enable_seqscan', (how = 'seq')::text, true), set_config('enable_indexscan', (how IN ('index', 'custom'))::text, true),
			set_config('enable_bitmapscan', (how = 'bitmap')::text, true), set_config('enable_sort', (how = 'seq')::text, true),
			set_config('elacsym.enable_customscan', (how = 'custom')::text, true);
	IF how IN ('index', 'custom') THEN
		q := q || ' ORDER BY v <-> ''[1,2,3]''';
	END IF;
	EXECUTE format('SELECT string_agg(id::text, '','' ORDER BY id) FROM (%s) s', q) INTO result;
	RETURN result;
END $$;
SELECT c, how FROM conditions, unnest('{bitmap,index,custom}'::text[]) how
	WHERE rows_of(c, how) IS DISTINCT FROM rows_of(c, 'seq') ORDER BY n, how;

-- the plans that this tested
SET enable_seqscan = off; SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM attrs WHERE i2 = 7 AND t LIKE 'b%';
EXPLAIN (COSTS OFF) SELECT id FROM attrs WHERE i2 = 7 ORDER BY v <-> '[1,2,3]' LIMIT 5;
SET enable_indexscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM attrs WHERE (b OR i2 = 7) AND i4 % 2 = 0 ORDER BY v <-> '[1,2,3]' LIMIT 5;
RESET ALL;
SET client_min_messages = warning;

-- parameters that switch conditions off
SET enable_seqscan = off; SET enable_sort = off; SET enable_indexscan = off; SET plan_cache_mode = force_generic_plan;
PREPARE optional(int, text, boolean) AS SELECT count(*), sum(id) FROM
	(SELECT id FROM attrs WHERE ($1 IS NULL OR i2 = $1) AND ($2 = '' OR t = $2) AND (NOT $3 OR b) ORDER BY v <-> '[1,2,3]') s;
EXPLAIN (COSTS OFF) EXECUTE optional(8, 'ixx', true);
EXECUTE optional(8, 'ixx', false);
SELECT count(*), sum(id) FROM attrs WHERE i2 = 8 AND t = 'ixx';
EXECUTE optional(NULL, '', true);
SELECT count(*), sum(id) FROM attrs WHERE b;
EXECUTE optional(NULL, NULL, NULL);
SELECT count(*), sum(id) FROM attrs WHERE (NULL OR t = NULL) AND (NOT NULL OR b);
DEALLOCATE optional;
RESET ALL;
SET client_min_messages = warning;

-- after flush, merge and VACUUM
SELECT elacsym_flush('attrs_idx');
SELECT c, how FROM conditions, unnest('{bitmap,custom}'::text[]) how
	WHERE rows_of(c, how) IS DISTINCT FROM rows_of(c, 'seq') ORDER BY n, how;
VACUUM attrs;
SELECT elacsym_compact('attrs_idx') > 0 AS merged;
SELECT documents, dead FROM elacsym_segments('attrs_idx');
SELECT c, how FROM conditions, unnest('{bitmap,index,custom}'::text[]) how
	WHERE rows_of(c, how) IS DISTINCT FROM rows_of(c, 'seq') ORDER BY n, how;
SELECT elacsym_verify('attrs_idx');
DROP TABLE attrs, conditions;
DROP FUNCTION rows_of, fill;
