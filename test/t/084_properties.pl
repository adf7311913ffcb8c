# What has to hold of a vector index whatever the distance, the type of the
# column, and the way rows came in: recall after builds (serial, parallel, with
# hardly any memory), inserts, deletes, VACUUM and merges; equal rows all found;
# every row once and in order; filters never leave an answer short; nothing of
# what was rolled back.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rows, $queries, $dim, $rank) = (4000, 50, 48, 8);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
fsync = off
autovacuum = off
jit = off
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_parallel_workers_per_gather = 0
min_parallel_table_scan_size = 0
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- data: clusters on a surface of few dimensions, as embeddings are ----

my $state = 42;
sub draw { $state = ($state * 1103515245 + 12345) % 2147483648; return ($state >> 8) / 8388608; }
sub bell { return draw() + draw() + draw() + draw() - 2; }
my @basis = map { [ map { bell() } 1 .. $dim ] } 1 .. $rank;
my @centers = map { [ map { 2 * bell() } 1 .. $rank ] } 1 .. 30;

sub point
{
	my $center = $centers[ draw() * @centers ];
	my @latent = map { $_ + 0.6 * bell() } @$center;
	my @v = map { 0.03 * bell() } 1 .. $dim;

	foreach my $r (0 .. $rank - 1)
	{
		my ($x, $b) = ($latent[$r], $basis[$r]);
		$v[$_] += $x * $b->[$_] foreach 0 .. $dim - 1;
	}
	return '[' . join(',', map { sprintf('%.4f', $_) } @v) . ']';
}

my $file = PostgreSQL::Test::Utils::tempdir() . '/rows';
append_to_file($file, join('', map { "$_\t" . ($_ * 7919 % 1000) . "\t" . point() . "\n" } 1 .. $rows));
append_to_file("$file.q", join('', map { "$_\t" . point() . "\n" } 1 .. $queries));
sql(qq{
CREATE EXTENSION elacsym;
CREATE TABLE source (id int PRIMARY KEY, part int, v vector($dim));
COPY source FROM '$file';
CREATE TABLE queries (n int, v vector($dim));
COPY queries FROM '$file.q';
CREATE TABLE t (id int PRIMARY KEY, part int, v vector($dim), h halfvec($dim));
-- the ten nearest by a scan of the table, and by its index
CREATE FUNCTION nearest(q vector, what text, condition text) RETURNS float8[] LANGUAGE plpgsql AS \$\$
DECLARE d float8[];
BEGIN
	EXECUTE format('SELECT array_agg(d ORDER BY d) FROM (SELECT %s AS d FROM t WHERE %s ORDER BY 1 LIMIT 10) x', what, condition) INTO d USING q;
	RETURN d;
END \$\$;
CREATE FUNCTION exact(q vector, what text, condition text) RETURNS float8[] LANGUAGE sql VOLATILE
	SET enable_indexscan = off SET enable_bitmapscan = off SET elacsym.enable_customscan = off AS 'SELECT nearest(q, what, condition)';
CREATE FUNCTION found(q vector, what text, condition text) RETURNS float8[] LANGUAGE sql VOLATILE
	SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS 'SELECT nearest(q, what, condition)';
});

my %classes = ('<->' => 'l2', '<#>' => 'ip', '<=>' => 'cosine');
sub class { my ($column, $operator) = @_; return ($column eq 'h' ? 'halfvec' : 'vector') . "_$classes{$operator}_ops"; }
sub distance { my ($column, $operator) = @_; return "$column $operator " . ($column eq 'h' ? '($1::halfvec)' : '$1'); }

# Mean share of the true ten found; ties count as found.
sub recall
{
	my ($column, $operator, $condition) = @_;
	my $what = distance($column, $operator);

	$condition //= 'true';
	return sql(qq{
		SELECT coalesce(round(avg(share), 3), 0) FROM (
			SELECT (SELECT count(*) FROM unnest(f) x WHERE x <= e[cardinality(e)] + 1e-5)::numeric / cardinality(e) AS share
			FROM (SELECT exact(v, '$what', '$condition') e, found(v, '$what', '$condition') f FROM queries OFFSET 0) a) b});
}

sub good
{
	my ($what, $column, $operator, $condition) = @_;
	my $recall = recall($column, $operator, $condition);

	cmp_ok($recall, '>=', 0.95, "recall@10 of $classes{$operator}, $column, $what: $recall");
	return;
}

sub fill { return sql("TRUNCATE t; INSERT INTO t SELECT id, part, v, v FROM source WHERE id BETWEEN $_[0] AND $_[1]; ANALYZE t"); }

# ---- builds ----

