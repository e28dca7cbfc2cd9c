"""Secrets that whodid has to use again (a target's password, a connection's key), encrypted before they are stored.

The key is `WHODID_SECRET_KEY`, else the file `secret.key` of the data folder, made at first use with mode 0600. Servers
that share one PostgreSQL have to share the key, too.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from pathlib import Path
from typing import Any, Final

from whodid import durable
from whodid.errors import WhodidError

PREFIX: Final = "sealed:v1:"
HIDDEN: Final = "***"
KEY_FILE: Final = "secret.key"
KEY_BYTES: Final = 32
KEY_CHARACTERS_MIN: Final = 32
_NONCE_BYTES: Final = 12


class Sealer:
    """Encrypts (AES-256-GCM) and decrypts; each text is bound to its place, so that it opens nowhere else.

    Parameters
    ----------
    folder
        The data folder, for `secret.key`.
    secret_key
        `config.secret_key`: at least 32 characters; empty for the file.
    """

    def __init__(self, folder: Path, secret_key: str = ""):
        self._path = folder / KEY_FILE
        self._given = secret_key
        self._cipher: Any = None

    def seal(self, text: str, place: str) -> str:
        """`text` encrypted for `place`, such as `connections/lake/secret_access_key`."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._opened().encrypt(nonce, text.encode(), place.encode())
        return PREFIX + base64.b64encode(nonce + sealed).decode()

    def unseal(self, sealed: str, place: str) -> str:
        """The text that was sealed for `place`.

        Raises
        ------
        WhodidError("conflict")
            Permanent: sealed with another key, for another place, or damaged.
        """
        from cryptography.exceptions import InvalidTag

        try:
            raw = base64.b64decode(sealed.removeprefix(PREFIX), validate=True)
            text: bytes = self._opened().decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError):
            raise WhodidError(
                "conflict",
                f"The secret {place} cannot be opened: it was encrypted with another key.",
                f"Bring back the key ({self._path} or WHODID_SECRET_KEY), or give the secret again.",
            ) from None
        return text.decode()

    def _opened(self) -> Any:
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._cipher = AESGCM(self._key())
        return self._cipher

    def _key(self) -> bytes:
        if not self._given:
            return _key_of_file(self._path)
        if len(self._given) < KEY_CHARACTERS_MIN:
            raise WhodidError(
                "invalid",
                f"WHODID_SECRET_KEY has {len(self._given)} characters; it needs {KEY_CHARACTERS_MIN} at least.",
                "Make one with: openssl rand -hex 32",
            )
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), KEY_BYTES, salt=None, info=b"whodid sealed v1").derive(self._given.encode())


def is_sealed(value: Any) -> bool:
    """Whether a stored value is an encrypted one."""
    return isinstance(value, str) and value.startswith(PREFIX)


def hidden(value: Any) -> Any:
    """A stored value as it may be shown: sealed texts are hidden."""
    if isinstance(value, dict):
        return {name: hidden(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [hidden(inner) for inner in value]
    return HIDDEN if is_sealed(value) else value


def _key_of_file(path: Path) -> bytes:
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    # Linked into place when it is whole: of two that make one, threads or processes, both use the first.
    beside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, durable.FILE_MODE)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES) + "\n")
            file.flush()
            durable.sync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    durable.sync_folder(path.parent)
    return _read(path)


def _read(path: Path) -> bytes:
    text = path.read_text().strip()
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise WhodidError("conflict", f"{path} holds no key.", "Bring the file back from a backup.")
    return key
