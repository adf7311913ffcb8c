-- elacsym_rrf() and elacsym_linear(): the node's rows, order, scores and legs
-- equal a reference in SQL; filters, windows, NULLs, prepared statements,
-- cursors, rescans, rights.
SET client_min_messages = warning;
\set SHOW_CONTEXT never
SELECT setseed(.5);
CREATE TABLE s (id bigint PRIMARY KEY, title text, dropped int, body text, price float8, tags text[], v vector(6));
ALTER TABLE s DROP COLUMN dropped;
INSERT INTO s SELECT i, 'title ' || i % 40, CASE WHEN i % 50 = 0 THEN NULL ELSE 'body w' || i % 7 || ' x' || i % 23 || repeat(' more', i % 9) || ' u' || i END,
	i / 2.0, ARRAY['t' || i % 3], CASE WHEN i % 33 = 0 THEN NULL WHEN i % 34 = 0 THEN '[0,0,0,0,0,0]' ELSE ARRAY[random(), random(), random(), random(), random(), random()]::real[]::vector END
	FROM generate_series(1, 3000) i;
CREATE INDEX s_idx ON s USING elacsym (v vector_cosine_ops, title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'english'), price, tags);
INSERT INTO s SELECT i, 'fresh title', 'fresh body w3 x5', i, '{t9}', '[1,1,1,1,1,0]' FROM generate_series(4001, 4020) i;
DELETE FROM s WHERE id % 11 = 0;
ANALYZE s;
SET elacsym.probes = 1000000; SET elacsym.epsilon = 10;	-- exact distances, for exact ranks

-- What a fusion is, in SQL: all rows that pass, ranked by window functions.
-- leg1, leg2: expressions over d, smaller is better; ranked while below zero
-- (texts) or finite (vectors).
CREATE FUNCTION reference(rel text, leg1 text, leg2 text, cond text, win int, share text)
	RETURNS TABLE (id bigint, score float8, legs float8[]) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('elacsym.enable_customscan', 'off', true), set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
	RETURN QUERY EXECUTE format($q$
		WITH rows AS MATERIALIZED (SELECT d.id, d.tableoid AS t, d.ctid AS c, %2$s AS x1, %3$s AS x2 FROM %1$s d WHERE %4$s),
		ranked AS (SELECT rows.*, CASE WHEN x1 < 'inf' AND (x1 < 0 OR %2$L !~ '<@>') THEN row_number() OVER (ORDER BY x1, t, c) END AS k1,
			CASE WHEN x2 < 'inf' AND (x2 < 0 OR %3$L !~ '<@>') THEN row_number() OVER (ORDER BY x2, t, c) END AS k2 FROM rows),
		inside AS (SELECT ranked.id, t, c, CASE WHEN k1 <= $1 THEN k1 END AS r1, CASE WHEN k1 <= $1 THEN x1 END AS v1,
			CASE WHEN k2 <= $1 THEN k2 END AS r2, CASE WHEN k2 <= $1 THEN x2 END AS v2 FROM ranked)
		SELECT id, %5$s, ARRAY[r1, v1, r2, v2]::float8[] FROM inside
		ORDER BY 2 DESC, r1 NULLS LAST, r2 NULLS LAST, t, c$q$, rel, leg1, leg2, cond, share) USING win;
	PERFORM set_config('elacsym.enable_customscan', 'on', true), set_config('enable_indexscan', 'on', true), set_config('enable_bitmapscan', 'on', true);
END $$;
CREATE FUNCTION rrf(weight1 float8 DEFAULT 1, weight2 float8 DEFAULT 1, k int DEFAULT 60) RETURNS text LANGUAGE SQL AS
	$$ SELECT format('coalesce(%L::float8 / (%s + r1), 0) + coalesce(%L::float8 / (%s + r2), 0)', $1, $3, $2, $3) $$;
