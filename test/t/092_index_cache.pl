# What sessions keep of an index from query to query, on a primary and on its
# standby: answers are those of the table while everything changes, also in a
# session that lives through a promotion.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rounds = $ENV{ELACSYM_CACHE_ROUNDS} || 4;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq(
autovacuum = off
shared_buffers = 16MB
elacsym.delta_limit = 1000000
max_standby_streaming_delay = -1
));
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE TABLE t (id int PRIMARY KEY, v vector(8), body text, part int);
CREATE FUNCTION point(i int) RETURNS vector LANGUAGE sql IMMUTABLE AS
	'SELECT array_agg(sin(i * j)::real)::vector FROM generate_series(1, 8) j';
INSERT INTO t SELECT i, point(i), 'word w' || i % 10, i % 5 FROM generate_series(1, 3000) i;
CREATE INDEX t_idx ON t USING elacsym (v, body text_bm25_ops (config = 'simple'), part);
CREATE SEQUENCE ids START 10000;

-- rows by three kinds of queries, and whether they are those of the table
CREATE FUNCTION check_rows() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	by_vector int[]; by_text int[]; filtered int[]; wanted int[]; wanted_filtered int[];
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
	SELECT array_agg(id ORDER BY id) INTO by_vector FROM (SELECT id FROM t ORDER BY v <-> '[1,2,3,4,5,6,7,8]' OFFSET 0) s;
	SELECT array_agg(id ORDER BY id) INTO by_text FROM (SELECT id FROM t ORDER BY body <@> 'w3' OFFSET 0) s;
	SELECT array_agg(id ORDER BY id) INTO filtered FROM (SELECT id FROM t WHERE part = 3 ORDER BY v <-> '[1,2,3,4,5,6,7,8]' OFFSET 0) s;
	SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
	SET LOCAL enable_indexonlyscan = off; SET LOCAL elacsym.enable_customscan = off;
	SELECT array_agg(id ORDER BY id), array_agg(id ORDER BY id) FILTER (WHERE part = 3) INTO wanted, wanted_filtered FROM t;
	RETURN CASE WHEN by_vector IS DISTINCT FROM wanted THEN 'by vector ' || coalesce(cardinality(by_vector), 0) || ' of ' || coalesce(cardinality(wanted), 0)
		WHEN by_text IS DISTINCT FROM wanted THEN 'by text ' || coalesce(cardinality(by_text), 0) || ' of ' || coalesce(cardinality(wanted), 0)
		WHEN filtered IS DISTINCT FROM wanted_filtered THEN 'filtered' ELSE 'right' END;
END $$;
});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

my $check = 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT check_rows(); COMMIT';
my $reader = session($node);
my $follower = session($standby);
is(ask($reader, $check), 'right', 'the primary answers');
is(ask($follower, $check), 'right', 'the standby answers');

# One change between two questions to sessions that know the index.
my $insert = q{INSERT INTO t SELECT nextval('ids'), point(i), 'word w' || i % 10, i % 5 FROM generate_series(1, 60) i};
my @changes = (
	$insert,
	q{SELECT elacsym_flush('t_idx')},
	'DELETE FROM t WHERE id % 37 = (SELECT last_value % 37 FROM ids)',
	'VACUUM t',
	$insert,
	q{UPDATE t SET part = part + 1, v = point(id + 1) WHERE id % 41 = 3},
	q{SELECT elacsym_compact('t_idx')},
	'VACUUM t',
	$insert,
	q{SELECT elacsym_compact('t_idx', true)},
	'SELECT txid_current(); VACUUM t',
	'REINDEX INDEX t_idx',
	'REINDEX INDEX CONCURRENTLY t_idx',
	'ALTER INDEX t_idx RENAME TO t_other; ALTER INDEX t_other RENAME TO t_idx');
my @wrong;
my $retries = 0;
for my $round (1 .. $rounds)
{
	for my $change (@changes)
	{
		$node->safe_psql('postgres', $_) foreach split /; /, $change;
		my $answer = ask($reader, $check);
		push @wrong, "round $round, $change: $answer" if $answer ne 'right';
		$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
		$answer = ask($follower, $check);
		push @wrong, "round $round, $change, standby: $answer" if $answer ne 'right';
	}
}
is(join("\n", @wrong), '', 'after every change both answer as the table does');

# The standby asks while the primary changes: right, or an error that says to ask again.
my $writer = session($node);
@wrong = ();
my $right = 0;
for my $round (1 .. $rounds)
{
	$writer->{out} = '';
	$writer->{in} .= "$_;\n" foreach map { split /; / } @changes[ 0 .. 10 ];
	$writer->{in} .= "\\echo done\n";
	while ($writer->{out} !~ /^done$/m)
	{
		my $answer = ask($follower, $check);
		$answer =~ s/\n.*//s;
		if ($answer eq 'right') { $right++; }
		elsif ($answer =~ /40001/) { $retries++; }
		else { push @wrong, $answer; }
		$writer->{run}->pump_nb;
	}
}
is(join("\n", @wrong), '', "beside replay: $retries errors to try again, else right");
ok($right > 0, "beside replay: $right right answers");

# A session that knew the index as a standby's goes on after the promotion.
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(ask($follower, $check), 'right', 'before the promotion');
$_->{run}->finish foreach ($reader, $writer);
$node->stop;
$standby->promote;
@wrong = ();
for my $change ('', @changes)
{
	$standby->safe_psql('postgres', $_) foreach split /; /, $change;
	my $answer = ask($follower, $check);
	push @wrong, "$change: $answer" if $answer ne 'right';
}
is(join("\n", @wrong), '', 'after the promotion the same session answers as the table does');
is($standby->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', 'the index is sound');
$follower->{run}->finish;
$standby->stop;
done_testing();
