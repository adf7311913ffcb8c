-- Row-level security of plain queries that the index answers: rows are those of
-- the policy, and a function of the query that is not leakproof sees no others.
SET client_min_messages = warning;
CREATE TABLE guarded (id int PRIMARY KEY, owner text, body text, n int, v vector(3)) WITH (autovacuum_enabled = off);
INSERT INTO guarded SELECT i, CASE WHEN i % 3 = 0 THEN 'regress_elac_guarded' ELSE 'somebody' END, 'secret w' || i % 50, i % 10, ARRAY[i % 7, i % 11, i % 13]::vector
	FROM generate_series(1, 2000) i;
CREATE INDEX guarded_idx ON guarded USING elacsym (v, body text_bm25_ops (config = 'simple'), n, owner text_ops);
INSERT INTO guarded SELECT i, CASE WHEN i % 3 = 0 THEN 'regress_elac_guarded' ELSE 'somebody' END, 'secret w' || i % 50, i % 10, ARRAY[i % 7, i % 11, i % 13]::vector
	FROM generate_series(2001, 2100) i;
ANALYZE guarded;
CREATE ROLE regress_elac_guarded;
GRANT SELECT ON guarded TO regress_elac_guarded;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON guarded USING (owner = current_user);
CREATE FUNCTION leaks(owner text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
	IF owner <> 'regress_elac_guarded' THEN RAISE 'saw a row of %', owner; END IF;
	RETURN true;
END $$;
-- rows, those of others among them, and whether the index was used
CREATE FUNCTION rows_by(condition text, ordering text, custom boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	q text := format('SELECT id, owner FROM guarded WHERE %s ORDER BY %s', condition, ordering);
	result text;
	plan text := '';
	line text;
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true),
		set_config('enable_indexscan', (NOT custom)::text, true), set_config('elacsym.enable_customscan', custom::text, true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP plan := plan || line || ' '; END LOOP;
	EXECUTE format('SELECT format(''%%s rows, %%s of others'', count(*), count(*) FILTER (WHERE owner <> current_user)) FROM (%s) s', q) INTO result;
	RETURN result || CASE WHEN plan ~ 'Sort' OR plan !~ CASE WHEN custom THEN 'ElacsymScan' ELSE 'Index Scan using guarded_idx' END THEN '; ' || plan ELSE '' END;
END $$;
SET ROLE regress_elac_guarded;
SELECT c, o, custom, rows_by(c, o, custom) FROM unnest(ARRAY['true', 'n = 3', 'n = 3 OR owner LIKE ''some%''', 'leaks(owner)', 'leaks(owner) AND n = 3', 'leaks(owner) OR n = 3',
	'owner = ''somebody''', 'owner LIKE ''some%''', 'NOT (n = 3 OR owner LIKE ''regress%'')']) c, unnest(ARRAY['v <-> ''[1,2,3]''', 'body <@> ''secret w3''']) o, unnest('{f,t}'::boolean[]) custom;
-- a bitmap scan
SET enable_seqscan = off;
SELECT count(*), count(*) FILTER (WHERE owner <> current_user) FROM guarded WHERE n = 3 AND leaks(owner);
SELECT count(*) FROM elacsym_search(NULL::guarded, vector => '[1,2,3]', text => 'secret w3', filter => 'leaks(owner) AND n = 3', k => 50);
SELECT count(*) FROM elacsym_search(NULL::guarded, vector => '[1,2,3]', text => 'secret w3', filter => 'owner LIKE ''some%''');
RESET ROLE;
RESET enable_seqscan;
SELECT count(*) FROM guarded WHERE n = 3 AND owner = 'regress_elac_guarded';
DROP TABLE guarded;
DROP FUNCTION leaks, rows_by;
DROP ROLE regress_elac_guarded;
