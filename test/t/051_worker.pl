# Background workers: what is written is flushed and merged without any call, in
# every database; a job that fails stands in nobody's way; processes may die.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q(
autovacuum = off
restart_after_crash = on
log_error_verbosity = verbose
shared_preload_libraries = 'elacsym'
elacsym.worker_naptime = 1
elacsym.delta_limit = 50
));
$node->start;

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

sub wait_for
{
	my ($what, $query, $database) = @_;

	ok($node->poll_query_until($database // 'postgres', $query), $what) or diag($node->safe_psql($database // 'postgres',
		q{SELECT * FROM elacsym_segments('docs_idx')}));
	return;
}

# Lines of the log that match, from offset on.
sub log_has
{
	my ($pattern, $offset) = @_;

	foreach (1 .. 100)
	{
		return 1 if slurp_file($node->logfile, $offset) =~ $pattern;
		usleep(100_000);
	}
	return 0;
}

my $schema = q{
CREATE EXTENSION elacsym;
CREATE FUNCTION point(i bigint, n int DEFAULT 8) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((hashint8extended(i, j) % 1000)::real)::vector FROM generate_series(1, n) j';
CREATE TABLE docs (id bigint PRIMARY KEY, body text, price float8, embedding vector(8));
CREATE INDEX docs_idx ON docs USING elacsym (embedding, body, price);
CREATE FUNCTION fill(a int, b int) RETURNS void LANGUAGE sql AS
	$$ INSERT INTO docs SELECT i, 'word w' || i % 10 || ' u' || i, i, point(i) FROM generate_series(a, b) i $$;
};
sql('CREATE DATABASE other');
sql('CREATE DATABASE plain');
sql($schema, $_) foreach 'postgres', 'other';

# The index has every row of the table once.
sub whole
{
	my ($what, $database) = @_;

	is(sql(q{SET enable_seqscan = off;
		SELECT count(*) = (SELECT count(*) FROM docs WHERE id >= 0), count(DISTINCT id) = count(*)
			FROM (SELECT id FROM docs ORDER BY embedding <-> point(1) OFFSET 0) s;
		SELECT elacsym_verify('docs_idx')}, $database), "t|t\nt", $what);
	return;
}

my $flushed = q{SELECT (SELECT documents FROM elacsym_delta('docs_idx')) < 50};
my $launcher = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'elacsym launcher'};

# Waits until a worker is at work on big_idx: its maintenance lock is held.
my $working = q{DO $$ BEGIN
	FOR i IN 1 .. 3000 LOOP
		IF EXISTS (SELECT FROM pg_locks WHERE locktype = 'tuple' AND page = 0 AND tuple = 1 AND relation = 'big_idx'::regclass) THEN
			RETURN;
		END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RAISE 'no worker';
END $$};

# Flush and merge in two databases.
wait_for('there is a launcher', "SELECT EXISTS ($launcher)");
sql('SELECT fill(1, 700)', $_) foreach 'postgres', 'other';
wait_for("rows are flushed in $_", $flushed, $_) foreach 'postgres', 'other';
foreach my $round (1 .. 10)
{
	sql("SELECT fill(700 + $round * 100, 799 + $round * 100)");
	$node->poll_query_until('postgres', $flushed) or BAIL_OUT('no flush');
}
wait_for('segments are merged', q{SELECT max(documents) >= 400 AND count(*) < 9 FROM elacsym_segments('docs_idx')});
whole("the rows in $_", $_) foreach 'postgres', 'other';

# Databases can be left out.
sub workers_for
{
	sql("ALTER SYSTEM SET elacsym.worker_databases = '$_[0]'");
	sql('SELECT pg_reload_conf()');
	# the round that has begun
	sleep 2;
	return;
}
workers_for('other');
sql('SELECT fill(2001, 2300)', $_) foreach 'postgres', 'other';
wait_for('a database that is named is looked after', $flushed, 'other');
is(sql($flushed), 'f', 'one that is not is left alone');

# A job that fails: re-encoding for more lists calls the index's expression.
sql(q{
CREATE FUNCTION embed(i bigint) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN point(i); END';
CREATE TABLE failing (id bigint PRIMARY KEY);
CREATE INDEX failing_idx ON failing USING elacsym ((embed(id)::vector(8)));
SET elacsym.delta_limit = 1000000;
INSERT INTO failing SELECT generate_series(1, 3000);
SELECT elacsym_flush('failing_idx');
INSERT INTO failing SELECT generate_series(3001, 15000);
CREATE OR REPLACE FUNCTION embed(i bigint) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
	$$ BEGIN RAISE 'no model today' USING ERRCODE = 'EL001'; END $$;
});
my $failing = sql(q{SELECT 'failing_idx'::regclass::oid});
my $offset = -s $node->logfile;
workers_for('');
wait_for('rows are flushed beside a job that fails', $flushed);
ok(log_has(qr/ERROR:\s+EL001: no model today(?:(?!ERROR:).)*background maintenance of elacsym index with OID $failing\n/s, $offset),
	'a failed job is logged with its index');
