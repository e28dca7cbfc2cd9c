"""Numbered migrations: `sql/<kind>/NNNN_*.sql`, each applied once, in order, with its number recorded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from whodid.errors import WhodidError

FOLDER: Final = Path(__file__).parent / "sql"
_FILE_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")


class Migration(NamedTuple):
    """One step of a schema: its number, its name and its statements."""

    number: int
    name: str
    sql: str


def migrations(kind: str) -> tuple[Migration, ...]:
    """All migrations of a kind of store ("duckdb", "postgresql"), ascending from 1 without gaps."""
    found = [
        Migration(int(match[1]), match[2], path.read_text(encoding="utf-8"))
        for path in sorted((FOLDER / kind).glob("*.sql"))
        if (match := _FILE_NAME.fullmatch(path.name))
    ]
    numbers = [migration.number for migration in found]
    if numbers != list(range(1, len(found) + 1)):
        raise WhodidError("internal", f"The migrations of {kind} are numbered {numbers}, which has gaps.")
    return tuple(found)


def pending(kind: str, version: int, place: str, known: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The migrations that a store at `version` (0: empty) still lacks.

    Raises
    ------
    WhodidError("conflict")
        Permanent: the store at `place` was written by a newer whodid than this one.
    """
    all_of_kind = migrations(kind) if known is None else tuple(known)
    newest = all_of_kind[-1].number
    if version > newest:
        raise WhodidError(
            "conflict",
            f"The store {place} has version {version}; this whodid knows versions up to {newest}.",
            "Upgrade whodid, or restore the copy of the data that was made before the upgrade.",
        )
    return all_of_kind[version:]


def statement(kind: str, name: str) -> str:
    """The text of `sql/<kind>/<name>.sql`."""
    return (FOLDER / kind / f"{name}.sql").read_text(encoding="utf-8")


def statements(kind: str, name: str) -> dict[str, str]:
    """The statements of `sql/<kind>/<name>.sql` by the names on the lines `-- name: …` above them."""
    _, *parts = re.split(r"^-- name: (\w+)\n", statement(kind, name), flags=re.MULTILINE)
    return dict(zip(parts[::2], map(str.strip, parts[1::2]), strict=True))
