"""The demo's story: believable, the same again for the same seed, and with everything in it that it says it hides."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from whodid import demo
from whodid.demo import story, vocabulary
from whodid.demo.calendar import Office, is_working_day, utc_offset_h
from whodid.demo.people import make_groups, make_people
from whodid.errors import WhodidError
from whodid.event import Event, parameters_of
from whodid.stack_trace import error_hash

END = datetime(2026, 11, 20, 11, tzinfo=UTC)
EVENTS, DAYS, SEED = 60_000, 90, 7


@pytest.fixture(scope="module")
def told() -> list[Event]:
    return list(demo.generate(events=EVENTS, days=DAYS, seed=SEED, end=END))


def of_type(told: Sequence[Event], *types: str) -> list[Event]:
    return [event for event in told if event.type in types]


def days_ago(event: Event) -> float:
    return (END - event.time) / timedelta(days=1)


def test_it_has_about_as_many_events_as_asked_for_in_order_within_its_time(told: list[Event]) -> None:
    assert len(told) == pytest.approx(EVENTS, rel=0.03)
    assert all(first.time <= second.time for first, second in itertools.pairwise(told))
    assert END - timedelta(days=DAYS) <= told[0].time
    assert told[-1].time < END


@pytest.mark.parametrize(("events", "days"), [(300, 1), (3_000, 10), (5_000, 400)])
def test_other_sizes_work_too(events: int, days: int) -> None:
    told = list(demo.generate(events=events, days=days, seed=1, end=END))
    assert events * 0.85 <= len(told) <= events * 1.15
    assert told[0].time >= END - timedelta(days=days)


def test_every_event_is_valid_on_the_wire_and_its_id_tells_its_time(told: list[Event]) -> None:
    for event in told[::50]:
        wire = msgspec.json.encode(event)
        assert msgspec.json.decode(wire, type=Event, strict=True) == event
        assert str(uuid.UUID(event.id)) == event.id
        assert uuid.UUID(event.id).version == 7
        assert int(event.id.replace("-", "")[:12], 16) == round(event.time.timestamp() * 1000)
    assert len({event.id for event in told}) == len(told)


def test_the_same_seed_tells_the_same_story_and_another_seed_another() -> None:
    first, again, other = (
        list(demo.generate(events=2_000, days=20, seed=seed, end=END)) for seed in (SEED, SEED, SEED + 1)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("wrong", [{"events": 0}, {"days": 0}, {"end": datetime(2026, 1, 1)}])
def test_arguments_out_of_bounds_are_refused(wrong: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"events": 10, "days": 1, "seed": 1, "end": END} | wrong
    with pytest.raises(WhodidError) as refused:
        demo.generate(**arguments)
    assert refused.value.code == "invalid"


def test_people_work_by_day_and_rest_on_weekends(told: list[Event]) -> None:
    people = [event for event in told if event.session]
    by_day = Counter(event.time.weekday() for event in people)
    assert sum(by_day[day] for day in (5, 6)) < 0.1 * len(people)
    hours = Counter(event.time.hour for event in people)
    assert hours[8] > 5 * hours[23]


def test_sessions_begin_with_a_login_and_belong_to_one_person(told: list[Event]) -> None:
    sessions: dict[str, list[Event]] = defaultdict(list)
    for event in told:
        if event.session and event.user != story.MASS_EXPORT.login:
            sessions[event.session].append(event)
    beginnings = Counter(events[0].type for events in sessions.values())
    assert beginnings["login-success"] == len(sessions)
    assert all(len({event.user for event in events}) == 1 for events in sessions.values())


def test_errors_of_a_group_have_one_hash_over_all_builds_and_languages(told: list[Event]) -> None:
    errors = [event for event in told if event.error_stack_trace]
    by_message: dict[str | None, set[str | None]] = defaultdict(set)
    for event in errors:
        by_message[event.error_message].add(event.error_hash)
    assert len(by_message) == 10
    assert all(len(hashes) == 1 for hashes in by_message.values())
    assert len({next(iter(hashes)) for hashes in by_message.values()}) == 10
    assert all(error_hash(event.error_stack_trace) == event.error_hash for event in errors[::20])
    assert 0.005 < len(errors) / len(told) < 0.03


def test_one_request_joins_browser_and_server(told: list[Event]) -> None:
    requests: dict[str, list[Event]] = defaultdict(list)
    for event in told:
        if event.request_id:
            requests[event.request_id].append(event)
    wanted = [
        ("client", "click"),
        ("server", "query-start"),
        ("server", "table-produced"),
        ("client", "viewer-rendered"),
    ]
    ways = [[(event.source, event.type) for event in events if event.level != "error"] for events in requests.values()]
    assert sum(way == wanted for way in ways) > 100


def test_programs_act_for_people(told: list[Event]) -> None:
    acting = [event for event in told if event.acting_for]
    assert {event.via.split(":")[0] for event in acting if event.via} == {"scenario", "webapp"}
    assert all(event.via for event in acting)


def test_groups_nest_from_everyone_to_departments() -> None:
    groups = {group.name: group for group in make_groups(make_people(60, 30, random.Random(1)))}
    assert groups["Chemistry"].parent == "Research"
    assert groups["Research"].parent == "Everyone"
    assert "lin.chen" in groups["Chemistry"].members


def test_an_office_has_its_summer_time_and_holidays() -> None:
    berlin = Office("Berlin", 1.0, "EU", frozenset({"10-03"}), "")
    assert utc_offset_h(berlin, date(2026, 10, 24)) == 2.0
    assert utc_offset_h(berlin, date(2026, 10, 25)) == 1.0
    boston = berlin._replace(offset_h=-5.0, summer="US")
    assert utc_offset_h(boston, date(2026, 3, 8)) == -4.0
    assert utc_offset_h(boston, date(2026, 11, 1)) == -5.0
    assert not is_working_day(berlin, date(2025, 10, 3))
    assert not is_working_day(berlin, date(2026, 11, 21))


class TestPlanted:
    """Each fact of `story` can be found in the events alone."""

    def test_a_menu_item_that_nobody_uses(self, told: list[Event]) -> None:
        published = of_type(told, "package-published")
        known = set(parameters_of(published[-1])["menuItems"])
        used = {parameters_of(event)["item"] for event in of_type(told, "main-menu-item-click")}
        assert known - used == {story.UNUSED_MENU_ITEM}
        assert known == set(vocabulary.menu_items())

    def test_an_error_that_begins_with_a_release(self, told: list[Event]) -> None:
        fact = story.RELEASE
        hash_of_group = error_hash(vocabulary.trace(fact.error_group))
        errors = [event for event in told if event.error_hash == hash_of_group]
        assert len(errors) > 10
        assert all(parameters_of(event)["version"] == fact.version for event in errors)
        assert max(map(days_ago, errors)) <= fact.days_ago
        assert [parameters_of(event)["version"] for event in of_type(told, "package-published")] == [
            fact.previous_version,
            fact.version,
        ]

    def test_two_ways_of_working(self, told: list[Event]) -> None:
        created = of_type(told, "security-admin-group-create")
        members = {event.entities[0].id: parameters_of(event)["members"] for event in created}
        scientific = of_type(told, "notebook-start", "script-start", "predictive-model-start")
        analytic = of_type(told, "query-start", "dashboard-read-meta")
        for cluster, more, less in (("scientist", scientific, analytic), ("analyst", analytic, scientific)):
            people = {login for department in story.CLUSTERS[cluster] for login in members[department]}
            many, few = (sum(event.user in people for event in events) for events in (more, less))
            assert many > 3 * few

    def test_a_dataset_whose_source_changed(self, told: list[Event]) -> None:
        fact = story.MOVED_DATASET
        changes = [event for event in of_type(told, "dataset-save") if "connection" in parameters_of(event)["changed"]]
        assert len(changes) == 1
        assert changes[0].entities[0].id == fact.id
        assert parameters_of(changes[0])["after"]["connection"] == fact.connection_after
        uses = [event for event in told if event.entities and event.entities[0].id == fact.id and event not in changes]
        places = [(event.time > changes[0].time, parameters_of(event).get("connection")) for event in uses]
        before = {place for later, place in places if place and not later}
        after = {place for later, place in places if place and later}
        assert before == {fact.connection_before}
        assert fact.connection_after in after

    def test_a_costly_notebook(self, told: list[Event]) -> None:
        most: dict[str, tuple[float, str]] = {}
        for event in told:
            usage = parameters_of(event).get("computeResourceUsage")
            if usage and "localProcess" in usage:
                gb_hours = usage["localProcess"]["vmRSSTotalMBS"] / 1024 / 3600
                most[usage["id"]] = max(most.get(usage["id"], (0.0, "")), (gb_hours, event.entities[0].id))
        by_thing: Counter[str] = Counter()
        for gb_hours, thing in most.values():
            by_thing[thing] += gb_hours  # type: ignore[assignment]
        [(costly, cost), (_, second)] = by_thing.most_common(2)
        assert costly == story.COSTLY_NOTEBOOK.id
        assert cost > 5 * second

    def test_a_notebook_that_was_forgotten(self, told: list[Event]) -> None:
        fact = story.FORGOTTEN_NOTEBOOK
        signs = [event for event in told if event.entities and event.entities[0].id == fact.id]
        assert {event.type for event in signs} == {"compute-resource-usage-start", "compute-resource-usage-update"}
        assert days_ago(signs[0]) == pytest.approx(fact.days_ago) and days_ago(signs[-1]) < 0.5
        last = parameters_of(signs[-1])["computeResourceUsage"]["localProcess"]
        assert last["cpuTotalMS"] / 1000 < 0.01 * (signs[-1].time - signs[0].time).total_seconds()

    def test_an_account_that_was_probed(self, told: list[Event]) -> None:
        fact = story.PROBED_ACCOUNT
        failures = [
            event
            for event in of_type(told, "login-failure")
            if event.user == fact.login and parameters_of(event)["clientIP"].startswith("185.")
        ]
        assert len({parameters_of(event)["clientIP"] for event in failures}) > 10
        assert len({event.time.date() for event in failures}) == 3
        [refusal] = of_type(told, "denied")
        assert refusal.user == fact.login
        assert refusal.time > failures[-1].time

    def test_a_key_user_who_fades(self, told: list[Event]) -> None:
        early = Counter(event.user for event in told if days_ago(event) > 60 and event.session)
        late = Counter(event.user for event in told if days_ago(event) < 7 and event.session)
        login = story.FADING_USER.login
        assert login in [user for user, _ in early.most_common(3)]
        assert late[login] < early[login] / 20

    def test_a_mass_export(self, told: list[Event]) -> None:
        by_evening = Counter((event.user, event.time.date()) for event in of_type(told, "dataset-export"))
        [((user, day), count), (_, usual)] = by_evening.most_common(2)
        assert user == story.MASS_EXPORT.login
        assert count > 5 * usual
        assert (END.date() - day).days == story.MASS_EXPORT.days_ago

    def test_a_feature_that_drifts(self, told: list[Event]) -> None:
        fact = story.DRIFT
        asked = [(days_ago(e), json.loads(bytes(e.parameters))) for e in of_type(told, "prediction-query")]
        spends = [(ago, told["features"][fact.feature]) for ago, told in asked if told["serviceId"] == fact.service]
        before = [spend for ago, spend in spends if ago > fact.days_ago]
        after = [spend for ago, spend in spends if ago < fact.days_ago]
        assert sum(before) / len(before) == pytest.approx(fact.mean_before, abs=2)
        assert sum(after) / len(after) == pytest.approx(fact.mean_after, abs=2)
        others = [told for _, told in asked if told["serviceId"] == "solubility"]
        assert {told["version"] for told in others} == {"v3", "v4"}

    def test_predictions_that_are_wrong_more_often_since(self, told: list[Event]) -> None:
        outcomes = {
            tells["key"]: tells["outcome"]
            for tells in map(parameters_of, of_type(told, "ground-truth"))
            if (tells["serviceId"], tells["match"]) == (story.DRIFT.service, "context.customer")
        }
        right: dict[bool, list[bool]] = {False: [], True: []}
        for event in of_type(told, "prediction-query"):
            asked = parameters_of(event)
            outcome = outcomes.get(asked["context"].get("customer"))
            if outcome and asked["result"]:
                right[days_ago(event) < story.DRIFT.days_ago].append(asked["result"]["prediction"] == outcome)
        before, after = (sum(right[later]) / len(right[later]) for later in (False, True))
        assert before > 0.85 and after < before - 0.15


def test_compute_metrics_only_grow_under_one_id(told: list[Event]) -> None:
    last: dict[str, float] = {}
    for event in told:
        usage = parameters_of(event).get("computeResourceUsage")
        if usage and "localProcess" in usage:
            total = usage["localProcess"]["cpuTotalMS"]
            assert total >= last.get(usage["id"], 0)
            last[usage["id"]] = total
    assert len(last) > 100


def test_a_shorter_story_hides_the_same_facts_sooner() -> None:
    assert story.days_before_end(30, 90) == story.days_before_end(30, 365) == 30
    assert story.days_before_end(30, 30) == 10
    told = list(demo.generate(events=20_000, days=30, seed=3, end=END))
    assert len(of_type(told, "denied")) == 1
    assert len(of_type(told, "package-published")) == 2
