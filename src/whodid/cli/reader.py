"""The reader of the place that the shared options name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from whodid.cli.options import Place

if TYPE_CHECKING:
    from whodid.reading import Reader


def reader_of(place: Place) -> Reader:
    """Use it as a context manager; raises as `whodid.open` does."""
    from whodid.reading import open as open_reader

    config = place.config()
    if config.server:
        return open_reader(config.server, config.key or None)
    return open_reader(config.data, store=config.store)
