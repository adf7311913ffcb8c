# Many sessions at once: writers, readers, VACUUM, jobs, and indexes built
# beside them.  No error but a deadlock or a cancelled wait, no row lost, no row
# twice.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{ELACSYM_STRESS_SECONDS} || 6;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
autovacuum = off
shared_buffers = 32MB
elacsym.delta_limit = 150
log_error_verbosity = verbose
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
CREATE EXTENSION elacsym;
CREATE FUNCTION point(i bigint) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((hashint8extended(i, j) % 1000)::real)::vector FROM generate_series(1, 8) j';
CREATE SEQUENCE ids START 2001;
CREATE TABLE docs (id bigint PRIMARY KEY, version int NOT NULL DEFAULT 0, body text, price float8, tags text[], embedding vector(8));
INSERT INTO docs SELECT i, 0, 'every v0 u' || i, i % 100, '{a}', point(i) FROM generate_series(1, 2000) i;
CREATE INDEX docs_idx ON docs USING elacsym (embedding, body, price, tags);
-- ids that nobody changes
CREATE TABLE stays AS SELECT generate_series(1, 500) AS id;

-- A statement's snapshot sees each row once, by vector, by text and by filter.
CREATE FUNCTION look() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	n bigint; d bigint; m bigint;
BEGIN
	SET LOCAL enable_seqscan = off;
	SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id <= 500) INTO n, d, m
		FROM (SELECT id FROM docs ORDER BY embedding <-> point(7) OFFSET 0) s;
	IF n <> d OR m <> 500 THEN RAISE 'vector: % rows, % different, % of 500', n, d, m; END IF;
	SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id <= 500 AND score < 0) INTO n, d, m
		FROM (SELECT id, body <@> 'every' AS score FROM docs ORDER BY body <@> 'every' OFFSET 0) s;
	IF n <> d OR m <> 500 THEN RAISE 'text: % rows, % different, % of 500', n, d, m; END IF;
	SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id <= 500) INTO n, d, m FROM docs WHERE tags @> '{a}' AND price >= 0;
	IF n <> d OR m <> 500 THEN RAISE 'filter: % rows, % different, % of 500', n, d, m; END IF;
	SELECT count(*), count(DISTINCT (doc).id) INTO n, d FROM elacsym_search(NULL::docs, vector => point(3), text => 'every v1', k => 30, index => 'docs_idx');
	IF n <> 30 OR d <> 30 THEN RAISE 'hybrid: % rows, % different', n, d; END IF;
END $$;
});

my %scripts = (
	insert => q{INSERT INTO docs SELECT i, 0, 'every v0 u' || i, i % 100, '{b}', point(i) FROM (SELECT nextval('ids') AS i) s;},
	batch => q{INSERT INTO docs SELECT i, 0, 'every v0 u' || i, i % 100, '{b}', point(i) FROM (SELECT nextval('ids') AS i FROM generate_series(1, 30)) s;},
	upsert => q{\set id random(501, 2000)
INSERT INTO docs VALUES (:id, 0, 'every v0', 1, '{c}', point(:id)) ON CONFLICT (id) DO UPDATE SET version = docs.version + 1, body = 'every v' || docs.version + 1, embedding = point(docs.id + docs.version);},
	update => q{\set id random(501, 4000)
UPDATE docs SET version = version + 1, body = 'every v' || version + 1 || ' u' || id, embedding = point(id + version + 1) WHERE id BETWEEN :id AND :id + 3;},
	delete => q{\set id random(501, 4000)
DELETE FROM docs WHERE id BETWEEN :id AND :id + 2;},
	look => q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT look();
COMMIT;},
	topk => q{\set id random(1, 500)
SELECT 1 / (count(*) FILTER (WHERE id = :id))::int FROM (SELECT id FROM docs WHERE price = :id % 100 ORDER BY embedding <-> point(:id) LIMIT 5) s;
SELECT 1 / (count(*) FILTER (WHERE id = :id))::int FROM (SELECT id FROM docs ORDER BY body <@> 'v0 u:id' LIMIT 5) s;},
	vacuum => q{VACUUM docs;},
	flush => q{SELECT elacsym_flush('docs_idx');},
	compact => q{\set all random(0, 1)
SELECT elacsym_compact('docs_idx', :all = 1);},
	verify => q{SELECT elacsym_verify('docs_idx');});
