# Copyright (c) 2026, the elacsym authors
#
# CREATE INDEX with workers and without: the same rows found, one segment
# either way, whatever maintenance_work_mem; texts alone, by label, of
# megabytes; progress is reported, a cancel is obeyed in every phase, what a
# worker raises reaches the user, and memory is bounded.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('build');
$node->init;
$node->append_conf('postgresql.conf',
	"fsync = off\nmaintenance_work_mem = 64MB\nmax_parallel_maintenance_workers = 2\nmax_worker_processes = 8\nautovacuum = off\n");
$node->start;

# Rows around 60 centres, of 24 dimensions, with texts and numbers beside them.
$node->safe_psql('postgres', q{
	CREATE EXTENSION elacsym;
	SELECT setseed(.5);
	CREATE TABLE centre AS SELECT c, array_agg(random() * 10) v FROM generate_series(0, 59) c, generate_series(1, 24) GROUP BY c;
	CREATE TABLE t (id int, n int, body text, v vector(24));
	INSERT INTO t SELECT i, i % 100, 'word w' || i % 50 || ' u' || i,
		(SELECT array_agg(x + random() * 3 ORDER BY d) FROM unnest(c.v) WITH ORDINALITY u(x, d) WHERE i > 0)::float4[]::vector
		FROM generate_series(1, 30000) i JOIN centre c ON c.c = i % 60;
	UPDATE t SET v = NULL WHERE id % 1000 = 0;
	UPDATE t SET v = array_fill(0, ARRAY[24])::vector WHERE id % 1000 = 1;
	VACUUM ANALYZE t;
	CREATE TABLE q AS SELECT i, (SELECT array_agg(x + random() * 3 ORDER BY d) FROM unnest(c.v) WITH ORDINALITY u(x, d) WHERE i > 0)::float4[]::vector v
		FROM generate_series(1, 100) i JOIN centre c ON c.c = i % 60;
});

my $columns = "(v vector_l2_ops, body text_bm25_ops (config = 'simple'), n)";

# Share of the true ten found, at the default settings.
sub recall
{
	return $node->safe_psql('postgres', q{
		CREATE OR REPLACE FUNCTION exact(vector) RETURNS int[] LANGUAGE plpgsql SET enable_indexscan = off SET elacsym.enable_customscan = off AS
			$$ BEGIN RETURN ARRAY(SELECT id FROM t WHERE v IS NOT NULL ORDER BY v <-> $1 LIMIT 10); END $$;
		CREATE OR REPLACE FUNCTION found(vector) RETURNS int[] LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS
			$$ BEGIN RETURN ARRAY(SELECT id FROM t WHERE v IS NOT NULL ORDER BY v <-> $1 LIMIT 10); END $$;
		WITH answers AS MATERIALIZED (SELECT found(v) AS found, exact(v) AS truth FROM q)
		SELECT round(avg((SELECT count(*) FROM unnest(found) f WHERE f = ANY(truth))) / 10, 4) FROM answers});
}

# Answers that do not depend on lists: texts and numbers.
sub answers
{
	return $node->safe_psql('postgres', q{
		SET enable_seqscan = off;
		SELECT md5(string_agg(id || ':' || s, ',')) FROM (SELECT id, body <@> 'w7 u77 u30000' AS s FROM t ORDER BY 2, 1 LIMIT 700) x
		UNION ALL SELECT count(*)::text FROM t WHERE n = 42});
}

# Builds and looks; returns the answers.
sub check_build
{
	my ($what, $workers, $memory, $wanted) = @_;
	my (undef, undef, $stderr) = $node->psql('postgres', qq{
		ALTER TABLE t SET (parallel_workers = $workers);
		SET maintenance_work_mem = '$memory';
		SET client_min_messages = debug1;
		CREATE INDEX t_idx ON t USING elacsym $columns});
	like($stderr, qr/building index "t_idx" with $wanted workers/, "$what: $wanted workers");
	is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || sum(documents) FROM elacsym_segments('t_idx')}),
		'1 30000', "$what: one segment with every row");
	is($node->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', "$what: sound");
	my $recall = recall();
	cmp_ok($recall, '>=', 0.95, "$what: recall@10 $recall");
	my $answers = answers();
	$node->safe_psql('postgres', 'DROP INDEX t_idx');
	return $answers;
}

my $serial = check_build('serial', 0, '64MB', 0);
is(check_build('parallel', 2, '64MB', 2), $serial, 'the same answers with workers');
is(check_build('serial in 1 MB', 0, '1MB', 0), $serial, 'the same answers in 1 MB');
is(check_build('parallel in 4 MB', 2, '4MB', 2), $serial, 'the same answers with workers in 4 MB');

