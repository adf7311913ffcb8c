# The same random statements on elacsym's own types and on pgvector's: the same
# rows and the same SQLSTATEs.  Distances and norms may differ in their last bits.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('parity');
$node->init;
$node->start;

plan skip_all => 'extension vector is not installed on this machine'
  unless -e $node->config_data('--sharedir') . '/extension/vector.control';

my $statements = $ENV{ELACSYM_PARITY_STATEMENTS} || 3000;
my $state = $ENV{ELACSYM_PARITY_SEED} || 1;

# A generator of our own: the same statements on every machine and Perl.
sub draw
{
	my ($below) = @_;
	$state = ($state * 1103515245 + 12345) % 2147483648;
	return int($state / 65536) % $below;
}

sub pick { return $_[ draw(scalar @_) ]; }

# Sums are made in different orders, so what is summed must not overflow on
# the way (infinity in one order, NaN in another).
my $tame;

sub number
{
	my $kind = $tame ? draw(14) : draw(20);
	return draw(19) - 9 if $kind < 7;
	return sprintf('%.*f', draw(8), draw(30000) / 150 - 100) if $kind < 14;
	return sprintf('%.6ge%d', draw(18000) / 1000 - 9, draw(16) - 10) if $kind < 17;
	return pick(qw(0 -0 1e-5 6e-8 2.98e-8 1e-7 65504 -65504 65519 65520 3e38 -3.4e38 1e-45 1e-46 0x1p3 .5 5. +7));
}

sub literal
{
	my ($type, $n) = @_;
	my $text = '[' . join(',', map { number() } 1 .. $n) . ']';
	substr($text, draw(length $text), draw(2)) = pick(' ', '[', ']', ',', 'x', 'nan', 'inf', "\t", '-', 'e', '', '1')
	  if draw(20) == 0;
	return "'$text'::$type";
}

my @distance = ('<->', '<#>', '<=>', '<+>');

sub statement
{
	my $kind = draw(20);
	$tame = $kind >= 7 && $kind < 13;
	my $type = pick(qw(vector halfvec));
	my $n = pick(1, 1, 2, 3, 3, 5, 8, 9, 17, 33, 70);
	my $a = literal($type, $n);
	my $b = literal($type, draw(10) ? $n : draw(9) + 1);
	return "SELECT $a" if $kind < 2;
	return "SELECT $a " . pick(qw(+ - * ||)) . " $b" if $kind < 5;
	return "SELECT $a " . pick(qw(< <= = <> >= >)) . " $b" if $kind < 7;
	return "SELECT $a " . pick(@distance) . " $b" if $kind < 10;
	return "SELECT $type" . pick(qw(_l2_squared_distance _negative_inner_product _spherical_distance _cmp)) . "($a, $b)" if $kind < 11;
	return 'SELECT ' . pick('l2_normalize', 'binary_quantize', 'vector_dims', $type eq 'vector' ? 'vector_norm' : 'l2_norm') . "($a)" if $kind < 13;
	return "SELECT subvector($a, " . pick(-3, 0, 1, 2, 5, $n, $n + 1, 2147483647) . ', ' . pick(-1, 0, 1, 2, 5, $n) . ')' if $kind < 14;
	return 'SELECT ' . pick(qw(avg sum)) . "(v) FROM (VALUES ($a), ($b), (NULL)) t(v)" if $kind < 16;
	return "SELECT $a\::" . pick('vector', 'halfvec', 'real[]', 'vector(3)', 'halfvec(3)', 'text') if $kind < 17;
	return "SELECT ${type}_send($a)" if $kind < 18;
	my $array = join(',', map { draw(30) ? number() : pick(qw(null nan inf -inf)) } 1 .. 3);
	return "SELECT '{$array}'::" . pick('real[]', 'float8[]', 'numeric[]', 'int[]') . "::$type";
}

my @sql = map { statement() } 1 .. $statements;
my $script = join('', map { "\\echo \@\@$_\n$sql[$_];\n" } 0 .. $#sql);

# What each statement printed, rows and SQLSTATE.
sub answers
{
	my ($db, $extension) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "CREATE EXTENSION $extension");
	my $output = '';
	IPC::Run::run [ $node->installed_command('psql'), '-XqAt', '-v', 'VERBOSITY=sqlstate',
		'-d', $node->connstr($db) ], '<', \$script, '>', \$output, '2>&1';
	$output =~ s/psql:<stdin>:\d+: //g;
	my (undef, %answers) = split /^\@\@(\d+)\n/m, $output;
	return \%answers;
}

my $ours = answers('ours', 'elacsym');
my $theirs = answers('theirs', 'vector');
is(scalar keys %$ours, $statements, 'an answer to every statement');

# How far two sums of the same terms may lie apart: a fraction of the terms'
# magnitudes, which a sum with both signs does not show.
sub tolerance
{
	my ($sql, $value) = @_;
	my @literals = $sql =~ /\[([^\]]*)\]/g;
	my $scale = abs($value);
	if ($sql =~ /<#>|inner_product|spherical/)
	{
		my @x = split /,/, $literals[0];
		my @y = split /,/, $literals[1];
		$scale += abs($x[$_] * $y[$_]) foreach 0 .. $#x;
	}
	return 1e-5 * ($scale > 1 ? $scale : 1);
}

my ($different, $errors) = (0, 0);
foreach my $i (0 .. $#sql)
{
	my ($a, $b) = ($ours->{$i}, $theirs->{$i});
	$errors++ if $b =~ /^ERROR/;
	next if $a eq $b;
	my $summed = $sql[$i] =~ /<->|<#>|<=>|<\+>|distance|inner_product|norm\(/;
	my $number = qr/^-?\d+(\.\d+)?(e[-+]\d+)?\n\z/;
	next if $summed && $a =~ $number && $b =~ $number
	  && abs($a - $b) <= tolerance($sql[$i], $b);
	$different++;
	diag("$sql[$i]\n  elacsym: $a  vector: $b") if $different <= 10;
}
is($different, 0, 'the same rows and SQLSTATEs');
cmp_ok($errors, '>', $statements / 20, 'errors are among them');
cmp_ok($errors, '<', $statements / 2, 'but not too many');

$node->stop;
done_testing();
