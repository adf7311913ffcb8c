# The same questions get the same answers, in the same order with the same
# scores, wherever the rows of an index lie: delta, segments, one segment, a
# store; after restarts, dumps and rebuilds; on a standby and after its promotion.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
mkdir "$dir/cold";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q(
autovacuum = off
elacsym.delta_limit = 100000
elacsym.probes = 1000000
elacsym.epsilon = 30
extra_float_digits = 3
));
$node->start;
$node->safe_psql('postgres', qq{
CREATE EXTENSION elacsym;
CREATE SERVER cold FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$dir/cold');

-- Pseudorandom numbers that are the same everywhere: integers below n.
CREATE FUNCTION number(i bigint, salt int, n int) RETURNS int IMMUTABLE LANGUAGE sql AS
	'SELECT (abs(hashint8extended(i, salt)::numeric) % n)::int';
CREATE FUNCTION words(i bigint, salt int, n int) RETURNS text IMMUTABLE LANGUAGE sql AS
	\$\$SELECT string_agg('w' || sqrt(number(i, salt + j, 40000))::int, ' ') FROM generate_series(1, n) j\$\$;
CREATE FUNCTION point(i bigint) RETURNS vector(16) IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((number(i, 500 + j, 1000) - 500 + 700 * (number(i % 12, 600 + j, 3) - 1))::real)::vector FROM generate_series(1, 16) j';

CREATE TABLE docs (id bigint PRIMARY KEY, title text, body text, category text, price float8, tags text[],
	published timestamptz, embedding vector(16));
CREATE FUNCTION fill(a int, b int) RETURNS void LANGUAGE sql AS \$\$
	INSERT INTO docs SELECT i,
		CASE WHEN i % 97 = 0 THEN NULL ELSE words(i, 1000, 1 + number(i, 1, 4)) END,
		CASE WHEN i % 89 = 0 THEN NULL WHEN i % 83 = 0 THEN '' ELSE words(i, 2000, 3 + number(i, 2, 15)) END,
		CASE WHEN i % 71 > 0 THEN 'c' || number(i, 3, 6) END,
		CASE WHEN i % 61 > 0 THEN number(i, 4, 1000) / 2.0 END,
		ARRAY['t' || number(i, 5, 9), 't' || number(i, 6, 9)],
		'2024-01-01 00:00 UTC'::timestamptz + number(i, 7, 500) * interval '1 day',
		CASE WHEN i % 53 = 0 THEN NULL WHEN i % 201 = 0 THEN array_fill(0::real, '{16}')::vector ELSE point(i) END
	FROM generate_series(a, b) i \$\$;
SELECT fill(1, 1800);
CREATE INDEX docs_idx ON docs USING elacsym (embedding vector_cosine_ops,
	title text_bm25_ops (config = 'simple', weight = 2), body text_bm25_ops (config = 'english', k1 = 1.5, b = 0.6),
	category text_ops, price, tags, published) WITH (store = 'cold');
SELECT fill(1801, 2400);
SELECT elacsym_flush('docs_idx');
SELECT fill(2401, 2900);
SELECT elacsym_flush('docs_idx');
SELECT fill(2901, 3300);
});

