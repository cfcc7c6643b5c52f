# Uploads a .torrent, looks for it, keeps a blob and makes a share.
#
#   SWARMKEEP_URL=http://127.0.0.1:8080 SWARMKEEP_TOKEN=... perl example.pl survey.torrent KEPT-HASH

use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use Swarmkeep;

my ($path, $kept) = @ARGV;
my $swarmkeep = Swarmkeep->new($ENV{SWARMKEEP_URL}, token => $ENV{SWARMKEEP_TOKEN});
print "name ", $swarmkeep->me->{name}, "\n";

open my $file, '<:raw', $path or die "Cannot read $path: $!\n";
my $bytes = do { local $/; <$file> };
my $added = $swarmkeep->add_torrent($bytes, title => 'Survey by example', tags => 'example');
my $info_hash = $added->{torrent}{infoHash};
print "added $added->{torrent}{title}\n";
my $next = $swarmkeep->torrents(q => 'survey by example', limit => 1);
while (my $torrent = $next->()) { print "found $torrent->{title}\n" }
print 'file ', truth($swarmkeep->torrent_file($info_hash) =~ /announce/), "\n";

my $ref = $swarmkeep->put_blob('hello');
print "blob $ref ", $swarmkeep->get_blob($ref), "\n";

my %options = (days => 7, password => 'open the door');
my $share = $swarmkeep->make_share([{ infoHash => $kept }], %options);
my $is_listed = 0;
my $next_share = $swarmkeep->shares;
while (my $one = $next_share->()) { $is_listed ||= $one->{id} == $share->{id} }
print 'share ', truth($share->{url} =~ m{/s/}), ' ', truth($is_listed), "\n";
$swarmkeep->revoke_share($share->{id});

$swarmkeep->remove_torrent($info_hash, 'it was an example');
if (!eval { $swarmkeep->torrent('0' x 40); 1 }) {
    my $problem = $@;
    die $problem if !ref $problem;
    print 'refused ', $problem->status, ' ', $problem->code, "\n";
}

sub truth { return $_[0] ? 'True' : 'False' }
