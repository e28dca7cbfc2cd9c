"""Users and groups as CSV: in, out, and in again; each bad row is refused with its line."""

from __future__ import annotations

import pytest

from support.directories import mentions
from whodid.directory import Directory
from whodid.directory.csv_rows import ROWS_MAX, read_csv
from whodid.directory.people_csv import export_groups, export_users, import_groups, import_users
from whodid.errors import WhodidError
from whodid.event import Event


def problems(directory: Directory, text: str) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in import_users(directory, text.encode()).problems]


def test_users_come_in_with_their_groups_and_go_out_again(directory: Directory) -> None:
    text = "login,name,email,active,groups\nada,Ada L.,ada@x.org,,analysts; everyone\nbob,,,no,\n"
    done = import_users(directory, text.encode(), by="root")
    assert (done.made, done.groups_made, done.refused) == (2, 2, 0)
    ada, bob = directory.user("ada"), directory.user("bob")
    assert (ada.name, ada.email, ada.active, bob.active) == ("Ada L.", "ada@x.org", True, False)
    assert [group.name for group in directory.groups_of("ada")] == ["analysts", "everyone"]
    assert directory.groups_of("bob") == []
    exported = export_users(directory)
    assert exported.decode().splitlines()[1] == "ada,Ada L.,,,ada,ada@x.org,yes,analysts;everyone"
    again = import_users(directory, exported, by="root")
    assert (again.made, again.changed, again.unchanged) == (0, 0, 2)
    changed = import_users(directory, b"login,email,active\nada,new@x.org,\nbob,,yes\n")
    assert (changed.changed, directory.user("ada").email, directory.user("bob").active) == (2, "new@x.org", True)


@pytest.mark.parametrize(
    "data",
    [
        b"login,name\r\nada,Ada\r\n",
        b"\xef\xbb\xbfLogin;Name\nada;Ada\n",
        "login\tname\nada\tAda\n".encode("utf-16"),
        b'sep=;\nlogin;name\nada;"Ada"\n',
        b'"login","name"\n\n"ada","Ada"',
    ],
    ids=["plain", "bom-and-semicolons", "utf-16-and-tabs", "sep-line", "quoted"],
)
def test_files_of_all_spreadsheets_are_read(directory: Directory, data: bytes) -> None:
    assert import_users(directory, data).made == 1
    assert directory.user("ada").name == "Ada"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no column 'login'"), (b"name\nAda\n", "no column 'login'"), (b"login,x\n", "unknown column 'x'"),
        (b"login,login\n", "twice the column"), (b"login,name\nada,Ada,too,many\n", "Line 2 has 4 fields"),
        (b"login\n\xff\xfe\xfd\n", "no CSV in UTF-8"), (b'login\n"ada\n', "no CSV in UTF-8"),
        (b"login\n" + b"x\n" * (ROWS_MAX + 1), "more than"),
    ],
    ids=["empty", "missing", "unknown", "twice", "ragged", "bytes", "quote", "rows"],
)  # fmt: skip
def test_files_that_are_no_such_csv_are_refused_as_a_whole(data: bytes, told: str) -> None:
    with pytest.raises(WhodidError, match=told):
        read_csv(data, required=("login",), known=("login", "name"))


def test_bad_rows_are_refused_with_their_line_and_the_others_taken(directory: Directory) -> None:
    directory.create_user("grace")
    text = (
        "login,email,active,groups\n"
        ",nobody@x.org,,\n"
        "GRACE,,,\n"
        "ada,,,\n"
        '"Ada",,,\n'
        "bob,,perhaps,\n"
        f"{'x' * 201},,,\n"
        f"cy,,,{'g' * 201}\n"
    )
    assert problems(directory, text) == [
        (2, "It has no login."),
        (3, "There is a user 'grace' already, who differs only in case."),
        (5, "Ada stands in the file twice (as ada)."),
        (6, "active is 'perhaps'; it is yes or no."),
        (7, "login has 201 characters; at most 200."),
        (8, "A group's name has 1 to 200 characters."),
    ]
    assert "ada" in {user.login for user in directory.users()}


def test_a_dry_run_says_the_same_and_does_nothing(directory: Directory, told: list[Event]) -> None:
    directory.create_user("grace", name="Grace")
    directory.observe(mentions(users=("seen",)))
    before = len(told)
    text = b"login,name,groups\ngrace,Amazing,new\nseen,,new;other\nada,,\n,x,\ngrace,twice,\napi:etl,,\n"
    done = import_users(directory, text, dry_run=True)
    assert (done.dry_run, done.changed, done.made, done.groups_made, done.refused) == (True, 1, 2, 2, 3)
    assert done.problems[-1].message.startswith("'api:etl' is the login of a program")
    assert len(told) == before
    assert directory.user("grace").name == "Grace"
    assert directory.groups() == []
    real = import_users(directory, text)
    assert (real.changed, real.made, real.groups_made, real.refused) == (1, 2, 2, 3)
    assert directory.user("seen").made


def test_groups_come_in_with_members_and_go_out_again(directory: Directory) -> None:
    directory.create_user("ada")
    rows = ["analysts,Who counts,ada,,yes", "all,,,analysts,", "empty,,,,", "all,,nobody,,"]
    text = "\n".join(["group,description,user,subgroup,admin", *rows])
    done = import_groups(directory, text.encode(), by="root")
    assert (done.made, done.refused) == (3, 1)
    assert [(problem.line, problem.code) for problem in done.problems] == [(5, "not_found")]
    assert directory.group_logins("all") == ["ada"]
    (member,) = directory.members("analysts")
    assert member.is_admin
    again = import_groups(directory, export_groups(directory))
    assert (again.made, again.changed, again.unchanged, again.refused) == (0, 0, 3, 0)
    circle = import_groups(directory, b"group,subgroup\nanalysts,all\n")
    assert [problem.code for problem in circle.problems] == ["invalid"]


def test_nothing_that_goes_out_is_a_formula(directory: Directory) -> None:
    directory.create_user("ada", name="=cmd|'/c calc'!A1", email="@x", friendly_name="+1")
    exported = export_users(directory)
    assert b"'=cmd|'/c calc'!A1,,,'+1,'@x," in exported
    done = import_users(directory, exported)
    assert (done.unchanged, done.changed) == (1, 0)
    assert directory.user("ada").name == "=cmd|'/c calc'!A1"
