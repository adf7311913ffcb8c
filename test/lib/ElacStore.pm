# What the tests of stores share: a module that lets SQL call object stores,
# and a proxy that does to S3 requests what networks and servers do.
package ElacStore;

use strict;
use warnings;

use Cwd qw(abs_path);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils ();
use Test::More;

my %running;	# process id of a proxy => its starter's
my $top = abs_path(dirname(__FILE__) . '/../..');

# Builds test/modules/elac_store_test; the path of the library.
sub build_module
{
	my $built = abs_path(PostgreSQL::Test::Utils::tempdir());
	my $pg_config = $ENV{PG_CONFIG} || 'pg_config';
	my $log = `make -s -C '$top/test/modules/elac_store_test' OUT='$built' PG_CONFIG='$pg_config' 2>&1`;

	if ($? != 0)
	{
		plan skip_all => 'no compiler here'
		  unless `sh -c 'command -v make && command -v cc || command -v gcc'`;
		BAIL_OUT("could not build the test module of stores:\n$log");
	}
	chmod 0755, $built;
	return "$built/elac_store_test";
}

# The functions of the test module, and the part of the extension's script
# that is about stores, bound to the test module's library.
sub install
{
	my ($node, $module) = @_;
	my $script = PostgreSQL::Test::Utils::slurp_file("$top/elacsym--1.0.sql");
	my ($stores) = $script =~ /^-- ===== 2\.[^\n]*\n(.*?)^-- ===== 3\./ms
	  or BAIL_OUT('no section about stores in the script of the extension');

	$stores =~ s/MODULE_PATHNAME/$module/g;
	$node->safe_psql('postgres', $stores . join('', map { "CREATE FUNCTION $_ LANGUAGE c STRICT AS '$module';\n" }
		'store_uuid(server text, make boolean) RETURNS text',
		'store_put(server text, key text, bytes bigint, seed int, if_absent boolean) RETURNS void',
		'store_check(server text, keys text[], offsets bigint[], lens bigint[], seed int) RETURNS boolean',
		'store_size(server text, key text) RETURNS bigint',
		'store_remove(server text, key text) RETURNS void',
		'store_list(server text, prefix text) RETURNS text[]',
		'store_retries() RETURNS bigint'));
	return;
}

# ---- the proxy ----
#
# Each request takes one line from the file "plan" (none left: "pass"), and
# adds one to the file "log": what was done, method, path, x-amz-date.
#
#   pass            forwards request and answer
#   status N CODE   answers N with an S3 error of that code (if given) itself;
#                   "close" at the end closes the connection then
#   reset           closes the connection before the answer
#   lost            forwards the request, throws the answer away, closes
#   stall           never answers
#   cut N           forwards N bytes of the answer's body, then closes
#   slow MS         waits before it forwards
#   edit /A/B/      replaces A by B in the head of the answer
#   skew S          answers RequestTimeTooSkewed with a Date S seconds ahead
#   answer TEXT     answers 200 with that body
sub start_proxy
{
	my ($class, $upstream, $dir) = @_;
	my $listen = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', Proto => 'tcp', ReuseAddr => 1)
	  or BAIL_OUT("could not listen: $!");
	my $self = bless { dir => $dir, port => $listen->sockport }, $class;

	PostgreSQL::Test::Utils::append_to_file("$dir/$_", '') foreach qw(plan log);
	$self->{pid} = fork() // BAIL_OUT("could not fork: $!");
	if ($self->{pid} == 0)
	{
		$SIG{CHLD} = 'IGNORE';
		$SIG{$_} = 'DEFAULT' foreach qw(TERM INT HUP);
		while (1)
		{
			my $client = $listen->accept or next;
			my $child = fork();

			if (defined $child && $child == 0)
			{
				close $listen;
				eval { serve($self, $client, $upstream) };
				close $client;
				require POSIX;
				POSIX::_exit(0);
			}
			close $client;
		}
	}
	close $listen;
	$running{ $self->{pid} } = $$;
	return $self;
}

sub stop
{
	my ($self) = @_;
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $running{ $self->{pid} };
	return;
}

# A test that dies leaves no proxy: it would keep the harness waiting.
END
{
	my $code = $?;
	kill 'TERM', $_ foreach grep { $running{$_} == $$ } keys %running;
	$? = $code;
}

sub endpoint { return "http://127.0.0.1:$_[0]->{port}"; }

# Replaces the plan and forgets the log.
sub plan_for
{
	my ($self, @lines) = @_;
	foreach my $file ([ plan => join('', map { "$_\n" } @lines) ], [ log => '' ])
	{
		open my $fh, '+<', "$self->{dir}/$file->[0]" or die $!;
		flock $fh, LOCK_EX;
		truncate $fh, 0;
		print $fh $file->[1];
		close $fh;
	}
	return;
}

# What was done since, as a list of lines.
sub done { return split /\n/, PostgreSQL::Test::Utils::slurp_file("$_[0]->{dir}/log"); }

# Plan lines that no request took.
sub left { return split /\n/, PostgreSQL::Test::Utils::slurp_file("$_[0]->{dir}/plan"); }

