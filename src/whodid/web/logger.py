"""`GET /logger.js`: the JavaScript Logger, from the same server that takes its events."""

from __future__ import annotations

import re
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

from litestar import Response

from whodid.web.requests import Req, query_of

# A page of any origin may load it: it is the same for everybody and holds no secret.
_HEADERS: Final = {
    "content-type": "text/javascript; charset=utf-8",
    "cache-control": "public, max-age=300",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
}

# Texts and patterns, which stay as they are; else what means nothing. `js/pack.js` does the same.
_WORDS: Final = re.compile(
    r"""('(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|/(?![*/ =])(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\n])+/)"""
    r"""|/\*[\s\S]*?\*/|//.*|;(?=\s*\})|,(?=\s*[)}\]])|\s+"""
)
_NUMBER: Final = re.compile(r"const ([A-Z_]+)=([0-9_]+);")
_CAPITALS: Final = re.compile(r"\b[A-Z_]+\b")
_BETWEEN_WORDS: Final = re.compile(r"[\w$]\s[\w$]")


async def logger_js(request: Req) -> Response[bytes]:
    """The JavaScript Logger as an ES module."""
    query_of(request, [])
    body, tag = _served()
    headers = {**_HEADERS, "etag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers)


@cache
def _served() -> tuple[bytes, str]:
    """The file as it is served, and its entity tag."""
    source = (files("whodid.web") / "static" / "logger.js").read_text("utf-8")
    body = packed(source).encode()
    return body, f'"{sha256(body).hexdigest()[:32]}"'


def packed(source: str) -> str:
    """A module without its comments, without the spaces and signs that mean nothing, and with numbers for their names.

    source  JavaScript with a semicolon after every statement, in which no text within `…` holds another one, no loop
            is without a body, and divisions have spaces around them. Names of numbers are in capitals.
    """
    text = ""
    end = 0
    for found in _WORDS.finditer(source):
        text += source[end : found.start()]
        end = found.end()
        if found[1]:
            text += found[1]
        elif found[0].isspace() and _BETWEEN_WORDS.match(text[-1:] + " " + source[end : end + 1]):
            text += " "
    text += source[end:]
    numbers = {name: digits.replace("_", "") for name, digits in _NUMBER.findall(text)}
    return _CAPITALS.sub(lambda name: numbers.get(name[0], name[0]), _NUMBER.sub("", text))
