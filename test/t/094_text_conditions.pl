# Conditions with @@ inside the index: for thousands of random tsqueries, of
# every shape, on columns of text and of tsvector, the rows are those that the
# server's own @@ finds without an index; and WHERE c @@ q ORDER BY c <@> q
# ranks them by the formula.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacText;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rows, $queries) = (5000, 2000);
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
fsync = off
autovacuum = off
jit = off
elacsym.delta_limit = 100000
default_text_search_config = 'simple'
extra_float_digits = 3
max_parallel_workers_per_gather = 0
statement_timeout = 600000
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- texts of few words, so that phrases are found; some words begin like others ----

my @vocabulary = map { my $first = $_; map { "$first$_" } '', 'a', 'ab', 'b' } 'k' .. 't';
sub word { return $vocabulary[ int(@vocabulary * ElacText::draw()**2) ]; }
sub words { return join(' ', map { word() } 1 .. $_[0]); }
my $file = PostgreSQL::Test::Utils::tempdir() . '/t';
append_to_file($file, join('', map {
	my @parts = map { words(1 + ElacText::number(6)) } 'A' .. 'D';
	my $body = $_ % 71 == 0 ? '\N' : $_ % 67 == 0 ? '' : words(1 + ElacText::number(ElacText::pick(3, 12, 30)));
	join("\t", $_, $body, @parts, ElacText::number(10)) . "\n" } 1 .. $rows));
sql(qq{
CREATE EXTENSION elacsym;
CREATE TABLE source (id int, body text, a text, b text, c text, d text, cat int);
COPY source FROM '$file';
CREATE TABLE t (id int PRIMARY KEY, body text, doc tsvector, cat int);
CREATE FUNCTION fill(low int, high int) RETURNS void LANGUAGE sql AS \$\$
	INSERT INTO t SELECT id, body, CASE WHEN id % 61 = 0 THEN NULL WHEN id % 59 = 0 THEN ''
		ELSE setweight(to_tsvector('simple', a), 'A') || setweight(to_tsvector('simple', b), 'B')
			|| setweight(to_tsvector('simple', c), 'C') || to_tsvector('simple', d) END, cat
	FROM source WHERE id BETWEEN low AND high \$\$;
SELECT fill(1, $rows - 1000);
CREATE INDEX t_idx ON t USING elacsym (body text_bm25_ops (config = 'simple'), doc, cat);
SELECT fill($rows - 999, $rows - 600), elacsym_flush('t_idx');
SELECT fill($rows - 599, $rows - 300), elacsym_flush('t_idx');
SELECT fill($rows - 299, $rows);
DELETE FROM t WHERE id % 43 = 0;
UPDATE t SET body = body || ' ka', doc = doc || 'ka:1A'::tsvector WHERE id % 47 = 0;
ANALYZE t;
-- the same without an index, and without the work of to_tsvector()
CREATE TABLE plain AS SELECT id, to_tsvector('simple', body) AS body, doc, cat FROM t;
CREATE TABLE q (n int, q tsquery);
});
is(sql(q{SELECT count(*) FROM elacsym_segments('t_idx')}), 3, 'several segments');
is(sql(q{SELECT documents > 299 FROM elacsym_delta('t_idx')}), 't', 'and a delta');

# ---- random tsqueries ----

# As text, with the words that score: those not under a NOT.
sub leaf
{
	my ($negated, $scoring) = @_;
	my $prefix = ElacText::draw() < 0.15;
	my $word = $prefix ? ElacText::pick('k' .. 't') . ElacText::pick('', 'a', 'ab') : ElacText::draw() < 0.03 ? 'nowhere' : word();
	my $labels = ElacText::draw() < 0.2 ? join('', grep { ElacText::draw() < 0.5 } 'A' .. 'D') : '';

	push @$scoring, { lexeme => $word, prefix => $prefix, labels => $labels } unless $negated;
	return $word . ($prefix || $labels ne '' ? ':' . ($prefix ? '*' : '') . $labels : '');
}

sub tsquery
{
	my ($depth, $negated, $scoring) = @_;
	my $kind = $depth == 0 ? 0 : ElacText::number(10);

	return leaf($negated, $scoring) if $kind < 3;
	return '!' . '(' . tsquery($depth - 1, 1, $scoring) . ')' if $kind == 3;
	my $operator = $kind < 6 ? '&' : $kind < 8 ? '|' : ElacText::pick('<->', '<->', '<2>', '<3>', '<0>');
	return '(' . join(" $operator ", map { tsquery($depth - 1, $negated, $scoring) } 1 .. 2) . ')';
}

