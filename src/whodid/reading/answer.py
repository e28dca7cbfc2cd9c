"""An answer as Python programs take it: Arrow, pandas, polars, or rows as dicts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from whodid.errors import WhodidError
from whodid.reading.cells import encode
from whodid.reading.output import rows, write

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class Answer:
    """Rows of an answer. `truncated` when there are more than the limit; `next_cursor` then leads on, if it can.

    `total` is how many there are in all, where a report says so.
    """

    def __init__(
        self, table: pa.Table, *, truncated: bool = False, next_cursor: str | None = None, total: int | None = None
    ):
        self._table = table
        self.truncated = truncated
        self.total = total
        self.next_cursor = next_cursor

    def arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self._table

    def pandas(self) -> pd.DataFrame:
        """The rows as a pandas data frame (pandas has to be installed)."""
        try:
            frame: pd.DataFrame = self._table.to_pandas()
            return frame
        except ModuleNotFoundError as error:
            raise _not_installed("pandas") from error

    def polars(self) -> pl.DataFrame:
        """The rows as a polars data frame (polars has to be installed)."""
        try:
            import polars as pl
        except ModuleNotFoundError as error:
            raise _not_installed("polars") from error
        frame = pl.from_arrow(self._table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def write(self, form: str) -> Iterator[bytes]:
        """The rows in one of `output.FORMATS`."""
        return write([self._table], form)

    @property
    def columns(self) -> list[str]:
        return list(self._table.schema.names)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Rows as dicts of plain values, as JSON has them: times as text with Z, parameters as dicts."""
        for row in rows(self._table):
            yield msgspec.json.decode(encode(row))

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        more = ", truncated" if self.truncated else ""
        return f"<Answer: {len(self):,} rows of {', '.join(self.columns)}{more}>"


class UsageAnswer:
    """An overview of use: `since` and `until` (UTC, text), and for each of `read.USAGE_PARTS` an Answer."""

    def __init__(self, since: str, until: str, parts: dict[str, Answer]):
        self.since = since
        self.until = until
        self.parts = parts

    @property
    def numbers(self) -> dict[str, Any]:
        """The one line of numbers."""
        return next(iter(self.parts["numbers"]))

    def __getitem__(self, part: str) -> Answer:
        return self.parts[part]

    def plain(self) -> dict[str, Any]:
        """All of it as the HTTP API's JSON has it."""
        tables = {name: list(answer) for name, answer in self.parts.items() if name != "numbers"}
        return {"since": self.since, "until": self.until, "numbers": self.numbers, **tables}


def _not_installed(name: str) -> WhodidError:
    return WhodidError("invalid", f"{name} is not installed.", f"Install it with: pip install 'whodid[{name}]'")