sql('SELECT fill(3001, 3100)');
wait_for('and again', $flushed);
sql(q{CREATE OR REPLACE FUNCTION embed(i bigint) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN point(i); END'});
wait_for('it succeeds when it can', q{SELECT (SELECT documents FROM elacsym_delta('failing_idx')) = 0
	AND sum(documents) = 15000 AND count(*) < 4 FROM elacsym_segments('failing_idx')});
ok(sql(q{SELECT elacsym_verify('failing_idx')}), 'and nothing is wrong after it');

# Tables that somebody has locked are passed over.
my $session = $node->background_psql('postgres');
$session->query_safe('BEGIN; LOCK TABLE failing IN ACCESS EXCLUSIVE MODE');
sql('SELECT fill(3101, 3200)');
wait_for('rows are flushed beside a locked table', $flushed);
$session->query_safe('COMMIT');
$session->quit;

# Databases come and go.
my ($rc, $out, $err) = $node->psql('postgres', 'DROP DATABASE other');
is($err, '', 'DROP DATABASE');
sql('CREATE DATABASE other TEMPLATE plain');
sql($schema, 'other');
sql('SET elacsym.delta_limit = 1000000; SELECT fill(1, 200)', 'other');
wait_for('rows are flushed in a new database', $flushed, 'other');

# A delta that keeps a worker busy for seconds.
sub make_work
{
	my ($database) = @_;

	workers_for('nowhere');
	sql(q{CREATE TABLE big (id bigint PRIMARY KEY, body text, embedding vector(96));
		CREATE INDEX big_idx ON big USING elacsym (embedding, body);
		SET elacsym.delta_limit = 1000000;
		INSERT INTO big SELECT i, 'w' || i % 100 || ' u' || i, (SELECT array_agg(random()::real)::vector FROM generate_series(1, 96) WHERE i > 0)
			FROM generate_series(1, 20000) i}, $database);
	sql(q{ALTER SYSTEM RESET elacsym.worker_databases});
	sql('SELECT pg_reload_conf()');
	is(($node->psql($database, $working))[2], '', 'a worker is busy');
	return;
}

make_work('other');
my $start = time;
($rc, $out, $err) = $node->psql('postgres', 'DROP DATABASE other WITH (FORCE)');
is($err, '', 'DROP DATABASE WITH (FORCE) while a worker works in it');
cmp_ok(time - $start, '<', 5, 'is done soon');
sql('SELECT fill(3201, 3300)');
wait_for('the others go on', $flushed);

# The server stops at once.
make_work('postgres');
$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 5, 'the server stops fast while a worker works');
$node->start;
wait_for('the work is done after a start', q{SELECT sum(documents) = 20000 FROM elacsym_segments('big_idx')});
ok(sql(q{SELECT elacsym_verify('big_idx')}), 'and sound');

# Processes die.  A worker that is told to leave:
sql(q{SET elacsym.delta_limit = 1000000; SELECT fill(10000, 20000)});
$node->poll_query_until('postgres', q{SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE backend_type = 'elacsym worker'});
wait_for('another worker follows one that was terminated', $flushed);
# the launcher: inserters do its work until it is back
my $pid = sql($launcher);
sql("SELECT pg_terminate_backend($pid, 5000)");
sql("SELECT fill(20000 + $_, 20000 + $_)") foreach 1 .. 120;
ok(sql(q{SELECT documents <= 100 FROM elacsym_delta('docs_idx')}), 'inserters flush while there is no launcher');
wait_for('the launcher comes back', "SELECT EXISTS ($launcher)");
isnt(sql($launcher), $pid, 'as another process');
# kill -9: the server starts anew by itself
$pid = sql($launcher);
sql(q{SET elacsym.delta_limit = 1000000; SELECT fill(30000, 30500)});
kill 'KILL', $pid;
ok(log_has(qr/all server processes terminated; reinitializing/, 0), 'the server starts anew after a kill -9');
wait_for('and so does the launcher', "SELECT EXISTS ($launcher AND pid <> $pid)");
wait_for('which does its work', $flushed);
whole('every row is there');

# A standby has no launcher until it is promoted.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
workers_for('nowhere');
sql(q{SET elacsym.delta_limit = 1000000; SELECT fill(40000, 40500)});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "SELECT EXISTS ($launcher), ($flushed)"), 'f|f', 'a standby has no launcher');
$node->stop('immediate');
$standby->promote;
ok($standby->poll_query_until('postgres', $flushed), 'after its promotion it has');
ok($standby->safe_psql('postgres', q{SELECT elacsym_verify('docs_idx')}), 'sound');
$standby->stop('fast');

unlike(slurp_file($standby->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing broke on the standby');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX\d\d\d:|terminated by signal (?!9)/, 'nothing broke in the log');
done_testing();
