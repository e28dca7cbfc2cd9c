"""Every report as a mail, on the demo's story."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from support.batches import Batches
from support.reporting import ASKED, SPAN, STORY, Memberships, story_memberships
from support.story import END
from whodid import demo, reports
from whodid.plugins import STORES, load
from whodid.reports import Report
from whodid.schedules import compose
from whodid.schedules.picture import specification
from whodid.schedules.row import Destination, Schedule
from whodid.stores.base import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("story")
    made: Store = load(STORES, "duckdb")(folder / "events.duckdb", journal_path=folder / "journal")
    made.write([Batches(folder / "journal").of(list(demo.generate(**STORY, end=END)))])
    yield made
    made.close()


@pytest.fixture(scope="module")
def memberships() -> Memberships:
    return story_memberships()


@pytest.mark.parametrize("chosen", reports.catalogue(), ids=lambda chosen: chosen.name)
def test_a_report_makes_a_mail_of_text_table_and_picture(
    chosen: Report, store: Store, memberships: Memberships, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[dict[str, Any] | None] = []

    def draw(report: Report, rows: Sequence[Mapping[str, Any]], zone: str) -> None:
        drawn.append(specification(report, rows, zone))

    monkeypatch.setattr(compose, "picture", draw)
    known = {parameter.name for parameter in chosen.parameters}
    given = {name: value for name, value in {**SPAN, **ASKED.get(chosen.name, {})}.items() if name in known}
    answer = reports.run(store, chosen.name, directory=memberships, **given)
    asked = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in given.items()}
    schedule = Schedule(
        name="all", report=chosen.name, cron="0 7 * * 1", to=Destination(mail=["a@example.com"]), since=END,
        created_at=END, zone="Europe/Berlin", format="csv",
    )  # fmt: skip
    mail = compose.mail_of(schedule, answer, asked, END)
    assert chosen.title in mail.subject and chosen.question in mail.text
    assert len(mail.attachments) == 1
    if answer.table.num_rows:
        assert "<td" in mail.html and "nothing to tell" not in mail.html
    for spec in drawn:
        assert spec is None or "var(--" not in json.dumps(spec)
