use IO::Socket::UNIX;
my $agent = IO::Socket::UNIX->new($ENV{SSH_AUTH_SOCK}) or die "no agent: $!";
print $agent pack("NC", 1, 11);
$agent->flush;
read $agent, my $answer, 9 or die "no answer";
my ($size, $kind, $keys) = unpack "NCN", $answer;
print "$keys\n";