# The table's own numbers decide when it says nothing of workers.
$node->safe_psql('postgres', 'ALTER TABLE t RESET (parallel_workers)');
my (undef, undef, $small) = $node->psql('postgres', qq{SET client_min_messages = debug1; SET min_parallel_table_scan_size = '1GB';
	CREATE INDEX t_idx ON t USING elacsym $columns; DROP INDEX t_idx});
like($small, qr/with 0 workers/, 'no worker for a small table');

# ---- beside writers, and again ----

$node->safe_psql('postgres', 'ALTER TABLE t SET (parallel_workers = 2)');
$node->safe_psql('postgres', "CREATE INDEX CONCURRENTLY t_idx ON t USING elacsym $columns");
is($node->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', 'CREATE INDEX CONCURRENTLY: sound');
is(answers(), $serial, 'CREATE INDEX CONCURRENTLY: the same answers');
$node->safe_psql('postgres', 'REINDEX INDEX t_idx');
is(answers(), $serial, 'REINDEX: the same answers');
$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY t_idx');
is(answers(), $serial, 'REINDEX CONCURRENTLY: the same answers');
$node->safe_psql('postgres', 'DROP INDEX t_idx');

# ---- more segments than a build keeps unpublished: merged while rows are still read ----

# Attributes fill a segment; texts lie in many runs, which each segment takes its rows of.
my $rows = 140000;
$node->safe_psql('postgres', qq{
	CREATE TABLE many AS SELECT i AS id, 'x' || i || ' y' || i * 7 || ' z' || i * 13 || ' common' AS body, i % 10 AS n,
		repeat(md5(i::text), 5) AS note FROM generate_series(1, $rows) i;
	ALTER TABLE many SET (parallel_workers = 2);
	SET maintenance_work_mem = '1MB';
	CREATE INDEX many_idx ON many USING elacsym (body text_bm25_ops (config = 'simple'), n, note)});
is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || sum(documents) FROM elacsym_segments('many_idx')}),
	"1 $rows", 'attributes larger than memory: one segment with every row');
is($node->safe_psql('postgres', q{SELECT elacsym_verify('many_idx')}), 't', 'attributes larger than memory: sound');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM many ORDER BY body <@> 'x139999' LIMIT 1}),
	'139999', 'attributes larger than memory: found');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM many ORDER BY body <@> 'common') x}),
	$rows, 'attributes larger than memory: every row has its text');
$node->safe_psql('postgres', 'DROP TABLE many');

# ---- texts alone ----

# Words of a vocabulary that grows with the rows, among words that many rows share; dead rows, NULLs, updated rows whose
# tids are not in the order of their tuples.
$node->safe_psql('postgres', q{
	SELECT setseed(.25);
	CREATE TABLE prose (id int, body text) WITH (fillfactor = 70);
	INSERT INTO prose SELECT i, (SELECT string_agg(CASE WHEN random() < .3 THEN 'rare' || (random() * i * 9)::int ELSE 'w' || (random() ^ 3 * 3000)::int END, ' ' ORDER BY w)
		FROM generate_series(1, 40) w WHERE i > 0) FROM generate_series(1, 40000) i;
	UPDATE prose SET id = id WHERE id % 3 = 0;
	UPDATE prose SET body = NULL WHERE id % 100 = 1;
	UPDATE prose SET body = 'the ' || body || ' of w1 w1 w2' WHERE id % 50 = 7;
	DELETE FROM prose WHERE id % 97 = 5;
	VACUUM prose;
	UPDATE prose SET id = id WHERE id % 3 = 1;
	ANALYZE prose;
	ALTER TABLE prose ADD COLUMN labels tsvector;
	UPDATE prose SET labels = setweight(to_tsvector('simple', split_part(body, ' ', 1) || ' w1'), 'A') || setweight(to_tsvector('simple', split_part(body, ' ', 2)), 'C')
		|| to_tsvector('simple', body);
	VACUUM prose;
});

# The index's answers, as far as they depend on nothing but the rows: every row in order of score, and the matches of words.
sub prose_answers
{
	return $node->safe_psql('postgres', q{
		SET enable_seqscan = off; SET enable_bitmapscan = off; SET default_text_search_config = simple;
		SELECT (SELECT count(*) || md5(string_agg(id || ':' || coalesce(s, 9), ',' ORDER BY s, id)) FROM (SELECT id, body <@> 'w7 rare77 w1 w2999' AS s FROM prose ORDER BY 2) x)
			|| ' ' || (SELECT count(*) || md5(string_agg(id || ':' || coalesce(s, 9), ',' ORDER BY s, id)) FROM (SELECT id, labels <@> 'w7 rare77 w1' AS s FROM prose ORDER BY 2) x)
			|| ' ' || (SELECT count(*) FROM prose WHERE body @@ 'w1') || ' ' || (SELECT count(*) FROM prose WHERE body @@ 'w2 & !w1')});
}

