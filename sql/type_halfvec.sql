-- halfvec: text form, operators, functions.  SQLSTATEs and rows are pgvector's.
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

-- text form: rounding to 11 bits (ties to even), subnormals, the largest number
SELECT quote_literal(t) AS literal, pg_temp.try(format('%L::halfvec', t)) AS result
FROM unnest(ARRAY['[5]', '[0.25,-7,+3]', '[0.1]', '[3.14159265]', '[2048,2049,2050,2051]',
	'[65504,65519.99]', '[-65504]', '[6.1035156e-5,6.097555e-5]', '[5.9604645e-8,2.9802322e-8,2.9802326e-8]',
	'[1e-9,-1e-9]', '[-0]', '[0x1.004p0,0x1.00cp0]']) t;
SELECT E'\t[ 8 ,\n9\r, 10\f]\x0b '::halfvec;

-- text form: what is wrong with it
SELECT quote_literal(t) AS literal, pg_temp.try(format('%L::halfvec', t)) AS result
FROM unnest(ARRAY['', '5', '[', '[5', '[5,]', '[,5]', '[5,,6]', '[]', '[ ]', '[x]', '[5]]', '[5] 6', '[nan]', '[inf]',
	'[-infinity]', '[65520]', '[-65520]', '[1e6]', '[3.5e38]', '[1e400]', '[70000,x]', '[x,70000]']) t;

-- type modifier
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[4,5]''::halfvec(2)', '''[4,5]''::halfvec(3)', '''[4]''::halfvec(16000)', '''[4]''::halfvec(16001)',
	'''[4]''::halfvec(0)', '''[4]''::halfvec(1,1)', '''[4]''::halfvec(''one'')', '''{"[4,5]","[6]"}''::halfvec(2)[]']) t;

-- 16000 dimensions and not one more
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec);
SELECT pg_temp.try('(''['' || repeat(''1,'', 16000) || ''1]'')::halfvec');
SELECT pg_temp.try('array_fill(1, ARRAY[8000])::halfvec || array_fill(2, ARRAY[8001])::halfvec');

-- arithmetic, rounded to half precision
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[7,-2]''::halfvec + ''[1,0.5]''', '''[7,-2]''::halfvec - ''[1,0.5]''', '''[7,-2]''::halfvec * ''[1,0.5]''',
	'''[7]''::halfvec || ''[8,9]''', '''[7]''::halfvec + ''[8,9]''', '''[7]''::halfvec - ''[8,9]''', '''[7]''::halfvec * ''[8,9]''',
	'''[2048]''::halfvec + ''[1]''', '''[2050]''::halfvec + ''[1]''', '''[1.5]''::halfvec * ''[0.1]''',
	'''[65504]''::halfvec + ''[15]''', '''[65504]''::halfvec + ''[16]''', '''[-65504]''::halfvec - ''[16]''',
	'''[300]''::halfvec * ''[300]''', '''[1e-4]''::halfvec * ''[1e-4]''', '''[0]''::halfvec * ''[1e-4]''']) t;

-- comparison: by components, then by length; zero has one value
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, halfvec_cmp(a, b) AS cmp
FROM (VALUES ('[1,5]'::halfvec, '[1,5]'::halfvec), ('[1,5]', '[1,6]'), ('[2,5]', '[1,6]'), ('[1]', '[1,0]'),
	('[1,0]', '[1]'), ('[0]', '[-0]'), ('[-1]', '[1]')) v(a, b);
-- the difference lies behind the first 32 components
SELECT halfvec_cmp(array_fill(1, ARRAY[70])::halfvec, array_fill(1, ARRAY[69])::halfvec || '[2]'),
	halfvec_cmp(array_fill(1, ARRAY[70])::halfvec, array_fill(1, ARRAY[70])::halfvec);
SELECT halfvec_hash('[0,1]') = halfvec_hash('[-0,1]') AS same, halfvec_hash('[0,1]') = halfvec_hash('[1,0]') AS other,
	halfvec_hash_extended('[0,1]', 0) = halfvec_hash_extended('[-0,1]', 0) AS same_seeded,
	halfvec_hash_extended('[0,1]', 1) = halfvec_hash_extended('[0,1]', 2) AS other_seed;

-- distances, as operators and as functions
SELECT a, b, a <-> b AS l2, a <#> b AS ip, a <=> b AS cosine, a <+> b AS l1
FROM (VALUES ('[0,0]'::halfvec, '[5,12]'::halfvec), ('[1,0]', '[0,3]'), ('[2,2]', '[2,2]'), ('[2,2]', '[-2,-2]'),
	('[4]', '[2]'), ('[65504]', '[-65504]'), ('[1,1,1,1,1,1,1,1,1,1,1]', '[1,1,1,1,1,1,1,1,1,4,5]')) v(a, b);
SELECT l2_distance(a, b), inner_product(a, b), cosine_distance(a, b), l1_distance(a, b),
	halfvec_l2_squared_distance(a, b), halfvec_negative_inner_product(a, b)
FROM (VALUES ('[1,2,3,4,5,6,7,8,9,10]'::halfvec, '[10,9,8,7,6,5,4,3,2,1]'::halfvec)) v(a, b);
SELECT halfvec_spherical_distance('[1,0]', '[0,1]'), halfvec_spherical_distance('[1,0]', '[-1,0]');
SELECT t AS expression, pg_temp.try(t) AS result
FROM unnest(ARRAY['''[1]''::halfvec <-> ''[1,2]''', '''[1]''::halfvec <#> ''[1,2]''', '''[1]''::halfvec <=> ''[1,2]''',
	'''[1]''::halfvec <+> ''[1,2]''', 'halfvec_l2_squared_distance(''[1]'', ''[1,2]'')',
	'halfvec_spherical_distance(''[1]'', ''[1,2]'')']) t;

