"""Amazon CloudWatch Logs: one target is one block (levels, parameters, log group, streams); several stand side by side.

Source of the limits: AWS API reference, PutLogEvents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

import botocore.config
import botocore.exceptions
import botocore.session

from whodid.errors import WhodidError
from whodid.targets.base import BaseTarget, Context, Delivery, Gather, Label, Refusal, Sent, TargetOption
from whodid.targets.naming import Naming

BATCH_BYTES_MAX: Final = 1_048_576
EVENT_OVERHEAD_BYTES: Final = 26
BATCH_EVENTS_MAX: Final = 10_000
SPAN_MS_MAX: Final = 24 * 3_600 * 1_000
STREAM_NAME_MAX: Final = 512
# So many that the last one, which is as full as it happens to be, does not count.
GATHER_REQUESTS: Final = 10

# Everything but : and * and control characters.
_IN_NAMES: Final = r" -)+-9;-~\u00a0-\U0010ffff"

_TOO_OLD: Final = "CloudWatch refused it: older than 14 days or than the retention."
_TOO_NEW: Final = "CloudWatch refused it: more than 2 hours ahead of its clock."

# What the service says, and what it means for the target.
_CODES: Final[dict[str, str]] = {
    "ThrottlingException": "busy",
    "Throttling": "busy",
    "LimitExceededException": "busy",
    "ServiceUnavailableException": "unavailable",
    "InternalFailure": "unavailable",
    "OperationAbortedException": "busy",
    "AccessDeniedException": "forbidden",
    "UnrecognizedClientException": "forbidden",
    "InvalidSignatureException": "forbidden",
    "IncompleteSignature": "forbidden",
    "SignatureDoesNotMatch": "forbidden",
    "InvalidClientTokenId": "forbidden",
    "ExpiredTokenException": "forbidden",
    "AuthFailure": "forbidden",
    "ResourceNotFoundException": "not_found",
    "InvalidParameterException": "invalid",
    "ValidationException": "invalid",
}
_CLOCK_OFF: Final = re.compile("Signature (expired|not yet current)")
_STATUSES: Final = {400: "invalid", 401: "forbidden", 403: "forbidden", 404: "not_found", 429: "busy"}
_HINTS: Final = {
    "busy": "It has too much to do: slower, or later, it may go.",
    "unavailable": "Check the region and the network.",
    "forbidden": "Check the keys, the role and its rights (logs:PutLogEvents, CreateLogGroup, CreateLogStream).",
    "not_found": "Check the region and the log group.",
    "invalid": "Check the options of the target.",
}


class Entry(NamedTuple):
    """A log event on its way: when, its line, and its number."""

    time_ms: int
    line: str
    size_bytes: int
    seq: int


class CloudWatchTarget(BaseTarget):
    """Events as log events, in the streams that their types are mapped to. Group and streams are made when missing."""

    OPTIONS: ClassVar[tuple[TargetOption, ...]] = (
        TargetOption("log_group", None, "name", "log group; made when missing"),
        TargetOption(
            "streams",
            {"*": "whodid"},
            "map",
            "type => stream, the first that fits: log => datagrok_log, error => datagrok_errors, * => %{topic}-%Y-%M",
            kind="map",
        ),
        TargetOption("region", None, "name", "AWS region, such as eu-central-1"),
        TargetOption("access_key_id", None, "text", "access key; empty: profile or the server's own", optional=True),
        TargetOption("secret_access_key", None, "text", "secret of the access key", secret=True, optional=True),
        TargetOption("session_token", None, "text", "token of temporary credentials", secret=True, optional=True),
        TargetOption("profile", None, "name", "profile of the server's AWS configuration", optional=True),
        TargetOption("role_arn", None, "ARN", "role to assume with these credentials", optional=True),
        TargetOption("external_id", None, "text", "external id that the role asks for", optional=True),
        TargetOption("endpoint", None, "URL", "another endpoint than the region's", optional=True),
        TargetOption("batch_events", BATCH_EVENTS_MAX, "events", "events of a request at most", kind="whole"),
        TargetOption("batch_bytes", BATCH_BYTES_MAX, "bytes", "bytes of a request at most", kind="whole"),
        TargetOption(
            "batch_s", 5.0, "s", "how long events wait for requests to become full; 0: not at all", kind="number"
        ),
        TargetOption(
            "event_bytes_max",
            BATCH_BYTES_MAX,
            "bytes",
            "an event with its overhead of 26; larger are refused",
            kind="whole",
        ),
        TargetOption("retention_days", 0, "days", "retention of a log group that is made; 0: forever", kind="whole"),
        TargetOption("timeout_s", 20.0, "s", "how long connecting and an answer may each take", kind="number"),
    )
    EVENTS_MAX: ClassVar[int | None] = None

    def __init__(self, options: Mapping[str, Any], context: Context):
        super().__init__(options, context)
        self._streams = Streams(options["streams"])
        self._made: set[str] = set()
        self._client: Any = None
        for name, most in (("batch_events", BATCH_EVENTS_MAX), ("batch_bytes", BATCH_BYTES_MAX)):
            if not 1 <= options[name] <= most:
                raise WhodidError(
                    "invalid", f"{name} is {options[name]:,}.", f"The service takes 1 to {most:,}.", field=name
                )

    def open(self) -> Mapping[str, int]:
        with explained():
            self._client = self._connected()
        return {}

    def send(self, delivery: Delivery) -> Sent:
        by_stream, refused = self._sorted(delivery)
        size_bytes = requests = 0
        with explained():
            for stream, entries in by_stream.items():
                for batch in batches(entries, self.options["batch_events"], self.options["batch_bytes"]):
                    refused += self._put(stream, batch)
                    size_bytes += sum(entry.size_bytes for entry in batch)
                    requests += 1
        answer = f"{requests} requests to {len(by_stream)} streams of {self.options['log_group']}"
        return Sent(delivery.count - len(refused), size_bytes, refused, answer)

    def gathers(self) -> Gather | None:
        wait_s = self.options["batch_s"]
        return Gather(GATHER_REQUESTS * self.options["batch_bytes"], wait_s) if wait_s else None

    def flush(self) -> str:
        return f"Everything is in {self.options['log_group']}."

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def cancel(self) -> None:
        self.close()

    def _sorted(self, delivery: Delivery) -> tuple[dict[str, list[Entry]], list[Refusal]]:
        by_stream: dict[str, list[Entry]] = {}
        refused: list[Refusal] = []
        most = min(self.options["event_bytes_max"], self.options["batch_bytes"])
        for seq, label, line in delivery.labelled():
            size_bytes = len(line) + EVENT_OVERHEAD_BYTES
            if size_bytes > most:
                refused.append(Refusal(seq, "too_large", f"It has {size_bytes:,} bytes; {most:,} are allowed."))
                continue
            entry = Entry(int(label.time.timestamp() * 1_000), line.decode(), size_bytes, seq)
            by_stream.setdefault(self._streams.of(label), []).append(entry)
        for entries in by_stream.values():
            entries.sort(key=lambda entry: entry.time_ms)
        return by_stream, refused

    def _put(self, stream: str, batch: Sequence[Entry]) -> list[Refusal]:
        events = [{"timestamp": entry.time_ms, "message": entry.line} for entry in batch]
        put = partial(
            self._client.put_log_events,
            logGroupName=self.options["log_group"],
            logStreamName=stream,
            logEvents=events,
        )
        self._make(stream)
        try:
            told = put()
        except self._client.exceptions.DataAlreadyAcceptedException:
            return []
        except self._client.exceptions.ResourceNotFoundException:
            # Somebody took the group or the stream away meanwhile.
            self._made.clear()
            self._make(stream)
            told = put()
        return refusals(told.get("rejectedLogEventsInfo") or {}, batch)

    def _make(self, stream: str) -> None:
        """Make the stream, and the group before it, unless they are there."""
        if stream in self._made:
            return
        group, exceptions = self.options["log_group"], self._client.exceptions
        try:
            self._client.create_log_stream(logGroupName=group, logStreamName=stream)
        except exceptions.ResourceAlreadyExistsException:
            pass
        except exceptions.ResourceNotFoundException:
            self._make_group(group)
            self._client.create_log_stream(logGroupName=group, logStreamName=stream)
        self._made.add(stream)

    def _make_group(self, group: str) -> None:
        try:
            self._client.create_log_group(logGroupName=group)
        except self._client.exceptions.ResourceAlreadyExistsException:
            return
        if self.options["retention_days"]:
            self._client.put_retention_policy(logGroupName=group, retentionInDays=self.options["retention_days"])

    def _connected(self) -> Any:
        options = self.options
        session = botocore.session.Session(profile=options["profile"] or None)
        keys = {
            "aws_access_key_id": options["access_key_id"],
            "aws_secret_access_key": options["secret_access_key"],
            "aws_session_token": options["session_token"],
        }
        given = {name: value for name, value in keys.items() if value}
        if options["role_arn"]:
            given = self._assumed(session, given)
        return self._client_of(session, "logs", given)

    def _assumed(self, session: Any, given: dict[str, str]) -> dict[str, str]:
        asked = {"RoleArn": self.options["role_arn"], "RoleSessionName": f"whodid-{self.context.name}"[:64]}
        if self.options["external_id"]:
            asked["ExternalId"] = self.options["external_id"]
        keys = self._client_of(session, "sts", given).assume_role(**asked)["Credentials"]
        return {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }

    def _client_of(self, session: Any, service: str, given: dict[str, str]) -> Any:
        timeout_s = self.options["timeout_s"]
        return session.create_client(
            service,
            region_name=self.options["region"],
            endpoint_url=self.options["endpoint"] or None,
            config=botocore.config.Config(
                connect_timeout=timeout_s, read_timeout=timeout_s, retries={"mode": "standard", "total_max_attempts": 1}
            ),
            **given,
        )


class Streams:
    """Which stream an event belongs to: the first pattern that fits its type, else the last; see `naming.Naming`.

    streams  name of a stream, with `%{field}` and `%Y %M %D %H`, by pattern of types (`*` stands for anything).
    Raises   WhodidError("invalid")  permanent: there is no stream, or a name holds a sign or field that there is not.
    """

    def __init__(self, streams: Mapping[str, str]):
        if not streams:
            raise WhodidError(
                "invalid", "No stream is named.", "Write streams as: error => errors, * => all", field="streams"
            )
        self._streams = [
            (types, Naming("streams", name, allowed=_IN_NAMES, most=STREAM_NAME_MAX)) for types, name in streams.items()
        ]

    def of(self, label: Label) -> str:
        """The name of the stream for an event."""
        fitting = (naming for types, naming in self._streams if fnmatchcase(label.type, types))
        return next(fitting, self._streams[-1][1]).of(label)


def batches(entries: Sequence[Entry], events_max: int, bytes_max: int) -> Iterator[Sequence[Entry]]:
    """Entries in the order of their time, cut so that each batch keeps to the limits and is as full as can be."""
    start = size_bytes = 0
    for place, entry in enumerate(entries):
        if place > start and (
            place - start >= events_max
            or size_bytes + entry.size_bytes > bytes_max
            or entry.time_ms - entries[start].time_ms >= SPAN_MS_MAX
        ):
            yield entries[start:place]
            start, size_bytes = place, 0
        size_bytes += entry.size_bytes
    if start < len(entries):
        yield entries[start:]


def refusals(told: Mapping[str, int], batch: Sequence[Entry]) -> list[Refusal]:
    """What the service did not take: "too old" and "expired" end before, "too new" begins at the index told."""
    found = []
    too_old = max(told.get("tooOldLogEventEndIndex", 0), told.get("expiredLogEventEndIndex", 0))
    too_new = told.get("tooNewLogEventStartIndex", len(batch))
    for place, entry in enumerate(batch):
        if place < too_old:
            found.append(Refusal(entry.seq, "invalid", _TOO_OLD))
        elif place >= too_new:
            found.append(Refusal(entry.seq, "invalid", _TOO_NEW))
    return found


@contextmanager
def explained() -> Iterator[None]:
    """What botocore complains of, as our error, without a secret."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        told = error.response.get("Error", {})
        said = str(told.get("Message", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        code = _CODES.get(told.get("Code", "")) or _STATUSES.get(status, "unavailable")
        hint = _HINTS[code]
        if _CLOCK_OFF.search(said):
            code, hint = "unavailable", "This machine's clock is off by too much: set it right."
        message = f"CloudWatch says {told.get('Code', 'nothing')}: {said[:300]}"
        raise WhodidError(code, message, hint, retry_after_s=1 if code == "busy" else None) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.ProfileNotFound) as error:
        raise WhodidError("forbidden", f"There are no AWS credentials: {error}.", _HINTS["forbidden"]) from error
    except botocore.exceptions.BotoCoreError as error:
        raise WhodidError("unavailable", f"CloudWatch does not answer: {error}", _HINTS["unavailable"]) from error
