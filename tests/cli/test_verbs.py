"""Every verb on a data folder of its own, without a server: what it prints, where, and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from support.imports import dss_lines, native_line
from support.journals import draft, open_journal
from whodid import cli

Captured = pytest.CaptureFixture[str]


def rows_of(captured: Captured) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def test_events_are_filtered_and_written_as_ndjson_when_piped(filled: Path, capsys: Captured) -> None:
    assert cli.main(["events", "--data", str(filled), "--user", "user3", "--topic", "generic", "--limit", "5"]) == 0
    found = rows_of(capsys)
    assert len(found) == 5
    assert {row["user"] for row in found} == {"user3"}
    assert [row["time"] for row in found] == sorted((row["time"] for row in found), reverse=True)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (["--type", "query-*"], 10),
        (["--entity", "project:SALES"], 50),
        (["--param", "n=4"], 2),
        (["--since", "2026-03-01T08:00:05Z", "--until", "2026-03-01T08:00:06Z"], 5),
        (["--text", "no such text"], 0),
        (["--user", "user1", "--user", "user2", "--type", "query-start"], 4),
    ],
)
def test_filters_of_events(arguments: list[str], count: int, filled: Path, capsys: Captured) -> None:
    assert cli.main(["events", "--data", str(filled), *arguments, "--limit", "1000"]) == cli.DONE
    assert len(rows_of(capsys)) == count


def test_a_cursor_goes_on_where_an_answer_ended(filled: Path, capsys: Captured) -> None:
    arguments = ["events", "--data", str(filled), "--type", "query-start", "--limit", "6"]
    assert cli.main(arguments) == cli.DONE
    captured = capsys.readouterr()
    first = [json.loads(line)["id"] for line in captured.out.splitlines()]
    cursor = captured.err.split()[-1]
    assert cli.main([*arguments, "--cursor", cursor]) == cli.DONE
    second = [row["id"] for row in rows_of(capsys)]
    assert (len(first), len(second), len({*first, *second})) == (6, 4, 10)


def test_events_as_a_table_csv_json_and_parquet(filled: Path, tmp_path: Path, capsys: Captured) -> None:
    arguments = ["events", "--data", str(filled), "--type", "query-start"]
    assert cli.main([*arguments, "--output", "table"]) == cli.DONE
    assert "query-start" in capsys.readouterr().out
    assert cli.main([*arguments, "--output", "csv"]) == cli.DONE
    assert capsys.readouterr().out.startswith("id,time,")
    assert cli.main([*arguments, "--output", "json"]) == cli.DONE
    assert len(json.loads(capsys.readouterr().out)) == 10
    assert cli.main([*arguments, "--to", str(tmp_path / "events.parquet")]) == cli.DONE
    assert pq.read_table(tmp_path / "events.parquet").num_rows == 10
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]


def test_activity_and_usage(filled: Path, capsys: Captured) -> None:
    since = ["--since", "2026-01-01", "--data", str(filled)]
    assert cli.main(["activity", "user", "user1", *since]) == cli.DONE
    assert {row["user"] for row in rows_of(capsys)} == {"user1"}
    assert cli.main(["activity", "entity", "project:SALES", *since]) == cli.DONE
    assert len(rows_of(capsys)) == 50
    assert cli.main(["usage", "entity", "project:SALES", *since]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["numbers"]["events"] == 50
    until = ["--until", "2026-04-01T12:00:00.25Z", "-o", "table"]
    assert cli.main(["usage", "entity", "project:SALES", *since, *until]) == cli.DONE
    assert capsys.readouterr().out.startswith("From 2026-01-01 00:00 to 2026-04-01 12:00 UTC\n")
    assert cli.main(["usage", "entity", "project:SALES", "--part", "by_day", "-o", "csv", *since]) == cli.DONE
    assert capsys.readouterr().out.splitlines()[1].startswith("2026-03-01,50,")
    assert cli.main(["usage", "user", "user1", "-o", "parquet", *since]) == cli.WRONG_USE
    assert "--part" in capsys.readouterr().err


def test_query_answers_from_the_command_line_a_file_and_standard_input(
    filled: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT count(*) AS n FROM events WHERE type = 'query-start'"
    where = ["--data", str(filled)]
    assert cli.main(["query", sql, *where]) == cli.DONE
    (tmp_path / "q.sql").write_text(sql)
    assert cli.main(["query", "--file", str(tmp_path / "q.sql"), *where]) == cli.DONE
    monkeypatch.setattr("sys.stdin", io.StringIO(sql))
    assert cli.main(["query", *where]) == cli.DONE
    assert rows_of(capsys) == [{"n": 10}] * 3


def test_query_takes_parameters(filled: Path, capsys: Captured) -> None:
    sql = 'SELECT count(*) AS n FROM events WHERE "user" = $login AND length(type) > $least'
    assert cli.main(["query", sql, "--param", "login=user1", "--param", "least=3", "--data", str(filled)]) == cli.DONE
    assert rows_of(capsys) == [{"n": 9}]


@pytest.mark.parametrize(
    "sql", ["DROP TABLE events", "SELECT * FROM read_text('/etc/passwd')", "SELEC 1", "COPY events TO '/tmp/x'"]
)
def test_query_refuses_what_is_not_reading(sql: str, filled: Path, capsys: Captured) -> None:
    assert cli.main(["query", sql, "--data", str(filled)]) in (cli.FAILED, cli.WRONG_USE)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("whodid: ")
    assert "Traceback" not in captured.err


def test_status_tells_what_the_store_lacks(filled: Path, data: Path, capsys: Captured) -> None:
    shutil.copytree(filled, data)
    (data / "events.duckdb").unlink()
    assert cli.main(["status", "--data", str(data)]) == cli.DONE
    out = capsys.readouterr().out
    assert "missing    Batch" in out and "docs/retention.md" in out


def test_status_for_people_and_programs(filled: Path, capsys: Captured) -> None:
    assert cli.main(["status", "--data", str(filled)]) == cli.DONE
    shown = capsys.readouterr().out
    assert "1 rejected" in shown
    assert "lag" in shown and "disk" in shown and "in the engine: " in shown
    assert cli.main(["status", "--data", str(filled), "-o", "json"]) == cli.DONE
    assert json.loads(capsys.readouterr().out)["ready"] is True


def test_reading_where_nothing_is_names_the_folder(data: Path, capsys: Captured) -> None:
    for arguments in (["events"], ["status"], ["query", "SELECT 1 FROM events"], ["key", "list"]):
        assert cli.main([*arguments, "--data", str(data)]) == cli.FAILED
        assert str(data) in capsys.readouterr().err
    assert not data.exists()


def test_a_table_of_keys_has_words_and_whole_times(tmp_path: Path, capsys: Captured) -> None:
    where = ["--data", str(tmp_path / "data")]
    bound = ["--topic", "authfail", "--topic", "generic", "--expires", "2099-01-31T00:00:00.5Z"]
    assert cli.main(["key", "create", "etl", "--scope", "write", *bound, *where, "-o", "table"]) == cli.DONE
    assert "topics      authfail, generic" in capsys.readouterr().out
    assert cli.main(["key", "create", "any", "--scope", "read", "--scope", "write", *where]) == cli.DONE
    capsys.readouterr()
    assert cli.main(["key", "list", *where, "-o", "table"]) == cli.DONE
    shown = capsys.readouterr().out
    assert "2099-01-31T00:00:00Z" in shown
    assert "write, read" in shown
    assert "[" not in shown


def test_status_tells_what_of_the_journal_is_damaged(data: Path, capsys: Captured) -> None:
    with contextlib.closing(open_journal(data / "journal")) as journal:
        ends = [journal.append_blocking(draft()).offset_bytes for _ in range(3)]
    segment = data / "journal" / "000000000001.sealed"
    damaged = bytearray(segment.read_bytes())
    damaged[ends[0] + 100] ^= 1
    segment.write_bytes(damaged)
    assert cli.main(["status", "--data", str(data)]) == cli.DONE
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("damaged"))
    assert f"bytes of segment 1, from byte {ends[0]:,} on; put aside in " in shown


def test_keys_are_made_listed_and_revoked(data: Path, capsys: Captured) -> None:
    where = ["--data", str(data)]
    assert cli.main(["key", "create", "etl", "--scope", "write", "--topic", "generic", "--node", "n1", *where]) == 0
    captured = capsys.readouterr()
    secret = json.loads(captured.out)["secret"]
    assert "cannot be shown again" in captured.err
    assert cli.main(["key", "list", *where]) == cli.DONE
    shown = capsys.readouterr().out
    assert secret not in shown
    assert json.loads(shown)["topics"] == ["generic"]
    assert cli.main(["key", "revoke", "etl", *where]) == cli.DONE
    assert cli.main(["key", "list", *where, "-o", "table"]) == cli.DONE
    assert "There are none." in capsys.readouterr().err
    assert cli.main(["key", "revoke", "nobody", *where]) == cli.FAILED
    assert "There is no key 'nobody'" in capsys.readouterr().err


def test_users_and_groups(data: Path, capsys: Captured) -> None:
    where = ["--data", str(data)]
    for arguments in (
        ["user", "create", "ada", "--name", "Ada"],
        ["user", "create", "grace"],
        ["user", "change", "grace", "--email", "grace@example.com"],
        ["group", "create", "analysts", "--description", "Business"],
        ["group", "create", "everyone"],
        ["group", "add", "analysts", "--user", "ada", "--user", "grace"],
        ["group", "add", "everyone", "--group", "analysts"],
        ["group", "remove", "analysts", "--user", "grace"],
        ["user", "delete", "grace"],
    ):
        assert cli.main([*arguments, *where]) == cli.DONE, arguments
    capsys.readouterr()
    assert cli.main(["group", "show", "everyone", *where]) == cli.DONE
    assert rows_of(capsys)[0]["logins"] == ["ada"]
    assert cli.main(["user", "show", "ada", *where, "-o", "table"]) == cli.DONE
    assert "analysts" in capsys.readouterr().out
    assert cli.main(["group", "delete", "everyone", *where]) == cli.DONE
    assert cli.main(["group", "add", "analysts", *where]) == cli.WRONG_USE


def test_users_and_groups_from_csv(data: Path, tmp_path: Path, capsys: Captured) -> None:
    where = ["--data", str(data)]
    people = tmp_path / "people.csv"
    people.write_text('\ufefflogin,name,groups\nada,Ada,analysts;everyone\ngrace,"Hopper, Grace",\n,nobody,\n', "utf-8")
    assert cli.main(["user", "import", str(people), *where]) == cli.DONE_IN_PART
    captured = capsys.readouterr()
    assert "2 users made, 2 groups made, 1 refused" in captured.out
    assert "Line 4: It has no login." in captured.err
    assert cli.main(["user", "import", str(people), *where]) == cli.DONE_IN_PART
    assert "2 users as before" in capsys.readouterr().out
    groups = tmp_path / "groups.csv"
    groups.write_text("group,user,subgroup,admin\neveryone,grace,,yes\neveryone,,analysts,\nempty,,,\n")
    assert cli.main(["group", "import", str(groups), *where]) == cli.DONE
    capsys.readouterr()
    assert cli.main(["group", "show", "everyone", *where]) == cli.DONE
    assert sorted(rows_of(capsys)[0]["logins"]) == ["ada", "grace"]
    groups.write_text("team,user\n")
    assert cli.main(["group", "import", str(groups), *where]) == cli.WRONG_USE
    assert "Columns: group, description, user, subgroup, admin." in capsys.readouterr().err


def test_replay_takes_in_what_can_be_read_once(data: Path, tmp_path: Path, capsys: Captured) -> None:
    where = ["--data", str(data)]
    log = tmp_path / "a.log"
    # Read as the wrong format, every line is rejected; as the right one, all but one can be read.
    log.write_bytes(dss_lines(range(3)) + b"no json\n")
    assert cli.main(["import", str(log), "--format", "native", *where]) == cli.DONE_IN_PART
    capsys.readouterr()
    assert cli.main(["replay", "--list", *where]) == cli.DONE
    assert [row["line"] for row in rows_of(capsys)] == [4, 3, 2, 1]
    assert cli.main(["replay", "--format", "dss-log4j", *where]) == cli.DONE_IN_PART
    shown = capsys.readouterr().out
    assert "3 events taken in." in shown
    assert "1 still cannot be read: not_json 1." in shown
    assert cli.main(["replay", "--format", "dss-log4j", *where]) == cli.DONE_IN_PART
    assert "3 had been taken in before." in capsys.readouterr().out
    assert cli.main(["query", "SELECT count(*) AS n FROM events WHERE format LIKE 'dss%'", *where]) == cli.DONE
    assert rows_of(capsys) == [{"n": 3}]


def test_replay_writes_the_input_to_be_mended(data: Path, tmp_path: Path, capsys: Captured) -> None:
    where = ["--data", str(data)]
    log, mend = tmp_path / "a.log", tmp_path / "mend.log"
    log.write_bytes(native_line(1) + native_line(2)[:-3] + b"\n")
    assert cli.main(["import", str(log), *where]) == cli.DONE_IN_PART
    assert cli.main(["replay", "--raw", str(mend), *where]) == cli.DONE
    assert mend.read_bytes() == native_line(2)[:-3] + b"\n"
    mend.write_bytes(native_line(2))
    assert cli.main(["import", str(mend), *where]) == cli.DONE
    assert "1 new" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb, _ in cli.VERBS])
def test_every_verb_has_help_with_examples(verb: str, capsys: Captured) -> None:
    assert cli.main([verb, "--help"]) == cli.DONE
    shown = capsys.readouterr().out
    _, _, examples = shown.partition("Examples:\n")
    assert f"whodid {verb}" in examples
    assert all(line.startswith("  ") and len(line) <= 80 for line in examples.splitlines())


def test_wrong_options_are_wrong_use(capsys: Captured) -> None:
    assert cli.main(["events", "--nonsense"]) == cli.WRONG_USE
    assert "See: whodid events --help" in capsys.readouterr().err
    assert cli.main(["import", "--nonsense"]) == cli.WRONG_USE
    assert "There is no option --nonsense" in capsys.readouterr().err
    assert cli.main(["events", "--limit", "many"]) == cli.WRONG_USE
    assert cli.main(["activity", "planet", "mars"]) == cli.WRONG_USE


def test_an_unexpected_error_is_one_line_and_with_debug_a_traceback(
    data: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.write_text("a file where a folder should be")
    assert cli.main(["import", __file__, "--data", str(data)]) == cli.FAILED
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.setenv("WHODID_DEBUG", "1")
    assert cli.main(["import", __file__, "--data", str(data)]) == cli.FAILED
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["import", ""], "One of the paths is empty."),
        (["import", "-", "--follow"], "Standard input cannot be followed."),
        (["import", "s3://bucket/logs", "--follow"], "s3://bucket/logs cannot be followed."),
        (["user", "show", ""], "Nothing is called ''."),
        (["demo", "--events", "-5"], "--events is -5."),
        (["events", "--to", "a.xlsx"], "No format is known by the ending .xlsx."),
        (["key", "create", "k", "--scope", "read", "--to", "key.txt"], "No format is known by the ending .txt."),
        (["key", "create", "k", "--scope", "scim", "--scope", "read"], "A key that has scim has no other scope."),
        (
            ["report", "--to", "nowhere/reports.csv"],
            "nowhere/reports.csv cannot be written: No such",
        ),
        (["events", "foo"], "whodid events takes no 'foo'."),
        (["events", "--server", "nope"], "--server is 'nope', which is no URL."),
        (["status", "--server", "nope"], "--server is 'nope', which is no URL."),
        (["report", "users", "--server", "nope"], "--server is 'nope', which is no URL."),
        (["query", "SELECT 1", "--server", "http://127.0.0.1:1", "--timeout-ms", f"1{'0' * 20}"], "it goes from 1 to"),
        (["query", "SELECT '\udcff'"], "A text that was given is not UTF-8: it holds the byte 0xff."),
        (["user", "create", "\udcff"], "A text that was given is not UTF-8: it holds the byte 0xff."),
        (["user", "change", "ada"], "Nothing is to be changed."),
        (["group", "change", "analysts"], "Nothing is to be changed."),
        (["schedule", "change", "weekly"], "Nothing is to be changed."),
        (["alert", "change", "errors"], "Nothing is to be changed."),
        (["alert", "change", "errors", "--on", "--off"], "--on and --off contradict each other."),
        (["alert", "webhook", "ops"], "Nothing is to be done."),
        (["events", "--follow", "--since", "1h"], "--follow shows what comes in from here on."),
        (["usage", "user", "ada", "--to", "usage.csv"], "csv holds rows of one kind."),
        (["report", "types", "--to", "/nowhere/types.csv"], "/nowhere/types.csv cannot be written: No such file"),
        (["query", "--file", "/nowhere/q.sql"], "/nowhere/q.sql cannot be read: No such file"),
        (["query", "--file", sys.executable], "cannot be read: it is not UTF-8."),
        (["mail", "set", "--host", "h", "--sender", "a@b.org", "--password-file", sys.executable], "it is not UTF-8."),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_done(
    filled: Path, capfd: Captured, words: list[str], said: str
) -> None:
    assert cli.main([*words, "--data", str(filled)]) == 2
    assert said in capfd.readouterr().err
    assert cli.main(["key", "list", "--data", str(filled)]) == 0
    assert capfd.readouterr().out == ""


def test_a_replay_ends_without_leftovers(filled: Path) -> None:
    words = [sys.executable, "-m", "whodid", "replay", "--data", str(filled)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 3
    assert "leaked" not in ended.stderr


def test_events_of_a_project(filled: Path, capsys: Captured) -> None:
    assert cli.main(["events", "--project", "NONE", "--data", str(filled), "-o", "ndjson"]) == 0
    assert rows_of(capsys) == []
