"""Where imported events go, and where it is kept how far files were read."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from whodid.cli.options import Place
from whodid.cli.owner import engine_of, server_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from whodid.datasets.sinks import Sink


def sink_of(place: Place, stack: ExitStack) -> Sink:
    """The sink of a place: a server, or the journal of this process; `stack` closes it."""
    from whodid.datasets.sinks import JournalSink, ServerSink

    server = server_of(place)
    if server is not None:
        sink = ServerSink(server.url, server.key)
        stack.callback(sink.close)
        return sink
    from whodid.journal.disk import DiskJournal

    engine = stack.enter_context(engine_of(place, make=True, bulk=True))
    journal = engine.journal
    return JournalSink(journal, engine.writer, seal=journal.seal if isinstance(journal, DiskJournal) else None)


def sink_later(place: Place, stack: ExitStack) -> Callable[[], Sink]:
    """What opens the sink of a place, which takes a while; that nobody else works there is made sure of at once."""
    if server_of(place) is None:
        place.config().data_path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return partial(sink_of, place, stack)


def state_folder(place: Place) -> Path:
    """Beside the events where these are, else in this user's own state folder, apart for each server."""
    from whodid.datasets.blocks import digest

    config = place.config()
    if not config.server:
        return config.data_path / "imports"
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "whodid" / "imports" / digest(config.server.rstrip("/").encode()).hex()[:16]
