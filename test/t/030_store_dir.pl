# Stores of type 'dir': what becomes of files, and of what is wrong with them.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacStore;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = ElacStore::build_module();
my $node = PostgreSQL::Test::Cluster->new('main');
my $dir = PostgreSQL::Test::Utils::tempdir();
my $session;

$node->init;
$node->start;
ElacStore::install($node, $module);
$node->safe_psql('postgres', "CREATE SERVER cold FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$dir/cold')");

sub sql { return $node->safe_psql('postgres', $_[0]); }

# The SQLSTATE and message of the error that statements end with.
sub error
{
	my ($rc, undef, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $rc != 0 && $err =~ /(?:ERROR|FATAL):\s+(\w{5}: [^\n]*)/ ? $1 : 'no error';
}

like(error("SELECT store_size('cold', 'a')"), qr/^58P01: could not access directory "\Q$dir\E\/cold"/, 'the directory must exist');
append_to_file("$dir/cold", 'a file');
like(error("SELECT store_size('cold', 'a')"), qr/^42809: "\Q$dir\E\/cold" of server "cold" is not a directory/, 'and be one');
unlink "$dir/cold";
mkdir "$dir/cold";

is(sql("SELECT string_agg(\"check\", ',') FROM elacsym_store_check('cold') WHERE ok"),
	'reachable,write,read back,conditional write,list,delete,round trip', 'elacsym_store_check finds all in order');
ok(!glob("$dir/cold/*"), 'and leaves nothing behind');

# UUID
like(error("SELECT store_uuid('cold', false)"), qr/^58P01: server "cold" does not hold the object "elacsym-store"/, 'no UUID in an empty store');
my $uuid = sql("SELECT store_uuid('cold', true)");
like($uuid, qr/^[0-9a-f]{32}$/, 'a UUID is made');
is(sql("SELECT store_uuid('cold', false)"), $uuid, 'and stays');
is(slurp_file("$dir/cold/elacsym-store"), $uuid, 'it is the content of elacsym-store');
mkdir "$dir/other";
sql("CREATE SERVER other FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$dir/other')");
isnt(sql("SELECT store_uuid('other', true)"), $uuid, 'every store has its own');

# an open session follows the catalogue
is( sql(qq(
	SELECT store_put('cold', 'x', 10, 1, true);
	ALTER SERVER cold OPTIONS (SET path '$dir/other');
	SELECT store_size('cold', 'x');
	SELECT store_uuid('cold', false) <> '$uuid';
	ALTER SERVER cold OPTIONS (SET path '$dir/cold');
	SELECT store_size('cold', 'x');
	SELECT store_uuid('cold', false) = '$uuid';
)) =~ s/^\n//r, "-1\nt\n10\nt", 'a change of the server counts at once');

# objects
sql("SELECT store_put('cold', 'a/b/c.seg', 3000000, 7, true), store_put('cold', 'a/b/d', 0, 7, true), store_put('cold', 'a/bb', 5, 7, false)");
is(sql("SELECT store_size('cold', 'a/b/c.seg'), store_size('cold', 'a/b/d'), store_size('cold', 'a/b'), store_size('cold', 'a/b/d/e')"),
	'3000000|0|-1|-1', 'sizes');
is(sql("SELECT store_check('cold', '{a/b/c.seg,a/bb,a/b/c.seg,a/b/c.seg}', '{0,1,2999999,12345}', '{3000000,4,1,0}', 7)"), 't', 'ranges');
is(sql("SELECT store_list('cold', ''), store_list('cold', 'a/b'), store_list('cold', 'a/b/'), store_list('cold', 'nothing')"),
	'{a/b/c.seg,a/b/d,a/bb,elacsym-store,x}|{a/b/c.seg,a/b/d,a/bb}|{a/b/c.seg,a/b/d}|{}', 'listings');
like(error("SELECT store_put('cold', 'a/bb', 9, 8, true)"), qr/^58P02: object "a\/bb" of server "cold" already exists/, 'if absent');
is(sql("SELECT store_check('cold', '{a/bb}', '{0}', '{5}', 7)"), 't', 'is left as it was');
sql("SELECT store_put('cold', 'a/bb', 9, 8, false)");
is(sql("SELECT store_check('cold', '{a/bb}', '{0}', '{9}', 8)"), 't', 'otherwise it is replaced');
sql("SELECT store_remove('cold', 'a/b/c.seg'), store_remove('cold', 'a/b/d'), store_remove('cold', 'never/was')");
ok(!-e "$dir/cold/a/b" && -e "$dir/cold/a/bb", 'empty directories go with their last object');

# what is wrong
like(error("SELECT store_check('cold', '{a/none}', '{0}', '{1}', 1)"), qr/^58P01: object "a\/none" of server "cold" does not exist/, 'missing');
like(error("SELECT store_check('cold', '{a/bb}', '{5}', '{5}', 8)"), qr/^XX001: object "a\/bb" of server "cold" is shorter than expected/, 'too short');
foreach my $key ('', '/a', 'a/', 'a//b', '../a', 'a/../b', './a', 'a/.b', 'a b', 'a~b', "a\\b", 'x' x 513)
{
	like(error("SELECT store_put('cold', '$key', 1, 1, false)"), qr/^XX000: invalid object key/, "key \"" . substr($key, 0, 10) . "\" is refused");
}
symlink '/etc/passwd', "$dir/cold/link";
mkdir "$dir/cold/directory";
like(error("SELECT store_check('cold', '{link}', '{0}', '{1}', 1)"), qr/could not open file/, 'symbolic links are not followed');
like(error("SELECT store_check('cold', '{directory}', '{0}', '{1}', 1)"), qr/^XX001: .* is not a regular file/, 'a directory is no object');
system('mkfifo', "$dir/cold/pipe") == 0 or die;
like(error("SELECT store_check('cold', '{pipe}', '{0}', '{1}', 1)"), qr/^XX001: .* is not a regular file/, 'nor is a pipe');
is(sql("SELECT store_size('cold', 'link'), store_size('cold', 'directory')"), '-1|-1', 'neither has a size');
append_to_file("$dir/cold/left~0123", 'a crash');
append_to_file("$dir/cold/old~0123", 'an old crash');
append_to_file("$dir/cold/not ours", 'x');
utime 1, 1, "$dir/cold/old~0123";
is(sql("SELECT store_list('cold', '')"), '{a/bb,elacsym-store,x}', 'listings have objects only');
ok(-e "$dir/cold/left~0123" && !-e "$dir/cold/old~0123", 'what old crashes left is swept');
append_to_file("$dir/other/elacsym-store", 'x');
like(error("SELECT store_uuid('other', false)"), qr/^XX001: object "elacsym-store" of server "other" is damaged/, 'a damaged UUID');

SKIP:
{
	skip 'root may write anywhere', 3 if $> == 0;
	chmod 0555, "$dir/cold";
	like(error("SELECT store_put('cold', 'y', 1, 1, true)"), qr/^42501: could not create file .*Permission denied/, 'not writable');
	chmod 0000, "$dir/cold";
	like(error("SELECT store_list('cold', '')"), qr/^42501: could not open directory .*Permission denied/, 'not readable');
	chmod 0755, "$dir/cold";
	is(sql("SELECT store_size('cold', 'y')"), '-1', 'nothing was left');
}

# Many writers of one key: one of them wins, whole.
my @writers = map {
	my ($in, $out, $err) = ('', '', '');
	my $h = IPC::Run::start([ 'psql', '-XAt', '-d', $node->connstr('postgres'), '-c', "SELECT store_put('cold', 'race/one', 500000, $_, true)" ],
		'<', \$in, '>', \$out, '2>', \$err);
	[ $h, \$err ];
} 1 .. 6;
my $losers = 0;
foreach my $writer (@writers)
{
	$writer->[0]->finish;
	$losers++ if ${ $writer->[1] } =~ /already exists/;
}
is($losers, 5, 'one writer of six creates the object');
is(sql("SELECT count(*) FROM generate_series(1, 6) s WHERE store_check('cold', '{race/one}', '{0}', '{500000}', s)"), '1', 'and it is one writer\'s');

# Cancellation and privileges.
sql("CREATE ROLE plain; GRANT USAGE ON FOREIGN SERVER cold TO plain");
like(error("SET ROLE plain; SELECT store_size('cold', 'x')"), qr/^42501: permission denied for type "dir"/, 'the owner needs the privilege');
like( error("GRANT pg_write_server_files TO plain; SET ROLE plain; SELECT store_size('cold', 'x'); RESET ROLE;
	REVOKE pg_write_server_files FROM plain; SET ROLE plain; SELECT store_size('cold', 'x')"),
	qr/^42501: permission denied for type "dir"/, 'at every open');
like( error("GRANT pg_write_server_files TO plain; REVOKE USAGE ON FOREIGN SERVER cold FROM plain; SET ROLE plain; SELECT store_size('cold', 'x')"),
	qr/^42501: permission denied for foreign server/, 'and USAGE');

$node->stop;
done_testing();
