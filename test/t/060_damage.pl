# Damage: bytes are changed on disk in every kind of page of an index, and in
# its objects in a store.  Whatever is done with the index afterwards: no crash,
# no endless loop; elacsym_verify() finds it, and so do the server's checksums.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
mkdir "$dir/cold";

# An index with every kind of page.
my $schema = q{
CREATE EXTENSION elacsym;
CREATE FUNCTION point(i bigint) RETURNS vector IMMUTABLE LANGUAGE sql AS
	'SELECT array_agg((hashint8extended(i, j) % 1000)::real)::vector FROM generate_series(1, 12) j';
CREATE TABLE docs (id bigint, body text, category text, price float8, tags text[], embedding vector(12));
CREATE FUNCTION fill(a int, b int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO docs SELECT i, 'every w' || i % 50 || ' u' || i, 'c' || i % 7, i, ARRAY['t' || i % 3, 't' || i % 5], point(i)
	FROM generate_series(a, b) i $$;
SELECT fill(1, 6000);
CREATE INDEX docs_idx ON docs USING elacsym (embedding, body, category text_ops, price, tags);
DELETE FROM docs WHERE id % 10 = 0;
VACUUM docs;
SELECT fill(6001, 6150);
};
my $settings = q(
autovacuum = off
elacsym.delta_limit = 100000
elacsym.probes = 1000000
restart_after_crash = on
statement_timeout = '20s'
log_line_prefix = '%m [%p] %d %q%a '
);

# Reads: each line is a statement.
my @reads = (
	q{SELECT id, embedding <-> point(1) FROM docs ORDER BY embedding <-> point(1) LIMIT 10},
	q{SELECT count(*), sum(id) FROM (SELECT id FROM docs ORDER BY embedding <-> point(1) OFFSET 0) s},
	q{SELECT id, body <@> 'w7 u77' FROM docs ORDER BY body <@> 'w7 u77' LIMIT 10},
	q{SELECT count(*), sum(id) FROM (SELECT id FROM docs ORDER BY body <@> 'every w3' OFFSET 0) s},
	q{SELECT count(*), sum(id) FROM docs WHERE price BETWEEN 100 AND 900 AND category IN ('c1', 'c2')},
	q{SELECT count(*), sum(id) FROM docs WHERE tags && '{t4}' AND category LIKE 'c3%'},
	q{SELECT id FROM docs WHERE price < 5000 AND NOT tags @> '{t1}' ORDER BY embedding <-> point(9) LIMIT 10},
	q{SELECT (doc).id, score FROM elacsym_search(NULL::docs, vector => point(5), text => 'w9 u99', filter => 'price > 50', k => 10)},
);
my @writes = (
	'SELECT fill(7001, 7020)',
	'DELETE FROM docs WHERE id % 10 = 1',
	'VACUUM docs',
	q{SELECT elacsym_flush('docs_idx')},
	q{SELECT elacsym_compact('docs_idx')},
	q{SELECT count(*) FROM elacsym_segments('docs_idx')},
	q{SELECT count(*) FROM elacsym_sections('docs_idx')},
	q{SELECT count(*) FROM elacsym_delta('docs_idx')},
);
my $verify = q{SELECT elacsym_verify('docs_idx')};

# Answers of statements, errors as their SQLSTATEs.
sub run
{
	my ($node, $database, @statements) = @_;
	my @answers;
	my ($rc, $out, $err) = $node->psql($database, join('', "SET enable_seqscan = off;\n", map { "\\echo ==\n$_;\n\\echo state :SQLSTATE\n" } @statements),
		on_error_stop => 0);

	$out //= '';
	push @answers, ($1 =~ s/\n?state 00000\n?\z//r) =~ s/.*state (\w{5})\n?\z/$1/rs while $out =~ /^==\n(.*?)(?=^==\n|\z)/msg;
	push @answers, "lost: $err" if $rc != 0 || @answers != @statements;
	return @answers;
}

sub start_node
{
	my ($name, $checksums) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	# one of the two is how it is already
	PostgreSQL::Test::Utils::system_log('pg_checksums', $checksums ? '--enable' : '--disable', '-D', $node->data_dir);
	$node->append_conf('postgresql.conf', $settings);
	$node->start;
	return $node;
}

# ---- where things lie ----

# Blocks of an index: [ { block, kind, owner, number } ].
sub read_pages
{
	my ($path) = @_;
	my (@pages, $page);

	open(my $file, '<:raw', $path) or die "$path: $!";
	for (my $block = 0; read($file, $page, 8192) == 8192; $block++)
	{
		push @pages, { block => $block, owner => unpack('Q<', substr($page, 8168, 8)), number => unpack('L<', substr($page, 8176, 4)),
			kind => unpack('S<', substr($page, 8184, 2)), used => unpack('S<', substr($page, 12, 2)) };
	}
	close($file);
	return @pages;
}

# Places worth damaging: name => [ block, offset in the page ].
sub find_places
{
	my ($node, $database, @pages) = @_;
	my (%places, %count);
	my $first = $node->safe_psql($database, q{SELECT segment FROM elacsym_segments('docs_idx') ORDER BY documents DESC LIMIT 1});
	my $at = sub {
		my ($name, $owner, $offset) = @_;
		my ($page) = grep { $_->{kind} == 7 && $_->{owner} == $owner && $_->{number} == int($offset / 8128) } @pages;

		$places{$name} = [ $page->{block}, 24 + $offset % 8128 ] if $page && 24 + $offset % 8128 < $page->{used};
	};

	%places = (metapage => [ 0, 24 ], 'manifest 1' => [ 1, 24 ], 'manifest 1, segments' => [ 1, 24 + 1200 ], 'manifest 2' => [ 2, 24 ],
		'manifest 3' => [ 3, 24 ], 'lane' => [ 4, 24 ], 'page header' => [ 5, 8 ]);
	foreach my $page (@pages)
	{
		my %names = (5 => "chain $page->{owner}", 6 => "map of $page->{owner}", 8 => 'live bitmap');
		my $name = $names{ $page->{kind} };

		$places{$name} //= [ $page->{block}, 24 ] if defined $name;
		$places{'codebook'} //= [ $page->{block}, 24 ] if $page->{kind} == 7 && $page->{owner} != $first && $page->{owner} != $first + 1;
	}
	# sections, in the order of columns, begin at multiples of 64
	my ($head, $body) = (0, 0);
	foreach (split /\n/, $node->safe_psql($database,
			"SELECT coalesce(column_name, 'docmap'), head_bytes, body_bytes FROM elacsym_sections('docs_idx') WHERE segment = $first"))
	{
		my ($name, $head_len, $body_len) = split /\|/;

		$at->("head of $name", $first, $head) if $head_len > 0;
		$at->("head of $name, middle", $first, $head + int($head_len / 2)) if $head_len > 200;
		$at->("body of $name", $first + 1, $body) if $body_len > 0;
		$at->("body of $name, middle", $first + 1, $body + int($body_len / 2)) if $body_len > 200;
		$head = int(($head + $head_len + 63) / 64) * 64;
		$body = int(($body + $body_len + 63) / 64) * 64;
	}
	my ($last) = sort { $b->{number} <=> $a->{number} } grep { $_->{kind} == 7 && $_->{owner} == $first } @pages;
	$places{'directory'} = [ $last->{block}, $last->{used} - 200 ];
	$places{'footer'} = [ $last->{block}, $last->{used} - 24 ];
	return %places;
}

# Changes bytes of a file: code gets what is there.
sub change
{
	my ($path, $offset, $len, $code) = @_;
	my $bytes;

	open(my $file, '+<:raw', $path) or die "$path: $!";
	seek($file, $offset, 0);
	read($file, $bytes, $len) == $len or die "$path is shorter than expected";
	my $new = $code->($bytes);
	die 'nothing changed' if $new eq $bytes;
	seek($file, $offset, 0);
	print $file $new;
	close($file) or die "$path: $!";
	return;
}

my $noise = sub { my $i = 0; join('', map { chr((ord($_) ^ (0x5A + 37 * $i++ % 131)) & 255) } split(//, $_[0])) };
my %variants = (
	# one bit, in the middle of an integer
	bit => [ 0, 2, sub { substr($_[0], 0, 1) . chr(ord(substr($_[0], 1, 1)) ^ 0x10) } ],
	noise => [ 0, 60, $noise ],
	ones => [ 0, 8, sub { "\xFF" x 8 } ],
	zeros => [ -1, 8192, sub { "\0" x 8192 } ]);

# ---- pages ----

my $node = start_node('main', 0);
$node->safe_psql('postgres', 'CREATE DATABASE sound');
$node->safe_psql('sound', $schema . 'CHECKPOINT');
my $path = sub {
	my ($server, $database) = @_;
	return $server->data_dir . '/' . $server->safe_psql($database, q{SELECT pg_relation_filepath('docs_idx')});
};
my @pages = read_pages($path->($node, 'sound'));
my %places = find_places($node, 'sound', @pages);
my %kinds = map { $_->{kind} => 1 } @pages;
is(join(' ', sort keys %kinds), join(' ', grep { $_ != 1 || $kinds{1} } 1 .. 9), 'the index has pages of every kind');
ok(exists $places{$_}, "there is a $_") foreach 'codebook', 'live bitmap', 'head of body', 'body of body', 'head of embedding', 'body of embedding',
	'head of price', 'head of tags', 'head of docmap';
my @good = run($node, 'sound', @reads, $verify);
is($good[-1], 't', 'sound before');
unlike("@good", qr/XX/, 'and answers');
like($node->safe_psql('sound', "SET enable_seqscan = off; EXPLAIN $_"), qr/docs_idx/, "by index: $_") foreach @reads[0 .. 6];

my (@cases, $n);
foreach my $place (sort keys %places)
{
	foreach my $variant (sort keys %variants)
	{
		# a bit there is the page checksum's, which this server does not use
		next if $variant eq 'bit' && $place eq 'page header';
		# noise everywhere, of the others one for each place; a page is zeroed once
		next if $variant eq 'zeros' && $place =~ /middle|segments|footer/;
		next if $variant ne 'noise' && ++$n % 3 != 0;
		push @cases, { name => "$place, $variant", place => $places{$place}, variant => $variants{$variant}, database => 'd' . @cases };
	}
}
push @cases, { name => 'file cut in half', cut => 0.5, database => 'cut_half' }, { name => 'file cut to a page', cut => 0, database => 'cut_page' };
$node->safe_psql('postgres', join('', map { "CREATE DATABASE $_->{database} TEMPLATE sound;\n" } @cases));
$_->{path} = $path->($node, $_->{database}) foreach @cases;
$node->stop;
foreach my $case (@cases)
{
	if (exists $case->{cut})
	{
		my $blocks = int($case->{cut} * @pages) || 1;

		truncate($case->{path}, 8192 * $blocks) or die;
		next;
	}
	my ($block, $offset) = @{ $case->{place} };
	my ($whole, $len, $code) = @{ $case->{variant} };

	$offset = 0 if $whole;
	$len = 8192 - $offset if $offset + $len > 8192;
	change($case->{path}, $block * 8192 + $offset, $len, $code);
}
$node->start;

my (@wrong, @unseen, @unmended, %states);
foreach my $case (@cases)
{
	my @answers = run($node, $case->{database}, $verify, @reads, @writes, $verify);
	my ($found, $again) = @answers[0, -1];

	push @unseen, "$case->{name}: $found" if $found !~ /^XX00[12]$/;
	$states{ substr($_, 0, 5) }++ foreach grep { /^[0-9A-Z]{5}$/ && /[A-Z]|^5/ } @answers;
	push @wrong, map { "$case->{name}: $_" } grep { /^(lost|57014|XX000|53200|54000|22|08|40)/ } @answers;
	my @mended = run($node, $case->{database}, 'REINDEX INDEX docs_idx', $verify, 'VACUUM docs');
	push @unmended, "$case->{name}: @mended" if "@mended" =~ /[A-Z0-9]{5}|lost/;
}
note(scalar(@cases) . ' cases, answers: ' . join(', ', map { "$_ $states{$_}" } sort keys %states));
is(join("\n", @unseen), '', 'elacsym_verify finds every damage');
is(join("\n", @wrong), '', 'no statement does worse than to report it');
is(join("\n", @unmended), '', 'REINDEX mends it');
is(join(' ', run($node, 'sound', @reads, $verify)), join(' ', @good), 'others are not touched');

# ---- objects ----

$node->safe_psql('sound', qq{CREATE SERVER cold FOREIGN DATA WRAPPER elacsym_store OPTIONS (type 'dir', path '$dir/cold');
	SELECT elacsym_offload('docs_idx', 'cold')});
is(join(' ', run($node, 'sound', @reads, $verify)), join(' ', @good), 'the same answers from the store');
my @objects = grep { -f && !/elacsym-store$/ } map { glob("$dir/cold/$_") } '*', '*/*', '*/*/*';
is(scalar(@objects), 1, 'one object') or diag("@objects");
my $object = $objects[0];
my $content = slurp_file($object);
my $size = -s $object;
my %damages = (map({ my $o = $_; ("a bit at $o", sub { change($object, $o, 1, sub { chr(ord($_[0]) ^ 4) }) }) }
		0, 8128, 8132, map { int($size * $_ / 5) } 1 .. 4),
	'cut in half' => sub { truncate($object, int($size / 2)) or die },
	'a page short' => sub { truncate($object, $size - 8136) or die },
	'empty' => sub { truncate($object, 0) or die },
	'pages exchanged' => sub { change($object, 0, 2 * 8136, sub { substr($_[0], 8136) . substr($_[0], 0, 8136) }) },
	'missing' => sub { unlink $object or die });
(@wrong, @unseen) = ();
foreach my $name (sort keys %damages)
{
	$damages{$name}->();
	my @answers = run($node, 'sound', @reads, $verify);

	push @unseen, "$name: $answers[-1]" if $answers[-1] !~ /^(XX00[12]|58P01)$/;
	foreach my $i (0 .. $#reads)
	{
		push @wrong, "$name: $reads[$i]: $answers[$i]" if $answers[$i] ne $good[$i] && $answers[$i] !~ /^(XX00[12]|58P01)$/;
	}
	unlink $object;
	append_to_file($object, $content);
}
is(join("\n", @unseen), '', 'elacsym_verify finds every damage of an object');
is(join("\n", @wrong), '', 'answers are right or an error, never wrong');
is(join(' ', run($node, 'sound', @reads, $verify)), join(' ', @good), 'the sound object is read again');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no crash in the log');

# ---- with the server's checksums ----

my $checked = start_node('checked', 1);
is($checked->safe_psql('postgres', 'SHOW data_checksums'), 'on', 'data checksums');
$checked->safe_psql('postgres', $schema . 'CHECKPOINT');
my $file = $path->($checked, 'postgres');
@pages = read_pages($file);
%places = find_places($checked, 'postgres', @pages);
$checked->stop;
change($file, $places{'body of embedding'}[0] * 8192 + 100, 1, sub { chr(ord($_[0]) ^ 1) });
$checked->start;
my @answers = run($checked, 'postgres', $verify, @reads);
is($answers[0], 'XX001', 'the server reports a changed bit');
is($answers[2], 'XX001', 'to queries too');
like(slurp_file($checked->logfile), qr/invalid page in block $places{'body of embedding'}[0] of relation/, 'and names the page');
$checked->stop;
unlike(slurp_file($checked->logfile), qr/PANIC|TRAP:|terminated by signal/, 'no crash there either');
done_testing();
