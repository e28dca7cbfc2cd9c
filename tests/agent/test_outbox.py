"""The outbox: in order, on disk, within its limit, over a restart."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from whodid import durable
from whodid.agent.outbox import LANES, Outbox
from whodid.errors import WhodidError


def test_what_is_put_in_comes_out_in_order_after_a_restart_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, 1_000_000)
    for number in range(3):
        outbox.put("backlog", b"%d" % number, number, 0)
    outbox.put("live", b"now", 7, 2)
    again = Outbox(tmp_path, 1_000_000)
    live = again.first()
    assert live is not None
    assert (live.lane, live.events, live.rejects, live.path.read_bytes()) == ("live", 7, 2, b"now")
    again.remove(live)
    for number in range(3):
        parcel = again.first()
        assert parcel is not None
        assert parcel.path.read_bytes() == b"%d" % number
        again.remove(parcel)
    assert again.first() is None
    assert list(tmp_path.rglob("*.gz")) == []


def test_half_a_batch_is_no_batch(tmp_path: Path) -> None:
    Outbox(tmp_path, 1_000)
    (tmp_path / "live" / "000000000001-5-0.half").write_bytes(b"cut off")
    again = Outbox(tmp_path, 1_000)
    assert again.first() is None
    assert list(tmp_path.rglob("*.half")) == []


def test_a_full_lane_leaves_the_other_alone(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, 200)
    outbox.put("backlog", b"x" * 90, 1, 0)
    with pytest.raises(WhodidError) as full:
        outbox.put("backlog", b"x" * 90, 1, 0)
    assert (full.value.code, full.value.kind.temporary) == ("full", True)
    outbox.put("live", b"x" * 90, 1, 0)
    first = outbox.first(("backlog",))
    assert first is not None
    outbox.remove(first)
    outbox.put("backlog", b"x" * 300, 1, 0)


def test_a_full_disk_keeps_nothing_of_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path, 1_000_000)

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(durable, "sync", no_space)
        with pytest.raises(WhodidError, match="No space left") as full:
            outbox.put("live", b"x", 1, 0)
    assert full.value.code == "full"
    assert outbox.first() is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    outbox.put("live", b"y", 1, 0)


def test_what_is_refused_for_good_is_set_aside(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, 1_000)
    parcel = outbox.put("live", b"bad", 1, 0)
    aside = outbox.bury(parcel)
    assert aside.read_bytes() == b"bad"
    assert outbox.first() is None
    assert (outbox.dead(), outbox.waiting("live").size_bytes) == (1, 0)


@pytest.mark.parametrize("waits_already", [True, False])
def test_who_waits_for_events_can_be_woken_without_any(tmp_path: Path, waits_already: bool) -> None:
    outbox = Outbox(tmp_path, 1_000)
    waiting = threading.Thread(target=outbox.wait, args=(LANES, 60.0), daemon=True)
    if waits_already:
        waiting.start()
    outbox.wake()
    if not waits_already:
        waiting.start()
    waiting.join(10.0)
    assert not waiting.is_alive()
