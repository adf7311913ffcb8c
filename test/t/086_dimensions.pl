# Vectors of 1 to 4096 dimensions, odd ones too, of both types and every
# distance, at every number of bits: all rows in the order of a sort, from
# segments, the delta and a merge of them.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\njit = off\nshared_buffers = 64MB\n");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
CREATE EXTENSION elacsym;
-- components from hashes: the same everywhere
CREATE FUNCTION spot(i int, dim int) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg(((hashint8extended(i * 5000::bigint + j, 1) % 1000) / 100.0 + (i % 7) * sin(j))::real ORDER BY j)::vector FROM generate_series(1, dim) j';
-- ids in the index's order with every list looked at, and in that of a sort
CREATE FUNCTION by_index(q text) RETURNS float8[] LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off
	SET elacsym.probes = 1000000 SET elacsym.epsilon = 30 AS $$ DECLARE a float8[]; BEGIN EXECUTE q INTO a; RETURN a; END $$;
CREATE FUNCTION by_sort(q text) RETURNS float8[] LANGUAGE plpgsql SET enable_indexscan = off SET enable_bitmapscan = off
	SET elacsym.enable_customscan = off AS $$ DECLARE a float8[]; BEGIN EXECUTE q INTO a; RETURN a; END $$;
-- by position: how far the two lists of distances are apart
CREATE FUNCTION apart(a float8[], b float8[]) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN cardinality(a) = cardinality(b)
		THEN (SELECT count(*)::text FROM unnest(a, b) AS u(x, y) WHERE x IS DISTINCT FROM y AND NOT abs(x - y) <= 1e-5 * greatest(1, abs(x), abs(y)))
		ELSE cardinality(a) || ' rows of ' || cardinality(b) END $$;
});

# each dimension with some distance, type and number of bits; all of them occur
my @operators = ([ '<->', 'l2' ], [ '<#>', 'ip' ], [ '<=>', 'cosine' ]);
my @dims = (1, 2, 3, 4, 5, 7, 8, 15, 17, 31, 32, 33, 63, 65, 100, 127, 129, 255, 257, 300, 511, 513, 767, 1000, 1025, 1536, 2000, 2049, 3071, 4095, 4096);
my $i = 0;

foreach my $dim (@dims)
{
	my ($operator, $name) = @{ $operators[ $i % 3 ] };
	my $type = int($i / 3) % 2 ? 'halfvec' : 'vector';
	my $bits = 1 + $i % 8;
	my $n = $dim > 1500 ? 60 : 250;
	my $query = "(SELECT v FROM q)";
	my $all = "SELECT array_agg(d) FROM (SELECT v $operator $query AS d FROM t ORDER BY v $operator $query) s";
	my $check = "SELECT apart(by_index('$all'), by_sort('$all')), cardinality(by_index('$all'))";

	$i++;
	is(sql(qq{
			DROP TABLE IF EXISTS t, q;
			CREATE TABLE t (id int, v $type($dim));
			CREATE TABLE q AS SELECT spot(0, $dim)::$type($dim) AS v;
			INSERT INTO t SELECT i, spot(i, $dim) FROM generate_series(1, $n) i;
			INSERT INTO t VALUES (0, NULL), (0, array_fill(0, ARRAY[$dim])::$type($dim));
			CREATE INDEX t_idx ON t USING elacsym (v ${type}_${name}_ops) WITH (bits = $bits, rerank = heap);
			$check;
			INSERT INTO t SELECT i, spot(i, $dim) FROM generate_series($n + 1, $n + 40) i;
			INSERT INTO t VALUES (0, NULL);
			$check;
			SELECT elacsym_compact('t_idx', true) > 0;
			$check;
			SELECT elacsym_verify('t_idx')}),
		join("\n", '0|' . ($n + 2), '0|' . ($n + 43), 't', '0|' . ($n + 43), 't'),
		"$dim dimensions, $type, $name, $bits bits: in order from a segment, with a delta, merged");
}

# without the heap the order is nearly right at 8 bits, and the rows are all there
foreach my $dim (1, 3, 129, 1025)
{
	my $query = '(SELECT v FROM q)';

	sql(qq{
		DROP TABLE IF EXISTS t, q;
		CREATE TABLE t (id int, v vector($dim));
		CREATE TABLE q AS SELECT spot(0, $dim) AS v;
		INSERT INTO t SELECT i, spot(i, $dim) FROM generate_series(1, 250) i;
		CREATE INDEX t_idx ON t USING elacsym (v) WITH (bits = 8, rerank = none)});
	is(sql(qq{SET enable_seqscan = off; SET enable_sort = off;
			SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE abs(wanted - place) > 25)
			FROM (SELECT id, row_number() OVER () AS place, rank() OVER (ORDER BY d) AS wanted
				FROM (SELECT id, v <-> $query AS d FROM t ORDER BY v <-> $query OFFSET 0) s) s}),
		'250|250|0', "$dim dimensions without re-ranking");
}

# what is too much is refused
my ($rc, $out, $err) = $node->psql('postgres', 'CREATE TABLE wide (v vector(4097)); CREATE INDEX ON wide USING elacsym (v)');
like($err, qr/4096/, '4097 dimensions are refused');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX\d\d\d|terminated by signal/, 'nothing broke in the log');
done_testing();
