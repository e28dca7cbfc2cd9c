"""Rows of an engine as those of stores: times in UTC without zone, whole numbers of 64 bits."""

from __future__ import annotations

import pyarrow as pa


def plain(table: pa.Table) -> pa.Table:
    """The table with the types that stores give."""
    columns = [column.cast(_plain(column.type)) for column in table.columns]
    return pa.table(columns, names=table.column_names)


def _plain(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us")
    if pa.types.is_integer(kind):
        return pa.int64()
    return kind
