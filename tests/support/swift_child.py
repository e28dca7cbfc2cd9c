"""OpenStack Swift with its S3 door in one process: account, container, object and proxy server, on one disk.

    python -m support.swift_child FOLDER [CLOCK_AHEAD_S]

Prints the port of the S3 door, and ends when its standard input does.
"""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any

import eventlet

eventlet.monkey_patch()

import eventlet.green.os  # noqa: E402
import eventlet.wsgi  # noqa: E402
import swift.common.utils as swift_utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402

_SWIFT = """
[swift-hash]
swift_hash_path_prefix = whodid
swift_hash_path_suffix = tests
[storage-policy:0]
name = p0
default = yes
"""
_DEFAULT = """
[DEFAULT]
bind_ip = 127.0.0.1
swift_dir = {etc}
devices = {devices}
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_level = ERROR
"""
_STORAGE = (
    _DEFAULT
    + """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
)
_PROXY = (
    _DEFAULT
    + """
[pipeline:main]
pipeline = catch_errors cache listing_formats s3api tempauth slo symlink versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:symlink]
use = egg:swift#symlink
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""
)


def serve(folder: Path) -> int:
    """Start all servers; the port of the S3 door."""
    etc, devices = folder / "etc", folder / "devices"
    etc.mkdir(parents=True)
    (devices / "sda1").mkdir(parents=True)
    (etc / "swift.conf").write_text(_SWIFT)
    swift_utils.SWIFT_CONF_FILE = str(etc / "swift.conf")
    # After the file's name is set: these read it when they are loaded.
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.wsgi import loadapp

    def started(name: str, text: str) -> int:
        path = etc / f"{name}.conf"
        path.write_text(text.format(name=name, etc=etc, devices=devices))
        listener = eventlet.listen(("127.0.0.1", 0))
        # Taken over by the connections: else every answer waits 40 ms for an acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if name != "proxy":
            _ring(etc, name, listener.getsockname()[1])
        waiting.append((listener, path))
        return int(listener.getsockname()[1])

    waiting: list[tuple[Any, Path]] = []
    for name in ("account", "container", "object"):
        started(name, _STORAGE)
    port = started("proxy", _PROXY)
    for listener, path in waiting:
        app = loadapp(str(path))
        eventlet.spawn(eventlet.wsgi.server, listener, app, log_output=False, protocol=SwiftHttpProtocol)
    return port


def _ring(etc: Path, name: str, port: int) -> None:
    builder = RingBuilder(4, 1, 0)
    device = {"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "sda1", "weight": 1.0}
    builder.add_dev({**device, "replication_ip": "127.0.0.1", "replication_port": port, "meta": ""})
    builder.rebalance()
    builder.get_ring().save(str(etc / f"{name}.ring.gz"))


def turn_clock(ahead_s: float) -> None:
    """Let this process believe that it is later."""
    real = time.time
    time.time = lambda: real() + ahead_s


if __name__ == "__main__":
    if len(sys.argv) > 2:
        turn_clock(float(sys.argv[2]))
    print(serve(Path(sys.argv[1])), flush=True)
    eventlet.green.os.read(0, 1)
