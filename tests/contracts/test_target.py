"""The contract of targets (`whodid.targets.base`), for every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from support.target_cases import CASES, NEEDED, Case
from support.targets import delivery_of, event, form_of
from whodid.dispatch.row import implementation, read_options
from whodid.errors import WhodidError
from whodid.event import Entity, Event
from whodid.plugins import TARGETS
from whodid.targets.base import Context, Target


@pytest.fixture(params=sorted(CASES))
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    needed = NEEDED.get(request.param)
    services = [request.getfixturevalue(needed)] if needed else []
    with CASES[request.param](tmp_path, *services) as found:
        yield found


def is_exactly_once(case: Case) -> bool:
    return implementation(case.kind).EXACTLY_ONCE if case.exactly_once is None else case.exactly_once


def make(case: Case, folder: Path, options: Any = None, *, testing: bool = False) -> Target:
    kind: Any = implementation(case.kind)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    context = Context(
        name="t", id="id-1", folder=work, receiver="receiver-a", format=case.format, node="n1", testing=testing
    )
    target: Target = kind(read_options(kind.OPTIONS, case.options if options is None else options), context)
    return target


def odd_events() -> list[Event]:
    """What senders send: empty, long, foreign letters, quotes, line breaks, numbers beyond floats."""
    return [
        event(parameters=Raw(b"{}"), source="client"),
        event(source="client", user="žofie 😀", description='a "quote", a \\ and\na line\u2028break'),
        event(source="client", parameters=Raw(b'{"big": 123456789012345678901234567890, "nested": {"a": [1, null]}}')),
        event(source="client", entities=[Entity(type="dataset", id="a/b", name="ä"), Entity(type="project", id="p")]),
        event(source="client", error_message="x" * 50_000, error_stack_trace="y\n" * 2_000),
        event(source="client", routing_key="rk", topic="apinode-query", node="n-1", node_type="api", level="error"),
    ]


def usual_events(count: int) -> list[Event]:
    return [event(source="client") for _ in range(count)]


def cut(case: Case, count: int) -> int:
    """Events of a delivery of this kind at most."""
    return min(count, implementation(case.kind).EVENTS_MAX or count)


def test_all_events_arrive_once_and_in_order(case: Case, tmp_path: Path) -> None:
    target = make(case, tmp_path)
    events = [*odd_events(), *usual_events(50)]
    target.open()
    first = 1
    while first <= len(events):
        piece = events[first - 1 : first - 1 + cut(case, 20)]
        sent = target.send(delivery_of(piece, first=first, form=form_of(format=case.format)))
        assert (sent.events, list(sent.refused)) == (len(piece), [])
        assert sent.size_bytes > 0
        target.tick()
        first += len(piece)
    target.flush()
    durable = target.durable()
    assert durable is None or durable["receiver-a"] == len(events)
    target.close()
    got, expected = case.received(), [one.id for one in events]
    assert got == expected if case.ordered else sorted(got) == sorted(expected)


def test_what_is_not_durable_is_sent_again_by_the_next_instance(case: Case, tmp_path: Path) -> None:
    events = usual_events(30)
    target = make(case, tmp_path)
    places = dict(target.open())
    taken = 0
    for start in (0, 10):
        target.send(delivery_of(events[start : start + 10], first=start + 1, form=form_of(format=case.format)))
        taken = start + 10
    durable = target.durable()
    place = taken if durable is None else durable.get("receiver-a", 0)
    assert 0 <= place <= taken
    target.close()
    target = make(case, tmp_path)
    places = dict(target.open())
    if is_exactly_once(case):
        assert places.get("receiver-a", 0) <= taken
        place = places.get("receiver-a", place)
    target.send(delivery_of(events[place:], first=place + 1, form=form_of(format=case.format)))
    target.flush()
    target.close()
    got = case.received()
    assert set(got) == {one.id for one in events}
    if is_exactly_once(case):
        assert len(got) == len(events)


def test_a_test_event_arrives_and_moves_no_place(case: Case, tmp_path: Path) -> None:
    target = make(case, tmp_path, testing=True)
    target.open()
    sent = delivery_of([one := event(source="client")], receiver="test-1", form=form_of(format=case.format))
    answer = target.send(sent).answer or target.flush()
    target.close()
    assert case.received() == [one.id]
    assert answer
    target = make(case, tmp_path)
    assert "receiver-a" not in target.open()
    target.close()


def test_nothing_to_do_is_no_trouble(case: Case, tmp_path: Path) -> None:
    target = make(case, tmp_path)
    target.open()
    target.tick()
    target.flush()
    target.cancel()
    target.close()
    target.close()
    assert case.received() == []


def test_nobody_there_is_temporary(case: Case, tmp_path: Path) -> None:
    if case.unreachable is None:
        pytest.skip("nothing to reach")
    with pytest.raises(WhodidError) as caught:
        _use(make(case, tmp_path, case.unreachable), case)
    assert caught.value.kind.temporary, caught.value


def test_being_refused_is_permanent_and_tells_no_secret(case: Case, tmp_path: Path) -> None:
    if case.forbidden is None:
        pytest.skip("nobody is refused")
    with pytest.raises(WhodidError) as caught:
        _use(make(case, tmp_path, case.forbidden), case)
    assert not caught.value.kind.temporary, caught.value
    kind = implementation(case.kind)
    for option in kind.OPTIONS:
        if option.secret and case.forbidden.get(option.name):
            assert case.forbidden[option.name] not in str(caught.value)


def _use(target: Target, case: Case) -> None:
    try:
        target.open()
        target.send(delivery_of(usual_events(2), form=form_of(format=case.format)))
        target.flush()
    finally:
        target.close()


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_options_are_rows_that_help(kind: str) -> None:
    options = implementation(kind).OPTIONS
    assert len({option.name for option in options}) == len(options)
    given = {option.name: _some(option) for option in options if option.default is None and not option.optional}
    complete = read_options(options, given)
    for option in options:
        assert option.help and option.unit and not option.help.endswith("."), option
        assert option.kind != "choice" or option.default in option.choices, option
        assert option.name in complete


def _some(option: Any) -> Any:
    return {"whole": 1, "number": 1.0, "flag": True, "map": {"*": "x"}, "list": ["x"]}.get(
        option.kind, option.choices[0] if option.choices else "x"
    )
