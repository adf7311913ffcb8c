# The life of an index's data under load: concurrent writers, readers and jobs;
# kill -9 in their midst; a standby that follows; pages given back.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{ELACSYM_STRESS_SECONDS} || 5;
my $rounds = $ENV{ELACSYM_CRASH_ROUNDS} || 3;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq(
autovacuum = off
shared_buffers = 32MB
maintenance_work_mem = 1MB
elacsym.delta_limit = 200
log_error_verbosity = verbose
));
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE SEQUENCE ids;
CREATE TABLE docs (id bigint PRIMARY KEY, body text, category text, price float8, tags text[], embedding vector(8));
CREATE INDEX docs_idx ON docs USING elacsym (embedding, body, category text_ops, price, tags);
CREATE FUNCTION point() RETURNS vector LANGUAGE sql VOLATILE AS
  'SELECT array_agg(random()::real)::vector FROM generate_series(1, 8)';

-- The rows that an ordering scan of the index returns are those of the table.
CREATE FUNCTION check_rows() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	found bigint; different bigint; wanted bigint; query vector := point();
BEGIN
	SET LOCAL enable_seqscan = off;
	SELECT count(*), count(DISTINCT id) INTO found, different
	  FROM (SELECT id FROM docs ORDER BY embedding <-> query OFFSET 0) s;
	SET LOCAL enable_seqscan = on;
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_bitmapscan = off;
	SET LOCAL enable_indexonlyscan = off;
	SET LOCAL elacsym.enable_customscan = off;
	SELECT count(*) INTO wanted FROM docs;
	IF found <> wanted OR different <> wanted THEN
		RAISE EXCEPTION 'index has % rows, % different, table has %', found, different, wanted;
	END IF;
	RETURN wanted;
END $$;
});

like($node->safe_psql('postgres', q{SET enable_seqscan = off;
	EXPLAIN (COSTS off) SELECT id FROM docs ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]' OFFSET 0}),
	qr/docs_idx/, 'the check of rows reads the index');

my %scripts = (
	insert => q{INSERT INTO docs SELECT nextval('ids'), 'word' || (random() * 100)::int || ' text',
		'c' || (random() * 5)::int, random(), '{a,b}', point() FROM generate_series(1, 5);},
	update => q{\set id random(1, 10000)
UPDATE docs SET price = price + 1, embedding = point() WHERE id = :id;},
	delete => q{\set id random(1, 10000)
DELETE FROM docs WHERE id BETWEEN :id AND :id + 3;},
	rollback => q{BEGIN;
INSERT INTO docs SELECT nextval('ids'), 'gone', 'c', 0, '{}', point();
SAVEPOINT a;
DELETE FROM docs WHERE id % 100 = 1;
ROLLBACK;},
	select => q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT check_rows();
COMMIT;},
	job => q{\set kind random(1, 10)
\if :kind <= 4
SELECT elacsym_flush('docs_idx');
\elif :kind <= 6
SELECT elacsym_compact('docs_idx');
\elif :kind <= 7
SELECT elacsym_compact('docs_idx', true);
\elif :kind <= 8
SELECT elacsym_verify('docs_idx');
\else
VACUUM docs;
\endif});
my $folder = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$folder/$_.sql", $scripts{$_} . "\n") foreach keys %scripts;