my $prose_rows = $node->safe_psql('postgres', 'SELECT count(*) FROM prose');
my $prose_matches = $node->safe_psql('postgres', q{SET default_text_search_config = simple;
	SELECT (SELECT count(*) FROM prose WHERE body @@ 'w1') || ' ' || (SELECT count(*) FROM prose WHERE body @@ 'w2 & !w1')});

sub check_prose
{
	my ($what, $workers, $memory) = @_;
	$node->safe_psql('postgres', qq{
		ALTER TABLE prose SET (parallel_workers = $workers);
		SET maintenance_work_mem = '$memory';
		CREATE INDEX prose_idx ON prose USING elacsym (body text_bm25_ops (config = 'simple'), labels tsvector_bm25_ops (config = 'simple'))});
	is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || sum(documents) FROM elacsym_segments('prose_idx')}),
		"1 $prose_rows", "$what: one segment with every row");
	is($node->safe_psql('postgres', q{SELECT elacsym_verify('prose_idx')}), 't', "$what: sound");
	my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('prose_idx')});
	my $answers = prose_answers();
	like($answers, qr/^\Q$prose_rows\E[0-9a-f]{32} \Q$prose_rows\E[0-9a-f]{32} \Q$prose_matches\E$/, "$what: every row is found, and those that match");
	$node->safe_psql('postgres', 'DROP INDEX prose_idx');
	return "$size $answers";
}

my $prose = check_prose('texts, serial', 0, '256MB');
is(check_prose('texts, serial in 1 MB', 0, '1MB'), $prose, 'texts: the same postings and answers from runs');
is(check_prose('texts, parallel', 2, '256MB'), $prose, 'texts: the same postings and answers with workers');
is(check_prose('texts, parallel in 4 MB', 2, '4MB'), $prose, 'texts: the same postings and answers with workers in runs');
$node->safe_psql('postgres', 'ALTER TABLE prose DROP COLUMN labels');

# ---- rows of megabytes ----

$node->safe_psql('postgres', q{
	CREATE TABLE large (id int, body text);
	INSERT INTO large SELECT i, (SELECT string_agg('r' || i || 'x' || w, ' ') || ' common' FROM generate_series(1, 300000) w WHERE i > 0) FROM generate_series(1, 3) i;
	INSERT INTO large SELECT i, repeat('again common ', 80000) FROM generate_series(4, 6) i;
	SET maintenance_work_mem = '1MB';
	CREATE INDEX large_idx ON large USING elacsym (body text_bm25_ops (config = 'simple'));
	INSERT INTO large SELECT i, (SELECT string_agg('r' || i || 'x' || w, ' ') || ' common' FROM generate_series(1, 300000) w WHERE i > 0) FROM generate_series(7, 8) i;
});
is($node->safe_psql('postgres', q{SELECT elacsym_verify('large_idx')}), 't', 'rows of megabytes: sound');
for my $id (1, 3, 8)
{
	is($node->safe_psql('postgres', qq{SET enable_seqscan = off; SELECT id FROM large ORDER BY body <@> 'r${id}x299999 r${id}x1' LIMIT 1}),
		$id, "rows of megabytes: row $id is found");
}
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT string_agg(id::text, ',') FROM (SELECT id FROM large ORDER BY body <@> 'again', id LIMIT 3) x}),
	'4,5,6', 'rows of megabytes: those of one word');
$node->safe_psql('postgres', 'DROP TABLE large');

# ---- progress and cancel, phase by phase ----

# An expression that takes its time makes each phase that evaluates it long enough to be seen.
$node->safe_psql('postgres', q{
	CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS
		$$ BEGIN IF n % 100 = 0 THEN PERFORM pg_sleep(.01); END IF; RETURN n; END $$;
	CREATE FUNCTION slow(v vector) RETURNS vector IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS
		$$ BEGIN IF random() < .01 THEN PERFORM pg_sleep(.01); END IF; RETURN v; END $$;
	CREATE TABLE wide AS SELECT i AS id, (SELECT array_agg(sin(i * d * .37 + d)) FROM generate_series(1, 96) d WHERE i > 0)::float4[]::vector(96) v
		FROM generate_series(1, 30000) i;
});

