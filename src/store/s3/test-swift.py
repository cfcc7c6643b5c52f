"""OpenStack Swift with its S3 door, all in one process, for tests.

Usage: python3 test-swift.py FOLDER. Everything it keeps is in FOLDER. It listens on free ports of
127.0.0.1, prints the one of the S3 door on a line, and ends when its standard input does.
Key and secret: "test:tester" and "testing". Its parts wait long for each other: with Swift's usual
half second a busy machine would give listings that lack what was just put.
"""

import os
import sys

from swift.common import utils

FOLDER = sys.argv[1]
SWIFT_CONF = os.path.join(FOLDER, "swift.conf")
with open(SWIFT_CONF, "w") as conf:
    conf.write(
        "[swift-hash]\nswift_hash_path_suffix = test\n"
        "[storage-policy:0]\nname = p0\ndefault = yes\n"
    )
# Swift reads its policies from this file while it is imported, so it comes before everything else.
utils.SWIFT_CONF_FILE = SWIFT_CONF
utils.eventlet_monkey_patch()

import eventlet  # noqa: E402
import eventlet.wsgi  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402
from swift.common.utils import NullLogger, validate_hash_conf  # noqa: E402

COMMON = f"""[DEFAULT]
swift_dir = {FOLDER}
devices = {FOLDER}/devices
mount_check = false
log_level = ERROR
log_requests = false
log_address = {FOLDER}/no-syslog
conn_timeout = 60
node_timeout = 60
recoverable_node_timeout = 60
container_update_timeout = 60
"""
PROXY = """[pipeline:main]
pipeline = catch_errors gatekeeper bulk s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""


class Cache:
    """Stands for memcached: half of a request's work is asking for what was just asked for."""

    def __init__(self):
        self.kept = {}

    def get(self, key, raise_on_error=False):
        return self.kept.get(key)

    def set(self, key, value, **options):
        self.kept[key] = value

    def delete(self, key, server_key=None):
        self.kept.pop(key, None)

    def incr(self, key, delta=1, time=0):
        self.kept[key] = self.kept.get(key, 0) + delta
        return self.kept[key]


def main():
    validate_hash_conf()
    os.makedirs(os.path.join(FOLDER, "devices", "d1"))
    listeners = {}
    for kind in ("account", "container", "object"):
        listeners[kind] = eventlet.listen(("127.0.0.1", 0))
        ring = RingBuilder(4, 1, 1)
        ring.add_dev({
            "region": 1, "zone": 1, "device": "d1", "weight": 1, "meta": "",
            "ip": "127.0.0.1", "port": listeners[kind].getsockname()[1],
            "replication_ip": "127.0.0.1",
            "replication_port": listeners[kind].getsockname()[1],
        })
        ring.rebalance()
        ring.get_ring().save(os.path.join(FOLDER, f"{kind}.ring.gz"))
    for kind, listener in listeners.items():
        words = f"[app:main]\nuse = egg:swift#{kind}\n"
        serve(kind, words, listener)
    door = eventlet.listen(("127.0.0.1", 0), backlog=128)
    serve("proxy", PROXY, door)
    print(door.getsockname()[1], flush=True)
    eventlet.tpool.execute(sys.stdin.read)
    os._exit(0)


def serve(kind, words, listener):
    path = os.path.join(FOLDER, f"{kind}-server.conf")
    with open(path, "w") as conf:
        conf.write(COMMON + words)
    app = loadapp(path, global_conf={"log_name": kind})
    cache = Cache()

    def cached(environ, start_response):
        environ["swift.cache"] = cache
        return app(environ, start_response)

    eventlet.spawn(
        eventlet.wsgi.server, listener, cached, NullLogger(),
        protocol=SwiftHttpProtocol, capitalize_response_headers=False,
    )


main()
