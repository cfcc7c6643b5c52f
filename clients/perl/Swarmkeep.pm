package Swarmkeep;

# A client of Swarmkeep's API: one file, of modules that come with Perl (5.14 or newer; https needs
# IO::Socket::SSL).
#
#   use lib '.';
#   use Swarmkeep;
#
#   my $swarmkeep = Swarmkeep->new('https://swarm.example.org', token => '...');
#   my $next = $swarmkeep->torrents(q => 'rain');
#   while (my $torrent = $next->()) { print "$torrent->{title}\n" }
#
# A token is made on the site, under your name. Answers are hashes as docs/generated/api.md describes them;
# routes without a method of their own are reached by `call`. What is refused dies with a Swarmkeep::Problem.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use HTTP::Tiny;
use JSON::PP;

our $VERSION = '1.0.0';

my $API  = '/api/v1';
my $JSON = JSON::PP->new->utf8->canonical;

sub new {
    my ($class, $url, %options) = @_;
    $url =~ s{/+$}{};
    my $http = HTTP::Tiny->new(
        agent        => "swarmkeep-perl/$VERSION",
        max_redirect => 0,
        timeout      => $options{timeout} // 60,
        verify_SSL   => 1,
    );
    return bless { url => $url, token => $options{token}, http => $http }, $class;
}

# Who the token acts for, what they gave and took.
sub me { my ($self) = @_; return $self->call('GET', "$API/me") }

# A function that returns every torrent that fits, one after the other, then undef: q, category, tags, sort,
# seeds, mine, limit.
sub torrents { my ($self, %filters) = @_; return $self->pages("$API/torrents", %filters) }

sub torrent {
    my ($self, $info_hash) = @_;
    return $self->call('GET', "$API/torrents/" . _part($info_hash));
}

# Words: title, category, tags (with commas between), description.
sub add_torrent {
    my ($self, $torrent_file, %words) = @_;
    my %sent = (query => \%words, body => $torrent_file, type => 'application/x-bittorrent');
    return $self->call('POST', "$API/torrents", %sent);
}

# The .torrent with the member's own announce URLs.
sub torrent_file {
    my ($self, $info_hash) = @_;
    return $self->call('GET', "$API/torrents/" . _part($info_hash) . '/file');
}

sub remove_torrent {
    my ($self, $info_hash, $reason) = @_;
    my $path = "$API/torrents/" . _part($info_hash);
    return $self->call('DELETE', $path, query => { reason => $reason });
}

# Stores at most 16 MiB and returns their name; they are on disk then.
sub put_blob {
    my ($self, $content) = @_;
    my $ref = blob_ref($content);
    my %sent = (body => $content, type => 'application/octet-stream');
    $self->call('PUT', "/api/store/blobs/$ref", %sent);
    return $ref;
}

# The bytes of that name, compared with it.
sub get_blob {
    my ($self, $ref) = @_;
    my $content = $self->call('GET', '/api/store/blobs/' . _part($ref));
    die "The bytes are not those of $ref\n" if blob_ref($content) ne $ref;
    return $content;
}

sub shares { my ($self) = @_; return $self->pages("$API/me/shares") }

# Items are { infoHash => ..., entry => ... }; options: label, password, downloadsMax.
sub make_share {
    my ($self, $items, %options) = @_;
    return $self->call('POST', "$API/me/shares", value => { items => $items, %options });
}

sub revoke_share { my ($self, $id) = @_; return $self->call('DELETE', "$API/me/shares/$id") }

# A function that returns every item of a list, one after the other, then undef.
sub pages {
    my ($self, $path, %query) = @_;
    my @items;
    my $is_last = 0;
    return sub {
        while (!@items && !$is_last) {
            my $page = $self->call('GET', $path, query => \%query);
            push @items, @{ $page->{items} };
            $query{cursor} = $page->{nextCursor};
            $is_last = !defined $page->{nextCursor};
        }
        return shift @items;
    };
}

# JSON is returned as what it says, nothing as undef, anything else as bytes.
sub call {
    my ($self, $method, $path, %sent) = @_;
    my $url = $self->{url} . $path;
    my %query = %{ $sent{query} // {} };
    $url .= '?' . $self->{http}->www_form_urlencode(\%query) if %query;
    my $body = defined $sent{value} ? $JSON->encode($sent{value}) : $sent{body};
    my %headers;
    $headers{authorization} = "Bearer $self->{token}" if defined $self->{token};
    $headers{'content-type'} = $sent{type} // 'application/json' if defined $body;
    my %request = (headers => \%headers, defined $body ? (content => $body) : ());
    my $response = $self->{http}->request($method, $url, \%request);
    my $status = $response->{status};
    # 599 is HTTP::Tiny's own: nobody answered.
    die "Cannot reach $self->{url}: $response->{content}" if $status == 599;
    die Swarmkeep::Problem->new($status, $response->{content}) if $status >= 300;
    return undef if $status == 204;
    my $type = $response->{headers}{'content-type'} // '';
    my $is_json = $type =~ m{^application/json\b};
    return $is_json ? $JSON->decode($response->{content}) : $response->{content};
}

# The name of bytes in the store.
sub blob_ref { my ($content) = @_; return 'sha256-' . sha256_hex($content) }

sub _part {
    my ($text) = @_;
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

# What was refused: `status` of HTTP, `code` for programs, `errors` by field.
package Swarmkeep::Problem;

use overload '""' => sub { my ($self) = @_; return "$self->{detail}\n" }, fallback => 1;

sub new {
    my ($class, $status, $content) = @_;
    my $said = eval { JSON::PP->new->utf8->decode($content) };
    $said = {} if ref $said ne 'HASH';
    # The site says what is wrong at the top, the store below `error`.
    $said = $said->{error} if ref $said->{error} eq 'HASH';
    my $detail = $said->{detail} // $said->{message} // "The server answered $status";
    my %self = (status => $status, code => $said->{code} // 'failed', detail => $detail);
    return bless { %self, errors => $said->{errors} // [] }, $class;
}

sub status { return $_[0]{status} }
sub code   { return $_[0]{code} }
sub errors { return $_[0]{errors} }

1;
