# Copyright (c) 2026, the elacsym authors
#
# Codes alone and re-ranking: which is chosen for inline and TOASTed vectors,
# that codes alone read no vector of the table and still find the nearest, that
# re-ranked rows come in exact order.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('rerank');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\nenable_seqscan = off\n");
$node->start;

# Points of a curved surface of four dimensions in 600, with noise.
$node->safe_psql('postgres', q{
	CREATE EXTENSION elacsym;
	SELECT setseed(.3);
	CREATE FUNCTION point(dim int) RETURNS real[] LANGUAGE plpgsql AS $$
	DECLARE
		z float8[] := ARRAY[random() * 4, random() * 4, random() * 3, random() * 3];
		x real[];
	BEGIN
		SELECT array_agg(sin(z[1] * (1 + j % 3) + j) + cos(z[2] * (1 + j % 2) - 2 * j) + sin(z[3] + 3 * j) * cos(z[4] - j) + (random() - .5) / 4) INTO x
		FROM generate_series(1, dim) j;
		RETURN x;
	END $$;
	CREATE TABLE points AS SELECT i AS id, point(600) AS x FROM generate_series(1, 2500) i;
	CREATE TABLE q AS SELECT i AS n, point(600)::vector(600) AS v FROM generate_series(1, 40) i;
	CREATE TABLE toasted (id int, v vector(600), h halfvec(600));
	CREATE TABLE inline (id int, v vector(600));
	ALTER TABLE inline ALTER v SET STORAGE plain;
	INSERT INTO toasted SELECT id, x::vector(600), x::vector(600)::halfvec FROM points;
	INSERT INTO inline SELECT id, x::vector(600) FROM points;
	CREATE TABLE wide (id int, h halfvec(1200));
	INSERT INTO wide SELECT id, (x || x)::halfvec(1200) FROM points;
	ANALYZE;

	-- rows whose vectors a query reads
	CREATE FUNCTION vectors_read(query text) RETURNS int LANGUAGE plpgsql AS $$
	DECLARE
		line text;
		n int;
	BEGIN
		FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || query LOOP
			n := coalesce(n, substring(line FROM 'Rows Ranked: (\d+)')::int);
		END LOOP;
		RETURN n;
	END $$;
	-- share of the true ten found, and whether rows came in order, over all queries
	CREATE FUNCTION measure(t regclass, c name, op text, k int, OUT recall numeric, OUT ordered bool, OUT short int) LANGUAGE plpgsql AS $$
	DECLARE
		query record;
		want float8[];
		got float8[];
		hits int := 0;
		total int := 0;
		cast_to text := CASE WHEN c = 'h' THEN '::halfvec' ELSE '' END;
		argument text := CASE WHEN t = 'wide'::regclass THEN format('(($1::real[] || $1::real[])::vector%s)', cast_to) ELSE '$1' || cast_to END;
		q text := format('SELECT array_agg(d) FROM (SELECT %1$I %2$s %3$s AS d FROM %4$s ORDER BY %1$I %2$s %3$s LIMIT %5$s) x', c, op, argument, t, k);
	BEGIN
		ordered := true;
		short := 0;
		FOR query IN SELECT v FROM q LOOP
			SET LOCAL elacsym.enable_customscan = off;
			SET LOCAL enable_indexscan = off;
			EXECUTE q INTO want USING query.v;
			SET LOCAL elacsym.enable_customscan = on;
			SET LOCAL enable_indexscan = on;
			SET LOCAL enable_sort = off;
			EXECUTE q INTO got USING query.v;
			RESET enable_sort;
			ordered := ordered AND got = (SELECT array_agg(g ORDER BY g) FROM unnest(got) g);
			short := short + (cardinality(got) < k)::int;
			hits := hits + (SELECT count(*) FROM unnest(got) g WHERE g <= want[k] + 1e-5);
			total := total + k;
		END LOOP;
		recall := round(hits::numeric / total, 4);
	END $$;
});

my $near = "ORDER BY v <-> (SELECT v FROM q WHERE n = 1) LIMIT 10";

sub measure
{
	my ($table, $column, $operator, $k) = @_;
	return split /\|/, $node->safe_psql('postgres',
		"SELECT recall, ordered, short FROM measure('$table', '$column', '$operator', $k)");
}

