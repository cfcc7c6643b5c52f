"""Uploads a .torrent, looks for it, keeps a blob and makes a share.

    SWARMKEEP_URL=http://127.0.0.1:8080 SWARMKEEP_TOKEN=... python3 example.py survey.torrent KEPT-HASH
"""

import os
import sys

from swarmkeep import Problem, Swarmkeep

swarmkeep = Swarmkeep(os.environ["SWARMKEEP_URL"], os.environ["SWARMKEEP_TOKEN"])
print("name", swarmkeep.me()["name"])

with open(sys.argv[1], "rb") as file:
    added = swarmkeep.add_torrent(file.read(), title="Survey by example", tags="example")
info_hash = added["torrent"]["infoHash"]
print("added", added["torrent"]["title"])
for torrent in swarmkeep.torrents(q="survey by example", limit=1):
    print("found", torrent["title"])
print("file", b"announce" in swarmkeep.torrent_file(info_hash))

ref = swarmkeep.put_blob(b"hello")
print("blob", ref, swarmkeep.get_blob(ref).decode())

share = swarmkeep.make_share([{"infoHash": sys.argv[2]}], days=7, password="open the door")
print("share", "/s/" in share["url"], any(one["id"] == share["id"] for one in swarmkeep.shares()))
swarmkeep.revoke_share(share["id"])

swarmkeep.remove_torrent(info_hash, "it was an example")
try:
    swarmkeep.torrent("0" * 40)
except Problem as problem:
    print("refused", problem.status, problem.code)
