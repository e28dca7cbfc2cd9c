"""Patterns of partitioned files."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whodid.errors import WhodidError
from whodid.pattern import PathPattern, safe_name

AT = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)


def test_a_path_tells_its_partition() -> None:
    partition = PathPattern("/%{node_type}/%Y/%M/%D/.*").match("/design/2026/11/20/audit-1.json.gz")
    assert partition is not None
    assert partition.dimensions == (("node_type", "design"),)
    assert partition.begins_at == datetime(2026, 11, 20, tzinfo=UTC)
    assert (partition.period, partition.name) == ("day", "design|2026-11-20")


@pytest.mark.parametrize(
    "path",
    ["/design/2026/11/x", "/design/2026/11/20", "/design/20/11/20/a", "/a/b/2026/11/20/c", "/design/2026/13/40/a"],
)
def test_other_paths_are_outside(path: str) -> None:
    assert PathPattern("/%{node_type}/%Y/%M/%D/.*").match(path) is None


@pytest.mark.parametrize(
    ("pattern", "period", "name"),
    [
        ("/%Y/.*", "year", "2026"),
        ("/%Y-%M/.*", "month", "2026-11"),
        ("/%Y/%M/%D/%H/.*", "hour", "2026-11-20-14"),
        ("/logs/.*", None, "all"),
    ],
)
def test_the_period_is_the_finest_level(pattern: str, period: str | None, name: str) -> None:
    found = PathPattern(pattern)
    path = {"year": "/2026/a", "month": "/2026-11/a", "hour": "/2026/11/20/14/a", None: "/logs/a"}[period]
    partition = found.match(path)
    assert found.period == period
    assert partition is not None
    assert partition.name == name


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("%Y/.*", "does not begin with /"),
        ("/%Y/%D/.*", "has %D without %M"),
        ("/%M/.*", "has %M without %Y"),
        ("/%Q/.*", "means nothing"),
        ("/100%", "means nothing"),
        ("/%{a}/%{a}/.*", "twice"),
        ("/%Y/%Y/.*", "twice"),
        ("/%{a b}/.*", "means nothing"),
        ("/(a*)*", "without end"),
        ("/(a|a+)+b", "without end"),
        ("/(a|aa)+b", "without end"),
        ("/.*.*.*x", "without end"),
        (r"/(a)\1", "without end"),
        ("/[a", "cannot be read"),
        ("/" + "a" * 600, "longer than"),
    ],
)
def test_a_bad_pattern_says_what_is_wrong(pattern: str, complaint: str) -> None:
    with pytest.raises(WhodidError, match=complaint.replace("(", r"\(")) as caught:
        PathPattern(pattern)
    assert caught.value.code == "invalid"


def test_a_folder_for_writing_is_found_again() -> None:
    folder = PathPattern("/%{topic}/%{routing_key}/%Y/%M/%D/%H").folder({"topic": "generic", "routing_key": None}, AT)
    assert folder == "generic/none/2026/11/20/14"


def test_a_regular_expression_is_for_reading_only() -> None:
    with pytest.raises(WhodidError, match="regular expression"):
        PathPattern("/%Y/.*").folder({}, AT)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda text: text != "none"))
def test_no_value_leaves_its_folder(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return
    name = safe_name(value)
    assert "/" not in name
    assert not name.startswith(".")
    if len(name) < 200:
        partition = PathPattern("/%{topic}/%Y").match(f"/{name}/2026")
        assert partition is not None
        assert partition.dimensions == (("topic", value),)


def test_what_to_list_is_the_longest_known_folder() -> None:
    pattern = PathPattern("/audit/%{node_type}/%Y/%M/%D/.*")
    assert pattern.prefix() == "audit"
    assert pattern.prefix({"node_type": "design"}) == "audit/design"
    assert pattern.prefix({"node_type": "design"}, AT) == "audit/design/2026/11/20"
    assert PathPattern("/logs/part-%Y/.*").prefix() == "logs"


def test_a_hostile_path_is_answered_at_once() -> None:
    pattern = PathPattern("/.*a.*b")
    begun = time.process_time()
    assert pattern.match("/" + "a" * 1000) is None
    assert time.process_time() - begun < 1.0
