"""What is told of a body that its type does not allow."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Struct, UnsetType

from support.web import WebServer
from whodid.web.misfits import misfit


class Inner(Struct, forbid_unknown_fields=True):
    size: Literal["small", "large"] = "small"


class Body(Struct, forbid_unknown_fields=True, rename="camel"):
    one_of: Literal["a", "b"] | UnsetType = UNSET
    number: Literal[1, 2] | None = None
    inner: Inner | None = None
    several: list[Literal["x", "y"]] = []
    by_name: dict[str, list[Inner]] = {}


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ('{"oneOf": "c"}', "oneOf cannot be 'c'.", "It is one of: a, b."),
        ('{"number": 3}', "number cannot be 3.", "It is one of: 1, 2."),
        ('{"inner": {"size": "it\'s"}}', 'inner.size cannot be "it\'s".', "It is one of: large, small."),
        ('{"several": ["x", "z"]}', "several[1] cannot be 'z'.", "It is one of: x, y."),
        (
            '{"byName": {"k": [{"size": ""}]}}',
            "byName[...][0].size cannot be ''.",
            "It is one of: large, small.",
        ),
        ('{"two": 1}', "There is no field 'two'.", "Fields: oneOf, number, inner, several, byName."),
        ('{"inner": {"sise": 1}}', "There is no field 'sise' in inner.", "Fields: size."),
    ],
)
def test_what_is_allowed_is_listed(body: str, message: str, hint: str) -> None:
    told = _misfit(body, Body)
    assert (told.message, told.hint) == (message, hint)


def test_a_body_that_is_itself_a_choice() -> None:
    told = _misfit('"c"', Literal["a", "b"])
    assert (told.message, told.hint) == ("The body cannot be 'c'.", "It is one of: a, b.")


@pytest.mark.parametrize("body", ["", "{", "[]", '{"inner": 1}'])
def test_everything_else_is_told_as_it_is(body: str) -> None:
    told = _misfit(body, Body)
    assert told.message.startswith("The body cannot be read: ") and told.message.endswith(".")


def test_what_was_given_is_told_in_short() -> None:
    assert len(_misfit(f'{{"oneOf": "{"c" * 500}"}}', Body).message) < 150


def test_a_wrong_choice_over_http(server: WebServer) -> None:
    told = server.client.put("/v1/mail", json={"host": "localhost", "sender": "a@example.com", "security": "ssl"})
    assert told.status_code == 400
    error = told.json()["error"]
    assert (error["message"], error["hint"]) == ("security cannot be 'ssl'.", "It is one of: none, starttls, tls.")


def _misfit(body: str, kind: Any) -> Any:
    with pytest.raises(msgspec.MsgspecError) as caught:
        msgspec.json.decode(body, type=kind)
    return misfit(caught.value, kind)