sub vectors_read
{
	my ($table, $settings) = @_;
	return $node->safe_psql('postgres', ($settings // '') . "SELECT vectors_read('SELECT id FROM $table $near')");
}

# ---- codes alone: the default for TOASTed vectors of many dimensions ----

for my $case ([ 'toasted', 'v', 'vector_l2_ops', '<->' ], [ 'toasted', 'v', 'vector_cosine_ops', '<=>' ],
	[ 'wide', 'h', 'halfvec_l2_ops', '<->' ], [ 'wide', 'h', 'halfvec_ip_ops', '<#>' ])
{
	my ($table, $column, $class, $operator) = @$case;
	$node->safe_psql('postgres', "CREATE INDEX i ON $table USING elacsym ($column $class)");
	my $argument = $table eq 'wide' ? '(v::real[] || v::real[])::halfvec(1200)' : 'v';
	is($node->safe_psql('postgres',
			"SELECT vectors_read('SELECT id FROM $table ORDER BY $column $operator (SELECT $argument FROM q WHERE n = 1) LIMIT 10')"),
		0, "$table, $class: no vector is read");
	my ($recall, $ordered, $short) = measure($table, $column, $operator, 10);
	cmp_ok($recall, '>=', 0.95, "$table, $class: recall\@10 by the codes alone: $recall");
	is($short, 0, 'as many rows as asked for');
	$node->safe_psql('postgres', 'DROP INDEX i');
}

$node->safe_psql('postgres', 'CREATE INDEX i ON toasted USING elacsym (v)');
cmp_ok(vectors_read('toasted', 'SET elacsym.target_recall = 0.99;'), '>=', 10, 'a target of .99 re-ranks');
is(vectors_read('toasted', 'SET elacsym.target_recall = 0.98;'), 0, 'one of .98 does not');

# a row that a later transaction deleted is not returned, nor one too few
my $first = $node->safe_psql('postgres', "SELECT id FROM toasted $near");
my ($nearest) = split /\n/, $first;
$node->safe_psql('postgres', "DELETE FROM toasted WHERE id = $nearest");
my @left = split /\n/, $node->safe_psql('postgres', "SELECT id FROM toasted $near");
is(scalar(@left), 10, 'ten rows without the deleted one');
ok(!grep({ $_ == $nearest } @left), 'which is not among them');
is(scalar(split /\n/, $node->safe_psql('postgres', 'SELECT id FROM toasted ORDER BY v <-> (SELECT v FROM q WHERE n = 1)')),
	2499, 'a scan goes on to every row');
$node->safe_psql('postgres', "INSERT INTO toasted SELECT id, x::vector(600) FROM points WHERE id = $nearest; SELECT elacsym_flush('i')");
is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT id FROM toasted $near) x WHERE id = $nearest"), 1, 'and is found when it is back');
$node->safe_psql('postgres', 'DROP INDEX i');

# ---- the heap: the default for inline vectors, of whatever dimensions ----

$node->safe_psql('postgres', 'CREATE INDEX i ON inline USING elacsym (v)');
my $inline_size = $node->safe_psql('postgres', q{SELECT pg_relation_size('i')});
my $read = vectors_read('inline');
cmp_ok($read, '>=', 10, 'inline vectors are read');
cmp_ok($read, '<=', 60, "some more than wanted: $read");
my ($recall, $ordered) = measure('inline', 'v', '<->', 10);
cmp_ok($recall, '>=', 0.95, "recall\@10: $recall");
is($ordered, 't', 'rows come in exact order');
($recall, $ordered) = measure('inline', 'v', '<->', 300);
cmp_ok($recall, '>=', 0.95, "recall\@300: $recall");
is($ordered, 't', 'in exact order, too');

# ---- the options ----

$node->safe_psql('postgres', 'ALTER INDEX i SET (rerank = none)');
cmp_ok(vectors_read('inline'), '>=', 10, 'a change of the option waits for REINDEX');
$node->safe_psql('postgres', 'REINDEX INDEX i');
is(vectors_read('inline'), 0, 'and is effective then');
is(vectors_read('inline', 'SET elacsym.target_recall = 0.99;'), 0, 'none is none, whatever the target');
cmp_ok($node->safe_psql('postgres', q{SELECT pg_relation_size('i')}), '>', $inline_size, 'codes that stand alone have more bits');
$node->safe_psql('postgres', 'DROP INDEX i; CREATE INDEX i ON toasted USING elacsym (v) WITH (rerank = heap)');
cmp_ok(vectors_read('toasted'), '>=', 10, 'heap reads TOASTed vectors');
($recall, $ordered) = measure('toasted', 'v', '<->', 10);
is($ordered, 't', 'for exact order');
$node->safe_psql('postgres', 'DROP INDEX i; CREATE INDEX i ON toasted USING elacsym (v) WITH (bits = 2)');
cmp_ok(vectors_read('toasted'), '>=', 10, 'codes too short to stand alone are re-ranked');
my ($code, $stdout, $stderr) = $node->psql('postgres', 'CREATE INDEX ON toasted USING elacsym (v) WITH (rerank = maybe)');
like($stderr, qr/invalid value for enum option "rerank": maybe.*Valid values are "auto", "none" and "heap"/s, 'other values are refused');

# ---- tables without rows: by what the type will take ----

$node->safe_psql('postgres', q{
	CREATE TABLE empty (LIKE toasted);
	CREATE INDEX e ON empty USING elacsym (v);
	CREATE TABLE empty_plain (LIKE inline INCLUDING STORAGE);
	CREATE INDEX ep ON empty_plain USING elacsym (v);
	CREATE TABLE expression (id int, t text);
	CREATE INDEX x ON expression USING elacsym ((t::vector(600)));
	INSERT INTO empty SELECT * FROM toasted;
	INSERT INTO empty_plain SELECT * FROM inline;
	SELECT elacsym_flush('e'), elacsym_flush('ep')});
is(vectors_read('empty'), 0, 'vectors that will be TOASTed');
cmp_ok(vectors_read('empty_plain'), '>=', 10, 'and that will not');

$node->stop;
done_testing();
