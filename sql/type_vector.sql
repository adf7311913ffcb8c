-- vector: text form, operators, functions.  SQLSTATEs and rows are pgvector's.
SET client_min_messages = warning;

-- the text of the one value that an expression gives, or the SQLSTATE it raises
CREATE FUNCTION pg_temp.try(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'SELECT (' || expression || ')::text' INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error ' || SQLSTATE;
END $$;

-- text form: white space, signs, exponents, shortest output
SELECT quote_literal(t) AS literal, pg_temp.try(format('%L::vector', t)) AS result
FROM unnest(ARRAY['[5]', '[0.25,-7,+3]', '[2.,.5]', '[1e3,1E-3]',
	'[0x10,0x1p-2]', '[3.14159265]', '[16777217]', '[0.1,1e10,1e-10]', '[-0,0]',
	'[3.4028235e38,-3.4028235e38]', '[1e-45,1e-47]']) t;
SELECT E'\t[ 8 ,\n9\r, 10\f]\x0b '::vector;

-- text form: what is wrong with it
SELECT quote_literal(t) AS literal, pg_temp.try(format('%L::vector', t)) AS result
FROM unnest(ARRAY['', '   ', '5', '(5)', '{5}', '[', '[5', '[5,', '[5,]', '[,5]', '[5,,6]', '[5 6]',
	'[]', '[  ]', '[x]', '[5x]', '[5]]', '[5] 6', '[--5]', '[1e]', '[nan]', '[-NaN]', '[inf]',
	'[-infinity]', '[3.5e38]', '[-1e400]', '[[5]]', '["5"]', '[5;6]']) t;

-- type modifier
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[4,5]''::vector(2)', '''[4,5]''::vector(3)', '''[4]''::vector(16000)', '''[4]''::vector(16001)',
	'''[4]''::vector(0)', '''[4]''::vector(-1)', '''[4]''::vector(1,1)', '''[4]''::vector(''one'')',
	'''{"[4,5]"}''::vector(2)[]', '''{"[4,5]","[6]"}''::vector(2)[]']) t;
CREATE TEMP TABLE typed (a vector(3), b vector, c vector(2)[]);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'typed'::regclass AND attnum > 0 ORDER BY attnum;

-- 16000 dimensions and not one more
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector);
SELECT pg_temp.try('(''['' || repeat(''1,'', 16000) || ''1]'')::vector');
SELECT pg_temp.try('vector_dims(array_fill(1, ARRAY[8000])::vector || array_fill(2, ARRAY[8000])::vector)');
SELECT pg_temp.try('array_fill(1, ARRAY[8000])::vector || array_fill(2, ARRAY[8001])::vector');

