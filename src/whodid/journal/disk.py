"""The journal on a local disk: segments in one folder, their state in their names.

receiver.json            who this receiver is, what was released, how far the numbers have come
000000000006.stored      in the store, kept until every target has it
000000000007.sealed      complete, waits for the store
000000000008.open        being written
000000000003-4711.corrupt  damaged bytes, put aside
lock, owner.json         the process that owns the folder
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from whodid import durable
from whodid.errors import WhodidError
from whodid.journal import crash, frame, receiver, restart
from whodid.journal.base import Draft, Outcome, Position
from whodid.journal.committer import Append, Committer, own, settle
from whodid.journal.lock import FolderLock
from whodid.journal.quarantine import Quarantine, Quarantined
from whodid.journal.recovery import Sum
from whodid.journal.segment import OpenSegment, SealedSegment
from whodid.journal.space import Reserve

OWNER_RECORD: Final = "owner.json"


class JournalStatus(Struct, kw_only=True):
    """Where a journal stands. Bytes are on disk; `frames`, `events` and `bytes` count since it was opened.

    settled  a running number up to which all is in the store.
    """

    receiver: str
    seq_next: int
    settled: int = 0
    released: int
    segment_sealed: int
    segment_open: int | None
    sealed_segments: int
    kept_segments: int
    kept_bytes: int
    backlog_bytes: int
    backlog_bytes_max: int
    oldest_sealed_s: float | None
    frames: int
    events: int
    bytes: int
    commits: int
    commit_mean_ms: float
    events_per_second: float
    waiting_bytes: int
    disk_free_bytes: int
    disk_free_bytes_min: int
    refusal: str | None
    torn_bytes: int
    quarantine: list[Quarantined]


class DiskJournal:
    """Segments in a folder; see `whodid.journal.base.Journal` for what each method promises.

    Opening recovers what an earlier process left: a torn end is cut, damage is put aside and reported by `status`,
    segments found open are sealed, numbers go on where they were.

    Parameters
    ----------
    folder
        Made if it does not exist; owned by one process at a time.
    segment_bytes_max, segment_age_ms_max
        A segment is sealed at this size or this long after its first frame, whichever comes first.
    backlog_bytes_max
        Bytes that may wait for `release`; beyond it appends are "busy".
    disk_free_bytes_min
        Free disk kept in reserve; below it appends are "full".

    Raises
    ------
    WhodidError("conflict")
        Permanent: another process owns the folder, or `receiver.json` is lost.
    """

    kind = "disk"

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes_max: int,
        segment_age_ms_max: int,
        backlog_bytes_max: int,
        disk_free_bytes_min: int,
    ):
        self.folder = folder
        self._backlog_bytes_max = backlog_bytes_max
        self._lock = FolderLock.acquire(folder, record=OWNER_RECORD)
        try:
            self._quarantine = Quarantine(folder)
            self._known = receiver.load(folder)
            recovered = restart.recover(folder, self._known, self._quarantine)
            self._receiver_json = msgspec.json.encode(self._known.receiver)
            self._torn_bytes = recovered.torn_bytes
            self._sealed_number = max(self._known.released, *recovered.sealed, *recovered.stored, 0)
            self.keeps = False
            self._changed = threading.Condition()
            self._wakes = 0
            self._state = threading.RLock()
            self._closed = False
            self._sealed = [self._segment(number, size) for number, size in recovered.sealed.items()]
            self._sealed_bytes = sum(recovered.sealed.values())
            self._settled = 0 if recovered.sealed else recovered.seq_next - 1
            self._kept = [self._segment(number, size, stored=True) for number, size in recovered.stored.items()]
            self._reserve = Reserve(folder, disk_free_bytes_min)
            self._committer = Committer(
                folder,
                number_next=recovered.number_next,
                seq_next=recovered.seq_next,
                segment_bytes_max=segment_bytes_max,
                segment_age_ms_max=segment_age_ms_max,
                reserve=self._reserve,
                on_sealed=self._add_sealed,
            )
        except BaseException:
            self._lock.release()
            raise

    @property
    def receiver(self) -> str:
        return self._known.receiver

    @property
    def streams(self) -> Sequence[str]:
        return (self.receiver,)

    @property
    def backlog_bytes(self) -> int:
        """Bytes that wait for `release`, the open segment included."""
        active = self._committer.active
        return self._sealed_bytes + (active.size_bytes if active else 0)

    async def append(self, draft: Draft) -> Position:
        future: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        self.submit(draft, partial(settle, future))
        return await future

    def submit(self, draft: Draft, done: Callable[[Outcome], None]) -> None:
        self._committer.put(Append(self._prepared(draft), asyncio.get_running_loop(), done))

    def append_blocking(self, draft: Draft) -> Position:
        append = Append(self._prepared(draft))
        self._committer.put(append)
        assert append.written is not None
        append.written.wait()
        if isinstance(append.outcome, Position):
            return append.outcome
        assert append.outcome is not None
        raise own(append.outcome)

    def sealed(self) -> Sequence[SealedSegment]:
        with self._changed:
            return list(self._sealed)

    @property
    def released(self) -> int:
        with self._changed:
            return self._known.released

    def wait_sealed(self, after: int, timeout_s: float) -> Sequence[SealedSegment]:
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(
                lambda: self._closed or self._wakes > wakes or self._sealed_number > after, timeout_s
            )
            return [batch for batch in self._sealed if batch.number > after]

    def wake(self) -> None:
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    @property
    def seq_next(self) -> int:
        return self._committer.seq_next

    def kept(self) -> Sequence[SealedSegment]:
        with self._changed:
            return list(self._kept)

    def wait_kept(self, after: int, timeout_s: float) -> Sequence[SealedSegment]:
        with self._changed:
            wakes = self._wakes
            self._changed.wait_for(
                lambda: self._closed or self._wakes > wakes or bool(self._kept and self._kept[-1].number > after),
                timeout_s,
            )
            return self._kept[bisect_right(self._kept, after, key=attrgetter("number")) :]

    def seal(self) -> int:
        self._committer.seal()
        return self._sealed_number

    def release(self, number: int) -> None:
        with self._state:
            with self._changed:
                gone = [batch for batch in self._sealed if batch.number <= number]
                self._sealed = self._sealed[len(gone) :]
            if not gone:
                return
            self._settled = max(self._settled, *(batch.last_seq or 0 for batch in gone))
            crash.point("journal.before-release")
            if self.keeps:
                self._keep(gone)
                return
            try:
                self._write_down(gone[-1].number)
            except OSError as error:
                self._release_without_record(gone, error)
                return
            crash.point("journal.after-release-state")
            for batch in gone:
                self._delete(batch)
                crash.point("journal.mid-release")

    def drop(self, number: int) -> None:
        with self._state:
            with self._changed:
                gone = [batch for batch in self._kept if batch.number <= number]
            if not gone:
                return
            if self._known.released < gone[-1].number:
                self._write_down(gone[-1].number)
            for batch in gone:
                batch.delete()
            with self._changed:
                self._kept = self._kept[len(gone) :]

    def close(self) -> None:
        if self._closed:
            return
        try:
            self._committer.close()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._lock.release()

    def status(self) -> JournalStatus:
        """Where the journal stands at this moment."""
        committer = self._committer
        active = committer.active
        sealed, kept = self.sealed(), self.kept()
        return JournalStatus(
            receiver=self.receiver,
            seq_next=committer.seq_next,
            settled=self._settled,
            released=self._known.released,
            segment_sealed=self._sealed_number,
            segment_open=active.number if active and active.size_bytes else None,
            sealed_segments=len(sealed),
            kept_segments=len(kept),
            kept_bytes=sum(batch.size_bytes for batch in kept),
            backlog_bytes=self.backlog_bytes,
            backlog_bytes_max=self._backlog_bytes_max,
            oldest_sealed_s=time.time() - sealed[0].sealed_at_s if sealed else None,
            frames=committer.frames,
            events=committer.events,
            bytes=committer.bytes,
            commits=committer.commits,
            commit_mean_ms=1000 * committer.commit_seconds / max(1, committer.commits),
            events_per_second=committer.rate.per_second(),
            waiting_bytes=committer.waiting_bytes,
            disk_free_bytes=self._reserve.free_bytes(),
            disk_free_bytes_min=self._reserve.disk_free_bytes_min,
            refusal=committer.refusal,
            torn_bytes=self._torn_bytes,
            quarantine=self._quarantine.items(),
        )

    def _prepared(self, draft: Draft) -> frame.Prepared:
        if self.backlog_bytes >= self._backlog_bytes_max:
            raise WhodidError(
                "busy",
                f"{self.backlog_bytes:,} bytes of journal wait for the store; the limit is "
                f"{self._backlog_bytes_max:,}.",
                "Send again later. If it stays so, look at the store with: whodid status",
                retry_after_s=2,
            )
        return frame.prepare(draft, self._receiver_json)

    def _segment(self, number: int, size_bytes: int, *, stored: bool = False, told: Sum | None = None) -> SealedSegment:
        return SealedSegment(
            self.folder,
            number,
            self.receiver,
            self._quarantine,
            size_bytes=size_bytes,
            before_repair=self._write_down_numbers,
            stored=stored,
            told=told,
        )

    def _add_sealed(self, done: OpenSegment) -> None:
        batch = self._segment(done.number, done.size_bytes, told=done.told())
        with self._changed:
            self._sealed.append(batch)
            self._sealed_bytes += batch.sealed_bytes
            self._sealed_number = batch.number
            self._changed.notify_all()

    def _keep(self, gone: Sequence[SealedSegment]) -> None:
        """The names of the files tell of the release already; so it need not be written down where that fails."""
        for batch in gone:
            batch.keep()
            crash.point("journal.mid-keep")
        durable.sync_folder(self.folder)
        with self._changed:
            self._sealed_bytes -= sum(batch.sealed_bytes for batch in gone)
            self._kept += gone
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._write_down(gone[-1].number)
        crash.point("journal.after-release-state")

    def _delete(self, batch: SealedSegment) -> None:
        batch.delete()
        with self._changed:
            self._sealed_bytes -= batch.sealed_bytes

    def _release_without_record(self, gone: Sequence[SealedSegment], error: OSError) -> None:
        """On a full disk the release itself has to make the room to write it down.

        Without a record something has to bear witness to the numbers that were used: a later segment, or else the
        last of those released.
        """
        kept = [] if self._has_later(gone[-1].number) else gone[-1:]
        for batch in gone[: len(gone) - len(kept)]:
            self._delete(batch)
        if not kept:
            return
        with self._changed:
            self._sealed[:0] = kept
        if len(gone) == 1:
            raise WhodidError(
                "full",
                f"The release of segment {gone[0].number} cannot be written down: {error.strerror}.",
                f"Free some space in {self.folder}; then it goes on by itself.",
                retry_after_s=5,
            ) from error
        self.release(gone[-1].number)

    def _has_later(self, number: int) -> bool:
        active = self._committer.active
        return self._sealed_number > number or bool(active and active.size_bytes)

    def _write_down_numbers(self) -> None:
        """Before the bytes that hold the highest numbers are changed: their successors must not use them again."""
        self._write_down(self._known.released)

    def _write_down(self, released: int) -> None:
        with self._state:
            known = receiver.Receiver(receiver=self.receiver, released=released, seq_next=self._committer.seq_next)
            receiver.save(self.folder, known)
            self._known = known