# Every query gives an id and scores.
my $vec = q{(SELECT embedding FROM docs WHERE id = 7)};
my %queries = (
	'vector' => qq{SELECT id, embedding <=> $vec FROM docs ORDER BY embedding <=> $vec LIMIT 50},
	'vector, every row' => qq{SELECT id, embedding <=> $vec FROM docs ORDER BY embedding <=> $vec LIMIT 100000},
	'vector, filtered' => qq{SELECT id, embedding <=> $vec FROM docs WHERE price < 100 AND category IN ('c1', 'c4') ORDER BY embedding <=> $vec LIMIT 40},
	'vector, any filter' => qq{SELECT id, embedding <=> $vec FROM docs WHERE (price IS NULL OR NOT tags && '{t1,t2}') AND id % 3 = 1 ORDER BY embedding <=> $vec LIMIT 40},
	'text' => q{SELECT id, body <@> 'w10 w77 w180' FROM docs ORDER BY body <@> 'w10 w77 w180' LIMIT 50},
	'text, every row' => q{SELECT id, title <@> 'w10 w180' FROM docs ORDER BY title <@> 'w10 w180' LIMIT 100000},
	'text, filtered' => q{SELECT id, title <@> 'w150 w199' FROM docs WHERE tags @> '{t3}' AND published >= '2024-03-01' ORDER BY title <@> 'w150 w199' LIMIT 40},
	'text, fields' => q{SELECT id, ARRAY[title, body] <@> 'w120 w180 w55' FROM docs ORDER BY ARRAY[title, body] <@> 'w120 w180 w55' LIMIT 50},
	'text, fields, filtered' => q{SELECT id, ARRAY[title, body] <@> 'w120 w180' FROM docs WHERE category = 'c2' ORDER BY ARRAY[title, body] <@> 'w120 w180' LIMIT 30},
	'filter' => q{SELECT id, 0 FROM docs WHERE price BETWEEN 50 AND 60 AND tags && '{t4,t5}' ORDER BY id},
	'hybrid' => qq{SELECT (doc).id, score, vector_rank, vector_distance, text_rank, text_score
		FROM elacsym_search(NULL::docs, vector => $vec, text => 'w100 w170 w198', k => 30)},
	'hybrid, filtered' => qq{SELECT (doc).id, score, vector_rank, vector_distance, text_rank, text_score
		FROM elacsym_search(NULL::docs, vector => $vec, text => 'w100 w170 w198', filter => 'price > 200 AND id % 2 = 0', k => 30)});
my @names = sort keys %queries;

