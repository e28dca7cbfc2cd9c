"""Filling a data folder with the demo's story, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from whodid import demo
from whodid.directory.nodes import NodeSeen
from whodid.errors import WhodidError
from whodid.event import Event
from whodid.journal.base import Draft
from whodid.typed import decode

if TYPE_CHECKING:
    from whodid.directory import Directory
    from whodid.engine import Engine

DAYS_DEFAULT: Final = 90
SEED_DEFAULT: Final = 1
_FILE: Final = "demo.json"
_FRAME_EVENTS: Final = 2_000
_BUSY_WAIT_S: Final = 0.2
_STORED_TIMEOUT_S: Final = 600.0


class Story(Struct, kw_only=True):
    """Which story a folder holds, and whether it is told to its end."""

    events: int
    days: int
    seed: int
    end: datetime
    filled: bool = False


def story_of(folder: Path, *, events: int | None, days: int | None, seed: int | None) -> Story:
    """The story that a folder holds, or the one to fill it with.

    Raises
    ------
    WhodidError("conflict")
        The folder holds another story, or data that are no demo.
    """
    file = folder / _FILE
    if file.exists():
        held = decode(file.read_bytes(), Story)
        asked = (("events", events, held.events), ("days", days, held.days), ("seed", seed, held.seed))
        for name, wanted, present in asked:
            if wanted is not None and wanted != present:
                raise WhodidError(
                    "conflict",
                    f"{folder} holds a story with {name} {present}, not {wanted}.",
                    "Name another folder with --data, or delete this one.",
                )
        return held
    if (folder / "journal").exists():
        raise WhodidError(
            "conflict",
            f"{folder} holds data that are no demo.",
            "Name another folder with --data: nothing was changed.",
        )
    return Story(
        events=demo.EVENTS_DEFAULT if events is None else events,
        days=DAYS_DEFAULT if days is None else days,
        seed=SEED_DEFAULT if seed is None else seed,
        end=datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1),
    )


def fill(engine: Engine, folder: Path, story: Story, stop: threading.Event) -> None:
    """Tell a story into a data folder and wait until it is stored.

    Interrupted by `stop`, the next run tells the same story again: what is stored already changes nothing.
    """
    _write(folder, story)
    told = demo.generate(events=story.events, days=story.days, seed=story.seed, end=story.end)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as progress:
        bar = progress.add_task(f"Telling {story.days} days", total=story.events)
        nodes: dict[str, NodeSeen] = {}
        while run := list(islice(told, _FRAME_EVENTS)):
            if stop.is_set():
                return
            _append(engine, run, stop)
            _count_nodes(nodes, run)
            progress.advance(bar, len(run))
        progress.update(bar, description="Storing")
        engine.flush(_STORED_TIMEOUT_S)
        with _at_its_beginning(engine, story):
            _add_groups(engine.directory, story)
            _add_nodes(engine.directory, nodes)
        engine.flush(_STORED_TIMEOUT_S)
        progress.update(bar, description=f"Told {story.days} days", completed=story.events)
    story.filled = True
    _write(folder, story)


def _append(engine: Engine, run: list[Event], stop: threading.Event) -> None:
    draft = Draft(received_at=datetime.now(UTC), events=msgspec.json.encode(run), count=len(run))
    while not stop.is_set():
        try:
            engine.journal.append_blocking(draft)
        except WhodidError as error:
            if error.code != "busy":
                raise
            stop.wait(_BUSY_WAIT_S)
        else:
            return


def _count_nodes(nodes: dict[str, NodeSeen], run: list[Event]) -> None:
    for event in run:
        if event.node is not None:
            seen = nodes.setdefault(event.node, NodeSeen(node=event.node, at=event.time, node_type=event.node_type))
            seen.at = seen.last_event_at = event.time
            seen.events += 1


@contextmanager
def _at_its_beginning(engine: Engine, story: Story) -> Iterator[None]:
    """What the directory tells meanwhile is told at the beginning of the story, where it belongs."""
    directory = engine.directory
    began = story.end - timedelta(days=story.days)
    directory.on_change = lambda event: engine.record(msgspec.structs.replace(event, time=began))
    try:
        yield
    finally:
        directory.on_change = engine.record


def _add_groups(directory: Directory, story: Story) -> None:
    """The people's departments and divisions as nested groups, for filters by group."""
    present = {group.name for group in directory.groups()}
    seen = {user.login for user in directory.users(limit=10_000)}
    for group in demo.groups(events=story.events, days=story.days, seed=story.seed):
        if group.name not in present:
            directory.create_group(group.name, by="api:whodid demo")
        if group.parent:
            directory.add_member(group.parent, subgroup=group.name, by="api:whodid demo")
        for login in group.members:
            if login in seen:
                directory.add_member(group.name, user=login, by="api:whodid demo")


def _add_nodes(directory: Directory, nodes: dict[str, NodeSeen]) -> None:
    present = {node.node for node in directory.nodes(retired=True)}
    directory.note_nodes(seen for name, seen in nodes.items() if name not in present)


def _write(folder: Path, story: Story) -> None:
    (folder / _FILE).write_bytes(msgspec.json.encode(story))
