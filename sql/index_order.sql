-- An ordering scan returns the rows, and in the order, that a sequential scan
-- and a sort return: finite distances, NaN, NULL; scores, zeroes, NULL.
SET client_min_messages = warning;
SET elacsym.probes = 1000000;	-- every list: what is tested here is order, not recall
SET elacsym.epsilon = 100;
SELECT setseed(.25);
CREATE TABLE o (id int PRIMARY KEY, v vector(5), h halfvec(5), title text, body text, n int);
INSERT INTO o SELECT i,
	CASE WHEN i % 50 = 0 THEN NULL WHEN i % 50 = 1 THEN '[0,0,0,0,0]' ELSE ARRAY[random(), random() - .5, random(), 2 * random(), random()]::real[]::vector END,
	CASE WHEN i % 60 = 0 THEN NULL WHEN i % 60 = 1 THEN '[0,0,0,0,0]' ELSE ARRAY[random(), random() - .5, random(), 2 * random(), random()]::real[]::halfvec END,
	CASE WHEN i % 30 = 0 THEN NULL WHEN i % 31 = 0 THEN '' ELSE 'title ' || chr(97 + i % 20) || repeat(' red', i % 4) END,
	CASE WHEN i % 35 = 0 THEN NULL ELSE 'a ' || repeat('red ', i % 5) || repeat('green ', i % 7) || repeat('blue ', i % 11) || 'w' || i % 300 END,
	i % 100
	FROM generate_series(1, 4000) i;

-- Compares the set of rows and the sequence of distances with a sort's, NaN and NULL included.  Scores are exact to
-- the last place; quantized vectors rank exactly at the top, and further down within what a batch misplaces.
CREATE FUNCTION check_order(expr text, cond text DEFAULT 'true', top int DEFAULT 10) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	sorted record;
	scanned record;
	plan text := '';
	line text;
	q text := format('SELECT id, %s AS d FROM o WHERE %s ORDER BY %1$s', expr, cond);
	agg text := 'SELECT array_agg(d) AS ds, (SELECT array_agg(id ORDER BY id) FROM (%s) x) AS ids, count(*) AS c FROM (%s) s';
BEGIN
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true), set_config('enable_indexscan', 'off', true),
			set_config('enable_bitmapscan', 'off', true), set_config('elacsym.enable_customscan', 'off', true);
	EXECUTE format(agg, q, q) INTO sorted;
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_indexscan', 'on', true),
			set_config('elacsym.enable_customscan', 'on', true);
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		plan := plan || line;
	END LOOP;
	IF plan LIKE '%Sort%' OR plan NOT LIKE '%o_%idx%' THEN
		RETURN 'index not used: ' || plan;
	END IF;
	EXECUTE format(agg, q, q) INTO scanned;
	IF scanned.ids IS DISTINCT FROM sorted.ids THEN
		RETURN format('rows differ: %s sorted, %s scanned', sorted.c, scanned.c);
	END IF;
	FOR i IN 1 .. sorted.c LOOP
		IF (sorted.ds[i] IS NULL) <> (scanned.ds[i] IS NULL) OR (sorted.ds[i] = 'NaN') <> (scanned.ds[i] = 'NaN') OR
			(expr LIKE '%<@>%' OR i <= top) AND NOT (sorted.ds[i] IS NOT DISTINCT FROM scanned.ds[i] OR abs(sorted.ds[i] - scanned.ds[i]) < 1e-5) THEN
			RETURN format('place %s: %s sorted, %s scanned', i, sorted.ds[i], scanned.ds[i]);
		END IF;
	END LOOP;
	RETURN format('%s rows', sorted.c);
END $$;

