# With pgvector's types the planner does not know what their distances cost
# when vectors are TOASTed; elacsym's costs make up for it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nmax_parallel_workers_per_gather = 0\n");
$node->start;
if ($node->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'}) == 0)
{
	$node->stop;
	plan skip_all => 'pgvector is not installed';
}
$node->safe_psql('postgres', q{
	CREATE EXTENSION vector;
	CREATE EXTENSION elacsym;
	CREATE FUNCTION spot(i int, dim int) RETURNS vector IMMUTABLE LANGUAGE sql AS
		'SELECT array_agg((sin(i * j + j) + sin(i % 50 * j))::real)::vector FROM generate_series(1, dim) j';
	CREATE TABLE t (id int, n int, v vector(600));
	INSERT INTO t SELECT i, i % 1000, spot(i, 600) FROM generate_series(1, 2000) i;
	CREATE INDEX t_idx ON t USING elacsym (v, n);
	CREATE INDEX t_n ON t (n);
	VACUUM ANALYZE t});
sub plan_of { return $node->safe_psql('postgres', "EXPLAIN (COSTS off) SELECT id FROM t $_[0]"); }

like(plan_of('ORDER BY v <-> spot(3, 600) LIMIT 10'), qr/ElacsymScan/, 'the index for ten rows');
like(plan_of('ORDER BY v <-> spot(3, 600) LIMIT 100'), qr/ElacsymScan/, 'the index for a hundred, though a scan of the table without its TOAST looks cheaper');
unlike(plan_of('WHERE n = 7 ORDER BY v <-> spot(3, 600) LIMIT 100'), qr/ElacsymScan/, 'a sort of the two rows that a btree finds');
$node->stop;
done_testing();
