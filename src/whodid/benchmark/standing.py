"""What was measured, beside the reference machine, and which shapes of an installation this machine carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from whodid.benchmark.run import QUESTIONS, Measured
from whodid.benchmark.scale import FIGURES, REFERENCE, RESERVE, SHAPES, Figure, Shape, carried_a_day, figure, shown


def standing(measured: Measured) -> dict[str, Any]:
    """What follows from the figures, as plain values.

    events_a_day  taken, stored and found with half of the machine free in a busiest hour of four times the mean.
    disk_events   events that the free disk holds, in the embedded store: the measured ones repeat more than real ones,
                  so that each is reckoned as large as on the reference machine at least.
    per_core      events/s that one core takes in and stores; None where processor time is not told.
    """
    return {
        "events_a_day": round(carried_a_day(measured.sustained)),
        "disk_events": round(measured.machine.disk_free_bytes / _event_bytes(measured)),
        "per_core": round(1e6 / measured.processor_us) if measured.processor_us else None,
        "of_reference": {one.key: round(here / there, 3) for one, here, there in _compared(measured)},
    }


def report(measured: Measured) -> Iterator[str]:
    """The lines for people."""
    machine, stands = measured.machine, standing(measured)
    yield (
        f"This machine: {machine.cores} cores, {machine.memory_bytes / 1e9:.1f} GB of memory, "
        f"{machine.disk_free_bytes / 1e9:,.0f} GB of disk free; fdatasync p50 {machine.fdatasync_p50_ms:.2f} ms, "
        f"p99 {machine.fdatasync_p99_ms:.2f} ms."
    )
    yield f"Reference: {REFERENCE}."
    yield ""
    yield _line("", "here", "reference", "ratio")
    for one, here, there in _compared(measured):
        yield _line(one.title, shown(here, one.unit), shown(there, one.unit), f"{here / there:.2f}")
    yield _line("stored while nothing else is done", shown(measured.store_load, "events/s"))
    if stands["per_core"]:
        yield _line("taken in and stored by one core", shown(stands["per_core"], "events/s"))
    yield _line("a request of one event is answered within, p99", shown(measured.ingest_1_p99_ms, "ms"))
    for question in QUESTIONS:
        title = f"asked over {measured.asked_events:,}: {question.title}"
        yield _line(title, shown(measured.questions_ms[question.key], "ms"))
    yield ""
    day, kept = stands["events_a_day"], stands["disk_events"]
    yield f"It takes, stores and finds {day:,} events a day: 1/{RESERVE} of what it just did, so that half of it is"
    yield "free in a busiest hour of four times the mean."
    yield f"Its free disk holds {kept:,} events of {_event_bytes(measured):,.0f} bytes: {kept / day:,.1f} days of that."
    yield ""
    yield "Shapes of an installation (docs/scale.md):"
    for shape in SHAPES:
        most = f"up to {shape.events_a_day:,} events a day" if shape.events_a_day else "any number of events"
        yield f"  {shape.name:<24}{most}{_carries(measured, shape)}"


def told(measured: Measured) -> dict[str, Any]:
    """Everything as plain values, for JSON."""
    return {**msgspec.to_builtins(measured), "standing": standing(measured), "reference": REFERENCE}


def _carries(measured: Measured, shape: Shape) -> str:
    """For the shape of one machine: whether this one is enough for all of it."""
    if shape.events_a_day is None or shape is not SHAPES[0]:
        return ""
    if carried_a_day(measured.sustained) < shape.events_a_day:
        return "; this machine stores too slowly for all of it"
    days = measured.machine.disk_free_bytes / _event_bytes(measured) / shape.events_a_day
    return f"; this machine carries it, with disk for {days:,.0f} days"


def _event_bytes(measured: Measured) -> float:
    return max(measured.bytes_per_event, figure("duckdb_bytes").value)


def _compared(measured: Measured) -> Iterator[tuple[Figure, float, float]]:
    """The figures that were measured here and on the reference machine."""
    for one in FIGURES:
        if one.key:
            of = measured.machine if one.key in measured.machine.__struct_fields__ else measured
            yield one, float(getattr(of, one.key)), one.value


def _line(title: str, here: str, there: str = "", ratio: str = "") -> str:
    return f"{title:<52}{here:>20}{there:>20}{ratio:>7}".rstrip()
