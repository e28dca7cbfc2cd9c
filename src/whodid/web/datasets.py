"""Datasets over HTTP: defined on connections, looked into, read, and imported into the store."""

from __future__ import annotations

from contextlib import closing

import msgspec
from litestar import Response
from msgspec import UNSET, Struct, UnsetType

from whodid.datasets import engine_sql, records
from whodid.datasets.dataset import DEPTH, Dataset
from whodid.datasets.dataset_import import Job
from whodid.datasets.listing import Listing
from whodid.event import new_id
from whodid.reading.audit import kind_of
from whodid.reading.output import rows
from whodid.web.answers import TRUNCATED, file_answer, json_answer
from whodid.web.connections import require_use
from whodid.web.events import recorded
from whodid.web.requests import (
    Req,
    body_of,
    bounded,
    caller_of,
    form_of,
    name_of,
    one,
    query_of,
    segments,
    services_of,
)
from whodid.web.services import Services

PREVIEW_ROWS = 100
FILES_SHOWN = 1_000


class NewDataset(Struct, kw_only=True, forbid_unknown_fields=True):
    """Files of a connection; see docs/datasets.md."""

    name: str
    connection: str
    path: str = ""
    format: str = "json"
    charset: str = "utf8"
    partitioning: str | None = None
    max_depth: int = DEPTH
    description: str | None = None


class DatasetFields(Struct, kw_only=True, forbid_unknown_fields=True):
    """What is to change."""

    connection: str | UnsetType = UNSET
    path: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    charset: str | UnsetType = UNSET
    partitioning: str | UnsetType | None = UNSET
    max_depth: int | UnsetType = UNSET
    description: str | UnsetType | None = UNSET


