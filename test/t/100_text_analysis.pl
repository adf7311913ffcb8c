# The analysis of texts is the server's: lexemes, positions and counts compared
# with to_tsvector() and parsetext(), over hard cases and random strings, in
# databases of several encodings and locales.  Builds test/modules/elac_text_test.

use strict;
use warnings;
use utf8;

use Cwd qw(abs_path);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = abs_path("$FindBin::RealBin/../modules/elac_text_test");
my $built = abs_path(PostgreSQL::Test::Utils::tempdir());
my $pg_config = $ENV{PG_CONFIG} || 'pg_config';

chmod 0755, $built;
my $log = `make -s -C '$module' OUT='$built' PG_CONFIG='$pg_config' 2>&1`;
if ($? != 0)
{
	plan skip_all => 'no compiler here'
	  unless `sh -c 'command -v make && command -v cc || command -v gcc'`;
	BAIL_OUT("could not build the text test module:\n$log");
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$node->start;

my %functions = (
	text_lexemes => '(regconfig, text, int) RETURNS text',
	text_words => '(regconfig, text, int) RETURNS text',
	text_array_lexemes => '(regconfig, text[], int) RETURNS text',
	text_vector_lexemes => '(tsvector, int) RETURNS text',
	text_differs => '(regconfig, text) RETURNS bool',
	text_fuzz => '(regconfig, text[], int, int, bigint) RETURNS text',
	text_analyzed => '(regconfig, text, int) RETURNS bigint',
	text_check_bigrams => '() RETURNS void',
	text_counters => '() RETURNS text');

# Pieces of which random texts are made: everything that some state of the
# parser looks for, and characters of every class of the encoding.
my @ascii = (
	qw(a b Z x word The running of 1 7 23 007 e E 1e5 3.14 . .. ... ; : ! ? - -- + _ / // @ $ % ^ & *), '(', ')',
	qw([ ] { } < > = | ~ ` "), ',', '#', '\\', "'", ' ', '  ', "\t", "\n", "\r\n", "\x0b", "\x0c", "\x01", "\x7f",
	qw(http:// https www. .com .co.uk foo.bar /usr/local ~/x ../ ./ a.b x@y.zz &amp; &nbsp </b> <br/> <script
	  <script> </script> <style> </style> <!-- --> <?xml ?> <!DOCTYPE <b> x-y -x well-known e-mail 1-2 -1 +2 a1 1a
	  v1.2.3 1.2.3 $5 U.S. don't AT&T C++ foo_bar a/b 8080 :8080 ?q=1 %20 .5 5. 0x1F -1.5e-10),
	'10,000', '&#65;', '&#x41;', '<a href="', ' and ', ' in the ');
my %beyond = (
	UTF8 => [
		map { my $s = $_; join '||', map { 'chr(' . ord($_) . ')' } split //, $s }
		  qw(é ü ß Ж Жук 中 文字 あ 한 “ ” – — … ’ ² １ 𝒳 😀 İ · № naïve Straße مر),
		"a\x{301}", "\x{301}", "\x{200d}", "\x{a0}", "\x{3000}", "\x{93e}", "\x{915}", "\x{e33}", "\x{663}",
		"\x{feff}", "\x{ad}", "\x{2028}", "\x{85}", "\x{e0001}", "\x{fffd}", "\x{10ffff}"
	],
	LATIN1 => [ map { "chr($_)" } 233, 252, 223, 160, 173, 178, 215, 247, 171, 183, 133, 170, 192 ],
	SQL_ASCII => [ map { "chr($_)" } 128, 195, 233, 255, 160, 130, 169 ],
	EUC_JP => [ map { "convert_from('\\x$_', 'EUC_JP')" } qw(b4c1 bbfa a4a2 a5ab a1a2 a3b1 a3c1 8fb0a1 8eb1) ]);

sub literal
{
	my $s = shift;
	$s =~ s/([\\'])/$1$1/g;
	$s =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
	return "E'$s'";
}

# Hard cases: each is a text of its own, and all of them one text.
my @cases = (
	'', ' ', '.', '~', '..', '~/', './a', '.. a', '../a b', '~a/b', '~ a', 'a~', 'a~b', 'a.', 'a..', 'a...', 'a.b',
	'a. b', 'a.1', 'a._', 'a./', 'a:/', 'a://', 'a:b', 'a: b', 'a-b', 'a- b', 'a -b', 'a--b', 'a-1', 'a -1', 'a+1',
	'a +1', 'a+b', '-a', '--1', '+-1', '1-2', '1.', '1.2', '1.2.3', '1..2', '1,2', '1,000.50', '1e5', '1e', '1e+',
	'1e+5', '1E-5x', '1a', 'a1', '1_2', '1@a.bc', '1/2', '1:2', '&amp;', '& amp;', '&#65;', '&#x4g;', 'AT&T', 'a&b;',
	'a&&b', '<', '< a', '<a', '<a>', '<a b>c', '<1', 'a<b', 'a<b>c d', '1<2', '<!-- a b -->c', '<!-- a b', '<? a',
	'<?xml a?>b', "<a b='c d'>e", '<script>a b</script> c', '<style a b c', 'x <script a & b> c </script> d',
	'a@b.cc', 'a@ b.cc', '@a', 'a@', 'a_b', '_a', 'a_', 'http://a.bc/d?e#f g', 'a.bc/d e', 'a.bc:80/d', 'a.bc:x',
	'www.a.bc', '/a/b', 'a /b', 'a/ b', '/ a', 'a-b-c.d', 'well-known', 'a-b/c', "don't", "o'neil's", '(a)', '"a"',
	'a,b;c!d?e', 'e-mail.', 'U.S.A.', 'a*b', 'a^b', 'C#', 'C++', '50%', '$5', '#tag', 'a=b', 'a|b', 'x' x 2046,
	'x' x 2047, 'x' x 2048, '1' x 2047, ('y' x 2048) . ' z', 'x-' x 1200, 'a ' x 300, 'a b ' x 9000, 'the a of ' x 6000, join(' ', map { "w$_" } 1 .. 20000));

sub compare
{
	my ($db, $encoding, $configs, $name) = @_;
	my $pieces = join ', ', (map { literal($_) } @ascii), @{ $beyond{$encoding} };
	my $texts = join ",\n", map { '(' . literal($_) . ')' } @cases, join(' ', @cases), join('', @cases);

	$node->safe_psql($db, join '', map { "CREATE FUNCTION $_$functions{$_} STRICT LANGUAGE c AS '$built/elac_text_test';\n" }
		  sort keys %functions);
	for my $config (@$configs)
	{
		is($node->safe_psql($db, "SET client_min_messages = error;
			SELECT left(t, 100) FROM (VALUES $texts) x(t) WHERE text_differs('$config', t)"),
			'', "$name, $config: hard cases");
		is($node->safe_psql($db, "SET client_min_messages = error; SET client_encoding = '$encoding';
			SELECT encode(convert_to(text_fuzz('$config', ARRAY[$pieces], 4000 / most, most, 42 + most), '$encoding'), 'escape')
			  FROM unnest(ARRAY[2, 4, 10, 40]) most"),
			"\n\n\n", "$name, $config: random texts");
	}
}

compare('postgres', 'UTF8', [ 'english', 'simple', 'german' ], 'UTF8, C');
for my $other (
	[ 'UTF8', 'C.UTF-8' ], [ 'UTF8', 'en_US.UTF-8' ], [ 'UTF8', 'tr_TR.UTF-8' ], [ 'LATIN1', 'C' ],
	[ 'LATIN1', 'en_US.ISO-8859-1' ], [ 'SQL_ASCII', 'C' ], [ 'EUC_JP', 'C' ])
{
	my ($encoding, $locale) = @$other;
	my $db = lc "$encoding $locale";
	my ($code) = $node->psql('postgres', "CREATE DATABASE \"$db\" TEMPLATE template0 ENCODING '$encoding'
		LC_COLLATE '$locale' LC_CTYPE '$locale'");
  SKIP:
	{
		skip "no locale $locale here", 2 if $code != 0;
		compare($db, $encoding, [ $encoding eq 'EUC_JP' ? 'simple' : 'english' ], "$encoding, $locale");
	}
}

# ---- dictionaries that look further, filter, give several lexemes ----

$node->safe_psql('postgres', <<'SQL');
CREATE TEXT SEARCH DICTIONARY ths (TEMPLATE = thesaurus, DictFile = thesaurus_sample, Dictionary = english_stem);
CREATE TEXT SEARCH CONFIGURATION ths (COPY = english);
ALTER TEXT SEARCH CONFIGURATION ths ALTER MAPPING FOR asciiword, asciihword, hword_asciipart WITH ths, english_stem;
CREATE TEXT SEARCH DICTIONARY syn (TEMPLATE = synonym, Synonyms = synonym_sample);
CREATE TEXT SEARCH DICTIONARY isp (TEMPLATE = ispell, DictFile = ispell_sample, AffFile = ispell_sample);
CREATE TEXT SEARCH CONFIGURATION many (COPY = english);
ALTER TEXT SEARCH CONFIGURATION many ALTER MAPPING FOR asciiword, word WITH syn, isp, english_stem;
CREATE TEXT SEARCH CONFIGURATION blanks (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION blanks ADD MAPPING FOR blank, tag, protocol, entity WITH simple;
CREATE TEXT SEARCH CONFIGURATION few (COPY = english);
ALTER TEXT SEARCH CONFIGURATION few DROP MAPPING FOR asciiword, uint, hword_asciipart;
CREATE TEXT SEARCH DICTIONARY knows_little (TEMPLATE = simple, Accept = false, StopWords = english);
CREATE TEXT SEARCH CONFIGURATION gaps (COPY = english);
ALTER TEXT SEARCH CONFIGURATION gaps ALTER MAPPING FOR asciiword WITH knows_little;
SQL
my $words = join ', ', map { "'$_'" } qw(one two three One TWO supernovae star stars of the a postgres pgsql gogle indices
	skies bookings booking book footballklubber footballyklubber unbooked 1 2), ' ', '-', ',', '. ', ' the ', '<b>', 'http://', '&amp;';
for my $config (qw(ths many blanks few gaps))
{
	is($node->safe_psql('postgres', "SELECT text_fuzz('$config', ARRAY[$words], 3000, 12, 7)"), '', "configuration $config");
	is($node->safe_psql('postgres', "SELECT text_differs('$config', 'one two three supernovae stars and bookings of indices')"),
		'f', "configuration $config, words");
}
my $tags = join ', ', map { literal($_) } '<', '>', '/', 'a', 'b', 'div', 'script', 'style', '<b>', '</b>', '<br/>', '<a href="',
  "<a b='", '"', "'", ' ', "\n", '=', '-', '--', '<!--', '-->', '<?xml', '?>', '<!D', 'x.', '.', '..', '~', '/c', '\\', '&', 'word ',
  ':', '_', '1', '<p class=x>', 'text, ', '<1', ', ';
for my $config (qw(english blanks tags))
{
	$node->safe_psql('postgres', 'CREATE TEXT SEARCH CONFIGURATION tags (COPY = simple);
		ALTER TEXT SEARCH CONFIGURATION tags ADD MAPPING FOR tag, protocol, entity WITH simple') if $config eq 'tags';
	is($node->safe_psql('postgres', "SELECT text_fuzz('$config', ARRAY[$tags], 6000 / most, most, 9) FROM unnest(ARRAY[3, 12, 50]) most"),
		"\n\n", "tags, configuration $config");
}
is($node->safe_psql('postgres', "SELECT text_lexemes('ths', 'see one two three stars', 1)"), '123:1@2 see:1@1 star:1@3',
	'a thesaurus sees the words after a word');
is($node->safe_psql('postgres', "SELECT text_lexemes('many', 'bookings of indices', 1)"),
	'book:1@1 booking:1@1 index:1@3', 'several lexemes for a token');

SKIP:
{
	skip 'no unaccent here', 1
	  if $node->psql('postgres', 'CREATE EXTENSION unaccent') != 0;
	$node->safe_psql('postgres', 'CREATE TEXT SEARCH CONFIGURATION una (COPY = french);
		ALTER TEXT SEARCH CONFIGURATION una ALTER MAPPING FOR hword, hword_part, word WITH unaccent, french_stem');
	is($node->safe_psql('postgres', "SELECT text_fuzz('una', ARRAY[chr(233) || 't' || chr(233), 'h' || chr(244) || 'tel',
		'de', 'la', 'Mer', ' ', '-', '. ', chr(231) || 'a', chr(8217), chr(339)], 3000, 12, 8)"), '', 'a filtering dictionary');
}

# ---- what is remembered is forgotten in time ----

is($node->safe_psql('postgres', <<'SQL'), "run:1\@2 see:1\@1\nrunning:1\@2 see:1\@1\nf\nrunning:1\@2\nf\nrunning:1\@1\nf", 'changed catalogues');
CREATE TEXT SEARCH DICTIONARY changing (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION changing (COPY = english);
SELECT text_lexemes('changing', 'see running', 1);
ALTER TEXT SEARCH CONFIGURATION changing ALTER MAPPING FOR asciiword WITH changing;
SELECT text_lexemes('changing', 'see running', 1);
SELECT text_differs('changing', 'see running');
ALTER TEXT SEARCH DICTIONARY changing (StopWords = english);
SELECT text_lexemes('changing', 'the running', 1);
SELECT text_differs('changing', 'the running');
ALTER TEXT SEARCH DICTIONARY changing (Accept = false);
ALTER TEXT SEARCH CONFIGURATION changing ALTER MAPPING FOR asciiword WITH changing, simple;
SELECT text_lexemes('changing', 'running the', 1);
SELECT text_differs('changing', 'running the');
SQL

# ---- a cache that is full again and again ----

is($node->safe_psql('postgres', <<'SQL'), "0|20000", 'a small cache');
SET maintenance_work_mem = '1MB';
SELECT count(*) FILTER (WHERE text_differs(config::regconfig, body)), count(*)
  FROM (SELECT i, string_agg(CASE j % 5 WHEN 0 THEN 'bookings' WHEN 1 THEN 'w' || i % 40 WHEN 2 THEN 'well-known' || i % 30
		WHEN 3 THEN substr(md5((i * j)::text), 1, 4 + j) ELSE md5((i % 20)::text) || '-' || i % 20 END, ' ') body
		  FROM generate_series(1, 10000) i, generate_series(1, 12) j GROUP BY i) t,
	   (VALUES ('english'), ('many')) c(config);
SQL

my ($code, $out, $err) = $node->psql('postgres', "SELECT text_lexemes('simple', 'a ' || repeat('x', 2048) || ' b', 1)");
is($out, 'a:1@1 b:1@2', 'a long word is left out');
like($err, qr/NOTICE:  word is too long to be indexed\nDETAIL:  Words longer than 2047 characters are ignored/, '... with a notice');

# ---- other values ----

is($node->safe_psql('postgres', "SELECT text_array_lexemes('simple', ARRAY['a b', NULL, 'b', ''], 1)"), 'a:1@1 b:2@2,35',
	'an array has gaps between its elements');
is($node->safe_psql('postgres', "SELECT text_array_lexemes('simple', '{}', 1), text_array_lexemes('simple', ARRAY[NULL]::text[], 1)"),
	'|', 'arrays without elements');
is($node->safe_psql('postgres', "SELECT text_vector_lexemes('a:1A,3,7B b c:2A', 1)"),
	'a:1@3 B/a:1@7 A/a:1@1 A/c:1@2 bare/b:1', 'a tsvector by label');
is($node->safe_psql('postgres', "SELECT text_vector_lexemes('a:1A,3,7 b', 0)"), 'a:2 A/a:1 bare/b:1', 'a tsvector without positions');
is($node->safe_psql('postgres', "SELECT text_lexemes('simple', 'b a b', 0), text_words('simple', 'b a b', 0)"),
	'a:1 b:2|a:1@2 b:2@1,3', 'a query\'s words have positions');
my $pairs = 'abc:1@10 tokyo:1@6 がな:1@9 な:1@9 ひら:1@7 らが:1@8 京都:1@3 好:1@5 東京:1@2 都:1@3 국:1@11 한국:1@11';
is($node->safe_psql('postgres', "SELECT text_lexemes('english', 'The 東京都 is 好 Tokyo ひらがなABC한국', 3) = '$pairs'"),
	't', 'pairs of CJK characters, and the last of each run');
is($node->psql('sql_ascii c', 'SELECT text_check_bigrams()'), 3, 'no pairs where the encoding is not UTF8');
is($node->psql('postgres', 'SELECT text_check_bigrams()'), 0, 'pairs where it is');

# ---- size ----

is($node->safe_psql('postgres', "SELECT text_analyzed('english', repeat('Plain prose, words and numbers 12 ', 600000), 1)"), '5',
	'a text of 20 MB');
is($node->safe_psql('postgres', "SELECT text_analyzed('simple', string_agg('w' || md5(i::text), ' '), 1) FROM generate_series(1, 300000) i"),
	'300000', 'a text of 300,000 different words');
is($node->safe_psql('postgres', "SELECT text_differs('simple', string_agg('v' || (i % 5000) || ' ' || i % 7, ' ')) FROM generate_series(1, 40000) i"),
	'f', 'a text of 80,000 words');

my $prose = literal('In 1998, the committee (which met twice a year) said: "We don\'t know yet." Its well-known chairman, '
  . 'Dr. Muller, agreed; 25% of the members did not. ');
my (undef, @counts) = split ' ', $node->safe_psql('postgres',
	"SELECT text_analyzed('english', repeat($prose, 1000), 1); SELECT text_counters()");
cmp_ok($counts[0], '>', 20 * ($counts[1] + $counts[2]), 'prose takes the fast path');
is($counts[3], 0, 'no text was left to the server');

$node->stop;
done_testing();
