-- Lexemes without positions: for the server's @@ they have whatever label is
-- asked for.  The index must find all rows that the server finds, and no others.
CREATE TABLE ts_docs (id int PRIMARY KEY, v tsvector, bare tsvector);
INSERT INTO ts_docs SELECT i, w, w FROM generate_series(1, 600) i,
	LATERAL (SELECT CASE i % 7
		WHEN 0 THEN 'fox dog cats'::tsvector
		WHEN 1 THEN 'fox:1A dog:2 cats:3B'
		WHEN 2 THEN 'fox:1 dog cats:2C'
		WHEN 3 THEN 'fox dog:1A catnip'
		WHEN 4 THEN strip('fox:1A cat:2A'::tsvector)
		WHEN 5 THEN 'dog:1B,2 cat cats:3A'
		END AS w) x;
CREATE INDEX ts_idx ON ts_docs USING elacsym (v tsvector_bm25_ops (weight_a = 3, weight_d = 2),
	bare tsvector_bm25_ops (positions = off, weight_a = 3, weight_d = 2), id);
INSERT INTO ts_docs SELECT id + 600, v, bare FROM ts_docs WHERE id <= 70;
ANALYZE ts_docs;

-- ids by the server, by conditions of the index, by ordered scans; with and without positions
CREATE FUNCTION ts_check(query tsquery, OUT rows bigint, OUT "differ" bigint) LANGUAGE plpgsql AS $$
DECLARE
	wanted int[];
	got int[];
BEGIN
	"differ" := 0;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_bitmapscan = off;
	SET LOCAL elacsym.enable_customscan = off;
	EXECUTE format('SELECT array_agg(id ORDER BY id) FROM ts_docs WHERE v @@ %L::tsquery', query) INTO wanted;
	SET LOCAL elacsym.enable_customscan = on;
	SET LOCAL enable_seqscan = off;
	FOR i IN 0..3 LOOP
		PERFORM set_config('enable_bitmapscan', CASE WHEN i < 2 THEN 'on' ELSE 'off' END, true),
			set_config('enable_sort', CASE WHEN i < 2 THEN 'on' ELSE 'off' END, true);
		IF i < 2 THEN
			EXECUTE format('SELECT array_agg(id ORDER BY id) FROM ts_docs WHERE %2$I @@ %1$L::tsquery',
				query, (ARRAY['v', 'bare'])[i + 1]) INTO got;
		ELSE
			EXECUTE format('SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM ts_docs WHERE %2$I @@ %1$L::tsquery
				ORDER BY %2$I <@> %1$L::tsquery OFFSET 0) t', query, (ARRAY['v', 'bare'])[i - 1]) INTO got;
		END IF;
		"differ" := "differ" + (got IS DISTINCT FROM wanted)::int;
	END LOOP;
	rows := coalesce(cardinality(wanted), 0);
END $$;
SELECT q, (ts_check(q::tsquery)).* FROM unnest(ARRAY['fox', 'fox:A', 'fox:D', 'fox:B', '!fox:A', 'fox:A & dog:B', 'fox:A & !dog:B', 'cat:*A',
	'!cat:*B', 'cat:*C | dog:A', '!(fox:A | dog:A)', 'nothing:A', '!nothing:A']) q;
SELECT elacsym_flush('ts_idx'), elacsym_compact('ts_idx'), elacsym_verify('ts_idx');
SELECT q, (ts_check(q::tsquery)).* FROM unnest(ARRAY['fox:A', '!fox:A', 'fox:A & !dog:B', 'cat:*A', '!cat:*B']) q;

-- a phrase needs positions, in the index as in the server
SELECT count(*) FILTER (WHERE v @@ 'fox <-> dog'::tsquery) AS server,
	count(*) FILTER (WHERE v <@> 'fox <-> dog'::tsquery < 0) AS "index",
	count(*) FILTER (WHERE (v @@ 'fox & !(fox <-> dog)'::tsquery) IS DISTINCT FROM (v <@> 'fox & !(fox <-> dog)'::tsquery < 0)) AS "differ" FROM ts_docs;

-- they are weighted as those with label D are
SELECT DISTINCT round((v <@> elacsym_match('fox'::tsquery, '{2,0,0,0}'))::numeric / (v <@> elacsym_match('fox'::tsquery, '{1,1,1,1}'))::numeric, 4) AS ratio
	FROM ts_docs WHERE v = strip(v) AND v @@ 'fox';
DROP TABLE ts_docs;
DROP FUNCTION ts_check;
