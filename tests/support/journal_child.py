"""A process that uses a journal until it is killed: appends, seals, releases, and tells each step on stdout.

`python journal_child.py FOLDER STEPS TASKS KEEPS`. Lines: `try ID…` before an append, `ok SEQ_NEXT SEGMENT ID…` after
it, `released NUMBER` before a release, which with KEEPS 1 keeps what is released, and `dropped NUMBER` before all but
the last of that is dropped. What is told survives the process; the pipe is the parent's.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from support.journals import draft, ids_of, open_journal
from whodid.journal.disk import DiskJournal

LARGE_BYTES = 600_000
"""Half of two events is still written past the cache."""


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def work(journal: DiskJournal, steps: int) -> None:
    for step in range(steps):
        sent = draft(2, parameters={"text": "x" * LARGE_BYTES} if step % 4 == 1 else {})
        tell("try", *ids_of([sent]))
        position = await journal.append(sent)
        tell("ok", journal.status().seq_next, position.segment, *ids_of([sent]))
        if step % 3 == 2:
            await asyncio.to_thread(journal.seal)
        if step % 8 == 7:
            number = journal.sealed()[-1].number if journal.sealed() else 0
            tell("released", number)
            await asyncio.to_thread(journal.release, number)
            for batch in journal.kept()[-2:-1]:
                tell("dropped", batch.number)
                await asyncio.to_thread(journal.drop, batch.number)


async def main(folder: str, steps: str, tasks: str, keeps: str) -> None:
    journal = open_journal(Path(folder))
    journal.keeps = keeps == "1"
    await asyncio.gather(*(work(journal, int(steps)) for _ in range(int(tasks))))
    journal.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
