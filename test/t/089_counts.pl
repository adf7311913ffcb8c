# Counts that read no rows, while VACUUM takes rows out, others are put into
# their places, and jobs rewrite the index: each is what a sequential scan of the
# same snapshot counts, on the primary and on a standby.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{ELACSYM_STRESS_SECONDS} || 6;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', q(
autovacuum = off
shared_buffers = 32MB
elacsym.delta_limit = 200
max_standby_streaming_delay = -1
));
$primary->start;
$primary->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE SEQUENCE ids START 3001;
CREATE TABLE docs (id bigint, n int, body text);
INSERT INTO docs SELECT i, i % 10, 'every w' || i % 7 FROM generate_series(1, 3000) i;
CREATE INDEX docs_idx ON docs USING elacsym (n, body text_bm25_ops (config = 'simple'));
CREATE INDEX docs_id ON docs (id);
VACUUM ANALYZE docs;

CREATE FUNCTION look() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	counted bigint[]; true_counts bigint[];
BEGIN
	SET LOCAL enable_seqscan = off;
	SET LOCAL enable_indexscan = off;
	SET LOCAL enable_bitmapscan = off;
	counted := ARRAY[(SELECT count(*) FROM docs WHERE n >= 0), (SELECT count(*) FROM docs WHERE n = 3 OR n = 4),
		(SELECT count(*) FROM docs WHERE to_tsvector('simple', body) @@ 'every & !w3'), (SELECT count(*) FROM docs WHERE n >= 0)];
	SET LOCAL enable_seqscan = on;
	SET LOCAL elacsym.enable_customscan = off;
	true_counts := ARRAY[(SELECT count(*) FROM docs WHERE n + 0 >= 0), (SELECT count(*) FROM docs WHERE n + 0 IN (3, 4)),
		(SELECT count(*) FROM docs WHERE to_tsvector('simple', body || '') @@ 'every & !w3'), (SELECT count(*) FROM docs WHERE n + 0 >= 0)];
	IF counted <> true_counts THEN RAISE 'counted %, but there are %', counted, true_counts; END IF;
EXCEPTION WHEN serialization_failure THEN NULL;
END $$;
});
like($primary->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_bitmapscan = off; EXPLAIN SELECT count(*) FROM docs WHERE n >= 0'),
	qr/ElacsymOnlyScan/, 'counted by the index alone');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$standby->start;

my %scripts = (
	insert => q{INSERT INTO docs SELECT i, i % 10, 'every w' || i % 7 FROM (SELECT nextval('ids') AS i FROM generate_series(1, 5)) s;},
	abort => q{BEGIN;
INSERT INTO docs SELECT i, i % 10, 'every w' || i % 7 FROM (SELECT nextval('ids') AS i FROM generate_series(1, 5)) s;
ROLLBACK;},
	update => q{\set id random(1, 3000)
UPDATE docs SET n = (n + 1) % 10, body = 'every w' || id % 5 WHERE id BETWEEN :id AND :id + 3;},
	delete => q{DELETE FROM docs WHERE id IN (SELECT id FROM docs WHERE id > (SELECT last_value - 200 FROM ids) ORDER BY random() LIMIT 4);},
	vacuum => q{VACUUM docs;},
	flush => q{SELECT elacsym_flush('docs_idx');},
	compact => q{\set all random(0, 1)
SELECT elacsym_compact('docs_idx', :all = 1);},
	look => q{BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT look();
COMMIT;});
my %weights = (insert => 20, abort => 5, update => 5, delete => 20, vacuum => 12, flush => 4, compact => 3, look => 40);
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/$_.sql", "$scripts{$_}\n") foreach keys %scripts;

sub pgbench
{
	my ($node, $clients, @scripts) = @_;
	my ($out, $error) = ('', '');
	my @command = ('pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', $clients, '-T', $seconds, (map { ('-f', "$folder/$_.sql\@$weights{$_}") } @scripts), 'postgres');
	my $run = IPC::Run::start(\@command, '<', \undef, '>', \$out, '2>', \$error);
	return sub { my $ok = $run->finish; ok($ok && $error !~ /ERROR|aborted/, 'no wrong count on the ' . $node->name) or diag(substr($error, 0, 4000)); };
}

my @finish = (pgbench($primary, 6, sort keys %scripts), pgbench($standby, 2, 'look'));
$_->() foreach @finish;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
foreach my $node ($primary, $standby)
{
	is($node->safe_psql('postgres', "SELECT look(); SELECT elacsym_verify('docs_idx')"), "\nt", 'whole in the end: ' . $node->name);
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX\d\d\d:|terminated by signal/, 'nothing broke in the log of ' . $node->name);
}
$standby->stop;
$primary->stop;
done_testing();
