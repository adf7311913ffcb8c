# Inserts into an index with vectors: recall with rows in the delta, many
# backends at once, one WAL record a row and how long it is, rows longer than a
# record, NULL and zero vectors, what sessions keep of the delta, a bound on the
# work within a statement, a standby that checks every page it replays.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rows, $queries, $dim, $rank) = (4000, 60, 64, 10);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q(
fsync = off
autovacuum = off
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_parallel_workers_per_gather = 0
wal_consistency_checking = 'generic'
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- data: clusters on a surface of few dimensions, as embeddings are ----

my $state = 7;
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

my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/rows", join('', map { "$_\t" . point() . "\n" } 1 .. $rows));
append_to_file("$folder/queries", join('', map { "$_\t" . point() . "\n" } 1 .. $queries));
sql(qq{
CREATE EXTENSION elacsym;
CREATE TABLE source (id int PRIMARY KEY, v vector($dim));
COPY source FROM '$folder/rows';
CREATE TABLE queries (n int, v vector($dim));
COPY queries FROM '$folder/queries';
CREATE TABLE t (id int, v vector($dim));
-- the ten nearest by the index and by a scan of the table; the share found
CREATE FUNCTION nearest(q vector) RETURNS int[] LANGUAGE plpgsql AS \$\$
DECLARE r int[];
BEGIN
	EXECUTE 'SELECT array_agg(id) FROM (SELECT id FROM t ORDER BY v <=> \$1 LIMIT 10) x' INTO r USING q;
	RETURN r;
END \$\$;
CREATE FUNCTION exact(q vector) RETURNS int[] LANGUAGE sql VOLATILE
	SET enable_indexscan = off SET enable_bitmapscan = off SET elacsym.enable_customscan = off AS 'SELECT nearest(q)';
CREATE FUNCTION found(q vector) RETURNS int[] LANGUAGE sql VOLATILE
	SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off AS 'SELECT nearest(q)';
CREATE FUNCTION recall() RETURNS numeric LANGUAGE sql VOLATILE AS \$\$
	WITH answers AS MATERIALIZED (SELECT found(v) AS found, exact(v) AS truth FROM queries)
	SELECT round(avg((SELECT count(*) FROM unnest(found) f WHERE f = ANY (truth)) / 10.0), 3) FROM answers \$\$;
-- every row once, by the index
CREATE FUNCTION all_rows() RETURNS text LANGUAGE sql VOLATILE SET enable_seqscan = off SET enable_bitmapscan = off AS \$\$
	SELECT count(*) || ' ' || count(DISTINCT id) FROM (SELECT id FROM t ORDER BY v <=> (SELECT v FROM queries WHERE n = 1) OFFSET 0) x \$\$;
});

sub good
{
	my $recall = sql('SELECT recall()');

	cmp_ok($recall, '>=', 0.95, "recall@10 $_[0]: $recall");
	return;
}

sub wal { return sql('SELECT pg_current_wal_insert_lsn()'); }

# ---- recall: one half built, the other inserted ----

my $half = $rows / 2;
sql("INSERT INTO t SELECT * FROM source WHERE id <= $half; CREATE INDEX t_idx ON t USING elacsym (v vector_cosine_ops)");
$node->backup('before');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'before', has_streaming => 1);
$standby->start;

sql("SET elacsym.delta_limit = 1000000; INSERT INTO t SELECT * FROM source WHERE id > $half");
is(sql(q{SELECT documents FROM elacsym_segments('t_idx')}), $half, 'what was inserted is in the delta');
good('with one half in the delta');
is(sql('SELECT all_rows()'), "$rows $rows", 'every row once');

# What the standby answers, from the same pages.
sub same_on_standby
{
	my $what = shift;

	$node->wait_for_catchup($standby);
	is($standby->safe_psql('postgres', 'SELECT string_agg(found(v)::text, E\'\n\' ORDER BY n) FROM queries'),
		sql('SELECT string_agg(found(v)::text, E\'\n\' ORDER BY n) FROM queries'), "the standby answers alike $what");
	is($standby->safe_psql('postgres', 'SELECT all_rows()'), sql('SELECT all_rows()'), "and has the same rows $what");
	return;
}
same_on_standby('from the delta');
is(sql(q{SELECT elacsym_flush('t_idx')}), $half, 'flushed');
good('after the flush');
same_on_standby('after the flush');

# The rows came in as codes: what they became must not depend on it.
sql(q{REINDEX INDEX t_idx});
my $built = sql('SELECT recall()');
good('built at once');

# ---- many backends ----