# Starts a build, waits for a phase and cancels; '' when the phase was never seen.
sub cancel_in
{
	my ($phase, $statement, $workers) = @_;
	my ($stdin, $stdout, $stderr, $timer) = ('', '', '', IPC::Run::timeout(180));
	my $handle = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "ALTER TABLE t SET (parallel_workers = $workers)",
			'-c', "ALTER TABLE wide SET (parallel_workers = $workers)", '-c', $statement ],
		'<', \$stdin, '>', \$stdout, '2>', \$stderr, $timer);
	my $seen = '';
	my $start = time;
	while (time - $start < 60 && $handle->pumpable)
	{
		$seen = $node->safe_psql('postgres', qq{
			SELECT phase || '|' || tuples_done || '|' || blocks_done || '|' || blocks_total || '|' || pg_cancel_backend(pid)
			FROM pg_stat_progress_create_index WHERE phase LIKE '%$phase' AND (tuples_done > 0 OR phase ~ 'training|calibrating')});
		last if $seen ne '';
		$handle->pump_nb;
	}
	my $cancelled = time;
	$handle->finish;
	return ($seen, time - $cancelled, $stderr);
}

for my $case (
	[ 'sampling table', 'CREATE INDEX t_slow ON t USING elacsym ((slow(v)::vector(24)))', 0 ],
	[ 'training codebook', 'CREATE INDEX wide_idx ON wide USING elacsym (v)', 0 ],
	[ 'loading tuples', "CREATE INDEX t_slow ON t USING elacsym (v, body, (slow(n)))", 0 ],
	[ 'loading tuples', "CREATE INDEX t_slow ON t USING elacsym (v, body, (slow(n)))", 2 ])
{
	my ($phase, $statement, $workers) = @$case;
	my ($seen, $took, $error) = cancel_in($phase, $statement, $workers);
	like($seen, qr/$phase\|\d+\|\d+\|\d+\|t/, "$phase, $workers workers: seen as $seen");
	like($error, qr/canceling statement due to user request/, "$phase, $workers workers: cancelled");
	cmp_ok($took, '<', 5, "$phase, $workers workers: after " . sprintf('%.2f s', $took));
	if ($phase eq 'loading tuples')
	{
		my (undef, $tuples, undef, $blocks) = split /\|/, $seen;
		cmp_ok($tuples, '>', 0, "$phase, $workers workers: tuples are counted");
		cmp_ok($blocks, '>', 0, "$phase, $workers workers: blocks are counted");
	}
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('t_slow', 'wide_idx')}), '0', 'nothing is left of cancelled builds');

# ---- errors ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION fails(n int, id int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS
		$$ BEGIN IF id > 29000 AND id % 2 = 0 THEN RAISE EXCEPTION 'row % is not wanted', id; END IF; RETURN n; END $$});
my ($status, undef, $error) = $node->psql('postgres', 'CREATE INDEX t_fails ON t USING elacsym (v, (fails(n, id)))');
isnt($status, 0, 'an error in a worker ends the build');
like($error, qr/row \d+ is not wanted/, 'and is told');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_activity WHERE backend_type = \'parallel worker\''), '0', 'no worker is left');
is(check_build('after errors', 2, '64MB', 2), $serial, 'the same answers after errors');

# ---- memory: what the process itself allocates at most ----

# Kilobytes that a statement adds to a backend, at its peak; nothing where /proc tells nothing.
sub peak_memory
{
	my ($memory, $statement) = @_;
	my ($stdin, $stdout, $stderr) = ('', '', '');
	my $handle = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()',
			'-c', "SET maintenance_work_mem = '$memory'", '-c', 'SET max_parallel_maintenance_workers = 0', '-c', $statement ],
		'<', \$stdin, '>', \$stdout, '2>', \$stderr, IPC::Run::timeout(180));
	my ($peak, $first) = (0, undef);
	while ($handle->pumpable)
	{
		$handle->pump_nb;
		usleep(2000);
		my ($pid) = $stdout =~ /^(\d+)$/m or next;
		open(my $file, '<', "/proc/$pid/status") or last;
		my ($anon) = join('', <$file>) =~ /RssAnon:\s+(\d+)/ or next;
		$first //= $anon;
		$peak = $anon if $anon > $peak;
	}
	$handle->finish;
	return $peak - ($first // 0);
}

SKIP:
{
	skip 'no /proc', 3 unless -r '/proc/self/status';
	my $used = peak_memory('2MB', 'CREATE INDEX wide_idx ON wide USING elacsym (v)');
	cmp_ok($used, '<', 12 * 1024, 'memory of a build in 2 MB: ' . int($used / 1024) . ' MB');
	my $texts = "CREATE INDEX prose_idx ON prose USING elacsym (body text_bm25_ops (config = 'simple'))";
	$used = peak_memory('2MB', $texts);
	cmp_ok($used, '<', 14 * 1024, 'memory of a build of texts in 2 MB: ' . int($used / 1024) . ' MB');
	$node->safe_psql('postgres', 'DROP INDEX prose_idx');
	my $unbounded = peak_memory('1GB', $texts);
	cmp_ok($unbounded, '>', $used + 4 * 1024, 'which all at once would exceed: ' . int($unbounded / 1024) . ' MB');
}
$node->stop;
done_testing();
