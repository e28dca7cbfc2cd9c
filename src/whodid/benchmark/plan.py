"""What a rate of events kept for years takes: a plan as rows, reckoned from the figures of `scale`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from whodid.benchmark.scale import CORES, DAY_S, figure

# Examples, in dollars: put your own.
CORE_HOUR: Final = 0.04
NVME_GB_MONTH: Final = 0.08
OBJECT_GB_MONTH: Final = 0.023

HEADROOM: Final = 2
REPLICAS: Final = 2
KAFKA_COPIES: Final = 3
PACKED: Final = 5
"""How many times smaller events become in Kafka, packed with zstd."""


class Row(NamedTuple):
    """A line of a plan."""

    what: str
    reckoned: str
    result: str


def plan(events_per_s: float, years: float, *, hot_days: int = 30) -> list[Row]:
    """What it takes to keep `events_per_s`, sustained, for `years`: the latest `hot_days` in ClickHouse, all of it as
    Parquet in a lake."""
    return list(_rows(events_per_s, years, hot_days))


def lake_cost_per_event(years: float) -> float:
    """Dollars to keep one event in the lake."""
    return figure("parquet_bytes").value / 1e9 * OBJECT_GB_MONTH * 12 * years


def core_cost_per_event(events_per_s_and_core: float) -> float:
    """Dollars of processor time for one event, at a rate that one core carries."""
    return CORE_HOUR / 3_600 / events_per_s_and_core


def costs() -> list[Row]:
    """What a million events cost: to take in and store, with half of the processors free, and to keep for a year."""
    million = 1e6

    def taken(what: str, *names: str) -> Row:
        rate = 1 / sum(1 / figure(name).value for name in names) / CORES / HEADROOM
        return Row(what, f"{rate:,.0f} events/s a core", f"${core_cost_per_event(rate) * million:.5f}")

    def kept(what: str, name: str, price: float) -> Row:
        size = figure(name).value
        return Row(what, f"{size:g} bytes, ${price} a GB-month", f"${size / 1e9 * price * 12 * million:.3f}")

    return [
        taken("taken in and stored, DuckDB", "sustained"),
        taken("taken in and stored, PostgreSQL", "ingest_100", "postgresql"),
        taken("taken in and stored, Kafka and ClickHouse", "kafka", "clickhouse"),
        kept("kept for a year, DuckDB", "duckdb_bytes", NVME_GB_MONTH),
        kept("kept for a year, PostgreSQL", "postgresql_bytes", NVME_GB_MONTH),
        kept("kept for a year, ClickHouse", "clickhouse_bytes", NVME_GB_MONTH),
        kept("kept for a year, lake", "parquet_bytes", OBJECT_GB_MONTH),
    ]


def _rows(rate: float, years: float, hot_days: int) -> Iterator[Row]:
    wire, kafka, clickhouse = (figure(name).value for name in ("wire_bytes", "kafka", "clickhouse"))
    hot_bytes, lake_bytes = figure("clickhouse_bytes").value, figure("parquet_bytes").value
    a_day = rate * DAY_S
    total = a_day * 365 * years
    yield Row("events", f"{rate:,.0f}/s × {DAY_S:,} s × 365 × {years:g}", f"{_big(a_day)} a day, {_big(total)} in all")
    yield Row("arriving", f"× {wire:g} bytes", f"{_size(rate * wire)}/s; senders pack: a fifth of it on the wire")
    receiving = rate / kafka * CORES * HEADROOM
    yield Row("receivers", f"{kafka / CORES:,.0f} events/s a core, half of it free", f"{receiving:,.0f} cores")
    packed = a_day * wire / PACKED
    yield Row(
        "Kafka",
        f"{KAFKA_COPIES} copies, packed {PACKED} : 1, one day kept",
        f"{_size(packed / DAY_S * KAFKA_COPIES)}/s written, {_size(packed * KAFKA_COPIES)} of disk",
    )
    storing = rate / clickhouse * CORES * HEADROOM * REPLICAS
    yield Row(
        "ClickHouse, writing",
        f"{clickhouse / CORES:,.0f} events/s a core, as much again for merges and questions, {REPLICAS} replicas",
        f"{storing:,.0f} cores",
    )
    hot = a_day * hot_days * hot_bytes * REPLICAS
    yield Row(
        "ClickHouse, disk",
        f"{hot_bytes:g} bytes an event, {hot_days} days, {REPLICAS} replicas",
        f"{_size(hot)} of NVMe",
    )
    writing = rate / figure("parquet").value * CORES * HEADROOM
    yield Row("lake, writing", "Parquet, half of it free", f"{writing:,.0f} cores")
    yield Row(
        "lake, disk", f"{lake_bytes:g} bytes an event, {years:g} years", f"{_size(total * lake_bytes)} of objects"
    )
    cores = core_cost_per_event(1 / (1 / kafka + REPLICAS / clickhouse + 1 / figure("parquet").value)
                                / CORES) * HEADROOM  # fmt: skip
    nvme = hot_bytes / 1e9 * NVME_GB_MONTH * 12 / 365 * hot_days * REPLICAS
    lake = lake_cost_per_event(years)
    yield Row(
        "cost an event",
        f"${CORE_HOUR} a core-hour, ${NVME_GB_MONTH} and ${OBJECT_GB_MONTH} a GB-month",
        f"processors ${cores:.1e}, ClickHouse's disk ${nvme:.1e}, lake ${lake:.1e}",
    )
    yield Row(
        "cost a day", "× events a day", f"${(cores + nvme + lake) * a_day:,.0f}, of which the lake ${lake * a_day:,.0f}"
    )


def _big(count: float) -> str:
    for size, name in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:,.4g} {name}"
    return f"{count:,.0f}"


def _size(size_bytes: float) -> str:
    for size, name in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if size_bytes >= size:
            return f"{size_bytes / size:,.3g} {name}"
    return f"{size_bytes:,.0f} bytes"


def plan_row(row: Row) -> str:
    """The row of a plan in docs/scale.md."""
    return f"| {row.what} | {row.reckoned} | {row.result} |"
