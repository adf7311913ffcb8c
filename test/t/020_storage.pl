# Storage on a real server: blobs in pages, free pages, chains, the metapage;
# through a crash, on a standby, with many writers, and with damaged pages.
# Builds test/modules/elac_storage_test, which lets SQL call src/storage.

use strict;
use warnings;

use Cwd qw(abs_path);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = abs_path("$FindBin::RealBin/../modules/elac_storage_test");
my $built = abs_path(PostgreSQL::Test::Utils::tempdir());
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';

chmod 0755, $built;
my $log = `make -s -C '$module' OUT='$built' PG_CONFIG='$pg_config' 2>&1`;
if ($? != 0)
{
	plan skip_all => 'no compiler here'
	  unless `sh -c 'command -v make && command -v cc || command -v gcc'`;
	BAIL_OUT("could not build the storage test module:\n$log");
}

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
shared_buffers = 64MB
max_wal_size = 4GB
wal_level = replica
CONF
$node->start;

my %functions = (
	test_metapage => '(regclass) RETURNS text',
	test_blob_write => '(regclass, id bigint, nbytes bigint, seed bigint) RETURNS bytea',
	test_blob_check => '(regclass, ref bytea, seed bigint) RETURNS bool',
	test_blob_verify => '(regclass, ref bytea) RETURNS bool',
	test_blob_blocks => '(regclass, ref bytea) RETURNS bigint[]',
	test_blob_free => '(regclass, ref bytea, max int) RETURNS int',
	test_chain_append => '(regclass, chain bytea, id bigint, len bigint, seed bigint) RETURNS bytea',
	test_chain_check => '(regclass, chain bytea, lens bigint[], pos bytea, seed int) RETURNS int',
	test_chain_blocks => '(regclass, chain bytea) RETURNS bigint[]',
	test_chain_free => '(regclass, chain bytea, max int) RETURNS int',
	test_flip => '(regclass, block bigint, byte int, mask int) RETURNS void',
	test_get_page => '(regclass, block bigint, len int) RETURNS bytea',
	test_put_page => '(regclass, block bigint, byte int, bytes bytea) RETURNS void',
	test_churn => '(regclass, id bigint, rounds int) RETURNS bool');
$node->safe_psql('postgres',
	"CREATE FUNCTION test_handler(internal) RETURNS index_am_handler LANGUAGE c AS '$built/elac_storage_test';\n"
	  . join('', map { "CREATE FUNCTION $_$functions{$_} LANGUAGE c AS '$built/elac_storage_test';\n" }
		  sort keys %functions)
	  . <<'SQL');
CREATE ACCESS METHOD elac_pages TYPE INDEX HANDLER test_handler;
CREATE OPERATOR CLASS elac_pages_ops DEFAULT FOR TYPE int4 USING elac_pages AS STORAGE int4;
CREATE TABLE t (a int);
CREATE INDEX t_idx ON t USING elac_pages (a);
CREATE UNLOGGED TABLE u (a int);
CREATE INDEX u_idx ON u USING elac_pages (a);
CREATE TABLE blobs (id bigint PRIMARY KEY, nbytes bigint, ref bytea);
CREATE TABLE chains (id bigint PRIMARY KEY, chain bytea, lens bigint[], positions bytea[]);

-- The answer of a statement as text, or the SQLSTATE it ended with.
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE sql INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;

