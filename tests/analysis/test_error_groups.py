"""whodid's own groups of errors: which are one, which are not, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whodid.analysis.error_groups import VERSION, group_of
from whodid.analysis.messages import normalised
from whodid.analysis.traces import parse, type_of
from whodid.demo import errors
from whodid.demo.vocabulary import trace

PYTHON = """Traceback (most recent call last):
  File "/home/{user}/app/jobs.py", line {line}, in run
    step(order)
  File "/home/{user}/app/orders.py", line {line}, in {member}
    return table.loc[order]
  File "/home/{user}/.venv/lib/python3.11/site-packages/pandas/core/indexing.py", line {line}, in __getitem__
    return self._getitem(key)
KeyError: '{value}'
"""
V8 = """TypeError: Cannot read properties of undefined (reading '{value}')
    at {member} (https://{user}.example.com/app/{line}.{line}.0/grid.js:{line}:17)
    at async Promise.all (index 0)
    at Object.<anonymous> (webpack-internal:///./node_modules/react-dom/cjs/react-dom.js:{line}:9)
    at https://{user}.example.com/app/main.3f9a1c{line}.js:2:{line}"""
FIREFOX = """{member}@https://{user}.example.com/app/grid.js?v={line}:{line}:17
onClick/<@https://{user}.example.com/app/events.js:{line}:3
"""
SAFARI = """{member}@https://{user}.example.com/app/grid.js:{line}:17
[native code]
onClick@https://{user}.example.com/app/events.js:{line}:3"""
JAVA = """com.acme.OrderException: order {line} of {user}@example.com is gone
	at com.acme.orders.Orders.{member}(Orders.java:{line})
	at com.acme.orders.Orders.lambda$all${line}(Orders.java:{line})
	at org.springframework.web.Dispatcher.doDispatch(Dispatcher.java:{line})
	at java.base/java.lang.Thread.run(Thread.java:{line})
	... {line} more"""
DART = """#0      Grid.{member} (package:grid/src/grid.dart:{line}:9)
#1      Grid.paint.<anonymous closure> (package:grid/src/grid.dart:{line}:3)
#2      _rootRunUnary (dart:async/zone.dart:{line}:13)
<asynchronous suspension>"""
R = """Error in {member}(orders, id = {line}) : object '{value}' not found
Calls: source -> withVisible -> eval -> {member}
Backtrace:
 1: stop("object '{value}' not found")
 2: {member}(orders, id = {line})
 3: report(orders)
Execution halted"""
SHAPES = {"python": PYTHON, "v8": V8, "firefox": FIREFOX, "safari": SAFARI, "java": JAVA, "dart": DART, "r": R}
LANGUAGES = {"v8": "javascript", "firefox": "javascript", "safari": "javascript"}

lines = st.integers(min_value=1, max_value=99_999)
words = st.from_regex(r"[a-z]{3,12}", fullmatch=True)


def told(shape: str, *, line: int = 7, user: str = "ada", member: str = "load", value: str = "x1") -> str:
    return SHAPES[shape].format(line=line, user=user, member=member, value=value)


@pytest.mark.parametrize("shape", SHAPES)
@given(line=lines, user=words, value=words)
@settings(max_examples=40, deadline=None)
def test_lines_machines_and_values_make_no_other_group(shape: str, line: int, user: str, value: str) -> None:
    assert group_of(told(shape, line=line, user=user, value=value), None) == group_of(told(shape), None)


@pytest.mark.parametrize("shape", SHAPES)
@given(member=words.filter(lambda name: name not in ("load", "stop", "eval", "try", "cat", "print", "paste", "source")))
@settings(max_examples=25, deadline=None)
def test_another_frame_of_the_application_makes_another_group(shape: str, member: str) -> None:
    other = group_of(told(shape, member=member), None)
    assert other.id != group_of(told(shape), None).id
    assert member in other.why


@pytest.mark.parametrize("shape", SHAPES)
def test_traces_are_read_in_their_language_with_their_own_frames_told_from_libraries(shape: str) -> None:
    read = parse(told(shape))
    assert read.language == LANGUAGES.get(shape, shape)
    own = [frame for frame in read.frames if frame.in_app]
    assert "load" in own[0].member
    assert own[0].line == (None if shape == "r" else 7)
    assert group_of(told(shape), None).rule == "in-app frames"


@pytest.mark.parametrize(
    ("shape", "library"), [("python", "__getitem__"), ("java", "doDispatch"), ("dart", "_rootRunUnary"), ("r", "stop")]
)
def test_frames_of_libraries_do_not_count(shape: str, library: str) -> None:
    without = "\n".join(line for line in told(shape).splitlines() if not re.search(rf"\b{library}\b", line))
    assert library not in {frame.member for frame in parse(told(shape)).frames if frame.in_app}
    assert group_of(without, None).id == group_of(told(shape), None).id


def test_another_folder_of_the_same_code_makes_no_other_group() -> None:
    one, other = (
        f'Traceback:\n  File "{folder}/main.py", line 3, in run\nKeyError: 1' for folder in ("/srv/a", "/opt/b/c")
    )
    assert group_of(one, None) == group_of(other, None)


def test_a_file_whose_name_says_nothing_counts_with_its_folder() -> None:
    one, other = (f"Error: x\n    at run (https://x.org/{name}/index.js:3:9)" for name in ("grid", "chart"))
    assert group_of(one, None).id != group_of(other, None).id


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Error: boom", "Error"),
        ("Uncaught TypeError: x", "TypeError"),
        ("java.lang.IllegalStateException: y", "java.lang.IllegalStateException"),
        ("Caused by: com.acme.OrderException", "com.acme.OrderException"),
        ("RangeError (index): Index out of range", "RangeError"),
        ("Nothing: at all", None),
    ],
)
def test_the_type_stands_at_the_beginning_of_a_message(line: str, kind: str | None) -> None:
    assert type_of(line) == kind


