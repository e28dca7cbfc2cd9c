"""Object storage by obstore: S3 and servers that speak it, Google Cloud Storage, Azure."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, BinaryIO, Final

from whodid.errors import WhodidError
from whodid.places.base import File, taken

CHUNK_BYTES: Final = 8 * 1024 * 1024
TIMEOUT: Final = timedelta(seconds=30)
CONNECT_TIMEOUT: Final = timedelta(seconds=5)

_HINTS: Final = (
    (("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Unauthenticated", "401"), "forbidden"),
    (("NoSuchBucket", "404", "not found", "ContainerNotFound"), "not_found"),
)
_WHAT: Final = {
    "forbidden": "The credentials are wrong, or they may not do this.",
    "not_found": "Check the name of the bucket and its region.",
    "unavailable": "Check the endpoint and the network; it is tried again.",
}


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
    """obstore's error as ours: forbidden and not_found are permanent, the rest is tried again."""
    text = f"{type(error).__name__} {error}"
    code = next((code for signs, code in _HINTS if any(sign in text for sign in signs)), "unavailable")
    return WhodidError(code, f"{url} {what}: {reason(error)}", _WHAT[code])


def reason(error: Exception) -> str:
    """The first line of what obstore says: the rest is its own debugging."""
    return str(error).strip().splitlines()[0][:500] if str(error).strip() else type(error).__name__


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


def _client(options: Mapping[str, str]) -> Any:
    plain = options.get("endpoint", "").startswith("http://")
    return {"timeout": TIMEOUT, "connect_timeout": CONNECT_TIMEOUT, **({"allow_http": True} if plain else {})}


def _s3(options: Mapping[str, str], settings: dict[str, Any]) -> Any:
    from obstore.store import S3Store

    names = ("region", "endpoint", "access_key_id", "secret_access_key", "session_token")
    given: dict[str, Any] = {name: options[name] for name in names if name in options}
    if "endpoint" in given:
        given["virtual_hosted_style_request"] = False
    return S3Store(options["bucket"], prefix=_prefix(options), client_options=_client(options), **given, **settings)


def _gcs(options: Mapping[str, str], settings: dict[str, Any]) -> Any:
    from obstore.store import GCSStore

    given: dict[str, Any] = (
        {"service_account_key": options["service_account_key"]} if "service_account_key" in options else {}
    )
    return GCSStore(options["bucket"], prefix=_prefix(options), client_options=_client(options), **given, **settings)


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
        client_options=_client(options),
        **given,
        **settings,
    )


def _prefix(options: Mapping[str, str]) -> str | None:
    return options.get("prefix", "").strip("/") or None


_MAKERS: Final = {"s3": _s3, "gcs": _gcs, "azure": _azure}
