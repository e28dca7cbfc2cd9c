"""What is known about event types: level, topic, meaning, and whether Standard logging includes them.

The vocabulary is open: a type that nobody documented is as good as any other, and is reported as unknown
(`whodid report unknown-types`). The rows are data: `data/catalogue.tsv` (documented, with meanings) and
`data/dss_seen.txt` (names that public readers of DSS audit logs have seen, without documentation).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final, NamedTuple, get_args

from whodid.event import Level


class Entry(NamedTuple):
    """A type of event.

    standard    whether Standard logging includes it; noisy types of the user interface are left to Verbose.
    family      where the name comes from: "datagrok", "dss" or "whodid".
    documented  False for names that were only seen.
    """

    name: str
    level: Level
    topic: str
    meaning: str
    standard: bool
    family: str
    documented: bool


class Topic(NamedTuple):
    """A topic: the level of its events (None: that of their type), and its meaning."""

    name: str
    level: Level | None
    meaning: str


# A refused login is part of the audit trail and is kept as long as that; an action that failed is an error.
TOPICS: Final[tuple[Topic, ...]] = (
    Topic("generic", None, "what people and programs do on the platform"),
    Topic("generic-failure", "error", "actions that failed"),
    Topic("authfail", "audit", "logins and requests that were refused"),
    Topic("apinode-query", "usage", "queries that an API node answered"),
    Topic("compute-resource-usage", "usage", "what processes, queries and containers consumed"),
    Topic("apicalls", "usage", "raw calls of the platform's API"),
)
_TOPICS: Final = {topic.name: topic for topic in TOPICS}
_LEVELS: Final[dict[str, Level]] = {level: level for level in get_args(Level)}


def lookup(name: str) -> Entry | None:
    """What is known about the type `name`; None if nothing is."""
    return entries().get(name)


@cache
def entries() -> Mapping[str, Entry]:
    """Every known type by its name, documented ones first."""
    found: dict[str, Entry] = {}
    for line in _lines("catalogue.tsv")[1:]:
        name, family, level, topic, standard, meaning = line.split("\t")
        found.setdefault(name, Entry(name, _LEVELS[level], topic, meaning, standard == "yes", family, documented=True))
    for name in _lines("dss_seen.txt"):
        if name not in found:
            found[name] = Entry(name, "audit", "generic", "", standard=True, family="dss", documented=False)
    return MappingProxyType(found)


def known_types() -> frozenset[str]:
    """The names of all known types; what events bring besides is unknown."""
    return frozenset(entries())


@cache
def security_types() -> frozenset[str]:
    """Types that tell who came in, who was refused, who got which rights, and who changed or read what is kept.

    No policy leaves them out or hides their parameters.
    """
    return frozenset(_lines("security_types.txt"))


def topic_of(name: str) -> str:
    """The topic of events of the type `name` that do not say theirs."""
    entry = lookup(name)
    return entry.topic if entry is not None else "generic"


def level_of(name: str, topic: str) -> Level:
    """The level of events of the type `name` on `topic` that do not say theirs."""
    known = _TOPICS.get(topic)
    if known is not None and known.level is not None:
        return known.level
    entry = lookup(name)
    return entry.level if entry is not None else "audit"


def _lines(file: str) -> list[str]:
    text = files("whodid.data").joinpath(file).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]
