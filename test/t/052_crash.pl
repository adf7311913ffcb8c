# kill -9 at random moments.  What was acknowledged is found afterwards through
# the index, by vector and by text; what was not is not; nothing is damaged and
# the pages of jobs cut short are used again.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $rounds = $ENV{ELACSYM_CRASH_ROUNDS} || 4;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
autovacuum = off
shared_buffers = 16MB
maintenance_work_mem = 1MB
elacsym.delta_limit = 300
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
CREATE EXTENSION elacsym;
CREATE FUNCTION point(i bigint) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((hashint8extended(i, j) % 1000)::real)::vector FROM generate_series(1, 24) j';
CREATE TABLE docs (id bigint PRIMARY KEY, body text, price float8, embedding vector(24));
CREATE INDEX docs_idx ON docs USING elacsym (embedding, body, price);
});

# Rows that the index finds by text and by vector against the table's own.
sub sound
{
	my ($what) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', q{
		SELECT elacsym_verify('docs_idx');
		SET enable_seqscan = off;
		CREATE TEMP TABLE by_vector AS SELECT id FROM docs ORDER BY embedding <-> point(1) OFFSET 0;
		CREATE TEMP TABLE by_text AS SELECT id, body <@> 'every' AS score FROM docs ORDER BY body <@> 'every' OFFSET 0;
		CREATE TEMP TABLE by_filter AS SELECT id FROM docs WHERE price >= 0;
		SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
		CREATE TEMP TABLE by_table AS SELECT id FROM docs;
		SELECT name, sign(count(*)) FROM (
			SELECT 'vector' AS name, id FROM (SELECT id FROM by_vector EXCEPT ALL SELECT id FROM by_table) a
			UNION ALL SELECT 'vector', id FROM (SELECT id FROM by_table EXCEPT ALL SELECT id FROM by_vector) b
			UNION ALL SELECT 'text', id FROM (SELECT id FROM by_text WHERE score < 0 EXCEPT ALL SELECT id FROM by_table) c
			UNION ALL SELECT 'text', id FROM (SELECT id FROM by_table EXCEPT ALL SELECT id FROM by_text WHERE score < 0) d
			UNION ALL SELECT 'filter', id FROM (SELECT id FROM by_filter EXCEPT ALL SELECT id FROM by_table) e
			UNION ALL SELECT 'filter', id FROM (SELECT id FROM by_table EXCEPT ALL SELECT id FROM by_filter) f) s GROUP BY 1});

	is("$out $err", 't ', "$what: sound");
	return;
}

# The postmaster is killed (its processes notice), or all processes end at once.
sub crash
{
	my ($what, $kill) = @_;
	my $started = 0;

	if ($kill) { $node->kill9 }
	else { $node->stop('immediate') }
	for (1 .. 60)
	{
		# processes of the dead server may hold its shared memory for a moment
		$node->{_pid} = undef;
		last if $started = $node->start(fail_ok => 1);
		usleep(100_000);
	}
	ok($started, "$what: starts again") or BAIL_OUT('no server');
	return;
}

# A session that runs a script while we do something else; what it answers is
# in a file.
my $scripts = 0;
my $folder = PostgreSQL::Test::Utils::tempdir();

sub background
{
	my ($in) = @_;
	my $name = "$folder/" . $scripts++;

	append_to_file("$name.sql", $in);
	my $session = IPC::Run::start([ 'psql', '-X', '-A', '-t', '-q', '-h', $node->host, '-p', $node->port, '-d', 'postgres',
			'-f', "$name.sql", '-o', "$name.out" ], '<', '/dev/null', '>', '/dev/null', '2>', '/dev/null');
	return { run => $session, out => "$name.out" };
}

# Waits until the session has said something.
sub begun
{
	my ($session) = @_;

	for (1 .. 1000)
	{
		return if -s $session->{out};
		usleep(10_000);
	}
	die 'a session does not begin';
}

sub finish
{
	my ($session) = @_;

	eval { $session->{run}->finish };
	return slurp_file($session->{out});
}

# The plans of sound() use the index.
foreach ('embedding <-> point(1)', q{body <@> 'every'})
{
	like(sql("SET enable_seqscan = off; EXPLAIN SELECT id FROM docs ORDER BY $_ OFFSET 0"), qr/docs_idx/, "by index: $_");
}

