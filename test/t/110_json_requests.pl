# elacsym_query(): random requests compared with the SQL that they mean, and
# requests that are broken at random, which are errors of the caller's and
# nothing worse.
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{ELAC_SEED} // 20260;
my ($requests, $broken) = (1200, 3000);
note("ELAC_SEED=$seed");
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--encoding=UTF8', '--no-locale']);
$node->append_conf('postgresql.conf', q(
fsync = off
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
elacsym.target_recall = 1
elacsym.epsilon = 4
statement_timeout = 600000
));
$node->start;

sub number { return int(rand($_[0])); }
sub pick { return $_[ number(scalar @_) ]; }

$node->safe_psql('postgres', q{
CREATE EXTENSION elacsym;
SELECT setseed(.25);
CREATE TABLE t (id int PRIMARY KEY, n int, price numeric, word text, tags text[], ok bool, day date, title text, body text, v vector(3));
INSERT INTO t SELECT i, nullif(i % 11, 0), CASE WHEN i % 7 > 0 THEN (i % 50) / 4.0 END, CASE WHEN i % 13 > 0 THEN chr(97 + i % 5) || chr(97 + i % 3) || CASE WHEN i % 4 = 0 THEN '_%' ELSE '' END END,
	CASE WHEN i % 6 > 0 THEN ARRAY['t' || i % 4, 't' || i % 5] END, CASE WHEN i % 10 > 0 THEN i % 2 = 0 END, date '2026-01-01' + i % 9,
	'w' || i % 5 || ' w' || i % 7, CASE WHEN i % 17 > 0 THEN 'w' || i % 3 || repeat(' w' || i % 4, i % 6) END,
	CASE WHEN i % 19 > 0 THEN ARRAY[random(), random(), random()]::real[]::vector END FROM generate_series(1, 1500) i;
CREATE INDEX t_idx ON t USING elacsym (v vector_l2_ops, title text_bm25_ops (config = 'simple', weight = 3), body text_bm25_ops (config = 'simple'), n, price, word text_ops, tags, ok, day);
INSERT INTO t SELECT id + 10000, n, price, word, tags, ok, day, title, body, v FROM t WHERE id % 20 = 0;
ANALYZE t;
CREATE TABLE requests (i int, request jsonb, query text);
-- ids and what is shown, in order; where rows may tie, what is shown alone.  Sums differ in their last digits.
CREATE FUNCTION compare(request jsonb, query text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	result bool;
BEGIN
	EXECUTE format('SELECT coalesce(bool_and(a.i IS NOT NULL AND b.i IS NOT NULL AND (%s OR a.id = b.id) AND
			(a.d IS NULL) = (b.d IS NULL) AND (a.d IS NULL OR abs(a.d - b.d) < 1e-5 * (1 + b.d))), true)
		FROM (SELECT row_number() OVER () AS i, (r ->> %L)::int AS id, coalesce(r ->> %L, r ->> %L)::float8 AS d FROM elacsym_query(%L, %L) r) a
		FULL JOIN (SELECT row_number() OVER () AS i, id, d FROM (%s) x (id, d)) b ON a.i = b.i', (query LIKE '%tied%')::text, 'id', '$dist', '$score', 't', request, query) INTO result;
	RETURN result;
END $$;
CREATE FUNCTION outcome(request text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM elacsym_query('t', request::jsonb);
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;
});

# ---- filters: JSON and the condition it means, true or false ----

sub json_string { my $s = shift; $s =~ s/(["\\])/\\$1/g; return qq("$s"); }
sub sql_string { my $s = shift; $s =~ s/'/''/g; return "'$s'"; }

# (JSON, SQL) of a value of a column
sub value
{
	my ($column) = @_;
	if ($column eq 'n') { my $n = number(13); return ($n, $n); }
	if ($column eq 'price') { my $n = number(60) / 4; return ($n, $n); }
	if ($column eq 'id') { my $n = number(1600); return ($n, $n); }
	if ($column eq 'ok') { my $b = pick('true', 'false'); return ($b, $b); }
	if ($column eq 'day') { my $d = sprintf('2026-01-%02d', 1 + number(11)); return (qq("$d"), "date '$d'"); }
	my $s = pick('ab', 'ba', 'ca_%', 'ea', 'zz', 'aa', q(a'b), q(a"b), 'db');
	return (json_string($s), sql_string($s));
}

sub glob_pair
{
	my @parts = map { pick([ '*', '.*' ], [ '?', '.' ], [ '[a-c]', '[a-c]' ], [ '[!a]', '[^a]' ], [ 'a', 'a' ], [ 'b', 'b' ], [ '_', '_' ], [ '%', '%' ], [ '{a,b?}', '(a|b.)' ], [ '', '' ]) } 1 .. 1 + number(4);
	return (join('', map { $_->[0] } @parts), '^' . join('', map { $_->[1] } @parts) . '$');
}

sub comparison
{
	my $kind = number(10);
	if ($kind < 5)
	{
		my $column = pick('n', 'price', 'id', 'ok', 'day', 'word');
		my $op = pick('Eq', 'NotEq', 'Lt', 'Lte', 'Gt', 'Gte');
		my %sql = (Eq => '=', NotEq => '=', Lt => '<', Lte => '<=', Gt => '>', Gte => '>=');
		if (number(8) == 0)
		{
			my %null = (Eq => "$column IS NULL", NotEq => "$column IS NOT NULL", Lt => 'false', Lte => "$column IS NULL", Gt => "$column IS NOT NULL", Gte => 'true');
			return (qq(["$column", "$op", null]), $null{$op});
		}
		my ($json, $value) = value($column);
		my $condition = "coalesce($column $sql{$op} $value, " . ($op =~ /^Lt/ ? 'true' : 'false') . ')';
		return (qq(["$column", "$op", $json]), $op eq 'NotEq' ? "NOT $condition" : $condition);
	}
	if ($kind < 7)
	{
		my $column = pick('n', 'price', 'word', 'ok');
		my @values = map { [ number(6) == 0 ? ('null', 'NULL') : value($column) ] } 1 .. number(5);
		my $condition = 'false' . join('', map { $_->[1] eq 'NULL' ? " OR $column IS NULL" : " OR coalesce($column = $_->[1], false)" } @values);
		my $op = pick('In', 'NotIn');
		return (qq(["$column", "$op", [) . join(', ', map { $_->[0] } @values) . ']]', ($op eq 'In' ? '' : 'NOT ') . "($condition)");
	}
	if ($kind < 9)
	{
		my @tags = map { 't' . number(6) } 1 .. number(4);
		if (number(2) == 0)
		{
			my $op = pick('Contains', 'NotContains');
			my $tag = 't' . number(6);
			return (qq(["tags", "$op", "$tag"]), ($op =~ /^Not/ ? 'NOT ' : '') . "coalesce('$tag' = ANY (tags), false)");
		}
		my $op = pick('ContainsAny', 'NotContainsAny');
		return (qq(["tags", "$op", [) . join(', ', map { qq("$_") } @tags) . ']]',
			($op =~ /^Not/ ? 'NOT ' : '') . '(false' . join('', map { " OR coalesce('$_' = ANY (tags), false)" } @tags) . ')');
	}
	my ($glob, $regex) = glob_pair();
	my $op = pick('Glob', 'NotGlob', 'IGlob', 'NotIGlob');
	$glob = uc $glob if $op =~ /IGlob/ && $glob !~ /\[/;
	return (qq(["word", "$op", ) . json_string($glob) . ']',
		($op =~ /^Not/ ? 'NOT ' : '') . "coalesce(word ~" . ($op =~ /IGlob/ ? '*' : '') . ' ' . sql_string($regex) . ', false)');
}

sub filter
{
	my ($depth) = @_;
	my $kind = number(10);
	return comparison() if $depth == 0 || $kind < 3;
	if ($kind < 5)
	{
		my ($json, $sql) = filter($depth - 1);
		return (qq(["Not", $json]), "NOT ($sql)");
	}
	my $op = pick('And', 'Or');
	my @filters = map { [ filter($depth - 1) ] } 1 .. number(4);
	return (qq(["$op", [) . join(', ', map { $_->[0] } @filters) . ']]',
		'(' . join($op eq 'And' ? ' AND ' : ' OR ', $op eq 'And' ? 'true' : 'false', map { "($_->[1])" } @filters) . ')');
}

# ---- ranks: JSON, what is shown in SQL, the order in SQL, does it tie ----

my $words;
# (JSON, SQL, has it several fields) of one field, or of operators over both
sub text_rank
{
	my ($depth, $combine) = @_;
	my $kind = $depth == 0 ? 0 : number(3);
	if ($kind == 0)
	{
		my $field = pick('title', 'body');
		return (qq(["$field", "BM25", "$words"]), "coalesce(-($field <@> '$words'), 0)");
	}
	if ($kind == 1)
	{
		my $factor = pick(0, 0.5, 1, 2, 7);
		my ($json, $sql) = text_rank($depth - 1, $combine);
		return (pick(qq(["Product", $factor, $json]), qq(["Product", $json, $factor]), qq(["Product", [$factor, $json]])), "$factor * $sql");
	}
	my @ranks = map { [ text_rank($depth - 1, $combine) ] } 1 .. 1 + number(3);
	return (qq(["$combine", [) . join(', ', map { $_->[0] } @ranks) . ']]',
		$combine eq 'Sum' ? '(' . join(' + ', map { $_->[1] } @ranks) . ')' : 'greatest(' . join(', ', map { $_->[1] } @ranks) . ')');
}

sub rank
{
	my $kind = number(5);
	return (q(["id", ") . ($_ = pick('asc', 'desc')) . q("]), 'NULL::float8', "id $_", '') if $kind == 0;
	if ($kind == 1)
	{
		my $vector = '[' . join(', ', map { number(100) / 50 } 1 .. 3) . ']';
		return (qq(["v", "ANN", ) . pick($vector, qq("$vector")) . ']', "v <-> '$vector'", "v <-> '$vector'", 'tied');
	}
	$words = join(' ', map { 'w' . number(7) } 1 .. 1 + number(3));
	if ($kind == 2)
	{
		my $vector = '[' . join(', ', map { number(100) / 50 } 1 .. 3) . ']';
		my @legs = ([ qq(["v", "ANN", $vector]), "v <-> '$vector'" ], [ qq(["title", "BM25", "$words"]), "title <@> '$words'" ], [ qq(["body", "BM25", "$words"]), "body <@> '$words'" ]);
		splice(@legs, number(4), 1);
		my @weights = map { 1 + number(3) } @legs;
		my ($name, $option, $function, $argument) = @{ pick([ 'RRF', '"k": 7', 'elacsym_rrf', 'k => 7' ], [ 'Linear', '"normalization": "max"', 'elacsym_linear', "normalization => 'max'" ]) };
		my $fused = "$function(ARRAY[" . join(', ', map { $_->[1] } @legs) . "], weights => '{" . join(',', @weights) . "}', \"window\" => 20, $argument)";
		return (qq(["$name", [) . join(', ', map { $_->[0] } @legs) . qq(], {"weights": [) . join(', ', @weights) . qq(], "window": 20, $option}]), "-$fused", $fused, 'fused');
	}
	my ($json, $sql) = text_rank(number(4), pick('Sum', 'Max'));
	return ($json, $sql, "-($sql)", 'tied');
}

my (@requests, @rows);
for my $i (1 .. $requests)
{
	my ($rank, $shown, $order, $tied) = rank();
	my ($filter, $condition) = number(6) == 0 ? ('', 'true') : filter(3);
	my $k = pick(1, 3, 10, 50, 10000);
	$shown = "/* tied */ $shown" if $tied eq 'fused';
	my $request = qq({"rank_by": $rank, "top_k": $k) . ($filter ne '' ? qq(, "filters": $filter) : '') . '}';
	# a score of 0 is no rank; behind the ranked rows a fusion has the others, without any
	my $query = "/* $tied */ SELECT id, $shown FROM t WHERE $condition"
		. ($order =~ /^-/ ? " AND $shown > 0" : $tied eq 'tied' ? ' AND v IS NOT NULL' : '') . " ORDER BY $order LIMIT $k";
	$query = "SELECT id, s FROM ($query) y (id, s) WHERE s > 0" if $tied eq 'fused';
	push @requests, $request;
	push @rows, "($i, " . sql_string($request) . '::jsonb, ' . sql_string($query) . ')';
}
$node->safe_psql('postgres', 'INSERT INTO requests VALUES ' . join(",\n", @rows));
is($node->safe_psql('postgres', q(SELECT count(*) FROM requests WHERE (SELECT count(*) FROM elacsym_query('t', request)) > 0)) > $requests / 3, 1, 'many requests have an answer');
for my $mode ('auto', 'force_generic_plan')
{
	for my $plans ('', 'SET enable_seqscan = off;')
	{
		is($node->safe_psql('postgres', "SET plan_cache_mode = $mode; $plans SELECT i, request, query FROM requests WHERE NOT compare(request, query) ORDER BY length(query) LIMIT 3"),
			'', "$requests requests mean what their SQL says ($mode $plans)");
	}
}

# ---- broken requests ----

my $coder = JSON::PP->new->canonical->ascii->allow_nonref;
my @pieces = map { $coder->decode($_) } ('null', 'true', 'false', '0', '-1', '"big"', '3.5', '[]', '{}', '""', '"n"', '"v"', '"tags"', '"And"', '"Not"', '"Eq"', '"Glob"', '"BM25"', '"ANN"', '"Sum"',
	'"Product"', '"filters"', '"\ud83d\ude00"', q("'"), '"$1"', '"[1,2,3]"', '{"total": 3}', '[[[[[]]]]]', '["n", "Eq", 5]', '["body", "BM25", "w1"]', '["title", "Glob", "x{"]');

# All arrays and objects of a value.
sub containers
{
	my ($value) = @_;
	return ref $value eq 'ARRAY' ? ($value, map { containers($_) } @$value) : ref $value eq 'HASH' ? ($value, map { containers($_) } map { $value->{$_} } sort keys %$value) : ();
}

# Replaces, removes or adds something somewhere.
sub damage
{
	my ($request) = @_;
	my $container = pick(containers($request));
	my $piece = $coder->decode($coder->encode(pick(@pieces)));
	if (ref $container eq 'HASH')
	{
		my $key = pick('rank_by', 'filters', 'top_k', 'limit', 'include_attributes', 'exclude_attributes', 'x');
		if (number(2)) { $container->{$key} = $piece; } else { delete $container->{$key}; }
		return;
	}
	my $place = number(scalar @$container);
	splice(@$container, $place, number(2), number(4) ? $piece : ());
	return;
}

my @broken;
while (@broken < $broken)
{
	my $request = $coder->decode(pick(@requests));
	damage($request) for 1 .. 1 + number(2);
	push @broken, $coder->encode($request) =~ s/"big"/1e400/gr;
}
$node->safe_psql('postgres', 'CREATE TABLE broken (request text); INSERT INTO broken VALUES ' . join(",\n", map { '(' . sql_string($_) . ')' } @broken));
$node->safe_psql('postgres', 'CREATE TABLE outcomes AS SELECT request, outcome(request) FROM broken');
is($node->safe_psql('postgres', q(SELECT request, outcome FROM outcomes WHERE outcome !~ '^(none|22...|54001) ?' LIMIT 3)), '', 'broken requests are errors of the caller');
is($node->safe_psql('postgres', q(SELECT request, outcome FROM outcomes WHERE outcome ~ '^22023' AND outcome !~ '^22023 (request|(rank_by|filters|top_k|limit|include_attributes|exclude_attributes)(\[|\]|[.a-z_0-9])*): ' LIMIT 3)), '', 'errors name the path');
cmp_ok($node->safe_psql('postgres', q(SELECT count(*) FROM outcomes WHERE outcome ~ '^22023')), '>', $broken / 4, 'many are found out');
is($node->safe_psql('postgres', q(SELECT elacsym_verify('t_idx'))), 't', 'the index is sound');

done_testing();
