"""How targets are shown: rows of lists, how one stands, its dead letters, what would go to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from whodid.amounts import counted
from whodid.web import words
from whodid.web.pages.blocks import Block, Button, Doing, Facts, Item, Table, Text
from whodid.web.pages.settings.common import segment

HERE: Final = "/settings/targets"
ADD: Final = "/settings/add/targets"
_STATES: Final = {
    "running": "good",
    "catching-up": "good",
    "backing-off": "warning",
    "hung": "bad",
    "paused": "warning",
    "stopped": "bad",
}


def row(one: Mapping[str, Any], options: Sequence[str] = ()) -> list[Item]:
    """A target in a list; with `options` instead of its kind."""
    stands = one["status"]
    here = f"{HERE}/{segment(one['name'])}"
    goes = ("Pause", "pause") if one["running"] else ("Resume", "resume")
    middle = [Item(str(one["options"].get(name) or "")) for name in options] or [Item(one["kind"])]
    return [
        Item(one["name"], here),
        *middle,
        Item(stands["state"], tag=_STATES.get(stands["state"], ""), title=stands["reason"] or ""),
        Item(words.count(stands["waiting_events"]), kind="number"),
        Item(words.duration(stands["oldest_waiting_s"] * 1_000) if stands["waiting_events"] else "–", kind="number"),
        Item(words.count(round(stands["rate"], 1)), kind="number"),
        Item(words.count(stands["sent"]), kind="number"),
        Item(stands["reason"] or stands["last_error"] or ""),
        Item(
            buttons=[
                Button("Test", f"{here}/test", True, label=f"Test {one['name']}"),
                Button(goes[0], f"{here}/{goes[1]}", True, label=f"{goes[0]} {one['name']}"),
            ]
        ),
    ]


def kind_row(one: Mapping[str, Any]) -> list[Item]:
    """A kind of target in a list."""
    if not one["installed"]:
        return [Item(one["kind"]), Item(f"Not installed: {one['hint'] or 'its driver is missing'}"), Item(), Item()]
    add = Button("Add", f"{ADD}/{segment(one['kind'])}", label=f"Add a target: {one['kind']}")
    return [
        Item(one["kind"]),
        Item(_sentence(one["help"])),
        Item("yes" if one["exactly_once"] else "at least once"),
        Item(buttons=[add]),
    ]


def standing(found: Mapping[str, Any]) -> list[Block]:
    """How a target stands."""
    stands = found["status"]
    waiting = f"{counted(stands['waiting_events'], 'event')}, {words.size(stands['waiting_bytes'])}"
    if stands["waiting_events"]:
        waiting += f", the oldest for {words.duration(stands['oldest_waiting_s'] * 1_000)}"
    lost = counted(stands["lost"], "event")
    refused = f"{counted(stands['refused'], 'event')}; {counted(stands['dead_letters'], 'dead letter')} kept"
    facts = Facts(
        [
            ("State", stands["state"], _STATES.get(stands["state"], "")),
            ("Waiting", waiting, ""),
            ("Sent", f"{counted(stands['sent'], 'event')}, {words.size(stands['bytes'])}", ""),
            ("Lately", f"{words.count(round(stands['rate'], 1))} events a second", ""),
            ("Refused for good", refused, "warning" if stands["dead_letters"] else ""),
            *([("Lost", f"{lost} gone before it had them", "bad")] if stands["lost"] else []),
            *([("Tries again in", words.duration(stands["retry_in_s"] * 1_000), "")] if stands["retry_in_s"] else []),
        ]
    )
    problem = stands["reason"] or stands["last_error"]
    if not problem:
        return [facts]
    title = "Why it is paused" if stands["reason"] else "The last error"
    return [Text([problem], title, "bad" if stands["reason"] else "warning"), facts]


def letters_of(letters: Sequence[Any], count: int, here: str) -> list[Block]:
    """The dead letters of a target, and what can be done with them."""
    if not count:
        return []
    rows = [
        [
            Item(letter.event.type, f"/events/{letter.event.id}"),
            Item(letter.event.user or ""),
            Item(f"{letter.code}: {letter.message}"),
            Item(words.ago(letter.at), kind="time"),
        ]
        for letter in letters
    ]
    again = Button("Send them again", f"{here}/replay", True)
    note = f"The oldest {len(rows):,} of {count:,}." if count > len(rows) else ""
    return [
        Table("Dead letters: what the other side refused for good", ("Event", "User", "Why", "When"), rows, note=note),
        Doing([again, Button("Throw them away", f"{here}/drop", kind="danger")]),
    ]


def told_dry_run(outcome: Mapping[str, Any]) -> list[Block]:
    """What would go, in numbers and a few lines."""
    looked = f"{'the first ' if outcome['truncated'] else ''}{counted(outcome['looked_at'], 'event')} of the last day"
    head = f"Of {looked}, {outcome['events']:,} would go: {words.size(outcome['bytes'])}. Nothing was sent."
    rows = [
        [Item(name), Item(words.count(count), kind="number")] for name, count in list(outcome["types"].items())[:20]
    ]
    blocks: list[Block] = [Text([head], "What would go", "good", "\n".join(outcome["samples"]))]
    return [*blocks, *([Table("By type", ("Type", "#Events"), rows)] if rows else [])]


def _sentence(text: str) -> str:
    """The first sentence of several."""
    return text.replace("`", "").partition(". ")[0].rstrip(".") + "."
