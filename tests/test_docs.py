"""Whoever adds an option, a route, a report, a verb, a format or an error code also writes it down."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest

from whodid import reports
from whodid.cli import VERBS, app
from whodid.config import OPTIONS, Option
from whodid.dispatch.lines import FORMATS as LINES
from whodid.dispatch.mapped import ocsf
from whodid.dispatch.row import implementation
from whodid.errors import CODES as ERRORS
from whodid.formats import FORMATS
from whodid.formats.rejecting import CODES
from whodid.plugins import TARGETS
from whodid.reading.definition import definition
from whodid.reports.common import FILTERS, ZONE
from whodid.reports.definitions import DEFINITIONS, Definition
from whodid.stores.base import KEPT, KEPT_BY_DUCKDB, KEPT_BY_POSTGRESQL
from whodid.targets.base import TargetOption
from whodid.web.routes import ROUTES, Route

ROOT = Path(__file__).parent.parent


def text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_options_are_documented(option: Option) -> None:
    shown = "–" if option.default == "" else option.default
    assert f"| `{option.name}` (`{option.env}`) | {shown} | {option.unit} | {option.help} |" in text("docs/options.md")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_routes_are_documented(route: Route) -> None:
    assert f"`{route.method} {route.path}`" in text("docs/http.md")


@pytest.mark.parametrize("code", ERRORS)
def test_errors_are_documented(code: str) -> None:
    again = "yes" if ERRORS[code].temporary else ""
    row = f"| `{code}` | {ERRORS[code].status} | {again} |".replace("|  |", "| |")
    assert row in text("docs/http.md")


def test_every_page_is_led_to_from_the_first_one() -> None:
    assert [page for page in DOCS if f"({page})" not in text("README.md")] == []


@pytest.mark.parametrize("report", reports.catalogue(), ids=lambda report: report.name)
def test_reports_are_documented(report: reports.Report) -> None:
    assert f"| `{report.name}` | {report.question} |" in text("docs/reports.md")


@pytest.mark.parametrize("word", DEFINITIONS, ids=lambda word: word.word)
def test_words_of_reports_are_defined(word: Definition) -> None:
    assert f"| {word.word} | {word.meaning} |" in text("docs/reports.md")
    assert word.sql is None or definition(word.sql)


@pytest.mark.parametrize("parameter", [*FILTERS, ZONE], ids=lambda parameter: parameter.name)
def test_common_parameters_of_reports_are_documented(parameter: reports.Parameter) -> None:
    row = next(line for line in text("docs/reports.md").splitlines() if line.startswith(f"| `{parameter.name}` |"))
    assert row.endswith(f"| {parameter.help} |")


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept_beside_events_is_documented(name: str) -> None:
    told = text("docs/reports.md").partition("\nMost reports read")[2].partition("\n\n")[0].replace("\n", " ")
    duckdb, _, postgresql = told.partition("DuckDB besides")[2].partition("PostgreSQL")
    assert f"`{name}`" in told
    assert (f"`{name}`" in duckdb) == (name not in KEPT_BY_POSTGRESQL)
    assert (f"`{name}`" in postgresql.partition("All of these")[0]) == (name not in KEPT_BY_DUCKDB)


def test_which_reports_lack_a_common_parameter_is_documented() -> None:
    told = text("docs/reports.md").partition("## Parameters")[2].partition("| parameter |")[0].replace("\n", " ")
    filters, limit = re.search(r"all but (.*?); `zone`", told), re.search(r"are lists, not by (.*?), which", told)
    for found, parameter in ((filters, FILTERS[0].name), (limit, "limit")):
        lacking = [one.name for one in reports.catalogue() if parameter not in {each.name for each in one.parameters}]
        assert found and re.findall(r"`(.*?)`", found[1]) == lacking
    assert all({"since", "until"} <= {each.name for each in one.parameters} for one in reports.catalogue())


@pytest.mark.parametrize("verb", [name for name, _ in VERBS])
def test_verbs_are_documented(verb: str) -> None:
    assert f"whodid {verb}" in text("README.md") + text("docs/cli.md")


DOCS = sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))
PAGES = ("README.md", "CONTRIBUTING.md", "js/README.md", *DOCS)


def commands(examples: str) -> list[list[str]]:
    """The words of each command that begins a line; those with a place to fill in are none."""
    lines = examples.replace("\\\n", " ").splitlines()
    shown = [re.sub(r"\$\(.*?\)", "value", line) for line in lines if re.match(r"whodid [a-z]", line)]
    return [_words(line) for line in shown if "…" not in line]


def understand(command: list[str]) -> None:
    app.parse_args(command[1:], exit_on_error=False, print_error=False)


def _words(line: str) -> list[str]:
    """What stands before the end of a line's first command."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    return list(takewhile(lambda word: word.strip(";&|<>"), lexer))


