# Stores of type 's3' against a real server, and through a proxy that fails in
# every way.  Uses the server that ELAC_TEST_S3 names (endpoint,bucket,key,
# secret; http only, for the proxy's sake), else starts scripts/rgw.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../lib";

use ElacStore;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $top = "$FindBin::RealBin/../..";
my $dir = PostgreSQL::Test::Utils::tempdir();
my $rgw;
my $given = $ENV{ELAC_TEST_S3};

if (!$given)
{
	$given = `'$top/scripts/rgw' start '$dir/rgw' 2>'$dir/rgw.err'`;
	plan skip_all => 'no S3 server: set ELAC_TEST_S3 or install ceph-mon ceph-osd radosgw ceph-common' if $? >> 8 == 77;
	BAIL_OUT('scripts/rgw failed: ' . slurp_file("$dir/rgw.err")) if $? != 0;
	$rgw = "$dir/rgw";
}
my $me = $$;
END { my $code = $?; system("$top/scripts/rgw", 'stop', $rgw) if $rgw && $$ == $me; $? = $code; }
chomp $given;
my ($endpoint, $bucket, $key, $secret) = split /,/, $given;
my ($upstream) = $endpoint =~ m{^http://([^/]+)};
plan skip_all => 'ELAC_TEST_S3 names no plain http server' unless $upstream;

delete @ENV{ grep { /^AWS_/ } keys %ENV };
$ENV{http_proxy} = $ENV{HTTP_PROXY} = $ENV{ALL_PROXY} = 'http://127.0.0.1:9';	# must not be used
$ENV{AWS_ACCESS_KEY_ID} = $key;
$ENV{AWS_SECRET_ACCESS_KEY} = $secret;

my $module = ElacStore::build_module();
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "elacsym.store_timeout = 20000\nlog_min_messages = debug1\nlog_statement = none\n");
$node->start;
ElacStore::install($node, $module);

my $prefix = sprintf 'test-%d-%d', $$, time;
my $proxy = ElacStore->start_proxy($upstream, $dir);
my $all_checks = 'reachable,write,read back,conditional write,list,delete,round trip';

sub sql { return $node->safe_psql('postgres', $_[0]); }