-- functions of one halfvec
SELECT v, vector_dims(v) AS dims, round(l2_norm(v)::numeric, 6) AS norm, l2_normalize(v) AS unit, binary_quantize(v) AS bits
FROM unnest(ARRAY['[6,8]', '[0,0,0]', '[-5]', '[0,0.25]', '[1,-1,0,2,-2,0.5,3,1,9]', '[65504,-65504]', '[6e-8]']::halfvec[]) v;
SELECT s AS start, c AS count, pg_temp.try(format('subvector(''[10,20,30,40]''::halfvec, %s, %s)', s, c)) AS result
FROM (VALUES (1, 4), (2, 2), (3, 9), (0, 3), (-1, 2), (5, 1), (1, 0), (2, 2147483647), (-2147483645, 2147483647)) v(s, c);

-- aggregates, whole and in parts
SELECT avg(v), sum(v), count(v) FROM (VALUES ('[1,4]'::halfvec), (NULL), ('[2,6]')) t(v);
SELECT avg(v), sum(v) FROM unnest(ARRAY[NULL::halfvec]) v;
SELECT t AS expression, pg_temp.try('SELECT ' || t) AS result
FROM unnest(ARRAY['avg(v) FROM unnest(''{"[1]","[1,2]"}''::halfvec[]) v', 'sum(v) FROM unnest(''{"[1]","[1,2]"}''::halfvec[]) v',
	'avg(v) FROM unnest(''{"[60000]","[50000]"}''::halfvec[]) v', 'sum(v) FROM unnest(''{"[60000]","[50000]"}''::halfvec[]) v',
	'halfvec_accum(''{0}'', ''[5,6]'')', 'halfvec_accum(''{2,1,1}'', ''[5,6]'')', 'halfvec_accum(''{2,1}'', ''[5,6]'')',
	'halfvec_accum(''{}'', ''[5]'')', 'halfvec_combine(''{1,5,6}'', ''{2,1,1}'')', 'halfvec_combine(''{0}'', ''{2,1,1}'')',
	'halfvec_avg(''{4,8,2}'')', 'halfvec_avg(''{0}'')', 'halfvec_avg(''{3}'')', 'halfvec_avg(''{1,70000}'')',
	'halfvec_avg(''{{1,2}}'')', 'halfvec_avg(array_fill(1.0::float8, ARRAY[16002]))']) t;