# Single rows from several sessions, each acknowledged with its id; deletes too.
my $next = 0;
foreach my $round (1 .. $rounds)
{
	my @sessions;

	foreach my $i (0 .. 2)
	{
		my $in = '';

		foreach (1 .. 3000)
		{
			$next++;
			$in .= "INSERT INTO docs VALUES ($next, 'every word u$next', $next, point($next)) RETURNING id;\n";
			$in .= "BEGIN; INSERT INTO docs VALUES (-$next, 'every lost', 1, point(1)); ROLLBACK;\n" if $next % 10 == 0;
			$in .= "WITH d AS (DELETE FROM docs WHERE id = " . ($next - 40) . " RETURNING id) SELECT 'gone ' || id FROM d;\n" if $next % 7 == 0;
		}
		push @sessions, background($in);
	}
	begun($_) foreach @sessions;
	usleep(300_000 + rand(1_000_000));
	crash("inserts $round", 1);
	my @out = map { finish($_) } @sessions;
	# a last line may be cut short
	my @acknowledged = map { /^(\d+)\n/mg } @out;
	my @gone = map { /^gone (\d+)\n/mg } @out;
	cmp_ok(scalar(@acknowledged), '>', 0, "inserts $round: " . @acknowledged . ' rows and ' . @gone . ' deletes were acknowledged');
	my %gone = map { $_ => 1 } @gone;
	my $ids = join(',', grep { !$gone{$_} } @acknowledged);
	is(sql(qq{SET enable_seqscan = off;
		SELECT count(*) FROM unnest('{$ids}'::bigint[]) a WHERE NOT EXISTS (SELECT FROM docs WHERE id = a)
			-- a delete at the very end may have been done and not acknowledged
			AND NOT EXISTS (SELECT FROM docs WHERE id = a + 40 AND (a + 40) % 7 = 0) AND (a + 40) % 7 <> 0}), 0, "inserts $round: none is lost");
	is(sql('SELECT count(*) FROM docs WHERE id < 0'), 0, "inserts $round: nothing that was rolled back");
	sound("inserts $round");
	sql('VACUUM docs') if $round % 2 == 0;
}

# Jobs.
sql(q{SET elacsym.delta_limit = 1000000; INSERT INTO docs SELECT i, 'every row u' || i, i, point(i) FROM generate_series(1000001, 1006000) i;
	SELECT elacsym_flush('docs_idx'); DELETE FROM docs WHERE id % 13 = 0});
my %jobs = (
	flush => q{SELECT elacsym_flush('docs_idx')},
	'small merges' => q{SELECT elacsym_flush('docs_idx'); SELECT elacsym_compact('docs_idx', false)},
	'full merge' => q{SELECT elacsym_compact('docs_idx', true)},
	'VACUUM' => q{DELETE FROM docs WHERE id % 17 = 5; VACUUM docs},
	'CREATE INDEX' => q{CREATE INDEX docs_idx2 ON docs USING elacsym (embedding, body)},
	'REINDEX CONCURRENTLY' => q{REINDEX INDEX CONCURRENTLY docs_idx},
);
my $done = 2000000;
foreach my $kind (sort keys %jobs)
{
	foreach my $pause (10_000, 50_000, 200_000)
	{
		sql(sprintf(q{SET elacsym.delta_limit = 1000000; INSERT INTO docs SELECT i, 'every more u' || i, i, point(i)
			FROM generate_series(%d, %d) i}, $done + 1, $done + 1500));
		$done += 1500;
		my $session = background("SELECT 'begun';\n$jobs{$kind};\nSELECT 'finished';\n");
		begun($session);
		usleep(rand(0.5) * $pause + 0.5 * $pause);
		crash("$kind, $pause us");
		note(finish($session) =~ /finished/ ? 'it had finished' : 'in the midst of it');
		sound("$kind, $pause us");
		sql('DROP INDEX IF EXISTS docs_idx2, docs_idx_ccnew, docs_idx_ccold');
	}
}

# Pages that were leaked come back: a full merge cut short again and again does
# not make the index grow beyond two copies of itself.
sub give_back
{
	foreach (1 .. 2)
	{
		sql('SELECT txid_current()');
		sql('VACUUM docs');
	}
	return;
}

sql(q{SELECT elacsym_compact('docs_idx')});
give_back();
sql('REINDEX INDEX docs_idx');
sql(q{DELETE FROM docs WHERE id % 50 = 1});
sql(q{SELECT elacsym_compact('docs_idx')});
give_back();
my $size = sql(q{SELECT pg_relation_size('docs_idx')});
foreach my $round (1 .. 3)
{
	sql("DELETE FROM docs WHERE id % 50 = 1 + $round");
	my $session = background("SELECT 'begun';\nSELECT elacsym_compact('docs_idx');\n");
	begun($session);
	usleep(100_000 + rand(200_000));
	crash("merge $round");
	finish($session);
	give_back();
	sql(q{SELECT elacsym_compact('docs_idx')});
	give_back();
	note(sql(q{SELECT pg_relation_size('docs_idx')}) . " bytes, $size before");
}
cmp_ok(sql(q{SELECT pg_relation_size('docs_idx')}), '<', 2.2 * $size, 'the index does not grow for ever');
sound('at the end');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX\d\d\d|corrupt|terminated by signal (?!9)/, 'nothing broke in the log');
done_testing();
