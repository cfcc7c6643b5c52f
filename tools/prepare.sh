#!/bin/sh
# npm's `prepare`: builds the addon in a checkout. Whatever happens it ends with 0 and installs nothing:
# without a compiler, or a Node that is new enough, the server runs on Node's own sockets.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 0
SWARMKEEP_NO_INSTALL=1 sh "$root/bin/node" "$root/tools/build-addon.ts" >&2 || :
exit 0
