# A session that stays: statements go in, their output comes back, and what the
# server keeps for the session is there at the next one.
package ElacSession;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(session ask);

# psql on a node; errors come among the rows, with their SQLSTATE.
sub session
{
	my ($node) = @_;
	my %s = (in => '', out => '', n => 0);
	$s{run} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ],
		'<', \$s{in}, '>', \$s{out}, '2>&1', IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
	return \%s;
}

# Statements, separated by semicolons; returns all they put out.
sub ask
{
	my ($s, $sql) = @_;
	my $mark = 'answer ' . ++$s->{n};
	$s->{out} = '';
	$s->{in} .= "$sql\n;\\echo $mark\n";
	$s->{run}->pump until $s->{out} =~ /^\Q$mark\E$/m;
	$s->{out} =~ s/^\Q$mark\E\n//m;
	chomp $s->{out};
	return $s->{out};
}

1;