# u:id must be one word: its own variable
$scripts{topk} =~ s/'v0 u:id'/format('v0 u%s', :id)/;
my %weights = (insert => 30, batch => 6, upsert => 10, update => 15, delete => 8, look => 3, topk => 10, vacuum => 1, flush => 3, compact => 2, verify => 1);
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/$_.sql", "$scripts{$_}\n") foreach keys %scripts;

sub start_load
{
	my ($out, $time, $clients, $rate) = @_;

	return IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', $clients, '-j', '2', '-T', $time, ($rate ? ('-R', $rate) : ()), '--max-tries', '20',
			(map { ('-f', "$folder/$_.sql\@$weights{$_}") } sort keys %weights), 'postgres' ], '<', '/dev/null', '>', $out, '2>&1');
}

# What the index has is what the table has: rows, and what they say.
sub same
{
	my ($what) = @_;
	my $parts = q{(SELECT id, version, round((embedding <-> point(7))::numeric, 3) AS d FROM docs ORDER BY embedding <-> point(7) OFFSET 0)
		(SELECT id, version, NULL AS d FROM docs ORDER BY body <@> 'every' OFFSET 0)
		(SELECT id, version, NULL AS d FROM docs WHERE price >= 0)};
	my $off = 'SET LOCAL enable_seqscan = off;';
	my $plain = 'SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL elacsym.enable_customscan = off;';
	my $n = 0;
	my $script = 'BEGIN;';

	foreach my $query (split /\n\s*/, $parts)
	{
		$n++;
		$script .= "$off CREATE TEMP TABLE i$n ON COMMIT DROP AS SELECT * FROM $query s;
			$plain CREATE TEMP TABLE t$n ON COMMIT DROP AS SELECT * FROM $query s;
			SELECT count(*) FROM ((SELECT * FROM i$n EXCEPT ALL SELECT * FROM t$n) UNION ALL (SELECT * FROM t$n EXCEPT ALL SELECT * FROM i$n)) s;
			SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL elacsym.enable_customscan = on;";
	}
	my ($rc, $out, $err) = $node->psql('postgres', "$script COMMIT; SELECT elacsym_verify('docs_idx'); SELECT look()");

	is("$out $err", "0\n0\n0\nt\n ", $what);
	return;
}

like(sql("SET enable_seqscan = off; EXPLAIN SELECT id FROM docs $_"), qr/docs_idx/, "by index: $_")
	foreach 'ORDER BY embedding <-> point(7) OFFSET 0', q{ORDER BY body <@> 'every' OFFSET 0}, q{WHERE tags @> '{a}' AND price >= 0};
same('before');
my $out = "$folder/load";
my $load = start_load($out, $seconds, 8);
ok($load->finish, 'no statement failed') or diag(slurp_file($out));
note(join("\n", grep { /^number of transactions/ } split /\n/, slurp_file($out)));
same('after the load');

# Indexes that are built beside writers have every row once.
delete $weights{$_} foreach 'look', 'topk', 'verify', 'vacuum', 'flush', 'compact';
$load = start_load("$out.2", 60, 4, 150);
my @builds = ('CREATE INDEX CONCURRENTLY second_idx ON docs USING elacsym (embedding, body, price, tags)', 'REINDEX INDEX CONCURRENTLY docs_idx',
	'REINDEX INDEX CONCURRENTLY second_idx');
foreach my $build (@builds)
{
	my ($rc, $ignored, $err) = $node->psql('postgres', $build);

	is($err, '', $build);
}
$load->signal('KILL');
eval { $load->finish };
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'}), 'the writers have left');
same('with both indexes');
ok(sql(q{SELECT elacsym_verify('second_idx')}), 'the new index is sound');
sql('DROP INDEX docs_idx; ALTER INDEX second_idx RENAME TO docs_idx');
same('the index that was built');
sql('VACUUM docs');
same('after VACUUM');

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|XX\d\d\d:|terminated by signal/, 'nothing broke in the log');
my @errors = grep { !/40P01|40001|57P01/ } $log =~ /ERROR:\s+(\w{5}: .*)/g;
is(join("\n", @errors), '', 'no error that is not allowed');
done_testing();
