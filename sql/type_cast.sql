-- casts of vector and halfvec, where they apply by themselves, and assignment
SET client_min_messages = warning;

CREATE FUNCTION pg_temp.try(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE 'SELECT (' || expression || ')::text' INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error ' || SQLSTATE;
END $$;

-- arrays of each number type, to both types
SELECT source, pg_temp.try(source || '::vector') AS vector, pg_temp.try(source || '::halfvec') AS halfvec
FROM unnest(ARRAY['ARRAY[4,-5]', 'ARRAY[4.5,5]', '''{4,5}''::int[]', '''{4.5,5}''::real[]', '''{4.5,0.1}''::float8[]',
	'''{4.5,0.1}''::numeric[]', '''{2147483647}''::int[]', '''[3:4]={4,5}''::real[]', '''{}''::int[]', '''{}''::real[]',
	'''{{4},{5}}''::real[]', '''{4,NULL}''::real[]', '''{4,NULL}''::int[]', '''{NaN}''::real[]', '''{NaN}''::float8[]',
	'''{NaN}''::numeric[]', '''{Infinity}''::real[]', '''{-Infinity}''::float8[]', '''{Infinity}''::numeric[]',
	'''{1e39}''::float8[]', '''{1e39}''::numeric[]', '''{1e-50}''::float8[]', '''{65520}''::real[]', '''{NaN,1e6}''::real[]',
	'''{4}''::bigint[]', '''{4}''::smallint[]', '''{4}''::text[]']) source;
SELECT pg_temp.try('''{4,5}''::real[]::vector(2)'), pg_temp.try('''{4,5}''::real[]::vector(3)'),
	pg_temp.try('''{4,5}''::real[]::halfvec(2)'), pg_temp.try('''{4,5}''::real[]::halfvec(3)');
SELECT pg_temp.try('vector_dims(array_fill(1, ARRAY[16000])::vector)'), pg_temp.try('array_fill(1, ARRAY[16001])::vector'),
	pg_temp.try('array_fill(1, ARRAY[16001])::halfvec'), pg_temp.try('array_to_vector(ARRAY[4,5], 3, false)');

-- to arrays, and between the two
SELECT source, pg_temp.try(source) AS result
FROM unnest(ARRAY['''[4,0.1]''::vector::real[]', '''[4,0.1]''::halfvec::real[]', '''[4,0.1]''::vector::halfvec',
	'''[4,0.1]''::halfvec::vector', '''[4,5]''::vector::halfvec(2)', '''[4,5]''::vector::halfvec(3)',
	'''[4,5]''::halfvec::vector(2)', '''[4,5]''::halfvec::vector(3)', '''[65504,65520]''::vector::halfvec',
	'''[1e-8]''::vector::halfvec', '''[4]''::vector::float8[]', '''[4]''::vector::text', '''[4]''::text::vector']) source;

-- which casts apply without being asked for
SELECT castsource::regtype, casttarget::regtype, castcontext
FROM pg_cast
WHERE (castsource IN ('vector'::regtype, 'halfvec'::regtype) OR casttarget IN ('vector'::regtype, 'halfvec'::regtype))
	AND 'sparsevec' NOT IN (castsource::regtype::text, casttarget::regtype::text)
ORDER BY castsource::regtype::text, casttarget::regtype::text;
SELECT pg_temp.try('''[3,4]''::vector <-> ARRAY[0,0]'), pg_temp.try('''[3,4]''::vector <-> ARRAY[0,0]::vector'),
	pg_temp.try('''[3,4]''::vector <-> ''[0,0]''::halfvec'), pg_temp.try('''[3,4]''::vector = ''[3,4]''::halfvec'),
	pg_temp.try('''[3,4]''::vector || 5'), pg_temp.try('array_length(''[3,4]''::vector, 1)'),
	pg_temp.try('array_length(''[3,4]''::halfvec, 1)'), pg_temp.try('ARRAY[1,2] = ARRAY[1,2]');

-- assignment
CREATE TEMP TABLE target (v vector(2), h halfvec(2), r real[]);
INSERT INTO target VALUES (ARRAY[1,2], ARRAY[3.5,4]::float8[], '[5,6]'::vector);
INSERT INTO target SELECT h, v, h FROM target;
SELECT * FROM target ORDER BY v;
\set VERBOSITY sqlstate
INSERT INTO target (v) VALUES (ARRAY[1,2,3]);
INSERT INTO target (h) VALUES ('[1]'::vector);
UPDATE target SET v = v || '[9]';
\set VERBOSITY default