# Rows of every query: { name => [ [id, score, ...], ... ] }.
sub answers
{
	my ($server, $database, $settings) = @_;
	my $sql = ($settings // 'SET enable_seqscan = off;') . "\n" . join('', map { "\\echo == $_\n$queries{$_};\n" } @names);
	my ($name, %answers);

	foreach (split /\n/, $server->safe_psql($database, $sql))
	{
		if (/^== (.*)/) { $answers{ $name = $1 } = [] }
		elsif ($_ ne '') { push @{ $answers{$name} }, [ split /\|/, $_, -1 ] }
	}
	return \%answers;
}

# The first difference between two answers to a query, '' when there is none.
sub difference
{
	my ($got, $wanted) = @_;

	return scalar(@$got) . ' rows instead of ' . scalar(@$wanted) if @$got != @$wanted;
	foreach my $i (0 .. $#$wanted)
	{
		my ($g, $w) = ($got->[$i], $wanted->[$i]);

		foreach my $j (0 .. $#$w)
		{
			next if $g->[$j] eq $w->[$j];
			next if $j > 0 && "$g->[$j]$w->[$j]" =~ /^[-+.e\d]+$/ && $g->[$j] ne '' && $w->[$j] ne ''
				&& abs($g->[$j] - $w->[$j]) <= 1e-9;
			return "row $i: @$g instead of @$w";
		}
	}
	return '';
}

my $wanted = answers($node, 'postgres');
my $as_stored = 0;

# Rows without any of the words (score 0) and without a text (NULL) come in the
# order in which they are stored: a merge or a rebuild may change it, nothing
# else.
sub ties_by_id
{
	my @rows = @{ $_[0] };
	my %ties = ('' => [], '0' => []);

	push @{ $ties{ $_->[1] } }, $_ foreach grep { $ties{ $_->[1] } } @rows;
	$ties{$_} = [ sort { $a->[0] <=> $b->[0] } @{ $ties{$_} } ] foreach keys %ties;
	return [ map { $ties{ $_->[1] } ? shift @{ $ties{ $_->[1] } } : $_ } @rows ];
}

sub same
{
	my ($what, $server, $database, $settings) = @_;
	my $got = answers($server // $node, $database // 'postgres', $settings);
	my @different;

	foreach my $name (@names)
	{
		my @pair = ($got->{$name} // [], $wanted->{$name});

		@pair = map { ties_by_id($_) } @pair if $name eq 'text, every row' && !$as_stored;
		my $d = difference(@pair);
		push @different, "$name: $d" if $d ne '';
	}

	is("@different", '', $what);
	return;
}

sub sql { return $node->safe_psql('postgres', $_[0]); }

# What is asked is answered by the index, and the answers are not empty.
my %rows = map { $_ => scalar @{ $wanted->{$_} } } @names;
is($rows{'vector, every row'}, 3300, 'a vector scan gives every row');
is($rows{'text, every row'}, 3300, 'a text scan gives every row');
is(join(',', grep { $rows{$_} < 25 } @names), '', 'every query finds rows');
foreach my $name (grep { !/hybrid/ } @names)
{
	like(sql("SET enable_seqscan = off; EXPLAIN (COSTS off) $queries{$name}"), qr/docs_idx/, "plan: $name");
}
my $exact = 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET elacsym.enable_customscan = off;';
unlike(sql("$exact EXPLAIN (COSTS off) $queries{$_}"), qr/ElacsymScan|Index Scan using docs_idx/, "sorted: $_") foreach 'text, fields', 'vector';

# Rows of one score may come in any order of a sort.
{
	my $got = answers($node, 'postgres', $exact);
	my @differences;

	foreach my $name ('vector, every row', 'text, every row')
	{
		my %score = map { $_->[0] => $_->[1] } @{ $got->{$name} };
		my @bad = grep { my $s = $score{ $_->[0] } // 'none'; $s ne $_->[1] && abs($s - $_->[1]) > 1e-9 } @{ $wanted->{$name} };

		push @differences, "$name: @{ $bad[0] }" if @bad;
		# the column of scores is the same list
		my @a = map { [ 0, $_->[1] ] } @{ $got->{$name} };
		my @b = map { [ 0, $_->[1] ] } @{ $wanted->{$name} };
		my $d = difference(\@a, \@b);
		push @differences, "$name: $d" if $d ne '';
	}
	is("@differences", '', 'as a sequential scan and sort gives them');
}

# A standby follows through everything below.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

sub same_on_standby
{
	$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
	same("$_[0], standby", $standby);
	return;
}

same_on_standby('with a delta');
is(sql(q{SELECT documents FROM elacsym_delta('docs_idx')}), 400, 'there was a delta');
is(sql(q{SELECT elacsym_flush('docs_idx')}), 400, 'flush');
is(sql(q{SELECT count(*), sum(dead) FROM elacsym_segments('docs_idx')}), '4|0', 'several segments, nothing dead');
same('after elacsym_flush');
sql(q{SELECT elacsym_compact('docs_idx')});
is(sql(q{SELECT count(*), sum(dead) FROM elacsym_segments('docs_idx')}), '1|0', 'one segment');
same('after elacsym_compact');
$wanted = answers($node, 'postgres');
$as_stored = 1;
same_on_standby('after elacsym_compact');

is(sql(q{SELECT elacsym_offload('docs_idx')}), 1, 'offload');
is(sql(q{SELECT string_agg(home, ',') FROM elacsym_segments('docs_idx')}), 'REMOTE', 'the segment is in the store');
same('after elacsym_offload');
same_on_standby('after elacsym_offload');
same('with the smallest cache', $node, 'postgres', "SET elacsym.session_cache = '1MB'; SET enable_seqscan = off;");
$node->restart;
same('after a restart, offloaded');
$standby->restart;
same_on_standby('after a restart of the standby, offloaded');

is(sql(q{SELECT elacsym_onload('docs_idx')}), 1, 'onload');
is(sql(q{SELECT string_agg(home, ',') FROM elacsym_segments('docs_idx')}), 'LOCAL', 'the segment is back');
same('after elacsym_onload');
$node->restart;
same('after a restart');
same_on_standby('after elacsym_onload');

$as_stored = 0;

# dump and restore, twice: from one segment, and offloaded
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), "$dir/dump" ], 'pg_restore');
same('after pg_dump and pg_restore', $node, 'copy');
is($node->safe_psql('copy', q{SELECT elacsym_offload('docs_idx')}), 1, 'the copy is offloaded');
same('the copy in the same store', $node, 'copy');
same('the original beside it');

sql('REINDEX INDEX docs_idx');
same('after REINDEX');
sql('REINDEX INDEX CONCURRENTLY docs_idx');
same('after REINDEX CONCURRENTLY');
same_on_standby('after REINDEX');
ok(sql(q{SELECT elacsym_verify('docs_idx')}), 'sound');

sql(q{SELECT elacsym_offload('docs_idx')});
same_on_standby('offloaded again');
$standby->promote;
same('after promotion', $standby);
is($standby->safe_psql('postgres', q{SELECT elacsym_onload('docs_idx'), elacsym_verify('docs_idx')}), '1|t', 'the new primary brings it back');
same('and answers from its own pages', $standby);

$node->stop;
$standby->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing broke in the log of ' . $_->name) foreach $node, $standby;
done_testing();
