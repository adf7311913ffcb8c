# With debug_discard_caches every look at a catalogue rebuilds the relcache
# entry of an open index: what was cached in it (metapage, options) is freed and
# overwritten.  Answers must not depend on it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
if ($node->safe_psql('postgres', 'SHOW debug_assertions') ne 'on')
{
	$node->stop;
	plan skip_all => 'the server was built without assertions';
}
$node->safe_psql('postgres', 'CREATE EXTENSION elacsym');

my $script = q{
CREATE TABLE d (id int PRIMARY KEY, title text, body text, price float8, tags text[], embedding vector(4));
INSERT INTO d SELECT i, 'title ' || i, 'body word' || i % 7 || ' text', i, ARRAY['a', 't' || i % 3], ('[' || i || ',1,2,3]')::vector
  FROM generate_series(1, 30) i;
CREATE INDEX d_idx ON d USING elacsym (embedding, title, body text_bm25_ops (config = 'english', weight = 2), price, tags);
INSERT INTO d SELECT i, 'title ' || i, 'body word' || i % 7 || ' text', i, ARRAY['a', 't' || i % 3], ('[' || i || ',1,2,3]')::vector
  FROM generate_series(31, 45) i;
SET enable_seqscan = off;
SELECT id, embedding <-> '[3,1,2,3]' FROM d WHERE price < 40 OR tags @> '{t1}' ORDER BY embedding <-> '[3,1,2,3]', id LIMIT 5;
SELECT id, body <@> 'word3' FROM d ORDER BY body <@> 'word3' LIMIT 3;
SELECT id FROM d ORDER BY ARRAY[title, body] <@> 'title word3' LIMIT 3;
SELECT (s.doc).id, score FROM elacsym_search(NULL::d, vector => '[3,1,2,3]'::vector, text => 'word3', filter => 'price < 20', k => 3) s;
SELECT elacsym_flush('d_idx');
DELETE FROM d WHERE id % 5 = 0;
VACUUM d;
SELECT elacsym_compact('d_idx', true);
SELECT elacsym_verify('d_idx');
SELECT id, body <@> 'word3' FROM d ORDER BY body <@> 'word3' LIMIT 3;
-- a query vector that has to be fetched from a TOAST table
CREATE TABLE q (id int, v vector(3000));
ALTER TABLE q ALTER v SET STORAGE EXTERNAL;
INSERT INTO q SELECT i, array_fill(i::real, '{3000}')::vector FROM generate_series(1, 3) i;
CREATE INDEX q_idx ON q USING elacsym (v, id);
SELECT id FROM q WHERE id > 1 OR id < 0 ORDER BY v <-> (SELECT v FROM q WHERE id = 3) LIMIT 1;
CREATE TABLE p (id int, body text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20);
CREATE INDEX p_idx ON p USING elacsym (body);
INSERT INTO p SELECT i, 'w' || i % 3 FROM generate_series(1, 19) i;
SELECT id, body <@> 'w1' FROM p ORDER BY body <@> 'w1', id LIMIT 2;
SELECT elacsym_flush('p_idx');
SELECT id, body <@> 'w1' FROM p ORDER BY body <@> 'w1', id LIMIT 2;
DROP TABLE d, q, p;
};
my $plain = $node->safe_psql('postgres', $script);
my $discarding = $node->safe_psql('postgres', "SET debug_discard_caches = 1;\n$script");
is($discarding, $plain, 'the same answers without caches');
like($plain, qr/^3\|0$/m, 'and answers there are');

$node->stop;
done_testing();
