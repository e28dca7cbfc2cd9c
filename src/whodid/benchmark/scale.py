"""How far each shape of an installation goes, as rows of data: docs/scale.md and `whodid bench` say what is here."""

from __future__ import annotations

from typing import Final, NamedTuple

# What a day has to have left: the busiest hour takes four times the mean, and half of the machine stays free for it,
# for questions, and for catching up.
RESERVE: Final = 8
DAY_S: Final = 86_400


class Figure(NamedTuple):
    """Something measured on the reference machine.

    key  what `whodid bench` calls it, where it measures it.
    """

    name: str
    title: str
    value: float
    unit: str
    command: str
    key: str = ""


class Shape(NamedTuple):
    """A way to run whodid. `events_a_day` and `kept_events` are how far it goes; None: as far as there are machines."""

    name: str
    title: str
    events_a_day: int | None
    kept_events: int | None
    needs: str
    survives: str
    breaks_first: str


REFERENCE: Final = "2 cores (AMD EPYC, virtual), fdatasync 0.15 ms; the client runs on the same two cores"

CORES: Final = 2
"""Of the reference machine; what a core does is half of what it did, the client's share included."""

FIGURES: Final = (
    Figure("fdatasync_p50_ms", "a write to the disk is durable after", 0.15, "ms", "whodid bench", "fdatasync_p50_ms"),
    Figure("ingest_1", "acknowledged, 1 event a request", 20_999, "events/s", "python -m bench.ingest", "ingest_1"),
    Figure("ingest_100", "acknowledged, 100 a request", 439_741, "events/s", "python -m bench.ingest", "ingest_100"),
    Figure(
        "ingest_1000", "acknowledged, 1,000 a request", 635_895, "events/s", "python -m bench.ingest", "ingest_1000"
    ),
    Figure(
        "sustained", "taken, stored and found, DuckDB", 154_760, "events/s", "python -m bench.sustained", "sustained"
    ),
    Figure(
        "visible_p50_ms", "found after the answer, median", 107, "ms", "python -m bench.sustained", "visible_p50_ms"
    ),
    Figure("duckdb_bytes", "on disk, DuckDB", 106, "bytes/event", "python -m bench.pages", "bytes_per_event"),
    Figure("postgresql", "stored, PostgreSQL", 41_000, "events/s", "python -m bench.postgresql_store"),
    Figure("postgresql_bytes", "on disk, PostgreSQL", 894, "bytes/event", "python -m bench.pages"),
    Figure("two_receivers", "two receivers against one, PostgreSQL", 1.92, "times", "python -m bench.receivers"),
    Figure("clickhouse", "stored, ClickHouse", 239_258, "events/s", "python -m bench.clickhouse_store"),
    Figure("clickhouse_bytes", "on disk, ClickHouse", 94, "bytes/event", "python -m bench.pages"),
    Figure(
        "kafka",
        "acknowledged by three brokers on the same cores, 500 a request",
        71_829,
        "events/s",
        "python -m bench.kafka_journal",
    ),
    Figure("parquet", "written as Parquet", 255_927, "events/s", "python -m bench.targets"),
    Figure("parquet_bytes", "in the lake, Parquet with zstd", 48, "bytes/event", "python -m bench.lake"),
    Figure("wire_bytes", "on the wire and in the journal, JSON", 520, "bytes/event", "python -m bench.ingest"),
)

SHAPES: Final = (
    Shape(
        "one machine",
        "`whodid serve`",
        50_000_000,
        1_000_000_000,
        "2 cores, 4 GB, a disk with fdatasync below 1 ms",
        "kill -9, power cuts; not the loss of its disk",
        "questions over everything: they read all that is kept, 340 ms at 20 million events, 17 s at a billion",
    ),
    Shape(
        "PostgreSQL + receivers",
        "`whodid serve --store postgresql://…`, twice or more",
        200_000_000,
        3_000_000_000,
        "2 receivers of 2 cores; PostgreSQL with 8 cores and its own disk",
        "the loss of a receiver, but for what it had not stored; the database, by its own replication",
        "PostgreSQL: receivers take turns to write; 894 bytes an event; wide questions that its counts do not answer",
    ),
    Shape(
        "Kafka + ClickHouse",
        "`whodid serve --journal kafka://… --store clickhouse://…`, many",
        None,
        None,
        "3 brokers or more, a ClickHouse cluster, any number of receivers",
        "the loss of any one machine",
        "the disk of ClickHouse, then its merges; long before it what people want to pay for",
    ),
)


def figure(name: str) -> Figure:
    """A figure by its name."""
    return next(one for one in FIGURES if one.name == name)


def shape_for(events_a_day: float, kept_events: float) -> Shape:
    """The smallest shape that carries so many events a day, and so many kept."""
    for shape in SHAPES:
        if (shape.events_a_day or float("inf")) >= events_a_day and (shape.kept_events or float("inf")) >= kept_events:
            return shape
    return SHAPES[-1]


def carried_a_day(sustained: float) -> float:
    """Events a day for a rate in events/s that is taken, stored and found without end, with `RESERVE`."""
    return sustained / RESERVE * DAY_S


def shown(value: float, unit: str) -> str:
    """A figure as it stands in the documentation."""
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def figure_row(one: Figure) -> str:
    """The row of a figure in docs/scale.md."""
    core = f"{one.value / CORES:,.0f}" if one.unit == "events/s" else ""
    return f"| {one.title} | {shown(one.value, one.unit)} | {core} | `{one.command}` |"


def shape_row(one: Shape) -> str:
    """The row of a shape in docs/scale.md."""
    day = f"up to {one.events_a_day:,}" if one.events_a_day else "any number"
    kept = f"up to {one.kept_events:,}" if one.kept_events else "any number"
    return f"| **{one.name}**: {one.title} | {day} | {kept} | {one.needs} | {one.survives} | {one.breaks_first} |"
