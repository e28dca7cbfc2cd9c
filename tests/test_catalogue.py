"""The catalogue: what is known about types of events."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from whodid import catalogue
from whodid.event import LEVELS


def test_it_holds_the_documented_types_of_each_family_and_the_names_seen() -> None:
    entries = catalogue.entries().values()
    documented = [entry for entry in entries if entry.documented and entry.family == "datagrok"]
    names = {entry.name for entry in documented}
    assert {"query-created", "predictive-model-start", "entity-shared-silent", "package-tested"} <= names
    assert len(names) == 47 + 13 + 11
    seen = Counter(entry.documented for entry in entries if entry.family == "dss")
    assert seen[False] > 1_500
    assert seen[True] == 29


def test_every_documented_type_has_a_meaning_and_every_row_is_sound() -> None:
    topics = {topic.name for topic in catalogue.TOPICS}
    for name, entry in catalogue.entries().items():
        assert entry.name == name
        assert entry.level in LEVELS
        assert entry.topic in topics
        assert bool(entry.meaning) == entry.documented
        assert entry.family in {"datagrok", "dss", "whodid"}


@pytest.mark.parametrize(
    ("name", "level", "topic", "standard"),
    [
        ("query-start", "audit", "generic", True),
        ("error", "error", "generic", True),
        ("viewer-rendered", "usage", "generic", False),
        ("click", "usage", "generic", False),
        ("login-failure", "audit", "authfail", True),
        ("prediction-query", "usage", "apinode-query", True),
        ("compute-resource-usage-update", "usage", "compute-resource-usage", True),
        ("key-created", "audit", "generic", True),
    ],
)
def test_entries_say_level_topic_and_whether_standard_logging_has_them(
    name: str, level: str, topic: str, standard: bool
) -> None:
    entry = catalogue.lookup(name)
    assert entry is not None
    assert (entry.level, entry.topic, entry.standard, entry.documented) == (level, topic, standard, True)


def test_unknown_types_are_as_good_as_others() -> None:
    assert catalogue.lookup("never-heard-of") is None
    assert catalogue.topic_of("never-heard-of") == "generic"
    assert catalogue.level_of("never-heard-of", "generic") == "audit"
    assert catalogue.level_of("never-heard-of", "generic-failure") == "error"
    assert catalogue.level_of("never-heard-of", "a topic of their own") == "audit"
    assert "never-heard-of" not in catalogue.known_types()
    assert "query-start" in catalogue.known_types()


def test_it_is_read_when_it_is_asked() -> None:
    code = "import whodid.catalogue as c; assert c.entries.cache_info().currsize == 0; assert c.lookup('error')"
    subprocess.run([sys.executable, "-c", code], check=True)
