"""How rules of the policy are shown: rows of the list, and what a trial on real traffic gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from whodid.amounts import counted
from whodid.web import words
from whodid.web.pages.blocks import Block, Button, Item, Table, Text
from whodid.web.pages.settings.common import segment

HERE: Final = "/settings/policy"
TYPES_SHOWN: Final = 8


def row(rule: Mapping[str, Any], count: int) -> list[Item]:
    """A rule in the list of so many."""
    here, place = f"{HERE}/{segment(rule['name'])}", rule["position"]
    moves = [
        Button(arrow, f"{here}/move", True, fields={"to": to_}, label=f"Move {rule['name']} {to_}")
        for arrow, to_, may in (("↑", "up", place > 1), ("↓", "down", place < count))
        if may
    ]
    state = Item("on") if rule["enabled"] else Item("draft", tag="warning")
    if rule["warning"]:
        state = Item(rule["warning"], tag="bad")
    return [
        Item(f"{place}. {rule['name']}", here),
        Item(said_for(rule)),
        Item(said(rule)),
        Item(words.count(rule["filtered"]["events"]), kind="number"),
        Item(words.size(rule["filtered"]["bytes"]), kind="number"),
        state,
        Item(buttons=moves),
    ]


def said_for(rule: Mapping[str, Any]) -> str:
    """Whom a rule is for, in words."""
    return rule["user"] or (rule["group"] and f"group {rule['group']}") or "everyone"


def said(rule: Mapping[str, Any]) -> str:
    """What a rule logs, in words."""
    parts = [rule["level"] if rule["level"] != "custom" else f"only {', '.join(rule['types'])}"]
    for name, phrase in (
        ("switched_off", "without {}"),
        ("left_out", "{} left out"),
        ("hashed", "{} hashed"),
    ):
        if rule[name]:
            parts.append(phrase.format(", ".join(rule[name])))
    parts += [f"{name} cut to {most:,} characters" for name, most in rule["truncated"].items()]
    parts += [f"{100 * share:.4g} % of {name}" for name, share in rule["sampling"].items()]
    return "; ".join(parts)


def timeout(name: str) -> str:
    """A time that a rule sets for loggers, in words."""
    return f"Loggers: {name.removesuffix('_ms').replace('_', ' ')}"


def told_trial(trial: Mapping[str, Any], zone: str) -> list[Block]:
    """What was tried, by rule, in events and bytes; its times in the reader's zone."""
    events, dropped = trial["events"], trial["dropped_events"]
    head = (
        f"Of {counted(events, 'event')} ({words.size(trial['bytes'])}) from {words.stamp(trial['since'], zone)} to"
        f" {words.stamp(trial['until'], zone)} ({zone}) it would have dropped {dropped:,}"
        f" ({words.percent(dropped, events)}), {words.size(trial['dropped_bytes'])}."
    )
    rows = [
        [
            Item(one["name"]),
            Item(words.count(one["matched"]), kind="number"),
            Item(words.count(one["events"]), kind="number"),
            Item(words.size(one["bytes"]), kind="number"),
            Item(", ".join(f"{each['type']} {each['events']:,}" for each in _largest(one["types"]))),
            Item(
                ", ".join(
                    f"{each['name']} {each['how'].replace('_', ' ')} in {each['events']:,}"
                    for each in one["parameters"]
                )
            ),
        ]
        for one in trial["rules"]
    ]
    heads = ("Rule", "#Events it is for", "#It would drop", "#Bytes", "Types", "Parameters")
    return [
        Text([head], "Tried on real traffic", "good" if not dropped else "warning"),
        Table("By rule", heads, rows, "No rule is switched on."),
    ]


def _largest(types: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((one for one in types if one["events"]), key=lambda one: -one["events"])[:TYPES_SHOWN]
