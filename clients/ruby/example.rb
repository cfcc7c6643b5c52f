# Uploads a .torrent, looks for it, keeps a blob and makes a share.
#
#   SWARMKEEP_URL=http://127.0.0.1:8080 SWARMKEEP_TOKEN=... ruby example.rb survey.torrent KEPT-HASH

require_relative "swarmkeep"

swarmkeep = Swarmkeep.new(ENV.fetch("SWARMKEEP_URL"), token: ENV.fetch("SWARMKEEP_TOKEN"))
puts "name #{swarmkeep.me["name"]}"

added = swarmkeep.add_torrent(File.binread(ARGV[0]), title: "Survey by example", tags: "example")
info_hash = added["torrent"]["infoHash"]
puts "added #{added["torrent"]["title"]}"
swarmkeep.torrents(q: "survey by example", limit: 1).each { |one| puts "found #{one["title"]}" }
puts "file #{swarmkeep.torrent_file(info_hash).include?("announce") ? "True" : "False"}"

ref = swarmkeep.put_blob("hello")
puts "blob #{ref} #{swarmkeep.get_blob(ref)}"

share = swarmkeep.make_share([{ infoHash: ARGV[1] }], days: 7, password: "open the door")
listed = swarmkeep.shares.any? { |one| one["id"] == share["id"] }
puts "share #{share["url"].include?("/s/") ? "True" : "False"} #{listed ? "True" : "False"}"
swarmkeep.revoke_share(share["id"])

swarmkeep.remove_torrent(info_hash, "it was an example")
begin
  swarmkeep.torrent("0" * 40)
rescue Swarmkeep::Problem => e
  puts "refused #{e.status} #{e.code}"
end
