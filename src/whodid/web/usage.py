"""Usage as an answer: all parts as JSON, or one part as a table."""

from __future__ import annotations

from litestar import Response

from whodid.errors import WhodidError
from whodid.reading.output import rows
from whodid.reading.read import USAGE_PARTS, Usage
from whodid.web.answers import file_answer, json_answer


def usage_answer(usage: Usage, form: str, part: str | None) -> Response[bytes]:
    """`part` is one of `USAGE_PARTS`; formats other than JSON need it.

    Raises
    ------
    WhodidError("invalid")
        There is no such part, or none is named for a format of one table.
    """
    if part is not None and part not in USAGE_PARTS:
        raise WhodidError("invalid", f"There is no part {part[:50]!r}.", f"Parts: {', '.join(USAGE_PARTS)}.")
    if part is not None:
        return file_answer(usage.parts[part], form, f"usage-{part}")
    if form != "json":
        raise WhodidError("invalid", f"{form} holds one table.", f"Add part=…, one of {', '.join(USAGE_PARTS)}.")
    tables = {name: rows(table) for name, table in usage.parts.items()}
    return json_answer(
        {
            "since": usage.since.isoformat() + "Z",
            "until": usage.until.isoformat() + "Z",
            **tables,
            "numbers": tables["numbers"][0],
        }
    )
