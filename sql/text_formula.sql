-- Several fields, each with its own k1, b and weight, and weights of the query: sum, max and BM25F
-- against the formulas written out in SQL, wherever the rows lie.
CREATE TABLE tf_docs (id int PRIMARY KEY, title text, body text, note text);
CREATE FUNCTION tf_add(low int, high int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO tf_docs
	SELECT i, CASE WHEN i % 19 > 0 THEN 'red t' || i % 7 || repeat(' fox', i % 3) END,
		CASE WHEN i % 23 > 0 THEN repeat('hay ', i % 90) || 'fox b' || i % 11 || repeat(' red', i % 5) END,
		CASE WHEN i % 2 = 0 THEN 'note hay t' || i % 5 || repeat(' filling', i % 13) END
	FROM generate_series(low, high) i $$;
SELECT tf_add(1, 600);
CREATE INDEX tf_idx ON tf_docs USING elacsym (title text_bm25_ops (config = 'simple', weight = 2, k1 = 0.9, b = 1),
	body text_bm25_ops (config = 'simple', k1 = 1.6, b = 0.4), note text_bm25_ops (config = 'simple', weight = 0.5, b = 0));

CREATE TABLE tf_fields (field text, n int, k1 float8, b float8, weight float8);
INSERT INTO tf_fields VALUES ('title', 1, 0.9, 1, 2), ('body', 2, 1.6, 0.4, 1), ('note', 3, 1.2, 0, 0.5);
CREATE FUNCTION tf_length(n int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN n < 40 THEN n ELSE 24 + ((n - 24) >> s << s) END::float8
	FROM (SELECT CASE WHEN n < 40 THEN 0 ELSE floor(log(2::numeric, n - 24))::int - 3 END) x(s) $$;
-- the scores of all rows: weights are the query's, by field, or the index's
CREATE FUNCTION tf_reference(q text, combine text, weights float8[]) RETURNS TABLE (id int, score float8) LANGUAGE sql AS $$
	WITH fields AS (SELECT field, k1, b, coalesce(weights[n], weight) AS w FROM tf_fields WHERE coalesce(weights[n], weight) > 0),
		terms AS (SELECT d.id, v.field, t.lexeme, cardinality(t.positions) AS tf
			FROM tf_docs d, LATERAL (VALUES ('title', title), ('body', body), ('note', note)) v(field, value), unnest(to_tsvector('simple', value)) t),
		lengths AS (SELECT t.id, field, sum(tf)::int AS len FROM terms t GROUP BY 1, 2),
		stats AS (SELECT field, count(*)::float8 AS ndocs, avg(len)::float8 AS avgdl FROM lengths GROUP BY 1),
		norms AS (SELECT l.id, field, 1 - b + b * tf_length(len) / avgdl AS norm FROM lengths l JOIN stats USING (field) JOIN fields USING (field)),
		query AS (SELECT lexeme, cardinality(positions) AS qtf FROM unnest(to_tsvector('simple', q))),
		dfs AS (SELECT field, lexeme, count(*)::float8 AS df FROM terms JOIN query USING (lexeme) JOIN fields USING (field) GROUP BY 1, 2),
		by_field AS (SELECT t.id, t.field, sum(w * qtf * ln(1 + (ndocs - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * norm)) AS s
			FROM terms t JOIN query USING (lexeme) JOIN dfs USING (field, lexeme) JOIN stats USING (field) JOIN fields USING (field)
				JOIN norms n ON n.id = t.id AND n.field = t.field
			GROUP BY 1, 2),
		of_lexemes AS (SELECT lexeme, max(df) AS df, (SELECT max(ndocs) FROM stats JOIN fields USING (field)) AS ndocs FROM dfs GROUP BY 1),
		of_fields AS (SELECT sum(w * k1) / sum(w) AS k1 FROM fields),
		saturated AS (SELECT t.id, lexeme, qtf, sum(w * tf / norm) AS tf FROM terms t JOIN query USING (lexeme) JOIN fields USING (field)
			JOIN norms n ON n.id = t.id AND n.field = t.field GROUP BY 1, 2, 3)
	SELECT f.id, CASE combine WHEN 'max' THEN max(s) ELSE sum(s) END FROM by_field f WHERE combine <> 'bm25f' GROUP BY 1
	UNION ALL
	SELECT s.id, sum(qtf * ln(1 + (ndocs - df + 0.5) / (df + 0.5)) * tf / (tf + k1))
		FROM saturated s JOIN of_lexemes USING (lexeme), of_fields WHERE combine = 'bm25f' GROUP BY 1 $$;

-- Asked of the index in order and of the operator: rows with a score, and those whose score is not the formula's.
CREATE FUNCTION tf_check(OUT question text, OUT scored bigint, OUT wrong bigint, OUT unlike bigint) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
	asked record;
	call text;
BEGIN
	FOR asked IN SELECT q, combine, weights FROM (VALUES ('red fox'), ('hay hay t3 b7'), ('fox filling note red red')) a(q),
		(VALUES ('sum'), ('max'), ('bm25f')) c(combine), (VALUES (NULL::float8[]), ('{0.5,3,0}'), ('{0,0,2}')) w(weights) LOOP
		call := format('ARRAY[title, body, note] <@> elacsym_match(%L, weights => %L, combine => %L)', asked.q, asked.weights::text, asked.combine);
		question := concat_ws(' ', asked.q || ',', asked.combine, asked.weights::text);
		DROP TABLE IF EXISTS tf_found;
		SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
		EXECUTE format('CREATE TEMP TABLE tf_found AS SELECT id, %1$s AS s FROM tf_docs ORDER BY %1$s', call);
		SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on;
		SELECT count(*) FILTER (WHERE f.s < 0), count(*) FILTER (WHERE abs(coalesce(-f.s, 0) - coalesce(r.score, 0)) > 1e-5 * coalesce(r.score, 0))
			INTO scored, wrong FROM tf_found f FULL JOIN tf_reference(asked.q, asked.combine, asked.weights) r USING (id);
		EXECUTE format('SELECT count(*) FROM tf_found f JOIN (SELECT id, %s AS s FROM tf_docs OFFSET 0) d USING (id) WHERE f.s IS DISTINCT FROM d.s', call) INTO unlike;
		RETURN NEXT;
	END LOOP;
END $$;
SET client_min_messages = warning;
SELECT * FROM tf_check();
-- in the delta, in three segments and a delta, in one
SELECT tf_add(601, 700);
SELECT count(*), sum(scored) AS scored, sum(wrong) AS wrong, sum(unlike) AS unlike FROM tf_check();
SELECT elacsym_flush('tf_idx'), tf_add(701, 780), elacsym_flush('tf_idx'), tf_add(781, 800);
SELECT count(*), sum(scored) AS scored, sum(wrong) AS wrong, sum(unlike) AS unlike FROM tf_check();
SELECT elacsym_compact('tf_idx') > 0 AS merged;
SELECT count(*), sum(scored) AS scored, sum(wrong) AS wrong, sum(unlike) AS unlike FROM tf_check();

-- partitions have the statistics of all: the very scores of the whole
CREATE TABLE tf_parts (id int, title text, body text, note text) PARTITION BY RANGE (id);
CREATE TABLE tf_parts1 PARTITION OF tf_parts FOR VALUES FROM (0) TO (37);
CREATE TABLE tf_parts2 PARTITION OF tf_parts FOR VALUES FROM (37) TO (10000);
INSERT INTO tf_parts SELECT * FROM tf_docs;
CREATE INDEX tf_parts_idx ON tf_parts USING elacsym (title text_bm25_ops (config = 'simple', weight = 2, k1 = 0.9, b = 1),
	body text_bm25_ops (config = 'simple', k1 = 1.6, b = 0.4), note text_bm25_ops (config = 'simple', weight = 0.5, b = 0));
SELECT c AS combine, count(*), count(*) FILTER (WHERE (ARRAY[p.title, p.body, p.note] <@> elacsym_match('red hay t3', combine => c)) IS DISTINCT FROM
		(ARRAY[d.title, d.body, d.note] <@> elacsym_match('red hay t3', combine => c))) AS other,
	count(*) FILTER (WHERE (ARRAY[p.title, p.body, p.note] <@> elacsym_match('red hay t3', '{1,2,3}', c)) IS DISTINCT FROM
		(ARRAY[d.title, d.body, d.note] <@> elacsym_match('red hay t3', '{1,2,3}', c))) AS "other, weighted"
	FROM tf_parts p JOIN tf_docs d USING (id), unnest('{sum,max,bm25f}'::text[]) c GROUP BY c ORDER BY c;

-- k1 and b are the field's own: a larger k1 takes longer to saturate, b = 0 does not look at lengths
CREATE TABLE tf_own (id int, body text);
INSERT INTO tf_own SELECT i, repeat('cat ', i) || repeat('hay ', i * i) FROM generate_series(1, 12) i;
CREATE INDEX ON tf_own USING elacsym (body text_bm25_ops (config = 'simple', k1 = 0, b = 0), (body || '') text_bm25_ops (config = 'simple', k1 = 100, b = 0),
	(body || ' ') text_bm25_ops (config = 'simple', b = 1));
SELECT count(DISTINCT body <@> 'cat') AS "k1 = 0: scores",
	array_agg(id ORDER BY (body || '') <@> 'cat') AS "k1 = 100", array_agg(id ORDER BY (body || ' ') <@> 'cat') AS "b = 1"
	FROM tf_own;
DROP TABLE tf_docs, tf_fields, tf_parts, tf_own, tf_found;
DROP FUNCTION tf_add, tf_length, tf_reference, tf_check;
