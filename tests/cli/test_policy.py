"""`whodid policy` on a data folder of its own: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from whodid import cli
from whodid.event import new_id

Captured = pytest.CaptureFixture[str]
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, capsys: Captured) -> Run:
    """Runs a verb, which has to end as `ends`; what it printed, errors behind."""

    def run_(*words: str, ends: int = cli.DONE) -> str:
        capsys.readouterr()
        outcome = cli.main([*words, "--data", str(tmp_path / "data")])
        shown = capsys.readouterr()
        assert outcome == ends, shown
        return shown.out + shown.err

    return run_


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_rules_are_made_listed_changed_moved_and_deleted(run: Run) -> None:
    assert "Made the rule quiet at position 1, applied." in run("policy", "create", "quiet", "--leave-out", "patient")
    run("user", "create", "ada")
    made = run(
        "policy", "create", "ada", "--user", "ada", "--off", "error", "--off", "viewer-*", "--sample", "job-start=10%",
        "--hash", "email", "--truncate", "query=200", "--session-idle-ms", "60000", "--draft",
    )  # fmt: skip
    assert "position 1, a draft" in made
    ada, quiet = rows(run("policy", "list"))
    assert (ada["switched_off"], ada["sampling"]) == (["error", "viewer-*"], {"job-start": 0.1})
    assert (ada["hashed"], ada["truncated"], ada["session_idle_ms"]) == (["email"], {"query": 200}, 60_000)
    assert (ada["enabled"], quiet["left_out"], quiet["position"]) == (False, ["patient"], 2)
    table = run("policy", "list", "--output", "table")
    assert "1. ada (draft): for user ada, standard" in table
    assert "not error, not viewer-*, job-start 10 %" in table and "hashed email, query to 200" in table
    assert "2. quiet: for everyone, standard" in table and "left out 0 events" in table
    run("policy", "change", "ada", "--enabled", "yes", "--clear", "off", "--clear", "truncate", "--rename", "ada's")
    run("policy", "change", "quiet", "--enabled", "no")
    assert "Order: quiet, ada's" in run("policy", "move", "quiet", "--before", "ada's")
    (shown,) = rows(run("policy", "show", "ada's"))
    assert (shown["enabled"], shown["switched_off"], shown["truncated"]) == (True, [], {})
    assert "Deleted the rule quiet." in run("policy", "delete", "quiet")
    assert run("policy", "hash", "ada@example.org").startswith("hmac-sha256:")


def test_a_level_is_understood_from_types(run: Run) -> None:
    run("policy", "create", "few", "--type", "query-*", "--type", "error")
    (rule,) = rows(run("policy", "list"))
    assert (rule["level"], rule["types"]) == ("custom", ["query-*", "error"])


@pytest.mark.parametrize(
    ("words", "ends", "says"),
    [
        (["create", "x", "--user", "eve"], cli.FAILED, "There is no user 'eve'"),
        (["create", "x", "--group", "nobody"], cli.FAILED, "There is no group 'nobody'"),
        (["create", "x", "--off", "viewer-renderd"], cli.WRONG_USE, "Did you mean 'viewer-rendered'"),
        (["create", "x", "--off", "user-logged-in"], cli.WRONG_USE, "is a security type"),
        (["create", "x", "--level", "custom"], cli.WRONG_USE, "without types"),
        (["create", "x", "--sample", "click"], cli.WRONG_USE, "is not TYPE=SHARE"),
        (["create", "x", "--sample", "click=many"], cli.WRONG_USE, "click=10%"),
        (["create", "x", "--truncate", "query=some"], cli.WRONG_USE, "NAME=N"),
        (["create", "x", "--before", "nothing"], cli.FAILED, "There is no rule 'nothing'"),
        (["change", "x"], cli.WRONG_USE, "Nothing to change"),
        (["delete", "x"], cli.FAILED, "There is no rule 'x'"),
        (["move", "x", "--position", "1"], cli.FAILED, "There is no rule 'x'"),
        (["test", "--since", "soon"], cli.WRONG_USE, "which is no time"),
        (["capture", "start", "--reason", "why it hangs", "--for", "8d"], cli.WRONG_USE, "From one second to 7 days"),
        (["capture", "start", "--reason", "why it hangs", "--for", "long"], cli.WRONG_USE, "which is no duration"),
        (["test", "--until", "7d"], cli.WRONG_USE, "does not lie before --until"),
        (["test", "--since", "1d", "--until", "2d"], cli.WRONG_USE, "does not lie before --until"),
        (["capture", "start", "--reason", ""], cli.WRONG_USE, "needs a reason"),
        (["capture", "start"], cli.WRONG_USE, "--reason"),
        (["capture", "stop", "x"], cli.FAILED, "There is no capture 'x'"),
    ],
)
def test_mistakes_are_named(run: Run, words: list[str], ends: int, says: str) -> None:
    run("user", "create", "ada")
    assert says in run("policy", *words, ends=ends)


def test_a_rule_that_can_never_match_is_refused(run: Run) -> None:
    run("policy", "create", "all")
    assert "'again' could never match: 'all'" in run("policy", "create", "again", ends=cli.WRONG_USE)


def test_a_draft_is_tried_day_by_day(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "events.ndjson"
    at = datetime.now(UTC)
    lines = []
    for hours in range(1, 73, 3):
        for kind in ("click", "query-start"):
            moment = (at - timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
            lines.append({"id": new_id(), "time": moment, "type": kind, "user": "ada", "parameters": {"secret": 1}})
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run("import", str(log))
    words = ("policy", "test", "--since", "7d", "--level", "standard", "--leave-out", "secret")
    table = run(*words, "--output", "table")
    assert "24 of them" in table and "drops     click: 24 events" in table
    assert "left out  secret of 24 events" in table
    told = rows(run(*words, "--output", "ndjson"))
    assert [(row["what"], row["name"], row["events"]) for row in told] == [
        ("dropped", None, 24), ("dropped type", "click", 24), ("left_out", "secret", 24),
    ]  # fmt: skip
    whole = json.loads(run(*words, "--output", "json"))
    whole = whole[0] if isinstance(whole, list) else whole
    assert whole["dropped_events"] == 24 and whole["events"] >= 48
    assert rows(run("policy", "list")) == []


def test_captures_are_started_listed_and_stopped(run: Run) -> None:
    run("user", "create", "ada")
    started = run("policy", "capture", "start", "--user", "ada", "--for", "2h", "--events", "5", "--reason", "it hangs")
    assert "Started capture-1" in started and "with 5 events" in started
    assert "runs" in run("policy", "capture", "list", "--output", "table")
    (capture,) = rows(run("policy", "capture", "list"))
    assert (capture["user"], capture["reason"], capture["events_max"]) == ("ada", "it hangs", 5)
    assert "Stopped capture-1: 0 events." in run("policy", "capture", "stop", "capture-1")
    assert "policy     0 rules" in run("status")


@pytest.mark.parametrize("words", [[], ["create"], ["test"], ["capture"], ["capture", "start"]])
def test_help_has_examples(run: Run, capsys: Captured, words: list[str]) -> None:
    capsys.readouterr()
    assert cli.main(["policy", *words, "--help"]) == cli.DONE
    assert "whodid policy" in capsys.readouterr().out
