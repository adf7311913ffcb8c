# A dump of a database with every kind of index restores: the same answers,
# and a dump of the copy is the same dump.
use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);    # bigrams need it
$node->start;

my $store = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain custom);
$node->safe_psql('origin', qq{
	CREATE SCHEMA "Ext";
	CREATE EXTENSION elacsym SCHEMA "Ext";
	SET search_path = public, "Ext";
	CREATE ROLE owner_of_docs;
	GRANT pg_write_server_files TO owner_of_docs;
	CREATE SCHEMA configs;
	CREATE TEXT SEARCH CONFIGURATION configs."My Config" (COPY = english);
	CREATE TEXT SEARCH CONFIGURATION public.own (COPY = simple);
	CREATE SERVER cold FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$store');
	CREATE SERVER bucket FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 's3', bucket 'search', endpoint 'http://127.0.0.1:1');
	CREATE USER MAPPING FOR PUBLIC SERVER bucket OPTIONS (access_key_id 'AK', secret_access_key 'SK');
	GRANT USAGE ON FOREIGN SERVER cold TO owner_of_docs;

	CREATE TABLE docs (id int PRIMARY KEY, gone int, v vector(3), h halfvec(2), body text, title text, n int, tags text[], price numeric, at timestamptz);
	ALTER TABLE docs DROP COLUMN gone;
	INSERT INTO docs SELECT i, CASE WHEN i % 50 > 0 THEN ARRAY[sin(i), cos(i), i % 5]::real[]::vector END, ARRAY[sin(i), i]::real[]::halfvec,
		'body w' || i % 13 || repeat(' more', i % 4), 'title ' || i % 7, i % 10, ARRAY['t' || i % 3], i / 7.0, '2024-01-01'::timestamptz + i * interval '1 hour'
		FROM generate_series(1, 1000) i;
	CREATE INDEX docs_idx ON docs USING elacsym (v vector_cosine_ops, body text_bm25_ops (config = 'configs."My Config"', k1 = 2, b = .5),
		title text_bm25_ops (config = 'public.own', weight = 3), n, tags, price, at) WITH (store = 'cold', bits = 7);
	CREATE INDEX docs_expr_idx ON docs USING elacsym ((h::halfvec(2)) halfvec_l2_ops, (lower(title)) text_bm25_ops (config = 'german')) WHERE n > 2;
	CREATE INDEX docs_attr_idx ON docs USING elacsym (title text_ops, at);
	SET default_text_search_config = 'configs."My Config"';
	CREATE INDEX docs_text_idx ON docs USING elacsym (
		(setweight(to_tsvector('configs."My Config"', title), 'A') || to_tsvector('configs."My Config"', body)) tsvector_bm25_ops (weight_a = 2, weight_d = .5, b = .6),
		tags text_array_bm25_ops (positions = off, config = 'german'), (body || '') text_bm25_ops (bigrams = on, weight = 3), (title || ' ') text_bm25_ops);
	RESET default_text_search_config;
	ALTER TABLE docs OWNER TO owner_of_docs;

	CREATE TABLE parts (id int, v vector(2), body text) PARTITION BY LIST (id);
	CREATE TABLE parts1 PARTITION OF parts FOR VALUES IN (1, 2, 3);
	CREATE TABLE parts2 PARTITION OF parts FOR VALUES IN (4, 5, 6);
	CREATE INDEX parts_idx ON parts USING elacsym (v vector_ip_ops, body text_bm25_ops (config = 'english'));
	INSERT INTO parts SELECT 1 + i % 6, ARRAY[i, 1]::real[]::vector, 'part w' || i FROM generate_series(1, 100) i;
	CREATE MATERIALIZED VIEW scored AS SELECT id, v, body, body <@> 'w3' AS score FROM docs WHERE n = 3;
	CREATE INDEX scored_idx ON scored USING elacsym (v, body);
	CREATE UNLOGGED TABLE unlogged (id int, v vector(2));
	CREATE INDEX unlogged_idx ON unlogged USING elacsym (v);
	INSERT INTO unlogged VALUES (1, '[1,2]');
	CREATE TABLE defaults (id int, v vector(2) DEFAULT '[1,2]' CHECK (vector_dims(v) = 2), hs halfvec[]);
	INSERT INTO defaults (id, hs) VALUES (1, ARRAY['[1,2]'::halfvec]);

	CREATE VIEW best_text AS SELECT id, vector <@> websearch_to_tsquery('simple', 'title -w5 "body w3"') AS score FROM
		(SELECT id, setweight(to_tsvector('configs."My Config"', title), 'A') || to_tsvector('configs."My Config"', body) AS vector FROM docs) x
		ORDER BY vector <@> websearch_to_tsquery('simple', 'title -w5 "body w3"'), id LIMIT 5;
	CREATE FUNCTION matching(q text) RETURNS SETOF int LANGUAGE sql STABLE BEGIN ATOMIC
		SELECT id FROM docs ORDER BY ARRAY[body || '', title || ' '] <@> elacsym_match(q, weights => '{1,3}', combine => 'max', min_match => 2, prefix => true), id LIMIT 5; END;
	CREATE VIEW best AS SELECT id, body <@> 'w3' AS score FROM docs ORDER BY body <@> 'w3' LIMIT 5;
	CREATE FUNCTION nearest(q vector) RETURNS SETOF int LANGUAGE sql STABLE BEGIN ATOMIC SELECT id FROM docs ORDER BY v <=> q LIMIT 5; END;
	CREATE FUNCTION found(q text) RETURNS SETOF int LANGUAGE sql STABLE BEGIN ATOMIC SELECT id FROM docs ORDER BY body <@> q, id LIMIT 5; END;
	SELECT elacsym_offload('docs_idx');
});