-- Rows of a query (id, value, legs) beside those of the reference, in order.
CREATE FUNCTION compare(q text, r text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	a record;
	b record;
	n int := 0;
	rows refcursor;
BEGIN
	OPEN rows FOR EXECUTE 'SELECT * FROM (' || r || ') x(id, score, legs)';
	FOR a IN EXECUTE 'SELECT * FROM (' || q || ') x(id, score, legs)' LOOP
		FETCH rows INTO b;
		n := n + 1;
		IF a.id IS DISTINCT FROM b.id OR abs(a.score + b.score) > 1e-12 OR
			EXISTS (SELECT FROM unnest(a.legs, b.legs) l(x, y) WHERE (x IS NULL) <> (y IS NULL) OR abs(x - y) > 1e-5 OR x > 1 AND y > 1 AND x <> y AND x = round(x)) THEN
			RETURN format('row %s: %s <> %s', n, a, b);
		END IF;
	END LOOP;
	FETCH rows INTO b;
	RETURN format('%s rows equal%s', n, CASE WHEN FOUND THEN ', some missing' END);
END $$;
-- the node's call for the table s, and the reference's
CREATE FUNCTION same(words text, cond text DEFAULT 'true', suffix text DEFAULT '', fused text DEFAULT 'elacsym_rrf(%s)', share text DEFAULT rrf(), win int DEFAULT 100, rel text DEFAULT 's')
	RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	leg1 text := $v$v <=> '[1,2,1,2,1,2]'$v$;
	leg2 text := format('ARRAY[title, body] <@> %L', words);
	call text := format(fused, leg1 || ', ' || leg2);
BEGIN
	RETURN compare(format('SELECT id, %1$s, elacsym_legs(%1$s) FROM %2$s d WHERE %3$s ORDER BY %1$s %4$s', call, rel, cond, suffix),
		format('SELECT * FROM reference(%L, %L, %L, %L, %s, %L) x %s', rel, leg1, leg2, cond, win, share, suffix));
END $$;

EXPLAIN (COSTS OFF) SELECT id, elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') FROM s WHERE price < 700 OR tags @> '{t1}' ORDER BY 2 LIMIT 10;
SELECT id, round(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18')::numeric, 6) AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18'))::numeric(8,4)[] AS legs
	FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') LIMIT 4;
-- all rows: those without a rank follow with 0
SELECT same('title u17 u18 u19 u300 u1200');
SELECT same('u17 u18 u19 u300 u1200 w3');
SELECT same('u17 w3', suffix => 'LIMIT 10');
SELECT same('u17 w3', suffix => 'LIMIT 10 OFFSET 15');
SELECT same('u17 w3', suffix => 'LIMIT 250', win => 250);
SELECT same('u17 w3', suffix => 'LIMIT 240 OFFSET 30', win => 270);
SELECT same('u17 w3', suffix => 'OFFSET 2700');
SELECT same('u17 w3', suffix => 'LIMIT 0');
SELECT same('u17 w3', suffix => 'LIMIT (SELECT 3)');
SELECT same('u17 w3', suffix => 'FETCH FIRST 120 ROWS ONLY', win => 120);
SELECT count(*) FROM (SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') FETCH FIRST 3 ROWS WITH TIES) x;
-- conditions: inside the index, on the rows, both, none that pass
SELECT same('u17 w3', 'price < 300');
SELECT same('u17 w3', $$price < 300 OR tags @> '{t1}' AND NOT price > 1000$$);
SELECT same('u17 w3', 'id % 7 = 1');
SELECT same('u17 w3', 'price < 900 AND length(body) > 20');
SELECT same('u17 w3', 'id % 701 = 1 AND price > 3');
SELECT same('u17 w3', 'price < 0');
SELECT same('u17 w3', 'd.v IS NULL');
SELECT same('u17 w3', 'd.body IS NULL');
SELECT same('u17 w3', 'false');
-- no leg ranks many, or any; equal distances and scores rank by place
SELECT same('nowhere');
SELECT same('');
SELECT same('fresh x5', 'id > 3900');
SELECT same('fresh', $$tags = '{t9}'$$, win => 5, fused => 'elacsym_rrf(%s, "window" => 5)');
-- conditions that ask for the score come after the fusion; where rows of score 0 cannot fulfil them, these are not read
SELECT compare($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3'), elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3')) FROM s WHERE price < 900 AND elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') < -.01 ORDER BY 2$$,
	$$SELECT * FROM reference('s', $r$v <=> '[1,2,1,2,1,2]'$r$, $r$body <@> 'u17 w3'$r$, 'price < 900', 100, rrf()) WHERE score > .01$$);
