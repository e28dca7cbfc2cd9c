"""What pages load: style sheet, scripts and the chart library, under names that change with their content."""

from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final, NamedTuple

from litestar import Response

from whodid.errors import WhodidError
from whodid.web.requests import Req, segments, services_of

CHARTS: Final = "vega.js"
_FILES: Final = {
    "whodid.css": "text/css",
    "settings.css": "text/css",
    "pages.js": "text/javascript",
    "charts.js": "text/javascript",
    "events.js": "text/javascript",
    "console.js": "text/javascript",
    "settings.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_FOREVER: Final = "public, max-age=31536000, immutable"
_SHORT: Final = "public, max-age=300"
# What the chart library's bundle gives to the pages. Its making takes a second and 90 MB: a process of its own does it.
_SNIPPET: Final = "window.vegaEmbed = vegaEmbed;"
_MAKE: Final = "import sys, vl_convert; sys.stdout.write(vl_convert.javascript_bundle(sys.argv[1]))"
_MAKING_S_MAX: Final = 60
_making = threading.Lock()


class Asset(NamedTuple):
    """A file as it is sent: plain and packed."""

    plain: bytes
    packed: bytes


@cache
def address_of(name: str) -> str:
    """The address of a file; another one whenever its content is another."""
    digest = hashlib.sha256(_charts_mark() if name == CHARTS else _own(name).plain).hexdigest()[:12]
    stem, _, suffix = name.rpartition(".")
    return f"/static/{stem}.{digest}.{suffix}"


async def static(request: Req) -> Response[bytes]:
    """A file that pages load."""
    asked = segments(request)[1]
    parts = asked.split(".")
    name = f"{parts[0]}.{parts[-1]}"
    if name not in _FILES and name != CHARTS:
        raise WhodidError("not_found", "There is nothing at this address.")
    if name == CHARTS:
        services = services_of(request)
        found = await services.call(charts_bundle, Path(services.config.data) / "cache")
    else:
        found = _own(name)
    kept = _FOREVER if f"/static/{asked}" == address_of(name) else _SHORT
    headers = {"cache-control": kept, "vary": "accept-encoding"}
    media_type = _FILES.get(name, "text/javascript")
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.packed, media_type=media_type, headers={**headers, "content-encoding": "gzip"})
    return Response(found.plain, media_type=media_type, headers=headers)


def charts_bundle(folder: Path) -> Asset:
    """The chart library: from `folder` or the user's cache if it was made before, else made and kept in both.

    Raises
    ------
    WhodidError("unavailable")
        It cannot be made; charts stay tables.
    """
    with _making:
        return _charts_bundle(folder)


@cache
def _charts_bundle(folder: Path) -> Asset:
    name = f"charts-{hashlib.sha256(_charts_mark()).hexdigest()[:12]}.js.gz"
    folders = (folder, _users_cache())
    for place in folders:
        with suppress(OSError, EOFError):
            packed = (place / name).read_bytes()
            return Asset(gzip.decompress(packed), packed)
    try:
        made = subprocess.run(
            [sys.executable, "-c", _MAKE, _SNIPPET], check=True, capture_output=True, timeout=_MAKING_S_MAX
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise WhodidError(
            "unavailable", f"The chart library cannot be made: {error}", "Is vl-convert-python installed?"
        ) from error
    packed = gzip.compress(made, 9)
    for place in folders:
        with suppress(OSError):
            _keep(place, name, packed)
    return Asset(made, packed)


def _users_cache() -> Path:
    """The cache of the user who runs this, so that another data folder's first charts come at once."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "whodid"


def _keep(folder: Path, name: str, content: bytes) -> None:
    """A file that is there whole or not at all, whoever else makes it at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(content)
    Path(file.name).replace(folder / name)


def _charts_mark() -> bytes:
    """What the bundle depends on, as making it only to name it would take a second."""
    return f"{version('vl-convert-python')} {_SNIPPET}".encode()


@cache
def _own(name: str) -> Asset:
    plain = (files("whodid.web") / "static" / name).read_bytes()
    return Asset(plain, gzip.compress(plain, 9))
