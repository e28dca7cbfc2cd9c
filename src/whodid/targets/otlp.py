"""OpenTelemetry: events as log records over OTLP/HTTP, in protobuf or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpx

from whodid.errors import WhodidError
from whodid.targets.base import Context, Delivery, Refusal, Sent, TargetOption
from whodid.targets.http import CONNECTION, HttpTarget, Line
from whodid.targets.otlp_encode import ENCODINGS, Encoding, Group
from whodid.targets.otlp_record import Around, described

PATH: Final = "/v1/logs"
# OTLP 1.x, "Retryable Response Codes": no other may be sent again as it is.
RETRYABLE: Final = frozenset({429, 502, 503, 504})


class OtlpTarget(HttpTarget):
    """Each event is a log record whose attribute `log.record.uid` is its id."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("url", None, "URL", f"receiver, such as https://collector:4318; {PATH} is added to a bare one"),
        TargetOption("encoding", "protobuf", "name", "of requests", kind="choice", choices=("protobuf", "json")),
        TargetOption("key", None, "key", "sent as Authorization: Bearer KEY", secret=True, optional=True),
        TargetOption("headers", {}, "map", "more headers: Name => value, …", secret=True, kind="map"),
        *CONNECTION,
    )  # fmt: skip

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._encoding_of_records = ENCODINGS[options["encoding"]]
        self._arounds: dict[int, Around] = {}
        if urlsplit(self._url).path in ("", "/"):
            self._url = f"{self._url.rstrip('/')}{PATH}"

    def send(self, delivery: Delivery) -> Sent:
        try:
            return super().send(delivery)
        finally:
            self._arounds.clear()

    def _lines(self, delivery: Delivery) -> list[Line]:
        lines: list[Line] = []
        texts = delivery.lines() if self.context.format != "native" else None
        for offered in delivery.events():
            record, around = described(offered, next(texts) if texts is not None else None)
            self._arounds[offered.seq] = around
            lines.append((offered.seq, self._encoding_of_records.record(record)))
        return lines

    def _body(self, lines: Sequence[Line]) -> tuple[bytes, str]:
        # Only neighbours share a group: so records stay in order.
        groups: list[Group] = [
            (around, [record for _, record in records])
            for around, records in groupby(lines, key=lambda line: self._arounds[line[0]])
        ]
        return self._encoding_of_records.request(groups), self._encoding_of_records.media_type

    def _told(self, response: httpx.Response) -> str:
        encoding = _encoding_of(response)
        if encoding is None:
            return response.text
        return encoding.answer(response.content).message if response.is_success else encoding.status(response.content)

    def _rejected(self, lines: Sequence[Line], response: httpx.Response) -> list[Refusal] | None:
        """All or none of them, or None: how many were rejected is told, which ones only halves can tell."""
        if not response.is_success:
            return None
        encoding = _encoding_of(response)
        if encoding is None and response.content:
            raise WhodidError("invalid", f"{self._name} is no OTLP receiver.", "Check url.")
        partial = encoding.answer(response.content) if encoding is not None else None
        if partial is None or partial.rejected <= 0:
            return []
        if partial.rejected < len(lines):
            return None
        return [Refusal(seq, "invalid", f"{self._name} rejected it: {partial.message[:300]}") for seq, _ in lines]

    def _failed(self, response: httpx.Response, answer: str) -> WhodidError:
        error = super()._failed(response, answer)
        if error.kind.temporary and response.status_code not in RETRYABLE:
            return WhodidError("conflict", error.message, "OTLP forbids to send that again; mend it, then resume.")
        return error


def _encoding_of(response: httpx.Response) -> Encoding | None:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return next((one for one in ENCODINGS.values() if one.media_type == media_type), None)