SELECT compare($$SELECT * FROM (SELECT id, elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') AS score, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3')) AS legs FROM s WHERE price < 900) x WHERE legs[1] < 30 AND legs[3] IS NOT NULL ORDER BY score$$,
	$$SELECT * FROM reference('s', $r$v <=> '[1,2,1,2,1,2]'$r$, $r$body <@> 'u17 w3'$r$, 'price < 900', 100, rrf()) WHERE legs[1] < 30 AND legs[3] IS NOT NULL$$);
SELECT count(*) FROM s WHERE elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') < 0;
SELECT count(*) FROM s WHERE elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') > -1 AND price < 300;
SELECT count(*) FROM s WHERE elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 w3') * price < -2 OR title = 'title 7';
SELECT count(*) FROM reference('s', $r$v <=> '[1,2,1,2,1,2]'$r$, $r$body <@> 'u17 w3'$r$, 'true', 100, rrf()) JOIN s USING (id) WHERE score * price > 2 OR title = 'title 7';
CREATE FUNCTION analyzed(q text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line ~ 'Fus|Filter|Legs|Weights|Window:|Leg Rows|Scan' THEN RETURN NEXT regexp_replace(line, ' rows=(\d+)\.00 ', ' rows=\1 '); END IF;
	END LOOP;
END $$;
SELECT analyzed($$SELECT id FROM s WHERE price < 300 AND elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') < -.02$$);
SELECT analyzed($$SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18', '{.5,2}', "window" => 5) LIMIT 8$$);
-- weights, k, window
SELECT same('u17 w3', fused => $$elacsym_rrf(%s, '{2,.5}', 10, 7)$$, share => rrf(2, .5, 10), win => 7);
SELECT same('u17 w3', fused => $$elacsym_rrf(%s, weights => ARRAY[0,3])$$, share => rrf(0, 3));
SELECT same('u17 w3', 'price < 300', fused => $$elacsym_rrf(%s, "window" => 1000000)$$, win => 1000000);
SELECT same('u17 w3', fused => $$elacsym_rrf(%s, NULL, NULL, NULL)$$);
SELECT same('u17 w3', suffix => 'LIMIT 20', fused => $$elacsym_rrf(%s, "window" => 3)$$, win => 20);
-- an array of legs; one leg, three
SELECT same('u17 w3', fused => 'elacsym_rrf(ARRAY[%s])');
SELECT same('u17 w3', fused => $$elacsym_rrf(ARRAY[%s], '{1,4}', 5)$$, share => rrf(1, 4, 5));
SELECT compare($$SELECT id, elacsym_rrf(ARRAY[body <@> 'w3 u17']), elacsym_legs(elacsym_rrf(ARRAY[body <@> 'w3 u17'])) || '{NULL,NULL}'::float8[] FROM s ORDER BY 2$$,
	$$SELECT * FROM reference('s', $r$body <@> 'w3 u17'$r$, 'NULL::float8', 'true', 100, rrf())$$);
SELECT id, round(elacsym_rrf(ARRAY[v <=> '[1,2,1,2,1,2]', title <@> 'title', body <@> 'u17'], '{1,0,2}')::numeric, 6) AS score FROM s
	ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2,1,2]', title <@> 'title', body <@> 'u17'], '{1,0,2}') LIMIT 2;
-- linear fusion, normalised in four ways
SELECT same('u17 w3', fused => $$elacsym_linear(%s)$$, share => 'coalesce(greatest(1 - v1, 0) / max(1 - v1) OVER (), 0) + coalesce(v2 / min(v2) OVER (), 0)');
SELECT same('u17 w3', 'price < 300', fused => $$elacsym_linear(%s, '{.3,.7}', 'max')$$, share => 'coalesce(.3 * greatest(1 - v1, 0) / max(1 - v1) OVER (), 0) + coalesce(.7 * v2 / min(v2) OVER (), 0)');
SELECT same('u17 w3', fused => $$elacsym_linear(%s, normalization => 'minmax')$$,
	share => 'coalesce((v1 - max(v1) OVER ()) / (min(v1) OVER () - max(v1) OVER ()), 0) + coalesce((v2 - max(v2) OVER ()) / (min(v2) OVER () - max(v2) OVER ()), 0)');
SELECT same('u17 w3', fused => $$elacsym_linear(ARRAY[%s], '{1,2}', 'zscore', 50)$$, win => 50,
	share => 'coalesce((max(v1) OVER () - v1) / stddev_pop(v1) OVER (), 0) + coalesce(2 * (max(v2) OVER () - v2) / stddev_pop(v2) OVER (), 0)');
SELECT same('u17 w3', fused => $$elacsym_linear(%s, normalization => 'dbsf')$$,
	share => 'coalesce(least(greatest((avg(v1) OVER () + 3 * stddev_pop(v1) OVER () - v1) / (6 * stddev_pop(v1) OVER ()), 0), 1), 0) + coalesce(least(greatest((avg(v2) OVER () + 3 * stddev_pop(v2) OVER () - v2) / (6 * stddev_pop(v2) OVER ()), 0), 1), 0)');
-- the other metrics: what their similarities are
CREATE TABLE m AS SELECT id, tags, body, v FROM s;
CREATE INDEX m_l2 ON m USING elacsym (v vector_l2_ops, body text_bm25_ops (config = 'english'));
SELECT compare($$SELECT id, elacsym_linear(v <-> '[1,2,1,2,1,2]', body <@> 'u17 w3'), '{1}'::float8[] FROM m ORDER BY 2 LIMIT 200$$,
	$$SELECT id, score, '{1}'::float8[] FROM reference('m', $r$v <-> '[1,2,1,2,1,2]'$r$, $r$body <@> 'u17 w3'$r$, 'true', 200, 'coalesce(1 / (1 + v1) / max(1 / (1 + v1)) OVER (), 0) + coalesce(v2 / min(v2) OVER (), 0)') LIMIT 200$$);
CREATE INDEX m_ip ON m USING elacsym (v vector_ip_ops, tags);
SELECT compare($$SELECT id, elacsym_linear(v <#> '[1,-2,1,2,1,2]', body <@> 'u17 w3'), '{1}'::float8[] FROM m ORDER BY 2 LIMIT 200$$,
	$$SELECT id, score, '{1}'::float8[] FROM reference('m', $r$v <#> '[1,-2,1,2,1,2]'$r$, $r$body <@> 'u17 w3'$r$, 'true', 200, 'coalesce(greatest(v1, 0) * 0 + greatest(-v1, 0) / -min(v1) OVER (), 0) + coalesce(v2 / min(v2) OVER (), 0)') LIMIT 200$$);
DROP TABLE m;

-- a leg that is NULL ranks nothing; the other answers alone
SELECT compare($$SELECT id, elacsym_rrf(v <=> NULL, body <@> 'u17 w3'), elacsym_legs(elacsym_rrf(v <=> NULL, body <@> 'u17 w3')) FROM s ORDER BY 2$$,
	$$SELECT * FROM reference('s', 'NULL::float8', $r$body <@> 'u17 w3'$r$, 'true', 100, rrf())$$);
SELECT compare($$SELECT id, elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> NULL::text), elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> NULL::text)) FROM s ORDER BY 2$$,
	$$SELECT * FROM reference('s', $r$v <=> '[1,2,1,2,1,2]'$r$, 'NULL::float8', 'true', 100, rrf())$$);
SELECT count(*), min(score), max(score) FROM (SELECT id, elacsym_rrf(v <=> NULL, body <@> NULL::text) AS score FROM s ORDER BY 2) x;
SELECT count(*), min(score), max(score) FROM (SELECT id, elacsym_rrf(ARRAY[v <=> NULL, body <@> NULL::text]) AS score FROM s ORDER BY 2) x;
SELECT elacsym_legs(elacsym_rrf(v <=> NULL, body <@> NULL::text)) FROM s LIMIT 1;

-- subqueries as arguments: calls written twice are one
SELECT id, round(elacsym_rrf(v <=> (SELECT v FROM s WHERE id = 7), body <@> (SELECT body FROM s WHERE id = 9))::numeric, 6) AS score,
	(elacsym_legs(elacsym_rrf(v <=> (SELECT v FROM s WHERE id = 7), body <@> (SELECT body FROM s WHERE id = 9))))[1] AS rank
	FROM s WHERE elacsym_rrf(v <=> (SELECT v FROM s WHERE id = 7), body <@> (SELECT body FROM s WHERE id = 9)) < 0
	ORDER BY elacsym_rrf(v <=> (SELECT v FROM s WHERE id = 7), body <@> (SELECT body FROM s WHERE id = 9)) LIMIT 3;
SELECT id, round(score::numeric, 6) AS score, elacsym_legs(score)::numeric(8,4)[] FROM (SELECT id, elacsym_rrf(v <=> (SELECT v FROM s WHERE id = 7), body <@> (SELECT body FROM s WHERE id = 9)) AS score FROM s) x
	ORDER BY score LIMIT 2;
-- prepared: custom plans, then a generic one, with everything a parameter
PREPARE p(vector, text, float8, float8[], int, int, bigint, bigint) AS
	SELECT id, elacsym_rrf(v <=> $1, ARRAY[title, body] <@> $2, $4, $5, $6), elacsym_legs(elacsym_rrf(v <=> $1, ARRAY[title, body] <@> $2, $4, $5, $6)) FROM s WHERE price < $3
	ORDER BY 2 LIMIT $7 OFFSET $8;
CREATE FUNCTION prepared(vec text, words text, price float8, w float8[], k int, win int, lim bigint, off bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n int := 0;
	bad int := 0;
	a record;
	b refcursor;
	r record;
BEGIN
	OPEN b FOR EXECUTE format('SELECT * FROM reference(%L, %L, %L, %L, %s, %L) LIMIT %s OFFSET %s', 's', CASE WHEN vec IS NULL THEN 'NULL::float8' ELSE format('v <=> %L', vec) END,
		CASE WHEN words IS NULL THEN 'NULL::float8' ELSE format('ARRAY[title, body] <@> %L', words) END, format('price < %L::float8', price),
		greatest(win, coalesce(lim + coalesce(off, 0), 0)), rrf(w[1], w[2], k), coalesce(lim::text, 'ALL'), coalesce(off, 0));
	FOR a IN EXECUTE format('EXECUTE p(%L, %L, %L, %L, %L, %L, %L, %L)', vec, words, price, w, k, win, lim, off) LOOP
		FETCH b INTO r;
		n := n + 1;
		IF a.id IS DISTINCT FROM r.id OR abs(a.elacsym_rrf + r.score) > 1e-12 THEN bad := bad + 1; END IF;
	END LOOP;
	FETCH b INTO r;
	RETURN format('%s rows, %s bad%s', n, bad, CASE WHEN FOUND THEN ', some missing' END);
END $$;
SET plan_cache_mode = force_custom_plan;
SELECT prepared('[1,2,1,2,1,2]', 'u17 w3', 700, '{1,2}', 60, 100, 10, 0);
SELECT prepared('[1,2,1,2,1,2]', NULL, 700, '{1,2}', 60, 100, 10, 0);
SET plan_cache_mode = force_generic_plan;
SELECT prepared('[1,2,1,2,1,2]', 'u17 w3', 700, '{1,2}', 60, 100, 10, 0);
SELECT prepared('[3,2,1,0,1,2]', 'u99 x5', 900, '{1,1}', 10, 30, 200, 10);
SELECT prepared('[3,2,1,0,1,2]', NULL, 900, '{1,1}', 10, 30, 200, 10);
SELECT prepared(NULL, 'u99 x5', 900, '{1,1}', 10, 30, 20, 0);
SELECT prepared(NULL, NULL, 30, '{1,1}', 10, 30, 20, 0);
SELECT prepared('[3,2,1,0,1,2]', 'w5', 900, '{1,1}', 10, 30, NULL, NULL);
EXPLAIN (COSTS OFF) EXECUTE p('[3,2,1,0,1,2]', 'w5', 900, '{1,1}', 10, 30, NULL, NULL);
RESET plan_cache_mode;
DEALLOCATE p;

-- cursors: a page at a time, back and forth
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18');
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE 2600 FROM c;
FETCH 1 FROM c;
CLOSE c;
COMMIT;

-- one search for each row of another table: the node begins again
CREATE TABLE q (qid int, vec vector(6), words text, below float8);
INSERT INTO q VALUES (1, '[1,2,1,2,1,2]', 'u17 w3', 700), (2, '[3,2,1,0,1,2]', 'u99 x5', 900), (3, NULL, 'u5', 90), (4, '[1,1,1,1,1,1]', NULL, 5), (5, '[1,1,1,1,1,1]', 'w1', -1);
SELECT qid, array_agg(id ORDER BY n) = (SELECT array_agg(r.id) FROM (SELECT * FROM reference('s', CASE WHEN vec IS NULL THEN 'NULL::float8' ELSE format('v <=> %L', vec) END,
		CASE WHEN words IS NULL THEN 'NULL::float8' ELSE format('body <@> %L', words) END, format('price < %s', below), 100, rrf()) LIMIT 7) r) AS equal, count(id)
	FROM q LEFT JOIN LATERAL (SELECT id, row_number() OVER () AS n FROM (SELECT id FROM s WHERE price < below ORDER BY elacsym_rrf(v <=> vec, body <@> words) LIMIT 7) y) x ON true
	GROUP BY qid, vec, words, below ORDER BY qid;

-- the score wherever it is wanted, for nothing
SELECT round(avg(score)::numeric, 8), min(rank), max(rank) FROM (SELECT elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') AS score, rank() OVER (ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18')) FROM s) x WHERE score < 0;
SELECT tags, round(min(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18'))::numeric, 6) FROM s GROUP BY tags ORDER BY 2, 1;
SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') - CASE WHEN price > 1000 THEN .02 ELSE 0 END LIMIT 3;
SELECT id, round(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18')::numeric, 6) AS score FROM s WHERE id < 20 ORDER BY id DESC LIMIT 3;
SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18'), price LIMIT 3;
SELECT id FROM s WHERE id < 30 ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') DESC, id LIMIT 3;
SELECT DISTINCT round(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18')::numeric, 3) FROM s ORDER BY 1;
SELECT (s).id, s.ctid IS NOT NULL AS place, s.tableoid::regclass FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') LIMIT 2;
CREATE TABLE kept AS SELECT id, elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') AS score FROM s ORDER BY 2 LIMIT 20;
SELECT count(*), count(DISTINCT id) FROM kept;
DELETE FROM s WHERE id IN (SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18') LIMIT 2) RETURNING id;

-- ranks count what the snapshot sees: rows of this transaction, not those deleted
BEGIN;
INSERT INTO s (id, body, v, price) VALUES (9001, 'u18 u19', '[1,2,1,2,1,2]', 1);
UPDATE s SET body = 'u19' WHERE id = 100;
SELECT same('u18 u19');
ROLLBACK;
SELECT same('u18 u19');

-- row-level security and column privileges
CREATE ROLE elacsym_fusion_reader;
GRANT SELECT ON s TO elacsym_fusion_reader;
ALTER TABLE s ENABLE ROW LEVEL SECURITY;
CREATE POLICY even ON s TO elacsym_fusion_reader USING (id % 2 = 0);
SET ROLE elacsym_fusion_reader;
SELECT same('u17 u18 w3');
SELECT id, elacsym_legs(elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18 u19 u20'))::numeric(8,4)[] FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17 u18 u19 u20') LIMIT 4;
RESET ROLE;
DROP POLICY even ON s;
ALTER TABLE s DISABLE ROW LEVEL SECURITY;
REVOKE SELECT ON s FROM elacsym_fusion_reader;
GRANT SELECT (id, v) ON s TO elacsym_fusion_reader;
SET ROLE elacsym_fusion_reader;
SELECT count(*) FROM (SELECT id FROM s ORDER BY elacsym_rrf(ARRAY[v <=> '[1,2,1,2,1,2]']) LIMIT 5) x;
SELECT id FROM s ORDER BY elacsym_rrf(v <=> '[1,2,1,2,1,2]', body <@> 'u17') LIMIT 5;
RESET ROLE;
REVOKE SELECT (id, v) ON s FROM elacsym_fusion_reader;
DROP ROLE elacsym_fusion_reader;
DROP TABLE s, q, kept;
DROP FUNCTION reference, rrf, compare, same, prepared, analyzed;
