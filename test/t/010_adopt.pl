# Whose vector types elacsym uses: extension vector's when that is installed
# first, its own otherwise; and what that means for DROP, dump and restore.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('adopt');
$node->init;
$node->start;

my $control = $node->config_data('--sharedir') . '/extension/vector.control';
plan skip_all => 'extension vector is not installed on this machine'
  unless -e $control;

# Runs SQL in a database; the SQLSTATE of the first error, or what it printed.
sub run_sql
{
	my ($db, $sql) = @_;
	my ($rc, $out, $err) = $node->psql($db, $sql,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $out if $rc == 0;
	return $err =~ /(?:ERROR|FATAL):\s+(\w{5}):/ ? "error $1" : $err;
}

sub new_database
{
	my ($db, @statements) = @_;
	$node->safe_psql('postgres', qq(CREATE DATABASE "$db"));
	is(run_sql($db, $_), '', "$db: $_") foreach @statements;
	return;
}

my $dependency = q(
	SELECT d.deptype FROM pg_depend d
	JOIN pg_extension a ON a.oid = d.objid AND a.extname = 'elacsym'
	JOIN pg_extension b ON b.oid = d.refobjid AND b.extname = 'vector'
	WHERE d.classid = 'pg_extension'::regclass AND d.refclassid = 'pg_extension'::regclass);
my $type_owners = q(
	SELECT n.nspname, t.typname, e.extname
	FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
	JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid
	WHERE t.typname IN ('vector', 'halfvec') ORDER BY 1, 2);

# Without extension vector: own types, nothing recorded.
new_database('own', 'CREATE SCHEMA s', 'CREATE EXTENSION elacsym SCHEMA s');
is(run_sql('own', $dependency), '', 'no dependency on an extension that is not there');
is(run_sql('own', $type_owners), "s|halfvec|elacsym\ns|vector|elacsym", 'own types');
is(run_sql('own', q(SET search_path = s; SELECT '[1,2]'::vector(2) <-> '[4,6]')), '5', 'own operator');
is(run_sql('own', 'SELECT s.elacsym_adopt_vector()'), 'error 55000', 'adoption is for scripts alone');
is(run_sql('own', 'CREATE ROLE r1; SET ROLE r1; SELECT s.elacsym_adopt_vector()'), 'error 42501',
	'and for those who may run them');
is(run_sql('own', 'CREATE SCHEMA v; CREATE EXTENSION vector SCHEMA v'), '', 'extension vector beside it, later');
is(run_sql('own', 'DROP EXTENSION vector'), '', 'which can be dropped');
is(run_sql('own', 'CREATE EXTENSION vector SCHEMA s'), 'error 42710', 'no room for it in the same schema');

# Two schemas, one with a name that must be quoted.
new_database('two', 'CREATE SCHEMA "Odd Name"', 'CREATE SCHEMA s',
	'CREATE EXTENSION vector SCHEMA "Odd Name"', 'CREATE EXTENSION elacsym SCHEMA s');
is(run_sql('two', $dependency), 'n', 'a normal dependency between the extensions');
is(run_sql('two', $type_owners), "Odd Name|halfvec|vector\nOdd Name|vector|vector", "pgvector's types alone");
is(run_sql('two', q(SELECT count(*) FROM pg_operator o JOIN pg_depend d ON d.objid = o.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'elacsym'
	WHERE o.oprname IN ('<->', '<#>', '<=>', '<+>', '||'))), '0', 'no vector operators of our own');
is(run_sql('two', 'SHOW search_path'), '"$user", public', "the script's search_path ends with it");
is(run_sql('two', 'DROP EXTENSION vector'), 'error 2BP01', 'DROP EXTENSION vector names what depends on it');
is(run_sql('two', 'ALTER EXTENSION vector SET SCHEMA public'), '', 'extension vector moves to another schema');
is(run_sql('two', 'SELECT count(*) FROM pg_extension'), '3', 'all are still there');

# One schema for both, and tables in it: dump and restore keep the order.
new_database('one', 'CREATE EXTENSION vector', 'CREATE EXTENSION elacsym',
	q(CREATE TABLE t AS SELECT '[1,2]'::vector(2) AS v, '[3,4]'::halfvec(2) AS h));
my $dump = $node->basedir . '/adopt.sql';
$node->run_log([ 'pg_dump', '-f', $dump, $node->connstr('one') ]);
my $text = slurp_file($dump);
ok($text =~ /CREATE EXTENSION IF NOT EXISTS vector\b.*CREATE EXTENSION IF NOT EXISTS elacsym\b/s,
	'pg_dump writes vector before elacsym');
new_database('restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ],
	'the dump can be restored');
is(run_sql('restored', $dependency), 'n', 'with the dependency');
is(run_sql('restored', 'SELECT v, h FROM t'), '[1,2]|[3,4]', 'and the rows');
is(run_sql('restored', 'DROP EXTENSION vector CASCADE; SELECT count(*) FROM pg_extension'), '1',
	'CASCADE takes both');
is(run_sql('one', 'DROP EXTENSION elacsym'), '', 'elacsym goes');
is(run_sql('one', 'SELECT v, h FROM t'), '[1,2]|[3,4]', 'and leaves the types');
is(run_sql('one', 'CREATE EXTENSION elacsym; DROP EXTENSION elacsym, vector CASCADE'), '', 'both at once');

# A version without what is needed.
new_database('early', 'CREATE EXTENSION vector');
foreach my $version ('0.6.2', '0.5', 'nonsense')
{
	is(run_sql('early', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'vector'"), '', "now $version");
	is(run_sql('early', 'CREATE EXTENSION elacsym'), 'error 0A000', "version $version is refused");
}
foreach my $version ('0.7.0', '0.10', '1.0.0')
{
	is(run_sql('early', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'vector'"), '', "now $version");
	is(run_sql('early', 'CREATE EXTENSION elacsym; DROP EXTENSION elacsym'), '', "version $version is accepted");
}
is(run_sql('early', 'ALTER EXTENSION vector DROP OPERATOR <=> (halfvec, halfvec)'), '', 'an operator is no member');
is(run_sql('early', 'CREATE EXTENSION elacsym'), 'error 0A000', 'an operator of somebody else is not taken for it');

# Names that somebody has put where the script would find them first.
new_database('shadow', 'CREATE SCHEMA v', 'CREATE SCHEMA s', 'CREATE EXTENSION vector SCHEMA v',
	'CREATE TYPE s.vector AS (a int)');
is(run_sql('shadow', 'CREATE EXTENSION elacsym SCHEMA s'), 'error 42710', 'a type of the same name');
is(run_sql('shadow', 'DROP TYPE s.vector; CREATE OPERATOR s.<-> (LEFTARG = v.vector, RIGHTARG = v.vector, FUNCTION = v.l1_distance)'),
	'', 'an operator instead');
is(run_sql('shadow', 'CREATE EXTENSION elacsym SCHEMA s'), 'error 42710', 'an operator of the same name');
is(run_sql('shadow', 'DROP OPERATOR s.<-> (v.vector, v.vector); CREATE EXTENSION elacsym SCHEMA s'), '', 'gone: no error');
new_database('shadow_own', 'CREATE SCHEMA s', 'CREATE TYPE s.halfvec AS (a int)');
is(run_sql('shadow_own', 'CREATE EXTENSION elacsym SCHEMA s'), 'error 42710', "own types do not take somebody's place");

$node->stop;
done_testing();
