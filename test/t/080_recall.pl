# Copyright (c) 2026, the elacsym authors
#
# Recall@10 at default settings is at least .95 on real texts: the server's own
# catalogue of descriptions, embedded here by random indexing (each word has a
# fixed sparse random vector; a text is the idf-weighted sum of its words').
# Queries are parts of descriptions, not whole rows.  Measured after build,
# insert, flush, delete, vacuum and merge, for each distance, with filters.

use strict;
use warnings;
use Cwd qw(abs_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dim = 96;
my $node = PostgreSQL::Test::Cluster->new('recall');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\nmaintenance_work_mem = 64MB\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION elacsym');

# ---- texts and their vectors ----

my @texts = split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT regexp_replace(d || ' ' || coalesce(n, ''), '\s+', ' ', 'g') FROM (
		SELECT description, replace(proname, '_', ' ') FROM pg_description LEFT JOIN pg_proc p ON p.oid = objoid AND classoid = 'pg_proc'::regclass
		UNION ALL SELECT short_desc || ' ' || coalesce(extra_desc, ''), replace(name, '_', ' ') FROM pg_settings
		UNION ALL SELECT feature_name || ' ' || sub_feature_name, coalesce(comments, '') FROM information_schema.sql_features) x(d, n)
	ORDER BY 1});
