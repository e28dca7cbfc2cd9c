"""The texts expected here were derived by hand from the rules of Dart's package stack_trace and of package path."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from whodid.stack_trace import NAMESPACE, error_hash, normalised

VM = """#0      Foo._bar (file:///home/nweiz/code/stuff.dart:42:21)
#1      zip.<anonymous closure>.zap (dart:async/future.dart:0:2)
#2      zip.<anonymous closure>.zap (https://pub.dev/thing.dart:1:100)
#3      main (package:grok/src/app.dart:7)
"""
V8 = """Error: cannot read 3 rows
    of the table
    at Foo._bar [as baz] (https://example.com/stuff.js:42:21)
    at https://example.com/stuff.js:0:2
    at zip.<anonymous>.zap (https://pub.dev/thing.js:1:100)
    at new Widget (webpack:///./src/widget.ts?5f1a:12:9)
    at Object.eval (eval at Foo (main.dart.js:588), <anonymous>:3:47)
    at Array.map (native)"""
FIREFOX = """Foo._bar@https://example.com/stuff.js:42:2
zip/<@https://example.com/stuff.js:0
.VW.call$0("arg")/name<@https://example.com/stuff.dart.js:560:36

@https://example.com/stuff.js:7:1
zip.zap(12, "@)()/<")@https://pub.dev/thing.js:1
"""

CASES = {
    "vm": (
        VM,
        "/home/nweiz/code/stuff.dart Foo._bar"
        "dart:async/future.dart zip.<fn>.zap"
        "https://pub.dev/thing.dart zip.<fn>.zap"
        "package:grok/src/app.dart main",
    ),
    "vm: relative file, async gap, folded frames, async body": (
        "#0      bop (foo/../bar.dart:42:23)\n<asynchronous suspension>\n...\n"
        "#1      run.<run_async_body> (a.dart)\n#2      <<anonymous closure>_async_body> (a.dart:1)\n",
        "bar.dart bop. ...a.dart run.<async>a.dart <async>",
    ),
    "vm: a data URI and a last line that was cut": (
        "#0      main (<data:application/dart;charset=utf-8,…>:1:2)\n#1      foo (package:a/b.da",
        "data:... main",
    ),
    "v8": (
        V8,
        "https://example.com/stuff.js Foo._bar"
        "https://example.com/stuff.js <fn>"
        "https://pub.dev/thing.js zip.<fn>.zap"
        "webpack:///src/widget.ts?5f1a new Widget"
        "main.dart.js Object.eval"
        "native Array.map",
    ),
    "v8 without a description": ("    at f (http://Example.COM:80/a%7eb.js:1:2)", "http://example.com/a~b.js f"),
    "node": (
        "TypeError: x\n    at async run (/srv/app/dist/run.js:10:3)\n    at node:internal/process/task_queues:95:5",
        "/srv/app/dist/run.js async runnode:internal/process/task_queues <fn>",
    ),
    "v8 on Windows": (r"Error" "\n    at f (C:\\app\\lib\\x.js:1:2)", "/C:/app/lib/x.js f"),
    "internet explorer": (
        "Error: x\n   at Anonymous function (http://x.org/a.js:1:2)\n   at g (http://x.org/a.js:3:4)",
        "http://x.org/a.js <fn>http://x.org/a.js g",
    ),
    "javascript core": (
        "\tat Foo._bar (https://example.com/stuff.js:42:21)\n\tat \n\tat (anonymous function).zip (https://pub.dev/t.js:1:1)",
        "https://example.com/stuff.js Foo._barhttps://pub.dev/t.js <fn>.zip",
    ),
    "firefox": (
        FIREFOX,
        "https://example.com/stuff.js Foo._bar"
        "https://example.com/stuff.js zip.<fn>"
        "https://example.com/stuff.dart.js VW.call$0.<fn>"
        "https://example.com/stuff.js <fn>"
        "https://pub.dev/thing.js zip.zap",
    ),
    "firefox eval": (
        "anonymous/<@https://example.com/stuff.js line 693 > Function:3:40\nrun@https://example.com/stuff.js:1:2",
        "https://example.com/stuff.js <fn>https://example.com/stuff.js run",
    ),
    "safari": (
        "https://example.com/stuff.js:42:\n[native code]\nglobal code@https://example.com/stuff.js:7:1",
        "https://example.com/stuff.js <fn>https://example.com/stuff.js global code",
    ),
    "jsshell path": ("main@/home/user/run.js:416:21", "/home/user/run.js main"),
    "friendly": (
        "https://dart.dev/foo/bar.dart 10:11  Foo.<fn>.bar\ndata:... 5:1  baz\nfoo/baz.dart  qux",
        "https://dart.dev/foo/bar.dart Foo.<fn>.bardata:... bazfoo/baz.dart qux",
    ),
    "friendly chain": (
        "https://dart.dev/a.dart 10:11  A.b\n===== asynchronous gap ===========================\n"
        "dart:core/x.dart 1:1  C.d\n",
        "https://dart.dev/a.dart A.bdart:core/x.dart C.d",
    ),
    "wasm in v8": (
        "Error\n    at main (wasm://wasm/0006d892:wasm-function[792]:0x14378)\n"
        "    at wasm://wasm/0006d892:wasm-function[79]:0x1",
        "wasm://wasm/0006d892 mainwasm://wasm/0006d892 79",
    ),
    "wasm in firefox": (
        "main@http://localhost:8080/test.wasm:wasm-function[792]:0x14378\ninvoke@http://localhost:8080/test.mjs:48:26",
        "http://localhost:8080/test.wasm mainhttp://localhost:8080/test.mjs invoke",
    ),
    "wasm in safari": (
        "<?>.wasm-function[main tear-off]@[wasm code]\ninvokeMain@/home/user/test.mjs:361:48",
        "wasm code main tear-off/home/user/test.mjs invokeMain",
    ),
}


@pytest.mark.parametrize(("trace", "text"), CASES.values(), ids=CASES)
def test_a_trace_of_a_known_format_becomes_library_and_member_of_each_frame(trace: str, text: str) -> None:
    assert normalised(trace) == text


def test_the_hash_is_a_uuid_v5_of_that_text() -> None:
    trace, text = CASES["vm"]
    assert error_hash(trace) == str(uuid.uuid5(NAMESPACE, text))
    assert str(NAMESPACE) == "0bb1a16e-df07-45f5-99e0-8e67000ecc22"
    assert uuid.UUID(error_hash(trace)).version == 5


def test_lines_and_columns_do_not_split_a_group() -> None:
    moved = re.sub(r":\d+(:\d+)?\)", ":1:9)", VM)
    assert moved != VM
    assert error_hash(moved) == error_hash(VM)
    assert error_hash(VM.replace("Foo._bar", "Foo._baz")) != error_hash(VM)


@pytest.mark.parametrize("trace", [None, ""])
def test_no_trace_is_the_group_of_the_empty_text(trace: str | None) -> None:
    assert error_hash(trace) == str(uuid.uuid5(NAMESPACE, ""))


def test_a_java_trace_fits_no_format_and_loses_its_numbers() -> None:
    trace = "java.io.IOException: disk 7\n\tat com.acme.Reader.read(Reader.java:118)\n\tat Main.main(Main.java:9)"
    assert normalised(trace) == (
        "java.io.IOException: disk  \tat com.acme.Reader.read(Reader.java:) \tat Main.main(Main.java:)"
    )


def test_a_python_trace_ends_in_the_unparsed_rule_too() -> None:
    trace = 'Traceback (most recent call last):\n  File "/app/x.py", line 12, in f\n    g()\nValueError: bad'
    # The last line looks "friendly": then `Traceback` and `ValueError:` are read as URIs.
    assert normalised(trace) == (
        'Traceback (most recent call last):   File "/app/x.py", line , in f     g()valueerror: bad'
    )
    assert error_hash(trace) == error_hash(trace.replace("line 12", "line 99"))


def test_a_trailing_line_break_of_a_v8_trace_is_an_unparsed_line_as_in_dart() -> None:
    assert normalised("Error\n    at f (a1.js:1:2)\n") == "a.js f"


def test_a_number_no_integer_holds_makes_its_frame_unparsed() -> None:
    assert normalised("#0      f (a.dart:99999999999999999999:1)") == "#      f (a.dart:)"


def test_a_location_that_is_no_uri_makes_its_frame_unparsed() -> None:
    assert normalised("#0      f (:::)") == "#      f (:::)"
    assert normalised("Error\n    at f (http://host:port9/x.js:1:2)") == "at f (http://host:port/x.js:)"


def test_carriage_returns_are_no_end_of_a_line_to_dart() -> None:
    assert normalised("#0      f (a.dart:1:1)\r\n#1      g (a.dart:2:2)") == "#      f (a.dart:)\ra.dart g"


def test_a_lone_surrogate_does_not_raise() -> None:
    assert uuid.UUID(error_hash("#0      f\ud800 (a.dart:1:1)"))


_MEGABYTE = 1024 * 1024
HOSTILE = {
    "long line": "a" * _MEGABYTE,
    "empty lines": "\n" * _MEGABYTE,
    "parentheses": ("(" * 4000 + ")" * 4000 + "\n") * 128,
    "pairs": ("()" * 4000 + ":\n") * 128,
    "pairs with at": ("()@" * 2700 + " :\n") * 128,
    "aliases": ("    at x" + " [as a" * 1300 + ")\n") * 128,
    "closed aliases": ("    at x" + " [as a]" * 1100 + ")\n") * 128,
    "evals": ("Error\n" + "    at x (" + "eval at a (" * 700 + ")" * 700 + ")\n") * 128,
    "firefox lines": ("a@b line 1 >" * 600 + ":\n") * 128,
    "firefox closures": ("/" * 4000 + "@" * 4000 + ":1\n") * 128,
    "async bodies": ("#0 " + "<" * 7000 + "_async_body> (a)\n") * 128,
    "vm parentheses": ("#0 a" + " (" * 4000 + ")\n") * 128,
    "friendly spaces": ("a" + " " * 8000 + "1\n") * 128,
    "numbers": ("a" + ":1" * 4000 + "\n") * 128,
    "dots": ("#0 a (http://a/" + "../" * 2600 + ")\n") * 128,
}


@pytest.mark.parametrize("trace", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_trace_of_a_megabyte_costs_little(trace: str) -> None:
    started = time.process_time()
    assert uuid.UUID(error_hash(trace))
    assert time.process_time() - started < 2.0