CREATE INDEX o_l2_idx ON o USING elacsym (v, n) WITH (bits = 7);
SELECT check_order('v <-> ''[1,2,3,4,5]''');
SELECT check_order('v <-> ''[0,0,0,0,0]''', 'n < 10 OR n IS NULL');
SELECT check_order('v <-> (SELECT NULL::vector)');
INSERT INTO o SELECT id + 10000, v, h, title, body, n FROM o WHERE id % 9 = 0;
SELECT check_order('v <-> ''[1,-2,3,-4,5]''');
DELETE FROM o WHERE id % 17 = 0;
SELECT check_order('v <-> ''[1,-2,3,-4,5]''');
DROP INDEX o_l2_idx;
CREATE INDEX o_ip_idx ON o USING elacsym (n, v vector_ip_ops) WITH (bits = 6);
SELECT check_order('v <#> ''[1,2,3,4,5]''');
SELECT check_order('v <#> ''[0,0,0,0,0]''');
SELECT check_order('v <#> ''[-1,2,3,-4,5]''', 'n = 5');
DROP INDEX o_ip_idx;
-- one bit a dimension misplaces more, and loses none
CREATE INDEX o_bit_idx ON o USING elacsym (v vector_ip_ops) WITH (bits = 1);
SELECT check_order('v <#> ''[1,2,3,4,5]''', top => 0);
DROP INDEX o_bit_idx;
CREATE INDEX o_cos_idx ON o USING elacsym (v vector_cosine_ops, n) WITH (bits = 8);
SELECT check_order('v <=> ''[1,2,3,4,5]''');
SELECT check_order('v <=> ''[0,0,0,0,0]''');
SELECT check_order('v <=> ''[1,2,3,4,5]''', 'v IS NULL OR n <> 3');
DROP INDEX o_cos_idx;
CREATE INDEX o_half_idx ON o USING elacsym (h halfvec_l2_ops) WITH (bits = 8);
SELECT check_order('h <-> ''[1,2,3,4,5]''');
DROP INDEX o_half_idx;
CREATE INDEX o_half_idx ON o USING elacsym (h halfvec_ip_ops) WITH (bits = 7);
SELECT check_order('h <#> ''[1,2,3,4,5]''');
DROP INDEX o_half_idx;
CREATE INDEX o_half_idx ON o USING elacsym (h halfvec_cosine_ops) WITH (bits = 8);
SELECT check_order('h <=> ''[1,2,3,4,5]''');
DROP INDEX o_half_idx;
CREATE INDEX o_expr_idx ON o USING elacsym ((subvector(v, 1, 3)::vector(3)), lower(body)) WITH (bits = 8) WHERE n < 50;
SELECT check_order('subvector(v, 1, 3)::vector(3) <-> ''[1,2,3]''', 'n < 50');
SELECT check_order('lower(body) <@> ''RED Green''', 'n < 50');
DROP INDEX o_expr_idx;

CREATE INDEX o_text_idx ON o USING elacsym (title text_bm25_ops (config = 'simple', weight = 3), n, body text_bm25_ops (config = 'simple', k1 = 2, b = .3));
SELECT check_order('body <@> ''red blue w17''');
SELECT check_order('body <@> ''red red red''', 'n < 20');
SELECT check_order('title <@> ''red c''', 'n IN (1, 2) OR title IS NULL');
SELECT check_order('body <@> ''nowhere''');
SELECT check_order('body <@> ''''');
SELECT check_order('body <@> NULL');
SELECT check_order('ARRAY[title, body] <@> ''red c w33''');
INSERT INTO o SELECT id + 20000, v, h, title, body || ' fresh', n FROM o WHERE id % 9 = 0;
SELECT check_order('body <@> ''red fresh''');
SELECT check_order('ARRAY[title, body] <@> ''red fresh''', 'n <> 7 AND NOT (n > 90)');
-- the fields of an index in another order than bound are sorted, not scanned
EXPLAIN (COSTS OFF) SELECT id FROM o ORDER BY body <@> 'red' LIMIT 1;

-- a cursor goes on; two orders at once are sorted
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM o WHERE n = 42 ORDER BY body <@> 'red blue';
FETCH 0 FROM c;
MOVE 40 IN c;
SELECT count(*) > 0 AS more FROM o WHERE n = 42;
COMMIT;
SELECT (SELECT count(*) FROM (SELECT id FROM o ORDER BY body <@> 'red blue', title <@> 'c') s) = count(*) AS same FROM o;
-- a further key breaks ties without sorting the table
CREATE FUNCTION plan_of(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
		plan := plan || line;
	END LOOP;
	RETURN plan;
END $$;
SELECT plan_of($$SELECT id FROM o ORDER BY body <@> 'red', id LIMIT 5$$) ~ 'Incremental Sort.*o_text_idx' AS incremental;
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM o ORDER BY (body <@> 'red') + 0, id LIMIT 50) x) AS same
	FROM (SELECT id FROM o ORDER BY body <@> 'red', id LIMIT 50) y;
DROP TABLE o;
DROP FUNCTION check_order, plan_of;