@pytest.mark.parametrize("page", PAGES)
def test_commands_are_understood(page: str) -> None:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
    for command in commands("".join(block for language, block in blocks if language in ("", "bash"))):
        understand(command)


@pytest.mark.parametrize("verb", [name for name, _ in VERBS])
def test_examples_of_help_are_understood(verb: str) -> None:
    examples = app[verb].help_epilogue or ""
    # What an example does stands behind it, or above.
    plain = [re.sub(r"(\S) {2,}\S.*", r"\1", line.strip()) for line in re.sub(r" *\\\n *", " ", examples).splitlines()]
    told = commands("\n".join(plain))
    assert told, "each verb has examples"
    for command in told:
        understand(command)


@pytest.mark.parametrize("page", [*PAGES, "ARCHITECTURE.md", "bench/README.md", "bench/tried.md"])
def test_links_lead_somewhere(page: str) -> None:
    for path, heading in re.findall(r"\]\((?!http)([^)#\s]*)(?:#([^)\s]*))?\)", text(page)):
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if target.suffix == ".md" else []
        names = [re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings]
        assert not heading or heading in names, f"{path}#{heading}"


@pytest.mark.parametrize("name", sorted([*FORMATS, *CODES]))
def test_formats_and_their_codes_are_documented(name: str) -> None:
    assert f"`{name}`" in text("docs/formats.md")


@pytest.mark.parametrize("name", LINES)
def test_formats_of_targets_are_documented(name: str) -> None:
    shape = text("docs/targets.md").partition("`--format` says how")[2].partition("\n## ")[0]
    assert f"`{name}`" in shape
    assert name in text("src/whodid/cli/target.py").partition("Form = ")[2].partition("]\n")[0]


@pytest.mark.parametrize("rule", ocsf.rules(), ids=lambda rule: rule.patterns[0])
def test_what_becomes_what_in_ocsf_is_documented(rule: ocsf.Rule) -> None:
    found = ocsf.CLASSES[rule.class_name]
    types = ", ".join(f"`{pattern}`" for pattern in rule.patterns)
    assert f"| {types} | {found.caption} ({found.uid}) | {rule.activity} |" in text("docs/targets.md")


def option_row(option: TargetOption) -> str:
    """As the row of an option stands in the documentation of its kind."""
    needed = option.default is None and not option.optional
    default = "needed" if needed else "–" if option.default in (None, "", {}, []) else option.default
    if isinstance(default, bool):
        default = "yes" if default else "no"
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    return f"| `{option.name}` | {default} | {option.unit} | {option.help}{choices}{' (secret)' * option.secret} |"


@pytest.mark.parametrize("kind", sorted(TARGETS))
def test_targets_and_their_options_are_documented(kind: str) -> None:
    section = text("docs/targets.md").partition(f"### `{kind}`\n")[2].partition("\n### ")[0]
    for option in implementation(kind).OPTIONS:
        assert option_row(option) in section, f"{kind}: {option_row(option)}"
