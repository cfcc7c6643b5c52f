# A client of Swarmkeep's API: one file, of Ruby's standard library (2.7 or newer).
#
#   require_relative "swarmkeep"
#
#   swarmkeep = Swarmkeep.new("https://swarm.example.org", token: "...")
#   swarmkeep.torrents(q: "rain").each { |torrent| puts torrent["title"] }
#
# A token is made on the site, under your name. Answers are hashes as docs/generated/api.md describes them;
# routes without a method of their own are reached by `call`. What is refused raises Swarmkeep::Problem.

require "digest"
require "erb"
require "json"
require "net/http"
require "uri"

class Swarmkeep
  API = "/api/v1".freeze

  # What was refused: `status` of HTTP, `code` for programs, `errors` by field.
  class Problem < StandardError
    attr_reader :status, :code, :errors

    def initialize(status, said)
      # The site says what is wrong at the top, the store below `error`.
      said = said.fetch("error", said)
      @status = status
      @code = said.fetch("code", "failed")
      @errors = said.fetch("errors", [])
      super(said["detail"] || said["message"] || "The server answered #{status}")
    end
  end

  # The name of bytes in the store.
  def self.blob_ref(content)
    "sha256-#{Digest::SHA256.hexdigest(content)}"
  end

  def initialize(url, token: nil, timeout: 60)
    @url = url.chomp("/")
    @token = token
    @timeout = timeout
  end

  # Who the token acts for, what they gave and took.
  def me
    call("GET", "#{API}/me")
  end

  # Every torrent that fits, page after page: q, category, tags, sort, seeds, mine, limit.
  def torrents(**filters)
    pages("#{API}/torrents", filters)
  end

  def torrent(info_hash)
    call("GET", "#{API}/torrents/#{part(info_hash)}")
  end

  # Words: title, category, tags (with commas between), description.
  def add_torrent(torrent_file, **words)
    call("POST", "#{API}/torrents", query: words, body: torrent_file, type: "application/x-bittorrent")
  end

  # The .torrent with the member's own announce URLs.
  def torrent_file(info_hash)
    call("GET", "#{API}/torrents/#{part(info_hash)}/file")
  end

  def remove_torrent(info_hash, reason)
    call("DELETE", "#{API}/torrents/#{part(info_hash)}", query: { reason: reason })
  end

  # Stores at most 16 MiB and returns their name; they are on disk then.
  def put_blob(content)
    ref = self.class.blob_ref(content)
    call("PUT", "/api/store/blobs/#{ref}", body: content, type: "application/octet-stream")
    ref
  end

  # The bytes of that name, compared with it.
  def get_blob(ref)
    content = call("GET", "/api/store/blobs/#{part(ref)}")
    raise "The bytes are not those of #{ref}" if self.class.blob_ref(content) != ref

    content
  end

  def shares
    pages("#{API}/me/shares", {})
  end

  # Items are { infoHash:, entry: }; options: label, password, downloadsMax.
  def make_share(items, days:, **options)
    call("POST", "#{API}/me/shares", value: { items: items, days: days, **options })
  end

  def revoke_share(id)
    call("DELETE", "#{API}/me/shares/#{id}")
  end

  # Every item of a list.
  def pages(path, query)
    Enumerator.new do |items|
      cursor = {}
      loop do
        page = call("GET", path, query: query.merge(cursor))
        page["items"].each { |item| items << item }
        break if page["nextCursor"].nil?

        cursor = { cursor: page["nextCursor"] }
      end
    end
  end

  # JSON is returned as what it says, nothing as nil, anything else as bytes.
  def call(method, path, query: {}, value: nil, body: nil, type: "application/json")
    body = JSON.generate(value) unless value.nil?
    uri = URI(@url + path)
    uri.query = URI.encode_www_form(query) unless query.empty?
    request = Net::HTTPGenericRequest.new(method, !body.nil?, true, uri)
    request["Authorization"] = "Bearer #{@token}" unless @token.nil?
    unless body.nil?
      request["Content-Type"] = type
      request.body = body
    end
    options = { use_ssl: uri.scheme == "https", open_timeout: @timeout, read_timeout: @timeout }
    response = Net::HTTP.start(uri.hostname, uri.port, **options) { |http| http.request(request) }
    status = response.code.to_i
    raise Problem.new(status, said(response.body)) if status >= 300
    return nil if status == 204

    response.content_type == "application/json" ? JSON.parse(response.body) : response.body
  end

  private

  def part(text)
    ERB::Util.url_encode(text)
  end

  def said(content)
    parsed = JSON.parse(content.to_s)
    parsed.is_a?(Hash) ? parsed : {}
  rescue JSON::ParserError
    {}
  end
end
