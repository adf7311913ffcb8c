# A standby gives the answers of its primary, row by row and at default
# settings, for every kind of vector index: after builds, inserts, deletes,
# merges; while the primary goes on; after promotion; and the primary after a
# crash.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', q(
autovacuum = off
jit = off
shared_buffers = 64MB
elacsym.delta_limit = 1000
));
$primary->start;
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my %indexes = (
	l2 => [ 'v', '<->', 'vector_l2_ops', '' ],
	ip => [ 'v', '<#>', 'vector_ip_ops', 'WITH (bits = 2)' ],
	cosine => [ 'v', '<=>', 'vector_cosine_ops', 'WITH (rerank = none)' ],
	half => [ 'h', '<->', 'halfvec_l2_ops', 'WITH (bits = 8)' ]);

$primary->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE FUNCTION spot(i int) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((hashint8extended(i * 100::bigint + j, 1) % 1000 + 900 * (hashint8extended(i % 20 * 100::bigint + j, 2) % 3))::real ORDER BY j)::vector FROM generate_series(1, 24) j';
CREATE TABLE questions AS SELECT q, spot(7000 + q) AS v, spot(7000 + q)::halfvec(24) AS h FROM generate_series(1, 12) q;
} . join('', map { my ($column, $operator, $class, $with) = @{ $indexes{$_} };
	"CREATE TABLE $_ (id int, n int, v vector(24), h halfvec(24));
	INSERT INTO $_ SELECT i, i % 100, spot(i), spot(i) FROM generate_series(1, 2500) i;
	CREATE INDEX ${_}_idx ON $_ USING elacsym ($column $class, n) $with;\n" } sort keys %indexes));

# Ids and distances that each index answers.
my $questions = 'SET enable_seqscan = off; SET enable_sort = off;' . join('', map {
	my ($table, $column, $operator) = ($_, @{ $indexes{$_} });
	my $what = "t.$column $operator q.$column";
	map { "SELECT '$table', q.q, string_agg(id || ' ' || d, ',') FROM questions q, LATERAL (SELECT id, $what AS d FROM $table t WHERE $_ ORDER BY $what LIMIT 25) s GROUP BY q.q ORDER BY q.q;" }
		'true', 'n < 5', 'id % 40 = 3' } sort keys %indexes);

sub same
{
	my ($what) = @_;

	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	my $wanted = $primary->safe_psql('postgres', $questions);
	my $got = $standby->safe_psql('postgres', $questions);
	my @wanted = split /\n/, $wanted;
	my @got = split /\n/, $got;
	my ($different) = grep { ($got[$_] // '') ne $wanted[$_] } 0 .. $#wanted;

	cmp_ok(scalar(@wanted), '==', 4 * 3 * 12, "$what: answers");
	is($got eq $wanted ? '' : "line $different: $got[$different] instead of $wanted[$different]", '', "$what: the same on the standby");
	return $wanted;
}

sub each_table { my ($sql) = @_; return $primary->safe_psql('postgres', join(';', map { $sql =~ s/\bT(?=\b|_idx)/$_/gr } sort keys %indexes)); }

same('after builds');
each_table('INSERT INTO T SELECT i, i % 100, spot(i), spot(i) FROM generate_series(2501, 3200) i');
same('with a delta');
each_table(q{DELETE FROM T WHERE id % 5 = 0; UPDATE T SET n = n + 1 WHERE id % 11 = 0});
same('after deletes');
each_table('VACUUM T');
same('after VACUUM');
each_table(q{SELECT elacsym_flush('T_idx')});
each_table('INSERT INTO T SELECT i, i % 100, spot(i), spot(i) FROM generate_series(3201, 3500) i');
each_table(q{SELECT elacsym_compact('T_idx', true)});
same('after a merge');

# aborted and prepared at a crash
$primary->psql('postgres', 'BEGIN; INSERT INTO l2 SELECT i, 3, spot(7001), spot(7001) FROM generate_series(9001, 9200) i; ROLLBACK');
$primary->psql('postgres', 'BEGIN; INSERT INTO half SELECT i, 3, spot(7001), spot(7001) FROM generate_series(9001, 9200) i; SELECT 1 / 0');
my $before = same('after rolling back');
unlike($before, qr/\b9\d\d\d /, 'nothing of what was rolled back');
$primary->stop('immediate');
$primary->start;
is(same('after a crash'), $before, 'and as before');

# the standby takes over
$primary->stop;
$standby->promote;
is($standby->safe_psql('postgres', $questions), $before, 'the same after promotion');
$standby->safe_psql('postgres', join(';', map { "INSERT INTO $_ SELECT i, i % 100, spot(i), spot(i) FROM generate_series(4001, 4600) i; DELETE FROM $_ WHERE id % 7 = 0" } sort keys %indexes));
$standby->safe_psql('postgres', "VACUUM $_") foreach sort keys %indexes;
is($standby->safe_psql('postgres', join(';', map { "SELECT elacsym_compact('${_}_idx', true) > 0, elacsym_verify('${_}_idx')" } sort keys %indexes)),
	join("\n", ('t|t') x 4), 'it writes and merges');
is($standby->safe_psql('postgres', 'SET enable_seqscan = off; SET enable_sort = off;' . join(';', map {
		my ($column, $operator) = @{ $indexes{$_} };
		"SELECT count(*) = (SELECT count(id) FROM $_), count(DISTINCT id) = count(*) FROM (SELECT id FROM $_ ORDER BY $column $operator spot(1)" . ($column eq 'h' ? '::halfvec' : '') . ' OFFSET 0) s' } sort keys %indexes)),
	join("\n", ('t|t') x 4), 'every row once');

$standby->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP:|XX\d\d\d:|terminated by signal/, 'nothing broke in the log of ' . $_->name) foreach $primary, $standby;
done_testing();
