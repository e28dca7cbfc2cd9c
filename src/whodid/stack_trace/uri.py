"""How Dart writes the file of a frame: `Uri.parse`, then `prettyUri` of package `path` on a POSIX server.

A working directory never enters: absolute paths stay absolute, so that every server gives an error the same group.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final
from urllib.parse import unquote

DATA_LIBRARY: Final = "data:..."

_ABSOLUTE: Final = re.compile(r"[a-zA-Z][-+.a-zA-Z0-9]*://")
_WINDOWS: Final = re.compile(r"[a-zA-Z]:[\\/]|\\\\")
_WINDOWS_SHARE: Final = re.compile(r"\\\\[^\\/]*")
_SCHEME: Final = re.compile(r"[a-zA-Z][-+.a-zA-Z0-9]*\Z")
_PARTS: Final = re.compile(r"(?://(?P<authority>[^/\\?#]*))?(?P<path>[^?#]*)(?P<rest>.*)", re.DOTALL)
_PORTS: Final = {"http": "80", "https": "443"}
_UNRESERVED: Final = r"A-Za-z0-9._~-"
_TO_ESCAPE: Final = re.compile(rf"%[0-9a-fA-F]{{2}}|[^!$&'()*+,;=:@/?{_UNRESERVED}]")
_PLAIN: Final = re.compile(rf"[{_UNRESERVED}]")


class UriError(ValueError):
    """The text is no URI: Dart's FormatException."""


def library_of_place(text: str) -> str:
    """The library of a URI or of an absolute or relative POSIX or Windows path."""
    if _ABSOLUTE.match(text):
        return library_of_uri(text)
    if _WINDOWS.match(text):
        path = _WINDOWS_SHARE.sub("", text, count=1) if text.startswith("\\\\") else f"/{text}"
        return _pretty_path(path.replace("\\", "/"))
    if text.startswith("/"):
        return _pretty_path(text)
    if "\\" in text:
        return _pretty_path(text.replace("\\", "/"))
    return library_of_uri(text)


def library_of_uri(text: str) -> str:
    """The library of a URI."""
    scheme, rest = _split_scheme(text)
    if scheme == "data":
        return DATA_LIBRARY
    match = _PARTS.match(rest)
    if match is None:
        raise UriError(text)
    path = _escaped(match["path"].replace("\\", "/"))
    if scheme in ("", "file"):
        return _pretty_path(unquote(path, errors="replace"))
    authority = match["authority"]
    if authority is None:
        return f"{scheme}:{_without_dots(path)}{_escaped_rest(match['rest'])}"
    return f"{scheme}://{_authority(scheme, authority)}{_without_dots(path)}{_escaped_rest(match['rest'])}"


def _split_scheme(text: str) -> tuple[str, str]:
    head = re.split(r"[/\\?#]", text, maxsplit=1)[0]
    name, colon, _ = head.partition(":")
    if not colon:
        return "", text
    if not _SCHEME.match(name):
        raise UriError(text)
    return name.lower(), text[len(name) + 1 :]


def _authority(scheme: str, authority: str) -> str:
    user, at, host = authority.rpartition("@")
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    if port and not (port.isascii() and port.isdigit() and int(port[:9]) <= 65535):
        raise UriError(authority)
    kept = f":{int(port)}" if port and port != _PORTS.get(scheme) else ""
    return f"{user}{at}{name.lower()}{kept}"


def _escaped(text: str) -> str:
    return _TO_ESCAPE.sub(_escape, text)


def _escaped_rest(rest: str) -> str:
    query, hash_mark, fragment = rest.partition("#")
    return _escaped(query) + hash_mark + _escaped(fragment)


def _escape(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) == 3 and found[0] == "%":
        char = chr(int(found[1:], 16))
        return char if _PLAIN.match(char) else found.upper()
    return "".join(f"%{byte:02X}" for byte in found.encode("utf-8", "replace"))


def _without_dots(path: str) -> str:
    """RFC 3986, 5.2.4."""
    if "." not in path:
        return path
    output: list[str] = []
    open_end = False
    for segment in path.split("/"):
        open_end = segment in (".", "..")
        if segment == "..":
            if output:
                output.pop()
            if not output:
                output.append("")
        elif segment != ".":
            output.append(segment)
    if open_end:
        output.append("")
    return "/".join(output)


def _pretty_path(path: str) -> str:
    # POSIX leaves exactly two leading slashes alone; Dart does not.
    return posixpath.normpath(f"/{path.lstrip('/')}" if path.startswith("/") else path)