my @questions;
for (1 .. $queries)
{
	my @scoring;
	my $text = tsquery(ElacText::pick(1, 2, 2, 3, 4), 0, \@scoring);

	push @questions, { text => $text, scoring => \@scoring };
}
append_to_file("$file.q", join('', map { "$_\t$questions[$_]{text}\n" } 0 .. $#questions));
sql("COPY q FROM '$file.q'");

# ---- @@ against sequential scans ----

# Queries of which the two statements give other rows: "n: query".
sql(q{
CREATE FUNCTION differing(wanted text, asked text, settings text[], step int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	a int[];
	b int[];
	s text;
BEGIN
	FOR r IN SELECT * FROM q WHERE n % step = 0 LOOP
		EXECUTE wanted INTO a USING r.q;
		FOREACH s IN ARRAY settings LOOP EXECUTE 'SET ' || s || ' = off'; END LOOP;
		EXECUTE asked INTO b USING r.q;
		FOREACH s IN ARRAY settings LOOP EXECUTE 'RESET ' || s; END LOOP;
		IF a IS DISTINCT FROM b THEN
			RETURN NEXT format('%s: %s: %s rows instead of %s', r.n, r.q, coalesce(cardinality(b), 0), coalesce(cardinality(a), 0));
		END IF;
	END LOOP;
END $$;
});

my @bitmap = qw(enable_seqscan enable_indexscan elacsym.enable_customscan);
my @custom = qw(enable_seqscan enable_indexscan enable_bitmapscan);
sub conditions
{
	my ($what, $wanted, $found, $settings, $node_name, $step) = @_;
	my $list = 'ARRAY[' . join(',', map { "'$_'" } @$settings) . ']';
	my $as_array = sub { "SELECT array_agg(id ORDER BY id) FROM $_[0]" };
	# any tree of conditions is the scan's that gives an order
	my $scan = $node_name =~ /ElacsymScan/ ? "SELECT id FROM t WHERE $found ORDER BY body <\@> 'k la'" : "SELECT id FROM t WHERE $found";
	my $plan = sql(join('', map { "SET $_ = off;" } @$settings) . "EXPLAIN $scan" =~ s/\$1/'k & la'::tsquery/gr);

	like($plan, $node_name, "$what: the index does it");
	unlike($plan, qr/^\s*Filter:.*@@/m, "$what: inside");
	my @bad = split /\n/, sql('SELECT * FROM differing($a$' . $as_array->("plain WHERE $wanted") . '$a$, $a$' . $as_array->("($scan) x") . '$a$, '
		. "$list, $step)");
	is(scalar(@bad), 0, "$what: " . int($queries / $step) . ' queries find the same rows') or diag(join("\n", @bad[ 0 .. ($#bad > 9 ? 9 : $#bad) ]));
	return;
}

my $to_tsvector = q{to_tsvector('simple', body) @@ $1};
conditions('text, bitmap', 'body @@ $1', 'body @@ $1', \@bitmap, qr/Bitmap Index Scan on t_idx/, 1);
conditions('text, custom scan', 'body @@ $1', 'body @@ $1 OR cat = 99', \@custom, qr/ElacsymScan/, 4);
conditions('to_tsvector(), custom scan', 'body @@ $1', "$to_tsvector OR cat = 99", \@custom, qr/ElacsymScan/, 4);
conditions('tsvector, bitmap', 'doc @@ $1', 'doc @@ $1', \@bitmap, qr/Bitmap Index Scan on t_idx/, 1);
conditions('tsvector, custom scan', 'doc @@ $1', 'doc @@ $1 OR cat = 99', \@custom, qr/ElacsymScan/, 4);
conditions('with an attribute, bitmap', 'body @@ $1 AND cat < 4', 'body @@ $1 AND cat < 4', \@bitmap, qr/Bitmap Index Scan on t_idx/, 8);
conditions('either column or an attribute', 'body @@ $1 OR doc @@ $1 OR cat = 3', 'body @@ $1 OR doc @@ $1 OR cat = 3', \@custom, qr/ElacsymScan/, 8);
conditions('not', 'NOT body @@ $1 AND NOT (doc @@ $1 AND cat > 2)', 'NOT body @@ $1 AND NOT (doc @@ $1 AND cat > 2)', \@custom, qr/ElacsymScan/, 8);
conditions('unknown or not', '(body @@ $1) IS NOT TRUE', '(body @@ $1) IS NOT TRUE', \@custom, qr/ElacsymScan/, 16);

# another configuration than the column's is not answered from the index
unlike(sql("SET enable_seqscan = off; SET default_text_search_config = 'english'; EXPLAIN SELECT id FROM t WHERE body @@ 'k'::tsquery"),
	qr/(Index Cond|Filter|Condition).*t_idx/, 'another default_text_search_config');
is(sql(q{SET enable_seqscan = off; SET default_text_search_config = 'english'; SELECT count(*) FROM t WHERE body @@ 't'::tsquery}), 0, 'whose stop words are no words');
is(sql(q{SET enable_seqscan = off; PREPARE p AS SELECT count(*) > 0 FROM t WHERE body @@ 't'::tsquery; EXECUTE p;
	SET default_text_search_config = 'english'; EXECUTE p; RESET default_text_search_config; EXECUTE p}), "t\nf\nt", 'also when it changes after planning');

# what users call; config and column agree
foreach my $call (q{websearch_to_tsquery('simple', 'k la -lab "m ka" or t')}, q{plainto_tsquery('simple', 'k la')}, q{phraseto_tsquery('simple', 'k la')},
	q{to_tsquery('simple', 'k & l:*')}, q{websearch_to_tsquery('"k la"')}, q{NULL::tsquery}, q{''::tsquery})
{
	my $list = 'SELECT coalesce(string_agg(id::text, $$,$$ ORDER BY id), $$none$$) FROM';

	is(sql("SET enable_seqscan = off; SET enable_indexscan = off; $list t WHERE body @@ $call"), sql("$list plain WHERE body @@ $call"), $call);
	is(sql("SET enable_seqscan = off; SET enable_indexscan = off; SELECT count(*) FROM t WHERE body @@ $call"), sql("SELECT count(*) FROM plain WHERE body @@ $call"), "count(*): $call");
}

# ---- ranked: the matching rows, best first ----

sql('REINDEX INDEX t_idx');	# rows that are gone no longer count
my %label = (D => 0.1, C => 0.2, B => 0.4, A => 1);
my $model = ElacText->new(
	body => { k1 => 1.2, b => 0.75, weight => 1, sql => q{SELECT id, lexeme, cardinality(positions) FROM t, unnest(to_tsvector('simple', body)) u WHERE %s} },
	map { ("doc $_" => { k1 => 1.2, b => 0.75, weight => 1, sql => qq{SELECT id, lexeme, cardinality(array_positions(weights, '$_'))
		FROM t, unnest(doc) u WHERE '$_' = ANY (weights) AND %s} }) } keys %label);
$model->load($node);

sub ranked
{
	my ($what, $column, $count, $k, $operand, $weights) = @_;
	my $forced = 'SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off;';
	my @some = @questions[ map { ElacText::number($queries) } 1 .. $count ];
	my @call = map { $operand =~ s/QUERY/'$_->{text}'::tsquery/r } @some;
	my @answers = ElacText::ask($node, $forced, map {
		"SELECT id, $column <@> $call[$_], ctid FROM t WHERE $column @@ '$some[$_]{text}'::tsquery ORDER BY $column <@> $call[$_] LIMIT $k" } 0 .. $#some);
	my @unfiltered = ElacText::ask($node, $forced, map { "SELECT id, $column <@> $call[$_], ctid FROM t ORDER BY $column <@> $call[$_] LIMIT $k" } 0 .. $#some);
	my @matching = ElacText::ask($node, '', map { "SELECT id FROM plain WHERE $column @@ '$_->{text}'::tsquery" } @some);
	my @bad;

	foreach my $i (0 .. $#some)
	{
		my %matches = map { $_->[0] => 1 } @{ $matching[$i] };
		my (%terms);

		foreach my $word (@{ $some[$i]{scoring} })
		{
			foreach my $label ($column eq 'doc' ? ('D', 'C', 'B', 'A') : 'D')
			{
				next if $word->{labels} ne '' && index($word->{labels}, $label) < 0;
				my $field = $column eq 'doc' ? "doc $label" : 'body';
				my $term = $terms{ $word->{lexeme} . ($word->{prefix} ? '*' : '') . $field } //=
					{ lexeme => $word->{lexeme}, prefix => $word->{prefix}, qtf => 0, only => { $field => 1 } };

				$term->{qtf}++;
			}
		}
		my $scores = $model->scores({ terms => [ values %terms ], matches => \%matches, weights => $weights // {},
				fields => $column eq 'doc' ? [ map { "doc $_" } keys %label ] : ['body'] });
		my $wanted = keys %matches;
		my $wrong = ElacText::wrong($answers[$i], $k, $scores) || ElacText::wrong($unfiltered[$i], $k, $scores);

		$wrong ||= @{ $answers[$i] } . " rows of $wanted" if @{ $answers[$i] } != ($wanted < $k ? $wanted : $k);
		push @bad, "$some[$i]{text}: $wrong" if $wrong ne '';
	}
	is(scalar(@bad), 0, "$what: $count ranked queries") or diag(join("\n", @bad[ 0 .. ($#bad > 9 ? 9 : $#bad) ]));
	return;
}

ranked('text', 'body', 150, 10, 'QUERY');
ranked('text, deep', 'body', 100, 10000, 'QUERY');
ranked('tsvector', 'doc', 150, 10, 'QUERY');
ranked('tsvector, labels weighted', 'doc', 100, 100, "elacsym_match(QUERY, weights => '{0.1,0.2,0.4,1}')", { map { ("doc $_" => $label{$_}) } keys %label });
like(sql(q{SET enable_seqscan = off; EXPLAIN SELECT id FROM t WHERE body @@ 'k & la'::tsquery ORDER BY body <@> 'k & la'::tsquery LIMIT 10}), qr/t_idx/, 'one ranked scan');
unlike(sql(q{SET enable_seqscan = off; EXPLAIN SELECT id FROM t WHERE body @@ 'k & la'::tsquery ORDER BY body <@> 'k & la'::tsquery LIMIT 10}), qr/Sort|Seq Scan/, 'and nothing else');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing broke');
done_testing();
