"""Secrets at rest."""

from __future__ import annotations

import errno
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whodid import durable
from whodid.directory.sealed import HIDDEN, Sealer, hidden, is_sealed
from whodid.errors import WhodidError

PLACE = "connections/lake/secret_access_key"


def test_a_secret_comes_back_and_does_not_show(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path).seal("hunter2", PLACE)
    assert "hunter2" not in sealed
    assert is_sealed(sealed)
    assert Sealer(tmp_path).unseal(sealed, PLACE) == "hunter2"


def test_the_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Sealer(tmp_path).seal("hunter2", PLACE)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_the_key_is_on_the_disk_before_anything_is_sealed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forced: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        durable, "sync_folder", lambda folder: forced.append((folder, (folder / "secret.key").exists()))
    )
    Sealer(tmp_path).seal("hunter2", PLACE)
    assert forced == [(tmp_path, True)]


def test_servers_with_the_same_given_key_share_secrets(tmp_path: Path) -> None:
    given = "0123456789abcdef0123456789abcdef"
    sealed = Sealer(tmp_path / "a", given).seal("hunter2", PLACE)
    assert Sealer(tmp_path / "b", given).unseal(sealed, PLACE) == "hunter2"
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("change", ["place", "key", "text"])
def test_nothing_else_opens_it(tmp_path: Path, change: str) -> None:
    (tmp_path / "other").mkdir()
    sealed = Sealer(tmp_path).seal("hunter2", PLACE)
    sealer = Sealer(tmp_path / "other" if change == "key" else tmp_path)
    with pytest.raises(WhodidError, match="cannot be opened") as caught:
        sealer.unseal(sealed[:-6] if change == "text" else sealed, "elsewhere" if change == "place" else PLACE)
    assert caught.value.code == "conflict"
    assert "hunter2" not in str(caught.value)


def test_a_short_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WhodidError, match="needs 32") as caught:
        Sealer(tmp_path, "short").seal("x", PLACE)
    assert "short" not in caught.value.message.replace("characters", "")


def test_a_damaged_key_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("zz")
    with pytest.raises(WhodidError, match="holds no key"):
        Sealer(tmp_path).seal("x", PLACE)


def test_what_is_shown_hides_them(tmp_path: Path) -> None:
    sealed = Sealer(tmp_path).seal("hunter2", PLACE)
    assert hidden({"a": [sealed, 1], "b": {"c": sealed}}) == {"a": [HIDDEN, 1], "b": {"c": HIDDEN}}


def test_a_key_that_could_not_be_written_is_made_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(durable, "sync", full)
        with pytest.raises(OSError, match="No space"):
            Sealer(tmp_path).seal("hunter2", PLACE)
    assert list(tmp_path.iterdir()) == []
    sealed = Sealer(tmp_path).seal("hunter2", PLACE)
    assert Sealer(tmp_path).unseal(sealed, PLACE) == "hunter2"


def test_two_that_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    together = threading.Barrier(4)

    def seal(_: int) -> str:
        sealer = Sealer(tmp_path)
        together.wait()
        return sealer.seal("hunter2", PLACE)

    with ThreadPoolExecutor(4) as pool:
        sealed = list(pool.map(seal, range(4)))
    assert {Sealer(tmp_path).unseal(one, PLACE) for one in sealed} == {"hunter2"}
