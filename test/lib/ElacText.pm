# What the tests of full text share: repeatable random texts, and BM25 written
# a second time, in double precision over the lexemes that to_tsvector() gives.
#
# A model holds what an index should know: the live rows, and those that still
# count in the statistics although they are gone.
package ElacText;

use strict;
use warnings;

use List::Util qw(max min sum0);

# ---- repeatable random numbers and texts ----

my $state = 20261120;

sub seed { $state = $_[0]; return; }
sub draw { $state = ($state * 1103515245 + 12345) % 2147483648; return ($state >> 8) / 8388608; }
sub number { return int(draw() * $_[0]); }
sub pick { return $_[ number(scalar @_) ]; }

# A word of a vocabulary: w0 is in most texts, the last in hardly any.
sub word { my ($vocabulary) = @_; return 'w' . int($vocabulary * draw()**3); }

# Some texts say the same word again and again.
sub text
{
	my ($vocabulary, $length) = @_;
	my @words;

	push @words, draw() < 0.1 && @words ? $words[-1] : word($vocabulary) while @words < $length;
	return join(' ', @words);
}

# A word for a query: of any frequency, not only the common ones.
sub query_word { my ($vocabulary) = @_; return 'w' . int($vocabulary * draw()**pick(1, 3, 6, 12)); }

# ---- the formula ----

# The length that Lucene's one byte stands for.
sub rounded_length
{
	my ($length) = @_;

	return $length if $length < 40;
	my $drop = int(log($length - 24) / log(2) + 1e-9) - 3;
	return 24 + ((($length - 24) >> $drop) << $drop);
}

# fields: name => { k1, b, weight, sql }, where sql gives lines of row, lexeme
# and count and has %s where a condition on the table may stand.
sub new
{
	my ($class, %fields) = @_;

	return bless { fields => \%fields, names => [ sort keys %fields ], live => {}, dead => [] }, $class;
}

sub _read
{
	my ($self, $node, $condition) = @_;
	my %rows;

	foreach my $name (@{ $self->{names} })
	{
		my $sql = sprintf($self->{fields}{$name}{sql}, $condition);

		foreach (split /\n/, $node->safe_psql('postgres', $sql))
		{
			my ($id, $lexeme, $tf) = split /\|/;

			$rows{$id}{$name}{$lexeme} += $tf;
		}
	}
	return \%rows;
}

# What is visible now.
sub load { my ($self, $node) = @_; $self->{live} = $self->_read($node, 'true'); delete $self->{known}; return; }

# Rows about to be deleted or updated, or copied and rolled back, which go on counting.
sub bury { my ($self, $node, $condition) = @_; push @{ $self->{dead} }, values %{ $self->_read($node, $condition) }; return; }
sub purge { my ($self) = @_; $self->{dead} = []; delete $self->{known}; return; }

# Everything by lexeme, once after a change.
sub _known
{
	my ($self) = @_;
	my %known;

	return $self->{known} if $self->{known};
	foreach my $name (@{ $self->{names} })
	{
		my ($n, $total, %df, %postings, %length) = (0, 0);
		my $live = $self->{live};

		foreach my $row ((map { [ $_, $live->{$_}{$name} ] } keys %$live), (map { [ undef, $_->{$name} ] } @{ $self->{dead} }))
		{
			my ($id, $bag) = @$row;

			next unless $bag;
			my $len = sum0(values %$bag);
			$n++;
			$total += $len;
			$df{$_}++ foreach keys %$bag;
			next unless defined $id;
			$length{$id} = $len;
			$postings{$_}{$id} = $bag->{$_} foreach keys %$bag;
		}
		$known{$name} = { n => $n, average => $n ? $total / $n : 1, df => \%df, postings => \%postings, length => \%length };
	}
	return $self->{known} = \%known;
}

