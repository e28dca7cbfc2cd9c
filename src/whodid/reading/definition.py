"""What words of filters and reports mean, as SQL on events `e`: the files in `sql/` that are expressions."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

from whodid.reading.dialect import Dialect

# What several parameters tell, each in a file of its own, and the condition that there is such a thing at all: an
# engine looks for that first, before it reads any JSON.
WORKED_OUT: Final = {
    "item": "interface",
    "service": "query",
    "endpoint": "query",
    "version": "query",
    "caller": "query",
}
_PARAMETER: Final = re.compile(r"\{([\w.]+)\}")


@cache
def text_of(name: str) -> str:
    """The file `sql/<name>.sql`."""
    return (files("whodid.reading") / "sql" / f"{name}.sql").read_text("utf-8")


def definition(name: str) -> str:
    """The expression in `sql/<name>.sql`, without its comment."""
    lines = [line for line in text_of(name).splitlines() if not line.startswith("--")]
    return f"({' '.join(line.strip() for line in lines)})"


def worked_out(name: str, dialect: Dialect) -> str:
    """One of `WORKED_OUT` as a store says it; in its file `{a.b}` stands for a parameter."""
    return _PARAMETER.sub(lambda found: dialect.parameter_at(found[1]), definition(name))
