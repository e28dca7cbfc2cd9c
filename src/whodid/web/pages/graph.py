"""A graph drawn from left to right: where a thing comes from, and where it goes on. Layers are steps from the thing."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from whodid.web import words
from whodid.web.pages.links import entity_link

NODE_WIDTH: Final = 168
NODE_HEIGHT: Final = 40
# Between columns; where there are many of them they stand closer.
_ACROSS: Final = 72
_ACROSS_CLOSE: Final = 48
_COLUMNS_WIDE: Final = 5
_DOWN: Final = 14
_MARGIN: Final = 8
# What the head of an arrow takes, and a little air.
_ARROW: Final = 9
_LINE_HEIGHT: Final = 12
_CHARACTER_WIDTH: Final = 7
# With room before and behind it.
_LABEL_MAX: Final = (NODE_WIDTH - 20) // _CHARACTER_WIDTH
NODES_MAX: Final = 120
# What screens of 1,200 and of 1,400 px have room for when drawn at three quarters of its size or more; text is still
# readable then.
_FITS_WIDTHS: Final = {"fits": 1_240, "fits-wide": 1_500}


class Node(NamedTuple):
    """A thing and its place; `is_subject` for the one the page is about."""

    x: float
    y: float
    name: str
    label: str
    kind: str
    href: str
    is_subject: bool


class Edge(NamedTuple):
    """A way between two things, as an SVG path; `title` tells of its runs, `has_failed` of the last of them. Its `age`
    stands at `x`, `y`, which is where the text begins or ends (`anchor`)."""

    path: str
    title: str
    has_failed: bool
    age: str
    x: float
    y: float
    anchor: str


class Graph(NamedTuple):
    """Nodes and edges in a box."""

    width: float
    height: float
    nodes: list[Node]
    edges: list[Edge]
    left_out: int

    @property
    def fits(self) -> str:
        """The class of drawings that a screen shows whole, a little smaller where it has to; "" where none does."""
        return next((name for name, width in _FITS_WIDTHS.items() if self.width <= width), "")


Name = tuple[str, str]


def graph(rows: Sequence[Mapping[str, Any]], subject: Name) -> Graph:
    """The graph of rows with `from_type from_id from_name to_type to_id to_name depth runs failed last`."""
    names: dict[Name, str] = {subject: subject[1]}
    depths: dict[Name, int] = {subject: 0}
    ways: dict[tuple[Name, Name], Mapping[str, Any]] = {}
    for row in rows:
        begin, end = (row["from_type"], row["from_id"]), (row["to_type"], row["to_id"])
        names[begin] = row["from_name"] or begin[1]
        names[end] = row["to_name"] or end[1]
        ways[begin, end] = row
        depth = row["depth"]
        depths.setdefault(begin, depth if depth < 0 else depth - 1)
        depths.setdefault(end, depth + 1 if depth < 0 else depth)
    kept = sorted(depths, key=lambda one: (abs(depths[one]), names[one]))[:NODES_MAX]
    left_out = len(depths) - len(kept)
    places = _places({one: depths[one] for one in kept}, list(ways))
    nodes = [
        Node(x, y, names[one], _short(names[one]), one[0], entity_link(*one), one == subject)
        for one, (x, y) in places.items()
    ]
    edges = [
        _edge(places[begin], places[end], row)
        for (begin, end), row in ways.items()
        if begin in places and end in places
    ]
    width = max(x for x, _ in places.values()) + NODE_WIDTH + _MARGIN
    height = max(y for _, y in places.values()) + NODE_HEIGHT + _MARGIN
    return Graph(width, height, nodes, _apart(edges), left_out)


def _places(depths: Mapping[Name, int], ways: Sequence[tuple[Name, Name]]) -> dict[Name, tuple[float, float]]:
    """A column for each depth; within it, things lie near what they are joined with."""
    layers: dict[int, list[Name]] = {}
    for name, depth in depths.items():
        layers.setdefault(depth, []).append(name)
    tallest = max(len(layer) for layer in layers.values())
    full = tallest * (NODE_HEIGHT + _DOWN)
    rows: dict[Name, float] = {}
    for depth in sorted(layers, key=abs):
        layer = layers[depth]
        near = {name: _near(name, ways, rows) for name in layer}
        layer.sort(key=lambda name: near[name])
        gap = full / len(layer)
        for place, name in enumerate(layer):
            rows[name] = gap * (place + 0.5)
    columns = {depth: place for place, depth in enumerate(sorted(layers))}
    step = NODE_WIDTH + (_ACROSS if len(columns) <= _COLUMNS_WIDE else _ACROSS_CLOSE)
    return {name: (_MARGIN + columns[depths[name]] * step, _MARGIN + rows[name] - NODE_HEIGHT / 2) for name in depths}


def _near(name: Name, ways: Sequence[tuple[Name, Name]], rows: Mapping[Name, float]) -> float:
    beside = [end if begin == name else begin for begin, end in ways if name in (begin, end)]
    known = [rows[one] for one in beside if one in rows]
    return sum(known) / len(known) if known else 0.0


def _edge(begin: tuple[float, float], end: tuple[float, float], row: Mapping[str, Any]) -> Edge:
    """A way from the side of one thing that faces the other; its age stands where fewest ways meet."""
    onward = end[0] > begin[0]
    x1, y1 = begin[0] + (NODE_WIDTH if onward else 0), begin[1] + NODE_HEIGHT / 2
    x2, y2 = end[0] + (0 if onward else NODE_WIDTH), end[1] + NODE_HEIGHT / 2
    bend = max(24.0, abs(x2 - x1) / 2) * (1 if onward else -1)
    path = f"M{x1:.0f} {y1:.0f} C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    last = row.get("last")
    age = words.ago(last).removesuffix(" ago") if isinstance(last, datetime) else ""
    failed = row.get("failed") or 0
    title = f"{words.count(row.get('runs'))} runs, {words.count(failed)} failed, last {words.ago(last)}"
    at_end = row["depth"] > 0
    x, y = (x2, _on_curve((y1, y1, y2, y2), 0.8)) if at_end else (x1, _on_curve((y1, y1, y2, y2), 0.2))
    to_the_left = at_end == onward
    anchor = "end" if to_the_left else "start"
    return Edge(path, title, bool(failed), age, x + (-_ARROW if to_the_left else _ARROW), y, anchor)


def _apart(edges: Sequence[Edge]) -> list[Edge]:
    """The ways, from top to bottom, with an age moved down where it would stand on another."""
    moved: list[Edge] = []
    for edge in sorted(edges, key=lambda one: (one.y, one.x)):
        for one in moved:
            if _overlap(edge, one):
                edge = edge._replace(y=one.y + _LINE_HEIGHT)
        insort(moved, edge, key=lambda one: one.y)
    return moved


def _overlap(one: Edge, other: Edge) -> bool:
    (begin, end), (other_begin, other_end) = _reach(one), _reach(other)
    return abs(one.y - other.y) < _LINE_HEIGHT and begin < other_end and other_begin < end


def _reach(edge: Edge) -> tuple[float, float]:
    """Where the age of a way begins and ends, from left to right."""
    width = _CHARACTER_WIDTH * len(edge.age)
    return (edge.x - width, edge.x) if edge.anchor == "end" else (edge.x, edge.x + width)


def _on_curve(points: tuple[float, float, float, float], part: float) -> float:
    """A coordinate of a cubic curve, so much of the way along it."""
    rest = 1 - part
    first, second, third, fourth = points
    return rest**3 * first + 3 * rest**2 * part * second + 3 * rest * part**2 * third + part**3 * fourth


def _short(name: str) -> str:
    printed = words.plain(name)
    return printed if len(printed) <= _LABEL_MAX else f"{printed[: _LABEL_MAX - 1]}…"
