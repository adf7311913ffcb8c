# Copyright (c) 2026, the elacsym authors
#
# A compaction that reads vectors again meets rows that were visible to somebody
# when it began and whose TOAST chunks have been vacuumed since: those are gone,
# and it goes on.

use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dim = 700;
my $node = PostgreSQL::Test::Cluster->new('toast_gone');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION elacsym');

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A session that works while others do.
sub session
{
	my %s = (in => '', out => '', err => '');
	$s{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$s{in}, '>', \$s{out}, '2>', \$s{err});
	return \%s;
}

sub say_to
{
	my ($s, $text) = @_;
	$s->{in} .= "$text;\n\\echo done\n";
	$s->{out} = '';
	$s->{run}->pump until $s->{out} =~ /done\n/;
}

# The indexed expression waits for whoever holds lock 1.
sql(qq{
	CREATE FUNCTION slow(vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS \$\$
		BEGIN PERFORM pg_advisory_lock_shared(1), pg_advisory_unlock_shared(1); RETURN \$1; END \$\$;
	CREATE TABLE t (id int, v vector($dim));
	ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
	CREATE TABLE source AS SELECT i AS id, (SELECT array_agg(random()) FROM generate_series(1, $dim + i * 0))::real[]::vector($dim) AS v
		FROM generate_series(1, 120) i});
my $toast = sql(q{SELECT reltoastrelid::regclass FROM pg_class WHERE relname = 't'});

sql("CREATE INDEX t_idx ON t USING elacsym ((slow(v)::vector($dim)) vector_l2_ops)");

# Trained for few rows, so that a full compaction trains anew and reads all.
for my $rows ('id <= 10', 'id BETWEEN 11 AND 60', 'id > 60')
{
	sql("INSERT INTO t SELECT * FROM source WHERE $rows");
	sql(q{SELECT elacsym_flush('t_idx')});
}
is(sql("SELECT count(DISTINCT chunk_id) FROM $toast"), 120, 'vectors are toasted');

# Rows die that the reader still sees; the job waits at the first it reads.
my ($reader, $holder, $job) = (session(), session(), session());
say_to($reader, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM source');
sql('DELETE FROM t WHERE id > 60');
say_to($holder, 'SELECT pg_advisory_lock(1)');
$job->{in} .= "SELECT elacsym_compact('t_idx');\n\\echo done\n";
$job->{run}->pump_nb for 1 .. 10;
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted})
  or die 'the job does not wait';

# The reader goes, and the chunks.
say_to($reader, 'COMMIT');
sql("VACUUM $toast");
is(sql("SELECT count(DISTINCT chunk_id) FROM $toast"), 60, 'chunks of dead rows are gone');
say_to($holder, 'SELECT pg_advisory_unlock(1)');
$job->{run}->pump until $job->{out} =~ /done\n/;
is($job->{err}, '', 'the job goes on');
like($job->{out}, qr/^[1-9]/, 'and merges');
for my $session ($reader, $holder, $job)
{
	$session->{in} .= "\\q\n";
	$session->{run}->finish;
}
is(sql(qq{SET enable_seqscan = off; SELECT count(*) FROM
	(SELECT id FROM t ORDER BY slow(v)::vector($dim) <-> (SELECT v FROM source WHERE id = 1)) s}), 60, 'all live rows are found');
is(sql(q{SELECT sum(documents) FROM elacsym_segments('t_idx')}), 60, 'the others are left out');
is(sql(q{SELECT elacsym_verify('t_idx')}), 't', 'the index is sound');

$node->stop;
done_testing();
