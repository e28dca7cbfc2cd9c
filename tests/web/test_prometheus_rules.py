"""The alert rules that come along speak of metrics that there are, with the labels that these have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from support.web import WebServer
from whodid.directory.nodes import NodeSeen
from whodid.directory.receivers import Sign
from whodid.event import new_id

RULES = Path(__file__).parents[2] / "deploy" / "prometheus-rules.yml"
# Given by Prometheus itself.
OF_PROMETHEUS = {"instance", "job"}
WORDS = {"predict_linear", "increase", "abs", "max", "by", "up"}


class Rule(NamedTuple):
    """An alert: its expression, and what it says."""

    name: str
    expression: str
    text: str

    @property
    def metrics(self) -> set[str]:
        return set(re.findall(r"\bwhodid_[a-z_]+\b", self.expression))

    @property
    def labels(self) -> set[str]:
        """The labels that it asks by or tells."""
        asked = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", self.expression)
        grouped = [
            name.strip() for names in re.findall(r"by \(([^)]*)\)", self.expression) for name in names.split(",")
        ]
        return {*asked, *grouped, *re.findall(r"\$labels\.(\w+)", self.text)} - OF_PROMETHEUS


def rules() -> list[Rule]:
    _, *parts = re.split(r"- alert: (\w+)\n", RULES.read_text())
    return [
        Rule(name, re.findall(r"expr: (.*)", text)[0], text) for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """What a server with nodes, receivers and a target tells Prometheus: the labels of each metric."""
    folder = tmp_path_factory.mktemp("metrics")
    server = WebServer(folder / "data")
    directory = server.engine.directory
    now = datetime.now(UTC)
    directory.note_nodes([NodeSeen(node="design", at=now, events=1, heartbeat_at=now, clock_ahead_ms=5)])
    standing = {"ready": True, "lag_seconds": 0.0, "disk_free_bytes": 1}
    directory.note_receiver(
        Sign(
            receiver=new_id(), name="a", host="a", folder="/data", address="http://a", version="1", journal="disk",
            state="serving", started_at=now, acknowledged=1, settled=1, standing=standing,
        )
    )  # fmt: skip
    made = server.client.post(
        "/v1/targets", json={"name": "files", "kind": "files", "options": {"path": str(folder / "out")}}
    )
    assert made.status_code == 201, made.text
    found: dict[str, set[str]] = {}
    for line in server.client.get("/metrics").text.splitlines():
        if not line.startswith("#"):
            name, labels = re.fullmatch(r"(\w+)(?:\{(.*)\})? \S+", line).groups()  # type: ignore[union-attr]
            found.setdefault(name, set()).update(re.findall(r"(\w+)=\"", labels or ""))
    # The clocks of a server and of its own database are one.
    found["whodid_receiver_clock_ahead_seconds"] = found["whodid_receiver_silent"]
    # A journal on disk loses none.
    found["whodid_journal_lost_records_total"] = set()
    yield found
    server.close()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_speaks_of_what_there_is(rule: Rule, metrics: dict[str, set[str]]) -> None:
    assert rule.metrics <= metrics.keys() or rule.expression.startswith("up{")
    for name in rule.metrics:
        # A limit beside a gauge is compared with it and needs no label of its own.
        assert rule.labels <= metrics[name] or name.endswith(("_max", "_min")), name
    words = set(re.findall(r"\b([a-z_]+)\s*\(", rule.expression)) | set(re.findall(r"\bup\b", rule.expression))
    assert words <= WORDS
    assert rule.expression.count("(") == rule.expression.count(")")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_says_what_is_wrong_and_what_to_do(rule: Rule) -> None:
    for word in ("summary:", "description:"):
        assert rule.text.count(word) == 1
    assert re.search(r"severity: (critical|warning)", rule.text)


def test_what_has_to_be_noticed_is_noticed() -> None:
    named = {name for rule in rules() for name in rule.metrics}
    assert {
        "whodid_ready", "whodid_lag_seconds", "whodid_rejected_events_total", "whodid_target_refused_events_total",
        "whodid_disk_free_bytes", "whodid_receiver_clock_ahead_seconds", "whodid_node_clock_ahead_seconds",
        "whodid_receiver_silent", "whodid_receiver_lost_events", "whodid_journal_quarantined",
        "whodid_journal_lost_records_total", "whodid_poisoned_batches_total", "whodid_missing_batches_total",
    } <= named  # fmt: skip


def test_dead_letters_are_noticed_when_they_come_not_when_they_go() -> None:
    (rule,) = (rule for rule in rules() if rule.name == "WhodidDeadLetters")
    assert all(name.endswith("_total") for name in rule.metrics), "what falls looks to increase() like a new beginning"


def test_a_journal_that_is_full_and_grows_no_more_is_noticed() -> None:
    (rule,) = (rule for rule in rules() if rule.name == "WhodidJournalFilling")
    assert ">= whodid_journal_backlog_bytes_max" in rule.expression


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"whodid (\w+)", " ".join(rule.text for rule in rules())))))
def test_the_commands_it_names_exist(verb: str) -> None:
    from whodid.cli import VERBS

    assert verb in {"on"} | {name for name, _ in VERBS}