fill(1, $rows);
foreach my $operator (sort keys %classes)
{
	foreach my $column ('v', 'h')
	{
		foreach my $workers (0, 2)
		{
			sql("SET max_parallel_maintenance_workers = $workers; CREATE INDEX t_idx ON t USING elacsym ($column " . class($column, $operator) . ', part)');
			good("built with $workers workers", $column, $operator);
			good("built with $workers workers, a tenth of the rows", $column, $operator, 'part < 100') if $column eq 'v';
			sql('DROP INDEX t_idx');
		}
	}
}
foreach my $workers (0, 2)
{
	# 4000 x 48 x 4 bytes do not fit
	sql("SET maintenance_work_mem = '1MB'; SET max_parallel_maintenance_workers = $workers;
		INSERT INTO t SELECT id + $rows, part, v, v FROM source; CREATE INDEX t_idx ON t USING elacsym (v, part)");
	good("built in 1 MB with $workers workers", 'v', '<->');
	is(sql('SET enable_seqscan = off; SET enable_sort = off; SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM queries LIMIT 1)) s'),
		join('|', (2 * $rows) x 2), "built in 1 MB with $workers workers: every row once");
	is(sql(q{SELECT elacsym_verify('t_idx')}), 't', 'sound');
	sql("DROP INDEX t_idx; DELETE FROM t WHERE id > $rows; VACUUM t");
}

# ---- an index that begins empty, and a table that changes ----

foreach my $operator (sort keys %classes)
{
	my $column = $operator eq '<#>' ? 'h' : 'v';

	sql('TRUNCATE t');
	sql('CREATE INDEX t_idx ON t USING elacsym (' . "$column " . class($column, $operator) . ', part)');
	sql("INSERT INTO t SELECT id, part, v, v FROM source WHERE id % 4 = $_") foreach 0 .. 3;
	sql('ANALYZE t');
	good('inserted', $column, $operator);
	good('inserted, a twentieth', $column, $operator, 'part < 50');

	# aborted in several ways
	$node->psql('postgres', "BEGIN; INSERT INTO t SELECT id + 100000, part, v, v FROM source WHERE id <= 500; ROLLBACK");
	$node->psql('postgres', "BEGIN; INSERT INTO t SELECT id + 100000, part, v, v FROM source WHERE id <= 300; SELECT 1 / 0; COMMIT");
	sql("BEGIN; SAVEPOINT a; INSERT INTO t SELECT id + 100000, part, v, v FROM source WHERE id <= 300; ROLLBACK TO a;
		UPDATE t SET v = v WHERE id <= 100; COMMIT");
	good('after rolling back', $column, $operator);
	is(sql("SET enable_seqscan = off; SET enable_sort = off; SELECT count(*), count(DISTINCT id), max(id) FROM
			(SELECT id FROM t ORDER BY " . distance($column, $operator) =~ s/\$1/(SELECT v FROM queries LIMIT 1)/r . ') s'),
		"$rows|$rows|$rows", 'nothing of what was rolled back');

	sql('DELETE FROM t WHERE id % 3 = 0');
	good('after deleting', $column, $operator);
	sql('VACUUM t');
	good('after VACUUM', $column, $operator);
	sql("INSERT INTO t SELECT id, part, v, v FROM source WHERE id % 3 = 0 AND id % 2 = 0; UPDATE t SET part = part + 1 WHERE id % 5 = 0");
	good('after replacing', $column, $operator);
	sql(q{SELECT elacsym_compact('t_idx', true)});
	good('after a merge', $column, $operator);
	good('after a merge, a twentieth', $column, $operator, 'part < 50');
	is(sql(q{SELECT elacsym_verify('t_idx')}), 't', 'sound');
	sql('DROP INDEX t_idx');
}

# ---- every row, once and in order ----

fill(1, 3000);
sql('UPDATE t SET v = NULL WHERE id % 100 = 3; UPDATE t SET v = array_fill(0, ARRAY[' . $dim . '])::vector WHERE id % 100 = 4');
sql('CREATE INDEX t_idx ON t USING elacsym (v vector_cosine_ops, part)');
sql("INSERT INTO t SELECT id, part, v, v FROM source WHERE id > 3000");
my $scan = 'SET enable_seqscan = off; SET enable_sort = off;';
my $cursor = q{BEGIN; DECLARE c CURSOR FOR SELECT id, v <=> (SELECT v FROM queries WHERE n = 3) AS d FROM t ORDER BY v <=> (SELECT v FROM queries WHERE n = 3);};
foreach my $step (1000, 17)
{
	my @fetched = split /\n/, sql("$scan $cursor" . "FETCH $step FROM c;" x (int($rows / $step) + 1) . 'COMMIT');
	my %seen = map { (split /\|/)[0] => 1 } @fetched;
	my @d = map { (split /\|/, $_, -1)[1] } @fetched;
	my $finite = grep { $_ ne '' && $_ ne 'NaN' } @d;

	is(scalar(@fetched), $rows, "a cursor read $step at a time gives all rows");
	is(scalar(keys %seen), $rows, 'each once');
	is(join(',', map { $d[$_] } $finite, $rows - 31, $rows - 30, $rows - 1), 'NaN,NaN,,', 'then zero vectors, then NULLs');
	# the nearest rows are the nearest
	my @sorted = sort { $a <=> $b } @d[ 0 .. $finite - 1 ];
	cmp_ok(scalar(grep { $d[$_] <= $sorted[9] + 1e-9 } 0 .. 9), '>=', 9, 'the nearest first');
	my $wrong = grep { $d[$_] < $d[ $_ - 1 ] - 1e-9 } 1 .. $finite - 1;
	cmp_ok($wrong, '<', $rows / 20, "hardly a row after a farther one: $wrong");
}
foreach my $k (1, 10, 99, 1000, $rows - 60, $rows + 5)
{
	is(sql("$scan SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <=> (SELECT v FROM queries WHERE n = 5) LIMIT $k) s"),
		join('|', ($k > $rows ? $rows : $k) x 2), "LIMIT $k");
}
# with every list looked at and certain bounds the order is exact
is(sql("$scan SET elacsym.probes = 1000000; SET elacsym.epsilon = 30;
	SELECT count(*) FROM (SELECT d < lag(d) OVER (ROWS UNBOUNDED PRECEDING) - 1e-9 AS wrong FROM
		(SELECT v <=> (SELECT v FROM queries WHERE n = 5) AS d FROM t ORDER BY v <=> (SELECT v FROM queries WHERE n = 5) LIMIT 3000) s) s WHERE wrong"),
	0, 'in order when asked to be');

# ---- filters ----

foreach my $condition ('part = 7', 'part < 10', 'part BETWEEN 100 AND 300', 'part <> 7', 'id % 100 = 50', 'part < 500 AND id % 50 = 1', 'part < 0')
{
	my $matching = sql("SELECT least(count(*), 40) FROM t WHERE $condition");

	is(sql("$scan SELECT count(*), count(*) FILTER (WHERE m <> $matching) FROM queries q,
			LATERAL (SELECT count(*) AS m FROM (SELECT id FROM t WHERE $condition ORDER BY t.v <=> q.v LIMIT 40) s) x"),
		"$queries|0", "never short: $condition");
}
good('rare rows', 'v', '<=>', 'part = 7');
good('a row in fifty', 'v', '<=>', 'id % 50 = 1');
sql('DROP INDEX t_idx');

# ---- equal rows ----

foreach my $operator (sort keys %classes)
{
	my $one = sql('SELECT v FROM queries WHERE n = 9');
	my $equal = q{SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE id > 10000) FROM (SELECT id FROM t ORDER BY v %s '%s' LIMIT %d) s};

	fill(1, 1500);
	# as far out as no other row under the inner product
	$one = sql("SELECT array_agg(x * 10)::vector FROM unnest('$one'::vector::real[]) x") if $operator eq '<#>';
	sql("INSERT INTO t SELECT i, 0, '$one' FROM generate_series(10001, 10200) i");
	sql('CREATE INDEX t_idx ON t USING elacsym (v ' . class('v', $operator) . ')');
	sql("INSERT INTO t SELECT i, 0, '$one' FROM generate_series(10201, 10300) i");
	is(sql($scan . sprintf($equal, $operator, $one, 300)), '300|300|300', "$classes{$operator}: all of 300 equal rows, some of them in the delta");
	is(sql($scan . sprintf($equal, $operator, $one, 35)), '35|35|35', "$classes{$operator}: 35 of them");
	sql(q{SELECT elacsym_compact('t_idx', true)});
	is(sql($scan . sprintf($equal, $operator, $one, 300)), '300|300|300', "$classes{$operator}: after a merge");
	sql('DROP INDEX t_idx');
}
sql('TRUNCATE t');
sql("INSERT INTO t (id, v) SELECT i, (SELECT v FROM queries WHERE n = 2) FROM generate_series(1, 3000) i");
sql('CREATE INDEX t_idx ON t USING elacsym (v)');
is(sql("$scan SELECT count(*), count(DISTINCT id), max(d) FROM (SELECT id, v <-> (SELECT v FROM queries WHERE n = 2) AS d FROM t
	ORDER BY v <-> (SELECT v FROM queries WHERE n = 2) LIMIT $_) s"), "$_|$_|0", "$_ of rows that are all equal") foreach 10, 700, 3000;

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|XX\d\d\d|terminated by signal/, 'nothing broke in the log');
done_testing();