sub next_action
{
	my ($self) = @_;
	open my $fh, '+<', "$self->{dir}/plan" or die $!;
	flock $fh, LOCK_EX;
	my @lines = <$fh>;
	my $line = shift(@lines) // 'pass';
	seek $fh, 0, 0;
	truncate $fh, 0;
	print $fh @lines;
	close $fh;
	chomp $line;
	return $line;
}

sub note_action
{
	my ($self, $text) = @_;
	open my $fh, '>>', "$self->{dir}/log" or die $!;
	flock $fh, LOCK_EX;
	print $fh "$text\n";
	close $fh;
	return;
}

# Head of a message (with the empty line) and what was read beyond it.
sub read_head
{
	my ($socket, $buffer) = @_;
	while ($buffer !~ /\r\n\r\n/)
	{
		sysread($socket, $buffer, 65536, length $buffer) or return;
	}
	my $end = index($buffer, "\r\n\r\n") + 4;
	return (substr($buffer, 0, $end), substr($buffer, $end));
}

sub send_all
{
	my ($socket, $bytes) = @_;
	for (my $sent = 0; $sent < length $bytes;)
	{
		$sent += syswrite($socket, $bytes, length($bytes) - $sent, $sent) // return 0;
	}
	return 1;
}

# Copies $len bytes, of which $rest has the first.
sub copy_body
{
	my ($from, $to, $rest, $len) = @_;
	while (1)
	{
		$rest = substr $rest, 0, $len if length $rest > $len;
		return if defined $to && !send_all($to, $rest);
		$len -= length $rest;
		return 1 if $len == 0;
		sysread($from, $rest, 65536) or return;
	}
}

sub serve
{
	my ($self, $client, $upstream) = @_;
	my ($up, $buffer) = (undef, '');

	$SIG{PIPE} = 'IGNORE';
	while (my ($head, $rest) = read_head($client, $buffer))
	{
		my $action = next_action($self);
		my ($request, $path) = $head =~ /^(\S+) (\S+)/;
		my ($length) = $head =~ /^content-length:\s*(\d+)/mi;
		my ($date) = $head =~ /^x-amz-date:\s*(\S+)/mi;

		note_action($self, "$action | $request $path " . ($date // ''));
		send_all($client, "HTTP/1.1 100 Continue\r\n\r\n") if $head =~ /^expect:/mi;
		$head =~ s/^expect:[^\n]*\n//mi;
		return if $action eq 'reset';
		if ($action eq 'stall')
		{
			# until the client gives up
			IO::Select->new($client)->can_read(60) while sysread($client, my $ignored, 65536);
			return;
		}
		if ($action =~ /^(?:status|skew|answer) /)
		{
			copy_body($client, undef, $rest, $length // 0) or return;
			own_answer($client, $action, $request);
			return if $action =~ / close$/;
			$buffer = '';
			next;
		}
		select undef, undef, undef, $1 / 1000 if $action =~ /^slow (\d+)/;

		$up = IO::Socket::INET->new(PeerAddr => $upstream, Proto => 'tcp') or return;
		$head =~ s/\r\n\r\n$/\r\nConnection: close\r\n\r\n/;
		send_all($up, $head) or return;
		copy_body($client, $up, $rest, $length // 0) or return;
		forward_answer($up, $client, $action, $request) or return;
		$buffer = '';
	}
	return;
}

sub own_answer
{
	my ($client, $action, $method) = @_;
	my ($status, $code, $text, $ahead) = (200, '', '', 0);

	($status, $code) = ($1, $2 // '') if $action =~ /^status (\d+)(?: ([A-Z]\w+))?/;
	($status, $code, $ahead) = (403, 'RequestTimeTooSkewed', $1) if $action =~ /^skew (-?\d+)/;
	$text = $1 if $action =~ /^answer (.*)/;
	$text = "<?xml version=\"1.0\"?><Error><Code>$code</Code><Message>made up</Message></Error>" if $code ne '';
	require POSIX;
	my $date = POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + $ahead));
	send_all($client, "HTTP/1.1 $status Made Up\r\nDate: $date\r\nContent-Length: " . length($text) . "\r\n\r\n"
		  . ($method eq 'HEAD' ? '' : $text));
	return;
}

# True when the client's connection can be used again.
sub forward_answer
{
	my ($up, $client, $action, $method) = @_;
	my ($head, $rest) = read_head($up, '') or return;
	my ($length) = $head =~ /^content-length:\s*(\d+)/mi;

	return if $action eq 'lost';
	if (my ($from, $to) = $action =~ m{^edit /(.*)/(.*)/$})
	{
		$head =~ s/$from/$to/i;
	}
	$head =~ s/^connection:[^\n]*\n//mi;
	send_all($client, $head) or return;
	if (!defined $length && $head !~ m{^HTTP/1.1 204} && $method ne 'HEAD')
	{
		# no length, or chunks: as it comes, to the end of the connection
		return copy_body($up, $client, $rest, $1) && undef if $action =~ /^cut (\d+)/;
		do { send_all($client, $rest) or return } while sysread($up, $rest, 65536);
		return;
	}
	$length = 0 if $method eq 'HEAD' || !defined $length;
	if ($action =~ /^cut (\d+)/)
	{
		copy_body($up, $client, $rest, $1 < $length ? $1 : $length);
		return;
	}
	return copy_body($up, $client, $rest, $length);
}

1;