sql('TRUNCATE t; INSERT INTO t SELECT * FROM source WHERE id <= 500; ALTER SYSTEM SET elacsym.delta_limit = 150; SELECT pg_reload_conf(); CREATE SEQUENCE ids START 501');
append_to_file("$folder/insert.sql", "INSERT INTO t SELECT id, v FROM source WHERE id = (SELECT nextval('ids'));\n");
append_to_file("$folder/query.sql", "SELECT count(found(v)) FROM queries WHERE n = 1 + (random() * 50)::int;\n");
$node->command_ok([ 'pgbench', '-n', '-c', '5', '-j', '2', '-t', 700, '-f', "$folder/insert.sql\@9", '-f', "$folder/query.sql\@1",
		'-h', $node->host, '-p', $node->port, 'postgres' ], 'five backends insert, with flushes and queries between');
my $count = sql('SELECT count(*) FROM t');
cmp_ok($count, '>', 3000, "rows: $count");
is(sql('SELECT all_rows()'), "$count $count", 'each is in the index once');
cmp_ok(sql(q{SELECT max(documents) FROM elacsym_segments('t_idx')}), '>=', 150, 'there were flushes');
is(sql(q{SELECT elacsym_verify('t_idx')}), 't', 'and the index is sound');
good('after concurrent inserts');
same_on_standby('after concurrent inserts');
sql('ALTER SYSTEM RESET elacsym.delta_limit; SELECT pg_reload_conf()');

# ---- WAL: one record a row, of its code's length and little more ----

# (with consistency checks each record carries its pages: not here)
my $lone = PostgreSQL::Test::Cluster->new('lone');
$lone->init;
$lone->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nbgwriter_delay = 10s\n");
$lone->start;
$lone->safe_psql('postgres', q{CREATE EXTENSION elacsym; CREATE TABLE w (id int, v vector(256));
	CREATE FUNCTION spread(n int) RETURNS vector LANGUAGE sql AS 'SELECT array_agg(sin(n * i + i * i)::real)::vector FROM generate_series(1, 256) i';
	CREATE UNLOGGED TABLE new AS SELECT i AS id, spread(i) AS v FROM generate_series(1, 900) i;
	CREATE INDEX w_idx ON w USING elacsym (v); INSERT INTO w VALUES (0, spread(0)); CHECKPOINT});
my $from = $lone->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$lone->safe_psql('postgres', 'INSERT INTO w SELECT * FROM new');
my $to = $lone->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $bytes = $lone->safe_psql('postgres', "SELECT ('$to'::pg_lsn - '$from') / 900");
cmp_ok($bytes, '<', 1700, "bytes of WAL a row of 256 dimensions, table and index: $bytes");
my $dump = `@{[$lone->config_data('--bindir')]}/pg_waldump -p @{[$lone->data_dir]}/pg_wal -r Generic -s $from -e $to`;
is(scalar(() = $dump =~ /^rmgr: Generic/mg), 900, 'one record of the index for each row');
$lone->stop;

# ---- rows longer than a record, and vectors without a direction ----

sql(q{CREATE TABLE long (id int PRIMARY KEY, v vector(3), body text, note text);
	CREATE INDEX long_idx ON long USING elacsym (v vector_cosine_ops, body, note);
	INSERT INTO long SELECT i, ARRAY[cos(i), sin(i), i]::vector,
		(SELECT string_agg('word' || i || 'x' || n, ' ') FROM generate_series(1, CASE i % 4 WHEN 0 THEN 20000 WHEN 1 THEN 3000 WHEN 2 THEN 600 ELSE 3 END) n),
		repeat(chr(97 + i), CASE WHEN i % 3 = 0 THEN 60000 ELSE 9 END) FROM generate_series(1, 12) i;
	INSERT INTO long VALUES (13, NULL, 'none', 'none'), (14, '[0,0,0]', 'zero', 'zero'), (15, NULL, NULL, NULL)});
my $long = q{SET enable_seqscan = off;
	SELECT string_agg(id::text, ' ') FROM (SELECT id FROM long ORDER BY v <=> '[1,0,5]' OFFSET 0) x;
	SELECT string_agg((SELECT id::text FROM long ORDER BY body <@> ('word' || i || 'x2') LIMIT 1), ' ' ORDER BY i) FROM generate_series(1, 12) i;
	SELECT string_agg((SELECT id::text FROM long WHERE note = repeat(chr(97 + i), 60000) ORDER BY body <@> 'none' LIMIT 1), ' ' ORDER BY i) FROM generate_series(1, 12) i};
my $answers = sql($long);
like($answers, qr/^[\d ]+ 14 (13 15|15 13)\n1 2 3 4 5 6 7 8 9 10 11 12\n3 6 9 12$/, 'long rows, a zero vector and NULLs');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $long), $answers, 'on the standby');
is(sql(q{SELECT elacsym_verify('long_idx'); SELECT elacsym_flush('long_idx')}), "t\n15", 'verified and flushed');
is(sql($long), $answers, 'and the same from a segment');

