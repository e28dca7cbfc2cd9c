"""Whom a verb talks to: a server that was named, the server that owns the data folder, or the folder itself."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from whodid.cli.options import Place
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from whodid.config import Config
    from whodid.engine import Engine


# Loads are cut by their events (`datasets.sinks.LOAD_EVENTS`), which fill the store's row groups; by bytes only where
# events are long.
_BULK_BYTES: Final = 256 * 1024 * 1024
_BULK_AGE_MS: Final = 10_000
_COLLECT_AFTER: Final = (100_000, 50, 100)


class ServerAddress(NamedTuple):
    """A running server and the key to talk to it."""

    url: str
    key: str | None

    def __repr__(self) -> str:
        return f"ServerAddress({self.url!r})"


def named_server(config: Config) -> ServerAddress | None:
    """The server that `--server` names. Raises WhodidError("invalid") for what is no URL."""
    url = config.server.rstrip("/")
    if url and not url.lower().startswith(("http://", "https://")):
        raise WhodidError(
            "invalid",
            f"--server is {url!r}, which is no URL.",
            "Write it with http:// or https://: http://127.0.0.1:8400",
        )
    return ServerAddress(url, config.key or None) if url else None


def server_of(place: Place) -> ServerAddress | None:
    """The server to talk to, or None when the data folder is free.

    Raises
    ------
    WhodidError("invalid")
        The server that was named is no URL.
    WhodidError("conflict")
        Another process that is no server owns the folder: an import, for example.
    """
    config = place.config()
    if (named := named_server(config)) is not None:
        return named
    from whodid.journal.lock import owner

    other = owner(config.data_path)
    if other is None:
        return None
    if other.url is None:
        raise WhodidError(
            "conflict",
            f"{config.data_path} is in use by process {other.pid} ({other.command}).",
            "Wait until it is done, or use a server: with whodid serve, several can work at once.",
        )
    return ServerAddress(other.url, other.key)


def _spare_collections() -> None:
    """What is here now stays to the end of the program, and the many events to come form no cycles."""
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


@contextmanager
def engine_of(place: Place, *, make: bool = False, bulk: bool = False) -> Iterator[Engine]:
    """The engine on a data folder that nobody else owns; `make` it if it is not there yet.

    bulk  store in few large loads, which cost less, instead of letting events be found at once.

    Raises
    ------
    WhodidError("not_found")
        There is no whodid data in the folder.
    """
    from whodid.engine import Engine, data_folder, store_kind

    config = place.config()
    if bulk:
        config = place.config(
            segment_bytes_max=max(config.segment_bytes_max, _BULK_BYTES),
            segment_age_ms_max=max(config.segment_age_ms_max, _BULK_AGE_MS),
        )
        _spare_collections()
    if not make and store_kind(config) == "duckdb":
        data_folder(config.data)
    engine = Engine.open(config, bulk=bulk).worked_by_hand()
    try:
        yield engine
    finally:
        engine.close()
        # What was left alone would be left over when the interpreter ends, and the engine's client complains of that.
        gc.unfreeze()