# What statements print, and the error (SQLSTATE, message, detail) that ends them.
sub try_sql
{
	my ($rc, $out, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return ($out, $rc != 0 && $err =~ /(?:ERROR|FATAL):\s+(.*?)(?:\nLOCATION|\z)/s ? $1 : 'no error');
}
sub error { return (try_sql($_[0]))[1]; }
sub checks { return sql("SELECT string_agg(\"check\", ',') FROM elacsym_store_check('$_[0]') WHERE ok"); }

sub server
{
	my ($name, %options) = @_;
	my %all = (type => 's3', endpoint => $endpoint, bucket => $bucket, prefix => $prefix, %options);
	sql("CREATE SERVER $name FOREIGN DATA WRAPPER elacsym_store OPTIONS ("
		  . join(', ', map { "$_ '$all{$_}'" } sort keys %all) . ')');
	return;
}

sub mapping
{
	my ($name, $for, $id, $word) = @_;
	sql("CREATE USER MAPPING FOR $for SERVER $name OPTIONS (access_key_id '$id', secret_access_key '$word')");
	return;
}

server('direct');
mapping('direct', 'CURRENT_USER', $key, $secret);
server('proxied', endpoint => $proxy->endpoint);
mapping('proxied', 'CURRENT_USER', $key, $secret);

# ---- a server in good health ----

is(checks('direct'), $all_checks, 'elacsym_store_check finds all in order');
is(checks('proxied'), $all_checks, 'through the proxy too');
my $uuid = sql("SELECT store_uuid('direct', true)");
is(sql("SELECT store_uuid('proxied', false)"), $uuid, 'one place, one UUID');
sql("SELECT store_put('direct', 'a/b', 3000000, 1, true), store_put('direct', 'a/c', 0, 1, true)");
is(sql("SELECT store_size('direct', 'a/b'), store_size('direct', 'a/c'), store_size('direct', 'a')"), '3000000|0|-1', 'sizes');
is(sql("SELECT store_check('direct', '{a/b,a/b,a/b}', '{0,1,2999999}', '{3000000,70000,1}', 1)"), 't', 'ranges');
is(sql("SELECT store_check('direct', array_agg('a/b'::text), array_agg(i * 1000::bigint), array_agg(4096::bigint + i), 1)
	FROM generate_series(0, 1999) i"), 't', 'two thousand ranges in one wave');
like(error("SELECT store_put('direct', 'a/b', 5, 2, true)"), qr/^58P02: object "a\/b" of server "direct" already exists/, 'if absent');
sql("SELECT store_put('direct', 'a/c', 9, 2, false)");
is(sql("SELECT store_check('direct', '{a/c}', '{0}', '{9}', 2)"), 't', 'otherwise it is replaced');
is(sql("SELECT store_list('direct', ''), store_list('direct', 'a/c')"), '{a/b,a/c,elacsym-store}|{a/c}', 'listings');
sql("SELECT count(store_put('direct', 'many/' || i, 1, 1, true)) FROM generate_series(1, 1100) i");
is(sql("SELECT cardinality(store_list('direct', 'many/')), cardinality(store_list('direct', 'many/1'))"), '1100|212', 'a listing of two pages');
sql("SELECT count(store_remove('direct', 'many/' || i)) FROM generate_series(0, 1101) i");
is(sql("SELECT store_list('direct', 'many/')"), '{}', 'removed');

# ---- large objects, in parts ----

sql("SELECT store_put('direct', 'large', 70000000, 3, false)");
is(sql("SELECT store_size('direct', 'large'), store_check('direct', '{large,large}', '{0,69999999}', '{70000000,1}', 3)"), '70000000|t', 'in parts');
$proxy->plan_for('pass', 'pass', 'status 503 SlowDown', 'reset');
is(sql("SELECT store_put('proxied', 'large', 70000001, 4, false); SELECT store_retries()") =~ s/^\n//r, '2', 'parts are repeated');
$proxy->plan_for(('pass') x 6, 'lost');
# libcurl itself may repeat what a kept connection swallowed: 0 or 1 are ours
like(sql("SELECT store_put('proxied', 'large', 70000002, 5, false); SELECT store_retries()") =~ s/^\n//r, qr/^[01]$/, 'the answer to the join is lost');
like(join("\n", $proxy->done), qr/^lost \| POST \S+uploadId=/m, 'it was the join');
is(sql("SELECT store_check('direct', '{large}', '{0}', '{70000002}', 5)"), 't', 'the object is whole');
$proxy->plan_for('pass', 'pass', 'status 403 AccessDenied');
like(error("SELECT store_put('proxied', 'large2', 70000000, 6, false)"), qr/^42501: permission denied to write object "large2"/, 'a part is refused');
like(join("\n", $proxy->done), qr/^pass \| DELETE \S+uploadId=/m, 'the upload is aborted');
$proxy->plan_for(('pass') x 6, 'answer <Error><Code>InternalError</Code></Error>');
is(sql("SELECT store_put('proxied', 'large', 70000000, 7, false); SELECT store_retries()") =~ s/^\n//r, '1', 'a 200 that is an error is repeated');
$proxy->plan_for(('pass') x 6, 'answer <Error><Code>InvalidPart</Code></Error>');
like(error("SELECT store_put('proxied', 'large3', 70000000, 8, false)"), qr/^HV000: .*InvalidPart/s, 'or raised');
is(sql("SELECT store_list('direct', 'large')"), '{large}', 'failed uploads leave no object');

# ---- faults that pass ----

my @faults = ('status 500 InternalError', 'status 503 SlowDown', 'status 502', 'status 504', 'status 429', 'status 408',
	'status 400 RequestTimeout', 'reset', 'status 503 close');
foreach my $fault (@faults)
{
	$proxy->plan_for($fault, $fault, 'pass');
	is(sql("SELECT store_check('proxied', '{a/b}', '{17}', '{100000}', 1); SELECT store_retries()"), "t\n2", "read: $fault, twice");
	$proxy->plan_for($fault);
	is(sql("SELECT store_put('proxied', 'w', 200000, 1, false); SELECT store_retries()") =~ s/^\n//r, 1, "write: $fault");
	$proxy->plan_for($fault);
	# HEAD's answer has no body and so no code: there, a 400 is a reason to ask by GET
	is(sql("SELECT store_size('proxied', 'w'); SELECT store_retries()"), "200000\n" . ($fault =~ / 400 / ? 0 : 1), "size: $fault");
	$proxy->plan_for($fault);
	is(sql("SELECT store_list('proxied', 'a/'); SELECT store_retries()"), "{a/b,a/c}\n1", "list: $fault");
	$proxy->plan_for($fault);
	is(sql("SELECT store_remove('proxied', 'w'); SELECT store_retries()") =~ s/^\n//r, 1, "remove: $fault");
	is($proxy->left, 0, 'the faults took place');
}
$proxy->plan_for('cut 0', 'cut 50000', 'cut 99999');
is(sql("SELECT store_check('proxied', '{a/b}', '{17}', '{100000}', 1); SELECT store_retries()"), "t\n3", 'bodies cut short');
$proxy->plan_for('cut 100');
is(sql("SELECT store_list('proxied', 'a/'); SELECT store_retries()"), "{a/b,a/c}\n1", 'a listing cut short');
$proxy->plan_for(map { $_ % 3 ? 'pass' : 'reset' } 1 .. 60);
is(sql("SELECT store_check('proxied', array_agg('a/b'::text), array_agg(i * 1000::bigint), array_agg(4096::bigint + i), 1)
	FROM generate_series(1, 200) i"), 't', 'a wave with twenty resets');
$proxy->plan_for('status 409 OperationAborted');
is(sql("SELECT store_put('proxied', 'conflict', 5, 1, true); SELECT store_retries()") =~ s/^\n//r, 1, 'a conflict of writers is repeated');

# The write took place, its answer was lost: what is there decides.
$proxy->plan_for('lost');
is(sql("SELECT store_put('proxied', 'lost', 100000, 1, true); SELECT store_retries()") =~ s/^\n//r, 1, 'our own write is recognised');
$proxy->plan_for('reset');
like(error("SELECT store_put('proxied', 'lost', 100000, 2, true)"), qr/^58P02: object "lost"/, 'that of others too');
foreach my $size (0, 1, 100000)
{
	$proxy->plan_for('pass', 'lost');
	is(sql("SELECT store_size('proxied', 'a/b'); SELECT store_put('proxied', 'kept/$size', $size, 1, true)"), "3000000\n", "$size bytes over a kept connection");
	like(join("\n", $proxy->done), qr/^lost \| PUT .*\n(.*\n)*pass \| PUT /m, 'were sent again');
	$proxy->plan_for('pass', 'reset');
	like(error("SELECT store_size('proxied', 'a/b'); SELECT store_put('proxied', 'kept/$size', $size + 1, 2, true)"), qr/^58P02: object "kept\/$size"/, 'another object is another object');
}

# Clocks apart: S3 says so, and its Date is taken over.
foreach my $skew (600, -600)
{
	$proxy->plan_for("skew $skew");
	is(sql("SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)"), 't', "clocks $skew s apart");
	my @dates = map { /(\d{8})T(\d\d)(\d\d)(\d\d)Z$/ ? $2 * 3600 + $3 * 60 + $4 : () } $proxy->done;
	cmp_ok(abs(abs($dates[-1] - $dates[0]) - 600) % 85200, '<', 60, 'the second request is dated otherwise');
}
$proxy->plan_for('skew 600', 'skew 600');
like(error("SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)"), qr/^42501: .*RequestTimeTooSkewed/s, 'only once');

# ---- faults that stay ----

sub timed_error
{
	my ($sql) = @_;
	my $start = time;
	my $error = error($sql);
	return ($error, time - $start);
}

my ($error, $seconds);
# where the deadline falls into an attempt, that attempt timed out: then it is asked again
for (1 .. 3)
{
	$proxy->plan_for(('status 503 SlowDown') x 200);
	($error, $seconds) = timed_error("SET elacsym.store_timeout = 700; SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)");
	last if $error !~ /timed out/;
}
like($error, qr/^08006: could not read object "a\/b" of server "proxied"\nDETAIL:  The server answered 503 SlowDown: made up \(attempts: \d+\)/, 'a busy server');
cmp_ok($seconds, '<', 5, 'is given up after the deadline');
cmp_ok(scalar($proxy->done), '>', 2, 'and several attempts');
$proxy->plan_for(('stall') x 20);
($error, $seconds) = timed_error("SET elacsym.store_timeout = 900; SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)");
like($error, qr/^08006: could not read object "a\/b".*(?:timed out|no bytes moved)/s, 'a server that does not answer');
cmp_ok($seconds, '<', 5, 'is given up after the deadline');
cmp_ok(scalar($proxy->done), '>', 1, 'and several attempts');
$proxy->plan_for('stall');
is(sql("SET elacsym.store_timeout = 1500; SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)"), 't', 'one stall costs an attempt only');
$proxy->plan_for(('cut 5') x 200);
like((timed_error("SET elacsym.store_timeout = 500; SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)"))[0], qr/^08006: could not read object "a\/b"/, 'bodies cut short for ever');
$proxy->plan_for(('stall') x 3);
($error, $seconds) = timed_error("SET statement_timeout = 300; SELECT store_check('proxied', '{a/b}', '{0}', '{10}', 1)");
like($error, qr/^57014: canceling statement/, 'a wait for a store can be cancelled');
cmp_ok($seconds, '<', 2, 'at once');
$proxy->plan_for(('stall') x 20);
is( (try_sql("SET statement_timeout = 300;
	SELECT store_check('proxied', array_agg('a/b'::text), array_agg(i::bigint), array_agg(10::bigint), 1) FROM generate_series(1, 30) i;
	SET statement_timeout = 0; SELECT 'next', store_size('direct', 'a/b');"))[0] // '', '', 'psql stops at the error');
$proxy->plan_for(('stall') x 16);
is( sql(q(SET statement_timeout = 300;
	DO $$ BEGIN PERFORM store_check('proxied', array_agg('a/b'::text), array_agg(i::bigint), array_agg(10::bigint), 1) FROM generate_series(1, 30) i;
	EXCEPTION WHEN query_canceled THEN NULL; END $$;
	SET statement_timeout = 0;
	SELECT store_check('proxied', array_agg('a/b'::text), array_agg(i::bigint), array_agg(10::bigint), 1) FROM generate_series(1, 30) i)),
	't', 'a session that was cancelled in a wave goes on');

server('nobody', endpoint => 'http://127.0.0.1:9');
mapping('nobody', 'CURRENT_USER', $key, $secret);
($error, $seconds) = timed_error("SET elacsym.store_timeout = 600; SELECT store_size('nobody', 'a')");
like($error, qr/^08006: could not examine object "a" of server "nobody"\nDETAIL:  http:\/\/127.0.0.1:9: /, 'nobody listens');
cmp_ok($seconds, '<', 5, 'is given up after the deadline');
server('nowhere', endpoint => 'http://nowhere.invalid');
mapping('nowhere', 'CURRENT_USER', $key, $secret);
like(error("SET elacsym.store_timeout = 600; SELECT store_size('nowhere', 'a')"), qr/^08006: could not examine object "a" of server "nowhere"/, 'no such host');

# ---- answers that are wrong: no repetition ----

my @wrong = (
	[ 'edit /206 Partial Content/200 OK/', qr/^HV000: cannot read object "a\/b".*answered 200/s, 'the range is ignored' ],
	[ 'edit /bytes 5-/bytes 6-/', qr/^08P01: .*another range/s, 'another range' ],
	[ 'edit /bytes 5-14/bytes 5-13/', qr/^XX001: object "a\/b" of server "proxied" is shorter/, 'a shorter range' ],
	[ 'edit /Content-Range/X-Range/', qr/^08P01: .*does not say which range/s, 'no range' ],
	[ 'status 301 PermanentRedirect', qr/^HV000: .*301 PermanentRedirect/s, 'a redirection is not followed' ],
	[ 'status 400 AuthorizationHeaderMalformed', qr/^HV000: .*Check the options endpoint, region and bucket/s, 'another region' ],
	[ 'status 403 AccessDenied', qr/^42501: permission denied to read object "a\/b" of server "proxied"\nDETAIL:  The server answered 403 AccessDenied/, 'forbidden' ],
	[ 'status 404 NoSuchBucket', qr/^42704: bucket "\Q$bucket\E" of server "proxied" does not exist/, 'the bucket is gone' ],
	[ 'status 418', qr/^HV000: .*answered 418\./s, 'nonsense' ]);
foreach my $case (@wrong)
{
	my ($action, $message, $name) = @$case;
	$proxy->plan_for($action);
	like(error("SELECT store_check('proxied', '{a/b}', '{5}', '{10}', 1)"), $message, $name);
	is(scalar($proxy->done), 1, 'one attempt');
}
like(error("SELECT store_check('proxied', '{a/b}', '{2999999}', '{2}', 1)"), qr/^XX001: object "a\/b" of server "proxied" is shorter than expected/, 'past the end');
like(error("SELECT store_check('proxied', '{a/b}', '{3000000}', '{2}', 1)"), qr/^XX001: object "a\/b" of server "proxied" is shorter than expected/, 'after the end');
like(error("SELECT store_check('proxied', '{a/none}', '{0}', '{1}', 1)"), qr/^58P01: object "a\/none" of server "proxied" does not exist/, 'missing');
$proxy->plan_for('answer <html>portal</html>');
like(error("SELECT store_list('proxied', '')"), qr/^HV000: cannot list objects|^08P01: cannot list objects/, 'a listing that is none');
$proxy->plan_for('answer <ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>');
like(error("SELECT store_list('proxied', '')"), qr/^08P01: cannot list objects .*not how to go on/s, 'a listing without end');

# Servers that cannot write conditionally.
$proxy->plan_for('status 501 NotImplemented');
like(error("SELECT store_put('proxied', 'cond', 1, 1, true)"), qr/^0A000: server "proxied" cannot write objects only if absent/, 'refused');
$proxy->plan_for(('pass') x 6, 'answer ');
is(sql("SELECT \"check\" FROM elacsym_store_check('proxied') WHERE NOT ok"), 'conditional write', 'elacsym_store_check notices one that ignores it');
like(join("\n", $proxy->done), qr/^answer  \| PUT /m, 'it was the conditional write');

# ---- credentials ----

server('wrong_key');
mapping('wrong_key', 'CURRENT_USER', 'NOSUCHKEY', $secret);
like(error("SELECT store_size('wrong_key', 'a')"), qr/^42501: permission denied to examine object "a" of server "wrong_key"\nDETAIL:  The server answered 403 InvalidAccessKeyId/, 'wrong key');
server('wrong_secret');
mapping('wrong_secret', 'CURRENT_USER', $key, 'not-the-right-word');
like(error("SELECT store_size('wrong_secret', 'a')"), qr/^42501: .*SignatureDoesNotMatch/s, 'wrong secret');
is(sql(qq(
	DO \$\$ BEGIN PERFORM store_size('wrong_secret', 'a'); RAISE 'no error'; EXCEPTION WHEN insufficient_privilege THEN NULL; END \$\$;
	ALTER USER MAPPING FOR CURRENT_USER SERVER wrong_secret OPTIONS (SET secret_access_key '$secret');
	SELECT store_size('wrong_secret', 'a/b');
)), '3000000', 'a new secret counts at once');
server('wrong_bucket', bucket => 'elacsym-no-such-bucket');
mapping('wrong_bucket', 'CURRENT_USER', $key, $secret);
like(error("SELECT store_uuid('wrong_bucket', true)"), qr/^42704: bucket "elacsym-no-such-bucket" of server "wrong_bucket" does not exist/, 'no such bucket');
is(sql("SELECT count(*), bool_or(ok), max(detail) ~ 'does not exist' FROM elacsym_store_check('wrong_bucket') WHERE \"check\" = 'reachable'"), '1|f|t', 'elacsym_store_check says so');

server('ambient');
is(checks('ambient'), $all_checks, 'a superuser may use the environment');
sql("CREATE ROLE plain; GRANT USAGE ON FOREIGN SERVER ambient TO plain");
like(error("SET ROLE plain; SELECT store_size('ambient', 'a')"), qr/^42704: there are no credentials for server "ambient"/, 'others may not');
is(sql("GRANT pg_write_server_files TO plain; SET ROLE plain; SELECT store_size('ambient', 'a/b')"), '3000000', 'but members of pg_write_server_files');
like( error("SET ROLE plain; SELECT store_size('ambient', 'a/b'); RESET ROLE; REVOKE pg_write_server_files FROM plain; SET ROLE plain; SELECT store_size('ambient', 'a')"),
	qr/^42704: there are no credentials/, 'as long as they are');
mapping('ambient', 'PUBLIC', $key, $secret);
is(sql("SET ROLE plain; SELECT store_size('ambient', 'a/b')"), '3000000', 'a mapping for PUBLIC serves all');
mapping('ambient', 'plain', 'NOSUCHKEY', $secret);
like(error("SET ROLE plain; SELECT store_size('ambient', 'a/b')"), qr/^42501: /, 'one\'s own comes first');
sql("REVOKE USAGE ON FOREIGN SERVER ambient FROM plain");
like(error("SET ROLE plain; SELECT * FROM elacsym_store_check('ambient')"), qr/^42501: permission denied for foreign server ambient/, 'USAGE is needed');
is(sql("SET ROLE plain; SELECT bool_or(umoptions IS NOT NULL) IS TRUE FROM pg_user_mappings WHERE srvname = 'direct'"), 'f', 'others do not see options');

# A server that repeats what it was told: the secret does not get through.
$proxy->plan_for("answer <Error><Code>Bad$secret</Code><Message>you said $secret and $secret</Message></Error>");
like(error("SELECT store_list('proxied', '')"), qr/^HV000: .*answered 200 Bad\*+: you said \*+ and \*+/s, 'secrets are removed from what servers say');

# ---- nothing left behind, nothing said ----

sql("SELECT count(store_remove('direct', k)) FROM unnest(store_list('direct', '')) k");
is(sql("SELECT store_list('direct', '')"), '{}', 'all objects removed');
$proxy->stop;
$node->stop;
my $log = slurp_file($node->logfile);
cmp_ok(index($log, $secret), '<', 0, 'the log does not hold the secret');
cmp_ok(index($log, 'not-the-right-word'), '<', 0, 'nor the wrong one');
cmp_ok(index($log, 'SignatureDoesNotMatch'), '>', 0, 'but what went wrong');
is(join("\n", grep { /leak|PANIC|TRAP|terminated by signal/ } split /\n/, $log), '', 'no leaks and no crashes');
done_testing();
