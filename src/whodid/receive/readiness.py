"""Whether events can be taken, and whether they can be stored and found: what a balancer has to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import select

from whodid.directory import Directory, tables
from whodid.errors import WhodidError
from whodid.stores.base import Store

LAG_SECONDS_MAX: Final = 300.0
STORE_ANSWERS_MS: Final = 3_000

Of = Literal["receiving", "answering"]


class Problem(NamedTuple):
    """What is wrong. Without `receiving` nothing can be posted; without `answering` only questions suffer, because
    what is posted waits in the journal."""

    of: Of
    text: str


def questions(store: Store, directory: Directory) -> dict[str, Callable[[], object]]:
    """What has to be asked of those that may be away; `problems` takes the answers."""
    return {"store": partial(_ask_store, store), "directory": partial(_ask_directory, directory)}


def problems(
    journal: Mapping[str, Any], writer: Mapping[str, Any], answers: Mapping[str, object], *, stopping: bool
) -> list[Problem]:
    """What keeps a server from being ready.

    journal, writer  their status, as plain values.
    answers          those to `questions`; a `WhodidError` from whoever is away.
    """
    return [*receiving_problems(journal, stopping=stopping), *_answering_problems(writer, answers)]


def receiving_problems(journal: Mapping[str, Any], *, stopping: bool) -> Iterator[Problem]:
    """What keeps events from being taken: nothing here waits."""
    if stopping:
        yield Problem("receiving", "The server is stopping: it finishes what it has accepted.")
    if refusal := journal.get("refusal"):
        yield Problem("receiving", f"The journal takes nothing: {refusal}")
    elif journal.get("disk_free_bytes", 1) < journal.get("disk_free_bytes_min", 0):
        yield Problem(
            "receiving",
            f"The disk is full: {journal['disk_free_bytes']:,} bytes are left, "
            f"{journal['disk_free_bytes_min']:,} are kept in reserve.",
        )
    if journal.get("backlog_bytes", 0) >= (journal.get("backlog_bytes_max") or float("inf")):
        yield Problem("receiving", f"The journal is full: {journal['backlog_bytes']:,} bytes wait for the store.")


def _answering_problems(writer: Mapping[str, Any], answers: Mapping[str, object]) -> Iterator[Problem]:
    if (writer.get("lag_seconds") or 0) > LAG_SECONDS_MAX:
        yield Problem("answering", f"The store is more than {LAG_SECONDS_MAX:.0f} s behind.")
    for part in ("store", "directory"):
        if isinstance(away := answers[part], WhodidError):
            yield Problem("answering", f"The {part} does not answer: {away.message}")


def _ask_store(store: Store) -> None:
    store.query("SELECT 1 AS one", timeout_ms=STORE_ANSWERS_MS, trusted=True)


def _ask_directory(directory: Directory) -> None:
    with directory.reading() as connection:
        connection.execute(select(tables.directory_state.c.epoch)).scalar_one()
