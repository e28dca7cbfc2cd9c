"""Pages of datasets: files of a connection with their format, looked into, by partitions, imported with progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from litestar import Response

from whodid.amounts import counted
from whodid.datasets import records
from whodid.datasets.dataset import CHARSETS, DEPTH, FORMATS, Dataset
from whodid.datasets.listing import Listing
from whodid.errors import WhodidError
from whodid.reading.cells import text_columns
from whodid.web import words
from whodid.web.datasets import PREVIEW_ROWS, begin_import, dataset_of, listing_of, read_of, usable
from whodid.web.events import recorded
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.forms import Field, shown
from whodid.web.pages.settings.common import (
    Failed,
    ask,
    asked,
    by,
    confirm,
    may_change,
    segment,
    sent,
    show,
    to,
    tried,
)
from whodid.web.requests import Req, segments, services_of

HERE: Final = "/settings/datasets"
ADD: Final = "/settings/add/datasets"
PARTITIONS_SHOWN: Final = 500
TEXT_MAX: Final = 200

_NAME: Final = Field("name", "Name", required=True, help="Letters, digits, . _ and -.")
_PARTS: Final[tuple[Field, ...]] = (
    Field("path", "Path", help="Below the connection's root; empty: all of it."),
    Field("format", "Format", "choice", required=True, choices=tuple((one, one) for one in FORMATS)),
    Field("partitioning", "Partitions", help="Pattern of the paths, such as /%Y/%M/%D/.*; empty: one of all.",
          placeholder="/%Y-%M-%D/.*"),
    Field("charset", "Charset", "choice", required=True, choices=tuple((one, one) for one in CHARSETS), more=True),
    Field("max_depth", "Depth", "whole", "How many levels of JSON objects become columns.", more=True),
    Field("description", "Description", more=True),
)  # fmt: skip
_STATES: Final = {"running": "", "done": "good", "failed": "bad"}


async def datasets(request: Req) -> Response[bytes]:
    """The datasets."""
    asked(request)
    services = services_of(request)
    found = await usable(request)
    rows = [
        [
            Item(one.name, f"{HERE}/{segment(one.name)}", note=one.description or ""),
            Item(one.connection, f"/settings/connections/{segment(one.connection)}"),
            Item(one.path or "/"),
            Item(one.format),
            Item(one.partitioning or "one"),
        ]
        for one in found
    ]
    heads = ("Dataset", "Connection", "Path", "Format", "Partitions")
    connections = await services.call(services.datasets.connections.all)
    if not may_change(request):
        empty = "There is none on a connection that you may use."
    else:
        empty = "None yet." if connections else "None yet. A dataset lies on a connection: add one first."
    add = (
        Button("Define a dataset", ADD, kind="main")
        if connections
        else Button("Add a connection", "/settings/connections")
    )
    return show(request, "Datasets", [Table("", heads, rows, empty)], buttons=[add])


async def new(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """The form of a dataset."""
    given = asked(request, "connection")
    fields = await _fields(request, is_new=True)
    values = {"connection": given["connection"], "format": "json", "charset": "utf8", "max_depth": str(DEPTH)}
    form = ask(failed, "dataset", ADD, fields, "Define the dataset", values)
    return show(request, "Define a dataset", [form], back=(HERE, "Datasets"), status=failed.status if failed else 200)


async def create(request: Req) -> Response[bytes]:
    """Define a dataset; nothing is copied."""
    services, given = services_of(request), await sent(request)
    fields = await _fields(request, is_new=True)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        made = await services.call(services.datasets.create, Dataset(**_values(values)), by=by(request))
        return to(f"{HERE}/{segment(made.name)}/preview", f"{made.name} is defined. These are its first rows:")

    return await tried(request, "dataset", fields, given, work, lambda failed: new(request, failed))


async def dataset(request: Req, failed: Failed | None = None) -> Response[bytes]:
    """One dataset."""
    asked(request)
    found = await dataset_of(request)
    here = f"{HERE}/{segment(found.name)}"
    fields = await _fields(request, is_new=False)
    values = {field.name: getattr(found, field.name) for field in fields}
    form = ask(failed, "dataset", here, fields, "Keep", shown(fields, values), title="What it is", open=False)
    blocks: list[Block] = [
        Facts(
            [
                ("Connection", found.connection, ""),
                ("Path", found.path or "/", ""),
                ("Format", found.format, ""),
                ("Partitions", found.partitioning or "one of all files", ""),
            ]
        ),
        form,
        Doing([Button("Delete", f"{here}/delete", kind="danger")]),
    ]
    buttons = [
        Button("Look into it", f"{here}/preview", kind="main"),
        Button("Partitions and import" if may_change(request) else "Partitions", f"{here}/partitions"),
    ]
    status = failed.status if failed else 200
    return show(request, found.name, blocks, buttons=buttons, back=(HERE, "Datasets"), lead=found.description or "",
                status=status)  # fmt: skip


async def change(request: Req) -> Response[bytes]:
    """Change a dataset."""
    services, name, given = services_of(request), segments(request)[2], await sent(request)
    fields = await _fields(request, is_new=False)

    async def work(values: dict[str, Any]) -> Response[bytes]:
        await services.call(services.datasets.change, name, _values(values), by=by(request))
        return to(f"{HERE}/{segment(name)}", "Kept.")

    return await tried(request, "dataset", fields, given, work, lambda failed: dataset(request, failed))


async def preview(request: Req) -> Response[bytes]:
    """The first rows of a dataset, and its columns."""
    asked(request)
    found, services = await dataset_of(request), services_of(request)
    back = (f"{HERE}/{segment(found.name)}", found.name)
    title = f"{found.name}: first rows"
    try:
        listing = await listing_of(request, found, {})
        async with recorded(request, "audit-read", f"dataset {found.name}", {"preview": True}):
            read = await services.call(read_of, request, found, listing, [], PREVIEW_ROWS)
    except WhodidError as error:
        if error.code == "internal":
            raise
        return show(request, title, [Text([error.message, error.hint or ""], "It cannot be read", "bad")], back=back)
    columns = records.schema_of(read.table)
    texts = text_columns(read.table)
    rows = [[_value(value) for value in values] for values in zip(*texts, strict=True)]
    files = sum(len(partition.files) for partition in listing.partitions)
    lead = f"{counted(len(listing.partitions), 'partition')} of {counted(files, 'file')}; {_outside(listing)}"
    blocks: list[Block] = [Table("", [one["name"] for one in columns], rows, "There are no rows.",
                                 f"The first {len(rows):,} rows." if read.truncated else "")]  # fmt: skip
    if read.passed_over:
        blocks.insert(0, Text([f"{counted(read.passed_over, 'record')} could not be read."], kind="warning"))
    described = [[Item(one["name"]), Item(str(one["type"]))] for one in columns]
    blocks.append(Table("Columns", ("Column", "Type"), described))
    return show(request, title, blocks, back=back, lead=lead)


async def partitions(request: Req, failed: str = "") -> Response[bytes]:
    """The partitions of a dataset; those that are ticked are imported."""
    given = asked(request, "refresh")
    found = await dataset_of(request)
    here = f"{HERE}/{segment(found.name)}"
    try:
        listing = await listing_of(request, found, {"refresh": [given["refresh"]]} if given["refresh"] else {})
    except WhodidError as error:
        told = Text([error.message, error.hint or ""], "It cannot be listed", "bad")
        return show(request, f"{found.name}: partitions", [told], back=(here, found.name))
    parts = listing.partitions
    rows = [
        [
            Item(one.name or "all"),
            Item(words.day(one.begins_at) if one.begins_at else ""),
            Item(words.count(len(one.files)), kind="number"),
            Item(words.size(one.size_bytes), kind="number"),
            Item(buttons=[Button("Import", f"{here}/imports", True, fields={"partition": one.name},
                                 label=f"Import {one.name}")]),
        ]
        for one in parts[:PARTITIONS_SHOWN]
    ]  # fmt: skip
    note = f"The first {PARTITIONS_SHOWN} of {len(parts):,}." if len(parts) > PARTITIONS_SHOWN else ""
    blocks: list[Block] = [Table("", ("Partition", "Begins", "#Files", "#Size", ""), rows, "No file matches.", note)]
    if failed:
        blocks.insert(0, Text([failed], "It cannot be imported", "bad"))
    size = words.size(sum(one.size_bytes for one in parts))
    every = Button(f"Import all: {size}", f"{here}/imports", True, kind="main", fields={"all": "1"})
    buttons = [*([every] if parts else []), Button("Look again", f"{here}/partitions?refresh=true")]
    lead = _outside(listing) + (" An import stores nothing twice." if may_change(request) else "")
    return show(request, f"{found.name}: partitions", blocks, buttons=buttons, back=(here, found.name), lead=lead)


async def start_import(request: Req) -> Response[bytes]:
    """Import a partition, or all of them, in the background."""
    given, found = await sent(request), await dataset_of(request)
    chosen = [given["partition"]] if given.get("partition") else []
    try:
        job = await begin_import(request, found, chosen, refresh=True)
    except WhodidError as error:
        if error.code == "internal":
            raise
        return await partitions(request, f"{error.message} {error.hint or ''}")
    return to(f"{HERE}/{segment(found.name)}/imports/{job.id}")


async def show_import(request: Req) -> Response[bytes]:
    """How far an import is; in the end what came of it."""
    asked(request)
    services, (_, _, name, _, which) = services_of(request), segments(request)
    job = services.dataset_imports.job(which)
    share = words.percent(job.bytes_done, job.size_bytes)
    is_partly = bool(job.error) and job.state == "done"
    state = "done, but not all of it could be read" if is_partly else job.state
    facts = Facts(
        [
            ("State", state, "bad" if job.error else _STATES[job.state]),
            ("Read", f"{words.size(job.bytes_done)} of {words.size(job.size_bytes)} ({share})", ""),
            ("Files", f"{job.files_done:,} of {job.files:,}", ""),
            ("Events", words.count(job.events), ""),
            ("Began", words.ago(job.started_at), ""),
        ]
    )
    blocks: list[Block] = [facts]
    if job.error:
        blocks.append(Text([job.error], "What could not be read" if is_partly else "Why it failed", "bad"))
    if job.summary is not None:
        blocks.append(_summary(job.summary))
    buttons = [Button("Look again", request.url.path)] if job.state == "running" else []
    back = (f"{HERE}/{segment(name)}", name)
    return show(request, f"Import of {name}", blocks, buttons=buttons, back=back, watched=job.state == "running")


async def confirm_delete(request: Req) -> Response[bytes]:
    """What forgetting a dataset will do."""
    asked(request)
    found = await dataset_of(request)
    here = f"{HERE}/{segment(found.name)}"
    sentences = [
        f"The definition of {found.name} goes. Its files on {found.connection} stay,"
        " and so do events that were imported.",
        "This cannot be taken back; it can be defined again.",
    ]
    return confirm(
        request, f"Forget {found.name}?", sentences, action=f"{here}/delete", words="Forget the dataset", back=here
    )


async def delete(request: Req) -> Response[bytes]:
    """Forget a dataset."""
    await sent(request)
    services, name = services_of(request), segments(request)[2]
    await services.call(services.datasets.delete, name, by=by(request))
    return to(HERE, f"{name} is forgotten. Its files stay.")


async def _fields(request: Req, *, is_new: bool) -> tuple[Field, ...]:
    services = services_of(request)
    names = [one.name for one in await services.call(services.datasets.connections.all)]
    connection = Field("connection", "Connection", "choice", required=True, choices=tuple((one, one) for one in names))
    return (*((_NAME,) if is_new else ()), connection, *_PARTS)


def _values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "path": values["path"] or "", "max_depth": values["max_depth"] or DEPTH}


def _outside(listing: Listing) -> str:
    count = len(listing.outside)
    return f"{counted(count, 'file')} {'does' if count == 1 else 'do'} not match the pattern."


def _value(text: str | None) -> Item:
    if text is None:
        return Item("")
    return Item(text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…", title=text[:2_000] if len(text) > 40 else "")


def _summary(summary: Any) -> Table:
    told = msgspec.to_builtins(summary)
    rows = [
        [Item(name.replace("_", " ")), Item(words.count(value), kind="number")]
        for name, value in told.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return Table("What came of it", ("What", "#How many"), rows)
