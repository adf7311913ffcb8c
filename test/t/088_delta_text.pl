# Texts that lie in the delta: what sessions keep of them never shows, while
# rows come, are rolled back, deleted, flushed and purged, on a primary and on
# its standby.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacSession;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{ELACSYM_DELTA_TEXT_SECONDS} || 8;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq(
autovacuum = off
jit = off
elacsym.delta_limit = 1000000
max_standby_streaming_delay = -1
));
$node->start;
$node->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
CREATE TABLE t (id int PRIMARY KEY, title text, body text, labels tsvector);
CREATE SEQUENCE ids;

-- a text by its number: a few words are frequent, some rare, lengths differ
CREATE FUNCTION words(i int, n int) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg('w' || ((i * 31 + j * j * 7) % (5 + 7 * j)), ' ') FROM generate_series(1, n) j$$;
CREATE FUNCTION add_rows(n int) RETURNS void LANGUAGE sql AS
	$$INSERT INTO t SELECT i, CASE WHEN i % 11 > 0 THEN words(i, 3) END, CASE WHEN i % 13 > 0 THEN words(i, 5 + i % 40) END,
		setweight(to_tsvector('simple', words(i, 4)), 'A') || setweight(to_tsvector('simple', words(i + 1, 9)), 'C')
		FROM (SELECT nextval('ids')::int AS i FROM generate_series(1, n)) s$$;
SELECT add_rows(300);
CREATE INDEX t_idx ON t USING elacsym (title text_bm25_ops (config = 'simple'), body text_bm25_ops (config = 'simple'), labels);

