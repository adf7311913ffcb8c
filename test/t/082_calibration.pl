# Copyright (c) 2026, the elacsym authors
#
# Queries reach elacsym.target_recall although nobody chose a number of lists:
# on data whose queries lie elsewhere than its rows, with filters that are
# independent of the vectors and such that are not, with many segments, before
# and after merges, calibrated on rows and on collected queries.  What is
# collected survives a crash, reaches a standby, and is not written there.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('calibration');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nmaintenance_work_mem = 64MB\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION elacsym;
	SELECT setseed(0.5);
	CREATE TABLE centers AS
		SELECT c, array_agg(random()) AS x FROM generate_series(1, 60) c, generate_series(1, 32) d GROUP BY c;
	-- rows around centers; near: the first component, so that a filter on it goes with the vector
	CREATE TABLE t (id int, part int, near float8, v vector(32));
	INSERT INTO t SELECT i, i % 1000, x[1], x::real[]::vector FROM (
		SELECT i, (SELECT array_agg(y + (random() + random() + random() - 1.5) * 0.5 + i * 0 ORDER BY n)
			FROM unnest(x) WITH ORDINALITY u(y, n)) AS x
		FROM generate_series(1, 20000) i JOIN centers ON c = i % 60 + 1) p;
	-- queries between three centers each
	CREATE TABLE q (n int, v vector(32));
	INSERT INTO q SELECT i, (SELECT array_agg((a.x[n] + b.x[n] + c.x[n]) / 3 + (random() - 0.5) * 0.3 + i * 0 ORDER BY n)
			FROM generate_series(1, 32) n)::real[]::vector
		FROM generate_series(1, 400) i JOIN centers a ON a.c = i % 60 + 1 JOIN centers b ON b.c = i * 7 % 60 + 1
		JOIN centers c ON c.c = i * 13 % 60 + 1;
	VACUUM ANALYZE t});

# Mean share of the true ten, and documents scored, of a hundred queries.
sub measured
{
	my ($settings, $condition, $on) = @_;
	my ($documents) = $condition ? (0)
	  : ($on // $node)->safe_psql('postgres', "$settings;
		SELECT documents FROM elacsym_recall('t_idx', (SELECT array_agg(v) FROM q WHERE n > 300))") =~ /^([\d.]+)/m;
	my $c = $condition // 'true';
	my $recall = ($on // $node)->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET elacsym.collect_queries = off; $settings;
		SELECT round(avg(share), 4) FROM (
			SELECT (SELECT count(*) FROM unnest(found) f WHERE f <= truth[cardinality(truth)] + 1e-6)::numeric / cardinality(truth) AS share
			FROM (SELECT ARRAY(SELECT t.v <-> q.v FROM t WHERE $c ORDER BY t.v <-> q.v LIMIT 10) AS found,
				ARRAY(SELECT d FROM (SELECT t.v <-> q.v AS d FROM t WHERE $c OFFSET 0) x ORDER BY d LIMIT 10) AS truth
				FROM q WHERE n > 300 OFFSET 0) y) z});
	return ($recall, $documents);
}

sub reaches
{
	my ($target, $what, $settings, $condition) = @_;
	my ($recall, $documents) = measured("SET elacsym.target_recall = $target" . ($settings ? "; $settings" : ''), $condition);
	cmp_ok($recall, ">=", $target - 0.02, "$what at $target: $recall ($documents documents)");
	return $documents;
}

sub source { return $node->safe_psql('postgres', q{SELECT DISTINCT source FROM elacsym_calibration('t_idx')}); }

# ---- calibrated on rows, by the build ----

$node->safe_psql('postgres', 'CREATE INDEX t_idx ON t USING elacsym (v vector_l2_ops, part, near)');
is(source(), 'rows', 'a build calibrates on rows');
my $few = reaches(0.8, 'calibrated on rows');
my $rows = reaches(0.95, 'calibrated on rows');
my $many = reaches(0.99, 'calibrated on rows');
ok($few < $rows && $rows < $many, 'what is asked for decides how much is looked at');
cmp_ok($rows, '<', 20000, 'not everything');
for my $condition ('part < 100', 'part < 10', 'part = 7', 'near > 1.0', 'near < 0.05', 'near > 1.3')
{
	reaches(0.95, "filter $condition", '', $condition);
}

# ---- calibrated on queries, which are collected ----

