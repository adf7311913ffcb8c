-- Attributes of every type that has an operator class: what the index selects
-- is what a sequential scan selects, for values that repeat and that do not,
-- over segments, delta and merged segments.
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE kinds (
	id int PRIMARY KEY, e mood, ip inet, net cidr, iv interval, t time, tz timetz, ch char(6), c "char", by bytea, o oid,
	mac macaddr, mac8 macaddr8, n name, r int4range, nr numrange, tr tstzrange, mr int4multirange, j jsonb, k text, nu numeric, v vector(3));
CREATE FUNCTION fill_kinds(lo int, hi int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO kinds SELECT i,
		(ARRAY['sad', 'ok', 'happy', NULL]::mood[])[i % 4 + 1],
		CASE WHEN i % 9 = 0 THEN NULL WHEN i % 10 = 0 THEN ('2001:db8::' || i % 100)::inet ELSE ('10.' || i % 3 || '.' || i % 7 || '.' || i % 250 || '/' || 24 + i % 9)::inet END,
		CASE WHEN i % 8 = 0 THEN NULL ELSE ('192.168.' || i % 20 || '.0/24')::cidr END,
		-- equal intervals of different bytes
		CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN interval '1 month' WHEN 2 THEN interval '30 days' ELSE i * interval '1 hour' END,
		CASE WHEN i % 6 = 0 THEN NULL ELSE time '00:00' + i * interval '17 seconds' END,
		CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '12:00+02'::timetz WHEN 2 THEN '10:00+00'::timetz ELSE (i % 24 || ':00+01')::timetz END,
		CASE WHEN i % 7 = 0 THEN NULL ELSE chr(97 + i % 26) || i % 3 END,
		CASE WHEN i % 11 = 0 THEN NULL ELSE chr(97 + i % 26)::"char" END,
		CASE WHEN i % 10 = 0 THEN NULL ELSE decode(md5((i / 2)::text), 'hex') END,
		CASE WHEN i % 13 = 0 THEN NULL ELSE i END,
		CASE WHEN i % 12 = 0 THEN NULL ELSE ('08:00:2b:01:02:' || to_hex(i % 200 + 16))::macaddr END,
		CASE WHEN i % 12 = 1 THEN NULL ELSE ('08:00:2b:01:02:03:04:' || to_hex(i % 200 + 16))::macaddr8 END,
		CASE WHEN i % 14 = 0 THEN NULL ELSE 'n' || i % 900 END,
		CASE WHEN i % 15 = 0 THEN NULL WHEN i % 16 = 0 THEN 'empty' ELSE int4range(i % 100, i % 100 + i % 7) END,
		CASE WHEN i % 15 = 1 THEN NULL ELSE numrange(i / 10.0, i / 10.0 + 2, '[]') END,
		CASE WHEN i % 15 = 2 THEN NULL ELSE tstzrange('2020-01-01'::timestamptz + i * interval '1 hour', NULL) END,
		CASE WHEN i % 15 = 3 THEN NULL ELSE int4multirange(int4range(i % 50, i % 50 + 2), int4range(i % 90 + 60, i % 90 + 64)) END,
		CASE WHEN i % 17 = 0 THEN NULL WHEN i % 17 = 1 THEN '"tag3"' WHEN i % 17 = 2 THEN '[]' WHEN i % 17 = 3 THEN '7'
			WHEN i % 17 = 4 THEN jsonb_build_array('tag' || i % 5, i % 3, jsonb_build_array('tag9'))
			ELSE jsonb_build_object('price', i % 50 + CASE WHEN i % 2 = 0 THEN 0.0 ELSE 0.00 END, 'tags', jsonb_build_array('tag' || i % 5, 'tag' || i % 7), 'k' || i % 4, jsonb_build_object('deep', i % 3)) END,
		CASE WHEN i % 18 = 0 THEN NULL ELSE md5((i / 3)::text) END,
		CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN i + 0.0 WHEN 2 THEN i + 0.000 ELSE i END,
		ARRAY[i % 37, i % 41, i % 43 + 1]::vector
	FROM generate_series(lo, hi) i $$;
SELECT fill_kinds(1, 3000);
CREATE INDEX kinds_idx ON kinds USING elacsym
	(v, e, ip, net, iv, t, tz, ch, c, by, o, mac, mac8, n, r, nr, tr, mr, j, k text_ops, nu,
	 ((j->>'price')::numeric), (j->'tags'), lower(k) text_ops);
SELECT fill_kinds(3001, 3300);

CREATE TABLE kind_conditions (n serial, c text);
INSERT INTO kind_conditions (c) VALUES
	('e = ''ok'''), ('e > ''sad'''), ('e <> ''ok'''), ('e IN (''sad'', ''happy'')'), ('e IS NULL'), ('NOT e = ''ok'''), ('e = ANY(NULL::mood[])'),
	('ip = ''10.1.1.1/25'''), ('ip << ''10.1.0.0/16'''), ('ip <<= ''10.2.2.0/24'''), ('ip >>= ''10.0.0.0'''), ('ip >> ''10.0.0.100'''), ('ip && ''10.1.1.0/26'''), ('ip < ''10.0.1.0'''), ('ip > ''::'''), ('ip IN (''10.1.1.1/25'', ''2001:db8::10'')'),
	('net = ''192.168.3.0/24'''), ('net >>= ''192.168.4.17'''), ('net < ''192.168.2.0/24'''),
	('iv = ''1 month'''), ('iv = ''30 days'''), ('iv < ''10 hours'''), ('iv <> ''1 month'''), ('iv IN (''720 hours'', ''8 hours'')'), ('iv IS NOT NULL'),
	('t = ''00:17:00'''), ('t < ''01:00'''), ('t >= ''13:00'' AND t < ''13:10'''), ('tz = ''12:00+02'''), ('tz = ''10:00+00'''), ('tz > ''20:00+01'''), ('tz IN (''10:00+00'', ''5:00+01'')'),
	('ch = ''a0'''), ('ch = ''a0    '''), ('ch IN (''b1'', ''c2'')'), ('ch < ''c'''), ('ch LIKE ''d%'''), ('ch NOT LIKE ''d%'''), ('ch ILIKE ''D%'''),
	('c = ''b'''), ('c > ''x'''), ('by = decode(md5(''7''), ''hex'')'), ('by < ''\x10'''), ('by LIKE ''\x25'''), ('by LIKE (''\x0025'')::bytea'), ('by IN (decode(md5(''8''), ''hex''), decode(md5(''1400''), ''hex''), ''\x00'')'),
	('o = 100'), ('o < 50'), ('o IN (5, 6, 2999, 3100, 100000)'), ('mac = ''08:00:2b:01:02:20'''), ('mac < ''08:00:2b:01:02:20'''), ('mac8 = ''08:00:2b:01:02:03:04:20'''), ('mac8 >= ''08:00:2b:01:02:03:04:d0'''),
	('n = ''n17'''), ('n > ''n89'''), ('n LIKE ''n12%'''), ('n IN (''n1'', ''n2'')'),
	('r = ''[5,8)'''), ('r @> 7'), ('r @> ''[5,7)''::int4range'), ('r <@ ''[3,9)''::int4range'), ('r && ''[0,3)'''), ('r << ''[4,5)'''), ('r >> ''[97,98)'''), ('r -|- ''[5,8)'''), ('r &< ''[0,3)'''), ('r = ''empty'''), ('r <@ ''{[1,4),[9,12)}''::int4multirange'), ('r > ''[95,96)'''),
	('nr @> 17.5'), ('nr && ''[1,1.5]'''), ('nr @> ''[3.1,3.2]''::numrange'), ('tr @> ''2020-01-02 00:00''::timestamptz'), ('tr && ''[2020-01-01,2020-01-01 05:00]'''),
	('mr @> 3'), ('mr && ''[5,6)''::int4range'), ('mr @> ''{[5,6)}''::int4multirange'), ('mr <@ ''{[0,200)}''::int4multirange'), ('mr = ''{[1,3),[61,65)}'''),
	('j @> ''{"tags": ["tag3"]}'''), ('j @> ''{"price": 7}'''), ('j @> ''{"price": 7.000}'''), ('j @> ''["tag3"]'''), ('j @> ''"tag3"'''), ('j @> ''{}'''), ('j @> ''[]'''), ('j @> ''7'''), ('j @> ''{"k1": {"deep": 2}}'''), ('j @> ''{"none": 1}'''), ('j @> ''[["tag9"]]'''), ('NOT j @> ''{"k1": {}}'''),
	('j ? ''k2'''), ('j ? ''tag3'''), ('j ? ''tag9'''), ('j ?| ''{k1,tag4}'''), ('j ?| ''{}'''), ('j ?& ''{k1,price}'''), ('j ?& ''{}'''), ('j ?& ''{k1,k2}'''), ('j ?| ''{k1,NULL}'''), ('NOT j ? ''k2'''), ('j = ''"tag3"'''), ('j <@ ''["tag0", "tag1", 0, 1, ["tag9"]]'''), ('j < ''7'''), ('j IN (''7'', ''[]'')'), ('j IS NULL OR j ? ''k3'''),
	('(j->>''price'')::numeric < 5'), ('(j->>''price'')::numeric = 7'), ('(j->>''price'')::numeric BETWEEN 3 AND 4 AND NOT j ? ''k1'''), ('j->''tags'' @> ''["tag2"]'''), ('j->''tags'' ? ''tag2'''), ('j->''tags'' ?& ''{tag2,tag6}'''), ('(j->''tags'') IS NULL'),
	('k = md5(''12'')'), ('k IN (md5(''12''), md5(''999''), md5(''1050''), ''x'')'), ('k IN (md5(''12''), NULL)'), ('k NOT IN (md5(''12''), md5(''13''))'), ('k NOT IN (md5(''12''), NULL)'), ('k <> md5(''12'')'), ('k <> ALL(ARRAY[md5(''12'')])'), ('k LIKE ''a%'''), ('k ^@ ''ab'''), ('starts_with(k, ''ab'')'), ('k LIKE ''c_4%'''), ('k ILIKE ''AB%'''), ('k LIKE ''c\4%'''), ('k LIKE ''%''') , ('k LIKE ''%f'''), ('lower(k) = md5(''12'')'), ('lower(k) LIKE ''0c%'''),
	('nu = 77'), ('nu = 78.00'), ('nu IN (5, 6.000, 2999.0, 3102, 8)'), ('nu = -1'), ('nu > 3290'), ('nu <> 78'),
	('k = ANY(ARRAY(SELECT md5(g::text) FROM generate_series(10, 300) g))'), ('o = ANY(ARRAY(SELECT g::oid FROM generate_series(1, 3000, 7) g))'), ('k = NULL'), ('k = ANY(''{}'')'), ('by = ANY(NULL)');

CREATE FUNCTION kinds_of(c text, how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	q text := format('SELECT id FROM kinds WHERE %s', c);
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
SELECT c, how FROM kind_conditions, unnest('{bitmap,index,custom}'::text[]) how
	WHERE kinds_of(c, how) IS DISTINCT FROM kinds_of(c, 'seq') ORDER BY n, how;
-- what was asked for was there
SELECT count(*) FROM kind_conditions WHERE kinds_of(c, 'seq') IS NULL;

-- conditions that stay outside of the index, checked row by row
CREATE FUNCTION outside(c text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true), set_config('enable_sort', 'off', true);
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT id FROM kinds WHERE %s ORDER BY v <-> ''[1,2,3]''', c) LOOP
		IF line ~ '^ *Filter:' THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;
SELECT c FROM kind_conditions WHERE outside(c) ORDER BY n;

-- after flush and merge
SELECT elacsym_flush('kinds_idx');
SELECT elacsym_compact('kinds_idx') > 0 AS merged;
SELECT c, how FROM kind_conditions, unnest('{bitmap,custom}'::text[]) how
	WHERE kinds_of(c, how) IS DISTINCT FROM kinds_of(c, 'seq') ORDER BY n, how;
SELECT elacsym_verify('kinds_idx');
DROP TABLE kinds, kind_conditions;
DROP FUNCTION kinds_of, fill_kinds, outside;
DROP TYPE mood;
