"""The reader of the place that the shared options name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whodid.cli.options import Place
from whodid.cli.owner import named_server

if TYPE_CHECKING:
    from whodid.reading import Reader


def reader_of(place: Place) -> Reader:
    """Use it as a context manager; raises as `whodid.open` does."""
    from whodid.reading import open as open_reader

    config = place.config()
    if (named := named_server(config)) is not None:
        return open_reader(named.url, named.key)
    return open_reader(config.data, store=config.store)
