"""The frame of the command line: help, version, wrong use, errors without tracebacks or secrets."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from whodid import __version__, cli
from whodid.cli import terminal
from whodid.cli.options import Output, Place
from whodid.errors import WhodidError
from whodid.masking import without_secrets


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == cli.DONE
    assert capsys.readouterr().out.strip() == __version__


def test_help_lists_every_verb_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == cli.DONE
    shown = capsys.readouterr().out
    for verb, _ in cli.VERBS:
        assert f" {verb} " in shown
    families = [shown.index(f" {family} ") for family, _ in cli.FAMILIES]
    assert families == sorted(families) and families[-1] < shown.index("--version")


def test_a_store_that_is_none_is_named_with_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--store", "mysql://x", "--data", str(tmp_path)]) == cli.WRONG_USE
    shown = capsys.readouterr().err
    assert "There is no store 'mysql'." in shown and "duckdb" in shown


def test_help_and_version_import_no_verb_no_server_and_no_database() -> None:
    heavy = [
        "duckdb",
        "sqlalchemy",
        "litestar",
        "uvicorn",
        "pyarrow",
        "httpx",
        "whodid.engine",
        "whodid.serve",
        "whodid.cli.events",
    ]
    program = (
        "import sys; from whodid import cli; cli.main(['--help']); cli.main(['--version']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def options_of(app: App, chain: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Every command, with the names of its options as its help shows them."""
    for name in app:
        if not name.startswith("-"):
            yield from options_of(app[name], (*chain, name))
    if app.default_command is not None:
        yield chain, [name for option in app.assemble_argument_collection() if option.show for name in option.names]


def test_no_command_has_two_options_of_one_name() -> None:
    found = dict(options_of(cli.app))
    assert ("schedule", "create") in found and ("outcomes",) in found
    assert {chain: names for chain, names in found.items() if len(names) > len(set(names))} == {}


def test_the_flag_that_help_of_sessions_names_is_there() -> None:
    assert cli.app.parse_args(["user", "sessions", "ada", "--no-open"], exit_on_error=False, print_error=False)


def test_help_tells_no_default_that_goes_without_saying(capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for chain, _ in options_of(cli.app):
        assert cli.main([*chain, "--help"]) == cli.DONE
        told[chain] = set(re.findall(r"\[default:\s+([^]]*)", capsys.readouterr().out.replace("│\n│", "")))
    assert told[("query",)] >= {"10000", "30000"}
    assert {chain: found for chain, found in told.items() if found & {"None", "False", "()"}} == {}


def test_an_unknown_verb_is_wrong_use_and_gets_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["statsu"]) == cli.WRONG_USE
    shown = capsys.readouterr().err
    assert "There is no verb 'statsu'." in shown
    assert "Did you mean: whodid status" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach postgresql://me:s3cret@db/x", "cannot reach postgresql://me:***@db/x"),
        ("refused Authorization: Bearer abc.def", "refused Authorization: Bearer ***"),
        ("bearer p@ss!word is refused", "bearer *** is refused"),
        ("Send it as 'Authorization: Bearer KEY'; make one", "Send it as 'Authorization: Bearer KEY'; make one"),
        ("nothing here", "nothing here"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_an_error_is_message_and_hint_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_error(WhodidError("not_found", "There is no key 'x'.", "See: whodid key list"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "whodid: There is no key 'x'.\n  See: whodid key list\n"


def test_the_place_shows_neither_key_nor_store_password() -> None:
    assert "s3cret" not in repr(Place(key="s3cret", store="postgresql://me:s3cret@db/x"))


def test_output_is_ndjson_when_piped_and_follows_the_files_name() -> None:
    from pathlib import Path

    assert Output().format() == "ndjson"
    assert Output(to=Path("a.parquet")).format() == "parquet"
    assert Output(to=Path("a.parquet"), output="csv").format() == "csv"
    assert Output(to=Path("a")).format() == "ndjson"
