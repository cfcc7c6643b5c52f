"""A client of Swarmkeep's API: one file, of Python's standard library (3.9 or newer).

    from swarmkeep import Swarmkeep

    swarmkeep = Swarmkeep("https://swarm.example.org", token="...")
    for torrent in swarmkeep.torrents(q="rain"):
        print(torrent["title"], torrent["sizeBytes"])

A token is made on the site, under your name. Answers are dictionaries as docs/generated/api.md describes
them; routes without a method of their own are reached by `call`. What is refused raises `Problem`.
"""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterator, Mapping, Optional

API = "/api/v1"


class Problem(Exception):
    """What was refused: `status` of HTTP, `code` for programs, `errors` by field."""

    def __init__(self, status: int, said: Mapping[str, Any]) -> None:
        # The site says what is wrong at the top, the store below `error`.
        said = said.get("error", said)
        self.status = status
        self.code = said.get("code", "failed")
        self.errors = said.get("errors", [])
        super().__init__(said.get("detail") or said.get("message") or f"The server answered {status}")


class Swarmkeep:
    def __init__(self, url: str, token: Optional[str] = None, timeout: float = 60.0) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = timeout

    # Torrents

    def me(self) -> dict:
        """Who the token acts for, what they gave and took."""
        return self.call("GET", f"{API}/me")

    def torrents(self, **filters: Any) -> Iterator[dict]:
        """Every torrent that fits, page after page: q, category, tags, sort, seeds, mine, limit."""
        return self.pages(f"{API}/torrents", filters)

    def torrent(self, info_hash: str) -> dict:
        return self.call("GET", f"{API}/torrents/{_part(info_hash)}")

    def add_torrent(self, torrent_file: bytes, **words: str) -> dict:
        """Words: title, category, tags (with commas between), description."""
        return self.call(
            "POST",
            f"{API}/torrents",
            query=words,
            body=torrent_file,
            content_type="application/x-bittorrent",
        )

    def torrent_file(self, info_hash: str) -> bytes:
        """The .torrent with the member's own announce URLs."""
        return self.call("GET", f"{API}/torrents/{_part(info_hash)}/file")

    def remove_torrent(self, info_hash: str, reason: str) -> None:
        self.call("DELETE", f"{API}/torrents/{_part(info_hash)}", query={"reason": reason})

    # Blobs

    def put_blob(self, content: bytes) -> str:
        """Stores at most 16 MiB and returns their name; they are on disk then."""
        ref = blob_ref(content)
        self.call(
            "PUT",
            f"/api/store/blobs/{ref}",
            body=content,
            content_type="application/octet-stream",
        )
        return ref

    def get_blob(self, ref: str) -> bytes:
        """The bytes of that name, compared with it."""
        content = self.call("GET", f"/api/store/blobs/{_part(ref)}")
        if blob_ref(content) != ref:
            raise ValueError(f"The bytes are not those of {ref}")
        return content

    # Shares

    def shares(self) -> Iterator[dict]:
        return self.pages(f"{API}/me/shares", {})

    def make_share(self, items: list, days: int, **options: Any) -> dict:
        """Items are `{"infoHash": ..., "entry"?: ...}`; options: label, password, downloadsMax."""
        return self.call("POST", f"{API}/me/shares", value={"items": items, "days": days, **options})

    def revoke_share(self, share_id: int) -> None:
        self.call("DELETE", f"{API}/me/shares/{share_id}")

    # Everything else

    def pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict]:
        """Every item of a list."""
        cursor: Mapping[str, Any] = {}
        while True:
            page = self.call("GET", path, query={**query, **cursor})
            yield from page["items"]
            if page["nextCursor"] is None:
                return
            cursor = {"cursor": page["nextCursor"]}

    def call(
        self,
        method: str,
        path: str,
        query: Optional[Mapping[str, Any]] = None,
        value: Any = None,
        body: Optional[bytes] = None,
        content_type: str = "application/json",
    ) -> Any:
        """JSON is returned as what it says, nothing as None, anything else as bytes."""
        if value is not None:
            body = json.dumps(value).encode()
        url = self._url + path
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url, data=body, method=method)
        if self._token is not None:
            # Not sent on to another address that an answer leads to.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                content = response.read()
                kind = response.headers.get_content_type()
        except urllib.error.HTTPError as error:
            with error:
                raise Problem(error.code, _said(error.read())) from None
        if response.status == 204:
            return None
        return json.loads(content) if kind == "application/json" else content


def blob_ref(content: bytes) -> str:
    """The name of bytes in the store."""
    return "sha256-" + hashlib.sha256(content).hexdigest()


def _part(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _said(content: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(content)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
