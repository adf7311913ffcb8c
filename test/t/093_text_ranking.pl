# BM25 in the server is what the formula says, whatever the query and wherever
# the rows lie: random texts and queries, scores within 1e-5 of a second
# implementation in double precision (lib/ElacText.pm), the order that of all
# scores, ties by place, for every k and every segmentation; and the value
# projected is the value that the scan ordered by.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacText;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($rows, $vocabulary) = (9000, 3000);
my @depths = (1, 2, 3, 10, 37, 100, 1000, 10000);
my $forced = 'SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET statement_timeout = 120000;';
my $sorted = 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET elacsym.enable_customscan = off;';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q(
fsync = off
autovacuum = off
jit = off
elacsym.delta_limit = 100000
default_text_search_config = 'simple'
extra_float_digits = 3
min_parallel_table_scan_size = 0
max_parallel_workers_per_gather = 0
));
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- texts ----

my $file = PostgreSQL::Test::Utils::tempdir() . '/docs';
my @lines;
foreach my $id (1 .. $rows + 6000)
{
	my $length = ElacText::draw() < 0.02 ? 200 + ElacText::number(300) : 1 + ElacText::number(5 + 30 * ElacText::draw());
	my $body = $id % 89 == 0 ? '\N' : $id % 83 == 0 ? '' : ElacText::text($vocabulary, $length);
	my $title = $id % 97 == 0 ? '\N' : ElacText::text($vocabulary, 1 + ElacText::number(5));

	push @lines, join("\t", $id, $title, $body, ElacText::number(20), ElacText::pick('red', 'green', 'blue')) . "\n";
}
# rows come in another order than their numbers
append_to_file($file, join('', (map { $lines[ $_ * 7919 % $rows ] } 0 .. $rows - 1), @lines[ $rows .. $#lines ]));
sql(qq{
CREATE EXTENSION elacsym;
CREATE TABLE source (n int GENERATED ALWAYS AS IDENTITY, id int, title text, body text, cat int, note text);
COPY source (id, title, body, cat, note) FROM '$file';
CREATE TABLE docs (id int PRIMARY KEY, title text, body text, cat int, note text);
INSERT INTO docs SELECT id, title, body, cat, note FROM source WHERE id <= $rows ORDER BY n;
});
my $index = q{CREATE INDEX docs_idx ON docs USING elacsym (title text_bm25_ops (config = 'simple', weight = 2, k1 = 0.9, b = 1),
	body text_bm25_ops (config = 'simple'), cat)};

my $model = ElacText->new(map { my ($name, @parameters) = @$_;
	($name => { @parameters, sql => "SELECT id, lexeme, cardinality(positions) FROM docs, unnest(to_tsvector('simple', $name)) u WHERE %s" }) }
	[ 'title', k1 => 0.9, b => 1, weight => 2 ], [ 'body', k1 => 1.2, b => 0.75, weight => 1 ]);

# ---- questions ----

sub quoted { return "'" . $_[0] =~ s/'/''/gr . "'"; }

# One random question: the operand on the right of <@>, what it is asked of, and what the model is asked.
sub question
{
	my $kind = $_[0] // ElacText::number(10);
	my @words = map { ElacText::query_word($vocabulary) } 1 .. 1 + ElacText::number(ElacText::pick(3, 8));
	my $words = join(' ', @words);
	my %query = (terms => ElacText::terms(@words), fields => ['body']);
	my ($left, $right, $condition) = ('body', quoted($words), '');
	my $both = 'ARRAY[title, body]';

	if ($kind == 1) { ($left, $query{fields}) = ('title', ['title']); }
	elsif ($kind == 2) { ($left, $query{fields}) = ($both, [ 'title', 'body' ]); }
	elsif ($kind == 3)
	{
		my $combine = ElacText::pick('max', 'bm25f', 'sum');

		($left, $right) = ($both, "elacsym_match($right, weights => '{0.5,3}', combine => '$combine')");
		%query = (%query, fields => [ 'title', 'body' ], weights => { title => 0.5, body => 3 }, combine => $combine);
	}
	elsif ($kind == 4)
	{
		my $combine = ElacText::pick('max', 'bm25f');

		($left, $right) = ($both, "elacsym_match($right, combine => '$combine')");
		%query = (%query, fields => [ 'title', 'body' ], combine => $combine);
	}
	elsif ($kind == 5)
	{
		my $least = 1 + ElacText::number(scalar @{ $query{terms} });

		$right = "elacsym_match($right, min_match => $least)";
		$query{min_match} = $least;
	}
	elsif ($kind == 6)
	{
		# the last word is the beginning of one
		my $prefix = 'w' . (1 + ElacText::number(99));

		pop @words;
		$right = 'elacsym_match(' . quoted("$words[0] $prefix") . ', prefix => true)' if @words;
		$right = 'elacsym_match(' . quoted($prefix) . ', prefix => true)' unless @words;
		$query{terms} = [ @{ ElacText::terms(@words[ 0 .. ($#words < 0 ? -1 : 0) ]) }, { lexeme => $prefix, qtf => 1, prefix => 1 } ];
	}
	elsif ($kind == 7)
	{
		# a tsquery of words alone is the same question
		my %distinct = map { $_ => 1 } @words;

		@words = sort keys %distinct;
		$right = quoted(join(' | ', @words)) . '::tsquery';
		$query{terms} = ElacText::terms(@words);
	}
	elsif ($kind == 8)
	{
		$condition = 'cat IN (3, 4, 5)';
	}
	elsif ($kind == 9)
	{
		$condition = "note = 'red' AND cat <> 7";
	}
	return { left => $left, right => $right, condition => $condition, query => \%query };
}

sub statement
{
	my ($q, $k) = @_;
	my $where = $q->{condition} ? "WHERE $q->{condition}" : '';

	return "SELECT id, $q->{left} <@> $q->{right}, ctid FROM docs $where ORDER BY $q->{left} <@> $q->{right} LIMIT $k";
}

# Random questions to the index, against the formula.
sub check
{
	my ($what, $count, @kinds) = @_;
	my @questions = map { question(@kinds ? ElacText::pick(@kinds) : ()) } 1 .. $count;
	my @k = map { ElacText::pick(@depths) } @questions;
	my (@bad, %passing);

	$model->load($node);
	foreach my $condition (grep { $_ ne '' } map { $_->{condition} } @questions)
	{
		$passing{$condition} //= { map { $_ => 1 } split /\n/, sql("SELECT id FROM docs WHERE $condition") };
	}
	my @answers = ElacText::ask($node, $forced, map { statement($questions[$_], $k[$_]) } 0 .. $#questions);
	foreach my $i (0 .. $#questions)
	{
		my $q = $questions[$i];
		my %query = %{ $q->{query} };

		$query{matches} = $passing{ $q->{condition} } if $q->{condition};
		my $wrong = ElacText::wrong($answers[$i], $k[$i], $model->scores(\%query));
		push @bad, statement($q, $k[$i]) . ": $wrong" if $wrong ne '';
	}
	is(scalar(@bad), 0, "$what: $count questions") or diag(join("\n", @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ]));
	return;
}

# The index gives what a sort of all rows by the operator's value gives, to the bit, ties included.
sub check_sorted
{
	my ($what, $count) = @_;
	my @statements = map { my $q = question(); my $k = ElacText::pick(10, 200);
		my $where = 'WHERE ' . ($q->{condition} || 'true') . " AND $q->{left} <@> $q->{right} < 0";
		"SELECT id, $q->{left} <@> $q->{right} FROM docs $where ORDER BY $q->{left} <@> $q->{right}%s LIMIT $k" } 1 .. $count;
	my @found = ElacText::ask($node, $forced, map { sprintf($_, '') } @statements);
	my @wanted = ElacText::ask($node, $sorted, map { sprintf($_, ', ctid') } @statements);
	my @bad = grep { join(' ', map { "@$_" } @{ $found[$_] }) ne join(' ', map { "@$_" } @{ $wanted[$_] }) } 0 .. $#statements;

	is(scalar(@bad), 0, "$what: as sorted, to the bit") or diag(join("\n", map { $statements[$_] } @bad));
	return;
}

# ---- one segment ----

sql($index);
sql('VACUUM ANALYZE docs');
foreach my $kind (0 .. 9)
{
	like(sql("$forced EXPLAIN " . statement(question($kind), 10)), qr/docs_idx/, "question of kind $kind is answered by the index");
}
check('built', 120);
check_sorted('built', 8);

# every depth, of questions that many rows answer
foreach my $words ('w0', 'w0 w1 w2 w3', 'w5 w90 w2 w1999 w0', 'w1 w1 w1 w2')
{
	my @answers = ElacText::ask($node, $forced, map { statement({ left => 'body', right => quoted($words) }, $_) } @depths);
	my $scores = $model->scores({ terms => ElacText::terms(split / /, $words), fields => ['body'] });

	is(join('', map { ElacText::wrong($answers[$_], $depths[$_], $scores) } 0 .. $#depths), '', "every depth: $words");
	# a shorter answer is the beginning of a longer one
	my @longest = map { $_->[0] } @{ $answers[-1] };
	is(scalar(grep { my $n = @{ $answers[$_] }; join(',', map { $_->[0] } @{ $answers[$_] }) ne join(',', @longest[ 0 .. $n - 1 ]) } 0 .. $#depths),
		0, "each the beginning of the next: $words");
}

# all rows come, scored ones first, NULL last
is(sql(qq{$forced SELECT count(*), count(DISTINCT id), bool_and(s >= before OR s IS NULL OR before IS NULL AND n = 1) FROM
	(SELECT id, s, n, lag(s) OVER (ORDER BY n) AS before FROM (SELECT id, s, row_number() OVER () AS n FROM
		(SELECT id, body <@> 'w0 w17' AS s FROM docs ORDER BY body <@> 'w0 w17') x) y) z}),
	"$rows|$rows|t", 'every row once and in order');

# ---- a delta, and up to twenty segments ----

my $next = $rows;
sub insert { my $to = $next + $_[0]; sql("INSERT INTO docs SELECT id, title, body, cat, note FROM source WHERE id > $next AND id <= $to"); $next = $to; return; }
sub segments { return sql(q{SELECT count(*) FROM elacsym_segments('docs_idx')}); }

insert(400);
is(sql(q{SELECT documents FROM elacsym_delta('docs_idx')}), 400, 'a delta');
check('with a delta', 80);
check_sorted('with a delta', 5);
foreach my $wanted (2 .. 20)
{
	sql(q{SELECT elacsym_flush('docs_idx')});
	insert(100);
	next unless grep { $_ == $wanted } 2, 5, 20;
	is(segments(), $wanted, "$wanted segments");
	check("$wanted segments and a delta", 60);
}
check_sorted('20 segments and a delta', 5);

# ---- rows that are gone: they count until a merge has left them out ----

$model->load($node);
foreach my $where ('id % 10 = 3', 'id % 10 = 4')
{
	$model->bury($node, $where);
}
sql(q{DELETE FROM docs WHERE id % 10 = 3; UPDATE docs SET body = body || ' w1 w7', cat = (cat + 1) % 20 WHERE id % 10 = 4});
$model->bury($node, 'id % 100 = 5');
sql(q{BEGIN; INSERT INTO docs SELECT id + 1000000, title, body, cat, note FROM docs WHERE id % 100 = 5; ROLLBACK});
check('deleted, updated, rolled back', 80);
check_sorted('deleted, updated, rolled back', 5);
sql('VACUUM docs');
check_sorted('vacuumed', 5);
sql(q{SELECT elacsym_compact('docs_idx')});
is(segments(), 1, 'one segment');
is(sql(q{SELECT dead FROM elacsym_segments('docs_idx')}), 0, 'without dead rows');
$model->purge;
check('compacted', 80);
check_sorted('compacted', 5);
insert(200);
sql('DELETE FROM docs WHERE id % 10 = 7');
is(sql(q{SELECT elacsym_verify('docs_idx')}), 't', 'sound');

# rows in the places of others, of any number: postings come in any order
sql('VACUUM docs');
insert(700);
sql(q{SELECT elacsym_flush('docs_idx'), elacsym_compact('docs_idx')});
check('rows in places that were freed', 60);
is(sql(q{SELECT elacsym_verify('docs_idx')}), 't', 'sound after all that');

# ---- other ways to come to the same index ----

my @statements = map { statement(question(), 50) } 1 .. 20;
sub values_of { my @answers = ElacText::ask($node, $forced, @statements); return join("\n", map { join(' ', map { $_->[1] } @$_) } @answers); }
my $wanted = values_of();
foreach my $how ([ 'a parallel build', 'SET max_parallel_maintenance_workers = 2' ], [ 'a serial build', 'SET max_parallel_maintenance_workers = 0' ],
	[ 'a build in 1 MB', "SET maintenance_work_mem = '1MB'" ], [ 'a parallel build in 1 MB', "SET maintenance_work_mem = '1MB'; SET max_parallel_maintenance_workers = 2" ])
{
	my ($what, $settings) = @$how;

	sql("$settings; DROP INDEX docs_idx; $index");
	is(values_of(), $wanted, "$what: the same scores to the bit");
	check($what, 30);
	is(sql(q{SELECT elacsym_verify('docs_idx')}), 't', "$what: sound");
}

# ---- statements of other forms give the same rows and scores ----

sql(q{
CREATE VIEW listed AS SELECT id AS number, body AS content, cat AS kind FROM docs;
CREATE VIEW outer_view AS SELECT * FROM listed WHERE kind < 100;
});
my $plain = join("\n", map { join("|", @$_) } @{ (ElacText::ask($node, $forced, q{SELECT id, body <@> 'w3 w50 w400' FROM docs ORDER BY body <@> 'w3 w50 w400' LIMIT 60}))[0] });
my %forms = (
	'a view' => q{SELECT number, content <@> 'w3 w50 w400' FROM listed ORDER BY content <@> 'w3 w50 w400' LIMIT 60;},
	'a view of a view' => q{SELECT number, content <@> 'w3 w50 w400' FROM outer_view ORDER BY 2 LIMIT 60;},
	'a subquery' => q{SELECT id, s FROM (SELECT id, body <@> 'w3 w50 w400' AS s FROM docs) x ORDER BY s LIMIT 60;},
	'a prepared statement' => q{PREPARE p(text) AS SELECT id, body <@> $1 FROM docs ORDER BY body <@> $1 LIMIT 60; EXECUTE p('w3 w50 w400');},
	'a generic plan' => q{SET plan_cache_mode = force_generic_plan; PREPARE p(text, int) AS SELECT id, body <@> $1 FROM docs ORDER BY body <@> $1 LIMIT $2; EXECUTE p('w3 w50 w400', 60);},
	'a tsquery in a generic plan' => q{SET plan_cache_mode = force_generic_plan; PREPARE p(tsquery) AS SELECT id, body <@> $1 FROM docs ORDER BY body <@> $1 LIMIT 60; EXECUTE p('w3 | w50 | w400');},
	'a cursor' => q{BEGIN; DECLARE c CURSOR FOR SELECT id, body <@> 'w3 w50 w400' FROM docs ORDER BY body <@> 'w3 w50 w400'; FETCH 1 FROM c; FETCH 7 FROM c; FETCH 30 FROM c; FETCH 22 FROM c; COMMIT;},
	'two rows at a time' => q{SELECT id, s FROM (SELECT id, body <@> 'w3 w50 w400' AS s FROM docs ORDER BY body <@> 'w3 w50 w400' LIMIT 30) a UNION ALL SELECT * FROM (SELECT id, body <@> 'w3 w50 w400' AS s FROM docs ORDER BY body <@> 'w3 w50 w400' OFFSET 30 LIMIT 30) b;},
	'an index scan' => q{SET elacsym.enable_customscan = off; SELECT id, body <@> 'w3 w50 w400' FROM docs ORDER BY body <@> 'w3 w50 w400' LIMIT 60;});
foreach my $form (sort keys %forms)
{
	# the first statement of a session each time
	is($node->safe_psql('postgres', "$forced $forms{$form}"), $plain, "$form gives the same");
	$node->safe_psql('postgres', $forms{$form});
}

# the first statement of all in a session, which has not loaded the library
is($node->safe_psql('postgres', q{SELECT number, content <@> 'w3 w50 w400' FROM listed ORDER BY 2 LIMIT 60}), $plain, 'the first statement of a session');

# ---- partitions have the statistics of all ----

sql(q{
CREATE TABLE parts (id int, title text, body text, cat int, note text) PARTITION BY LIST (cat);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (0, 1, 2, 3);
CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
CREATE TABLE parts3 PARTITION OF parts DEFAULT PARTITION BY RANGE (id);
CREATE TABLE parts3a PARTITION OF parts3 FOR VALUES FROM (0) TO (4000);
CREATE TABLE parts3b PARTITION OF parts3 DEFAULT;
INSERT INTO parts SELECT * FROM docs;
CREATE INDEX parts_idx ON parts USING elacsym (title text_bm25_ops (config = 'simple', weight = 2, k1 = 0.9, b = 1),
	body text_bm25_ops (config = 'simple'), cat);
ANALYZE parts;
});
{
	my (@bad, @q);

	$model->load($node);
	@q = map { question(ElacText::pick(0, 2, 3, 4, 5, 6, 7)) } 1 .. 40;
	my @answers = ElacText::ask($node, $forced =~ s/SET enable_sort = off;//r,
		map { my $s = statement($_, 100); $s =~ s/FROM docs/FROM parts/; $s =~ s/, ctid/, NULL/; $s } @q);
	foreach my $i (0 .. $#q)
	{
		my @rows = map { [ @$_[ 0, 1 ] ] } @{ $answers[$i] };
		my $wrong = ElacText::wrong(\@rows, 100, $model->scores($q[$i]{query}));
		push @bad, "$q[$i]{left} <@> $q[$i]{right}: $wrong" if $wrong ne '';
	}
	is(scalar(@bad), 0, 'partitions: 40 questions') or diag(join("\n", @bad[ 0 .. ($#bad > 4 ? 4 : $#bad) ]));
	like(sql(q{SET enable_seqscan = off; EXPLAIN SELECT id FROM parts ORDER BY body <@> 'w3 w50' LIMIT 10}), qr/_idx/, 'partitions: the indexes are used');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'nothing broke');
done_testing();