class Partitions(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names of partitions; none for all."""

    partitions: list[str] = []
    refresh: bool = True


async def list_datasets(request: Req) -> Response[bytes]:
    """The datasets on connections that the caller may use."""
    query_of(request, [])
    return json_answer({"datasets": msgspec.to_builtins(await usable(request))})


async def show_dataset(request: Req) -> Response[bytes]:
    """A dataset."""
    return json_answer(msgspec.to_builtins(await dataset_of(request)))


async def create_dataset(request: Req) -> Response[bytes]:
    """Define a dataset; nothing is copied."""
    new, services = await body_of(request, NewDataset), services_of(request)
    made = await services.call(
        services.datasets.create, Dataset(**msgspec.structs.asdict(new)), by=name_of(caller_of(request))
    )
    return json_answer(msgspec.to_builtins(made), status=201)


async def change_dataset(request: Req) -> Response[bytes]:
    """Change what is named."""
    fields, services, name = await body_of(request, DatasetFields), services_of(request), segments(request)[2]
    changes = {field: value for field, value in msgspec.structs.asdict(fields).items() if value is not UNSET}
    changed = await services.call(services.datasets.change, name, changes, by=name_of(caller_of(request)))
    return json_answer(msgspec.to_builtins(changed))


async def delete_dataset(request: Req) -> Response[bytes]:
    """Forget a dataset; its files stay."""
    services, name = services_of(request), segments(request)[2]
    await services.call(services.datasets.delete, name, by=name_of(caller_of(request)))
    return json_answer({"deleted": name})


async def list_partitions(request: Req) -> Response[bytes]:
    """The partitions with their files and sizes; `refresh=true` looks anew."""
    listing = await listing_of(request, await dataset_of(request), query_of(request, ["refresh"]))
    partitions = [partition.shown() for partition in listing.partitions]
    return json_answer({"partitions": partitions, "outside": len(listing.outside), "listed_at": listing.listed_at})


async def list_files(request: Req) -> Response[bytes]:
    """Which files match the pattern, and as which partition, and which do not."""
    given = query_of(request, ["refresh", "limit"])
    limit = bounded(given, "limit", FILES_SHOWN, 1, 100_000)
    listing = await listing_of(request, await dataset_of(request), given)
    matching = [
        {**file._asdict(), "partition": partition.name} for partition in listing.partitions for file in partition.files
    ]
    outside = [file._asdict() for file in listing.outside]
    content = {
        "matching": matching[:limit],
        "matching_total": len(matching),
        "outside": outside[:limit],
        "outside_total": len(outside),
    }
    return json_answer(content)


async def preview(request: Req) -> Response[bytes]:
    """The first rows, and the columns that were found in them."""
    query_of(request, [])
    dataset, services = await dataset_of(request), services_of(request)
    listing = await listing_of(request, dataset, {})
    async with recorded(request, "audit-read", f"dataset {dataset.name}", {"preview": True}):
        found = await services.call(read_of, request, dataset, listing, [], PREVIEW_ROWS)
    content = {
        "columns": records.schema_of(found.table),
        "rows": rows(found.table),
        "truncated": found.truncated,
        "passed_over": found.passed_over,
        "problems": msgspec.to_builtins(found.problems),
        "partitions": len(listing.partitions),
        "outside": len(listing.outside),
    }
    return json_answer(content)


async def read_rows(request: Req) -> Response[bytes]:
    """The records of the partitions `partition=…` (all without any), in any format."""
    given, form = query_of(request, ["partition", "limit", "refresh", "format"]), form_of(request)
    limit = bounded(given, "limit", records.ROWS_MAX, 1, records.ROWS_MAX)
    dataset, services, chosen = await dataset_of(request), services_of(request), given.get("partition", [])
    listing = await listing_of(request, dataset, given)
    async with recorded(request, kind_of(form), f"dataset {dataset.name}", {"partitions": chosen[:100]}, form):
        found = await services.call(read_of, request, dataset, listing, chosen, limit)
    headers = {TRUNCATED: "true" if found.truncated else "false", "whodid-passed-over": str(found.passed_over)}
    if form != "json":
        return await services.call(file_answer, found.table, form, dataset.name, headers)
    content = {
        "columns": records.schema_of(found.table),
        "rows": await services.call(rows, found.table),
        "truncated": found.truncated,
        "passed_over": found.passed_over,
        "problems": msgspec.to_builtins(found.problems),
    }
    return json_answer(content, headers=headers)


async def show_sql(request: Req) -> Response[bytes]:
    """A view of the dataset's files for `engine=` duckdb, spark, athena or trino."""
    engine = one(query_of(request, ["engine"]), "engine", "duckdb")
    dataset, services = await dataset_of(request), services_of(request)
    listing = await listing_of(request, dataset, {})
    found = await services.call(read_of, request, dataset, listing, [], PREVIEW_ROWS)
    columns = [column for column in records.schema_of(found.table) if column["name"] != records.PARTITION]
    url = await services.call(_url_of, services, dataset)
    return json_answer({"engine": engine, "sql": engine_sql.view(dataset, url, engine, columns)})


async def start_import(request: Req) -> Response[bytes]:
    """Import partitions into the store, in the background: what is unread of them; nothing is stored twice."""
    asked = await body_of(request, Partitions)
    job = await begin_import(request, await dataset_of(request), asked.partitions, refresh=asked.refresh)
    return json_answer(msgspec.to_builtins(job), status=202)


async def show_import(request: Req) -> Response[bytes]:
    """How far an import is; in the end its summary."""
    return json_answer(msgspec.to_builtins(services_of(request).dataset_imports.job(segments(request)[4])))


async def begin_import(request: Req, dataset: Dataset, names: list[str], *, refresh: bool) -> Job:
    """Import partitions, all without names; `refresh` looks at the files anew. Raises as `DatasetImports.start`, and
    not_found for a partition that there is not."""
    services = services_of(request)

    def begin() -> Job:
        place = services.datasets.connections.open(dataset.connection)
        try:
            listing = services.listings.listing(dataset, place, refresh=refresh)
            return services.dataset_imports.start(dataset, place, listing.chosen(names), new_id())
        except BaseException:
            # An import that was begun closes it.
            place.close()
            raise

    return await services.call(begin)


async def usable(request: Req) -> list[Dataset]:
    """The datasets on connections that the caller may use; all for an administrator."""
    services, caller = services_of(request), caller_of(request)
    is_admin = "admin" in caller.scopes

    def found() -> list[Dataset]:
        may_use = services.datasets.connections.may_use
        known = {connection.name for connection in services.datasets.connections.all()}
        return [
            one
            for one in services.datasets.all()
            if is_admin or (one.connection in known and may_use(one.connection, caller.user, is_admin=False))
        ]

    return await services.call(found)


async def dataset_of(request: Req) -> Dataset:
    services, name = services_of(request), segments(request)[2]
    dataset = await services.call(services.datasets.get, name)
    await require_use(request, dataset.connection)
    return dataset


async def listing_of(request: Req, dataset: Dataset, given: dict[str, list[str]]) -> Listing:
    services = services_of(request)

    def listing() -> Listing:
        place = services.datasets.connections.open(dataset.connection)
        try:
            return services.listings.listing(dataset, place, refresh=one(given, "refresh") == "true")
        finally:
            place.close()

    return await services.call(listing)


def read_of(request: Req, dataset: Dataset, listing: Listing, names: list[str], limit: int) -> records.Records:
    place = services_of(request).datasets.connections.open(dataset.connection)
    try:
        return records.read(dataset, place, listing.chosen(names), limit=limit)
    finally:
        place.close()


def _url_of(services: Services, dataset: Dataset) -> str:
    with closing(services.datasets.connections.open(dataset.connection)) as place:
        return place.url
