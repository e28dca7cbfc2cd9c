"""Who this receiver is and how far its numbers have come, where the segments no longer tell: `receiver.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.event import new_id
from whodid.typed import decode

NAME: Final = "receiver.json"


class Receiver(Struct, kw_only=True, frozen=True):
    """`released` is the last released segment; every number below `seq_next` may have been used."""

    receiver: str
    released: int = 0
    seq_next: int = 1


def load(folder: Path) -> Receiver:
    """What is written down, or a receiver of its own for a new folder.

    Raises
    ------
    WhodidError("conflict")
        Permanent: the file is unreadable, or it is gone although there are segments. Guessing would use numbers twice.
    """
    path = folder / NAME
    hint = f"Restore {path} from a backup, or move the folder's files away to begin a new journal."
    try:
        return decode(path.read_bytes(), Receiver)
    except FileNotFoundError:
        if any(folder.glob("*.sealed")) or any(folder.glob("*.open")):
            raise WhodidError("conflict", f"{path} is gone, but there are segments beside it.", hint) from None
    except msgspec.MsgspecError as error:
        raise WhodidError("conflict", f"{path} is damaged: {error}.", hint) from error
    fresh = Receiver(receiver=new_id())
    save(folder, fresh)
    return fresh


def save(folder: Path, receiver: Receiver) -> None:
    durable.replace(folder / NAME, msgspec.json.encode(receiver) + b"\n")
