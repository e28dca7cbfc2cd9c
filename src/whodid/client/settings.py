"""What a Logger can be told about how it carries events, with defaults that suit most programs."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import sys
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from whodid.client.buffer import Overflow
from whodid.client.transport import address_of
from whodid.errors import WhodidError

SERVER_VARIABLE: Final = "WHODID_SERVER"
KEY_VARIABLE: Final = "WHODID_KEY"
SPOOL_VARIABLE: Final = "WHODID_SPOOL"


class Settings(Struct, kw_only=True, frozen=True):
    """How events are carried; see `Logger` for what each means."""

    url: str
    key: str | None = None
    overflow: Overflow = "drop"
    buffer_events_max: int = 100_000
    buffer_bytes_max: int = 64 * 1024 * 1024
    batch_events_max: int = 1_000
    batch_bytes_max: int = 1024 * 1024
    flush_interval_ms: int = 1_000
    request_timeout_ms: int = 10_000
    retry_min_ms: int = 200
    retry_max_ms: int = 30_000
    refused_pause_ms: int = 300_000
    exit_timeout_ms: int = 5_000
    spool: Path | None = None
    spool_bytes_max: int = 512 * 1024 * 1024
    policy: bool = True
    tls: Any = None

    def __repr__(self) -> str:
        return f"Settings(url={self.url!r})"


def settings_of(url: str | None, key: str | None, spool: str | Path | bool | None, more: dict[str, Any]) -> Settings:
    """Settings as given, else from `WHODID_SERVER`, `WHODID_KEY`, `WHODID_SPOOL`, else defaults.

    Raises
    ------
    WhodidError("invalid")
        No server, or an option with a value it cannot have; the message names it.
    """
    server = url or os.environ.get(SERVER_VARIABLE)
    if not server:
        raise WhodidError(
            "invalid",
            "The Logger was not told its server.",
            f"Give its URL, or set {SERVER_VARIABLE} (and {KEY_VARIABLE}).",
        )
    address_of(server)
    settings = Settings(
        url=server,
        # Keys come out of files with a line break behind them.
        key=(key or os.environ.get(KEY_VARIABLE) or "").strip() or None,
        spool=_spool_folder(server, spool),
        **more,
    )
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.key and not all(" " <= letter <= "~" for letter in settings.key):
        raise WhodidError("invalid", "The key holds a line break or a letter that no key has.", "Copy it again.")
    if settings.overflow not in ("drop", "block", "raise"):
        raise WhodidError("invalid", f"overflow is {settings.overflow!r}.", 'Choose "drop", "block" or "raise".')
    if settings.tls is not None and not isinstance(settings.tls, ssl.SSLContext):
        raise WhodidError("invalid", "tls is no ssl.SSLContext.", "Make one with ssl.create_default_context().")
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if name.endswith(("_max", "_ms", "_bytes")) and (not isinstance(value, int) or value < 1):
            raise WhodidError("invalid", f"{name} is {value!r}.", "It takes a whole number from 1 on.")
    for name, limit in (("batch_events_max", 10_000), ("batch_bytes_max", 16 * 1024 * 1024)):
        if getattr(settings, name) > limit:
            raise WhodidError("invalid", f"{name} is beyond {limit:,}.", "The server takes no larger requests.")


def _spool_folder(url: str, given: str | Path | bool | None) -> Path | None:
    """The folder of one server and program, within what was given or the user's own state folder."""
    if given is False:
        return None
    if given is None or given is True:
        given = os.environ.get(SPOOL_VARIABLE) or _state_folder()
    return Path(given) / _name_of(url) if given else None


def _state_folder() -> Path | None:
    state = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA")
    if state:
        return Path(state) / "whodid" / "spool"
    try:
        return Path.home() / ".local" / "state" / "whodid" / "spool"
    except RuntimeError:
        return None


def _name_of(url: str) -> str:
    parts = address_of(url)
    program = Path(sys.argv[0] if sys.argv else "").stem or "python"
    if program in ("-c", "-m", "__main__"):
        program = Path(sys.argv[0]).parent.name or "python"
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{parts.hostname}-{parts.port or parts.scheme}-{digest}-{program}")