sub start_load
{
	my ($time, $out, %weights) = @_;
	my @command = ('pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '6', '-j', '2', '-T', $time);

	push @command, '-f', "$folder/$_.sql\@$weights{$_}" foreach sort keys %weights;
	return IPC::Run::start([ @command, 'postgres' ], '>', $out, '2>&1');
}

my %load = (insert => 10, update => 8, delete => 3, rollback => 2, select => 1, job => 2);

sub check_index
{
	my ($server, $what) = @_;
	my ($rc, $out, $err) = $server->psql('postgres', q{SELECT elacsym_verify('docs_idx'); SELECT check_rows() > 0;});

	is("$out $err", "t\nt ", $what);
	return;
}

# Writers, readers and jobs side by side.
my $output = '';
my $load = start_load($seconds, \$output, %load);
ok($load->finish, 'no statement failed under load') or diag($output);
check_index($node, 'sound after the load');

# The server dies in the middle of it.
foreach my $round (1 .. $rounds)
{
	$output = '';
	$load = start_load(60, \$output, %load);
	select(undef, undef, undef, 0.7 + rand(1.5));
	$node->kill9;
	$load->finish;
	unlike($output, qr/XX\d\d\d|index has|corrupted/, "crash $round: nothing wrong before");

	# processes of the dead server may hold its shared memory for a moment
	my $started = 0;
	for (1 .. 60)
	{
		# the file that names its process is there still
		$node->{_pid} = undef;
		last if $started = $node->start(fail_ok => 1);
		sleep 1;
	}
	ok($started, "crash $round: starts again");
	check_index($node, "crash $round: sound");
}

# A standby follows, answers meanwhile or says that it could not, and takes over.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;
$output = '';
$load = start_load($seconds, \$output, %load, select => 0);
my ($answers, $retries, @wrong) = (0, 0);
while ($load->pumpable)
{
	my ($rc, $out, $err) = $standby->psql('postgres', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT check_rows(); COMMIT',
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);

	if ($rc == 0) { $answers++ }
	elsif ($err =~ /ERROR:\s+40001/) { $retries++ }
	else { push @wrong, $err }
	$load->pump_nb;
}
$load->finish;
is("@wrong", '', 'a standby under load gives the right rows or 40001');
ok($answers > 0, 'a standby under load answers');
note("$answers answers, $retries retries");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
check_index($standby, 'standby sound');
my $ranking = q{SET enable_seqscan = off;
	SELECT string_agg(id::text, ' ') FROM (SELECT id FROM docs ORDER BY embedding <-> '[1,0,1,0,1,0,1,0]' LIMIT 100) s};
is($standby->safe_psql('postgres', $ranking), $node->safe_psql('postgres', $ranking), 'the same ranking on the standby');
$standby->promote;
$standby->safe_psql('postgres', q{INSERT INTO docs SELECT nextval('ids') + 1000000, 'new', 'c', 1, '{}', point()
	FROM generate_series(1, 500)});
$standby->safe_psql('postgres', q{SELECT elacsym_compact('docs_idx', true)});
$standby->safe_psql('postgres', 'VACUUM docs');
check_index($standby, 'sound after promotion');
$standby->stop;

# A cursor reads what it saw although everything moved and was given up.
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM docs');
my ($in, $out) = ('', '');
my $psql = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-f', '-' ],
	'<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
$in .= q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SET enable_seqscan = off;
DECLARE c CURSOR FOR SELECT id FROM docs ORDER BY embedding <-> '[1,2,3,4,5,6,7,8]';
MOVE FORWARD 5 IN c;
SELECT 'begun';
};
$psql->pump until $out =~ /begun/;
foreach (1 .. 40)
{
	$node->safe_psql('postgres', q{INSERT INTO docs SELECT nextval('ids'), 'more', 'c', 1, '{}', point() FROM generate_series(1, 40);
		SELECT elacsym_flush('docs_idx')});
	$node->safe_psql('postgres', q{SELECT elacsym_compact('docs_idx', true)});
}
$node->safe_psql('postgres', 'VACUUM docs');
$out = '';
$in .= q{FETCH ALL IN c;
SELECT 'done';
};
$psql->pump until $out =~ /done|ERROR/;
my $seen = () = $out =~ /^\d+$/mg;
is($seen, $before - 5, 'a cursor sees every row of its snapshot') or diag(substr($out, -300));
$in .= "COMMIT;\n\\q\n";
$psql->finish;
check_index($node, 'sound after it');

# Pages come back: those retired (more than the list takes), and those of a
# job that was cancelled.
sub page_kinds
{
	my $path = $node->data_dir . '/' . $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath('docs_idx')});
	my (%kinds, %owners, $page);

	open(my $file, '<:raw', $path) or die "$path: $!";
	while (read($file, $page, 8192) == 8192)
	{
		my ($owner, $kind) = (unpack('Q<', substr($page, 8168, 8)), unpack('S<', substr($page, 8184, 2)));

		$kinds{$kind}++;
		# the sample of queries (kind 9) belongs to the index, not to a segment
		$owners{$owner} = 1 if $owner != 0 && $kind != 9;
	}
	close($file);
	return (scalar keys %owners, \%kinds);
}

sub give_back
{
	# a transaction id has to pass before pages of the last publish are free
	foreach (1 .. 2)
	{
		$node->safe_psql('postgres', 'SELECT txid_current()');
		$node->safe_psql('postgres', 'VACUUM docs');
	}
	return;
}

$node->safe_psql('postgres', q{SELECT elacsym_compact('docs_idx', true)});
give_back();
my ($owners, $kinds) = page_kinds();
is($owners, 4, 'after a full merge: one head, one body, one live bitmap, one codebook');
is($kinds->{5} // 0, 0, 'and no chain');

my ($rc, $cancelled, $err) = $node->psql('postgres', q{SET statement_timeout = '20ms';
	DELETE FROM docs WHERE id % 50 = 0; SELECT elacsym_compact('docs_idx', true)});
$node->safe_psql('postgres', q{DELETE FROM docs WHERE id % 50 = 1; SELECT elacsym_compact('docs_idx', true)});
give_back();
($owners, $kinds) = page_kinds();
is($owners, 4, 'a cancelled merge leaves nothing behind');
check_index($node, 'sound at the end');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal (?!9)/, 'nothing broke in the log');
done_testing();
