"""Reading JSON as a type, from many threads at once, and that nobody goes past it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import whodid
from whodid.typed import convert, decode

ROOT = Path(whodid.__file__).parent
# What msgspec knows without looking at a type of ours.
KNOWN = {"Any", "Raw", "bytes", "dict", "float", "int", "list", "msgspec", "str", "tuple"}

RACE = """
import sys, threading, types
from whodid.typed import {name}

sys.setswitchinterval(1e-6)
shape = compile('''
from __future__ import annotations
from msgspec import Struct
class Inner(Struct):
    number: int
    text: str | None = None
    numbers: list[int] = []
class Outer(Struct):
    inner: Inner
    inners: list[Inner] = []
    named: dict[str, Inner] | None = None
    more: tuple[int, ...] = ()
''', 'shape', 'exec')

def read():
    together.wait()
    found.append({name}({value}, shapes.Outer).inners[0].number)

for round in range(300):
    shapes = sys.modules[f'shapes{{round}}'] = types.ModuleType(f'shapes{{round}}')
    exec(shape, shapes.__dict__)
    together, found = threading.Barrier(4), []
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert found == [2] * 4, found
"""


class Pair(msgspec.Struct):
    left: int
    right: str = ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decode", """'{"inner":{"number":1},"inners":[{"number":2}]}'"""),
        ("convert", "{'inner': {'number': 1}, 'inners': [{'number': 2}]}"),
    ],
)
def test_many_threads_may_be_the_first_to_read_a_type(name: str, value: str) -> None:
    program = RACE.format(name=name, value=value)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_json_and_values_are_read_as_types() -> None:
    assert decode(b'[{"left":1}]', list[Pair]) == [Pair(1)]
    assert convert({"left": "1"}, Pair, strict=False) == Pair(1)
    with pytest.raises(msgspec.ValidationError):
        convert({"left": "1"}, Pair)
    with pytest.raises(msgspec.ValidationError):
        decode("{}", Pair)


def calls_that_look_at_types(path: Path) -> list[str]:
    """Calls of msgspec by which a thread may be the first to look at a type of ours, and imports that hide them."""
    tree = ast.parse(path.read_text())
    within = {
        call
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
    }
    found = [
        f"{path.relative_to(ROOT)}:{line.lineno}: {ast.unparse(line)}"
        for line in ast.walk(tree)
        if isinstance(line, ast.ImportFrom)
        and (line.module or "").partition(".")[0] == "msgspec"
        and {name.name for name in line.names} & {"convert", "decode", "json", "msgpack", "Decoder"}
    ]
    for call in within:
        called = ast.unparse(call.func)
        kinds: list[Any] = [word.value for word in call.keywords if word.arg == "type"]
        if called in ("msgspec.convert", "msgspec.json.Decoder", "msgspec.msgpack.Decoder"):
            kinds += call.args
        elif called not in ("msgspec.json.decode", "msgspec.msgpack.decode"):
            continue
        names = {name.id for kind in kinds for name in ast.walk(kind) if isinstance(name, ast.Name)}
        if names - KNOWN:
            found.append(f"{path.relative_to(ROOT)}:{call.lineno}: {ast.unparse(call)}")
    return found


def test_no_function_has_msgspec_look_at_a_type_by_itself() -> None:
    own = ROOT / "typed.py"
    found = [call for path in ROOT.rglob("*.py") if path != own for call in calls_that_look_at_types(path)]
    assert found == [], "whodid.typed reads it, or a decoder that the module makes"
    assert len(calls_that_look_at_types(own)) == 3