-- Appends records of these lengths, seeds 1, 2, ..., and remembers where.
CREATE FUNCTION append(chain_id bigint, more bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c chains;
		appended bytea;
		len bigint;
BEGIN
	INSERT INTO chains VALUES (chain_id, '', '{}', '{}') ON CONFLICT DO NOTHING;
	SELECT * INTO c FROM chains WHERE id = chain_id;
	FOREACH len IN ARRAY more LOOP
		appended := test_chain_append('t_idx', c.chain, chain_id, len, cardinality(c.lens) + 1);
		c.chain := substr(appended, 1, 24);
		c.lens := c.lens || len;
		c.positions := c.positions || appended;
	END LOOP;
	UPDATE chains SET chain = c.chain, lens = c.lens, positions = c.positions WHERE id = chain_id;
END $$;
SQL

sub query { return $node->safe_psql('postgres', $_[0]); }

my $all_blobs = q{SELECT count(*), bool_and(test_blob_check('t_idx', ref, id)), bool_and(test_blob_verify('t_idx', ref)) FROM blobs};
my $all_chains = q{SELECT count(*), bool_and(test_chain_check('t_idx', chain, lens, NULL, 1) = cardinality(lens)) FROM chains};

# ---- metapage ----

like(query(q{SELECT test_metapage('t_idx')}), qr/^3 columns, 384 dimensions, english, seed \d+$/, 'metapage');
isnt(query(q{SELECT test_metapage('t_idx')}), query(q{SELECT test_metapage('u_idx')}), 'each build has its own seed');

# ---- blobs ----

query(q{INSERT INTO blobs SELECT n, size, test_blob_write('t_idx', n, size, n)
	FROM unnest('{0,1,8127,8128,8129,32511,32512,32513,100000,1048576,41943040}'::bigint[]) WITH ORDINALITY AS s(size, n)});
is(query($all_blobs), '11|t|t', 'blobs of many sizes are read as they were written');
is(query(q{SELECT bool_and(cardinality(test_blob_blocks('t_idx', ref)) = (nbytes + 8127) / 8128 + (nbytes > 0)::int) FROM blobs}),
	't', 'a blob has its pages and one map page');
is(query(q{SELECT count(*) = count(DISTINCT b) FROM blobs, unnest(test_blob_blocks('t_idx', ref)) b}),
	't', 'no page belongs to two blobs');
is(query(q{SELECT test_blob_check('t_idx', ref, id + 1) FROM blobs WHERE id = 10}), 'f', 'the check can fail');

# ---- freeing and reuse ----

my $size = query(q{SELECT pg_relation_size('t_idx')});
is(query(q{SELECT test_blob_free('t_idx', ref, NULL) FROM blobs WHERE id = 10}), 131, 'a blob is freed');
is(query(q{SELECT attempt(format('SELECT test_blob_check(''t_idx'', %L, id) FROM blobs WHERE id = 10', ref)) FROM blobs WHERE id = 10}),
	'XX002', 'a freed blob is not read');
is(query(q{SELECT test_blob_free('t_idx', ref, NULL) FROM blobs WHERE id = 10}), 0, 'freeing it again does nothing');
query(q{DELETE FROM blobs WHERE id = 10;
	INSERT INTO blobs VALUES (20, 1000000, test_blob_write('t_idx', 20, 1000000, 20))});
is(query(q{SELECT pg_relation_size('t_idx')}), $size, 'its pages are used again');
is(query($all_blobs), '11|t|t', 'and everything is still right');

# A fragmented blob whose map has several pages.
query(q{INSERT INTO blobs SELECT n, 8128, test_blob_write('t_idx', n, 8128, n) FROM generate_series(1000, 6999) n;
	SELECT sum(test_blob_free('t_idx', ref, NULL)) FROM blobs WHERE id >= 1000 AND id % 2 = 1;
	DELETE FROM blobs WHERE id >= 1000 AND id % 2 = 1;
	INSERT INTO blobs VALUES (21, 24000000, test_blob_write('t_idx', 21, 24000000, 21))});
cmp_ok(query(q{SELECT cardinality(test_blob_blocks('t_idx', ref)) FROM blobs WHERE id = 21}),
	'>', (24000000 + 8127) / 8128 + 1, 'a scattered blob has several map pages');
is(query($all_blobs), '3012|t|t', 'a scattered blob is right, and its neighbours are');

# ---- chains ----

query(q{SELECT append(101, '{1,10,8120,1,8119,8121,20000,5,3145728,7}');
	SELECT append(102, '{8120,8120,8120}');
	SELECT append(103, array_agg(1 + n % 700)) FROM generate_series(1, 1000) n});
is(query($all_chains), '3|t', 'chains are read as they were written');
is(query(q{SELECT count(*), count(DISTINCT test_chain_check('t_idx', chain, ARRAY[lens[i]], positions[i], i))
	FROM chains, generate_series(1, cardinality(lens)) i}), '1013|1', 'every record is found by its position');
is(query(q{SELECT cardinality(test_chain_blocks('t_idx', chain)) FROM chains WHERE id = 102}), 3, 'full pages');

# An append that was cut short: its bytes and pages are dead, the next one writes over them.
query(q{SELECT length(test_chain_append('t_idx', chain, 0, 3000000, 99)), length(test_chain_append('t_idx', chain, 0, 10, 98)) FROM chains;
	SELECT append(id, '{50,9000,1}') FROM chains});
is(query($all_chains), '3|t', 'what an interrupted append left is not read');
$size = query(q{SELECT pg_relation_size('t_idx')});
query(q{SELECT append(id, '{10,900000,70000,5,900000}') FROM chains});
is(query(q{SELECT pg_relation_size('t_idx')}), $size, 'the next appends write over it');
is(query($all_chains), '3|t', 'and are read');

# An older descriptor reads what was there.
query(q{CREATE TABLE old AS SELECT * FROM chains; SELECT append(id, '{100,30000}') FROM chains});
is(query(q{SELECT bool_and(test_chain_check('t_idx', chain, lens, NULL, 1) = cardinality(lens)) FROM old}), 't', 'a copy of a descriptor stays good');

query(q{SELECT append(104, '{500000}')});
is(query(q{SELECT test_chain_free('t_idx', chain, NULL) FROM chains WHERE id = 104}), 62, 'a chain is freed');
is(query(q{SELECT attempt(format('SELECT test_chain_check(''t_idx'', %L, ''{500000}'', NULL, 1)', chain)) FROM chains WHERE id = 104}),
	'XX002', 'a freed chain is not read');
query(q{DELETE FROM chains WHERE id = 104});

# ---- a temporary index: local buffers, no WAL ----

is(query(q{CREATE TEMP TABLE tt (a int); CREATE INDEX tt_idx ON tt USING elac_pages (a);
	CREATE TEMP TABLE r AS SELECT test_blob_write('tt_idx', 5, 300000, 5) AS ref, test_chain_append('tt_idx', '', 6, 50000, 1) AS chain;
	SELECT test_blob_check('tt_idx', ref, 5), test_blob_verify('tt_idx', ref), test_chain_check('tt_idx', chain, '{50000}', NULL, 1),
		test_blob_free('tt_idx', ref, NULL), test_blob_check('tt_idx', test_blob_write('tt_idx', 7, 200000, 7), 7) FROM r}),
	't|t|1|38|t', 'a temporary index');

# ---- crash ----

query(q{CHECKPOINT;
	INSERT INTO blobs SELECT n, 70000, test_blob_write('t_idx', n, 70000, n) FROM generate_series(30, 40) n;
	SELECT append(105, '{70000,3,4}');
	SELECT append(id, '{9}') FROM chains;
	CREATE TABLE freed AS SELECT ref FROM blobs WHERE id IN (39, 40);
	SELECT test_blob_free('t_idx', ref, 4) FROM blobs WHERE id = 40;
	SELECT test_blob_free('t_idx', ref, 9) FROM blobs WHERE id = 39;
	INSERT INTO blobs VALUES (22, 0, test_blob_write('t_idx', 22, 25000000, 22));
	INSERT INTO chains VALUES (106, test_chain_append('t_idx', '', 106, 100000, 1), '{}', '{}')});
$node->stop('immediate');
$node->start;
like(query(q{WITH gone AS (DELETE FROM blobs WHERE id IN (22, 39, 40) RETURNING *)
	SELECT string_agg(test_blob_free('t_idx', ref, NULL)::text, ',' ORDER BY id) FROM gone}),
	qr/^30\d\d,10,10$/, 'freeing goes on after a crash where it stopped');
is(query(q{SELECT sum(test_blob_free('t_idx', ref, NULL)) FROM unnest(ARRAY(SELECT ref FROM freed)) ref}), 0, 'and comes to its end');
query(q{WITH gone AS (DELETE FROM chains WHERE id = 106 RETURNING *) SELECT test_chain_free('t_idx', chain, 7) FROM gone});
is(query($all_blobs), '3021|t|t', 'blobs survive a crash');
is(query($all_chains), '4|t', 'chains survive a crash');
like(query(q{SELECT test_metapage('u_idx')}), qr/^3 columns/, 'an unlogged index is reset to a good metapage');
query(q{INSERT INTO blobs SELECT n, 70000, test_blob_write('t_idx', n, 70000, n) FROM generate_series(50, 60) n});
is(query($all_blobs), '3032|t|t', 'and writing goes on');

# ---- many writers ----

my $churn = "$built/churn.sql";
append_to_file($churn, <<'SQL');
SELECT 1 / test_churn('t_idx', 1000000 + :client_id * 1000000, 40)::int;
SQL
$node->command_ok([ 'pgbench', '-n', '-c', 6, '-j', 2, '-t', 1, '-f', $churn, $node->connstr('postgres') ],
	'concurrent writers never share a page');
is(query($all_blobs), '3032|t|t', 'nor touch anybody else\'s');

# ---- standby ----

my $backup = 'standby';
$node->backup($backup);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, $backup, has_streaming => 1);
$standby->start;
query(q{INSERT INTO blobs SELECT n, 70000, test_blob_write('t_idx', n, 70000, n) FROM generate_series(70, 71) n;
	SELECT append(id, '{9000,77}') FROM chains; SELECT append(107, '{200000}')});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $all_blobs), '3034|t|t', 'a standby reads blobs');
