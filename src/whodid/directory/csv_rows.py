"""CSV as people's spreadsheets write it, and as they may safely open it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from whodid.errors import WhodidError

BYTES_MAX: Final = 16 * 1024 * 1024
ROWS_MAX: Final = 100_000

# What a spreadsheet takes for the beginning of a formula, in its wide forms too.
_FORMULA: Final = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")

Row = dict[str, str]


def read_csv(data: bytes, *, required: Sequence[str], known: Sequence[str]) -> list[tuple[int, Row]]:
    """Line number and fields of each row; empty fields are left out.

    Raises
    ------
    WhodidError("invalid")
        A column is missing, unknown or there twice, or it is no CSV.
    """
    if len(data) > BYTES_MAX:
        raise WhodidError("too_large", f"The file has {len(data):,} bytes; at most {BYTES_MAX:,}.", "Split it.")
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        skipped = 1 if text[:4].lower() == "sep=" else 0
        lines = io.StringIO(text.partition("\n")[2] if skipped else text, newline="")
        reader = csv.reader(lines, delimiter=_delimiter(text), strict=True)
        columns = [name.strip().lower().replace(" ", "_") for name in next(reader, [])]
        _check_columns(columns, required, known)
        rows: list[tuple[int, Row]] = []
        for cells in reader:
            line = reader.line_num + skipped
            if len(cells) > len(columns):
                raise WhodidError(
                    "invalid", f"Line {line} has {len(cells)} fields for {len(columns)} columns.", "Quote the fields."
                )
            row = {name: told for name, cell in zip(columns, cells, strict=False) if (told := _cell(cell))}
            if row:
                rows.append((line, row))
            if len(rows) > ROWS_MAX:
                raise WhodidError("too_large", f"The file has more than {ROWS_MAX:,} rows.", "Split it.")
    except (UnicodeDecodeError, csv.Error) as error:
        raise WhodidError("invalid", f"This is no CSV in UTF-8: {error}.", "Save it as CSV, UTF-8.") from error
    return rows


def _check_columns(columns: list[str], required: Sequence[str], known: Sequence[str]) -> None:
    unknown, missing = [name for name in columns if name not in known], [n for n in required if n not in columns]
    twice = [name for name in columns if columns.count(name) > 1]
    for found, what in (
        (missing, "has no column"),
        (unknown, "has an unknown column"),
        (twice, "has twice the column"),
    ):
        if found:
            raise WhodidError("invalid", f"The file {what} {found[0][:100]!r}.", f"Columns: {', '.join(known)}.")


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    if first[:4].lower() == "sep=" and len(first.rstrip("\r")) == 5:
        return first[4]
    bare = re.sub(r'"[^"]*"', "", first)
    return max(",;\t", key=bare.count)


def _cell(cell: str) -> str:
    """The text of a cell; the apostrophe that an export puts before what looks like a formula goes again."""
    text = cell.strip()
    return text[1:] if text[:1] == "'" and _FORMULA.match(text[1:]) else text


def written(columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> bytes:
    """Rows as a CSV file that no spreadsheet reads as formulas."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([f"'{cell}" if cell and _FORMULA.match(cell) else cell or "" for cell in row])
    return out.getvalue().encode()