my $ask = q{SET enable_seqscan = off; DO $$ DECLARE r record; BEGIN
	FOR r IN SELECT v FROM q WHERE n <= 300 LOOP PERFORM id FROM t ORDER BY v <-> r.v LIMIT 10; END LOOP; END $$;};
my $kept = q{SELECT measured, source FROM elacsym_recall('t_idx', samples => 1000)};
$node->safe_psql('postgres', "SET elacsym.collect_queries = off; $ask");
like($node->safe_psql('postgres', $kept), qr/\|rows$/, 'nothing is collected from those who do not want it');
$node->safe_psql('postgres', $ask);
is($node->safe_psql('postgres', $kept), '300|queries', 'queries are collected');
$node->safe_psql('postgres', q{
	SET enable_seqscan = off;
	DO $$ BEGIN FOR i IN 1 .. 50 LOOP PERFORM id FROM t ORDER BY v <-> (SELECT v FROM q WHERE n = 1) LIMIT 10; END LOOP; END $$});
is($node->safe_psql('postgres', $kept), '301|queries', 'the same query over and over counts once');

$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $kept), '301|queries', 'they survive a crash');
is($node->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', 'and the index is sound');

# VACUUM does what a worker would: calibrates on them
$node->safe_psql('postgres', 'VACUUM t');
is(source(), 'queries', 'VACUUM calibrates on collected queries');
my $aimed = reaches(0.9, 'calibrated on queries');
ok($aimed < $many, 'less is looked at than for more');
my ($recall, $documents) = measured('SET elacsym.target_recall = 0.95');
cmp_ok($recall, '>=', 0.93, "calibrated on queries at .95: $recall ($documents documents)");

# A full reservoir takes few of many, each of its pages staying within bounds.
my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('t_idx')});
my $wal = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$node->safe_psql('postgres', q{
	SET enable_seqscan = off;
	DO $$ DECLARE x vector(32); BEGIN
		FOR i IN 1 .. 6000 LOOP
			x := (SELECT array_agg(random() + i * 0) FROM generate_series(1, 32))::real[]::vector;
			PERFORM id FROM t ORDER BY v <-> x LIMIT 1;
		END LOOP; END $$});
is($node->safe_psql('postgres', q{SELECT pg_relation_size('t_idx')}), $size, 'the sample does not grow');
is($node->safe_psql('postgres', $kept), '512|queries', 'it is full');
my $bytes = $node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$wal'::pg_lsn");
cmp_ok($bytes, '<', 3_000_000, "6000 queries write little: $bytes bytes");

# ---- many segments, and merged ones ----

$node->safe_psql('postgres', 'CREATE TABLE rest AS SELECT * FROM t WHERE id > 8000; DELETE FROM t WHERE id > 8000; DROP INDEX t_idx; VACUUM t');
$node->safe_psql('postgres', 'CREATE INDEX t_idx ON t USING elacsym (v vector_l2_ops, part, near)');
for my $i (4 .. 9)
{
	$node->safe_psql('postgres', 'INSERT INTO t SELECT * FROM rest WHERE id > ' . $i * 2000 . ' AND id <= ' . ($i + 1) * 2000);
	$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx')});
}
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM elacsym_segments('t_idx')}), '>', 3, 'several segments');
reaches(0.95, 'many segments');
reaches(0.95, 'many segments, part < 100', '', 'part < 100');
my ($limited) = measured('SET elacsym.probes = 1');
cmp_ok($limited, '<', 0.95, "one list of each is not enough: $limited");
$node->safe_psql('postgres', q{SELECT elacsym_compact('t_idx')});
is($node->safe_psql('postgres', q{SELECT max(rows) FROM elacsym_calibration('t_idx')}), 20000, 'a merge calibrates');
reaches(0.95, 'merged');

# ---- a standby reads and does not collect ----

$node->safe_psql('postgres', $ask);
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $kept), '300|queries', 'a standby has the sample');
$standby->safe_psql('postgres', q{
	SET enable_seqscan = off;
	SELECT (SELECT count(*) FROM (SELECT id FROM t ORDER BY t.v <-> q.v LIMIT 3) x) FROM q});
is($standby->safe_psql('postgres', $kept), '300|queries', 'and does not add to it');
my ($primary) = measured('');
($recall) = measured('', undef, $standby);
is($recall, $primary, 'a standby finds what its primary finds');
isnt($standby->psql('postgres', q{SELECT elacsym_calibrate('t_idx')}), 0, 'nor calibrates');
$standby->stop;
$node->stop;
done_testing();
