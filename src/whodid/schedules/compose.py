"""A report as a mail: what it answers, its picture, its table, in HTML and as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from whodid.delivery.mail import Attachment, Mail, Picture
from whodid.reading.cells import python_rows
from whodid.reading.output import FORMATS, write
from whodid.reports import Report, Reported, report
from whodid.schedules.picture import picture
from whodid.schedules.row import Schedule, period_of

ROWS_MAX: Final = 100
COLUMNS_MAX: Final = 8
# Larger files are left out of a mail: servers would refuse all of it.
FILE_BYTES_MAX: Final = 10 * 1024 * 1024
_CELL_MAX: Final = 60
_CHART: Final = "chart"


def file_of(answer: Reported, form: str) -> bytes:
    """The rows as a file."""
    return b"".join(write([answer.table], form))


def mail_of(schedule: Schedule, answer: Reported, asked: dict[str, Any], due: datetime) -> Mail:
    """The mail of a schedule that was due then."""
    chosen = report(schedule.report)
    rows = _rows(chosen, answer)
    drawn = picture(chosen, rows, schedule.zone)
    notes, attachments = [], list[Attachment]()
    if schedule.format != "none":
        data = file_of(answer, schedule.format)
        form = FORMATS[schedule.format]
        if len(data) > FILE_BYTES_MAX:
            notes.append(f"The file would have {len(data):,} bytes and is left out; a connection takes any size.")
        else:
            name = f"{schedule.name}_{due:%Y%m%dT%H%M%SZ}{form.suffix}"
            attachments.append(Attachment(name, form.media_type, data))
    content = _content(schedule, chosen, answer, rows, asked, due)
    content["notes"] = [*_cuts(answer, chosen, bool(attachments)), *notes]
    content["chart"] = _CHART if drawn else None
    return Mail(
        subject=f"{chosen.title}: {content['period']}",
        text=_template("report.txt").render(content),
        html=_template("report.html").render(content),
        key=f"schedule.{schedule.name}.{due:%Y%m%dT%H%M%S%f}",
        pictures=[Picture(_CHART, drawn)] if drawn else [],
        attachments=attachments,
    )


def _rows(chosen: Report, answer: Reported) -> list[dict[str, Any]]:
    """The rows as values of Python; times of the reader's zone are times."""
    local = [column.name for column in chosen.columns if column.type == "local"]
    rows = python_rows(answer.table)
    for row in rows:
        for column in local:
            if isinstance(row[column], str):
                row[column] = datetime.fromisoformat(row[column])
    return rows


def _content(
    schedule: Schedule,
    chosen: Report,
    answer: Reported,
    rows: list[dict[str, Any]],
    asked: dict[str, Any],
    due: datetime,
) -> dict[str, Any]:
    from whodid.web import words
    from whodid.web.pages.cells import grid
    from whodid.web.pages.choice import Choice

    begin, end = period_of(asked, due)
    total = answer.table.num_rows if answer.total is None else answer.total
    table = grid(chosen, rows, Choice(zone=schedule.zone), of=total, show=ROWS_MAX)
    heads = table.heads[:COLUMNS_MAX]
    lines = [[_cell(cell) for cell in line[:COLUMNS_MAX]] for line in table.rows]
    days = f"{words.local(begin, schedule.zone):%-d %b %Y %H:%M} to {words.local(end, schedule.zone):%-d %b %Y %H:%M}"
    return {
        "schedule": schedule,
        "title": chosen.title,
        "question": chosen.question,
        "period": f"{days} {schedule.zone}" if begin != end else f"{words.local(end, schedule.zone):%-d %b %Y %H:%M}",
        "given": [(name, ", ".join(value) if isinstance(value, list) else value) for name, value in _said(schedule)],
        "heads": [(f"{head.label} ({head.unit})" if head.unit else head.label, head.is_number) for head in heads],
        "lines": lines,
        "plain": _plain([head.label for head in heads], lines, [head.is_number for head in heads]),
    }


def _said(schedule: Schedule) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in schedule.parameters.items() if value not in ("", [])]


def _cell(cell: Any) -> str:
    # "2 d ago" is wrong by the time that a mail is read.
    text = cell.title if cell.kind == "time" and cell.title else cell.text or cell.title
    return f"{cell.note}: {text}" if cell.note and cell.kind == "text" else str(text)


def _cuts(answer: Reported, chosen: Report, has_file: bool) -> list[str]:
    found = []
    shown, kept = min(answer.table.num_rows, ROWS_MAX), answer.table.num_rows
    if shown < kept:
        found.append(f"{shown:,} of {kept:,} rows are shown" + ("; the file has all of them." if has_file else "."))
    if answer.truncated:
        total = f" of {answer.total:,}" if answer.total is not None else ""
        found.append(f"The report is cut at {kept:,} rows{total}: see its parameter limit.")
    if len(chosen.columns) > COLUMNS_MAX:
        found.append(f"{COLUMNS_MAX} of {len(chosen.columns)} columns are shown.")
    return found


def _plain(heads: Sequence[str], lines: Sequence[Sequence[str]], numbers: Sequence[bool]) -> str:
    """The table in characters: columns side by side, numbers to the right."""
    table = [[_short(cell) for cell in line] for line in [heads, *lines]]
    widths = [max(len(line[place]) for line in table) for place in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numbers, strict=True)
        ).rstrip()
        for line in table
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _CELL_MAX else line[: _CELL_MAX - 1] + "…"


@cache
def _template(name: str) -> Any:
    made = Environment(
        loader=PackageLoader("whodid.schedules"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return made.get_template(name)