my %df;
my @words;
for my $i (0 .. $#texts)
{
	my %seen;
	$words[$i] = [ lc($texts[$i]) =~ /(\w+)/g ];
	$df{$_}++ for grep { !$seen{$_}++ } @{ $words[$i] };
}
cmp_ok(scalar(@texts), '>', 2500, 'enough texts for lists: ' . scalar(@texts));

# A small generator of our own: Perl's differs between versions.
my $state = 1;
sub draw { $state = ($state * 1103515245 + 12345) % 2147483648; return $state >> 8; }
my %vector_of;
for my $word (sort keys %df)
{
	my @v = (0) x $dim;
	$v[ draw() % $dim ] += draw() % 2 ? 1 : -1 for 1 .. 6;
	$vector_of{$word} = \@v;
}

sub embed
{
	my @sum = (0) x $dim;
	for my $word (@_)
	{
		my $idf = log(1 + @texts / ($df{$word} || 1));
		my $v = $vector_of{$word} or next;
		$sum[$_] += $idf * $v->[$_] for 0 .. $dim - 1;
	}
	return '[' . join(',', map { sprintf('%.4f', $_) } @sum) . ']';
}

my $rows = join('', map { "$_\t" . ($_ % 10) . "\t" . embed(@{ $words[$_] }) . "\n" } 0 .. $#texts);
$node->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, part int, v vector($dim), h halfvec($dim))");
my $load = abs_path(PostgreSQL::Test::Utils::tempdir()) . '/rows';
append_to_file($load, $rows);
$node->safe_psql('postgres', "CREATE TEMP TABLE l (id int, part int, v vector($dim)); COPY l FROM '$load';
	INSERT INTO t SELECT id, part, v, v::halfvec FROM l; ANALYZE t");

# Queries: every other word of descriptions that have at least six.
my @queries;
for my $i (grep { @{ $words[$_] } >= 6 } 0 .. $#texts)
{
	my @part = grep { draw() % 2 } @{ $words[$i] };
	push @queries, embed(@part) if @part >= 2;
}
@queries = @queries[ map { int($_ * @queries / 150) } 0 .. 149 ];
$node->safe_psql('postgres', 'CREATE TABLE q (n serial, v vector(' . $dim . ')); INSERT INTO q (v) VALUES '
	  . join(',', map { "('$_')" } @queries));

# ---- measuring ----

# Mean share of the true ten that the index finds; ties count as found.
sub recall
{
	my ($column, $operator, $condition, $settings_found) = @_;
	my $cast = $column eq 'h' ? '::halfvec' : '';
	my $top = "SELECT $column $operator (\$1)$cast AS d FROM t WHERE $condition ORDER BY 1 LIMIT 10";
	my $function = sub {
		my ($name, $settings) = @_;
		return "CREATE OR REPLACE FUNCTION $name(vector) RETURNS float8[] LANGUAGE plpgsql $settings AS \$\$
			BEGIN RETURN ARRAY($top); END \$\$;";
	};
	return $node->safe_psql('postgres',
		$function->('exact', 'SET enable_indexscan = off SET elacsym.enable_customscan = off')
		  . $function->('found', 'SET enable_seqscan = off SET enable_sort = off ' . ($settings_found // ''))
		  . q{SELECT round(avg(share), 4) FROM (
				SELECT (SELECT count(*) FROM unnest(f) x WHERE x <= e[cardinality(e)] + 1e-5)::numeric / cardinality(e) AS share
				FROM (SELECT exact(v) e, found(v) f FROM q OFFSET 0) a) b});
}

sub check
{
	my ($what, $column, $operator, $condition) = @_;
	my $recall = recall($column, $operator, $condition // 'true');
	cmp_ok($recall, '>=', 0.95, "recall@10 $what: $recall");
}

my %classes = (
	'<->' => [ 'vector_l2_ops', 'halfvec_l2_ops' ],
	'<#>' => [ 'vector_ip_ops', 'halfvec_ip_ops' ],
	'<=>' => [ 'vector_cosine_ops', 'halfvec_cosine_ops' ]);
for my $operator (sort keys %classes)
{
	for my $column ('v', 'h')
	{
		my $class = $classes{$operator}[ $column eq 'h' ];
		$node->safe_psql('postgres', "CREATE INDEX t_idx ON t USING elacsym ($column $class, part)");
		check("after build, $class", $column, $operator);
		$node->safe_psql('postgres', 'DROP INDEX t_idx');
	}
}

# What is measured can fail: one list is not enough, and the index is what answers.
$node->safe_psql('postgres', 'CREATE INDEX t_idx ON t USING elacsym (v vector_cosine_ops, part)');
my $poor = recall('v', '<=>', 'true', 'SET elacsym.probes = 1');
cmp_ok($poor, '<', 0.95, "one list gives less: $poor");
like($node->safe_psql('postgres', "EXPLAIN SELECT id FROM t ORDER BY v <=> '$queries[0]' LIMIT 10"),
	qr/ElacsymScan.*Index: t_idx/s, 'the planner chooses the index without a hint');
$node->safe_psql('postgres', 'DROP INDEX t_idx');

# A table that grows: trained on a fifth, then inserted, flushed, merged.
$node->safe_psql('postgres', q{
	CREATE TABLE rest AS SELECT * FROM t WHERE id % 5 <> 0;
	DELETE FROM t WHERE id % 5 <> 0;
	VACUUM t});
$node->safe_psql('postgres', 'CREATE INDEX t_idx ON t USING elacsym (v vector_cosine_ops, part)');
$node->safe_psql('postgres', 'INSERT INTO t SELECT * FROM rest');
check('after insert', 'v', '<=>');
check('one part in ten', 'v', '<=>', 'part = 3');
check('one row in five hundred', 'v', '<=>', 'id % 500 = 7');
$node->safe_psql('postgres', q{SELECT elacsym_flush('t_idx')});
check('after flush', 'v', '<=>');
$node->safe_psql('postgres', q{DELETE FROM t WHERE id % 3 = 0});
check('after delete', 'v', '<=>');
$node->safe_psql('postgres', 'VACUUM t');
check('after vacuum', 'v', '<=>');
$node->safe_psql('postgres', q{SELECT elacsym_compact('t_idx')});
check('after merge', 'v', '<=>');
check('part after merge', 'v', '<=>', 'part IN (1, 2) OR part = 5');
$node->safe_psql('postgres', q{UPDATE t SET part = part + 1});
check('after updating every row', 'v', '<=>');

# A short answer is never given while rows match.
is( $node->safe_psql('postgres', q{
		SET enable_seqscan = off;
		SELECT count(*) FROM q, LATERAL (SELECT id FROM t WHERE part = 4 ORDER BY v <=> q.v LIMIT 25) x}),
	150 * 25, 'never fewer rows than asked for');
is($node->safe_psql('postgres', q{SELECT elacsym_verify('t_idx')}), 't', 'index is sound');
$node->stop;
done_testing();
