"""`whodid outcomes`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from whodid.cli.options import ANYWHERE_BESIDE_KEY, PlaceBesideKey, verb
from whodid.errors import WhodidError

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES_AT_ONCE: Final = 5_000

app = verb(
    "outcomes",
    """  whodid outcomes churned.csv --service churn --key customer_id --outcome churned --match features.customer_id
  whodid outcomes orders.parquet --service demand --key request --outcome sold
  whodid report api-quality --since 90d""",
)


@app.default
def outcomes(
    file: Annotated[Path, Parameter(help="A CSV or Parquet file with a row for each thing whose outcome is known.")],
    /,
    *,
    service: Annotated[str, Parameter(help="The API service that was asked about these things.")],
    key: Annotated[str, Parameter(help="The column that says which thing.")],
    outcome: Annotated[str, Parameter(help="The column that says what happened.")],
    match: Annotated[
        str, Parameter(help="Where a query tells that key: id, request_id, features.NAME, context.NAME, result.NAME.")
    ] = "request_id",
    place: PlaceBesideKey = ANYWHERE_BESIDE_KEY,
) -> None:
    """Tell what really happened, so that predictions are judged by it.

    The same outcome again changes nothing; another one for the same key replaces the first.
    """
    from whodid.cli.backend import backend_of

    table = _read(file, key, outcome)
    told = 0
    with backend_of(place) as backend:
        for rows in _batches(table):
            body = {"service": service, "match": match, "outcomes": rows}
            told += backend.ask("POST", "outcomes", body=body)["outcomes"]
    print(f"{told:,} outcomes of {service} are kept. See: whodid report api-quality --parameter service={service}")


def _read(file: Path, key: str, outcome: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        table = pa.parquet.read_table(file) if file.suffix.lower() == ".parquet" else pa.csv.read_csv(file)
    except (OSError, pa.ArrowException) as error:
        raise WhodidError("invalid", f"{file} cannot be read: {error}.", "Give a CSV or Parquet file.") from error
    for column in (key, outcome):
        if column not in table.schema.names:
            raise WhodidError(
                "invalid", f"{file} has no column {column!r}.", f"It has: {', '.join(table.schema.names[:20])}."
            )
    return pa.table({"key": table.column(key), "outcome": table.column(outcome)})


def _batches(table: pa.Table) -> Iterator[list[dict[str, Any]]]:
    for batch in table.to_batches(max_chunksize=OUTCOMES_AT_ONCE):
        rows = [row for row in batch.to_pylist() if row["key"] is not None and row["outcome"] is not None]
        if rows:
            yield [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else str(value)
