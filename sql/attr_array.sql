-- Arrays: elements in any number, NULL elements, empty arrays and arrays of
-- several dimensions, with the server's answers.
SET client_min_messages = warning;
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE lists (id int PRIMARY KEY, tags text[], names varchar(20)[], i int[], b bigint[], f float8[], u uuid[], d date[], num numeric[], e colour[], v vector(3));
CREATE FUNCTION fill_lists(lo int, hi int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO lists SELECT n,
		CASE WHEN n % 19 = 0 THEN NULL WHEN n % 20 = 0 THEN '{}' WHEN n % 21 = 0 THEN '{NULL}' WHEN n % 22 = 0 THEN '{{a1,b2},{c3,NULL}}'
			ELSE ARRAY['a' || n % 4, 'b' || n % 60, CASE WHEN n % 5 = 0 THEN NULL ELSE 'c' || n END] END,
		CASE WHEN n % 9 = 0 THEN NULL ELSE ARRAY['x' || n % 7, 'x' || n % 11]::varchar[] END,
		CASE WHEN n % 16 = 0 THEN NULL WHEN n % 17 = 0 THEN '{}' ELSE ARRAY[n % 10, n % 3, n % 10] END,
		CASE WHEN n % 16 = 1 THEN NULL ELSE ARRAY[n, n * 1000000007::bigint, NULL] END,
		CASE WHEN n % 16 = 2 THEN NULL ELSE ARRAY[n / 4.0, CASE WHEN n % 6 = 0 THEN 'NaN' WHEN n % 6 = 1 THEN '-0' ELSE '0' END::float8] END,
		CASE WHEN n % 16 = 3 THEN NULL ELSE ARRAY[md5((n / 2)::text)::uuid] END,
		CASE WHEN n % 16 = 4 THEN NULL ELSE ARRAY[date '2020-01-01' + n % 90, 'infinity'] END,
		CASE WHEN n % 16 = 5 THEN NULL ELSE ARRAY[(n % 20)::numeric, 1.0, 1.00] END,
		CASE WHEN n % 16 = 6 THEN NULL ELSE ARRAY[(ARRAY['red', 'green', 'blue'])[n % 3 + 1]]::colour[] END,
		ARRAY[n % 37, n % 41, n % 43 + 1]::vector
	FROM generate_series(lo, hi) n $$;
SELECT fill_lists(1, 3000);
CREATE INDEX lists_idx ON lists USING elacsym (v, tags, names, i, b, f, u, d, num, e);
SELECT fill_lists(3001, 3200);
DELETE FROM lists WHERE id % 10 = 3;

CREATE TABLE list_conditions (n serial, c text);
INSERT INTO list_conditions (c) VALUES
	('tags @> ''{a1}'''), ('tags @> ''{a1,b5}'''), ('tags @> ''{b5,a1,b5}'''), ('tags @> ''{}'''), ('tags @> ''{NULL}'''), ('tags @> ''{a1,NULL}'''), ('tags @> ''{a1,none}'''), ('tags @> ''{c2999}'''), ('tags @> ''{{a1},{b2}}'''), ('tags @> NULL'), ('NOT tags @> ''{a1}'''),
	('tags && ''{a1,b5}'''), ('tags && ''{none}'''), ('tags && ''{}'''), ('tags && ''{NULL,a2}'''), ('tags && ''{NULL}'''), ('NOT tags && ''{a1,a2}'''), ('tags && ''{c7,c8,c9,c3100}'''),
	('tags <@ ''{a1,b1,c1,a2,b2,c2}'''), ('tags <@ ''{}'''), ('tags <@ ''{a0,a1,a2,a3,NULL}'''), ('tags <@ ''{a1,b2,c3}'''), ('''{a1,b5}'' <@ tags'), ('''{a1}'' && tags'), ('''{a1,b1,c1}'' @> tags'),
	('tags = ''{}'''), ('tags = ''{NULL}'''), ('tags = ''{a1,b1,c1}'''), ('tags = ''{{a1,b2},{c3,NULL}}'''), ('tags = ''{a1,b2,c3,NULL}'''), ('tags <> ''{}'''), ('tags < ''{a1}'''), ('tags IN (''{a1,b1,c1}'', ''{}'')'), ('tags IS NULL'),
	('''a1'' = ANY (tags)'), ('NOT ''a1'' = ANY (tags)'), ('''none'' = ANY (tags)'), ('(''none'' = ANY (tags)) IS UNKNOWN'), ('(''a1'' = ANY (tags)) IS NOT TRUE'), ('NULL = ANY (tags)'), ('(NULL::text = ANY (tags)) IS UNKNOWN'), ('(NULL::text = ANY (tags)) IS FALSE'),
	('''a1'' <> ALL (tags)'), ('NOT ''a1'' <> ALL (tags)'), ('(''a1'' <> ALL (tags)) IS UNKNOWN'), ('''a1'' = ALL (tags)'), ('''a1'' <> ANY (tags)'), ('''b'' < ANY (tags)'), ('''a'' < ALL (tags)'), ('''a2'' = ANY (tags) AND ''b30'' = ANY (tags)'), ('''a2'' = ANY (tags) OR ''b30'' = ANY (tags)'),
	('''a1'' COLLATE "C" = ANY (tags)'),
	('names @> ''{x3}'''), ('names && ''{x1,x9}'''), ('''x3'' = ANY (names)'), ('names <@ ''{x1,x2,x3}'''), ('names = ''{x1,x1}'''),
	('i @> ''{3}'''), ('i @> ''{3,0}'''), ('i && ''{9,8}'''), ('i = ''{3,0,3}'''), ('i <@ ''{1,2,3}'''), ('3 = ANY (i)'), ('3::int8 = ANY (i)'), ('3 <> ALL (i)'), ('3 < ANY (i)'), ('7 >= ALL (i)'), ('NOT 3 = ANY (i)'), ('i = ''{}'''), ('i < ''{1}'''),
	('b @> ''{17}'''), ('b && ''{17,18,2998,3150}'''), ('17 = ANY (b)'), ('NOT 17 = ANY (b)'), ('b @> ''{17,17000000119}'''),
	('f @> ''{NaN}'''), ('f @> ''{0}'''), ('f @> ''{-0}'''), ('f && ''{0.25,0.5}'''), ('''NaN''::float8 = ANY (f)'), ('0 = ANY (f)'), ('f = ''{0.25,0}'''), ('f = ''{0.25,-0}'''),
	('u @> ARRAY[md5(''7'')::uuid]'), ('u && ARRAY[md5(''7'')::uuid, md5(''8'')::uuid, md5(''1555'')::uuid]'), ('md5(''7'')::uuid = ANY (u)'), ('d @> ''{2020-02-01}'''), ('d && ''{infinity}'''), ('date ''2020-02-01'' = ANY (d)'), ('''2020-03-01'' > ALL (d)'),
	('num @> ''{1}'''), ('num @> ''{1.000,7.0}'''), ('num && ''{3}'''), ('3.00 = ANY (num)'), ('num = ''{1.0,1,1}'''), ('e @> ''{red}'''), ('e && ''{red,blue}'''), ('''green'' = ANY (e)'), ('e <@ ''{red,green}''');

CREATE FUNCTION lists_of(c text, how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	q text := format('SELECT id FROM lists WHERE %s', c);
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
SELECT c, how FROM list_conditions, unnest('{bitmap,index,custom}'::text[]) how
	WHERE lists_of(c, how) IS DISTINCT FROM lists_of(c, 'seq') ORDER BY n, how;

-- conditions that stay outside of the index
CREATE FUNCTION outside(c text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true), set_config('enable_sort', 'off', true);
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM lists WHERE %s ORDER BY v <-> ''[1,2,3]''', c) LOOP
		IF line ~ '^ *Filter:' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
SELECT c FROM list_conditions WHERE outside(c) ORDER BY n;

-- a parameter in place of a constant
SET enable_seqscan = off; SET enable_sort = off; SET plan_cache_mode = force_generic_plan;
PREPARE has_tag(text) AS SELECT count(*) FROM (SELECT id FROM lists WHERE $1 = ANY (tags) ORDER BY v <-> '[1,2,3]') s;
EXECUTE has_tag('a1');
EXECUTE has_tag('b7');
EXECUTE has_tag(NULL);
SELECT count(*) FILTER (WHERE 'a1' = ANY (tags)) AS a1, count(*) FILTER (WHERE 'b7' = ANY (tags)) AS b7 FROM lists;
DEALLOCATE has_tag;
RESET ALL;
SET client_min_messages = warning;

-- after flush, merge and VACUUM
SELECT elacsym_flush('lists_idx');
VACUUM lists;
SELECT elacsym_compact('lists_idx') > 0 AS merged;
SELECT c, how FROM list_conditions, unnest('{bitmap,custom}'::text[]) how
	WHERE lists_of(c, how) IS DISTINCT FROM lists_of(c, 'seq') ORDER BY n, how;
SELECT elacsym_verify('lists_idx');
DROP TABLE lists, list_conditions;
DROP FUNCTION lists_of, fill_lists, outside;
DROP TYPE colour;
