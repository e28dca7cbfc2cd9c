"""What an agent is told, checked."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Final

import xxhash
from msgspec import Struct

from whodid.errors import WhodidError

OUTBOX_BYTES_MAX: Final = 256 * 1024 * 1024
HEARTBEAT_S: Final = 10.0


class Settings(Struct, kw_only=True, frozen=True):
    """The settings of an agent.

    servers      URLs of collectors; when one does not answer the next is tried.
    key          what it shows them; `@FILE` is read again whenever it is refused.
    paths        files, folders and patterns; the rotated files of a file belong to it.
    node, node_type
                 of events that name none; without them the node that the events name, else that of the key, else this
                 machine's name.
    format       of the files; None looks at each.
    rate_bytes_s, rate_events_s
                 the most that is sent of what lay there from before: packed bytes, events; 0 for no limit. What is
                 being written goes at once, and counts.
    """

    servers: tuple[str, ...]
    paths: tuple[str, ...]
    key: str | None = None
    node: str | None = None
    node_type: str | None = None
    format: str | None = None
    state: Path
    outbox_bytes_max: int = OUTBOX_BYTES_MAX
    rate_bytes_s: int = 0
    rate_events_s: int = 0
    heartbeat_s: float = HEARTBEAT_S
    once: bool = False

    def secret(self) -> str | None:
        """The key as it is by now. Raises WhodidError("invalid") when its file cannot be read."""
        if self.key is None or not self.key.startswith("@"):
            return self.key
        try:
            return Path(self.key[1:]).read_text().strip()
        except OSError as error:
            raise WhodidError(
                "invalid", f"The key's file {self.key[1:]} cannot be read: {error.strerror}.", "Give --key @FILE."
            ) from error


def checked(settings: Settings) -> Settings:
    """Raises WhodidError("invalid") with what is wrong."""
    if not settings.servers:
        raise WhodidError("invalid", "There is no collector to send to.", "Give --server URL.")
    for server in settings.servers:
        if not server.startswith(("http://", "https://")):
            raise WhodidError(
                "invalid", f"{server[:200]!r} is no URL of a collector.", "Write it like https://audit.example.com"
            )
    if not settings.paths:
        raise WhodidError("invalid", "There is nothing to read.", "Name files or folders, such as run/audit/audit.log.")
    for name in ("outbox_bytes_max", "heartbeat_s"):
        if getattr(settings, name) <= 0:
            raise WhodidError("invalid", f"{name} is {getattr(settings, name)}; it has to be more than 0.")
    for name in ("rate_bytes_s", "rate_events_s"):
        if getattr(settings, name) < 0:
            raise WhodidError("invalid", f"{name} is {getattr(settings, name)}; 0 is no limit.")
    settings.secret()
    return settings


def state_folder(paths: tuple[str, ...]) -> Path:
    """Where an agent of these paths keeps its state unless it is told: below the user's own state folder."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    named = "\n".join(os.path.abspath(path) for path in paths)  # noqa: PTH100 (a link stays what it is)
    return state / "whodid" / "agent" / xxhash.xxh3_64_hexdigest(named.encode())


def machine_name() -> str:
    """This machine's name."""
    return socket.gethostname()[:200] or "unknown"