# ---- what a session keeps of the delta ----

sql(q{CREATE TABLE kept (id int, part int, v vector(3)); CREATE INDEX kept_idx ON kept USING elacsym (v, part);
	INSERT INTO kept SELECT i, i % 2, ARRAY[i, 0, 0]::vector FROM generate_series(1, 300) i});
my $session = $node->background_psql('postgres');
my $mine = $standby->background_psql('postgres');
my $ask = q{SELECT string_agg(id || ':' || part, ' ') FROM (SELECT id, part FROM kept WHERE part < 5 ORDER BY v <-> '[100.1,0,0]' LIMIT 4) x;
	SELECT count(*) || ' ' || count(DISTINCT id) FROM (SELECT id FROM kept ORDER BY v <-> '[0,0,0]' OFFSET 0) x;};
$_->query_safe('SET enable_seqscan = off; SET enable_sort = off') foreach $session, $mine;

sub kept
{
	my ($wanted, $what) = @_;

	$node->wait_for_catchup($standby);
	is($session->query_safe($ask), $wanted, "$what: a session that knows the delta");
	is($mine->query_safe($ask), $wanted, "$what: one of the standby");
	is(sql("SET enable_seqscan = off; $ask"), $wanted, "$what: a new one");
	return;
}
kept("100:0 101:1 99:1 102:0\n300 300", 'before');
sql(q{INSERT INTO kept SELECT i, 0, ARRAY[i, 0, 0]::vector FROM generate_series(301, 900) i; INSERT INTO kept VALUES (1000, 3, '[100.15,0,0]')});
kept("1000:3 100:0 101:1 99:1\n901 901", 'rows are added');
sql(q{DELETE FROM kept WHERE id IN (100, 1000)});
kept("101:1 99:1 102:0 98:0\n899 899", 'rows are deleted');

# VACUUM marks the delta's rows dead; the next rows take their places in the table.
sql(q{SET elacsym.delta_limit = 1000000; VACUUM kept; INSERT INTO kept VALUES (2000, 4, '[5000,0,0]'), (2001, 4, '[100.3,0,0]')});
is(sql(q{SELECT documents FROM elacsym_segments('kept_idx')}), '', 'all is in the delta still');
kept("2001:4 101:1 99:1 102:0\n901 901", 'places are used again');
sql(q{SELECT elacsym_flush('kept_idx'); INSERT INTO kept VALUES (3000, 1, '[100,0,0]')});
kept("3000:1 2001:4 101:1 99:1\n902 902", 'the delta is flushed');
$_->quit foreach $session, $mine;

# ---- a statement does small merges, VACUUM the others ----

sql(q{CREATE TABLE small (id int, v vector(3)); CREATE INDEX small_idx ON small USING elacsym (v);
	INSERT INTO small SELECT i, ARRAY[i, i % 7, 1]::vector FROM generate_series(1, 20) i; SELECT elacsym_flush('small_idx')});
sql(q{SET elacsym.delta_limit = 10; INSERT INTO small SELECT i, ARRAY[i, i % 7, 1]::vector FROM generate_series(21, 3000) i});
my ($segments, $largest) = split /\|/, sql(q{SELECT count(*), max(documents) FROM elacsym_segments('small_idx')});
cmp_ok($largest, '<=', 200, "no merge within an INSERT of more than 20 times the delta's limit: $largest");
sql('VACUUM small');
my $after = sql(q{SELECT count(*) FROM elacsym_segments('small_idx')});
cmp_ok($after, '<', $segments / 2, "VACUUM does them: $segments segments, then $after");
is(sql(q{SET enable_seqscan = off; SELECT count(DISTINCT id) FROM (SELECT id FROM small ORDER BY v <-> '[1,1,1]' OFFSET 0) x}), 3000, 'all rows');

# ---- a crash ----

sql('SET elacsym.delta_limit = 1000000; INSERT INTO t SELECT id + 100000, v FROM source WHERE id <= 800');
$count = sql('SELECT count(*) FROM t');
$node->stop('immediate');
$node->start;
is(sql('SELECT all_rows()'), "$count $count", 'after a crash every row is there once');
is(sql(q{SELECT elacsym_verify('t_idx')}), 't', 'and the index is sound');
same_on_standby('after the crash');

$node->stop;
$standby->stop;
foreach my $server ($node, $standby)
{
	unlike(slurp_file($server->logfile), qr/inconsistent page|PANIC|terminated by signal|XX\d\d\d/, $server->name . ': nothing broke in the log');
}
done_testing();