-- arithmetic
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[7,-2]''::vector + ''[1,0.5]''', '''[7,-2]''::vector - ''[1,0.5]''', '''[7,-2]''::vector * ''[1,0.5]''',
	'''[7]''::vector || ''[8,9]''', '''[7]''::vector + ''[8,9]''', '''[7]''::vector - ''[8,9]''', '''[7]''::vector * ''[8,9]''',
	'''[2e38]''::vector + ''[2e38]''', '''[-2e38]''::vector - ''[2e38]''', '''[1e20]''::vector * ''[1e20]''',
	'''[1e-30]''::vector * ''[1e-30]''', '''[0]''::vector * ''[1e-30]''', '''[0]''::vector * ''[-1]''']) t;

-- comparison: by components, then by length; zero has one value
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, vector_cmp(a, b) AS cmp
FROM (VALUES ('[1,5]'::vector, '[1,5]'::vector), ('[1,5]', '[1,6]'), ('[2,5]', '[1,6]'), ('[1]', '[1,0]'),
	('[1,0]', '[1]'), ('[2]', '[1,9]'), ('[0]', '[-0]'), ('[-1]', '[1]')) v(a, b);
SELECT vector_hash('[0,1]') = vector_hash('[-0,1]') AS same, vector_hash('[0,1]') = vector_hash('[1,0]') AS other,
	vector_hash_extended('[0,1]', 0) = vector_hash_extended('[-0,1]', 0) AS same_seeded,
	vector_hash_extended('[0,1]', 1) = vector_hash_extended('[0,1]', 2) AS other_seed;

-- distances, as operators and as functions
SELECT a, b, a <-> b AS l2, a <#> b AS ip, a <=> b AS cosine, a <+> b AS l1
FROM (VALUES ('[0,0]'::vector, '[5,12]'::vector), ('[1,0]', '[0,3]'), ('[2,2]', '[2,2]'), ('[2,2]', '[-2,-2]'),
	('[4]', '[2]'), ('[2e38]', '[-2e38]'), ('[1,1,1,1,1,1,1,1,1,1,1]', '[1,1,1,1,1,1,1,1,1,4,5]')) v(a, b);
SELECT l2_distance(a, b), inner_product(a, b), cosine_distance(a, b), l1_distance(a, b),
	vector_l2_squared_distance(a, b), vector_negative_inner_product(a, b)
FROM (VALUES ('[1,2,3,4,5,6,7,8,9,10]'::vector, '[10,9,8,7,6,5,4,3,2,1]'::vector)) v(a, b);
SELECT vector_spherical_distance('[1,0]', '[0,1]'), vector_spherical_distance('[1,0]', '[1,0]'),
	vector_spherical_distance('[1,0]', '[-1,0]'), vector_spherical_distance('[3,0]', '[3,0]');
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[1]''::vector <-> ''[1,2]''', '''[1]''::vector <#> ''[1,2]''', '''[1]''::vector <=> ''[1,2]''',
	'''[1]''::vector <+> ''[1,2]''', 'vector_l2_squared_distance(''[1]'', ''[1,2]'')',
	'vector_spherical_distance(''[1]'', ''[1,2]'')', '''[1]''::vector <-> NULL']) t;

-- functions of one vector
SELECT v, vector_dims(v) AS dims, round(vector_norm(v)::numeric, 6) AS norm, l2_normalize(v) AS unit, binary_quantize(v) AS bits
FROM unnest(ARRAY['[6,8]', '[0,0,0]', '[-5]', '[0,0.25]', '[1,-1,0,2,-2,0.5,3,1,9]', '[1e30,-1e30]']::vector[]) v;
SELECT s AS start, c AS count, pg_temp.try(format('subvector(''[10,20,30,40]''::vector, %s, %s)', s, c)) AS result
FROM (VALUES (1, 4), (2, 2), (4, 1), (3, 9), (0, 3), (-1, 3), (-1, 2), (5, 1), (1, 0), (1, -1), (2, 2147483647),
	(2147483647, 2147483647), (-2147483648, 2147483647), (-2147483645, 2147483647)) v(s, c);

-- aggregates, whole and in parts
SELECT avg(v), sum(v), count(v) FROM (VALUES ('[1,4]'::vector), (NULL), ('[2,6]')) t(v);
SELECT avg(v), sum(v) FROM unnest(ARRAY[NULL::vector]) v;
SELECT t AS expression, pg_temp.try('SELECT ' || t) AS result
FROM unnest(ARRAY['avg(v) FROM unnest(''{"[1]","[1,2]"}''::vector[]) v', 'sum(v) FROM unnest(''{"[1]","[1,2]"}''::vector[]) v',
	'avg(v) FROM unnest(''{"[2e38]","[2e38]"}''::vector[]) v', 'sum(v) FROM unnest(''{"[2e38]","[2e38]"}''::vector[]) v',
	'vector_accum(''{0}'', ''[5,6]'')', 'vector_accum(''{2,1,1}'', ''[5,6]'')', 'vector_accum(''{2,1}'', ''[5,6]'')',
	'vector_accum(''{}'', ''[5]'')', 'vector_accum(''{NULL,1}'', ''[5]'')', 'vector_accum(''{{1,1}}'', ''[5]'')',
	'vector_combine(''{1,5,6}'', ''{2,1,1}'')', 'vector_combine(''{0}'', ''{2,1,1}'')',
	'vector_combine(''{2,1,1}'', ''{0}'')', 'vector_combine(''{0}'', ''{0}'')', 'vector_combine(''{1,5}'', ''{2,1,1}'')',
	'vector_combine(''{1,1e308}'', ''{1,1e308}'')', 'vector_combine(''{NULL}'', ''{0}'')',
	'vector_avg(''{4,8,2}'')', 'vector_avg(''{0}'')', 'vector_avg(''{0,1}'')', 'vector_avg(''{3}'')', 'vector_avg(''{1,1e300}'')',
	'vector_avg(''{}'')', 'vector_avg(array_fill(1.0::float8, ARRAY[16002]))',
	'vector_combine(array_fill(1.0::float8, ARRAY[16002]), ''{0}'')']) t;
