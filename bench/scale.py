"""Write the tables of docs/scale.md anew, from the rows of `whodid.benchmark`: python -m bench.scale

A figure that was measured goes into `FIGURES` of src/whodid/benchmark/scale.py; the plan and the costs follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from whodid.benchmark import plan, scale

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"


def tables() -> dict[str, Sequence[str]]:
    """By the heading above it, the rows of each table."""
    return {
        "Which shape": [scale.shape_row(one) for one in scale.SHAPES],
        "Figures": [scale.figure_row(one) for one in scale.FIGURES],
        "A plan: 1 million events/s, kept for 7 years": [plan.plan_row(one) for one in plan.plan(1_000_000, 7)],
        "What a million events cost": [plan.plan_row(one) for one in plan.costs()],
    }


def _below(found: re.Match[str], lines: str) -> str:
    return found[1] + lines


def written(page: str) -> str:
    """The page with the rows of its tables as they are in the package."""
    for heading, rows in tables().items():
        above = rf"^## {re.escape(heading)}$.*?^\|(?:---:?\|)+$\n"
        table = re.compile(rf"({above})((?:^\|[^\n]*\n)*)", re.MULTILINE | re.DOTALL)
        lines = "".join(f"{row}\n" for row in rows)
        page, count = table.subn(partial(_below, lines=lines), page, count=1)
        if not count:
            raise ValueError(f"{PAGE.name} has no table below {heading!r}")
    return page


def main() -> None:
    PAGE.write_text(written(PAGE.read_text()))
    print(f"wrote the tables of {PAGE.name}")


if __name__ == "__main__":
    main()
