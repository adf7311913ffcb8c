# What conditions on attributes read of a segment that lies in a store: nothing when its head tells that no row can
# match, else the parts that may tell.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
my $dir = PostgreSQL::Test::Utils::tempdir();

$node->init;
$node->start;
mkdir "$dir/cold";
$node->safe_psql('postgres', qq(
	CREATE EXTENSION elacsym;
	CREATE SERVER cold FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$dir/cold');
	CREATE TABLE items (id int8, u uuid, k text, price float8, n int4, tags text[], num numeric);
	-- in no order: ids are shuffled
	INSERT INTO items SELECT i * 7919 % 100003 * 10, md5(i::text)::uuid, 'key' || i * 7919 % 100003, (i * 7919 % 100003) / 10.0, i % 1000 * 10,
		ARRAY['a' || i % 50, 'b' || i], i * 7919 % 100003 + CASE WHEN i % 2 = 0 THEN 0.0 ELSE 0.00 END FROM generate_series(1, 100000) i;
	CREATE INDEX items_idx ON items USING elacsym (id, u, k text_ops, price, n, tags, num) WITH (store = 'cold');
	SELECT elacsym_offload('items_idx');));

# A session reads the store's UUID, before anything else.
my $uuid_bytes = 32;

# Rows found, and bytes fetched for a condition by a session of its own.
sub fetched
{
	my ($condition) = @_;
	my @lines = split /\n/, $node->safe_psql('postgres', qq(
		SET enable_seqscan = off;
		SELECT get_bytes FROM elacsym_cache();
		SELECT count(*) FROM items WHERE $condition;
		SELECT get_bytes FROM elacsym_cache();));

	return ($lines[1], $lines[2] - $lines[0] - $uuid_bytes);
}

# what the head excludes
foreach my $condition (
	q(id = -1), q(id = 2000000), q(u = '00000000-0000-0000-0000-000000000000'), q(k = 'nokey'), q(price < 0), q(price > 10001), q(n = 20000),
	q(n > 9990), q(tags @> '{a1,none}'), q(tags && '{none,c}'), q('none' = ANY (tags)), q(id = ANY ('{-5,-6}')), q(price = 0.05 AND price < 0))
{
	my ($rows, $bytes) = fetched($condition);

	is("$rows $bytes", '0 0', "$condition reads nothing");
}

# equality of many: filters are wrong now and then
my ($none, $quiet) = (0, 0);
foreach my $i (1 .. 20)
{
	my ($rows, $bytes) = fetched(qq(u = md5('absent $i')::uuid));

	$none += $rows == 0;
	$quiet += $bytes == 0;
}
is($none, 20, 'values that are not there are not found');
cmp_ok($quiet, '>=', 15, 'and read nothing as a rule');

# what is there takes its parts
foreach my $case (
	[ q(u = md5('777')::uuid), 1, 1600000 / 5 ], [ q(k = 'key778'), 1, 500000 ], [ q(id = 7780), 1, 100000 ], [ q(price BETWEEN 100.01 AND 200.02), 1000, 200000 ],
	[ q(num = 777), 1, 500000 ], [ q(num = 778.000), 1, 500000 ], [ q(price < 5000), undef, 200000 ], [ q(tags @> '{b777}'), 1, 65000 ], [ q('a7' = ANY (tags)), 2000, 65000 ])
{
	my ($condition, $expected, $most) = @$case;
	my ($rows, $bytes) = fetched($condition);

	is($rows, $expected, "$condition: rows") if defined $expected;
	cmp_ok($bytes, '<=', $most, "$condition reads $bytes bytes, not more than $most");
	cmp_ok($bytes, '>', 0, 'but some');
}
$node->stop;
done_testing();
