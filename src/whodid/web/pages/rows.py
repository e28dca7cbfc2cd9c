"""What a page and a tile are: rows of data. A further tile is one row in `catalogue.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

Form = Literal["numbers", "chart", "table", "graph", "multiples", "part"]
Size = Literal["third", "half", "two-thirds", "whole"]

_WIDTHS: Final[dict[Size, int]] = {"third": 4, "half": 6, "two-thirds": 8, "whole": 12}
_SIZES: Final = {width: size for size, width in _WIDTHS.items()}
_ROOM: Final = 12
_TWO_ROWS: Final = 5

# Rows that a tile shows before "show all", by its height.
HEIGHT_USUAL: Final = 3


class Tile(NamedTuple):
    """One question on a page.

    Attributes
    ----------
    name
        Unique on its page; part of its address.
    report
        The report that answers it; for the form `part` what `parts.PARTS` has under this name.
    form
        How: a strip of numbers, a chart, a table, a graph, small charts side by side, or a part of its own.
    size
        Of the page's width, where there is room.
    height
        0 is a line of facts, 1 a strip of numbers, 2 is low, 3 usual, 4 tall. A table with fewer rows is lower.
    title
        The question, when it is not the report's own title.
    parameters
        Fixed parameters of the report; `{login}` and the like are what the page is about. Of a filter they are
        patterns with spaces between; one that begins with ! narrows further what the reader chose.
    columns
        What the table shows, in this order, or the measures of a strip of numbers; all when empty.
    sort
        Column that orders the table, with `-` for descending; the report's own order when empty.
    chart
        Instead of the chart of the report's header, in the same words: `line x=period y=events`.
    previous
        Whether the time before is drawn beside it, dotted.
    wraps
        Whether the table's texts are shown whole, over several lines.
    events
        What the events behind its marks are, besides what its parameters say.
    empty
        What it means that there is nothing, where that is an answer of its own.
    """

    name: str
    report: str
    form: Form = "table"
    size: Size = "half"
    height: int = HEIGHT_USUAL
    title: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    sort: str = ""
    chart: str = ""
    previous: bool = False
    wraps: bool = False
    events: tuple[tuple[str, str], ...] = ()
    empty: str = ""


def without_holes(tiles: Sequence[Tile]) -> list[Tile]:
    """Tiles of a page of which some were left out: the last of each row is as wide as there is room."""
    found: list[Tile] = []
    room = _ROOM
    beside = 0
    for place, tile in enumerate(tiles):
        if beside or tile.height == _TWO_ROWS:
            # A tile over two rows has two beside it.
            beside = 2 if tile.height == _TWO_ROWS else beside - 1
            found.append(tile)
            continue
        room -= _WIDTHS[tile.size]
        following = tiles[place + 1] if place + 1 < len(tiles) else None
        if following is None or following.height == _TWO_ROWS or _WIDTHS[following.size] > room:
            tile = tile._replace(size=_SIZES[_WIDTHS[tile.size] + room])
            room = _ROOM
        found.append(tile)
    return found


class Page(NamedTuple):
    """A page of tiles.

    `path` may hold what the page is about (`/users/{login}`); `under` is the path of the navigation that it lies
    under. One that is not `narrowed` shows everything of what it is about, whatever the filter bar said before. One
    that is not `counted` is about what no search of events finds by itself, so it does not say how many they are.
    """

    name: str
    path: str
    title: str
    tiles: tuple[Tile, ...]
    under: str = ""
    narrowed: bool = True
    counted: bool = True

    def tile(self, name: str) -> Tile | None:
        """The tile of this name."""
        return next((tile for tile in self.tiles if tile.name == name), None)

    @property
    def counting(self) -> Tile | None:
        """The tile that also tells how many events the page is about: its report takes no more than what that is."""
        of_all = (tile for tile in self.tiles if all("{" in value for _, value in tile.parameters))
        return next((tile for tile in of_all if tile.report == "overview"), None)
