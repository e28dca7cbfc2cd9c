"""What is told to people never has a secret in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_PASSWORD_IN_URL: Final = re.compile(r"(\w+://[^\s/:@]*):[^\s@]+@")
# In an explanation KEY stands for a key.
_BEARER: Final = re.compile(r"(?i)(bearer\s+)(?!(?-i:KEY)['\"\s])\S+")


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with passwords of URLs and bearer keys masked, and with these secrets wherever they stand in it."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _BEARER.sub(r"\1***", _PASSWORD_IN_URL.sub(r"\1:***@", text))
