"""Object storage by obstore: S3 and servers that speak it, Google Cloud Storage, Azure."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, BinaryIO, Final

from whodid.errors import WhodidError
from whodid.places.base import File, taken

CHUNK_BYTES: Final = 8 * 1024 * 1024
TIMEOUT: Final = timedelta(seconds=30)
CONNECT_TIMEOUT: Final = timedelta(seconds=5)

# Few, because who writes has pauses of its own, and shows meanwhile what is wrong.
RETRIES: Final[Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}

_STATUS: Final = re.compile(r"status code: (\d{3}) ?([A-Za-z ]*)")
_SAID: Final = re.compile(r"<Code>([^<]+)</Code>.*?<Message>([^<]*)</Message>", re.DOTALL)
_CAUSE: Final = re.compile(r'error: "([^"]+)"|message: "([^"]+)"|kind: (Timeout)')
_STATUSES: Final = {400: "invalid", 401: "forbidden", 403: "forbidden", 404: "not_found", 501: "unsupported"}
_NAMED: Final = {
    "PermissionDeniedError": "forbidden",
    "UnauthenticatedError": "forbidden",
    "FileNotFoundError": "not_found",
    "NotFoundError": "not_found",
}
# What a service says by name and no status tells: credentials that ran out, a clock, a slow upload.
_SAYINGS: Final = {
    "ExpiredToken": "forbidden",
    "RequestTimeTooSkewed": "unavailable",
    "RequestTimeout": "unavailable",
    "SlowDown": "busy",
}
_WHAT: Final = {
    "busy": "It has too much to do: slower, or later, it may go.",
    "forbidden": "The credentials are wrong, or they may not do this.",
    "invalid": "Check the options: region, endpoint, encryption.",
    "not_found": "Check the name of the bucket and its region.",
    "unavailable": "Check the endpoint and the network.",
    "unsupported": "The server does not know this; check the options, such as encryption.",
}
_CLOCK: Final = "This machine's clock is off by too much: set it right."


class ObjectPlace:
    """See `base.Place`. `store` is obstore's own, with paths from the prefix on; `settings` are more of its own."""

    def __init__(self, kind: str, options: Mapping[str, str], **settings: Any):
        self.kind = kind
        self._options = options
        self.store: Any = _MAKERS[kind](options, settings)

    @property
    def url(self) -> str:
        scheme = {"s3": "s3", "gcs": "gs", "azure": "az"}[self.kind]
        root = f"{scheme}://{self._options.get('bucket') or self._options['container']}"
        prefix = self._options.get("prefix", "").strip("/")
        return f"{root}/{prefix}" if prefix else root

    def files(self, folder: str = "") -> Iterator[File]:
        try:
            for page in self.store.list(folder.strip("/") or None):
                for entry in page:
                    yield File(
                        path=entry["path"],
                        size_bytes=entry["size"],
                        version=f"{entry['size']}:{entry.get('e_tag') or entry['last_modified'].isoformat()}",
                        modified_at=entry["last_modified"],
                    )
        except Exception as error:
            raise explained(error, self.url, "cannot be listed") from error

    def open(self, path: str) -> BinaryIO:
        try:
            stream = self.store.get(path).stream(min_chunk_size=CHUNK_BYTES)
        except Exception as error:
            raise OSError(None, f"cannot be read: {reason(error)}", f"{self.url}/{path}") from error
        return io.BufferedReader(Chunks(iter(stream)), 1024 * 1024)

    def write(self, path: str, data: bytes) -> None:
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            # One request, so that it is whole at once: parts could not be told to leave a file alone.
            self.store.put(path, data, mode="create", use_multipart=False)
        except (AlreadyExistsError, PreconditionError):
            raise taken(path, self.url) from None
        except Exception as error:
            raise explained(error, f"{self.url}/{path}", "cannot be written") from error

    def close(self) -> None:
        """obstore keeps connections by itself and lets them go with the store."""


def explained(error: Exception, url: str, what: str) -> WhodidError:
    """obstore's error as ours, by the status of the answer and what the server says: those that only somebody can mend
    are permanent, the rest is tried again."""
    text = _of_server(error)
    said, status = _SAID.search(text), _STATUS.search(text)
    name = said[1] if said else ""
    code = _SAYINGS.get(name) or _STATUSES.get(int(status[1])) if status else _NAMED.get(type(error).__name__)
    if "incorrectly configured region" in text:
        code = "invalid"
    code = code or "unavailable"
    return WhodidError(
        code, f"{url} {what}: {reason(error)}", _CLOCK if name == "RequestTimeTooSkewed" else _WHAT[code]
    )


def reason(error: Exception) -> str:
    """What went wrong, in the words of the server if it answered, else in those of the network."""
    text = _of_server(error)
    status, said = _STATUS.search(text), _SAID.search(text)
    if said:
        return f"the server says {said[1]}: {said[2].strip()[:300].rstrip('.')}."
    if status:
        return f"the server answers {status[0].removeprefix('status code: ').strip()}."
    causes = [next(filter(None, found)) for found in _CAUSE.findall(str(error))]
    if causes and "error sending request" in text:
        return "no answer in time." if causes[-1] == "Timeout" else f"{causes[-1]}."
    first = text.strip().splitlines()
    return first[0][:500] if first else type(error).__name__


def _of_server(error: Exception) -> str:
    """What obstore says without its own debugging."""
    return str(error).partition("Debug source:")[0]


class Chunks(io.RawIOBase):
    """An iterator of bytes as a raw stream."""

    def __init__(self, chunks: Iterator[Any]):
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = memoryview(bytes(next(self._chunks)))
            except StopIteration:
                return 0
            except Exception as error:
                raise OSError(None, f"broke off: {reason(error)}") from error
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _common(options: Mapping[str, str]) -> dict[str, Any]:
    plain = options.get("endpoint", "").startswith("http://")
    client = {"timeout": TIMEOUT, "connect_timeout": CONNECT_TIMEOUT, **({"allow_http": True} if plain else {})}
    return {"client_options": client, "retry_config": RETRIES}


def _s3(options: Mapping[str, str], settings: dict[str, Any]) -> Any:
    from obstore.store import S3Store

    names = ("region", "endpoint", "access_key_id", "secret_access_key", "session_token")
    given: dict[str, Any] = {name: options[name] for name in names if name in options}
    if "endpoint" in given:
        given["virtual_hosted_style_request"] = False
    return S3Store(
        options["bucket"],
        prefix=_prefix(options),
        **_common(options),
        **given,
        **settings,
    )


def _gcs(options: Mapping[str, str], settings: dict[str, Any]) -> Any:
    from obstore.store import GCSStore

    given: dict[str, Any] = (
        {"service_account_key": options["service_account_key"]} if "service_account_key" in options else {}
    )
    return GCSStore(
        options["bucket"],
        prefix=_prefix(options),
        **_common(options),
        **given,
        **settings,
    )


def _azure(options: Mapping[str, str], settings: dict[str, Any]) -> Any:
    from obstore.store import AzureStore

    given: dict[str, Any] = {
        name: options[option]
        for name, option in (("account_key", "account_key"), ("sas_token", "sas_token"), ("endpoint", "endpoint"))
        if option in options
    }
    return AzureStore(
        options["container"],
        account_name=options["account"],
        prefix=_prefix(options),
        **_common(options),
        **given,
        **settings,
    )


def _prefix(options: Mapping[str, str]) -> str | None:
    return options.get("prefix", "").strip("/") or None


_MAKERS: Final = {"s3": _s3, "gcs": _gcs, "azure": _azure}
