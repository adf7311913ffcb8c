-- A flush or merge that fails within an INSERT does not refuse the row.
CREATE TABLE f (id int PRIMARY KEY, v vector(2));
CREATE FUNCTION checked(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF v::text = '[7,7]' AND current_setting('failing.job', true) = 'on' THEN
		RAISE EXCEPTION 'seven is not welcome' USING ERRCODE = 'XX999';
	END IF;
	RETURN v;
END $$;
CREATE INDEX f_idx ON f USING elacsym ((checked(v)::vector(2)));
SET elacsym.delta_limit = 10;
-- trained on some rows; growing fourfold trains anew, which reads all rows, the seventh among them
INSERT INTO f SELECT i, ARRAY[i, i]::vector FROM generate_series(1, 12) i;
SET failing.job = 'on';
INSERT INTO f SELECT i, ARRAY[i, i + 1]::vector FROM generate_series(13, 300) i;
SELECT count(*) FROM f;
SET failing.job = 'off';
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM f ORDER BY checked(v)::vector(2) <-> '[1,1]') x;
-- once the cause is gone, VACUUM does what was left
VACUUM f;
SELECT elacsym_verify('f_idx');
SELECT sum(documents) > 0 AS flushed FROM elacsym_segments('f_idx');
SELECT count(*) FROM (SELECT id FROM f ORDER BY checked(v)::vector(2) <-> '[1,1]') x;
DROP TABLE f;
DROP FUNCTION checked;