my $questions = q{
	SET search_path = public, "Ext";
	SET enable_seqscan = off;
	SET elacsym.probes = 100000;
	SELECT * FROM best;
	SELECT * FROM best_text;
	SELECT * FROM matching('w3 title 4');
	SELECT id, tags <@> 't2' FROM docs ORDER BY tags <@> 't2', id LIMIT 3;
	SELECT * FROM nearest('[1,2,3]');
	SELECT * FROM found('w3 more');
	SELECT (doc).id, score, vector_rank, text_rank, text_score FROM elacsym_search(NULL::docs, vector => '[1,2,3]', text => 'w3 title', filter => 'price < 50', index => 'docs_idx');
	SELECT id, body <@> 'w7 w9' FROM parts ORDER BY body <@> 'w7 w9' LIMIT 2;
	SELECT id FROM docs WHERE n > 2 ORDER BY h::halfvec(2) <-> '[0,0]' LIMIT 5;
	SELECT id, lower(title) <@> 'title 3' FROM docs WHERE n > 2 ORDER BY lower(title) <@> 'title 3', id LIMIT 5;
	SELECT count(*) FROM docs WHERE title LIKE 'title 3%' AND at > '2024-02-01';
	SELECT id, score FROM scored ORDER BY v <-> '[1,2,3]', id LIMIT 5;
	SELECT * FROM unlogged ORDER BY v <-> '[1,1]';
	SELECT * FROM defaults;
	SELECT i, elacsym_verify(i) FROM unnest(ARRAY['docs_idx', 'docs_expr_idx', 'docs_attr_idx', 'docs_text_idx', 'parts_idx', 'scored_idx', 'unlogged_idx']) i;
	SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid::regclass::text LIKE '%idx' ORDER BY indexrelid::regclass::text;
};
my $answers = $node->safe_psql('origin', $questions);

# The text of a dump without what is different each time.
sub dump_of
{
	my ($dbname) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
	$node->command_ok([ 'pg_dump', '-f', $file, '-d', $node->connstr($dbname) ], "dump of $dbname");
	return $file;
}

sub text_of
{
	my $text = slurp_file($_[0]);
	$text =~ s/^\\(un)?restrict .*$//mg;
	return $text;
}

my $dump = dump_of('origin');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', $dump ], 'plain dump restored');
is($node->safe_psql('plain', $questions), $answers, 'same answers from the plain dump');
is(text_of(dump_of('plain')), text_of($dump), 'the copy dumps alike');

my $archive = PostgreSQL::Test::Utils::tempdir . '/archive';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $archive, '-d', $node->connstr('origin') ], 'archive written');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', $node->connstr('custom'), $archive ], 'archive restored in parallel');
is($node->safe_psql('custom', $questions), $answers, 'same answers from the archive');

# the copy's index is nobody else's: it has a store, and segments of its own there
is($node->safe_psql('plain', q{SELECT "Ext".elacsym_offload('docs_idx') > 0, "Ext".elacsym_verify('docs_idx')}), 't|t', 'the copy is offloaded too');
is($node->safe_psql('plain', $questions), $answers, 'and answers from the store');
is($node->safe_psql('origin', $questions), $answers, 'as the original does');

$node->stop;
done_testing();
