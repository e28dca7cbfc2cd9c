"""Users and groups out of CSV files."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from whodid.cli.terminal import print_error
from whodid.errors import WhodidError

if TYPE_CHECKING:
    from whodid.cli.backend import Backend

Row = dict[str, str]


def read_csv(file: Path, *, required: Sequence[str], known: Sequence[str]) -> list[tuple[int, Row]]:
    """Line number and fields of each row; empty fields are left out.

    Raises
    ------
    WhodidError("invalid")
        A column is missing or unknown, or it is no CSV in UTF-8.
    """
    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        reader.fieldnames = columns
        unknown, missing = sorted(set(columns) - set(known)), sorted(set(required) - set(columns))
        if unknown or missing:
            what = f"has a column {unknown[0]!r} too many" if unknown else f"has no column {missing[0]!r}"
            raise WhodidError("invalid", f"{file} {what}.", f"Columns: {', '.join(known)}.")
        rows = [
            (reader.line_num, {name: text.strip() for name, text in row.items() if name and text}) for row in reader
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise WhodidError("invalid", f"{file} is no CSV in UTF-8: {error}.", "Save it as CSV, UTF-8.") from error
    return [(line, row) for line, row in rows if any(row.values())]


def _filled(row: dict[str, str]) -> Row:
    return {name: text.strip() for name, text in row.items() if name and isinstance(text, str) and text.strip()}


def import_rows(rows: Sequence[tuple[int, Row]], take: Callable[[Row], str], what: str) -> int:
    """Take in rows one by one; a bad one is told with its line and the others go on. Returns the exit code."""
    from whodid.cli import DONE, DONE_IN_PART, FAILED

    done: dict[str, int] = {}
    failed = 0
    for line, row in rows:
        try:
            outcome = take(row)
            done[outcome] = done.get(outcome, 0) + 1
        except WhodidError as error:
            if error.code in ("unavailable", "unauthorized", "forbidden", "internal"):
                raise
            failed += 1
            print_error(WhodidError(error.code, f"Line {line}: {error.message}", error.hint))
    told = [f"{count:,} {what}{'s' if count != 1 else ''} {outcome}" for outcome, count in done.items()]
    print(", ".join([*told, *([f"{failed:,} refused"] if failed else [])]) or "Nothing to do.")
    if failed:
        return DONE_IN_PART if done else FAILED
    return DONE


def user_importer(backend: Backend) -> Callable[[Row], str]:
    """Makes or changes the user of a row and puts it into its groups."""
    groups: set[str] = set()

    def take(row: Row) -> str:
        login = _required(row, "login")
        fields = {name: value for name, value in row.items() if name not in ("login", "groups")}
        try:
            backend.ask("POST", "users", body={"login": login, **fields})
            outcome = "made"
        except WhodidError as error:
            if error.code != "conflict":
                raise
            if fields:
                backend.ask("PATCH", "users", login, body=fields)
            outcome = "changed"
        for name in filter(None, (part.strip() for part in row.get("groups", "").split(";"))):
            _make_group(backend, name, groups)
            _add(backend, name, {"user": login})
        return outcome

    return take


def group_importer(backend: Backend) -> Callable[[Row], str]:
    """Makes the group of a row and puts its member into it."""
    groups: set[str] = set()

    def take(row: Row) -> str:
        name = _required(row, "group")
        _make_group(backend, name, groups)
        if "subgroup" in row:
            _make_group(backend, row["subgroup"], groups)
        member = {"user": row.get("user"), "group": row.get("subgroup")}
        if any(member.values()):
            admin = row.get("admin", "").lower() in ("yes", "true", "1", "y")
            _add(backend, name, {key: value for key, value in member.items() if value} | {"is_admin": admin})
        return "taken"

    return take


def _required(row: Row, name: str) -> str:
    if name not in row:
        raise WhodidError("invalid", f"It has no {name}.")
    return row[name]


def _make_group(backend: Backend, name: str, known: set[str]) -> None:
    if name in known:
        return
    try:
        backend.ask("POST", "groups", body={"name": name})
    except WhodidError as error:
        if error.code != "conflict":
            raise
    known.add(name)


def _add(backend: Backend, group: str, member: dict[str, object]) -> None:
    try:
        backend.ask("POST", "groups", group, "members", body=member)
    except WhodidError as error:
        if error.code != "conflict":
            raise
