"""The contract of a place that holds files, and the kinds of place with their options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO, Final, NamedTuple, Protocol

from whodid.config import Option
from whodid.errors import WhodidError
from whodid.plugins import Plugin, load


class File(NamedTuple):
    """A file of a place.

    path        from the place's root, with `/` between folders and none in front.
    version     changes whenever the content does.
    """

    path: str
    size_bytes: int
    version: str
    modified_at: datetime


class Place(Protocol):
    """Where files are. Methods block; call them from threads."""

    @property
    def url(self) -> str:
        """The root, for people and for engines: `file:///srv/audit`, `s3://bucket/prefix`; never a secret."""

    def files(self, folder: str = "") -> Iterator[File]:
        """Every file below a folder, in any order; nothing when the folder is not there.

        Raises  WhodidError("unavailable")  temporary: the place does not answer.
                WhodidError("forbidden")    permanent: the credentials are wrong or may not list.
                WhodidError("not_found")    permanent: there is no such place (bucket, root folder).
        """

    def open(self, path: str) -> BinaryIO:
        """A file's bytes from its start; raises OSError when it cannot be read."""

    def write(self, path: str, data: bytes) -> None:
        """Put a file there that appears whole or not at all, and takes the place of none.

        Raises  WhodidError("conflict")     permanent: there is a file of this path.
                WhodidError("unavailable")  temporary: the place does not answer.
                WhodidError("full")         temporary: no space.
                WhodidError("forbidden")    permanent: the credentials may not write, or the path leads elsewhere.
        """

    def close(self) -> None: ...


class Kind(NamedTuple):
    """A kind of place: its options in the order of a form; `needed` are those without which it is none."""

    name: str
    title: str
    options: tuple[Option, ...]
    needed: tuple[str, ...]


_PREFIX: Final = Option("prefix", "", "path", "only what lies below this path")

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "folder",
            "Folder of the server",
            (Option("path", "", "folder", "absolute path on the machine of the server"),),
            ("path",),
        ),
        Kind(
            "s3",
            "Amazon S3, or a server that speaks it",
            (
                Option("bucket", "", "name", "bucket"),
                _PREFIX,
                Option("region", "", "name", "region of the bucket, such as eu-central-1"),
                Option("endpoint", "", "URL", "another server than Amazon's, such as https://s3.example.com"),
                Option("access_key_id", "", "text", "access key; empty: the server's own (environment, role)"),
                Option("secret_access_key", "", "text", "secret of the access key", secret=True),
                Option("session_token", "", "text", "token of temporary credentials", secret=True),
            ),
            ("bucket",),
        ),
        Kind(
            "gcs",
            "Google Cloud Storage",
            (
                Option("bucket", "", "name", "bucket"),
                _PREFIX,
                Option("service_account_key", "", "JSON", "service account; empty: the server's own", secret=True),
            ),
            ("bucket",),
        ),
        Kind(
            "azure",
            "Azure Blob Storage",
            (
                Option("container", "", "name", "container"),
                _PREFIX,
                Option("account", "", "name", "storage account"),
                Option("endpoint", "", "URL", "another endpoint than Azure's"),
                Option("account_key", "", "text", "key of the account; empty: the server's own identity", secret=True),
                Option("sas_token", "", "text", "shared access signature, instead of a key", secret=True),
            ),
            ("container", "account"),
        ),
    )
}

_PLACES: Final[dict[str, Plugin]] = {
    "folder": Plugin("whodid.places.folder:FolderPlace"),
    "s3": Plugin("whodid.places.objects:ObjectPlace", extra="s3"),
    "gcs": Plugin("whodid.places.objects:ObjectPlace", extra="s3"),
    "azure": Plugin("whodid.places.objects:ObjectPlace", extra="s3"),
}


def kinds_shown() -> list[dict[str, Any]]:
    """The kinds with their options as plain values, from which lists and forms are made."""
    return [
        {
            "name": kind.name,
            "title": kind.title,
            "options": [{**option._asdict(), "needed": option.name in kind.needed} for option in kind.options],
        }
        for kind in KINDS.values()
    ]


def kind_of(name: str) -> Kind:
    """The kind of this name; raises WhodidError("invalid") when there is none."""
    if name not in KINDS:
        raise WhodidError("invalid", f"There is no kind of place {name[:100]!r}.", f"Kinds: {', '.join(KINDS)}.")
    return KINDS[name]


def checked(kind: Kind, options: Mapping[str, Any]) -> dict[str, str]:
    """The options of a place of this kind, with defaults left out.

    Raises
    ------
    WhodidError("invalid")
        An unknown option, one that is missing, a folder that is not absolute, or a value that is no text; the message
        names the option, and no other value than that of a folder.
    """
    known = {option.name: option for option in kind.options}
    for name, value in options.items():
        if name not in known:
            raise WhodidError(
                "invalid",
                f"A connection of kind {kind.name} has no option {name[:100]!r}.",
                f"Options: {', '.join(option.name for option in kind.options)}.",
                field=name,
            )
        if not isinstance(value, str) or "\0" in value or len(value) > 20_000:
            raise WhodidError("invalid", f"The option {name} is no text.", "Give it as text.", field=name)
        if known[name].unit == "folder" and value and not value.startswith("/"):
            raise WhodidError("invalid", f"The {name} {value[:100]!r} is not absolute.", "Begin it with /.", field=name)
    given = {name: value for name, value in options.items() if value}
    missing = [name for name in kind.needed if name not in given]
    if missing:
        raise WhodidError(
            "invalid",
            f"A connection of kind {kind.name} needs {missing[0]}.",
            _help(kind, missing[0]),
            field=missing[0],
        )
    return given


def open_place(kind: str, options: Mapping[str, Any]) -> Place:
    """The place of a kind with these options, opened without asking it anything.

    Raises
    ------
    WhodidError("invalid")
        As `checked`; or its driver is not installed, and the hint says how to install it.
    """
    implementation = load(_PLACES, kind_of(kind).name)
    place: Place = implementation(kind, checked(kind_of(kind), options))
    return place


def taken(path: str, url: str) -> WhodidError:
    """What is said of a path at which there is a file already."""
    return WhodidError("conflict", f"There is a file {path!r} in {url} already.", "Choose another path.")


def _help(kind: Kind, name: str) -> str:
    option = next(option for option in kind.options if option.name == name)
    return f"Give it with: --option {name}={option.unit.upper()}"
