"""The reasons for which input cannot become an event, and how such input is kept."""

from __future__ import annotations

import base64
from typing import Final

from whodid.event import Rejection

CODES: Final[dict[str, str]] = {
    "not_json": "the text is not JSON: cut off, NaN or Infinity, a wrong escape, a missing comma, …",
    "not_utf8": "the bytes are not UTF-8",
    "not_an_event": "the JSON value is no object",
    "too_large": "the event is larger than 1 MiB",
    "too_deep": "values are nested more than 100 deep",
    "too_many": "more than 1,000 parameters or 100 entities",
    "no_type": "the event does not say its type",
    "bad_time": "the time cannot be read, has no offset, or lies before 1970 or from 2200 on",
    "bad_field": "a field has a value of the wrong kind, or one that is too long",
    "duplicate": "an earlier event of the same request or run of lines has this id",
}


class Unreadable(Exception):
    """Why one piece of input is no event; `code` is a key of `CODES`."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def rejection(raw: bytes, why: Unreadable, *, index: int, line: int | None = None) -> Rejection:
    """Keep `raw` with the reason; what lies beyond `Rejection.RAW_BYTES_MAX` is cut off."""
    kept = raw[: Rejection.RAW_BYTES_MAX]
    text, encoding = _as_text(kept, cut=len(raw) > len(kept))
    return Rejection(
        index=index,
        code=why.code,
        message=why.message,
        line=line,
        raw=text,
        raw_encoding="utf-8" if encoding == "utf-8" else "base64",
        raw_size_bytes=len(raw),
    )


def _as_text(kept: bytes, *, cut: bool) -> tuple[str, str]:
    # A cut may fall inside a character of up to four bytes; that must not turn readable text into base64.
    for end in range(len(kept), max(len(kept) - 4, -1), -1):
        try:
            text = kept[:end].decode()
        except UnicodeDecodeError:
            if cut:
                continue
            break
        if "\x00" not in text:
            return text, "utf-8"
        break
    return base64.b64encode(kept).decode(), "base64"
