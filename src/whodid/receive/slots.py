"""What the process that answers and one that checks bodies for it both know: the memory they share, and what they say.

The memory is slots of one body each. A message names a slot: to the checker with the size of the body that lies there,
back with the size of the `Checked` that lies there instead, 0 for none. At its start the checker says 0 of each slot.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from whodid.receive.tally import Counted

SLOT_BYTES: Final = 1024 * 1024

# One that is checked, and some so that the checker need not wait for the next one.
SLOTS: Final = 4

MESSAGE: Final = struct.Struct("<II")


class Checked(Struct, array_like=True):
    """What a body of strict events says that is not looked up in it again: distinct ids, and the nodes they are of."""

    ids: list[str]
    nodes: Sequence[Counted]
