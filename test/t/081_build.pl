# Copyright (c) 2026, the elacsym authors
#
# CREATE INDEX with workers and without: the same rows found, one segment
# either way, whatever maintenance_work_mem; progress is reported, a cancel is
# obeyed in every phase, and what a worker raises reaches the user.

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
		SELECT round(avg((SELECT count(*) FROM unnest(found(v)) f WHERE f = ANY(exact(v)))) / 10, 4) FROM q});
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

my $rows = 140000;
$node->safe_psql('postgres', qq{
	CREATE TABLE many AS SELECT i AS id, 'x' || i || ' y' || i * 7 || ' z' || i * 13 || ' common' AS body, i % 10 AS n FROM generate_series(1, $rows) i;
	ALTER TABLE many SET (parallel_workers = 2);
	SET maintenance_work_mem = '1MB';
	CREATE INDEX many_idx ON many USING elacsym (body text_bm25_ops (config = 'simple'), n)});
is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || sum(documents) FROM elacsym_segments('many_idx')}),
	"1 $rows", 'texts larger than memory: one segment with every row');
is($node->safe_psql('postgres', q{SELECT elacsym_verify('many_idx')}), 't', 'texts larger than memory: sound');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM many ORDER BY body <@> 'x139999' LIMIT 1}),
	'139999', 'texts larger than memory: found');
$node->safe_psql('postgres', 'DROP TABLE many');

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

SKIP:
{
	skip 'no /proc', 1 unless -r '/proc/self/status';
	my ($stdin, $stdout, $stderr) = ('', '', '');
	my $handle = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()',
			'-c', q{SET maintenance_work_mem = '2MB'}, '-c', 'SET max_parallel_maintenance_workers = 0',
			'-c', 'CREATE INDEX wide_idx ON wide USING elacsym (v)' ],
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
	cmp_ok($peak - $first, '<', 12 * 1024, 'memory of a build in 2 MB: ' . int(($peak - $first) / 1024) . ' MB');
}
$node->stop;
done_testing();
