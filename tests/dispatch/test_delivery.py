"""Runs are cut into deliveries that together hold every wanted event once, in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from support.targets import delivery_of, event, form_of
from whodid.dispatch.delivery import DELIVERY_BYTES_MAX, Part, PartsDelivery, Run, deliveries
from whodid.dispatch.row import Selection
from whodid.event import Event

FORM = form_of(Selection(types=["wanted"]))


def parts_of(frames: list[list[Event]], gap: int = 0) -> list[Part]:
    parts: list[Part] = []
    seq = 1
    for events in frames:
        if events:
            parts += delivery_of(events, first=seq)._parts()
        seq += len(events) + gap
    return parts


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 7), max_size=6),
    wanted=st.randoms(use_true_random=False),
    gap=st.integers(0, 3),
    after=st.integers(0, 30),
    events_max=st.one_of(st.none(), st.integers(1, 9)),
    left_out=st.sets(st.integers(1, 40), max_size=6),
    everything=st.booleans(),
)
def test_every_wanted_event_is_in_one_delivery(
    sizes: list[int],
    wanted: object,
    gap: int,
    after: int,
    events_max: int | None,
    left_out: set[int],
    everything: bool,
) -> None:
    choose = wanted.choice  # type: ignore[attr-defined]
    frames = [[event(type=choice) for choice in [choose(["wanted", "other"]) for _ in range(size)]] for size in sizes]
    parts = parts_of(frames, gap)
    all_events = {seq: one for part in parts for seq, one in zip(part.seqs, part.raws, strict=True)}
    last = max([after + 1, *all_events])
    run = Run("r", after + 1, last, lambda: iter(parts), left_out=sorted(left_out), events=len(all_events))
    form = form_of() if everything else FORM
    items = list(deliveries(run, form, events_max))
    found = [item for item in items if isinstance(item, PartsDelivery)]
    expected = [
        seq
        for seq, raw in all_events.items()
        if seq > after and seq not in left_out and (everything or b'"wanted"' in bytes(raw))
    ]
    seqs = [seq for delivery in found for seq, _, _ in delivery.labelled()]
    assert seqs == expected
    assert all(delivery.count == len(list(delivery.lines())) > 0 for delivery in found)
    assert all(delivery.count <= events_max for delivery in found if events_max)
    ends = [item if isinstance(item, int) else item.last for item in items]
    assert ends == sorted(ends) and ends[-1] == last
    for delivery in found:
        assert all(delivery.first <= seq <= delivery.last for seq, _, _ in delivery.labelled())


def test_large_events_make_small_deliveries() -> None:
    events = [event(description="x" * 1_000_000) for _ in range(40)]
    run = Run("r", 1, 40, lambda: iter(parts_of([events[:20], events[20:]])), events=40)
    found = [item for item in deliveries(run, form_of(), 1_000) if isinstance(item, PartsDelivery)]
    assert sum(delivery.count for delivery in found) == 40
    assert all(sum(map(len, delivery.lines())) < 3 * DELIVERY_BYTES_MAX for delivery in found)
