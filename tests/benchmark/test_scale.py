"""docs/scale.md says what the rows of the package say, and what they come to adds up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bench.scale import tables, written

from whodid.benchmark import plan, scale

ROOT = Path(__file__).parents[2]
BENCHMARKS = (ROOT / "bench" / "README.md").read_text()
DOCS = (ROOT / "docs" / "scale.md").read_text()


def test_the_tables_of_the_page_are_those_of_the_package() -> None:
    assert written(DOCS) == DOCS, "python -m bench.scale"
    for rows in tables().values():
        assert all(f"{row}\n" in DOCS for row in rows)


@pytest.mark.parametrize("one", scale.FIGURES, ids=lambda one: one.name)
def test_a_figure_names_the_command_that_measures_it(one: scale.Figure) -> None:
    assert one.value > 0 and f"`{one.command}`" in scale.figure_row(one)
    command = one.command.split()
    if command[:2] == ["python", "-m"]:
        assert (ROOT / f"{command[2].replace('.', '/')}.py").exists()


@pytest.mark.parametrize("one", scale.FIGURES, ids=lambda one: one.name)
def test_measured_figures_are_those_of_the_benchmarks(one: scale.Figure) -> None:
    figure = re.escape(f"{one.value:,}")
    assert re.search(rf"(?<![\d.,]){figure}(?!,?\d)", BENCHMARKS), "bench/README.md has another figure"


def test_what_breaks_first_is_told_in_figures_of_the_benchmarks() -> None:
    told = " ".join(shape.breaks_first for shape in scale.SHAPES)
    (question_ms,) = re.findall(r"(\d+) ms at 20 million events", told)
    assert f"| duration percentiles per function, 90 days | {question_ms} (" in BENCHMARKS
    assert f"{round(int(question_ms) / 20):,} s at a billion" in told
    assert f"{scale.figure('postgresql_bytes').value} bytes an event" in told


def test_the_smallest_shape_that_carries_it_is_chosen() -> None:
    small, middle, large = scale.SHAPES
    assert scale.shape_for(1_000_000, 90_000_000) is small
    assert scale.shape_for(60_000_000, 90_000_000) is middle
    assert scale.shape_for(1_000_000, 2_000_000_000) is middle
    assert scale.shape_for(86_400_000_000, 1e14) is large


def test_a_day_leaves_room() -> None:
    assert scale.carried_a_day(80_000) == 10_000 * 86_400


def test_seven_years_of_a_million_a_second() -> None:
    rows = {row.what: row.result for row in plan.plan(1_000_000, 7)}
    assert rows["events"] == "86.4 billion a day, 220.8 trillion in all"
    # 48 bytes × 220.8 trillion.
    assert rows["lake, disk"].startswith("10.6 PB")
    assert plan.lake_cost_per_event(7) == pytest.approx(48e-9 * 0.023 * 84)