is($standby->safe_psql('postgres', $all_chains), '5|t', 'a standby reads chains');
like($standby->safe_psql('postgres', q{SELECT test_metapage('t_idx')}), qr/^3 columns/, 'a standby reads the metapage');

# The refs stay in the tables: on the standby their pages have been recycled.
query(q{SELECT test_blob_free('t_idx', ref, NULL) FROM blobs WHERE id IN (70, 71);
	SELECT test_chain_free('t_idx', chain, NULL) FROM chains WHERE id = 107;
	SELECT length(test_blob_write('t_idx', 80, 70000, 80))});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
for my $statement (
	q{SELECT test_blob_check('t_idx', ref, 70) FROM blobs WHERE id = 70},
	q{SELECT test_blob_check('t_idx', ref, 71) FROM blobs WHERE id = 71},
	q{SELECT test_chain_check('t_idx', chain, '{200000}', NULL, 1) FROM chains WHERE id = 107})
{
	my ($code, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$statement");
	like($err, qr/ERROR:  40001: could not finish reading index "t_idx" because it changed meanwhile/,
		'a recycled page is an error to retry on a standby');
}
$standby->stop;
query(q{DELETE FROM blobs WHERE id IN (70, 71); DELETE FROM chains WHERE id = 107});

# ---- damage: every byte of a page of each kind ----

# (The large blob uses up what is free, so that the small one is one extent.)
query(q{INSERT INTO blobs VALUES (92, 30000000, test_blob_write('t_idx', 92, 30000000, 92));
	INSERT INTO blobs VALUES (90, 20000, test_blob_write('t_idx', 90, 20000, 90)); SELECT append(109, '{100,20000,30}');
	CHECKPOINT;
-- Flips each byte of a page in turn and tells what two statements say of it:
-- read may notice or still be right, verify must notice wherever it counts.
CREATE FUNCTION sweep(index regclass, block bigint, read text, want text, verify text, verified text, used int, OUT wrong text, OUT missed text)
LANGUAGE plpgsql AS $$
DECLARE state text;
		clean text := attempt(read) || ' ' || attempt(verify);
BEGIN
	wrong := ''; missed := '';
	FOR byte IN 0 .. 8191 LOOP
		PERFORM test_flip(index, block, byte, 1 << (byte % 8));
		state := attempt(read);
		IF state IS DISTINCT FROM want AND state IS DISTINCT FROM 'XX002' AND (state IS NULL OR state <> 'f') THEN
			wrong := wrong || ' ' || byte || ':' || coalesce(state, 'null');
		END IF;
		state := attempt(verify);
		IF state IS DISTINCT FROM 'XX002' AND ((byte >= 24 AND byte < 24 + used) OR byte >= 8168) THEN
			missed := missed || ' ' || byte || ':' || coalesce(state, 'null');
		END IF;
		PERFORM test_flip(index, block, byte, 1 << (byte % 8));
	END LOOP;
	IF clean IS DISTINCT FROM want || ' ' || verified OR clean IS DISTINCT FROM attempt(read) || ' ' || attempt(verify) THEN
		wrong := wrong || ' clean: ' || coalesce(clean, 'null');
	END IF;
END $$});

my ($ref) = query(q{SELECT ref FROM blobs WHERE id = 90});
my @blocks = split /,/, query(q{SELECT array_to_string(test_blob_blocks('t_idx', ref), ',') FROM blobs WHERE id = 90});
my ($chain, $lens) = split /\|/, query(q{SELECT chain, lens FROM chains WHERE id = 109});
my @links = split /,/, query(q{SELECT array_to_string(test_chain_blocks('t_idx', chain), ',') FROM chains WHERE id = 109});
my $meta = query(q{SELECT test_metapage('t_idx')});

sub sweep
{
	my ($name, $block, $read, $want, $verify, $verified, $used) = @_;
	is(query("SELECT wrong, missed FROM sweep('t_idx', $block, \$s\$$read\$s\$, '$want', \$s\$$verify\$s\$, '$verified', $used)"),
		'|', "each flipped byte of a $name page is noticed");
}

my $read_blob = "SELECT test_blob_check('t_idx', '$ref', 90)::text";
my $verify_blob = "SELECT test_blob_verify('t_idx', '$ref')::text";
my $read_chain = "SELECT test_chain_check('t_idx', '$chain', '$lens', NULL, 1)::text";
my $verify_chain = "SELECT cardinality(test_chain_blocks('t_idx', '$chain'))::text";

# A payload byte of a blob page is for its section's validator when it is read.
sweep('blob', $blocks[1], "SELECT left(test_blob_check('t_idx', '$ref', 90)::text, 1)", 't', $verify_blob, 'true', 8128);
sweep('last blob', $blocks[2], "SELECT left(test_blob_check('t_idx', '$ref', 90)::text, 1)", 't', $verify_blob, 'true', 20000 - 2 * 8128);
sweep('map', $blocks[3], $read_blob, 'true', $verify_blob, 'true', 16);
sweep('chain', $links[1], $read_chain, '3', $verify_chain, '3', 8128);
sweep('last chain', $links[0], $read_chain, '3', $verify_chain, '3', 8 + 20130 - 2 * 8120);
sweep('meta', 0, q{SELECT test_metapage('t_idx')}, $meta, q{SELECT test_metapage('t_idx')}, $meta, 5040);

# ---- damage with a good checksum: what the bytes say is checked as well ----

sub put { my ($block, $byte, $hex) = @_; return "SELECT test_put_page('t_idx', $block, $byte, '\\x$hex')"; }
sub u32 { return unpack 'H*', pack 'V', $_[0]; }

sub crafted
{
	my ($name, $block, $byte, $bad, $good, $statement) = @_;
	query(put($block, $byte, $bad));
	is(query("SELECT attempt(\$s\$$statement\$s\$)"), 'XX002', $name);
	query(put($block, $byte, $good));
}

my $first = $blocks[0];
crafted('a map that points at itself', $blocks[3], 0, u32($blocks[3]), 'ffffffff', $read_blob);
crafted('a map that points at a blob page', $blocks[3], 0, u32($blocks[0]), 'ffffffff', $read_blob);
crafted('a map that points nowhere', $blocks[3], 0, 'feffffff', 'ffffffff', $read_blob);
crafted('a map without extents', $blocks[3], 4, u32(0), u32(1), $read_blob);
crafted('a map with too many extents', $blocks[3], 4, u32(4000000000), u32(1), $read_blob);
crafted('an extent at the metapage', $blocks[3], 8, u32(0), u32($first), $read_blob);
crafted('an extent beyond the file', $blocks[3], 8, u32(4000000), u32($first), $read_blob);
crafted('an extent beyond all files', $blocks[3], 8, 'fdffffff', u32($first), $read_blob);
crafted('an extent of another blob', $blocks[3], 8, u32($first + 1), u32($first), $read_blob);
crafted('an extent without pages', $blocks[3], 12, u32(0), u32(3), $read_blob);
crafted('an extent that is too short', $blocks[3], 12, u32(2), u32(3), $read_blob);
crafted('an extent that is too long', $blocks[3], 12, u32(4), u32(3), $read_blob);
crafted('an extent that overflows', $blocks[3], 12, 'ffffffff', u32(3), $read_blob);
crafted('a chain that points at itself', $links[1], 0, u32($links[1]), u32($links[0]), $read_chain);
crafted('a chain that points back', $links[1], 0, u32($links[2]), u32($links[0]), $read_chain);
crafted('a chain that points nowhere', $links[1], 0, 'ffffffff', u32($links[0]), $read_chain);
crafted('a chain that points beyond the file', $links[1], 0, 'f0ffff00', u32($links[0]), $read_chain);
is(query("SELECT attempt(\$s\$$read_blob\$s\$), attempt(\$s\$$read_chain\$s\$)"), 'true|3', 'mended, they are read again');

# Random numbers anywhere in pages whose checksum is good: an answer or an error, and an end.
query(q{CREATE FUNCTION scribble(block bigint, used int, rounds int, read text, OUT other text, OUT errors int)
LANGUAGE plpgsql AS $$
DECLARE clean bytea := test_get_page('t_idx', block, used);
		state text;
		word bigint;
BEGIN
	other := ''; errors := 0;
	FOR round IN 1 .. rounds LOOP
		FOR change IN 1 .. 1 + (random() * 2)::int LOOP
			word := CASE (random() * 3)::int
				WHEN 0 THEN floor(random() * 10) WHEN 1 THEN floor(random() * 20000)
				WHEN 2 THEN 4294967295 - floor(random() * 10) ELSE floor(random() * 4294967296) END;
			PERFORM test_put_page('t_idx', block, 4 * floor(random() * least(used, 32) / 4)::int,
				decode(lpad(to_hex(word % 256), 2, '0') || lpad(to_hex(word / 256 % 256), 2, '0') ||
					lpad(to_hex(word / 65536 % 256), 2, '0') || lpad(to_hex(word / 16777216), 2, '0'), 'hex'));
		END LOOP;
		state := attempt(read);
		IF state = 'XX002' THEN
			errors := errors + 1;
		ELSIF state IS NULL OR state NOT IN ('true', 'false', '0', '1', '2', '3') THEN
			other := other || ' ' || coalesce(state, 'null');
		END IF;
		PERFORM test_put_page('t_idx', block, 0, clean);
	END LOOP;
END $$});
for my $case ([ 'map', $blocks[3], 16, $read_blob, 500 ], [ 'chain', $links[1], 8128, $read_chain, 50 ],
	[ 'last chain', $links[0], 100, $read_chain, 0 ])
{
	my ($name, $block, $used, $read, $least) = @$case;
	my ($other, $errors) = split /\|/, query("SELECT other, errors FROM scribble($block, $used, 1000, \$s\$$read\$s\$)");
	is($other, '', "random numbers in a $name page");
	cmp_ok($errors, '>=', $least, 'and what can be noticed is');
}
is(query("SELECT attempt(\$s\$$read_blob\$s\$), attempt(\$s\$$read_chain\$s\$)"), 'true|3', 'restored, they are read again');

crafted('a metapage without columns', 0, 40, '0000', '0300', q{SELECT test_metapage('t_idx')});
query(put(0, 4, u32(2)));
is(query(q{SELECT attempt($s$SELECT test_metapage('t_idx')$s$)}), '0A000', 'a later format version says so');
query(put(0, 4, u32(1)));

# Damaged descriptors and positions, as a damaged lane or manifest would give.
for my $bad (
	[ 'npages', substr($chain, 0, 2 + 32) . 'ffffffff' . substr($chain, 42) ],
	[ 'no pages', substr($chain, 0, 2 + 32) . '00000000' . substr($chain, 42) ],
	[ 'tail_used', substr($chain, 0, 2 + 40) . 'ffffffff' ],
	[ 'small tail_used', substr($chain, 0, 2 + 40) . '07000000' ],
	[ 'head', substr($chain, 0, 2 + 16) . 'ffffff7f' . substr($chain, 26) ],
	[ 'tail', substr($chain, 0, 2 + 24) . 'ffffff7f' . substr($chain, 34) ],
	[ 'another chain', '\\x65' . substr($chain, 4) ])
{
	my ($name, $descriptor) = @$bad;
	is(query("SELECT attempt(\$s\$SELECT test_chain_check('t_idx', '$descriptor', '$lens', NULL, 1)\$s\$)"), 'XX002', "damaged descriptor: $name");
	is(query("SELECT attempt(\$s\$SELECT test_chain_blocks('t_idx', '$descriptor')\$s\$)"), 'XX002', "damaged descriptor, listed: $name");
}
for my $pos ('ffffffff08000000', '0000000008000000', 'ffffff7f08000000', u32($blocks[0]) . '08000000', u32($links[0]) . '00000000', u32($links[0]) . 'ffffffff')
{
	is(query("SELECT attempt(\$s\$SELECT test_chain_check('t_idx', '$chain', '{10}', '$chain$pos', 1)\$s\$)"), 'XX002', "damaged position $pos");
}

# A damaged tail page is not written over, and damaged free pages are passed by.
query("SELECT test_flip('t_idx', $links[0], 100, 4)");
is(query("SELECT attempt(\$s\$SELECT test_chain_append('t_idx', '$chain', 0, 10, 1)::text\$s\$)"), 'XX002', 'appending to a damaged page is refused');
query("SELECT test_flip('t_idx', $links[0], 100, 4)");
query(q{SELECT test_blob_free('t_idx', ref, NULL) FROM blobs WHERE id = 90;
	DELETE FROM blobs WHERE id = 90});
for my $byte (14, 16, 18, 8184, 8186, 8188)
{
	query("SELECT test_flip('t_idx', $_, $byte, 255) FROM generate_series(1, 1)") for @blocks;
	my $got = query(q{SELECT test_blob_write('t_idx', 91, 30000, 91)});
	is(query("SELECT test_blob_check('t_idx', '$got', 91), test_blob_blocks('t_idx', '$got') && '{" . join(',', @blocks) . "}'"),
		't|f', "a free page with byte $byte damaged is not used");
	query("SELECT test_flip('t_idx', $_, $byte, 255) FROM generate_series(1, 1)") for @blocks;
	query("SELECT test_blob_free('t_idx', '$got', NULL)");
}
is(query($all_blobs), '3033|t|t', 'all blobs are still right');
is(query($all_chains), '5|t', 'all chains are still right');

$node->stop;
done_testing();