# (documents that have the term, { live row => how often }) in a field.
sub _term
{
	my ($self, $name, $term) = @_;
	my $field = $self->_known->{$name};
	my ($lexeme, %tf) = ($term->{lexeme});

	return ($field->{df}{$lexeme} // 0, $field->{postings}{$lexeme} // {}) unless $term->{prefix};
	foreach my $word (grep { index($_, $lexeme) == 0 } keys %{ $field->{postings} })
	{
		$tf{$_} += $field->{postings}{$word}{$_} foreach keys %{ $field->{postings}{$word} };
	}
	my $dead = grep { my $bag = $_->{$name}; $bag && grep { index($_, $lexeme) == 0 } keys %$bag } @{ $self->{dead} };
	return (scalar(keys %tf) + $dead, \%tf);
}

sub _idf { my ($n, $df) = @_; return log(1 + ($n - $df + 0.5) / ($df + 0.5)); }

# What a query asks for by these words, for scores().
sub terms
{
	my %qtf;

	$qtf{$_}++ foreach @_;
	return [ map { { lexeme => $_, qtf => $qtf{$_} } } sort keys %qtf ];
}

# { row => score } of what scores.  query: terms => [ { lexeme, qtf, prefix } ];
# fields => [ names ], by default all; weights => { name => weight }; combine =>
# sum, max, bm25f; min_match => words; matches => { row => 1 }, by default any.
sub scores
{
	my ($self, $query) = @_;
	my @names = @{ $query->{fields} // $self->{names} };
	my %weight = map { $_ => $query->{weights}{$_} // $self->{fields}{$_}{weight} } @names;
	my $combine = $query->{combine} // 'sum';
	my (%score, %words);

	@names = grep { $weight{$_} > 0 } @names;
	if ($combine eq 'bm25f')
	{
		my $n = max(map { $self->_known->{$_}{n} } @names);
		my $k1 = sum0(map { $weight{$_} * $self->{fields}{$_}{k1} } @names) / sum0(map { $weight{$_} } @names);

		foreach my $term (@{ $query->{terms} })
		{
			my ($df, %freq) = (0);

			foreach my $name (grep { !$term->{only} || $term->{only}{$_} } @names)
			{
				my ($field, $known) = ($self->{fields}{$name}, $self->_known->{$name});
				my ($here, $tf) = $self->_term($name, $term);

				$df = max($df, $here);
				foreach (keys %$tf)
				{
					my $norm = 1 - $field->{b} + $field->{b} * rounded_length($known->{length}{$_}) / $known->{average};

					$freq{$_} += $weight{$name} * $tf->{$_} / $norm;
				}
			}
			$score{$_} += $term->{qtf} * _idf($n, $df) * $freq{$_} / ($freq{$_} + $k1) foreach keys %freq;
			$words{$_}{ $term->{lexeme} } = 1 foreach keys %freq;
		}
	}
	else
	{
		foreach my $name (@names)
		{
			my ($field, $known, %sum) = ($self->{fields}{$name}, $self->_known->{$name});

			foreach my $term (grep { !$_->{only} || $_->{only}{$name} } @{ $query->{terms} })
			{
				my ($df, $tf) = $self->_term($name, $term);
				my $w = $weight{$name} * $term->{qtf} * _idf($known->{n}, $df);

				foreach (keys %$tf)
				{
					my $norm = 1 - $field->{b} + $field->{b} * rounded_length($known->{length}{$_}) / $known->{average};

					$sum{$_} += $w * $tf->{$_} / ($tf->{$_} + $field->{k1} * $norm);
					$words{$_}{ $term->{lexeme} } = 1;
				}
			}
			$score{$_} = $combine eq 'max' ? max($score{$_} // 0, $sum{$_}) : ($score{$_} // 0) + $sum{$_} foreach keys %sum;
		}
	}
	my $least = $query->{min_match} // 1;
	foreach (keys %score)
	{
		delete $score{$_}
			if !($score{$_} > 0) || keys %{ $words{$_} } < $least || $query->{matches} && !$query->{matches}{$_};
	}
	return \%score;
}

# ---- comparison ----

sub _tid { return $_[0] =~ /\((\d+),(\d+)\)/ ? $1 * 65536 + $2 : 0; }

# What is wrong with k rows [ id, negative score, ctid ] as the answer to a
# query whose scores are known; '' when nothing is.
sub wrong
{
	my ($rows, $k, $scores) = @_;
	my @best = sort { $b <=> $a } values %$scores;
	my @found = grep { $_->[1] ne '' && $_->[1] < 0 } @$rows;
	my (%seen, $last);

	foreach my $i (0 .. $#found)
	{
		my ($id, $score) = ($found[$i][0], -$found[$i][1]);

		return "row $id comes twice" if $seen{$id}++;
		return "row $id scores $score, though it does not match" unless $scores->{$id};
		return "row $id scores $score instead of $scores->{$id}" if abs($score - $scores->{$id}) > 1e-5 * $scores->{$id};
		return "row $id, $score, is number $i, where $best[$i] should be" if abs($score - $best[$i]) > 1e-5 * $best[$i];
		return "row $id comes too late" if $last && $score > -$last->[1];
		return "row $id, as good as row $last->[0], comes after it"
			if $last && $found[$i][1] eq $last->[1] && defined $found[$i][2] && _tid($found[$i][2]) < _tid($last->[2]);
		$last = $found[$i];
	}
	return @found . ' rows that match instead of ' . min($k, scalar @best) if @found != min($k, scalar @best);
	return "a row that does not match before one that does" if grep { $_->[1] eq '' || $_->[1] >= 0 } @$rows[ 0 .. $#found ];
	return '';
}

# Runs statements in one session: [ [ [column, ...], ... ] for each ].
sub ask
{
	my ($node, $settings, @statements) = @_;
	my (@answers, $n);
	my $sql = "$settings\n" . join('', map { "\\echo ==$_\n$statements[$_];\n" } 0 .. $#statements);

	foreach (split /\n/, $node->safe_psql('postgres', $sql))
	{
		if (/^==(\d+)$/) { $n = $1; $answers[$n] = []; }
		elsif (defined $n && $_ ne '') { push @{ $answers[$n] }, [ split /\|/, $_, -1 ]; }
	}
	return @answers;
}

1;