def test_the_cause_gives_a_java_error_its_type() -> None:
    read = parse(
        "com.acme.Outer: failed\n\tat com.acme.A.run(A.java:10)\n"
        "Caused by: java.io.IOException: disk 17\n\tat com.acme.C.read(C.java:3)\n\t... 2 more"
    )
    assert (read.type, read.message) == ("java.io.IOException", "disk 17")


def test_the_type_of_an_error_counts() -> None:
    other = told("python").replace("KeyError", "ValueError")
    assert group_of(other, None).id != group_of(told("python"), None).id


def test_without_a_frame_of_the_application_all_frames_count() -> None:
    text = trace("python_memory")
    group = group_of(text, None)
    assert group.rule == "all frames"
    assert "No frame is the application's own" in group.why
    assert group_of(text.replace("fit", "predict"), None).id != group.id


def test_without_a_trace_the_message_counts_and_the_explanation_says_without_what() -> None:
    one = group_of(None, "Order 17 of ada@example.com at /srv/data/orders.csv failed: '42'")
    other = group_of("", "Order 18 of bob@example.org at /tmp/x/y.csv failed: 'none'")
    assert one.rule == "message"
    assert one.id == other.id
    assert "without its e-mail addresses, quoted values, paths and numbers" in one.why
    assert group_of(None, "Invoice 17 failed").id != one.id


def test_with_neither_the_type_of_the_event_counts() -> None:
    assert group_of(None, None, "query-failed").rule == "type"
    assert group_of(None, None, "query-failed").id != group_of(None, "", "job-failed").id


def test_ids_tell_the_version_of_the_grouping_and_never_change() -> None:
    """Whoever changes the rules gives them another version: states, merges and splits hang on these ids."""
    assert VERSION == "v1"
    assert group_of(told("python"), None).id == "v1:a8f3b9995b9da0ed"
    assert group_of(None, "disk 17 is full").id == "v1:05fafe702b47b507"


@pytest.mark.parametrize("group", [*errors.GROUPS, errors.RELEASE_GROUP], ids=lambda group: group.name)
def test_builds_of_the_demo_stay_in_one_group(group: errors.ErrorGroup) -> None:
    found = {group_of(errors.fields_of(group, build)["error_stack_trace"], group.message).id for build in range(4)}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("User 7f3c1e9a-0b1c-4d2e-8f3a-1b2c3d4e5f60 is gone", "User <uuid> is gone"),
        ("Cannot reach 10.0.0.7:5432", "Cannot reach <address>"),
        ("segfault at 0x7ffdeadbeef", "segfault at <address>"),
        ("java.lang.Object@1b6d3586 is closed", "java.lang.Object<address> is closed"),
        ("No file /var/lib/app/data-17.csv", "No file <path>"),
        (r"No file C:\Users\ada\data.csv", "No file <path>"),
        ("Took 1,234.5 ms of 2e3", "Took <number> ms of <number>"),
        ("data type float64", "data type float64"),
        ("column \"price\" of 'orders'", "column <value> of <value>"),
        ("It can't be done", "It can't be done"),
        ("see https://example.com/x?y=1 for more", "see <url> for more"),
        ("at 2026-11-01T09:30:00.123Z it broke", "at <time> it broke"),
        ("job build_1a2b3c4d failed", "job <id> failed"),
        ("commit 3f9a1c77 is unknown", "commit <id> is unknown"),
        ("plain words stay", "plain words stay"),
    ],
)
def test_messages_lose_what_differs(message: str, expected: str) -> None:
    assert normalised(message) == expected


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_trace_and_a_message(text: str) -> None:
    group = group_of(text, text)
    assert group.id.startswith("v1:")
    assert group.why
    assert group == group_of(text, text)


@pytest.mark.parametrize(
    "make", [lambda n: "a" * n, lambda n: "[as " * (n // 4), lambda n: "'" * n, lambda n: "1." * (n // 2)]
)
def test_long_lines_take_time_in_proportion(make: Callable[[int], str]) -> None:
    import time

    def took_s(text: str) -> float:
        begun = time.perf_counter()
        group_of(f"    at {text}\n" * 20, text)
        return time.perf_counter() - begun

    took_s(make(100))
    assert took_s(make(20_000)) < 2.0