-- Scan and operator under one snapshot: equal scores at equal ranks, each the row's own, no row twice and none left out.
CREATE FUNCTION check_query(expression text, query text, k int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	wrong text;
BEGIN
	EXECUTE format($f$
		WITH scan AS MATERIALIZED (SELECT id, score, row_number() OVER () AS rank FROM
				(SELECT id, %1$s <@> %2$s AS score FROM t ORDER BY %1$s <@> %2$s LIMIT %3$s) s),
			whole AS MATERIALIZED (SELECT id, %1$s <@> %2$s AS score FROM (SELECT * FROM t OFFSET 0) t),
			ranked AS (SELECT score, row_number() OVER (ORDER BY score) AS rank FROM whole)
		SELECT string_agg(what, ', ') FROM (
			SELECT 'rank ' || rank || ': ' || coalesce(scan.score::text, 'NULL') || ' instead of ' || coalesce(ranked.score::text, 'NULL') AS what
				FROM scan FULL JOIN ranked USING (rank) WHERE rank <= %3$s AND scan.score IS DISTINCT FROM ranked.score
			UNION ALL SELECT 'row ' || id || ' has ' || whole.score || ' instead of ' || scan.score
				FROM scan LEFT JOIN whole USING (id) WHERE scan.score IS DISTINCT FROM whole.score
			UNION ALL SELECT 'row ' || id || ' came ' || count(*) || ' times' FROM scan GROUP BY id HAVING count(*) > 1
			LIMIT 3) s$f$, expression, query, k) INTO wrong;
	RETURN expression || ' <@> ' || query || ' LIMIT ' || k || ': ' || wrong;
END $$;

-- Rows that match by the index, and by the server's own operator.
CREATE FUNCTION check_matches(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found int[]; wanted int[];
BEGIN
	EXECUTE format('WITH f AS MATERIALIZED (SELECT id FROM t WHERE %1$s),
		w AS MATERIALIZED (SELECT id FROM (SELECT * FROM t OFFSET 0) t WHERE %1$s)
		SELECT (SELECT array_agg(id ORDER BY id) FROM f), (SELECT array_agg(id ORDER BY id) FROM w)', condition) INTO found, wanted;
	IF found IS DISTINCT FROM wanted THEN
		RETURN condition || ': ' || coalesce(cardinality(found), 0) || ' rows instead of ' || coalesce(cardinality(wanted), 0);
	END IF;
	RETURN NULL;
END $$;

CREATE FUNCTION check_texts() RETURNS text LANGUAGE plpgsql
	SET enable_seqscan = off SET enable_sort = off SET jit = off SET default_text_search_config = 'simple' AS $$
DECLARE
	wrong text;
BEGIN
	SELECT string_agg(c, E'\n') INTO wrong FROM (VALUES
		(check_query('body', quote_literal('w3 w17 w101'), 10)),
		(check_query('body', quote_literal('w3 w17 w101'), 1000000)),
		(check_query('body', quote_literal('missing'), 1000000)),
		(check_query('ARRAY[title, body]', quote_literal('w2 w5 w9'), 50)),
		(check_query('ARRAY[title, body]', $q$elacsym_match('w2 w5 w9', combine => 'bm25f')$q$, 30)),
		(check_query('body', $q$elacsym_match('w2 w5 w9 w11', min_match => 3)$q$, 1000000)),
		(check_query('body', $q$elacsym_match('w3 w1', prefix => true)$q$, 20)),
		(check_query('body', $q$'w1:* & !w12'::tsquery$q$, 1000000)),
		(check_query('body', $q$'w2 <-> w9 | w40'::tsquery$q$, 1000000)),
		(check_query('labels', $q$'w2:A & w5'::tsquery$q$, 40)),
		(check_matches($c$body @@ 'w3 & !w9'$c$)),
		(check_matches($c$body @@ '!w3'$c$)),
		(check_matches($c$title @@ 'w1:*' OR body @@ 'w3 <2> w16'$c$)),
		(check_matches($c$labels @@ 'w2:A | w5:C'$c$))) v (c);
	RETURN coalesce(wrong, 'right');
END $$;

CREATE FUNCTION kept() RETURNS bigint LANGUAGE sql AS
	$$SELECT coalesce(sum(total_bytes), 0) FROM pg_backend_memory_contexts WHERE name = 'elacsym lane texts'$$;
});
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# ---- one change between two questions to sessions that know the index ----

my $reader = session($node);
my $follower = session($standby);
my $check = 'SELECT check_texts()';
is(ask($reader, $check), 'right', 'the primary answers');
is(ask($follower, $check), 'right', 'the standby answers');
my @changes = (
	'SELECT add_rows(80)',
	'SELECT add_rows(1)',
	'BEGIN; SELECT add_rows(20); ROLLBACK',
	'BEGIN; SELECT add_rows(5); SAVEPOINT s; SELECT add_rows(20); ROLLBACK TO s; SELECT add_rows(5); COMMIT',
	'DELETE FROM t WHERE id % 7 = 3',
	'VACUUM t',
	q{UPDATE t SET body = body || ' w3' WHERE id % 17 = 2},
	'SELECT add_rows(40)',
	q{SELECT elacsym_flush('t_idx')},
	'SELECT add_rows(40)',
	q{SELECT elacsym_compact('t_idx')},
	'SELECT add_rows(3); VACUUM t',
	'REINDEX INDEX t_idx',
	'SELECT add_rows(30)',
	'TRUNCATE t; SELECT add_rows(120)');
my @wrong;
for my $change (@changes)
{
	$node->safe_psql('postgres', $_) foreach ($change =~ /^BEGIN/ ? ($change) : split /; /, $change);
	my $answer = ask($reader, $check);
	push @wrong, "$change: $answer" if $answer ne 'right';
	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	$answer = ask($follower, $check);
	push @wrong, "$change, standby: $answer" if $answer ne 'right';
}
is(join("\n", @wrong), '', 'after every change both answer as the operators do');

# Rows of the statement's own transaction, and of its subtransactions.
is(ask($reader, 'BEGIN; SELECT add_rows(10); SELECT check_texts(); SAVEPOINT s; SELECT add_rows(10); SELECT check_texts();'
		. ' ROLLBACK TO s; SELECT check_texts(); COMMIT'), "\nright\n\nright\nright", 'own rows');

# An open cursor goes on with what it began with.
ask($reader, q{SET enable_seqscan = off; SET enable_sort = off; BEGIN;
	CREATE TEMP TABLE before ON COMMIT DROP AS SELECT id, body <@> 'w3 w17' AS score FROM t;
	DECLARE c CURSOR FOR SELECT id, body <@> 'w3 w17' AS score FROM t ORDER BY body <@> 'w3 w17'; FETCH 2 c});
$node->safe_psql('postgres', 'SELECT add_rows(200)');
ask($reader, q{SELECT id FROM t ORDER BY body <@> 'w3 w17' LIMIT 1});
$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx')});
my @fetched = split /\n/, ask($reader, 'FETCH ALL c');
my @scores = map { (split /\|/)[1] // 1 } @fetched;
ok(!(grep { $scores[$_] < $scores[ $_ - 1 ] } 1 .. $#scores), 'a cursor beside inserts and a flush: rows in order');
is(@fetched + 2, ask($reader, 'SELECT count(*) FROM before'), 'a cursor beside inserts and a flush: each row of its snapshot once');
ask($reader, 'COMMIT');

# ---- what is kept ----

cmp_ok(ask($reader, 'SELECT check_texts(); SELECT kept()') =~ s/.*\n//sr, '<', 16384, 'after a flush nothing is kept of the texts that were in the delta');
$node->safe_psql('postgres', 'SELECT add_rows(500)');
my $kept = ask($reader, 'SELECT check_texts(); SELECT kept()') =~ s/.*\n//sr;
cmp_ok($kept, '>', 100000, "$kept bytes are kept of 500 rows");

# Texts that would take more than 64 MB are read row by row, with the same answers.
$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx')});
$node->safe_psql('postgres', q{INSERT INTO t
	SELECT nextval('ids'), 'long', (SELECT string_agg(md5(i::text || j), ' ') FROM generate_series(1, 20000) j) || ' w3 w17' FROM generate_series(1, 30) i});
is(ask($reader, q{SET jit = off; SELECT check_query('body', quote_literal('w3 w17 w101'), 10), check_matches($$body @@ 'w3 <-> w17'$$)}),
	'|', 'texts of 600 kB');
cmp_ok(ask($reader, 'SELECT kept()'), '<', 1024 * 1024, 'what is kept is bounded');
$node->safe_psql('postgres', q{DELETE FROM t WHERE title = 'long'});
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx')});
is(ask($reader, $check), 'right', 'after they have gone');

# ---- partitions: a session that knows them and a new one agree, also about rows in partitions that a query does not read ----

$node->safe_psql('postgres', q{
CREATE TABLE p (id int, body text) PARTITION BY RANGE (id);
SELECT format('CREATE TABLE p%s PARTITION OF p FOR VALUES FROM (%s) TO (%s)', i, i * 100, i * 100 + 100) FROM generate_series(0, 9) i \\gexec
INSERT INTO p SELECT i, words(i, 5 + i % 40) FROM generate_series(0, 950) i;
CREATE INDEX p_idx ON p USING elacsym (body text_bm25_ops (config = 'simple'));});
my $scores = q{SET enable_seqscan = off; SET enable_sort = off; SET jit = off; SELECT string_agg(id || ' ' || score, ', ') FROM
	(SELECT id, body <@> 'w3 w17 w101' AS score FROM p WHERE id < 100 ORDER BY body <@> 'w3 w17 w101' LIMIT 20) s};
my %seen;
@wrong = ();
for my $change ('SELECT 1', q{INSERT INTO p SELECT i, 'w3 w17' FROM generate_series(400, 450) i}, q{SELECT elacsym_flush('p4_body_idx')},
	'BEGIN; INSERT INTO p SELECT i, words(i, 9) FROM generate_series(300, 330) i; ROLLBACK', 'DELETE FROM p WHERE id = 405', 'VACUUM p',
	q{SELECT elacsym_compact('p4_body_idx')}, 'REINDEX INDEX p3_body_idx', 'DROP TABLE p7', 'TRUNCATE p8')
{
	$node->safe_psql('postgres', $change);
	my $answer = ask($reader, $scores);
	my $new = $node->safe_psql('postgres', $scores);
	push @wrong, "$change: $answer instead of $new" if $answer ne $new;
	$seen{$new} = 1;
}
is(join("\n", @wrong), '', 'statistics over partitions are those of now');
cmp_ok(scalar(keys %seen), '>', 4, 'rows of other partitions count');

# ---- many sessions ----

my $scripts = PostgreSQL::Test::Utils::tempdir;
my %script = (
	insert => 'SELECT add_rows(3);',
	rollback => "BEGIN;\nSELECT add_rows(4);\nROLLBACK;",
	part => "BEGIN;\nSELECT add_rows(1);\nSAVEPOINT s;\nSELECT add_rows(2);\nROLLBACK TO s;\nSELECT check_texts() = 'right' OR 1 / (random() * 0)::int = 1;\nCOMMIT;",
	delete => '\set m random(0, 60)' . "\nDELETE FROM t WHERE id % 61 = :m AND id > (SELECT max(id) - 300 FROM t);",
	update => '\set m random(0, 90)' . "\nUPDATE t SET body = body || ' w9' WHERE id % 91 = :m AND id > (SELECT max(id) - 300 FROM t);",
	flush => q{SELECT elacsym_flush('t_idx');},
	vacuum => 'VACUUM t;',
	check => q{SELECT check_texts() = 'right' OR 1 / (random() * 0)::int = 1;});
for my $name (keys %script)
{
	append_to_file("$scripts/$name.sql", $script{$name} . "\n");
}
sub pgbench
{
	my ($on, $clients, @weighted) = @_;
	my %p = (out => '');
	$p{run} = IPC::Run::start([ 'pgbench', '-n', '-c', $clients, '-T', $seconds, (map { ('-f', "$scripts/$_") } @weighted),
			'-d', $on->connstr('postgres') ], '<', \'', '>', \$p{out}, '2>&1', IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
	return \%p;
}
$node->safe_psql('postgres', 'TRUNCATE t; SELECT add_rows(200)');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my @running = (
	pgbench($node, 4, 'insert.sql@40', 'rollback.sql@4', 'delete.sql@2', 'update.sql@1', 'part.sql@1'),
	pgbench($node, 1, 'flush.sql@1', 'vacuum.sql@1', 'check.sql@3'),
	pgbench($node, 2, 'check.sql@1'));
# a conflict with replay is an error that says to ask again
my ($right, $retries) = (0, 0);
@wrong = ();
for (my $end = time + $seconds; time < $end;)
{
	my $answer = ask($follower, $check);
	if ($answer eq 'right') { $right++; }
	elsif ($answer =~ /40001/) { $retries++; }
	else { push @wrong, $answer; }
}
is(join("\n", @wrong), '', "standby beside writers: $right right answers, $retries errors to try again");
ok($right > 0, 'the standby answered');
for my $p (@running)
{
	$p->{run}->finish;
	unlike($p->{out}, qr/ERROR|abort/, 'sessions side by side: every answer is that of the operators')
		or diag($p->{out});
}
is($node->safe_psql('postgres', 'SELECT check_texts()'), 'right', 'a new session');
is(ask($reader, $check), 'right', 'a session that was there before');
is($node->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', 'the index is sound');

# ---- inserts that flush by themselves: the delta does not run away from them ----

$node->safe_psql('postgres', q{ALTER SYSTEM SET elacsym.delta_limit = 200; SELECT pg_reload_conf()});
my $writers = pgbench($node, 6, 'insert.sql@1');
$writers->{run}->finish;
unlike($writers->{out}, qr/ERROR|abort/, 'sessions that insert');
cmp_ok($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM t) - sum(documents) FROM elacsym_segments('t_idx')}), '<', 1000,
	'sessions that insert flush');
is($node->safe_psql('postgres', 'SELECT check_texts()'), 'right', 'after them');

# ---- a restart ----

$node->safe_psql('postgres', q{ALTER SYSTEM RESET elacsym.delta_limit; SELECT pg_reload_conf()});
$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx'); SELECT add_rows(2000)});
$_->{run}->finish foreach ($reader, $follower);
$node->restart;
my $begin = time;
$node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM t ORDER BY body <@> 'w3 w17 w101' LIMIT 10});
cmp_ok(time - $begin, '<', 5, 'the first query after a restart, 2,000 rows in the delta');
is($node->safe_psql('postgres', 'SELECT check_texts()'), 'right', 'after a restart');
$standby->stop;
$node->stop;
done_testing();
