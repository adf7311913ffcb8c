# Redo locks the pages of a record in the record's order and keeps them until
# the last is done.  Readers keep the manifest's first page (block 1) while
# they lock the lanes (blocks 4 to 7): a record that has both must name block 1
# first, or replay on a standby and a reader wait for each other for ever.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nwal_level = replica\nwal_keep_size = 1GB\n");
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE TABLE t (id int, v vector(3));
CREATE INDEX t_idx ON t USING elacsym (v);
});

# Each session appends to the lane that its process id points at.
my $from = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
for my $round (1 .. 4)
{
	$node->safe_psql('postgres', "INSERT INTO t SELECT i, '[1,2,3]' FROM generate_series(1, 10) i");
	# The first rotation of all: pages whole, as first changed since a checkpoint.
	$node->safe_psql('postgres', 'CHECKPOINT') if $round % 2;
	is($node->safe_psql('postgres', "SELECT elacsym_flush('t_idx')"), 10, "flush $round");
}
# A flush has no commit record, and waits for nothing to reach the disk.
$node->safe_psql('postgres', 'INSERT INTO t VALUES (0, NULL)');
my $to = $node->safe_psql('postgres', 'SELECT pg_current_wal_flush_lsn()');
my $file = $node->safe_psql('postgres', "SELECT pg_relation_filenode('t_idx')");

my ($wal, $error) = run_command([ 'pg_waldump', '-p', $node->data_dir . '/pg_wal', '-r', 'Generic', '-s', $from, '-e', $to ]);
my @rotations;
for my $record (split /\n/, $wal)
{
	my @blocks;
	while ($record =~ m{blkref #\d+: rel \d+/\d+/(\d+)(?: fork \w+)? blk (\d+)}g)
	{
		push @blocks, $2 if $1 == $file;
	}
	push @rotations, \@blocks if (grep { $_ >= 4 && $_ <= 7 } @blocks) && (grep { $_ >= 1 && $_ <= 3 } @blocks);
}
cmp_ok(scalar(@rotations), '>=', 4, 'rotations found in the WAL') or diag($error);
is_deeply([ grep { $_->[0] != 1 } @rotations ], [], 'block 1 is the first page of each');

$node->stop;
done_testing();
